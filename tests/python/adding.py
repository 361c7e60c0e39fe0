"""What the tests of `data add` share: images, the command in this process, and what it stored."""
import contextlib
import hashlib
import io
import os
import pathlib
import sys

import numpy as np
import pytest
import xarray as xr
from PIL import Image

from conftest import BINARY, ROOT

sys.path.insert(0, str(ROOT / "python"))
from cortiscore import add, binary, images, tables
from cortiscore.recordings import BadInput


class Added:
    """What `cortiscore data add` printed, and its exit code."""

    def __init__(self, returncode, stdout, stderr):
        self.returncode, self.stdout, self.stderr = returncode, stdout, stderr


def remembered(*words, **options):
    """The engine's answers, each asked for once a content of the file: it starts in half a second, and tests give it the same
    images and trials again and again. What it would say of the benchmark that was made is left out."""
    if words[:2] == ("benchmark", "info"):
        return [{"measured": {}, "ceiling": None, "composite": False}]
    *verb, path = words
    name = str(path) if verb == ["data", "table"] else ""  # tables are refused by their path
    key = (*verb, name, hashlib.sha256(pathlib.Path(path).read_bytes()).digest())
    if key not in ANSWERS:
        ANSWERS[key] = binary.ask(*words, **options)
    return ANSWERS[key]


ANSWERS = {}


def add_whole(home, *words):
    """The command in this process, which has its libraries loaded; refusals are told from tracebacks by the exit code."""
    os.environ["CORTISCORE_BINARY"] = str(BINARY)
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            add.main([*map(str, words), "--home", str(home)])
            code = 0
        except BadInput as error:
            code = error.exit_code
            print(error, file=err)
        except SystemExit as error:
            code = error.code
    return Added(code, out.getvalue(), err.getvalue())


def add_here(home, *words):
    """As add_whole, without opening the benchmark that was made: for what is read and stored."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (add, images, tables):
            patch.setattr(module, "ask", remembered)
        return add_whole(home, *words)


def refused(home, *words):
    """The one line of a refusal that left nothing behind."""
    done = add_here(home, *words)
    assert done.returncode == 5, done.stdout
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert not list((pathlib.Path(home) / "data").glob("*")) and not list((pathlib.Path(home) / "benchmarks").glob("*")), words
    return done.stderr


def accepted(home, *words):
    done = add_here(home, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def picture(i, size=16):
    return Image.fromarray(np.random.default_rng(i).integers(0, 256, (size, size, 3), np.uint8))


def pictures(folder, names):
    folder.mkdir(parents=True, exist_ok=True)
    for i, name in enumerate(names):
        picture(i).save(folder / name)
    return folder


def stored(home, name, ids):
    """[repetition, stimulus, neuroid] of the assembly that was written, by xarray, stimuli in the order of ids; and the neuroids' ids."""
    with xr.open_dataset(pathlib.Path(home) / f"data/{name}/responses.nc") as data:
        array = data["data"].load()
    stimuli, repetitions = array["stimulus_id"].values.astype(str), array["repetition"].values
    out = np.full((repetitions.max() + 1, len(ids), array.sizes["neuroid"]), np.nan)
    for row, stimulus, repetition in zip(array.values, stimuli, repetitions):
        out[repetition, list(ids).index(stimulus)] = row
    return out, list(array["neuroid_id"].values.astype(str))
