#pragma once
#include <string>

namespace cortiscore {

/// What went wrong, as the command line ends and the Python module raises.
struct Failure {
  int exit_code = 0;    ///< ErrorKind
  std::string message;  ///< one printable line
};

/// Of the exception that is being handled; call it in a catch block. The one border between
/// exceptions and users.
Failure current_failure();

}  // namespace cortiscore
