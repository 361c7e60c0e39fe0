// Classic NetCDF in its three widths. The grammar is that of the NetCDF User's Guide, "File Format
// Specifications": https://docs.unidata.ucar.edu/netcdf-c/current/file_format_specifications.html;
// it is small and has not changed since CDF-5 of 2012, so reading it takes no library beside HDF5.
#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>

#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/data/stored.h"

namespace cortiscore {
namespace {

static_assert(std::endian::native == std::endian::little);

Error damaged(const std::string& path, const std::string& field, const std::string& found) {
  return bad_input({path, field, found, "a classic NetCDF file (CDF-1, CDF-2 or CDF-5)",
                    "It may be truncated or damaged: copy or write it again"});
}

void swap_bytes(char* data, int64_t count, int64_t width) {
  for (int64_t i = 0; i < count && width > 1; ++i)
    std::reverse(data + i * width, data + (i + 1) * width);
}

struct Kind {
  StoredType type;
  const char* name;
  int64_t width;
};

Kind kind_of(uint32_t nc_type, const std::string& path) {
  static const std::array<Kind, 11> kKinds = {{{StoredType::kInt8, "int8", 1},
                                               {StoredType::kText, "text", 1},
                                               {StoredType::kInt16, "int16", 2},
                                               {StoredType::kInt32, "int32", 4},
                                               {StoredType::kFloat32, "float32", 4},
                                               {StoredType::kFloat64, "float64", 8},
                                               {StoredType::kUInt8, "uint8", 1},
                                               {StoredType::kUInt16, "uint16", 2},
                                               {StoredType::kUInt32, "uint32", 4},
                                               {StoredType::kInt64, "int64", 8},
                                               {StoredType::kUInt64, "uint64", 8}}};
  if (nc_type < 1 || nc_type > kKinds.size())
    throw damaged(path, "header", "the type " + std::to_string(nc_type));
  return kKinds[nc_type - 1];
}

// The header, read from front to end.
class Header {
 public:
  Header(const std::string& path, std::ifstream& stream, int64_t size)
      : path_(path), stream_(stream), size_(size) {
    std::array<char, 4> magic{};
    take(magic.data(), 4);
    version_ = magic[3];
    if (version_ != 1 && version_ != 2 && version_ != 5)
      throw damaged(path, "header", "version " + std::to_string(version_));
  }

  int version() const { return version_; }
  uint32_t u32() {
    std::array<char, 4> bytes{};
    take(bytes.data(), 4);
    swap_bytes(bytes.data(), 1, 4);
    return std::bit_cast<uint32_t>(bytes);
  }
  int64_t u64() {
    std::array<char, 8> bytes{};
    take(bytes.data(), 8);
    swap_bytes(bytes.data(), 1, 8);
    return std::bit_cast<int64_t>(bytes);
  }
  int64_t count() { return checked(version_ == 5 ? u64() : int64_t{u32()}); }
  int64_t offset() { return checked(version_ == 1 ? int64_t{u32()} : u64()); }
  int64_t records() {
    if (version_ == 5) return u64();
    const auto n = u32();
    return n == 0xFFFFFFFFU ? -1 : int64_t{n};
  }
  std::string bytes(int64_t n) {
    if (n > size_) throw damaged(path_, "header", std::to_string(n) + " bytes of text or numbers");
    std::string out(static_cast<size_t>(n), '\0');
    take(out.data(), n);
    std::array<char, 4> padding{};
    take(padding.data(), (4 - n % 4) % 4);
    return out;
  }
  std::string name() { return bytes(count()); }
  // The number of entries of a list that carries this tag, or is absent.
  int64_t list(uint32_t tag) {
    const auto found = u32();
    const auto n = count();
    if (found != tag && !(found == 0 && n == 0))
      throw damaged(path_, "header", "a list with the tag " + std::to_string(found));
    if (n > size_) throw damaged(path_, "header", std::to_string(n) + " entries in a list");
    return n;
  }

 private:
  int64_t checked(int64_t n) const {
    if (n < 0) throw damaged(path_, "header", "a negative size");
    return n;
  }
  void take(char* to, int64_t n) {
    stream_.read(to, n);
    if (!stream_)
      throw damaged(path_, "header", "its end after " + std::to_string(size_) + " bytes");
  }

