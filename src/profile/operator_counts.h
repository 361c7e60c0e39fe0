#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "src/core/stage.h"

namespace cortiscore {

/// What operators of a stage compute and move.
struct Work {
  double flops = 0;  ///< a multiplication and an addition are two
  double bytes = 0;  ///< of inputs and outputs, each once an operator
  int64_t operators = 0;
  void add(const Work& more) {
    flops += more.flops;
    bytes += more.bytes;
    operators += more.operators;
  }
};
using StageWork = std::map<std::pair<StageName, std::string>, Work>;

class CountedByStage;

/// Counts the operators of ATen that all threads call while it lives, by the stage that the thread
/// is in, and what our own loops say of themselves (count_work). It slows what it counts.
///
/// Products, convolutions, attention and factorisations count by their formulas, from the shapes
/// of their arguments; other operators an operation for every element that they take or make, where
/// those are more. What an operator calls is a part of it. Views count nothing.
class OperatorCounts {
 public:
  OperatorCounts();
  ~OperatorCounts();
  OperatorCounts(const OperatorCounts&) = delete;
  OperatorCounts& operator=(const OperatorCounts&) = delete;

  StageWork work() const;

 private:
  std::unique_ptr<CountedByStage> state_;
  uint64_t callback_ = 0;
};

}  // namespace cortiscore
