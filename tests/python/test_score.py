"""`cortiscore score` end to end: the simulated cortex, whose truth is known; the two recordings; what goes wrong."""
import csv
import json
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
import xarray as xr
from sklearn.cross_decomposition import PLSRegression
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import LeaveOneGroupOut, StratifiedShuffleSplit
from sklearn.preprocessing import StandardScaler

from conftest import ROOT, run, run_json, validator

sys.path.insert(0, str(ROOT / "python"))
from cortiscore import export

warnings.filterwarnings("ignore")
REGIONS = ["V1", "V4", "IT"]
NOT_TIMED = ("timing_ms", "start", "end")


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """A small random network: fast, and not blind."""
    torch.manual_seed(0)
    layers = [torch.nn.Conv2d(3, 12, 7, stride=4), torch.nn.ReLU(), torch.nn.Conv2d(12, 24, 5, stride=2),
              torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(3), torch.nn.Flatten(), torch.nn.Linear(216, 30)]
    path = tmp_path_factory.mktemp("network") / "tiny.pt2"
    export(torch.nn.Sequential(*layers).eval(), path, input_size=64)
    return path


@pytest.mark.parametrize("region", REGIONS)
def test_the_truth_of_the_simulated_cortex_is_recovered(home, region):
    """Closed forms from the bank and the noise level, none of them computed by the engine: within its own interval."""
    truth = json.loads((home / "data/Simulated2026/truth.json").read_text())["regions"][region]
    record = run_json("score", home / f"data/Simulated2026/bank_{region}.npy", "-b", f"Simulated2026.{region}-pls",
                      env={"CORTISCORE_HOME": str(home)})
    for found, expected in ((record["ceiling"], truth["reliability"]), (record["raw"], truth["bank_predictivity_median"])):
        assert found["ci_lo"] <= expected <= found["ci_hi"], (found, expected)
        assert found["ci_hi"] - found["ci_lo"] < 0.03
    assert record["score"]["ceiled"] == pytest.approx(record["raw"]["score"] ** 2 / record["ceiling"]["ceiling"])


def averaged(path, ids):
    data = xr.open_dataset(path, engine="h5netcdf")["data"].isel(time_bin=0).astype(float)
    mean = data.groupby("stimulus_id").mean("presentation")
    return mean.sel(stimulus_id=ids).values


def column(path, name):
    with open(path) as file:
        return [row[name] for row in csv.DictReader(file)]


def activations(network, layer, folder, tmp_path):
    done = run("extract", network, "--stimuli", folder / "stimuli.csv", "--layer", layer, "-o", tmp_path)
    assert done.returncode == 0, done.stderr
    return np.load(tmp_path / f"{layer}.npy")


def sklearn_score(x, y, splits, components=25):
    medians = []
    for train, test in splits:
        predicted = PLSRegression(components, scale=False).fit(x[train], y[train]).predict(x[test])
        medians.append(np.median([np.corrcoef(predicted[:, i], y[test][:, i])[0, 1] for i in range(y.shape[1])]))
    return medians


def test_a_committed_layer_equals_scikit_learn(home, network, tmp_path):
    """The whole way: images, network, raw features (more than stimuli), splits, PLS, correlations, medians."""
    folder = home / "data/Simulated2026"
    record = run_json("score", network, "-b", "Simulated2026.V4-pls", "--layer", "1", env={"CORTISCORE_HOME": str(home)})
    x = activations(network, "1", folder, tmp_path).astype(float)
    ids, objects = column(folder / "stimuli.csv", "stimulus_id"), column(folder / "stimuli.csv", "object_name")
    splits = list(StratifiedShuffleSplit(10, train_size=0.9, random_state=1).split(x, objects))
    medians = sklearn_score(x, averaged(folder / "V4.nc", ids), splits)
    assert x.shape[1] > x.shape[0]
    np.testing.assert_allclose(record["split_scores"], medians, atol=1e-11)
    assert record["raw"]["score"] == pytest.approx(np.mean(medians), abs=1e-12)
    assert record["layer"] == "1" and record["layer_selection"]["method"] == "committed"


