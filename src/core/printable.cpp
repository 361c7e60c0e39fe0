#include "src/core/printable.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>

namespace cortiscore {
namespace {

// Bytes of the UTF-8 character at the front, and its code; 0 where there is none.
size_t utf8_character(std::string_view text, uint32_t& code) {
  const auto first = static_cast<unsigned char>(text[0]);
  const size_t length = first < 0x80             ? 1
                        : (first & 0xE0) == 0xC0 ? 2
                        : (first & 0xF0) == 0xE0 ? 3
                        : (first & 0xF8) == 0xF0 ? 4
                                                 : 0;
  if (length == 0 || length > text.size()) return 0;
  code = length == 1 ? first : first & (0x7FU >> length);
  for (size_t i = 1; i < length; ++i) {
    const auto next = static_cast<unsigned char>(text[i]);
    if ((next & 0xC0) != 0x80) return 0;
    code = (code << 6U) | (next & 0x3FU);
  }
  constexpr uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
  return code < kLeast[length] || code > 0x10FFFF || surrogate ? 0 : length;
}

// What has no shape of its own, or changes that of what stands beside it.
bool hidden(uint32_t code) {
  return code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0x61C ||
         (code >= 0x200B && code <= 0x200F) || (code >= 0x2028 && code <= 0x202E) ||
         (code >= 0x2060 && code <= 0x206F) || code == 0xFEFF ||
         (code >= 0xE0000 && code <= 0xE007F);
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  const auto escape = [&](const char* format, uint32_t value) {
    char escaped[16];
    std::snprintf(escaped, sizeof escaped, format, value);
    out += escaped;
  };
  while (!text.empty()) {
    uint32_t code = 0;
    const auto length = utf8_character(text, code);
    if (length == 0)
      escape("\\x%02x", static_cast<unsigned char>(text[0]));
    else if (!hidden(code))
      out += text.substr(0, length);
    else if (code == '\n' || code == '\r' || code == '\t')
      out += code == '\n' ? "\\n" : code == '\r' ? "\\r" : "\\t";
    else
      escape(code < 0x80 ? "\\x%02x" : code <= 0xFFFF ? "\\u%04x" : "\\U%08x", code);
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return out;
}

std::string printable_json(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  while (!json.empty()) {
    uint32_t code = 0;
    const auto length = std::max<size_t>(utf8_character(json, code), 1);
    // What stands below 0x7F a writer of JSON has escaped already, or put between values.
    if (code >= 0x7F && hidden(code)) {
      char escaped[16];
      if (code <= 0xFFFF)
        std::snprintf(escaped, sizeof escaped, "\\u%04x", code);
      else  // two surrogates, as RFC 8259 has it
        std::snprintf(escaped, sizeof escaped, "\\u%04x\\u%04x", 0xD7C0 + (code >> 10U),
                      0xDC00 | (code & 0x3FFU));
      out += escaped;
    } else {
      out += json.substr(0, length);
    }
    json.remove_prefix(length);
  }
  return out;
}

}  // namespace cortiscore
