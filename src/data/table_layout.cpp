#include "src/data/table_layout.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <map>
#include <set>

#include "cortiscore/error.h"
#include "src/core/notes.h"
#include "src/data/arrays.h"
#include "src/data/called_as_ids.h"
#include "src/data/number_text.h"
#include "src/data/text_encoding.h"

namespace cortiscore {
namespace {

std::string cell(const Records& records, size_t record, size_t column) {
  return shown(records.value(record, column));
}

// Whether fields of a column are 0, 1, 2, ... or 1, 2, 3, ...
bool counts_down(const Records& records, size_t column, size_t from, size_t to) {
  int64_t start = -1;
  for (size_t r = from; r < to; ++r) {
    const auto text = records.raw(r, column);
    int64_t value = -1;
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (status != std::errc() || end != text.data() + text.size()) return false;
    if (r == from) start = value;
    if ((start != 0 && start != 1) || value != start + static_cast<int64_t>(r - from)) return false;
  }
  return true;
}

std::string count_of(size_t n, const std::string& what) {
  return std::to_string(n) + " " + what + (n == 1 ? "" : "s");
}

// The width of the table, once separators at the ends of lines that part nothing are set aside.
class Layout {
 public:
  Layout(TableLayout& layout, const std::string& path)
      : out_(layout), records_(layout.records), path_(path) {}

  void run() {
    find_width();
    refuse_other_separators();
    drop_empty_tail();
    refuse_second_header();
    find_names();
    refuse_decimals_in_two();
    drop_unnamed();
    refuse_twins();
    refuse_gaps();
    find_decimals();
  }

 private:
  void find_width() {
    const auto header = records_.width(0);
    width_ = header;
    std::map<size_t, size_t> widths;  // of the records behind the first, and how many have them
    for (size_t r = 1; r < records_.size(); ++r) ++widths[records_.width(r)];
    if (widths.empty() || (widths.size() == 1 && widths.contains(header))) return;
    if (widths.size() == 1) {
      const auto body = widths.begin()->first;
      if (body == header + 1 && all_empty(body - 1, 1)) return note_trailing();
      if (body < header) {
        bool nothing = true;
        for (size_t c = body; c < header; ++c) nothing = nothing && records_.raw(0, c).empty();
        if (nothing) {
          width_ = body;
          return note_trailing();
        }
      }
    }
    for (size_t r = 1; r < records_.size(); ++r) {
      const auto width = records_.width(r);
      if (width == header) continue;
      const bool names_of_rows = width == header + 1 && widths.size() == 1;
      throw bad_input(
          {path_, records_.where(r),
           count_of(width, "field") + " by " + separator_name(records_.separator),
           count_of(header, "field") + " as in the first (" + records_.where(0) + ")",
           names_of_rows
               ? "Every row has one more than the header: name the first column (of rows' "
                 "names, as R's write.table leaves it), or leave it out"
               : "Quote fields that hold separators, and write an empty field where one is "
                 "missing"});
    }
  }

  void note_trailing() { out_.notes.emplace_back("separators at the ends of lines are left out"); }

  bool all_empty(size_t column, size_t from) const {
    for (size_t r = from; r < records_.size(); ++r) {
      if (!records_.raw(r, column).empty()) return false;
    }
    return true;
  }

  // Numbers that spaces or bars part are one column of text to a reader of CSV.
  void refuse_other_separators() const {
    if (width_ != 1) return;
    for (const char bar : {' ', '|'}) {
      size_t parts = 0;
      bool even = true;
      for (size_t r = 0; r < std::min<size_t>(records_.size(), 100) && even; ++r) {
        const auto text = records_.raw(r, 0);
        size_t n = 0;
        bool numbers = true;
        for (size_t at = 0; at < text.size();) {
          const auto end = std::min(text.find(bar, at), text.size());
          if (end > at) {
            ++n;
            numbers = numbers && spelling_of(text.substr(at, end - at), true) != Spelling::kText;
          }
          at = end + 1;
        }
        if (r == 0) parts = n;
        even = n == parts && n > 1 && (numbers || r == 0);
      }
      if (even && records_.size() > 0) {
        throw bad_input(
            {path_, "separator",
             std::to_string(parts) + (bar == ' ' ? " fields by spaces" : " fields by |"),
             "commas, semicolons or tabs",
             "Write it with commas, e.g. numpy.savetxt(path, array, delimiter=\",\")"});
      }
    }
  }

