"""One line or two that meet: continuous regression with a breakpoint, by least squares, exactly.

The sum of squares as a function of the breakpoint is smooth between two neighbouring x. Its least is either where the two lines fitted
to what lies left and right of that gap meet within the gap, or at a value of x (Hudson 1966, J Am Stat Assoc 61:1097; Muggeo 2003, Stat Med
22:3055, comes there by iteration); all of these are looked at. All draws at once, from cumulative sums: O(draws n).
"""
import numpy as np

TINY = 1e-10  # of the spread of x, which is 1 here


def fewest_a_side(n):
    """Networks that must be on either side of a breakpoint: a tenth, and four at the least (Bai & Perron 1998, Econometrica 66:47, trim
    likewise)."""
    return max(4, int(np.ceil(0.1 * n)))


def fit(x, y, counts, fewest):
    """The best breakpoint of every draw.

    :param x: [n], more than one value
    :param y: [n] or [draws, n]
    :param counts: [draws, n], how often each point was drawn
    :param fewest: points on either side
    :returns: dict of [draws] arrays: breakpoint, slope_below, slope_above, intercept (of the line below), sum_of_squares, and
        sum_of_squares_one of one line; NaN where no breakpoint leaves enough points on both sides
    """
    order = np.argsort(x, kind="stable")
    centre, scale = x.mean(), x.std()
    z = (x[order] - centre) / scale
    y = np.broadcast_to(y, counts.shape)[:, order]
    middle = y.mean(axis=1, keepdims=True)
    w, y = counts[:, order], y - middle
    ends = np.flatnonzero(np.append(np.diff(z) > 0, True))  # the last of each value
    knots = z[ends]
    sums = [np.cumsum(term, axis=1)[:, ends] for term in (w, w * z, w * z * z, w * y, w * z * y)]
    totals = [s[:, -1:] for s in sums]
    yy = (w * y * y).sum(axis=1, keepdims=True)
    right = [total - s for total, s in zip(totals, sums)]  # beyond each value
    present = np.diff(sums[0], axis=1, prepend=0) > 0
    kinds = np.cumsum(present, axis=1)  # values of x drawn so far
    kinds_right = kinds[:, -1:] - kinds
    n, sx, sxx, sy, sxy = totals
    with np.errstate(all="ignore"):
        cxx, cxy, cyy = sxx - sx * sx / n, sxy - sx * sy / n, yy - sy * sy / n
        one = np.where(cxx > TINY * n, cyy - cxy * cxy / cxx, np.nan)

        def hinge(c):
            """(sum of squares, change of slope, h'x, sum of h) of h = max(x - c, 0), breakpoints c [draws, m], each from its knot to the
            next."""
            r0, r1, r2, ry, rxy = right
            h, hh, hx, hy = r1 - c * r0, r2 - 2 * c * r1 + c * c * r0, r2 - c * r1, rxy - c * ry
            hx, hh, hy = hx - h * sx / n, hh - h * h / n, hy - h * sy / n
            rest = hh - hx * hx / cxx
            change = np.where(rest > TINY * n, (hy - hx * cxy / cxx) / rest, np.nan)
            return one - change * change * rest, change, hx, h

        # At a value: those at it are on both sides.
        at_least = (sums[0] >= fewest) & (totals[0] - sums[0] + np.diff(sums[0], axis=1, prepend=0) >= fewest)
        places = np.broadcast_to(knots, sums[0].shape)
        at_knots = hinge(places)
        cost = np.where(at_least & (kinds >= 2) & (kinds_right >= 1), at_knots[0], np.nan)
        # In the gap after a value: where the lines of both sides meet.
        line_of = lambda t: (t[4] - t[1] * t[3] / t[0]) / (t[2] - t[1] * t[1] / t[0])
        left_slope, right_slope = line_of(sums), line_of(right)
        left_at, right_at = (sums[3] - left_slope * sums[1]) / sums[0], (right[3] - right_slope * right[1]) / right[0]
        meet = (right_at - left_at) / (left_slope - right_slope)
        inside = (meet > knots) & (meet < np.append(knots[1:], -np.inf)) & (sums[0] >= fewest) & (right[0] >= fewest) & (kinds >= 2) & \
            (kinds_right >= 2)
        meet = np.where(inside, meet, np.nan)
        in_gaps = hinge(meet)
        all_costs = np.concatenate([cost, in_gaps[0]], axis=1)
        best = np.argmin(np.where(np.isnan(all_costs), np.inf, all_costs), axis=1)[:, None]
        take = lambda a, b: np.take_along_axis(np.concatenate([a, b], axis=1), best, axis=1)[:, 0]
        least = take(cost, in_gaps[0])
        c, change, hx, h = take(places, meet), take(at_knots[1], in_gaps[1]), take(at_knots[2], in_gaps[2]), take(at_knots[3], in_gaps[3])
        slope = (cxy[:, 0] - change * hx) / cxx[:, 0]
        intercept = (sy[:, 0] - slope * sx[:, 0] - change * h) / n[:, 0]
    none = np.isnan(least)
    nan = lambda values: np.where(none, np.nan, values)
    return {"breakpoint": nan(centre + scale * c), "slope_below": nan(slope / scale), "slope_above": nan((slope + change) / scale),
            "intercept": nan(middle[:, 0] + intercept - slope * centre / scale),
            "sum_of_squares": np.maximum(least, 0), "sum_of_squares_one": np.maximum(one[:, 0], 0)}


def f_statistic(fitted, n):
    """By how much two segments beat one line, in each draw: (SS1 - SS2) / (SS2 / (n - 4))."""
    with np.errstate(all="ignore"):
        return (fitted["sum_of_squares_one"] - fitted["sum_of_squares"]) / (fitted["sum_of_squares"] / (n - 4))


def against_one_line(x, y, fewest, resampling):
    """Whether two segments beat one line: p of the largest F over breakpoints, and the difference of BIC (below zero: two segments).

    Under one line there is no breakpoint, so that F has not its usual distribution (Davies 1987, Biometrika 74:33). Its own comes from a
    wild bootstrap at these x (Hansen 1996, Econometrica 64:413): residuals of the line, scaled by 1 / sqrt(1 - leverage), with random
    signs, so that errors may be larger on one side. BIC counts the breakpoint as a parameter: 3 of a line, 5 of two segments, the error's
    among them.
    """
    n = len(x)
    ones = np.ones((1, n))
    found = fit(x, y, ones, fewest)
    observed = f_statistic(found, n)[0]
    dx = x - x.mean()
    slope = dx @ (y - y.mean()) / (dx @ dx)
    fitted = y.mean() + slope * dx
    residual = (y - fitted) / np.sqrt(np.maximum(1 - 1 / n - dx * dx / (dx @ dx), 1e-9))
    generator = np.random.default_rng([resampling.seed, n, 1])

    def block(counts):
        signs = generator.choice([-1.0, 1.0], size=counts.shape)
        return f_statistic(fit(x, fitted + residual * signs, np.ones_like(counts), fewest), n)

    drawn = resampling.over(n, block)
    with np.errstate(all="ignore"):
        bic = n * np.log(found["sum_of_squares"][0] / found["sum_of_squares_one"][0]) + 2 * np.log(n)
    return {"p": float((1 + (drawn >= observed).sum()) / (1 + len(drawn))), "F": float(observed), "bic_difference": float(bic)}
