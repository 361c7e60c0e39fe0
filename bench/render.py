"""docs/speed.md and its picture, from results alone: bench/speed.md.in has the words, bench/results the numbers.

    .venv/bin/python bench/suite.py --render

A section begins with `<!-- part: NAME -->` and is filled from that part of suite.json: `{name}` is what a function below makes of it. The
page is of the machine and commit that were measured last; a section of another says so, in words, in its first line. What was not measured
is said to be unmeasured.
"""
import hashlib
import json
import re
import statistics

import jobs
import scaling
from instructions import BASELINE, BOUND
from intervals import LEVEL, exponent, geometric_mean
from where import ROOT
from work import WORK

TEMPLATE = ROOT / "bench/speed.md.in"
GPU = ROOT / "bench/results/gpu/bench.json"
UNMEASURED = "unmeasured"
DISTURBED = 0.1  # of a core, by other processes: two clocks of ticks differ by less
README_MARKS = ("<!-- speed: written by ./dev bench -->\n", "<!-- speed: end -->")
PERCENT = f"{100 * LEVEL:.0f} %"


# --- words and numbers ------------------------------------------------------------------------------------------------


def significant(value, digits=3):
    """A number in so many digits, without an exponent: 0.0123, 4.57, 1,234."""
    if value == 0:
        return "0"
    left = len(f"{abs(value):.{digits - 1}e}".split("e")[0].replace(".", ""))
    decimals = left - 1 - int(f"{abs(value):.{digits - 1}e}".split("e")[1])
    return f"{value:,.{max(0, decimals)}f}"


def percent(share, digits=0):
    return f"{100 * share:.{digits}f} %"


def between(low, high, digits=3, end=""):
    return "-" if low is None else f"{significant(low, digits)}{end} .. {significant(high, digits)}{end}"


def plain(text):
    """Text of another program, as Markdown shows it: no HTML, no table, no code, in one line."""
    text = "".join(c if c.isprintable() else " " for c in str(text))
    return re.sub(r"([\\`*|<>\[\]&])", lambda found: f"&#{ord(found[1])};", text)


def code(text):
    """A name of another program in the type of code."""
    return f"`{re.sub(r'[`|]', ' ', ''.join(c for c in str(text) if c.isprintable()))}`"


def table(header, rows):
    """Markdown; a header cell that ends with `>` has its numbers at the right."""
    names = [name.removesuffix(">") for name in header]
    rule = ["--:" if name.endswith(">") else "---" for name in header]
    return "\n".join(["| " + " | ".join(names) + " |", "|" + "|".join(rule) + "|",
                      *("| " + " | ".join(str(cell) for cell in row) + " |" for row in rows)])


def listed(texts):
    texts = list(texts)
    return texts[0] if len(texts) == 1 else ", ".join(texts[:-1]) + " and " + texts[-1]


def ground_of(part):
    """What sections of one page must share."""
    return {key: part["where"].get(key) for key in ("machine", "cores", "commit", "dirty")}


def said(where):
    changed = ", with changes that were not committed" if where.get("dirty") else ""
    return f"{plain(where['machine'])}, {where['cores']} cores, commit {plain(where['commit'])}{changed}, {plain(where['date'])}"


def said_others(units):
    """How quiet the machine was."""
    taken = [unit["others"] + unit["steal"] for unit in units if "others" in unit]
    if not taken:
        return ""
    middle = statistics.median(taken)
    most = f" (median; at most {max(taken):.2f})" if len(taken) > 1 else ""
    warning = " **Disturbed**: seconds are too long, and ratios less certain than their intervals say." if middle > DISTURBED else ""
    return f"Other processes took {middle:.2f} of a core meanwhile{most}.{warning}"


def said_rounds(units):
    rounds = len({unit["round"] for unit in units})
    return "one round" if rounds == 1 else f"{rounds} rounds"


# --- the mathematics beside peers -------------------------------------------------------------------------------------


def seconds_by_round(units, key):
    """{who: {round: geometric mean of the round's measurements}} of a job."""
    found = {}
    for unit in units:
        if unit["job"] == key:
            for who, seconds in unit["seconds"].items():
                found.setdefault(who, {})[unit["round"]] = geometric_mean(seconds)[0]
    return found


