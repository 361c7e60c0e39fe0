"""`cortiscore data list|info|fetch|import|export|verify|add`: recordings on this machine, and where to get them."""
import difflib
import json
import pathlib
import runpy
import sys
import urllib.parse

from . import layout
from .fetch import File, Options, fetch, github_url
from .recordings import HASHES, BadInput, Parser, UnknownName, default_home, json_line, read_json, run, sha256_of

MANIFESTS = layout.manifests()


def known_sets():
    return {path.stem: json.loads(path.read_text()) for path in sorted((MANIFESTS / "recordings").glob("*.json"))}


def sets_of(home):
    """(name, folder, manifest) of every recording: those that can be fetched, then the user's own."""
    known = known_sets()
    for name, entry in known.items():
        yield name, home / "data" / name, entry
    for folder in sorted((home / "data").glob("*")):
        if folder.is_dir() and folder.name not in known and not folder.name.startswith("."):  # being added
            yield folder.name, folder, {"description": "files of the published platform" if folder.name == "brainio"
                                        else "yours, or simulated"}


def brainio_sets():
    """Assemblies and stimulus sets of the published platform's storage, by identifier; some have one of each."""
    sets = {}
    for path in sorted((MANIFESTS / "brainio").glob("*.json")):
        for entry in json.loads(path.read_text())["sets"]:
            sets.setdefault(entry["identifier"], []).append(entry)
    return sets


def brainio_url(bucket, file, mirror=None):
    """The object in S3, at the version that the platform's loader names where that is known."""
    name, _, prefix = bucket.partition("/")
    base = mirror.rstrip("/") + f"/{name}" if mirror else f"https://{name}.s3.amazonaws.com"
    return f"{base}/{prefix}/{urllib.parse.quote(file['name'])}" + (f"?versionId={file['version_id']}" if file["version_id"] else "")


def benchmarks_that_read(home, is_wanted):
    """Identifiers of the benchmarks, the project's and the user's, one of whose files is wanted."""
    def texts(value):
        if isinstance(value, str):
            yield value
        elif isinstance(value, (dict, list)):
            for part in value.values() if isinstance(value, dict) else value:
                yield from texts(part)

    manifests = [read_json(path) for folder in (MANIFESTS, home) for path in (folder / "benchmarks").glob("*.json")]
    return sorted(str(m.get("identifier")) for m in manifests if any(map(is_wanted, texts(m))))


def benchmarks_of(name, home):
    return benchmarks_that_read(home, lambda file: "/" in file and file.split("/")[0] == name)


def find_set(name, home):
    for known, folder, entry in sets_of(home):
        if known == name:
            return folder, entry
    raise UnknownName(f"found no recording \"{name}\", expected one of `cortiscore data list`.")


