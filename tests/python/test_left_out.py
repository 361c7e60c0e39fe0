"""Nothing is dropped in silence: whatever a number leaves out is in `warnings`, counted and named, and what has no value is null
in JSON and `undefined` in words, never nan. Right values come from NumPy and SciPy here."""
import json
import os
import sys

import numpy as np
import pytest
from scipy.stats import spearmanr

from conftest import BINARY, ROOT, run, run_json, save, write

os.environ.setdefault("CORTISCORE_MODULE_DIR", str(BINARY.parent / "python"))
sys.path.insert(0, str(ROOT / "python"))


def choices(path, right, subjects=None):
    """A CSV of choices between cat and dog. @param right  [stimuli], or [subjects, stimuli] of bool, None where not seen"""
    rows = []
    for s, of_subject in enumerate(right if subjects else [right]):
        for i, r in enumerate(of_subject):
            if r is not None:
                rows.append({**({"subject": subjects[s]} if subjects else {}), "stimulus_id": f"im{i:02d}", "truth": "cat", "choice": "cat" if r else "dog"})
    return write(path, rows)


def kappa(a, b):
    a, b = np.asarray(a), np.asarray(b)
    expected = a.mean() * b.mean() + (1 - a.mean()) * (1 - b.mean())
    return ((a == b).mean() - expected) / (1 - expected) if expected < 1 else np.nan


PERFECT = [True] * 20
HUMANS = [[True] * 20, [(i + 1) % 3 > 0 for i in range(20)], [(i + 2) % 3 > 0 for i in range(20)]]
NETWORK = [i % 3 > 0 for i in range(20)]


def test_kappa_of_observers_who_are_always_right_is_null_with_the_reason(tmp_path):
    network = choices(tmp_path / "network.csv", PERFECT)
    humans = choices(tmp_path / "humans.csv", [PERFECT] * 3, ["ann", "bea", "cem"])
    found = run_json("metric", "error_consistency", "--source", network, "--target", humans)
    assert found["score"] is None and found["ci_lo"] is None
    [warning] = [w for w in found["warnings"] if "0/0" in w]
    assert warning.startswith("3 of 3 subjects") and warning.endswith("ann, bea, cem")
    said = run("metric", "error_consistency", "--source", network, "--target", humans)
    assert said.returncode == 0 and said.stdout == "score undefined\n" and "0/0" in said.stderr
    ceiling = run("ceiling", "error_consistency", "--trials", humans)
    assert ceiling.stdout == "ceiling undefined\n" and "3 of 3 pairs of subjects" in ceiling.stderr


def test_pairs_that_a_mean_leaves_out_are_counted_and_named(tmp_path):
    humans = choices(tmp_path / "humans.csv", HUMANS, ["ann", "bea", "cem"])
    network = choices(tmp_path / "network.csv", NETWORK)
    found = run_json("metric", "error_consistency", "--source", network, "--target", humans)
    assert found["score"] == pytest.approx(abs(np.nanmean([kappa(NETWORK, h) for h in HUMANS])))
    assert not any("0/0" in w for w in found["warnings"])  # one of both is wrong somewhere
    against = run_json("metric", "error_consistency", "--source", choices(tmp_path / "perfect.csv", PERFECT), "--target", humans)
    assert against["score"] == pytest.approx(0, abs=1e-15)
    assert any(w.startswith("1 of 3 subjects") and "ann" in w for w in against["warnings"])
    more = choices(tmp_path / "more.csv", [*HUMANS, PERFECT], ["ann", "bea", "cem", "dan"])
    ceiling = run_json("ceiling", "error_consistency", "--trials", more)
    pairs = [kappa(a, b) for i, a in enumerate([*HUMANS, PERFECT]) for b in [*HUMANS, PERFECT][i + 1:]]
    assert ceiling["ceiling"] == pytest.approx(abs(np.nanmean(pairs)))
    assert any(w.startswith("1 of 6 pairs of subjects") and "ann and dan" in w for w in ceiling["warnings"])


def test_pairs_that_saw_nothing_in_common_are_named(tmp_path):
    right = np.random.default_rng(0).random((3, 20)) < 0.7
    seen = [[bool(r) if (s == 2 or (i < 10) == (s == 0)) else None for i, r in enumerate(right[s])] for s in range(3)]
    ceiling = run_json("ceiling", "error_consistency", "--trials", choices(tmp_path / "c.csv", seen, ["ann", "bea", "cem"]))
    assert any("no stimulus that both saw" in w and w.endswith("ann and bea") for w in ceiling["warnings"])
    assert ceiling["ceiling"] == pytest.approx(abs(np.mean([kappa(right[0][:10], right[2][:10]), kappa(right[1][10:], right[2][10:])])))


