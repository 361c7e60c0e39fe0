"""Files of the published platform as they are: found in $BRAINIO_HOME or fetched, read, and scored by the official definitions."""
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import urllib.parse

import numpy as np
import pytest

from conftest import BINARY, ROOT, run, run_json, validator
from test_fetch import Handler, server  # noqa: F401

FILES = ROOT / "tests/fixtures/brainio"
sys.path.insert(0, str(ROOT / "tests/fixtures"))
from brainio_files import GROUPS, REPETITIONS, STIMULI, choices, responses

SETS = {  # benchmark: seed and regions of the fixture, and its bins within the manifest's window
    "MajajHong2015public.V4-pls": (1, "V4 IT IT V4 IT V4 V4".split(), 1, [0]),
    "MajajHong2015public.IT-pls": (1, "V4 IT IT V4 IT V4 V4".split(), 1, [0]),
    "FreemanZiemba2013public.V1-pls": (2, "V1 V2 V1 V2 V2 V1".split(), 12, range(6, 12)),
    "FreemanZiemba2013public.V2-pls": (2, "V1 V2 V1 V2 V2 V1".split(), 12, range(6, 12)),
}


@pytest.fixture
def cache(tmp_path):
    """$BRAINIO_HOME as the platform fills it: a folder a file, named by its SHA-1; and no data of our own."""
    for path in FILES.iterdir():
        folder = tmp_path / "cache" / hashlib.sha1(path.read_bytes()).hexdigest()
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder)
    (tmp_path / "home").mkdir()
    return {"CORTISCORE_HOME": str(tmp_path / "home"), "BRAINIO_HOME": str(tmp_path / "cache")}


@pytest.mark.parametrize("identifier", SETS)
def test_an_official_benchmark_on_files_of_the_platforms_own_packaging(identifier, cache, tmp_path):
    """The score and ceiling of the arrays that went into the files: region, time bins, repetitions, stratification."""
    seed, regions, n_bins, bins = SETS[identifier]
    latent, trials = responses(seed, len(regions), n_bins)
    trials[REPETITIONS - 1, ::7] = np.nan
    region = identifier.split(".")[1].split("-")[0]
    trials = trials[:, :, [i for i, r in enumerate(regions) if r == region]][..., list(bins)].astype(float).mean(-1)
    features = latent + 0.2 * np.random.RandomState(3).randn(*latent.shape)
    np.save(tmp_path / "features.npy", features)
    np.save(tmp_path / "trials.npy", trials)
    np.save(tmp_path / "target.npy", np.nanmean(trials, 0))
    np.save(tmp_path / "groups.npy", np.arange(STIMULI) % GROUPS)
    record = run_json("score", tmp_path / "features.npy", "-b", identifier, env=cache)
    metric = run_json("metric", "pls", "--source", tmp_path / "features.npy", "--target", tmp_path / "target.npy", "--stratify",
                      tmp_path / "groups.npy")
    ceiling = run_json("ceiling", "internal_consistency", "--trials", tmp_path / "trials.npy")
    assert record["n"]["neuroids"] == regions.count(region) and record["n"]["stimuli"] == STIMULI
    assert record["layer"] == "features" and len(record["split_scores"]) == 10
    np.testing.assert_allclose(record["split_scores"], metric["split_scores"], atol=1e-10)
    np.testing.assert_allclose(record["split_ceilings"], ceiling["split_ceilings"], rtol=1e-10)
    assert record["score"]["ceiled"] == pytest.approx(metric["score"] ** 2 / ceiling["ceiling"], rel=1e-10)
    info = run_json("benchmark", "info", identifier, env=cache)
    assert info["here"] and info["species"] == "macaque" and info["access"] == "public" and "neuroids" in info["published"]
    listed = [json.loads(line)["identifier"] for line in run("benchmark", "list", "--here", "--json", env=cache).stdout.splitlines()]
    reverse = [f"MajajHong2015public.{area}-reverse_pls" for area in ("V4", "IT")]  # on the same files
    assert sorted(listed) == sorted([*SETS, *reverse])


