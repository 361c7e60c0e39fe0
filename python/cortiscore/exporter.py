"""Write a torch module as a .pt2 archive (torch.export: a graph as JSON plus raw weights) with a table of its layers.

From Python:        import cortiscore; cortiscore.export(model, "net.pt2", input_size=224, mean=..., std=...)
From the shell:     cortiscore model export torchvision:resnet18 -o resnet18.pt2 [--weights FILE]
"""
import collections
import contextlib
import copy
import dataclasses
import inspect
import io
import itertools
import json
import logging
import operator
import os
import pathlib
import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from .checkpoints import saved_names
from .recordings import BadInput, written_whole


class BadNetwork(BadInput, ValueError):
    """Why a module cannot be exported, and what to do: one sentence each."""


class DoesNotRun(BadNetwork):
    """A forward pass raised."""


def refused(what, found, expected, action="", kind=BadNetwork):
    return kind(f"{what}: found {found}, expected {expected}.{f' {action}.' if action else ''}")


def _first_line(error):
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}"[:300] if lines else type(error).__name__


# ---- What a module is, and that it stays so -----------------------------------------------------------------------------


def unwrapped(model):
    """The network inside of what only distributes, compiles or averages it."""
    while True:
        if type(model) in (torch.nn.DataParallel, torch.nn.parallel.DistributedDataParallel, torch.optim.swa_utils.AveragedModel):
            model = model.module
        elif isinstance(getattr(model, "_orig_mod", None), torch.nn.Module):
            model = model._orig_mod
        else:
            return model


def parts_in_training(model):
    """Names of the outermost submodules that are in training mode."""
    names = [name for name, module in model.named_modules() if name and module.training]
    return [name for name in names if not any(name.startswith(other + ".") for other in names)]


@contextlib.contextmanager
def evaluated(model):
    """In eval mode, all of it; afterwards as it was, buffers that a forward pass changes included."""
    modes = [(module, module.training) for module in model.modules()]
    buffers = [(module, name, buffer, buffer.clone())
               for module, _ in modes for name, buffer in module._buffers.items() if buffer is not None and not buffer.is_meta]
    for module, _ in modes:
        module.training = False
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
        with torch.no_grad():
            for module, name, buffer, before in buffers:
                module._buffers[name] = buffer
                if not torch.equal(buffer, before):
                    buffer.copy_(before)


def on_device(model, device):
    """The module where it can be run: itself, or a copy where its weights are elsewhere."""
    device = torch.device(device)
    if all(tensor.device.type == device.type for tensor in itertools.chain(model.parameters(), model.buffers())):
        return model
    try:
        return copy.deepcopy(model).to(device)
    except (RuntimeError, NotImplementedError) as error:
        raise refused("device", f"weights elsewhere ({_first_line(error)})", str(device), f"Move the module there: model.to(\"{device}\")") from error


def check_model(model, mean, std, training=False):
    """What nothing can put right. Returns the network inside of wrappers. training: it may be in training mode, since a copy is run."""
    if not isinstance(model, torch.nn.Module):
        raise refused("model", type(model).__name__, "a torch.nn.Module")
    model = unwrapped(model)
    if model.training and not training:
        raise refused("model", "training mode", "eval mode", "Call model.eval() first, or batch statistics would be scored")
    if (mean is None) != (std is None):
        raise refused("mean and std", "one of them", "both or neither")
    if mean is not None and not (len(mean) == len(std) == 3 and all(value > 0 for value in std)):
        raise refused("mean and std", f"{list(mean)} and {list(std)}", "a number for each of three channels, std above 0")
    if mean is not None and max(map(float, [*mean, *std])) > 2:
        raise refused("mean and std", f"{list(mean)} and {list(std)}", "those of values in 0..1, as images come", "Divide them by 255")
    for name, module in model.named_modules():
        kind = type(module).__module__
        if kind.startswith(("torch.ao.nn.quantized", "torch.ao.nn.intrinsic.quantized")):
            raise refused(f"module {name or '(the network)'}", f"a quantised {type(module).__name__}, whose weights torch.export cannot read",
                           "floating-point weights", "Export the network as it was before quantisation")
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm) and module.running_mean is None:
            raise refused(f"module {name}", "a batch norm without running statistics, whose output depends on the other stimuli of a batch",
                           "track_running_stats=True", "Train it with running statistics, or replace it")
        if any(isinstance(p, torch.nn.parameter.UninitializedParameter) for p in module._parameters.values()):
            raise refused(f"module {name}", "lazy weights without a shape", "weights", "Run the network once before it is exported")
    return model


# ---- What its modules give ----------------------------------------------------------------------------------------------


