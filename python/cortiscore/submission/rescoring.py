"""Scores submitted records anew, by the command line and on the recordings that are here, and compares the numbers."""
import base64
import hashlib
import json
import pathlib
import re
import struct
import subprocess
import sys

from .. import layout
from ..binary import ask, environment
from ..recordings import BadInput, printable

# What two runs of one scoring share, the numbers that a ranking reads first. Left out is what a run says of itself (timings, memory,
# dates, the job), what a submitter calls things (name, tags), the key (of another engine or device it is another) and sentences.
COMPARED = ("score", "raw", "ceiling", "error", "split_scores", "split_ceilings", "populations", "n", "draws", "per_neuroid",
            "layer", "layer_selection", "benchmark_identifier", "benchmark_version", "benchmark_sha256", "data_sha256", "region", "parent",
            "composite", "metric", "preprocessing", "graph_sha256", "weights_sha256", "network")
# What the numbers of a ranking are means of, or chosen by: rounding moves a part by more than the whole.
PARTS = {"split_scores", "split_ceilings", "populations", "draws", "per_neuroid", "layer_selection"}
OF_PARTS = 100
FLOATS = ("draws.float32", "per_neuroid.float32")
CONVENTIONS = ("r2_over_c", "r_over_c_squared", "r_over_c")
TOLERANCE = 1e-6
LEVEL, SEED = 0.95, 0  # of every bootstrap: no flag changes them
MOST_DRAWS = 100000  # that are drawn anew: a number in a file does not keep this machine busy for days
CANDIDATES = 12  # the default of `score --candidates`


def difference(submitted, here, tolerance):
    """The first of COMPARED in which two records differ by more than the tolerance, as (field, value there, value here), or None.

    Numbers may differ by tolerance * max(1, magnitude), those of PARTS by OF_PARTS times as much, lists of float32 value by value;
    all else is equal or it differs. What one of the records lacks (an older engine wrote less) is not compared."""
    for field in COMPARED:
        allowed = tolerance * (OF_PARTS if field in PARTS else 1)
        if field in submitted and field in here and (found := _difference(submitted[field], here[field], allowed, field)):
            return found
    return None


def _difference(there, here, tolerance, place):
    if isinstance(there, dict) and isinstance(here, dict):
        names = sorted(there.keys() & here.keys() - {"chosen_on"})
        return next(filter(None, (_difference(there[name], here[name], tolerance, f"{place}.{name}") for name in names)), None)
    if isinstance(there, list) and isinstance(here, list):
        if len(there) != len(here):
            return f"{place}, length", len(there), len(here)
        return next(filter(None, (_difference(a, b, tolerance, f"{place}.{i}") for i, (a, b) in enumerate(zip(there, here)))), None)
    if place in FLOATS and isinstance(there, str) and isinstance(here, str) and there != here:
        found = _float32(there), _float32(here)
        return (place, "no float32", "float32") if None in found else _difference(*found, tolerance, place)
    numbers = [isinstance(value, (int, float)) and not isinstance(value, bool) for value in (there, here)]
    if all(numbers):
        same = there == here or abs(there - here) <= tolerance * max(1, abs(there), abs(here)) or (there != there and here != here)
    else:
        same = not any(numbers) and there == here
    return None if same else (place, there, here)


def _float32(text):
    """Values of base64 of little-endian float32; None where it is none."""
    try:
        data = base64.b64decode(text, validate=True)
        return list(struct.unpack(f"<{len(data) // 4}f", data))
    except (ValueError, struct.error):
        return None


def in_words(found):
    field, there, here = found
    return f"{field} {_short(there)} in the submission, {_short(here)} here"


def _short(value):
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."


class NotRescored(Exception):
    """Why a record could not be scored here, in words."""


