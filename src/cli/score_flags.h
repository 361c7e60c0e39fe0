#pragma once
#include <string>
#include <vector>

#include "src/engine/workbench.h"

namespace CLI {
class App;
}

namespace cortiscore::cli {

/// The flags that `score` and `sweep` share.
struct ScoreFlags {
  std::vector<std::string> names, layers;
  std::string convention = "r2_over_c", results, layer_map, mode = "sklearn", device = "cpu";
  int64_t candidates = 12, n_boot = 1000;
  double memory_gib = 4;
  bool json = false, again = false;

  void add(CLI::App& verb);

  std::vector<Benchmark> benchmarks() const;
  ScoreOptions options() const;
  std::string store() const;
};

}  // namespace cortiscore::cli
