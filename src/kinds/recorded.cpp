#include "src/kinds/recorded.h"

namespace cortiscore {

void RecordedBenchmark::read_selection(ManifestReader& reader) {
  if (reader.json().contains("layer_selection"))
    select_by = reader.need(reader.need("layer_selection"), "by");
}

std::vector<std::string> RecordedBenchmark::files() const {
  std::vector<std::string> all = {stimulus_set};
  const auto more = responses.files();
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

LayerRule RecordedBenchmark::layer_rule() const {
  LayerRule rule;
  rule.assemblies = &responses.assemblies;
  return rule;
}

void RecordedBenchmark::describe(Json& json) const {
  json["layer_selection"] = select_by.empty() ? "none: commit to a layer"
                                              : "nested, or on alternating halves by " + select_by;
}

}  // namespace cortiscore
