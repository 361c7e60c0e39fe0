"""Layers that do not fit into memory, whole, by several passes and spilled to disk: the widest of ResNet-50 (802,816 features) by
PLS on the 640 images of macaque V4 (Cowley 2023), and every layer of VGG-16 by RDMs on the 92 of human IT (Kriegeskorte 2008).
Prints a table; --out puts its rows into a JSON file, in place of those of the same network.

    .venv/bin/python bench/memory_plans.py WORK [--only vgg16] [--out FILE]

`planned` is what the engine says it will take at most beside libraries, weights and stimuli, `resident` the most that the process
had, all included; scores must be the same to the bit whatever is allowed.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import time

import torch
import torchvision

from where import put_rows

ROOT = pathlib.Path(__file__).resolve().parents[1]
BINARY = os.environ.get("CORTISCORE_BINARY", str(ROOT / "build/cpu/cortiscore"))
sys.path.insert(0, str(ROOT / "python"))
from cortiscore import export

GIB = 2**30
V4, IT = "Cowley2023.V4-pls", "Kriegeskorte2008.IT.human-rdm"
STIMULI = {V4: 640, IT: 92}
# Network, layers, benchmark, GiB allowed, on disk or not: the first of a network is compared with.
ROWS = [("resnet50", "layer1.0*", V4, 16, False), ("resnet50", "layer1.0*", V4, 1, False), ("resnet50", "layer1.0*", V4, 1, True),
        ("vgg16", "*", IT, 16, False), ("vgg16", "*", IT, 1, False), ("vgg16", "*", IT, 1, True)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("--only")
    parser.add_argument("--out", type=pathlib.Path)
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    rows, first = [], {}
    print("| network | layers | stimuli | activations GiB | allowed GiB | on disk GiB | passes | s | planned GiB | resident GiB | resident / plan |")
    for network, match, benchmark, gib, spill in ROWS:
        if arguments.only and network != arguments.only:
            continue
        graph = arguments.work / f"{network}.pt2"
        if not graph.exists():
            torch.manual_seed(0)
            export(getattr(torchvision.models, network)().eval(), graph, input_size=224, mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])
        start = time.monotonic()
        done = subprocess.run([BINARY, "layers", graph, "-b", benchmark, "--match", match, "--memory-gib", str(gib), "--json",
                               *(["--spill", arguments.work] if spill else [])], capture_output=True, text=True)
        if done.returncode:
            sys.exit(done.stderr)
        profile = json.loads(done.stdout)
        peak = profile["peak_bytes"]
        scores = [(layer["layer"], layer["raw"], layer["error"]) for layer in profile["layers"]]
        if first.setdefault((network, match), scores) != scores:
            sys.exit(f"{network}: other scores with {gib} GiB")
        plan = peak["process"] + peak["stimuli"] + peak["planned"]
        row = {"network": network, "layers": len(scores), "benchmark": benchmark, "stimuli": STIMULI[benchmark],
               "activations_gib": round(sum(layer["features"] for layer in profile["layers"]) * STIMULI[benchmark] * 4 / GIB, 1),
               "allowed_gib": gib, "on_disk_gib": round(peak["spilled"] / GIB, 1), "passes": profile["timing_ms"]["forward_passes"],
               "seconds": round(time.monotonic() - start), "forward_s": round(profile["timing_ms"]["forward"] / 1e3),
               "reduce_s": round(profile["timing_ms"]["reduce"] / 1e3), "planned_gib": round(peak["planned"] / GIB, 2),
               "resident_gib": round(peak["resident"] / GIB, 2), "resident_over_plan": round(peak["resident"] / plan, 3)}
        rows.append(row)
        print("| " + " | ".join(str(row[k]) for k in ("network", "layers", "stimuli", "activations_gib", "allowed_gib", "on_disk_gib", "passes", "seconds",
                                                      "planned_gib",
                                                      "resident_gib", "resident_over_plan")) + " |", flush=True)
    if arguments.out:
        put_rows(arguments.out, rows)


if __name__ == "__main__":
    main()
