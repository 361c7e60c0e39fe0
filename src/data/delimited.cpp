#include "src/data/delimited.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>

#include "cortiscore/error.h"
#include "src/core/notes.h"
#include "src/data/number_text.h"
#include "src/data/table_layout.h"

namespace cortiscore {
namespace {

constexpr size_t kMostBytes = std::numeric_limits<uint32_t>::max();
constexpr size_t kLongestField = size_t{16} << 20;
constexpr size_t kMostColumns = 4'000'000;
constexpr std::array<char, 3> kSeparators = {',', ';', '\t'};
// How much of a file says which separator it has.
constexpr size_t kProbedRecords = 100, kProbedBytes = size_t{4} << 20;

struct Limits {
  size_t records = std::numeric_limits<size_t>::max();
  size_t bytes = std::numeric_limits<size_t>::max();
};

// Walks over the text once. A flaw is thrown, or noted as `flawed` where the separator is only
// being tried.
class Splitter {
 public:
  Splitter(Records& records, std::string path, bool trying)
      : out_(records), text_(records.text), path_(std::move(path)), trying_(trying) {}

  void split(size_t from, uint32_t line, const Limits& limits) {
    at_ = from;
    line_ = line;
    out_.first.push_back(0);
    while (at_ < text_.size() && !flawed_) {
      if (out_.line.size() >= limits.records || (at_ - from > limits.bytes && out_.line.size() > 2))
        break;
      record();
    }
    if (padded_ && !trying_) {
      out_.notes.push_back("spaces around " + std::to_string(padded_) +
                           " text field(s) are left out");
    }
  }
  bool flawed() const { return flawed_; }

 private:
  void flaw(const std::string& where,
            const std::string& found,
            const std::string& expected,
            const std::string& action) {
    flawed_ = true;
    if (!trying_) throw bad_input({path_, where, found, expected, action});
  }

  bool is_space(char c) const { return c == ' ' || (c == '\t' && out_.separator != '\t'); }
  static bool ends_line(char c) { return c == '\n' || c == '\r'; }

  void end_line() {
    if (text_[at_] == '\r' && at_ + 1 < text_.size() && text_[at_ + 1] == '\n') ++at_;
    ++at_;
    ++line_;
  }

  void record() {
    const auto line = line_;
    const auto first = out_.fields.size();
    while (!flawed_) {
      field();
      if (out_.fields.size() - first > kMostColumns) {
        flaw("line " + std::to_string(line),
             "more than " + std::to_string(kMostColumns) + " fields", "fewer",
             "Write an array of this size as .npy");
      }
      if (at_ >= text_.size() || text_[at_] != out_.separator) break;
      ++at_;
    }
    if (at_ < text_.size() && !flawed_) end_line();
    const auto& only = out_.fields[first];
    if (out_.fields.size() == first + 1 && only.size == 0 && !only.quoted) {
      out_.fields.pop_back();
      if (empty_at_ == 0) empty_at_ = line;
      return;
    }
    if (empty_at_ && !out_.line.empty() && !out_.empty_line) out_.empty_line = empty_at_;
    empty_at_ = 0;
    out_.line.push_back(line);
    out_.first.push_back(out_.fields.size());
  }

  void field() {
    const char* const data = text_.data();
    const auto size = text_.size();
    const auto before = at_;
    while (at_ < size && is_space(data[at_])) ++at_;
    if (at_ < size && data[at_] == '"') return quoted_field();
    auto begin = at_;
    while (at_ < size && data[at_] != out_.separator && !ends_line(data[at_])) ++at_;
    auto end = at_;
    while (end > begin && is_space(data[end - 1])) --end;
    if (begin == end) begin = end = at_;
    if (end - begin < at_ - before && end > begin && !is_digit_or_sign(data[begin])) ++padded_;
    push(begin, end - begin, false, false);
  }

