"""The engine in this process: `score`, `metric` and `internal_consistency`, on paths and on arrays.

Arrays are NumPy's, torch's, CuPy's or anything with `__dlpack__`; they are read in place. Numbers are those of the
command line with the same flags, to the bit. Every function raises `cortiscore.Error` (with `exit_code`, the command
line's) where the command line prints a message and exits.
"""
import functools
import importlib.util
import json
import os
import pathlib
import sys
import warnings

import numpy as np
import torch  # noqa: F401  loads the LibTorch that the module links


def _load():
    """The compiled module: of $CORTISCORE_MODULE_DIR, else of build/cuda where a device is, else of build/cpu."""
    build = pathlib.Path(__file__).resolve().parents[2] / "build"
    presets = ["cuda", "cpu"] if torch.cuda.is_available() else ["cpu"]
    folders = [build / preset / "python" for preset in presets]
    if "CORTISCORE_MODULE_DIR" in os.environ:
        folders = [pathlib.Path(os.environ["CORTISCORE_MODULE_DIR"])]
    for folder in folders:
        for path in sorted(folder.glob("_cortiscore*.so")):
            spec = importlib.util.spec_from_file_location("_cortiscore", path)
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            sys.modules["_cortiscore"] = module
            return module
    raise ImportError(f"no compiled module in {', '.join(map(str, folders))}: run ./dev build")


_native = _load()
Error = _native.Error


def _plain(value):
    """A NumPy number, or a path, as JSON has it."""
    return value.item() if isinstance(value, np.generic) else os.fspath(value)


def score(network, benchmarks, *, layers=None, results=None, ceiling_convention="r2_over_c", mode="sklearn", candidates=12,
          bootstrap=1000, memory_gib=4.0, spill=None, again=False, device="cpu", layer_map=None, precision="float32", allow_torchscript=False,
          allow_native_code=False, cuda_graphs=False):
    """Scores a network on benchmarks: one record (a dict, docs/formats.md) a benchmark.

    network     path of a .pt2 archive, or of activations (.npy, .nc, .csv)
    benchmarks  an identifier or a manifest's path, or several
    layers      a layer to commit to, or {region: layer}; without it layers compete on alternating halves
    layer_map   a file that `cortiscore layers -o` wrote, for the regions that `layers` does not name
    device      "cpu", "cuda" or "cuda:N" (or a torch.device): runs the network and the mapping
    memory_gib  for forward passes under way, activations and what becomes of them; layers that do not fit take several passes
    spill       a folder on a disk, where a layer that does not fit is written in one pass instead
    precision   of forward passes: "float32", "tf32" (on a GPU), "bf16" or "fp16" (torch.autocast); the record says which
    cuda_graphs on a GPU: record the launches of a micro-batch once and start them again; the same bits
    allow_torchscript, allow_native_code  open archives that run code of their own (.pt of torch.jit.save, .pt2 of compile())
    results     a store: what it holds is not scored again, what is scored is durable there before this returns
    """
    names = [benchmarks] if isinstance(benchmarks, (str, os.PathLike)) else list(benchmarks)
    named = {"layers": {"": layers} if isinstance(layers, str) else dict(layers or {}), "ceiling_convention": ceiling_convention,
             "mode": mode, "candidates": candidates, "bootstrap": bootstrap, "memory_gib": memory_gib, "spill": spill, "device": str(device),
             "layer_map": layer_map, "precision": precision, "allow_torchscript": allow_torchscript, "allow_native_code": allow_native_code,
             "cuda_graphs": cuda_graphs}
    named = {name: str(value) if isinstance(value, float) and not np.isfinite(value) else value  # which JSON has not, and nobody means
             for name, value in named.items() if value is not None}
    options = json.dumps(named, default=_plain)
    texts = _native.score(os.fspath(network), [os.fspath(n) for n in names], None if results is None else os.fspath(results), again, options)
    return [json.loads(text) for text in texts]


def metric(name, source, target, *, splits=None, stratify=None, components=25, mode="sklearn", alpha=1.0):
    """A metric by the platform's name (docs/metrics.md) on arrays: score, error, split_scores, per_neuroid, warnings.

    source    [presentation, feature], float32 or float64
    target    [presentation, neuroid]
    splits    pairs of train and test indices; without them ten shuffle splits of 90 %, seed 1
    stratify  labels, one a presentation: StratifiedShuffleSplit instead
    """
    if splits is not None:
        splits = [(np.asarray(train).tolist(), np.asarray(test).tolist()) for train, test in splits]
    codes = None if stratify is None else np.unique(np.asarray(stratify), return_inverse=True)[1].tolist()
    return _native.metric(name, source, target, splits, codes, components, mode, alpha)


def _renamed(**now):
    """A function whose arguments were called otherwise before: they work for one release more, with a warning."""
    def wrap(function):
        @functools.wraps(function)
        def call(*positional, **named):
            for old, new in now.items():
                if old in named and new not in named:
                    warnings.warn(f"{function.__name__}: {old} is called {new} now; the old name goes with the next release", FutureWarning, stacklevel=2)
                    named[new] = named.pop(old)
            return function(*positional, **named)
        return call
    return wrap


@_renamed(splits="ceiling_splits")
def internal_consistency(trials, *, ceiling_splits=10, seed=1):
    """Split-half reliability of trials [repetition, presentation, neuroid], NaN for missing: ceiling, error,
    split_ceilings, per_neuroid [split, neuroid]."""
    return _native.internal_consistency(trials, ceiling_splits, seed)
