"""Arrays in the files that this field keeps them in: .npy, .npz, HDF5, NetCDF; MATLAB's are in matlab.py."""
import dataclasses
import pathlib
import re
import zipfile

import numpy as np

from .recordings import BadInput

STIMULUS_IDS = ("stimulus_id", "image_id", "stimulus_ids", "image_ids", "stim_file", "stim_files")  # of several the first is taken
NEUROID_IDS = ("neuroid_id", "neuroid_ids")
PLAIN = {re.sub("_", "", name): key for key, names in (("presentation", STIMULUS_IDS), ("neuroid", NEUROID_IDS), ("repetition", ("repetition", "repetitions")))
         for name in names}
# What names stimuli as likely as not, as letters and digits in lower case. As named_by of src/data/ids_beside.h.
LIKELY = re.compile("(stimulus|stimuli|stims?|images?|imgs?|pictures?|pics?|photos?|scenes?|videos?|items?|coco|nsd|73k)"
                    "(ids?|names?|files?|paths?|filenames?|idx|index|indices|no|nr|numbers?)?|ids?|names?|files?|filenames?|paths?")
ALIASES = {"stimulus_id": "presentation", "image_id": "presentation", "stimulus": "presentation", "image": "presentation",
           "neuroid_id": "neuroid"}  # names of dims in NetCDF
KNOWN_DIMS = ("presentation", "neuroid", "repetition", "subject")


@dataclasses.dataclass
class Recorded:
    """`array` float64; `dims`, a name an axis, where the file has them; `labels`: "presentation" (ids), "neuroid" (ids) and
    "repetition" (numbers of presentations), one value a row of that axis; `notes`: what should be said; `texts`: vectors of text
    beside the array, by name, which may be ids of another name; `coords`: {name: (axis, one text an entry)} of a file with
    named dims."""
    array: np.ndarray
    dims: tuple | None = None
    labels: dict = dataclasses.field(default_factory=dict)
    notes: list = dataclasses.field(default_factory=list)
    texts: dict = dataclasses.field(default_factory=dict)
    coords: dict = dataclasses.field(default_factory=dict)


def shape_text(shape):
    return " x ".join(map(str, shape)) or "one value"


def unfit(dtype):
    """Why values of a dtype are no responses, and what to do; None where they are."""
    if dtype.kind in "biu" or (dtype.kind == "f" and dtype.itemsize <= 8):
        return None
    what = {"c": ("complex numbers", "Take their magnitude, their phase or their real part first"),
            "V": ("records of several fields", "Save the one field that holds responses"),
            "O": ("Python objects", "Save numbers: np.save(file, np.array(values, dtype=float)), NaN where a trial is missing"),
            "f": ("long double, which differs by machine", "Save it as float64"),
            "M": ("dates", "Save numbers"), "m": ("durations", "Save numbers")}
    return what.get(dtype.kind, ("text", "Save numbers"))


def numeric(array, where):
    """float64 of an array of numbers, whatever its byte order and width.
    :raises BadInput: of anything else"""
    array = np.asarray(array)
    why = unfit(array.dtype)
    if why:
        raise BadInput(f"{where}: found {why[0]}, expected numbers. {why[1]}.")
    return array.astype(float)


def choose(path, variable, arrays, others):
    """The name of the array that --variable, or there being one alone, chooses.

    :param arrays: name -> shape of those that can be read
    :param others: name -> what it is, of those that cannot"""
    if variable in arrays:
        return variable
    if not variable and len(arrays) == 1:
        return next(iter(arrays))
    there = [f"{name} ({shape_text(shape)})" for name, shape in arrays.items()]
    cannot = [f"{name} ({what})" for name, what in others.items()]
    if variable in others:
        raise BadInput(f"{path}: {variable}: found {others[variable]}, expected an array of numbers"
                       + (f", such as {', '.join(there[:20])}" if there else "") + ".")
    if not arrays:
        raise BadInput(f"{path}: found no array of numbers" + (f" (there are: {', '.join(cannot[:20])})" if others else " and nothing else")
                       + ", expected one.")
    found = f"\"{variable}\", which is not there" if variable else "several arrays"
    raise BadInput(f"{path}: --variable: found {found}, expected one of: {', '.join(there[:20])}"
                   + (f"; not read: {', '.join(cannot[:5])}" if others else "") + ".")


