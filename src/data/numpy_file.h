#pragma once
#include <string>
#include <variant>
#include <vector>

#include <ATen/core/Tensor.h>

#include "cortiscore/assembly.h"

namespace cortiscore {

/// A NumPy .npy file of numbers (versions 1 to 3, either byte order, C or Fortran order; bool,
/// every integer, float16 to float64): float32 stays, all else becomes float64.
/// @throws Error(kBadInput)  not .npy, truncated, integers beyond 2^53, or a dtype that is no real
///                           number: object, structured, complex, long double, text, dates
at::Tensor read_npy(const std::string& path);

/// An array of an .npz archive, stored or compressed, read as read_npy reads, with the ids that
/// lie beside it (name_axes); other axes have no name. @param variable  "" where there is one of
/// numbers beside ids and text
/// @throws Error(kBadInput)  as read_npy and name_axes; several arrays and none named, or none of
///                           that name
Assembly read_npz(const std::string& path, const std::string& variable);

/// The labels of a 1-D .npy of text or numbers.
/// @throws Error(kBadInput)  another rank or dtype
std::variant<std::vector<std::string>, std::vector<double>> read_npy_labels(
    const std::string& path);

/// Writes a C-order float32 or float64 tensor as .npy.
void write_npy(const std::string& path, const at::Tensor& values);

}  // namespace cortiscore
