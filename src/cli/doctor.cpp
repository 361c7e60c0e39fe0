#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <thread>

#include <unistd.h>

#include <ATen/Context.h>
#include <ATen/Version.h>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "src/cli/commands.h"
#include "src/core/folders.h"
#include "src/kinds/kinds.h"
#include "src/results/json.h"

namespace cortiscore::cli {
namespace {

std::string cpu_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

double gib(double bytes) {
  return bytes / (1 << 30);
}

void report(bool json) {
  namespace fs = std::filesystem;
  const double memory = gib(static_cast<double>(sysconf(_SC_PHYS_PAGES)) *
                            static_cast<double>(sysconf(_SC_PAGE_SIZE)));
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
                      {"threads", std::thread::hardware_concurrency()},
                      {"cpu_capability", at::get_cpu_capability()},
                      {"memory_gib", memory},
                      {"cuda", at::hasCUDA()},
                      {"home", folder},
                      {"free_gib", gib(static_cast<double>(room.available))},
                      {"python", CORTISCORE_PYTHON},
                      {"benchmarks", benchmarks}};
  if (json) {
    std::cout << found.dump() << '\n';
    return;
  }
  std::printf(
      "cortiscore %s\n  cpu      %s, %u threads, %s\n  memory   %.1f GiB\n  cuda     %s\n  home    "
      " %s (%.1f GiB free)\n"
      "  python   %s (for `model export`)\n"
      "  benchmarks  %zu ready, %zu without data: `cortiscore benchmark list` names them\n",
      CORTISCORE_VERSION, cpu_name().c_str(), std::thread::hardware_concurrency(),
      at::get_cpu_capability().c_str(), memory, at::hasCUDA() ? "yes" : "no device, or a CPU build",
      folder.c_str(), gib(static_cast<double>(room.available)), CORTISCORE_PYTHON, ready,
      benchmarks.size() - ready);
}

constexpr const char* kBash = R"(_cortiscore() {
  local words="score layers sweep metric ceiling results benchmark data extract model doctor completion --threads --quiet --no-progress --version --help"
  local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} verb=${COMP_WORDS[1]}
  case $previous in
    -b | --benchmark) words=$(cortiscore doctor --json 2>/dev/null | grep -o '"identifier":"[^"]*"' | cut -d'"' -f4) ;;
    --mode) words="sklearn exact" ;;
    --ceiling-convention) words="r2_over_c r_over_c_squared r_over_c" ;;
    metric) words="pls ridge ridgecv linear neuron_to_neuron rdm cka cka_biased error_consistency accuracy i2n" ;;
    ceiling) words="internal_consistency split_half_predictor rsa leave_one_subject_out error_consistency i2n" ;;
    model) words="inspect export" ;;
    results) words="show rank export merge gc" ;;
    benchmark) words="list info trees" ;;
    data) words="list import verify add" ;;
    info) words=$(cortiscore benchmark list --json 2>/dev/null | grep -o '"identifier":"[^"]*"' | cut -d'"' -f4) ;;
    *) [[ $COMP_CWORD -gt 1 ]] && words=$(cortiscore "$verb" --help 2>/dev/null | grep -oE -- '--[a-z-]+' | sort -u) ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
  [[ $word == -* ]] || COMPREPLY+=($(compgen -f -- "$word"))
}
complete -o filenames -F _cortiscore cortiscore
)";

}  // namespace

void add_doctor(CLI::App& app, Outcome& /*outcome*/) {
  auto json = std::make_shared<bool>(false);
  auto* verb = app.add_subcommand("doctor",
                                  "What this machine can do, and which benchmarks have their data");
  verb->add_flag("--json", *json, "print one JSON object");
  verb->callback([json] { report(*json); });
  auto* completion =
      app.add_subcommand("completion", "Bash completion: source <(cortiscore completion)");
  completion->callback([] { std::fputs(kBash, stdout); });
}

}  // namespace cortiscore::cli