def test_choices_of_the_platforms_own_packaging(cache, tmp_path):
    """Text values of a behavioural assembly; kappa with every subject by scikit-learn."""
    from sklearn.metrics import cohen_kappa_score

    for suffix in ("csv", "zip"):
        folder = pathlib.Path(cache["BRAINIO_HOME"]) / f"a{suffix}"
        folder.mkdir()
        shutil.copy(FILES / f"stimulus_hvm-public.{suffix}", folder / f"stimulus_Geirhos2021_sketch.{suffix}")
    names = ["airplane", "bear", "bicycle", "bird", "boat"]
    categories = json.loads((ROOT / "data_manifests/imagenet_16_classes.json").read_text())["categories"]
    random = np.random.RandomState(6)
    outputs, right = random.randn(STIMULI, 1000), []
    hard = np.random.RandomState(5).rand(STIMULI) < 0.3  # the subjects' too
    for i in range(STIMULI):
        guess = (i + (hard[i] and random.rand() < 0.8)) % GROUPS
        outputs[i, categories[names[guess]]] += 8
        right.append(guess == i % GROUPS)
    np.save(tmp_path / "outputs.npy", outputs)
    record = run_json("score", tmp_path / "outputs.npy", "-b", "Geirhos2021sketch-error_consistency", env=cache)
    subjects = np.array([c == i % GROUPS for _, i, c in choices()]).reshape(4, STIMULI)
    raw = np.mean([cohen_kappa_score(right, s) for s in subjects])
    ceiling = np.mean([cohen_kappa_score(subjects[a], subjects[b]) for a in range(4) for b in range(a)])
    assert record["score"]["raw"] == pytest.approx(raw, rel=1e-12) and record["score"]["ceiling"] == pytest.approx(ceiling, rel=1e-12)
    assert record["n"]["subjects"] == 4 and record["n"]["stimuli"] == STIMULI


def test_what_does_not_fit_is_named(cache, tmp_path):
    """A region or a window that the file lacks; and no files at all."""
    home = pathlib.Path(cache["CORTISCORE_HOME"])
    (home / "benchmarks").mkdir()
    np.save(tmp_path / "f.npy", np.random.RandomState(0).randn(STIMULI, 30))
    manifest = json.loads((ROOT / "data_manifests/benchmarks/FreemanZiemba2013public.V1-pls.json").read_text())
    for change, words in (({"where": {"region": "V9"}}, ['"V1", "V2"', '"V9"']), ({"time_ms": [500, 600]}, ["12 bins", "500 to 600 ms"]),
                          ({"where": {"depth": "1"}}, ['"depth"', "region"])):
        manifest["identifier"] = "Own-pls"
        (home / "benchmarks/own.json").write_text(json.dumps({**manifest, "assemblies": [{**manifest["assemblies"][0], **change}]}))
        done = run("score", tmp_path / "f.npy", "-b", "Own-pls", env=cache)
        assert done.returncode in (3, 5) and all(word in done.stderr for word in words), done.stderr
    done = run("score", tmp_path / "f.npy", "-b", "MajajHong2015public.V4-pls", env={**cache, "BRAINIO_HOME": str(tmp_path / "none")})
    assert done.returncode == 5 and "cortiscore data fetch hvm-public dicarlo.MajajHong2015.public" in done.stderr
    (home / "benchmarks/own.json").write_text(json.dumps({**manifest, "assemblies": [{**manifest["assemblies"][0], "time_ms": [1]}]}))
    done = run("benchmark", "info", "Own-pls", env=cache)
    assert done.returncode == 5 and "own.json" in done.stderr and "time_ms" in done.stderr


