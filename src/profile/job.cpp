#include "src/profile/job.h"

#include <filesystem>
#include <fstream>
#include <optional>
#include <set>
#include <utility>

#include <unistd.h>

#include "src/core/device.h"
#include "src/core/process_memory.h"
#include "src/core/progress.h"
#include "src/data/arrays.h"
#include "src/engine/score_network.h"
#include "src/engine/sweep.h"

namespace cortiscore {
namespace {

namespace fs = std::filesystem;

// A folder for one run's store, gone with it and with its index.
class ScratchStore {
 public:
  explicit ScratchStore(const std::string& parent) {
    fs::create_directories(parent);
    path_ = (fs::path(parent) / ".cortiscore-profile-XXXXXX").string();
    if (!::mkdtemp(path_.data())) {
      throw bad_input({parent, "", "a folder that cannot be written", "room for a store",
                       "Name another with --results"});
    }
  }
  ~ScratchStore() {
    std::error_code error;
    Index::forget(path_);
    fs::remove_all(path_, error);
  }
  ScratchStore(const ScratchStore&) = delete;
  ScratchStore& operator=(const ScratchStore&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::vector<Json> score_all(const ScoringJob& job,
                            const Candidate& candidate,
                            Workbench& workbench,
                            Store& store) {
  plan_scores(candidate, job.benchmarks, workbench, &store, /*again=*/true);
  std::vector<Json> records;
  for (const auto& benchmark : job.benchmarks)
    records.push_back(score_pair(candidate, *benchmark, workbench, &store, /*again=*/true).record);
  return records;
}

int64_t presentations_of(const ScoringJob& job, Workbench& workbench) {
  std::set<std::string> groups;
  int64_t n = 0;
  for (const auto& benchmark : job.benchmarks) {
    const auto shown = shown_stimuli(*benchmark, workbench);
    if (groups.insert(shown.group()).second) n += shown.stimuli->size() * shown.trials;
  }
  return n;
}

}  // namespace

JobRun run_job(const ScoringJob& job, bool twice) {
  JobRun run;
  const ScratchStore scratch(job.scratch);
  std::ofstream("/proc/self/clear_refs") << 5;  // the most that is resident, from here on
  const Timer wall;
  double opened_s = 0;
  {
    std::optional<Stage> all(std::in_place, StageName::kOther);
    Workbench workbench(job.options, /*many_networks=*/twice);
    Store store(scratch.path());
    const auto open = [&] {
      return open_candidate(job.network, job.options.device, job.options.load, job.variable);
    };
    {
      const auto candidate = open();
      opened_s = candidate.open_s;
      run.records = score_all(job, candidate, workbench, store);
      run.wall_s = wall.seconds();
      all.reset();
    }
    if (twice) {
      const auto candidate = open();
      workbench.responses("");  // those of this very network, which another one's would not be
      const Timer next;
      score_all(job, candidate, workbench, store);
      run.next_s = next.seconds() + opened_s;
    }
    run.presentations = presentations_of(job, workbench);
  }
  run.peak_bytes = resident_bytes().most;
  return run;
}

int64_t planned_passes(const ScoringJob& job, double memory_gib) {
  auto options = job.options;
  options.memory_gib = memory_gib;
  const ScratchStore scratch(job.scratch);
  Workbench workbench(options, false);
  Store store(scratch.path());
  Checkpoint checkpoint;
  checkpoint.path = job.network;
  return plan_sweep({checkpoint}, job.benchmarks, workbench, store, {}).forward_passes;
}

std::string job_key(const ScoringJob& job, const std::vector<Json>& records) {
  const auto& options = job.options;
  std::string all = job.variable + "\n" + options.convention.name() +
                    (options.mode == TopVectorMode::kSklearn ? " sklearn " : " exact ") +
                    Json(options.bootstrap.level).dump() + " " +
                    std::to_string(options.bootstrap.seed) + "\n";
  for (const auto& record : records) {
    // Keys of records name the device, where scores differ within rounding; the work is the same.
    const auto& precision = record.at("precision");
    all += record.at("benchmark_sha256").get<std::string>() + " " +
           record.at("data_sha256").dump() + " " + record.at("weights_sha256").get<std::string>() +
           " " + record.at("graph_sha256").dump() + " " +
           record.at("layer_selection").value("method", "") + " " + record.at("metric").dump() +
           " " + record.at("error").at("n_boot").dump() + " " + precision.dump() + "\n";
  }
  return sha256_of(all);
}

}  // namespace cortiscore
