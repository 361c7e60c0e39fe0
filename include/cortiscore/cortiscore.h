#pragma once
#include <optional>
#include <string>
#include <vector>

#include "cortiscore/error.h"

namespace cortiscore {

/// The version of the library that is loaded, e.g. "0.1.0".
std::string version();

/// Scores a network on benchmarks, as `cortiscore score` does with the same flags: the same numbers
/// to the bit.
///
/// @param network     path of a .pt2 archive, or of activations (.npy, .nc, .csv)
/// @param benchmarks  identifiers (`cortiscore benchmark list`), or paths of manifests
/// @param options     a JSON object by the names of the Python function's arguments, e.g.
///                    {"layers": {"V4": "blocks.8"}, "candidates": 6, "bootstrap": 100}
/// @param results     folder of a store: what it holds is not scored again, what is scored is
///                    durable there before this returns. Without one nothing is stored
/// @param again       scores also what the store holds
/// @return one record a benchmark, in their order, as canonical JSON (docs/formats.md)
/// @throws Error(kUsage)        an option is not what it must be
/// @throws Error(kUnknownName)  no such benchmark, layer or option
/// @throws Error(kBadInput)     a file or a benchmark's data is not there, or not what it must be
/// @throws c10::Error           from Torch, as it comes
/// Torch's number of threads is one meanwhile, and afterwards as it was.
std::vector<std::string> score(const std::string& network,
                               const std::vector<std::string>& benchmarks,
                               const std::string& options = "{}",
                               const std::optional<std::string>& results = {},
                               bool again = false);

}  // namespace cortiscore
