#include "src/kinds/factors/definition.h"

#include <ATen/core/Tensor.h>

#include "src/score/cells.h"

namespace cortiscore {

std::shared_ptr<const Benchmark> FactorBenchmark::read(Manifest manifest, ManifestReader& reader) {
  auto benchmark = std::make_shared<FactorBenchmark>(std::move(manifest));
  auto& b = *benchmark;
  const auto& metric = reader.need("metric");
  b.factor = reader.word("metric.factor", reader.need(metric, "factor"), factor_names());
  b.pair_seed = reader.get(metric, "seed", uint32_t{0});
  b.fixed_ceiling = reader.published_ceiling();
  return benchmark;
}

std::vector<std::string> FactorBenchmark::files() const {
  return {stimulus_set};
}

LayerRule FactorBenchmark::layer_rule() const {
  return LayerRule(LayerRule::Otherwise::kNothing);
}

std::string FactorBenchmark::ceiling_name() const {
  return "published";
}

void FactorBenchmark::measure(Json& measured, Workbench& workbench) const {
  measured["pairs"] = factor_data(*this, workbench).pairs.first.size(0);
  add_ceiling(measured, constant_evaluation(fixed_ceiling).estimate);
}

}  // namespace cortiscore
