"""The bootstrap over networks, and correlations under it.

A bootstrap sample of n networks is how often each was drawn: counts [draws, n], multinomial. Everything is computed from counts, so that
draws are rows of a matrix and no sample is ever copied.
"""
import numpy as np

FEWEST = 4  # networks; Fisher's approximate error of a correlation, 1 / sqrt(n - 3), is the least that says something
FEWEST_DRAWN = 8  # networks of an interval: samples of fewer are too few different ones (126 of five), and intervals far too short
BLOCK = 2**22  # numbers in a block of counts
FLAT = 1e-12  # of the variance over all networks: less in a draw is rounding of none
DEFINED = 0.9  # share of draws that must have a value for an interval


class Resampling:
    """How often to draw, from which seed, and what share of draws an interval holds. The same n gets the same draws."""

    def __init__(self, draws=10000, seed=0, level=0.95):
        self.draws, self.seed, self.level = draws, seed, level

    def counts(self, n, stream=0, beside=1):
        """Blocks [rows, n] of how often each of n networks was drawn, `draws` rows in all; float64. Other streams are other draws; blocks
        are smaller where `beside` arrays of their size are made of each."""
        generator = np.random.default_rng([self.seed, n, stream])
        left = self.draws
        while left:
            rows = min(left, max(1, BLOCK // (beside * max(n, 1))))
            yield generator.multinomial(n, np.full(n, 1 / n), size=rows).astype(float)
            left -= rows

    def over(self, n, statistic, stream=0):
        """statistic(counts) of every block, one after the other."""
        return np.concatenate([statistic(counts) for counts in self.counts(n, stream)])

    def interval(self, values):
        """Percentile interval (Efron 1979; Efron & Tibshirani 1993, chapter 13) of values [draws] as a list of two, and how many draws had
        no value; None for an interval of which too few had one."""
        values = np.asarray(values, float)
        defined = values[np.isfinite(values)]
        undefined = len(values) - len(defined)
        if len(defined) < DEFINED * len(values) or not len(defined):
            return None, undefined
        tail = (1 - self.level) / 2
        return [float(v) for v in np.quantile(defined, [tail, 1 - tail])], undefined


def estimate(value, draws, n, resampling, reason=None):
    """A value as every question prints it: {"value", "lo", "hi", "n", "undefined_draws", "reason"}; null, with the reason, where there is
    none."""
    out = {"value": None, "lo": None, "hi": None, "n": int(n), "undefined_draws": 0, "reason": reason}
    if reason is None and not np.isfinite(value):
        out["reason"] = "the value is not defined"
    if out["reason"] is None:
        out["value"] = float(value)
        interval, out["undefined_draws"] = resampling.interval(draws)
        if n < FEWEST_DRAWN:
            out["reason"] = f"{n} networks, fewer than the {FEWEST_DRAWN} of an interval"
        elif interval is None:
            out["reason"] = "no interval: too many draws have no value"
        else:
            out["lo"], out["hi"] = interval
    return out


def why_not(*columns):
    """Why nothing can be said of these values of networks, columns of one length without NaN, in words; None where it can."""
    if len(columns[0]) < FEWEST:
        return f"{len(columns[0])} networks, fewer than {FEWEST}"
    if any(np.ptp(column) <= 1e-12 * max(1.0, np.abs(column).max()) for column in columns):
        return "all networks have the same value"
    return None


def weighted_correlation(counts, x, y):
    """Pearson's r of x and y, [n] or [draws, n] each, in every draw of counts [draws, n]; NaN where one of them does not vary."""
    total = counts.sum(axis=1, keepdims=True)
    with np.errstate(all="ignore"):
        dx = x - (counts * x).sum(axis=1, keepdims=True) / total
        dy = y - (counts * y).sum(axis=1, keepdims=True) / total
        weighted = counts * dx
        xx, yy, xy = (weighted * dx).sum(axis=1), (counts * dy * dy).sum(axis=1), (weighted * dy).sum(axis=1)
        flat = (xx <= FLAT * np.var(x) * total[:, 0]) | (yy <= FLAT * np.var(y) * total[:, 0])
        return np.where(flat, np.nan, np.clip(xy / np.sqrt(xx * yy), -1, 1))


def mid_ranks(counts, x):
    """Ranks [draws, n] of x [n] within every draw, ties and copies of one network sharing the mean of their places, but for a constant:
    what lies below, and half of what is level."""
    level = (x[:, None] < x[None, :]) + 0.5 * (x[:, None] == x[None, :])
    return counts @ level


def correlation_draws(counts, x, y, method):
    """Pearson's or Spearman's correlation in every draw; Spearman's ranks anew in each."""
    if method == "spearman":
        x, y = mid_ranks(counts, x), mid_ranks(counts, y)
    return weighted_correlation(counts, x, y)


def ranks(x):
    """Mid-ranks [n], but for a constant."""
    return mid_ranks(np.ones((1, len(x))), x)[0]


def drawn_correlation(x, y, resampling, method="pearson", stream=0):
    """(estimate, its draws) of the correlation of two columns [networks] over the networks that have both."""
    kept = np.isfinite(x) & np.isfinite(y)
    x, y = x[kept], y[kept]
    reason = why_not(x, y)
    if reason:
        return estimate(np.nan, [], len(x), resampling, reason), np.full(resampling.draws, np.nan)
    x, y = (x - x.mean()) / x.std(), (y - y.mean()) / y.std()
    value = correlation_draws(np.ones((1, len(x))), x, y, method)[0]
    draws = resampling.over(len(x), lambda counts: correlation_draws(counts, x, y, method), stream)
    return estimate(value, draws, len(x), resampling), draws


def correlation(x, y, resampling, method="pearson"):
    """Correlation of two columns with a percentile interval; see `estimate`."""
    return drawn_correlation(x, y, resampling, method)[0]


def correlations(columns, resampling, method="pearson"):
    """`correlation` of every two of several columns: {(a, b): estimate}, a before b. The same numbers, faster: columns of the same networks
    go together.

    :param columns: {name: [networks]}, NaN where missing
    """
    names, out, groups = list(columns), {}, {}
    for name in names:
        groups.setdefault(np.isfinite(columns[name]).tobytes(), []).append(name)
    for group in groups.values():
        kept = np.isfinite(columns[group[0]])
        varying = [name for name in group if not why_not(columns[name][kept])]
        if len(varying) > 2:
            out.update(together(varying, np.stack([columns[name][kept] for name in varying]), resampling, method))
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1:]]
    return {(a, b): out.get((a, b)) or correlation(columns[a], columns[b], resampling, method) for a, b in pairs}


