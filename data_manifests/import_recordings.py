"""Bring the two macaque recordings in: assemblies (NetCDF-4, every trial kept) and stimulus sets (CSV plus zip).

    python data_manifests/import_recordings.py SOURCE [--home FOLDER] [--only Cowley2023|Henaff2021]

SOURCE holds v4_cowley2023_macaque/ and v1_henaff2021_macaque/ with the files that the two data manifests name; the
originals lie in the public repositories that the manifests cite. Output goes to FOLDER/data, where `cortiscore score`
looks (default: $CORTISCORE_HOME, else $XDG_DATA_HOME/cortiscore, else ~/.local/share/cortiscore). Running it again
writes the same arrays again. Nothing here is licensed for redistribution with this project.
"""
import argparse
import csv
import hashlib
import io
import json
import os
import pathlib
import sys
import zipfile

import h5py
import numpy as np
import xarray as xr

OBJECTS = ["bear", "elephant", "face", "car", "dog", "apple", "chair", "plane"]
HERE = pathlib.Path(__file__).resolve().parent


def default_home():
    if "CORTISCORE_HOME" in os.environ:
        return pathlib.Path(os.environ["CORTISCORE_HOME"])
    return pathlib.Path(os.environ.get("XDG_DATA_HOME", pathlib.Path.home() / ".local/share")) / "cortiscore"


def stop(message):
    sys.exit(f"import_recordings: {message}")


def need(path):
    if not path.is_file():
        stop(f"{path}: found no such file, expected the recording. SOURCE must hold the folders that "
             f"{HERE / 'recordings.json'} names.")
    return path


def verify(source, name):
    """Every file that the data manifest names, by its sha256."""
    for file in json.loads((HERE / "recordings.json").read_text())[name]["files"]:
        found = hashlib.sha256(need(source / file["path"]).read_bytes()).hexdigest()
        if found != file["sha256"]:
            stop(f"{source / file['path']}: found sha256 {found}, expected {file['sha256']}. Fetch the file again.")


def write_stimuli(folder, rows, images):
    """rows: dicts with stimulus_id and filename first; images: filename -> bytes, stored as they are."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "stimuli.csv", "w", newline="") as out:
        writer = csv.DictWriter(out, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    with zipfile.ZipFile(folder / "stimuli.zip", "w", zipfile.ZIP_STORED) as archive:
        for name, data in images.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data)


def write_assembly(path, identifier, counts, stimulus, neuroid_ids, region, window_ms, extra):
    """counts [repetition, stimulus, neuroid], NaN where missing; presentations that no neuroid has are left out."""
    repetitions, n_stimuli, _ = counts.shape
    flat = counts.transpose(1, 0, 2).reshape(n_stimuli * repetitions, -1)
    kept = ~np.isnan(flat).all(axis=1)
    presentation = {name: ("presentation", np.repeat(np.asarray(values), repetitions)[kept])
                    for name, values in stimulus.items()}
    presentation["repetition"] = ("presentation", np.tile(np.arange(repetitions), n_stimuli)[kept])
    assembly = xr.DataArray(
        flat[kept][:, :, None].astype(np.float32), dims=["presentation", "neuroid", "time_bin"],
        coords={**presentation, "neuroid_id": ("neuroid", neuroid_ids),
                "region": ("neuroid", [region] * len(neuroid_ids)),
                "time_bin_start": ("time_bin", [window_ms[0]]), "time_bin_end": ("time_bin", [window_ms[1]])},
        name="data", attrs={"identifier": identifier, "units": "spikes per window", **extra})
    temporary = path.with_suffix(".partial")
    assembly.to_netcdf(temporary, engine="h5netcdf", encoding={"data": {"zlib": True, "fletcher32": True}})
    os.replace(temporary, path)
    print(f"{path}: {assembly.sizes['presentation']} presentations of {n_stimuli} stimuli, {len(neuroid_ids)} neuroids")


def import_cowley(source, folder):
    verify(source, "Cowley2023")
    base = source / "v4_cowley2023_macaque"
    with zipfile.ZipFile(base / "images/images_210325.zip") as archive:
        images = {pathlib.PurePath(n).name: archive.read(n) for n in sorted(archive.namelist()) if n.endswith(".jpg")}
    responses = np.load(base / "responses/responses_210325.npy")  # [neuron, image, repeat]
    names = sorted(images)
    if responses.shape != (50, 640, 10) or names != [f"image{i + 1:04d}.jpg" for i in range(640)]:
        stop(f"{base}: found responses {responses.shape} and {len(names)} images, expected (50, 640, 10) and 640.")
    ids = [n.removesuffix(".jpg") for n in names]
    objects = [OBJECTS[i // 80] for i in range(640)]
    write_stimuli(folder, [{"stimulus_id": s, "filename": f, "object_name": o} for s, f, o in zip(ids, names, objects)],
                  images)
    write_assembly(folder / "V4.nc", "Cowley2023.V4", responses.transpose(2, 1, 0),
                   {"stimulus_id": ids, "object_name": objects}, [f"PE_210325_{i:02d}" for i in range(50)], "V4",
                   (0, 100), {"window": "100 ms bins; onset latency as published"})


def import_henaff(source, folder):
    verify(source, "Henaff2021")
    base = source / "v1_henaff2021_macaque"
    cells = [(zoom, category, movie, frame) for zoom in (1, 2) for category in ("natural", "synthetic")
             for movie in range(1, 11) for frame in range(1, 12) if category == "natural" or 2 <= frame <= 10]
    rows, images = [], {}
    for zoom, category, movie, frame in cells:
        name = f"zoom{zoom}x_movie{movie:02d}_{category}{frame:02d}"
        path = base / f"stimuli/stimSelected-zoom{zoom}x/movie{movie}/{category}{frame:02d}.png"
        images[name + ".png"] = need(path).read_bytes()
        rows.append({"stimulus_id": name, "filename": name + ".png", "movie": f"movie{movie:02d}",
                     "category": category, "frame": frame, "zoom": zoom})
    write_stimuli(folder, rows, images)
    for path in sorted((base / "responses").glob("ay*.mat")):
        with h5py.File(path) as file:
            counts = file["naturalStruct/sortedResponses"][()]  # [repeat, unit, frame, movie, category, zoom]
        if counts.ndim != 6 or counts.shape[2:] != (11, 10, 3, 2):
            stop(f"{path}: naturalStruct/sortedResponses: found shape {counts.shape}, expected "
                 "[repeat, unit, 11, 10, 3, 2].")
        population = path.stem.removesuffix("_image_sequences")
        trials = np.stack([counts[:, :, f - 1, m - 1, 0 if c == "natural" else 1, z - 1] for z, c, m, f in cells], 1)
        trials = trials[~np.isnan(trials).all(axis=(1, 2))]
        write_assembly(folder / f"{population}.nc", f"Henaff2021.V1.{population}", trials,
                       {k: [r[k] for r in rows] for k in ("stimulus_id", "movie", "category", "frame", "zoom")},
                       [f"{population}_{u:02d}" for u in range(trials.shape[2])], "V1", (0, 200),
                       {"window": "200 ms from naturalStruct/response_latency"})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=pathlib.Path)
    parser.add_argument("--home", type=pathlib.Path, default=default_home())
    parser.add_argument("--only", choices=["Cowley2023", "Henaff2021"])
    arguments = parser.parse_args()
    for name, function in (("Cowley2023", import_cowley), ("Henaff2021", import_henaff)):
        if arguments.only in (None, name):
            function(arguments.source, arguments.home / "data" / name)


main()
