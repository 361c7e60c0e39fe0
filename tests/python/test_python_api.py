"""The Python module beside the command line, to the bit: every metric and ceiling on arrays and tables in memory, assemblies beside
xarray, and sweep, layers, extract, benchmarks and results. A type checker reads it as a user's script does."""
import doctest
import inspect
import json
import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pandas as pd
import polars as pl
import psutil
import pytest
import torch
import xarray as xr
from PIL import Image

from conftest import BINARY, ROOT, extract, run, run_json, save, simulate_cortex, write

os.environ.setdefault("CORTISCORE_MODULE_DIR", str(BINARY.parent / "python"))
sys.path.insert(0, str(ROOT / "python"))
import cortiscore
from cortiscore.engine import compiled

V4 = "Simulated2026.V4-pls"
CLASSES = ["ant", "bee", "cat", "dog"]
KINDS = {"numpy": np.asarray, "torch": lambda a: torch.from_numpy(np.array(a)), "assembly": lambda a: cortiscore.Assembly(a, [""] * a.ndim)}


def as_json(value):
    """Arrays as --json prints them."""
    if isinstance(value, np.ndarray):
        return as_json(value.tolist())
    if isinstance(value, list):
        return [as_json(entry) for entry in value]
    return None if isinstance(value, float) and np.isnan(value) else value


def assert_same(found, line, beside=()):
    """Every key of the command line's answer, to the bit; `beside`: arrays that it writes to files alone."""
    found = {key: as_json(value) for key, value in found.items() if key not in (*beside, "timing_ms", "notes")}
    assert found == {key: value for key, value in line.items() if key not in ("timing_ms", "notes")}


def arrays(name, seed=0, n=60, p=12, m=5):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, p))
    y = x @ rng.standard_normal((p, m)) + rng.standard_normal((n, m))
    if "spantime" in name:
        x, y = x[:, :, None] + 0.1 * rng.standard_normal((n, p, 3)), y[:, :, None] + rng.standard_normal((n, m, 3))
    return (y + rng.standard_normal((n, m)), y) if name == "pearsonr" else (x, y)


def names_of(registered, on_arrays):
    behaviour = {name for name, function in inspect.getmembers(cortiscore.metrics, inspect.isfunction) if "Table" in str(inspect.signature(function))}
    return sorted(name for name in registered if (name in behaviour) != on_arrays)


OF_VALUES = {"value_delta", "ks_similarity", "factor_dimensionality", "bootstrap_error"}
ON_ARRAYS = sorted(set(names_of(compiled.metric_names(), True)) - OF_VALUES)


def test_every_metric_and_ceiling_has_its_function():
    """And no more than those, and the variants of mappings with fixed splits."""
    public = lambda module: {name for name, function in inspect.getmembers(module, inspect.isfunction) if function.__module__ == module.__name__}
    split = {f"{name}_split" for name in ("pls", "ridge", "ridgecv", "linear", "neuron_to_neuron")}
    assert public(cortiscore.metrics) == set(compiled.metric_names()) | split
    assert public(cortiscore.ceilings) == set(compiled.ceiling_names())
    for module in (cortiscore.metrics, cortiscore.ceilings):
        for name in public(module):
            text, parameters = getattr(module, name).__doc__, inspect.signature(getattr(module, name)).parameters
            assert all(f":param {parameter}:" in text or parameter in text for parameter in parameters), name


@pytest.mark.parametrize("name", ON_ARRAYS)
def test_metrics_on_arrays_are_the_command_lines(name, tmp_path):
    x, y = arrays(name)
    words = ["--components", 4] if "pls" in name else []
    line = run_json("metric", name, *save(tmp_path, source=x, target=y), *words)
    found = getattr(cortiscore.metrics, name)(x, y, **({"components": 4} if words else {}))
    assert_same(found, line)
    assert np.isfinite(found["score"]) and found["per_neuroid"].dtype == np.float64


