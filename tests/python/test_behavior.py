"""Metrics and ceilings of choices, thresholds and properties against NumPy, SciPy, scikit-learn and published values."""
import csv
import itertools

import numpy as np
import pytest
import xarray as xr
from scipy.optimize import minimize
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import cohen_kappa_score
from sklearn.preprocessing import StandardScaler

from conftest import run, run_json, write

CLASSES = ["bear", "car", "dog", "plane"]


def observers(n=80, n_subjects=5, seed=0, missing=0.0, conditions=("a", "b")):
    """Rows of subjects and of a network on n stimuli, right with probability .7, the rest at random."""
    rng = np.random.default_rng(seed)
    stimuli = [(f"s{i:03}", CLASSES[rng.integers(4)], conditions[i % len(conditions)], rng.random() < 0.3)
               for i in range(n)]

    def choose(truth, hard):
        return truth if rng.random() < (0.4 if hard else 0.85) else CLASSES[rng.integers(4)]

    subjects = [dict(subject=f"p{s}", stimulus_id=i, truth=t, choice=choose(t, hard), condition=c)
                for s in range(n_subjects) for i, t, c, hard in stimuli if rng.random() >= missing]
    network = [dict(stimulus_id=i, truth=t, choice=choose(t, hard)) for i, t, c, hard in stimuli]
    return subjects, network


def right(rows):
    return {r["stimulus_id"]: r["choice"] == r["truth"] for r in rows}


def kappa(a, b):
    return cohen_kappa_score(a, b) if len(set(a)) > 1 or len(set(b)) > 1 else np.nan


def distance(a, b):
    pa, pb = np.mean(a), np.mean(b)
    return 1 - abs(pa - pb) / max(pb, 1 - pb)


def cells(metric, first, subjects):
    """metric per (subject, condition): first is a dict of right answers by stimulus."""
    out = []
    for subject in sorted({r["subject"] for r in subjects}):
        row = []
        for condition in sorted({r["condition"] for r in subjects}):
            mine = [r for r in subjects if r["subject"] == subject and r["condition"] == condition
                    and r["stimulus_id"] in first]
            row.append(metric([first[r["stimulus_id"]] for r in mine], [r["choice"] == r["truth"] for r in mine]))
        out.append(row)
    return np.array(out)


@pytest.mark.parametrize("name,metric", [("error_consistency", kappa), ("accuracy_distance", distance)])
@pytest.mark.parametrize("missing", [0, 0.2])
def test_agreement_and_its_ceiling(name, metric, missing, tmp_path):
    subjects, network = observers(missing=missing, seed=3)
    target = write(tmp_path / "subjects.csv", subjects)
    ours = run_json("metric", name, "--source", write(tmp_path / "network.csv", network), "--target", target)
    expected = cells(metric, right(network), subjects)
    assert ours["score"] == pytest.approx(abs(expected.mean(1).mean()), rel=1e-12)
    assert ours["error"] == pytest.approx(expected.std() if metric is kappa else expected.mean(1).std(), rel=1e-12)
    assert ours["ci_lo"] < ours["score"] < ours["ci_hi"]
    ceiling = run_json("ceiling", name, "--trials", target, "--over", "subject")
    pairs = []
    for a, b in itertools.combinations(sorted({r["subject"] for r in subjects}), 2):
        first = right([r for r in subjects if r["subject"] == a])
        pairs.append(cells(metric, first, [r for r in subjects if r["subject"] == b])[0])
    assert ceiling["ceiling"] == pytest.approx(abs(np.mean(np.array(pairs).mean(1))), rel=1e-12)
    assert len(ceiling["split_ceilings"]) == 10


@pytest.mark.parametrize("name", ["error_consistency", "accuracy_distance", "condition_accuracy", "i2"])
def test_both_observers_have_one_truth_of_a_stimulus(name, tmp_path):
    subjects, network = observers(seed=2)
    for row in subjects + network:  # two-way trials for the patterns
        row |= {"sample_obj": row["truth"], "dist_obj": "plane" if row["truth"] != "plane" else "car"}
    network[7]["truth"] = network[7]["truth"].upper()
    for row in network:
        row["condition"] = "a" if int(row["stimulus_id"][1:]) % 2 == 0 else "b"
    done = run("metric", name, "--source", write(tmp_path / "network.csv", network), "--target", write(tmp_path / "subjects.csv", subjects))
    assert done.returncode == 5, done.stdout
    for word in ("network.csv", "subjects.csv", "truth", "1 of 480", network[7]["stimulus_id"], network[7]["truth"]):
        assert word in done.stderr


