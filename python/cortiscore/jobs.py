"""Work on networks beside `score`: `sweep` many checkpoints, profile `layers`, `extract` activations."""
from __future__ import annotations

import json
import os
import pathlib
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from . import binary, layout
from .arguments import axes, listed
from .assemblies import Assembly
from .engine import Error, compiled
from .recordings import written_whole

if TYPE_CHECKING:
    Path: TypeAlias = str | os.PathLike[str]
    Precision: TypeAlias = Literal["float32", "tf32", "bf16", "fp16"]


def _flags(named: Mapping[str, Any]) -> list[str]:
    """Arguments as the command line's flags; what is None, or False, is left to its default."""
    words = []
    for name, value in named.items():
        flag = "--" + name.replace("_", "-")
        if value is True:
            words.append(flag)
        elif value is not None and value is not False:
            words += [flag, os.fspath(value) if isinstance(value, os.PathLike) else str(value)]
    return words


def _lines(words: list[str], each: Callable[[Any], object]) -> tuple[int, str]:
    """(exit code, standard error) of the command line; `each` gets the JSON of every line as it is printed. Ctrl-C stops it as well."""
    program = layout.binary() or "cortiscore"
    with tempfile.TemporaryFile() as errors, subprocess.Popen([program, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors,
                                                              text=True, env=binary.environment()) as running:
        assert running.stdout
        try:
            for line in running.stdout:
                each(json.loads(line))
            running.wait()
        except BaseException:  # KeyboardInterrupt above all: what is stored stays, and the same call goes on from there
            running.send_signal(signal.SIGINT)
            running.stdout.read()  # it may be waiting for room to print, and would not see the signal before
            running.wait()
            raise
        errors.seek(0)
        return running.returncode, errors.read().decode(errors="replace")


def sweep(checkpoints: Path | Iterable[Path] = (), benchmarks: str | Iterable[Path] = (), *, checkpoint_table: Path | None = None,
          graph: Path | None = None, prefix: str | None = None, shard: str | None = None, limit: int | None = None,
          max_failures: int | None = None, dry_run: bool = False, layers: str | Mapping[str, str] | None = None, layer_map: Path | None = None,
          candidates: int | None = None, candidates_from: Literal["blocks", "all"] | None = None,
          choice: Literal["nested", "halves", "committed"] | None = None,
          ceiling_convention: Literal["r2_over_c", "r_over_c_squared", "r_over_c"] | None = None,
          mode: Literal["sklearn", "exact"] | None = None, bootstrap: int | None = None,
          over: str | Sequence[str] | None = None, null: int | None = None, memory_gib: float | None = None,
          spill: Path | None = None, device: str | None = None, precision: Precision | None = None, cuda_graphs: bool = False,
          allow_torchscript: bool = False, allow_native_code: bool = False, results: Path | None = None, again: bool = False,
          threads: int | None = None, each: Callable[[dict[str, Any]], object] | None = None) -> list[dict[str, Any]]:
    """Many checkpoints on benchmarks, each pair once, as `cortiscore sweep`: the records (docs/formats.md) of the pairs that were scored
    now, failures among them (`record["status"]`). What the store holds is not scored again; `cortiscore.results` has all.

    A sweep has processes of its own, one a device: this runs the command line's program. Ctrl-C stops it, and the same call goes on from
    there. Arguments are those of `cortiscore sweep --help`; those of scoring mean what they do in `cortiscore.score`.

    :param checkpoints: paths, patterns or folders of a run: .pt2 archives, activations, or with `graph` weights
    :param checkpoint_table: CSV with a column model, optionally weights and identifier; other columns are tags
    :param graph: the archive whose graph runs the weights; `prefix`: the beginning of the names in weight files that are meant
    :param shard: "I/N", a part of the checkpoints
    :param limit: pairs to score at most; max_failures: stop after so many
    :param dry_run: score nothing: the one dict returned says what would run, with time and memory
    :param device: "cpu", "cuda", "cuda:N", a list with commas, or "cuda:all": a process each
    :param each: called with every record as it comes
    :raises cortiscore.Error: with the command line's exit code where nothing could be swept: 2 an argument, 4 a name, 5 a file
    """
    committed = [layers] if isinstance(layers, str) else [f"{region}={layer}" for region, layer in (layers or {}).items()]
    words = ["--quiet", "sweep", "--json", *listed(checkpoints)]
    for flag, values in (("--benchmark", listed(benchmarks)), ("--layer", committed)):
        for value in values:
            words += [flag, value]
    words += _flags({"checkpoint_table": checkpoint_table, "graph": graph, "prefix": prefix, "shard": shard, "limit": limit,
                     "max_failures": max_failures, "dry_run": dry_run, "layer_map": layer_map, "candidates": candidates, "from": candidates_from,
                     "choice": choice,
                     "ceiling_convention": ceiling_convention, "mode": mode, "bootstrap": bootstrap,
                     "over": over if over is None else axes(over), "null": null, "memory_gib": memory_gib, "spill": spill,
                     "device": device, "precision": precision, "cuda_graphs": cuda_graphs, "allow_torchscript": allow_torchscript,
                     "allow_native_code": allow_native_code, "results": results, "again": again, "threads": threads})
    records: list[dict[str, Any]] = []

    def take(record: dict[str, Any]) -> None:
        records.append(record)
        if each:
            each(record)

    code, said = _lines(words, take)
    if code not in (0, 3):  # 3: some pairs failed, which their records say
        error = Error(said.strip().removeprefix("cortiscore: ") or f"the sweep ended with {code}")
        error.exit_code = code
        raise error
    return records


class LayerProfiles(NamedTuple):
    """What `layers` found. profiles: one a benchmark, as `cortiscore layers --json` prints it. commitment: the best layer of each region
    and what chose it, which `score(..., layers=commitment["region_layer_map"])` takes."""

    profiles: list[dict[str, Any]]
    commitment: dict[str, Any]


def _loading(device: str, precision: str, cuda_graphs: bool, allow_torchscript: bool, allow_native_code: bool) -> dict[str, Any]:
    return {"device": str(device), "precision": precision, "cuda_graphs": cuda_graphs, "allow_torchscript": allow_torchscript,
            "allow_native_code": allow_native_code}


def layers(network: Path, benchmarks: str | Iterable[Path], *, match: str = "", candidates: int = 0,
           candidates_from: Literal["blocks", "all"] = "all", mode: Literal["sklearn", "exact"] = "sklearn",
           memory_gib: float | None = None, spill: Path | None = None,
           reference_photos: Path | None = None, device: str = "cpu", precision: Precision = "float32", cuda_graphs: bool = False,
           allow_torchscript: bool = False, allow_native_code: bool = False, output: Path | None = None) -> LayerProfiles:
    """Every layer of a network on neural benchmarks, on all their presentations: the profile along depth, and a commitment.

    :param network: a .pt2 archive
    :param match: only layers like this (*, ?); ending with :cls or :mean, their class tokens or means
    :param candidates: only so many, evenly spaced in depth; 0: all
    :param candidates_from: "all" layers, or outputs of "blocks"
    :param memory_gib: for forward passes under way, activations and what becomes of them; half of what is free where it is None
    :param reference_photos: a stimulus set (CSV): layers with more features than photos are kept in their span
    :param output: a file for the commitment, which `score` and `sweep` take as layer_map
    :raises cortiscore.Error: 2 an argument, 4 a name of a benchmark or layer, 5 a file
    """
    options = {"mode": mode, **_loading(device, precision, cuda_graphs, allow_torchscript, allow_native_code),
               **({} if memory_gib is None else {"memory_gib": memory_gib}),
               **{name: os.fspath(path) for name, path in (("spill", spill), ("reference_photos", reference_photos)) if path is not None}}
    texts, chosen = compiled.layers(os.fspath(network), listed(benchmarks), match, candidates_from, candidates, json.dumps(options))
    found = LayerProfiles([json.loads(text) for text in texts], json.loads(chosen))
    if output is not None:
        with written_whole(pathlib.Path(output)) as temporary:
            pathlib.Path(temporary).write_text(json.dumps(found.commitment, indent=2) + "\n", encoding="utf-8")
    return found


def extract(network: Path, stimuli: Path, layers: str | Iterable[str], *, degrees: float = 8, repetitions: int = 1, device: str = "cpu",
            precision: Precision = "float32", cuda_graphs: bool = False, allow_torchscript: bool = False,
            allow_native_code: bool = False) -> dict[str, Assembly]:
    """Activations of layers on a stimulus set: {layer: Assembly}, [presentation, neuroid] float32, with stimulus_id and neuroid_id.

    :param network: a .pt2 archive
    :param stimuli: a CSV with stimulus_id and filename
    :param layers: a layer or several, with :cls or :mean for a class token or a mean over tokens or places
    :param degrees: visual angle of the stimuli
    :param repetitions: presentations of every stimulus, moved by the platform's microsaccades: rows one after the other
    :raises cortiscore.Error: 2 an argument, 4 a layer that is none, 5 a file
    """
    names = listed(layers)
    options = json.dumps(_loading(device, precision, cuda_graphs, allow_torchscript, allow_native_code))
    found = compiled.extract(os.fspath(network), os.fspath(stimuli), names, degrees, repetitions, options)
    return {name: Assembly._of(held) for name, held in zip(names, found)}
