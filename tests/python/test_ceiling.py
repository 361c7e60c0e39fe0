"""`cortiscore ceiling internal_consistency` against NumPy and scikit-learn's ShuffleSplit, run here."""
import numpy as np
import pytest
from rsatoolbox.inference.noise_ceiling import boot_noise_ceiling
from rsatoolbox.rdm import RDMs
from scipy.stats import spearmanr
from sklearn.model_selection import ShuffleSplit

from conftest import run, run_json


def reference(trials, n_splits=10, seed=1):
    """Split-half reliability raised by Spearman-Brown, NaN skipped in each half: [n_splits, n_neuroids]."""
    out = []
    for first, second in ShuffleSplit(n_splits, train_size=0.5, random_state=seed).split(np.arange(len(trials))):
        with np.errstate(all="ignore"):
            a, b = np.nanmean(trials[first], axis=0), np.nanmean(trials[second], axis=0)
        row = []
        for i in range(trials.shape[2]):
            there = ~np.isnan(a[:, i]) & ~np.isnan(b[:, i])
            r = np.corrcoef(a[there, i], b[there, i])[0, 1]
            row.append(2 * r / (1 + r))
        out.append(row)
    return np.array(out)


def population(repetitions, missing, seed):
    rng = np.random.default_rng(seed)
    trials = rng.standard_normal((1, 120, 30)) + rng.uniform(0.5, 4, 30) * rng.standard_normal((repetitions, 120, 30))
    trials[rng.random(trials.shape) < missing] = np.nan
    return trials


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("repetitions,missing", [(10, 0), (7, 0), (2, 0), (28, 0), (10, 0.3), (5, 0.5), (60, 0.1)])
def test_equals_numpy(repetitions, missing, tmp_path):
    trials = population(repetitions, missing, repetitions)
    np.save(tmp_path / "t.npy", trials)
    ours = run_json("ceiling", "internal_consistency", "--trials", tmp_path / "t.npy")
    expected = reference(trials)
    np.testing.assert_allclose(np.array(ours["per_neuroid"], dtype=float), expected, rtol=1e-12, atol=1e-14)
    medians = np.nanmedian(expected, axis=1)
    np.testing.assert_allclose(ours["split_ceilings"], medians, rtol=1e-12)
    assert ours["ceiling"] == pytest.approx(medians.mean(), rel=1e-12)
    assert ours["error"] == pytest.approx(medians.std() / np.sqrt(10), rel=1e-10)
    assert ours["ci_lo"] < ours["ceiling"] < ours["ci_hi"]


def test_closed_form():
    """Signal variance s2, noise n2: the reliability of a mean of R trials is s2 / (s2 + n2 / R)."""
    import tempfile

    rng = np.random.default_rng(0)
    for noise, repetitions in ((0.5, 10), (2.0, 20)):
        trials = rng.standard_normal((1, 4000, 40)) + noise * rng.standard_normal((repetitions, 4000, 40))
        with tempfile.TemporaryDirectory() as folder:
            np.save(f"{folder}/t.npy", trials)
            ours = run_json("ceiling", "internal_consistency", "--trials", f"{folder}/t.npy")
        assert ours["ceiling"] == pytest.approx(1 / (1 + noise**2 / repetitions), abs=0.005)


def test_real_v4(real_data, tmp_path):
    responses = np.load(real_data / "v4_cowley2023_macaque/responses/responses_210325.npy")
    trials = responses.transpose(2, 1, 0)
    np.save(tmp_path / "t.npy", trials)
    ours = run_json("ceiling", "internal_consistency", "--trials", tmp_path / "t.npy")
    assert ours["ceiling"] == pytest.approx(0.7595, abs=5e-5)  # BENCHMARKS.md 1.7
    np.testing.assert_allclose(ours["per_neuroid"], reference(trials), rtol=1e-12)


def test_constant_neuroids_are_counted_and_named(tmp_path):
    trials = population(10, 0, 3)
    trials[:, :, [4, 17]] = 2.5
    np.save(tmp_path / "t.npy", trials)
    ours = run_json("ceiling", "internal_consistency", "--trials", tmp_path / "t.npy")
    assert any("2 neuroid(s) have no correlation" in w and "4, 17" in w for w in ours["warnings"])
    assert ours["per_neuroid"][0][4] is None


