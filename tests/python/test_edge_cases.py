"""Every metric on arrays at its edges, and under what must not change it: one documented outcome each (docs/metrics.md),
never a silent NaN, never a correlation beyond 1, never an exit code that is not in the list."""
import json

import numpy as np
import pytest

from conftest import run, run_json, save

MAPPINGS = ["pls", "ridge", "ridgecv", "linear", "neuron_to_neuron"]
SIMILARITIES = ["rdm", "cka", "cka_biased"]
METRICS = [*MAPPINGS, *SIMILARITIES, "pearsonr"]
N, P, M = 40, 30, 5


def arrays(metric, seed=0, p=P):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((N, p))
    y = x @ rng.standard_normal((p, M)) + rng.standard_normal((N, M))
    return (y + rng.standard_normal((N, M)), y) if metric == "pearsonr" else (x, y)


def at(values, value, row=1, column=2):
    values = values.copy()
    values[row, column % values.shape[1]] = value
    return values


# What is done to both arrays, and what comes of it: a score, none with a reason, or a refusal that says these words.
CASES = {
    "more features than presentations": (lambda x, y: (np.hstack([x] * 7)[:, :200] if x.shape[1] > M else x, y), "score"),
    "one feature": (lambda x, y: (x[:, :1], y[:, :1]), "score or none"),
    "one neuroid": (lambda x, y: (x if x.shape[1] > M else x[:, :1], y[:, :1]), "score or none"),
    "every presentation twice": (lambda x, y: (np.repeat(x[:20], 2, 0), np.repeat(y[:20], 2, 0)), "score"),
    "every feature twice": (lambda x, y: (np.hstack([x, x]) if x.shape[1] > M else x, y), "score"),
    "rank 3": (lambda x, y: (x[:, :3] @ np.random.default_rng(1).standard_normal((3, x.shape[1])), y), "score"),
    "a constant neuroid": (lambda x, y: (x, np.where(np.arange(M) == 2, 7.0, y)), "score"),
    "a constant feature": (lambda x, y: (np.where(np.arange(x.shape[1]) == 3, 2.0, x), y), "score"),
    "constant features": (lambda x, y: (np.ones_like(x), y), "none"),
    "constant targets": (lambda x, y: (x, np.ones_like(y)), "none"),
    "features below float64's normal range": (lambda x, y: (x * 1e-310, y), "none"),
    "ties": (lambda x, y: (np.round(x), np.round(y)), "score"),
    "features 1e30": (lambda x, y: (x * 1e30, y), "score"),
    "features 1e-30": (lambda x, y: (x * 1e-30, y), "score or none"),
    "targets 1e30": (lambda x, y: (x, y * 1e30), "score"),
    "targets 1e-30": (lambda x, y: (x, y * 1e-30), "score or none"),
    "both 1e20": (lambda x, y: (x * 1e20, y * 1e20), "score"),
    "both 1e38": (lambda x, y: (x * 1e38, y * 1e38), "score or none"),
    "a feature of 1e50": (lambda x, y: (at(x, 1e50), y), "magnitude over 1e40"),
    "NaN in a feature": (lambda x, y: (at(x, np.nan), y), "presentation 1, feature 2: found NaN or infinity"),
    "infinity in a feature": (lambda x, y: (at(x, np.inf), y), "presentation 1, feature 2: found NaN or infinity"),
    "NaN in a target": (lambda x, y: (x, at(y, np.nan)), "presentation 1, neuroid 2: found NaN or infinity"),
    "infinity in a target": (lambda x, y: (x, at(y, -np.inf)), "presentation 1, neuroid 2: found NaN or infinity"),
    "no features": (lambda x, y: (x[:, :0], y), "shape: found"),
    "no neuroids": (lambda x, y: (x, y[:, :0]), "shape: found"),
    "no presentations": (lambda x, y: (x[:0], y[:0]), "shape: found"),
    "other presentations": (lambda x, y: (x, y[:-1]), "presentations"),
    "one presentation": (lambda x, y: (x[:1], y[:1]), "none or refused"),
    "two presentations": (lambda x, y: (x[:2], y[:2]), "score, none or refused"),
}


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("case", CASES)
def test_outcome(case, metric, tmp_path):
    change, outcome = CASES[case]
    x, y = change(*arrays(metric))
    flags = ["--components", min(25, max(1, x.shape[1]))] if metric == "pls" else []
    done = run("metric", metric, *save(tmp_path, source=x, target=y), *flags, "--json")
    if done.returncode:
        assert done.returncode == 5 and done.stdout == "" and len(done.stderr.strip().splitlines()) == 1, done.stderr
        assert "refused" in outcome or outcome in done.stderr, done.stderr
        return
    assert outcome.split(" ")[0].rstrip(",") in ("score", "none"), f"accepted, expected: {outcome}"
    result = json.loads(done.stdout)
    values = np.array(result["per_neuroid"], dtype=float)
    assert not np.isinf(values).any() and np.nanmax(np.abs(values), initial=0) <= 1 + 1e-12
    if result["score"] is None:
        assert "none" in outcome and result["warnings"], result
    else:
        # cka of nothing is 0 by the platform's definition.
        assert "score" in outcome or (metric == "cka" and result["score"] == 0), result
        assert abs(result["score"]) <= 1 + 1e-12
    if np.isnan(values).all(axis=0).any():  # what is skipped is said
        assert any("no correlation" in w or "undefined" in w for w in result["warnings"]), result


