#include "src/kinds/layer_halves.h"

#include <numeric>
#include <set>

namespace cortiscore {

std::vector<int64_t> rows_from(int64_t begin, int64_t end) {
  std::vector<int64_t> rows(static_cast<size_t>(end - begin));
  std::iota(rows.begin(), rows.end(), begin);
  return rows;
}

std::pair<std::vector<int64_t>, std::vector<int64_t>> alternating(const StimulusSet& stimuli,
                                                                  const std::string& by,
                                                                  int64_t first) {
  const auto group_of = stimuli.column(by);
  const std::set<std::string> groups(group_of.begin() + first, group_of.end());
  std::vector<int64_t> even, odd;
  for (auto i = static_cast<size_t>(first); i < group_of.size(); ++i) {
    const auto place = std::distance(groups.begin(), groups.find(group_of[i]));
    (place % 2 == 0 ? even : odd).push_back(static_cast<int64_t>(i));
  }
  if (odd.empty()) {
    throw bad_input({stimuli.path(), by, "one group",
                     "at least two, to choose a layer on one half and score on the other",
                     "Commit to a layer with --layer"});
  }
  return {even, odd};
}

}  // namespace cortiscore
