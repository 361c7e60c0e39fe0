"""What every Python test shares: the built command line, and the folder of real data (absent on most machines)."""
import atexit
import collections
import csv
import functools
import hashlib
import importlib
import itertools
import json
import os
import pathlib
import queue
import shutil
import struct
import subprocess
import sys
import tempfile

import filelock
import jsonschema
import numpy as np
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("CORTISCORE_BINARY", ROOT / "build/cpu/cortiscore"))
SHARED = pathlib.Path(os.environ.get("CORTISCORE_SHARED_DATA", ROOT.parent / "shared/data"))


# Where a test sets one of these, it gets a program that loads its own libraries, which read them then or as they are taken down.
OF_LIBRARIES = ("LD_LIBRARY_PATH", "OMP_", "OPENBLAS_", "MKL_", "MALLOC_", "GLIBC_", "CUDA_", "HDF5_", "FAULT_LOG")


@functools.cache
def _scratch():
    folder = tempfile.TemporaryDirectory(prefix="cortiscore_tests_")
    atexit.register(folder.cleanup)
    return pathlib.Path(folder.name)


# Indexes and nulls of recordings that are gone with a test would stay for ever. Matplotlib's list of fonts is worth keeping.
os.environ.setdefault("MPLCONFIGDIR", str(pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "matplotlib"))
os.environ["XDG_CACHE_HOME"] = str(_scratch() / "cache")


@functools.cache
def compiled(name):
    """A library for LD_PRELOAD, of tests/support/NAME.c."""
    library = _scratch() / f"{name}.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", library, ROOT / f"tests/support/{name}.c", "-ldl"], check=True)
    return library


