#include <algorithm>
#include <cstring>
#include <filesystem>
#include <functional>
#include <set>

#include <ATen/ATen.h>
#include <hdf5_hl.h>

#include "cortiscore/error.h"
#include "src/core/notes.h"
#include "src/data/arrays.h"
#include "src/data/hdf5.h"
#include "src/data/room.h"
#include "src/data/stored.h"

namespace cortiscore {
namespace {

using hdf5::check;
using hdf5::Handle;

std::string base_name(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

// A coordinate variable of several dims, or one that is named as a dim but lies along another, has
// this before its name.
std::string without_prefix(const std::string& name) {
  const std::string prefix = "_nc4_non_coord_";
  return name.starts_with(prefix) ? name.substr(prefix.size()) : name;
}

struct Kind {
  StoredType type = StoredType::kOther;
  std::string name;
};

Kind integer_kind(size_t width, bool is_signed) {
  const std::string name = (is_signed ? "int" : "uint") + std::to_string(8 * width);
  switch (width) {
    case 1:
      return {is_signed ? StoredType::kInt8 : StoredType::kUInt8, name};
    case 2:
      return {is_signed ? StoredType::kInt16 : StoredType::kUInt16, name};
    case 4:
      return {is_signed ? StoredType::kInt32 : StoredType::kUInt32, name};
    case 8:
      return {is_signed ? StoredType::kInt64 : StoredType::kUInt64, name};
    default:
      return {StoredType::kOther, name};
  }
}

Kind compound_kind(hid_t type) {
  std::string fields;
  const int n = H5Tget_nmembers(type);
  for (int i = 0; i < n && i < 6; ++i) {
    char* name = H5Tget_member_name(type, static_cast<unsigned>(i));
    fields += (i ? ", " : "") + std::string(name ? name : "");
    H5free_memory(name);
  }
  if (n == 2 && (fields == "r, i" || fields == "real, imag"))
    return {StoredType::kOther, "complex"};
  return {StoredType::kOther, "compound of " + fields};
}

Kind kind_of(hid_t type) {
  const auto width = H5Tget_size(type);
  switch (H5Tget_class(type)) {
    case H5T_INTEGER:
      return integer_kind(width, H5Tget_sign(type) == H5T_SGN_2);
    case H5T_ENUM: {
      const Handle base(H5Tget_super(type), H5Tclose);  // bool, as h5py writes it, among them
      return integer_kind(width, H5Tget_sign(base.get()) == H5T_SGN_2);
    }
    case H5T_FLOAT:
      if (width == 2) return {StoredType::kFloat16, "float16"};
      if (width == 4) return {StoredType::kFloat32, "float32"};
      if (width == 8) return {StoredType::kFloat64, "float64"};
      return {StoredType::kOther, "long double"};
    case H5T_STRING:
      return {StoredType::kText, "text"};
    case H5T_COMPOUND:
      return compound_kind(type);
    case H5T_REFERENCE:
      return {StoredType::kOther, "references"};
    case H5T_VLEN:
      return {StoredType::kOther, "lists of varying length"};
    case H5T_ARRAY:
      return {StoredType::kOther, "arrays within values"};
    default:
      return {StoredType::kOther, "opaque values"};
  }
}

struct Attribute {
  std::string name;
  hid_t id, type;
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
            {name, attribute.get(), type.get(), H5Sget_simple_extent_npoints(space.get())});
        return 0;
      },
      const_cast<void*>(static_cast<const void*>(&body)));
}

