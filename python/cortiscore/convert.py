"""Write checkpoints (.pth, .pt, .ckpt, .bin) as .safetensors: tensors by name, no code, which `cortiscore sweep --graph` runs.

    cortiscore model convert 'run7/*.pth' -o weights [--graph NET.pt2] [--key ema.state_dict]

The state dict is the file itself, or found in it under a usual key; beginnings of names that wrappers add (module.,
_orig_mod., model.) go. With --graph, names, shapes and dtypes are held to the archive's. Files are read with
torch.load(weights_only=True), which runs no code.
"""
import argparse
import difflib
import glob
import json
import os
import pathlib
import sys
import zipfile

import torch

from .recordings import BadInput, run, written_whole

KEYS = ("state_dict", "model_state_dict", "model", "module", "net", "network", "weights", "params")
EMA = ("state_dict_ema", "model_ema", "ema", "ema_state_dict", "params_ema")
WRAPPERS = ("module.", "_orig_mod.", "model.", "net.", "network.", "backbone.", "encoder.")


def is_state(value):
    return isinstance(value, dict) and bool(value) and all(isinstance(k, str) for k in value) and \
        any(isinstance(v, torch.Tensor) for v in value.values()) and not any(isinstance(v, dict) for v in value.values())


def load(path):
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except FileNotFoundError as error:
        raise BadInput(f"{path}: found no such file, expected a checkpoint.") from error
    except Exception as error:  # the unpickler's errors are of many kinds
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        if "Unsupported" in str(error) or "weights_only" in str(error).lower():
            raise BadInput(f"{path}: found objects beside tensors that only code can restore, expected a state dict. Save it anew with "
                           "torch.save(model.state_dict(), FILE), or use cortiscore.export(model, FILE) where the model is.") from error
        raise BadInput(f"{path}: found \"{first}\", expected what torch.save writes. Write or copy the file again.") from error


def find_state(found, path, key):
    """The dict of tensors in a checkpoint, and what else it might have been."""
    if key:
        for part in key.split("."):
            if not isinstance(found, dict) or part not in found:
                there = ", ".join(map(str, found)) if isinstance(found, dict) else type(found).__name__
                raise BadInput(f"{path}: found no \"{key}\" (there are: {there[:300]}), expected a state dict there.")
            found = found[part]
        if not is_state(found):
            raise BadInput(f"{path}: \"{key}\": found {type(found).__name__}, expected a dict of tensors.")
        return found, []
    if is_state(found):
        return found, []
    if not isinstance(found, dict):
        raise BadInput(f"{path}: found {type(found).__name__}, expected a dict of tensors.")
    plain = [k for k in KEYS if is_state(found.get(k))]
    averaged = [k for k in EMA if is_state(found.get(k))]
    others = [k for k, v in found.items() if is_state(v) and k not in KEYS + EMA and k != "optimizer"]
    choice = (plain or averaged or (others if len(others) == 1 else []))[:1]
    if not choice:
        raise BadInput(f"{path}: found {', '.join(map(str, found))[:300]}, expected a state dict under one of {', '.join(KEYS)}. "
                       "Name it with --key.")
    return found[choice[0]], [k for k in plain + averaged if k != choice[0]]


def names_of(graph):
    """Name, shape and dtype of every weight of an archive, as its state_dict() had them."""
    with zipfile.ZipFile(graph) as archive:
        names = archive.namelist()
        config = next((n for n in names if n.endswith("weights_config.json")), None)
        if not config:
            raise BadInput(f"{graph}: found no table of weights, expected a .pt2 archive of `cortiscore model export`.")
        table = next((json.loads(archive.read(n)) for n in names if n.endswith("extra/cortiscore.json")), {})
        weights = json.loads(archive.read(config))["config"]
    prefix = table.get("parameter_prefix", "")
    return {name.removeprefix(prefix): [size["as_int"] for size in entry["tensor_meta"]["sizes"]] for name, entry in weights.items()}


def strip(state, wanted, prefixes):
    """Names without the beginnings that every one of them has and that a wrapper adds."""
    while True:
        tensors = [k for k, v in state.items() if isinstance(v, torch.Tensor)]
        if wanted and set(wanted) <= set(tensors):
            return state
        prefix = next((p for p in prefixes if tensors and all(k.startswith(p) for k in tensors)), None)
        if not prefix:
            return state
        state = {k.removeprefix(prefix): v for k, v in state.items()}