def data(n=60, p=30, m=5, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, p))
    return x, x @ rng.standard_normal((p, m)) + rng.standard_normal((n, m))


@pytest.mark.parametrize("interval", ["percentile", "bca"])
@pytest.mark.parametrize("metric", ["pls", "ridge", "pearsonr"])
def test_a_single_neuroid_has_no_interval(metric, interval, tmp_path):
    x, y = data()
    source = y + np.random.default_rng(6).standard_normal(y.shape) if metric == "pearsonr" else x
    flags = [*save(tmp_path, source=source[:, :1] if metric == "pearsonr" else source, target=y[:, :1]), "--interval", interval,
             *(["--components", 5] if metric == "pls" else [])]
    found = run_json("metric", metric, *flags)
    assert found["score"] is not None and found["ci_lo"] is None and found["ci_hi"] is None and found["bootstrap_error"] is None
    assert any("no interval over neuroid" in w for w in found["warnings"])
    over = run_json("metric", metric, *flags, "--over", "presentation")  # presentations there are enough of
    assert over["ci_lo"] < over["score"] and not any("no interval" in w for w in over["warnings"])


def test_an_interval_over_one_neuroid_that_has_a_value_is_none(tmp_path):
    x, y = data()
    y[:, 1:] = 3  # constant: no correlation
    found = run_json("metric", "ridge", *save(tmp_path, source=x, target=y))
    assert found["ci_lo"] is None and any("no interval" in w for w in found["warnings"])
    assert any(w.startswith("4 neuroid(s) have no correlation") for w in found["warnings"])


def test_a_comparison_of_sources_over_a_single_neuroid_has_no_p_value_of_its_bootstrap(tmp_path):
    x, y = data()
    versus = save(tmp_path, versus=x + np.random.default_rng(5).standard_normal(x.shape))
    found = run_json("metric", "ridge", *save(tmp_path, source=x, target=y[:, :1]), *versus)["versus"]
    assert found["ci_lo"] is None and found["p_bootstrap"] is None and found["difference"] is not None
    said = run("metric", "ridge", *save(tmp_path, source=x, target=y[:, :1]), *versus)
    assert "nan" not in said.stdout and "undefined" in said.stdout


def test_a_single_neuroid_has_a_ceiling_without_an_interval(tmp_path):
    rng = np.random.default_rng(1)
    trials = rng.standard_normal((6, 40, 1)) + rng.standard_normal((1, 40, 1))
    found = run_json("ceiling", "internal_consistency", *save(tmp_path, trials=trials))
    assert found["ceiling"] > 0.5 and found["ci_lo"] is None and any("no interval" in w for w in found["warnings"])
    x, _ = data(40)
    ceiled = run_json("metric", "ridge", *save(tmp_path, source=x, target=trials.mean(0), trials=trials))
    assert ceiled["ceiled"] is not None and ceiled["ceiled_ci_lo"] is None and ceiled["ceiled_error"] is None


def test_without_a_positive_ceiling_nothing_is_ceiled(tmp_path):
    x, _ = data(40)
    rng = np.random.default_rng(5)
    half = rng.standard_normal((1, 40, 3))
    trials = np.concatenate([half, -half]) + 0.5 * rng.standard_normal((2, 40, 3))
    found = run_json("metric", "ridge", *save(tmp_path, source=x, target=trials.mean(0), trials=trials), "--bootstrap", 50)
    assert found["ceiling"] < 0 and any("not positive" in w for w in found["warnings"])
    assert all(found[key] is None for key in ("ceiled", "ceiled_ci_lo", "ceiled_ci_hi", "ceiled_error"))


def test_neuroids_that_some_splits_skip_and_splits_without_a_value_are_counted(tmp_path):
    x, y = data()
    y[:, 2] = 0
    y[:3, 2] = [1, 2, 3]  # tested on constants in most splits
    splits = [{"train": list(range(30)), "test": list(range(30, 60))}, {"train": list(range(30, 60)), "test": list(range(30))}]
    (tmp_path / "splits.json").write_text(json.dumps(splits))
    found = run_json("metric", "ridge", *save(tmp_path, source=x, target=y), "--splits", tmp_path / "splits.json")
    values = np.array(found["per_neuroid"], float)
    assert np.isnan(values[:, 2]).any()
    assert any("in some splits" in w and w.endswith(": 2") for w in found["warnings"]) or any("no correlation" in w for w in found["warnings"])