def _items(output):
    if isinstance(output, collections.abc.Mapping):
        return list(output.items())
    if dataclasses.is_dataclass(output):
        return [(field.name, getattr(output, field.name, None)) for field in dataclasses.fields(output)]
    if isinstance(output, tuple) and hasattr(output, "_fields"):
        return list(zip(output._fields, output, strict=True))
    return list(enumerate(output)) if isinstance(output, (tuple, list)) else []


def entries(output):
    """(key, tensor) of what a module returns, in order: "" for a tensor itself; keys of containers within others are joined
    by dots, and what is not a letter, digit, - or _ in them becomes _."""
    if isinstance(output, torch.Tensor):
        return [("", output)] if output.layout == torch.strided else []
    found, seen = [], set()
    for key, value in _items(output):
        for inner, tensor in entries(value):
            name = re.sub(r"[^\w-]", "_", str(key)) + ("." + inner if inner else "")
            while name in seen:
                name += "_"
            seen.add(name)
            found.append((name, tensor))
    return found


def layer_names(model):
    """{name: module} of what can be tapped. What torch.compile wraps is itself, without the wrapper's part of its name."""
    return {".".join(part for part in name.split(".") if part != "_orig_mod"): module
            for name, module in model.named_modules() if name and "_orig_mod" not in module._modules}


@dataclasses.dataclass
class Call:
    """A call of a module, and the keys of the tensors that it gave."""

    name: str
    keys: list
    shapes: list


class Tapped(torch.nn.Module):
    """Returns what every call of every module gives: torch.export then names the graph value behind each."""

    def __init__(self, network, layers=None, dtype=torch.float32):
        super().__init__()
        self.network = network
        self.dtype = dtype
        self._calls, self._tensors = [], None  # of a forward pass, in order; None: only shapes are wanted
        names = layer_names(network)
        # The network's own output has no name; where it is several tensors, they are layers of this one.
        self.own = "output"
        while self.own in names:
            self.own += "_"
        self._hooks = [module.register_forward_hook(self._keep(name)) for name, module in names.items() if layers is None or name in layers]
        self.types = {name: type(module).__name__ for name, module in names.items()} | {self.own: type(network).__name__}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """The user's module as it was: what is left on it would keep every output of every later call."""
        for hook in self._hooks:
            hook.remove()

    def _keep(self, name):
        def hook(_module, _inputs, output):
            self._put(name, entries(output))

        return hook

    def _put(self, name, found):
        if not found:
            return
        self._calls.append(Call(name, [key for key, _ in found], [tensor.shape for _, tensor in found]))
        if self._tensors is not None:
            # An alias is a node of its own here and now: without it, an in-place operator that comes later (ReLU after
            # batch norm) would be taken for the module's output.
            self._tensors += [torch.ops.aten.alias.default(tensor) for _, tensor in found]

    def _run(self, images):
        self._calls = []
        result = self.network(images if self.dtype == torch.float32 else images.to(self.dtype))
        if isinstance(result, torch.Tensor):
            return result
        found = entries(result)
        if len(found) > 1:
            self._put(self.own, found)
        return [tensor for _, tensor in found]

    def forward(self, images):
        self._tensors = []
        result = self._run(images)
        tensors, self._tensors = self._tensors, None
        return tensors, result

    def calls(self, images):
        """Every call that gives a tensor, in order: a module that is called twice is there twice."""
        with torch.no_grad():
            self._run(images)
        return self._calls


def _culprit(error, model):
    """The innermost module that an exception came through."""
    names = {id(module): name for name, module in model.named_modules()}
    found, trace = "", error.__traceback__
    while trace:
        found = names.get(id(trace.tb_frame.f_locals.get("self")), found) or found
        trace = trace.tb_next
    return f" in module {found}" if found else ""


_TOWERS = ("vision_model", "visual", "vision_tower", "image_encoder", "vision_encoder", "visual_encoder")


