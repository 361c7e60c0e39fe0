#include "src/profile/profile.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <tuple>

#include <ATen/Version.h>

#include "src/core/device.h"
#include "src/core/formatted.h"
#include "src/core/host.h"
#include "src/core/parallel.h"
#include "src/core/progress.h"
#include "src/core/stop.h"
#include "src/engine/attempt.h"
#include "src/profile/changes.h"
#include "src/profile/device_watch.h"
#include "src/profile/load_watch.h"
#include "src/profile/machine.h"
#include "src/profile/operator_counts.h"
#include "src/profile/stage_times.h"
#include "src/results/store.h"

namespace cortiscore {
namespace {

// What VALID asks for, as shares of the wall time.
constexpr double kSpreadMost = 0.05, kClockMost = 0.03, kUncountedMost = 0.03;
constexpr double kWanted = 0.02;         // half of the interval, before another pair is run
constexpr double kAsPredicted = 0.25;    // of the predicted gain
constexpr size_t kTimelineSpans = 3000;  // what a page can draw

double quantile(std::vector<double> values, double q) {
  std::sort(values.begin(), values.end());
  const double place = q * static_cast<double>(values.size() - 1);
  const auto below = static_cast<size_t>(place);
  const auto above = std::min(below + 1, values.size() - 1);
  return values[below] + (place - static_cast<double>(below)) * (values[above] - values[below]);
}

double median(const std::vector<double>& values) {
  return quantile(values, 0.5);
}

// Student's t, two-sided 95 %, by degrees of freedom.
double t_95(size_t freedom) {
  constexpr std::array<double, 15> kT = {12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306,
                                         2.262,  2.228, 2.201, 2.179, 2.160, 2.145, 2.131};
  return freedom == 0 ? INFINITY : kT[std::min(freedom, kT.size()) - 1];
}

// Half of the 95 % interval of the mean.
double half_interval(const std::vector<double>& values) {
  if (values.size() < 2) return INFINITY;
  double mean = 0, squares = 0;
  for (const auto v : values) mean += v / static_cast<double>(values.size());
  for (const auto v : values) squares += (v - mean) * (v - mean);
  const auto n = static_cast<double>(values.size());
  return t_95(values.size() - 1) * std::sqrt(squares / (n - 1) / n);
}

std::string percent(double share) {
  return formatted("%.1f %%", 100 * share);
}

// The precision of a stage's products: the forward pass has the job's, mathematics float64.
std::string precision_of(StageName stage, const ScoringJob& job) {
  if (stage != StageName::kForward) return "float64";
  switch (job.options.load.precision) {
    case ForwardPrecision::kTf32:
      return "tf32";
    case ForwardPrecision::kBf16:
      return "bfloat16";
    case ForwardPrecision::kFp16:
      return "float16";
    case ForwardPrecision::kFloat32:
      break;
  }
  return "float32";
}

// Seconds of runs, and work of the run that counted, as a row of the profile.
Json row_of(const std::vector<double>& seconds,
            double all_seconds,
            const Work& work,
            double peak_flops,
            double peak_bytes) {
  const double s = median(seconds);
  const auto rate = [&](double amount) {
    return amount > 0 && s > 0 ? Json(amount / s) : Json(nullptr);
  };
  const double compute = peak_flops > 0 ? work.flops / peak_flops : 0,
               memory = work.bytes / peak_bytes;
  // Operations whose peak was not measured bound nothing that is known.
  const bool known = peak_flops > 0 || work.flops == 0;
  const double least = known ? std::max(compute, memory) : 0;
  return {{"seconds", s},
          {"share", all_seconds > 0 ? s / all_seconds : 0},
          {"spread", (quantile(seconds, 0.75) - quantile(seconds, 0.25)) / 2},
          {"flops", work.flops > 0 ? Json(work.flops) : Json(nullptr)},
          {"bytes", work.bytes > 0 ? Json(work.bytes) : Json(nullptr)},
          {"operators", work.operators},
          {"flops_s", rate(work.flops)},
          {"bytes_s", rate(work.bytes)},
          {"of_peak", least > 0 && s > 0 ? Json(least / s) : Json(nullptr)},
          {"bound", least > 0 ? Json(compute > memory ? "compute" : "memory") : Json(nullptr)}};
}

Json timeline_of(std::vector<StageSpan> spans) {
  std::erase_if(spans, [](const StageSpan& span) { return span.stage == StageName::kOther; });
  if (spans.size() > kTimelineSpans) {
    std::nth_element(spans.begin(), spans.begin() + kTimelineSpans, spans.end(),
                     [](const StageSpan& a, const StageSpan& b) {
                       return a.end_ns - a.begin_ns > b.end_ns - b.begin_ns;
                     });
    spans.resize(kTimelineSpans);
  }
  std::sort(spans.begin(), spans.end(), [](const StageSpan& a, const StageSpan& b) {
    return std::tie(a.thread, a.begin_ns, a.depth) < std::tie(b.thread, b.begin_ns, b.depth);
  });
  Json rows = Json::array();
  const auto at_us = [](int64_t ns) { return std::round(static_cast<double>(ns) * 1e-3) * 1e-6; };
  for (const auto& span : spans)
    rows.push_back(
        {span.thread, name_of(span.stage), span.detail, at_us(span.begin_ns), at_us(span.end_ns)});
  return rows;
}

// Runs of one job: all that is measured of it.
class Measured {
 public:
  Measured(const ProfileOptions& options, const MachineLimits& limits)
      : options_(options), limits_(limits) {}

