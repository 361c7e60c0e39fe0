"""The site of `cortiscore report` and `cortiscore serve`: what is written, and the page in a headless Chromium."""
import base64
import copy
import csv
import gzip
import hashlib
import http.client
import io
import json
import os
import random
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
import urllib.request
import xml.etree.ElementTree

import numpy as np
import pandas
import pytest
import scipy.stats
from PIL import Image

import site_world as world
from conftest import BINARY, ROOT
from page import data_of

sys.path.insert(0, str(ROOT / "python"))
from cortiscore.recordings import BadInput, Usage
from cortiscore.report import __main__ as report
from cortiscore.report import data as report_data
from cortiscore.report import page as report_page
from cortiscore.report import server as report_server
from cortiscore.report import thumbnails as report_thumbnails

RECORDS = world.store_of(24)
NETWORKS = sorted({record["model_identifier"] for record in RECORDS})
TOP1 = {name: 55.0 + 1.5 * place for place, name in enumerate(NETWORKS)}
FAMILY = {name: name.split("_")[0] for name in NETWORKS}
CARDS = {name: {"identifier": name, "region": region, "parent": region, "metric": metric, "ceiling": "internal_consistency",
                "access": "public",
                "species": "simulated" if name.startswith("Simulated") else "human" if region == "behavior" else "macaque",
                "citation": "Someone (2026)",
                "licence": "not stated", "import": f"cortiscore data fetch {name}", "simulated": name.startswith("Simulated")}
         for name, (region, metric, _) in world.BENCHMARKS.items()}
ROUTES = {"leaderboard": "", "benchmarks": "benchmarks", "regions": "regions", "compare": "compare?x=attribute:parameters&y=node:IT",
          "curves": "curves",
          "network": "network/resnet_20", "benchmark": "benchmark/Cowley2023.V4-pls"}


def site_of(records, cards=CARDS, attributes=None, title="Lab leaderboard", **more):
    ranks = world.ranks_of(records)
    pairs = report_data.choose_records(ranks, records)
    tree = report_data.read_tree("average_vision")
    names = [rank["model_identifier"] for rank in ranks]
    fields = {"thumbnails": {}, "made": "2026-11-30 00:00 UTC", **more}
    return report_data.Site(title, {"name": tree["identifier"], "description": tree["description"], "leaf": "ceiled"}, ranks,
                            report_data.cards_of(ranks[0]["leaves"], pairs, cards), report_data.nodes_of(tree, ranks), pairs,
                            report_data.attributes_of(names, pairs, attributes or {}), **fields)


SITE = site_of(RECORDS, attributes={"imagenet_top1": TOP1, "family": FAMILY})
RANKS = {rank["model_identifier"]: rank for rank in SITE.ranks}


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    path = tmp_path_factory.mktemp("site") / "index.html"
    path.write_text(report_page.compose(*report_data.data_text(SITE), SITE.title), encoding="utf-8")
    return path


GO = """
  const [route, done] = arguments;
  if (location.hash === `#/${route}` || !route && !location.hash) done();
  addEventListener('hashchange', () => done(), {once: true});
  location.hash = `#/${route}`;"""


def gone_to(browser, route):
    """The view of an address, drawn. The page's own listener was there first."""
    browser.driver.execute_async_script(GO, route)
    return drawn(browser)


def opened(browser, path, route="", **look):
    """The view of a page, drawn: a leaderboard that nobody has asked anything, or another view of a page that may be open."""
    browser.open(path, fresh=not route, **{"height": 1400, **look})
    return gone_to(browser, route) if route else drawn(browser)


def drawn(browser):
    """Once tables and charts are there: Tabulator builds its own a moment later."""
    until = time.monotonic() + 10
    while not browser.run("return document.querySelector('#page:not([aria-busy]) h1') && [...document.querySelectorAll('.grid')].every("
                          "(one) => one.querySelector('.tabulator-row, .tabulator-placeholder'))"):
        assert time.monotonic() < until, "nothing was drawn"
        time.sleep(0.02)
    return browser.settled()


def quiet(browser):
    assert browser.console() == []
    assert browser.refused() == []
    assert [url for url in browser.requests() if not url.startswith("data:")] == []


def names_shown(browser):
    """Networks in the rows of the leaderboard that are in the page, from the top."""
    return browser.run("return [...document.querySelectorAll('#of-leaderboard .tabulator-row')].sort((a, b) => a.getBoundingClientRect().top - "
                       "b.getBoundingClientRect().top).map((row) => row.querySelector('a').firstChild.textContent)")


def choose(browser, label, value):
    browser.run("""const field = [...document.querySelectorAll('.field')].find((one) => one.firstChild.textContent === arguments[0]);
                   const select = field.querySelector('select, input');
                   select.value = arguments[1];
                   select.dispatchEvent(new Event(select.localName === 'select' ? 'change' : 'input'));""", label, value)
    return drawn(browser)


def sort_by(browser, label):
    browser.run("""[...document.querySelectorAll('#of-leaderboard .sort')].find((one) => one.textContent === arguments[0]).click()""",
                label)
    return drawn(browser)


def saved_csv(browser, title, name):
    return list(csv.DictReader(io.StringIO(browser.downloaded(lambda: browser.click(f"Save CSV: {title}"), name).decode(), newline="")))


def option(browser, name):
    return browser.run("return JSON.parse(JSON.stringify(echarts.getInstanceByDom(document.getElementById(`chart-${arguments[0]}`)).getOption()))", name)


# ---------------------------------------------------------------------------------------------------------------------------------------
# What is written


@pytest.fixture
def engine(tmp_path, monkeypatch):
    """A store, and the program that answers of it in place of the engine."""
    monkeypatch.setenv("CORTISCORE_BINARY", str(world.engine(tmp_path, list(CARDS.values()), BINARY)))
    return world.shard(tmp_path / "store", "1", RECORDS)


def test_a_site_is_written_whole(tmp_path, engine, capsys):
    table = tmp_path / "attributes.csv"
    table.write_text("model,imagenet_top1,family\n" + "".join(f"{name},{TOP1[name]},{FAMILY[name]}\n" for name in NETWORKS))
    report.main(["--results", str(engine), "-o", str(tmp_path / "site"), "--table", str(table), "--title", "A <b>title</b>"])
    assert "24 networks on 10 benchmarks" in capsys.readouterr().out
    files = sorted(str(path.relative_to(tmp_path / "site")) for path in (tmp_path / "site").rglob("*") if path.is_file())
    assert files == ["NOTICE", "index.html",
                     *sorted(f"tables/{name}.{kind}" for name in ("benchmarks", "curves", "leaderboard", "scores")
                             for kind in ("csv", "json"))]
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".site")]
    text = (tmp_path / "site/index.html").read_text()
    assert "<title>A &lt;b&gt;title&lt;/b&gt;</title>" in text and data_of(tmp_path / "site/index.html")["networks"] == SITE.networks
    board = pandas.read_csv(tmp_path / "site/tables/leaderboard.csv").set_index("network")
    assert list(board.index) == SITE.networks and board["imagenet_top1"].to_dict() == TOP1
    for name, rank in RANKS.items():
        for column, value in [("composite", rank["score"]), *rank["nodes"].items(), *rank["leaves"].items()]:
            assert column not in board or (pandas.isna(board.loc[name, column]) if value is None else board.loc[name, column] == value)
    scores = pandas.read_csv(tmp_path / "site/tables/scores.csv")
    assert len(scores) == 240 and set(scores["status"]) == {"ok", "failed", "missing", "imported"}
    ok = scores[scores["status"] == "ok"].set_index(["network", "benchmark"])
    assert len(ok) == sum(record["status"] == "ok" for record in RECORDS)
    for record in RECORDS:
        if record["status"] == "ok":
            row = ok.loc[record["model_identifier"], record["benchmark_identifier"]]
            assert [row["raw"], row["ceiling"], row["ceiled"], row["lo"], row["key"]] == [
                *(record["score"][name] for name in ("raw", "ceiling", "ceiled")), record["error"]["ci_lo"], record["key"]]
    curves = json.loads((tmp_path / "site/tables/curves.json").read_text())
    assert [(row["run"], row["step"]) for row in curves] == [(run, 500.0 * step) for run in ("first", "second") for step in range(8)]


