"""How the time of Cortiscore grows along one axis at a time: what each size runs, and the exponents that theory has.

    .venv/bin/python bench/suite.py --only scaling

One thread, but where threads are the axis. `seconds` of an axis is what the command line reports as the job's own time (`timing_ms`),
without start and reading, unless it says otherwise. Two exponents stand beside the measured one: that of the operations which
bench/work.py counts at the same sizes, and that in the limit of large ones (ALGORITHMS.md, sections 1 and 2).
"""
import dataclasses
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np

import work
from jobs import FEATURES, NEUROIDS, PRESENTATIONS

ROOT = pathlib.Path(__file__).resolve().parents[1]
BINARY = os.environ.get("CORTISCORE_BINARY", str(ROOT / "build/cpu/cortiscore"))
BENCHMARK = "Simulated2026.V4-pls"
LIMIT_S = 900  # a size that takes longer has failed
IMAGE, CHANNELS = 32, 8  # pixels a side, and channels of every layer, of the small networks


@dataclasses.dataclass(frozen=True)
class Axis:
    label: str  # of a panel, a row and its sizes
    job: str  # what else is fixed
    sizes: list
    measure: Callable  # (size, folder) -> {"seconds": s, perhaps "steps": of the power iteration a component}
    limit: float
    theory: str  # where the exponent in the limit is from
    operations: Callable | None = None  # (size, steps) -> floating-point operations, where the exponent at these sizes is another


def cortiscore(*words, threads=1):
    """(seconds of the process, JSON objects that it printed)."""
    start = time.perf_counter()
    done = subprocess.run([BINARY, "-q", "--threads", str(threads), *map(str, words), "--json"], capture_output=True, text=True,
                          timeout=LIMIT_S)
    seconds = time.perf_counter() - start
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1])
    return seconds, [json.loads(line) for line in done.stdout.splitlines()]


def arrays(folder, n, p, m):
    """Files of features [n, p] of variance 1/i, and of responses [n, m] that are the tanh of a projection on 40 numbers, and noise."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, p)) * np.arange(1, p + 1) ** -0.5
    y = np.tanh(x @ rng.standard_normal((p, 40)) / 3) @ rng.standard_normal((40, m))
    np.save(folder / "a.npy", x)
    np.save(folder / "b.npy", y + 6 * rng.standard_normal((n, m)))


def metric(name, folder, *flags, threads=1):
    seconds, [found] = cortiscore("metric", name, "--source", folder / "a.npy", "--target", folder / "b.npy", *flags, threads=threads)
    return seconds, found


def pls(n, p, m, folder, folds=10, threads=1):
    arrays(folder, n, p, m)
    flags = ["--bootstrap", "0"]
    if folds != 10:
        (folder / "splits.json").write_text(json.dumps(splits_of(n, folds)))
        flags += ["--splits", folder / "splits.json"]
    _, found = metric("pls", folder, *flags, threads=threads)
    steps = [number for of_fold in found["iterations"] for number in of_fold]
    return {"seconds": found["timing_ms"]["score"] / 1e3, "steps": sum(steps) / len(steps)}


def splits_of(n, folds):
    """As many random 90/10 splits."""
    rng, out = np.random.default_rng(1), []
    for _ in range(folds):
        order = rng.permutation(n).tolist()
        out.append({"train": sorted(order[n // 10:]), "test": sorted(order[:n // 10])})
    return out


def draws(count, folder):
    """Seconds beyond a run without draws, of the whole process: the interval is not part of a metric's own time."""
    arrays(folder, 1000, 50, 50)
    flags = ["--over", "presentation", "--bootstrap"]
    without = min(metric("pearsonr", folder, *flags, 0)[0] for _ in range(2))
    beyond = metric("pearsonr", folder, *flags, count)[0] - without
    if beyond <= 0:
        raise RuntimeError(f"{count} draws took no longer than none: other processes were in the way")
    return {"seconds": beyond}


def rdm(n, folder):
    arrays(folder, n, 200, 50)
    _, found = metric("rdm", folder)
    return {"seconds": found["timing_ms"]["score"] / 1e3}


def network(folder, n_layers):
    """Archive of a network of equal layers, each CHANNELS x IMAGE / 4 x IMAGE / 4 features; made once."""
    path = folder / f"layers_{n_layers}.pt2"
    if not path.exists():
        sys.path.insert(0, str(ROOT / "python"))
        import torch

        from cortiscore import export

        torch.manual_seed(0)
        blocks = [torch.nn.Sequential(torch.nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1), torch.nn.ReLU()) for _ in range(n_layers)]
        first = torch.nn.Conv2d(3, CHANNELS, 3, stride=4, padding=1)
        export(torch.nn.Sequential(first, *blocks).eval(), path.with_suffix(".partial.pt2"), input_size=IMAGE)
        path.with_suffix(".partial.pt2").rename(path)
    return path


