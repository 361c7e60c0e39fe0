"""Benchmarks of the platform's other kinds, held to scikit-learn, SciPy and NumPy: fixed train and test stimuli with subjects
mapped apart, RDMs of responses, stored ceilings, choices in behavioural assemblies, and i2n through the whole path."""
import csv
import itertools
import json
import sys

import numpy as np
import pytest
import torch
import xarray as xr
from PIL import Image
from scipy.stats import spearmanr
from sklearn.cross_decomposition import PLSRegression
from sklearn.linear_model import LogisticRegression, Ridge, RidgeCV
from sklearn.model_selection import KFold, ShuffleSplit, StratifiedShuffleSplit
from sklearn.preprocessing import StandardScaler

from conftest import ROOT, run, run_json, write
from test_behavior import correlate, kappa, pattern, scores_of_halves

sys.path.insert(0, str(ROOT / "python"))
from cortiscore import export

N_TRAIN, N_TEST, N_NEUROIDS, REPETITIONS = 70, 40, 6, 5
SUBJECTS = ["3", "7", "10"]


def manifest_of(identifier):
    return json.loads((ROOT / f"data_manifests/benchmarks/{identifier}.json").read_text())


def columns_r(a, b):
    return np.array([np.corrcoef(x, y)[0, 1] for x, y in zip(a.T, b.T)])


def ceiling_splits(trials):
    """[split, neuroid] of trials [repetition, stimulus, neuroid]: BENCHMARKS.md 2.4."""
    halves = ShuffleSplit(10, train_size=0.5, random_state=1).split(np.arange(len(trials)))
    r = np.array([columns_r(trials[a].mean(0), trials[b].mean(0)) for a, b in halves])
    return 2 * r / (1 + r)