def ratio_to_ours(seconds, who):
    """(how many times faster ours is, lower, upper end), by rounds that have both."""
    ours, theirs = seconds[jobs.OURS], seconds[who]
    return geometric_mean([theirs[turn] / ours[turn] for turn in sorted(theirs) if turn in ours])


def reached(wanted, low, high):
    if wanted is None:
        return ""
    if low is None:
        return "one round"
    return "reached" if low >= wanted else "missed" if high < wanted else "within the interval"


def measured_jobs(part):
    """(key, job, seconds by round) of every job that Cortiscore was measured on."""
    for key, job in jobs.JOBS.items():
        seconds = seconds_by_round(part["units"], key)
        if jobs.OURS in seconds:
            yield key, job, seconds


def peer_rows(part):
    rows = []
    for key, job, seconds in measured_jobs(part):
        mine, low, high = geometric_mean(list(seconds[jobs.OURS].values()))
        goal = ""
        if job.seconds is not None:  # fewer are better
            goal = f" ({job.seconds:g} s wanted: {reached(-job.seconds, *((None, None) if low is None else (-high, -low)))})"
        left = (f"{job.name}{goal}", significant(mine))
        for who, peer in job.peers.items():
            if who in seconds and set(seconds[who]) & set(seconds[jobs.OURS]):
                theirs = geometric_mean(list(seconds[who].values()))[0]
                ratio, low, high = ratio_to_ours(seconds, who)
                cells = (who, significant(theirs), f"**{significant(ratio)}x**", between(low, high, end="x"))
                wanted = ("-" if peer.times is None else f"{peer.times:g}x", reached(peer.times, low, high))
            elif f"{key} / {who}" in part["failed"]:
                cells, wanted = (who, "failed", "", ""), ("", "")
            else:
                continue
            rows.append((*left, *cells, *wanted))
            left = ("", "")
    return rows


def peaks(part):
    """(floating-point operations, bytes) a second, medians over rounds; None where they were not measured."""
    found = [unit for unit in part["units"] if unit["job"] == "peaks"]
    return tuple(statistics.median(unit[key] for unit in found) if found else None for key in ("gemm_flops", "copy_bytes_per_second"))


def gpu_seconds(gpu):
    """{bench: seconds on the GPU}, and its peaks, of what bench/gpu_table.py kept."""
    found, rates = {}, {}
    for run in gpu["benchmarks"] if gpu else []:
        job, device = run["name"].removesuffix("/real_time").rsplit("/", 1)
        if device == "cuda":
            found[job] = run["real_time"] / 1e3
            rates[job] = run.get("flops", run.get("bytes_per_second"))
    return found, (rates.get("gemm"), rates.get("copy_256MiB"))


def at_roofline(bench, rates):
    """(seconds at the peaks, what takes them) of a job."""
    flops, moved = WORK[bench]
    by = {"products": flops / rates[0], "bytes": moved / rates[1]}
    slower = max(by, key=by.get)
    return by[slower], slower


def roofline_rows(part, gpu):
    rates, (on_gpu, gpu_rates) = peaks(part), gpu_seconds(gpu)
    rows = []
    for _, job, seconds in measured_jobs(part):
        mine = geometric_mean(list(seconds[jobs.OURS].values()))[0]
        flops, moved = WORK[job.bench]
        least, bound = at_roofline(job.bench, rates) if all(rates) else (None, UNMEASURED)
        device = (UNMEASURED, UNMEASURED)
        if job.bench in on_gpu:
            share = percent(at_roofline(job.bench, gpu_rates)[0] / on_gpu[job.bench]) if all(gpu_rates) else UNMEASURED
            device = (significant(on_gpu[job.bench]), share)
        rows.append((job.name, significant(flops / 1e9, 2), significant(moved / 1e9, 2), "" if least is None else significant(least), bound,
                     "" if least is None else percent(least / mine), job.why, *device))
    return rows


