"""The page that shows profiles (pages/profile.html), in a headless Chromium: what it says, draws, saves, prints, refuses and never asks for."""
import copy
import csv
import io
import json
import re

import jsonschema
import numpy as np
import pytest
from PIL import Image

from conftest import run
from page import PAGES, ROOT, compose, data_of

SAMPLES = ROOT / "tests/fixtures/profile_page"
SCHEMA = json.loads((ROOT / "data_manifests/profile.schema.json").read_text())
STAGES = SCHEMA["$defs"]["stage"]["enum"]
NOT_MEASURED = "not measured"
DESK, TOWER, DEVICE = (json.loads((SAMPLES / f"{name}.json").read_text()) for name in ("two_threads", "sixteen_cores", "device"))
SETS = {"desk": [DESK], "tower": [TOWER], "device": [DEVICE], "all": [DESK, TOWER, DEVICE]}


@pytest.fixture(scope="module")
def composed(tmp_path_factory):
    """The page of some profiles, as a file."""
    folder = tmp_path_factory.mktemp("pages")
    made = {}

    def page_of(profiles):
        data = {"profiles": profiles}
        key = json.dumps(data)
        if key not in made:
            made[key] = folder / f"{len(made)}.html"
            made[key].write_text(compose("profile", data), encoding="utf-8")
        return made[key]

    return page_of


@pytest.mark.parametrize("which", SETS)
def test_the_command_line_composes_the_same_page(which, tmp_path):
    paths = [tmp_path / f"{place}.json" for place in range(len(SETS[which]))]
    for path, profile in zip(paths, SETS[which], strict=True):
        path.write_text(json.dumps(profile))
    done = run("compare-machines", *paths, "--page", tmp_path / "page.html")
    assert done.returncode == 0, done.stderr
    without_data = lambda text: re.sub(r'(id="data">).*?(</script>)', r"\1\2", text, flags=re.S)
    assert without_data((tmp_path / "page.html").read_text()) == without_data(compose("profile", {"profiles": SETS[which]}))
    assert data_of(tmp_path / "page.html") == {"profiles": SETS[which]}


def changed(profile, **fields):
    """A copy, with what is at dotted places replaced: sweep__of=None."""
    other = copy.deepcopy(profile)
    for place, value in fields.items():
        *path, last = place.split("__")
        at = other
        for part in path:
            at = at[part]
        at[last] = value
    return other


def valid(profile):
    return jsonschema.Draft202012Validator(SCHEMA).is_valid(profile)


def shown_text(browser):
    return browser.run("return document.body.innerText")


def table(browser, name):
    """Header and rows of a table, as they are shown."""
    head, *rows = browser.run("""
      const text = (cell) => cell.innerText.replace(/[\\u00a0\\u202f\\s]+/g, ' ').trim();
      return [...document.querySelectorAll(`#of-${arguments[0]} tr`)].map((row) => [...row.cells].map(text))""", name)
    return head, rows


def option(browser, name):
    """What a chart draws, without the functions that write its labels."""
    return browser.run("return JSON.parse(JSON.stringify(echarts.getInstanceByDom(document.getElementById(`chart-${arguments[0]}`)).getOption()))", name)


def stage_colours():
    return dict(re.findall(r"\.stage-(\w+) \{ --stage: (#[0-9a-f]{6}); \}", (PAGES / "profile.css").read_text()))


def no_number(text):
    return re.findall(r"\b(NaN|undefined|null|Infinity)\b|\[object", text)


PIXELS = """
  const canvas = document.querySelector(`#chart-${arguments[0]} canvas`);
  const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
  const found = {};
  for (let i = 0; i < data.length; i += 4) {
    const colour = '#' + [0, 1, 2].map((k) => data[i + k].toString(16).padStart(2, '0')).join('');
    found[colour] = (found[colour] ?? 0) + 1;
  }
  return arguments[1].map((colour) => found[colour] ?? 0)"""

TIPS = """
  const drawn = echarts.getInstanceByDom(document.getElementById(`chart-${arguments[0]}`));
  const texts = [];
  const told = () => drawn.getZr().storage.getDisplayList(true).map((one) => one.style.text ?? '').join('\\n');
  const before = told();
  drawn.getOption().series.forEach((series, seriesIndex) => series.data.slice(0, 40).forEach((_, dataIndex) => {
    drawn.dispatchAction({type: 'showTip', seriesIndex, dataIndex});
    texts.push(told());
  }));
  return [texts.filter((text) => text !== before), [...document.querySelectorAll('.canvas *')].map((one) => one.localName)]"""


def tips(browser, name):
    """What a chart shows of things that are pointed at. That is drawn: nothing is put into the page."""
    texts, elements = browser.run(TIPS, name)
    assert set(elements) <= {"div", "canvas"} and len(elements) == 2 * browser.run("return document.querySelectorAll('.canvas').length")
    return "\n".join(texts).replace("\u00a0", " ")


def quiet(browser):
    assert browser.console() == []
    assert browser.refused() == []
    assert browser.requests() == []


