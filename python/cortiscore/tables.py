"""Tables as the engine reads them, so that a file is the same table in every command (docs/formats.md)."""
import csv
import dataclasses
import math
import pathlib
import tempfile

from .binary import ask
from .recordings import BadInput

MISSING = ("", "n/a", "na", "nan", "null", "none", "<na>")  # in lower case


@dataclasses.dataclass
class Table:
    """`rows`: a dict a row, by column; None where a value is missing. `kinds`: "number" or "text" a column. `beside`: columns that are
    called what experiments write beside responses (onset, trial, rt ...), or as ids are and hold whole numbers, no two alike. `notes`:
    what a reader should know of the file. `index`: the first column where it counts the rows, whatever it is called."""
    path: pathlib.Path
    columns: list
    kinds: dict
    rows: list
    notes: list
    beside: list
    index: str | None = None

    def column(self, name):
        """:raises BadInput: no such column"""
        if name not in self.columns:
            raise BadInput(f"{self.path}: column \"{name}\": found none (there are: {', '.join(self.columns)}), expected it.")
        return [row[name] for row in self.rows]

    def names(self, name):
        """A column in which every row has a value.
        :raises BadInput: no such column, or rows without a value"""
        values = self.column(name)
        missing = [i for i, value in enumerate(values) if value is None or value.strip().lower() in ("", "n/a")]
        if missing:
            raise BadInput(f"{self.path}: {name}: found none in data row {missing[0] + 1} ({len(missing)} rows), expected a value in every row.")
        return values

    def number(self, i, name):
        """NaN where it is missing. :raises BadInput: text, by its row"""
        text = self.rows[i][name]
        if text is None or text.strip().lower() in MISSING:
            return math.nan
        if is_number(text):
            return float(text)
        raise BadInput(f"{self.path}: {name}: found \"{text}\" in data row {i + 1}, expected a number, or nothing for a missing trial.")


def is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text  # Python's own


def read_table(path):
    """A CSV or TSV file, by the engine's reader.
    :raises BadInput: what cannot be read as a table without a guess; one without rows"""
    [found] = ask("data", "table", path)
    columns = found["columns"]
    if not found["rows"]:
        raise BadInput(f"{path}: found no rows, expected a header line and rows.")
    return Table(pathlib.Path(path), columns, dict(zip(columns, found["kinds"])), [dict(zip(columns, row)) for row in found["rows"]], found["notes"],
                 found["beside"], found["index"])


def written_beside(names):
    """Those names of columns of another container that the engine knows as written beside responses."""
    with tempfile.NamedTemporaryFile("w", suffix=".csv", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([names, [0.5] * len(names), [1.5] * len(names)])
        file.flush()
        return read_table(file.name).beside
