"""The bench as one run: the mathematics beside peers by turns, how time grows, and whole jobs; then docs/speed.md from what was found.

    .venv/bin/python bench/suite.py [--only PART ...] [--quick] [--rounds N] [--again] [--render]

`kernels` and `scaling` run in rounds. In a round every job, and within a job Cortiscore and each peer, come in an order that is shuffled
anew (seeded), so that a machine that slows down slows all; ratios are taken within a round. Every measurement is a process of its own that
warms up first: one that fails is written down in words, and the rest goes on. The other parts are the scripts of this folder.

Results are written after every measurement (bench/results/cpu/suite.json). The same command goes on where it was killed, if machine,
cores, commit, changes beside the commit and programs are the same; a part of another is measured anew. Nothing else should run
meanwhile: how much other processes took is measured and stands in the document. Ends with 3 where something failed.
"""
import argparse
import contextlib
import datetime
import json
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import tempfile
import unicodedata

import render
import scaling
from jobs import JOBS, OURS
from where import ROOT, Others, ground, versions

BINARY = pathlib.Path(scaling.BINARY)
BENCH = pathlib.Path(os.environ.get("CORTISCORE_BENCH", BINARY.parent / "bench/math_bench"))
HERE = ROOT / "bench"
SEED = 1
LIMIT_S, SCRIPT_LIMIT_S = 1800, 4 * 3600
ROUNDS = {"kernels": {False: 5, True: 3}, "scaling": {False: 3, True: 2}}  # by --quick
SWEPT = "mobilenet_v1_0.25_128_coral"


def say(text):
    print(text, file=sys.stderr, flush=True)


def in_words(error, *folders):
    """What failed, in one line without control characters and without the names of this machine's folders."""
    text = str(error)
    for folder in folders:
        text = text.replace(f"{folder}/", "").replace(str(folder), ".")
    text = "".join(" " if unicodedata.category(c).startswith("C") else c for c in text)
    return re.sub(r"\s+", " ", text).strip()[:300] or type(error).__name__


class Failed(Exception):
    """A program that did not end well: its last line on stderr."""


def run(command, limit_s=LIMIT_S, **more):
    """Its stdout. What it has started ends with it, where it takes too long or this is stopped."""
    with subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace",
                          start_new_session=True, **more) as process:
        try:
            out, err = process.communicate(timeout=limit_s)
        except BaseException as stop:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if isinstance(stop, subprocess.TimeoutExpired):
                raise Failed(f"took more than {limit_s} s") from None
            raise
    if process.returncode:
        lines = [line for line in err.splitlines() if line.strip()] or ["no message"]
        how = f"was ended by signal {-process.returncode}" if process.returncode < 0 else f"ended with {process.returncode}"
        raise Failed(f"{how}: {lines[-1]}")
    return out


class Results:
    """The file of all parts, each with the ground that it was measured on; written whole, in place, after every measurement."""

    def __init__(self, path, here):
        self.path, self.here = path, here
        self.parts = json.loads(path.read_text())["parts"] if path.exists() else {}

    def of_this(self, name, **settings):
        """Whether a part was measured on this ground, with these settings."""
        old = self.parts.get(name, {})
        return {key: old.get("where", {}).get(key) for key in self.here} == self.here and old.get("settings") == settings

    def part(self, name, again, **settings):
        """The part to go on with: what is there of the same ground and settings, else an empty one. Failures are tried again."""
        old = self.parts.get(name, {})
        if again or not self.of_this(name, **settings):
            now = datetime.datetime.now(datetime.UTC)
            old = {"where": {**self.here, "date": now.date().isoformat(), "started": now.isoformat(timespec="seconds"),
                             "versions": versions()},
                   "settings": settings}
        old["failed"] = {}
        self.parts[name] = old
        return old

    def save(self):
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(".partial")
        partial.write_text(json.dumps({"schema_version": 1, "parts": self.parts}, indent=1) + "\n")
        os.replace(partial, self.path)


# --- the mathematics beside peers ------------------------------------------------------------------------------------


