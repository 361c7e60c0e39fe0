#include "src/cli/score_flags.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "src/cli/flags.h"
#include "src/engine/options.h"
#include "src/kinds/kinds.h"

namespace cortiscore::cli {

void LoadFlags::add(CLI::App& verb) {
  verb.add_option("--precision", precision,
                  "of forward passes: float32, tf32 (on a GPU), bf16 or fp16 (torch.autocast)")
      ->check(one_of({"float32", "tf32", "bf16", "fp16"}))
      ->capture_default_str();
  verb.add_flag(
      "--cuda-graphs", cuda_graphs,
      "on a GPU: record the launches of a micro-batch once and start them again; the same "
      "bits");
  add_trust(verb);
}

void LoadFlags::add_trust(CLI::App& verb) {
  verb.add_flag("--allow-torchscript", allow_torchscript,
                "open TorchScript archives, which run code of their own");
  verb.add_flag("--allow-native-code", allow_native_code,
                "open packages of AOTInductor, which are native code");
}

Json LoadFlags::named() const {
  return {{"precision", precision},
          {"allow_torchscript", allow_torchscript},
          {"allow_native_code", allow_native_code},
          {"cuda_graphs", cuda_graphs}};
}

LoadOptions LoadFlags::options() const {
  return score_options(named()).load;
}

void MemoryFlags::add(CLI::App& verb) {
  verb.add_option("--memory-gib", gib,
                  "GiB for forward passes under way, activations and what becomes of them, beside "
                  "libraries, weights and decoded stimuli; layers that do not fit take several "
                  "passes, with the same scores [half of what is free]")
      ->check(positive_number(kMostGib));
  verb.add_option("--spill", spill,
                  "folder on a disk: a layer that does not fit is written there in one pass");
}

Json MemoryFlags::named() const {
  Json named = {{"spill", spill}};
  if (gib > 0) named["memory_gib"] = gib;
  return named;
}

void add_from_flag(CLI::App& verb, std::string& from) {
  verb.add_option("--from", from,
                  "layers that compete: outputs of blocks (`cortiscore model inspect` marks them), "
                  "or all")
      ->check(one_of({"blocks", "all"}))
      ->capture_default_str();
}

void add_candidates_flag(CLI::App& verb, int64_t& candidates) {
  verb.add_option("--candidates", candidates, "layers that compete at most, evenly spaced in depth")
      ->capture_default_str()
      ->check(count());
}

void ScoreFlags::add(CLI::App& verb, bool several_devices) {
  add_job(verb, several_devices);
  add_results_flag(verb, results);
  verb.add_option(
          "--null", null_draws,
          "draws of what no relation to the recordings would score, which marks scores "
          "within it with ~: maps of random features, once a benchmark and machine; of RDMs "
          "twice as many orders of the stimuli; 0 for none")
      ->capture_default_str();
  verb.add_flag("--again", again, "score even where the same score is stored");
  verb.add_flag("--json", json, "print one JSON record a line");
}

void ScoreFlags::add_job(CLI::App& verb, bool several_devices) {
  add_benchmark_flag(verb, names, "identifier or manifest; repeat for several");
  add_layer_flag(
      verb, layers,
      "layer to commit to: NAME, or REGION=NAME for the benchmarks of a region (once each), "
      "with :cls or :mean for its class token or its mean over tokens or places; without it, "
      "whole layers compete (--choice)");
  verb.add_option("--layer-map", layer_map, "layers that `cortiscore layers -o FILE` chose");
  verb.add_option("--choice", choice,
                  "how layers compete: nested (in every split on its train presentations alone; of "
                  "RDMs for every subject on the others), halves (each half of the presentations "
                  "chooses for the other), or committed (not at all: one must be named)")
      ->check(one_of({"nested", "halves", "committed"}))
      ->capture_default_str();
  add_candidates_flag(verb, candidates);
  add_from_flag(verb, from);
  add_ceiling_convention_flag(verb, convention);
  verb.add_option("--mode", mode, "PLS: sklearn (the iterate it stops at) or exact")
      ->check(one_of({"sklearn", "exact"}))
      ->capture_default_str();
  verb.add_option("--bootstrap", n_boot, "bootstrap draws")
      ->capture_default_str()
      ->check(count(kMostDraws));
  verb.add_option("--over", over,
                  "what intervals of benchmarks that map onto neuroids are over: neuroid, "
                  "presentation or neuroid,presentation")
      ->capture_default_str();
  memory.add(verb);
  add_device_flag(verb, device, several_devices);
  load.add(verb);
}

Benchmarks ScoreFlags::benchmarks() const {
  Benchmarks all;
  for (const auto& name : names) all.push_back(find_benchmark(name));
  return all;
}

ScoreOptions ScoreFlags::options(const Benchmarks& benchmarks) const {
  const auto by_region = layers_by_region(layers);
  check_regions(by_region, benchmarks);
  Json named = {{"layers", by_region},
                {"choice", choice},
                {"candidates", candidates},
                {"from", from},
                {"ceiling_convention", convention},
                {"mode", mode},
                {"bootstrap", n_boot},
                {"over", over},
                {"null", null_draws},
                {"device", device}};
  if (!layer_map.empty()) named["layer_map"] = layer_map;
  named.update(memory.named());
  named.update(load.named());
  auto all = score_options(named);
  all.say_memory = memory.gib == 0;
  return all;
}

std::string ScoreFlags::store() const {
  return results_folder(results);
}

}  // namespace cortiscore::cli