def stimuli_of(path, ids, size=12, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    write(path, [{"stimulus_id": i, "filename": f"{i}.png", "image_label": f"object{k % 5}"} for k, i in enumerate(ids)])
    images = random.integers(0, 256, (len(ids), size, size, 3), dtype=np.uint8)
    # Means that differ from image to image, so that a pooled layer has something to say.
    images = (0.3 * images + 0.7 * np.kron(random.integers(0, 256, (len(ids), 3, 3, 3)), np.ones((1, size // 3, size // 3, 1)))).astype(np.uint8)
    for i, image in zip(ids, images):
        Image.fromarray(image).save(path.parent / f"{i}.png")
    return images


@pytest.fixture(scope="module")
def two_sets(tmp_path_factory):
    """A home with responses of three subjects to train and test stimuli, some neuroids unreliable; the arrays that went in."""
    home = tmp_path_factory.mktemp("home")
    folder = home / "data/brainio"
    random = np.random.default_rng(1)
    train, test = [f"a{i:03d}" for i in range(N_TRAIN)], [f"b{i:03d}" for i in range(N_TEST)]
    latent = random.normal(size=(N_TRAIN + N_TEST, 25))
    m = 2 * N_NEUROIDS * len(SUBJECTS)
    subject = np.repeat([float(s) for s in SUBJECTS], 2 * N_NEUROIDS)
    nc = np.tile([31.0] * N_NEUROIDS + [30.0] * N_NEUROIDS, len(SUBJECTS))  # above means above
    signal = latent @ random.normal(size=(25, m)) + random.normal(size=(N_TRAIN + N_TEST, m))
    trained = signal[:N_TRAIN] + random.normal(size=(N_TRAIN, m))
    tested = signal[None, N_TRAIN:] + 2 * random.normal(size=(REPETITIONS, N_TEST, m))
    place = random.permutation(m)  # the train file has its neuroids in another order
    names = np.array([f"v{i}" for i in range(m)])
    region = np.array(["IT"] * m)
    for name, ids, values, order in (("train", train, trained[None], place), ("test", test, tested, np.arange(m))):
        stimuli_of(folder / f"stimulus_THINGS_fMRI_{name}_Stimuli.csv", ids, seed=len(name))
        xr.DataArray(values[..., order].reshape(-1, m), dims=["presentation", "neuroid"], coords={
            "stimulus_id": ("presentation", ids * len(values)), "repetition": ("presentation", np.repeat(range(len(values)), len(ids))),
            "neuroid_id": ("neuroid", names[order]), "subject": ("neuroid", subject[order]), "region": ("neuroid", region[order]),
            "nc_testset": ("neuroid", nc[order])}).to_netcdf(folder / f"assy_THINGS_fMRI_{name}_Assembly.nc", engine="h5netcdf")
    features = latent + 0.4 * random.normal(size=latent.shape)
    np.save(home / "features.npy", features)
    good = nc > 30
    return home, features, trained, tested, {s: good & (subject == float(s)) for s in SUBJECTS}


@pytest.mark.parametrize("metric", ["ridge", "ridgecv"])
def test_subjects_are_mapped_apart(metric, two_sets):
    home, features, trained, tested, of_subject = two_sets
    record = run_json("score", home / "features.npy", "-b", f"Hebart2023_fmri.IT-{metric}", env={"CORTISCORE_HOME": str(home)})
    raw, ceilings, pooled = {}, {}, []
    for s, columns in of_subject.items():
        model = Ridge(alpha=1) if metric == "ridge" else RidgeCV(alphas=run_alphas())
        predicted = model.fit(features[:N_TRAIN], trained[:, columns]).predict(features[N_TRAIN:])
        raw[s] = np.median(columns_r(predicted, tested[..., columns].mean(0)))
        each = ceiling_splits(tested[..., columns])
        ceilings[s] = np.median(each, 1).mean()
        pooled.append(each)
    score = record["score"]
    assert score["raw"] == pytest.approx(np.mean(list(raw.values())), rel=1e-10)
    assert score["ceiled"] == pytest.approx(np.mean([raw[s] ** 2 / ceilings[s] for s in SUBJECTS]), rel=1e-10)
    assert score["ceiling"] == pytest.approx(np.median(np.concatenate(pooled, 1), 1).mean(), rel=1e-10)
    assert {p["identifier"]: p["raw"] for p in record["populations"]} == pytest.approx(
        {f"subject {s}": raw[s] for s in SUBJECTS}, rel=1e-10)
    assert record["n"]["stimuli"] == N_TRAIN + N_TEST and record["n"]["neuroids"] == N_NEUROIDS * len(SUBJECTS)
    assert record["raw"]["error"] > 0 and record["error"]["ci_lo"] < score["ceiled"] < record["error"]["ci_hi"]


def run_alphas():
    listed = run_json("benchmark", "info", "Hebart2023_fmri.IT-ridgecv")["alphas"]
    assert len(listed) == 99 and listed[0] == 0.01 and listed[-1] == 1e7
    return listed


def test_the_bootstrap_draws_neuroids_of_each_subject(two_sets):
    """The spread of the mean over subjects, against draws of NumPy's own generator."""
    home, features, trained, tested, of_subject = two_sets
    record = run_json("score", home / "features.npy", "-b", "Hebart2023_fmri.IT-ridge", env={"CORTISCORE_HOME": str(home)})
    random = np.random.default_rng(0)
    draws = []
    for columns in of_subject.values():
        predicted = Ridge(alpha=1).fit(features[:N_TRAIN], trained[:, columns]).predict(features[N_TRAIN:])
        r, c = columns_r(predicted, tested[..., columns].mean(0)), ceiling_splits(tested[..., columns])
        pick = random.integers(N_NEUROIDS, size=(4000, N_NEUROIDS))
        draws.append(np.stack([np.median(r[pick], 1), np.median(r[pick], 1) ** 2 / np.median(c[:, pick], 2).mean(0)]))
    raw, ceiled = np.mean(draws, 0)
    assert record["raw"]["error"] == pytest.approx(raw.std(ddof=1), rel=0.1)
    assert record["error"]["ceiled"] == pytest.approx(ceiled.std(ddof=1), rel=0.1)


class Small(torch.nn.Module):
    """Means of nine patches, and a mixture of them."""

    def __init__(self):
        super().__init__()
        self.pool = torch.nn.AvgPool2d(4)
        self.flat = torch.nn.Flatten()
        self.mix = torch.nn.Linear(27, 8)
        self.head = torch.nn.Linear(8, 5)

    def forward(self, x):
        return self.head(torch.relu(self.mix(self.flat(self.pool(x)))))


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    path = tmp_path_factory.mktemp("net") / "small.pt2"
    torch.manual_seed(0)
    model = Small().eval()
    export(model, path, input_size=12)
    return path, model


def layer_values(model, images):
    with torch.no_grad():
        x = torch.from_numpy(images.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255))
        flat = model.flat(model.pool(x))
        return {"flat": flat.numpy().astype(float), "mix": model.mix(flat).numpy().astype(float)}


def test_layers_compete_on_halves_of_the_test_stimuli(two_sets, small, tmp_path):
    """All train stimuli train both halves; a layer is scored on the half that did not choose it."""
    home, _, trained, tested, of_subject = two_sets
    path, model = small
    # At 8 degrees the images fill the screen as they are.
    (tmp_path / "own.json").write_text(json.dumps({**manifest_of("Hebart2023_fmri.IT-ridge"), "visual_degrees": 8}))
    flags = ["score", path, "-b", tmp_path / "own.json", "--from", "all"]
    record = run_json(*flags, "--choice", "halves", env={"CORTISCORE_HOME": str(home)})
    load = lambda name: np.stack([np.asarray(Image.open(p)) for p in sorted((home / "data/brainio").glob(f"{name}*.png"))])
    train, test = layer_values(model, load("a")), layer_values(model, load("b"))
    even = np.arange(N_TEST) % 2 == 0

    def raw(layer, half):
        values = []
        for columns in of_subject.values():
            predicted = Ridge(alpha=1).fit(train[layer], trained[:, columns]).predict(test[layer][half])
            values.append(np.median(columns_r(predicted, tested[:, half][..., columns].mean(0))))
        return np.mean(values)

    selection = record["layer_selection"]
    for half, values in zip((even, ~even), selection["raw_on_selecting_half"]):
        for layer, value in zip(selection["candidates"], values):
            if layer in ("flat", "mix", "pool"):
                assert value == pytest.approx(raw("flat" if layer == "pool" else layer, half), abs=1e-6)
    # Chosen within what is trained on, a layer is scored on all test stimuli; the mapping is fitted once more on all train ones.
    nested = run_json(*flags, env={"CORTISCORE_HOME": str(home)})

    def inner(layer):
        values = []
        for fit, look in KFold(5, shuffle=True, random_state=1).split(trained):
            values.append(np.mean([np.median(columns_r(Ridge(alpha=1).fit(train[layer][fit], trained[fit][:, columns]).predict(
                train[layer][look]), trained[look][:, columns])) for columns in of_subject.values()]))
        return np.mean(values)

    selection = nested["layer_selection"]
    [values] = selection["raw_where_chosen"]
    for layer, value in zip(selection["candidates"], values):
        if layer in ("flat", "mix", "pool"):
            assert value == pytest.approx(inner("flat" if layer == "pool" else layer), abs=1e-6)
    assert selection["chosen"] == [nested["layer"]] == [selection["candidates"][int(np.argmax(values))]]
    if nested["layer"] in ("flat", "mix", "pool"):
        assert nested["raw"]["score"] == pytest.approx(raw("flat" if nested["layer"] == "pool" else nested["layer"], slice(None)), abs=1e-6)


def test_train_and_test_that_do_not_fit(two_sets, tmp_path):
    home, *_ = two_sets
    good = manifest_of("Hebart2023_fmri.IT-ridge")
    entry = good["assemblies"][0]
    absent = {**entry}
    del absent["train_file"]
    for change, words in (({"train_stimulus_set": good["stimulus_set"], "assemblies": [{**entry, "train_file": entry["file"]}]},
                           ["trained on as well", "40"]),
                          ({"assemblies": [absent]}, ["train_file", "train_stimulus_set"]),
                          ({"assemblies": [{**entry, "above": {"nc_testset": 99}}]}, ["nc_testset", "above 99"]),
                          ({"assemblies": [{**entry, "above": {"region": 1}}]}, ["region", "text"]),
                          ({"assemblies": [{**entry, "each": "animal"}]}, ["animal", "subject"]),
                          ({"ceiling": {"name": "stored", "coordinate": "region"}}, ["region", "text"])):
        (tmp_path / "own.json").write_text(json.dumps({**good, **change}))
        done = run("score", home / "features.npy", "-b", tmp_path / "own.json", env={"CORTISCORE_HOME": str(home)})
        assert done.returncode in (3, 5) and all(w in done.stderr for w in words), (words, done.stderr)


def test_rdms_of_responses(two_sets, tmp_path):
    """Every subject's RDM of averaged responses to train and test stimuli; Spearman, mean, over the upper bound."""
    home, features, trained, tested, of_subject = two_sets
    manifest = {**manifest_of("Allen2022_fmri.IT-rdm"), "identifier": "Own-rdm"}
    for key in ("stimulus_set", "train_stimulus_set", "assemblies"):
        manifest[key] = manifest_of("Hebart2023_fmri.IT-ridge")[key]
    (tmp_path / "own.json").write_text(json.dumps(manifest))
    record = run_json("score", home / "features.npy", "-b", tmp_path / "own.json", env={"CORTISCORE_HOME": str(home)})
    upper = np.triu_indices(N_TRAIN + N_TEST, 1)
    rdm = lambda rows: (1 - np.corrcoef(rows))[upper]
    subjects = [rdm(np.concatenate([trained[:, c], tested[..., c].mean(0)])) for c in of_subject.values()]
    raw = np.mean([spearmanr(rdm(features), s)[0] for s in subjects])
    assert record["score"]["raw"] == pytest.approx(raw, rel=1e-9) and record["n"]["subjects"] == len(SUBJECTS)
    assert record["score"]["ceiled"] == pytest.approx(raw / record["score"]["ceiling"], rel=1e-9)
    assert record["score"]["ceiling"] == pytest.approx(np.mean([spearmanr(s, np.mean(subjects, 0))[0] for s in subjects]), rel=1e-9)


def test_a_stored_ceiling(two_sets, tmp_path):
    """The median over neuroids of a coordinate, its error the bootstrap's."""
    home, *_ = two_sets
    manifest = {**manifest_of("Hebart2023_fmri.IT-ridge"), "ceiling": {"name": "stored", "coordinate": "nc_testset"}, "populations": "pool"}
    (tmp_path / "own.json").write_text(json.dumps(manifest))
    record = run_json("score", home / "features.npy", "-b", tmp_path / "own.json", env={"CORTISCORE_HOME": str(home)})
    assert record["score"]["ceiling"] == 31 and record["ceiling"]["error"] == 0 and record["raw"]["error"] > 0
    assert record["score"]["ceiled"] == pytest.approx(record["score"]["raw"] ** 2 / 31)


# --- behaviour ---------------------------------------------------------------------------------------------------------


def behavioral_assembly(path, rows, id_name="stimulus_id"):
    """As BrainIO writes one: the choices are the values."""
    coords = {id_name if k == "stimulus_id" else k: ("presentation", [r[k] for r in rows]) for k in rows[0] if k != "choice"}
    path.parent.mkdir(parents=True, exist_ok=True)
    xr.DataArray(np.array([r["choice"] for r in rows], dtype=object), dims=["presentation"], coords=coords).to_netcdf(path, engine="h5netcdf")


@pytest.mark.parametrize("id_name", ["stimulus_id", "image_id"])
def test_conditions_missing_trials_and_excluded_ones(id_name, tmp_path):
    """Kappa per subject and condition, conditions averaged first; what the manifest excludes does not count."""
    random = np.random.default_rng(0)
    categories = json.loads((ROOT / "data_manifests/imagenet_16_classes.json").read_text())["categories"]
    names = sorted(categories)
    ids = [f"s{i:03d}" for i in range(120)]
    truth = [names[i % 16] for i in range(120)]
    condition = [["0.5", "1.5", "0.0"][i % 3] for i in range(120)]
    hard = random.random(120) < 0.4
    rows = [{"subject": f"subject-{s}", "stimulus_id": i, "truth": t, "condition": c,
             "choice": names[random.integers(16)] if h and random.random() < 0.9 else t}
            for s in range(4) for i, t, c, h in zip(ids, truth, condition, hard) if random.random() < 0.9]
    rows[0]["choice"] = "na"
    manifest = {**manifest_of("Geirhos2021uniformnoise-error_consistency"), "exclude": {"condition": ["0"]}}
    manifest["readout"] = {**manifest["readout"], "classes": str(ROOT / "data_manifests/imagenet_16_classes.json")}
    home = tmp_path / "home"
    stimuli_of(home / "data" / manifest["stimulus_set"], ids)
    behavioral_assembly(home / "data" / manifest["choices"], rows, id_name)
    outputs = random.normal(size=(80, 1000))
    kept = [i for i in range(120) if condition[i] != "0.0"]
    right = {}
    for row, i in enumerate(kept):
        guess = names[(i + (random.random() < 0.4)) % 16]
        outputs[row, categories[guess]] += 7
        right[ids[i]] = guess == truth[i]
    np.save(tmp_path / "outputs.npy", outputs)
    manifest["identifier"] = "Own-error_consistency"
    (home / "benchmarks").mkdir()
    (home / "benchmarks/own.json").write_text(json.dumps(manifest))
    record = run_json("score", tmp_path / "outputs.npy", "-b", manifest["identifier"], env={"CORTISCORE_HOME": str(home)})
    rows = [r for r in rows if r["condition"] != "0.0"]
    of = {s: {r["stimulus_id"]: r["choice"] == r["truth"] for r in rows if r["subject"] == s} for s in sorted({r["subject"] for r in rows})}

    def agreement(a, b):
        both = [[i for i in ids if i in a and i in b and condition[ids.index(i)] == c] for c in ("0.5", "1.5")]
        return np.mean([kappa([a[i] for i in part], [b[i] for i in part]) for part in both])

    raw = abs(np.mean([agreement(right, s) for s in of.values()]))
    ceiling = abs(np.mean([agreement(of[a], of[b]) for a, b in itertools.combinations(of, 2)]))
    assert record["score"]["raw"] == pytest.approx(raw, rel=1e-12) and record["score"]["ceiling"] == pytest.approx(ceiling, rel=1e-12)
    assert record["score"]["ceiled"] == pytest.approx(np.clip(raw / ceiling, 0, 1), rel=1e-12)
    assert record["n"]["stimuli"] == 80 and record["n"]["conditions"] == 2 and record["n"]["subjects"] == 4
    # The same file serves the metric and its ceiling.
    ours = run_json("ceiling", "error_consistency", "--trials", home / "data" / manifest["choices"], "--bootstrap", 0)
    assert 0 < ours["ceiling"] < 1
    manifest["incomplete_choices"] = "refuse"
    (home / "benchmarks/own.json").write_text(json.dumps(manifest))
    done = run("score", tmp_path / "outputs.npy", "-b", manifest["identifier"], env={"CORTISCORE_HOME": str(home)})
    assert done.returncode in (3, 5) and "incomplete_choices" in done.stderr, done.stderr


N_OBJECTS, N_FIT, N_SHOWN, N_TRIALS = 5, 150, 60, 40000


@pytest.fixture(scope="module")
def observers(tmp_path_factory, small):
    """Simulated observers of known consistency: on every image they take the distractor as often as a logistic readout of
    `flat`, fitted by scikit-learn, does. Their choices are a behavioural assembly with two stimulus sets."""
    home = tmp_path_factory.mktemp("home")
    manifest = manifest_of("Rajalingham2018-i2n")
    manifest["readout"]["C"] = 1.0  # of 150 images, not 2160
    fit_ids, test_ids = [f"f{i:03d}" for i in range(N_FIT)], [f"t{i:03d}" for i in range(N_SHOWN)]
    fit_images = stimuli_of(home / "data" / manifest["readout"]["fit_stimulus_set"], fit_ids, seed=2)
    images = stimuli_of(home / "data" / manifest["stimulus_set"], test_ids, seed=3)
    truth = np.arange(N_SHOWN) % N_OBJECTS
    labels = np.arange(N_FIT) % N_OBJECTS
    # Objects differ in the colour of a patch, so that there is something to read out.
    for group, kinds, ids, stem in ((fit_images, labels, fit_ids, manifest["readout"]["fit_stimulus_set"]),
                                    (images, truth, test_ids, manifest["stimulus_set"])):
        for image, kind, name in zip(group, kinds, ids):
            image[:4, :4] = (image[:4, :4] * 0.6 + [40 * kind, 90 - 20 * kind, 20 * kind]).astype(np.uint8)
            image[4:8, 4:8, kind % 3] = image[4:8, 4:8, kind % 3] // 2 + 25 * kind
            Image.fromarray(image).save((home / "data" / stem).parent / f"{name}.png")
    _, model = small
    p = {}
    for layer in ("flat", "mix"):
        train, test = layer_values(model, fit_images)[layer], layer_values(model, images)[layer]
        scaler = StandardScaler().fit(train)
        readout = LogisticRegression(C=1.0, solver="newton-cg", tol=1e-12, max_iter=1000).fit(scaler.transform(train), labels)
        probabilities = readout.predict_proba(scaler.transform(test))
        own = np.arange(N_SHOWN), truth
        p[layer] = probabilities / (probabilities + probabilities[own][:, None])
        p[layer][own] = np.nan
    random = np.random.default_rng(4)
    trials = []
    for _ in range(N_TRIALS):
        image = int(random.integers(N_SHOWN))
        distractor = int((truth[image] + random.integers(1, N_OBJECTS)) % N_OBJECTS)
        wrong = random.random() < p["flat"][image, distractor]
        trials.append((image, distractor if wrong else int(truth[image]), int(truth[image]), distractor))
    behavioral_assembly(home / "data" / manifest["choices"], [
        {"stimulus_id": test_ids[i], "choice": f"object{c}", "truth": f"object{s}", "sample_obj": f"object{s}", "dist_obj": f"object{d}",
         "subject": f"worker{k % 7}"} for k, (i, c, s, d) in enumerate(trials)])
    manifest["identifier"] = "Own-i2n"
    (home / "benchmarks").mkdir()
    (home / "benchmarks/own.json").write_text(json.dumps(manifest))
    return home, truth, p, trials


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("layer", ["flat", "mix"])
def test_i2n_through_the_whole_path(layer, observers, small):
    """Images, network, readout, confusions: what scikit-learn and loops over BENCHMARKS.md 2.7 give; and the ceiled score is
    the correlation of the network's pattern with the observers' true one, which is known."""
    home, truth, p, trials = observers
    record = run_json("score", small[0], "-b", "Own-i2n", "--layer", layer, env={"CORTISCORE_HOME": str(home)})
    source = pattern("i2n", p[layer], truth)
    raw, ceilings = scores_of_halves("i2n", source, trials, truth)
    score = record["score"]
    assert score["raw"] == pytest.approx(np.mean(raw), abs=1e-6) and record["raw"]["error"] == pytest.approx(np.std(raw), abs=1e-6)
    assert score["ceiling"] == pytest.approx(np.mean(ceilings), rel=1e-12)
    assert score["ceiled"] == pytest.approx(np.mean(np.array(raw) / np.sqrt(ceilings)), abs=1e-6)
    assert score["ceiling_convention"] == "raw_over_sqrt_ceiling"
    known = correlate(source, pattern("i2n", p["flat"], truth))  # 1 for the layer that the observers read
    assert abs(score["ceiled"] - known) < 0.06, (score["ceiled"], known)
    assert record["error"]["ci_lo"] < known + 0.06 and record["error"]["ci_hi"] > known - 0.06
    assert record["n"] == {"stimuli": N_SHOWN, "stimuli_fit": N_FIT, "objects": N_OBJECTS, "trials": N_TRIALS, "subjects": 7}


def test_i2n_on_the_stimuli_of_the_fit(observers, small):
    """The public variant: the same set for both, each image shown to the network once."""
    home, *_ = observers
    manifest = json.loads((home / "benchmarks/own.json").read_text())
    manifest["readout"]["fit_stimulus_set"] = manifest["stimulus_set"]
    (home / "same.json").write_text(json.dumps({**manifest, "identifier": "Same-i2n"}))
    record = run_json("score", small[0], "-b", home / "same.json", "--layer", "flat", env={"CORTISCORE_HOME": str(home)})
    assert record["n"]["stimuli"] == record["n"]["stimuli_fit"] == N_SHOWN and 0 < record["score"]["raw"] < 1


def test_choices_that_do_not_fit(observers, small, tmp_path):
    home, *_ = observers
    manifest = json.loads((home / "benchmarks/own.json").read_text())
    with open(tmp_path / "some.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["stimulus_id", "truth", "choice", "sample_obj", "dist_obj"])
        writer.writeheader()
        writer.writerow(dict(stimulus_id="t000", truth="object0", choice="object0", sample_obj="object0", dist_obj="object1"))
        writer.writerow(dict(stimulus_id="t001", truth="camel", choice="camel", sample_obj="camel", dist_obj="object1"))
    for change, words in (({"choices": "some.csv"}, ["camel", "5 categories"]), ({"choices": manifest["stimulus_set"]}, ["truth"]),
                          ({"metric": {"name": "i3"}}, ["i3", "i2n"]), ({"incomplete_choices": "perhaps"}, ["perhaps", "skip"])):
        path = tmp_path / "bad.json"
        path.write_text(json.dumps({**manifest, **change}))
        done = run("score", small[0], "-b", path, env={"CORTISCORE_HOME": str(home)})
        assert done.returncode in (3, 5) and all(w in done.stderr for w in words), (words, done.stderr)


def test_bins_as_neuroids(tmp_path):
    """Gifford2022: channels x time bins of each subject are its neuroids, ridge on train stimuli, r and ceiling on test stimuli."""
    manifest = manifest_of("Gifford2022.IT-ridge")
    folder, random = tmp_path / "data/brainio", np.random.default_rng(4)
    channels, n_bins, subjects = 3, 4, ["1", "2"]
    train, test = [f"a{i:03d}" for i in range(N_TRAIN)], [f"b{i:03d}" for i in range(N_TEST)]
    features = random.normal(size=(N_TRAIN + N_TEST, 20))
    signal = np.einsum("nf,fcb->ncb", features, random.normal(size=(20, channels * 2, n_bins)))
    trials = {"train": signal[None, :N_TRAIN] + random.normal(size=(4, N_TRAIN, channels * 2, n_bins)),
              "test": signal[None, N_TRAIN:] + 3 * random.normal(size=(6, N_TEST, channels * 2, n_bins))}
    starts = [-100, 0, 10, 590, 600]  # the first and the last lie outside
    for name, ids in (("train", train), ("test", test)):
        stimuli_of(folder / f"stimulus_THINGS_EEG2_{name}_Stimuli.csv", ids, seed=len(name))
        values = trials[name].reshape(-1, channels * 2, n_bins)
        outside = random.normal(size=values.shape[:2] + (1,))
        inside = np.concatenate([outside, values[..., :3], outside], -1)
        xr.DataArray(inside.transpose(2, 0, 1), dims=["time_bin", "presentation", "neuroid"], coords={
            "stimulus_id": ("presentation", ids * len(trials[name])), "repetition": ("presentation", np.repeat(range(len(trials[name])), len(ids))),
            "neuroid_id": ("neuroid", [f"c{i}" for i in range(channels * 2)]), "subject": ("neuroid", np.repeat(subjects, channels)),
            "time_bin_start": ("time_bin", starts), "time_bin_end": ("time_bin", [s + 10 for s in starts])}).to_netcdf(
                folder / f"assy_THINGS_EEG2_{name}_Assembly.nc", engine="h5netcdf")
    np.save(tmp_path / "features.npy", features)
    record = run_json("score", tmp_path / "features.npy", "-b", "Gifford2022.IT-ridge", env={"CORTISCORE_HOME": str(tmp_path)})
    assert manifest["metric"]["alpha"] == 1 and record["n"]["neuroids"] == channels * 2 * 3
    raw, ceiled = [], []
    for s in range(2):
        own = slice(s * channels, (s + 1) * channels)
        fit = trials["train"].mean(0)[:, own, :3].reshape(N_TRAIN, -1)
        tested = trials["test"][:, :, own, :3].reshape(6, N_TEST, -1)
        predicted = Ridge(alpha=1).fit(features[:N_TRAIN], fit).predict(features[N_TRAIN:])
        raw.append(np.median(columns_r(predicted, tested.mean(0))))
        ceiled.append(raw[-1]**2 / np.median(ceiling_splits(tested), 1).mean())
    np.testing.assert_allclose([record["score"]["raw"], record["score"]["ceiled"]], [np.mean(raw), np.mean(ceiled)], rtol=1e-9)


def hvm_stimuli(folder, n):
    """A stimulus set under Majaj-Hong's name: its ids, and their objects."""
    ids = [f"a{i:03d}" for i in range(n)]
    path = folder / "stimulus_hvm-public.csv"
    stimuli_of(path, ids)
    path.write_text(path.read_text().replace("image_label", "object_name"))
    return ids, [f"object{k % 5}" for k in range(n)]


def test_one_map_for_all_time_bins(tmp_path):
    """temporal-pls: scikit-learn's PLS on the stacked bins, r and ceiling in each."""
    identifier = "MajajHong2015public.IT-temporal-pls"
    folder, random = tmp_path / "data/brainio", np.random.default_rng(6)
    n, m, repetitions, starts = 90, 4, 8, [-20, 0, 20, 40, 980, 1000]
    ids, objects = hvm_stimuli(folder, n)
    features = random.normal(size=(n, 30))
    signal = np.einsum("nf,fmt->nmt", features, random.normal(size=(30, m, 1)) + 0.7 * random.normal(size=(30, m, len(starts))))
    trials = signal + 4 * random.normal(size=(repetitions, n, m, len(starts)))
    xr.DataArray(trials.reshape(-1, m, len(starts)), dims=["presentation", "neuroid", "time_bin"], coords={
        "stimulus_id": ("presentation", ids * repetitions), "repetition": ("presentation", np.repeat(range(repetitions), n)),
        "region": ("neuroid", ["IT"] * m), "time_bin_start": ("time_bin", starts), "time_bin_end": ("time_bin", [s + 20 for s in starts])}).to_netcdf(
            folder / "assy_dicarlo_MajajHong2015_temporal_public.nc", engine="h5netcdf")
    np.save(tmp_path / "features.npy", features)
    record = run_json("score", tmp_path / "features.npy", "-b", identifier, env={"CORTISCORE_HOME": str(tmp_path)})
    within = range(1, 5)
    y = trials.mean(0)[:, :, 1:5]
    r = []
    for train, test in StratifiedShuffleSplit(10, train_size=0.9, random_state=1).split(features, objects):
        stacked = np.repeat(features, 4, 0).reshape(n, 4, -1)
        model = PLSRegression(25, scale=False).fit(stacked[train].reshape(-1, 30), y[train].transpose(0, 2, 1).reshape(-1, m))
        predicted = model.predict(stacked[test].reshape(-1, 30)).reshape(len(test), 4, m)
        r.append([np.median(columns_r(predicted[:, t], y[test][:, :, t])) for t in range(4)])
    raw = np.mean(r, 0)
    ceiling = [np.median(ceiling_splits(trials[..., t]), 1).mean() for t in within]
    assert [p["identifier"] for p in record["populations"]] == [f"{starts[t]}-{starts[t] + 20} ms" for t in within]
    np.testing.assert_allclose([p["raw"] for p in record["populations"]], raw, rtol=1e-6)
    np.testing.assert_allclose([p["ceiling"] for p in record["populations"]], ceiling, rtol=1e-9)
    np.testing.assert_allclose([record["score"]["raw"], record["score"]["ceiled"]], [raw.mean(), np.mean(raw**2 / ceiling)], rtol=1e-6)


def test_neurons_predict_units(tmp_path):
    """reverse_pls: scikit-learn's PLS from responses to every unit, one of which is dead; halves drawn anew for every stimulus by
    NumPy's own generator."""
    identifier = "MajajHong2015public.V4-reverse_pls"
    folder, random = tmp_path / "data/brainio", np.random.default_rng(7)
    n, m, units, repetitions = 150, 40, 200, 6
    ids, objects = hvm_stimuli(folder, n)
    latent = random.normal(size=(n, 30))
    features = np.maximum(latent @ random.normal(size=(30, units)) + random.normal(size=(n, units)), 0).astype(np.float32)
    features[:, 17] = 0
    trials = latent @ random.normal(size=(30, m)) + 3 * random.normal(size=(repetitions, n, m))
    xr.DataArray(trials.reshape(-1, m, 1), dims=["presentation", "neuroid", "time_bin"], coords={
        "stimulus_id": ("presentation", ids * repetitions), "repetition": ("presentation", np.repeat(range(repetitions), n)),
        "region": ("neuroid", ["V4"] * m), "time_bin_start": ("time_bin", [70]), "time_bin_end": ("time_bin", [170])}).to_netcdf(
            folder / "assy_dicarlo_MajajHong2015_public.nc", engine="h5netcdf")
    np.save(tmp_path / "features.npy", features)
    record = run_json("score", tmp_path / "features.npy", "-b", identifier, env={"CORTISCORE_HOME": str(tmp_path)})
    y = trials.mean(0)
    raw = []
    with np.errstate(invalid="ignore"):
        for train, test in StratifiedShuffleSplit(10, train_size=0.9, random_state=1).split(y, objects):
            predicted = PLSRegression(25, scale=False).fit(y[train], features[train].astype(float)).predict(y[test])
            raw.append(np.nanmedian(columns_r(predicted, features[test])))
    generator, r = np.random.default_rng(0), []
    for _ in range(10):
        first, rest = np.empty((n, m)), np.empty((n, m))
        for i in range(n):
            order = generator.permutation(repetitions)
            first[i], rest[i] = trials[order[:3], i].mean(0), trials[order[3:], i].mean(0)
        once = columns_r(first, rest)
        r.append(np.median(2 * once / (1 + once)))
    score = record["score"]
    np.testing.assert_allclose([score["raw"], score["ceiling"], score["ceiled"]], [np.mean(raw), np.mean(r), np.mean(raw)**2 / np.mean(r)], rtol=1e-7)
    assert record["n"]["neuroids"] == m and record["n"]["splits"] == 10 and "unit 17" in " ".join(record["warnings"])
    assert record["error"]["ci_lo"] < score["ceiled"] < record["error"]["ci_hi"]
    # Neuroids of two files are no one population.
    manifest = manifest_of(identifier)
    (tmp_path / "two.json").write_text(json.dumps(manifest | {"assemblies": manifest["assemblies"] * 2}))
    done = run("score", tmp_path / "features.npy", "-b", tmp_path / "two.json", env={"CORTISCORE_HOME": str(tmp_path)})
    assert done.returncode == 5 and "2 populations" in done.stderr
