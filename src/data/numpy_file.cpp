#include "src/data/numpy_file.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <limits>
#include <map>
#include <memory>

#include <ATen/ATen.h>
#include <zip.h>

#include "cortiscore/error.h"
#include "src/core/notes.h"
#include "src/core/whole_file.h"
#include "src/data/arrays.h"
#include "src/data/ids_beside.h"
#include "src/data/room.h"

namespace cortiscore {
namespace {

static_assert(std::endian::native == std::endian::little);

struct NpyHeader {
  std::string dtype;  // "<f8"; of a structured one all of its text
  bool fortran = false;
  std::vector<int64_t> shape;
  int64_t data_offset = 0;

  char kind() const { return dtype.size() > 1 ? dtype[1] : '?'; }
  bool swapped() const { return dtype[0] == '>'; }
};

Error npy_error(const std::string& path,
                const std::string& field,
                const std::string& found,
                const std::string& expected,
                const std::string& action = "Write it with numpy.save(path, array)") {
  return bad_input({path, field, found, expected, action});
}

// The header is the text of a Python dict: its three keys, with their values as text.
class HeaderText {
 public:
  HeaderText(const std::string& text, const std::string& path) : text_(text), path_(path) {
    skip_space();
    take('{');
    for (skip_space(); at_ < text_.size() && text_[at_] != '}'; skip_space()) {
      const auto key = quoted();
      skip_space();
      take(':');
      values_[key] = value();
      if (at_ < text_.size() && text_[at_] == ',') ++at_;
    }
    take('}');
  }

  const std::string& operator[](const std::string& key) const {
    const auto found = values_.find(key);
    if (found == values_.end()) throw npy_error(path_, "header key " + key, "none", "one");
    return found->second;
  }

 private:
  void skip_space() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
  }
  void take(char wanted) {
    if (at_ >= text_.size() || text_[at_] != wanted)
      throw npy_error(path_, "header", shown(text_),
                      "{'descr': ..., 'fortran_order': ..., 'shape': ...}");
    ++at_;
  }
  std::string quoted() {
    const char quote = at_ < text_.size() && text_[at_] == '"' ? '"' : '\'';
    take(quote);
    const auto end = text_.find(quote, at_);
    const auto out = text_.substr(at_, end == std::string::npos ? end : end - at_);
    at_ = end == std::string::npos ? text_.size() : end;
    take(quote);
    return out;
  }
  // Up to the comma or brace that ends it; brackets and quotes within are its own.
  std::string value() {
    skip_space();
    const auto begin = at_;
    int depth = 0;
    char quote = 0;
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (quote) {
        if (c == quote) quote = 0;
      } else if (c == '\'' || c == '"') {
        quote = c;
      } else if (c == '(' || c == '[' || c == '{') {
        ++depth;
      } else if (depth && (c == ')' || c == ']' || c == '}')) {
        --depth;
      } else if (!depth && (c == ',' || c == '}')) {
        break;
      }
    }
    auto end = at_;
    while (end > begin && std::isspace(static_cast<unsigned char>(text_[end - 1]))) --end;
    return text_.substr(begin, end - begin);
  }

  const std::string& text_;
  const std::string& path_;
  size_t at_ = 0;
  std::map<std::string, std::string> values_;
};

std::vector<int64_t> parse_shape(const std::string& text, const std::string& path) {
  const auto bad = [&] {
    return npy_error(path, "header key shape", shown(text), "a tuple of sizes");
  };
  if (text.size() < 2 || text.front() != '(' || text.back() != ')') throw bad();
  std::vector<int64_t> shape;
  const char* cursor = text.data() + 1;
  const char* const end = text.data() + text.size() - 1;
  while (cursor < end) {
    if (*cursor == ' ' || *cursor == ',' || *cursor == 'L') {  // (10L, 20L): Python 2 wrote that
      ++cursor;
      continue;
    }
    int64_t n = -1;
    const auto [next, status] = std::from_chars(cursor, end, n);
    if (status != std::errc() || n < 0) throw bad();
    shape.push_back(n);
    cursor = next;
  }
  return shape;
}