def test_a_table_of_other_networks_is_named(tmp_path, engine, capsys):
    table = tmp_path / "attributes.csv"
    for names, said in ((["ResNet 20"], "has 0 of the 24 networks"), (NETWORKS[:3], "has 3 of the 24 networks"), (NETWORKS, "")):
        table.write_text("model,family\n" + "".join(f"{name},x\n" for name in names))
        report.main(["--results", str(engine), "-o", str(tmp_path / "site"), "--table", str(table), "--no-thumbnails"])
        assert capsys.readouterr().err == (f"note: {table} {said}\n" if said else "")


def test_every_tag_that_is_asked_for_is_one():
    words = report.filters_of(report.parser(False).parse_args(["--tag", "run=a", "--tag", "lab=b", "--region", "V4"]))
    assert words == ["--region", "V4", "--tag", "run=a", "--tag", "lab=b"]


def test_of_the_engines_own_ranking(tmp_path, monkeypatch):
    """The engine ranks and lists; records without draws keep their own intervals."""
    monkeypatch.setenv("CORTISCORE_BINARY", str(BINARY))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    site = report_data.gather(results=str(world.shard(tmp_path / "store", "1", RECORDS)), thumbnails=False, filters=["--region", "V4"])
    assert sorted(site.networks) == NETWORKS and site.benchmarks == ["Cowley2023.V4-pls"]
    summary = report_data.summary_of(site)
    numbers = lambda name, kind: dict(zip(site.networks, np.frombuffer(base64.b64decode(summary["leaf"][name]), kind)))
    value, low = numbers("value", "<f8"), numbers("lo", "<f4")
    status = dict(zip(site.networks, summary["leaf"]["status"][0]))
    of = {record["model_identifier"]: record for record in RECORDS if record["benchmark_identifier"] == "Cowley2023.V4-pls"}
    assert {of[name]["status"] for name in of} == {"ok", "failed"} and len(of) < len(NETWORKS)
    for name in NETWORKS:
        record = of.get(name, {"status": "missing"})
        assert status[name] == report_data.STATUSES[record["status"]]
        assert np.isnan(value[name]) if "score" not in record else value[name] == record["score"]["ceiled"]
        if record["status"] == "ok":
            assert low[name] == np.float32(record["error"]["ci_lo"]) and site.pairs[name, "Cowley2023.V4-pls"]["key"] == record["key"]


def test_records_that_are_not_ranked_are_not_shown(tmp_path, monkeypatch):
    """Two weights under one name, of which the ranking takes those that were scored last: no number, hash or size of the others is there,
    and a failure says why."""
    monkeypatch.setenv("CORTISCORE_BINARY", str(BINARY))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    rng = random.Random(0)
    v1, v4, geirhos = "Henaff2021.V1-pls", "Cowley2023.V4-pls", "Geirhos2021cueconflict-error_consistency"
    of = lambda name, benchmark, which, **more: world.record(
        name, benchmark, 0.5, rng, region=world.BENCHMARKS[benchmark][0], metric=world.BENCHMARKS[benchmark][1], key=world.SHA(name, benchmark, which),
        weights_sha256=world.SHA("weights", which), end=f"2026-11-30T0{which}:00:00Z", size={"parameters": which, "weight_layers": which},
        tags={"step": str(which)}, **more)
    records = []
    for place in range(10):  # in whatever order the store has them
        pair = [of(f"net{place}", v4, 2), *(of(f"net{place}", benchmark, 1) for benchmark in (v1, v4, geirhos))]
        failed = [{**world.failure(f"net{place}", geirhos, f"the {which} failure", "behavior"), "key": world.SHA(which, place), "end": end}
                  for which, end in (("old", "2026-11-30T00:00:00Z"), ("newest", "2026-11-30T03:00:00Z"))]
        records += [*(pair if place % 2 else pair[::-1]), *failed]
    store = world.shard(tmp_path / "store", "1", records)
    report.main(["--results", str(store), "-o", str(tmp_path / "site"), "--no-thumbnails"])
    scores = pandas.read_csv(tmp_path / "site/tables/scores.csv").set_index("benchmark")
    assert set(scores.loc[v4, "key"]) == {world.SHA(f"net{place}", v4, 2) for place in range(10)} and scores.loc[v4, "raw"].notna().all()
    rows = scores.loc[geirhos]
    assert set(rows["status"]) == {"failed"} and rows[["raw", "ceiled", "layer", "lo"]].isna().all(axis=None)
    assert set(rows["message"]) == {"the newest failure"}
    assert v1 not in scores.index  # that nothing which is ranked was scored on
    board = pandas.read_csv(tmp_path / "site/tables/leaderboard.csv")
    assert set(board["parameters"]) == set(board["depth"]) == {2}
    site = report_data.gather(results=str(store), thumbnails=False)
    details = [gzip.decompress(base64.b64decode(line)).decode() for line in report_data.details_of(site)]
    assert world.SHA("weights", 2) in details[0] and not [text for text in details if world.SHA("weights", 1) in text]


def test_never_half_a_site(tmp_path, engine, monkeypatch):
    """What fails on the way leaves the site that was there; what is no site of ours is not replaced."""
    target = tmp_path / "site"
    report.main(["--results", str(engine), "-o", str(target)])
    before = {path: path.read_bytes() for path in target.rglob("*") if path.is_file()}
    site = report.gather(results=str(engine))
    monkeypatch.setattr(report_page, "write_tables", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError):
        report_page.write_site(site, target)
    assert {path: path.read_bytes() for path in target.rglob("*") if path.is_file()} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cards.json", "cortiscore", "site", "store"]
    monkeypatch.undo()
    (target / "notes.txt").write_text("mine")
    with pytest.raises(Usage, match="notes.txt"):
        report_page.check_target(target)
    (tmp_path / "other").mkdir()
    (tmp_path / "other/index.html").write_text("<title>a page of mine</title>")
    with pytest.raises(Usage, match="another page"):
        report_page.check_target(tmp_path / "other")
    with pytest.raises(Usage, match="found a file"):
        report_page.check_target(tmp_path / "other/index.html")


def test_folders_change_places(tmp_path, monkeypatch):
    for exchange in (True, False):
        made, target = tmp_path / f"made{exchange}", tmp_path / f"target{exchange}"
        for folder in (made, target):
            folder.mkdir()
            (folder / "index.html").write_text(folder.name)
        if not exchange:
            monkeypatch.setattr(report_page.ctypes, "CDLL", lambda *_, **__: object())
        report_page.replace_folder(made, target)
        assert (target / "index.html").read_text() == made.name and not made.exists()
    assert len(list(tmp_path.iterdir())) == 2


def test_policy_allows_what_is_in_the_page_and_nothing_else(page):
    text = page.read_text(encoding="utf-8")
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)[1]
    allowed = dict((part.split()[0], part.split()[1:]) for part in policy.split("; "))
    hashes = lambda tag: {f"'sha256-{base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()}'" for body in
                          re.findall(rf'<{tag}(?: type="text/plain" id="charts")?>(.*?)</{tag}>', text, flags=re.S)}
    assert allowed["default-src"] == ["'none'"] and set(allowed["script-src"]) == hashes("script") and len(hashes("script")) == 3
    assert set(allowed["style-src"]) == hashes("style") and allowed["img-src"] == ["data:", "blob:"] and "connect-src" not in allowed
    assert "'self'" in report_page.compose("{}", "", "x", served=True).partition("connect-src ")[2].partition(";")[0]
    assert "unsafe" not in policy and not re.search(r'<(script|link|img)[^>]*\s(src|href)=', text.partition("<script")[0])