def test_undefined_permutations_and_scores_have_no_p_value(tmp_path):
    x, y = data()
    found = run_json("metric", "ridge", *save(tmp_path, source=x, target=np.ones_like(y)), "--permutations", 20)
    assert found["score"] is None and found["p_value"] is None and any("permutations" in w for w in found["warnings"])


def test_trials_that_a_ceiling_cannot_use_are_counted(tmp_path):
    rng = np.random.default_rng(2)
    trials = rng.standard_normal((4, 30, 3)) + rng.standard_normal((1, 30, 3))
    trials[1:, 7, 0] = np.nan
    found = run_json("ceiling", "internal_consistency", *save(tmp_path, trials=trials))
    assert any(w.startswith("1 of 90 presentations x neuroids have fewer than two trials") for w in found["warnings"])


def test_values_that_properties_thresholds_and_means_leave_out_are_counted(tmp_path):
    a, b = np.array([1.0, np.nan, 3, 4]), np.array([1.5, 2, np.nan, 4])
    found = run_json("metric", "value_delta", *save(tmp_path, source=a, target=b))
    assert found["score"] == pytest.approx(np.nanmean(np.exp(-np.abs(a - b)))) and found["warnings"][0].startswith("2 of 4 pairs")
    rng = np.random.default_rng(3)
    source, target = rng.random(50), rng.random(40)
    source[:4] = np.nan
    found = run_json("metric", "ks_similarity", *save(tmp_path, source=source, target=target, bins=np.linspace(0, 1, 11)))
    assert any("source.npy: 4 of 50 values" in w for w in found["warnings"])
    found = run_json("metric", "bootstrap_error", *save(tmp_path, source=source))
    assert found["score"] == pytest.approx(np.nanmean(source)) and found["warnings"][0].startswith("4 of 50 values")
    found = run_json("ceiling", "threshold", *save(tmp_path, trials=np.array([10.0, 12, np.nan, 14])))
    clean = run_json("ceiling", "threshold", *save(tmp_path, trials=np.array([10.0, 12, 14])))
    assert found["ceiling"] == clean["ceiling"] and found["warnings"] == ["1 of 4 subjects have no threshold and are left out"]
    assert run("ceiling", "threshold", *save(tmp_path, trials=np.array([10.0, -1, 14]))).returncode == 5


def test_subjects_whose_rdm_says_nothing_are_counted(tmp_path):
    rng = np.random.default_rng(4)
    rdms = rng.random((3, 12, 12))
    rdms = (rdms + rdms.transpose(0, 2, 1)) / 2
    rdms[1] = 1
    rdms[:, range(12), range(12)] = 0
    x = rng.standard_normal((12, 30))
    found = run_json("metric", "rdm", *save(tmp_path, source=x, target=rdms), "--target-rdm")
    upper = np.triu_indices(12, 1)
    ours = (1 - np.corrcoef(x))[upper]
    assert found["score"] == pytest.approx(np.mean([spearmanr(ours, rdms[s][upper])[0] for s in (0, 2)]))
    assert any(w.startswith("1 of 3 values are undefined and left out of the mean") for w in found["warnings"])
    found = run_json("ceiling", "rsa", *save(tmp_path, trials=rdms))
    assert any(w.startswith("1 of 3 subjects have an RDM of one and the same value") for w in found["warnings"])


def test_the_module_says_what_it_leaves_out_too(tmp_path):
    import cortiscore

    x, y = data()
    y[:, 1] = 2
    found = cortiscore.metric("ridge", x, y)
    line = run_json("metric", "ridge", *save(tmp_path, source=x, target=y))
    assert found["warnings"] == [w for w in line["warnings"]] and "1 neuroid(s)" in found["warnings"][0]
    trials = np.random.default_rng(5).standard_normal((4, 30, 3))
    trials[:, :, 1] = 0
    assert any("1 neuroid(s) have no correlation" in w for w in cortiscore.internal_consistency(trials)["warnings"])
    for code, call in ((2, lambda: cortiscore.metric("pls", x, y, components=0)), (2, lambda: cortiscore.metric("ridge", x, y, alpha=float("nan"))),
                       (2, lambda: cortiscore.internal_consistency(trials, ceiling_splits=-1)),
                       (2, lambda: cortiscore.internal_consistency(trials, seed=2**40)),
                       (5, lambda: cortiscore.internal_consistency(trials[0])), (5, lambda: cortiscore.metric("pls", x, y, stratify=[1, 2, 3])),
                       (2, lambda: cortiscore.score("x.pt2", "Simulated2026.V1-pls", bootstrap=0)),
                       (2, lambda: cortiscore.score("x.pt2", "Simulated2026.V1-pls", memory_gib=float("nan"))),
                       (2, lambda: cortiscore.score("x.pt2", "Simulated2026.V1-pls", candidates="many")),
                       (2, lambda: cortiscore.score("x.pt2", "Simulated2026.V1-pls", again=True, cuda_graphs="yes"))):
        with pytest.raises(cortiscore.Error) as caught:
            call()
        assert caught.value.exit_code == code, caught.value


