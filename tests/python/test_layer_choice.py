"""`cortiscore layers`: the profile along depth, the commitment it writes, and that no layer is scored on what chose it."""
import csv
import json
import shutil
import sys
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
import torch
import xarray as xr
from PIL import Image
from sklearn.decomposition import PCA

from conftest import ROOT, extract, run, run_json, save, simulate_cortex, write

sys.path.insert(0, str(ROOT / "python"))
import cortiscore

V4, IT = "Simulated2026.V4-pls", "Simulated2026.IT-pls"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """The simulated cortex, and another recording of its V4: the same stimuli, other trials."""
    folder = tmp_path_factory.mktemp("home")
    simulate_cortex(folder)
    (folder / "benchmarks").mkdir()
    other = json.loads((ROOT / f"data_manifests/benchmarks/{V4}.json").read_text())
    other["identifier"] = "Other.V4-pls"
    other["assemblies"] = [{"identifier": "other", "file": "Simulated2026/IT.nc"}]
    (folder / "benchmarks/other.json").write_text(json.dumps(other))
    return folder


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    torch.manual_seed(0)
    layers = [torch.nn.Conv2d(3, 12, 7, stride=4), torch.nn.ReLU(), torch.nn.Conv2d(12, 24, 5, stride=2), torch.nn.ReLU(),
              torch.nn.AdaptiveAvgPool2d(3), torch.nn.Flatten(), torch.nn.Linear(216, 10)]
    path = tmp_path_factory.mktemp("network") / "tiny.pt2"
    cortiscore.export(torch.nn.Sequential(*layers).eval(), path, input_size=64)
    return path


def layers(home, network, *arguments):
    done = run("layers", network, *arguments, "--json", env={"CORTISCORE_HOME": str(home)})
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def commitment(home, network, tmp_path_factory):
    folder = tmp_path_factory.mktemp("commitment")
    profiles = layers(home, network, "-b", V4, "-b", IT, "-o", folder / "map.json", "--plot", folder / "profile.svg")
    return profiles, folder / "map.json", folder / "profile.svg"


def test_every_layer_scores_as_if_it_were_committed_to(home, network, commitment):
    """Of 25 features or more: the last, of 10, has too few for 25 components."""
    for profile in commitment[0]:
        assert [layer["layer"] for layer in profile["layers"]] == ["0", "1", "2", "3", "4", "5"]
        for layer in profile["layers"]:
            record = run_json("score", network, "-b", profile["benchmark_identifier"], "--layer", layer["layer"],
                              env={"CORTISCORE_HOME": str(home)})
            assert layer["raw"] == record["raw"]["score"] and layer["error"] == record["raw"]["error"]
            assert (layer["ci_lo"], layer["ci_hi"]) == (record["raw"]["ci_lo"], record["raw"]["ci_hi"])
            assert profile["ceiling"] == record["ceiling"]["ceiling"]


def test_the_best_layer_of_a_region_is_committed_to(home, network, commitment):
    profiles, path, _ = commitment
    written = json.loads(path.read_text())
    for profile in profiles:
        best = profile["layers"][int(np.argmax([layer["raw"] for layer in profile["layers"]]))]["layer"]
        assert profile["best"] == written["region_layer_map"][profile["region"]] == best
        [chosen] = written["chosen_on"][profile["region"]]
        assert chosen["benchmark_identifier"] == profile["benchmark_identifier"] and chosen["candidates"] == 6
    shown = run("layers", network, "-b", V4, env={"CORTISCORE_HOME": str(home)}).stdout
    [starred] = [line.split()[0] for line in shown.splitlines() if line.rstrip().endswith("*")]
    assert starred == written["region_layer_map"]["V4"] and f"V4: {starred}" in shown


def test_two_benchmarks_of_a_region_choose_together(home, network, tmp_path):
    profiles = layers(home, network, "-b", V4, "-b", "Other.V4-pls", "-o", tmp_path / "map.json")
    mean = np.mean([[layer["raw"] for layer in profile["layers"]] for profile in profiles], axis=0)
    written = json.loads((tmp_path / "map.json").read_text())
    assert written["region_layer_map"] == {"V4": profiles[0]["layers"][int(np.argmax(mean))]["layer"]}
    assert len(written["chosen_on"]["V4"]) == 2


def test_no_layer_is_scored_on_what_chose_it(home, network, commitment, tmp_path):
    env = {"CORTISCORE_HOME": str(home)}
    layer = json.loads(commitment[1].read_text())["region_layer_map"]["V4"]
    flags = ["--layer-map", commitment[1], "--results", tmp_path]
    run_json("score", network, "-b", V4, "--layer", f"V4={layer}", "--results", tmp_path, env=env)
    done = run("score", network, "-b", V4, *flags, env=env)  # stored already, and refused all the same
    assert done.returncode == 2 and f"layer {layer} was chosen on {V4}" in done.stderr
    record = run_json("score", network, "-b", "Other.V4-pls", *flags, env=env)
    assert record["layer"] == layer
    assert record["layer_selection"] == {"method": "committed", "candidates": [layer], "chosen_on": [V4]}
    other = "0" if layer != "0" else "1"
    assert run_json("score", network, "-b", V4, *flags, "--layer", f"V4={other}", env=env)["layer"] == other


