"""Every verb with what people bring by mistake: a refusal in words, with a documented exit code, that names the file or the flag.
Never a traceback, exit 1 or 70, death by a signal, or a wait without end.

Each case is a process of its own, two at a time; what runs in Python runs in one process a module."""
import concurrent.futures
import copy
import io
import json
import os
import pickle
import pwd
import re
import shutil
import signal
import struct
import subprocess
import sys
import zipfile

import jsonschema
import numpy as np
import pytest
import torch
import xarray as xr
from PIL import Image

from conftest import BINARY, ROOT, Commands, compiled, run, save, write

sys.path.insert(0, str(ROOT / "python"))
from cortiscore import export

SECONDS, OF_PYTHON = 20, 300  # none of these takes one of its own; those that run in Python take many where others work too
DOCUMENTED = {2, 3, 4, 5, 6, 7}
N = 40


def npy(header, data=b"", version=b"\x01\x00"):
    text = header.encode("latin-1") if isinstance(header, str) else header
    return b"\x93NUMPY" + version + struct.pack("<H", len(text)) + text + data


def saved(array):
    out = io.BytesIO()
    np.save(out, array, allow_pickle=True)
    return out.getvalue()


def header(descr="<f8", shape="(3, 4)", fortran="False"):
    return f"{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}\n"


GOOD = saved(np.random.default_rng(0).standard_normal((N, 30)))
# Files that are no array of numbers, by name: bytes.
ARRAYS = {
    "empty.npy": b"", "junk.npy": bytes(range(256)) * 9, "cut.npy": GOOD[:200], "cut_header.npy": GOOD[:30], "magic.npy": b"\x93NUMPY",
    "huge_claim.npy": npy(header(shape="(1000000000000, 1000000)")), "overflow.npy": npy(header(shape="(4294967296, 4294967296, 8)")),
    "negative.npy": npy(header(shape="(-3, 4)"), bytes(96)), "not_utf8.npy": npy(b"{'descr': '\xbc\xff<f8', 'shape': (3,)}\n", bytes(24)),
    "no_shape.npy": npy("{'descr': '<f8', 'fortran_order': False}\n"), "deep.npy": npy("(" * 60000), "escape.npy": npy("\x1b[2J{'descr': 'x'}\n"),
    "object.npy": saved(np.array([{}, None], dtype=object)), "complex.npy": saved(np.ones((4, 3), complex)),
    "structured.npy": saved(np.zeros(3, dtype=[("a", "f8"), ("b", "i4")])), "text.npy": saved(np.array([["a", "b"]])),
    "long_double.npy": saved(np.ones((4, 3), np.longdouble)), "five_dims.npy": saved(np.ones((2, 2, 2, 2, 2))), "scalar.npy": saved(np.array(3.0)),
    "none.npy": saved(np.zeros((0, 4))), "nan.npy": saved(np.full((N, 5), np.nan)), "inf.npy": saved(np.full((N, 5), np.inf)),
    "date.npy": saved(np.array(["2026-01-01"], "M8[D]")), "version9.npy": npy(header(), bytes(96), b"\x09\x00"),
    "is_a_zip.npy": b"PK\x03\x04" + bytes(60), "empty.nc": b"", "junk.nc": bytes(range(256)) * 9, "cut.nc": b"\x89HDF\r\n\x1a\n" + bytes(50),
    "classic.nc": b"CDF\x01" + bytes(40), "png.nc": b"\x89PNG\r\n\x1a\n" + bytes(40), "empty.csv": b"", "words.csv": b"a,b\nx,y\nz,w\n",
    "ragged.csv": b"a,b\n1,2\n3\n4,5,6\n", "binary.csv": bytes(range(256)) * 3, "quote.csv": b'a,b\n1,"2\n3,4\n', "nul.csv": b"a,b\n1,\x002\n",
    "header_alone.csv": b"a,b,c\n", "numbers.txt": b"1 2 3\n", "no_extension": GOOD, "image.jpg": b"\xff\xd8\xff\xe0" + bytes(30)}
# Networks that are none.
NETWORKS = {"empty.pt2": b"", "junk.pt2": bytes(range(256)) * 40, "text.pt2": b"hello\n", "zip_end.pt2": b"PK\x05\x06" + bytes(18), "pickle.pt2": pickle.dumps({"a": 1}),
            "png.pt2": b"\x89PNG\r\n\x1a\n" + bytes(60), "empty.pt": b"", "weights.pth": b"x", "net.onnx": b"\x08\x07", "none": b""}
VALUES = [None, [], {}, "x", -1, 1e308, True, [[]], "\x1b[31m\n\u202e"]


def places(document, path=()):
    for key, value in document.items() if isinstance(document, dict) else enumerate(document):
        yield (*path, key), value
        if isinstance(value, (dict, list)):
            yield from places(value, (*path, key))


def mutations(document):
    """Each place of a document in turn with three of VALUES, in rotation, so that all of them come up: (where, value, change)."""
    turn = 0
    for path, value in places(document):
        others = [other for other in VALUES if type(other) is not type(value) or other != value]
        for k in range(3):
            yield ".".join(map(str, path)), others[(turn + k) % len(others)], {path: others[(turn + k) % len(others)]}
        turn += 3


def with_change(document, change):
    changed = copy.deepcopy(document)
    for path, value in change.items():
        place = changed
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value
    return changed


NEURAL = {"schema_version": 1, "identifier": "Lab.V4-pls", "version": 1, "kind": "neural", "region": "V4", "parent": "V4", "composite": True, "weight": 1.0,
          "visual_degrees": 8, "stimulus_set": "stimuli.csv", "assemblies": [{"identifier": "a", "file": "a.nc", "repetition": "repetition"}],
          "metric": {"name": "pls", "n_components": 5}, "splits": {"kind": "shuffle", "n_splits": 3, "train_fraction": 0.9, "seed": 1},
          "ceiling": {"name": "internal_consistency", "n_splits": 3, "seed": 1, "keep_above": 0.0}, "layer_selection": {"method": "alternating_halves", "by": "stimulus_id"}}
RDM = {**{k: NEURAL[k] for k in ("schema_version", "kind", "region", "stimulus_set", "layer_selection")}, "identifier": "Lab.IT-rdm", "rdms": "rdms.nc",
       "metric": {"name": "rdm", "distance": "correlation", "comparison": "spearman"}, "ceiling": {"name": "rsa", "bound": "upper", "convention": "r_over_c"}}
