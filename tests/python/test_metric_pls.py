"""`cortiscore metric pls` against scikit-learn's PLSRegression and LAPACK, run here; bounds: ALGORITHMS.md 5a."""
import json
import warnings

import numpy as np
import pytest
from scipy.stats import pearsonr
from sklearn.cross_decomposition import PLSRegression
from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit

from conftest import run, run_json

warnings.filterwarnings("ignore")


def simulated(n, p, m, exponent, seed, mean=0.0, noise=1.0):
    """Features with variance i^-exponent, targets tanh of a projection plus noise."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, p)) * np.arange(1, p + 1) ** (-exponent / 2)
    y = np.tanh(x @ rng.standard_normal((p, m))) + noise * rng.standard_normal((n, m))
    return x + mean * x.std(), y


def constant_first(value, seed):
    x, y = simulated(300, 60, 10, 1, seed)
    y[:, 0] = value
    return x, y


CASES = {
    "variance i^-1": lambda: simulated(400, 100, 30, 1, 0),
    "variance i^-2": lambda: simulated(400, 100, 30, 2, 1),
    "variance i^-3": lambda: simulated(400, 100, 30, 3, 2),
    "more features than presentations": lambda: simulated(200, 600, 20, 1, 3),
    "many more features than presentations": lambda: simulated(120, 5000, 12, 1.5, 4),
    "mean 1000 sd": lambda: simulated(400, 100, 30, 1, 5, mean=1000),
    "one target": lambda: simulated(300, 60, 1, 1, 6),
    "two targets": lambda: simulated(300, 60, 2, 1, 7),
    "constant first target 0": lambda: constant_first(0.0, 8),
    "constant first target 0.1": lambda: constant_first(0.1, 9),
    "past 200 iterations": lambda: simulated(500, 200, 60, 0.5, 10, noise=3),
    "noise alone": lambda: (np.random.default_rng(11).standard_normal((300, 80)),
                            np.random.default_rng(12).standard_normal((300, 25))),
    "float32 features": lambda: tuple(a.astype(np.float32) for a in simulated(300, 80, 20, 1, 13)),
    "as many features as components": lambda: simulated(300, 25, 20, 0.3, 14),
}


def sklearn_scores(x, y, splits, components=25):
    per_neuroid, iterations, predictions = [], [], []
    for train, test in splits:
        pls = PLSRegression(components, scale=False).fit(x[train].astype(float), y[train].astype(float))
        predicted = pls.predict(x[test].astype(float)).reshape(len(test), -1)
        predictions.append(predicted)
        with np.errstate(all="ignore"):
            per_neuroid.append([pearsonr(predicted[:, i], y[test][:, i])[0] for i in range(y.shape[1])])
        iterations.append(list(pls.n_iter_))
    return np.array(per_neuroid), iterations, predictions


def save(tmp_path, **arrays):
    paths = {}
    for name, array in arrays.items():
        paths[name] = tmp_path / f"{name}.npy"
        np.save(paths[name], array)
    return paths


def check_parity(x, y, ours, predictions, splits):
    reference, iterations, reference_predictions = sklearn_scores(x, y, splits)
    counts_equal = np.array(ours["iterations"]) == np.array(iterations)
    if not ours["marginal"]:  # an iterate on the threshold itself is flagged, and may stop one step apart
        assert counts_equal.all()
        sd = y.astype(float).std(axis=0)
        sd[sd < 1e-12] = 1  # a constant target
        for s, (_, test) in enumerate(splits):
            assert np.abs((predictions[s][test] - reference_predictions[s]) / sd).max() <= 1e-10, s
        score = np.nanmean(np.nanmedian(reference, axis=1))
        assert abs(ours["score"] - score) <= (1e-12 if y.shape[1] > 1 else 1e-11)
    medians = np.nanmedian(reference, axis=1)
    np.testing.assert_allclose(ours["split_scores"], medians, atol=1e-9)
    assert ours["error"] == pytest.approx(medians.std() / np.sqrt(len(medians)), rel=1e-9)
    assert np.array(ours["per_neuroid"], dtype=float).shape == reference.shape
    return iterations


@pytest.mark.parametrize("name", CASES)
def test_parity_with_scikit_learn(name, tmp_path):
    x, y = CASES[name]()
    paths = save(tmp_path, x=x, y=y)
    ours = run_json("metric", "pls", "--source", paths["x"], "--target", paths["y"],
                    "--predictions", tmp_path / "p.npy")
    splits = list(ShuffleSplit(10, train_size=0.9, random_state=1).split(x))
    iterations = check_parity(x, y, ours, np.load(tmp_path / "p.npy"), splits)
    if name == "past 200 iterations":
        assert np.max(iterations) > 200
    if name == "one target":
        assert np.max(iterations) == 1
    if name.startswith("constant"):
        assert any(w.startswith("1 neuroid(s) have no correlation") for w in ours["warnings"])


def check_random_cases(tmp_path, wanted):
    for first, end in ((0, 40), (40, 340)):
        check_stream(tmp_path, first, end, set(wanted))


def check_stream(tmp_path, first, end, wanted):
    """One stream of random numbers makes cases `first` to `end`; the wanted ones of them are run."""
    rng = np.random.default_rng(2026 + first)
    for case in range(first, end):
        n = int(rng.integers(60, 250))
        x, y = simulated(n, int(rng.integers(25, 300)), int(rng.integers(1, 40)), rng.uniform(0.3, 3), 1000 + case,
                         mean=rng.choice([0, 10, 1000]), noise=rng.uniform(0.1, 4))
        if case not in wanted:
            continue
        paths = save(tmp_path, x=x, y=y)
        ours = run_json("metric", "pls", "--source", paths["x"], "--target", paths["y"],
                        "--predictions", tmp_path / "p.npy", "--bootstrap", 2)
        splits = list(ShuffleSplit(10, train_size=0.9, random_state=1).split(x))
        check_parity(x, y, ours, np.load(tmp_path / "p.npy"), splits)


@pytest.mark.parametrize("first,count", [(0, 40), pytest.param(40, 300, marks=pytest.mark.slow)])
def test_random_cases(first, count, tmp_path):
    """Shapes, spectra and noise drawn at random; a wrong branch anywhere shows as a wrong iteration count."""
    check_random_cases(tmp_path, range(first, first + count))


def test_few_targets_of_a_steep_spectrum(tmp_path):
    """4 targets run out long before 25 components: differences of sums that folds share lost 1e-12 of the score here."""
    check_random_cases(tmp_path, [278])


def test_real_v4_with_pixels(real_data, tmp_path):
    import io
    import zipfile

    from PIL import Image

    folder = real_data / "v4_cowley2023_macaque"
    y = np.nanmean(np.load(folder / "responses/responses_210325.npy"), axis=2).T
    with zipfile.ZipFile(next((folder / "images").glob("*.zip"))) as archive:
        names = sorted(n for n in archive.namelist() if n.endswith(".jpg"))
        pixels = [np.asarray(Image.open(io.BytesIO(archive.read(n))).convert("L").resize((28, 28))) for n in names]
    x = np.stack(pixels).reshape(len(pixels), -1) / 255.0
    objects = np.arange(640) // 80
    paths = save(tmp_path, x=x, y=y, objects=objects)
    ours = run_json("metric", "pls", "--source", paths["x"], "--target", paths["y"], "--stratify", paths["objects"],
                    "--predictions", tmp_path / "p.npy")
    splits = list(StratifiedShuffleSplit(10, train_size=0.9, random_state=1).split(x, objects))
    check_parity(x, y, ours, np.load(tmp_path / "p.npy"), splits)


@pytest.mark.parametrize("n", [40, 101, 640])
def test_default_splits_are_scikit_learns(n, tmp_path):
    x, y = simulated(n, 30, 5, 1, n)
    labels = np.random.default_rng(n).choice(["bear", "plane", "élan"], n, p=[0.5, 0.3, 0.2])
    paths = save(tmp_path, x=x, y=y, labels=labels)
    arguments = ["metric", "pls", "--source", paths["x"], "--target", paths["y"], "--components", 5]
    for flags, splitter in (([], ShuffleSplit(10, train_size=0.9, random_state=1)),
                            (["--stratify", paths["labels"]],
                             StratifiedShuffleSplit(10, train_size=0.9, random_state=1))):
        splits = [{"train": train.tolist(), "test": test.tolist()} for train, test in splitter.split(x, labels)]
        (tmp_path / "splits.json").write_text(json.dumps(splits))
        own = run_json(*arguments, *flags)
        given = run_json(*arguments, "--splits", tmp_path / "splits.json")
        assert own["per_neuroid"] == given["per_neuroid"]


def pls_by_svd(x, y, components):
    """Converged PLS2: the leading singular pair of X'Y by LAPACK, X and Y deflated; returns a predictor."""
    x_mean, y_mean = x.mean(0), y.mean(0)
    xk, yk = x - x_mean, y - y_mean
    weights, loadings, y_loadings = [], [], []
    for _ in range(components):
        w = np.linalg.svd(xk.T @ yk, full_matrices=False)[0][:, 0]
        t = xk @ w
        p, q = xk.T @ t / (t @ t), yk.T @ t / (t @ t)
        xk, yk = xk - np.outer(t, p), yk - np.outer(t, q)
        weights.append(w), loadings.append(p), y_loadings.append(q)
    w, p, q = (np.array(a).T for a in (weights, loadings, y_loadings))
    coefficients = w @ np.linalg.solve(p.T @ w, q.T)
    return lambda test: (test - x_mean) @ coefficients + y_mean