@pytest.mark.parametrize("text, said", [
    ("", "expected"), ("name,a\nx,1\n", "called model"), ("model,a,a\nx,1,2\n", "twice"), ("model,a\nx,1\nx,2\n", "second time"),
    ("model,a\nx\n", "line 2"), ("model,a\n", "no rows"), ("model,a\n,1\n", "none"), ('model,a\n"x,1\n', "expected"),
])
def test_tables_of_attributes_that_are_refused(tmp_path, text, said):
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(BadInput, match=said) as refused:
        report_data.read_attributes(path)
    assert str(path) in str(refused.value)


@pytest.mark.parametrize("content", [
    b"\xef\xbb\xbfnetwork\tparameters\tkind\r\nx\t1e6\tcnn\r\ny\tNA\t\r\n",
    "network;parameters;kind\nx;1000000,0;cnn\ny;;n/a\n".encode("utf-16"),
])
def test_tables_of_attributes_are_read_as_every_table_is(tmp_path, content):
    path = tmp_path / ("t.tsv" if b"\t" in content else "t.csv")
    path.write_bytes(content)
    assert report_data.read_attributes(path)[0] == {"parameters": {"x": 1e6}, "kind": {"x": "cnn"}}


@pytest.mark.parametrize("licence, allowed", [
    ("CC BY 4.0", True), ("cc-by-4.0", False), ("CC0", True), ("MIT", True), ("stimuli CC BY 4.0; choices as model-vs-human states", True),
    ("Apache-2.0", True),
    ("not stated; the platform shares it for research", False), ("repository MIT; nothing separate stated for the data", False),
    ("", False), (None, False),
    ("none stated for the data; the paper is CC BY 4.0", False), ("CC BY-NC 4.0", False), ("CC BY-ND 4.0", False),
    ("ImageNet's terms: research, not commercial", False),
    ("stimuli not stated; choices CC BY 4.0", False), ("MIT; stimuli not to be passed on", False),
])
def test_stimuli_are_shown_where_their_licence_says_so(licence, allowed, tmp_path):
    assert report_thumbnails.may_be_shown(licence) == allowed
    folder = tmp_path / "set"
    folder.mkdir()
    rows = []
    for place in range(40):
        Image.fromarray(np.full((150, 300, 3), 6 * place, np.uint8)).save(folder / f"{place}.png")
        rows.append(f"id{place},{place}.png")
    (folder / "stimuli.csv").write_text("stimulus_id,filename\n" + "\n".join(rows) + "\nout,../../secret.png\n")
    card = {"identifier": "B", "licence": licence, "files": [{"file": "set/stimuli.csv", "path": str(folder / "stimuli.csv")}]}
    of = report_thumbnails.thumbnails_of([card, {**card, "identifier": "C"}])
    assert ("pictures" in of["B"]) == allowed and (of["C"] == {"as": "B"}) == allowed
    if allowed:
        assert 10 <= len(of["B"]["pictures"]) <= 12 and of["B"]["pictures"][0][0] == "id0"
        for _, uri in of["B"]["pictures"]:
            with Image.open(io.BytesIO(base64.b64decode(uri.removeprefix("data:image/jpeg;base64,")))) as image:
                assert image.format == "JPEG" and image.size == (96, 48)
    else:
        assert "licence" in of["B"]["why"]


# ---------------------------------------------------------------------------------------------------------------------------------------
# The page


def test_leaderboard_sorts_and_filters(browser, page):
    opened(browser, page)
    assert names_shown(browser) == SITE.networks
    assert browser.run("return document.title") == "Lab leaderboard: leaderboard"
    by_it = sorted(NETWORKS, key=lambda name: -RANKS[name]["nodes"]["IT"])
    assert names_shown(sort_by(browser, "IT")) == by_it and names_shown(sort_by(browser, "IT")) == by_it[::-1]
    v2 = sorted([name for name in NETWORKS if RANKS[name]["nodes"]["V2"] is not None], key=lambda name: -RANKS[name]["nodes"]["V2"])
    for order in (v2, v2[::-1]):
        shown = names_shown(sort_by(browser, "V2"))
        assert shown[:len(v2)] == order and len(v2) < len(shown), "what is missing stands last, whatever the direction"
    choose(browser, "find", "MOBILE")
    assert set(names_shown(browser)) == {name for name in NETWORKS if "mobile" in name}
    assert "6 of 24 networks" in browser.run("return document.querySelector('#count').textContent")
    choose(browser, "find", "")
    choose(browser, "region", "V4")
    heads = browser.run("return [...document.querySelectorAll('.sort')].map((one) => one.textContent)")
    assert [head for head in heads if head in world.BENCHMARKS] == sorted(name for name,
        (region, *_) in world.BENCHMARKS.items() if region == "V4")
    choose(browser, "species", "simulated")
    heads = browser.run("return [...document.querySelectorAll('.sort')].map((one) => one.textContent)")
    assert [head for head in heads if head in world.BENCHMARKS] == ["Simulated2026.V4-pls"]
    choose(choose(browser, "region", ""), "species", "")
    browser.run("document.querySelector('details').open = true")
    browser.settled().run("[...document.querySelectorAll('.boxes label')].find((one) => one.textContent === 'parameters').click()")
    assert "parameters" not in browser.run("return [...document.querySelectorAll('.sort')].map((one) => one.textContent)")
    quiet(browser)


@pytest.mark.parametrize("width", [1100, 1280, 1366, 1440])
def test_no_number_is_cut_at_the_edge_of_the_table(browser, page, width):
    """Where columns go on beyond what is in sight, its edge, which is the table's scroll bar, lies between two of them; nor is a name lost."""
    cut = """const holder = document.querySelector('.tabulator-tableholder');
             const edge = holder.getBoundingClientRect().left + holder.clientWidth;
             const boxes = [...document.querySelectorAll('.tabulator-row:first-child .tabulator-cell, .tabulator-headers .tabulator-col')]
               .map((one) => one.getBoundingClientRect());
             return [holder.scrollWidth > holder.clientWidth, boxes.filter(({left, right}) => left < edge - 1 && right > edge + 1).length,
                     [...document.querySelectorAll('a.name')].every((one) => one.getBoundingClientRect().right <
                       one.closest('.tabulator-cell').getBoundingClientRect().right)]"""
    opened(browser, page, width=width)
    assert browser.run(cut) == [True, 0, True]
    assert "rgba(0, 0, 0, 0)" not in browser.run("return [...document.querySelectorAll('.tabulator-header .tabulator-frozen')].map("
                                                 "(one) => getComputedStyle(one).backgroundColor)"), "what scrolls under it would show"
    for columns in ("benchmarks", "nodes"):
        choose(browser, "columns", columns)
        assert browser.run(cut) == [True, 0, True]
    browser.look(width + 50, 1400)
    assert drawn(browser).run(cut) == [True, 0, True]
    quiet(browser)


def test_what_has_no_score_says_why(browser, page):
    """In words, each of them: missing, failed, imported."""
    choose(opened(browser, page), "columns", "benchmarks")
    cells = browser.run("""const of = (row) => [row.querySelector('a').firstChild.textContent,
                             Object.fromEntries([...row.querySelectorAll('.tabulator-cell')].map(
                               (cell) => [cell.getAttribute('tabulator-field'), cell.innerText]))];
                           return Object.fromEntries([...document.querySelectorAll('.tabulator-row')].map(of))""")
    seen = set()
    for record in [*RECORDS, *({"model_identifier": name, "benchmark_identifier": benchmark, "status": "missing"} for name in NETWORKS
                               for benchmark, status in RANKS[name]["status"].items() if status == "missing")]:
        place = SITE.benchmarks.index(record["benchmark_identifier"])
        text = cells[record["model_identifier"]].get(f"c{3 + place}")
        if text is None:
            continue
        value = (record.get("score") or {}).get("ceiled")
        expected = {"ok": f"{value:.3f}" if value is not None else "", "failed": "failed", "missing": "missing",
                    "imported": f"{value or 0:.3f} imported"}
        assert text.replace("\u00a0", " ") == expected[record["status"]]
        seen.add(record["status"])
    assert seen == {"ok", "failed", "missing", "imported"}
    assert browser.run("return document.querySelector('.tabulator-row .tabulator-cell').innerText") == "=1 1\u20133"


