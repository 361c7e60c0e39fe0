"""`data add` and images: what it accepts can be scored and is what Pillow shows; files of the system are skipped; names are
matched, never guessed."""
import csv
import hashlib
import io
import os
import struct
import unicodedata
import zipfile

import h5py
import numpy as np
import pytest
from PIL import Image

from adding import accepted, add_here, picture, pictures, refused, stored
from conftest import run, write

N = 12


@pytest.fixture
def recording(tmp_path):
    """Flags of responses [presentation, neuroid] to N stimuli, and the array."""
    array = np.random.default_rng(0).normal(size=(N, 3)).astype(np.float32)
    np.save(tmp_path / "r.npy", array)
    return ["--region", "V4", "--responses", tmp_path / "r.npy", "--metric", "ridge"], array


def shown(home, name):
    """{stimulus_id: (row of stimuli.csv, pixels as Pillow shows what was stored)}"""
    folder = home / "data" / name
    with open(folder / "stimuli.csv", newline="", encoding="utf-8") as file, zipfile.ZipFile(folder / "stimuli.zip") as archive:
        return {row["stimulus_id"]: (row, np.asarray(Image.open(io.BytesIO(archive.read(row["filename"]))).convert("RGB")))
                for row in csv.DictReader(file)}


def test_an_array_without_ids_needs_names_of_one_order(tmp_path, recording):
    """stim2 comes before stim10 where numbers count, after it where text does: the user says which order the array has."""
    flags, array = recording
    names = [f"stim{i + 1}" for i in range(N)]
    folder = pictures(tmp_path / "images", [f"{name}.png" for name in names])
    words = refused(tmp_path, "Lab", *flags, "--stimuli", folder)
    assert "--order natural" in words and "--table" in words and '"stim2.png"' in words and '"stim10.png"' in words
    for order, of_array in (("natural", names), ("name", sorted(names))):
        out = accepted(tmp_path, "Lab", *flags, "--stimuli", folder, "--order", order, "--force")
        assert f"by place, in the order of names ({order}): first stim1.png" in out
        np.testing.assert_array_equal(stored(tmp_path, "Lab", of_array)[0][0], array)
    order = np.random.default_rng(1).permutation(N)
    table = write(tmp_path / "table.csv", [{"filename": f"{names[i]}.png"} for i in order])
    assert "in the order of --table" in accepted(tmp_path, "Lab", *flags, "--stimuli", folder, "--table", table, "--force")
    np.testing.assert_array_equal(stored(tmp_path, "Lab", [names[i] for i in order])[0][0], array)
    assert add_here(tmp_path, "Lab", *flags, "--stimuli", folder, "--table", table, "--order", "name").returncode == 2
    rdms = np.abs(np.subtract.outer(np.arange(N), np.arange(N))).astype(float)
    np.save(tmp_path / "rdm.npy", rdms)
    assert "--order natural" in refused(tmp_path / "other", "Lab", "--region", "IT", "--rdms", tmp_path / "rdm.npy", "--stimuli", folder)


def test_names_whose_order_is_one_are_matched_by_place_and_it_is_said(tmp_path, recording):
    flags, array = recording
    names = [f"stim{i:02d}" for i in range(N)]
    out = accepted(tmp_path, "Lab", *flags, "--stimuli", pictures(tmp_path / "images", [f"{name}.png" for name in names]))
    assert out.count("by place") == 1 and "first stim00.png, last stim11.png" in out
    np.testing.assert_array_equal(stored(tmp_path, "Lab", names)[0][0], array)
    mixed = pictures(tmp_path / "mixed", [f"{'S' if i % 2 else 's'}tim{i:02d}.png" for i in range(N)])
    nested = tmp_path / "nested"  # by whole path all of a comes before all of b, by the names of files they alternate
    for i in range(N):
        pictures(nested / "ab"[i % 2], [f"stim{i:02d}.png"])
    for stimuli in (mixed, nested):
        assert "--order" in refused(tmp_path / "other", "Lab", *flags, "--stimuli", stimuli)


