#include "src/stimuli/image_files.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>

#include "cortiscore/error.h"
#include "src/core/linked_folders.h"
#include "src/core/parallel.h"
#include "src/data/arrays.h"
#include "src/stimuli/image.h"
#include "src/stimuli/zip_file.h"

namespace cortiscore {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> names_below(const fs::path& folder) {
  std::vector<std::string> names;
  try {
    LinkedFolders walked(folder);
    fs::recursive_directory_iterator entry(folder, fs::directory_options::follow_directory_symlink);
    for (; entry != fs::recursive_directory_iterator(); ++entry) {
      if (entry->is_directory() && !walked.enter(entry->path())) entry.disable_recursion_pending();
      if (entry->is_regular_file())
        names.push_back(entry->path().lexically_relative(folder).string());
    }
  } catch (const fs::filesystem_error& error) {
    throw bad_input({error.path1().string(), "", error.code().message(), "a folder to read", ""});
  }
  std::sort(names.begin(), names.end());
  return names;
}

bool is_zip(const std::string& path) {
  char signature[2] = {};
  std::ifstream(path, std::ios::binary).read(signature, 2);
  return signature[0] == 'P' && signature[1] == 'K';
}

}  // namespace

std::vector<DecodedFile> decode_files(const std::string& path) {
  std::error_code unknown;
  std::vector<std::string> names = {path};
  std::function<std::string(const std::string&)> read = [](const auto& name) {
    return read_file(name);
  };
  if (fs::is_directory(path, unknown)) {
    names = names_below(path);
    read = [path](const auto& name) { return read_file((fs::path(path) / name).string()); };
  } else if (size_of(path, "a folder, a zip archive or an image"); is_zip(path)) {
    const auto archive = std::make_shared<ZipFile>(path);
    names = archive->names();
    read = [archive](const auto& name) { return archive->read(name); };
  }
  if (names.empty())
    throw bad_input({path, "", "no file", "images", "Name the folder or archive that has them"});
  std::vector<DecodedFile> files(names.size());
  parallel_for(static_cast<int64_t>(names.size()), [&](int64_t i) {
    auto& file = files[static_cast<size_t>(i)];
    file.name = names[static_cast<size_t>(i)];
    try {
      const auto image = decode_image(read(file.name), file.name);
      file.height = image.height;
      file.width = image.width;
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kBadInput) throw;
      file.refusal = error.what();
    }
  });
  return files;
}

}  // namespace cortiscore
