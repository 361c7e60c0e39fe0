"""A .pt2 from a stranger: whatever its graph says, it is run or refused in words; nothing ends the process, no weight is changed."""
import copy
import json
import os
import pathlib
import random
import subprocess
import sys
import zipfile
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from conftest import BINARY, ROOT, extract, run, write

sys.path.insert(0, str(ROOT / "python"))
from cortiscore import export

TOOL = pathlib.Path(os.environ.get("CORTISCORE_GRAPH_FUZZ", BINARY.parent / "tests/graph_fuzz"))
MODEL, EXTRA, WEIGHTS = "models/model.json", "extra/cortiscore.json", "data/weights/model_weights_config.json"


class Small(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 4, 3, stride=2)
        self.norm = torch.nn.BatchNorm2d(4)
        self.relu = torch.nn.ReLU(inplace=True)
        self.head = torch.nn.Linear(4, 5)

    def forward(self, x):
        x = self.relu(self.norm(self.conv(x)))
        a, b = x.chunk(2, 1)
        x = torch.cat([a, b], 1).mean((2, 3))
        return self.head(x).view(x.shape[0], 5, 1) * 2


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """{record: bytes} of a small network's archive."""
    path = tmp_path_factory.mktemp("small") / "small.pt2"
    torch.manual_seed(0)
    export(Small().eval(), path, input_size=16)
    with zipfile.ZipFile(path) as archive:
        return {item.filename: archive.read(item) for item in archive.infolist()}


