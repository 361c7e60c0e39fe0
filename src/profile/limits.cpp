#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include <ATen/ATen.h>
#include <jpeglib.h>

#include "src/core/device.h"
#include "src/core/host.h"
#include "src/core/parallel.h"
#include "src/core/progress.h"
#include "src/core/stop.h"
#include "src/profile/machine.h"
#include "src/stimuli/image.h"

namespace cortiscore {
namespace {

// Of a rate the best of several windows counts: what else a machine does can only slow it.
constexpr double kWindowSeconds = 0.15;
constexpr int kWindows = 3;

// Units a second of `one`, which does `units` of them, on so many threads at once.
double rate(double units, int64_t threads, const std::function<void()>& one) {
  const ThreadsHere many(threads);
  double best = 0;
  one();
  for (int window = 0; window < kWindows; ++window) {
    check_stop();
    std::vector<double> done(static_cast<size_t>(threads));
    const Timer timer;
    parallel_for(threads, [&](int64_t thread) {
      do {
        one();
        done[static_cast<size_t>(thread)] += units;
      } while (timer.seconds() < kWindowSeconds);
    });
    double all = 0;
    for (const auto of_thread : done) all += of_thread;
    best = std::max(best, all / timer.seconds());
  }
  return best;
}

struct Precision {
  const char* name;
  at::ScalarType type;
  bool tf32;
};

double products(const at::Device& device, const Precision& precision, int64_t threads) {
  const int64_t n = device.is_cpu() ? 1024 : 8192;
  const ReproducibleFloat32 exact(precision.tf32);
  const auto options = at::device(device).dtype(precision.type);
  const auto a = at::ones({n, n}, options), b = at::ones({n, n}, options);
  const int times = device.is_cpu() ? 1 : 10;
  return rate(2.0 * times * static_cast<double>(n * n * n), threads, [&] {
    for (int i = 0; i < times; ++i) static_cast<void>(at::mm(a, b));
    synchronize(device);
  });
}

// a = b + 2 c, beyond any cache: three arrays, as STREAM's triad counts them.
double triad(const at::Device& device, int64_t threads) {
  const int64_t n = device.is_cpu() ? int64_t{1} << 22 : int64_t{1} << 27;
  std::vector<at::Tensor> arrays;
  for (int64_t i = 0; i < 3 * threads; ++i) arrays.push_back(at::ones({n}, at::device(device)));
  const ThreadsHere many(threads);
  double best = 0;
  for (int window = 0; window <= kWindows; ++window) {
    check_stop();
    std::atomic<int64_t> passes{0};
    const Timer timer;
    parallel_for(threads, [&](int64_t t) {
      auto& a = arrays[static_cast<size_t>(3 * t)];
      do {
        at::add_out(a, arrays[static_cast<size_t>(3 * t + 1)],
                    arrays[static_cast<size_t>(3 * t + 2)], 2);
        synchronize(device);
        ++passes;
      } while (timer.seconds() < kWindowSeconds);
    });
    const double bytes = 3 * 4 * static_cast<double>(n) * static_cast<double>(passes.load());
    if (window) best = std::max(best, bytes / timer.seconds());  // the first touches the pages
  }
  return best;
}

double over_the_bus(const at::Device& device, bool to_device) {
  const int64_t bytes = int64_t{256} << 20;
  const auto host = at::empty({bytes}, at::kByte).pin_memory();
  const auto there = at::empty({bytes}, at::device(device).dtype(at::kByte));
  return rate(static_cast<double>(bytes), 1, [&] {
    if (to_device)
      there.copy_(host, /*non_blocking=*/true);
    else
      host.copy_(there, /*non_blocking=*/true);
    synchronize(device);
  });
}

// 256 x 256 pixels of waves and noise, as a camera's file has them, quality 90.
std::string some_jpeg() {
  constexpr int kSide = 256;
  jpeg_compress_struct info;
  jpeg_error_mgr errors;
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* out = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &out, &size);
  info.image_width = info.image_height = kSide;
  info.input_components = 3;
  info.in_color_space = JCS_RGB;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, 90, TRUE);
  jpeg_start_compress(&info, TRUE);
  uint32_t noise = 1;
  std::vector<unsigned char> row(kSide * 3);
  for (int y = 0; y < kSide; ++y) {
    for (int i = 0; i < kSide * 3; ++i) {
      noise = noise * 1664525 + 1013904223;
      const double wave =
          60 * std::sin(i * 0.021) * std::cos(y * 0.055) + 30 * std::sin((i + y) * 0.3);
      row[static_cast<size_t>(i)] = static_cast<unsigned char>(112 + wave + (noise >> 28));
    }
    JSAMPROW line = row.data();
    jpeg_write_scanlines(&info, &line, 1);
  }
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  std::string bytes(reinterpret_cast<char*>(out), size);
  std::free(out);
  return bytes;
}

