"""What intervals of a score are over: neuroids, presentations or both. Draw by draw as NumPy and scikit-learn have them, with the draws that
docs/metrics.md promises."""
import base64
import json
import os
import sys

import numpy as np
import pytest
import xarray as xr
from sklearn.linear_model import Ridge
from sklearn.model_selection import ShuffleSplit

from conftest import BINARY, ROOT, run, run_json
from test_every_benchmark import FOLDER, simulate
from test_resampling import philox_counts

os.environ.setdefault("CORTISCORE_MODULE_DIR", str(BINARY.parent / "python"))
sys.path.insert(0, str(ROOT / "python"))
sys.path.insert(0, str(ROOT / "bench"))
import cortiscore
import layer_choice as world

N, N_BOOT = 40, 60
OVER = ["neuroid", "presentation", "neuroid,presentation"]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """40 stimuli: (stimulus set, features of two layers, trials of 7 neuroids)."""
    folder = tmp_path_factory.mktemp("recorded")
    generator = np.random.default_rng(8)
    latent = generator.normal(size=(N, 4))
    mixed = latent @ generator.normal(size=(4, 6))
    features = [np.float32(mixed + level * generator.normal(size=(N, 6))) for level in (0.8, 1.0)]
    trials = latent @ generator.normal(size=(4, 7)) + generator.normal(size=(4, N, 7))
    return world.numbered_images(folder, N), features, trials


def scored(features, benchmark, over, **options):
    [record] = cortiscore.score(world.LookupNetwork(features).eval(), benchmark, input_size=4, bootstrap=N_BOOT, memory_gib=1, over=over, **options)
    return record


def draws_of(record):
    return np.frombuffer(base64.b64decode(record["draws"]["float32"]), "<f4").astype(float)


def correlations(a, b, rows):
    """Of every column, over these rows; none of a single presentation."""
    return np.array([np.corrcoef(a[rows, i], b[rows, i])[0, 1] if len(set(rows)) > 1 else np.nan for i in range(b.shape[1])])


def internal_consistency(trials, presentations, n_splits=3):
    """[splits, neuroids] of presentations that count so often."""
    rows = np.repeat(np.arange(trials.shape[1]), presentations)
    r = np.array([correlations(trials[first].mean(0), trials[second].mean(0), rows)
                  for first, second in ShuffleSplit(n_splits, train_size=0.5, random_state=1).split(np.arange(len(trials)))])
    return 2 * r / (1 + r)


def predicted(x, y, splits):
    """(test rows, predictions for them) a split."""
    return [(test, Ridge(alpha=1).fit(x[train], y[train]).predict(x[test])) for train, test in splits]


def raw_values(y, predictions, presentations):
    """[splits, neuroids]"""
    return np.array([correlations(found, y[test], np.repeat(np.arange(len(test)), presentations[test])) for test, found in predictions])


def median(values, neuroids):
    medians = [np.median(np.repeat(row, neuroids)) for row in values]  # of a split, none or all have a value
    return np.nanmean(medians)


def counts_of(over, n_neuroids, n_presentations, seed=0, presentation_seed=0):
    """[draws, neuroids], [draws, presentations]"""
    axes = over.split(",")
    return (philox_counts(seed, "neuroid", N_BOOT, n_neuroids) if "neuroid" in axes else np.ones((N_BOOT, n_neuroids), int),
            philox_counts(presentation_seed, "presentation", N_BOOT, n_presentations) if "presentation" in axes
            else np.ones((N_BOOT, n_presentations), int))


def shuffles(n, train=0.9):
    return list(ShuffleSplit(10, train_size=train, random_state=1).split(np.zeros((n, 1))))


def ceiled_draws(y, trials, predictions, neuroids, presentations):
    """The platform's r² / c."""
    return np.array([median(raw_values(y, predictions, p), m) ** 2 / median(internal_consistency(trials, p), m)
                     for m, p in zip(neuroids, presentations, strict=True)])


