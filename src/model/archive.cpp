#include "src/model/archive.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <utility>

#include <caffe2/serialize/inline_container.h>
#include <zlib.h>

#include <ATen/ATen.h>
#include <zip.h>

#include "cortiscore/error.h"
#include "src/core/json_fault.h"
#include "src/core/parallel.h"
#include "src/core/printable.h"
#include "src/data/arrays.h"

namespace cortiscore {

using graph::Json;

namespace {

// What a file may ask of whoever opens it.
constexpr size_t kMostJsonBytes = size_t{256} << 20;
constexpr int kMostNested = 64;
constexpr size_t kMostAxes = 64;
constexpr int64_t kMostExpanded = int64_t{1}
                                  << 26;  // elements of a weight that its record has fewer of

// How deep brackets of a JSON text are nested. The parser itself has no bound.
int depth_of(const std::string& document) {
  int depth = 0, most = 0;
  bool quoted = false;
  for (size_t i = 0; i < document.size(); ++i) {
    const char c = document[i];
    if (c == '"') quoted = !quoted;
    if (!quoted) {
      if (c == '[' || c == '{') most = std::max(most, ++depth);
      if (c == ']' || c == '}') --depth;
    } else if (c == '\\') {
      ++i;
    }
  }
  return most;
}

// In parts on several threads: one takes 0.1 s for 100 MB.
uint32_t checksum_of(const Bytef* bytes, size_t size) {
  constexpr size_t kPart = size_t{4} << 20;
  std::vector<uLong> parts((size + kPart - 1) / kPart);
  const auto length = [&](size_t i) { return std::min(kPart, size - i * kPart); };
  parallel_for(static_cast<int64_t>(parts.size()), [&](int64_t part) {
    const auto i = static_cast<size_t>(part);
    parts[i] = ::crc32_z(0, bytes + i * kPart, length(i));
  });
  uLong checksum = 0;
  for (size_t i = 0; i < parts.size(); ++i)
    checksum = ::crc32_combine(checksum, parts[i], static_cast<z_off_t>(length(i)));
  return static_cast<uint32_t>(checksum);
}

std::string hex(uint32_t checksum) {
  char text[9];
  std::snprintf(text, sizeof text, "%08x", checksum);
  return text;
}

// By record, without the folder that all lie in. torch's own reader has no checksums, and of two
// records of one name takes either.
std::map<std::string, uint32_t> checksums_of(const std::string& path) {
  const auto refuse = [&](const std::string& field, const std::string& found,
                          const std::string& expected) {
    return bad_input({path, field, found, expected,
                      "Copy it again, or write it again with `cortiscore model export`"});
  };
  int code = 0;
  const std::unique_ptr<zip_t, decltype(&zip_discard)> zip(
      zip_open(path.c_str(), ZIP_RDONLY, &code), &zip_discard);
  if (!zip)
    throw refuse("", "not a zip archive, or a damaged one", "a torch.export archive (.pt2)");
  std::map<std::string, uint32_t> checksums;
  const auto n = static_cast<zip_uint64_t>(zip_get_num_entries(zip.get(), 0));
  for (zip_uint64_t i = 0; i < n; ++i) {
    zip_stat_t stat;
    if (zip_stat_index(zip.get(), i, 0, &stat) != 0 || !(stat.valid & ZIP_STAT_CRC))
      throw refuse("record " + std::to_string(i), "a damaged entry", "a whole archive");
    const std::string name = stat.name;
    const auto record = name.substr(name.find('/') + 1);
    if (!checksums.emplace(record, stat.crc).second)
      throw refuse("record " + record, "two of this name", "one");
  }
  return checksums;
}

}  // namespace

Archive::Archive(const std::string& path) : path_(path) {
  size_of(path, "a .pt2 archive", "Write one with `cortiscore model export`");
  try {
    reader_ = std::make_unique<caffe2::serialize::PyTorchStreamReader>(path);
  } catch (const c10::Error&) {
    throw bad_input({path, "", "not a zip archive, or a truncated one",
                     "a torch.export archive (.pt2)",
                     "Write it again with `cortiscore model export`"});
  }
  checksums_ = checksums_of(path);
  if (!has("byteorder")) return;
  if (const auto order = document("byteorder"); order != "little") {
    throw bad_input({path, "record byteorder", "\"" + printable(order.substr(0, 20)) + "\"",
                     "\"little\"", "Export it again on a little-endian machine"});
  }
}

Archive::~Archive() = default;

bool Archive::has(const std::string& record) const {
  return checksums_.contains(record) && reader_->hasRecord(record);
}

void Archive::check() const {
  for (const auto& [record, checksum] : checksums_) {
    if (!record.empty() && !record.ends_with('/') && has(record)) bytes(record);
  }
}

bool Archive::holds_under(const std::string& folder) const {
  const auto records = reader_->getAllRecords();
  return std::any_of(records.begin(), records.end(),
                     [&](const auto& record) { return record.starts_with(folder); });
}

std::tuple<at::DataPtr, size_t> Archive::bytes(const std::string& record) const {
  if (!has(record)) {
    throw bad_input({path_, "record " + record, "none", "a torch.export archive of schema 8",
                     "Write it again with `cortiscore model export` (torch 2.11)"});
  }
  std::tuple<at::DataPtr, size_t> read;
  try {
    read = reader_->getRecord(record);
  } catch (const c10::Error&) {
    throw bad_input({path_, "record " + record, "damaged bytes", "a whole archive",
                     "Write it again with `cortiscore model export`"});
  }
  const auto& [data, size] = read;
  const auto found = checksum_of(static_cast<const Bytef*>(data.get()), size);
  if (const auto expected = checksums_.at(record); found != expected) {
    throw bad_input({path_, "record " + record, "damaged bytes: CRC-32 " + hex(found),
                     hex(expected) + ", which was stored with them",
                     "Copy it again, or write it again with `cortiscore model export`"});
  }
  return read;
}

std::string Archive::text(const std::string& record) const {
  const auto [data, size] = bytes(record);
  return {static_cast<const char*>(data.get()), size};
}

// What a zip archive says of a record can be a thousandth of what comes out of it.
std::string Archive::document(const std::string& record) const {
  const auto size = has(record) ? reader_->getRecordSize(record) : 0;
  if (size > kMostJsonBytes) {
    throw bad_input({path_, "record " + record, std::to_string(size >> 20) + " MiB of JSON",
                     "at most " + std::to_string(kMostJsonBytes >> 20) + " MiB",
                     "Export a network of fewer operators"});
  }
  return text(record);
}

Json Archive::parsed(const std::string& document, const std::string& record) const {
  if (depth_of(document) > kMostNested) {
    throw bad_input({path_, "record " + record,
                     "values nested deeper than " + std::to_string(kMostNested), "a graph",
                     "Write it again with `cortiscore model export`"});
  }
  return Json::parse(document);
}

Json Archive::json(const std::string& record) const {
  try {
    return parsed(document(record), record);
  } catch (const Json::exception& e) {
    throw bad_input({path_, "record " + record, json_fault(e), "JSON",
                     "Write it again with `cortiscore model export`"});
  }
}

Format format_of(const Archive& archive) {
  if (archive.has("models/model.json")) return Format::kExported;
  if (archive.has("constants.pkl")) return Format::kTorchScript;
  return archive.holds_under("data/aotinductor/") ? Format::kNative : Format::kExported;
}

at::Tensor read_tensor(const Archive& archive,
                       const Json& entry,
                       const std::string& folder,
                       const std::string& where) {
  if (entry.value("use_pickle", false)) {
    throw bad_input({where, "weights", "a pickled tensor", "raw tensors",
                     "Export again; pickles can run code"});
  }
  const auto& meta = entry.at("tensor_meta");
  std::vector<int64_t> sizes, strides;
  for (const auto& size : meta.at("sizes")) sizes.push_back(size.at("as_int").get<int64_t>());
  for (const auto& stride : meta.at("strides"))
    strides.push_back(stride.at("as_int").get<int64_t>());
  const auto type = graph::scalar_type(meta.at("dtype").get<int64_t>(), where);
  const auto offset = meta.at("storage_offset").at("as_int").get<int64_t>();
  const auto record = folder + entry.at("path_name").get<std::string>();
  auto [data, size] = archive.bytes(record);
  const auto width = static_cast<int64_t>(at::elementSize(type));
  const auto refuse_shape = [&](const std::string& found, const std::string& expected) {
    throw bad_input({where, record, found, expected, "The archive is damaged: export it again"});
  };
  if (sizes.size() != strides.size() || sizes.size() > kMostAxes) {
    refuse_shape(
        std::to_string(sizes.size()) + " sizes and " + std::to_string(strides.size()) + " strides",
        "as many of both, at most " + std::to_string(kMostAxes));
  }
  // The farthest element must lie inside the record; sizes and strides come from the file and are
  // not trusted.
  const auto limit = static_cast<int64_t>(size) / width;
  int64_t needed = offset < 0 || offset > limit ? limit + 1 : offset + 1;
  bool empty = false;
  int64_t elements = 1;  // of which several may be one in the record
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] < 0 || strides[i] < 0) refuse_shape("negative sizes or strides", "none");
    if (__builtin_mul_overflow(elements, std::max<int64_t>(sizes[i], 1), &elements) ||
        elements > std::max(limit, kMostExpanded))
      refuse_shape("more elements than the record has", "its own");
    if (sizes[i] == 0) empty = true;
    if (sizes[i] > 1 && strides[i] > 0 &&
        sizes[i] - 1 > (limit - std::min(limit, needed)) / strides[i]) {
      needed = limit + 1;
    } else if (sizes[i] > 1) {
      needed += (sizes[i] - 1) * strides[i];
    }
  }
  if (offset < 0 || (!empty && needed > limit))
    refuse_shape(std::to_string(size) + " bytes", "all the elements of its shape");
  auto storage = std::make_shared<at::DataPtr>(std::move(data));
  auto* begin = static_cast<char*>(storage->get()) + (empty ? 0 : offset * width);
  return at::from_blob(
      begin, sizes, strides, [storage](void*) {}, at::TensorOptions().dtype(type));
}