NpyHeader parse_npy_header(const std::string& bytes, const std::string& path) {
  if (bytes.size() < 10 || bytes.compare(0, 6, "\x93NUMPY") != 0) {
    throw npy_error(path, "magic bytes", bytes.empty() ? "an empty file" : "something else",
                    "a .npy file");
  }
  const auto byte = [&](size_t i) { return size_t{static_cast<unsigned char>(bytes[i])}; };
  if (byte(6) < 1 || byte(6) > 3)
    throw npy_error(path, "format version", std::to_string(byte(6)), "1 to 3");
  const bool wide = byte(6) > 1;
  size_t length = byte(8) | byte(9) << 8U;
  if (wide && bytes.size() >= 12) length |= byte(10) << 16U | byte(11) << 24U;
  const size_t begin = wide ? 12 : 10;
  if (begin + length > bytes.size())
    throw npy_error(path, "header", "a truncated one", "a whole .npy file");
  const auto text = bytes.substr(begin, length);
  const HeaderText values(text, path);
  NpyHeader header;
  header.data_offset = static_cast<int64_t>(begin + length);
  header.shape = parse_shape(values["shape"], path);
  header.fortran = values["fortran_order"] == "True";
  header.dtype = values["descr"];
  if (header.dtype.size() > 1 && (header.dtype[0] == '\'' || header.dtype[0] == '"'))
    header.dtype = header.dtype.substr(1, header.dtype.size() - 2);
  if (header.dtype.size() == 2 && std::isalpha(static_cast<unsigned char>(header.dtype[0])))
    header.dtype = "|" + header.dtype;  // 'u1', as some writers have it
  return header;
}

// How wide a value is; nothing but digits follows the kind.
int64_t width_of(const NpyHeader& header) {
  int64_t width = 0;
  const char* const end = header.dtype.data() + header.dtype.size();
  const auto [next, status] =
      std::from_chars(header.dtype.data() + std::min<size_t>(2, header.dtype.size()), end, width);
  return status == std::errc() && next == end ? width : 0;
}

// Why an array of this dtype is not read, and what to do about it.
Error dtype_error(const NpyHeader& header, const std::string& path) {
  const auto refused = [&](const std::string& found, const std::string& action) {
    return npy_error(path, "dtype", found, "real numbers: bool, integers, float16 to float64",
                     action);
  };
  if (!header.dtype.empty() && header.dtype[0] == '[')
    return refused("a structured one, " + shown(header.dtype),
                   "Save one field of numbers: numpy.save(path, array[\"FIELD\"])");
  const bool known_order = std::string("<>|=").find(header.dtype[0]) != std::string::npos;
  switch (known_order ? header.kind() : '?') {
    case 'O':
      return refused(
          "object (pickled Python values, which are not opened)",
          "Save numpy.asarray(array.tolist(), float), or labels as numpy.asarray(array, str)");
    case 'c':
      return refused("complex" + std::to_string(8 * width_of(header)),
                     "Save its absolute values, or real and imaginary parts side by side");
    case 'f':
      return refused("long double (float" + std::to_string(8 * width_of(header)) + ")",
                     "Save array.astype(numpy.float64)");
    case 'U':
    case 'S':
    case 'a':
      return refused("text", "Save array.astype(float) where it holds numbers");
    case 'M':
    case 'm':
      return refused("dates or durations", "Save them as numbers in one unit");
    case 'V':
      return refused("void (raw bytes)", "Save array.view(DTYPE) of numbers");
    default:
      return refused(shown(header.dtype), "Save array.astype(numpy.float64)");
  }
}

bool is_number(const NpyHeader& header) {
  const auto width = width_of(header);
  if (header.dtype.empty() || std::string("<>|=").find(header.dtype[0]) == std::string::npos)
    return false;
  switch (header.kind()) {
    case 'b':
      return width == 1;
    case 'i':
    case 'u':
      return width == 1 || width == 2 || width == 4 || width == 8;
    case 'f':
      return width == 2 || width == 4 || width == 8;
    default:
      return false;
  }
}

int64_t element_count(const NpyHeader& header,
                      int64_t width,
                      int64_t available,
                      const std::string& path) {
  int64_t n = 1;
  const bool none = std::find(header.shape.begin(), header.shape.end(), 0) != header.shape.end();
  for (const auto size : header.shape) {
    if (!none && n > std::numeric_limits<int64_t>::max() / width / size)
      throw npy_error(path, "shape", "a product that overflows", "a shape that the file can hold");
    n = none ? 0 : n * size;
  }
  if (n * width > available) {
    throw npy_error(path, "data", std::to_string(available) + " bytes",
                    std::to_string(n * width) + " for its shape and dtype " + header.dtype +
                        " (the file is truncated)");
  }
  return n;
}