class Commands:
    """The command line with its libraries loaded once, which takes half a second; each run is a process of its own, forked where main
    begins (tests/support/forked_main.c)."""

    free, count = collections.defaultdict(queue.LifoQueue), itertools.count()

    def __init__(self, *libraries):
        name = f"{os.getpid()}_{next(Commands.count)}"
        self.out, self.err = (_scratch() / f"{name}.{end}" for end in ("out", "err"))
        self.server = subprocess.Popen([BINARY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                       env={**os.environ, "LD_PRELOAD": ":".join(map(str, (compiled("forked_main"), *libraries)))})
        atexit.register(self.server.wait)
        atexit.register(self.server.stdin.close)

    @classmethod
    def run(cls, words, env, cwd=None, seconds=0, errors="strict"):
        """As subprocess.run; a run that takes longer than `seconds` ends by SIGALRM. What env preloads is loaded before the fork, too.
        Threads that call this at the same time have a server each."""
        libraries = (env["LD_PRELOAD"],) if "LD_PRELOAD" in env else ()
        try:
            one = cls.free[libraries].get_nowait()
        except queue.Empty:
            one = cls(*libraries)
        asked = [one.out, one.err, cwd or os.getcwd(), str(seconds), *(f"{name}={value}" for name, value in env.items()), "", *words]
        text = b"".join(os.fsencode(word) + b"\0" for word in asked)
        one.server.stdin.write(struct.pack("<i", len(text)) + text)
        one.server.stdin.flush()
        code = os.waitstatus_to_exitcode(struct.unpack("<i", one.server.stdout.read(4))[0])
        said = [path.read_text(errors=errors) for path in (one.out, one.err)]
        cls.free[libraries].put(one)
        return subprocess.CompletedProcess(words, code, *said)


def run(*arguments, env=None, seconds=0):
    """What the command line does with these arguments; after so many seconds, where they are given, it ends by SIGALRM."""
    words = [word if isinstance(word, bytes) else str(word) for word in arguments]
    if any(name.startswith(OF_LIBRARIES) for name in env or {}):
        return subprocess.run([BINARY, *words], capture_output=True, text=True, env={**os.environ, **env}, timeout=seconds or None)
    return Commands.run(words, {**os.environ, **(env or {})}, seconds=seconds)


def peak_bytes(*arguments, code=0):
    """(largest resident size, standard error) of one run of the command line that ends with `code`, from a parent of its own: a child
    begins with the size of its parent."""
    script = ("import resource, subprocess, sys; done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL); "
              "print(done.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)")
    done = subprocess.run([sys.executable, "-c", script, str(BINARY), *map(str, arguments)], capture_output=True, text=True, check=True)
    status, peak = map(int, done.stdout.split())
    assert status == code, done.stderr
    return peak, done.stderr


def bytes_read(*arguments, env=None):
    """(bytes that one run of the command line reads by system calls, standard output). What libraries read as they are loaded is part
    of it, what is mapped is not. From a parent of its own: the kernel adds up what a process and the children that it waited for read."""
    script = ("import re, subprocess, sys; say = lambda: int(re.search(r'rchar: (\\d+)', open('/proc/self/io').read())[1]); before = say(); "
              "done = subprocess.run(sys.argv[1:], capture_output=True, text=True); out = len(done.stdout.encode()); "
              "print(done.returncode, say() - before - out); print(done.stdout, end=''); print(done.stderr, end='', file=sys.stderr)")
    done = subprocess.run([sys.executable, "-c", script, BINARY, *map(str, arguments)], capture_output=True, text=True, check=True,
                          env={**os.environ, **(env or {})})
    first, out = done.stdout.split("\n", 1)
    status, count = map(int, first.split())
    assert status == 0, done.stderr
    return count, out


def run_json(*arguments, env=None):
    done = run(*arguments, "--json", env=env)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def extract(path, stimuli, layers, out, *flags):
    """{layer: [stimuli, features]}: activations by the engine."""
    done = run("extract", path, "--stimuli", stimuli, *[f for layer in layers for f in ("--layer", layer)], "-o", out, *flags)
    assert done.returncode == 0, done.stderr
    return {layer: np.load(out / f"{layer}.npy") for layer in layers}


def save(tmp_path, **arrays):
    """Writes each array as .npy and returns the flags that name them: --source FILE --target FILE ..."""
    out = []
    for name, array in arrays.items():
        np.save(tmp_path / f"{name}.npy", array)
        out += [f"--{name}", tmp_path / f"{name}.npy"]
    return out


def validator(name):
    """Validates documents by data_manifests/NAME.schema.json, which is a schema itself."""
    schema = json.loads((ROOT / f"data_manifests/{name}.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema).validate


def write(path, rows):
    """A CSV of dicts; returns its path."""
    with open(path, "w", newline="") as out:
        writer = csv.DictWriter(out, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def pytest_runtest_setup(item):
    needs = item.get_closest_marker("cuda")
    if needs and not importlib.import_module("torch").cuda.is_available():
        if os.environ.get("CORTISCORE_REQUIRE_CUDA") == "1":
            pytest.fail("CORTISCORE_REQUIRE_CUDA=1, and no CUDA device on this machine", pytrace=False)
        pytest.skip(f"needs a CUDA device: {needs.args[0]}")


def simulate_cortex(folder):
    """Writes the simulated cortex into a data folder, and returns it. It takes ten seconds, and gives the same bytes each time: it is made
    once a version of what makes it, beside the command line, and copied."""
    script = ROOT / "data_manifests/simulate_cortex.py"
    version = hashlib.sha256(b"".join(path.read_bytes() for path in (script, *sorted(ROOT.glob("python/requirements*.txt"))))).hexdigest()
    made = BINARY.parent / f"simulated_cortex_{version[:16]}"
    with filelock.FileLock(f"{made}.lock"):
        if not made.exists():
            with tempfile.TemporaryDirectory(dir=BINARY.parent) as partial:
                subprocess.run([sys.executable, script, "--home", partial], check=True, stdout=subprocess.DEVNULL)
                os.rename(pathlib.Path(partial) / "data", made)
    shutil.copytree(made, folder / "data")
    return folder


@pytest.fixture
def real_data():
    """../shared/data, or a skip that says what is missing."""
    if not SHARED.is_dir():
        pytest.skip(f"needs the real recordings in {SHARED}, which is not there")
    return SHARED


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    """A data folder with the simulated cortex."""
    return simulate_cortex(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """A headless Chromium for the pages of a file of tests."""
    from page import Browser

    started = Browser(tmp_path_factory.mktemp("downloads"))
    yield started
    started.close()


@pytest.fixture(scope="session")
def faults():
    """The library that makes file operations fail (tests/support/faults.c), for LD_PRELOAD."""
    return compiled("faults")