// Writes a file, until it is durable, and reads it again from the disk. Zeros where it cannot.
std::pair<double, double> of_disk(const std::string& folder) {
  constexpr size_t kBlock = size_t{4} << 20, kBlocks = 48;
  auto path = folder + "/cortiscore-disk-XXXXXX";
  const int file = ::mkstemp(path.data());
  if (file < 0) return {0, 0};
  ::unlink(path.c_str());  // it is gone with this process, however that ends
  std::vector<char> block(kBlock);
  for (size_t i = 0; i < kBlock; ++i) block[i] = static_cast<char>(i * 2654435761U >> 13);
  bool fine = true;
  const Timer writing;
  size_t blocks = 0;
  for (; blocks < kBlocks && fine && writing.seconds() < 4; ++blocks)
    fine = ::write(file, block.data(), kBlock) == static_cast<ssize_t>(kBlock);
  fine = fine && ::fsync(file) == 0;
  const double write_s = writing.seconds();
  ::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
  ::lseek(file, 0, SEEK_SET);
  const Timer reading;
  size_t got = 0;
  while (fine && got<blocks&& ::read(file, block.data(), kBlock)> 0) ++got;
  const double read_s = reading.seconds();
  ::close(file);
  if (!fine) return {0, 0};
  const auto bytes = static_cast<double>(blocks * kBlock);
  return {bytes / read_s, bytes / write_s};
}

double least_operator_seconds(const at::Device& device) {
  const auto one = at::ones({1}, at::device(device));
  return 1 / rate(1000, 1, [&] {
           for (int i = 0; i < 1000; ++i) static_cast<void>(at::add(one, one));
           synchronize(device);
         });
}

}  // namespace

MachineLimits measure_limits(const at::Device& device, const std::string& folder) {
  MachineLimits limits;
  const int64_t threads = device.is_cpu() ? usable_threads() : 1;
  std::vector<Precision> precisions = {{"float32", at::kFloat, false},
                                       {"float64", at::kDouble, false},
                                       {"bfloat16", at::kBFloat16, false}};
  if (!device.is_cpu()) {
    precisions.push_back({"float16", at::kHalf, false});
    precisions.push_back({"tf32", at::kFloat, true});
  }
  for (const auto& precision : precisions) {
    limits.flops_s[precision.name] = products(device, precision, threads);
    limits.flops_s_one_thread[precision.name] =
        threads == 1 ? limits.flops_s[precision.name] : Json(products(device, precision, 1));
  }
  limits.memory_bytes_s = triad(device, threads);
  limits.memory_bytes_s_one_thread = threads == 1 ? limits.memory_bytes_s : triad(device, 1);
  if (!device.is_cpu()) {
    limits.host_to_device_bytes_s = over_the_bus(device, true);
    limits.device_to_host_bytes_s = over_the_bus(device, false);
  }
  const auto jpeg = some_jpeg();
  limits.decode_images_s =
      rate(1, usable_threads(), [&] { static_cast<void>(decode_image(jpeg, "a JPEG")); });
  std::tie(limits.disk_read_bytes_s, limits.disk_write_bytes_s) = of_disk(folder);
  limits.operator_s = least_operator_seconds(device);
  return limits;
}

}  // namespace cortiscore
