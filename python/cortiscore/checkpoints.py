"""Reads checkpoints as training leaves them, without running code from them (unpickle.py), and finds weights in them."""
import collections
import functools
import io
import json
import mmap
import pathlib
import re
import sys
import warnings
import zipfile
import zlib

import torch

from . import weight_names
from .recordings import BadInput, check_file
from .unpickle import Global, Placeholder, Ref, bad, dtype_of, read_pickled, shown, text_of

PLAIN = ("state_dict", "model_state_dict", "model", "module", "net", "network", "weights", "params")
AVERAGED = ("state_dict_ema", "model_ema", "ema", "ema_state_dict", "params_ema")
NO_WEIGHTS = {"grad", "grads", "gradient", "gradients", "delta", "deltas", "diff", "exp_avg", "exp_avg_sq", "momentum", "momentum_buffer", "velocity",
              "fisher", "mask", "masks"}  # what is of a weight's name and shape, and is none
_SCALES = re.compile(r"(.*_)?scales?(_inv)?")
INDEX = ".index.json"
_MOST_ENTRIES = 1_000_000  # values walked through in search of weights
_SAFETENSORS = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64, "I32": torch.int32,
                "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8, "BOOL": torch.bool, "U16": torch.uint16, "U32": torch.uint32,
                "U64": torch.uint64, "F8_E4M3": torch.float8_e4m3fn, "F8_E5M2": torch.float8_e5m2, "C64": torch.complex64}


def _read_torch(path):
    try:
        if path.stat().st_size == 0:
            raise ValueError("an empty file")
        with warnings.catch_warnings(), open(path, "rb") as file:
            warnings.simplefilter("ignore")
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            if mapped[257:262] == b"ustar":
                raise bad(path, "a tar archive, or the format of PyTorch 0.1", "what torch.save writes", "Unpack it, or save it anew")
            return read_pickled(mapped, path), {}
    except BadInput:
        raise
    except (OSError, MemoryError) as error:
        raise bad(path, f"\"{getattr(error, 'strerror', None) or 'more than memory holds'}\"", "a checkpoint that can be read", "Look at the file") from error
    except Exception as error:  # a damaged pickle fails in every way
        first = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        raise bad(path, f"\"{first}\"", "what torch.save writes", "Write or copy the file again") from error


def _read_safetensors(path):
    from safetensors import SafetensorError, safe_open

    try:
        file = safe_open(path, framework="pt")
        found = {}
        for name in file.keys():
            part = file.get_slice(name)
            dtype = _SAFETENSORS.get(str(part.get_dtype()))
            if dtype is None:
                found[name] = Placeholder(f"safetensors {part.get_dtype()}")
            else:
                found[name] = Ref(tuple(part.get_shape()), dtype, functools.partial(file.get_tensor, name), (str(path), name))
        return found, dict(file.metadata() or {})
    except (SafetensorError, OSError, ValueError) as error:
        raise bad(path, f"\"{str(error).splitlines()[0][:200]}\"", "a whole .safetensors file", "Write or copy the file again") from error


def _read_shards(index):
    """The files that an index of Hugging Face names, as one."""
    try:
        shards = json.loads(index.read_text())["weight_map"]
        of_shard = collections.defaultdict(list)
        for name, shard in shards.items():
            if pathlib.PurePath(shard).name != shard:
                raise bad(index, f"the shard \"{shard}\"", "names of files beside it", "Write the index again")
            of_shard[shard].append(name)
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise bad(index, f"\"{error}\"", "{\"weight_map\": {name: file}}", "Write the index again") from error
    found, metadata = {}, {}
    for shard, names in of_shard.items():
        part, more = _open(index.parent / shard)
        metadata |= more
        for name in names:
            if name not in part:
                raise bad(index, f"\"{name}\" said to be in {shard}, which has it not", "shards of this index", "Fetch all of them again")
            found[name] = part[name]
    return found, metadata


_TO_TORCH = "python -m torch.distributed.checkpoint.format_utils dcp_to_torch"