@pytest.mark.parametrize("profile", [DESK, TOWER, DEVICE], ids=["desk", "tower", "device"])
def test_samples_are_profiles(profile):
    jsonschema.Draft202012Validator(SCHEMA).validate(profile)


def test_sources():
    """What the command line replaces stands on lines of its own, and nothing asks for what the policy refuses."""
    lines = (PAGES / "profile.html").read_text().split("\n")
    for placeholder in ("csp", "style", "data", "library", "script"):
        assert lines.count(f"<!-- {placeholder} -->") == 1
    text = "".join((PAGES / f"profile.{kind}").read_text() for kind in ("html", "css", "js"))
    for refused in ("innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "new Function", "style=", " onclick", "http:", "https:", "@import",
                    "url("):
        assert refused not in text, refused
    assert set(stage_colours()) == set(STAGES)
    assert max(len(line) for line in text.split("\n")) <= 160


def test_what_watches_sees(browser, composed, tmp_path):
    """Were the page to do what it must not, these tests would know."""
    page = tmp_path / "loud.html"
    loud = '<p style="color:red">x</p><button onclick="1">x</button><img alt="" src="http://127.0.0.1:9/x.png"><script>window.hacked = 1</script>'
    page.write_text(composed([DESK]).read_text(encoding="utf-8").replace('<footer id="foot">', loud + '<footer id="foot">'), encoding="utf-8")
    browser.open(page)
    refused = " ".join(browser.refused())
    assert all(kind in refused for kind in ("style-src-attr", "script-src-attr", "img-src", "script-src-elem"))
    assert len(browser.console()) >= 4
    assert browser.run("return window.hacked") is None
    page.write_text('<html><button></button><img src="http://127.0.0.1:9/x.png"><script>console.log(1); nothing()</script></html>')
    browser.open(page)
    assert browser.requests() == ["http://127.0.0.1:9/x.png"]
    assert len(browser.console()) >= 2
    assert {"button-name", "image-alt", "html-has-lang"} <= {rule for rule, *_ in browser.accessibility()}


@pytest.mark.parametrize("name, schemes", [("desk", ["light", "dark"]), ("all", ["dark"])])
def test_quiet_and_accessible(browser, composed, name, schemes):
    """No error, no refusal, no request, also where one points at what is drawn; and nothing that axe-core finds."""
    browser.open(composed(SETS[name]), scheme=schemes[0])
    for chart in browser.run("return [...document.querySelectorAll('.canvas')].map((one) => one.id)"):
        x, y, width = browser.run("""const at = document.getElementById(arguments[0]); at.scrollIntoView({block: 'center'});
                                     const box = at.getBoundingClientRect(); return [box.x, box.y, box.width]""", chart)
        for share in (0.15, 0.3, 0.6):
            browser.devtools("Input.dispatchMouseEvent", type="mouseMoved", x=x + share * width, y=y + 25)
    for button in browser.run("return [...document.querySelectorAll('.tools button')].map((one) => one.getAttribute('aria-label'))"):
        if not button.startswith("Save"):
            browser.click(button)
    for scheme in schemes:
        assert browser.look(scheme=scheme).accessibility() == []
    assert not no_number(shown_text(browser))
    quiet(browser)


def test_phone(browser, composed):
    """360 pixels: the page does not scroll sideways, tables do within their frames, charts are as wide as the page."""
    for name in ("tower", "all"):
        browser.open(composed(SETS[name]), width=360, height=740)
        page, charts = browser.run("""return [document.documentElement.scrollWidth - innerWidth,
            [...document.querySelectorAll('.canvas')].map((one) => one.querySelector('canvas').getBoundingClientRect().right - innerWidth)]""")
        assert page <= 0 and max(charts) <= 0
    assert browser.accessibility() == []
    quiet(browser)
    browser.look(1000)
    assert browser.run("return document.querySelector('#chart-machines canvas').getBoundingClientRect().width") > 900


def test_says_first_what_matters(browser, composed):
    browser.open(composed([DESK]))
    assert browser.run("return document.querySelector('#page').firstElementChild.innerText").startswith("VALID · the measurement can be trusted.")
    lead = "return document.querySelector('#lead').innerText.replace(/\\s+/g, ' ')"
    assert browser.run(lead) == (
        "It takes 2 min 5 s; 82 % of that goes to the forward pass, bound by compute at 58 % of the measured peak. With --precision bfloat16 it took "
        "89.4 s: 29 % less, as predicted (31 % less). A sweep does 30.9 checkpoints an hour: 600 take 19 h 26 min.")
    figures = re.sub(r"\s+", " ", browser.run("return document.querySelector('.figures').innerText"))
    assert "Wall time 2 min 5 s 95 % interval 124.6 to 126.3 s" in figures and "Peak memory 2.31 GiB of 23.0 GiB" in figures

    browser.open(composed([TOWER]))
    verdict = browser.run("return document.querySelector('#page').firstElementChild.innerText")
    assert verdict.startswith("INVALID") and all(reason in verdict for reason in TOWER["verdict"]["reasons"])
    assert "it took 10.4 s: 19 % less, where 34 % less was predicted." in browser.run(lead)
    head, rows = table(browser, "changes")
    assert dict(zip(head, rows[0]))["as predicted"] == "no"

    tried = changed(DESK["changes"][0], tried={"measured_s": 140.0, "measured_gain": -0.117, "as_predicted": False})
    browser.open(composed([changed(DESK, changes=[tried], sweep__of=None, stages=[changed(DESK["stages"][0], of_peak=None, bound=None, share=1)])]))
    assert browser.run(lead) == (
        "It takes 2 min 5 s; 100 % of that goes to opening the network. With --precision bfloat16 it took 2 min 20 s: 12 % more, where 31 % less was "
        "predicted. A sweep does 30.9 checkpoints an hour.")
    browser.open(composed([changed(DESK, changes=[])]))
    assert "No change was tried. A sweep" in browser.run(lead)


