"""What scores come to where network and recordings have nothing to do with each other: beside NumPy, SciPy and scikit-learn, and the share
of such networks that pass for more."""
import json
import os
import sys

import numpy as np
import pytest
import xarray as xr
from scipy.stats import pearsonr, spearmanr

from conftest import BINARY, ROOT, run
from test_every_benchmark import FOLDER, simulate
from test_intervals import N, predicted, raw_values, shuffles

os.environ.setdefault("CORTISCORE_MODULE_DIR", str(BINARY.parent / "python"))
sys.path.insert(0, str(ROOT / "python"))
sys.path.insert(0, str(ROOT / "bench"))
import cortiscore
import layer_choice as world


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/cortiscore/nulls"


def scored(features, benchmark, **options):
    [record] = cortiscore.score(world.LookupNetwork(features).eval(), benchmark, input_size=4, bootstrap=20, memory_gib=1, **options)
    return record


def random_world(folder, stimuli, generator, n_neuroids=7, n_features=10):
    """Features and trials that know nothing of each other; neuroids share their noise, as recorded ones do."""
    n = len(stimuli.read_text().splitlines()) - 1
    responses = generator.normal(size=(n, 3)) @ generator.normal(size=(3, n_neuroids)) + 0.5 * generator.normal(size=(n, n_neuroids))
    trials = responses + generator.normal(size=(4, n, n_neuroids))
    features = generator.normal(size=(n, n_features)) * np.linspace(3, 0.3, n_features)  # few directions matter, as in a layer
    return np.float32(features), trials, world.write_benchmark(folder, stimuli, trials)


def test_of_a_map_it_is_that_of_features_without_meaning(tmp_path, cache):
    """Mean and spread as of Gaussian features that scikit-learn maps; deviations of 200 draws agree within a fifth."""
    generator = np.random.default_rng(1)
    stimuli = world.numbered_images(tmp_path, N)
    features, trials, benchmark = random_world(tmp_path, stimuli, generator)
    null = scored([features], benchmark, null=200)["null"]
    y = trials.mean(0)
    draws = [np.nanmean(np.nanmedian(raw_values(y, predicted(generator.normal(size=(N, N)), y, shuffles(N)), np.ones(N, int)), 1))
             for _ in range(200)]
    assert null["draws"] == 200 and null["of"] == "maps of random features"
    assert null["sd"] == pytest.approx(np.std(draws, ddof=1), rel=0.2)
    assert null["mean"] == pytest.approx(np.mean(draws), abs=4 * np.std(draws) * (2 / 200) ** 0.5)
    kept = json.loads(next(cache.glob("*.json")).read_text())["draws"]
    assert null["high"] == pytest.approx(np.percentile(kept, 95), rel=1e-12)
    assert null["sd"] == pytest.approx(np.std(kept, ddof=1), rel=1e-12)


def test_of_many_neuroids_it_is_as_that_of_some(tmp_path):
    """Beyond a thousand every second or third is mapped: mean and spread stay within what 100 draws tell."""
    generator = np.random.default_rng(9)
    stimuli = world.numbered_images(tmp_path, N)
    shared, own = generator.normal(size=(N, 3)) @ generator.normal(size=(3, 1500)), generator.normal(size=(N, 1500))
    nulls = []
    for place, kept in (("all", slice(None)), ("some", slice(None, None, 5))):
        folder = tmp_path / place
        folder.mkdir()
        responses = (shared + 0.5 * own)[:, kept]
        trials = responses + generator.normal(size=(2, *responses.shape))
        nulls.append(scored([np.float32(own[:, :20])], world.write_benchmark(folder, stimuli, trials))["null"])
    assert nulls[0]["sd"] == pytest.approx(nulls[1]["sd"], rel=0.3) and abs(nulls[0]["mean"] - nulls[1]["mean"]) < 0.5 * nulls[1]["sd"]