  bool row_is_empty(size_t record) const {
    for (size_t c = 0; c < records_.width(record); ++c) {
      if (!records_.raw(record, c).empty()) return false;
    }
    return true;
  }

  // Spreadsheets save rows of separators below a table.
  void drop_empty_tail() {
    n_records_ = records_.size();
    if (width_ < 2) return;
    while (n_records_ > 1 && row_is_empty(n_records_ - 1)) --n_records_;
    const auto n = records_.size() - n_records_;
    if (n == 0) return;
    bool text = false;
    for (size_t c = 0; c < width_ && !text; ++c)
      for (size_t r = 1; r < n_records_ && !text; ++r)
        text = spelling_of(records_.raw(r, c), records_.separator != ',') == Spelling::kText;
    if (!text) {
      throw bad_input({path_, records_.where(n_records_),
                       count_of(n, "row") + " without any number at the end",
                       "a number, or a word such as NA, in each",
                       "Delete the rows, or write NA where numbers are missing"});
    }
    out_.notes.push_back(count_of(n, "empty row") + " at the end left out");
  }

  void refuse_second_header() const {
    for (size_t r = 1; r < n_records_; ++r) {
      bool same = true;
      bool word = false;
      for (size_t c = 0; c < width_ && same; ++c) {
        same = records_.raw(r, c) == records_.raw(0, c);
        word = word || spelling_of(records_.raw(r, c), true) == Spelling::kText;
      }
      if (same && word && width_ > 1)
        throw bad_input({path_, records_.where(r), "the line of names a second time", "rows",
                         "Two tables stand one under the other: delete this line"});
    }
  }

  [[noreturn]] void refuse_header(const std::string& found, const std::string& action) const {
    throw bad_input({path_, records_.where(0) + ", the first", found,
                     "names of columns, or plainly a row of numbers", action});
  }

  // Whether the first record's fields from `from` on are 0, 1, 2, ... or 1, 2, 3, ...
  bool counts_up(size_t from) const {
    int64_t start = -1;
    for (size_t c = from; c < width_; ++c) {
      const auto text = records_.raw(0, c);
      int64_t value = -1;
      const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
      if (status != std::errc() || end != text.data() + text.size()) return false;
      if (c == from) start = value;
      if ((start != 0 && start != 1) || value != start + static_cast<int64_t>(c - from))
        return false;
    }
    return from < width_;
  }

  // Of the numbers behind the first record, how many are written as integers and how many are not.
  std::pair<size_t, size_t> spellings_below() const {
    std::pair<size_t, size_t> n{0, 0};
    for (size_t r = 1; r < n_records_; ++r) {
      for (size_t c = 0; c < width_; ++c) {
        const auto spelling = spelling_of(records_.raw(r, c), records_.separator != ',');
        if (spelling == Spelling::kMissing || spelling == Spelling::kText) continue;
        ++(spelling == Spelling::kInteger ? n.first : n.second);
      }
    }
    return n;
  }

  bool is_index(size_t column, size_t from) const {
    return counts_down(records_, column, from, n_records_);
  }

