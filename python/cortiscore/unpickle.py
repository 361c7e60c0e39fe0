"""What is in a pickle, without running it.

A pickle is read by the opcodes of the standard library's unpickler, but nothing of what it names is looked up or called:
tensors and plain containers are restored by the functions of _RESTORED, everything else (Namespace, NumPy arrays, paths,
classes) becomes a Placeholder that has a name and the data that came with it. Tensors stay references into the mapped file
until they are asked for.
"""
import dataclasses
import functools
import io
import pathlib
import pickle
import re
import struct
import zipfile
import zlib

import torch

from .recordings import BadInput

_MOST_PICKLE = 1 << 30  # bytes of one pickle
_MAGIC = 0x1950A86A20F9469CFC6C  # with which files of PyTorch before 1.6 begin
_STORAGES = {"DoubleStorage": torch.float64, "FloatStorage": torch.float32, "HalfStorage": torch.float16, "BFloat16Storage": torch.bfloat16,
             "LongStorage": torch.int64, "IntStorage": torch.int32, "ShortStorage": torch.int16, "CharStorage": torch.int8,
             "ByteStorage": torch.uint8, "BoolStorage": torch.bool, "ComplexFloatStorage": torch.complex64,
             "ComplexDoubleStorage": torch.complex128, "UntypedStorage": torch.uint8}
_QUANTISED = {"QInt8Storage": 1, "QUInt8Storage": 1, "QInt32Storage": 4, "QUInt4x2Storage": 1, "QUInt2x4Storage": 1}  # bytes of a number


def bad(path, found, expected, action):
    return BadInput(f"{path}: found {shown(found)}, expected {shown(expected)}. {action}.")


