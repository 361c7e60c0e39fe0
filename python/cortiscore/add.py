"""Make a benchmark of your own experiment: it is checked, described, and from then on scores, ranks and joins composites.

    cortiscore data add Lab2026 --region V4 --responses responses.npy --dims neuroid,presentation,repetition \\
        --stimuli images.zip --table images.csv --by object_name
    cortiscore data add Lab2026 --region V1 --responses session.mat --variable counts --dims ... --stimuli images/
    cortiscore data add Lab2026 --region V1 --responses session.nwb --window 70,170 --stimuli images/
    cortiscore data add Lab2026 --region IT --rdms rdms.npy --stimuli images/ --order natural
    cortiscore data add Lab2026 --choices choices.csv --categories categories.csv --stimuli images/

Responses: .npy and .npz; .mat of any version (matrices, logical, sparse, cells of matrices; fields of structs as a.b); .h5 and
.hdf5; .nc, whose dims and ids are taken by name; .nwb (spikes of units counted in --window after each presentation; needs
pynwb); .csv and .tsv with columns stimulus_id, neuroid_id, response and optionally repetition, or stimulus_id, optionally
repetition, and a column a neuroid (--neuroids says which). A file of several arrays takes --variable. NaN, an empty field and
n/a are a missing trial. RDMs: any of these but .nwb, n x n or one a subject, square or condensed. Choices: tables with
subject, stimulus_id, truth, choice.

Stimuli are matched by id (names of files without extension, or --table's stimulus_id) where the file carries ids, else by
place: in the order of --table, or of the names of files. Where names sort otherwise as text than by their numbers, --order
natural or --order name has to say which order the array has.

Images: a folder or zip, or an .h5, .hdf5 or .npy array [n, h, w, 3] uint8. JPEG and PNG are kept as they are, GIF of one frame,
WebP, BMP, TIFF and 16-bit grey become PNG; what networks cannot be shown is refused.
"""
import argparse
import contextlib
import ctypes
import fcntl
import json
import math
import os
import pathlib
import re
import tempfile

import numpy as np

from . import layout
from .binary import ask
from .choices import to_categories, to_choices
from .images import ORDERS, Stimuli, open_images, store_images
from .rdms import to_rdms
from .recordings import BadInput, Parser, check_file, default_home, write_assembly, write_hashes, write_rdms, write_table
from .responses import check_trials, to_trials

FEW = 0.3  # reliability below which a neuroid says little (BENCHMARKS.md 1.7)
# Columns of --table that stay in the stimulus set: names that an assembly has for itself.
NOT_COORDINATES = ("filename", "data", "presentation", "neuroid", "neuroid_id", "region", "repetition")
MANIFESTS = layout.manifests()


# --- the benchmark ---------------------------------------------------------------------------------------------------

def reliability(folder, trials, home):
    """Spearman-Brown split-half reliability of every neuroid, by the engine; NaN where it has none."""
    path = folder / "trials.npy"
    np.save(path, trials)
    try:
        [found] = ask("ceiling", "internal_consistency", "--trials", path, home=home)
    finally:
        path.unlink()
    values = np.array(found["per_neuroid"], float)
    known = (~np.isnan(values)).sum(0)
    return np.where(known > 0, np.nansum(values, 0) / np.maximum(known, 1), np.nan)  # nanmean, without its warning


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


def add_responses(arguments, folder, stimuli):
    rows, ids = stimuli.rows, stimuli.ids
    trials, neuroids, said = to_trials(arguments, stimuli)
    notes, fewest = check_trials(trials, neuroids, ids, arguments.responses)
    say = [*said, f"responses: {trials.shape[2]} neuroids on {len(ids)} stimuli, {', '.join(notes)}"]
    ceiled = fewest > 1
    if ceiled:
        values = reliability(folder, trials, arguments.home)
        known = values[~np.isnan(values)]
        none = len(values) - len(known)
        say.append((f"reliability: median {np.median(known):.3f}; {int((known < FEW).sum())} of {len(values)} neuroids below {FEW} "
                    "(--keep-above leaves those out)" if len(known) else "reliability: unknown")
                   + (f"; {none} without one: their trials do not vary, or stimuli have a single one" if none else ""))
    else:
        say.append("reliability: unknown, since a stimulus was shown once; scores will be raw and join no composite")
    splits, by = splits_of(arguments)
    smallest = int(len(ids) / 2 * (splits.get("train_fraction", 0.5)))
    components = arguments.components or 25
    if arguments.metric == "pls" and components >= smallest:
        raise BadInput(f"{arguments.responses}: found {len(ids)} stimuli, expected more than {2 * components} for {components} PLS components "
                       f"on half of them. Give --components {max(1, smallest // 2)}.")
    write_assembly(folder / "responses.nc", f"{arguments.name}.{arguments.region}", trials,
                   {name: [row[name] for row in rows] for name in rows[0] if name not in NOT_COORDINATES and re.fullmatch(r"[A-Za-z_][\w.-]*", name)},
                   neuroids, arguments.region, None, {})
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