def _read_distributed(folder):
    """A folder of torch.distributed.checkpoint: `.metadata` says which bytes of which file are which part of a tensor."""
    what = f"a folder of torch.distributed.checkpoint (FSDP shards), which `{_TO_TORCH} {folder} FILE.pth` turns into one file"
    try:
        meta = _read_torch(folder / ".metadata")[0].attributes()
        stored = {}
        for index, info in meta["storage_data"].items():
            at = index.attributes()
            stored[at["fqn"], tuple(at.get("offset") or ())] = info.attributes()
        found = {}
        for name, entry in meta["state_dict_metadata"].items():
            entry = entry.attributes() if isinstance(entry, Placeholder) else {}
            if "chunks" not in entry:
                continue  # bytes of something that is no tensor
            dtype = _dtype_of_properties(entry["properties"])
            shape = tuple(entry["size"])
            parts = [(tuple(chunk["offsets"]), tuple(chunk["sizes"])) for chunk in (c.attributes() for c in entry["chunks"])]
            pieces = [(offset, size, stored[name, offset]) for offset, size in parts]
            found[name] = Ref(shape, dtype, functools.partial(_assembled, folder, shape, dtype, pieces), (str(folder), name))
        return found, {}
    except BadInput as error:
        raise BadInput(f"{folder}: found {what}, whose .metadata is damaged, expected a whole one. ({error})") from error
    except (AttributeError, KeyError, TypeError, ValueError, IndexError) as error:
        raise bad(folder, f"{what}, of a form that is not known here", "that file", "Turn it into one file") from error


def _dtype_of_properties(properties):
    state = properties.attributes() if isinstance(properties, Placeholder) else {}
    found = state.get("dtype") or (properties.state[0] if isinstance(properties.state, tuple) else None)
    dtype = dtype_of(found.name) if isinstance(found, Global) else None
    if dtype is None:
        raise ValueError("no dtype")
    return dtype


def _assembled(folder, shape, dtype, pieces):
    whole = torch.empty(shape, dtype=dtype)
    covered = 0
    for offset, size, info in pieces:
        if info.get("transform_descriptors") or pathlib.PurePath(info["relative_path"]).name != info["relative_path"]:
            raise ValueError("transformed bytes")
        with open(folder / info["relative_path"], "rb") as file:
            file.seek(info["offset"])
            data = file.read(info["length"])
        part = read_pickled(io.BytesIO(data), None, data)
        if not isinstance(part, Ref) or part.shape != size:
            raise ValueError(f"no tensor of shape {size} in {info['relative_path']}")
        view = whole
        for axis, (start, length) in enumerate(zip(offset, size, strict=True)):
            view = view.narrow(axis, start, length)
        view.copy_(part.load())
        covered += view.numel()
    if covered != whole.numel():
        raise ValueError("parts that do not make a whole")
    return whole


def weights_of_folder(folder):
    """The file, index or folder in which a folder of a checkpoint has its weights, or None."""
    if (folder / ".metadata").is_file():
        return folder
    for name in ("model.safetensors", "pytorch_model.bin"):
        for path in (folder / name, folder / (name + INDEX)):
            if path.is_file():
                return path
    found = sorted(folder.glob("*" + INDEX)) or sorted(folder.glob("*.safetensors"))
    return found[0] if len(found) == 1 else None


def _open(path):
    """What a checkpoint holds, and its metadata."""
    path = pathlib.Path(path)
    if path.is_dir():
        found = weights_of_folder(path)
        if found == path:
            return _read_distributed(path)
        if found is None:
            deepspeed = (path / "zero_to_fp32.py").exists() or any(path.glob("zero_pp_rank_*")) or any(path.glob("*/zero_pp_rank_*"))
            inside = ", ".join(sorted(p.name for p in path.iterdir())[:5]) or "nothing"
            raise bad(path, "shards of DeepSpeed" if deepspeed else f"a folder of {inside}",
                      "a checkpoint, or a folder with model.safetensors or its index",
                      "Merge them with its zero_to_fp32.py" if deepspeed else "Name the file")
        return _open(found)
    check_file(path, "a checkpoint")
    if path.name.endswith(INDEX):
        return _read_shards(path)
    if path.suffix == ".distcp":
        raise bad(path, "one shard of torch.distributed.checkpoint", "the folder", f"Give the folder, {path.parent}")
    return _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)


# ---- Weights among it ---------------------------------------------------------------------------------------------------


def _is_module(value):
    return isinstance(value, Placeholder) and all(isinstance(value.attributes().get(part), dict) for part in ("_parameters", "_buffers", "_modules"))


def _entries(value):
    """Names and values inside a value."""
    if _is_module(value):
        state = value.attributes()
        transient = state.get("_non_persistent_buffers_set")
        transient = transient if isinstance(transient, (set, frozenset, list, tuple)) else ()
        return [*state["_parameters"].items(), *((k, v) for k, v in state["_buffers"].items() if k not in transient), *state["_modules"].items()]
    if isinstance(value, Placeholder):
        return value.attributes().items()
    if isinstance(value, dict):
        return value.items()
    return enumerate(value) if isinstance(value, (list, tuple)) else ()


