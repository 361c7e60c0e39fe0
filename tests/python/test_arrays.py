"""Arrays from files: numbers as NumPy, xarray, netCDF4 and h5py read them, rows by their ids, dims by their names."""
import csv
import json
import os
import struct
import unicodedata
import zipfile

import h5py
import netCDF4
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from PIL import Image
from scipy.io import netcdf_file
from scipy.spatial.distance import pdist, squareform

from beside import REFUSED, USED
from conftest import peak_bytes, run, run_json, write

RNG = np.random.default_rng(24)


def equal(path, expected, folder, *flags):
    """Whether every number that the engine reads is the expected one, to the bit; NaN where that is NaN."""
    expected = np.asarray(expected, float)
    np.save(folder / "expected.npy", np.nan_to_num(expected))
    found = run_json("metric", "value_delta", "--source", path, "--target", folder / "expected.npy", "--scale", "1e300",
                     "--bootstrap", "0", *flags)["split_scores"]
    wanted = [None if np.isnan(value) else 1 for value in expected.ravel()]
    assert found == wanted, (path, [(i, f, w) for i, (f, w) in enumerate(zip(found, wanted)) if f != w][:5])


def refused(words, *arguments):
    """One line, exit 5, printable, with these words."""
    done = run(*arguments)
    assert done.returncode == 5, (done.returncode, done.stdout, done.stderr)
    lines = done.stderr.strip().splitlines()
    if arguments[0] == "score":
        lines = lines[1:]  # the first says which pair is scored
    assert len(lines) == 1 and lines[0].isprintable(), done.stderr
    for word in words:
        assert word in done.stderr, (word, done.stderr)
    return done.stderr


def labelled(values, ids, dims=("presentation", "neuroid"), neuroids=None, id_name="stimulus_id"):
    coords = {id_name: (dims[0], list(ids))}
    if neuroids is not None:
        coords["neuroid_id"] = (dims[1], list(neuroids))
    return xr.DataArray(values, dims=list(dims), name="data", coords=coords)


# Numbers as they were stored


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"])
def test_npy_and_npz_of_every_real_dtype_and_byte_order(dtype, tmp_path):
    values = RNG.integers(0, 2 if dtype == "b1" else 100, (5, 3, 2)).astype(dtype)
    if dtype[0] == "f":
        values = RNG.normal(size=(5, 3, 2)).astype(dtype)
    if dtype[0] == "i":
        values = -values
    version = {"f": (2, 0), "i": (1, 0), "u": (3, 0), "b": (1, 0)}[dtype[0]]
    with open(tmp_path / "a.npy", "wb") as file:
        np.lib.format.write_array(file, np.asfortranarray(values.astype(">" + dtype)), version=version)
    equal(tmp_path / "a.npy", values, tmp_path)
    (np.savez if dtype[0] == "f" else np.savez_compressed)(tmp_path / "a.npz", arr=values.astype("<" + dtype))
    equal(tmp_path / "a.npz", values, tmp_path)


def test_numpy_files_that_are_no_real_numbers_say_what_to_do(tmp_path):
    cases = {
        "object": (np.array([[1.0, "a"]], dtype=object), ["object", "numpy.asarray"]),
        "complex": (np.ones((4, 2), np.complex64), ["complex64", "absolute values"]),
        "structured": (np.zeros(4, dtype=[("é", "f8"), ("b", "i4")]), ["structured", "FIELD"]),
        "long": (np.ones((4, 2), np.longdouble), ["long double", "float64"]),
        "text": (np.array([["a", "b"]]), ["text"]),
        "dates": (np.array(["2026-01-01"], dtype="datetime64[D]"), ["dates"]),
        "void": (np.zeros(3, dtype="V8"), ["void"]),
        "beyond": (np.array([[2**53 + 1, 1]], np.uint64), ["2^53"]),
        "two": (None, ["behind the array", "savez"]),
        "scalar": (np.array(3.0), ["dims", "presentations x features"]),
        "empty": (np.zeros((0, 3)), ["at least one presentation"]),
    }
    np.save(tmp_path / "y.npy", RNG.normal(size=(4, 2)))
    for name, (array, words) in cases.items():
        if array is None:
            with open(tmp_path / f"{name}.npy", "wb") as file:
                np.save(file, np.ones((4, 2)))
                np.save(file, np.zeros((4, 2)))
        else:
            np.save(tmp_path / f"{name}.npy", array, allow_pickle=True)
        refused([f"{name}.npy", *words], "metric", "ridge", "--source", tmp_path / f"{name}.npy", "--target", tmp_path / "y.npy")
    refused(["object", "numpy.asarray(array, str)"], "metric", "ridge", "--source", tmp_path / "y.npy", "--target",
            tmp_path / "y.npy", "--stratify", tmp_path / "object.npy")


def test_damaged_numpy_headers_are_told_in_printable_words(tmp_path):
    np.save(tmp_path / "x.npy", RNG.normal(size=(4, 2)))
    whole = (tmp_path / "x.npy").read_bytes()
    for data in {
        "byte": whole.replace(b"'<f8'", b"'\xbcf8'"), "kind": whole.replace(b"'<f8'", b"'<\xbc8'"), "dict": whole.replace(b"{", b"\x00"),
        "shape": whole.replace(b"(4, 2)", b"(4,\xff2)"), "negative": whole.replace(b"(4, 2)", b"(4,-2)"), "version": whole[:6] + b"\x07" + whole[7:],
        "cut": whole[:-8], "short": whole[:9], "none": b"", "huge": whole.replace(b"(4, 2), }", b"(9999999999,)}"),
        "key": whole.replace(b"shape", b"shade"), "quote": whole.replace(b"'shape'", b"'shape "),
    }.values():
        (tmp_path / "bad.npy").write_bytes(data)
        refused(["bad.npy"], "metric", "ridge", "--source", tmp_path / "bad.npy", "--target", tmp_path / "x.npy")


def packed(seed, tmp_path):
    """A NetCDF file with one packed variable, and the engine of xarray that opens it."""
    rng = np.random.default_rng(seed)
    form = ["NETCDF4", "NETCDF4_CLASSIC", "NETCDF3_CLASSIC", "NETCDF3_64BIT_OFFSET", "NETCDF3_64BIT_DATA"][seed % 5]
    kinds = ["i1", "i2", "i4", "f4", "f8"] + (["u1", "u2", "u4", "i8"] if form in ("NETCDF4", "NETCDF3_64BIT_DATA") else [])
    kind = kinds[rng.integers(len(kinds))]
    path = tmp_path / f"{seed}.nc"
    values = rng.integers(0, 100, (6, 4)).astype(kind) if kind[0] != "f" else rng.normal(size=(6, 4)).astype(kind)
    with netCDF4.Dataset(path, "w", format=form) as file:
        file.createDimension("presentation", None if seed % 3 == 0 else 6)
        file.createDimension("neuroid", 4)
        if seed % 3 == 0:  # a second record variable, so that records are padded
            file.createVariable("repetition", "i1", ("presentation",))[:] = np.arange(6)
        file.createDimension("chars", 3)
        ids = file.createVariable("stimulus_id", "S1", ("presentation", "chars"))
        fill = values[2, 1] if rng.random() < .6 else None
        variable = file.createVariable("data", kind, ("presentation", "neuroid"), fill_value=fill)
        variable.set_auto_maskandscale(False)
        if rng.random() < .3:
            variable.missing_value = values[0, :1]
        if rng.random() < .5:
            variable.scale_factor = rng.choice([np.float32, np.float64])(rng.normal())
        if rng.random() < .5:
            variable.add_offset = rng.choice([np.float32, np.float64])(rng.normal())
        if kind in ("i1", "i2") and rng.random() < .5:
            variable.setncattr("_Unsigned", "true")
            values[3] = -values[3]
        ids[:] = np.array([list(f"im{i}") for i in range(6)], "S1")
        variable[:] = values
    return path


