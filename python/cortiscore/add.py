"""Make a benchmark of your own experiment: it is checked, described, and from then on scores, ranks and joins composites.

    cortiscore data add Lab2026 --region V4 --responses responses.npy --dims neuroid,presentation,repetition \\
        --stimuli images.zip --table images.csv --by object_name
    cortiscore data add Lab2026 --region V1 --responses session.mat --variable counts --dims ... --stimuli images/
    cortiscore data add Lab2026 --region IT --rdms rdms.npy --stimuli images/
    cortiscore data add Lab2026 --choices choices.csv --categories categories.csv --stimuli images/

Responses: .npy, .mat (any version), .nc (dims by name) or .csv (columns stimulus_id, neuroid_id, response and optionally
repetition; or stimulus_id, optionally repetition, and a column a neuroid). NaN is a missing trial. RDMs: .npy or .mat,
[n, n] or [subject, n, n]. Choices: CSV with subject, stimulus_id, truth, choice. Stimuli: a folder or zip of JPEG and PNG
files in the order of their names, or of --table, a CSV with stimulus_id, filename and whatever else is known of them.
"""
import argparse
import collections
import csv
import hashlib
import io
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import zipfile

import numpy as np

from .recordings import (BadInput, default_home, to_repetitions, write_assembly, write_hashes, write_rdms, write_stimuli,
                         write_table)

IMAGES = (".png", ".jpg", ".jpeg")
FEW = 0.3  # reliability below which a neuroid says little (BENCHMARKS.md 1.7)


# --- stimuli ---------------------------------------------------------------------------------------------------------

def read_images(path):
    """file name -> bytes, by name; of a folder (and those below it) or a zip archive."""
    if path.is_dir():
        files = {file.relative_to(path).as_posix(): file.read_bytes() for file in path.rglob("*") if file.suffix.lower() in IMAGES}
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            files = {name: archive.read(name) for name in archive.namelist()
                     if name.lower().endswith(IMAGES) and not name.startswith("__MACOSX")}
    else:
        raise BadInput(f"{path}: found neither a folder nor a zip archive, expected images.")
    if not files:
        raise BadInput(f"{path}: found no {' or '.join(IMAGES)} files, expected images.")
    return dict(sorted(files.items()))


