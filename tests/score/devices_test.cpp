// Every metric on arrays, every ceiling, every resampling and the readouts, on each device: the
// CPU's numbers, and the same bits when run again, on one thread or two, and on any stream.
#include "tests/support/devices.h"

#include <cmath>
#include <functional>
#include <map>

#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include "src/ceiling/internal_consistency.h"
#include "src/ceiling/rsa.h"
#include "src/ceiling/split_half_predictor.h"
#include "src/core/parallel.h"
#include "src/linalg/span.h"
#include "src/mapping/logistic.h"
#include "src/metric/factor_terms.h"
#include "src/metric/predictivity.h"
#include "src/metric/property.h"
#include "src/metric/responsive_units.h"
#include "src/metric/tuning.h"
#include "src/score/behavior.h"
#include "src/score/cells.h"
#include "src/score/choices.h"
#include "src/score/domain_score.h"
#include "src/score/drawn.h"
#include "src/score/evaluate.h"
#include "src/score/property_score.h"
#include "src/score/rdm_null.h"
#include "src/score/solution_time_score.h"

namespace cortiscore {
namespace {

using OnOne = std::function<std::vector<at::Tensor>(const at::Device&)>;

class Devices : public test::OnDevice {
 protected:
  void SetUp() override {
    test::OnDevice::SetUp();
    threads_ = thread_count();
  }
  void TearDown() override { set_thread_count(threads_); }

  // The CPU's numbers within `bound`; equal bits when run again, with other threads and on other
  // streams.
  void check(const OnOne& run, double bound = 1e-9) const {
    const auto expected = on_cpu(run, at::kCPU);
    const auto first = on_cpu(run, device());
    ASSERT_EQ(first.size(), expected.size());
    for (size_t i = 0; i < first.size(); ++i) {
      ASSERT_EQ(first[i].sizes(), expected[i].sizes());
      ASSERT_TRUE(at::equal(first[i].isnan(), expected[i].isnan())) << first[i] << expected[i];
      ASSERT_TRUE(expected[i].isfinite().any().item<bool>()) << "nothing to compare";
      EXPECT_LE(test::max_difference(at::nan_to_num(first[i]), at::nan_to_num(expected[i])), bound);
    }
    const bool emulated = !device().is_cpu() && !device().is_cuda();  // a run takes seconds there
    for (const int64_t threads : {1, 2}) {
      if (emulated && threads == 1) continue;
      set_thread_count(threads);
      expect_bits(first, on_cpu(run, device()));
    }
    if (!device().is_cuda()) return;
    const c10::impl::VirtualGuardImpl streams(at::kCUDA);
    for (int i = 0; i < 2; ++i) {
      const auto stream = streams.getStreamFromGlobalPool(at::Device(at::kCUDA, 0));
      const c10::StreamGuard guard(stream);
      expect_bits(first, on_cpu(run, device()));
    }
  }

 private:
  int64_t threads_ = 1;

