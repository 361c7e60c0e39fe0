#include "src/data/hdf5.h"

#include "cortiscore/error.h"
#include "src/data/arrays.h"

namespace cortiscore::hdf5 {
namespace {

std::string innermost_message() {
  std::string first;
  H5Ewalk2(
      H5E_DEFAULT, H5E_WALK_UPWARD,
      [](unsigned n, const H5E_error2_t* error, void* out) -> herr_t {
        if (n == 0 && error->desc) *static_cast<std::string*>(out) = error->desc;
        return 0;
      },
      &first);
  H5Eclear2(H5E_DEFAULT);
  return first;
}

}  // namespace

void silence() {
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

hid_t check(hid_t value, const std::string& file, const std::string& doing) {
  if (value >= 0) return value;
  const auto found = "an HDF5 error (" + innermost_message() + ")";
  for (const auto* write : {"writing", "creating", "flushing", "making", "attaching"}) {
    if (doing.starts_with(write))
      throw bad_input({file, doing, found, "room and permission to write", "Name another place"});
  }
  throw bad_input({file, doing, found, "a readable NetCDF-4/HDF5 file",
                   "The file may be truncated or damaged: fetch or write it again"});
}

Handle open_file(const std::string& path) {
  silence();
  size_of(path, "a NetCDF-4/HDF5 file");
  return {check(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), path, "opening"), H5Fclose};
}

Handle create_file(const std::string& path) {
  silence();
  return {check(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), path, "creating"),
          H5Fclose};
}

Handle open_dataset(hid_t parent, const std::string& name, const std::string& file) {
  return {
      check(H5Dopen2(parent, name.c_str(), H5P_DEFAULT), file, "opening variable \"" + name + "\""),
      H5Dclose};
}

}  // namespace cortiscore::hdf5
