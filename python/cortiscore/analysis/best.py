"""`analyze best`: which network is best, by the composite, its parts and benchmarks, and which are not told from it."""
from collections import Counter

import numpy as np

from . import inputs, output, trees

SHOWN = 5  # networks that are first in most draws


def joint_draws(networks, values, records, raw, generator, draws=1000):
    """Draws [networks, draws] of one benchmark, NaN where a network has no value, and how many networks are paired, have draws of their
    own, only an error, or not even that.

    Draws stand in the records' order, as `cortiscore rank` takes them: with one seed, the same resampling of the same things, in benchmarks
    of the same stimuli too; with two, independent ones. Another number of draws than `draws` has an order of its own. A record without
    draws has normal ones of its error.
    """
    out = np.full((len(networks), draws), np.nan, np.float32)
    count, groups = Counter(), Counter()
    for i, network in enumerate(networks):
        if not np.isfinite(values[i]):
            continue
        record = records.get(network, {})
        if found := inputs.draws_of(record, "raw" if raw else "ceiled"):
            drawn, paired = found
            groups[paired] += 1
            if len(drawn) != draws:
                drawn = drawn[generator.permutation(max(draws, len(drawn)))[:draws] % len(drawn)]
            missing = ~np.isfinite(drawn)
            if missing.any():
                drawn[missing] = generator.choice(drawn[~missing], missing.sum()) if not missing.all() else values[i]
            out[i] = drawn
            continue
        error = (record.get("raw") or {}).get("error") if raw else (record.get("error") or {}).get("ceiled")
        count["error" if error else "none"] += 1
        out[i] = values[i] + (error or 0) * generator.standard_normal(draws)
    largest = max(groups.values(), default=0)
    count["paired"], count["own"] = largest, sum(groups.values()) - largest
    return out, count


