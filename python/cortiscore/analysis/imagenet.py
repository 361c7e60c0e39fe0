"""`analyze imagenet`: does a better classifier make a better model of the brain, and until where?"""
import numpy as np

from . import inputs, output, segments
from .resampling import drawn_correlation, estimate


def one_row(name, kind, score, top1, breakpoint, resampling):
    """Correlations of one column of scores with top-1, over all networks, below the breakpoint and from it on."""
    whole, _ = drawn_correlation(score, top1, resampling)
    low, low_draws = drawn_correlation(np.where(top1 < breakpoint, score, np.nan), top1, resampling, stream=1)
    high, high_draws = drawn_correlation(np.where(top1 >= breakpoint, score, np.nan), top1, resampling, stream=2)
    reason = low["reason"] or high["reason"]
    value = np.nan if reason else low["value"] - high["value"]
    difference = estimate(value, low_draws - high_draws, whole["n"], resampling, reason)
    return {"scores": name, "kind": kind, "r_all": whole, "r_below": low, "r_above": high, "r_below_minus_above": difference,
            "segments": two_segments(score, top1, resampling)}


def two_segments(score, top1, resampling):
    """The continuous regression of score on top-1 with one breakpoint, and whether it beats a line."""
    kept = np.isfinite(score) & np.isfinite(top1)
    x, y = top1[kept], score[kept]
    n, fewest = len(x), segments.fewest_a_side(len(x))
    names = ("breakpoint", "slope_below", "slope_above", "slope_change")
    nothing = lambda reason: {"n": n, "fewest_a_side": fewest, "reason": reason, **{name: None for name in names}, "beats_one_line": None}
    if n < 2 * fewest or len(np.unique(x)) < 4:
        return nothing(f"{n} networks of {len(np.unique(x))} different top-1, expected {2 * fewest} and 4")
    if np.ptp(y) == 0:
        return nothing("all networks have the same score")
    changed = lambda fitted: {**fitted, "slope_change": fitted["slope_above"] - fitted["slope_below"]}
    found = changed(segments.fit(x, y, np.ones((1, n)), fewest))
    if not np.isfinite(found["breakpoint"][0]):
        return nothing(f"no breakpoint leaves {fewest} networks on either side")
    drawn = resampling.over(n, lambda counts: np.stack([changed(segments.fit(x, y, counts, fewest))[name] for name in names], axis=1))
    test = segments.against_one_line(x, y, fewest, resampling)
    return {"n": n, "fewest_a_side": fewest, "reason": None,
            **{name: estimate(found[name][0], drawn[:, i], n, resampling) for i, name in enumerate(names)},
            "intercept": float(found["intercept"][0]), "beats_one_line": test["p"] < 1 - resampling.level, **test,
            "test": "wild bootstrap of the largest F over breakpoints (Hansen 1996)"}


def analyse(arguments, resampling):
    scores = inputs.load(arguments)
    top1, source = inputs.imagenet_top1(scores, arguments)
    rows = [one_row(name, scores.kinds[name], column, top1, arguments.breakpoint, resampling) for name, column in scores.columns.items()
            if np.isfinite(column).any()]
    known = np.isfinite(top1)
    return {"source": scores.source, "imagenet_top1_from": source, "breakpoint": arguments.breakpoint, "n_all": int(known.sum()),
            "n_below": int((top1 < arguments.breakpoint).sum()), "n_above": int((top1 >= arguments.breakpoint).sum()), "rows": rows,
            "networks": [{"model_identifier": name, "imagenet_top1": x, "score": y}
                         for name, x, y in zip(scores.networks, top1, scores.columns[rows[0]["scores"]])],
            "notes": scores.notes}


def table(result):
    at = f"{result['breakpoint']:g}"
    rows = [[r["scores"], *(text for key in ("r_all", "r_below", "r_above")
                            for text in (r[key]["n"], output.number(r[key]["value"]), output.interval(r[key])))] for r in result["rows"]]
    header = ["scores", "n", "r, all", "interval", "n", f"r, below {at}", "interval", "n", f"r, {at} and above", "interval"]
    out = output.text_table(header, rows)
    rows = []
    for r in result["rows"]:
        s = r["segments"]
        if s["reason"]:
            rows.append([r["scores"], s["n"], "-", s["reason"], "-", "-", "-", "-", "-", "-"])
        else:
            rows.append([r["scores"], s["n"], output.number(s["breakpoint"]["value"], 1), output.interval(s["breakpoint"], 1),
                         *(text for key in ("slope_below", "slope_above")
                           for text in (output.number(s[key]["value"], 5), output.interval(s[key], 5))),
                         output.number(s["bic_difference"], 1), output.number(s["p"], 4)])
    header = ["two segments", "n", "breakpoint", "interval", "slope below", "interval", "slope above", "interval", "BIC - line's", "p"]
    return [*out, "", *output.text_table(header, rows)]


def sentence(result, level):
    row, at = result["rows"][0], f"{result['breakpoint']:g} %"
    low, high, difference, s = row["r_below"], row["r_above"], row["r_below_minus_above"], row["segments"]
    words = lambda r: output.in_words(r, level)
    text = [f"Over {output.counted(row['r_all']['n'], 'network')}, {row['scores']} and ImageNet top-1 correlate with r = "
            f"{words(row['r_all'])}"]
    text.append(f"r is {words(low)} over the {low['n']} below {at} and {words(high)} over the {high['n']} at or above it")
    if high["value"] is not None and output.holds_zero(high):
        text[-1] += ", which is not told from zero"
    if difference["value"] is not None:
        text.append(f"the two {'are not told apart' if output.holds_zero(difference) else 'differ'}, by {words(difference)}")
    if s["reason"] is None:
        beats = "beat" if s["beats_one_line"] else "do not beat"
        text.append(f"two segments {beats} one line (p = {s['p']:.2g})")
    return "; ".join(text) + "."


def plot(result, figure):
    axes = figure.add_subplot()
    row, at = result["rows"][0], result["breakpoint"]
    x = np.array([network["imagenet_top1"] for network in result["networks"]], float)
    y = np.array([network["score"] for network in result["networks"]], float)
    axes.scatter(x, y, s=14, color=np.where(x < at, "#7a869a", "#0b62a4"))
    axes.axvline(at, color="0.6", linewidth=0.8, linestyle=":")
    s = row["segments"]
    if s["reason"] is None:
        c, ends = s["breakpoint"]["value"], np.array([np.nanmin(x), s["breakpoint"]["value"], np.nanmax(x)])
        line = s["intercept"] + s["slope_below"]["value"] * ends + s["slope_change"]["value"] * np.maximum(ends - c, 0)
        axes.plot(ends, line, color="#c2410c", linewidth=1.2, label=f"two segments, break at {c:.1f} %, p = {s['p']:.2g}")
        axes.legend(frameon=False, loc="upper left")
    axes.set_xlabel("ImageNet top-1 (%)")
    axes.set_ylabel(output.printable(row["scores"]))
    texts = [f"{words}: r = {output.number(row[key]['value'])}, n = {row[key]['n']}"
             for words, key in (("all", "r_all"), (f"below {at:g} %", "r_below"), (f"{at:g} % and above", "r_above"))]
    axes.set_title("\n".join(texts), fontsize=9)