def google(name):
    """One measurement by Google Benchmark, warmed up: (seconds, rate of the counter or None)."""
    # A run of the job at least goes before those that count.
    result = json.loads(run([BENCH, f"--benchmark_filter=^{name}/cpu", "--benchmark_min_warmup_time=0.01",
                             "--benchmark_format=json"]))["benchmarks"][0]
    return result["real_time"] / 1e3, result.get("flops", result.get("bytes_per_second"))


def ours(job, folder):
    """(seconds, score or None)."""
    if not job.by_command_line:
        return google(job.bench)[0], None
    found = json.loads(run([BINARY, "-q", "--threads", "1", "metric", "pls", "--source", folder / "x.npy", "--target", folder / "y.npy",
                            "--bootstrap", "0", "--json"]))
    return found["timing_ms"]["score"] / 1e3, found["score"]


def peer_on(peer, folder, platform):
    if peer.platform:
        found = json.loads(run([platform, HERE / "platform_metrics.py", peer.function, folder]).splitlines()[-1])
    else:
        found = json.loads(run([sys.executable, HERE / "peers.py", peer.function, folder]).splitlines()[-1])
    return found["seconds"], found["score"]


def measure_job(key, part, folder, platform, rng):
    """One round of one job: everyone in a shuffled order, Cortiscore twice."""
    job = JOBS[key]
    who = [OURS, OURS, *(name for name, peer in job.peers.items() if platform or not peer.platform)]
    rng.shuffle(who)
    unit = {"job": key, "order": who, "seconds": {}, "scores": {}}
    for name in who:
        if f"{key} / {name}" in part["failed"]:
            continue
        try:
            seconds, score = ours(job, folder) if name == OURS else peer_on(job.peers[name], folder, platform)
        except (Failed, OSError, ValueError, KeyError, IndexError) as error:
            part["failed"][f"{key} / {name}"] = in_words(error, folder, ROOT)
            say(f"  {job.name}: {name} failed: {part['failed'][f'{key} / {name}']}")
            continue
        unit["seconds"].setdefault(name, []).append(seconds)
        if score is not None:
            unit["scores"][name] = score
    return unit


def measure_peaks():
    (_, products), (_, copies) = google("gemm"), google("copy_256MiB")
    return {"job": "peaks", "gemm_flops": products, "copy_bytes_per_second": copies}


def lacks(unit, key, part, platform):
    """Whether a job's turn was made without somebody who has not failed now."""
    return key != "peaks" and any(name not in unit["seconds"] and f"{key} / {name}" not in part["failed"]
                                  for name in [OURS, *(name for name, peer in JOBS[key].peers.items() if platform or not peer.platform)])


def kernels(results, a, work):
    keys = [key for key, job in JOBS.items() if not a.job or any(text in job.name or text == key for text in a.job)]
    part = results.part("kernels", a.again, seed=SEED)
    part.setdefault("units", [])
    run([sys.executable, HERE / "peers.py", "--data", work])
    rounds = a.rounds or ROUNDS["kernels"][a.quick]
    for turn in range(rounds):
        rng = random.Random(f"{SEED} {turn}")
        order = ["peaks", *keys]
        rng.shuffle(order)
        for key in order:
            there = next((u for u in part["units"] if (u["round"], u["job"]) == (turn, key)), None)
            if there and not lacks(there, key, part, a.platform):
                continue
            others = Others()
            try:
                own = random.Random(f"{SEED} {turn} {key}")
                unit = measure_peaks() if key == "peaks" else measure_job(key, part, work, a.platform, own)
            except (Failed, OSError, ValueError, KeyError, IndexError) as error:
                part["failed"]["peaks"] = in_words(error, work, ROOT)
                say(f"  peaks failed: {part['failed']['peaks']}")
                continue
            part["units"] = [u for u in part["units"] if u is not there] + [{"round": turn, **unit, **others.taken()}]
            results.save()
            if key != "peaks":
                say(f"  round {turn + 1} of {rounds}: {JOBS[key].name}: "
                    + ", ".join(f"{name} {min(s):.3f} s" for name, s in unit["seconds"].items()))


# --- how time grows ---------------------------------------------------------------------------------------------------


