#include "src/activations/extract.h"

#include <algorithm>
#include <mutex>
#include <optional>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "cortiscore/error.h"
#include "src/activations/micro_batch_graph.h"
#include "src/core/device.h"
#include "src/core/parallel.h"
#include "src/core/progress.h"
#include "src/core/stage.h"
#include "src/core/stop.h"
#include "src/stimuli/microsaccades.h"

namespace cortiscore {

namespace {

// Recording takes three micro-batches, and a pass of so many wins them back.
constexpr int64_t kWorthRecording = 16;

// What autocast keeps of weights lives as long as a pass does.
struct CastWeights {
  explicit CastWeights(bool kept) : kept_(kept) {}
  ~CastWeights() {
    if (kept_) Network::clear_cast_weights();
  }
  CastWeights(const CastWeights&) = delete;
  CastWeights& operator=(const CastWeights&) = delete;

 private:
  bool kept_;
};

}  // namespace

Preprocessing preprocessing_of(const Network& network, double stimulus_degrees) {
  const auto& input = network.input();
  return {input.size, input.mean, input.std, input.degrees,
          stimulus_degrees > 0 ? stimulus_degrees : input.degrees};
}

void stream(const Network& network,
            Screen& screen,
            const std::vector<std::string>& layers,
            const Keep& keep,
            const std::function<void(int64_t)>& advance,
            PassSeconds* seconds,
            int64_t lanes) {
  const at::NoGradGuard no_grad;
  const auto& device = network.device();
  const int64_t n = screen.size();
  const int64_t micro_batch = network.micro_batch();
  std::vector<Layer> described;
  for (const auto& layer : layers) described.push_back(network.layer(layer));
  const Normaliser normalise(network.input().mean, network.input().std, device);
  const auto count_of = [&](int64_t batch) {
    return std::min(micro_batch, n - batch * micro_batch);
  };
  const auto decode = [&](int64_t batch) {
    check_stop();
    return screen.pixels(batch * micro_batch, count_of(batch));
  };
  std::mutex mutex;
  PassSeconds spent;
  const int64_t n_batches = (n + micro_batch - 1) / micro_batch;
  std::unique_ptr<MicroBatchGraph> recorded;
  const auto forward = [&](int64_t batch, const at::Tensor& pixels, double decode_s) {
    const int64_t count = count_of(batch);
    const Timer normalising;
    std::optional<Stage> placing(StageName::kPlace);
    auto images = normalise(pixels);
    if (const auto shifts = screen.shifts(batch * micro_batch, count); !shifts.empty())
      images = moved(images, shifts);
    if (count < micro_batch) {
      images = at::cat(
          {images, images.narrow(0, count - 1, 1).expand({micro_batch - count, -1, -1, -1})});
    }
    placing.reset();
    const double normalise_s = normalising.seconds();
    double keep_s = 0;
    if (batch == 0 && network.cuda_graphs() && n_batches >= kWorthRecording) {
      const StagesOff recording;
      recorded = MicroBatchGraph::record(network, layers, images);
    }
    const Timer running;
    const Stage passing(StageName::kForward);
    const auto tap = [&](size_t layer, const at::Tensor& output) {
      const Timer keeping;
      const Stage of_layer(StageName::kKeep, layers[layer]);
      const auto rows = described[layer].rows(output, micro_batch);
      if (!rows.defined()) {
        throw bad_input({network.path(), "layer " + layers[layer],
                         "an output " + shape_text(output.sizes().vec()) + " of " +
                             std::to_string(micro_batch) + " stimuli",
                         "the features of every stimulus", "Choose another layer"});
      }
      keep(layer, batch * micro_batch, count, rows);
      keep_s += keeping.seconds();
    };
    if (recorded) {
      recorded->run(images, tap);
    } else {
      network.run(images, layers, tap);
    }
    const double run_s = running.seconds();
    const std::lock_guard<std::mutex> lock(mutex);
    spent.decode += decode_s;
    spent.normalise += normalise_s;
    spent.network += run_s - keep_s;
    spent.keep += keep_s;
    if (advance) advance(count);
  };
  const CastWeights cast_weights(network.keeps_cast_weights());
  if (device.is_cpu()) {
    parallel_for(
        n_batches,
        [&](int64_t batch) {
          const Timer decoding;
          const auto pixels = decode(batch);
          forward(batch, pixels, decoding.seconds());
        },
        lanes);
    if (seconds) {
      const auto threads = static_cast<double>(std::min({n_batches, lanes, thread_count()}));
      seconds->decode += spent.decode / threads;
      seconds->normalise += spent.normalise / threads;
      seconds->network += spent.network / threads;
      seconds->keep += spent.keep / threads;
    }
    return;
  }
  std::optional<ReproducibleFloat32> exact;
  if (!network.beside_training()) exact.emplace(network.precision() == ForwardPrecision::kTf32);
  for (int64_t first = 0; first < n_batches; first += thread_count()) {
    std::vector<at::Tensor> decoded(
        static_cast<size_t>(std::min(thread_count(), n_batches - first)));
    parallel_for(static_cast<int64_t>(decoded.size()),
                 [&](int64_t i) { decoded[static_cast<size_t>(i)] = decode(first + i); });
    for (size_t i = 0; i < decoded.size(); ++i)
      forward(first + static_cast<int64_t>(i), decoded[i], 0);
  }
  synchronize(device);
}

KeptColumns::KeptColumns(const Network& network, int64_t n_stimuli, Columns columns)
    : values(at::empty({n_stimuli, columns.width}, at::device(network.device()).dtype(at::kFloat))),
      columns_(columns) {}

void KeptColumns::keep(int64_t first, int64_t count, const at::Tensor& rows) {
  values.narrow(0, first, count)
      .copy_(rows.narrow(0, 0, count).narrow(1, columns_.first, columns_.width));
}

std::vector<at::Tensor> extract(const Network& network,
                                Screen& screen,
                                const std::vector<std::string>& layers,
                                const std::function<void(int64_t)>& advance) {
  std::vector<KeptColumns> kept;
  for (const auto& layer : layers)
    kept.emplace_back(network, screen.size(), Columns{0, network.layer(layer).n_features()});
  stream(
      network, screen, layers,
      [&](size_t layer, int64_t first, int64_t count, const at::Tensor& rows) {
        kept[layer].keep(first, count, rows);
      },
      advance);
  std::vector<at::Tensor> activations;
  for (auto& layer : kept) activations.push_back(std::move(layer.values));
  return activations;
}

}  // namespace cortiscore
