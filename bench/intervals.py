"""Means and exponents of what was measured in rounds, each with a 95 % interval of Student's t."""
import math

import numpy as np
from scipy.special import stdtrit

LEVEL = 0.95


def _half(sd_of_estimate, freedom):
    return float(stdtrit(freedom, 0.5 + LEVEL / 2) * sd_of_estimate)


def geometric_mean(values):
    """(mean, lower end, upper end) of positive values, by their logarithms; no ends (None) of one value."""
    logs = np.log(np.asarray(values, float))
    mean = float(logs.mean())
    if len(logs) < 2:
        return math.exp(mean), None, None
    half = _half(logs.std(ddof=1) / math.sqrt(len(logs)), len(logs) - 1)
    return math.exp(mean), math.exp(mean - half), math.exp(mean + half)


def exponent(sizes, seconds):
    """(slope, lower end, upper end) of log seconds on log sizes by least squares, a point a measurement; no ends where two points
    make the line."""
    x, y = np.log(np.asarray(sizes, float)), np.log(np.asarray(seconds, float))
    from_mean = x - x.mean()
    spread = float(from_mean @ from_mean)
    slope = float(from_mean @ y) / spread
    freedom = len(x) - 2
    if freedom < 1:
        return slope, None, None
    left = y - y.mean() - slope * from_mean
    half = _half(math.sqrt(float(left @ left) / freedom / spread), freedom)
    return slope, slope - half, slope + half