def test_a_pooled_layer_of_a_map_is_the_layer_that_it_names(home, tmp_path):
    torch.manual_seed(0)
    wide = torch.nn.Sequential(torch.nn.Conv2d(3, 40, 7, stride=4), torch.nn.ReLU(), torch.nn.Conv2d(40, 50, 5, stride=2), torch.nn.ReLU())
    network, env = tmp_path / "wide.pt2", {"CORTISCORE_HOME": str(home)}
    cortiscore.export(wide.eval(), network, input_size=64)
    layers(home, network, "-b", IT, "--match", "[13]:mean", "-o", tmp_path / "map.json")
    chosen = json.loads((tmp_path / "map.json").read_text())["region_layer_map"]["IT"]
    assert chosen in ("1:mean", "3:mean")
    (tmp_path / "plain.json").write_text(json.dumps({"IT": chosen}))  # which says nothing of what chose it
    mapped = run_json("score", network, "-b", IT, "--layer-map", tmp_path / "plain.json", env=env)
    # What is named by hand goes before a map, with a region or without.
    for flag in ("2", "IT=2"):
        assert run_json("score", network, "-b", IT, "--layer-map", tmp_path / "plain.json", "--layer", flag, env=env)["layer"] == "2"
    named = run_json("score", network, "-b", IT, "--layer", chosen, env=env)
    assert mapped["layer"] == named["layer"] == chosen and mapped["score"] == named["score"] and mapped["draws"] == named["draws"]


def test_a_map_serves_a_sweep_and_the_module(home, network, commitment, tmp_path, monkeypatch):
    layer = json.loads(commitment[1].read_text())["region_layer_map"]["V4"]
    shutil.copy(network, tmp_path / "copy.pt2")
    done = run("sweep", tmp_path / "copy.pt2", "-b", "Other.V4-pls", "--layer-map", commitment[1], "--results", tmp_path / "r",
               "--json", env={"CORTISCORE_HOME": str(home)})
    assert done.returncode == 0 and json.loads(done.stdout)["layer"] == layer
    monkeypatch.setenv("CORTISCORE_HOME", str(home))
    [record] = cortiscore.score(network, "Other.V4-pls", layer_map=commitment[1])
    assert record["layer"] == layer and record["layer_selection"]["chosen_on"] == [V4]
    with pytest.raises(cortiscore.Error, match="was chosen on"):
        cortiscore.score(network, V4, layer_map=commitment[1])


def test_a_readouts_record_says_how_its_layer_was_found(home, network, tmp_path):
    """As records of recordings do: what feeds the output, or a layer that was committed to, and what that was chosen on."""
    readout, env = "Simulated2026-error_consistency", {"CORTISCORE_HOME": str(home)}
    default = run_json("score", network, "-b", readout, env=env)
    assert default["layer_selection"] == {"method": "last", "candidates": [default["layer"]]}
    named = run_json("score", network, "-b", readout, "--layer", "behavior=1", env=env)
    assert named["layer"] == "1" and named["layer_selection"] == {"method": "committed", "candidates": ["1"]}
    chosen = {"region_layer_map": {"behavior": "3"}, "chosen_on": {"behavior": [
        {"benchmark_identifier": "Other-i2n", "benchmark_version": 1, "data_sha256": ["0" * 64], "candidates": 2, "raw": 0.5}]}}
    (tmp_path / "map.json").write_text(json.dumps(chosen))
    mapped = run_json("score", network, "-b", readout, "--layer-map", tmp_path / "map.json", env=env)
    assert mapped["layer"] == "3"
    assert mapped["layer_selection"] == {"method": "committed", "candidates": ["3"], "chosen_on": ["Other-i2n"]}


def test_the_platforms_own_maps_are_read(home, network, tmp_path):
    (tmp_path / "map.json").write_text('{"V4": "2", "IT": "4"}')
    record = run_json("score", network, "-b", V4, "--layer-map", tmp_path / "map.json", env={"CORTISCORE_HOME": str(home)})
    assert record["layer"] == "2" and record["layer_selection"]["method"] == "committed"


def test_layers_can_be_named_by_pattern(home, network):
    assert [layer["layer"] for layer in layers(home, network, "-b", V4, "--match", "[24]")[0]["layers"]] == ["2", "4"]
    assert len(layers(home, network, "-b", V4, "--candidates", "2")[0]["layers"]) == 2


def test_the_picture_holds_every_layer_and_rings_the_best(commitment):
    root = ElementTree.parse(commitment[2]).getroot()
    tag = "{http://www.w3.org/2000/svg}"
    lines = root.findall(f"{tag}polyline")
    assert [len(line.get("points").split()) for line in lines] == [6, 6]
    assert sum(circle.get("r") == "5.0" for circle in root.findall(f"{tag}circle")) == 2


@pytest.mark.parametrize("arguments, code, words", [
    (["-b", V4, "--match", "conv*"], 4, ["--match", "conv*"]),
    (["-b", "Simulated2026-error_consistency"], 2, ["behaviour"]),
    (["-b", V4, "-o", "/proc/none/map.json"], 5, ["/proc/none/map.json"])])