def test_every_format_is_stored_as_pillow_shows_it(tmp_path, recording):
    """What the engine cannot decode becomes PNG, with the hash of the original; the rest is kept to the byte."""
    flags, _ = recording
    folder = tmp_path / "images"
    folder.mkdir()
    grey = np.random.default_rng(3).integers(0, 65536, (16, 16), np.uint16)
    grey[0, :4] = 0, 257 * 7, 128, 65535
    rgba = Image.fromarray(np.random.default_rng(4).integers(0, 256, (16, 16, 4), np.uint8), "RGBA")
    files = {"a.png": ("PNG", picture(0)), "b.jpg": ("PNG", picture(1)), "c.jpg": ("WEBP", picture(2)), "d.jpg": ("GIF", picture(3)),
             "e.bmp": ("BMP", picture(4)), "f.tif": ("TIFF", picture(5)), "g.tiff": ("TIFF", picture(6).convert("CMYK")),
             "h.png": ("PNG", Image.fromarray(grey)), "i.tif": ("TIFF", Image.fromarray(grey)), "j.png": ("PNG", rgba),
             "k.tif": ("TIFF", picture(7).convert("1")), "l.jpeg": ("JPEG", picture(8).convert("CMYK"))}
    assert len(files) == N
    for name, (kind, image) in files.items():
        image.save(folder / name, kind, **({"lossless": True} if kind == "WEBP" else {}))
    out = accepted(tmp_path, "Lab", *flags, "--stimuli", folder)
    for words in ("1 16-bit grey PNG", "1 16-bit grey TIFF", "1 BMP", "1 GIF", "3 TIFF", "1 WEBP", "(v + 128) // 257; the greatest is 65535",
                  "1 image(s) with transparent parts"):
        assert words in out, out
    kept = shown(tmp_path, "Lab")
    for name in files:
        row, pixels = kept[name.split(".")[0]]
        data = (folder / name).read_bytes()
        if name in ("h.png", "i.tif"):
            expected = np.repeat(np.round(grey / 257).astype(np.uint8)[..., None], 3, 2)
        else:
            expected = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
        np.testing.assert_array_equal(pixels, expected, err_msg=name)
        is_kept = name in ("a.png", "b.jpg", "j.png", "l.jpeg")
        assert row["original_sha256"] == ("" if is_kept else hashlib.sha256(data).hexdigest()), name
        assert row["filename"] == (name if is_kept else f"{name.split('.')[0]}.png")
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(N, 4)))
    decoded = [line for line in run("data", "images", tmp_path / "data/Lab/stimuli.zip", "--json").stdout.splitlines() if "refused" in line]
    assert not decoded


def png_with_orientation(path, tag):
    exif = Image.Exif()
    exif[0x0112] = tag
    picture(0).crop((0, 0, 16, 8)).save(path, exif=exif)


