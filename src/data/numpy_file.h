#pragma once
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <ATen/core/Tensor.h>

namespace cortiscore {

/// A NumPy .npy file of numbers (versions 1 to 3, either byte order, C or Fortran order; bool,
/// every integer, float16 to float64): float32 stays, all else becomes float64.
/// @throws Error(kBadInput)  not .npy, truncated, integers beyond 2^53, or a dtype that is no real
///                           number: object, structured, complex, long double, text, dates
at::Tensor read_npy(const std::string& path);

/// An array of an .npz archive, stored or compressed, read as read_npy reads. @param variable  ""
/// where there is one beside lists of stimulus_id or image_id
/// @throws Error(kBadInput)  as read_npy; several arrays and none named, or none of that name
at::Tensor read_npz(const std::string& path, const std::string& variable);

/// The labels of a 1-D .npy of text or numbers.
/// @throws Error(kBadInput)  another rank or dtype
std::variant<std::vector<std::string>, std::vector<double>> read_npy_labels(
    const std::string& path);

/// As read_npy_labels, of an array of an .npz archive; nothing where it has none of that name.
std::optional<std::variant<std::vector<std::string>, std::vector<double>>> read_npz_labels(
    const std::string& path, const std::string& name);

/// Writes a C-order float32 or float64 tensor as .npy.
void write_npy(const std::string& path, const at::Tensor& values);

}  // namespace cortiscore
