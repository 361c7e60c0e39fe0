#include "src/cli/sweep_workers.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <iostream>
#include <memory>
#include <system_error>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cortiscore/error.h"
#include "src/cli/json_line.h"
#include "src/cli/slurm.h"
#include "src/core/parallel.h"
#include "src/core/progress.h"
#include "src/core/stop.h"

namespace cortiscore::cli {
namespace {

constexpr const char* kEnds[] = {"scored", "failed", "stored"};  // by PairEnd
constexpr const char* kReady = "ready";
constexpr size_t kAhead = 2;  // checkpoints a worker has: one that it scores, one that it loads

Json to_json(const SweepItem& item) {
  const auto& c = item.checkpoint;
  return {{"path", c.path}, {"graph", c.graph},   {"identifier", c.identifier},
          {"tags", c.tags}, {"prefix", c.prefix}, {"benchmarks", item.benchmarks}};
}

SweepItem item_from(const Json& json) {
  return {{json.at("path"), json.at("graph"), json.at("identifier"), json.at("tags"),
           json.at("prefix"), true},
          json.at("benchmarks").get<std::vector<size_t>>()};
}

[[noreturn]] void fail_here(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

// Lines of a file descriptor, as far as they have come.
class Lines {
 public:
  explicit Lines(int fd) : fd_(fd) {}

  // Reads what is there, waiting if nothing is; false at the end.
  bool fill() {
    char part[1 << 16];
    ssize_t n = 0;
    do {
      n = ::read(fd_, part, sizeof part);
    } while (n < 0 && errno == EINTR);
    if (n <= 0) return false;
    text_.append(part, static_cast<size_t>(n));
    return true;
  }

  std::optional<std::string> take() {
    const auto end = text_.find('\n');
    if (end == std::string::npos) return std::nullopt;
    auto line = text_.substr(0, end);
    text_.erase(0, end + 1);
    return line;
  }

 private:
  int fd_;
  std::string text_;
};

// A descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { close(); }
  int get() const { return fd_; }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

 private:
  int fd_;
};

std::pair<Descriptor, Descriptor> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) fail_here("pipe");
  return {Descriptor(ends[0]), Descriptor(ends[1])};
}

// An item with a worker or on its way to one. One that was there when a worker died is done alone,
// so that the blame falls on the checkpoint that it belongs to: another may have been loading.
struct Queued {
  SweepItem item;
  bool alone = false;
};

class Worker {
 public:
  Worker(const std::string& device, const std::vector<std::string>& arguments) : device_(device) {
    auto [in, to] = make_pipe();
    auto [from, out] = make_pipe();
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_adddup2(&files, in.get(), STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&files, out.get(), STDOUT_FILENO);
    // A group of its own: Ctrl-C reaches this process alone, which passes it on once.
    sigset_t reset;
    sigemptyset(&reset);
    sigaddset(&reset, SIGPIPE);
    posix_spawnattr_setsigdefault(&attributes, &reset);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF);
    auto words = arguments;
    words.insert(words.end(), {"--worker", device});
    std::vector<char*> argv;
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    const int code =
        ::posix_spawn(&pid_, "/proc/self/exe", &files, &attributes, argv.data(), environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    if (code != 0) throw std::system_error(code, std::generic_category(), "a worker did not start");
    to_ = std::move(to);
    from_ = std::move(from);
    lines_ = std::make_unique<Lines>(from_.get());
  }

  ~Worker() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      wait();
    }
  }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  const std::string& device() const { return device_; }
  int from() const { return from_.get(); }
  Lines& lines() { return *lines_; }
  std::deque<Queued>& items() { return items_; }
  bool ready = false;

  // A worker that is gone is noticed where its own descriptor ends.
  void give(Queued queued) {
    const auto line = canonical(to_json(queued.item)) + "\n";
    items_.push_back(std::move(queued));
    for (size_t sent = 0; sent < line.size();) {
      const auto n = ::write(to_.get(), line.data() + sent, line.size() - sent);
      if (n < 0 && errno != EINTR) return;
      if (n > 0) sent += static_cast<size_t>(n);
    }
  }
  void no_more() { to_.close(); }
  void send(int signal) const { ::kill(pid_, signal); }

  // Its wait status, once it has closed its stdout.
  int wait() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return status;
  }

 private:
  std::string device_;
  pid_t pid_ = -1;
  Descriptor to_, from_;
  std::unique_ptr<Lines> lines_;
  std::deque<Queued> items_;  // given, not done
};

