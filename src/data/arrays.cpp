#include "src/data/arrays.h"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <system_error>

#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "cortiscore/error.h"
#include "src/data/labelled.h"

namespace cortiscore {

std::string why_unreadable(const std::string& path) {
  const auto error_text = [](int code) {
    std::string text = std::generic_category().message(code);
    if (!text.empty()) text.front() = static_cast<char>(std::tolower(text.front()));
    return text;
  };
  std::error_code unknown;
  struct stat file {};
  if (::stat(path.c_str(), &file) != 0) {
    const int code = errno;
    if (code == ENOENT && std::filesystem::is_symlink(path, unknown))
      return "a link to a file that is not there";
    return code == ENOENT ? "no such file" : error_text(code);
  }
  if (S_ISDIR(file.st_mode)) return "a folder";
  if (S_ISFIFO(file.st_mode)) return "a named pipe";
  if (S_ISSOCK(file.st_mode)) return "a socket";
  if (!S_ISREG(file.st_mode)) return "a device";
  return ::access(path.c_str(), R_OK) == 0 ? "" : error_text(errno);
}

int64_t size_of(const std::string& path, const std::string& expected, const std::string& action) {
  if (const auto found = why_unreadable(path); !found.empty())
    throw bad_input({path, "", found, expected, action});
  return static_cast<int64_t>(std::filesystem::file_size(path));
}

std::string read_file(const std::string& path, int64_t from) {
  const auto size = size_of(path);
  std::string bytes(static_cast<size_t>(std::max<int64_t>(0, size - from)), '\0');
  std::ifstream stream(path, std::ios::binary);
  stream.seekg(from);
  stream.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (!stream)
    throw bad_input({path, "", "it cannot be read", "a readable file", "Check its permissions"});
  return bytes;
}

at::Tensor read_array(const std::string& path, const std::string& variable) {
  const auto array = read_array_file(path, variable);
  const bool one_bin =
      array.dims.size() == 3 && array.dims[2] == "time_bin" && array.values.size(2) == 1;
  return one_bin ? array.values.select(2, 0) : array.values;
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
