#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace cortiscore {

/// Bytes that a reduction takes.
struct ReductionMemory {
  int64_t kept = 0;     ///< of what it gives
  int64_t working = 0;  ///< while it runs, beside the columns that it is given
};

/// A layer, for planning.
struct LayerToPlan {
  std::string name;
  int64_t n_features = 0;
  bool spanned = false;     ///< kept as coordinates in the span of the reference stimuli
  bool by_columns = true;   ///< what is wanted of it can be made from some columns at a time
  ReductionMemory reduced;  ///< all that is wanted of it: kept together, working one after another
  int64_t in_step = 0;      ///< what they take beyond that where they work side by side
};

/// What a plan depends on, beside layers and the number of threads: shapes, so the same job has the
/// same plan every time.
struct PlanLimits {
  std::string network;  ///< for messages
  int64_t n_stimuli = 0;
  int64_t n_reference = 0;               ///< stimuli that layers are spanned by; 0: none
  int64_t lane_bytes = 0;                ///< of one micro-batch under way
  int64_t most_lanes = 1;                ///< micro-batches that could be under way at once
  int64_t allowed_bytes = 0;             ///< for all of it
  std::optional<int64_t> spill_bytes{};  ///< room on disk; none: nothing is spilled
};

/// How layers larger than memory are reduced: layers that fit are held together, pass by pass; one
/// that does not is written to disk during one pass, or takes several, each of which keeps some of
/// its columns. All give the same bits.
/// Source: ALGORITHMS.md section 7; by columns instead of rows, so that products are summed in one
/// order.
struct MemoryPlan {
  enum class Way { kResident, kSpilled, kPasses };
  struct Step {
    Way way = Way::kResident;
    std::vector<size_t> layers;  ///< places; one where the way is not kResident
    int64_t width = 0;           ///< columns held at a time, where the way is kPasses
    int64_t sweep_passes = 1;    ///< forward passes that see every column once
    bool in_step = false;  ///< reductions share sweeps, since there is room for them side by side
  };
  std::vector<Step> steps;
  int64_t lanes = 1;  ///< micro-batches at once: they take half of what is allowed, or there is one
  int64_t bytes = 0;  ///< held at most at a time
  int64_t spilled_bytes = 0;  ///< on disk at most at a time
};

/// @param layers  in order of execution
/// @throws Error(kOutOfMemory)  a micro-batch that does not fit; a layer of which not even one
///   block of columns fits, or that needs all of them and does not fit, or that would take more
///   than a hundred passes; the message says what would do
MemoryPlan plan_memory(const std::vector<LayerToPlan>& layers, const PlanLimits& limits);

/// "1.5 GiB", or "12 MiB" of less than a tenth.
std::string bytes_text(int64_t bytes);

}  // namespace cortiscore
