#include "src/activations/extract.h"

#include <algorithm>
#include <mutex>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "cortiscore/error.h"
#include "src/core/parallel.h"
#include "src/core/stop.h"

namespace cortiscore {

Preprocessing preprocessing_of(const Network& network, double stimulus_degrees) {
  const auto& input = network.input();
  return {input.size, input.mean, input.std, input.degrees, stimulus_degrees};
}

std::vector<at::Tensor> extract(const Network& network,
                                Screen& screen,
                                const std::vector<std::string>& layers,
                                const std::function<void(int64_t)>& advance) {
  const at::NoGradGuard no_grad;
  const int64_t n = screen.size();
  std::vector<at::Tensor> activations;
  for (const auto& name : layers)
    activations.push_back(at::empty({n, network.layer(name).n_features()}, at::kFloat));
  std::mutex mutex;
  parallel_for((n + kMicroBatch - 1) / kMicroBatch, [&](int64_t batch_index) {
    check_stop();
    const int64_t begin = batch_index * kMicroBatch;
    const int64_t count = std::min(kMicroBatch, n - begin);
    auto images = screen.batch(begin, count, network.input().mean, network.input().std);
    if (count < kMicroBatch) {
      images = at::cat(
          {images, images.narrow(0, count - 1, 1).expand({kMicroBatch - count, -1, -1, -1})});
    }
    network.run(images, layers, [&](size_t layer, const at::Tensor& output) {
      if (output.dim() < 2 || output.size(0) != kMicroBatch ||
          output.numel() != kMicroBatch * activations[layer].size(1)) {
        throw bad_input({network.path(), "layer " + layers[layer],
                         "an output whose first axis is not the batch", "[batch, ...]",
                         "Choose another layer"});
      }
      activations[layer]
          .narrow(0, begin, count)
          .copy_(output.narrow(0, 0, count).reshape({count, -1}));
    });
    if (advance) {
      const std::lock_guard<std::mutex> lock(mutex);
      advance(count);
    }
  });
  return activations;
}

}  // namespace cortiscore
