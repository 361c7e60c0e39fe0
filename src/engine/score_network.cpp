#include "src/engine/score_network.h"

#include <algorithm>
#include <cstdlib>

#include <ATen/core/Tensor.h>

#include "cortiscore/error.h"
#include "src/core/device.h"
#include "src/core/host.h"
#include "src/core/notes.h"
#include "src/core/progress.h"
#include "src/core/stage.h"
#include "src/data/arrays.h"
#include "src/engine/layer_profile.h"
#include "src/engine/null_scores.h"
#include "src/engine/outcome.h"
#include "src/score/diagnostics.h"

namespace cortiscore {
namespace {

Json preprocessing_json(const Candidate& candidate, const Benchmark& benchmark) {
  if (!candidate.network) return nullptr;
  const auto& input = candidate.network->input();
  return {{"resize", "pillow_bilinear"},
          {"size", input.size},
          {"placement",
           {{"stimulus_degrees",
             benchmark.visual_degrees > 0 ? benchmark.visual_degrees : input.degrees},
            {"model_degrees", input.degrees}}},
          {"scale", "float32/255"},
          {"mean", input.mean},
          {"std", input.std}};
}

Json network_json(const Candidate& candidate) {
  if (!candidate.network) return nullptr;
  const auto depth = candidate.network->depth();
  return {{"parameters", candidate.network->n_parameters()},
          {"weight_layers", depth ? Json(*depth) : Json(nullptr)}};
}

// The bootstrap's distribution: networks that were scored with the same draws are compared draw by
// draw (src/ranking/scoreboard.h). The first thousand will do; they are the same whatever the
// number of draws.
void put_draws(Json& record, const Score& score, bool ceiled) {
  constexpr size_t kMostDraws = 1000;
  auto draws = ceiled ? score.ceiled_draws : score.raw.draws.values;
  draws.resize(std::min(draws.size(), kMostDraws));
  if (!draws.empty())
    record["draws"] = {{"of", ceiled ? "ceiled" : "raw"}, {"float32", packed(draws)}};
}

// A score a neuroid and split, of which the raw score is the mean over splits of the median over
// neuroids: for comparisons that exchange neuroids.
Json per_neuroid_json(const Score& score) {
  constexpr int64_t kMostNumbers = 8192;  // 44 kB in a record
  const auto& values = score.raw.per_neuroid;
  if (!values.defined() || values.dim() != 2 || values.numel() > kMostNumbers) return nullptr;
  const auto rows = values.to(at::kDouble).contiguous();
  const auto* const first = rows.const_data_ptr<double>();
  return {{"splits", rows.size(0)}, {"float32", packed({first, first + rows.numel()})}};
}

// What every record begins with, of a score and of a failure.
Json head_of(const Benchmark& benchmark,
             const std::string& identifier,
             const std::string& status,
             const std::string& key) {
  return {{"schema_version", 1},
          {"key", key},
          {"status", status},
          {"model_identifier", identifier},
          {"benchmark_identifier", benchmark.identifier},
          {"benchmark_version", benchmark.version},
          {"benchmark_sha256", benchmark.sha256},
          {"region", benchmark.region},
          {"parent", benchmark.parent},
          {"engine", {{"version", CORTISCORE_VERSION}, {"torch", CORTISCORE_TORCH}}}};
}

const Recordings& recordings_of(const Benchmark& benchmark, Workbench& workbench) {
  const Stage reading(StageName::kRecordings, benchmark.identifier);
  return benchmark.recordings(workbench);
}

}  // namespace

std::string record_key(const std::string& fingerprint,
                       const Benchmark& benchmark,
                       Workbench& workbench) {
  const auto& options = workbench.options();
  std::string text = fingerprint + "\n" + benchmark.sha256;
  for (const auto& sha256 : recordings_of(benchmark, workbench).data_sha256) text += " " + sha256;
  // Of the benchmark alone: what is committed to for other regions changes nothing of this record,
  // nor does how many layers would compete where one is committed to.
  const auto committed = committed_layer(options, benchmark);
  text += "\n" + options.convention.name() + " " +
          std::to_string(committed.empty() ? options.n_candidates : ScoreOptions().n_candidates) +
          (options.mode == TopVectorMode::kSklearn ? " sklearn" : " exact");
  text += "\n" + Json(options.bootstrap.level).dump() + " " +
          std::to_string(options.bootstrap.n_boot) + " " + std::to_string(options.bootstrap.seed);
  text += "\nlayer " + committed;
  const bool as_before =
      options.choice == LayerChoice::kHalves && options.from == CandidatesFrom::kAll;
  if (committed.empty() && !as_before &&
      benchmark.layer_rule().otherwise == LayerRule::Otherwise::kCompete)
    text += " " + name_of(options.choice) + " of " + name_of(options.from);
  if (benchmark.maps_neuroids() && options.over != ScoreOptions().over) {
    text += " over";
    for (const auto axis : options.over) text += " " + name_of(axis);
  }
  // Devices agree within rounding, not to the bit.
  if (!options.device.is_cpu()) text += "\n" + name_of(options.device);
  return sha256_of(text + "\n" + reading_version());
}

void plan_scores(const Candidate& candidate,
                 const Benchmarks& benchmarks,
                 Workbench& workbench,
                 Store* store,
                 bool again) {
  for (const auto& benchmark : benchmarks) {
    static_cast<void>(attempt([&] {
      check_commitment(*benchmark, workbench);
      const auto key = record_key(candidate.fingerprint, *benchmark, workbench);
      if (store && !again && store->find(key, candidate.identifier)) return;
      if (const auto request = score_request(candidate, *benchmark, workbench))
        announce(candidate, *request);
    }));
  }
}

PairResult score_pair(const Candidate& candidate,
                      const Benchmark& benchmark,
                      Workbench& workbench,
                      Store* store,
                      bool again,
                      const Json& tags) {
  check_commitment(benchmark, workbench);
  if (store && !again) {
    const auto key = record_key(candidate.fingerprint, benchmark, workbench);
    if (auto found = store->find(key, candidate.identifier)) {
      if (found->at("model_identifier") == candidate.identifier) return {std::move(*found), true};
      (*found)["model_identifier"] = candidate.identifier;
      found->erase("tags");
      if (!tags.empty()) (*found)["tags"] = tags;
      store->append(*found);
      return {std::move(*found), false};
    }
  }
  auto record = score_network(candidate, benchmark, workbench);
  if (!tags.empty()) record["tags"] = tags;
  if (store) store->append(record);
  return {std::move(record), false};
}

Json failure_record(const std::string& identifier,
                    const std::string& path,
                    const Candidate* candidate,
                    const Benchmark& benchmark,
                    const Failure& failure) {
  auto record = head_of(benchmark, identifier, "failed",
                        sha256_of("failed " + path + " " + benchmark.sha256));
  record.update({{"path", path},
                 {"error_type", failure.exit_code},
                 {"message", failure.message},
                 {"end", utc_now()}});
  if (candidate && candidate->network) {
    record["graph_sha256"] = candidate->network->graph_sha256();
    record["weights_sha256"] = candidate->network->weights_sha256();
    record["preprocessing"] = preprocessing_json(*candidate, benchmark);
  }
  return record;
}

Json score_network(const Candidate& candidate, const Benchmark& benchmark, Workbench& workbench) {
  const auto& options = workbench.options();
  const auto start = utc_now();
  const Timer total;
  const Timer load;
  const auto& recordings = recordings_of(benchmark, workbench);
  const double load_s = load.seconds();
  auto outcome = benchmark.score(candidate, workbench);
  if (outcome.layer_selection.is_null()) {
    outcome.layer_selection = layer_selection_json(candidate, benchmark, options, {outcome.layer});
  }
  const auto method = outcome.layer_selection.value("method", "");
  if (candidate.network && method != "committed" && method != "none") {
    if (auto left_out = left_out_layers(*candidate.network); !left_out.empty())
      outcome.warnings.push_back(std::move(left_out));
  }
  const auto& score = outcome.score;
  const auto& of_layers = outcome.warnings;
  auto warnings = recordings.warnings;
  for (const auto* more : {&of_layers, &score.warnings})
    warnings.insert(warnings.end(), more->begin(), more->end());
  if (auto warning = null_warning(outcome.null)) warnings.push_back(std::move(*warning));
  warnings = with_reason(std::move(warnings), score.raw.value);
  auto score_json = Json{
      {"raw", number(score.raw.value)},
      {"ceiling", number(score.ceiling.value)},
      {"ceiled", number(score.ceiled)},
      {"ceiling_convention", benchmark.ceiled ? Json(score.convention.name()) : Json(nullptr)}};
  const auto precision =
      candidate.network ? candidate.network->precision() : ForwardPrecision::kFloat32;
  auto timing = timing_json(outcome.times);
  timing["open"] = 1e3 * candidate.open_s;
  timing["load"] = 1e3 * load_s;
  timing["fit"] = 1e3 * outcome.fit_s;
  timing["null"] = 1e3 * outcome.null_s;
  timing["total"] = 1e3 * total.seconds();
  auto record = head_of(benchmark, candidate.identifier, "ok",
                        record_key(candidate.fingerprint, benchmark, workbench));
  record.update({{"graph_sha256",
                  candidate.network ? Json(candidate.network->graph_sha256()) : Json(nullptr)},
                 {"weights_sha256",
                  candidate.network ? candidate.network->weights_sha256() : candidate.sha256},
                 {"data_sha256", recordings.data_sha256},
                 {"composite", benchmark.composite},
                 {"metric", {{"name", benchmark.metric}, {"params", outcome.params}}},
                 {"layer", outcome.layer},
                 {"layer_selection", outcome.layer_selection},
                 {"preprocessing", preprocessing_json(candidate, benchmark)},
                 {"network", network_json(candidate)},
                 {"score", score_json},
                 {"raw", estimate_json(score.raw, "score")},
                 {"ceiling", estimate_json(score.ceiling, "ceiling")},
                 {"error",
                  {{"sem", number(score.raw.error)},
                   {"ceiled", number(score.ceiled_error)},
                   {"ci_lo", number(score.ceiled_ci_lo)},
                   {"ci_hi", number(score.ceiled_ci_hi)},
                   {"level", options.bootstrap.level},
                   {"method", "percentile bootstrap over " + outcome.resampled},
                   {"n_boot", options.bootstrap.n_boot},
                   {"seed", options.bootstrap.seed}}},
                 {"split_scores", numbers(score.raw.split_values)},
                 {"split_ceilings", numbers(score.ceiling.split_values)},
                 {"populations", outcome.populations},
                 {"n", outcome.n},
                 {"precision",
                  {{"activations", name_of(precision)},
                   {"metric", "float64"},
                   {"tf32", precision == ForwardPrecision::kTf32}}},
                 {"device", {{"name", name_of(options.device)}}},
                 {"warnings", warnings},
                 {"timing_ms", std::move(timing)},
                 {"peak_bytes", peak_bytes_json(outcome.times)},
                 {"start", start},
                 {"end", utc_now()}});
  if (!candidate.network) record["notes"] = notes_about(candidate.path);
  put_draws(record, score, benchmark.ceiled);
  if (!outcome.null.is_null()) record["null"] = outcome.null;
  if (outcome.per_neuroid) record["per_neuroid"] = per_neuroid_json(score);
  const char* job = std::getenv("SLURM_JOB_ID");
  if (job) {
    const char* restarts = std::getenv("SLURM_RESTART_COUNT");
    record["run"] = {{"slurm_job_id", job}, {"slurm_restart_count", restarts ? restarts : "0"}};
  }
  return record;
}

}  // namespace cortiscore
