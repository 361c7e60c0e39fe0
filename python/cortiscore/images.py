"""Images as people have them: which files of a folder, a zip archive or an array are stimuli, in which order, and what is
stored of each. What networks cannot be shown is turned into PNG here, or refused."""
import collections
import hashlib
import io
import os
import pathlib
import re
import unicodedata
import warnings
import zipfile

import numpy as np

from .binary import ask
from .containers import counts, named_by, read_stimulus_array
from .recordings import BadInput, write_images, write_table
from .tables import read_table

IMAGES = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".gif", ".webp", ".bmp", ".dib", ".tif", ".tiff", ".avif", ".ppm", ".pgm", ".tga")
ARRAYS = (".h5", ".hdf5", ".npy")  # suffixes of files that may hold images as an array
ENGINE = ("JPEG", "MPO", "PNG")  # what the engine decodes, by Pillow's names
CONVERTED = ("GIF", "WEBP", "BMP", "DIB", "TIFF", "AVIF", "PPM", "TGA")
MAX_PIXELS = 2**28  # the engine's
LARGEST_IN_ZIP = 1 << 28  # bytes of an entry; as kMostBytes of src/stimuli/zip_file.cpp
ORIENTATION = 0x0112  # the EXIF tag
PHOTOMETRIC = 262  # the TIFF tag; 0: white is zero


def spelled(name):
    """The Unicode normal form in which names are compared: an accent may be one character or two."""
    return unicodedata.normalize("NFC", str(name))


def some(names, n=3):
    """The first few of many names, in words."""
    names = [str(name) for name in names]
    return ", ".join(f'"{name}"' for name in names[:n]) + (", ..." if len(names) > n else "")


def natural(name):
    """Numbers in a name by their value: image2 before image10."""
    return [int(part) if i % 2 else part for i, part in enumerate(re.split(r"([0-9]+)", name))]


ORDERS = {"natural": lambda names: sorted(names, key=lambda name: (natural(name), name)), "name": sorted}


# --- which files ------------------------------------------------------------------------------------------------------

class Images:
    """Images by name, and a way to the bytes of each: `names` in no order, `read(name)`, `notes` on what was left out."""

    def __init__(self, path, paths, read):
        """paths: name as it is stored -> what `read` takes"""
        self.path, self.notes, self._read, self._paths = path, [], read, {}
        hidden, others = [], []
        for name, place in paths:
            parts = pathlib.PurePosixPath(name).parts
            if not parts or any(part.startswith(".") or part == "__MACOSX" for part in parts) or parts[-1].lower() in ("thumbs.db", "desktop.ini"):
                hidden.append(name)
            elif not name.lower().endswith(IMAGES):
                others.append(name)
            elif spelled(name) in self._paths:
                raise BadInput(f"{path}: found \"{name}\" twice{'' if name in self._paths else ' (in two Unicode normal forms)'}, expected "
                               "each name once. Remove one of them.")
            else:
                self._paths[spelled(name)] = place
        self.names = list(self._paths)
        if hidden:
            self.notes.append(f"skipped {len(hidden)} hidden file(s) of the system, e.g. {hidden[0]}")
        if others:
            self.notes.append(f"skipped {len(others)} file(s) whose names are no images', e.g. {others[0]}")
        if not self.names:
            raise BadInput(f"{path}: found no file that ends in {', '.join(IMAGES[:8])}, ... (there are {len(hidden)} hidden files and "
                           f"{len(others)} others), expected images.")

    def read(self, name):
        try:
            return self._read(self._paths[name])
        except OSError as error:
            raise BadInput(f"{self.path}: {name}: found a file that cannot be read ({error.strerror or error}), expected an image.") from None


def name_in_zip(info):
    """Archives without the mark for UTF-8 hold it often enough: bytes that are valid UTF-8 are taken for it, others for the
    format's own code page, 437. Backslashes are folders, as Windows writes them."""
    name = info.filename
    if not info.flag_bits & 0x800:
        try:
            name = name.encode("cp437").decode("utf-8")
        except UnicodeError:
            pass
    return name.replace("\\", "/").lstrip("/")


