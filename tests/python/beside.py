"""Files in which ids lie beside an array in every way that people leave them: of `metric` and of `data add`."""
import h5py
import netCDF4
import numpy as np
import scipy.io


def hdf5(path, entries, attributes=()):
    with h5py.File(path, "w") as file:
        for name, values in entries.items():
            file[name] = values
        for of, name, values in attributes:
            file[of].attrs[name] = values


def netcdf(path, array, ids, name, square):
    with netCDF4.Dataset(path, "w") as file:
        for dim, n in {"presentation": len(ids), "neuroid": array.shape[1], "one": 1}.items():
            file.createDimension(dim, n)
        file.createVariable("rates", "f8", ("presentation", "neuroid"))[:] = array
        file.createVariable(name, str, ("presentation", "one") if square else ("presentation",))[:] = ids.astype(object).reshape(-1, 1) if square else \
            ids.astype(object)


# kind -> (suffix, writer of (path, array [presentation, neuroid], ids))
USED = {
    "npz column": (".npz", lambda p, a, i: np.savez(p, betas=a, stimulus_id=i[:, None])),
    "npz row": (".npz", lambda p, a, i: np.savez(p, betas=a, image_id=i[None])),
    "npz neuroids and other text": (".npz", lambda p, a, i: np.savez(p, betas=a, stimulus_id=i, neuroid_id=[f"n{k}" for k in range(a.shape[1])],
                                                                     object_name=np.repeat("cat", len(i)))),
    "npz filenames": (".npz", lambda p, a, i: np.savez(p, betas=a, filenames=i)),
    "npz ids": (".npz", lambda p, a, i: np.savez(p, betas=a, ids=i)),
    "npz StimulusID": (".npz", lambda p, a, i: np.savez(p, betas=a, StimulusID=i)),
    "npz stim_file": (".npz", lambda p, a, i: np.savez(p, betas=a, stim_file=i)),
    "h5 column": (".h5", lambda p, a, i: hdf5(p, {"betas": a, "stimulus_id": i.astype("S")[:, None]})),
    "h5 row of strings": (".h5", lambda p, a, i: hdf5(p, {"betas": a, "stimulus_id": [i.tolist()]})),
    "h5 image_names": (".hdf5", lambda p, a, i: hdf5(p, {"betas": a, "image_names": i.astype("S")})),
    "h5 image_names column": (".h5", lambda p, a, i: hdf5(p, {"betas": a, "image_names": i.astype("S")[:, None]})),
    "h5 another group": (".h5", lambda p, a, i: hdf5(p, {"data/betas": a, "meta/stimulus_id": i.tolist()})),
    "h5 group above": (".h5", lambda p, a, i: hdf5(p, {"s1/data/betas": a, "s1/stimulus_id": i.tolist(), "s2/stimulus_id": ["other"] * len(i)})),
    "h5 attribute": (".h5", lambda p, a, i: hdf5(p, {"betas": a}, [("betas", "stimulus_id", i.tolist())])),
    "h5 attribute image_names": (".h5", lambda p, a, i: hdf5(p, {"betas": a}, [("betas", "image_names", i.tolist())])),
    "h5 attribute of bytes": (".h5", lambda p, a, i: hdf5(p, {"g/betas": a}, [("g/betas", "image_id", i.astype("S"))])),
    "h5 attribute of the group": (".h5", lambda p, a, i: hdf5(p, {"g/betas": a}, [("g", "stimulus_id", i.tolist())])),
    "h5 attribute of the file": (".h5", lambda p, a, i: hdf5(p, {"g/betas": a}, [("/", "stimulus_id", i.tolist())])),
    "nc column": (".nc", lambda p, a, i: netcdf(p, a, i, "stimulus_id", True)),
    "nc filenames": (".nc", lambda p, a, i: netcdf(p, a, i, "filenames", False)),
    "nc image_ids": (".nc", lambda p, a, i: netcdf(p, a, i, "image_ids", False)),
}
REFUSED = {
    "npz objects": (".npz", lambda p, a, i: np.savez(p, betas=a, stimulus_id=i.astype(object)), ["stimulus_id", "Python", "str"]),
    "npz filenames as objects": (".npz", lambda p, a, i: np.savez(p, betas=a, filenames=i.astype(object)), ["filenames", "Python", "str"]),
    "npz of a table": (".npz", lambda p, a, i: np.savez(p, betas=a, stimulus_id=np.stack([i, i], 1)), ["stimulus_id", "list of ids"]),
    "npz of all names and which of them": (
        ".npz", lambda p, a, i: np.savez(p, betas=a, image_names=np.sort(i), image_index=np.argsort(np.argsort(i))[::-1] + 1),
        ["image_names", "image_index", "stimulus_id"]),
    "npz too few": (".npz", lambda p, a, i: np.savez(p, betas=a, stimulus_id=i[:-1]), ["found"]),
    "h5 two other groups": (".h5", lambda p, a, i: hdf5(p, {"data/betas": a, "a/stimulus_id": i.tolist(), "b/stimulus_id": i[::-1].tolist()}),
                            ["stimulus_id", "other values", "own group"]),
}
MATLAB = {
    "another struct": lambda p, a, i: scipy.io.savemat(p, {"data": {"betas": a}, "meta": {"stimulus_id": i.astype(object)}}),
    "column of char": lambda p, a, i: scipy.io.savemat(p, {"betas": a, "stimulus_id": i}),
}