def said_scores(part):
    """How far the peers' scores of the standard job are from ours, whose data are theirs."""
    out = []
    for key, job in jobs.JOBS.items():
        scores = {}
        for unit in part["units"]:
            if unit["job"] == key:
                scores |= unit.get("scores", {})
        if job.by_command_line and jobs.OURS in scores:
            out += [f"{who} {abs(score - scores[jobs.OURS]):.0e}" for who, score in scores.items() if who != jobs.OURS]
    return f"On PLS all have the same data; their scores differ from Cortiscore's by: {', '.join(out)}." if out else ""


def kernels(part, gpu):
    rates = peaks(part)
    return {
        "turns": said_turns(part["units"]), "level": PERCENT, "others": said_others(part["units"]),
        "shape": f"{jobs.PRESENTATIONS} presentations x {jobs.FEATURES} features, {jobs.NEUROIDS} neuroids, {jobs.SPLITS} splits",
        "table": table(("job", "Cortiscore s>", "peer", "s>", "times ours>", f"{PERCENT} interval", "wanted", ""), peer_rows(part)),
        "scores": said_scores(part),
        "versions": "Versions: " + ", ".join(f"{plain(k)} {plain(v)}" for k, v in part["where"]["versions"].items()) + ".",
        "gemm": UNMEASURED if rates[0] is None else f"{significant(rates[0] / 1e9)} GF/s",
        "copy": UNMEASURED if rates[1] is None else f"{significant(rates[1] / 1e9)} GB/s",
        "roofline": table(("job", "GF>", "GB>", "s at the roofline>", "bound by", "% of roofline>", "what that is", "GPU s>",
                           "% of its roofline>"),
                          roofline_rows(part, gpu)),
        "gpu": said_gpu(gpu, part)}


def said_gpu(gpu, part):
    if not gpu:
        return "Columns of a GPU are unmeasured: the benches have not run on one (`./dev gpu-check bench`)."
    where = gpu["where"]
    other = "" if where["commit"] == part["where"]["commit"] else ", which is another commit than this page's"
    return f"GPU: {plain(where['gpu'])}, commit {plain(where['commit'])}{other}, {plain(where['date'])}."


def said_turns(units):
    if not all("order" in unit for unit in units if unit["job"] != "peaks"):
        return f"Cortiscore and its peers took turns in one run of {said_rounds(units)}, without warming up."
    rounds = said_rounds(units)
    return (f"There {'was' if rounds == 'one round' else 'were'} {rounds}; in each every job, and within a job Cortiscore and each peer, "
            "came in an order that was shuffled anew, and every measurement is a process that warmed up first.")


# --- how time grows ---------------------------------------------------------------------------------------------------


def fits(part):
    """Of every axis that was measured at two sizes or more: {axis: {"sizes", "seconds" (a list a size), "upper",
    "measured" (slope, low, high), "operations", "limit"}}."""
    found = {}
    for key, axis in scaling.AXES.items():
        units = [unit for unit in part["units"] if unit["axis"] == key]
        sizes = sorted({unit["size"] for unit in units})
        if len(sizes) < 2:
            continue
        seconds = {size: [unit["seconds"] for unit in units if unit["size"] == size] for size in sizes}
        upper = scaling.upper(sizes)
        points = [(unit["size"], unit["seconds"]) for unit in units if unit["size"] in upper]
        operations = axis.limit
        if axis.operations:
            steps = {size: statistics.mean(unit["steps"] for unit in units if unit["size"] == size) for size in upper}
            operations = exponent(upper, [axis.operations(size, steps[size]) for size in upper])[0]
        found[key] = {"sizes": sizes, "seconds": seconds, "upper": upper, "measured": exponent(*zip(*points)), "operations": operations,
                      "limit": axis.limit}
    return found


def compared(fit):
    _, low, high = fit["measured"]
    if low is None:
        return ""
    return "as they" if low <= fit["operations"] <= high else "less than they" if high < fit["operations"] else "more than they"


