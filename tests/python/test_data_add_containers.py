"""`data add` and the containers of this field: what is stored is the array that NumPy, SciPy, h5py or xarray put into the file,
and what cannot be read is named by its place and type."""
import os
import pathlib

import h5py
import netCDF4
import numpy as np
import pytest
import scipy.io
import scipy.sparse
import xarray as xr
from scipy.spatial.distance import pdist, squareform

from adding import accepted, add_here, pictures, refused, stored
from beside import MATLAB, USED
from beside import REFUSED as BESIDE_REFUSED
from conftest import run
from cortiscore.containers import read_array
from cortiscore.recordings import BadInput

N, NEUROIDS, TRIALS = 12, 3, 4
IDS = [f"im{i:03d}" for i in range(N)]
DIMS = ["--dims", "presentation,neuroid,repetition"]


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    return pictures(tmp_path_factory.mktemp("lab") / "images", [f"{name}.png" for name in IDS])


@pytest.fixture(scope="module")
def trials():
    """[presentation, neuroid, repetition], in eighths, which every float holds."""
    return np.round(8 * np.random.default_rng(0).normal(size=(N, NEUROIDS, TRIALS))) / 8


def flags(path, lab, *more):
    return ["Lab", "--region", "V4", "--metric", "ridge", "--force", "--stimuli", lab, "--responses", path, *more]


def dataset(group, name, array, kind, **attributes):
    """As MATLAB writes it in version 7.3: dims reversed."""
    data = group.create_dataset(name, data=np.ascontiguousarray(np.asarray(array).T))
    data.attrs["MATLAB_class"] = np.bytes_(kind)
    for key, value in attributes.items():
        data.attrs[key] = value
    return data


def write_matlab(path, kind, trials):
    """A MATLAB file of one kind; the array that it holds."""
    mean, spikes = trials.mean(2), trials > 0.3
    cell = np.empty((1, NEUROIDS), object)
    ragged = np.empty((N, NEUROIDS), object)
    for k in range(NEUROIDS):
        cell[0, k] = trials[:, k, :]
        for i in range(N):
            ragged[i, k] = trials[i, k, : (i + k) % 3].reshape((1, -1) if i % 2 else (-1, 1))
    padded = np.where(np.arange(TRIALS)[:2] < (np.add.outer(np.arange(N), np.arange(NEUROIDS)) % 3)[..., None], trials[..., :2], np.nan)
    v5 = {"v4": ({"rates": mean}, mean), "logical": ({"spiked": spikes}, spikes), "sparse": ({"rates": scipy.sparse.csc_matrix(mean)}, mean),
          "sparse logical": ({"spiked": scipy.sparse.csc_matrix(spikes[..., 0])}, spikes[..., 0]), "int16": ({"r": (trials * 8).astype(np.int16)}, trials * 8),
          "cells": ({"neurons": cell}, trials.transpose(1, 0, 2)), "ragged cells": ({"spikes": ragged}, padded),
          "struct": ({"session": {"data": {"counts": trials}, "rate": 30.0, "name": "monkey"}}, trials), "single": ({"r": trials.astype(np.float32)}, trials)}
    if kind in v5:
        content, expected = v5[kind]
        scipy.io.savemat(path, content, format="4" if kind == "v4" else "5")
        return expected
    with h5py.File(path, "w", userblock_size=512) as file:
        if kind == "7.3":
            dataset(file, "rates", trials, "double")
            dataset(file, "name", np.frombuffer("lab".encode("utf-16-le"), np.uint16)[None], "char", MATLAB_int_decode=np.int32(2))
            return trials
        if kind == "7.3 logical":
            dataset(file, "spiked", spikes.astype(np.uint8), "logical", MATLAB_int_decode=np.int32(1))
            return spikes
        if kind == "7.3 struct":
            dataset(file.create_group("session/data"), "counts", trials, "double")
            file["session"].attrs["MATLAB_class"] = file["session/data"].attrs["MATLAB_class"] = np.bytes_("struct")
            return trials
        if kind == "7.3 sparse":
            matrix, group = scipy.sparse.csc_matrix(mean), file.create_group("rates")
            group.attrs["MATLAB_class"], group.attrs["MATLAB_sparse"] = np.bytes_("double"), np.uint64(N)
            group["data"], group["ir"], group["jc"] = matrix.data, matrix.indices.astype(np.uint64), matrix.indptr.astype(np.uint64)
            return mean
        inner = cell if kind == "7.3 cells" else ragged
        references, refs = file.create_group("#refs#"), np.empty(inner.T.shape, h5py.ref_dtype)
        for k, place in enumerate(np.ndindex(inner.shape)):
            if inner[place].size:
                refs[place[::-1]] = dataset(references, f"a{k}", inner[place], "double").ref
            else:  # the dims stand for the data
                empty = references.create_dataset(f"a{k}", data=np.array([0, 0], np.uint64))
                empty.attrs["MATLAB_class"], empty.attrs["MATLAB_empty"] = np.bytes_("double"), np.uint8(1)
                refs[place[::-1]] = empty.ref
        file.create_dataset("neurons", data=refs, dtype=h5py.ref_dtype).attrs["MATLAB_class"] = np.bytes_("cell")
        return trials.transpose(1, 0, 2) if kind == "7.3 cells" else padded