def check(state, wanted, path, graph):
    missing = sorted(set(wanted) - set(state))
    extra = sorted(k for k in set(state) - set(wanted) if not k.endswith("num_batches_tracked"))
    if missing or extra:
        first = missing[0] if missing else extra[0]
        near = difflib.get_close_matches(first, extra if missing else list(wanted), 1, 0.4)
        hint = f"; the nearest to \"{first}\" is \"{near[0]}\"" if near else f", such as \"{first}\""
        raise BadInput(f"{path}: found {len(missing)} of the weights of {graph} missing and {len(extra)} that it does not have{hint}, "
                       "expected the same names. Is it the same architecture? --strip takes a beginning off every name.")
    for name, shape in wanted.items():
        if list(state[name].shape) != shape:
            raise BadInput(f"{path}: {name}: found shape {list(state[name].shape)}, expected {shape} as in {graph}.")


def convert(path, output, key=None, prefixes=WRAPPERS, graph=None, wanted=None):
    """One checkpoint to one .safetensors file, visible when whole. Returns a line about it."""
    from safetensors.torch import save_file

    state, passed_over = find_state(load(path), path, key)
    state = strip(state, wanted, prefixes)
    tensors = {k: v.detach().clone().contiguous() for k, v in state.items() if isinstance(v, torch.Tensor)}
    if wanted is not None:
        check(tensors, wanted, path, graph)
    bad = next((k for k, v in tensors.items() if v.is_floating_point() and not bool(torch.isfinite(v).all())), None)
    output.parent.mkdir(parents=True, exist_ok=True)
    try:
        with written_whole(output) as temporary:
            save_file(tensors, temporary)
    except OSError as error:
        raise BadInput(f"{output}: found \"{error.strerror}\", expected room and permission to write.") from error
    line = f"{output}: {len(tensors)} tensors, {sum(v.numel() * v.element_size() for v in tensors.values()) / 2**20:.1f} MiB"
    if passed_over:
        line += f"; not taken: {', '.join(passed_over)} (--key)"
    return line + (f"; warning: {bad} is not finite" if bad else "")


def main(words):
    parser = argparse.ArgumentParser(prog="cortiscore model convert", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoints", nargs="+", help="files, or quoted patterns")
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True, help="folder; files keep their names, and the folders they differ in")
    parser.add_argument("--graph", type=pathlib.Path, help="archive whose weights' names and shapes they must have")
    parser.add_argument("--key", help="where in a checkpoint the state dict is, e.g. state_dict or ema.model")
    parser.add_argument("--strip", action="append", default=[], help="another beginning that goes where every name has it")
    arguments = parser.parse_args(words)
    paths = []
    for pattern in arguments.checkpoints:
        found = sorted(glob.glob(pattern, recursive=True)) if glob.has_magic(pattern) and not os.path.exists(pattern) else [pattern]
        if not found:
            raise BadInput(f"{pattern}: found no file, expected checkpoints. Quote the pattern so that the shell leaves it alone.")
        paths += map(pathlib.Path, found)
    wanted = names_of(arguments.graph) if arguments.graph else None
    base = pathlib.Path(os.path.commonpath([p.absolute().parent for p in paths]))
    places = {}
    for path in paths:
        place = arguments.output / path.absolute().relative_to(base).with_suffix(".safetensors")
        if places.setdefault(place, path) != path:
            raise BadInput(f"{path}: found {places[place]} with the same name but for its end, expected one file for {place}.")
    failed = 0
    for place, path in places.items():
        try:
            print(convert(path, place, arguments.key, (*arguments.strip, *WRAPPERS), arguments.graph, wanted), flush=True)
        except BadInput as error:
            failed += 1
            print(f"cortiscore: {error}", file=sys.stderr)
    print(f"{len(places) - failed} of {len(places)} checkpoints written", file=sys.stderr)
    if failed:
        sys.exit(3)


if __name__ == "__main__":
    run(lambda: main(sys.argv[1:]))
