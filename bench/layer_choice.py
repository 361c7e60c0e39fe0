"""What a choice of layers does to a score, where the truth is known: layers that are chosen in every split on its train presentations
(nested), by halves, or because they score best on all of the data, beside the layer that is best in truth.

    .venv/bin/python bench/layer_choice.py [--seeds 200] [--out FILE]

A world has stimuli with a few latent variables. Neuroids respond with mixtures of these, and noise; so do the features of each layer
of a network, which looks them up by what an image says its number is. In the worlds "alike" all layers are as good as each other: any
choice has the same expected score, and what a choice gains is luck. In the worlds "one best" the first layer has less noise than others.
"""
import argparse
import json
import pathlib
import sys
import tempfile

import numpy as np
import torch
import xarray as xr
from PIL import Image
from torch import nn

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "python"))
import cortiscore

N, LATENT, FEATURES, NEUROIDS, REPETITIONS, LAYERS = 200, 6, 12, 20, 4, 6
NOISE = {"alike": [2.0] * LAYERS, "one best": [1.5] + [2.0] * (LAYERS - 1)}
WAYS = ("truth", "nested", "halves", "best of all")
OVER = ("neuroid", "presentation", "neuroid,presentation")  # that intervals are over


class Lookup(nn.Module):
    """A layer whose features of a stimulus are known."""

    def __init__(self, features):
        super().__init__()
        self.register_buffer("features", torch.as_tensor(features, dtype=torch.float32))

    def forward(self, number):
        return self.features[number % len(self.features)]


class LookupNetwork(nn.Module):
    """Layers side by side, named layers.0, layers.1, ...; images of numbered_images().

    features: an array a layer, [stimuli, features]"""

    def __init__(self, features):
        super().__init__()
        self.layers = nn.ModuleList(Lookup(one) for one in features)

    def forward(self, images):
        value = (images[:, :2, 0, 0] * 255).round().long()
        number = value[:, 0] + 256 * value[:, 1]
        return torch.cat([layer(number) for layer in self.layers], 1)


