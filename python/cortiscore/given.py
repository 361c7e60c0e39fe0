"""What metrics and ceilings take, handed to the engine: arrays, assemblies, tables and files."""
from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, TypedDict

import numpy as np

from .arguments import as_json, axes
from .assemblies import Assembly, bad_input, unmasked
from .engine import compiled

if TYPE_CHECKING:
    import xarray


class DLPackArray(Protocol):
    """An array of NumPy, torch, CuPy or JAX."""

    def __dlpack__(self, *args: Any, **kwargs: Any) -> Any: ...


class Frame(Protocol):
    """A table of pandas or polars."""

    @property
    def columns(self) -> Any: ...
    def __getitem__(self, key: Any, /) -> Any: ...


if TYPE_CHECKING:
    Path: TypeAlias = str | os.PathLike[str]
    Array: TypeAlias = DLPackArray | Assembly | xarray.DataArray | Path
    Table: TypeAlias = Frame | Mapping[str, Sequence[Any]] | xarray.DataArray | Path
    Labels: TypeAlias = Sequence[Any] | DLPackArray | Path
    Splits: TypeAlias = Iterable[tuple[Any, Any]] | Iterable[Mapping[str, Any]] | Path
    Result: TypeAlias = dict[str, Any]


class Uncertainty(TypedDict, total=False):
    """The bootstrap, docs/metrics.md. `bootstrap`: draws, 0 for none. `over`: what is drawn: neuroid, presentation, split, subject, as the
    metric has them. `level` and `interval`: of the interval."""

    bootstrap: int
    over: str | Sequence[str]
    level: float
    interval: Literal["percentile", "bca"]


class Compared(Uncertainty, total=False):
    """Of metrics on arrays, beside Uncertainty. `versus`: a second source, whose score is compared. `permutations`: of the target's
    presentations. `device`: of arrays that are read from files; others are worked on where they are."""

    versus: Array
    permutations: int
    device: str


class Subsets(Compared, total=False):
    """Of metrics that split presentations, beside Compared. `splits`: pairs of train and test indices (or of "train" and "test"), counted
    from 0; without them ten of 90 % train, seed 1. `stratify`: labels, one a presentation: each split has its share of each."""

    splits: Splits
    stratify: Labels


class Ceiled(Compared, total=False):
    """Of metrics on neuroids, beside Compared. `trials`: [repetition, presentation, neuroid] behind the target, NaN where missing: adds
    ceiling and ceiled score. `ceiling_splits`: halves. `ceiling_convention`: how a score is divided."""

    trials: Array
    ceiling_splits: int
    ceiling_convention: Literal["r2_over_c", "r_over_c_squared", "r_over_c"]


class Mapped(Ceiled, Subsets, total=False):
    """Of mappings, beside Ceiled and Subsets. `predictions`: adds them, [split, presentation, neuroid]."""

    predictions: bool


class FixedSplit(Ceiled, total=False):
    """Of mappings with fixed train and test presentations: Ceiled, and `predictions`."""

    predictions: bool


# What the engine takes as data; all else is an option.
_DATA = {"source", "target", "train_source", "train_target", "test_source", "test_target", "stratify", "versus", "trials", "bins", "alphas",
         "baseline_source", "baseline_target"}


def _text(value: Any) -> str:
    """A cell as a CSV has it; "" where it is missing."""
    if value is None or value is np.ma.masked:
        return ""
    try:
        if value != value:
            return ""
    except TypeError:  # pandas.NA is neither
        return ""
    return value.decode() if isinstance(value, bytes) else str(value)


def _table(columns: Iterable[Any], of: Any) -> dict[str, list[str]]:
    plain = lambda column: column.tolist() if hasattr(column, "tolist") else column  # elements of torch's arrays are arrays
    return {str(name): [_text(value) for value in plain(of(name))] for name in columns}


def handed(value: Any) -> Any:
    """An argument as the compiled module takes it."""
    if isinstance(value, Assembly):
        return value._held
    if isinstance(value, (str, os.PathLike)):
        return os.fspath(value)
    if isinstance(value, Mapping):
        return _table(value, value.__getitem__)
    if hasattr(value, "columns") and hasattr(value, "__getitem__"):
        return _table(value.columns, lambda name: value[name].to_list())
    if hasattr(value, "dims") and hasattr(value, "coords"):  # xarray's
        if value.ndim != 1 or not {"truth", "sample_obj"} & set(value.coords):
            return Assembly.from_xarray(value)._held
        along = {name: values.values for name, values in value.coords.items() if values.dims == value.dims and name not in value.dims}
        return _table([*along, "choice"], {**along, "choice": value.values}.__getitem__)
    return unmasked(value)


def _splits(value: Any) -> Any:
    if isinstance(value, (str, os.PathLike)):
        with open(value, encoding="utf-8") as file:
            return json.load(file)
    pairs = [(pair["train"], pair["test"]) if isinstance(pair, Mapping) else pair for pair in value]
    return [{"train": np.asarray(train).tolist(), "test": np.asarray(test).tolist()} for train, test in pairs]


def _as_json(options: Mapping[str, Any]) -> str:
    named = dict(options)
    if "splits" in named:
        named["splits"] = _splits(named["splits"])
    for name in ("over", "axes"):
        if name in named:
            named[name] = axes(named[name])
    return as_json(named)


def _answer(found: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    text, arrays = found
    return {**json.loads(text), **arrays}


def _strata(labels: Any) -> Any:
    """A number for each label; with ids where they have any, by which they are matched."""
    if hasattr(labels, "coords") and hasattr(labels, "values"):  # an Assembly's or xarray's
        labels = labels.to_xarray() if isinstance(labels, Assembly) else labels
        return Assembly.from_xarray(labels.copy(data=_codes(labels.values)))
    return _codes(labels)


def _codes(labels: Any) -> Any:
    if np.ma.is_masked(labels):
        raise bad_input("stratify: found masked labels, expected one a presentation. Leave these presentations out.")
    labels = np.asarray(labels)
    if labels.dtype.kind == "O" and any(_text(label) == "" for label in labels.ravel()):
        raise bad_input("stratify: found a label that is missing, expected one a presentation. Leave these presentations out.")
    return np.unique(labels, return_inverse=True)[1].astype(float).reshape(labels.shape)


def metric(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """A metric by its name. What is None is not given, and has the command line's default.

    :raises cortiscore.Error: with the command line's exit code: 2 an argument, 4 a name, 5 data that do not fit
    """
    given = {key: value for key, value in given.items() if value is not None}
    data = {key: value for key, value in given.items() if key in _DATA}
    if "stratify" in data and not isinstance(data["stratify"], (str, os.PathLike)):
        data["stratify"] = _strata(data["stratify"])
    for key in ("alphas", "bins"):
        if isinstance(data.get(key), (list, tuple)):
            data[key] = np.asarray(data[key], float)
    options = _as_json({key: value for key, value in given.items() if key not in _DATA})
    flags = ["--" + key.replace("_", "-") for key in given]
    return _answer(compiled.metric(name, {key: handed(value) for key, value in data.items()}, options, flags))


def ceiling(name: str, trials: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """A ceiling by its name, as `metric`."""
    return _answer(compiled.ceiling(name, handed(trials), _as_json({key: value for key, value in options.items() if value is not None})))