def test_a_layer_is_named_once_a_region_and_for_a_region_that_is_scored(tmp_path, home):
    env = {"CORTISCORE_HOME": str(home)}
    np.save(tmp_path / "x.npy", np.zeros((10, 30)))
    score = ["score", tmp_path / "x.npy", "-b", "Simulated2026.V1-pls", "-b", "Simulated2026.V4-pls", "--results", tmp_path / "r"]
    for verb in (score, ["sweep", *score[1:], "--dry-run"]):
        for flags, words in ((["--layer", "a", "--layer", "b"], ["--layer", '"a" and "b"', "every region"]),
                             (["--layer", "V4=a", "--layer", "V4=b"], ["region V4"]), (["--layer", "V1="], ['"V1="']),
                             (["--layer", "IT=a"], ["no benchmark of IT", "V1, V4"])):
            done = run(*verb, *flags, env=env)
            assert done.returncode == 2 and all(word in done.stderr for word in words), done.stderr
    import cortiscore

    before = os.environ.get("CORTISCORE_HOME")
    os.environ["CORTISCORE_HOME"] = str(home)
    try:
        with pytest.raises(cortiscore.Error, match="no benchmark of IT") as caught:
            cortiscore.score(home / "data/Simulated2026/bank_V4.npy", "Simulated2026.V4-pls", layers={"IT": "x"})
        assert caught.value.exit_code == 2
    finally:
        os.environ.pop("CORTISCORE_HOME") if before is None else os.environ.update(CORTISCORE_HOME=before)


def test_a_layer_map_that_names_a_region_twice_is_refused(tmp_path, home):
    (tmp_path / "map.json").write_text('{"V4": "a", "V4": "b"}')
    np.save(tmp_path / "x.npy", np.zeros((10, 30)))
    done = run("score", tmp_path / "x.npy", "-b", "Simulated2026.V4-pls", "--layer-map", tmp_path / "map.json",
               "--results", tmp_path / "r", env={"CORTISCORE_HOME": str(home)})
    assert done.returncode == 5 and "map.json" in done.stderr and '"V4": found it twice' in done.stderr
    for text in ("null", '{"region_layer_map": []}'):  # no regions: nothing would be committed to
        (tmp_path / "map.json").write_text(text)
        done = run("score", tmp_path / "x.npy", "-b", "Simulated2026.V4-pls", "--layer-map", tmp_path / "map.json",
                   "--results", tmp_path / "r", env={"CORTISCORE_HOME": str(home)})
        assert done.returncode == 5 and "map.json" in done.stderr and "region_layer_map" in done.stderr


def test_the_store_is_one_flag_in_every_verb(tmp_path):
    (tmp_path / "r").mkdir()
    for flag in ("--results", "--store"):
        assert run("results", "show", flag, tmp_path / "r").returncode == 0
        done = run("results", "show", flag, tmp_path / "none")
        assert done.returncode == 5 and str(tmp_path / "none") in done.stderr
        assert run("score", "none.pt2", "-b", "Simulated2026.V4-pls", flag, tmp_path / "r").returncode == 5
    done = run("results", "show", "--results", tmp_path / "r", "--store", tmp_path / "r")
    assert done.returncode == 2 and "--results" in done.stderr


def test_bytes_that_steer_a_terminal_are_escaped(tmp_path):
    name = "\x1b[31mred\u202egreen\n.npy"
    done = run("metric", "pls", "--source", tmp_path / name, "--target", tmp_path / name)
    assert done.returncode == 5 and "\\x1b[31mred\\u202egreen\\n.npy" in done.stderr
    assert "\x1b" not in done.stderr and len(done.stderr.splitlines()) == 1
    raw = os.fsencode(tmp_path) + b"/\xbc\xff.npy"
    import subprocess

    done = subprocess.run([BINARY, "metric", "pls", "--source", raw, "--target", raw], capture_output=True)
    assert done.returncode == 5 and b"\\xbc\\xff.npy" in done.stderr
    kept = run("metric", "pls", "--source", "Größe-猫.npy", "--target", "x.npy")
    assert "Größe-猫.npy" in kept.stderr
