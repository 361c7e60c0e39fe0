"""`python -m cortiscore.parquet EXPORT.csv OUT.parquet`: what `cortiscore results export --format parquet` runs.

Columns and order are the CSV's; numbers are float64, text is text, empty cells are null. The CSV is removed.
"""
import math
import os
import pathlib
import sys

from .recordings import BadInput, run

NUMBERS = {"benchmark_version", "score.raw", "score.ceiling", "score.ceiled", "error.sem", "error.ceiled", "error.ci_lo",
           "error.ci_hi", "raw.ci_lo", "raw.ci_hi", "ceiling.error", "null.high", "null.p", "timing_ms.total", "tags.step", "tags.epoch"}


def number_of(tag: str) -> float | None:
    """A tag, which is text, as the number that it says. None where it says none ("last"): what is in `tags` as well leaves a column of
    numbers empty, and does not make text of the others."""
    try:
        number = float(tag)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def main(source, target):
    try:
        import pyarrow
        import pyarrow.csv
        import pyarrow.parquet
    except ImportError:
        os.unlink(source)
        raise BadInput("--format parquet: found no pyarrow in this Python, expected it. pip install pyarrow, or export csv or jsonl.") from None
    with open(source, encoding="utf-8") as file:
        columns = file.readline().rstrip("\r\n").split(",")
    tags = {column for column in NUMBERS if column.startswith("tags.")}
    types = {c: pyarrow.float64() if c in NUMBERS - tags else pyarrow.string() for c in columns}
    table = pyarrow.csv.read_csv(
        source, convert_options=pyarrow.csv.ConvertOptions(column_types=types, strings_can_be_null=True),
        parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True))
    for place, column in enumerate(columns):
        if column in tags:
            numbers = [number_of(tag or "") for tag in table[column].to_pylist()]
            table = table.set_column(place, column, pyarrow.array(numbers, pyarrow.float64()))
    partial = f"{source}.parquet"
    try:
        pyarrow.parquet.write_table(table, partial)
        os.replace(partial, target)
    except OSError as error:
        pathlib.Path(partial).unlink(missing_ok=True)
        raise BadInput(f"{target}: found \"{error.strerror or error}\", expected room and permission to write. Name another place.") from None
    finally:
        os.unlink(source)


if __name__ == "__main__":
    run(lambda: main(*sys.argv[1:]))