def test_tables_have_the_data(browser, composed):
    browser.open(composed([DEVICE]), fresh=False)
    head, rows = table(browser, "stages")
    assert head == ["stage", "seconds", "±", "share", "of peak", "bound by", "operations", "moved", "FLOP a byte", "FLOP/s", "B/s", "operators"]
    works = sorted(DEVICE["stages"], key=lambda work: -work["seconds"])
    assert [row[0] for row in rows] == [work["stage"] for work in works]
    for row, work in zip(rows, works):
        assert float(row[1]) == pytest.approx(work["seconds"], abs=1e-3)
        assert row[5] == (work["bound"] or NOT_MEASURED)
        assert [cell == NOT_MEASURED for cell in row[4:11]] == [
            work[key] is None for key in ("of_peak", "bound", "flops", "bytes", "flops", "flops_s", "bytes_s")]
    _, rows = table(browser, "forward")
    assert [row[0] for row in rows] == [work["group"] for work in DEVICE["forward"]]
    _, rows = table(browser, "limits")
    assert ["products, bfloat16", "610 TFLOP/s", NOT_MEASURED, "990 TFLOP/s"] in rows and ["from the device", "22.8 GB/s", "", ""] in rows
    assert ["least time of an operator", "4.10 µs", "", ""] in rows
    _, rows = table(browser, "device")
    assert rows == [["clock", "1.76 GHz"], ["power", "214 W"], ["temperature", "51.0 °C"], ["throttled", "no"], ["over the bus", "1.34 GB"]]
    _, rows = table(browser, "memory")
    assert ["the device at its peak", "3.40 GiB", ""] in rows
    _, rows = table(browser, "scores")
    assert rows[1] == ["Henaff2021.V1-pls", "layer1.1 (V1)", "0.2352", NOT_MEASURED, "equal"]
    text = shown_text(browser)
    assert not no_number(text)
    for said in (DEVICE["command"], DEVICE["machine"]["fingerprint"], DEVICE["job"]["key"], DEVICE["machine"]["measured"], *DEVICE["verdict"]["notes"]):
        assert said in text


def test_charts_draw_the_data(browser, composed):
    browser.open(composed([DEVICE]), fresh=False)
    colours = stage_colours()
    works = sorted(DEVICE["stages"], key=lambda work: -work["seconds"])
    bars, ticks = option(browser, "stages")["series"]
    assert [(bar["value"], bar["itemStyle"]["color"]) for bar in bars["data"]] == [(work["seconds"], colours[work["stage"]]) for work in works]
    least = [[work["seconds"] * work["of_peak"], row] for row, work in enumerate(works) if work["of_peak"] is not None]
    assert ticks["data"] == [[pytest.approx(seconds), row] for seconds, row in least]

    bars, _ = option(browser, "forward")["series"]
    assert [bar["value"] for bar in bars["data"]] == [work["seconds"] for work in DEVICE["forward"]]

    [spans] = option(browser, "timeline")["series"]
    assert len(spans["data"]) == len(DEVICE["timeline"])
    assert sorted(map(tuple, spans["data"])) == sorted((span[0], *span[3:]) for span in DEVICE["timeline"])

    drawn = option(browser, "roofline")
    *roofs, points = drawn["series"]
    counted = [work for work in DEVICE["stages"] + DEVICE["forward"] if work["flops"] and work["bytes"]]
    expected = sorted((work["flops"] / work["bytes"], work["flops_s"]) for work in counted)
    assert np.allclose(sorted(tuple(point["value"]) for point in points["data"]), expected, rtol=1e-12)
    limits, published = DEVICE["machine"]["limits"], DEVICE["machine"]["published"]
    slopes = [roof for roof in roofs if roof["type"] == "line"]
    levels = {roof["data"][-1][1]: roof["lineStyle"]["type"] for roof in slopes}
    assert levels == {**dict.fromkeys(limits["flops_s"].values(), "solid"), **{value: [8, 5] for value in published["flops_s"].values()}}
    bandwidths = {round(roof["data"][0][1] / roof["data"][0][0]) for roof in slopes if len(roof["data"]) == 3}
    assert bandwidths == {limits["memory_bytes_s"], published["memory_bytes_s"]}

    seen = [colours[stage] for stage in ("forward", "mapping", "reduce", "ceiling")]
    assert min(browser.run(PIXELS, "stages", seen) + browser.run(PIXELS, "timeline", seen)) > 200
    swatch = browser.run("return getComputedStyle(document.querySelector('.legend .stage-forward')).backgroundColor")
    assert swatch == "rgb({}, {}, {})".format(*bytes.fromhex(colours["forward"][1:]))


