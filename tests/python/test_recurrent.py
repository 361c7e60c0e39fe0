"""Recurrent networks: CORnet-S and CORnet-R as their papers describe them, every call of a module tapped, calls as time bins."""
import json
import sys

import numpy as np
import pytest
import torch
import xarray as xr
from PIL import Image
from torch import nn

from conftest import ROOT, extract, run, run_json, write
from hooks import calls_of, randomise_statistics

sys.path.insert(0, str(ROOT / "python"))
from cortiscore import export

SIZE, N, BATCH = 64, 48, 16


class AreaS(nn.Module):
    """An area of CORnet-S (Kubilius et al. 2019, figure 2): weights shared over time, normalisation not."""

    def __init__(self, n_in, n_out, times):
        super().__init__()
        self.times = times
        self.conv_input = nn.Conv2d(n_in, n_out, 1, bias=False)
        self.skip, self.norm_skip = nn.Conv2d(n_out, n_out, 1, stride=2, bias=False), nn.BatchNorm2d(n_out)
        self.conv1 = nn.Conv2d(n_out, 4 * n_out, 1, bias=False)
        self.conv2 = nn.Conv2d(4 * n_out, 4 * n_out, 3, padding=1, bias=False)
        self.conv2_first = 2  # its stride in the first step
        self.conv3 = nn.Conv2d(4 * n_out, n_out, 1, bias=False)
        self.nonlin = nn.ReLU(inplace=True)
        self.output = nn.Identity()
        for t in range(times):
            for i, width in ((1, 4 * n_out), (2, 4 * n_out), (3, n_out)):
                setattr(self, f"norm{i}_{t}", nn.BatchNorm2d(width))

    def forward(self, x):
        x = self.conv_input(x)
        for t in range(self.times):
            self.conv2.stride = (2, 2) if t == 0 else (1, 1)
            skip = self.norm_skip(self.skip(x)) if t == 0 else x
            x = self.nonlin(getattr(self, f"norm1_{t}")(self.conv1(x)))
            x = self.nonlin(getattr(self, f"norm2_{t}")(self.conv2(x)))
            x = self.output(self.nonlin(getattr(self, f"norm3_{t}")(self.conv3(x)) + skip))
        return x


class CORnetS(nn.Module):
    def __init__(self):
        super().__init__()
        self.V1 = nn.Sequential(nn.Conv2d(3, 8, 7, stride=2, padding=3, bias=False), nn.BatchNorm2d(8), nn.ReLU(inplace=True),
                                nn.MaxPool2d(3, stride=2, padding=1))
        self.V2, self.V4, self.IT = AreaS(8, 8, 2), AreaS(8, 16, 4), AreaS(16, 32, 2)
        self.decoder = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10))

    def forward(self, x):
        return self.decoder(self.IT(self.V4(self.V2(self.V1(x)))))


class AreaR(nn.Module):
    """An area of CORnet-R (Kubilius et al. 2018, figure 1): input and its own state of the step before."""

    def __init__(self, n_in, n_out, stride):
        super().__init__()
        self.conv_input = nn.Conv2d(n_in, n_out, 3, stride=stride, padding=1)
        self.norm_input = nn.GroupNorm(4, n_out)
        self.conv1 = nn.Conv2d(n_out, n_out, 3, padding=1, bias=False)
        self.norm1 = nn.GroupNorm(4, n_out)

    def forward(self, x, state):
        x = torch.relu(self.norm_input(self.conv_input(x)))
        return torch.relu(self.norm1(self.conv1(x if state is None else x + state)))


class CORnetR(nn.Module):
    """Unrolled in biological time: in a step every area sees what the one below gave in the step before."""

    def __init__(self, times=5):
        super().__init__()
        self.times = times
        self.V1, self.V2, self.V4, self.IT = AreaR(3, 8, 4), AreaR(8, 8, 2), AreaR(8, 16, 2), AreaR(16, 16, 2)
        self.decoder = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10))

    def forward(self, image):
        areas = [self.V1, self.V2, self.V4, self.IT]
        n = image.shape[0]
        outputs = [image.new_zeros(n, c, s, s) for c, s in ((8, 16), (8, 8), (16, 4), (16, 2))]
        states = [None] * 4
        for _ in range(self.times):
            below = [image, *outputs[:-1]]
            states = [area(x, state) for area, x, state in zip(areas, below, states)]
            outputs = states
        return self.decoder(outputs[-1])


