"""What it costs to put the next weight file into a graph that is there, beside the forward pass over 640 images (macaque V4):
a sweep over perturbed networks in one process. Prints a row; --out puts it into a JSON file of one row a network.

    .venv/bin/python bench/swap_weights.py WORK [--network resnet18] [--count 6] [--out FILE]

`open` is reading a weight file, hashing it, matching names and rebinding: all that lies between two checkpoints of a sweep,
which does it while the one before is scored. The first checkpoint loads the graph and is left out.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys

import torch
import torchvision
from safetensors.torch import save_file

from where import put_rows

ROOT = pathlib.Path(__file__).resolve().parents[1]
BINARY = os.environ.get("CORTISCORE_BINARY", str(ROOT / "build/cpu/cortiscore"))
sys.path.insert(0, str(ROOT / "python"))
from cortiscore import export


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("--network", default="resnet18", help="of torchvision")
    parser.add_argument("--count", type=int, default=6)
    parser.add_argument("--out", type=pathlib.Path)
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    model = getattr(torchvision.models, arguments.network)().eval()
    arguments.work = arguments.work / arguments.network
    arguments.work.mkdir(exist_ok=True)
    graph = arguments.work / "graph.pt2"
    if not graph.exists():
        export(model, graph, input_size=224, mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])
    for i in range(arguments.count):
        path = arguments.work / f"{i:02d}.safetensors"
        if not path.exists():
            save_file({k: (v * (1 + 0.01 * i)).contiguous() if v.is_floating_point() else v for k, v in model.state_dict().items()}, path)
    done = subprocess.run([BINARY, "sweep", *sorted(map(str, arguments.work.glob("*.safetensors"))), "--graph", str(graph), "-b", "Cowley2023.V4-pls",
                           "--layer", "avgpool", "--again", "--results", str(arguments.work / "results"), "--json"], capture_output=True, text=True)
    records = [r for r in map(json.loads, done.stdout.splitlines()) if r.get("status") == "ok"]
    if done.returncode or len(records) != arguments.count:
        sys.exit(done.stderr)
    swaps, passes = ([r["timing_ms"][key] for r in records[1:]] for key in ("open", "forward"))
    row = {"network": arguments.network, "megabytes": round(os.path.getsize(arguments.work / "00.safetensors") / 1e6, 1), "stimuli": records[0]["n"]["stimuli"],
           "checkpoints": len(swaps), "open_ms": round(statistics.median(swaps), 1), "forward_ms": round(statistics.median(passes), 1),
           "open_of_forward": round(statistics.median(s / p for s, p in zip(swaps, passes)), 4)}
    print(f"{row['network']}, {row['megabytes']} MB of weights, {row['stimuli']} stimuli, {row['checkpoints']} checkpoints: open {row['open_ms']} ms, "
          f"forward {row['forward_ms']} ms, {100 * row['open_of_forward']:.2f} %")
    if arguments.out:
        put_rows(arguments.out, [row])


if __name__ == "__main__":
    main()
