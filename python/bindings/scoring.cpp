// Networks on benchmarks: archives, and modules as they stand in memory.
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "cortiscore/cortiscore.h"
#include "python/bindings/define.h"
#include "python/bindings/live.h"
#include "src/core/parallel.h"
#include "src/core/stop.h"
#include "src/data/arrays.h"
#include "src/facade/module_scorer.h"

namespace nb = nanobind;

namespace cortiscore::python {
namespace {

// Runs work that Python may ask to stop, and raises then what Python had raised.
template <typename Work>
void stoppable(const Work& work) {
  try {
    work();
  } catch (const StoppedByPython& stopped) {
    stopped.rethrow();
  }
}

// Canonical JSON, one record a pair. @param options  a JSON object, by the names of score_options
std::vector<std::string> score(const std::string& network,
                               const std::vector<std::string>& benchmarks,
                               const std::optional<std::string>& results,
                               bool again,
                               const std::string& options) {
  const nb::gil_scoped_release released;
  std::vector<std::string> records;
  stoppable([&] { records = cortiscore::score(network, benchmarks, options, results, again); });
  return records;
}

// ModuleScorer on modules of Python, whose lock is released meanwhile; one thread at a time.
class Scorer {
 public:
  Scorer(const std::vector<std::string>& benchmarks,
         const std::optional<std::string>& results,
         const std::string& options)
      : scorer_(benchmarks, results, options) {}

  void open(const nb::object& forward, const std::string& table) {
    auto program = live_program(forward, table, false);
    const nb::gil_scoped_release released;
    const std::lock_guard<std::mutex> one_at_a_time(mutex_);
    stoppable([&] { scorer_.open(std::move(program), sha256_of(table)); });
  }

  int64_t n_stimuli() {
    const nb::gil_scoped_release released;
    const std::lock_guard<std::mutex> one_at_a_time(mutex_);
    return scorer_.n_stimuli();
  }

  std::string digest(const std::vector<std::pair<std::string, nb::object>>& state) {
    std::vector<std::pair<std::string, at::Tensor>> tensors;
    for (const auto& [name, capsule] : state) tensors.emplace_back(name, tensor_in(capsule));
    const nb::gil_scoped_release released;
    return digest_of(tensors);
  }

  std::vector<std::string> score(const nb::object& forward,
                                 const std::string& table,
                                 const std::string& weights_sha256,
                                 const std::string& tags,
                                 bool again,
                                 bool beside_training,
                                 bool keep_going,
                                 int64_t threads) {
    auto program = live_program(forward, table, beside_training);
    const nb::gil_scoped_release released;
    const std::lock_guard<std::mutex> one_at_a_time(mutex_);
    const ThreadsHere here(threads);
    std::vector<std::string> records;
    stoppable([&] {
      records =
          scorer_.score(std::move(program), weights_sha256, Json::parse(tags), again, keep_going);
    });
    return records;
  }

 private:
  std::mutex mutex_;
  ModuleScorer scorer_;
};

}  // namespace

void define_scoring(nb::module_& module) {
  module.def("score", &score, nb::arg("network"), nb::arg("benchmarks"), nb::arg("results").none(),
             nb::arg("again"), nb::arg("options"));
  module.def("check_new_run", &check_new_run, nb::arg("results"), nb::arg("run"),
             nb::call_guard<nb::gil_scoped_release>());
  nb::class_<Scorer>(module, "Scorer")
      .def(nb::init<const std::vector<std::string>&, const std::optional<std::string>&,
                    const std::string&>(),
           nb::arg("benchmarks"), nb::arg("results").none(), nb::arg("options"))
      .def("open", &Scorer::open, nb::arg("forward"), nb::arg("table"))
      .def("n_stimuli", &Scorer::n_stimuli)
      .def("digest", &Scorer::digest, nb::arg("state"))
      .def("score", &Scorer::score, nb::arg("forward"), nb::arg("table"), nb::arg("weights_sha256"),
           nb::arg("tags"), nb::arg("again"), nb::arg("beside_training"), nb::arg("keep_going"),
           nb::arg("threads"));
  stop_where_python_does();
}

}  // namespace cortiscore::python