  const std::string& path_;
  std::ifstream& stream_;
  int64_t size_;
  int version_ = 0;
};

std::map<std::string, StoredAttribute> read_attributes(Header& header, const std::string& path) {
  std::map<std::string, StoredAttribute> out;
  for (auto n = header.list(0x0C); n-- > 0;) {
    const auto name = header.name();
    const auto kind = kind_of(header.u32(), path);
    const auto count = header.count();
    if (count > int64_t{1} << 40) throw damaged(path, "attribute " + name, "its length");
    auto bytes = header.bytes(count * kind.width);
    StoredAttribute attribute;
    attribute.type = kind.type;
    if (kind.type == StoredType::kText) {
      attribute.text = bytes.substr(0, bytes.find('\0'));
    } else {
      swap_bytes(bytes.data(), count, kind.width);
      for (int64_t i = 0; i < count; ++i) {
        const auto as = [&]<typename T>(T value) {
          std::memcpy(&value, bytes.data() + i * kind.width, sizeof value);
          attribute.numbers.push_back(static_cast<double>(value));
        };
        switch (kind.type) {
          case StoredType::kInt8:
            as(int8_t{});
            break;
          case StoredType::kUInt8:
            as(uint8_t{});
            break;
          case StoredType::kInt16:
            as(int16_t{});
            break;
          case StoredType::kUInt16:
            as(uint16_t{});
            break;
          case StoredType::kInt32:
            as(int32_t{});
            break;
          case StoredType::kUInt32:
            as(uint32_t{});
            break;
          case StoredType::kInt64:
            as(int64_t{});
            break;
          case StoredType::kUInt64:
            as(uint64_t{});
            break;
          case StoredType::kFloat32:
            as(float{});
            break;
          default:
            as(double{});
        }
      }
    }
    out[name] = std::move(attribute);
  }
  return out;
}

class ClassicNetcdf : public StoredFile {
 public:
  explicit ClassicNetcdf(const std::string& path)
      : StoredFile(path), stream_(path, std::ios::binary) {
    size_ = static_cast<int64_t>(std::filesystem::file_size(path));
    Header header(path_, stream_, size_);
    records_ = header.records();
    struct Dim {
      std::string name;
      int64_t length;
    };
    std::vector<Dim> dims;
    int64_t record_dim = -1;
    for (auto n = header.list(0x0A); n-- > 0;) {
      auto name = header.name();
      const auto length = header.count();
      if (length == 0) record_dim = static_cast<int64_t>(dims.size());
      dims.push_back({std::move(name), length});
    }
    attributes_ = read_attributes(header, path_);
    for (auto n = header.list(0x0B); n-- > 0;) {
      StoredVariable variable;
      Place place;
      variable.name = header.name();
      const auto rank = header.count();
      if (rank > 1024)
        throw damaged(path_, "variable " + variable.name, std::to_string(rank) + " dims");
      for (int64_t axis = 0; axis < rank; ++axis) {
        const auto id = header.count();
        if (id >= static_cast<int64_t>(dims.size()))
          throw damaged(path_, "variable " + variable.name, "a dim that is not there");
        if (id == record_dim) {
          if (axis) throw damaged(path_, "variable " + variable.name, "records inside another dim");
          place.in_records = true;
        }
        variable.dims.push_back(dims[static_cast<size_t>(id)].name);
        variable.shape.push_back(dims[static_cast<size_t>(id)].length);
      }
      variable.attributes = read_attributes(header, path_);
      const auto kind = kind_of(header.u32(), path_);
      variable.type = kind.type;
      variable.type_name = kind.name;
      variable.default_filled = true;  // the library's default, which the file does not say
      variable.is_dim = variable.dims.size() == 1 && variable.dims[0] == variable.name;
      place.width = kind.width;
      header.count();  // vsize: redundant, and wrong where it does not fit
      place.begin = header.offset();
      places_.push_back(place);
      variables_.push_back(std::move(variable));
    }
    lay_out();
  }

  std::vector<std::string> text(const StoredVariable& variable) const override {
    // The last dim of text is its characters.
    const auto& place = place_of(variable);
    const auto bytes = bytes_of(variable, place);
    std::vector<std::string> out;
    const auto width = static_cast<size_t>(place.characters);
    const auto n = n_texts(variable, width);
    for (size_t i = 0; i < n; ++i) {
      auto one = bytes.substr(i * width, width);
      one.resize(std::min(one.find('\0'), one.size()));
      out.push_back(std::move(one));
    }
    return out;
  }