std::vector<int64_t> sizes_of(const Json& tensor_values, const std::string& value) {
  std::vector<int64_t> sizes;
  for (const auto& size : tensor_values.at(value).at("sizes")) {
    if (size.contains("as_int")) {
      sizes.push_back(size.at("as_int").get<int64_t>());
      continue;
    }
    const auto& hint = size.value("as_expr", Json::object()).value("hint", Json());
    sizes.push_back(hint.contains("as_int") ? hint.at("as_int").get<int64_t>() : 1);
  }
  return sizes;
}

std::vector<Layer> layers_from_stacks(const Json& nodes) {
  std::vector<Layer> layers;
  std::map<std::string, size_t> place;
  for (const auto& node : nodes) {
    const auto stack = node.at("metadata").value("nn_module_stack", std::string());
    const auto& outputs = node.at("outputs");
    if (outputs.empty() || !outputs.at(0).contains("as_tensor")) continue;
    const auto value = outputs.at(0).at("as_tensor").at("name").get<std::string>();
    size_t begin = 0;
    while (begin < stack.size()) {
      const auto end = std::min(stack.find(';', begin), stack.size());
      const auto entry = stack.substr(begin, end - begin);
      const auto first = entry.find(',');
      const auto second = entry.find(',', first + 1);
      if (first != std::string::npos && second != std::string::npos && second > first + 1) {
        const auto name = entry.substr(first + 1, second - first - 1);
        const auto [it, fresh] = place.try_emplace(name, layers.size());
        if (fresh)
          layers.push_back({name, entry.substr(second + 1), value, {}, {}});
        else
          layers[it->second].value = value;
      }
      begin = end + 1;
    }
  }
  return layers;
}

std::vector<double> doubles(const Json& object, const char* key) {
  return object.contains(key) && !object[key].is_null() ? object[key].get<std::vector<double>>()
                                                        : std::vector<double>{};
}

Json weights_config(const Archive& archive) {
  return archive.json("data/weights/model_weights_config.json").at("config");
}

}  // namespace cortiscore
