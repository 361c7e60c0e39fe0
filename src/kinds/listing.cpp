#include "src/kinds/listing.h"

#include <cmath>

#include "src/benchmark/recordings.h"
#include "src/kinds/kinds.h"

namespace cortiscore {

Json described(const Benchmark& benchmark) {
  Json files = Json::array();
  for (const auto& file : benchmark.files()) {
    const auto place = place_of(benchmark, file);
    files.push_back({{"file", file}, {"path", place.empty() ? Json(nullptr) : Json(place)}});
  }
  Json json = {{"identifier", benchmark.identifier},
               {"version", benchmark.version},
               {"kind", benchmark.neural ? "neural" : "behavior"},
               {"region", benchmark.region},
               {"parent", benchmark.parent},
               {"composite", benchmark.composite},
               {"simulated", benchmark.simulated},
               {"metric", benchmark.metric},
               {"ceiling", benchmark.ceiling_name()},
               {"visual_degrees", benchmark.visual_degrees > 0 ? Json(benchmark.visual_degrees)
                                                               : Json("as the network's")},
               {"here", is_here(benchmark)},
               {"files", files},
               {"import", benchmark.how_to_import},
               {"citation", benchmark.citation},
               {"licence", benchmark.licence},
               {"note", benchmark.note},
               {"inexact", benchmark.inexact},
               {"species", benchmark.species},
               {"modality", benchmark.modality},
               {"access", benchmark.access},
               {"manifest", benchmark.path}};
  Json published = Json::object();
  if (!std::isnan(benchmark.published_ceiling)) published["ceiling"] = benchmark.published_ceiling;
  if (benchmark.published_stimuli) published["stimuli"] = benchmark.published_stimuli;
  if (benchmark.published_neuroids) published["neuroids"] = benchmark.published_neuroids;
  if (benchmark.published_trials) published["trials"] = benchmark.published_trials;
  json["published"] = published;
  benchmark.describe(json);
  return json;
}

std::vector<std::pair<std::shared_ptr<const Benchmark>, Json>> listed(
    const BenchmarkFilter& filter) {
  const auto fits = [](const std::string& wanted, const std::string& found) {
    return wanted.empty() || wanted == found;
  };
  std::vector<std::pair<std::shared_ptr<const Benchmark>, Json>> found;
  for (const auto& benchmark : all_benchmarks()) {
    const auto& b = *benchmark;
    if (!fits(filter.region, b.region) || !fits(filter.kind, b.neural ? "neural" : "behavior") ||
        !fits(filter.species, b.species) || !fits(filter.modality, b.modality) ||
        !fits(filter.access, b.access) || (filter.here && !is_here(b)))
      continue;
    found.emplace_back(benchmark, described(b));
  }
  return found;
}

}  // namespace cortiscore