def _named_entries(value):
    return [(str(text_of(key)), entry) for key, entry in _entries(value) if isinstance(key, (str, bytes, int))]


def flatten(found):
    """({dotted name: Ref}, {dotted name: the state it is of}, {dotted name: Placeholder}) of a checkpoint."""
    tensors, states, others, walked = {}, {}, {}, 0
    stack = [("", found, None, ())]
    while stack:
        path, value, module, above = stack.pop()
        if id(value) in above or len(above) > 32:
            continue
        scripted = isinstance(value, Placeholder) and value.name.startswith("__torch__.")
        module = module if module is not None else path if scripted or _is_module(value) else None
        inside = []
        for key, entry in _named_entries(value):
            walked += 1
            if walked > _MOST_ENTRIES:
                raise ValueError("more than a million values")
            if path or not key.lower().startswith("optim"):
                name = f"{path}.{key}" if path else key
                if isinstance(entry, Ref):
                    if name in tensors and tensors[name].same != entry.same:
                        raise ValueError(f"two tensors that are called {name}")
                    tensors[name], states[name] = entry, module if module is not None else path
                else:
                    if isinstance(entry, Placeholder) and not _is_module(entry):
                        others[name] = entry
                    inside.append((name, entry, module, (*above, id(value))))
        stack += reversed(inside)
    return tensors, states, others


def _rank(name):
    """Of a place in a checkpoint: plain states before averaged ones before others."""
    first = name.split(".")[0]
    return 0 if first in ("", *PLAIN) else 1 if first in AVERAGED else 2


def _equal(a, b):
    return a.same == b.same or (a.shape == b.shape and a.dtype == b.dtype and torch.equal(_bits(a.load()), _bits(b.load())))


def _bits(tensor):
    return tensor.contiguous().view(-1).view(torch.uint8) if tensor.numel() else tensor


def read_state(path, wanted=None, key=None, prefix=None, saved_as=None):
    """The state dict of a checkpoint, read without running code from it.

    path    .pth, .pt, .ckpt, .bin, .safetensors, an index of shards, or a folder of one checkpoint (Hugging Face, FSDP)
    wanted  {name: tensor} of the network (its state_dict(), meta tensors will do): names, shapes and dtypes to find. Tensors
            that share a storage are tied.
    key     where in the checkpoint to look, e.g. "ema.state_dict"
    prefix  the beginning of the names that are meant, e.g. "student."; what stands before it in the file need not be given
    saved_as  {name of the network: name that its library saves it under}, of saved_names()
    Returns ({name: tensor}, notes in words): with `wanted` its names, all but num_batches_tracked; without, the file's, less
    what wrappers add. Tensors may be mapped from the file: clone them before you write to it.
    Raises BadInput.
    """
    try:
        return _read_state(pathlib.Path(path), wanted, key, prefix, saved_as or {})
    except weight_names.NoFit as error:
        raise bad(path, error.found, error.expected, error.action) from error
    except (ValueError, OSError, zipfile.BadZipFile, zlib.error) as error:
        raise bad(path, f"\"{str(error).splitlines()[0] if str(error) else type(error).__name__}\"", "a whole checkpoint",
                  "Write or copy the file again") from error


def load_into(model, path, key=None, prefix=None):
    """Puts the weights of a checkpoint into a module, which may have its own names for them. Returns notes in words.
    Raises BadInput, and leaves the module as it was, where one of its weights is missing or of another shape."""
    wanted = {name: value for name, value in model.state_dict().items() if isinstance(value, torch.Tensor)}
    state, notes = read_state(path, wanted, key, prefix, saved_names(model))
    model.load_state_dict(state, strict=False)
    return notes


