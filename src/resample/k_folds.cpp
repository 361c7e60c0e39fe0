#include "src/resample/k_folds.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "cortiscore/error.h"
#include "src/core/random.h"

namespace cortiscore {
namespace {

void need_at_least(int64_t found, int64_t k, const char* what) {
  if (found >= k) return;
  throw bad_input({std::to_string(k) + " folds", what, std::to_string(found), "at least one a fold",
                   "Give more, or fewer folds"});
}

// @param fold_of  of every presentation the fold that tests it
Splits splits_of(const std::vector<int64_t>& fold_of, int64_t k) {
  Splits splits(static_cast<size_t>(k));
  for (size_t i = 0; i < fold_of.size(); ++i) {
    for (int64_t fold = 0; fold < k; ++fold) {
      auto& split = splits[static_cast<size_t>(fold)];
      (fold == fold_of[i] ? split.test : split.train).push_back(static_cast<int64_t>(i));
    }
  }
  return splits;
}

}  // namespace

Splits k_folds(int64_t n, int64_t k, uint32_t seed) {
  need_at_least(n, k, "presentations");
  const auto order = NumpyRandomState(seed).permutation(n);
  std::vector<int64_t> fold_of(static_cast<size_t>(n));
  int64_t begin = 0;
  for (int64_t fold = 0; fold < k; ++fold) {
    const int64_t end = begin + n / k + (fold < n % k ? 1 : 0);
    for (; begin < end; ++begin)
      fold_of[static_cast<size_t>(order[static_cast<size_t>(begin)])] = fold;
  }
  return splits_of(fold_of, k);
}

Splits stratified_k_folds(const std::vector<int64_t>& classes, int64_t k, uint32_t seed) {
  need_at_least(static_cast<int64_t>(classes.size()), k, "presentations");
  std::map<int64_t, std::vector<size_t>> members;
  for (size_t i = 0; i < classes.size(); ++i) members[classes[i]].push_back(i);
  NumpyRandomState random(seed);
  std::vector<int64_t> fold_of(classes.size());
  int64_t dealt = 0;  // round robin over presentations in order of their class
  for (const auto& [label, own] : members) {
    std::vector<int64_t> count(static_cast<size_t>(k));
    for (size_t i = 0; i < own.size(); ++i) ++count[static_cast<size_t>(dealt++ % k)];
    std::vector<int64_t> folds;
    for (int64_t fold = 0; fold < k; ++fold)
      folds.insert(folds.end(), static_cast<size_t>(count[static_cast<size_t>(fold)]), fold);
    random.shuffle(folds);
    for (size_t i = 0; i < own.size(); ++i) fold_of[own[i]] = folds[i];
  }
  return splits_of(fold_of, k);
}

Splits group_k_folds(const std::vector<std::string>& groups, int64_t k) {
  std::map<std::string, int64_t> sizes;
  for (const auto& group : groups) ++sizes[group];
  need_at_least(static_cast<int64_t>(sizes.size()), k, "groups");
  std::vector<std::pair<std::string, int64_t>> by_size(sizes.begin(), sizes.end());
  std::stable_sort(by_size.begin(), by_size.end(),
                   [](const auto& a, const auto& b) { return a.second < b.second; });
  std::vector<int64_t> filled(static_cast<size_t>(k));
  std::map<std::string, int64_t> fold_of_group;
  for (auto group = by_size.rbegin(); group != by_size.rend(); ++group) {
    const auto lightest = std::min_element(filled.begin(), filled.end());
    *lightest += group->second;
    fold_of_group[group->first] = std::distance(filled.begin(), lightest);
  }
  std::vector<int64_t> fold_of;
  for (const auto& group : groups) fold_of.push_back(fold_of_group.at(group));
  return splits_of(fold_of, k);
}

}  // namespace cortiscore