def test_packed_netcdf_of_every_format_equals_xarray(tmp_path):
    for seed in range(15):
        path = packed(seed, tmp_path)
        equal(path, xr.open_dataset(path, engine="netcdf4", decode_times=False)["data"].values, tmp_path)


def test_what_scipy_writes_as_netcdf_3_is_read(tmp_path):
    values = RNG.normal(size=(7, 3)).astype("f4")
    for version in (1, 2):
        with netcdf_file(tmp_path / "a.nc", "w", version=version) as file:
            file.createDimension("presentation", None)
            file.createDimension("neuroid", 3)
            file.createVariable("rate", "f4", ("presentation", "neuroid"))[:] = values  # the only record variable: not padded
        equal(tmp_path / "a.nc", values, tmp_path)
    whole = (tmp_path / "a.nc").read_bytes()
    for cut in (0, 3, 20, 60, len(whole) - 5):
        (tmp_path / "cut.nc").write_bytes(whole[:cut])
        refused(["cut.nc"], "metric", "ridge", "--source", tmp_path / "cut.nc", "--target", tmp_path / "a.nc")


def test_missing_values_that_stand_for_nan(tmp_path):
    values = RNG.normal(size=(6, 4)).astype("f4")
    with netCDF4.Dataset(tmp_path / "list.nc", "w") as file:
        file.createDimension("presentation", 6)
        file.createDimension("neuroid", 4)
        variable = file.createVariable("data", "f4", ("presentation", "neuroid"))
        variable.set_auto_maskandscale(False)
        variable.missing_value = np.array([values[1, 1], values[2, 3]], "f4")
        variable[:] = values
        empty = file.createVariable("unwritten", "f4", ("presentation", "neuroid"))
        empty[0] = values[0]
    equal(tmp_path / "list.nc", xr.open_dataset(tmp_path / "list.nc", engine="netcdf4")["data"].values, tmp_path)
    np.save(tmp_path / "y.npy", values)
    refused(["9.9692099683868", "unwritten"], "metric", "ridge", "--source", tmp_path / "list.nc", "--target",
            tmp_path / "y.npy", "--variable", "unwritten")


def test_integers_that_nobody_wrote_are_refused_as_netcdf4_masks_them(tmp_path):
    """Of every type; bytes, of which all values may be data, are noted. Not where the file does not fill."""
    np.save(tmp_path / "y.npy", RNG.normal(size=(6, 4)))
    for form, kinds in {"NETCDF4": ("i1", "u1", "i2", "u2", "i4", "u4", "f8"), "NETCDF3_CLASSIC": ("i1", "i2", "i4", "f4"),
                        "NETCDF3_64BIT_DATA": ("u2", "u4")}.items():
        for kind in kinds:
            with netCDF4.Dataset(tmp_path / "un.nc", "w", format=form) as file:
                file.createDimension("presentation", 6)
                file.createDimension("neuroid", 4)
                file.createVariable("data", kind, ("presentation", "neuroid"))[:5] = np.arange(20).reshape(5, 4)
            with netCDF4.Dataset(tmp_path / "un.nc") as file:
                assert int(np.ma.count_masked(file["data"][:])) == 4
            flags = ("metric", "ridge", "--source", tmp_path / "un.nc", "--target", tmp_path / "y.npy")
            if kind[1] != "1":
                refused(["un.nc", '"data"', "4 values", "nothing was written", "_FillValue"], *flags)
            else:
                equal(tmp_path / "un.nc", xr.open_dataset(tmp_path / "un.nc", mask_and_scale=False)["data"].values, tmp_path)
                said = run(*flags).stderr  # six rows are too few for splits
                assert "4 values" in said and "taken as data" in said, said
    values = np.array([[-32767, 1], [2, 3], [4, 5]], "i2")
    xr.DataArray(values, dims=["presentation", "neuroid"], name="data").to_netcdf(tmp_path / "data.nc", engine="h5netcdf")
    equal(tmp_path / "data.nc", values, tmp_path)
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["data"] = values
    equal(tmp_path / "data.h5", values, tmp_path)


def test_datasets_whose_values_lie_elsewhere_are_refused_where_they_are_missing(tmp_path):
    values = RNG.normal(size=(6, 4))
    np.save(tmp_path / "y.npy", values)
    for part in (0, 1):
        with h5py.File(tmp_path / f"part{part}.h5", "w") as file:
            file["a"] = values[3 * part:3 * part + 3]
    layout = h5py.VirtualLayout(shape=(6, 4), dtype="f8")
    half = h5py.VirtualLayout(shape=(6, 4), dtype="f8")
    for part in (0, 1):
        layout[3 * part:3 * part + 3] = h5py.VirtualSource(f"part{part}.h5", "a", shape=(3, 4))
    half[:3] = h5py.VirtualSource("part0.h5", "a", shape=(3, 4))
    with h5py.File(tmp_path / "v.h5", "w") as file:
        file.create_virtual_dataset("data", layout)
    with h5py.File(tmp_path / "half.h5", "w") as file:
        file.create_virtual_dataset("data", half)
    with h5py.File(tmp_path / "raw.h5", "w") as file:
        file.create_dataset("data", data=values, external=[(str(tmp_path / "raw.bin"), 0, h5py.h5f.UNLIMITED)])
    equal(tmp_path / "v.h5", values, tmp_path)
    flags = ("--target", tmp_path / "y.npy", "--source")
    refused(["half.h5", "12 values have no source"], "metric", "ridge", *flags, tmp_path / "half.h5")
    refused(["raw.h5", "raw file", "h5repack"], "metric", "ridge", *flags, tmp_path / "raw.h5")
    with h5py.File(tmp_path / "part1.h5", "w") as file:
        file["b"] = values
    refused(["v.h5", '"data"', "virtual dataset", "part1.h5", "missing"], "metric", "ridge", *flags, tmp_path / "v.h5")
    (tmp_path / "part1.h5").unlink()
    refused(["v.h5", '"data"', "virtual dataset", "part1.h5", "missing"], "metric", "ridge", *flags, tmp_path / "v.h5")


def test_hdf5_is_read_from_its_own_folder_and_no_pipe_is_waited_for(tmp_path):
    """A virtual dataset of a stranger's file may name any file of this machine: a pipe, a file elsewhere, a link in a file beside it."""
    (tmp_path / "inner").mkdir()
    os.mkfifo(tmp_path / "inner/pipe")
    values = RNG.normal(size=(6, 4))
    for place in ("secret.h5", "inner/beside.h5"):
        with h5py.File(tmp_path / place, "w") as file:
            file["a"] = values
            file["b"] = h5py.ExternalLink(str(tmp_path / "inner/pipe"), "/a")
            file.create_dataset("c", data=values, external=[(str(tmp_path / "raw.bin"), 0, h5py.h5f.UNLIMITED)])
    np.save(tmp_path / "y.npy", values)
    path = tmp_path / "inner/v.h5"

    def virtual(source, name="a", maxshape=(6, 4)):
        layout = h5py.VirtualLayout(shape=(6, 4), dtype="f8", maxshape=maxshape)
        layout[:] = h5py.VirtualSource(str(source), name, shape=(6, 4), maxshape=maxshape)
        with h5py.File(path, "w") as file:
            file.create_virtual_dataset("data", layout)

    for source, name, words in ((tmp_path / "secret.h5", "a", "outside of the folder"), ("../secret.h5", "a", "outside of the folder"),
                                ("pipe", "a", "a named pipe"), (tmp_path / "inner/pipe", "a", "a named pipe"), ("beside.h5", "b", "reached by a link"),
                                ("beside.h5", "b/x", "reached by a link"), ("beside.h5", "c", "raw file")):
        virtual(source, name)
        done = run("metric", "ridge", "--source", path, "--target", tmp_path / "y.npy", seconds=20)
        assert done.returncode == 5 and "v.h5" in done.stderr and words in done.stderr, (source, name, done)
    for source in ("beside.h5", tmp_path / "inner/beside.h5"):
        virtual(source)
        equal(path, values, tmp_path)


