#include "src/core/stop.h"

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <utility>

namespace cortiscore {
namespace {

std::atomic<int> g_signal{0};
std::function<void()> g_also;
static_assert(std::atomic<int>::is_always_lock_free, "written in a signal handler");

extern "C" void note_signal(int signal) {
  g_signal.store(signal, std::memory_order_relaxed);
}

}  // namespace

void stop_on_signals() {
  struct sigaction action {};
  action.sa_handler = note_signal;
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
  for (const int signal : {SIGINT, SIGTERM, SIGUSR1}) sigaction(signal, &action, nullptr);
}

int stop_signal() {
  return g_signal.load(std::memory_order_relaxed);
}

void check_stop() {
  if (stop_signal() != 0) throw Stopped();
  if (g_also) g_also();
}

void on_check_stop(std::function<void()> also) {
  g_also = std::move(also);
}

int exit_code_of(int signal) {
  if (signal == SIGUSR1 || (signal == SIGTERM && std::getenv("SLURM_JOB_ID"))) return 75;
  return 128 + signal;
}

}  // namespace cortiscore