@pytest.mark.slow
def test_one_of_twenty_that_know_nothing_passes_for_more(tmp_path):
    """Worlds in which a network knows nothing, scored by nested choice of two layers: as many pass as 95 % and 100 draws let."""
    generator = np.random.default_rng(3)
    passed = 0
    for i in range(200):
        folder = tmp_path / str(i)
        folder.mkdir()
        stimuli = world.numbered_images(folder, N)
        features, _, benchmark = random_world(folder, stimuli, generator)
        other = np.float32(generator.normal(size=features.shape))
        passed += not scored([features, other], benchmark)["null"]["within"]
    assert 2 <= passed <= 22  # 5 %, of a quantile of 100 draws: 4 standard errors


def test_what_has_to_do_with_the_recordings_is_above(tmp_path):
    generator = np.random.default_rng(2)
    stimuli = world.numbered_images(tmp_path, N)
    latent = generator.normal(size=(N, 4))
    trials = latent @ generator.normal(size=(4, 7)) + generator.normal(size=(4, N, 7))
    record = scored([np.float32(latent)], world.write_benchmark(tmp_path, stimuli, trials))
    assert not record["null"]["within"] and record["null"]["p"] == pytest.approx(1 / 101) and record["null"]["draws"] == 100
    assert not any("null" in w for w in record["warnings"])


def test_it_is_made_once_a_machine(tmp_path, cache):
    generator = np.random.default_rng(4)
    stimuli = world.numbered_images(tmp_path, N)
    features, _, benchmark = random_world(tmp_path, stimuli, generator)
    first = scored([features], benchmark)
    [path] = cache.glob("*.json")
    kept = json.loads(path.read_text())
    path.write_text(json.dumps({**kept, "draws": [draw + 0.5 for draw in kept["draws"]]}))
    second = scored([features], benchmark)
    assert second["null"]["mean"] == pytest.approx(first["null"]["mean"] + 0.5) and second["null"]["within"]
    assert second["key"] == first["key"] and second["score"] == first["score"]
    draws = kept["draws"]
    wrong = [draws[:3], draws * 2, [], ["x"] * 100, [True] * 100, [1e308] * 100, {"a": 1}]
    for text in ("{", "", "[1]", *(json.dumps({**kept, "draws": one}) for one in wrong), json.dumps({**kept, "key": "0" * 64})):
        path.write_text(text)  # cut off, or not what was kept: made anew
        assert scored([features], benchmark)["null"] == first["null"] and json.loads(path.read_text()) == kept, text[:50]
    path.unlink()
    path.mkdir()
    assert scored([features], benchmark)["null"] == first["null"]
    path.rmdir()
    os.mkfifo(path)
    assert scored([features], benchmark)["null"] == first["null"]
    assert "null" not in scored([features], benchmark, null=0)
    assert scored([features], benchmark, null=50)["null"]["draws"] == 50 and len(list(cache.glob("*.json"))) == 2


def rdms_world(folder, comparison="spearman", n=20, n_subjects=4):
    """Subjects' RDMs of a shared structure, and features of two layers that share some of it: (benchmark, features, RDMs)."""
    generator = np.random.default_rng(5)
    stimuli = world.numbered_images(folder, n)
    latent = generator.normal(size=(n, 5))
    rdms = np.array([1 - np.corrcoef(latent @ generator.normal(size=(5, 8)) + generator.normal(size=(n, 8))) for _ in range(n_subjects)])
    rdms[:, range(n), range(n)] = 0
    names = [f"image{i:03d}" for i in range(n)]
    xr.DataArray(rdms, dims=["subject", "presentation", "presentation_other"], name="data",
                 coords={"stimulus_id": ("presentation", names)}).to_netcdf(folder / "rdms.nc", engine="h5netcdf")
    manifest = json.loads((FOLDER / "Kriegeskorte2008.IT.human-rdm.json").read_text())
    manifest |= {"identifier": "Null.IT-rdm", "stimulus_set": str(stimuli), "rdms": str(folder / "rdms.nc"), "composite": False,
                 "metric": {"name": "rdm", "distance": "correlation", "comparison": comparison}}
    if n_subjects == 1:
        manifest["ceiling"] = {"name": "none"}
    (folder / "rdm.json").write_text(json.dumps(manifest))
    features = [np.float32(latent @ generator.normal(size=(5, 12)) + noise * generator.normal(size=(n, 12))) for noise in (2, 3)]
    return folder / "rdm.json", features, rdms


