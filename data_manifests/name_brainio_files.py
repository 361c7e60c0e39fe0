"""Write data_manifests/brainio: the files of the published platform's storage, for `cortiscore data fetch IDENTIFIER`.

    python data_manifests/name_brainio_files.py OBJECTS.tsv VERSIONS.csv

OBJECTS.tsv has a row a loader of the platform (plugin, kind, identifier, bucket, class, SHA-1 of assembly, CSV and zip),
VERSIONS.csv the S3 version ids that are known, by file name. What neither says is null, with the reason beside it.
"""
import csv
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
NO_VERSION = "not in the published list of versions"
NO_HASH = "the platform's loader names none"


def file_entry(name, sha1, versions):
    entry = {"name": name, "sha1": sha1 or None, "version_id": versions.get(name), "bytes": None}
    entry["unknown"] = {key: reason for key, reason in (("sha1", NO_HASH), ("version_id", NO_VERSION),
                                                        ("bytes", "the platform states no sizes")) if entry[key] is None}
    return entry


def main():
    with open(sys.argv[1]) as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    with open(sys.argv[2]) as file:
        versions = {row[0]: row[1] for row in csv.reader(file) if row[0]}
    plugins = {}
    for row in rows:
        safe = row["identifier"].replace(".", "_")
        if row["kind"] == "assy":
            files = [file_entry(f"assy_{safe}.nc", row["assembly_sha1"], versions)]
        else:
            files = [file_entry(f"stimulus_{safe}.{suffix}", row[f"{suffix}_sha1"], versions) for suffix in ("csv", "zip")]
        plugins.setdefault(row["plugin"], []).append({
            "identifier": row["identifier"], "kind": "assembly" if row["kind"] == "assy" else "stimulus_set",
            "bucket": row["bucket"] or None, **({"class": row["assembly_class"]} if row["assembly_class"] else {}), "files": files})
    folder = HERE / "brainio"
    folder.mkdir(exist_ok=True)
    for plugin, sets in plugins.items():
        lines = ",\n".join("  " + json.dumps(entry) for entry in sets)
        (folder / f"{plugin}.json").write_text(f'{{\n "schema_version": 1,\n "plugin": "{plugin}",\n "sets": [\n{lines}\n ]\n}}\n')
    print(f"{folder}: {len(rows)} sets of {len(plugins)} plugins")


if __name__ == "__main__":
    main()