def numbered_images(folder, n, **columns):
    """Images that say their number, and the CSV of their stimulus set; its path. columns: more of them, [n] each."""
    names = [f"image{i:03d}" for i in range(n)]
    for i, name in enumerate(names):
        Image.fromarray(np.full((4, 4, 3), [i % 256, i // 256, 0], np.uint8)).save(folder / f"{name}.png")
    rows = ["stimulus_id,filename" + "".join(f",{name}" for name in columns)]
    rows += [f"{name},{name}.png" + "".join(f",{values[i]}" for values in columns.values()) for i, name in enumerate(names)]
    path = folder / "stimuli.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


def write_benchmark(folder, stimuli, trials, **more):
    """A manifest, and the recording that it is of. trials: [repetitions, stimuli, neuroids]"""
    repetitions, n, neuroids = trials.shape
    ids = [f"image{i:03d}" for i in range(n)]
    array = xr.DataArray(
        trials.reshape(-1, neuroids), dims=["presentation", "neuroid"], name="data",
        coords={"stimulus_id": ("presentation", ids * repetitions), "repetition": ("presentation", np.repeat(np.arange(repetitions), n)),
                "neuroid_id": ("neuroid", [f"n{i}" for i in range(neuroids)])})
    array.to_netcdf(folder / "responses.nc", engine="h5netcdf")
    manifest = {
        "schema_version": 1, "identifier": "Chosen.IT-map", "version": 1, "kind": "neural", "region": "IT", "parent": "IT", "composite": False,
        "visual_degrees": 8, "stimulus_set": str(stimuli), "species": "simulated", "modality": "simulated", "access": "public",
        "assemblies": [{"identifier": "simulated", "file": str(folder / "responses.nc")}], "metric": {"name": "ridge", "alpha": 1},
        "splits": {"kind": "shuffle", "n_splits": 10, "train_fraction": 0.9, "seed": 1},
        "layer_selection": {"method": "alternating_halves", "by": "stimulus_id"},
        "ceiling": {"name": "internal_consistency", "n_splits": 3, "seed": 1}, "citation": "simulated", "licence": "CC0-1.0", **more}
    path = folder / "manifest.json"
    path.write_text(json.dumps(manifest))
    return path


def drawn(generator, noise):
    """(features a layer, trials)"""
    latent = generator.normal(size=(N, LATENT))
    # Mixtures are rotations, which ridge does not feel: layers of equal noise are equally good in every world.
    mixtures = [FEATURES ** 0.5 * np.linalg.qr(generator.normal(size=(FEATURES, LATENT)))[0].T for _ in noise]
    features = [latent @ mixture + level * generator.normal(size=(N, FEATURES)) for mixture, level in zip(mixtures, noise, strict=True)]
    signal = latent @ generator.normal(size=(LATENT, NEUROIDS))
    return features, signal + 2 * generator.normal(size=(REPETITIONS, N, NEUROIDS))


def scores_of(network, benchmark, **options):
    [record] = cortiscore.score(network, benchmark, input_size=4, bootstrap=200, memory_gib=1, **options)
    return record


def one_world(folder, stimuli, seed, noise):
    """{way: record}, of the way of a layer that scores best on all of the data the raw score alone; "nested" and "truth" with intervals
    over each of OVER: {(way, over): record}."""
    features, trials = drawn(np.random.default_rng(seed), noise)
    network, benchmark = LookupNetwork(features).eval(), write_benchmark(folder, stimuli, trials)
    committed = [scores_of(network, benchmark, layers=f"layers.{i}") for i in range(LAYERS)]
    best = max(committed, key=lambda record: record["score"]["raw"])
    nested = {("nested", over): scores_of(network, benchmark, over=over) for over in OVER}
    truth = {("truth", over): scores_of(network, benchmark, over=over, layers="layers.0") for over in OVER}
    return {**nested, **truth, "truth": committed[0], "nested": nested["nested", OVER[0]],
            "halves": scores_of(network, benchmark, choice="halves"), "best of all": best}


def measured(name, n_seeds):
    """{way: raw scores [seeds]}, and how often the intervals of a committed layer, and of a nested choice, hold its mean over worlds:
    {way: {over: share}}."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        stimuli = numbered_images(folder, N)
        records = [one_world(folder, stimuli, seed, NOISE[name]) for seed in range(n_seeds)]
    raw = {way: np.array([record[way]["score"]["raw"] for record in records]) for way in WAYS}
    held = {}
    for way in ("truth", "nested"):
        mean = raw[way].mean()
        held[way] = {over: float(np.mean([record[way, over]["raw"]["ci_lo"] <= mean <= record[way, over]["raw"]["ci_hi"] for record in records]))
                     for over in OVER}
    return raw, held


def summary(name, raw, held):
    """The rows of a table: mean, spread over worlds, difference to the truth with its standard error."""
    for way in WAYS:
        difference = raw[way] - raw["truth"]
        error = difference.std(ddof=1) / len(difference) ** 0.5
        yield {"world": name, "layer": way, "mean": float(raw[way].mean()), "spread": float(raw[way].std(ddof=1)),
               "difference": float(difference.mean()), "error": float(error), "held": held.get(way, {})}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--out", type=pathlib.Path)
    arguments = parser.parse_args()
    rows = [row for name in NOISE for row in summary(name, *measured(name, arguments.seeds))]
    print(f"{'':51}how often the 95 % interval holds, over")
    print(f"{'world':10} {'layer':12} {'raw':>7} {'spread':>7} {'- truth':>9} {'+-':>7} {'neuroids':>9} {'presentations':>14} {'both':>6}")
    for row in rows:
        shares = [f"{100 * row['held'][over]:.0f} %" if row["held"] else "" for over in OVER]
        line = f"{row['world']:10} {row['layer']:12} {row['mean']:7.4f} {row['spread']:7.4f} {row['difference']:+9.4f} {row['error']:7.4f}"
        print(f"{line} {shares[0]:>9} {shares[1]:>14} {shares[2]:>6}".rstrip())
    if arguments.out:
        arguments.out.write_text(json.dumps({"seeds": arguments.seeds, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