def natural(name):
    """Numbers in a name by their value: image2 before image10."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def read_csv(path):
    with open(path, newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    if not rows:
        raise BadInput(f"{path}: found no rows, expected a header line and rows.")
    return rows


def column(rows, name, path):
    if name not in rows[0]:
        raise BadInput(f"{path}: column \"{name}\": found none (there are: {', '.join(rows[0])}), expected it.")
    return [row[name] for row in rows]


def stimulus_rows(arguments, files):
    """One dict a stimulus, stimulus_id and filename first, in presentation order; and what is odd about them."""
    if arguments.table:
        rows = read_csv(arguments.table)
        column(rows, "filename", arguments.table)
        rows = [{"stimulus_id": row.get("stimulus_id") or pathlib.PurePath(row["filename"]).stem, **row} for row in rows]
        missing = [row["filename"] for row in rows if row["filename"] not in files]
        if missing:
            raise BadInput(f"{arguments.table}: filename: found \"{missing[0]}\" ({len(missing)} in all), expected files of "
                           f"{arguments.stimuli}. Names are as in the folder or archive.")
    else:
        names = sorted(files, key=natural)
        stems = [pathlib.PurePath(name).stem for name in names]
        if len(set(stems)) < len(stems):  # the same names in several folders
            stems = [pathlib.PurePath(name).with_suffix("").as_posix().replace("/", "_") for name in names]
        rows = [{"stimulus_id": stem, "filename": name} for stem, name in zip(stems, names)]
    twice = [name for name, n in collections.Counter(row["stimulus_id"] for row in rows).items() if n > 1]
    if twice:
        raise BadInput(f"{arguments.table or arguments.stimuli}: stimulus_id: found \"{twice[0]}\" twice, expected each once. "
                       "Repeated presentations are repetitions of one stimulus.")
    return [{"stimulus_id": row["stimulus_id"], "filename": row["filename"],
             **{k: v for k, v in row.items() if k not in ("stimulus_id", "filename")}} for row in rows]


def look_at(images):
    """Every image decoded: sizes, and pairs with the same bytes."""
    from PIL import Image

    sizes, seen, same = collections.Counter(), {}, []
    for name, data in images.items():
        try:
            with Image.open(io.BytesIO(data)) as image:
                image.load()
                sizes[image.size] += 1
        except Exception as error:
            raise BadInput(f"{name}: found an image that cannot be decoded ({error}), expected JPEG or PNG.") from None
        digest = hashlib.sha256(data).hexdigest()
        if digest in seen:
            same.append((seen[digest], name))
        seen.setdefault(digest, name)
    return sizes, same


# --- responses -------------------------------------------------------------------------------------------------------

def read_mat(path, variable):
    """A variable of a MATLAB file in MATLAB's order of dims. --variable a.b names a field of a struct (of an array of structs:
    all of them, stacked), a.b[0] the first of several."""
    import h5py
    import scipy.io

    indexed = re.fullmatch(r"(.*)\[(\d+)\]", variable)
    if indexed:
        array = read_mat(path, indexed[1])
        array = array.squeeze()
        if int(indexed[2]) >= len(array):
            raise BadInput(f"{path}: --variable: found {len(array)} entries, expected one of number {indexed[2]} (from 0).")
        return array[int(indexed[2])]
    if h5py.is_hdf5(path):  # version 7.3: stored with the dims reversed
        with h5py.File(path) as file:
            arrays = {}

            def visit(name, item):
                if isinstance(item, h5py.Dataset) and item.ndim >= 2 and item.size > 1 and item.dtype.kind in "fiu" and name[0] != "#":
                    arrays[name.replace("/", ".")] = item.shape

            file.visititems(visit)
            name = choose(path, variable, arrays, {k: s[::-1] for k, s in arrays.items()})
            return np.asarray(file[name.replace(".", "/")][()], float).T
    content = scipy.io.loadmat(path, struct_as_record=False, squeeze_me=False)
    arrays = {}

    def visit(name, value):
        if isinstance(value, np.ndarray) and value.dtype.kind in "fiu" and value.ndim >= 2 and value.size > 1:
            arrays[name] = value
        elif isinstance(value, np.ndarray) and value.dtype.kind == "O" and value.size == 1:
            visit(name, value.flat[0])
        elif isinstance(value, np.ndarray) and value.dtype.kind == "O" and all(hasattr(v, "_fieldnames") for v in value.flat):
            for field in value.flat[0]._fieldnames:
                entries = [np.asarray(getattr(v, field)) for v in value.flat]
                if entries[0].dtype.kind in "fiu" and entries[0].size > 1 and len({e.shape for e in entries}) == 1:
                    arrays[f"{name}.{field}"] = np.stack(entries).reshape(tuple(n for n in value.shape if n > 1) + entries[0].shape)
        elif hasattr(value, "_fieldnames"):
            for field in value._fieldnames:
                visit(f"{name}.{field}", getattr(value, field))

    for name, value in content.items():
        if not name.startswith("__"):
            visit(name, value)
    return np.asarray(arrays[choose(path, variable, arrays, {k: v.shape for k, v in arrays.items()})], float)


def choose(path, variable, arrays, shapes):
    if variable in arrays:
        return variable
    if not variable and len(arrays) == 1:
        return next(iter(arrays))
    there = ", ".join(f"{name} {' x '.join(map(str, shape))}" for name, shape in list(shapes.items())[:20]) or "none"
    raise BadInput(f"{path}: --variable: found {repr(variable) if variable else 'several arrays'}, expected one of: {there}.")


def read_responses(arguments):
    """(array, dims or None, {dim: labels})"""
    path = arguments.responses
    kind = path.suffix.lower()
    if kind == ".npy":
        return np.asarray(np.load(path, allow_pickle=False), float), None, {}
    if kind == ".mat":
        return read_mat(path, arguments.variable), None, {}
    if kind in (".nc", ".h5"):
        import xarray as xr

        with xr.open_dataset(path) as data:
            arrays = {name: data[name].shape for name in data.data_vars if data[name].ndim >= 2}
            array = data[choose(path, arguments.variable, arrays, arrays)].load()
        labels = {}
        for dim, names in (("presentation", ("stimulus_id", "image_id")), ("neuroid", ("neuroid_id",)), ("repetition", ("repetition",))):
            for name in names:
                if dim in array.dims and name in array.coords:
                    labels[dim] = [str(v) for v in array[name].values]
        if "repetition" in array.coords and array["repetition"].dims == ("presentation",):
            labels["repetition_of_presentation"] = [int(v) for v in array["repetition"].values]
        if "time_bin" in array.dims and array.sizes["time_bin"] == 1:
            array = array.isel(time_bin=0)
        return np.asarray(array.values, float), tuple(array.dims), labels
    if kind == ".csv":
        return read_response_table(path)
    raise BadInput(f"{path}: extension: found \"{path.suffix}\", expected .npy, .mat, .nc or .csv.")


def as_number(text, where):
    if text.strip().lower() in ("", "nan", "na"):
        return np.nan
    try:
        return float(text)
    except ValueError:
        raise BadInput(f"{where}: found \"{text}\", expected a number, or nothing for a missing trial.") from None


def read_response_table(path):
    rows = read_csv(path)
    stimuli = column(rows, "stimulus_id", path)
    if "response" in rows[0]:
        neuroids = column(rows, "neuroid_id", path)
        cells = [(s, n, r.get("repetition"), as_number(r["response"], f"{path}: data row {i + 1}, response"))
                 for i, (s, n, r) in enumerate(zip(stimuli, neuroids, rows))]
    else:
        names = [name for name in rows[0] if name not in ("stimulus_id", "repetition")]
        cells = [(s, n, r.get("repetition"), as_number(r[n], f"{path}: data row {i + 1}, {n}"))
                 for i, (s, r) in enumerate(zip(stimuli, rows)) for n in names]
    ids = list(dict.fromkeys(c[0] for c in cells))
    neuroids = list(dict.fromkeys(c[1] for c in cells))
    count, places = collections.Counter(), {}
    for stimulus, neuroid, repetition, value in cells:
        if repetition is None:  # repeated rows count up
            repetition = count[stimulus, neuroid]
            count[stimulus, neuroid] += 1
        key = stimulus, neuroid, str(repetition)
        if key in places:
            raise BadInput(f"{path}: found stimulus \"{stimulus}\", neuroid \"{neuroid}\", repetition {repetition} twice, expected it once.")
        places[key] = value
    repetitions = sorted({key[2] for key in places}, key=natural)
    out = np.full((len(repetitions), len(ids), len(neuroids)), np.nan)
    row, col, rep = ({name: i for i, name in enumerate(names)} for names in (ids, neuroids, repetitions))
    for (stimulus, neuroid, repetition), value in places.items():
        out[rep[repetition], row[stimulus], col[neuroid]] = value
    return out, ("repetition", "presentation", "neuroid"), {"presentation": ids, "neuroid": neuroids}


def gather(array, dims, rows, path):
    """Axes that are columns of --table, such as movie and frame, become presentations: each stimulus names its place on them.
    Places count from 1 in a MATLAB file, as there, and from 0 in all others."""
    first = 1 if path.suffix.lower() == ".mat" else 0
    axes = [i for i, dim in enumerate(dims) if dim in rows[0]]
    places = []
    for axis in axes:
        try:
            index = np.array([int(row[dims[axis]]) - first for row in rows])
        except ValueError:
            raise BadInput(f"--table: {dims[axis]}: found text, expected the place on axis {axis} of {path}, from {first}.") from None
        if index.min() < 0 or index.max() >= array.shape[axis]:
            raise BadInput(f"--table: {dims[axis]}: found {index.min() + first} to {index.max() + first}, expected {first} to "
                           f"{array.shape[axis] - 1 + first}, the places on axis {axis} of {path}.")
        places.append(index)
    rest = [i for i in range(array.ndim) if i not in axes]
    return array.transpose(axes + rest)[tuple(places)], ("presentation", *(dims[i] for i in rest))


def to_trials(arguments, rows):
    """[repetition, stimulus, neuroid] in the order of the stimuli, and the neuroids' names."""
    ids = [row["stimulus_id"] for row in rows]
    array, dims, labels = read_responses(arguments)
    path, known = arguments.responses, ("repetition", "presentation", "neuroid")
    if arguments.dims:
        dims = tuple(arguments.dims.split(","))
        if len(dims) == array.ndim and any(dim in rows[0] and dim not in known for dim in dims):
            array, dims = gather(array, dims, rows, path)
    elif dims is None and array.ndim == 2:
        dims = ("presentation", "neuroid")
    if dims is None or len(dims) != array.ndim or not set(dims) <= set(known) or not {"presentation", "neuroid"} <= set(dims):
        fits = [i for i, n in enumerate(array.shape) if n == len(ids)]
        hint = f" Axis {fits[0]} (from 0) has as many entries as there are stimuli." if len(fits) == 1 else ""
        raise BadInput(f"{path}: --dims: found {','.join(dims) if dims else 'none'} for an array of {' x '.join(map(str, array.shape))}, "
                       f"expected a name an axis: presentation (or columns of --table), neuroid, and repetition where there are trials.{hint}")
    if "repetition_of_presentation" in labels and "repetition" not in dims:  # rows are trials
        array, labels = unstack(array, dims, labels, path)
        dims = known
    if "repetition" not in dims:
        array, dims = array[None], ("repetition", *dims)
    trials = array.transpose([dims.index(dim) for dim in known])
    given = labels.get("presentation")
    if given is not None:
        unknown = [name for name in given if name not in set(ids)]
        missing = [name for name in ids if name not in set(given)]
        if unknown or missing:
            raise BadInput(f"{path}: stimulus_id: found {len(given)}, {len(unknown)} of them no stimulus and {len(missing)} stimuli "
                           f"without a response (the first: \"{(unknown or missing)[0]}\"), expected the stimuli of {arguments.stimuli}. "
                           "Ids are file names without extension, or --table's stimulus_id.")
        trials = trials[:, [given.index(name) for name in ids]]
    elif trials.shape[1] != len(ids):
        raise BadInput(f"{path}: presentation: found {trials.shape[1]}, expected {len(ids)}, one a stimulus of {arguments.stimuli}. "
                       "Check --dims; a --table may list the stimuli that were shown, in order.")
    neuroids = labels.get("neuroid") or [f"{arguments.name}_{i:04d}" for i in range(trials.shape[2])]
    return trials, neuroids