CHOICES = {"schema_version": 1, "identifier": "Lab-choices", "kind": "behavior", "region": "behavior", "stimulus_set": "stimuli.csv", "choices": "choices.csv",
           "metric": {"name": "error_consistency"}, "incomplete_choices": "skip",
           "readout": {"name": "imagenet_classes", "classes": "classes.csv", "n_outputs": 30}}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A folder with a network, arrays, choices and benchmarks that are right, and beside them what is not."""
    folder = tmp_path_factory.mktemp("bad")
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((N, 30)), rng.standard_normal((N, 5))
    save(folder, x=x, y=y, trials=rng.standard_normal((4, N, 5)), short=x[:-3], bins=np.arange(5.0), labels=np.arange(N) % 3, three=rng.random((N, 6, 3)))
    rdms = rng.random((3, N, N))
    rdms = rdms + rdms.transpose(0, 2, 1)
    rdms[:, range(N), range(N)] = 0
    np.save(folder / "rdms.npy", rdms)
    ids = [f"i{i:02d}" for i in range(N)]
    for i in ids:
        Image.fromarray(rng.integers(0, 256, (12, 12, 3), np.uint8)).save(folder / f"{i}.png")
    write(folder / "stimuli.csv", [{"stimulus_id": i, "filename": f"{i}.png", "object_name": "ab"[k % 2]} for k, i in enumerate(ids)])
    write(folder / "choices.csv", [{"subject": f"s{s}", "stimulus_id": i, "truth": "ab"[k % 2], "choice": "ab"[int(rng.integers(2))]} for s in range(3) for k, i in enumerate(ids)])
    write(folder / "network.csv", [{"stimulus_id": i, "truth": "ab"[k % 2], "choice": "ab"[int(rng.integers(2))]} for k, i in enumerate(ids)])
    write(folder / "classes.csv", [{"category": c, "index": i} for i, c in enumerate("ab")])
    xr.DataArray(rng.standard_normal((2 * N, 5)), dims=["presentation", "neuroid"], name="data", coords={
        "stimulus_id": ("presentation", ids * 2), "repetition": ("presentation", [0] * N + [1] * N), "neuroid_id": ("neuroid", list("abcde"))}).to_netcdf(folder / "a.nc", engine="h5netcdf")
    xr.DataArray(rdms, dims=["subject", "presentation", "presentation_other"], name="data", coords={
        "subject": ("subject", list("abc")), "stimulus_id": ("presentation", ids)}).to_netcdf(folder / "rdms.nc", engine="h5netcdf")
    for name, manifest in (("neural", NEURAL), ("rdm", RDM), ("choices", CHOICES)):
        (folder / f"{name}.json").write_text(json.dumps(manifest))
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(4 * 14 * 14, 30)).eval()
    export(net, folder / "net.pt2", input_size=16)
    (folder / "cut.pt2").write_bytes((folder / "net.pt2").read_bytes()[:3000])
    (folder / "folder").mkdir()
    for name in ("folder.npy", "folder.nc", "folder.csv", "folder.pt2", "folder.json", "folder.safetensors", "folder.pth"):
        (folder / name).mkdir()
    for name, data in {**ARRAYS, **NETWORKS}.items():
        (folder / name).write_bytes(data)
    for name in ("fifo.npy", "fifo.csv", "fifo.nc", "fifo.pt2", "fifo.json"):
        os.mkfifo(folder / name)
    return folder


@pytest.fixture(scope="module")
def commands(world):
    """The command line where the files are: (exit code, stdout, stderr); the code is None for a case that does not end, negative for a
    signal."""
    def run(words):
        words = [word if isinstance(word, bytes) else str(word) for word in words]
        done = Commands.run(words, {**os.environ, "CORTISCORE_HOME": str(world / "home")}, world, SECONDS, errors="replace")
        return None if done.returncode == -signal.SIGALRM else done.returncode, done.stdout, done.stderr

    return run


def complaint(words, names, result, may_pass=False):
    """What is wrong with how a case ended, or nothing. @param names  one of which the message must say"""
    code, out, err = result
    said = " ".join(w.decode(errors="replace") if isinstance(w, bytes) else str(w) for w in words)
    lines = [line for line in err.strip().splitlines() if line]
    if code is None:
        return f"{said}: does not end"
    if "Traceback" in err + out or code in (1, 70) or code < 0 or code > 128:
        return f"{said}: exit {code}: {err[-400:]}"
    if re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202e]", err):
        return f"{said}: control characters: {err!r}"
    if code == 0:
        return None if may_pass else f"{said}: exit 0: {out[:200]} {err[:200]}"
    if code not in DOCUMENTED:
        return f"{said}: exit {code}: {err[:200]}"
    if len(lines) > 4 or not lines or len(lines[-1]) > 3000:
        return f"{said}: {len(lines)} lines: {err[:300]}"
    if code == 3 and names:  # the rows of a sweep say why
        err += out
    if names and not any(name in err for name in names):
        return f"{said}: names none of {', '.join(names)}: {err[:300]}"
    return None


def walk(commands, cases):
    """Runs every case (words, names, may pass), two at a time."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        results = pool.map(commands, [case[0] for case in cases])
        wrong = [found for case, result in zip(cases, results) if (found := complaint(case[0], case[1], result, *case[2:]))]
    if wrong:
        pytest.fail(f"{len(wrong)} of {len(cases)} cases:\n" + "\n".join(wrong), pytrace=False)


BAD_ARRAYS = [*ARRAYS, "none_such.npy", "folder", "folder.npy", "folder.nc", "folder.csv", "fifo.npy", "fifo.nc", "fifo.csv", "/dev/null", "five_dims.npy"]


def test_arrays_that_are_none(world, commands):
    cases = [(["metric", "ridge", "--source", name, "--target", "y.npy"], [name], name in ("ragged.csv",)) for name in BAD_ARRAYS]
    cases += [(["metric", "ridge", "--source", "x.npy", "--target", name], [name]) for name in ("short.npy", "nan.npy", "cut.npy", "words.csv", "three.npy")]
    cases += [(["ceiling", "internal_consistency", "--trials", name], [name]) for name in ("empty.npy", "junk.npy", "x.npy", "object.npy", "cut.nc", "fifo.npy", "words.csv", "folder.nc")]
    cases += [(["metric", "rdm", "--source", "x.npy", "--target", name, "--target-rdm"], [name]) for name in ("y.npy", "junk.npy", "trials.npy", "scalar.npy", "empty.csv")]
    cases += [(["ceiling", "rsa", "--trials", name], [name]) for name in ("y.npy", "scalar.npy", "junk.nc")]
    cases += [(["score", name, "-b", "neural.json", "--results", "r"], [name]) for name in ("short.npy", "junk.npy", "three.npy", "folder.npy", "fifo.npy", "text.npy", "words.csv", "nan.npy", "image.jpg")]
    cases += [(["metric", "pls", "--source", "x.npy", "--target", "y.npy", "--stratify", name], [name]) for name in ("bins.npy", "junk.npy", "empty.csv", "folder.npy", "object.npy")]
    walk(commands, cases)