void swap_bytes(char* data, int64_t count, int64_t width) {
  for (int64_t i = 0; i < count && width > 1; ++i)
    std::reverse(data + i * width, data + (i + 1) * width);
}

template <typename T>
void widen(const char* from, int64_t n, double* to) {
  for (int64_t i = 0; i < n; ++i) {
    T value;
    std::memcpy(&value, from + i * static_cast<int64_t>(sizeof(T)), sizeof(T));
    to[i] = static_cast<double>(value);
  }
}

// Values of the dtype, in this machine's byte order, as float64.
void widen(const NpyHeader& header, const char* from, int64_t n, double* to) {
  switch (header.kind() << 8 | static_cast<int>(width_of(header))) {
    case 'b' << 8 | 1:
    case 'u' << 8 | 1:
      return widen<uint8_t>(from, n, to);
    case 'i' << 8 | 1:
      return widen<int8_t>(from, n, to);
    case 'i' << 8 | 2:
      return widen<int16_t>(from, n, to);
    case 'u' << 8 | 2:
      return widen<uint16_t>(from, n, to);
    case 'i' << 8 | 4:
      return widen<int32_t>(from, n, to);
    case 'u' << 8 | 4:
      return widen<uint32_t>(from, n, to);
    case 'i' << 8 | 8:
      return widen<int64_t>(from, n, to);
    case 'u' << 8 | 8:
      return widen<uint64_t>(from, n, to);
    case 'f' << 8 | 2:
      return widen<at::Half>(from, n, to);
    default:
      return widen<double>(from, n, to);
  }
}

// @param read  fills a buffer with the next bytes of the data, in order
template <typename Read>
at::Tensor values_of(const NpyHeader& header,
                     int64_t available,
                     const std::string& path,
                     const Read& read) {
  if (!is_number(header)) throw dtype_error(header, path);
  const auto width = width_of(header);
  const auto n = element_count(header, width, available, path);
  if (available > n * width) {
    throw npy_error(path, "data", std::to_string(available - n * width) + " bytes behind the array",
                    "one array and nothing else",
                    "Save several arrays with numpy.savez, or each in a file of its own");
  }
  auto shape = header.shape;
  if (header.fortran) std::reverse(shape.begin(), shape.end());
  const bool single = header.kind() == 'f' && width == 4;
  auto values = at::empty(shape, single ? at::kFloat : at::kDouble);
  if (header.kind() == 'f' &&
      width >= 4) {  // read in place: a layer of a million features is there once
    auto* const data = static_cast<char*>(values.mutable_data_ptr());
    read(data, n * width);
    if (header.swapped()) swap_bytes(data, n, width);
  } else {
    constexpr int64_t kBlock = int64_t{1} << 20;
    std::string block;
    auto* to = values.mutable_data_ptr<double>();
    for (int64_t begin = 0; begin < n; begin += kBlock) {
      const auto count = std::min(kBlock, n - begin);
      block.resize(static_cast<size_t>(count * width));
      read(block.data(), count * width);
      if (header.swapped()) swap_bytes(block.data(), count, width);
      widen(header, block.data(), count, to + begin);
    }
    if (width == 8) {  // 2^53 itself may be 2^53 + 1, rounded
      const auto beyond = std::count_if(to, to + n, [](double v) { return std::abs(v) >= 0x1p53; });
      if (beyond) {
        throw npy_error(path, "data", std::to_string(beyond) + " integers of 2^53 or more",
                        "numbers that float64 holds exactly", "Save array.astype(numpy.float64)");
      }
    }
  }
  if (!header.fortran) return values;
  std::vector<int64_t> axes;
  for (auto i = static_cast<int64_t>(shape.size()); i-- > 0;) axes.push_back(i);
  return values.permute(axes).contiguous();
}

