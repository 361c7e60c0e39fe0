#include "cortiscore/cortiscore.h"
#include "src/core/parallel.h"
#include "src/engine/options.h"
#include "src/engine/score_network.h"
#include "src/facade/module_scorer.h"
#include "src/results/store.h"

namespace cortiscore {

std::string version() {
  return CORTISCORE_VERSION;
}

std::vector<std::string> score(const std::string& network,
                               const std::vector<std::string>& benchmarks,
                               const std::string& options,
                               const std::optional<std::string>& results,
                               bool again) {
  const OneThread one;
  const auto named = options_of(options);
  Workbench workbench(score_options(named), /*many_networks=*/false);
  const auto& of_run = workbench.options();
  std::optional<Store> store;
  if (results) store.emplace(*results);
  auto* const records_in = store ? &*store : nullptr;
  const auto candidate = open_candidate(network, of_run.device, of_run.load);
  const auto found = benchmarks_of(benchmarks, named);
  plan_scores(candidate, found, workbench, records_in, again);
  std::vector<std::string> records;
  for (const auto& benchmark : found) {
    records.push_back(
        canonical(score_pair(candidate, *benchmark, workbench, records_in, again).record));
  }
  return records;
}

}  // namespace cortiscore