def add_rdms(arguments, folder, stimuli):
    rdms, names, said = to_rdms(arguments, stimuli)
    subjects = len(rdms)
    write_rdms(folder / "rdms.nc", f"{arguments.name}.{arguments.region}", rdms, names, stimuli.ids, arguments.region, {})
    identifier = f"{arguments.name}.{arguments.region}-rdm"
    say = [*said, f"RDMs: {subjects} subject(s), {len(stimuli.ids)} stimuli" + ("" if subjects > 1 else
           "; one subject holds no ceiling, so scores are raw and join no composite")]
    return {**common(arguments, identifier, "neural", arguments.region, subjects > 1), "rdms": f"{arguments.name}/rdms.nc",
            "metric": {"name": "rdm", "distance": "correlation", "comparison": "spearman"},
            "layer_selection": {"method": "alternating_halves", "by": arguments.by or "stimulus_id"},
            "ceiling": {"name": "nili" if subjects > 1 else "none"}}, say


def add_choices(arguments, folder, stimuli):
    trials, say = to_choices(arguments, stimuli)
    write_table(folder / "choices.csv", trials)
    if arguments.categories:
        write_table(folder / "categories.csv", to_categories(arguments.categories))
        readout = {"name": "imagenet_classes", "classes": f"{arguments.name}/categories.csv"}
    else:
        stimuli.column("role"), stimuli.column(arguments.label)
        readout = {"name": "logistic", "role": "role", "label": arguments.label, "C": 1e-3}
    return {**common(arguments, f"{arguments.name}-error_consistency", "behavior", "behavior", True),
            "choices": f"{arguments.name}/choices.csv", "readout": readout, "metric": {"name": "error_consistency"}}, say


# --- the command ------------------------------------------------------------------------------------------------------