def test_what_networks_cannot_be_shown_is_refused_at_import(tmp_path, recording):
    flags, _ = recording
    names = [f"im{i:02d}.png" for i in range(N)]
    frames = [picture(i) for i in range(3)]

    def truncated(path, kind):
        buffer = io.BytesIO()
        picture(1, 64).save(buffer, kind)
        path.write_bytes(buffer.getvalue()[:len(buffer.getvalue()) // 2])

    cases = {
        "animated": (lambda path: frames[0].save(path, "GIF", save_all=True, append_images=frames[1:]), ["3 frames", "GIF"]),
        "pages": (lambda path: frames[0].save(path, "TIFF", save_all=True, append_images=frames[1:]), ["3 frames", "TIFF"]),
        "moving": (lambda path: frames[0].save(path, "PNG", save_all=True, append_images=frames[1:]), ["3 frames", "PNG"]),
        "jpeg": (lambda path: truncated(path, "JPEG"), ["JPEG"]),
        "png": (lambda path: truncated(path, "PNG"), ["truncated"]),
        "webp": (lambda path: truncated(path, "WEBP"), ["cannot be decoded"]),
        "bmp": (lambda path: truncated(path, "BMP"), ["cannot be decoded"]),
        "empty": (lambda path: path.write_bytes(b""), ["empty"]),
        "text": (lambda path: path.write_bytes(b"not an image"), ["no image"]),
        "pdf": (lambda path: picture(0).save(path, "ICO"), ["ICO"]),
        "float": (lambda path: Image.fromarray(np.zeros((8, 8), np.float32)).save(path, "TIFF"), ["floats"]),
        "dark": (lambda path: Image.fromarray(np.full((8, 8), 4000, np.uint16)).save(path, "PNG"), ["up to 4000 of 65535"]),
        "turned": (lambda path: png_with_orientation(path, 6), ["--orientation"]),
    }
    for case, (make, words) in cases.items():
        folder = pictures(tmp_path / case, names)
        make(folder / "im03.png")
        message = refused(tmp_path / "home", "Lab", *flags, "--stimuli", folder)
        assert all(word in message for word in [*words, *([] if case == "dark" else ["im03.png"])]), (case, message)
    os.chmod(folder / "im03.png", 0)
    if os.geteuid():  # root reads everything
        assert "im03.png" in refused(tmp_path / "home", "Lab", *flags, "--stimuli", folder)


@pytest.mark.parametrize("orientation", ["stored", "applied"])
def test_orientation_tags_are_obeyed_or_not_as_the_user_says(tmp_path, recording, orientation):
    flags, _ = recording
    folder = pictures(tmp_path / "images", [f"im{i:02d}.png" for i in range(N)])
    png_with_orientation(folder / "im03.png", 6)
    out = accepted(tmp_path, "Lab", *flags, "--stimuli", folder, "--orientation", orientation)
    assert "1 image(s) with an orientation tag" in out
    upright = np.asarray(picture(0).crop((0, 0, 16, 8)))
    np.testing.assert_array_equal(shown(tmp_path, "Lab")["im03"][1], np.rot90(upright, -1) if orientation == "applied" else upright)


def test_files_of_the_system_are_skipped_and_counted(tmp_path, recording):
    flags, array = recording
    names = [f"im{i:02d}" for i in range(N)]
    folder = pictures(tmp_path / "images", [f"{name}.png" for name in names])
    (folder / "__MACOSX").mkdir()
    for name in ("._im03.png", ".DS_Store", "Thumbs.db", "desktop.ini", "__MACOSX/im04.png", ".hidden.jpg"):
        (folder / name).write_bytes(b"\0\5\x16\7")
    (folder / "notes.txt").write_text("seen by monkey 2")
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, f"set/{file.relative_to(folder)}")
    for stimuli in (folder, tmp_path / "images.zip"):
        out = accepted(tmp_path, "Lab", *flags, "--stimuli", stimuli, "--force")
        assert "skipped 6 hidden file(s)" in out and "skipped 1 file(s) whose names are no images', e.g. " in out and f"{N} images" in out, out
        np.testing.assert_array_equal(stored(tmp_path, "Lab", names)[0][0], array)


def test_folders_with_the_same_names_stay_apart(tmp_path, recording):
    """Files are stored without folders: a/b.png and a_b.png are two images."""
    flags, _ = recording
    folder = pictures(tmp_path / "images", [f"a_{i:02d}.png" for i in range(N - 6)])
    pictures(folder / "a", [f"{i:02d}.png" for i in range(6)])
    for i in range(6):
        picture(50 + i).save(folder / f"a/{i:02d}.png")
    out = accepted(tmp_path, "Lab", *flags, "--stimuli", folder, "--order", "name")
    assert "with the same bytes" not in out
    pixels = {row["original_filename"] if "original_filename" in row else row["filename"]: p for row, p in shown(tmp_path, "Lab").values()}
    assert len(pixels) == N and len({p.tobytes() for p in pixels.values()}) == N


def test_linked_folders_are_entered_once_and_not_in_circles(tmp_path, recording):
    flags, _ = recording
    pictures(tmp_path / "disk/a", [f"{i:02d}.png" for i in range(N - 6)])
    folder = pictures(tmp_path / "images/own", [f"o{i:02d}.png" for i in range(6)]).parent
    (folder / "linked").symlink_to(tmp_path / "disk")
    (folder / "again").symlink_to(folder / "own")
    (folder / "own/up").symlink_to(tmp_path)
    (tmp_path / "disk/back").symlink_to(folder)
    (tmp_path / "disk/a/self").symlink_to(tmp_path / "disk/a")
    accepted(tmp_path / "home", "Lab", *flags, "--stimuli", folder, "--order", "name")
    found = shown(tmp_path / "home", "Lab")
    assert len(found) == N and {row["filename"].split("_")[0] for row, _ in found.values()} == {"own", "linked"}


def raw_zip(path, names):
    """An archive whose names are the bytes given, without the mark for UTF-8."""
    with zipfile.ZipFile(path, "w") as archive:
        for i, name in enumerate(names):
            buffer = io.BytesIO()
            picture(i).save(buffer, "PNG")
            archive.writestr(f"{i:0{len(name)}d}", buffer.getvalue())
    data = path.read_bytes()
    for i, name in enumerate(names):
        data = data.replace(f"{i:0{len(name)}d}".encode(), name)
    path.write_bytes(data)


@pytest.mark.parametrize("code", ["utf-8", "cp437"])
def test_names_in_archives_of_every_system(tmp_path, code):
    names = [f"b\u00e4r_{i:02d}x" for i in range(N)]
    raw_zip(tmp_path / "images.zip", [f"set\\{name}.png".encode(code) for name in names])
    table = write(tmp_path / "r.csv", [{"stimulus_id": unicodedata.normalize("NFD", name), "n0": i * 0.5, "n1": -i} for i, name in enumerate(names)])
    out = accepted(tmp_path, "Lab", "--region", "V4", "--metric", "ridge", "--responses", table, "--stimuli", tmp_path / "images.zip")
    assert "Unicode normal form apart" in out
    np.testing.assert_array_equal(stored(tmp_path, "Lab", names)[0][0], [[i * 0.5, -i] for i in range(N)])


def test_folders_in_archives_are_no_images(tmp_path, recording):
    """As programs of Windows write them, down to one of no name."""
    flags, array = recording
    names = [f"im{i:03d}" for i in range(N)]
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        for folder in ("\\", "set\\", "/"):
            archive.writestr(folder, b"")
        for i, name in enumerate(names):
            buffer = io.BytesIO()
            picture(i).save(buffer, "PNG")
            archive.writestr(f"set\\{name}.png", buffer.getvalue())
    accepted(tmp_path, "Lab", *flags, "--stimuli", tmp_path / "images.zip", "--order", "name")
    np.testing.assert_array_equal(stored(tmp_path, "Lab", names)[0][0], array)


def test_an_entry_that_unpacks_to_gigabytes_is_refused_by_its_size(tmp_path, recording):
    flags, _ = recording
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive, archive.open("im000.png", "w") as entry:
        for _ in range(33):
            entry.write(bytes(8 << 20))
    with zipfile.ZipFile(tmp_path / "bomb.zip", "a") as archive:
        for i in range(1, N):
            archive.writestr(f"im{i:03d}.png", b"")
    assert "im000.png: found 276824064 bytes once unpacked" in refused(tmp_path / "home", "Lab", *flags, "--stimuli", tmp_path / "bomb.zip", "--order", "name")


def test_odd_archives_are_refused_by_what_is_wrong(tmp_path, recording):
    flags, _ = recording
    with zipfile.ZipFile(tmp_path / "twice.zip", "w") as archive, pytest.warns(UserWarning):
        for name in ("im1.png", "im1.png"):
            archive.writestr(name, b"")
    with zipfile.ZipFile(tmp_path / "forms.zip", "w") as archive:
        for form in ("NFC", "NFD"):
            archive.writestr(unicodedata.normalize(form, "b\u00e4r.png"), b"")
    raw_zip(tmp_path / "damaged.zip", [f"im{i:03d}.png".encode() for i in range(N)])
    data = bytearray((tmp_path / "damaged.zip").read_bytes())
    data[200] ^= 0xff
    (tmp_path / "damaged.zip").write_bytes(data)
    (tmp_path / "cut.zip").write_bytes(data[:300])
    (tmp_path / "no.zip").write_bytes(b"Rar!" + bytes(100))
    with zipfile.ZipFile(tmp_path / "none.zip", "w") as archive:
        archive.writestr("readme.txt", b"")
    raw_zip(tmp_path / "locked.zip", [f"im{i:03d}.png".encode() for i in range(N)])
    data = bytearray((tmp_path / "locked.zip").read_bytes())
    for signature, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        at = data.find(signature)
        while at >= 0:
            data[at + offset] |= 1
            at = data.find(signature, at + 4)
    (tmp_path / "locked.zip").write_bytes(data)
    for name, words in {"twice.zip": "twice", "forms.zip": "normal form", "damaged.zip": "im000.png", "cut.zip": "zip archive", "no.zip": "zip archive",
                        "none.zip": "found no file", "locked.zip": "password"}.items():
        message = refused(tmp_path / "home", "Lab", *flags, "--stimuli", tmp_path / name)
        assert words in message and name in message, message


def test_ids_that_differ_by_extension_or_folder_are_matched_and_it_is_said(tmp_path):
    names = [f"im{i:03d}" for i in range(N)]
    folder = pictures(tmp_path / "images", [f"{name}.png" for name in names])
    values = np.random.default_rng(0).normal(size=N).astype(np.float32).astype(float)
    order = np.random.default_rng(1).permutation(N)
    flags = ["--region", "V4", "--metric", "ridge", "--stimuli", folder, "--force", "--responses"]
    for spelling, words in (("{}", None), ("{}.png", "extension apart"), ("set/{}", "folder apart"), ("set/{}.JPG", "folder and extension apart")):
        table = write(tmp_path / "r.csv", [{"stimulus_id": spelling.format(names[i]), "n0": float(values[i]), "n1": i} for i in order])
        out = accepted(tmp_path, "Lab", *flags, table)
        assert "by place" not in out and ("are matched with" in out) == (words is not None) and (words or "") in out, out
        np.testing.assert_array_equal(stored(tmp_path, "Lab", names)[0][0, :, 0], values)
    assert "--order name changed nothing: r.csv carries ids" in accepted(tmp_path, "Lab", *flags, table, "--order", "name")
    np.testing.assert_array_equal(stored(tmp_path, "Lab", names)[0][0, :, 0], values)
    for wrong in ("{}_blurred", "IM{}", "{}0"):
        table = write(tmp_path / "r.csv", [{"stimulus_id": wrong.format(name), "n0": 1, "n1": 2} for name in names])
        message = refused(tmp_path / "other", "Lab", *flags, table)
        assert f'"{wrong.format(names[0])}", "{wrong.format(names[1])}"' in message and '"im000", "im001"' in message, message
    numbers = write(tmp_path / "r.csv", [{"stimulus_id": i, "n0": 1, "n1": 2} for i in range(N)])
    assert '"0", "1", "2"' in refused(tmp_path / "other", "Lab", *flags, numbers)


def test_tables_name_files_by_any_spelling_that_is_theirs_alone(tmp_path, recording):
    flags, array = recording
    names = [f"im{i:03d}" for i in range(N)]
    folder = tmp_path / "images"
    pictures(folder / "set", [f"{name}.png" for name in names])
    order = np.random.default_rng(1).permutation(N)
    for key, spelling in (("filename", "set/{}.png"), ("filename", "{}.png"), ("filename", "{}"), ("stimulus_id", "{}")):
        table = write(tmp_path / "t.csv", [{key: spelling.format(names[i])} for i in order])
        accepted(tmp_path, "Lab", *flags, "--stimuli", folder, "--table", table, "--force")
        np.testing.assert_array_equal(stored(tmp_path, "Lab", [names[i] for i in order])[0][0], array)
    table = write(tmp_path / "t.csv", [{"filename": f"other{i}.png"} for i in range(N)])
    assert '"other0.png", "other1.png"' in refused(tmp_path / "other", "Lab", *flags, "--stimuli", folder, "--table", table)


def test_images_may_be_an_array_beside_the_responses(tmp_path):
    """As NSD has them: betas int16 and stimuli uint8 [n, h, w, 3] in HDF5."""
    generator = np.random.default_rng(5)
    pixels, betas = generator.integers(0, 256, (N, 10, 14, 3), np.uint8), generator.integers(-3000, 3000, (N, 4, 2), np.int16)
    with h5py.File(tmp_path / "nsd.hdf5", "w") as file:
        file["imgBrick"], file["betas"], file["small/other"] = pixels, betas, np.zeros((2, 2))
    out = accepted(tmp_path, "Lab", "--region", "V1", "--metric", "ridge", "--responses", tmp_path / "nsd.hdf5", "--variable", "betas", "--dims",
                   "presentation,neuroid,repetition", "--stimuli", tmp_path / "nsd.hdf5")
    assert f"{N} of 14 x 10" in out
    ids = [f"image_{i:02d}" for i in range(N)]
    for i, name in enumerate(ids):
        np.testing.assert_array_equal(shown(tmp_path, "Lab")[name][1], pixels[i])
    np.testing.assert_array_equal(stored(tmp_path, "Lab", ids)[0], betas.transpose(2, 0, 1))
    for shape, dtype in (((N, 10, 14, 4), np.uint8), ((N, 10, 14, 3), np.float32)):
        with h5py.File(tmp_path / "bad.h5", "w") as file:
            file["images"] = np.zeros(shape, dtype)
        message = refused(tmp_path / "other", "Lab", "--region", "V1", "--responses", tmp_path / "nsd.hdf5", "--variable", "betas", "--stimuli",
                          tmp_path / "bad.h5")
        assert "images" in message and "uint8" in message and " x ".join(map(str, shape)) in message, message


def test_the_engine_says_what_it_decodes(tmp_path):
    """`data images` on a folder, an archive and a file: sizes by Pillow, refusals in words, exit code 5 where there are any."""
    folder = pictures(tmp_path / "images", ["a.png", "b.png"])
    picture(3, 20).save(folder / "c.jpg", "JPEG")
    done = run("data", "images", folder, "--json")
    assert done.returncode == 0 and '{"file":"c.jpg","height":20,"width":20}' in done.stdout
    (folder / "d.png").write_bytes(b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13))
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, file.name)
    for path in (folder, tmp_path / "images.zip"):
        done = run("data", "images", path)
        assert done.returncode == 5 and "d.png: PNG: found" in done.stdout and "2 of 16 x 16" in done.stdout
    assert run("data", "images", folder / "a.png").returncode == 0
    assert run("data", "images", tmp_path / "none").returncode == 5
    assert run("data", "images").returncode == 2
