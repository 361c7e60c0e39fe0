"""`cortiscore ceiling internal_consistency` against NumPy and scikit-learn's ShuffleSplit, run here."""
import numpy as np
import pytest
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
    assert any("2 constant neuroid(s)" in w and "4, 17" in w for w in ours["warnings"])
    assert ours["per_neuroid"][0][4] is None


def test_bad_input(tmp_path):
    np.save(tmp_path / "t.npy", np.zeros((1, 5, 5)))
    done = run("ceiling", "internal_consistency", "--trials", tmp_path / "t.npy")
    assert done.returncode == 5 and "repetitions" in done.stderr and "at least 2" in done.stderr
    np.save(tmp_path / "t.npy", np.zeros((5, 5)))
    done = run("ceiling", "internal_consistency", "--trials", tmp_path / "t.npy")
    assert done.returncode == 5 and "dims" in done.stderr
    assert run("ceiling", "split_half", "--trials", tmp_path / "t.npy").returncode == 4
