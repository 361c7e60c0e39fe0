#include "src/data/text_encoding.h"

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "cortiscore/error.h"

namespace cortiscore {
namespace {

constexpr const char* kSaveAsUtf8 = "Save the file as UTF-8";

// Code points of Windows-1252's bytes 0x80 to 0x9F; 0 where it has none.
constexpr uint16_t kWindows1252[32] = {
    0x20AC, 0,      0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
    0x2039, 0x0152, 0,      0x017D, 0,      0,      0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
    0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0,      0x017E, 0x0178};

unsigned byte_at(const std::string& bytes, size_t i) {
  return static_cast<unsigned char>(bytes[i]);
}

std::string line_of(const std::string& bytes, size_t at) {
  return "line " +
         std::to_string(
             1 + std::count(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
}

std::string hex(unsigned byte) {
  constexpr const char* kDigits = "0123456789abcdef";
  return std::string("0x") + kDigits[byte >> 4U] + kDigits[byte & 15U];
}

// How many bytes the UTF-8 character at i has; 0 where there is none.
size_t utf8_length(const std::string& bytes, size_t i) {
  const auto first = byte_at(bytes, i);
  const size_t length = first < 0x80   ? 1
                        : first < 0xC2 ? 0
                        : first < 0xE0 ? 2
                        : first < 0xF0 ? 3
                        : first < 0xF5 ? 4
                                       : 0;
  if (length == 0 || i + length > bytes.size()) return 0;
  for (size_t k = 1; k < length; ++k) {
    if ((byte_at(bytes, i + k) & 0xC0U) != 0x80U) return 0;
  }
  if (length < 3) return length;
  const auto second = byte_at(bytes, i + 1);
  const bool overlong = (first == 0xE0 && second < 0xA0) || (first == 0xF0 && second < 0x90);
  const bool beyond = (first == 0xED && second > 0x9F) || (first == 0xF4 && second > 0x8F);
  return overlong || beyond ? 0 : length;
}

DecodedText decode_utf16(const std::string& bytes,
                         size_t from,
                         bool little,
                         const std::string& path) {
  const std::string name = little ? "UTF-16 LE" : "UTF-16 BE";
  if ((bytes.size() - from) % 2)
    throw bad_input({path, "encoding", name + " that ends within a character", "whole characters",
                     "The file may be truncated"});
  std::string out;
  out.reserve((bytes.size() - from) / 2);
  uint32_t high = 0;
  for (size_t i = from; i < bytes.size(); i += 2) {
    const uint32_t unit = little ? byte_at(bytes, i) | byte_at(bytes, i + 1) << 8U
                                 : byte_at(bytes, i) << 8U | byte_at(bytes, i + 1);
    const bool second = unit >= 0xDC00 && unit < 0xE000;
    if ((high != 0) != second || unit == 0)
      throw bad_input({path, "byte " + std::to_string(i),
                       unit == 0 ? "a NUL character" : "half a character of " + name, "text",
                       kSaveAsUtf8});
    if (second) {
      append_utf8(out, 0x10000 + ((high - 0xD800) << 10U) + (unit - 0xDC00));
      high = 0;
    } else if (unit >= 0xD800 && unit < 0xDC00) {
      high = unit;
    } else {
      append_utf8(out, unit);
    }
  }
  if (high)
    throw bad_input({path, "encoding", name + " that ends within a character", "whole characters",
                     "The file may be truncated"});
  return {std::move(out), name, from ? "" : "read as " + name + ", by its NUL bytes"};
}

DecodedText decode_utf32(const std::string& bytes, bool little, const std::string& path) {
  const std::string name = little ? "UTF-32 LE" : "UTF-32 BE";
  std::string out;
  for (size_t i = 4; i < bytes.size(); i += 4) {
    uint32_t c = 0;
    for (size_t k = 0; k < 4 && i + k < bytes.size(); ++k)
      c |= byte_at(bytes, i + k) << (8U * (little ? k : 3 - k));
    if (i + 4 > bytes.size() || c == 0 || c > 0x10FFFF || (c >= 0xD800 && c < 0xE000))
      throw bad_input(
          {path, "byte " + std::to_string(i), "no character of " + name, "text", kSaveAsUtf8});
    append_utf8(out, c);
  }
  return {std::move(out), name, ""};
}

DecodedText decode_windows_1252(const std::string& bytes, const std::string& path) {
  std::string out;
  out.reserve(bytes.size() + bytes.size() / 16);
  for (size_t i = 0; i < bytes.size(); ++i) {
    const auto byte = byte_at(bytes, i);
    const uint32_t c = byte >= 0x80 && byte < 0xA0 ? kWindows1252[byte - 0x80] : byte;
    if (c == 0)
      throw bad_input({path, line_of(bytes, i), "byte " + hex(byte),
                       "UTF-8, UTF-16 or Windows-1252 (Latin-1)", kSaveAsUtf8});
    append_utf8(out, c);
  }
  return {std::move(out), "Windows-1252",
          "is no UTF-8: read as Windows-1252 (Latin-1). Save it as UTF-8 if names look wrong"};
}

// Most text in UTF-16 has a NUL in every second byte: in the odd ones where the low byte comes
// first.
char nul_pattern(const std::string& bytes) {
  size_t nul[2] = {0, 0};
  const size_t n = std::min<size_t>(bytes.size(), 4096) / 2 * 2;
  for (size_t i = 0; i < n; ++i) nul[i % 2] += bytes[i] == '\0';
  if (nul[1] * 10 > n * 2 && nul[0] * 20 < nul[1]) return 'L';
  if (nul[0] * 10 > n * 2 && nul[1] * 20 < nul[0]) return 'B';
  return 0;
}

// What a file is by its first bytes, whatever it is called; empty for text.
std::string other_format(const std::string& bytes) {
  const auto starts = [&](std::string_view mark) {
    return bytes.compare(0, mark.size(), mark) == 0;
  };
  if (starts("PK\x03\x04")) return "a zip archive or a workbook of a spreadsheet";
  if (starts("\xD0\xCF\x11\xE0")) return "a workbook of an old spreadsheet";
  if (starts("\x1F\x8B")) return "a gzip archive";
  if (starts("\x89HDF")) return "an HDF5 file";
  if (starts("\x93NUMPY")) return "a NumPy array";
  if (starts("%PDF")) return "a PDF document";
  if (starts("<!DOCTYPE") || starts("<!doctype") || starts("<html")) return "a web page";
  return "";
}

}  // namespace

void append_utf8(std::string& out, uint32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xC0U | (c >> 6U));
    out += static_cast<char>(0x80U | (c & 0x3FU));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xE0U | (c >> 12U));
    out += static_cast<char>(0x80U | ((c >> 6U) & 0x3FU));
    out += static_cast<char>(0x80U | (c & 0x3FU));
  } else {
    out += static_cast<char>(0xF0U | (c >> 18U));
    out += static_cast<char>(0x80U | ((c >> 12U) & 0x3FU));
    out += static_cast<char>(0x80U | ((c >> 6U) & 0x3FU));
    out += static_cast<char>(0x80U | (c & 0x3FU));
  }
}

