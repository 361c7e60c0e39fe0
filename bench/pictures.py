"""Pages as pictures for the documents: docs/site.png of a store's site; bench/profiles.py makes docs/profile.png by it.

    .venv/bin/python bench/pictures.py RESULTS [--title "Networks at hand"]

RESULTS is a folder of results, such as bench/zoo_table.py leaves in WORK/results. The other pictures are made by the commands that
docs/analysis.md shows, with --plot.
"""
import argparse
import pathlib
import subprocess
import sys
import tempfile

from PIL import Image

from where import ROOT


def picture(page, target, width, height):
    """The upper part of a page, as a person sees it, in 64 colours."""
    sys.path.insert(0, str(ROOT / "tests/python"))
    from page import Browser

    browser = Browser(page.parent)
    browser.open(page, width=width, height=height)
    browser.screenshot(target, whole=False)
    browser.close()
    Image.open(target).convert("P", palette=Image.Palette.ADAPTIVE, colors=64).save(target, optimize=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=pathlib.Path)
    parser.add_argument("--title", default="Networks at hand")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        site = pathlib.Path(folder) / "site"
        subprocess.run([ROOT / "build/cpu/cortiscore", "report", "--results", arguments.results, "--title", arguments.title, "-o", site], check=True)
        picture(site / "index.html", ROOT / "docs/site.png", 1280, 980)


if __name__ == "__main__":
    main()
