#pragma once
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <utility>

#include <nanobind/nanobind.h>

#include "cortiscore/error.h"
#include "src/core/stop.h"
#include "src/model/program.h"

namespace cortiscore::python {

/// What a module raised in a forward pass: for a record of the failure its words, for the caller
/// the exception itself.
class RaisedInPython : public Error {
 public:
  RaisedInPython(const std::string& message, std::exception_ptr original)
      : Error(ErrorKind::kBadInput, message), original_(std::move(original)) {}
  [[noreturn]] void rethrow() const { std::rethrow_exception(original_); }

 private:
  std::exception_ptr original_;
};

/// A tensor behind a capsule of DLPack, in place, with its strides.
at::Tensor tensor_in(const nanobind::object& capsule);

/// A torch module in this process as a network (python/cortiscore/live.py).
/// @param forward  called with (images, layers, give): images [batch, 3, N, N] float32, a tensor;
///   layers, names of the table; it calls give(place in layers, tensor) as soon as a layer is
///   there. Any number of threads may call it at once
/// @param table  JSON: input_size, mean, std, degrees, identifier, parameters, and layers with
///   name, type, value, dtype, shape and time_bins_ms
std::shared_ptr<const Program> live_program(const nanobind::object& forward,
                                            const std::string& table,
                                            bool beside_training);

/// Lets Python's signal handlers run where the engine looks whether it shall stop.
void stop_where_python_does();

/// What Python raised while the engine was running and no run may note and pass over,
/// KeyboardInterrupt for example.
class StoppedByPython : public Stopped {
 public:
  explicit StoppedByPython(std::exception_ptr original) : original_(std::move(original)) {}
  [[noreturn]] void rethrow() const { std::rethrow_exception(original_); }

 private:
  std::exception_ptr original_;
};

}  // namespace cortiscore::python