 protected:
  at::Tensor raw(const StoredVariable& variable) const override {
    const auto& place = place_of(variable);
    auto bytes = bytes_of(variable, place);
    const auto n = static_cast<int64_t>(bytes.size()) / place.width;
    swap_bytes(bytes.data(), n, place.width);
    const auto as = [&](at::ScalarType type) {
      auto values = at::empty(variable.shape, type);
      std::memcpy(values.mutable_data_ptr(), bytes.data(), bytes.size());
      return values;
    };
    switch (variable.type) {
      case StoredType::kInt8:
        return as(at::kChar);
      case StoredType::kUInt8:
        return as(at::kByte);
      case StoredType::kInt16:
        return as(at::kShort);
      case StoredType::kUInt16:
        return as(at::kUInt16).to(at::kInt);
      case StoredType::kInt32:
        return as(at::kInt);
      case StoredType::kUInt32:
        return as(at::kUInt32).to(at::kLong);
      case StoredType::kFloat32:
        return as(at::kFloat);
      case StoredType::kFloat64:
        return as(at::kDouble);
      default:
        return as(at::kLong);
    }
  }

 private:
  struct Place {
    int64_t begin = 0, width = 1, characters = 1;
    int64_t bytes = 0;  // of all of it, or of one record
    bool in_records = false;
  };

  const Place& place_of(const StoredVariable& variable) const {
    return places_[static_cast<size_t>(&variable - variables_.data())];
  }

  // How far records lie apart, and how many there are.
  void lay_out() {
    int64_t n_record_variables = 0;
    record_bytes_ = 0;
    int64_t first = size_;
    for (size_t i = 0; i < variables_.size(); ++i) {
      auto& place = places_[i];
      place.bytes = place.width;
      for (size_t axis = place.in_records ? 1 : 0; axis < variables_[i].shape.size(); ++axis) {
        const auto n = variables_[i].shape[axis];
        if (n && place.bytes > size_ / n)
          throw damaged(path_, "variable " + variables_[i].name, "more values than the file holds");
        place.bytes *= n;
      }
      if (!place.in_records) continue;
      ++n_record_variables;
      record_bytes_ += (place.bytes + 3) / 4 * 4;
      first = std::min(first, place.begin);
    }
    if (n_record_variables == 1) {  // a single one is not padded
      for (const auto& place : places_) {
        if (place.in_records) record_bytes_ = place.bytes;
      }
    }
    if (records_ < 0) records_ = record_bytes_ ? (size_ - first) / record_bytes_ : 0;  // streamed
    if (n_record_variables && records_ > size_)
      throw damaged(path_, "header", std::to_string(records_) + " records");
    for (size_t i = 0; i < variables_.size(); ++i) {
      auto& variable = variables_[i];
      auto& place = places_[i];
      if (place.in_records) variable.shape[0] = records_;
      if (variable.type != StoredType::kText ||
          variable.shape.size() < (place.in_records ? 2U : 1U))
        continue;
      place.characters = variable.shape.back();
      variable.shape.pop_back();
      variable.dims.pop_back();
    }
  }

  std::string bytes_of(const StoredVariable& variable, const Place& place) const {
    const auto n = place.in_records ? records_ : 1;
    const auto stride = place.in_records ? record_bytes_ : place.bytes;
    const bool fits = n == 0 || place.bytes == 0 ||
                      (place.begin <= size_ - place.bytes &&
                       n - 1 <= (size_ - place.bytes - place.begin) / std::max<int64_t>(stride, 1));
    if (!fits)
      throw damaged(path_, "variable " + variable.name,
                    "its end beyond the file's " + std::to_string(size_) + " bytes");
    std::string bytes(static_cast<size_t>(n * place.bytes), '\0');
    for (int64_t i = 0; i < n && place.bytes; ++i) {
      stream_.seekg(place.begin + i * stride);
      stream_.read(bytes.data() + i * place.bytes, place.bytes);
    }
    if (!stream_) throw damaged(path_, "variable " + variable.name, "values that cannot be read");
    return bytes;
  }

  mutable std::ifstream stream_;
  int64_t size_ = 0, records_ = 0, record_bytes_ = 0;
  std::vector<Place> places_;  // of each variable
};

}  // namespace

std::unique_ptr<StoredFile> open_classic_netcdf(const std::string& path) {
  return std::make_unique<ClassicNetcdf>(path);
}

}  // namespace cortiscore
