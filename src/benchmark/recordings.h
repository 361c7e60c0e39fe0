#pragma once
#include <string>
#include <vector>

#include "src/benchmark/manifest.h"
#include "src/stimuli/stimulus_set.h"

namespace cortiscore {

/// How files are read is a part of what scores depend on: 2 decodes packed NetCDF, leaves index
/// columns of tables out and knows windows and tokens of layers; 3 finds ids that lie beside an
/// array, and names behind a #. Raise it where the same file comes to mean other numbers.
std::string reading_version();

/// What was recorded, of any kind, shares this: what was shown, and what scores depend on.
struct Recordings {
  StimulusSet stimuli;
  /// SHA-256 of every file that scores depend on; the last is that of the stimuli's ids and images.
  std::vector<std::string> data_sha256;
  std::vector<std::string> warnings;  ///< what is left out, with its count and why
};

/// A stimulus set, opened and hashed: its table, then its ids and images.
Recordings open_stimuli(const std::string& path);

/// The first of several columns that a set has; where it has none, the last, of which the set then
/// says so.
const std::string& column_of(const StimulusSet& stimuli, const std::vector<std::string>& columns);

/// A file of a benchmark: under home()/data, beside its manifest, or, named brainio/FILE, in
/// $BRAINIO_HOME (~/.brainio).
/// @throws Error(kBadInput)  it is in neither place; the message says how to import it
std::string data_file(const Manifest& benchmark, const std::string& name);

/// Where that file is; empty where it is not.
std::string place_of(const Manifest& benchmark, const std::string& name);

/// The .json files of a folder of manifest_folder(), in order, then those of the same folder of
/// home().
std::vector<std::string> manifest_files(const std::string& folder);

}  // namespace cortiscore
