"""What there is: `benchmarks` to score on, and `results` that are stored."""
from __future__ import annotations

import json
import os
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, overload

from .engine import compiled
from .parquet import NUMBERS, number_of

if TYPE_CHECKING:
    import pandas
    import polars


def benchmarks(*, region: str | None = None, kind: Literal["neural", "behavior"] | None = None, species: str | None = None,
               modality: str | None = None, access: Literal["public", "private"] | None = None, here: bool = False) -> list[dict[str, Any]]:
    """Every benchmark, by identifier, as `cortiscore benchmark list --json` prints it: a dict with identifier, region, metric, ceiling, here
    (whether its data are on this machine), import (how to get them), citation, licence and more (docs/formats.md).

    :param here: only those whose data are on this machine
    :raises cortiscore.Error: a manifest that cannot be read (exit code 5)
    """
    return [json.loads(text) for text in compiled.benchmarks(region or "", kind or "", species or "", modality or "", access or "", here)]


def _cell(record: Any, column: str) -> Any:
    """What a record has under a dotted name: a number as float, all else as text, lists as JSON; None where it has no such thing."""
    for name in column.split("."):
        record = record.get(name) if isinstance(record, dict) else None
    if isinstance(record, str):
        return number_of(record) if column in NUMBERS else record
    if record is None:
        return None
    return float(record) if column in NUMBERS else json.dumps(record, separators=(",", ":"), ensure_ascii=False)


class Results(Sequence[dict[str, Any]]):
    """Records of a store (docs/formats.md), one a network and benchmark: dicts, and as frames."""

    def __init__(self, records: list[dict[str, Any]]) -> None:
        self._records = records

    @overload
    def __getitem__(self, place: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, place: slice) -> Results: ...
    def __getitem__(self, place: int | slice) -> dict[str, Any] | Results:
        return Results(self._records[place]) if isinstance(place, slice) else self._records[place]

    def __len__(self) -> int:
        return len(self._records)

    def __repr__(self) -> str:
        return f"<cortiscore.Results: {len(self)} records>"

    def columns(self) -> dict[str, list[Any]]:
        """The columns of `cortiscore results export`: numbers are float, None where there is none; all else is text."""
        return {column: [_cell(record, column) for record in self._records] for column in compiled.record_columns()}

    def to_pandas(self) -> pandas.DataFrame:
        """A frame with the columns of `cortiscore results export`, as its Parquet file has them: float64 and text.

        :raises ImportError: pandas is not installed
        """
        try:
            import pandas
        except ImportError as error:
            raise ImportError("to_pandas: found no pandas in this Python, expected it. pip install pandas") from error
        return pandas.DataFrame({column: pandas.Series(values, dtype="float64" if column in NUMBERS else "str")
                                 for column, values in self.columns().items()})

    def to_polars(self) -> polars.DataFrame:
        """As `to_pandas`.

        :raises ImportError: polars is not installed
        """
        try:
            import polars
        except ImportError as error:
            raise ImportError("to_polars: found no polars in this Python, expected it. pip install polars") from error
        return polars.DataFrame([polars.Series(column, values, polars.Float64 if column in NUMBERS else polars.String)
                                 for column, values in self.columns().items()])


def results(folder: str | os.PathLike[str] | None = None, *, network: str | None = None, benchmark: str | None = None,
            status: Literal["ok", "failed"] | None = None) -> Results:
    """The records of a store, sorted by network and benchmark; also while something is being scored.

    :param folder: of the store [$CORTISCORE_HOME/results]
    :param network: only networks like this (*, ?); benchmark likewise
    :raises cortiscore.Error: no such folder (exit code 5). Damaged lines of the store are a UserWarning each, and left out
    """
    texts, damage = compiled.records("" if folder is None else os.fspath(folder), network or "", benchmark or "", status or "")
    for sentence in damage:
        warnings.warn(sentence, stacklevel=2)
    return Results([json.loads(text) for text in texts])