@pytest.mark.parametrize("kind", ["chunks", "one piece", "text", "overflow"])
def test_cells_that_were_never_written_take_no_memory(tmp_path, kind):
    """Some KB may say that they hold any number of values."""
    np.save(tmp_path / "y.npy", np.zeros((6, 4)))
    shape = (1 << 31, 1 << 31) if kind == "overflow" else (30000, 30000)
    with h5py.File(tmp_path / "x.h5", "w") as file:
        if kind == "text":
            file["data"] = np.zeros((6, 4))
            file.create_dataset("stimulus_id", shape=(6,), dtype=h5py.string_dtype(length=1 << 30), chunks=(1,))
        else:
            file.create_dataset("data", shape=shape, dtype="f8", chunks=None if kind == "one piece" else (64, 64))
    peak, said = peak_bytes("metric", "ridge", "--source", tmp_path / "x.h5", "--target", tmp_path / "y.npy", code=5)
    assert peak < 1 << 30 and "x.h5: variable " in said and ("the file stores 0" in said or kind == "overflow"), said


def test_what_unpacks_beyond_the_limit_is_refused_before_it_is_read(tmp_path):
    values = np.zeros((4000, 4000))  # 128 MB, of which gzip makes 124 KB
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_dataset("data", data=values, chunks=(1000, 4000), compression="gzip")
    np.savez_compressed(tmp_path / "x.npz", data=values)
    np.save(tmp_path / "y.npy", values[:, :3])
    for name in ("x.h5", "x.npz"):
        done = run("metric", "ridge", "--source", tmp_path / name, "--target", tmp_path / "y.npy", env={"CORTISCORE_FILE_GIB": "0.1"})
        assert done.returncode == 6 and name in done.stderr and "CORTISCORE_FILE_GIB" in done.stderr, done


def test_hdf5_arrays_of_every_kind(tmp_path):
    values = RNG.integers(0, 50, (6, 4))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name, array in {"big": values.astype(">i4"), "half": values.astype("f2"), "bool": values > 20, "session/unsigned": values.astype("u2"),
                            "gzip": values.astype("f4")}.items():
            file.create_dataset(name, data=array, chunks=True if name == "gzip" else None, compression="gzip" if name == "gzip" else None)
        file["complex"] = values.astype(complex)
        file["compound"] = np.zeros(4, dtype=[("a", "f8"), ("b", "i4")])
        file["long"] = values.astype(np.longdouble)
        file.create_dataset("packed", data=values.astype("f4"), chunks=True, compression="lzf")
        file["beyond"] = np.array([2**60 + 1, 1])
        file["gone"] = h5py.SoftLink("/nowhere")
    (tmp_path / "a.hdf5").write_bytes((tmp_path / "a.h5").read_bytes())
    for name, expected in {"big": values, "half": values, "bool": values > 20, "session/unsigned": values, "gzip": values}.items():
        equal(tmp_path / "a.hdf5", expected, tmp_path, "--variable", f"source={name}")
    np.save(tmp_path / "y.npy", values)
    for name, words in {"complex": ["complex", "absolute"], "compound": ["compound of a, b"], "long": ["long double"], "packed": ["lzf", "gzip"],
                        "beyond": ["2^53"], "nothing": ["none (there are", '"big" (int32 6 x 4)']}.items():
        refused(["a.h5", *words], "metric", "ridge", "--source", tmp_path / "a.h5", "--target", tmp_path / "y.npy", "--variable", name)


def test_several_arrays_are_refused_with_their_names_unless_one_is_chosen(tmp_path):
    x, y = RNG.normal(size=(40, 5)), RNG.normal(size=(40, 3))
    data = xr.Dataset({"features": (("presentation", "unit"), x), "rates": (("presentation", "neuroid"), y)},
                      coords={"stimulus_id": ("presentation", [f"im{i}" for i in range(40)])})
    data.to_netcdf(tmp_path / "both.nc", engine="h5netcdf")
    data.drop_vars("stimulus_id").to_netcdf(tmp_path / "both3.nc", engine="scipy")
    np.savez(tmp_path / "both.npz", features=x, rates=y)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", y)
    expected = run_json("metric", "ridge", "--source", tmp_path / "x.npy", "--target", tmp_path / "y.npy")["score"]
    for name in ("both.nc", "both3.nc", "both.npz"):
        both = ("metric", "ridge", "--source", tmp_path / name, "--target", tmp_path / name)
        refused([name, '"features"', '"rates"', "--variable"], *both)
        found = run_json(*both, "--variable", "source=features", "--variable", "target=rates")
        assert found["score"] == expected
    one = run_json("metric", "ridge", "--source", tmp_path / "both.nc", "--target", tmp_path / "y.npy", "--variable", "features")
    assert one["score"] == expected
    for flags in (["--variable", "a", "--variable", "b"], ["--variable", "source=features", "--variable", "target=a"]):
        done = run("metric", "ridge", "--source", tmp_path / "both.nc", "--target", tmp_path / "y.npy", *flags)
        assert done.returncode == 2 and "--variable" in done.stderr, done.stderr
    data.rename(rates="data").to_netcdf(tmp_path / "named.nc", engine="h5netcdf")  # BrainIO's own name goes first
    equal(tmp_path / "named.nc", y, tmp_path)
    with zipfile.ZipFile(tmp_path / "none.npz", "w") as archive:
        archive.writestr("a.txt", "a")
    refused(["none.npz"], "metric", "ridge", "--source", tmp_path / "none.npz", "--target", tmp_path / "y.npy")


# Rows by what they are called


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """Features and responses of 60 stimuli with ids, and the scores of both as plain arrays."""
    folder = tmp_path_factory.mktemp("recording")
    rng = np.random.default_rng(5)
    x = rng.normal(size=(60, 8))
    trials = x @ rng.normal(size=(8, 5)) + rng.normal(size=(4, 60, 5))
    y = trials.mean(0)
    ids, neuroids = [f"im{i:02d}" for i in range(60)], [f"n{i}" for i in range(5)]
    for name, array in {"x": x, "x2": x[:, :4], "y": y, "trials": trials}.items():
        np.save(folder / f"{name}.npy", array)
    labelled(x, ids).to_netcdf(folder / "x.nc", engine="h5netcdf")
    order, columns = rng.permutation(60), rng.permutation(5)
    labelled(y[order], np.array(ids)[order]).to_netcdf(folder / "y.nc", engine="h5netcdf")
    long = xr.DataArray(trials[:, order][:, :, columns].reshape(-1, 5), dims=["presentation", "neuroid"], name="data", coords={
        "stimulus_id": ("presentation", np.tile(np.array(ids)[order], 4)), "repetition": ("presentation", np.repeat(np.arange(4), 60)),
        "neuroid_id": ("neuroid", np.array(neuroids)[columns])})
    long.to_netcdf(folder / "trials.nc", engine="h5netcdf")
    return folder, x, y, ids, order, neuroids


def score(name, folder, source, target, *flags):
    out = run_json("metric", name, "--source", folder / source, "--target", folder / target, "--bootstrap", "0", *flags)
    return out["score"]


