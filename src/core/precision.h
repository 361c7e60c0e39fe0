#pragma once

namespace cortiscore {

/// How products of Gram size are formed; everything else is float64 always.
enum class Precision {
  kFloat64,
  /// About 22 bits a factor, sums over at most 2048 features in float32, across them in float64:
  /// float32 products on the CPU, three TF32 products on a GPU. Scores stay within 1e-6
  /// (docs/speed.md has the measured table).
  kFast,
};

}  // namespace cortiscore
