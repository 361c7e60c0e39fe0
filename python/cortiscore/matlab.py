"""MATLAB files of versions 4 to 7.3: matrices of any class, logical, sparse, structs, and cells of matrices."""
import dataclasses
import re
import typing

import numpy as np

from .containers import Recorded, choose, is_id, labels_of, named_by, numeric, one_line, open_hdf5, texts
from .recordings import BadInput

HDF5_NUMBERS = {"double", "single", "logical", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))}


@dataclasses.dataclass
class Node:
    """A variable before it is read. `kind` is MATLAB's class, with "sparse" or "complex" before it; `read` gives an array in
    MATLAB's order of dims, of a cell or an array of structs' field an object array of nodes."""
    kind: str
    shape: tuple
    read: typing.Callable

    @property
    def is_matrix(self):
        return self.kind.removeprefix("sparse ") in HDF5_NUMBERS

    def __str__(self):
        return f"{self.kind} {' x '.join(map(str, self.shape))}".strip()


def is_matlab(path):
    with open(path, "rb") as file:
        return file.read(10).startswith(b"MATLAB")


# --- version 7.3 ------------------------------------------------------------------------------------------------------

def hdf5_nodes(file):
    """{name: Node} of a version 7.3 file; fields of structs are a.b."""
    import h5py

    def node_of(item):
        kind = item.attrs.get("MATLAB_class", b"")
        kind = kind.decode() if isinstance(kind, bytes) else str(kind)
        if isinstance(item, h5py.Group):
            if "MATLAB_sparse" in item.attrs:
                rows = int(item.attrs["MATLAB_sparse"])
                shape = rows, len(item["jc"]) - 1
                return Node(f"sparse {kind or 'double'}", shape, lambda: dense(item, rows))
            return Node("struct", (1, 1), None)
        if "MATLAB_object_decode" in item.attrs:
            return Node(kind or "object", (), None)
        if item.attrs.get("MATLAB_empty", 0):  # its dims are the data
            shape = tuple(int(n) for n in np.ravel(item[()])) or (0, 0)
            return Node(kind or "double", shape, lambda: np.zeros(shape))
        shape = tuple(reversed(item.shape or ()))
        if h5py.check_ref_dtype(item.dtype):
            return Node("cell", shape, lambda: objects([node_of(file[ref]) for ref in item[()].T.ravel()], shape))
        if item.dtype.names or item.dtype.kind == "c":
            return Node(f"complex {kind or 'double'}", shape, None)
        if not kind:
            kind = {"f": "double", "i": f"int{8 * item.dtype.itemsize}", "u": f"uint{8 * item.dtype.itemsize}", "b": "logical"}.get(item.dtype.kind, "text")
        return Node(kind, shape, lambda: np.asarray(item[()]).T)

    nodes = {}

    def visit(group, prefix):
        for name in group:
            if name.startswith("#"):
                continue
            node = node_of(group[name])
            nodes[prefix + name] = node
            if node.kind == "struct":
                visit(group[name], f"{prefix}{name}.")

    visit(file, "")
    return nodes


def dense(group, rows):
    import scipy.sparse

    columns = len(group["jc"]) - 1
    if "data" not in group:  # nothing in it
        return np.zeros((rows, columns))
    return scipy.sparse.csc_matrix((group["data"][()], group["ir"][()].astype(np.int64), group["jc"][()].astype(np.int64)), shape=(rows, columns)).toarray()


# --- versions 4 to 7 --------------------------------------------------------------------------------------------------

def objects(values, shape):
    out = np.empty(len(values), object)
    out[:] = values
    return out.reshape(shape)


def value_node(value):
    import scipy.sparse
    from scipy.io.matlab import MatlabFunction, MatlabOpaque, mat_struct

    if scipy.sparse.issparse(value):
        kind = "complex sparse double" if value.dtype.kind == "c" else f"sparse {'logical' if value.dtype.kind == 'b' else 'double'}"
        return Node(kind, value.shape, value.toarray)
    if isinstance(value, MatlabFunction):
        return Node("function_handle", (), None)
    if isinstance(value, MatlabOpaque):
        kind = value["s2"].ravel()[0] if value.dtype.names and "s2" in value.dtype.names and value.size else b"object"
        return Node(kind.decode() if isinstance(kind, bytes) else str(kind), (), None)
    if isinstance(value, mat_struct):
        return Node("struct", (1, 1), None)
    value = np.asarray(value)
    if value.dtype.kind == "O":
        if value.size and all(isinstance(v, mat_struct) for v in value.flat):
            return Node("struct", value.shape, None)
        return Node("cell", value.shape, lambda: objects([value_node(v) for v in value.flat], value.shape))
    if value.dtype.kind == "c":
        return Node("complex " + ("single" if value.dtype.itemsize == 8 else "double"), value.shape, None)
    kind = {"U": "char", "S": "char", "b": "logical", "f": "single" if value.dtype.itemsize == 4 else "double"}.get(
        value.dtype.kind, value.dtype.name if value.dtype.kind in "iu" else "object")
    return Node(kind, value.shape, lambda: value)


