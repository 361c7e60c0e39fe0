"""`cortiscore sweep`: many checkpoints, each pair once, whatever happens meanwhile."""
import collections
import csv
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from conftest import BINARY, ROOT, run, simulate_cortex, write

sys.path.insert(0, str(ROOT / "python"))
from cortiscore import export

BENCHMARK = "Simulated2026.V4-pls"
FLAGS = ["-b", BENCHMARK, "--layer", "4", "--bootstrap", "50"]


def tiny(seed):
    torch.manual_seed(seed)
    layers = [torch.nn.Conv2d(3, 8, 7, stride=4), torch.nn.BatchNorm2d(8), torch.nn.ReLU(),
              torch.nn.Conv2d(8, 16, 3, stride=2), torch.nn.AdaptiveAvgPool2d(2), torch.nn.Flatten()]
    model = torch.nn.Sequential(*layers)
    model.train()(torch.rand(8, 3, 32, 32))  # so that batch statistics differ
    return model.eval()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A data folder with the simulated cortex, a graph, and weight files of it."""
    folder = tmp_path_factory.mktemp("world")
    simulate_cortex(folder)
    export(tiny(0), folder / "graph.pt2", input_size=32)
    (folder / "w").mkdir()
    for i in range(12):
        save_file(tiny(i).state_dict(), folder / f"w/net_{i:02d}.safetensors")
    return folder


@pytest.fixture
def env(world, tmp_path):
    return {"CORTISCORE_HOME": str(world), "XDG_CACHE_HOME": str(tmp_path / "cache")}


def command(world, store, *more, weights="w/*.safetensors", flags=FLAGS):
    return ["sweep", world / weights, "--graph", world / "graph.pt2", *flags, "--results", store, *more]


def exported(store, env):
    done = run("results", "export", "--format", "jsonl", "--no-timings", "--results", store, env=env)
    assert done.returncode == 0, done.stderr
    return done.stdout


def records(store, env):
    return [json.loads(line) for line in exported(store, env).splitlines()]


def lines(store):
    return [json.loads(text)["record"] for path in sorted(pathlib.Path(store).glob("*.jsonl"))
            for text in path.read_text().splitlines() if text.endswith("}}")]


@pytest.fixture(scope="module")
def undisturbed(world, tmp_path_factory):
    store = tmp_path_factory.mktemp("undisturbed")
    env = {"CORTISCORE_HOME": str(world), "XDG_CACHE_HOME": str(store / "cache")}
    done = run(*command(world, store), env=env)
    assert done.returncode == 0, done.stderr
    assert "12 pairs: 12 scored, 0 stored before, 0 failed" in done.stderr
    return exported(store, env)


def test_a_weight_file_scores_as_its_own_archive_does(world, env, tmp_path, undisturbed):
    """One graph, many weight files: the same bits as a score of each network exported by itself."""
    for i in (3, 7):
        export(tiny(i), tmp_path / f"net_{i:02d}.pt2", input_size=32)
        done = run("score", tmp_path / f"net_{i:02d}.pt2", *FLAGS, "--results", tmp_path / "s", env=env)
        assert done.returncode == 0, done.stderr
    swept = [line for line in undisturbed.splitlines() if '"net_03"' in line or '"net_07"' in line]
    alone = records(tmp_path / "s", env)
    same = lambda r: {k: v for k, v in r.items() if k not in ("graph_sha256", "key")}  # exported apart
    assert [same(json.loads(line)) for line in swept] == [same(r) for r in alone]
    # Weights whose strides are not the plain ones: kernels are chosen by them, so they are kept.
    strided = tiny(3)
    strided[3].weight = torch.nn.Parameter(strided[3].weight.to(memory_format=torch.channels_last))
    export(strided, tmp_path / "strided.pt2", input_size=32)
    other = tiny(7)
    other[3].weight = torch.nn.Parameter(other[3].weight.to(memory_format=torch.channels_last))
    export(other, tmp_path / "strided_7.pt2", input_size=32)
    done = run("score", tmp_path / "strided_7.pt2", *FLAGS, "--results", tmp_path / "v", env=env)
    assert done.returncode == 0, done.stderr
    done = run("sweep", world / "w/net_07.safetensors", "--graph", tmp_path / "strided.pt2", *FLAGS, "--results", tmp_path / "v", env=env)
    assert done.returncode == 0, done.stderr
    [a, b] = records(tmp_path / "v", env)
    assert a["split_scores"] == b["split_scores"] and a["weights_sha256"] == b["weights_sha256"]
    (tmp_path / "strided.pt2").unlink()
    (tmp_path / "strided_7.pt2").unlink()
    # Half precision widens; another .pt2 gives its weights; archives that share a graph share it.
    save_file({k: v.half() if v.is_floating_point() else v for k, v in tiny(3).state_dict().items()}, tmp_path / "half.safetensors")
    done = run("sweep", tmp_path / "*.pt2", tmp_path / "half.safetensors", "--graph", world / "graph.pt2", *FLAGS,
               "--results", tmp_path / "t", env=env)
    assert done.returncode == 0, done.stderr
    found = {r["model_identifier"]: r["score"]["raw"] for r in records(tmp_path / "t", env)}
    assert [found["net_03"], found["net_07"]] == [r["score"]["raw"] for r in alone]
    assert found["half"] == pytest.approx(found["net_03"], abs=0.01) and found["half"] != found["net_03"]
    done = run("sweep", tmp_path / "*.pt2", *FLAGS, "--results", tmp_path / "u", env=env)
    assert done.returncode == 0 and records(tmp_path / "u", env) == alone


def test_a_converted_checkpoint_is_the_same_weights(world, env, tmp_path, undisturbed):
    """What a training loop saved, through `model convert`: the record of the safetensors file, but for nothing."""
    (tmp_path / "c").mkdir()
    torch.save({"state_dict": {f"module.{k}": v for k, v in tiny(3).state_dict().items()}, "epoch": 3}, tmp_path / "c/net_03.pth")
    done = run("model", "convert", tmp_path / "c/*.pth", "-o", tmp_path / "w", "--graph", world / "graph.pt2", env=env)
    assert done.returncode == 0, done.stderr
    done = run("sweep", tmp_path / "w/*", "--graph", world / "graph.pt2", *FLAGS, "--results", tmp_path / "s", env=env)
    assert done.returncode == 0, done.stderr
    assert exported(tmp_path / "s", env) in [line + "\n" for line in undisturbed.splitlines()]


def test_what_is_stored_is_not_scored_again(world, env, tmp_path, undisturbed):
    store = tmp_path / "s"
    assert run(*command(world, store, "--limit", 5), env=env).returncode == 0
    assert len(lines(store)) == 5
    done = run(*command(world, store), env=env)
    assert "12 pairs: 7 scored, 5 stored before" in done.stderr
    done = run(*command(world, store), env=env)
    assert "12 pairs: 0 scored, 12 stored before" in done.stderr and done.stdout == ""
    assert exported(store, env) == undisturbed and len(lines(store)) == 12
    # Without the index's notes every file is opened, with the same outcome.
    shutil.rmtree(env["XDG_CACHE_HOME"])
    assert "0 scored, 12 stored before" in run(*command(world, store), env=env).stderr
    # The same contents under another name: listed under both, scored once.
    shutil.copy(world / "w/net_03.safetensors", tmp_path / "copy.safetensors")
    done = run("sweep", tmp_path / "copy.safetensors", "--graph", world / "graph.pt2", *FLAGS, "--results", store, "--json", env=env)
    [old] = [r for r in lines(store) if r["model_identifier"] == "net_03"]
    assert json.loads(done.stdout) == {**old, "model_identifier": "copy"}
    assert len(records(store, env)) == 13


def test_a_damaged_line_is_scored_again(world, env, tmp_path, undisturbed):
    """Also where the index took it when it was whole."""
    store = tmp_path / "s"
    assert run(*command(world, store), env=env).returncode == 0
    [shard] = store.glob("*.jsonl")
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 4
    shard.write_bytes(data)
    done = run(*command(world, store), env=env)
    assert "1 scored, 11 stored before" in done.stderr and "does not agree with its checksum" in done.stderr
    assert exported(store, env) == undisturbed


def test_every_input_of_a_score_is_in_its_key(world, env, tmp_path):
    """R14: changing any one thing that could change the number is a miss; changing none is a hit."""
    home = tmp_path / "home"
    shutil.copytree(world / "data", home / "data")
    (home / "benchmarks").mkdir()
    manifest = json.loads((ROOT / f"data_manifests/benchmarks/{BENCHMARK}.json").read_text())
    manifest["identifier"] = "Own.V4-pls"
    weights, graph, own = tmp_path / "net.safetensors", tmp_path / "graph.pt2", home / "benchmarks/own.json"
    mine = {**env, "CORTISCORE_HOME": str(home)}
    state = tiny(1).state_dict()
    options = {"input_size": 32, "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}
    seen = {}

    def score(name, *flags, layer="4"):
        done = run("sweep", weights, "--graph", graph, "-b", "Own.V4-pls", "--layer", layer, "--results", tmp_path / "s", "--json",
                   *flags, env=mine)
        assert done.returncode == 0, (name, done.stderr)
        return json.loads(done.stdout)["key"] if done.stdout else None

    save_file(state, weights)
    export(tiny(0), graph, **options)
    own.write_text(json.dumps(manifest))
    seen["first"] = score("first")
    assert score("unchanged") is None
    os.utime(weights)
    assert score("touched") is None
    for name, flags in {"convention": ["--ceiling-convention", "r_over_c_squared"], "mode": ["--mode", "exact"],
                        "bootstrap": ["--bootstrap", "77"]}.items():
        seen[name] = score(name, *flags)
    seen["layer"] = score("layer", layer="2")
    for name, change in {"mean": {"mean": [0.4, 0.5, 0.5]}, "std": {"std": [0.5, 0.5, 0.4]}, "degrees": {"degrees": 9.0},
                         "input size": {"input_size": 40}}.items():
        export(tiny(0), graph, **{**options, **change})
        seen[name] = score(name)
    export(tiny(0), graph, **options)
    state["3.weight"][0, 0, 0, 0] = torch.nextafter(state["3.weight"][0, 0, 0, 0], torch.tensor(9.0))
    save_file(state, weights)
    seen["one bit of a weight"] = score("weight")
    for name, change in {"degrees of the stimuli": {"visual_degrees": 7}, "components": {"metric": {"name": "pls", "n_components": 24}},
                         "seed": {"splits": {**manifest["splits"], "seed": 2}}, "version": {"version": 2}}.items():
        own.write_text(json.dumps({**manifest, **change}))
        seen[name] = score(name)
    own.write_text(json.dumps(manifest))
    assembly = home / "data/Simulated2026/V4.nc"
    import h5py

    with h5py.File(assembly, "r+") as file:
        values = next(v for v in file.values() if v.ndim >= 2)
        corner = (0,) * values.ndim
        values[corner] = np.nextafter(values[corner], np.asarray(9, values.dtype))
    seen["one bit of a recording"] = score("recording")
    from PIL import Image

    with open(home / "data/Simulated2026/stimuli.csv") as file:
        image = home / "data/Simulated2026" / next(csv.DictReader(file))["filename"]
    pixels = np.asarray(Image.open(image)).copy()
    pixels.flat[0] ^= 1
    Image.fromarray(pixels).save(image)
    seen["one bit of a stimulus"] = score("stimulus")
    assert None not in seen.values() and len(set(seen.values())) == len(seen), seen


def test_failures_are_recorded_and_the_others_finish(world, env, tmp_path):
    folder = tmp_path / "w"
    folder.mkdir()
    good = world / "w/net_00.safetensors"
    shutil.copy(good, folder / "a_good.safetensors")
    (folder / "b_truncated.safetensors").write_bytes(good.read_bytes()[:-10])
    state = tiny(1).state_dict()
    save_file({**state, "3.weight": torch.zeros(16, 8, 5, 5)}, folder / "c_shape.safetensors")
    save_file({**state, "3.bias": torch.full((16,), float("nan"))}, folder / "d_nan.safetensors")
    save_file({k: v for k, v in state.items() if k != "0.bias"} | {"extra": torch.zeros(1)}, folder / "e_names.safetensors")
    save_file({**state, "0.bias": state["0.bias"].double()}, folder / "f_dtype.safetensors")
    (folder / "g_empty.safetensors").write_bytes(b"")
    shutil.copy(world / "w/net_05.safetensors", folder / "h_good.safetensors")
    store = tmp_path / "s"
    sweep = ["sweep", folder / "*", "--graph", world / "graph.pt2", *FLAGS, "--results", store]
    done = run(*sweep, env=env)
    assert done.returncode == 3 and "8 pairs: 3 scored, 0 stored before, 5 failed" in done.stderr
    found = {r["model_identifier"]: r for r in records(store, env)}
    for name, words in {"b_truncated": ["data_offsets"], "c_shape": ["3.weight", "[16, 8, 5, 5]", "[16, 8, 3, 3]"],
                        "d_nan": ["layer 4", "NaN"], "e_names": ["1 of the 8 weights missing and 1 that", '"0.bias"'],
                        "g_empty": ["header length"]}.items():
        assert found[name]["status"] == "failed" and found[name]["error_type"] == 5
        assert all(word in found[name]["message"] for word in [*words, name]), found[name]["message"]
    assert found["a_good"]["status"] == found["h_good"]["status"] == "ok" and not found["a_good"]["warnings"]
    assert found["f_dtype"]["status"] == "ok" and "narrowed 1 tensors, such as 0.bias" in found["f_dtype"]["tags"]["weights"]
    import jsonschema

    for record in lines(store):
        jsonschema.validate(record, json.loads((ROOT / "data_manifests/record.schema.json").read_text()))
    # A failure is tried again; mended, it is no longer listed.
    save_file(state, folder / "d_nan.safetensors")
    done = run(*sweep, env=env)
    assert done.returncode == 3 and "8 pairs: 1 scored, 3 stored before, 4 failed" in done.stderr
    assert [r["status"] for r in records(store, env) if r["model_identifier"] == "d_nan"] == ["ok"]
    done = run(*sweep, "--max-failures", 2, env=env)
    assert done.returncode == 3 and "2 failed, the rest left" in done.stderr
    # A layer that does not exist fails each pair; recordings that are not there stop the sweep before it begins.
    assert run(*sweep[:-4], "--layer", "conv9", "--results", tmp_path / "t", "-b", BENCHMARK, env=env).returncode in (2, 3)
    done = run(*sweep, "-b", "Cowley2023.V4-pls", env={**env, "CORTISCORE_HOME": str(world)})
    assert done.returncode == 5 and "import-data" in done.stderr


def test_manifest_tags_identifiers_and_dry_run(world, env, tmp_path):
    manifest = write(tmp_path / "m.csv", [
        {"model": world / "graph.pt2", "weights": world / f"w/net_{i:02d}.safetensors", "identifier": f"run-1/epoch-{i}", "epoch": i,
         "optimizer": "sgd"} for i in range(3)] + [
        {"model": world / "graph.pt2", "weights": "", "identifier": "", "epoch": "", "optimizer": ""}])
    sweep = ["sweep", "--checkpoint-table", manifest, *FLAGS, "--results", tmp_path / "s"]
    done = run(*sweep, "--dry-run", env=env)
    assert "4 pairs, of which 0 are stored and 4 would be scored" in done.stdout and "unknown" in done.stdout
    assert not (tmp_path / "s").exists()
    done = run(*sweep, "--limit", 2, env=env)
    assert done.returncode == 0 and "left by --limit" in done.stderr
    plan = json.loads(run(*sweep, "--dry-run", "--json", env=env).stdout)
    assert len(plan["pairs"]) == 2 and plan["stored"] == 2
    took = [json.loads(line)["record"]["timing_ms"]["total"] / 1e3 for path in (tmp_path / "s").glob("*.jsonl") for line in path.open()]
    assert plan["seconds"] == pytest.approx(2 * np.mean(took))  # what it took for those that are stored
    assert plan["stimulus_bytes"] == 320 * 3 * 32 * 32 and plan["forward_passes"] == 1 and plan["spilled_bytes"] == 0
    run(*sweep, env=env)
    found = records(tmp_path / "s", env)
    taken = lines(tmp_path / "s")
    assert {r["peak_bytes"]["planned"] for r in taken} == {plan["planned_bytes"]} and {r["timing_ms"]["forward_passes"] for r in taken} == {1}
    assert [r["model_identifier"] for r in found] == ["graph", "run-1/epoch-0", "run-1/epoch-1", "run-1/epoch-2"]
    assert found[2]["tags"] == {"epoch": "1", "optimizer": "sgd"}
    for bad, words in (([{"weights": "x"}], ["model"]), ([{"model": ""}], ["row 1 (line 2), column model"])):
        done = run("sweep", "--checkpoint-table", write(tmp_path / "bad.csv", bad), *FLAGS, env=env)
        assert done.returncode == 5 and all(w in done.stderr for w in words), done.stderr
    for arguments in (["sweep", *FLAGS], ["sweep", "x", "--shard", "2/2", *FLAGS], ["sweep", "x", "--shard", "a", *FLAGS]):
        assert run(*arguments, env=env).returncode == 2
    assert run("sweep", tmp_path / "none*", *FLAGS, env=env).returncode == 5


def test_a_terminal_shows_where_it_stands(world, env, tmp_path):
    """Live on a terminal; nothing of it where there is none, but a line a minute."""
    import pty

    for devices in ("cpu", "cpu,cpu"):
        ours, theirs = pty.openpty()
        process = subprocess.Popen([BINARY, *map(str, command(world, tmp_path / devices, "--device", devices))], stdout=subprocess.PIPE,
                                   stderr=theirs, text=True, env={**os.environ, **env})
        os.close(theirs)
        shown = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            shown += part
        os.close(ours)
        process.communicate()
        assert process.returncode == 0
        for words in (b"1 of 12 pairs, ", b"11 of 12 pairs, ", b" checkpoints an hour, ", b" left, best 0.", b"12 pairs: 12 scored"):
            assert words in shown, (words, shown[-2000:])
    done = run(*command(world, tmp_path / "plain"), env=env)
    assert "1 of 12" not in done.stderr and "\r" not in done.stderr


def test_shards_are_disjoint_and_whole(world, env, tmp_path, undisturbed):
    """Three workers at once on one store."""
    processes = [subprocess.Popen([BINARY, *map(str, command(world, tmp_path / "s", "--shard", f"{i}/3"))],
                                  env={**os.environ, **env}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for i in range(3)]
    errors = [p.communicate()[1] for p in processes]
    assert [p.returncode for p in processes] == [0] * 3, errors
    assert exported(tmp_path / "s", env) == undisturbed
    assert len(lines(tmp_path / "s")) == 12 and len(list((tmp_path / "s").glob("*.jsonl"))) >= 2


def test_a_process_a_device(world, env, tmp_path, undisturbed):
    """What two processes store is what one does, to the byte."""
    store = tmp_path / "s"
    two = command(world, store, "--device", "cpu,cpu")
    done = run(*two, "--limit", 5, env=env)
    assert done.returncode == 0 and "5 scored" in done.stderr and "left by --limit" in done.stderr, done.stderr
    assert len(lines(store)) == 5
    done = run(*two, "--json", env=env)
    assert done.returncode == 0 and "12 pairs: 7 scored, 5 stored before, 0 failed" in done.stderr, done.stderr
    assert len(done.stdout.splitlines()) == 7 and len(lines(store)) == 12
    assert exported(store, env) == undisturbed and len(list(store.glob("*.jsonl"))) >= 3
    done = run(*two, env=env)
    assert done.returncode == 0 and "0 scored, 12 stored before" in done.stderr and done.stdout == ""
    # Failures are recorded; three copies of one checkpoint are stored under three names.
    (tmp_path / "w").mkdir()
    for i in range(6):
        (tmp_path / f"w/{i}.safetensors").write_bytes(b"" if i % 2 else (world / "w/net_00.safetensors").read_bytes())
    mine = ["sweep", tmp_path / "w/*", "--graph", world / "graph.pt2", *FLAGS, "--results", tmp_path / "t", "--device", "cpu,cpu"]
    done = run(*mine, env=env)
    assert done.returncode == 3 and "6 pairs: " in done.stderr and "3 failed" in done.stderr, done.stderr
    assert [r["status"] for r in records(tmp_path / "t", env)] == ["ok", "failed"] * 3
    for i in range(12):  # at most what two workers had in hand fails beside the first
        (tmp_path / f"w/more{i:02d}.safetensors").write_bytes(b"")
    done = run(*mine, "--max-failures", 1, "--again", env=env)
    assert done.returncode == 3 and "the rest left" in done.stderr and 1 <= int(done.stderr.split(" failed")[0].split()[-1]) <= 5, done.stderr
    # A worker that cannot begin ends the sweep, with what it said.
    done = run(*two, "--layer", "conv9", "--results", tmp_path / "u", env=env)
    assert done.returncode in (2, 3)
    for device in ("cpu,", "cpu,gpu", "cuda:99", "cpu,cuda:99"):
        done = run(*command(world, store), "--device", device, env=env)
        assert done.returncode in (2, 7) and device.split(",")[-1] in done.stderr, done.stderr


@pytest.mark.parametrize("devices", ["cpu", "cpu,cpu"])
def test_a_checkpoint_that_ends_its_process(world, env, tmp_path, faults, undisturbed, devices):
    """Whoever opens it is killed, as what exhausts memory is: it is tried once more alone, recorded, and the others go on."""
    (tmp_path / "w").mkdir()
    for i in range(4):
        shutil.copy(world / f"w/net_{i:02d}.safetensors", tmp_path / "w")
    deadly = tmp_path / "w/net_01a.safetensors"
    shutil.copy(world / "w/net_05.safetensors", deadly)
    store = tmp_path / "s"
    sweep = ["sweep", tmp_path / "w/*", "--graph", world / "graph.pt2", *FLAGS, "--results", store, "--device", devices]
    done = run(*sweep, env={**env, "LD_PRELOAD": str(faults), "FAULT_READ": str(deadly)})
    assert done.returncode == 3 and "5 pairs: 4 scored, 0 stored before, 1 failed" in done.stderr, done.stderr
    assert 1 <= done.stderr.count("ended by signal 9") <= 2, done.stderr
    found = {r["model_identifier"]: r for r in records(store, env)}
    assert found["net_01a"]["error_type"] == 6 and all(w in found["net_01a"]["message"] for w in ("signal 9 (Killed)", str(deadly)))
    good = [line for line in undisturbed.splitlines() if any(f'"net_{i:02d}"' in line for i in range(4))]
    assert [line for line in exported(store, env).splitlines() if "net_01a" not in line] == good
    done = run(*sweep, env=env)  # a failure is tried again
    assert done.returncode == 0 and "1 scored, 4 stored before, 0 failed" in done.stderr


def test_a_network_that_memory_is_too_small_for(world, env, tmp_path):
    """Recorded as failed with what it asked for; the others finish."""
    import resource

    wide = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 7, stride=4), torch.nn.Upsample(scale_factor=1000), torch.nn.AdaptiveAvgPool2d(2))
    export(wide.eval(), tmp_path / "a_wide.pt2", input_size=32)
    shutil.copy(world / "graph.pt2", tmp_path / "graph.pt2")
    # One micro-batch in the wide layer, or through it, is more than is allowed; where that is allowed, more than there is.
    allowed = ("--memory-gib", "1000")
    for i, (flags, words) in enumerate([((), ["one micro-batch holds", "--memory-gib"]), (("--layer", "2"), ["one micro-batch holds"]),
                                        (("--layer", "2", *allowed), ["host memory", "GiB more"]),
                                        (("--layer", "1", *allowed), ["host memory", "GiB more"])]):
        store = tmp_path / f"s{i}"
        done = subprocess.run([BINARY, "sweep", tmp_path / "a_wide.pt2", tmp_path / "graph.pt2", "-b", BENCHMARK, "--bootstrap", "50",
                               "--results", store, *flags], env={**os.environ, **env}, capture_output=True, text=True,
                              preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (6 << 30, 6 << 30)))
        assert done.returncode == 3 and "2 pairs: 1 scored, 0 stored before, 1 failed" in done.stderr, done.stderr
        found = {r["model_identifier"]: r for r in records(store, env)}
        assert found["graph"]["status"] == "ok" and found["a_wide"]["error_type"] == 6
        assert all(word in found["a_wide"]["message"] for word in words), found["a_wide"]["message"]


@pytest.mark.parametrize("number, slurm, code, devices", [
    (signal.SIGINT, False, 130, "cpu"), (signal.SIGTERM, False, 143, "cpu"), (signal.SIGTERM, True, 75, "cpu"),
    (signal.SIGUSR1, False, 75, "cpu"), (signal.SIGINT, False, 130, "cpu,cpu"), (signal.SIGUSR1, False, 75, "cpu,cpu")])
def test_signals_stop_it_and_it_goes_on(world, env, tmp_path, undisturbed, number, slurm, code, devices):
    store = tmp_path / "s"
    process = subprocess.Popen([BINARY, *map(str, command(world, store)), "--device", devices], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               env={**os.environ, **env, **({"SLURM_JOB_ID": "1"} if slurm else {})})
    start = time.monotonic()
    process.stdout.readline()
    process.stdout.readline()  # the header, and a first row: it is in the middle of the second pair
    scored = time.monotonic()
    process.send_signal(number)
    _, error = process.communicate()
    # A tenth of what came before, on an idle machine; its load slows down both.
    assert process.returncode == code and time.monotonic() - scored < scored - start, error
    assert "the same command goes on from here" in error
    stored = len(lines(store))
    assert 1 <= stored < 12
    done = run(*command(world, store), env=env)
    assert f"{stored} stored before" in done.stderr and exported(store, env) == undisturbed


def kill_at_random(world, env, store, undisturbed, kills, seed):
    rng = random.Random(seed)
    starts = 0
    while kills:
        if pathlib.Path(store).exists() and len(lines(store)) == 12:
            assert exported(store, env) == undisturbed
            shutil.rmtree(store)
        process = subprocess.Popen([BINARY, *map(str, command(world, store))], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                   env={**os.environ, **env}, text=True)
        time.sleep(rng.random() * 1.5)
        process.kill()
        shown, _ = process.communicate()
        kills -= 1
        starts += 1
        names = [r["model_identifier"] for r in (lines(store) if pathlib.Path(store).exists() else [])]
        assert max(collections.Counter(names).values(), default=1) == 1  # nothing twice
        for row in shown.splitlines()[1:]:
            if row.endswith(")"):
                assert row.split()[0] in names, row  # nothing that was printed is lost
    done = run(*command(world, store), env=env)
    assert done.returncode == 0 and exported(store, env) == undisturbed


def test_killed_at_random_moments(world, env, tmp_path, undisturbed):
    kill_at_random(world, env, tmp_path / "s", undisturbed, 12, 5)


@pytest.mark.slow
def test_killed_at_300_random_moments(world, env, tmp_path, undisturbed):
    kill_at_random(world, env, tmp_path / "s", undisturbed, 300, 6)


def faulty(faults, env, folder, call, kind, onwards, *arguments, log=None):
    return run(*arguments, env={**env, "LD_PRELOAD": str(faults), "FAULT_FOLDER": str(folder), "FAULT_CALL": str(call), "FAULT_KIND": kind,
                                **({"FAULT_ONWARDS": "1"} if onwards else {}), **({"FAULT_LOG": str(log)} if log else {})})


@pytest.mark.parametrize("kind,onwards,step", [
    ("ENOSPC", True, 3), ("kill", False, 3),
    *(pytest.param(kind, onwards, 1, marks=pytest.mark.slow) for kind in ("ENOSPC", "EIO", "EROFS", "short") for onwards in (False, True)),
    pytest.param("kill", False, 1, marks=pytest.mark.slow), pytest.param("kill-after", False, 1, marks=pytest.mark.slow)])
def test_a_fault_at_every_file_operation_of_a_sweep(world, env, tmp_path, faults, undisturbed, kind, onwards, step):
    """Every operation below the store fails in turn, once or from there on, writes short, or is the process's last."""
    three = "".join(line + "\n" for line in undisturbed.splitlines() if any(f'"net_{i:02d}"' in line for i in range(3)))
    sweep = lambda store: command(world, store, weights="w/net_0[0-2].safetensors")
    log = tmp_path / "calls"
    done = faulty(faults, env, tmp_path / "count", 0, "", False, *sweep(tmp_path / "count"), log=log)
    assert done.returncode == 0 and exported(tmp_path / "count", env) == three
    n = max(map(int, log.read_text().split()))  # the worker's
    assert n >= 3 * 2 + 3  # a write and a sync a record; the folder, the shard, its lock
    stopped = 0
    for call in range(1, n + 1, step):
        store = tmp_path / str(call)
        done = faulty(faults, env, store, call, kind, onwards, *sweep(store))
        stored = [r["model_identifier"] for r in (lines(store) if store.exists() else []) if r["status"] == "ok"]
        printed = [row.split()[0] for row in done.stdout.splitlines()[1:] if row.endswith(")")]
        assert set(printed) <= set(stored) and len(set(stored)) == len(stored), call
        if kind.startswith("kill"):  # each worker in turn, and who speaks to them where it stores what they could not
            stopped += "ended by signal 9" in done.stderr
            assert done.returncode in (0, 3, -signal.SIGKILL), call
        elif done.returncode:
            stopped += 1
            assert done.returncode == 5 and str(store) in done.stderr and "expected room and permission" in done.stderr, call
        again = run(*sweep(store), env=env)
        assert again.returncode == 0 and f"{len(stored)} stored before" in again.stderr, (call, again.stderr)
        assert exported(store, env) == three, call
    if kind == "short" and not onwards:
        assert stopped == 0  # what one short write left out is written after it
    else:
        assert stopped >= n // step - 2


