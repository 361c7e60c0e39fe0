"""Psychometric thresholds of readouts on stimuli that microsaccades move (the platform's Malania2007), beside OpenCV,
scikit-learn and the metric by hand."""
import json
import sys

import numpy as np
import pytest
import torch
import xarray as xr
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from conftest import ROOT, extract, run, run_json, write

sys.path.insert(0, str(ROOT / "python"))
sys.path.insert(0, str(ROOT / "tests/fixtures"))
from cortiscore import export

FIXTURE = np.load(ROOT / "tests/fixtures/microsaccades.npz")
SIZE = FIXTURE["pixels"].shape[1]


class Eye(torch.nn.Module):
    """Its input as a layer."""

    def __init__(self):
        super().__init__()
        self.retina = torch.nn.Flatten()

    def forward(self, x):
        return self.retina(x)


def test_microsaccades_equal_opencv(tmp_path):
    for i, pixels in enumerate(FIXTURE["pixels"]):
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
    write(tmp_path / "set.csv", [{"stimulus_id": i, "filename": f"{i}.png"} for i in range(2)])
    export(Eye().eval(), tmp_path / "eye.pt2", input_size=SIZE, mean=[0, 0, 0], std=[1, 1, 1], degrees=0.7)
    seen = extract(tmp_path / "eye.pt2", tmp_path / "set.csv", ["retina"], tmp_path / "out", "--repetitions", "10", "--degrees", "0.7")["retina"]
    expected = FIXTURE["moved"].transpose(0, 1, 4, 2, 3).reshape(20, -1)  # a stimulus' trials one after the other
    np.testing.assert_allclose(seen, expected, atol=2e-7)
    assert np.abs(expected.reshape(2, 10, -1) - expected.reshape(2, 10, -1)[:, :1]).max((0, 2))[1:].min() > 0.1  # each moves
    # One trial is not moved, and the first of several is not.
    once = extract(tmp_path / "eye.pt2", tmp_path / "set.csv", ["retina"], tmp_path / "once", "--degrees", "0.7")["retina"]
    np.testing.assert_array_equal(once, seen[::10])


N_FIT, N_TEST, OFFSETS = 240, 160, np.linspace(0.25, 3, 8)


