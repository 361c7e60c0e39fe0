#pragma once
#include <string>

namespace cortiscore {

/// A text file as UTF-8, and what it was.
struct DecodedText {
  std::string text;  ///< UTF-8 without a mark
  /// "UTF-8", "UTF-16 LE", "UTF-16 BE", "UTF-32 LE", "UTF-32 BE" or "Windows-1252"
  std::string encoding;
  std::string note;  ///< what a reader should hear of it; empty for UTF-8
};

/// Recognises UTF-8, UTF-16 and UTF-32 by their marks, UTF-16 without one by its NUL bytes, and
/// takes what is no UTF-8 for Windows-1252, of which Latin-1 is a part.
/// @throws Error(kBadInput)  NUL bytes in text, halves of characters, bytes of two encodings or of
///                           none of these
DecodedText decode_text(std::string bytes, const std::string& path);

/// Appends the UTF-8 of a code point.
void append_utf8(std::string& out, uint32_t code_point);

}  // namespace cortiscore
