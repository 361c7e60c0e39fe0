"""Pages in a headless Chromium, for tests: what they print to the console, refuse, ask a network for, look like and are to a screen reader."""
import base64
import hashlib
import importlib.resources
import json
import os
import pathlib
import shutil
import time

from selenium import webdriver

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = ROOT / "pages"
LIBRARY_SHA256 = "baa8dfe7e1d9336b98e8986ba7e20ea15e7cdbea1ef42a59d59478632fa45a1d"

# Before any script of a page: what its policy refuses, and what its scripts throw, is kept for refused().
WATCH = """
window.refusedByPolicy = [];
document.addEventListener('securitypolicyviolation', (event) =>
  window.refusedByPolicy.push(`${event.effectiveDirective} ${event.blockedURI} ${event.sample}`));
"""


def library():
    """echarts.min.js of that version: where CORTISCORE_ECHARTS says, or where a build has it."""
    named = os.environ.get("CORTISCORE_ECHARTS")
    for path in [pathlib.Path(named)] if named else sorted((ROOT / "build").glob("**/echarts.min.js")):
        if hashlib.sha256(path.read_bytes()).hexdigest() == LIBRARY_SHA256:
            return path.read_text(encoding="utf-8")
    raise FileNotFoundError("no echarts.min.js 6.0.0: neither CORTISCORE_ECHARTS nor build/ has it")


def sha256_of(text):
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def compose(name, data):
    """pages/NAME.html as one file, with its style, data, library and scripts, and a policy that allows those alone."""
    read = lambda kind: (PAGES / f"{name}.{kind}").read_text(encoding="utf-8")
    shared = (PAGES / "common.js").read_text(encoding="utf-8")
    style, script, of_library = read("css"), f'"use strict";\n(() => {{\n{shared}\n{read("js")}\n}})();', library()
    policy = (f"default-src 'none'; script-src {sha256_of(of_library)} {sha256_of(script)}; style-src {sha256_of(style)}; img-src data: blob:")
    # A surrogate that stands alone is no UTF-8, and is written as JSON escapes it.
    as_json = json.dumps(data, ensure_ascii=False).replace("<", "\\u003c").encode("utf-8", "backslashreplace").decode()
    parts = {
        "<!-- csp -->": f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        "<!-- style -->": f"<style>{style}</style>",
        "<!-- data -->": f'<script type="application/json" id="data">{as_json}</script>',
        "<!-- library -->": f"<script>{of_library}</script>",
        "<!-- script -->": f"<script>{script}</script>",
    }
    lines = read("html").split("\n")
    for placeholder, part in parts.items():
        lines[lines.index(placeholder)] = part
    return "\n".join(lines)


def data_of(path):
    """What a composed page shows."""
    text = pathlib.Path(path).read_text(encoding="utf-8").partition('<script type="application/json" id="data">')[2]
    return json.loads(text.partition("</script>")[0])


