#include "src/profile/changes.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <set>

#include "src/core/host.h"
#include "src/engine/candidate.h"

namespace cortiscore {
namespace {

// Less than this is within what two runs differ by.
constexpr double kWorthwhile = 0.03;

std::string text_of(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

double of_stage(const Found& found, StageName stage) {
  return by_stage(found.seconds)[static_cast<size_t>(stage)];
}

std::optional<Change> more_threads(const ScoringJob& job, const Found& found) {
  const auto usable = usable_threads();
  if (!job.options.device.is_cpu() || found.threads >= usable) return std::nullopt;
  double in_loops = 0;
  for (const auto stage : {StageName::kDecode, StageName::kPlace, StageName::kForward,
                           StageName::kKeep, StageName::kMapping, StageName::kCeiling})
    in_loops += of_stage(found, stage);
  // What was measured with as many threads as the job has and with one, carried on to all of them.
  const auto& many = found.limits.flops_s;
  const auto& one = found.limits.flops_s_one_thread;
  const double now = many.value("float32", 0.0) / one.value("float32", 1.0);
  const double each = found.threads > 1 ? (now - 1) / static_cast<double>(found.threads - 1) : 1;
  const double then = 1 + each * static_cast<double>(usable - 1);
  Change change{"threads", "--threads " + std::to_string(usable), "", 0, job, usable};
  change.predicted_s = found.wall_s - in_loops * (1 - now / then);
  change.why =
      std::to_string(usable) + " processors may be used, " + std::to_string(found.threads) + " are";
  return change;
}

std::optional<Change> more_memory(const ScoringJob& job, const Found& found) {
  if (!job.network.ends_with(".pt2")) return std::nullopt;
  const auto now = plan_job(job, job.options.memory_gib);
  const auto available = static_cast<double>(available_bytes()) / (1 << 30);
  JobPlan best = now;
  double gib = 0;
  for (double more = job.options.memory_gib * 2; more <= 0.8 * available; more *= 2) {
    const auto then = plan_job(job, more);
    if (then.forward_passes >= best.forward_passes) continue;
    best = then;
    gib = more;
  }
  if (gib == 0) return std::nullopt;
  double of_passes = 0;
  for (const auto stage : {StageName::kPlace, StageName::kForward})
    of_passes += of_stage(found, stage);
  const double left =
      static_cast<double>(best.forward_passes) / static_cast<double>(now.forward_passes);
  Change change{"memory", "--memory-gib " + text_of("%g", gib), "", 0, job, found.threads};
  change.job.options.memory_gib = gib;
  change.predicted_s = found.wall_s - of_passes * (1 - left);
  change.why = std::to_string(best.forward_passes) + " forward passes instead of " +
               std::to_string(now.forward_passes) + "; " + text_of("%.1f", available) +
               " GiB are free";
  return change;
}

// The layer that a record's halves chose first.
std::string chosen_in(const Json& record) {
  const auto& selection = record.at("layer_selection");
  if (selection.value("method", "") != "alternating_halves") return "";
  return selection.at("chosen").at(0);
}

std::optional<Change> one_layer(const ScoringJob& job, const Found& found) {
  std::map<std::string, std::string> layers = job.options.layers;
  std::set<std::string> kept, competed;
  double halves_scored = 0;
  for (size_t i = 0; i < found.records.size(); ++i) {
    const auto& record = found.records[i];
    const auto chosen = chosen_in(record);
    if (chosen.empty()) continue;
    if (layers.try_emplace(job.benchmarks[i]->region, chosen).second) kept.insert(chosen);
    for (const auto& layer : record.at("layer_selection").at("candidates"))
      competed.insert(layer.get<std::string>());
    for (const auto& of_half : record.at("layer_selection").at("chosen"))
      halves_scored += of_half == chosen ? 1 : 0;
  }
  if (kept.empty()) return std::nullopt;
  const auto network =
      open_candidate(job.network, at::kCPU, job.options.load, job.variable).network;
  if (!network) return std::nullopt;
  double saved = 0;
  for (const auto& [what, seconds] : found.seconds) {
    const auto& [stage, detail] = what;
    const bool of_layer =
        stage == StageName::kKeep || stage == StageName::kReduce || stage == StageName::kMapping;
    if (of_layer && competed.contains(detail) && !kept.contains(detail)) saved += seconds;
  }
  // A layer that wins is mapped on both halves to compete, and once on each half that it won; a
  // committed one once on all presentations, which is as much as both halves.
  for (const auto& layer : kept) {
    const auto mapped = found.seconds.find({StageName::kMapping, layer});
    if (mapped != found.seconds.end() && halves_scored > 0)
      saved += mapped->second * (1 - 2 / (2 + halves_scored));
  }
  const auto groups = network->node_groups();
  int64_t last = -1;
  for (const auto& layer : kept) last = std::max(last, network->ends_at(layer));
  std::map<std::string, std::pair<int64_t, int64_t>> nodes;  // of a group: all, and those in reach
  for (size_t n = 0; n < groups.size(); ++n) {
    auto& [all, reached] = nodes[groups[n]];
    ++all;
    reached += static_cast<int64_t>(n) <= last;
  }
  for (const auto& [group, counts] : nodes) {
    const auto passed = found.seconds.find({StageName::kForward, group});
    if (passed == found.seconds.end()) continue;
    saved += passed->second *
             (1 - static_cast<double>(counts.second) / static_cast<double>(counts.first));
  }
  Change change{"layers", "", "", found.wall_s - saved, job, found.threads};
  change.job.options.layers = layers;
  for (const auto& [region, layer] : layers)
    change.flags += (change.flags.empty() ? "--layer " : " --layer ") +
                    (region.empty() ? layer : region + "=" + layer);
  change.why = std::to_string(competed.size()) +
               " layers compete; a committed one is mapped alone, and on all "
               "presentations. It is another score: say so where you show it";
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
  change.why = "products of matrices take " + text_of("%.1f", then / now) +
               " times less time in bfloat16; scores change in their third digit (docs/speed.md)";
  return change;
}

}  // namespace

std::vector<Change> changes_for(const ScoringJob& job, const Found& found) {
  std::vector<Change> changes;
  for (const auto& make : {more_threads, more_memory, one_layer, less_precision}) {
    auto change = make(job, found);
    if (change && change->predicted_s < (1 - kWorthwhile) * found.wall_s)
      changes.push_back(std::move(*change));
  }
  std::sort(changes.begin(), changes.end(),
            [](const Change& a, const Change& b) { return a.predicted_s < b.predicted_s; });
  return changes;
}

}  // namespace cortiscore
