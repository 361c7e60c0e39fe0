#include "src/core/stage.h"

#include <chrono>
#include <exception>
#include <mutex>
#include <utility>

#include "src/core/stage_ranges.h"

namespace cortiscore {
namespace {

int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// A span that has not ended.
struct Open {
  StageName stage;
  std::string detail;
  int64_t begin_ns;
};

// What one thread has been in. Only that thread writes.
struct OfThread {
  int64_t thread;
  std::vector<Open> open;
  std::vector<StageSpan> ended;
};

std::atomic<uint64_t> g_logs{0};  // a log may come to the place of one that is gone

}  // namespace

struct StageLog::State {
  std::function<void()> settle;
  uint64_t number = ++g_logs;
  int64_t begin_ns = now_ns();
  mutable std::mutex mutex;
  std::vector<std::unique_ptr<OfThread>> threads;
};

std::atomic<StageLog::State*> Stage::current_log{nullptr};

namespace {

thread_local uint64_t t_log = 0;
thread_local OfThread* t_spans = nullptr;
thread_local bool t_off = false;

}  // namespace

const char* name_of(StageName stage) {
  switch (stage) {
    case StageName::kOpen:
      return "open";
    case StageName::kRecordings:
      return "recordings";
    case StageName::kDecode:
      return "decode";
    case StageName::kPlace:
      return "place";
    case StageName::kForward:
      return "forward";
    case StageName::kKeep:
      return "keep";
    case StageName::kReduce:
      return "reduce";
    case StageName::kMapping:
      return "mapping";
    case StageName::kCeiling:
      return "ceiling";
    case StageName::kResample:
      return "resample";
    case StageName::kStore:
      return "store";
    case StageName::kOther:
      return "other";
  }
  return "";
}

StagesOff::StagesOff() {
  t_off = true;
}

StagesOff::~StagesOff() {
  t_off = false;
}

StageLog::StageLog(std::function<void()> settle) : state_(std::make_unique<State>()) {
  state_->settle = std::move(settle);
  Stage::current_log = state_.get();
}

StageLog::~StageLog() {
  Stage::current_log = nullptr;
}

std::vector<StageSpan> StageLog::spans() const {
  const std::lock_guard<std::mutex> lock(state_->mutex);
  std::vector<StageSpan> all;
  for (const auto& of_thread : state_->threads)
    all.insert(all.end(), of_thread->ended.begin(), of_thread->ended.end());
  return all;
}

Stage::Here Stage::here() {
  const auto* log = current_log.load();
  if (!log || t_log != log->number || t_spans->open.empty()) return {};
  const auto& innermost = t_spans->open.back();
  return {true, innermost.stage, innermost.detail};
}

void Stage::begin(StageName name, std::string_view detail) {
  auto* log = current_log.load();
  if (!log || t_off) return;
  if (t_log != log->number) {
    const std::lock_guard<std::mutex> lock(log->mutex);
    log->threads.push_back(std::make_unique<OfThread>());
    t_spans = log->threads.back().get();
    t_spans->thread = static_cast<int64_t>(log->threads.size()) - 1;
    t_log = log->number;
  }
  auto& open = t_spans->open;
  if (!open.empty()) {
    const auto outer = open.back().stage;
    if ((outer == StageName::kCeiling || outer == StageName::kResample) &&
        (name == StageName::kMapping || name == StageName::kResample || name == StageName::kReduce))
      return;
    if (outer == name && detail.empty()) return;
  }
  if (log->settle) log->settle();
  range_begins(name_of(name), std::string(detail));
  open.push_back({name, std::string(detail), now_ns()});
  kept_ = true;
}

void Stage::go_on(std::string_view detail) {
  const auto* log = current_log.load();
  if (!log || t_log != log->number) return;
  const auto stage = t_spans->open.back().stage;
  end();
  kept_ = false;
  begin(stage, detail);
}

void Stage::end() {
  auto* log = current_log.load();
  if (!log || t_log != log->number) return;
  try {
    if (log->settle) log->settle();
  } catch (const std::exception&) {
    // Its next operator says so.
  }
  range_ends();
  auto open = std::move(t_spans->open.back());
  t_spans->open.pop_back();
  t_spans->ended.push_back({open.stage, std::move(open.detail), open.begin_ns - log->begin_ns,
                            now_ns() - log->begin_ns, t_spans->thread,
                            static_cast<int64_t>(t_spans->open.size())});
}

}  // namespace cortiscore
