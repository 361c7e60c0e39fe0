"""V1, V4 and IT along the training of a small network, self-supervised, from scratch: docs/training.md's figure.

    .venv/bin/python bench/training_curve.py ../shared/data/imagenet_sample_images_1000 [--steps 2000] [--out bench/results]
    .venv/bin/python bench/training_curve.py --plot bench/results/training_curve.json

Needs the recordings (./dev import-data) and matplotlib. Random crops of the photos, two of each, are told from those of other photos
(SimCLR: Chen et al. 2020). None of the photos is a stimulus of the benchmarks. The network of before training is the first point, and
pixels, through the same mapping, are the line below.
"""
import argparse
import datetime
import json
import os
import pathlib
import platform
import subprocess
import sys
import time

import numpy as np
import torch
import torchvision.transforms.v2 as transforms
from PIL import Image
from torch import nn
from torch.nn import functional

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "python"))
import cortiscore

BENCHMARKS = {"V1": "Henaff2021.V1-pls", "V4": "Cowley2023.V4-pls", "IT": "Kriegeskorte2008.IT.human-rdm"}
LAYERS = {"V1": "block1", "V4": "block3", "IT": "block4"}
SIZE = 64
INPUT = {"input_size": SIZE, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}


class Net(nn.Module):
    """Four blocks of a convolution, a batch norm and a rectifier, each at half the size of the one before."""

    def __init__(self, widths=(32, 64, 128, 256)):
        super().__init__()
        for i, (n_in, n_out) in enumerate(zip((3, *widths[:-1]), widths, strict=True), 1):
            kernel = 7 if i == 1 else 3
            setattr(self, f"block{i}", nn.Sequential(nn.Conv2d(n_in, n_out, kernel, 2, kernel // 2, bias=False), nn.BatchNorm2d(n_out), nn.ReLU()))
        self.features = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.projection = nn.Sequential(nn.Linear(widths[-1], 256), nn.ReLU(), nn.Linear(256, 64))

    def forward(self, x):
        return self.projection(self.features(self.block4(self.block3(self.block2(self.block1(x))))))


def contrast(one, other, temperature=0.2):
    """Cross entropy of finding the crop of the same photo among all others of the batch: NT-Xent, Chen et al. 2020, equation 1."""
    z = functional.normalize(torch.cat([one, other]))
    likeness = (z @ z.T / temperature).fill_diagonal_(-torch.inf)
    n = len(one)
    return functional.cross_entropy(likeness, torch.cat([torch.arange(n, 2 * n), torch.arange(n)]))


def photos_of(folder):
    """All photos, the short side 96 pixels, as bytes."""
    resize = transforms.Compose([transforms.Resize(96), transforms.CenterCrop(96), transforms.PILToTensor()])
    files = sorted(file for file in pathlib.Path(folder).rglob("*") if file.suffix.lower() in (".jpg", ".jpeg", ".png"))
    return torch.stack([resize(Image.open(file).convert("RGB")) for file in files])


def crops_of(photos):
    """A random part of each photo [n, 3, N, N] of bytes, a fifth of it or more, as it is or mirrored, its brightness, contrast and colour
    changed, one in five grey: all of a batch at once."""
    n = len(photos)
    one = lambda low, high: torch.empty(n, 1, 1, 1).uniform_(low, high)
    side = one(0.2, 1).sqrt()
    mirror = (torch.rand(n, 1, 1, 1) < 0.5).float() * -2 + 1
    room = 1 - side
    place = torch.zeros(n, 2, 3)
    place[:, 0, 0], place[:, 1, 1] = (side * mirror).flatten(), side.flatten()
    place[:, 0, 2], place[:, 1, 2] = (room * one(-1, 1)).flatten(), (room * one(-1, 1)).flatten()
    grid = functional.affine_grid(place, (n, 3, SIZE, SIZE), align_corners=False)
    x = functional.grid_sample(photos.float() / 255, grid, align_corners=False)
    grey = (x * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True)
    x = grey + (x - grey) * torch.where(torch.rand(n, 1, 1, 1) < 0.2, torch.zeros(()), one(0.6, 1.4))
    middle = x.mean((1, 2, 3), keepdim=True)
    x = ((x - middle) * one(0.6, 1.4) + middle * one(0.6, 1.4)).clamp(0, 1)
    return (x - torch.tensor(INPUT["mean"]).view(1, 3, 1, 1)) / torch.tensor(INPUT["std"]).view(1, 3, 1, 1)


def train(photos, steps, batch):
    torch.manual_seed(0)
    model = Net()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    probe = cortiscore.Probe(list(BENCHMARKS.values()), layers=LAYERS, every=[0, *cortiscore.log_spaced(steps, 14)], on_error="raise", **INPUT)
    losses, began = [], time.perf_counter()
    probe.step(0, model)
    for step in range(1, steps + 1):
        chosen = photos[torch.randint(len(photos), (batch,))]
        loss = contrast(model(crops_of(chosen)), model(crops_of(chosen)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        if found := probe.step(step, model):
            scores = {name: found.metrics.get(f"cortiscore/{benchmark}/ceiled") for name, benchmark in BENCHMARKS.items()}
            print(step, f"loss {np.mean(losses[-50:]):.3f}", scores, flush=True)
    return probe, losses, time.perf_counter() - began


def of_records(records):
    rows = {record["benchmark_identifier"]: record for record in records}
    return {name: {"ceiled": rows[benchmark]["score"]["ceiled"], "raw": rows[benchmark]["score"]["raw"], "ceiling": rows[benchmark]["score"]["ceiling"],
                   "ci_lo": rows[benchmark]["error"]["ci_lo"], "ci_hi": rows[benchmark]["error"]["ci_hi"]} for name, benchmark in BENCHMARKS.items()}


def run(arguments):
    photos = photos_of(arguments.photos)
    probe, losses, seconds = train(photos, arguments.steps, arguments.batch)
    pixels = cortiscore.score(nn.Sequential(nn.Flatten()), list(BENCHMARKS.values()), layers="0", identifier="pixels", **INPUT)
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    return {
        "benchmarks": BENCHMARKS, "layers": LAYERS, "photos": len(photos), "steps": arguments.steps, "batch": arguments.batch,
        "curve": [{"step": evaluation.step, **of_records(evaluation.records)} for evaluation in probe.history], "pixels": of_records(pixels),
        "loss": [round(float(np.mean(losses[i:i + 50])), 4) for i in range(0, len(losses), 50)],
        "seconds": round(seconds), "overhead": round(probe.overhead, 4), "failures": probe.failures,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores", "torch": torch.__version__, "commit": commit,
        "date": datetime.date.today().isoformat(),
    }


def plot(found, path):
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(BENCHMARKS), figsize=(10, 3.2), layout="constrained")
    place = lambda step: step or 0.5  # a logarithm has no zero
    for axis, (name, colour) in zip(axes, {"V1": "tab:blue", "V4": "tab:green", "IT": "tab:red"}.items(), strict=True):
        steps = [place(point["step"]) for point in found["curve"]]
        line = lambda key, name=name: [point[name][key] for point in found["curve"]]
        axis.fill_between(steps, line("ci_lo"), line("ci_hi"), color=colour, alpha=0.2, linewidth=0)
        axis.plot(steps, line("ceiled"), "o-", color=colour, markersize=3, label="training")
        axis.axhline(found["curve"][0][name]["ceiled"], color="grey", linestyle="--", linewidth=1, label="before training")
        axis.axhline(found["pixels"][name]["ceiled"], color="black", linestyle=":", linewidth=1, label="pixels")
        axis.set(xscale="log", title=f"{name}: {BENCHMARKS[name]}\n{LAYERS[name]}", xlabel="steps")
        axis.title.set_fontsize(9)
        ticks = [step for step in (0.5, 1, 10, 100, 1000, 10000) if step <= 2 * found["steps"]]
        axis.set_xticks(ticks, ["0", *(f"{step:g}" for step in ticks[1:])])
        axis.minorticks_off()
    axes[0].set_ylabel("ceiled score, 95 % interval")
    axes[0].legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=150)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", nargs="?")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--batch", type=int, default=96)
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "bench/results")
    parser.add_argument("--plot", type=pathlib.Path, help="draw what was found before")
    arguments = parser.parse_args()
    if arguments.plot:
        plot(json.loads(arguments.plot.read_text()), arguments.plot.with_suffix(".png"))
        return
    if not arguments.photos:
        parser.error("the folder of photos is missing")
    found = run(arguments)
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "training_curve.json").write_text(json.dumps(found, indent=1) + "\n")
    plot(found, arguments.out / "training_curve.png")


if __name__ == "__main__":
    main()
