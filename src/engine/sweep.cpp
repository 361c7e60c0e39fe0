#include "src/engine/sweep.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <future>
#include <map>
#include <numeric>
#include <optional>
#include <set>

#include <sys/stat.h>

#include "cortiscore/error.h"
#include "src/core/progress.h"
#include "src/core/stop.h"
#include "src/data/arrays.h"
#include "src/data/table.h"
#include "src/engine/checkpoint_files.h"
#include "src/engine/weight_reader.h"
#include "src/model/weights_differ.h"

namespace cortiscore {
namespace {

namespace fs = std::filesystem;

// Size, inode and change times of the files behind a checkpoint: what a note about it is valid for.
std::string stamp_of(const Checkpoint& checkpoint) {
  std::string stamp;
  for (const auto& path : {checkpoint.path, checkpoint.graph}) {
    if (path.empty()) continue;
    for (const auto& file : files_behind(path)) {
      struct stat now {};
      if (::stat(file.c_str(), &now) != 0) return "";
      for (const auto part :
           {static_cast<int64_t>(now.st_size), static_cast<int64_t>(now.st_ino),
            static_cast<int64_t>(now.st_mtim.tv_sec), static_cast<int64_t>(now.st_mtim.tv_nsec)})
        stamp += std::to_string(part) + " ";
    }
  }
  return stamp;
}

// A message about a temporary file, naming the user's file that it was made of.
std::string naming(const std::string& file, const std::string& temporary, std::string message) {
  for (size_t at = 0; (at = message.find(temporary, at)) != std::string::npos; at += file.size())
    message.replace(at, temporary.size(), file);
  return message;
}

std::string note_name(const Checkpoint& checkpoint) {
  std::error_code error;
  return fs::absolute(checkpoint.path, error).string() + "\n" +
         (checkpoint.graph.empty() ? "" : fs::absolute(checkpoint.graph, error).string()) +
         (checkpoint.prefix.empty() ? "" : "\n" + checkpoint.prefix) +
         (checkpoint.variable.empty() ? "" : "\nvariable " + checkpoint.variable);
}

// Opens checkpoints one after the other; those that share all but their weights share a graph.
class Opener {
 public:
  explicit Opener(const ScoreOptions& options)
      : device_(options.device), load_(options.load), reader_(options.spill_folder) {}

  // What was left out of a weight file or changed, in words, is added to the tags of its records.
  Candidate open(Checkpoint& checkpoint) {
    const Timer opening;
    notes_.clear();
    auto candidate = open_as_it_is(checkpoint);
    candidate.open_s = opening.seconds();
    if (!checkpoint.identifier.empty()) candidate.identifier = checkpoint.identifier;
    if (!notes_.empty()) checkpoint.tags["weights"] = notes_;
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
      return with_weights(checkpoint);
    }
    if (!checkpoint.path.ends_with(".pt2"))
      return open_candidate(checkpoint.path, device_, load_, checkpoint.variable);
    const auto signature = Network::signature(checkpoint.path);
    if (graph_ && !signature.empty() && signature == signature_)
      return candidate_of(graph_->with_weights(checkpoint.path));
    auto candidate = open_candidate(checkpoint.path, device_, load_);
    graph_ = candidate.network;
    signature_ = signature;
    graph_path_.clear();
    return candidate;
  }

  // Weights that are the graph's as they are; of any other kind, what the reader makes of them.
  Candidate with_weights(const Checkpoint& checkpoint) {
    const auto& path = checkpoint.path;
    const bool raw = path.ends_with(".safetensors") || path.ends_with(".pt2");
    if (raw && checkpoint.prefix.empty()) {
      try {
        return candidate_of(graph_->with_weights(path));
      } catch (const WeightsDiffer&) {
        if (!path.ends_with(".safetensors"))
          throw;  // another archive has the same names, or is of another network
      }
    }
    std::vector<std::string> notes;
    const auto file = reader_.read(path, graph_path_, checkpoint.prefix, notes);
    Candidate candidate;
    try {
      candidate = candidate_of(graph_->with_weights(file));
    } catch (const Error& e) {
      throw Error(e.kind(), naming(path, file, e.what()));
    }
    std::error_code error;
    fs::remove(file, error);
    candidate.path = path;
    candidate.identifier = stem_of(path);
    for (const auto& note : notes) {
      log_line("note: " + path + ": " + note);
      notes_ += (notes_.empty() ? "" : "; ") + note;
    }
    return candidate;
  }