def scale(results, a, work):
    part = results.part("scaling", a.again, seed=SEED)
    part.setdefault("units", [])
    run([sys.executable, ROOT / "data_manifests/simulate_cortex.py", "--home", work / "home"])
    folder = work / "scaling"
    folder.mkdir(exist_ok=True)
    rounds = a.rounds or ROUNDS["scaling"][a.quick]
    for turn in range(rounds):
        todo = [(key, size) for key, axis in scaling.AXES.items() if not a.axis or key in a.axis for size in axis.sizes[:a.sizes]]
        random.Random(f"{SEED} {turn}").shuffle(todo)
        for key, size in todo:
            if any((u["round"], u["axis"], u["size"]) == (turn, key, size) for u in part["units"]):
                continue
            others = Others()
            try:
                found = scaling.AXES[key].measure(size, folder)
            except Exception as error:  # whatever one size does, the others are measured
                part["failed"][f"{key} {size}"] = in_words(error, folder, work, ROOT)
                say(f"  {key} {size} failed: {part['failed'][f'{key} {size}']}")
            else:
                part["units"].append({"round": turn, "axis": key, "size": size, **found, **others.taken()})
            results.save()
        say(f"  round {turn + 1} of {rounds} of {len(todo)} sizes")


# --- whole jobs: the other scripts ------------------------------------------------------------------------------------


def graph_of_sweep(a, work):
    path = work / f"{SWEPT}.pt2"
    if not path.exists():
        run([sys.executable, "-c", "import pathlib, sys; sys.path.insert(0, sys.argv[1]); import zoo_table\n"
             "list(zoo_table.archives(pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3]), [sys.argv[4]]))",
             HERE, a.data / "models", work, SWEPT])
    return path


def recordings(a, work):
    if not (work / "home/data/Kriegeskorte2008/IT_human.nc").exists():
        say("  importing two recordings")
        run([sys.executable, ROOT / "data_manifests/import_recordings.py", a.data, "--home", work / "home", "--only", "Cowley2023",
             "Kriegeskorte2008"])


def commands(name, a, work, out):
    """What a part runs, one after the other."""
    photos = a.data / "imagenet_sample_images_1000/images_256_jpeg85"
    match name:
        case "gemm":
            return [["gemm_share.py", "--repetitions", 3 if a.quick else 5, "--out", out]]
        case "precision":
            return [["precision.py", "--out", out]]
        case "swap":
            return [["swap_weights.py", work / "swap", "--network", network, "--count", count, "--out", out]
                    for network, count in (("resnet18", 4 if a.quick else 6), ("mobilenet_v3_small", 20 if a.quick else 100))]
        case "sweep":
            count, sample = (40, 2) if a.quick else (300, 3)
            graph = graph_of_sweep(a, work)
            return [["sweep_table.py", graph, work / f"sweep_{count}", "--count", count, "--sample", sample, "--out", out]]
        case "throughput":
            return [["throughput_table.py", work / "throughput", "--photos", photos, "--images", 320 if a.quick else 2560, "--out", out]]
        case "memory":
            return [["memory_plans.py", work / "memory", "--out", out]]
        case "span":
            return [["span_cost.py", work / "span", "--photos", photos, "--out", out]]
    raise AssertionError(name)


def whole_job(name, results, a, work):
    """One part that a script, or several, measure in one go: done, or not begun."""
    # What was measured whole is good enough for a quick run.
    whole = results.part(name, a.again, quick=False) if a.quick and results.of_this(name, quick=False) else None
    part = whole or results.part(name, a.again, quick=a.quick)
    if "result" in part:
        say("  there already, of this machine, commit and programs; --again measures it anew")
        return
    others = Others()
    with tempfile.TemporaryDirectory(dir=work) as folder:
        out = pathlib.Path(folder) / "out.json"
        try:
            if name in NEED_RECORDINGS:
                recordings(a, work)
            for command in commands(name, a, work, out):
                say(f"  {command[0]}")
                run([sys.executable, HERE / command[0], *command[1:]], SCRIPT_LIMIT_S, cwd=ROOT)
            part["result"] = without_where(json.loads(out.read_text()), part["where"])
            part |= others.taken()
        except (Failed, OSError, ValueError, KeyError) as error:
            part["failed"][name] = in_words(error, work, a.data, ROOT)
            say(f"  failed: {part['failed'][name]}")
    results.save()


