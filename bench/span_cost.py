"""What it costs to keep layers in the span of reference photos, as choosing layers on the platform does: ten layers of
EfficientNet-Lite0 on the 640 stimuli of macaque V4 (Cowley 2023), with and without. Prints a table; --out writes it as JSON.

    .venv/bin/python bench/span_cost.py WORK [--photos FOLDER] [--candidates 10] [--out FILE]
"""
import argparse
import csv
import json
import os
import pathlib
import subprocess
import sys
import time

from where import ROOT, where

BINARY = os.environ.get("CORTISCORE_BINARY", str(ROOT / "build/cpu/cortiscore"))
BENCHMARK, MEMORY_GIB = "Cowley2023.V4-pls", 6


def layers(graph, candidates, *flags):
    """(seconds of the process, its profile)."""
    start = time.monotonic()
    done = subprocess.run([BINARY, "layers", graph, "-b", BENCHMARK, "--candidates", str(candidates), "--memory-gib", str(MEMORY_GIB),
                           *flags, "--json"],
                          capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return time.monotonic() - start, json.loads(done.stdout.splitlines()[0])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("--photos", type=pathlib.Path, default=ROOT.parent / "shared/data/imagenet_sample_images_1000/images_256_jpeg85")
    parser.add_argument("--candidates", type=int, default=10)
    parser.add_argument("--out", type=pathlib.Path)
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    files = sorted(arguments.photos.resolve().glob("*.jpg"))
    if not files:
        sys.exit(f"{arguments.photos}: found no .jpg, expected the reference photos. --photos names their folder.")
    table = arguments.work / "photos.csv"
    with open(table, "w", newline="", encoding="utf-8") as out:
        csv.writer(out).writerows([("stimulus_id", "filename"), *((file.stem, str(file)) for file in files)])
    graph = arguments.work / "efficientnet_lite0.pt2"
    if not graph.exists():
        subprocess.run([BINARY, "-q", "model", "export", "efficientnet_lite0", "-o", graph], check=True)
    rows = []
    for photos, flags in ((0, []), (len(files), ["--reference-photos", table])):
        seconds, profile = layers(graph, arguments.candidates, *flags)
        features = [layer["features"] for layer in profile["layers"]]
        rows.append({"photos": photos, "layers": len(features), "seconds": round(seconds, 1), "fewest_features": min(features),
                     "most_features": max(features),
                     **{f"{key}_s": round(profile["timing_ms"][key] / 1e3, 1) for key in ("network", "reduce")}})
    print("| photos | layers | s | network s | reduce s |\n|--:|--:|--:|--:|--:|")
    for r in rows:
        print(f"| {r['photos']} | {r['layers']} | {r['seconds']} | {r['network_s']} | {r['reduce_s']} |")
    if arguments.out:
        arguments.out.write_text(json.dumps({"where": where(), "memory_gib": MEMORY_GIB, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