def files_below(folder):
    """The files below a folder. Links lead to folders too, but each is entered once, by its own name where it has one below
    `folder`, and no link leads in a circle.

    :raises OSError: a folder cannot be read"""
    def refuse(error):
        raise error

    top, entered = pathlib.Path(os.path.realpath(folder)), set()

    def enters(path):
        real = pathlib.Path(os.path.realpath(path))
        if real == top / path.relative_to(folder):
            return True
        hidden = real.is_relative_to(top) and any(part.startswith(".") for part in real.relative_to(top).parts)
        if top.is_relative_to(real) or (real.is_relative_to(top) and not hidden) or real in entered:
            return False
        entered.add(real)
        return True

    for inner, folders, names in os.walk(folder, followlinks=True, onerror=refuse):
        folders[:] = [name for name in sorted(folders) if enters(pathlib.Path(inner, name))]
        yield from (pathlib.Path(inner, name) for name in names)


def open_images(path, variable=None):
    """The images of a folder (and those below it), a zip archive, or an HDF5 or .npy file of an array [n, h, w, 3] uint8."""
    if path.is_dir():
        try:
            files = sorted(files_below(path))
        except OSError as error:
            raise BadInput(f"{path}: found a folder that cannot be read ({error.strerror}), expected images.") from None
        return Images(path, [(file.relative_to(path).as_posix(), file) for file in files], pathlib.Path.read_bytes)
    if path.suffix.lower() in ARRAYS:
        pixels = read_stimulus_array(path, variable)
        names = [f"image_{i:0{len(str(len(pixels)))}d}.png" for i in range(len(pixels))]
        return Images(path, zip(names, range(len(pixels))), lambda i: png_of(pixels[i]))
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise BadInput(f"{path}: found neither a folder nor a zip archive ({getattr(error, 'strerror', None) or error}), expected images.") from None

    def read(info):
        if info.file_size > LARGEST_IN_ZIP:
            raise BadInput(f"{path}: {name_in_zip(info)}: found {info.file_size} bytes once unpacked, expected an image of at most {LARGEST_IN_ZIP}. "
                           "Save it smaller.")
        try:
            return archive.read(info)
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, ValueError) as error:
            raise BadInput(f"{path}: {name_in_zip(info)}: found an entry that cannot be read ({error}), expected a whole one without a "
                           "password. Make the archive again.") from None

    return Images(path, [(name_in_zip(info), info) for info in archive.infolist() if not info.is_dir()], read)


def png_of(pixels):
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(out, "PNG")
    return out.getvalue()


# --- stimuli in an order ----------------------------------------------------------------------------------------------

