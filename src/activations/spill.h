#pragma once
#include <string>

#include <ATen/core/Tensor.h>

#include "src/linalg/feature_blocks.h"

namespace cortiscore {

/// A layer on disk: written by micro-batches as it appears, read by blocks of features, which lie
/// together in the file. The file has no name, so nothing is left of it when the process ends,
/// however that ends.
class SpilledLayer final : public FeatureBlocks {
 public:
  /// Takes the room at once. @param folder  an existing one, not a file system in memory
  /// @throws Error(kUsage)  a folder that cannot be written; Error(kOutOfMemory)  too little room
  ///                        on disk
  SpilledLayer(const std::string& folder, int64_t rows, int64_t features, const at::Device& device);
  ~SpilledLayer() override;

  /// Rows first..first+n-1. Several threads may write different rows at once. @param rows  [n,
  /// features]
  void write(int64_t first, const at::Tensor& rows);
  void each(const Visit& visit) override;

  int64_t bytes() const { return rows() * features() * int64_t{sizeof(float)}; }

 private:
  std::string folder_;
  at::Device device_;
  int file_ = -1;
};

/// Bytes that are free in a folder. @throws Error(kUsage)  no such folder
int64_t free_bytes(const std::string& folder);

}  // namespace cortiscore
