#pragma once
#include <string>
#include <vector>

#include "src/benchmark/benchmark.h"

namespace cortiscore {

/// A file of a benchmark: under home()/data, beside its manifest, or, named brainio/FILE, in $BRAINIO_HOME (~/.brainio).
/// @throws Error(kBadInput)  it is in neither place; the message says how to import it
std::string data_file(const Benchmark& benchmark, const std::string& name);

/// data_manifests of this project: $CORTISCORE_MANIFESTS, else where the build had it.
std::string manifest_folder();

/// The .json files of a folder of manifest_folder(), in order, then those of the same folder of home().
std::vector<std::string> manifest_files(const std::string& folder);

}  // namespace cortiscore