  void quoted_field() {
    const auto line = line_;
    const auto begin = ++at_;
    bool doubled = false;
    for (;; ++at_) {
      if (at_ >= text_.size()) {
        return flaw("line " + std::to_string(line), "a quoted field that never ends",
                    "a closing quote", "The file may be truncated");
      }
      const char c = text_[at_];
      if (c == '"') {
        if (at_ + 1 >= text_.size() || text_[at_ + 1] != '"') break;
        doubled = true;
        ++at_;
      } else if (c == '\n' || (c == '\r' && (at_ + 1 >= text_.size() || text_[at_ + 1] != '\n'))) {
        ++line_;
      }
    }
    const auto end = at_++;
    while (at_ < text_.size() && is_space(text_[at_])) ++at_;
    if (at_ < text_.size() && text_[at_] != out_.separator && !ends_line(text_[at_])) {
      return flaw("line " + std::to_string(line_),
                  shown(text_.substr(at_, 20)) + " behind a closing quote",
                  "a " + separator_name(out_.separator) + " or the end of the line",
                  "Write a quote within a quoted field twice");
    }
    push(begin, end - begin, true, doubled);
  }

  static bool is_digit_or_sign(char c) {
    return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.';
  }

  void push(size_t begin, size_t size, bool quoted, bool doubled) {
    if (size > kLongestField) {
      return flaw("line " + std::to_string(line_), "a field of " + std::to_string(size) + " bytes",
                  "at most " + std::to_string(kLongestField),
                  "A quote or a line end may be missing");
    }
    out_.fields.push_back(
        {static_cast<uint32_t>(begin), static_cast<uint32_t>(size) & 0x3FFFFFFFU, quoted, doubled});
  }

