#include "src/cli/slurm.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <iterator>
#include <ostream>
#include <thread>
#include <utility>

#include <sys/wait.h>

#include "cortiscore/error.h"
#include "src/core/progress.h"
#include "src/core/whole_file.h"
#include "src/data/arrays.h"

namespace cortiscore::cli {
namespace {

namespace fs = std::filesystem;

// The task's own process gets the signals that Slurm sends to the batch shell. 75 means "run me
// again".
constexpr const char* kBody = R"sh(
limit=
trap 'limit=1; kill -USR1 "$child" 2>/dev/null' USR1
trap 'kill -TERM "$child" 2>/dev/null' TERM
"${command[@]}" --shard "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" &
child=$!
code=0
wait "$child" || code=$?
while kill -0 "$child" 2>/dev/null; do code=0; wait "$child" || code=$?; done
# At its time limit a task asks to be run again. A preempted one is put back by Slurm, a cancelled one stays cancelled.
if [ "$code" -eq 75 ] && [ -n "$limit" ]; then scontrol requeue "$SLURM_JOB_ID" && sleep 60; fi
exit "$code"
)sh";

std::string script(const SlurmFlags& flags,
                   const std::vector<std::string>& arguments,
                   const fs::path& logs) {
  std::string text = "#!/bin/bash\n#SBATCH --job-name=cortiscore\n#SBATCH --array=0-" +
                     std::to_string(flags.tasks - 1) +
                     (flags.throttle > 0 ? "%" + std::to_string(flags.throttle) : "") +
                     "\n#SBATCH --requeue\n#SBATCH --open-mode=append\n#SBATCH --signal=B:USR1@60\n"
                     "#SBATCH --output=" +
                     "\"" + (logs / "%A_%a.log").string() + "\"\n";
  const auto option = [&](const char* name, const std::string& value) {
    if (!value.empty()) text += std::string("#SBATCH --") + name + "=" + value + "\n";
  };
  option("partition", flags.partition);
  option("time", flags.time);
  option("gres", flags.gres);
  if (!flags.profile.empty()) {
    size_of(flags.profile, "lines for the head of the batch script, e.g. #SBATCH --account=lab");
    text += read_file(flags.profile);
    if (!text.ends_with('\n')) text += '\n';
  }
  text += "\ncd " + quoted(fs::current_path().string()) + " || exit 5\ncommand=(";
  for (const auto& argument : arguments) text += quoted(argument) + " ";
  text.back() = ')';
  return text + "\n" + kBody;
}

// What a command prints, and its exit code.
std::pair<std::string, int> output_of(const std::string& command) {
  FILE* pipe = ::popen(command.c_str(), "r");
  if (!pipe) return {"", 127};
  std::string text;
  std::array<char, 256> part{};
  while (std::fgets(part.data(), part.size(), pipe)) text += part.data();
  const int status = ::pclose(pipe);
  return {text, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status)};
}

std::vector<std::string> arguments_of_main;

}  // namespace

std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const auto c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

void keep_arguments(std::vector<std::string> words) {
  arguments_of_main = std::move(words);
}

std::vector<std::string> own_arguments() {
  const auto& words = arguments_of_main;
  std::vector<std::string> kept = {fs::read_symlink("/proc/self/exe").string()};
  for (size_t i = 0; i < words.size(); ++i) {
    if (!words[i].starts_with("--slurm")) {
      kept.push_back(words[i]);
    } else if (words[i] != "--slurm" && words[i] != "--slurm-wait" &&
               words[i].find('=') == std::string::npos) {
      ++i;  // its value
    }
  }
  return kept;
}

int submit_array(const SlurmFlags& flags,
                 const std::vector<std::string>& arguments,
                 const std::string& folder) {
  const auto logs = fs::absolute(folder) / "slurm";
  std::error_code error;
  fs::create_directories(logs, error);
  char stamp[32];
  const auto now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  std::strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", &parts);
  const auto path = logs / (std::string("sweep-") + stamp + ".sbatch");
  write_whole(path.string(), [&](std::ostream& file) { file << script(flags, arguments, logs); });
  const auto [text, code] = output_of("sbatch --parsable " + quoted(path.string()));
  if (code != 0) {
    throw Error(ErrorKind::kNoDevice,
                path.string() + ": sbatch exited with " + std::to_string(code) +
                    (code == 127 ? ": there is no Slurm on this machine." : ".") +
                    " The script is there: submit it by hand, or run shards with --shard.");
  }
  const auto job = text.substr(0, text.find_first_of(";\n"));
  std::printf("%s\n", job.c_str());
  std::fflush(stdout);
  log_line("job array " + job + " of " + std::to_string(flags.tasks) + ", logs in " +
           logs.string() + "; follow it with: cortiscore results show --results " + folder);
  if (!flags.wait) return 0;
  // An array task that is requeued is pending again, so the job is over only when none is left.
  const auto left = "squeue --noheader --array --jobs=" + job + " 2>/dev/null | wc -l";
  while (std::atoi(output_of(left).first.c_str()) > 0) {
    std::this_thread::sleep_for(std::chrono::seconds(2));
  }
  int highest = 0;
  for (long long i = 0; i < flags.tasks; ++i) {
    const auto shown = output_of("scontrol show job " + job + "_" + std::to_string(i) +
                                 " 2>/dev/null | grep -o 'ExitCode=[0-9]*' | cut -d= -f2");
    highest = std::max(highest, std::atoi(shown.first.c_str()));
  }
  return highest;
}

}  // namespace cortiscore::cli
