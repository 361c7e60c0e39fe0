#include "src/engine/layer_rule.h"

#include <limits>
#include <map>
#include <set>

#include "cortiscore/error.h"
#include "src/engine/benchmark.h"
#include "src/engine/candidate.h"
#include "src/engine/candidate_layers.h"

namespace cortiscore {

std::string left_out_layers(const Network& network) {
  constexpr int64_t kMostNamed = 20;
  int64_t count = 0;
  std::string named;
  std::set<std::string> values;
  for (const auto& layer : network.layers()) {
    if (layer.unusable.empty() || layer.name.find_first_of("@#") != std::string::npos ||
        !values.insert(layer.value).second)
      continue;
    if (++count <= kMostNamed)
      named += (count > 1 ? "; " : "") + layer.name + " (" + layer.unusable + ")";
  }
  if (count == 0) return {};
  if (count > kMostNamed) named += "; and " + std::to_string(count - kMostNamed) + " more";
  return std::to_string(count) + (count == 1 ? " layer was" : " layers were") +
         " not tried, without features of every stimulus: " + named;
}

// A layer named for every region means those that a map or a readout looks at: a classifier's
// decisions are its output's, unless its region itself is named.
std::string committed_layer(const ScoreOptions& options, const Benchmark& benchmark) {
  std::vector<std::string> keys = {benchmark.region};
  if (benchmark.layer_rule().otherwise != LayerRule::Otherwise::kOutput) keys.emplace_back();
  for (const auto& key : keys) {
    if (const auto found = options.layers.find(key); found != options.layers.end())
      return found->second;
  }
  return {};
}

std::string in_window_of(const Benchmark& benchmark,
                         const Network& network,
                         const std::string& layer) {
  const auto found = network.layer(layer);
  using Bins = AssemblyFile::Bins;
  static const std::vector<AssemblyFile> none;
  const auto* const assemblies = benchmark.layer_rule().assemblies;
  auto window = benchmark.window_ms;
  for (const auto& assembly : assemblies ? *assemblies : none) {
    if (window && assembly.time_ms && *window != *assembly.time_ms) {
      throw bad_input({benchmark.path, "time_ms", "different windows in its assemblies",
                       "one, for a layer whose calls stand for time bins",
                       "Name a single call (--layer " + layer + "@0)"});
    }
    if (assembly.bins == Bins::kPopulations && !found.time_bins.empty() &&
        without_window(layer) == layer) {
      throw Error(
          ErrorKind::kUsage,
          benchmark.identifier + ": " + layer +
              " responds differently in time, found one mapping over time bins, which takes "
              "one response for all of them. Name a call (--layer " +
              layer + "@0) or a window.");
    }
    // Bins that are neuroids or populations are all predicted from one response.
    if (assembly.time_ms && assembly.bins == Bins::kAveraged) window = assembly.time_ms;
  }
  if (!window || found.time_bins.empty() || without_window(layer) != layer) return layer;
  auto windowed = layer_in_window(layer, {window->first, window->second});
  network.layer(windowed);
  return windowed;
}

namespace {

// A layer whose calls stand for time bins, in each of the benchmark's.
std::vector<std::string> in_every_bin(const LayerRule& rule,
                                      const Network& network,
                                      const std::string& layer) {
  std::vector<std::string> windows;
  for (const auto& [start, end] : rule.every_bin_ms) {
    windows.push_back(layer_in_window(layer, {start, end}));
    network.layer(windows.back());
  }
  return windows;
}

}  // namespace

std::vector<std::string> layers_for(const Candidate& candidate,
                                    const Benchmark& benchmark,
                                    const ScoreOptions& options) {
  if (!candidate.network) return {"features"};
  using Otherwise = LayerRule::Otherwise;
  const auto& network = *candidate.network;
  const auto rule = benchmark.layer_rule();
  if (const auto committed = committed_layer(options, benchmark); !committed.empty()) {
    if (!rule.every_bin_ms.empty()) return in_every_bin(rule, network, committed);
    return {in_window_of(benchmark, network, committed)};
  }
  if (rule.otherwise == Otherwise::kNothing) {
    throw Error(ErrorKind::kUsage, benchmark.identifier +
                                       " has no layer selection: commit to one with --layer " +
                                       benchmark.region + "=LAYER, or --layer-map.");
  }
  if (rule.otherwise != Otherwise::kCompete) {
    auto all = candidate_layers(network.layers(), CandidatesFrom::kAll,
                                std::numeric_limits<int64_t>::max() / 4, 1);
    if (rule.otherwise == Otherwise::kBeforeOutput && all.size() > 1) all.pop_back();
    if (!all.empty()) return {all.back()};
  }
  if (options.choice == LayerChoice::kCommitted) {
    throw Error(ErrorKind::kUsage, benchmark.identifier +
                                       ": found --choice committed and no layer, expected one. "
                                       "Commit to it with --layer " +
                                       benchmark.region + "=LAYER, or --layer-map.");
  }
  auto layers =
      candidate_layers(network.layers(), options.from, options.n_candidates, rule.min_features);
  if (layers.empty()) {
    throw bad_input({candidate.path, "layers",
                     "none with " + std::to_string(rule.min_features) + " features or more",
                     rule.needs, "Export the network with its layer table"});
  }
  for (auto& layer : layers) layer = in_window_of(benchmark, network, layer);
  return layers;
}

Json layer_selection_json(const Candidate& candidate,
                          const Benchmark& benchmark,
                          const ScoreOptions& options,
                          const std::vector<std::string>& layers) {
  using Otherwise = LayerRule::Otherwise;
  const auto otherwise = benchmark.layer_rule().otherwise;
  const bool rule = otherwise == Otherwise::kBeforeOutput || otherwise == Otherwise::kOutput;
  if (rule && candidate.network && committed_layer(options, benchmark).empty())
    return {{"method", otherwise == Otherwise::kOutput ? "output" : "last"},
            {"candidates", layers}};
  if (otherwise == Otherwise::kCompete && candidate.network &&
      committed_layer(options, benchmark).empty()) {
    return {{"method", "only"},
            {"candidates", layers},
            {"from", name_of(options.from)},
            {"most", options.n_candidates}};
  }
  Json json = {{"method", "committed"}, {"candidates", layers}};
  const auto found = options.chosen_on.find(benchmark.region);
  if (found == options.chosen_on.end()) return json;
  for (const auto& chosen : found->second) {
    if (chosen.layer == without_window(layers.front()))
      json["chosen_on"].push_back(chosen.benchmark);
  }
  return json;
}

}  // namespace cortiscore
