"""A folder of results from Python, which the command line alone reads and writes: what it exports, and what it takes over."""
import contextlib
import hashlib
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile

from .. import layout
from ..binary import environment
from ..recordings import BadInput, default_home


def results_of(arguments):
    return pathlib.Path(arguments.results) if arguments.results else default_home() / "results"


@contextlib.contextmanager
def running(*words):
    """Lines that a command prints, as it prints them. @raises BadInput  with its message, where it fails"""
    program = layout.binary() or "cortiscore"
    with tempfile.TemporaryFile("w+", errors="replace") as said:
        with subprocess.Popen([program, *map(str, words)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said,
                              text=True, errors="strict", encoding="utf-8", env=environment()) as process:
            try:
                yield process.stdout
            except BaseException:
                process.kill()
                raise
        said.seek(0)
        text = said.read().strip()
    if process.returncode:
        raise BadInput(text.removeprefix("cortiscore: ") or f"`cortiscore {words[0]}` ended with {process.returncode}.")
    if text:
        print(text, file=sys.stderr)


def stored(results, *flags):
    """(line, record) of the current records of a store."""
    with running("results", "export", "--format", "jsonl", "--results", results, *flags) as lines:
        for line in lines:
            yield line.rstrip("\n"), json.loads(line)


def version():
    with running("--version") as lines:
        return next(lines).split()[-1]


CRC32C = []
for _byte in range(256):
    for _ in range(8):
        _byte = (_byte >> 1) ^ (0x82F63B78 if _byte & 1 else 0)
    CRC32C.append(_byte)


def crc32c(data):
    """CRC-32C (Castagnoli), as RFC 3720 has it: of every line of a shard."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = CRC32C[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def shard_line(record):
    text = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return f'{{"crc32c":"{crc32c(text.encode()):08x}","record":{text}}}\n'


def forget_index(folder):
    """Removes the index that the command line made of a folder of results which is gone in a moment; it lies where file_of in
    src/results/index.cpp says."""
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    name = hashlib.sha256(f"{os.path.realpath(folder)}\n{socket.gethostname()}".encode()).hexdigest()[:16]
    for ending in ("sqlite", "sqlite-journal"):
        (cache / "cortiscore/index" / f"{name}.{ending}").unlink(missing_ok=True)


def take_in(records, results):
    """Adds records to a store: as another store that `results merge` takes over. Returns how many were not there."""
    if not records:
        return 0
    with tempfile.TemporaryDirectory(prefix="cortiscore_submission_") as folder:
        (pathlib.Path(folder) / "submission.jsonl").write_text("".join(map(shard_line, records)), encoding="utf-8")
        try:
            with running("results", "merge", folder, "--results", results) as lines:
                text = "".join(lines)
        finally:
            forget_index(folder)
    return int(re.search(r": (\d+) taken", text)[1])
