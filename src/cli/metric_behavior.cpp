#include "src/cli/metric_arguments.h"

namespace cortiscore::cli {

bool run_behavior_metric(const MetricArguments& /*arguments*/) {
  return false;
}
std::vector<std::string> behavior_metric_names() {
  return {};
}

}  // namespace cortiscore::cli