def test_choices_that_are_none(world, commands):
    for name, text in (("no_columns.csv", "x,y\n1,2\n"), ("no_rows.csv", "stimulus_id,truth,choice\n"), ("twice.csv", "stimulus_id,truth,choice\ni00,a,a\ni00,a,b\n"),
                       ("few.csv", "stimulus_id,truth,choice\ni00,a,a\n"), ("bad_p.csv", "stimulus_id,truth,a,b\ni00,a,x,0.5\n"), ("negative_p.csv", "stimulus_id,truth,a,b\ni00,a,-1,2\n"),
                       ("triplets.csv", "stimulus_1,stimulus_2,stimulus_3,choice\n0,1,two,0\n"), ("far.csv", "stimulus_1,stimulus_2,stimulus_3,choice\n0,1,99999999999999999999,0\n")):
        (world / name).write_text(text)
    files = ["no_columns.csv", "no_rows.csv", "empty.csv", "binary.csv", "folder.csv", "none_such.csv", "fifo.csv", "x.npy", "junk.nc", "a.nc", "quote.csv", "header_alone.csv"]
    cases = [(["metric", "error_consistency", "--source", "network.csv", "--target", name], [name]) for name in files]
    cases += [(["metric", "error_consistency", "--source", name, "--target", "choices.csv"], [name]) for name in (*files, "twice.csv", "few.csv", "bad_p.csv", "negative_p.csv")]
    cases += [(["ceiling", metric, "--trials", name], [name]) for metric in ("error_consistency", "i2n", "condition_accuracy") for name in ("no_rows.csv", "junk.nc", "x.npy")]
    cases += [(["ceiling", "error_consistency", "--trials", "network.csv"], ["choices", "subjects"]), (["ceiling", "i2n", "--trials", "choices.csv"], ["choices.csv"])]
    cases += [(["metric", metric, "--source", "network.csv", "--target", "choices.csv"], ["choices.csv", "network.csv", "--whole", "--variable"]) for metric in ("i1", "o2", "accuracy_delta", "threshold")]
    cases += [(["metric", "match", "--source", "x.npy", "--target", name], [name]) for name in ("triplets.csv", "far.csv", "choices.csv", "fifo.csv")]
    cases += [(["metric", "match", "--source", "nan.npy", "--target", "triplets.csv"], ["nan.npy"])]
    cases += [(["metric", "threshold", "--source", "network.csv", "--target", "y.npy", "--variable", "size"], ["size", "y.npy"])]
    cases += [(["metric", "ks_similarity", "--source", "x.npy", "--target", "y.npy", "--bins", name], [name]) for name in ("labels.npy", "nan.npy", "junk.npy", "none.npy")]
    cases += [(["metric", "factor_dimensionality", "--source", "x.npy", "--target", "y.npy", "--stratify", "labels.npy"], ["y.npy"]),
              (["metric", "factor_dimensionality", "--source", "nan.npy", "--target", "nan.npy", "--stratify", "labels.npy"], ["nan.npy"]),
              (["metric", "value_delta", "--source", "x.npy", "--target", "y.npy"], ["y.npy"]), (["metric", "bootstrap_error", "--source", "x.npy", "--axes", "7"], ["--axes"]),
              (["metric", "ost", "--source", "three.npy", "--target", "choices.csv", "--bins", "bins.npy"], ["choices.csv"]),
              (["metric", "logistic", "--train-source", "x.npy", "--train-target", "network.csv", "--test-source", "y.npy", "--test-target", "network.csv"], ["y.npy"]),
              (["metric", "logistic", "--train-source", "x.npy", "--train-target", "network.csv", "--test-source", "x.npy", "--test-target", "few.csv"], ["few.csv"])]
    walk(commands, cases)


XY = ["--source", "x.npy", "--target", "y.npy"]
NUMBERS = ["-1", "nan", "inf", "abc", "", "1e400", "99999999999999999999"]
FLAGS = [(["metric", "pls", *XY], ["--components", "--bootstrap", "--level", "--permutations"]), (["metric", "ridge", *XY], ["--alpha", "--ceiling-splits"]),
         (["metric", "linear", *XY], ["--cutoff"]), (["ceiling", "internal_consistency", "--trials", "trials.npy"], ["--ceiling-splits", "--seed", "--bootstrap", "--level"]),
         (["score", "x.npy", "-b", "neural.json", "--results", "r"], ["--candidates", "--bootstrap", "--memory-gib"]), (["layers", "net.pt2", "-b", "neural.json"], ["--candidates", "--memory-gib"]),
         (["sweep", "x.npy", "-b", "neural.json", "--results", "r"], ["--limit", "--max-failures", "--slurm-tasks"]),
         (["extract", "net.pt2", "--stimuli", "stimuli.csv", "--layer", "0", "-o", "out"], ["--degrees", "--repetitions"]),
         (["metric", "threshold", "--source", "network.csv", "--target", "y.npy", "--variable", "x"], ["--accuracy"]), (["metric", "value_delta", *XY], ["--scale"]),
         (["metric", "logistic"], ["--c"])]


def test_numbers_of_flags_that_are_out_of_range(world, commands):
    flags = [(verb, flag) for verb, flags in FLAGS for flag in flags]
    cases = [([*verb, f"{flag}={NUMBERS[(3 * i + k) % len(NUMBERS)]}"], [flag]) for i, (verb, flag) in enumerate(flags) for k in range(3)
             if not (flag in ("--alpha", "--c", "--scale") and NUMBERS[(3 * i + k) % len(NUMBERS)].startswith("999"))]  # a number all right
    cases += [([*verb, f"{flag}=0"], [flag]) for verb, flag in ((FLAGS[0][0], "--components"), (FLAGS[0][0], "--level"), (FLAGS[1][0], "--alpha"), (FLAGS[3][0], "--ceiling-splits"), (FLAGS[4][0], "--memory-gib"))]
    cases += [([*FLAGS[0][0], "--level=1"], ["--level"]), ([*FLAGS[3][0], "--seed=4294967296"], ["--seed"]), (["--threads=-3", "doctor"], ["--threads"]), (["--threads=many", "doctor"], ["--threads"])]
    walk(commands, cases)


