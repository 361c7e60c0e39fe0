"""Writers of the files that benchmarks read (docs/formats.md): stimulus sets, assemblies, RDMs, tables, and their hashes."""
import csv
import hashlib
import json
import os
import pathlib
import sys
import zipfile

import numpy as np

HASHES = "files.json"  # of a recording's folder: the SHA-256 of every file beside it


class BadInput(Exception):
    """What is wrong with a file: one sentence, and what to do."""


def default_home():
    if os.environ.get("CORTISCORE_HOME"):
        return pathlib.Path(os.environ["CORTISCORE_HOME"])
    data = os.environ.get("XDG_DATA_HOME") or pathlib.Path.home() / ".local/share"
    return pathlib.Path(data) / "cortiscore"


def run(main):
    """Runs a command's main: bad input becomes one line and exit code 5, Ctrl-C ends it with 130."""
    try:
        main()
    except BadInput as error:
        print(f"cortiscore: {error}", file=sys.stderr)
        sys.exit(5)
    except KeyboardInterrupt:
        print("cortiscore: stopped", file=sys.stderr)
        sys.exit(130)


def sha256_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def write_hashes(folder):
    """files.json: what `data verify` compares with."""
    files = {path.relative_to(folder).as_posix(): sha256_of(path)
             for path in sorted(folder.rglob("*")) if path.is_file() and path.name != HASHES}
    (folder / HASHES).write_text(json.dumps(files, indent=1) + "\n")


def write_table(path, rows):
    with open(path, "w", newline="") as out:
        writer = csv.DictWriter(out, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def write_stimuli(folder, rows, images):
    """rows: dicts with stimulus_id and filename first; images: filename -> bytes, stored as they are."""
    folder.mkdir(parents=True, exist_ok=True)
    write_table(folder / "stimuli.csv", rows)
    with zipfile.ZipFile(folder / "stimuli.zip", "w", zipfile.ZIP_STORED) as archive:
        for name, data in images.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data)


def _write_netcdf(array, path):
    temporary = path.with_suffix(".partial")
    array.to_netcdf(temporary, engine="h5netcdf", encoding={"data": {"zlib": True, "fletcher32": True}})
    os.replace(temporary, path)


def write_assembly(path, identifier, responses, stimulus, neuroid_ids, region, window_ms, extra):
    """responses [repetition, stimulus, neuroid], NaN where missing; presentations that no neuroid has are left out.
    stimulus: coordinates, one value a stimulus; window_ms: start and end of the one time bin, or None. Returns what was
    written, in words."""
    import xarray as xr

    repetitions, n_stimuli, _ = responses.shape
    flat = responses.transpose(1, 0, 2).reshape(n_stimuli * repetitions, -1)
    kept = ~np.isnan(flat).all(axis=1)
    presentation = {name: ("presentation", np.repeat(np.asarray(values), repetitions)[kept])
                    for name, values in stimulus.items()}
    presentation["repetition"] = ("presentation", np.tile(np.arange(repetitions), n_stimuli)[kept])
    bins = {} if window_ms is None else {"time_bin_start": ("time_bin", [window_ms[0]]), "time_bin_end": ("time_bin", [window_ms[1]])}
    values = flat[kept].astype(np.float32)
    _write_netcdf(xr.DataArray(
        values if window_ms is None else values[:, :, None],
        dims=["presentation", "neuroid"] + ([] if window_ms is None else ["time_bin"]),
        coords={**presentation, "neuroid_id": ("neuroid", neuroid_ids), "region": ("neuroid", [region] * len(neuroid_ids)), **bins},
        name="data", attrs={"identifier": identifier, **extra}), path)
    return f"{int(kept.sum())} presentations of {n_stimuli} stimuli, {len(neuroid_ids)} neuroids"


def write_rdms(path, identifier, rdms, subjects, ids, region, extra):
    """rdms [subject, stimulus, stimulus], symmetric with a zero diagonal. Returns what was written, in words."""
    import xarray as xr

    rdms = np.asarray(rdms, float)
    if rdms.shape != (len(subjects), len(ids), len(ids)) or not np.allclose(rdms, rdms.transpose(0, 2, 1), atol=1e-6):
        raise BadInput(f"{path}: found RDMs {rdms.shape}, expected symmetric ones, {len(subjects)} x {len(ids)} x {len(ids)}.")
    _write_netcdf(xr.DataArray(
        rdms, dims=["subject", "presentation", "presentation_other"],
        coords={"subject": ("subject", list(subjects)), "stimulus_id": ("presentation", list(ids)),
                "stimulus_id_other": ("presentation_other", list(ids))},
        name="data", attrs={"identifier": identifier, "region": region, **extra}), path)
    return f"RDMs of {len(subjects)} subject(s), {len(ids)} stimuli"
