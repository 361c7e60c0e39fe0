#pragma once
#include <limits>
#include <optional>

#include <ATen/core/Tensor.h>
#include <c10/core/Stream.h>

namespace cortiscore {

/// The stream and device that its maker's thread has current, for threads that work for it: a
/// new thread has the default stream, on which nothing waits for what the caller has enqueued.
class CallerStream {
 public:
  CallerStream();
  CallerStream(const CallerStream&) = delete;
  CallerStream& operator=(const CallerStream&) = delete;

  /// Makes it current in the calling thread while it lives; nothing where it is already, or where
  /// there is no device.
  class Here {
   public:
    explicit Here(const CallerStream& caller);
    ~Here();
    Here(const Here&) = delete;
    Here& operator=(const Here&) = delete;

   private:
    std::optional<c10::Stream> before_;
    c10::DeviceIndex device_before_ = 0;
  };

 private:
  std::optional<c10::Stream> stream_;
};

/// Threads at most for a loop whose turns work on tensors like this one: any number on the CPU; one
/// on a device, the caller's. What is enqueued waits for the device anyway, in the order of one
/// stream, and several turns at once would take the memory of as many.
inline int64_t threads_for(const at::Tensor& like) {
  return like.is_cpu() ? std::numeric_limits<int64_t>::max() : 1;
}

}  // namespace cortiscore
