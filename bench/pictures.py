"""Pages as pictures for the documents: docs/site.png, site_network.png and site_compare.png of a store's site; bench/profiles.py makes
docs/profile.png by it.

    .venv/bin/python bench/pictures.py RESULTS [--title "Networks at hand"] [--network NAME]

RESULTS is a folder of results, such as bench/zoo_table.py leaves in WORK/results. The other pictures are made by the commands that
docs/analysis.md shows, with --plot.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time
from urllib.parse import quote

from PIL import Image

from where import ROOT


def picture(page, target, width, height, view=""):
    """The upper part of a page, as a person sees it, in 64 colours. view: of a site, what stands behind # in its address"""
    sys.path.insert(0, str(ROOT / "tests/python"))
    from page import Browser

    browser = Browser(page.parent)
    browser.open(page, width=width, height=height)
    if view:
        browser.run(f"location.hash = {json.dumps(view)}")
        time.sleep(2)  # tables and charts are drawn after their view
        browser.run("document.activeElement.blur()")  # which a view gives to its heading, for who hears it
    browser.screenshot(target, whole=False)
    browser.close()
    Image.open(target).convert("P", palette=Image.Palette.ADAPTIVE, colors=64).save(target, optimize=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=pathlib.Path)
    parser.add_argument("--title", default="Networks at hand")
    parser.add_argument("--network", default="resnet18_pqf_small", help="whose card is shown")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        site = pathlib.Path(folder) / "site"
        subprocess.run([ROOT / "build/cpu/cortiscore", "report", "--results", arguments.results, "--title", arguments.title, "-o", site], check=True)
        picture(site / "index.html", ROOT / "docs/site.png", 1280, 980)
        picture(site / "index.html", ROOT / "docs/site_network.png", 1280, 980, f"/network/{quote(arguments.network)}")
        picture(site / "index.html", ROOT / "docs/site_compare.png", 1280, 980, "/compare")


if __name__ == "__main__":
    main()