def written(records, path, record, document):
    """An archive with one of its records replaced."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, data in records.items():
            archive.writestr(name, document if name.endswith(record) else data)
    return path


def parsed(records, record):
    return json.loads(next(data for name, data in records.items() if name.endswith(record)))


def node(target, inputs, out="conv2d", outputs=None):
    return {"target": target, "inputs": [{"name": name, "arg": arg, "kind": 1} for name, arg in inputs],
            "outputs": [{"as_tensor": {"name": out}}] if outputs is None else outputs, "metadata": {}}


IMAGES = {"as_tensor": {"name": "images"}}
HUGE = 1 << 62


def ints(*values):
    return {"as_ints": list(values)}


def hostile_graphs(model):
    """{name: graph}: one change each."""
    graphs = {}
    conv = next(i for i, one in enumerate(model["graph_module"]["graph"]["nodes"]) if "conv2d" in one["target"])

    def changed(name, change):
        new = copy.deepcopy(model)
        graph = new["graph_module"]["graph"]
        change(graph, new["graph_module"])
        graphs[name] = new

    def first(name, replacement):
        changed(name, lambda graph, _: graph["nodes"].__setitem__(conv, replacement))

    def before(name, *added):
        changed(name, lambda graph, _: graph["nodes"].__setitem__(slice(0, 0), added))

    aten = "torch.ops.aten."
    for size, stride in (([100_000_000], [1]), ([2, 3, 16, 16], [1, 1, 1, HUGE])):
        first(f"reshape_alias_{len(size)}", node(aten + "_reshape_alias.default", [("self", IMAGES), ("size", ints(*size)), ("stride", ints(*stride))]))
        first(f"as_strided_{len(size)}", node(aten + "as_strided.default", [("self", IMAGES), ("size", ints(*size)), ("stride", ints(*stride))]))
    for name in ("from_file", "set_.source_Tensor", "save", "rand_like", "empty.memory_format", "resize_", "_fft_r2c", "_batch_norm_no_update",
                 "bernoulli.p", "nonzero", "masked_select", "relu.nosuch", "", ".", "..", "native_channel_shuffle"):
        first("not_allowed_" + name, node(aten + name + ("" if "." in name else ".default"), [("self", IMAGES)]))
    for target in ("torch.ops", "torch.ops.", "torch.ops.aten", "torch.ops.prims.copy_to.default", "os.system", "", "_operator.truediv"):
        first("target_" + target, node(target, [("self", IMAGES)]))
    for name, inputs in (("empty", [("size", ints(1 << 40))]), ("zeros", [("size", ints(3 << 30, 3 << 30))]), ("zeros", [("size", ints(1 << 37))]),
                         ("zeros", [("size", ints(-1))]), ("arange", [("end", {"as_int": HUGE})]), ("arange", [("end", {"as_float": "NaN"})]),
                         ("expand", [("self", IMAGES), ("size", ints(HUGE, 2, 3, 16, 16))]), ("repeat", [("self", IMAGES), ("repeats", ints(HUGE, 1, 1, 1))]),
                         ("repeat", [("self", IMAGES), ("repeats", ints(1, 1, 1 << 20, 1 << 20))]),
                         ("constant_pad_nd", [("self", IMAGES), ("pad", ints(HUGE, HUGE))]), ("pad", [("self", IMAGES), ("pad", ints(1 << 40, 1))]),
                         ("upsample_nearest2d", [("self", IMAGES), ("output_size", ints(1 << 31, 1 << 31))]),
                         ("pixel_shuffle", [("self", IMAGES), ("upscale_factor", {"as_int": 0})]), ("unbind", [("self", IMAGES)]),
                         ("channel_shuffle", [("self", IMAGES), ("groups", {"as_int": 0})]),
                         ("native_group_norm", [("input", IMAGES), ("weight", {"as_none": True}), ("bias", {"as_none": True}), ("N", {"as_int": 2}),
                                                ("C", {"as_int": 3}), ("HxW", {"as_int": 1 << 30}), ("group", {"as_int": 1}), ("eps", {"as_float": 0.1})])):
        overload = {"unbind": ".int", "empty": ".memory_format"}.get(name, ".default")
        first(f"large_{name}_{len(graphs)}", node(aten + name + overload, inputs))

    # More images, many times more of it: what a plan made from the batch of the export does not know.
    def power(graph, _):
        size = node(aten + "sym_size.int", [("self", IMAGES), ("dim", {"as_int": 0})], outputs=[{"as_sym_int": {"as_name": "n"}}])
        graph["nodes"][:0] = [size]
        name = "n"
        for i in range(9):
            graph["nodes"].insert(i + 1, arithmetic("mul", {"as_sym_int": {"as_name": name}}, {"as_sym_int": {"as_name": "n"}}, f"n{i}"))
            name = f"n{i}"
        graph["nodes"].insert(10, node(aten + "zeros.default", [("size", {"as_sym_ints": [{"as_name": name}]})], "more"))

    def arithmetic(op, a, b, out="i"):
        wrap = lambda value: value if isinstance(value, dict) else {"as_int": value}
        return {"target": "_operator." + op, "inputs": [{"name": "", "arg": wrap(a), "kind": 1}, {"name": "", "arg": wrap(b), "kind": 1}],
                "outputs": out if isinstance(out, list) else [{"as_sym_int": {"as_name": out}}], "metadata": {}}

    changed("batch_to_the_tenth", power)
    low = -(1 << 63)
    for op, a, b in (("floordiv", 1, 0), ("floordiv", low, -1), ("mul", HUGE, 4), ("add", HUGE, HUGE), ("sub", low, 1), ("mul", low, -1)):
        before(f"arithmetic_{op}_{b}", arithmetic(op, a, b))
    for i, out in enumerate(([{"as_none": True}], [{"as_tensors": [{"name": "i"}]}], [], [{}], [{"as_tensor": {"name": "i"}}],
                             [{"as_sym_int": {"as_int": 3}}])):
        before(f"arithmetic_output_{i}", arithmetic("mul", 1, 1, out))
    for i, inputs in enumerate(([], [{}], [{"arg": {}}, {"arg": {"as_int": 1}}], [{"arg": IMAGES}, {"arg": {"as_string": "x"}}])):
        before(f"arithmetic_inputs_{i}", {**arithmetic("mul", 1, 1), "inputs": inputs})
    for i, arg in enumerate(({}, [], None, 3, "x", {"as_tensor": {}}, {"as_tensor": {"name": "no"}}, {"as_tensor": {"name": "conv2d"}},
                             {"as_tensor": IMAGES["as_tensor"], "as_int": 1}, {"as_graph": {}}, {"as_custom_obj": {}})):
        first(f"argument_{i}", node(aten + "relu.default", [("self", arg)]))
    for i, outputs in enumerate(([], [{}], [{"as_none": True}], [{"as_tensor": {"name": "images"}}], [{"as_tensors": [{"name": "conv2d"}]}],
                                 [{"as_tensor": {"name": "conv2d"}}] * 2, [{"as_sym_int": {"as_name": "conv2d"}}], {}, None)):
        changed(f"outputs_{i}", lambda graph, _, outputs=outputs: graph["nodes"][conv].__setitem__("outputs", outputs))
    changed("no_inputs", lambda graph, _: graph.__setitem__("inputs", []))
    changed("no_specs", lambda _, module: module["signature"].__setitem__("input_specs", []))
    changed("empty_spec", lambda _, module: module["signature"]["input_specs"].__setitem__(0, {}))
    changed("one_spec_twice", lambda _, module: module["signature"]["input_specs"].append(module["signature"]["input_specs"][0]))
    changed("reversed", lambda graph, _: graph["nodes"].reverse())
    changed("a_node_twice", lambda graph, _: graph["nodes"].append(graph["nodes"][conv]))
    changed("a_node_less", lambda graph, _: graph["nodes"].pop(conv))
    for i, sizes in enumerate(([{"as_expr": {}}], [{"as_expr": {"expr_str": "s0"}}, {"as_int": 3}, {"as_int": 16}, {"as_int": 16}], [], [{}],
                               [{"as_int": HUGE}] * 4, [{"as_int": -5}] * 4, None, [{"as_int": 0}, {"as_int": 3}, {"as_int": 16}, {"as_int": 16}])):
        changed(f"sizes_{i}", lambda graph, _, sizes=sizes: graph["tensor_values"]["images"].__setitem__("sizes", sizes))
    kinds = [{"as_none": True}, {"as_int": HUGE}, {"as_int": -1}, {"as_int": 1 << 64}, {"as_float": "Infinity"}, {"as_float": "xx"}, {"as_float": "1e999"},
             {"as_bool": True}, {"as_string": "x" * 100}, {"as_ints": []}, {"as_ints": [0, 0]}, {"as_ints": [-1, 1 << 40]}, {"as_ints": [1.5]},
             {"as_floats": [1.5]}, {"as_bools": [True]}, {"as_sym_ints": [{"as_name": "images"}]}, {"as_sym_int": {"as_name": "images"}},
             {"as_scalar_type": 99}, {"as_memory_format": 9}, {"as_layout": 3}, {"as_device": {"type": "cuda"}}, {"as_tensors": []},
             {"as_tensors": [{"name": "images"}]}, {"as_optional_tensors": [{"as_none": True}]}, {"as_tensor": {"name": "images"}}]
    for n in (conv, conv + 1):
        for k, kind in enumerate(kinds):
            for a in range(len(model["graph_module"]["graph"]["nodes"][n]["inputs"])):
                changed(f"node{n}_argument{a}_kind{k}", lambda graph, _, n=n, a=a, kind=kind: graph["nodes"][n]["inputs"][a].__setitem__("arg", kind))
    return graphs


def hostile_weights(config):
    name = next(iter(config["config"]))
    for i, (sizes, strides, offset) in enumerate((
            ([HUGE], [0], 0), ([1 << 31, 1 << 31], [0, 0], 0), ([4], [1, 1], 0), ([4, 4], [1], 0), ([0], [1], 1 << 60), ([4, 3, 3, 3], [27, 9, 3, 1], 1),
            ([HUGE, HUGE], [HUGE, 1], 0), ([-1], [1], 0), ([4], [-1], 3), ([1], [1], 107), ([1], [1], 108), ([], [], 108), ([10 ** 10], [0], 0),
            ([1 << 32, 0], [1, 1], 0), ([2, 2], [(1 << 63) - 1, 1], 0), ([4], [1], -1), ([], [1], 0), ([1] * 100, [1] * 100, 0))):
        new = copy.deepcopy(config)
        new["config"][name]["tensor_meta"].update(sizes=[{"as_int": n} for n in sizes], strides=[{"as_int": n} for n in strides],
                                                  storage_offset={"as_int": offset})
        yield f"weights_{i}", new
    for change in ({"path_name": "../../models/model.json"}, {"path_name": "nosuch"}, {"path_name": 3}, {"use_pickle": True}, {"use_pickle": "x"},
                   {"tensor_meta": {}}):
        new = copy.deepcopy(config)
        new["config"][name].update(change)
        yield f"weights_{next(iter(change))}_{len(str(change))}", new


def hostile_tables(table):
    changes = [{"input_size": v} for v in (0, -1, 1 << 40, 1.5, "16", None, 1e300, 10_000)] + [
        {"mean": [1.0] * 1000, "std": [0.0]}, {"mean": [1, 1, 1], "std": [1, 0, 1]}, {"layers": []}, {"layers": [{"name": "a"}]}, {"layers": {}},
        {"layers": [{"name": "a", "value": "conv2d"}] * 3}, {"layers": [{"name": "a", "value": "p_network_conv_weight"}]},
        {"layers": [{"name": "a", "value": "images"}]}, {"layers": [{"name": "a", "value": "nosuch"}]}, {"identifier": 5}, {"degrees": -1},
        {"layers": [{"name": "a", "value": "conv2d", "time_bins_ms": [[]]}]},
        {"layers": [{"name": "a", "value": "conv2d", "time_bins_ms": [[0, 1], [1, 1e308]]}]}]
    for i, change in enumerate(changes):
        yield f"table_{i}", {**table, **change}


def places(value, path=()):
    """Every place in a document."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*path, key))


