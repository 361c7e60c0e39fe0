"""`analyze benchmarks`: which benchmarks order networks alike, and what each puts into the composite."""
import numpy as np

from . import inputs, output, trees
from .resampling import correlation, correlations, estimate, why_not


def pairs(scores, names, resampling):
    """Correlations of every two columns, over the networks that have both."""
    columns = {name: scores.columns[name] for name in names}
    pearson, spearman = (correlations(columns, resampling, method) for method in ("pearson", "spearman"))
    return [{"a": a, "b": b, "pearson": r, "spearman": spearman[a, b]} for (a, b), r in pearson.items()]


def left_out(scores, arguments, resampling):
    """For every benchmark of the composite: Spearman's correlation of the composite with itself without that benchmark, and the share of
    the composite's variance over networks that the benchmark puts in, cov(contribution, composite) / var(composite); shares sum to one.

    :returns: (rows, why there are none)
    """
    if scores.lines is None:
        return [], "no tree reads the table (--tree): what the composite is made of is not known"
    again = trees.rebuilt(arguments.tree or "average_vision", scores)
    if again is None:
        return [], "the tree could not be taken apart"
    tree, leaves = again
    composite, parts = trees.contributions(tree, tree["root"], leaves)
    kept = np.isfinite(composite)
    whole = composite[kept]
    rows = []
    for name in trees.leaves_of(tree["root"]):
        if not np.isfinite(leaves[name]).any():
            continue
        row = {"benchmark": name, "n": int(np.isfinite(leaves[name]).sum()), "share_of_variance": None, "rank_correlation_without": None}
        rest = trees.without(tree["root"], name)
        if rest is None or not any(np.isfinite(leaves[other]).any() for other in trees.leaves_of(rest)):
            row["rank_correlation_without"] = estimate(np.nan, [], len(whole), resampling, "nothing is left without it")
        else:
            row["rank_correlation_without"] = correlation(composite, trees.contributions(tree, rest, leaves)[0], resampling, "spearman")
        part = parts[name][kept]
        reason = why_not(whole)
        if reason:
            row["share_of_variance"] = estimate(np.nan, [], len(whole), resampling, reason)
        else:
            drawn = resampling.over(len(whole), lambda counts: share(counts, part, whole))
            row["share_of_variance"] = estimate(share(np.ones((1, len(whole))), part, whole)[0], drawn, len(whole), resampling)
        rows.append(row)
    return rows, None


def share(counts, part, whole):
    """cov(part, whole) / var(whole) in every draw; NaN where the whole does not vary."""
    total = counts.sum(axis=1)
    mean_part, mean = counts @ part / total, counts @ whole / total
    covariance = counts @ (part * whole) / total - mean_part * mean
    variance = counts @ (whole * whole) / total - mean * mean
    with np.errstate(all="ignore"):
        return np.where(variance > 1e-9 * np.var(whole), covariance / variance, np.nan)


def analyse(arguments, resampling):
    scores = inputs.load(arguments)
    names = [name for name in scores.of_kind("benchmark", "column") if np.isfinite(scores.columns[name]).any()]
    rows, reason = left_out(scores, arguments, resampling)
    return {"source": scores.source, "n": len(scores.networks), "benchmarks": names, "composite": scores.composite,
            "pairs": pairs(scores, names, resampling), "without": rows, "without_reason": reason, "notes": scores.notes}


def table(result):
    rows = [[p["a"], p["b"], p["pearson"]["n"], output.number(p["pearson"]["value"]), output.interval(p["pearson"]),
             output.number(p["spearman"]["value"]), output.interval(p["spearman"])]
            for p in sorted(result["pairs"], key=lambda p: -(p["pearson"]["value"] if p["pearson"]["value"] is not None else -2))]
    out = output.text_table(["benchmark", "and", "n", "Pearson's r", "interval", "Spearman's r", "interval"], rows, left=2)
    if result["without"]:
        rows = [[w["benchmark"], w["n"], output.number(w["share_of_variance"]["value"]), output.interval(w["share_of_variance"]),
                 output.number(w["rank_correlation_without"]["value"]), output.interval(w["rank_correlation_without"])]
                for w in result["without"]]
        out += ["", *output.text_table(["benchmark", "n", "share of the composite's variance", "interval",
                                        "composite's ranks with those without it", "interval"], rows)]
    else:
        out += ["", f"composite: {output.printable(result['without_reason'])}"]
    return out


def sentence(result, level):
    known = [p for p in result["pairs"] if p["pearson"]["lo"] is not None]
    if not known:
        return f"Over {output.counted(result['n'], 'network')}, no two benchmarks share enough networks to be compared."
    above, below = sum(p["pearson"]["lo"] > 0 for p in known), sum(p["pearson"]["hi"] < 0 for p in known)
    open_ = len(known) - above - below
    text = (f"Over {output.counted(result['n'], 'network')}, {above} of {output.counted(len(known), 'pair')} of benchmarks correlate above "
            f"zero, {below} below, {open_} {'is' if open_ == 1 else 'are'} not told from zero")
    sure = [w for w in result["without"] if w["rank_correlation_without"]["lo"] is not None]
    if sure:
        least = min(sure, key=lambda w: w["rank_correlation_without"]["value"])
        text += (f"; of the rank correlations of {result['composite']} with itself without one benchmark the lowest estimate is "
                 f"{output.in_words(least['rank_correlation_without'], level)}, without {least['benchmark']}")
    return text + "."


def plot(result, figure):
    names = result["benchmarks"]
    axes = figure.add_subplot()
    if not names:
        return axes.set_axis_off()
    values = np.full((len(names), len(names)), np.nan)
    for p in result["pairs"]:
        i, j = names.index(p["a"]), names.index(p["b"])
        values[j, i] = np.nan if p["pearson"]["value"] is None else p["pearson"]["value"]
        values[i, j] = np.nan if p["spearman"]["value"] is None else p["spearman"]["value"]
    axes.set_facecolor("0.9")  # where there is no number
    image = axes.imshow(values, vmin=-1, vmax=1, cmap="RdBu_r")
    labels = [output.printable(name) for name in names]
    size = 8 if len(names) <= 15 else 4
    axes.set_xticks(range(len(names)), labels, rotation=45, ha="right", fontsize=size)
    axes.set_yticks(range(len(names)), labels, fontsize=size)
    if len(names) <= 15:
        for i in range(len(names)):
            for j in range(len(names)):
                if np.isfinite(values[i, j]):
                    dark = abs(values[i, j]) > 0.6
                    axes.text(j, i, f"{values[i, j]:.2f}", ha="center", va="center", fontsize=7, color="white" if dark else "black")
    figure.colorbar(image, ax=axes, label="correlation over networks")
    axes.set_title("below the diagonal Pearson, above it Spearman", fontsize=9)