  // Names, or a first row of numbers: what is not plain is refused, since a guess is a presentation
  // more or less.
  bool first_record_names() {
    size_t texts = 0, numbers = 0, empty = 0, integers = 0, decimals = 0;
    for (size_t c = 0; c < width_; ++c) {
      const auto text = records_.raw(0, c);
      const auto spelling = spelling_of(text, records_.separator != ',');
      if (text.empty())
        ++empty;
      else if (spelling == Spelling::kText)
        ++texts;
      else if (spelling != Spelling::kMissing) {
        ++numbers;
        ++(spelling == Spelling::kInteger ? integers : decimals);
      }
    }
    if (texts) return names_with_numbers(numbers, decimals);
    if (numbers == 0) {
      if (empty == width_)
        refuse_header("only empty fields", "Write a line of names above the rows");
      return true;  // NA, None, ...: names, if odd ones
    }
    if (empty == 1 && records_.raw(0, 0).empty() && counts_up(1) && is_index(0, 1)) {
      out_.notes.push_back("the names of columns are " + cell(records_, 0, 1) + " to " +
                           cell(records_, 0, width_ - 1));
      return true;
    }
    if (empty)
      refuse_header("numbers and " + count_of(empty, "empty field"),
                    "Write a line of names above the rows");
    const auto [whole, other] = spellings_below();
    if (counts_up(0)) {
      const bool square = other == 0 && (n_records_ == width_ || n_records_ == width_ + 1);
      if ((width_ < 3 && other == 0) || square) {
        refuse_header(cell(records_, 0, 0) +
                          (width_ > 1 ? " to " + cell(records_, 0, width_ - 1) : "") +
                          ", which may be names or numbers",
                      "Write a line of names above the rows");
      }
      out_.notes.push_back("the first line, " + cell(records_, 0, 0) + " to " +
                           cell(records_, 0, width_ - 1) + ", is taken as names of columns");
      return true;
    }
    if (width_ > 1 && n_records_ > 2 && integers == width_ && whole == 0 && other > 0) {
      refuse_header("integers above numbers that are none, which may be names or numbers",
                    "Write a line of names above the rows");
    }
    if (width_ > 1 && n_records_ > 2 && is_index(0, 0)) {
      refuse_header("no names, above a first column that numbers the rows",
                    "Write a line of names, or leave the index out: to_csv(path, index=False)");
    }
    out_.notes.emplace_back("no line of names: the first line is taken as a row of numbers");
    return false;
  }

  bool names_with_numbers(size_t numbers, size_t decimals) const {
    if (numbers == 0) return true;
    bool known = false, counted = decimals == 0;
    int64_t last = -1;
    for (size_t c = 0; c < width_; ++c) {
      const auto text = records_.raw(0, c);
      known = known || holds_names(std::string(text));
      int64_t value = 0;
      const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
      if (status != std::errc() || end != text.data() + text.size()) continue;
      counted = counted && (last < 0 ? value == 0 || value == 1 : value == last + 1);
      last = value;
    }
    if (known || counted || n_records_ < 2) return true;
    // Numbers above numbers: the first row of a table without names, as far as anyone can tell.
    for (size_t c = 0; c < width_; ++c) {
      if (is_number(0, c) && is_number(1, c)) {
        refuse_header(cell(records_, 0, c) + " in column " + std::to_string(c + 1),
                      "Write a line of names above the rows; names that are numbers count from 0 "
                      "or 1, or stand beside a column such as stimulus_id");
      }
    }
    return true;
  }

  bool is_number(size_t record, size_t column) const {
    const auto spelling = spelling_of(records_.raw(record, column), records_.separator != ',');
    return spelling != Spelling::kText && spelling != Spelling::kMissing;
  }

  void find_names() {
    out_.first_row = first_record_names() ? 1 : 0;
    out_.n_rows = n_records_ - out_.first_row;
    for (size_t c = 0; c < width_; ++c) {
      out_.columns.push_back(out_.first_row ? records_.value(0, c) : std::to_string(c));
      out_.place.push_back(c);
    }
  }

  // One column with decimal commas looks like two of whole numbers: digits behind a comma begin
  // with zeros, are one, are more or fewer from row to row, or stand behind -0.
  void refuse_decimals_in_two() const {
    if (records_.separator != ',' || width_ != 2 || out_.first_row) return;
    const auto digits = records_.raw(0, 1).size();
    bool signs = digits == 1;
    for (size_t r = 0; r < n_records_; ++r) {
      const auto whole = records_.raw(r, 0), rest = records_.raw(r, 1);
      if (spelling_of(whole, false) != Spelling::kInteger || rest.empty() ||
          rest.find_first_not_of("0123456789") != std::string_view::npos)
        return;
      signs =
          signs || whole == "-0" || rest.size() != digits || (rest.size() > 1 && rest[0] == '0');
    }
    if (!signs) return;
    throw bad_input(
        {path_, records_.where(0),
         shown(std::string(records_.raw(0, 0)) + "," + std::string(records_.raw(0, 1))) +
             " and its like, which may be a decimal comma or two columns",
         "numbers of which one shows which it is",
         "Write decimals with a point; of two columns write their names in the first "
         "line, or part them with a semicolon"});
  }

