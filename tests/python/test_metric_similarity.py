"""`cortiscore metric rdm | cka` against rsatoolbox, SciPy and NumPy, run here."""
import re

import numpy as np
import pytest
from rsatoolbox.data import Dataset
from rsatoolbox.rdm import calc_rdm, compare
from scipy.stats import spearmanr
from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit

from conftest import ROOT, run, run_json, save


def responses(n=40, p=30, m=20, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, p)) + 2 * rng.standard_normal((n, 1))
    return x, np.tanh(x[:, : m] @ rng.standard_normal((min(m, p), m))) + rng.standard_normal((n, m))


def triangle(rdm):
    return rdm[np.triu_indices(len(rdm), 1)]


@pytest.mark.parametrize("comparison,theirs", [("spearman", "spearman"), ("pearson", "corr"), ("cosine", "cosine"),
                                               ("tau-a", "tau-a"), ("rho-a", "rho-a")])
@pytest.mark.parametrize("distance,method", [("correlation", "correlation"), ("euclidean", "euclidean")])
def test_equals_rsatoolbox(comparison, theirs, distance, method, tmp_path):
    for seed, n in enumerate((3, 10, 41)):
        x, y = responses(n, seed=seed)
        ours = run_json("metric", "rdm", *save(tmp_path, source=x, target=y), "--comparison", comparison,
                        "--distance", distance)
        a, b = (calc_rdm(Dataset(v), method=method) for v in (x, y))
        assert ours["score"] == pytest.approx(compare(a, b, method=theirs)[0, 0], rel=1e-12, abs=1e-14)


def test_the_platforms_rdm(tmp_path):
    x, y = responses(60, seed=3)
    x[7] = x[9]  # a tie
    ours = run_json("metric", "rdm", *save(tmp_path, source=x, target=y))
    expected = spearmanr(triangle(1 - np.corrcoef(x)), triangle(1 - np.corrcoef(y)))[0]
    assert ours["score"] == pytest.approx(expected, rel=1e-12)
    assert ours["error"] is None and ours["ci_lo"] is None


def test_given_rdms_and_subjects(tmp_path):
    rng = np.random.default_rng(4)
    x, _ = responses(25, seed=4)
    subjects = np.stack([1 - np.corrcoef(x + 3 * rng.standard_normal(x.shape)) for _ in range(6)])
    ours = run_json("metric", "rdm", *save(tmp_path, source=x, target=subjects), "--target-rdm")
    each = [spearmanr(triangle(1 - np.corrcoef(x)), triangle(s))[0] for s in subjects]
    np.testing.assert_allclose(ours["per_neuroid"][0], each, rtol=1e-12)
    assert ours["score"] == pytest.approx(np.mean(each), rel=1e-12)
    assert ours["over"] == "subject" and ours["ci_lo"] < ours["score"] < ours["ci_hi"]
    own = run_json("metric", "rdm", *save(tmp_path, source=1 - np.corrcoef(x), target=subjects), "--source-rdm",
                   "--target-rdm")
    assert own["score"] == pytest.approx(ours["score"], rel=1e-12)


def test_missing_pairs_are_left_out_and_counted(tmp_path):
    x, y = responses(20, seed=5)
    rdm = 1 - np.corrcoef(y)
    rdm[3, 8] = rdm[8, 3] = np.nan
    ours = run_json("metric", "rdm", *save(tmp_path, source=x, target=rdm), "--target-rdm")
    a, b = triangle(1 - np.corrcoef(x)), triangle(rdm)
    there = ~np.isnan(b)
    assert ours["score"] == pytest.approx(spearmanr(a[there], b[there])[0], rel=1e-12)
    assert any("1 of 190 pairs" in w for w in ours["warnings"])
    x[4] = 0.1  # a constant pattern correlates with nothing
    ours = run_json("metric", "rdm", *save(tmp_path, source=x, target=y))
    assert any("19 of 190 pairs" in w for w in ours["warnings"])


@pytest.mark.parametrize("stratify", [False, True])
def test_rdm_cv(stratify, tmp_path):
    x, y = responses(43 if not stratify else 60, seed=6)
    n = len(x)
    labels = np.arange(n) % 6
    flags = save(tmp_path, source=x, target=y) + (save(tmp_path, stratify=labels) if stratify else [])
    ours = run_json("metric", "rdm_cv", *flags)
    splitter = (StratifiedShuffleSplit if stratify else ShuffleSplit)(10, test_size=0.9, random_state=1)
    scores = [spearmanr(triangle(1 - np.corrcoef(x[t])), triangle(1 - np.corrcoef(y[t])))[0]
              for _, t in splitter.split(x, labels)]
    np.testing.assert_allclose(ours["split_scores"], scores, rtol=1e-12)
    assert ours["score"] == pytest.approx(np.mean(scores), rel=1e-12)
    assert ours["error"] == pytest.approx(np.std(scores) / np.sqrt(10), rel=1e-9)


