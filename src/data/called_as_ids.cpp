#include "src/data/called_as_ids.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <set>

#include "src/data/number_text.h"
#include "src/data/table_layout.h"

namespace cortiscore {

bool called_as_ids(const std::string& column) {
  // Words: parted by signs, by digits and by capitals.
  std::vector<std::string> words(1);
  std::string plain;
  const auto is = [&](int (*kind)(int), size_t at) {
    return at < column.size() && kind(static_cast<unsigned char>(column[at])) != 0;
  };
  for (size_t i = 0; i < column.size(); ++i) {
    const char c = column[i];
    const auto byte = static_cast<unsigned char>(c);
    // A capital within a row of them begins no word, but for the last: NSDId is nsd and id.
    const bool within =
        is(std::isupper, i) && i > 0 && is(std::isupper, i - 1) && !is(std::islower, i + 1);
    if (!words.back().empty() && (!std::isalpha(byte) || std::isupper(byte)) && !within)
      words.emplace_back();
    if (!std::isalpha(byte)) continue;
    plain += c;
    words.back() += static_cast<char>(std::tolower(byte));
  }
  for (char& c : plain) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  std::erase(words, "");
  if (words.empty()) return false;
  static const std::set<std::string> kStimuli = {
      "image", "img",      "pic",  "picture", "photo",    "stim",    "scene", "item",
      "file",  "filename", "path", "name",    "stimulus", "stimuli", "video"};
  for (const auto& word : words) {
    const auto singular = word.ends_with('s') ? word.substr(0, word.size() - 1) : word;
    if (kStimuli.contains(word) || kStimuli.contains(singular)) return true;
  }
  static const std::set<std::string> kEnds = {"id", "ids", "idx",    "index", "no",    "nos",
                                              "nr", "num", "number", "name",  "names", "filename"};
  if (kEnds.contains(words.back())) return true;
  // Both as one word: "imgid", and not "centroid".
  return std::any_of(kStimuli.begin(), kStimuli.end(), [&](const std::string& begin) {
    return plain.starts_with(begin) && kEnds.contains(plain.substr(begin.size()));
  });
}

bool whole_and_distinct(std::vector<double> numbers) {
  constexpr size_t kFewest = 3;
  std::erase_if(numbers, [](double v) { return std::isnan(v); });
  if (numbers.size() < kFewest) return false;
  std::sort(numbers.begin(), numbers.end());
  return std::all_of(numbers.begin(), numbers.end(),
                     [](double v) { return std::nearbyint(v) == v; }) &&
         std::adjacent_find(numbers.begin(), numbers.end()) == numbers.end();
}

bool counts_rows(const std::vector<double>& numbers) {
  constexpr size_t kFewest = 3;
  if (numbers.size() < kFewest || (numbers[0] != 0 && numbers[0] != 1)) return false;
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (numbers[i] != numbers[0] + static_cast<double>(i)) return false;
  }
  return true;
}

std::string index_of(const Table& table) {
  for (const auto& name : table.columns) {
    if (name == "repetition" || holds_names(name)) continue;
    std::vector<double> numbers;
    for (const auto& field : table.column(name)) {
      if (!parse_number(field, numbers.emplace_back())) return "";
    }
    if (!counts_rows(numbers)) return "";
    std::vector<double> across;
    for (size_t c = static_cast<size_t>(&name - table.columns.data()); c < table.columns.size();
         ++c) {
      if (!parse_number(table.rows[0][c], across.emplace_back())) return name;
    }
    return across == numbers ? "" : name;  // an RDM that counts both ways
  }
  return "";
}

}  // namespace cortiscore
