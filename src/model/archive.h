#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include <ATen/core/Tensor.h>

#include "src/model/graph.h"
#include "src/model/network.h"

namespace caffe2::serialize {
class PyTorchStreamReader;
}

namespace cortiscore {

/// Nodes that a graph may have at most. Of 200 networks of timm none has 3,000.
constexpr size_t kMostNodes = 1'000'000;

/// The records of a .pt2 (a zip archive). What they say is not trusted: documents are of bounded
/// size and depth.
class Archive {
 public:
  /// @throws Error(kBadInput)  no such file, not a zip archive, two records of one name, or
  ///                           big-endian numbers
  explicit Archive(const std::string& path);
  ~Archive();
  Archive(const Archive&) = delete;
  Archive& operator=(const Archive&) = delete;

  bool has(const std::string& record) const;
  bool holds_under(const std::string& folder) const;
  /// @throws Error(kBadInput)  no such record, or one whose bytes are not those that were written
  ///                           (CRC-32)
  std::tuple<at::DataPtr, size_t> bytes(const std::string& record) const;
  /// Reads every record, for archives that torch opens by itself: it compares no checksum.
  void check() const;
  std::string text(const std::string& record) const;
  /// A record of bounded size.
  std::string document(const std::string& record) const;
  /// A document of bounded depth; `record` is named where it is refused.
  /// @throws nlohmann::json::exception  not JSON
  graph::Json parsed(const std::string& document, const std::string& record) const;
  graph::Json json(const std::string& record) const;

 private:
  std::string path_;
  std::map<std::string, uint32_t> checksums_;  // CRC-32 by record
  std::unique_ptr<caffe2::serialize::PyTorchStreamReader> reader_;
};

enum class Format { kExported, kTorchScript, kNative };

/// A damaged torch.export archive is taken for one, and says what it lacks.
Format format_of(const Archive& archive);

/// The table of weights: by name, where each lies and its shape.
graph::Json weights_config(const Archive& archive);

/// A weight or constant on the CPU; it keeps its record alive.
/// @param folder  of the archive, with its slash
/// @param where   the file, for messages
/// @throws Error(kBadInput)  pickled, or a shape that reaches beyond its record
at::Tensor read_tensor(const Archive& archive,
                       const graph::Json& entry,
                       const std::string& folder,
                       const std::string& where);

/// All sizes of a value; what the export left open has the size that it was traced with.
std::vector<int64_t> sizes_of(const graph::Json& tensor_values, const std::string& value);

/// Without our table (an archive that plain torch.export wrote): a module's output is what its last
/// node makes.
std::vector<Layer> layers_from_stacks(const graph::Json& nodes);

/// A list of numbers; empty where there is none.
std::vector<double> doubles(const graph::Json& object, const char* key);

}  // namespace cortiscore
