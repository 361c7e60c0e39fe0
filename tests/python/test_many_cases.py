"""Functions whose own suites look at chosen cases, on many random ones (ALGORITHMS.md 5a: at least 300 a function; the
first few always, the rest under the label slow): maps, split-half ceilings, agreement of observers, choice patterns.
PLS, ridge, ridgecv, RDMs and CKA have theirs beside their other tests."""
import itertools

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.model_selection import ShuffleSplit

import test_behavior as behavior
import test_ceiling
from conftest import run_json, write
from test_metric_mappings import BestUnit, PinnedLinear, reference, simulated
from test_module import cortiscore

MANY = pytest.mark.parametrize("first,count", [(0, 12), pytest.param(12, 300, marks=pytest.mark.slow)])
pytestmark = pytest.mark.filterwarnings("ignore")


def spread(predictions, y):
    """How much closer together predictions lie than targets: what a correlation magnifies their rounding by."""
    return max(1, y.std() / min(p.std(0).min() for p in predictions))


@MANY
def test_linear_and_neuron_to_neuron(first, count):
    for case in range(first, first + count):
        rng = np.random.default_rng(5000 + case)
        n, p, m = int(rng.integers(20, 90)), int(rng.integers(1, 60)), int(rng.integers(1, 15))
        x, y = simulated(n, p, m, exponent=rng.uniform(0, 2), seed=6000 + case)
        splits = list(ShuffleSplit(10, train_size=0.9, random_state=1).split(x))
        expected, predictions, _ = reference(PinnedLinear, x, y, splits)
        ours = cortiscore.metric("linear", x, y)["per_neuroid"]
        # Square or nearly: least squares magnifies rounding by the condition of its train rows.
        worst = max(np.linalg.cond(x[a] - x[a].mean(0)) for a, _ in splits) if p < n - n // 10 - 1 else 1e3
        np.testing.assert_allclose(ours, expected, atol=1e-13 * worst * spread(predictions, y), err_msg=str(case))
        expected, _, _ = reference(BestUnit, x, y, splits)
        np.testing.assert_allclose(cortiscore.metric("neuron_to_neuron", x, y)["per_neuroid"], expected, atol=1e-11)


@MANY
def test_ridge_of_wide_layers_of_any_scale(first, count):
    for case in range(first, first + count):
        rng = np.random.default_rng(7000 + case)
        n, p, m = int(rng.integers(12, 60)), int(rng.integers(60, 900)), int(rng.integers(1, 90))
        x, y = simulated(n, p, m, exponent=rng.uniform(0, 2), seed=8000 + case, scale=10 ** rng.uniform(-2, 3))
        alpha = 10 ** rng.uniform(-1, 4)
        splits = list(ShuffleSplit(10, train_size=0.9, random_state=1).split(x))
        expected, predictions, _ = reference(lambda: Ridge(alpha=alpha), x, y, splits)
        ours = cortiscore.metric("ridge", x, y, alpha=alpha)["per_neuroid"]
        # Both solve with XX' + alpha: its condition is theirs to share.
        condition = 1 + np.linalg.norm(x - x.mean(0), 2) ** 2 / (alpha + np.linalg.svd(x - x.mean(0))[1][-2] ** 2)
        np.testing.assert_allclose(ours, expected, atol=1e-12 * max(1, condition / 1e3) * spread(predictions, y), err_msg=str(case))


@MANY
def test_internal_consistency(first, count):
    for case in range(first, first + count):
        rng = np.random.default_rng(9000 + case)
        repetitions, n, m = int(rng.integers(2, 20)), int(rng.integers(10, 80)), int(rng.integers(1, 12))
        trials = rng.standard_normal((1, n, m)) + rng.uniform(0.3, 3, m) * rng.standard_normal((repetitions, n, m))
        trials = rng.choice([1, 1e3, 1e-3]) * (trials + rng.choice([0, 100]))
        if case % 2:
            trials[rng.random(trials.shape) < 0.2] = np.nan
        ours = cortiscore.internal_consistency(trials)
        np.testing.assert_allclose(np.asarray(ours["per_neuroid"], float), test_ceiling.reference(trials), rtol=1e-9, atol=1e-9,
                                   err_msg=str(case))


