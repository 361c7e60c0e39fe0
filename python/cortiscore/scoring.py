"""`score`: a network on benchmarks, by the engine in this process; numbers are the command line's with the same flags, to the bit."""
from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import torch

from . import live
from .arguments import as_json, axes, listed
from .engine import compiled
from .exporter import refused

if TYPE_CHECKING:
    Path: TypeAlias = str | os.PathLike[str]


def options_text(*, layers, **named):
    """Options of scoring as the engine reads them; what is None keeps its default."""
    if not isinstance(layers, (str, dict, type(None))):
        raise refused("layers", repr(layers), "a layer's name, or {region: layer}")
    named["layers"] = {"": layers} if isinstance(layers, str) else layers or {}
    if named.get("over") is not None:
        named["over"] = axes(named["over"])
    if "candidates_from" in named:  # --from, a word that Python keeps to itself
        named["from"] = named.pop("candidates_from")
    return as_json({name: value for name, value in named.items() if value is not None})


def score(network: Path | torch.nn.Module, benchmarks: Path | Iterable[Path], *, layers: str | Mapping[str, str] | None = None,
          results: Path | None = None, ceiling_convention: Literal["r2_over_c", "r_over_c_squared", "r_over_c"] = "r2_over_c",
          mode: Literal["sklearn", "exact"] = "sklearn", candidates: int = 12, candidates_from: Literal["blocks", "all"] = "blocks",
          choice: Literal["nested", "halves", "committed"] = "nested", bootstrap: int = 1000,
          over: str | Sequence[str] = "neuroid", null: int = 100, memory_gib: float | None = None,
          spill: Path | None = None, again: bool = False, device: str | torch.device | None = None, layer_map: Path | None = None,
          precision: Literal["float32", "tf32", "bf16", "fp16"] = "float32", allow_torchscript: bool = False,
          allow_native_code: bool = False, cuda_graphs: bool = False, input_size: int | None = None, mean: Sequence[float] | None = None,
          std: Sequence[float] | None = None, degrees: float = 8.0, identifier: str | None = None,
          time_bins_ms: Mapping[str, Sequence[Sequence[float]]] | None = None) -> list[dict[str, Any]]:
    """Scores a network on benchmarks: one record (a dict, docs/formats.md) a benchmark.

    network     path of a .pt2 archive, or of activations (.npy, .nc, .csv); or a torch.nn.Module as it stands in memory, whose
                layers are handed over as they arise, on their device, without a file or an export
    benchmarks  an identifier or a manifest's path, or several
    layers      a layer to commit to, or {region: layer}; without it layers compete, by `choice`
    choice      "nested": in every split on its train presentations alone, of RDMs for every subject on the others; "halves": each half
                of the presentations chooses for the other; "committed": not at all, a layer must be named
    candidates, candidates_from   layers that compete at most, evenly spaced in depth; outputs of "blocks", or of "all" layers
    over        of benchmarks that map onto neuroids: what intervals are over, "neuroid", "presentation" or both. The others' records say what theirs are over
    null        draws of what no relation to the recordings would score, which the record says beside the score; 0 for none
    layer_map   a file that `cortiscore layers -o` wrote, for the regions that `layers` does not name
    device      "cpu", "cuda" or "cuda:N" (or a torch.device): runs the network and the mapping. A module's is where its weights are
    memory_gib  for forward passes under way, activations and what becomes of them; layers that do not fit take several passes. None: half
                of what is free
    spill       a folder on a disk, where a layer that does not fit is written in one pass instead
    precision   of forward passes: "float32", "tf32" (on a GPU), "bf16" or "fp16" (torch.autocast); the record says which
    cuda_graphs on a GPU: record the launches of a micro-batch once and start them again; the same bits
    allow_torchscript, allow_native_code  open archives that run code of their own (.pt of torch.jit.save, .pt2 of compile())
    results     a store: what it holds is not scored again, what is scored is durable there before this returns

    Of a module alone, as export() has them: input_size (needed), mean, std, degrees, identifier (its class's name), time_bins_ms.
    A module is scored in eval mode and is left as it was, in whatever mode it is; DistributedDataParallel, torch.compile and
    AveragedModel give the network inside. On the CPU scores are those of its exported archive to the bit.

    Raises cortiscore.Error, and of a module whatever its forward raises.
    """
    named = {"ceiling_convention": ceiling_convention, "mode": mode, "candidates": candidates, "candidates_from": candidates_from,
             "choice": choice, "bootstrap": bootstrap, "over": over, "null": null,
             "memory_gib": memory_gib, "spill": spill, "layer_map": layer_map, "precision": precision}
    results = None if results is None else os.fspath(results)
    in_memory = isinstance(network, torch.nn.Module)
    of_modules = {"input_size": input_size, "mean": mean, "std": std, "identifier": identifier, "time_bins_ms": time_bins_ms,
                  "degrees": None if degrees == 8.0 else degrees}
    of_archives = {"allow_torchscript": allow_torchscript, "allow_native_code": allow_native_code, "cuda_graphs": cuda_graphs}
    for name, value in (of_archives if in_memory else of_modules).items():
        if value is not None and value is not False:
            raise refused(name, repr(value), "nothing: " + ("a module in memory has none" if in_memory else "an archive says it itself"))
    if in_memory:
        with torch.inference_mode(False):
            model, table = live.table_of(network, input_size=input_size, mean=mean, std=std, degrees=degrees, time_bins_ms=time_bins_ms)
        own = live.device_of(model)
        if device is not None and (torch.device(device).type, torch.device(device).index or own.index) != (own.type, own.index):
            raise refused("device", str(device), f"{own}, where the module's weights are", "Leave device away, or move the module")
        scorer = compiled.Scorer(listed(benchmarks), results, options_text(layers=layers, device=str(own), **named))
        text = table.json(identifier or type(model).__name__)
        with live.Snapshot(model, table.alone, table) as snapshot, live.same_draws(), torch.inference_mode(False):
            scorer.open(snapshot.forward, text)
            records = scorer.score(snapshot.forward, text, scorer.digest(snapshot.state()), "{}", again, False, False, 0)
        return [json.loads(record) for record in records]
    if not isinstance(network, (str, os.PathLike)):
        raise refused("network", type(network).__name__, "a path, or a torch.nn.Module")
    options = options_text(layers=layers, device=str(device or "cpu"), allow_torchscript=allow_torchscript,
                           allow_native_code=allow_native_code, cuda_graphs=cuda_graphs, **named)
    return [json.loads(record) for record in compiled.score(os.fspath(network), listed(benchmarks), results, again, options)]
