#pragma once
#include <vector>

namespace cortiscore {

/// A psychometric curve .5 + (.5 - lambda) Phi(alpha (x - beta)): Wichmann & Hill 2001, eq. 1.
struct PsychometricFit {
  double alpha = 0, beta = 0, lambda = 0;
  double r_squared = 0;

  /// The x at which the curve reaches an accuracy; NaN where it never does.
  double threshold(double accuracy) const;
};

/// Least cross-entropy of the accuracies from many starts (50 slopes, logspace(-3, 1), by every x
/// as centre), lambda within [.03, .5], each by damped Fisher scoring to a step below 1e-14: the
/// minimum that the platform's L-BFGS-B approaches.
/// @param x  ascending  @param y  accuracy at each
PsychometricFit fit_psychometric(const std::vector<double>& x, const std::vector<double>& y);

/// Accuracy at each distinct x, from single trials; x ascending.
struct AccuracyCurve {
  std::vector<double> x, accuracy;
};
AccuracyCurve accuracy_by(const std::vector<double>& x, const std::vector<bool>& correct);

/// A model's threshold as the platform takes it: 0 where accuracy over all trials is below .6;
/// points after a collapse (from some point after the maximum on, everything at least one standard
/// deviation below it) are cut off; 0 where less than a third is left, where the fit's R^2 is below
/// .4 or the threshold is NaN or beyond the largest x.
/// Source: Malania, Herzog & Westheimer 2007; BENCHMARKS.md 2.14.
double model_threshold(const AccuracyCurve& curve, double mean_accuracy, double accuracy);

/// A threshold over that of a baseline; NaN where the baseline is not positive.
double threshold_elevation(double threshold, double baseline);
/// The same of a model's thresholds: 0 where none was found for the baseline, as the platform
/// counts it.
double model_elevation(double threshold, double baseline);

/// max(0, 1 - |T - s| / T) for each subject's threshold (or elevation) T.
std::vector<double> threshold_scores(double model, const std::vector<double>& subjects);

}  // namespace cortiscore