  // What pandas, R and spreadsheets add: a column of rows' numbers, and empty ones.
  void drop_unnamed() {
    if (!out_.first_row) return;
    const auto named = [&](const char* name) {
      return std::find(out_.columns.begin(), out_.columns.end(), name) != out_.columns.end();
    };
    // Of a stimulus set, columns are only taken by name; published ones keep pandas' indices of
    // larger sets.
    const bool stimuli = (named("stimulus_id") || named("image_id")) &&
                         (named("filename") || named("image_file_name"));
    size_t kept = 0, empty = 0;
    for (size_t c = 0; c < width_; ++c) {
      const auto& name = out_.columns[c];
      if (name.empty() || name.starts_with("Unnamed: ")) {
        bool nothing = out_.n_rows > 0;
        for (size_t r = 1; r < n_records_ && nothing; ++r) nothing = records_.raw(r, c).empty();
        if (nothing) {
          ++empty;
          continue;
        }
        const bool index = is_index(c, 1);
        if (!index && !stimuli) {
          throw bad_input(
              {path_, "column " + std::to_string(c + 1),
               (name.empty() ? "no name" : "the name " + shown(name)) + " above " +
                   cell(records_, 1, c) + ", ...",
               "a name, or the numbers of rows from 0",
               "Name it in the first line; pandas writes no index with to_csv(path, index=False)"});
        }
        if (out_.n_rows)
          out_.notes.push_back("column " + std::to_string(c + 1) +
                               (name.empty() ? " has no name and" : ", " + shown(name) + ",") +
                               (index ? " numbers the rows: it is left out" : " is left out"));
        continue;
      }
      out_.columns[kept] = name;
      out_.place[kept++] = c;
    }
    out_.columns.resize(kept);
    out_.place.resize(kept);
    if (empty)
      out_.notes.push_back(count_of(empty, "column") + " without names or values left out");
    if (kept == 0)
      throw bad_input({path_, "columns", "none but the numbers of rows", "at least one", ""});
  }

  void refuse_twins() const {
    std::map<std::string, size_t> seen;
    for (size_t c = 0; c < out_.columns.size(); ++c) {
      const auto [first, fresh] = seen.emplace(out_.columns[c], c);
      if (fresh) continue;
      throw bad_input({path_,
                       "columns " + std::to_string(out_.place[first->second] + 1) + " and " +
                           std::to_string(out_.place[c] + 1),
                       "the name " + shown(out_.columns[c]) + " twice", "each name once",
                       "Rename or delete one of them"});
    }
  }

  void refuse_gaps() {
    if (!records_.empty_line) return;
    if (width_ == 1) {
      throw bad_input({path_, "line " + std::to_string(records_.empty_line),
                       "an empty line between rows of one column", "a value",
                       "Write NA where one is missing, or delete the line"});
    }
    out_.notes.push_back("empty lines between rows are left out, the first is line " +
                         std::to_string(records_.empty_line));
  }

  std::string field_at(size_t r, size_t c) const {
    return shown(std::string(out_.raw(r, c))) + " (" + records_.where(out_.first_row + r) +
           ", column " + std::to_string(out_.place[c] + 1) + ")";
  }

  // 2.314 beside 297 and 603, where commas would be decimal: two thousand or two? Numbers below a
  // thousand have no point where points part thousands, and no number begins with a zero then.
  void refuse_points_in_thousands() const {
    if (records_.separator != ';') return;
    std::string grouped;
    bool small = false;
    for (size_t c = 0; c < out_.columns.size(); ++c) {
      if (holds_names(out_.columns[c])) continue;
      for (size_t r = 0; r < out_.n_rows; ++r) {
        auto text = std::string(out_.raw(r, c));
        if (text.starts_with('-') || text.starts_with('+')) text.erase(0, 1);
        const auto whole = text.find_first_not_of("0123456789");
        if (whole == std::string::npos) {
          small = small || (!text.empty() && text.size() <= 3);
          continue;
        }
        if (text[whole] != '.') continue;
        bool fits = whole >= 1 && whole <= 3 && text[0] != '0' && (text.size() - whole) % 4 == 0;
        for (size_t i = whole; fits && i < text.size(); ++i)
          fits = (i - whole) % 4 == 0 ? text[i] == '.'
                                      : std::isdigit(static_cast<unsigned char>(text[i])) != 0;
        if (!fits) return;  // a decimal point
        if (grouped.empty()) grouped = field_at(r, c);
      }
    }
    if (grouped.empty() || !small) return;
    throw bad_input({path_, "decimals",
                     grouped + " beside numbers below a thousand without a point, whose point may "
                               "be decimal or part thousands",
                     "numbers of which one shows which it is",
                     "Write numbers with a point, and no sign between thousands"});
  }

