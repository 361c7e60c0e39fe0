"""Which files `cortiscore sweep` takes, in which order, and what it calls them; weights that are not the graph's to the letter."""
import collections
import json
import os
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from conftest import BINARY, ROOT, run

sys.path.insert(0, str(ROOT / "python"))
from cortiscore import export

FLAGS = ["-b", "Small.V4-ridge", "--layer", "flat", "--bootstrap", "50"]


def tiny(seed):
    torch.manual_seed(seed)
    layers = collections.OrderedDict(conv=torch.nn.Conv2d(3, 8, 7, stride=4), norm=torch.nn.BatchNorm2d(8), pool=torch.nn.AdaptiveAvgPool2d(2),
                                     flat=torch.nn.Flatten())
    return torch.nn.Sequential(layers).eval()


def state(seed):
    return tiny(seed).state_dict()


def under(prefix, seed):
    return {prefix + k: v for k, v in state(seed).items()}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A data folder with a small recording, a graph, and what a training run left."""
    folder = tmp_path_factory.mktemp("world")
    rng = np.random.default_rng(0)
    (folder / "pictures").mkdir()
    for i in range(40):
        Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(folder / f"pictures/im{i:02d}.png")
    np.save(folder / "responses.npy", rng.normal(size=(40, 6, 1)) + 0.5 * rng.normal(size=(40, 6, 4)))
    done = run("data", "add", "Small", "--region", "V4", "--responses", folder / "responses.npy", "--dims", "presentation,neuroid,repetition",
               "--stimuli", folder / "pictures", "--metric", "ridge", env={"CORTISCORE_HOME": str(folder)})
    assert done.returncode == 0, done.stderr
    export(tiny(0), folder / "graph.pt2", input_size=32)
    for step in (500, 1000, 1500):
        (folder / f"run/checkpoint-{step}").mkdir(parents=True)
        save_file(state(step), folder / f"run/checkpoint-{step}/model.safetensors")
        torch.save({"state": {}}, folder / f"run/checkpoint-{step}/optimizer.pt")
        torch.save(state(step), folder / f"run/checkpoint-{step}/pytorch_model.bin")
    (folder / "sharded/checkpoint-500").mkdir(parents=True)
    names = list(state(500))
    shards = {name: f"model-0000{1 + (i > 2)}-of-00002.safetensors" for i, name in enumerate(names)}
    for shard in set(shards.values()):
        save_file({k: v for k, v in state(500).items() if shards[k] == shard}, folder / "sharded/checkpoint-500" / shard)
    (folder / "sharded/checkpoint-500/model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": shards}))
    return folder


@pytest.fixture
def sweep(world, tmp_path):
    env = {"CORTISCORE_HOME": str(world), "XDG_CACHE_HOME": str(tmp_path / "cache")}

    def call(*words, store="s", graph=world / "graph.pt2"):
        done = run("sweep", *words, *(["--graph", graph] if graph else []), *FLAGS, "--results", tmp_path / store, "--json", env=env)
        return done, [json.loads(line) for line in done.stdout.splitlines()]

    return call


def names(records):
    return [record["model_identifier"] for record in records]


def test_checkpoints_are_named_by_the_parts_of_their_paths_that_differ(world, sweep, tmp_path):
    done, records = sweep(world / "run/checkpoint-*/model.safetensors")
    assert done.returncode == 0, done.stderr
    assert names(records) == ["checkpoint-500", "checkpoint-1000", "checkpoint-1500"]
    assert len({record["weights_sha256"] for record in records}) == 3
    done, again = sweep(world / "run")  # the folder has the same names, so all is there
    assert done.returncode == 0 and not again and "3 stored before" in done.stderr and "3 checkpoints (3 .safetensors)" in done.stderr, done.stderr
    done, again = sweep(world / "run/checkpoint-*")
    assert done.returncode == 0 and not again and "3 stored before" in done.stderr, done.stderr
    for path in ("a/seed1/x/step2/w.safetensors", "a/seed1/x/step10/w.safetensors", "a/seed2/x/step2/w.safetensors", "a/plain.safetensors"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        save_file(state(len(path)), tmp_path / path)
    done, records = sweep(tmp_path / "a/seed*/x/*/w.safetensors", tmp_path / "a/plain.safetensors", store="t")
    assert names(records) == ["seed1/step2", "seed1/step10", "seed2/step2", "plain"], done.stderr
    done, records = sweep(tmp_path / "a", store="u")
    assert names(records) == ["seed1/x/step2/w", "seed1/x/step10/w", "seed2/x/step2/w", "plain"], done.stderr
    # One file keeps its stem, as in stores of before.
    done, records = sweep(world / "run/checkpoint-500/model.safetensors", store="v")
    assert names(records) == ["model"]


def test_shards_are_one_checkpoint(world, sweep):
    alone = sweep(world / "run/checkpoint-500/model.safetensors", store="alone")[1][0]
    for name, first, *others in (("model", "sharded/checkpoint-500/model.safetensors.index.json", "sharded/checkpoint-*/*.safetensors"),
                                 ("checkpoint-500", "sharded", "sharded/checkpoint-500")):
        done, records = sweep(world / first, store=name)
        assert done.returncode == 0 and names(records) == [name], done.stderr
        assert records[0]["weights_sha256"] == alone["weights_sha256"] and records[0]["score"] == alone["score"]
        assert records[0]["warnings"] == alone["warnings"]
        for other in others:
            done, records = sweep(world / other, store=name)
            assert done.returncode == 0 and not records and "1 pairs: 0 scored, 1 stored before" in done.stderr, done.stderr


def test_linked_folders_are_swept_once_each(world, sweep, tmp_path):
    """Checkpoints lie on scratch disks; `latest` is one of those that are there."""
    folder = tmp_path / "linked"
    folder.mkdir()
    for step in (500, 1000):
        (folder / f"checkpoint-{step}").symlink_to(world / f"run/checkpoint-{step}")
    shutil.copytree(world / "run/checkpoint-1500", folder / "checkpoint-1500")
    (folder / "latest").symlink_to("checkpoint-1500")
    (folder / "checkpoint-1500/up").symlink_to(folder)
    done, records = sweep(folder)
    assert done.returncode == 0 and names(records) == ["checkpoint-500", "checkpoint-1000", "checkpoint-1500"], done.stderr
    _, apart = sweep(world / "run", store="apart")
    assert [r["score"]["raw"] for r in records] == [r["score"]["raw"] for r in apart]


def test_messages_name_the_file_that_was_given(world, sweep, tmp_path):
    """What torch.save wrote is read from a temporary file. Bytes after the tensors are refused, as Python's safetensors does."""
    weights = state(500)
    weights["conv.weight"][0, 0, 0, 0] = float("nan")
    torch.save(weights, tmp_path / "nan.pth")
    save_file(state(500), tmp_path / "longer.safetensors")
    with open(tmp_path / "longer.safetensors", "ab") as file:
        file.write(bytes(8))
    with pytest.raises(SafetensorError):
        load_file(tmp_path / "longer.safetensors")
    done, records = sweep(tmp_path / "nan.pth", tmp_path / "longer.safetensors")
    assert done.returncode == 3 and "cortiscore-weights" not in done.stderr + done.stdout, done.stderr
    messages = {record["model_identifier"]: record["message"] for record in records}
    assert str(tmp_path / "nan.pth") in messages["nan"] and "NaN" in messages["nan"]
    assert str(tmp_path / "longer.safetensors") in messages["longer"] and "no tensor's" in messages["longer"]