def test_charts_tell_of_what_is_pointed_at(browser, composed):
    browser.open(composed([DEVICE]), fresh=False)
    assert ("forward\n646 ms ± 10.5 ms, 18 %\n25 % of peak, compute\noperations: 7.91 TFLOP, moved: 202 GB\nrate: 12.3 TFLOP/s, 312 GB/s\n"
            in tips(browser, "stages"))
    assert "layer2.1" in tips(browser, "forward") and "39.3 FLOP a byte" in tips(browser, "roofline")
    assert "thread 0\nother\n3.60 s\nfrom 0 s to 3.60 s" in tips(browser, "timeline")
    quiet(browser)


def test_charts_have_words(browser, composed):
    browser.open(composed([DEVICE]), fresh=False)
    alternatives = browser.run("return Object.fromEntries([...document.querySelectorAll('.canvas')].map((one) => [one.id, one.getAttribute('aria-label')]))")
    assert set(alternatives) == {"chart-stages", "chart-forward", "chart-timeline", "chart-roofline"}
    assert all(work["stage"] in alternatives["chart-stages"] for work in DEVICE["stages"])
    assert f"{len(DEVICE['timeline'])} spans of 8 threads" in alternatives["chart-timeline"]
    assert "bfloat16 published 990\u00a0TFLOP/s and 3.35\u00a0TB/s" in alternatives["chart-roofline"]
    assert browser.run("return [...document.querySelectorAll('figure')].every((one) => one.querySelector('.canvas[role=img]') && "
                       "one.querySelector('figcaption').innerText.length > 20)")


def saved_csv(browser, name, title):
    content = browser.downloaded(lambda: browser.click(f"Save CSV: {title}"), f"cortiscore-{name}.csv").decode()
    return list(csv.DictReader(io.StringIO(content)))


def test_tables_are_saved(browser, composed):
    browser.open(composed([DEVICE]), fresh=False)
    rows = saved_csv(browser, "stages", "Stages")
    works = sorted(DEVICE["stages"], key=lambda work: -work["seconds"])
    for key in ("seconds", "share", "spread", "flops", "bytes", "flops_s", "bytes_s", "of_peak", "operators"):
        assert [None if row[key] == "" else float(row[key]) for row in rows] == [work[key] for work in works], key
    assert [row["bound"] or None for row in rows] == [work["bound"] for work in works]
    tables = browser.run("""return [...document.querySelectorAll('.table')].map((one) =>
        [one.id.slice(3), one.querySelector('.title').textContent, one.querySelectorAll('tbody tr').length])""")
    assert len(tables) == 10
    browser.open(composed([DEVICE]))  # Chromium saves ten files of a page, however they were asked for, and no eleventh
    for name, title, count in tables:
        assert len(saved_csv(browser, name, title)) == count > 0
    quiet(browser)


def test_seconds_of_threads(browser, composed):
    """A span within another is not counted twice."""
    spans = [[0, "other", "", 0, 10], [0, "forward", "b", 1, 5], [0, "keep", "", 2, 3], [0, "forward", "c", 5, 6], [1, "decode", "", 0, 4]]
    browser.open(composed([changed(DESK, timeline=spans)]))
    head, rows = table(browser, "timeline")
    assert [dict(zip(head, row)) for row in rows] == [
        {"thread": "thread 0", "decode": "0", "forward": "4.000", "keep": "1.000", "other": "5.000"},
        {"thread": "thread 1", "decode": "4.000", "forward": "0", "keep": "0", "other": "0"}]


def test_numbers_are_readable(browser, composed):
    rates = {"a": 0, "b": 1, "c": 999.4, "d": 999.6, "e": 1.2345e9, "f": 1e15, "g": 3.2e-7, "h": 0.04567}
    sizes = {"a": 0, "b": 1023, "c": 1024, "d": 1023.7 * 1024, "e": 5 * 2**40}
    seconds = {0: "0 s", 4.1e-7: "410 ns", 0.0123: "12.3 ms", 1.5: "1.50 s", 119.4: "119 s", 119.6: "2 min 0 s", 3599.4: "59 min 59 s", 3600: "1 h 0 min",
               7199: "2 h 0 min", 172799: "2 d 0 h", 1e6: "11 d 14 h", -3.25: "−3.25 s"}
    gains = {0: "0.0 %", 0.0004: "< 0.1 %", 0.0312: "3.1 %", 0.0996: "10 %", 0.5: "50 %", -0.25: "−25 %", -0.0004: "> −0.1 %"}
    change = DESK["changes"][1]
    changes = [changed(change, predicted_s=value) for value in seconds] + [changed(change, predicted_gain=value) for value in gains]
    profile = changed(DESK, machine__limits__flops_s=rates, memory={**DESK["memory"], **sizes}, changes=changes)
    assert valid(profile)
    browser.open(composed([profile]))
    shown = {row[0].removeprefix("products, "): row[1] for row in table(browser, "limits")[1]}
    assert [shown[key] for key in rates] == ["0 FLOP/s", "1.00 FLOP/s", "999 FLOP/s", "1.00 kFLOP/s", "1.23 GFLOP/s", "1.00 PFLOP/s", "320 nFLOP/s",
                                             "45.7 mFLOP/s"]
    shown = {row[0]: row[1] for row in table(browser, "memory")[1]}
    assert [shown[key] for key in sizes] == ["0 B", "0.999 KiB", "1.00 KiB", "1.00 MiB", "5.00 TiB"]
    rows = table(browser, "changes")[1]
    assert [row[3] for row in rows[:len(seconds)]] == list(seconds.values())
    assert [row[4] for row in rows[len(seconds):]] == list(gains.values())