def value_nodes(content):
    nodes = {}

    def visit(name, value):
        node = value_node(value)
        nodes[name] = node
        if node.kind != "struct":
            return
        entries = [value] if hasattr(value, "_fieldnames") else list(np.asarray(value).flat)
        for field in entries[0]._fieldnames:
            if len(entries) == 1:
                visit(f"{name}.{field}", getattr(entries[0], field))
            else:
                inner = [value_node(getattr(entry, field)) for entry in entries]
                nodes[f"{name}.{field}"] = Node("cell", value.shape, lambda inner=inner: objects(inner, value.shape))

    for name, value in content.items():
        if not (name.startswith("__") and name.endswith("__")):
            visit(name, value)
    return nodes


# --- cells ------------------------------------------------------------------------------------------------------------

def stacked(name, node, path):
    """A cell of matrices as one array: the cell's dims first, then the matrices', dims of length 1 left out of both. Where one
    dim of the matrices differs, as trials do, shorter ones end in NaN. With a note on that."""
    inner = node.read()
    bad = [str(entry) for entry in inner.flat if not (entry.is_matrix or 0 in entry.shape)]
    if bad:
        raise BadInput(f"{path}: {name}: found a cell with {bad[0]}, expected matrices of numbers in every one.")
    entries = [numeric(entry.read() if 0 not in entry.shape else np.zeros(0), f"{path}: {name}") for entry in inner.flat]
    full = [entry for entry in entries if entry.size]
    if not full:
        raise BadInput(f"{path}: {name}: found a cell whose matrices are all empty, expected numbers.")
    if all(max(entry.shape, default=1) == entry.size for entry in full):  # rows or columns: trials
        shapes = [(entry.size,) for entry in full]
        shapes = [()] * len(full) if set(shapes) == {(1,)} else shapes
    else:
        kept = [axis for axis in range(full[0].ndim) if any(entry.ndim != full[0].ndim or entry.shape[axis] > 1 for entry in full)]
        shapes = [tuple(entry.shape[axis] for axis in kept if axis < entry.ndim) for entry in full]
    sizes = [sorted(set(lengths)) for lengths in zip(*shapes)]
    ragged = [axis for axis, lengths in enumerate(sizes) if len(lengths) > 1]
    if len({len(shape) for shape in shapes}) > 1 or len(ragged) > 1:
        kinds = list(dict.fromkeys(" x ".join(map(str, entry.shape)) for entry in full))
        raise BadInput(f"{path}: {name}: found a cell of matrices of different shapes ({', '.join(kinds[:4])}{', ...' if len(kinds) > 4 else ''}), "
                       "expected one dim, such as trials, to differ at most.")
    of_full = iter(shapes)
    shapes = [next(of_full) if entry.size else (0,) * len(sizes) for entry in entries]
    out = np.full((len(entries), *(lengths[-1] for lengths in sizes)), np.nan)
    for i, (entry, shape) in enumerate(zip(entries, shapes, strict=True)):
        out[(i, *(slice(n) for n in shape))] = entry.reshape(shape) if entry.size else np.nan
    outer = tuple(n for n in node.shape if n > 1) or (1,)
    notes = [f"{path.name}: {name}: a cell {' x '.join(map(str, node.shape))} of matrices, read as an array {' x '.join(map(str, outer + out.shape[1:]))}"
             + (f"; {sizes[ragged[0]][0]} to {sizes[ragged[0]][-1]} along its axis {len(outer) + ragged[0]} (from 0), NaN where there are fewer"
                if ragged else "")]
    return out.reshape(outer + out.shape[1:]), notes


def read_matlab(path, variable=None):
    """A variable of a MATLAB file in MATLAB's order of dims. "a.b" is a field of a struct (of an array of structs: all of them,
    stacked), "a.b[0]" or "a[0]" the first of several.
    :raises BadInput: variables that are no matrices, by their MATLAB class"""
    import h5py
    import scipy.io

    variable = variable or ""
    indexed = re.fullmatch(r"(.*)\[(\d+)\]", variable)
    name = (indexed[1] if indexed else variable).replace("/", ".").strip(".")
    if h5py.is_hdf5(path):  # stored with the dims reversed
        with open_hdf5(path) as file:
            return picked(path, name, hdf5_nodes(file), indexed)
    try:
        content = scipy.io.loadmat(path, struct_as_record=False, squeeze_me=False)
    except Exception as error:  # scipy has many
        raise BadInput(f"{path}: found a file that SciPy does not read ({one_line(error)}), expected what MATLAB's save writes.") from None
    return picked(path, name, value_nodes(content), indexed)