def texts(values):
    """Ids as text: bytes decoded, whole floats as integers."""
    def text(value):
        if isinstance(value, bytes):
            return value.decode("utf-8", "backslashreplace")
        if isinstance(value, (float, np.floating)) and float(value).is_integer():
            return str(int(value))
        return str(value)

    return [text(value) for value in np.asarray(values).ravel()]


def parts(name):
    """(group or struct, name within it, as letters and digits in lower case)"""
    group, _, last = name.replace(".", "/").rpartition("/")
    return group, re.sub(r"[\W_]", "", last.lower())


def named_by(name):
    """What an entry of a file names, by what it is called: "presentation", "neuroid" or "repetition"; "likely" for what names stimuli
    as likely as not, such as filenames; or None."""
    plain = parts(name)[1]
    return PLAIN.get(plain) or ("likely" if LIKELY.fullmatch(plain) and plain not in ("nsd", "coco", "73k") else None)


def is_id(name):
    return named_by(name) in ("presentation", "neuroid", "repetition")


def is_list(shape):
    """Whether an array is a list: of one dim, n x 1 or 1 x n."""
    return sum(n > 1 for n in shape) == 1


def counts(values):
    """Whether texts are 0, 1, 2, ... or 1, 2, 3, ..."""
    return any(list(values) == [str(i + first) for i in range(len(values))] for first in (0, 1))


def labels_of(path, name, ids):
    """(labels, notes) of the array `name`, by the ids {name: values} of its file: those of its own group or struct, of one above, or
    of another one, which is said.

    :param ids: text says why values cannot be read
    :raises BadInput: ids that are no list, or of which there are several"""
    own, labels, notes = parts(name)[0], {}, []

    def distance(full):
        group = parts(full)[0]
        above = not group or own == group or own.startswith(group + "/")
        return own.count("/") + bool(own) - group.count("/") - bool(group) if above else 1000

    for key in ("presentation", "neuroid", "repetition"):
        of = {full: values for full, values in ids.items() if named_by(full) == key and (isinstance(values, str) or np.size(values) > 1)}
        rank = {full: (distance(full), list(PLAIN).index(parts(full)[1])) for full in of}
        nearest = [full for full in of if rank[full] == min(rank.values())]
        if not nearest or (key == "repetition" and rank[nearest[0]][0] == 1000):
            continue
        first = nearest[0]
        for full in nearest:
            if isinstance(of[full], str):
                raise BadInput(f"{path}: {full}: found {of[full]}, expected text or numbers, an id each. Save ids.astype(str).")
            if not is_list(np.shape(of[full])):
                raise BadInput(f"{path}: {full}: found a table {shape_text(np.shape(of[full]))}, expected a list of ids. Save one id an entry.")
        labels[key] = texts(of[first])
        if any(texts(of[full]) != labels[key] for full in nearest):
            raise BadInput(f"{path}: {first}: found other values than in {nearest[-1]}, expected one list for {name}. Save it in the array's own group.")
        if rank[first][0] == 1000:
            notes.append(f"{path.name}: {first} is taken as the ids of {name}")
    return labels, notes


def without_lists(arrays, variable):
    """Arrays without the lists that are likely to name stimuli, where others are left; and those as texts, where they are whole numbers."""
    lists = {name: array for name, array in arrays.items() if name != variable and named_by(name) == "likely" and is_list(array.shape)}
    rest = {name: array for name, array in arrays.items() if name not in lists}
    if not rest:
        return arrays, {}
    values = {name: np.asarray(array[()]) for name, array in lists.items()}
    return rest, {name: texts(array) for name, array in values.items() if (array == np.round(array)).all()}


# --- .npy, .npz -------------------------------------------------------------------------------------------------------