class Networks:
    """Where the networks of a submission's records are: inside it, or as .pt2 archives in a folder."""

    def __init__(self, submission, folder, scratch):
        self.submission, self.scratch = submission, scratch
        self.inside = {(entry["graph_sha256"], entry["weights_sha256"]): entry for entry in submission.manifest["networks"]}
        self.beside = {}
        for path in sorted(pathlib.Path(folder).glob("*.pt2")) if folder else []:
            try:
                [found] = ask("model", "inspect", path)
            except BadInput as error:
                print(f"note: {printable(path)} is left out: {printable(error)}", file=sys.stderr)
                continue
            self.beside.setdefault((found["graph_sha256"], found["weights_sha256"]), path)

    def words(self, record):
        """The beginning of the command line that scores this record's network."""
        name = (record.get("graph_sha256"), record["weights_sha256"])
        if not name[0]:
            raise NotRescored("it is of activations, not of a network")
        if entry := self.inside.get(name):
            archive, weights = self._extracted(entry["archive"]), entry["weights"] and self._extracted(entry["weights"])
            return ("sweep", str(weights), "--graph", str(archive)) if weights else ("score", str(archive))
        if path := self.beside.get(name):
            return ("score", str(path))
        raise NotRescored(f"its network (weights {name[1][:16]}...) is neither in the submission nor in --networks")

    def _extracted(self, member):
        target = self.scratch / pathlib.PurePosixPath(member).name
        return target if target.exists() else self.submission.extract(member, target)


def flags_of(record, scratch):
    """(flags of `cortiscore score` that made a record, the layer for its region or None), as far as it says; what only a second try
    tells is in `corrected`.

    :raises NotRescored: no flags lead to such a record"""
    error, selection = record["error"], record["layer_selection"]
    if error["level"] != LEVEL or error["seed"] != SEED:
        raise NotRescored(f"its bootstrap has level {error['level']} and seed {error['seed']}, expected {LEVEL} and {SEED}")
    if not 1 <= error["n_boot"] <= MOST_DRAWS:
        raise NotRescored(f"it has {error['n_boot']} bootstrap draws, expected at most {MOST_DRAWS}")
    precision, params = record["precision"]["activations"], record["metric"]["params"]
    words = [f"--bootstrap={error['n_boot']}", f"--precision={precision}"]
    if isinstance(params, dict) and params.get("mode") in ("sklearn", "exact"):
        words.append(f"--mode={params['mode']}")
    method = error["method"]
    if "neuroids" in record["n"] and method.endswith("presentation"):  # a benchmark that maps: --over
        words.append("--over=neuroid,presentation" if " and " in method else "--over=presentation")
    if selection["method"] in ("nested", "alternating_halves", "only"):
        # Records of engines before candidates were blocks say nothing of what competed: all layers.
        words += [f"--choice={'halves' if selection['method'] == 'alternating_halves' else 'nested'}", f"--from={selection.get('from', 'all')}"]
        if "most" in selection:
            words.append(f"--candidates={selection['most']}")
    if selection["method"] != "committed":
        return words, None
    if "chosen_on" not in selection:
        return words, record["layer"]
    chosen = [{"benchmark_identifier": name, "data_sha256": []} for name in selection["chosen_on"]]
    text = json.dumps({"region_layer_map": {record["region"]: record["layer"]}, "chosen_on": {record["region"]: chosen}})
    path = scratch / f"layers_{hashlib.sha256(text.encode()).hexdigest()[:16]}.json"
    path.write_text(text, encoding="utf-8")
    return [*words, f"--layer-map={path}"], None


def corrected(submitted, here, words):
    """Flags for a second try, where the record shows that the first lacked some; None where it does not."""
    more = []
    convention = submitted["score"]["ceiling_convention"]
    plain = convention and convention.removesuffix("_clipped")
    if convention != here["score"]["ceiling_convention"] and plain in CONVENTIONS:
        more.append(f"--ceiling-convention={plain}")
    there, own = (record["layer_selection"]["candidates"] for record in (submitted, here))
    if submitted["layer_selection"]["method"] == "alternating_halves" and there != own and len(there) != CANDIDATES:
        more.append(f"--candidates={len(there)}")
    more = [word for word in more if word not in words]
    return [*words, *more] if more else None


def pair_of(record):
    """A network and a benchmark, of whose records a ranking takes the one that ended last."""
    return record["model_identifier"], record["benchmark_identifier"]