def picked(path, name, nodes, indexed):
    ids = {k: strings(v) for k, v in nodes.items() if is_id(k) and k != name}
    ids = {k: v for k, v in ids.items() if v is not None}
    arrays = {k: v for k, v in nodes.items() if k not in ids and (v.is_matrix or v.kind == "cell") and (np.prod(v.shape) > 1 or v.kind == "cell")}
    arrays = {k: v for k, v in arrays.items() if v.kind != "cell" or holds_matrices(v) or k == name}
    others = {k: str(v) for k, v in nodes.items() if k not in arrays and k not in ids and v.kind != "struct"}
    name = choose(path, name, {k: v.shape for k, v in arrays.items()}, others)
    node = arrays[name]
    notes = []
    ids |= ids_of_entries(nodes, name, int(indexed[2]) if indexed else None, path)
    if indexed:
        inner = node.read().ravel(order="F")
        if int(indexed[2]) >= len(inner):
            raise BadInput(f"{path}: --variable: found {len(inner)} entries of {name}, expected one of number {indexed[2]} (from 0).")
        node = inner[int(indexed[2])]
        if not isinstance(node, Node):
            raise BadInput(f"{path}: --variable: found {name}, a matrix, expected a cell or an array of structs before [{indexed[2]}].")
        name = f"{name}[{indexed[2]}]"
        if not (node.is_matrix or node.kind == "cell"):
            raise BadInput(f"{path}: {name}: found {node}, expected a matrix of numbers.")
    if node.kind == "cell":
        array, notes = stacked(name, node, path)
    else:
        array = numeric(node.read(), f"{path}: {name}")
    words = {k: strings(v) for k, v in nodes.items() if k in others and v.kind in ("cell", "char")}
    labels, more = labels_of(path, name, ids)
    unread = [k for k, v in nodes.items() if named_by(k) == "presentation" and k not in (*ids, name) and np.prod(v.shape) > 1]
    if unread and "presentation" not in labels:
        raise BadInput(f"{path}: {unread[0]}: found {nodes[unread[0]]}, expected a list of ids: numbers, a cell of char, or char, a row an id.")
    return Recorded(array, None, labels, notes + more, {k: texts(v) for k, v in words.items() if v is not None})


def ids_of_entries(nodes, name, place, path):
    """{name of a field: ids} of an array of structs whose entries have ids of their own beside the field `name`.

    :param place: of the one entry that is read; None: all of them
    :raises BadInput: entries whose ids differ, which would be rows of different stimuli in one place"""
    out = {}
    for full, node in nodes.items():
        if not (is_id(full) and full != name and node.kind == "cell" and full.rpartition(".")[0] == name.rpartition(".")[0] != "") or strings(node):
            continue
        each = [strings(entry) for entry in node.read().ravel(order="F")]
        if any(ids is None for ids in each):
            continue
        each = [texts(ids) for ids in each]
        if place is not None:
            out[full] = each[place] if place < len(each) else []
        elif any(ids != each[0] for ids in each):
            raise BadInput(f"{path}: {full}: found ids that differ between {len(each)} entries of {name.rpartition('.')[0]}, expected the same in the same "
                           f"order. Sort each entry's rows by its ids first, or add one: --variable {name}[0].")
        else:
            out[full] = each[0]
    return out


def holds_matrices(node):
    return all(entry.is_matrix or 0 in entry.shape for entry in node.read().flat)


def strings(node):
    """Ids of a vector of numbers, a cell of char and single numbers, or a matrix of char, a string a row; None where they are none.
    The blanks that a matrix of char ends its shorter rows with are no part of them, as MATLAB's cellstr has it."""
    if node.is_matrix and sum(n > 1 for n in node.shape) == 1:
        return node.read().ravel()
    if node.kind == "char" and len(node.shape) < 2:  # SciPy's: a string a row
        return [str(row).rstrip(BLANKS) for row in node.read().ravel()]
    if node.kind == "char" and len(node.shape) == 2 and node.shape[0] > 1:  # version 7.3: a number a character
        return ["".join(map(character, row)).rstrip(BLANKS) for row in node.read()]
    if node.kind == "cell":
        inner = list(node.read().flat)
        if inner and all(entry.kind == "char" or (entry.is_matrix and np.prod(entry.shape) == 1) for entry in inner):
            return ["".join(map(character, np.ravel(entry.read()))) if entry.kind == "char" else texts(entry.read())[0] for entry in inner]
    return None


BLANKS = " \t\n\v\f\r\0"


def character(value):
    return chr(int(value)) if isinstance(value, (int, np.integer)) else str(value)
