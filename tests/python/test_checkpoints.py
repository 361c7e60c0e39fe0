"""Checkpoints as training leaves them: their weights are read whatever stands beside them, and no code of theirs is run."""
import argparse
import collections
import datetime
import enum
import functools
import io
import os
import pathlib
import pickle
import struct
import subprocess
import sys
import types
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file, save_model

from conftest import ROOT

sys.path.insert(0, str(ROOT / "python"))
from cortiscore.checkpoints import load_into, read_state
from cortiscore.recordings import BadInput


class Net(torch.nn.Module):
    """Numbered blocks, a norm with buffers, a head."""

    def __init__(self, seed=0, depth=2, head=True):
        super().__init__()
        torch.manual_seed(seed)
        self.stem = torch.nn.Conv2d(3, 4, 3)
        self.blocks = torch.nn.Sequential(*[torch.nn.Sequential(torch.nn.Conv2d(4, 4, 1), torch.nn.BatchNorm2d(4)) for _ in range(depth)])
        self.norm = torch.nn.BatchNorm2d(4)
        if head:
            self.head = torch.nn.Linear(4, 5)


class Color(enum.Enum):
    RED = 1


class Record:
    def __init__(self, **entries):
        self.__dict__.update(entries)


class Mapping(dict):
    pass


SEED1, SEED2 = Net(1).state_dict(), Net(2).state_dict()
WANTED = Net().state_dict()
under = lambda prefix, state=SEED1: {prefix + k: v for k, v in state.items()}  # noqa: E731


def equal(found, expected):
    return set(found) == set(expected) and all(torch.equal(found[k], v) for k, v in expected.items())


def saved(path, what, **options):
    torch.save(what, path, **options)
    return path


BESIDE = {
    "namespace": argparse.Namespace(lr=0.1, path=pathlib.Path("/x")), "numpy": [np.float64(1.5), np.arange(3), np.array("x", object), np.random.get_state()],
    "date": datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC), "enum": Color.RED, "partial": functools.partial(max, 1),
    "class": Net, "function": os.path.join, "record": Record(a=Record(b=1)), "mapping": Mapping(a=1), "rng": torch.get_rng_state(), "set": {1, "a"},
    "default": collections.defaultdict(list, a=[1]), "counter": collections.Counter("aab"), "deque": collections.deque([1]), "bytes": bytearray(b"abc"),
    "space": types.SimpleNamespace(x=1), "slice": slice(1, 2), "dtype": torch.float16, "device": torch.device("cpu"), "complex": 1 + 2j,
    "sparse": torch.eye(3).to_sparse(), "quantised": torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8), "big": 1 << 200,
    "exception": ValueError("x"),
    "module": torch.nn.Linear(2, 2), "optimizer": torch.optim.SGD(Net().parameters(), 0.1, momentum=0.9).state_dict(),
}


def test_whatever_stands_beside_the_weights_is_passed_over(tmp_path):
    """In every protocol and both formats, with the network and without."""
    for name, beside in {**BESIDE, "all": BESIDE}.items():
        for options in ({}, {"_use_new_zipfile_serialization": False}, {"pickle_protocol": 4}, {"pickle_protocol": 5}):
            if name == "all" or not options:
                path = saved(tmp_path / "c.pth", {"args": beside, "state_dict": SEED1, "epoch": 3}, **options)
                for wanted in (None, WANTED):
                    state, notes = read_state(path, wanted)
                    assert equal(state, SEED1) and not notes, (name, options, notes)