def without_where(result, here):
    """A script's result, its rows' origin left out: it is the part's, which is made sure of."""
    for row in [result, *result.get("rows", [])]:
        origin = row.pop("where", None) or {key: row.pop(key) for key in ("machine", "cores", "commit", "date") if key in row}
        if any(origin.get(key, here[key]) != here[key] for key in ("machine", "cores", "commit")):
            raise ValueError(f"a row comes from {origin}, expected {here['machine']} at {here['commit']}")
    return result


NEED_RECORDINGS = {"swap", "sweep", "memory", "span"}
SCRIPTS = ("gemm", "precision", "swap", "sweep", "throughput", "memory", "span")
PARTS = ("kernels", "scaling", *SCRIPTS)
QUICK = ("kernels", "scaling", "gemm", "precision", "swap", "sweep")


def arguments():
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--quick", action="store_true",
                        help=f"fewer rounds and smaller jobs, of {', '.join(QUICK)}: about 20 minutes on two cores, not 80")
    parser.add_argument("--rounds", type=int,
                        help="of kernels and scaling [5 and 3; quick: 3 and 2]; more than there are goes on with those")
    parser.add_argument("--job", nargs="+", help="kernels: only jobs whose names have this in them")
    parser.add_argument("--axis", nargs="+", choices=scaling.AXES, metavar="AXIS", help=f"scaling: of {', '.join(scaling.AXES)}")
    parser.add_argument("--sizes", type=int, help="scaling: so many of the smallest sizes of each axis, to rehearse")
    parser.add_argument("--again", action="store_true", help="measure what is there anew")
    parser.add_argument("--platform", type=pathlib.Path,
                        help="the interpreter of an environment with brainscore-vision: its own metric classes take part")
    parser.add_argument("--render", action="store_true", help="measure nothing, write docs/speed.md and its picture from the results")
    parser.add_argument("--out", type=pathlib.Path, help="folder for results, document and picture, instead of bench/results/cpu and docs")
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "build/bench-suite",
                        help="folder for networks, weights and recordings, which stay")
    parser.add_argument("--data", type=pathlib.Path, default=ROOT.parent / "shared/data",
                        help="folder of the recordings, photos and networks")
    a = parser.parse_args()
    if a.rounds is not None and a.rounds < 1:
        parser.error("--rounds: expected 1 or more")
    if a.sizes is not None and a.sizes < 1:
        parser.error("--sizes: expected 1 or more")
    if a.job and not any(text in job.name or text == key for text in a.job for key, job in JOBS.items()):
        parser.error(f"--job: found none called like that; there are {', '.join(job.name for job in JOBS.values())}")
    return a


def main():
    a = arguments()
    results_path = (a.out or ROOT / "bench/results/cpu") / "suite.json"
    documents = a.out or ROOT / "docs"
    if a.render:
        return render.write(results_path, documents)
    work = a.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    a.data = a.data.resolve()
    os.environ["CORTISCORE_HOME"] = str(work / "home")
    results = Results(results_path, ground(BINARY, BENCH))
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # programs that it has started end with it
    failed = {}
    try:
        for name in a.only or (QUICK if a.quick else PARTS):
            say(f"== {name}")
            try:
                {"kernels": kernels, "scaling": scale}.get(name, lambda *rest: whole_job(name, *rest))(results, a, work)
            except (Failed, OSError) as error:  # what a part needs before it begins
                results.parts[name]["failed"][name] = in_words(error, work, a.data, ROOT)
                say(f"  failed: {results.parts[name]['failed'][name]}")
            results.save()
            failed |= {f"{name}: {what}": why for what, why in results.parts[name]["failed"].items()}
    except KeyboardInterrupt:
        results.save()
        say("stopped; the same command goes on from here")
        return 130
    render.write(results_path, documents)
    for what, why in failed.items():
        say(f"failed: {what}: {why}")
    return 3 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
