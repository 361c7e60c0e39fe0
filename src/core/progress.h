#pragma once
#include <chrono>
#include <cstdint>
#include <string>

namespace cortiscore {

/// Seconds since construction, by the steady clock.
class Timer {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// Progress is off unless stderr is a terminal; `--no-progress` turns it off there too.
void set_progress(bool enabled);

/// One line on stderr with count, rate and time left; erased when done. Silent where progress is
/// off.
class Progress {
 public:
  Progress(const std::string& label, int64_t total);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  /// Safe to call from one thread at a time.
  void advance(int64_t by = 1);

 private:
  std::string label_;
  int64_t total_;
  int64_t done_ = 0;
  double last_drawn_ = -1;
  Timer timer_;
};

/// One line on stderr, at any verbosity but quiet.
void log_line(const std::string& line);

/// Where a longer job stands: kept on the last line of a terminal, behind a Progress that is under
/// way, until it is replaced. Silent where progress is off. Call from one thread at a time.
/// @returns  whether it is shown
bool set_status(const std::string& line);

/// Before a line on stdout: what is drawn on the last line of a terminal goes; the next drawing
/// brings it back.
void erase_line();
void set_quiet(bool quiet);

}  // namespace cortiscore
