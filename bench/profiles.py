"""Profiles of three pretrained networks on real V1 and V4 recordings: bench/results/profiles.json, and the first one's page as a picture.

    .venv/bin/python bench/profiles.py MODELS WORK [--only NAME ...]

MODELS is a folder with zoo.py (as for bench/zoo_table.py), WORK keeps archives, whole profiles and pages. Needs the imported recordings
(./dev import-data) and a machine that does nothing else: a profile that is INVALID is written with its reasons.
"""
import argparse
import json
import pathlib
import subprocess

import zoo_table
from pictures import picture
from where import ROOT, where

V1, V4 = "Henaff2021.V1-pls", "Cowley2023.V4-pls"
# Layers compete; a layer is committed to and one thread is used; a layer does not fit into the memory that is allowed.
CASES = [("mobilenet_v1_0.25_128_coral", [V1, V4], []), ("squeezenet1_1", [V4], ["--threads", "1", "--layer", "body.features.9.squeeze_activation"]),
         ("efficientnet_lite0", [V4], ["--layer", "body.blocks.0", "--memory-gib", "0.6"])]


def summary(name, benchmarks, flags, profile):
    """What the page of documents says of it: the whole of it is in WORK."""
    wall = profile["wall_s"]
    return {"network": name, "benchmarks": benchmarks, "flags": flags,
            "valid": profile["verdict"]["valid"], "reasons": profile["verdict"]["reasons"], "wall_s": wall,
            "stages_over_wall": round(wall["stages_sum"] / wall["profiled"], 4), "images_s": profile["images_s"],
            "stages": {row["stage"]: round(row["share"], 4) for row in profile["stages"]}, "sweep": profile["sweep"],
            "changes": [{key: change[key] for key in ("flags", "predicted_gain", "tried")} for change in profile["changes"]],
            "equal": all(score["equal"] for score in profile["scores"])}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", type=pathlib.Path)
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("--only", nargs="*", default=[])
    arguments = parser.parse_args()
    cases = [case for case in CASES if not arguments.only or case[0] in arguments.only]
    arguments.work.mkdir(parents=True, exist_ok=True)
    rows = []
    for name, path, _ in zoo_table.archives(arguments.models, arguments.work, [case[0] for case in cases]):
        benchmarks, flags = next(case[1:] for case in cases if case[0] == name)
        command = [zoo_table.BINARY, "profile", path, *[word for one in benchmarks for word in ("-b", one)], *flags, "--repetitions", "12",
                   "--results", arguments.work / "results", "--page", arguments.work / f"{name}.html", "--json"]
        done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, text=True, check=True)
        (arguments.work / f"{name}.json").write_text(done.stdout)
        rows.append({**summary(name, benchmarks, flags, json.loads(done.stdout)), "where": where()})
        print(json.dumps(rows[-1], indent=1), flush=True)
    target = ROOT / "bench/results/profiles.json"
    measured = {row["network"] for row in rows}
    kept = [row for row in json.loads(target.read_text())["rows"] if row["network"] not in measured] if target.exists() else []
    target.write_text(json.dumps({"rows": kept + rows}, indent=1) + "\n")
    picture(arguments.work / f"{cases[0][0]}.html", ROOT / "docs/profile.png", 1100, 1500)


if __name__ == "__main__":
    main()