def unstack(array, dims, labels, path):
    """Rows that are trials, by stimulus_id and repetition."""
    if "presentation" not in labels:
        raise BadInput(f"{path}: found repetitions without stimulus_id, expected both along presentation.")
    flat = array.transpose([dims.index("presentation"), dims.index("neuroid")])
    trials, ids = to_repetitions(flat, labels["presentation"], labels["repetition_of_presentation"])
    return trials, {**labels, "presentation": ids}


def check_trials(trials, neuroids, ids, path):
    """Stops at what cannot be scored; returns what a reader should know."""
    if np.isinf(trials).any():
        raise BadInput(f"{path}: found infinity, expected numbers, NaN for missing trials.")
    empty = np.isnan(trials).all(0)
    if empty.any():
        stimulus, neuroid = np.argwhere(empty)[0]
        raise BadInput(f"{path}: found no trial of neuroid \"{neuroids[neuroid]}\" on stimulus \"{ids[stimulus]}\" ({int(empty.sum())} such "
                       "pairs), expected at least one. Leave the stimulus or the neuroid out.")
    mean = np.nanmean(trials, 0)
    constant = [neuroids[i] for i in np.flatnonzero(np.ptp(mean, axis=0) == 0)]
    counts = (~np.isnan(trials)).any(2).sum(0)
    notes = [f"{counts.min()} to {counts.max()} repetitions a stimulus" if counts.min() != counts.max() else f"{counts.min()} repetition(s) a stimulus"]
    share = np.isnan(trials).mean()
    if share:
        notes.append(f"{share:.1%} of single trials are missing")
    if constant:
        notes.append(f"{len(constant)} neuroid(s) answer every stimulus alike and have no score: {', '.join(constant[:5])}")
    return notes, int(counts.min())