SIMILARITY = {"spearman": lambda a, b: spearmanr(a, b)[0], "pearson": lambda a, b: pearsonr(a, b)[0],
              "cosine": lambda a, b: a @ b / np.sqrt(a @ a * (b @ b))}


@pytest.mark.parametrize("comparison", SIMILARITY)
@pytest.mark.parametrize("choice", ["committed", "nested"])
def test_of_rdms_it_is_the_network_s_own_in_other_orders(tmp_path, comparison, choice):
    """The test of Nili et al. 2014 in NumPy, the choice of layers made anew in every order: what it gains by luck is in the null."""
    benchmark, features, rdms = rdms_world(tmp_path, comparison)
    options = {"layers": "layers.0"} if choice == "committed" else {}
    null = scored(features, benchmark, null=20, **options)["null"]
    n = len(rdms[0])
    upper = np.triu_indices(n, 1)
    layers = [1 - np.corrcoef(one.astype(float)) for one in features[:1 if choice == "committed" else 2]]
    random, draws = np.random.default_rng(0), []
    for _ in range(40):
        order = random.permutation(n)
        own = np.array([[SIMILARITY[comparison](layer[np.ix_(order, order)][upper], subject[upper]) for subject in rdms] for layer in layers])
        others = [np.delete(own, s, axis=1).mean(1).argmax() for s in range(len(rdms))]
        draws.append(np.mean([own[layer, s] for s, layer in enumerate(others)]))
    assert null["draws"] == len(draws) and null["of"] == "orders of the stimuli"
    np.testing.assert_allclose([null["mean"], null["sd"], null["high"]], [np.mean(draws), np.std(draws, ddof=1), np.percentile(draws, 95)],
                               rtol=1e-9, atol=1e-12)


