"""Torch modules as they stand in memory: the scores of their exported archives to the bit, and the modules left as they were."""
import copy
import json
import os
import random
import signal
import subprocess
import sys
import threading
import weakref

import numpy as np
import pytest
import timm
import torch
import torchvision
from torch import nn

from conftest import BINARY, ROOT
from hooks import randomise_statistics
from test_recurrent import AreaS

os.environ.setdefault("CORTISCORE_MODULE_DIR", str(BINARY.parent / "python"))
sys.path.insert(0, str(ROOT / "python"))
import cortiscore
from cortiscore import live

V4 = "Simulated2026.V4-pls"
INPUT = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
OF_THE_RUN = ("key", "timing_ms", "peak_bytes", "start", "end", "graph_sha256", "weights_sha256", "model_identifier")


@pytest.fixture
def cortex(home, monkeypatch):
    """The simulated cortex, for scores in this process."""
    monkeypatch.setenv("CORTISCORE_HOME", str(home))
    return home


def same(one, other):
    """Records of the same scores: all but clocks, memory and what names a file."""
    assert one.keys() == other.keys()
    for key in one.keys() - set(OF_THE_RUN) - {"network"}:
        assert one[key] == other[key], key
    assert one["network"]["parameters"] == other["network"]["parameters"]  # the depth is known of a graph, not of a module


class Recurrent(nn.Module):
    """An area that changes a stride of its own on its way: two threads in one copy of it would be wrong."""

    def __init__(self):
        super().__init__()
        self.stem, self.area, self.pool = nn.Conv2d(3, 8, 5, 2), AreaS(8, 12, 2), nn.AdaptiveAvgPool2d(3)

    def forward(self, x):
        return self.pool(self.area(self.stem(x))).flatten(1)


