#pragma once
#include <string_view>

namespace cortiscore {

/// What a field of a table looks like.
enum class Spelling {
  kMissing,    ///< nothing, or a word for it: is_missing
  kInteger,    ///< a number without point, comma or exponent; also inf
  kPoint,      ///< a number with a point or an exponent
  kComma,      ///< a number whose decimal sign is a comma
  kThousands,  ///< 1,234: a decimal comma, or one that groups thousands
  kText
};

/// @param commas  whether a comma may stand within a number, because it does not separate fields
Spelling spelling_of(std::string_view text, bool commas);

/// Whether a field says that a value is missing, as pandas.read_csv understands it (and na, NAN):
/// nothing, n/a, N/A, NA, NaN, nan, null, NULL, None, <NA>, #N/A, #NA, -nan, -NaN, 1.#IND, 1.#QNAN
/// and the like.
bool is_missing(std::string_view text);

/// The number that the text is, correctly rounded; NaN for what is_missing. False where it is none,
/// or too large for a double. A decimal comma is read where `comma`.
bool parse_number(std::string_view text, double& value, bool comma = false);

}  // namespace cortiscore