def test_bad_input(tmp_path):
    np.save(tmp_path / "t.npy", np.zeros((1, 5, 5)))
    done = run("ceiling", "internal_consistency", "--trials", tmp_path / "t.npy")
    assert done.returncode == 5 and "repetitions" in done.stderr and "at least 2" in done.stderr
    np.save(tmp_path / "t.npy", np.zeros((5, 5)))
    done = run("ceiling", "internal_consistency", "--trials", tmp_path / "t.npy")
    assert done.returncode == 5 and "dims" in done.stderr
    assert run("ceiling", "split_half", "--trials", tmp_path / "t.npy").returncode == 4


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("missing", [0, 0.3])
def test_split_half_predictor_draws_as_numpy(missing, tmp_path):
    """The platform's SplitHalfPredictorConsistency, in loops: every image's own repetitions, permuted by default_rng(0)."""
    rng = np.random.default_rng(5)
    trials = population(7, 0, 5)
    trials[rng.random(trials.shape[:2]) < missing] = np.nan  # a showing is missing for all neuroids
    trials[0, :, 3] = np.nan  # and one value for one
    np.save(tmp_path / "t.npy", trials)
    ours = run_json("ceiling", "split_half_predictor", "--trials", tmp_path / "t.npy")
    random = np.random.default_rng(0)
    scores = []
    for _ in range(10):
        halves = []
        for image in range(trials.shape[1]):
            there = np.flatnonzero(~np.isnan(trials[:, image]).all(1))
            if len(there) < 2:
                continue
            order = random.permutation(there)
            half = len(order) // 2
            halves.append((np.nanmean(trials[order[:half], image], 0), np.nanmean(trials[order[half:], image], 0)))
        a, b = np.array([h[0] for h in halves]), np.array([h[1] for h in halves])
        r = []
        for i in range(trials.shape[2]):
            keep = ~np.isnan(a[:, i] + b[:, i])
            r.append(np.corrcoef(a[keep, i], b[keep, i])[0, 1])
        r = np.array(r)
        scores.append(2 * r / (1 + r))
    np.testing.assert_allclose(np.array(ours["per_neuroid"]), scores, rtol=1e-11)
    assert ours["ceiling"] == pytest.approx(np.mean(np.median(scores, axis=1)), rel=1e-12)


def test_many_splits_equal_the_loop(tmp_path):
    """2,000 halves from one covariance a neuroid, against averaging the trials of each."""
    trials = population(9, 0, 6)[:, :40, :6]
    np.save(tmp_path / "t.npy", trials)
    ours = run_json("ceiling", "internal_consistency", "--trials", tmp_path / "t.npy", "--ceiling-splits", 2000)
    expected = []
    for first, second in ShuffleSplit(2000, train_size=0.5, random_state=1).split(np.arange(9)):
        a, b = trials[first].mean(0), trials[second].mean(0)
        r = np.array([np.corrcoef(a[:, i], b[:, i])[0, 1] for i in range(6)])
        expected.append(2 * r / (1 + r))
    np.testing.assert_allclose(ours["per_neuroid"], expected, rtol=1e-11)
    big = run_json("ceiling", "internal_consistency", "--trials", tmp_path / "t.npy", "--ceiling-splits", 200000, "--per-neuroid",
                   tmp_path / "all.npy")
    assert big["per_neuroid"] is None and any("--per-neuroid" in w for w in big["warnings"])
    np.testing.assert_allclose(np.load(tmp_path / "all.npy")[:2000], expected, rtol=1e-11)


@pytest.mark.parametrize(("comparison", "method"), [("spearman", "spearman"), ("pearson", "corr"), ("cosine", "cosine"), ("tau-a", "tau-a"),
                                                    ("rho-a", "rho-a")])
