#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace cortiscore {

/// Bytes of an array of a file. @throws Error(kBadInput)  more than a computer can count to
int64_t bytes_of(const std::vector<int64_t>& shape,
                 int64_t width,
                 const std::string& path,
                 const std::string& field);

/// Before memory is taken for what a file says it holds: a small file may say, or unpack to, any
/// size. The limit is $CORTISCORE_FILE_GIB, where it is set, else what is free.
/// @throws Error(kOutOfMemory)  more than that
void check_room(int64_t bytes, const std::string& path, const std::string& field);

}  // namespace cortiscore