def test_layers_compete_on_one_half_and_are_scored_on_the_other(home, network, tmp_path):
    folder = home / "data/Simulated2026"
    record = run_json("score", network, "-b", "Simulated2026.IT-pls", "--choice", "halves", env={"CORTISCORE_HOME": str(home)})
    ids, objects = (np.array(column(folder / "stimuli.csv", c)) for c in ("stimulus_id", "object_name"))
    y = averaged(folder / "IT.nc", ids)
    groups = np.unique(objects, return_inverse=True)[1]
    halves = np.flatnonzero(groups % 2 == 0), np.flatnonzero(groups % 2 == 1)
    selection = record["layer_selection"]
    splits_of = lambda rows: StratifiedShuffleSplit(10, train_size=0.9, random_state=1).split(rows, objects[rows])
    scores = []
    for i, (select_on, score_on) in enumerate((halves, halves[::-1])):
        values = selection["raw_on_selecting_half"][i]
        chosen = selection["candidates"][int(np.nanargmax(values))]
        assert selection["chosen"][i] == chosen
        x = activations(network, chosen, folder, tmp_path).astype(float)
        assert max(values) == pytest.approx(np.mean(sklearn_score(x[select_on], y[select_on], splits_of(select_on))), abs=1e-10)
        scores.append(np.mean(sklearn_score(x[score_on], y[score_on], splits_of(score_on))))
    assert record["raw"]["score"] == pytest.approx(np.mean(scores), abs=1e-10)


def test_behaviour_equals_scikit_learn_and_numpy(home, network, tmp_path):
    folder = home / "data/Simulated2026"
    record = run_json("score", network, "-b", "Simulated2026-error_consistency", env={"CORTISCORE_HOME": str(home)})
    x = activations(network, record["layer"], folder, tmp_path).astype(float)
    objects, roles = (np.array(column(folder / "stimuli.csv", c)) for c in ("object_name", "role"))
    ids = np.array(column(folder / "stimuli.csv", "stimulus_id"))
    fit, test = roles == "fit", roles == "test"
    scaler = StandardScaler().fit(x[fit])
    readout = LogisticRegression(C=1e-3, solver="newton-cg", tol=1e-10, max_iter=1000)
    readout.fit(scaler.transform(x[fit]), objects[fit])
    network_right = readout.predict(scaler.transform(x[test])) == objects[test]
    assert record["n"]["accuracy_network"] == pytest.approx(network_right.mean())
    place = {s: i for i, s in enumerate(ids[test])}
    rows = list(csv.DictReader(open(folder / "choices.csv")))
    subjects = sorted({row["subject"] for row in rows})
    right = np.zeros((len(subjects), test.sum()), bool)
    for row in rows:
        right[subjects.index(row["subject"]), place[row["stimulus_id"]]] = row["choice"] == row["truth"]

    def kappa(a, b):
        expected = a.mean() * b.mean() + (1 - a.mean()) * (1 - b.mean())
        return ((a == b).mean() - expected) / (1 - expected)

    cells = [kappa(network_right, r) for r in right]
    pairs = [kappa(right[i], right[j]) for i in range(len(right)) for j in range(i)]
    assert record["raw"]["score"] == pytest.approx(abs(np.mean(cells)), rel=1e-12)
    assert record["raw"]["error"] == pytest.approx(np.std(cells), rel=1e-12)
    assert record["ceiling"]["ceiling"] == pytest.approx(abs(np.mean(pairs)), rel=1e-12)
    assert record["score"]["ceiled"] == pytest.approx(np.clip(abs(np.mean(cells)) / np.mean(pairs), 0, 1), rel=1e-12)
    assert record["error"]["ci_lo"] <= record["score"]["ceiled"] <= record["error"]["ci_hi"]


def test_records_are_stored_reused_and_the_same_again(home, network, tmp_path):
    env = {"CORTISCORE_HOME": str(home)}
    arguments = ["score", network, "-b", "Simulated2026.V1-pls", "--from", "all", "--results", tmp_path]
    first = run_json(*arguments, env=env)
    assert run_json("results", "show", "--results", tmp_path, "--benchmark", "Simulated2026.V1-pls") == first
    assert run_json(*arguments, env=env) == first  # timings included: it was not scored again
    again = run_json("--threads", 3, *arguments, "--again", "--memory-gib", "0.03", env=env)
    assert again["timing_ms"]["forward_passes"] > first["timing_ms"]["forward_passes"]
    strip = lambda r: {k: v for k, v in r.items() if k not in NOT_TIMED + ("peak_bytes",)}
    assert strip(again) == strip(first)
    other = run_json(*arguments, "--ceiling-convention", "r_over_c_squared", "--layer", "1", env=env)
    assert other["score"]["ceiled"] == pytest.approx((other["score"]["raw"] / other["score"]["ceiling"]) ** 2)
    assert other["key"] != first["key"]