class Several(nn.Module):
    """Gives a dict of a tuple and a tensor, and writes into what a module gave."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.act, self.drop = nn.Conv2d(3, 32, 3, 2), nn.BatchNorm2d(32), nn.ReLU(inplace=True), nn.Dropout(0.5)
        self.same, self.head = nn.Identity(), nn.Linear(32, 30)

    def forward(self, images):
        x = self.same(self.drop(self.act(self.norm(self.conv(images)))))
        return {"maps": (x, x.mean((2, 3))), "logits": self.head(x.mean((2, 3)))}


def network(name):
    torch.manual_seed(7)
    made = {"recurrent": Recurrent, "several": Several,
            "resnet18": lambda: torchvision.models.resnet18(weights=None),
            "mobilenet": lambda: torchvision.models.mobilenet_v3_small(weights=None),
            "vit": lambda: timm.create_model("vit_tiny_patch16_224", img_size=64, patch_size=16),
            "swin": lambda: timm.create_model("swin_tiny_patch4_window7_224", img_size=56, depths=(1, 1, 1, 1), embed_dim=24)}[name]()
    return randomise_statistics(made)


SIZES = {"swin": 56}


@pytest.mark.parametrize("name", ["recurrent", "several", "resnet18", "mobilenet", "vit", "swin"])
def test_a_module_scores_as_its_archive_to_the_bit(cortex, tmp_path, name):
    """Where layers compete, too: the same table of layers, with the same values shared among them."""
    model, given = network(name), {**INPUT, "input_size": SIZES.get(name, 64)}
    written = cortiscore.export(model.eval(), tmp_path / "net.pt2", **given)
    model.train()
    _, table = live.table_of(model, **given)
    assert list(table.places) == [layer["name"] for layer in written["layers"]]
    found = json.loads(table.json("net"))["layers"]
    classes = lambda layers: [[layer["value"] == other["value"] for other in layers] for layer in layers]
    assert classes(found) == classes(written["layers"])
    options = {"candidates": 4, "bootstrap": 50}
    same(cortiscore.score(model, V4, identifier="net", **given, **options)[0], cortiscore.score(tmp_path / "net.pt2", V4, **options)[0])
    assert model.training


def test_calls_entries_windows_and_pools(cortex, tmp_path):
    bins = {"area": [[0, 100]], "area.output": [[50, 100], [100, 200]]}
    recurrent, several = network("recurrent").eval(), network("several").eval()
    cortiscore.export(recurrent, tmp_path / "r.pt2", input_size=64, time_bins_ms=bins)
    cortiscore.export(several, tmp_path / "s.pt2", input_size=64)
    for model, path, more, layers in ((recurrent, "r.pt2", {"time_bins_ms": bins}, ["area.output@0", "area.output@60-150", "area.nonlin@3"]),
                                      (several, "s.pt2", {}, ["output#maps.1", "output#logits", "act:mean", "norm"])):
        for layer in layers:
            one, other = (cortiscore.score(network, V4, layers=layer, bootstrap=1, **named)[0]
                          for network, named in ((model, {"input_size": 64, **more}), (tmp_path / path, {})))
            assert one["score"] == other["score"] and one["layer"] == other["layer"], layer


def wrapped(model, how, folder):
    if how == "ddp":
        torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/group", rank=0, world_size=1)
        return nn.parallel.DistributedDataParallel(model)
    if how == "blocks compiled":
        model.layer2 = torch.compile(model.layer2)
        return model
    if how == "compiled in place":
        model.compile()
        return model
    if how == "channels last":
        return model.to(memory_format=torch.channels_last)
    return {"compiled": torch.compile, "averaged": torch.optim.swa_utils.AveragedModel}[how](model)


@pytest.mark.parametrize("how", ["ddp", "compiled", "blocks compiled", "compiled in place", "averaged", "channels last"])
def test_what_is_around_a_network_changes_nothing(cortex, tmp_path, how):
    model = network("resnet18").eval()
    plain = cortiscore.score(model, V4, layers="layer3", input_size=64, **INPUT)[0]
    try:
        found = cortiscore.score(wrapped(model, how, tmp_path), V4, layers="layer3", input_size=64, **INPUT)[0]
    finally:
        if how == "ddp":
            torch.distributed.destroy_process_group()
    # Convolutions on another order of axes sum in another order: float32 activations of a net of random weights.
    assert found["score"]["raw"] == (pytest.approx(plain["score"]["raw"], abs=1e-4) if how == "channels last" else plain["score"]["raw"])
    assert found["layer"] == "layer3"


def test_half_precision_weights_equal_their_archive(cortex, tmp_path):
    model = network("resnet18").eval().to(torch.bfloat16)
    cortiscore.export(model, tmp_path / "half.pt2", input_size=64)
    found = cortiscore.score(model, V4, layers="layer2", input_size=64)[0]
    assert found["score"] == cortiscore.score(tmp_path / "half.pt2", V4, layers="layer2")[0]["score"]


def test_weights_that_hooks_make(cortex):
    """weight_norm's hook leaves a tensor that copy.deepcopy refuses; parametrizations make a class of their own."""
    torch.manual_seed(3)
    plain = nn.Sequential(nn.Conv2d(3, 8, 5, 2), nn.ReLU(), nn.Conv2d(8, 8, 3, 2))
    hooked, parametrized = copy.deepcopy(plain), copy.deepcopy(plain)
    nn.utils.weight_norm(hooked[2])
    nn.utils.parametrizations.weight_norm(parametrized[2])
    hooked(torch.zeros(1, 3, 32, 32)).sum().backward()  # the weight is part of a graph then
    scores = [cortiscore.score(m, V4, layers="2", input_size=64)[0]["score"]["raw"] for m in (plain, hooked, parametrized)]
    np.testing.assert_allclose(scores, scores[0], atol=1e-5)  # g * v / |v| is the weight to float32's rounding


def state_of(model):
    """All that scoring may not change: of the module, and of the process."""
    return {
        "modes": [module.training for module in model.modules()],
        "tensors": {name: (tensor.data_ptr(), tensor._version, tensor.requires_grad, tensor.detach().clone())
                    for name, tensor in [*model.named_parameters(), *model.named_buffers()]},
        "gradients": [None if p.grad is None else p.grad.clone() for p in model.parameters()],
        "hooks": [(len(m._forward_hooks), len(m._forward_pre_hooks), len(m._backward_hooks)) for m in model.modules()],
        "names": [sorted(vars(m)) for m in model.modules()],
        "draws": (torch.get_rng_state(), repr(random.getstate()), repr(np.random.get_state()), torch.default_generator.initial_seed()),
        "modes of torch": (torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.is_autocast_enabled("cpu"),
                           torch.get_autocast_dtype("cpu"), torch.is_autocast_cache_enabled(), torch.get_num_threads(),
                           torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic,
                           torch.get_float32_matmul_precision(), torch.get_default_dtype(), signal.getsignal(signal.SIGINT),
                           signal.getsignal(signal.SIGTERM)),
    }


