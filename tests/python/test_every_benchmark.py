"""Every manifest of the project end to end on small simulated data of its own schema: who has the official files has
reason to expect a score."""
import json

import numpy as np
import pytest
import xarray as xr
from PIL import Image

from conftest import ROOT, run, run_json, write

MANIFESTS = sorted((ROOT / "data_manifests/benchmarks").glob("*.json"))
FOLDER = ROOT / "data_manifests/benchmarks"
N_STIMULI, N_GROUPS, N_NEUROIDS, N_SUBJECTS = 96, 8, 5, 3


def write_stimuli(path, ids, columns, generator):
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path, [{"stimulus_id": s, "filename": f"{s}.png", **{name: values[i] for name, values in columns.items()}}
                 for i, s in enumerate(ids)])
    for name in ids:
        if not (path.parent / f"{name}.png").exists():
            Image.fromarray(generator.integers(0, 256, (8, 8, 3), np.uint8)).save(path.parent / f"{name}.png")


def write_responses(path, entry, latent, ids, weights, generator, repetitions=6):
    """An assembly of which `where`, `each`, `above` and `time_ms` of a manifest's entry take their part."""
    subjects = [f"s{i}" for i in range(N_SUBJECTS)] if "each" in entry else [""]
    n, m = len(ids), N_NEUROIDS * len(subjects)
    if weights.shape[1] > N_NEUROIDS * N_SUBJECTS:
        m = weights.shape[1]
    signal = latent @ weights[:, :m]
    values = (signal[None] + generator.normal(size=(repetitions, *signal.shape))).reshape(-1, m)
    of_neuroid = {"neuroid_id": [f"n{i}" for i in range(m)]}
    if "each" in entry:
        of_neuroid[entry["each"]] = np.repeat(subjects, N_NEUROIDS)
    if "above" in entry:
        of_neuroid |= {coordinate: np.full(m, threshold + 0.5) for coordinate, threshold in entry["above"].items()}
    # What is left out lies between, and knows nothing.
    for coordinate, inside, outside in [*[(c, v, "elsewhere") for c, v in entry.get("where", {}).items()],
                                        *[(c, None, v - 1) for c, v in entry.get("above", {}).items()]]:
        size = values.shape[1]
        values = np.concatenate([values, generator.normal(size=values.shape)], 1)
        of_neuroid = {name: [*column, *column] for name, column in of_neuroid.items()}
        kept = of_neuroid.get(coordinate, [inside] * 2 * size)[:size]
        of_neuroid[coordinate] = [*kept, *[outside] * size]
        of_neuroid["neuroid_id"] = [f"n{i}" for i in range(2 * size)]
    dims = ["presentation", "neuroid"]
    coords = {"stimulus_id": ("presentation", list(ids) * repetitions),
              entry.get("repetition", "repetition"): ("presentation", np.repeat(range(repetitions), n)),
              **{name: ("neuroid", column) for name, column in of_neuroid.items()}}
    if "time_ms" in entry:  # halves of the window, and a bin after it
        start, end = entry["time_ms"]
        values = np.stack([values, values + 0.1, generator.normal(size=values.shape)], -1)
        dims.append("time_bin")
        coords |= {"time_bin_start": ("time_bin", [start, (start + end) // 2, end]), "time_bin_end": ("time_bin", [(start + end) // 2, end, end + 10])}
    path.parent.mkdir(parents=True, exist_ok=True)
    xr.DataArray(values, dims=dims, name="data", coords=coords).to_netcdf(path, engine="h5netcdf")


def write_choices(path, rows):
    """A CSV, or the platform's behavioural assembly, whose values are the choices."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".csv":
        write(path, rows)
    else:
        coords = {name: ("presentation", [row[name] for row in rows]) for name in rows[0] if name != "choice"}
        xr.DataArray(np.array([row["choice"] for row in rows], dtype=object), dims=["presentation"], coords=coords).to_netcdf(
            path, engine="h5netcdf")


def two_way_trials(generator, ids, groups, hard, n=30000):
    """Each offers an image's group and another; the next group is taken for that of a hard image."""
    names = sorted(set(groups))
    rows = []
    for i in generator.integers(len(ids), size=n):
        distractor = names[(names.index(groups[i]) + generator.integers(1, len(names))) % len(names)]
        near = distractor == names[(names.index(groups[i]) + 1) % len(names)]
        wrong = generator.random() < (0.6 if hard[i] and near else 0.1)
        rows.append({"subject": f"s{generator.integers(N_SUBJECTS)}", "stimulus_id": ids[i], "truth": groups[i], "sample_obj": groups[i],
                     "dist_obj": distractor, "choice": distractor if wrong else groups[i]})
    return rows


def conditions_of(manifest):
    """Columns that a metric tells trials apart by, under the file's names, with the values of each stimulus."""
    cells = manifest["metric"].get("cells", [])
    place = np.arange(N_STIMULI) // 2  # apart from the groups' order
    columns = {}
    for cell in cells:
        values = cell.get("values", ["a", "b", "c"])
        name = manifest.get("columns", {}).get(cell["column"], cell["column"])
        columns[name] = [values[i % len(values)] for i in place]
        place = place // len(values)
    return columns


def triplets(manifest, ids, latent, generator, n=2000):
    """The odd one by the latent structure, now and then another."""
    similar, rows = latent @ latent.T, []
    for i, j, k in (generator.choice(len(ids), 3, replace=False) for _ in range(n)):
        odd = [k, j, i][int(np.argmax([similar[i, j], similar[i, k], similar[j, k]]))]
        odd = odd if generator.random() < 0.9 else i
        rest = [x for x in (i, j, k) if x != odd]
        rows.append(dict(zip(["image_1", "image_2", "image_3"], [ids[x] for x in (*rest, odd)])) | {"choice": "0"})
    return rows


def simulate_thresholds(manifest, home, generator):
    """Verniers whose offsets are seen through noise, less of it without flankers; subjects who see likewise."""
    place = lambda file: home / "data" / file
    offsets = np.tile(np.linspace(0.2, 3.2, 8), N_STIMULI // 8)
    sides = np.where(np.arange(N_STIMULI) // 8 % 2, 1, -1)
    baseline = manifest.get("baseline")
    fits = manifest["readout"]["fit_stimulus_set"]
    fits = [fits] if isinstance(fits, str) else fits
    sets = [*((file, 1, manifest["readout"]["trials"]) for file in fits), *([(baseline["stimulus_set"], 1, manifest["metric"]["trials"])] if baseline else []),
            (manifest["stimulus_set"], 0.5 if baseline else 1, manifest["metric"]["trials"])]
    features = []
    for file, gain, trials in sets:
        write_stimuli(place(file), [f"{file[26:-4]}{i}" for i in range(N_STIMULI)],
                      {manifest["metric"]["variable"]: offsets, manifest["readout"]["label"][0]: np.where(sides > 0, "right", "left")}, generator)
        seen = np.repeat(gain * sides * offsets, trials)
        features.append(np.c_[seen + generator.normal(size=len(seen)), generator.normal(size=(len(seen), 2))])
    for file, threshold in [(manifest["choices"], 0.6745 / sets[-1][1]), *([(baseline["choices"], 0.6745)] if baseline else [])]:
        values = threshold * generator.uniform(0.85, 1.15, N_SUBJECTS + 1)
        values[-1] = np.nan
        xr.DataArray(values, dims=["subject"], name="data", coords={"subject": [f"s{i}" for i in range(N_SUBJECTS + 1)]}).to_netcdf(
            place(file), engine="h5netcdf")
    return np.concatenate(features)


def simulate(manifest, home):
    """Files as the manifest names them, under home/data; returns features that know the latent structure."""
    generator = np.random.default_rng(0)
    if manifest["metric"]["name"].startswith("threshold"):
        return simulate_thresholds(manifest, home, generator)
    latent = generator.normal(size=(N_STIMULI, 30))
    ids = [f"stimulus{i:03d}" for i in range(N_STIMULI)]
    readout = manifest.get("readout", {})
    decisions = "classes" in readout
    files = [readout.get("classes", [])] if isinstance(readout.get("classes"), str) else readout.get("classes", [])
    official = decisions and files[0].endswith(".json")  # the project's own categories
    categories = {name: v for f in files if official for name, v in json.loads((FOLDER / f).read_text())["categories"].items()}
    names = sorted(categories) if official else [f"group{i}" for i in range(N_GROUPS)]
    groups = [names[i % len(names)] for i in range(N_STIMULI)]
    half = N_STIMULI // 2
    label = readout.get("label", "object_name")
    columns = {entry["by"]: groups for key in ("splits", "layer_selection") if "by" in (entry := manifest.get(key, {}))}
    columns |= {"shape": groups, "texture": [groups[(i * 3 + 1) % N_STIMULI] for i in range(N_STIMULI)],
                label if isinstance(label, str) else label[-1]: groups, readout.get("role", "role"): ["fit"] * half + ["test"] * half}
    columns |= {readout.get("truth", "truth"): groups, manifest["metric"].get("texture", "texture"): columns["texture"]}
    columns |= (conditions := conditions_of(manifest))
    columns.pop("stimulus_id", None)
    if "disjoint" in manifest.get("splits", {}):
        columns[manifest["splits"]["disjoint"]] = [f"background{i // 3}" for i in range(N_STIMULI)]
    if "domain" in manifest["metric"]:
        columns[manifest["metric"]["domain"]] = [f"domain{i // half}" for i in range(N_STIMULI)]
    if "factor" in manifest["metric"]:  # four textures of every shape
        columns |= {"shape": [f"shape{i // 4}" for i in range(N_STIMULI)], "texture": [f"texture{i % 4}" for i in range(N_STIMULI)]}
        latent = latent[np.arange(N_STIMULI) // 4] + latent[np.arange(N_STIMULI) % 4]
    if manifest.get("splits", {}).get("kind") == "column":
        columns[manifest["splits"]["by"]] = [["train", "train", "train", "test", "neither"][i % 5] for i in range(N_STIMULI)]
    sample = manifest.get("sample")
    if sample:
        columns[sample["by"]] = [f"kind{i % 3}" for i in range(N_STIMULI)]
    place = lambda file: home / "data" / file
    train = manifest.get("train_stimulus_set") or readout.get("fit_stimulus_set")
    part = lambda rows: ([ids[i] for i in rows], {name: [values[i] for i in rows] for name, values in columns.items()})
    everything, first, second = range(N_STIMULI), range(half), range(half, N_STIMULI)
    tested = everything if train in (None, manifest["stimulus_set"]) else second
    write_stimuli(place(manifest["stimulus_set"]), *part(tested), generator)
    if tested is second:
        write_stimuli(place(train), *part(first), generator)
    for entry in manifest.get("assemblies", []):
        # Neuroids that predict must be as many as there are components.
        n_neuroids = 30 if manifest["metric"]["name"] == "reverse_pls" else N_NEUROIDS * N_SUBJECTS
        weights = generator.normal(size=(30, n_neuroids))
        if manifest["metric"]["name"] in ("rdm", "cka"):  # subjects that see alike
            weights = np.tile(weights[:, :N_NEUROIDS], N_SUBJECTS) + 0.5 * generator.normal(size=weights.shape)
        write_responses(place(entry["file"]), entry, latent[tested], part(tested)[0], weights, generator)
        if "train_file" in entry:
            write_responses(place(entry["train_file"]), entry, latent[first], part(first)[0], weights, generator, 1)
    if "rdms" in manifest:
        rdms = np.array([1 - np.corrcoef(latent + generator.normal(size=latent.shape)) for _ in range(N_SUBJECTS)])
        rdms[:, range(N_STIMULI), range(N_STIMULI)] = 0
        file = manifest["rdms"] if isinstance(manifest["rdms"], dict) else {"file": manifest["rdms"]}
        coords = {"stimulus_id": ("presentation", ids)}
        if file.get("values") == "similarities":
            rdms = 1 - rdms
        for coordinate, inside in file.get("where", {}).items():  # elsewhere it is noise
            rdms = np.concatenate([rdms, np.array([np.corrcoef(generator.normal(size=latent.shape)) for _ in range(N_SUBJECTS)])])
            coords[coordinate] = ("subject", [inside] * N_SUBJECTS + ["elsewhere"] * N_SUBJECTS)
        xr.DataArray(rdms, dims=["subject", "presentation", "presentation_other"], name="data", coords=coords).to_netcdf(
            place(file["file"]), engine="h5netcdf")
    features = latent + 0.3 * generator.normal(size=latent.shape)
    if "domain" in manifest["metric"]:  # objects differ a little
        features = features + 1.5 * generator.normal(size=(N_GROUPS, 30))[[names.index(g) for g in groups]]
    if manifest["metric"].get("units") == "responsive":  # which only some are
        features = np.c_[features + 5, generator.normal(size=(N_STIMULI, 400))]
    if readout.get("name") == "odd_one_out":
        write_choices(place(manifest["choices"]), triplets(manifest, ids, latent, generator))
    elif "choices" in manifest or decisions:
        test = everything if decisions or tested is everything and train else second
        hard = generator.random(N_STIMULI) < 0.4
        if conditions:  # each as hard as it comes late in the columns' crossed values
            codes = [np.array([list(dict.fromkeys(values)).index(v) for v in values]) for values in conditions.values()]
            order = sum(c * 10**(len(codes) - i) for i, c in enumerate(codes))
            hard = generator.random(N_STIMULI) < 0.1 + 0.6 * np.argsort(np.argsort(order)) / N_STIMULI
        wrong = lambda i: names[(names.index(groups[i]) + 1) % len(names)]
        if manifest["metric"]["name"] == "i2n":
            rows = two_way_trials(generator, [ids[i] for i in test], [groups[i] for i in test], hard[list(test)])
        else:
            answer = lambda i: wrong(i) if hard[i] and generator.random() < 0.8 else groups[i]
            rows = [{"subject": f"s{s}", "stimulus_id": ids[i], "truth": groups[i], "choice": answer(i), "condition": "c1"}
                    | {name: values[i] for name, values in conditions.items()} for s in range(N_SUBJECTS) for i in test]
            rows = [{next((theirs for ours, theirs in manifest.get("columns", {}).items() if ours == name), name): value
                     for name, value in row.items()} for row in rows]
        for name, left_out in manifest.get("exclude", {}).items():
            rows = [{name: "kept", **row} for row in rows]
            rows += [{**rows[0], "stimulus_id": f"another{i}", "choice": "none", name: c} for i, c in enumerate(left_out)]
        if manifest.get("incomplete_choices") == "skip":
            rows.pop(1)
        if "choices" in manifest:
            write_choices(place(manifest["choices"]), rows)
        # What is hard for the subjects looks like another group to a readout, too.
        confused = hard if test is everything else hard & (np.arange(N_STIMULI) >= half)
        seen = (np.arange(N_STIMULI) + confused) % len(names)
        features = features + 4 * generator.normal(size=(len(names), 30))[seen]
    if decisions:
        outputs = {name: categories[name] if official else list(range(g, 3 * N_GROUPS, N_GROUPS)) for g, name in enumerate(names)}
        if not official:
            write(place(files[0]), [{"category": name, "index": i} for name, several in outputs.items() for i in several])
        features = generator.normal(size=(N_STIMULI, readout.get("n_outputs", 1000)))
        for i in range(N_STIMULI):
            features[i, outputs[wrong(i) if hard[i] else groups[i]]] += 6
    if manifest.get("splits", {}).get("kind") == "column":  # trained ones first
        return features[[i for test in (False, True) for i in range(N_STIMULI) if i % 5 < 4 and (i % 5 == 3) == test]]
    # Of every kind the first, and each so many-th after it.
    return features[[i for i in range(N_STIMULI) if i // 3 % sample["every"] == 0]] if sample else features


def n_used(manifest):
    if manifest.get("splits", {}).get("kind") == "column":
        return N_STIMULI - N_STIMULI // 5
    return 12 if "sample" in manifest else N_STIMULI


# The properties of V1 units have a world of their own (test_properties.py), solution times a network that changes in time
# (test_recurrent.py).
@pytest.mark.parametrize("path", [p for p in MANIFESTS if not p.stem.startswith(("Marques2020_", "Kar2019"))], ids=lambda p: p.stem)
def test_a_benchmark_scores_on_data_of_its_schema(path, tmp_path):
    manifest = json.loads(path.read_text())
    np.save(tmp_path / "features.npy", simulate(manifest, tmp_path))
    record = run_json("score", tmp_path / "features.npy", "-b", manifest["identifier"], env={"CORTISCORE_HOME": str(tmp_path)})
    assert record["status"] == "ok" and record["benchmark_identifier"] == manifest["identifier"]
    score = record["score"]
    if manifest["metric"]["name"] == "mask_regression":  # 96 stimuli are 40 steps: nothing is learned (test_masks_and_domains.py)
        assert -1 <= score["raw"] <= 1, score
    else:
        assert 0.2 < score["raw"] <= 1, score
    if manifest.get("ceiling", {}).get("name") == "none" or manifest["metric"]["name"] in ("accuracy", "shape_bias", "shape_match", "two_way_accuracy"):
        assert score["ceiled"] is None and record["composite"] == (manifest["parent"] == "engineering" and manifest.get("composite", True))
        assert record["raw"]["ci_lo"] <= score["raw"] <= record["raw"]["ci_hi"]
    else:
        assert 0 < score["ceiled"] and record["error"]["ci_lo"] <= score["ceiled"] <= record["error"]["ci_hi"]
    info = run_json("benchmark", "info", manifest["identifier"], env={"CORTISCORE_HOME": str(tmp_path)})
    assert info["here"] and info["citation"] and info["licence"] and info["measured"]["stimuli"] == n_used(manifest)


def test_lists_are_filtered():
    """By what was recorded in whom; every manifest says it."""
    listed = lambda *flags: {json.loads(line)["identifier"] for line in run("benchmark", "list", "--json", *flags).stdout.splitlines()}
    every = [json.loads(path.read_text()) for path in MANIFESTS]
    assert all(m["species"] and m["modality"] and m["access"] for m in every)
    for flag in ("species", "modality", "access", "region"):
        values = {m[flag] for m in every}
        assert len(values) > 1
        for value in values:
            found = {m["identifier"] for m in every if m[flag] == value}
            assert listed(f"--{flag}", value) & {m["identifier"] for m in every} == found
    assert not listed("--species", "macaque", "--modality", "fMRI")
