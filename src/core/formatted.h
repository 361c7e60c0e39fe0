#pragma once
#include <cstdio>
#include <string>

namespace cortiscore {

/// A number in the words of a printf format that has one %f, %e or %g: at most 255 characters.
inline std::string formatted(const char* format, double value) {
  char text[256];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

}  // namespace cortiscore
