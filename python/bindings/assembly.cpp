// Assemblies: arrays with the names of their dims and with coordinates.
#include "cortiscore/assembly.h"

#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <nanobind/nanobind.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/variant.h>
#include <nanobind/stl/vector.h>

#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "python/bindings/arrays.h"
#include "python/bindings/define.h"
#include "src/data/labelled.h"
#include "src/data/netcdf.h"

namespace nb = nanobind;

namespace cortiscore::python {
namespace {

using Values = std::variant<std::vector<std::string>, std::vector<double>>;
using Coordinates = std::map<std::string, std::pair<std::string, Values>>;

void make(Assembly* place,
          const nb::object& values,
          std::vector<std::string> dims,
          const Coordinates& coords,
          std::map<std::string, std::string> attributes,
          std::map<std::string, std::vector<double>> lists,
          std::string identifier) {
  Assembly assembly;
  assembly.values = tensor_of(values, "values").cpu().clone();  // whatever its caller does with it
  if (assembly.values.dim() != static_cast<int64_t>(dims.size())) {
    throw bad_input({"values", "dims", std::to_string(assembly.values.dim()),
                     std::to_string(dims.size()) + ", one a name", "Name every axis"});
  }
  for (const auto& [name, coordinate] : coords)
    assembly.coords[name] = {coordinate.first, coordinate.second};
  for (const auto& [name, coordinate] : assembly.coords) {
    int64_t n = -1;
    for (size_t axis = 0; axis < dims.size(); ++axis) {
      if (dims[axis] == coordinate.dim) n = assembly.values.size(static_cast<int64_t>(axis));
    }
    if (n < 0 || n != static_cast<int64_t>(coordinate.size())) {
      throw bad_input(
          {"coords", name,
           std::to_string(coordinate.size()) + " values along \"" + coordinate.dim + "\"",
           n < 0 ? "one of the dims" : std::to_string(n), ""});
    }
  }
  assembly.dims = std::move(dims);
  assembly.attributes = std::move(attributes);
  assembly.lists = std::move(lists);
  assembly.identifier = std::move(identifier);
  new (place) Assembly(std::move(assembly));
}

// {name: (dim, list of text or a float64 array)}
nb::dict coords_of(const Assembly& assembly) {
  nb::dict out;
  for (const auto& [name, coordinate] : assembly.coords) {
    const auto* numbers = std::get_if<std::vector<double>>(&coordinate.values);
    const nb::object values = numbers ? array_of(at::tensor(*numbers, at::kDouble))
                                      : nb::cast(std::get<0>(coordinate.values));
    out[name.c_str()] = nb::make_tuple(coordinate.dim, values);
  }
  return out;
}

Assembly open(const std::string& path, const std::string& variable) {
  const nb::gil_scoped_release released;
  return read_array_file(path, variable);
}

void save(const Assembly& assembly, const std::string& path) {
  const nb::gil_scoped_release released;
  write_assembly(path, assembly);
}

}  // namespace

void define_assembly(nb::module_& module) {
  nb::class_<Assembly>(module, "Assembly")
      .def("__init__", &make, nb::arg("values"), nb::arg("dims"), nb::arg("coords"),
           nb::arg("attributes"), nb::arg("lists"), nb::arg("identifier"))
      .def_static("open", &open, nb::arg("path"), nb::arg("variable"))
      .def("save", &save, nb::arg("path"))
      .def_prop_ro("identifier", [](const Assembly& a) { return a.identifier; })
      .def_prop_ro("dims", [](const Assembly& a) { return a.dims; })
      .def_prop_ro("values", [](const Assembly& a) { return array_of(a.values); })
      .def_prop_ro("coords", &coords_of)
      .def_prop_ro("attributes", [](const Assembly& a) { return a.attributes; })
      .def_prop_ro("lists", [](const Assembly& a) { return a.lists; });
}

}  // namespace cortiscore::python