def test_a_file_has_one_truth_of_a_stimulus(tmp_path):
    subjects, network = observers(seed=2)
    subjects[100]["truth"] = next(c for c in CLASSES if c != subjects[100]["truth"])
    target = write(tmp_path / "subjects.csv", subjects)
    for words in (["metric", "error_consistency", "--source", write(tmp_path / "network.csv", network), "--target", target],
                  ["ceiling", "error_consistency", "--trials", target]):
        done = run(*words)
        assert done.returncode == 5 and "subjects.csv: column truth" in done.stderr and subjects[100]["stimulus_id"] in done.stderr, done.stderr


def test_answers_that_are_never_a_truth_are_said(tmp_path):
    """A spelling of its own is never right; the number is that of an observer who is wrong there, and the result says so."""
    subjects, network = observers(seed=3)
    humans = write(tmp_path / "humans.csv", subjects)
    plain = run_json("metric", "error_consistency", "--source", write(tmp_path / "network.csv", network), "--target", humans, "--bootstrap", 0)
    assert not any("never right" in note for note in plain["notes"])
    spelled = [{**row, "choice": row["choice"].title() if row["choice"] == "dog" else row["choice"]} for row in network]
    n = sum(row["choice"] == "Dog" for row in spelled)
    found = run_json("metric", "error_consistency", "--source", write(tmp_path / "spelled.csv", spelled), "--target", humans, "--bootstrap", 0)
    assert found["score"] == pytest.approx(abs(np.nanmean(cells(kappa, right(spelled), subjects))), abs=1e-12)
    [note] = [note for note in found["notes"] if "never right" in note]
    assert f'{n} of {len(network)} row(s)' in note and '"Dog"' in note


def test_error_consistency_bootstrap_over_stimuli_and_subjects(tmp_path):
    from test_resampling import philox_counts

    subjects, network = observers(n=40, n_subjects=4, seed=4, conditions=("",))
    flags = ["--source", write(tmp_path / "n.csv", network), "--target", write(tmp_path / "s.csv", subjects)]
    ours = run_json("metric", "error_consistency", *flags, "--bootstrap", 200, "--over", "presentation,subject")
    names = sorted({r["stimulus_id"] for r in subjects})
    n = np.array([right(network)[i] for i in names])
    s = np.array([[right([r for r in subjects if r["subject"] == p])[i] for i in names] for p in ("p0", "p1", "p2", "p3")])
    draws = []
    for c, d in zip(philox_counts(0, "presentation", 200, 40), philox_counts(0, "subject", 200, 4)):
        rows = np.repeat(np.arange(40), c)
        draws.append(abs(np.nanmean(np.repeat([kappa(n[rows], each[rows]) for each in s], d))))
    np.testing.assert_allclose([ours["ci_lo"], ours["ci_hi"]], np.percentile(draws, [2.5, 97.5]), rtol=1e-10)


def test_published_human_ceilings(real_data, tmp_path):
    """Geirhos et al. 2021: error consistency between humans, to the digits that the platform states (BENCHMARKS.md 5)."""
    folder = real_data / "geirhos_texture_vs_shape/human_raw"
    published = {"cue-conflict": 0.331052, "edge": 0.318436, "silhouette": 0.475709}
    for name, value in published.items():
        rows = []
        for file in sorted((folder / name).glob("*.csv")):
            for row in csv.DictReader(open(file)):
                rows.append(dict(subject=row["subj"], stimulus_id=row["imagename"].split("_", 3)[3], truth=row["category"],
                                 choice=row["object_response"]))
        ours = run_json("ceiling", "error_consistency", "--trials", write(tmp_path / "t.csv", rows), "--bootstrap", 0)
        assert ours["ceiling"] == pytest.approx(value, abs=1e-6), name