def test_stimuli_that_lack_a_neuroid_can_be_left_out(cache, tmp_path):
    """As Cadena2017 asks for: `repetition_id` numbers the trials, incomplete stimuli go, the rest is scored."""
    import xarray as xr

    random = np.random.RandomState(5)
    latent = random.randn(80, 28)
    trials = (latent.dot(random.randn(28, 4)) + random.randn(3, 80, 4)).astype(np.float32)
    trials[:, ::8, 1] = np.nan
    trials[0, 1, 2] = np.nan  # one trial alone does no harm
    folder = pathlib.Path(cache["CORTISCORE_HOME"]) / "data/brainio"
    folder.mkdir(parents=True, exist_ok=True)
    ids = [f"im{i}" for i in range(80)]
    xr.DataArray(trials.reshape(-1, 4)[:, :, None], dims=["presentation", "neuroid", "time_bin"], name="data", coords={
        "stimulus_id": ("presentation", ids * 3), "repetition_id": ("presentation", np.repeat([7, 8, 9], 80)),
        "time_bin_start": ("time_bin", [50]), "time_bin_end": ("time_bin", [150])}).to_netcdf(folder / "assy_tolias_Cadena2017.nc", engine="h5netcdf")
    (folder / "stimulus_Cadena2017.csv").write_text("image_id,image_file_name\n" + "".join(f"{i},{i}.png\n" for i in ids))
    from PIL import Image

    for name in ids:
        Image.new("L", (8, 8), 3).save(folder / f"{name}.png")
    np.save(tmp_path / "f.npy", latent[np.arange(80) % 8 != 0])
    record = run_json("score", tmp_path / "f.npy", "-b", "Cadena2017-pls", env=cache)
    assert record["n"]["stimuli"] == 70 and record["n"]["neuroids"] == 4 and record["score"]["raw"] > 0.5
    np.save(tmp_path / "trials.npy", trials[:, np.arange(80) % 8 != 0].astype(float))
    ceiling = run_json("ceiling", "internal_consistency", "--trials", tmp_path / "trials.npy")
    np.testing.assert_allclose(record["split_ceilings"], ceiling["split_ceilings"], rtol=1e-10)


def test_the_platforms_files_are_all_named():
    """287 sets of its storage, and two that no list of it has; what is not known is null, says why, and is counted."""
    validate = validator("brainio")
    sets, nulls, files = {}, {"sha1": 0, "version_id": 0, "bytes": 0}, 0
    for path in (ROOT / "data_manifests/brainio").glob("*.json"):
        plugin = json.loads(path.read_text())
        validate(plugin)
        assert plugin["plugin"] == path.stem
        for entry in plugin["sets"]:
            assert (entry["identifier"], entry["kind"]) not in sets
            sets[entry["identifier"], entry["kind"]] = entry
            for file in entry["files"]:
                files += 1
                missing = {key for key in nulls if file[key] is None}
                assert missing == set(file["unknown"]) and all(file["unknown"].values())
                for key in missing:
                    nulls[key] += 1
    assert len(sets) == 287 + 2 and files == 440 + 3
    assert nulls == {"sha1": 3, "version_id": 383 + 3, "bytes": 440 + 3}
    unlisted = {name for (name, _), entry in sets.items() if entry["bucket"] is None}
    assert unlisted == {"Zerbe2026_fmri_Stimuli", "Zerbe2026_fmri_Assembly"} == {n for (n, _), entry in sets.items() if "unlisted" in entry}
    assert sum(entry["bucket"] == "brainscore-storage/brainio-brainscore" for entry in sets.values()) == 260  # BENCHMARKS.md section 6
    # Whatever an official benchmark reads is among them, and its manifest says how to get it.
    for path in (ROOT / "data_manifests/benchmarks").glob("*.json"):
        manifest = json.loads(path.read_text())
        if not manifest["stimulus_set"].startswith("brainio/"):
            continue
        wanted = manifest["import"].split()[3:]
        named = {f"brainio/{file['name']}" for (name, _), entry in sets.items() if name in wanted for file in entry["files"]}
        reads = [manifest["stimulus_set"], manifest.get("train_stimulus_set"), manifest.get("choices"), manifest.get("rdms", {}).get("file"),
                 *manifest.get("baseline", {}).values(),
                 *np.atleast_1d(manifest.get("readout", {}).get("fit_stimulus_set")),
                 *manifest.get("property_stimuli", {}).values(),
                 *(a.get(key) for a in manifest.get("assemblies", []) for key in ("file", "train_file"))]
        assert {name for name in reads if name} <= named, path.name


