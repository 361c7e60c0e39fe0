#include "src/activations/in_step.h"

#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include <ATen/ThreadLocalState.h>

#include "src/core/caller.h"
#include "src/core/parallel.h"
#include "src/core/stage.h"

namespace cortiscore {
namespace {

struct Abandoned {};

class Steps {
 public:
  Steps(FeatureBlocks& blocks, const std::vector<std::function<void(FeatureBlocks&)>>& reductions)
      : blocks_(blocks) {
    for (const auto& reduction : reductions)
      runs_.push_back(std::make_unique<Run>(*this, reduction));
  }

  ~Steps() {
    abandoned_ = true;
    for (auto& run : runs_) {
      while (run->thread.joinable() && !run->done) give_turn(*run);
      if (run->thread.joinable()) run->thread.join();
    }
  }
  Steps(const Steps&) = delete;
  Steps& operator=(const Steps&) = delete;

  void go() {
    for (;;) {
      std::vector<const FeatureBlocks::Visit*> visits;
      for (auto& run : runs_) {
        if (!run->done) give_turn(*run);
        if (run->failure) std::rethrow_exception(run->failure);
        if (!run->done) visits.push_back(run->visit);
      }
      if (visits.empty()) return;
      blocks_.each([&](int64_t first, const at::Tensor& columns) {
        for (const auto* visit : visits) (*visit)(first, columns);
      });
    }
  }

 private:
  struct Run final : public FeatureBlocks {
    Run(Steps& all, const std::function<void(FeatureBlocks&)>& work)
        : FeatureBlocks(all.blocks_.rows(), all.blocks_.features()), steps(all), reduction(work) {}

    void each(const Visit& asked) override {
      visit = &asked;
      steps.give_back(*this);
      if (steps.abandoned_) throw Abandoned{};
    }

    Steps& steps;
    const std::function<void(FeatureBlocks&)>& reduction;
    std::thread thread;
    const Visit* visit = nullptr;
    bool done = false;
    std::exception_ptr failure;
  };

  // Until the run gives the turn back.
  void give_turn(Run& run) {
    std::unique_lock<std::mutex> lock(mutex_);
    turn_ = &run;
    if (!run.thread.joinable())
      run.thread = std::thread([this, &run, state = at::ThreadLocalState(), stage = Stage::here()] {
        std::optional<Stage> of_caller;
        if (stage.any) of_caller.emplace(stage.name, stage.detail);
        live(run, state);
      });
    moved_.notify_all();
    moved_.wait(lock, [&] { return !turn_; });
  }

  // Until it is given again.
  void give_back(Run& run) {
    const Stage waiting(StageName::kOther);  // the caller works meanwhile
    std::unique_lock<std::mutex> lock(mutex_);
    turn_ = nullptr;
    moved_.notify_all();
    if (!run.done) moved_.wait(lock, [&] { return turn_ == &run; });
  }

  void live(Run& run, const at::ThreadLocalState& state) {
    const at::ThreadLocalStateGuard as_the_caller(state);
    const CallerStream::Here on_stream(stream_);
    const OneThread one;
    try {
      run.reduction(run);
    } catch (const Abandoned&) {
      // Another failed, and says so.
    } catch (...) {
      run.failure = std::current_exception();
    }
    run.done = true;
    give_back(run);
  }

  FeatureBlocks& blocks_;
  const CallerStream stream_;
  std::mutex mutex_;
  std::condition_variable moved_;
  Run* turn_ = nullptr;  // whose turn it is; null: the caller's
  bool abandoned_ = false;
  std::vector<std::unique_ptr<Run>> runs_;
};

}  // namespace

void reduce_in_step(FeatureBlocks& blocks,
                    const std::vector<std::function<void(FeatureBlocks&)>>& reductions) {
  Steps(blocks, reductions).go();
}

}  // namespace cortiscore