def scaling_values(part, _gpu):
    rows = []
    for key, fit in fits(part).items():
        axis, (slope, low, high) = scaling.AXES[key], fit["measured"]
        rows.append((axis.label, axis.job, f"{fit['sizes'][0]:,} .. {fit['sizes'][-1]:,}", f"{fit['upper'][0]:,}", f"**{slope:.2f}**",
                     "-" if low is None else f"{low:.2f} .. {high:.2f}", f"{fit['operations']:.2f}", compared(fit),
                     f"{fit['limit']:g}: {axis.theory}"))
    return {"rounds": said_rounds(part["units"]), "level": PERCENT, "others": said_others(part["units"]),
            "table": table(("axis", "job", "sizes", "fitted from>", "exponent>", f"{PERCENT} interval", "of its operations>", "grows",
                            "in the limit"), rows),
            "threads": said_threads(part)}


def said_threads(part):
    """How much less time all threads take than one, by rounds that have both."""
    by = {(unit["round"], unit["size"]): unit["seconds"] for unit in part["units"] if unit["axis"] == "threads"}
    if not by:
        return ""
    most = max(size for _, size in by)
    ratios = [by[turn, 1] / seconds for (turn, size), seconds in by.items() if size == most and (turn, 1) in by]
    if most == 1 or not ratios:
        return ""
    mean, low, high = geometric_mean(ratios)
    return f"{most} threads are {significant(mean)}x as fast as one{'' if low is None else f' ({PERCENT} interval {between(low, high)})'}."


# --- whole jobs -------------------------------------------------------------------------------------------------------


def sweep(part, _gpu):
    rows, result = [], part["result"]["rows"]
    for row, before in zip(result, [None, *result]):
        again = before is not None and before["layer"] == row["layer"]
        rows.append(("" if again else code(row["layer"]), code(row["device"]), significant(row["forward_s"]), significant(row["sweep_s"]),
                     f"{significant(row['beyond_forward_s'])} ({percent(row['beyond_forward_share'], 1)})",
                     *(("", "", "") if again else (significant(row["score_process_s"]), significant(row["score_beyond_forward_s"]),
                                                   significant(row["pytorch_sklearn_s"]))),
                     f"{significant(row['pytorch_sklearn_s'] / row['sweep_s'])}x"))
    ends = lambda values: between(min(values), max(values), 2)
    of_process = [100 * r["beyond_forward_s"] / r["score_beyond_forward_s"] for r in result]
    times = [r["pytorch_sklearn_s"] / r["sweep_s"] for r in result]
    of_forward = [100 * r["beyond_forward_share"] for r in result]
    return {
        "checkpoints": result[0]["checkpoints"], "sample": result[0]["sample"], "others": said_others([part]),
        "difference": f"{max(row['largest_score_difference'] for row in result):.0e}",
        "table": table(("layer", "--device", "forward s>", "sweep s>", "beyond forward>", "one `score` each s>", "beyond forward>",
                        "PyTorch + scikit-learn s>", "sweep is>"), rows),
        "wanted": f"Wanted were {jobs.SWEEP_TIMES}x end to end ({ends(times)} found), and beyond the forward pass at most "
                  f"{percent(jobs.SWEEP_OF_PROCESS)} of what a process a checkpoint spends "
                  f"({ends(of_process)} % found) and at most {percent(jobs.SWEEP_OF_FORWARD)} of it ({ends(of_forward)} % found)."}


def throughput(part, _gpu):
    result = part["result"]
    ours, theirs, beside, images = result["cortiscore_s"], result["plain_s"], result["beside_the_network"], result["images"]
    forward = sum(ours[key] for key in ("decode", "normalise", "network", "keep"))
    rows = [("decode, place, normalise", ours["decode"] + ours["normalise"], theirs["decode"]),
            ("network", ours["network"], theirs["network"]),
            ("keep layers", ours["keep"], theirs["hooks"]), ("reduce, map, ceiling, bootstrap", ours["wall"] - forward, theirs["fit"]),
            ("all", ours["wall"], sum(theirs.values())), ("all but the network", beside["cortiscore_s"], beside["plain_s"])]
    rate = lambda seconds: f"{images / seconds:,.0f}" if seconds > 0 else "-"
    return {
        "layers": result["layers"], "images": images, "neuroids": result["neuroids"], "others": said_others([part]),
        "threads": f"{result['threads']} threads",
        "table": table(("stage", "Cortiscore s>", "images/s>", "a script of one's own s>", "images/s>", "times ours>"),
                       [(stage, significant(a), rate(a), significant(b), rate(b), f"{significant(b / a)}x" if a > 0 else "-")
                        for stage, a, b in rows]),
        "wanted": f"Cortiscore adds {percent(beside['share_of_network'], 1)} to the network's own time, of the "
                  f"{percent(jobs.THROUGHPUT_OF_NETWORK)} allowed. All but the network is {significant(beside['ratio'])}x faster, of the "
                  f"{jobs.THROUGHPUT_TIMES}x wanted."}


