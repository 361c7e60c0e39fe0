#pragma once
#include <exception>
#include <functional>

namespace cortiscore {

/// Raised where long work notices that it shall stop; what it was doing is dropped.
struct Stopped : std::exception {
  const char* what() const noexcept override { return "stopped by a signal"; }
};

/// SIGINT, SIGTERM and SIGUSR1 ask the process to stop from here on; a second one ends it as by
/// default.
void stop_on_signals();

/// The signal that asked, 0 while none has.
int stop_signal();

/// What a process that was asked to stop ends with: 75, run it again to go on, for SIGUSR1, and for
/// SIGTERM in a Slurm job; else as a shell says of a signal.
int exit_code_of(int signal);

/// @throws Stopped  once a signal has asked. Cheap: called between micro-batches and layers.
void check_stop();

/// What check_stop() does beside that, in a process whose signals are another's; it may throw
/// Stopped. Set once, before any work.
void on_check_stop(std::function<void()> also);

}  // namespace cortiscore