  void run() {
    warm_up();
    const Timer since;
    for (int64_t pair = 0; pair < options_.most_pairs; ++pair) {
      if (pair >= options_.least_pairs && (half_interval(plain_) < kWanted * median(plain_) ||
                                           since.seconds() > 60 * options_.minutes))
        break;
      check_stop();
      // Which goes first changes, so that neither has the quieter half of a drift.
      for (const bool first : {true, false}) {
        if (first == (pair % 2 == 0))
          run_with_clock();
        else
          run_plain();
      }
      log_line("run " + std::to_string(pair + 1) + ": " + std::to_string(plain_.back()) +
               " s, with the clock of stages " + std::to_string(profiled_.back()) + " s");
    }
    const auto twice = run_job(options_.job, /*twice=*/true);
    next_s_ = twice.next_s;
    compare(twice.records);
  }

  void warm_up() {
    StageLog log(settle());
    const OperatorCounts counts;
    const auto run = run_job(options_.job);
    work_ = counts.work();
    records_ = run.records;
    presentations_ = run.presentations;
    repetition("warm-up", run.wall_s);
  }

  void run_with_clock() {
    StageLog log(settle());
    const auto run = run_job(options_.job);
    spans_ = log.spans();
    add_seconds(stage_seconds(spans_));
    profiled_.push_back(run.wall_s);
    repetition("profiled", run.wall_s);
    compare(run.records);
  }

  void run_plain() {
    const auto run = run_job(options_.job);
    plain_.push_back(run.wall_s);
    peak_bytes_ = std::max(peak_bytes_, run.peak_bytes);
    plain_records_ = run.records;
    repetition("plain", run.wall_s);
    compare(run.records);
  }

  double plain_s() const { return median(plain_); }
  double profiled_s() const { return median(profiled_); }
  const std::vector<double>& plain() const { return plain_; }
  const std::vector<Json>& records() const { return plain_records_; }
  const std::vector<StageSpan>& spans() const { return spans_; }
  double next_s() const { return next_s_; }
  int64_t presentations() const { return presentations_; }

  Found found() const {
    Found found;
    found.wall_s = plain_s();
    for (const auto& [what, seconds] : seconds_) found.seconds[what] = median(seconds);
    found.records = plain_records_;
    found.limits = limits_;
    found.threads = thread_count();
    return found;
  }

  // Of every run the sum over its stages, and of those the median.
  double stages_sum() const {
    std::vector<double> sums(profiled_.size());
    for (const auto& [stage, seconds] : of_stages()) {
      for (size_t i = 0; i < sums.size(); ++i) sums[i] += seconds[i];
    }
    return median(sums);
  }
  // The median of every stage, added up, which shares are of: runs differ in different stages, so
  // it is not quite the other.
  double sum_of_medians() const {
    double sum = 0;
    for (const auto& [stage, seconds] : of_stages()) sum += median(seconds);
    return sum;
  }
  double other_s() const {
    double sum = 0;
    for (const auto& [what, seconds] : seconds_)
      sum += what.first == StageName::kOther ? median(seconds) : 0;
    return sum;
  }