def test_accuracy_and_probabilities(tmp_path):
    rng = np.random.default_rng(5)
    p = rng.random((60, 4))
    truth = rng.integers(4, size=60)
    rows = [dict(stimulus_id=i, truth=CLASSES[t], **dict(zip(CLASSES, map(repr, map(float, q))))) for i, (t, q) in enumerate(zip(truth, p))]
    ours = run_json("metric", "accuracy", "--source", write(tmp_path / "p.csv", rows))
    correct = p.argmax(1) == truth
    assert ours["score"] == correct.mean() and ours["error"] == pytest.approx(correct.std(), rel=1e-12)
    labels = write(tmp_path / "l.csv", [dict(stimulus_id=i, truth="x", choice=CLASSES[(i + 1) % 4]) for i in range(60)])
    ours = run_json("metric", "accuracy", "--source", tmp_path / "p.csv", "--target", labels)
    assert ours["score"] == np.mean(p.argmax(1) == (np.arange(60) + 1) % 4)


# --- i1 to o2, written out in loops from BENCHMARKS.md 2.7 -----------------------------------------------------------


def dprime(p, truth):
    n, k = p.shape
    d = np.full((n, k), np.nan)
    with np.errstate(all="ignore"):
        for i in range(n):
            for c in range(k):
                fa = np.nanmean(p[truth == c, truth[i]]) if np.any(truth == c) else np.nan
                d[i, c] = norm.ppf(1 - p[i, c]) - norm.ppf(fa)
    return np.clip(d, -5, 5)


def pattern(name, p, truth):
    k = p.shape[1]
    if name[0] == "o":
        m = np.array([[np.nanmean(p[truth == t, c]) if t != c else np.nan for c in range(k)] for t in range(k)])
        d = np.clip(norm.ppf(1 - m) - norm.ppf(m.T), -5, 5)
    else:
        d = dprime(p, truth)
        if name.endswith("n"):
            for t in range(k):
                d[truth == t] -= np.nanmean(d[truth == t], axis=0)
    return np.nanmean(d, axis=1) if name[1] == "1" else d


def human_matrix(trials, n, k):
    chosen, shown = np.zeros((n, k)), np.zeros((n, k))
    for image, choice, sample, dist in trials:
        chosen[image, choice] += 1
        shown[image, sample] += 1
        shown[image, dist] += 1
    with np.errstate(all="ignore"):
        p = np.where(shown > 0, chosen / shown, np.nan)
    return p


def correlate(a, b):
    keep = ~np.isnan(b) & ~np.isnan(a)
    return np.corrcoef(a[keep], b[keep])[0, 1]


