"""Image decoding, placement and resize against Pillow, to the bit: `cortiscore extract` of a network that does nothing."""
import csv
import io
import resource
import struct
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from conftest import BINARY, ROOT, peak_bytes, run

sys.path.insert(0, str(ROOT / "python"))
from cortiscore import export


@pytest.fixture(scope="module")
def nothing(tmp_path_factory):
    """Archives that return their input, by (input size, degrees)."""
    folder = tmp_path_factory.mktemp("nothing")
    made = {}

    def get(size, degrees=8.0):
        if (size, degrees) not in made:
            model = torch.nn.Sequential()
            model.add_module("pixels", torch.nn.Flatten())
            made[size, degrees] = folder / f"{size}_{degrees}.pt2"
            export(model.eval(), made[size, degrees], input_size=size, degrees=degrees)
        return made[size, degrees]

    return get


def write_set(folder, files, zipped=False):
    folder.mkdir(exist_ok=True)
    with open(folder / "s.csv", "w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["stimulus_id", "filename"])
        writer.writerows([f"stimulus {i}, \"quoted\"", name] for i, name in enumerate(files))
    if zipped:
        with zipfile.ZipFile(folder / "s.zip", "w") as archive:
            for name, data in files.items():
                archive.writestr(name, data)
    else:
        for name, data in files.items():
            (folder / name).write_bytes(data)
    return folder / "s.csv"


def through_cortiscore(archive, csv_path, tmp_path, degrees=8):
    done = run("extract", archive, "--stimuli", csv_path, "--layer", "pixels", "--degrees", degrees, "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    return np.load(tmp_path / "out/pixels.npy")


def through_pillow(data, size):
    image = Image.open(io.BytesIO(data)).convert("RGB").resize((size, size), Image.BILINEAR)
    return (np.asarray(image, dtype=np.float32) / np.float32(255)).transpose(2, 0, 1).reshape(-1)


def encoded(image, **options):
    out = io.BytesIO()
    image.save(out, **options)
    return out.getvalue()


def made_images():
    rng = np.random.default_rng(0)
    smooth = np.asarray(Image.fromarray(rng.integers(0, 256, (9, 13, 3), dtype=np.uint8)).resize((131, 97), Image.BICUBIC))
    rgb = Image.fromarray(smooth)
    alpha = rgb.convert("RGBA")
    alpha.putalpha(Image.fromarray(rng.integers(0, 256, (97, 131), dtype=np.uint8)))
    exif = Image.Exif()
    exif[0x0112] = 6
    palette = rgb.quantize(50)
    files = {
        "rgb.jpg": encoded(rgb, format="JPEG", quality=80),
        "rgb444.jpg": encoded(rgb, format="JPEG", quality=95, subsampling=0),
        "rgb422.jpg": encoded(rgb, format="JPEG", quality=70, subsampling=1),
        "grey.jpg": encoded(rgb.convert("L"), format="JPEG"),
        "cmyk.jpg": encoded(rgb.convert("CMYK"), format="JPEG"),
        "progressive.jpg": encoded(rgb, format="JPEG", progressive=True),
        "rotated.jpg": encoded(rgb, format="JPEG", exif=exif),
        "rgb.png": encoded(rgb, format="PNG"),
        "grey.png": encoded(rgb.convert("L"), format="PNG"),
        "one_bit.png": encoded(rgb.convert("1"), format="PNG"),
        "palette.png": encoded(palette, format="PNG"),
        "palette4.png": encoded(rgb.quantize(12), format="PNG", bits=4),
        "palette_transparent.png": encoded(palette, format="PNG", transparency=3),
        "alpha.png": encoded(alpha, format="PNG"),
        "grey_alpha.png": encoded(alpha.convert("LA"), format="PNG"),
        "grey_transparent.png": encoded(rgb.convert("L"), format="PNG", transparency=100),
        "one_pixel.png": encoded(rgb.crop((5, 5, 6, 6)), format="PNG"),
        "long.png": encoded(rgb.resize((700, 3)), format="PNG"),
    }
    return files


@pytest.mark.parametrize("size", [32, 97, 224])
def test_equal_to_pillow(size, nothing, tmp_path):
    files = made_images()
    got = through_cortiscore(nothing(size), write_set(tmp_path / "set", files), tmp_path)
    for row, (name, data) in zip(got, files.items()):
        np.testing.assert_array_equal(row, through_pillow(data, size), err_msg=name)


def test_sixteen_bit_colour_keeps_its_high_byte(nothing, tmp_path):
    """Pillow reads 16-bit RGB as its high bytes; written here by hand, since Pillow does not write it."""
    import struct
    import zlib

    rng = np.random.default_rng(1)
    values = rng.integers(0, 65536, (20, 30, 3), dtype=np.uint16)

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    data = (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 30, 20, 16, 2, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
    got = through_cortiscore(nothing(32), write_set(tmp_path / "set", {"deep.png": data}), tmp_path)
    np.testing.assert_array_equal(got[0], through_pillow(data, 32))


def test_zip_gives_what_files_give(nothing, tmp_path):
    files = made_images()
    loose = through_cortiscore(nothing(32), write_set(tmp_path / "a", files), tmp_path)
    zipped = through_cortiscore(nothing(32), write_set(tmp_path / "b", files, zipped=True), tmp_path)
    np.testing.assert_array_equal(loose, zipped)


def place_on_screen(image, target, source):
    """The platform's placement in Pillow's terms: size on the screen in pixels kept, grey 128 around the centre."""
    if target == source:
        return image
    ratio = target / source
    size = (round(image.width * ratio), round(image.height * ratio))
    screen = Image.new("RGB", size, (128, 128, 128))
    screen.paste(image, tuple(round((outer - inner) / 2) for outer, inner in zip(size, image.size)))
    return screen


@pytest.mark.parametrize("source", [4, 5.3, 8, 11, 16])
def test_placement_by_visual_degrees(source, nothing, tmp_path):
    files = {k: v for k, v in made_images().items() if k in ("rgb.png", "grey.jpg", "long.png")}
    got = through_cortiscore(nothing(64), write_set(tmp_path / "set", files), tmp_path, degrees=source)
    for row, (name, data) in zip(got, files.items()):
        placed = place_on_screen(Image.open(io.BytesIO(data)).convert("RGB"), 8, source)
        expected = np.asarray(placed.resize((64, 64), Image.BILINEAR), dtype=np.float32) / np.float32(255)
        np.testing.assert_array_equal(row, expected.transpose(2, 0, 1).reshape(-1), err_msg=name)


def test_real_images(real_data, nothing, tmp_path):
    """A sample of every set at hand: JPEG from many encoders, grey PNG of 512 pixels."""
    files = {}
    for folder in ("imagenet_sample_images_1000", "v1_henaff2021_macaque", "geirhos_texture_vs_shape",
                   "kriegeskorte2008_92images", "algonauts2019_cichy_fmri"):
        found = sorted(p for p in (real_data / folder).rglob("*") if p.suffix.lower() in (".png", ".jpg", ".jpeg"))
        for path in found[:: max(1, len(found) // 40)]:
            files[f"{folder}_{len(files)}{path.suffix}"] = path.read_bytes()
    with zipfile.ZipFile(real_data / "v4_cowley2023_macaque/images/images_210325.zip") as archive:
        for name in sorted(n for n in archive.namelist() if n.endswith(".jpg"))[::20]:
            files[name.replace("/", "_")] = archive.read(name)
    assert len(files) > 100
    got = through_cortiscore(nothing(97), write_set(tmp_path / "set", files), tmp_path)
    for row, (name, data) in zip(got, files.items()):
        np.testing.assert_array_equal(row, through_pillow(data, 97), err_msg=name)


def test_bad_stimuli(nothing, tmp_path):
    files = made_images()
    half = {"half.jpg": files["rgb.jpg"][: len(files["rgb.jpg"]) // 2], "half.png": files["rgb.png"][:200],
            "text.png": b"no image at all, but long enough"}
    for name, data in half.items():
        done = run("extract", nothing(32), "--stimuli", write_set(tmp_path / name.replace(".", "_"), {name: data}),
                   "--layer", "pixels", "-o", tmp_path / "o")
        assert done.returncode == 5 and name in done.stderr, done.stderr
    path = write_set(tmp_path / "missing", {"rgb.png": files["rgb.png"], "gone.png": files["grey.png"]})
    (tmp_path / "missing/gone.png").unlink()
    done = run("extract", nothing(32), "--stimuli", path, "--layer", "pixels", "-o", tmp_path / "o")
    assert done.returncode == 5 and "1 image(s) listed but missing" in done.stderr and "gone.png" in done.stderr
    (tmp_path / "twice.csv").write_text("stimulus_id,filename\na,x.png\na,y.png\n")
    done = run("extract", nothing(32), "--stimuli", tmp_path / "twice.csv", "--layer", "pixels", "-o", tmp_path / "o")
    assert done.returncode == 5 and '"a" twice' in done.stderr
    (tmp_path / "column.csv").write_text("stimulus_id,file\na,x.png\n")
    done = run("extract", nothing(32), "--stimuli", tmp_path / "column.csv", "--layer", "pixels", "-o", tmp_path / "o")
    assert done.returncode == 5 and 'column "filename"' in done.stderr


def progressive(side):
    """A JPEG of some MB with one scan of zeros: its coefficients take 6 bytes a pixel where it is decoded."""
    def segment(marker, data):
        return b"\xff" + bytes([marker]) + struct.pack(">H", len(data) + 2) + data

    planes = b"".join(bytes([i, 0x11, 0]) for i in (1, 2, 3))
    head = segment(0xdb, b"\0" + b"\1" * 64) + segment(0xc2, struct.pack(">BHHB", 8, side, side, 3) + planes)
    codes = segment(0xc4, b"\0" + bytes([1] + [0] * 15) + b"\0") + segment(0xc4, b"\x10" + bytes([0, 0, 0, 1] + [0] * 12) + b"\xe0")
    scan = segment(0xda, bytes([3, 1, 0, 2, 0, 3, 0, 0, 0, 0])) + bytes(((side + 7) // 8) ** 2 * 3 // 8 + 1)
    return b"\xff\xd8" + head + codes + scan + b"\xff\xd9"


def test_small_files_of_large_images_take_no_memory(tmp_path):
    """What a file says of its size is looked at before a decoder takes memory for it, and what a zip unpacks to as it comes."""
    (tmp_path / "large.jpg").write_bytes(progressive(40000))
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive, archive.open("zeros.png", "w", force_zip64=True) as entry:
        for _ in range(160):
            entry.write(bytes(8 << 20))
    for name, words in (("large.jpg", "40000 x 40000 pixels"), ("bomb.zip", "zeros.png: found more than 268435456 bytes once unpacked")):
        assert peak_bytes("data", "images", tmp_path / name, code=5)[0] < 1 << 30
        assert words in (done := run("data", "images", tmp_path / name)).stdout, done


@pytest.mark.parametrize("kind", ["png", "jpg"])
def test_an_image_that_memory_is_too_small_for(kind, tmp_path):
    side = 16000
    Image.new("1" if kind == "png" else "L", (side, side)).save(tmp_path / f"large.{kind}")

    def limited():
        resource.setrlimit(resource.RLIMIT_AS, (1 << 30,) * 2)

    least = subprocess.run([BINARY, "data", "images", "none.png"], capture_output=True, text=True, preexec_fn=limited)
    assert least.returncode == 5, least.stderr  # as much is enough for the libraries
    done = subprocess.run([BINARY, "data", "images", tmp_path / f"large.{kind}"], capture_output=True, text=True, preexec_fn=limited)
    assert done.returncode == 6 and f"large.{kind}" in done.stderr and f"{side} x {side}" in done.stderr, done