def test_words_that_no_verb_knows(world, commands):
    score = ["score", "x.npy", "-b", "neural.json"]
    cases = [([], ["verb"]), (["scor"], ["scor"]), (["metric"], ["name"]), (["metric", "plss", *XY], ["plss"]), (["metric", "pls"], ["--source"]),
             (["metric", "pls", "--source", "x.npy"], ["--target"]), (["metric", "pls", *XY, "--mode", "x"], ["--mode"]), (["metric", "pls", *XY, "--over", "x"], ["--over"]),
             (["metric", "rdm", *XY, "--distance", "x"], ["x"]), (["metric", "rdm", *XY, "--comparison", "x"], ["x"]), (["metric", "pls", *XY, "--device", "x"], ["--device"]),
             (["metric", "pls", *XY, "--no-such"], ["--no-such"]), (["metric", "pls", *XY, "--splits", "neural.json"], ["neural.json"]), (["metric", "pls_split", *XY], ["--train-source"]),
             (["metric", "pls", *XY, "--predictions", "/proc/none/p.npy"], ["/proc/none/p.npy"]), (["metric", "pls", *XY, "--trials", "x.npy"], ["x.npy"]),
             (["metric", "pls", *XY, "--ceiling-convention", "x", "--trials", "trials.npy"], ["--ceiling-convention"]), (["metric", "rdm_cv", *XY, "--versus", "x.npy"], ["--versus"]),
             (["ceiling", "none"], ["--trials", "none"]), (["ceiling", "none", "--trials", "trials.npy"], ["none"]), (["score", "x.npy"], ["--benchmark"]), (["score", "-b", "neural.json"], ["network"]),
             (["score", "x.npy", "-b", "No.Such-pls"], ["No.Such-pls"]), (["score", "x.npy", "-b", "none.json"], ["none.json"]), ([*score, "--device", "cuda:99"], ["cuda:99"]), ([*score, "--device", "tpu"], ["--device"]),
             ([*score, "--tree", "none"], ["none"]), ([*score, "--tree", "neural.json"], ["neural.json"]), ([*score, "--results", "x.npy"], ["x.npy"]), ([*score, "--results", "/proc/none"], ["/proc/none"]),
             ([*score, "--ceiling-convention", "x"], ["--ceiling-convention"]), ([*score, "--precision", "x"], ["--precision"]), ([*score, "--spill", "/proc/none", "--results", "r"], ["--spill", "/proc/none"], True),
             ([*score, "--layer", "a", "--layer", "b"], ["--layer"]), ([*score, "--layer", "V1=a"], ["V1=a"]), ([*score, "--layer", "=a"], ["--layer"]), ([*score, "--layer", ""], ["--layer"]),
             (["score", "net.pt2", "-b", "neural.json", "--layer", "no_such", "--results", "r"], ["no_such"]), (["layers", "x.npy", "-b", "neural.json"], ["x.npy"]), (["layers", "net.pt2", "-b", "choices.json"], ["Lab-choices"]),
             (["layers", "net.pt2", "-b", "neural.json", "--match", "zzz"], ["--match"]), (["layers", "net.pt2", "-b", "neural.json", "--reference-photos", "x.npy"], ["x.npy"]),
             (["layers", "net.pt2", "-b", "neural.json", "-o", "/proc/none/x"], ["/proc/none/x"]), (["sweep", "-b", "neural.json"], ["checkpoints"]), (["sweep", "no/*.pt2", "-b", "neural.json", "--results", "r"], ["no/*.pt2"]),
             (["sweep", "x.npy", "-b", "neural.json", "--shard", "3/2", "--results", "r"], ["--shard"]), (["sweep", "x.npy", "-b", "neural.json", "--shard", "a/b"], ["--shard"]),
             (["sweep", "--checkpoint-table", "y.npy", "-b", "neural.json", "--results", "r"], ["y.npy"]), (["sweep", "--checkpoint-table", "stimuli.csv", "-b", "neural.json", "--results", "r"], ["stimuli.csv"]),
             (["sweep", "--checkpoint-table", "fifo.csv", "-b", "neural.json", "--results", "r"], ["fifo.csv"]), (["sweep", "x.npy", "--graph", "junk.pt2", "-b", "neural.json", "--results", "r"], ["junk.pt2"]),
             (["extract", "net.pt2", "--stimuli", "none.csv", "--layer", "0", "-o", "out"], ["none.csv"]), (["extract", "net.pt2", "--stimuli", "stimuli.csv", "--layer", "zz", "-o", "out"], ["zz"]),
             (["extract", "net.pt2", "--stimuli", "stimuli.csv", "--layer", "0", "-o", "/proc/none"], ["/proc/none"]), (["extract", "net.pt2", "--stimuli", "choices.csv", "--layer", "0", "-o", "out"], ["choices.csv"]),
             (["extract", "net.pt2", "--stimuli", "fifo.csv", "--layer", "0", "-o", "out"], ["fifo.csv"]), (["extract", "net.pt2", "--stimuli", "stimuli.csv", "--layer", "0", "-o", "x.npy"], ["x.npy"]),
             (["benchmark"], ["verb"]), (["benchmark", "info"], ["name"]), (["benchmark", "info", "none"], ["none"]), (["benchmark", "list", "--kind", "x"], ["--kind"]), (["benchmark", "trees", "x"], ["x"]),
             (["results"], ["verb"]), (["results", "show", "--results", "x.npy"], ["x.npy"]), (["results", "show", "--status", "x"], ["--status"]), (["results", "export", "--format", "x"], ["--format"]),
             (["results", "export", "--results", "r", "-o", "/proc/none/x"], ["/proc/none/x"]), (["results", "merge"], ["source"]), (["results", "merge", "none", "--results", "r"], ["none"]), (["results", "merge", "x.npy", "--results", "r"], ["x.npy"]),
             (["results", "rank", "--tree", "none"], ["none"]), (["results", "rank", "--table", "none.csv"], ["none.csv"]), (["results", "rank", "--table", "binary.csv"], ["binary.csv"]), (["results", "rank", "--table", "stimuli.csv"], ["stimuli.csv"]),
             (["results", "rank", "--results", "r2"], ["r2"], True), (["model"], ["verb"]), (["model", "inspect"], ["network"]), (["doctor", "x"], ["x"]), (["completion", "--x"], ["--x"]), (["--what"], ["--what"])]
    cases += [(["model", "inspect", name], [name]) for name in (*NETWORKS, "cut.pt2", "folder.pt2", "x.npy", "none_such.pt2", "fifo.pt2", "folder")]
    cases += [(["score", name, "-b", "neural.json", "--results", "r"], [name]) for name in ("empty.pt2", "junk.pt2", "cut.pt2", "folder.pt2", "none_such.pt2", "fifo.pt2", "weights.pth", "net.onnx", "none")]
    cases += [([b"metric", b"pls", b"--source", b"\xff\xfe\xbc.npy", b"--target", b"y\n\x1b[2J.npy"], ["\\xff\\xfe\\xbc.npy"]), (["metric", "x" * 5000, *XY], ["xxx"]),
              (["score", "x.npy", "-b", "a" * 5000 + ".json"], ["aaa"]), (["metric", "pls", "--source", "d/" * 3000 + "x.npy", "--target", "y.npy"], ["d/d"])]
    walk(commands, cases)


def test_layer_maps_trees_and_splits_that_are_none(world, commands):
    texts = {"null.json": "null", "list.json": "[1, 2]", "number.json": "3", "torn.json": '{"V4": ', "twice.json": '{"V4": "0", "V4": "1"}', "deep.json": "[" * 100000, "deep_object.json": '{"a":' * 5000,
             "binary.json": "\x00\x01", "wrong.json": '{"V4": 3}', "inner.json": '{"region_layer_map": []}', "chosen.json": '{"region_layer_map": {"V4": "0"}, "chosen_on": 3}', "bom.json": "\ufeff{"}
    for name, text in texts.items():
        (world / name).write_text(text)
    files = [*texts, "folder.json", "fifo.json", "none_such.json", "x.npy"]
    cases = [(["score", "net.pt2", "-b", "neural.json", "--layer-map", name, "--results", "r"], [name]) for name in files]
    cases += [(["metric", "pls", *XY, "--splits", name], [name]) for name in files]
    for i, split in enumerate([[{"train": [0.5, 1], "test": [2, 3]}], [{"train": [0, 1], "test": [-1, 3]}], [{"train": [0, 1], "test": [2, 99]}], [{"train": "ab", "test": [2, 3]}], [{"train": [0, 1]}], [{"train": [True, 1], "test": [2, 3]}],
                               [], [{"train": [], "test": []}], [{"train": [0, 0, 1], "test": [2, 3]}], [{"train": [1e30, 1], "test": [2, 3]}]]):
        (world / f"split{i}.json").write_text(json.dumps(split))
        cases.append((["metric", "ridge", *XY, "--splits", f"split{i}.json"], [f"split{i}.json"]))
    tree = {"schema_version": 1, "identifier": "t", "leaf": "ceiled", "missing": "zero", "tree": {"name": "t", "children": [{"benchmark": "Lab.V4-pls"}]}}
    for i, (_, _, change) in enumerate(mutations(tree)):
        (world / f"tree{i}.json").write_text(json.dumps(with_change(tree, change)))
        cases.append((["score", "x.npy", "-b", "neural.json", "--tree", f"tree{i}.json", "--results", "trees"], [f"tree{i}.json"], True))
    walk(commands, cases)


