"""Writers of the files that benchmarks read (docs/formats.md): stimulus sets, assemblies, RDMs, tables, and their hashes."""
import argparse
import collections
import contextlib
import csv
import errno
import hashlib
import io
import json
import os
import pathlib
import signal
import stat
import sys
import tempfile
import traceback
import zipfile
import zlib

# NumPy would be most of what a command that only lists recordings takes: the writers of arrays import it.

HASHES = "files.json"  # of a recording's folder: the SHA-256 of every file beside it


class BadInput(Exception):
    """What is wrong with a file: one sentence, and what to do. The command ends with `exit_code`."""

    exit_code = 5


class UnknownName(BadInput):
    """A name that is none of those there are."""

    exit_code = 4


class Usage(BadInput):
    """A flag or an argument that is wrong."""

    exit_code = 2


class _Once(argparse.Action):
    """Keeps the value of a flag, which stands once, as for the engine's own commands: of two, argparse would keep the last."""

    def __call__(self, parser, namespace, values, option_string=None):
        if option_string and self.dest in parser.given:
            raise argparse.ArgumentError(self, f"found it more than once (\"{parser.given[self.dest]}\", \"{values}\"), expected it once")
        parser.given[self.dest] = values
        setattr(namespace, self.dest, values)


class Parser(argparse.ArgumentParser):
    """Flags whose mistakes are said as every other: one line that names the flag."""

    def __init__(self, *arguments, **more):
        super().__init__(*arguments, **more)
        self.given = {}  # by what keeps it, of the line that is read
        for name in (None, "store"):
            self.register("action", name, _Once)

    def parse_known_args(self, *arguments, **more):
        self.given = {}
        return super().parse_known_args(*arguments, **more)

    def error(self, message):
        raise Usage(f"{message}. `{self.prog} --help` lists what it takes.")


def _escaped(character):
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is no UTF-8, as Python keeps it
        return f"\\x{code - 0xDC00:02x}"
    if character in "\n\r\t":
        return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}[character]
    hidden = code < 0x20 or 0x7F <= code < 0xA0 or code == 0x61C or 0x200B <= code <= 0x200F or 0x2028 <= code <= 0x202E or \
        0x2060 <= code <= 0x206F or code == 0xFEFF or 0xD800 <= code <= 0xDFFF or 0xE0000 <= code <= 0xE007F
    return (f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}") if hidden else character


def printable(text):
    """Text of a file, a path or a flag as a terminal may have it: readable text stays, control characters, bytes that are no
    UTF-8 and marks that turn the direction of writing are escaped. As src/core/printable.h."""
    return "".join(map(_escaped, str(text)))


def json_line(value):
    """JSON on one line, as every verb prints it: what `printable` escapes in text is escaped as JSON escapes it, and so is all else
    that is not ASCII. As src/cli/json_line.h."""
    return json.dumps(value, allow_nan=False).replace("\x7f", "\\u007f")


def check_file(path, expected="a file", action="Check the path"):
    """Refuses what cannot be opened and read as a file, before a library waits for a pipe. As size_of of src/data/arrays.h.
    @raises BadInput"""
    path = pathlib.Path(path)
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        found = "a link to a file that is not there" if path.is_symlink() else "no such file"
    except ValueError as error:  # a NUL
        found = str(error)
    except OSError as error:
        found = error.strerror.lower()
    else:
        kinds = ((stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a named pipe"), (stat.S_ISSOCK, "a socket"))
        found = next((kind for is_kind, kind in kinds if is_kind(mode)), "" if stat.S_ISREG(mode) else "a device")
        if not found and not os.access(path, os.R_OK):
            found = os.strerror(errno.EACCES).lower()
    if found:
        raise BadInput(f"{path}: found {found}, expected {expected}. {action}.")


def read_json(path, kind=dict):
    """What a JSON file of ours holds. @raises BadInput  it cannot be read, is no JSON, or holds another kind than list or dict"""
    check_file(path, "a JSON file")
    try:
        value = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path}: found \"{error}\", expected JSON. Write it again, or take it away.") from None
    if not isinstance(value, kind):
        raise BadInput(f"{path}: found {type(value).__name__}, expected {'an object' if kind is dict else 'a list'}. Write it again, or take it away.")
    return value


def default_home():
    if os.environ.get("CORTISCORE_HOME"):
        return pathlib.Path(os.environ["CORTISCORE_HOME"])
    data = os.environ.get("XDG_DATA_HOME") or pathlib.Path.home() / ".local/share"
    return pathlib.Path(data) / "cortiscore"


