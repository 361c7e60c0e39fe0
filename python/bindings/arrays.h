#pragma once
#include <string>

#include <nanobind/nanobind.h>

#include <ATen/core/Tensor.h>

#include "src/data/input.h"

namespace cortiscore::python {

/// An array of NumPy, torch, CuPy or JAX, read in place by DLPack, contiguous: float32 or float64
/// as it is, half precision as float32, whole numbers and truth values as float64.
/// @param name  of the argument, for messages
/// @throws Error(kBadInput)  an object without __dlpack__, or an array that holds no numbers
at::Tensor tensor_of(const nanobind::object& array, const char* name);

/// A tensor as a NumPy array that owns it: float32 and int64 as they are, other numbers as float64;
/// None of an undefined one.
nanobind::object array_of(const at::Tensor& tensor);

/// What Python hands over for an argument: a path, an Assembly, a table (a dict of columns, each a
/// list of text), or an array.
/// @throws Error(kBadInput)
Input input_of(const nanobind::object& object, const std::string& name);

/// @throws Error(kUsage)  "ARGUMENT: found FOUND, expected EXPECTED." unless it is fine
void need(bool fine, const char* argument, const std::string& found, const char* expected);

}  // namespace cortiscore::python