def without_what_may_be_missing(profile):
    """Everything that may be null is, everything that may be empty is, times are zero."""
    other = changed(profile, forward=[], timeline=[], changes=[], scores=[], repetitions=[], device=None, sweep__of=None, sweep__energy_j_checkpoint=None,
                    sweep__checkpoints_h=0, memory=dict.fromkeys(profile["memory"]), machine__device=None, job__benchmarks=[],
                    machine__published={"flops_s": {}, "memory_bytes_s": None, "source": ""}, wall_s=dict.fromkeys(profile["wall_s"], 0), images_s=0)
    limits = SCHEMA["properties"]["machine"]["properties"]["limits"]["properties"]
    least = {"object": {}, "number": 0, None: None}
    other["machine"]["limits"] = {key: least[limits[key].get("type")] for key in profile["machine"]["limits"]}
    for work in other["stages"]:
        work.update(seconds=0, share=0, spread=0, operators=0, **dict.fromkeys(("flops", "bytes", "flops_s", "bytes_s", "of_peak", "bound")))
    return other


@pytest.mark.parametrize("count", [1, 2])
def test_what_was_not_measured_is_said_to_be(browser, composed, count):
    nothing = without_what_may_be_missing(DESK)
    assert valid(nothing)
    browser.open(composed([nothing] * count))
    text = shown_text(browser)
    assert text.count(NOT_MEASURED) >= {1: 84, 2: 40}[count]
    assert not no_number(text)
    quiet(browser)


GROUPS_IN_VIEW = "return echarts.getInstanceByDom(document.getElementById('chart-forward')).getModel().getComponent('yAxis').axis.scale.getExtent()"


def many_groups():
    groups = [changed(work, group=f"features.{i}.branch.{work['group']}") for i in range(5) for work in DESK["forward"]]
    return changed(DESK, forward=groups)


def test_zoom_by_keyboard(browser, composed):
    browser.open(composed([many_groups()]))
    window = lambda name: [pytest.approx(option(browser, name)["dataZoom"][0][key]) for key in ("start", "end")]
    focus = "[...document.querySelectorAll('button')].find((one) => one.getAttribute('aria-label') === arguments[0]).focus()"
    press = lambda label: (browser.run(focus, label), browser.press("Enter"))
    title = "What each thread did"
    assert window("timeline") == [0, 100]
    for label, expected in ((f"+: {title}, zoom in", [25, 75]), (f"→: {title}, half a view", [50, 100]), (f"→: {title}, half a view", [50, 100]),
                            (f"←: {title}, half a view", [25, 75]), (f"−: {title}, zoom out", [0, 100]), (f"+: {title}, zoom in", [25, 75])):
        press(label)
        assert window("timeline") == expected, label
    browser.look(700)
    assert window("timeline") == [25, 75], "another width forgets what was zoomed"
    press(f"All: {title}, whole")
    assert window("timeline") == [0, 100]

    assert browser.run(GROUPS_IN_VIEW) == [0, 23]
    press("↓: Seconds of the forward pass by group of layers, half a view")
    assert browser.run(GROUPS_IN_VIEW) == pytest.approx([12, 35], abs=1)
    quiet(browser)


def test_keyboard_reaches_everything(browser, composed):
    browser.open(composed([many_groups()]))  # whose charts both have buttons
    count = browser.run("""window.wanted = [...document.querySelectorAll('a, button, input, summary, [tabindex="0"]')]; return wanted.length""")
    browser.run("document.activeElement.blur(); window.order = []; document.addEventListener('focusin', (event) => order.push(event.target))")
    browser.press("Tab", times=count + 5)
    missed, plain = browser.run("""return [wanted.filter((one) => !order.includes(one)).map((one) => one.outerHTML.slice(0, 200)),
                                           new Set(order).size]""")
    assert missed == [] and plain >= count > 40
    outlines = browser.run("""const seen = []; for (const one of wanted.filter((one) => one.matches('button, a')).slice(0, 20)) {
        one.focus({focusVisible: true}); seen.push(getComputedStyle(one).outlineStyle); } return seen""")
    assert set(outlines) == {"solid"}