OFFICIAL = {  # BENCHMARKS.md 1.1: degrees, ceiling, stimuli, neuroids
    "MajajHong2015.V4-pls": (8, .89503, 2560, 88), "MajajHong2015.IT-pls": (8, .821841, 2560, 168),
    "MajajHong2015public.V4-pls": (8, None, 3200, 88), "MajajHong2015public.IT-pls": (8, None, 3200, 168),
    "FreemanZiemba2013.V1-pls": (4, .873345, 315, 102), "FreemanZiemba2013.V2-pls": (4, .824836, 315, 103),
    "FreemanZiemba2013public.V1-pls": (4, None, 135, 102), "FreemanZiemba2013public.V2-pls": (4, None, 135, 103),
    "Sanghavi2020.V4-pls": (8, .8892049, 5760, 47), "Sanghavi2020.IT-pls": (8, .868293, 5760, None),
    "Rajalingham2020.IT-pls": (8, .561013, None, None), "Cadena2017-pls": (2, None, 6249, 166),
    "SanghaviJozwik2020.V4-pls": (8, .9630336, None, 50), "SanghaviJozwik2020.IT-pls": (8, .860352, None, None),
    "SanghaviMurty2020.V4-pls": (5, .9666086, None, 46), "SanghaviMurty2020.IT-pls": (5, .875714, None, None)}
for _region, _sites in (("V1", 332 + 410), ("V4", 117 + 198), ("IT", 157 + 141)):  # 1.1: monkeys F and N
    OFFICIAL |= {f"Papale2025.{_region}-{metric}": (18, None, 22248 + 100, _sites) for metric in ("ridge", "ridgecv")}
for _region, _voxels in (("V1", 9039), ("V2", 8792), ("V4", 3982), ("IT", 62751)):  # 1.2
    OFFICIAL |= {f"Li2026.{_region}-{metric}": (11, None, 1000, None) for metric in ("ridgecv", "pls")}
    OFFICIAL |= {f"Hebart2023_fmri.{_region}-{metric}": (10, None, 720 * 12 + 100, None) for metric in ("ridge", "ridgecv")}
    for _which, _stimuli in (("", 412 + 103), ("_surface", 412 + 103), ("_4subj", 800 + 200), ("_surface_4subj", 800 + 200)):
        for _metric in ("ridge", "rdm"):
            OFFICIAL[f"Allen2022_fmri{_which}.{_region}-{_metric}"] = (
                8.4, None, _stimuli, _voxels if (_which, _metric) == ("", "ridge") else None)
# 5.3; cue conflict, edge and silhouette are benchmarks of the data at hand.
GEIRHOS = {"colour": .41543, "contrast": .43703, "eidolonI": .38634, "eidolonII": .45402, "eidolonIII": .45953, "falsecolour": .44405,
           "highpass": .44014, "lowpass": .46888, "phasescrambling": .44667, "powerequalisation": .51063, "rotation": .43851,
           "sketch": .36962, "stylized": .50058, "uniformnoise": .43406}
OFFICIAL |= {f"Geirhos2021{name}-error_consistency": (3, ceiling, None, None) for name, ceiling in GEIRHOS.items()}
OFFICIAL |= {f"MajajHong2015public.{region}-temporal-pls": (8, None, 3200, n) for region, n in (("V4", 88), ("IT", 168))}
OFFICIAL |= {"Kar2019-ost": (8, .79, 1318, 424)}
OFFICIAL |= {f"Li2026.{region}-rdm": (11, None, 1000, None) for region in ("V1", "V2", "V4", "IT")}
OFFICIAL |= {f"Gifford2022.IT-{metric}": (7, None, 1654 * 10 + 200, 10 * 17 * 60) for metric in ("ridge", "ridgecv")}  # 1.2
# 1.5
OFFICIAL |= {f"Baker2022{name}-accuracy_delta": (8.8, c, None, None) for name, c in zip(("frankenstein", "fragmented", "inverted"), (.8498, .9385, .6538))}
OFFICIAL |= {f"BMD2024.{name}Behavioral-accuracy_distance": (8, c, 100, None) for name, c in
             zip(("texture_1", "texture_2", "dotted_1", "dotted_2"), (.98283, .97337, .97837, .93071))}
OFFICIAL |= {"Hebart2023-match": (8, .6767, 1854, None), "tong.Coggan2024_behavior-ConditionWiseAccuracySimilarity": (10, None, 22560, None)}
FERGUSON = "circle_line color convergence eighth gray_easy gray_hard half juncture lle llh quarter round_f round_v tilted_line".split()
OFFICIAL |= {f"Ferguson2024{name}-value_delta": (8, c, 48, None) for name, c in zip(
    FERGUSON, (.883, .897, .862, .852, .907, .863, .898, .767, .831, .812, .876, .874, .853, .912))}