# --- the benchmark ---------------------------------------------------------------------------------------------------

def cortiscore(*words, home):
    binary = os.environ.get("CORTISCORE_BINARY", "cortiscore")
    done = subprocess.run([binary, *map(str, words)], capture_output=True, text=True, env={**os.environ, "CORTISCORE_HOME": str(home)})
    if done.returncode:
        raise BadInput(done.stderr.strip().removeprefix("cortiscore: ") or f"{binary} {words[0]} failed.")
    return json.loads(done.stdout)


def reliability(folder, trials, home):
    """Spearman-Brown split-half reliability of every neuroid, by the engine."""
    path = folder / "trials.npy"
    np.save(path, trials)
    try:
        found = cortiscore("ceiling", "internal_consistency", "--trials", path, "--json", home=home)
    finally:
        path.unlink()
    return np.nanmean(np.array(found["per_neuroid"], float), 0)


def splits_of(arguments):
    if arguments.group:
        return {"kind": "leave_one_group_out", "by": arguments.group}, arguments.group
    plain = {"n_splits": 10, "train_fraction": 0.9, "seed": 1}
    if arguments.by:
        return {"kind": "stratified_shuffle", "by": arguments.by, **plain}, arguments.by
    return {"kind": "shuffle", **plain}, "stimulus_id"


