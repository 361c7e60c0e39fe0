#pragma once
#include <string>
#include <string_view>

namespace cortiscore {

/// Text of a file, a path or a flag as a terminal may have it: readable UTF-8 stays; control
/// characters, bytes that are no UTF-8 and marks that turn the direction of writing are escaped
/// (\n, \x1b, \u202e). Doing it twice changes nothing. python/cortiscore/recordings.py has the same
/// for what runs in Python.
std::string printable(std::string_view text);

/// JSON in UTF-8 with the same characters escaped as JSON escapes them: another text, the same
/// value.
std::string printable_json(std::string_view json);

}  // namespace cortiscore