class Rescorer:
    """@param networks  Networks
    @param device      cpu, cuda or cuda:N; a record of reduced precision is comparable on its own device alone"""

    def __init__(self, networks, device, scratch):
        self.networks, self.device, self.scratch = networks, device, scratch
        self.known, self.count = {}, 0

    def groups(self, records):
        """([(words, records)], [(record, why not)]): records that one call scores, which shares forward passes among them. A call has
        every benchmark once, and one layer a region. Of records of one network and benchmark, which a later call scores ended later in
        the submission too: a ranking takes the last."""
        calls, impossible, last = [], [], {}
        for record in sorted(records, key=lambda record: record["end"]):
            try:
                self._check_benchmark(record["benchmark_identifier"])
                flags, layer = flags_of(record, self.scratch)
                words = (*self.networks.words(record), *flags)
            except NotRescored as reason:
                impossible.append((record, str(reason)))
                continue
            region, kind = record["region"], (words, layer is not None)
            pair = pair_of(record)
            at = next((at for at in range(last.get(pair, -1) + 1, len(calls)) if calls[at][0] == kind
                       and calls[at][1].get(region, layer) == layer
                       and record["benchmark_identifier"] not in {other["benchmark_identifier"] for other in calls[at][2]}), len(calls))
            if at == len(calls):
                calls.append((kind, {}, []))
            call, last[pair] = calls[at], at
            call[1][region] = layer
            call[2].append(record)
        return [([*words, *(f"--layer={region}={layer}" for region, layer in layers.items() if layer is not None)], of)
                for (words, _), layers, of in calls], impossible

    def score(self, words, records):
        """What is found here for every one of the records: a record, or NotRescored. A second try takes other flags."""
        found = self._run(words, records)
        again = {}
        for i, record in enumerate(records):
            more = None if isinstance(found[i], NotRescored) else corrected(record, found[i], words)
            if more:
                again.setdefault(tuple(more), []).append(i)
        for more, places in again.items():
            for i, better in zip(places, self._run(more, [records[i] for i in places])):
                found[i] = better
        for i, record in enumerate(records):
            precision = record["precision"]["activations"]
            if not isinstance(found[i], NotRescored) and record["device"] != found[i]["device"] and precision != "float32":
                found[i] = NotRescored(f"it is of {precision} on {record['device']['name']}, which another device rounds otherwise")
        return found

    def _check_benchmark(self, name):
        if name not in self.known:
            try:
                self.known[name] = ask("benchmark", "info", name)[0]
            except BadInput:
                self.known[name] = None
        if self.known[name] is None:
            raise NotRescored("no benchmark of that name is here")

    def _run(self, words, records):
        """A store of its own for every call: nothing is read from elsewhere, and nothing else is written to."""
        self.count += 1
        store = self.scratch / f"scored_{self.count}"
        benchmarks = [word for record in records for word in ("-b", record["benchmark_identifier"])]
        program = layout.binary() or "cortiscore"
        done = subprocess.run([program, *words, *benchmarks, f"--device={self.device}", "--results", str(store), "--json"],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
                              env={**environment(), "XDG_CACHE_HOME": str(self.scratch)})  # the store's index goes with the store
        said = done.stderr.strip().splitlines()[-1:] or [f"{program} {words[0]} ended with {done.returncode}"]
        if done.returncode == 7:  # of --device; what is wrong with a record's own flags is that record's
            raise BadInput(f"--rescore: {said[0].removeprefix('cortiscore: ')}")
        if done.returncode in (75, 130, 143):
            raise BadInput(f"--rescore: `cortiscore {words[0]}` was stopped ({done.returncode}). What was taken is kept: "
                           "run it again to go on.")
        if not done.stdout and len(records) > 1:  # what is wrong with one of them is not the others'
            return [found for record in records for found in self._run(words, [record])]
        by_benchmark = {}
        for line in done.stdout.splitlines():
            record = json.loads(line)
            if isinstance(record, dict) and "benchmark_identifier" in record:
                by_benchmark[record["benchmark_identifier"]] = record
        return [self._found(by_benchmark.get(record["benchmark_identifier"]), said[0]) for record in records]

    def _found(self, record, said):
        if record is None:
            return NotRescored(re.sub(r"^cortiscore: ", "", said))
        return record if record["status"] == "ok" else NotRescored(record.get("message", "it failed here"))
