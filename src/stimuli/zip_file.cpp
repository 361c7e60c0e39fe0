#include "src/stimuli/zip_file.h"

#include <algorithm>

#include <zip.h>

#include "cortiscore/error.h"
#include "src/data/arrays.h"

namespace cortiscore {
namespace {

// Of an image in an archive: as many as the pixels of the largest that is decoded, at a byte each.
constexpr size_t kMostBytes = size_t{1} << 28;

}  // namespace

ZipFile::ZipFile(const std::string& path) : path_(path) {
  size_of(path, "a zip archive of images");
  int code = 0;
  zip_ = zip_open(path.c_str(), ZIP_RDONLY, &code);
  if (!zip_) {
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    const std::string message = zip_error_strerror(&error);
    zip_error_fini(&error);
    throw bad_input({path, "", message, "a zip archive of images", "Copy or export it again"});
  }
}

ZipFile::~ZipFile() {
  zip_discard(zip_);
}

std::vector<std::string> ZipFile::names() const {
  std::vector<std::string> names;
  for (zip_int64_t i = 0; i < zip_get_num_entries(zip_, 0); ++i) {
    const char* name = zip_get_name(zip_, static_cast<zip_uint64_t>(i), 0);
    if (name && !std::string(name).ends_with('/')) names.emplace_back(name);
  }
  return names;
}

bool ZipFile::holds(const std::string& name) const {
  return zip_name_locate(zip_, name.c_str(), 0) >= 0;
}

std::string ZipFile::read(const std::string& name) {
  const std::lock_guard<std::mutex> lock(mutex_);
  zip_stat_t stat;
  zip_file_t* file = nullptr;
  if (zip_stat(zip_, name.c_str(), 0, &stat) == 0) file = zip_fopen(zip_, name.c_str(), 0);
  if (!file)
    throw bad_input(
        {path_, name, zip_strerror(zip_), "a readable entry", "Copy or export the archive again"});
  // The size is what the archive says: it is grown into as bytes come.
  constexpr size_t kBlock = size_t{1} << 22;
  std::string bytes;
  zip_int64_t got = 1;
  while (got > 0 && bytes.size() <= kMostBytes) {
    const auto begin = bytes.size();
    bytes.resize(begin + std::min(kBlock, std::max<size_t>(stat.size, begin + 1) - begin));
    got = zip_fread(file, bytes.data() + begin, bytes.size() - begin);
    bytes.resize(begin + static_cast<size_t>(std::max<zip_int64_t>(got, 0)));
  }
  const bool closed = zip_fclose(file) == 0;
  if (bytes.size() > kMostBytes)
    throw bad_input({path_, name,
                     "more than " + std::to_string(kMostBytes) + " bytes once unpacked",
                     "an image of fewer", "Save it smaller"});
  if (got < 0 || !closed || bytes.size() != stat.size) {
    throw bad_input({path_, name, "a damaged entry", std::to_string(stat.size) + " bytes",
                     "Copy or export the archive again"});
  }
  return bytes;
}

}  // namespace cortiscore
