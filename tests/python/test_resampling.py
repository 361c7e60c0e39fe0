"""Bootstraps, intervals, paired tests and permutation nulls against NumPy and SciPy, run here with the same draws."""
import numpy as np
import pytest
from scipy.stats import bootstrap as scipy_bootstrap
from scipy.stats import norm, pearsonr
from sklearn.linear_model import Ridge
from sklearn.model_selection import ShuffleSplit

from conftest import run, run_json, save

WORDS = {"neuroid": 0, "presentation": 1, "split": 2, "subject": 3}


def philox_words(seed, word, n_draws, n):
    """Word `word` of Philox4x32-10 at (draw, position): [n_draws, n]. NumPy's own Philox is the 64-bit variant, so the ten
    rounds are written out (Salmon et al. 2011)."""
    mask = np.uint64(0xFFFFFFFF)
    draw, place = np.meshgrid(np.arange(n_draws, dtype=np.uint64), np.arange(n, dtype=np.uint64), indexing="ij")
    c = [place & mask, place >> np.uint64(32), draw & mask, draw >> np.uint64(32)]
    k0, k1 = np.uint64(seed & 0xFFFFFFFF), np.uint64(seed >> 32)
    for _ in range(10):
        p0, p1 = c[0] * np.uint64(0xD2511F53), c[2] * np.uint64(0xCD9E8D57)
        c = [(p1 >> np.uint64(32)) ^ c[1] ^ k0, p1 & mask, (p0 >> np.uint64(32)) ^ c[3] ^ k1, p0 & mask]
        k0, k1 = (k0 + np.uint64(0x9E3779B9)) & mask, (k1 + np.uint64(0xBB67AE85)) & mask
    return c[word]


def philox_counts(seed, axis, n_draws, n):
    """The draws that docs/metrics.md promises, one word an axis."""
    drawn = ((philox_words(seed, WORDS[axis], n_draws, n) * np.uint64(n)) >> np.uint64(32)).astype(int)
    return np.stack([np.bincount(row, minlength=n) for row in drawn])


def data(n=60, p=15, m=8, seed=0, noise=2.0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, p))
    return x, x @ rng.standard_normal((p, m)) + noise * rng.standard_normal((n, m))


def fitted(x, y):
    splits = list(ShuffleSplit(10, train_size=0.9, random_state=1).split(x))
    return splits, [Ridge(alpha=1.0).fit(x[a], y[a]).predict(x[b]) for a, b in splits]


def drawn_score(y, splits, predictions, presentation=None, neuroid=None, split=None):
    """Median over neuroids, mean over splits, everything repeated as often as it was drawn."""
    medians = []
    for (_, test), predicted in zip(splits, predictions):
        rows = np.arange(len(test)) if presentation is None else np.repeat(np.arange(len(test)), presentation[test])
        a, b = predicted[rows], y[test][rows]
        with np.errstate(all="ignore"):
            r = np.array([np.corrcoef(a[:, i], b[:, i])[0, 1] if len(rows) > 1 and np.ptp(b[:, i]) > 0 else np.nan
                          for i in range(y.shape[1])])
        medians.append(np.nanmedian(r if neuroid is None else np.repeat(r, neuroid)))
    return np.nanmean(medians if split is None else np.repeat(medians, split))


@pytest.mark.parametrize("over", ["neuroid", "presentation", "split", "neuroid,presentation",
                                  "split,neuroid,presentation"])
def test_percentile_interval_is_numpys_over_the_same_draws(over, tmp_path):
    x, y = data()
    n_boot = 200
    ours = run_json("metric", "ridge", *save(tmp_path, source=x, target=y), "--bootstrap", n_boot, "--over", over,
                    "--level", 0.9)
    splits, predictions = fitted(x, y)
    sizes = {"neuroid": 8, "presentation": 60, "split": 10}
    counts = {axis: philox_counts(0, axis, n_boot, sizes[axis]) for axis in over.split(",")}
    draws = [drawn_score(y, splits, predictions, **{axis: c[b] for axis, c in counts.items()}) for b in range(n_boot)]
    np.testing.assert_allclose([ours["ci_lo"], ours["ci_hi"]], np.percentile(draws, [5, 95]), atol=1e-11)
    assert ours["bootstrap_error"] == pytest.approx(np.std(draws, ddof=1), rel=1e-9)