def together(names, values, resampling, method):
    """The same of columns [k, networks] without NaN, all of which vary. As many rows of the matrix at once as fit into 200 MB."""
    k, n = values.shape
    values = (values - values.mean(axis=1, keepdims=True)) / values.std(axis=1, keepdims=True)
    levels = [(x[:, None] < x[None, :]) + 0.5 * (x[:, None] == x[None, :]) for x in values] if method == "spearman" else None
    spread = np.ones(k) if levels is None else np.array([np.var(ranks(x)) for x in values])

    def block(counts, rows):
        placed = np.broadcast_to(values, (len(counts), k, n)) if levels is None else np.stack([counts @ level for level in levels], axis=1)
        centred = placed - (placed @ counts[:, :, None]) / n
        centred = centred * np.sqrt(counts)[:, None, :]
        norm = (centred * centred).sum(axis=2)
        norm = np.sqrt(np.where(norm > FLAT * spread * n, norm, np.nan))
        return np.clip(centred[:, rows] @ centred.transpose(0, 2, 1) / norm[:, rows, None] / norm[:, None, :], -1, 1)

    out = {}
    band = max(1, int(2.5e7 // (resampling.draws * k)))
    whole = block(np.ones((1, n)), slice(None))[0]
    for first in range(0, k, band):
        rows = slice(first, min(k, first + band))
        drawn = np.concatenate([block(counts, rows) for counts in resampling.counts(n, beside=4 * k)])
        out.update({(names[i], names[j]): estimate(whole[i, j], drawn[:, i - first, j], n, resampling)
                    for i in range(rows.start, rows.stop) for j in range(i + 1, k)})
    return out


def mean(values, resampling):
    """Mean over networks, with the bootstrap's interval; see `estimate`."""
    values = values[np.isfinite(values)]
    if len(values) < FEWEST:
        return estimate(np.nan, [], len(values), resampling, f"{len(values)} networks, fewer than {FEWEST}")
    draws = resampling.over(len(values), lambda counts: counts @ values / len(values))
    return estimate(values.mean(), draws, len(values), resampling)


def line(counts, x, y):
    """(intercepts, slopes) [draws] of the least-squares line of y on x, both [n]; NaN where x does not vary."""
    total = counts.sum(axis=1)
    mx, my = counts @ x / total, counts @ y / total
    xx, xy = counts @ (x * x) / total - mx * mx, counts @ (x * y) / total - mx * my
    with np.errstate(all="ignore"):
        slope = np.where(xx > FLAT * np.var(x), xy / xx, np.nan)
    return my - slope * mx, slope
