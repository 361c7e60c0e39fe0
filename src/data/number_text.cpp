#include "src/data/number_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <string>

namespace cortiscore {
namespace {

constexpr std::array<std::string_view, 22> kMissing = {
    "",         "n/a",    "N/A",     "NA",      "na",       "NaN",      "nan",  "NAN",
    "null",     "NULL",   "None",    "<NA>",    "#N/A",     "#NA",      "-nan", "-NaN",
    "#N/A N/A", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN", "-nan(ind)"};

bool digits(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::string_view unsigned_part(std::string_view text) {
  return text.starts_with('+') || text.starts_with('-') ? text.substr(1) : text;
}

bool parse_with_points(std::string_view text, double& value) {
  if (text.starts_with('+')) {
    text.remove_prefix(1);
    if (text.starts_with('-')) return false;
  }
  const auto* const end = text.data() + text.size();
  const auto [next, status] = std::from_chars(text.data(), end, value);
  if (next != end || status == std::errc::invalid_argument) return false;
  if (status == std::errc::result_out_of_range) {  // from_chars leaves the value alone
    value = std::strtod(std::string(text).c_str(), nullptr);
    return std::isfinite(value);
  }
  return !std::isnan(value);
}

}  // namespace

bool is_missing(std::string_view text) {
  if (text.size() > 9) return false;
  return std::find(kMissing.begin(), kMissing.end(), text) != kMissing.end();
}

bool parse_number(std::string_view text, double& value, bool comma) {
  const auto at = comma ? text.find(',') : std::string_view::npos;
  if (at != std::string_view::npos && text.find('.') == std::string_view::npos) {
    auto with_point = std::string(text);
    with_point[at] = '.';
    return parse_with_points(with_point, value);
  }
  if (parse_with_points(text, value)) return true;
  value = std::numeric_limits<double>::quiet_NaN();
  return is_missing(text);
}

Spelling spelling_of(std::string_view text, bool commas) {
  if (digits(unsigned_part(text))) return Spelling::kInteger;
  double value = 0;
  if (parse_with_points(text, value))
    return text.find_first_of(".eE") == std::string_view::npos ? Spelling::kInteger
                                                               : Spelling::kPoint;
  if (is_missing(text)) return Spelling::kMissing;
  const auto at = commas ? text.find(',') : std::string_view::npos;
  if (at == std::string_view::npos || !parse_number(text, value, true)) return Spelling::kText;
  const auto whole = unsigned_part(text.substr(0, at));
  const auto fraction = text.substr(at + 1);
  const bool grouped = digits(whole) && whole.size() <= 3 && whole[0] != '0' &&
                       fraction.size() == 3 && digits(fraction);
  return grouped ? Spelling::kThousands : Spelling::kComma;
}

}  // namespace cortiscore
