#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "src/benchmark/manifest.h"
#include "src/benchmark/recordings.h"

namespace cortiscore {

/// What a benchmark takes of one assembly file.
struct AssemblyFile {
  /// What the bins within time_ms become: one mean, neuroids of their own, or a population each.
  enum class Bins { kAveraged, kNeuroids, kPopulations };

  std::string identifier;
  std::string file;
  AcceptedValues where;
  std::optional<std::pair<double, double>> time_ms;  ///< the bins used; else there is one
  Bins bins = Bins::kAveraged;
  std::string repetition = "repetition";  ///< coordinate that numbers the trials
  std::string train_file;                 ///< train_test: responses to the train stimuli
  std::string each;                       ///< coordinate of which every value is a population
  std::optional<std::pair<std::string, double>> above;  ///< coordinate, threshold: neuroids kept
};

/// The recorded responses of a benchmark: which files, and what of them.
struct ResponseFiles {
  std::vector<AssemblyFile> assemblies;  ///< populations, each mapped apart
  std::string train_stimulus_set;        ///< of the train files
  std::string train_column;  ///< of the stimulus set: says which stimuli are trained on, and tested
  bool drop_incomplete = false;  ///< stimuli that lack a neuroid's every trial are left out
  /// Of the assembly: every neuroid's ceiling, as it was published.
  std::string ceiling_coordinate;
  /// That coordinate is explainable variance v in percent: the ceiling is sqrt(v / 100).
  bool noise_ceiling_percent = false;

  /// The stimuli's and the assemblies' files, in the manifest's order.
  std::vector<std::string> files() const;
};

/// The manifest's `assemblies`. @throws Error(kBadInput)  none
std::vector<AssemblyFile> read_assembly_files(ManifestReader& reader);
/// @throws Error(kBadInput)  one without its train_file
void check_train_files(const ManifestReader& reader, const std::vector<AssemblyFile>& assemblies);

/// One recorded population, ready to be scored.
struct Population {
  std::string identifier;
  std::vector<std::string> neuroid_ids;
  /// [n_repetitions, n_stimuli - n_train, n_neuroids] float64, NaN where missing
  at::Tensor trials;
  at::Tensor train;           ///< train_test: [n_train, n_neuroids], trials averaged
  at::Tensor averaged;        ///< [n_stimuli, n_neuroids]
  at::Tensor stored_ceiling;  ///< [n_neuroids], where the benchmark has a ceiling_coordinate
  int64_t n_dropped = 0;

  int64_t n_neuroids() const { return trials.size(2); }
  /// Leaves out all other neuroids. @param kept  int64
  void keep(const at::Tensor& kept);
};

struct Responses
    : Recordings {  ///< stimuli in the order of the rows of every population; train stimuli first
  int64_t n_train = 0;  ///< train_test; all others are tested
  std::vector<Population> populations;
};

/// Reads assemblies and stimulus set.
/// @throws Error(kBadInput)  files that are not there (with how to import them), or that do not fit
///                           together
Responses load_responses(const Manifest& benchmark, const ResponseFiles& files);

}  // namespace cortiscore