@pytest.mark.parametrize("kind", ["neural", "rdm", "choices"])
def test_manifests_with_a_wrong_value_in_every_place(world, commands, kind):
    manifest = {"neural": NEURAL, "rdm": RDM, "choices": CHOICES}[kind]
    cases = []
    for i, (where, _, change) in enumerate(mutations(manifest)):
        name = f"{kind}_{i}.json"
        (world / name).write_text(json.dumps(with_change(manifest, change)))
        cases.append((["score", "x.npy", "-b", name, "--bootstrap", "10", "--results", f"results_{kind}"], [name, manifest["identifier"], "x.npy", "stimuli.csv", "choices.csv", "classes.csv", "a.nc", "rdms.nc", where.split(".")[-1], "home"], True))
    walk(commands, cases)


def test_manifests_are_held_to_their_schema(world, commands):
    """One manifest of every kind and metric with a wrong value in every place: what the schema does not allow is refused by its field, and
    not ignored, or met where a score needs it."""
    valid = jsonschema.Draft202012Validator(json.loads((ROOT / "data_manifests/benchmark.schema.json").read_text())).is_valid
    manifests = {}
    for path in sorted((ROOT / "data_manifests/benchmarks").glob("*.json")):
        manifest = json.loads(path.read_text())
        manifests.setdefault((manifest.get("kind"), manifest["metric"]["name"]), manifest)
    cases, listed = [], [*manifests.values(), NEURAL, RDM, CHOICES]
    for manifest in listed:
        assert valid(manifest)
        for place, _ in places(manifest):
            wrong = [changed for other in (*VALUES, 1.5, 2**40, 0) if not valid(changed := with_change(manifest, {place: other}))]
            cases += wrong[len(cases) % 5::5]
    assert len(cases) > 1000
    for i, manifest in enumerate(cases):
        (world / f"schema{i}.json").write_text(json.dumps(manifest))
    walk(commands, [(["benchmark", "info", f"schema{i}.json"], [f"schema{i}.json", "in this version"]) for i in range(len(cases))])
    for i, manifest in enumerate(listed):
        (world / f"valid{i}.json").write_text(json.dumps(manifest))
        code, _, err = commands(["benchmark", "info", f"valid{i}.json"])
        assert code == 0, (manifest, err)


def test_an_identifier_without_a_dash_has_populations(world, commands):
    manifest = json.loads((ROOT / "data_manifests/benchmarks/Henaff2021.V1-pls.json").read_text())
    (world / "home/benchmarks").mkdir(parents=True, exist_ok=True)
    (world / "home/benchmarks/dashless.json").write_text(json.dumps({**manifest, "identifier": "dashless"}))
    code, _, err = commands(["benchmark", "info", "nobody"])
    assert code == 4 and "nobody" in err, err
    (world / "home/benchmarks/dashless.json").unlink()


def test_stores_that_are_broken(world, commands):
    stores = {"torn": b'{"schema_version": 1, "key": "a"', "junk": bytes(range(256)) * 5, "null": b"null\n", "deep": b"[" * 100000 + b"\n", "empty": b"", "list": b"[]\n[]\n", "text": b"hello\n"}
    cases = []
    for name, data in stores.items():
        (world / f"store_{name}").mkdir()
        (world / f"store_{name}" / "20260101T000000-h-1.jsonl").write_bytes(data)
        cases += [(["results", verb, "--results", f"store_{name}"], [f"store_{name}"], True) for verb in ("show", "export", "gc")]
        cases += [(["results", "merge", f"store_{name}", "--results", f"into_{name}"], [f"store_{name}"], True)]
    walk(commands, cases)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def test_records_with_a_wrong_value_and_the_right_checksum(world, commands):
    """As another version, or another program, may have written them: nothing is told from the outside."""
    code, out, err = commands(["score", "x.npy", "-b", "neural.json", "--bootstrap", "10", "--results", "whole", "--json"])
    assert code == 0, err
    record = json.loads(out)
    cases = []
    for i, (path, value) in enumerate(places(record)):
        changed = json.dumps(with_change(record, {path: [other for other in VALUES[:-1] if other != value][i % 7]})).encode()
        (world / f"foreign{i}").mkdir()
        (world / f"foreign{i}/20260101T000000-h-1.jsonl").write_bytes(b'{"crc32c":"%08x","record":%s}\n' % (crc32c(changed), changed))
        cases += [(["results", *verb, "--results", f"foreign{i}"], [f"foreign{i}"], True) for verb in [(["show"], ["export"]), (["rank", "--tree", "tree_of_one.json"], ["gc"])][i % 2]]
    (world / "tree_of_one.json").write_text(json.dumps({"schema_version": 1, "identifier": "t", "leaf": "ceiled", "missing": "zero", "tree": {"name": "t", "children": [{"benchmark": "Lab.V4-pls"}]}}))
    walk(commands, cases)


def test_stores_and_places_that_are_none(world, commands):
    """Stores that are files, pipes, links to nothing, or have shards that are no files; places to write to that are none."""
    (world / "dangling").symlink_to("nowhere")
    (world / "dangling.npy").symlink_to("nowhere.npy")
    (world / "loop").symlink_to("loop")
    for name in ("store_of_pipe", "store_of_folder", "store_of_link"):
        (world / name).mkdir()
    os.mkfifo(world / "store_of_pipe/20260101T000000-h-1.jsonl")
    (world / "store_of_folder/20260101T000000-h-1.jsonl").mkdir()
    (world / "store_of_link/20260101T000000-h-1.jsonl").symlink_to("nowhere")
    stores = ["x.npy", "fifo.npy", "loop", "store_of_pipe", "store_of_folder", "/dev/null", "none_such_store"]
    cases = [(["results", verb, "--results", store], [store]) for verb in ("show", "rank", "export", "gc") for store in stores]
    cases += [(["results", "show", "--results", "store_of_link"], ["store_of_link"], True)]
    cases += [(["results", "merge", store, "--results", "into"], [store]) for store in stores]
    cases += [(["score", "x.npy", "-b", "neural.json", "--results", store], [store]) for store in ("x.npy", "loop", "fifo.npy", "store_of_pipe", "store_of_folder")]
    cases += [(["layers", "net.pt2", "-b", "neural.json", "-o", name], [name]) for name in ("folder", "none_such/x.json", "x.npy/y.json")]
    cases += [(["extract", "net.pt2", "--stimuli", "stimuli.csv", "--layer", "0", "-o", name], [name]) for name in ("y.npy", "x.npy/out", "loop/out")]
    cases += [(["metric", "ridge", *XY, "--predictions", name], [name]) for name in ("folder", "none_such/p.npy")]
    cases += [(["metric", "ridge", "--source", name, "--target", "y.npy"], [name]) for name in ("dangling.npy", "loop", "/dev/zero")]
    cases += [(["sweep", "x.npy", "-b", "neural.json", "--results", store], [store]) for store in ("y.npy", "loop")]
    for name, data in (("utf16.json", json.dumps(NEURAL).encode("utf-16")), ("latin1.json", json.dumps({**NEURAL, "region": "V\u00e4"}, ensure_ascii=False).encode("latin-1")), ("nan.json", json.dumps({**NEURAL, "weight": float("nan")}).encode()),
                       ("huge.json", json.dumps({**NEURAL, "version": 10**400}).encode()), ("twice_over.json", b'{"schema_version": 1, "schema_version": 2}'), ("tail.json", json.dumps(NEURAL).encode() + b"x"), ("nul.json", b"\0" * 100)):
        (world / name).write_bytes(data)
        cases.append((["score", "x.npy", "-b", name, "--results", "r"], [name]))
    walk(commands, cases)