  Json stages() const {
    const auto seconds = of_stages();
    std::map<StageName, Work> work;
    for (const auto& [what, of_detail] : work_) work[what.first].add(of_detail);
    Json rows = Json::array();
    for (const auto& [stage, of_stage] : seconds) {
      auto row = row_of(of_stage, sum_of_medians(), work[stage], peak_flops(stage),
                        limits_.memory_bytes_s);
      row["stage"] = name_of(stage);
      const bool of_images =
          stage == StageName::kDecode || stage == StageName::kPlace || stage == StageName::kForward;
      const double s = row.at("seconds");
      row["images_s"] =
          of_images && s > 0 ? Json(static_cast<double>(presentations_) / s) : Json(nullptr);
      rows.push_back(std::move(row));
    }
    return rows;
  }

  Json forward() const {
    Json rows = Json::array();
    std::map<std::string, int64_t> first;  // when a group first ran
    for (const auto& span : spans_) {
      if (span.stage != StageName::kForward) continue;
      const auto [found, fresh] = first.try_emplace(span.detail, span.begin_ns);
      if (!fresh) found->second = std::min(found->second, span.begin_ns);
    }
    std::vector<std::pair<int64_t, std::string>> order;
    for (const auto& [group, at] : first) order.emplace_back(at, group);
    std::sort(order.begin(), order.end());
    for (const auto& [at, group] : order) {
      const std::pair<StageName, std::string> what{StageName::kForward, group};
      const auto work = work_.find(what);
      const auto of_what = seconds_.find(what);
      auto row = row_of(
          of_what == seconds_.end() ? std::vector<double>(profiled_.size()) : of_what->second,
          sum_of_medians(), work == work_.end() ? Work() : work->second,
          peak_flops(StageName::kForward), limits_.memory_bytes_s);
      row["group"] = group.empty() ? "the network" : group;
      rows.push_back(std::move(row));
    }
    return rows;
  }

  Json scores() const {
    Json rows = Json::array();
    for (size_t i = 0; i < plain_records_.size(); ++i) {
      const auto& record = plain_records_[i];
      rows.push_back({{"benchmark", record.at("benchmark_identifier")},
                      {"layer", record.at("layer")},
                      {"raw", record.at("score").at("raw")},
                      {"ceiled", record.at("score").at("ceiled")},
                      {"equal", unequal_.count(i) == 0}});
    }
    return rows;
  }
  bool equal() const { return unequal_.empty(); }

  Json memory() const {
    Json sums = {{"planned_bytes", 0}, {"stimulus_bytes", 0}, {"spilled_bytes", 0}};
    int64_t before = 0;
    for (const auto& record : plain_records_) {
      const auto& peak = record.at("peak_bytes");
      const auto most = [&](const char* name, const char* key) {
        sums[name] = std::max(sums[name].get<int64_t>(), peak.value(key, int64_t{0}));
      };
      most("planned_bytes", "planned");
      most("stimulus_bytes", "stimuli");
      most("spilled_bytes", "spilled");
      before = std::max(before, peak.value("process", int64_t{0}));
    }
    sums["host_peak_bytes"] = peak_bytes_;
    sums["host_before_bytes"] = before;
    sums["device_peak_bytes"] = nullptr;
    return sums;
  }

  int64_t forward_passes() const {
    int64_t passes = 0;
    for (const auto& record : plain_records_)
      passes += record.at("timing_ms").value("forward_passes", int64_t{0});
    return passes;
  }

  const Json& repetitions() const { return repetitions_; }

 private:
  // Seconds of every run, over details.
  std::map<StageName, std::vector<double>> of_stages() const {
    std::map<StageName, std::vector<double>> seconds;
    for (const auto& [what, of_detail] : seconds_) {
      auto& all = seconds[what.first];
      all.resize(profiled_.size());
      for (size_t i = 0; i < of_detail.size(); ++i) all[i] += of_detail[i];
    }
    return seconds;
  }

  std::function<void()> settle() const {
    const auto device = options_.job.options.device;
    if (device.is_cpu()) return {};
    return [device] { synchronize(device); };
  }

  double peak_flops(StageName stage) const {
    return limits_.flops_s.value(precision_of(stage, options_.job), 0.0);
  }

  void repetition(const char* kind, double wall_s) {
    repetitions_.push_back({{"kind", kind}, {"wall_s", wall_s}});
  }

