#include "cortiscore/error.h"

#include <algorithm>
#include <numeric>

namespace cortiscore {
namespace {

size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t substitute = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitute});
    }
  }
  return row.back();
}

}  // namespace

Error bad_input(const BadInput& parts) {
  std::string message = parts.where;
  if (!parts.field.empty()) message += ": " + parts.field;
  message += ": found " + parts.found + ", expected " + parts.expected + ".";
  if (!parts.action.empty()) message += " " + parts.action + ".";
  return Error(ErrorKind::kBadInput, message);
}

Error unknown_name(const std::string& what,
                   const std::string& name,
                   const std::string& where,
                   const std::vector<std::string>& known) {
  std::vector<std::pair<size_t, std::string>> ranked;
  ranked.reserve(known.size());
  for (const auto& candidate : known)
    ranked.emplace_back(edit_distance(name, candidate), candidate);
  std::sort(ranked.begin(), ranked.end());
  std::string message = "no " + what + " \"" + name + "\" in " + where + ".";
  if (ranked.empty()) return Error(ErrorKind::kUnknownName, message + " It has none.");
  message += " Nearest of " + std::to_string(ranked.size()) + ":";
  for (size_t i = 0; i < std::min<size_t>(5, ranked.size()); ++i) {
    message += (i ? ", " : " ") + ranked[i].second;
  }
  return Error(ErrorKind::kUnknownName, message + ".");
}

}  // namespace cortiscore
