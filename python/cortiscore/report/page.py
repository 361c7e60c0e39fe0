"""The page as one text, and the folder that it is written into as a whole.

The page is made of pages/site*, what it shares with the profile's page, and two libraries; its Content-Security-Policy allows these and nothing else.
"""
import base64
import ctypes
import hashlib
import importlib.util
import os
import pathlib
import shutil
import tempfile

from .. import layout
from ..recordings import BadInput, Usage, printable
from .data import data_text, write_tables

STYLES = ("profile.css", "tabulator_simple.min.css", "site.css")
SCRIPTS = ("common.js", "site_text.js", "site_data.js", "site_charts.js", "site_table.js", "site_cards.js", "site_overviews.js", "site.js")
LIBRARIES = {"tabulator.min.js": "datatabulator/tabulator-tables@*/dist/js",
             "tabulator_simple.min.css": "datatabulator/tabulator-tables@*/dist/css",
             "echarts.min.js": "echarts/echarts@*/dist"}
MARK = '<meta name="generator" content="cortiscore report">'
WRITTEN = {"index.html", "tables", "NOTICE"}


def part(name):
    """A part of the page: of the source tree, of what is installed, or of the package that brings a library.
    @raises BadInput  there is none"""
    folders = [layout.SOURCE / "pages", *(build / "share/cortiscore/pages" for build in layout.builds())] if layout.SOURCE else \
        [layout.ROOT / "share/cortiscore/pages"] if layout.ROOT else []
    places = [folder / name for folder in folders]
    found = importlib.util.find_spec("panel") if name in LIBRARIES else None
    if found and found.origin:
        places += sorted((pathlib.Path(found.origin).parent / "dist/bundled").glob(f"{LIBRARIES[name]}/{name}"))
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        raise BadInput(f"{places[0] if places else name}: found no such file, expected a part of the page, as it was installed. "
                       "Install cortiscore again.")
    return path.read_text(encoding="utf-8")


def hash_source(text):
    """As a content security policy names a script or a style that may run: by its text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def compose(summary, details, title, served=False):
    """The page as one text. What it needs first stands first: the table is there before the charts' library and the details are read.

    :param summary: JSON without "<" (data.data_text)
    :param details: lines of base64
    :param served: it may ask its own server for newer data, and nobody else"""
    style = "\n".join(map(part, STYLES))
    script = '"use strict";\n(() => {\n' + "\n".join(map(part, SCRIPTS)) + "\n})();"
    table, charts = part("tabulator.min.js"), part("echarts.min.js")
    for name, text in (("script", script), ("script", table), ("script", charts), ("style", style)):
        if f"</{name}" in text.lower():
            raise BadInput(f"pages: found </{name} within a {name}, expected none. Install cortiscore again.")
    policy = (f"default-src 'none'; script-src {' '.join(map(hash_source, (table, script, charts)))}; style-src {hash_source(style)}; "
              "img-src data: blob:; "
              f"base-uri 'none'; form-action 'none'{'; connect-src ' + chr(39) + 'self' + chr(39) if served else ''}")
    pieces = {
        "csp": f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n{MARK}',
        "title": f"<title>{as_html(title)}</title>",
        "style": f"<style>{style}</style>",
        "data": f'<script type="application/json" id="data">{summary}</script>',
        "table": f"<script>{table}</script>",
        "script": f"<script>{script}</script>",
        "charts": f'<script type="text/plain" id="charts">{charts}</script>',
        "details": f'<script type="text/plain" id="details">{details}</script>',
    }
    page = part("site.html")
    for name in pieces:
        if page.count(f"<!-- {name} -->") != 1:
            raise BadInput(f"site.html, <!-- {name} -->: found {page.count(f'<!-- {name} -->')}, expected one. Install cortiscore again.")
    before = page.split("<!-- ")
    return before[0] + "".join(pieces[mark] + rest for mark, rest in (piece.split(" -->", 1) for piece in before[1:]))


def as_html(text):
    """Text of a user within an element."""
    return printable(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").encode("utf-8", "replace").decode()


def check_target(target):
    """Refuses a folder that holds anything but a site of ours: it is replaced as a whole."""
    if not target.exists():
        return
    if not target.is_dir():
        raise Usage(f"-o {target}: found a file, expected a folder or a place for one. Name another.")
    others = sorted(entry.name for entry in target.iterdir() if entry.name not in WRITTEN)
    page = target / "index.html"
    if page.exists():
        with open(page, encoding="utf-8", errors="replace") as file:
            ours = MARK in file.read(20000)
    if others or page.exists() and not ours or not page.exists() and any(target.iterdir()):
        raise Usage(f"-o {target}: found {printable(others[0]) if others else 'another page'}, expected a folder that is new, empty or "
                    "holds a site that `cortiscore report` wrote, which is replaced as a whole. Name another.")


def replace_folder(made, target):
    """Puts a folder in the place of another at once, where the system can exchange two names; else with a moment between."""
    if not target.exists():
        os.rename(made, target)
        return
    exchange = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    current, exchanged = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    if exchange is None or exchange(current, os.fsencode(made), current, os.fsencode(target), exchanged) != 0:
        old = pathlib.Path(f"{made}.old")
        os.rename(target, old)
        os.rename(made, target)
        made = old
    shutil.rmtree(made)


def write_site(site, target):
    """The whole site in a folder beside the target, which takes its place once it is whole."""
    target = pathlib.Path(os.path.abspath(target))
    if target.is_symlink():
        target = target.resolve()
    check_target(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    made = pathlib.Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        os.chmod(made, 0o755)
        summary, details = data_text(site)
        (made / "index.html").write_text(compose(summary, details, site.title), encoding="utf-8")
        (made / "NOTICE").write_text(part("NOTICE"), encoding="utf-8")
        write_tables(site, made / "tables")
        replace_folder(made, target)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise
    return target