@pytest.mark.parametrize("name", ["variance i^-1", "variance i^-2", "more features than presentations", "two targets"])
def test_exact_mode_is_the_svd(name, tmp_path):
    x, y = CASES[name]()
    paths = save(tmp_path, x=x, y=y)
    run_json("metric", "pls", "--source", paths["x"], "--target", paths["y"], "--mode", "exact",
             "--predictions", tmp_path / "p.npy")
    predictions = np.load(tmp_path / "p.npy")
    for s, (train, test) in enumerate(ShuffleSplit(10, train_size=0.9, random_state=1).split(x)):
        reference = pls_by_svd(x[train], y[train], 25)(x[test])
        assert np.abs((predictions[s][test] - reference) / y.std(0)).max() <= 1e-10


def test_threads_change_no_bit(tmp_path):
    x, y = simulated(300, 400, 40, 1, 20)
    paths = save(tmp_path, x=x, y=y)
    one, three = ({k: v for k, v in run_json("--threads", threads, "metric", "pls", "--source", paths["x"], "--target",
                                             paths["y"]).items() if k != "timing_ms"} for threads in (1, 3))
    assert one == three


def test_csv_and_netcdf_give_what_npy_gives(tmp_path):
    import xarray

    x, y = simulated(80, 30, 4, 1, 21)
    paths = save(tmp_path, x=x, y=y)
    np.savetxt(tmp_path / "x.csv", x, delimiter=",", fmt="%.17g")
    xarray.DataArray(y, dims=["presentation", "neuroid"]).to_dataset(name="data").to_netcdf(tmp_path / "y.nc")
    arguments = ["--components", 5]
    npy = run_json("metric", "pls", "--source", paths["x"], "--target", paths["y"], *arguments)
    other = run_json("metric", "pls", "--source", tmp_path / "x.csv", "--target", tmp_path / "y.nc", *arguments)
    assert npy["per_neuroid"] == other["per_neuroid"]