  // Of one run: what it lacks, or alone has, was nothing in the others.
  void add_seconds(const StageSeconds& of_run) {
    for (const auto& [what, seconds] : of_run) seconds_[what].resize(profiled_.size());
    for (auto& [what, seconds] : seconds_) {
      const auto found = of_run.find(what);
      seconds.push_back(found == of_run.end() ? 0 : found->second);
    }
  }

  void compare(const std::vector<Json>& records) {
    for (size_t i = 0; i < records.size(); ++i) {
      if (reproducible(records[i]) != reproducible(records_[i])) unequal_.insert(i);
    }
  }

  const ProfileOptions& options_;
  const MachineLimits& limits_;
  StageWork work_;
  std::map<std::pair<StageName, std::string>, std::vector<double>> seconds_;  // a profiled run
  std::vector<double> plain_, profiled_;
  std::vector<Json> records_, plain_records_;
  std::set<size_t> unequal_;
  std::vector<StageSpan> spans_;
  Json repetitions_ = Json::array();
  double next_s_ = 0;
  int64_t peak_bytes_ = 0, presentations_ = 0;
};

// Runs the changed job and the job as it is by turns.
Json try_it(const Change& change, const ProfileOptions& options) {
  log_line("trying " + change.flags);
  std::vector<double> now, then;
  for (int turn = 0; turn < 3; ++turn) {
    check_stop();
    now.push_back(run_job(options.job).wall_s);
    {
      const ThreadsHere many(change.threads);
      then.push_back(run_job(change.job).wall_s);
    }
  }
  const double gain = 1 - median(then) / median(now);
  return {{"measured_s", median(then)}, {"measured_gain", gain}};
}

Json changes_json(const std::vector<Change>& changes,
                  const Found& found,
                  const ProfileOptions& options,
                  std::vector<std::string>& notes) {
  Json rows = Json::array();
  for (const auto& change : changes) {
    const double predicted = 1 - change.predicted_s / found.wall_s;
    Json tried = nullptr;
    if (options.try_change && rows.empty()) {
      // What is measured is not lost where the change cannot be made.
      if (const auto failure = attempt([&] { tried = try_it(change, options); })) {
        notes.push_back(change.flags + " was tried, and failed: " + failure->message);
      } else {
        const double gain = tried["measured_gain"];
        tried["as_predicted"] = std::abs(gain - predicted) <= kAsPredicted * predicted;
      }
    }
    rows.push_back({{"change", change.name},
                    {"flags", change.flags},
                    {"why", change.why},
                    {"predicted_s", change.predicted_s},
                    {"predicted_gain", predicted},
                    {"tried", tried}});
  }
  return rows;
}

}  // namespace

Profile profile_job(const ProfileOptions& options) {
  const auto start = utc_now();
  const auto& job = options.job;
  std::vector<std::string> reasons;
  auto machine = machine_json(job.options.device, options.measure_limits, reasons);
  const auto limits = MachineLimits::of(machine.at("limits"));
  Measured measured(options, limits);
  const LoadWatch watch;
  const DeviceWatch device_watch(job.options.device);
  measured.run();
  for (auto& reason : watch.reasons()) reasons.push_back(std::move(reason));
  const auto device = device_watch.json();
  if (device.is_object() && device.at("throttled") == true)
    reasons.push_back(
        "The device slowed itself down, by heat or by a limit of power: let it cool.");
  const auto found = measured.found();
  const double wall = measured.plain_s(), half = half_interval(measured.plain());
  const auto pairs = static_cast<int64_t>(measured.plain().size());
  if (pairs < 3) {
    reasons.push_back("Too few samples: " + std::to_string(pairs) +
                      " runs, and 3 are needed: raise --repetitions.");
  } else if (half > kSpreadMost * wall) {
    reasons.push_back("Runs differ too much: the time is known to " + percent(half / wall) +
                      ", and 5 % are needed: raise --repetitions, and end what else runs.");
  }
  if (measured.profiled_s() > (1 + kClockMost) * wall + half) {
    reasons.push_back("The clock of stages slowed the job by " +
                      percent(measured.profiled_s() / wall - 1) +
                      ": its stages are not those of the job by itself.");
  }
  const double uncounted = std::abs(measured.stages_sum() / measured.profiled_s() - 1);
  if (uncounted > kUncountedMost) {
    reasons.push_back("Stages add up to " + percent(measured.stages_sum() / measured.profiled_s()) +
                      " of the wall time, and 97 % to 103 % are needed.");
  }
  if (!measured.equal())
    reasons.push_back(
        "Scores with and without the clock of stages differ: a defect, please report it.");
  Json notes = Json::array();
  if (const double other = measured.other_s(); other > kUncountedMost * measured.stages_sum())
    notes.push_back(percent(other / measured.stages_sum()) + " of the time is in no named stage.");
  notes.push_back(
      "Files are read from the system's cache, as in every run but the first of a day.");
  if (!job.options.device.is_cpu())
    notes.push_back(
        "The clock of stages waits for the device at their borders, so that nothing overlaps.");
  Json benchmarks = Json::array(), layers = job.options.layers;
  for (const auto& benchmark : job.benchmarks)
    benchmarks.push_back({{"identifier", benchmark->identifier}, {"sha256", benchmark->sha256}});
  const auto& records = measured.records();
  Json sweep = {
      {"first_s", wall},
      {"next_s", measured.next_s()},
      {"checkpoints_h", 3600 / measured.next_s()},
      {"energy_j_checkpoint", device.is_null() || device.at("power_w").is_null()
                                  ? Json(nullptr)
                                  : Json(device.at("power_w").get<double>() * measured.next_s())},
      {"of", nullptr}};
  if (options.checkpoints > 0) {
    const double seconds = wall + static_cast<double>(options.checkpoints - 1) * measured.next_s();
    sweep["of"] = {{"checkpoints", options.checkpoints}, {"hours", seconds / 3600}};
  }
  const double all_images = static_cast<double>(measured.presentations());
  Profile profile;
  profile.spans = measured.spans();
  profile.json = {{"schema_version", 1},
                  {"kind", "profile"},
                  {"job",
                   {{"key", job_key(job, records)},
                    {"network", records.front().at("model_identifier")},
                    {"fingerprint", records.front().at("weights_sha256")},
                    {"precision", records.front().at("precision").at("activations")},
                    {"device", name_of(job.options.device)},
                    {"threads", thread_count()},
                    {"memory_gib", job.options.memory_gib},
                    {"n_boot", job.options.bootstrap.n_boot},
                    {"candidates", job.options.n_candidates},
                    {"layers", layers},
                    {"benchmarks", benchmarks},
                    {"presentations", measured.presentations()},
                    {"forward_passes", measured.forward_passes()}}},
                  {"repetitions", measured.repetitions()},
                  {"wall_s",
                   {{"profiled", measured.profiled_s()},
                    {"plain", wall},
                    {"ci_lo", wall - half},
                    {"ci_hi", wall + half},
                    {"stages_sum", measured.stages_sum()}}},
                  {"images_s", all_images / wall},
                  {"stages", measured.stages()},
                  {"forward", measured.forward()},
                  {"memory", measured.memory()},
                  {"device", device},
                  {"sweep", sweep},
                  {"scores", measured.scores()},
                  {"timeline", timeline_of(measured.spans())},
                  {"engine", {{"version", CORTISCORE_VERSION}, {"torch", CORTISCORE_TORCH}}},
                  {"command", options.command}};
  std::vector<std::string> of_changes;
  profile.json["changes"] =
      changes_json(changes_for(job, found, of_changes), found, options, of_changes);
  for (auto& note : of_changes) notes.push_back(std::move(note));
  profile.json["machine"] = std::move(machine);
  profile.json["verdict"] = {{"valid", reasons.empty()}, {"reasons", reasons}, {"notes", notes}};
  profile.json["start"] = start;
  profile.json["end"] = utc_now();
  return profile;
}

Json trace_json(const std::vector<StageSpan>& spans) {
  Json events = Json::array();
  for (const auto& span : spans) {
    Json event = {{"name", name_of(span.stage)},
                  {"cat", "stage"},
                  {"ph", "X"},
                  {"ts", static_cast<double>(span.begin_ns) * 1e-3},
                  {"dur", static_cast<double>(span.end_ns - span.begin_ns) * 1e-3},
                  {"pid", 1},
                  {"tid", span.thread}};
    if (!span.detail.empty()) event["args"] = {{"detail", span.detail}};
    events.push_back(std::move(event));
  }
  return {{"traceEvents", events}, {"displayTimeUnit", "ms"}};
}

}  // namespace cortiscore
