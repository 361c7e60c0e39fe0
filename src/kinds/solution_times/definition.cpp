#include "src/kinds/solution_times/definition.h"

#include <algorithm>
#include <functional>

#include <ATen/core/Tensor.h>

#include "cortiscore/error.h"
#include "src/kinds/solution_times/data.h"
#include "src/score/cells.h"

namespace cortiscore {

std::shared_ptr<const Benchmark> SolutionTimeBenchmark::read(Manifest manifest,
                                                             ManifestReader& reader) {
  auto benchmark = std::make_shared<SolutionTimeBenchmark>(std::move(manifest));
  auto& b = *benchmark;
  b.choices = reader.need("choices");
  for (const auto& bin : reader.need(reader.need("metric"), "time_bins_ms"))
    b.bins_ms.emplace_back(reader.converted<double>(bin.at(0)),
                           reader.converted<double>(bin.at(1)));
  if (b.bins_ms.size() < 2 ||
      !std::is_sorted(b.bins_ms.begin(), b.bins_ms.end(), std::less_equal<>())) {
    throw bad_input({b.path, "metric.time_bins_ms", std::to_string(b.bins_ms.size()) + " bins",
                     "two or more, ascending", ""});
  }
  b.fixed_ceiling = reader.published_ceiling();
  return benchmark;
}

std::vector<std::string> SolutionTimeBenchmark::files() const {
  return {stimulus_set, choices};
}

LayerRule SolutionTimeBenchmark::layer_rule() const {
  LayerRule rule(LayerRule::Otherwise::kNothing);
  rule.every_bin_ms = bins_ms;
  return rule;
}

std::string SolutionTimeBenchmark::ceiling_name() const {
  return "published";
}

void SolutionTimeBenchmark::measure(Json& measured, Workbench& workbench) const {
  measured["presentations"] = solution_time_data(*this, workbench).n_presentations;
  add_ceiling(measured, constant_evaluation(fixed_ceiling).estimate);
}

}  // namespace cortiscore