BAD = {
    "fewer features than components": (lambda x, y: (x[:, :10], y), 5, ["10", "at least 25"]),
    "NaN in features": (lambda x, y: (np.where(np.arange(x.size).reshape(x.shape) == 95, np.nan, x), y), 5,
                        ["NaN", "presentation 1, feature 35"]),
    "NaN in targets": (lambda x, y: (x, np.where(np.arange(y.size).reshape(y.shape) == 3, np.nan, y)), 5,
                       ["target", "presentation 0, neuroid 3"]),
    "other number of rows": (lambda x, y: (x, y[:-1]), 5, ["presentations", "79", "80"]),
    "three dims": (lambda x, y: (x[None], y), 5, ["dims", "3"]),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_names_place_and_remedy(name, tmp_path):
    change, code, words = BAD[name]
    x, y = change(*simulated(80, 60, 4, 1, 22))
    paths = save(tmp_path, x=x, y=y)
    done = run("metric", "pls", "--source", paths["x"], "--target", paths["y"], "--json")
    assert done.returncode == code and done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1
    for word in words:
        assert word in done.stderr


def test_bad_files(tmp_path):
    x, y = simulated(80, 60, 4, 1, 22)
    paths = save(tmp_path, x=x, y=y)
    whole = paths["x"].read_bytes()
    truncated = tmp_path / "truncated.npy"
    truncated.write_bytes(whole[: len(whole) // 2])
    (tmp_path / "words.csv").write_text("a,b\n1,2\n3,x\n")
    (tmp_path / "splits.json").write_text('[{"train": [0, 1, 2], "test": [2, 3]}]')
    for flags, code, words in [
        (["--source", truncated], 5, ["truncated.npy", "truncated"]),
        (["--source", tmp_path / "none.npy"], 5, ["none.npy", "no such file"]),
        (["--source", tmp_path / "words.csv"], 5, ["row 2 (line 3), column 2", '"x"']),
        (["--source", paths["x"], "--splits", tmp_path / "splits.json"], 5, ["split 0", "index 2", "train and test"]),
    ]:
        done = run("metric", "pls", "--target", paths["y"], *flags)
        assert done.returncode == code
        for word in words:
            assert word in done.stderr
    done = run("metric", "plss", "--source", paths["x"], "--target", paths["y"])
    assert done.returncode == 4 and "pls" in done.stderr
    assert run("metric", "pls", "--source", paths["x"]).returncode == 2
    done = run("metric", "pls", "--source", paths["x"], "--target", paths["y"], "--device", "cuda")
    assert done.returncode in (0, 7)
    if done.returncode:
        assert "no CUDA device" in done.stderr