def _failure(error):
    """(exit code, one line) of what ended a command: a user's file or flag, or a defect of ours."""
    if isinstance(error, BadInput):
        return error.exit_code, str(error)
    if isinstance(error, _OutputLost):  # as src/cli/main.cpp says it
        return 74, f"standard output: not all of it could be written ({error}), expected room. What is said to be stored is stored."
    if isinstance(error, MemoryError):
        return 6, f"out of host memory. {error}".strip()
    if isinstance(error, OSError):
        named = [os.fsdecode(name) for name in (error.filename, error.filename2) if isinstance(name, (str, bytes, os.PathLike))]
        return 5, f"{' to '.join(named) or 'a file'}: found \"{error.strerror or error}\", expected to read or write it."
    if isinstance(error, UnicodeDecodeError):
        return 5, f"a file: found byte 0x{error.object[error.start]:02x} at {error.start}, expected text in {error.encoding}."
    if isinstance(error, (zipfile.BadZipFile, zlib.error)):
        return 5, f"a zip archive: found \"{error}\", expected one that is whole."
    if isinstance(error, json.JSONDecodeError):
        return 5, f"a JSON file: found \"{error}\", expected JSON."
    if isinstance(error, RecursionError):
        return 5, "a file: found lists or objects nested hundreds of times, expected less."
    if isinstance(error, ImportError) and error.name and error.name.partition(".")[0] != __package__:
        return 5, f"Python: found no module {error.name}, expected it in {sys.executable}. Install it there: pip install {error.name}."
    frame = traceback.extract_tb(error.__traceback__)[-1:]
    where = f" ({pathlib.Path(frame[0].filename).name}:{frame[0].lineno})" if frame else ""
    return 70, (f"internal error: {type(error).__name__}: {error}{where}. This is a defect of Cortiscore: please report this line and the "
                "command that printed it (CORTISCORE_DEBUG=1 prints where it happened).")


class _OutputLost(Exception):
    """Standard output could not be written to its end."""


class _Output(io.FileIO):
    """Standard output, whose failures are told apart from those of other files."""

    def write(self, data):
        try:
            return super().write(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())  # lest the interpreter try once more as it ends
            raise _OutputLost(error.strerror) from None


def run(main):
    """Runs a command's main, the one border between exceptions and users: whatever ends it becomes one printable line and a
    documented exit code; Ctrl-C ends it with 130, a reader that left with 141."""
    sys.stdout.flush()
    with contextlib.suppress(io.UnsupportedOperation):  # what is no file cannot fill up
        sys.stdout = io.TextIOWrapper(io.BufferedWriter(_Output(sys.stdout.fileno(), "w", closefd=False)), sys.stdout.encoding,
                                      line_buffering=sys.stdout.isatty())
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")
    try:
        main()
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read the output has had enough, `| head` for one
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)
    except KeyboardInterrupt:
        print("cortiscore: stopped", file=sys.stderr)
        sys.exit(130)
    except SystemExit as stop:
        if not isinstance(stop.code, str):
            raise
        print(f"cortiscore: {printable(stop.code.removeprefix('cortiscore: '))}", file=sys.stderr)
        sys.exit(5)
    except Exception as error:
        if os.environ.get("CORTISCORE_DEBUG"):
            traceback.print_exc()
        code, message = _failure(error)
        print(f"cortiscore: {printable(message)}", file=sys.stderr)
        sys.exit(code)


def digest_of(path, algorithm):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def sha256_of(path):
    return digest_of(path, "sha256")


@contextlib.contextmanager
def written_whole(path):
    """A path to write to, beside `path`: it takes its place when all went well, and is gone where it did not."""
    try:
        handle, temporary = tempfile.mkstemp(suffix=".partial" + path.suffix, dir=path.parent)
    except OSError as error:
        error.filename = os.fspath(path)  # nobody has heard of the temporary one
        raise
    os.close(handle)
    try:
        yield pathlib.Path(temporary)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    finally:
        pathlib.Path(temporary).unlink(missing_ok=True)


def to_repetitions(values, stimulus_of, repetition_of=None):
    """([repetition, stimulus, neuroid], stimuli) of values [presentation, neuroid]: stimuli as they first come, repetitions
    in order, NaN where one is missing; repeated stimuli count up where repetitions have no number."""
    import numpy as np

    if repetition_of is None:
        seen = collections.Counter()
        repetition_of = [(seen.update([stimulus]), seen[stimulus] - 1)[1] for stimulus in stimulus_of]
    stimuli = {stimulus: i for i, stimulus in enumerate(dict.fromkeys(stimulus_of))}
    repetitions = {repetition: i for i, repetition in enumerate(sorted(set(repetition_of)))}
    out = np.full((len(repetitions), len(stimuli), values.shape[1]), np.nan)
    out[[repetitions[r] for r in repetition_of], [stimuli[s] for s in stimulus_of]] = values
    return out, list(stimuli)