  Records& out_;
  const std::string& text_;
  std::string path_;
  bool trying_, flawed_ = false;
  size_t at_ = 0, padded_ = 0;
  uint32_t line_ = 1, empty_at_ = 0;
};

// How a separator divides the first records.
struct Trial {
  char separator;
  size_t header = 0;     // fields of the first record
  bool even = false;     // every record has as many
  size_t as_header = 0;  // records that have as many
  bool numbers = true;   // every field is a number, or missing
};

Trial try_separator(Records& records, char separator, size_t from, const std::string& path) {
  Records trial;
  trial.text.swap(records.text);
  trial.separator = separator;
  Splitter splitter(trial, path, true);
  splitter.split(from, 1, {kProbedRecords, kProbedBytes});
  Trial out{separator};
  if (trial.size()) out.header = trial.width(0);
  for (size_t r = 0; r < trial.size(); ++r) {
    out.as_header += trial.width(r) == out.header;
    for (size_t c = 0; c < trial.width(r) && out.numbers; ++c)
      out.numbers = spelling_of(trial.raw(r, c), separator != ',') != Spelling::kText;
  }
  out.even = !splitter.flawed() && out.as_header == trial.size();
  trial.text.swap(records.text);
  return out;
}

// The separator that the file's name promises.
std::optional<char> promised(const std::string& path) {
  if (path.ends_with(".tsv")) return '\t';
  if (path.ends_with(".csv")) return ',';
  return std::nullopt;
}

char choose_separator(Records& records, size_t from, const std::string& path) {
  std::vector<Trial> even, any;
  bool column_of_commas = false;  // one column, of numbers with decimal commas
  for (const auto separator : kSeparators) {
    const auto trial = try_separator(records, separator, from, path);
    if (trial.header > 1) (trial.even ? even : any).push_back(trial);
    if (separator == '\t' && trial.header == 1 && trial.even && trial.numbers)
      column_of_commas = true;
  }
  const auto refuse = [&](const std::vector<Trial>& fitting) {
    std::string found;
    for (const auto& trial : fitting)
      found += (found.empty() ? "" : ", ") + std::to_string(trial.header) + " fields by " +
               separator_name(trial.separator);
    return bad_input({path, "separator", found, "one that divides every line alike",
                      "Write the table with commas or tabs alone, and points as decimals"});
  };
  const auto hint = promised(path);
  if (even.size() == 1) {
    if (even[0].separator == ',' && hint != ',' && column_of_commas && even[0].numbers)
      throw refuse({even[0], {'\t', 1}});
    return even[0].separator;
  }
  if (even.size() > 1) {
    std::vector<Trial> numbers;
    std::copy_if(even.begin(), even.end(), std::back_inserter(numbers),
                 [](const Trial& t) { return t.numbers; });
    if (numbers.size() == 1) return numbers[0].separator;
    throw refuse(even);
  }
  if (any.empty()) return hint.value_or(',');
  const auto most = std::max_element(any.begin(), any.end(), [](const Trial& a, const Trial& b) {
    return a.as_header < b.as_header;
  });
  const auto ties = std::count_if(any.begin(), any.end(),
                                  [&](const Trial& t) { return t.as_header == most->as_header; });
  if (ties == 1) return most->separator;
  for (const auto& trial : any) {
    if (trial.separator == hint && trial.as_header == most->as_header) return trial.separator;
  }
  throw refuse(any);
}

// The fields of one line, of which numpy.savetxt writes names of columns behind a #.
std::vector<std::string> fields_of(const std::string& line,
                                   char separator,
                                   const std::string& path) {
  Records one;
  one.text = line;
  one.separator = separator;
  Splitter splitter(one, path, true);
  splitter.split(0, 1, {});
  std::vector<std::string> out;
  for (size_t c = 0; one.size() == 1 && !splitter.flawed() && c < one.width(0); ++c)
    out.push_back(one.value(0, c));
  return out;
}

// Whether a line that begins with # is the names of the columns below it: as many as the first
// record has fields, which holds numbers and is no line of names itself.
bool names_below(Records& records,
                 const std::string& comment,
                 size_t from,
                 const std::string& path) {
  const auto names = fields_of(comment.substr(1), records.separator, path);
  const auto end = std::min(records.text.find_first_of("\r\n", from), records.text.size());
  const auto row = fields_of(records.text.substr(from, end - from), records.separator, path);
  if (names.size() < 2 || names.size() != row.size()) return false;
  bool numbers = false, words = false, counts = true;
  for (size_t c = 0; c < row.size(); ++c) {
    if (holds_names(row[c]) || names[c].empty()) return false;
    const auto spelling = spelling_of(row[c], records.separator != ',');
    numbers = numbers || (spelling != Spelling::kText && spelling != Spelling::kMissing);
    words = words || spelling_of(names[c], records.separator != ',') == Spelling::kText;
    counts = counts && (row[c] == std::to_string(c) || row[c] == std::to_string(c + 1));
  }
  return numbers && words && !counts;
}

}  // namespace

std::string separator_name(char separator) {
  return separator == ',' ? "comma" : separator == ';' ? "semicolon" : "tab";
}

std::string Records::value(size_t record, size_t column) const {
  const auto text_of = raw(record, column);
  if (!place(record, column).doubled) return std::string(text_of);
  std::string out;
  for (size_t i = 0; i < text_of.size(); ++i) {
    out += text_of[i];
    if (text_of[i] == '"') ++i;
  }
  return out;
}

Records split_records(std::string text, const std::string& path) {
  if (text.size() >= kMostBytes) {
    throw bad_input({path, "size", std::to_string(text.size()) + " bytes",
                     "less than " + std::to_string(kMostBytes),
                     "Write an array of this size as .npy"});
  }
  Records records;
  records.text = std::move(text);
  const auto& all = records.text;
  size_t from = 0;
  uint32_t line = 1;
  int64_t comments = 0;
  size_t comment_at = 0;  // the last one
  uint32_t comment_line = 0;
  std::optional<char> declared;
  while (from < all.size()) {
    const auto end = std::min(all.find_first_of("\r\n", from), all.size());
    const auto content = std::string_view(all).substr(from, end - from);
    const bool directive =
        line == 1 && content.size() == 5 && content.starts_with("sep=") &&
        std::find(kSeparators.begin(), kSeparators.end(), content[4]) != kSeparators.end();
    if (directive) declared = content[4];
    if (content.starts_with("#")) {
      ++comments;
      comment_at = from;
      comment_line = line;
    } else if (!directive && content.find_first_not_of(" \t") != std::string_view::npos) {
      break;
    }
    from = end;
    if (from < all.size()) from += all.compare(from, 2, "\r\n") == 0 ? 2 : 1;
    ++line;
  }
  records.separator = declared ? *declared : choose_separator(records, from, path);
  const auto comment_end = std::min(all.find_first_of("\r\n", comment_at), all.size());
  if (comments &&
      names_below(records, all.substr(comment_at, comment_end - comment_at), from, path)) {
    from = all.find_first_not_of("# \t", comment_at);
    line = comment_line;
    --comments;
    records.notes.emplace_back("the last line that begins with # is read as names of columns");
  }
  if (comments) {
    records.notes.push_back(std::to_string(comments) +
                            " line(s) that begin with # above the table are left out");
  }
  Splitter(records, path, false).split(from, line, {});
  return records;
}

}  // namespace cortiscore
