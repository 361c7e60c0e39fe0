#include "src/core/notes.h"

#include <algorithm>
#include <mutex>

#include "src/core/progress.h"

namespace cortiscore {
namespace {

std::mutex g_mutex;
std::vector<std::string>& said() {
  static std::vector<std::string> all;
  return all;
}

thread_local KeptNotes* g_kept = nullptr;

}  // namespace

void note(const std::string& where, const std::string& text) {
  const auto line = where + ": " + text;
  if (g_kept) return g_kept->add(line);
  const std::lock_guard<std::mutex> lock(g_mutex);
  auto& all = said();
  if (std::find(all.begin(), all.end(), line) != all.end()) return;
  all.push_back(line);
  log_line("note: " + line);
}

KeptNotes::KeptNotes() : outer_(g_kept) {
  g_kept = this;
}

KeptNotes::~KeptNotes() {
  g_kept = outer_;
}

void KeptNotes::add(const std::string& line) {
  if (std::find(lines_.begin(), lines_.end(), line) == lines_.end()) lines_.push_back(line);
}

std::vector<std::string> notes_so_far() {
  const std::lock_guard<std::mutex> lock(g_mutex);
  return said();
}

std::vector<std::string> notes_about(const std::string& where) {
  auto found = notes_so_far();
  std::erase_if(found, [&](const std::string& line) { return !line.starts_with(where + ": "); });
  return found;
}

std::string shown(const std::string& text) {
  constexpr size_t kMost = 60;
  constexpr const char* kHex = "0123456789abcdef";
  std::string out = "\"";
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (i >= kMost && (byte & 0xC0U) != 0x80U) return out + "...\"";  // not within a character
    if (byte == '\n') {
      out += "\\n";
    } else if (byte == '\r') {
      out += "\\r";
    } else if (byte == '\t') {
      out += "\\t";
    } else if (byte < 0x20 || byte == 0x7F) {
      out += "\\x";
      out += kHex[byte >> 4U];
      out += kHex[byte & 15U];
    } else {
      out += text[i];
    }
  }
  return out + "\"";
}

}  // namespace cortiscore
