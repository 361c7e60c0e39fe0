#include "src/data/arrays.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>

#include <ATen/ATen.h>
#include <openssl/evp.h>

#include "cortiscore/error.h"
#include "src/core/class_codes.h"
#include "src/data/netcdf.h"
#include "src/data/table.h"

namespace cortiscore {
namespace {

struct NpyHeader {
  std::string dtype;
  bool fortran = false;
  std::vector<int64_t> shape;
  size_t data_offset = 0;
};

Error npy_error(const std::string& path,
                const std::string& field,
                const std::string& found,
                const std::string& expected) {
  return bad_input({path, field, found, expected, "Write it with numpy.save(path, array)"});
}

std::string quoted_value(const std::string& header,
                         const std::string& key,
                         const std::string& path) {
  const auto at = header.find("'" + key + "'");
  const auto open = at == std::string::npos ? at : header.find('\'', header.find(':', at));
  const auto close = open == std::string::npos ? open : header.find('\'', open + 1);
  if (close == std::string::npos)
    throw npy_error(path, "header key " + key, "none", "a quoted value");
  return header.substr(open + 1, close - open - 1);
}

NpyHeader parse_npy_header(const std::string& bytes, const std::string& path) {
  if (bytes.size() < 12 || bytes.compare(0, 6, "\x93NUMPY") != 0) {
    throw npy_error(path, "magic bytes", "something else", "a .npy file");
  }
  const bool long_header = bytes[6] >= 2;
  size_t length =
      static_cast<unsigned char>(bytes[8]) + 256U * static_cast<unsigned char>(bytes[9]);
  if (long_header)
    length += 65536U * static_cast<unsigned char>(bytes[10]) +
              (size_t{static_cast<unsigned char>(bytes[11])} << 24U);
  NpyHeader header;
  header.data_offset = (long_header ? 12 : 10) + length;
  if (header.data_offset > bytes.size())
    throw npy_error(path, "header", "a truncated one", "a whole .npy file");
  const auto text = bytes.substr(long_header ? 12 : 10, length);
  header.dtype = quoted_value(text, "descr", path);
  const auto order = text.find("'fortran_order'");
  header.fortran = order != std::string::npos && text.find("True", order) < text.find(',', order);
  const auto open = text.find('(', text.find("'shape'"));
  const auto close = open == std::string::npos ? open : text.find(')', open);
  if (close == std::string::npos) throw npy_error(path, "header key shape", "none", "a tuple");
  const char* cursor = text.data() + open + 1;
  const char* const end = text.data() + close;
  while (cursor < end) {
    if (*cursor == ' ' || *cursor == ',') {
      ++cursor;
      continue;
    }
    int64_t n = -1;
    const auto [next, status] = std::from_chars(cursor, end, n);
    if (status != std::errc() || n < 0)
      throw npy_error(path, "header key shape", "\"" + text.substr(open, close - open + 1) + "\"",
                      "sizes");
    header.shape.push_back(n);
    cursor = next;
  }
  return header;
}

int64_t element_count(const NpyHeader& header,
                      size_t width,
                      size_t available,
                      const std::string& path) {
  size_t bytes = width;
  for (const auto n : header.shape) {
    if (n != 0 && bytes > std::numeric_limits<size_t>::max() / static_cast<size_t>(n)) {
      throw npy_error(path, "shape", "a product that overflows", "a shape that the file can hold");
    }
    bytes *= static_cast<size_t>(n);
  }
  if (bytes > available) {
    throw npy_error(path, "data", std::to_string(available) + " bytes",
                    std::to_string(bytes) + " for its shape and dtype " + header.dtype +
                        " (the file is truncated)");
  }
  return static_cast<int64_t>(bytes / width);
}

at::ScalarType scalar_type(const NpyHeader& header, const std::string& path) {
  static const std::map<std::string, at::ScalarType> kTypes = {
      {"<f2", at::kHalf},  {"<f4", at::kFloat},  {"<f8", at::kDouble}, {"|i1", at::kChar},
      {"<i2", at::kShort}, {"<i4", at::kInt},    {"<i8", at::kLong},   {"|u1", at::kByte},
      {"|b1", at::kBool},  {"<u2", at::kUInt16}, {"<u4", at::kUInt32}};
  const auto found = kTypes.find(header.dtype);
  if (found == kTypes.end()) {
    throw npy_error(path, "dtype", header.dtype, "little-endian float, integer or bool");
  }
  return found->second;
}

// UTF-32 as NumPy's <U holds it, to UTF-8.
std::string utf8(const char* data, size_t characters) {
  std::string out;
  for (size_t i = 0; i < characters; ++i) {
    uint32_t c = 0;
    std::memcpy(&c, data + 4 * i, 4);
    if (c == 0) break;
    if (c < 0x80) {
      out += static_cast<char>(c);
    } else if (c < 0x800) {
      out += static_cast<char>(0xC0U | (c >> 6U));
      out += static_cast<char>(0x80U | (c & 0x3FU));
    } else if (c < 0x10000) {
      out += static_cast<char>(0xE0U | (c >> 12U));
      out += static_cast<char>(0x80U | ((c >> 6U) & 0x3FU));
      out += static_cast<char>(0x80U | (c & 0x3FU));
    } else {
      out += static_cast<char>(0xF0U | (c >> 18U));
      out += static_cast<char>(0x80U | ((c >> 12U) & 0x3FU));
      out += static_cast<char>(0x80U | ((c >> 6U) & 0x3FU));
      out += static_cast<char>(0x80U | (c & 0x3FU));
    }
  }
  return out;
}

int64_t size_of(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) {
    throw bad_input({path, "", "no such file", "a file", "Check the path"});
  }
  return static_cast<int64_t>(std::filesystem::file_size(path));
}

void read_into(const std::string& path, int64_t from, void* bytes, int64_t count) {
  std::ifstream stream(path, std::ios::binary);
  stream.seekg(from);
  stream.read(static_cast<char*>(bytes), count);
  if (!stream)
    throw bad_input({path, "", "it cannot be read", "a readable file", "Check its permissions"});
}

}  // namespace