def load_npy(path, **options):
    try:
        loaded = np.load(path, allow_pickle=False, **options)
        if isinstance(loaded, np.ndarray):
            with open(path, "rb") as file:
                of_length = 2 if np.lib.format.read_magic(file) == (1, 0) else 4
                header = int.from_bytes(file.read(of_length), "little")
                left = path.stat().st_size - file.tell() - header - loaded.nbytes
            if left > 0:
                raise BadInput(f"{path}: found {left} bytes behind the array, expected one array and nothing else. Save several with np.savez, or each "
                               "in a file of its own.")
        return loaded
    except ValueError as error:
        if "allow_pickle" in str(error) or "Object arrays" in str(error):
            why = unfit(np.dtype(object))
            raise BadInput(f"{path}: found {why[0]}, expected numbers. {why[1]}.") from None
        raise BadInput(f"{path}: found a file that NumPy does not read ({one_line(error)}), expected what numpy.save writes.") from None
    except (EOFError, zipfile.BadZipFile, SyntaxError, TypeError, MemoryError, OverflowError) as error:
        raise BadInput(f"{path}: found a file that NumPy does not read ({one_line(error)}), expected what numpy.save writes.") from None


def one_line(error):
    """A library's message, printable and short."""
    text = " ".join(str(error).split()) or type(error).__name__
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    return text if len(text) < 200 else text[:200] + "..."


def read_npy(path, variable):
    loaded = load_npy(path)
    if isinstance(loaded, np.ndarray):
        return Recorded(numeric(loaded, path))
    arrays, others, ids, words = {}, {}, {}, {}
    with loaded:  # an archive of several
        for name in loaded.files:
            try:
                array = loaded[name]
            except ValueError:
                others[name] = "Python objects"
                if named_by(name):
                    ids[name] = "Python objects, which are not opened"
                continue
            except (zipfile.BadZipFile, EOFError, OSError) as error:
                raise BadInput(f"{path}: {name}: found a damaged entry ({one_line(error)}), expected what numpy.savez writes.") from None
            if is_id(name) and name != variable:
                ids[name] = array
            elif unfit(array.dtype) or array.size < 2:
                others[name] = unfit(array.dtype)[0] if unfit(array.dtype) else "one value"
                if array.dtype.kind in "US" and is_list(array.shape):
                    words[name] = texts(array)
            else:
                arrays[name] = array
    arrays, numbers = without_lists(arrays, variable)
    name = choose(path, variable, {k: v.shape for k, v in arrays.items()}, others)
    labels, notes = labels_of(path, name, ids)
    unread = [k for k, v in ids.items() if isinstance(v, str) and named_by(k) == "likely"]
    if unread and "presentation" not in labels:
        raise BadInput(f"{path}: {unread[0]}: found Python objects, which are not opened, expected names of stimuli. Save {unread[0]}.astype(str).")
    return Recorded(numeric(arrays[name], path), None, labels, notes, {**words, **numbers})


# --- HDF5, NetCDF -----------------------------------------------------------------------------------------------------

def open_hdf5(path):
    import h5py

    try:
        file = h5py.File(path)
        refuse_links_out(path, file)
    except OSError as error:
        raise BadInput(f"{path}: found a file that HDF5 does not read ({one_line(error)}), expected an HDF5 file.") from None
    return file


def refuse_links_out(path, file):
    """:raises BadInput: a link into another file, which HDF5 would open whatever and wherever it is: a recording from a stranger is
        its file and what lies beside it, and a pipe there would be waited for"""
    import h5py

    seen, left = set(), ["/"]
    while left:
        group = file.get(left.pop())  # reached by hard links alone
        if not isinstance(group, h5py.Group) or group.id in seen:
            continue
        seen.add(group.id)
        for name in group:
            link = group.get(name, getlink=True)
            if isinstance(link, h5py.ExternalLink):
                raise BadInput(f"{path}: {group.name.rstrip('/')}/{name}: found a link to another file, {link.filename}, expected values in this one. "
                               f"Copy them in: h5copy -i {link.filename} -o {path.name} -s {link.path} -d {name}.")
            if isinstance(link, h5py.HardLink) and group.get(name, getclass=True) is h5py.Group:
                left.append(f"{group.name.rstrip('/')}/{name}")