def biased(x, y):
    n = len(x)
    h = np.eye(n) - 1 / n
    k, l = h @ x @ x.T @ h, h @ y @ y.T @ h
    return (k * l).sum() / np.sqrt((k * k).sum() * (l * l).sum())


def unbiased(x, y):
    """Song et al. 2012, eq. 5, with loops over nothing but matrices."""
    n = len(x)
    k, l = x @ x.T, y @ y.T
    np.fill_diagonal(k, 0)
    np.fill_diagonal(l, 0)

    def hsic(a, b):
        return (np.trace(a @ b) + a.sum() * b.sum() / ((n - 1) * (n - 2)) - 2 * (a @ b).sum() / (n - 2)) / (n * (n - 3))

    hxy, hxx, hyy = hsic(k, l), hsic(k, k), hsic(l, l)
    return hxy / (np.sqrt(hxx * hyy) + 1e-12) if hxx * hyy > 0 else 0.0


@pytest.mark.parametrize("n,p,m", [(4, 3, 2), (30, 100, 5), (200, 20, 50), (33, 1, 1)])
def test_cka(n, p, m, tmp_path):
    rng = np.random.default_rng(n)
    x = rng.standard_normal((n, p))
    y = x[:, :1] + rng.standard_normal((n, m))
    flags = save(tmp_path, source=x, target=y)
    assert run_json("metric", "cka", *flags)["score"] == pytest.approx(unbiased(x, y), rel=1e-10, abs=1e-13)
    assert run_json("metric", "cka_biased", *flags)["score"] == pytest.approx(biased(x, y), rel=1e-12)


def test_cka_cv_and_invariance(tmp_path):
    x, y = responses(50, seed=7)
    flags = save(tmp_path, source=x, target=y)
    ours = run_json("metric", "cka_cv", *flags)
    scores = [unbiased(x[t], y[t]) for _, t in ShuffleSplit(10, test_size=0.9, random_state=1).split(x)]
    np.testing.assert_allclose(ours["split_scores"], scores, rtol=1e-10)
    q = np.linalg.qr(np.random.default_rng(0).standard_normal((30, 30)))[0]
    plain = run_json("metric", "cka", *flags)["score"]
    moved = run_json("metric", "cka", *save(tmp_path, source=7 * x @ q + 3, target=y))["score"]
    assert moved == pytest.approx(plain, abs=1e-10)
    assert run_json("metric", "cka", *save(tmp_path, source=x, target=x))["score"] == pytest.approx(1, abs=1e-9)


def test_bootstrap_over_presentations_equals_resampled_rdms(tmp_path):
    """rsatoolbox's bootstrap: stimuli drawn with replacement, pairs of a stimulus with its own copy left out. The same
    draws here, one by one, give the same distribution."""
    from test_resampling import philox_counts

    x, y = responses(18, seed=8)
    flags = save(tmp_path, source=x, target=y)
    a, b = 1 - np.corrcoef(x), 1 - np.corrcoef(y)
    counts = philox_counts(0, "presentation", 300, 18)
    for comparison in ("spearman", "pearson", "cosine"):
        draws = []
        for c in counts:
            drawn = np.repeat(np.arange(18), c)
            i, j = np.triu_indices(18, 1)
            keep = drawn[i] != drawn[j]
            va, vb = a[drawn[i], drawn[j]][keep], b[drawn[i], drawn[j]][keep]
            draws.append({"spearman": lambda: spearmanr(va, vb)[0], "pearson": lambda: np.corrcoef(va, vb)[0, 1],
                          "cosine": lambda: va @ vb / np.sqrt(va @ va * (vb @ vb))}[comparison]())
        ours = run_json("metric", "rdm", *flags, "--bootstrap", 300, "--over", "presentation", "--comparison", comparison)
        np.testing.assert_allclose([ours["ci_lo"], ours["ci_hi"]], np.percentile(draws, [2.5, 97.5]), rtol=1e-10)
        assert ours["bootstrap_error"] == pytest.approx(np.std(draws, ddof=1), rel=1e-10)


