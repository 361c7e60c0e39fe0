// `_cortiscore`: the engine in a Python process. Arrays come in by DLPack without a copy and are
// worked on where they live; Python's lock is released meanwhile. python/cortiscore documents what
// users call.
#include <exception>

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>  // for messages of errors

#include "python/bindings/define.h"
#include "python/bindings/live.h"
#include "src/core/failure.h"

namespace nb = nanobind;

namespace cortiscore::python {
namespace {

void define(nb::module_& module) {
  static PyObject* error_type = nullptr;
  error_type = PyErr_NewException("cortiscore.Error", PyExc_RuntimeError, nullptr);
  module.attr("Error") = nb::handle(error_type);
  nb::register_exception_translator([](const std::exception_ptr& pointer, void*) {
    try {
      std::rethrow_exception(pointer);
    } catch (const nb::python_error&) {  // Python's own, as they are
      throw;
    } catch (const nb::builtin_exception&) {
      throw;
    } catch (const RaisedInPython& raised) {
      try {
        raised.rethrow();
      } catch (nb::python_error& original) {
        original.restore();
      }
    } catch (...) {
      const auto failure = current_failure();
      const nb::object value = nb::handle(error_type)(failure.message);
      value.attr("exit_code") = failure.exit_code;
      PyErr_SetObject(error_type, value.ptr());
    }
  });
  module.attr("version") = CORTISCORE_VERSION;
  define_assembly(module);
  define_metrics(module);
  define_networks(module);
  define_scoring(module);
  define_stores(module);
}

}  // namespace
}  // namespace cortiscore::python

NB_MODULE(_cortiscore, module) {
  cortiscore::python::define(module);
}
