"""Layers larger than memory: whole, by several passes over their features, or spilled to disk, the scores are the same to the
bit; what the plan promises is kept."""
import json
import os
import resource
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from conftest import BINARY, ROOT, run, run_json, write

sys.path.insert(0, str(ROOT / "python"))
from cortiscore import export

V4 = "Simulated2026.V4-pls"
N, WIDE = 320, 16 * 64 * 64  # stimuli of the simulated cortex; features of layer 0


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    torch.manual_seed(0)
    layers = [torch.nn.Conv2d(3, 16, 3, padding=1), torch.nn.ReLU(), torch.nn.MaxPool2d(2), torch.nn.Conv2d(16, 8, 3, padding=1),
              torch.nn.AdaptiveAvgPool2d(4)]
    path = tmp_path_factory.mktemp("network") / "wide.pt2"
    export(torch.nn.Sequential(*layers).eval(), path, input_size=64)
    return path


@pytest.fixture(scope="module")
def rdm(home, tmp_path_factory):
    """The simulated V4 compared by RDMs instead."""
    manifest = json.loads((ROOT / f"data_manifests/benchmarks/{V4}.json").read_text())
    for key in ("splits", "layer_selection"):
        manifest.pop(key, None)
    manifest |= {"identifier": "Ours.V4-rdm", "metric": {"name": "rdm"}, "ceiling": {"name": "none"}}
    path = tmp_path_factory.mktemp("manifest") / "rdm.json"
    path.write_text(json.dumps(manifest))
    return path


def scored(home, network, benchmark, *flags, threads=2):
    return run_json("--threads", threads, "score", network, "-b", benchmark, "--layer", "0", "--results", home / "results", "--again", *flags,
                    env={"CORTISCORE_HOME": str(home)})


def numbers(record):
    return {k: v for k, v in record.items() if k not in ("timing_ms", "peak_bytes", "start", "end")}


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("kind", ["pls", "rdm"])
def test_the_same_bits_whole_by_passes_and_spilled(home, network, rdm, tmp_path, kind, threads):
    benchmark = V4 if kind == "pls" else rdm
    whole = scored(home, network, benchmark)
    assert whole["timing_ms"]["forward_passes"] == 1 and whole["peak_bytes"]["spilled"] == 0
    gib = 0.07
    tight = scored(home, network, benchmark, "--memory-gib", gib, threads=threads)
    spilled = scored(home, network, benchmark, "--memory-gib", gib, "--spill", tmp_path, threads=threads)
    assert tight["timing_ms"]["forward_passes"] >= 2 and spilled["timing_ms"]["forward_passes"] == 1
    assert spilled["peak_bytes"]["spilled"] == N * WIDE * 4 and list(tmp_path.iterdir()) == []
    assert numbers(tight) == numbers(whole) and numbers(spilled) == numbers(whole)
    for record in (tight, spilled):
        peak = record["peak_bytes"]
        assert peak["planned"] <= gib * 2**30
        # 64 MiB: code of operators that the first pass maps, which beside a plan of gigabytes is nothing (bench/memory.py).
        assert peak["resident"] <= 1.2 * (peak["process"] + peak["stimuli"] + peak["planned"]) + (64 << 20)


def test_reductions_of_a_layer_share_its_passes(home, network, rdm, tmp_path):
    """PLS and RDM of one layer sweep over its columns together; where there is no room for both, one after the other."""

    def both(gib, *benchmarks):
        done = run("score", network, *[f for b in benchmarks for f in ("-b", b)], "--layer", "0", "--results", tmp_path / "results", "--again",
                   "--memory-gib", gib, "--json", env={"CORTISCORE_HOME": str(home)})
        assert done.returncode == 0, done.stderr
        records = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        return sum(record["timing_ms"]["forward_passes"] for record in records), [numbers(record) for record in records]

    _, whole = both(4, V4, rdm)
    for gib, share in ((0.1, 1), (0.07, 2)):
        alone = [both(gib, benchmark)[0] for benchmark in (V4, rdm)]
        together, records = both(gib, V4, rdm)
        assert records == whole
        assert alone[0] == alone[1] > 1 and together == share * alone[0], (gib, together, alone)