def too_much(item):
    """Why values of a dataset are not to be read; "" where they are worth their file. As check_worth of src/data/hdf5_stored.cpp: cells
    that were never written take no room in a file, which may say any number of them."""
    stored = item.id.get_storage_size()
    if not item.is_virtual and item.nbytes > 256 << 20 and item.nbytes // 1100 > stored:
        return f"{item.nbytes} bytes of values, of which the file stores {stored}"
    return ""


def not_all_there(item):
    """Why values of a dataset would read as its fill value without a word; "" where they are all in the file, or where it says."""
    import h5py

    if item.external:
        return "values in a raw file of their own, which h5repack -l CONTI puts into one"
    if not item.is_virtual:
        return too_much(item)
    cells = 0
    for source in item.virtual_sources():
        if "%" in source.file_name + source.dset_name:
            return f"a virtual dataset of sources by a pattern, {source.file_name}"
        folder = pathlib.Path(item.file.filename).parent
        try:
            there = item.file
            if source.file_name != ".":
                place = next(p for p in (folder / source.file_name, pathlib.Path(source.file_name)) if p.is_file() and h5py.is_hdf5(p))
                if not place.resolve().is_relative_to(folder.resolve()):
                    return f"a virtual dataset whose source {source.file_name} is outside of the folder of this file; copy it beside the file"
                there = open_hdf5(place)
            why = not_all_there(there[source.dset_name])
            if why:
                return why
        except (StopIteration, OSError, KeyError):
            return f"a virtual dataset whose source {source.dset_name} of {source.file_name} is missing; copy it beside the file"
        cells += source.vspace.get_select_npoints()
    return "" if cells >= item.size else f"a virtual dataset of which {item.size - cells} values have no source"


def hdf5_items(file):
    """{name: Dataset} of all below, links followed; and {name: what} of what cannot be read."""
    import h5py

    datasets, others = {}, {}

    def walk(group, prefix, above):
        for name in group:
            full = f"{prefix}{name}"
            try:
                item = group[name]
            except (KeyError, OSError) as error:
                others[full] = f"a link that leads nowhere: {one_line(error)}"
                continue
            if isinstance(item, h5py.Group):
                if item.id not in above:
                    walk(item, f"{full}/", (*above, item.id))
            elif isinstance(item, h5py.Dataset):
                why = not_all_there(item)
                (others if why else datasets)[full] = why or item

    walk(file, "", (file["/"].id,))
    return datasets, others


PACKING = ("_Unsigned", "_FillValue", "missing_value", "scale_factor", "add_offset")


def fills_of_own_width(attributes, dtype):
    """NetCDF's attributes of a variable with its fill values in the variable's own precision: -999.9 in float64 is none of
    float32's numbers, and would mask none."""
    out = dict(attributes)
    for key in ("_FillValue", "missing_value"):
        if key in out and dtype.kind == "f" and np.asarray(out[key]).dtype.kind == "f":
            fills = np.atleast_1d(out[key])
            with np.errstate(over="ignore"):
                own = fills.astype(dtype.newbyteorder("="))
            own = own[np.isfinite(own) | ~np.isfinite(fills)]  # one beyond the variable's numbers stands for none of them
            out[key] = own[0] if len(own) == 1 else own
            if not len(own):
                del out[key]
    return out


# What netCDF-C leaves of a type where nothing was written (netcdf.h); as default_fill of src/data/stored.h.
UNWRITTEN = {"i1": -127, "u1": 255, "i2": -32767, "u2": 65535, "i4": -2147483647, "u4": 4294967295, "f4": 9.9692099683868690e+36, "f8": 9.9692099683868690e+36}