def test_help_shows_how_often_a_value_may_follow_its_flag():
    """A flag that is repeated for several values takes one each time."""
    for verb, once in (("metric", "--variable"), ("ceiling", "--variable"), ("score", "--layer"), ("extract", "--layer")):
        line = next(line for line in run(verb, "--help").stdout.splitlines() if once + " " in line)
        assert "..." not in line, line
    assert re.search(r"network TEXT.* \.\.\.", run("score", "--help").stdout)


BASES = {"score": ["net.pt2", "-b", "neural.json", "--bootstrap", "10", "--results", "r"], "metric": ["pls", *XY], "ceiling": ["internal_consistency", "--trials", "trials.npy"], "layers": ["net.pt2", "-b", "neural.json"],
         "extract": ["net.pt2", "--stimuli", "stimuli.csv", "--layer", "0", "-o", "out"], "results show": ["--results", "r"], "results rank": ["--results", "r"], "results export": ["--results", "r"], "results merge": ["r", "--results", "r3"],
         "results gc": ["--results", "r"], "model inspect": ["net.pt2"], "benchmark list": [], "benchmark info": ["neural.json"], "benchmark trees": [], "doctor": [], "data table": ["choices.csv"], "data images": ["i00.png"]}
ODD = ["", "-1", "nan", "/dev/null", "folder", "none_such", "odd.npy", "99999999999999999999", "\x1b[2J\u202e", "a,b=c", "*", "0"]


def test_every_flag_with_a_value_that_few_would_take(world, commands):
    shutil.copy(world / "x.npy", world / "odd.npy")  # a flag may name what is written
    cases = []
    for verb, rest in BASES.items():
        helped = commands([*verb.split(), "--help"])[1]
        flags = re.findall(r"^ +(?:-\w, *)?(--[a-z-]+)", helped, re.M)
        assert flags, helped
        cases += [([*verb.split(), *rest, f"{flag}={ODD[(5 * i + len(cases)) % len(ODD)]}"], [], True) for i, flag in enumerate(flags)]
    walk(commands, [*cases, *[(["ceiling", "internal_consistency", "--trials", "trials.npy", "--bootstrap=0"], [], True)]])


def test_without_a_home_nothing_is_made_at_the_root(world):
    """HOME is not set in some services and jobs: then it is what the system has of the user, and else nothing is guessed."""
    words = ["score", "x.npy", "-b", "neural.json", "--bootstrap", "10"]
    env = {key: value for key, value in os.environ.items() if key not in ("HOME", "CORTISCORE_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME")}
    there = set(os.listdir("/"))
    for more in ([], ["--results", "no_home"]):
        done = Commands.run([*words, *more], {**env, "LD_PRELOAD": str(compiled("no_user"))}, world, SECONDS)
        assert done.returncode == 2 and "HOME: found nothing" in done.stderr and "Set HOME" in done.stderr, done
    assert set(os.listdir("/")) == there
    known = Commands.run(["results", "show"], env, world, SECONDS)
    assert known.returncode == 0 or f"{pwd.getpwuid(os.getuid()).pw_dir}/.local/share/cortiscore/results" in known.stderr, known


WRITERS = {"0.npy": ["extract", "net.pt2", "--stimuli", "stimuli.csv", "--layer", "0", "-o", "{folder}"],
           "0.nc": ["extract", "net.pt2", "--stimuli", "stimuli.csv", "--layer", "0", "--format", "nc", "-o", "{folder}"],
           "p.npy": ["metric", "ridge", *XY, "--predictions", "{folder}/p.npy"],
           "map.json": ["layers", "net.pt2", "-b", "neural.json", "-o", "{folder}/map.json"],
           "all.csv": ["results", "export", "--results", "r", "-o", "{folder}/all.csv"]}


@pytest.mark.parametrize("name", WRITERS)
def test_files_are_there_whole_or_not_at_all(world, commands, faults, tmp_path, name):
    """On a full disk, nothing under the name of what was to be written; what had that name stays; nothing beside it."""
    assert commands(["score", "x.npy", "-b", "neural.json", "--bootstrap", "10", "--results", "r"])[0] == 0
    words = [word.format(folder=tmp_path) for word in WRITERS[name]]
    place = tmp_path / name
    assert commands(words)[0] == 0
    whole = place.read_bytes()
    for before in (None, b"what was there"):
        for call in range(1, 100):
            place.unlink(missing_ok=True)
            if before:
                place.write_bytes(before)
            env = {**os.environ, "CORTISCORE_HOME": str(world / "home"), "LD_PRELOAD": str(faults), "FAULT_FOLDER": str(tmp_path),
                   "FAULT_CALL": str(call), "FAULT_KIND": "ENOSPC"}
            done = Commands.run(words, env, world, SECONDS)
            if done.returncode == 0:
                break
            assert done.returncode == 5 and f"{place}: " in done.stderr and "permission" in done.stderr and len(done.stderr.splitlines()[-1]) < 500, (call, done)
            assert [path.name for path in tmp_path.iterdir()] == [name] * bool(before), (call, done)
            assert not before or place.read_bytes() == before, call
        assert call > 1, "no operation of it was met"
        assert len(place.read_bytes()) == len(whole) and (name.endswith(".nc") or place.read_bytes() == whole)  # HDF5 writes the time
        assert [path.name for path in tmp_path.iterdir()] == [name]


def test_what_is_no_file_is_written_to_as_it_is(world, commands, tmp_path):
    """A pipe stays one, and a link leads where it led."""
    pipe, real, link = tmp_path / "pipe", tmp_path / "real.csv", tmp_path / "link.csv"
    os.mkfifo(pipe)
    real.write_text("before")
    link.symlink_to(real)
    assert commands(["score", "x.npy", "-b", "neural.json", "--bootstrap", "10", "--results", "r"])[0] == 0
    with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE, text=True) as reader:
        code, _, err = commands(["results", "export", "--results", "r", "-o", str(pipe)])
        assert code == 0, err
        said = reader.communicate(timeout=SECONDS)[0]
    assert pipe.is_fifo() and commands(["results", "export", "--results", "r", "-o", str(link)])[0] == 0
    assert link.is_symlink() and real.read_text() == said.replace("\r\n", "\n") and "Lab.V4-pls" in said


DRIVER = '''
import contextlib, io, json, os, signal, sys
sys.path.insert(0, {python!r})
from cortiscore.recordings import run


class TooLong(BaseException):
    pass


def alarm(*_):
    raise TooLong


signal.signal(signal.SIGALRM, alarm)
exec({prepare!r})
results = []
for case in json.load(open(sys.argv[1])):
    sys.argv = ["cortiscore", *case]
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    code = 0
    signal.alarm({seconds})
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            run(main)
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1
    except TooLong:
        code = None
    signal.alarm(0)
    texts = []
    for stream in (out, err):
        stream.flush()
        texts.append(stream.buffer.getvalue().decode("utf-8", "replace"))
    results.append([code, *texts])
    print(json.dumps(results[-1]), flush=True)
'''


TABLES = [name for name in ARRAYS if name.endswith((".csv", ".txt"))]