def shown(text):
    """Names of a file as they may be printed."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "replace").decode() for c in text[:1000])


@dataclasses.dataclass(eq=False)
class Ref:
    """A tensor that is still in its file."""

    shape: tuple
    dtype: torch.dtype
    load: object  # () -> the tensor
    same: object  # equal for references to the same bytes


@dataclasses.dataclass(frozen=True)
class Global:
    """The name of a class or function: never looked up."""

    name: str


@dataclasses.dataclass(eq=False, repr=False)
class Placeholder:
    """An object that only code could restore: what it was called, and what came with it."""

    name: str
    args: object = ()
    state: object = None
    entries: list = dataclasses.field(default_factory=list)  # pairs of a mapping

    def attributes(self):
        state = self.state[0] if isinstance(self.state, tuple) and self.state else self.state
        return {**(state if isinstance(state, dict) else {}), **{k: v for k, v in self.entries if isinstance(k, str)}}


@dataclasses.dataclass(eq=False)
class Storage:
    dtype: torch.dtype
    bytes: object  # () -> uint8 tensor

    def tensor(self, offset, size, stride, dtype):
        width = dtype.itemsize
        raw = self.bytes()
        n, count = raw.numel() // width, 1
        for length in size:
            count *= length
        last = offset + sum((length - 1) * step for length, step in zip(size, stride, strict=True)) if count else 0
        if count and last >= n:
            raise ValueError("a tensor that reaches beyond its bytes")
        if count * width > max(2 << 30, 64 * raw.numel()):
            raise ValueError(f"a tensor of {count * width >> 30} GiB that repeats {raw.numel()} bytes")
        if raw.data_ptr() % width or raw.storage_offset() % width:  # of before 1.6, where nothing is aligned
            raw = raw.clone()
        flat = raw[: n * width].view(dtype)
        return torch.as_strided(flat, size, stride, flat.storage_offset() + (offset if count else 0))


def dtype_of(name):
    found = getattr(torch, name.removeprefix("torch."), None) if isinstance(name, str) and re.fullmatch(r"torch\.\w+", name) else None
    return found if isinstance(found, torch.dtype) else None


def _tensor(storage, offset, size, stride, dtype, metadata=None):
    numbers = [offset, *size, *stride]
    if not isinstance(storage, Storage) or dtype is None or metadata or not all(type(n) is int and 0 <= n < 1 << 62 for n in numbers) or \
            len(size) != len(stride):
        raise ValueError("no plain tensor")
    size, stride = tuple(size), tuple(stride)
    return Ref(size, dtype, functools.partial(storage.tensor, offset, size, stride, dtype), (id(storage), offset, size, stride, dtype))


def _from_type(function, _type, arguments, _state=None):
    return _made(function, arguments)


def _reconstructed(cls, _base, state):
    made = Placeholder(cls.name if isinstance(cls, Global) else "object")
    if isinstance(state, dict):
        made.entries = list(state.items())
    return made


def _pairs(items=()):
    return dict((_key(k), v) for k, v in (items.items() if isinstance(items, dict) else items))


def _encoded(text, encoding="latin1"):
    if encoding.lower().replace("-", "").replace("_", "") not in ("latin1", "utf8", "ascii", "iso88591"):
        raise ValueError("another encoding")
    return text.encode(encoding)


def _bytes(value=b"", encoding="latin1"):
    return bytes(value) if isinstance(value, (bytes, bytearray, list)) else _encoded(value, encoding)


def _from_bytes(data):
    found = read_pickled(io.BytesIO(data), None, data)
    if not isinstance(found, Storage):
        raise ValueError("no storage")
    return found


# All that is ever called for a pickle, by the names that it uses. Each makes data of data.
_RESTORED = {
    "collections.OrderedDict": _pairs, "collections.Counter": _pairs, "collections.defaultdict": lambda _factory=None, items=(): _pairs(items),
    "builtins.dict": _pairs, "builtins.list": lambda items=(): list(items), "builtins.tuple": lambda items=(): tuple(items),
    "builtins.set": lambda items=(): {_key(i) for i in items}, "builtins.frozenset": lambda items=(): frozenset(_key(i) for i in items),
    "builtins.bytearray": _bytes, "builtins.bytes": _bytes, "_codecs.encode": _encoded, "builtins.complex": lambda a=0, b=0: complex(a, b),
    "torch.Size": lambda items=(): tuple(items), "copyreg._reconstructor": _reconstructed, "torch.storage._load_from_bytes": _from_bytes,
    "torch._utils._rebuild_tensor": lambda s, o, n, t: _tensor(s, o, n, t, s.dtype),
    "torch._utils._rebuild_tensor_v2": lambda s, o, n, t, _grad=False, _hooks=None, m=None: _tensor(s, o, n, t, s.dtype, m),
    "torch._utils._rebuild_tensor_v3": lambda s, o, n, t, _grad, _hooks, d, m=None: _tensor(s, o, n, t, dtype_of(d.name), m),
    "torch._utils._rebuild_parameter": lambda data, *_: data, "torch._utils._rebuild_parameter_with_state": lambda data, *_: data,
    "torch._utils._rebuild_device_tensor_from_cpu_tensor": lambda data, *_: data, "torch.nn.parameter.Parameter": lambda data=None, *_: data,
    "torch._tensor._rebuild_from_type": _from_type, "torch._tensor._rebuild_from_type_v2": _from_type,
}
_OLD_NAMES = {"__builtin__": "builtins", "copy_reg": "copyreg", "torch.tensor": "torch._tensor", "torch.nn": "torch.nn.parameter"}


def _key(key):
    """A key of a dict: plain, or something that hashes by identity (a tuple's hash runs as deep as the tuple)."""
    if isinstance(key, (str, int, float, complex, bytes, type(None), Global, Placeholder)):
        return key
    if isinstance(key, tuple) and all(isinstance(part, (str, int, float, bytes, type(None))) for part in key):
        return key
    return Placeholder("key", key)


def _made(function, arguments):
    name = function.name if isinstance(function, Global) else "object"
    restore = _RESTORED.get(name)
    if restore and isinstance(arguments, tuple):
        try:
            return restore(*arguments)
        except (TypeError, ValueError, AttributeError, LookupError, OverflowError, UnicodeError):
            pass  # not as PyTorch writes it: an object like any other
    return Placeholder(name, arguments)


class _Unpickler(pickle._Unpickler):
    """The standard library's in Python, whose every opcode that would import, call or set something makes data instead."""

    def __init__(self, file, persistent):
        super().__init__(file, encoding="utf-8", errors="surrogateescape")
        self._persistent = persistent

    def _named(self, module, name):
        self.append(Global(f"{_OLD_NAMES.get(module, module)}.{name}"))

    def _global(self):
        module = self.readline()[:-1].decode("utf-8", "replace")
        self._named(module, self.readline()[:-1].decode("utf-8", "replace"))

    def _stack_global(self):
        name, module = self.stack.pop(), self.stack.pop()
        self._named(str(module) if isinstance(module, str) else "?", name if isinstance(name, str) else "?")

    def _reduce(self):
        arguments = self.stack.pop()
        self.stack[-1] = _made(self.stack[-1], arguments)

    def _newobj_ex(self):
        self.stack.pop()
        self._reduce()

    def _inst(self):
        self._global()
        function = self.stack.pop()
        self.append(_made(function, tuple(self.pop_mark())))

    def _obj(self):
        function, *arguments = self.pop_mark()
        self.append(_made(function, tuple(arguments)))

    def _extension(self, length):
        self.read(length)
        self.append(Global("extension"))

    def _build(self):
        state = self.stack.pop()
        made = self.stack[-1]
        if isinstance(made, Placeholder):
            made.state = state

    def _extend(self, items):
        into = self.stack[-1]
        if type(into) is list:
            into.extend(items)
        elif type(into) is set:
            into.update(map(_key, items))
        elif isinstance(into, Placeholder):
            into.entries += [(i, item) for i, item in enumerate(items, len(into.entries))]
        else:
            raise pickle.UnpicklingError("items for what is no list")

    def _set(self, items):
        into, pairs = self.stack[-1], zip(items[::2], items[1::2], strict=True)
        if type(into) is dict:
            into.update((_key(k), v) for k, v in pairs)
        elif isinstance(into, Placeholder):
            into.entries += [(_key(k), v) for k, v in pairs]
        else:
            raise pickle.UnpicklingError("entries for what is no dict")

    def _setitem(self):
        value, key = self.stack.pop(), self.stack.pop()
        self._set([key, value])

    def _dict(self):
        items = self.pop_mark()
        self.append({})
        self._set(items)

    def _bytearray8(self):
        self.append(bytearray(self.read(struct.unpack("<Q", self.read(8))[0])))

    def _refused(self):
        raise pickle.UnpicklingError("out-of-band data")

    dispatch = {**pickle._Unpickler.dispatch, **{code[0]: function for code, function in {
        pickle.GLOBAL: _global, pickle.STACK_GLOBAL: _stack_global, pickle.REDUCE: _reduce, pickle.NEWOBJ: _reduce, pickle.NEWOBJ_EX: _newobj_ex,
        pickle.INST: _inst, pickle.OBJ: _obj, pickle.BUILD: _build, pickle.SETITEM: _setitem, pickle.DICT: _dict,
        pickle.EXT1: lambda self: self._extension(1), pickle.EXT2: lambda self: self._extension(2), pickle.EXT4: lambda self: self._extension(4),
        pickle.APPEND: lambda self: self._extend([self.stack.pop()]), pickle.APPENDS: lambda self: self._extend(self.pop_mark()),
        pickle.ADDITEMS: lambda self: self._extend(self.pop_mark()), pickle.SETITEMS: lambda self: self._set(self.pop_mark()),
        pickle.FROZENSET: lambda self: self.append(frozenset(map(_key, self.pop_mark()))),
        pickle.BINPERSID: lambda self: self.append(self._persistent(self.stack.pop())),
        pickle.PERSID: lambda self: self.append(self._persistent(self.readline()[:-1].decode("ascii", "replace"))),
        pickle.BYTEARRAY8: _bytearray8, pickle.NEXT_BUFFER: _refused, pickle.READONLY_BUFFER: _refused}.items()}}


def _mapped(path):
    """A file's bytes as a uint8 tensor, private to this process and read as they are needed."""
    size = pathlib.Path(path).stat().st_size
    storage = torch.UntypedStorage.from_file(str(path), False, size)
    return torch.empty(0, dtype=torch.uint8).set_(storage, 0, (size,), (1,))


def text_of(value):
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _storage_id(pid):
    """(dtype, key, elements, view) of a storage's persistent id."""
    if not isinstance(pid, tuple) or len(pid) < 5 or text_of(pid[0]) != "storage" or not isinstance(pid[1], Global) or \
            type(pid[4]) is not int or pid[4] < 0:
        return None
    return _STORAGES.get(pid[1].name.rpartition(".")[2]), text_of(pid[2]), pid[4], pid[5] if len(pid) > 5 else None


def _zipped(file, path, data):
    """What torch.save writes: a zip archive of one pickle and the bytes of each storage."""
    archive = zipfile.ZipFile(path or file)
    file = archive.fp
    names = archive.namelist()
    inner = next((name for name in names if name.endswith("/data.pkl")), "data.pkl")
    if inner not in names:
        raise bad(path, _kind_of_zip(names), "what torch.save writes", "Unpack it, or save the state dict")
    root = inner.removesuffix("data.pkl")
    big = root + "byteorder" in names and archive.read(root + "byteorder") == b"big"
    if archive.getinfo(inner).file_size > _MOST_PICKLE:
        raise ValueError("a pickle of more than 1 GiB")
    whole = functools.cache(lambda: torch.frombuffer(bytearray(data), dtype=torch.uint8) if path is None else _mapped(path))

    @functools.cache
    def stored(name, dtype):
        info = archive.getinfo(name)
        if info.compress_type != zipfile.ZIP_STORED:
            return torch.frombuffer(bytearray(archive.read(info)), dtype=torch.uint8)
        file.seek(info.header_offset)
        header = file.read(30)
        start = info.header_offset + 30 + sum(struct.unpack("<HH", header[26:30]))
        if start + info.file_size > whole().numel():
            raise ValueError("a truncated archive")
        raw = whole()[start:start + info.file_size]
        # torch writes zero where it is told not to compute it (set_crc32_options).
        if info.CRC and info.file_size and zlib.crc32(raw.numpy()) != info.CRC:
            raise ValueError(f"damaged bytes in {name}")
        if big and dtype.itemsize > 1:
            raw = raw.clone()
            raw.untyped_storage().byteswap(dtype)
        return raw

    def persistent(pid):
        dtype, key, count, _ = _storage_id(pid) or (None,) * 4
        if dtype is None:
            return Placeholder("storage", pid)

        def raw():
            name = f"{root}data/{key}"
            found = stored(name, dtype) if name in archive.NameToInfo else torch.empty(0, dtype=torch.uint8)
            if found.numel() < count * dtype.itemsize:
                raise ValueError(f"{found.numel()} bytes in {name} for {count} numbers")
            return found

        # One storage a key, so that tensors that share it are known to.
        return storages.setdefault((key, dtype), Storage(dtype, raw))

    storages = {}
    return _Unpickler(io.BytesIO(archive.read(inner)), persistent).load()


def _kind_of_zip(names):
    if any(name.endswith("models/model.json") for name in names):
        return "a torch.export archive, which `sweep` and `score` take as it is"
    return f"a zip archive of {', '.join(names[:3])}" if names else "an empty zip archive"


def _one_after_the_other(file, path, data):
    """What torch.save wrote before 1.6, or pickle.dump: pickles one after the other, then the storages."""
    storages, widths = {}, {}

    def persistent(pid):
        if isinstance(pid, tuple) and len(pid) > 1 and text_of(pid[0]) == "module":
            return pid[1]
        dtype, key, count, view = _storage_id(pid) or (None,) * 4
        if dtype is None:
            if key is not None:
                widths[key] = _QUANTISED.get(pid[1].name.rpartition(".")[2], 0)
            return Placeholder("storage", pid)
        widths[key] = dtype.itemsize
        first = view[1] if isinstance(view, tuple) and len(view) == 3 else 0
        if isinstance(view, tuple) and len(view) == 3:
            count = view[2]

        def raw():
            start, size = places[key]
            begin = start + first * dtype.itemsize
            if type(first) is not int or type(count) is not int or min(first, count) < 0 or begin + count * dtype.itemsize > start + size:
                raise ValueError("a storage that reaches beyond its bytes")
            return whole()[begin:begin + count * dtype.itemsize]

        return storages.setdefault((key, first, count), Storage(dtype, raw))

    whole = functools.cache(lambda: torch.frombuffer(bytearray(data), dtype=torch.uint8) if path is None else _mapped(path))
    places = {}
    read = lambda: _Unpickler(file, persistent).load()
    first = read()
    if first != _MAGIC:
        return first  # of pickle.dump
    read()  # the protocol
    system = read()
    if isinstance(system, dict) and system.get("little_endian") is False:
        raise ValueError("numbers of a big-endian machine in the format before PyTorch 1.6")
    found = read()
    keys = read()
    for key in map(text_of, keys if isinstance(keys, list) else []):
        count = struct.unpack("<q", file.read(8))[0]
        size = count * widths[key]
        places[key] = (file.tell(), size)
        if size < 0 or file.tell() + size > whole().numel():
            raise ValueError("a truncated file")
        file.seek(size, io.SEEK_CUR)
    return found


_OTHER_KINDS = [(b"\x89HDF\r\n", "an HDF5 file (Keras?)"), (b"GGUF", "a GGUF file"), (b"\x93NUMPY", "a NumPy array"), (b"<", "a web page"),
                (b"version https://git-lfs", "a pointer of Git LFS"), (b"\x1f\x8b", "a gzip file"), (b"7z\xbc\xaf", "a 7z archive"),
                (b"\x08\x08\x12", "an ONNX file"), (b"\x08\x07\x12", "an ONNX file")]


def read_pickled(file, path, data=None):
    """What is in a file of torch.save or pickle.dump, with Ref, Global and Placeholder for what is no plain data."""
    start = file.read(64)
    file.seek(0)
    if start[:4] == b"PK\x03\x04":
        return _zipped(file, path, data)
    other = next((kind for magic, kind in _OTHER_KINDS if start.startswith(magic)), None)
    if other or start[257:262] == b"ustar":
        raise bad(path, other or "a tar archive", "what torch.save writes", "Fetch or unpack the checkpoint itself")
    return _one_after_the_other(file, path, data)