  static std::vector<at::Tensor> on_cpu(const OnOne& run, const at::Device& device) {
    auto values = run(device);
    for (auto& value : values) value = value.cpu().to(at::kDouble);
    return values;
  }
  static void expect_bits(const std::vector<at::Tensor>& a, const std::vector<at::Tensor>& b) {
    for (size_t i = 0; i < a.size(); ++i)
      EXPECT_TRUE(at::equal(at::nan_to_num(a[i], 7), at::nan_to_num(b[i], 7))) << "result " << i;
  }
};

at::Tensor normal(at::IntArrayRef shape, uint64_t seed) {
  at::manual_seed(seed);
  return at::randn(shape, at::kDouble);
}

Draws draws_over(const std::map<Axis, int64_t>& axes, const at::TensorOptions& on) {
  Draws draws;
  draws.n = 20;
  for (const auto& [axis, size] : axes)
    draws.counts[axis] = bootstrap_counts(0, axis, 0, draws.n, size, on);
  return draws;
}

MetricInputs inputs_for(const MetricName& name, int64_t n, int64_t p, int64_t m) {
  const bool bins = name.prefix == "spantime";
  MetricInputs inputs;
  inputs.source = normal({n, p, 3}, 1);
  inputs.target =
      at::einsum("npt,pm->nmt", {inputs.source, normal({p, m}, 2)}) + 8 * normal({n, m, 3}, 3);
  inputs.target.select(1, 1).fill_(2);  // a constant neuroid
  if (!bins) {
    inputs.source = inputs.source.select(2, 0).contiguous();
    inputs.target = inputs.target.select(2, 0).contiguous();
  }
  if (name.maps || name.cv) inputs.splits = shuffle_splits(n, 4, name.maps ? 0.9 : 0.1, 1);
  inputs.mapping.keep_predictions = !bins;
  inputs.mapping.pls.n_components = 8;
  return inputs;
}

std::vector<at::Tensor> run_metric(const MetricName& name,
                                   const MetricInputs& given,
                                   const at::Device& device) {
  auto inputs = given;
  inputs.source = inputs.source.to(device);
  inputs.target = inputs.target.to(device);
  const auto e = evaluate(name, inputs);
  std::vector<at::Tensor> out = {e.estimate.per_neuroid};
  if (e.draws) out.push_back(e.draws(draws_over(e.axes, inputs.target.options())));
  return out;
}

TEST_P(Devices, EveryMetricOnArrays) {
  for (const auto& full : array_metric_names()) {
    SCOPED_TRACE(full);
    const auto name = metric_name(full);
    // Tall, wide, and more targets than presentations. A source of correlations wants as many
    // columns as the target.
    for (const auto& [p, m] : {std::pair<int64_t, int64_t>(30, 12), {150, 12}, {30, 90}}) {
      const auto inputs = inputs_for(name, 60, name.base == "pearsonr" ? m : p, m);
      check([&](const at::Device& device) { return run_metric(name, inputs, device); });
    }
  }
}

TEST_P(Devices, EveryComparisonOfRdms) {
  for (const auto* distance : {"correlation", "cosine", "euclidean"}) {
    for (const auto* comparison : {"spearman", "pearson", "cosine", "tau-a", "rho-a"}) {
      SCOPED_TRACE(std::string(distance) + " " + comparison);
      const auto name = metric_name("rdm");
      auto inputs = inputs_for(name, 40, 25, 10);
      inputs.distance = rdm_distance(distance);
      inputs.comparison = rdm_comparison(comparison);
      check([&](const at::Device& device) { return run_metric(name, inputs, device); });
    }
  }
}

TEST_P(Devices, Ceilings) {
  const auto complete = normal({1, 50, 9}, 4) + normal({7, 50, 9}, 5);
  const auto missing = at::where(normal({7, 50, 9}, 6) > 1.2, NAN, complete);
  const auto triangles = normal({1, 300}, 7) + normal({5, 300}, 8);
  check([&](const at::Device& device) -> std::vector<at::Tensor> {
    InternalConsistencyOptions options;
    const auto draws =
        draws_over({{Axis::kNeuroid, 9}, {Axis::kPresentation, 50}}, complete.to(device).options());
    std::vector<at::Tensor> out = {internal_consistency(missing.to(device), options),
                                   internal_consistency_draws(missing.to(device), options, draws)};
    options.complete = true;
    out.push_back(internal_consistency(complete.to(device), options));
    out.push_back(split_half_predictor(missing.to(device), missing.isfinite().any(2)));
    for (const auto comparison : {RdmComparison::kSpearman, RdmComparison::kPearson}) {
      const auto bounds = rsa_bounds(triangles.to(device), comparison);
      out.insert(out.end(), {bounds.upper, bounds.lower});
    }
    return out;
  });
}

TEST_P(Devices, IntervalsOverNeuroidsAndPresentations) {
  const auto trials = at::where(normal({4, 40, 9}, 12) > 2, NAN, normal({4, 40, 9}, 13));
  const auto shown = trials.isfinite().any(2);
  check([&](const at::Device& device) -> std::vector<at::Tensor> {
    const auto here = trials.to(device);
    const PerDraw first = [&](const Draws& draws) {
      return internal_consistency_per_draw(here, {3, 1}, draws);
    };
    const PerDraw second = [&](const Draws& draws) {
      return split_half_predictor_per_draw(here, shown, 3, 0, draws);
    };
    std::vector<at::Tensor> out;
    for (const auto& over : {std::set<Axis>{Axis::kPresentation},
                             std::set<Axis>{Axis::kNeuroid, Axis::kPresentation}}) {
      auto estimate =
          pool_neuroids({aggregate(first({}).squeeze(0)), aggregate(second({}).squeeze(0))});
      bootstrap_over(estimate, {over, 40, 7}, {first, second}, {100}, device);
      out.push_back(at::tensor(estimate.draws.values));
      out.push_back(at::tensor({estimate.ci_lo, estimate.ci_hi}));
    }
    return out;
  });
}

TEST_P(Devices, NullsOfRdms) {
  const auto patterns = normal({3, 30, 12}, 14);
  for (const auto comparison : {RdmComparison::kSpearman, RdmComparison::kPearson,
                                RdmComparison::kCosine, RdmComparison::kCka}) {
    check([&](const at::Device& device) -> std::vector<at::Tensor> {
      std::vector<at::Tensor> layers;
      const bool products = comparison == RdmComparison::kCka;
      const auto distance = products ? RdmDistance::kInnerProduct : RdmDistance::kCorrelation;
      for (const auto& one : patterns.unbind(0)) layers.push_back(rdm(one.to(device), distance));
      const SubjectRdms subjects = {compared_pairs(at::stack(layers), comparison), 30, comparison};
      layers[1] = layers[1].clone();
      layers[1].select(0, 3).fill_(NAN);  // a constant pattern
      layers[1].select(1, 3).fill_(NAN);
      const auto orders = similarities_of_orders(layers, subjects, 20);
      return {orders, at::tensor(null_of_choice(orders))};
    });
  }
}

TEST_P(Devices, Choices) {
  const auto network = normal({80}, 9) > -0.5;
  SubjectChoices subjects;
  subjects.correct = normal({4, 80}, 10) + network * 1.0 > 0;
  subjects.there = normal({4, 80}, 11) > -1;
  subjects.condition = at::arange(80).remainder(2);
  subjects.n_conditions = 2;
  for (const auto metric : {ChoiceMetric::kErrorConsistency, ChoiceMetric::kAccuracyDistance}) {
    check([&](const at::Device& device) -> std::vector<at::Tensor> {
      auto on = subjects;
      for (auto* part : {&on.correct, &on.there, &on.condition}) *part = part->to(device);
      std::vector<at::Tensor> out;
      for (const auto& e : {evaluate_choices(metric, network.to(device), on),
                            evaluate_choice_ceiling(metric, on)}) {
        out.push_back(at::tensor({e.estimate.value, e.estimate.error}));
        out.push_back(e.draws(draws_over(e.axes, at::TensorOptions(device).dtype(at::kDouble))));
      }
      return out;
    });
  }
}

TEST_P(Devices, MasksUnitsAndDomains) {
  const auto x = normal({400, 3 * 4 * 4}, 31).clamp_min(0);
  const auto mask = normal({5, 1, 16}, 32), mixture = normal({5, 3, 1}, 33);
  const auto y = 10 + 3 * at::mm(x, (mask * mixture).reshape({5, 48}).t());
  const auto truth = at::arange(400).remainder(4);
  const auto splits = shuffle_splits(400, 2, 0.9, 1);
  MappingOptions options;
  options.kind = MappingKind::kMask;
  options.mask.channels = 3;
  options.mask.height = options.mask.width = 4;
  options.mask.max_epochs = 60;
  options.mask.decay_epochs = 50;
  const auto learned = predictivity(x, y, splits, options).per_neuroid;
  EXPECT_GT(learned.median().item<double>(), 0.9) << learned;
  check(
      [&](const at::Device& device) -> std::vector<at::Tensor> {
        const auto here = x.to(device);
        return {predictivity(here, y.to(device), splits, options).per_neuroid};
      },
      1e-3);  // 420 steps in float32
  const auto skewed = (2 * normal({30, 600}, 34)).exp();
  check([&](const at::Device& device) -> std::vector<at::Tensor> {
    MatrixBlocks units(skewed.to(device));
    const auto told = x + at::one_hot(truth, 48);
    return {responsive_units(units),
            readout_accuracy(told.to(device), truth.to(device), 4, splits, {1e-2, 1, 100})};
  });
}

TEST_P(Devices, ReadoutsAndProperties) {
  const auto truth = at::arange(90).remainder(3);
  const auto x = normal({90, 20}, 12) + 0.8 * at::one_hot(truth, 20);
  check([&](const at::Device& device) -> std::vector<at::Tensor> {
    const auto scaled = standardise(x.to(device), 70);
    const auto readout =
        fit_logistic(scaled.narrow(0, 0, 70), truth.narrow(0, 0, 70).to(device), 3, 1e-3);
    const auto pairs =
        FactorPairs{at::arange(45), at::arange(45, 90), truth.narrow(0, 0, 45), 3}.to(device);
    MatrixBlocks units(x.to(device));
    const auto terms = factor_terms(units, pairs);
    return {readout.probabilities(scaled.narrow(0, 70, 20)),
            factor_shares(terms, pairs, at::ones({1, 45}, terms.options())),
            factor_dimensions(terms, pairs, 20)};
  });
  SolvedImages images;
  images.features =
      at::stack({normal({90, 60}, 13), normal({90, 60}, 14), normal({90, 60}, 15)}, 2);
  images.features += at::arange(1, 4, at::kDouble) * at::one_hot(truth, 60).unsqueeze(2);
  for (int64_t i = 0; i < 90; ++i) {
    images.truth.push_back(i % 3);
    images.i1.push_back(0.3 + 0.01 * static_cast<double>(i % 40));
    images.times.push_back(80 + static_cast<double>((7 * i) % 90));
  }
  images.n_classes = 3;
  images.bin_starts = {70, 80, 90};
  // Float32 through 80 Adam steps: d' to 1e-5, a time to that over the slope of a curve that rises
  // .1 a bin.
  check(
      [&](const at::Device& device) -> std::vector<at::Tensor> {
        auto on = images;
        on.features = images.features.to(device);
        at::Tensor predicted;
        evaluate_solution_times(on, predicted);
        return {predicted};
      },
      1e-2);
}

TEST_P(Devices, ChoicesByCondition) {
  constexpr int64_t kTrials = 900, kStimuli = 60, kSubjects = 5;
  const auto trial = at::arange(kTrials);
  const auto stimulus = trial.remainder(kStimuli), subject = trial.remainder(kSubjects);
  const auto harder = normal({kTrials}, 20) + 0.2 * stimulus.remainder(6).to(at::kDouble) < 1;
  for (const auto* name : {"accuracy_delta", "condition_accuracy", "value_delta",
                           "tasks_consistency", "confusion_similarity"}) {
    SCOPED_TRACE(name);
    CellMetric metric;
    metric.name = name;
    metric.subject_numbers = {0, 1, 2, 3, 4};
    metric.positions = {1, 5, 11};
    metric.scale = 0.75;
    metric.lapse = 0.05;
    const int64_t n_cells = metric.name == "confusion_similarity" ? 9 : 6;
    // Conditions belong to stimuli; confusions do not.
    const auto cell = n_cells == 9 ? (normal({kTrials}, 21) * 3).abs().to(at::kLong).clamp_max(8)
                                   : stimulus.remainder(n_cells);
    check([&](const at::Device& device) -> std::vector<at::Tensor> {
      const auto count = [&](int64_t first, int64_t n, const at::Tensor& observer,
                             int64_t observers) {
        const auto part = [&](const at::Tensor& v) { return v.narrow(0, first, n).to(device); };
        return count_trials(part(stimulus), part(observer), part(cell), part(harder), kStimuli,
                            observers, n_cells);
      };
      const auto network = count(0, 120, at::zeros_like(subject), 1);
      const auto subjects = count(120, kTrials - 120, subject, kSubjects);
      std::vector<Evaluation> all = {evaluate_cells(metric, network, subjects)};
      if (auto ceiling = evaluate_cell_ceiling(metric, subjects)) all.push_back(*ceiling);
      std::vector<at::Tensor> out;
      for (const auto& e : all) {
        out.push_back(at::tensor({e.estimate.value}));
        out.push_back(e.draws(draws_over(e.axes, at::TensorOptions(device).dtype(at::kDouble))));
      }
      return out;
    });
  }
  const auto features = normal({40, 12}, 22);
  const auto triplets = at::stack({at::arange(30), at::arange(30) + 5, at::arange(30) + 9}, 1);
  check([&](const at::Device& device) -> std::vector<at::Tensor> {
    return {odd_one_out(features.to(device), triplets.to(device)).to(at::kDouble)};
  });
}

TEST_P(Devices, PropertiesOfUnits) {
  constexpr int64_t kUnits = 40;
  const auto maps = normal({7, 7, kUnits}, 23).abs();
  const auto blank = 0.1 * normal({kUnits}, 24).abs();
  const std::vector<double> places = {-1, -0.6, -0.3, 0, 0.3, 0.6, 1};
  check([&](const at::Device& device) -> std::vector<at::Tensor> {
    const auto rate = firing_rate((1 + maps.amax(0).amax(0)).to(device), blank.to(device));
    return {receptive_field_centres(maps.to(device), blank.to(device), places, places),
            rate(maps.to(device)), rate.slope, rate.offset};
  });
  for (const auto& name : property_names()) {
    SCOPED_TRACE(name);
    const auto property = property_name(name);
    StimulusGrid grid{{}, 2, {}, 4};
    for (int i = 0; i < 12; ++i)
      grid.points.push_back(property.along == "orientation" ? 15.0 * i : 0.5 + 0.25 * i);
    for (int64_t i = 0; i < 2 * 12 * 4; ++i) grid.order.push_back(i);
    // Tuned curves on a baseline, so that flanks and plateaus are there.
    const auto at_point = at::arange(12, at::kDouble).view({1, 12, 1, 1});
    const auto best = 2 + at::arange(kUnits, at::kDouble).remainder(8);
    const auto tuned = 40 * (-(at_point - best).square() / 6).exp() + 2;
    const auto responses =
        (tuned.expand({2, 12, 4, kUnits}) * (1 + 0.2 * normal({2, 12, 4, kUnits}, 25)))
            .clamp_min(0)
            .reshape({-1, kUnits});
    check([&](const at::Device& device) -> std::vector<at::Tensor> {
      return {property_of_units(property, responses.to(device), blank.to(device), grid)};
    });
  }
}

TEST_P(Devices, SpansAndTimeBins) {
  const auto photos = normal({30, 5000}, 26).to(at::kFloat);
  const auto x = normal({16, 5000}, 27).to(at::kFloat);
  // Directions may differ in sign, inner products not: float32 products over 5000 features.
  check(
      [&](const at::Device& device) -> std::vector<at::Tensor> {
        const auto reference = photos.to(device, at::kFloat, false, true);
        MatrixBlocks blocks(reference);
        const Span span(blocks);
        auto offset = at::zeros({span.size()}, at::device(device).dtype(at::kDouble));
        auto sums = at::zeros({16, span.size()}, offset.options());
        add_span_products(x.to(device), span.basis(reference, offset), sums);
        const auto coordinates = sums - offset;
        return {at::mm(coordinates, coordinates.t())};
      },
      1e-3);
  const auto source = normal({60, 40}, 28);
  const std::vector<at::Tensor> bins = {normal({60, 7}, 29) + source.narrow(1, 0, 7),
                                        normal({60, 7}, 30) + source.narrow(1, 0, 7)};
  const auto splits = shuffle_splits(60, 3, 0.9, 1);
  check([&](const at::Device& device) -> std::vector<at::Tensor> {
    std::vector<at::Tensor> targets, out;
    for (const auto& bin : bins) targets.push_back(bin.to(device));
    for (const auto& fit : spantime_predictivity(source.to(device), targets, splits))
      out.push_back(fit.per_neuroid);
    return out;
  });
}

CORTISCORE_ON_DEVICES(Devices);

}  // namespace
}  // namespace cortiscore
