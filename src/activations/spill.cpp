#include "src/activations/spill.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <unistd.h>

#include <ATen/ATen.h>

#include "cortiscore/error.h"
#include "src/activations/memory_plan.h"

namespace cortiscore {
namespace {

Error usage(const std::string& folder, const std::string& found) {
  return {ErrorKind::kUsage, "--spill " + folder + ": found " + found +
                                 ", expected a folder on a disk that can be written. Name another, "
                                 "or leave --spill away."};
}

// Calls read or write until all bytes are through.
template <typename Transfer>
void transfer_all(const std::string& folder,
                  int64_t bytes,
                  int64_t offset,
                  const Transfer& transfer) {
  for (int64_t done = 0; done < bytes;) {
    const auto n = transfer(done, static_cast<size_t>(bytes - done), offset + done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      throw Error(ErrorKind::kOutOfMemory,
                  "--spill " + folder + ": found " +
                      (n < 0 ? std::strerror(errno) : "the end of the file") +
                      ", expected room for what was announced. Free the disk, or name another "
                      "folder.");
    }
    done += n;
  }
}

}  // namespace

SpilledLayer::SpilledLayer(const std::string& folder,
                           int64_t rows,
                           int64_t features,
                           const at::Device& device)
    : FeatureBlocks(rows, features), folder_(folder), device_(device) {
  auto name = folder + "/cortiscore-spill-XXXXXX";
  file_ = ::mkostemp(name.data(), O_CLOEXEC);
  if (file_ < 0) throw usage(folder, std::strerror(errno));
  ::unlink(name.c_str());
  const int error = ::posix_fallocate(file_, 0, bytes());
  if (error != 0) {
    ::close(file_);
    throw Error(ErrorKind::kOutOfMemory,
                "--spill " + folder + ": found " + std::strerror(error) + ", expected " +
                    bytes_text(bytes()) +
                    " for one layer. Free the disk, name another folder, or leave --spill away.");
  }
}

SpilledLayer::~SpilledLayer() {
  ::close(file_);
}

void SpilledLayer::write(int64_t first, const at::Tensor& rows) {
  const auto on_host = rows.to(at::kFloat).cpu();
  for (int64_t begin = 0; begin < features(); begin += kWidth) {
    const int64_t width = std::min(kWidth, features() - begin);
    const auto block = on_host.narrow(1, begin, width).contiguous();
    const auto* const data = reinterpret_cast<const char*>(block.const_data_ptr<float>());
    // Blocks of features one after another, each all rows.
    const int64_t offset = (begin * this->rows() + first * width) * int64_t{sizeof(float)};
    transfer_all(
        folder_, block.numel() * int64_t{sizeof(float)}, offset,
        [&](int64_t done, size_t n, int64_t at) { return ::pwrite(file_, data + done, n, at); });
  }
}

void SpilledLayer::each(const Visit& visit) {
  for (int64_t begin = 0; begin < features(); begin += kWidth) {
    const int64_t width = std::min(kWidth, features() - begin);
    auto block = at::empty({rows(), width}, at::kFloat);
    auto* const data = reinterpret_cast<char*>(block.mutable_data_ptr<float>());
    transfer_all(
        folder_, block.numel() * int64_t{sizeof(float)}, begin * rows() * int64_t{sizeof(float)},
        [&](int64_t done, size_t n, int64_t at) { return ::pread(file_, data + done, n, at); });
    visit(begin, block.to(device_));
  }
}

int64_t free_bytes(const std::string& folder) {
  std::error_code error;
  if (!std::filesystem::is_directory(folder, error)) throw usage(folder, "no such folder");
  const auto space = std::filesystem::space(folder, error);
  if (error) throw usage(folder, error.message());
  return static_cast<int64_t>(space.available);
}

}  // namespace cortiscore
