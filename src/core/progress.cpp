#include "src/core/progress.h"

#include <cstdio>

#include <unistd.h>

#include "src/core/printable.h"
#include "src/core/terminal.h"

namespace cortiscore {
namespace {

bool g_progress = true;
bool g_quiet = false;
std::string g_status;

bool on_terminal() {
  static const bool terminal = isatty(STDERR_FILENO) != 0;
  return terminal;
}

bool draws() {
  return g_progress && !g_quiet && on_terminal();
}

void draw(const std::string& text) {
  // One column less than there are: what fills the last one may wrap.
  std::fprintf(stderr, "\r\033[K%s", cut_to(text, terminal_columns(STDERR_FILENO) - 1).c_str());
  std::fflush(stderr);
}

}  // namespace

void set_progress(bool enabled) {
  g_progress = enabled;
}
void set_quiet(bool quiet) {
  g_quiet = quiet;
}

Progress::Progress(const std::string& label, int64_t total)
    : label_(printable(label)), total_(total) {}

Progress::~Progress() {
  if (draws() && last_drawn_ >= 0) draw(g_status);
}

void Progress::advance(int64_t by) {
  done_ += by;
  if (!draws()) return;
  const double now = timer_.seconds();
  if (now - last_drawn_ < 0.1 && done_ < total_) return;
  last_drawn_ = now;
  const double left =
      done_ ? now / static_cast<double>(done_) * static_cast<double>(total_ - done_) : 0;
  char numbers[96];
  std::snprintf(numbers, sizeof numbers, "  %lld/%lld  %.0f/s  %.0f s left",
                static_cast<long long>(done_), static_cast<long long>(total_),
                now > 0 ? static_cast<double>(done_) / now : 0.0, left);
  draw(label_ + numbers + (g_status.empty() ? "" : "  | " + g_status));
}

bool set_status(const std::string& line) {
  if (!draws()) return false;
  g_status = printable(line);
  draw(g_status);
  return true;
}

void erase_line() {
  if (draws()) draw("");
}

void log_line(const std::string& line) {
  if (g_quiet) return;
  if (on_terminal())
    draw("");  // of this process, or of a sweep's first, whose workers draw nothing themselves
  std::fprintf(stderr, "%s\n", printable(line).c_str());
  if (draws() && !g_status.empty()) draw(g_status);
}

}  // namespace cortiscore