def test_a_score_without_a_number_is_undefined(browser, tmp_path):
    """As the ranking says it, on the leaderboard, the cards and in files."""
    name, benchmark = "resnet_20", "Cowley2023.V4-pls"
    records = copy.deepcopy(RECORDS)
    one = next(record for record in records if (record["model_identifier"], record["benchmark_identifier"]) == (name, benchmark))
    one["score"].update(raw=None, ceiled=None)
    site = site_of(records)
    next(rank for rank in site.ranks if rank["model_identifier"] == name)["status"][benchmark] = "undefined"
    path = tmp_path / "index.html"
    path.write_text(report_page.compose(*report_data.data_text(site), site.title), encoding="utf-8")
    choose(opened(browser, path), "region", "V4")
    row = "[...document.querySelectorAll('.tabulator-row')].find((row) => row.querySelector('a').firstChild.textContent === arguments[0])"
    assert "undefined" in browser.run(f"return {row}.innerText", name)
    [saved] = [row for row in saved_csv(browser, "Leaderboard", "cortiscore-leaderboard.csv") if row["network"] == name]
    assert (saved[benchmark], saved[f"{benchmark} status"]) == ("", "undefined")
    opened(browser, path, f"network/{name}")
    [saved] = [row for row in saved_csv(browser, "Scores", "cortiscore-scores.csv") if row["benchmark"] == benchmark]
    assert (saved["status"], saved["ceiled"]) == ("undefined", "") and ", 1 undefined" in browser.run("return document.body.innerText")
    opened(browser, path, f"benchmark/{benchmark}")
    assert "1 undefined" in browser.run("return document.querySelector('.figures').innerText")
    report_page.write_site(site, tmp_path / "site")
    scores = pandas.read_csv(tmp_path / "site/tables/scores.csv").set_index(["network", "benchmark"])
    assert scores.loc[(name, benchmark), "status"] == "undefined"
    quiet(browser)


def test_a_score_that_luck_gives_is_said(browser, tmp_path):
    """Beside its number on the leaderboard, as a status on the cards and in files, with what luck scores; and how intervals were drawn."""
    name, benchmark = "resnet_20", "Cowley2023.V4-pls"
    records = copy.deepcopy(RECORDS)
    one = next(record for record in records if (record["model_identifier"], record["benchmark_identifier"]) == (name, benchmark))
    one["null"] = {"of": "maps of random features", "draws": 100, "mean": 0.001, "sd": 0.016, "high": 0.9876, "p": 0.4, "within": True}
    one["error"]["method"] = "percentile bootstrap over neuroid and presentation"
    site = site_of(records)
    next(rank for rank in site.ranks if rank["model_identifier"] == name)["within_null"] = [benchmark]
    path = tmp_path / "index.html"
    path.write_text(report_page.compose(*report_data.data_text(site), site.title), encoding="utf-8")
    choose(opened(browser, path), "region", "V4")
    row = "[...document.querySelectorAll('.tabulator-row')].find((row) => row.querySelector('a').firstChild.textContent === arguments[0])"
    value = one["score"]["ceiled"]
    assert f"{value:.3f} within null" in browser.run(f"return {row}.innerText", name)
    [saved] = [row for row in saved_csv(browser, "Leaderboard", "cortiscore-leaderboard.csv") if row["network"] == name]
    assert (float(saved[benchmark]), saved[f"{benchmark} status"]) == (pytest.approx(value), "within null")
    opened(browser, path, f"network/{name}")
    [saved] = [row for row in saved_csv(browser, "Scores", "cortiscore-scores.csv") if row["benchmark"] == benchmark]
    assert (saved["status"], float(saved["null_high"])) == ("within null", pytest.approx(0.9876))
    assert "--over neuroid,presentation" in browser.run("return document.querySelector('.command').innerText")
    opened(browser, path, f"benchmark/{benchmark}")
    assert "1 within null" in browser.run("return document.querySelector('.figures').innerText")
    quiet(browser)


def test_network_card(browser, page):
    failed = next(record for record in RECORDS if record["status"] == "failed")
    name = failed["model_identifier"]
    opened(browser, page, f"network/{name}")
    text = browser.run("return document.body.innerText")
    assert browser.run("return document.title") == f"{name}, Lab leaderboard" and failed["message"] in text
    rows = saved_csv(browser, "Scores", "cortiscore-scores.csv")
    assert [row["benchmark"] for row in rows] == SITE.benchmarks
    by_name = {row["benchmark"]: row for row in rows}
    for record in RECORDS:
        if record["model_identifier"] == name and record["status"] == "ok":
            row = by_name[record["benchmark_identifier"]]
            assert float(row["raw"]) == pytest.approx(record["score"]["raw"],
                                                      rel=1e-6) and float(row["ceiled"]) == pytest.approx(record["score"]["ceiled"],
                                                          rel=1e-6)
            assert float(row["ci_lo"]) == pytest.approx(record["error"]["ci_lo"],
                                                        rel=1e-6) and row["layer"] == record["layer"] and row["region"] == record["region"]
            assert record["weights_sha256"] in text and record["graph_sha256"] in text
    assert by_name[failed["benchmark_identifier"]]["status"] == "failed"
    commands = browser.run("return [...document.querySelectorAll('.command code')].map((one) => one.textContent)")
    assert len(commands) == sum(row["status"] == "ok" for row in rows)
    for command in commands:
        words = shlex.split(command)
        assert words[:3] == ["cortiscore", "score", f"{name}.pt2"] and words[3] == "-b" and by_name[words[4]]["status"] == "ok"
    first = next(record for record in RECORDS if record["model_identifier"] == name and record["status"] == "ok" and
                 record["benchmark_identifier"] == min(one["benchmark_identifier"] for one in RECORDS if one["model_identifier"] == name
                                                       and one["status"] == "ok"))
    curve = option(browser, f"depth-{SITE.benchmarks.index(first['benchmark_identifier'])}")
    for series, half in zip(curve["series"], first["layer_selection"]["raw_on_selecting_half"]):
        assert [point["value"] for point in series["data"]] == pytest.approx(half, abs=6e-5)
    quiet(browser)


def test_a_nested_choice_says_how_often_its_layer_won(browser, tmp_path):
    rng = random.Random(0)
    one, old = world.record("net", "A.V4-pls", 0.5, rng), world.record("net", "B.V4-pls", 0.5, rng)
    layers = ["stem", "blocks.0", "blocks.1"]
    rows = [[0.25, 0.5, None], [0.75, 0.25, None], [0.5, 0.75, None]]
    one["layer"] = "blocks.0"
    one["layer_selection"] = {"method": "nested", "by": "split", "candidates": layers, "from": "all", "most": 3, "inner_splits": 5,
                              "raw_where_chosen": rows, "chosen": ["blocks.0", "stem", "blocks.0"]}
    path = tmp_path / "p.html"
    path.write_text(report_page.compose(*report_data.data_text(site_of([one, old], {})), "x"), encoding="utf-8")
    opened(browser, path, "network/net")
    commands = browser.run("return [...document.querySelectorAll('.command code')].map((one) => one.textContent)")
    assert shlex.split(commands[0])[3:] == ["-b", "A.V4-pls", "--from", "all", "--candidates", "3"]
    assert shlex.split(commands[1])[3:] == ["-b", "B.V4-pls", "--choice", "halves", "--from", "all"]  # a record that does not say from what
    assert "blocks.0 (2 of 3)" in browser.run("return document.body.textContent")
    [series] = option(browser, "depth-0")["series"]
    assert [point["value"] for point in series["data"]] == [0.5, 0.5, None] and series["name"] == "where layers were chosen"
    assert "blocks.0 won 2 of 3" in browser.run("return document.body.textContent")
    quiet(browser)


