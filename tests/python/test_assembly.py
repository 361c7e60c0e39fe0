"""Assemblies: what xarray's two NetCDF-4 engines write is read; damage and contradictions are told."""
import numpy as np
import pytest
import xarray as xr

from conftest import run, run_json


def assembly(repetitions=6, stimuli=30, neuroids=8, seed=0, missing=0.2):
    rng = np.random.default_rng(seed)
    trials = rng.standard_normal((1, stimuli, neuroids)) + rng.standard_normal((repetitions, stimuli, neuroids))
    trials[rng.random(trials.shape) < missing] = np.nan
    order = rng.permutation(stimuli * repetitions)  # presentations come in any order
    flat = trials.transpose(1, 0, 2).reshape(-1, neuroids)[order]
    return trials, xr.DataArray(
        flat[:, :, None], dims=["presentation", "neuroid", "time_bin"], name="data",
        coords={"stimulus_id": ("presentation", [f"s{i // repetitions:02d}" for i in order]),
                "repetition": ("presentation", [int(i % repetitions) for i in order]),
                "object_name": ("presentation", ["é" if i % 2 else "dog" for i in order]),
                "neuroid_id": ("neuroid", [f"n{i}" for i in range(neuroids)]),
                "time_bin_start": ("time_bin", [70]), "time_bin_end": ("time_bin", [170])})


def per_neuroid(path):
    return np.array(run_json("ceiling", "internal_consistency", "--trials", path)["per_neuroid"], dtype=float)


@pytest.mark.parametrize("engine", ["h5netcdf", "netcdf4"])
@pytest.mark.parametrize("compressed", [False, True])
def test_what_xarray_writes_is_read(engine, compressed, tmp_path):
    trials, data = assembly()
    np.save(tmp_path / "t.npy", trials)
    encoding = {"data": {"zlib": True, "fletcher32": True}} if compressed else {}
    data.to_netcdf(tmp_path / "a.nc", engine=engine, encoding=encoding)
    # Stimuli come in order of first appearance, so sums run in another order: equal up to the last bits.
    np.testing.assert_allclose(per_neuroid(tmp_path / "a.nc"), per_neuroid(tmp_path / "t.npy"), rtol=1e-12)


def test_float32_and_repetitions_that_only_count_up(tmp_path):
    trials, data = assembly(missing=0)
    data = data.sortby("repetition").drop_vars("repetition").astype(np.float32)
    np.save(tmp_path / "t.npy", trials.astype(np.float32))
    data.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    np.testing.assert_allclose(per_neuroid(tmp_path / "a.nc"), per_neuroid(tmp_path / "t.npy"), rtol=1e-10)


def test_truncated(tmp_path):
    _, data = assembly()
    data.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    whole = (tmp_path / "a.nc").read_bytes()
    for keep in (0, 50, len(whole) // 2, len(whole) - 100):
        (tmp_path / "cut.nc").write_bytes(whole[:keep])
        done = run("ceiling", "internal_consistency", "--trials", tmp_path / "cut.nc")
        assert done.returncode == 5 and "cut.nc" in done.stderr, (keep, done.returncode, done.stderr)
        assert len(done.stderr.strip().splitlines()) == 1


def test_damaged_bytes_are_noticed(tmp_path):
    _, data = assembly(stimuli=300)
    data.to_netcdf(tmp_path / "a.nc", engine="h5netcdf", encoding={"data": {"zlib": True, "fletcher32": True}})
    whole = bytearray((tmp_path / "a.nc").read_bytes())
    middle = len(whole) * 3 // 4
    whole[middle:middle + 64] = bytes(64)
    (tmp_path / "bad.nc").write_bytes(whole)
    done = run("ceiling", "internal_consistency", "--trials", tmp_path / "bad.nc")
    assert done.returncode == 5, (done.returncode, done.stdout, done.stderr)


def test_contradictions(tmp_path):
    _, data = assembly()
    cases = {
        "without_ids": (data.drop_vars("stimulus_id"), ["stimulus_id"]),
        "two_bins": (xr.concat([data, data], "time_bin"), ["time"]),
        "twice": (data.assign_coords(repetition=("presentation", [0] * data.sizes["presentation"])), ["second time"]),
    }
    for name, (bad, words) in cases.items():
        bad.to_netcdf(tmp_path / f"{name}.nc", engine="h5netcdf")
        done = run("ceiling", "internal_consistency", "--trials", tmp_path / f"{name}.nc")
        assert done.returncode == 5, (name, done.stderr)
        assert all(word in done.stderr for word in words), (name, done.stderr)
