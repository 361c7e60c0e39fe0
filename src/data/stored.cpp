#include "src/data/stored.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <optional>
#include <set>
#include <sstream>

#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/core/notes.h"
#include "src/data/arrays.h"
#include "src/data/ids_beside.h"

namespace cortiscore {
namespace {

constexpr int64_t kLargestExact = int64_t{1} << 53;  // beyond it float64 leaves integers out

int64_t bits_of(StoredType type) {
  switch (type) {
    case StoredType::kInt8:
    case StoredType::kUInt8:
      return 8;
    case StoredType::kInt16:
    case StoredType::kUInt16:
    case StoredType::kFloat16:
      return 16;
    case StoredType::kInt32:
    case StoredType::kUInt32:
    case StoredType::kFloat32:
      return 32;
    default:
      return 64;
  }
}

bool is_float(StoredType type) {
  return type == StoredType::kFloat16 || type == StoredType::kFloat32 ||
         type == StoredType::kFloat64;
}

bool is_unsigned(StoredType type) {
  return type == StoredType::kUInt8 || type == StoredType::kUInt16 || type == StoredType::kUInt32 ||
         type == StoredType::kUInt64;
}

const StoredAttribute* attribute(const StoredVariable& variable, const std::string& name) {
  const auto found = variable.attributes.find(name);
  return found == variable.attributes.end() ? nullptr : &found->second;
}

// `scale_factor` or `add_offset`.
struct Packing {
  double value = 0;
  StoredType type = StoredType::kFloat64;
};

std::optional<Packing> packing(const StoredVariable& variable,
                               const std::string& name,
                               const std::string& path) {
  const auto* found = attribute(variable, name);
  if (!found) return std::nullopt;
  if (found->numbers.size() != 1) {
    throw bad_input({path, "variable \"" + variable.name + "\", attribute " + name,
                     found->type == StoredType::kText
                         ? "the text \"" + found->text + "\""
                         : std::to_string(found->numbers.size()) + " values",
                     "one number", "Write the file again, with numbers as they are"});
  }
  return Packing{found->numbers[0], found->type};
}

// xarray's _choose_float_dtype (xarray/coding/variables.py), where something is packed. A factor
// that is an integer, which xarray would compute in integers, is computed in float64.
at::ScalarType packed_type(StoredType type,
                           const std::optional<Packing>& scale,
                           const std::optional<Packing>& offset) {
  const bool single = scale && scale->type == StoredType::kFloat32;
  if (!offset) return single ? at::kFloat : at::kDouble;
  if (!scale || scale->type != offset->type || !single) return at::kDouble;
  return bits_of(type) == 32 && !is_float(type) ? at::kDouble : at::kFloat;
}

// Values that are read as one type and are of the other signedness (`_Unsigned`), as float64.
double as_other_sign(double value, int64_t bits, bool to_unsigned) {
  const double range = std::ldexp(1.0, static_cast<int>(bits));
  if (to_unsigned) return value < 0 ? value + range : value;
  return value >= range / 2 ? value - range : value;
}

// The values that stand for missing ones; several are allowed in `missing_value`.
std::vector<double> fill_values(const StoredVariable& variable, std::optional<bool> unsign) {
  std::vector<double> fills;
  for (const auto* name : {"missing_value", "_FillValue"}) {
    const auto* found = attribute(variable, name);
    if (!found) continue;
    for (auto value : found->numbers) {
      if (std::isnan(value)) continue;
      if (unsign && !is_float(found->type))
        value = as_other_sign(value, bits_of(variable.type), *unsign);
      fills.push_back(value);
    }
  }
  return fills;
}

at::Tensor where_any(const at::Tensor& values, const std::vector<double>& fills) {
  auto mask = at::zeros(values.sizes(), at::kBool);
  const bool single = values.scalar_type() == at::kFloat;
  for (const auto fill : fills) {
    // Beside float32 values a fill value counts as float32 makes it: -999.9 as -999.900024.
    if (!single || !(std::abs(fill) > std::numeric_limits<float>::max())) mask |= values == fill;
  }
  return mask;
}

}  // namespace

std::optional<double> default_fill(StoredType type) {
  switch (type) {
    case StoredType::kInt8:
      return -127;
    case StoredType::kUInt8:
      return 255;
    case StoredType::kInt16:
      return -32767;
    case StoredType::kUInt16:
      return 65535;
    case StoredType::kInt32:
      return -2147483647;
    case StoredType::kUInt32:
      return 4294967295;
    case StoredType::kFloat32:
    case StoredType::kFloat64:
      return 9.9692099683868690e+36;
    default:
      return std::nullopt;
  }
}

namespace {

// What the NetCDF library leaves where nothing was written. Without a fill value of the file's own
// these are no data: netCDF4 masks them, xarray does not.
void check_written(const at::Tensor& stored,
                   const StoredVariable& variable,
                   const std::string& path) {
  const auto fill = default_fill(variable.type);
  if (!fill || attribute(variable, "_FillValue") || attribute(variable, "missing_value") ||
      !(is_float(variable.type) || variable.default_filled))
    return;
  // As whole numbers: float32, which a comparison with a double would be made in, rounds them.
  const auto same = is_float(variable.type) ? stored == *fill
                                            : stored == static_cast<int64_t>(std::llround(*fill));
  const auto n = same.sum().item<int64_t>();
  if (n == 0) return;
  char text[32];
  std::snprintf(text, sizeof text, "%.17g", *fill);  // what is given as _FillValue has to equal it
  const std::string value = text;
  if (bits_of(variable.type) == 8) {  // one of 256, which data have as well
    note(path, "variable \"" + variable.name + "\": " + std::to_string(n) + " values " + value +
                   ", which NetCDF leaves where nothing was written, are taken as data");
    return;
  }
  throw bad_input(
      {path, "variable \"" + variable.name + "\"",
       std::to_string(n) + " values " + value + ", which NetCDF leaves where nothing was written",
       "values that were written",
       "Write missing ones as NaN, or give the variable _FillValue " + value});
}

}  // namespace

at::Tensor StoredFile::numbers(const StoredVariable& variable) const {
  std::optional<bool> unsign;  // to unsigned, or to signed
  if (const auto* said = attribute(variable, "_Unsigned"); said && !is_float(variable.type)) {
    if (said->text == "true" && !is_unsigned(variable.type)) unsign = true;
    if (said->text == "false" && is_unsigned(variable.type)) unsign = false;
  }
  const auto stored = raw(variable);
  check_written(stored, variable, path_);
  at::Tensor values;
  if (stored.scalar_type() == at::kFloat && variable.type == StoredType::kFloat32) {
    values = stored;
  } else {
    values = stored.to(at::kDouble);
  }
  if (unsign || variable.type == StoredType::kUInt64) {
    const bool to_unsigned = unsign.value_or(true);
    auto* value = values.mutable_data_ptr<double>();
    for (int64_t i = 0; i < values.numel(); ++i)
      value[i] = as_other_sign(value[i], bits_of(variable.type), to_unsigned);
  }
  const auto fills = fill_values(variable, unsign);
  const auto missing = where_any(values, fills);
  const auto scale = packing(variable, "scale_factor", path_);
  const auto offset = packing(variable, "add_offset", path_);
  if (bits_of(variable.type) == 64 && !is_float(variable.type)) {
    const auto beyond =
        ((values.abs() >= static_cast<double>(kLargestExact)) & missing.logical_not())
            .sum()
            .item<int64_t>();
    if (beyond) {
      throw bad_input({path_, "variable \"" + variable.name + "\"",
                       std::to_string(beyond) + " integers of 2^53 or more",
                       "numbers that float64 holds exactly", "Save them as float64"});
    }
  }
  if (scale || offset) {
    const auto* fill = attribute(variable, "_FillValue");
    const auto* other = attribute(variable, "missing_value");
    // A fill value that is NaN masks nothing, and leaves xarray with the stored float type.
    const bool stays = fills.empty() && (fill || other) && is_float(variable.type);
    const auto type = stays ? values.scalar_type() : packed_type(variable.type, scale, offset);
    // In float32, a factor of float64 is multiplied in float64 and then rounded, as NumPy does in
    // place.
    const auto apply = [&](const std::optional<Packing>& p, bool multiply) {
      if (!p) return;
      const bool wide = values.scalar_type() == at::kFloat && p->type != StoredType::kFloat32;
      auto at_work = wide ? values.to(at::kDouble) : values;
      at_work = multiply ? at_work * p->value : at_work + p->value;
      values = at_work.to(values.scalar_type());
    };
    values = values.to(type);
    apply(scale, true);
    apply(offset, false);
  }
  if (!fills.empty())
    values = values.masked_fill(missing, std::numeric_limits<double>::quiet_NaN());
  return values.contiguous();
}

std::variant<std::vector<std::string>, std::vector<double>> StoredFile::coordinate_values(
    const StoredVariable& variable) const {
  bool decoded = false;
  for (const auto* name :
       {"_Unsigned", "_FillValue", "missing_value", "scale_factor", "add_offset"})
    decoded = decoded || attribute(variable, name);
  if (bits_of(variable.type) == 64 && !is_float(variable.type) && !decoded) {
    const auto stored = raw(variable).contiguous();
    std::vector<std::string> texts;
    bool exact = true;
    for (int64_t i = 0; i < stored.numel(); ++i) {
      const auto value = stored.const_data_ptr<int64_t>()[i];
      exact = exact && value >= -kLargestExact && value <= kLargestExact;
      texts.push_back(variable.type == StoredType::kUInt64
                          ? std::to_string(static_cast<uint64_t>(value))
                          : std::to_string(value));
    }
    if (!exact) return texts;
  }
  const auto values = numbers(variable).to(at::kDouble).contiguous();
  return std::vector<double>(values.const_data_ptr<double>(),
                             values.const_data_ptr<double>() + values.numel());
}

size_t StoredFile::n_texts(const StoredVariable& variable, size_t width) const {
  constexpr size_t kMostEmpty = size_t{1} << 24;
  if (std::find(variable.shape.begin(), variable.shape.end(), 0) != variable.shape.end()) return 0;
  size_t n = 1;
  for (const auto length : variable.shape) {
    const bool overflow = __builtin_mul_overflow(n, static_cast<size_t>(length), &n);
    if (!overflow && (width > 0 || n <= kMostEmpty)) continue;
    throw bad_input({path_, "variable \"" + variable.name + "\"",
                     std::to_string(length) + " texts of no characters", "text, or fewer of them",
                     "The file may be damaged: copy or write it again"});
  }
  return n;
}

std::unique_ptr<StoredFile> open_stored(const std::string& path) {
  size_of(path, "a NetCDF or HDF5 file");
  std::array<char, 4> start{};
  std::ifstream(path, std::ios::binary).read(start.data(), start.size());
  if (std::memcmp(start.data(), "CDF", 3) == 0) return open_classic_netcdf(path);
  return open_hdf5(path);
}

namespace {

std::string listed(const std::vector<const StoredVariable*>& variables) {
  constexpr size_t kMost = 8;
  std::string out;
  for (size_t i = 0; i < std::min(kMost, variables.size()); ++i) {
    const auto& v = *variables[i];
    out += (i ? ", \"" : "\"") + v.name + "\" (" + v.type_name;
    for (size_t axis = 0; axis < v.shape.size(); ++axis)
      out += (axis ? " x " : " ") + std::to_string(v.shape[axis]);
    out += ")";
  }
  if (variables.size() > kMost) out += " and " + std::to_string(variables.size() - kMost) + " more";
  return out;
}

// What `coordinates` and `bounds` attributes name: xarray's coordinates along dims of another name.
std::set<std::string> named_coordinates(const StoredFile& file) {
  std::set<std::string> names;
  const auto add = [&](const std::map<std::string, StoredAttribute>& attributes) {
    for (const auto* key : {"coordinates", "bounds"}) {
      const auto found = attributes.find(key);
      if (found == attributes.end()) continue;
      std::istringstream words(found->second.text);
      for (std::string word; words >> word;) names.insert(word);
    }
  };
  add(file.attributes());
  for (const auto& v : file.variables()) add(v.attributes);
  return names;
}

}  // namespace

const StoredVariable& data_variable(const StoredFile& file, const std::string& wanted) {
  std::vector<const StoredVariable*> all, wide, narrow;
  const auto coordinates = named_coordinates(file);
  for (const auto& v : file.variables()) {
    if (v.only_length) continue;
    all.push_back(&v);
    if (v.is_dim || coordinates.contains(v.name) || !v.is_number() || v.shape.empty()) continue;
    const auto named = named_by(v.name);
    if (named == Named::kStimuli || named == Named::kNeuroids) continue;
    (v.shape.size() > 1 ? wide : narrow).push_back(&v);
  }
  const auto check = [&](const StoredVariable& v) -> const StoredVariable& {
    if (!v.is_number()) {
      throw bad_input({file.path(), "variable \"" + v.name + "\"", v.type_name, "numbers",
                       v.type_name == "complex" ? "Save its absolute values, or its real part"
                                                : "Save the numbers as a variable of float64"});
    }
    return v;
  };
  if (!wanted.empty()) {
    const auto found =
        std::find_if(all.begin(), all.end(), [&](const auto* v) { return v->name == wanted; });
    if (found == all.end()) {
      throw bad_input({file.path(), "variable \"" + wanted + "\"",
                       "none (there are: " + listed(all) + ")", "one of the file's",
                       "Name one with --variable"});
    }
    return check(**found);
  }
  for (const auto* v : all) {
    if (v->name == "__xarray_dataarray_variable__" || v->name == "data") return check(*v);
  }
  auto& candidates = wide.empty() ? narrow : wide;
  if (candidates.size() == 1) return *candidates[0];
  if (candidates.empty()) {
    const bool other = std::any_of(all.begin(), all.end(), [](const auto* v) {
      return v->type == StoredType::kOther && !v->shape.empty();
    });
    throw bad_input({file.path(), "data variable",
                     all.empty() ? "no variable" : "no array of numbers among " + listed(all),
                     "one, such as presentation x neuroid",
                     other ? "Save it as float64; of complex numbers the absolute values or a part"
                           : "See the assembly format in docs/formats.md"});
  }
  throw bad_input({file.path(), "data variable",
                   std::to_string(candidates.size()) + ": " + listed(candidates), "one",
                   "Name it with --variable, or call the one that holds the data \"data\""});
}

}  // namespace cortiscore
