"""What is analysed: scores of networks from a store or from a published table, and what else is known of the networks."""
import base64
import binascii
import dataclasses
import fnmatch
import json
import subprocess
import tempfile

import numpy as np

from .. import layout
from ..binary import ask, environment
from ..recordings import BadInput, Usage
from ..tables import MISSING, is_number
from . import trees

COMPOSITES = ("brain_score", "composite", "score", "average_vision")  # columns of tables, the first that is there
ATTRIBUTES = ("imagenet_top1", "parameters", "depth")
NO_SCORES = ("rank", "year", "input_size", "resolution", "flops", "macs", *ATTRIBUTES)  # columns that are numbers and no scores
LARGEST = 2  # of a published score: per cent are beyond, as `rank --table` has it
LIKE_SCORES = (-1, 1.5)  # between these lies a column that may be of scores though nobody knows its name
IMAGENET = "ImageNet-top1"  # the benchmark whose raw score is the share of the validation set that is right


@dataclasses.dataclass
class Scores:
    """Columns of scores [networks], NaN where missing. `kinds`: "composite", "node", "benchmark" or "column" of a table, by column, the
    composite first. `intervals`: [networks, 2] by column, where known. `lines`: of `rank --json`, one a network; None of a plain table.
    `stored`: they come from a store. `attributes`: [networks] by name. `notes`: what a reader should know."""
    networks: list
    columns: dict
    kinds: dict
    source: str
    attributes: dict = dataclasses.field(default_factory=dict)
    intervals: dict = dataclasses.field(default_factory=dict)
    lines: list | None = None
    stored: bool = False
    notes: list = dataclasses.field(default_factory=list)

    def of_kind(self, *kinds):
        """Names of the columns of these kinds."""
        return [name for name in self.columns if self.kinds[name] in kinds]

    def attribute(self, name):
        """[networks], NaN where unknown."""
        return self.attributes.get(name, np.full(len(self.networks), np.nan))

    @property
    def composite(self):
        """The composite's column, or None."""
        return next(iter(self.of_kind("composite")), None)


@dataclasses.dataclass
class Table:
    """A published table: numbers [networks] by column, NaN where missing; columns of text are left out, and named in `notes`."""
    path: str
    networks: list
    numbers: dict
    notes: list


def read_table(path):
    """A CSV or TSV table with a column `model` and columns of numbers; X, NA and nothing are missing.

    :raises BadInput: no such column; a network twice; text among numbers
    """
    [found] = ask("data", "table", path)
    columns, rows, lines = found["columns"], found["rows"], found["lines"]
    if "model" not in columns:
        raise BadInput(f"{path}, columns: found {', '.join(columns)}, expected one called model. Name the networks' column model.")
    trimmed = [[(cell or "").strip() for cell in row] for row in rows]
    cells = {name: [None if row[i].lower() in (*MISSING, "x") else row[i] for row in trimmed] for i, name in enumerate(columns)}
    networks = [row[columns.index("model")] for row in trimmed]
    places = {}
    for network, line in zip(networks, lines):
        if not network:
            raise BadInput(f"{path}, line {line}, column model: found nothing, expected a network's name.")
        if network in places:
            raise BadInput(f"{path}, line {line}, column model: found {network} a second time (first in line {places[network]}), expected "
                           "every network once. Keep one of the rows.")
        places[network] = line
    numbers, notes = {}, list(found["notes"])
    for name in columns:
        wrong = [i for i, cell in enumerate(cells[name]) if cell is not None and not (is_number(cell) and np.isfinite(float(cell)))]
        if name == "model":
            continue
        place = f"{path}, line {lines[wrong[0]]}, column {name}: found {cells[name][wrong[0]]}" if wrong else ""
        if wrong and len(wrong) == sum(cell is not None for cell in cells[name]):
            if name in (*COMPOSITES, *ATTRIBUTES):
                raise BadInput(f"{place}, expected a number, X or nothing.")
            notes.append(f"column {name} is text and left out")
            continue
        if wrong:
            raise BadInput(f"{place}, expected a number, X or nothing. Mend it, or leave the column out.")
        numbers[name] = np.array([np.nan if cell is None else float(cell) for cell in cells[name]])
    check_attributes(path, numbers)
    return Table(str(path), networks, numbers, notes)


