#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace cortiscore {

/// One cross-validation split: indices of presentations, in the order in which the splitter drew
/// them.
struct Split {
  std::vector<int64_t> train;
  std::vector<int64_t> test;
};
using Splits = std::vector<Split>;

/// The train fraction that leaves scikit-learn's `test_size`: ceil(test_size n) presentations are
/// tested.
double train_fraction_for(double test_size, int64_t n);

/// Exactly sklearn.model_selection.ShuffleSplit(n_splits, train_size=, random_state=seed).
/// train count = floor(train_fraction n); all other presentations are tested.
Splits shuffle_splits(int64_t n, int64_t n_splits, double train_fraction, uint32_t seed);

/// Exactly sklearn.model_selection.StratifiedShuffleSplit(n_splits, train_size=,
/// random_state=seed).
/// @param classes  one a presentation: the class's place in sorted order, as
///                 numpy.unique(return_inverse=True)
/// @throws Error(kBadInput)  a class with fewer than 2 members, or fewer test presentations than
///                           classes
Splits stratified_shuffle_splits(const std::vector<int64_t>& classes,
                                 int64_t n_splits,
                                 double train_fraction,
                                 uint32_t seed);

/// Leaves one group out at a time (sklearn's LeaveOneGroupOut): groups in sorted order.
/// @throws Error(kBadInput)  fewer than two groups
Splits leave_one_group_out(const std::vector<std::string>& groups);

/// Every index of a split, checked: in 0..n-1, no duplicate within train or test, none in both,
/// none empty.
/// @throws Error(kBadInput)  naming `where`, the split and the index
void check_splits(const Splits& splits, int64_t n, const std::string& where);

}  // namespace cortiscore