def write_hashes(folder):
    """files.json: what `data verify` compares with."""
    files = {path.relative_to(folder).as_posix(): sha256_of(path)
             for path in sorted(folder.rglob("*")) if path.is_file() and path.name != HASHES}
    (folder / HASHES).write_text(json.dumps(files, indent=1) + "\n")


def write_table(path, rows):
    with open(path, "w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def write_stimuli(folder, rows, images):
    """rows: dicts with stimulus_id and filename first; images: filename -> bytes, stored as they are."""
    folder.mkdir(parents=True, exist_ok=True)
    write_table(folder / "stimuli.csv", rows)
    write_images(folder / "stimuli.zip", images.items())


def write_images(path, images):
    """images: pairs (filename, bytes), one after the other; stored as they are, so that the same images are the same archive."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, data in images:
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data)


def _write_netcdf(array, path):
    with written_whole(path) as temporary:
        array.to_netcdf(temporary, engine="h5netcdf", encoding={"data": {"zlib": True, "fletcher32": True}})


def narrowed(values):
    """[presentation, neuroid] as float32, unless that rounds some neuroid's values by more than 1e-5 of their deviation, as it
    does where they lie far from zero."""
    import numpy as np

    with np.errstate(over="ignore", invalid="ignore"):
        single = values.astype(np.float32)
        lost, deviation = np.nanmax(np.abs(values - single), axis=0, initial=0), np.nanstd(values, axis=0)
        fits = np.isfinite(single) | ~np.isfinite(values)
        return single if fits.all() and np.all((lost <= 1e-5 * deviation) | (deviation == 0)) else values


def write_assembly(path, identifier, responses, stimulus, neuroid_ids, region, window_ms, extra):
    """responses [repetition, stimulus, neuroid], NaN where missing; presentations that no neuroid has are left out.
    stimulus: coordinates, one value a stimulus; window_ms: start and end of the one time bin, or None. Returns what was
    written, in words."""
    import numpy as np
    import xarray as xr

    repetitions, n_stimuli, _ = responses.shape
    flat = responses.transpose(1, 0, 2).reshape(n_stimuli * repetitions, -1)
    kept = ~np.isnan(flat).all(axis=1)
    presentation = {name: ("presentation", np.repeat(np.asarray(values), repetitions)[kept])
                    for name, values in stimulus.items()}
    presentation["repetition"] = ("presentation", np.tile(np.arange(repetitions), n_stimuli)[kept])
    bins = {} if window_ms is None else {"time_bin_start": ("time_bin", [window_ms[0]]), "time_bin_end": ("time_bin", [window_ms[1]])}
    values = narrowed(flat[kept])
    _write_netcdf(xr.DataArray(
        values if window_ms is None else values[:, :, None],
        dims=["presentation", "neuroid"] + ([] if window_ms is None else ["time_bin"]),
        coords={**presentation, "neuroid_id": ("neuroid", neuroid_ids), "region": ("neuroid", [region] * len(neuroid_ids)), **bins},
        name="data", attrs={"identifier": identifier, **extra}), path)
    return f"{int(kept.sum())} presentations of {n_stimuli} stimuli, {len(neuroid_ids)} neuroids"


def write_rdms(path, identifier, rdms, subjects, ids, region, extra):
    """rdms [subject, stimulus, stimulus], symmetric with a zero diagonal. Returns what was written, in words."""
    import numpy as np
    import xarray as xr

    rdms = np.asarray(rdms, float)
    if rdms.shape != (len(subjects), len(ids), len(ids)) or not np.allclose(rdms, rdms.transpose(0, 2, 1), atol=1e-6):
        raise BadInput(f"{path}: found RDMs {rdms.shape}, expected symmetric ones, {len(subjects)} x {len(ids)} x {len(ids)}.")
    _write_netcdf(xr.DataArray(
        rdms, dims=["subject", "presentation", "presentation_other"],
        coords={"subject": ("subject", list(subjects)), "stimulus_id": ("presentation", list(ids)),
                "stimulus_id_other": ("presentation_other", list(ids))},
        name="data", attrs={"identifier": identifier, "region": region, **extra}), path)
    return f"RDMs of {len(subjects)} subject(s), {len(ids)} stimuli"
