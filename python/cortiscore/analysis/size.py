"""`analyze size`: do larger and deeper networks score higher, and which small ones stand above the trend?"""
import numpy as np

from . import definitions, inputs, output
from .resampling import correlation, estimate, line, why_not


def sizes(scores, arguments):
    """([networks] parameters, [networks] depth, [networks] where from): of the record, else of the table, else of definitions by name."""
    n = len(scores.networks)
    found = {name: np.full(n, np.nan) for name in ("parameters", "depth")}
    source = {name: [None] * n for name in found}

    def put(name, i, value, words):
        if value is not None and np.isfinite(value) and value > 0 and np.isnan(found[name][i]):
            found[name][i], source[name][i] = value, words

    of_network = {}
    for (network, _), record in inputs.records_of(scores, arguments, "network").items():
        if record.get("network"):
            of_network.setdefault(network, record["network"])
    for i, network in enumerate(scores.networks):
        recorded = of_network.get(network, {})
        for name, key in (("parameters", "parameters"), ("depth", "weight_layers")):
            put(name, i, recorded.get(key), "record")
            put(name, i, scores.attribute(name)[i], "table")
        if np.isnan(found["parameters"][i]) or np.isnan(found["depth"][i]):
            counted = definitions.counts_of(network)
            if counted:
                put("parameters", i, counted[0], counted[2])
                put("depth", i, counted[1], counted[2])
    return found["parameters"], found["depth"], source


def residuals(score, size, error, resampling):
    """(slope, intercept, [networks] distance from the trend, [networks, 2] their intervals) of score on log10 size, both whole [networks].

    A distance's interval holds the trend's uncertainty (networks drawn again) and the score's own error, where it has one.
    """
    ones = np.ones((1, len(score)))
    at, slope = (values[0] for values in line(ones, size, score))
    lines = resampling.over(len(score), lambda counts: np.stack(line(counts, size, score), axis=1))
    generator = np.random.default_rng([resampling.seed, len(score), 3])
    out = np.full((len(score), 2), np.nan)
    for i in range(len(score)):
        noise = error[i] * generator.standard_normal(len(lines)) if np.isfinite(error[i]) else 0
        interval, _ = resampling.interval(score[i] + noise - lines[:, 0] - lines[:, 1] * size[i])
        if interval:
            out[i] = interval
    return estimate(slope, lines[:, 1], len(score), resampling), at, score - at - slope * size, out


def analyse(arguments, resampling):
    scores = inputs.load(arguments)
    parameters, depth, source = sizes(scores, arguments)
    rows = [{"scores": name, "kind": scores.kinds[name], "log10_parameters": correlation(np.log10(parameters), column, resampling),
             "depth": correlation(depth, column, resampling)} for name, column in scores.columns.items() if np.isfinite(column).any()]
    out = {"source": scores.source, "n": len(scores.networks), "n_parameters": int(np.isfinite(parameters).sum()),
           "n_depth": int(np.isfinite(depth).sum()), "rows": rows, "scores": None, "slope": None, "intercept": None,
           "median_parameters": None, "median_score_of_large": None, "n_small": 0, "n_small_above": 0, "n_small_above_large_median": 0,
           "networks": [], "reason": None, "notes": scores.notes}
    unknown = [network for network, value in zip(scores.networks, parameters) if np.isnan(value)]
    if unknown:
        some = ", ".join(unknown[:8]) + (", ..." if len(unknown) > 8 else "")
        out["notes"] = [*scores.notes, f"no parameters known of {output.counted(len(unknown), 'network')}: {some}"]
    name = scores.composite or rows[0]["scores"]
    score, out["scores"] = scores.columns[name], name
    kept = np.flatnonzero(np.isfinite(score) & np.isfinite(parameters))
    size = np.log10(parameters[kept])
    if reason := why_not(size, score[kept]):
        return {**out, "reason": reason}
    error = inputs.numbers_of(scored.get("error") for scored in scores.lines) if scores.lines and name == scores.composite else \
        np.full(len(score), np.nan)
    out["slope"], out["intercept"], distance, bounds = residuals(score[kept], size, error[kept], resampling)
    median = float(np.median(parameters[kept]))
    large = np.median(score[kept][parameters[kept] >= median])
    out["networks"] = [{"model_identifier": scores.networks[i], "parameters": parameters[i], "parameters_from": source["parameters"][i],
                        "depth": depth[i], "depth_from": source["depth"][i], "score": score[i], "residual": distance[place],
                        "lo": bounds[place, 0], "hi": bounds[place, 1], "small": bool(parameters[i] < median),
                        "above_trend": bool(bounds[place, 0] > 0), "above_large_median": bool(score[i] > large)}
                       for place, i in sorted(enumerate(kept), key=lambda pair: -distance[pair[0]])]
    small = [row for row in out["networks"] if row["small"]]
    return {**out, "median_parameters": median, "n_small": len(small), "n_small_above": sum(row["above_trend"] for row in small),
            "n_small_above_large_median": sum(row["above_large_median"] for row in small), "median_score_of_large": float(large)}


