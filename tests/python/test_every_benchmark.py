"""Every manifest of the project end to end on small simulated data of its own schema: who has the official files has
reason to expect a score."""
import json

import numpy as np
import pytest
import xarray as xr
from PIL import Image

from conftest import ROOT, run, run_json, write

MANIFESTS = sorted((ROOT / "data_manifests/benchmarks").glob("*.json"))
N_STIMULI, N_GROUPS, N_NEUROIDS, N_SUBJECTS = 96, 8, 5, 3


def simulate(manifest, home):
    """Files as the manifest names them, under home/data; returns features that know the latent structure."""
    generator = np.random.default_rng(0)
    latent = generator.normal(size=(N_STIMULI, 30))
    ids = [f"stimulus{i:03d}" for i in range(N_STIMULI)]
    groups = [f"group{i % N_GROUPS}" for i in range(N_STIMULI)]
    columns = {entry["by"] for key in ("splits", "layer_selection") if "by" in (entry := manifest.get(key, {}))} - {"stimulus_id"}
    readout = manifest.get("readout", {})
    place = lambda file: (home / "data" / file)
    place(manifest["stimulus_set"]).parent.mkdir(parents=True, exist_ok=True)
    rows = [{"stimulus_id": s, "filename": f"{s}.png", **{c: g for c in columns}, "shape": g, "texture": groups[(i * 3 + 1) % N_STIMULI],
             readout.get("role", "role"): "fit" if i < N_STIMULI // 2 else "test", readout.get("label", "object_name"): g}
            for i, (s, g) in enumerate(zip(ids, groups))]
    write(place(manifest["stimulus_set"]), rows)
    for name in ids:
        Image.fromarray(generator.integers(0, 256, (8, 8, 3), np.uint8)).save(place(manifest["stimulus_set"]).parent / f"{name}.png")
    for entry in manifest.get("assemblies", []):
        signal = latent @ generator.normal(size=(30, N_NEUROIDS))
        trials = signal[None] + generator.normal(size=(6, *signal.shape))
        values = trials.reshape(-1, N_NEUROIDS)
        coords = {"stimulus_id": ("presentation", ids * 6), entry.get("repetition", "repetition"): ("presentation", np.repeat(range(6), N_STIMULI)),
                  "neuroid_id": ("neuroid", [f"n{i}" for i in range(N_NEUROIDS)])}
        dims = ["presentation", "neuroid"]
        for coordinate, wanted in entry.get("where", {}).items():  # others lie between, and know nothing
            values = np.concatenate([values, generator.normal(size=values.shape)], 1)
            coords["neuroid_id"] = ("neuroid", [f"n{i}" for i in range(values.shape[1])])
            coords[coordinate] = ("neuroid", [wanted] * N_NEUROIDS + ["elsewhere"] * N_NEUROIDS)
        if "time_ms" in entry:  # halves of the window, and a bin after it
            start, end = entry["time_ms"]
            values = np.stack([values, values, generator.normal(size=values.shape)], -1)
            dims.append("time_bin")
            coords |= {"time_bin_start": ("time_bin", [start, (start + end) // 2, end]), "time_bin_end": ("time_bin", [(start + end) // 2, end, end + 10])}
        xr.DataArray(values, dims=dims, name="data", coords=coords).to_netcdf(place(entry["file"]), engine="h5netcdf")
    if "rdms" in manifest:
        rdms = np.array([1 - np.corrcoef(latent + generator.normal(size=latent.shape)) for _ in range(N_SUBJECTS)])
        rdms[:, range(N_STIMULI), range(N_STIMULI)] = 0
        xr.DataArray(rdms, dims=["subject", "presentation", "presentation_other"], name="data",
                     coords={"stimulus_id": ("presentation", ids)}).to_netcdf(place(manifest["rdms"]), engine="h5netcdf")
    features = latent + 0.3 * generator.normal(size=latent.shape)
    if "choices" in manifest:
        test = range(N_STIMULI) if "classes" in readout else range(N_STIMULI // 2, N_STIMULI)
        hard = generator.random(N_STIMULI) < 0.4
        answer = lambda i: groups[(i + 1) % N_STIMULI] if hard[i] and generator.random() < 0.8 else groups[i]
        place(manifest["choices"]).parent.mkdir(parents=True, exist_ok=True)
        write(place(manifest["choices"]), [{"subject": f"s{s}", "stimulus_id": ids[i], "truth": groups[i], "choice": answer(i)}
                                           for s in range(N_SUBJECTS) for i in test])
        # What is hard for the subjects looks like another group to a readout, too.
        seen = (np.arange(N_STIMULI) + (hard & (np.arange(N_STIMULI) >= N_STIMULI // 2))) % N_GROUPS
        features = features + 4 * generator.normal(size=(N_GROUPS, 30))[seen]
    if "classes" in readout:
        write(place(readout["classes"]), [{"category": f"group{i % N_GROUPS}", "index": i} for i in range(3 * N_GROUPS)])
        features = generator.normal(size=(N_STIMULI, readout.get("n_outputs", 1000)))
        for i in range(N_STIMULI):
            features[i, ((i + hard[i]) % N_GROUPS):3 * N_GROUPS:N_GROUPS] += 6
    return features


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda p: p.stem)
def test_a_benchmark_scores_on_data_of_its_schema(path, tmp_path):
    manifest = json.loads(path.read_text())
    np.save(tmp_path / "features.npy", simulate(manifest, tmp_path))
    record = run_json("score", tmp_path / "features.npy", "-b", manifest["identifier"], env={"CORTISCORE_HOME": str(tmp_path)})
    assert record["status"] == "ok" and record["benchmark_identifier"] == manifest["identifier"]
    score = record["score"]
    assert 0.2 < score["raw"] <= 1, score
    unceiled = manifest.get("ceiling", {}).get("name") == "none" or manifest["metric"]["name"] == "shape_bias"
    if unceiled:
        assert score["ceiled"] is None and not record["composite"]
    else:
        assert 0 < score["ceiled"] and record["error"]["ci_lo"] <= score["ceiled"] <= record["error"]["ci_hi"]
    info = run_json("benchmark", "info", manifest["identifier"], env={"CORTISCORE_HOME": str(tmp_path)})
    assert info["here"] and info["citation"] and info["licence"] and info["measured"]["stimuli"] == N_STIMULI


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