def rotation(n, seed=2):
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((n, n)))[0]


ORDER = np.random.default_rng(3).permutation(N)
ROTATED = {"pls", "ridge", "ridgecv", "linear", "cka", "cka_biased"}
LINEAR = {"linear"}
SCALED = {"pls", "linear", "neuron_to_neuron", "rdm", "cka_biased", "pearsonr"}

# What is done, and which metrics must not change by more than rounding.
INVARIANCES = {
    "features in another order": (lambda x, y: (x[:, np.random.default_rng(4).permutation(x.shape[1])], y), set(METRICS) - {"pearsonr"}),
    "features rotated": (lambda x, y: (x @ rotation(x.shape[1]), y), ROTATED),
    "features in another basis": (lambda x, y: (x @ (rotation(x.shape[1]) * np.linspace(1, 3, x.shape[1])), y), LINEAR),
    "features shifted": (lambda x, y: (x + np.linspace(-3, 3, x.shape[1]), y), set(METRICS) - {"rdm"}),
    "features scaled": (lambda x, y: (37 * x, y), SCALED),
    "targets scaled": (lambda x, y: (x, 37 * y), set(METRICS) - {"cka"}),
    "targets scaled by little": (lambda x, y: (x, 1.5 * y), {"cka"}),
    "targets shifted": (lambda x, y: (x, y + np.linspace(-3, 3, M)), set(METRICS) - {"rdm"}),
    "patterns scaled and shifted": (lambda x, y: (x * np.linspace(1, 2, N)[:, None] + np.linspace(0, 5, N)[:, None], y), {"rdm"}),
    "neuroids in another order": (lambda x, y: (x, y[:, ::-1]), {"ridge", "ridgecv", "linear", "neuron_to_neuron", *SIMILARITIES}),
}


@pytest.mark.parametrize("change", INVARIANCES)
def test_invariance(change, tmp_path):
    alter, metrics = INVARIANCES[change]
    for metric in sorted(metrics):
        x, y = arrays(metric, seed=5)
        before = run_json("metric", metric, *save(tmp_path, source=x, target=y))
        after = run_json("metric", metric, *save(tmp_path, **dict(zip(("source", "target"), map(np.ascontiguousarray, alter(x, y))))))
        # neuron_to_neuron's, rdm's and pearsonr's numbers are sums in another order; maps are solved anew.
        assert after["score"] == pytest.approx(before["score"], abs=1e-10), metric


@pytest.mark.parametrize("metric", METRICS)
def test_presentations_in_another_order(metric, tmp_path):
    x, y = arrays(metric, seed=6)
    splits = []
    if metric in MAPPINGS:
        rng = np.random.default_rng(7)
        place = np.argsort(ORDER)
        for name, places in (("a", np.arange(N)), ("b", place)):
            rng = np.random.default_rng(7)
            folds = [rng.permutation(N) for _ in range(5)]
            (tmp_path / f"{name}.json").write_text(json.dumps(
                [{"train": places[f[:30]].tolist(), "test": places[f[30:]].tolist()} for f in folds]))
        splits = [["--splits", tmp_path / "a.json"], ["--splits", tmp_path / "b.json"]]
    first = run_json("metric", metric, *save(tmp_path, source=x, target=y), *(splits[0] if splits else []))
    other = run_json("metric", metric, *save(tmp_path, source=x[ORDER], target=y[ORDER]), *(splits[1] if splits else []))
    assert other["score"] == pytest.approx(first["score"], abs=1e-10)


@pytest.mark.parametrize("metric", ["pls", "ridge"])
def test_a_ceiling_that_is_not_positive_ceils_nothing(metric, tmp_path):
    x, y = arrays(metric, seed=8)
    noise = np.random.default_rng(9).standard_normal((4, N, M))
    trials = noise - noise.mean(0)  # halves of nothing but noise that cancels: every split half correlates at -1
    ours = run_json("metric", metric, *save(tmp_path, source=x, target=y, trials=trials))
    assert ours["ceiling"] is None or ours["ceiling"] < 0
    assert ours["ceiled"] is None and any("ceiling" in w for w in ours["warnings"]), ours["warnings"]