def test_files_with_ids_are_aligned_by_them(recording, tmp_path):
    folder, x, y, ids, order, _ = recording
    for name in ("ridge", "rdm", "cka"):
        assert score(name, folder, "x.nc", "y.nc") == score(name, folder, "x.npy", "y.npy")
    # Old names, labels of the dim itself, and other words for a dim.
    other = xr.DataArray(y[order].T, dims=["unit", "image"], name="r", coords={"image": np.array(ids)[order]})
    other.to_netcdf(tmp_path / "image.nc", engine="h5netcdf")
    labelled(y[order], np.array(ids)[order], id_name="image_id").to_netcdf(tmp_path / "old.nc", engine="netcdf4", format="NETCDF3_CLASSIC")
    numbers = labelled(y[order], order)
    numbers.to_netcdf(tmp_path / "numbers.nc", engine="h5netcdf")
    labelled(x, [str(i) for i in range(60)]).to_netcdf(tmp_path / "xn.nc", engine="h5netcdf")
    expected = score("ridge", folder, "x.npy", "y.npy")
    assert score("ridge", folder, "x.nc", tmp_path / "image.nc") == expected
    assert score("ridge", folder, "x.nc", tmp_path / "old.nc") == expected
    assert score("ridge", folder, tmp_path / "xn.nc", tmp_path / "numbers.nc") == expected


def test_ids_beside_an_array_name_its_rows(recording, tmp_path):
    """Where containers have no dims' names, in text or numbers; a table's column of another name for stimuli is no neuroid."""
    folder, x, y, ids, order, _ = recording
    expected = score("ridge", folder, "x.npy", "y.npy")
    rdms = {"rows": squareform(pdist(y, "correlation"))}
    np.save(tmp_path / "rdm.npy", rdms["rows"])
    as_rdm = score("rdm", folder, "x.npy", tmp_path / "rdm.npy", "--target-rdm")
    shuffled = np.array(ids)[order]
    for name, values in {"stimulus_id": shuffled.astype("S"), "image_id": [str(i) for i in shuffled]}.items():
        with h5py.File(tmp_path / f"{name}.h5", "w") as file:
            file["betas"], file[name] = y[order], values
        assert score("ridge", folder, "x.nc", tmp_path / f"{name}.h5") == expected
        with h5py.File(tmp_path / f"{name}_rdm.h5", "w") as file:
            file["rdm"], file[name] = rdms["rows"][order][:, order], values
        assert score("rdm", folder, "x.nc", tmp_path / f"{name}_rdm.h5", "--target-rdm") == pytest.approx(as_rdm, abs=1e-12)
    np.savez(tmp_path / "y.npz", betas=y[order], stimulus_id=shuffled)
    assert score("ridge", folder, "x.nc", tmp_path / "y.npz") == expected
    labelled(x, [str(i) for i in range(60)]).to_netcdf(tmp_path / "xn.nc", engine="h5netcdf")
    np.savez(tmp_path / "n.npz", betas=y[order], image_id=order)
    assert score("ridge", folder, tmp_path / "xn.nc", tmp_path / "n.npz") == expected
    trials = np.load(folder / "trials.npy")
    flags = ("--source", folder / "x.npy", "--target", folder / "y.npy", "--bootstrap", "0")
    plain = run_json("metric", "ridge", *flags, "--trials", folder / "trials.npy")
    np.savez(tmp_path / "trials.npz", trials=trials[:, order], stimulus_id=shuffled)
    with h5py.File(tmp_path / "trials.h5", "w") as file:
        file["trials"], file["stimulus_id"] = trials[:, order], [str(i) for i in shuffled]
    for name in ("trials.npz", "trials.h5"):
        found = run_json("metric", "ridge", "--source", folder / "x.nc", "--target", folder / "y.nc", "--trials", tmp_path / name, "--bootstrap", "0")
        assert found["ceiled"] == plain["ceiled"] and not any("by place" in note and name in note for note in found["notes"]), found["notes"]
    frame = pd.DataFrame(y[order], columns=list("abcde"))
    for name in ("Stimulus_ID", "stimulus", "image", "filename", "stim_id", "imageId"):
        frame.assign(**{name: order}).to_csv(tmp_path / "spelled.csv", index=False)
        refused([f'column "{name}"', "call it stimulus_id"], "metric", "ridge", "--source", tmp_path / "xn.nc", "--target", tmp_path / "spelled.csv")


@pytest.mark.parametrize("kind", USED)
def test_ids_are_used_wherever_and_however_they_lie(recording, tmp_path, kind):
    folder, _, y, ids, order, _ = recording
    suffix, put = USED[kind]
    put(tmp_path / f"y{suffix}", y[order], np.array(ids)[order])
    flags = ("metric", "ridge", "--source", folder / "x.nc", "--target", tmp_path / f"y{suffix}", "--bootstrap", "0")
    out = run_json(*flags, *(["--variable", "target=s1/data/betas"] if "above" in kind else []))
    assert out["score"] == score("ridge", folder, "x.npy", "y.npy")
    assert not any("by place" in note for note in out["notes"])
    said = [note for note in out["notes"] if "taken as" in note]
    assert bool(said) == any(word in kind for word in ("filenames", "image_names", "npz ids", "another group")), said


@pytest.mark.parametrize("kind", REFUSED)
def test_ids_that_cannot_be_used_are_refused_by_name(recording, tmp_path, kind):
    folder, _, y, ids, order, _ = recording
    suffix, put, words = REFUSED[kind]
    put(tmp_path / f"y{suffix}", y[order], np.array(ids)[order])
    refused([f"y{suffix}", *words], "metric", "ridge", "--source", folder / "x.nc", "--target", tmp_path / f"y{suffix}")


def test_numbers_under_a_likely_name_are_ids_where_they_do_not_count(recording, tmp_path):
    folder, x, y, _, order, _ = recording
    labelled(x, np.arange(60) * 3 + 7).to_netcdf(tmp_path / "x.nc", engine="h5netcdf")
    for name in ("cocoId", "nsd_id", "image_index", "ids"):
        np.savez(tmp_path / "y.npz", betas=y[order], **{name: order * 3 + 7})
        out = run_json("metric", "ridge", "--source", tmp_path / "x.nc", "--target", tmp_path / "y.npz", "--bootstrap", "0")
        assert out["score"] == score("ridge", folder, "x.npy", "y.npy"), name
        np.savez(tmp_path / "y.npz", betas=y, **{name: np.arange(60)})  # places
        out = run_json("metric", "ridge", "--source", tmp_path / "x.nc", "--target", tmp_path / "y.npz", "--bootstrap", "0")
        assert out["score"] == score("ridge", folder, "x.npy", "y.npy") and "by place" in out["notes"][-1]
    np.savez(tmp_path / "y.npz", betas=y, scene=np.repeat(["a", "b"], 30))
    notes = run_json("metric", "ridge", "--source", folder / "x.nc", "--target", tmp_path / "y.npz", "--bootstrap", "0")["notes"]
    assert any("scene" in note and "more than once" in note for note in notes), notes


def test_trials_of_npz_take_neuroids_and_repetitions(recording, tmp_path):
    folder, _, _, ids, order, neuroids = recording
    trials = np.load(folder / "trials.npy")
    plain = run_json("ceiling", "internal_consistency", "--trials", folder / "trials.nc", "--bootstrap", "0")
    swap = [3, 1, 4, 0, 2]
    np.savez(tmp_path / "wide.npz", t=trials[:, order][..., swap], stimulus_id=np.array(ids)[order], neuroid_id=np.array(neuroids)[swap])
    np.savez(tmp_path / "long.npz", t=trials[:, order].reshape(-1, 5), image_id=np.tile(np.array(ids)[order], 4), repetition=np.repeat(np.arange(4), 60))
    for name in ("wide", "long"):
        found = run_json("ceiling", "internal_consistency", "--trials", tmp_path / f"{name}.npz", "--bootstrap", "0")
        np.testing.assert_allclose(found["ceiling"], plain["ceiling"], rtol=1e-12)
        assert found["notes"] == []