def test_commands_say_what_differs_from_the_defaults(browser, tmp_path):
    rng = random.Random(0)
    one = world.record("net's $1", "B.V4-pls", 0.5, rng)
    one["layer"], one["layer_selection"] = "blocks.3:mean", {"method": "committed", "candidates": ["blocks.3:mean"]}
    one["score"]["ceiling_convention"], one["error"]["n_boot"] = "r_over_c_squared", 200
    one["precision"]["activations"], one["device"] = "bf16", {"name": "NVIDIA H200"}
    path = tmp_path / "p.html"
    path.write_text(report_page.compose(*report_data.data_text(site_of([one], {})), "x"), encoding="utf-8")
    opened(browser, path, "network/" + "net's%20%241")
    [command] = browser.run("return [...document.querySelectorAll('.command code')].map((one) => one.textContent)")
    assert shlex.split(command) == ["cortiscore", "score", "net's $1.pt2", "-b", "B.V4-pls", "--layer", "V4=blocks.3:mean",
                                    "--ceiling-convention", "r_over_c_squared",
                                    "--bootstrap", "200", "--precision", "bf16", "--device", "cuda"]


def test_benchmark_card(browser, page):
    name = "Cowley2023.V4-pls"
    opened(browser, page, f"benchmark/{name}")
    scores = {network: rank["leaves"][name] for network, rank in RANKS.items() if rank["leaves"][name] is not None}
    best = max(scores, key=scores.get)
    text = browser.run("return document.body.innerText")
    assert f"{scores[best]:.3f}" in text and f"{np.median(list(scores.values())):.3f}" in text and \
        f"cortiscore data fetch {name}" in text and "Someone (2026)" in text
    points = option(browser, "strip")["series"][1]["data"]
    assert [SITE.networks[point[4]] for point in points] == sorted(scores, key=lambda one: -scores[one]) and points[0][0] == scores[best]
    rows = saved_csv(browser, "Networks", "cortiscore-networks.csv")
    assert {row["network"]: float(row["score"]) for row in rows if row["score"]} == scores and {row["status"] for row in rows} <= {"ok",
        "failed", "missing", "imported"}
    quiet(browser)


@pytest.mark.parametrize("x, y, log",
                         [("attribute:imagenet_top1", "composite:composite", False),
                          ("attribute:parameters", "benchmark:Cowley2023.V4-pls", True),
                                       ("node:V1", "node:IT", False)])
def test_compare_is_what_scipy_finds(browser, page, x, y, log):
    opened(browser, page, f"compare?x={x}&y={y}")
    columns = {"attribute:imagenet_top1": TOP1,
               "attribute:parameters": {name: SITE.attributes["parameters"][place] for place, name in enumerate(SITE.networks)},
               "composite:composite": {name: rank["score"] for name, rank in RANKS.items()}}
    of = lambda key: columns.get(key) or {name: rank["nodes" if key.startswith("node") else "leaves"][key.partition(":")[2]] for name,
                                          rank in RANKS.items()}
    pairs = [(np.log10(of(x)[name]) if log else of(x)[name], of(y)[name]) for name in NETWORKS if of(x)[name] is not None
             and of(y)[name] is not None]
    expected = scipy.stats.pearsonr(*zip(*pairs))
    ends = expected.confidence_interval(0.95)
    line = scipy.stats.linregress(*zip(*pairs))
    said = browser.run("return document.querySelector('#fit').textContent").replace("\u2212", "-")
    assert f"r = {expected.statistic:.3f}, 95 % interval {ends.low:.3f} to {ends.high:.3f} (Fisher's z), n = {len(pairs)}," in said
    assert float(re.search(r"slope (\S+)\.$", said)[1]) == pytest.approx(line.slope, rel=1e-3)
    drawn_line = option(browser, "compare")["series"][2]["data"]
    for at, value in drawn_line:
        assert value == pytest.approx(line.intercept + line.slope * (np.log10(at) if log else at))
    rows = saved_csv(browser, "The same as a table", "cortiscore-compared.csv")
    assert len(rows) == len(pairs) and {row["network"]: float(row[f"y: {y.partition(':')[2]}"]) for row in rows} == {
        name: of(y)[name] for name in NETWORKS if of(x)[name] is not None and of(y)[name] is not None}
    quiet(browser)


def test_too_few_networks_have_no_correlation(browser, tmp_path):
    for count, said in ((2, "n = 2: too few"), (3, "an interval needs more than three")):
        path = tmp_path / f"{count}.html"
        few = [record for record in RECORDS if record["model_identifier"] in ("resnet_0", "mobilenet_1", "vit_2")[:count]]
        path.write_text(report_page.compose(*report_data.data_text(site_of(few)), "x"), encoding="utf-8")
        opened(browser, path, "compare?x=attribute:parameters&y=composite:composite")
        assert said in browser.run("return document.querySelector('#fit').textContent")
    quiet(browser)


def test_curves_by_run(browser, page):
    opened(browser, page, "curves")
    series = [one for one in option(browser, "curves")["series"] if one["type"] == "line"]
    assert len(series) == 2 and len({(one["symbol"], str(one["lineStyle"]["type"]), one["color"]) for one in series}) == 2
    for run, one in zip(("first", "second"), series):
        tagged = {record["model_identifier"]: int(record["tags"]["step"]) for record in RECORDS if record.get("tags", {}).get("run") == run}
        assert [[point[0], point[1]] for point in one["data"]] == [[step, RANKS[name]["score"]] for name,
                                                                   step in sorted(tagged.items(), key=lambda pair: pair[1])]
    choose(browser, "score", "node:IT")
    assert saved_csv(browser, "The same as a table", "cortiscore-curves.csv")[0]["IT"]
    quiet(browser)


def test_regions_overview(browser, page):
    opened(browser, page, "regions")
    rows = {row["region"]: row for row in saved_csv(browser, "Regions", "cortiscore-regions.csv")}
    for region in ("V1", "V2", "V4", "IT", "behavior"):
        values = {name: rank["nodes"]["behavior_vision" if region == "behavior" else region] for name, rank in RANKS.items()}
        values = {name: value for name, value in values.items() if value is not None}
        best = max(values, key=values.get)
        row = rows[region]
        assert row["best_network"] == best and float(row["best"]) == values[best] and float(row["median"]) == pytest.approx(np.median(list(values.values())))
        assert int(row["benchmarks"]) == sum(of[0] == region for of in world.BENCHMARKS.values()) and int(row["networks"]) == len(values)
    drawing = browser.run("return document.querySelector('.stream').getAttribute('aria-label')")
    assert all(f"{region}: best {row['best_network']}" in drawing for region, row in rows.items())
    svg = browser.downloaded(lambda: browser.click("Save SVG: The visual stream"), "cortiscore-stream.svg")
    assert xml.etree.ElementTree.fromstring(svg).tag == "{http://www.w3.org/2000/svg}svg" and b"V4" in svg
    picture = Image.open(io.BytesIO(browser.downloaded(lambda: browser.click("Save PNG: The visual stream"), "cortiscore-stream.png")))
    assert picture.width > 1500 and len(picture.convert("RGB").getcolors(2**24)) > 10
    quiet(browser)