@contextlib.contextmanager
def alone(folder, name):
    """While no other process adds a recording of this name.
    :raises BadInput: one does"""
    place = folder / f".{name}.lock"
    while True:
        file = open(place, "w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise BadInput(f"{folder / name}: found another `data add` of this name at work, expected one at a time. Wait for it to end.") from None
        except OSError:  # a file system without locks
            break
        if place.exists() and os.path.samestat(os.fstat(file.fileno()), place.stat()):
            break
        file.close()  # whoever had it has just removed it
    try:
        yield
    finally:
        place.unlink(missing_ok=True)
        file.close()


def stale_manifests(home, name, identifier):
    """Manifests of this home, written by `data add`, that read the recording's files and are of another identifier: what they
    stand for is no longer there."""
    for path in sorted((home / "benchmarks").glob("*.json")):
        try:
            manifest = json.loads(path.read_text())
        except (OSError, ValueError):
            continue
        if isinstance(manifest, dict) and manifest.get("import") == f"cortiscore data add {name} ..." and manifest.get("identifier") != identifier:
            yield path


def exchanged(one, other):
    """Whether two folders have taken each other's place, by one call of the system: there is no moment without either. False where the
    system or the file system cannot."""
    of_working_folder, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    try:
        call = ctypes.CDLL(None).renameat2
    except AttributeError:
        return False
    return call(of_working_folder, os.fsencode(one), of_working_folder, os.fsencode(other), exchange) == 0


def swap(staged, target, manifest, place):
    """The staged recording takes the place of the one that is there by one rename, then its manifest does. Whoever is killed between
    them leaves the new recording whole; what it replaces is gone only once both are there."""
    text, old = place.with_name(f".{place.name}.partial"), staged.parent / "old"
    with contextlib.ExitStack() as undo:
        undo.callback(text.unlink, missing_ok=True)
        text.write_text(json.dumps(manifest, indent=2) + "\n")
        if target.exists() and exchanged(staged, target):
            undo.callback(exchanged, staged, target)
        else:
            if target.exists():
                target.rename(old)
                undo.callback(old.rename, target)
            staged.rename(target)
            undo.callback(target.rename, staged)
        os.replace(text, place)
        undo.pop_all()


@contextlib.contextmanager
def user_files(arguments, folder):
    """The engine reads what was made of the user's files, in a folder that is soon gone: its refusals name the files that they
    were made of."""
    made = {"choices.csv": arguments.choices, "categories.csv": arguments.categories, "rdms.nc": arguments.rdms,
            "responses.nc": arguments.responses, "trials.npy": arguments.responses, "stimuli.zip": arguments.stimuli,
            "stimuli.csv": arguments.table or arguments.stimuli}
    try:
        yield
    except BadInput as error:
        words = str(error)
        for name, of in made.items():
            words = words.replace(str(folder / name), str(of))
        raise type(error)(words) from None


def build(arguments, kind):
    """Makes recording and manifest in a folder beside their place, has the engine open them there, and puts them in place.
    Returns what is to be said."""
    data = arguments.home / "data"
    target = data / arguments.name
    images = open_images(arguments.stimuli, arguments.stimuli_variable)
    stimuli = Stimuli(images, arguments.table, arguments.order)
    for name in filter(None, (arguments.by, arguments.group)):
        stimuli.column(name)
    with tempfile.TemporaryDirectory(prefix=f".{arguments.name}.", dir=data, ignore_cleanup_errors=True) as beside:
        home = pathlib.Path(beside)
        folder = home / "data" / arguments.name
        folder.mkdir(parents=True)
        with user_files(arguments, folder):
            manifest, say = {"responses": add_responses, "rdms": add_rdms, "choices": add_choices}[kind](arguments, folder, stimuli)
        say = store_images(folder, stimuli, arguments.orientation) + stimuli.notes + say
        if arguments.order and not stimuli.were_matched_by_place:
            say.append(f"--order {arguments.order} changed nothing: {getattr(arguments, kind).name} carries ids, by which its rows are matched to images")
        write_hashes(folder)
        (home / "benchmarks").mkdir()
        (home / "benchmarks" / f"{manifest['identifier']}.json").write_text(json.dumps(manifest))
        with user_files(arguments, folder):
            [info] = ask("benchmark", "info", manifest["identifier"], home=home)
        place = arguments.home / "benchmarks" / f"{manifest['identifier']}.json"
        place.parent.mkdir(parents=True, exist_ok=True)
        stale = list(stale_manifests(arguments.home, arguments.name, manifest["identifier"]))
        swap(folder, target, manifest, place)
    for path in stale:
        path.unlink()
        say.append(f"{path.stem} was of the recording that this one replaces, and is gone")
    measured = info["measured"]
    if measured.get("ceiling") is not None:
        say.append(f"ceiling: {measured['ceiling']:.4f} +- {measured['ceiling_error']:.4f} ({info['ceiling']})")
    return [*say, f"{manifest['identifier']}: " + (f"under {manifest['parent']}, weight {arguments.weight:g}" if info["composite"] else "in no composite")
            + f"; manifest {place}", f"score it: cortiscore score NETWORK -b {manifest['identifier']}"]


# Flags that not all of responses, rdms and choices take; elsewhere they would change nothing.
TAKEN_BY = {**dict.fromkeys(("dims", "neuroids", "group", "metric", "components", "alpha", "keep_above"), ("responses",)),
            **dict.fromkeys(("region", "by", "variable"), ("responses", "rdms")), "columns": ("responses", "choices"),
            **dict.fromkeys(("categories", "label"), ("choices",))}


def parsed(words):
    """The flags, and which of responses, rdms and choices is given."""
    parser = Parser(prog="cortiscore data add", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="of the recording, e.g. Lab2026")
    parser.add_argument("--responses", type=pathlib.Path)
    parser.add_argument("--rdms", type=pathlib.Path)
    parser.add_argument("--choices", type=pathlib.Path, help="CSV or TSV, or a folder of them")
    parser.add_argument("--columns", help="names of columns that differ, e.g. subject=subj,choice=response for --choices or stimulus_id=image for "
                        "--responses")
    parser.add_argument("--neuroids", help="columns of --responses (or values of neuroid_id) that are neuroids: a,b,c or a pattern such as 'n*'")
    parser.add_argument("--stimuli", type=pathlib.Path, required=True, help="folder or zip of images, or an .h5, .hdf5 or .npy array of them")
    parser.add_argument("--stimuli-variable", help="the array of images in an .h5 or .hdf5 file of several")
    parser.add_argument("--table", type=pathlib.Path, help="CSV with filename, stimulus_id and other columns, in presentation order")
    parser.add_argument("--order", choices=tuple(ORDERS), help="how an array without ids has the images, without --table: natural puts im2 before "
                        "im10, name im10 before im2; needed where the two differ")
    parser.add_argument("--orientation", choices=("stored", "applied"), help="images with an orientation tag: as their pixels are stored, or turned "
                        "as the tag says; needed where there are any")
    parser.add_argument("--variable", default="", help="array of an .npz, .mat, .h5, .hdf5 or .nc file (group/name, struct.field), or series or table "
                        "of an .nwb file")
    parser.add_argument("--window", help=".nwb: START,END in ms after the start of a presentation, where spikes are counted, e.g. 70,170")
    parser.add_argument("--presentations", help=".nwb: table of intervals that lists what was shown (default: the one with stimulus ids)")
    parser.add_argument("--dims", help="what each axis is, e.g. neuroid,presentation,repetition; columns of --table stand for "
                        "presentation, e.g. movie,frame,neuroid,repetition")
    parser.add_argument("--region", help="e.g. V4; neural data need it")
    parser.add_argument("--degrees", type=float, default=8, help="visual angle of the stimuli (default 8)")
    parser.add_argument("--by", help="column of --table: stratifies splits, and its groups alternate in layer choice")
    parser.add_argument("--group", help="column of --table whose groups are left out in turn, e.g. frames of one movie")
    parser.add_argument("--metric", choices=("pls", "ridge", "ridgecv"), help="how layers predict responses (default pls)")
    parser.add_argument("--components", type=int, help="PLS components (default 25)")
    parser.add_argument("--alpha", type=float, help="penalty of --metric ridge (default 1)")
    parser.add_argument("--keep-above", type=float, help="leave neuroids of lower reliability out")
    parser.add_argument("--categories", type=pathlib.Path, help="CSV of category, index: outputs of an ImageNet classifier")
    parser.add_argument("--label", help="choices without --categories: column that a readout learns (default object_name); --table's role says fit or test")
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
    if arguments.order and arguments.table:
        parser.error("--order: --table lists the stimuli in their order already")
    for flag, needs in (("window", ".nwb"), ("presentations", ".nwb")):
        if getattr(arguments, flag) and (not arguments.responses or arguments.responses.suffix.lower() != needs):
            parser.error(f"--{flag} is for --responses FILE{needs}")
    for flag, good in (("degrees", arguments.degrees > 0), ("weight", arguments.weight >= 0), ("alpha", arguments.alpha is None or arguments.alpha >= 0),
                       ("components", arguments.components is None or arguments.components > 0),
                       ("keep_above", arguments.keep_above is None or -1 <= arguments.keep_above <= 1)):
        if not good or not math.isfinite(getattr(arguments, flag) or 1):
            parser.error(f"--{flag.replace('_', '-')}: found {getattr(arguments, flag)}, expected "
                         + ("a correlation" if flag == "keep_above" else "a positive number"))
    for flag, takers in TAKEN_BY.items():
        if getattr(arguments, flag) not in (None, "") and kinds[0] not in takers:
            parser.error(f"--{flag.replace('_', '-')} is for {' and '.join('--' + taker for taker in takers)}")
    if arguments.by and arguments.group:
        parser.error("give one of --by and --group")
    if arguments.label and arguments.categories:
        parser.error("--label: found --categories as well, whose classifier needs no readout; give one of them")
    for flag, metric in (("components", "pls"), ("alpha", "ridge")):
        if getattr(arguments, flag) is not None and (arguments.metric or "pls") != metric:
            parser.error(f"--{flag} is for --metric {metric}")
    arguments.metric, arguments.label = arguments.metric or "pls", arguments.label or "object_name"
    arguments.alpha = 1.0 if arguments.alpha is None else arguments.alpha
    return arguments, kinds[0]


def main(words):
    arguments, kind = parsed(words)
    for file in filter(None, (getattr(arguments, kind), arguments.stimuli, arguments.table, arguments.categories)):
        if not file.is_dir() or file in (arguments.table, arguments.categories, arguments.responses, arguments.rdms):
            check_file(file)
    if arguments.name == "brainio" or (MANIFESTS / "recordings" / f"{arguments.name}.json").exists():
        raise BadInput(f"{arguments.name}: found the name of a recording that `data fetch` brings, expected one of your own.")
    target = arguments.home / "data" / arguments.name
    if target.exists() and not arguments.force:
        raise BadInput(f"{target}: found a recording of this name, expected none. Choose another name, or replace it with --force.")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with alone(target.parent, arguments.name):
            if target.exists() and not arguments.force:  # added while this one waited
                raise BadInput(f"{target}: found a recording of this name, expected none. Choose another name, or replace it with --force.")
            say = build(arguments, kind)
    except OSError as error:
        raise BadInput(f"{error.filename or target}: found {error.strerror or error}, expected to read and write it.") from None
    print("\n".join(say))