BINS = {"V1": [[50 + 30 * t, 80 + 30 * t] for t in range(5)], "IT": [[50 + 30 * t, 80 + 30 * t] for t in range(5)]}


@pytest.fixture(scope="module")
def stimuli(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stimuli")
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (N, SIZE, SIZE, 3), dtype=np.uint8)
    for i, image in enumerate(pixels):
        Image.fromarray(image).save(folder / f"{i:02d}.png")
    write(folder / "s.csv", [{"stimulus_id": f"s{i:02d}", "filename": f"{i:02d}.png"} for i in range(N)])
    x = torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))).float() / 255
    return folder / "s.csv", x.split(BATCH)


def network(kind, path, **options):
    torch.manual_seed(1)
    model = randomise_statistics(kind().eval())
    export(model, path, input_size=SIZE, **options)
    return model


@pytest.mark.parametrize("kind", [CORnetS, CORnetR])
def test_every_call_of_a_module_is_tapped(kind, stimuli, tmp_path):
    model = network(kind, tmp_path / "net.pt2")
    calls = calls_of(model, stimuli[1])
    names = [layer["name"] for layer in run_json("model", "inspect", tmp_path / "net.pt2")["layers"]]
    expected = {name: steps[-1] for name, steps in calls.items()}
    expected |= {f"{name}@{k}": step for name, steps in calls.items() if len(steps) > 1 for k, step in enumerate(steps)}
    assert set(names) == set(expected)
    assert {"IT.output@1", "V4.output@3"} <= set(names) if kind is CORnetS else {"IT@0", "IT@4", "V1@2"} <= set(names)
    for name, values in extract(tmp_path / "net.pt2", stimuli[0], names, tmp_path / "out").items():
        np.testing.assert_array_equal(values, expected[name], err_msg=name)