def test_a_transposed_file_scores_the_same(recording, tmp_path):
    folder, x, y, ids, order, _ = recording
    labelled(x, ids).T.to_netcdf(tmp_path / "xt.nc", engine="h5netcdf")
    assert score("ridge", folder, tmp_path / "xt.nc", "y.nc") == score("ridge", folder, "x.nc", "y.nc")
    square = RNG.normal(size=(60, 60))
    plain = xr.DataArray(square, dims=["presentation", "neuroid"], name="data")
    for name, data in {"a": plain, "b": plain.T, "c": plain.expand_dims("time_bin", axis=0)}.items():
        data.to_netcdf(tmp_path / f"{name}.nc", engine="h5netcdf")
        equal(tmp_path / "c.nc" if name == "c" else tmp_path / "a.nc", square, tmp_path)
    assert score("ridge", folder, tmp_path / "b.nc", "y.npy") == score("ridge", folder, tmp_path / "a.nc", "y.npy")


def test_names_that_say_nothing_are_taken_by_place_and_said(recording, tmp_path):
    folder, x, *_ = recording
    xr.DataArray(x, dims=["dim_0", "dim_1"], name="a").to_netcdf(tmp_path / "dims.nc", engine="h5netcdf")
    out = run_json("metric", "ridge", "--source", tmp_path / "dims.nc", "--target", folder / "y.npy", "--bootstrap", "0")
    assert out["score"] == score("ridge", folder, "x.npy", "y.npy")
    assert any('"dim_0" is taken as presentation' in note for note in out["notes"])
    xr.DataArray(x[None], dims=["repetition", "presentation", "neuroid"]).to_netcdf(tmp_path / "one.nc", engine="h5netcdf")
    assert score("ridge", folder, tmp_path / "one.nc", "y.npy") == out["score"]
    xr.DataArray(np.stack([x, x]), dims=["repetition", "presentation", "neuroid"]).to_netcdf(tmp_path / "two.nc", engine="h5netcdf")
    refused(["repetition 2", "Average the repetitions"], "metric", "ridge", "--source", tmp_path / "two.nc", "--target", folder / "y.npy")


def test_other_or_repeated_ids_are_refused_with_their_spelling(recording, tmp_path):
    folder, x, y, ids, *_ = recording
    for name, data, words in [
        ("png", labelled(y, [i + ".png" for i in ids]), ['"im00.png"', '"im00"', "60 of 60"]),
        ("fewer", labelled(y[:50], ids[:50]), ["10 of 60", '"im50"']),
        ("more", labelled(np.vstack([y, y[:1]]), ids + ["new"]), ["1 of 61", '"new"']),
        ("twice", labelled(np.vstack([y, y]), ids + ids), ["more than once", '"im00"', "--trials"]),
        ("empty", labelled(y, [""] + ids[1:]), ["stimulus_id", "presentation 0"]),
        ("nan", labelled(y, [np.nan] + list(range(59))), ["stimulus_id", "presentation 0"]),
    ]:
        data.to_netcdf(tmp_path / f"{name}.nc", engine="h5netcdf")
        refused([f"{name}.nc", *words], "metric", "ridge", "--source", folder / "x.nc", "--target", tmp_path / f"{name}.nc")


def test_ids_in_two_unicode_normal_forms_are_refused_by_that_name(recording, tmp_path):
    folder, x, y, *_ = recording
    names = [f"caf\u00e9 {i}" for i in range(60)]
    labelled(x, names).to_netcdf(tmp_path / "x.nc", engine="h5netcdf")
    labelled(y, [unicodedata.normalize("NFD", name) for name in names]).to_netcdf(tmp_path / "y.nc", engine="h5netcdf")
    refused(["60 of 60", "normal form", "NFC"], "metric", "ridge", "--source", tmp_path / "x.nc", "--target", tmp_path / "y.nc")


def test_what_is_odd_beside_an_array_is_no_objection(tmp_path):
    """A structured dtype whose header is longer than any of an array of numbers, and a file that is no array."""
    y = np.random.default_rng(0).standard_normal((20, 3))
    wide = np.zeros(2, dtype=[(f"field_{i:05d}", "f8") for i in range(4000)])
    np.savez(tmp_path / "y.npz", y=y, settings=wide)
    with zipfile.ZipFile(tmp_path / "y.npz", "a") as archive:
        archive.writestr("broken.npy", b"no header")
    np.save(tmp_path / "x.npy", y @ np.ones((3, 4)) + 0.1)
    found = run_json("metric", "ridge", "--source", tmp_path / "x.npy", "--target", tmp_path / "y.npz")
    np.save(tmp_path / "y.npy", y)
    assert found["score"] == run_json("metric", "ridge", "--source", tmp_path / "x.npy", "--target", tmp_path / "y.npy")["score"]
    done = run("metric", "ridge", "--source", tmp_path / "x.npy", "--target", tmp_path / "y.npz", "--variable", "target=broken")
    assert done.returncode == 5 and "broken" in done.stderr


def test_what_is_matched_by_place_is_said_once(recording):
    folder = recording[0]
    for source, target, words in [("x.npy", "y.npy", ["x.npy, ", "y.npy: ", "matched by place"]),
                                  ("x.npy", "y.nc", ["x.npy: no stimulus_id", "to those of", "y.nc"])]:
        flags = ("metric", "ridge", "--source", folder / source, "--target", folder / target, "--bootstrap", "0")
        done = run(*flags)
        notes = [line for line in done.stderr.splitlines() if line.startswith("note: ")]
        assert done.returncode == 0 and len(notes) == 1 and all(word in notes[0] for word in words), done.stderr
        assert ["note: " + note for note in run_json(*flags)["notes"]] == notes
    assert run_json("metric", "ridge", "--source", folder / "x.nc", "--target", folder / "y.nc", "--bootstrap", "0")["notes"] == []
    assert "by place" in run("ceiling", "internal_consistency", "--trials", folder / "trials.npy").stderr
    assert "by place" not in run("ceiling", "internal_consistency", "--trials", folder / "trials.nc").stderr