def test_a_whole_module_is_its_state_dict(tmp_path):
    class Local(Net):  # its class can be found by nobody
        pass

    Local.__qualname__ = "Local"
    globals()["Local"] = Local
    net = Local(1)
    net.register_buffer("scratch", torch.ones(3), persistent=False)
    wrapped = torch.nn.DataParallel(net)
    for what in (net, {"model": net, "epoch": 1}, {"ema": types.SimpleNamespace(module=net)}, wrapped):
        path = saved(tmp_path / "c.pth", what)
        del globals()["Local"]
        try:
            assert equal(read_state(path, WANTED)[0], SEED1)
        finally:
            globals()["Local"] = Local
    assert equal(read_state(saved(tmp_path / "c.pth", net))[0], SEED1)
    torch.jit.script(torch.nn.Sequential(collections.OrderedDict(stem=net.stem))).save(tmp_path / "s.pt")
    assert equal(read_state(tmp_path / "s.pt")[0], {k: v for k, v in SEED1.items() if k.startswith("stem")})


def test_every_dtype_and_view_comes_back_as_torch_loads_it(tmp_path):
    base = torch.arange(24.0).reshape(4, 6)
    many = {"view": base[1:, ::2], "transposed": base.t(), "scalar": torch.tensor(3.0), "empty": torch.zeros(0, 3), "parameter": torch.nn.Parameter(base),
            "expanded": torch.ones(1).expand(5), "channels_last": torch.rand(2, 3, 4, 4).to(memory_format=torch.channels_last)}
    for dtype in (torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool,
                  torch.uint16, torch.uint32, torch.uint64, torch.float8_e4m3fn, torch.float8_e5m2, torch.complex64):
        many[str(dtype)] = torch.arange(7).to(dtype)
    for old in (False, True):
        if old:  # which torch itself cannot load
            many = {k: v for k, v in many.items() if not k.startswith(("torch.uint", "torch.float8")) or k == "torch.uint8"}
        path = saved(tmp_path / "c.pth", many, _use_new_zipfile_serialization=not old)
        state, _ = read_state(path)
        expected = torch.load(path, weights_only=True)
        for name, tensor in expected.items():
            found = state[name]
            assert found.dtype == tensor.dtype and found.shape == tensor.shape and found.stride() == tensor.stride(), name
            assert torch.equal(found.contiguous().view(torch.uint8), tensor.detach().contiguous().view(torch.uint8)) if tensor.dim() and tensor.numel() \
                else torch.equal(found, tensor), name
    with open(tmp_path / "p.pkl", "wb") as out:
        pickle.dump({"model": SEED1}, out)  # not torch's format at all
    assert equal(read_state(tmp_path / "p.pkl", WANTED)[0], SEED1)


class Calls:
    """What an attacker's object does when a pickle is read."""

    def __init__(self, function, *arguments):
        self.reduced = (function, arguments)

    def __reduce__(self):
        return self.reduced


