#include "src/core/layout.h"

#include <cstdlib>
#include <filesystem>

#include <dlfcn.h>
#include <link.h>

#include "cortiscore/error.h"

namespace cortiscore {
namespace fs = std::filesystem;
namespace {

const char* const kManifests = "share/cortiscore/manifests";

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

// The program, library or module that holds this function.
fs::path own_file() {
  static const char anchor = 0;
  Dl_info info;
  link_map* loaded = nullptr;
  std::error_code gone;
  const bool found =
      dladdr1(&anchor, &info, reinterpret_cast<void**>(&loaded), RTLD_DL_LINKMAP) != 0;
  const bool library = found && loaded && *loaded->l_name;  // a program's name is empty
  return fs::canonical(library ? loaded->l_name : "/proc/self/exe", gone);
}

fs::path root() {
  std::error_code unreadable;
  for (auto folder = own_file().parent_path(); folder.has_relative_path();
       folder = folder.parent_path()) {
    if (fs::is_directory(folder / kManifests, unreadable)) return folder;
  }
  return {};
}

// The site-packages that torch was loaded from; links are kept, since a virtual environment's
// Python is a link that knows its environment by its own path.
fs::path site_packages_of_torch() {
  void* torch = dlopen("libtorch_cpu.so", RTLD_LAZY | RTLD_NOLOAD);
  if (!torch) return {};
  link_map* loaded = nullptr;
  const bool found = dlinfo(torch, RTLD_DI_LINKMAP, &loaded) == 0;
  const fs::path file = found ? fs::path(loaded->l_name).lexically_normal() : fs::path();
  dlclose(torch);
  return file.parent_path().parent_path().parent_path();  // torch/lib/libtorch_cpu.so
}

}  // namespace

std::string manifest_folder() {
  if (auto set = variable("CORTISCORE_MANIFESTS"); !set.empty()) return set;
  const auto found = root();
  if (!found.empty()) return fs::canonical(found / kManifests).string();
  throw bad_input({own_file().string(), "", std::string("no ") + kManifests + " in a folder above",
                   "an installed program, or a build folder",
                   "Set CORTISCORE_MANIFESTS to the folder of manifests"});
}

std::string page_folder() {
  return (root() / "share/cortiscore/pages").string();
}

std::string python_program() {
  if (auto set = variable("CORTISCORE_PYTHON"); !set.empty()) return set;
  const auto packages = site_packages_of_torch();
  const auto python = packages.parent_path().parent_path().parent_path() / "bin/python3";
  std::error_code unreadable;
  return !packages.empty() && fs::exists(python, unreadable) ? python.string() : "python3";
}

std::string python_packages() {
  const auto found = root();
  if (found.empty()) return {};
  std::error_code unreadable;
  fs::path package = found;
  if (!fs::exists(package / "__init__.py", unreadable)) {
    package = fs::canonical(found / "python/cortiscore", unreadable);
    if (package.empty()) package = found / CORTISCORE_SITE_PACKAGES / "cortiscore";
  }
  const auto holder = package.parent_path();
  const bool own = fs::equivalent(holder, site_packages_of_torch(), unreadable);
  return own || !fs::exists(package, unreadable) ? "" : holder.string();
}

}  // namespace cortiscore