def test_sweep_of_any_length(browser, composed):
    browser.open(composed([DESK]))
    ask = lambda text: browser.run("const input = document.querySelector('#checkpoints'); input.value = arguments[0]; "
                                   "input.dispatchEvent(new Event('input')); return document.querySelector('#ends').innerText.replace(/\\s/g, ' ')", text)
    assert DESK["sweep"]["first_s"] + 9 * DESK["sweep"]["next_s"] == pytest.approx(19 * 60 + 34, abs=0.5)
    assert re.fullmatch(r"19 min 34 s, started now until \w{3},? \d+ \w{3},? \d\d:\d\d\.", ask("10"))
    assert table(browser, "sweep")[1][0][-1] == "19 min 34 s"
    ask("600")
    assert table(browser, "sweep")[1][0][-1] == "19 h 26 min"
    for wrong in ("", "0", "1.5", "-3", "10000000"):
        assert ask(wrong).startswith("A whole number from 1")
    assert table(browser, "sweep")[1][0][-1] == "19 h 26 min"
    browser.open(composed([changed(DESK, sweep__of={"checkpoints": 50, "hours": 7.5})]))
    assert table(browser, "sweep")[1][0][-1] == "7 h 30 min", "what the profile says of this number is not computed anew"


def test_charts_are_saved(browser, composed):
    """As they are seen, also where the scheme changes while the page is open."""
    browser.open(composed([DEVICE]))
    assert option(browser, "stages")["backgroundColor"] == "rgb(255, 255, 255)"
    browser.look(scheme="dark")
    for name, title in (("stages", "Seconds by stage"), ("roofline", "Roofline")):
        picture = Image.open(io.BytesIO(browser.downloaded(lambda title=title: browser.click(f"Save PNG: {title}"), f"cortiscore-{name}.png")))
        assert picture.width > 2000 and picture.getpixel((0, 0))[:3] == (0x14, 0x17, 0x1b)
        assert len(picture.convert("RGB").getcolors(2**24)) > 20
    quiet(browser)


HOSTILE = [
    "</script><img src=x onerror=window.hacked=1>", "<img src=x onerror=window.hacked=1>", "\"><svg onload=window.hacked=1>",
    "'onmouseover='window.hacked=1", "<script>window.hacked=1</script>", "javascript:window.hacked=1", "<style>*{display:none}</style>", "<!--<script>",
    "]]><!-- --><b>", "&lt;b&gt;&amp;", "{{7*7}}${7*7}", "{b}{c}{a|styled}{d|", "\x1b[31mred\x1b[0m\x1b]0;title\x07", "\x00\x08\x7f\x9b2J",
    "first\r\nsecond\ttab", "\u202egnp.exe\u2066\u200b\ufeff", "a\u2028b\u2029c", "\ud800 alone", "\U000e0041\U0001f600 ok", "__proto__", "constructor",
    "=1+1", "+SUM(A1)", "-2+3", "@x", "\t=1", "m" * 500, "e\u0301" * 40, "/../../etc/passwd", "%s%n%x", ",;\"'quoted\"",
]
KEPT = {"schema_version", "kind", "stage", "bound", "change", "key", "sha256"}  # which the schema bounds


def with_texts(profile, texts):
    """Every text of a profile that may be any, and every name of a field that may, from texts in turn. @return also how many"""
    state = {"count": 0}

    def text():
        state["count"] += 1
        return texts[(state["count"] - 1) % len(texts)]

    def replaced(value, key=None):
        if isinstance(value, dict):
            free = key in ("layers", "flops_s", "flops_s_one_thread", "memory")
            other = {name if name in KEPT else name: replaced(one, name) for name, one in value.items()}
            if free:
                other.update({text(): "layer" if key == "layers" else 12.5 for _ in range(3)})
            return other
        if isinstance(value, list):
            return [replaced(one, key) for one in value]
        return text() if isinstance(value, str) and key not in KEPT else value

    other = replaced({key: value for key, value in profile.items() if key != "timeline"})
    other["machine"]["fingerprint"] = profile["machine"]["fingerprint"]
    other["timeline"] = [[text(), span[1], text(), *span[3:]] for span in profile["timeline"][:60]]
    return other, state["count"]


MARKS = """
  const tags = new Set(), attributes = new Set();
  for (const one of document.querySelectorAll('*')) { tags.add(one.localName); for (const {name} of one.attributes) attributes.add(name); }
  return [[...tags].sort(), [...attributes].sort()]"""


@pytest.fixture(scope="module")
def harmless(browser, composed):
    """Names of elements and of attributes that pages of harmless texts have."""
    marks = []
    for profiles in ([DEVICE], [DEVICE, TOWER]):
        browser.open(composed(profiles))
        marks.append(browser.run(MARKS))
    return [set(names) for names in map(sum, zip(*marks), ([], []))]


