"""Compile a torch module to native code that the engine runs: a package of AOTInductor whose outputs are the layers asked for.

From Python:        import cortiscore; cortiscore.compile(model, "net.pt2", layers=["layer3"], input_size=224, mean=..., std=...)
From the shell:     cortiscore model export torchvision:resnet18 --native --layer layer3 -o resnet18.pt2
"""
import json
import pathlib

import torch

from .export import _Tapped, check_model, description, module_types
from .recordings import written_whole

MICRO_BATCH = 16  # src/activations/extract.h: stimuli go through a network sixteen at a time, always


def compile(model, path, *, layers, input_size, mean=None, std=None, degrees=8.0, identifier=None, device="cpu"):
    """Writes `model` to `path` (.pt2) as native code for `device`, with the outputs of `layers` (dotted module names).

    The other arguments are those of `export`. Kernels are fused, so activations equal PyTorch's to rounding, not to the bit; the
    engine opens such a package with --allow-native-code alone, and its weights cannot be exchanged. Needs a C++ compiler.
    Raises what torch.export and AOTInductor raise.
    """
    path = pathlib.Path(path)
    check_model(model, mean, std)
    example = torch.zeros(MICRO_BATCH, 3, input_size, input_size, device=device)
    with _Tapped(model, set(layers)) as tapped:
        names = tapped.eval().to(device).names(example)
        missing = sorted(set(layers) - set(names))
        if missing:
            raise ValueError(f"layers: found {', '.join(missing)}, expected modules that run and return a tensor")
        last = {name: place for place, name in enumerate(names)}  # the last call of a module that runs several times
        with torch.no_grad():
            program = torch.export.export(_Last(tapped, sorted(last.values())), (example,), strict=False)
    types = module_types(model)
    table = {
        **description(path, input_size, mean, std, degrees, identifier),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "layers": [{"name": name, "type": types[name], "shape": list(tapped.shapes[last[name]][1:])} for name in sorted(last, key=last.get)],
    }
    # One thread: the engine runs as many micro-batches at a time as it has threads.
    configs = {"aot_inductor.metadata": {"cortiscore": json.dumps(table)}, "cpp.threads": 1}
    with written_whole(path) as temporary:
        package = f"{temporary}.pt2"  # the compiler insists on the ending
        torch._inductor.aoti_compile_and_package(program, package_path=package, inductor_configs=configs)
        pathlib.Path(package).rename(temporary)
    return table


class _Last(torch.nn.Module):
    """Some of what `_Tapped` returns, and nothing else, so that what comes after is not compiled."""

    def __init__(self, tapped, places):
        super().__init__()
        self.tapped, self.places = tapped, places

    def forward(self, images):
        outputs, _ = self.tapped(images)
        return tuple(outputs[place] for place in self.places)