def test_trials_versus_labels_and_parts_are_aligned_too(recording, tmp_path):
    folder, x, y, ids, order, neuroids = recording
    labelled(y[order], np.array(ids)[order], neuroids=neuroids).to_netcdf(tmp_path / "y.nc", engine="h5netcdf")
    labelled(x[order, :4], np.array(ids)[order]).to_netcdf(tmp_path / "x2.nc", engine="h5netcdf")
    labels = [i % 3 for i in range(60)]
    np.save(tmp_path / "labels.npy", labels)
    write(tmp_path / "labels.csv", [{"stimulus_id": ids[i], "label": labels[i]} for i in order])
    plain = run_json("metric", "ridge", "--source", folder / "x.npy", "--target", folder / "y.npy", "--trials", folder / "trials.npy",
                     "--versus", folder / "x2.npy", "--stratify", tmp_path / "labels.npy")
    named = run_json("metric", "ridge", "--source", folder / "x.nc", "--target", tmp_path / "y.nc", "--trials", folder / "trials.nc",
                     "--versus", tmp_path / "x2.nc", "--stratify", tmp_path / "labels.csv")
    for key in ("score", "ceiling", "ceiled", "ceiled_ci_lo", "per_neuroid"):
        np.testing.assert_allclose(named[key], plain[key], rtol=1e-12)
    assert named["versus"] == plain["versus"] and named["notes"] == []
    # Train and test parts: rows by stimulus, columns by neuroid.
    parts = {}
    swap = [3, 1, 4, 0, 2]
    for part, rows in {"train": np.arange(40), "test": np.arange(40, 60)}.items():
        shuffled = RNG.permutation(rows)
        np.save(tmp_path / f"{part}-source.npy", x[rows])
        np.save(tmp_path / f"{part}-target.npy", y[rows])
        labelled(x[rows], np.array(ids)[rows]).to_netcdf(tmp_path / f"{part}-source.nc", engine="h5netcdf")
        columns = swap if part == "test" else list(range(5))
        labelled(y[shuffled][:, columns], np.array(ids)[shuffled], neuroids=np.array(neuroids)[columns]).to_netcdf(
            tmp_path / f"{part}-target.nc", engine="h5netcdf")
    for form in ("npy", "nc"):
        flags = [f for part in ("train", "test") for side in ("source", "target") for f in (f"--{part}-{side}", tmp_path / f"{part}-{side}.{form}")]
        parts[form] = run_json("metric", "ridge_split", *flags)
    assert parts["nc"]["per_neuroid"] == parts["npy"]["per_neuroid"]


def test_repetitions_that_are_nan_are_refused(recording, tmp_path):
    folder = recording[0]
    data = xr.load_dataarray(folder / "trials.nc", engine="h5netcdf")
    repetition = data["repetition"].values.astype(float)
    repetition[7] = np.nan
    data.assign_coords(repetition=("presentation", repetition)).to_netcdf(tmp_path / "nan.nc", engine="h5netcdf")
    data.assign_coords(repetition=("presentation", np.nan_to_num(repetition, nan=1).astype("i2"))).to_netcdf(
        tmp_path / "fill.nc", engine="netcdf4", encoding={"repetition": {"_FillValue": np.int16(2)}})
    for name in ("nan.nc", "fill.nc"):
        refused([name, "repetition", "NaN"], "ceiling", "internal_consistency", "--trials", tmp_path / name)
    # Trials with an axis of their own, in any order.
    wide = np.load(folder / "trials.npy")
    xr.DataArray(wide.transpose(2, 0, 1), dims=["unit", "trial", "stimulus"]).to_netcdf(tmp_path / "wide.nc", engine="h5netcdf")
    plain = run_json("ceiling", "internal_consistency", "--trials", folder / "trials.npy")
    assert run_json("ceiling", "internal_consistency", "--trials", tmp_path / "wide.nc")["per_neuroid"] == plain["per_neuroid"]
    with h5py.File(tmp_path / "betas.h5", "w") as file:
        file["betas"] = wide
    assert run_json("ceiling", "internal_consistency", "--trials", tmp_path / "betas.h5")["per_neuroid"] == plain["per_neuroid"]


def test_a_table_called_txt_is_one_to_every_flag(recording, tmp_path):
    folder, x, y, ids, order, _ = recording
    pd.DataFrame(y[order], columns=list("abcde")).assign(stimulus_id=np.array(ids)[order]).to_csv(tmp_path / "y.txt", index=False)
    assert score("ridge", folder, "x.nc", tmp_path / "y.txt") == score("ridge", folder, "x.npy", "y.npy")
    done = run("metric", "ridge", "--source", folder / "x.nc", "--target", tmp_path / "y.txt", "--variable", "target=a")
    assert done.returncode == 2 and "holds one array alone" in done.stderr, done.stderr
    # Labels that are numbers are sorted as numbers, however they are written.
    labels = np.array([1, 2, 10, 30])[np.arange(60) % 4]
    np.save(tmp_path / "labels.npy", labels)
    expected = score("ridge", folder, "x.nc", "y.nc", "--stratify", tmp_path / "labels.npy")
    for name, column in (("labels.txt", labels), ("labels.csv", [f"{v}.0" if i % 2 else v for i, v in enumerate(labels)])):
        pd.DataFrame({"stimulus_id": ids, "label": column}).iloc[order].to_csv(tmp_path / name, index=False)
        assert score("ridge", folder, "x.nc", "y.nc", "--stratify", tmp_path / name) == expected, name


def test_values_of_stimuli_are_compared_by_id(recording, tmp_path):
    _, _, y, ids, order, _ = recording
    expected = np.exp(-np.abs(y[:, 0] - y[:, 1])).mean()
    pd.DataFrame({"stimulus_id": ids, "value": y[:, 0]}).to_csv(tmp_path / "a.csv", index=False)
    pd.DataFrame({"stimulus_id": np.array(ids)[order], "value": y[order, 1]}).to_csv(tmp_path / "b.csv", index=False)
    xr.DataArray(y[order, 1], dims=["image"], name="data", coords={"image": np.array(ids)[order]}).to_netcdf(tmp_path / "b.nc", engine="h5netcdf")
    for name in ("b.csv", "b.nc"):
        out = run_json("metric", "value_delta", "--source", tmp_path / "a.csv", "--target", tmp_path / name, "--scale", "1")
        assert out["score"] == pytest.approx(expected, rel=1e-12) and out["notes"] == [], name


def test_labels_of_a_dim_that_are_numbers_are_ids_unless_they_count(recording, tmp_path):
    folder, x, y, _, order, _ = recording
    labelled(x, [str(10 * i) for i in range(60)]).to_netcdf(tmp_path / "x.nc", engine="h5netcdf")
    for kind in ("f8", "i4"):  # 10.0 is 10
        xr.DataArray(y[order], dims=["image", "unit"], name="r", coords={"image": (10 * order).astype(kind)}).to_netcdf(tmp_path / "y.nc", engine="h5netcdf")
        assert score("ridge", folder, tmp_path / "x.nc", tmp_path / "y.nc") == score("ridge", folder, "x.npy", "y.npy")
    xr.DataArray(y, dims=["image", "unit"], name="r", coords={"image": np.arange(60) + 1.0}).to_netcdf(tmp_path / "y.nc", engine="h5netcdf")
    out = run_json("metric", "ridge", "--source", tmp_path / "x.nc", "--target", tmp_path / "y.nc", "--bootstrap", "0")
    assert out["score"] == score("ridge", folder, "x.npy", "y.npy") and any("by place" in note for note in out["notes"])


def test_a_shuffled_index_is_followed_as_xarray_follows_it(recording, tmp_path):
    """Labels that count are places; but where another file has the same in another order, rows were shuffled."""
    folder, x, y, _, order, _ = recording
    counted = lambda values: xr.DataArray(values, dims=["image", "unit"], name="r", coords={"image": np.arange(60)})
    whole, shuffled = counted(x), counted(y).isel(image=order)
    np.testing.assert_array_equal(shuffled.reindex_like(counted(y)), y)
    assert not np.array_equal(shuffled, y)
    whole.to_netcdf(tmp_path / "whole.nc", engine="h5netcdf")
    shuffled.to_netcdf(tmp_path / "shuffled.nc", engine="h5netcdf")
    np.save(tmp_path / "xs.npy", x[order])
    np.save(tmp_path / "ys.npy", y[order])
    for source, target, plain in (("whole.nc", "shuffled.nc", ("x.npy", "y.npy")),
                                  ("shuffled.nc", "whole.nc", (tmp_path / "ys.npy", tmp_path / "xs.npy"))):  # in the first one's order
        out = run_json("metric", "ridge", "--source", tmp_path / source, "--target", tmp_path / target, "--bootstrap", "0")
        assert out["score"] == pytest.approx(score("ridge", folder, *plain), abs=1e-12) and out["notes"] == []
    # Ids proper beside an index that counts: the index may be pandas' own, and says nothing.
    labelled(y[order], [str(i) for i in order]).to_netcdf(tmp_path / "ids.nc", engine="h5netcdf")
    out = run_json("metric", "ridge", "--source", tmp_path / "whole.nc", "--target", tmp_path / "ids.nc", "--bootstrap", "0")
    assert any("by place" in note for note in out["notes"])


