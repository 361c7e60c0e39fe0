#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace cortiscore {

/// While it lives, the calling thread enters no stage: launches are recorded, which must not be
/// waited for.
class StagesOff {
 public:
  StagesOff();
  ~StagesOff();
  StagesOff(const StagesOff&) = delete;
  StagesOff& operator=(const StagesOff&) = delete;
};

/// What a scoring job goes through, by the names that profiles, traces and NVTX ranges have.
enum class StageName {
  kOpen,        ///< a network's file, or weights
  kRecordings,  ///< a benchmark's files, and what is checked of them
  kDecode,      ///< image files to pixels
  kPlace,       ///< pixels on the network's screen, resized and normalised
  kForward,     ///< the network itself
  kKeep,        ///< layers that are asked for, copied out of a micro-batch
  kReduce,      ///< activations to what a metric looks at
  kMapping,     ///< a metric between a layer and recordings
  kCeiling,     ///< what the data's own noise allows
  kResample,    ///< bootstraps
  kStore,       ///< a record, until it is durable
  kOther        ///< the rest of a job
};
constexpr size_t kStages = static_cast<size_t>(StageName::kOther) + 1;
const char* name_of(StageName stage);

/// A thread's time in a stage, with what is within it.
struct StageSpan {
  StageName stage = StageName::kOther;
  std::string detail;                ///< a layer, a group of layers, a benchmark; may be empty
  int64_t begin_ns = 0, end_ns = 0;  ///< since the log was made, by the steady clock
  int64_t thread = 0;                ///< of those that the log has seen, in order
  int64_t depth = 0;                 ///< how many of that thread's spans it is in
};

/// Keeps the spans of all threads while it lives. One at a time.
class StageLog {
 public:
  /// @param settle  called before a span begins or ends: waits for a device, whose work would
  ///                otherwise be counted where it is waited for
  explicit StageLog(std::function<void()> settle = {});
  ~StageLog();
  StageLog(const StageLog&) = delete;
  StageLog& operator=(const StageLog&) = delete;

  /// Those that have ended, by thread and end. No thread may be in a stage but the caller's.
  std::vector<StageSpan> spans() const;

 private:
  friend class Stage;
  struct State;
  std::unique_ptr<State> state_;
};

/// The calling thread is in a stage while it lives; the innermost counts. Without a log it reads
/// one pointer and does nothing. What is a part of a ceiling or of a bootstrap stays that: mappings
/// that those make are theirs.
class Stage {
 public:
  /// @param detail  copied where there is a log
  explicit Stage(StageName name, std::string_view detail = {}) {
    if (current_log.load(std::memory_order_relaxed)) begin(name, detail);
  }
  ~Stage() {
    if (kept_) end();
  }
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  /// Another part of the same stage begins.
  void next(std::string_view detail) {
    if (kept_) go_on(detail);
  }

  /// Whether there is a log.
  static bool kept() { return current_log.load(std::memory_order_relaxed) != nullptr; }

  /// What the calling thread is in, for threads that work for it.
  struct Here {
    bool any = false;
    StageName name = StageName::kOther;
    std::string detail;
  };
  static Here here();

 private:
  friend class StageLog;
  static std::atomic<StageLog::State*> current_log;
  void begin(StageName name, std::string_view detail);
  void go_on(std::string_view detail);
  void end();
  bool kept_ = false;
};

}  // namespace cortiscore
