"""`cortiscore data export`: a recording as plain arrays, tables and images."""
import csv
import json
import shutil
import zipfile

import numpy as np

from .recordings import BadInput, to_repetitions, write_table


def export_assembly(array, stem, output):
    """STEM.npy [repetition, presentation, neuroid] float64, NaN where missing; STEM_presentations.csv and STEM_neuroids.csv."""
    if "time_bin" in array.dims:
        if array.sizes["time_bin"] != 1:
            raise BadInput(f"{stem}: found {array.sizes['time_bin']} time bins, expected one.")
        array = array.isel(time_bin=0)
    stimulus_of = array["stimulus_id"].values.tolist()
    repetition_of = array["repetition"].values.tolist() if "repetition" in array.coords else None
    values, stimuli = to_repetitions(array.transpose("presentation", "neuroid").values, stimulus_of, repetition_of)
    first = [stimulus_of.index(stimulus) for stimulus in stimuli]
    np.save(output / f"{stem}.npy", values)
    for dim, pick, skip in (("presentation", first, ("repetition",)), ("neuroid", slice(None), ())):
        columns = {name: coord.values[pick] for name, coord in array.coords.items() if coord.dims == (dim,) and name not in skip}
        write_table(output / f"{stem}_{dim}s.csv", [dict(zip(columns, row)) for row in zip(*columns.values())])
    return {"file": f"{stem}.npy", "dims": ["repetition", "presentation", "neuroid"], "shape": list(values.shape),
            "presentations": f"{stem}_presentations.csv", "neuroids": f"{stem}_neuroids.csv"}


def export_rdms(array, stem, output):
    values = np.asarray(array.values, float)
    np.save(output / f"{stem}.npy", values)
    write_table(output / f"{stem}_presentations.csv", [{"stimulus_id": s} for s in array["stimulus_id"].values])
    entry = {"file": f"{stem}.npy", "dims": list(array.dims), "shape": list(values.shape), "presentations": f"{stem}_presentations.csv"}
    if "subject" in array.coords:
        entry["subjects"] = [str(s) for s in np.atleast_1d(array["subject"].values)]
    return entry


def export_folder(folder, output):
    """Everything below a recording's folder; contents.json says what was written."""
    import xarray as xr

    if output.exists() and any(output.iterdir()):
        raise BadInput(f"{output}: found a folder with files in it, expected a new one.")
    output.mkdir(parents=True, exist_ok=True)
    contents = {"from": folder.name, "arrays": [], "tables": [], "images": []}
    for path in sorted(folder.rglob("*")):
        target = output / path.relative_to(folder).parent
        target.mkdir(parents=True, exist_ok=True)
        name = path.relative_to(folder).as_posix()
        if path.suffix == ".nc":
            with xr.open_dataarray(path, engine="h5netcdf") as array:
                array.load()
            export = export_rdms if "presentation_other" in array.dims else export_assembly
            entry = export(array, path.stem, target)
            contents["arrays"].append({"from": name, **entry})
        elif path.suffix == ".csv":
            shutil.copyfile(path, target / path.name)
            with open(path) as file:
                contents["tables"].append({"file": name, "columns": next(csv.reader(file))})
        elif path.suffix == ".zip":
            images = target / f"{path.stem}_images"
            with zipfile.ZipFile(path) as archive:
                archive.extractall(images)
                contents["images"].append({"folder": images.relative_to(output).as_posix(), "files": len(archive.namelist())})
    if not contents["arrays"] and not contents["tables"]:
        raise BadInput(f"{folder}: found no assembly, RDMs or table, expected a recording.")
    (output / "contents.json").write_text(json.dumps(contents, indent=1) + "\n")
    for array in contents["arrays"]:
        print(f"{output / array['file']}: {' x '.join(f'{n} {d}' for d, n in zip(array['dims'], array['shape']))}")
    for table in contents["tables"]:
        print(f"{output / table['file']}: {', '.join(table['columns'])}")
    for images in contents["images"]:
        print(f"{output / images['folder']}: {images['files']} images")
