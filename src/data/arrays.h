#pragma once
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

namespace cortiscore {

/// A NumPy .npy file of numbers (versions 1 to 3, little-endian, C or Fortran order): float32 stays, all else becomes
/// float64. @throws Error(kBadInput)  not .npy, truncated, big-endian, object or text dtype
at::Tensor read_npy(const std::string& path);

/// Writes a C-order float32 or float64 tensor as .npy.
void write_npy(const std::string& path, const at::Tensor& values);

/// Labels, one an entry, from a 1-D .npy of text or numbers, or the first column of a .csv.
/// @return codes as numpy.unique(return_inverse=True) gives them
std::vector<int64_t> read_label_codes(const std::string& path);

/// A matrix from .npy, .nc (the data variable; a single time_bin is dropped) or .csv (numbers, with or without a
/// header line). Any rank for .npy and .nc, two for .csv.
/// @throws Error(kBadInput)
at::Tensor read_array(const std::string& path);

/// The file behind byte `from`; nothing where it is shorter. @throws Error(kBadInput)  it cannot be read
std::string read_file(const std::string& path, int64_t from = 0);

/// Lower-case hex SHA-256.
std::string sha256_of(const std::string& bytes);
std::string sha256_of_file(const std::string& path);

}  // namespace cortiscore
