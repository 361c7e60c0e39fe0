#include <cstdio>
#include <filesystem>
#include <iostream>
#include <memory>

#include <ATen/Context.h>
#include <ATen/Version.h>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "src/cli/commands.h"
#include "src/cli/json_line.h"
#include "src/core/folders.h"
#include "src/core/host.h"
#include "src/core/layout.h"
#include "src/kinds/kinds.h"
#include "src/results/json.h"

namespace cortiscore::cli {
namespace {

double gib(double bytes) {
  return bytes / (1 << 30);
}

void report(bool json) {
  namespace fs = std::filesystem;
  const double memory = gib(static_cast<double>(memory_bytes()));
  const auto folder = home();
  std::error_code error;
  const auto room = fs::space(fs::exists(folder) ? fs::path(folder) : fs::path("/"), error);
  Json benchmarks = Json::array();
  size_t ready = 0;
  for (const auto& benchmark : all_benchmarks()) {
    const bool here = is_here(*benchmark);
    ready += here ? 1 : 0;
    benchmarks.push_back({{"identifier", benchmark->identifier},
                          {"data", here},
                          {"import", benchmark->how_to_import}});
  }
  const Json found = {{"version", CORTISCORE_VERSION},
                      {"cpu", cpu_name()},
                      {"threads", usable_threads()},
                      {"cpu_capability", at::get_cpu_capability()},
                      {"memory_gib", memory},
                      {"cuda", at::hasCUDA()},
                      {"home", folder},
                      {"free_gib", gib(static_cast<double>(room.available))},
                      {"python", python_program()},
                      {"benchmarks", benchmarks}};
  if (json) {
    std::cout << json_line(found) << '\n';
    return;
  }
  std::printf(
      "cortiscore %s\n  cpu      %s, %u threads, %s\n  memory   %.1f GiB\n  cuda     %s\n  home    "
      " %s (%.1f GiB free)\n"
      "  python   %s (for `model export`)\n"
      "  benchmarks  %zu ready, %zu without data: `cortiscore benchmark list` names them\n",
      CORTISCORE_VERSION, cpu_name().c_str(), static_cast<unsigned>(usable_threads()),
      at::get_cpu_capability().c_str(), memory, at::hasCUDA() ? "yes" : "no device, or a CPU build",
      folder.c_str(), gib(static_cast<double>(room.available)), python_program().c_str(), ready,
      benchmarks.size() - ready);
}

}  // namespace

void add_doctor(CLI::App& app, Outcome& /*outcome*/) {
  auto json = std::make_shared<bool>(false);
  auto* verb = app.add_subcommand("doctor",
                                  "What this machine can do, and which benchmarks have their data");
  verb->add_flag("--json", *json, "print one JSON object");
  verb->callback([json] { report(*json); });
}

}  // namespace cortiscore::cli