def mutated(document, generator):
    """A copy with one to three random changes of what is at some place."""
    new = copy.deepcopy(document)
    for _ in range(generator.choice([1, 1, 2, 3])):
        spots = [p for p in places(new) if p]
        if not spots:  # what was before has emptied it
            return new
        path = generator.choice(spots)
        parent = new
        for key in path[:-1]:
            parent = parent[key]
        other = new
        for key in generator.choice(spots):
            other = other[key]
        choice = generator.randrange(5)
        if choice == 0 and isinstance(parent, (dict, list)):
            del parent[path[-1]]
        elif choice == 1:
            parent[path[-1]] = copy.deepcopy(other)
        elif choice == 2 and isinstance(parent, list):
            parent.insert(path[-1], copy.deepcopy(other))
        else:
            parent[path[-1]] = generator.choice([0, 1, -1, 3, HUGE, -(1 << 63), 1.5, "", "images", "conv2d", None, True, [], {}, [1], {"as_int": 2}])
        if not isinstance(new, dict):
            break
    return new


def outcomes(archives):
    done = subprocess.run([TOOL, "archives", *archives], capture_output=True, text=True, errors="replace", check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    rows = [line.split("\t", 2) for line in done.stdout.splitlines()]
    assert len(rows) == len(archives)
    return [(pathlib.Path(path).stem, int(code), message) for path, code, message in rows]


def check_outcomes(found):
    for name, code, message in found:
        assert code in (0, 5, 6), (name, code, message)
        if code == 5:
            assert name + ".pt2" in message and "found" in message and "INTERNAL ASSERT" not in message, (name, message)


def test_altered_graphs_run_or_are_refused_in_words(small, tmp_path):
    archives = [written(small, tmp_path / f"{name.replace('/', '_')}.pt2", MODEL, json.dumps(graph))
                for name, graph in hostile_graphs(parsed(small, MODEL)).items()]
    archives += [written(small, tmp_path / f"{name}.pt2", WEIGHTS, json.dumps(config)) for name, config in hostile_weights(parsed(small, WEIGHTS))]
    archives += [written(small, tmp_path / f"{name}.pt2", EXTRA, json.dumps(table)) for name, table in hostile_tables(parsed(small, EXTRA))]
    for name, text in (("deep", '{"graph_module":' * 100_000), ("array", "[]"), ("number", "3"), ("bytes", "\udcff{}")):
        for record in (MODEL, EXTRA, WEIGHTS):
            archives.append(written(small, tmp_path / f"{name}_{record.rpartition('/')[2]}.pt2", record, text.encode(errors="surrogateescape")))
    found = outcomes(archives)
    check_outcomes(found)
    codes = {name: code for name, code, _ in found}
    refused = ("reshape_alias", "as_strided", "not_allowed", "target", "large", "arithmetic", "argument", "outputs", "no_specs", "empty_spec", "one_spec",
               "batch_to", "a_node", "deep", "array", "number", "bytes")
    assert all(code for name, code in codes.items() if name.startswith(refused)), {n: c for n, c in codes.items() if n.startswith(refused) and not c}
    assert len(found) > 250 and 5 < sum(code == 0 for code in codes.values()) < 50


def random_archives(small, folder, n, seed):
    generator = random.Random(seed)
    documents = {record: parsed(small, record) for record in (MODEL, EXTRA, WEIGHTS)}
    module = documents[MODEL]["graph_module"]
    for one in module["graph"]["nodes"]:
        one["metadata"] = {}  # which nobody reads where there is a table
    for i in range(n):
        record = generator.choices([MODEL, EXTRA, WEIGHTS], [8, 1, 1])[0]
        yield written(small, folder / f"random{i}.pt2", record, json.dumps(mutated(documents[record], generator)))


class Names(torch.nn.Module):
    def __init__(self, name):
        super().__init__()
        self.name = name
        self.register_parameter(name, torch.nn.Parameter(torch.zeros(1, 1, 4)))
        self.nearest = torch.nn.Identity()

    def forward(self, x):
        x = torch.cat([getattr(self, self.name).expand(x.shape[0], -1, -1), x.flatten(2)[..., :4]], 1)
        return x + self.nearest(x.argmax(-1)).unsqueeze(-1)


def test_what_a_file_says_of_its_tokens_and_types_is_looked_at(tmp_path):
    """A class token's name of 400,000 digits (a search by recursion ends the process); whole numbers that are said to be real."""
    export(Names("cls_token" + "1" * 400_000).eval(), tmp_path / "long.pt2", input_size=16)
    assert run("model", "inspect", tmp_path / "long.pt2").returncode == 0
    export(Names("cls_token").eval(), tmp_path / "short.pt2", input_size=16)
    with zipfile.ZipFile(tmp_path / "short.pt2") as archive:
        records = {item.filename: archive.read(item) for item in archive.infolist()}
    model = parsed(records, MODEL)
    values = model["graph_module"]["graph"]["tensor_values"]
    values[next(name for name in values if name.startswith("argmax"))]["dtype"] = 7
    done = run("model", "inspect", written(records, tmp_path / "lies.pt2", MODEL, json.dumps(model)), "--json")
    assert [layer["unusable"].partition(" (")[0] for layer in json.loads(done.stdout)["layers"]] == ["whole numbers"], done.stdout + done.stderr


def test_randomly_changed_archives(small, tmp_path):
    found = outcomes(list(random_archives(small, tmp_path, 300, 1)))
    check_outcomes(found)
    assert {code for _, code, _ in found} >= {0, 5}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10, 20))
