"""Copies a zip of images, each 96 pixels a side and grey: shrink_frames.py FROM.zip TO.zip."""
import io
import sys
import zipfile

from PIL import Image

with zipfile.ZipFile(sys.argv[1]) as old, zipfile.ZipFile(sys.argv[2], "w") as new:
    for name in old.namelist():
        out = io.BytesIO()
        Image.open(io.BytesIO(old.read(name))).convert("L").resize((96, 96), Image.BILINEAR).save(out, "PNG")
        new.writestr(name, out.getvalue())
