#include "src/score/solution_time_score.h"

#include <cmath>

#include <ATen/ATen.h>

#include "src/core/caller.h"
#include "src/core/parallel.h"
#include "src/mapping/adam_readout.h"
#include "src/mapping/logistic.h"
#include "src/metric/choice_patterns.h"
#include "src/metric/solution_time.h"
#include "src/ops/average_ranks.h"
#include "src/resample/splits.h"
#include "src/score/diagnostics.h"

namespace cortiscore {
namespace {

// Features of the rows, train before test, scaled and a bin each: [n_time_bins, n, n_features].
at::Tensor scaled_by_bin(const at::Tensor& features, const Split& split) {
  auto rows = split.train;
  rows.insert(rows.end(), split.test.begin(), split.test.end());
  const auto taken = features.index_select(0, at::tensor(rows).to(features.device()));
  std::vector<at::Tensor> bins;
  for (int64_t b = 0; b < features.size(2); ++b) {
    bins.push_back(
        standardise(taken.select(2, b), static_cast<int64_t>(split.train.size())).to(at::kFloat));
  }
  return at::stack(bins);
}

template <typename T>
at::Tensor gathered(const std::vector<T>& values, const std::vector<int64_t>& rows) {
  std::vector<T> out;
  for (const auto row : rows) out.push_back(values[static_cast<size_t>(row)]);
  return at::tensor(out);
}

at::Tensor times_of_split(const SolvedImages& images, const Split& split) {
  const auto device = images.features.device();
  const auto p = adam_readout(scaled_by_bin(images.features, split),
                              gathered(images.truth, split.train).to(device), images.n_classes);
  const auto truth = gathered(images.truth, split.test).to(device);
  std::vector<at::Tensor> i1;
  for (int64_t b = 0; b < p.size(0); ++b) {
    i1.push_back(confusion_pattern(confusion_of_probabilities(p.select(0, b), truth), truth,
                                   pattern_name("i1")));
  }
  return solution_times(at::stack(i1), gathered(images.i1, split.test).to(device),
                        at::tensor(images.bin_starts).to(device));
}

double spearman_of_solved(const at::Tensor& predicted, const at::Tensor& recorded) {
  const auto solved = predicted.isfinite();
  const auto x = predicted.masked_select(solved);
  return x.numel() < 3 ? NAN : spearman(x, recorded.masked_select(solved)).item<double>();
}

}  // namespace

Evaluation evaluate_solution_times(const SolvedImages& images, at::Tensor& predicted) {
  const auto n = static_cast<int64_t>(images.truth.size());
  const auto splits = shuffle_splits(n, 10, train_fraction_for(0.1, n), 1);
  std::vector<at::Tensor> times(splits.size());
  parallel_for(
      static_cast<int64_t>(splits.size()),
      [&](int64_t s) {
        const auto at = static_cast<size_t>(s);
        times[at] = times_of_split(images, splits[at]);
      },
      threads_for(images.features));
  predicted = at::full({static_cast<int64_t>(splits.size()), n}, NAN, at::kDouble);
  auto rho = at::empty({static_cast<int64_t>(splits.size()), 1}, at::kDouble);
  for (size_t s = 0; s < splits.size(); ++s) {
    const auto row = times[s].cpu();
    predicted.select(0, static_cast<int64_t>(s)).index_put_({at::tensor(splits[s].test)}, row);
    rho.mutable_data_ptr<double>()[s] =
        spearman_of_solved(row, gathered(images.times, splits[s].test));
  }
  Evaluation e;
  e.estimate = aggregate(rho);
  const auto tested = static_cast<int64_t>(splits.size() * splits.front().test.size());
  const auto solved = predicted.isfinite().sum().item<int64_t>();
  e.warnings =
      left_out(tested - solved, tested,
               "tested images are never told by a time bin of the network and are left out "
               "of the correlation of their split");
  const auto undefined = rho.isnan().sum().item<int64_t>();
  for (auto& warning : left_out(
           undefined, rho.size(0),
           "splits have fewer than 3 images that are told, or all at one time, and are left out "
           "of the mean"))
    e.warnings.push_back(std::move(warning));
  e.averaged_over = "split";
  return e;
}

}  // namespace cortiscore