def common(arguments, identifier, kind, region, composite):
    manifest = {"schema_version": 1, "identifier": identifier, "version": 1, "kind": kind, "region": region,
                "parent": arguments.parent or region, "composite": composite and not arguments.no_composite,
                "weight": arguments.weight, "visual_degrees": arguments.degrees, "stimulus_set": f"{arguments.name}/stimuli.csv",
                "import": f"cortiscore data add {arguments.name} ..."}
    for key in ("species", "modality", "citation", "licence"):
        if getattr(arguments, key):
            manifest[key] = getattr(arguments, key)
    return manifest


def add_responses(arguments, folder, rows):
    ids = [row["stimulus_id"] for row in rows]
    trials, neuroids = to_trials(arguments, rows)
    notes, fewest = check_trials(trials, neuroids, ids, arguments.responses)
    say = [f"responses: {trials.shape[2]} neuroids on {len(ids)} stimuli, {', '.join(notes)}"]
    ceiled = fewest > 1
    if ceiled:
        values = reliability(folder, trials, arguments.home)
        say.append(f"reliability: median {np.nanmedian(values):.3f}; {int((values < FEW).sum())} of {len(values)} neuroids below {FEW} "
                   "(--keep-above leaves those out)")
    else:
        say.append("reliability: unknown, since a stimulus was shown once; scores will be raw and join no composite")
    splits, by = splits_of(arguments)
    smallest = int(len(ids) / 2 * (splits.get("train_fraction", 0.5)))
    components = arguments.components or 25
    if arguments.metric == "pls" and components >= smallest:
        raise BadInput(f"{arguments.responses}: found {len(ids)} stimuli, expected more than {2 * components} for {components} PLS components "
                       f"on half of them. Give --components {max(1, smallest // 2)}.")
    write_assembly(folder / "responses.nc", f"{arguments.name}.{arguments.region}", trials,
                   {name: [row[name] for row in rows] for name in rows[0] if name != "filename"}, neuroids, arguments.region, None, {})
    ceiling = {"name": "internal_consistency", "n_splits": 10, "seed": 1} if ceiled else {"name": "none"}
    if ceiled and arguments.keep_above is not None:
        ceiling["keep_above"] = arguments.keep_above
    identifier = f"{arguments.name}.{arguments.region}-{arguments.metric}"
    metric = {"name": arguments.metric, **({"n_components": components} if arguments.metric == "pls" else {}),
              **({"alpha": arguments.alpha} if arguments.metric == "ridge" else {})}
    return {**common(arguments, identifier, "neural", arguments.region, ceiled),
            "assemblies": [{"identifier": arguments.name, "file": f"{arguments.name}/responses.nc"}],
            "metric": metric, "splits": splits,
            "layer_selection": {"method": "alternating_halves", "by": by}, "ceiling": ceiling}, say


