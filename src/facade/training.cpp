#include "cortiscore/training.h"

#include <algorithm>
#include <exception>
#include <mutex>
#include <new>
#include <set>

#include <ATen/ATen.h>
#include <c10/util/Exception.h>

#include "src/core/failure.h"
#include "src/core/progress.h"
#include "src/data/arrays.h"
#include "src/facade/module_scorer.h"
#include "src/model/batch.h"

namespace cortiscore {
namespace {

// What a function of the user's threw, in words that do not take it for a defect of ours.
class Thrown final : public Error {
 public:
  Thrown(const std::string& name, const std::string& what)
      : Error(bad_input({name, "", what, "no exception", ""})),
        original_(std::current_exception()) {}
  [[noreturn]] void rethrow() const { std::rethrow_exception(original_); }

 private:
  std::exception_ptr original_;
};

// @param name  of the function, by which it is said what threw
template <typename Function, typename... Arguments>
auto called(const Function& function, const char* name, const Arguments&... arguments) {
  try {
    return function(arguments...);
  } catch (const Error&) {  // it says what was wrong by itself
    throw;
  } catch (const c10::OutOfMemoryError&) {  // as is
    throw;
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const c10::Error& error) {
    throw Thrown(name, error.what_without_backtrace());
  } catch (const std::exception& error) {
    throw Thrown(name, error.what());
  } catch (...) {
    throw Thrown(name, "an exception of unknown kind");
  }
}

// The user's function as a network: layers as it gives them.
class Handed final : public Program {
 public:
  Handed(const TrainedNetwork& network, const std::string& name) : forward_(network.forward) {
    in_user_process = true;
    identifier = name;
    input = {network.input_size, network.mean, network.std, network.degrees};
    const at::NoGradGuard no_grad;
    std::set<std::string> names;
    const auto size = network.input_size;
    for (const auto& [layer, tensor] :
         layers_of(at::zeros({2, 3, size, size}, at::device(network.device)))) {
      if (!names.insert(layer).second) {
        throw bad_input({name, "forward", "layer " + layer + " twice", "each name once", ""});
      }
      Layer found{layer, "", layer, tensor.sizes().vec(), {}};
      found.unusable = not_features(tensor.scalar_type(), found.shape);
      layers.push_back(std::move(found));
    }
  }

  void run(const at::Tensor& batch,
           const std::vector<std::string>& wanted,
           const Network::Tap& tap) const override {
    const at::NoGradGuard no_grad;
    NamedTensors given;
    {
      const std::lock_guard<std::mutex> one_at_a_time(mutex_);
      given = layers_of(batch);
    }
    for (size_t i = 0; i < wanted.size(); ++i) {
      const auto found = std::find_if(given.begin(), given.end(),
                                      [&](const auto& layer) { return layer.first == wanted[i]; });
      if (found == given.end()) {
        throw bad_input({identifier, "forward", "no layer " + wanted[i],
                         "the layers that it gave at first", ""});
      }
      tap(i, found->second);
    }
  }

  std::string layers_sha256() const {
    std::string text;
    for (const auto& layer : layers) text += layer.name + " " + shape_text(layer.shape) + "\n";
    return sha256_of(text);
  }

 private:
  NamedTensors layers_of(const at::Tensor& images) const {
    return called(forward_, "forward", images);
  }

  std::function<NamedTensors(const at::Tensor&)> forward_;
  mutable std::mutex mutex_;
};

// The states of the generators that a pass could draw from.
std::vector<at::Generator> generators_of(const at::Device& device) {
  std::vector<at::Generator> all = {at::globalContext().defaultGenerator(at::kCPU)};
  if (!device.is_cpu()) all.push_back(at::globalContext().defaultGenerator(device));
  return all;
}

// What a pass has drawn is put back, and that it has is said.
class SameDraws {
 public:
  explicit SameDraws(const at::Device& device) : generators_(generators_of(device)) {
    for (const auto& generator : generators_) before_.push_back(generator.get_state());
  }
  ~SameDraws() {
    for (size_t i = 0; i < generators_.size(); ++i) generators_[i].set_state(before_[i]);
  }
  SameDraws(const SameDraws&) = delete;
  SameDraws& operator=(const SameDraws&) = delete;