def memory(part, _gpu):
    columns = {"network": "network", "layers": "layers>", "stimuli": "stimuli>", "activations_gib": "activations GiB>",
               "allowed_gib": "allowed GiB>", "on_disk_gib": "on disk GiB>", "passes": "passes>", "seconds": "s>",
               "planned_gib": "planned GiB>", "resident_gib": "resident GiB>",
               "resident_over_plan": "resident / plan>"}
    return {"table": table(columns.values(), [[plain(row[key]) for key in columns] for row in part["result"]["rows"]]),
            "others": said_others([part])}


def gemm(part, _gpu):
    result = part["result"]
    shares = [row["share"] for row in result["rows"]]
    double, single = (significant(result[f"gemm_float{bits}"] / 1e9) for bits in (64, 32))
    return {"rates": f"{double} GF/s in float64 and {single} in float32",
            "wanted": f"{percent(jobs.GEMM_SHARE)} was wanted and {percent(min(shares))} to {percent(max(shares))} were found",
            "table": table(("job", "s>", "share of that>"),
                           [(code(row["job"]), significant(row["seconds"]), percent(row["share"])) for row in result["rows"]]),
            "others": said_others([part])}


def swap(part, _gpu):
    rows = part["result"]["rows"]
    worst = max(row["open_of_forward"] for row in rows)
    return {"wanted": f"at most {percent(worst, 1)} of a forward pass, of the {percent(jobs.SWAP_OF_FORWARD)} allowed",
            "others": said_others([part]),
            "table": table(("network", "MB of weights>", "checkpoints>", "ms>", "forward pass ms>", "stimuli>", "share>"),
                           [(plain(row["network"]), significant(row["megabytes"]), row["checkpoints"], significant(row["open_ms"]),
                             significant(row["forward_ms"]), row["stimuli"], percent(row["open_of_forward"], 1)) for row in rows])}


def span(part, _gpu):
    result = part["result"]
    rows = result["rows"]
    return {"layers": rows[0]["layers"], "features": f"{rows[0]['fewest_features']:,} to {rows[0]['most_features']:,}",
            "memory_gib": result["memory_gib"],
            "others": said_others([part]),
            "table": table(("photos>", "s>", "network s>", "reduce s>"),
                           [(f"{row['photos']:,}" if row["photos"] else "none",
                             *(significant(row[key]) for key in ("seconds", "network_s", "reduce_s")))
                            for row in rows])}


def precision(part, gpu):
    rows = part["result"]["rows"]
    moved = lambda setting: [row["prediction_sd"] for row in rows if setting in row["setting"]]
    ends = lambda values: f"{min(values):.0e} to {max(values):.0e}"
    return {
        "table": table(("setting", "features", "predictions, largest difference in sd>", "score>"),
                       [(plain(row["setting"]), plain(row["features"]), f"{row['prediction_sd']:.1e}",
                         "" if row["score"] is None else f"{row['score']:.1e}")
                        for row in rows]),
        "halves": ends(moved("stored as float16") + moved("stored as bfloat16")),
        "singles": ends(moved("stored as float32") + moved("in fp32") + moved("fast against")),
        "converged": ends([row["score"] for row in rows if row["setting"].startswith("exact instead")]),
        "gpu": UNMEASURED if not gpu else "its speed is in the first section"}