def bca(value, draws, jackknives, level=0.95):
    """Efron 1987 in NumPy and scipy.stats.norm."""
    draws = np.sort(draws)
    z0 = norm.ppf((np.sum(draws < value) + np.sum(draws <= value)) / (2 * len(draws)))
    cubes = squares = 0
    for jackknife in jackknives:
        u = (len(jackknife) - 1) * (np.mean(jackknife) - jackknife)
        cubes += np.sum(u**3) / len(u) ** 3
        squares += np.sum(u**2) / len(u) ** 2
    a = cubes / (6 * squares**1.5)
    z = z0 + norm.ppf([(1 - level) / 2, (1 + level) / 2])
    return np.percentile(draws, 100 * norm.cdf(z0 + z / (1 - a * z)))


def test_one_draw_is_no_interval(tmp_path):
    """It would be a point, and look like certainty."""
    x, y = data()
    trials = np.stack([y, y + 0.1, 1.1 * y])
    plain = run_json("metric", "ridge", *save(tmp_path, source=x, target=y), "--bootstrap", 1)
    ceiled = run_json("metric", "ridge", *save(tmp_path, source=x, target=y, trials=trials), "--bootstrap", 1)
    assert plain["ci_lo"] is None and plain["ci_hi"] is None
    assert ceiled["ceiled"] is not None and ceiled["ceiled_ci_lo"] is None and ceiled["ceiled_ci_hi"] is None


@pytest.mark.parametrize("over", ["neuroid", "presentation", "neuroid,presentation"])
def test_bca_interval(over, tmp_path):
    x, y = data(seed=1, m=9)
    ours = run_json("metric", "ridge", *save(tmp_path, source=x, target=y), "--bootstrap", 300, "--over", over,
                    "--interval", "bca")
    splits, predictions = fitted(x, y)
    sizes = {"neuroid": 9, "presentation": 60}
    axes = over.split(",")
    counts = {axis: philox_counts(0, axis, 300, sizes[axis]) for axis in axes}
    draws = [drawn_score(y, splits, predictions, **{axis: c[b] for axis, c in counts.items()}) for b in range(300)]
    jackknives = [np.array([drawn_score(y, splits, predictions, **{axis: row})
                            for row in 1 - np.eye(sizes[axis], dtype=int)]) for axis in axes]
    expected = bca(drawn_score(y, splits, predictions), draws, jackknives)
    np.testing.assert_allclose([ours["ci_lo"], ours["ci_hi"]], expected, atol=1e-10)


def test_bca_formula_is_scipys(tmp_path):
    """The formula above, on draws of SciPy's own."""
    rng = np.random.default_rng(2)
    sample = rng.exponential(size=40)
    result = scipy_bootstrap((sample,), np.mean, n_resamples=999, method="BCa", rng=np.random.default_rng(3))
    jackknife = np.array([np.delete(sample, i).mean() for i in range(40)])
    expected = bca(sample.mean(), result.bootstrap_distribution, [jackknife])
    np.testing.assert_allclose([result.confidence_interval.low, result.confidence_interval.high], expected, rtol=1e-12)


def test_paired_comparison(tmp_path):
    x, y = data(n=80, seed=4, m=12)
    rng = np.random.default_rng(5)
    worse = x + 1.5 * rng.standard_normal(x.shape)
    flags = save(tmp_path, source=x, target=y, versus=worse)
    ours = run_json("metric", "ridge", *flags, "--bootstrap", 400, "--over", "presentation")["versus"]
    splits, predictions = fitted(x, y)
    _, others = fitted(worse, y)
    counts = philox_counts(0, "presentation", 400, 80)
    draws = np.array([drawn_score(y, splits, predictions, presentation=c) - drawn_score(y, splits, others, presentation=c)
                      for c in counts])
    np.testing.assert_allclose([ours["ci_lo"], ours["ci_hi"]], np.percentile(draws, [2.5, 97.5]), atol=1e-11)
    low, high = (draws <= 0).sum() + 1, (draws >= 0).sum() + 1
    assert ours["p_bootstrap"] == pytest.approx(min(1, 2 * min(low, high) / 401), rel=1e-12)
    assert ours["p_permutation"] < 0.01
    same = run_json("metric", "ridge", *save(tmp_path, source=x, target=y, versus=x))["versus"]
    assert same["difference"] == 0 and same["p_permutation"] == 1 and same["p_bootstrap"] == 1