  bool drawn() const {
    for (size_t i = 0; i < generators_.size(); ++i) {
      if (!generators_[i].get_state().equal(before_[i])) return true;
    }
    return false;
  }

 private:
  std::vector<at::Generator> generators_;
  std::vector<at::Tensor> before_;
};

std::string with_device(const std::string& options, const at::Device& device) {
  auto named = options_of(options);
  named["device"] = device.str();
  named["make_null"] = false;  // a training does not wait for it
  return named.dump();
}

}  // namespace

struct Probe::State {
  ProbeOptions options;
  std::unique_ptr<ModuleScorer> scorer;
  int64_t failures = 0;

  std::vector<std::string> evaluate(int64_t step, const TrainedNetwork& network) {
    const auto end = [&] {
      if (network.end) called(network.end, "end");
    };
    std::vector<std::string> records;
    try {
      if (network.begin) called(network.begin, "begin");
      records = evaluate_between(step, network);
    } catch (...) {
      end();
      throw;
    }
    end();
    return records;
  }

  std::vector<std::string> evaluate_between(int64_t step, const TrainedNetwork& network) {
    const SameDraws draws(network.device);
    const auto name = options.run + "-step" + std::to_string(step);
    const auto program = std::make_shared<Handed>(network, name);
    if (draws.drawn()) {
      throw bad_input({name, "forward", "a pass that draws random numbers",
                       "the same layers every time", "Take the drawing out of it in eval mode"});
    }
    if (!scorer) {
      auto fresh = std::make_unique<ModuleScorer>(options.benchmarks, options.results,
                                                  with_device(options.options, network.device));
      fresh->open(program, program->layers_sha256());
      scorer = std::move(fresh);
    }
    const auto weights = network.state ? digest_of(called(network.state, "state")) : std::string();
    const Json tags = {{"run", options.run}, {"step", std::to_string(step)}};
    // Without a state nothing says that the weights are those of a stored score.
    return scorer->score(program, weights, tags, /*again=*/!network.state, !options.throw_errors);
  }
};

Probe::Probe(ProbeOptions options) : state_(std::make_unique<State>()) {
  if (options.every < 1) {
    throw Error(ErrorKind::kUsage,
                "every: found " + std::to_string(options.every) + ", expected 1 step or more.");
  }
  // Names that are none are said before training.
  const ModuleScorer tried(options.benchmarks, {}, with_device(options.options, at::kCPU));
  if (options.results && !options.resume) check_new_run(*options.results, options.run);
  state_->options = std::move(options);
}

Probe::~Probe() = default;

int64_t Probe::failures() const {
  return state_->failures;
}

std::optional<std::vector<std::string>> Probe::step(int64_t step, const TrainedNetwork& network) {
  if (step % state_->options.every != 0) return std::nullopt;
  if (state_->options.throw_errors) {
    try {
      return state_->evaluate(step, network);
    } catch (const Thrown& thrown) {
      thrown.rethrow();
    }
  }
  try {
    auto records = state_->evaluate(step, network);
    for (const auto& text : records) {
      const auto record = Json::parse(text);
      if (record.at("status") == "ok") continue;
      ++state_->failures;
      const auto text_of = [&](const char* name) { return record.at(name).get<std::string>(); };
      log_line("step " + std::to_string(step) + ": " + text_of("benchmark_identifier") + ": " +
               text_of("message"));
    }
    return records;
  } catch (...) {  // whatever a user's module throws: training goes on
    ++state_->failures;
    log_line("step " + std::to_string(step) +
             ": an evaluation failed, and training goes on: " + current_failure().message);
    return std::nullopt;
  }
}

}  // namespace cortiscore