// UTF-32 as NumPy's U holds it, to UTF-8.
std::string utf8(const char* data, int64_t characters) {
  std::string out;
  for (int64_t i = 0; i < characters; ++i) {
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

class Npz {
 public:
  explicit Npz(const std::string& path) : path_(path) {
    size_of(path);  // says so where there is no file
    int code = 0;
    zip_.reset(zip_open(path.c_str(), ZIP_RDONLY, &code));
    if (!zip_) {
      zip_error_t error;
      zip_error_init_with_code(&error, code);
      const std::string message = zip_error_strerror(&error);
      zip_error_fini(&error);
      throw bad_input({path, "", message, "what numpy.savez writes", "Copy or write it again"});
    }
  }

  std::vector<std::string> arrays() const {
    std::vector<std::string> names;
    const auto n = zip_get_num_entries(zip_.get(), 0);
    for (zip_int64_t i = 0; i < n; ++i) {
      const char* entry = zip_get_name(zip_.get(), static_cast<zip_uint64_t>(i), 0);
      const std::string name = entry ? entry : "";
      if (name.ends_with(".npy")) names.push_back(name.substr(0, name.size() - 4));
    }
    return names;
  }

  // @param most  how many, where the beginning is enough
  std::string bytes(const std::string& array,
                    size_t most = std::numeric_limits<size_t>::max()) const {
    const auto entry = array + ".npy";
    zip_stat_t stat;
    std::unique_ptr<zip_file_t, int (*)(zip_file_t*)> file(nullptr, zip_fclose);
    if (zip_stat(zip_.get(), entry.c_str(), 0, &stat) == 0)
      file.reset(zip_fopen(zip_.get(), entry.c_str(), 0));
    // The size is what the archive says: it is grown into as bytes come.
    std::string out;
    if (file) {
      constexpr size_t kBlock = size_t{1} << 22;
      for (zip_int64_t got = 1; got > 0 && out.size() < most;) {
        const auto begin = out.size();
        const auto block = std::min(kBlock, most - begin);
        out.resize(begin + block);
        got = zip_fread(file.get(), out.data() + begin, block);
        out.resize(begin + static_cast<size_t>(std::max<zip_int64_t>(got, 0)));
        check_room(static_cast<int64_t>(out.size()), path_, "array " + shown(array));
        if (got < 0) file.reset();
        if (!file) break;
      }
    }
    if (!file) {
      throw bad_input({path_, "array " + shown(array), "an entry that cannot be read",
                       "what numpy.savez writes", "Copy or write it again"});
    }
    return out;
  }

 private:
  std::string path_;
  std::unique_ptr<zip_t, void (*)(zip_t*)> zip_{nullptr, zip_discard};
};

}  // namespace

at::Tensor read_npy(const std::string& path) {
  constexpr int64_t kLongestHeader = int64_t{1} << 20;
  const auto size = size_of(path);
  std::ifstream stream(path, std::ios::binary);
  const auto read = [&](char* to, int64_t n) {
    stream.read(to, n);
    if (!stream)
      throw bad_input({path, "", "it cannot be read", "a readable file", "Check its permissions"});
  };
  std::string start(static_cast<size_t>(std::min(size, kLongestHeader)), '\0');
  read(start.data(), static_cast<int64_t>(start.size()));
  const auto header = parse_npy_header(start, path);
  stream.seekg(header.data_offset);
  return values_of(header, size - header.data_offset, path, read);
}

namespace {

at::Tensor array_of(const std::string& bytes, const NpyHeader& header, const std::string& where) {
  auto at = static_cast<size_t>(header.data_offset);
  return values_of(header, static_cast<int64_t>(bytes.size() - at), where,
                   [&](char* to, int64_t n) {
                     std::memcpy(to, bytes.data() + at, static_cast<size_t>(n));
                     at += static_cast<size_t>(n);
                   });
}

std::variant<std::vector<std::string>, std::vector<double>> labels_of(std::string bytes,
                                                                      const std::string& path) {
  const auto header = parse_npy_header(bytes, path);
  const bool is_text = header.kind() == 'U' || header.kind() == 'S' || header.kind() == 'a';
  if (!is_text && !is_number(header)) throw dtype_error(header, path);
  if (std::count_if(header.shape.begin(), header.shape.end(), [](auto n) { return n != 1; }) > 1 ||
      header.shape.empty())
    throw npy_error(path, "dims", std::to_string(header.shape.size()), "1, a label a presentation");
  std::vector<std::string> labels;
  const bool wide = header.kind() == 'U';
  if (!is_text) {
    const auto values = array_of(bytes, header, path).to(at::kDouble).contiguous();
    return std::vector<double>(values.const_data_ptr<double>(),
                               values.const_data_ptr<double>() + values.numel());
  }
  const auto characters = width_of(header);
  constexpr int64_t kMostCharacters = int64_t{1} << 26;
  if (characters < 1 || characters > kMostCharacters)
    throw npy_error(path, "dtype", shown(header.dtype), "text of 1 to 2^26 characters");
  const auto width = characters * (wide ? 4 : 1);
  const auto n =
      element_count(header, width, static_cast<int64_t>(bytes.size()) - header.data_offset, path);
  char* const data = bytes.data() + header.data_offset;
  if (wide && header.swapped()) swap_bytes(data, n * characters, 4);
  for (int64_t i = 0; i < n; ++i) {
    const char* one = data + i * width;
    labels.push_back(wide ? utf8(one, characters)
                          : std::string(one, strnlen(one, static_cast<size_t>(characters))));
  }
  return labels;
}

}  // namespace

Assembly read_npz(const std::string& path, const std::string& variable) {
  const Npz archive(path);
  const auto names = archive.arrays();
  const auto where = [&](const std::string& name) { return path + ", array " + shown(name); };
  constexpr size_t kLongestHeader = size_t{1} << 16;
  std::map<std::string, NpyHeader> headers;
  std::vector<std::string> arrays, lists;  // what can be the array; what is likely to be ids
  const auto header_of = [&](const std::string& name) {
    return parse_npy_header(archive.bytes(name, kLongestHeader), where(name));
  };
  for (const auto& name : names) {
    const auto named = named_by(name);
    NpyHeader header;
    try {
      header = header_of(name);
    } catch (const Error&) {
      // What is asked for, or names rows, has to be read; what else lies beside it has not.
      if (named != Named::kNothing || name == variable || names.size() == 1) throw;
      continue;
    }
    headers[name] = header;
    int64_t n = 1, wide = 0;
    for (const auto length : header.shape) {
      n = n == 0 || length == 0 ? 0 : std::max(n, length);
      wide += length > 1 ? 1 : 0;
    }
    if (!is_number(header) || n < 2 || (named != Named::kNothing && named != Named::kLikelyStimuli))
      continue;
    (named == Named::kLikelyStimuli && wide == 1 ? lists : arrays).push_back(name);
  }
  if (arrays.empty()) arrays = lists.empty() ? names : lists;
  std::string list;
  for (const auto& name : names) list += (list.empty() ? "" : ", ") + shown(name);
  auto wanted = variable;
  if (wanted.empty() && arrays.size() == 1) wanted = arrays[0];
  if (!headers.contains(wanted)) {
    throw bad_input({path, variable.empty() ? "arrays" : "variable \"" + variable + "\"",
                     names.empty() ? "none" : std::to_string(names.size()) + ": " + list,
                     variable.empty() ? "one" : "one of that name", "Name one with --variable"});
  }
  Assembly array;
  array.identifier = path;
  array.values = array_of(archive.bytes(wanted), headers.at(wanted), where(wanted));
  array.dims.resize(static_cast<size_t>(array.values.dim()));
  std::vector<BesideArray> entries;
  for (const auto& name : names) {
    if (name == wanted || named_by(name) == Named::kNothing) continue;
    const auto& header = headers.at(name);
    const bool text = header.kind() == 'U' || header.kind() == 'S' || header.kind() == 'a';
    BesideArray entry{name, "array " + shown(name), header.shape, {}, {}, {}};
    if (!text && !is_number(header))
      entry.unreadable = header.kind() == 'O' ? "pickled Python values, which are not opened"
                                              : "the dtype " + header.dtype;
    entry.read = [&archive, &where, name] { return labels_of(archive.bytes(name), where(name)); };
    entries.push_back(std::move(entry));
  }
  name_axes(array, wanted, entries);
  return array;
}

std::variant<std::vector<std::string>, std::vector<double>> read_npy_labels(
    const std::string& path) {
  return labels_of(read_file(path), path);
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
  write_whole(path, [&](std::ostream& stream) {
    stream << "\x93NUMPY" << '\x01' << '\x00' << static_cast<char>(header.size() & 0xFFU)
           << static_cast<char>(header.size() >> 8U) << header;
    stream.write(static_cast<const char*>(data.const_data_ptr()),
                 static_cast<std::streamsize>(data.numel() * data.element_size()));
  });
}

}  // namespace cortiscore
