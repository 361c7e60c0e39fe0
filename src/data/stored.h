#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <ATen/core/Tensor.h>

namespace cortiscore {

/// What a file writes the values of a variable as.
enum class StoredType : int {
  kInt8,
  kUInt8,
  kInt16,
  kUInt16,
  kInt32,
  kUInt32,
  kInt64,
  kUInt64,
  kFloat16,
  kFloat32,
  kFloat64,
  kText,
  kOther,  ///< complex, compound, references and the like: nothing that an array of responses holds
};

/// What stands beside a variable, a group or the whole file: text, several texts, or one number or
/// several.
struct StoredAttribute {
  StoredType type = StoredType::kOther;
  std::string text;
  std::vector<std::string> texts;  ///< where there are several
  std::vector<double> numbers;
};

/// A variable as it is stored, before its numbers are decoded.
struct StoredVariable {
  std::string name;  ///< with its groups: "betas", "session01/betas"
  StoredType type = StoredType::kOther;
  std::string type_name;          ///< in words: "int16", "complex", "long double"
  std::vector<std::string> dims;  ///< one an axis; "" where the file gives an axis no name
  std::vector<int64_t> shape;
  bool is_dim = false;  ///< the variable of a dim's own name
  bool only_length =
      false;  ///< such a variable without values: NetCDF-4 notes a dim's length with it
  std::map<std::string, StoredAttribute> attributes;
  /// Whether cells that nobody wrote hold netCDF's fill value of the type, as its library leaves
  /// them.
  bool default_filled = false;

  bool is_number() const { return type != StoredType::kText && type != StoredType::kOther; }
};

/// A NetCDF or HDF5 file that is open for reading.
class StoredFile {
 public:
  virtual ~StoredFile() = default;
  const std::string& path() const { return path_; }
  /// All variables, those of inner groups too, by name.
  const std::vector<StoredVariable>& variables() const { return variables_; }
  const std::map<std::string, StoredAttribute>& attributes() const { return attributes_; }
  /// Of inner groups, by their names with a / at the end.
  const std::map<std::string, std::map<std::string, StoredAttribute>>& group_attributes() const {
    return group_attributes_;
  }

  /// Numbers as xarray.open_dataset decodes them: `_Unsigned`, then `_FillValue` and
  /// `missing_value` become NaN, then `scale_factor` and `add_offset`, in the float type that
  /// xarray takes.
  /// @return float32 or float64, one axis a dim
  /// @throws Error(kBadInput)  they cannot be read; integers beyond 2^53; netCDF's fill value where
  ///                           the variable states none, but for bytes, which are noted
  at::Tensor numbers(const StoredVariable& variable) const;
  /// The same as values of a coordinate: numbers, or text where integers are beyond 2^53, which ids
  /// are.
  std::variant<std::vector<std::string>, std::vector<double>> coordinate_values(
      const StoredVariable& variable) const;
  /// @return one entry a value, in C order; padding is cut off
  virtual std::vector<std::string> text(const StoredVariable& variable) const = 0;

 protected:
  explicit StoredFile(std::string path) : path_(std::move(path)) {}
  /// How many texts a variable holds. @param width  characters of each: without any they take no
  /// room in the file, which may then say any number.
  /// @throws Error(kBadInput)  more than 2^24 of no characters
  size_t n_texts(const StoredVariable& variable, size_t width) const;
  /// Values of the stored type, in this machine's byte order: float16 as float32; of uint64 the
  /// bits, as int64; of uint16 and uint32 the values, as int32 and int64.
  virtual at::Tensor raw(const StoredVariable& variable) const = 0;

  std::string path_;
  std::vector<StoredVariable> variables_;
  std::map<std::string, StoredAttribute> attributes_;
  std::map<std::string, std::map<std::string, StoredAttribute>> group_attributes_;
};

/// What netCDF-C leaves of a type where nothing was written (netcdf.h, NC_FILL_SHORT and its like);
/// nothing for int64, whose fill values are beyond 2^53.
std::optional<double> default_fill(StoredType type);

/// Opens NetCDF-4, HDF5, or a classic NetCDF file (NetCDF-3: CDF-1, CDF-2 with 64-bit offsets,
/// CDF-5), by its first bytes.
/// @throws Error(kBadInput)  none of them, truncated or damaged
std::unique_ptr<StoredFile> open_stored(const std::string& path);
std::unique_ptr<StoredFile> open_hdf5(const std::string& path);
std::unique_ptr<StoredFile> open_classic_netcdf(const std::string& path);

/// The variable that holds the data: the one named; else `data` or `__xarray_dataarray_variable__`,
/// as xarray and BrainIO name a DataArray; else the only one of numbers that is no coordinate.
/// @throws Error(kBadInput)  none, or several; the message names them
const StoredVariable& data_variable(const StoredFile& file, const std::string& wanted);

}  // namespace cortiscore
