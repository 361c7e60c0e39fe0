"""How an analysis is shown: JSON without NaN, tables and sentences for terminals, plots for papers."""
import math
import pathlib
import unicodedata
import warnings

from ..recordings import BadInput, Usage, printable, written_whole

FORMATS = (".svg", ".png", ".pdf")


def clean(value):
    """As JSON has it: NaN and infinities are null, NumPy's numbers and arrays are numbers and lists."""
    if isinstance(value, dict):
        return {str(key): clean(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [clean(entry) for entry in value]
    if hasattr(value, "tolist"):
        return clean(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value


def number(value, digits=3):
    """A number for a cell; "-" for none."""
    return "-" if value is None or not math.isfinite(value) else f"{value:.{digits}f}"


def interval(of, digits=3):
    """The interval of an estimate for a cell; "-" for none, and where there is no number either, why."""
    if of["lo"] is None:
        return "-" if of["value"] is not None else of["reason"]
    return f"{number(of['lo'], digits)} .. {number(of['hi'], digits)}"


def in_words(of, level, digits=3):
    """An estimate in a sentence: "0.915 (95 % interval 0.871 to 0.943)"."""
    if of["value"] is None:
        return f"not known ({of['reason']})"
    if of["lo"] is None:
        return f"{number(of['value'], digits)} (no interval)"
    return f"{number(of['value'], digits)} ({percent(level)} interval {number(of['lo'], digits)} to {number(of['hi'], digits)})"


def holds_zero(of):
    """Whether an estimate may not be told from zero: its interval holds zero, or there is none."""
    return of["lo"] is None or of["lo"] <= 0 <= of["hi"]


def percent(share):
    return f"{100 * share:g} %"


def counted(n, one, many=None):
    """"1 network", "2 networks"."""
    return f"{n} {one if n == 1 else many or one + 's'}"


def width(text):
    """Columns of a terminal that text takes."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def text_table(header, rows, left=1):
    """Lines of a table; the first `left` columns and the last, where it is text, are flush left. Cells are made printable."""
    cells = [[printable(cell) for cell in row] for row in [header, *rows]]
    widths = [max(width(row[i]) for row in cells) for i in range(len(header))]

    def cell(text, i):
        room = " " * (widths[i] - width(text))
        return text + room if i < left else room + text

    return ["  ".join(cell(text, i) for i, text in enumerate(row)).rstrip() for row in cells]


def with_figure(path, draw, size):
    """Draws with matplotlib's axes into a file: draw(figure).

    :raises Usage: a format that is none of ours
    :raises BadInput: no matplotlib
    """
    path = pathlib.Path(path)
    if path.suffix.lower() not in FORMATS:
        raise Usage(f"--plot: found {path.name}, expected a name that ends with {', '.join(FORMATS)}.")
    if not path.parent.is_dir():
        raise BadInput(f"{path.parent}: found no such folder, expected one to write the plot to.")
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError:
        raise BadInput("--plot: found no matplotlib in this Python, expected it. pip install matplotlib, or leave --plot out.") from None
    # Names are text: no mathematics between dollars, and the same file for the same numbers.
    with matplotlib.rc_context({"text.parse_math": False, "svg.hashsalt": "cortiscore", "svg.fonttype": "path", "axes.spines.top": False,
                                "axes.spines.right": False, "font.size": 9}):
        figure = Figure(figsize=size, layout="constrained")
        draw(figure)
        with written_whole(path) as temporary, warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph")  # of scripts that the font lacks: a box stands for them
            dated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
            kind = path.suffix.lower()[1:]
            figure.savefig(temporary, format=kind, dpi=110, metadata=dated.get(kind))
