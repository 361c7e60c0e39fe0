#pragma once
#include <string>
#include <vector>

#include "src/benchmark/manifest.h"
#include "src/ranking/scoreboard.h"
#include "src/results/json.h"

namespace cortiscore {

/// Records of published scores, status "imported", from a table as board_of_table() reads it: one a
/// network and benchmark, with the file's name, its SHA-256 and what is said of where it is from.
/// The same table gives the same records whenever it is read.
/// @param source  a citation or an address, in words
/// @param now     `end` of the records
/// @param notes   set to what the table has and nobody reads
/// @throws Error(kBadInput)  as board_of_table()
std::vector<Json> imported_records(const std::string& path,
                                   const Tree& tree,
                                   const std::vector<Manifest>& manifests,
                                   const std::string& source,
                                   const std::string& now,
                                   std::vector<std::string>& notes);

}  // namespace cortiscore