std::map<std::string, StoredAttribute> attributes_of(hid_t object) {
  std::map<std::string, StoredAttribute> out;
  each_attribute(object, [&](const Attribute& a) {
    constexpr hssize_t kMost = 1 << 20;
    const auto kind = kind_of(a.type);
    if (a.n < 1 || a.n > kMost || kind.type == StoredType::kOther) return;
    StoredAttribute attribute;
    attribute.type = kind.type;
    if (kind.type != StoredType::kText) {
      if (H5Tget_class(a.type) == H5T_ENUM) return;
      attribute.numbers.resize(static_cast<size_t>(a.n));
      if (H5Aread(a.id, H5T_NATIVE_DOUBLE, attribute.numbers.data()) < 0) return;
    } else {
      const auto n = static_cast<size_t>(a.n);
      const auto width = H5Tget_size(a.type);
      std::vector<std::string> texts;
      if (H5Tis_variable_str(a.type) > 0) {
        std::vector<char*> raw(n, nullptr);
        if (H5Aread(a.id, a.type, raw.data()) < 0) return;
        for (char* text : raw) {
          texts.emplace_back(text ? text : "");
          H5free_memory(text);
        }
      } else {
        std::string raw(n * width, '\0');
        if (H5Aread(a.id, a.type, raw.data()) < 0) return;
        for (size_t i = 0; i < n; ++i)
          texts.emplace_back(raw.data() + i * width, strnlen(raw.data() + i * width, width));
      }
      if (n == 1)
        attribute.text = texts[0];
      else
        attribute.texts = std::move(texts);
    }
    out[a.name] = std::move(attribute);
  });
  for (const auto* internal :
       {"NAME", "CLASS", "_NCProperties", "_Netcdf4Dimid", "_Netcdf4Coordinates"})
    out.erase(internal);
  return out;
}

class Hdf5File : public StoredFile {
 public:
  explicit Hdf5File(const std::string& path) : StoredFile(path), file_(hdf5::open_file(path)) {
    attributes_ = attributes_of(file_.get());
    std::pair<std::vector<std::string>, std::vector<std::string>> names;  // of datasets, groups
    // Soft links that lead nowhere and links to other files are no variables of this one; a dataset
    // that two hard links name is visited once.
    check(H5Ovisit(
              file_.get(), H5_INDEX_NAME, H5_ITER_INC,
              [](hid_t, const char* name, const H5O_info_t* info, void* out) -> herr_t {
                auto& [datasets, groups] = *static_cast<decltype(names)*>(out);
                if (name[0] == '#' || name[0] == '.') return 0;  // #refs#: MATLAB's own
                if (info->type == H5O_TYPE_DATASET) datasets.emplace_back(name);
                if (info->type == H5O_TYPE_GROUP) groups.emplace_back(name);
                return 0;
              },
              &names),
          path, "listing variables");
    for (const auto& name : names.first) variables_.push_back(describe(name));
    for (const auto& name : names.second) {
      const Handle group(check(H5Gopen2(file_.get(), name.c_str(), H5P_DEFAULT), path,
                               "opening group \"" + name + "\""),
                         H5Gclose);
      group_attributes_[name + "/"] = attributes_of(group.get());
    }
  }

