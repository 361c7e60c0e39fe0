#pragma once
#include <string>
#include <vector>

#include "src/engine/benchmark.h"
#include "src/engine/workbench.h"

namespace CLI {
class App;
}

namespace cortiscore::cli {

/// The flags of every verb that runs a network.
struct LoadFlags {
  std::string precision = "float32";
  bool allow_torchscript = false, allow_native_code = false, cuda_graphs = false;

  void add(CLI::App& verb);
  /// Those of code alone.
  void add_trust(CLI::App& verb);
  /// By the names of score_options (src/engine/options.h).
  Json named() const;
  LoadOptions options() const;
};

/// The flags of every verb that reduces layers.
struct MemoryFlags {
  double gib = 0;  ///< 0: half of what is free
  std::string spill;

  void add(CLI::App& verb);
  Json named() const;
};

/// Which layers compete: "blocks" or "all".
void add_from_flag(CLI::App& verb, std::string& from);
void add_candidates_flag(CLI::App& verb, int64_t& candidates);

/// The flags that `score` and `sweep` share.
struct ScoreFlags {
  std::vector<std::string> names, layers;
  std::string convention = "r2_over_c", results, layer_map, mode = "sklearn", device = "cpu",
              choice = "nested", from = "blocks", over = "neuroid";
  int64_t candidates = 12, n_boot = 1000, null_draws = 100;
  MemoryFlags memory;
  LoadFlags load;
  bool json = false, again = false;

  void add(CLI::App& verb, bool several_devices = false);
  /// Those that say what is computed, and where.
  void add_job(CLI::App& verb, bool several_devices = false);

  Benchmarks benchmarks() const;
  /// @throws Error(kUsage)  a layer for a region that none of `benchmarks` is of
  ScoreOptions options(const Benchmarks& benchmarks) const;
  std::string store() const;
};

}  // namespace cortiscore::cli
