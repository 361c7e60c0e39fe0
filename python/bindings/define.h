#pragma once
#include <nanobind/nanobind.h>

namespace cortiscore::python {

/// The functions of each file of this folder, into the module.
void define_assembly(nanobind::module_& module);
void define_metrics(nanobind::module_& module);
void define_networks(nanobind::module_& module);
void define_scoring(nanobind::module_& module);
void define_stores(nanobind::module_& module);

}  // namespace cortiscore::python
