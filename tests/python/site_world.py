"""Stores to make sites of: records as the engine writes them, what ranks them without it, and a program that answers as its command line does."""
import hashlib
import json
import random
import stat
import sys

import google_crc32c

SHA = lambda *of: hashlib.sha256(repr(of).encode()).hexdigest()
STREAM = {"V1": "V1", "V2": "V2", "V4": "V4", "IT": "IT", "EVC": "EVC"}
BENCHMARKS = {  # identifier: (region, metric, ceiling)
    "Simulated2026.V1-pls": ("V1", "pls", 0.82), "Henaff2021.V1-pls": ("V1", "pls", 0.7), "FreemanZiemba2013.V2-pls": ("V2", "pls", 0.75),
    "Cowley2023.V4-pls": ("V4", "pls", 0.745), "Simulated2026.V4-pls": ("V4", "pls", 0.756), "Simulated2026.IT-pls": ("IT", "pls", 0.661),
    "Kriegeskorte2008.IT.human-rdm": ("IT", "rdm", 0.656),
    "Geirhos2021cueconflict-error_consistency": ("behavior", "error_consistency", 0.4),
    "Simulated2026-error_consistency": ("behavior", "error_consistency", 0.455), "Lab2026.V4-ridge": ("V4", "ridge", 0.6),
}


