"""What the site shows, gathered from the store by the command line: `gather` gives one Site, `data_text` and `write_tables` what is written
of it."""
import array
import base64
import csv
import dataclasses
import datetime
import gzip
import json
import math
import pathlib
import subprocess
import tempfile

from .. import layout
from ..binary import ask, environment
from ..parquet import number_of
from ..recordings import BadInput, default_home, printable
from ..tables import MISSING, read_table

STATUSES = {"ok": "o", "failed": "f", "missing": "m", "imported": "i", "other edition": "e", "undefined": "u", "within null": "n"}
# Of a pair, in the order in which the page's details have them. What repeats is a place in a list of the network's: candidates in `lists`,
# setting in `settings`, kind in `kinds`.
PAIR = ("benchmark", "status", "setting", "kind", "key", "raw", "raw_lo", "raw_hi", "ceiling", "ceiling_error", "ceiled", "error", "lo",
        "hi", "null_high", "layer",
        "candidates", "profiles", "share", "warnings", "notes", "message", "end", "seconds", "imported")
MOST_PROFILES = 20_000  # pairs of a site; with more, profiles along depth stay in the records, or a page would take a browser minutes
SETTINGS = ("graph_sha256", "weights_sha256", "preprocessing", "precision", "device", "engine", "path")


@dataclasses.dataclass
class Site:
    """Networks by rank, benchmarks by name; `ranks` and `cards` are what `rank --json` and `benchmark list --json` print of them, `pairs` the
    record that counts for a network and a benchmark, `attributes` columns of numbers or texts by name, a value or None a network."""

    title: str
    tree: dict
    ranks: list
    cards: list
    nodes: list
    pairs: dict
    attributes: dict
    thumbnails: dict
    made: str
    notes: list = dataclasses.field(default_factory=list)  # what a reader should know of the table

    @property
    def networks(self):
        return [rank["model_identifier"] for rank in self.ranks]

    @property
    def benchmarks(self):
        return [card["identifier"] for card in self.cards]


def ranked(words, notes=False):
    """A line a network, best first, of `cortiscore rank --json`. @param words  its further flags  @param notes  say what it notes"""
    return ask("rank", *words, notes=notes)


def records_of(results=None):
    """All current records of the store, one by one: hundreds of thousands are not held at once.
    @raises BadInput  with the command's message, where it fails"""
    program = layout.binary() or "cortiscore"
    words = [program, "results", "export", "--format", "jsonl", *(["--results", str(results)] if results else [])]
    with tempfile.TemporaryFile() as complaints:
        try:
            process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=complaints, env=environment())
        except OSError as error:
            raise BadInput(f"{program}: found no command that runs ({error.strerror}), expected the engine's. "
                           "Set CORTISCORE_BINARY to its path.") from None
        with process:
            for line in process.stdout:
                yield json.loads(line)
        if process.returncode:
            complaints.seek(0)
            said = complaints.read().decode(errors="replace").strip()
            raise BadInput(said.removeprefix("cortiscore: ") or f"{program} results export failed.")


def read_tree(name):
    """A tree's own file, for the order and the place of its nodes. @raises BadInput  no such tree"""
    places = [pathlib.Path(name), default_home() / "trees" / f"{name}.json", layout.manifests() / "trees" / f"{name}.json"]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        raise BadInput(f"--tree: found \"{name}\", expected the name of a tree or its file. `cortiscore benchmark trees` lists them.")
    return json.loads(path.read_text(encoding="utf-8"))


def nodes_of(tree, ranks):
    """Inner nodes but the root, as {name, parent, depth}, depth first as the tree has them; only those that some network has a value of."""
    used = {name for rank in ranks for name, value in rank.get("nodes", {}).items() if value is not None}
    found = []

    def walk(node, parent, depth):
        if "benchmark" in node:
            return
        if depth and node["name"] in used:
            found.append({"name": node["name"], "parent": parent, "depth": depth})
        for child in node.get("children", []):
            walk(child, node["name"] if depth else None, depth + 1)

    walk(tree["tree"], None, 0)
    known = {tree["tree"].get("name"), *(node["name"] for node in found)}
    return found + [{"name": name, "parent": None, "depth": 1} for name in sorted(used - known)]


