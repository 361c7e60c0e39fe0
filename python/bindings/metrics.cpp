// Metrics and ceilings on what Python hands over.
#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <nanobind/nanobind.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "python/bindings/arrays.h"
#include "python/bindings/define.h"
#include "src/core/notes.h"
#include "src/core/parallel.h"
#include "src/given/ceiling.h"
#include "src/given/options.h"
#include "src/results/store.h"

namespace nb = nanobind;

namespace cortiscore::python {
namespace {

Input& member(CeilingArguments& a, const std::string& name) {
  static const std::map<std::string, Input MetricArguments::*> all = {
      {"source", &MetricArguments::source},
      {"target", &MetricArguments::target},
      {"train_source", &MetricArguments::train_source},
      {"train_target", &MetricArguments::train_target},
      {"test_source", &MetricArguments::test_source},
      {"test_target", &MetricArguments::test_target},
      {"stratify", &MetricArguments::stratify},
      {"versus", &MetricArguments::versus},
      {"trials", &MetricArguments::trials},
      {"bins", &MetricArguments::bins},
      {"alphas", &MetricArguments::alphas},
      {"baseline_source", &MetricArguments::baseline_source},
      {"baseline_target", &MetricArguments::baseline_target}};
  const auto found = all.find(name);
  if (found == all.end()) throw Error(ErrorKind::kUsage, "found no input " + name + ".");
  return a.*found->second;
}

// Takes inputs and options. Where an array lives on a GPU, the work is done there.
CeilingArguments arguments_of(const std::string& name,
                              const nb::dict& inputs,
                              const Json& options) {
  CeilingArguments a;
  a.name = name;
  for (const auto& [key, value] : inputs) {
    const auto role = nb::cast<std::string>(key);
    auto& input = member(a, role) = input_of(nb::borrow(value), role);
    if (input.array() && !input.array()->values.is_cpu() && a.device == "cpu")
      a.device = input.array()->values.device().str();
  }
  take_options(options, a);
  return a;
}

// What is counted or looked up value by value is on the CPU, wherever it came from.
void bring_home(Input& input) {
  if (!input.array() || input.array()->values.is_cpu()) return;
  auto array = *input.array();
  array.values = array.values.cpu();
  input = {input.name(), std::move(array)};
}

// (a JSON object, {name: array})
template <typename Work>
std::pair<std::string, nb::dict> answer(const Work& work) {
  MetricResult result;
  {
    const nb::gil_scoped_release released;
    const OneThread one;
    const KeptNotes kept;
    result = work();
    result.json["notes"] = kept.lines();
  }
  nb::dict arrays;
  for (const auto& [name, values] : result.arrays) {
    const bool whole = values.defined() && values.scalar_type() == at::kLong;
    arrays[name.c_str()] = array_of(values.defined() && !whole ? values.to(at::kDouble) : values);
  }
  return {canonical(result.json), arrays};
}

// @param options  a JSON object, by the names of take_options
std::pair<std::string, nb::dict> metric(const std::string& name,
                                        const nb::dict& inputs,
                                        const std::string& options,
                                        const std::vector<std::string>& flags) {
  auto a = arguments_of(name, inputs, Json::parse(options));
  refuse_unread(name, flags);
  const auto on_choices = behavior_metric_names();
  const bool on_arrays = std::find(on_choices.begin(), on_choices.end(), name) == on_choices.end();
  for (auto* input : {&a.stratify, &a.alphas, &a.bins}) bring_home(*input);
  if (!on_arrays) {
    for (auto* input : {&a.source, &a.target, &a.train_source, &a.train_target, &a.test_source,
                        &a.test_target, &a.baseline_source, &a.baseline_target})
      bring_home(*input);
  }
  return answer([&] { return metric_on(a); });
}

std::pair<std::string, nb::dict> ceiling(const std::string& name,
                                         const nb::object& trials,
                                         const std::string& options) {
  nb::dict inputs;
  inputs["trials"] = trials;
  auto a = arguments_of(name, inputs, Json::parse(options));
  bring_home(a.trials);
  return answer([&] { return ceiling_on(a); });
}

}  // namespace

void define_metrics(nb::module_& module) {
  module.def("metric", &metric, nb::arg("name"), nb::arg("inputs"), nb::arg("options"),
             nb::arg("flags"));
  module.def("ceiling", &ceiling, nb::arg("name"), nb::arg("trials"), nb::arg("options"));
  module.def("metric_names", [] {
    auto names = array_metric_names();
    for (const auto& name : behavior_metric_names()) names.push_back(name);
    return names;
  });
  module.def("ceiling_names", [] { return ceiling_names(); });
}

}  // namespace cortiscore::python