def test_table_and_composite(home, network, tmp_path):
    flags = [f for r in REGIONS for f in ("-b", f"Simulated2026.{r}-pls")] + ["-b", "Simulated2026-error_consistency"]
    env = {"CORTISCORE_HOME": str(home)}
    done = run("score", network, *flags, "--results", tmp_path, env=env)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 6 and lines[0].split()[:5] == ["network", "benchmark", "raw", "ceiling", "ceiled"]
    shown = run("results", "show", "--results", tmp_path, "--json")
    records = [json.loads(line) for line in shown.stdout.splitlines()]
    assert sorted(r["benchmark_identifier"] for r in records) == sorted(flags[1::2])
    ceiled = {r["region"]: np.clip(r["score"]["ceiled"], 0, 1) for r in records}
    neural = np.mean([ceiled[region] for region in REGIONS])
    assert f"{(neural + ceiled['behavior']) / 2:.3f}" in lines[-1]
    assert f"mean of neural_vision {neural:.3f}, behavior_vision {ceiled['behavior']:.3f}" in lines[-1]


def test_bad_input_loses_nothing(home, network, tmp_path):
    env = {"CORTISCORE_HOME": str(home)}
    bench = ["-b", "Simulated2026.V1-pls", "--results", str(tmp_path)]
    for arguments, code, words in [
        (["score", network, "-b", "Simulated2026.V2-pls"], 4, ["Simulated2026.V1-pls"]),
        (["score", network, *bench, "--layer", "conv1"], 4, ['no layer "conv1"', "Nearest"]),
        (["score", network, *bench, "--layer", "6", "--memory-gib", "1e-9"], 6, ["--memory-gib"]),
        (["score", tmp_path / "none.pt2", *bench], 5, ["none.pt2", "no such file"]),
        (["score", tmp_path / "net.onnx", *bench], 5, ["extension", ".onnx"]),
        (["score", network, *bench, "--ceiling-convention", "x"], 2, ["r2_over_c"]),
        (["score", network, *bench[:2], "--results", "/proc/none"], 5, ["/proc/none"]),
    ]:
        done = run(*arguments, env=env)
        assert done.returncode == code, (arguments, done.returncode, done.stderr)
        assert all(word in done.stderr for word in words), done.stderr
    done = run("score", network, "-b", "Cowley2023.V4-pls", env={"CORTISCORE_HOME": str(tmp_path)})
    assert done.returncode == 5 and "import-data" in done.stderr
    # One broken network among two: the other is scored and stored, and the exit code says so.
    (tmp_path / "broken.pt2").write_bytes(network.read_bytes()[:1000])
    done = run("score", tmp_path / "broken.pt2", network, *bench, env=env)
    assert done.returncode == 3 and "broken.pt2" in done.stderr
    shown = [json.loads(line) for line in run("results", "show", "--results", tmp_path, "--json").stdout.splitlines()]
    assert [(r["model_identifier"], r["status"]) for r in shown] == [("broken", "failed"), ("tiny", "ok")]
    assert "broken.pt2" in shown[0]["message"] and shown[0]["error_type"] == 5
    few = tmp_path / "few.npy"
    np.save(few, np.random.default_rng(0).standard_normal((320, 10)))
    done = run("score", few, *bench, env=env)
    assert done.returncode == 5 and "10" in done.stderr and "at least 25" in done.stderr


