"""`cortiscore model convert`: checkpoints as people save them become weight files that a sweep takes."""
import collections
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from conftest import ROOT, run

sys.path.insert(0, str(ROOT / "python"))
from cortiscore import export
from cortiscore.checkpoints import load_into
from cortiscore.convert import convert, main
from cortiscore.recordings import run as run_python


def network(seed=0):
    torch.manual_seed(seed)
    layers = collections.OrderedDict(conv=torch.nn.Conv2d(3, 4, 5), norm=torch.nn.BatchNorm2d(4), pool=torch.nn.AdaptiveAvgPool2d(3))
    return torch.nn.Sequential(layers).eval()


STATE = network(1).state_dict()
OTHER = network(2).state_dict()
prefixed = lambda prefix, state=STATE: {prefix + k: v for k, v in state.items()}  # noqa: E731
SAVED = {
    "plain": STATE, "ddp": prefixed("module."), "compiled": prefixed("_orig_mod."), "both": prefixed("module._orig_mod."),
    "keyed": {"state_dict": STATE, "epoch": 3, "optimizer": {"state": {}, "param_groups": []}},
    "lightning": {"state_dict": prefixed("model."), "epoch": 3, "hyper_parameters": {"lr": 0.1}},
    "averaged beside": {"model": STATE, "model_ema": OTHER}, "only averaged": {"state_dict_ema": STATE, "step": 1},
    "one other": {"student": STATE, "loss": 0.5}, "half": {k: v.half() if v.is_floating_point() else v for k, v in STATE.items()},
    "tied": {**STATE, "norm.bias": STATE["norm.weight"].data},
    "parameters": {k: torch.nn.Parameter(v) if v.is_floating_point() else v for k, v in STATE.items()},
}


@pytest.fixture
def convert_here(capfd):
    """`cortiscore model convert` in this process, which has loaded torch already: exit code, stdout and stderr."""
    def call(*words):
        try:
            run_python(lambda: main([str(word) for word in words]))
            code = 0
        except SystemExit as ended:
            code = ended.code
        out, err = capfd.readouterr()
        return subprocess.CompletedProcess(words, code, out, err)

    return call


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    path = tmp_path_factory.mktemp("graph") / "graph.pt2"
    export(network(), path, input_size=32)
    return path


@pytest.mark.parametrize("how", SAVED)
def test_what_torch_saves_is_found(how, graph, convert_here, tmp_path):
    """With the graph and without: the same tensors by their plain names."""
    torch.save(SAVED[how], tmp_path / "c.pth")
    for more in ([], ["--graph", graph]):
        done = convert_here(tmp_path / "c.pth", "-o", tmp_path / "out", *more)
        assert done.returncode == 0, done.stderr
        found = load_file(tmp_path / "out/c.safetensors")
        assert set(found) == set(STATE)
        for name, value in found.items():
            expected = STATE["norm.weight"] if (how, name) == ("tied", "norm.bias") else STATE[name]
            assert torch.equal(value, expected.half() if how == "half" and expected.is_floating_point() else expected), name
        assert ("not taken: \"model_ema" in done.stdout) == (how == "averaged beside")


def test_key_and_prefix(graph, convert_here, tmp_path):
    torch.save({"model": STATE, "ema": {"module": prefixed("wrapped.tower.", OTHER)}}, tmp_path / "c.pth")
    for more in (["--key", "ema.module"], ["--key", "ema"], ["--prefix", "ema."], ["--prefix", "ema.module.wrapped.tower."]):
        done = convert_here(tmp_path / "c.pth", "-o", tmp_path / "out", *more, "--graph", graph)
        assert done.returncode == 0, done.stderr
        assert torch.equal(load_file(tmp_path / "out/c.safetensors")["conv.weight"], OTHER["conv.weight"])
    done = convert_here(tmp_path / "c.pth", "-o", tmp_path / "out", "--prefix", "ema.module.wrapped.tower.")
    assert done.returncode == 0 and torch.equal(load_file(tmp_path / "out/c.safetensors")["conv.weight"], OTHER["conv.weight"])


