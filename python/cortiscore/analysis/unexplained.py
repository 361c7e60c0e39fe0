"""`analyze unexplained`: what is left of the responses that no network explains."""
import numpy as np

from ..binary import ask
from ..recordings import BadInput
from . import inputs, output
from .best import joint_draws, usual_draws
from .resampling import mean

# Metrics whose raw score is a correlation, so that its square is a share of variance (of RDMs: of the variance of dissimilarities, or of
# their ranks). Agreement of choices, accuracies, distances, properties and CKA are none.
CORRELATIONS = {"pls", "reverse_pls", "spantime_pls", "ridge", "ridgecv", "mask_regression", "rdm", "i2n", "ost", "condition_accuracy"}
SQUARED = {"r2_over_c", "r_over_c_squared", "r_over_c_squared_clipped"}
PLAIN = {"r_over_c", "r_over_c_clipped", "raw_over_sqrt_ceiling"}
SHARE = "share of the ceiling"
VARIANCE = "variance"


def measure_of(convention, metric):
    """What one minus a ceiled score is a share of, and whether the score is squared first: ("variance", False), ("variance", True),
    ("share of the ceiling", False), or (None, False) where the convention is not known."""
    if convention is None:
        return None, False
    if metric in CORRELATIONS and convention in SQUARED:
        return VARIANCE, False
    if metric in CORRELATIONS and convention in PLAIN:
        return VARIANCE, True
    return SHARE, False


def left(score, squared):
    """One minus what is explained. A correlation below zero explains nothing: its square would claim that it did."""
    score = np.asarray(score, float)
    return 1 - np.where(score < 0, 0, score) ** 2 if squared else 1 - score


def nothing(name, kind):
    """What is known of a benchmark before its scores are."""
    return {"scores": name, "kind": kind, "convention": None, "metric": None, "measure": None, "squared": False, "reason": None}


def stored_columns(scores, arguments):
    """A dict a benchmark of a store: its kind, measure, and what is left of each network, with draws of it."""
    records = inputs.records_of(scores, arguments, "draws", "n", "error", "raw", "metric")
    kinds = {line["identifier"]: line["kind"] for line in ask("benchmark", "list")}
    generator, usual = np.random.default_rng([arguments.seed, 3]), usual_draws(records)
    for name in scores.of_kind("benchmark"):
        of = {network: records[network, name] for network in scores.networks if (network, name) in records}
        known = {(r["score"].get("ceiling_convention"), (r.get("metric") or {}).get("name")) for r in of.values() if r.get("score")}
        out = nothing(name, kinds.get(name, "neural"))
        if not known:
            continue  # nobody has been scored on it
        if len(known) > 1:
            yield {**out, "reason": "records of more than one metric or ceiling's convention"}
            continue
        [(out["convention"], out["metric"])] = known
        out["measure"], out["squared"] = measure_of(*known.pop())
        if out["measure"] is None:
            yield {**out, "reason": "no ceiling: what could be explained is not known"}
            continue
        ceiled = inputs.numbers_of((of.get(network, {}).get("score") or {}).get("ceiled") for network in scores.networks)
        drawn, _ = joint_draws(scores.networks, ceiled, of, False, generator, usual)
        exact = [network for network, r in of.items() if not r.get("draws") and not (r.get("error") or {}).get("ceiled")]
        drawn[[network in exact for network in scores.networks]] = np.nan  # no error, no interval
        yield {**out, "left": left(ceiled, out["squared"]), "drawn": left(drawn, out["squared"])}


def table_columns(scores, arguments):
    """The same of a table's columns, whose scores are correlations, by the reliabilities that --ceiling names: r^2 / ceiling is
    explained."""
    ceilings = dict(arguments.ceiling)
    names = scores.of_kind("column", "benchmark")
    if unknown := [name for name in ceilings if name not in names]:
        raise BadInput(f"--ceiling {unknown[0]}: found no such column, expected one of the table's scores: {', '.join(names) or 'none'}.")
    for name in names:
        values = scores.columns[name]
        if not np.isfinite(values).any():
            continue
        out = nothing(name, "behavior" if "behavior" in name.lower() or "i2n" in name.lower() else "neural")
        if name not in ceilings:
            yield {**out, "reason": f"the table says no ceiling: --ceiling '{name}=RELIABILITY'"}
            continue
        if np.nanmax(np.abs(values)) > 1:
            raise BadInput(f"--ceiling {name}: found a score of {values[np.nanargmax(np.abs(values))]:g}, expected correlations, -1 to 1.")
        yield {**out, "convention": "r2_over_c", "measure": VARIANCE, "ceiling": ceilings[name],
               "left": 1 - np.where(values < 0, 0, values) ** 2 / ceilings[name], "drawn": np.full((len(values), 1), np.nan)}


def of_one(network, place, column, resampling):
    """What one network leaves, with an interval where its draws are known."""
    interval = None
    if np.isfinite(column["drawn"][place]).all():
        interval, _ = resampling.interval(column["drawn"][place])
    return {"model_identifier": network, "value": float(column["left"][place]), "lo": interval[0] if interval else None,
            "hi": interval[1] if interval else None, "reason": None if interval else "the score has no error"}


