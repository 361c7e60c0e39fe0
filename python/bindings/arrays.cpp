#include "python/bindings/arrays.h"

#include <vector>

#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <ATen/ATen.h>
#include <ATen/DLConvertor.h>

#include "cortiscore/error.h"

namespace nb = nanobind;

namespace cortiscore::python {
namespace {

// The array's __dlpack__(), of the version that can say that an array may only be read, if it knows
// that.
nb::object capsule_of(const nb::object& array) {
  try {
    return array.attr("__dlpack__")(nb::arg("max_version") = nb::make_tuple(1, 0));
  } catch (nb::python_error& e) {
    if (!e.matches(PyExc_TypeError)) throw;
  }
  return array.attr("__dlpack__")();
}

template <typename Managed, typename Take>
at::Tensor taken(const nb::object& capsule, const char* name, const char* used, const Take& take) {
  auto* managed = static_cast<Managed*>(PyCapsule_GetPointer(capsule.ptr(), name));
  if (!managed) throw nb::python_error();
  auto tensor = take(managed);
  PyCapsule_SetName(capsule.ptr(), used);
  return tensor;
}

template <typename T>
nb::object numpy_of(at::Tensor tensor) {
  auto* owned = new at::Tensor(std::move(tensor));
  const nb::capsule owner(owned, [](void* p) noexcept { delete static_cast<at::Tensor*>(p); });
  const std::vector<size_t> shape(owned->sizes().begin(), owned->sizes().end());
  return nb::cast(
      nb::ndarray<nb::numpy, T>(owned->mutable_data_ptr<T>(), shape.size(), shape.data(), owner));
}

}  // namespace

void need(bool fine, const char* argument, const std::string& found, const char* expected) {
  if (!fine) {
    throw Error(ErrorKind::kUsage,
                std::string(argument) + ": found " + found + ", expected " + expected + ".");
  }
}

at::Tensor tensor_of(const nb::object& given, const char* name) {
  nb::object array = given;
  if (!nb::hasattr(array, "__dlpack__")) {
    throw bad_input({name, "", "an object without __dlpack__",
                     "an array of NumPy, torch, CuPy or JAX", "Pass numpy.asarray(...)"});
  }
  if (nb::hasattr(array, "requires_grad") && nb::hasattr(array, "detach"))
    array = array.attr("detach")();  // torch exports nothing that a gradient is wanted of
  at::Tensor tensor;
  try {
    const auto capsule = capsule_of(array);
    tensor = PyCapsule_IsValid(capsule.ptr(), "dltensor_versioned")
                 ? taken<DLManagedTensorVersioned>(
                       capsule, "dltensor_versioned", "used_dltensor_versioned",
                       [](DLManagedTensorVersioned* m) { return at::fromDLPackVersioned(m); })
                 : taken<DLManagedTensor>(capsule, "dltensor", "used_dltensor",
                                          [](DLManagedTensor* m) { return at::fromDLPack(m); });
  } catch (nb::python_error& e) {
    if (!e.matches(PyExc_BufferError)) throw;
    throw bad_input({name, "", std::string("\"") + nb::str(e.value()).c_str() + "\"",
                     "an array of numbers that DLPack can hand over", "Pass a copy of it"});
  }
  if (tensor.is_complex()) {
    throw bad_input({name, "dtype", "complex numbers", "real ones", "Pass their absolute values"});
  }
  const auto type = tensor.scalar_type();
  if (type == at::kHalf || type == at::kBFloat16) tensor = tensor.to(at::kFloat);
  if (!tensor.is_floating_point()) tensor = tensor.to(at::kDouble);
  return tensor.detach().contiguous();  // sums in one order, whatever the strides
}

nb::object array_of(const at::Tensor& tensor) {
  if (!tensor.defined()) return nb::none();
  auto dense = tensor.cpu().contiguous();
  if (dense.scalar_type() == at::kLong) return numpy_of<int64_t>(std::move(dense));
  if (dense.scalar_type() == at::kFloat) return numpy_of<float>(std::move(dense));
  return numpy_of<double>(dense.to(at::kDouble));
}

Input input_of(const nb::object& object, const std::string& name) {
  if (nb::isinstance<nb::str>(object)) return Input(nb::cast<std::string>(object));
  if (nb::isinstance<Assembly>(object)) {
    auto assembly = nb::cast<Assembly>(object);
    assembly.identifier = name;  // what messages call it
    return {name, std::move(assembly)};
  }
  if (nb::isinstance<nb::dict>(object)) {
    Table table;
    table.path = name;
    for (const auto& [key, values] : nb::cast<nb::dict>(object)) {
      const auto column = nb::cast<std::vector<std::string>>(values);
      if (table.columns.empty()) table.rows.resize(column.size());
      table.columns.push_back(nb::cast<std::string>(key));
      if (column.size() != table.rows.size()) {
        throw bad_input({name, "column " + table.columns.back(),
                         std::to_string(column.size()) + " rows",
                         std::to_string(table.rows.size()) + " as in " + table.columns.front(),
                         "Give every column as many"});
      }
      for (size_t i = 0; i < column.size(); ++i) table.rows[i].push_back(column[i]);
    }
    return {name, std::move(table)};
  }
  Assembly array;
  array.identifier = name;
  array.values = tensor_of(object, name.c_str());
  array.dims.resize(static_cast<size_t>(array.values.dim()));
  return {name, std::move(array)};
}

}  // namespace cortiscore::python
