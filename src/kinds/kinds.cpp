#include "src/kinds/kinds.h"

#include <algorithm>

#include "cortiscore/error.h"
#include "src/core/folders.h"
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

// The kinds of a list that have something, or all that they have of it, each once, to name in a
// message.
template <typename Has>
std::vector<Kind> those(const std::vector<Kind>& some, const Has& has) {
  std::vector<Kind> found;
  std::copy_if(some.begin(), some.end(), std::back_inserter(found), has);
  return found;
}

template <typename Of>
Words words_of(const std::vector<Kind>& some, const Of& of) {
  Words words;
  for (const auto& kind : some) {
    for (const auto& word : of(kind)) {
      if (std::find(words.begin(), words.end(), word) == words.end()) words.push_back(word);
    }
  }
  return words;
}

bool has_metric(const Kind& kind, const std::string& metric) {
  return std::find(kind.metrics.begin(), kind.metrics.end(), metric) != kind.metrics.end();
}

Kind kind_of(const Manifest& manifest, ManifestReader& reader) {
  const auto& metric = manifest.metric;
  auto known = those(kinds(), [&](const Kind& kind) { return kind.neural == manifest.neural; });
  const auto metrics = [](const Kind& kind) { return kind.metrics; };
  if (!manifest.neural) {
    const auto readout = reader.word(
        "readout.name", reader.get(reader.need("readout"), "name", std::string("logistic")),
        words_of(known, [](const Kind& kind) { return Words{kind.readout}; }));
    const auto able = those(known, [&](const Kind& kind) { return has_metric(kind, metric); });
    known = those(known, [&](const Kind& kind) { return kind.readout == readout; });
    // A metric that other readouts have: it is the readout that does not fit.
    if (!able.empty() && std::none_of(known.begin(), known.end(),
                                      [&](const Kind& kind) { return has_metric(kind, metric); })) {
      reader.word("readout.name", readout,
                  words_of(able, [](const Kind& kind) { return Words{kind.readout}; }));
    }
  }
  reader.word("metric.name", metric, words_of(known, metrics));
  return those(known, [&](const Kind& kind) { return has_metric(kind, metric); }).front();
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
    return read(std::move(manifest), reader);
  } catch (const Json::exception& e) {
    throw bad_input({path, reader.field(), e.what(), "a benchmark manifest of schema version 1",
                     "See docs/formats.md"});
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
  std::vector<std::string> known;
  for (auto& benchmark : all_benchmarks()) {
    if (benchmark->identifier == name) return benchmark;
    known.push_back(benchmark->identifier);
    for (auto& population : benchmark->populations()) {
      if (population->identifier == name) return population;
      known.push_back(population->identifier);
    }
  }
  throw unknown_name("benchmark", name,
                     "the manifests of this project and of " + home() + "/benchmarks", known);
}

}  // namespace cortiscore
