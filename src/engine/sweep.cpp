#include "src/engine/sweep.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <future>
#include <map>
#include <numeric>
#include <optional>
#include <set>

#include <glob.h>
#include <sys/stat.h>

#include "cortiscore/error.h"
#include "src/core/progress.h"
#include "src/core/stop.h"
#include "src/data/arrays.h"
#include "src/data/table.h"
#include "src/engine/outcome.h"

namespace cortiscore {
namespace {

namespace fs = std::filesystem;

// Size, inode and change times of the files behind a checkpoint: what a note about it is valid for.
std::string stamp_of(const Checkpoint& checkpoint) {
  std::string stamp;
  for (const auto& path : {checkpoint.path, checkpoint.graph}) {
    if (path.empty()) continue;
    struct stat now {};
    if (::stat(path.c_str(), &now) != 0) return "";
    for (const auto part :
         {static_cast<int64_t>(now.st_size), static_cast<int64_t>(now.st_ino),
          static_cast<int64_t>(now.st_mtim.tv_sec), static_cast<int64_t>(now.st_mtim.tv_nsec)})
      stamp += std::to_string(part) + " ";
  }
  return stamp;
}

std::string note_name(const Checkpoint& checkpoint) {
  std::error_code error;
  return fs::absolute(checkpoint.path, error).string() + "\n" +
         (checkpoint.graph.empty() ? "" : fs::absolute(checkpoint.graph, error).string());
}

// Opens checkpoints one after the other; those that share all but their weights share a graph.
class Opener {
 public:
  explicit Opener(const ScoreOptions& options) : device_(options.device), load_(options.load) {}

  Candidate open(const Checkpoint& checkpoint) {
    const Timer opening;
    auto candidate = open_as_it_is(checkpoint);
    candidate.open_s = opening.seconds();
    if (!checkpoint.identifier.empty()) candidate.identifier = checkpoint.identifier;
    return candidate;
  }

 private:
  Candidate open_as_it_is(const Checkpoint& checkpoint) {
    if (!checkpoint.graph.empty()) {
      if (checkpoint.graph != graph_path_) {
        graph_ = Network::load(checkpoint.graph, device_, load_);
        graph_path_ = checkpoint.graph;
        signature_.clear();
      }
      return candidate_of(graph_->with_weights(checkpoint.path));
    }
    if (!checkpoint.path.ends_with(".pt2")) return open_candidate(checkpoint.path, device_, load_);
    const auto signature = Network::signature(checkpoint.path);
    if (graph_ && !signature.empty() && signature == signature_)
      return candidate_of(graph_->with_weights(checkpoint.path));
    auto candidate = open_candidate(checkpoint.path, device_, load_);
    graph_ = candidate.network;
    signature_ = signature;
    graph_path_.clear();
    return candidate;
  }

  at::Device device_;
  LoadOptions load_;
  std::optional<Network> graph_;
  std::string graph_path_, signature_;
};

bool in_shard(const Checkpoint& checkpoint, const SweepOptions& options) {
  if (options.shards <= 1) return true;
  // By contents of the list alone, so that every worker cuts it the same way, whatever is stored already.
  const auto digest =
      sha256_of(checkpoint.path + "\n" + checkpoint.graph + "\n" + checkpoint.identifier);
  const auto number = std::stoull(digest.substr(0, 15), nullptr, 16);
  return static_cast<int64_t>(number % static_cast<uint64_t>(options.shards)) == options.shard;
}

// Benchmarks of a checkpoint that the store lacks, as far as that is known without opening it.
class Done {
 public:
  Done(Store& store, const std::vector<Benchmark>& benchmarks, Workbench& workbench, bool again)
      : store_(store), benchmarks_(benchmarks), workbench_(workbench) {
    // Recordings that are missing are no checkpoint's fault: nothing begins.
    for (const auto& benchmark : benchmarks) workbench.data_sha256(benchmark);
    if (!again) done_ = store.done();
  }

  std::vector<size_t> missing(const Checkpoint& checkpoint) {
    std::vector<size_t> all(benchmarks_.size());
    std::iota(all.begin(), all.end(), size_t{0});
    if (done_.empty()) return all;
    const auto stamp = stamp_of(checkpoint);
    const auto note = stamp.empty() ? "" : store_.note(note_name(checkpoint), stamp);
    const auto newline = note.find('\n');
    if (newline == std::string::npos) return all;
    const auto fingerprint = note.substr(0, newline);
    const auto identifier =
        checkpoint.identifier.empty() ? note.substr(newline + 1) : checkpoint.identifier;
    std::erase_if(all, [&](size_t b) {
      return done_.contains({record_key(fingerprint, benchmarks_[b], workbench_), identifier});
    });
    return all;
  }

