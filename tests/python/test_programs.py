"""Networks that run code of their own: TorchScript and AOTInductor's native code, opened only where that is allowed."""
import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import torch
import torchvision
import xarray as xr
from PIL import Image

from conftest import ROOT, extract, run, run_json, write
from hooks import calls_of, randomise_statistics

sys.path.insert(0, str(ROOT / "python"))
import cortiscore

SIZE, N, BATCH = 96, 20, 16
IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}


@pytest.fixture(scope="module")
def stimuli(tmp_path_factory):
    """20 noise images: one full micro-batch and one that is padded; and as the network sees them."""
    folder = tmp_path_factory.mktemp("stimuli")
    pixels = np.random.default_rng(0).integers(0, 256, (N, SIZE, SIZE, 3), dtype=np.uint8)
    for i, image in enumerate(pixels):
        Image.fromarray(image).save(folder / f"{i:02d}.png")
    write(folder / "s.csv", [{"stimulus_id": f"s{i:02d}", "filename": f"{i:02d}.png"} for i in range(N)])
    x = torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))).float() / 255
    x = (x - torch.tensor(IMAGENET["mean"]).view(1, 3, 1, 1)) / torch.tensor(IMAGENET["std"]).view(1, 3, 1, 1)
    x = torch.cat([x, x[-1:].expand(2 * BATCH - N, -1, -1, -1)])
    return folder / "s.csv", x.split(BATCH)


def random_network(builder):
    torch.manual_seed(1)
    return randomise_statistics(builder(weights=None).eval())


def save(script, path, **description):
    torch.jit.save(script, str(path), _extra_files={"cortiscore.json": json.dumps({"input_size": SIZE, **description})})
    return path