def assert_interval(record, draws, raw=None):
    np.testing.assert_allclose(draws_of(record), draws, rtol=2e-6)
    np.testing.assert_allclose([record["error"]["ci_lo"], record["error"]["ci_hi"]], np.percentile(draws, [2.5, 97.5]), rtol=1e-10)
    assert record["error"]["ceiled"] == pytest.approx(np.std(draws, ddof=1), rel=1e-9)
    if raw is not None:
        np.testing.assert_allclose([record["raw"]["ci_lo"], record["raw"]["ci_hi"]], np.percentile(raw, [2.5, 97.5]), rtol=1e-10)


@pytest.mark.parametrize("over", OVER)
def test_one_population(recorded, tmp_path, over):
    stimuli, features, trials = recorded
    benchmark = world.write_benchmark(tmp_path, stimuli, trials)
    record = scored(features, benchmark, over, layers="layers.0")
    y = trials.mean(0)
    predictions = predicted(features[0].astype(float), y, shuffles(N))
    neuroids, presentations = counts_of(over, 7, N)
    assert_interval(record, ceiled_draws(y, trials, predictions, neuroids, presentations),
                    [median(raw_values(y, predictions, p), m) for m, p in zip(neuroids, presentations)])
    assert record["error"]["method"] == "percentile bootstrap over " + over.replace(",", " and ")
    plain = scored(features, benchmark, "neuroid", layers="layers.0")
    assert record["score"] == plain["score"] and record["split_scores"] == plain["split_scores"] and record["per_neuroid"] == plain["per_neuroid"]
    assert (record["key"] == plain["key"]) == (over == "neuroid")


@pytest.mark.parametrize("over", OVER)
def test_populations_are_drawn_on_the_same_presentations(recorded, tmp_path, over):
    """Pooled, their neuroids lie side by side. Averaged, each has draws of neuroids of its own."""
    stimuli, features, trials = recorded
    files = [trials[:, :, :3], trials[:, :, 3:]]
    assemblies = []
    for i, part in enumerate(files):
        folder = tmp_path / f"p{i}"
        folder.mkdir()
        world.write_benchmark(folder, stimuli, part)
        assemblies.append({"identifier": f"p{i}", "file": str(folder / "responses.nc")})
    y, x, splits = trials.mean(0), features[0].astype(float), shuffles(N)
    pooled = scored(features, world.write_benchmark(tmp_path, stimuli, trials, assemblies=assemblies), over, layers="layers.0")
    neuroids, presentations = counts_of(over, 7, N)
    assert_interval(pooled, ceiled_draws(y, trials, predicted(x, y, splits), neuroids, presentations))  # ridge: each neuroid has its own map
    mean = scored(features, world.write_benchmark(tmp_path, stimuli, trials, assemblies=assemblies, populations="mean"), over, layers="layers.0")
    apart = []
    for i, part in enumerate(files):
        own = part.mean(0)
        apart.append(ceiled_draws(own, part, predicted(x, own, splits), *counts_of(over, part.shape[2], N, seed=i)))
    assert_interval(mean, np.mean(apart, 0))


def test_what_an_interval_leaves_out_is_said(recorded, tmp_path):
    """Splits that test few presentations; draws that have no value; and nothing that is not so."""
    stimuli, features, trials = recorded
    few = scored(features, world.write_benchmark(tmp_path, stimuli, trials), "presentation", layers="layers.0")
    assert any("some split tests 4 presentations" in w and "may lie too high" in w for w in few["warnings"])
    half = {"kind": "shuffle", "n_splits": 2, "train_fraction": 0.5, "seed": 1}
    many = scored(features, world.write_benchmark(tmp_path, stimuli, trials, splits=half), "presentation", layers="layers.0")
    assert not any("some split tests" in w or "no value" in w for w in many["warnings"])
    assert not any("some split" in w for w in scored(features, world.write_benchmark(tmp_path, stimuli, trials), "neuroid", layers="layers.0")["warnings"])
    one = scored(features, world.write_benchmark(tmp_path, stimuli, trials[:, :, :1], splits=half), "presentation", layers="layers.0")
    assert one["raw"]["ci_lo"] < one["raw"]["score"] < one["raw"]["ci_hi"] and not any("no interval" in w for w in one["warnings"])
    both = scored(features, world.write_benchmark(tmp_path, stimuli, trials[:, :, :1], splits=half), ["neuroid", "presentation"], layers="layers.0")
    assert both["raw"]["ci_lo"] == one["raw"]["ci_lo"] and any("the interval is over presentations alone" in w for w in both["warnings"])
    pair = {"kind": "shuffle", "n_splits": 1, "train_fraction": 0.95, "seed": 1}  # two are tested: a draw of one of them twice has no value
    record = scored(features, world.write_benchmark(tmp_path, stimuli, trials, splits=pair), "presentation", layers="layers.0")
    missing = sum(np.isnan(draws_of(record)))
    assert missing > 10
    for of in ("", "ceiled: "):
        assert f"layers.0: {of}{missing} of {N_BOOT} draws of the bootstrap have no value and are left out of the interval" in record["warnings"]


