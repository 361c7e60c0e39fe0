// What becomes of a training whose probe fails: probe_failures BENCHMARK FOLDER. A line on stdout
// for every step of every case, "CASE STEP: FAILURES so far; ok, failed or nothing", and on stderr
// what the probe says, each case headed by its name. It ends with 1 where an evaluation, whatever
// became of it, has left something of the training changed.
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include <cortiscore/training.h>
#include <sys/resource.h>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

namespace {

struct LensFellOff : std::runtime_error {
  LensFellOff() : std::runtime_error("the lens fell off") {}
};

void expect(bool holds, const char* what) {
  if (holds) return;
  std::printf("not as it was: %s\n", what);
  std::exit(1);
}

// One matrix behind an average over places, trained on noise. What goes wrong with it is set from
// outside.
struct Net {
  at::Tensor weight = at::eye(48).requires_grad_();
  std::function<void(const at::Tensor&)> fault = [](const at::Tensor&) {};
  int64_t begun = 0, ended = 0, passes = 0;

  at::Tensor features(const at::Tensor& images) const {
    return at::adaptive_avg_pool2d(images, {4, 4}).flatten(1).matmul(weight);
  }

  cortiscore::TrainedNetwork trained() {
    cortiscore::TrainedNetwork network;
    network.input_size = 32;
    network.forward = [this](const at::Tensor& images) -> cortiscore::NamedTensors {
      fault(images);
      passes += images.size(0) > 2;  // of stimuli, not of the first look
      return {{"features", features(images)}};
    };
    network.state = [this]() -> cortiscore::NamedTensors { return {{"weight", weight}}; };
    network.begin = [this] { ++begun; };
    network.end = [this] { ++ended; };
    return network;
  }

  void train() {
    const auto before = weight.detach().clone();
    features(at::randn({8, 3, 32, 32})).pow(2).mean().backward();
    const at::NoGradGuard no_grad;
    weight -= 0.1 * weight.grad();
    weight.mutable_grad().reset();
    expect(!weight.equal(before), "that it trains");
  }
};

class Case {
 public:
  Case(const char* name, cortiscore::ProbeOptions options) : name_(name) {
    std::fprintf(stderr, "== %s\n", name);
    try {
      probe_ = std::make_unique<cortiscore::Probe>(std::move(options));
    } catch (const cortiscore::Error& error) {
      std::printf("%s: refused, %d: %s\n", name, error.exit_code(), error.what());
    }
  }

  void step(int64_t step) {
    net.train();
    evaluate(step);
  }

  void evaluate(int64_t step) {
    const auto network = net.trained();
    const auto& generator = at::globalContext().defaultGenerator(at::kCPU);
    const auto drawn = generator.get_state();
    const auto weight = net.weight.detach().clone();
    const auto threads = at::get_num_threads();
    std::string found = "nothing";
    try {
      if (const auto records = probe_->step(step, network)) {
        const bool ok = records->at(0).find(R"("status":"ok")") != std::string::npos;
        found = records->size() == 1 && ok ? "ok" : "failed";
      }
    } catch (const LensFellOff&) {  // as it was thrown
      found = "a lens";
    }
    std::printf("%s %d: %d; %s\n", name_, static_cast<int>(step),
                static_cast<int>(probe_->failures()), found.c_str());
    expect(generator.get_state().equal(drawn), "random numbers");
    expect(net.weight.equal(weight) || weight.isnan().any().item<bool>(), "weights");
    expect(at::GradMode::is_enabled() && net.weight.requires_grad(), "gradients");
    expect(at::get_num_threads() == threads, "threads");
    expect(net.begun == net.ended, "every begin has its end");
  }

  Net net;

 private:
  const char* name_;
  std::unique_ptr<cortiscore::Probe> probe_;
};

// Files of this process can grow so far from here on.
void limit_files(rlim_t bytes) {
  rlimit limit{};
  getrlimit(RLIMIT_FSIZE, &limit);
  limit.rlim_cur = bytes;
  setrlimit(RLIMIT_FSIZE, &limit);
}

void run(const std::string& benchmark, const std::string& folder) {
  cortiscore::ProbeOptions options;
  options.benchmarks = {benchmark};
  options.every = 1;
  options.options = R"({"layers": {"": "features"}, "bootstrap": 20})";
  const auto throws = [](const at::Tensor&) { throw LensFellOff(); };
  const auto none = [](const at::Tensor&) {};

  {
    Case first_look("throws at first", options);
    first_look.net.fault = throws;
    first_look.step(1);
    first_look.net.fault = none;
    first_look.step(2);
  }
  {
    Case later("throws later", options);
    later.step(1);
    later.net.fault = [](const at::Tensor& images) {
      if (images.size(0) > 2) throw LensFellOff();
    };
    later.step(2);
    later.net.fault = [](const at::Tensor& images) { images.matmul(at::zeros({5, 5})); };
    later.step(3);
    later.net.fault = none;
    later.step(4);
  }
  {
    auto strict = options;
    strict.throw_errors = true;
    Case thrown("throws, and so does the probe", strict);
    thrown.net.fault = throws;
    thrown.step(1);
    thrown.net.fault = [](const at::Tensor& images) {
      if (images.size(0) > 2) throw LensFellOff();
    };
    thrown.step(2);
    thrown.net.fault = none;
    thrown.step(3);
  }
  for (const bool at_first : {true, false}) {
    Case nan(at_first ? "nan at first" : "nan later", options);
    if (!at_first) nan.step(1);
    const auto before = nan.net.weight.detach().clone();
    {
      const at::NoGradGuard no_grad;
      nan.net.weight.index_put_({0, 0}, at::scalar_tensor(std::nan("")));
    }
    nan.step(2);
    {
      const at::NoGradGuard no_grad;
      nan.net.weight.copy_(before);
    }
    nan.step(3);
  }
  {
    auto other = options;
    other.options = R"({"layers": {"": "feature"}, "bootstrap": 20})";
    Case layer("no such layer", other);
    layer.step(1);
    layer.step(2);
  }
  {
    auto stored = options;
    stored.results = folder + "/store";
    stored.run = "mine";
    Case full("a disk that is full", stored);
    std::signal(SIGXFSZ, SIG_IGN);  // so that writing fails with an error
    limit_files(0);
    full.step(1);
    limit_files(RLIM_INFINITY);
    full.step(2);
    full.step(3);
    const Case second("another of that name", stored);
    stored.resume = true;
    Case resumed("resumed", stored);
    {
      const at::NoGradGuard no_grad;
      resumed.net.weight.copy_(full.net.weight);
    }
    resumed.evaluate(3);
    expect(resumed.net.passes == 0, "that what is stored is not scored again");
    stored.resume = false;
    stored.results = folder + "/file";
    const Case file("a store that is a file", stored);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  run(argv[1], argv[2]);
  return 0;
}
