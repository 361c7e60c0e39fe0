"""Cortiscore in Python: `export` writes a network as a .pt2 archive, `compile` as native code; `score`, `metric` and `internal_consistency` run the
engine in this process (they need the compiled module: ./dev build)."""
from .export import export
from .native import compile

__all__ = ["Error", "compile", "export", "internal_consistency", "metric", "score"]


def __getattr__(name):
    # The module is loaded when first used, so that exporting needs torch alone.
    if name in ("Error", "internal_consistency", "metric", "score"):
        from . import engine

        return getattr(engine, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
