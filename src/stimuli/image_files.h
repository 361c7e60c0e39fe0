#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace cortiscore {

/// What became of decoding one file.
struct DecodedFile {
  std::string name;  ///< below the folder, in the archive, or the path itself
  int64_t height = 0;
  int64_t width = 0;
  std::string refusal;  ///< why it is no image that networks can be shown; empty where it is one
};

/// Decodes every file of a folder (and those below it), of a zip archive, or the one file, as
/// scoring would, on all threads. By name; of a zip archive in its order.
/// @throws Error(kBadInput)  no such path, or a folder or archive without files
std::vector<DecodedFile> decode_files(const std::string& path);

}  // namespace cortiscore