@pytest.mark.parametrize("how", ["script", "trace"])
@pytest.mark.parametrize("builder", [torchvision.models.resnet18, torchvision.models.mobilenet_v2, torchvision.models.densenet121])
def test_torchscript_equals_hooks(builder, how, stimuli, tmp_path):
    model = random_network(builder)
    script = torch.jit.script(model) if how == "script" else torch.jit.trace(model, torch.zeros(2, 3, SIZE, SIZE))
    path = save(script, tmp_path / "net.pt", identifier="scripted", **IMAGENET)
    described = run_json("model", "inspect", path, "--allow-torchscript")
    assert described["identifier"] == "scripted" and described["parameters"] == sum(p.numel() for p in model.parameters())
    calls = calls_of(model, stimuli[1], N)
    expected = {name: steps[-1] for name, steps in calls.items()}
    expected |= {f"{name}@{k}": step for name, steps in calls.items() if len(steps) > 1 for k, step in enumerate(steps)}
    layers = {layer["name"]: layer["features"] for layer in described["layers"]}
    assert layers == {name: values.shape[1] for name, values in expected.items()}
    asked = [*list(layers)[:: max(1, len(layers) // 24)], list(layers)[-1]]
    for name, values in extract(path, stimuli[0], asked, tmp_path / "out", "--allow-torchscript").items():
        np.testing.assert_array_equal(values, expected[name], err_msg=name)


class Branches(torch.nn.Module):
    """An in-place ReLU after a tap, a condition on values, a loop, a module that returns two tensors."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.relu = torch.nn.Conv2d(3, 4, 3, stride=3), torch.nn.BatchNorm2d(4), torch.nn.ReLU(inplace=True)
        self.pair, self.often, self.end = Pair(), torch.nn.Linear(4, 4), torch.nn.Linear(4, 2)

    def forward(self, x, scale: float = 2.0):
        x = self.relu(self.norm(self.conv(x)))
        if bool(x.mean() > 1e9):
            x = -x
        a, b = self.pair(x)
        x = (a + b).mean((2, 3)) * scale
        for _ in range(int(x.shape[1])):
            x = self.often(x)
        return self.end(x)


class Pair(torch.nn.Module):
    def forward(self, x):
        return x + 1, x - 1


def test_what_a_graph_cannot_have(stimuli, tmp_path):
    torch.manual_seed(0)
    model = Branches().eval()
    path = save(torch.jit.script(model), tmp_path / "net.pt", **IMAGENET)
    layers = [layer["name"] for layer in run_json("model", "inspect", path, "--allow-torchscript")["layers"]]
    assert layers == ["conv", "norm", "relu", "pair", "end"]  # what runs in a loop is no layer
    seen = calls_of(model, stimuli[1], N)
    found = extract(path, stimuli[0], layers, tmp_path / "out", "--allow-torchscript")
    for name in layers:
        np.testing.assert_array_equal(found[name], seen[name][-1], err_msg=name)
    assert found["norm"].min() < 0


def test_code_is_run_only_where_that_is_allowed(stimuli, tmp_path):
    path = save(torch.jit.script(Branches().eval()), tmp_path / "net.pt")
    for command in (["model", "inspect", path], ["score", path, "-b", "Simulated2026.V1-pls"], ["layers", path, "-b", "Simulated2026.V1-pls"],
                    ["extract", path, "--stimuli", stimuli[0], "--layer", "conv", "-o", tmp_path / "o"]):
        for flags in ([], ["--allow-native-code"]):
            done = run(*command, *flags)
            assert done.returncode in (2, 3) and "--allow-torchscript" in done.stderr, done.stderr
    (tmp_path / "cut.pt").write_bytes(path.read_bytes()[:-200])
    done = run("model", "inspect", tmp_path / "cut.pt", "--allow-torchscript")
    assert done.returncode == 5 and "cut.pt" in done.stderr
    torch.save(Branches().state_dict(), tmp_path / "weights.pt")
    done = run("score", tmp_path / "weights.pt", "-b", "Simulated2026.V1-pls", "--allow-torchscript")
    assert done.returncode in (3, 5) and "model convert" in done.stderr, done.stderr
    done = run("extract", path, "--stimuli", stimuli[0], "--layer", "often", "-o", tmp_path / "o", "--allow-torchscript")
    assert done.returncode == 4 and "Nearest" in done.stderr


@pytest.fixture(scope="module")
def native(tmp_path_factory):
    """ResNet-18 compiled: two layers."""
    folder = tmp_path_factory.mktemp("native")
    model = random_network(torchvision.models.resnet18)
    cortiscore.compile(model, folder / "net.pt2", layers=["layer2", "avgpool"], input_size=SIZE, identifier="compiled", **IMAGENET)
    return folder / "net.pt2", model


def test_native_code_equals_hooks_to_rounding(native, stimuli, tmp_path):
    path, model = native
    described = run_json("model", "inspect", path, "--allow-native-code")
    assert [(layer["name"], layer["shape"]) for layer in described["layers"]] == [("layer2", [128, 12, 12]), ("avgpool", [512, 1, 1])]
    assert described["identifier"] == "compiled" and described["parameters"] == sum(p.numel() for p in model.parameters())
    expected = calls_of(model, stimuli[1], N)
    for threads in (1, 2):
        found = extract(path, stimuli[0], ["avgpool", "layer2"], tmp_path / str(threads), "--allow-native-code")
        for name, values in found.items():
            largest = np.abs(expected[name][0]).max()
            assert np.abs(values - expected[name][0]).max() < 1e-5 * largest  # ALGORITHMS.md 5a, of another order of sums
    assert (tmp_path / "1/layer2.npy").read_bytes() == (tmp_path / "2/layer2.npy").read_bytes()


def test_a_sweep_opens_every_package(native, stimuli, tmp_path):
    """Equal bytes under two names: no graph to share, no weights to exchange."""
    for name in ("a", "b"):
        (tmp_path / f"{name}.pt2").write_bytes(native[0].read_bytes())
    responses = np.random.default_rng(0).normal(size=(2 * N, 3))
    xr.DataArray(responses, dims=["presentation", "neuroid"], name="data",
                 coords={"stimulus_id": ("presentation", [f"s{i:02d}" for i in range(N)] * 2), "repetition": ("presentation", np.repeat([0, 1], N)),
                         "neuroid_id": ("neuroid", ["x", "y", "z"])}).to_netcdf(tmp_path / "r.nc", engine="h5netcdf")
    (tmp_path / "noise.json").write_text(json.dumps({
        "schema_version": 1, "identifier": "Noise2026.IT-ridge", "kind": "neural", "region": "IT", "stimulus_set": str(stimuli[0]),
        "assemblies": [{"identifier": "noise", "file": str(tmp_path / "r.nc")}], "metric": {"name": "ridge", "alpha": 1},
        "splits": {"kind": "shuffle", "n_splits": 2}, "ceiling": {"name": "internal_consistency", "n_splits": 2, "seed": 1}}))
    done = run("sweep", tmp_path / "a.pt2", tmp_path / "b.pt2", "-b", tmp_path / "noise.json", "--layer", "avgpool", "--results", tmp_path / "r",
               "--allow-native-code", "--json")
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["layer"] for line in done.stdout.splitlines()] == ["avgpool"]  # the other is the same work, done already


def test_native_code_is_refused(native, stimuli, tmp_path):
    path, _ = native
    ask = ["extract", path, "--stimuli", stimuli[0], "--layer", "layer2", "-o", tmp_path / "o"]
    for flags, words in (([], "--allow-native-code"), (["--allow-torchscript"], "--allow-native-code"),
                         (["--allow-native-code", "--precision", "bf16"], "compiled")):
        done = run(*ask, *flags)
        assert done.returncode == 2 and words in done.stderr, done.stderr
    done = run("sweep", tmp_path / "w.safetensors", "--graph", path, "-b", "Simulated2026.V1-pls", "--results", tmp_path / "r", "--allow-native-code")
    assert done.returncode != 0
    plain = tmp_path / "plain.pt2"  # AOTInductor's own package, which does not say what its outputs are
    program = torch.export.export(torch.nn.Conv2d(3, 2, 3), (torch.zeros(BATCH, 3, SIZE, SIZE),))
    torch._inductor.aoti_compile_and_package(program, package_path=str(plain))
    done = run("model", "inspect", plain, "--allow-native-code")
    assert done.returncode == 5 and "no layer table" in done.stderr, done.stderr
    with pytest.raises(ValueError, match="layer9"):
        cortiscore.compile(torchvision.models.resnet18(weights=None).eval(), tmp_path / "n.pt2", layers=["layer9"], input_size=SIZE)
    assert not pathlib.Path(tmp_path / "n.pt2").exists()


def test_model_export_writes_native_code(tmp_path):
    done = subprocess.run([sys.executable, "-m", "cortiscore.export_command", "torchvision:squeezenet1_1", "--native", "--layer", "features.3",
                           "--input-size", "64",
                           "-o", str(tmp_path / "s.pt2")], cwd=ROOT / "python", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    layers = run_json("model", "inspect", tmp_path / "s.pt2", "--allow-native-code")["layers"]
    assert [layer["name"] for layer in layers] == ["features.3"]


@pytest.mark.cuda("TorchScript and native code there")
@pytest.mark.parametrize("how", ["torchscript", "native"])
def test_programs_on_a_gpu(how, stimuli, tmp_path):
    model = random_network(torchvision.models.resnet18)
    if how == "torchscript":
        path, flag = save(torch.jit.script(model), tmp_path / "net.pt", **IMAGENET), "--allow-torchscript"
    else:
        path, flag = tmp_path / "net.pt2", "--allow-native-code"
        cortiscore.compile(model, path, layers=["layer2", "avgpool"], input_size=SIZE, device="cuda", **IMAGENET)
    expected = calls_of(model.cpu(), stimuli[1], N)
    for name, values in extract(path, stimuli[0], ["layer2", "avgpool"], tmp_path / "out", flag, "--device", "cuda").items():
        largest = np.abs(expected[name][0]).max()
        assert np.abs(values - expected[name][0]).max() < 1e-5 * largest  # ALGORITHMS.md 5a
