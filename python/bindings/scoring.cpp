// Networks on benchmarks: archives, and modules as they stand in memory.
#include <map>
#include <optional>
#include <set>
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
#include "src/engine/options.h"
#include "src/engine/score_network.h"
#include "src/kinds/kinds.h"
#include "src/model/network_state.h"
#include "src/results/store.h"

namespace nb = nanobind;

namespace cortiscore::python {
namespace {

// Runs work that Python may ask to stop, and raises then what Python had raised.
template <typename Work>
void stoppable(const Work& work) {
  try {
    work();
  } catch (const Stopped&) {
    const nb::gil_scoped_acquire locked;
    rethrow_what_python_raised();
    throw;
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

// Benchmarks, and what modules in memory that are scored on them share: stimuli, recordings, folds
// and ceilings, each made once.
class Scorer {
 public:
  Scorer(const std::vector<std::string>& benchmarks,
         const std::optional<std::string>& results,
         const std::string& options)
      : workbench_(score_options(Json::parse(options)), /*many_networks=*/true) {
    for (const auto& name : benchmarks) benchmarks_.push_back(find_benchmark(name));
    check_regions(Json::parse(options).at("layers").get<std::map<std::string, std::string>>(),
                  benchmarks_);
    if (results) store_.emplace(*results);
  }

  /// What the modules are, found by running one: as live_program().
  /// @throws Error  a benchmark without its data, a layer that is none
  void open(const nb::object& forward, const std::string& table) {
    auto program = live_program(forward, table, false);
    const nb::gil_scoped_release released;
    const OneThread one;
    stoppable([&] {
      const auto name = program->identifier;
      const auto& of_run = workbench_.options();
      network_ = Network::in_memory(std::move(program), {name, sha256_of(table), ""}, of_run.device,
                                    of_run.load.precision);
      const auto candidate = candidate_of(*network_);
      for (const auto& benchmark : benchmarks_) {
        benchmark->recordings(workbench_);
        layers_for(candidate, *benchmark, of_run);
      }
    });
  }

  /// Stimuli that one evaluation shows.
  int64_t n_stimuli() {
    const nb::gil_scoped_release released;
    std::set<std::string> groups;
    int64_t n = 0;
    for (const auto& benchmark : benchmarks_) {
      const auto shown = shown_stimuli(*benchmark, workbench_);
      if (groups.insert(shown.group()).second) n += shown.stimuli->size() * shown.trials;
    }
    return n;
  }

  /// SHA-256 of a module's state: tensors on the CPU by their names.
  std::string digest(const std::vector<std::pair<std::string, nb::object>>& state) {
    std::vector<std::pair<std::string, at::Tensor>> tensors;
    for (const auto& [name, capsule] : state) tensors.emplace_back(name, tensor_in(capsule));
    const nb::gil_scoped_release released;
    std::vector<std::string> digests(tensors.size());
    parallel_for(static_cast<int64_t>(tensors.size()), [&](int64_t i) {
      const auto& [name, tensor] = tensors[static_cast<size_t>(i)];
      digests[static_cast<size_t>(i)] =
          name + " " + c10::str(tensor.scalar_type(), tensor.sizes()) + sha256_of_values(tensor);
    });
    std::string all;
    for (const auto& line : digests) all += line + "\n";
    return sha256_of(all);
  }

  /// Canonical JSON, one record a benchmark.
  /// @param keep_going  a benchmark that fails is a record of its failure
  std::vector<std::string> score(const nb::object& forward,
                                 const std::string& table,
                                 const std::string& weights_sha256,
                                 const std::string& tags,
                                 bool again,
                                 bool beside_training,
                                 bool keep_going) {
    auto program = live_program(forward, table, beside_training);
    const nb::gil_scoped_release released;
    const OneThread one;
    std::vector<std::string> records;
    stoppable([&] {
      auto* const store = store_ ? &*store_ : nullptr;
      const auto name = program->identifier;
      const auto candidate =
          candidate_of(network_->at_another_time(std::move(program), name, weights_sha256));
      const auto carried = Json::parse(tags);
      plan_scores(candidate, benchmarks_, workbench_, store, again);
      for (const auto& benchmark : benchmarks_) {
        std::optional<Failure> failure;
        const auto one_pair = [&] {
          records.push_back(canonical(
              score_pair(candidate, *benchmark, workbench_, store, again, carried).record));
        };
        if (!keep_going) {
          one_pair();
          continue;
        }
        if (!(failure = attempt(one_pair))) continue;
        auto record = failure_record(name, name, *benchmark, *failure);
        if (!carried.empty()) record["tags"] = carried;
        if (store) store->append(record);
        records.push_back(canonical(record));
      }
    });
    return records;
  }

 private:
  Workbench workbench_;
  Benchmarks benchmarks_;
  std::optional<Store> store_;
  std::optional<Network> network_;
};

}  // namespace

void define_scoring(nb::module_& module) {
  module.def("score", &score, nb::arg("network"), nb::arg("benchmarks"), nb::arg("results").none(),
             nb::arg("again"), nb::arg("options"));
  nb::class_<Scorer>(module, "Scorer")
      .def(nb::init<const std::vector<std::string>&, const std::optional<std::string>&,
                    const std::string&>(),
           nb::arg("benchmarks"), nb::arg("results").none(), nb::arg("options"))
      .def("open", &Scorer::open, nb::arg("forward"), nb::arg("table"))
      .def("n_stimuli", &Scorer::n_stimuli)
      .def("digest", &Scorer::digest, nb::arg("state"))
      .def("score", &Scorer::score, nb::arg("forward"), nb::arg("table"), nb::arg("weights_sha256"),
           nb::arg("tags"), nb::arg("again"), nb::arg("beside_training"), nb::arg("keep_going"));
  module.def("set_threads", &set_thread_count, nb::arg("n"));
  stop_where_python_does();
}

}  // namespace cortiscore::python