OFFICIAL |= {f"Lonnqvist2024_{name}BehavioralAccuracyDistance": (17.70753, c, None, None) for name, c in
             zip(("InlabInstructions", "InlabNoInstructions", "OnlineNoInstructions"), (.95646, .84258, .79753))}
OFFICIAL |= {"Lonnqvist2024_EngineeringAccuracy": (17.70753, None, None, None)}
OFFICIAL |= {"Maniquet2024-confusion_similarity": (8, .53526, None, None), "Maniquet2024-tasks_consistency": (8, .99810, None, None)}
SCIALOM = dict(zip([f"{kind}-{n}" for kind in ("phosphenes", "segments") for n in (12, 16, 21, 27, 35, 46, 59, 77, 100)], (  # 5.3
    .94213, .90114, .89134, .77732, .78466, .78246, .79745, .83475, .86073, .86167, .8202, .8079, .78282, .77724, .85391, .83410, .86227, .92517)))
for _name, _ceiling in (SCIALOM | {"rgb": .98484, "contours": .97794}).items():
    OFFICIAL |= {f"Scialom2024_{_name}BehavioralAccuracyDistance": (8, _ceiling, 48, None), f"Scialom2024_{_name}EngineeringAccuracy": (8, None, 48, None)}
for _name, _consistency, _distance in (("phosphenes", .45755, .89533), ("segments", .42529, .89052)):
    OFFICIAL |= {f"Scialom2024_{_name}-allErrorConsistency": (8, _consistency, 528, None),
                 f"Scialom2024_{_name}-allAccuracyDistance": (8, _distance, 528, None)}
SIZE = "as the network's"  # 1.6: no screen scaling
OFFICIAL |= {f"Geirhos2021{name}-top1": (SIZE, None, None, None) for name in GEIRHOS}
OFFICIAL |= {f"Hermann2020cueconflict-{metric}": (SIZE, None, 1280, None) for metric in ("shape_bias", "shape_match")}
OFFICIAL |= {f"MajajHong2015public.{region}-reverse_pls": (8, None, 3200, n) for region, n in (("V4", 88), ("IT", 168))}
OFFICIAL |= {"ImageNet-top1": (SIZE, None, 50000, None)}
OFFICIAL |= {f"ImageNet-C-{name}-top1": (SIZE, None, None, None) for name in ("noise", "blur", "weather", "digital")}
# 1.3: ceilings in the order given there, and neuroids of each study
NEUROIDS = {"Cavanaugh2002": 190, "DeValois1982": 385, "FreemanZiemba2013": 102, "Ringach2002": 304, "Schiller1976": 87}
MARQUES = """Cavanaugh2002-grating_summation_field .956 Cavanaugh2002-surround_diameter .955 Cavanaugh2002-surround_suppression_index .958
    DeValois1982-pref_or .962 DeValois1982-peak_sf .967 FreemanZiemba2013-texture_modulation_index .948
    FreemanZiemba2013-abs_texture_modulation_index .958 FreemanZiemba2013-texture_selectivity .940 FreemanZiemba2013-texture_sparseness .935
    FreemanZiemba2013-texture_variance_ratio .939 FreemanZiemba2013-max_texture .946 FreemanZiemba2013-max_noise .945
    Ringach2002-circular_variance .959 Ringach2002-or_bandwidth .964 Ringach2002-orth_pref_ratio .962 Ringach2002-or_selective .994
    Ringach2002-cv_bandwidth_ratio .968 Ringach2002-opr_cv_diff .967 Ringach2002-modulation_ratio .959 Ringach2002-max_dc .968
    Schiller1976-sf_selective .963 Schiller1976-sf_bandwidth .933""".split()
for _name, _ceiling in zip(MARQUES[::2], MARQUES[1::2]):
    _study = _name.split("-")[0]
    OFFICIAL["Marques2020_" + _name] = (12, float(_ceiling), 450 if _study.startswith("Freeman") else None,
                                        363 if _name == "DeValois1982-peak_sf" else NEUROIDS[_study])