def millions(parameters):
    return "-" if parameters is None else f"{parameters / 1e6:.2f} M"


def against_trend(row):
    """Where a network lies, in a word or two."""
    place = "above" if row["above_trend"] else "below" if row["hi"] is not None and row["hi"] < 0 else "within"
    return f"small, {place}" if row["small"] else place


def table(result):
    rows = [[r["scores"], r["log10_parameters"]["n"], output.number(r["log10_parameters"]["value"]), output.interval(r["log10_parameters"]),
             r["depth"]["n"], output.number(r["depth"]["value"]), output.interval(r["depth"])] for r in result["rows"]]
    out = output.text_table(["scores", "n", "r with log10 parameters", "interval", "n", "r with depth", "interval"], rows)
    if result["networks"]:
        rows = [[r["model_identifier"], millions(r["parameters"]), output.number(r["depth"], 0), output.number(r["score"]),
                 f"{r['residual']:+.3f}", "-" if r["lo"] is None else f"{r['lo']:+.3f} .. {r['hi']:+.3f}", against_trend(r),
                 r["parameters_from"]] for r in result["networks"]]
        header = ["network", "parameters", "depth", "score", "from the trend", "interval", "trend", "parameters from"]
        out += ["", *output.text_table(header, rows)]
    return out


def sentence(result, level):
    if result["reason"]:
        return f"Over {output.counted(result['n'], 'network')}, no trend of scores with size: {result['reason']}."
    row = next(row for row in result["rows"] if row["scores"] == result["scores"])
    r = row["log10_parameters"]
    zero = ", which is not told from zero" if output.holds_zero(r) else ""
    return (f"Over {output.counted(r['n'], 'network')}, {result['scores']} and log10 parameters correlate with r = "
            f"{output.in_words(r, level)}{zero}; of {output.counted(result['n_small'], 'network')} with fewer than "
            f"{millions(result['median_parameters'])} parameters, the median, {result['n_small_above']} lie above the trend beyond its "
            f"uncertainty, and {result['n_small_above_large_median']} above the median score of the larger networks.")


def plot(result, figure):
    axes = figure.add_subplot()
    networks = result["networks"]
    x = np.array([row["parameters"] for row in networks])
    y = np.array([row["score"] for row in networks])
    marked = np.array([row["small"] and row["above_trend"] for row in networks], bool)
    axes.scatter(x[~marked], y[~marked], s=14, color="#9aa5b1", label="networks")
    axes.scatter(x[marked], y[marked], s=16, color="#c2410c", label="small and above the trend")
    if networks:
        ends = np.array([x.min(), x.max()])
        axes.plot(ends, result["intercept"] + result["slope"]["value"] * np.log10(ends), color="#0b62a4", linewidth=1.2, label="trend")
        axes.axvline(result["median_parameters"], color="0.6", linestyle=":", linewidth=0.8)
        for row in [row for row in networks if row["small"] and row["above_trend"]][:3]:
            axes.annotate(output.printable(row["model_identifier"]), (row["parameters"], row["score"]), xytext=(-5, 0),
                          textcoords="offset points", ha="right", va="center", fontsize=7)
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value / 1e6:g} M")
        axes.xaxis.set_minor_formatter(lambda value, _: "")
        axes.legend(frameon=False, fontsize=8)
    axes.set_xlabel("parameters")
    axes.set_ylabel(output.printable(result["scores"]))