def test_nilis_bounds_are_rsatoolboxs(comparison, method, tmp_path):
    rng = np.random.default_rng(7)
    shared = rng.standard_normal((14, 6))
    stack = np.stack([1 - np.corrcoef(np.c_[shared, scale * rng.standard_normal((14, 6))]) for scale in (0.5, 1, 2, 4)])
    stack = np.maximum(stack, 0) ** np.array([1, 2, 3, 1])[:, None, None]  # subjects of different scales and shapes
    stack[:, range(14), range(14)] = 0
    np.save(tmp_path / "r.npy", stack)
    lower, upper = boot_noise_ceiling(RDMs(stack[:, *np.triu_indices(14, 1)]), method=method)
    for name, bound in (("nili", upper), ("nili_lower", lower)):
        ours = run_json("ceiling", name, "--trials", tmp_path / "r.npy", "--comparison", comparison)
        assert ours["ceiling"] == pytest.approx(bound, abs=1e-10)
        assert (ours["lower"], ours["upper"]) == (pytest.approx(lower, abs=1e-10), pytest.approx(upper, abs=1e-10))
    if comparison != "pearson":  # means of z scores are those of what is no mean of correlations
        assert run_json("ceiling", "rsa", "--trials", tmp_path / "r.npy", "--comparison", comparison)["ceiling"] != pytest.approx(upper, abs=1e-6)


@pytest.mark.parametrize("comparison", ["spearman", "pearson", "cosine"])
def test_a_subject_of_one_value_is_in_no_mean(comparison, tmp_path):
    rng = np.random.default_rng(8)
    stack = np.stack([1 - np.corrcoef(rng.standard_normal((12, 9))) for _ in range(3)] + [np.zeros((12, 12))])
    stack[:, range(12), range(12)] = 0
    np.save(tmp_path / "all.npy", stack)
    np.save(tmp_path / "others.npy", stack[:3])
    for name in ("nili", "nili_lower"):
        whole, others = (run_json("ceiling", name, "--trials", tmp_path / f"{which}.npy", "--comparison", comparison) for which in ("all", "others"))
        np.testing.assert_allclose(whole["split_ceilings"][:3], others["split_ceilings"], rtol=1e-12)
        assert whole["ceiling"] == pytest.approx(others["ceiling"]) and any("1 of 4 subjects" in warning for warning in whole["warnings"])


def test_nilis_bound_of_real_subjects(real_data, tmp_path):
    """Fifteen people's early visual cortex: ranked first .3917, as they are .3856."""
    found = np.load(real_data / "algonauts2019_cichy_fmri/92images/fmri_EVC_RDMs.npz")
    np.save(tmp_path / "r.npy", np.asarray(found[found.files[0]], dtype=float))
    for name, value in (("nili", 0.3917), ("rsa", 0.3856)):
        assert run_json("ceiling", name, "--trials", tmp_path / "r.npy")["ceiling"] == pytest.approx(value, abs=5e-5)


def test_rsa_bounds(real_data, tmp_path):
    rdms = np.load(real_data / "algonauts2019_cichy_fmri/92images/fmri_EVC_RDMs.npz")
    stack = np.asarray(rdms[rdms.files[0]], dtype=float)
    upper_triangle = np.triu_indices(92, 1)
    packed = stack[:, upper_triangle[0], upper_triangle[1]]
    np.save(tmp_path / "r.npy", stack)
    n = len(stack)
    for comparison, similarity in (("spearman", lambda a, b: spearmanr(a, b)[0]), ("pearson", lambda a, b: np.corrcoef(a, b)[0, 1])):
        upper = [similarity(p, packed.mean(0)) for p in packed]
        lower = [similarity(packed[i], np.delete(packed, i, 0).mean(0)) for i in range(n)]
        ours = run_json("ceiling", "rsa", "--trials", tmp_path / "r.npy", "--comparison", comparison)
        assert ours["ceiling"] == ours["upper"] == pytest.approx(np.mean(upper), rel=1e-12)
        assert ours["lower"] == pytest.approx(np.mean(lower), rel=1e-12)
        ours = run_json("ceiling", "leave_one_subject_out", "--trials", tmp_path / "r.npy", "--comparison", comparison)
        assert ours["ceiling"] == pytest.approx(np.mean(lower), rel=1e-12)
        np.testing.assert_allclose(ours["split_ceilings"], lower, rtol=1e-12)
