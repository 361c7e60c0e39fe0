#include <utility>

#include <ATen/ATen.h>
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <c10/util/Exception.h>

#include "src/activations/micro_batch_graph.h"
#include "src/core/device.h"
#include "src/core/progress.h"

namespace cortiscore {
namespace {

class Recorded final : public MicroBatchGraph {
 public:
  explicit Recorded(const at::Tensor& images)
      : images_(images.clone()), pool_(at::cuda::graph_pool_handle()) {}

  void record(const Network& network, const std::vector<std::string>& layers) {
    try {
      begin();
      network.run(images_, layers, [&](size_t layer, const at::Tensor& output) {
        auto& segment = segments_.back();
        segment.graph->capture_end();
        segment.layer = layer;
        // Without a share in the memory, so that what is recorded after this may overwrite it, as
        // it does when it runs.
        segment.output = at::from_blob(
            output.data_ptr(), output.sizes(), output.strides(), [](void*) {}, output.options(),
            output.device());
        if (segments_.size() < layers.size()) begin();
      });
    } catch (...) {
      abandon();
      throw;
    }
  }

  void run(const at::Tensor& images, const Network::Tap& tap) override {
    images_.copy_(images);
    for (const auto& segment : segments_) {
      segment.graph->replay();
      tap(segment.layer, segment.output);
    }
  }

 private:
  struct Segment {
    std::unique_ptr<at::cuda::CUDAGraph> graph;
    size_t layer = 0;
    at::Tensor output;
  };

  // Segments share their memory: they run again in the order in which they were recorded. Other
  // threads of the process, a training loop's among them, may do as they like meanwhile.
  void begin() {
    segments_.push_back({std::make_unique<at::cuda::CUDAGraph>(), 0, {}});
    segments_.back().graph->capture_begin(pool_, cudaStreamCaptureModeThreadLocal);
  }

  // After what cannot be recorded: the stream, the allocator and Torch's generator have to learn
  // that recording is over. What fails here has ended already, or failed for the reason that is on
  // its way to the caller.
  void abandon() {
    const auto regardless = [](const auto& work) {
      try {
        work();
      } catch (const std::exception&) {
        cudaGetLastError();
      }
    };
    regardless([&] { segments_.back().graph->capture_end(); });
    regardless([&] {
      c10::cuda::CUDACachingAllocator::endAllocateToPool(images_.device().index(), pool_);
    });
    segments_.clear();
    regardless([&] {  // the generator learns it from a recording that succeeds
      at::cuda::CUDAGraph other;
      other.capture_begin();
      images_.add(1);
      other.capture_end();
    });
  }

  at::Tensor images_;
  c10::MempoolId_t pool_;
  std::vector<Segment> segments_;
};

// The bits of every layer that `run` gives to a tap, summed as integers: [n_layers] int64.
template <typename Run>
at::Tensor bits_of(size_t n_layers, const at::Tensor& like, const Run& run) {
  auto sums = at::zeros({static_cast<int64_t>(n_layers)}, like.options().dtype(at::kLong));
  run([&](size_t layer, const at::Tensor& output) {
    const auto size = output.element_size();
    const auto type = size == 8   ? at::kLong
                      : size == 4 ? at::kInt
                      : size == 2 ? at::kShort
                                  : at::kByte;
    sums[static_cast<int64_t>(layer)] += output.contiguous().view(type).sum(at::kLong);
  });
  return sums;
}

}  // namespace

std::unique_ptr<MicroBatchGraph> MicroBatchGraph::record(const Network& network,
                                                         const std::vector<std::string>& layers,
                                                         const at::Tensor& images) {
  const c10::cuda::CUDAGuard device(images.device());
  const auto side = c10::cuda::getStreamFromPool(false, images.device().index());
  auto recorded = std::make_unique<Recorded>(images);
  synchronize(images.device());  // what the other stream is about to read
  std::string why;
  try {
    const c10::cuda::CUDAStreamGuard on(side);
    // First as it is: libraries make handles, plans and workspaces in a first run, and may not
    // while it is recorded.
    const auto plain = bits_of(layers.size(), images,
                               [&](const Network::Tap& tap) { network.run(images, layers, tap); });
    recorded->record(network, layers);
    const auto again = bits_of(layers.size(), images,
                               [&](const Network::Tap& tap) { recorded->run(images, tap); });
    if (!at::equal(plain, again)) why = "the recording gives other bits";
  } catch (const c10::Error& e) {
    why = e.what_without_backtrace();
  }
  synchronize(images.device());
  if (why.empty()) return recorded;
  log_line("--cuda-graphs: " + network.identifier() +
           " is run operator by operator, since it cannot be recorded: " +
           why.substr(0, why.find('\n')));
  return nullptr;
}

}  // namespace cortiscore
