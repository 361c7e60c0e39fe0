#include "src/kinds/neural/definition.h"

#include <algorithm>

#include "cortiscore/error.h"
#include "src/kinds/neural/data.h"

namespace cortiscore {

const std::vector<std::string>& NeuralBenchmark::metrics() {
  // Not `linear`: layers come as coordinates of their presentations, in whose rounding a map
  // without a penalty finds directions of its own where features are fewer than they seem.
  static const std::vector<std::string> names = {"pls",   "reverse_pls", "spantime_pls",
                                                 "ridge", "ridgecv",     "mask_regression"};
  return names;
}

std::shared_ptr<const Benchmark> NeuralBenchmark::read(Manifest manifest, ManifestReader& reader) {
  auto benchmark = std::make_shared<NeuralBenchmark>(std::move(manifest));
  auto& b = *benchmark;
  b.read_selection(reader);
  auto& assemblies = b.responses.assemblies = read_assembly_files(reader);
  b.mean_of_populations = reader.word("populations", reader.get("populations", std::string("pool")),
                                      {"pool", "mean"}) == "mean";
  b.responses.drop_incomplete =
      reader.word("incomplete_stimuli", reader.get("incomplete_stimuli", std::string("refuse")),
                  {"refuse", "drop"}) == "drop";
  b.spantime = b.metric == "spantime_pls";
  b.reverse = b.metric == "reverse_pls";
  b.mapping.kind = b.spantime || b.reverse         ? MappingKind::kPls
                   : b.metric == "mask_regression" ? MappingKind::kMask
                                                   : mapping_kinds().at(b.metric);
  const bool bins = std::all_of(assemblies.begin(), assemblies.end(), [](const auto& file) {
    return file.bins == AssemblyFile::Bins::kPopulations;
  });
  if (b.spantime && (!bins || !b.mean_of_populations)) {
    throw bad_input({b.path, "metric.name", b.metric,
                     R"("time_bins": "populations" in assemblies, and "populations": "mean")", ""});
  }
  const auto& metric = reader.need("metric");
  b.mapping.pls.n_components = reader.within(metric, "n_components", int64_t{25}, 1, 1e6);
  b.mapping.ridge_alpha = reader.within(metric, "alpha", 1.0, 1e-300, 1e300);
  b.mapping.ridgecv_alphas = reader.alphas(metric, "metric.alphas", b.mapping.ridgecv_alphas);
  b.splits = read_splits(
      reader, {"shuffle", "stratified_shuffle", "leave_one_group_out", "train_test", "column"});
  if (b.splits.kind == "train_test") {
    b.responses.train_stimulus_set = reader.need("train_stimulus_set");
    check_train_files(reader, assemblies);
  }
  if (b.splits.kind == "column") b.responses.train_column = b.splits.by;
  const auto& ceiling = reader.need("ceiling");
  const auto name = reader.word("ceiling.name", ceiling.at("name"),
                                {"internal_consistency", "split_half_predictor", "stored", "none"});
  b.ceiled = name != "none";
  b.predictor_ceiling = name == "split_half_predictor";
  if (b.reverse && (assemblies.size() != 1 || b.mean_of_populations)) {
    throw bad_input(
        {b.path, b.mean_of_populations ? "populations" : "assemblies",
         b.mean_of_populations ? "mean" : std::to_string(assemblies.size()) + " populations",
         "one population, whose neuroids together predict units", ""});
  }
  if (name == "stored") b.responses.ceiling_coordinate = reader.need(ceiling, "coordinate");
  b.responses.noise_ceiling_percent =
      reader.word("ceiling.holds", reader.get(ceiling, "holds", std::string("reliability")),
                  {"reliability", "noise ceiling in percent"}) != "reliability";
  b.composite = b.composite && b.ceiled;
  b.ceiling_splits = reader.within(ceiling, "n_splits", int64_t{10}, 1, 1e7);
  b.ceiling_seed = reader.get(ceiling, "seed", uint32_t{b.predictor_ceiling ? 0U : 1U});
  b.keep_above = reader.get(ceiling, "keep_above", -1.0);
  return benchmark;
}

LayerRule NeuralBenchmark::layer_rule() const {
  auto rule = RecordedBenchmark::layer_rule();
  // As many features as PLS has components.
  if (mapping.kind == MappingKind::kPls) rule.min_features = mapping.pls.n_components;
  if (metric == "pls") rule.needs = "a layer with at least one feature a PLS component";
  return rule;
}

std::string NeuralBenchmark::ceiling_name() const {
  if (!ceiled) return "none";
  if (!responses.ceiling_coordinate.empty()) return "stored " + responses.ceiling_coordinate;
  return predictor_ceiling ? "split_half_predictor" : "internal_consistency";
}

void NeuralBenchmark::describe(Json& json) const {
  RecordedBenchmark::describe(json);
  json["splits"] = text_of(splits);
  json.update(mapping_params(*this));
  json["populations"] = Json::array();
  for (const auto& assembly : responses.assemblies) {
    json["populations"].push_back(assembly.each.empty() ? assembly.identifier
                                                        : "each " + assembly.each);
  }
  json["populations_are"] = mean_of_populations ? "scored apart and averaged" : "pooled";
}

void NeuralBenchmark::measure(Json& measured, Workbench& workbench) const {
  auto& prepared = prepared_neural(*this, workbench);
  int64_t kept = 0, dropped = 0, trials = 0;
  for (const auto& population : prepared.data().populations) {
    kept += population.n_neuroids();
    dropped += population.n_dropped;
    trials = std::max(trials, population.trials.size(0));
  }
  measured.update({{"neuroids", kept}, {"neuroids_dropped", dropped}, {"repetitions", trials}});
  if (ceiled) add_ceiling(measured, prepared.whole().ceiling);
}

Benchmarks NeuralBenchmark::populations() const {
  return populations_of(*this);
}

}  // namespace cortiscore
