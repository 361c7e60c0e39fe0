"""Bring the open recordings in: assemblies and RDMs (NetCDF-4), choices (CSV) and stimulus sets (CSV plus zip).

    python data_manifests/import_recordings.py SOURCE [--home FOLDER] [--only NAME ...]

SOURCE holds the files that recordings/NAME.json name, or the copies that they accept: `cortiscore data fetch` gets the
originals from the public repositories that they cite, and calls this. Names: Cowley2023 (macaque V4), Henaff2021 (macaque
V1), Kriegeskorte2008 (monkey and human IT, RDMs), Cichy2014 (human EVC and IT, RDMs), Geirhos2021 (choices of ten
observers). Output goes to FOLDER/data, where `cortiscore score` looks (default: $CORTISCORE_HOME, else
$XDG_DATA_HOME/cortiscore, else ~/.local/share/cortiscore). Running it again writes the same arrays again. Nothing here is
licensed for redistribution with this project.
"""
import argparse
import csv
import hashlib
import io
import json
import pathlib
import sys
import zipfile

import h5py
import numpy as np
import scipy.io
from PIL import Image

OBJECTS = ["bear", "elephant", "face", "car", "dog", "apple", "chair", "plane"]
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "python"))
from cortiscore.recordings import BadInput, Parser, default_home, run, sha256_of, write_assembly, write_hashes, write_rdms, write_stimuli, write_table


def stop(message):
    raise BadInput(message)


def report(path, write, *arguments):
    print(f"{path}: {write(path, *arguments)}")


def need(path):
    if not path.is_file():
        stop(f"{path}: found no such file, expected the recording. SOURCE must hold the folders that "
             f"{HERE / 'recordings'} names.")
    return path


def digest_of(folder):
    """SHA-256 over the sorted lines "NAME SHA256" of every file below a folder."""
    lines = [f"{path.relative_to(folder).as_posix()} {sha256_of(path)}\n"
             for path in sorted(folder.rglob("*")) if path.is_file()]
    return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()