def test_paired_permutation_is_exact_in_the_limit(tmp_path):
    """All 2^8 exchanges counted one by one, beside 20,000 random ones."""
    x, y = data(n=60, seed=6, m=8, noise=4)
    other = x + 0.5 * np.random.default_rng(7).standard_normal(x.shape)
    ours = run_json("metric", "ridge", *save(tmp_path, source=x, target=y, versus=other), "--bootstrap", 20000)["versus"]
    splits, predictions = fitted(x, y)
    _, others = fitted(other, y)

    def per_neuroid(predicted):
        return np.array([[pearsonr(p[:, i], y[t][:, i])[0] for i in range(8)] for (_, t), p in zip(splits, predicted)])

    a, b = per_neuroid(predictions), per_neuroid(others)
    score = lambda r: np.median(r, axis=1).mean()
    observed = abs(score(a) - score(b))
    exact = np.mean([abs(score(np.where(s, b, a)) - score(np.where(s, a, b))) >= observed * (1 - 1e-12)
                     for s in ((np.arange(256)[:, None] >> np.arange(8)) & 1).astype(bool)])
    assert ours["p_permutation"] == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 20000) + 1e-4)


def test_permutation_null(tmp_path):
    x, y = data(n=50, seed=8)
    ours = run_json("metric", "ridge", *save(tmp_path, source=x, target=y), "--permutations", 60)
    rng = np.random.default_rng(0)
    null = []
    for _ in range(60):
        shuffled = y[rng.permutation(50)]
        splits, predictions = fitted(x, shuffled)
        null.append(drawn_score(shuffled, splits, predictions))
    assert ours["null_mean"] == pytest.approx(np.mean(null), abs=1e-11)
    assert ours["null_sd"] == pytest.approx(np.std(null, ddof=1), rel=1e-9)
    assert ours["p_value"] == (1 + sum(v >= ours["score"] for v in null)) / 61
    # An RDM is permuted by rows and columns together.
    ours = run_json("metric", "rdm", *save(tmp_path, source=x, target=1 - np.corrcoef(y)), "--target-rdm",
                    "--permutations", 40)
    assert ours["p_value"] == 1 / 41 and abs(ours["null_mean"]) < 0.05