PARTS = {"kernels": kernels, "scaling": scaling_values, "sweep": sweep, "throughput": throughput, "memory": memory, "gemm": gemm,
         "swap": swap, "span": span, "precision": precision}


# --- the page ---------------------------------------------------------------------------------------------------------


def has_results(part):
    return bool(part) and ("result" in part or any("failed" not in unit for unit in part.get("units", [])))


def reference(parts):
    """The part that was measured last: the page is of its machine and commit."""
    return max((part for part in parts.values() if has_results(part)), key=lambda part: part["where"].get("started", part["where"]["date"]),
               default=None)


def gate_values():
    names = sorted(json.loads(BASELINE.read_text())["instructions"])
    return {"gate.kernels": len(names), "gate.names": ", ".join(f"`{name}`" for name in names), "gate.bound": percent(BOUND)}


def filled(text, values):
    """`{name}` by its value; a name that there is none of is an error of the template."""
    return re.sub(r"\{([a-z_.]+)\}", lambda found: str(values[found[1]]), text)


def section(name, text, parts, last, gpu):
    heading, _, body = text.partition("\n")
    part = parts.get(name)
    lines = [heading, ""]
    if part and part.get("failed"):
        lines += ["Failed: " + "; ".join(f"{plain(what)}: {plain(why)}" for what, why in sorted(part["failed"].items())) + ".", ""]
    if not has_results(part):
        return "\n".join([*lines, f"Not measured: `./dev bench --only {name}` does.", "", ""])
    if ground_of(part) != ground_of(last):
        lines += [f"**Stale**: this section is of {said(part['where'])}, not of the machine and commit of this page.", ""]
    values = PARTS[name](part, gpu)
    return "\n".join([*lines, filled(body.strip("\n"), values), "", ""])


def page(parts, gpu=None):
    """The whole document."""
    last = reference(parts)
    head = "Nothing has been measured yet." if last is None else f"This page is of: {said(last['where'])}."
    begin, *sections = re.split(r"<!-- (?:part: (\w+)|always) -->\n", TEMPLATE.read_text())
    out = filled(begin, {"head": head})
    for name, text in zip(sections[::2], sections[1::2]):
        out += section(name, text, parts, last, gpu) if name else filled(text.strip("\n"), gate_values()) + "\n\n"
    return re.sub(r"[ \t]+\n", "\n", re.sub(r"\n{3,}", "\n\n", out)).strip("\n") + "\n"


def summary(parts):
    """README's short table, and where it is from."""
    part = parts.get("kernels")
    if not has_results(part):
        return ""
    rows = [row[:5] for row in peer_rows(part)]
    text = table(("job", "Cortiscore s>", "peer", "s>", "times ours>"), rows)
    return f"{text}\n\n{said(part['where'])}; {said_rounds(part['units'])}.\n"


def with_summary(text, parts):
    """README with the table between its marks renewed; as it is where it has none."""
    begin, end = README_MARKS
    if begin not in text or end not in text:
        return text
    before, rest = text.split(begin, 1)
    return before + begin + summary(parts) + end + rest.split(end, 1)[1]


def digest_of(part):
    """Of what the picture is drawn from: it stands in the picture, so that an old one is seen."""
    return hashlib.sha256(json.dumps(part, sort_keys=True).encode()).hexdigest()


def read(path):
    return json.loads(path.read_text())["parts"] if path.exists() else {}


def write(results, folder):
    """speed.md and speed_scaling.svg in a folder; in docs/, README's table too."""
    parts = read(results)
    gpu = json.loads(GPU.read_text()) if GPU.exists() else None
    (folder / "speed.md").write_text(page(parts, gpu))
    if has_results(parts.get("scaling")):
        from plot_scaling import plot

        plot(fits(parts["scaling"]), scaling.AXES, folder / "speed_scaling.svg", digest_of(parts["scaling"]))
    if folder == ROOT / "docs":
        readme = ROOT / "README.md"
        text = readme.read_text()
        if (new := with_summary(text, parts)) != text:
            readme.write_text(new)
    print(f"{folder / 'speed.md'} is of {results}")
    return 0
