#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "src/engine/benchmark.h"
#include "src/engine/workbench.h"
#include "src/model/program.h"
#include "src/results/store.h"

namespace cortiscore {

/// Options as score_options() takes them. @throws Error(kUsage)  no JSON object
Json options_of(const std::string& text);

/// @param options  of the run: a layer that is committed to has to be of one of their regions
/// @throws Error(kUnknownName, kUsage)
Benchmarks benchmarks_of(const std::vector<std::string>& names, const Json& options);

/// That a store holds no score of a training of this name: of two there would be one curve.
/// @throws Error(kUsage)  it does, by records that a Probe wrote; Error(kBadInput)  no store
void check_new_run(const std::string& results, const std::string& run);

/// SHA-256 of a module's state: weights and buffers by their names.
std::string digest_of(const std::vector<std::pair<std::string, at::Tensor>>& state);

/// Benchmarks, and what modules in memory that are scored on them share: stimuli, recordings, folds
/// and ceilings, each made once.
class ModuleScorer {
 public:
  /// @param options  a JSON object, by the names of score_options()
  /// @throws Error(kUnknownName, kUsage)  names and options that cannot be right
  ModuleScorer(const std::vector<std::string>& benchmarks,
               const std::optional<std::string>& results,
               const std::string& options);

  /// What the modules are, found by running one; recordings are read.
  /// @param sha256  of what is known of its layers
  /// @throws Error  a benchmark without its data, a layer that is none
  void open(std::shared_ptr<const Program> program, const std::string& sha256);

  /// Stimuli that one evaluation shows.
  int64_t n_stimuli();

  /// Canonical JSON, one record a benchmark.
  /// @param program  the module as it is now, under the name that its records carry
  /// @param tags     an object of texts that the records carry
  /// @param again    scores also what the store holds
  /// @param keep_going  a benchmark that fails is a record of its failure
  std::vector<std::string> score(std::shared_ptr<const Program> program,
                                 const std::string& weights_sha256,
                                 const Json& tags,
                                 bool again,
                                 bool keep_going);

 private:
  Workbench workbench_;
  Benchmarks benchmarks_;
  std::optional<Store> store_;
  std::optional<Network> network_;
  std::vector<std::string> layers_;  // that the benchmarks look at
};

}  // namespace cortiscore
