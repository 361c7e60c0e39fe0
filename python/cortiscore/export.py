"""Write a torch module as a .pt2 archive (torch.export: a graph as JSON plus raw weights) with a table of its layers.

From Python:        import cortiscore; cortiscore.export(model, "net.pt2", input_size=224, mean=..., std=...)
From the shell:     cortiscore model export torchvision:resnet18 -o resnet18.pt2 [--weights FILE.pth]
"""
import argparse
import collections
import importlib.util
import itertools
import json
import pathlib
import sys

import torch

from .checkpoints import load_into
from .recordings import written_whole

IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}


class _Tapped(torch.nn.Module):
    """Returns what every call of every module gives: torch.export then names the graph value behind each."""

    def __init__(self, network, layers=None):
        super().__init__()
        self.network = network
        self._outputs = []  # (module's name, its output), a call, in order
        self._hooks = []
        for name, module in network.named_modules():
            if name and (layers is None or name in layers):
                self._hooks.append(module.register_forward_hook(self._keep(name)))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """The user's module as it was: what is left on it would keep every output of every later call."""
        for hook in self._hooks:
            hook.remove()

    def _keep(self, name):
        def hook(_module, _inputs, output):
            first = output[0] if isinstance(output, (tuple, list)) and output else output
            if isinstance(first, torch.Tensor):
                # An alias is a node of its own here and now: without it, an in-place operator that comes later (ReLU
                # after batch norm) would be taken for the module's output.
                self._outputs.append((name, torch.ops.aten.alias.default(first)))

        return hook

    def forward(self, images):
        self._outputs = []
        result = self.network(images)
        outputs, self._outputs = self._outputs, []
        return [output for _, output in outputs], result

    def names(self, images):
        """The module of every output, in order: one that is called twice is there twice."""
        self._outputs = []
        with torch.no_grad():
            self.network(images)
        names, self.shapes = [name for name, _ in self._outputs], [output.shape for _, output in self._outputs]
        self._outputs = []
        return names


def _layers(names, values, types, time_bins):
    """The table of layers: NAME is the last call of a module, NAME@0, NAME@1, ... each of several."""
    calls = collections.Counter(names)
    bins = _bins_of_modules(calls, time_bins or {})
    so_far, layers = collections.Counter(), []
    for name, value in zip(names, values, strict=True):
        if calls[name] > 1:
            layers.append({"name": f"{name}@{so_far[name]}", "type": types[name], "value": value})
        so_far[name] += 1
        if so_far[name] == calls[name]:
            layers.append({"name": name, "type": types[name], "value": value})
            if name in bins:
                layers[-1]["time_bins_ms"] = bins[name]
    return layers


def _bins_of_modules(calls, time_bins):
    for name, bins in time_bins.items():
        if name not in calls:
            raise ValueError(f"time_bins_ms: found \"{name}\", expected a module that runs; they are {', '.join(calls)}")
        if len(bins) != calls[name]:
            raise ValueError(f"time_bins_ms of {name}: found {len(bins)} bins, expected {calls[name]}, one a call")
        if any(len(bin) != 2 or bin[0] >= bin[1] for bin in bins) or any(a[1] > b[0] for a, b in itertools.pairwise(bins)):
            raise ValueError(f"time_bins_ms of {name}: found {bins}, expected [start, end] in order that do not overlap")
    # What is inside a module and runs as often is as late as that.
    inherited = {}
    for name, n in calls.items():
        inside = [outer for outer in time_bins if (name + ".").startswith(outer + ".") and calls[outer] == n]
        if inside:
            inherited[name] = [list(map(float, bin)) for bin in time_bins[max(inside, key=len)]]
    return inherited


def _traced(tapped, example):
    batch = torch.export.Dim("batch", min=1, max=1024)
    trace = lambda: torch.export.export(tapped, (example,), dynamic_shapes=({0: batch},), strict=False)
    program = trace()
    # A module that switches gradients off for itself becomes a region of its own, which the engine does not run. Where
    # they are off already, it does not; nowhere else, since modules may take other paths then (attention does).
    if any(isinstance(node.target, torch._ops.HigherOrderOperator) for node in program.graph.nodes):
        with torch.no_grad():
            program = trace()
    return program


def check_model(model, mean, std):
    if model.training:
        raise ValueError("the model is in training mode: call model.eval() first, or batch statistics would be scored")
    if (mean is None) != (std is None):
        raise ValueError("give both mean and std, or neither")


def description(path, input_size, mean, std, degrees, identifier):
    """What cortiscore.json says of a network apart from its layers (docs/formats.md)."""
    return {"schema_version": 1, "identifier": identifier or path.stem, "input_size": input_size, "mean": mean, "std": std, "degrees": degrees}


def module_types(model):
    return {name: type(module).__name__ for name, module in model.named_modules()}