def test_files_from_the_page(browser, page):
    """The leaderboard in its order of now, with the ends of the intervals; charts as SVG and PNG."""
    sort_by(opened(browser, page), "IT")
    rows = saved_csv(browser, "Leaderboard", "cortiscore-leaderboard.csv")
    assert [row["network"] for row in rows] == sorted(NETWORKS, key=lambda name: -RANKS[name]["nodes"]["IT"])
    as_json = json.loads(browser.downloaded(lambda: browser.click("Save JSON: Leaderboard"), "cortiscore-leaderboard.json"))
    for row, of in zip(rows, as_json, strict=True):
        rank = RANKS[row["network"]]
        assert float(row["composite"]) == rank["score"] == of["composite"] and float(row["IT"]) == rank["nodes"]["IT"] == of["IT"]
        assert of["composite ci_lo"] == pytest.approx(rank["ci_lo"],
                                                      rel=1e-6) and of["IT ci_hi"] == pytest.approx(rank["node_intervals"]["IT"][1],
                                                          rel=1e-6)
        assert int(row["rank"]) == rank["rank"] and of["family"] == FAMILY[row["network"]]
    opened(browser, page, "compare")
    svg = browser.downloaded(lambda: browser.click("Save SVG: average_vision over imagenet top1"), "cortiscore-compare.svg")
    assert len(xml.etree.ElementTree.fromstring(svg).findall(".//{http://www.w3.org/2000/svg}path")) > 24
    browser.look(scheme="dark")
    picture = Image.open(io.BytesIO(browser.downloaded(lambda: browser.click("Save PNG: average_vision over imagenet top1"),
                                                       "cortiscore-compare.png")))
    assert picture.width > 2000 and picture.getpixel((0, 0))[:3] == (0x14, 0x17, 0x1b) and len(picture.convert("RGB").getcolors(2**24)) > 20
    quiet(browser)


def test_by_keyboard_and_back(browser, page):
    opened(browser, page)
    browser.press("Tab")
    assert browser.run("return document.activeElement.id") == "skip"
    browser.press("Enter")
    assert browser.run("return document.activeElement.id") == "heading"
    label = "document.activeElement.textContent"
    for _ in range(60):
        browser.press("Tab")
        if browser.run(f"return {label} === 'IT' && document.activeElement.classList.contains('sort')"):
            break
    browser.press("Enter")
    drawn(browser)
    assert names_shown(browser) == sorted(NETWORKS, key=lambda name: -RANKS[name]["nodes"]["IT"])
    assert browser.run("return document.activeElement.closest('[role=columnheader]')?.getAttribute('aria-sort')") in ("descending", None)
    for _ in range(60):
        browser.press("Tab")
        if browser.run("return document.activeElement.closest('.tabulator-row') !== null"):
            break
    name = browser.run(f"return {label}").removesuffix(" imported")
    browser.press("Enter")
    drawn(browser)
    assert browser.run("return [document.activeElement.id, document.activeElement.textContent, document.title]") == ["heading", name,
        f"{name}, Lab leaderboard"]
    browser.driver.back()
    drawn(browser)
    assert browser.run("return document.title") == "Lab leaderboard: leaderboard"
    assert browser.run("return [...document.querySelectorAll('nav [aria-current=page]')].map((one) => one.textContent)") == ["Leaderboard"]
    assert "knows no network that is called nobody" in gone_to(browser, "network/nobody").run("return document.body.innerText")
    assert "knows no page" in gone_to(browser, "%ff").run("return document.body.innerText")
    quiet(browser)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everyone_can_use_it(browser, page, scheme):
    """axe-core finds nothing in any view. Rows and columns are made alike: three of each are looked at."""
    browser.open(page, scheme=scheme)
    for route in ROUTES.values():
        gone_to(browser, route)
        alike = ("tbody tr:nth-child(n+4)", ".tabulator-row:nth-child(n+4)", ".tabulator-col:nth-child(n+5)",
                 ".tabulator-cell:nth-child(n+5)")
        assert browser.accessibility(exclude=alike) == [], route
    quiet(browser)


def test_no_view_is_wider_than_a_phone(browser, page):
    browser.open(page, width=390, height=844)
    for name, route in ROUTES.items():
        gone_to(browser, route)
        assert browser.run("return document.documentElement.scrollWidth") <= 390, name
    choose(gone_to(browser, ""), "columns", "benchmarks")
    assert browser.run("return document.documentElement.scrollWidth") <= 390
    quiet(browser)


