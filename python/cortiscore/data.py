"""`cortiscore data list|import|verify|add`: recordings on this machine."""
import argparse
import json
import pathlib
import runpy
import sys

from . import add
from .recordings import HASHES, BadInput, default_home, run, sha256_of

MANIFESTS = pathlib.Path(__file__).resolve().parents[2] / "data_manifests"


def sets_of(home):
    """(name, folder, description) of every recording: those that can be imported, then the user's own."""
    known = {name: entry for name, entry in json.loads((MANIFESTS / "recordings.json").read_text()).items()
             if name != "schema_version"}
    for name, entry in known.items():
        yield name, home / "data" / name, entry
    for folder in sorted((home / "data").glob("*")):
        if folder.is_dir() and folder.name not in known:
            yield folder.name, folder, {"description": "yours, or simulated"}


def list_sets(arguments):
    rows = []
    for name, folder, entry in sets_of(arguments.home):
        here = folder.is_dir()
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) if here else 0
        rows.append({"name": name, "here": here, "bytes": size, "description": entry["description"],
                     "citation": entry.get("citation"), "licence": entry.get("licence"), "folder": str(folder) if here else None})
    if arguments.json:
        for row in rows:
            print(json.dumps(row))
        return
    print(f"{'recording':<20} {'MiB':>7}  what")
    for row in rows:
        size = f"{row['bytes'] / 2**20:.1f}" if row["here"] else "-"
        print(f"{row['name']:<20} {size:>7}  {row['description']}")
    if not all(row["here"] for row in rows):
        print("- is not on this machine: cortiscore data import FOLDER", file=sys.stderr)


def verify(arguments):
    """Every file that an import wrote, by its hash; those that are there without one are named."""
    wrong = 0
    for name, folder, _ in sets_of(arguments.home):
        if not folder.is_dir() or (arguments.names and name not in arguments.names):
            continue
        if not (folder / HASHES).is_file():
            print(f"{name}: not known, it has no {HASHES} (written by data import and data add)")
            continue
        expected = json.loads((folder / HASHES).read_text())
        bad = [file for file, digest in expected.items() if not (folder / file).is_file() or sha256_of(folder / file) != digest]
        print(f"{name}: {len(expected) - len(bad)} of {len(expected)} files as written")
        for file in bad:
            print(f"  {folder / file}: {'changed' if (folder / file).is_file() else 'missing'}")
        wrong += bool(bad)
    unknown = set(arguments.names) - {name for name, *_ in sets_of(arguments.home)}
    if unknown:
        raise BadInput(f"found no recording \"{sorted(unknown)[0]}\", expected one of `cortiscore data list`.")
    if wrong:
        raise BadInput(f"{wrong} recording(s) are not as they were written. Import or add them again.")


def import_sets(words):
    sys.argv = ["cortiscore data import", *words]
    runpy.run_path(str(MANIFESTS / "import_recordings.py"), run_name="__main__")


def main():
    word, rest = sys.argv[1], sys.argv[2:]
    if word == "import":
        return import_sets(rest)
    if word == "add":
        return add.main(rest)
    parser = argparse.ArgumentParser(prog=f"cortiscore data {word}")
    parser.add_argument("--home", type=pathlib.Path, default=default_home(), help="default: $CORTISCORE_HOME")
    if word == "list":
        parser.add_argument("--json", action="store_true", help="print one JSON object a line")
        return list_sets(parser.parse_args(rest))
    parser.add_argument("names", nargs="*", help="recordings; default: all")
    return verify(parser.parse_args(rest))


if __name__ == "__main__":
    run(main)