def test_of_rdms_halves_are_drawn_apart(tmp_path):
    """One subject: layers compete on halves. Each half has orders of its own, and a half without a value is left out, as in the score."""
    benchmark, features, rdms = rdms_world(tmp_path, n_subjects=1)
    record = scored(features, benchmark, null=20)
    null, n = record["null"], len(rdms[0])
    assert record["layer_selection"]["method"] == "alternating_halves"
    upper, halves = np.triu_indices(n // 2, 1), []
    for rows, layer, seed in zip([np.arange(1, n, 2), np.arange(0, n, 2)], record["layer_selection"]["chosen"], [0, 1], strict=True):
        own = 1 - np.corrcoef(features[int(layer.removeprefix("layers."))].astype(float)[rows])
        random, subject = np.random.default_rng(seed), rdms[0][np.ix_(rows, rows)][upper]
        orders = [random.permutation(n // 2) for _ in range(40)]
        halves.append([spearmanr(own[np.ix_(order, order)][upper], subject)[0] for order in orders])
    np.testing.assert_allclose([null["mean"], null["sd"]], [np.mean(np.mean(halves, 0)), np.std(np.mean(halves, 0), ddof=1)], rtol=1e-9)
    assert null["within"] == (null["p"] > 0.05)
    flat = [one.copy() for one in features]
    for one in flat:
        one[0] = 0  # in the even half a stimulus has one and the same activation everywhere
    record = scored(flat, benchmark, null=20)
    assert record["score"]["raw"] is not None and record["null"]["draws"] == 40


@pytest.mark.slow
def test_halves_of_an_odd_number_have_as_many(tmp_path):
    """A thousand million pairs are drawn at most, so the smaller half could be drawn more often."""
    benchmark, features, _ = rdms_world(tmp_path, "pearson", n=121, n_subjects=1)
    null = scored(features, benchmark, null=300_000)["null"]
    assert abs(null["mean"]) < 0.05 and 0.01 < null["sd"] < 0.3
    assert null["draws"] == 10**9 // (61 * 60 // 2)


def test_of_more_components_than_features_that_count(tmp_path):
    """A feature a component there is, however many."""
    generator = np.random.default_rng(11)
    stimuli = world.numbered_images(tmp_path, 700)
    trials = generator.normal(size=(2, 700, 3))
    benchmark = world.write_benchmark(tmp_path, stimuli, trials, metric={"name": "pls", "n_components": 520},
                                      splits={"kind": "shuffle", "n_splits": 1, "train_fraction": 0.9, "seed": 1})
    assert scored([np.float32(generator.normal(size=(700, 530)))], benchmark, null=19)["null"]["draws"] == 19


def test_scores_within_it_are_marked(tmp_path):
    """In the tables, in warnings, in the ranking, with the number that says how much luck gives."""
    generator = np.random.default_rng(6)
    manifest = json.loads((FOLDER / "Cowley2023.V4-pls.json").read_text())
    np.save(tmp_path / "good.npy", simulate(manifest, tmp_path))
    np.save(tmp_path / "luck.npy", generator.normal(size=np.load(tmp_path / "good.npy").shape))
    home = {"CORTISCORE_HOME": str(tmp_path)}
    job = ("-b", manifest["identifier"], "--results", tmp_path / "store")
    shown = run("score", tmp_path / "luck.npy", *job, env=home)
    record = json.loads(run("results", "show", "--results", tmp_path / "store", "--json").stdout)
    assert record["null"]["within"], "the test is of a score that luck gives"
    reached = round(record["null"]["p"] * 101) - 1
    warning = f"the raw score is within its null (~): {reached} of 100 maps of random features reach it"
    assert warning in record["warnings"] and f"warning: {warning}" in shown.stderr
    mark = f"{record['score']['raw']:.3f}~"
    assert mark in shown.stdout
    assert run("score", tmp_path / "good.npy", *job, env=home).returncode == 0
    table = run("results", "show", "--results", tmp_path / "store")
    assert mark in table.stdout and table.stdout.count("~") == 1 and "~: luck reaches the raw score in more than one draw of twenty" in table.stderr
    ranked = run("rank", "--columns", "benchmarks", "--results", tmp_path / "store")
    assert ranked.stdout.count("~") == 1 and "the score of \"luck\" on Cowley2023.V4-pls is reached by luck" in ranked.stderr
    said = run("rank", "--json", "--results", tmp_path / "store").stdout.splitlines()
    lines = {line["model_identifier"]: line["within_null"] for line in map(json.loads, said)}
    assert lines == {"good": [], "luck": [manifest["identifier"]]}


def test_a_training_does_not_wait_for_it(tmp_path, cache):
    """A probe says what is kept, and makes none."""
    generator = np.random.default_rng(7)
    stimuli = world.numbered_images(tmp_path, N)
    features, _, benchmark = random_world(tmp_path, stimuli, generator)
    network = world.LookupNetwork([features]).eval()
    probe = lambda: cortiscore.Probe(str(benchmark), layers="layers.0", every=1, input_size=4, bootstrap=20, memory_gib=1)
    [record] = probe().step(0, network).records
    assert "null" not in record and not cache.exists()
    whole = scored([features], benchmark, layers="layers.0")
    [record] = probe().step(0, network).records
    assert record["null"] == whole["null"] and record["score"] == whole["score"]
    rdms, of_layers, _ = rdms_world(tmp_path)
    of_rdms = world.LookupNetwork(of_layers).eval()
    [record] = cortiscore.Probe(str(rdms), layers="layers.0", every=1, input_size=4, bootstrap=20, memory_gib=1).step(0, of_rdms).records
    assert "null" not in record and record["score"]["raw"] == scored(of_layers, rdms, layers="layers.0")["score"]["raw"]
    with pytest.raises(ValueError, match="null: found 5, expected nothing"):
        cortiscore.Probe(str(rdms), layers="layers.0", every=1, input_size=4, null=5)


@pytest.mark.parametrize("value", ["-1", "1", "18", "x", "1e9"])
def test_draws_that_are_none(value):
    done = run("score", "x.npy", "-b", "Cowley2023.V4-pls", "--null", value)
    assert done.returncode == 2 and "--null" in done.stderr