DecodedText decode_text(std::string bytes, const std::string& path) {
  const auto starts = [&](const char* mark, size_t n) { return bytes.compare(0, n, mark, n) == 0; };
  if (const auto format = other_format(bytes); !format.empty())
    throw bad_input(
        {path, "", format, "a table as text: .csv, .tsv or .txt", "Save or unpack it as CSV"});
  if (starts("\xFF\xFE\0\0", 4)) return decode_utf32(bytes, true, path);
  if (starts("\0\0\xFE\xFF", 4)) return decode_utf32(bytes, false, path);
  if (starts("\xFF\xFE", 2)) return decode_utf16(bytes, 2, true, path);
  if (starts("\xFE\xFF", 2)) return decode_utf16(bytes, 2, false, path);
  if (const auto order = nul_pattern(bytes)) return decode_utf16(bytes, 0, order == 'L', path);
  if (const auto nul = bytes.find('\0'); nul != std::string::npos)
    throw bad_input({path, line_of(bytes, nul), "a NUL byte", "text",
                     "The file is damaged or is no text: write it again"});
  const bool marked = starts("\xEF\xBB\xBF", 3);
  while (starts("\xEF\xBB\xBF", 3)) bytes.erase(0, 3);  // some programs add a second mark
  size_t wrong = std::string::npos, wide = 0;
  for (size_t i = 0; i < bytes.size();) {
    if (byte_at(bytes, i) < 0x80) {
      ++i;
      continue;
    }
    const auto length = utf8_length(bytes, i);
    if (length == 0 && wrong == std::string::npos) wrong = i;
    wide += length > 1;
    i += std::max<size_t>(length, 1);
  }
  if (wrong == std::string::npos) return {std::move(bytes), "UTF-8", ""};
  if (marked || wide)
    throw bad_input({path, line_of(bytes, wrong),
                     "byte " + hex(byte_at(bytes, wrong)) + ", which is no UTF-8, in a file that " +
                         (marked ? "is marked as UTF-8" : "has characters in UTF-8"),
                     "one encoding", "Save the whole file as UTF-8"});
  return decode_windows_1252(bytes, path);
}

}  // namespace cortiscore
