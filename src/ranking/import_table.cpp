#include "src/ranking/import_table.h"

#include <filesystem>
#include <map>
#include <utility>

#include "src/data/arrays.h"

namespace cortiscore {

std::vector<Json> imported_records(const std::string& path,
                                   const Tree& tree,
                                   const std::vector<Manifest>& manifests,
                                   const std::string& source,
                                   const std::string& now,
                                   std::vector<std::string>& notes) {
  const auto board = board_of_table(path, tree, manifests);
  notes = board.notes;
  const auto sha256 = sha256_of_file(path);
  std::map<std::string, const Manifest*> known;
  for (const auto& manifest : manifests) known.emplace(manifest.identifier, &manifest);
  std::vector<Json> records;
  for (const auto& network : board.networks) {
    for (const auto& [benchmark, cell] : network.cells) {
      const auto found = known.find(benchmark);
      const auto* manifest = found == known.end() ? nullptr : found->second;
      const auto value = number(cell.score.value);
      records.push_back({{"schema_version", 1},
                         {"key", sha256_of("imported " + sha256 + (tree.raw ? " raw " : " ") +
                                           network.name + " " + benchmark)},
                         {"status", "imported"},
                         {"model_identifier", network.name},
                         {"benchmark_identifier", benchmark},
                         {"benchmark_version", nullptr},  // a table does not say it
                         {"benchmark_sha256", nullptr},
                         {"region", manifest ? manifest->region : ""},
                         {"parent", manifest ? manifest->parent : ""},
                         {"score",
                          {{"raw", tree.raw ? value : Json(nullptr)},
                           {"ceiling", nullptr},
                           {"ceiled", tree.raw ? Json(nullptr) : value},
                           {"ceiling_convention", nullptr}}},
                         {"imported",
                          {{"file", std::filesystem::path(path).filename().string()},
                           {"sha256", sha256},
                           {"source", source}}},
                         {"engine", {{"version", CORTISCORE_VERSION}, {"torch", CORTISCORE_TORCH}}},
                         {"end", now}});
    }
  }
  return records;
}

}  // namespace cortiscore