class Stimuli:
    """`rows`, one dict a stimulus, stimulus_id and filename first, in presentation order."""

    def __init__(self, images, table=None, order=None):
        """table: path of a CSV that lists them; order: how names are sorted without it, a key of ORDERS"""
        self.images, self.table, self.notes = images, table, []
        self.in_array_order = images.path.is_file() and images.path.suffix.lower() in ARRAYS
        self.order = "the order of --table" if table else f"the order of names ({order})" if order else "the order of names"
        self.doubt, self.were_matched_by_place = None, False
        if table:
            rows = self.listed(read_table(table))
        else:
            rows = self.sorted(order or "natural")
            if order is None:
                self.doubt = self.doubtful()
        twice = [name for name, n in collections.Counter(row["stimulus_id"] for row in rows).items() if n > 1]
        if twice:
            raise BadInput(f"{table or images.path}: stimulus_id: found \"{twice[0]}\" twice, expected each once. "
                           "Repeated presentations are repetitions of one stimulus.")
        first = ("stimulus_id", "filename")
        self.rows = [{**{k: row[k] for k in first}, **{k: v for k, v in row.items() if k not in first}} for row in rows]
        self.ids = [row["stimulus_id"] for row in self.rows]

    def sorted(self, order):
        names = ORDERS[order](self.images.names)
        stems = [pathlib.PurePath(name).stem for name in names]
        if len(set(stems)) < len(stems):  # the same names in several folders
            stems = [pathlib.PurePath(name).with_suffix("").as_posix().replace("/", "_") for name in names]
        if len(set(stems)) < len(stems):  # or with several extensions
            stems = [name.replace("/", "_") for name in names]
        return [{"stimulus_id": stem, "filename": name} for stem, name in zip(stems, names)]

    def doubtful(self):
        """Where the orders in which programs list these names differ first: (natural, by name); None where they agree."""
        orders = [sort(self.images.names) for sort in ORDERS.values()]
        orders.append(sorted(self.images.names, key=lambda name: natural(name.casefold())))  # as file managers do
        # Folder by folder, as os.walk goes through them; and the names of files alone, where no two are the same.
        orders.append(sorted(self.images.names, key=lambda name: [*((1, part) for part in name.split("/")[:-1]), (0, name.split("/")[-1])]))
        files = {name: name.split("/")[-1] for name in self.images.names}
        if len(set(files.values())) == len(files):
            orders.append(sorted(files, key=lambda name: (natural(files[name]), files[name])))
        for names in zip(*orders):
            if len(set(names)) > 1:
                return names[0], next(name for name in names if name != names[0])
        return None

    def by_place(self, path):
        """For an array without ids: how its rows are matched, in words.
        :raises BadInput: names whose order is not the same in every program"""
        if self.doubt:
            raise BadInput(f"{path}: found an array without stimulus ids, and names of images whose order is not one: where numbers count, "
                           f"\"{self.doubt[0]}\" comes where others have \"{self.doubt[1]}\" (MATLAB's dir and Python's sorted), expected to "
                           "know which the array has. Give --order natural (im2 before im10), --order name (im10 before im2; both by the whole "
                           "path), or --table, a CSV whose filename lists the images in the array's order.")
        self.were_matched_by_place = True
        return (f"{path.name}: rows are matched to images by place, in {self.order}: first {self.rows[0]['filename']}, last "
                f"{self.rows[-1]['filename']}")

    def ids_among(self, texts, n, path):
        """(ids, notes) of an array without stimulus_id: a vector of n texts of another name in its file, each of which is one
        stimulus's name, says them; (None, []) where there is none.

        :param texts: name -> texts
        :raises BadInput: a vector that is called as names of stimuli are, and holds others; two that may be meant"""
        def places(values):
            try:
                found = self.places(values, path)[0] if len(values) == n else []
            except BadInput:
                return None
            return found if len(set(found)) > 1 else None

        for name, values in texts.items():
            found = places(values)
            if found is None:
                continue
            # A list of all images in their order, beside numbers that say which of them each row is.
            for other, of in texts.items():
                if other != name and named_by(other) == "likely" and len(of) == n == len(set(of)) and not counts(of) and places(of) != found:
                    raise BadInput(f"{path}: {name} and {other}: found two lists that may name the stimuli of the rows, expected one. Save what "
                                   "names them as stimulus_id, or take the other out.")
            return values, [f"{path.name}: {name} is taken for stimulus_id, since all it holds are names of images"]
        for name, values in texts.items():
            if named_by(name) == "likely" and len(values) == n == len(set(values)) and not counts(values):
                self.places(values, path, name)
        return None, []

    def listed(self, table):
        """The rows of --table with the name of each one's file."""
        self.notes += [f"{table.path.name}: {note}" for note in table.notes]
        id_column = next((name for name in ("stimulus_id", "image_id") if name in table.columns), None)
        if "filename" not in table.columns:
            if id_column is None:
                table.column("filename")
            if self.in_array_order:
                if len(table.rows) != len(self.images.names):
                    raise BadInput(f"{table.path}: found {len(table.rows)} rows, expected {len(self.images.names)}, one an image of "
                                   f"{self.images.path} in its order, or a column filename.")
                names = ORDERS["natural"](self.images.names)
            else:
                names = table.names(id_column)
        else:
            names = table.names("filename")
        known = {spelled(name): name for name in self.images.names}
        for shorten in (lambda name: pathlib.PurePosixPath(name).name, lambda name: pathlib.PurePosixPath(name).with_suffix("").as_posix(),
                        lambda name: pathlib.PurePosixPath(name).stem):
            short = collections.Counter(map(shorten, self.images.names))
            known = {**{shorten(name): name for name in self.images.names if short[shorten(name)] == 1}, **known}
        missing = [name for name in names if spelled(name) not in known]
        if missing:
            raise BadInput(f"{table.path}: filename: found {some(missing)} ({len(missing)} in all), expected files of {self.images.path}, "
                           f"such as {some(self.images.names)}.")
        rows = []
        for row, name in zip(table.rows, names):
            file = known[spelled(name)]
            values = {k: "" if v is None else v for k, v in row.items()}
            rows.append({**values, "stimulus_id": (row.get(id_column) if id_column else None) or pathlib.PurePath(file).stem, "filename": file})
        return rows

    def column(self, name):
        if name not in self.rows[0]:
            raise BadInput(f"{self.table or '--table'}: column \"{name}\": found none (there are: {', '.join(self.rows[0])}), expected it.")
        return [row[name] for row in self.rows]

    def places(self, given, path, field="stimulus_id"):
        """Where each of the names that a file gives is among the stimuli, and a note where spellings differ. Names are equal in
        one Unicode normal form, with or without extension or folder; nothing else is guessed.
        :raises BadInput: names that are no stimulus's"""
        steps = {"": str, "Unicode normal form": spelled, "extension": without_extension,
                 "folder": lambda name: pathlib.PurePosixPath(name).name,
                 "folder and extension": lambda name: without_extension(pathlib.PurePosixPath(name).name)}
        distinct = list(dict.fromkeys(map(str, given)))
        for what, step in steps.items():
            ours, theirs = {step(name): i for i, name in enumerate(self.ids)}, {step(name) for name in distinct}
            if len(ours) < len(self.ids) or len(theirs) < len(distinct) or not theirs <= set(ours):
                continue
            note = []
            if what:
                name = next(name for name in distinct if name not in set(self.ids))
                note = [f"{path.name}: \"{name}\" and its like are matched with \"{self.ids[ours[step(name)]]}\": {what} apart"]
            return [ours[step(str(name))] for name in given], note
        known = {without_extension(name) for name in self.ids}
        unknown = [name for name in distinct if without_extension(name) not in known] or distinct
        raise BadInput(f"{path}: {field}: found {some(unknown)} ({len(unknown)} in all), which no stimulus is called, expected ids such as "
                       f"{some(self.ids)}: names of files without extension, or --table's stimulus_id.")