def test_ceiled_score_carries_its_ceilings_uncertainty(tmp_path):
    x, y = data(n=60, m=8, seed=9, noise=0.5)
    rng = np.random.default_rng(10)
    trials = y + 2 * rng.standard_normal((7, *y.shape))
    trials[rng.random(trials.shape) < 0.05] = np.nan
    y = np.nanmean(trials, axis=0)
    ours = run_json("metric", "ridge", *save(tmp_path, source=x, target=y, trials=trials), "--bootstrap", 100,
                    "--over", "presentation,neuroid")
    splits, predictions = fitted(x, y)
    halves = [(np.nanmean(trials[a], axis=0), np.nanmean(trials[b], axis=0))
              for a, b in ShuffleSplit(10, train_size=0.5, random_state=1).split(trials)]

    def ceiling(presentation=np.ones(60, int), neuroid=np.ones(8, int)):  # noqa: B008
        medians = []
        for a, b in halves:
            r = []
            for i in range(8):
                rows = np.repeat(np.arange(60), presentation)
                rows = rows[~np.isnan(a[rows, i] + b[rows, i])]
                c = np.corrcoef(a[rows, i], b[rows, i])[0, 1]
                r.append(2 * c / (1 + c))
            medians.append(np.median(np.repeat(r, neuroid)))
        return np.mean(medians)

    assert ours["ceiling"] == pytest.approx(ceiling(), rel=1e-12)
    assert ours["ceiled"] == pytest.approx(ours["score"] ** 2 / ours["ceiling"], rel=1e-12)
    p, m = philox_counts(0, "presentation", 100, 60), philox_counts(0, "neuroid", 100, 8)
    draws = [drawn_score(y, splits, predictions, presentation=a, neuroid=b) ** 2 / ceiling(a, b) for a, b in zip(p, m)]
    np.testing.assert_allclose([ours["ceiled_ci_lo"], ours["ceiled_ci_hi"]], np.percentile(draws, [2.5, 97.5]), rtol=1e-9)
    assert ours["ceiled_error"] == pytest.approx(np.std(draws, ddof=1), rel=1e-8)
    for convention, power in (("r_over_c_squared", 2), ("r_over_c", 1)):
        other = run_json("metric", "ridge", *save(tmp_path, source=x, target=y, trials=trials), "--over", "presentation,neuroid", "--bootstrap", 100,
                         "--ceiling-convention", convention)
        assert other["ceiled"] == pytest.approx((ours["score"] / ours["ceiling"]) ** power, rel=1e-12)
        draws = [(drawn_score(y, splits, predictions, presentation=a, neuroid=b) / ceiling(a, b)) ** power for a, b in zip(p, m)]
        np.testing.assert_allclose([other["ceiled_ci_lo"], other["ceiled_ci_hi"]], np.percentile(draws, [2.5, 97.5]), rtol=1e-9)


def test_draws_over_an_axis_do_not_depend_on_the_others(tmp_path):
    flags = save(tmp_path, **dict(zip(("source", "target"), data(seed=11))))
    one = run_json("metric", "ridge", *flags, "--bootstrap", 100, "--over", "neuroid")
    again = run_json("metric", "ridge", *flags, "--bootstrap", 100)
    assert (one["ci_lo"], one["ci_hi"]) == (again["ci_lo"], again["ci_hi"])


@pytest.mark.parametrize("shape,axes", [((40,), (0,)), ((7, 30), (0, 1)), ((5, 16, 9), (2, 0))])
def test_bootstrap_error_draws_as_the_platform(shape, axes, tmp_path):
    values = np.random.default_rng(12).standard_normal(shape)
    values.flat[3] = np.nan
    ours = run_json("metric", "bootstrap_error", *save(tmp_path, source=values), "--axes", ",".join(map(str, axes)))
    rng = np.random.default_rng(0)
    draws = []
    for _ in range(1000):
        drawn = values
        for axis in axes:
            drawn = np.take(drawn, rng.integers(0, shape[axis], shape[axis]), axis=axis)
        draws.append(np.nanmean(drawn))
    assert ours["error"] == pytest.approx(np.std(draws, ddof=1), rel=1e-11)
    assert ours["score"] == pytest.approx(np.nanmean(values), rel=1e-12)


def test_bad_flags(tmp_path):
    flags = save(tmp_path, **dict(zip(("source", "target"), data())))
    done = run("metric", "ridge", *flags, "--over", "subject")
    assert done.returncode == 2 and "neuroid" in done.stderr
    done = run("metric", "ridge", *flags, "--over", "images")
    assert done.returncode == 2 and "presentation" in done.stderr
    assert run("metric", "ridge", *flags, "--level", 2).returncode == 2
    done = run("metric", "rdm_cv", *flags, "--versus", tmp_path / "source.npy")
    assert done.returncode == 2 and "nothing to draw" in done.stderr
    done = run("metric", "rdm", *flags, "--trials", tmp_path / "source.npy")
    assert done.returncode != 0
    done = run("metric", "value_delta", *flags, "--permutations", 3)
    assert done.returncode == 2 and "--permutations" in done.stderr
    both = run_json("metric", "rdm", *flags, "--versus", tmp_path / "source.npy", "--bootstrap", 50)
    assert both["versus"]["difference"] == 0 and both["versus"]["p_permutation"] is None