class Team {
 public:
  Team(std::vector<SweepItem> items,
       SweepState state,
       const std::vector<std::string>& arguments,
       const Benchmarks& benchmarks,
       Workbench& workbench,
       Store& store,
       const SweepOptions& options,
       const std::function<void(const Json&, const SweepState&)>& each)
      : state_(state),
        arguments_(arguments),
        benchmarks_(benchmarks),
        workbench_(workbench),
        store_(store),
        options_(options),
        each_(each) {
    for (auto& item : items) left_.push_back({std::move(item)});
  }

  SweepState run(const std::vector<std::string>& devices) {
    for (const auto& device : devices) {
      if (left_.empty()) break;
      start(device);
    }
    while (!workers_.empty()) {
      if (stop_signal() != 0) end_all(stop_signal());
      check_stop();
      if (state_.spent(options_)) {
        end_all(SIGTERM);
        break;
      }
      if (left_.empty() && in_hand() == 0) {
        for (auto& worker : workers_) worker->no_more();
      }
      listen([&](Worker& worker) { ended(worker); });
      for (auto& worker : workers_) supply(*worker);
    }
    state_.limited = state_.scored + state_.failed + state_.stored < state_.pairs;
    return state_;
  }

 private:
  void start(const std::string& device) {
    workers_.push_back(std::make_unique<Worker>(device, arguments_));
    supply(*workers_.back());
  }

  int64_t in_hand() const {
    size_t n = 0;
    for (const auto& worker : workers_) {
      for (const auto& queued : worker->items()) n += queued.item.benchmarks.size();
    }
    return static_cast<int64_t>(n);
  }

  // No more pairs are out than the limit has room for.
  void supply(Worker& worker) {
    auto& items = worker.items();
    while (items.size() < kAhead && !left_.empty() && !state_.spent(options_)) {
      if (!items.empty() && (items.front().alone || left_.front().alone)) return;
      auto& front = left_.front().item;
      auto n = front.benchmarks.size();
      if (options_.limit > 0) {
        const auto room = options_.limit - state_.scored - state_.failed - in_hand();
        n = std::min(n, static_cast<size_t>(std::max<int64_t>(room, 0)));
      }
      if (n == 0) return;
      const auto end = front.benchmarks.begin() + static_cast<std::ptrdiff_t>(n);
      Queued part{{front.checkpoint, {front.benchmarks.begin(), end}}, left_.front().alone};
      front.benchmarks.erase(front.benchmarks.begin(), end);
      if (front.benchmarks.empty()) left_.pop_front();
      worker.give(std::move(part));
    }
  }

  // What workers say, waiting a little while they say nothing. One that is gone goes to `farewell`.
  template <typename Farewell>
  void listen(const Farewell& farewell) {
    std::vector<pollfd> polled;
    for (const auto& worker : workers_) polled.push_back({worker->from(), POLLIN, 0});
    if (::poll(polled.data(), polled.size(), 200) <= 0) return;
    for (size_t i = polled.size(); i-- > 0;) {
      if (polled[i].revents == 0) continue;
      auto& worker = *workers_[i];
      const bool open = worker.lines().fill();
      while (const auto line = worker.lines().take()) hear(worker, *line);
      if (!open) farewell(*take(i));
    }
  }

  std::unique_ptr<Worker> take(size_t i) {
    auto worker = std::move(workers_[i]);
    workers_.erase(workers_.begin() + static_cast<std::ptrdiff_t>(i));
    return worker;
  }

  void hear(Worker& worker, const std::string& line) {
    const auto said = Json::parse(line);
    const std::string end = said.at("end");
    if (end == kReady) {
      worker.ready = true;
      return;
    }
    const auto kind = static_cast<PairEnd>(std::find(kEnds, std::end(kEnds), end) - kEnds);
    settle(worker, kind, said.at("record"));
  }

  // The pair that a worker had in hand.
  void settle(Worker& worker, PairEnd end, const Json& record) {
    auto& item = worker.items().front().item;
    item.benchmarks.erase(item.benchmarks.begin());
    if (item.benchmarks.empty()) worker.items().pop_front();
    state_.count(end);
    if (end != PairEnd::kStored) each_(record, state_);
  }

