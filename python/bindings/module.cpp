// `_cortiscore`: the engine in a Python process. Arrays come in by DLPack without a copy and are
// worked on where they live; Python's lock is released meanwhile. python/cortiscore/engine.py
// documents what users call.
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <ATen/ATen.h>
#include <ATen/DLConvertor.h>

#include "cortiscore/error.h"
#include "src/ceiling/internal_consistency.h"
#include "src/core/device.h"
#include "src/core/failure.h"
#include "src/core/parallel.h"
#include "src/engine/options.h"
#include "src/engine/score_network.h"
#include "src/kinds/kinds.h"
#include "src/results/store.h"
#include "src/score/diagnostics.h"
#include "src/score/evaluate.h"
#include "src/score/statistics.h"

namespace nb = nanobind;

namespace cortiscore {
namespace {

void need(bool fine, const char* argument, const std::string& found, const char* expected) {
  if (!fine) {
    throw Error(ErrorKind::kUsage,
                std::string(argument) + ": found " + found + ", expected " + expected + ".");
  }
}

// A capsule that __dlpack__() made, as a tensor on the same memory.
at::Tensor tensor_of(const nb::object& array, const char* name) {
  if (!nb::hasattr(array, "__dlpack__")) {
    throw bad_input({name, "", "an object without __dlpack__",
                     "an array of NumPy, torch, CuPy or JAX", "Pass numpy.asarray(...)"});
  }
  const nb::object capsule = array.attr("__dlpack__")();
  auto* managed = static_cast<DLManagedTensor*>(PyCapsule_GetPointer(capsule.ptr(), "dltensor"));
  if (!managed) throw nb::python_error();
  auto tensor = at::fromDLPack(managed);
  PyCapsule_SetName(capsule.ptr(), "used_dltensor");
  if (!tensor.is_floating_point()) tensor = tensor.to(at::kDouble);
  return tensor.detach().contiguous();  // sums in one order, whatever the strides
}

// A float64 or int64 tensor as a NumPy array that owns it.
nb::object array_of(const at::Tensor& tensor) {
  if (!tensor.defined()) return nb::none();
  auto* owned = new at::Tensor(tensor.cpu().contiguous());
  const nb::capsule owner(owned, [](void* p) noexcept { delete static_cast<at::Tensor*>(p); });
  const std::vector<size_t> shape(owned->sizes().begin(), owned->sizes().end());
  if (owned->scalar_type() == at::kLong)
    return nb::cast(nb::ndarray<nb::numpy, int64_t>(owned->mutable_data_ptr<int64_t>(),
                                                    shape.size(), shape.data(), owner));
  *owned = owned->to(at::kDouble);
  return nb::cast(nb::ndarray<nb::numpy, double>(owned->mutable_data_ptr<double>(), shape.size(),
                                                 shape.data(), owner));
}

using PythonSplits = std::vector<std::pair<std::vector<int64_t>, std::vector<int64_t>>>;

nb::dict metric(const std::string& name,
                const nb::object& source,
                const nb::object& target,
                const std::optional<PythonSplits>& splits,
                const std::optional<std::vector<int64_t>>& stratify,
                int64_t components,
                const std::string& mode,
                double alpha) {
  need(components >= 1, "components", std::to_string(components), "1 or more");
  need(alpha > 0 && std::isfinite(alpha), "alpha", std::to_string(alpha), "a positive number");
  MetricInputs inputs;
  inputs.source = tensor_of(source, "source");
  inputs.target = tensor_of(target, "target");
  inputs.mapping.pls.n_components = components;
  inputs.mapping.pls.top.mode = top_vector_mode(mode);
  inputs.mapping.ridge_alpha = alpha;
  const auto parsed = metric_name(name);
  const auto n = inputs.target.dim() ? inputs.target.size(0) : 0;
  if (splits) {
    for (const auto& [train, test] : *splits) inputs.splits.push_back({train, test});
    check_splits(inputs.splits, n, "splits");
  }
  if (stratify && static_cast<int64_t>(stratify->size()) != n) {
    throw bad_input({"stratify", "labels", std::to_string(stratify->size()),
                     std::to_string(n) + ", one a presentation", ""});
  }
  Evaluation result;
  {
    const nb::gil_scoped_release released;
    const OneThread one;
    check_finite(inputs.source, "source", "feature", "Drop or replace these values");
    check_finite(inputs.target, "target", "neuroid", "Drop the presentations or neuroids");
    if (!splits) {
      inputs.splits = stratify ? stratified_shuffle_splits(*stratify, 10, 0.9, 1)
                               : shuffle_splits(n, 10, 0.9, 1);
    }
    result = evaluate(parsed, inputs);
  }
  nb::dict out;
  out["score"] = result.estimate.value;
  out["error"] = result.estimate.error;
  out["split_scores"] = result.estimate.split_values;
  out["per_neuroid"] = array_of(result.estimate.per_neuroid);
  out["averaged_over"] = result.averaged_over;
  if (result.fit.iterations.defined()) out["iterations"] = array_of(result.fit.iterations);
  if (result.fit.alpha.defined()) out["alpha"] = array_of(result.fit.alpha);
  out["warnings"] = warnings_of(parsed, result);
  return out;
}

nb::dict internal_consistency_of(const nb::object& trials, int64_t n_splits, int64_t seed) {
  need(n_splits >= 1, "splits", std::to_string(n_splits), "1 or more");
  need(seed >= 0 && seed <= std::numeric_limits<uint32_t>::max(), "seed", std::to_string(seed),
       "a whole number of 32 bits");
  const auto values = tensor_of(trials, "trials");
  if (values.dim() != 3 || values.numel() == 0) {
    throw bad_input({"trials", "shape", c10::str(values.sizes()),
                     "repetitions x presentations x neuroids, NaN where missing", ""});
  }
  Estimate estimate;
  std::vector<std::string> warnings;
  {
    const nb::gil_scoped_release released;
    const OneThread one;
    estimate = aggregate(internal_consistency(values, {n_splits, static_cast<uint32_t>(seed)}));
    warnings = undefined_warnings(estimate, {});
    for (auto& warning : few_trials(values)) warnings.push_back(std::move(warning));
    warnings = with_reason(std::move(warnings), estimate.value);
  }
  nb::dict out;
  out["ceiling"] = estimate.value;
  out["error"] = estimate.error;
  out["split_ceilings"] = estimate.split_values;
  out["per_neuroid"] = array_of(estimate.per_neuroid);
  out["warnings"] = warnings;
  return out;
}

// Canonical JSON, one record a pair. @param options  a JSON object, by the names of score_options
std::vector<std::string> score(const std::string& network,
                               const std::vector<std::string>& benchmarks,
                               const std::optional<std::string>& results,
                               bool again,
                               const std::string& options) {
  const nb::gil_scoped_release released;
  const OneThread one;
  const auto named = Json::parse(options);
  Workbench workbench(score_options(named), /*many_networks=*/false);
  const auto& of_run = workbench.options();
  std::optional<Store> store;
  if (results) store.emplace(*results);
  auto* const records_in = store ? &*store : nullptr;
  const auto candidate = open_candidate(network, of_run.device, of_run.load);
  Benchmarks found;
  for (const auto& name : benchmarks) found.push_back(find_benchmark(name));
  // A layer map may hold other regions.
  check_regions(named.at("layers").get<std::map<std::string, std::string>>(), found);
  plan_scores(candidate, found, workbench, records_in, again);
  std::vector<std::string> records;
  for (const auto& benchmark : found) {
    records.push_back(
        canonical(score_pair(candidate, *benchmark, workbench, records_in, again).record));
  }
  return records;
}

void define(nb::module_& module) {
  static PyObject* error_type = nullptr;
  error_type = PyErr_NewException("cortiscore.Error", PyExc_RuntimeError, nullptr);
  module.attr("Error") = nb::handle(error_type);
  nb::register_exception_translator([](const std::exception_ptr& pointer, void*) {
    try {
      std::rethrow_exception(pointer);
    } catch (const nb::python_error&) {  // Python's own, as they are
      throw;
    } catch (const nb::builtin_exception&) {
      throw;
    } catch (...) {
      const auto failure = current_failure();
      const nb::object value = nb::handle(error_type)(failure.message);
      value.attr("exit_code") = failure.exit_code;
      PyErr_SetObject(error_type, value.ptr());
    }
  });
  module.attr("version") = CORTISCORE_VERSION;
  module.def("metric", &metric, nb::arg("name"), nb::arg("source"), nb::arg("target"),
             nb::arg("splits").none(), nb::arg("stratify").none(), nb::arg("components"),
             nb::arg("mode"), nb::arg("alpha"));
  module.def("internal_consistency", &internal_consistency_of, nb::arg("trials"),
             nb::arg("n_splits"), nb::arg("seed"));
  module.def("score", &score, nb::arg("network"), nb::arg("benchmarks"), nb::arg("results").none(),
             nb::arg("again"), nb::arg("options"));
}

}  // namespace
}  // namespace cortiscore

NB_MODULE(_cortiscore, module) {
  cortiscore::define(module);
}
