// Trains a small LibTorch network on noise, and scores it while it does:
// training BENCHMARK [STEPS [EVERY]]
#include <cstdio>
#include <string>

#include <cortiscore/training.h>

#include <torch/torch.h>

struct NetImpl : torch::nn::Module {
  torch::nn::Conv2d conv{torch::nn::Conv2dOptions(3, 12, 5).stride(2)};
  torch::nn::BatchNorm2d norm{12};
  torch::nn::Linear head{48, 10};
  NetImpl() {
    register_module("conv", conv);
    register_module("norm", norm);
    register_module("head", head);
  }
  // Every layer that may be scored, by its name; the last is the output.
  cortiscore::NamedTensors layers(const at::Tensor& images) {
    const auto maps = norm->forward(conv->forward(images)).relu();
    const auto pooled = torch::adaptive_avg_pool2d(maps, {2, 2}).flatten(1);
    return {{"maps", maps}, {"pooled", pooled}, {"logits", head->forward(pooled)}};
  }
};
TORCH_MODULE(Net);

int run(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s BENCHMARK [STEPS [EVERY]]\n", argv[0]);
    return 2;
  }
  torch::manual_seed(0);
  Net net;
  torch::optim::SGD optimizer(net->parameters(), torch::optim::SGDOptions(0.1).momentum(0.9));

  cortiscore::ProbeOptions options;
  options.benchmarks = {argv[1]};
  options.every = argc > 3 ? std::stoll(argv[3]) : 20;
  options.options = R"({"layers": {"": "pooled"}, "bootstrap": 100})";
  cortiscore::Probe probe(options);
  const auto network = cortiscore::trained_network(
      net, 64, [net](const at::Tensor& images) mutable { return net->layers(images); });

  const int64_t steps = argc > 2 ? std::stoll(argv[2]) : 60;
  for (int64_t step = 1; step <= steps; ++step) {
    const auto images = torch::randn({8, 3, 64, 64});
    const auto labels = torch::randint(0, 10, {8}, torch::kLong);
    optimizer.zero_grad();
    const auto loss = torch::cross_entropy_loss(net->layers(images).back().second, labels);
    loss.backward();
    optimizer.step();
    std::fprintf(stderr, "%.17g\n", loss.item<double>());
    if (const auto records = probe.step(step, network))
      for (const auto& record : *records) std::printf("%s\n", record.c_str());
  }
  return probe.failures() ? 1 : 0;
}

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const cortiscore::Error& error) {  // a name or an option that is wrong, before training
    std::fprintf(stderr, "%s\n", error.what());
    return error.exit_code();
  }
}