def test_layers_of_all_sizes_one_after_another(home, network):
    """A profile in which layers are whole, share passes, and take several."""
    profile = lambda *flags: run_json("layers", network, "-b", V4, *flags, env={"CORTISCORE_HOME": str(home)})
    whole, tight = profile(), profile("--memory-gib", "0.07")
    assert whole["timing_ms"]["forward_passes"] == 1 and tight["timing_ms"]["forward_passes"] > 5
    assert whole["layers"] == tight["layers"]


def test_spans_by_passes(home, network, tmp_path):
    """The reference photos too are seen some columns at a time."""
    random = np.random.default_rng(3)
    rows = [{"stimulus_id": f"p{i:02}", "filename": f"p{i:02}.png"} for i in range(60)]
    for row in rows:
        coarse = random.integers(0, 256, (6, 6, 3)).astype(np.uint8)
        Image.fromarray(coarse).resize((64, 64), Image.Resampling.BICUBIC).save(tmp_path / row["filename"])
    photos = write(tmp_path / "photos.csv", rows)

    def profile(*flags):
        done = run("layers", network, "-b", V4, "--match", "0", "--reference-photos", photos, "--json", *flags, env={"CORTISCORE_HOME": str(home)})
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout), done.stderr

    whole, _ = profile()
    tight, said = profile("--memory-gib", "0.033")
    assert "layer 0 (65536 features) does not fit into 33.8 MiB (--memory-gib): 2 forward passes" in said
    # Photos twice for their inner products; then, twice, photos and stimuli.
    assert whole["timing_ms"]["forward_passes"] == 2 and tight["timing_ms"]["forward_passes"] == 6
    assert whole["layers"] == tight["layers"]


@pytest.mark.parametrize("flags", [[], ["--memory-gib", "0.07"], ["--memory-gib", "0.07", "--spill", "{folder}"]])
def test_nan_is_found_in_every_way(home, tmp_path, flags):
    class Fails(torch.nn.Module):
        def forward(self, x):
            return torch.log(x)  # normalised pixels are below 0, too

    export(torch.nn.Sequential(torch.nn.Conv2d(3, 16, 3, padding=1), Fails()).eval(), tmp_path / "nan.pt2", input_size=64)
    done = run("score", tmp_path / "nan.pt2", "-b", V4, "--layer", "1", "--results", tmp_path / "r",
               *[f.format(folder=tmp_path) for f in flags], env={"CORTISCORE_HOME": str(home)})
    assert done.returncode == 5 and "layer 1" in done.stderr and "NaN or infinity" in done.stderr, done.stderr


def test_a_disk_that_is_full_or_is_none(home, network, tmp_path):
    arguments = ["score", network, "-b", V4, "--layer", "0", "--results", tmp_path / "r", "--memory-gib", "0.07", "--spill"]
    env = {"CORTISCORE_HOME": str(home)}
    done = run(*arguments, tmp_path / "none", env=env)
    assert done.returncode == 2 and "no such folder" in done.stderr and "--spill" in done.stderr
    done = run(*arguments, "/proc", env=env)  # no room: the plan takes passes instead
    assert done.returncode == 0 and "forward passes over its features" in done.stderr, done.stderr
    done = subprocess.run([BINARY, *map(str, arguments), tmp_path, "--again"], capture_output=True, text=True, env={**os.environ, **env},
                          restore_signals=False, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (40 << 20, 40 << 20)))
    assert done.returncode == 6 and "80 MiB for one layer" in done.stderr and "--spill" in done.stderr, (done.returncode, done.stderr)
    assert not [p for p in tmp_path.iterdir() if "spill" in p.name]


def test_too_little_for_anything(home, network, tmp_path):
    done = run("score", network, "-b", V4, "--layer", "0", "--results", tmp_path, "--memory-gib", "0.002", env={"CORTISCORE_HOME": str(home)})
    assert done.returncode == 6 and "one micro-batch holds" in done.stderr and "--memory-gib" in done.stderr
    done = run("score", network, "-b", V4, "--layer", "0", "--results", tmp_path, "--memory-gib", "0.02", env={"CORTISCORE_HOME": str(home)})
    assert done.returncode == 6 and "layer 0: its activations on 320 stimuli take 80 MiB" in done.stderr and "at least" in done.stderr
