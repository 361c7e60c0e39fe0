"""Benchmarks that compare: RDMs of subjects with a layer's, choices of subjects with a classifier's."""
import csv
import json
import subprocess
import sys

import jsonschema
import numpy as np
import pytest
import torch
import xarray as xr
from PIL import Image
from scipy.stats import spearmanr
from sklearn.linear_model import RidgeCV
from sklearn.metrics import cohen_kappa_score

from conftest import ROOT, SHARED, run, run_json, write

sys.path.insert(0, str(ROOT / "python"))
from cortiscore import export

N, SUBJECTS = 24, 3
CATEGORIES = ["bear", "boat", "cat", "dog"]
OUTPUTS = {"bear": [0, 5], "boat": [1], "cat": [2, 3], "dog": [4]}  # of 7 outputs; 6 speaks for nothing


def triangle(matrix):
    return matrix[np.triu_indices(len(matrix), 1)]


def rdm_of(patterns):
    return 1 - np.corrcoef(patterns)


def write_rdms(path, rdms, ids, **changes):
    coords = {"subject": ("subject", [f"s{i}" for i in range(len(rdms))]), "stimulus_id": ("presentation", ids)}
    array = xr.DataArray(rdms, dims=["subject", "presentation", "presentation_other"], coords=coords, name="data")
    changes.get("change", lambda a: a)(array).to_netcdf(path, engine="h5netcdf")


