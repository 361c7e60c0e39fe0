#pragma once
#include <functional>
#include <utility>

#include <ATen/core/Tensor.h>

namespace cortiscore {

/// The features of n presentations, some columns at a time, as often as asked and the same each
/// time: of a matrix in memory, or of one that is larger than memory and comes from a file or from
/// forward passes.
///
/// What is summed over features is summed over blocks of kWidth in ascending order wherever they
/// come from, so that how much memory there is never changes a bit.
class FeatureBlocks {
 public:
  static constexpr int64_t kWidth = 4096;

  FeatureBlocks(int64_t rows, int64_t features) : rows_(rows), features_(features) {}
  virtual ~FeatureBlocks() = default;
  FeatureBlocks(const FeatureBlocks&) = delete;
  FeatureBlocks& operator=(const FeatureBlocks&) = delete;

  int64_t rows() const { return rows_; }
  int64_t features() const { return features_; }

  /// Called with (first column, columns [rows, width] float32 or float64), in ascending order;
  /// `width` is a multiple of kWidth but for the last. The tensor is valid during the call; not
  /// modified.
  using Visit = std::function<void(int64_t, const at::Tensor&)>;
  virtual void each(const Visit& visit) = 0;

 private:
  int64_t rows_, features_;
};

/// A matrix in memory.
class MatrixBlocks final : public FeatureBlocks {
 public:
  /// @param x  [rows, features], row-major, any device
  explicit MatrixBlocks(at::Tensor x) : FeatureBlocks(x.size(0), x.size(1)), x_(std::move(x)) {}
  void each(const Visit& visit) override { visit(0, x_); }

 private:
  at::Tensor x_;
};

/// f of the columns at a time, side by side: for what sees each feature by itself.
/// @param f  (first column, columns [rows, width]) -> [any, any]
at::Tensor by_columns(FeatureBlocks& x,
                      const std::function<at::Tensor(int64_t, const at::Tensor&)>& f);

/// Bytes that a block of columns in float64 takes, with what is made of it on the way.
int64_t block_bytes(int64_t rows, int64_t features);

/// All columns as one matrix; no copy where they are one.
at::Tensor whole(FeatureBlocks& x);

}  // namespace cortiscore
