// What is made of a network beside its scores: activations, and the profile of its layers.
#include <string>
#include <utility>
#include <vector>

#include <nanobind/nanobind.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "cortiscore/assembly.h"
#include "python/bindings/arrays.h"
#include "python/bindings/define.h"
#include "src/activations/extraction.h"
#include "src/core/parallel.h"
#include "src/engine/layer_profile.h"
#include "src/engine/options.h"
#include "src/kinds/kinds.h"
#include "src/results/store.h"

namespace nb = nanobind;

namespace cortiscore::python {
namespace {

// @param options  a JSON object, by the names of score_options
std::vector<Assembly> extract(const std::string& network,
                              const std::string& stimuli,
                              const std::vector<std::string>& layers,
                              double degrees,
                              int64_t repetitions,
                              const std::string& options) {
  need(degrees > 0 && degrees <= 360, "--degrees", std::to_string(degrees),
       "a positive number up to 360");
  need(repetitions >= 1 && repetitions <= 1000000, "--repetitions", std::to_string(repetitions),
       "a whole number from 1 to 1000000");
  const nb::gil_scoped_release released;
  const OneThread one;
  const auto named = score_options(Json::parse(options));
  const auto opened = Network::load(network, named.device, named.load);
  return extract_layers(opened, stimuli, {layers, degrees, repetitions});
}

// (profiles and the commitment, all as JSON). @param options  as extract's
std::pair<std::vector<std::string>, std::string> layers(const std::string& network,
                                                        const std::vector<std::string>& benchmarks,
                                                        const std::string& match,
                                                        const std::string& from,
                                                        int64_t candidates,
                                                        const std::string& options) {
  need(candidates >= 0, "--candidates", std::to_string(candidates), "a whole number from 0 on");
  const nb::gil_scoped_release released;
  const OneThread one;
  Benchmarks found;
  for (const auto& name : benchmarks) found.push_back(find_benchmark(name));
  Workbench workbench(score_options(Json::parse(options)), /*many_networks=*/false);
  const auto& of_run = workbench.options();
  const auto candidate = open_candidate(network, of_run.device, of_run.load);
  const auto profiled =
      layers_to_profile(candidate, found, match, candidates_from(from), candidates);
  const auto profiles = profile_layers(candidate, found, profiled, workbench);
  std::vector<std::string> texts;
  for (const auto& profile : profiles) texts.push_back(canonical(profile_json(candidate, profile)));
  return {texts, commitment_json(candidate, profiles, workbench).dump()};
}

}  // namespace

void define_networks(nb::module_& module) {
  module.def("extract", &extract, nb::arg("network"), nb::arg("stimuli"), nb::arg("layers"),
             nb::arg("degrees"), nb::arg("repetitions"), nb::arg("options"));
  module.def("layers", &layers, nb::arg("network"), nb::arg("benchmarks"), nb::arg("match"),
             nb::arg("candidates_from"), nb::arg("candidates"), nb::arg("options"));
}

}  // namespace cortiscore::python