def test_many_are_named_by_where_they_differ(graph, tmp_path):
    """run1/last.pth and run2/last.pth stay two; what failed is said, the others are written."""
    for run_name in ("run1", "run2"):
        (tmp_path / run_name).mkdir()
        torch.save(network(len(run_name)).state_dict(), tmp_path / run_name / "last.pth")
    (tmp_path / "run1/torn.pth").write_bytes((tmp_path / "run1/last.pth").read_bytes()[:-200])
    done = run("model", "convert", tmp_path / "run*/*.pth", "-o", tmp_path / "out", "--graph", graph)
    assert done.returncode == 3 and "2 of 3 checkpoints written" in done.stderr and "torn.pth" in done.stderr, done.stderr
    assert sorted(p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*") if p.is_file()) == [
        "run1/last.safetensors", "run2/last.safetensors"]


@pytest.mark.parametrize("saved, words", [
    ({"a": STATE, "b": OTHER}, ["\"a.\", \"b.\"", "--prefix"]), ([1, 2], ["0, 1"]), ({"epoch": 3}, ["epoch", "--key"]),
    ({**STATE, "conv.weight": torch.zeros(4, 3, 3, 3)}, ["conv.weight", "[4, 3, 3, 3]", "[4, 3, 5, 5]"]),
    ({k.replace("norm", "bn"): v for k, v in STATE.items()}, ["4 of the 6 weights", "4 that it does not have", "bn."]),
    ({k: v for k, v in STATE.items() if k != "conv.bias"}, ["1 of the 6 weights", "conv.bias"])])
def test_what_cannot_be_taken_is_said(saved, words, graph, convert_here, tmp_path):
    torch.save(saved, tmp_path / "c.pth")
    done = convert_here(tmp_path / "c.pth", "-o", tmp_path / "out", "--graph", graph)
    assert done.returncode == 3 and all(word in done.stderr for word in ["c.pth", *words]), done.stderr
    assert not (tmp_path / "out").exists() and "Traceback" not in done.stderr


def test_files_that_are_none(graph, convert_here, tmp_path):
    (tmp_path / "c.pth").write_bytes(b"hello")
    for arguments, code, words in (([tmp_path / "c.pth"], 3, ["c.pth", "what torch.save writes"]), ([tmp_path / "none.pth"], 3, ["no such file"]),
                                   ([tmp_path / "none*.pth"], 5, ["found no file"])):
        done = convert_here(*arguments, "-o", tmp_path / "out")
        assert done.returncode == code and all(word in done.stderr for word in words), done.stderr
    torch.save(STATE, tmp_path / "d.pth")
    torch.save(STATE, tmp_path / "d.pt")
    done = convert_here(tmp_path / "d.pth", tmp_path / "d.pt", "-o", tmp_path / "out")
    assert done.returncode == 5 and "same name" in done.stderr
    torch.save({**STATE, "conv.bias": torch.full((4,), float("nan"))}, tmp_path / "e.pth")
    assert "conv.bias is not finite" in convert(tmp_path / "e.pth", tmp_path / "out/e.safetensors")[1]
    np.testing.assert_array_equal(load_file(tmp_path / "out/e.safetensors")["norm.weight"].numpy(), STATE["norm.weight"].numpy())


def test_files_with_the_names_of_save_pretrained_fit_the_graph(convert_here, tmp_path):
    """transformers 5 saves a ViT under the names of version 4."""
    transformers = pytest.importorskip("transformers")
    size = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 8, "image_size": 16, "patch_size": 8}
    model = transformers.ViTForImageClassification(transformers.ViTConfig(**size)).eval()
    model.save_pretrained(tmp_path / "hf")
    file = tmp_path / "hf/model.safetensors"
    state = model.state_dict()
    export(model, tmp_path / "hf.pt2", input_size=16)
    assert convert_here(file, "-o", tmp_path / "out", "--graph", tmp_path / "hf.pt2").returncode == 0
    written = load_file(tmp_path / "out/model.safetensors")
    assert written.keys() == state.keys() and all(torch.equal(written[name], value) for name, value in state.items())
    other = transformers.ViTForImageClassification(transformers.ViTConfig(**size))
    load_into(other, file)
    assert all(torch.equal(other.state_dict()[name], value) for name, value in state.items())
