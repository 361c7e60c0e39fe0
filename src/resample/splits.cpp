#include "src/resample/splits.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "cortiscore/error.h"
#include "src/core/random.h"

namespace cortiscore {
namespace {

// sklearn.utils.random._approximate_mode: how many of each class to draw so that proportions stay;
// ties in the remainders are broken at random.
std::vector<int64_t> approximate_mode(const std::vector<int64_t>& class_counts,
                                      int64_t n_draws,
                                      NumpyRandomState& random) {
  double total = 0;
  for (const auto count : class_counts) total += static_cast<double>(count);
  std::vector<double> remainder;
  std::vector<int64_t> floored;
  int64_t floored_sum = 0;
  for (const auto count : class_counts) {
    const double continuous = static_cast<double>(count) / total * static_cast<double>(n_draws);
    floored.push_back(static_cast<int64_t>(std::floor(continuous)));
    remainder.push_back(continuous - std::floor(continuous));
    floored_sum += floored.back();
  }
  int64_t need = n_draws - floored_sum;
  const std::set<double, std::greater<>> values(remainder.begin(), remainder.end());
  for (auto value = values.begin(); need > 0 && value != values.end(); ++value) {
    std::vector<int64_t> tied;
    for (size_t i = 0; i < remainder.size(); ++i) {
      if (remainder[i] == *value) tied.push_back(static_cast<int64_t>(i));
    }
    const int64_t add = std::min<int64_t>(static_cast<int64_t>(tied.size()), need);
    const auto order = random.permutation(static_cast<int64_t>(tied.size()));
    for (int64_t i = 0; i < add; ++i)
      ++floored[static_cast<size_t>(tied[static_cast<size_t>(order[static_cast<size_t>(i)])])];
    need -= add;
  }
  return floored;
}

}  // namespace

double train_fraction_for(double test_size, int64_t n) {
  const auto all = static_cast<double>(n);
  return 1 - std::ceil(test_size * all) / all + 1e-12;  // of which floor(train_fraction n) train
}

Splits shuffle_splits(int64_t n, int64_t n_splits, double train_fraction, uint32_t seed) {
  const auto n_train = static_cast<int64_t>(std::floor(train_fraction * static_cast<double>(n)));
  const int64_t n_test = n - n_train;
  if (n_train < 1 || n_test < 1) {
    throw bad_input({"splits", "presentations", std::to_string(n),
                     "enough for one train and one test presentation",
                     "Give more presentations or another train fraction"});
  }
  NumpyRandomState random(seed);
  Splits splits;
  for (int64_t i = 0; i < n_splits; ++i) {
    const auto order = random.permutation(n);
    splits.push_back(
        {{order.begin() + n_test, order.end()}, {order.begin(), order.begin() + n_test}});
  }
  return splits;
}

Splits stratified_shuffle_splits(const std::vector<int64_t>& labels,
                                 int64_t n_splits,
                                 double train_fraction,
                                 uint32_t seed) {
  const auto n = static_cast<int64_t>(labels.size());
  const auto n_train = static_cast<int64_t>(std::floor(train_fraction * static_cast<double>(n)));
  const int64_t n_test = n - n_train;
  std::map<int64_t, std::vector<int64_t>> classes;
  for (int64_t i = 0; i < n; ++i) classes[labels[static_cast<size_t>(i)]].push_back(i);
  const auto n_classes = static_cast<int64_t>(classes.size());
  for (const auto& [label, members] : classes) {
    if (members.size() < 2) {
      throw bad_input({"stratified splits", "class " + std::to_string(label), "1 presentation",
                       "at least 2", "Drop the class, or split without stratification"});
    }
  }
  if (n_train < n_classes || n_test < n_classes) {
    throw bad_input(
        {"stratified splits", "presentations",
         std::to_string(n_train) + " train and " + std::to_string(n_test) + " test",
         "at least one of each of the " + std::to_string(n_classes) + " classes in both",
         "Split without stratification"});
  }
  std::vector<int64_t> counts;
  for (const auto& [label, members] : classes)
    counts.push_back(static_cast<int64_t>(members.size()));

  NumpyRandomState random(seed);
  Splits splits;
  for (int64_t s = 0; s < n_splits; ++s) {
    const auto train_counts = approximate_mode(counts, n_train, random);
    auto remaining = counts;
    for (size_t c = 0; c < counts.size(); ++c) remaining[c] -= train_counts[c];
    const auto test_counts = approximate_mode(remaining, n_test, random);
    Split split;
    size_t c = 0;
    for (const auto& [label, members] : classes) {
      const auto order = random.permutation(counts[c]);
      for (int64_t i = 0; i < train_counts[c] + test_counts[c]; ++i) {
        auto& side = i < train_counts[c] ? split.train : split.test;
        side.push_back(members[static_cast<size_t>(order[static_cast<size_t>(i)])]);
      }
      ++c;
    }
    random.shuffle(split.train);
    random.shuffle(split.test);
    splits.push_back(std::move(split));
  }
  return splits;
}

Splits leave_one_group_out(const std::vector<std::string>& groups) {
  const std::set<std::string> distinct(groups.begin(), groups.end());
  if (distinct.size() < 2) {
    throw bad_input({"leave-one-group-out splits", "groups", std::to_string(distinct.size()),
                     "at least 2", ""});
  }
  Splits splits;
  for (const auto& group : distinct) {
    Split split;
    for (size_t i = 0; i < groups.size(); ++i) {
      (groups[i] == group ? split.test : split.train).push_back(static_cast<int64_t>(i));
    }
    splits.push_back(std::move(split));
  }
  return splits;
}

void check_splits(const Splits& splits, int64_t n, const std::string& where) {
  if (splits.empty()) throw bad_input({where, "splits", "none", "at least one", ""});
  for (size_t s = 0; s < splits.size(); ++s) {
    const auto name = "split " + std::to_string(s);
    std::vector<bool> in_train(static_cast<size_t>(n)), in_test(static_cast<size_t>(n));
    const auto mark = [&](const std::vector<int64_t>& indices, std::vector<bool>& seen,
                          const char* side) {
      if (indices.size() < 2) {
        throw bad_input({where, name + " " + side, std::to_string(indices.size()) + " indices",
                         "at least 2", ""});
      }
      for (const auto i : indices) {
        if (i < 0 || i >= n) {
          throw bad_input({where, name + " " + side, "index " + std::to_string(i),
                           "0 to " + std::to_string(n - 1), "Indices count presentations from 0"});
        }
        if (seen[static_cast<size_t>(i)]) {
          throw bad_input({where, name + " " + side, "index " + std::to_string(i) + " twice",
                           "each index once", ""});
        }
        seen[static_cast<size_t>(i)] = true;
      }
    };
    mark(splits[s].train, in_train, "train");
    mark(splits[s].test, in_test, "test");
    for (int64_t i = 0; i < n; ++i) {
      if (in_train[static_cast<size_t>(i)] && in_test[static_cast<size_t>(i)]) {
        throw bad_input({where, name, "index " + std::to_string(i) + " in train and test",
                         "disjoint sides", "A presentation that was trained on cannot be tested"});
      }
    }
  }
}

}  // namespace cortiscore
