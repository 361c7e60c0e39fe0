#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cortiscore {

/// One field of a delimited file, by its place in the text: eight bytes however long it is.
struct FieldPlace {
  uint32_t begin;
  uint32_t size : 30;
  uint32_t quoted : 1;   ///< stood in quotes, which are not part of it
  uint32_t doubled : 1;  ///< holds quotes that are written twice
};

/// The records of a delimited text, unquoted and trimmed, none of them empty.
struct Records {
  std::string text;
  char separator = ',';
  std::vector<FieldPlace> fields;
  std::vector<size_t> first;   ///< each record's first field; one more entry, the number of fields
  std::vector<uint32_t> line;  ///< the line of the file at which each record begins, from 1
  std::vector<std::string> notes;
  uint32_t empty_line = 0;  ///< the first empty line between records; 0 where there is none

  size_t size() const { return line.size(); }
  size_t width(size_t record) const { return first[record + 1] - first[record]; }
  const FieldPlace& place(size_t record, size_t column) const {
    return fields[first[record] + column];
  }
  /// As it stands in the text; quotes within it are still doubled.
  std::string_view raw(size_t record, size_t column) const {
    const auto& field = place(record, column);
    return {text.data() + field.begin, field.size};
  }
  std::string value(size_t record, size_t column) const;
  std::string where(size_t record) const { return "line " + std::to_string(line[record]); }
};

/// Splits a text into records at LF, CRLF or CR and into fields at commas, semicolons or tabs,
/// whichever divides its first records evenly. Quotes as in RFC 4180; spaces around what stands in
/// no quotes are left out. Lines that begin with # before the first record, and Excel's line sep=,
/// are no records.
/// @throws Error(kBadInput)  a separator that cannot be told, quotes that do not close, a field or
///                           a line that is too long
Records split_records(std::string text, const std::string& path);

/// What the separators are called in messages: comma, semicolon, tab.
std::string separator_name(char separator);

}  // namespace cortiscore