@pytest.mark.parametrize("kind", [*KINDS, "jax", "cupy"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_arrays_of_every_library_are_read_in_place(kind, dtype, tmp_path):
    if kind == "jax":
        jax = pytest.importorskip("jax", reason="jax is not installed")
        jax.config.update("jax_enable_x64", True)
        make = jax.numpy.asarray
    elif kind == "cupy":
        make = pytest.importorskip("cupy", reason="cupy is not installed: it needs a CUDA device").asarray
    else:
        make = KINDS[kind]
    x, y = (a.astype(dtype) for a in arrays("ridge"))
    line = run_json("metric", "ridge", *save(tmp_path, source=x, target=y), "--alpha", 2)
    given = make(x)
    assert_same(cortiscore.metrics.ridge(given, make(y), alpha=2), line)
    np.testing.assert_array_equal(np.asarray(given), x)  # read, not written


def test_layouts_and_dtypes(tmp_path):
    """Strides, memory that may only be read, half precision, whole numbers, tensors that a gradient is wanted of."""
    x, y = arrays("ridge")
    expected = cortiscore.metrics.ridge(x, y)["score"]
    frozen = x.copy()
    frozen.flags.writeable = False
    wanted = torch.from_numpy(x).requires_grad_()
    for given in (np.asfortranarray(x), np.repeat(x, 2, 0)[::2], x[::-1][::-1], frozen, wanted, xr.DataArray(x, dims=["presentation", "feature"])):
        assert cortiscore.metrics.ridge(given, y)["score"] == expected
    half, whole = x.astype(np.float16), np.round(3 * x).astype(np.int32)
    for given, same in ((half, half.astype(np.float32)), (torch.from_numpy(half), half.astype(np.float32)), (whole, whole.astype(float)),
                        (torch.from_numpy(x).bfloat16(), torch.from_numpy(x).bfloat16().float()), (x > 0, (x > 0).astype(float))):
        assert cortiscore.metrics.ridge(given, y)["score"] == cortiscore.metrics.ridge(same, y)["score"] != expected


def test_options_mean_what_the_flags_do(tmp_path):
    x, y = arrays("ridgecv")
    rng = np.random.default_rng(1)
    trials, other, labels = y + rng.standard_normal((4, *y.shape)), x[:, ::2], np.repeat(list("abcdef"), 10)
    trials[1, 3, 2] = np.nan
    flags = [*save(tmp_path, source=x, target=y, trials=trials, versus=other, stratify=labels, alphas=np.array([0.5, 5.0])),
             "--ceiling-splits", 7, "--ceiling-convention", "r_over_c", "--bootstrap", 40, "--over", "neuroid,presentation", "--level", 0.8,
             "--interval", "bca", "--permutations", 3, "--predictions", tmp_path / "p.npy", "--per-neuroid", tmp_path / "n.npy"]
    line = run_json("metric", "ridgecv", *flags)
    found = cortiscore.metrics.ridgecv(x, y, trials=trials, versus=other, stratify=labels, alphas=[0.5, 5], ceiling_splits=7,
                                       ceiling_convention="r_over_c", bootstrap=40, over=["neuroid", "presentation"], level=0.8, interval="bca",
                                       permutations=np.int64(3), predictions=True)
    assert_same(found, line, beside=["predictions"])
    np.testing.assert_array_equal(found["predictions"], np.load(tmp_path / "p.npy"))
    np.testing.assert_array_equal(found["per_neuroid"], np.load(tmp_path / "n.npy"))
    assert found["versus"] and found["ceiling"] and found["p_value"] and np.isnan(found["predictions"]).any()


def test_splits_of_ones_own_and_fixed_ones(tmp_path):
    x, y = arrays("linear")
    splits = [(range(0, 40), range(40, 60)), (np.arange(20, 60), np.arange(5, 15))]
    written = [{"train": list(map(int, train)), "test": list(map(int, test))} for train, test in splits]
    (tmp_path / "splits.json").write_text(json.dumps(written))
    line = run_json("metric", "linear", *save(tmp_path, source=x, target=y), "--splits", tmp_path / "splits.json")
    for given in (splits, written, tmp_path / "splits.json"):
        assert_same(cortiscore.metrics.linear(x, y, splits=given), line)
    names = ["train_source", "train_target", "test_source", "test_target"]
    parts = dict(zip(names, (x[:40], y[:40], x[40:], y[40:])))
    line = run_json("metric", "linear_split", *save(tmp_path, **{name.replace("_", "-"): part for name, part in parts.items()}))
    assert_same(cortiscore.metrics.linear_split(**parts), line)
    assert_same(cortiscore.metric("linear_split", **parts), line)


def test_rdms_as_they_are(tmp_path):
    rng = np.random.default_rng(2)
    rdms = np.stack([1 - np.corrcoef(rng.standard_normal((20, 8))) for _ in range(3)])
    rdms[1, 2, 5] = rdms[1, 5, 2] = np.nan
    x = rng.standard_normal((20, 6))
    line = run_json("metric", "rdm", *save(tmp_path, source=x, target=rdms), "--target-rdm", "--distance", "cosine", "--comparison", "tau-a")
    assert_same(cortiscore.metrics.rdm(x, rdms, target_rdm=True, distance="cosine", comparison="tau-a"), line)


def observers(n=48, n_subjects=4, seed=0, two_way=False):
    """Choices of subjects as rows, and one observer's."""
    rng = np.random.default_rng(seed)
    truths, others = rng.choice(CLASSES, n), rng.choice(CLASSES, n)
    rows = []
    for subject in range(n_subjects):
        for i, truth in enumerate(truths):
            for distractor in ([c for c in CLASSES if c != truth] if two_way else [None]):
                wrong = distractor or others[i]
                row = {"stimulus_id": f"s{i}", "truth": truth, "choice": truth if rng.random() < 0.5 + 0.1 * subject else wrong, "subject": subject,
                       "condition": "ab"[i % 2], "level": float(i % 8)}
                rows.append(row | ({"sample_obj": truth, "dist_obj": distractor} if two_way else {}))
    return rows[n * (3 if two_way else 1):], rows[:n * (3 if two_way else 1)]


def frames(rows):
    """One table in each form that is taken."""
    return [pd.DataFrame(rows), pl.DataFrame(rows), {name: [row[name] for row in rows] for name in rows[0]}]


CHOICES = {"error_consistency": {}, "accuracy_distance": {"bootstrap": 30, "over": "subject"}, "accuracy": {}, "condition_accuracy": {},
           "tasks_consistency": {}, "confusion_similarity": {}, "accuracy_delta": {"whole": "a", "manipulated": "b"},
           **{name: {"skipna": True} for name in ("i1", "i1n", "i2", "i2n", "o1", "o2")}}


def flags_of(options):
    return [word for name, value in options.items() for word in ([f"--{name}"] if value is True else [f"--{name}", value])]


@pytest.mark.parametrize("name", CHOICES)
def test_choices_are_the_command_lines(name, tmp_path):
    two_way = name[0] in "io"
    subjects, network = observers(two_way=two_way)
    files = ["--source", write(tmp_path / "network.csv", network)]
    if name != "accuracy":
        files += ["--target", write(tmp_path / "subjects.csv", subjects)]
    line = run_json("metric", name, *files, *flags_of(CHOICES[name]))
    for source, target in zip(frames(network), frames(subjects)):
        given = [source] if name == "accuracy" else [source, target]
        assert_same(getattr(cortiscore.metrics, name)(*given, **CHOICES[name]), line)
    assert line["score"] is not None


@pytest.mark.parametrize("name", [name for name in CHOICES if name in compiled.ceiling_names()])
def test_ceilings_of_choices_are_the_command_lines(name, tmp_path):
    subjects, network = observers(two_way=name[0] in "io")
    options = {key: value for key, value in CHOICES[name].items() if key != "skipna"}
    line = run_json("ceiling", name, "--trials", write(tmp_path / "subjects.csv", subjects + network), *flags_of(options))
    for trials in frames(subjects + network):
        assert_same(getattr(cortiscore.ceilings, name)(trials, **options), line)


def test_choices_of_xarray_and_probabilities(tmp_path):
    subjects, network = observers()
    line = run_json("metric", "error_consistency", "--source", write(tmp_path / "n.csv", network), "--target", write(tmp_path / "s.csv", subjects))
    columns = frames(subjects)[2]
    assembly = xr.DataArray(columns.pop("choice"), dims=["presentation"], coords={name: ("presentation", list(map(str, values)))
                                                                                  for name, values in columns.items()})
    assert_same(cortiscore.metrics.error_consistency(pd.DataFrame(network), assembly), line)
    assert_same(cortiscore.metrics.error_consistency(tmp_path / "n.csv", assembly.set_index(presentation=["stimulus_id", "truth"]).reset_index(
        "presentation")), line)
    p = np.random.default_rng(0).dirichlet(np.ones(4), len(network))
    rows = [{"stimulus_id": row["stimulus_id"], "truth": row["truth"], **dict(zip(CLASSES, map(float, at)))} for row, at in zip(network, p)]
    line = run_json("metric", "error_consistency", "--source", write(tmp_path / "p.csv", rows), "--target", tmp_path / "s.csv")
    for source in frames(rows):
        assert_same(cortiscore.metrics.error_consistency(source, tmp_path / "s.csv"), line)


def test_a_choice_that_is_missing_or_spelled_otherwise():
    subjects, network = observers()
    frame = pd.DataFrame(subjects)
    spelled = frame.assign(choice=frame["choice"].str.replace("ant", "Ant"))
    notes = cortiscore.metrics.error_consistency(pd.DataFrame(network), spelled)["notes"]
    assert len(notes) == 1 and notes[0].startswith("target: column choice") and '"Ant"' in notes[0]
    assert cortiscore.metrics.error_consistency(pd.DataFrame(network), frame)["notes"] == []
    frame.loc[3, "choice"] = None
    with pytest.raises(cortiscore.Error, match="target.*row 4.*choice") as caught:
        cortiscore.metrics.error_consistency(pd.DataFrame(network), frame)
    assert caught.value.exit_code == 5


def test_thresholds(tmp_path):
    rng = np.random.default_rng(3)
    def trials(threshold):
        x = np.tile(np.geomspace(1, 40, 12), 40)
        right = rng.random(len(x)) < 0.5 + 0.48 / (1 + np.exp(-(np.log(x) - np.log(threshold)) * 3))
        return [{"stimulus_id": i, "truth": "left", "choice": "left" if hit else "right", "offset": at} for i, (at, hit) in enumerate(zip(x, right))]
    tables, subjects, baselines = [trials(9), trials(4)], np.array([8.0, 10, np.nan, 9.5]), np.array([4.0, 4.2, 4.1, 3.9])
    files = [write(tmp_path / f"{i}.csv", rows) for i, rows in enumerate(tables)]
    np.save(tmp_path / "s.npy", subjects)
    np.save(tmp_path / "b.npy", baselines)
    line = run_json("metric", "threshold", "--source", files[0], "--target", tmp_path / "s.npy", "--variable", "offset", "--accuracy", 0.8)
    assert_same(cortiscore.metrics.threshold(pd.DataFrame(tables[0]), subjects, variable="offset", accuracy=0.8), line)
    named = pd.DataFrame({"subject": list("abcd"), "threshold": subjects})
    assert_same(cortiscore.metrics.threshold(pl.DataFrame(tables[0]), named, variable="offset", accuracy=0.8), line)
    line = run_json("metric", "threshold_elevation", "--source", files[0], "--target", tmp_path / "s.npy", "--baseline-source", files[1],
                    "--baseline-target", tmp_path / "b.npy", "--variable", "offset")
    found = cortiscore.metrics.threshold_elevation(pd.DataFrame(tables[0]), subjects, baseline_source=pd.DataFrame(tables[1]),
                                                   baseline_target=baselines, variable="offset")
    assert_same(found, line)
    assert found["score"] > 0
    assert_same(cortiscore.ceilings.threshold(subjects), run_json("ceiling", "threshold", "--trials", tmp_path / "s.npy"))


def test_values_and_readouts(tmp_path):
    rng = np.random.default_rng(4)
    a, b, bins = rng.standard_normal(30), rng.standard_normal(30), np.linspace(-3, 3, 9)
    metrics = cortiscore.metrics
    line = run_json("metric", "value_delta", *save(tmp_path, source=a, target=b), "--scale", 0.5)
    assert_same(metrics.value_delta(a, b, scale=0.5), line)
    line = run_json("metric", "ks_similarity", *save(tmp_path, source=a, target=b, bins=bins), "--bootstrap", 50)
    assert_same(metrics.ks_similarity(a, b, bins=bins.tolist(), bootstrap=50), line)
    line = run_json("metric", "bootstrap_error", *save(tmp_path, source=a.reshape(5, 6)), "--axes", "0,1", "--bootstrap", 50)
    assert_same(metrics.bootstrap_error(a.reshape(5, 6), axes=[0, 1], bootstrap=50), line)
    x, y, factor = rng.standard_normal((40, 16)), rng.standard_normal((40, 16)), np.repeat([0, 1], 20)
    line = run_json("metric", "factor_dimensionality", *save(tmp_path, source=x, target=x + 0.5 * y, stratify=factor))
    assert_same(metrics.factor_dimensionality(x, x + 0.5 * y, stratify=factor), line)
    rows = [dict(zip(("stimulus_1", "stimulus_2", "stimulus_3"), map(int, rng.permutation(40)[:3])), choice=0) for _ in range(50)]
    for row in rows:
        row["choice"] = row["stimulus_2"]
    line = run_json("metric", "match", *save(tmp_path, source=x), "--target", write(tmp_path / "t.csv", rows), "--cosine")
    for target in frames(rows):
        assert_same(metrics.match(x, target, cosine=True), line)
    labels = [{"stimulus_id": f"s{i}", "truth": CLASSES[i % 4]} for i in range(40)]
    train, test = write(tmp_path / "train.csv", labels[:28]), write(tmp_path / "test.csv", labels[28:])
    line = run_json("metric", "logistic", *save(tmp_path, **{"train-source": x[:28], "test-source": x[28:]}), "--train-target", train,
                    "--test-target", test, "--c", 0.1, "--probabilities", tmp_path / "p.csv")
    found = metrics.logistic(x[:28], pd.DataFrame(labels[:28]), x[28:], pd.DataFrame(labels[28:]), c=0.1)
    assert_same(found, line, beside=["probabilities"])
    written = pd.read_csv(tmp_path / "p.csv", dtype={name: float for name in CLASSES})
    np.testing.assert_array_equal(found["probabilities"], written[found["classes"]].values)


def test_object_solution_times(tmp_path):
    rng = np.random.default_rng(5)
    labels, bins = np.arange(60) % 3, np.arange(4) * 10.0 + 70
    x = np.eye(3)[labels][:, :, None] * np.linspace(0.5, 4, 4) + 0.4 * rng.standard_normal((60, 3, 4))
    rows = [{"stimulus_id": f"s{i}", "truth": CLASSES[label], "ost": float(80 + i % 20) if i % 7 else "", "i1": float(rng.uniform(0.5, 1.5))}
            for i, label in enumerate(labels)]
    line = run_json("metric", "ost", *save(tmp_path, source=x, bins=bins), "--target", write(tmp_path / "t.csv", rows))
    table = pd.DataFrame([{**row, "ost": row["ost"] or None} for row in rows])
    assert_same(cortiscore.metrics.ost(x, table, bins=bins), line)


def test_ceilings_of_trials_and_rdms(tmp_path):
    rng = np.random.default_rng(6)
    trials = rng.standard_normal((1, 30, 5)) + rng.standard_normal((6, 30, 5))
    line = run_json("ceiling", "split_half_predictor", *save(tmp_path, trials=trials), "--ceiling-splits", 4, "--seed", 3, "--bootstrap", 20)
    assert_same(cortiscore.ceilings.split_half_predictor(torch.from_numpy(trials), ceiling_splits=4, seed=3, bootstrap=20), line)
    trials[0, 0, 0] = np.nan
    line = run_json("ceiling", "internal_consistency", *save(tmp_path, trials=trials), "--ceiling-splits", 20, "--level", 0.9)
    assert_same(cortiscore.ceilings.internal_consistency(trials, ceiling_splits=20, level=0.9), line)
    rdms = np.stack([1 - np.corrcoef(rng.standard_normal((12, 8)) + np.eye(12, 8)) for _ in range(4)])
    for name in ("rsa", "leave_one_subject_out", "nili", "nili_lower"):
        line = run_json("ceiling", name, *save(tmp_path, trials=rdms), "--comparison", "pearson")
        assert_same(getattr(cortiscore.ceilings, name)(rdms, comparison="pearson"), line)


@pytest.mark.parametrize("call, code, said", [
    (lambda x, y: cortiscore.metrics.pls(np.where(x > 2, np.nan, x), y), 5, "source.*presentation.*feature"),
    (lambda x, y: cortiscore.metrics.pls(x, y[:50]), 5, "target: presentations: found 50, expected 60 as in source"),
    (lambda x, y: cortiscore.metrics.pls(x, y, components=0), 2, "--components: found 0"),
    (lambda x, y: cortiscore.metrics.ridge(x, y, alpha=float("inf")), 2, "--alpha: found \"inf\""),
    (lambda x, y: cortiscore.metrics.rdm(x, y, components=3), 2, "--components: metric rdm does not read it, pls does"),
    (lambda x, y: cortiscore.metrics.cka(x, y, over="neuroid", bootstrap=5), 2, "--over: found neuroid, expected one of presentation"),
    (lambda x, y: cortiscore.metrics.pls(x, y, componets=3), 2, "componets.*Nearest.*components"),
    (lambda x, y: cortiscore.metrics.pls(x.tolist(), y), 5, "source: found an object without __dlpack__"),
    (lambda x, y: cortiscore.metrics.pls(x.astype(complex), y), 5, "source: dtype: found complex numbers"),
    (lambda x, y: cortiscore.metrics.pls(x.astype(str), y), 5, "source: found .*expected an array of numbers"),
    (lambda x, y: cortiscore.metrics.pls(pd.DataFrame(x), y), 5, "source: found a table, expected an array"),
    (lambda x, y: cortiscore.metrics.match(x, y), 5, "target: found an array, expected a table"),
    (lambda x, y: cortiscore.metrics.error_consistency(pd.DataFrame({"stimulus_id": ["a"]}), "none.csv"), 5, "truth|none.csv"),
    (lambda x, y: cortiscore.metrics.pls("none.npy", y), 5, "none.npy: found no such file"),
    (lambda x, y: cortiscore.ceilings.internal_consistency(x, seed=-1), 2, "--seed: found -1"),
    (lambda x, y: cortiscore.metric("plss", x, y), 4, "Nearest.*pls"),
    (lambda x, y: cortiscore.Assembly(x, ["presentation"]), 5, "values: dims: found 2, expected 1"),
    (lambda x, y: cortiscore.Assembly(x, ["a", "b"], {"c": ("a", [1.0])}), 5, "coords: c: found 1 values along \"a\", expected 60"),
    (lambda x, y: cortiscore.Assembly.open("none.nc"), 5, "none.nc: found no such file"),
    (lambda x, y: cortiscore.results("none"), 5, "none: found no such folder"),
    (lambda x, y: cortiscore.extract("none.pt2", "none.csv", "a", degrees=-1), 2, "--degrees: found -1"),
    (lambda x, y: cortiscore.layers("none.pt2", V4), 5, "none.pt2: found no such file"),
    (lambda x, y: cortiscore.sweep("none.pt2", V4, limit=-1), 2, "--limit.*found \"-1\""),
    (lambda x, y: cortiscore.sweep("none.pt2", "Nobody2000-pls"), 4, "Nobody2000")])
def test_errors_are_the_command_lines(call, code, said):
    with pytest.raises(cortiscore.Error, match=said) as caught:
        call(*arrays("pls"))
    assert caught.value.exit_code == code


def labelled(rng, n=24, m=6):
    """As BrainIO has recordings: MultiIndexes of presentations, neuroids and time bins."""
    array = xr.DataArray(
        rng.standard_normal((n, m, 2)), dims=["presentation", "neuroid", "time_bin"], name="dicarlo.Example",
        coords={"stimulus_id": ("presentation", [f"s{i % 12:02d}" for i in range(n)]), "repetition": ("presentation", np.arange(n) // 12.0),
                "neuroid_id": ("neuroid", [f"n{i}" for i in range(m)]), "x": ("neuroid", rng.standard_normal(m)),
                "time_bin_start": ("time_bin", [70.0, 120.0]), "time_bin_end": ("time_bin", [120.0, 170.0])},
        attrs={"identifier": "dicarlo.Example", "degrees": 8.0, "window": np.array([70.0, 170.0])})
    return array.set_index(presentation=["stimulus_id", "repetition"], neuroid=["neuroid_id", "x"], time_bin=["time_bin_start", "time_bin_end"])


def test_assemblies_to_and_from_xarray(tmp_path):
    given = labelled(np.random.default_rng(7))
    assembly = cortiscore.Assembly.from_xarray(given)
    xr.testing.assert_identical(assembly.to_xarray(indexes=True), given)
    flat = given.reset_index(["presentation", "neuroid", "time_bin"])
    xr.testing.assert_identical(assembly.to_xarray(), flat)
    assert assembly.dims == given.dims and assembly.sizes == dict(given.sizes) and assembly.shape == given.shape
    np.testing.assert_array_equal(np.asarray(assembly), given.values)
    np.testing.assert_array_equal(torch.from_dlpack(assembly).numpy(), given.values)
    assembly.save(tmp_path / "a.nc")
    with xr.open_dataarray(tmp_path / "a.nc") as opened:
        xr.testing.assert_equal(opened.load(), flat)
        assert opened.attrs["identifier"] == "dicarlo.Example" and opened.attrs["window"].tolist() == [70, 170] and opened.attrs["degrees"] == 8
    again = cortiscore.Assembly.open(tmp_path / "a.nc")
    xr.testing.assert_equal(again.to_xarray(), flat)
    assert again.to_xarray().attrs.keys() == flat.attrs.keys()
    flat.astype(np.float32).to_netcdf(tmp_path / "b.nc", engine="h5netcdf")
    single = cortiscore.Assembly.open(tmp_path / "b.nc")
    assert single.values.dtype == np.float32
    xr.testing.assert_equal(single.to_xarray(), flat.astype(np.float32))


def test_assemblies_with_labels_of_their_dims_and_packed_numbers(tmp_path):
    array = xr.DataArray(np.arange(6.0).reshape(2, 3) / 4, dims=["stimulus", "time"], coords={"stimulus": ["b", "a"], "time": [10.0, 20.0, 40.0], "day": 3},
                         attrs={"units": "Hz"})
    assembly = cortiscore.Assembly.from_xarray(array)
    expected = array.drop_vars("day").assign_attrs(day=3)
    xr.testing.assert_identical(assembly.to_xarray(), expected)
    assembly.save(tmp_path / "a.nc")
    with xr.open_dataarray(tmp_path / "a.nc") as opened:
        xr.testing.assert_equal(opened.load(), expected)
        assert list(opened.indexes) == ["stimulus", "time"]
    array.to_netcdf(tmp_path / "p.nc", engine="h5netcdf", encoding={"__xarray_dataarray_variable__": {
        "dtype": "int16", "scale_factor": 0.25, "add_offset": 1.0, "_FillValue": -999}})
    packed = cortiscore.Assembly.open(tmp_path / "p.nc")
    np.testing.assert_array_equal(packed.values, array.values)
    packed.save(tmp_path / "q.nc")
    with xr.open_dataarray(tmp_path / "q.nc") as opened:
        np.testing.assert_array_equal(opened.values, array.values)
    for bad, said in ((array.assign_coords(t=("time", pd.date_range("2020", periods=3))), "datetime64"),
                      (array.assign_attrs(s={"a": 1}), "attrs: found s, dict"),
                      (array.assign_coords(two=(("stimulus", "time"), np.ones((2, 3)))), "found two along stimulus, time")):
        with pytest.raises(cortiscore.Error, match=said) as caught:
            cortiscore.Assembly.from_xarray(bad)
        assert caught.value.exit_code == 5


def test_assemblies_are_matched_by_their_ids(tmp_path):
    x, y = arrays("ridge")
    order = np.random.default_rng(8).permutation(60)
    ids = np.array([f"s{i}" for i in range(60)])
    source = cortiscore.Assembly(x, ["presentation", "neuroid"], {"stimulus_id": ("presentation", ids)})
    target = xr.DataArray(y[order].T, dims=["neuroid", "stimulus"], coords={"stimulus_id": ("stimulus", ids[order])})
    expected = cortiscore.metrics.ridge(x, y)
    assert cortiscore.metrics.ridge(source, target)["score"] == expected["score"] != cortiscore.metrics.ridge(x, y[order])["score"]
    source.save(tmp_path / "source.nc")
    assert cortiscore.metrics.ridge(tmp_path / "source.nc", target)["score"] == expected["score"]
    by_place = cortiscore.metrics.ridge(source, y)
    assert by_place["score"] == expected["score"] and by_place["notes"] == ["target: no stimulus_id; rows are matched by place to those of source"]
    other = cortiscore.Assembly(y, ["presentation", "neuroid"], {"stimulus_id": ("presentation", np.char.add("t", ids))})
    with pytest.raises(cortiscore.Error, match="target: stimulus_id"):
        cortiscore.metrics.ridge(source, other)


def test_trials_of_an_assembly_are_the_files(tmp_path):
    array = labelled(np.random.default_rng(9)).isel(time_bin=0, drop=True)
    array.reset_index(["presentation", "neuroid"]).to_netcdf(tmp_path / "t.nc", engine="h5netcdf")
    line = run_json("ceiling", "internal_consistency", "--trials", tmp_path / "t.nc")
    assert_same(cortiscore.ceilings.internal_consistency(array), line)
    assert_same(cortiscore.ceilings.internal_consistency(cortiscore.Assembly.open(tmp_path / "t.nc")), line)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """The simulated cortex, a network, and pictures."""
    folder = tmp_path_factory.mktemp("world")
    simulate_cortex(folder)
    torch.manual_seed(0)
    layers = [torch.nn.Conv2d(3, 8, 7, stride=4), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(3), torch.nn.Flatten()]
    cortiscore.export(torch.nn.Sequential(*layers).eval(), folder / "tiny.pt2", input_size=32)
    rng = np.random.default_rng(0)
    for i in range(4):
        Image.fromarray(rng.integers(0, 256, (40, 40, 3), np.uint8)).save(folder / f"{i}.png")
    write(folder / "stimuli.csv", [{"stimulus_id": f"s{i}", "filename": f"{i}.png"} for i in range(4)])
    return folder


@pytest.fixture
def at_home(world, monkeypatch):
    monkeypatch.setenv("CORTISCORE_HOME", str(world))
    return world


def without_times(record):
    return {key: value for key, value in record.items() if key not in ("timing_ms", "peak_bytes", "start", "end", "run")}


def test_layers_are_the_command_lines(at_home, tmp_path):
    network = at_home / "tiny.pt2"
    done = run("layers", network, "-b", V4, "--match", "[0-2]", "-o", tmp_path / "line.json", "--json")
    profiles, commitment = cortiscore.layers(network, V4, match="[0-2]", output=tmp_path / "map.json")
    assert list(map(without_times, profiles)) == [without_times(json.loads(line)) for line in done.stdout.splitlines()]
    assert [layer["layer"] for layer in profiles[0]["layers"]] == ["0", "1", "2"]
    assert commitment == json.loads((tmp_path / "map.json").read_text()) == json.loads((tmp_path / "line.json").read_text())
    with pytest.raises(cortiscore.Error, match="--match: no layer") as caught:
        cortiscore.layers(network, [V4], match="none*")
    assert caught.value.exit_code == 4


def test_extract_is_the_command_lines(at_home, tmp_path):
    network, stimuli = at_home / "tiny.pt2", at_home / "stimuli.csv"
    line = extract(network, stimuli, ["0:mean", "3"], tmp_path / "npy", "--repetitions", 2, "--degrees", 4)
    found = cortiscore.extract(network, stimuli, ["0:mean", "3"], repetitions=2, degrees=4)
    assert list(found) == ["0:mean", "3"]
    for layer, assembly in found.items():
        np.testing.assert_array_equal(assembly.values, line[layer])
        assert assembly.values.dtype == np.float32 and assembly.coords["stimulus_id"][1].tolist() == [f"s{i // 2}" for i in range(8)]
    [(name, only)] = cortiscore.extract(network, stimuli, "3").items()
    assert name == "3" and only.shape == (4, 72)


def test_sweep_and_results_are_the_command_lines(at_home, tmp_path):
    banks = [at_home / f"data/Simulated2026/bank_{region}.npy" for region in ("V4", "IT")]
    (tmp_path / "broken.npy").write_bytes(b"no array")
    paths = [*banks, tmp_path / "broken.npy"]
    seen = []
    records = cortiscore.sweep(paths, [V4], results=tmp_path / "ours", bootstrap=50, each=seen.append)
    done = run("sweep", *paths, "-b", V4, "--results", tmp_path / "line", "--bootstrap", 50, "--json")
    assert done.returncode == 3
    key = lambda record: record["model_identifier"]
    assert sorted(map(without_times, records), key=key) == sorted((without_times(json.loads(line)) for line in done.stdout.splitlines()), key=key)
    assert records == seen and sorted(record["status"] for record in records) == ["failed", "ok", "ok"]
    assert cortiscore.sweep(banks, V4, results=tmp_path / "ours", bootstrap=50) == []
    plan = cortiscore.sweep(banks, V4, results=tmp_path / "ours", bootstrap=50, dry_run=True)
    assert plan[0]["stored"] == 2 and plan[0]["pairs"] == []

    stored = cortiscore.results(tmp_path / "ours")
    shown = run("results", "show", "--results", tmp_path / "ours", "--json").stdout.splitlines()
    assert list(stored) == [json.loads(line) for line in shown] and len(stored) == 3
    assert [record["status"] for record in cortiscore.results(tmp_path / "ours", status="failed")] == ["failed"]
    assert [record["model_identifier"] for record in cortiscore.results(tmp_path / "ours", network="*_IT", benchmark="Sim*")] == ["bank_IT"]
    assert run("results", "export", "--results", tmp_path / "ours", "--format", "parquet", "-o", tmp_path / "r.parquet").returncode == 0
    pd.testing.assert_frame_equal(stored.to_pandas(), pd.read_parquet(tmp_path / "r.parquet").astype(stored.to_pandas().dtypes))
    assert stored.to_polars().equals(pl.read_parquet(tmp_path / "r.parquet")) and stored.to_polars().schema == pl.read_parquet_schema(tmp_path / "r.parquet")
    assert stored.to_pandas()["score.raw"].notna().sum() == 2 and stored[:1].to_polars().height == 1
    shard = next((tmp_path / "ours").rglob("*.jsonl"))
    with open(shard, "a") as file:
        file.write("torn")
    with pytest.warns(UserWarning, match=shard.name):
        assert len(cortiscore.results(tmp_path / "ours")) == 3


def test_ctrl_c_stops_a_sweep_and_reaches_python(at_home, tmp_path):
    """Its program is stopped; what is stored stays."""
    banks = [tmp_path / f"{i}.npy" for i in range(40)]
    for bank in banks:
        bank.symlink_to(at_home / "data/Simulated2026/bank_V4.npy")
    started = threading.Event()

    def interrupt():
        started.wait(60)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        cortiscore.sweep(banks, V4, results=tmp_path / "s", bootstrap=20_000, each=lambda record: started.set())
    assert started.is_set() and 1 <= len(cortiscore.results(tmp_path / "s")) < len(banks)
    assert not [child for child in psutil.Process().children(recursive=True) if str(tmp_path / "s") in child.cmdline()]


def test_benchmarks_are_the_command_lines(at_home):
    listed = lambda *flags: [json.loads(line) for line in run("benchmark", "list", "--json", *flags).stdout.splitlines()]
    assert cortiscore.benchmarks() == listed() and len(listed()) > 200
    found = cortiscore.benchmarks(region="IT", species="macaque", modality="electrophysiology", kind="neural", access="public")
    assert found == listed("--region", "IT", "--species", "macaque", "--modality", "electrophysiology", "--kind", "neural", "--access", "public")
    assert 0 < len(found) < 40
    assert [one["identifier"] for one in cortiscore.benchmarks(here=True)] == [one["identifier"] for one in listed("--here")]


def test_import_loads_neither_torch_nor_numpy():
    """And all that is there comes when it is asked for."""
    checked = ("import sys, cortiscore; dir(cortiscore); assert not {'torch', 'numpy', 'pandas', 'xarray'} & set(sys.modules)\n"
               "for name in cortiscore.__all__: assert getattr(cortiscore, name) is not None, name\n"
               "assert set(cortiscore.__all__) == {*cortiscore._MODULES, *cortiscore._SUBMODULES} and not {'pandas', 'polars', 'xarray'} & set(sys.modules)\n"
               "assert callable(cortiscore.layers) and callable(cortiscore.results) and callable(cortiscore.benchmarks)")
    subprocess.run([sys.executable, "-c", checked], check=True, cwd=ROOT / "python")


def test_the_stub_is_the_compiled_modules():
    """Every function and class of it, with its types."""
    subprocess.run([sys.executable, ROOT / "tools/compiled_stub.py", "--check"], check=True)


USER = """
from typing import Any, assert_type

import numpy as np
import pandas as pd
import polars as pl
import torch
from ignite.engine import Engine, Events
from transformers import Trainer

import cortiscore
from cortiscore.integrations.ignite import IgniteProbe
from cortiscore.integrations.lightning import LightningProbe
from cortiscore.integrations.transformers import HuggingFaceProbe

x, y = np.zeros((20, 4)), np.zeros((20, 3))
assert_type(cortiscore.metrics.pls(x, y, components=3, bootstrap=0, over=["neuroid", "presentation"]), dict[str, Any])
cortiscore.metrics.ridgecv(x, torch.zeros(20, 3), alphas=[1.0, 2.0], splits=[([0], [1])], stratify=list("ab"), trials=np.zeros((2, 20, 3)))
cortiscore.metrics.rdm(x, "target.npy", comparison="tau-a", target_rdm=True)
cortiscore.metrics.error_consistency(pd.DataFrame({"truth": ["a"]}), {"truth": ["a"]}, level=0.9)
cortiscore.metrics.i1(pl.DataFrame({"truth": ["a"]}), pl.DataFrame(), skipna=True)
cortiscore.ceilings.internal_consistency(np.zeros((2, 3, 4)), ceiling_splits=3)
assembly = cortiscore.Assembly(x, ["presentation", "neuroid"], {"stimulus_id": ("presentation", ["a"] * 20)})
assert_type(cortiscore.Assembly.open("a.nc"), cortiscore.Assembly)
cortiscore.metrics.pls(assembly, assembly.to_xarray())
assert_type(cortiscore.results("s").to_pandas(), pd.DataFrame)
assert_type(cortiscore.results("s").to_polars(), pl.DataFrame)
assert_type(cortiscore.results("s")[0], dict[str, Any])
assert_type(cortiscore.benchmarks(kind="neural", here=True), list[dict[str, Any]])
assert_type(cortiscore.sweep(["a.pt2"], "X", device="cpu,cpu", each=print), list[dict[str, Any]])
profiles, commitment = cortiscore.layers("a.pt2", ["X"], match="layer*")
assert_type(profiles, list[dict[str, Any]])
assert_type(cortiscore.extract("a.pt2", "s.csv", "layer1"), dict[str, cortiscore.Assembly])
assert_type(cortiscore.score("a.pt2", "X", layers={"V4": "layer3"}), list[dict[str, Any]])
assert_type(cortiscore.score(torch.nn.Linear(2, 2), ["X"], input_size=32, device=torch.device("cpu")), list[dict[str, Any]])
cortiscore.export(torch.nn.Linear(2, 2), "a.pt2", input_size=32, mean=[0.5] * 3, std=[0.5] * 3)
network = torch.nn.Linear(2, 2)


def log(found: cortiscore.Evaluation) -> None:
    assert_type(found.metrics, dict[str, float])
    assert_type(found.records, list[dict[str, Any]])
    assert_type((found.step, found.epoch, found.seconds, found.waited), tuple[int, float | None, float, float])


with cortiscore.Probe(["X", "Y"], layers={"V4": "layer3"}, every=cortiscore.log_spaced(100, 5), max_overhead=0.02, input_size=32, results="r",
                      run="x", resume=True, on_result=log, on_error="raise", ranks="first", bootstrap=20, precision="bf16") as probe:
    assert_type(probe, cortiscore.Probe)
    probe.prepare(network)
    assert_type(probe.step(np.int64(1), network, epoch=0.5), cortiscore.Evaluation | None)
    if found := probe.epoch_end(1, network, step=2):
        log(found)
    assert_type((probe.overhead, probe.failures, probe.run), tuple[float, int, str])
    assert_type([one.step for one in probe.history], list[int])
cortiscore.Probe("X", every="log").evaluate(network, 1)
assert_type(cortiscore.Probe("X", every={1, 2}, on_result=print).close(wait=False), cortiscore.Evaluation | None)
LightningProbe(probe, network="backbone")
assert_type(HuggingFaceProbe(probe, network=lambda trained: trained.vit).attach(Trainer(network)), HuggingFaceProbe)
assert_type(IgniteProbe(probe).attach(Engine(print), network, Events.STARTED, gradient_accumulation_steps=2), IgniteProbe)
try:
    pass
except cortiscore.Error as error:
    assert_type(error.exit_code, int)
"""
SLIPS = {'cortiscore.metrics.pls(1, "b.npy")': "arg-type", 'cortiscore.metrics.pls("a.npy", "b.npy", componets=3)': "call-arg",
         'cortiscore.metrics.pls("a.npy", "b.npy", mode="exat")': "arg-type", "cortiscore.metrics.plss()": "attr-defined",
         'cortiscore.benchmarks(kind="neurall")': "arg-type", 'cortiscore.extract("a.pt2", "s.csv")': "call-arg", "cortiscore.nothing()": "attr-defined",
         'cortiscore.score("a.pt2", "X", mode="exat")': "arg-type", 'cortiscore.export(None, "a.pt2")': "call-arg",
         'cortiscore.results("s").to_polars().nothing': "attr-defined", 'cortiscore.sweep("a.pt2", "X", each=3)': "arg-type",
         'cortiscore.Probe("X", evry=5)': "call-arg", 'cortiscore.Probe("X", every="sometimes")': "arg-type",
         'cortiscore.Probe("X", every=5, bootstrap="20")': "arg-type", 'cortiscore.Probe("X", every=5, mean=0.5)': "arg-type",
         'cortiscore.Probe("X", every=5, resume="mine")': "arg-type", 'cortiscore.Probe("X", every=5, on_result=3)': "arg-type",
         'cortiscore.Probe("X", every=5).step(1)': "call-arg", 'cortiscore.Probe("X", every=5).step("1", None)': "arg-type",
         'cortiscore.Probe("X", every=5).step(1, None).metrics': "union-attr", 'cortiscore.Probe("X", every=5).histry': "attr-defined",
         'cortiscore.Probe("X", every=5).history[0].metrics["a"].b': "attr-defined", 'cortiscore.log_spaced("100", 5)': "arg-type",
         'cortiscore.integrations.lightning.LightningProbe("X")': "arg-type",
         'cortiscore.integrations.transformers.HuggingFaceProbe(cortiscore.Probe("X"), netwrk="vit")': "call-arg",
         'cortiscore.integrations.ignite.IgniteProbe(cortiscore.Probe("X")).attach(None)': "call-arg"}
FRAMEWORKS = ", ".join(f"cortiscore.integrations.{name}" for name in ("ignite", "lightning", "transformers"))


def test_a_type_checker_reads_it(tmp_path):
    """The package's own files, a script in order, and slips, each of which it must find."""
    (tmp_path / "user.py").write_text(USER)
    (tmp_path / "slips.py").write_text(f"import cortiscore, {FRAMEWORKS}\n" + "\n".join(SLIPS) + "\n")
    check = lambda *files: subprocess.run([sys.executable, "-m", "mypy", "--config-file", ROOT / "tests/python/mypy.ini", "--cache-dir",
                                           BINARY.parent / "mypy_cache", "--no-error-summary", *files], capture_output=True, text=True)
    done = check(ROOT / "python/cortiscore/__init__.py", tmp_path / "user.py")
    assert done.returncode == 0, done.stdout + done.stderr
    found = {int(line.split(":")[1]): line.rsplit("[", 1)[1].rstrip("]") for line in check(tmp_path / "slips.py").stdout.splitlines() if ": error:" in line}
    assert found == {number: code for number, code in enumerate(SLIPS.values(), 2)}


def test_the_examples_of_the_document(at_home, tmp_path, monkeypatch):
    """docs/python.md, all of it in one session."""
    monkeypatch.chdir(tmp_path)
    text = "\n".join((ROOT / "docs/python.md").read_text().replace("```pycon\n", "").split("```\n"))
    runner = doctest.DocTestRunner(optionflags=doctest.REPORT_NDIFF)
    said = []
    done = runner.run(doctest.DocTestParser().get_doctest(text, {}, "python.md", str(ROOT / "docs/python.md"), 0), out=said.append)
    assert done.attempted > 40 and done.failed == 0, "".join(said)


def test_masked_numbers_are_missing(tmp_path):
    """As NaN is, which is how a file says it; never the number beneath the mask."""
    rng = np.random.default_rng(3)
    trials = rng.standard_normal((6, 40, 5)) + 2 * rng.standard_normal((40, 5))
    hidden = rng.random(trials.shape) < 0.2
    masked, missing = np.ma.array(np.where(hidden, 1e6, trials), mask=hidden), np.where(hidden, np.nan, trials)
    assert cortiscore.ceilings.internal_consistency(masked)["ceiling"] == cortiscore.ceilings.internal_consistency(missing)["ceiling"]
    np.testing.assert_array_equal(cortiscore.Assembly(masked[0], ["presentation", "neuroid"]).values, missing[0])
    x, y = rng.standard_normal((40, 8)), np.ma.array(trials[0], mask=hidden[0])
    with pytest.raises(cortiscore.Error, match="NaN"):
        cortiscore.metrics.linear(x, y)
    whole = np.ma.array(trials[0])
    assert cortiscore.metrics.linear(x, whole)["score"] == cortiscore.metrics.linear(x, trials[0])["score"]
    with pytest.raises(cortiscore.Error, match="masked labels"):
        cortiscore.metrics.linear(x, trials[0], stratify=np.ma.array(np.arange(40) % 4, mask=np.arange(40) == 3))


def test_arrays_that_run_backwards(tmp_path):
    rng = np.random.default_rng(3)
    x, y = rng.standard_normal((40, 8)), rng.standard_normal((40, 5))
    assert cortiscore.metrics.linear(x[::-1], y[::-1])["score"] == cortiscore.metrics.linear(x[::-1].copy(), y[::-1].copy())["score"]


def test_labels_with_ids_are_matched_by_them():
    rng = np.random.default_rng(3)
    x, y, labels, order = rng.standard_normal((40, 8)), rng.standard_normal((40, 5)), np.arange(40) % 4, rng.permutation(40)
    ids = [f"image{i}" for i in range(40)]
    of = lambda values, names: xr.DataArray(values, dims=["presentation", "neuroid"][:values.ndim], coords={"stimulus_id": ("presentation", names)})
    expected = cortiscore.metrics.linear(x, y, stratify=labels)["score"]
    found = cortiscore.metrics.linear(of(x, ids), of(y, ids), stratify=of(labels[order], [ids[i] for i in order]))
    assert found["score"] == expected


def test_columns_of_torch_are_columns():
    truth, choice = torch.tensor([1, 2, 1, 2]), torch.tensor([1, 2, 2, 2])
    table = {"stimulus_id": list("abcd"), "truth": truth, "choice": choice}
    plain = {**table, "truth": truth.tolist(), "choice": choice.tolist()}
    assert cortiscore.metrics.accuracy(table)["score"] == cortiscore.metrics.accuracy(plain)["score"] == 0.75
