// What there is: benchmarks to score on, and results that are stored.
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <nanobind/nanobind.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "cortiscore/error.h"
#include "python/bindings/define.h"
#include "src/core/folders.h"
#include "src/kinds/listing.h"
#include "src/results/columns.h"
#include "src/results/store.h"

namespace nb = nanobind;

namespace cortiscore::python {
namespace {

// Each as JSON.
std::vector<std::string> benchmarks(const std::string& region,
                                    const std::string& kind,
                                    const std::string& species,
                                    const std::string& modality,
                                    const std::string& access,
                                    bool here) {
  const nb::gil_scoped_release released;
  std::vector<std::string> texts;
  for (const auto& [benchmark, json] : listed({region, kind, species, modality, access, here}))
    texts.push_back(canonical(json));
  return texts;
}

// Current records as JSON, and what is damaged, as sentences. @param folder  "": home's
std::pair<std::vector<std::string>, std::vector<std::string>> records(const std::string& folder,
                                                                      const std::string& network,
                                                                      const std::string& benchmark,
                                                                      const std::string& status) {
  const nb::gil_scoped_release released;
  auto store = open_store(folder.empty() ? home() + "/results" : folder);
  std::vector<std::string> texts;
  store.each({network, benchmark, status},
             [&](const Json& record) { texts.push_back(canonical(record)); });
  return {texts, store.damage()};
}

}  // namespace

void define_stores(nb::module_& module) {
  module.def("benchmarks", &benchmarks, nb::arg("region"), nb::arg("kind"), nb::arg("species"),
             nb::arg("modality"), nb::arg("access"), nb::arg("here"));
  module.def("records", &records, nb::arg("folder"), nb::arg("network"), nb::arg("benchmark"),
             nb::arg("status"));
  module.def("record_columns", [] { return record_columns(); });
}

}  // namespace cortiscore::python
