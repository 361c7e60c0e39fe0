"""What every Python test shares: the built command line, and the folder of real data (absent on most machines)."""
import csv
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("CORTISCORE_BINARY", ROOT / "build/cpu/cortiscore"))
SHARED = pathlib.Path(os.environ.get("CORTISCORE_SHARED_DATA", ROOT.parent / "shared/data"))


def run(*arguments, env=None):
    return subprocess.run([str(BINARY), *map(str, arguments)], capture_output=True, text=True,
                          env={**os.environ, **(env or {})})


def peak_bytes(*arguments, code=0):
    """(largest resident size, standard error) of one run of the command line that ends with `code`, from a parent of its own: a child
    begins with the size of its parent."""
    script = ("import resource, subprocess, sys; done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL); "
              "print(done.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)")
    done = subprocess.run([sys.executable, "-c", script, str(BINARY), *map(str, arguments)], capture_output=True, text=True, check=True)
    status, peak = map(int, done.stdout.split())
    assert status == code, done.stderr
    return peak, done.stderr


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


def write(path, rows):
    """A CSV of dicts; returns its path."""
    with open(path, "w", newline="") as out:
        writer = csv.DictWriter(out, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture
def real_data():
    """../shared/data, or a skip that says what is missing."""
    if not SHARED.is_dir():
        pytest.skip(f"needs the real recordings in {SHARED}, which is not there")
    return SHARED


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    """A data folder with the simulated cortex."""
    folder = tmp_path_factory.mktemp("home")
    subprocess.run([sys.executable, ROOT / "data_manifests/simulate_cortex.py", "--home", folder], check=True)
    return folder


@pytest.fixture(scope="session")
def faults(tmp_path_factory):
    """The library that makes file operations fail (tests/support/faults.c), for LD_PRELOAD."""
    library = tmp_path_factory.mktemp("faults") / "faults.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", library, ROOT / "tests/support/faults.c", "-ldl"], check=True)
    return library
