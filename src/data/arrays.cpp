#include "src/data/arrays.h"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <memory>
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

at::Tensor read_array(const Input& input, const std::string& variable) {
  const auto array = read_array_file(input, variable);
  const bool one_bin =
      array.dims.size() == 3 && array.dims[2] == "time_bin" && array.values.size(2) == 1;
  return one_bin ? array.values.select(2, 0) : array.values;
}

namespace {

// SHA-256 of what comes in parts.
class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr);
  }
  void add(const char* bytes, size_t n) { EVP_DigestUpdate(context_.get(), bytes, n); }
  std::string hex() {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    EVP_DigestFinal_ex(context_.get(), digest, &length);
    std::string text;
    for (unsigned i = 0; i < length; ++i) {
      constexpr const char* kHex = "0123456789abcdef";
      text += kHex[digest[i] >> 4U];
      text += kHex[digest[i] & 15U];
    }
    return text;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

}  // namespace

std::string sha256_of(const std::string& bytes) {
  Sha256 all;
  all.add(bytes.data(), bytes.size());
  return all.hex();
}

std::string sha256_of_file(const std::string& path) {
  auto left = size_of(path);
  std::ifstream stream(path, std::ios::binary);
  std::vector<char> part(size_t{1} << 20);
  Sha256 all;
  while (left > 0 && stream) {
    stream.read(part.data(), std::min<int64_t>(left, static_cast<int64_t>(part.size())));
    all.add(part.data(), static_cast<size_t>(stream.gcount()));
    left -= stream.gcount();
  }
  if (left > 0)
    throw bad_input({path, "", "it cannot be read", "a readable file", "Check its permissions"});
  return all.hex();
}

std::string sha256_of_values(const at::Tensor& tensor) {
  const auto dense = tensor.cpu().contiguous();
  return sha256_of({static_cast<const char*>(dense.const_data_ptr()),
                    static_cast<size_t>(dense.numel() * dense.element_size())});
}

}  // namespace cortiscore