def record(network, benchmark, ceiled, rng, *, region="V4", metric="pls", ceiling=0.7, error=0.02, tags=None, size=None, candidates=None,
           **more):
    """One record of a network on a benchmark that is ok, with every field that pages show."""
    raw = (max(ceiled, 0) * ceiling) ** 0.5
    layers = candidates or [f"blocks.{place}" for place in range(12)]
    halves = [[raw - 0.01 * abs(place - 7) - 0.01 * rng.random() for place in range(len(layers))] for _ in range(2)]
    chosen = [layers[half.index(max(half))] for half in halves]
    return {
        "schema_version": 1, "key": SHA(network, benchmark), "status": "ok", "model_identifier": network, "benchmark_identifier": benchmark,
        "benchmark_version": 1, "benchmark_sha256": SHA(benchmark), "region": region, "parent": region,
        "engine": {"version": "0.1.0", "torch": "2.11.0"},
        "start": "2026-11-30T00:00:00Z", "end": "2026-11-30T00:10:00Z", "graph_sha256": SHA("graph", network),
        "weights_sha256": SHA("weights", network),
        "data_sha256": [SHA(benchmark, 1)], "metric": {"name": metric, "params": {"n_components": 25}},
        "layer": " + ".join(dict.fromkeys(chosen)),
        "layer_selection": {"method": "alternating_halves", "by": "object_name", "candidates": layers, "chosen": chosen,
                            "raw_on_selecting_half": halves},
        "score": {"raw": raw, "ceiling": ceiling, "ceiled": ceiled, "ceiling_convention": "r2_over_c"},
        "raw": {"score": raw, "error": 0.004, "ci_lo": raw - 0.03, "ci_hi": raw + 0.03},
        "ceiling": {"ceiling": ceiling, "error": 0.003, "ci_lo": ceiling - 0.05, "ci_hi": ceiling + 0.05},
        "error": {"sem": 0.005, "ceiled": error, "ci_lo": ceiled - 1.96 * error, "ci_hi": ceiled + 1.96 * error, "level": 0.95,
                  "method": "percentile bootstrap over neuroid", "n_boot": 1000, "seed": 0},
        "split_scores": [raw] * 10, "split_ceilings": [ceiling] * 10, "populations": [],
        "n": {"neuroids": 50, "stimuli": 640, "splits": 20},
        "precision": {"activations": "float32", "metric": "float64", "tf32": False}, "device": {"name": "cpu"}, "warnings": [],
        "preprocessing": {"size": 224, "resize": "pillow_bilinear", "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]},
        "timing_ms": {"load": 1.0, "forward": 60000.0, "reduce": 40000.0, "fit": 2000.0, "total": 103000.0},
        **({"tags": tags} if tags else {}), **({"network": size} if size else {}), **more,
    }


def failure(network, benchmark, message="the archive's weights hold NaN", region="V4", **more):
    return {"schema_version": 1, "key": SHA("failed", network, benchmark), "status": "failed", "model_identifier": network,
            "path": f"{network}.pt2",
            "benchmark_identifier": benchmark, "benchmark_version": 1, "benchmark_sha256": SHA(benchmark), "region": region,
            "parent": region,
            "engine": {"version": "0.1.0", "torch": "2.11.0"}, "end": "2026-11-30T00:10:00Z", "error_type": 5, "message": message, **more}


def imported(network, benchmark, ceiled, region="V4"):
    return {"schema_version": 1, "key": SHA("imported", network, benchmark), "status": "imported", "model_identifier": network,
            "benchmark_identifier": benchmark,
            "benchmark_version": 1, "benchmark_sha256": SHA(benchmark), "region": region, "parent": region,
            "engine": {"version": "0.1.0", "torch": "2.11.0"},
            "end": "2026-11-30T00:00:00Z", "score": {"raw": None, "ceiling": None, "ceiled": ceiled, "ceiling_convention": None},
            "imported": {"file": "published.csv", "sha256": SHA("published"), "source": "Schrimpf et al. 2018", "row": 4,
                         "date": "2026-11-30"}}


def store_of(networks=24, seed=0):
    """Records of networks on BENCHMARKS, with failures, what is missing, imported scores, two trainings of eight steps each."""
    rng = random.Random(seed)
    found = []
    names = [f"{family}_{place}" for place in range(networks) for family in [("resnet", "mobilenet", "vit", "convnext")[place % 4]]]
    for place, name in enumerate(names):
        size = {"parameters": int(10 ** (5.6 + 0.1 * place)), "weight_layers": 10 + 4 * place}
        tags = None
        if place >= networks - 16 > 0:
            at = place - (networks - 16)
            tags = {"run": ("first", "second")[at // 8], "step": str(500 * (at % 8)), "epoch": f"{at % 8 / 2}", "lr": "0.1"}
        good = 0.25 + 0.018 * place + 0.02 * rng.random()
        for number, (benchmark, (region, metric, ceiling)) in enumerate(BENCHMARKS.items()):
            kind = (place * 7 + number * 3) % 41
            if kind == 3:
                continue
            if kind == 5:
                found.append(failure(name, benchmark, region=region, tags=tags or {}))
            elif kind == 7:
                found.append(imported(name, benchmark, good, region))
            else:
                warnings = ["1 of 50 neuroids has no correlation in some split: site_07"] if kind == 11 else []
                found.append(record(name, benchmark, min(0.95, good + 0.1 * rng.random() * (1 + number % 3)), rng, region=region,
                                    metric=metric, ceiling=ceiling,
                                    tags=tags, size=size, warnings=warnings))
    return found


def line(of):
    """A line of a shard (docs/formats.md)."""
    text = json.dumps(of, sort_keys=True, separators=(",", ":"))
    return f'{{"crc32c":"{google_crc32c.value(text.encode()):08x}","record":{text}}}\n'


def shard(folder, name, records):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.jsonl").write_text("".join(map(line, records)), encoding="utf-8")
    return folder


def mean(values):
    found = [value for value in values if value is not None]
    return sum(found) / len(found) if found else None


def ranks_of(records, benchmarks=None):
    """What `cortiscore rank --json` prints of records, in shape: means of what exists, errors as if benchmarks were independent."""
    names = sorted(benchmarks or {one["benchmark_identifier"] for one in records})
    by_network = {}
    for one in records:
        by_network.setdefault(one["model_identifier"], {})[one["benchmark_identifier"]] = one
    region = {one["benchmark_identifier"]: one["region"] for one in records}
    rows = []
    for network, of in by_network.items():
        score = lambda name: (of.get(name, {}).get("score") or {}).get("ceiled")
        inside = lambda node: [name for name in names if region.get(name) == node]
        nodes = {node: mean(score(name) for name in inside(node)) for node in ("V1", "V2", "EVC", "V4", "IT")}
        nodes = {"neural_vision": mean(nodes.values()), **nodes, "behavior_vision": mean(score(name) for name in inside("behavior"))}
        total = mean([nodes["neural_vision"], nodes["behavior_vision"]])
        ends = lambda value, error: None if value is None else [value - 1.96 * error, value + 1.96 * error]
        error_of = lambda name: (of.get(name, {}).get("error") or {}).get("ceiled")
        rows.append({
            "rank": None, "rank_lo": None, "rank_hi": None, "model_identifier": network, "score": total,
            "error": None if total is None else 0.01,
            "ci_lo": None if total is None else total - 0.02, "ci_hi": None if total is None else total + 0.02, "paired": True,
            "imported": any(one["status"] == "imported" for one in of.values()), "nodes": nodes,
            "node_intervals": {node: ends(value, 0.012) for node, value in nodes.items() if value is not None},
            "leaves": {name: score(name) for name in names},
            "leaf_intervals": {name: ends(score(name), error_of(name)) if error_of(name) is not None else None for name in names},
            "status": {name: of[name]["status"] if name in of else "missing" for name in names},
            "records": {name: of[name]["key"] for name in names if name in of},
        })
    rows.sort(key=lambda row: (row["score"] is None, -(row["score"] or 0), row["model_identifier"]))
    first = None
    for place, row in enumerate(rows, 1):
        if row["score"] is None:
            continue
        if first is None or first["score"] - row["score"] > 0.028:
            first = {"score": row["score"], "rank": place}
        row.update(rank=first["rank"], rank_lo=max(1, place - 2), rank_hi=min(len(rows), place + 2))
    return rows


ENGINE = """#!{python}
import json, os, pathlib, sys
sys.path.insert(0, {here!r})
import site_world
words = sys.argv[1:]
if words[:2] == ["data", "table"]:
    os.execv({real!r}, [{real!r}, *words])
folder = pathlib.Path(words[words.index("--results") + 1]) if "--results" in words else None
if words[:2] == ["benchmark", "list"]:
    lines = json.loads(pathlib.Path({cards!r}).read_text())
else:
    lines = [json.loads(text)["record"] for path in sorted(folder.glob("*.jsonl")) for text in path.read_text().splitlines()]
    if words[0] == "rank":
        lines = site_world.ranks_of(lines)
for one in lines:
    print(json.dumps(one))
"""


def engine(folder, cards, real="/bin/false"):
    """A program that answers `results export`, `rank --json` and `benchmark list --json` of any store of whole lines; what a table is, the
    real one says."""
    (folder / "cards.json").write_text(json.dumps(cards))
    path = folder / "cortiscore"
    path.write_text(ENGINE.format(python=sys.executable, here=str(__import__("pathlib").Path(__file__).parent),
                                  cards=str(folder / "cards.json"), real=str(real)))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path