  void find_decimals() {
    out_.decimal_commas.assign(out_.columns.size(), false);
    if (records_.separator == ',') return;
    std::string comma, point, grouped;  // where the first of each stands
    bool evidence = false;
    for (size_t c = 0; c < out_.columns.size(); ++c) {
      if (holds_names(out_.columns[c])) continue;
      bool text = false;
      std::string first_comma, first_point;
      bool with_evidence = false;
      for (size_t r = 0; r < out_.n_rows && !text; ++r) {
        const auto spelling = spelling_of(out_.raw(r, c), true);
        text = spelling == Spelling::kText;
        with_evidence = with_evidence || spelling == Spelling::kComma;
        auto& first = spelling == Spelling::kPoint ? first_point : first_comma;
        if (first.empty() && (spelling == Spelling::kPoint || spelling == Spelling::kComma ||
                              spelling == Spelling::kThousands))
          first = field_at(r, c);
      }
      if (text) continue;
      out_.decimal_commas[c] = !first_comma.empty();
      evidence = evidence || with_evidence;
      if (comma.empty()) comma = first_comma;
      if (point.empty()) point = first_point;
    }
    if (comma.empty()) return refuse_points_in_thousands();
    if (!point.empty())
      throw bad_input({path_, "decimals", comma + " and " + point, "commas or points, not both",
                       "Write every number with a point, and no sign between thousands"});
    if (!evidence)
      throw bad_input({path_, "decimals",
                       comma + ", which may be a decimal comma or part thousands",
                       "numbers of which one shows which it is",
                       "Write numbers with a point, and no sign between thousands"});
    out_.notes.emplace_back("decimal commas are read as points");
  }

  TableLayout& out_;
  const Records& records_;
  const std::string& path_;
  size_t width_ = 0, n_records_ = 0;
};

}  // namespace

bool TableLayout::counts_rows(size_t column) const {
  return counts_down(records, place[column], first_row, first_row + n_rows);
}

std::optional<size_t> TableLayout::index_column() const {
  for (size_t c = 0; c < columns.size(); ++c) {
    if (columns[c] == "repetition" || holds_names(columns[c])) continue;
    std::vector<double> numbers;
    for (size_t r = 0; r < n_rows; ++r) {
      if (!parse_number(raw(r, c), numbers.emplace_back(), decimal_commas[c])) return std::nullopt;
    }
    if (!cortiscore::counts_rows(numbers)) return std::nullopt;
    std::vector<double> across;
    for (size_t k = c; k < columns.size(); ++k) {
      if (!parse_number(raw(0, k), across.emplace_back(), decimal_commas[k])) return c;
    }
    return across == numbers ? std::nullopt : std::optional(c);  // an RDM that counts both ways
  }
  return std::nullopt;
}

bool holds_names(const std::string& column) {
  static const std::set<std::string> kNames = {
      "stimulus_id",     "image_id",       "truth",      "choice",      "subject",    "condition",
      "sample_obj",      "dist_obj",       "model",      "weights",     "identifier", "filename",
      "image_file_name", "category",       "neuroid_id", "object_name", "stimulus_1", "stimulus_2",
      "stimulus_3",      "participant_id", "label"};
  return kNames.contains(column);
}

TableLayout lay_out(const std::string& path) {
  auto decoded = decode_text(read_file(path), path);
  TableLayout layout;
  layout.encoding = decoded.encoding;
  if (!decoded.note.empty()) layout.notes.push_back(decoded.note);
  layout.records = split_records(std::move(decoded.text), path);
  layout.notes.insert(layout.notes.end(), layout.records.notes.begin(), layout.records.notes.end());
  if (layout.records.size() == 0)
    throw bad_input({path, "", "no lines but empty ones", "a line of column names and rows", ""});
  Layout(layout, path).run();
  return layout;
}

}  // namespace cortiscore