def assert_same_state(before, after):
    for key, value in before.items():
        if key == "tensors":
            assert value.keys() == after[key].keys()
            for name, (pointer, version, wants, values) in value.items():
                assert after[key][name][:3] == (pointer, version, wants), name
                assert torch.equal(after[key][name][3], values), name
        else:
            assert repr(value) == repr(after[key]), key


class Fails(nn.Module):
    def __init__(self, after):
        super().__init__()
        self.left = [after]  # shared among copies

    def forward(self, x):
        if not x.shape[0] == 2:
            self.left[0] -= 1
            if self.left[0] < 0:
                raise FloatingPointError("of the network's own")
        return x

    def __deepcopy__(self, memo):
        twin = Fails(0)
        twin.left = self.left
        return twin


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("copies", [True, False])
def test_the_module_and_the_process_are_left_alone(cortex, fails, copies):
    model = nn.Sequential(nn.Conv2d(3, 6, 5, 2), nn.BatchNorm2d(6), nn.ReLU(True), nn.Dropout(0.5), nn.Conv2d(6, 6, 3),
                          Fails(3 if fails else 10**6), nn.Flatten(), nn.LazyLinear(40))
    model.train()
    model[4].eval()  # a frozen part
    model[0].weight.requires_grad_(False)
    model(torch.randn(4, 3, 64, 64)).sum().backward()
    if not copies:
        model[2].lock = threading.Lock()
    seen = []
    model[1].register_forward_hook(lambda *_: seen.append(1))
    before = state_of(model)
    with torch.autocast("cpu", torch.bfloat16):
        inside = torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")
        if fails:
            with pytest.raises(FloatingPointError, match="of the network's own"):
                cortiscore.score(model, V4, layers="7", input_size=64)
        else:
            record = cortiscore.score(model, V4, layers="4", input_size=64)[0]
            assert record["precision"]["activations"] == "float32" and record["status"] == "ok"
        assert inside == (torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu"))
    assert_same_state(before, state_of(model))
    assert seen  # hooks of a user's are a part of the network, and run


def test_a_module_that_cannot_be_copied_scores_the_same(cortex):
    model = network("recurrent").eval()
    expected = cortiscore.score(model, V4, layers="pool", input_size=64)[0]["score"]
    model.stem.lock = threading.Lock()
    with pytest.raises(TypeError):
        copy.deepcopy(model)
    assert cortiscore.score(model, V4, layers="pool", input_size=64)[0]["score"] == expected


def test_layers_and_pixels_that_are_not_given(cortex):
    model = network("several").eval()
    with pytest.raises(ValueError, match="input_size: found nothing"):
        cortiscore.score(model, V4)
    with pytest.raises(cortiscore.Error, match="convv.*conv"):
        cortiscore.score(model, V4, layers="convv", input_size=64)
    with pytest.raises(ValueError, match="found cuda.*expected cpu"):
        cortiscore.score(model, V4, layers="conv", input_size=64, device="cuda")
    with pytest.raises(ValueError, match="forward pass on images"):
        cortiscore.score(nn.Linear(3, 2), V4, layers="x", input_size=64)


class Draws(nn.Module):
    def forward(self, x):
        return nn.functional.dropout(x, 0.5, training=True)


def test_a_network_that_draws_is_refused(cortex):
    model, before = nn.Sequential(nn.Conv2d(3, 4, 5), Draws()), torch.get_rng_state()
    with pytest.raises(ValueError, match="random numbers even in eval mode"):
        cortiscore.score(model, V4, layers="1", input_size=64)
    assert torch.equal(before, torch.get_rng_state())


class Scaled(nn.Module):
    def __init__(self, power):
        super().__init__()
        self.conv, self.power = nn.Conv2d(3, 4, 5, 2), power

    def forward(self, x):
        return self.conv(x).abs() ** self.power


class Last(nn.Module):
    def __init__(self, power):
        super().__init__()
        self.inner, self.flat = Scaled(power), nn.Flatten()

    def forward(self, x):
        return self.flat(self.inner(x))


def test_stored_scores_are_of_what_the_modules_compute(cortex, tmp_path):
    """Weights and names alone do not say what a network is: another function of them is another key."""
    torch.manual_seed(1)
    one = Last(1.0)
    two = Last(2.0)
    two.load_state_dict(one.state_dict())
    score = lambda model: cortiscore.score(model, V4, layers="flat", input_size=48, results=tmp_path / "store", bootstrap=10)[0]
    first, again, other = score(one), score(copy.deepcopy(one)), score(two)
    assert first["key"] == again["key"] and first["end"] == again["end"]  # it was stored
    assert other["key"] != first["key"] and other["score"]["raw"] != first["score"]["raw"]
    assert other["weights_sha256"] == first["weights_sha256"]


def test_a_signal_stops_scoring_as_it_stops_python(cortex):
    """In passes and in fits: the engine looks where it may stop."""
    script = """
import os, signal, sys, threading, torch, cortiscore
class Slow(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.passes = torch.nn.Conv2d(3, 8, 5, 2), [0]
    def forward(self, x):
        self.passes[0] += 1
        if self.passes[0] == 6: os.kill(os.getpid(), signal.SIGINT)
        return self.conv(x)
model = torch.nn.Sequential(Slow(), torch.nn.Flatten())
try:
    cortiscore.score(model, ["Simulated2026.V4-pls"] * 50, layers="1", input_size=64, again=True)
except KeyboardInterrupt:
    print("interrupted after", model[0].passes[0])
print(cortiscore.score(torch.nn.Sequential(torch.nn.Conv2d(3, 4, 5, 4)), "Simulated2026.V4-pls", layers="0", input_size=64)[0]["status"])
"""
    done = subprocess.run([sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": str(ROOT / "python")}, capture_output=True, text=True,
                          timeout=120, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
    assert done.stdout.split("\n")[1] == "ok", done.stderr
    assert done.stdout.startswith("interrupted after"), done


def test_records_of_modules_are_of_the_schema(cortex):
    from conftest import validator
    record = cortiscore.score(network("several"), ["Simulated2026.IT-pls"], layers="norm", input_size=64)[0]
    validator("record")(record)
    assert record["model_identifier"] == "Several" and record["preprocessing"]["size"] == 64


class Catches(nn.Module):
    """A forward that goes on whatever happens in it."""

    def __init__(self):
        super().__init__()
        self.conv, self.flat = nn.Conv2d(3, 4, 5, 4), nn.Flatten()

    def forward(self, x):
        try:
            return self.flat(self.conv(x))
        except Exception:
            return x.new_zeros(len(x), 3)


def test_what_the_engine_finds_is_said_through_a_forward_that_catches_all(cortex, tmp_path):
    """Here a layer that gives another shape than at first, which the engine refuses in the middle of the pass."""

    class Changes(nn.Module):
        def forward(self, x):
            return x if len(x) == 2 else x[:3]

    model = Catches()
    model.conv = nn.Sequential(nn.Conv2d(3, 4, 5, 4), Changes())
    with pytest.raises(cortiscore.Error, match="layer conv.1: found an output 3 x 4"):
        cortiscore.score(model, V4, layers="conv.1", input_size=64)


def test_arguments_that_are_not_read_are_refused(cortex, tmp_path):
    model = network("several").eval()
    cortiscore.export(model, tmp_path / "net.pt2", input_size=64)
    with pytest.raises(ValueError, match="input_size: found 64, expected nothing"):
        cortiscore.score(tmp_path / "net.pt2", V4, layers="conv", input_size=64)
    with pytest.raises(ValueError, match="allow_torchscript: found True, expected nothing"):
        cortiscore.score(model, V4, layers="conv", input_size=64, allow_torchscript=True)


class Block(nn.Module):
    """With its parts in reach by more than attributes, as people write them."""

    everywhere = []

    def __init__(self, how):
        super().__init__()
        self.conv, self.norm, self.flat = nn.Conv2d(3, 8, 5, 4), nn.BatchNorm2d(8), nn.Flatten()
        self.how = how
        if how == "a function":
            self.act = lambda x: nn.functional.relu(self.norm(x))
        elif how == "a function of a forward":
            self.act = lambda x: nn.functional.relu(self.norm.forward(x))
        elif how == "a weak reference":
            self.seen = weakref.ref(self.norm)
        elif how == "a list that all share":
            Block.everywhere.append(self.norm)
        elif how == "a forward put on it":
            own = self.norm.forward
            self.norm.forward = lambda x: own(x)

    def __deepcopy__(self, memo):
        if self.how == "a copy that is itself":
            return self
        twin = Block.__new__(Block)
        memo[id(self)] = twin
        twin.__dict__ = copy.deepcopy(vars(self), memo)
        return twin

    def forward(self, x):
        x = self.conv(x)
        if self.how in ("a function", "a function of a forward"):
            return self.flat(self.act(x))
        norm = {"a weak reference": lambda: self.seen(), "a list that all share": lambda: Block.everywhere[-1]}.get(self.how, lambda: self.norm)()
        return self.flat(norm(x).relu())


class Mixed(nn.Module):
    """A function has a weight of it, and nothing that a pass would change."""

    def __init__(self, how):
        super().__init__()
        self.conv, self.mix = nn.Conv2d(3, 8, 5, 4), nn.Conv2d(8, 8, 1)
        taken = self.mix.forward
        self.act = {"a forward": lambda x: self.mix.forward(x), "a forward taken before": lambda x: taken(x),
                    "a weight": lambda x: nn.functional.conv2d(x, self.mix.weight), "nothing": nn.ReLU()}[how]

    def forward(self, x):
        return self.act(self.conv(x)).flatten(1)


@pytest.mark.parametrize("how,alone", [("a forward", False), ("a forward taken before", False), ("a weight", False), ("nothing", True)])
def test_a_copy_with_weights_of_the_original_is_known(how, alone):
    """Beside a training it would be scored with weights of two times."""
    model = Mixed(how)
    assert cortiscore.live.stands_alone(model, 32) is alone
    assert all(parameter.grad is None and parameter.requires_grad for parameter in model.parameters())
    if not alone:
        with pytest.raises(cortiscore.exporter.BadNetwork, match="cannot be copied"):
            cortiscore.live.Snapshot(model, alone, own_weights=True)


@pytest.mark.parametrize("how", ["a function", "a function of a forward", "a weak reference",
                                 "a list that all share", "a forward put on it", "a copy that is itself"])
def test_a_module_whose_copy_would_run_the_original_is_run_itself(cortex, tmp_path, how):
    """The score of its archive, and statistics of batch norm that no stimulus has entered."""
    torch.manual_seed(2)
    model = randomise_statistics(nn.Sequential(Block(how)))
    cortiscore.export(model.eval(), tmp_path / "net.pt2", input_size=64)
    model.train()
    before = state_of(model)
    found = cortiscore.score(model, V4, layers="0.flat", input_size=64, bootstrap=5)[0]
    # Not state_of's versions: what was run itself has been put back.
    for name, (_, _, wants, values) in before["tensors"].items():
        tensor = dict([*model.named_parameters(), *model.named_buffers()])[name]
        assert torch.equal(tensor, values) and tensor.requires_grad == wants, name
    assert [module.training for module in model.modules()] == before["modes"] and model.training
    assert found["score"] == cortiscore.score(tmp_path / "net.pt2", V4, layers="0.flat", bootstrap=5)[0]["score"]
    with pytest.raises(ValueError, match="asynchronous=False"):
        cortiscore.Probe(V4, layers="0.flat", input_size=64, every=1, asynchronous=True, on_error="raise").step(1, model)


class Merges(nn.Module):
    """As LoRA's layers: eval() adds one weight to another, train() takes it out again."""

    def __init__(self):
        super().__init__()
        self.conv, self.more, self.merged = nn.Conv2d(3, 8, 5, 4), nn.Parameter(torch.randn(8, 3, 5, 5)), False

    def train(self, mode=True):
        super().train(mode)
        if mode == self.merged:
            self.conv.weight.data += -self.more.data if mode else self.more.data
            self.merged = not mode
        return self

    def forward(self, x):
        x = self.conv(x)
        return x if self.merged else x + nn.functional.conv2d(x.new_zeros(len(x), 3, 5, 5), self.more).sum() * 0


def test_what_a_module_does_in_its_own_eval_is_done(cortex, tmp_path):
    torch.manual_seed(2)
    model = nn.Sequential(Merges(), nn.Flatten())
    kept = copy.deepcopy(model.state_dict())
    found = cortiscore.score(model, V4, layers="0.conv", input_size=64, bootstrap=5)[0]
    assert all(torch.equal(value, kept[name]) for name, value in model.state_dict().items()) and not model[0].merged
    cortiscore.export(model.eval(), tmp_path / "net.pt2", input_size=64)
    assert found["score"] == cortiscore.score(tmp_path / "net.pt2", V4, layers="0.conv", bootstrap=5)[0]["score"]


class Grows(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.mix, self.flat, self.times = nn.Conv2d(3, 8, 5, 4), nn.Conv2d(8, 8, 3, padding=1), nn.Flatten(), 1

    def forward(self, x):
        x = self.conv(x)
        for _ in range(self.times if self.times else 1 + int(x.abs().sum() > 300)):
            x = x + self.mix(x).relu()
        return self.flat(x)


def test_layers_are_looked_for_again(cortex):
    """A network that changes its calls between evaluations; one that does so from image to image is refused."""
    torch.manual_seed(2)
    model = Grows()
    probe = cortiscore.Probe(V4, layers="mix", every=1, input_size=64, on_error="raise", bootstrap=5)
    probe.step(1, model)
    model.times = 3
    assert probe.step(2, model).records[0]["score"] == cortiscore.score(model, V4, layers="mix", input_size=64, bootstrap=5)[0]["score"]
    model.double()
    assert probe.step(3, model).records[0]["score"] == cortiscore.score(model, V4, layers="mix", input_size=64, bootstrap=5)[0]["score"]
    changing = Grows()
    changing.times = 0
    with pytest.raises(ValueError, match="calls that depend on what it is shown"):
        cortiscore.score(changing, V4, layers="mix", input_size=64)


class Holds(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.lock = nn.Conv2d(3, 8, 5, 4), threading.Lock()

    def forward(self, x):
        self.lock.acquire()
        x = self.conv(x)
        self.lock.release()
        return x.flatten(1)


def test_a_pass_of_the_module_itself_runs_to_its_end(cortex):
    model = nn.Sequential(Holds(), nn.Linear(8 * 15 * 15, 30))
    assert cortiscore.score(model, V4, layers="0.conv", input_size=64)[0]["status"] == "ok"
    assert not model[0].lock.locked()


def test_inference_mode_around_it(cortex):
    model = network("several").eval()
    expected = cortiscore.score(model, V4, layers="norm", input_size=64, bootstrap=5)[0]["score"]
    with torch.inference_mode():
        assert cortiscore.score(model, V4, layers="norm", input_size=64, bootstrap=5)[0]["score"] == expected
        assert torch.is_inference_mode_enabled()


class Hidden(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norms, self.flat = nn.Conv2d(3, 8, 5, 4), [nn.BatchNorm2d(8)], nn.Flatten()

    def forward(self, x):
        return self.flat(self.norms[0](self.conv(x)))


def test_parts_that_eval_does_not_reach_are_refused(cortex):
    with pytest.raises(ValueError, match="a BatchNorm2d in training mode, which eval.. does not reach"):
        cortiscore.score(Hidden(), V4, layers="flat", input_size=64)
    hidden = Hidden()
    hidden.norms[0].eval()
    assert cortiscore.score(hidden, V4, layers="flat", input_size=64)[0]["status"] == "ok"


def test_a_layer_may_be_called_as_a_pool_is(cortex):
    model = nn.Sequential()
    model.add_module("w:mean", nn.Conv2d(3, 30, 5, 4))
    model.add_module("flat", nn.Flatten())
    names = [cortiscore.score(model, V4, layers=layer, input_size=64, bootstrap=5)[0] for layer in ("w:mean", "w:mean:mean", "flat")]
    assert names[0]["score"] == names[2]["score"] != names[1]["score"]
