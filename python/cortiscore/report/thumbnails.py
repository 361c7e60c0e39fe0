"""Small pictures of a benchmark's stimuli for its card, only where their licence lets anyone pass them on."""
import base64
import csv
import io
import pathlib
import re
import zipfile

MOST = 12  # pictures a benchmark
SIDE = 96  # pixels of the longer side
LARGEST = 64 << 20  # bytes of an image file that is opened

# Of what a manifest says, in whole or of its stimuli ("stimuli CC BY 4.0; ..."). What is not here is not shown: "not stated", "repository MIT;
# nothing separate stated for the data", terms of research, licences that forbid changes (a small picture is one) or commerce.
REDISTRIBUTABLE = {"cc0", "cc0 1.0", "public domain", "pddl", "cc by", "cc by 2.0", "cc by 2.5", "cc by 3.0", "cc by 4.0", "cc by-sa",
                   "cc by-sa 3.0",
                   "cc by-sa 4.0", "odc-by", "mit", "bsd-2-clause", "bsd-3-clause", "apache-2.0"}


def may_be_shown(licence):
    """Whether a text of a licence is one of those that allow redistribution, of everything or of the stimuli."""
    plain = lambda text: re.sub(r"\s+", " ", text.strip().lower().replace("cc-by", "cc by"))
    clauses = [plain(clause) for clause in str(licence or "").split(";")]
    whole = clauses[0] if len(clauses) == 1 else None
    of_stimuli = next((clause.removeprefix("stimuli ") for clause in clauses if clause.startswith("stimuli ")), None)
    return (of_stimuli or whole) in REDISTRIBUTABLE


def _small(content):
    from PIL import Image

    with Image.open(io.BytesIO(content), formats=["JPEG", "PNG"]) as image:
        image.draft("RGB", (SIDE, SIDE))
        image = image.convert("RGB")
        image.thumbnail((SIDE, SIDE))
        out = io.BytesIO()
        image.save(out, "JPEG", quality=72, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode()


def _spread(rows):
    """At most MOST rows, evenly from the first to the last."""
    if len(rows) <= MOST:
        return rows
    return [rows[round(place * (len(rows) - 1) / (MOST - 1))] for place in range(MOST)]


def pictures_of(path):
    """[stimulus_id, data URI] of some stimuli of a set: its CSV, with the images beside it or in the zip archive of its stem. Of images that
    cannot be read there is none."""
    path = pathlib.Path(path)
    with open(path, encoding="utf-8-sig", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row.get("filename")]
    archive = path.with_suffix(".zip")
    found = []
    with zipfile.ZipFile(archive) if archive.is_file() else open(path, "rb") as source:
        for row in _spread(rows):
            try:
                if isinstance(source, zipfile.ZipFile):
                    if source.getinfo(row["filename"]).file_size > LARGEST:
                        continue
                    content = source.read(row["filename"])
                else:
                    image = path.parent / row["filename"]
                    if not image.resolve().is_relative_to(path.parent.resolve()) or image.stat().st_size > LARGEST:
                        continue
                    content = image.read_bytes()
                found.append([row.get("stimulus_id") or row["filename"], _small(content)])
            except (KeyError, OSError, ValueError, zipfile.BadZipFile):  # Pillow's own errors are OSError, ValueError
                continue
    return found


def thumbnails_of(cards):
    """{benchmark: {"pictures": [[stimulus_id, data URI]]} or {"why": in words}}. Benchmarks of one stimulus set share them:
    {"as": benchmark}."""
    found, of_set = {}, {}
    for card in cards:
        name = card["identifier"]
        allowed = card.get("simulated") or may_be_shown(card.get("licence"))
        paths = [file.get("path") for file in card.get("files", []) if file.get("path") and str(file["file"]).endswith(".csv")]
        if not allowed:
            found[name] = {"why": "Their licence does not say that stimuli may be passed on."}
        elif not paths:
            found[name] = {"why": "The recording is not in the data folder that this page was made from."}
        elif paths[0] in of_set:
            found[name] = {"as": of_set[paths[0]]}
        else:
            try:
                pictures = pictures_of(paths[0])
            except (OSError, ValueError, csv.Error, zipfile.BadZipFile):
                pictures = []
            found[name] = {"pictures": pictures} if pictures else {"why": "The stimulus set has no image that could be read."}
            if pictures:
                of_set[paths[0]] = name
    return found