def test_no_checkpoint_runs_code(tmp_path):
    """Gadgets beside the weights, among them and in place of them: what can be read is, and nothing happens."""
    marker = tmp_path / "ran"
    touch = f"touch {marker}"
    evil = torch.save, io.BytesIO()
    inner = io.BytesIO()
    torch.save(Calls(os.system, touch), inner)
    gadgets = {
        "system": Calls(os.system, touch), "eval": Calls(eval, f"open({str(marker)!r}, 'w')"), "exec": Calls(exec, f"open({str(marker)!r}, 'w')"),
        "import": Calls(__import__, "antigravity"), "getattr": Calls(getattr, ValueError("x"), "args"),
        "popen": Calls(subprocess.Popen, ["touch", str(marker)]),
        "load": Calls(torch.load, str(tmp_path / "inner.pth"), None, None), "from bytes": Calls(torch.storage._load_from_bytes, inner.getvalue()),
        "reduce of reduce": Calls(Calls, Calls(os.system, touch)), "open": Calls(open, str(marker), "w"), "partial": Calls(functools.partial, os.system, touch),
        "map": Calls(list, Calls(map, os.system, [touch])), "mkdir": Calls(os.mkdir, str(marker)), "bytearray": Calls(bytearray, 1 << 44),
        "hooks": Calls(torch._utils._rebuild_from_type_v2 if hasattr(torch._utils, "_rebuild_from_type_v2") else torch._tensor._rebuild_from_type_v2,
                       os.system, str, (touch,), None), "type": Calls(type, "T", (), {}), "setattr": Calls(setattr, Calls(__import__, "torch"), "x", 1)}
    (tmp_path / "inner.pth").write_bytes(inner.getvalue())
    del evil
    for name, gadget in gadgets.items():
        path = saved(tmp_path / "c.pth", {"args": gadget, "state_dict": {**SEED1, "more": gadget}})
        assert equal(read_state(path, WANTED)[0], SEED1), name
        with pytest.raises(BadInput):
            read_state(saved(tmp_path / "c.pth", gadget), WANTED)
    p = pickle
    system = b"cos\nsystem\n"
    text = p.SHORT_BINUNICODE + bytes([len(touch)]) + touch.encode()
    raw = {
        "inst": p.MARK + text + p.INST + b"os\nsystem\n", "obj": p.MARK + system + text + p.OBJ, "stack global": p.SHORT_BINUNICODE + b"\x02os" +
        p.SHORT_BINUNICODE + b"\x06system" + p.STACK_GLOBAL + text + p.TUPLE1 + p.REDUCE, "newobj": system + text + p.TUPLE1 + p.NEWOBJ,
        "newobj_ex": system + text + p.TUPLE1 + p.EMPTY_DICT + p.NEWOBJ_EX, "build": system + p.EMPTY_DICT + p.SHORT_BINUNICODE + b"\x0c__setstate__" +
        system + p.SETITEM + p.BUILD + text + p.BUILD, "memo": system + p.LONG_BINPUT + b"\xff\xff\xff\xff" + p.POP + p.LONG_BINGET + b"\xff\xff\xff\xff" +
        text + p.TUPLE1 + p.REDUCE, "extension": p.EXT1 + b"\x01", "append": system + text + p.APPEND, "setitem": system + text + text + p.SETITEM,
        "huge text": p.BINUNICODE8 + struct.pack("<Q", 1 << 62), "huge bytes": p.BYTEARRAY8 + struct.pack("<Q", 1 << 40), "huge frame": p.FRAME + b"\xff" * 8,
        "persistent": text + p.BINPERSID, "persistent text": p.PERSID + touch.encode() + b"\n", "deep": p.EMPTY_TUPLE + p.TUPLE1 * 200_000 + p.NONE +
        p.POP, "deep key": p.EMPTY_DICT + p.EMPTY_TUPLE + p.TUPLE1 * 200_000 + p.NONE + p.SETITEM, "buffer": p.NEXT_BUFFER, "no opcode": b"\xfe",
        "itself": p.EMPTY_LIST + p.BINPUT + b"\x00" + p.BINGET + b"\x00" + p.APPEND}
    for opcodes in raw.values():
        body = p.PROTO + b"\x04" + opcodes + p.STOP
        with zipfile.ZipFile(tmp_path / "r.pth", "w") as archive:
            archive.writestr("a/data.pkl", body)
        (tmp_path / "r.pkl").write_bytes(body)
        for path in (tmp_path / "r.pth", tmp_path / "r.pkl"):
            with pytest.raises(BadInput, match="r\\.p"):
                read_state(path, WANTED)
    assert not marker.exists() and "antigravity" not in sys.modules and not hasattr(torch, "x")


