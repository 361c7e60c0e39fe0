"""The compiled module, `_cortiscore`: the engine in this process.

Every function raises `cortiscore.Error` (with `exit_code`, the command line's) where the command line prints a message and exits.
"""
import importlib.util
import sys
from typing import TYPE_CHECKING

import torch  # noqa: F401  loads the LibTorch that the module links

from . import layout

__all__ = ["Error", "compiled"]


def _load():
    path = layout.compiled_module()
    if path is None:
        raise ImportError(f"no compiled module for this Python beside {layout.PACKAGE}, nor in a build: install a wheel for it, or run ./dev build")
    spec = importlib.util.spec_from_file_location("_cortiscore", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.modules["_cortiscore"] = module
    return module


if TYPE_CHECKING:
    from . import _cortiscore as compiled
    from ._cortiscore import Error
else:
    compiled = _load()
    Error = compiled.Error