def layers(count, folder):
    """Seconds of mapping them all (`reduce`); the forward pass and decoding are others'."""
    _, [found] = cortiscore("layers", network(folder, count), "-b", BENCHMARK, "--match", "*.0")
    if len(found["layers"]) != count:
        raise RuntimeError(f"{len(found['layers'])} layers were mapped, expected {count}")
    return {"seconds": found["timing_ms"]["reduce"] / 1e3}


def checkpoints(count, folder):
    """Seconds of the whole sweep, its start included."""
    graph, weights, store = network(folder, 4), folder / f"weights_{count}", folder / "sweep_store"
    if not weights.exists():
        import torch
        from safetensors.torch import save_file

        partial = weights.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        state = {name: value.detach().clone() for name, value in torch.export.load(graph).state_dict.items()}
        for i in range(count):
            generator = torch.Generator().manual_seed(i)
            changed = {name: value + 0.01 * torch.randn(value.shape, generator=generator) for name, value in state.items()}
            save_file({name.removeprefix("network."): value.contiguous() for name, value in changed.items()},
                      partial / f"{i:04d}.safetensors")
        partial.rename(weights)
    shutil.rmtree(store, ignore_errors=True)
    _, [network_of] = cortiscore("model", "inspect", graph)
    last = network_of["layers"][-1]["name"]
    seconds, records = cortiscore("sweep", weights, "--graph", graph, "-b", BENCHMARK, "--layer", last, "--results", store)
    if sum(record["status"] == "ok" for record in records) != count:
        raise RuntimeError(f"{len(records)} checkpoints were scored, expected {count}")
    return {"seconds": seconds}


def thread_counts():
    """1, 2, 4, ... and all cores of this machine."""
    cores = len(os.sched_getaffinity(0))
    return sorted({1 << i for i in range(cores.bit_length()) if 1 << i <= cores} | {cores})


def _flops(n, p, m, steps, folds=10):
    count = work.raw if p > n else work.pls
    return count(n, p, m, folds=folds, test=n // 10, steps=steps)[0]


AXES = {
    "presentations": Axis("presentations", "PLS, 200 features, 32 neuroids, 10 splits", [2000, 4000, 8000, 16000, 32000],
                          lambda n, folder: pls(n, 200, 32, folder), 1, "one pass over the rows, or X'X (1a)",
                          lambda n, steps: _flops(n, 200, 32, steps)),
    "features": Axis("features, up to presentations", "PLS, 2000 presentations, 32 neuroids, 10 splits", [100, 200, 400, 800, 1600],
                     lambda p, folder: pls(2000, p, 32, folder), 1,
                     "X'X, squared, up to where a pass over the rows is cheaper, which is linear (1a)",
                     lambda p, steps: _flops(2000, p, 32, steps)),
    "raw_features": Axis("features, beyond presentations", "PLS, 640 presentations, 32 neuroids, 10 splits",
                         [4000, 8000, 16000, 32000, 64000],
                         lambda p, folder: pls(640, p, 32, folder), 1,
                         "XX', then PLS on as many coordinates as presentations (1a, dual; 7)",
                         lambda p, steps: _flops(640, p, 32, steps)),
    "neuroids": Axis("neuroids", "PLS, 1000 presentations, 200 features, 10 splits", [16, 32, 64, 128, 256, 512],
                     lambda m, folder: pls(1000, 200, m, folder), 2, "steps of the power iteration on S'S (1b)",
                     lambda m, steps: _flops(1000, 200, m, steps)),
    "folds": Axis("folds", "PLS, 1000 presentations, 200 features, 32 neuroids", [5, 10, 20, 40, 80],
                  lambda folds, folder: pls(1000, 200, 32, folder, folds=folds), 1, "what each leaves out of shared products (1a)",
                  lambda folds, steps: _flops(1000, 200, 32, steps, folds=folds)),
    "draws": Axis("bootstrap draws", "over 1000 presentations, 50 neuroids; seconds beyond a run without draws",
                  [4000, 8000, 16000, 32000, 64000],
                  draws, 1, "products of counts with sums (1e)"),
    "rdm": Axis("presentations of RDMs", "RDMs of 200 features and 50 neuroids, Spearman", [250, 500, 1000, 2000, 4000],
                rdm, 2, "pairs of presentations (1f)"),
    "layers": Axis("layers", f"equal ones of {CHANNELS * (IMAGE // 4) ** 2} features on 320 stimuli, 50 neuroids; mapping alone",
                   [2, 4, 8, 16, 32],
                   layers, 1, "each is mapped alone"),
    "checkpoints": Axis("checkpoints", "a sweep of a network of four layers on 320 stimuli, its start included", [4, 8, 16, 32, 64],
                        checkpoints, 1, "each is scored alone"),
    "threads": Axis("threads", f"PLS, {PRESENTATIONS} presentations, {FEATURES} features, {NEUROIDS} neuroids, 10 splits", thread_counts(),
                    lambda threads, folder: pls(PRESENTATIONS, FEATURES, NEUROIDS, folder, threads=threads), -1, "folds are independent"),
}


def upper(sizes):
    """The sizes that an exponent is fitted to: the upper half, three at least."""
    return sorted(sizes)[-max(3, (len(sizes) + 1) // 2):]
