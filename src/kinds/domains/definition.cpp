#include "src/kinds/domains/definition.h"

#include <ATen/core/Tensor.h>

#include "src/data/choices.h"
#include "src/metric/predictivity.h"

namespace cortiscore {

std::shared_ptr<const Benchmark> DomainBenchmark::read(Manifest manifest, ManifestReader& reader) {
  auto benchmark = std::make_shared<DomainBenchmark>(std::move(manifest));
  auto& b = *benchmark;
  b.ceiled = false;
  b.composite = b.composite && b.parent == "engineering";
  reader.refuse_published(b, reader.ceiling_of_behavior());
  b.domain = reader.need(reader.need("metric"), "domain");
  b.splits = read_splits(reader, {"stratified_shuffle"});
  b.alphas =
      reader.alphas(reader.need("readout"), "readout.alphas", MappingOptions().ridgecv_alphas);
  return benchmark;
}

std::vector<std::string> DomainBenchmark::files() const {
  return {stimulus_set};
}

const Recordings& DomainBenchmark::recordings(Workbench& workbench) const {
  return workbench.opened(*this, stimulus_set);
}

LayerRule DomainBenchmark::layer_rule() const {
  return LayerRule(LayerRule::Otherwise::kNothing);
}

std::string DomainBenchmark::ceiling_name() const {
  return "none";
}

void DomainBenchmark::measure(Json& measured, Workbench& workbench) const {
  const auto& stimuli = recordings(workbench).stimuli;
  measured["categories"] = distinct(stimuli.column(splits.by));
  measured["domains"] = distinct(stimuli.column(domain));
}

}  // namespace cortiscore
