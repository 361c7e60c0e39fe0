#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/benchmark/solved_rows.h"
#include "src/core/device.h"
#include "src/data/choices.h"
#include "src/given/families.h"
#include "src/given/rows.h"
#include "src/score/diagnostics.h"
#include "src/score/solution_time_score.h"

namespace cortiscore {
namespace {

std::vector<double> read_bin_starts(const Input& input, int64_t n_bins) {
  auto starts = read_values(input);
  if (static_cast<int64_t>(starts.size()) != n_bins ||
      !std::is_sorted(starts.begin(), starts.end(), std::less_equal<>())) {
    throw bad_input({input.name(), "values", std::to_string(starts.size()),
                     std::to_string(n_bins) + " that ascend: where each time bin starts, in ms",
                     ""});
  }
  return starts;
}

}  // namespace

Evaluation object_solution_times(const MetricArguments& a, MetricResult& more) {
  require(a, !a.target.empty(), "--target (CSV: stimulus_id, truth, ost, i1)");
  auto labelled = read_labelled(a.source, kRowsInTime, "3: presentations x features x time bins",
                                Variables(a.variables, {"source"}).of("source", a.source));
  const auto table = table_of(a.target);
  const auto n = static_cast<int64_t>(table.rows.size());
  Rows in_order;
  in_order.match(ids_of(table), n, a.target);
  in_order.match(labelled);
  in_order.say();
  const auto& source = labelled.values;
  check_finite(source.flatten(1), a.source.name(), "feature", "");
  const auto solved = solved_rows(table);
  if (source.size(2) < 2) {
    more.json["warnings"].push_back(
        a.source.name() +
        " has one time bin: a network that does not change in time has no "
        "object-solution times, and no score.");
    Evaluation none;
    none.estimate.value = none.estimate.error = NAN;
    none.averaged_over = "split";
    return none;
  }
  require(a, !a.bins.empty(), "--bins (where each time bin starts, in ms)");
  auto images = solved.images;
  images.bin_starts = read_bin_starts(a.bins, source.size(2));
  const auto& rows = solved.rows;
  images.features = source.index_select(0, at::tensor(rows)).to(device_of(a.device));
  at::Tensor predicted;
  auto e = evaluate_solution_times(images, predicted);
  e.warnings.insert(e.warnings.begin(), solved.warnings.begin(), solved.warnings.end());
  auto all = at::full({predicted.size(0), n}, NAN, at::kDouble);
  all.index_copy_(1, at::tensor(rows), predicted);
  more.arrays["predicted_ost"] = all;
  more.json["n"] = {{"presentations", n}, {"solved", rows.size()}, {"objects", images.n_classes}};
  return e;
}

}  // namespace cortiscore