def test_bad_requests(home, network, arguments, code, words):
    done = run("layers", network, *arguments, env={"CORTISCORE_HOME": str(home)})
    assert done.returncode == code and all(word in done.stderr for word in words), done.stderr


def test_a_bad_map_is_named(home, network, tmp_path):
    (tmp_path / "map.json").write_text('{"V4": 3}')
    done = run("score", network, "-b", V4, "--layer-map", tmp_path / "map.json", env={"CORTISCORE_HOME": str(home)})
    assert done.returncode == 5 and "map.json" in done.stderr and "region_layer_map" in done.stderr


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    random = np.random.default_rng(8)
    rows = [{"stimulus_id": f"p{i:02}", "filename": f"p{i:02}.png"} for i in range(60)]
    for row in rows:
        coarse = random.integers(0, 256, (6, 6, 3)).astype(np.uint8)
        Image.fromarray(coarse).resize((64, 64), Image.Resampling.BICUBIC).save(folder / row["filename"])
    return write(folder / "photos.csv", rows)


def test_layers_in_the_span_of_photos(home, network, photos, tmp_path):
    """The platform's LayerPCA: a wide layer as its principal components on photos, all that there are, by scikit-learn; a
    narrow one as it is. Whatever is held at a time, the same bits."""
    profile, = layers(home, network, "-b", V4, "--mode", "exact", "--reference-photos", photos, "-o", tmp_path / "map.json")
    ours = {layer["layer"]: layer for layer in profile["layers"]}
    stimuli = home / "data/Simulated2026/stimuli.csv"
    on_photos = extract(network, photos, ["0", "3", "4"], tmp_path / "photos")
    on_stimuli = extract(network, stimuli, ["0", "3", "4"], tmp_path / "stimuli")
    manifest = json.loads((ROOT / f"data_manifests/benchmarks/{V4}.json").read_text())
    assembly = xr.open_dataarray(home / "data" / manifest["assemblies"][0]["file"], engine="h5netcdf")
    table = list(csv.DictReader(stimuli.open()))
    ids = [row["stimulus_id"] for row in table]
    trials = assembly.isel(time_bin=0).transpose("presentation", "neuroid")
    target = np.stack([trials.values[trials["stimulus_id"].values.astype(str) == i].mean(0) for i in ids])
    (tmp_path / "groups.csv").write_text("group\n" + "\n".join(row[manifest["splits"]["by"]] for row in table) + "\n")
    for name, x in on_stimuli.items():
        fitted = on_photos[name].astype(float)
        wide = fitted.shape[1] > 60
        assert wide == (name != "4" or fitted.shape[1] > 60)
        if wide:
            x = PCA(n_components=59, svd_solver="full").fit(fitted).transform(x.astype(float))
        assert ours[name]["features"] == fitted.shape[1]
        reference = run_json("metric", "pls", "--mode", "exact", "--stratify", tmp_path / "groups.csv", *save(tmp_path, source=x, target=target))
        assert ours[name]["raw"] == pytest.approx(reference["score"], abs=1e-6)
    full, = layers(home, network, "-b", V4, "--mode", "exact")
    assert any(abs(a["raw"] - b["raw"]) > 1e-3 for a, b in zip(full["layers"], profile["layers"]))
    commitment = json.loads((tmp_path / "map.json").read_text())
    assert commitment["reference_photos"]["stimuli"] == 60 and len(commitment["reference_photos"]["sha256"]) == 64
    tight, = layers(home, network, "-b", V4, "--mode", "exact", "--reference-photos", photos, "--memory-gib", "0.0125")
    assert tight["timing_ms"]["forward_passes"] > profile["timing_ms"]["forward_passes"] == 2
    assert [layer["raw"] for layer in tight["layers"]] == [layer["raw"] for layer in profile["layers"]]


def test_what_photos_cannot_do(home, network, photos, tmp_path):
    env = {"CORTISCORE_HOME": str(home)}
    manifest = json.loads((ROOT / f"data_manifests/benchmarks/{V4}.json").read_text())
    for key in ("splits", "layer_selection"):
        manifest.pop(key, None)
    manifest |= {"identifier": "Ours.V4-rdm", "metric": {"name": "rdm"}, "ceiling": {"name": "none"}}
    (tmp_path / "rdm.json").write_text(json.dumps(manifest))
    done = run("layers", network, "-b", tmp_path / "rdm.json", "--reference-photos", photos, env=env)
    assert done.returncode == 2 and "depend on the axes" in done.stderr
    one = write(tmp_path / "one.csv", [{"stimulus_id": "p00", "filename": str(photos.parent / "p00.png")}])
    done = run("layers", network, "-b", V4, "--reference-photos", one, env=env)
    assert done.returncode == 5 and "at least 2 reference photos" in done.stderr
    done = run("layers", network, "-b", V4, "--reference-photos", tmp_path / "none.csv", env=env)
    assert done.returncode == 5 and "none.csv" in done.stderr
