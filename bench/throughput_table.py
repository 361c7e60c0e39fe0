"""Scoring a ResNet-50 with 20 layers on 2560 images and 256 neuroids: Cortiscore, and what a script of one's own does (Pillow,
torchvision's transforms, forward hooks, `.cpu().numpy()`, scikit-learn). Where does the time go, beside the network itself?

    .venv/bin/python bench/throughput_table.py WORK [--images 2560] [--photos FOLDER] [--layers 20] [--out FILE]

The network has random weights, and every layer is averaged over space (64 to 2048 features), as one would to score twenty
layers in memory. Images are the photos of FOLDER over and again under new names, decoded every time. Responses are a random map
of one layer with noise, so that the regression has something to find. Both use all cores; they run one after the other.
scikit-learn fits one split of ten in every layer and is counted ten times. Stimuli and archive are kept in WORK.
"""
import argparse
import csv
import json
import os
import pathlib
import subprocess
import sys
import time
import warnings

import numpy as np
import torch
import torchvision
import xarray as xr
from PIL import Image
from sklearn.cross_decomposition import PLSRegression
from sklearn.model_selection import ShuffleSplit

from where import where

ROOT = pathlib.Path(__file__).resolve().parents[1]
BINARY = os.environ.get("CORTISCORE_BINARY", str(ROOT / "build/cpu/cortiscore"))
sys.path.insert(0, str(ROOT / "python"))
warnings.filterwarnings("ignore")
SIZE, NEUROIDS, TRIALS, COMPONENTS, SPLITS = 224, 256, 4, 25, 10
IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}


class MeanOverSpace(torch.nn.Module):
    def forward(self, x):
        return x.mean((2, 3))


class Pooled(torch.nn.Module):
    """ResNet-50, and the mean over space of twenty of its modules as modules of their own."""

    def __init__(self):
        super().__init__()
        self.network = torchvision.models.resnet50(weights=None)
        blocks = [(f"layer{i}", block) for i in range(1, 5) for block in getattr(self.network, f"layer{i}")]
        stages = [("conv1", self.network.conv1), ("bn1", self.network.bn1), ("maxpool", self.network.maxpool), *blocks, ("avgpool", self.network.avgpool)]
        self.pools = torch.nn.ModuleDict()
        for i, (name, module) in enumerate(stages):
            pool = MeanOverSpace()
            self.pools[f"{i:02d}_{name}"] = pool
            module.register_forward_hook(lambda _m, _i, output, pool=pool: (pool(output), None)[1])

    def forward(self, images):
        return self.network(images)