def test_verbs_that_look_at_scores(world, commands):
    """rank, compare, report, submit, merge, import, profiles of machines, and analyze, on what is no store, table, submission or profile."""
    (world / "odd.csv").write_text("model,V4,V4\na,0.5,0.5\n")
    (world / "cents.csv").write_text("model,Lab.V4-pls\na,55\n")
    (world / "no_model.csv").write_text("network,Lab.V4-pls\na,0.5\n")
    (world / "twice.csv").write_text("model,Lab.V4-pls\na,0.5\na,0.6\n")
    (world / "home/benchmarks").mkdir(parents=True, exist_ok=True)
    (world / "home/benchmarks/Lab.V4-pls.json").write_text(json.dumps(NEURAL))
    code, _, err = commands(["score", "x.npy", "-b", "neural.json", "--bootstrap", "10", "--results", "scored"])
    assert code == 0, err
    (world / "unmatched.csv").write_text("model,foo\na,0.5\n")
    _, _, err = commands(["rank", "--table", "unmatched.csv"])
    assert "unmatched.csv" in err and len(err) < 500, err  # not every benchmark there is
    tables = [*TABLES, "odd.csv", "cents.csv", "no_model.csv", "twice.csv", "none_such.csv", "folder.csv", "fifo.csv", "x.npy", "/dev/null"]
    stores = ["none_such_store", "x.npy", "fifo.npy", "/dev/null"]
    cases = [(["rank", "--table", table], [table]) for table in tables]
    cases += [(["results", "import", table, "--source", "s", "--results", "imported"], [table]) for table in tables]
    cases += [(["compare", "a", "b", "--table", table], [table]) for table in tables[:6]]
    cases += [(["analyze", question, "--table", table], [table]) for question, table in zip(
        ("imagenet", "best", "unexplained", "benchmarks") * 5, tables)]
    for verb in (["rank"], ["compare", "a", "b"], ["analyze", "best"], ["submit", "x", "-o", "o.zip"], ["report", "-o", "site"]):
        cases += [([*verb, "--results", store], [store]) for store in stores]
    scored = ["--results", "scored"]
    cases += [(["compare", *names, *scored], [names[0], names[1]]) for names in (("x", "nobody"), ("nobody", "x"), ("x", "x"))]
    cases += [(["compare", "r1", "r2", "--runs", *scored], ["tag run"])]
    cases += [(["rank", *scored, "--tree", tree], [tree]) for tree in ("no_tree", "fifo.json")]
    cases += [(["rank", *scored, *flags], [flags[0]]) for flags in (
        ["--since", "yesterday"], ["--tag", "x"], ["--tag", "a=1", "--tag", "a=2"],
        ["--columns", "x"], ["--convention", "x"])]
    cases += [(["rank", *scored, *flags], ["results"]) for flags in (["--region", "V9"], ["--network", "nobody*"], ["--species", "x"], ["--benchmark", "x"])]
    for file in ("x.npy", "empty.csv", "pickle.pt2", "cut.pt2", "fifo.json", "none_such.json"):
        cases += [(["compare-machines", file, "neural.json"], [file]), (["results", "merge", file, "--results", "merged"], [file])]
    cases += [(["submit", "nobody", *scored, "-o", "o.zip"], ["nobody"]), (["submit", "x", *scored, "-o", "none_such/o.zip"], ["none_such"]),
              (["submit", "x", *scored, "-o", "folder"], ["folder"]), (["report", *scored, "-o", "x.npy"], ["x.npy"]),
              (["report", *scored, "-o", "site", "--table", "words.csv"], ["words.csv"]), (["serve", *scored, "--port", "99999999"], ["--port", "port"]),
              (["analyze", "imagenet", *scored], ["scored", "imagenet", "top-1"]), (["analyze", "nothing", *scored], ["nothing"])]
    cases += [(["profile", network, "-b", "neural.json"], [network]) for network in ("junk.pt2", "cut.pt2", "none_such.pt2", "folder.pt2", "fifo.pt2")]
    cases += [(["profile", "net.pt2", "-b", name], [name]) for name in ("none_such.json", "junk.npy", "Nobody-pls")]
    assert len(cases) >= 100
    walk(commands, cases)


def walk_python(folder, prepare, cases):
    """The cases (words, names, may pass) one after the other in one Python, each through the border of its command."""
    (folder / "cases.json").write_text(json.dumps([[str(w) for w in case[0]] for case in cases]))
    code = DRIVER.format(python=str(ROOT / "python"), prepare=prepare, seconds=OF_PYTHON)
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code, "cases.json"], cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          env={**os.environ, "CORTISCORE_HOME": str(folder / "home"), "CORTISCORE_BINARY": str(BINARY)})
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(results) == len(cases), f"after {cases[len(results)][0]}: exit {done.returncode}: {done.stderr[-2000:]}"
    wrong = [found for case, result in zip(cases, results) if (found := complaint(case[0], case[1], result, *case[2:]))]
    if wrong:
        pytest.fail(f"{len(wrong)} of {len(cases)} cases:\n" + "\n".join(wrong), pytrace=False)


