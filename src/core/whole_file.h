#pragma once
#include <functional>
#include <ostream>
#include <string>

namespace cortiscore {

/// Writes a file that is there once it is whole: until then it has another name beside its own, and
/// what had its name before stays. What is no regular file (a pipe, /dev/stdout) is written to as
/// it is.
/// @throws Error(kBadInput)  it cannot be written; nothing of it is left
void write_whole(const std::string& path, const std::function<void(std::ostream&)>& write);

}  // namespace cortiscore