  std::vector<std::string> text(const StoredVariable& variable) const override {
    const auto dataset = open(variable);
    check_sources(dataset.get(), variable);
    const Handle type(check(H5Dget_type(dataset.get()), path_, reading(variable)), H5Tclose);
    const Handle space(check(H5Dget_space(dataset.get()), path_, reading(variable)), H5Sclose);
    const auto n =
        static_cast<size_t>(std::max<hssize_t>(0, H5Sget_simple_extent_npoints(space.get())));
    const auto values = n_texts(variable, n);
    check_worth(dataset.get(), variable);
    std::vector<std::string> out;
    if (n == 0) {  // no values, or values of no characters
      out.resize(values);
      return out;
    }
    if (H5Tis_variable_str(type.get()) > 0) {
      std::vector<char*> raw(n, nullptr);
      check(H5Dread(dataset.get(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, raw.data()), path_,
            reading(variable));
      for (const char* text : raw) out.emplace_back(text ? text : "");
      H5Dvlen_reclaim(type.get(), space.get(), H5P_DEFAULT, raw.data());
      return out;
    }
    const size_t width = H5Tget_size(type.get());
    std::vector<char> raw(n * width);
    check(H5Dread(dataset.get(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, raw.data()), path_,
          reading(variable));
    const size_t characters = values ? n / values * width : width;  // more where chars are joined
    const bool spaces = H5Tget_strpad(type.get()) == H5T_STR_SPACEPAD;
    for (size_t i = 0; i < values; ++i) {
      std::string text(raw.data() + i * characters, characters);
      text.resize(std::min(text.find('\0'), characters));
      if (spaces) text.resize(text.find_last_not_of(' ') + 1);
      out.push_back(std::move(text));
    }
    return out;
  }

 protected:
  at::Tensor raw(const StoredVariable& variable) const override {
    const auto dataset = open(variable);
    check_filters(dataset.get(), variable);
    check_sources(dataset.get(), variable);
    check_worth(dataset.get(), variable);
    const auto read = [&](at::ScalarType type, hid_t native) {
      auto values = at::empty(variable.shape, type);
      check(
          H5Dread(dataset.get(), native, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.mutable_data_ptr()),
          path_, reading(variable));
      return values;
    };
    const Handle type(check(H5Dget_type(dataset.get()), path_, reading(variable)), H5Tclose);
    if (H5Tget_class(type.get()) == H5T_ENUM) {
      // HDF5 turns no enumeration into integers; in this machine's byte order its bytes are those
      // of its base type.
      const Handle native(
          check(H5Tget_native_type(type.get(), H5T_DIR_ASCEND), path_, reading(variable)),
          H5Tclose);
      switch (variable.type) {
        case StoredType::kInt8:
          return read(at::kChar, native.get());
        case StoredType::kUInt8:
          return read(at::kByte, native.get());
        case StoredType::kInt16:
          return read(at::kShort, native.get());
        case StoredType::kUInt16:
          return read(at::kUInt16, native.get()).to(at::kInt);
        case StoredType::kInt32:
          return read(at::kInt, native.get());
        case StoredType::kUInt32:
          return read(at::kUInt32, native.get()).to(at::kLong);
        default:
          return read(at::kLong, native.get());
      }
    }
    switch (variable.type) {
      case StoredType::kInt8:
        return read(at::kChar, H5T_NATIVE_INT8);
      case StoredType::kUInt8:
        return read(at::kByte, H5T_NATIVE_UINT8);
      case StoredType::kInt16:
        return read(at::kShort, H5T_NATIVE_INT16);
      case StoredType::kUInt16:
        return read(at::kInt, H5T_NATIVE_INT32);
      case StoredType::kInt32:
        return read(at::kInt, H5T_NATIVE_INT32);
      case StoredType::kUInt32:
        return read(at::kLong, H5T_NATIVE_INT64);
      case StoredType::kInt64:
        return read(at::kLong, H5T_NATIVE_INT64);
      case StoredType::kUInt64:
        return read(at::kLong, H5T_NATIVE_UINT64);
      case StoredType::kFloat64:
        return read(at::kDouble, H5T_NATIVE_DOUBLE);
      default:
        return read(at::kFloat, H5T_NATIVE_FLOAT);
    }
  }

 private:
  static std::string reading(const StoredVariable& variable) {
    return "reading \"" + variable.name + "\"";
  }

  Handle open(const StoredVariable& variable) const {
    return hdf5::open_dataset(file_.get(), stored_names_.at(variable.name), path_);
  }

  StoredVariable describe(const std::string& name) {
    const auto dataset = hdf5::open_dataset(file_.get(), name, path_);
    check_no_pipe(dataset.get(), name);
    const Handle space(
        check(H5Dget_space(dataset.get()), path_, "reading the shape of \"" + name + "\""),
        H5Sclose);
    const Handle type(
        check(H5Dget_type(dataset.get()), path_, "reading the type of \"" + name + "\""), H5Tclose);
    const auto kind = kind_of(type.get());
    StoredVariable variable;
    const auto slash = name.rfind('/') + 1;
    variable.name = name.substr(0, slash) + without_prefix(name.substr(slash));
    variable.type = kind.type;
    variable.type_name = kind.name;
    variable.attributes = attributes_of(dataset.get());
    variable.default_filled = has_default_fill(dataset.get(), kind.type);
    const int rank = std::max(0, H5Sget_simple_extent_ndims(space.get()));
    std::vector<hsize_t> shape(static_cast<size_t>(rank));
    if (rank > 0) H5Sget_simple_extent_dims(space.get(), shape.data(), nullptr);
    variable.shape.assign(shape.begin(), shape.end());
    const bool scale = H5DSis_scale(dataset.get()) > 0;
    for (int axis = 0; axis < rank; ++axis)
      variable.dims.push_back(scale ? base_name(variable.name) : dim_of(dataset.get(), axis));
    variable.is_dim = scale;
    if (scale) {
      char label[64] = {};
      H5DSget_scale_name(dataset.get(), label, sizeof label);
      variable.only_length = std::string(label).starts_with("This is a netCDF dimension but not");
    }
    // Text of one character a value along two dims or more: the last is its characters, as netCDF's
    // char.
    if (kind.type == StoredType::kText && rank > 1 && H5Tis_variable_str(type.get()) <= 0 &&
        H5Tget_size(type.get()) == 1) {
      variable.dims.pop_back();
      variable.shape.pop_back();
    }
    // netCDF-C calls a variable that is named as a dim of another shape _nc4_non_coord_NAME: the
    // dim itself holds no values.
    if (!variable.only_length) {
      if (!stored_names_.emplace(variable.name, name).second)
        throw bad_input({path_, "variable \"" + variable.name + "\"", "it twice", "each name once",
                         "Write the file again"});
    }
    return variable;
  }

  // netCDF-C states its fill value in the dataset itself where it fills at all.
  static bool has_default_fill(hid_t dataset, StoredType type) {
    const auto fill = default_fill(type);
    const Handle layout(H5Dget_create_plist(dataset), H5Pclose);
    H5D_fill_value_t defined = H5D_FILL_VALUE_UNDEFINED;
    double value = 0;
    return fill && H5Pfill_value_defined(layout.get(), &defined) >= 0 &&
           defined == H5D_FILL_VALUE_USER_DEFINED &&
           H5Pget_fill_value(layout.get(), H5T_NATIVE_DOUBLE, &value) >= 0 && value == *fill;
  }

  // Values that are read are worth their file. HDF5 keeps what was never written as a number of
  // cells: 8 KB may say that they hold 7 GB. Of what is stored, deflate makes 1032 times as much at
  // most.
  void check_worth(hid_t dataset, const StoredVariable& variable) const {
    constexpr int64_t kNoQuestion = int64_t{256} << 20, kMostTimes = 1100;
    const auto field = "variable \"" + variable.name + "\"";
    const Handle type(check(H5Dget_type(dataset), path_, reading(variable)), H5Tclose);
    const Handle space(check(H5Dget_space(dataset), path_, reading(variable)), H5Sclose);
    std::vector<hsize_t> stored_shape(
        static_cast<size_t>(std::max(0, H5Sget_simple_extent_ndims(space.get()))));
    H5Sget_simple_extent_dims(space.get(), stored_shape.data(), nullptr);
    const auto bytes = bytes_of({stored_shape.begin(), stored_shape.end()},
                                static_cast<int64_t>(H5Tget_size(type.get())), path_, field);
    const auto stored = static_cast<int64_t>(H5Dget_storage_size(dataset));
    const Handle layout(H5Dget_create_plist(dataset), H5Pclose);
    // The values of a virtual dataset are stored elsewhere.
    if (H5Pget_layout(layout.get()) != H5D_VIRTUAL && bytes > kNoQuestion &&
        bytes / kMostTimes > stored)
      throw bad_input({path_, field,
                       std::to_string(bytes) + " bytes of values, of which the file stores " +
                           std::to_string(stored),
                       "values that are all there", "Save the part that was written"});
    check_room(bytes, path_, field);
  }

  // Where the values of a virtual dataset come from.
  struct Source {
    std::string file, name;
    hssize_t cells = 0;
  };
  static std::vector<Source> sources_of(hid_t dataset) {
    std::vector<Source> sources;
    const Handle layout(H5Dget_create_plist(dataset), H5Pclose);
    if (H5Pget_layout(layout.get()) != H5D_VIRTUAL) return sources;
    size_t n = 0;
    H5Pget_virtual_count(layout.get(), &n);
    for (size_t i = 0; i < n; ++i) {
      std::string file(8192, '\0'), name(8192, '\0');
      H5Pget_virtual_filename(layout.get(), i, file.data(), file.size());
      H5Pget_virtual_dsetname(layout.get(), i, name.data(), name.size());
      file.resize(strnlen(file.data(), file.size()));
      name.resize(strnlen(name.data(), name.size()));
      const Handle space(H5Pget_virtual_vspace(layout.get(), i), H5Sclose);
      sources.push_back({file, name, std::max<hssize_t>(H5Sget_select_npoints(space.get()), 0)});
    }
    return sources;
  }

  // The file of a source, where HDF5 looks for it; empty where there is none. @param of  that names
  // it
  static std::string place_of(const std::string& file, const std::string& of) {
    const auto beside = std::filesystem::path(of).parent_path() / file;
    for (const auto& path : {beside.string(), file})
      if (why_unreadable(path).empty()) return path;
    return {};
  }

  // HDF5 opens sources where it is asked for the shape of a dataset that grows with them, and waits
  // for a pipe for ever.
  void check_no_pipe(hid_t dataset, const std::string& name) const {
    for (const auto& source : sources_of(dataset)) {
      if (source.file == ".") continue;
      const auto beside = std::filesystem::path(path_).parent_path() / source.file;
      for (const auto& path : {beside.string(), source.file}) {
        const auto found = why_unreadable(path);
        if (found == "a named pipe" || found == "a socket" || found == "a device")
          throw bad_input({path_, "variable \"" + name + "\"",
                           "a virtual dataset whose source " + shown(source.file) + " is " + found,
                           "files", "Save an array of its own"});
      }
    }
  }

  void check_sources(hid_t dataset, const StoredVariable& variable) const {
    check_sources(file_.get(), path_, dataset, variable, 0);
  }

  // Why a name within a file is not to be opened; "" where it may be. Links are not followed: they
  // may lead into other files.
  static std::string why_closed(hid_t file, const std::string& name) {
    for (size_t end = name.find('/', 1);; end = name.find('/', end + 1)) {
      H5L_info_t link;
      const auto part = name.substr(0, end);
      if (part.empty() || H5Lget_info(file, part.c_str(), &link, H5P_DEFAULT) < 0)
        return " is missing";
      if (link.type != H5L_TYPE_HARD) return " is reached by a link";
      if (end == std::string::npos) return "";
    }
  }

  // What reads as fill values without a word where another file is missing, and what would be read
  // from anywhere on this machine: a recording from a stranger is its file and what lies beside it.
  // @param file, path, dataset  that are read for the variable: its own, or a source of its values
  void check_sources(hid_t file,
                     const std::string& path,
                     hid_t dataset,
                     const StoredVariable& variable,
                     int depth) const {
    namespace fs = std::filesystem;
    constexpr int kDeepest = 8;
    const Handle layout(H5Dget_create_plist(dataset), H5Pclose);
    const auto refuse = [&](const std::string& found, const std::string& action) {
      return bad_input({path_, "variable \"" + variable.name + "\"", found,
                        "values that are all there", action});
    };
    if (H5Pget_external_count(layout.get()) > 0) {
      throw refuse("values in a raw file of their own",
                   "Copy them into one file: h5repack -l CONTI IN.h5 OUT.h5");
    }
    if (H5Pget_layout(layout.get()) != H5D_VIRTUAL) return;
    constexpr const char* kAction = "Copy the sources beside it, or save an array of its own";
    if (depth > kDeepest) throw refuse("virtual datasets of virtual datasets without end", kAction);
    hssize_t cells = 0;
    for (const auto& [of, name, n] : sources_of(dataset)) {
      const auto text = "a virtual dataset whose source " + shown(name) + " of " + shown(of);
      if (of.find('%') != std::string::npos || name.find('%') != std::string::npos)
        throw refuse("a virtual dataset of sources by a pattern, " + shown(of), kAction);
      const auto place = of == "." ? path : place_of(of, path);
      Handle opened;
      if (of != "." && !place.empty()) {
        const auto inside = fs::weakly_canonical(place).lexically_relative(
            fs::weakly_canonical(path_).parent_path());
        if (inside.empty() || *inside.begin() == "..")
          throw refuse(text + " is outside of the folder of this file", kAction);
        opened = Handle(H5Fopen(place.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose);
      }
      const hid_t from = of == "." ? file : opened.get();
      if (from < 0) throw refuse(text + " is missing", kAction);
      if (const auto why = why_closed(from, name); !why.empty()) throw refuse(text + why, kAction);
      const Handle source(H5Dopen2(from, name.c_str(), H5P_DEFAULT), H5Dclose);
      if (source.get() < 0) throw refuse(text + " is missing", kAction);
      check_sources(from, place, source.get(), variable, depth + 1);
      cells += n;
    }
    if (depth > 0) return;
    hssize_t all = 1;
    for (const auto length : variable.shape) all *= length;
    if (cells < all)
      throw refuse(
          "a virtual dataset of which " + std::to_string(all - cells) + " values have no source",
          kAction);
  }

  // The name of the scale of an axis; h5py's label where there is none.
  static std::string dim_of(hid_t dataset, int axis) {
    std::string dim;
    if (H5DSget_num_scales(dataset, static_cast<unsigned>(axis)) > 0) {
      H5DSiterate_scales(
          dataset, static_cast<unsigned>(axis), nullptr,
          [](hid_t, unsigned, hid_t scale, void* out) -> herr_t {
            char buffer[1024];
            if (H5Iget_name(scale, buffer, sizeof buffer) > 0)
              *static_cast<std::string*>(out) = buffer;
            return 1;
          },
          &dim);
      return base_name(dim);
    }
    char label[256] = {};
    if (H5DSget_label(dataset, static_cast<unsigned>(axis), label, sizeof label) > 0) dim = label;
    return dim;
  }

  // A filter that is missing says so by name, instead of "can't open".
  void check_filters(hid_t dataset, const StoredVariable& variable) const {
    static const std::map<H5Z_filter_t, std::string> kNames = {
        {H5Z_FILTER_SZIP, "szip"}, {32000, "lzf"}, {32001, "blosc"}, {32004, "lz4"},
        {32008, "bitshuffle"},     {32013, "zfp"}, {32015, "zstd"},  {32017, "sz"},
        {32026, "blosc2"},         {307, "bzip2"}};
    const Handle layout(H5Dget_create_plist(dataset), H5Pclose);
    const int n = H5Pget_nfilters(layout.get());
    for (int i = 0; i < n; ++i) {
      unsigned flags = 0, config = 0;
      size_t parameters = 0;
      const auto filter = H5Pget_filter2(layout.get(), static_cast<unsigned>(i), &flags,
                                         &parameters, nullptr, 0, nullptr, &config);
      if (filter < 0 || H5Zfilter_avail(filter) > 0) continue;
      const auto name = kNames.find(filter);
      throw bad_input(
          {path_, "variable \"" + variable.name + "\"",
           "compression by " +
               (name == kNames.end() ? "the HDF5 filter " + std::to_string(filter) : name->second),
           "none, or deflate (gzip), shuffle and fletcher32, which every HDF5 reads",
           "Write it again with compression=\"gzip\" (h5py) or zlib=True (xarray)"});
    }
  }

  Handle file_;
  std::map<std::string, std::string> stored_names_;
};

}  // namespace

std::unique_ptr<StoredFile> open_hdf5(const std::string& path) {
  return std::make_unique<Hdf5File>(path);
}

}  // namespace cortiscore