def export(model, path, *, input_size, mean=None, std=None, degrees=8.0, identifier=None, time_bins_ms=None):
    """Writes `model` to `path` (.pt2), with every module's output tappable by its dotted name.

    A module that runs several times, as recurrent networks' do, is there as NAME@0, NAME@1, ... and as NAME, its last call.

    model       torch.nn.Module in eval mode; forward takes float32 images [batch, 3, input_size, input_size]
    mean, std   per channel, of values in 0..1; None if the model normalises its input itself
    degrees     visual angle that the input spans (the platform's default is 8)
    time_bins_ms  {module: [[start, end], ...]}: what each call of a recurrent module stands for, in ms after stimulus onset.
                On a benchmark that was recorded in a window of time, NAME is then the average of its calls there, each
                weighed by the portion of its bin that the window covers. What runs inside a module as often has its bins.
    identifier  the name that results carry; the file's stem by default
    Raises what torch.export raises where the network cannot be traced.
    """
    path = pathlib.Path(path)
    check_model(model, mean, std)
    example = torch.zeros(2, 3, input_size, input_size)
    with _Tapped(model) as tapped:
        names = tapped.eval().names(example)
        program = _traced(tapped, example)
    nodes = {node.name: node for node in program.graph.nodes}
    aliases = [nodes[spec.arg.name] for spec in program.graph_signature.output_specs][: len(names)]
    values = [alias.args[0].name for alias in aliases]
    table = {
        **description(path, input_size, mean, std, degrees, identifier),
        "parameter_prefix": "network.",
        "layers": _layers(names, values, module_types(model), time_bins_ms),
    }
    with written_whole(path) as temporary:  # a killed export leaves no half archive under the final name
        torch.export.save(program, temporary, extra_files={"cortiscore.json": json.dumps(table)})
    return table


def _from_file(path, function):
    spec = importlib.util.spec_from_file_location("cortiscore_user_network", path)
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(pathlib.Path(path).resolve().parent))
    spec.loader.exec_module(module)
    return getattr(module, function)()


def build(source, weights, prefix=None):
    """The network that `source` names, and how its input is prepared: (module, keyword arguments of `export`)."""
    kind, _, name = source.partition(":")
    if source == "efficientnet_lite0":
        from .efficientnet_lite import efficientnet_lite0

        return efficientnet_lite0(), {"input_size": 224}
    if source == "pixels":
        return torch.nn.Sequential(collections.OrderedDict(pixels=torch.nn.Flatten())), {"input_size": 64}
    if kind == "torchvision":
        import torchvision

        builder = torchvision.models.get_model_builder(name)
        model = builder(weights=None) if name not in ("googlenet", "inception_v3") else builder(weights=None, init_weights=True)
        if weights:
            for note in load_into(model, weights, prefix=prefix):
                print(f"{weights}: note: {note}", file=sys.stderr)
        return model, {"input_size": 299 if name == "inception_v3" else 224, **IMAGENET}
    if kind.endswith(".py"):
        built = _from_file(kind, name or "build")
        return built if isinstance(built, tuple) else (built, {"input_size": 224})
    raise SystemExit(
        f"cortiscore: unknown network \"{source}\". Expected torchvision:NAME, FILE.py:FUNCTION (returning a module, or "
        "a module and {'input_size': N, 'mean': ..., 'std': ...}) pixels or efficientnet_lite0."
    )


def main():
    parser = argparse.ArgumentParser(prog="cortiscore model export", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", help="torchvision:NAME, FILE.py:FUNCTION, pixels or efficientnet_lite0")
    parser.add_argument("-o", "--output", type=pathlib.Path, help="archive to write (default: NAME.pt2)")
    parser.add_argument("--weights", help="checkpoint (.pth, .ckpt, .safetensors, ...) for torchvision:NAME; without it, weights are random")
    parser.add_argument("--prefix", help="beginning of the names in --weights that are meant, e.g. teacher.")
    parser.add_argument("--seed", type=int, default=0, help="seed of random weights (default 0)")
    parser.add_argument("--input-size", type=int, help="N of the N x N input")
    parser.add_argument("--native", action="store_true",
                        help="write native code of AOTInductor instead, with the outputs of --layer (score it with --allow-native-code)")
    parser.add_argument("--layer", action="append", default=[], help="of --native: a layer; repeat for several")
    parser.add_argument("--identifier", help="the name that results carry (default: the file's stem)")
    arguments = parser.parse_args()
    if arguments.native != bool(arguments.layer):
        parser.error("--native takes --layer, and --layer is of --native alone")
    torch.manual_seed(arguments.seed)
    model, options = build(arguments.source, arguments.weights, arguments.prefix)
    output = arguments.output or pathlib.Path(arguments.source.replace(":", "_").rpartition("/")[2] + ".pt2")
    if arguments.input_size:
        options["input_size"] = arguments.input_size
    if arguments.source.startswith("torchvision:") and not arguments.weights:
        print("weights are random (no --weights): good for a baseline, not for a claim", file=sys.stderr)
    if arguments.native:
        from .native import compile as write

        options["layers"] = arguments.layer
    else:
        write = export
    table = write(model.eval(), output, identifier=arguments.identifier, **options)
    print(f"{output}: {len(table['layers'])} layers, input {options['input_size']} x {options['input_size']}")

