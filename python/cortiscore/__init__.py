"""Cortiscore in Python: `export` writes a network as a .pt2 archive, `compile` as native code; `score`, `metric` and `internal_consistency` run the
engine in this process (they need the compiled module: ./dev build)."""
import importlib

# Each is loaded when first used: torch takes seconds, which nothing that reads recordings should pay, and exporting needs torch
# alone. No module has the name of a function, or importing it would put itself in the function's place.
_MODULES = {"export": "exporter", "compile": "native", "Error": "engine", "internal_consistency": "engine", "metric": "engine", "score": "engine"}

__all__ = sorted(_MODULES)


def __getattr__(name):
    if name in _MODULES:
        return getattr(importlib.import_module(f".{_MODULES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *_MODULES})
