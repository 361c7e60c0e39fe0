"""`cortiscore metric ost` against the same recipe in PyTorch (autograd, torch.optim.Adam), SciPy and scikit-learn, in
float64. TensorFlow's own start is replaced by the documented one; everything else is the platform's."""
import numpy as np
import pytest
import torch
from scipy.interpolate import interp1d
from scipy.optimize import fsolve
from scipy.stats import norm, spearmanr, truncnorm
from sklearn.model_selection import ShuffleSplit
from sklearn.preprocessing import StandardScaler

from conftest import run, run_json, write
from test_resampling import philox_words

STARTS = np.arange(70.0, 130.0, 10.0)
OBJECTS = ["bear", "cat", "dog", "elephant"]


def experiment(n=150, features=200, seed=0, unsolved=10):
    """A network whose objects come apart over its time bins, at a pace of each image; IT does so at the same pace."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(len(OBJECTS), size=n)
    pace = rng.uniform(0, 1, n)
    centres = rng.standard_normal((len(OBJECTS), features))
    gain = 1 / (1 + np.exp(-8 * (np.linspace(0, 1.4, len(STARTS))[None] - pace[:, None])))
    x = 2.5 * gain[:, None, :] * centres[truth][:, :, None] + rng.standard_normal((n, features, len(STARTS)))
    ost = 90 + 60 * pace + 5 * rng.standard_normal(n)
    ost[rng.choice(n, unsolved, replace=False)] = np.nan
    return x, truth, ost, rng.uniform(0.2, 1.5, n)


def readout(x, y, x_test, k):
    """Forty epochs of Adam at 1e-4 in batches of 64 from RandomState(0), L2 of .463 / 2 on weights and intercept."""
    p = x.shape[1]
    u = (philox_words(0, 0, 1, p * k)[0] + 0.5) / 2**32
    start = truncnorm.ppf(u, -2, 2) / truncnorm.std(-2, 2) / np.sqrt(p)
    w = torch.tensor(start.reshape(p, k), requires_grad=True)
    b = torch.ones(k, dtype=torch.float64, requires_grad=True)
    adam = torch.optim.Adam([w, b], lr=1e-4, eps=1e-8)
    x, y, order = torch.tensor(x), torch.tensor(y), np.random.RandomState(0)
    for _ in range(40):
        rows = order.permutation(len(x))
        for begin in range(0, len(x), 64):
            batch = rows[begin:begin + 64]
            loss = torch.nn.functional.cross_entropy(x[batch] @ w + b, y[batch]) + 0.463 / 2 * ((w**2).sum() + (b**2).sum())
            adam.zero_grad()
            loss.backward()
            adam.step()
    return torch.softmax(torch.tensor(x_test) @ w + b, 1).detach().numpy()


def i1(p, truth):
    """d' of each image, from the platform's formulas (BENCHMARKS.md 2.7), image by image."""
    n, k = p.shape
    two_way = np.array([[np.nan if c == truth[i] else p[i, c] / (p[i, c] + p[i, truth[i]]) for c in range(k)] for i in range(n)])
    out = []
    for i in range(n):
        values = []
        for c in range(k):
            if c == truth[i]:
                continue
            false_alarms = two_way[truth == c, truth[i]]
            if len(false_alarms):
                values.append(np.clip(norm.ppf(1 - two_way[i, c]) - norm.ppf(np.nanmean(false_alarms)), -5, 5))
        out.append(np.mean(values) if values else np.nan)
    return np.array(out)


def expected(x, truth, ost, thresholds):
    solved = np.flatnonzero(np.isfinite(ost))
    splits = list(ShuffleSplit(10, test_size=0.1, random_state=1).split(solved))
    predicted, scores = np.full((10, len(ost)), np.nan), []
    for s, (train, test) in enumerate(splits):
        train, test = solved[train], solved[test]
        by_bin = []
        for b in range(x.shape[2]):
            scaler = StandardScaler().fit(x[train, :, b])
            by_bin.append(i1(readout(scaler.transform(x[train, :, b]), truth[train], scaler.transform(x[test, :, b]),
                                     len(OBJECTS)), truth[test]))
        by_bin = np.array(by_bin)
        for j, image in enumerate(test):
            curve, threshold = by_bin[:, j], thresholds[image]
            hits = np.flatnonzero(curve >= threshold)
            if not len(hits):
                continue
            hit = hits[0]
            if hit == 0:
                predicted[s, image] = STARTS[0]
                continue
            last = hit - 1 - np.argmax(curve[:hit][::-1])
            line = interp1d([STARTS[last], STARTS[hit]], [curve[last], curve[hit]], fill_value="extrapolate")
            predicted[s, image] = fsolve(lambda t: line(t) - threshold, STARTS[hit])[0]
        there = test[np.isfinite(predicted[s, test])]
        scores.append(spearmanr(predicted[s, there], ost[there])[0] if len(there) > 2 else np.nan)
    return predicted, np.array(scores)


def flags(tmp_path, x, truth, ost, thresholds):
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "bins.npy", STARTS[:x.shape[2]] if x.ndim == 3 else STARTS[:1])
    rows = [dict(stimulus_id=f"s{i}", truth=OBJECTS[t], ost="" if np.isnan(o) else repr(float(o)), i1=repr(float(h)))
            for i, (t, o, h) in enumerate(zip(truth, ost, thresholds))]
    return ["--source", tmp_path / "x.npy", "--target", write(tmp_path / "t.csv", rows), "--bins", tmp_path / "bins.npy"]


@pytest.mark.parametrize("seed", [0, 1])
def test_equals_the_recipe(seed, tmp_path):
    data = experiment(seed=seed)
    ours = run_json("metric", "ost", *flags(tmp_path, *data))
    predicted, scores = expected(*data)
    got = np.array([[np.nan if v is None else v for v in row] for row in ours["predicted_ost"]])
    assert 0.3 < np.isfinite(predicted[:, np.isfinite(data[2])]).any(0).mean()  # the case is no empty one
    # float32 against float64, through 120 Adam steps: i1 to 1e-5, a time to that over the curve's slope.
    assert np.array_equal(np.isfinite(got), np.isfinite(predicted))
    np.testing.assert_allclose(got, predicted, atol=2e-2)
    np.testing.assert_allclose(ours["split_scores"], scores, atol=1e-9)
    assert ours["score"] == pytest.approx(np.nanmean(scores), abs=1e-9)
    assert ours["error"] == pytest.approx(np.nanstd(scores) / np.sqrt(10), abs=1e-9)
    assert ours["n"] == {"presentations": 150, "solved": 140, "objects": 4}


def test_bits_do_not_depend_on_threads(tmp_path):
    arguments = flags(tmp_path, *experiment(n=80, seed=3))
    results = []
    for threads in (1, 2, 2):
        done = run("--threads", threads, "metric", "ost", *arguments, "--json")
        assert done.returncode == 0, done.stderr
        results.append(done.stdout)
    assert results[0] == results[1] == results[2]


def test_a_network_without_time_has_none(tmp_path):
    x, *rest = experiment(n=60)
    ours = run_json("metric", "ost", *flags(tmp_path, x[:, :, 0], *rest))
    assert ours["score"] is None and "one time bin" in ours["warnings"][0]


def test_bad_input(tmp_path):
    x, truth, ost, thresholds = experiment(n=60)
    np.save(tmp_path / "few.npy", STARTS[:3])
    done = run("metric", "ost", *flags(tmp_path, x, truth, ost, thresholds)[:4], "--bins", tmp_path / "few.npy")
    assert done.returncode == 5 and "few.npy" in done.stderr and "6 that ascend" in done.stderr
    assert run("metric", "ost", *flags(tmp_path, x, truth, ost, thresholds)[:4]).returncode == 2
    done = run("metric", "ost", *flags(tmp_path, x[:50], truth, ost, thresholds))
    assert done.returncode == 5 and "60" in done.stderr and "50" in done.stderr
    done = run("metric", "ost", *flags(tmp_path, x, truth, np.where(np.arange(60) < 20, ost, np.nan), thresholds))
    assert done.returncode == 5 and "at least 30" in done.stderr
    done = run("metric", "ost", *flags(tmp_path, x, truth, ost, np.full(60, np.nan)))
    assert done.returncode == 5 and "column i1" in done.stderr
