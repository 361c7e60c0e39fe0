#include "src/results/columns.h"

#include <algorithm>

namespace cortiscore {

const std::vector<std::string>& record_columns() {
  static const std::vector<std::string> all = {"model_identifier",
                                               "benchmark_identifier",
                                               "benchmark_version",
                                               "status",
                                               "region",
                                               "layer",
                                               "layer_selection.method",
                                               "score.raw",
                                               "score.ceiling",
                                               "score.ceiled",
                                               "score.ceiling_convention",
                                               "error.sem",
                                               "error.ceiled",
                                               "error.ci_lo",
                                               "error.ci_hi",
                                               "error.method",
                                               "raw.ci_lo",
                                               "raw.ci_hi",
                                               "ceiling.error",
                                               "null.high",
                                               "null.p",
                                               "metric.name",
                                               "n",
                                               "tags",
                                               "tags.run",
                                               "tags.step",
                                               "tags.epoch",
                                               "weights_sha256",
                                               "graph_sha256",
                                               "key",
                                               "engine.version",
                                               "timing_ms.total",
                                               "start",
                                               "end",
                                               "message"};
  return all;
}

Json cell_of(const Json& record, const std::string& column) {
  const Json* value = &record;
  size_t begin = 0;
  while (begin <= column.size()) {
    const auto end = std::min(column.find('.', begin), column.size());
    const auto name = column.substr(begin, end - begin);
    if (!value->is_object() || !value->contains(name)) return nullptr;
    value = &value->at(name);
    begin = end + 1;
  }
  return *value;
}

}  // namespace cortiscore
