"""What shuffled networks score on real recordings, beside the random features that a benchmark's null is drawn of (docs/layers.md).

    .venv/bin/python bench/null_scores.py NETWORK.pt2 LAYER [LAYER ...] [--draws 100]

The layers' rows are shuffled, among all stimuli or within movies, or whole movies are exchanged frame by frame, and mapped as the
benchmark maps them: the null of that very layer. Random features are Gaussian here, as many as there are stimuli. Needs
`cortiscore data fetch Cowley2023 Henaff2021` or `./dev import-data`."""
import argparse
import csv
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import xarray as xr
from sklearn.model_selection import StratifiedShuffleSplit

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "python"))
import cortiscore
from cortiscore.recordings import default_home

BINARY = os.environ.get("CORTISCORE_BINARY", ROOT / "build/cpu/cortiscore")


class Recording:
    """Trial averages of every file of a recording, [stimuli, neuroids] each, the splits of its benchmark, and what is shuffled within."""

    def __init__(self, name, files, column, splits):
        self.name, self.stimuli = name, default_home() / "data" / name / "stimuli.csv"
        with open(self.stimuli, newline="") as file:
            rows = list(csv.DictReader(file))
        self.groups = np.array([row[column] for row in rows])
        place = {row["stimulus_id"]: i for i, row in enumerate(rows)}
        self.responses = []
        for path in sorted((default_home() / "data" / name).glob(files)):
            with xr.open_dataset(path) as data:
                shown, values = [place[s] for s in data.stimulus_id.values.tolist()], data.data.values[:, :, 0]
            sums, counts = np.zeros((2, len(rows), values.shape[1]))
            np.add.at(sums, shown, np.nan_to_num(values))
            np.add.at(counts, shown, ~np.isnan(values))
            self.responses.append(sums / counts)
        self.splits = [{"train": train.tolist(), "test": test.tolist()} for train, test in splits(self.groups)]

    def score(self, features):
        """As the benchmark has it: populations are mapped apart, the median is over all neuroids."""
        values = [cortiscore.metrics.pls(features, y, splits=self.splits, bootstrap=0)["per_neuroid"] for y in self.responses]
        return np.nanmean(np.nanmedian(np.concatenate(values, 1), 1))


def within(groups, generator):
    order = np.arange(len(groups))
    for group in np.unique(groups):
        places = np.flatnonzero(groups == group)
        order[places] = generator.permutation(places)
    return order


def exchanged(groups, generator):
    """Whole groups in each other's place, their stimuli in the same order."""
    order = np.arange(len(groups))
    names = np.unique(groups)
    for group, other in zip(names, generator.permutation(names), strict=True):
        order[groups == group] = np.flatnonzero(groups == other)
    return order


def coordinates(features):
    """As many as stimuli, with the same products of rows: PLS sees no difference."""
    centred = features.reshape(len(features), -1).astype(float)
    centred -= centred.mean(0)
    vectors, values, _ = np.linalg.svd(centred @ centred.T)
    return vectors * np.sqrt(values)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network", type=pathlib.Path)
    parser.add_argument("layers", nargs="+")
    parser.add_argument("--draws", type=int, default=100)
    arguments = parser.parse_args()
    leave_out = lambda groups: [(np.flatnonzero(groups != group), np.flatnonzero(groups == group)) for group in np.unique(groups)]
    shuffles = lambda groups: StratifiedShuffleSplit(10, train_size=0.9, random_state=1).split(groups, groups)
    print(f"{'recording':12} {'features':42} {'mean':>8} {'sd':>7} {'95 % below':>11}")
    for recording in (Recording("Cowley2023", "V4.nc", "object_name", shuffles), Recording("Henaff2021", "ay*.nc", "movie", leave_out)):
        generator = np.random.default_rng(0)
        n = len(recording.groups)
        ways = {}
        with tempfile.TemporaryDirectory() as folder:
            named = [word for layer in arguments.layers for word in ("--layer", layer)]
            subprocess.run([BINARY, "--quiet", "extract", arguments.network, "--stimuli", recording.stimuli, *named, "-o", folder], check=True)
            for layer in arguments.layers:
                x = coordinates(np.load(pathlib.Path(folder) / f"{layer}.npy"))
                ways[f"{layer}, rows shuffled"] = lambda x=x: x[generator.permutation(n)]
                if recording.name == "Henaff2021":
                    ways[f"{layer}, rows shuffled in movies"] = lambda x=x: x[within(recording.groups, generator)]
                    ways[f"{layer}, whole movies exchanged"] = lambda x=x: x[exchanged(recording.groups, generator)]
        ways["random"] = lambda: generator.standard_normal((n, n))
        for name, features in ways.items():
            draws = [recording.score(features()) for _ in range(arguments.draws)]
            print(f"{recording.name:12} {name:42} {np.mean(draws):+8.4f} {np.std(draws, ddof=1):7.4f} {np.percentile(draws, 95):11.4f}", flush=True)


if __name__ == "__main__":
    main()
