#include "src/core/caller.h"

#include <ATen/DeviceAccelerator.h>

namespace cortiscore {
namespace {

bool has_device() {
  static const bool has = [] {
    const auto type = at::getAccelerator();
    return type.has_value() && at::accelerator::deviceCount() > 0;
  }();
  return has;
}

c10::Stream current() {
  return at::accelerator::getCurrentStream(at::accelerator::getDeviceIndex());
}

}  // namespace

CallerStream::CallerStream() {
  if (has_device()) stream_ = current();
}

CallerStream::Here::Here(const CallerStream& caller) {
  if (!caller.stream_) return;
  const auto own = current();
  if (own == *caller.stream_) return;
  device_before_ = own.device_index();
  at::accelerator::setDeviceIndex(caller.stream_->device_index());
  before_ = current();
  at::accelerator::setCurrentStream(*caller.stream_);
}

CallerStream::Here::~Here() {
  if (!before_) return;
  at::accelerator::setCurrentStream(*before_);
  at::accelerator::setDeviceIndex(device_before_);
}

}  // namespace cortiscore