def usual_draws(records):
    """How many draws most records have; 1000 where none has any."""
    n = Counter(len(record["draws"].get("float32", "")) * 3 // 16 for record in records.values() if record.get("draws"))
    return n.most_common(1)[0][0] or 1000 if n else 1000


def judge(networks, values, draws, level):
    """Who is first, and who is not separated from it: the interval of the differences in the same draws holds zero."""
    best = int(np.nanargmax(values))
    tail = (1 - level) / 2
    known = np.flatnonzero(np.isfinite(values))
    difference = draws[best] - draws[known]
    low = np.quantile(difference, tail, axis=1)
    close = [networks[i] for i, lo in zip(known, low) if i != best and (lo <= 0 or values[i] == values[best])]
    first = np.bincount(known[np.argmax(draws[known], axis=0)], minlength=len(networks)) / draws.shape[1]
    most = sorted(np.flatnonzero(first), key=lambda i: (-first[i], -values[i]))[:SHOWN]
    return close, [{"model_identifier": networks[i], "share": float(first[i])} for i in most]


def by_errors(networks, values, intervals, best):
    """Those not separated where there are intervals alone: the difference is within the two half-widths, as of independent errors."""
    half = (intervals[:, 1] - intervals[:, 0]) / 2
    with np.errstate(invalid="ignore"):
        near = values[best] - values <= np.hypot(half, half[best])
    return [networks[i] for i in np.flatnonzero(near | (values == values[best])) if i != best]


def one_column(scores, name, drawn, level):
    """Who is best in a column of scores."""
    networks, values = scores.networks, scores.columns[name]
    best = int(np.nanargmax(values))
    bounds = scores.intervals.get(name, np.full((len(networks), 2), np.nan))
    out = {"scores": name, "kind": scores.kinds[name], "n": int(np.isfinite(values).sum()), "best": networks[best],
           "score": float(values[best]), "lo": bounds[best, 0], "hi": bounds[best, 1], "first": None}
    # Draws of a score without an error are that score, again and again; so are those of one that is clipped, which has an interval.
    exact = np.isfinite(values) & ~np.isfinite(bounds).all(axis=1)
    if drawn is not None:
        exact &= np.ptp(drawn, axis=1) == 0
    out["n_without_errors"] = int(exact.sum())
    if exact[best]:
        close, out["method"] = [networks[i] for i in np.flatnonzero(values == values[best]) if i != best], "equal"
    elif drawn is not None:
        close, out["first"] = judge(networks, values, drawn, level)
        out["method"] = "draws"
    else:
        close, out["method"] = by_errors(networks, values, bounds, best), "errors"
    if out["kind"] == "composite" and scores.stored and not exact[best]:
        # The ranking has judged already, in draws of its own.
        close = [line["model_identifier"] for line in scores.lines if line.get("rank") == 1 and line["model_identifier"] != out["best"]]
        line = scores.lines[best]
        out["method"], out["rank_lo"], out["rank_hi"] = "rank", line.get("rank_lo"), line.get("rank_hi")
    order = {network: -value for network, value in zip(networks, values)}
    return {**out, "not_separated": sorted(close, key=lambda network: order[network]), "n_not_separated": len(close)}


def drawn_columns(scores, arguments, resampling):
    """(node or benchmark, draws [networks, draws]) one after the other, the tree's root last; none where records have no draws."""
    records = inputs.records_of(scores, arguments, "draws", "n", "error", "raw")
    if not any("draws" in record for record in records.values()):
        return
    again = trees.rebuilt(arguments.tree or "average_vision", scores)
    if again is None:
        scores.notes.append("the tree could not be taken apart: how often a network is first is not known")
        return
    tree, leaves = again
    usual = usual_draws(records)
    generator = np.random.default_rng([resampling.seed, 2])
    total = Counter()

    def leaf(benchmark):
        of = {network: records[network, benchmark] for network in scores.networks if (network, benchmark) in records}
        drawn, count = joint_draws(scores.networks, leaves[benchmark], of, tree["raw"], generator, usual)
        total.update(count)
        return drawn

    yield from ((name, values) for name, _, values in trees.walk(tree, tree["root"], leaf))
    if total["error"] or total["none"] or total["own"]:
        scores.notes.append(f"draws: {total['own']} scores share no resampling with most others of their benchmark, {total['error']} have "
                            f"only an error, {total['none']} not even that; they count as independent, or as exact")


def analyse(arguments, resampling):
    scores = inputs.load(arguments)
    columns = {}
    root = None
    for name, drawn in drawn_columns(scores, arguments, resampling):
        root = name, drawn
        if name in scores.columns and scores.kinds[name] != "composite" and np.isfinite(scores.columns[name]).any():
            columns[name] = one_column(scores, name, drawn, resampling.level)
    if root and scores.composite and np.isfinite(scores.columns[scores.composite]).any():  # the root comes last
        columns[scores.composite] = one_column(scores, scores.composite, root[1], resampling.level)
    rows = [columns.get(name) or one_column(scores, name, None, resampling.level) for name, values in scores.columns.items()
            if np.isfinite(values).any()]
    parts = [row for row in rows if row["kind"] in ("benchmark", "column")]
    whole = next((row for row in rows if row["kind"] == "composite"), None)
    if whole:
        whole["best_of"] = [row["scores"] for row in parts if row["best"] == whole["best"]]
        whole["among_best_of"] = [row["scores"] for row in parts if whole["best"] in row["not_separated"]]
    return {"source": scores.source, "n": len(scores.networks), "rows": rows, "different_best": len({row["best"] for row in parts}),
            "parts": len(parts), "notes": scores.notes}


METHODS = {"rank": "paired draws (rank)", "draws": "paired draws", "errors": "errors as independent", "equal": "equal values only"}


def table(result):
    rows = []
    for r in result["rows"]:
        first = "-" if not r["first"] else f"{100 * next((f['share'] for f in r['first'] if f['model_identifier'] == r['best']), 0):.0f} %"
        close = ", ".join(r["not_separated"][:3]) + (f", {len(r['not_separated']) - 3} more" if len(r["not_separated"]) > 3 else "")
        bounds = "-" if r["lo"] is None else f"{r['lo']:.3f} .. {r['hi']:.3f}"
        rows.append([r["scores"], r["best"], output.number(r["score"]), bounds, r["n"], first, METHODS[r["method"]], close or "-"])
    return output.text_table(["scores", "best network", "score", "interval", "n", "first in", "by", "not separated from it"], rows, left=2)


def sentence(result, level):
    whole = next((row for row in result["rows"] if row["kind"] == "composite"), None)
    if whole is None:
        return (f"Over {output.counted(result['n'], 'network')}, {output.counted(result['different_best'], 'network')} "
                f"{'is' if result['different_best'] == 1 else 'are'} highest in {output.counted(result['parts'], 'column')} of scores.")
    text = f"Of {output.counted(whole['n'], 'network')}, {whole['best']} has the highest {whole['scores']} ({whole['score']:.3f})"
    n = whole["n_not_separated"]
    if whole["method"] == "equal":
        text += f", {output.counted(n, 'other')} the same" if n else ""
        text += "; without errors of the scores nothing is said of how sure that is"
    else:
        text += f", and {output.counted(n, 'other is', 'others are')} not separated from it"
        if exact := whole["n_without_errors"]:
            text += f" (of {output.counted(exact, 'other')} without an error of the score it is not known)"
    if result["parts"] > 1:
        text += f"; it is highest in {len(whole['best_of'])} of {result['parts']} benchmarks"
        if whole["among_best_of"]:
            text += f" and not separated from the highest in {len(whole['among_best_of'])} more"
    return text + "."


def plot(result, figure):
    rows = result["rows"][::-1][-40:]
    axes = figure.add_subplot()
    for i, row in enumerate(rows):
        axes.plot(row["score"], i, "o", color="#0b62a4", markersize=5)
        if row["lo"] is not None:
            axes.plot([row["lo"], row["hi"]], [i, i], color="#0b62a4", linewidth=1)
        close = f" and {row['n_not_separated']} not separated" if row["n_not_separated"] else ""
        axes.annotate(output.printable(row["best"]) + close, (row["score"], i), xytext=(0, 5), textcoords="offset points", ha="center",
                      fontsize=7)
    axes.set_yticks(range(len(rows)), [output.printable(row["scores"]) for row in rows])
    axes.margins(0.15, 0.08)
    axes.set_xlabel("score of the best network")