def add_rdms(arguments, folder, rows):
    ids, path = [row["stimulus_id"] for row in rows], arguments.rdms
    rdms = read_mat(path, arguments.variable) if path.suffix == ".mat" else np.asarray(np.load(path, allow_pickle=False), float)
    if rdms.ndim == 4:  # subject x session x n x n, or subject x 1 x 1 x pairs
        rdms = rdms.mean(1) if rdms.shape[-1] == rdms.shape[-2] else rdms.squeeze()
    if rdms.ndim == 1:
        rdms = rdms[None]
    if rdms.ndim == 2 and rdms.shape[0] == rdms.shape[1]:
        rdms = rdms[None]
    elif rdms.ndim == 2 and rdms.shape[-1] == len(ids) * (len(ids) - 1) // 2:  # condensed, a row a subject
        full = np.zeros((len(rdms), len(ids), len(ids)))
        full[:, *np.triu_indices(len(ids), 1)] = rdms
        rdms = full + full.transpose(0, 2, 1)
    elif rdms.ndim == 3 and rdms.shape[0] == rdms.shape[1] != rdms.shape[2]:  # MATLAB's n x n x subject
        rdms = rdms.transpose(2, 0, 1)
    if rdms.ndim != 3 or rdms.shape[1:] != (len(ids), len(ids)):
        raise BadInput(f"{path}: found {' x '.join(map(str, rdms.shape))}, expected RDMs of {len(ids)} stimuli: n x n, subject x n x n, or "
                       "condensed upper triangles.")
    if not np.isfinite(rdms).all():
        raise BadInput(f"{path}: found NaN or infinity, expected a dissimilarity for every pair.")
    rdms[:, range(len(ids)), range(len(ids))] = 0
    subjects = len(rdms)
    write_rdms(folder / "rdms.nc", f"{arguments.name}.{arguments.region}", rdms, [f"subject_{i + 1:02d}" for i in range(subjects)], ids,
               arguments.region, {})
    identifier = f"{arguments.name}.{arguments.region}-rdm"
    say = [f"RDMs: {subjects} subject(s), {len(ids)} stimuli" + ("" if subjects > 1 else
           "; one subject holds no ceiling, so scores are raw and join no composite")]
    return {**common(arguments, identifier, "neural", arguments.region, subjects > 1), "rdms": f"{arguments.name}/rdms.nc",
            "metric": {"name": "rdm", "distance": "correlation", "comparison": "spearman"},
            "layer_selection": {"method": "alternating_halves", "by": arguments.by or "stimulus_id"},
            "ceiling": {"name": "rsa" if subjects > 1 else "none"}}, say