def test_copies_of_a_checkpoint_and_what_accelerate_keeps_beside_are_left_out(world, sweep, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    for epoch in (1, 3, 10):
        torch.save({"state_dict": state(epoch), "epoch": epoch}, folder / f"epoch={epoch}.ckpt")
    shutil.copy(folder / "epoch=10.ckpt", folder / "last.ckpt")
    (folder / "best.ckpt").symlink_to("epoch=3.ckpt")
    for name in ("sampler.bin", "sampler_1.bin", "dl_state_dict.bin", "scheduler.bin", "optimizer.bin"):
        torch.save({"state": 3}, folder / name)
    done, records = sweep(folder)
    assert done.returncode == 0 and names(records) == ["epoch=1", "epoch=3", "epoch=10"], (done.stderr, names(records))
    assert "last.ckpt: the same bytes as" in done.stderr and "best.ckpt: the same bytes as" in done.stderr, done.stderr


def test_a_shard_without_its_index_is_refused(world, sweep, tmp_path):
    shutil.copy(world / "sharded/checkpoint-500/model-00001-of-00002.safetensors", tmp_path)
    done, records = sweep(tmp_path / "*.safetensors")
    assert done.returncode == 5 and "one shard of several" in done.stderr and not records


def test_paths_with_brackets_are_themselves(world, sweep, tmp_path):
    folder = tmp_path / "[seed=1] lr=0.1"
    folder.mkdir()
    for epoch in (3, 20):
        save_file(state(epoch), folder / f"epoch={epoch}-val_loss=0.5.safetensors")
    done, records = sweep(folder / "epoch=3-val_loss=0.5.safetensors")
    assert done.returncode == 0 and names(records) == ["epoch=3-val_loss=0.5"], done.stderr
    done, records = sweep(folder / "*.safetensors", store="t")
    assert done.returncode == 0 and names(records) == ["epoch=3-val_loss=0.5", "epoch=20-val_loss=0.5"], done.stderr


def test_what_training_left_is_read_as_it_is(world, sweep, tmp_path):
    """By the rules of `model convert`, with the same scores and weights as the clean file, and a warning where numbers changed."""
    clean = sweep(world / "run/checkpoint-500/model.safetensors")[1][0]
    folder = tmp_path / "w"
    folder.mkdir()
    torch.save({"state_dict": under("module.", 500), "args": object, "epoch": 3}, folder / "a.pth")
    torch.save(under("model.", 500), folder / "b.ckpt")
    save_file(under("module.", 500), folder / "c.safetensors")
    save_file({k: v for k, v in state(500).items() if not k.endswith("tracked")}, folder / "d.safetensors")
    save_file({k: v.double() if v.is_floating_point() else v for k, v in state(500).items()}, folder / "e.safetensors")
    save_file({**state(500), "head.weight": torch.ones(3)}, folder / "f.safetensors")
    torch.save({"a": {**state(500), "conv.weight": torch.ones(1)}}, folder / "g.pt")
    done, records = sweep(folder, store="t")
    assert done.returncode == 3 and len(records) == 7, done.stderr
    for record in records[:6]:
        assert record["weights_sha256"] == clean["weights_sha256"] and record["score"] == clean["score"] and record["split_scores"] == clean["split_scores"]
        assert record["path"] == str(folder / record["path"].split("/")[-1]) if "path" in record else True
    said = {record["model_identifier"]: str(record.get("tags", {}).get("weights", "")) for record in records}
    assert "narrowed" in said["e"] and "left out 1 tensors" in said["f"] and "narrowed" in done.stderr and "left out 1 tensors" in done.stderr
    assert not said["a"] and not said["b"] and not said["c"] and not said["d"]
    assert records[6]["status"] == "failed" and "a.conv.weight of shape [1]" in records[6]["message"] and str(folder / "g.pt") in records[6]["message"]
    done, again = sweep(folder, store="t")
    assert len(again) == 1 and "6 stored before" in done.stderr  # what failed is tried again
    done, [record] = sweep(folder / "a.pth", "--device", "cpu,cpu", store="workers")
    assert record["weights_sha256"] == clean["weights_sha256"]


def test_student_or_teacher(world, sweep, tmp_path):
    save_file({**under("student.", 1), **under("teacher.", 2)}, tmp_path / "ckpt.safetensors")
    done, [record] = sweep(tmp_path / "ckpt.safetensors")
    assert done.returncode == 3 and "--prefix" in record["message"] and "student." in record["message"]
    found = {}
    for prefix, seed in (("student.", 1), ("teacher.", 2)):
        done, [record] = sweep(tmp_path / "ckpt.safetensors", "--prefix", prefix)
        save_file(state(seed), tmp_path / "one.safetensors")
        [alone] = sweep(tmp_path / "one.safetensors", store=f"t{seed}")[1]
        assert record["weights_sha256"] == alone["weights_sha256"] and record["score"] == alone["score"]
        found[record["model_identifier"]] = record
    assert set(found) == {"ckpt/student", "ckpt/teacher"}
    done, again = sweep(tmp_path / "ckpt.safetensors", "--prefix", "teacher.")
    assert not again and "1 stored before" in done.stderr


def test_two_files_of_one_name_are_refused_before_anything_runs(world, sweep, tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        shutil.copy(world / "graph.pt2", tmp_path / folder / "x.pt2")
    done = run("score", tmp_path / "a/x.pt2", tmp_path / "b/x.pt2", *FLAGS, "--results", tmp_path / "r", env={"CORTISCORE_HOME": str(world)})
    assert done.returncode == 5 and 'the name "graph"' in done.stderr and not (tmp_path / "r").exists()
    done, records = sweep(tmp_path / "a/x.pt2", tmp_path / "b/x.pt2", graph=None)
    assert done.returncode == 0 and names(records) == ["a", "b"], done.stderr
    manifest = tmp_path / "m.csv"
    manifest.write_text("model,identifier\na/x.pt2,same\nb/x.pt2,same\n")
    done, records = sweep("--checkpoint-table", manifest, graph=None, store="t")
    assert done.returncode == 5 and '"same"' in done.stderr and not records
    manifest.write_text("model,identifier\na/x.pt2,one\nb/x.pt2,\n")
    done, records = sweep("--checkpoint-table", manifest, graph=None, store="t")
    assert names(records) == ["one", "graph"], done.stderr


def test_weights_without_a_graph_are_refused(world, sweep, tmp_path):
    for path in (world / "run", world / "run/checkpoint-500/model.safetensors"):
        done, records = sweep(path, graph=None)
        assert done.returncode == 5 and "--graph" in done.stderr and not records
    (tmp_path / "empty").mkdir()
    done, records = sweep(tmp_path / "empty")
    assert done.returncode == 5 and "without checkpoints" in done.stderr
    done, records = sweep(world / "graph.pt2", "--prefix", "x.", graph=None)
    assert done.returncode == 2 and "--prefix" in done.stderr


def test_a_sweep_that_is_killed_leaves_no_folder(world, tmp_path):
    (tmp_path / "tmp").mkdir()
    save_file(under("module.", 500), tmp_path / "w.safetensors")
    env = {**os.environ, "CORTISCORE_HOME": str(world), "XDG_CACHE_HOME": str(tmp_path / "cache"), "TMPDIR": str(tmp_path / "tmp")}
    words = ["sweep", tmp_path / "w.safetensors", "--graph", world / "graph.pt2", *FLAGS, "--results", tmp_path / "s"]
    process = subprocess.Popen([BINARY, *map(str, words)], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and not list((tmp_path / "tmp").glob("cortiscore-weights-*")):
        time.sleep(0.01)
    assert list((tmp_path / "tmp").glob("cortiscore-weights-*"))
    time.sleep(0.2)  # Python runs, and its imports take longer
    process.kill()
    process.wait()
    for _ in range(600):
        if not list((tmp_path / "tmp").glob("cortiscore-weights-*")):
            return
        time.sleep(0.1)
    raise AssertionError("the folder of the weights in hand is still there")