def _read_state(path, wanted, key, prefix, saved_as):
    found, metadata = _open(path)
    for part in key.split(".") if key else ():
        inside = {name: value for name, value in _named_entries(found)}
        if part not in inside:
            raise bad(path, f"no \"{key}\" (there are: {', '.join(inside)[:300] or 'none'})", "a state dict there", "Check --key")
        found = inside[part]
    tensors, states, others = flatten(found)
    if not tensors:
        inside = ", ".join(name for name, _ in _named_entries(found))[:300]
        raise bad(path, inside or (found.name if isinstance(found, (Placeholder, Global)) else type(found).__name__),
                  f"a state dict under one of {', '.join(PLAIN)}", "Name it with --key")
    # A tensor that a tool's wrapper holds is one of no plain kind: said where it is missed.
    odd = collections.Counter(other.name for other in others.values() if re.match(r"torch\.|torch_|numpy|safetensors", other.name))
    if wanted is None:
        return _as_it_is(path, tensors, states, prefix)
    given = {name: (ref.shape, not ref.dtype.is_floating_point) for name, ref in tensors.items()}
    try:
        fits = weight_names.find_fits({name: tuple(t.shape) for name, t in wanted.items()}, given, _twins(wanted, saved_as), metadata, prefix or "")
    except weight_names.NoFit as error:
        if odd:
            error.found += f"; {sum(odd.values())} entries are no plain tensors ({', '.join(odd)})"
        raise
    fit, passed_over = weight_names.choose(fits, lambda a, b: _equal(tensors[a], tensors[b]),
                                           lambda start: min(_rank(start), 1))
    notes = [f"not taken: \"{other}\" (--prefix)" for other in passed_over]
    refuse_no_weights(path, (source.removesuffix(name) for name, source in fit.sources.items()), key, prefix)
    refuse_unused_scales(path, {source: tensors[source] for source in fit.sources.values()}, tensors)
    of = {states[source] for source in fit.sources.values()}
    left = [name for name in tensors if states[name] in of and name not in set(fit.sources.values()) and weight_names.leaf(name) != weight_names.COUNTER]
    if left:
        notes.append(f"left out {len(left)} tensors that the network does not have, such as \"{left[0]}\"")
    state, changes = {}, _Changes()
    for name, tensor in wanted.items():
        if name in fit.sources:
            state[name] = changes.as_wanted(fit.sources[name], tensors[fit.sources[name]].load().detach(), tensor.dtype)
    return state, [shown(note) for note in notes + changes.notes()]


def refuse_no_weights(path, beginnings, key, prefix):
    """:raises BadInput: weights that are all in a place such as `grads`, which nobody named"""
    words = [word for beginning in dict.fromkeys(beginnings) for word in beginning.split(".") if word.lower() in NO_WEIGHTS]
    if words and not key and not prefix:
        raise bad(path, f"tensors of the weights' names under \"{words[0]}\" alone", f"a state dict under one of {', '.join(PLAIN)}",
                  f"If these are weights, say --prefix {words[0]}.")


def refuse_unused_scales(path, taken, tensors):
    """:raises BadInput: 8-bit floats beside scales, without which they are other numbers"""
    narrow = next((name for name, ref in taken.items() if ref.dtype.is_floating_point and ref.dtype.itemsize == 1), None)
    scales = [name for name in tensors if name not in taken and any(map(_SCALES.fullmatch, name.lower().split(".")))
              and not re.match("(grad_|loss_)?scaler", name.lower())]
    if narrow and scales:
        raise bad(path, f"8-bit floats (\"{narrow}\") beside {len(scales)} scales that no weight of the network is (\"{scales[0]}\")",
                  "weights as the network computes with them", "Multiply each by its scale, and save the products as bfloat16 or float32")


def saved_names(model):
    """{name of a weight: name that save_pretrained gives it}, where the two differ: transformers 5 keeps the files of its earlier
    versions (`vit.encoder.layer.0.` of what is `vit.layers.0.`). Weights that it splits or joins as it saves are not there."""
    transformers = sys.modules.get("transformers")
    kind = getattr(transformers, "PreTrainedModel", None) if transformers else None
    if kind is None:
        return {}
    try:
        from transformers.core_model_loading import revert_weight_conversion
    except ImportError:  # before 5: saved as they are called
        return {}
    found, inside = {}, []
    for place, module in model.named_modules():
        if not isinstance(module, kind) or any(place.startswith(outer) for outer in inside):
            continue
        start = place + "." if place else ""
        inside.append(start)
        own = module.state_dict()
        try:
            saved = {id(tensor): name for name, tensor in revert_weight_conversion(module, own).items()}
        except Exception:  # a network that cannot be saved under the library's names has its own alone
            continue
        differing = {name: saved[id(tensor)] for name, tensor in own.items() if saved.get(id(tensor), name) != name}
        if not set(differing.values()) & set(own):  # else a file's name would be of two weights
            found |= {start + name: start + other for name, other in differing.items()}
    return found