def test_a_window_averages_calls_by_the_portion_that_it_covers(stimuli, tmp_path):
    model = network(CORnetR, tmp_path / "net.pt2", time_bins_ms=BINS)
    steps = calls_of(model, stimuli[1])["IT"]
    found = extract(tmp_path / "net.pt2", stimuli[0], ["IT@70-170", "IT@80-110", "IT", "IT@0"], tmp_path / "out")
    # Bins of 30 ms from 50: the window takes 10, 30, 30 and 30 of the first four.
    np.testing.assert_allclose(found["IT@70-170"], np.average(steps[:4], axis=0, weights=[1 / 3, 1, 1, 1]), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(found["IT@80-110"], steps[1])
    np.testing.assert_array_equal(found["IT"], steps[4])
    layers = {layer["name"]: layer for layer in run_json("model", "inspect", tmp_path / "net.pt2")["layers"]}
    assert layers["IT"]["time_bins_ms"] == BINS["IT"] == layers["IT.conv1"]["time_bins_ms"]
    assert "time_bins_ms" not in layers["V2"]
    for layer, code, words in (("IT@40-100", 5, ["time bins 50-80", "40-100"]), ("V2@70-170", 5, ["no time bins"]),
                               ("IT@9", 4, ["IT@9"]), ("IU@70-170", 4, ["IU"])):
        done = run("extract", tmp_path / "net.pt2", "--stimuli", stimuli[0], "--layer", layer, "-o", tmp_path / "bad")
        assert done.returncode == code and all(word in done.stderr for word in words), done.stderr


@pytest.mark.cuda("calls and windows there")
def test_calls_and_windows_on_a_gpu(stimuli, tmp_path):
    network(CORnetR, tmp_path / "net.pt2", time_bins_ms=BINS)
    names = ["IT@70-170", "IT@1", "IT"]
    on = {device: extract(tmp_path / "net.pt2", stimuli[0], names, tmp_path / device, "--device", device) for device in ("cpu", "cuda")}
    for name in names:
        assert np.abs(on["cuda"][name] - on["cpu"][name]).max() < 1e-5 * np.abs(on["cpu"][name]).max()  # ALGORITHMS.md 5a


@pytest.mark.parametrize("bins, words", [({"IT": [[0, 10]]}, "1 bins, expected 5"), ({"it": [[0, 10]]}, "a module that runs"),
                                         ({"IT": [[0, 10], [5, 20], [20, 30], [30, 40], [40, 50]]}, "do not overlap")])
def test_time_bins_that_are_not_of_the_calls(bins, words, tmp_path):
    with pytest.raises(ValueError, match=words):
        network(CORnetR, tmp_path / "net.pt2", time_bins_ms=bins)
    assert not (tmp_path / "net.pt2").exists()


@pytest.fixture(scope="module")
def benchmark(stimuli, tmp_path_factory):
    """Responses in 70 to 170 ms that are a map of IT's activations then."""
    folder = tmp_path_factory.mktemp("benchmark")
    model = network(CORnetR, folder / "net.pt2", time_bins_ms=BINS)
    steps = calls_of(model, stimuli[1])["IT"]
    late = np.average(steps[:4], axis=0, weights=[1 / 3, 1, 1, 1])
    generator = np.random.default_rng(3)
    signal = (late - late.mean(0)) @ generator.normal(size=(late.shape[1], 12))
    trials = signal + 0.3 * signal.std() * generator.normal(size=(4, *signal.shape))
    values = np.stack([generator.normal(size=trials.shape), trials], -1).reshape(4 * N, 12, 2)
    xr.DataArray(values, dims=["presentation", "neuroid", "time_bin"], name="data",
                 coords={"stimulus_id": ("presentation", [f"s{i:02d}" for i in range(N)] * 4),
                         "repetition": ("presentation", np.repeat(range(4), N)),
                         "neuroid_id": ("neuroid", [f"n{i}" for i in range(12)]),
                         "time_bin_start": ("time_bin", [0, 70]), "time_bin_end": ("time_bin", [50, 170])}).to_netcdf(
        folder / "responses.nc", engine="h5netcdf")
    manifest = {"schema_version": 1, "identifier": "Late2026.IT-ridge", "version": 1, "kind": "neural", "region": "IT", "parent": "IT", "visual_degrees": 8,
                "stimulus_set": str(stimuli[0]), "species": "macaque", "modality": "electrophysiology", "access": "public",
                "assemblies": [{"identifier": "late", "file": str(folder / "responses.nc"), "time_ms": [70, 170]}],
                "metric": {"name": "ridge", "alpha": 1}, "splits": {"kind": "shuffle", "n_splits": 4},
                "ceiling": {"name": "internal_consistency", "n_splits": 4, "seed": 1}, "citation": "simulated", "licence": "CC0-1.0"}
    (folder / "late.json").write_text(json.dumps(manifest))
    return folder, late, steps


def test_a_benchmark_sees_the_layer_in_its_own_window(benchmark, stimuli, tmp_path):
    folder, late, steps = benchmark
    score = lambda what, *flags: run_json("score", what, "-b", folder / "late.json", "--results", tmp_path / "r", *flags)
    in_time = score(folder / "net.pt2", "--layer", "IT")
    assert in_time["layer"] == "IT@70-170"
    np.save(tmp_path / "late.npy", late)
    np.save(tmp_path / "last.npy", steps[4])
    assert in_time["score"]["raw"] == pytest.approx(score(tmp_path / "late.npy")["score"]["raw"], abs=1e-6)
    named = score(folder / "net.pt2", "--layer", "IT@4")
    assert named["layer"] == "IT@4"
    assert named["score"]["raw"] == pytest.approx(score(tmp_path / "last.npy")["score"]["raw"], abs=1e-9)
    assert named["score"]["raw"] < in_time["score"]["raw"]


def test_precision_is_recorded_and_part_of_the_key(benchmark, tmp_path):
    folder, _, _ = benchmark
    score = lambda *flags: run_json("score", folder / "net.pt2", "-b", folder / "late.json", "--layer", "IT", "--results", tmp_path / "r", *flags)
    full, half = score(), score("--precision", "bf16")
    assert full["precision"]["activations"] == "float32" and half["precision"]["activations"] == "bf16"
    assert full["key"] != half["key"] and full["score"]["raw"] != half["score"]["raw"]
    assert half["score"]["raw"] == pytest.approx(full["score"]["raw"], abs=0.02)
    assert score("--precision", "bf16")["end"] == half["end"]  # of the store


def test_layers_writes_the_layer_by_its_own_name(benchmark, tmp_path):
    folder, _, _ = benchmark
    done = run("layers", folder / "net.pt2", "-b", folder / "late.json", "--match", "IT", "-o", tmp_path / "map.json")
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "map.json").read_text())["region_layer_map"] == {"IT": "IT"}
    done = run("score", folder / "net.pt2", "-b", folder / "late.json", "--layer-map", tmp_path / "map.json")
    assert done.returncode == 2 and "not scored on the data" in done.stderr