def refuse_unwritten(path, name, values, attributes, fill):
    """:param fill: that the file states for what is not written, or None; a classic file says none, and its library fills
    :return: what is to be said: of bytes that may be data
    :raises BadInput: cells that nobody wrote, of a variable without a fill value"""
    left = UNWRITTEN.get(values.dtype.str[1:])
    if left is None or "_FillValue" in attributes or "missing_value" in attributes or (values.dtype.kind != "f" and fill is not None and fill != left):
        return []
    n = int((values == values.dtype.type(left)).sum())
    if n and values.dtype.itemsize == 1:
        return [f"{path.name}: {name}: {n} values {left}, which NetCDF leaves where nothing was written, are taken as data"]
    if n:
        raise BadInput(f"{path}: {name}: found {n} values {left:.17g}, which NetCDF leaves where nothing was written, expected values that were written. "
                       f"Write missing ones as NaN, or give the variable _FillValue {left:.17g}.")
    return []


def decoded(data, path, notes):
    """float64 of an HDF5 dataset with the packing that NetCDF's attributes say, by xarray."""
    import xarray as xr

    values = np.asarray(data[()])
    notes += refuse_unwritten(path, data.name.strip("/"), values, data.attrs, data.fillvalue)
    packing = {key: value.decode() if isinstance(value := data.attrs[key], bytes) else value for key in PACKING if key in data.attrs}
    packing = fills_of_own_width(packing, values.dtype)
    if not packing:
        return values.astype(float)
    variable = xr.Variable([f"dim_{i}" for i in range(values.ndim)], values, packing)
    return xr.conventions.decode_cf_variable("data", variable, decode_times=False).values.astype(float)


def named_attributes(data, name):
    """{name: values} of what may name something among the attributes of a dataset and of the groups that it is in."""
    out, group, item = {}, name.rpartition("/")[0], data
    while True:
        for key, values in item.attrs.items():
            if named_by(key) and np.size(values) > 1:
                out.setdefault(f"{group}/{key}".lstrip("/"), values)
        if item is not data and not group:
            return out
        group = group if item is data else group.rpartition("/")[0]
        item = data.file[group or "/"]


def read_hdf5(path, variable):
    import h5py

    with open_hdf5(path) as file:
        datasets, others = hdf5_items(file)
        if any("pandas_type" in item.attrs for item in [file, *file.values()]):
            raise BadInput(f"{path}: found a table of pandas' to_hdf, expected an array. Write it with to_csv.")
        arrays, ids, words = {}, {name: why for name, why in others.items() if is_id(name)}, {}
        for name, item in datasets.items():
            if is_id(name) and item.shape and name != variable:
                ids[name] = item.asstr("utf-8", "backslashreplace")[()] if h5py.check_string_dtype(item.dtype) else item[()]
            elif h5py.check_ref_dtype(item.dtype):
                others[name] = "references to other datasets"
            elif unfit(item.dtype) or item.shape is None or item.size < 2:
                others[name] = unfit(item.dtype)[0] if unfit(item.dtype) else "one value"
                if is_list(item.shape or ()) and (h5py.check_string_dtype(item.dtype) or item.dtype.kind == "S"):
                    words[name] = texts(item[()])
            else:
                arrays[name] = item
        arrays, numbers = without_lists(arrays, (variable or "").strip("/"))
        name = choose(path, (variable or "").strip("/"), {k: v.shape for k, v in arrays.items()}, others)
        try:
            attributes = named_attributes(arrays[name], name)
            labels, notes = labels_of(path, name, {**{key: values for key, values in attributes.items() if is_id(key)}, **ids})
            words |= {key: texts(np.asarray(values)) for key, values in attributes.items() if not is_id(key)}
            return Recorded(decoded(arrays[name], path, notes), None, labels, notes, {**words, **numbers})
        except OSError as error:
            raise BadInput(f"{path}: {name}: found a dataset that cannot be read ({one_line(error)}), expected a whole file.") from None


def is_netcdf(path):
    """Whether an HDF5 file has named dims, as NetCDF-4 writes them."""
    import h5py

    if not h5py.is_hdf5(path):
        return True
    with open_hdf5(path) as file:
        datasets, _ = hdf5_items(file)
        return "_NCProperties" in file.attrs or any("DIMENSION_LIST" in item.attrs for item in datasets.values())


