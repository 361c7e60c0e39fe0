#include "python/bindings/live.h"

#include <exception>
#include <utility>
#include <vector>

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <ATen/ATen.h>
#include <ATen/DLConvertor.h>
#include <ATen/core/grad_mode.h>
#include <nlohmann/json.hpp>

#include "cortiscore/error.h"
#include "src/model/batch.h"

namespace nb = nanobind;

namespace cortiscore::python {
namespace {

// A capsule that torch.from_dlpack() takes, on the tensor's memory.
nb::object capsule_on(const at::Tensor& tensor) {
  const auto unused = [](PyObject* capsule) {
    if (!PyCapsule_IsValid(capsule, "dltensor")) return;
    auto* managed = static_cast<DLManagedTensor*>(PyCapsule_GetPointer(capsule, "dltensor"));
    managed->deleter(managed);
  };
  PyObject* const capsule = PyCapsule_New(at::toDLPack(tensor), "dltensor", unused);
  if (!capsule) throw nb::python_error();
  return nb::steal(capsule);
}

class Live final : public Program {
 public:
  Live(nb::object forward, const std::string& table, bool beside) : forward_(std::move(forward)) {
    in_user_process = true;
    beside_training = beside;
    const auto json = nlohmann::json::parse(table);
    identifier = json.at("identifier");
    read_description(table, identifier, *this);
    n_parameters = json.at("parameters");
    for (const auto& entry : json.at("layers")) {
      Layer layer{entry.at("name"), entry.at("type"), entry.at("value"), entry.at("shape"), {}};
      for (const auto& bin : entry.value("time_bins_ms", nlohmann::json::array()))
        layer.time_bins.push_back({bin.at(0), bin.at(1)});
      layer.unusable = not_features(scalar_type_of(entry.at("dtype")), layer.shape);
      layers.push_back(std::move(layer));
    }
  }

  // Its last owner may be a thread that does not hold Python's lock.
  ~Live() override {
    const nb::gil_scoped_acquire locked;
    forward_.reset();
  }

  void run(const at::Tensor& batch,
           const std::vector<std::string>& wanted,
           const Network::Tap& tap) const override {
    const at::NoGradGuard no_grad;
    const nb::gil_scoped_acquire locked;
    std::vector<bool> given(wanted.size());
    std::exception_ptr ours;  // which must not come back as a Python exception
    const auto give = nb::cpp_function([&](size_t place, const nb::object& output) {
      try {
        const auto tensor = tensor_in(output);
        const nb::gil_scoped_release released;
        tap(place, tensor);
      } catch (...) {
        ours = std::current_exception();
        throw;
      }
      given.at(place) = true;
    });
    try {
      forward_(capsule_on(batch), wanted, give);
    } catch (nb::python_error& e) {
      if (ours) std::rethrow_exception(ours);
      if (!e.matches(PyExc_Exception)) throw StoppedByPython(std::current_exception());
      const auto type = nb::cast<std::string>(e.type().attr("__name__"));
      const auto words = nb::cast<std::string>(nb::str(e.value()));
      throw RaisedInPython(identifier + ": forward: found " + type + ": " +
                               words.substr(0, words.find('\n')) + ", expected a pass.",
                           std::current_exception());
    }
    if (ours) std::rethrow_exception(ours);  // which the module's forward caught
    for (size_t i = 0; i < wanted.size(); ++i) {
      if (given[i]) continue;
      throw bad_input({identifier, "layer " + wanted[i], "a forward pass that does not come to it",
                       "the calls of the first pass", "Choose a layer that every pass runs"});
    }
  }

 private:
  // A kind of numbers, by its name in the table.
  static at::ScalarType scalar_type_of(const std::string& kind) {
    if (kind == "float") return at::kFloat;
    if (kind == "complex") return at::kComplexFloat;
    return kind == "bool" ? at::kBool : at::kLong;
  }

  nb::object forward_;
};

}  // namespace

at::Tensor tensor_in(const nb::object& capsule) {
  auto* managed = static_cast<DLManagedTensor*>(PyCapsule_GetPointer(capsule.ptr(), "dltensor"));
  if (!managed) throw nb::python_error();
  auto tensor = at::fromDLPack(managed);
  PyCapsule_SetName(capsule.ptr(), "used_dltensor");
  return tensor;
}

std::shared_ptr<const Program> live_program(const nb::object& forward,
                                            const std::string& table,
                                            bool beside_training) {
  return std::make_shared<Live>(forward, table, beside_training);
}

void stop_where_python_does() {
  // Handlers run in the interpreter's main thread alone.
  const auto main = nb::cast<unsigned long>(
      nb::module_::import_("threading").attr("main_thread")().attr("ident"));
  on_check_stop([main] {
    if (PyThread_get_thread_ident() != main) return;
    const nb::gil_scoped_acquire locked;
    if (PyErr_CheckSignals() == 0) return;
    try {
      nb::raise_python_error();
    } catch (const nb::python_error&) {
      throw StoppedByPython(std::current_exception());
    }
  });
}

}  // namespace cortiscore::python
