#include "src/core/nearest_name.h"

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

std::vector<std::pair<size_t, std::string>> by_distance(const std::string& name,
                                                        const std::vector<std::string>& known) {
  std::vector<std::pair<size_t, std::string>> ranked;
  ranked.reserve(known.size());
  for (const auto& candidate : known)
    ranked.emplace_back(edit_distance(name, candidate), candidate);
  std::sort(ranked.begin(), ranked.end());
  return ranked;
}

std::string nearest_name(const std::string& name, const std::vector<std::string>& known) {
  const size_t most = name.size() < 4 ? 1 : std::max<size_t>(2, name.size() / 4);
  for (const auto& [distance, candidate] : by_distance(name, known))
    if (distance <= most || candidate.starts_with(name)) return candidate;
  return "";
}

}  // namespace cortiscore