def known_columns():
    """Names that a column of scores may have: of composites, of benchmarks, of nodes and leaves of trees, and what trees call columns."""
    found = {*COMPOSITES, *(line["identifier"] for line in ask("benchmark", "list"))}

    def visit(node):
        found.update(node[name] for name in ("name", "benchmark", "column") if name in node)
        for child in node.get("children", []):
            visit(child)

    for path in trees.tree_files():
        visit(json.loads(path.read_text(encoding="utf-8")).get("tree", {}))
    return found


def score_columns(table):
    """What columns of numbers are: (names of known scores, names of what is taken as scores, names of what is none by its numbers)."""
    names = [name for name in table.numbers if name not in NO_SCORES]
    known = known_columns() if names else set()
    low, high = LIKE_SCORES
    beyond = [name for name in names if name not in known and np.any((table.numbers[name] < low) | (table.numbers[name] > high))]
    return [name for name in names if name in known], [name for name in names if name not in known and name not in beyond], beyond


def left_out(beyond):
    """Notes of columns whose numbers say that they are no scores."""
    low, high = LIKE_SCORES
    return [f"columns left out, with numbers beyond {low:g} to {high:g}, which are no scores: {', '.join(beyond)}"] if beyond else []


def check_attributes(path, numbers):
    """Refuses what is not in the units that the questions take: per cent, numbers of parameters and layers.
    @raises BadInput"""
    top1 = numbers.get("imagenet_top1", np.array([]))
    known = top1[np.isfinite(top1)]
    if len(known) and (known.min() < 0 or known.max() > 100):
        raise BadInput(f"{path}, column imagenet_top1: found {known.min():g} to {known.max():g}, expected per cent, 0 to 100.")
    if len(known) > 1 and known.max() <= 1:
        raise BadInput(f"{path}, column imagenet_top1: found at most {known.max():g}, expected per cent. Multiply it by 100.")
    for name in ("parameters", "depth"):
        values = numbers.get(name, np.array([]))
        if np.any(values <= 0):
            raise BadInput(f"{path}, column {name}: found {values[values <= 0][0]:g}, expected numbers above zero, or nothing.")


def rank_filters(arguments):
    """Words of rank's filters that were given."""
    words = []
    for name in ("results", "network", "benchmark", "region", "species", "since", "convention"):
        if (value := getattr(arguments, name, None)) is not None:
            words += [f"--{name}", value]
    if arguments.public:
        words.append("--public")
    for tag in arguments.tag or []:
        words += ["--tag", tag]
    return words


def ranking(words):
    """Lines of `cortiscore rank --json`, best first: the one place that asks for them. What it notes about the store is said.
    @raises BadInput"""
    return ask("rank", *words, notes=True)


def stored_records(results, fields=()):
    """The current records of a store, as `cortiscore results export --format jsonl` prints them, one after the other; of each what every
    question asks for and these further fields.
    @raises BadInput"""
    program = layout.binary() or "cortiscore"
    words = [program, "results", "export", "--format", "jsonl", *(["--results", results] if results else [])]
    kept = {"key", "status", "model_identifier", "benchmark_identifier", "score", *fields}
    with tempfile.TemporaryFile("w+", errors="replace") as said, \
            subprocess.Popen(words, stdout=subprocess.PIPE, stderr=said, text=True, errors="replace", env=environment()) as process:
        for line in process.stdout:
            yield {name: value for name, value in json.loads(line).items() if name in kept}
        if process.wait():
            said.seek(0)
            raise BadInput(said.read().strip().removeprefix("cortiscore: ") or "cortiscore results export failed.")


def numbers_of(values):
    """JSON's numbers and nulls as float64, NaN for null."""
    return np.array([np.nan if value is None else float(value) for value in values])


def pairs_of(values):
    """Intervals of JSON, null or a list of two, as [n, 2]."""
    return np.array([[np.nan, np.nan] if not value or None in value else value for value in values], float).reshape(-1, 2)


