#include "src/data/netcdf.h"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <optional>
#include <set>

#include <fcntl.h>
#include <unistd.h>

#include <ATen/ATen.h>
#include <hdf5_hl.h>

#include "cortiscore/error.h"
#include "src/data/hdf5.h"

namespace cortiscore {
namespace {

using hdf5::check;
using hdf5::Handle;

struct Variable {
  std::string name;
  std::vector<std::string> dims;
  std::vector<hsize_t> shape;
  H5T_class_t type_class = H5T_NO_CLASS;
};

std::vector<std::string> variable_names(hid_t file, const std::string& path) {
  std::vector<std::string> names;
  check(H5Literate(
            file, H5_INDEX_NAME, H5_ITER_INC, nullptr,
            [](hid_t group, const char* name, const H5L_info_t*, void* out) -> herr_t {
              H5O_info_t info;
              if (H5Oget_info_by_name(group, name, &info, H5P_DEFAULT) < 0) return -1;
              if (info.type == H5O_TYPE_DATASET)
                static_cast<std::vector<std::string>*>(out)->emplace_back(name);
              return 0;
            },
            &names),
        path, "listing variables");
  return names;
}

std::string base_name(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

Variable describe(hid_t file, const std::string& name, const std::string& path) {
  const auto dataset = hdf5::open_dataset(file, name, path);
  const Handle space(
      check(H5Dget_space(dataset.get()), path, "reading the shape of \"" + name + "\""), H5Sclose);
  const Handle type(check(H5Dget_type(dataset.get()), path, "reading the type of \"" + name + "\""),
                    H5Tclose);
  Variable variable;
  variable.name = name;
  variable.type_class = H5Tget_class(type.get());
  const int rank = H5Sget_simple_extent_ndims(space.get());
  variable.shape.resize(static_cast<size_t>(std::max(rank, 0)));
  if (rank > 0) H5Sget_simple_extent_dims(space.get(), variable.shape.data(), nullptr);
  for (int axis = 0; axis < rank; ++axis) {
    std::string dim;
    if (H5DSis_scale(dataset.get()) > 0) {
      dim = name;  // a coordinate variable of its own dim
    } else if (H5DSget_num_scales(dataset.get(), static_cast<unsigned>(axis)) > 0) {
      H5DSiterate_scales(
          dataset.get(), static_cast<unsigned>(axis), nullptr,
          [](hid_t, unsigned, hid_t scale, void* out) -> herr_t {
            char buffer[1024];
            if (H5Iget_name(scale, buffer, sizeof buffer) > 0)
              *static_cast<std::string*>(out) = buffer;
            return 1;
          },
          &dim);
      dim = base_name(dim);
    }
    variable.dims.push_back(dim);
  }
  return variable;
}

std::vector<std::string> read_text(hid_t dataset,
                                   const Variable& variable,
                                   const std::string& path) {
  const auto n = variable.shape.empty() ? 1 : static_cast<size_t>(variable.shape[0]);
  const Handle type(check(H5Dget_type(dataset), path, "reading \"" + variable.name + "\""),
                    H5Tclose);
  std::vector<std::string> out;
  if (H5Tis_variable_str(type.get()) > 0) {
    std::vector<char*> raw(n, nullptr);
    check(H5Dread(dataset, type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, raw.data()), path,
          "reading \"" + variable.name + "\"");
    for (const char* text : raw) out.emplace_back(text ? text : "");
    const Handle space(H5Dget_space(dataset), H5Sclose);
    H5Dvlen_reclaim(type.get(), space.get(), H5P_DEFAULT, raw.data());
  } else {
    const size_t width = H5Tget_size(type.get());
    std::vector<char> raw(n * width);
    check(H5Dread(dataset, type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, raw.data()), path,
          "reading \"" + variable.name + "\"");
    for (size_t i = 0; i < n; ++i) {
      std::string text(raw.data() + i * width, width);
      text.resize(std::min(text.find('\0'), width));
      out.push_back(std::move(text));
    }
  }
  return out;
}

at::Tensor read_numbers(hid_t dataset, const Variable& variable, const std::string& path) {
  const Handle type(check(H5Dget_type(dataset), path, "reading \"" + variable.name + "\""),
                    H5Tclose);
  const bool single = H5Tget_class(type.get()) == H5T_FLOAT && H5Tget_size(type.get()) == 4;
  std::vector<int64_t> shape(variable.shape.begin(), variable.shape.end());
  auto out = at::empty(shape, single ? at::kFloat : at::kDouble);
  check(H5Dread(dataset, single ? H5T_NATIVE_FLOAT : H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL,
                H5P_DEFAULT, out.mutable_data_ptr()),
        path, "reading \"" + variable.name + "\"");
  return out;
}

struct Attribute {
  std::string name;
  hid_t id, type;
  H5T_class_t kind;
  hssize_t n;  // of values
};

void each_attribute(hid_t object, const std::function<void(const Attribute&)>& body) {
  H5Aiterate2(
      object, H5_INDEX_NAME, H5_ITER_INC, nullptr,
      [](hid_t location, const char* name, const H5A_info_t*, void* to) -> herr_t {
        const Handle attribute(H5Aopen(location, name, H5P_DEFAULT), H5Aclose);
        if (attribute.get() < 0) return 0;
        const Handle type(H5Aget_type(attribute.get()), H5Tclose);
        const Handle space(H5Aget_space(attribute.get()), H5Sclose);
        (*static_cast<const std::function<void(const Attribute&)>*>(to))(
            {name, attribute.get(), type.get(), H5Tget_class(type.get()),
             H5Sget_simple_extent_npoints(space.get())});
        return 0;
      },
      const_cast<void*>(static_cast<const void*>(&body)));
}

void number_attributes(hid_t object, std::map<std::string, std::vector<double>>& lists) {
  each_attribute(object, [&](const Attribute& a) {
    constexpr hssize_t kMost = 1 << 20;
    if ((a.kind != H5T_FLOAT && a.kind != H5T_INTEGER) || a.n < 1 || a.n > kMost) return;
    std::vector<double> values(static_cast<size_t>(a.n));
    if (H5Aread(a.id, H5T_NATIVE_DOUBLE, values.data()) >= 0) lists[a.name] = std::move(values);
  });
}

std::map<std::string, std::string> text_attributes(hid_t object) {
  std::map<std::string, std::string> attributes;
  each_attribute(object, [&](const Attribute& a) {
    if (a.kind != H5T_STRING || a.n != 1) return;
    if (H5Tis_variable_str(a.type) > 0) {
      char* text = nullptr;
      if (H5Aread(a.id, a.type, &text) >= 0 && text) attributes[a.name] = text;
      if (text) H5free_memory(text);
    } else {
      std::string text(H5Tget_size(a.type), '\0');
      if (H5Aread(a.id, a.type, text.data()) >= 0) attributes[a.name] = text.c_str();
    }
  });
  for (const auto* internal : {"coordinates", "NAME", "CLASS", "_NCProperties"})
    attributes.erase(internal);
  return attributes;
}

const Variable& data_variable(const std::vector<Variable>& variables, const std::string& path) {
  const Variable* largest = nullptr;
  for (const auto& v : variables) {
    const bool numeric =
        v.type_class == H5T_FLOAT || v.type_class == H5T_INTEGER || v.type_class == H5T_ENUM;
    if (!numeric || v.shape.empty()) continue;
    if (v.name == "__xarray_dataarray_variable__" || v.name == "data") return v;
    if (v.shape.size() < 2) continue;
    if (!largest || v.shape.size() > largest->shape.size()) largest = &v;
  }
  if (largest) return *largest;
  throw bad_input({path, "data variable", "no numeric variable with two or more dims",
                   "one, such as presentation x neuroid",
                   "See the assembly format in docs/formats.md"});
}

std::vector<Variable> variables_of(hid_t file, const std::string& path) {
  std::vector<Variable> variables;
  for (const auto& name : variable_names(file, path))
    variables.push_back(describe(file, name, path));
  return variables;
}

// A dim that is only a length, as NetCDF-4 notes one without a coordinate of its name.
bool is_bare_dim(hid_t dataset) {
  char scale_name[64] = {};
  H5DSget_scale_name(dataset, scale_name, sizeof scale_name);
  return std::string(scale_name).starts_with("This is a netCDF dimension but not");
}

// A variable along one dim; nothing where it is neither text nor numbers.
std::optional<Coordinate> read_coordinate(hid_t dataset,
                                          const Variable& variable,
                                          const std::string& path) {
  Coordinate coordinate;
  coordinate.dim = variable.dims[0];
  if (variable.type_class == H5T_STRING) {
    coordinate.values = read_text(dataset, variable, path);
    return coordinate;
  }
  if (variable.type_class != H5T_FLOAT && variable.type_class != H5T_INTEGER &&
      variable.type_class != H5T_ENUM)
    return std::nullopt;
  const auto numbers = read_numbers(dataset, variable, path).to(at::kDouble).contiguous();
  coordinate.values = std::vector<double>(numbers.const_data_ptr<double>(),
                                          numbers.const_data_ptr<double>() + numbers.numel());
  return coordinate;
}

}  // namespace

Table read_presentations(const std::string& path) {
  const auto file = hdf5::open_file(path);
  const auto variables = variables_of(file.get(), path);
  const auto is_data = [](const Variable& v) {
    return v.name == "__xarray_dataarray_variable__" || v.name == "data";
  };
  const auto data = std::find_if(variables.begin(), variables.end(), is_data);
  if (data == variables.end() || data->shape.size() != 1 || data->shape[0] == 0) {
    throw bad_input(
        {path, "data variable",
         data == variables.end() ? "none" : std::to_string(data->shape.size()) + " dims",
         "one value a presentation: a choice",
         "Behavioural assemblies hold choices along one dim"});
  }
  Table table;
  table.path = path;
  table.rows.resize(data->shape[0]);
  for (const auto& v : variables) {
    if (v.shape.size() != 1 || v.dims[0] != data->dims[0]) continue;
    if (!is_data(v) && v.name == "choice") continue;  // the values are what was chosen
    const auto variable = hdf5::open_dataset(file.get(), v.name, path);
    if (is_bare_dim(variable.get()) || v.shape[0] != data->shape[0]) continue;
    const auto column = read_coordinate(variable.get(), v, path);
    if (!column) continue;
    table.columns.push_back(is_data(v) ? "choice" : v.name);
    const auto texts = column->as_text();
    for (size_t i = 0; i < texts.size(); ++i) table.rows[i].push_back(texts[i]);
  }
  if (!table.has("stimulus_id"))
    std::replace(table.columns.begin(), table.columns.end(), std::string("image_id"),
                 std::string("stimulus_id"));
  return table;
}

Assembly read_assembly(const std::string& path) {
  const auto file = hdf5::open_file(path);
  const auto variables = variables_of(file.get(), path);
  const auto& data = data_variable(variables, path);

  Assembly assembly;
  assembly.identifier = path;
  assembly.dims = data.dims;
  for (size_t axis = 0; axis < data.dims.size(); ++axis) {
    if (data.dims[axis].empty()) {
      throw bad_input({path, "variable \"" + data.name + "\" axis " + std::to_string(axis),
                       "no dimension scale", "a named dim such as presentation or neuroid",
                       "Write it with xarray, or attach a scale"});
    }
  }
  const auto dataset = hdf5::open_dataset(file.get(), data.name, path);
  assembly.values = read_numbers(dataset.get(), data, path);
  assembly.attributes = text_attributes(dataset.get());
  assembly.attributes.merge(text_attributes(file.get()));
  number_attributes(file.get(), assembly.lists);
  number_attributes(dataset.get(), assembly.lists);
  for (const auto& v : variables) {
    if (v.name == data.name || v.shape.size() != 1) continue;
    const auto dim = std::find(data.dims.begin(), data.dims.end(), v.dims[0]);
    if (dim == data.dims.end()) continue;
    const auto variable = hdf5::open_dataset(file.get(), v.name, path);
    if (is_bare_dim(variable.get())) continue;
    if (v.shape[0] != data.shape[static_cast<size_t>(dim - data.dims.begin())]) {
      throw bad_input({path, "coordinate \"" + v.name + "\"",
                       std::to_string(v.shape[0]) + " values",
                       std::to_string(data.shape[static_cast<size_t>(dim - data.dims.begin())]) +
                           ", one a " + *dim,
                       ""});
    }
    if (auto coordinate = read_coordinate(variable.get(), v, path))
      assembly.coords[v.name] = std::move(*coordinate);
  }
  return assembly;
}

namespace {

void write_text_attribute(hid_t object,
                          const std::string& name,
                          const std::string& text,
                          const std::string& path) {
  const Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(type.get(), std::max<size_t>(text.size(), 1));
  H5Tset_cset(type.get(), H5T_CSET_UTF8);
  const Handle space(H5Screate(H5S_SCALAR), H5Sclose);
  const Handle attribute(
      check(H5Acreate2(object, name.c_str(), type.get(), space.get(), H5P_DEFAULT, H5P_DEFAULT),
            path, "writing attribute \"" + name + "\""),
      H5Aclose);
  check(H5Awrite(attribute.get(), type.get(), text.empty() ? " " : text.c_str()), path,
        "writing attribute \"" + name + "\"");
}

Handle create_dataset(hid_t file,
                      const std::string& name,
                      hid_t type,
                      const std::vector<hsize_t>& shape,
                      bool checksummed,
                      const std::string& path) {
  const Handle space(H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr),
                     H5Sclose);
  const Handle layout(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  const bool empty = std::find(shape.begin(), shape.end(), hsize_t{0}) != shape.end();
  if (checksummed && !empty) {
    auto chunk = shape;
    chunk[0] = std::min<hsize_t>(chunk[0], 256);
    H5Pset_chunk(layout.get(), static_cast<int>(chunk.size()), chunk.data());
    H5Pset_fletcher32(layout.get());
  }
  return {check(H5Dcreate2(file, name.c_str(), type, space.get(), H5P_DEFAULT, layout.get(),
                           H5P_DEFAULT),
                path, "creating variable \"" + name + "\""),
          H5Dclose};
}

void write_variable(hid_t dataset,
                    hid_t type,
                    const void* values,
                    const std::string& name,
                    const std::string& path) {
  check(H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values), path,
        "writing variable \"" + name + "\"");
}

void write_contents(const std::string& path, const Assembly& assembly) {
  const auto file = hdf5::create_file(path);
  std::map<std::string, Handle> scales;
  for (size_t axis = 0; axis < assembly.dims.size(); ++axis) {
    const auto& dim = assembly.dims[axis];
    const auto n = static_cast<hsize_t>(assembly.values.size(static_cast<int64_t>(axis)));
    auto scale = create_dataset(file.get(), dim, H5T_IEEE_F32LE, {n}, false, path);
    char label[80];
    std::snprintf(label, sizeof label,
                  "This is a netCDF dimension but not a netCDF variable. %9llu",
                  static_cast<unsigned long long>(n));
    check(H5DSset_scale(scale.get(), label), path, "making dim \"" + dim + "\"");
    scales[dim] = std::move(scale);
  }
  std::string names;
  for (const auto& [name, coordinate] : assembly.coords) {
    const hsize_t n = coordinate.size();
    Handle dataset;
    if (const auto* text = std::get_if<std::vector<std::string>>(&coordinate.values)) {
      const Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
      H5Tset_size(type.get(), H5T_VARIABLE);
      H5Tset_cset(type.get(), H5T_CSET_UTF8);
      dataset = create_dataset(file.get(), name, type.get(), {n}, false, path);
      std::vector<const char*> raw;
      for (const auto& t : *text) raw.push_back(t.c_str());
      write_variable(dataset.get(), type.get(), raw.data(), name, path);
    } else {
      dataset = create_dataset(file.get(), name, H5T_IEEE_F64LE, {n}, false, path);
      write_variable(dataset.get(), H5T_NATIVE_DOUBLE,
                     std::get<std::vector<double>>(coordinate.values).data(), name, path);
    }
    check(H5DSattach_scale(dataset.get(), scales.at(coordinate.dim).get(), 0), path,
          "attaching \"" + name + "\"");
    names += (names.empty() ? "" : " ") + name;
  }
  const bool single = assembly.values.scalar_type() == at::kFloat;
  const auto values = assembly.values.to(single ? at::kFloat : at::kDouble).contiguous();
  const std::vector<hsize_t> shape(values.sizes().begin(), values.sizes().end());
  const auto data = create_dataset(file.get(), "data", single ? H5T_IEEE_F32LE : H5T_IEEE_F64LE,
                                   shape, true, path);
  write_variable(data.get(), single ? H5T_NATIVE_FLOAT : H5T_NATIVE_DOUBLE, values.const_data_ptr(),
                 "data", path);
  for (size_t axis = 0; axis < assembly.dims.size(); ++axis) {
    check(H5DSattach_scale(data.get(), scales.at(assembly.dims[axis]).get(),
                           static_cast<unsigned>(axis)),
          path, "attaching dim \"" + assembly.dims[axis] + "\"");
  }
  if (!names.empty()) write_text_attribute(data.get(), "coordinates", names, path);
  for (const auto& [key, text] : assembly.attributes)
    write_text_attribute(data.get(), key, text, path);
  check(H5Fflush(file.get(), H5F_SCOPE_GLOBAL), path, "flushing");
}

}  // namespace

void write_assembly(const std::string& path, const Assembly& assembly) {
  for (const auto& [name, coordinate] : assembly.coords) {
    const auto dim = std::find(assembly.dims.begin(), assembly.dims.end(), coordinate.dim);
    const bool known = dim != assembly.dims.end();
    const auto n = known ? assembly.values.size(dim - assembly.dims.begin()) : 0;
    if (!known || static_cast<int64_t>(coordinate.size()) != n) {
      throw bad_input(
          {path, "coordinate \"" + name + "\"",
           std::to_string(coordinate.size()) + " values along \"" + coordinate.dim + "\"",
           known ? std::to_string(n) : "one of the assembly's dims", ""});
    }
  }
  const auto temporary = path + ".tmp" + std::to_string(getpid());
  try {
    write_contents(temporary, assembly);
    const int descriptor = open(temporary.c_str(), O_RDONLY);
    const bool synced = descriptor >= 0 && fsync(descriptor) == 0;
    if (descriptor >= 0) close(descriptor);
    if (!synced)
      throw bad_input(
          {path, "", "the file could not be synced to disk", "space and permission", ""});
    std::filesystem::rename(temporary, path);
  } catch (...) {
    std::error_code ignored;
    std::filesystem::remove(temporary, ignored);
    throw;
  }
}

}  // namespace cortiscore