def without_extension(name):
    name = spelled(name)
    end = os.path.splitext(name)
    return end[0] if end[1].lower() in IMAGES else name


# --- what is stored of each -------------------------------------------------------------------------------------------

class Refused(Exception):
    """Why one image is neither stored nor converted."""


def transparent(image):
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        return image.convert("RGBA").getchannel("A").getextrema()[0] < 255
    return False


def examined(data, orientation):
    """What is stored of an image: (PNG, or None where the file is stored as it is; the format that was converted; greatest value
    of 16-bit grey; what is to be counted).
    :raises Refused: why it is neither"""
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        image = Image.open(io.BytesIO(data))
    except UnidentifiedImageError:
        if data.startswith((b"\xff\xd8", b"\x89PNG\r\n\x1a\n")):  # the engine says what is wrong with it
            return None, None, 0, []
        raise Refused("no image that Pillow knows" if data else "an empty file") from None
    with image:
        if image.format not in (*ENGINE, *CONVERTED):
            raise Refused(f"an image of format {image.format}; save it as PNG")
        if image.width * image.height > MAX_PIXELS:
            raise Refused("more than 2^28 pixels")
        if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":
            raise Refused(f"{image.n_frames} frames of {image.format}, where a stimulus is one image; save the frame that was shown")
        turned = image.getexif().get(ORIENTATION, 1) not in (0, 1)
        if turned and (orientation is None or (orientation == "stored" and image.format == "TIFF")):
            raise Refused("an orientation tag: viewers turn the image, networks are shown it as stored; give --orientation applied or "
                          "--orientation stored, whichever subjects saw")
        deep = image.mode.startswith("I;16")
        if image.format in ENGINE and not deep and not (turned and orientation == "applied"):
            return None, None, 0, ["turned"] * turned + ["transparent"] * transparent(image)
        if deep and image.format == "TIFF" and image.tag_v2.get(PHOTOMETRIC) == 0:
            raise Refused("16-bit grey whose zero is white; save it as PNG")
        if image.mode in ("I", "F"):
            raise Refused(f"{image.format} of {'32-bit integers' if image.mode == 'I' else 'floats'}, whose black and white are not known; save "
                          "it with 8 bits")
        what, seen = image.format, ["turned"] * turned + ["transparent"] * transparent(image)
        picture = ImageOps.exif_transpose(image)
        if not deep:
            return png_of(np.asarray(picture.convert("RGB"))), what, 0, seen
        grey = np.asarray(picture).astype(np.uint32)
        return png_of(((grey + 128) // 257).astype(np.uint8)), f"16-bit grey {what}", int(grey.max()), seen


def store_images(folder, stimuli, orientation=None):
    """Writes folder/stimuli.zip and stimuli.csv, and asks the engine to decode every image. Returns what is to be said.

    :param orientation: images with an EXIF orientation are "stored" as they are, "applied", or refused (None)
    :raises BadInput: images that networks cannot be shown: the first, and how many"""
    from PIL import Image

    images, rows = stimuli.images, [dict(row) for row in stimuli.rows]
    counts, converted, seen, same, refused, taken, deepest = collections.Counter(), collections.Counter(), {}, [], [], {}, 0

    def stored():
        nonlocal deepest
        for row in rows:
            name = row["filename"]
            data = images.read(name)
            digest = hashlib.sha256(data).hexdigest()
            if digest in seen:
                same.append((seen[digest], name))
            seen.setdefault(digest, name)
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # Pillow's, of odd metadata
                    png, what, deep, notes = examined(data, orientation)
            except Refused as error:
                refused.append((name, str(error)))
                continue
            except Exception as error:  # whatever a library makes of a damaged file
                refused.append((name, f"an image that cannot be decoded ({error or type(error).__name__})"))
                continue
            counts.update(notes)
            converted.update([what] if what else [])
            deepest = max(deepest, deep)
            row.update(filename=flat_name(name if png is None else pathlib.PurePath(name).with_suffix(".png").as_posix(), taken),
                       original_filename=name if png else "", original_sha256=digest if png else "")
            taken[row["filename"]] = name
            yield row["filename"], png or data

    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None  # the engine's limit is checked above
    try:
        write_images(folder / "stimuli.zip", stored())
    finally:
        Image.MAX_IMAGE_PIXELS = limit
    answers = ask("data", "images", folder / "stimuli.zip", refusals=True) if taken else []
    refused += [(taken[a["file"]], a["refused"].removeprefix(f"{a['file']}: ")) for a in answers if "refused" in a]
    if refused:
        name, why = refused[0]
        raise BadInput(f"{images.path}: {name}: found {why.rstrip('.').removeprefix('found ')}{f' ({len(refused)} such images)' if len(refused) > 1 else ''}, "
                       "expected images that networks can be shown.")
    if 0 < deepest < 4096:
        raise BadInput(f"{images.path}: found 16-bit grey with values up to {deepest} of 65535, expected the whole range, since black would be "
                       "all that is left. Save the images with 8 bits.")
    if not converted:
        rows = [{k: v for k, v in row.items() if not k.startswith("original_")} for row in rows]
    write_table(folder / "stimuli.csv", rows)
    sizes = collections.Counter((a["width"], a["height"]) for a in answers)
    say = [f"stimuli: {len(rows)} images, {', '.join(f'{n} of {w} x {h}' for (w, h), n in sizes.most_common(3))}{', ...' if len(sizes) > 3 else ''}"
           + (f"; {len(same)} pair(s) with the same bytes, e.g. {same[0][0]} and {same[0][1]}" if same else "")]
    say += [f"{images.path.name}: {note}" for note in images.notes]
    if converted:
        say.append(f"turned into PNG: {', '.join(f'{n} {what}' for what, n in sorted(converted.items()))}; stimuli.csv keeps the originals' SHA-256")
    if deepest:
        say.append(f"16-bit grey v is shown as (v + 128) // 257; the greatest is {deepest}")
    if counts["transparent"]:
        say.append(f"{counts['transparent']} image(s) with transparent parts are shown without it, as Pillow's convert(\"RGB\") has them")
    if counts["turned"]:
        say.append(f"{counts['turned']} image(s) with an orientation tag are shown {'turned by it' if orientation == 'applied' else 'as stored'}")
    return say


def flat_name(name, taken):
    """The name of a file in an archive without folders, which none of `taken` has."""
    path = pathlib.PurePath(name.replace("/", "_"))
    stem = path.stem
    while f"{stem}{path.suffix}" in taken:
        stem += "_"
    return stem + path.suffix