def size_of(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def list_sets(arguments):
    rows = []
    for name, folder, entry in sets_of(arguments.home):
        here = folder.is_dir()
        rows.append({"name": name, "here": here, "bytes": size_of(folder) if here else 0, "description": entry["description"],
                     "citation": entry.get("citation"), "licence": entry.get("licence"), "folder": str(folder) if here else None})
    if arguments.json:
        for row in rows:
            print(json_line(row))
        return
    print(f"{'recording':<20} {'MiB':>7}  what")
    for row in rows:
        size = f"{row['bytes'] / 2**20:.1f}" if row["here"] else "-"
        print(f"{row['name']:<20} {size:>7}  {row['description']}")
    if not all(row["here"] for row in rows):
        print("- is not on this machine: cortiscore data fetch NAME", file=sys.stderr)


def brainio_info(name, home, as_json):
    for entry in brainio_sets()[name]:
        files = [f"brainio/{file['name']}" for file in entry["files"]]
        found = [str(home / "data" / file) for file in files if (home / "data" / file).is_file()]
        users = benchmarks_that_read(home, files.__contains__)
        if as_json:
            print(json_line({"name": name, **entry, "here": found, "benchmarks": users}))
            continue
        print(f"{name}: {entry['kind'].replace('_', ' ')} of the published platform")
        for file in entry["files"]:
            unknown = "; unknown: " + ", ".join(f"{key} ({why})" for key, why in file["unknown"].items()) if file["unknown"] else ""
            print(f"  file       {file['name']}, sha1 {file['sha1'] or 'unknown'}{unknown}")
        print(f"  bucket     {entry['bucket'] or 'unknown: ' + entry['unlisted']}")
        for line in found:
            print(f"  here       {line}")
        for user in users:
            print(f"  benchmark  {user}")


def info(arguments):
    if arguments.name in brainio_sets():
        return brainio_info(arguments.name, arguments.home, arguments.json)
    folder, entry = find_set(arguments.name, arguments.home)
    row = {"name": arguments.name, **{key: entry.get(key) for key in ("description", "citation", "licence")},
           "folder": str(folder) if folder.is_dir() else None, "bytes": size_of(folder),
           "benchmarks": benchmarks_of(arguments.name, arguments.home),
           "upstream": [{"repository": f"https://github.com/{repository}", "commit": commit,
                         "files": sum(file["repository"] == repository for file in entry["files"]),
                         "bytes": sum(file["bytes"] for file in entry["files"] if file["repository"] == repository)}
                        for repository, commit in entry.get("commits", {}).items()]}
    if arguments.json:
        print(json_line(row))
        return
    print(row["name"])
    lines = [("what", row["description"]), ("here", f"{row['folder']} ({row['bytes'] / 2**20:.1f} MiB)" if row["folder"] else "no")]
    lines += [("benchmark", name) for name in row["benchmarks"]]
    lines += [("upstream", f"{u['repository']} at {u['commit'][:8]}: {u['files']} files, {u['bytes'] / 2**20:.1f} MiB") for u in row["upstream"]]
    lines += [("cite", row["citation"]), ("licence", row["licence"])]
    for key, text in lines:
        if text:
            print(f"  {key:<10} {text}")


def fetch_sets(arguments):
    """Open recordings: upstream files into HOME/downloads, and an import from there. Sets of the published platform: its
    files into HOME/data/brainio, where benchmarks look for them."""
    known, platform = known_sets(), brainio_sets()
    for name in arguments.names:
        if name not in known and name not in platform:
            near = difflib.get_close_matches(name, [*known, *platform], 3, 0.5) or [*known]
            raise UnknownName(f"found no recording \"{name}\" that can be fetched, expected one such as {', '.join(near)}.")
    options = Options(arguments.jobs, arguments.stall_seconds, arguments.wait_seconds)
    downloads, brainio = arguments.home / "downloads", arguments.home / "data/brainio"
    for name in arguments.names:
        if name in platform:
            if any(entry["bucket"] is None for entry in platform[name]):
                names = " and ".join(file["name"] for entry in platform[name] for file in entry["files"])
                raise BadInput(f"{name}: {platform[name][0]['unlisted']}, so it cannot be fetched. Whoever has the platform's files "
                               f"puts them into {brainio} as {names}.")
            files = [(entry["bucket"], file) for entry in platform[name] for file in entry["files"]]
            print(f"{name}: {', '.join(file['name'] for _, file in files)} from {files[0][0]}", file=sys.stderr)
            fetch([File(brainio_url(bucket, file, arguments.mirror), brainio / file["name"], file["bytes"], file["sha1"], "sha1")
                   for bucket, file in files], brainio, options)
            continue
        manifest = known[name]
        files = [File(github_url(file["repository"], manifest["commits"][file["repository"]], file["upstream"], arguments.mirror),
                      downloads / file["path"], file["bytes"], file["sha256"]) for file in manifest["files"]]
        print(f"{name}: {len(files)} files, {sum(file.bytes for file in files) / 2**20:.1f} MiB. {manifest['citation']}. "
              f"Licence: {manifest['licence']}", file=sys.stderr)
        fetch(files, downloads, options)
        if not arguments.download_only:
            import_sets([str(downloads), "--home", str(arguments.home), "--only", name])
            print(f"next: cortiscore score NETWORK -b {benchmarks_of(name, arguments.home)[0]}", file=sys.stderr)


def export_set(arguments):
    folder, _ = find_set(arguments.name, arguments.home)
    if not folder.is_dir():
        raise BadInput(f"{folder}: found no such folder, expected the recording. Run cortiscore data fetch {arguments.name}.")
    from . import export_data

    export_data.export_folder(folder, arguments.output)


def verify(arguments):
    """Every file that an import wrote, by its hash; those that are there without one are named."""
    wrong = []
    for name, folder, _ in sets_of(arguments.home):
        if not folder.is_dir() or (arguments.names and name not in arguments.names):
            continue
        if not (folder / HASHES).is_file():
            print(f"{name}: not known, it has no {HASHES} (written by data import and data add)")
            continue
        expected = read_json(folder / HASHES)
        bad = [file for file, digest in expected.items() if not (folder / file).is_file() or sha256_of(folder / file) != digest]
        print(f"{name}: {len(expected) - len(bad)} of {len(expected)} files as written")
        for file in bad:
            print(f"  {folder / file}: {'changed' if (folder / file).is_file() else 'missing'}")
        wrong += [str(folder)] * bool(bad)
    unknown = set(arguments.names) - {name for name, *_ in sets_of(arguments.home)}
    if unknown:
        raise UnknownName(f"found no recording \"{sorted(unknown)[0]}\", expected one of `cortiscore data list`.")
    if wrong:
        raise BadInput(f"{', '.join(wrong)}: found other files than were written, expected them as `data import` and `data add` wrote them. "
                       "Import or add them again.")


def import_sets(words):
    sys.argv = ["cortiscore data import", *words]
    runpy.run_path(str(MANIFESTS / "import_recordings.py"), run_name="__main__")


def main():
    word, rest = sys.argv[1], sys.argv[2:]
    if word == "import":
        return import_sets(rest)
    if word == "add":
        from . import add  # arrays and images: the other verbs need neither

        return add.main(rest)
    parser = Parser(prog=f"cortiscore data {word}")
    parser.add_argument("--home", type=pathlib.Path, default=default_home(), help="default: $CORTISCORE_HOME")
    if word in ("list", "info"):
        parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    if word == "list":
        return list_sets(parser.parse_args(rest))
    if word in ("info", "export"):
        parser.add_argument("name", help="a recording of `data list`")
    if word == "info":
        return info(parser.parse_args(rest))
    if word == "export":
        parser.add_argument("-o", "--output", type=pathlib.Path, required=True, help="folder to write to; it may not hold anything yet")
        return export_set(parser.parse_args(rest))
    if word == "fetch":
        parser.add_argument("names", nargs="+", help="recordings of `data list`, or identifiers of the published platform's sets")
        parser.add_argument("--mirror", help="address in place of GitHub's and S3's")
        parser.add_argument("--download-only", action="store_true", help="into HOME/downloads, without the import")
        parser.add_argument("--jobs", type=int, default=8, help="files at once (%(default)s)")
        parser.add_argument("--stall-seconds", type=int, default=30, help="without a byte, after which it tries again (%(default)s)")
        parser.add_argument("--wait-seconds", type=float, default=1, help="before the second of five attempts, then doubled (%(default)s)")
        return fetch_sets(parser.parse_args(rest))
    parser.add_argument("names", nargs="*", help="recordings; default: all")
    return verify(parser.parse_args(rest))


if __name__ == "__main__":
    run(main)
