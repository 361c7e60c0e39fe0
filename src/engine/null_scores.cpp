#include "src/engine/null_scores.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "cortiscore/error.h"
#include "src/core/device.h"
#include "src/core/folders.h"
#include "src/core/progress.h"
#include "src/core/stage.h"
#include "src/core/stop.h"
#include "src/core/whole_file.h"
#include "src/data/arrays.h"
#include "src/score/interval.h"
#include "src/score/statistics.h"

namespace cortiscore {
namespace fs = std::filesystem;
namespace {

constexpr double kLevel = 0.05;

// What was kept, where it is whole and can be a null: correlations, or null where one has none.
std::optional<std::vector<double>> read(const std::string& path,
                                        const std::string& key,
                                        int64_t n_draws) {
  std::error_code error;
  if (!fs::is_regular_file(path, error)) return std::nullopt;
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  const auto kept = Json::parse(text.str(), nullptr, /*allow_exceptions=*/false);
  if (!kept.is_object() || kept.value("key", Json()) != key || !kept.contains("draws"))
    return std::nullopt;
  const auto& values = kept.at("draws");
  if (!values.is_array() || values.size() != static_cast<size_t>(n_draws)) return std::nullopt;
  std::vector<double> draws;
  for (const auto& value : values) {
    if (!value.is_null() && !value.is_number()) return std::nullopt;
    draws.push_back(value.is_null() ? std::nan("") : value.get<double>());
    if (std::abs(draws.back()) > 1) return std::nullopt;
  }
  return draws;
}

// Whether it is kept. What cannot be is made again.
bool write(const std::string& path, const std::string& key, const std::vector<double>& draws) {
  std::error_code error;
  fs::create_directories(fs::path(path).parent_path(), error);
  if (fs::is_fifo(path, error)) return false;  // who writes to a pipe waits for a reader
  try {
    write_whole(path, [&](std::ostream& file) {
      file << Json({{"key", key}, {"draws", numbers(draws)}}).dump() << '\n';
    });
  } catch (const Error&) {
    return false;
  }
  return true;
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
  const double high = percentile(sorted, 1 - kLevel);
  // With the score itself counted in: Phipson & Smyth 2010.
  const double p = (1 + reached) / (1 + static_cast<double>(sorted.size()));
  return {{"of", of},
          {"draws", sorted.size()},
          {"mean", number(mean_skip_nan(sorted))},
          {"sd", number(deviation(sorted, 1))},
          {"high", number(high)},
          {"p", p},
          {"within", p > kLevel}};
}

std::optional<std::string> null_warning(const Json& null) {
  if (null.is_null() || !null.at("within").get<bool>()) return std::nullopt;
  const auto n = null.at("draws").get<int64_t>();
  const auto reached = std::llround(null.at("p").get<double>() * static_cast<double>(n + 1)) - 1;
  return "the raw score is within its null (~): " + std::to_string(reached) + " of " +
         std::to_string(n) + " " + null.at("of").get<std::string>() + " reach it";
}

std::vector<double> kept_null(const Benchmark& benchmark,
                              Workbench& workbench,
                              const std::string& what,
                              int64_t n_draws,
                              const std::function<double(int64_t)>& make) {
  const auto& options = workbench.options();
  if (n_draws < 1) return {};
  return workbench.once<std::vector<double>>(benchmark.sha256 + " null " + what, [&] {
    auto text =
        benchmark.sha256 + "\n" + what + "\n" + std::to_string(n_draws) + "\n" + reading_version();
    for (const auto& sha256 : benchmark.recordings(workbench).data_sha256) text += "\n" + sha256;
    const auto key = sha256_of(text);
    const auto path = cache_folder() + "/nulls/" + key.substr(0, 16) + ".json";
    if (auto kept = read(path, key, n_draws)) return *kept;
    std::vector<double> draws;
    if (!options.make_null) return draws;
    log_line("null of " + benchmark.identifier + ": " + std::to_string(n_draws) +
             " maps of random features, once on this machine (--null 0 leaves it away)");
    const Stage drawing(StageName::kResample, benchmark.identifier);
    Progress progress("null", n_draws);
    for (int64_t draw = 0; draw < n_draws; ++draw) {
      check_stop();
      draws.push_back(make(draw));
      progress.advance();
    }
    if (!write(path, key, draws))
      log_line("warning: the null could not be kept in " + cache_folder() +
               "/nulls: it will be drawn again");
    return draws;
  });
}

}  // namespace cortiscore