@pytest.mark.parametrize("kind", ["v4", "logical", "sparse", "sparse logical", "int16", "single", "cells", "ragged cells", "struct", "7.3", "7.3 logical",
                                  "7.3 struct", "7.3 sparse", "7.3 cells", "7.3 ragged cells"])
def test_matlab_variables_of_every_type_are_read(tmp_path, trials, kind):
    path = tmp_path / "session.mat"
    expected = write_matlab(path, kind, trials)
    found = read_array(path)
    np.testing.assert_array_equal(found.array, expected)
    assert found.array.dtype == float
    if "ragged" in kind:
        assert "1 to 2 along its axis 2 (from 0), NaN where there are fewer" in found.notes[0], found.notes


def test_cells_are_stored_as_trials(lab, tmp_path, trials):
    write_matlab(tmp_path / "a.mat", "cells", trials)
    out = accepted(tmp_path, *flags(tmp_path / "a.mat", lab, "--dims", "neuroid,presentation,repetition"))
    assert "neurons: a cell 1 x 3 of matrices, read as an array 3 x 12 x 4" in out
    np.testing.assert_array_equal(stored(tmp_path, "Lab", IDS)[0], trials.transpose(2, 0, 1))


def matlab_with(path, **variables):
    scipy.io.savemat(path, variables)
    return path


def test_matlab_variables_that_are_no_responses_are_named_with_their_class(tmp_path, trials):
    mean = trials.mean(2)
    mixed = np.empty((1, 2), object)
    mixed[0, 0], mixed[0, 1] = mean, "text"
    shapes = np.empty((1, 2), object)
    shapes[0, 0], shapes[0, 1] = mean, mean[:4, :2]
    path = tmp_path / "a.mat"
    for variables, variable, words in [
        ({"fourier": mean + 1j}, None, ["no array of numbers", "fourier (complex double 12 x 3)"]),
        ({"fourier": mean + 1j, "rates": mean}, "fourier", ["fourier", "complex double 12 x 3", "rates (12 x 3)"]),
        ({"name": "monkey 7"}, None, ["name (char"]),
        ({"mixed": mixed}, "mixed", ["a cell with char"]),
        ({"shapes": shapes}, None, ["different shapes (12 x 3, 4 x 2)"]),
        ({"a": mean, "b": mean}, None, ["several arrays", "a (12 x 3), b (12 x 3)"]),
        ({"a": mean, "b": mean}, "c", ['"c", which is not there', "a (12 x 3)"]),
        ({"a": 3.0}, None, ["a (double 1 x 1)"]),
        ({"one": mean}, "one[0]", ["one, a matrix"]),
    ]:
        with pytest.raises(BadInput) as error:
            read_array(matlab_with(path, **variables), variable)
        assert all(word in str(error.value) for word in words) and "none" not in str(error.value), error.value
    with h5py.File(path, "w", userblock_size=512) as file:
        dataset(file, "fourier", mean.astype(np.complex128), "double")
        file.create_dataset("when", data=np.array([[1, 2, 3, 4, 5, 6]], np.uint32)).attrs["MATLAB_class"] = np.bytes_("datetime")
        file["when"].attrs["MATLAB_object_decode"] = np.int32(3)
    with pytest.raises(BadInput, match=r"fourier \(complex double 12 x 3\), when \(datetime\)"):
        read_array(path)


def test_hdf5_is_read_by_either_name_and_from_groups(lab, tmp_path, trials):
    betas = (trials * 8).astype(">i2")
    for suffix in (".h5", ".hdf5"):
        path = tmp_path / f"betas{suffix}"
        with h5py.File(path, "w") as file:
            file["a/betas"], file["a/other"], file["b/betas"] = betas, np.zeros((2, 2)), -betas
            file["names"] = np.array([b"x"] * N)
        with pytest.raises(BadInput, match=r"several arrays, expected one of: a/betas \(12 x 3 x 4\), a/other \(2 x 2\), b/betas \(12 x 3 x 4\)"):
            read_array(path)
        accepted(tmp_path, *flags(path, lab, *DIMS, "--variable", "a/betas"))
        np.testing.assert_array_equal(stored(tmp_path, "Lab", IDS)[0], 8 * trials.transpose(2, 0, 1))
    with pytest.raises(BadInput, match="names: found text"):
        read_array(path, "names")