for _region in ("V1", "V2", "V4", "IT"):  # 1.2
    OFFICIAL |= {f"tong.Coggan2024_fMRI.{_region}-rdm": (9, None, 24, None)}
    OFFICIAL |= {f"Zerbe2026_fmri.{_region}-{metric}": (9.2, None, 1492, None) for metric in ("tau-ridgecv", "ood-ridgecv", "rdm-pearson", "cka")}
    OFFICIAL |= {f"Zerbe2026_fmri_persubject.{_region}-{split}-ridgecv": (9.2, None, 1492, None) for split in ("tau", "ood")}
OFFICIAL |= {f"Islam2021-{factor}_{region}_dimensionality": (SIZE, 1, 4369 * 5, None)
             for factor in ("shape", "texture") for region in ("v1", "v2", "v4", "it")}  # 1.4
OFFICIAL |= {f"Malania2007.{name}": (2.986667, ceiling, 50, None) for name, ceiling in zip(  # 1.5
    [*(f"{c}-threshold_elevation" for c in "short2 short4 short6 short8 short16 equal2 long2 equal16 long16".split()), "vernieracuity-threshold"],
    (.78719, .49999, .50590, .44263, .83834, .56664, .46470, .44087, .50997, .70168))}
OFFICIAL |= {"Igustibagus2024-ridge": (8, None, 780, 110), "Igustibagus2024.IT_readout-accuracy": (8, None, 780, None),
             "Cadena2017-mask": (2, None, 6249, 166)}  # 1.1
OFFICIAL |= {"Bracci2019.anteriorVTC-rdm": (8, None, None, None), "ObjectNet-top1": (SIZE, None, 17261, None)}
OFFICIAL |= {"Rajalingham2018-i2n": (8, .479, 240, None), "Rajalingham2018public-i2n": (8, None, None, None)}


# Presentations that the platform asks of a network (1.1, 1.5, 1.6), by the beginning of an identifier; others are not stated.
TRIALS = {"MajajHong2015": 50, "FreemanZiemba2013": 20, "Sanghavi2020": 28, "SanghaviJozwik2020": 37, "SanghaviMurty2020": 50, "Rajalingham2020": 33,
          "Cadena2017": 2, "Kar2019": 44, "Li2026": 1, "Papale2025": 1, "Igustibagus2024-ridge": 63, "Rajalingham2018": 2, "Baker2022": 1, "BMD2024": 1,
          "Ferguson2024": 3, "tong.Coggan2024_behavior": 1, "ImageNet-top1": 10, "Lonnqvist2024_In": 1, "Lonnqvist2024_On": 1}
TRIALS |= {f"Geirhos2021{name}-{metric}": n for name in GEIRHOS for metric, n in (("error_consistency", 1), ("top1", 10))}


def test_official_definitions():
    found = {}
    for path in (ROOT / "data_manifests/benchmarks").glob("*.json"):
        manifest = json.loads(path.read_text())
        if manifest["stimulus_set"].startswith("brainio/"):
            published = manifest.get("published", {})
            found[manifest["identifier"]] = (manifest["visual_degrees"], *(published.get(k) for k in ("ceiling", "stimuli", "neuroids")))
            metric = manifest["metric"]
            assert published.get("trials") == next((n for start, n in TRIALS.items() if manifest["identifier"].startswith(start)), None), path.name
            if metric["name"] == "pls":
                assert metric["n_components"] == 25
            if metric["name"] == "ridge":
                assert metric["alpha"] == 1
            if metric["name"].startswith("threshold"):
                assert (manifest["readout"]["C"], manifest["readout"]["trials"], metric["trials"], metric["accuracy"]) == (1e-3, 2, 10, .75)
            if metric["name"] == "factor_dimensionality":
                assert metric["seed"] == 1751 and manifest["ceiling"]["value"] == 1 and manifest["time_ms"] == [70, 170]
            if metric["name"] == "i2n":
                assert manifest["readout"]["C"] == 1e-3
            if "train_stimulus_set" in manifest:
                assert manifest["assemblies"][0]["each"] == "subject"
                assert manifest["assemblies"][0].get("above") in ({"nc_testset": 30}, {"reliability": 0.3}, None)
                assert metric["name"] == "rdm" or manifest["populations"] == "mean"
            elif manifest.get("splits", {}).get("kind") == "column":  # 1.2: LAION-fMRI
                assert manifest["splits"]["by"] in manifest["identifier"] and ("populations" in manifest) == ("persubject" in manifest["identifier"])
                assert np.allclose(np.log10(metric["alphas"]), np.arange(-10, 11)) and manifest["assemblies"][0]["above"] == {"nc_12rep": 30}
            elif metric["name"] == "mask_regression":
                assert manifest["splits"] == {"kind": "shuffle", "n_splits": 4, "train_fraction": .9, "seed": 1}
            elif metric["name"] == "two_way_accuracy":
                assert manifest["splits"]["n_splits"] == 1000 and np.ptp(np.log10(manifest["readout"]["alphas"])) == 5
            elif "splits" in manifest:
                assert {k: v for k, v in manifest["splits"].items() if k not in ("kind", "by", "disjoint")} == {"n_splits": 10, "train_fraction": .9, "seed": 1}
    assert found == OFFICIAL


