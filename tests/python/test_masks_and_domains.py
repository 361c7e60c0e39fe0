"""Mask regression (the platform's Cadena2017-mask), splits without shared backgrounds and readouts by domain
(Igustibagus2024), beside torch's own gradients, scikit-learn and NumPy."""
import itertools
import json
import sys

import numpy as np
import pytest
import torch
import xarray as xr
from PIL import Image
from scipy.special import ndtri
from sklearn.linear_model import Ridge, RidgeClassifierCV
from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit
from sklearn.preprocessing import StandardScaler

from conftest import ROOT, extract, run, run_json, write
from test_resampling import philox_words

sys.path.insert(0, str(ROOT / "python"))
from cortiscore import export

N, SIZE = 1200, 12


class Small(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.conv = torch.nn.Conv2d(3, 5, 3, stride=2)
        self.act = torch.nn.ReLU()
        self.flat = torch.nn.Flatten()
        self.out = torch.nn.Linear(125, 12)

    def forward(self, x):
        return self.out(self.flat(self.act(self.conv(x))))


def manifest(name, **changes):
    entry = json.loads((ROOT / f"data_manifests/benchmarks/{name}.json").read_text())
    entry["stimulus_set"] = "Lab/stimuli.csv"
    if "assemblies" in entry:
        entry["assemblies"] = [{k: v for k, v in {**entry["assemblies"][0], "file": "Lab/responses.nc"}.items() if k not in ("time_ms", "repetition")}]
    entry["visual_degrees"] = "as the network's"
    return {**entry, "identifier": "lab_" + name.split("-")[0].lower().replace(".", "_"), **changes}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    lab = home / "data/Lab"
    lab.mkdir(parents=True)
    (home / "benchmarks").mkdir()
    generator = np.random.default_rng(0)
    ids = [f"i{i:03d}" for i in range(N)]
    pixels = generator.integers(0, 256, (N, SIZE, SIZE, 3), np.uint8)
    for name, image in zip(ids, pixels):
        Image.fromarray(image).save(lab / f"{name}.png")
    write(lab / "stimuli.csv", [{"stimulus_id": s, "filename": f"{s}.png", "object_label": f"o{i % 6}", "background_id": f"b{i // 3}",
                                 "domain": ("sketch", "photo", "photo")[i // 6 % 3]} for i, s in enumerate(ids)])
    export(Small().eval(), home / "small.pt2", input_size=SIZE)
    x = extract(home / "small.pt2", lab / "stimuli.csv", ["act", "out"], home / "out")
    np.savez(home / "x.npz", **x)
    places = x["act"].reshape(N, 5, 25).astype(float)
    masks, mixtures = generator.normal(size=(7, 25)) ** 3, generator.normal(size=(7, 5))
    signal = np.einsum("icp,np,nc->in", places, masks, mixtures)
    signal = 3 * signal / signal.std(0) + 10
    trials = signal + generator.normal(size=(6, N, 7))
    xr.DataArray(trials.reshape(-1, 7), dims=["presentation", "neuroid"], name="data", coords={
        "stimulus_id": ("presentation", ids * 6), "repetition": ("presentation", np.repeat(range(6), N)), "neuroid_id": ("neuroid", range(7))}).to_netcdf(
            lab / "responses.nc", engine="h5netcdf")
    np.save(home / "y.npy", trials.mean(0))
    for entry in (manifest("Cadena2017-mask"), manifest("Igustibagus2024-ridge"), manifest("Igustibagus2024.IT_readout-accuracy")):
        if "n_splits" in entry["splits"] and entry["splits"]["n_splits"] == 1000:
            entry["splits"]["n_splits"] = 20
        (home / f"benchmarks/{entry['identifier']}.json").write_text(json.dumps(entry))
    return home


def score(home, tmp_path, benchmark, *flags):
    return run_json("score", home / "small.pt2", "-b", benchmark, *flags, "--results", tmp_path / "r", env={"CORTISCORE_HOME": str(home)})


def trained_mask(x, y, train, test, shape):
    """Klindt et al. 2017 as src/mapping/mask.h has it, with torch's automatic gradients; float64."""
    channels, height, width = shape
    x = torch.tensor(x.reshape(len(x), channels, -1), dtype=torch.float64)
    y = torch.tensor(y, dtype=torch.float64)
    n, places = y.shape[1], height * width
    normals = ndtri((philox_words(0, 0, 1, n * (places + channels))[0].astype(float) + 0.5) / 2 ** 32)
    s = torch.tensor(normals[:n * places].reshape(n, places), requires_grad=True)
    d = torch.tensor(normals[n * places:].reshape(n, channels), requires_grad=True)
    b = y[train].mean(0).clone().requires_grad_()
    laplacian = torch.tensor([[[[0., -1, 0], [-1, 4, -1], [0, -1, 0]]]], dtype=torch.float64)
    predict = lambda rows: torch.einsum("icp,np,nc->in", x[rows], s, d) + b
    moments = [[torch.zeros_like(p), torch.zeros_like(p)] for p in (s, d, b)]
    order, t = np.random.RandomState(0), 0
    for epoch in range(40):
        shuffled, errors = order.permutation(len(train)), []
        for begin in range(0, len(train), 50):
            if begin and begin + 50 > len(train):
                break
            rows = train[shuffled[begin:begin + 50]]
            error = (predict(rows) - y[rows]).square().mean(0)
            curved = torch.nn.functional.conv2d(s.view(n, 1, height, width), laplacian, padding=1).view(n, -1)
            smooth = torch.linalg.norm(curved, dim=1).sum() if places > 1 else 0
            loss = error.sum() + 0.1 * (s.square().sum() + smooth) + 0.1 * d.square().sum()
            gradients = torch.autograd.grad(loss, (s, d, b))
            t += 1
            rate = 0.01 * 0.1 ** (epoch // 25) * np.sqrt(1 - 0.999 ** t) / (1 - 0.9 ** t)
            with torch.no_grad():
                for p, g, (first, second) in zip((s, d, b), gradients, moments):
                    first.mul_(0.9).add_(g, alpha=0.1)
                    second.mul_(0.999).addcmul_(g, g, value=0.001)
                    p -= rate * first / (second.sqrt() + 1e-8)
            errors.append(error.mean().item())
        if np.mean(errors) < 0.1:
            break
    return predict(test).detach().numpy()


def test_masks_equal_automatic_gradients(home, tmp_path):
    record = score(home, tmp_path, "lab_cadena2017", "--layer", "V1=act")
    x, y = np.load(home / "x.npz")["act"], np.load(home / "y.npy")
    values = []
    for train, test in ShuffleSplit(4, train_size=0.9, random_state=1).split(x):
        predicted = trained_mask(x, y, train, test, (5, 5, 5))
        values.append([np.corrcoef(p, t)[0, 1] for p, t in zip(predicted.T, y[test].T)])
    assert record["split_scores"] == pytest.approx(np.median(values, 1), abs=2e-4)  # float32 through 840 steps
    assert record["score"]["raw"] > 0.5 and record["metric"]["params"]["max_epochs"] == 40
    assert record["score"]["ceiled"] == pytest.approx(record["score"]["raw"] ** 2 / record["score"]["ceiling"])
    # A layer that is not channels in space has one place.
    record = score(home, tmp_path, "lab_cadena2017", "--layer", "V1=out")
    x = np.load(home / "x.npz")["out"]
    train, test = next(ShuffleSplit(4, train_size=0.9, random_state=1).split(x))
    predicted = trained_mask(x, y, train, test, (12, 1, 1))
    assert record["split_scores"][0] == pytest.approx(np.median([np.corrcoef(p, t)[0, 1] for p, t in zip(predicted.T, y[test].T)]), abs=2e-4)
    # One thread gives the same bits; a profile of layers is refused.
    one = run("--threads", "1", "score", home / "small.pt2", "-b", "lab_cadena2017", "--layer", "V1=out", "--json", "--results", tmp_path / "one",
              env={"CORTISCORE_HOME": str(home)})
    assert json.loads(one.stdout)["score"] == record["score"]
    done = run("layers", home / "small.pt2", "-b", "lab_cadena2017", env={"CORTISCORE_HOME": str(home)})
    assert done.returncode == 2 and "masks" in done.stderr


def test_no_background_is_in_both(home, tmp_path):
    record = score(home, tmp_path, "lab_igustibagus2024", "--layer", "IT=act")
    x, y = np.load(home / "x.npz")["act"].astype(float), np.load(home / "y.npy")
    labels, backgrounds = np.array([f"o{i % 6}" for i in range(N)]), np.array([f"b{i // 3}" for i in range(N)])
    values, dropped = [], 0
    for train, test in StratifiedShuffleSplit(10, train_size=0.9, random_state=1).split(x, labels):
        apart = train[~np.isin(backgrounds[train], backgrounds[test])]
        dropped += len(train) - len(apart)
        predicted = Ridge(alpha=1).fit(x[apart], y[apart]).predict(x[test])
        values.append([np.corrcoef(p, t)[0, 1] for p, t in zip(predicted.T, y[test].T)])
    assert dropped > 0 and record["split_scores"] == pytest.approx(np.median(values, 1), abs=1e-8)
    # A test set that has every background leaves nothing to train on.
    path = home / "benchmarks/lab_igustibagus2024.json"
    (tmp_path / "none.json").write_text(path.read_text().replace('"disjoint": "background_id"', '"disjoint": "object_label"'))
    done = run("score", home / "small.pt2", "-b", tmp_path / "none.json", "--layer", "IT=act", env={"CORTISCORE_HOME": str(home)})
    assert done.returncode == 5 and "object_label" in done.stderr and "every one of its values" in done.stderr


def test_readouts_by_domain(home, tmp_path):
    done = run("score", home / "small.pt2", "-b", "lab_igustibagus2024_it_readout", env={"CORTISCORE_HOME": str(home)})
    assert done.returncode == 2 and "--layer IT=LAYER" in done.stderr
    # Random convolutions of noise tell nothing; features that know objects do.
    generator = np.random.default_rng(3)
    labels = np.arange(N) % 6
    x = generator.normal(size=(N, 40)) + 0.8 * generator.normal(size=(6, 40))[labels]
    np.save(tmp_path / "x.npy", x)
    record = run_json("score", tmp_path / "x.npy", "-b", "lab_igustibagus2024_it_readout", "--results", tmp_path / "r", env={"CORTISCORE_HOME": str(home)})
    domains = np.array([("sketch", "photo", "photo")[i // 6 % 3] for i in range(N)])
    means = {}
    for domain in ("photo", "sketch"):
        rows = np.flatnonzero(domains == domain)
        accuracies = []
        for train, test in StratifiedShuffleSplit(20, train_size=0.75, random_state=1).split(rows, labels[rows]):
            scaler = StandardScaler().fit(x[rows[train]])
            model = RidgeClassifierCV(alphas=[1e-4, 1e-3, 1e-2, 0.1, 1, 10]).fit(scaler.transform(x[rows[train]]), labels[rows[train]])
            decisions = model.decision_function(scaler.transform(x[rows[test]]))
            accuracies.append(np.mean([decisions[i, t] > decisions[i, c] for (i, t),
                                       c in itertools.product(enumerate(labels[rows[test]]), range(6)) if c != t]))
        means[domain] = np.mean(accuracies)
    assert {p["identifier"]: p["raw"] for p in record["populations"]} == pytest.approx({f"domain {d}": m for d, m in means.items()}, abs=1e-12)
    values = list(means.values())
    assert record["score"]["raw"] == pytest.approx(np.mean(values)) and record["raw"]["error"] == pytest.approx(np.std(values))
    assert record["score"]["ceiled"] is None and record["parent"] == "engineering" and 0.6 < np.mean(values) < 1
    noise = score(home, tmp_path, "lab_igustibagus2024_it_readout", "--layer", "IT=act")
    assert noise["score"]["raw"] == pytest.approx(0.5, abs=0.08)