def from_lines(lines, composite, source):
    """Scores of `rank --json`."""
    nodes = list(dict.fromkeys(name for line in lines for name in line.get("nodes", {})))
    leaves = list(dict.fromkeys(name for line in lines for name in line.get("leaves", {})))
    # A node, a leaf and the composite may have one name, in a tree of one's own: the first keeps it.
    columns = {composite: numbers_of(line.get("score") for line in lines)}
    kinds, intervals = {composite: "composite"}, {composite: pairs_of([line.get("ci_lo"), line.get("ci_hi")] for line in lines)}
    for kind, names, values, bounds in (("node", nodes, "nodes", "node_intervals"), ("benchmark", leaves, "leaves", "leaf_intervals")):
        for name in names:
            if name in columns:
                continue
            columns[name] = numbers_of(line.get(values, {}).get(name) for line in lines)
            intervals[name] = pairs_of((line.get(bounds) or {}).get(name) for line in lines)
            kinds[name] = kind
    return Scores([line["model_identifier"] for line in lines], columns, kinds, source, intervals=intervals, lines=lines)


def composite_name(tree):
    """The tree's name, as the composite's column is called; of a file's path its last part."""
    return tree.rsplit("/", 1)[-1].removesuffix(".json")


def from_table(table, arguments, known, guessed, beyond):
    """Scores of a table: its columns as they are, of which score_columns says what they are, or with --tree what the tree makes of them."""
    if arguments.tree:
        lines = ranking(["--table", table.path, "--tree", arguments.tree, *rank_filters(arguments)])
        scores = from_lines(lines, composite_name(arguments.tree), f"{table.path}, tree {arguments.tree}")
    else:
        for flag in ("region", "species", "public", "since", "convention", "tag"):
            if getattr(arguments, flag):
                raise Usage(f"--{flag}: found it with a table that no tree reads, expected a store (--results) or --tree.")
        for name in known:
            if len(wrong := table.numbers[name][np.abs(table.numbers[name]) > LARGEST]):
                raise BadInput(f"{table.path}, column {name}: found {wrong[0]:g}, expected scores whose ceiling is 1. Divide per cent by 100.")
        named = next((name for name in COMPOSITES if name in table.numbers), None)
        names = [name for name in table.numbers if name != named and name in (*known, *guessed)]
        names = ([named] if named else []) + [n for n in names if fnmatch.fnmatchcase(n, arguments.benchmark or "*")]
        rows = [i for i, network in enumerate(table.networks) if fnmatch.fnmatchcase(network, arguments.network or "*")]
        scores = Scores([table.networks[i] for i in rows], {name: table.numbers[name][rows] for name in names},
                        {name: "composite" if name == named else "column" for name in names}, table.path)
        taken = [name for name in guessed if name in names]
        scores.notes += left_out(beyond) + ([f"columns taken as benchmarks: {', '.join(taken)}"] if taken else [])
    scores.notes += table.notes
    scores.notes.append("the table has no errors of its scores")
    join(scores, table)
    return scores


def join(scores, table):
    """Takes the table's attributes over, by the networks' names."""
    place = {network: i for i, network in enumerate(table.networks)}
    for name in ATTRIBUTES:
        if name in table.numbers:
            scores.attributes[name] = np.array([table.numbers[name][place[n]] if n in place else np.nan for n in scores.networks])
    known = sum(network in place for network in scores.networks)
    if known < len(scores.networks):
        scores.notes.append(f"{table.path} has {known} of the {len(scores.networks)} networks")


def load(arguments):
    """The scores that the flags ask for, with what --table knows of the networks. A table's own scores count where it has some and no store
    is named (--results).

    :raises BadInput: nothing to analyse
    """
    table = read_table(arguments.table) if arguments.table else None
    columns = score_columns(table) if table and arguments.results is None else ([], [], [])
    known, guessed, beyond = columns
    if known or guessed:
        scores = from_table(table, arguments, *columns)
    else:
        tree = arguments.tree or "average_vision"
        try:
            lines = ranking([*rank_filters(arguments), "--tree", tree])
        except BadInput as error:
            if table is None or arguments.results is not None:
                raise
            raise BadInput(f"{table.path}, columns: found model{''.join(', ' + name for name in table.numbers)} and no score, and no store "
                           f"that could be asked in its place, expected a column of scores or --results. ({error})") from None
        scores = from_lines(lines, composite_name(tree), f"{arguments.results or 'the store'}, tree {tree}")
        scores.stored = True
        imported = sum(bool(line.get("imported")) for line in lines)
        if imported:
            scores.notes.append(f"{imported} of {len(lines)} networks have imported scores, which have no errors")
        if table is not None:
            scores.notes += table.notes + left_out(beyond)
            join(scores, table)
    if not scores.networks:
        raise BadInput(f"{scores.source}: found no network, expected at least one. Score some first, or look at the filters.")
    if not any(np.isfinite(column).any() for column in scores.columns.values()):
        raise BadInput(f"{scores.source}: found no score, expected at least one. Score some networks first, or look at the filters.")
    return scores