  at::Device device_;
  LoadOptions load_;
  WeightReader reader_;
  std::optional<Network> graph_;
  std::string graph_path_, signature_, notes_;
};

bool in_shard(const Checkpoint& checkpoint, const SweepOptions& options) {
  if (options.shards <= 1) return true;
  // By contents of the list alone, so that every worker cuts it the same way, whatever is stored
  // already.
  const auto digest =
      sha256_of(checkpoint.path + "\n" + checkpoint.graph + "\n" + checkpoint.identifier);
  const auto number = std::stoull(digest.substr(0, 15), nullptr, 16);
  return static_cast<int64_t>(number % static_cast<uint64_t>(options.shards)) == options.shard;
}

struct KnownAs {
  std::string fingerprint, identifier;
};

// What a checkpoint was when it was last opened, if its files are still those.
std::optional<KnownAs> known_as(const Checkpoint& checkpoint, Store& store) {
  const auto stamp = stamp_of(checkpoint);
  const auto note = stamp.empty() ? "" : store.note(note_name(checkpoint), stamp);
  const auto newline = note.find('\n');
  if (newline == std::string::npos) return std::nullopt;
  return KnownAs{note.substr(0, newline),
                 checkpoint.identifier.empty() ? note.substr(newline + 1) : checkpoint.identifier};
}

// Benchmarks of a checkpoint that the store lacks, as far as that is known without opening it.
class Done {
 public:
  Done(Store& store, const Benchmarks& benchmarks, Workbench& workbench, bool again)
      : store_(store), benchmarks_(benchmarks), workbench_(workbench) {
    // Recordings that are missing are no checkpoint's fault: nothing begins.
    for (const auto& benchmark : benchmarks) static_cast<void>(benchmark->recordings(workbench));
    if (!again) done_ = store.done();
  }

  std::vector<size_t> missing(const Checkpoint& checkpoint) {
    std::vector<size_t> all(benchmarks_.size());
    std::iota(all.begin(), all.end(), size_t{0});
    if (done_.empty()) return all;
    const auto known = known_as(checkpoint, store_);
    if (!known) return all;
    std::erase_if(all, [&](size_t b) {
      return done_.contains(
          {record_key(known->fingerprint, *benchmarks_[b], workbench_), known->identifier});
    });
    return all;
  }

 private:
  Store& store_;
  const Benchmarks& benchmarks_;
  Workbench& workbench_;
  std::set<std::pair<std::string, std::string>> done_;
};

}  // namespace

std::vector<Checkpoint> expand(const std::vector<std::string>& patterns,
                               const std::string& graph,
                               std::vector<std::string>& notes) {
  std::vector<Checkpoint> checkpoints;
  std::error_code error;
  for (const auto& pattern : patterns) {
    for (const auto& file : checkpoint_files(pattern, !graph.empty(), notes)) {
      // The graph may lie beside its weights.
      const bool in_folder = !file.name.empty();
      if (in_folder && !graph.empty() && fs::equivalent(file.path, graph, error)) continue;
      checkpoints.push_back({file.path, graph, file.name, Json::object(), "", false});
    }
  }
  return checkpoints;
}

void name_checkpoints(std::vector<Checkpoint>& checkpoints) {
  if (checkpoints.size() == 1 && checkpoints.front().prefix.empty()) return;
  std::set<std::vector<std::string>> seen;
  std::erase_if(checkpoints, [&](const Checkpoint& c) {
    return !c.named && !seen.insert({c.path, c.graph, c.prefix}).second;
  });
  const auto name_of = [](const Checkpoint& c) {
    return c.identifier.empty() ? recorded_name(c.path) : c.identifier;
  };
  std::map<std::string, std::vector<Checkpoint*>> groups;
  for (auto& checkpoint : checkpoints) {
    if (!checkpoint.named) groups[name_of(checkpoint)].push_back(&checkpoint);
  }
  for (const auto& [name, group] : groups) {
    std::vector<std::string> paths, names(group.size(), name);
    for (const auto* checkpoint : group) paths.push_back(checkpoint->path);
    if (group.size() > 1) names = distinct_names(paths);
    for (size_t i = 0; i < group.size(); ++i) {
      auto prefix = group[i]->prefix;
      if (group.size() == 1 && prefix.empty()) continue;
      while (prefix.ends_with(".")) prefix.pop_back();
      group[i]->identifier = names[i] + (prefix.empty() ? "" : "/" + prefix);
    }
  }
  std::map<std::string, std::string> taken;
  for (const auto& checkpoint : checkpoints) {
    const auto name = name_of(checkpoint);
    const auto [other, fresh] = taken.try_emplace(name, checkpoint.path);
    if (fresh) continue;
    throw bad_input({checkpoint.path, "",
                     "the name \"" + name + "\", which " + other->second + " has too",
                     "a name each in the results",
                     "Give them in a --checkpoint-table with a column identifier"});
  }
}

