#include "src/metric/choice_patterns.h"

#include <limits>

#include <ATen/ATen.h>

#include "cortiscore/error.h"

namespace cortiscore {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

const std::vector<std::pair<std::string, PatternName>> kPatterns = {
    {"i1", {false, true, false}},  {"i1n", {false, true, true}}, {"i2", {false, false, false}},
    {"i2n", {false, false, true}}, {"o1", {true, true, false}},  {"o2", {true, false, false}},
};

// Mean over the images of each object, NaN skipped: [n_objects, c].
at::Tensor mean_by_object(const at::Tensor& values, const at::Tensor& truth, int64_t n_objects) {
  const auto there = values.isnan().logical_not();
  const auto member = at::one_hot(truth, n_objects).to(at::kDouble).t();  // [objects, images]
  return at::mm(member, at::nan_to_num(values)) / at::mm(member, there.to(at::kDouble));
}

at::Tensor own_object_is_nan(const at::Tensor& p, const at::Tensor& truth) {
  return at::where(at::one_hot(truth, p.size(1)).to(at::kBool), kNaN, p);
}

at::Tensor z(const at::Tensor& p) {
  return at::special_ndtri(p);
}

}  // namespace

bool is_pattern_name(const std::string& name) {
  return std::any_of(kPatterns.begin(), kPatterns.end(),
                     [&](const auto& entry) { return entry.first == name; });
}

PatternName pattern_name(const std::string& name) {
  std::vector<std::string> names;
  for (const auto& [key, pattern] : kPatterns) {
    if (key == name) return pattern;
    names.push_back(key);
  }
  throw unknown_name("metric", name, "this version", names);
}

at::Tensor confusion_of_probabilities(const at::Tensor& probabilities, const at::Tensor& truth) {
  const auto own = probabilities.gather(1, truth.unsqueeze(1));
  return own_object_is_nan(probabilities / (probabilities + own), truth);
}

at::Tensor confusion_of_trials(const TwoWayTrials& trials,
                               const at::Tensor& rows,
                               const at::Tensor& truth,
                               int64_t n_objects) {
  const int64_t cells = truth.size(0) * n_objects;
  const auto stimulus = trials.stimulus.index_select(0, rows) * n_objects;
  const auto count = [&](const at::Tensor& object) {
    return at::bincount(stimulus + object.index_select(0, rows), {}, cells).to(at::kDouble);
  };
  const auto offered = count(trials.sample) + count(trials.distractor);
  const auto p = at::where(offered > 0, count(trials.choice) / offered, kNaN);
  return own_object_is_nan(p.reshape({truth.size(0), n_objects}), truth);
}

at::Tensor confusion_pattern(const at::Tensor& confusion,
                             const at::Tensor& truth,
                             PatternName name) {
  const int64_t n_objects = confusion.size(1);
  const auto by_object = mean_by_object(confusion, truth, n_objects);  // [objects, objects]
  at::Tensor d;
  if (name.by_object) {
    d = z(1 - by_object) - z(by_object.t());
  } else {
    d = z(1 - confusion) - z(by_object.index_select(1, truth).t());
  }
  d = d.clamp(-5, 5);  // infinities become 5; NaN (never offered, or infinity less infinity) stays
  if (name.normalised) d = d - mean_by_object(d, truth, n_objects).index_select(0, truth);
  return name.one_a_row ? d.nanmean(1) : d;
}

}  // namespace cortiscore
