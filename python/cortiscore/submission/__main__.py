"""Submission as data: results of one lab, and if wanted its networks, as one file that another lab checks, scores anew and takes in.

    cortiscore submit resnet18 'vit_*' --with-network resnet18.pt2 --author "Lab" -o lab.cortiscore.zip
    cortiscore results verify lab.cortiscore.zip
    cortiscore results merge lab.cortiscore.zip --results leaderboard --rescore

docs/submission.md says what it is good for, what each check finds, and what none can.
"""
import argparse
import collections
import contextlib
import datetime
import pathlib
import signal
import sys
import tempfile

from ..recordings import BadInput, Parser, Usage, json_line, printable, run
from .file import Submission
from .packing import SUFFIX, pack
from .rescoring import TOLERANCE, Networks, NotRescored, Rescorer, difference, in_words
from .stored import results_of, stored, take_in


def say(text):
    print(printable(text), flush=True)


def note(text):
    print(printable(text), file=sys.stderr, flush=True)


# --- verify ------------------------------------------------------------------------------------------------------------

def verify(arguments):
    with Submission(arguments.file) as submission:
        manifest = submission.manifest
        if arguments.json:
            print(json_line(dict(sorted({"file": str(arguments.file), "sha256": submission.sha256, **manifest}.items()))))
            return
        of = manifest["records"]
        say(f"{arguments.file}: whole, sha256 {submission.sha256}")
        say(f"  author      {manifest['author'] or 'not said'}")
        if manifest["comment"]:
            say(f"  comment     {manifest['comment']}")
        say(f"  records     {of['count']} of {len(of['networks'])} networks on {len(of['benchmarks'])} benchmarks")
        say(f"  networks    {', '.join(of['networks'])}")
        say(f"  benchmarks  {', '.join(of['benchmarks'])}")
        say(f"  inside      {len(manifest['networks'])} networks that can be scored anew")


# --- merge -------------------------------------------------------------------------------------------------------------

class Here:
    """What a store has that a submission could meet: records of its keys, and the networks that bear its names."""

    def __init__(self, results, keys, names):
        self.records, self.bearers, self.taken_before = {}, collections.defaultdict(set), set()
        if not pathlib.Path(results).exists():
            return
        for _, record in stored(results, "--status", "ok"):
            if record["status"] != "ok":
                continue
            name, key, origin = record["model_identifier"], record["key"], record.get("submitted") or {}
            if name in names:
                self.add(record)
            if key in keys:
                self.records.setdefault(key, {})[name] = record
            if "key" in origin:
                self.taken_before.add((origin.get("sha256"), origin["key"], name))

    def add(self, record):
        bearer = (record["benchmark_identifier"], bool(record.get("graph_sha256")), record["weights_sha256"])
        self.bearers[record["model_identifier"]].add(bearer)

    def other_network(self, record):
        """Another network that bears the record's name, by its weights; None where there is none. Activations are a file a
        benchmark, so of those only the benchmark's own says it."""
        for benchmark, is_network, weights in self.bearers[record["model_identifier"]]:
            comparable = benchmark == record["benchmark_identifier"] or (is_network and record.get("graph_sha256"))
            if comparable and weights != record["weights_sha256"]:
                return weights
        return None


class Merge:
    """One submission into a store. Records are taken a group at a time: what was taken before a kill is there, the rest is taken
    the next time."""

    def __init__(self, submission, arguments):
        self.submission, self.arguments, self.results = submission, arguments, results_of(arguments)
        self.taken = self.present = self.refused = 0
        self.renamed = dict(arguments.rename)
        self.origin = {"file": printable(pathlib.Path(submission.path).name), "sha256": submission.sha256,
                       "author": submission.manifest["author"]}

    def run(self):
        new = self.news()
        if self.arguments.rescore:
            self.rescore(new)
        else:
            self.take([{**record, "submitted": self.origin} for record in new])
        say(f"{self.submission.path}: {self.taken} taken, {self.present} there already, {self.refused} refused")
        return self.refused

    def records(self):
        for record in self.submission.records():
            yield {**record, "model_identifier": self.renamed.get(record["model_identifier"], record["model_identifier"])}

    def news(self):
        """Records that are not here and contradict nothing that is."""
        keys, names = set(), set()
        for record in self.records():
            keys.add(record["key"])
            names.add(record["model_identifier"])
        here, out = Here(self.results, keys, names), []
        tomorrow = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        for record in self.records():
            name, known = record["model_identifier"], here.records.get(record["key"], {})
            conflict = next(filter(None, (difference(record, other, self.arguments.tolerance) for other in known.values())), None)
            if conflict:
                self.refuse(record, f"a record of the same key is here with other numbers: {in_words(conflict)}. What is here stays")
            elif name in known or (self.submission.sha256, record["key"], name) in here.taken_before:
                self.present += 1
            elif weights := here.other_network(record):
                self.refuse(record, f"another network bears this name here: weights {record['weights_sha256'][:16]} in the submission, "
                            f"{weights[:16]} here. --rename OLD=NEW takes it under another name")
            elif record["end"] > tomorrow:  # a ranking takes the last of several
                self.refuse(record, f"it was scored in the future ({record['end']})")
            else:
                here.add(record)
                out.append(record)
        return out

    def rescore(self, records):
        with tempfile.TemporaryDirectory(prefix="cortiscore_rescoring_") as folder:
            scratch = pathlib.Path(folder)
            rescorer = Rescorer(Networks(self.submission, self.arguments.networks, scratch), self.arguments.device, scratch)
            calls, impossible = rescorer.groups(records)
            for record, reason in impossible:
                self.unverified(record, reason)
            for words, group in calls:
                note(f"scoring anew: {group[0]['model_identifier']} on {', '.join(record['benchmark_identifier'] for record in group)}")
                same = []
                for record, found in zip(group, rescorer.score(words, group)):
                    if isinstance(found, NotRescored):
                        self.unverified(record, str(found))
                    elif differs := difference(record, found, self.arguments.tolerance):
                        self.refuse(record, in_words(differs))
                    else:
                        same.append(self.as_scored_here(record, found))
                self.take(same)

    def as_scored_here(self, record, found):
        """What is taken is the record of this machine, so that no field of it is a matter of trust; name and tags are the
        submitter's."""
        own = {name: value for name, value in found.items() if name not in ("tags", "run")}
        origin = {**self.origin, "rescored": "rounding" if difference(record, found, 0) else "bits"}
        if record["key"] != found["key"]:
            origin["key"] = record["key"]
        return {**own, "model_identifier": record["model_identifier"], **({"tags": record["tags"]} if "tags" in record else {}),
                "submitted": origin}

    def unverified(self, record, reason):
        if self.arguments.accept_unverified:
            note(f"not scored anew, taken as it is: {record['model_identifier']} on {record['benchmark_identifier']}: {reason}")
            self.take([{**record, "submitted": self.origin}])
        else:
            self.refuse(record, f"it could not be scored anew: {reason}. --accept-unverified takes such records at the submitter's word")

    def take(self, records):
        n = take_in(records, self.results)
        self.taken += n
        self.present += len(records) - n

    def refuse(self, record, why):
        self.refused += 1
        note(f"refused: {record['model_identifier']} on {record['benchmark_identifier']}: {why}")


