"""Networks as libraries and their users make them: activations equal eager PyTorch's to the bit, or one line says what to do."""
import csv
import dataclasses
import json
import sys

import numpy as np
import pytest
import torch
import torch.utils.checkpoint
import torchvision
import xarray as xr
from PIL import Image

from conftest import ROOT, extract, run, run_json
from hooks import randomise_statistics

sys.path.insert(0, str(ROOT / "python"))
from cortiscore import export

SIZE, N = 32, 20


@pytest.fixture(scope="module")
def stimuli(tmp_path_factory):
    """20 images as a stimulus set, and as the network sees them: the last micro-batch is padded."""
    return images_of(tmp_path_factory.mktemp("stimuli"), SIZE, N)


def images_of(folder, size, n):
    """(stimulus set, its images as a network sees them)"""
    random = np.random.default_rng(0)
    with open(folder / "s.csv", "w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["stimulus_id", "filename"])
        for i in range(n):
            small = random.integers(0, 256, (5, 5, 3), dtype=np.uint8)
            Image.fromarray(small).resize((size, size), Image.BICUBIC).save(folder / f"{i:02d}.png")
            writer.writerow([f"s{i:02d}", f"{i:02d}.png"])
    pixels = np.stack([np.asarray(Image.open(folder / f"{i:02d}.png")) for i in range(n)]).transpose(0, 3, 1, 2)
    return folder / "s.csv", torch.from_numpy(np.ascontiguousarray(pixels)).float() / 255


def batches(images, n):
    """In batches of n, the last one padded with repeats."""
    while len(images) % n:
        images = torch.cat([images, images[-1:]])
    return images.split(n)


def eager(model, images, modules, n=16, dtype=torch.float32):
    """{module: what a forward hook sees, batch by batch}: the user's own activations, of all the batches that the engine runs."""
    torch.set_num_threads(1)
    torch.backends.mha.set_fastpath_enabled(False)
    kept = {name: [] for name in modules}
    named = dict(model.named_modules())
    hooks = [named[name].register_forward_hook(lambda _m, _i, output, name=name: kept[name].append(output)) for name in modules]
    with torch.no_grad():
        for batch in batches(images, n):
            model(batch.to(dtype))
    for hook in hooks:
        hook.remove()
    return kept


def flat(outputs):
    return torch.cat([output.float().flatten(1) for output in outputs])[:N].numpy()


def tiny(seed=0, channels=6):
    torch.manual_seed(seed)
    net = torch.nn.Sequential()
    for name, module in [("conv1", torch.nn.Conv2d(3, channels, 5, stride=2, padding=2)), ("bn1", torch.nn.BatchNorm2d(channels)),
                         ("relu1", torch.nn.ReLU()), ("conv2", torch.nn.Conv2d(channels, channels, 3, stride=2, padding=1)),
                         ("pool", torch.nn.AdaptiveAvgPool2d(2)), ("flat", torch.nn.Flatten()), ("fc", torch.nn.Linear(channels * 4, 10))]:
        net.add_module(name, module)
    net.bn1.running_mean.normal_(std=0.1)
    net.bn1.running_var.uniform_(0.5, 1.5)
    return net.eval()


# ---- Batches ------------------------------------------------------------------------------------------------------------


def test_archives_for_a_fixed_batch_run_in_that_batch(stimuli, tmp_path):
    class OfOne(torch.nn.Module):
        """Its graph holds for one image alone, as a traced view does."""

        def __init__(self):
            super().__init__()
            self.inner = tiny()

        def forward(self, x):
            return self.inner.fc(self.inner.relu1(self.inner.conv1(x)).view(1, -1)[:, :24])

    model = tiny()
    dim = torch.export.Dim
    for path, network, n, shapes, batch in (("one", model, 1, None, "1"), ("eight", model, 8, None, "8"), ("view", OfOne().eval(), 1, None, "1"),
                                            ("few", model, 4, {0: dim("b", min=2, max=4)}, "2 to 4"), ("open", model, 16, {0: dim("b", max=64)}, "any")):
        example = torch.zeros(n if shapes is None else 2, 3, SIZE, SIZE)
        torch.export.save(torch.export.export(network, (example,), dynamic_shapes=shapes and (shapes,)), tmp_path / f"{path}.pt2")
        described = run_json("model", "inspect", tmp_path / f"{path}.pt2")
        assert described["micro_batch"] == n and (described["batch"] == batch or path == "open"), described["batch"]
        modules = ["inner.relu1", "inner.fc"] if path == "view" else ["conv2", "fc"]
        expected = eager(network, stimuli[1], modules, n)
        for name, values in extract(tmp_path / f"{path}.pt2", stimuli[0], modules, tmp_path / path).items():
            np.testing.assert_array_equal(values, flat(expected[name]), err_msg=f"{path} {name}")


# ---- Where stimuli are --------------------------------------------------------------------------------------------------


class Attention(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.qkv = torch.nn.Linear(width, 3 * width)

    def forward(self, x):  # [batch, tokens, width]
        q, k, v = self.qkv(x).chunk(3, -1)
        return torch.softmax(q @ k.transpose(1, 2), -1) @ v


class Windows(torch.nn.Module):
    """Attention within 2 x 2 windows of a channels-last map: its inside sees [batch * windows, 4, width]."""

    def __init__(self, width):
        super().__init__()
        self.attention = Attention(width)

    def forward(self, x):  # [batch, 4, 4, width]
        b, h, w, c = x.shape
        x = x.view(b, h // 2, 2, w // 2, 2, c).permute(0, 1, 3, 2, 4, 5).reshape(-1, 4, c)
        return self.attention(x).view(b, h // 2, w // 2, 2, 2, c).permute(0, 1, 3, 2, 4, 5).reshape(b, h, w, c)


class WindowsFirst(torch.nn.Module):
    """As windows, but all first windows of a batch come before all second ones."""

    def __init__(self, width):
        super().__init__()
        self.inside = torch.nn.Linear(width, width)

    def forward(self, x):  # [batch, 4, 4, width]
        return self.inside(x.transpose(0, 1).reshape(-1, 4, x.shape[-1])).mean()


class Phases(torch.nn.Module):
    def forward(self, x):
        return torch.view_as_complex(torch.stack([x, x.flip(-1)], -1))


class Nearest(torch.nn.Module):
    def forward(self, x):
        return x.argmax(-1)


class Bias(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.table = torch.nn.Parameter(torch.randn(1, 17))

    def forward(self):
        return self.table * 2


class Zoo(torch.nn.Module):
    """A transformer with a class token, whose layers lie in all the ways that libraries lay them."""

    def __init__(self, width=8):
        super().__init__()
        torch.manual_seed(3)
        self.patches = torch.nn.Conv2d(3, width, 8, stride=8)
        self.swin, self.first = Windows(width), WindowsFirst(width)
        self.cls_token = torch.nn.Parameter(torch.randn(1, 1, width))
        self.norm_patches = torch.nn.LayerNorm(width)
        self.blocks = torch.nn.ModuleList([Attention(width) for _ in range(2)])
        self.tokens_first = torch.nn.TransformerEncoderLayer(width, 2, 16, 0.0)
        self.last_patches = torch.nn.Identity()
        self.phases, self.nearest, self.bias = Phases(), Nearest(), Bias()
        self.head = torch.nn.Linear(width, 5)

    def forward(self, x):
        maps = self.patches(x)
        last = self.swin(maps.permute(0, 2, 3, 1))
        patches = self.norm_patches(last.flatten(1, 2) + self.first(last))
        x = torch.cat([self.cls_token.expand(x.shape[0], -1, -1), patches], 1)
        for block in self.blocks:
            x = x + block(x)
        x = self.tokens_first(x.transpose(0, 1)).transpose(0, 1)
        self.last_patches(x[:, 1:])
        bent = self.phases(x).abs() + self.nearest(x).unsqueeze(-1) + self.bias()[..., None]
        return self.head((x + bent)[:, 0])


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("zoo")
    model = Zoo().eval()
    export(model, folder / "zoo.pt2", input_size=SIZE)
    torch.export.save(torch.export.export(model, (torch.zeros(8, 3, SIZE, SIZE),), strict=False), folder / "eight.pt2")
    return folder, model


UNUSABLE = {"first.inside": "no axis along which features follow their stimuli", "first": "the same for every batch", "phases": "complex numbers",
            "nearest": "whole numbers", "bias": "the same for every batch"}


@pytest.mark.parametrize("archive, n", [("zoo", 16), ("eight", 8)])
def test_layers_are_laid_out_by_stimulus_wherever_the_batch_is(archive, n, zoo, stimuli, tmp_path):
    """Tokens first, windows, channels last: against every stimulus's own slice of what PyTorch gives; what has none is refused."""
    folder, model = zoo
    path = folder / f"{archive}.pt2"
    layers = {layer["name"]: layer for layer in run_json("model", "inspect", path)["layers"]}
    assert {name: found for name, layer in layers.items() if (found := layer.get("unusable"))}.keys() >= UNUSABLE.keys() - {"first", "bias"}
    there = ["patches", "swin", "swin.attention", "swin.attention.qkv", "norm_patches", "blocks.1", "tokens_first", "tokens_first.linear1", "head"]
    expected = eager(model, stimuli[1], there, n)
    found = extract(path, stimuli[0], there, tmp_path / "out")
    for name in there:
        outputs = expected[name]
        if name.startswith("tokens_first"):
            outputs = [output.transpose(0, 1) for output in outputs]
        if name.startswith("swin."):
            outputs = [output.view(n, 4, *output.shape[1:]) for output in outputs]
        np.testing.assert_array_equal(found[name], flat(outputs), err_msg=name)
        assert layers[name]["shape"] == list(outputs[0].shape[1:]), name
    for name in ("first.inside", "phases", "nearest"):
        done = run("extract", path, "--stimuli", stimuli[0], "--layer", name, "-o", tmp_path / "bad")
        assert done.returncode == 5 and UNUSABLE[name] in done.stderr and len(done.stderr.splitlines()) == 1, done.stderr


class Breaks(torch.nn.Module):
    """Windows before and after what cannot run, which nobody sees while it is traced: a place that is not there, or 6 GiB."""

    def __init__(self, how):
        super().__init__()
        self.patches = torch.nn.Conv2d(3, 8, 8, stride=8)
        self.before, self.after, self.how = Windows(8), Windows(8), how
        self.register_buffer("places", torch.tensor([0, 9]))

    def forward(self, x):
        x = self.before(self.patches(x).permute(0, 2, 3, 1))
        x = x + (x.index_select(1, self.places).sum() if self.how == "place" else torch.zeros(3 << 29).sum())
        return self.after(x)


def test_layers_before_a_breakdown_are_there_and_others_say_why(tmp_path):
    """Where windows are is seen in a run, while an archive is opened: what goes wrong in it is not the end of the others."""
    for how, words in (("place", "index_select"), ("memory", "6 GiB")):
        model = Breaks(how).eval()
        torch.export.save(torch.export.export(model, (torch.zeros(2, 3, SIZE, SIZE),), dynamic_shapes=({0: torch.export.Dim("b", max=64)},), strict=False),
                          tmp_path / f"{how}.pt2")
        layers = {layer["name"]: layer for layer in run_json("model", "inspect", tmp_path / f"{how}.pt2")["layers"]}
        assert words in layers["after.attention"]["unusable"] and "unusable" not in layers["before"], layers["after.attention"]


def test_a_layer_is_pooled_by_its_name(zoo, stimuli, tmp_path):
    folder, model = zoo
    expected = eager(model, stimuli[1], ["patches", "swin", "swin.attention", "blocks.0", "tokens_first"])
    pooled = {"patches:mean": [x.mean((2, 3)) for x in expected["patches"]], "swin:mean": [x.mean((1, 2)) for x in expected["swin"]],
              "swin.attention:mean": [x.view(16, 4, 4, -1).mean((1, 2)) for x in expected["swin.attention"]],
              "blocks.0:mean": [x.mean(1) for x in expected["blocks.0"]], "blocks.0:cls": [x[:, 0] for x in expected["blocks.0"]],
              "tokens_first:cls": [x[0] for x in expected["tokens_first"]], "tokens_first:mean": [x.mean(0) for x in expected["tokens_first"]]}
    for name, values in extract(folder / "zoo.pt2", stimuli[0], list(pooled), tmp_path / "out").items():
        same = np.testing.assert_array_equal if name.endswith("cls") else lambda a, b, **k: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6, **k)
        same(values, flat(pooled[name]), err_msg=name)
    for layer, words in (("patches:cls", "8 x 4 x 4"), ("norm_patches:cls", "without the class token"), ("last_patches:cls", "without the class token"),
                         ("head:mean", "features 5"), ("head:cls", "features 5")):
        done = run("extract", folder / "zoo.pt2", "--stimuli", stimuli[0], "--layer", layer, "-o", tmp_path / "bad")
        assert done.returncode == 5 and words in done.stderr and layer in done.stderr, done.stderr


@pytest.fixture(scope="module")
def benchmark(stimuli, tmp_path_factory):
    """Responses that are a map of the stimuli's pixels, with layer selection."""
    folder = tmp_path_factory.mktemp("benchmark")
    random = np.random.default_rng(4)
    pixels = stimuli[1].flatten(1).numpy()
    signal = (pixels - pixels.mean(0)) @ random.normal(size=(pixels.shape[1], 6))
    trials = signal / signal.std(0) + 0.4 * random.normal(size=(4, N, 6))
    xr.DataArray(trials.reshape(4 * N, 6), dims=["presentation", "neuroid"], name="data",
                 coords={"stimulus_id": ("presentation", [f"s{i:02d}" for i in range(N)] * 4), "repetition": ("presentation", np.repeat(range(4), N)),
                         "object": ("presentation", [f"o{i:02d}" for i in range(N)] * 4), "neuroid_id": ("neuroid", [f"n{i}" for i in range(6)])}).to_netcdf(
        folder / "responses.nc", engine="h5netcdf")
    manifest = {"schema_version": 1, "identifier": "Pixels2026.V4-ridge", "version": 1, "kind": "neural", "region": "V4", "parent": "V4",
                "visual_degrees": 8, "stimulus_set": str(stimuli[0]), "species": "macaque", "modality": "electrophysiology", "access": "public",
                "assemblies": [{"identifier": "pixels", "file": str(folder / "responses.nc")}], "metric": {"name": "ridge", "alpha": 1},
                "layer_selection": {"method": "alternating_halves", "by": "stimulus_id"}, "splits": {"kind": "shuffle", "n_splits": 3, "train_fraction": 0.6},
                "ceiling": {"name": "internal_consistency", "n_splits": 3, "seed": 1}, "citation": "simulated", "licence": "CC0-1.0"}
    (folder / "b.json").write_text(json.dumps(manifest))
    return folder / "b.json"


def test_a_layer_that_cannot_be_mapped_is_left_out_and_named(zoo, benchmark, stimuli, tmp_path):
    folder, model = zoo
    record = run_json("score", folder / "zoo.pt2", "-b", benchmark, "--from", "all", "--candidates", "40", "--results", tmp_path / "r")
    tried = record["layer_selection"]["candidates"]
    assert not set(UNUSABLE) & set(tried) and {"tokens_first", "swin.attention"} <= set(tried)
    [said] = [warning for warning in record["warnings"] if "not tried" in warning]
    assert said.startswith(f"{len(UNUSABLE)} layers") and all(f"{name} ({why}" in said for name, why in UNUSABLE.items()), said
    # A layer that is named says nothing of others; pooled, it is mapped as its activations are.
    named = run_json("score", folder / "zoo.pt2", "-b", benchmark, "--layer", "blocks.0:mean", "--results", tmp_path / "r")
    np.save(tmp_path / "mean.npy", flat([x.mean(1) for x in eager(model, stimuli[1], ["blocks.0"])["blocks.0"]]))
    theirs = run_json("score", tmp_path / "mean.npy", "-b", benchmark, "--results", tmp_path / "r")
    assert named["layer"] == "blocks.0:mean" and not [w for w in named["warnings"] if "not tried" in w]
    assert named["score"]["raw"] == pytest.approx(theirs["score"]["raw"], abs=1e-6)
    done = run("layers", folder / "zoo.pt2", "-b", benchmark, "--match", "blocks.*:cls", "-o", tmp_path / "map.json")
    assert done.returncode == 0 and "not tried" in done.stderr, done.stderr
    layer = json.loads((tmp_path / "map.json").read_text())["region_layer_map"]["V4"]
    assert layer in ("blocks.0:cls", "blocks.0.qkv:cls", "blocks.1:cls", "blocks.1.qkv:cls")


# ---- Modules of all kinds -----------------------------------------------------------------------------------------------


class Checkpointed(torch.nn.Module):
    def __init__(self, reentrant):
        super().__init__()
        self.net, self.reentrant = tiny(), reentrant

    def forward(self, x):
        return torch.utils.checkpoint.checkpoint(self.net, x, use_reentrant=self.reentrant)


def parametrised(parametrisation):
    model = tiny()
    parametrisation(model.conv2)
    return model.eval()


def strided():
    model = tiny()
    model.fc.weight = torch.nn.Parameter(model.fc.weight.detach().t().contiguous().t())
    return model


def tied():
    model = tiny()
    model.add_module("fc2", torch.nn.Linear(10, 10))
    model.add_module("fc3", torch.nn.Linear(10, 10))
    model.fc3.weight = model.fc2.weight
    return model.eval()


KINDS = {"half": lambda: tiny().half(), "bfloat16": lambda: tiny().bfloat16(), "double": lambda: tiny().double(),
         "channels last": lambda: tiny().to(memory_format=torch.channels_last), "strided": strided, "tied": tied,
         "data parallel": lambda: torch.nn.DataParallel(tiny()), "compiled": lambda: torch.compile(tiny()),
         "compiled inside": lambda: torch.nn.Sequential(torch.compile(tiny())).eval(), "checkpointed": lambda: Checkpointed(False).eval(),
         "checkpointed, reentrant": lambda: Checkpointed(True).eval(),
         "synchronised norms": lambda: torch.nn.SyncBatchNorm.convert_sync_batchnorm(tiny()).eval(),
         "weight norm": lambda: parametrised(torch.nn.utils.parametrizations.weight_norm),
         "spectral norm": lambda: parametrised(torch.nn.utils.parametrizations.spectral_norm)}


def test_modules_of_all_kinds_are_exported_as_they_compute(stimuli, tmp_path):
    for kind, make in KINDS.items():
        made = make()
        before = {name: value.clone() for name, value in made.state_dict().items()}
        export(made, tmp_path / "net.pt2", input_size=SIZE)
        assert all(torch.equal(value, before[name]) for name, value in made.state_dict().items()), kind
        model = getattr(made, "_orig_mod", getattr(made, "module", made))
        theirs = next(name for name, _ in model.named_modules() if name.split(".")[-1] == "conv2")
        name = theirs.replace("_orig_mod.", "")
        dtype = next(model.parameters()).dtype
        with torch.compiler.set_stance("force_eager"):
            expected = flat(eager(model, stimuli[1], [theirs], dtype=dtype)[theirs])
        found = extract(tmp_path / "net.pt2", stimuli[0], [name], tmp_path / "out")[name]
        np.testing.assert_array_equal(found, expected, err_msg=kind)


def test_a_network_that_the_engine_would_refuse_is_refused_as_it_is_written(tmp_path):
    (tmp_path / "net.py").write_text("""import torch
class Fourier(torch.nn.Module):
    def forward(self, x):
        return torch.fft.rfft2(x).abs().flatten(1)
def build():
    return torch.nn.Sequential(Fourier()).eval(), {"input_size": 16}
""")
    done = run("model", "export", f"{tmp_path}/net.py:build", "-o", tmp_path / "net.pt2")
    assert done.returncode == 5 and "fft_rfft2" in done.stderr and "net.py:build" in done.stderr and "does not run" in done.stderr, done.stderr
    assert not list(tmp_path.glob("*.pt2")) and len(done.stderr.splitlines()) == 1


def test_the_users_module_is_left_as_it_was(tmp_path):
    model = tiny()
    model.register_buffer("seen", torch.zeros(()))
    model.register_forward_pre_hook(lambda module, _: (module.seen.add_(1), None)[1])
    model.bn1.train()
    model.conv1.weight.requires_grad_(False)
    calls = []
    model.conv2.register_forward_hook(lambda *_: calls.append(1))
    look = lambda: ([(n, m.training, list(m._forward_hooks), list(m._forward_pre_hooks)) for n, m in model.named_modules()],
                    [(n, p.requires_grad, p.data_ptr()) for n, p in model.named_parameters()], [(n, id(b), b.tolist()) for n, b in model.named_buffers()])
    before = look()
    with pytest.warns(UserWarning, match="in training mode: bn1"):
        export(model, tmp_path / "net.pt2", input_size=SIZE)
    assert look() == before
    with pytest.raises(ValueError, match="training mode"):
        export(model.train(), tmp_path / "net.pt2", input_size=SIZE)


def test_every_tensor_that_a_module_returns_is_a_layer(stimuli, tmp_path):
    @dataclasses.dataclass
    class Out:
        hidden: torch.Tensor
        pooled: tuple
        nothing: None = None

    class Inner(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.hidden = torch.nn.Conv2d(3, 4, 8, stride=8)  # a submodule by the name of an entry

        def forward(self, x):
            x = self.hidden(x)
            return Out(torch.relu(x), (x.mean((2, 3)), x.amax((2, 3))))

    class Outer(torch.nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(5)
            self.inner, self.fc = Inner(), torch.nn.Linear(4, 3)

        def forward(self, x):
            out = self.inner(x)
            return {"logits": self.fc(out.pooled[0]), "a b": out.pooled[1]}

    model = Outer().eval()
    export(model, tmp_path / "net.pt2", input_size=SIZE)
    names = [layer["name"] for layer in run_json("model", "inspect", tmp_path / "net.pt2")["layers"]]
    assert names == ["inner.hidden", "inner", "inner#hidden", "inner#pooled.0", "inner#pooled.1", "fc", "output#logits", "output#a_b"]
    found = extract(tmp_path / "net.pt2", stimuli[0], names, tmp_path / "out")
    seen = eager(model, stimuli[1], ["inner", "fc"])
    hidden = [out.hidden for out in seen["inner"]]
    for name, values in {"inner": hidden, "inner#hidden": hidden, "inner#pooled.0": [out.pooled[0] for out in seen["inner"]], "fc": seen["fc"],
                         "inner#pooled.1": [out.pooled[1] for out in seen["inner"]], "output#logits": seen["fc"],
                         "output#a_b": [out.pooled[1] for out in seen["inner"]]}.items():
        np.testing.assert_array_equal(found[name], flat(values), err_msg=name)


class TwoInputs(torch.nn.Module):
    def forward(self, image, text):
        return image + text


class Draws(torch.nn.Module):
    def forward(self, x):
        return torch.nn.functional.dropout(x)


class Branches(torch.nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


class OfTwo(torch.nn.Module):
    def forward(self, x):
        return x.reshape(2, -1)


def test_what_cannot_be_exported_is_said_in_one_line(tmp_path, capfd):
    wrap = lambda module: torch.nn.Sequential(torch.nn.Conv2d(3, 3, 1), module).eval()
    quantised = torch.ao.quantization.quantize_dynamic(tiny(), {torch.nn.Linear}, dtype=torch.qint8)
    for model, words in ((TwoInputs().eval(), ["image and text", "images alone"]), (wrap(Draws()), ["module 1", "random numbers"]),
                         (wrap(Branches()), ["module 1", "data-dependent"]), (wrap(OfTwo()), ["any number of images"]),
                         (quantised, ["module fc", "quantised", "before quantisation"]),
                         (torch.nn.Sequential(torch.nn.BatchNorm2d(3, track_running_stats=False)).eval(), ["module 0", "running statistics"]),
                         (torchvision.models.vit_b_32().eval(), ["32 x 32 pixels", "Wrong image height", "input_size"])):
        with pytest.raises(ValueError) as caught:
            export(model, tmp_path / "net.pt2", input_size=SIZE)
        assert all(word in str(caught.value) for word in words) and "\n" not in str(caught.value), caught.value
    assert not capfd.readouterr().err and not list(tmp_path.iterdir())


# ---- By name ------------------------------------------------------------------------------------------------------------


def verb(*arguments):
    return run("model", "export", *arguments, env={"CORTISCORE_PYTHON": sys.executable, "HF_HUB_OFFLINE": "1"})


def one_line(done, code, *words):
    lines = [line for line in done.stderr.splitlines() if line.startswith("cortiscore: ")]
    assert done.returncode == code and len(lines) == 1 and "Traceback" not in done.stderr, done.stderr
    assert all(word in lines[0] for word in words), lines[0]


def test_names_files_and_sizes_that_are_wrong(tmp_path):
    (tmp_path / "own.py").write_text("import torch\ndef tiny(): return torch.nn.Flatten()\ndef broken(): return 1 / 0\n")
    one_line(verb("torchvision:resnet81"), 4, "torchvision:resnet18")
    one_line(verb("resnet18"), 4, "torchvision:resnet18")
    one_line(verb("torchvision:resnet18", "--weights", tmp_path / "none.pth"), 5, "none.pth")
    one_line(verb("torchvision:vit_b_32", "--input-size", "384", "-o", tmp_path / "v.pt2"), 5, "384", "--input-size")
    one_line(verb(f"{tmp_path}/own.py:tyni"), 4, "tiny")
    one_line(verb(f"{tmp_path}/own.py:broken"), 5, "ZeroDivisionError", "line 3")
    one_line(verb(f"{tmp_path}/none.py:tiny"), 5, "no such file")
    assert not list(tmp_path.glob("*.pt2"))


def test_weights_bring_what_the_library_gives_to_them(stimuli, tmp_path):
    """GoogLeNet changes its input where torchvision's builder has weights; the number of classes is the file's."""
    torch.manual_seed(0)
    model = torchvision.models.googlenet(weights=None, init_weights=False, num_classes=7, aux_logits=False, transform_input=True).eval()
    torch.save({"state_dict": {"module." + name: value for name, value in model.state_dict().items()}}, tmp_path / "own.pth")
    done = verb("torchvision:googlenet", "--weights", tmp_path / "own.pth", "-o", tmp_path / "net.pt2", "--input-size", SIZE)
    assert done.returncode == 0 and "7 classes" in done.stderr and "transform_input" in done.stderr, done.stderr
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    expected = eager(model, (stimuli[1] - mean) / std, ["conv1.conv", "fc"])
    found = extract(tmp_path / "net.pt2", stimuli[0], ["conv1.conv", "fc"], tmp_path / "out")
    for name, values in found.items():
        np.testing.assert_array_equal(values, flat(expected[name]), err_msg=name)


def test_heads_of_training_alone_are_no_objection(tmp_path):
    """Inception's and GoogLeNet's weights have auxiliary heads, which a forward pass in eval mode does not run."""
    for name, size in (("inception_v3", 96), ("googlenet", SIZE)):
        torch.manual_seed(0)
        model = getattr(torchvision.models, name)(weights=None, init_weights=False, aux_logits=True, num_classes=5).eval()
        randomise_statistics(model)
        torch.save(model.state_dict(), tmp_path / f"{name}.pth")
        done = verb(f"torchvision:{name}", "--weights", tmp_path / f"{name}.pth", "-o", tmp_path / f"{name}.pt2", "--input-size", size)
        assert done.returncode == 0 and "5 classes" in done.stderr, done.stderr
        folder = tmp_path / name
        folder.mkdir()
        images = images_of(folder, size, 2)
        mean, std = (torch.tensor(values).view(3, 1, 1) for values in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
        model.transform_input = True  # as the builder has it with weights
        expected = eager(model, (images[1] - mean) / std, ["fc"])
        found = extract(tmp_path / f"{name}.pt2", images[0], ["fc"], folder / "out")
        np.testing.assert_array_equal(found["fc"], flat(expected["fc"])[:2], err_msg=name)
        assert not np.array_equal(*found["fc"]), "the test is of images that differ"


def test_timm_by_name(stimuli, tmp_path):
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    model = timm.create_model("vit_tiny_patch16_224", img_size=SIZE, num_classes=4).eval()
    torch.save(model.state_dict(), tmp_path / "own.pth")
    done = verb("timm:vit_tiny_patch16_224", "--weights", tmp_path / "own.pth", "-o", tmp_path / "net.pt2", "--input-size", SIZE)
    assert done.returncode == 0 and "4 classes" in done.stderr and "data_config" in done.stderr, done.stderr
    expected = eager(model, (stimuli[1] - 0.5) / 0.5, ["blocks.3", "head"])
    found = extract(tmp_path / "net.pt2", stimuli[0], ["blocks.3", "blocks.3:cls", "head"], tmp_path / "out")
    for name, values in {"blocks.3": expected["blocks.3"], "blocks.3:cls": [x[:, 0] for x in expected["blocks.3"]], "head": expected["head"]}.items():
        np.testing.assert_array_equal(found[name], flat(values), err_msg=name)
    one_line(verb("timm:vit_tny_patch16_224"), 4, "timm:vit_tiny_patch16_224")


def test_a_folder_of_hugging_face(stimuli, tmp_path):
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    size = dict(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, image_size=SIZE, patch_size=8)
    model = transformers.ViTForImageClassification(transformers.ViTConfig(**size)).eval()
    folder = tmp_path / "vit"
    model.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps({"image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.3, 0.4],
                                                                 "size": {"height": SIZE, "width": SIZE},
                                                                 "do_normalize": True, "do_rescale": True, "do_resize": True, "rescale_factor": 1 / 255}))
    done = verb(f"hf:{folder}", "-o", tmp_path / "net.pt2")
    assert done.returncode == 0, done.stderr
    described = run_json("model", "inspect", tmp_path / "net.pt2")
    assert described["mean"] == [0.4, 0.5, 0.6] and described["std"] == [0.2, 0.3, 0.4] and described["input_size"] == SIZE
    images = (stimuli[1] - torch.tensor(described["mean"]).view(3, 1, 1)) / torch.tensor(described["std"]).view(3, 1, 1)
    expected = eager(model, images, ["vit.layernorm", "classifier"])
    found = extract(tmp_path / "net.pt2", stimuli[0], ["vit.layernorm", "vit.layernorm:cls", "classifier"], tmp_path / "out")
    for name, values in {"vit.layernorm": expected["vit.layernorm"], "classifier": expected["classifier"],
                         "vit.layernorm:cls": [x[:, 0] for x in expected["vit.layernorm"]]}.items():
        np.testing.assert_array_equal(found[name], flat(values), err_msg=name)
    # Parts without weights would be random, and score all the same.
    config = json.loads((folder / "config.json").read_text())
    config["architectures"] = ["ViTModel"]
    (folder / "config.json").write_text(json.dumps(config))
    one_line(verb(f"hf:{folder}", "-o", tmp_path / "other.pt2"), 5, "no weights for", "pooler")
    one_line(verb(f"hf:{tmp_path}/none/x/y"), 5, "no such folder")


def test_what_a_processor_of_hugging_face_does_to_pixels_is_done_or_refused(tmp_path, capsys):
    transformers = pytest.importorskip("transformers")
    from cortiscore import sources
    from cortiscore.recordings import BadInput

    size = dict(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, image_size=SIZE, patch_size=8)
    folder = tmp_path / "vit"
    transformers.ViTForImageClassification(transformers.ViTConfig(**size)).save_pretrained(folder)
    square = {"height": SIZE, "width": SIZE}
    pixels = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    kinds = [transformers.EfficientNetImageProcessor(size=square, **options)
             for options in ({}, {"include_top": False}, {"rescale_offset": True, "rescale_factor": 1 / 127.5}, {"do_normalize": False},
                             {"do_normalize": False, "include_top": False, "rescale_offset": True}, {"do_rescale": False, "include_top": False})]
    kinds += [transformers.ViTImageProcessor(size=square), transformers.ViTImageProcessor(size=square, do_rescale=False, do_normalize=False),
              transformers.CLIPImageProcessor(size={"shortest_edge": SIZE}, crop_size=square)]
    for kind in kinds:
        kind.save_pretrained(folder)
        _, options = sources.build(f"hf:{folder}")
        assert options["input_size"] == SIZE
        assert ("values in 0..1 as they are, not normalised" in capsys.readouterr().err) == ("mean" not in options)
        mean, std = np.array(options.get("mean", [0] * 3)), np.array(options.get("std", [1] * 3))
        right = np.asarray(kind(images=Image.fromarray(pixels), return_tensors="np")["pixel_values"][0]).transpose(1, 2, 0)
        np.testing.assert_allclose((pixels / 255 - mean) / std, right, rtol=1e-4, atol=1e-4, err_msg=str(kind))

    def refused(*words):
        with pytest.raises(BadInput) as said:
            sources.build(f"hf:{folder}")
        assert all(word in str(said.value) for word in words) and "\n" not in str(said.value), said.value

    transformers.MobileViTImageProcessor(size=square, crop_size=square).save_pretrained(folder)
    refused("do_flip_channel_order", "x.flip(1)")
    transformers.ViTImageProcessor(size={"height": SIZE, "width": SIZE // 2}).save_pretrained(folder)
    refused("32 x 16", "as high as wide")
    (folder / "preprocessor_config.json").write_text(json.dumps({"size": square, "image_mean": [0.5], "image_std": [0.5]}))
    refused("1 channels", "RGB")
    (folder / "preprocessor_config.json").unlink()
    refused("no preprocessor_config.json", "--mean, --std")
    _, options = sources.build(f"hf:{folder}", asked={"mean": [0.0] * 3, "std": [1.0] * 3})
    assert options == {"input_size": SIZE}
    capsys.readouterr()
    # Code that comes with a network is neither run nor asked about.
    (folder / "own.py").write_text("raise SystemExit('this ran')")
    config = json.loads((folder / "config.json").read_text())
    for changes in ({"architectures": ["OwnViT"]}, {"model_type": "own", "architectures": ["OwnViT"], "auto_map": {"AutoConfig": "own.Config"}}):
        (folder / "config.json").write_text(json.dumps(config | changes))
        refused("FILE.py:FUNCTION")
    assert "[y/N]" not in capsys.readouterr().out


def test_what_a_file_does_not_say_of_its_images_is_said(tmp_path, capsys):
    from cortiscore import sources

    path = tmp_path / "net.py"
    path.write_text("import torch\nnet = torch.nn.Sequential(torch.nn.Flatten()).eval()\ndef sized(): return net, {'input_size': 8}\ndef bare(): return net\n")
    for name, asked, words in (("bare", {}, "input_size 224, values in 0..1 as they are, not normalised"),
                               ("net", {"input_size": 9}, "images are prepared: values in"),
                               ("bare", {"mean": [0.0] * 3}, "images are prepared: input_size 224. Return")):
        sources.build(f"{path}:{name}", asked=asked)
        assert words in capsys.readouterr().err, name
    for name, asked in (("sized", {}), ("bare", {"input_size": 9, "mean": [0.0] * 3})):
        sources.build(f"{path}:{name}", asked=asked)
        assert not capsys.readouterr().err
