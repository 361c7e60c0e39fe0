#include "src/facade/module_scorer.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <map>
#include <set>
#include <system_error>

#include <c10/util/Exception.h>
#include <c10/util/StringUtil.h>

#include "cortiscore/error.h"
#include "src/core/parallel.h"
#include "src/data/arrays.h"
#include "src/engine/options.h"
#include "src/engine/score_network.h"
#include "src/kinds/kinds.h"
#include "src/results/columns.h"

namespace cortiscore {
namespace {

// The steps of a training of which a store has a score. Networks of a Probe are RUN-stepN, by which
// the index knows them.
std::set<int64_t> steps_of(const std::string& results, const std::string& run) {
  std::string like;
  for (const char letter : run) {
    const bool pattern = letter == '*' || letter == '?' || letter == '[';
    like += pattern ? std::string{'[', letter, ']'} : std::string(1, letter);
  }
  std::set<int64_t> steps;
  Store(results).each({like + "-step*", "", "ok"}, [&](const Json& record) {
    const auto tag = [&](const char* name) {
      const auto found = cell_of(record, name);
      return found.is_string() ? found.get<std::string>() : "";
    };
    const auto text = tag("tags.step");
    int64_t step = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), step);
    if (tag("tags.run") == run && error == std::errc() && end == text.data() + text.size())
      steps.insert(step);
  });
  return steps;
}

// "step 0", "steps 0, 2 and 4", "25 steps from 0 to 12000".
std::string text_of(const std::set<int64_t>& steps) {
  constexpr size_t kNamed = 6;
  const auto last = std::to_string(*steps.rbegin());
  if (steps.size() == 1) return "step " + last;
  if (steps.size() > kNamed) {
    return std::to_string(steps.size()) + " steps from " + std::to_string(*steps.begin()) + " to " +
           last;
  }
  std::string text;
  for (auto step = steps.begin(); step != std::prev(steps.end()); ++step)
    text += (text.empty() ? "steps " : ", ") + std::to_string(*step);
  return text + " and " + last;
}

}  // namespace

Json options_of(const std::string& text) {
  auto options = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (options.is_object()) return options;
  throw Error(ErrorKind::kUsage,
              "options: found " + text.substr(0, 60) + ", expected a JSON object.");
}

Benchmarks benchmarks_of(const std::vector<std::string>& names, const Json& options) {
  Benchmarks found;
  for (const auto& name : names) found.push_back(find_benchmark(name));
  // A layer map may hold other regions.
  check_regions(options.value("layers", std::map<std::string, std::string>()), found);
  return found;
}

void check_new_run(const std::string& results, const std::string& run) {
  const auto steps = steps_of(results, run);
  if (steps.empty()) return;
  throw Error(ErrorKind::kUsage, "run: found scores of " + text_of(steps) + " of \"" + run +
                                     "\" in " + results +
                                     ", expected a name that no other training there has. Give "
                                     "another, or resume=True to go on with that training.");
}

std::string digest_of(const std::vector<std::pair<std::string, at::Tensor>>& state) {
  std::vector<std::string> digests(state.size());
  parallel_for(static_cast<int64_t>(state.size()), [&](int64_t i) {
    const auto& [name, tensor] = state[static_cast<size_t>(i)];
    if (name.ends_with("num_batches_tracked")) return;  // it counts, and no pass reads it
    digests[static_cast<size_t>(i)] =
        name + " " + c10::str(tensor.scalar_type(), tensor.sizes()) + sha256_of_values(tensor);
  });
  std::string all;
  for (const auto& line : digests) all += line + "\n";
  return sha256_of(all);
}

ModuleScorer::ModuleScorer(const std::vector<std::string>& benchmarks,
                           const std::optional<std::string>& results,
                           const std::string& options)
    : workbench_(score_options(options_of(options)), /*many_networks=*/true),
      // None: another rank has them.
      benchmarks_(benchmarks.empty() ? Benchmarks()
                                     : benchmarks_of(benchmarks, options_of(options))) {
  if (results) store_.emplace(*results);
}

void ModuleScorer::open(std::shared_ptr<const Program> program, const std::string& sha256) {
  const OneThread one;
  const auto& of_run = workbench_.options();
  const auto name = program->identifier;
  network_ = Network::in_memory(std::move(program), {name, sha256, ""}, of_run.device,
                                of_run.load.precision);
  const auto candidate = candidate_of(*network_);
  layers_.clear();
  for (const auto& benchmark : benchmarks_) {
    benchmark->recordings(workbench_);
    const auto least = benchmark->layer_rule().min_features;
    for (auto& layer : layers_for(candidate, *benchmark, of_run)) {
      if (const auto found = network_->layer(layer).n_features(); found < least) {
        throw bad_input({name, "layer " + layer, std::to_string(found) + " features",
                         "at least " + std::to_string(least) + " for " + benchmark->identifier,
                         "Choose a layer with more features"});
      }
      if (std::find(layers_.begin(), layers_.end(), layer) == layers_.end())
        layers_.push_back(std::move(layer));
    }
  }
}

int64_t ModuleScorer::n_stimuli() {
  std::set<std::string> groups;
  int64_t n = 0;
  for (const auto& benchmark : benchmarks_) {
    const auto shown = shown_stimuli(*benchmark, workbench_);
    if (groups.insert(shown.group()).second) n += shown.stimuli->size() * shown.trials;
  }
  return n;
}

std::vector<std::string> ModuleScorer::score(std::shared_ptr<const Program> program,
                                             const std::string& weights_sha256,
                                             const Json& tags,
                                             bool again,
                                             bool keep_going) {
  TORCH_CHECK(network_, "ModuleScorer::score: before open");
  const OneThread one;
  std::vector<std::string> records;
  auto* const store = store_ ? &*store_ : nullptr;
  const auto name = program->identifier;
  std::optional<Candidate> candidate;
  const auto begin = [&] {
    candidate =
        candidate_of(network_->at_another_time(std::move(program), name, weights_sha256, layers_));
    plan_scores(*candidate, benchmarks_, workbench_, store, again);
  };
  const auto score_one = [&](const Benchmark& benchmark) {
    records.push_back(
        canonical(score_pair(*candidate, benchmark, workbench_, store, again, tags).record));
  };
  if (!keep_going) {
    begin();
    for (const auto& benchmark : benchmarks_) score_one(*benchmark);
    return records;
  }
  const auto unable = attempt(begin);
  for (const auto& benchmark : benchmarks_) {
    const auto failure = unable ? unable : attempt([&] { score_one(*benchmark); });
    if (!failure) continue;
    auto record =
        failure_record(name, name, candidate ? &*candidate : nullptr, *benchmark, *failure);
    if (!tags.empty()) record["tags"] = tags;
    if (store) store->append(record);
    records.push_back(canonical(record));
  }
  return records;
}

}  // namespace cortiscore
