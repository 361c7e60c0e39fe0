#include "src/core/progress.h"

#include <cstdio>

#include <unistd.h>

namespace cortiscore {
namespace {

bool g_progress = true;
bool g_quiet = false;

bool draws() {
  static const bool terminal = isatty(STDERR_FILENO) != 0;
  return g_progress && !g_quiet && terminal;
}

}  // namespace

void set_progress(bool enabled) {
  g_progress = enabled;
}
void set_quiet(bool quiet) {
  g_quiet = quiet;
}

Progress::Progress(std::string label, int64_t total) : label_(std::move(label)), total_(total) {}

Progress::~Progress() {
  if (draws() && last_drawn_ >= 0) std::fputs("\r\033[K", stderr);
}

void Progress::advance(int64_t by) {
  done_ += by;
  if (!draws()) return;
  const double now = timer_.seconds();
  if (now - last_drawn_ < 0.1 && done_ < total_) return;
  last_drawn_ = now;
  const double left =
      done_ ? now / static_cast<double>(done_) * static_cast<double>(total_ - done_) : 0;
  std::fprintf(stderr, "\r\033[K%s  %lld/%lld  %.0f/s  %.0f s left", label_.c_str(),
               static_cast<long long>(done_), static_cast<long long>(total_),
               now > 0 ? static_cast<double>(done_) / now : 0.0, left);
  std::fflush(stderr);
}

void log_line(const std::string& line) {
  if (g_quiet) return;
  if (draws()) std::fputs("\r\033[K", stderr);
  std::fprintf(stderr, "%s\n", line.c_str());
}

}  // namespace cortiscore
