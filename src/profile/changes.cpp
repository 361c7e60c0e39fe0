#include "src/profile/changes.h"

#include <algorithm>
#include <map>
#include <set>

#include "src/core/formatted.h"
#include "src/core/host.h"
#include "src/engine/attempt.h"
#include "src/engine/candidate.h"

namespace cortiscore {
namespace {

// Less than this is within what two runs differ by.
constexpr double kWorthwhile = 0.03;

double of_stage(const Found& found, StageName stage) {
  return by_stage(found.seconds)[static_cast<size_t>(stage)];
}

std::optional<Change> more_threads(const ScoringJob& job, const Found& found) {
  const auto usable = usable_threads();
  if (!job.options.device.is_cpu() || found.threads >= usable) return std::nullopt;
  double in_loops = 0;
  for (const auto stage :
       {StageName::kDecode, StageName::kPlace, StageName::kForward, StageName::kKeep,
        StageName::kReduce, StageName::kMapping, StageName::kCeiling, StageName::kResample})
    in_loops += of_stage(found, stage);
  // What products gain from all threads, and in between in proportion.
  const double all = std::min(static_cast<double>(usable),
                              found.limits.flops_s.value("float32", 0.0) /
                                  found.limits.flops_s_one_thread.value("float32", 1.0));
  const double more = static_cast<double>(found.threads - 1) / static_cast<double>(usable - 1);
  const double now = 1 + (all - 1) * more;
  Change change{"threads", "--threads " + std::to_string(usable), "", 0, job, usable};
  change.predicted_s = found.wall_s - in_loops * (1 - now / all);
  change.why =
      std::to_string(usable) + " processors may be used, " + std::to_string(found.threads) + " are";
  return change;
}

std::optional<Change> more_memory(const ScoringJob& job, const Found& found) {
  // What a device holds beside it is not planned here.
  if (!job.network.ends_with(".pt2") || !job.options.device.is_cpu()) return std::nullopt;
  const auto now = planned_passes(job, job.options.memory_gib);
  const auto available = static_cast<double>(available_bytes()) / (1 << 30);
  auto best = now;
  double gib = 0;
  for (double more = job.options.memory_gib * 2; more <= 0.8 * available; more *= 2) {
    const auto then = planned_passes(job, more);
    if (then >= best) continue;
    best = then;
    gib = more;
  }
  if (gib == 0) return std::nullopt;
  double of_passes = 0;
  for (const auto stage : {StageName::kPlace, StageName::kForward})
    of_passes += of_stage(found, stage);
  const double left = static_cast<double>(best) / static_cast<double>(now);
  Change change{"memory", "--memory-gib " + formatted("%g", gib), "", 0, job, found.threads};
  change.job.options.memory_gib = gib;
  change.predicted_s = found.wall_s - of_passes * (1 - left);
  change.why = std::to_string(best) + " forward passes instead of " + std::to_string(now) + "; " +
               formatted("%.1f", available) + " GiB are free";
  return change;
}

// The layer that a record's competition chose: the most frequent one, or that of the first half.
std::string chosen_in(const Json& record) {
  const auto& selection = record.at("layer_selection");
  const auto method = selection.value("method", "");
  if (method == "nested") return record.at("layer");
  return method == "alternating_halves" ? selection.at("chosen").at(0).get<std::string>() : "";
}

std::optional<Change> one_layer(const ScoringJob& job, const Found& found) {
  auto layers = job.options.layers;
  // Of every layer: how often presentations are mapped by it now, and would be then. A layer that
  // competes is mapped on every inner split, and once more where it wins; or on both halves, and
  // once more on each half that it wins. A committed one is mapped on all of them once.
  std::map<std::string, double> now, then;
  bool all_compete = true;
  for (size_t i = 0; i < found.records.size(); ++i) {
    const auto& record = found.records[i];
    const auto chosen = chosen_in(record);
    all_compete = all_compete && !chosen.empty();
    if (chosen.empty()) continue;
    layers.try_emplace(job.benchmarks[i]->region, chosen);
    then[layers.at(job.benchmarks[i]->region)] += 1;
    const auto& selection = record.at("layer_selection");
    const bool halves = selection.at("method") == "alternating_halves";
    const double tries = halves ? 1 : selection.value("inner_splits", 1);
    for (const auto& layer : selection.at("candidates")) now[layer.get<std::string>()] += tries;
    std::set<std::string> winners;
    for (const auto& layer : selection.at("chosen")) {
      if (layer.is_string()) winners.insert(layer.get<std::string>());
    }
    for (const auto& layer : winners) now[layer] += halves && winners.size() > 1 ? 0.5 : 1;
  }
  if (then.empty()) return std::nullopt;
  const auto network =
      open_candidate(job.network, job.options.device, job.options.load, job.variable).network;
  if (!network) return std::nullopt;
  double saved = 0;
  for (const auto& [what, seconds] : found.seconds) {
    const auto& [stage, detail] = what;
    if (!now.contains(detail)) continue;
    const double left = then.contains(detail) ? then.at(detail) : 0;
    if (stage == StageName::kMapping) saved += seconds * (1 - std::min(1.0, left / now.at(detail)));
    if ((stage == StageName::kKeep || stage == StageName::kReduce) && left == 0) saved += seconds;
  }
  int64_t last = -1;
  for (const auto& [layer, times] : then) last = std::max(last, network->ends_at(layer));
  const auto& groups = network->node_groups();
  std::map<std::string, std::pair<double, double>> nodes;  // of a group: all, and those in reach
  for (size_t n = 0; n < groups.size() && all_compete; ++n) {
    auto& [all, reached] = nodes[groups[n]];
    ++all;
    reached += static_cast<int64_t>(n) <= last ? 1 : 0;
  }
  for (const auto& [group, counts] : nodes) {
    const auto passed = found.seconds.find({StageName::kForward, group});
    if (passed != found.seconds.end()) saved += passed->second * (1 - counts.second / counts.first);
  }
  Change change{"layers", "", "", found.wall_s - saved, job, found.threads};
  change.job.options.layers = layers;
  for (const auto& [region, layer] : layers) {
    change.flags += (change.flags.empty() ? "--layer " : " --layer ") +
                    (region.empty() ? layer : region + "=" + layer);
  }
  change.why = std::to_string(now.size()) +
               " layers compete; a committed one is mapped alone, and on all presentations. It is "
               "another score: say so where you show it";
  return change;
}

std::optional<Change> less_precision(const ScoringJob& job, const Found& found) {
  if (job.options.load.precision != ForwardPrecision::kFloat32) return std::nullopt;
  const double now = found.limits.flops_s.value("float32", 0.0);
  const double then = found.limits.flops_s.value("bfloat16", 0.0);
  if (now <= 0 || then <= now) return std::nullopt;
  Change change{"precision", "--precision bf16", "", 0, job, found.threads};
  change.job.options.load.precision = ForwardPrecision::kBf16;
  change.predicted_s = found.wall_s - of_stage(found, StageName::kForward) * (1 - now / then);
  change.why = "products of matrices take " + formatted("%.1f", then / now) +
               " times less time in bfloat16; scores change in their third digit (docs/speed.md)";
  return change;
}

}  // namespace

std::vector<Change> changes_for(const ScoringJob& job,
                                const Found& found,
                                std::vector<std::string>& notes) {
  std::vector<Change> changes;
  for (const auto& make : {more_threads, more_memory, one_layer, less_precision}) {
    std::optional<Change> change;
    if (const auto failure = attempt([&] { change = make(job, found); }))
      notes.push_back("A change could not be predicted: " + failure->message);
    if (change && change->predicted_s < (1 - kWorthwhile) * found.wall_s)
      changes.push_back(std::move(*change));
  }
  std::sort(changes.begin(), changes.end(),
            [](const Change& a, const Change& b) { return a.predicted_s < b.predicted_s; });
  return changes;
}

}  // namespace cortiscore