def _twins(wanted, saved_as):
    """{name: other names of the same tensor}, its library's among them."""
    groups = collections.defaultdict(list)
    for name, tensor in wanted.items():
        groups[tensor.untyped_storage()._cdata, tensor.storage_offset(), tuple(tensor.shape)].append(name)
    return {name: [other for other in group if other != name] + [saved_as[same] for same in group if same in saved_as]
            for group in groups.values() for name in group if len(group) > 1 or name in saved_as}


class _Changes:
    """What became of numbers on their way to another dtype."""

    def __init__(self):
        self._widened, self._narrowed, self._largest = [], [], 0.0

    def as_wanted(self, name, tensor, dtype):
        """Half precision stays as it is, since it widens without loss wherever it is used."""
        if tensor.dtype == dtype or (dtype == torch.float32 and tensor.dtype in (torch.float16, torch.bfloat16)):
            return tensor
        if tensor.dtype.is_floating_point != dtype.is_floating_point or tensor.is_complex() != dtype.is_complex:
            raise weight_names.NoFit(f"{name} of dtype {tensor.dtype}", f"{dtype}", "Weights and graph must be of one architecture")
        to = tensor.to(dtype)
        back, was = to.double(), tensor.double()
        if not dtype.is_floating_point:
            if not torch.equal(to.to(tensor.dtype), tensor):
                raise weight_names.NoFit(f"{name} with numbers beyond {dtype}", "numbers that it holds", "Save them as the network has them")
            return to
        if bool((torch.isinf(back) & ~torch.isinf(was)).any()):
            raise weight_names.NoFit(f"{name} with numbers beyond {dtype}", "numbers that it holds", "Look at the weights: training may have diverged")
        if tensor.dtype.itemsize == 1:
            self._widened.append(f"{name} ({str(tensor.dtype).removeprefix('torch.')})")
        change = ((back - was).abs() / was.abs())[(was != 0) & torch.isfinite(was)]
        largest = float(change.max()) if change.numel() else 0.0
        if dtype.itemsize < tensor.dtype.itemsize or largest:
            self._narrowed.append(f"{name} ({str(tensor.dtype).removeprefix('torch.')})")
            self._largest = max(self._largest, largest)
        return to

    def notes(self):
        found = []
        if self._widened:
            found.append(f"widened {len(self._widened)} tensors of 8-bit floats, such as {self._widened[0]}")
        if self._narrowed:
            found.append(f"narrowed {len(self._narrowed)} tensors, such as {self._narrowed[0]}; the largest relative change is {self._largest:.2g}")
        return found


def _as_it_is(path, tensors, states, prefix):
    """A state dict without a network to compare it with: found by its key, with beginnings that wrappers add taken off."""
    groups = collections.defaultdict(dict)
    for name, ref in tensors.items():
        groups[states[name]][name] = ref
    likely = {state: group for state, group in groups.items() if any(ref.dtype.is_floating_point and ref.shape for ref in group.values())}
    if prefix:
        prefix = weight_names.full_prefix(tensors, prefix)
        likely = {"": {name: ref for name, ref in tensors.items() if name.startswith(prefix)}}
        state = ""
    else:
        order = sorted(likely, key=lambda state: (_rank(state), ("", *PLAIN, *AVERAGED).index(state.split(".")[0]) if _rank(state) < 2 else 0))
        if not order or (_rank(order[0]) == 2 and len(order) > 1):
            raise bad(path, ", ".join(order or groups)[:300], f"a state dict under one of {', '.join(PLAIN)}", "Name it with --key")
        state = order[0]
        refuse_no_weights(path, [state], None, None)
        refuse_unused_scales(path, likely[state], tensors)
    notes = [f"not taken: \"{other}\" (--key)" for other in likely if other != state and _rank(other) < 2]
    group = {name.removeprefix(prefix or (state and state + ".")): ref for name, ref in likely[state].items()}
    # What torch puts into names goes wherever it stands; other beginnings only where every name has one.
    inner = weight_names.WRAPPERS - {"module"}
    plain = {".".join(part for part in name.split(".") if part not in inner): name for name in group}
    names = dict(plain) if len(plain) == len(group) else {name: name for name in group}
    for start in ("module.", "model.", "net.", "network.", "backbone.", "encoder.") * 3:
        if all(name.startswith(start) and name != start for name in names):
            names = {name.removeprefix(start): source for name, source in names.items()}
    return {name: group[source].load().detach() for name, source in names.items()}, [shown(note) for note in notes]