class Browser:
    """One Chromium for any number of pages. Close it."""

    def __init__(self, downloads):
        programs = [shutil.which("chromium"), shutil.which("chromedriver")]
        if not all(programs):
            raise FileNotFoundError("chromium and chromedriver are needed: ./dev setup installs them")
        options = webdriver.ChromeOptions()
        options.binary_location = programs[0]
        arguments = ["--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--force-color-profile=srgb", "--lang=en-GB"]
        if os.geteuid() == 0:
            arguments.append("--no-sandbox")
        for argument in arguments:
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.downloads = pathlib.Path(downloads)
        self.downloads = pathlib.Path(downloads)
        self.path = self.way = None
        self.driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(programs[1]))
        self.devtools("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(self.downloads))
        self.devtools("Page.addScriptToEvaluateOnNewDocument", source=WATCH)

    def close(self):
        self.driver.quit()

    def devtools(self, command, **arguments):
        return self.driver.execute_cdp_cmd(command, arguments)

    def run(self, script, *arguments):
        """The value of a script's `return`, in the page."""
        return self.driver.execute_script(script, *arguments)

    def click(self, label):
        """Clicks the button of that name as a hand does: who saves ten files without a click is stopped by the browser."""
        self.driver.find_element("css selector", f"button[aria-label={json.dumps(label, ensure_ascii=False)}]").click()

    def settled(self):
        """Once what was asked of the page is drawn: two frames later."""
        self.driver.execute_async_script("const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => done()))")
        return self

    def open(self, path, width=1280, height=900, scheme="light", fresh=True):
        """Opens a file as a person does who double-clicks it. What the console and the network had before is forgotten. Unless it is to be fresh, a page
        that is open in that way already is left as it is."""
        way = (path, width, height, scheme)
        if not fresh and self.way == way:
            return self
        self.path, self.way = None, way
        self.look(width, height, scheme)
        for log in ("browser", "performance"):
            self.driver.get_log(log)
        self.path = pathlib.Path(path)
        self.driver.get(self.path.as_uri())
        return self

    def look(self, width=1280, height=900, scheme="light", media=""):
        """Changes window, colour scheme and medium (screen or print) of the page that is open. Motion is reduced: what is scrolled to is there at once."""
        if self.path:
            self.way = None
        self.devtools("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.devtools("Emulation.setEmulatedMedia", media=media, features=[
            {"name": "prefers-color-scheme", "value": scheme}, {"name": "prefers-reduced-motion", "value": "reduce"}])
        return self.settled() if self.path else self

    def console(self):
        """What came to the console since it was last asked, of any level: [level, text]."""
        return [[entry["level"], entry["message"]] for entry in self.driver.get_log("browser")]

    def refused(self):
        """What the page's Content-Security-Policy refused."""
        return self.run("return window.refusedByPolicy")

    def requests(self):
        """Addresses that were asked for since the page was opened, but itself and what it made (blob:)."""
        messages = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        asked = [message["params"]["request"]["url"] for message in messages if message["method"] == "Network.requestWillBeSent"]
        return [url for url in asked if url.split("#")[0] != self.path.as_uri() and not url.startswith("blob:")]

    def screenshot(self, path, whole=True):
        """A PNG of the window, or of the whole page."""
        picture = self.devtools("Page.captureScreenshot", format="png", captureBeyondViewport=whole,
                                **({"clip": {"x": 0, "y": 0, "scale": 1, **self.run(
                                    "const {scrollWidth: width, scrollHeight: height} = document.documentElement; return {width, height}")}} if whole else {}))
        pathlib.Path(path).write_bytes(base64.b64decode(picture["data"]))

    def pdf(self, **options):
        """The page as it is printed, A4 unless options of Page.printToPDF say otherwise."""
        printed = self.devtools("Page.printToPDF", **{"paperWidth": 8.27, "paperHeight": 11.69, "printBackground": True, "preferCSSPageSize": False, **options})
        return base64.b64decode(printed["data"])

    def press(self, key, times=1):
        """Tab or Enter, on the keyboard."""
        code, text = {"Tab": (9, {}), "Enter": (13, {"text": "\r"})}[key]
        for _ in range(times):
            self.devtools("Input.dispatchKeyEvent", type="keyDown", key=key, code=key, windowsVirtualKeyCode=code, **text)
            self.devtools("Input.dispatchKeyEvent", type="keyUp", key=key, code=key, windowsVirtualKeyCode=code)

    def downloaded(self, act, name, seconds=10):
        """Bytes of the file of that name that act() makes the page save."""
        path = self.downloads / name
        path.unlink(missing_ok=True)
        act()
        until = time.monotonic() + seconds
        # Its name is there before its bytes are.
        while not path.exists() or not path.stat().st_size or any(self.downloads.glob("*.crdownload")):
            if time.monotonic() > until:
                raise TimeoutError(f"{name} was not saved")
            time.sleep(0.02)
        content = path.read_bytes()
        path.unlink()
        return content

    def accessibility(self, exclude=("tbody tr:nth-child(n+4)",)):
        """Violations that axe-core finds: [rule, what it asks, elements]. Rows of a table are made alike, and contrast takes it long: three are looked at."""
        if not self.run("return typeof axe === 'object'"):
            self.run((importlib.resources.files("axe_core_python") / "axe.min.js").read_text(encoding="utf-8") + "; window.axe = axe;")
        found = self.driver.execute_async_script("""
            const [exclude, done] = arguments;
            const present = exclude.filter((selector) => document.querySelector(selector)).map((selector) => [selector]);
            axe.run({include: [['html']], exclude: present}, {resultTypes: ['violations'], preload: false}).then(done)""", list(exclude))
        return [[rule["id"], rule["help"], [node["html"][:160] for node in rule["nodes"]]] for rule in found["violations"]]
