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

/// While one lives, what its thread notes is kept by it, and neither printed nor remembered: of one
/// call in a process that makes many.
class KeptNotes {
 public:
  KeptNotes();
  ~KeptNotes();
  KeptNotes(const KeptNotes&) = delete;
  KeptNotes& operator=(const KeptNotes&) = delete;
  /// Each once, as notes_so_far has them.
  const std::vector<std::string>& lines() const { return lines_; }
  void add(const std::string& line);

 private:
  std::vector<std::string> lines_;
  KeptNotes* outer_;
};

/// Text of a file as a message may show it: in quotes, control bytes escaped, cut after 60 bytes.
std::string shown(const std::string& text);

}  // namespace cortiscore