def test_packed_hdf5_is_unpacked_as_xarray_does(tmp_path, trials):
    packed = np.round(trials * 100).astype(np.int16)
    packed[2, 1, 0] = -9999
    small = np.array([[1, 2, -1], [3, -2, 5]], np.int8)
    cases = [(packed, {"_FillValue": np.int16(-9999), "scale_factor": 0.01, "add_offset": 2.0}),
             (packed, {"missing_value": np.int16(-9999), "scale_factor": 0.5}),
             (packed, {"_FillValue": np.int16(-9999), "scale_factor": np.float32(0.01), "add_offset": np.float32(2.0)}),
             (small, {"_Unsigned": "true", "_FillValue": np.int8(-1)}),
             (small, {"_Unsigned": "true", "_FillValue": np.uint8(255), "scale_factor": np.float32(0.1)}),
             (small.view(np.uint8), {"_Unsigned": "false", "_FillValue": np.uint8(255)})]
    for values, attributes in cases:
        with h5py.File(tmp_path / "a.h5", "w") as file:
            file["r"] = values
            file["r"].attrs.update(attributes)
        with xr.open_dataset(tmp_path / "a.h5", engine="h5netcdf", phony_dims="sort") as data:
            expected = data["r"].values
        assert np.isnan(expected).sum() == 1
        np.testing.assert_array_equal(read_array(tmp_path / "a.h5").array, expected)
    # A fill value in float64 beside float32 counts as float32 makes it, in every container; one beyond float32 stands for nothing.
    values = np.array([[1, 2, -999.9], [3, 4, 5]], np.float32)
    for key, fill in (("_FillValue", -999.9), ("missing_value", np.array([-999.9, 1e300]))):
        for path in (tmp_path / "a.h5", tmp_path / "a.nc"):
            with h5py.File(path, "w") as file:
                file["data"] = values
                file["data"].attrs[key] = fill
                for axis, name in enumerate(("presentation", "neuroid") if path.suffix == ".nc" else ()):
                    file[name] = np.arange(values.shape[axis])
                    file[name].make_scale(name)
                    file["data"].dims[axis].attach_scale(file[name])
            np.testing.assert_array_equal(read_array(path).array, [[1, 2, np.nan], [3, 4, 5]])


def test_ids_beside_an_array_place_its_rows(lab, tmp_path, trials):
    """stimulus_id in the same .npz, .mat or group: rows by id, in any order, repeated ids are trials."""
    order = np.random.default_rng(2).permutation(N * TRIALS)
    rows = trials.transpose(0, 2, 1).reshape(N * TRIALS, NEUROIDS)[order]
    ids = np.repeat(IDS, TRIALS)[order]
    expected = [[sorted(trials[i, k]) for k in range(NEUROIDS)] for i in range(N)]
    np.savez(tmp_path / "a.npz", rates=rows, stimulus_id=ids, neuroid_id=["x", "y", "z"])
    scipy.io.savemat(tmp_path / "a.mat", {"s": {"rates": rows, "image_id": ids.astype(object)}})
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["g/rates"], file["g/stimulus_id"] = rows, ids.astype("S")
    for name in ("a.npz", "a.mat", "a.h5"):
        out = accepted(tmp_path, *flags(tmp_path / name, lab))
        assert "by place" not in out
        found, neuroids = stored(tmp_path, "Lab", IDS)
        assert neuroids == (["x", "y", "z"] if name == "a.npz" else [f"Lab_{i:04d}" for i in range(NEUROIDS)])
        np.testing.assert_array_equal(np.sort(found.transpose(1, 2, 0)), expected)
    np.savez(tmp_path / "a.npz", rates=rows, stimulus_id=ids[:-1])
    assert "47 presentations, expected 48" in refused(tmp_path / "other", *flags(tmp_path / "a.npz", lab))


@pytest.mark.parametrize("kind", [*USED, *MATLAB])
def test_ids_are_used_wherever_and_however_they_lie(lab, tmp_path, trials, kind):
    suffix, put = USED.get(kind) or (".mat", MATLAB[kind])
    order = np.random.default_rng(8).permutation(N)
    put(tmp_path / f"y{suffix}", trials[order, :, 0], np.array(IDS)[order])
    out = accepted(tmp_path, *flags(tmp_path / f"y{suffix}", lab))
    assert "by place" not in out
    np.testing.assert_array_equal(stored(tmp_path, "Lab", IDS)[0][0], trials[:, :, 0])


@pytest.mark.parametrize("kind", BESIDE_REFUSED)
def test_ids_that_cannot_be_used_are_refused_by_name(lab, tmp_path, trials, kind):
    suffix, put, words = BESIDE_REFUSED[kind]
    order = np.random.default_rng(8).permutation(N)
    put(tmp_path / f"y{suffix}", trials[order, :, 0], np.array(IDS)[order])
    message = refused(tmp_path, *flags(tmp_path / f"y{suffix}", lab))
    assert all(word in message for word in words), message


