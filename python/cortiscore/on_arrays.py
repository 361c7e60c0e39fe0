"""`metric`: one of `cortiscore.metrics` by its name. `internal_consistency`: that of `cortiscore.ceilings`."""
from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from . import ceilings, given

if TYPE_CHECKING:
    from .given import Array, Result, Table


def metric(name: str, source: Array | Table | None = None, target: Array | Table | None = None, **options: Any) -> Result:
    """A metric by the platform's name (docs/metrics.md), on what the function of `cortiscore.metrics` of that name takes.

    :param source: [presentation, feature], or a table of choices
    :param target: [presentation, neuroid], or a table of choices
    :param options: that function's, `train_source` and its like among them
    :raises cortiscore.Error: 2 an argument that this metric does not read, 4 a name, with the nearest, 5 data that do not fit
    """
    return given.metric(name, {"source": source, "target": target, **options})


def _renamed(**now: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A function whose arguments were called otherwise before: they work for one release more, with a warning."""
    def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*positional: Any, **named: Any) -> Any:
            for old, new in now.items():
                if old in named and new not in named:
                    warnings.warn(f"{function.__name__}: {old} is called {new} now; the old name goes with the next release", FutureWarning, stacklevel=2)
                    named[new] = named.pop(old)
            return function(*positional, **named)
        return call
    return wrap


internal_consistency = _renamed(splits="ceiling_splits")(ceilings.internal_consistency)
