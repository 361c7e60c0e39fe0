#include "src/given/metric.h"

#include <algorithm>
#include <set>

#include "cortiscore/error.h"

namespace cortiscore {
namespace {

// Which metrics read a flag: names, or "arrays" for those on arrays, "maps" for mappings, "cv" for
// rdm_cv and its like. Metrics on arrays say their own (array_metrics). Flags that are not here are
// read by all, or are refused where they are read.
using Readers = std::map<std::string, std::vector<std::string>>;
const Readers& readers() {
  static const Readers all = [] {
    Readers of = {{"--train-source", {"arrays", "logistic"}},
                  {"--train-target", {"arrays", "logistic"}},
                  {"--test-source", {"arrays", "logistic"}},
                  {"--test-target", {"arrays", "logistic"}},
                  {"--splits", {"maps", "cv"}},
                  {"--stratify", {"maps", "cv", "factor_dimensionality"}},
                  {"--trials", {"arrays"}},
                  {"--versus", {"arrays"}},
                  {"--permutations", {"arrays"}},
                  {"--ceiling-splits", {"arrays"}},
                  {"--ceiling-convention", {"arrays"}},
                  {"--predictions", {"arrays"}},
                  {"--per-neuroid", {"arrays"}},
                  {"--whole", {"accuracy_delta"}},
                  {"--manipulated", {"accuracy_delta"}},
                  {"--accuracy", {"threshold", "threshold_elevation"}},
                  {"--baseline-source", {"threshold_elevation"}},
                  {"--baseline-target", {"threshold_elevation"}},
                  {"--scale", {"value_delta"}},
                  {"--bins", {"ks_similarity", "ost"}},
                  {"--probabilities", {"logistic"}},
                  {"--axes", {"bootstrap_error"}},
                  {"--c", {"logistic"}},
                  {"--skipna", {"i1", "i1n", "i2", "i2n", "o1", "o2"}},
                  {"--cosine", {"match"}}};
    for (const auto& metric : array_metrics()) {
      for (const auto& flag : metric.flags) of[flag].push_back(metric.base);
    }
    return of;
  }();
  return all;
}

}  // namespace

void refuse_unread(const std::string& metric, const std::vector<std::string>& flags) {
  const auto on_choices = behavior_metric_names();
  std::set<std::string> kinds = {metric};
  if (std::find(on_choices.begin(), on_choices.end(), metric) == on_choices.end()) {
    const auto name = metric_name(metric);
    kinds = {"arrays", name.base};
    if (name.maps) kinds.insert("maps");
    if (name.cv) kinds.insert("cv");
  }
  for (const auto& [flag, metrics] : readers()) {
    if (std::find(flags.begin(), flags.end(), flag) == flags.end()) continue;
    if (std::any_of(metrics.begin(), metrics.end(),
                    [&](const std::string& one) { return kinds.contains(one); }))
      continue;
    std::string those;
    for (const auto& one : metrics)
      those += (those.empty() ? "" : ", ") + (one == "arrays" ? "metrics on arrays"
                                              : one == "maps" ? "mappings"
                                              : one == "cv"   ? "rdm_cv, cka_cv, cka_biased_cv"
                                                              : one);
    throw Error(ErrorKind::kUsage,
                flag + ": metric " + metric + " does not read it, " + those + " do" +
                    (metrics.size() == 1 && metrics[0] != "arrays" ? "es." : ".") +
                    " Leave it away.");
  }
}

}  // namespace cortiscore