def manifest(identifier, **more):
    return {"schema_version": 1, "identifier": identifier, "kind": "neural", "region": "IT", "stimulus_set": "Lab/stimuli.csv",
            "rdms": "Lab/rdms.nc", "metric": {"name": "rdm"}, "ceiling": {"name": "rsa"},
            "layer_selection": {"method": "alternating_halves", "by": "stimulus_id"}, **more}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """24 stimuli, RDMs of three subjects who share a structure, choices of three subjects among four categories."""
    home = tmp_path_factory.mktemp("home")
    lab = home / "data/Lab"
    lab.mkdir(parents=True)
    (home / "benchmarks").mkdir()
    generator = np.random.default_rng(3)
    ids = [f"image{i:02d}" for i in range(N)]
    for name in ids:
        Image.fromarray(generator.integers(0, 256, (32, 32, 3), np.uint8)).save(lab / f"{name}.png")
    truth = [CATEGORIES[i % 4] for i in range(N)]
    texture = [CATEGORIES[(i // 4) % 4] for i in range(N)]
    write(lab / "stimuli.csv", [{"stimulus_id": i, "filename": f"{i}.png", "shape": t, "texture": x}
                                for i, t, x in zip(ids, truth, texture)])
    latent = generator.normal(size=(N, 6))
    np.save(home / "latent.npy", latent)
    rdms = np.array([rdm_of(np.c_[latent, generator.normal(size=(N, 4))]) for _ in range(SUBJECTS)])
    rdms[:, range(N), range(N)] = 0
    np.save(home / "rdms.npy", rdms)
    shuffled = generator.permutation(N)  # the file's order is not the stimulus set's
    write_rdms(lab / "rdms.nc", rdms[:, shuffled][:, :, shuffled], [ids[i] for i in shuffled])
    write_rdms(lab / "one.nc", rdms[:1], ids)
    choices = [{"subject": f"s{s}", "stimulus_id": i, "truth": t,
                "choice": t if generator.random() < 0.6 else generator.choice([*CATEGORIES, "na"])}
               for s in range(SUBJECTS) for i, t in zip(ids, truth)]
    write(lab / "choices.csv", choices)
    write(lab / "classes.csv", [{"category": c, "index": i} for c, outputs in OUTPUTS.items() for i in outputs])
    behavior = {"kind": "behavior", "region": "behavior", "choices": "Lab/choices.csv",
                "readout": {"name": "imagenet_classes", "classes": "Lab/classes.csv", "n_outputs": 7}}
    plain = {k: v for k, v in manifest("").items() if k not in ("rdms", "ceiling", "layer_selection")}
    for entry in (manifest("Lab.IT-rdm"),
                  manifest("Lab.alone-rdm", rdms="Lab/one.nc", ceiling={"name": "none"}),
                  manifest("Lab.pearson-rdm", metric={"name": "rdm", "distance": "euclidean", "comparison": "pearson"}),
                  {**plain, **behavior, "identifier": "Lab-error_consistency", "metric": {"name": "error_consistency"}},
                  {**plain, **behavior, "identifier": "Lab-shape_bias", "metric": {"name": "shape_bias"}}):
        (home / f"benchmarks/{entry['identifier']}.json").write_text(json.dumps(entry))
    return home


def score(home, what, benchmark, *more):
    return run_json("score", what, "-b", benchmark, *more, "--again", env={"CORTISCORE_HOME": str(home)})


@pytest.fixture(scope="module")
def features(home, tmp_path_factory):
    """Precomputed activations, in the order of the stimulus set."""
    values = np.load(home / "latent.npy") @ np.random.default_rng(8).normal(size=(6, 40))
    values += np.random.default_rng(9).normal(size=values.shape)
    path = tmp_path_factory.mktemp("features") / "features.npy"
    np.save(path, values)
    return path


def test_an_rdm_score_equals_numpy_and_scipy(home, features):
    record = score(home, features, "Lab.IT-rdm")
    mine, theirs = triangle(rdm_of(np.load(features))), [triangle(r) for r in np.load(home / "rdms.npy")]
    raw = [spearmanr(mine, t)[0] for t in theirs]
    upper = [spearmanr(t, np.mean(theirs, 0))[0] for t in theirs]
    np.testing.assert_allclose(record["split_scores"], raw, atol=1e-12)
    np.testing.assert_allclose(record["split_ceilings"], upper, atol=1e-12)
    assert record["raw"]["error"] == pytest.approx(np.std(raw) / np.sqrt(SUBJECTS))
    assert record["score"]["ceiled"] == pytest.approx(np.mean(raw) / np.mean(upper))  # not squared: BENCHMARKS.md 1.0
    assert record["score"]["ceiling_convention"] == "r_over_c"
    assert record["n"] == {"stimuli": N, "subjects": SUBJECTS}


def test_other_distances_and_comparisons(home, features):
    record = score(home, features, "Lab.pearson-rdm")
    x = np.load(features)
    mine = triangle(np.square(x[:, None] - x[None]).mean(-1))
    raw = [np.corrcoef(mine, triangle(r))[0, 1] for r in np.load(home / "rdms.npy")]
    assert record["raw"]["score"] == pytest.approx(np.mean(raw), abs=1e-12)
    assert record["metric"]["params"] == {"comparison": "pearson", "distance": "euclidean"}


def test_intervals_are_those_of_a_bootstrap_over_stimuli(home, features):
    """Loops over other draws of stimuli, pairs of a stimulus with its own copy left out: the same within sampling error."""
    record = score(home, features, "Lab.IT-rdm", "--bootstrap", "4000")
    mine, theirs = rdm_of(np.load(features)), np.load(home / "rdms.npy")
    generator, raws, ratios = np.random.default_rng(0), [], []
    for _ in range(2000):
        rows = generator.integers(0, N, N)
        apart = triangle(rows[:, None] != rows[None, :])
        cut = lambda m: triangle(m[np.ix_(rows, rows)])[apart]
        raw = np.mean([spearmanr(cut(mine), cut(t))[0] for t in theirs])
        raws.append(raw)
        ratios.append(raw / np.mean([spearmanr(cut(t), cut(theirs.mean(0)))[0] for t in theirs]))
    for draws, (lo, hi) in ((raws, (record["raw"]["ci_lo"], record["raw"]["ci_hi"])),
                            (ratios, (record["error"]["ci_lo"], record["error"]["ci_hi"]))):
        width = hi - lo
        np.testing.assert_allclose([lo, hi], np.percentile(draws, [2.5, 97.5]), atol=0.12 * width)
    assert record["error"]["ceiled"] == pytest.approx(np.std(ratios), rel=0.1)


def test_layers_compete_on_one_half_of_the_stimuli(home, tmp_path):
    torch.manual_seed(1)
    layers = [torch.nn.Conv2d(3, 6, 5, stride=3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(600, 20), torch.nn.Linear(20, 7)]
    export(torch.nn.Sequential(*layers).eval(), tmp_path / "tiny.pt2", input_size=32)
    record = score(home, tmp_path / "tiny.pt2", "Lab.IT-rdm", "--choice", "halves", "--from", "all")
    selection = record["layer_selection"]
    assert selection["method"] == "alternating_halves" and selection["candidates"] == ["0", "1", "2", "3", "4"]
    done = run("extract", tmp_path / "tiny.pt2", "--stimuli", home / "data/Lab/stimuli.csv", "-o", tmp_path,
               *[flag for layer in selection["candidates"] for flag in ("--layer", layer)])
    assert done.returncode == 0, done.stderr
    rdms = np.load(home / "rdms.npy")
    halves = [np.arange(0, N, 2), np.arange(1, N, 2)]
    similarity = lambda x, rows: np.mean([spearmanr(triangle(rdm_of(x[rows])), triangle(r[np.ix_(rows, rows)]))[0] for r in rdms])
    raw = []
    for i, (select_on, score_on) in enumerate((halves, halves[::-1])):
        values = [similarity(np.load(tmp_path / f"{layer}.npy").astype(float), select_on) for layer in selection["candidates"]]
        np.testing.assert_allclose(selection["raw_on_selecting_half"][i], values, atol=1e-6)  # float32 activations
        assert selection["chosen"][i] == selection["candidates"][int(np.argmax(values))]
        raw.append(similarity(np.load(tmp_path / f"{selection['chosen'][i]}.npy").astype(float), score_on))
    assert record["raw"]["score"] == pytest.approx(np.mean(raw), abs=1e-6)


def test_data_without_a_ceiling_give_a_raw_score_and_join_no_composite(home, features):
    record = score(home, features, "Lab.alone-rdm")
    expected = spearmanr(triangle(rdm_of(np.load(features))), triangle(np.load(home / "rdms.npy")[0]))[0]
    assert record["raw"]["score"] == pytest.approx(expected, abs=1e-12)
    assert record["score"] == {"raw": record["raw"]["score"], "ceiling": None, "ceiled": None, "ceiling_convention": None}
    assert record["raw"]["ci_lo"] < expected < record["raw"]["ci_hi"] and record["composite"] is False
    shown = run("score", features, "-b", "Lab.alone-rdm", env={"CORTISCORE_HOME": str(home)}).stdout.splitlines()[1]
    assert f"{record['raw']['ci_lo']:.3f} .. {record['raw']['ci_hi']:.3f}" in shown


def logits_of(home, tmp_path):
    path = tmp_path / "logits.npy"
    np.save(path, np.random.default_rng(5).normal(size=(N, 7)) * 3)
    return path, np.load(path)


def decisions(logits):
    """softmax, then the mean over each category's outputs: BENCHMARKS.md 1.7."""
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return np.array(CATEGORIES)[np.argmax([p[:, OUTPUTS[c]].mean(1) for c in CATEGORIES], axis=0)]


def table(home, name):
    with open(home / f"data/Lab/{name}.csv") as file:
        return list(csv.DictReader(file))


def test_decisions_of_a_classifier_equal_scikit_learns_kappa(home, tmp_path):
    path, logits = logits_of(home, tmp_path)
    record = score(home, path, "Lab-error_consistency")
    truth = np.array([row["shape"] for row in table(home, "stimuli")])
    right = decisions(logits) == truth
    rows = table(home, "choices")
    subjects = [np.array([r["choice"] == r["truth"] for r in rows if r["subject"] == f"s{s}"]) for s in range(SUBJECTS)]
    kappas = [cohen_kappa_score(right, s) for s in subjects]
    between = [cohen_kappa_score(a, b) for i, a in enumerate(subjects) for b in subjects[i + 1:]]
    np.testing.assert_allclose(record["split_scores"], kappas, atol=1e-12)
    np.testing.assert_allclose(record["split_ceilings"], between, atol=1e-12)
    assert record["raw"]["score"] == pytest.approx(abs(np.mean(kappas)), abs=1e-12)
    assert record["n"]["accuracy_network"] == pytest.approx(right.mean())
    assert record["layer_selection"] == {"method": "committed", "candidates": ["features"]}  # activations are what was chosen
    assert record["score"]["ceiling_convention"] == "r_over_c_clipped"


def test_shape_bias_equals_counting(home, tmp_path):
    path, logits = logits_of(home, tmp_path)
    record = score(home, path, "Lab-shape_bias")
    stimuli, chosen = table(home, "stimuli"), decisions(logits)
    conflict = [(c, s["shape"], s["texture"]) for c, s in zip(chosen, stimuli) if s["shape"] != s["texture"]]
    shape, texture = (sum(c == cue[i] for c, *cue in conflict) for i in (0, 1))
    assert record["raw"]["score"] == pytest.approx(shape / (shape + texture))
    cues = {s["stimulus_id"]: s for s in stimuli}
    human = [(r["choice"], cues[r["stimulus_id"]]) for r in table(home, "choices")
             if cues[r["stimulus_id"]]["shape"] != cues[r["stimulus_id"]]["texture"]]
    shape, texture = (sum(c == s[cue] for c, s in human) for cue in ("shape", "texture"))
    assert record["n"]["shape_bias_subjects"] == pytest.approx(shape / (shape + texture))
    assert record["raw"]["ci_lo"] <= record["raw"]["score"] <= record["raw"]["ci_hi"]


@pytest.mark.parametrize("benchmark", ["Lab.IT-rdm", "Lab.alone-rdm"])
def test_records_and_manifests_follow_their_schemas(home, features, benchmark):
    schema = lambda name: json.loads((ROOT / f"data_manifests/{name}.schema.json").read_text())
    jsonschema.validate(score(home, features, benchmark), schema("record"))
    jsonschema.validate(json.loads((home / f"benchmarks/{benchmark}.json").read_text()), schema("benchmark"))


def asymmetric(array):
    array = array.copy()
    array[0, 0, 1] += 1
    return array


def with_nan(array):
    array = array.copy()
    array[0, 0, 1] = array[0, 1, 0] = np.nan
    return array


@pytest.mark.parametrize("change, words", [
    (asymmetric, ["symmetry", "both ways"]),
    (with_nan, ["NaN", "every pair"]),
    (lambda a: a.rename(presentation_other="other"), ["dims", "presentation_other"]),
    (lambda a: a.drop_vars("stimulus_id"), ["stimulus_id"]),
    (lambda a: a.assign_coords(stimulus_id=("presentation", [f"x{i}" for i in range(N)])), ["x0", "stimuli.csv"]),
    (lambda a: a.isel(subject=[0]), ["at least 2", '"none"']),
])
def test_bad_rdms_are_named(home, features, tmp_path, change, words):
    ids = [f"image{i:02d}" for i in range(N)]
    write_rdms(tmp_path / "rdms.nc", np.load(home / "rdms.npy"), ids, change=change)
    (tmp_path / "bad.json").write_text(json.dumps(manifest("Lab.bad-rdm", rdms="rdms.nc")))
    done = run("score", features, "-b", tmp_path / "bad.json", env={"CORTISCORE_HOME": str(home)})
    [message] = [line for line in done.stderr.splitlines() if line.startswith("cortiscore:")]
    assert done.returncode == 5 and all(word in message for word in words), done.stderr


@pytest.mark.parametrize("n", [5, 8])
def test_another_number_of_outputs_is_named(home, tmp_path, n):
    """One too many is refused too: a classifier with a background class numbers everything one apart."""
    np.save(tmp_path / "logits.npy", np.zeros((N, n)))
    done = run("score", tmp_path / "logits.npy", "-b", "Lab-error_consistency", env={"CORTISCORE_HOME": str(home)})
    assert done.returncode == 5 and f"{n} features" in done.stderr and "the 7 logits" in done.stderr


@pytest.mark.parametrize("change, word", [({"metric": {"name": "rdm", "comparison": "tau-a"}}, "metric.comparison"),
                                          ({"ceiling": {"name": "internal_consistency"}}, "ceiling.name"),
                                          ({"metric": {"name": "i2n"}}, "metric.name")])
def test_bad_manifests_are_named(home, features, tmp_path, change, word):
    (tmp_path / "bad.json").write_text(json.dumps(manifest("Lab.bad-rdm", **change)))
    done = run("score", features, "-b", tmp_path / "bad.json", env={"CORTISCORE_HOME": str(home)})
    assert done.returncode == 5 and word in done.stderr


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    if not SHARED.is_dir():
        pytest.skip(f"needs the real recordings in {SHARED}, which is not there")
    folder = tmp_path_factory.mktemp("recordings")
    subprocess.run([sys.executable, ROOT / "data_manifests/import_recordings.py", SHARED, "--home", folder, "--only",
                    "Kriegeskorte2008", "Cichy2014", "Geirhos2021"], check=True)
    return folder


def test_real_rdms_are_what_others_found(recordings, tmp_path):
    """Spearman correlations that the data's notes state: monkey with human IT .44, human IT of the two sets .56; the
    lower bounds of Cichy's subjects .45 (IT) and .24 (EVC)."""
    load = lambda name: xr.open_dataset(recordings / f"data/{name}.nc", engine="h5netcdf")["data"].values
    human, monkey, cichy = (load(n) for n in ("Kriegeskorte2008/IT_human", "Kriegeskorte2008/IT_monkey", "Cichy2014/IT"))
    alike = lambda a, b: spearmanr(triangle(a.mean(0)), triangle(b.mean(0)))[0]
    assert alike(monkey, human) == pytest.approx(0.44, abs=0.005)
    assert alike(cichy, human) == pytest.approx(0.56, abs=0.005)
    assert alike(cichy, monkey) == pytest.approx(0.49, abs=0.005)
    for region, expected in (("IT", 0.45), ("EVC", 0.24)):
        np.save(tmp_path / "rdms.npy", load(f"Cichy2014/{region}"))
        found = run_json("ceiling", "leave_one_subject_out", "--trials", tmp_path / "rdms.npy")
        assert found["lower"] == pytest.approx(expected, abs=0.005)


@pytest.mark.parametrize("experiment, published", [("cueconflict", 0.331052), ("edge", 0.318436), ("silhouette", 0.475709)])
def test_real_human_ceilings_are_the_published_ones(recordings, tmp_path, experiment, published):
    n = {"cueconflict": 1280}.get(experiment, 160)
    np.save(tmp_path / "logits.npy", np.random.default_rng(0).normal(size=(n, 1000)))
    record = score(recordings, tmp_path / "logits.npy", f"Geirhos2021{experiment}-error_consistency")
    assert record["score"]["ceiling"] == pytest.approx(published, abs=1e-6)
    assert len(record["split_ceilings"]) == 45
    if experiment == "cueconflict":
        record = score(recordings, tmp_path / "logits.npy", "Geirhos2021cueconflict-shape_bias")
        assert record["n"]["shape_bias_subjects"] == pytest.approx(0.959, abs=5e-4)


def test_a_layer_for_every_region_leaves_a_classifiers_output_alone(home, tmp_path):
    torch.manual_seed(1)
    layers = [torch.nn.Conv2d(3, 6, 5, stride=3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(600, 7)]
    export(torch.nn.Sequential(*layers).eval(), tmp_path / "tiny.pt2", input_size=32)
    for benchmark, layer in (("Lab.IT-rdm", "1"), ("Lab-error_consistency", "3")):
        assert score(home, tmp_path / "tiny.pt2", benchmark, "--layer", "1")["layer"] == layer
    done = run("score", tmp_path / "tiny.pt2", "-b", "Lab-error_consistency", "--layer", "behavior=1", env={"CORTISCORE_HOME": str(home)})
    assert done.returncode == 5 and "the 7 logits" in done.stderr


def lab_with(tmp_path, **manifests):
    """A home with 24 stimuli and benchmarks of the given names, each a manifest."""
    (tmp_path / "data/Lab").mkdir(parents=True)
    (tmp_path / "benchmarks").mkdir()
    ids = [f"image{i:02d}" for i in range(N)]
    for name in ids:
        Image.fromarray(np.full((8, 8, 3), 9, np.uint8)).save(tmp_path / f"data/Lab/{name}.png")
    split = [["train", "train", "test", "neither"][i % 4] for i in range(N)]
    write(tmp_path / "data/Lab/stimuli.csv", [{"stimulus_id": i, "filename": f"{i}.png", "far": s} for i, s in zip(ids, split)])
    for name, entry in manifests.items():
        (tmp_path / f"benchmarks/{name}.json").write_text(json.dumps({**entry, "identifier": name}))
    return ids, split


def scored(tmp_path, features, name, *flags):
    np.save(tmp_path / "features.npy", features)
    return run_json("score", tmp_path / "features.npy", "-b", name, *flags, env={"CORTISCORE_HOME": str(tmp_path)})


def off_diagonal(matrix):
    return matrix[~np.eye(len(matrix), dtype=bool)]


def test_similarities_of_units_that_stand_out(tmp_path):
    """The platform's Coggan2024_fMRI, from similarities whose dims come in another order."""
    coggan = {k: v for k, v in json.loads((ROOT / "data_manifests/benchmarks/tong.Coggan2024_fMRI.V4-rdm.json").read_text()).items()}
    ids, _ = lab_with(tmp_path, mine={**coggan, "stimulus_set": "Lab/stimuli.csv", "rdms": {**coggan["rdms"], "file": "Lab/rsms.nc"}})
    generator = np.random.default_rng(5)
    latent = generator.normal(size=(N, 6))
    rsms = np.array([np.corrcoef(np.c_[latent, 2 * generator.normal(size=(N, 4))]) for _ in range(2 * SUBJECTS)])
    xr.DataArray(rsms.transpose(1, 2, 0), dims=["presentation", "presentation_other", "subject"], name="data", coords={
        "stimulus_id": ("presentation", ids), "region": ("subject", ["V4", "IT"] * SUBJECTS)}).to_netcdf(
            tmp_path / "data/Lab/rsms.nc", engine="h5netcdf")
    features = np.c_[0.3 * np.exp(latent @ generator.normal(size=(6, 5000))), np.full((N, 3), 90.0)].astype(np.float32)  # skewed as a layer
    record = scored(tmp_path, features, "mine")

    x = features.astype(float)
    x = x[:, x.var(0) > 0]
    means = x.mean(0)
    x = x[:, np.abs(means) > 3.1 * means.std()]
    assert 1 < x.shape[1] < 500
    model = off_diagonal(np.corrcoef((x - x.mean(0)) / x.std(0)))
    humans = rsms[::2]
    pearson = lambda a, b: np.corrcoef(a, b)[0, 1]
    raw = np.mean([pearson(model, off_diagonal(h)) for h in humans])
    ceiling = np.mean([pearson(off_diagonal(h), off_diagonal(np.delete(humans, s, 0).mean(0))) for s, h in enumerate(humans)])
    assert record["score"]["raw"] == pytest.approx(raw, abs=1e-10) and record["score"]["ceiling"] == pytest.approx(ceiling, abs=1e-10)
    assert record["score"]["ceiled"] == pytest.approx(min((raw / ceiling) ** 2, 1), abs=1e-10)
    assert record["score"]["ceiling_convention"] == "r_over_c_squared_clipped" and record["error"]["ci_hi"] <= 1
    jsonschema.validate(record, json.loads((ROOT / "data_manifests/record.schema.json").read_text()))
    # None stands out: no score, and it says why.
    record = scored(tmp_path, generator.normal(size=(N, 50)), "mine")
    assert record["score"]["raw"] is None and "stands out" in record["warnings"][0]


def test_one_rdm_of_averaged_subjects(tmp_path):
    """The platform's Bracci2019."""
    bracci = json.loads((ROOT / "data_manifests/benchmarks/Bracci2019.anteriorVTC-rdm.json").read_text())
    ids, _ = lab_with(tmp_path, mine={**bracci, "stimulus_set": "Lab/stimuli.csv",
                                      "assemblies": [{**bracci["assemblies"][0], "file": "Lab/voxels.nc"}]})
    generator = np.random.default_rng(6)
    latent = generator.normal(size=(N, 6))
    voxels = latent @ generator.normal(size=(6, 9)) + generator.normal(size=(4, N, 9)) + 5 * generator.normal(size=(4, 1, 9))
    xr.DataArray(voxels.reshape(-1, 9), dims=["presentation", "neuroid"], name="data", coords={
        "stimulus_id": ("presentation", ids * 4), "subject": ("presentation", np.repeat([3, 5, 7, 8], N)),
        "neuroid_id": ("neuroid", range(9)), "region": ("neuroid", ["anteriorVTC"] * 7 + ["V1"] * 2)}).to_netcdf(
            tmp_path / "data/Lab/voxels.nc", engine="h5netcdf")
    features = latent + generator.normal(size=latent.shape)
    record = scored(tmp_path, features, "mine")
    centred = voxels[:, :, :7] - voxels[:, :, :7].mean(1, keepdims=True)
    alike = lambda a, b: spearmanr(triangle(rdm_of(a)), triangle(rdm_of(b)))[0]
    raw = alike(features, centred.mean(0))
    ceiling = np.mean([alike(centred[s], np.delete(centred, s, 0).mean(0)) for s in range(4)])
    assert record["score"]["raw"] == pytest.approx(raw, abs=1e-10) and record["score"]["ceiling"] == pytest.approx(ceiling, abs=1e-10)
    assert record["score"]["ceiled"] == pytest.approx(raw / ceiling, abs=1e-10) and record["n"]["subjects"] == 4


def cka_of(x, y):
    """Unbiased linear CKA in loops' words: Song et al. 2012, eq. 5."""
    def hsic(k, m):
        n = len(k)
        return (np.trace(k @ m) + k.sum() * m.sum() / ((n - 1) * (n - 2)) - 2 * (k @ m).sum() / (n - 2)) / (n * (n - 3))
    k, m = x @ x.T, y @ y.T
    np.fill_diagonal(k, 0), np.fill_diagonal(m, 0)
    return hsic(k, m) / np.sqrt(hsic(k, k) * hsic(m, m))


def responses_of_subjects(path, ids, generator, latent):
    voxels = [latent @ generator.normal(size=(6, 8)) + generator.normal(size=(N, 8)) for _ in range(SUBJECTS)]
    nc = generator.uniform(20, 80, 8 * SUBJECTS)
    xr.DataArray(np.concatenate(voxels, 1), dims=["presentation", "neuroid"], name="data", coords={
        "stimulus_id": ("presentation", ids), "neuroid_id": ("neuroid", range(8 * SUBJECTS)), "nc_12rep": ("neuroid", nc),
        "subject": ("neuroid", np.repeat(["a", "b", "c"], 8)), "region": ("neuroid", ["IT"] * 8 * SUBJECTS)}).to_netcdf(path, engine="h5netcdf")
    nc = nc.reshape(SUBJECTS, 8)
    return [v[:, c > 30] for v, c in zip(voxels, nc)], [c[c > 30] for c in nc]


def zerbe(name):
    entry = json.loads((ROOT / f"data_manifests/benchmarks/{name}.json").read_text())
    return {**entry, "stimulus_set": "Lab/stimuli.csv", "assemblies": [{**entry["assemblies"][0], "file": "Lab/voxels.nc"}],
            **({"splits": {"kind": "column", "by": "far"}} if "splits" in entry else {})}


def test_kernel_alignment_with_subjects(tmp_path):
    """The platform's Zerbe2026_fmri cka: every subject, and every two of them."""
    ids, _ = lab_with(tmp_path, mine=zerbe("Zerbe2026_fmri.IT-cka"))
    generator = np.random.default_rng(7)
    latent = generator.normal(size=(N, 6))
    voxels, _ = responses_of_subjects(tmp_path / "data/Lab/voxels.nc", ids, generator, latent)
    features = latent + generator.normal(size=latent.shape)
    record = scored(tmp_path, features, "mine")
    raw = np.mean([cka_of(features, v) for v in voxels])
    ceiling = np.mean([cka_of(voxels[i], voxels[j]) for i, j in ((0, 1), (0, 2), (1, 2))])
    assert record["score"]["raw"] == pytest.approx(raw, abs=1e-10) and record["score"]["ceiling"] == pytest.approx(ceiling, abs=1e-10)
    assert record["score"]["ceiled"] == pytest.approx(raw / ceiling, abs=1e-10)
    assert record["error"]["ci_lo"] < record["score"]["ceiled"] < record["error"]["ci_hi"]


@pytest.mark.parametrize("name", ["Zerbe2026_fmri.IT-tau-ridgecv", "Zerbe2026_fmri_persubject.IT-ood-ridgecv"])
def test_a_column_says_what_trains_and_what_tests(name, tmp_path):
    """The platform's Zerbe2026_fmri: scikit-learn's RidgeCV on its split, ceilings from explainable variance."""
    ids, split = lab_with(tmp_path, mine=zerbe(name))
    generator = np.random.default_rng(8)
    latent = generator.normal(size=(N, 6))
    voxels, nc = responses_of_subjects(tmp_path / "data/Lab/voxels.nc", ids, generator, latent)
    features = latent + 0.3 * generator.normal(size=latent.shape)
    train, test = ([i for i in range(N) if split[i] == part] for part in ("train", "test"))
    record = scored(tmp_path, features[train + test], "mine")

    def medians(targets):
        fit = RidgeCV(alphas=10.0 ** np.arange(-10, 11)).fit(features[train], targets[train])
        predicted = fit.predict(features[test])
        return np.median([np.corrcoef(p, t)[0, 1] for p, t in zip(predicted.T, targets[test].T)])

    if "persubject" in name:
        raws, ceilings = [medians(v) for v in voxels], [np.median(np.sqrt(c / 100)) for c in nc]
        raw, ceiled = np.mean(raws), np.mean([r ** 2 / c for r, c in zip(raws, ceilings)])
        assert [p["raw"] for p in record["populations"]] == pytest.approx(raws, abs=1e-9)
    else:
        raw, ceiling = medians(np.concatenate(voxels, 1)), np.median(np.sqrt(np.concatenate(nc) / 100))
        ceiled = raw ** 2 / ceiling
        assert record["score"]["ceiling"] == pytest.approx(ceiling, abs=1e-12)
    assert record["score"]["raw"] == pytest.approx(raw, abs=1e-9) and record["score"]["ceiled"] == pytest.approx(ceiled, abs=1e-9)
    assert record["n"]["stimuli"] == len(train) + len(test)
    # A column that says neither is refused.
    path = tmp_path / "benchmarks/mine.json"
    path.write_text(path.read_text().replace('"by": "far"', '"by": "filename"'))
    failed = run("score", tmp_path / "features.npy", "-b", "mine", env={"CORTISCORE_HOME": str(tmp_path)})
    assert failed.returncode == 5 and '0 times "train"' in failed.stderr