def verify(source, name):
    """Every file that the data manifest names, by its sha256, unless a copy that it accepts is there in its place."""
    manifest = json.loads((HERE / "recordings" / f"{name}.json").read_text())
    copied = []
    for copy in manifest["copies"]:
        folder = source / copy["path"]
        if sum(1 for path in folder.rglob("*") if path.is_file()) == copy["n_files"] and digest_of(folder) == copy["sha256"]:
            copied.append(copy["of"])
    for file in manifest["files"]:
        if file["path"].startswith(tuple(copied)):
            continue
        found = sha256_of(need(source / file["path"]))
        if found != file["sha256"]:
            stop(f"{source / file['path']}: found sha256 {found}, expected {file['sha256']}. Fetch the file again.")


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
    report(folder / "V4.nc", write_assembly, "Cowley2023.V4", responses.transpose(2, 1, 0),
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
        report(folder / f"{population}.nc", write_assembly, f"Henaff2021.V1.{population}", trials,
                       {k: [r[k] for r in rows] for k in ("stimulus_id", "movie", "category", "frame", "zoom")},
                       [f"{population}_{u:02d}" for u in range(trials.shape[2])], "V1", (0, 200),
                       {"window": "200 ms from naturalStruct/response_latency"})


def square(condensed, n=92):
    """A condensed RDM (upper triangle, row by row, which is MATLAB's squareform of a symmetric matrix)."""
    full = np.zeros((n, n))
    full[np.triu_indices(n, 1)] = np.ravel(condensed)
    return full + full.T


def import_kriegeskorte(source, folder):
    verify(source, "Kriegeskorte2008")
    base = source / "kriegeskorte2008_92images"
    extra = scipy.io.loadmat(base / "Kriegeskorte_Neuron2008_supplementalData.mat", simplify_cells=True)
    stimuli = extra["stimuli_92objs"]
    ids = [f"object_{i + 1:02d}" for i in range(92)]
    images = {}
    for name, stimulus in zip(ids, stimuli):
        encoded = io.BytesIO()
        Image.fromarray(stimulus["image"]).save(encoded, "PNG")
        images[f"{name}.png"] = encoded.getvalue()
    write_stimuli(folder, [{"stimulus_id": i, "filename": f"{i}.png", "category": s["category"],
                            **{k: int(s[k]) for k in ("human", "face", "animal", "natural")}}
                           for i, s in zip(ids, stimuli)], images)
    sessions = scipy.io.loadmat(base / "92_brainRDMs.mat", struct_as_record=False)["RDMs"].reshape(4, 2)
    human = np.array([[session.RDM for session in subject] for subject in sessions], float).mean(1)
    report(folder / "IT_human.nc", write_rdms, "Kriegeskorte2008.IT.human", human,
               [str(np.ravel(subject[0].name)[0]).split(" | ")[1] for subject in sessions], ids, "IT",
               {"distance": "1 - Pearson r over 316 voxels, two sessions averaged"})
    monkey = [r["RDM"] for r in extra["RDMs_mIT_hIT_fig1"] if r["name"] == "mIT_674neurons"]
    report(folder / "IT_monkey.nc", write_rdms, "Kriegeskorte2008.IT.monkey", [square(monkey[0])], ["674 neurons of two monkeys"],
               ids, "IT", {"distance": "1 - Pearson r over 674 neurons (Kiani 2007)"})


def import_cichy(source, folder):
    verify(source, "Cichy2014")
    base = source / "algonauts2019_cichy_fmri/92images"
    ids = [f"image_{i + 1:02d}" for i in range(92)]
    write_stimuli(folder, [{"stimulus_id": i, "filename": f"{i}.jpg"} for i in ids],
                  {f"{i}.jpg": need(base / f"stimuli/{i}.jpg").read_bytes() for i in ids})
    for region in ("EVC", "IT"):
        with np.load(base / f"fmri_{region}_RDMs.npz") as file:
            rdms = file["Net_RDM"]
        rdms = (rdms + rdms.transpose(0, 2, 1)) / 2
        rdms[:, range(92), range(92)] = 0
        report(folder / f"{region}.nc", write_rdms, f"Cichy2014.{region}", rdms, [f"subject_{i + 1:02d}" for i in range(len(rdms))],
                   ids, region, {"distance": "1 - Pearson r over voxels"})


def import_geirhos(source, folder):
    verify(source, "Geirhos2021")
    base = source / "geirhos_texture_vs_shape"
    folder.mkdir(parents=True, exist_ok=True)
    categories = json.loads((HERE / "imagenet_16_classes.json").read_text())["categories"]
    classes = [{"category": category, "index": index} for category, all_of_it in categories.items() for index in all_of_it]
    write_table(folder / "imagenet_16_classes.csv", classes)
    # The experiment: its folder of raw data, its folder of images, what a stimulus's name says.
    cue_conflict = "cue-conflict" if (base / "stimuli/cue-conflict").is_dir() else "cue-conflict_jpeg90"
    for name, raw, images in (("cueconflict", "cue-conflict", cue_conflict), ("edge", "edge", "edges"),
                              ("silhouette", "silhouette", "filled-silhouettes")):
        files = {path.stem: path for path in sorted((base / "stimuli" / images).rglob("*.*"))}
        choices = []
        for path in sorted((base / "human_raw" / raw).glob("*.csv")):
            with open(path) as file:
                for row in csv.DictReader(file):
                    choices.append({"subject": row["subj"],
                                    "stimulus_id": row["imagename"].split("_")[-1].rsplit(".", 1)[0],
                                    "truth": row["category"], "choice": row["object_response"]})
        unknown = {c["stimulus_id"] for c in choices} ^ set(files)
        if unknown:
            stop(f"{base}: {name}: found {sorted(unknown)[0]} among images or choices alone, expected every stimulus in both.")
        letters = {s: [part.rstrip("0123456789") for part in s.split("-")] for s in files}
        rows = [{"stimulus_id": s, "filename": files[s].name, "shape": letters[s][0],
                 **({"texture": letters[s][1]} if name == "cueconflict" else {})} for s in files]
        experiment = folder / name
        write_stimuli(experiment, rows, {path.name: path.read_bytes() for path in files.values()})
        write_table(experiment / "choices.csv", choices)
        print(f"{experiment}: {len(rows)} stimuli, {len(choices)} choices")


SETS = {"Cowley2023": import_cowley, "Henaff2021": import_henaff, "Kriegeskorte2008": import_kriegeskorte,
        "Cichy2014": import_cichy, "Geirhos2021": import_geirhos}


def main():
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=pathlib.Path)
    parser.add_argument("--home", type=pathlib.Path, default=default_home())
    parser.add_argument("--only", nargs="+", choices=SETS, default=list(SETS))
    arguments = parser.parse_args()
    for name in arguments.only:
        folder = arguments.home / "data" / name
        SETS[name](arguments.source, folder)
        write_hashes(folder)


if __name__ == "__main__":
    run(main)
