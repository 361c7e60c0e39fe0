"""Write checkpoints (.pth, .pt, .ckpt, .bin, shards with an index, FSDP folders) as .safetensors, which `cortiscore sweep --graph` runs.

    cortiscore model convert 'run7/*.pth' -o weights [--graph NET.pt2] [--prefix student.] [--key ema.state_dict]

No code of a checkpoint is run: tensors and plain containers are read, whatever stands beside them is passed over. With
--graph, the one beginning of names under which all of the archive's weights are is found (module., model., backbone., ...) and
taken off; what is left out is said, and several sets that differ are refused until --prefix names one. Without it, the state
dict is the file itself, or found under a usual key, and beginnings that wrappers add go where every name has them.
"""
import argparse
import glob
import json
import os
import pathlib
import shutil
import sys
import zipfile

import torch

from .checkpoints import INDEX, bad, read_state
from .recordings import BadInput, Parser, run, written_whole

# torch's own numbers of dtypes in an archive's tables (torch/_export/serde/schema.py).
_DTYPES = {1: torch.uint8, 2: torch.int8, 3: torch.int16, 4: torch.int32, 5: torch.int64, 6: torch.float16, 7: torch.float32, 8: torch.float64,
           9: torch.complex32, 10: torch.complex64, 11: torch.complex128, 12: torch.bool, 13: torch.bfloat16, 28: torch.uint16,
           29: torch.float8_e4m3fn, 30: torch.float8_e5m2}


def names_of(graph):
    """({name: meta tensor} of every weight of an archive, as its state_dict() had them, tied ones sharing a storage; {name: name
    that its library saves it under})."""
    try:
        with zipfile.ZipFile(graph) as archive:
            names = archive.namelist()
            config = next((n for n in names if n.endswith("weights_config.json")), None)
            if not config:
                raise bad(graph, "no table of weights", "a .pt2 archive of `cortiscore model export`", "Export it anew")
            table = next((json.loads(archive.read(n)) for n in names if n.endswith("extra/cortiscore.json")), {})
            weights = json.loads(archive.read(config))["config"]
        prefix, found, tied = table.get("parameter_prefix", ""), {}, {}
        for name, entry in weights.items():
            meta = entry["tensor_meta"]
            sizes = [size["as_int"] for size in meta["sizes"]]
            place = (entry["path_name"], meta["storage_offset"]["as_int"], tuple(sizes))
            tied.setdefault(place, torch.empty(sizes, dtype=_DTYPES[meta["dtype"]], device="meta"))
            found[name.removeprefix(prefix)] = tied[place]
        return found, dict(table.get("saved_names", {}))
    except (OSError, zipfile.BadZipFile) as error:
        raise bad(graph, f"\"{getattr(error, 'strerror', None) or error}\"", "a .pt2 archive of `cortiscore model export`", "Check the path") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise bad(graph, f"a table of weights without {error}", "a .pt2 archive of `cortiscore model export`", "Export it anew") from error


def convert(path, output, key=None, prefix=None, wanted=None, saved_as=None):
    """One checkpoint to one .safetensors file, visible when whole. Returns what was written, in words, and notes."""
    from safetensors.torch import save_file

    state, notes = read_state(path, wanted, key, prefix, saved_as)
    tensors, storages = {}, set()
    for name, tensor in state.items():
        place = tensor.untyped_storage().data_ptr()
        tensors[name] = tensor.contiguous() if place not in storages else tensor.clone(memory_format=torch.contiguous_format)
        storages.add(place)
    bad_name = next((k for k, v in tensors.items() if v.is_floating_point() and v.dtype.itemsize > 1 and not bool(torch.isfinite(v).all())), None)
    if bad_name:
        notes.append(f"{bad_name} is not finite")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(output) as temporary:
            save_file(tensors, temporary)
    except OSError as error:
        raise BadInput(f"{output}: found \"{error.strerror}\", expected room and permission to write.") from error
    return f"{output}: {len(tensors)} tensors, {sum(v.numel() * v.element_size() for v in tensors.values()) / 2**20:.1f} MiB", notes


def place_of(path):
    """Where a checkpoint's weights go, below the output's folder and without the parts that all have."""
    name = path.name.removesuffix(INDEX) if path.name.endswith(INDEX) else path.name
    if path.is_dir():
        return path.with_name(name + ".safetensors")
    return path.with_name(name.removesuffix(".tar")).with_suffix(".safetensors")


def serve(folder):
    """What a sweep asks for, a JSON line a checkpoint: its weights as a file in that folder, or why not. Where the sweep is gone, so is the folder."""
    tables = {}
    try:
        for line in sys.stdin:
            asked = json.loads(line)
            try:
                if asked["graph"] not in tables:
                    tables = {asked["graph"]: names_of(asked["graph"])}
                _, notes = convert(pathlib.Path(asked["path"]), pathlib.Path(asked["output"]), None, asked["prefix"] or None, *tables[asked["graph"]])
                answer = {"notes": notes}
            except BadInput as error:
                answer = {"error": str(error), "code": 5}
            except MemoryError:
                answer = {"error": f"{asked['path']}: found more than memory holds, expected weights that fit into it.", "code": 6}
            print(json.dumps(answer), flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main(words):
    if words[:1] == ["--serve"]:
        return serve(words[1])
    parser = Parser(prog="cortiscore model convert", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoints", nargs="+", help="files, indexes of shards, folders of one checkpoint, or quoted patterns")
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True, help="folder; files keep their names, and the folders they differ in")
    parser.add_argument("--graph", type=pathlib.Path, help="archive whose weights' names and shapes they must have")
    parser.add_argument("--key", help="where in a checkpoint the state dict is, e.g. state_dict or ema.model")
    parser.add_argument("--prefix", help="beginning of the names that are meant, e.g. student.; the others are left out")
    arguments = parser.parse_args(words)
    paths = []
    for pattern in arguments.checkpoints:
        found = sorted(glob.glob(pattern, recursive=True)) if glob.has_magic(pattern) and not os.path.exists(pattern) else [pattern]
        if not found:
            raise BadInput(f"{pattern}: found no file, expected checkpoints. Quote the pattern so that the shell leaves it alone.")
        paths += map(pathlib.Path, found)
    wanted, saved_as = names_of(arguments.graph) if arguments.graph else (None, None)
    base = pathlib.Path(os.path.commonpath([p.absolute().parent for p in paths]))
    places = {}
    for path in paths:
        place = arguments.output / place_of(path.absolute()).relative_to(base)
        if places.setdefault(place, path) != path:
            raise BadInput(f"{path}: found {places[place]} with the same name but for its end, expected one file for {place}.")
    failed = 0
    for place, path in places.items():
        try:
            written, notes = convert(path, place, arguments.key, arguments.prefix, wanted, saved_as)
            print("; ".join([written, *(f"note: {note}" for note in notes)]), flush=True)
        except BadInput as error:
            failed += 1
            print(f"cortiscore: {error}", file=sys.stderr)
    print(f"{len(places) - failed} of {len(places)} checkpoints written", file=sys.stderr)
    if failed:
        sys.exit(3)


if __name__ == "__main__":
    run(lambda: main(sys.argv[1:]))
