#include "src/data/netcdf.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <set>

#include <fcntl.h>
#include <unistd.h>

#include <ATen/core/Tensor.h>
#include <hdf5_hl.h>

#include "cortiscore/error.h"
#include "src/data/hdf5.h"
#include "src/data/ids_beside.h"
#include "src/data/stored.h"

namespace cortiscore {
namespace {

using hdf5::check;
using hdf5::Handle;

std::string group_of(const std::string& name) {
  return name.substr(0, name.rfind('/') + 1);
}

// A variable along one dim; nothing where it is neither text nor numbers.
std::optional<Coordinate> read_coordinate(const StoredFile& file, const StoredVariable& variable) {
  if (variable.type == StoredType::kText) return Coordinate{variable.dims[0], file.text(variable)};
  if (variable.is_number()) return Coordinate{variable.dims[0], file.coordinate_values(variable)};
  return std::nullopt;
}

// What may name the presentations and neuroids of an array: variables that are called so, but for
// those along dims of other arrays, and attributes of the array and of its groups.
std::vector<BesideArray> entries_beside(const StoredFile& file, const StoredVariable& data) {
  std::vector<BesideArray> out;
  for (const auto& v : file.variables()) {
    if (&v == &data || v.only_length || named_by(v.name) == Named::kNothing) continue;
    bool of_others = false;
    for (size_t i = 0; i < v.dims.size(); ++i) {
      const bool own = std::find(data.dims.begin(), data.dims.end(), v.dims[i]) != data.dims.end();
      of_others = of_others || (v.shape[i] > 1 && !v.dims[i].empty() && !own);
    }
    if (of_others) continue;
    BesideArray entry{v.name, "variable \"" + v.name + "\"", v.shape, v.dims, {}, {}};
    if (v.type == StoredType::kOther) entry.unreadable = v.type_name;
    entry.read = [&file, &v]() -> std::variant<std::vector<std::string>, std::vector<double>> {
      if (v.type == StoredType::kText) return file.text(v);
      return file.coordinate_values(v);
    };
    out.push_back(std::move(entry));
  }
  const auto add = [&](const std::map<std::string, StoredAttribute>& attributes,
                       const std::string& group, const std::string& of) {
    for (const auto& [name, attribute] : attributes) {
      const auto named = named_by(name);
      if (named == Named::kNothing || named == Named::kRepetitions) continue;
      BesideArray entry{group + name, "attribute \"" + name + "\"" + of, {}, {}, {}, {}};
      entry.shape = {
          static_cast<int64_t>(std::max(attribute.texts.size(), attribute.numbers.size()))};
      entry.read = [&attribute]() -> std::variant<std::vector<std::string>, std::vector<double>> {
        if (!attribute.texts.empty()) return attribute.texts;
        return attribute.numbers;
      };
      out.push_back(std::move(entry));
    }
  };
  add(data.attributes, group_of(data.name), " of \"" + data.name + "\"");
  add(file.attributes(), "", " of the file");
  for (const auto& [group, attributes] : file.group_attributes())
    add(attributes, group, " of group \"" + group + "\"");
  return out;
}

// Times are numbers only by their calendar.
void check_no_dates(const StoredVariable& variable, const std::string& path) {
  const auto units = variable.attributes.find("units");
  if (units == variable.attributes.end() || units->second.text.find(" since ") == std::string::npos)
    return;
  throw bad_input({path, "variable \"" + variable.name + "\"",
                   "times (\"" + units->second.text + "\")", "responses or features",
                   "Choose another variable with --variable"});
}

}  // namespace

Table read_presentations(const std::string& path) {
  const auto file = open_stored(path);
  const auto& variables = file->variables();
  const auto is_data = [](const StoredVariable& v) {
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
  table.rows.resize(static_cast<size_t>(data->shape[0]));
  for (const auto& v : variables) {
    if (v.shape.size() != 1 || v.dims[0] != data->dims[0]) continue;
    if (!is_data(v) && v.name == "choice") continue;  // the values are what was chosen
    if (v.only_length || v.shape[0] != data->shape[0]) continue;
    const auto column = read_coordinate(*file, v);
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

Assembly read_variable(const std::string& path, const std::string& wanted) {
  const auto file = open_stored(path);
  const auto& data = data_variable(*file, wanted);
  check_no_dates(data, path);

  Assembly assembly;
  assembly.identifier = path;
  assembly.dims = data.dims;
  assembly.values = file->numbers(data);
  const auto put = [&](const std::map<std::string, StoredAttribute>& attributes) {
    for (const auto& [name, attribute] : attributes) {
      if (!attribute.numbers.empty())
        assembly.lists[name] = attribute.numbers;
      else if (name != "coordinates" && attribute.texts.empty())
        assembly.attributes[name] = attribute.text;
    }
  };
  put(file->attributes());
  put(data.attributes);
  const auto group = group_of(data.name);
  for (const auto& v : file->variables()) {
    if (&v == &data || v.shape.size() != 1 || v.only_length || group_of(v.name) != group) continue;
    const auto name = v.name.substr(group.size());
    const auto dim = std::find(data.dims.begin(), data.dims.end(), v.dims[0]);
    if (dim == data.dims.end() || dim->empty()) continue;
    const auto n = data.shape[static_cast<size_t>(dim - data.dims.begin())];
    if (v.shape[0] != n) {
      throw bad_input({path, "coordinate \"" + v.name + "\"",
                       std::to_string(v.shape[0]) + " values",
                       std::to_string(n) + ", one a " + *dim, "Write the file again with xarray"});
    }
    if (auto coordinate = read_coordinate(*file, v)) assembly.coords[name] = std::move(*coordinate);
  }
  name_axes(assembly, data.name, entries_beside(*file, data));
  return assembly;
}

Assembly read_assembly(const std::string& path) {
  auto assembly = read_variable(path);
  for (size_t axis = 0; axis < assembly.dims.size(); ++axis) {
    if (assembly.dims[axis].empty()) {
      throw bad_input({path, "axis " + std::to_string(axis) + " of the data variable",
                       "no dimension scale", "a named dim such as presentation or neuroid",
                       "Write it with xarray, or attach a scale"});
    }
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

void write_number_attribute(hid_t object,
                            const std::string& name,
                            const std::vector<double>& numbers,
                            const std::string& path) {
  const hsize_t n = numbers.size();
  const Handle space(n == 1 ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, &n, nullptr), H5Sclose);
  const Handle attribute(
      check(H5Acreate2(object, name.c_str(), H5T_IEEE_F64LE, space.get(), H5P_DEFAULT, H5P_DEFAULT),
            path, "writing attribute \"" + name + "\""),
      H5Aclose);
  check(H5Awrite(attribute.get(), H5T_NATIVE_DOUBLE, numbers.data()), path,
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

Handle write_coordinate(hid_t file,
                        const std::string& name,
                        const Coordinate& coordinate,
                        const std::string& path) {
  const hsize_t n = coordinate.size();
  Handle dataset;
  if (const auto* text = std::get_if<std::vector<std::string>>(&coordinate.values)) {
    const Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
    H5Tset_size(type.get(), H5T_VARIABLE);
    H5Tset_cset(type.get(), H5T_CSET_UTF8);
    dataset = create_dataset(file, name, type.get(), {n}, false, path);
    std::vector<const char*> raw;
    for (const auto& t : *text) raw.push_back(t.c_str());
    write_variable(dataset.get(), type.get(), raw.data(), name, path);
  } else {
    dataset = create_dataset(file, name, H5T_IEEE_F64LE, {n}, false, path);
    write_variable(dataset.get(), H5T_NATIVE_DOUBLE,
                   std::get<std::vector<double>>(coordinate.values).data(), name, path);
  }
  return dataset;
}

void write_contents(const std::string& path, const Assembly& assembly) {
  const auto file = hdf5::create_file(path);
  std::map<std::string, Handle> scales;
  for (size_t axis = 0; axis < assembly.dims.size(); ++axis) {
    const auto& dim = assembly.dims[axis];
    const auto n = static_cast<hsize_t>(assembly.values.size(static_cast<int64_t>(axis)));
    const auto labels = assembly.coords.find(dim);  // of the dim itself: its scale holds them
    const bool labelled = labels != assembly.coords.end() && labels->second.dim == dim;
    auto scale = labelled ? write_coordinate(file.get(), dim, labels->second, path)
                          : create_dataset(file.get(), dim, H5T_IEEE_F32LE, {n}, false, path);
    char label[80];
    std::snprintf(label, sizeof label,
                  "This is a netCDF dimension but not a netCDF variable. %9llu",
                  static_cast<unsigned long long>(n));
    check(H5DSset_scale(scale.get(), labelled ? dim.c_str() : label), path,
          "making dim \"" + dim + "\"");
    scales[dim] = std::move(scale);
  }
  std::string names;
  for (const auto& [name, coordinate] : assembly.coords) {
    if (name == coordinate.dim) continue;
    const auto dataset = write_coordinate(file.get(), name, coordinate, path);
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
  // What said how another file's values were packed says nothing of these.
  const std::set<std::string> packing = {"_FillValue", "missing_value", "scale_factor",
                                         "add_offset"};
  for (const auto& [key, numbers] : assembly.lists) {
    if (!packing.contains(key)) write_number_attribute(data.get(), key, numbers, path);
  }
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
    try {
      throw;
    } catch (const Error& error) {  // by the name that was given
      std::string said = error.what();
      if (const auto at = said.find(temporary); at != std::string::npos)
        said.replace(at, temporary.size(), path);
      throw Error(error.kind(), said);
    }
  }
}

}  // namespace cortiscore