def test_shuffled_rdms_are_followed_too(tmp_path):
    """Rows, columns or both of an RDM whose labels were shuffled beside features whose labels count."""
    rng = np.random.default_rng(8)
    x, order = rng.normal(size=(14, 30)), rng.permutation(14)
    rdm = squareform(pdist(x + rng.normal(size=x.shape), "correlation"))
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "rdm.npy", rdm)
    expected = run_json("metric", "rdm", "--source", tmp_path / "x.npy", "--target", tmp_path / "rdm.npy", "--target-rdm")["score"]
    xr.DataArray(x, dims=["image", "unit"], name="d", coords={"image": np.arange(14)}).to_netcdf(tmp_path / "x.nc", engine="h5netcdf")
    whole = xr.DataArray(rdm, dims=["image", "image_other"], name="d", coords={"image": np.arange(14), "image_other": np.arange(14)})
    for name, axes in {"both": ("image", "image_other"), "rows": ("image",), "columns": ("image_other",)}.items():
        shuffled = whole.isel({axis: order for axis in axes})
        shuffled.to_netcdf(tmp_path / f"{name}.nc", engine="h5netcdf")
        found = run_json("metric", "rdm", "--source", tmp_path / "x.nc", "--target", tmp_path / f"{name}.nc", "--target-rdm")
        assert found["score"] == pytest.approx(expected, abs=1e-12) and found["notes"] == [], name


def test_a_header_alone_names_the_stimuli_of_an_rdm(tmp_path):
    rng = np.random.default_rng(6)
    x = rng.normal(size=(12, 30))
    ids, order = np.array([f"s{i:02d}" for i in range(12)]), rng.permutation(12)
    rdm = squareform(pdist(x + rng.normal(size=x.shape), "correlation"))
    pd.DataFrame(rdm[order][:, order], columns=ids[order]).to_csv(tmp_path / "rdm.csv", index=False)
    np.save(tmp_path / "rdm.npy", rdm)
    np.save(tmp_path / "x.npy", x)
    labelled(x, ids).to_netcdf(tmp_path / "x.nc", engine="h5netcdf")
    expected = run_json("metric", "rdm", "--source", tmp_path / "x.npy", "--target", tmp_path / "rdm.npy", "--target-rdm")["score"]
    found = run_json("metric", "rdm", "--source", tmp_path / "x.nc", "--target", tmp_path / "rdm.csv", "--target-rdm")
    assert found["score"] == pytest.approx(expected, abs=1e-12) and found["notes"] == []
    pd.DataFrame(rdm, columns=np.arange(1, 13)).to_csv(tmp_path / "counts.csv", index=False)  # a header that counts names nothing
    found = run_json("metric", "rdm", "--source", tmp_path / "x.nc", "--target", tmp_path / "counts.csv", "--target-rdm")
    assert found["score"] == pytest.approx(expected, abs=1e-12) and any("by place" in note for note in found["notes"])


def test_a_variable_that_is_named_as_another_dim_is_read(recording, tmp_path):
    """netCDF-C stores it as _nc4_non_coord_NAME."""
    folder, x, y, ids, order, _ = recording
    with netCDF4.Dataset(tmp_path / "y.nc", "w") as file:
        file.createDimension("stimulus", 60)
        file.createDimension("neuroid", 5)
        file.createVariable("neuroid", "f8", ("stimulus", "neuroid"))[:] = y[order]
        file.createVariable("stimulus_id", str, ("stimulus",))[:] = np.array(ids, object)[order]
    with h5py.File(tmp_path / "y.nc") as file:
        assert "_nc4_non_coord_neuroid" in file
    for flags in ([], ["--variable", "target=neuroid"]):
        assert score("ridge", folder, "x.nc", tmp_path / "y.nc", *flags) == score("ridge", folder, "x.npy", "y.npy")


