#pragma once
#include <optional>
#include <string>

#include "src/results/json.h"

namespace cortiscore {

/// Canonical form: sorted keys, shortest round-trip numbers, no NaN.
std::string canonical(const Json& record);

/// Writes a record as FOLDER/NETWORK/BENCHMARK.json. It becomes visible whole or not at all: written beside its place,
/// synced, renamed, the folder synced. @return its path
/// @throws Error(kBadInput)  the folder cannot be made or written (a full disk); what was there stays
std::string store_record(const std::string& folder, const Json& record);

/// The stored record of that network and benchmark if it has this key and status ok.
std::optional<Json> stored_record(const std::string& folder,
                                  const std::string& network,
                                  const std::string& benchmark,
                                  const std::string& key);

}  // namespace cortiscore