def group(columns, rows, kind, key, networks, resampling):
    """The mean over the benchmarks of one kind whose measure is variance, of what `key` names in each row, draw by draw."""
    pairs = [(column, row[key]) for column, row in zip(columns, rows) if row["kind"] == kind and row["measure"] == VARIANCE and row[key]]
    if not pairs:
        return None
    place = {network: i for i, network in enumerate(networks)}
    out = {"benchmarks": len(pairs), "value": float(np.mean([of["value"] for _, of in pairs])), "lo": None, "hi": None}
    if all(of["lo"] is not None for _, of in pairs):
        drawn = np.mean([column["drawn"][place[of["model_identifier"]]] for column, of in pairs], axis=0)
        interval, _ = resampling.interval(drawn)
        out["lo"], out["hi"] = interval or (None, None)
    return out


def analyse(arguments, resampling):
    if arguments.ceiling and not arguments.table:
        raise BadInput("--ceiling: found no --table, expected a table whose columns it is of. Records of a store have ceilings.")
    scores = inputs.load(arguments)
    if arguments.ceiling and scores.stored:
        raise BadInput(f"--ceiling: found scores of {scores.source}, expected a table's. Records of a store have ceilings.")
    ranked = [i for i in np.argsort(-np.nan_to_num(scores.columns[scores.composite], nan=-np.inf), kind="stable")
              if np.isfinite(scores.columns[scores.composite][i])] if scores.composite else []
    overall = ranked[0] if ranked else None
    columns, rows = [], []
    for column in (stored_columns if scores.stored else table_columns)(scores, arguments):
        row = {key: column.get(key) for key in ("scores", "kind", "metric", "convention", "ceiling", "measure", "squared", "reason")}
        row["n"], row["best"], row["best_overall"], row["mean"] = 0, None, None, None
        if row["reason"] is None and np.isfinite(column["left"]).any():
            least = int(np.nanargmin(column["left"]))
            row["n"], row["best"] = int(np.isfinite(column["left"]).sum()), of_one(scores.networks[least], least, column, resampling)
            if overall is not None and np.isfinite(column["left"][overall]):
                row["best_overall"] = of_one(scores.networks[overall], overall, column, resampling)
            row["mean"] = mean(column["left"], resampling)
        columns.append(column)
        rows.append(row)
    groups = {kind: {key: group(columns, rows, kind, key, scores.networks, resampling) for key in ("best", "best_overall")}
              for kind in ("neural", "behavior")}
    notes = [*scores.notes]
    if any(row["measure"] == SHARE for row in rows):
        notes.append("a share of the ceiling is no variance: agreement of choices, accuracies and distances are not squared")
    return {"source": scores.source, "n": len(scores.networks), "best_overall": None if overall is None else scores.networks[overall],
            "rows": rows, "groups": groups, "notes": notes}


def shown(of):
    """An estimate and its interval as two cells."""
    return ["-", "-"] if of is None else [output.number(of["value"]), "-" if of["lo"] is None else f"{of['lo']:.3f} .. {of['hi']:.3f}"]


def table(result):
    header = ["benchmark", "least left", "interval", "by", "by the best overall", "interval", "mean", "interval", "n", "a share of"]
    rows = [[r["scores"], *shown(r["best"]), r["best"]["model_identifier"] if r["best"] else "-", *shown(r["best_overall"]),
             *shown(r["mean"]), r["n"], r["reason"] or r["measure"] + (" (1 - score^2)" if r["squared"] else "")] for r in result["rows"]]
    return output.text_table(header, rows)


def sentence(result, level):
    parts = []
    for kind, words in (("neural", "neurons"), ("behavior", "behaviour")):
        best, overall = result["groups"][kind]["best"], result["groups"][kind]["best_overall"]
        if best is None:
            continue
        text = f"of {words} ({output.counted(best['benchmarks'], 'benchmark')}) the best network of each leaves {amount(best, level)}"
        parts.append(text + (f" and {result['best_overall']} {amount(overall, level)}" if overall else ""))
    if not parts:
        return f"Over {output.counted(result['n'], 'network')}, no benchmark says how much variance is left."
    share = "of the variance that can be explained"
    return f"Over {output.counted(result['n'], 'network')}, {share}, {'; '.join(parts)} unexplained, on the mean."


def amount(of, level):
    """A share in per cent, in a sentence."""
    text = f"{100 * of['value']:.0f} %"
    return text if of["lo"] is None else f"{text} ({output.percent(level)} interval {100 * of['lo']:.0f} to {100 * of['hi']:.0f})"


def plot(result, figure):
    rows = [row for row in result["rows"] if row["best"]][::-1]
    axes = figure.add_subplot()
    series = (("mean", "#9aa5b1", "mean over networks", -0.2), ("best_overall", "#0b62a4", result["best_overall"] or "best overall", 0),
              ("best", "#c2410c", "best of each benchmark", 0.2))
    for key, colour, words, shift in series:
        found = [(i + shift, row[key]) for i, row in enumerate(rows) if row[key] and row[key]["value"] is not None]
        axes.plot([of["value"] for _, of in found], [i for i, _ in found], "o", color=colour, markersize=4, label=output.printable(words))
        for i, of in found:
            if of["lo"] is not None:
                axes.plot([of["lo"], of["hi"]], [i, i], color=colour, linewidth=1)
    axes.set_yticks(range(len(rows)), [output.printable(row["scores"]) for row in rows])
    axes.set_xlim(0, None)
    axes.set_xlabel("left unexplained")
    if rows:
        axes.legend(frameon=False, fontsize=8)
