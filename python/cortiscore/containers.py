"""Arrays in the files that this field keeps them in: .npy, .npz, HDF5, NetCDF; MATLAB's are in matlab.py."""
import dataclasses
import zipfile

import numpy as np

from .recordings import BadInput

STIMULUS_IDS = ("stimulus_id", "image_id", "stimulus_ids", "image_ids", "stim_file")
NEUROID_IDS = ("neuroid_id", "neuroid_ids")
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


def is_id(name):
    return name.replace(".", "/").rsplit("/", 1)[-1] in (*STIMULUS_IDS, *NEUROID_IDS, "repetition")


def beside(name, ids):
    """Labels among ids {name: values} that lie in the same group, struct or file as the array `name`."""
    def place(full):
        return full.replace(".", "/").rpartition("/")[0]

    labels = {}
    for full, values in ids.items():
        last = full.replace(".", "/").rsplit("/", 1)[-1]
        if place(full) == place(name):
            key = "presentation" if last in STIMULUS_IDS else "neuroid" if last in NEUROID_IDS else "repetition"
            labels.setdefault(key, texts(values))
    return labels


# --- .npy, .npz -------------------------------------------------------------------------------------------------------

def load_npy(path, **options):
    try:
        return np.load(path, allow_pickle=False, **options)
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
                continue
            except (zipfile.BadZipFile, EOFError, OSError) as error:
                raise BadInput(f"{path}: {name}: found a damaged entry ({one_line(error)}), expected what numpy.savez writes.") from None
            if is_id(name) and array.ndim == 1:
                ids[name] = array
            elif unfit(array.dtype) or array.size < 2:
                others[name] = unfit(array.dtype)[0] if unfit(array.dtype) else "one value"
                if array.dtype.kind in "US" and array.ndim == 1:
                    words[name] = texts(array)
            else:
                arrays[name] = array
    name = choose(path, variable, {k: v.shape for k, v in arrays.items()}, others)
    return Recorded(numeric(arrays[name], path), None, beside(name, ids), texts=words)


# --- HDF5, NetCDF -----------------------------------------------------------------------------------------------------

def open_hdf5(path):
    import h5py

    try:
        return h5py.File(path)
    except OSError as error:
        raise BadInput(f"{path}: found a file that HDF5 does not read ({one_line(error)}), expected an HDF5 file.") from None


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
                datasets[full] = item

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


def decoded(data):
    """float64 of an HDF5 dataset with the packing that NetCDF's attributes say, by xarray."""
    import xarray as xr

    values = np.asarray(data[()])
    packing = {key: value.decode() if isinstance(value := data.attrs[key], bytes) else value for key in PACKING if key in data.attrs}
    packing = fills_of_own_width(packing, values.dtype)
    if not packing:
        return values.astype(float)
    variable = xr.Variable([f"dim_{i}" for i in range(values.ndim)], values, packing)
    return xr.conventions.decode_cf_variable("data", variable, decode_times=False).values.astype(float)


def read_hdf5(path, variable):
    import h5py

    with open_hdf5(path) as file:
        datasets, others = hdf5_items(file)
        if any("pandas_type" in item.attrs for item in [file, *file.values()]):
            raise BadInput(f"{path}: found a table of pandas' to_hdf, expected an array. Write it with to_csv.")
        arrays, ids, words = {}, {}, {}
        for name, item in datasets.items():
            if is_id(name) and item.ndim == 1 and name != variable:
                ids[name] = item.asstr("utf-8", "backslashreplace")[()] if h5py.check_string_dtype(item.dtype) else item[()]
            elif h5py.check_ref_dtype(item.dtype):
                others[name] = "references to other datasets"
            elif unfit(item.dtype) or item.shape is None or item.size < 2:
                others[name] = unfit(item.dtype)[0] if unfit(item.dtype) else "one value"
                if item.ndim == 1 and (h5py.check_string_dtype(item.dtype) or item.dtype.kind == "S"):
                    words[name] = texts(item[()])
            else:
                arrays[name] = item
        name = choose(path, (variable or "").strip("/"), {k: v.shape for k, v in arrays.items()}, others)
        try:
            return Recorded(decoded(arrays[name]), None, beside(name, ids), texts=words)
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
    import xarray as xr

    group, _, variable = (variable or "").strip("/").rpartition("/")
    try:
        with xr.open_dataset(path, group=group or None, decode_cf=False) as stored:
            for name in stored.variables:
                stored[name].attrs = fills_of_own_width(stored[name].attrs, stored[name].dtype)
            data = xr.decode_cf(stored)
            # Ids count as such also where no `coordinates` attribute names them, as netCDF4 and HDF5 scales leave it.
            known = (*STIMULUS_IDS, *NEUROID_IDS, "repetition", "subject")
            data = data.set_coords([name for name in known if name in data.data_vars and data[name].ndim == 1 and name != variable])
            good = {name: data[name].shape for name in data.data_vars if not unfit(data[name].dtype) and data[name].size > 1}
            others = {name: unfit(data[name].dtype)[0] if unfit(data[name].dtype) else "one value" for name in data.data_vars if name not in good}
            array = data[choose(path, variable, good, others)].load()
    except BadInput:
        raise
    except Exception as error:  # each of xarray's engines has its own
        raise BadInput(f"{path}: found a file that xarray does not read ({one_line(error)}), expected NetCDF or HDF5.") from None
    if any(array.sizes[dim] == 1 for dim in array.dims if dim.startswith("time_bin")):
        array = array.isel({dim: 0 for dim in array.dims if dim.startswith("time_bin") and array.sizes[dim] == 1})
    labels, of = {}, {dim: ALIASES.get(dim, dim) for dim in array.dims}
    along = {name: array[name].dims[0] for name in map(str, array.coords) if array[name].ndim == 1}
    for key, names in (("presentation", (*STIMULUS_IDS, "stimulus", "image")), ("neuroid", NEUROID_IDS), ("subject", ("subject",))):
        for name in names:
            dim = along.get(name)
            if dim and of[dim] not in KNOWN_DIMS and key not in of.values():  # a dim of any name with a neuroid_id is that of neuroids
                of[dim] = key
            if dim and of[dim] == key:
                labels.setdefault(key, texts(array[name].values))
    if "repetition" in array.coords and [of[dim] for dim in array["repetition"].dims] == ["presentation"]:
        labels["repetition"] = texts(array["repetition"].values)
    coords = {name: (array.dims.index(dim), texts(array[name].values)) for name, dim in along.items()}
    return Recorded(numeric(array.values, path), tuple(of.values()), labels, coords=coords)


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