def scores_of_halves(name, source, trials, truth):
    """Of the two halvings: a source's pattern against that of one half, and one half's against the other's."""
    random = np.random.RandomState(0)
    n, k = len(truth), truth.max() + 1
    scores, ceilings = [], []
    for _ in range(2):
        order = list(range(len(trials)))
        random.shuffle(order)
        halves = []
        for half in (order[: len(order) // 2], order[len(order) // 2:]):
            m = human_matrix([trials[i] for i in half], n, k)
            m[np.arange(n), truth] = np.nan
            halves.append(pattern(name, m, truth))
        scores.append(correlate(source, halves[0]))
        ceilings.append(correlate(halves[0], halves[1]))
    return scores, ceilings


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["i1", "i1n", "i2", "i2n", "o1", "o2"])
def test_choice_patterns(name, tmp_path):
    rng = np.random.default_rng(6)
    n, k = 24, 4
    truth = np.arange(n) % k
    strength = rng.random((n, k)) * 0.6
    trials = []
    for _ in range(2500):
        image = int(rng.integers(n))
        dist = int(rng.choice([c for c in range(k) if c != truth[image]]))
        choice = dist if rng.random() < strength[image, dist] else int(truth[image])
        trials.append((image, choice, int(truth[image]), dist))
    rows = [dict(stimulus_id=f"i{i:02}", truth=CLASSES[truth[i]], choice=CLASSES[c], sample_obj=CLASSES[s],
                 dist_obj=CLASSES[d]) for i, c, s, d in trials]
    probabilities = rng.random((n, k)) + np.eye(k)[truth] + 2 * strength
    model = [dict(stimulus_id=f"i{i:02}", truth=CLASSES[truth[i]], **{c: repr(float(v)) for c, v in zip(CLASSES, q)})
             for i, q in enumerate(probabilities)]
    flags = ["--source", write(tmp_path / "m.csv", model), "--target", write(tmp_path / "t.csv", rows)]
    ours = run_json("metric", name, *flags)
    own = np.arange(n), truth
    p = probabilities / (probabilities + probabilities[own][:, None])
    p[own] = np.nan
    source = pattern(name, p, truth)
    scores, ceilings = scores_of_halves(name, source, trials, truth)
    np.testing.assert_allclose(ours["split_scores"], scores, rtol=1e-10)
    assert ours["error"] == pytest.approx(np.std(scores), rel=1e-7, abs=1e-12)
    ceiling = run_json("ceiling", name, "--trials", tmp_path / "t.csv")
    np.testing.assert_allclose(ceiling["split_ceilings"], ceilings, rtol=1e-10)


def test_accuracy_delta(tmp_path):
    rng = np.random.default_rng(7)

    def rows(subject, drop):
        return [dict(subject=subject, stimulus_id=i, condition=k, truth=(t := CLASSES[i % 4]),
                     choice=t if rng.random() < (0.9 if k == "w" else 0.9 - drop) else "none")
                for i in range(160) for k in ("w", "f", "o")]

    human = [r for s in range(9) for r in rows(s, 0.3)]
    model = rows("m", 0.2)

    def accuracy(table, kind):
        return np.mean([r["choice"] == r["truth"] for r in table if r["condition"] == kind])

    deltas = {s: accuracy(t, "w") - accuracy(t, "f") for s in range(9) for t in [[r for r in human if r["subject"] == s]]}
    m = np.subtract(*(np.mean([accuracy([r for r in model if r["truth"] == c], kind) for c in CLASSES]) for kind in "wf"))
    scores = []
    for i in range(100):
        drawn = np.random.RandomState(i).choice(range(1, 9), 9 // 2, replace=False)
        h = np.mean([deltas[s] for s in drawn])
        scores.append(max(0, 1 - abs(h - m) / h))
    kinds = ["--whole", "w", "--manipulated", "f"]
    target = write(tmp_path / "h.csv", human)
    ours = run_json("metric", "accuracy_delta", "--source", write(tmp_path / "m.csv", model), "--target", target, *kinds)
    np.testing.assert_allclose(ours["split_scores"], scores, rtol=1e-12)
    ceiling = run_json("ceiling", "accuracy_delta", "--trials", target, *kinds)
    random, halves = np.random.RandomState(0), []
    for _ in range(100):
        drawn = random.choice(range(1, 9), 9 // 2, replace=False)
        a = np.mean([deltas[s] for s in drawn])
        b = np.mean([deltas[s] for s in range(9) if s not in drawn])
        s = max(0, 1 - abs(a - b) / b)
        halves.append(2 * s / (1 + s))
    assert ceiling["ceiling"] == pytest.approx(np.median(halves), rel=1e-12)
    done = run("metric", "accuracy_delta", "--source", tmp_path / "m.csv", "--target", target, "--whole", "w",
               "--manipulated", "z")
    assert done.returncode == 5 and "\"z\"" in done.stderr


def test_confusions_and_tasks(tmp_path):
    subjects, network = observers(n=200, seed=8)
    flags = ["--source", write(tmp_path / "n.csv", network), "--target", write(tmp_path / "s.csv", subjects)]

    def confusion(rows):
        m = np.zeros((4, 4))
        for r in rows:
            m[CLASSES.index(r["truth"]), CLASSES.index(r["choice"])] += 1
        return m[~np.eye(4, dtype=bool)]

    expected = np.corrcoef(confusion(network), confusion(subjects))[0, 1]
    assert run_json("metric", "confusion_similarity", *flags)["score"] == pytest.approx(expected, rel=1e-12)
    tasks = [f"t{i}" for i in range(7)]
    rng = np.random.default_rng(9)
    tables = []
    for file in ("a.csv", "b.csv"):
        rows = [dict(stimulus_id=i, truth="x", choice="x" if rng.random() < 0.2 + 0.1 * (i % 7) else "y",
                     condition=tasks[i % 7]) for i in range(210)]
        write(tmp_path / file, rows)
        tables.append([np.mean([r["choice"] == "x" for r in rows if r["condition"] == t]) for t in tasks])
    ours = run_json("metric", "tasks_consistency", "--source", tmp_path / "a.csv", "--target", tmp_path / "b.csv")
    assert ours["score"] == pytest.approx(np.corrcoef(*tables)[0, 1], rel=1e-12)


def test_value_delta(tmp_path):
    np.save(tmp_path / "a.npy", np.array([0.3, 1.0]))
    np.save(tmp_path / "b.npy", np.array([0.8, 1.0]))
    ours = run_json("metric", "value_delta", "--source", tmp_path / "a.npy", "--target", tmp_path / "b.npy", "--scale", 0.75)
    assert ours["score"] == pytest.approx((np.exp(-0.375) + 1) / 2, rel=1e-14) and ours["error"] is None


def psychometric_threshold(x, y):
    """The platform's fit: L-BFGS-B on the cross-entropy from its starts, here run on to convergence."""
    def loss(p):
        q = 0.5 + (0.5 - p[2]) * norm.cdf(p[0] * (x - p[1]))
        return -np.sum(y * np.log(q) + (1 - y) * np.log(1 - q))

    starts = sorted(((loss(s), s) for s in ((a, b, np.clip(1 - y.max(), 0.03, 0.5))
                                            for a in np.logspace(-3, 1, 50) for b in x)), key=lambda e: e[0])[:30]
    best = None
    for _, start in starts:
        fit = minimize(loss, start, method="L-BFGS-B", bounds=[(None, None), (None, None), (0.03, 0.5)],
                       options=dict(ftol=1e-16, gtol=1e-12, maxiter=2000))
        if best is None or fit.fun < best.fun:
            best = fit
    alpha, beta, lapse = best.x
    return beta + norm.ppf((0.75 - 0.5) / (0.5 - lapse)) / alpha, best.fun


def test_threshold_and_elevation(tmp_path):
    rng = np.random.default_rng(10)

    def trials(path, threshold):
        rows = []
        for x in np.linspace(1, 20, 12):
            p = 0.5 + 0.46 * norm.cdf(0.5 * (x - threshold))
            for _ in range(60):
                side = ("left", "right")[rng.integers(2)]
                other = "right" if side == "left" else "left"
                rows.append(dict(stimulus_id=len(rows), truth=side, choice=side if rng.random() < p else other,
                                 offset=repr(float(x))))
        write(path, rows)
        x = np.array([float(r["offset"]) for r in rows])
        correct = np.array([r["truth"] == r["choice"] for r in rows])
        return psychometric_threshold(np.unique(x), np.array([correct[x == u].mean() for u in np.unique(x)]))[0]

    expected, baseline = trials(tmp_path / "t.csv", 9.0), trials(tmp_path / "b.csv", 4.0)
    humans, base = np.array([8.0, 10.0, 12.5, 7.5]), np.array([4.0, 5.0, 4.5, 3.9])
    np.save(tmp_path / "h.npy", humans)
    np.save(tmp_path / "hb.npy", base)
    flags = ["--source", tmp_path / "t.csv", "--target", tmp_path / "h.npy", "--variable", "offset"]
    ours = run_json("metric", "threshold", *flags)
    assert ours["model_threshold"] == pytest.approx(expected, rel=2e-6)  # what L-BFGS-B with differences reaches
    t = ours["model_threshold"]
    scores = np.maximum(0, 1 - np.abs(humans - t) / humans)
    np.testing.assert_allclose(ours["split_scores"], scores, rtol=1e-12)
    ours = run_json("metric", "threshold_elevation", *flags, "--baseline-source", tmp_path / "b.csv", "--baseline-target",
                    tmp_path / "hb.npy")
    assert ours["model_threshold"] == pytest.approx(expected / baseline, rel=5e-6)
    e = ours["model_threshold"]
    np.testing.assert_allclose(ours["split_scores"], np.maximum(0, 1 - np.abs(humans / base - e) / (humans / base)))
    ceiling = run_json("ceiling", "threshold", "--trials", tmp_path / "h.npy")
    pool, loo = humans.tolist(), []
    for i in range(4):  # drawn with a generator of its own each time, so one may come twice
        drawn = np.random.RandomState(i).choice(pool, replace=False)
        pool.remove(drawn)
        loo.append(np.mean([max(0, 1 - abs(o - drawn) / o) for o in pool]))
        pool.append(drawn)
    assert ceiling["ceiling"] == pytest.approx(np.mean(loo), rel=1e-12)


def test_a_network_at_chance_has_threshold_zero(tmp_path):
    rng = np.random.default_rng(11)
    rows = [dict(stimulus_id=i, truth="l", choice="lr"[rng.integers(2)], x=i % 10) for i in range(500)]
    np.save(tmp_path / "h.npy", np.array([2.0, 3.0]))
    ours = run_json("metric", "threshold", "--source", write(tmp_path / "t.csv", rows), "--target", tmp_path / "h.npy",
                    "--variable", "x")
    assert ours["model_threshold"] == 0 and ours["score"] == 0


def test_ks_similarity(tmp_path):
    from test_resampling import philox_counts  # noqa: F401  (the same generator, written out below for other sizes)

    rng = np.random.default_rng(12)
    model, recorded, bins = rng.normal(1, 1, 37), rng.normal(0, 1, 50), np.linspace(-3, 3, 13)
    for name, array in (("m", model), ("d", recorded), ("b", bins)):
        np.save(tmp_path / f"{name}.npy", array)
    ours = run_json("metric", "ks_similarity", "--source", tmp_path / "m.npy", "--target", tmp_path / "d.npy", "--bins",
                    tmp_path / "b.npy", "--bootstrap", 400)
    hist = lambda v: np.histogram(np.clip(v, bins[0], bins[-1]), bins)[0]
    p = np.cumsum(hist(recorded)) / 50
    first, last = np.ones(12), np.r_[np.zeros(11), 1]
    worst = max(np.abs(first - p).max(), np.abs(last - p).max())
    draws = [1 - np.abs(np.cumsum(hist(rng.choice(model, 50))) / 50 - p).max() / worst for _ in range(4000)]
    error = np.std(draws) / np.sqrt(400)
    assert ours["score"] == pytest.approx(np.mean(draws), abs=5 * error)
    assert ours["error"] == pytest.approx(np.std(draws), rel=0.2)
    same = run_json("metric", "ks_similarity", "--source", tmp_path / "d.npy", "--target", tmp_path / "d.npy", "--bins",
                    tmp_path / "b.npy")
    assert same["score"] > 0.85


def test_factor_dimensionality(tmp_path):
    rng = np.random.default_rng(13)
    n, units = 300, 64
    shape = rng.standard_normal((n, units))
    a = shape + 0.5 * rng.standard_normal((n, units))
    b = np.where((np.arange(n) % 2 == 0)[:, None], shape, rng.standard_normal((n, units))) + 0.5 * rng.standard_normal((n, units))
    factor = np.arange(n) % 2
    for name, array in (("a", a), ("b", b), ("f", factor)):
        np.save(tmp_path / f"{name}.npy", array)
    ours = run_json("metric", "factor_dimensionality", "--source", tmp_path / "a.npy", "--target", tmp_path / "b.npy",
                    "--stratify", tmp_path / "f.npy")
    mu = (a.mean(0) + b.mean(0)) / 2
    var = np.sum(((a - mu) ** 2).mean(0) + ((b - mu) ** 2).mean(0)) / 2
    own = [((a + b) / 2)[factor == f].mean(0) for f in (0, 1)]
    scores = [np.sum(((a - own[f]) * (b - own[f]))[factor == f].mean(0)) / var for f in (0, 1)] + [1.0]
    shares = np.exp(scores) / np.exp(scores).sum()
    dims = (shares * units).astype(int)
    dims[2] = units - dims[:2].sum()
    assert ours["dimensions"] == dims.tolist() and sum(ours["dimensions"]) == units
    assert ours["score"] == dims[0] / units


def test_odd_one_out(tmp_path):
    rng = np.random.default_rng(14)
    x = rng.standard_normal((30, 8))
    triplets = np.array([rng.choice(30, 3, replace=False) for _ in range(200)])
    np.save(tmp_path / "x.npy", x)
    for flag, v in (([], x), (["--cosine"], x / np.linalg.norm(x, axis=1, keepdims=True))):
        s = v @ v.T
        odd = [t[2 - np.argmax([s[t[0], t[1]], s[t[0], t[2]], s[t[1], t[2]]])] for t in triplets]
        human = [o if rng.random() < 0.6 else t[0] for o, t in zip(odd, triplets)]
        rows = [dict(stimulus_1=t[0], stimulus_2=t[1], stimulus_3=t[2], choice=h) for t, h in zip(triplets, human)]
        ours = run_json("metric", "match", "--source", tmp_path / "x.npy", "--target", write(tmp_path / "t.csv", rows), *flag)
        assert ours["score"] == np.mean(np.array(odd) == np.array(human))


def test_logistic_readout(tmp_path):
    rng = np.random.default_rng(15)
    centres = rng.standard_normal((4, 12))
    truth = rng.integers(4, size=200)
    x = centres[truth] + 1.5 * rng.standard_normal((200, 12))
    x[:, 5] = 3.0  # constant: only centred
    for name, rows in (("train", range(150)), ("test", range(150, 200))):
        np.save(tmp_path / f"{name}.npy", x[list(rows)])
        write(tmp_path / f"{name}.csv", [dict(stimulus_id=i, truth=CLASSES[truth[i]]) for i in rows])
    ours = run_json("metric", "logistic", "--train-source", tmp_path / "train.npy", "--train-target", tmp_path / "train.csv",
                    "--test-source", tmp_path / "test.npy", "--test-target", tmp_path / "test.csv", "--probabilities",
                    tmp_path / "p.csv")
    scaler = StandardScaler().fit(x[:150])
    model = LogisticRegression(C=1e-3, solver="newton-cg", tol=1e-12, max_iter=1000).fit(scaler.transform(x[:150]), truth[:150])
    expected = model.predict_proba(scaler.transform(x[150:]))
    rows = list(csv.DictReader(open(tmp_path / "p.csv")))
    np.testing.assert_allclose([[float(r[c]) for c in CLASSES] for r in rows], expected, atol=1e-9)
    assert ours["score"] == np.mean(expected.argmax(1) == truth[150:])
    again = run_json("metric", "accuracy", "--source", tmp_path / "p.csv")
    assert again["score"] == ours["score"]


def test_probabilities_are_written_as_any_reader_of_csv_takes_them(tmp_path):
    """Names with commas, quotes, semicolons, newlines and blanks, of classes and of stimuli."""
    names = ["bow, arrow", 'the "cat"', "a\nb", " lead", "semi;colon", "plain"]
    rng = np.random.default_rng(16)
    truth = np.arange(120) % 6
    x = np.eye(6)[truth] + 0.5 * rng.standard_normal((120, 6))
    ids = [f"im,{i}" if i % 2 else f'"{i}"' for i in range(120)]
    for name, rows in (("train", range(80)), ("test", range(80, 120))):
        np.save(tmp_path / f"{name}.npy", x[list(rows)])
        with open(tmp_path / f"{name}.csv", "w", newline="") as file:
            csv.writer(file, quoting=csv.QUOTE_ALL).writerows([["stimulus_id", "truth"], *([ids[i], names[truth[i]]] for i in rows)])
    flags = [flag for part in ("train", "test") for flag in (f"--{part}-source", tmp_path / f"{part}.npy", f"--{part}-target", tmp_path / f"{part}.csv")]
    ours = run_json("metric", "logistic", *flags, "--probabilities", tmp_path / "p.csv")
    with open(tmp_path / "p.csv", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["stimulus_id", "truth", *sorted(names)]
    assert [row[:2] for row in rows[1:]] == [[ids[i], names[truth[i]]] for i in range(80, 120)]
    assert run_json("metric", "accuracy", "--source", tmp_path / "p.csv")["score"] == ours["score"]
    # Without ids there would be no rows.
    write(tmp_path / "test.csv", [dict(truth="plain") for _ in range(40)])
    done = run("metric", "logistic", *flags, "--probabilities", tmp_path / "p.csv")
    assert done.returncode == 5 and "stimulus_id" in done.stderr, done.stderr
    write(tmp_path / "one.csv", [dict(stimulus_id=i, truth="cat", cat=0.5) for i in range(4)])
    done = run("metric", "accuracy", "--source", tmp_path / "one.csv")
    assert done.returncode == 5 and "fewer than two columns of probabilities" in done.stderr, done.stderr


def test_thresholds_are_matched_by_subject(tmp_path):
    """Tables in any order and NetCDF; a subject twice, and thresholds that are none, are refused by every command."""
    rng = np.random.default_rng(12)
    for name, threshold in (("t", 9.0), ("b", 4.0)):
        rows = []
        for i in range(400):
            x = 1.0 + i % 20
            right = rng.random() < 0.5 + 0.46 * norm.cdf(0.5 * (x - threshold))
            rows.append(dict(stimulus_id=i, truth="left", choice="left" if right else "right", offset=x))
        write(tmp_path / f"{name}.csv", rows)
    humans, base, subjects = np.array([8.0, 10.0, 12.5, 7.5]), np.array([4.0, 5.0, 4.5, 3.9]), np.array(["s1", "s2", "s3", "s4"])
    order = [2, 0, 3, 1]
    write(tmp_path / "h.csv", [dict(subject=s, threshold=h) for s, h in zip(subjects, humans)])
    write(tmp_path / "hb.csv", [dict(threshold=base[i], subject=subjects[i]) for i in order])
    xr.DataArray(base[order], dims=["subject"], coords={"subject": subjects[order]}, name="data").to_netcdf(tmp_path / "hb.nc", engine="h5netcdf")
    flags = ["--source", tmp_path / "t.csv", "--target", tmp_path / "h.csv", "--variable", "offset", "--baseline-source", tmp_path / "b.csv"]
    for name in ("hb.csv", "hb.nc"):
        ours = run_json("metric", "threshold_elevation", *flags, "--baseline-target", tmp_path / name)
        e = ours["model_threshold"]
        np.testing.assert_allclose(ours["split_scores"], np.maximum(0, 1 - np.abs(humans / base - e) / (humans / base)), rtol=1e-12)
    for rows, words in (([dict(subject="s1", threshold=3), dict(subject="s1", threshold=4)], '"s1" twice'),
                        ([dict(subject="s1", threshold=3), dict(subject="s2", threshold="inf")], "subject s2"),
                        ([dict(subject=1, value=3), dict(subject=2, value=4)], "subject and threshold")):
        done = run("ceiling", "threshold", "--trials", write(tmp_path / "bad.csv", rows))
        assert done.returncode == 5 and words in done.stderr, done.stderr


def test_bad_input(tmp_path):
    subjects, network = observers(n=20)
    flags = ["--source", write(tmp_path / "n.csv", network[:-1]), "--target", write(tmp_path / "s.csv", subjects)]
    done = run("metric", "error_consistency", *flags)
    assert done.returncode == 5 and "no s019" in done.stderr
    write(tmp_path / "n.csv", network + network[:1])
    done = run("metric", "error_consistency", *flags)
    assert done.returncode == 5 and "second time" in done.stderr
    write(tmp_path / "s.csv", subjects + subjects[:1])
    done = run("ceiling", "error_consistency", "--trials", tmp_path / "s.csv")
    assert done.returncode == 5 and "second time" in done.stderr
    write(tmp_path / "n.csv", [dict(stimulus_id=1, truth="a", p="x", q=1)])
    done = run("metric", "accuracy", "--source", tmp_path / "n.csv")
    assert done.returncode == 5 and "column p" in done.stderr
    assert run("metric", "accuracy").returncode == 2
    assert run("ceiling", "threshhold", "--trials", tmp_path / "s.csv").returncode == 4
