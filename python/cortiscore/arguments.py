"""Arguments as the engine reads them."""
from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    Path: TypeAlias = str | os.PathLike[str]


def listed(one_or_more: Path | Iterable[Path]) -> list[str]:
    """One name or path, or several, as text."""
    return [os.fspath(path) for path in ([one_or_more] if isinstance(one_or_more, (str, os.PathLike)) else one_or_more)]


def axes(one_or_more: Any) -> str:
    """One axis that is drawn, or several, as the engine reads them."""
    return one_or_more if isinstance(one_or_more, str) else ",".join(map(str, np.atleast_1d(one_or_more).tolist()))


def _plain(value: Any) -> Any:
    """A NumPy number, or a path, as JSON has it."""
    return value.item() if isinstance(value, np.generic) else os.fspath(value)


def as_json(named: Mapping[str, Any]) -> str:
    """Options by their names as a JSON object. Numbers that are not finite, which JSON has not and nobody means, are text."""
    return json.dumps({name: str(value) if isinstance(value, float) and not np.isfinite(value) else value for name, value in named.items()},
                      default=_plain)
