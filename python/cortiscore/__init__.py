"""Cortiscore in Python: what the command line does, in this process (docs/python.md).

`score` a network on `benchmarks`, also while it is trained (`Probe`); `sweep` many; profile its `layers`, `extract` activations; look at
`results`; `metrics` and `ceilings` on your own arrays and choices; `Assembly` to and from xarray; `export` writes a network as a .pt2
archive, `compile` as native code. Numbers are the command line's to the bit, and `Error` carries its exit code.
"""
import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import ceilings, metrics
    from .assemblies import Assembly
    from .engine import Error
    from .exporter import BadNetwork, export
    from .jobs import extract, layers, sweep
    from .listing import benchmarks, results
    from .native import compile
    from .on_arrays import internal_consistency, metric
    from .scoring import score
    from .training import Evaluation, Probe, log_spaced

# Each is loaded when first used: torch takes seconds, which nothing that reads recordings should pay, and exporting needs torch
# alone. No module has the name of a function, or importing it would put itself in the function's place.
_MODULES = {"export": "exporter", "BadNetwork": "exporter", "compile": "native", "Error": "engine",
            "internal_consistency": "on_arrays", "metric": "on_arrays",
            "score": "scoring", "Probe": "training", "Evaluation": "training", "log_spaced": "training", "Assembly": "assemblies",
            "sweep": "jobs", "layers": "jobs", "extract": "jobs", "benchmarks": "listing", "results": "listing"}
_SUBMODULES = ("ceilings", "metrics")

__all__ = ["Assembly", "BadNetwork", "Error", "Evaluation", "Probe", "benchmarks", "ceilings", "compile", "export", "extract", "internal_consistency",
           "layers", "log_spaced", "metric", "metrics", "results", "score", "sweep"]


if not TYPE_CHECKING:  # to which everything would be there
    def __getattr__(name: str) -> Any:
        if name in _SUBMODULES:
            return importlib.import_module(f".{name}", __name__)
        if name in _MODULES:
            return getattr(importlib.import_module(f".{_MODULES[name]}", __name__), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES, *_SUBMODULES})