def test_text_of_no_characters_is_bounded(recording, tmp_path):
    """It takes no room in a file, which may say any number of it."""
    folder, x, y, *_ = recording
    with h5py.File(tmp_path / "y.h5", "w") as file:
        file["data"], file["stimulus"], file["neuroid"] = y, np.zeros(60), np.zeros(5)
        file.create_dataset("stimulus_id", (60, 0), "S1")
        for name in ("stimulus", "neuroid"):
            file[name].make_scale(name)
        file["data"].dims[0].attach_scale(file["stimulus"])
        file["data"].dims[1].attach_scale(file["neuroid"])
        file["stimulus_id"].dims[0].attach_scale(file["stimulus"])
    refused(["y.h5", "stimulus_id", "none at presentation 0"], "metric", "ridge", "--source", folder / "x.npy", "--target", tmp_path / "y.h5")

    def u64(*values):
        return b"".join(struct.pack(">q", value) for value in values)

    def name(text):
        return u64(len(text)) + text.encode().ljust((len(text) + 3) // 4 * 4, b"\0")

    # CDF-5: dims time and none, both of length 0, of which the last is that of records; a text variable of 2^62 records of `time` characters.
    header = (b"CDF\x05" + u64(2**62) + struct.pack(">i", 10) + u64(2) + name("time") + u64(0) + name("none") + u64(0) + struct.pack(">i", 0) + u64(0)
              + struct.pack(">i", 11) + u64(1) + name("data") + u64(2, 1, 0) + struct.pack(">i", 0) + u64(0) + struct.pack(">i", 2) + u64(0, 0))
    (tmp_path / "z.nc").write_bytes(header)
    refused(["z.nc", f"{2**62} records"], "metric", "ridge", "--source", folder / "x.npy", "--target", tmp_path / "z.nc")


def test_text_of_an_impossible_width_is_refused(recording, tmp_path):
    folder = recording[0]
    np.save(tmp_path / "a.npy", np.array(["a", "b"] * 30))
    whole = (tmp_path / "a.npy").read_bytes()
    for width in (b"<U4611686018427387904", b"<U9223372036854775807", b"<U0"):
        header = whole[:10] + whole[10:128].replace(b"<U1", width)[:117] + b"\n"
        (tmp_path / "labels.npy").write_bytes(header + whole[128:])
        refused(["labels.npy"], "metric", "ridge", "--source", folder / "x.npy", "--target", folder / "y.npy", "--stratify", tmp_path / "labels.npy")


# RDMs


def test_similarities_and_asymmetric_matrices_are_no_rdms(tmp_path):
    rng = np.random.default_rng(3)
    rdms = np.stack([squareform(pdist(rng.normal(size=(20, 9)), "correlation")) for _ in range(3)])
    asymmetric, diagonal = rdms.copy(), rdms.copy()
    asymmetric[1, 4, 7] += 0.1
    diagonal[2, 5, 5] = 0.3
    half = np.where(np.triu(np.ones((20, 20)), 1) > 0, rdms, 0)
    lower = np.where(np.tril(np.ones((20, 20)), -1) > 0, rdms, np.nan)
    np.save(tmp_path / "rdms.npy", rdms)
    for name, bad, words in [("similarities", 1 - rdms, ["diagonal", "1 at subject 0, stimuli 0 and 0", "1 - s"]),
                             ("asymmetric", asymmetric, ["symmetry", "subject 1, stimuli 4 and 7"]),
                             ("diagonal", diagonal, ["0.3 at subject 2, stimuli 5 and 5"]), ("half", half, ["symmetry"]),
                             ("lower", lower, ["symmetry", "nan"])]:
        np.save(tmp_path / f"{name}.npy", bad)
        refused([f"{name}.npy", *words], "metric", "rdm", "--source", tmp_path / "rdms.npy", "--source-rdm",
                "--target", tmp_path / f"{name}.npy", "--target-rdm")
        refused([f"{name}.npy", *words], "ceiling", "rsa", "--trials", tmp_path / f"{name}.npy")
    # Rounding of float32 and missing pairs are none of that.
    single = rdms.astype("f4")
    single[:, range(20), range(20)] = 3e-7
    single[0, 3, 4] *= 1 + 1e-6
    single[1, 2, 3] = single[1, 3, 2] = np.nan
    np.save(tmp_path / "single.npy", single)
    assert run("ceiling", "rsa", "--trials", tmp_path / "single.npy").returncode == 0


def test_rdms_are_aligned_by_id_in_both_directions(tmp_path):
    rng = np.random.default_rng(4)
    x = rng.normal(size=(20, 9))
    rdms = np.stack([squareform(pdist(x + rng.normal(size=(20, 9)), "correlation")) for _ in range(3)])
    ids, order, columns = np.array([f"s{i:02d}" for i in range(20)]), rng.permutation(20), rng.permutation(20)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "rdms.npy", rdms)
    labelled(x, ids).to_netcdf(tmp_path / "x.nc", engine="h5netcdf")
    shuffled = rdms[:, order][:, :, order]
    dims = ["subject", "presentation", "presentation_other"]
    xr.DataArray(shuffled, dims=dims, name="data", coords={"stimulus_id": ("presentation", ids[order])}).to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    xr.DataArray(rdms[:, order][:, :, columns].transpose(1, 0, 2), dims=["stimulus_a", "participant", "stimulus_b"], name="data",
                 coords={"stimulus_a": ids[order], "stimulus_b": ids[columns]}).to_netcdf(tmp_path / "b.nc", engine="h5netcdf")
    for name in ("stimulus_id_2", "image_id_other", "shown"):
        xr.DataArray(rdms[:, order][:, :, columns], dims=dims, name="data", coords={
            "stimulus_id": ("presentation", ids[order]), name: ("presentation_other", ids[columns])}).to_netcdf(tmp_path / f"{name}.nc", engine="h5netcdf")
    expected = run_json("metric", "rdm", "--source", tmp_path / "x.npy", "--target", tmp_path / "rdms.npy", "--target-rdm")["per_neuroid"]
    for name in ("stimulus_id_2", "image_id_other", "shown"):
        found = run_json("metric", "rdm", "--source", tmp_path / "x.nc", "--target", tmp_path / f"{name}.nc", "--target-rdm")
        assert found["per_neuroid"] == expected, name
    xr.DataArray(rdms, dims=dims, name="data", coords={"stimulus_id": ("presentation", ids), "stimulus_id_2": (
        "presentation_other", [f"x{i}" for i in range(20)])}).to_netcdf(tmp_path / "other.nc", engine="h5netcdf")
    refused(["other.nc (columns)", '"x0"'], "metric", "rdm", "--source", tmp_path / "x.nc", "--target", tmp_path / "other.nc", "--target-rdm")
    np.save(tmp_path / "none.npy", np.zeros((0, 0)))
    refused(["none.npy", "[0, 0]"], "metric", "rdm", "--source", tmp_path / "none.npy", "--source-rdm", "--target", tmp_path / "rdms.npy", "--target-rdm")
    found = run_json("metric", "rdm", "--source", tmp_path / "x.nc", "--target", tmp_path / "a.nc", "--target-rdm")
    assert found["per_neuroid"] == expected and found["notes"] == []
    assert run_json("metric", "rdm", "--source", tmp_path / "x.nc", "--target", tmp_path / "b.nc", "--target-rdm")["per_neuroid"] == expected


# Activations in place of a network


def test_activations_are_matched_to_the_stimulus_set_by_id(recording, tmp_path):
    folder, x, y, ids, order, _ = recording
    with open(tmp_path / "stimuli.csv", "w") as file:
        csv.writer(file).writerows([["stimulus_id", "filename"]] + [[i, i + ".png"] for i in ids])
    for k, i in enumerate(ids):
        Image.new("RGB", (4, 4), (k, 0, 0)).save(tmp_path / f"{i}.png")
    data = xr.load_dataarray(folder / "trials.nc", engine="h5netcdf")
    data.to_netcdf(tmp_path / "plain.nc", engine="h5netcdf")
    data.to_netcdf(tmp_path / "filled.nc", engine="netcdf4", encoding={"data": {"_FillValue": -9999.0}})
    for kind in ("plain", "filled"):
        json.dump({"schema_version": 1, "identifier": f"Ids{kind}.V4-ridge", "version": 1, "kind": "neural", "region": "V4", "parent": "V4",
                   "composite": False, "weight": 1, "visual_degrees": 8, "stimulus_set": "stimuli.csv",
                   "assemblies": [{"identifier": "a", "file": f"{kind}.nc"}], "metric": {"name": "ridge", "alpha": 1.0},
                   "splits": {"kind": "shuffle", "n_splits": 3, "train_fraction": 0.9, "seed": 1},
                   "layer_selection": {"method": "alternating_halves", "by": "stimulus_id"},
                   "ceiling": {"name": "internal_consistency", "n_splits": 3, "seed": 1}}, open(tmp_path / f"{kind}.json", "w"))
    labelled(x[order], np.array(ids)[order]).to_netcdf(tmp_path / "x.nc", engine="h5netcdf")
    labelled(np.vstack([x[:1] + 1, x[order]]), ["other"] + list(np.array(ids)[order])).to_netcdf(tmp_path / "more.nc", engine="h5netcdf")
    labelled(x[1:], ids[1:]).to_netcdf(tmp_path / "fewer.nc", engine="h5netcdf")

    def record(source, kind="plain"):
        done = run("score", source, "-b", tmp_path / f"{kind}.json", "--results", tmp_path / "r", "--bootstrap", "20", "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout), done.stderr

    place, said = record(folder / "x.npy")
    assert "matched by place" in said
    named, said = record(tmp_path / "x.nc")
    assert named["raw"] == place["raw"] and "by place" not in said
    more, said = record(tmp_path / "more.nc")
    assert more["raw"] == place["raw"] and "1 of 61 rows" in said and more["key"] != named["key"]
    assert place["notes"] == [f"{folder / 'x.npy'}: no stimulus_id; rows are matched by place to those of the stimulus set"] and named["notes"] == []
    assert more["notes"] == [f"{tmp_path / 'more.nc'}: 1 of 61 rows are of other stimuli and are left out"]
    assert record(folder / "x.npy", "filled")[0]["raw"] == place["raw"]
    pd.DataFrame(x[order], columns=[f"f{k}" for k in range(8)]).assign(stimulus_id=np.array(ids)[order]).to_csv(tmp_path / "x.txt", index=False)
    assert record(tmp_path / "x.txt")[0]["raw"] == place["raw"]
    for source in (tmp_path / "x.txt", folder / "x.npy"):
        done = run("score", source, "-b", tmp_path / "plain.json", "--results", tmp_path / "r", "--variable", "a")
        assert done.returncode == 2 and "holds one array alone" in done.stderr, done.stderr
    refused(["fewer.nc", "stimulus_id", '"im00"'], "score", tmp_path / "fewer.nc", "-b", tmp_path / "plain.json", "--results", tmp_path / "r")