def test_what_no_list_has_is_not_fetched(tmp_path):
    done = run("data", "fetch", "Zerbe2026_fmri_Assembly", env={"CORTISCORE_HOME": str(tmp_path)})
    assert done.returncode == 5 and "cannot be fetched" in done.stderr and "assy_Zerbe2026_fmri_Assembly.nc" in done.stderr
    shown = run("data", "info", "Zerbe2026_fmri_Assembly", env={"CORTISCORE_HOME": str(tmp_path)}).stdout
    assert "sha1 unknown" in shown and "bucket     unknown" in shown and "Zerbe2026_fmri.IT-cka" in shown
    # Whoever does not read to the end gets no traceback.
    command = f"'{BINARY}' data info Zerbe2026_fmri_Assembly | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env={**os.environ, "CORTISCORE_HOME": str(tmp_path)})
    assert done.returncode == 141 and not done.stderr


def test_fetched_by_identifier(server, cache, tmp_path, monkeypatch):  # noqa: F811
    """From the bucket, at its version, checked by SHA-1; private sets are said to need credentials."""
    folder = tmp_path / "tree"
    shutil.copytree(ROOT / "data_manifests", folder / "data_manifests")
    shutil.copytree(ROOT / "python", folder / "python", ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    path = folder / "data_manifests/brainio/majajhong2015.json"
    plugin = json.loads(path.read_text())
    for entry in plugin["sets"]:
        for file in entry["files"]:
            if (FILES / file["name"]).exists():  # the fixture's hashes in place of the real ones
                file["sha1"] = hashlib.sha1((FILES / file["name"]).read_bytes()).hexdigest()
    path.write_text(json.dumps(plugin))
    asked = []

    def serve(self, server, how, name, time_seen):  # BUCKET/PREFIX/FILE?versionId=...
        asked.append(f"/{how}/{name}")
        file = FILES / urllib.parse.urlparse(name).path.rsplit("/", 1)[-1]
        return self.answer(200, file.read_bytes()) if file.exists() else self.answer(403, b"AccessDenied")

    monkeypatch.setattr(Handler, "serve", serve)
    env = {**cache, "BRAINIO_HOME": str(tmp_path / "none"), "PYTHONPATH": str(folder / "python")}
    fetch = lambda *names: subprocess.run(
        [sys.executable, "-m", "cortiscore.data", "fetch", *names, "--mirror", server.url, "--wait-seconds", "0.01"],
        env={**os.environ, **env}, capture_output=True, text=True, cwd=folder / "python")
    done = fetch("hvm-public", "dicarlo.MajajHong2015.public")
    assert done.returncode == 0, done.stderr
    assert "/brainscore-storage/brainio-brainscore/assy_dicarlo_MajajHong2015_public.nc?versionId=LZWj2qjAwZKdmHdTGftpBPSO6oq.y9Q7" in asked
    assert "/brainscore-storage/brainio-brainscore/stimulus_hvm-public.zip" in asked
    assert run_json("benchmark", "info", "MajajHong2015public.IT-pls", env=env)["measured"]["neuroids"] == 3
    done = fetch("dicarlo.MajajHong2015.private")
    assert done.returncode == 5 and "not public, or needs credentials" in done.stderr
    done = fetch("dicarlo.MajajHong2015.publik")
    assert done.returncode == 4 and "dicarlo.MajajHong2015.public" in done.stderr