def test_layers_chosen_in_every_split(recorded, tmp_path):
    """Of every split the predictions of its own layer."""
    stimuli, features, trials = recorded
    record = scored(features, world.write_benchmark(tmp_path, stimuli, trials), "neuroid,presentation")
    chosen = record["layer_selection"]["chosen"]
    assert len(set(chosen)) == 2
    y, predictions = trials.mean(0), []
    for layer, split in zip(chosen, shuffles(N), strict=True):
        predictions += predicted(features[int(layer.removeprefix("layers."))].astype(float), y, [split])
    assert_interval(record, ceiled_draws(y, trials, predictions, *counts_of("neuroid,presentation", 7, N)))


def test_halves_draw_presentations_of_their_own(recorded, tmp_path):
    stimuli, features, trials = recorded
    splits = {"kind": "shuffle", "n_splits": 10, "train_fraction": 0.6, "seed": 1}
    record = scored(features, world.write_benchmark(tmp_path, stimuli, trials, splits=splits), "neuroid,presentation", choice="halves")
    draws = []
    # What was chosen on the even half is scored on the odd one.
    for rows, layer, place in zip([np.arange(1, N, 2), np.arange(0, N, 2)], record["layer_selection"]["chosen"], [1, 0], strict=True):
        part, x = trials[:, rows], features[int(layer.removeprefix("layers."))][rows].astype(float)
        y = part.mean(0)
        draws.append(ceiled_draws(y, part, predicted(x, y, shuffles(len(rows), 0.6)), *counts_of("neuroid,presentation", 7, len(rows), 0, place)))
    assert_interval(record, np.mean(draws, 0))


def test_of_fixed_stimuli_the_tested_ones_are_drawn(recorded, tmp_path):
    stimuli, features, trials = recorded
    table = stimuli.read_text().splitlines()
    for name, rows in (("train", range(25)), ("test", range(25, N))):
        (stimuli.parent / f"{name}.csv").write_text("\n".join([table[0], *(table[1 + i] for i in rows)]) + "\n")
    test = trials[:, 25:]
    manifest = world.write_benchmark(tmp_path, stimuli.parent / "test.csv", test)
    for name, values, first in (("train", trials.mean(0)[None, :25], 0), ("responses", test, 25)):
        repetitions, n, neuroids = values.shape
        xr.DataArray(values.reshape(-1, neuroids), dims=["presentation", "neuroid"], name="data",
                     coords={"stimulus_id": ("presentation", [f"image{first + i:03d}" for i in range(n)] * repetitions),
                             "repetition": ("presentation", np.repeat(np.arange(repetitions), n)),
                             "neuroid_id": ("neuroid", [f"n{i}" for i in range(neuroids)])}).to_netcdf(tmp_path / f"{name}.nc", engine="h5netcdf")
    text = json.loads(manifest.read_text())
    text["assemblies"][0]["train_file"] = str(tmp_path / "train.nc")
    manifest.write_text(json.dumps({**text, "train_stimulus_set": str(stimuli.parent / "train.csv"), "splits": {"kind": "train_test"}}))
    record = scored(features, manifest, "neuroid,presentation", layers="layers.0")
    x, y = features[0].astype(float), trials.mean(0)
    [(_, found)] = predicted(x, y, [(np.arange(25), np.arange(25, N))])
    draws = ceiled_draws(y[25:], test, [(np.arange(N - 25), found)], *counts_of("neuroid,presentation", 7, N - 25))
    assert_interval(record, draws)
    raw = [median(raw_values(y[25:], [(np.arange(N - 25), found)], p), m) for m, p in zip(*counts_of("neuroid,presentation", 7, N - 25))]
    assert record["error"]["sem"] == pytest.approx(np.std(raw, ddof=1), rel=1e-9)  # one split has no spread