def test_switch_of_colours(browser, page):
    opened(browser, page)
    paper = lambda: browser.run("return getComputedStyle(document.body).backgroundColor")
    assert paper() == "rgb(255, 255, 255)"
    choose(browser, "colours", "dark")
    assert paper() == "rgb(20, 23, 27)"
    assert opened(browser, page).run("return getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 27)", "a choice is kept"
    choose(browser, "colours", "auto")
    assert paper() == "rgb(255, 255, 255)"


def test_print(browser, page):
    """On paper: light, the whole table and not a part, nothing to click, charts within the margins."""
    opened(browser, page, scheme="dark")
    printed = browser.pdf()
    assert printed.startswith(b"%PDF") and 1 <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= 4
    browser.look(width=688, scheme="dark", media="print")
    rows, buttons, paper, width = browser.run("""return [[...document.querySelectorAll('.paper tbody th')].map((one) => one.innerText),
      [...document.querySelectorAll('button, select, nav, .grid')].filter((one) => one.getClientRects().length).length,
      getComputedStyle(document.body).backgroundColor, document.documentElement.scrollWidth]""")
    assert [name.replace(" imported", "").strip()
            for name in rows] == SITE.networks and buttons == 0 and paper == "rgb(255, 255, 255)" and width <= 688
    browser.look(scheme="dark")
    assert browser.run("return document.querySelectorAll('.paper tr').length") == 0
    opened(browser, page, "compare")
    browser.look(width=688, media="print")
    assert browser.run("return document.querySelector('#chart-compare canvas').getBoundingClientRect().right") <= 688


# ---------------------------------------------------------------------------------------------------------------------------------------
# Hostile texts

PAYLOADS = [
    "</script><img src=x onerror=window.hacked=1>", "<img src=x onerror=window.hacked=1>", "\"><svg onload=window.hacked=1>",
    "'onmouseover='window.hacked=1",
    "<script>window.hacked=1</script>", "javascript:window.hacked=1", "<style>*{display:none}</style>", "<!--<script>", "]]><!-- --><b>",
    "&lt;b&gt;&amp;",
    "{{7*7}}${7*7}", "{b}{c}{a|styled}{d|", "\x1b[31mred\x1b[0m\x1b]0;title\x07", "\x00\x08\x7f\x9b2J", "first\r\nsecond\ttab",
    "\u202egnp.exe\u2066\u200b\ufeff",
    "a\u2028b\u2029c", "\ud800 alone", "\U000e0041\U0001f600 ok", "__proto__", "constructor", "=1+1", "+SUM(A1)", "-2+3", "@x", "\t=1",
    "m" * 500, "e\u0301" * 40,
    "/../../etc/passwd", "%s%n%x%", "#/network/x?y=1&z", "~0041~", ",;\"'quoted\"", "<a href=javascript:window.hacked=1>x</a>",
    "<iframe srcdoc='<script>parent.hacked=1</script>'>",
    "<math><mi//xlink:href=\"data:x,<script>window.hacked=1</script>\">", "<input autofocus onfocus=window.hacked=1>", "<!-- data -->",
    "<!-- details -->", "\\u003cscript>",
]
HOSTILE = [*PAYLOADS, *(f"{text} {place}" for place in range(2) for text in PAYLOADS[:30])]


def hostile_site():
    rng = random.Random(0)
    assert len(set(HOSTILE)) == 100
    text = lambda place: HOSTILE[place % 100]
    benchmarks = {f"{text(7 * place)} b{place}": ("V1", "V2", "V4", "IT", "behavior", text(place))[place % 6] for place in range(12)}
    records = []
    for place, name in enumerate(HOSTILE):
        for number, (benchmark, region) in enumerate(benchmarks.items()):
            at = place + number
            if number == 3:
                records.append(world.failure(name, benchmark, text(at), region, tags={text(at): text(at + 1)}))
                continue
            records.append(world.record(name, benchmark, 0.2 + 0.6 * rng.random(), rng, region=region,
                                        tags={"run": text(at % 5), "step": str(100 * place), text(at): text(at + 2)},
                                        candidates=[text(at + layer) for layer in range(4)], warnings=[text(at), text(at + 1)],
                                        notes=[text(at + 5)]))
            records[-1]["preprocessing"] = {text(at): text(at + 3)}
            records[-1]["error"]["method"] = text(at)
    cards = {name: {"identifier": name, **{field: text(place + 3) for place, field in enumerate(
        ("parent", "species", "metric", "ceiling", "access", "citation", "licence", "import", "note", "modality", "comparison", "inexact",
         "splits"))}, "region": region}
             for name, region in benchmarks.items()}
    attributes = {text(20): {name: text(place + 9) for place, name in enumerate(HOSTILE)},
                  text(1): {name: float(place) for place, name in enumerate(HOSTILE)}}
    pictures = {name: {"pictures": [[text(place), f'x" onerror="window.hacked=1{text(place)}']]} for place, name in enumerate(benchmarks)}
    return site_of(records, cards, attributes, title=" ".join(PAYLOADS[:12]), thumbnails=pictures)


MARKS = """
  const found = new Set();
  for (const one of document.querySelectorAll('*')) for (const {name} of one.attributes) found.add(`${one.localName} ${name}`);
  return [...found]"""


def test_hostile_texts(browser, page, tmp_path):
    """A hundred of them, in every field: shown as what they are, run as nothing."""
    harmless = set()
    browser.open(page)
    for route in ROUTES.values():
        harmless |= set(gone_to(browser, route).run(MARKS))
    site = hostile_site()
    path = tmp_path / "hostile.html"
    path.write_text(report_page.compose(*report_data.data_text(site), site.title), encoding="utf-8")
    browser.open(path, width=390)
    drawn(browser)
    links = browser.run("return [...document.querySelectorAll('.tabulator-row a')].map((one) => one.getAttribute('href').slice(2))")
    encoded = lambda key: browser.run("return encodeURIComponent(arguments[0])", key)
    routes = ["", "benchmarks", "regions", "curves", "compare?x=" + encoded(f"attribute:{HOSTILE[1]}"), *links[:4]]
    for route in routes:
        gone_to(browser, route)
        if route == "":
            choose(browser, "columns", "benchmarks")
        if route == "benchmarks":
            routes.extend(browser.run("return [...document.querySelectorAll('#of-benchmarks a')].map((one) => one.getAttribute('href').slice(2))")[:3])
        assert "knows no" not in browser.run("return document.body.innerText"), route
        assert set(browser.run(MARKS)) - harmless <= {"img alt", "img loading", "ul class"}
        assert browser.run("const names = []; for (const name in {}) names.push(name); return [window.hacked ?? null, names]") == [None, []]
        shown = browser.run("return document.getElementById('page').textContent + document.title + "
                            "[...document.querySelectorAll('[aria-label]')].map((one) => one.getAttribute('aria-label')).join(' ')")
        assert not re.findall("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]",
                              shown), route
        assert browser.run("return document.documentElement.scrollWidth") <= 390, route
        for made in browser.run("return [...document.querySelectorAll('.canvas')].map((one) => one.id)"):
            browser.run("""const drawn = echarts.getInstanceByDom(document.getElementById(arguments[0]));
                           drawn.getOption().series.forEach((series, seriesIndex) => series.data.slice(0, 30).forEach((_, dataIndex) =>
                             drawn.dispatchAction({type: 'showTip', seriesIndex, dataIndex})));""", made)
    assert len(routes) == 12
    assert browser.run("return document.querySelectorAll('img[src]').length") == 0
    opened(browser, path, "curves")
    title = browser.run("return document.querySelector('[aria-label^=\"Save SVG\"]').getAttribute('aria-label')")
    svg = browser.downloaded(lambda: browser.click(title), "cortiscore-curves.svg").decode()
    tags = {one.tag.rpartition("}")[2] for one in xml.etree.ElementTree.fromstring(re.sub("[\ud800-\udfff]", "?", svg)).iter()}
    assert tags <= {"svg", "rect", "path", "g", "text", "defs", "clipPath", "tspan", "style", "linearGradient", "stop"}
    quiet(browser)


def test_cells_are_safe_in_a_spreadsheet(browser, tmp_path):
    rng = random.Random(0)
    names = ["=1+1", "+SUM(A1)", "-2+3", "@x", "\t=1", " =1", "\r=1", "\uff1d1", "a,b", 'say "x"', "plain"]
    records = [world.record(name, "B.V4-pls", 0.1 * place - 0.2, rng, layer=name) for place, name in enumerate(names, 1)]
    site = site_of(records, {})
    path = tmp_path / "p.html"
    path.write_text(report_page.compose(*report_data.data_text(site), "x"), encoding="utf-8")
    report_data.write_tables(site, tmp_path / "tables")
    safe = {"'=1+1", "'+SUM(A1)", "'-2+3", "'@x", "' =1", "'\uff1d1", "a,b", 'say "x"', "plain"}
    of_page = saved_csv(opened(browser, path), "Leaderboard", "cortiscore-leaderboard.csv")
    of_files = list(csv.DictReader(io.StringIO((tmp_path / "tables/leaderboard.csv").read_text(), newline="")))
    assert {row["network"] for row in of_page} == safe | {r"'\x09=1",
                                                          r"'\x0d=1"} and {row["network"] for row in of_files} == safe | {r"'\t=1",
                                                              r"'\r=1"}
    for rows in (of_page, of_files):
        assert sorted(float(row["composite"])
                      for row in rows) == pytest.approx([0.1 * place - 0.2 for place in range(1, 12)]), "a negative number is a number"
    assert {report_data.csv_cell(value) for value in (-0.5, None, float("nan"), True)} == {"-0.5", "", "true"}


# ---------------------------------------------------------------------------------------------------------------------------------------
# Size


def large_site(networks=2000, benchmarks=100):
    rng = np.random.default_rng(0)
    regions = ("V1", "V2", "V4", "IT", "behavior")
    names = [f"Set{place:03d}.{regions[place % 5]}-pls" for place in range(benchmarks)]
    ranks = []
    for place, scores in enumerate(rng.random((networks, benchmarks)).tolist()):
        leaves = {name: None if value < 0.04 else value for name, value in zip(names, scores)}
        score = 1 - place / networks
        ranks.append({"rank": place + 1, "rank_lo": place + 1, "rank_hi": place + 1, "model_identifier": f"network_{place:04d}",
                      "score": score, "error": 0.01,
                      "ci_lo": score - 0.02, "ci_hi": score + 0.02, "imported": False,
                      "nodes": {node: score for node in ("V1", "V2", "V4", "IT")},
                      "node_intervals": {}, "leaves": leaves,
                      "leaf_intervals": {name: [value - 0.02, value + 0.02] for name, value in leaves.items() if value},
                      "status": {name: "ok" if value else "failed" for name, value in leaves.items()}, "records": {}})
    record = random.Random(0)
    pairs = {("network_0000", name): world.record("network_0000", name, 0.5, record, region=name.split(".")[1][:-4]) for name in names}
    cards = {name: {"identifier": name, "region": name.split(".")[1][:-4], "species": "macaque", "access": "public", "metric": "pls"}
             for name in names}
    tree = report_data.read_tree("average_vision")
    return report_data.Site("Large", {"name": "average_vision", "description": ""}, ranks, report_data.cards_of(names, pairs, cards),
                            report_data.nodes_of(tree, ranks),
                            pairs, {"parameters": list(range(networks))}, {}, "2026-11-30 00:00 UTC")


FIRST_ROW = """
const look = () => {
  if (document.querySelector('.tabulator-row .tabulator-cell')) requestAnimationFrame(() => setTimeout(() => { window.firstRowMs = performance.now(); }));
  else requestAnimationFrame(look);
};
requestAnimationFrame(look);"""


@pytest.mark.slow  # half a minute
def test_two_thousand_networks_on_a_hundred_benchmarks(browser, tmp_path, monkeypatch):
    """The first rows are on the screen within a second of the navigation, and a page holds few of the 200 000 cells at any time. Where others keep the
    processors busy, the page's own thread counts in place of the clock."""
    monkeypatch.setattr(report_data, "MOST_PROFILES", 0)  # as a site of 200 000 records leaves them out
    summary, details = report_data.data_text(large_site())
    lines = details.split("\n")
    path = tmp_path / "large.html"
    path.write_text(report_page.compose(summary, "\n".join([lines[0]] * 2000 + lines[-1:]), "Large"), encoding="utf-8")
    added = browser.devtools("Page.addScriptToEvaluateOnNewDocument", source=FIRST_ROW)["identifier"]
    browser.devtools("Performance.enable", timeDomain="threadTicks")
    times = []
    for _ in range(5):
        drawn(browser.open(path))
        times.append(browser.driver.execute_async_script(
            "const done = arguments[0]; const wait = () => window.firstRowMs ? done(firstRowMs) : setTimeout(wait, 10); wait()"))
        if times[-1] < 1000:
            break
        if os.getloadavg()[0] > os.cpu_count():
            spent = {one["name"]: one["value"] for one in browser.devtools("Performance.getMetrics")["metrics"]}
            times.append(1000 * spent["ThreadTime"])
    browser.devtools("Performance.disable")
    browser.devtools("Page.removeScriptToEvaluateOnNewDocument", identifier=added)
    assert min(times) < 1000, times
    choose(browser, "columns", "benchmarks")
    assert browser.run("return document.querySelectorAll('.tabulator-cell').length") < 4000
    browser.run("Object.assign(document.querySelector('.tabulator-tableholder'), {scrollTop: 30000, scrollLeft: 6000})")
    drawn(browser)
    names = names_shown(browser)
    assert 800 < int(names[0].split("_")[1]) < 1000 and len(names) < 100
    choose(browser, "find", "network_199")
    assert "10 of 2\u202f000 networks" in browser.run("return document.querySelector('#count').textContent")
    quiet(browser)


# ---------------------------------------------------------------------------------------------------------------------------------------
# Served


@pytest.fixture
def served(engine, monkeypatch):
    monkeypatch.setattr(report_server, "LOOK_EVERY_S", 0)
    with report_server.started({"results": str(engine), "tree": "average_vision", "title": "Lab leaderboard", "table": None, "filters": [],
                                "thumbnails": False}, 0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server, f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def asked(url, host=None, path="/", method="GET"):
    connection = http.client.HTTPConnection("127.0.0.1", int(url.rpartition(":")[2]), timeout=20)
    connection.putrequest(method, path, skip_host=True)
    if host is not None:
        connection.putheader("Host", host)
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, answer.headers, body


def test_served_to_this_machine_alone(served):
    server, url = served
    port = server.server_address[1]
    assert server.server_address[0] == "127.0.0.1"
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1", f"127.0.0.1:{port + 1}", f"127.0.0.1:{port}.evil.example", "", None):
        status, _, body = asked(url, host)
        assert status in (400, 421) and b"resnet" not in body, host
    for path in ("/etc/passwd", "/../store/1.jsonl", "/index.html/x", "/%2e%2e/"):
        assert asked(url, f"localhost:{port}", path)[0] == 404
    assert asked(url, f"127.0.0.1:{port}", method="POST")[0] == 501
    status, headers, body = asked(url, f"localhost:{port}")
    assert status == 200 and headers["X-Content-Type-Options"] == "nosniff" and headers["Cache-Control"] == "no-store"
    assert "Access-Control-Allow-Origin" not in headers
    summary = json.loads(re.search(rb'id="data">(.*?)</script>', body, flags=re.S)[1])
    assert summary["networks"] == SITE.networks and summary["served"] and asked(url, f"127.0.0.1:{port}",
        "/version")[2].decode() == summary["version"]


def test_the_page_follows_the_store(browser, served, engine):
    """A record that is added is shown without a reload; filter, order and place stay."""
    _, url = served
    for log in ("browser", "performance"):
        browser.driver.get_log(log)
    browser.path = None
    browser.look()
    browser.driver.get(url)
    drawn(browser)
    version = urllib.request.urlopen(f"{url}/version").read()
    (engine / "1.jsonl").touch()
    assert urllib.request.urlopen(f"{url}/version").read() == version, "a store that says the same is no news"
    choose(browser, "find", "net_")
    choose(browser, "columns", "benchmarks")
    sort_by(browser, "Cowley2023.V4-pls")
    before = names_shown(browser)
    browser.run("window.same = document.querySelector('#of-leaderboard'); document.querySelector('#find').focus(); "
                "document.querySelector('.tabulator-tableholder').scrollLeft = 150")
    rng = random.Random(5)
    world.shard(engine, "2", [world.record("new_net_99", name, 0.97, rng, region=region) for name,
                              (region, *_) in world.BENCHMARKS.items()])
    until = time.monotonic() + 20
    while "new_net_99" not in names_shown(browser):
        assert time.monotonic() < until, "the page did not follow"
        time.sleep(0.1)
    drawn(browser)
    assert names_shown(browser) == ["new_net_99", *before]
    assert browser.run("return [window.same.isConnected, document.activeElement.id, document.querySelector('#find').value, "
                       "document.querySelector('.tabulator-tableholder').scrollLeft]") == [True, "find", "net_", 150]
    assert "1 network more" in browser.run("return document.querySelector('#said').textContent")
    assert browser.console() == [] and browser.refused() == []


def test_a_store_that_cannot_be_read_leaves_the_page(served, engine):
    _, url = served
    before = urllib.request.urlopen(f"{url}/version").read()
    (engine / "2.jsonl").write_text("no record\n")
    after = urllib.request.urlopen(f"{url}/version").read()
    assert after.startswith(before + b"\n") and asked(url, url.removeprefix("http://"))[0] == 200
    (engine / "2.jsonl").unlink()
    assert urllib.request.urlopen(f"{url}/version").read() == before


def test_serve_on_the_command_line(engine):
    """One line that says where; a port that is taken is one message; Ctrl-C ends it with 130."""
    command = [sys.executable, "-m", "cortiscore.report", "serve", "--results", str(engine), "--no-thumbnails"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "python")}
    process = subprocess.Popen([*command, "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        url = re.match(r"http://127\.0\.0\.1:(\d+)/", process.stdout.readline())
        taken = subprocess.run([*command, "--port", url[1]], capture_output=True, text=True, env=environment)
        assert taken.returncode == 2 and f"--port {url[1]}: found that another program listens there" in taken.stderr and taken.stderr.count("\n") == 1
        assert urllib.request.urlopen(url[0]).status == 200
    finally:
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=20)
    assert process.returncode == 130 and "Traceback" not in error


def test_usage(engine, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "python")}
    run = lambda *words: subprocess.run([sys.executable, "-m", "cortiscore.report", *map(str, words)], capture_output=True, text=True,
                                        env=environment, cwd=tmp_path)
    for words, code, said in ((["--nonsense"], 2, "--nonsense"), (["--results", tmp_path / "empty"], 5, "found no network to rank"),
                              (["serve", "--port", "99999"], 2, "0 to 65535"),
                              (["--results", engine, "--tree", "no\x1b[2Jtree"], 5, r"no\x1b[2Jtree"),
                              (["--network", "a", "--network", "b"], 2, "--network: found it more than once (\"a\", \"b\")"),
                              (["serve", "--since", "2026", "--since", "2027"], 2, "--since"),
                              (["--results", engine, "--table", "none.csv"], 5, "none.csv")):
        done = run(*words)
        assert done.returncode == code and said in done.stderr and done.stderr.count("\n") == 1 and "\x1b" not in done.stderr, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cards.json", "cortiscore", "store"]
