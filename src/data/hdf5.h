#pragma once
#include <string>
#include <utility>

#include <hdf5.h>

namespace cortiscore::hdf5 {

/// Owns one HDF5 identifier and closes it with the call it was opened for. HDF5's own error stack
/// is kept silent; `check` throws Error(kBadInput) with its innermost message instead.
class Handle {
 public:
  using Close = herr_t (*)(hid_t);
  Handle() = default;
  Handle(hid_t id, Close close) : id_(id), close_(close) {}
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(close_, other.close_);
    return *this;
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() {
    if (id_ >= 0) close_(id_);
  }
  hid_t get() const { return id_; }

 private:
  hid_t id_ = -1;
  Close close_ = nullptr;
};

/// Turns off HDF5's printing of its error stack, for this thread.
void silence();

/// @return value, if it is not negative. @throws Error(kBadInput) naming the file and what was
///         being done
hid_t check(hid_t value, const std::string& file, const std::string& doing);

Handle open_file(const std::string& path);
Handle create_file(const std::string& path);
Handle open_dataset(hid_t parent, const std::string& name, const std::string& file);

}  // namespace cortiscore::hdf5