def test_sizes_that_lie_are_refused(tmp_path):
    """Shapes and strides that reach beyond their bytes, bytes that are damaged, files cut anywhere."""
    path = saved(tmp_path / "c.pth", SEED1)
    whole = path.read_bytes()
    for cut in range(1, len(whole), max(1, len(whole) // 40)):
        path.write_bytes(whole[:cut])
        with pytest.raises(BadInput):
            read_state(path, WANTED)
    at = whole.index(SEED1["stem.weight"].numpy().tobytes())
    path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:])
    with pytest.raises(BadInput, match="damaged bytes"):
        read_state(path, WANTED)
    legacy = saved(tmp_path / "l.pth", SEED1, _use_new_zipfile_serialization=False).read_bytes()
    for cut in range(1, len(legacy), max(1, len(legacy) // 40)):
        path.write_bytes(legacy[:cut])
        with pytest.raises(BadInput):
            read_state(path, WANTED)
    class Lies:
        def __init__(self, size, stride):
            self.size, self.stride = size, stride

        def __reduce__(self):
            return torch._utils._rebuild_tensor_v2, (torch.zeros(4).storage(), 0, self.size, self.stride, False, collections.OrderedDict())

    for size, stride in (((5,), (1,)), ((2, 2), (3, 1)), ((-1,), (1,)), ((1 << 40,), (0,)), ((2,), (-1,)), ((1 << 62, 1 << 62), (1, 1)), ((2,), (1 << 61,))):
        with pytest.raises(BadInput):
            read_state(saved(path, {"w": Lies(size, stride)}))


PREFIXES = {
    "plain": ({"state_dict": SEED1}, ""), "ddp": (under("module."), ""), "both": (under("module._orig_mod."), ""),
    "any": ({"a": {"b": under("tower.net.")}}, ""),
    "in the middle": ({k.replace("blocks.", "blocks.module.").replace("stem.", "_fsdp_wrapped_module.stem._checkpoint_wrapped_module."): v for k,
                       v in SEED1.items()}, ""),
    "a part": ({**under("student."), "loss.weight": torch.ones(3)}, "left out 1 "),
    "a head": ({**SEED1, "head2.weight": torch.ones(2)}, 'such as "head2.weight"'),
    "no counters": ({k: v for k, v in SEED1.items() if not k.endswith("tracked")}, ""), "averaged too": ({"model": SEED1, "model_ema": SEED2}, "not taken"),
    "equal twice": ({**under("a."), **under("b.")}, "left out"), "positions": ({**SEED1, "blocks.0.attn_mask": torch.ones(2)}, "left out 1 "),
}


@pytest.mark.parametrize("how", PREFIXES)
def test_the_one_beginning_under_which_all_are_is_taken(how, tmp_path):
    what, note = PREFIXES[how]
    state, notes = read_state(saved(tmp_path / "c.pth", what), WANTED)
    expected = {k: v for k, v in SEED1.items() if how != "no counters" or not k.endswith("tracked")}
    assert equal(state, expected) and (note in " ".join(notes) if note else not notes), notes


def test_a_beginning_that_the_file_lacks_is_put_on(tmp_path):
    wanted = under("net.tower.", WANTED)
    assert equal(read_state(saved(tmp_path / "c.pth", SEED1), wanted)[0], under("net.tower."))
    assert equal(read_state(saved(tmp_path / "c.pth", under("module.tower.")), wanted)[0], under("net.tower."))


@pytest.mark.parametrize("what, words", [
    ({**under("student."), **under("teacher.", SEED2)}, ["2 sets", '"student."', '"teacher."', "--prefix"]),
    ({"student": SEED1, "teacher": SEED2}, ["2 sets", "--prefix"]),
    ({"net": SEED1, "model": SEED2}, ["2 sets"]), (Net(1, depth=3).state_dict(), ["inside modules", "blocks.2", "Export the graph"]),
    ({**SEED1, "blocks.1.0.scale": torch.ones(4)}, ["inside modules", "blocks.1.0.scale"]),
    ({**SEED1, "blocks.1.se.weight": torch.ones(4)}, ["inside", "se.weight"]),
    (Net(1, depth=1).state_dict(), ["6 of the 20 weights missing"]), ({**SEED1, "head.weight": torch.ones(7, 4)}, ["head.weight", "[7, 4]", "[5, 4]"])])
def test_what_could_be_another_network_is_refused(what, words, tmp_path):
    with pytest.raises(BadInput) as error:
        read_state(saved(tmp_path / "c.pth", what), WANTED)
    assert all(word in str(error.value) for word in words), error.value


def test_prefix_chooses(tmp_path):
    for what in ({**under("student."), **under("teacher.backbone.", SEED2)}, {"student": SEED1, "teacher": {"module": SEED2}}):
        path = saved(tmp_path / "c.pth", what)
        assert equal(read_state(path, WANTED, prefix="teacher.")[0], SEED2) and equal(read_state(path, WANTED, prefix="student.")[0], SEED1)
        with pytest.raises(BadInput, match="student"):
            read_state(path, WANTED, prefix="nobody.")


def test_a_prefix_may_leave_out_what_stands_before_it(tmp_path):
    """Lightning's names are state_dict.student.*; the refusal lists those that there are."""
    path = saved(tmp_path / "c.ckpt", {"state_dict": {**under("student."), **under("teacher.", SEED2)}})
    assert equal(read_state(path, WANTED, prefix="student.")[0], SEED1) and equal(read_state(path, WANTED, prefix="teacher.")[0], SEED2)
    assert equal(read_state(path, prefix="student.")[0], SEED1)
    with pytest.raises(BadInput, match=r"state_dict\.student\., state_dict\.teacher\."):
        read_state(path, WANTED, prefix="nobody.")
    path = saved(tmp_path / "c.ckpt", {"a": under("student."), "b": under("student.", SEED2)})
    with pytest.raises(BadInput, match=r"a\.student\., b\.student\."):
        read_state(path, WANTED, prefix="student.")


def test_a_graph_that_was_cut_takes_the_whole_networks_weights(tmp_path):
    """The head, and blocks after the last, are left out and named; of a deeper network, which goes on after them, not."""
    path = saved(tmp_path / "c.pth", Net(1, depth=4).state_dict())
    cut = {k: v for k, v in WANTED.items() if k.startswith(("stem", "blocks"))}
    state, notes = read_state(path, cut)
    assert equal(state, {k: v for k, v in Net(1, depth=4).state_dict().items() if k in cut}) and "left out 18 " in notes[0]
    import torchvision

    for of, graph in (("resnet34", "resnet18"), ("resnet101", "resnet50")):
        torch.save(getattr(torchvision.models, of)().state_dict(), path)
        with pytest.raises(BadInput, match="inside modules"):
            with torch.device("meta"):
                wanted = getattr(torchvision.models, graph)().state_dict()
            read_state(path, wanted)
        with pytest.raises(BadInput, match="inside modules"):  # nor where its head is off
            read_state(path, {k: v for k, v in wanted.items() if not k.startswith("fc")})


def test_tied_weights_that_were_saved_once(tmp_path):
    class Tied(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = torch.nn.Linear(4, 4), torch.nn.Linear(4, 4)
            self.b.weight = self.a.weight

    torch.manual_seed(3)
    net, other = Tied(), Tied()
    expected = {k: v.clone() for k, v in net.state_dict().items()}
    save_model(net, str(tmp_path / "alias.safetensors"))
    assert equal(read_state(tmp_path / "alias.safetensors", {k: v.clone() for k, v in other.state_dict().items()})[0], expected)
    for kept in ("a", "b"):
        missing = {k: v.clone() for k, v in expected.items() if k != f"{'ab'.replace(kept, '')}.weight"}
        save_file(missing, tmp_path / "c.safetensors")
        load_into(other, tmp_path / "c.safetensors")
        assert equal(other.state_dict(), expected)
        torch.nn.init.ones_(other.a.weight)


def test_names_that_torchvision_renames(tmp_path):
    """A DenseNet as it was published, a ViT of before, a weight_norm of before: as load_state_dict takes them."""
    import re

    import torchvision

    torch.manual_seed(0)
    dense = torchvision.models.DenseNet(8, (2, 2), 8)
    state = {re.sub(r"(denselayer\d+\.(?:norm|conv))([12])\.", r"\1.\2.", k): v for k, v in dense.state_dict().items()}
    assert set(state) != set(dense.state_dict())
    assert equal(read_state(saved(tmp_path / "c.pth", state), torchvision.models.DenseNet(8, (2, 2), 8).state_dict())[0], dense.state_dict())
    vit = torchvision.models.VisionTransformer(8, 4, 1, 2, 8, 16)
    state = {k.replace("mlp.0.", "mlp.linear_1.").replace("mlp.3.", "mlp.linear_2."): v for k, v in vit.state_dict().items()}
    found, _ = read_state(saved(tmp_path / "c.pth", state), vit.state_dict())
    assert equal(found, vit.state_dict())
    old = torch.nn.utils.weight_norm(torch.nn.Linear(3, 2))
    new = torch.nn.Sequential(collections.OrderedDict(l=torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(3, 2))))
    load_into(new, saved(tmp_path / "c.pth", under("l.", old.state_dict())))
    assert torch.equal(new(torch.ones(1, 3)), old(torch.ones(1, 3)))


def test_shards_and_folders(tmp_path):
    names = list(SEED1)
    folder = tmp_path / "checkpoint-500"
    folder.mkdir()
    import json

    for kind, write in ((".safetensors", save_file), (".bin", torch.save)):
        stem = "model" if kind == ".safetensors" else "pytorch_model"
        shards = {name: f"{stem}-0000{1 + i * 2 // len(names)}-of-00002{kind}" for i, name in enumerate(names)}
        for shard in set(shards.values()):
            write({k: SEED1[k].clone() for k in names if shards[k] == shard}, folder / shard)
        index = folder / f"{stem}{kind}.index.json"
        index.write_text(json.dumps({"metadata": {}, "weight_map": shards}))
        for path in (index, folder):
            assert equal(read_state(path, WANTED)[0], SEED1) and equal(read_state(path)[0], SEED1)
        index.write_text(json.dumps({"weight_map": {**shards, "stem.weight": "../x" + kind}}))
        with pytest.raises(BadInput, match="files beside it"):
            read_state(index)
        index.write_text(json.dumps({"weight_map": {**shards, "stem.weight": "gone" + kind}}))
        with pytest.raises(BadInput, match="gone"):
            read_state(index)
        index.unlink()
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="a folder of nothing"):
        read_state(tmp_path / "empty")


def test_a_folder_of_fsdp_shards(tmp_path):
    import torch.distributed.checkpoint as dcp

    state = {"model": SEED1, "optimizer": {"lr": 0.1, "state": {"0": torch.ones(3)}}, "epoch": 3}
    dcp.save(state, checkpoint_id=tmp_path / "step-100", no_dist=True)
    found, notes = read_state(tmp_path / "step-100", WANTED)
    assert equal(found, SEED1) and not notes
    (tmp_path / "step-100/.metadata").write_bytes(b"y")
    with pytest.raises(BadInput, match="dcp_to_torch"):
        read_state(tmp_path / "step-100", WANTED)
    for shard in (tmp_path / "step-100").glob("*.distcp"):
        with pytest.raises(BadInput, match="folder"):
            read_state(shard, WANTED)


def test_other_precisions(tmp_path):
    """As load_state_dict leaves them, and said where a number changed."""
    net = Net()
    for dtype, note in ((torch.float64, "narrowed 20 tensors"), (torch.float8_e5m2, "widened 20 tensors"), (torch.bfloat16, ""), (torch.float16, "")):
        state = {k: v.to(dtype) if v.is_floating_point() else v for k, v in SEED1.items()}
        if dtype == torch.float64:
            state["stem.weight"] = state["stem.weight"] * (1 + 1e-9)
        for path in (saved(tmp_path / "c.pth", state), tmp_path / "c.safetensors"):
            save_file(state, tmp_path / "c.safetensors")
            notes = load_into(net, path)
            assert all(torch.equal(v, state[k].to(v.dtype)) for k, v in net.state_dict().items())
            assert note in " ".join(notes) if note else not notes, notes
    for change in ({"head.bias": torch.full((5,), 1e300, dtype=torch.float64)}, {"head.bias": torch.ones(5, dtype=torch.int64)}):
        with pytest.raises(BadInput, match="head.bias"):
            load_into(net, saved(tmp_path / "c.pth", {**SEED1, **change}))


def test_files_of_other_kinds_are_called_by_their_name(tmp_path):
    for data, word in ((b"<!DOCTYPE html><html>", "web page"), (b"version https://git-lfs.github.com/spec/v1", "Git LFS"), (b"\x89HDF\r\n\x1a\n", "HDF5"),
                       (b"", "empty"), (b"\x1f\x8b\x08", "gzip"), (b"GGUF", "GGUF")):
        (tmp_path / "c.pth").write_bytes(data + b" " * (8 if data else 0))
        with pytest.raises(BadInput, match=word):
            read_state(tmp_path / "c.pth")
    with zipfile.ZipFile(tmp_path / "c.pth", "w") as archive:
        archive.writestr("resnet.pth", b"x")
    with pytest.raises(BadInput, match="zip archive of resnet.pth"):
        read_state(tmp_path / "c.pth")
    with pytest.raises(BadInput, match="no such file"):
        read_state(tmp_path / "none.pth")


def test_eight_bit_weights_are_refused_where_their_scales_are_not_used(tmp_path):
    """Scales in a dict of their own, or one beside each weight; without scales, or with those that the network has, as before."""
    narrow = {k: v.to(torch.float8_e4m3fn) if v.is_floating_point() and v.dim() > 1 else v for k, v in SEED1.items()}
    scales = {k: torch.tensor(0.5) for k, v in narrow.items() if v.dtype == torch.float8_e4m3fn}
    for what in ({"model": narrow, "scales": scales}, {**narrow, **{k + "_scale": v for k, v in scales.items()}},
                 {"state_dict": {**narrow, **{k + "_scale_inv": v for k, v in scales.items()}}}):
        with pytest.raises(BadInput, match="8-bit floats.*scale.*Multiply each by its scale|more inside modules of the network"):
            read_state(saved(tmp_path / "a.pth", what), WANTED)
    with pytest.raises(BadInput, match="8-bit floats.*scale"):
        read_state(saved(tmp_path / "a.pth", {"model": narrow, "scales": scales}))
    for what in ({"model": narrow}, {"model": narrow, "scaler": {"scale": torch.tensor(65536.0)}}):
        found, notes = read_state(saved(tmp_path / "a.pth", what), WANTED)
        assert equal(found, {k: v.float() if v.dtype == torch.float8_e4m3fn else v for k, v in narrow.items()}) and "widened" in notes[-1]
    found, _ = read_state(saved(tmp_path / "a.pth", {"model": SEED1, "scales": scales}), WANTED)
    assert equal(found, SEED1)


def test_what_is_no_weights_is_not_taken_for_them(tmp_path):
    for name in ("grads", "delta", "exp_avg", "momentum"):
        path = saved(tmp_path / "a.pth", {name: SEED2, "step": 3})
        for wanted in (WANTED, None):
            with pytest.raises(BadInput, match=f'under "{name}" alone.*--prefix {name}.'):
                read_state(path, wanted)
            assert equal(read_state(path, wanted, prefix=f"{name}.")[0], SEED2)
            assert equal(read_state(path, wanted, key=name)[0], SEED2)
        path = saved(tmp_path / "a.pth", {name: SEED2, "model": SEED1})
        assert equal(read_state(path, WANTED)[0], SEED1)
    assert equal(read_state(saved(tmp_path / "a.pth", under("delta.")), {f"delta.{k}": v for k, v in WANTED.items()})[0], under("delta."))