 private:
  Store& store_;
  const std::vector<Benchmark>& benchmarks_;
  Workbench& workbench_;
  std::set<std::pair<std::string, std::string>> done_;
};

}  // namespace

std::vector<Checkpoint> expand(const std::vector<std::string>& patterns, const std::string& graph) {
  std::vector<Checkpoint> checkpoints;
  for (const auto& pattern : patterns) {
    glob_t found{};
    const int code = ::glob(pattern.c_str(), GLOB_NOCHECK | GLOB_TILDE, nullptr, &found);
    const bool magic = pattern.find_first_of("*?[") != std::string::npos;
    std::error_code error;
    const bool empty = code != 0 || (magic && found.gl_pathc == 1 && found.gl_pathv[0] == pattern &&
                                     !fs::exists(pattern, error));
    for (size_t i = 0; i < found.gl_pathc && !empty; ++i)
      checkpoints.push_back({found.gl_pathv[i], graph, "", Json::object()});
    ::globfree(&found);
    if (empty) {
      throw bad_input({pattern, "", "no file", "a pattern that matches checkpoints",
                       "Check the path; quote it so that the shell leaves it alone"});
    }
  }
  return checkpoints;
}

std::vector<Checkpoint> read_manifest(const std::string& path) {
  const auto table = read_table(path);
  const auto folder = fs::path(path).parent_path();
  const auto place = [&](const std::string& file) {
    return file.empty() || fs::path(file).is_absolute() ? file : (folder / file).string();
  };
  const auto models = table.column("model");
  const auto optional = [&](const char* name) {
    return table.has(name) ? table.column(name) : std::vector<std::string>(models.size());
  };
  const auto weights = optional("weights");
  const auto identifiers = optional("identifier");
  std::vector<Checkpoint> checkpoints;
  for (size_t i = 0; i < models.size(); ++i) {
    if (models[i].empty()) {
      throw bad_input({path, table.place(i) + ", column model", "nothing",
                       "a .pt2 archive or activations", ""});
    }
    Checkpoint checkpoint;
    checkpoint.path = place(weights[i].empty() ? models[i] : weights[i]);
    checkpoint.graph = weights[i].empty() ? "" : place(models[i]);
    checkpoint.identifier = identifiers[i];
    for (size_t c = 0; c < table.columns.size(); ++c) {
      const auto& name = table.columns[c];
      if (name != "model" && name != "weights" && name != "identifier")
        checkpoint.tags[name] = table.rows[i][c];
    }
    checkpoints.push_back(std::move(checkpoint));
  }
  return checkpoints;
}

SweepPlan plan_sweep(const std::vector<Checkpoint>& checkpoints,
                     const std::vector<Benchmark>& benchmarks,
                     Workbench& workbench,
                     Store& store,
                     const SweepOptions& options) {
  SweepPlan plan;
  std::map<std::string, std::pair<double, int64_t>> times;  // a benchmark's seconds and records
  store.each({"", "", "ok"}, [&](const Json& record) {
    auto& [seconds, count] = times[record.at("benchmark_identifier")];
    seconds += record.at("timing_ms").at("total").get<double>() / 1e3;
    ++count;
  });
  for (const auto& item :
       items_left(checkpoints, benchmarks, workbench, store, options, plan.state)) {
    for (const auto b : item.benchmarks) {
      if (options.limit > 0 && static_cast<int64_t>(plan.pairs.size()) >= options.limit) break;
      plan.pairs.emplace_back(item.checkpoint.path, benchmarks[b].identifier);
      const auto& [seconds, count] = times[benchmarks[b].identifier];
      plan.seconds += count ? seconds / static_cast<double>(count) : std::nan("");
    }
  }
  for (const auto& checkpoint : checkpoints) {
    const auto& path = checkpoint.graph.empty() ? checkpoint.path : checkpoint.graph;
    if (!path.ends_with(".pt2")) continue;
    const auto candidate = candidate_of(Network::load(path, at::kCPU, workbench.options().load));
    const auto& network = *candidate.network;
    std::map<std::string, int64_t> stimuli;  // a group's
    for (const auto& benchmark : benchmarks) {
      const auto request = request_of(candidate, benchmark, workbench);
      if (!request) continue;
      stimuli[activation_group(benchmark, workbench)] = workbench.stimuli(benchmark).size();
      announce(candidate, *request, workbench);
    }
    for (const auto& [group, wanted] : candidate.plan->wanted(network)) {
      const auto n = stimuli.at(group);
      plan.stimulus_bytes += Screen::bytes(n, network.input().size);
      const auto memory = plan_extraction(network, n, wanted, workbench.limits());
      plan.planned_bytes = std::max(plan.planned_bytes, memory.bytes);
      plan.spilled_bytes = std::max(plan.spilled_bytes, memory.spilled_bytes);
      for (const auto& step : memory.steps) plan.forward_passes += step.sweep_passes;
    }
    break;
  }
  return plan;
}

std::string unopened_name(const Checkpoint& checkpoint) {
  return checkpoint.identifier.empty() ? fs::path(checkpoint.path).stem().string()
                                       : checkpoint.identifier;
}

Json record_failure(const SweepItem& item,
                    const Benchmark& benchmark,
                    const std::string& identifier,
                    const Failure& failure,
                    Store& store) {
  auto record = failure_record(identifier, item.checkpoint.path, benchmark, failure);
  if (!item.checkpoint.tags.empty()) record["tags"] = item.checkpoint.tags;
  store.append(record);
  return record;
}

void SweepState::count(PairEnd end) {
  ++(end == PairEnd::kScored ? scored : end == PairEnd::kFailed ? failed : stored);
}

std::vector<SweepItem> items_left(const std::vector<Checkpoint>& checkpoints,
                                  const std::vector<Benchmark>& benchmarks,
                                  Workbench& workbench,
                                  Store& store,
                                  const SweepOptions& options,
                                  SweepState& state) {
  Done done(store, benchmarks, workbench, options.again);
  std::vector<SweepItem> items;
  for (const auto& checkpoint : checkpoints) {
    if (!in_shard(checkpoint, options)) continue;
    auto missing = done.missing(checkpoint);
    state.pairs += static_cast<int64_t>(benchmarks.size());
    state.stored += static_cast<int64_t>(benchmarks.size() - missing.size());
    if (!missing.empty()) items.push_back({checkpoint, std::move(missing)});
  }
  return items;
}

void score_items(const std::function<std::optional<SweepItem>()>& next,
                 const std::vector<Benchmark>& benchmarks,
                 Workbench& workbench,
                 Store& store,
                 bool again,
                 const std::function<bool(PairEnd, const Json&)>& each) {
  struct Opened {
    std::optional<SweepItem> item;
    std::optional<Candidate> candidate;
    std::optional<Failure> failure;  // why there is no candidate
  };
  // Used by one load at a time: the next begins when the last was taken.
  Opener opener(workbench.options());
  const auto load = [&] {
    return std::async(std::launch::async, [&] {
      Opened opened;
      opened.item = next();
      if (opened.item) {
        opened.failure = attempt([&] { opened.candidate = opener.open(opened.item->checkpoint); });
      }
      return opened;
    });
  };
  for (auto loading = load();;) {
    const auto opened = loading.get();
    if (!opened.item) return;
    loading = load();
    const auto& checkpoint = opened.item->checkpoint;
    if (opened.candidate) {
      if (const auto stamp = stamp_of(checkpoint); !stamp.empty()) {
        store.set_note(note_name(checkpoint), stamp,
                       opened.candidate->fingerprint + "\n" + opened.candidate->identifier);
      }
    }
    if (opened.candidate) {
      std::vector<Benchmark> wanted;
      for (const auto b : opened.item->benchmarks) wanted.push_back(benchmarks[b]);
      plan_scores(*opened.candidate, wanted, workbench, &store, again);
    }
    for (const auto b : opened.item->benchmarks) {
      check_stop();
      std::optional<PairResult> result;
      auto failure = opened.failure;
      if (!failure) {
        failure = attempt([&] {
          result = score_pair(*opened.candidate, benchmarks[b], workbench, &store, again,
                              checkpoint.tags);
        });
      }
      bool more = true;
      if (failure) {
        const auto name =
            opened.candidate ? opened.candidate->identifier : unopened_name(checkpoint);
        more = each(PairEnd::kFailed,
                    record_failure(*opened.item, benchmarks[b], name, *failure, store));
      } else {
        more = each(result->stored ? PairEnd::kStored : PairEnd::kScored, result->record);
      }
      if (!more) return;
    }
  }
}

SweepState sweep(const std::vector<Checkpoint>& checkpoints,
                 const std::vector<Benchmark>& benchmarks,
                 Workbench& workbench,
                 Store& store,
                 const SweepOptions& options,
                 const std::function<void(const Json&, const SweepState&)>& each) {
  SweepState state;
  auto items = items_left(checkpoints, benchmarks, workbench, store, options, state);
  size_t taken = 0;
  const auto next = [&]() -> std::optional<SweepItem> {
    if (taken == items.size()) return std::nullopt;
    return std::move(items[taken++]);
  };
  score_items(next, benchmarks, workbench, store, options.again,
              [&](PairEnd end, const Json& record) {
                state.count(end);
                if (end != PairEnd::kStored) each(record, state);
                return !state.spent(options);
              });
  state.limited = state.scored + state.failed + state.stored < state.pairs;
  return state;
}

}  // namespace cortiscore
