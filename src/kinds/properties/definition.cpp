#include "src/kinds/properties/definition.h"

#include <ATen/core/Tensor.h>

#include "cortiscore/error.h"
#include "src/kinds/properties/data.h"
#include "src/metric/property.h"

namespace cortiscore {

std::shared_ptr<const Benchmark> PropertyBenchmark::read(Manifest manifest,
                                                         ManifestReader& reader) {
  auto benchmark = std::make_shared<PropertyBenchmark>(std::move(manifest));
  auto& b = *benchmark;
  b.assemblies = read_assembly_files(reader);
  const auto& metric = reader.need("metric");
  b.property = reader.word("metric.property", reader.need(metric, "property"), property_names());
  b.recorded = reader.get(metric, "recorded", b.property);
  b.sets = reader.need("property_stimuli").get<std::map<std::string, std::string>>();
  for (const auto* role : {"blank", "receptive_field", "orientation"}) {
    if (!b.sets.contains(role))
      throw bad_input({b.path, "property_stimuli", std::string("no ") + role,
                       "blank, receptive_field and orientation", ""});
  }
  reader.word("ceiling.name", reader.need("ceiling").at("name"), {"self"});
  return benchmark;
}

std::vector<std::string> PropertyBenchmark::files() const {
  std::vector<std::string> all = {stimulus_set};
  for (const auto& assembly : assemblies) all.push_back(assembly.file);
  for (const auto& [role, file] : sets) {
    if (file != stimulus_set) all.push_back(file);
  }
  return all;
}

LayerRule PropertyBenchmark::layer_rule() const {
  LayerRule rule(LayerRule::Otherwise::kNothing);
  rule.assemblies = &assemblies;
  return rule;
}

std::optional<NamedReduction> PropertyBenchmark::reduction(Workbench& /*workbench*/) const {
  return std::nullopt;
}

std::string PropertyBenchmark::ceiling_name() const {
  return "likeness to itself";
}

void PropertyBenchmark::describe(Json& json) const {
  Benchmark::describe(json);
  json["property"] = property;
}

void PropertyBenchmark::measure(Json& measured, Workbench& workbench) const {
  const auto& data = property_data(*this, workbench);
  measured["neuroids"] = data.recorded.size(0);
  add_ceiling(measured, property_ceiling(data.recorded, data.bins, workbench.options().bootstrap));
}

}  // namespace cortiscore