@pytest.mark.parametrize("kind", ["ENOSPC", pytest.param("EIO", marks=pytest.mark.slow), pytest.param("EROFS", marks=pytest.mark.slow)])
def test_a_cache_that_cannot_be_written_loses_nothing(world, env, tmp_path, faults, undisturbed, kind):
    """The index is a convenience: without it everything is stored and found all the same."""
    for call in (1, 2, 5):
        cache = tmp_path / f"cache{call}"
        done = faulty(faults, {**env, "XDG_CACHE_HOME": str(cache)}, cache, call, kind, True, *command(world, tmp_path / str(call)))
        assert done.returncode == 0, done.stderr
        assert exported(tmp_path / str(call), env) == undisturbed


@pytest.mark.slow
def test_memory_and_descriptors_stay_flat(world, env, tmp_path):
    """R13: a thousand checkpoints in one process."""
    folder = tmp_path / "w"
    folder.mkdir()
    state = tiny(0).state_dict()
    for i in range(1000):
        save_file({**state, "3.bias": torch.full((16,), float(i))}, folder / f"{i:04d}.safetensors")
    process = subprocess.Popen([BINARY, "sweep", folder / "*.safetensors", "--graph", world / "graph.pt2", *FLAGS, "--results",
                                tmp_path / "s"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **env})
    process.stdout.readline()
    seen = []
    for row, _ in enumerate(process.stdout):
        if row % 50 == 49:
            status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
            pages = int(status.split("VmRSS:")[1].split()[0])
            seen.append((pages / 1024, len(os.listdir(f"/proc/{process.pid}/fd"))))
        if row == 998:
            break
    process.stdout.read()
    assert process.wait() == 0, process.stderr.read()
    rss = [r for r, _ in seen]
    print("MiB:", *(f"{r:.0f}" for r in rss))
    files = [n for _, n in seen]  # a weight file or the index's journal may be open at that moment
    assert max(files) - min(files) <= 2 and min(files[-5:]) <= min(files[:5])
    assert np.mean(rss[-5:]) - np.mean(rss[2:7]) < 0.02 * rss[4]