def test_names_that_are_no_stimulus_are_refused_and_not_ignored(lab, tmp_path, trials):
    path = tmp_path / "y.npz"
    for name, values in {"cocoId": np.arange(N) * 3 + 7, "filenames": np.array([f"other{i}" for i in range(N)])}.items():
        np.savez(path, betas=trials[:, :, 0], **{name: values})
        message = refused(tmp_path, *flags(path, lab))
        assert f"{name}: found" in message and "no stimulus is called" in message, message
    np.savez(path, betas=trials[:, :, 0], image_index=np.arange(N), scene=np.repeat(["a", "b"], N // 2))
    assert "by place" in accepted(tmp_path, *flags(path, lab))
    with netCDF4.Dataset(tmp_path / "y.nc", "w") as file:
        for dim, n in {"presentation": N, "neuroid": NEUROIDS}.items():
            file.createDimension(dim, n)
        file.createVariable("data", "f8", ("presentation", "neuroid"))[:] = trials[:, :, 0]
        group = file.createGroup("meta")
        group.createVariable("stimulus_id", str, ("presentation",))[:] = np.array(IDS, object)
    assert "meta/stimulus_id: found ids" in refused(tmp_path / "other", *flags(tmp_path / "y.nc", lab))


def test_values_that_are_not_there_are_refused(lab, tmp_path, trials):
    """Numbers that netCDF left where nothing was written, virtual datasets without their sources, bytes behind an array."""
    mean, home = trials[:, :, 0], tmp_path / "home"
    for kind, form in (("i2", "NETCDF4"), ("u4", "NETCDF4"), ("f8", "NETCDF4"), ("i4", "NETCDF3_CLASSIC")):
        with netCDF4.Dataset(tmp_path / "y.nc", "w", format=form) as file:
            for dim, n in {"presentation": N, "neuroid": NEUROIDS}.items():
                file.createDimension(dim, n)
            file.createVariable("data", kind, ("presentation", "neuroid"))[:N - 1] = np.abs(mean[1:]) * 8
        assert "data: found 3 values" in refused(home, *flags(tmp_path / "y.nc", lab)), kind
    with netCDF4.Dataset(tmp_path / "y.nc", "w") as file:
        for dim, n in {"presentation": N, "neuroid": NEUROIDS}.items():
            file.createDimension(dim, n)
        file.createVariable("data", "u1", ("presentation", "neuroid"))[:N - 1] = np.arange((N - 1) * NEUROIDS).reshape(-1, NEUROIDS)
    assert "data: 3 values 255, which NetCDF leaves" in accepted(tmp_path, *flags(tmp_path / "y.nc", lab))
    layout = h5py.VirtualLayout(shape=mean.shape, dtype="f8")
    layout[:] = h5py.VirtualSource("source.h5", "a", shape=mean.shape)
    with h5py.File(tmp_path / "v.h5", "w") as file:
        file.create_virtual_dataset("data", layout)
    assert "source a of source.h5 is missing" in refused(home, *flags(tmp_path / "v.h5", lab))
    with h5py.File(tmp_path / "source.h5", "w") as file:
        file["a"] = mean
    accepted(tmp_path, *flags(tmp_path / "v.h5", lab))
    np.testing.assert_array_equal(stored(tmp_path, "Lab", IDS)[0][0], mean)
    with h5py.File(tmp_path / "raw.h5", "w") as file:
        file.create_dataset("data", data=mean, external=[(str(tmp_path / "raw.bin"), 0, h5py.h5f.UNLIMITED)])
    assert "raw file" in refused(home, *flags(tmp_path / "raw.h5", lab))
    with open(tmp_path / "two.npy", "wb") as file:
        np.save(file, mean)
        np.save(file, -mean)
    assert "behind the array" in refused(home, *flags(tmp_path / "two.npy", lab))


def test_netcdf_rows_are_trials_by_id(lab, tmp_path, trials):
    """Dims by their names, ids in any order, with or without numbers of repetitions; repeated pairs and NaN are refused."""
    ids, numbers = np.repeat(IDS, TRIALS), np.tile(np.arange(TRIALS), N)
    flat = trials.transpose(0, 2, 1).reshape(N * TRIALS, NEUROIDS)
    order = np.random.default_rng(3).permutation(N * TRIALS)
    array = xr.DataArray(flat[order].T, dims=["neuroid", "presentation"], coords={
        "stimulus_id": ("presentation", ids[order]), "repetition": ("presentation", numbers[order]), "neuroid_id": ("neuroid", ["a", "b", "c"])})
    path = tmp_path / "a.nc"
    array.to_netcdf(path)
    accepted(tmp_path, *flags(path, lab))
    np.testing.assert_array_equal(stored(tmp_path, "Lab", IDS)[0], trials.transpose(2, 0, 1))
    accepted(tmp_path, *flags(path, lab, "--neuroids", "c,a"))
    found, neuroids = stored(tmp_path, "Lab", IDS)
    assert neuroids == ["a", "c"]
    np.testing.assert_array_equal(found, trials.transpose(2, 0, 1)[..., [0, 2]])
    array.drop_vars("repetition").to_netcdf(path)
    assert "4 repetition(s)" in accepted(tmp_path, *flags(path, lab))
    for format in ("NETCDF3_CLASSIC", "NETCDF3_64BIT"):
        array.to_netcdf(path, format=format)
        found = read_array(path)
        np.testing.assert_array_equal(found.array, array.values)
        assert found.dims == ("neuroid", "presentation") and found.labels["presentation"] == list(ids[order])
    other = tmp_path / "other"
    twice = numbers.copy()
    twice[1] = 0
    array.assign_coords(repetition=("presentation", twice[order])).to_netcdf(path)
    assert 'stimulus "im000", repetition 0 twice' in refused(other, *flags(path, lab))
    array.assign_coords(repetition=("presentation", np.where(order == 3, np.nan, numbers[order]))).to_netcdf(path)
    assert "repetition: found none" in refused(other, *flags(path, lab))
    array.to_netcdf(path)
    assert "expected neuroid,presentation" in refused(other, *flags(path, lab, "--dims", "presentation,neuroid"))
    array.isel(presentation=np.flatnonzero(order >= TRIALS)).to_netcdf(path)
    assert 'no response to "im000" (1 of 12 stimuli)' in refused(other, *flags(path, lab))
    xr.Dataset({"a": array, "b": array}).to_netcdf(path)
    assert "a (3 x 48), b (3 x 48)" in refused(other, *flags(path, lab))


def test_dims_of_any_name_are_known_by_the_ids_along_them(lab, tmp_path, trials):
    """As netCDF4 and MATLAB's ncwrite leave them: variables of ids that no `coordinates` attribute names."""
    order = np.random.default_rng(5).permutation(N)
    with netCDF4.Dataset(tmp_path / "a.nc", "w") as file:
        file.createDimension("stim_number", N)
        file.createDimension("electrodes", NEUROIDS)
        file.createVariable("rate", "f8", ("stim_number", "electrodes"))[:] = trials[order, :, 0]
        file.createVariable("image_id", str, ("stim_number",))[:] = np.array(IDS, object)[order]
        file.createVariable("neuroid_id", str, ("electrodes",))[:] = np.array(["c", "a", "b"], object)
    out = accepted(tmp_path, *flags(tmp_path / "a.nc", lab))
    assert "by place" not in out
    found, neuroids = stored(tmp_path, "Lab", IDS)
    assert neuroids == ["c", "a", "b"]
    np.testing.assert_array_equal(found[0], trials[:, :, 0])


def test_one_site_needs_no_axis_of_neuroids(lab, tmp_path, trials):
    site = trials[:, 0, :]
    np.save(tmp_path / "a.npy", site.T)
    out = accepted(tmp_path, *flags(tmp_path / "a.npy", lab, "--dims", "repetition,presentation"))
    assert "one site" in out and "1 neuroids on 12 stimuli, 4 repetition(s)" in out
    np.testing.assert_array_equal(stored(tmp_path, "Lab", IDS)[0][..., 0], site.T)
    for array in (site[:, 0], site[:, 0][None]):
        np.save(tmp_path / "a.npy", array)
        accepted(tmp_path, *flags(tmp_path / "a.npy", lab))
        np.testing.assert_array_equal(stored(tmp_path, "Lab", IDS)[0][0, :, 0], site[:, 0])


def test_values_far_from_zero_keep_what_float32_would_lose(lab, tmp_path, trials):
    np.save(tmp_path / "a.npy", trials + 1e9)
    accepted(tmp_path, *flags(tmp_path / "a.npy", lab, *DIMS))
    np.testing.assert_array_equal(stored(tmp_path, "Lab", IDS)[0], trials.transpose(2, 0, 1) + 1e9)
    np.save(tmp_path / "a.npy", trials + 0.1)
    accepted(tmp_path, *flags(tmp_path / "a.npy", lab, *DIMS))
    with xr.open_dataset(tmp_path / "data/Lab/responses.nc") as data:
        assert data["data"].dtype == np.float32


def test_numpy_files_of_every_kind(tmp_path, trials):
    path = tmp_path / "a.npy"
    for dtype in ("<f4", ">f8", "<f2", ">i4", "u1", "i8", "u8", "?"):
        array = (trials > 0).astype(dtype)
        np.save(path, array)
        np.testing.assert_array_equal(read_array(path).array, array.astype(float))
    np.savez_compressed(tmp_path / "a.npz", only=trials, note="text")
    np.testing.assert_array_equal(read_array(tmp_path / "a.npz").array, trials)
    np.savez(tmp_path / "a.npz", a=trials, b=-trials)
    np.testing.assert_array_equal(read_array(tmp_path / "a.npz", "b").array, -trials)
    for array, words in [(trials + 1j, "complex numbers"), (np.zeros(3, [("a", float)]), "records of several fields"), (np.array([None, 1]), "Python objects"),
                         (np.array(["a", "b"]), "text"), (trials.astype(np.longdouble), "long double"), (np.zeros(3, "M8[s]"), "dates")]:
        np.save(path, array, allow_pickle=True)
        with pytest.raises(BadInput) as error:
            read_array(path)
        assert words in str(error.value) and "a.npy" in str(error.value)


def test_files_that_are_not_what_their_names_say(lab, tmp_path):
    """Every one is refused in one line that names the file; nothing is left behind."""
    for suffix in (".npy", ".npz", ".mat", ".h5", ".hdf5", ".nc", ".csv", ".nwb", ".xlsx"):
        path = tmp_path / f"a{suffix}"
        for content in (b"",) if suffix == ".csv" else (b"", b"\0", b"\x93NUMPY\1\0\xbc\0{", b"PK\3\4 no archive", b"\x89HDF\r\n\x1a\n" + bytes(100),
                                                        b"CDF\1 no", b"MATLAB 5.0 MAT-file" + bytes(200)):
            path.write_bytes(content)
            message = refused(tmp_path / "home", *flags(path, lab))
            assert f"a{suffix}" in message and message.strip().isprintable(), message
        path.unlink()
        path.mkdir()
        assert "found a folder" in refused(tmp_path / "home", *flags(path, lab))
    if os.geteuid():
        path = tmp_path / "secret.npy"
        np.save(path, np.zeros((N, 3)))
        path.chmod(0)
        assert "secret.npy" in refused(tmp_path / "home", *flags(path, lab))


@pytest.mark.parametrize("kind", ["h5", "nc", "group", "soft", "mat", "virtual", "outside", "sparse", "sparse nc"])
def test_hdf5_of_strangers_opens_no_other_file(lab, tmp_path, trials, kind):
    """Links and virtual datasets into other files, pipes among them, and cells that take no room."""
    os.mkfifo(tmp_path / "pipe")
    mean, inner = trials[:, :, 0], tmp_path / "inner"
    inner.mkdir()
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["a"] = mean
    path = inner / {"nc": "x.nc", "mat": "x.mat", "sparse nc": "x.nc"}.get(kind, "x.h5")
    layout = h5py.VirtualLayout(shape=mean.shape, dtype="f8")
    layout[:] = h5py.VirtualSource(str(tmp_path / ("pipe" if kind == "virtual" else "secret.h5")), "a", shape=mean.shape)
    with h5py.File(path, "w", userblock_size=512) as file:
        if kind in ("virtual", "outside"):
            file.create_virtual_dataset("data", layout)
        elif kind.startswith("sparse"):
            file.create_dataset("data", shape=(30000, 30000), dtype="f8", chunks=(64, 64))
        else:
            file["y"] = mean
            file["data"] = h5py.ExternalLink(str(tmp_path / "pipe"), "/a")
            if kind == "group":
                del file["data"]
                file["deep/er"] = h5py.ExternalLink(str(tmp_path / "secret.h5"), "/")
            if kind == "soft":
                file["by"] = h5py.SoftLink("/data/a")
    words = {"virtual": "is missing", "outside": "outside of the folder", "sparse": "the file stores 0", "sparse nc": "the file stores 0"}
    assert words.get(kind, "a link to another file") in refused(tmp_path / "home", *flags(path, lab), "--dims", "presentation,neuroid")


def test_wrong_dims_are_refused(lab, tmp_path, trials):
    path = tmp_path / "a.npy"
    np.save(path, trials)
    for dims, words in [("presentation,neuroid", "12 x 3 x 4"), ("presentation,neuroid,time", "averaged first"),
                        ("presentation,neuroid,neuroid", "every name once"),
                        ("neuroid,presentation,repetition", "found 3, expected 12"), ("", "--dims: found none"), ("repetition,neuroid,x", "Axis 0")]:
        assert words in refused(tmp_path / "home", *flags(path, lab, *(["--dims", dims] if dims else []))), dims
    np.save(path, np.zeros((N, N)))
    assert "--dims: found none" in refused(tmp_path / "home", *flags(path, lab))
    np.save(path, trials * 1e300 * 1e300)
    assert "infinity" in refused(tmp_path / "home", *flags(path, lab, *DIMS))


# --- RDMs -------------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def rdms(trials):
    return np.stack([squareform(pdist(trials[..., k], "euclidean")) for k in range(TRIALS)])


def rdm_flags(path, lab, *more):
    return ["Lab", "--region", "IT", "--force", "--stimuli", lab, "--rdms", path, *more]


def stored_rdms(home):
    with xr.open_dataset(pathlib.Path(home) / "data/Lab/rdms.nc") as data:
        assert list(data["stimulus_id"].values.astype(str)) == IDS
        return data["data"].values


def write_rdms(path, rdms, kind):
    shuffled = np.random.default_rng(4).permutation(N)
    if kind == "npz":
        np.savez(path, IT_RDMs=rdms)
    elif kind == "condensed vector":
        np.save(path, squareform(rdms[0]))
    elif kind == "condensed rows":
        np.savez(path, r=np.stack([squareform(r) for r in rdms]))
    elif kind == "hdf5":
        with h5py.File(path, "w") as file:
            file["a/rdms"] = rdms
    elif kind == "nan diagonal":
        np.save(path, rdms + np.diag([np.nan] * N))
    elif kind == "float32":
        np.save(path, (rdms + 1e-7 * np.eye(N)).astype(np.float32))
    else:
        xr.DataArray(rdms[:, shuffled][:, :, shuffled], dims=["subject", "presentation", "other"], coords={
            "stimulus_id": ("presentation", np.array(IDS)[shuffled]), "subject": ("subject", [f"monkey {k}" for k in range(len(rdms))])}).to_netcdf(path)


@pytest.mark.parametrize("kind, suffix", [("npz", ".npz"), ("condensed vector", ".npy"), ("condensed rows", ".npz"), ("hdf5", ".hdf5"),
                                          ("nan diagonal", ".npy"),
                                          ("float32", ".npy"), ("ids in another order", ".nc")])
def test_rdms_of_every_container(lab, tmp_path, rdms, kind, suffix):
    path = tmp_path / f"rdms{suffix}"
    write_rdms(path, rdms, kind)
    out = accepted(tmp_path, *rdm_flags(path, lab))
    assert ("by place" in out) == (suffix != ".nc")
    np.testing.assert_allclose(stored_rdms(tmp_path), rdms[:1] if "vector" in kind else rdms, rtol=1e-6)


def test_what_is_no_rdm_is_refused_by_value_and_place(lab, tmp_path, rdms):
    holes, apart, late = rdms.copy(), rdms.copy(), rdms.copy()
    holes[1, 2, 3] = holes[1, 3, 2] = np.nan
    apart[2, 4, 7] += 0.25
    late[3, 5, 5] = 0.5
    path = tmp_path / "r.npy"
    for array, words in [(1 - rdms / rdms.max(), ["found 1 on the diagonal", '"im000" of subject 1', "1 less each"]),
                         (apart, [f"{apart[2, 4, 7]:g} and {apart[2, 7, 4]:g}", '"im004" and "im007" of subject 3', "symmetric"]),
                         (holes, ["nan", '"im002" and "im003" of subject 2']), (late, ["0.5 on the diagonal", '"im005" of subject 4']),
                         (rdms[:, :5, :5], ["4 x 5 x 5", "12 stimuli", "66 values"]), (np.triu(rdms), ["and 0 at", "symmetric"])]:
        np.save(path, array)
        message = refused(tmp_path / "home", *rdm_flags(path, lab))
        assert all(word in message for word in words), message


def test_one_rule_of_rounding_holds_for_rdms_everywhere(lab, tmp_path, rdms):
    """Of the largest dissimilarity 1e-3 on the diagonal and 1e-4 between the halves, in `data add` as in `ceiling`."""
    largest = rdms.max()
    for diagonal, apart, good in ((9e-4, 9e-5, True), (1.1e-3, 0, False), (0, 1.1e-4, False)):
        changed = rdms + diagonal * largest * np.eye(N)
        changed[1, 2, 3] += apart * largest
        np.save(tmp_path / "r.npy", changed)
        code = add_here(tmp_path / f"{diagonal}", *rdm_flags(tmp_path / "r.npy", lab)).returncode
        assert code == run("ceiling", "rsa", "--trials", tmp_path / "r.npy").returncode == (0 if good else 5)


def test_columns_of_rdms_are_matched_by_ids_of_their_own(lab, tmp_path, rdms):
    rows, columns = (np.random.default_rng(seed).permutation(N) for seed in (6, 7))
    ids = np.array(IDS)
    mixed = rdms[:, rows][:, :, columns]
    for name in ("stimulus_id_2", "stimulus_id_other", "shown"):
        xr.DataArray(mixed, dims=["subject", "presentation", "presentation_2"], coords={
            "stimulus_id": ("presentation", ids[rows]), name: ("presentation_2", ids[columns])}).to_netcdf(tmp_path / "r.nc")
        assert "matched by id" in accepted(tmp_path, *rdm_flags(tmp_path / "r.nc", lab, "--force"))
        np.testing.assert_allclose(stored_rdms(tmp_path), rdms, rtol=1e-6)
    xr.DataArray(mixed, dims=["subject", "presentation", "presentation_2"], coords={
        "stimulus_id": ("presentation", ids[rows]), "stimulus_id_2": ("presentation_2", [f"x{i}" for i in range(N)])}).to_netcdf(tmp_path / "r.nc")
    assert "columns of other stimuli" in refused(tmp_path / "other", *rdm_flags(tmp_path / "r.nc", lab))
    np.savez(tmp_path / "r.npz", rdms=mixed, stimulus_id=ids[rows], stimulus_id_2=ids[columns])
    assert "stimulus_id_2: found the stimuli in another order" in refused(tmp_path / "other", *rdm_flags(tmp_path / "r.npz", lab))


# --- the recording that is there --------------------------------------------------------------------------------------

def test_a_failed_replacement_leaves_the_old_recording(lab, tmp_path, trials, monkeypatch):
    good = np.save(tmp_path / "a.npy", trials) or tmp_path / "a.npy"
    accepted(tmp_path, *flags(good, lab, *DIMS))
    def content():
        return {str(p): p.read_bytes() for p in tmp_path.rglob("*") if p.is_file() and p.suffix != ".npy"}
    before = content()
    hole = trials.copy()
    hole[3, 1] = np.nan
    np.save(tmp_path / "b.npy", hole)
    assert add_here(tmp_path, *flags(tmp_path / "b.npy", lab, *DIMS)).returncode == 5
    assert content() == before
    from cortiscore import add
    monkeypatch.setattr(add.os, "replace", lambda *a: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    done = add_here(tmp_path, *flags(good, lab, *DIMS))
    assert done.returncode == 5 and "No space left" in done.stderr
    assert content() == before


@pytest.mark.parametrize("exchanges", [True, False])
def test_a_recording_that_is_replaced_is_never_away(lab, tmp_path, trials, monkeypatch, exchanges):
    """Whoever is killed at any step, or looks there meanwhile, finds the old recording or the new one; where the file system cannot
    exchange two folders, a failure still brings the old one back."""
    from cortiscore import add

    good = np.save(tmp_path / "a.npy", trials) or tmp_path / "a.npy"
    accepted(tmp_path, *flags(good, lab, *DIMS))
    place, states = tmp_path / "data/Lab", []
    real, replace = pathlib.Path.rename, os.replace
    monkeypatch.setattr(pathlib.Path, "rename", lambda *a: (real(*a), states.append(place.exists()))[0])
    monkeypatch.setattr(add.os, "replace", lambda *a: (states.append(place.exists()), replace(*a))[1])
    if not exchanges:
        monkeypatch.setattr(add, "exchanged", lambda *_: False)
    before = {path.name: path.read_bytes() for path in place.iterdir()}
    np.save(tmp_path / "b.npy", trials + 1)
    accepted(tmp_path, *flags(tmp_path / "b.npy", lab, *DIMS))
    assert states and (all(states) or not exchanges)
    assert {path.name: path.read_bytes() for path in place.iterdir()} != before
    monkeypatch.setattr(add.os, "replace", lambda *a: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    before = {path.name: path.read_bytes() for path in place.iterdir()}
    assert add_here(tmp_path, *flags(good, lab, *DIMS)).returncode == 5
    assert {path.name: path.read_bytes() for path in place.iterdir()} == before
    assert sorted(path.name for path in place.parent.iterdir()) == ["Lab"]


def test_a_recording_of_another_region_takes_its_old_benchmark_away(lab, tmp_path, trials):
    """The old manifest would score the new recording under the old region's name."""
    np.save(tmp_path / "a.npy", trials)
    accepted(tmp_path, *flags(tmp_path / "a.npy", lab, *DIMS))
    out = accepted(tmp_path, *["IT" if word == "V4" else word for word in flags(tmp_path / "a.npy", lab, *DIMS)])
    assert "Lab.V4-ridge was of the recording that this one replaces" in out
    assert [path.name for path in (tmp_path / "benchmarks").iterdir()] == ["Lab.IT-ridge.json"]


def test_of_two_at_once_one_is_told(lab, tmp_path, trials):
    from cortiscore.add import alone

    np.save(tmp_path / "a.npy", trials)
    (tmp_path / "data").mkdir()
    with alone(tmp_path / "data", "Lab"):
        done = add_here(tmp_path, *flags(tmp_path / "a.npy", lab, *DIMS))
        assert done.returncode == 5 and "at work" in done.stderr
    accepted(tmp_path, *flags(tmp_path / "a.npy", lab, *DIMS))
    assert "brings" in add_here(tmp_path, "brainio", *flags(tmp_path / "a.npy", lab, *DIMS)[1:]).stderr


def test_ids_of_each_session_are_not_left_out(lab, tmp_path):
    """An array of structs whose entries have ids of their own: one entry goes by its ids; several in different orders are refused."""
    values = np.random.default_rng(0).normal(size=(2, N, 3)).astype(np.float32).astype(float)
    orders = [np.random.default_rng(k).permutation(N) for k in range(2)]
    sessions = np.empty((1, 2), dtype=[("responses", object), ("stimulus_id", object)])
    dims = ["--variable", "session.responses", "--dims", "repetition,presentation,neuroid"]
    for is_same in (False, True):
        for k in range(2):
            order = orders[0 if is_same else k]
            sessions[0, k] = values[k][order], np.array([IDS[i] for i in order], object).reshape(-1, 1)
        scipy.io.savemat(tmp_path / "a.mat", {"session": sessions})
        if is_same:
            assert "by place" not in accepted(tmp_path, *flags(tmp_path / "a.mat", lab, *dims))
            np.testing.assert_array_equal(stored(tmp_path, "Lab", IDS)[0], values)
        else:
            assert "ids that differ between 2 entries" in refused(tmp_path / "other", *flags(tmp_path / "a.mat", lab, *dims))
            accepted(tmp_path, *flags(tmp_path / "a.mat", lab, "--variable", "session.responses[1]"))
            np.testing.assert_array_equal(stored(tmp_path, "Lab", IDS)[0][0], values[1])


def test_names_of_images_beside_an_array_are_its_ids_whatever_they_are_called(lab, tmp_path):
    values = np.random.default_rng(0).normal(size=(N, 3)).astype(np.float32).astype(float)
    order = np.random.default_rng(1).permutation(N)
    names = [f"{IDS[i]}.png" for i in order]
    np.savez(tmp_path / "a.npz", responses=values[order], filenames=names)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["responses"], file["filenames"] = values[order], names
    scipy.io.savemat(tmp_path / "a.mat", {"responses": values[order], "filenames": np.array(names, object).reshape(-1, 1)})
    for name in ("a.npz", "a.h5", "a.mat"):
        out = accepted(tmp_path, *flags(tmp_path / name, lab))
        assert "filenames is taken for stimulus_id" in out and "by place" not in out
        np.testing.assert_array_equal(stored(tmp_path, "Lab", IDS)[0][0], values)
    np.savez(tmp_path / "a.npz", responses=values, conditions=["a", "b"] * (N // 2))
    assert "by place" in accepted(tmp_path, *flags(tmp_path / "a.npz", lab))


def test_ids_in_matlabs_char_matrices_and_cells_are_those_that_cellstr_gives(tmp_path):
    rates, names = np.arange(6.0).reshape(3, 2), ["a", "b b", "ccc"]
    cell = np.empty((3, 1), object)
    cell[:, 0] = [1.0, 2.0, 3.0]
    mixed = cell.copy()
    mixed[1, 0] = "im2"
    entries = np.empty(3, dtype=[("rates", object), ("stimulus_id", object)])
    for i, name in enumerate([7.0, 8.0, 9.0]):
        entries[i] = rates[i], name
    path = tmp_path / "a.mat"
    for variables, ids in (({"rates": rates, "stimulus_id": np.array(names)}, names), ({"rates": rates, "stimulus_id": cell}, ["1", "2", "3"]),
                           ({"rates": rates, "stimulus_id": mixed}, ["1", "im2", "3"]), ({"s": {"rates": rates, "stimulus_id": cell}}, ["1", "2", "3"]),
                           ({"s": entries}, ["7", "8", "9"])):
        recorded = read_array(matlab_with(path, **variables))
        np.testing.assert_array_equal(recorded.array, rates)
        assert recorded.labels["presentation"] == ids
    with h5py.File(path, "w") as file:  # version 7.3: a number a character, dims reversed
        dataset(file, "rates", rates, "double")
        dataset(file, "stimulus_id", np.array([list(name.ljust(3).encode("utf-16-le")[::2]) for name in names], np.uint16), "char")
    assert read_array(path).labels["presentation"] == names
