#pragma once
#include <memory>
#include <string>
#include <vector>

#include "src/engine/benchmark.h"

namespace cortiscore {

/// The benchmark of a manifest. @throws Error(kBadInput)  one that is not schema version 1
std::shared_ptr<const Benchmark> read_benchmark(const std::string& path);

/// Every manifest of the project and of home()/benchmarks, by identifier.
/// @throws Error(kBadInput)  a manifest that is not schema version 1
Benchmarks all_benchmarks();

/// What they have in common, to hang in a tree.
std::vector<Manifest> manifests_of(const Benchmarks& benchmarks);

/// A benchmark by name: an identifier, a population of one ("Henaff2021.V1.ay2_u003-pls"), or the
/// path of a manifest.
/// @throws Error(kUnknownName)  with the nearest names
std::shared_ptr<const Benchmark> find_benchmark(const std::string& name);

}  // namespace cortiscore