def vernier(offset, flanked, generator):
    """Two lines whose ends are apart by an offset that antialiasing carries, in noise."""
    image = 100 + generator.normal(size=(SIZE, SIZE)) * (75 if flanked else 45)
    for half, shift in ((slice(1, SIZE // 2), -offset / 2), (slice(SIZE // 2, SIZE - 1), offset / 2)):
        centre = SIZE / 2 + shift
        image[half] += 110 * np.clip(1.2 - np.abs(np.arange(SIZE) - centre), 0, 1)
    if flanked:
        image[1:-1, [2, SIZE - 3]] += 90
    return Image.fromarray(np.clip(image, 0, 255).astype(np.uint8)).convert("RGB")


class Small(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.conv = torch.nn.Conv2d(3, 6, 5, stride=2)
        self.act = torch.nn.ReLU()
        self.flat = torch.nn.Flatten()
        self.head = torch.nn.Linear(6 * 8 * 8, 10)

    def forward(self, x):
        return self.head(self.flat(self.act(self.conv(x))))


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    lab = home / "data/Lab"
    lab.mkdir(parents=True)
    (home / "benchmarks").mkdir()
    generator = np.random.default_rng(4)
    for name, n, flanked in (("fit", N_FIT, True), ("fit2", N_FIT, False), ("alone", N_TEST, False), ("flanked", N_TEST, True)):
        rows = []
        for i in range(n):
            side, offset = (-1, 1)[i % 2], OFFSETS[i // 2 % 8]
            vernier(side * offset, flanked, generator).save(lab / f"{name}{i}.png")
            rows.append({"stimulus_id": f"{name}{i}", "filename": f"{name}{i}.png", "vernier_offset": offset, "image_label": ("left", "right")[i % 2]})
        write(lab / f"{name}.csv", rows)
    for name, values in (("alone", [0.8, 1.1, np.nan, 0.9]), ("flanked", [1.6, 2.1, 2.0, 1.9])):
        xr.DataArray(values, dims=["subject"], name="data", coords={"subject": ["a", "b", "c", "d"]}).to_netcdf(lab / f"{name}.nc", engine="h5netcdf")
    real = {name: json.loads((ROOT / f"data_manifests/benchmarks/Malania2007.{name}.json").read_text())
            for name in ("short2-threshold_elevation", "vernieracuity-threshold")}
    elevation, acuity = real.values()
    alone = {"stimulus_set": "Lab/alone.csv", "choices": "Lab/alone.nc"}
    for entry in ({**elevation, "identifier": "elevation", "stimulus_set": "Lab/flanked.csv", "choices": "Lab/flanked.nc", "baseline": alone,
                   "readout": {**elevation["readout"], "fit_stimulus_set": "Lab/fit.csv"}},
                  {**acuity, "identifier": "acuity", **alone, "readout": {**acuity["readout"], "fit_stimulus_set": ["Lab/fit.csv", "Lab/fit2.csv"]}}):
        (home / f"benchmarks/{entry['identifier']}.json").write_text(json.dumps(entry))
    export(Small().eval(), home / "small.pt2", input_size=SIZE, mean=[0.5] * 3, std=[0.25] * 3, degrees=2.986667)
    return home


def activations(home, name, trials):
    return extract(home / "small.pt2", home / f"data/Lab/{name}.csv", ["flat"], home / f"out_{name}", "--trials", trials, "--degrees", 2.986667)["flat"]


def rows_of(home, name):
    with open(home / f"data/Lab/{name}.csv") as file:
        lines = [line.split(",") for line in file.read().split()]
    return [dict(zip(lines[0], line)) for line in lines[1:]]


def threshold_by_hand(home, tmp_path, fit, name, subjects, baseline=None):
    """scikit-learn's readout on the engine's activations, then the metric of the command line."""
    x = activations(home, fit, 2)
    scaler = StandardScaler().fit(x.astype(float))
    labels = np.repeat([r["image_label"] for r in rows_of(home, fit)], 2)
    # The platform's readout is multinomial: two vectors of weights for two classes, each with half of the one here.
    model = LogisticRegression(C=2e-3, solver="newton-cg", tol=1e-12, max_iter=1000).fit(scaler.transform(x.astype(float)), labels)

    def choices(name):
        chosen = model.predict(scaler.transform(activations(home, name, 10).astype(float)))
        rows = [r for r in rows_of(home, name) for _ in range(10)]
        return write(tmp_path / f"{name}.csv", [{"stimulus_id": f"{r['stimulus_id']}.{i}", "truth": r["image_label"], "choice": c,
                                                 "offset": r["vernier_offset"]}
                                                for i, (r, c) in enumerate(zip(rows, chosen))])

    np.save(tmp_path / "subjects.npy", subjects)
    flags = ["--source", choices(name), "--target", tmp_path / "subjects.npy", "--variable", "offset", "--accuracy", "0.75"]
    if not baseline:
        return run_json("metric", "threshold", *flags)
    np.save(tmp_path / "baseline.npy", baseline[1])
    return run_json("metric", "threshold_elevation", *flags, "--baseline-source", choices(baseline[0]), "--baseline-target", tmp_path / "baseline.npy")


def test_an_elevation_equals_scikit_learn_and_the_metric(home, tmp_path):
    record = run_json("score", home / "small.pt2", "-b", "elevation", "--results", tmp_path / "r", env={"CORTISCORE_HOME": str(home)})
    by_hand = threshold_by_hand(home, tmp_path, "fit", "flanked", [1.6, 2.1, 1.9], ("alone", [0.8, 1.1, 0.9]))
    assert record["layer"] == "flat" and record["n"]["subjects"] == 3 and record["n"]["trials"] == 10
    assert by_hand["model_threshold"] > 0 and record["n"]["thresholds_network"] == pytest.approx([by_hand["model_threshold"]], rel=1e-9)
    assert record["score"]["raw"] == pytest.approx(by_hand["score"], rel=1e-9) and record["score"]["raw"] > 0.1
    np.save(tmp_path / "elevations.npy", np.array([1.6, 2.1, 1.9]) / [0.8, 1.1, 0.9])
    ceiling = run_json("ceiling", "threshold", "--trials", tmp_path / "elevations.npy")
    assert record["score"]["ceiling"] == pytest.approx(ceiling["ceiling"], rel=1e-12)
    assert record["score"]["ceiled"] == pytest.approx(record["score"]["raw"] / ceiling["ceiling"], rel=1e-12)
    assert record["raw"]["ci_lo"] <= record["score"]["raw"] <= record["raw"]["ci_hi"]
    # The same activations in place of the network.
    np.save(tmp_path / "f.npy", np.concatenate([activations(home, "fit", 2), activations(home, "alone", 10), activations(home, "flanked", 10)]))
    again = run_json("score", tmp_path / "f.npy", "-b", "elevation", "--results", tmp_path / "r", env={"CORTISCORE_HOME": str(home)})
    assert again["score"] == record["score"]
    np.save(tmp_path / "few.npy", np.zeros((7, 3), np.float32))
    done = run("score", tmp_path / "few.npy", "-b", "elevation", "--results", tmp_path / "r", env={"CORTISCORE_HOME": str(home)})
    assert done.returncode == 5 and f"{2 * N_FIT + 20 * N_TEST}, one a presentation" in done.stderr


def test_several_readouts_are_averaged(home, tmp_path):
    record = run_json("score", home / "small.pt2", "-b", "acuity", "--results", tmp_path / "r", env={"CORTISCORE_HOME": str(home)})
    by_hand = [threshold_by_hand(home, tmp_path, fit, "alone", [0.8, 1.1, 0.9]) for fit in ("fit", "fit2")]
    assert record["n"]["thresholds_network"] == pytest.approx([r["model_threshold"] for r in by_hand], rel=1e-9)
    assert record["score"]["raw"] == pytest.approx(np.mean([r["score"] for r in by_hand]), rel=1e-9) and record["n"]["readouts"] == 2
    assert record["split_scores"] == pytest.approx(np.mean([r["split_scores"] for r in by_hand], 0), rel=1e-9)
    # Threads, and what else is scored, change nothing.
    both = run("--threads", "1", "score", home / "small.pt2", "-b", "elevation", "-b", "acuity", "--json", "--results", tmp_path / "one",
               env={"CORTISCORE_HOME": str(home)})
    assert both.returncode == 0, both.stderr
    assert json.loads(both.stdout.splitlines()[-1])["score"] == record["score"]


@pytest.mark.parametrize("values,dims,words", [([0.8, 0.0, 1, 1], ["subject"], ["subject b", "a positive threshold"]),
                                               ([0.8, np.nan, np.nan, np.nan], ["subject"], ["1 with a threshold", "at least 2"]),
                                               ([[0.8] * 4] * 2, ["block", "subject"], ["8 thresholds", "one a subject"])])
def test_bad_thresholds(home, tmp_path, values, dims, words):
    lab = tmp_path / "data/Lab"
    lab.mkdir(parents=True)
    for path in (home / "data/Lab").iterdir():
        (lab / path.name).symlink_to(path)
    (lab / "flanked.nc").unlink()
    xr.DataArray(values, dims=dims, name="data", coords={"subject": ["a", "b", "c", "d"]}).to_netcdf(lab / "flanked.nc", engine="h5netcdf")
    done = run("score", home / "small.pt2", "-b", home / "benchmarks/elevation.json", env={"CORTISCORE_HOME": str(tmp_path)})
    assert done.returncode == 5 and "flanked.nc" in done.stderr and all(w in done.stderr for w in words), done.stderr
