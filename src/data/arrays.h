#pragma once
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "src/data/input.h"
#include "src/data/numpy_file.h"

namespace cortiscore {

/// The numbers of .npy, .npz, .nc, .h5, .hdf5 or .csv as they are stored, or that a caller holds; a
/// single time_bin at the end is dropped. src/data/labelled.h reads the names of dims and
/// presentations as well.
/// @param variable  of a file that can hold several arrays; "" for the only one
/// @throws Error(kBadInput)
at::Tensor read_array(const Input& input, const std::string& variable = "");

/// The file behind byte `from`; nothing where it is shorter. @throws Error(kBadInput)  it cannot be
/// read
std::string read_file(const std::string& path, int64_t from = 0);

/// Why a file cannot be read from its beginning, for a message ("no such file", "a folder", "a
/// named pipe", "permission denied"); "" where it can be.
std::string why_unreadable(const std::string& path);

/// Bytes of a file that is to be opened: whatever opens one asks this first, for a library that
/// opens a pipe waits.
/// @param expected, action  what the message says where there is no file that can be opened
/// @throws Error(kBadInput)
int64_t size_of(const std::string& path,
                const std::string& expected = "a file",
                const std::string& action = "Check the path");

/// Lower-case hex SHA-256.
std::string sha256_of(const std::string& bytes);
std::string sha256_of_file(const std::string& path);
/// Of a tensor's values, wherever they are.
std::string sha256_of_values(const at::Tensor& tensor);

}  // namespace cortiscore
