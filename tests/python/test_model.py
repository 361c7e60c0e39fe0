"""The .pt2 interpreter against PyTorch's own forward hooks, to the bit, and what `model inspect` and `export` say."""
import csv
import json
import sys

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image

from conftest import ROOT, run, run_json
from hooks import calls_of, randomise_statistics

sys.path.insert(0, str(ROOT / "python"))
from cortiscore import export

IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
BATCH = 16  # the engine's micro-batch: equal bits need equal shapes
# All of torchvision's classification families.
FAMILIES = ["alexnet", "vgg11", "resnet18", pytest.param("resnext50_32x4d", marks=pytest.mark.slow), "squeezenet1_1", "densenet121",
            "googlenet", "inception_v3", "mnasnet0_5", pytest.param("mobilenet_v2", marks=pytest.mark.slow), "mobilenet_v3_small",
            "efficientnet_b0", "shufflenet_v2_x0_5", "regnet_y_400mf", "vit_b_32", "swin_t", "maxvit_t", "convnext_tiny"]


@pytest.fixture(scope="module")
def stimuli(tmp_path_factory):
    """20 noise images: one full micro-batch and one that is padded."""
    folder = tmp_path_factory.mktemp("stimuli")
    rng = np.random.default_rng(0)
    with open(folder / "s.csv", "w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["stimulus_id", "filename"])
        for i in range(20):
            Image.fromarray(rng.integers(0, 256, (224, 224, 3), dtype=np.uint8)).save(folder / f"{i:02d}.png")
            writer.writerow([f"s{i}", f"{i:02d}.png"])
    return folder / "s.csv"


def batches(stimuli, size=224, mean=None, std=None):
    images = []
    for path in sorted(stimuli.parent.glob("*.png")):
        image = Image.open(path).resize((size, size), Image.BILINEAR)
        images.append(np.asarray(image, dtype=np.float32).transpose(2, 0, 1) / np.float32(255))
    x = torch.from_numpy(np.ascontiguousarray(np.stack(images)))  # stack keeps the channels-last strides of its parts
    if mean is not None:
        x = (x - torch.tensor(mean).view(1, 3, 1, 1)) / torch.tensor(std).view(1, 3, 1, 1)
    while len(x) % BATCH:
        x = torch.cat([x, x[-1:]])
    return x.split(BATCH)


def batched(model, batch):
    """Modules whose output has the batch's axis first, in order."""
    return list(calls_of(model, [batch]))


def hooked(model, inputs, n, layers=None):
    """{layer: [n, features]}: outputs of these modules (else of all), the last call counting."""
    return {name: calls[-1] for name, calls in calls_of(model, inputs, n, layers).items()}


def torchvision_network(family):
    torch.manual_seed(1)
    torch.set_num_threads(1)
    # Eager attention may take a fused path that torch.export does not record; both are PyTorch's, they differ by 1e-6.
    torch.backends.mha.set_fastpath_enabled(False)
    more = {"init_weights": False} if family in ("googlenet", "inception_v3") else {}
    return randomise_statistics(getattr(torchvision.models, family)(weights=None, **more).eval())


HALF = [("mobilenet_v3_small", "bf16"), ("resnet18", "bf16"), ("vit_b_32", "bf16"), ("convnext_tiny", "bf16"), ("mobilenet_v3_small", "fp16"),
        *[pytest.param(family, "fp16", marks=pytest.mark.slow) for family in ("resnet18", "vit_b_32", "convnext_tiny")]]


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    return tmp_path_factory.mktemp("kept"), {}


@pytest.fixture
def exported(family, kept, tmp_path):
    """(network, archive): one export for all tests of a family that is run in half precision as well."""
    folder, made = kept
    if family in made:
        return made[family]
    again = any(family in getattr(case, "values", case) for case in HALF)
    model, path = torchvision_network(family), (folder if again else tmp_path) / f"{family}.pt2"
    export(model, path, input_size=224, **IMAGENET)
    if again:
        made[family] = model, path
    return model, path


@pytest.mark.parametrize("family", FAMILIES)
def test_activations_equal_hooks(family, stimuli, exported, tmp_path):
    model, archive = exported
    described = run_json("model", "inspect", archive)
    names = [layer["name"] for layer in described["layers"]]
    there = batched(model, batches(stimuli, **IMAGENET)[0][:3])
    assert described["parameters"] == sum(p.numel() for p in model.parameters())
    assert set(there) <= set(names), sorted(set(there) - set(names))
    asked = list(dict.fromkeys([*there[:: max(1, len(there) // 32)], there[-1]]))
    reference = hooked(model, batches(stimuli, **IMAGENET), 20, asked)
    flags = [f for name in asked for f in ("--layer", name)]
    done = run("extract", archive, "--stimuli", stimuli, *flags, "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    for name in asked:
        np.testing.assert_array_equal(np.load(tmp_path / "out" / f"{name}.npy"), reference[name], err_msg=name)
    shapes = {layer["name"]: layer["features"] for layer in described["layers"]}
    assert all(shapes[name] == reference[name].shape[1] for name in asked)


@pytest.mark.parametrize("family, precision", HALF)
def test_half_precision_is_autocast(family, precision, stimuli, exported, tmp_path):
    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}[precision]
    model, archive = exported
    there = batched(model, batches(stimuli, **IMAGENET)[0][:3])
    asked = list(dict.fromkeys([*there[:: max(1, len(there) // 12)], there[-1]]))
    with torch.autocast("cpu", dtype=dtype):
        reference = hooked(model, batches(stimuli, **IMAGENET), 20, asked)
    flags = [f for name in asked for f in ("--layer", name)]
    for out, more in (("half", ["--precision", precision]), ("full", [])):
        done = run("extract", archive, "--stimuli", stimuli, *flags, "-o", tmp_path / out, *more)
        assert done.returncode == 0, done.stderr
    for name in asked:
        found = np.load(tmp_path / "half" / f"{name}.npy")
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, reference[name], err_msg=name)
    within = asked[len(asked) // 2]  # a transformer's untrained head gives zeros
    full, half = np.load(tmp_path / "full" / f"{within}.npy"), np.load(tmp_path / "half" / f"{within}.npy")
    assert 0 < np.abs(full - half).max() < 0.1 * np.abs(full).max()


def test_tf32_is_of_gpus(small, stimuli, tmp_path):
    done = run("extract", small, "--stimuli", stimuli, "--layer", "1", "-o", tmp_path / "o", "--precision", "tf32")
    assert done.returncode == 2 and "CUDA" in done.stderr
    assert run("extract", small, "--stimuli", stimuli, "--layer", "1", "-o", tmp_path / "o", "--precision", "int4").returncode == 2


def test_cuda_graphs_are_of_gpus(small, stimuli, tmp_path):
    done = run("extract", small, "--stimuli", stimuli, "--layer", "1", "-o", tmp_path / "o", "--cuda-graphs")
    assert done.returncode == 2 and "--cuda-graphs: found --device cpu" in done.stderr, done.stderr
    assert not (tmp_path / "o").exists()


def test_modules_without_nodes_and_in_place_operators(stimuli, tmp_path):
    """Identity has no node of its own; an in-place ReLU overwrites what batch norm just returned."""

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = torch.nn.Conv2d(3, 4, 3, stride=7)
            self.norm = torch.nn.BatchNorm2d(4)
            self.relu = torch.nn.ReLU(inplace=True)
            self.nothing = torch.nn.Identity()
            self.drop = torch.nn.Dropout(0.5)
            self.twice = torch.nn.Linear(4, 4)

        def forward(self, x):
            x = self.nothing(self.relu(self.norm(self.conv(x))))
            return self.twice(self.twice(self.drop(x).mean((2, 3))))

    torch.manual_seed(0)
    model = Net().eval()
    export(model, tmp_path / "net.pt2", input_size=64)
    assert not any(module._forward_hooks for module in model.modules())  # the exporter leaves nothing behind
    reference = hooked(model, batches(stimuli, 64), 20)
    assert reference["norm"].min() < 0
    flags = [f for name in reference for f in ("--layer", name)]
    done = run("extract", tmp_path / "net.pt2", "--stimuli", stimuli, *flags, "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    for name, expected in reference.items():
        np.testing.assert_array_equal(np.load(tmp_path / "out" / f"{name}.npy"), expected, err_msg=name)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    path = tmp_path_factory.mktemp("small") / "small.pt2"
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 5, stride=4), torch.nn.ReLU(), torch.nn.Flatten())
    export(model.eval(), path, input_size=64, identifier="small-net")
    return path


def test_a_plain_export_without_our_table_runs_too(small, stimuli, tmp_path):
    model = torchvision.models.squeezenet1_1(weights=None).eval()
    program = torch.export.export(model, (torch.zeros(2, 3, 224, 224),),
                                  dynamic_shapes=({0: torch.export.Dim("b", min=1, max=64)},))
    torch.export.save(program, tmp_path / "plain.pt2")
    described = run_json("model", "inspect", tmp_path / "plain.pt2")
    assert "features.3.squeeze" in {layer["name"] for layer in described["layers"]}
    done = run("extract", tmp_path / "plain.pt2", "--stimuli", stimuli, "--layer", "features.3", "-o", tmp_path / "o")
    assert done.returncode == 0, done.stderr
    torch.set_num_threads(1)
    reference = hooked(model, batches(stimuli), 20)["features.3"]
    np.testing.assert_array_equal(np.load(tmp_path / "o/features.3.npy"), reference)


def test_threads_change_no_bit(small, stimuli, tmp_path):
    for threads in (1, 3):
        run("--threads", threads, "extract", small, "--stimuli", stimuli, "--layer", "1", "-o", tmp_path / str(threads))
    np.testing.assert_array_equal(np.load(tmp_path / "1/1.npy"), np.load(tmp_path / "3/1.npy"))


def test_bad_archives_and_layers(small, stimuli, tmp_path):
    done = run("extract", small, "--stimuli", stimuli, "--layer", "11", "-o", tmp_path / "o")
    assert done.returncode == 4 and 'no layer "11"' in done.stderr and "Nearest of 3: 1" in done.stderr
    whole = small.read_bytes()
    for keep in (0, 100, len(whole) // 2, len(whole) - 30):
        (tmp_path / "cut.pt2").write_bytes(whole[:keep])
        done = run("model", "inspect", tmp_path / "cut.pt2")
        assert done.returncode == 5 and "cut.pt2" in done.stderr and "truncated" in done.stderr, (keep, done.stderr)
        assert len(done.stderr.strip().splitlines()) == 1
    done = run("model", "inspect", tmp_path / "none.pt2")
    assert done.returncode == 5 and "no such file" in done.stderr


def rewritten(archive, path, change):
    """A copy of an archive with its graph changed."""
    import zipfile

    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as new:
        for item in old.infolist():
            data = old.read(item)
            if item.filename.endswith("models/model.json"):
                data = json.dumps(change(json.loads(data))).encode()
            new.writestr(item.filename, data)
    return path


def test_graphs_that_reach_outside_or_are_too_large_are_refused(small, tmp_path):
    def forbidden(model):
        model["graph_module"]["graph"]["nodes"][0]["target"] = "torch.ops.aten.from_file.default"
        return model

    def foreign(model):
        model["graph_module"]["graph"]["nodes"][0]["target"] = "torch.ops.prims.copy_to.default"
        return model

    def schema(model):
        model["schema_version"]["major"] = 9
        return model

    def nested(model):
        value = model["extra"] = []
        for _ in range(100):
            value.append([])
            value = value[0]
        return model

    def endless(model):
        model["graph_module"]["graph"]["nodes"] = [{}] * 1_000_001
        return model

    def long(model):
        model["padding"] = " " * (257 << 20)
        return model

    for change, word in ((forbidden, "from_file"), (foreign, "prims"), (schema, "schema_version"), (nested, "nested deeper than 64"),
                         (endless, "1000001 nodes"), (long, "257 MiB of JSON")):
        done = run("model", "inspect", rewritten(small, tmp_path / "bad.pt2", change))
        assert done.returncode == 5 and word in done.stderr, done.stderr


def test_export_verb(tmp_path):
    done = run("model", "export", "torchvision:squeezenet1_1", "-o", tmp_path / "n.pt2", "--identifier", "mine",
               env={"CORTISCORE_PYTHON": sys.executable})
    assert done.returncode == 0, done.stderr
    described = run_json("model", "inspect", tmp_path / "n.pt2")
    assert described["identifier"] == "mine" and described["mean"] == IMAGENET["mean"]
    (tmp_path / "own.py").write_text(
        "import torch\ndef tiny():\n    return torch.nn.Sequential(torch.nn.Flatten()), {'input_size': 32}\n")
    done = run("model", "export", f"{tmp_path}/own.py:tiny", "-o", tmp_path / "t.pt2",
               env={"CORTISCORE_PYTHON": sys.executable})
    assert done.returncode == 0, done.stderr
    assert run_json("model", "inspect", tmp_path / "t.pt2")["layers"][0]["features"] == 3 * 32 * 32
    with pytest.raises(ValueError, match="training"):
        export(torch.nn.Dropout(), tmp_path / "x.pt2", input_size=8)