def test_overflowing_network_is_refused(home, tmp_path):
    class Overflow(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.act = torch.nn.Flatten()

        def forward(self, x):
            return self.act(torch.log(x - 0.5))

    export(Overflow().eval(), tmp_path / "nan.pt2", input_size=16)
    done = run("score", tmp_path / "nan.pt2", "-b", "Simulated2026.V1-pls", "--results", tmp_path,
               env={"CORTISCORE_HOME": str(home)})
    assert done.returncode == 5 and "layer act" in done.stderr and "NaN" in done.stderr


def test_bad_manifests(home, network, tmp_path):
    good = json.loads((ROOT / "data_manifests/benchmarks/Simulated2026.V1-pls.json").read_text())
    for change, words in (({"schema_version": 2}, ["schema_version", "2"]), ({"metric": {"name": "mutual_information"}}, ["mutual_information", "pls"]),
                          ({"splits": {"kind": "loo"}}, ["splits.kind", "loo"]), ({"assemblies": None}, ["assemblies"])):
        path = tmp_path / "own.json"
        path.write_text(json.dumps({**good, **change}))
        done = run("score", network, "-b", path, env={"CORTISCORE_HOME": str(home)})
        assert done.returncode == 5 and all(w in done.stderr for w in words), done.stderr


def test_manifests_follow_their_schema():
    validate = validator("benchmark")
    for path in (ROOT / "data_manifests/benchmarks").glob("*.json"):
        validate(json.loads(path.read_text()))


def test_records_follow_their_schema(home, network, tmp_path):
    import jsonschema

    schema = json.loads((ROOT / "data_manifests/record.schema.json").read_text())
    for benchmark in ("Simulated2026.IT-pls", "Simulated2026-error_consistency"):
        record = run_json("score", network, "-b", benchmark, "--results", tmp_path, env={"CORTISCORE_HOME": str(home)})
        jsonschema.validate(record, schema)


@pytest.mark.parametrize("engine", ["h5netcdf", "netcdf4"])
def test_xarray_opens_what_is_written(home, network, engine, tmp_path):
    stimuli = home / "data/Simulated2026/stimuli.csv"
    for form in ("npy", "nc"):
        done = run("extract", network, "--stimuli", stimuli, "--layer", "6", "--format", form, "-o", tmp_path)
        assert done.returncode == 0, done.stderr
    with xr.open_dataset(tmp_path / "6.nc", engine=engine) as data:
        [name] = data.data_vars
        assert data[name].dims == ("presentation", "neuroid")
        np.testing.assert_array_equal(data[name].values, np.load(tmp_path / "6.npy"))
        assert list(data["stimulus_id"].values) == column(stimuli, "stimulus_id")
        assert data["neuroid_id"].values[2] == "6.2" and data[name].attrs["weights_sha256"]
        # Its ids are what rows are matched by: the same stimuli in another order score the same.
        order = np.random.default_rng(0).permutation(data.sizes["presentation"])
        data[name].load()[order, :5].rename("data").to_netcdf(tmp_path / "target.nc", engine="h5netcdf")
    np.save(tmp_path / "target.npy", np.load(tmp_path / "6.npy")[:, :5])
    scores = [run_json("metric", "ridge", "--source", tmp_path / f"6.{form}", "--target", tmp_path / f"target.{form}", "--bootstrap", "0")
              for form in ("npy", "nc")]
    assert scores[0]["per_neuroid"] == scores[1]["per_neuroid"] and scores[1]["notes"] == []


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    from conftest import SHARED

    if not SHARED.is_dir():
        pytest.skip(f"needs the real recordings in {SHARED}, which is not there")
    folder = tmp_path_factory.mktemp("recordings")
    subprocess.run([sys.executable, ROOT / "data_manifests/import_recordings.py", SHARED, "--home", folder], check=True)
    return folder


def test_macaque_v4(recordings, network, tmp_path):
    """Ceiling as published in the definitions; a real layer's score as scikit-learn's."""
    folder = recordings / "data/Cowley2023"
    record = run_json("score", network, "-b", "Cowley2023.V4-pls", "--layer", "5", env={"CORTISCORE_HOME": str(recordings)})
    assert record["ceiling"]["ceiling"] == pytest.approx(0.7595, abs=5e-5)
    assert record["ceiling"]["error"] == pytest.approx(0.0031, abs=5e-5)
    assert record["n"]["stimuli"] == 640 and record["n"]["neuroids"] == 50
    x = activations(network, "5", folder, tmp_path).astype(float)
    ids, objects = (column(folder / "stimuli.csv", c) for c in ("stimulus_id", "object_name"))
    splits = StratifiedShuffleSplit(10, train_size=0.9, random_state=1).split(x, objects)
    np.testing.assert_allclose(record["split_scores"], sklearn_score(x, averaged(folder / "V4.nc", ids), splits), atol=1e-11)


def test_macaque_v1(recordings, network, tmp_path):
    """Neuroids above .3 by the mean over ten splits, counted with NumPy too: 328 of 360 (BENCHMARKS.md 1.7 says 329; one
    lies at .295 to .307 by other means and seeds). One population as scikit-learn scores it, movies left out in turn."""
    env = {"CORTISCORE_HOME": str(recordings)}
    folder = recordings / "data/Henaff2021"
    record = run_json("score", network, "-b", "Henaff2021.V1-pls", "--layer", "5", env=env)
    assert record["n"]["neuroids"] == 328 and record["n"]["neuroids_dropped"] == 32 and len(record["populations"]) == 9
    alone = run_json("score", network, "-b", "Henaff2021.V1.ay4_u001-pls", "--layer", "5", env=env)
    [same] = [p for p in record["populations"] if p["identifier"] == "ay4_u001"]
    assert alone["raw"]["score"] == same["raw"] and alone["n"]["neuroids"] == same["n_neuroids"]
    x = activations(network, "5", folder, tmp_path).astype(float)
    ids, movies = (np.array(column(folder / "stimuli.csv", c)) for c in ("stimulus_id", "movie"))
    data = xr.open_dataset(folder / "ay4_u001.nc", engine="netcdf4")["data"].isel(time_bin=0).astype(float)
    if alone["n"]["neuroids_dropped"] == 0:
        y = averaged(folder / "ay4_u001.nc", ids)
    else:
        from test_ceiling import reference

        trials = np.full((int(data.repetition.max()) + 1, 400, data.sizes["neuroid"]), np.nan)
        place = {s: i for i, s in enumerate(ids)}
        rows = [place[s] for s in data.stimulus_id.values]
        trials[data.repetition.values, rows] = data.values
        trials = trials[~np.isnan(trials).all((1, 2))]
        keep = np.nanmean(reference(trials), 0) > 0.3
        assert keep.sum() == alone["n"]["neuroids"]
        y = np.nanmean(trials, 0)[:, keep]
    medians = sklearn_score(x, y, LeaveOneGroupOut().split(x, y, movies))
    np.testing.assert_allclose(alone["split_scores"], medians, atol=1e-10)


@pytest.mark.parametrize("name, code, word", [("tpu", 2, "expected cpu, cuda or cuda:N"), ("cuda:", 2, "expected"),
                                              ("cuda:63", 7, "expected it here")])
def test_a_device_that_is_not_here(home, network, name, code, word):
    done = run("score", network, "-b", "Simulated2026.V4-pls", "--device", name, env={"CORTISCORE_HOME": str(home)})
    assert done.returncode == code
    assert len(done.stderr.strip().splitlines()) == 1 and word in done.stderr and name in done.stderr


@pytest.mark.cuda("a network and its mapping on the GPU")
@pytest.mark.parametrize("benchmark", ["Simulated2026.V4-pls", "Simulated2026-error_consistency"])
def test_a_gpu_agrees_with_the_cpu(home, network, benchmark):
    """Float32 activations differ in their last bits; a score of those agrees as far as the metric is smooth in them."""
    environment = {"CORTISCORE_HOME": str(home)}
    on = [run_json("score", network, "-b", benchmark, "--layer", "3", "--device", device, env=environment)
          for device in ("cpu", "cuda", "cuda")]
    assert on[1]["score"] == on[2]["score"]
    assert on[1]["score"]["raw"] == pytest.approx(on[0]["score"]["raw"], abs=1e-4)
    assert on[1]["key"] != on[0]["key"] and on[1]["device"]["name"] != "cpu"


def test_benchmarks_on_the_same_stimuli_share_a_forward_pass(home, network, tmp_path):
    """Candidates of two regions and a layer committed to for another: one pass, and the numbers of each alone."""
    names = ["Simulated2026.V1-pls", "Simulated2026.V4-pls", "Simulated2026.IT-pls"]
    flags = [f for name in names for f in ("-b", name)]
    env = {"CORTISCORE_HOME": str(home)}
    done = run("score", network, *flags, "--layer", "V4=6", "--results", tmp_path / "all", "--json", env=env)
    assert done.returncode == 0, done.stderr
    together = [json.loads(line) for line in done.stdout.splitlines()]
    assert [r["timing_ms"]["forward_passes"] for r in together] == [1, 0, 0]
    timing = together[0]["timing_ms"]
    stages = [timing[stage] for stage in ("decode", "normalise", "network", "keep")]
    assert min(stages) > 0 and 0.3 * timing["forward"] < sum(stages) <= 1.01 * timing["forward"]
    same = lambda r: {k: v for k, v in r.items() if k not in NOT_TIMED + ("peak_bytes",)}
    for name, record in zip(names, together):
        committed = ("--layer", "V4=6") if "V4" in name else ()  # of a region that no benchmark is of, it is refused
        alone = run_json("score", network, "-b", name, *committed, "--results", tmp_path / name, env=env)
        assert alone["timing_ms"]["forward_passes"] == 1
        assert same(alone) == same(record)


@pytest.mark.cuda("TF32 and autocast there")
@pytest.mark.parametrize("precision", ["tf32", "bf16", "fp16"])
def test_precisions_on_a_gpu(home, network, precision):
    """Each is recorded, differs from float32, and comes near it."""
    env = {"CORTISCORE_HOME": str(home)}
    full, lower = (run_json("score", network, "-b", "Simulated2026.V4-pls", "--layer", "3", "--device", "cuda", "--precision", p, env=env)
                   for p in ("float32", precision))
    assert lower["precision"]["activations"] == precision and lower["precision"]["tf32"] == (precision == "tf32")
    assert lower["key"] != full["key"]
    assert lower["score"]["raw"] == pytest.approx(full["score"]["raw"], abs=0.02)