def check_renames(pairs, submissions):
    """@raises Usage  a name that no record has, or one that would be two"""
    names = sorted({name for submission in submissions for name in submission.manifest["records"]["networks"]})
    given = {}
    for old, new in pairs:
        if old not in names:
            raise Usage(f"--rename {old}={new}: found no record of a network \"{old}\", expected one of {', '.join(names)}. Nothing was taken.")
        if given.setdefault(old, new) != new:
            raise Usage(f"--rename {old}={new}: found {old}={given[old]} as well, expected one name. Nothing was taken.")


def merge(arguments):
    if not arguments.rescore and (arguments.networks or arguments.accept_unverified):
        raise Usage("--networks and --accept-unverified: found no --rescore, which they are for. Add it, or leave them away.")
    if arguments.networks and not pathlib.Path(arguments.networks).is_dir():
        raise BadInput(f"--networks {arguments.networks}: found no folder, expected one with .pt2 archives. Check the path.")
    with contextlib.ExitStack() as open_files:
        # All are checked before anything of one is taken.
        submissions = [open_files.enter_context(Submission(path)) for path in arguments.file]
        check_renames(arguments.rename, submissions)
        if sum([Merge(submission, arguments).run() for submission in submissions]):
            sys.exit(3)


# --- the command -------------------------------------------------------------------------------------------------------

def pair(text):
    old, sign, new = text.partition("=")
    if not (old and sign and new):
        raise argparse.ArgumentTypeError(f"found {text}, expected OLD=NEW")
    return old, new


def tolerance(text):
    value = float(text)
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"found {text}, expected a number from 0 to 1")
    return value


def parser():
    whole = Parser(prog="cortiscore results", description=__doc__.partition("\n")[0])
    verbs = whole.add_subparsers(dest="verb", required=True, metavar="pack|verify|merge")
    where = dict(help="store of results; default $CORTISCORE_HOME/results")
    sub = verbs.add_parser("pack", prog="cortiscore submit",
                           description="Pack the current records of networks into one file that others verify and take in.")
    sub.add_argument("network", nargs="+", help="name of a network in the store, or a quoted pattern (*, ?)")
    sub.add_argument("--results", **where)
    sub.add_argument("-o", "--output", help=f"file to write; default NETWORK{SUFFIX}")
    sub.add_argument("--with-network", action="append", default=[], metavar="FILE.pt2",
                     help="the archive that was scored, to go with the records, so that others can score it anew; repeat for several")
    sub.add_argument("--weights", action="append", default=[], metavar="FILE.safetensors",
                     help="weights that a sweep scored with the graph of --with-network; repeat for several")
    sub.add_argument("--author", help="who submits, in your own words")
    sub.add_argument("--comment", help="what whoever takes it in should know")
    sub.set_defaults(main=pack)
    sub = verbs.add_parser("verify", description="Check a submission: every byte, every record, nothing of it run.")
    sub.add_argument("file", type=pathlib.Path)
    sub.add_argument("--json", action="store_true", help="print one JSON object")
    sub.set_defaults(main=verify)
    sub = verbs.add_parser("merge", prog="cortiscore results merge", description="Take the records of submissions into a store.")
    sub.add_argument("file", nargs="+", type=pathlib.Path)
    sub.add_argument("--results", **where)
    sub.add_argument("--rescore", action="store_true", help="score every record anew here, and take none whose numbers differ")
    sub.add_argument("--networks", metavar="FOLDER", help="with --rescore: where .pt2 archives are that the submission does not hold")
    sub.add_argument("--device", default="cpu", help="with --rescore: cpu, cuda or cuda:N")
    sub.add_argument("--tolerance", type=tolerance, default=TOLERANCE,
                     help=f"numbers that differ by less, or less times their magnitude, are the same; default {TOLERANCE:g}; 0: equal bits")
    sub.add_argument("--accept-unverified", action="store_true", help="with --rescore: take what cannot be scored here as well")
    sub.add_argument("--rename", action="append", default=[], type=pair, metavar="OLD=NEW", help="take a network under another name")
    sub.set_defaults(main=merge)
    return whole


def main(argv=None):
    arguments = parser().parse_args(argv)
    arguments.main(arguments)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that temporary folders go
    run(main)