def test_cka_bootstrap_leaves_out_copies(tmp_path):
    from test_resampling import philox_counts

    x, y = responses(60, seed=9)
    x, y = x - x.mean(0), y - y.mean(0)
    draws = []
    for c in philox_counts(0, "presentation", 300, 60):
        drawn = np.repeat(np.arange(60), c)
        n = len(drawn)
        apart = drawn[:, None] != drawn[None]
        k, l = x[drawn] @ x[drawn].T * apart, y[drawn] @ y[drawn].T * apart

        def hsic(a, b):
            return (a * b).sum() + a.sum() * b.sum() / ((n - 1) * (n - 2)) - 2 * (a.sum(0) * b.sum(0)).sum() / (n - 2)

        draws.append(hsic(k, l) / np.sqrt(hsic(k, k) * hsic(l, l)))
    ours = run_json("metric", "cka", *save(tmp_path, source=x, target=y), "--bootstrap", 300)
    np.testing.assert_allclose([ours["ci_lo"], ours["ci_hi"]], np.percentile(draws, [2.5, 97.5]), rtol=1e-9)
    assert ours["ci_lo"] < ours["score"] < ours["ci_hi"]


@pytest.mark.parametrize("first,count", [(0, 10), pytest.param(10, 300, marks=pytest.mark.slow)])
def test_many_random_cases(first, count, tmp_path):
    rng = np.random.default_rng(30 + first)
    for i in range(first, first + count):
        n, p, m = int(rng.integers(5, 90)), int(rng.integers(3, 150)), int(rng.integers(3, 40))
        x, y = responses(n, p, min(m, p), seed=200 + i)
        x = np.round(x, int(rng.integers(1, 6))) + rng.choice([0, 100])  # ties, and means far from zero
        flags = save(tmp_path, source=x, target=y)
        expected = spearmanr(triangle(1 - np.corrcoef(x)), triangle(1 - np.corrcoef(y)))[0]
        # Rounding separates or joins near ties in one implementation and not in another: a rank of n^2 / 2.
        assert run_json("metric", "rdm", *flags)["score"] == pytest.approx(expected, abs=1e-9)
        centred = x - x.mean(0)  # CKA does not feel a shift; the reference does, by rounding
        assert run_json("metric", "cka_biased", *flags)["score"] == pytest.approx(biased(centred, y), rel=1e-10)
        assert run_json("metric", "cka", *flags)["score"] == pytest.approx(unbiased(centred, y), rel=1e-7, abs=1e-10)


def test_real_human_it(real_data, tmp_path):
    """Human IT RDMs of Cichy et al. 2014 against the mean of the others: a plain NumPy loop says the same."""
    rdms = np.load(real_data / "algonauts2019_cichy_fmri/92images/fmri_IT_RDMs.npz")
    stack = np.asarray(rdms[rdms.files[0]], dtype=float)
    assert stack.shape[1:] == (92, 92)
    mean = stack[1:].mean(0)
    ours = run_json("metric", "rdm", *save(tmp_path, source=mean, target=stack), "--source-rdm", "--target-rdm")
    each = [spearmanr(triangle(mean), triangle(s))[0] for s in stack]
    assert ours["score"] == pytest.approx(np.mean(each), rel=1e-12)


def test_bad_input(tmp_path):
    x, y = responses(20)
    done = run("metric", "rdm", *save(tmp_path, source=x, target=y[:12]))
    assert done.returncode == 5 and "12" in done.stderr
    done = run("metric", "rdm", *save(tmp_path, source=x, target=y[:, :7]), "--target-rdm")
    assert done.returncode == 5 and "n x n" in done.stderr
    done = run("metric", "rdm", *save(tmp_path, source=x, target=y), "--comparison", "kendal")
    assert done.returncode == 2 and "tau-a" in done.stderr  # a value of a flag, as --mode and --interval have theirs
    done = run("metric", "rdm", *save(tmp_path, source=x, target=y), "--over", "neuroid", "--bootstrap", 10)
    assert done.returncode == 2 and "presentation" in done.stderr


def test_every_metric_on_arrays_has_its_line_in_the_documents():
    documented = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (.+?) \|", (ROOT / "docs/metrics.md").read_text(), re.M))))
    listed = re.search(r"on arrays: (.+?);", " ".join(run("metric", "--help").stdout.split())).group(1).split(", ")
    assert {"pls", "cka", "rdm_cv"} <= set(listed)
    plain = [name for name in listed if not name.startswith(("reverse_", "scaled_", "spantime_"))]
    assert set(plain) <= documented, set(plain) - documented
