#include "src/engine/null_scores.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include <unistd.h>

#include "src/core/folders.h"
#include "src/core/progress.h"
#include "src/data/arrays.h"
#include "src/score/interval.h"
#include "src/score/statistics.h"

namespace cortiscore {
namespace fs = std::filesystem;
namespace {

constexpr double kLevel = 0.95;

std::optional<std::vector<double>> read(const std::string& path, const std::string& key) {
  std::ifstream file(path);
  if (!file) return std::nullopt;
  const auto kept = Json::parse(file, nullptr, /*allow_exceptions=*/false);
  if (!kept.is_object() || kept.value("key", Json()) != key || !kept.contains("draws") ||
      !kept.at("draws").is_array())
    return std::nullopt;
  std::vector<double> draws;
  for (const auto& draw : kept.at("draws"))
    draws.push_back(draw.is_number() ? draw.get<double>() : std::nan(""));
  return draws;
}

// What cannot be kept is made again. Two jobs may end at once: each writes a file of its own, and
// renames it.
void write(const std::string& path, const std::string& key, const std::vector<double>& draws) {
  std::error_code error;
  fs::create_directories(fs::path(path).parent_path(), error);
  const auto own = path + "." + std::to_string(::getpid());
  {
    std::ofstream file(own);
    file << Json({{"key", key}, {"draws", numbers(draws)}}).dump() << '\n';
    if (!file.flush()) error = std::make_error_code(std::errc::io_error);
  }
  if (!error) fs::rename(own, path, error);
  if (error) fs::remove(own, error);
}

}  // namespace

Json null_json(const std::vector<double>& draws, double raw, const std::string& of) {
  std::vector<double> sorted;
  std::copy_if(draws.begin(), draws.end(), std::back_inserter(sorted),
               [](double draw) { return std::isfinite(draw); });
  if (sorted.size() < 2 || std::isnan(raw)) return nullptr;
  std::sort(sorted.begin(), sorted.end());
  const auto reached =
      static_cast<double>(sorted.end() - std::lower_bound(sorted.begin(), sorted.end(), raw));
  const double high = percentile(sorted, kLevel);
  return {{"of", of},
          {"draws", sorted.size()},
          {"mean", number(mean_skip_nan(sorted))},
          {"sd", number(deviation(sorted, 1))},
          {"high", number(high)},
          {"p", (1 + reached) / (1 + static_cast<double>(sorted.size()))},
          {"within", raw <= high}};
}

std::optional<std::string> null_warning(const Json& null) {
  if (null.is_null() || !null.at("within").get<bool>()) return std::nullopt;
  char text[160];
  std::snprintf(text, sizeof text, "%.4f", null.at("high").get<double>());
  return "the raw score is within its null (~): of " + std::to_string(null.at("draws").get<int>()) +
         " " + null.at("of").get<std::string>() + ", 95 % stay below " + text;
}

std::vector<double> kept_null(const Benchmark& benchmark,
                              Workbench& workbench,
                              const std::string& what,
                              const std::function<std::vector<double>()>& make) {
  const auto& options = workbench.options();
  if (options.null_draws < 1) return {};
  return workbench.once<std::vector<double>>(benchmark.sha256 + " null " + what, [&] {
    auto text = benchmark.sha256 + "\n" + what + "\n" + std::to_string(options.null_draws) + "\n" +
                reading_version();
    for (const auto& sha256 : benchmark.recordings(workbench).data_sha256) text += "\n" + sha256;
    const auto key = sha256_of(text);
    const auto path = cache_folder() + "/nulls/" + key.substr(0, 16) + ".json";
    if (auto kept = read(path, key)) return *kept;
    if (!options.make_null) return std::vector<double>();
    auto draws = make();
    write(path, key, draws);
    return draws;
  });
}

}  // namespace cortiscore