def test_object_solution_times(stimuli, tmp_path):
    """Kar2019-ost: the committed layer in every time bin, its score that of `metric ost` on those activations; none for a
    network, or a layer, that does not change in time."""
    network(CORnetR, tmp_path / "net.pt2", time_bins_ms=BINS)
    random = np.random.default_rng(2)
    truth = [f"object{k}" for k in random.integers(0, 2, N)]
    rows = [{"stimulus_id": f"s{i:02d}", "truth": t, "ost": "" if i % 9 == 4 else f"{random.uniform(90, 160):.1f}", "i1": f"{random.uniform(-3, 0.2):.3f}"}
            for i, t in enumerate(truth)]
    manifest = json.loads((ROOT / "data_manifests/benchmarks/Kar2019-ost.json").read_text())
    manifest |= {"identifier": "Ours-ost", "stimulus_set": str(stimuli[0]), "choices": str(write(tmp_path / "solved.csv", rows)),
                 "metric": {"name": "ost", "time_bins_ms": BINS["IT"]}}
    (tmp_path / "ours.json").write_text(json.dumps(manifest))
    record = run_json("score", tmp_path / "net.pt2", "-b", tmp_path / "ours.json", "--layer", "IT", "--results", tmp_path / "r")
    windows = [f"IT@{a}-{b}" for a, b in BINS["IT"]]
    x = extract(tmp_path / "net.pt2", stimuli[0], windows, tmp_path / "out")
    np.save(tmp_path / "x.npy", np.stack([x[w] for w in windows], -1))
    np.save(tmp_path / "bins.npy", np.array(BINS["IT"], float)[:, 0])
    ours = run_json("metric", "ost", "--source", tmp_path / "x.npy", "--target", tmp_path / "solved.csv", "--bins", tmp_path / "bins.npy")
    assert record["layer"] == "IT" and record["split_scores"] == ours["split_scores"]
    assert record["score"]["raw"] == ours["score"] and record["score"]["ceiled"] == pytest.approx(ours["score"] / .79, rel=1e-12)
    assert record["n"]["time_bins"] == 5 and record["n"]["stimuli"] == sum(r["ost"] != "" for r in rows)
    # The platform's assembly: responses of neuroids in time, a presentation twice, what is known of images as coordinates.
    order = [*range(N), 3]
    xr.DataArray(random.normal(size=(2, N + 1, 3)), dims=["neuroid", "presentation", "time_bin"], name="data", coords={
        "image_id": ("presentation", [rows[i]["stimulus_id"] for i in order]), "object_name": ("presentation", [truth[i] for i in order]),
        "ost": ("presentation", [float(rows[i]["ost"] or "nan") for i in order]), "i1": ("presentation", [float(rows[i]["i1"]) for i in order])}).to_netcdf(
            tmp_path / "solved.nc", engine="h5netcdf")
    (tmp_path / "official.json").write_text(json.dumps(manifest | {"choices": str(tmp_path / "solved.nc"), "columns": {"truth": "object_name"}}))
    official = run_json("score", tmp_path / "net.pt2", "-b", tmp_path / "official.json", "--layer", "IT", "--results", tmp_path / "r")
    assert official["split_scores"] == record["split_scores"] and official["n"] == record["n"]
    export(torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Flatten()).eval(), tmp_path / "static.pt2", input_size=SIZE)
    static = run_json("score", tmp_path / "static.pt2", "-b", tmp_path / "ours.json", "--results", tmp_path / "r")
    assert static["status"] == "ok" and static["score"]["raw"] is None and any("does not change in time" in said for said in static["warnings"])
    done = run("score", tmp_path / "net.pt2", "-b", tmp_path / "ours.json", "--layer", "V2", "--results", tmp_path / "r")
    assert done.returncode != 0 and "time bins" in done.stdout + done.stderr
    done = run("score", tmp_path / "net.pt2", "-b", tmp_path / "ours.json", "--results", tmp_path / "r")
    assert done.returncode != 0 and "commit to one with --layer IT=LAYER" in done.stdout + done.stderr
