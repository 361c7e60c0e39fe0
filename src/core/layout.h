#pragma once
#include <string>

namespace cortiscore {

// Note [Layout]
// A root folder holds what belongs together, and is found by going up from the file that this code
// was loaded from (program, library or Python module) to the first folder that has
// share/cortiscore/manifests. No path of the machine that compiled is kept. There are three kinds:
//
//                     a wheel (cortiscore/)   cmake --install            a build folder
//   program           bin/cortiscore          bin/cortiscore             cortiscore
//   compiled module   _cortiscore.*.so        below the package          python/_cortiscore.*.so
//   Python package    the root itself         lib/pythonX.Y/             python/cortiscore (a link)
//                                             site-packages/cortiscore
//   manifests         share/cortiscore/manifests, in a build folder a link to data_manifests
//   parts of pages    share/cortiscore/pages, in a build folder links to pages and to the library
//
// python/cortiscore/layout.py knows the same from Python's side, cmake/Install.cmake makes it.

/// The folder of manifests, schemas and trees: $CORTISCORE_MANIFESTS, else the root's.
/// @throws Error(kBadInput)  this code was moved away from its root
std::string manifest_folder();

/// The folder of the parts of pages that are written (src/profile/page.h).
std::string page_folder();

/// The Python to start: $CORTISCORE_PYTHON, else that of the environment whose torch this process
/// has loaded, else python3.
std::string python_program();

/// What PYTHONPATH needs so that python_program() finds the package `cortiscore`: the folder that
/// holds it, empty where it is that Python's own site-packages or unknown.
std::string python_packages();

}  // namespace cortiscore