def _check_forward(model):
    """That images alone are what it takes, as far as its signature says."""
    try:
        parameters = list(inspect.signature(model.forward).parameters.values())
    except (TypeError, ValueError):
        return
    needed = [p.name for p in parameters if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    first = parameters[0].name if parameters else ""
    if len(needed) < 2 and first not in ("input_ids", "text", "input_values", "input_features", "tokens", "token_ids"):
        return
    tower = next((name for name in _TOWERS if isinstance(getattr(model, name, None), torch.nn.Module)), None)
    raise refused(f"forward of {type(model).__name__}", " and ".join(needed) or first, "images alone",
                   f"Export its vision tower, which is model.{tower}" if tower else "Wrap it in a module whose forward takes images")


def own_dtype(model):
    """That of its weights."""
    return next((p.dtype for p in itertools.chain(model.parameters(), model.buffers()) if p.is_floating_point()), torch.float32)


def tapped_on(model, example, layers=None, taps=Tapped):
    """Taps on the module, and its calls on the example. Images are float32; where that is not what its weights are, they are
    cast as they come in.
    Raises DoesNotRun where it does not run."""
    _check_forward(model)
    first = None
    for dtype in dict.fromkeys([torch.float32, own_dtype(model)]):
        tapped = taps(model, layers, dtype)
        tapped.training = False
        try:
            with torch.compiler.set_stance("force_eager"):
                return tapped, tapped.calls(example)
        except BadNetwork:
            tapped.__exit__()
            raise
        except Exception as error:  # whatever a user's module raises
            tapped.__exit__()
            first = first or error
    raise refused(f"input of {example.shape[-1]} x {example.shape[-1]} pixels", f"\"{_first_line(first)}\"{_culprit(first, model)}",
                   "a forward pass on images [batch, 3, N, N] in 0..1 or normalised",
                   "Give the size that it was made for (--input-size, input_size=), or wrap it in a module that takes such images",
                   DoesNotRun) from first


# ---- The graph ----------------------------------------------------------------------------------------------------------


def _layers(calls, values, types, own, time_bins):
    """The table of layers: NAME is the last call of a module, NAME@0, NAME@1, ... each of several; NAME#KEY each of the tensors
    of one that returns several, and NAME the first of them. own: the network itself, whose tensors are there by key alone."""
    counts = collections.Counter(call.name for call in calls)
    bins = _bins_of_modules({name: n for name, n in counts.items() if name != own}, time_bins or {})
    so_far, layers, values = collections.Counter(), [], iter(values)

    def add(name, call, own_values):
        if call.name != own:
            layers.append({"name": name, "type": types[call.name], "value": own_values[0]})
        if len(own_values) > 1:
            layers.extend({"name": f"{name}#{key}", "type": types[call.name], "value": value}
                          for key, value in zip(call.keys, own_values, strict=True))

    for call in calls:
        own_values = [next(values) for _ in call.keys]
        if counts[call.name] > 1:
            add(f"{call.name}@{so_far[call.name]}", call, own_values)
        so_far[call.name] += 1
        if so_far[call.name] == counts[call.name]:
            place = len(layers)
            add(call.name, call, own_values)
            if call.name in bins:
                layers[place]["time_bins_ms"] = bins[call.name]
    return layers


def _bins_of_modules(calls, time_bins):
    for name, bins in time_bins.items():
        if name not in calls:
            raise BadNetwork(f"time_bins_ms: found \"{name}\", expected a module that runs; they are {', '.join(calls)}")
        if len(bins) != calls[name]:
            raise BadNetwork(f"time_bins_ms of {name}: found {len(bins)} bins, expected {calls[name]}, one a call")
        if any(len(bin) != 2 or bin[0] >= bin[1] for bin in bins) or any(a[1] > b[0] for a, b in itertools.pairwise(bins)):
            raise BadNetwork(f"time_bins_ms of {name}: found {bins}, expected [start, end] in order that do not overlap")
    # What is inside a module and runs as often is as late as that.
    inherited = {}
    for name, n in calls.items():
        inside = [outer for outer in time_bins if (name + ".").startswith(outer + ".") and calls[outer] == n]
        if inside:
            inherited[name] = [list(map(float, bin)) for bin in time_bins[max(inside, key=len)]]
    return inherited


_ARITHMETIC = {operator.mul, operator.add, operator.sub, operator.floordiv, operator.getitem}  # of sizes: src/model/graph.cpp
_DRAWS = {"rand", "randn", "randint", "randperm", "rand_like", "randn_like", "randint_like", "bernoulli", "bernoulli_", "multinomial",
          "normal", "normal_", "uniform_", "exponential_", "poisson", "random_"}


def _check_graph(program):
    """That the engine runs all of its operators, and that they give the same every time."""
    for node in program.graph.nodes:
        if node.op != "call_function" or node.target in _ARITHMETIC:
            continue
        stack = list((node.meta.get("nn_module_stack") or {}).values())
        module = f"module {stack[-1][0].removeprefix('network.') or '(the network)'}" if stack else "the network"
        if not isinstance(node.target, torch._ops.OpOverload) or node.target.namespace != "aten":
            raise refused(module, f"the operator {node.target}", "operators of PyTorch's own (aten)",
                           "Write it in those, or save the network by torch.jit.trace, which is opened with --allow-torchscript")
        name = node.target._schema.name.partition("::")[2]
        trains = "dropout" in name and (len(node.args) < 3 or node.args[2] is not False) and node.args[1:2] != (0.0,)
        if name in _DRAWS or trains:
            raise refused(module, f"an operator that draws random numbers (aten.{name}) even in eval mode", "the same output every time",
                           "Take the drawing out of its forward; dropout is written as a module or with training=self.training")


@contextlib.contextmanager
def _quietly():
    """Without what torch.export logs, warns of and prints of graphs: what concerns the user is in its exception."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _traced(tapped, example):
    batch = torch.export.Dim("batch", min=1, max=1024)
    trace = lambda: torch.export.export(tapped, (example,), dynamic_shapes=({0: batch},), strict=False)
    try:
        with torch.compiler.set_stance("force_eager"), _quietly():
            program = trace()
            # A module that switches gradients off for itself becomes a region of its own, which the engine does not run.
            # Where they are off already, it does not; nowhere else, since modules may take other paths then (attention does).
            if any(isinstance(node.target, torch._ops.HigherOrderOperator) for node in program.graph.nodes):
                with torch.no_grad():
                    program = trace()
    except Exception as error:  # torch.export raises of many kinds
        fixed = re.search(r"specializ|not all values of|Constraints violated", str(error))
        raise refused(f"torch.export{_culprit(error, tapped.network)}", f"\"{_first_line(error)}\"",
                       "a forward that takes any number of images" if fixed else "a forward of plain tensor operations",
                       "Write it for any (x.shape[0], not len(x)), or save torch.export.export(model, (one image,)) by torch.export.save: "
                       "that archive runs image by image"
                       if fixed else
                       "Take out what depends on values of tensors, or save it by torch.jit.trace, which is opened with --allow-torchscript") from error
    _check_graph(program)
    return program


def description(path, input_size, mean, std, degrees, identifier):
    """What cortiscore.json says of a network apart from its layers (docs/formats.md)."""
    numbers = lambda values: None if values is None else [float(value) for value in values]
    return {"schema_version": 1, "identifier": identifier or path.stem, "input_size": input_size, "mean": numbers(mean), "std": numbers(std),
            "degrees": degrees}


def say_training(model):
    parts = parts_in_training(model)
    if parts:
        warnings.warn(f"in training mode: {', '.join(parts)}; what is written is what eval mode gives", stacklevel=3)


def export(model: torch.nn.Module, path: str | os.PathLike[str], *, input_size: int, mean: Sequence[float] | None = None,
           std: Sequence[float] | None = None, degrees: float = 8.0, identifier: str | None = None,
           time_bins_ms: Mapping[str, Sequence[Sequence[float]]] | None = None) -> dict[str, Any]:
    """Writes `model` to `path` (.pt2), with every module's output tappable by its dotted name.

    A module that runs several times, as recurrent networks' do, is there as NAME@0, NAME@1, ... and as NAME, its last call. Of one
    that returns several tensors (a tuple, dict or dataclass), NAME is the first and NAME#KEY each.

    model       torch.nn.Module in eval mode; forward takes images [batch, 3, input_size, input_size], in float32 or in the dtype
                of its weights. It is left as it was. Parts in training mode are exported in eval mode, with a warning.
    mean, std   per channel, of values in 0..1; None if the model normalises its input itself
    degrees     visual angle that the input spans (the platform's default is 8)
    time_bins_ms  {module: [[start, end], ...]}: what each call of a recurrent module stands for, in ms after stimulus onset.
                On a benchmark that was recorded in a window of time, NAME is then the average of its calls there, each
                weighed by the portion of its bin that the window covers. What runs inside a module as often has its bins.
    identifier  the name that results carry; the file's stem by default
    Raises BadNetwork (a ValueError), which says what to do, where the network cannot be traced or run by the engine.
    """
    path = pathlib.Path(path)
    model = check_model(model, mean, std)
    say_training(model)
    model = on_device(model, "cpu")
    example = torch.zeros(2, 3, input_size, input_size)
    with evaluated(model):
        tapped, calls = tapped_on(model, example)
        with tapped:
            program = _traced(tapped, example)
    program.graph.eliminate_dead_code()  # e.g. the empty tensors by which checkpoint() asks for gradients
    nodes = {node.name: node for node in program.graph.nodes}
    count = sum(len(call.keys) for call in calls)
    returned = [spec for spec in program.graph_signature.output_specs if spec.kind == torch.export.graph_signature.OutputKind.USER_OUTPUT]
    aliases = [nodes[spec.arg.name] for spec in returned[:count]]
    values = [alias.args[0].name for alias in aliases]
    table = {
        **description(path, input_size, mean, std, degrees, identifier),
        "parameter_prefix": "network.",
        "layers": _layers(calls, values, tapped.types, tapped.own, time_bins_ms),
    }
    if saved := saved_names(model):
        table["saved_names"] = saved
    with written_whole(path) as temporary:  # a killed export leaves no half archive under the final name
        torch.export.save(program, temporary, extra_files={"cortiscore.json": json.dumps(table)})
    return table