@pytest.mark.parametrize("first", [None, 0, 11, 23])
def test_hostile_texts(browser, composed, harmless, first):
    """All of them in every field, and each at the beginning of one: they are shown, as what they are."""
    texts = [" ".join(HOSTILE)] if first is None else HOSTILE[first:] + HOSTILE[:first]
    profile, count = with_texts(DEVICE, texts)
    assert count > 150 and valid(profile)
    other, _ = with_texts(TOWER, texts[1:] + texts[:1])
    for profiles in ([profile], [profile, other])[:2 if first in (None, 0) else 1]:
        browser.open(composed(profiles), width=360)
        tags, attributes = browser.run(MARKS)
        assert [set(tags) - harmless[0], set(attributes) - harmless[1]] == [set(), set()]
        assert browser.run("return window.hacked") is None
        shown = browser.run("""return ['page', 'top', 'contents', 'foot'].map((id) => document.getElementById(id).textContent).join(' ') + document.title +
                                      [...document.querySelectorAll('[aria-label]')].map((one) => one.getAttribute('aria-label')).join(' ')""")
        assert not re.findall("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]", shown)
        for escaped in ("</script><img src=x onerror=window.hacked=1>", "&lt;b&gt;&amp;", r"\x1b[31mred", r"\x00\x08\x7f\x9b2J",
                        r"first\x0d\x0asecond\x09tab", r"\u202egnp.exe\u2066\u200b\ufeff", r"a\u2028b", r"\ud800 alone", r"\u{e0041}" + "\U0001f600",
                        "__proto__", "{{7*7}}${7*7}", "{a|styled}"):
            assert escaped in shown
        assert browser.run("return document.documentElement.scrollWidth") <= 360
        for name in ("stages", "forward", "timeline", "roofline") if len(profiles) == 1 else ("machines", "compared"):
            assert len(tips(browser, name)) > 100
        quiet(browser)


def test_formulas_stay_text(browser, composed):
    formulas = ["=1+1", "+SUM(A1)", "-2+3", "@x", "\t=1", " =1", "\r=1", "\uff1d1", "a,b", 'say "x"', "a\nb", "plain"]
    profile = changed(DESK, scores=[{"benchmark": text, "layer": text, "raw": -0.25, "ceiled": None, "equal": True} for text in formulas])
    browser.open(composed([profile]))
    rows = saved_csv(browser, "scores", "Scores, and whether measuring changed them")
    assert [row["benchmark"] for row in rows] == ["'=1+1", "'+SUM(A1)", "'-2+3", "'@x", r"'\x09=1", "' =1", r"'\x0d=1", "'\uff1d1", "a,b", 'say "x"',
                                                  r"a\x0ab", "plain"]
    assert {row["raw"] for row in rows} == {"-0.25"} and {row["ceiled"] for row in rows} == {""}


def test_print(browser, composed):
    """On paper: light whatever the screen, charts within the margins, tables whole, nothing to click; afterwards as before."""
    browser.open(composed([many_groups()]), scheme="dark")
    before = option(browser, "stages")["backgroundColor"]
    browser.look(width=688, scheme="dark", media="print")
    widths, cut, buttons, paper = browser.run("""return [
      [...document.querySelectorAll('.canvas canvas')].map((one) => one.getBoundingClientRect().right),
      [...document.querySelectorAll('.scroll')].filter((one) => one.scrollWidth > 688 || one.scrollHeight > one.clientHeight).map((one) => one.parentNode.id),
      [...document.querySelectorAll('button, input, nav')].filter((one) => one.getClientRects().length).length,
      getComputedStyle(document.body).backgroundColor]""")
    assert max(widths) <= 688 and cut == [] and buttons == 0 and paper == "rgb(255, 255, 255)"
    assert option(browser, "forward")["backgroundColor"] == "rgb(255, 255, 255)"
    assert browser.run(GROUPS_IN_VIEW) == [0, 59]
    browser.look(scheme="dark")
    printed = browser.pdf()
    assert printed.startswith(b"%PDF") and 5 <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= 12
    assert option(browser, "stages")["backgroundColor"] == before == "rgb(20, 23, 27)"
    browser.open(composed(SETS["all"]))
    for event, paper in (("beforeprint", "rgb(255, 255, 255)"), ("afterprint", "rgb(20, 23, 27)")):
        browser.look(scheme="dark").run("dispatchEvent(new Event(arguments[0]))", event)
        assert option(browser, "machines")["backgroundColor"] == paper
    browser.look(width=688, media="print")
    assert browser.run("return [...document.querySelectorAll('.scroll')].filter((one) => one.scrollWidth > 688).map((one) => one.parentNode.id)") == []


def test_long_timelines_are_printed(browser, composed):
    """Of more than 3000 spans, the library would draw some a frame, and what is pointed at on a canvas of its own, which on paper hides the other."""
    spans = [[0, "forward", "", i, i + 1] for i in range(3010)] + [[1, "reduce", "", 0, 3010]]
    browser.open(composed([changed(DESK, timeline=spans, forward=[])]))
    x, y = browser.run("""const at = document.querySelector('#chart-timeline'); at.scrollIntoView();
                          const box = at.getBoundingClientRect(); return [box.x, box.y]""")
    browser.devtools("Input.dispatchMouseEvent", type="mouseMoved", x=x + 300, y=y + 25)
    assert browser.settled().run("return document.querySelectorAll('#chart-timeline canvas').length") == 1
    at_once = browser.run("dispatchEvent(new Event('beforeprint'));" + PIXELS, "timeline", [stage_colours()["reduce"]])
    assert at_once[0] > 5000, "no frame is drawn between this event and the print"