def read_netcdf(path, variable):
    import h5py
    import xarray as xr

    group, _, variable = (variable or "").strip("/").rpartition("/")
    if h5py.is_hdf5(path):
        with open_hdf5(path) as file:  # before xarray opens it
            for full, why in hdf5_items(file)[1].items():  # coordinates it reads unasked
                if full == f"{group}/{variable}".strip("/") or isinstance(file.get(full), h5py.Dataset) and too_much(file[full]):
                    raise BadInput(f"{path}: {full}: found {why}, expected values that are all there.")
    try:
        with xr.open_dataset(path, group=group or None, decode_cf=False) as stored:
            for name in stored.variables:
                stored[name].attrs = fills_of_own_width(stored[name].attrs, stored[name].dtype)
            data = xr.decode_cf(stored)
            data = data.assign({name: data[name].squeeze(drop=True) for name in data.data_vars
                                if is_id(name) and data[name].ndim == 2 and is_list(data[name].shape) and name != variable})
            # Ids count as such also where no `coordinates` attribute names them, as netCDF4 and HDF5 scales leave it.
            tables = any(data[name].ndim > 1 and not unfit(data[name].dtype) for name in data.data_vars)
            data = data.set_coords([name for name in data.data_vars if data[name].ndim == 1 and name != variable
                                    and (is_id(name) or name == "subject" or (named_by(name) == "likely" and (unfit(data[name].dtype) or tables)))])
            good = {name: data[name].shape for name in data.data_vars if not unfit(data[name].dtype) and data[name].size > 1}
            others = {name: unfit(data[name].dtype)[0] if unfit(data[name].dtype) else "one value" for name in data.data_vars if name not in good}
            chosen = choose(path, variable, good, others)
            array = data[chosen].load()
            fill = None
            if h5py.is_hdf5(path):
                with open_hdf5(path) as file:
                    datasets, missing = hdf5_items(file)
                    full = f"{group}/{chosen}".strip("/")
                    if full in missing:
                        raise BadInput(f"{path}: {chosen}: found {missing[full]}, expected values that are all there.")
                    fill = datasets[full].fillvalue if full in datasets else 0
            notes = refuse_unwritten(path, chosen, stored[chosen].values, stored[chosen].attrs, fill)
    except BadInput:
        raise
    except Exception as error:  # each of xarray's engines has its own
        raise BadInput(f"{path}: found a file that xarray does not read ({one_line(error)}), expected NetCDF or HDF5.") from None
    if any(array.sizes[dim] == 1 for dim in array.dims if dim.startswith("time_bin")):
        array = array.isel({dim: 0 for dim in array.dims if dim.startswith("time_bin") and array.sizes[dim] == 1})
    labels, of = {}, {dim: ALIASES.get(dim, dim) for dim in array.dims}
    along = {name: array[name].dims[0] for name in map(str, array.coords) if array[name].ndim == 1}
    spelled = sorted((name for name in along if named_by(name) == "presentation"), key=lambda name: list(PLAIN).index(parts(name)[1]))
    for key, names in (("presentation", (*spelled, "stimulus", "image")), ("neuroid", NEUROID_IDS), ("subject", ("subject",))):
        for name in names:
            dim = along.get(name)
            if dim and of[dim] not in KNOWN_DIMS and key not in of.values():  # a dim of any name with a neuroid_id is that of neuroids
                of[dim] = key
            if dim and of[dim] == key:
                labels.setdefault(key, texts(array[name].values))
    if "repetition" in array.coords and [of[dim] for dim in array["repetition"].dims] == ["presentation"]:
        labels["repetition"] = texts(array["repetition"].values)
    coords = {name: (array.dims.index(dim), texts(array[name].values)) for name, dim in along.items()}
    words = {}
    if "presentation" not in labels:
        refuse_ids_elsewhere(path, f"{group}/{array.name}".strip("/"), array)
        rows = list(of.values()).index("presentation") if "presentation" in of.values() else 0
        words = {name: values for name, (axis, values) in coords.items() if axis == rows and along[name] != name
                 and (array[name].dtype.kind in "OUS" or named_by(name) == "likely")}
    return Recorded(numeric(array.values, path), tuple(of.values()), labels, notes, words, coords)