def test_thousands_of_randomly_changed_archives(small, tmp_path, seed):
    check_outcomes(outcomes(list(random_archives(small, tmp_path, 2000, seed))))


def operators(calls, seed):
    done = subprocess.run([TOOL, "operators", str(calls), str(seed)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("no call of it ran") < (10 if calls < 1000 else 1), done.stdout


def test_no_operator_ends_the_process():
    operators(60, 1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 5))
def test_thousands_of_calls_of_every_operator(seed):
    operators(2000, seed)


def test_the_command_line_names_node_argument_found_and_expected(small, tmp_path):
    graphs = hostile_graphs(parsed(small, MODEL))
    for name, words in (("reshape_alias_1", ["_reshape_alias.default", '"conv2d"', "not allowed"]), ("arithmetic_floordiv_0", ["_operator.floordiv", "by 0"]),
                        ("argument_0", ["relu.default", "argument self", "{}"]), ("argument_7", ['"conv2d"', "there before it"]),
                        ("no_specs", ["found none, expected one image"]), ("batch_to_the_tenth", None)):
        path = written(small, tmp_path / f"{name}.pt2", MODEL, json.dumps(graphs[name]))
        done = run("model", "inspect", path)
        if words is None:  # found where a batch of the engine's runs
            write(tmp_path / "s.csv", [{"stimulus_id": "a", "filename": "a.png"}])
            Image.new("RGB", (16, 16)).save(tmp_path / "a.png")
            done = run("extract", path, "--stimuli", tmp_path / "s.csv", "--layer", "head", "-o", tmp_path / "o")
            words = ["zeros.default", '"more"']
        assert done.returncode == 5 and len(done.stderr.strip().splitlines()) == 1, done.stderr
        assert all(word in done.stderr for word in [str(path), *words]), done.stderr


def test_archives_whose_bytes_are_not_those_written_are_refused(small, tmp_path):
    """A flipped bit of a weight is a network like any other: only the checksum tells. zipfile says which and what was stored."""
    whole = written(small, tmp_path / "whole.pt2", "no such record", "")
    assert run("model", "inspect", whole).returncode == 0
    with zipfile.ZipFile(whole) as archive:
        info = next(i for i in archive.infolist() if "/data/weights/weight_" in i.filename)
        weight = archive.read(info)
        flipped = bytearray(whole.read_bytes())
        flipped[flipped.index(weight) + 5] ^= 0x40
    (tmp_path / "flipped.pt2").write_bytes(flipped)
    with zipfile.ZipFile(tmp_path / "flipped.pt2") as archive:
        assert archive.testzip() == info.filename
    damaged = bytearray(weight)
    damaged[5] ^= 0x40
    twice = written(small, tmp_path / "twice.pt2", "no such record", "")
    with zipfile.ZipFile(twice, "a") as archive, pytest.warns(UserWarning):
        archive.writestr(info.filename, bytes(len(weight)))
    big = written(small, tmp_path / "big.pt2", "/byteorder", "big")
    record = info.filename.split("/", 1)[1]
    for path, words in ((tmp_path / "flipped.pt2", [record, f"{zlib.crc32(damaged):08x}", f"{info.CRC:08x}", "Copy it again"]),
                        (twice, [record, "two of this name"]), (big, ["byteorder", '"big"'])):
        done = run("model", "inspect", path)
        assert done.returncode == 5 and len(done.stderr.strip().splitlines()) == 1, done.stderr
        assert all(word in done.stderr for word in [str(path), *words]), done.stderr


def test_a_network_leaves_its_weights_and_statistics_as_they_are(small, tmp_path):
    model = parsed(small, MODEL)
    weight = {"as_tensor": {"name": "p_network_conv_weight"}}
    cases = {"relu_": node("torch.ops.aten.relu_.default", [("self", weight)], "w"),
             "copy_": node("torch.ops.aten.fill_.Scalar", [("self", weight), ("value", {"as_float": 0.0})], "w")}
    archives = []
    for name, added in cases.items():
        new = copy.deepcopy(model)
        new["graph_module"]["graph"]["nodes"].insert(0, added)
        archives.append(written(small, tmp_path / f"{name}.pt2", MODEL, json.dumps(new)))
    # A view of a weight is that weight.
    new = copy.deepcopy(model)
    view = node("torch.ops.aten.view.default", [("self", weight), ("size", ints(-1))], "flat")
    new["graph_module"]["graph"]["nodes"][:0] = [view, node("torch.ops.aten.zero_.default", [("self", {"as_tensor": {"name": "flat"}})], "w")]
    archives.append(written(small, tmp_path / "view.pt2", MODEL, json.dumps(new)))
    new = copy.deepcopy(model)
    norm = next(n for n in new["graph_module"]["graph"]["nodes"] if "batch_norm" in n["target"])
    next(i for i in norm["inputs"] if i["name"] == "training")["arg"] = {"as_bool": True}
    archives.append(written(small, tmp_path / "training.pt2", MODEL, json.dumps(new)))
    new = copy.deepcopy(model)
    drop = node("torch.ops.aten.dropout.default", [("input", IMAGES), ("p", {"as_float": 0.5}), ("train", {"as_bool": True})], "d")
    new["graph_module"]["graph"]["nodes"].insert(0, drop)
    archives.append(written(small, tmp_path / "dropout.pt2", MODEL, json.dumps(new)))
    found = outcomes(archives)
    check_outcomes(found)
    for name, code, message in found:
        assert code == 5 and {"training": "eval mode", "dropout": "chance"}.get(name, "write into") in message, message


def test_a_network_that_writes_into_its_images_sees_them_anew(tmp_path):
    class Writes(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = torch.nn.Conv2d(3, 2, 3)
            self.relu = torch.nn.ReLU(inplace=True)

        def forward(self, x):
            x.mul_(2).sub_(0.5)
            return self.relu(self.conv(x[:, :, 1:]))

    torch.manual_seed(0)
    model = Writes().eval()
    export(model, tmp_path / "net.pt2", input_size=8)
    images = np.random.default_rng(0).integers(0, 256, (16, 8, 8, 3), dtype=np.uint8)
    rows = []
    for i, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / f"{i}.png")
        rows.append({"stimulus_id": i, "filename": f"{i}.png"})
    found = extract(tmp_path / "net.pt2", write(tmp_path / "s.csv", rows), ["conv", "relu"], tmp_path / "o")
    torch.set_num_threads(1)
    x = torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)).astype(np.float32) / np.float32(255))
    with torch.no_grad():
        conv = model.conv((x * 2 - 0.5)[:, :, 1:])
        np.testing.assert_array_equal(found["conv"], conv.reshape(16, -1).numpy())
        np.testing.assert_array_equal(found["relu"], conv.relu().reshape(16, -1).numpy())
