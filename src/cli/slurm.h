#pragma once
#include <string>
#include <vector>

namespace cortiscore::cli {

/// A job array of `sweep` shards, as the flags --slurm-* describe it.
struct SlurmFlags {
  bool submit = false, wait = false;
  long long tasks = 1, throttle = 0;
  std::string partition, time, gres, profile;
};

/// Writes FOLDER/slurm/sweep-TIME.sbatch, in which every array task runs `arguments` with its own
/// --shard, is told a minute before its time limit, and is requeued where it exits with 75; submits
/// it and prints the job's number.
/// @param arguments  the command line without the flags --slurm-*
/// @return  0, with --slurm-wait the highest exit code of the tasks
/// @throws Error(kNoDevice)  there is no sbatch, or it refuses; kBadInput  the script cannot be
///                           written
int submit_array(const SlurmFlags& flags,
                 const std::vector<std::string>& arguments,
                 const std::string& folder);

/// A word as a shell takes it for one, whatever is in it.
std::string quoted(const std::string& text);

/// Called where main begins, for own_arguments().
void keep_arguments(std::vector<std::string> words);

/// This process's command line without the flags --slurm-*; the program by its path.
std::vector<std::string> own_arguments();

}  // namespace cortiscore::cli
