#pragma once
#include <string>
#include <vector>

namespace cortiscore {

/// Says on stderr how a file was understood where that was not plain: `note: WHERE: TEXT`, once a
/// process. Safe to call from any thread.
void note(const std::string& where, const std::string& text);

/// Every note so far, as it was printed but for its first word: for a result's `notes`.
std::vector<std::string> notes_so_far();

/// Those of one file.
std::vector<std::string> notes_about(const std::string& where);

/// Text of a file as a message may show it: in quotes, control bytes escaped, cut after 60 bytes.
std::string shown(const std::string& text);

}  // namespace cortiscore