@pytest.fixture(scope="module")
def lab(world):
    """What `data add` is given: images right and wrong, containers that are none."""
    for name, count in (("images", N), ("images_of_three", 3)):
        (world / name).mkdir()
        for i in range(count):
            Image.fromarray(np.full((8, 8, 3), i, np.uint8)).save(world / name / f"i{i:02d}.png")
    for name, data in (("images_empty", b""), ("images_junk", b"\x89PNG\r\n\x1a\n" + bytes(40)), ("images_cut", (world / "i00.png").read_bytes()[:60])):
        (world / name).mkdir()
        (world / name / "i00.png").write_bytes(data)
    (world / "no_images").mkdir()
    with zipfile.ZipFile(world / "no_images.zip", "w") as archive:
        archive.writestr("readme.txt", "x")
    whole = (world / "net.pt2").read_bytes()
    for name, data in (("empty.zip", b""), ("junk.zip", bytes(range(256)) * 9), ("cut.zip", whole[: len(whole) // 2]), ("junk.mat", bytes(range(256)) * 9), ("empty.mat", b""), ("v5.mat", b"MATLAB 5.0 MAT-file" + bytes(200)),
                       ("junk.h5", bytes(range(256)) * 9), ("cut.h5", b"\x89HDF\r\n\x1a\n" + bytes(40)), ("empty.h5", b""), ("junk.npz", bytes(range(256)) * 9), ("cut.npz", b"PK\x03\x04" + bytes(30)), ("text.mat", b"hello"), ("empty.nwb", b""), ("junk.pkl", b"x")):
        (world / name).write_bytes(data)
    (world / "no_filename.csv").write_text("a,b\n1,2\n")
    return world


def test_data_verbs_of_python(lab):
    add = ["add", "Lab", "--stimuli", "images", "--region", "V4"]
    responses = [*add, "--responses"]
    files = ["empty.npy", "junk.npy", "cut.npy", "huge_claim.npy", "overflow.npy", "not_utf8.npy", "object.npy", "complex.npy", "structured.npy", "text.npy", "scalar.npy", "none.npy", "is_a_zip.npy", "empty.nc", "junk.nc", "cut.nc", "classic.nc",
             "empty.csv", "words.csv", "binary.csv", "quote.csv", "junk.mat", "empty.mat", "v5.mat", "text.mat", "junk.h5", "cut.h5", "empty.h5", "junk.npz", "cut.npz", "junk.pkl", "numbers.txt", "no_such.npy", "folder.npy", "folder.nc", "folder.csv"]
    cases = [([*responses, name], [name]) for name in files]
    cases += [(["add", "Lab", "--stimuli", name, "--region", "V4", "--responses", "y.npy"], [name]) for name in ("no_such", "no_images", "no_images.zip", "empty.zip", "junk.zip", "cut.zip", "images_empty", "images_junk", "images_cut", "images_of_three", "x.npy")]
    cases += [([*responses, "y.npy", f"{flag}={value}"], [flag]) for flag in ("--degrees", "--alpha", "--weight", "--components", "--keep-above") for value in ("nan", "abc", "-1", "inf") if (flag, value) != ("--keep-above", "-1")]
    cases += [([*responses, "y.npy", "--components=0"], ["--components"]), ([*responses, "y.npy", "--dims", "x"], ["--dims", "dims"]), ([*responses, "y.npy", "--table", "no_such.csv"], ["no_such.csv"]), ([*responses, "y.npy", "--table", "binary.csv"], ["binary.csv"]),
              ([*responses, "y.npy", "--table", "no_filename.csv"], ["no_filename.csv"]), ([*responses, "y.npy", "--by", "zz"], ["zz"]), ([*responses, "y.npy", "--group", "zz"], ["zz"]), ([*responses, "y.npy", "--metric", "x"], ["--metric"]),
              ([*responses, "y.npy", "--home", "/proc/none"], ["/proc/none"]), (["add", "../x", "--stimuli", "images", "--region", "V4", "--responses", "y.npy"], ["../x"]), (["add", "Lab", "--responses", "y.npy"], ["--stimuli"]), ([*add], ["--responses"]),
              ([*responses, "y.npy", "--rdms", "rdms.npy"], ["--rdms"]), (["add", "Lab", "--stimuli", "images", "--responses", "y.npy"], ["--region"]), (["add"], ["name"])]
    cases += [([*add, "--rdms", name], [name]) for name in ("y.npy", "nan.npy", "junk.npy", "empty.csv", "scalar.npy", "junk.mat")]
    cases += [(["add", "Lab", "--stimuli", "images", "--choices", name], [name]) for name in ("no_columns.csv", "empty.csv", "binary.csv", "folder", "no_such.csv", "x.npy")]
    cases += [(["add", "Lab", "--stimuli", "images", "--choices", "choices.csv", "--columns", "subject"], ["--columns", "columns"]), (["add", "Lab", "--stimuli", "images", "--choices", "choices.csv", "--categories", "no_columns.csv"], ["no_columns.csv"])]
    (lab / "no_columns.csv").write_text("x,y\n1,2\n")
    broken = {"torn": '{"a": ', "list": "[1]", "numbers": '{"a.npy": 3}', "null": "null", "binary": "\x00"}
    for name, text in broken.items():
        (lab / f"home_{name}/data/Lab").mkdir(parents=True)
        (lab / f"home_{name}/data/Lab/files.json").write_text(text)
        cases.append((["verify", "--home", f"home_{name}"], [f"home_{name}"], True))
    cases += [(["info", "none"], ["none"]), (["info"], ["name"]), (["export", "none", "-o", "out"], ["none"]), (["export", "Lab"], ["--output"]), (["verify", "none"], ["none"]), (["fetch", "none"], ["none"]), (["fetch"], ["names"]),
              (["fetch", "Cowley2023", "--jobs", "many"], ["--jobs"]), (["list", "--home", "x.npy"], ["x.npy"], True), (["import"], ["source"]), (["import", "no_such"], ["no_such"]), (["import", "images", "--only", "x"], ["--only"]), (["import", "images", "--only", "Cowley2023"], ["images"]), (["list", "--x"], ["--x"])]
    walk_python(lab, "from cortiscore.data import main", cases)


def test_checkpoints_and_networks_for_python(lab):
    (lab / "pickle.pth").write_bytes(pickle.dumps({"a": 1}))
    torch.save(3, lab / "number.pth")
    torch.save({"a": torch.ones(2)}, lab / "other.pth")
    torch.save({"a": torch.ones(2)}, lab / "cut.pth")
    (lab / "cut.pth").write_bytes((lab / "cut.pth").read_bytes()[:200])
    for name, data in (("empty.pth", b""), ("junk.pth", bytes(range(256)) * 9), ("zip.pth", b"PK\x05\x06" + bytes(18)), ("junk.safetensors", bytes(range(256)) * 9), ("empty.safetensors", b"")):
        (lab / name).write_bytes(data)
    files = ["empty.pth", "junk.pth", "cut.pth", "zip.pth", "pickle.pth", "number.pth", "no_such.pth", "folder.pth", "junk.safetensors", "empty.safetensors", "x.npy", "no/*.pth"]
    cases = [([name, "-o", "converted"], [name]) for name in files]
    cases += [(["other.pth", "-o", "converted", "--graph", name], [name, "other.pth"]) for name in ("net.pt2", "junk.pt2", "no_such.pt2", "folder.pt2", "x.npy", "no_images.zip")]
    cases += [(["other.pth", "-o", "converted", "--key", "zz"], ["zz"]), (["other.pth", "-o", "/proc/none"], ["/proc/none"]), (["other.pth"], ["--output"]), ([], ["checkpoints"]), (["other.pth", "-o", "x.npy"], ["x.npy"])]
    walk_python(lab, "import sys\nfrom cortiscore.convert import main as convert\nmain = lambda: convert(sys.argv[1:])", cases)
    sources = {"no_function.py": "x = 1\n", "syntax.py": "def build(:\n", "raises.py": "def build():\n    raise ValueError('no')\n", "nothing.py": "def build():\n    return None\n", "text.py": "def build():\n    return 'x'\n",
               "imports.py": "import no_such_module_at_all\ndef build():\n    pass\n", "binary.py": "\x00\x01"}
    for name, text in sources.items():
        (lab / name).write_text(text)
    cases = [([name, "-o", "n.pt2"], [name]) for name in sources]
    cases += [(["no_such.py", "-o", "n.pt2"], ["no_such.py"]), (["folder", "-o", "n.pt2"], ["folder"]), (["torchvision:no_such", "-o", "n.pt2"], ["no_such"]), (["alexnet"], ["alexnet"]), ([], ["source"]), (["pixels", "-o", "/proc/none/n.pt2"], ["/proc/none"]),
              (["pixels", "-o", "n.pt2", "--input-size", "abc"], ["--input-size"]), (["pixels", "-o", "n.pt2", "--input-size", "-3"], ["--input-size"]), (["pixels", "-o", "n.pt2", "--seed", "abc"], ["--seed"]), (["pixels", "-o", "n.pt2", "--native"], ["--native"]),
              (["pixels", "-o", "n.pt2", "--layer", "a"], ["--layer"]), (["torchvision:squeezenet1_1", "-o", "n.pt2", "--weights", "junk.pth"], ["junk.pth"]), (["torchvision:squeezenet1_1", "-o", "n.pt2", "--weights", "no_such.pth"], ["no_such.pth"])]
    walk_python(lab, "from cortiscore.export_command import main", cases)