def add_choices(arguments, folder, rows):
    files = sorted(arguments.choices.glob("*.csv")) if arguments.choices.is_dir() else [arguments.choices]
    names = dict(part.split("=", 1) for part in arguments.columns.split(",")) if arguments.columns else {}
    trials = []
    for file in files:
        rows_of_file = read_csv(file)
        for ours, theirs in names.items():
            column(rows_of_file, theirs, file)
        trials += [{**row, **{ours: row[theirs] for ours, theirs in names.items()}} for row in rows_of_file]
    if not trials:
        raise BadInput(f"{arguments.choices}: found no .csv file, expected choices.")
    for name in ("subject", "stimulus_id", "truth", "choice"):
        column(trials, name, arguments.choices)
    write_table(folder / "choices.csv", [{k: t[k] for k in ("subject", "stimulus_id", "truth", "choice")} for t in trials])
    subjects = {t["subject"] for t in trials}
    accuracy = np.mean([t["truth"] == t["choice"] for t in trials])
    say = [f"choices: {len(trials)} of {len(subjects)} subjects among {len({t['truth'] for t in trials})} categories, {accuracy:.1%} right"]
    if len(subjects) < 2:
        raise BadInput(f"{arguments.choices}: subject: found 1, expected at least 2: the ceiling is how alike subjects are.")
    if arguments.categories:
        categories = read_csv(arguments.categories)
        column(categories, "category", arguments.categories), column(categories, "index", arguments.categories)
        write_table(folder / "categories.csv", [{"category": c["category"], "index": c["index"]} for c in categories])
        readout = {"name": "imagenet_classes", "classes": f"{arguments.name}/categories.csv"}
    else:
        column(rows, "role", arguments.table or "--table"), column(rows, arguments.label, arguments.table or "--table")
        readout = {"name": "logistic", "role": "role", "label": arguments.label, "C": 1e-3}
    return {**common(arguments, f"{arguments.name}-error_consistency", "behavior", "behavior", True),
            "choices": f"{arguments.name}/choices.csv", "readout": readout, "metric": {"name": "error_consistency"}}, say