def test_machines_side_by_side(browser, composed):
    profiles = SETS["all"]
    browser.open(composed(profiles))
    text = re.sub(r"\s+", " ", shown_text(browser))
    assert "A desk VALID" in text and "B tower INVALID" in text and "C node07 VALID" in text and "NOT THE SAME JOB" not in text
    assert ("C (node07) is the fastest: 3.58 s, 35.0 times as fast as A (desk, 2 min 5 s); most of its time goes to mappings. A sweep does 1390 checkpoints "
            "an hour: 600 take 25 min 52 s. What was measured on B is not valid.") in text
    head, rows = table(browser, "figures")
    assert [cell.split()[0] for cell in head] == ["figure", "A", "B", "B", "C", "C"] and "Example X100" in head[4]
    by_name = {row[0]: row[1:] for row in rows}
    assert by_name["wall time"] == ["2 min 5 s", "12.8 s", "0.102 ×", "3.58 s", "0.0286 ×"]
    assert by_name["energy a checkpoint"] == [NOT_MEASURED, NOT_MEASURED, NOT_MEASURED, "812 J", NOT_MEASURED]
    for name, works in (("stages", "stages"), ("forward", "forward")):
        rows = saved_csv(browser, name, {"stages": "Seconds by stage", "forward": "Seconds by group of layers"}[name])
        for index, (profile, column) in enumerate(zip(profiles, ("A desk", "B tower", "C node07"))):
            seconds = {work.get("stage", work.get("group")): work["seconds"] for work in profile[works]}
            assert {row[name.replace("stages", "stage").replace("forward", "layers")]: float(row[column]) for row in rows} == seconds
            if index:
                first = {work.get("stage", work.get("group")): work["seconds"] for work in profiles[0][works]}
                for row in rows:
                    key = row[name.replace("stages", "stage").replace("forward", "layers")]
                    assert float(row[f"{column[0]} over A"]) == pytest.approx(seconds[key] / first[key])
    limits = {row[0]: row[1:] for row in table(browser, "limits")[1]}
    assert limits["memory"] == ["21.6 GB/s", "61.0 GB/s", "2.82 ×", "2.70 TB/s", "125 ×"]
    assert limits["products, float32, published"][1] == "2.30 TFLOP/s" and limits["disk, writing"][1:3] == [NOT_MEASURED, NOT_MEASURED]
    stacked = option(browser, "machines")["series"]
    for index, profile in enumerate(profiles):
        assert {series["name"]: series["data"][index] for series in stacked} == {work["stage"]: work["seconds"] for work in profile["stages"]}
    assert {series["name"]: series["itemStyle"]["color"] for series in stacked} == stage_colours()
    grouped = option(browser, "compared")
    assert [series["name"] for series in grouped["series"]] == ["A desk", "B tower", "C node07"]
    for row, stage in enumerate(grouped["yAxis"][0]["data"]):
        seconds = [next(work["seconds"] for work in profile["stages"] if work["stage"] == stage) for profile in profiles]
        assert [series["data"][row]["value"] for series in grouped["series"]] == pytest.approx([one / max(seconds) for one in seconds])
    assert browser.run("return [...document.querySelectorAll('.command')].map((one) => one.textContent)") == [profile["command"] for profile in profiles]


def test_another_job_is_not_compared_quietly(browser, composed):
    other = changed(TOWER, job__key="0" * 64, forward=TOWER["forward"][:3], stages=[work for work in TOWER["stages"] if work["stage"] != "store"])
    browser.open(composed([DESK, other]))
    text = shown_text(browser)
    assert "NOT THE SAME JOB" in text and "B computed something else than A" in text
    rows = {row[0]: row[1:] for row in table(browser, "forward")[1]}
    assert rows["fc"][1:] == [NOT_MEASURED, NOT_MEASURED]
    assert {row[0]: row[1:] for row in table(browser, "stages")[1]}["store"][1:] == [NOT_MEASURED, NOT_MEASURED]
    quiet(browser)


# Of Machado, Oliveira and Fernandes (2009), at full strength: what eyes without one kind of cones see, in linear sRGB.
WITHOUT_CONES = {
    "none": np.eye(3),
    "red": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "green": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "blue": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
TO_CONES = np.array([[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566], [0.0883024619, 0.2817188376, 0.6299787005]])
TO_OKLAB = np.array([[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099], [0.0259040371, 0.7827717662, -0.8086757660]])


@pytest.mark.parametrize("missing", WITHOUT_CONES)
def test_colours_of_stages_stay_apart(missing):
    """In OKLab, where 0.02 is about what can be told apart side by side."""
    srgb = np.array([list(bytes.fromhex(colour[1:])) for colour in stage_colours().values()]) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.transpose(WITHOUT_CONES[missing]), 0, 1)
    lab = np.cbrt(seen @ TO_CONES.T) @ TO_OKLAB.T
    apart = np.linalg.norm(lab[:, None] - lab[None], axis=2) + np.eye(len(lab))
    assert len(lab) == 12 and apart.min() > 0.1
