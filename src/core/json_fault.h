#pragma once
#include <exception>
#include <string>

namespace cortiscore {

/// What is wrong with a JSON document, of the exception that says so: "[json.exception.type_error
/// .302] type must be string, but is number" without its first part, which speaks to programmers.
inline std::string json_fault(const std::exception& error) {
  const std::string what = error.what();
  const auto end = what.find("] ");
  return what.starts_with("[json.exception.") && end != std::string::npos ? what.substr(end + 2)
                                                                          : what;
}

}  // namespace cortiscore