  void ended(Worker& worker) {
    const int status = worker.wait();
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && worker.items().empty()) return;
    if (!WIFSIGNALED(status) || !worker.ready) {
      const auto how = WIFSIGNALED(status) ? "signal " + std::to_string(WTERMSIG(status))
                                           : "exit code " + std::to_string(WEXITSTATUS(status));
      const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
      throw Error(code ? static_cast<ErrorKind>(code) : ErrorKind::kInternal,
                  "sweep: the worker on " + worker.device() + " ended with " + how +
                      "; the sweep ends with it. What was scored is stored.");
    }
    const int signal = WTERMSIG(status);
    const auto how =
        "was ended by signal " + std::to_string(signal) + " (" + ::strsignal(signal) + ")";
    log_line("warning: the worker on " + worker.device() + " " + how);
    auto& items = worker.items();
    if (items.size() == 1) blame(worker, how, signal);
    for (auto& queued : items) queued.alone = true;
    left_.insert(left_.begin(), std::make_move_iterator(items.begin()),
                 std::make_move_iterator(items.end()));
    if (!left_.empty()) start(worker.device());
  }

  void blame(Worker& worker, const std::string& how, int signal) {
    const auto item = worker.items().front().item;
    const auto& benchmark = *benchmarks_[item.benchmarks.front()];
    if (!options_.again) {  // it may have stored the record and died before it could say so
      if (const auto record = stored_record(item.checkpoint, benchmark, workbench_, store_))
        return settle(worker, PairEnd::kScored, *record);
    }
    const bool killed = signal == SIGKILL;
    const Failure failure{
        static_cast<int>(killed ? ErrorKind::kOutOfMemory : ErrorKind::kInternal),
        item.checkpoint.path + ": the process that scored it on " + worker.device() + " " + how +
            (killed ? ", as the system does where memory runs out: lower --memory-gib or name "
                      "fewer devices."
                    : ".")};
    settle(worker, PairEnd::kFailed, record_failure(item, benchmark, nullptr, failure, store_));
  }

  // Workers drop the pairs in hand within their grace time; what they stored before is told.
  void end_all(int signal) {
    for (auto& worker : workers_) {
      worker->send(signal);
      worker->no_more();
    }
    const Timer timer;
    while (!workers_.empty() && timer.seconds() < 5) listen([](Worker& worker) { worker.wait(); });
    workers_.clear();
  }

  std::deque<Queued> left_;
  SweepState state_;
  std::vector<std::string> arguments_;
  const Benchmarks& benchmarks_;
  Workbench& workbench_;
  Store& store_;
  SweepOptions options_;
  const std::function<void(const Json&, const SweepState&)>& each_;
  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace

void serve_sweep(const Benchmarks& benchmarks, Workbench& workbench, Store& store, bool again) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  Lines lines(STDIN_FILENO);
  const auto next = [&](const std::stop_token& over) -> std::optional<SweepItem> {
    for (;;) {
      if (const auto line = lines.take()) return item_from(Json::parse(*line));
      pollfd in{STDIN_FILENO, POLLIN, 0};
      const int n = ::poll(&in, 1, 100);
      if (stop_signal() != 0 || over.stop_requested()) return std::nullopt;
      if (n > 0 && !lines.fill()) return std::nullopt;
    }
  };
  const auto say = [](const Json& line) { std::cout << json_line(line) << std::endl; };
  for (const auto& benchmark : benchmarks) static_cast<void>(benchmark->recordings(workbench));
  say({{"end", kReady}});
  score_items(next, benchmarks, workbench, store, again, [&](PairEnd end, const Json& record) {
    say({{"end", kEnds[static_cast<size_t>(end)]}, {"record", record}});
  });
  check_stop();
}

SweepState sweep_by_workers(std::vector<SweepItem> items,
                            SweepState state,
                            const std::vector<std::string>& devices,
                            const Benchmarks& benchmarks,
                            Workbench& workbench,
                            Store& store,
                            const SweepOptions& options,
                            const std::function<void(const Json&, const SweepState&)>& each) {
  ::signal(SIGPIPE, SIG_IGN);
  const auto n = static_cast<int64_t>(devices.size());
  auto words = own_arguments();
  words.insert(words.end(),
               {"--worker-threads", std::to_string(std::max<int64_t>(1, thread_count() / n))});
  // Workers that share a device share what is free of it now.
  const auto& own = workbench.options();
  const auto sharing = std::count(devices.begin(), devices.end(), devices.front());
  if (own.memory_gib == 0 && sharing > 1) {
    const double gib = usual_memory_gib(own.device) / static_cast<double>(sharing);
    words.insert(words.end(), {"--memory-gib", Json(gib).dump()});
  }
  Team team(std::move(items), state, words, benchmarks, workbench, store, options, each);
  return team.run(devices);
}

}  // namespace cortiscore::cli
