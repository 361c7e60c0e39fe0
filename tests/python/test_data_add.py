"""`cortiscore data add`: one experiment in every format is one benchmark; what is wrong is named; `list` and `verify`."""
import csv
import json
import zipfile

import h5py
import jsonschema
import numpy as np
import pytest
import scipy.io
import xarray as xr
from PIL import Image
from scipy.stats import spearmanr

from adding import add_here
from adding import add_whole as add
from conftest import ROOT, run, run_json, write

N, NEUROIDS, TRIALS = 60, 4, 3
IDS = [f"image{i}" for i in range(1, N + 1)]  # image2 comes before image10


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A folder and a zip of images, a table of them, and trials with some missing."""
    folder = tmp_path_factory.mktemp("lab")
    generator = np.random.default_rng(1)
    (folder / "images").mkdir()
    for name in IDS:
        Image.fromarray(generator.integers(0, 256, (24, 24, 3), np.uint8)).save(folder / f"images/{name}.png")
    with zipfile.ZipFile(folder / "images.zip", "w") as archive:
        for name in IDS:
            archive.write(folder / f"images/{name}.png", f"{name}.png")
    write(folder / "table.csv", [{"filename": f"{name}.png", "stimulus_id": name, "object_name": f"object{i % 6}",
                                  "movie": i // 10, "frame": i % 10} for i, name in enumerate(IDS)])
    latent = generator.normal(size=(N, 5))
    np.save(folder / "features.npy", latent @ generator.normal(size=(5, 30)))
    trials = latent @ generator.normal(size=(5, NEUROIDS)) + generator.normal(size=(TRIALS, N, NEUROIDS))
    trials = trials.astype(np.float32).astype(float)
    trials[2, ::7, 1] = np.nan
    np.save(folder / "trials.npy", trials)
    return folder


def add_by_command_line(home, *arguments):
    return run("data", "add", *arguments, env={"CORTISCORE_HOME": str(home)})


def scored(home, lab, identifier):
    return run_json("score", lab / "features.npy", "-b", identifier, "--again", env={"CORTISCORE_HOME": str(home)})


def write_responses(lab, kind, folder):
    """The trials in one format: the flags that say so."""
    trials = np.load(lab / "trials.npy")
    cells = [(r, s, n) for r in range(TRIALS) for s in range(N) for n in range(NEUROIDS)]
    path = folder / f"responses{'.mat' if 'mat' in kind else '.csv' if 'csv' in kind else '.' + kind}"
    if kind == "npy":
        np.save(path, trials.transpose(2, 1, 0))
        return ["--responses", path, "--dims", "neuroid,presentation,repetition"]
    if kind == "mat5":
        scipy.io.savemat(path, {"session": {"counts": trials.transpose(1, 2, 0), "rate": 30.0}})
        return ["--responses", path, "--variable", "session.counts", "--dims", "presentation,neuroid,repetition"]
    if kind == "mat73":  # MATLAB writes its dims reversed
        with h5py.File(path, "w", userblock_size=512) as file:
            file["session/counts"] = trials.transpose(1, 2, 0).T
            file["session/other"] = np.zeros((2, 2))
        return ["--responses", path, "--variable", "session.counts", "--dims", "presentation,neuroid,repetition"]
    if kind == "nc":  # rows are trials, in any order
        rows = [(r, s) for r in range(TRIALS) for s in range(N)]
        np.random.default_rng(0).shuffle(rows)
        xr.DataArray([trials[r, s] for r, s in rows], dims=["presentation", "neuroid"], name="data", coords={
            "stimulus_id": ("presentation", [IDS[s] for _, s in rows]), "repetition": ("presentation", [r for r, _ in rows]),
            "neuroid_id": ("neuroid", [f"site{i}" for i in range(NEUROIDS)])}).to_netcdf(path, engine="h5netcdf")
        return ["--responses", path]
    if kind == "long.csv":
        write(path, [{"stimulus_id": IDS[s], "neuroid_id": f"site{n}", "repetition": r,
                      "response": "" if np.isnan(trials[r, s, n]) else repr(float(trials[r, s, n]))} for r, s, n in cells])
        return ["--responses", path]
    write(path, [{"stimulus_id": IDS[s], **{f"site{n}": repr(float(trials[r, s, n])) for n in range(NEUROIDS)}}
                 for r in range(TRIALS) for s in range(N)])
    return ["--responses", path]


@pytest.mark.parametrize("metric, flags", [("ridge", ["--alpha", 30]), ("ridgecv", [])])
def test_layers_may_predict_by_other_maps(lab, tmp_path, metric, flags):
    """The benchmark scores what `cortiscore metric` gives on the arrays, wide features and narrow ones; layers profile it too."""
    done = add(tmp_path, "Lab", "--region", "V4", *write_responses(lab, "npy", tmp_path), "--stimuli", lab / "images.zip", "--table",
               lab / "table.csv", "--by", "object_name", "--metric", metric, *flags)
    assert done.returncode == 0 and f"Lab.V4-{metric}: under V4" in done.stdout, done.stderr
    manifest = json.loads((tmp_path / f"benchmarks/Lab.V4-{metric}.json").read_text())
    jsonschema.validate(manifest, json.loads((ROOT / "data_manifests/benchmark.schema.json").read_text()))
    np.save(tmp_path / "y.npy", np.nanmean(np.load(lab / "trials.npy"), 0))
    with open(lab / "table.csv") as file:
        np.save(tmp_path / "labels.npy", [row["object_name"] for row in csv.DictReader(file)])
    narrow = np.load(lab / "features.npy")
    for width, features in (("narrow", narrow), ("wide", narrow @ np.random.default_rng(0).normal(size=(30, 200)))):
        np.save(tmp_path / "f.npy", features)
        record = run_json("score", tmp_path / "f.npy", "-b", f"Lab.V4-{metric}", env={"CORTISCORE_HOME": str(tmp_path)})
        direct = run_json("metric", metric, "--source", tmp_path / "f.npy", "--target", tmp_path / "y.npy", "--stratify",
                          tmp_path / "labels.npy", *flags)
        assert record["raw"]["score"] == pytest.approx(direct["score"], abs=1e-6), width  # the file holds float32
        assert record["metric"]["name"] == metric and set(record["metric"]["params"]) == {
            "ridge": {"alpha"}, "ridgecv": {"alphas"}}[metric]
    info = run_json("benchmark", "info", f"Lab.V4-{metric}", env={"CORTISCORE_HOME": str(tmp_path)})
    assert info["metric"] == metric and "n_components" not in info
    manifest["metric"]["alphas"] = [1, -1]
    (tmp_path / f"benchmarks/Lab.V4-{metric}.json").write_text(json.dumps(manifest))
    done = run("benchmark", "info", f"Lab.V4-{metric}", env={"CORTISCORE_HOME": str(tmp_path)})
    assert done.returncode == 5 and "metric.alphas" in done.stderr


@pytest.mark.parametrize("kind", ["npy", "mat5", "mat73", "nc", "long.csv", "wide.csv"])
def test_one_experiment_in_every_format_is_one_benchmark(lab, tmp_path, kind):
    stimuli = lab / ("images.zip" if kind in ("npy", "nc") else "images")
    command = add_by_command_line if kind == "npy" else add
    done = command(tmp_path, "Lab", "--region", "V4", *write_responses(lab, kind, tmp_path), "--stimuli", stimuli, "--table",
                   lab / "table.csv", "--by", "object_name", "--components", 3, "--citation", "Us (2026)",
                   "--species", "ferret", "--modality", "fMRI")
    assert done.returncode == 0, done.stderr
    trials = np.load(lab / "trials.npy")
    for words in ("60 images, 60 of 24 x 24", "4 neuroids on 60 stimuli, 3 repetition(s) a stimulus", "missing",
                  "Lab.V4-pls: under V4, weight 1", "score NETWORK -b Lab.V4-pls"):
        assert words in done.stdout, done.stdout
    np.save(tmp_path / "t.npy", trials)
    ceiling = run_json("ceiling", "internal_consistency", "--trials", tmp_path / "t.npy")
    assert f"ceiling: {ceiling['ceiling']:.4f} +- {ceiling['error']:.4f}" in done.stdout
    record = scored(tmp_path, lab, "Lab.V4-pls")
    assert record["ceiling"]["ceiling"] == pytest.approx(ceiling["ceiling"], abs=1e-6)
    np.save(tmp_path / "y.npy", np.nanmean(trials, 0))
    with open(lab / "table.csv") as file:
        np.save(tmp_path / "labels.npy", [row["object_name"] for row in csv.DictReader(file)])
    metric = run_json("metric", "pls", "--source", lab / "features.npy", "--target", tmp_path / "y.npy", "--components", 3,
                      "--stratify", tmp_path / "labels.npy")
    assert record["raw"]["score"] == pytest.approx(metric["score"], abs=1e-6)  # the file holds float32
    manifest = json.loads((tmp_path / "benchmarks/Lab.V4-pls.json").read_text())
    jsonschema.validate(manifest, json.loads((ROOT / "data_manifests/benchmark.schema.json").read_text()))
    assert manifest["citation"] == "Us (2026)" and manifest["species"] == "ferret"
    listed = run("benchmark", "list", "--species", "ferret", "--modality", "fMRI", "--json", env={"CORTISCORE_HOME": str(tmp_path)}).stdout
    assert [json.loads(line)["identifier"] for line in listed.splitlines()] == [manifest["identifier"]]


@pytest.mark.parametrize("suffix, first", [(".npy", 0), (".mat", 1)])
def test_axes_may_be_columns_of_the_table(lab, tmp_path, suffix, first):
    """Responses by movie and frame; a table that lists the stimuli in another order, counting from 1 for MATLAB."""
    trials = np.load(lab / "trials.npy")
    cube = trials.transpose(1, 2, 0).reshape(6, 10, NEUROIDS, TRIALS)
    path = tmp_path / f"cube{suffix}"
    np.save(path, cube) if suffix == ".npy" else scipy.io.savemat(path, {"cube": cube})
    order = np.random.default_rng(2).permutation(N)
    table = write(tmp_path / "table.csv", [{"filename": f"{IDS[i]}.png", "stimulus_id": IDS[i], "movie": i // 10 + first,
                                            "frame": i % 10 + first} for i in order])
    done = add(tmp_path, "Cube", "--region", "V1", "--responses", path, "--dims", "movie,frame,neuroid,repetition", "--stimuli",
               lab / "images", "--table", table, "--group", "movie", "--components", 3, "--parent", "early", "--weight", 2)
    assert done.returncode == 0, done.stderr
    manifest = json.loads((tmp_path / "benchmarks/Cube.V1-pls.json").read_text())
    assert manifest["splits"] == {"kind": "leave_one_group_out", "by": "movie"}
    assert (manifest["parent"], manifest["weight"]) == ("early", 2)
    np.save(tmp_path / "features.npy", np.load(lab / "features.npy")[order])
    record = scored(tmp_path, tmp_path, "Cube.V1-pls")
    assert record["raw"]["score"] > 0.5 and record["n"]["splits"] == 6


def test_one_showing_gives_a_raw_score(lab, tmp_path):
    np.save(tmp_path / "once.npy", np.load(lab / "trials.npy")[0])
    done = add(tmp_path, "Once", "--region", "V4", "--responses", tmp_path / "once.npy", "--stimuli", lab / "images", "--order", "natural",
               "--components", 3)
    assert done.returncode == 0 and "reliability: unknown" in done.stdout and "in no composite" in done.stdout, done.stderr
    record = scored(tmp_path, lab, "Once.V4-pls")
    assert record["score"]["ceiled"] is None and record["score"]["ceiling_convention"] is None and record["raw"]["ci_lo"] is not None


@pytest.mark.parametrize("form", ["stack", "condensed", "matlab", "sessions"])
def test_rdms_in_every_form(lab, tmp_path, form):
    generator = np.random.default_rng(4)
    latent = np.load(lab / "features.npy")
    rdms = np.array([[1 - np.corrcoef(latent + 3 * generator.normal(size=latent.shape)) for _ in range(2)] for _ in range(3)])
    expected = rdms.mean(1) if form == "sessions" else rdms[:, 0]
    path, flags = tmp_path / "rdms.npy", []
    if form == "stack":
        np.save(path, expected)
    elif form == "condensed":
        np.save(path, expected[:, *np.triu_indices(N, 1)])
    elif form == "matlab":
        path = tmp_path / "rdms.mat"
        scipy.io.savemat(path, {"rdms": expected.transpose(1, 2, 0)})
    else:
        path, flags = tmp_path / "rdms.mat", ["--variable", "RDMs.RDM"]
        structs = np.empty((3, 2), dtype=[("RDM", object), ("name", object)])
        for s in range(3):
            for k in range(2):
                structs[s, k] = (rdms[s, k], f"subject {s}")
        scipy.io.savemat(path, {"RDMs": structs})
    done = add(tmp_path, "Lab", "--region", "IT", "--rdms", path, *flags, "--stimuli", lab / "images", "--order", "natural")
    assert done.returncode == 0 and "RDMs: 3 subject(s), 60 stimuli" in done.stdout, done.stderr
    record = scored(tmp_path, lab, "Lab.IT-rdm")
    upper = np.triu_indices(N, 1)
    mine = (1 - np.corrcoef(latent))[upper]
    np.testing.assert_allclose(record["split_scores"], [spearmanr(mine, r[upper])[0] for r in expected], atol=1e-9)


def test_choices_with_other_column_names(lab, tmp_path):
    generator = np.random.default_rng(6)
    rows = [{"subj": f"s{s}", "stimulus_id": name, "truth": f"object{i % 6}",
             "response": f"object{i % 6 if generator.random() < 0.7 else generator.integers(6)}"} for s in range(3) for i, name in enumerate(IDS)]
    (tmp_path / "choices").mkdir()
    for s in range(3):
        write(tmp_path / f"choices/{s}.csv", [r for r in rows if r["subj"] == f"s{s}"])
    categories = write(tmp_path / "categories.csv", [{"category": f"object{i % 6}", "index": i} for i in range(12)])
    done = add(tmp_path, "Eyes", "--choices", tmp_path / "choices", "--columns", "subject=subj,choice=response", "--categories", categories,
               "--stimuli", lab / "images")
    right = np.mean([r["truth"] == r["response"] for r in rows])
    assert done.returncode == 0 and f"180 of 3 subjects among 6 categories, {right:.1%} right" in done.stdout, done.stderr
    np.save(tmp_path / "logits.npy", generator.normal(size=(N, 1000)))
    record = run_json("score", tmp_path / "logits.npy", "-b", "Eyes-error_consistency", env={"CORTISCORE_HOME": str(tmp_path)})
    assert record["n"]["subjects"] == 3 and f"ceiling: {record['score']['ceiling']:.4f}" in done.stdout


def test_what_the_engine_refuses_is_named_by_the_file_that_was_given(lab, tmp_path):
    """The engine reads a copy that is gone when its message is read."""
    rows = [{"subject": f"s{s}", "stimulus_id": name, "truth": f"object{(i + s) % 6}", "choice": "object1"} for s in range(2) for i, name in enumerate(IDS)]
    choices = write(tmp_path / "mine.csv", rows)
    categories = write(tmp_path / "categories.csv", [{"category": f"object{i}", "index": i} for i in range(6)])
    done = add(tmp_path, "Eyes", "--choices", choices, "--categories", categories, "--stimuli", lab / "images")
    assert done.returncode == 5 and f"{choices}: data row 61, truth" in done.stderr and ".Eyes." not in done.stderr, done.stderr


def test_what_is_wrong_is_named_and_nothing_is_left(lab, tmp_path):
    trials = np.load(lab / "trials.npy")
    good = ["--stimuli", lab / "images", "--components", 3, "--region", "V4", "--order", "natural"]

    def saved(name, array):
        np.save(tmp_path / name, array)
        return ["--responses", tmp_path / name]

    hole = trials.copy()
    hole[:, 5, 2] = np.nan
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad/image1.png").write_bytes(b"not an image")
    for arguments, words in [
        ([*saved("a.npy", trials), *good], ["--dims", "3 x 60 x 4", "Axis 1"]),
        ([*saved("b.npy", trials[:, :50]), *good, "--dims", "repetition,presentation,neuroid"], ["found 50, expected 60"]),
        ([*saved("c.npy", hole), *good, "--dims", "repetition,presentation,neuroid"], ['neuroid "Lab_0002"', 'stimulus "image6"']),
        ([*saved("d.npy", trials[0] * np.inf), *good], ["infinity"]),
        ([*saved("e.npy", trials[0]), *good[:2], "--components", 27, *good[4:]], ["--components"]),
        ([*saved("f.npy", trials[0]), *good[:-2], "--by", "colour", "--table", lab / "table.csv"], ['"colour"', "object_name"]),
        (["--responses", tmp_path / "none.npy", *good], ["none.npy", "no such file"]),
        ([*saved("g.npy", trials[0]), "--stimuli", tmp_path / "bad", "--region", "V4"], ["found 60, expected 1"]),
        (["--rdms", tmp_path / "a.npy", *good[:2], *good[4:]], ["3 x 60 x 4", "60 stimuli"]),
    ]:
        done = add_here(tmp_path, "Lab", *arguments)
        assert done.returncode == 5 and len(done.stderr.strip().splitlines()) == 1, done.stderr
        assert all(word in done.stderr for word in words), done.stderr
        assert not list((tmp_path / "data").glob("*")) and not list((tmp_path / "benchmarks").glob("*")), arguments
    for arguments in (good, ["--choices", lab / "table.csv", "--rdms", "x.npy", *good]):
        assert add_here(tmp_path, "Lab", *arguments).returncode == 2
    assert add_here(tmp_path, "La b", *saved("h.npy", trials[0]), *good).returncode == 2


def test_a_recording_is_replaced_only_when_asked(lab, tmp_path):
    np.save(tmp_path / "r.npy", np.load(lab / "trials.npy"))
    arguments = ["Lab", "--region", "V4", "--responses", tmp_path / "r.npy", "--dims", "repetition,presentation,neuroid", "--stimuli",
                 lab / "images", "--order", "natural", "--components", 3]
    assert add_here(tmp_path, *arguments).returncode == 0
    done = add_here(tmp_path, *arguments)
    assert done.returncode == 5 and "--force" in done.stderr
    assert add_here(tmp_path, *arguments, "--force").returncode == 0
    env = {"CORTISCORE_HOME": str(tmp_path)}
    listed = [json.loads(line) for line in run("data", "list", "--json", env=env).stdout.splitlines()]
    assert [row["name"] for row in listed if row["here"]] == ["Lab"] and {"Cowley2023", "Geirhos2021"} < {row["name"] for row in listed}
    done = run("data", "verify", env=env)
    assert done.returncode == 0 and "Lab: 3 of 3 files as written" in done.stdout
    with open(tmp_path / "data/Lab/responses.nc", "r+b") as file:
        file.seek(1000)
        file.write(b"\0\1\2\3")
    (tmp_path / "data/Lab/stimuli.csv").unlink()
    done = run("data", "verify", "Lab", env=env)
    assert done.returncode == 5 and "responses.nc: changed" in done.stdout and "stimuli.csv: missing" in done.stdout
    assert run("data", "verify", "Lob", env=env).returncode == 4


def test_the_real_v4_recording_is_added_as_a_user_would(real_data, tmp_path):
    base = real_data / "v4_cowley2023_macaque"
    done = add(tmp_path, "MyV4", "--region", "V4", "--responses", base / "responses/responses_210325.npy", "--dims",
               "neuroid,presentation,repetition", "--stimuli", base / "images/images_210325.zip")
    assert done.returncode == 0, done.stderr
    assert "50 neuroids on 640 stimuli, 6 to 10 repetitions" in done.stdout and "ceiling: 0.7595 +- 0.0031" in done.stdout