def records_of(scores, arguments, *fields):
    """(network, benchmark) -> the record that the ranking counts, with these fields; empty for a table."""
    if not scores.stored:
        return {}
    wanted = {key: (line["model_identifier"], benchmark) for line in scores.lines for benchmark, key in (line.get("records") or {}).items()}
    contradicting = {(line["model_identifier"], benchmark) for line in scores.lines for benchmark in line.get("draws_left_out") or []}
    records = stored_records(arguments.results, fields) if wanted else []
    found = {wanted[record["key"]]: record for record in records if record["key"] in wanted}
    # Draws that contradict their record: the ranking has named them.
    return {pair: {name: value for name, value in record.items() if name != "draws" or pair not in contradicting}
            for pair, record in found.items()}


def draws_of(record, of="ceiled"):
    """(draws [n_boot], what makes draws of two networks paired) of a record; None where it has none of this kind, or none with a value.

    Networks whose records share n, method, seed and n_boot on a benchmark share what was resampled.
    """
    drawn = record.get("draws") or {}
    if drawn.get("of") != of:
        return None
    try:
        values = np.frombuffer(base64.b64decode(drawn["float32"], validate=True), "<f4").astype(float)
    except (KeyError, TypeError, ValueError, binascii.Error):
        pair = f"{record.get('model_identifier')} on {record.get('benchmark_identifier')}"
        raise BadInput(f"record {record.get('key')}, draws: found no base64 of float32, expected it. Score {pair} again.") from None
    error = record.get("error") or {}
    counts = {name: count for name, count in (record.get("n") or {}).items() if isinstance(count, int)}  # beside them accuracies
    paired = (json.dumps(counts, sort_keys=True), error.get("method"), error.get("seed"), error.get("n_boot"), len(values))
    return (values, paired) if np.isfinite(values).any() else None


def weights_of(record):
    """What tells weights under one name apart; (None, None) of activations, and of what was imported."""
    graph = record.get("graph_sha256")
    return (graph, record.get("weights_sha256")) if graph else (None, None)


def stored_top1(scores, arguments):
    """{network: raw score on ImageNet} of the weights that are ranked, of several records the one that ended last; an imported one where
    there is none of the network's own."""
    ranked = {line["model_identifier"]: weights_of(line) for line in scores.lines}
    named = {(line["model_identifier"], key) for line in scores.lines for key in (line.get("records") or {}).values()}
    heads = []
    for record in stored_records(arguments.results, ("graph_sha256", "weights_sha256", "end")):
        network = record["model_identifier"]
        # Rankings of older engines do not say of which weights they are; their records do.
        if (network, record["key"]) in named and ranked.get(network) == (None, None):
            ranked[network] = weights_of(record)
        if record["benchmark_identifier"] == IMAGENET and record["status"] in ("ok", "imported"):
            if (record.get("score") or {}).get("raw") is not None:
                heads.append((record["status"] == "ok", record.get("end", ""), network, weights_of(record), record["score"]["raw"]))
    return {network: raw for own, _, network, weights, raw in sorted(heads, key=lambda head: head[:2])
            if not own or weights == ranked.get(network)}


def imagenet_top1(scores, arguments):
    """Per cent [networks]: the table's, else the raw score of the store's records of ImageNet-top1; and where it is from, in words."""
    top1 = scores.attribute("imagenet_top1").copy()
    words = []
    if known := int(np.isfinite(top1).sum()):
        words.append(f"{known} from {arguments.table}")
    if scores.stored and np.isnan(top1).any():
        stored = stored_top1(scores, arguments)
        found = [i for i in np.flatnonzero(np.isnan(top1)) if scores.networks[i] in stored]
        top1[found] = [100 * stored[scores.networks[i]] for i in found]
        if found:
            words.append(f"{len(found)} from records of {IMAGENET}")
    if not np.isfinite(top1).any():
        raise BadInput(f"{scores.source}, imagenet_top1: found none, expected it of some networks. Name a table with the columns model and "
                       f"imagenet_top1 (per cent), or score the networks on {IMAGENET}.")
    return top1, ", ".join(words)