std::string read_file(const std::string& path, int64_t from) {
  const auto size = size_of(path);
  std::string bytes(static_cast<size_t>(std::max<int64_t>(0, size - from)), '\0');
  read_into(path, from, bytes.data(), static_cast<int64_t>(bytes.size()));
  return bytes;
}

at::Tensor read_npy(const std::string& path) {
  constexpr int64_t kLongestHeader = int64_t{1} << 20;
  const auto size = size_of(path);
  std::string start(static_cast<size_t>(std::min(size, kLongestHeader)), '\0');
  read_into(path, 0, start.data(), static_cast<int64_t>(start.size()));
  const auto header = parse_npy_header(start, path);
  const auto type = scalar_type(header, path);
  const auto offset = static_cast<int64_t>(header.data_offset);
  element_count(header, at::elementSize(type), static_cast<size_t>(size - offset), path);
  auto shape = header.shape;
  if (header.fortran) std::reverse(shape.begin(), shape.end());
  auto raw = at::empty(shape, type);  // read in place: a layer of a million features is there once
  read_into(path, offset, raw.mutable_data_ptr(), static_cast<int64_t>(raw.nbytes()));
  if (header.fortran) {
    std::vector<int64_t> axes;
    for (auto i = static_cast<int64_t>(shape.size()); i-- > 0;) axes.push_back(i);
    raw = raw.permute(axes);
  }
  return raw.to(type == at::kFloat ? at::kFloat : at::kDouble).contiguous();
}

void write_npy(const std::string& path, const at::Tensor& values) {
  const bool single = values.scalar_type() == at::kFloat;
  const auto data = values.to(single ? at::kFloat : at::kDouble).contiguous();
  std::string shape;
  for (const auto n : data.sizes()) shape += std::to_string(n) + ",";
  std::string header = std::string("{'descr': '") + (single ? "<f4" : "<f8") +
                       "', 'fortran_order': False, 'shape': (" + shape + "), }";
  while ((10 + header.size() + 1) % 64) header += ' ';
  header += '\n';
  std::ofstream stream(path, std::ios::binary);
  stream << "\x93NUMPY" << '\x01' << '\x00' << static_cast<char>(header.size() & 0xFFU)
         << static_cast<char>(header.size() >> 8U) << header;
  stream.write(static_cast<const char*>(data.const_data_ptr()),
               static_cast<std::streamsize>(data.numel() * data.element_size()));
  stream.close();
  if (!stream) throw bad_input({path, "", "it could not be written", "space and permission", ""});
}

std::vector<int64_t> read_label_codes(const std::string& path) {
  if (path.ends_with(".csv")) {
    const auto table = read_table(path);
    return class_codes(table.column(table.columns.at(0)));
  }
  const auto bytes = read_file(path);
  const auto header = parse_npy_header(bytes, path);
  if (header.shape.size() != 1)
    throw npy_error(path, "dims", std::to_string(header.shape.size()), "1, a label a presentation");
  if (!header.dtype.starts_with("<U") && !header.dtype.starts_with("|S")) {
    const auto values = read_npy(path).to(at::kDouble);
    return class_codes(std::vector<double>(values.const_data_ptr<double>(),
                                           values.const_data_ptr<double>() + values.numel()));
  }
  const bool wide = header.dtype[1] == 'U';
  size_t characters = 0;
  std::from_chars(header.dtype.data() + 2, header.dtype.data() + header.dtype.size(), characters);
  const size_t width = characters * (wide ? 4 : 1);
  if (width == 0) throw npy_error(path, "dtype", header.dtype, "text of at least one character");
  const auto n = element_count(header, width, bytes.size() - header.data_offset, path);
  std::vector<std::string> labels;
  for (int64_t i = 0; i < n; ++i) {
    const char* data = bytes.data() + header.data_offset + static_cast<size_t>(i) * width;
    labels.push_back(wide ? utf8(data, characters) : std::string(data, strnlen(data, characters)));
  }
  return class_codes(labels);
}

at::Tensor read_array(const std::string& path) {
  if (path.ends_with(".npy")) return read_npy(path);
  if (path.ends_with(".csv")) return read_number_table(path).values;
  if (path.ends_with(".nc") || path.ends_with(".h5")) {
    const auto assembly = read_assembly(path);
    const bool one_bin =
        assembly.dims.size() == 3 && assembly.dims[2] == "time_bin" && assembly.values.size(2) == 1;
    return one_bin ? assembly.values.select(2, 0) : assembly.values;
  }
  throw bad_input({path, "extension",
                   "\"" + std::filesystem::path(path).extension().string() + "\"",
                   ".npy, .nc or .csv", "Convert the array"});
}

std::string sha256_of(const std::string& bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  EVP_Digest(bytes.data(), bytes.size(), digest, &length, EVP_sha256(), nullptr);
  std::string hex;
  for (unsigned i = 0; i < length; ++i) {
    constexpr const char* kHex = "0123456789abcdef";
    hex += kHex[digest[i] >> 4U];
    hex += kHex[digest[i] & 15U];
  }
  return hex;
}

std::string sha256_of_file(const std::string& path) {
  return sha256_of(read_file(path));
}

}  // namespace cortiscore