def main(words):
    parser = argparse.ArgumentParser(prog="cortiscore data add", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="of the recording, e.g. Lab2026")
    parser.add_argument("--responses", type=pathlib.Path)
    parser.add_argument("--rdms", type=pathlib.Path)
    parser.add_argument("--choices", type=pathlib.Path, help="CSV, or a folder of them")
    parser.add_argument("--columns", help="names in --choices that differ, e.g. subject=subj,choice=response")
    parser.add_argument("--stimuli", type=pathlib.Path, required=True, help="folder or zip of images")
    parser.add_argument("--table", type=pathlib.Path, help="CSV with filename, stimulus_id and other columns, in presentation order")
    parser.add_argument("--variable", default="", help="array of a .mat or .nc file")
    parser.add_argument("--dims", help="what each axis is, e.g. neuroid,presentation,repetition; columns of --table stand for "
                        "presentation, e.g. movie,frame,neuroid,repetition")
    parser.add_argument("--region", help="e.g. V4; neural data need it")
    parser.add_argument("--degrees", type=float, default=8, help="visual angle of the stimuli (default 8)")
    parser.add_argument("--by", help="column of --table: stratifies splits, and its groups alternate in layer choice")
    parser.add_argument("--group", help="column of --table whose groups are left out in turn, e.g. frames of one movie")
    parser.add_argument("--metric", choices=("pls", "ridge", "ridgecv"), default="pls", help="how layers predict responses (default pls)")
    parser.add_argument("--components", type=int, help="PLS components (default 25)")
    parser.add_argument("--alpha", type=float, default=1.0, help="penalty of --metric ridge (default 1)")
    parser.add_argument("--keep-above", type=float, help="leave neuroids of lower reliability out")
    parser.add_argument("--categories", type=pathlib.Path, help="CSV of category, index: outputs of an ImageNet classifier")
    parser.add_argument("--label", default="object_name", help="choices without --categories: column that a readout learns (default object_name); --table's role says fit or test")
    parser.add_argument("--parent", help="node of the tree (default: the region)")
    parser.add_argument("--weight", type=float, default=1.0, help="among the node's benchmarks (default 1)")
    parser.add_argument("--no-composite", action="store_true", help="join no composite")
    parser.add_argument("--species", help="e.g. macaque; `benchmark list --species` finds it by that")
    parser.add_argument("--modality", help="e.g. electrophysiology, fMRI, behavior")
    parser.add_argument("--citation")
    parser.add_argument("--licence")
    parser.add_argument("--force", action="store_true", help="replace a recording of this name")
    parser.add_argument("--home", type=pathlib.Path, default=default_home())
    arguments = parser.parse_args(words)
    kinds = [kind for kind in ("responses", "rdms", "choices") if getattr(arguments, kind)]
    if len(kinds) != 1:
        parser.error("give one of --responses, --rdms and --choices")
    if kinds != ["choices"] and not arguments.region:
        parser.error("neural data need --region")
    if not re.fullmatch(r"[A-Za-z0-9_]+", arguments.name):
        parser.error(f"name: found \"{arguments.name}\", expected letters, digits and _")
    path = getattr(arguments, kinds[0])
    for file in filter(None, (path, arguments.stimuli, arguments.table, arguments.categories)):
        if not file.exists():
            raise BadInput(f"{file}: found no such file, expected one.")
    target = arguments.home / "data" / arguments.name
    if target.exists() and not arguments.force:
        raise BadInput(f"{target}: found a recording of this name, expected none. Choose another name, or replace it with --force.")

    files = read_images(arguments.stimuli)
    rows = stimulus_rows(arguments, files)
    for name in filter(None, (arguments.by, arguments.group)):
        column(rows, name, arguments.table or "--table")
    sizes, same = look_at({row["filename"]: files[row["filename"]] for row in rows})
    target.parent.mkdir(parents=True, exist_ok=True)
    # Written beside its place and renamed: what is there is whole.
    folder = pathlib.Path(tempfile.mkdtemp(prefix=f".{arguments.name}.", dir=target.parent))
    try:
        write_stimuli(folder, [{**row, "filename": row["filename"].replace("/", "_")} for row in rows],
                      {row["filename"].replace("/", "_"): files[row["filename"]] for row in rows})
        manifest, say = {"responses": add_responses, "rdms": add_rdms, "choices": add_choices}[kinds[0]](arguments, folder, rows)
        write_hashes(folder)
        if target.exists():
            shutil.rmtree(target)
        os.chmod(folder, 0o755)
        folder.rename(target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    place = arguments.home / "benchmarks" / f"{manifest['identifier']}.json"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps(manifest, indent=2) + "\n")
    try:
        info = cortiscore("benchmark", "info", manifest["identifier"], "--json", home=arguments.home)
    except BadInput:
        place.unlink()
        shutil.rmtree(target)
        raise
    shapes = ", ".join(f"{n} of {w} x {h}" for (w, h), n in sizes.most_common(3)) + (", ..." if len(sizes) > 3 else "")
    print(f"stimuli: {len(rows)} images, {shapes}" + (f"; {len(same)} pair(s) with the same bytes, e.g. {same[0][0]} and {same[0][1]}" if same else ""))
    for line in say:
        print(line)
    measured = info["measured"]
    if measured.get("ceiling") is not None:
        print(f"ceiling: {measured['ceiling']:.4f} +- {measured['ceiling_error']:.4f} ({info['ceiling']})")
    print(f"{manifest['identifier']}: " + (f"under {manifest['parent']}, weight {arguments.weight:g}" if info["composite"] else "in no composite")
          + f"; manifest {place}\nscore it: cortiscore score NETWORK -b {manifest['identifier']}")
