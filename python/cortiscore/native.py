"""Compile a torch module to native code that the engine runs: a package of AOTInductor whose outputs are the layers asked for.

From Python:        import cortiscore; cortiscore.compile(model, "net.pt2", layers=["layer3"], input_size=224, mean=..., std=...)
From the shell:     cortiscore model export torchvision:resnet18 --native --layer layer3 -o resnet18.pt2
"""
import json
import os
import pathlib
from collections.abc import Collection, Sequence
from typing import Any

import torch

from .exporter import BadNetwork, check_model, description, evaluated, on_device, say_training, tapped_on
from .recordings import written_whole

MICRO_BATCH = 16  # src/model/network.h: stimuli go through a network sixteen at a time, always


def compile(model: torch.nn.Module, path: str | os.PathLike[str], *, layers: Collection[str], input_size: int, mean: Sequence[float] | None = None,
            std: Sequence[float] | None = None, degrees: float = 8.0, identifier: str | None = None,
            device: str | torch.device = "cpu") -> dict[str, Any]:
    """Writes `model` to `path` (.pt2) as native code for `device`, with the outputs of `layers` (dotted module names).

    The other arguments are those of `export`. Kernels are fused, so activations equal PyTorch's to rounding, not to the bit; the
    engine opens such a package with --allow-native-code alone, and its weights cannot be exchanged. Needs a C++ compiler.
    Raises what torch.export and AOTInductor raise.
    """
    path = pathlib.Path(path)
    model = check_model(model, mean, std)
    say_training(model)
    model = on_device(model, device)
    example = torch.zeros(MICRO_BATCH, 3, input_size, input_size, device=device)
    with evaluated(model):
        tapped, calls = tapped_on(model, example, {layer.partition("#")[0] for layer in layers})
        with tapped:
            shapes = {}
            for place, (call, key) in enumerate((one, key) for one in calls for key in one.keys):
                # The last call of a module that runs several times; its first tensor, and each by its key.
                for name in {call.name, f"{call.name}#{key}"} if key == call.keys[0] else {f"{call.name}#{key}"}:
                    shapes[name] = (place, call.shapes[call.keys.index(key)], tapped.types[call.name])
            missing = sorted(set(layers) - set(shapes))
            if missing:
                raise BadNetwork(f"layers: found {', '.join(missing)}, expected modules that run and return a tensor.")
            last = {name: shapes[name] for name in sorted(set(layers), key=lambda name: shapes[name][0])}
            for name, (_, shape, _) in last.items():
                if len(shape) < 2 or shape[0] != MICRO_BATCH:
                    raise BadNetwork(f"layer {name}: found an output {' x '.join(map(str, shape))} of {MICRO_BATCH} stimuli, expected [batch, ...]. "
                                     "Choose another layer.")
            with torch.no_grad():
                program = torch.export.export(_Last(tapped, [place for place, _, _ in last.values()]), (example,), strict=False)
    table = {
        **description(path, input_size, mean, std, degrees, identifier),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "layers": [{"name": name, "type": kind, "shape": list(shape[1:])} for name, (_, shape, kind) in last.items()],
    }
    # One thread: the engine runs as many micro-batches at a time as it has threads.
    configs = {"aot_inductor.metadata": {"cortiscore": json.dumps(table)}, "cpp.threads": 1}
    with written_whole(path) as temporary:
        package = f"{temporary}.pt2"  # the compiler insists on the ending
        torch._inductor.aoti_compile_and_package(program, package_path=package, inductor_configs=configs)
        pathlib.Path(package).rename(temporary)
    return table


class _Last(torch.nn.Module):
    """Some of what `Tapped` returns, and nothing else, so that what comes after is not compiled."""

    def __init__(self, tapped, places):
        super().__init__()
        self.tapped, self.places = tapped, places

    def forward(self, images):
        outputs, _ = self.tapped(images)
        return tuple(outputs[place] for place in self.places)
