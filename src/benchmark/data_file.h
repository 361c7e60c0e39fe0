#pragma once
#include <string>

#include "src/benchmark/benchmark.h"

namespace cortiscore {

/// A file of a benchmark: under home()/data, or beside its manifest.
/// @throws Error(kBadInput)  it is in neither place; the message says how to import it
std::string data_file(const Benchmark& benchmark, const std::string& name);

/// data_manifests of this project: $CORTISCORE_MANIFESTS, else where the build had it.
std::string manifest_folder();

}  // namespace cortiscore
