#include "src/core/failure.h"

#include <exception>
#include <filesystem>
#include <new>

#include <c10/util/Exception.h>

#include "cortiscore/error.h"
#include "src/core/printable.h"

namespace cortiscore {
namespace {

Failure of(ErrorKind kind, const std::string& message) {
  return {static_cast<int>(kind), printable(message)};
}

Failure internal(std::string what) {
  if (!what.empty() && what.back() == '.') what.pop_back();
  return of(ErrorKind::kInternal, "internal error: " + what +
                                      ". This is a defect of Cortiscore: please report this line "
                                      "and the command that printed it.");
}

// Torch says in words alone that the host has no more memory.
bool says_out_of_memory(const std::string& what) {
  return what.find("can't allocate memory") != std::string::npos ||
         what.find("not enough memory") != std::string::npos;
}

}  // namespace

Failure current_failure() {
  try {
    throw;
  } catch (const Error& e) {
    return of(e.kind(), e.what());
  } catch (const c10::OutOfMemoryError& e) {
    return of(ErrorKind::kOutOfMemory, e.what_without_backtrace());
  } catch (const std::bad_alloc&) {
    return of(ErrorKind::kOutOfMemory, "out of host memory.");
  } catch (const std::filesystem::filesystem_error& e) {
    return of(ErrorKind::kBadInput, e.path1().string() + ": found \"" + e.code().message() +
                                        "\", expected a path that can be read or written.");
  } catch (const c10::Error& e) {
    const std::string what = e.what_without_backtrace();
    if (says_out_of_memory(what)) return of(ErrorKind::kOutOfMemory, what);
    return internal(what);
  } catch (const std::exception& e) {
    return internal(e.what());
  } catch (...) {
    return internal("an exception of unknown kind");
  }
}

}  // namespace cortiscore