def prepare(work, n, photos):
    """Archive, stimuli, recordings and manifest; returns the model and the files of the stimuli."""
    from cortiscore import export

    torch.manual_seed(0)
    model = Pooled().eval()
    if not (work / "resnet50.pt2").exists():
        export(model, work / "resnet50.pt2", input_size=SIZE, **IMAGENET)
    known = sorted(photos.glob("*.jpg"))
    files = [known[i % len(known)] for i in range(n)]
    ids = [f"s{i:05d}" for i in range(n)]
    with open(work / "stimuli.csv", "w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(["stimulus_id", "filename"])
        writer.writerows(zip(ids, map(str, files)))
    generator = np.random.default_rng(0)
    signal = generator.normal(size=(n, 30)) @ generator.normal(size=(30, NEUROIDS))
    # Of the images, so that layers predict some of it: their mean colours at 8 x 8.
    small = np.stack([np.asarray(Image.open(file).convert("RGB").resize((8, 8))).ravel() for file in known])[np.arange(n) % len(known)]
    signal += (small - small.mean(0)) / small.std() @ generator.normal(size=(small.shape[1], NEUROIDS))
    trials = signal + 3 * generator.normal(size=(TRIALS, *signal.shape))
    xr.DataArray(trials.reshape(-1, NEUROIDS), dims=["presentation", "neuroid"], name="data",
                 coords={"stimulus_id": ("presentation", ids * TRIALS), "repetition": ("presentation", np.repeat(range(TRIALS), n)),
                         "neuroid_id": ("neuroid", [f"n{i}" for i in range(NEUROIDS)])}).to_netcdf(work / "responses.nc", engine="h5netcdf")
    (work / "bench.json").write_text(json.dumps({
        "schema_version": 1, "identifier": "Bench2026.IT-pls", "version": 1, "kind": "neural", "region": "IT", "visual_degrees": 8,
        "stimulus_set": str(work / "stimuli.csv"), "assemblies": [{"identifier": "bench", "file": str(work / "responses.nc")}],
        "metric": {"name": "pls", "n_components": COMPONENTS},
        "splits": {"kind": "shuffle", "n_splits": SPLITS, "train_fraction": 0.9, "seed": 1},
        "ceiling": {"name": "internal_consistency", "n_splits": 10, "seed": 1}}))
    return model, files, trials.mean(0)


def ours(work, layers):
    """Wall seconds of `layers` on every layer, its stages in ms, and the scores."""
    start = time.monotonic()
    done = subprocess.run([BINARY, "layers", work / "resnet50.pt2", "-b", work / "bench.json", "--match", "pools.*", "--json"],
                          capture_output=True, text=True)
    wall = time.monotonic() - start
    if done.returncode:
        sys.exit(done.stderr)
    profile = json.loads(done.stdout.splitlines()[0])
    found = {layer["layer"]: layer["raw"] for layer in profile["layers"]}
    return wall, profile["timing_ms"], {name: found[name] for name in layers}


def plain(model, files, targets, layers):
    """(seconds of decoding and transforms, of the network, of what hooks do, of scikit-learn), and its scores."""
    from torchvision import transforms

    transform = transforms.Compose([transforms.Resize((SIZE, SIZE), antialias=True), transforms.ToTensor(), transforms.Normalize(**IMAGENET)])
    features, hook_s = {name: [] for name in layers}, [0.0]

    def hook(name):
        def keep(_module, _inputs, output):
            start = time.monotonic()
            features[name].append(output.detach().cpu().numpy())
            hook_s[0] += time.monotonic() - start

        return keep

    handles = [pool.register_forward_hook(hook(f"pools.{name}")) for name, pool in model.pools.items() if f"pools.{name}" in layers]
    decode_s = network_s = 0.0
    with torch.no_grad():
        for begin in range(0, len(files), 64):
            start = time.monotonic()
            batch = torch.stack([transform(Image.open(file).convert("RGB")) for file in files[begin:begin + 64]])
            decode_s += time.monotonic() - start
            start = time.monotonic()
            model(batch)
            network_s += time.monotonic() - start
    network_s -= hook_s[0]
    for handle in handles:
        handle.remove()
    scores, start = {}, time.monotonic()
    train, test = next(ShuffleSplit(1, test_size=0.1, random_state=1).split(targets))
    for name in layers:
        x = np.concatenate(features[name])
        predicted = PLSRegression(COMPONENTS, scale=False).fit(x[train], targets[train]).predict(x[test])
        a, b = predicted - predicted.mean(0), targets[test] - targets[test].mean(0)
        scores[name] = float(np.median((a * b).sum(0) / np.sqrt((a * a).sum(0) * (b * b).sum(0))))
    return decode_s, network_s, hook_s[0], SPLITS * (time.monotonic() - start), scores


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("--images", type=int, default=2560)
    parser.add_argument("--layers", type=int, default=20)
    parser.add_argument("--photos", type=pathlib.Path, default=ROOT.parent / "shared/data/imagenet_sample_images_1000/images_256_jpeg85")
    parser.add_argument("--out", type=pathlib.Path)
    arguments = parser.parse_args()
    work = arguments.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    model, files, targets = prepare(work, arguments.images, arguments.photos)
    layers = [f"pools.{name}" for name in model.pools][-arguments.layers:]
    n = arguments.images
    wall, timing, our_scores = ours(work, layers)
    ms = {name: value / 1e3 for name, value in timing.items()}
    decode, network, hooks, fit, their_scores = plain(model, files, targets, layers)
    threads = torch.get_num_threads()
    result = {"where": where(), "images": n, "layers": len(layers), "neuroids": NEUROIDS, "threads": threads,
              "cortiscore_s": {"wall": wall, **{k: ms[k] for k in ("decode", "normalise", "network", "keep", "reduce")}},
              "plain_s": {"decode": decode, "network": network, "hooks": hooks, "fit": fit}}
    own = wall - ms["network"]
    other = decode + hooks + fit
    result["beside_the_network"] = {"cortiscore_s": own, "plain_s": other, "ratio": other / own, "share_of_network": own / ms["network"]}
    per_second = lambda seconds: f"{n / seconds:,.0f}" if seconds > 0 else "-"
    print(f"{n} images, {len(layers)} layers, {NEUROIDS} neuroids, {threads} threads\n")
    print("| stage | Cortiscore s | images/s | plain s | images/s |\n|---|--:|--:|--:|--:|")
    for label, a, b in (("decode, place, normalise", ms["decode"] + ms["normalise"], decode), ("network", ms["network"], network),
                        ("keep layers", ms["keep"], hooks), ("reduce, map, ceiling, bootstrap", wall - ms["forward"], fit),
                        ("all", wall, decode + network + hooks + fit), ("all but the network", own, other)):
        print(f"| {label} | {a:.2f} | {per_second(a)} | {b:.2f} | {per_second(b)} |")
    print(f"\nall but the network: {other / own:.1f}x; it adds {100 * own / ms['network']:.1f} % to the network's own time")
    worst = max(abs(our_scores[name] - their_scores[name]) for name in layers)
    print(f"largest difference of a layer's score (ten splits against the first): {worst:.3f}")
    if arguments.out:
        arguments.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