def test_the_ceiling_of_halves_drawn_a_presentation(recorded, tmp_path):
    """The platform's SplitHalfPredictorConsistency: halves stay as they are, presentations are drawn."""
    stimuli, features, trials = recorded
    benchmark = world.write_benchmark(tmp_path, stimuli, trials, ceiling={"name": "split_half_predictor", "n_splits": 3, "seed": 0})
    record = scored(features, benchmark, "presentation", layers="layers.0")
    random, halves = np.random.default_rng(0), []
    for _ in range(3):
        orders = [random.permutation(4) for _ in range(N)]
        halves.append([np.array([trials[o[part], i].mean(0) for i, o in enumerate(orders)]) for part in (slice(2), slice(2, None))])
    ceilings = []
    for p in counts_of("presentation", 7, N)[1]:
        r = np.array([correlations(*half, np.repeat(np.arange(N), p)) for half in halves])
        ceilings.append(np.median(2 * r / (1 + r), axis=1).mean())
    np.testing.assert_allclose([record["ceiling"]["ci_lo"], record["ceiling"]["ci_hi"]], np.percentile(ceilings, [2.5, 97.5]), rtol=1e-10)


# Of every kind of mapping and ceiling one: stored ceilings, time bins, reversed, places.
@pytest.mark.parametrize("name", ["Li2026.IT-pls", "Hebart2023_fmri.V2-ridgecv", "MajajHong2015public.IT-reverse_pls", "MajajHong2015public.IT-temporal-pls",
                                  "Cadena2017-mask"])
def test_every_kind_of_mapping(name, tmp_path):
    path = FOLDER / f"{name}.json"
    manifest = json.loads(path.read_text())
    np.save(tmp_path / "features.npy", simulate(manifest, tmp_path))
    home = {"CORTISCORE_HOME": str(tmp_path)}
    plain, both = (run_json("score", tmp_path / "features.npy", "-b", name, "--over", over, env=home) for over in ("neuroid", "neuroid,presentation"))
    assert both["score"] == plain["score"] and both["split_scores"] == plain["split_scores"]
    assert both["raw"]["ci_lo"] < both["raw"]["score"] < both["raw"]["ci_hi"]
    assert both["error"]["method"].endswith("neuroid and presentation") and both["error"]["ceiled"] > 0
    stored = manifest["ceiling"]["name"] == "stored"
    assert any("as published, without its trials" in w for w in both["warnings"]) == stored
    if stored:
        assert both["ceiling"] == plain["ceiling"]
        alone = run_json("score", tmp_path / "features.npy", "-b", name, "--over", "presentation", env=home)
        assert alone["ceiling"]["ci_lo"] is None and alone["ceiling"]["error"] is None
        assert alone["error"]["ci_lo"] < alone["score"]["ceiled"] < alone["error"]["ci_hi"]


def test_other_benchmarks_keep_what_they_resample(tmp_path):
    """RDMs draw presentations whatever is asked for, and what is stored is not scored again."""
    manifest = json.loads((FOLDER / "Kriegeskorte2008.IT.human-rdm.json").read_text())
    np.save(tmp_path / "features.npy", simulate(manifest, tmp_path))
    home = {"CORTISCORE_HOME": str(tmp_path)}
    job = ("score", tmp_path / "features.npy", "-b", manifest["identifier"], "--results", tmp_path / "store")
    plain = run_json(*job, env=home)
    again = run_json(*job, "--over", "neuroid,presentation", env=home)
    assert again == plain and plain["error"]["method"] == "percentile bootstrap over presentation"


@pytest.mark.parametrize("word", ["subject", "split", "images", "neuroid,"])
def test_a_word_that_is_no_axis(word, tmp_path):
    done = run("score", tmp_path / "x.npy", "-b", "Kriegeskorte2008.IT.human-rdm", "--over", word)
    assert done.returncode == 2 and "--over" in done.stderr and "neuroid,presentation" in done.stderr