def refuse_ids_elsewhere(path, name, array):
    """:raises BadInput: ids in another group of a NetCDF-4 file, or in attributes, which xarray does not give to the array"""
    import h5py

    found = [key for key, values in array.attrs.items() if named_by(key) == "presentation" and np.size(values) > 1]
    if h5py.is_hdf5(path):
        with open_hdf5(path) as file:
            found += [full for full, item in hdf5_items(file)[0].items() if named_by(full) == "presentation" and (item.size or 0) > 1 and full != name
                      and (parts(full)[0] != parts(name)[0] or not any("DIMENSION_LIST" in item.attrs for _ in "x"))]
    if found:
        raise BadInput(f"{path}: {found[0]}: found ids that do not lie along {name}, expected them along its presentations. Save them as a coordinate "
                       "of the array.")


def read_array(path, variable=None):
    """The array of a file, chosen by --variable where it holds several.
    :raises BadInput: files that cannot be read, and what is no array of numbers"""
    from .matlab import is_matlab, read_matlab

    kind = path.suffix.lower()
    if path.is_dir():
        raise BadInput(f"{path}: found a folder, expected a file.")
    if path.stat().st_size == 0:
        raise BadInput(f"{path}: found an empty file, expected an array.")
    if kind in (".npy", ".npz"):
        if kind == ".npy" and variable:
            raise BadInput(f"{path}: --variable: found \"{variable}\" for a file of one array, expected none.")
        return read_npy(path, variable)
    if kind == ".mat" or (kind in (".h5", ".hdf5") and is_matlab(path)):
        return read_matlab(path, variable)
    if kind == ".nc" or (kind in (".h5", ".hdf5") and is_netcdf(path)):
        return read_netcdf(path, variable)
    if kind in (".h5", ".hdf5"):
        return read_hdf5(path, variable)
    raise BadInput(f"{path}: extension: found \"{path.suffix}\", expected .npy, .npz, .mat, .h5, .hdf5, .nc, .csv, .tsv or .nwb.")


def read_stimulus_array(path, variable=None):
    """Images [n, h, w, 3] or [n, h, w] uint8 of an HDF5 or .npy file; of HDF5 read one at a time.
    :raises BadInput: arrays of another shape or type"""
    if path.suffix.lower() == ".npy":
        if variable:
            raise BadInput(f"{path}: --stimuli-variable: found \"{variable}\" for a file of one array, expected none.")
        pixels, name = load_npy(path, mmap_mode="r"), ""
    else:
        pixels = None
        file = open_hdf5(path)
        try:
            datasets, others = hdf5_items(file)
            images = {k: v.shape for k, v in datasets.items() if v.dtype == np.uint8 and v.ndim in (3, 4) and (v.ndim == 3 or v.shape[-1] == 3)}
            others |= {k: f"{shape_text(v.shape or ())} {v.dtype}" for k, v in datasets.items() if k not in images}
            name = choose(path, (variable or "").strip("/"), images, others)
            pixels = datasets[name]
        except BadInput as error:
            raise BadInput(str(error).replace("--variable", "--stimuli-variable").replace(
                "array of numbers", "array of images [n, h, w, 3] or [n, h, w] uint8")) from None
        finally:
            if pixels is None:
                file.close()
    if not isinstance(pixels, np.ndarray) and isinstance(pixels, np.lib.npyio.NpzFile) or pixels.dtype != np.uint8 or not (
            pixels.ndim == 3 or (pixels.ndim == 4 and pixels.shape[-1] == 3)) or 0 in pixels.shape:
        raise BadInput(f"{path}: {name}{': ' if name else ''}found {shape_text(pixels.shape)} {pixels.dtype}, expected images [n, h, w, 3] or [n, h, w] uint8.")
    return pixels
