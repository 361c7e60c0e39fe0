#include "src/kinds/kinds.h"

#include <algorithm>

#include "cortiscore/error.h"
#include "src/benchmark/schema.h"
#include "src/core/folders.h"
#include "src/core/json_fault.h"
#include "src/core/layout.h"
#include "src/data/arrays.h"
#include "src/data/json_file.h"
#include "src/kinds/choices/definition.h"
#include "src/kinds/domains/definition.h"
#include "src/kinds/factors/definition.h"
#include "src/kinds/neural/definition.h"
#include "src/kinds/properties/definition.h"
#include "src/kinds/rdm/definition.h"
#include "src/kinds/solution_times/definition.h"
#include "src/kinds/thresholds/definition.h"

namespace cortiscore {
namespace {

using Words = std::vector<std::string>;

// Which room a manifest is read by: what it is compared with, its metric, and of behaviour its
// readout.
struct Kind {
  bool neural;
  Words metrics;
  std::string readout;  // of behaviour
  std::shared_ptr<const Benchmark> (*read)(Manifest, ManifestReader&);
};

// The only list of kinds.
const std::vector<Kind>& kinds() {
  static const std::vector<Kind> all = {
      {true, NeuralBenchmark::metrics(), "", NeuralBenchmark::read},
      {true, RdmBenchmark::metrics(), "", RdmBenchmark::read},
      {true, {"ks_similarity"}, "", PropertyBenchmark::read},
      {true, {"ost"}, "", SolutionTimeBenchmark::read},
      {true, {"factor_dimensionality"}, "", FactorBenchmark::read},
      {false, choice_metrics(), "logistic", ReadoutBenchmark::read},
      {false, choice_metrics(), "imagenet_classes", DecisionsBenchmark::read},
      {false, {"match"}, "odd_one_out", OddOneOutBenchmark::read},
      {false, ThresholdBenchmark::metrics(), "logistic", ThresholdBenchmark::read},
      {false, {"two_way_accuracy"}, "ridge_classifier", DomainBenchmark::read}};
  return all;
}

bool has(const Words& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// Of a manifest that fits no kind: the readouts that know its metric, or the metrics of its
// readout.
void refuse(const Manifest& manifest, const std::string& readout, ManifestReader& reader) {
  Words readouts, able, metrics;
  const auto add = [](Words& words, const std::string& word) {
    if (!has(words, word)) words.push_back(word);
  };
  for (const auto& kind : kinds()) {
    if (kind.neural != manifest.neural) continue;
    add(readouts, kind.readout);
    if (has(kind.metrics, manifest.metric)) add(able, kind.readout);
    for (const auto& metric : kind.metrics) {
      if (kind.readout == readout) add(metrics, metric);
    }
  }
  if (!manifest.neural) {
    reader.word("readout.name", readout, readouts);
    if (!able.empty()) reader.word("readout.name", readout, able);
  }
  reader.word("metric.name", manifest.metric, metrics);
}

const Kind& kind_of(const Manifest& manifest, ManifestReader& reader) {
  const auto readout = manifest.neural
                           ? std::string()
                           : reader.get(reader.need("readout"), "name", std::string("logistic"));
  for (const auto& kind : kinds()) {
    if (kind.neural == manifest.neural && kind.readout == readout &&
        has(kind.metrics, manifest.metric))
      return kind;
  }
  refuse(manifest, readout, reader);
  TORCH_CHECK(false, "kind_of: ", manifest.metric, " fits a kind after all");
}

}  // namespace

std::shared_ptr<const Benchmark> read_benchmark(const std::string& path) {
  const auto text = read_file(path);
  const auto json = parse_json(text, path, "a benchmark manifest of schema version 1");
  ManifestReader reader(path, json);
  try {
    auto manifest = reader.common();
    manifest.sha256 = sha256_of(text);
    const auto read = kind_of(manifest, reader).read;
    auto benchmark = read(std::move(manifest), reader);
    // Those of the project are held to it by its tests.
    if (!path.starts_with(manifest_folder() + "/")) check_schema(json, "benchmark", path);
    return benchmark;
  } catch (const Json::exception& e) {
    throw bad_input({path, reader.field(), json_fault(e),
                     "a benchmark manifest of schema version 1", "See docs/formats.md"});
  }
}

Benchmarks all_benchmarks() {
  Benchmarks all;
  for (const auto& file : manifest_files("benchmarks")) all.push_back(read_benchmark(file));
  return all;
}

std::vector<Manifest> manifests_of(const Benchmarks& benchmarks) {
  std::vector<Manifest> all;
  for (const auto& benchmark : benchmarks) all.push_back(*benchmark);
  return all;
}

std::shared_ptr<const Benchmark> find_benchmark(const std::string& name) {
  if (name.ends_with(".json")) return read_benchmark(name);
  const auto all = all_benchmarks();
  std::vector<std::string> known;
  for (const auto& benchmark : all) {
    if (benchmark->identifier == name) return benchmark;
    known.push_back(benchmark->identifier);
  }
  for (const auto& benchmark : all) {
    for (auto& population : benchmark->populations()) {
      if (population->identifier == name) return population;
      known.push_back(population->identifier);
    }
  }
  throw unknown_name("benchmark", name,
                     "the manifests of this project and of " + home() + "/benchmarks", known);
}

}  // namespace cortiscore