def read_attributes(path):
    """Columns of a table of networks by name: {column: {network: number or text}}, and notes about how the file was understood. `model`
    (or `network`, `model_identifier`) names the network.
    @raises BadInput  no such column, a row without a name, a network twice"""
    table = read_table(path)
    key = next((name for name in ("model", "network", "model_identifier") if name in table.columns), None)
    if key is None:
        raise BadInput(f"{path}: found the columns {', '.join(map(printable, table.columns))}, expected one that is called model. "
                       "Name the column of networks so.")
    networks = table.names(key)
    twice = next((network for i, network in enumerate(networks) if network in networks[:i]), None)
    if twice is not None:
        raise BadInput(f"{path}, column {key}: found {printable(twice)} a second time, expected a network once. Take one of the rows away.")
    columns = {}
    for name in table.columns:
        if name == key:
            continue
        given = {network: text.strip() for network, text in zip(networks, table.column(name))
                 if text is not None and text.strip().lower() not in MISSING}
        number = table.kinds[name] == "number"
        columns[name] = {network: number_of(text) for network, text in given.items()} if number else given
    return columns, table.notes


def attributes_of(networks, pairs, table):
    """Parameters and depth of the records, run, step, epoch and tags of trainings, and the columns of a table, which go before. Only what
    some network has."""
    newest = {}
    for (network, _), record in pairs.items():
        if record.get("end", "") >= newest.get(network, {}).get("end", ""):
            newest[network] = record
    sizes = {}
    for (network, _), record in pairs.items():
        sizes.setdefault(network, {}).update(record.get("network") or {})
    tags = {network: record.get("tags") or {} for network, record in newest.items()}
    number = lambda text: None if text is None else number_of(str(text))
    columns = {
        "parameters": lambda network: sizes.get(network, {}).get("parameters"),
        "depth": lambda network: sizes.get(network, {}).get("weight_layers"),
        "run": lambda network: tags.get(network, {}).get("run"),
        "step": lambda network: number(tags.get(network, {}).get("step")),
        "epoch": lambda network: number(tags.get(network, {}).get("epoch")),
        "tags": lambda network: ", ".join(f"{name} = {value}" for name, value in sorted(tags.get(network, {}).items())
                                          if name not in ("run", "step", "epoch")) or None,
    }
    found = {name: [value(network) for network in networks] for name, value in columns.items()}
    for name, of in table.items():
        own = found.get(name, [None] * len(networks))
        values = [of.get(network, old) for network, old in zip(networks, own)]
        if any(isinstance(value, str) for value in values):
            values = [None if value is None else str(value) for value in values]
        found[name] = values
    return {name: values for name, values in found.items() if any(value is not None for value in values)}


def choose_records(ranks, records):
    """{(network, benchmark): record}: the one whose key the ranking names, be it a failure; where it names none, there is none: others of
    the name may be of other weights, which are not ranked."""
    keys = {(rank["model_identifier"], benchmark): key for rank in ranks for benchmark, key in rank.get("records", {}).items()}
    pairs = {}
    for record in records:
        pair = record["model_identifier"], record["benchmark_identifier"]
        if pair in keys and record["key"] == keys[pair]:
            # What a page never shows is most of a record.
            pairs[pair] = {name: value for name, value in record.items()
                           if name not in ("draws", "per_neuroid", "split_scores", "split_ceilings", "populations", "peak_bytes", "run")}
    return pairs


def cards_of(identifiers, pairs, known):
    """What is known of each benchmark, by name; of one that has no manifest here, what its records say."""
    told = {}
    for (_, benchmark), record in pairs.items():
        if record.get("n") or benchmark not in told:
            told[benchmark] = record
    cards = []
    for identifier in sorted(identifiers):
        card, record = known.get(identifier), told.get(identifier, {})
        if card is None:
            card = {"identifier": identifier, "region": record.get("region", ""), "parent": record.get("parent", ""),
                    "metric": (record.get("metric") or {}).get("name", ""), "version": record.get("benchmark_version"), "unknown": True}
        cards.append({**card, "n": record.get("n")})
    return cards


