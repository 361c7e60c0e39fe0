#include "src/engine/weight_reader.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "cortiscore/error.h"
#include "src/core/stop.h"
#include "src/engine/python.h"

namespace cortiscore {

namespace fs = std::filesystem;

// The Python, its two pipes, and the folder that it writes to.
struct WeightReader::Process {
  pid_t pid = -1;
  int to = -1, from = -1;
  std::string text;
  fs::path folder;

  explicit Process(const std::string& parent) {
    std::error_code unknown;
    auto name = ((parent.empty() ? fs::temp_directory_path(unknown) : fs::path(parent)) /
                 "cortiscore-weights-XXXXXX")
                    .string();
    if (!::mkdtemp(name.data())) {
      throw bad_input({name, "", std::strerror(errno), "a folder for the weights in hand",
                       "Name one with room by --spill or TMPDIR"});
    }
    folder = name;
    int in[2], out[2];
    if (::pipe2(in, O_CLOEXEC) != 0) fail("pipe");
    if (::pipe2(out, O_CLOEXEC) != 0) fail("pipe");
    to = in[1];
    from = out[0];
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_adddup2(&files, in[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&files, out[1], STDOUT_FILENO);
    // A group of its own: Ctrl-C reaches this process alone.
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    auto command = python_command("cortiscore.convert");
    // Where this process is killed, Python removes the folder.
    command.words.insert(command.words.end(), {"--serve", folder.string()});
    auto argv = PythonCommand::pointers(command.words);
    auto envp = PythonCommand::pointers(command.environment);
    const int code = ::posix_spawnp(&pid, argv[0], &files, &attributes, argv.data(), envp.data());
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    ::close(in[0]);
    ::close(out[1]);
    if (code != 0) {
      pid = -1;
      std::error_code gone;
      fs::remove_all(folder, gone);
      throw Error(ErrorKind::kUsage, "cannot run " + command.words[0] +
                                         ", which reads these weights. Set CORTISCORE_PYTHON to a "
                                         "Python with torch 2.11.");
    }
  }

  ~Process() {
    if (to >= 0) ::close(to);
    if (from >= 0) ::close(from);
    if (pid > 0) {
      ::kill(pid, SIGKILL);
      while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
      }
    }
    std::error_code gone;
    fs::remove_all(folder, gone);
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  [[noreturn]] static void fail(const char* what) {
    throw std::system_error(errno, std::generic_category(), what);
  }

  // False where it is gone.
  bool say(const std::string& line) const {
    for (size_t sent = 0; sent < line.size();) {
      const auto n = ::write(to, line.data() + sent, line.size() - sent);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return false;
      sent += static_cast<size_t>(n);
    }
    return true;
  }

  // The next line, empty where it is gone.
  std::string hear() {
    for (;;) {
      if (const auto end = text.find('\n'); end != std::string::npos) {
        auto line = text.substr(0, end);
        text.erase(0, end + 1);
        return line;
      }
      check_stop();
      pollfd polled{from, POLLIN, 0};
      if (::poll(&polled, 1, 100) <= 0) continue;
      char part[1 << 16];
      const auto n = ::read(from, part, sizeof part);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return {};
      text.append(part, static_cast<size_t>(n));
    }
  }
};

WeightReader::WeightReader(std::string folder) : folder_(std::move(folder)) {}
WeightReader::~WeightReader() = default;

std::string WeightReader::read(const std::string& path,
                               const std::string& graph,
                               const std::string& prefix,
                               std::vector<std::string>& notes) {
  ::signal(SIGPIPE, SIG_IGN);
  if (!process_) process_ = std::make_unique<Process>(folder_);
  const auto output = (process_->folder / "weights.safetensors").string();
  std::error_code gone;
  fs::remove(output, gone);
  const nlohmann::json asked = {
      {"path", path}, {"graph", graph}, {"prefix", prefix}, {"output", output}};
  using Handler = nlohmann::json::error_handler_t;
  std::string line;
  try {
    if (process_->say(asked.dump(-1, ' ', true, Handler::replace) + "\n")) line = process_->hear();
  } catch (const Stopped&) {
    process_.reset();
    throw;
  }
  if (line.empty()) {
    process_.reset();
    throw Error(ErrorKind::kOutOfMemory,
                path +
                    ": the Python that read it ended, as the system does where memory runs out. "
                    "`cortiscore model convert` of this file says more.");
  }
  const auto answer = nlohmann::json::parse(line);
  if (answer.contains("error")) {
    throw Error(static_cast<ErrorKind>(answer.value("code", 5)),
                answer.at("error").get<std::string>());
  }
  for (const auto& note : answer.at("notes")) notes.push_back(note.get<std::string>());
  return output;
}

}  // namespace cortiscore