@MANY
def test_agreement_of_observers(first, count, tmp_path):
    for case in range(first, first + count):
        rng = np.random.default_rng(10000 + case)
        subjects, network = behavior.observers(int(rng.integers(20, 90)), int(rng.integers(2, 6)), 11000 + case,
                                               rng.choice([0, 0.2]), [("a",), ("a", "b"), ("a", "b", "c")][case % 3])
        source, target = write(tmp_path / "n.csv", network), write(tmp_path / "s.csv", subjects)
        for name, metric in (("error_consistency", behavior.kappa), ("accuracy_distance", behavior.distance)):
            ours = run_json("metric", name, "--source", source, "--target", target, "--bootstrap", 0)
            expected = np.nanmean(behavior.cells(metric, behavior.right(network), subjects), axis=1)
            assert ours["score"] == pytest.approx(abs(np.nanmean(expected)), rel=1e-11, abs=1e-13), (case, name)
            ceiling = run_json("ceiling", name, "--trials", target, "--bootstrap", 0)
            pairs = []
            for a, b in itertools.combinations(sorted({r["subject"] for r in subjects}), 2):
                one = behavior.right([r for r in subjects if r["subject"] == a])
                both = [r for r in subjects if r["subject"] == b]
                pairs.append(np.nanmean(behavior.cells(metric, one, both)[0]))
            assert ceiling["ceiling"] == pytest.approx(abs(np.nanmean(pairs)), rel=1e-11, abs=1e-13), (case, name)


@MANY
def test_choice_patterns(first, count, tmp_path):
    for case in range(first, first + count):
        rng = np.random.default_rng(12000 + case)
        k = int(rng.integers(3, 5))
        n, names = k * int(rng.integers(3, 7)), behavior.CLASSES[:k]
        truth = np.arange(n) % k
        trials = []
        for _ in range(int(rng.integers(n * k * 12, n * k * 25))):
            image = int(rng.integers(n))
            other = int(rng.choice([c for c in range(k) if c != truth[image]]))
            trials.append((image, other if rng.random() < 0.3 else int(truth[image]), int(truth[image]), other))
        probabilities = rng.random((n, k)) + np.eye(k)[truth]
        model = write(tmp_path / "m.csv", [dict(stimulus_id=f"i{i:02}", truth=names[truth[i]], **{c: repr(float(v)) for c, v in zip(names, q)})
                                           for i, q in enumerate(probabilities)])
        target = write(tmp_path / "t.csv", [dict(stimulus_id=f"i{i:02}", truth=names[truth[i]], choice=names[c], sample_obj=names[s],
                                                 dist_obj=names[d]) for i, c, s, d in trials])
        own = np.arange(n), truth
        p = probabilities / (probabilities + probabilities[own][:, None])
        p[own] = np.nan
        random, halves = np.random.RandomState(0), []
        for _ in range(2):
            order = list(range(len(trials)))
            random.shuffle(order)
            halves.append(behavior.human_matrix([trials[i] for i in order[: len(order) // 2]], n, k))
            halves[-1][own] = np.nan
        for name in ("i1", "i1n", "i2", "i2n", "o1", "o2"):
            ours = run_json("metric", name, "--source", model, "--target", target, "--bootstrap", 0)
            source = behavior.pattern(name, p, truth)
            expected = [behavior.correlate(source, behavior.pattern(name, half, truth)) for half in halves]
            np.testing.assert_allclose(np.array(ours["split_scores"], float), expected, rtol=1e-9, atol=1e-12, err_msg=f"{case} {name}")