std::vector<Checkpoint> read_checkpoint_table(const std::string& path) {
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
    checkpoint.named = !checkpoint.identifier.empty();
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
                     const Benchmarks& benchmarks,
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
      plan.pairs.emplace_back(item.checkpoint.path, benchmarks[b]->identifier);
      const auto& [seconds, count] = times[benchmarks[b]->identifier];
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
      const auto request = score_request(candidate, *benchmark, workbench);
      if (!request) continue;
      stimuli[request->shown.group()] = request->shown.stimuli->size();
      announce(candidate, *request);
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

std::optional<Json> stored_record(const Checkpoint& checkpoint,
                                  const Benchmark& benchmark,
                                  Workbench& workbench,
                                  Store& store) {
  const auto known = known_as(checkpoint, store);
  if (!known) return std::nullopt;
  return store.find(record_key(known->fingerprint, benchmark, workbench), known->identifier);
}

std::string unopened_name(const Checkpoint& checkpoint) {
  return checkpoint.identifier.empty() ? stem_of(checkpoint.path) : checkpoint.identifier;
}

Json record_failure(const SweepItem& item,
                    const Benchmark& benchmark,
                    const Candidate* candidate,
                    const Failure& failure,
                    Store& store) {
  const auto identifier = candidate ? candidate->identifier : unopened_name(item.checkpoint);
  auto record = failure_record(identifier, item.checkpoint.path, candidate, benchmark, failure);
  if (!item.checkpoint.tags.empty()) record["tags"] = item.checkpoint.tags;
  store.append(record);
  return record;
}

void SweepState::count(PairEnd end) {
  ++(end == PairEnd::kScored ? scored : end == PairEnd::kFailed ? failed : stored);
}

std::vector<SweepItem> items_left(const std::vector<Checkpoint>& checkpoints,
                                  const Benchmarks& benchmarks,
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

void score_items(const std::function<std::optional<SweepItem>(const std::stop_token&)>& next,
                 const Benchmarks& benchmarks,
                 Workbench& workbench,
                 Store& store,
                 bool again,
                 const std::function<void(PairEnd, const Json&)>& each,
                 const std::function<void(const Candidate&, const Benchmark&)>& begins) {
  struct Opened {
    std::optional<SweepItem> item;
    std::optional<Candidate> candidate;
    std::optional<Failure> failure;  // why there is no candidate
  };
  // Used by one load at a time: the next begins when the last was taken.
  Opener opener(workbench.options());
  std::stop_source over;
  const auto load = [&] {
    return std::async(std::launch::async, [&] {
      Opened opened;
      opened.item = next(over.get_token());
      if (opened.item) {
        opened.failure = attempt([&] { opened.candidate = opener.open(opened.item->checkpoint); });
      }
      return opened;
    });
  };
  auto loading = load();
  // A load may wait for an item that nobody sends while this function ends by an error.
  struct Over {
    std::stop_source& source;
    ~Over() { source.request_stop(); }
  } const end_of_scope{over};
  for (;;) {
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
      Benchmarks wanted;
      for (const auto b : opened.item->benchmarks) wanted.push_back(benchmarks[b]);
      plan_scores(*opened.candidate, wanted, workbench, &store, again);
    }
    for (const auto b : opened.item->benchmarks) {
      check_stop();
      std::optional<PairResult> result;
      auto failure = opened.failure;
      if (!failure) {
        if (begins) begins(*opened.candidate, *benchmarks[b]);
        failure = attempt([&] {
          result = score_pair(*opened.candidate, *benchmarks[b], workbench, &store, again,
                              checkpoint.tags);
        });
      }
      if (failure) {
        if (opened.candidate && opened.candidate->network) {
          failure->message =
              naming(checkpoint.path, opened.candidate->network->path(), failure->message);
        }
        const auto* const candidate = opened.candidate ? &*opened.candidate : nullptr;
        each(PairEnd::kFailed,
             record_failure(*opened.item, *benchmarks[b], candidate, *failure, store));
      } else {
        each(result->stored ? PairEnd::kStored : PairEnd::kScored, result->record);
      }
    }
  }
}

}  // namespace cortiscore