def gather(*, results=None, tree="average_vision", title="Cortiscore", table=None, filters=(), thumbnails=True, notes=False):
    """The site of a store as it is now.

    :param filters: flags of `cortiscore rank` that choose networks and benchmarks
    :param notes: say on stderr what the ranking notes about the store
    :raises BadInput: a store, tree or table that cannot be read, a ranking without a network"""
    attributes, of_table = read_attributes(table) if table else ({}, [])
    ranks = ranked(["--tree", tree, *(["--results", results] if results else []), *filters], notes)
    if not ranks:
        raise BadInput(f"{results or default_home() / 'results'}: found no network to rank, expected records. "
                       "Score one, or ask for less with the filters.")
    networks = [rank["model_identifier"] for rank in ranks]
    in_table = sum(any(network in of for of in attributes.values()) for network in networks)
    if table and in_table < len(networks):
        of_table.append(f"{table} has {in_table} of the {len(networks)} networks")
    pairs = choose_records(ranks, records_of(results))
    known = {card["identifier"]: card for card in ask("benchmark", "list")}
    cards = cards_of({benchmark for rank in ranks for benchmark in rank["leaves"]}, pairs, known)
    description = read_tree(tree)
    pictures = {}
    if thumbnails:
        from .thumbnails import thumbnails_of
        pictures = thumbnails_of(cards)
    return Site(title, {"name": description["identifier"], "description": description.get("description", ""),
                        "leaf": description.get("leaf", "ceiled")},
                ranks, cards, nodes_of(description, ranks), pairs,
                attributes_of(networks, pairs, attributes),
                pictures, datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"), of_table)


# ---------------------------------------------------------------------------------------------------------------------------------------
# For the page

def packed(values, kind="d"):
    """Numbers as base64 of their little-endian bytes, None as NaN. @param kind  d: float64, f: float32"""
    numbers = array.array(kind, (math.nan if value is None else value for value in values))
    if array.array("H", [1]).tobytes() != b"\1\0":
        numbers.byteswap()
    return base64.b64encode(numbers.tobytes()).decode()


def packed_ends(pairs):
    """{lo, hi}: packed float32 of intervals, None where there is none."""
    ends = [pair or (None, None) for pair in pairs]
    return {side: packed((pair[place] for pair in ends), "f") for place, side in enumerate(("lo", "hi"))}


def leaf_interval(site, rank, benchmark):
    """What the ranking has of it; without (records that are older have no draws), the interval of the record's score that the tree takes."""
    if known := rank.get("leaf_intervals", {}).get(benchmark):
        return known
    record = site.pairs.get((rank["model_identifier"], benchmark)) or {}
    of = record.get("error" if site.tree.get("leaf", "ceiled") == "ceiled" else "raw") or {}
    return None if rank["leaves"].get(benchmark) is None else (of.get("ci_lo"), of.get("ci_hi"))


def status_of(rank, benchmark, otherwise):
    """As the ranking has it; "within null" of a score that luck reaches in more than one draw of twenty."""
    status = rank.get("status", {}).get(benchmark, otherwise)
    return "within null" if status == "ok" and benchmark in rank.get("within_null", ()) else status


def _shown_card(card):
    names = ("identifier", "region", "parent", "species", "modality", "access", "kind", "metric", "ceiling", "comparison", "citation",
             "licence", "import",
             "note", "inexact", "layer_selection", "visual_degrees", "version", "simulated", "splits", "here", "unknown", "published", "n")
    return {name: card[name] for name in names if card.get(name) not in (None, "", {})}


def summary_of(site, served=False):
    """What the page needs before it draws: columns of numbers over networks, which are in the order of their ranks."""
    ranks, benchmarks = site.ranks, site.benchmarks
    nodes = [node["name"] for node in site.nodes]
    column = lambda name: [rank.get(name) for rank in ranks]
    return {
        "title": site.title, "made": site.made, "served": served, "tree": site.tree,
        "networks": site.networks, "imported": [bool(rank.get("imported")) for rank in ranks],
        "rank": {name: column(name) for name in ("rank", "rank_lo", "rank_hi")},
        "composite": {"value": packed(column("score")), "error": packed(column("error"), "f"), "lo": packed(column("ci_lo"), "f"),
                      "hi": packed(column("ci_hi"), "f")},
        "nodes": site.nodes,
        "node": {"value": packed(rank.get("nodes", {}).get(node) for node in nodes for rank in ranks),
                 **packed_ends(rank.get("node_intervals", {}).get(node) for node in nodes for rank in ranks)},
        "benchmarks": [_shown_card(card) for card in site.cards],
        "leaf": {"value": packed(rank["leaves"].get(name) for name in benchmarks for rank in ranks),
                 **packed_ends(leaf_interval(site, rank, name) for name in benchmarks for rank in ranks),
                 "status": ["".join(STATUSES.get(status_of(rank, name, "missing"), "m") for rank in ranks)
                            for name in benchmarks]},
        "attributes": [{"name": name, "numeric": not any(isinstance(value, str) for value in values), "values": values}
                       for name, values in site.attributes.items()],
    }


def _place(value, values):
    """Its place among values that are told apart, where it is put if it is new."""
    if value not in values:
        values.append(value)
    return values.index(value)


def numbers_of(record):
    """The scores of a record, as it has them, None where it has none."""
    score, raw, ceiling, error = (record.get(name) or {} for name in ("score", "raw", "ceiling", "error"))
    return {"raw": score.get("raw"), "raw_lo": raw.get("ci_lo"), "raw_hi": raw.get("ci_hi"), "ceiling": score.get("ceiling"),
            "ceiling_error": ceiling.get("error"), "ceiled": score.get("ceiled"), "error": error.get("ceiled"), "lo": error.get("ci_lo"),
            "hi": error.get("ci_hi"), "null_high": (record.get("null") or {}).get("high")}


def _profile(record, lists):
    """Candidates' place in lists, and their values to four decimals, since a curve shows no more: on both halves that chose, or the mean
    of all the times that they competed; and how often the record's layer won."""
    selection = record.get("layer_selection") or {}
    candidates, chosen = selection.get("candidates") or [], selection.get("chosen") or []
    nested = selection.get("method") == "nested"
    rows = selection.get("raw_where_chosen" if nested else "raw_on_selecting_half") or []
    if not candidates or not rows or any(len(row) != len(candidates) for row in rows):
        return {"candidates": None, "profiles": None, "share": None}
    if nested:
        columns = [[value for value in column if value is not None] for column in zip(*rows, strict=True)]
        rows = [[sum(column) / len(column) if column else None for column in columns]]
    return {"candidates": _place(candidates, lists),
            "profiles": [[None if value is None else round(value, 4) for value in row] for row in rows],
            "share": f"{chosen.count(record.get('layer'))} of {len(chosen)}" if nested else None}


def details_of(site):
    """A text a network, in their order: JSON of {settings, kinds, lists, pairs, tags}, pairs as PAIR names them, numbers to seven digits.
    Then one of thumbnails by benchmark. Deflated, each alone: a browser that opens a page of 200 000 records reads none of them but those
    of a card."""
    places = {name: place for place, name in enumerate(site.benchmarks)}
    of_network = {}
    for (network, benchmark), record in site.pairs.items():
        of_network.setdefault(network, []).append((places[benchmark], record))
    for network in site.networks:
        of = {"settings": [], "kinds": [], "lists": [], "pairs": [], "tags": _tags(site, network)}
        for place, record in sorted(of_network.get(network, []), key=lambda one: one[0]):
            error, selection = record.get("error") or {}, record.get("layer_selection") or {}
            kind = {"level": error.get("level"), "method": error.get("method"), "n_boot": error.get("n_boot"), "seed": error.get("seed"),
                    "convention": (record.get("score") or {}).get("ceiling_convention"), "selection": selection.get("method"),
                    "candidates": len(selection.get("candidates") or []), "from": selection.get("from"), "most": selection.get("most")}
            total = (record.get("timing_ms") or {}).get("total")
            pair = {
                "benchmark": place, "status": record["status"], "kind": _place(kind, of["kinds"]),
                "setting": _place({name: record[name] for name in SETTINGS if record.get(name) is not None}, of["settings"]),
                **{name: None if value is None else float(f"{value:.7g}") for name, value in numbers_of(record).items()},
                **(_profile(record, of["lists"]) if len(site.pairs) <= MOST_PROFILES else {}),
                "seconds": None if total is None else round(total / 1000, 3), "warnings": record.get("warnings") or [],
                "notes": record.get("notes") or [],
            }
            of["pairs"].append([pair[name] if name in pair else record.get(name) for name in PAIR])
        yield _deflated(of)
    yield _deflated(site.thumbnails)


def _tags(site, network):
    found = {}
    for name in site.benchmarks:
        found.update((site.pairs.get((network, name)) or {}).get("tags") or {})
    return found


def finite(value):
    """The value with null in place of what JSON has no number for."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(name): finite(one) for name, one in value.items()}
    return [finite(one) for one in value] if isinstance(value, list | tuple) else value


def _json(value):
    """JSON on one line, in which nothing can end the element that holds it."""
    try:
        text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    except ValueError:
        text = json.dumps(finite(value), separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")


def _deflated(value):
    """JSON as base64 of gzip, the same for the same value."""
    return base64.b64encode(gzip.compress(_json(value).encode(), 6, mtime=0)).decode()


def data_text(site, served=False):
    """(summary, details) as the page has them: JSON, and lines of base64."""
    return _json({**summary_of(site, served), "pair_fields": PAIR}), "\n".join(details_of(site))


# ---------------------------------------------------------------------------------------------------------------------------------------
# Tables

def tables_of(site):
    """{name: (columns, rows)} of what lies beside the page, numbers in full."""
    benchmarks, nodes = site.benchmarks, [node["name"] for node in site.nodes]
    attribute = lambda place: {name: values[place] for name, values in site.attributes.items() if name not in ("rank", "network")}
    value = lambda rank, names, of: {name: rank.get(of, {}).get(name) for name in names}

    def leaderboard():
        for place, rank in enumerate(site.ranks):
            yield {"rank": rank.get("rank"), "rank_lo": rank.get("rank_lo"), "rank_hi": rank.get("rank_hi"),
                   "network": rank["model_identifier"],
                   "composite": rank.get("score"), "error": rank.get("error"), "ci_lo": rank.get("ci_lo"), "ci_hi": rank.get("ci_hi"),
                   **value(rank, nodes, "nodes"), **value(rank, benchmarks, "leaves"), **attribute(place)}

    def scores():
        cards = {card["identifier"]: card for card in site.cards}
        for rank in site.ranks:
            network = rank["model_identifier"]
            for name in benchmarks:
                record = site.pairs.get((network, name)) or {"status": "missing"}
                yield {"network": network, "benchmark": name, "region": cards[name].get("region"),
                       "status": status_of(rank, name, record["status"]), **numbers_of(record), "interval": (record.get("error") or {}).get("method"),
                       "layer": record.get("layer"), "layer_selection": (record.get("layer_selection") or {}).get("method"),
                       "warnings": " | ".join(record.get("warnings") or []) or None, "message": record.get("message"),
                       "key": record.get("key")}

    def of_benchmarks():
        for card in site.cards:
            found = [rank["leaves"][card["identifier"]] for rank in site.ranks if rank["leaves"].get(card["identifier"]) is not None]
            yield {**{name: card.get(name)
                      for name in ("identifier", "region", "parent", "species", "modality", "metric", "ceiling", "access", "licence",
                                                         "citation", "import")}, "networks": len(found), "best": max(found, default=None)}

    def curves():
        steps = site.attributes.get("step", [None] * len(site.ranks))
        for place, rank in sorted(enumerate(site.ranks),
                                  key=lambda one: (str((site.attributes.get("run") or {one[0]: ""})[one[0]]), steps[one[0]] or 0)):
            if isinstance(steps[place], int | float):
                run, epoch = ((site.attributes.get(name) or {place: None})[place] for name in ("run", "epoch"))
                yield {"run": run, "step": steps[place], "epoch": epoch, "network": rank["model_identifier"],
                       "composite": rank.get("score"),
                       "ci_lo": rank.get("ci_lo"), "ci_hi": rank.get("ci_hi"), **value(rank, nodes, "nodes"),
                       **value(rank, benchmarks, "leaves")}

    return {"leaderboard": leaderboard, "scores": scores, "benchmarks": of_benchmarks, "curves": curves}


def csv_cell(value):
    """As the page's own: a spreadsheet takes what begins so as a formula, and an apostrophe keeps it text. Numbers are left alone."""
    if value is None or isinstance(value, float) and not math.isfinite(value):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    text = printable(value)
    return "'" + text if str(value).lstrip().startswith(("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d",
                                                         "\uff20")) or str(value)[:1] in "\t\r\n" \
        and value else text


def write_tables(site, folder):
    """folder/NAME.csv and NAME.json of all tables."""
    folder.mkdir()
    for name, rows in tables_of(site).items():
        with open(folder / f"{name}.csv", "w", encoding="utf-8", newline="") as as_csv, open(folder / f"{name}.json", "w",
            encoding="utf-8") as as_json:
            writer = csv.writer(as_csv)
            as_json.write("[")
            for count, row in enumerate(rows()):
                if not count:
                    writer.writerow([csv_cell(column) for column in row])
                writer.writerow([csv_cell(one) for one in row.values()])
                as_json.write((",\n" if count else "\n") + json.dumps(finite(row), allow_nan=False))
            as_json.write("\n]\n")
