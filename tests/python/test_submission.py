"""Submission as data: results of one lab as a file that another checks, scores anew and takes in; what tampering, lies and kills do."""
import base64
import copy
import io
import json
import os
import pathlib
import pickle
import random
import re
import shutil
import signal
import subprocess
import sys
import time
import warnings
import zipfile
import zlib

import google_crc32c
import jsonschema
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from conftest import ROOT, Commands, run, validator

sys.path.insert(0, str(ROOT / "python"))
from cortiscore import binary, export, recordings
from cortiscore.recordings import BadInput, UnknownName, Usage
from cortiscore.submission import __main__ as submission
from cortiscore.submission import conforms, packing, rescoring, stored
from cortiscore.submission import file as submission_file
from cortiscore.submission.file import Submission, write_archive, write_submission

warnings.filterwarnings("ignore")
V1, V4 = "Simulated2026.V1-pls", "Simulated2026.V4-pls"
NOT_OF_THE_WORK = {"timing_ms", "peak_bytes", "start", "end", "submitted"}


def network(seed):
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Conv2d(3, 8, 7, stride=4), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(3), torch.nn.Flatten(),
                               torch.nn.Linear(72, 30)).eval()


def scored(home, *arguments):
    done = run(*arguments, "--bootstrap", 20, "--json", env={"CORTISCORE_HOME": str(home)})
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def exported(store):
    done = run("results", "export", "--format", "jsonl", "--results", store)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def work(record):
    return {name: value for name, value in record.items() if name not in NOT_OF_THE_WORK}


class Lab:
    """A folder of results with two networks: an archive, and weights that a sweep ran by its graph."""

    def __init__(self, home, folder):
        self.home, self.folder, self.results = home, folder, folder / "results"
        export(network(0), folder / "tiny.pt2", input_size=64)
        save_file({name: value.contiguous() for name, value in network(1).state_dict().items()}, folder / "second.safetensors")
        store = ("--results", self.results)
        scored(home, "score", folder / "tiny.pt2", "-b", V1, "-b", V4, "--layer", "4", *store)
        scored(home, "sweep", folder / "second.safetensors", "--graph", folder / "tiny.pt2", "-b", V1, "--layer", "4", *store)
        self.records = exported(self.results)
        self.stranger = folder / "stranger/network.pt2"
        self.stranger.parent.mkdir()
        export(network(7), self.stranger, input_size=64)
        self.file = self.pack("whole", "tiny", "second", "--with-network", folder / "tiny.pt2", "--weights", folder / "second.safetensors",
                              "--author", "Lab A", "--comment", "to try")
        self.bare = self.pack("bare", "tiny")

    def pack(self, name, *arguments):
        path = self.folder / f"{name}.cortiscore.zip"
        submission.main(["pack", *map(str, arguments), "--results", str(self.results), "-o", str(path)])
        return path


class Forked:
    """`subprocess` for modules that start the command line: the same arguments and answers, by the command line that is loaded already."""

    DEVNULL = PIPE = None

    @staticmethod
    def run(words, env=None, **_):
        return Commands.run([str(word) for word in words[1:]], env or dict(os.environ), errors="replace")

    class Popen:
        def __init__(self, words, stderr=None, env=None, **_):
            done = Forked.run(words, env)
            stderr.write(done.stderr)
            self.stdout, self.returncode = io.StringIO(done.stdout), done.returncode

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def kill(self):
            pass


FORKED = [(binary, "subprocess"), (rescoring, "subprocess"), (stored, "subprocess")]


@pytest.fixture(scope="module")
def forked():
    """Most of what a run of the command line takes is loading it."""
    with pytest.MonkeyPatch.context() as patch:
        for module, name in FORKED:
            patch.setattr(module, name, Forked)
        yield


@pytest.fixture(scope="module")
def lab(forked, home, tmp_path_factory):
    return Lab(home, tmp_path_factory.mktemp("lab"))


@pytest.fixture(autouse=True)
def own_folders(home, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("CORTISCORE_HOME", str(home))


def rewritten(path, target, edit=None, lines=None, sources=None, networks=None):
    """The submission as someone would write it who changes its records and computes every hash anew."""
    with Submission(path) as whole:
        records = list(whole.records())
        entries = networks if networks is not None else whole.manifest["networks"]
        members = {name: whole.read(name) for name in whole.members if name.startswith("networks/")}
        author = whole.manifest["author"]
    for record in records:
        (edit or (lambda _: None))(record)
    names = {kind: sorted({record[field] for record in records if field in record})
             for kind, field in (("networks", "model_identifier"), ("benchmarks", "benchmark_identifier"))}
    members = {**members, **(sources or {})} if networks is None else dict(sources or {})
    write_submission(target, lines or [json.dumps(record) for record in records], names, entries, members, "0.1.0", author)
    return target


def merged(capsys, *arguments):
    """(exit code, standard output, standard error) of a merge in this process."""
    capsys.readouterr()
    try:
        submission.main(["merge", *map(str, arguments)])
        code = 0
    except SystemExit as stop:
        code = stop.code
    said = capsys.readouterr()
    return code, said.out, said.err


# --- the file ----------------------------------------------------------------------------------------------------------

def test_a_submission_is_what_the_store_exports(lab):
    """By Python's own zipfile: whole, nothing compressed, the records that the command line exports, and the networks to the byte."""
    with zipfile.ZipFile(lab.file) as archive:
        assert archive.testzip() is None
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
        assert archive.namelist() == sorted(archive.namelist()) and len(archive.namelist()) == 4
        found = [json.loads(line) for line in archive.read("records.jsonl").splitlines()]
        inside = {pathlib.Path(name).suffix: archive.read(name) for name in archive.namelist()}
        manifest = json.loads(archive.read("submission.json"))
    order = lambda record: (record["model_identifier"], record["benchmark_identifier"])
    assert found == sorted(lab.records, key=order) and [order(r) for r in found] == [("second", V1), ("tiny", V1), ("tiny", V4)]
    assert inside[".pt2"] == (lab.folder / "tiny.pt2").read_bytes()
    assert inside[".safetensors"] == (lab.folder / "second.safetensors").read_bytes()
    validator("submission")(manifest)
    assert manifest["author"] == "Lab A" and manifest["records"]["count"] == 3
    # The hash of weights that a graph runs is the one that the engine wrote into the sweep's record.
    assert {(n["graph_sha256"], n["weights_sha256"]) for n in manifest["networks"]} == {
        (record["graph_sha256"], record["weights_sha256"]) for record in lab.records}


def test_the_same_content_is_the_same_file(lab):
    assert lab.pack("again", "tiny").read_bytes() == lab.bare.read_bytes() == lab.pack("again", "t*y", "tiny").read_bytes()
    assert lab.pack("other", "tiny", "--comment", "x").read_bytes() != lab.bare.read_bytes()


def test_verify_says_what_is_inside(lab, tmp_path, capsys):
    submission.main(["verify", str(lab.file), "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["sha256"] == subprocess.run(["sha256sum", lab.file], capture_output=True, text=True, check=True).stdout.split()[0]
    assert found["records"] == {"count": 3, "networks": ["second", "tiny"], "benchmarks": [V1, V4]}
    submission.main(["verify", str(lab.file)])
    assert "Lab A" in capsys.readouterr().out
    path = lab.pack("named \udcff", "tiny", "--author", "Zo\u00eb \udcff", "--comment", "\x1b[2J")
    submission.main(["verify", str(path)])
    out = capsys.readouterr().out
    assert "author      Zo\u00eb \ufffd" in out and "\x1b" not in out and "named \\xff" in out
    code, out, err = merged(capsys, path, "--results", tmp_path / "store")
    assert code == 0 and {r["submitted"]["file"] for r in exported(tmp_path / "store")} == {"named \\xff.cortiscore.zip"}, err


def positions(path):
    """Bytes to change: some of every member, all of the headers' and the list's kinds, the first and the last."""
    size, rng = path.stat().st_size, random.Random(0)
    with Submission(path) as whole:
        ends = [(member.offset, member.start, member.end) for member in whole.members.values()]
    heads = [at for offset, start, _ in ends for at in rng.sample(range(offset, start), 12)]
    data = [at for _, start, end in ends for at in rng.sample(range(start, end), 20)]
    last = max(end for *_, end in ends)
    return sorted({0, size - 1, *heads, *data, *rng.sample(range(last, size), 80)})


@pytest.mark.parametrize("part", range(4))
def test_every_changed_byte_is_noticed(lab, tmp_path, part):
    good, bad = lab.file.read_bytes(), tmp_path / "bad.zip"
    at_all = positions(lab.file)
    assert len(at_all) >= 200
    rng = random.Random(part)
    for at in at_all[part::4]:
        changed = bytearray(good)
        changed[at] ^= 1 << rng.randrange(8)
        bad.write_bytes(changed)
        with pytest.raises(BadInput, match="found .*expected"):
            Submission(bad)


def test_what_is_cut_off_or_added_is_noticed(lab, tmp_path):
    good, bad = lab.bare.read_bytes(), tmp_path / "bad.zip"
    Submission(lab.bare).__exit__()
    middle = len(good) // 2
    for data in (b"", good[:1], good[:20], good[:-1], good[:middle], good + b"\0", b"\0" + good, good + good,
                 good[:middle] + b"x" + good[middle:]):
        bad.write_bytes(data)
        with pytest.raises(BadInput, match="found .*expected"):
            Submission(bad)
    for path in (tmp_path, tmp_path / "none.zip"):
        with pytest.raises(BadInput):
            Submission(path)


def zipped(target, *members, comment=b""):
    """An archive by Python's zipfile: (name or ZipInfo, bytes, compression)."""
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(target, "w") as archive:
        for name, data, how in members:
            archive.writestr(name, data, compress_type=how)
        archive.comment = comment
    return target


def test_hostile_archives_are_refused(lab, tmp_path):
    with zipfile.ZipFile(lab.bare) as archive:
        records, manifest = (archive.read(name) for name in ("records.jsonl", "submission.json"))
    plain, small = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED
    own = (("records.jsonl", records, plain), ("submission.json", manifest, plain))
    link = zipfile.ZipInfo("networks/link.pt2")
    link.external_attr = 0o120777 << 16
    extra = zipfile.ZipInfo("records.jsonl", (1980, 1, 1, 0, 0, 0))
    extra.extra = b"\x75\x70\x04\x00abcd"
    cases = {
        **{name: [(name, b"x", plain), *own] for name in (
            "../x.pt2", "/etc/passwd", "networks/../x.pt2", "networks/a/../../x.pt2", "networks/..pt2", "networks\\..\\x.pt2", "C:\\x.pt2",
            "networks/x.pkl", "networks/a\nb.pt2", "networks/\u202egpj.pt2", "x" * 5000, "networks/")},
        "a link": [(link, b"/etc/passwd", plain), *own],
        "twice": [*own, own[1]],
        "twice, another": [own[0], ("records.jsonl", b"{}", plain), own[1]],
        "compressed": [("records.jsonl", records, small), own[1]],
        "a bomb": [("records.jsonl", bytes(10**7), small), own[1]],
        "no records": [own[1]], "no manifest": [own[0]], "nothing": [],
        "an extra field": [(extra, records, plain), own[1]],
        "another date": [(zipfile.ZipInfo("records.jsonl", (2020, 1, 1, 0, 0, 0)), records, plain), own[1]],
        "another order": [own[1], own[0]],
        "many": [(f"networks/{i}.pt2", b"", plain) for i in range(1500)] + [*own],
        "more than is said": [("networks/x.pt2", b"x", plain), *own]}
    for what, members in cases.items():
        with pytest.raises(BadInput, match="(?s)found .*expected"):
            Submission(zipped(tmp_path / "hostile.zip", *members)), pytest.fail(what)
    with pytest.raises(BadInput):
        Submission(zipped(tmp_path / "hostile.zip", *own, comment=b"PK\5\6" + bytes(18)))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hostile.zip"]
    # A list that says that a member is larger, or elsewhere, than it is.
    good = bytearray(lab.bare.read_bytes())
    at = good.index(b"PK\1\2")
    for place, value in ((20, 2**31), (24, 2**31), (42, 2**31), (42, len(good) - 10), (28, 65535), (30, 65535)):
        bad = bytearray(good)
        bad[at + place:at + place + 4] = value.to_bytes(4, "little")
        (tmp_path / "hostile.zip").write_bytes(bad)
        with pytest.raises(BadInput):
            Submission(tmp_path / "hostile.zip")


def test_verify_runs_nothing(lab, tmp_path):
    """Neither torch nor pickle is even loaded to look at a submission with a pickle in it."""
    evil = pickle.dumps(Touch(tmp_path / "touched"))
    with Submission(lab.file) as whole:
        entries = copy.deepcopy(whole.manifest["networks"])
    for entry in entries:
        entry["archive"], entry["weights"] = "networks/evil.pt2", None
    path = rewritten(lab.file, tmp_path / "evil.zip", networks=entries, sources={"networks/evil.pt2": evil})
    script = ("import sys; sys.path.insert(0, sys.argv[1]); from cortiscore.submission.file import Submission; Submission(sys.argv[2]); "
              "print(sorted({'torch', 'pickle', 'zipfile.extract'} & set(sys.modules)))")
    done = subprocess.run([sys.executable, "-c", script, ROOT / "python", path], capture_output=True, text=True, check=True)
    assert "torch" not in done.stdout and not (tmp_path / "touched").exists()


class Touch:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


# --- records -----------------------------------------------------------------------------------------------------------

def test_records_are_checked_as_by_jsonschema(lab):
    """Every field of real records and of a submission, taken away or replaced: accepted and refused as the package jsonschema does."""
    with Submission(lab.file) as whole:
        documents = [("record", record) for record in whole.records()][:2] + [("submission", whole.manifest)]
    failed = {**{name: documents[0][1][name] for name in ("schema_version", "key", "model_identifier", "benchmark_identifier",
                                                          "benchmark_version",
                                                          "benchmark_sha256", "region", "parent", "engine", "end")},
              "status": "failed", "path": "p", "error_type": 5, "message": "m"}
    counts = {True: 0, False: 0}
    for name, document in [*documents, ("record", failed)]:
        schema = json.loads((ROOT / f"data_manifests/{name}.schema.json").read_text())
        trusted = jsonschema.Draft202012Validator(schema)
        for changed in list(variants(document))[::2]:
            found = conforms.problem(schema, changed)
            assert (found is None) == trusted.is_valid(changed), (found, list(trusted.iter_errors(changed))[:1])
            counts[found is None] += 1
    assert min(counts.values()) > 150, counts


def variants(document):
    """The document, and every one that differs in one place of its first levels."""
    yield document
    for path in places(document, 2):
        for value in (None, True, 1, -1.5, "x", "0" * 64, "0" * 64 + "x", ["x"], [None], {}, {"x": 1}, "failed", "r_over_c"):
            changed = copy.deepcopy(document)
            inner = changed
            for step in path[:-1]:
                inner = inner[step]
            if value == {}:
                del inner[path[-1]]
            else:
                inner[path[-1]] = value
            yield changed


def places(value, depth):
    if depth and isinstance(value, (dict, list)):
        for step in value if isinstance(value, dict) else range(min(len(value), 2)):
            yield (step,)
            yield from ((step, *rest) for rest in places(value[step], depth - 1))


def test_keywords_are_those_of_jsonschema():
    """Keywords one at a time, the ones that a schema may come to use as well; one that is not known is never passed over."""
    values = [None, True, False, 0, 1, 1.0, 2, 2.5, -3, "", "a", "ab", "abc", "ab\nx", [], [1], [1, "a"], [1, 2, 3], {}, {"a": 1},
              {"a": "x", "b": 2}]
    schemas = [{"type": kind} for kind in conforms.TYPES] + [
        {"type": ["string", "null"]}, {"const": 1}, {"const": {"a": 1}}, {"const": [1, 2, 3]}, {"enum": [0, "a", None, [1]]},
        {"minimum": 1}, {"maximum": 1}, {"exclusiveMinimum": 1}, {"exclusiveMaximum": 1}, {"minLength": 2}, {"maxLength": 2},
        {"minItems": 2}, {"maxItems": 1},
        {"pattern": "^ab"}, {"pattern": "b"}, {"items": {"type": "integer"}}, {"prefixItems": [{"type": "integer"}, {"type": "string"}]},
        {"prefixItems": [True], "items": {"type": "string"}}, {"required": ["a"]}, {"properties": {"a": {"type": "integer"}}},
        {"properties": {"a": True}, "additionalProperties": False}, {"additionalProperties": {"type": "integer"}},
        {"patternProperties": {"^a": {"type": "integer"}}, "additionalProperties": False}, {"not": {"type": "string"}},
        {"allOf": [{"type": "number"}, {"minimum": 1}]}, {"anyOf": [{"type": "string"}, {"minimum": 2}]},
        {"oneOf": [{"type": "number"}, {"minimum": 2}]}, {"if": {"type": "number"}, "then": {"minimum": 1}, "else": {"minLength": 2}},
        {"$defs": {"n": {"type": "number"}}, "items": {"$ref": "#/$defs/n"}}, {"items": False}]
    for schema in schemas:
        trusted = jsonschema.Draft202012Validator(schema)
        found = [conforms.problem(schema, value) is None for value in values]
        assert found == [trusted.is_valid(value) for value in values], schema
        assert any(found) and not all(found), schema
    with pytest.raises(ValueError, match="uniqueItems"):
        conforms.problem({"uniqueItems": True}, [])


def test_every_keyword_of_the_schemas_is_known():
    def walk(schema):
        if isinstance(schema, dict):
            assert schema.keys() <= conforms.CHECKS.keys() | conforms.ANNOTATIONS | {"then", "else"}, schema.keys()
            for keyword, value in schema.items():
                if keyword in ("properties", "$defs", "patternProperties"):
                    for one in value.values():
                        walk(one)
                elif keyword in ("items", "additionalProperties", "not", "if", "then", "else"):
                    walk(value)
                elif keyword in ("allOf", "anyOf", "oneOf", "prefixItems"):
                    for one in value:
                        walk(one)
    for name in ("record", "submission"):
        walk(conforms.schema(name))


@pytest.mark.parametrize(("edit", "words"), [
    (lambda r: r.update(status="failed"), "line 1, "),
    (lambda r: r.pop("raw"), "raw"),
    (lambda r: r.update(key="0" * 63), "key"),
    (lambda r: r.update(benchmark_identifier="../../evil.json"), "benchmark_identifier"),
    (lambda r: r.update(benchmark_identifier="--results=x"), "benchmark_identifier"),
    (lambda r: r.update(model_identifier="a\x1b[2Jb"), "characters that show"),
    (lambda r: r.update(model_identifier="\u202egpj.exe"), "characters that show"),
    (lambda r: r.update(model_identifier=""), "characters that show"),
    (lambda r: r["score"].update(raw=0.99), "score.raw: found 0.99"),
    (lambda r: r["score"].update(ceiling=0.01), "score.ceiling"),
    (lambda r: r.update(precision=5), "precision"),
    (lambda r: r["error"].update(n_boot="many"), "n_boot"),
    (lambda r: r["error"].update(n_boot=True), "n_boot"),
    (lambda r: r["layer_selection"].update(chosen_on=[5]), "chosen_on"),
    (lambda r: r.update(end="tomorrow"), "a time"),
    (lambda r: r.update(end=None), "end")])
def test_records_that_are_none_are_refused(lab, tmp_path, edit, words):
    with pytest.raises(BadInput) as refused:
        Submission(rewritten(lab.bare, tmp_path / "bad.zip", edit))
    assert words in str(refused.value) and "records.jsonl, line 1" in str(refused.value)


@pytest.mark.parametrize(("change", "words"), [
    (lambda text: text.replace('"raw":', '"raw":NaN,"also":', 1), "NaN"),
    (lambda text: re.sub(r'"n_boot": ?\d+', '"n_boot":1e999', text), "too large"),
    (lambda text: re.sub(r'"n_boot": ?\d+', '"n_boot":' + "9" * 5000, text), "too large"),
    (lambda text: text.replace("{", '{"key":"x",', 1), "same name twice"),
    (lambda text: text.replace('"tiny"', '"\\ud800"'), "half of a character"),
    (lambda text: text.replace("{", '{"deep":' + "[" * 100000 + "]" * 100000 + ",", 1), "nested"),
    (lambda text: text[:-1], "Expecting"),
    (lambda text: "", "Expecting"),
    (lambda text: "[]", "object")])
def test_lines_that_readers_would_understand_differently_are_refused(lab, tmp_path, change, words):
    text = json.dumps(lab.records[1])
    assert change(text) != text
    with pytest.raises(BadInput, match=re.escape(words)):
        Submission(rewritten(lab.bare, tmp_path / "bad.zip", lines=[change(text)]))


def test_lines_and_counts_agree(lab, tmp_path):
    line = json.dumps(lab.records[1])
    long = line + " " * submission_file.MOST_LINE
    for lines, words in (([line, line], "a second record"), ([line + "\n"], "expected"), ([long], "more than")):
        with pytest.raises(BadInput, match=words):
            Submission(rewritten(lab.bare, tmp_path / "bad.zip", lines=lines))


# --- the store ---------------------------------------------------------------------------------------------------------

def test_checksums_are_those_of_google():
    rng = np.random.default_rng(0)
    for size in (0, 1, 9, 1000):
        data = rng.bytes(size)
        assert stored.crc32c(data) == google_crc32c.value(data)
    assert stored.crc32c(b"123456789") == 0xE3069283 != zlib.crc32(b"123456789")  # RFC 3720's check value


def test_two_submitters_into_one_leaderboard(lab, tmp_path, capsys):
    store = tmp_path / "store"
    theirs = lambda r: r.update(model_identifier="ours", key=r["key"][::-1], tags={"lab": "B"})
    other = rewritten(lab.bare, tmp_path / "b.cortiscore.zip", theirs)
    code, out, err = merged(capsys, lab.file, other, "--results", store)
    assert code == 0, err
    assert [line.split(": ")[1] for line in out.splitlines()] == [f"{n} taken, 0 there already, 0 refused" for n in (3, 2)]
    found = exported(store)
    assert [work(r) for r in found if r["model_identifier"] != "ours"] == [work(r) for r in lab.records]
    with Submission(lab.file) as one, Submission(other) as two:
        expected = {"second": (one, "Lab A"), "tiny": (one, "Lab A"), "ours": (two, None)}
        for record in found:
            whole, author = expected[record["model_identifier"]]
            assert record["submitted"] == {"file": whole.path.name, "sha256": whole.sha256, "author": author}
    ranked = run("results", "rank", "--results", store, "--json")
    assert ranked.returncode == 0 and {json.loads(line)["model_identifier"] for line in ranked.stdout.splitlines()} == set(expected)
    before = {path.name: path.read_bytes() for path in store.iterdir()}
    code, out, _ = merged(capsys, lab.file, other, "--results", store)
    assert code == 0 and out.count("0 taken") == 2
    assert {path.name: path.read_bytes() for path in store.iterdir()} == before
    assert len(list((tmp_path / "cache").rglob("*.sqlite"))) == 1  # of the store that is there, none of those that were for a moment


def test_what_is_here_is_never_overwritten(lab, tmp_path, capsys):
    def forge(record):
        if record["benchmark_identifier"] == V1:
            record["score"]["ceiled"] += 0.5
    store = tmp_path / "store"
    merged(capsys, lab.bare, "--results", store)
    before = exported(store)
    code, out, err = merged(capsys, rewritten(lab.bare, tmp_path / "forged.zip", forge), "--results", store)
    [own] = [r["score"]["ceiled"] for r in before if r["benchmark_identifier"] == V1]
    assert code == 3 and "0 taken, 1 there already, 1 refused" in out and exported(store) == before
    assert f"{own + 0.5} in the submission, {own} here" in err and V1 in err
    rounded = rewritten(lab.bare, tmp_path / "rounded.zip", lambda r: r["score"].update(ceiled=r["score"]["ceiled"] + 1e-9))
    assert merged(capsys, rounded, "--results", store)[0] == 0
    assert merged(capsys, rounded, "--results", store, "--tolerance", 0)[0] == 3
    assert exported(store) == before


def test_a_name_is_one_network(lab, tmp_path, capsys):
    """Weights of another network under a name that is there would mix two networks in one row of a ranking."""
    store = tmp_path / "store"
    theirs = lambda r: r.update(weights_sha256="a" * 64, key=r["key"][::-1], benchmark_identifier="Other-pls")
    other = rewritten(lab.bare, tmp_path / "b.zip", theirs)
    merged(capsys, lab.bare, "--results", store)
    code, out, err = merged(capsys, other, "--results", store)
    assert code == 3 and "2 refused" in out and "another network bears this name" in err and "a" * 16 in err
    assert merged(capsys, other, "--results", store, "--rename", "tiny=theirs")[0] == 0
    assert {(r["model_identifier"], r["weights_sha256"]) for r in exported(store)} == {
        ("tiny", lab.records[1]["weights_sha256"]), ("theirs", "a" * 64)}
    late = rewritten(lab.bare, tmp_path / "c.zip", lambda r: r.update(end="9999-01-01T00:00:00Z", key=r["key"][::-1]))
    code, _, err = merged(capsys, late, "--results", tmp_path / "late")
    assert code == 3 and "future" in err and not (tmp_path / "late").exists()


def test_a_name_that_nobody_has_is_not_changed(lab, tmp_path):
    for renames, said in ((["tinny=mine"], "--rename tinny=mine: found no record of a network \"tinny\", expected one of second, tiny"),
                          (["tiny=mine", "tiny=yours"], "--rename tiny=yours: found tiny=mine as well")):
        with pytest.raises(Usage) as refused:
            submission.main(["merge", str(lab.file), "--results", str(tmp_path / "store"), *(w for r in renames for w in ("--rename", r))])
        assert said in str(refused.value) and not (tmp_path / "store").exists()
    submission.main(["merge", str(lab.file), str(lab.bare), "--results", str(tmp_path / "store"), "--rename", "second=mine"])
    assert {r["model_identifier"] for r in exported(tmp_path / "store")} == {"mine", "tiny"}


def test_nothing_is_taken_where_one_file_is_bad(lab, tmp_path):
    (tmp_path / "bad.zip").write_bytes(lab.bare.read_bytes()[:-30])
    words = ["merge", lab.bare, tmp_path / "bad.zip", "--results", tmp_path / "store"]
    done = subprocess.run([sys.executable, "-m", "cortiscore.submission", *words],
                          capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT / "python")})
    assert done.returncode == 5 and done.stderr.startswith("cortiscore: ") and "bad.zip" in done.stderr and done.stderr.count("\n") == 1
    assert not (tmp_path / "store").exists()


def test_killed_at_any_time_and_run_again(lab, tmp_path):
    template, n = lab.records[1], 200
    records = [{**template, "model_identifier": f"net{i:03}", "key": f"{i:064x}"} for i in range(n)]
    path, store = tmp_path / "many.zip", tmp_path / "store"
    names = {"networks": [r["model_identifier"] for r in records], "benchmarks": [V1]}
    write_submission(path, [json.dumps(r) for r in records], names, [], {}, "0")
    command = [sys.executable, "-m", "cortiscore.submission", "merge", path, "--results", store]
    (tmp_path / "scratch").mkdir()  # where what was killed leaves its folder
    env = {**os.environ, "PYTHONPATH": str(ROOT / "python"), "TMPDIR": str(tmp_path / "scratch")}
    rng, kills = random.Random(3), 0
    for wait in (0.1, 0.3, *(rng.uniform(0.3, 1.2) for _ in range(3))):
        process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
        time.sleep(wait)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            kills += 1
        process.communicate()
    assert kills >= 1
    assert subprocess.run(command, env=env, capture_output=True).returncode == 0
    assert [work(r) for r in exported(store)] == [work(r) for r in records]
    assert sum(len(shard.read_text().splitlines()) for shard in store.glob("*.jsonl")) == n  # none twice


# --- scored anew -------------------------------------------------------------------------------------------------------

def test_scored_anew_the_numbers_are_the_same_to_the_bit(lab, tmp_path, capsys):
    store = tmp_path / "store"
    code, out, err = merged(capsys, lab.file, "--results", store, "--rescore", "--tolerance", 0)
    assert code == 0 and "3 taken" in out, err
    found = exported(store)
    assert [work(r) for r in found] == [work(r) for r in lab.records]
    assert all(r["submitted"]["rescored"] == "bits" and r["submitted"]["author"] == "Lab A" for r in found)
    assert all(r["start"] >= max(o["end"] for o in lab.records) for r in found)  # they were made here
    code, out, err = merged(capsys, lab.file, "--results", store, "--rescore")
    assert code == 0 and "0 taken, 3 there already" in out and "scoring anew" not in err


@pytest.mark.parametrize("last", [0, 1])
def test_what_counted_for_the_submitter_counts_when_scored_anew(lab, tmp_path, capsys, last):
    """Of two layers on one benchmark the one that ended last, in whichever order the file has them; what is scored in one call is not."""
    for layer in ("0", "4"):
        scored(lab.home, "score", lab.folder / "tiny.pt2", "-b", V1, "-b", V4, "--layer", layer, "--results", tmp_path / "both")
    submission.main(["pack", "tiny", "--results", str(tmp_path / "both"), "--with-network", str(lab.folder / "tiny.pt2"), "-o", str(tmp_path / "p.zip")])
    with Submission(tmp_path / "p.zip") as whole:
        records = list(whole.records())
    keys = {benchmark: [r["key"] for r in records if r["benchmark_identifier"] == benchmark] for benchmark in (V1, V4)}
    counts = {V1: keys[V1][last], V4: keys[V4][1 - last]}  # of the two benchmarks not the same
    end = lambda r: r.update(end=f"2026-01-0{2 if r['key'] in counts.values() else 1}T00:00:00Z")
    path = rewritten(tmp_path / "p.zip", tmp_path / "q.zip", end)

    def ranked(name, *flags):
        code, out, err = merged(capsys, path, "--results", tmp_path / name, *flags)
        assert code == 0 and "4 taken" in out, err
        done = run("rank", "--results", tmp_path / name, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)["records"]

    assert ranked("as they are") == ranked("anew", "--rescore") == counts


def test_a_lie_is_found(lab, tmp_path, capsys):
    """A better score, consistent in itself and with every hash computed anew: verify has nothing to say, scoring anew has."""
    def better(record):
        if record["benchmark_identifier"] == V1 and record["model_identifier"] == "tiny":
            for of in (record["score"], record["raw"]):
                of["raw" if of is record["score"] else "score"] += 0.1
            record["score"]["ceiled"] = record["score"]["raw"] ** 2 / record["score"]["ceiling"]
    honest = next(r for r in lab.records if r["benchmark_identifier"] == V1 and r["model_identifier"] == "tiny")
    forged = rewritten(lab.file, tmp_path / "forged.zip", better)
    Submission(forged).__exit__()
    code, out, err = merged(capsys, forged, "--results", tmp_path / "store", "--rescore")
    assert code == 3 and "2 taken, 0 there already, 1 refused" in out
    assert f"{honest['score']['ceiled']} here" in err and "tiny on Simulated2026.V1-pls" in err
    assert {(r["model_identifier"], r["benchmark_identifier"]) for r in exported(tmp_path / "store")} == {("second", V1), ("tiny", V4)}
    assert merged(capsys, forged, "--results", tmp_path / "trusting")[0] == 0  # what --rescore is for


def test_another_network_than_the_records_is_found(lab, tmp_path, capsys):
    """The hashes of a record's network, and another network in its place; with a pickle where torch keeps sample inputs."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(lab.stranger) as archive, zipfile.ZipFile(buffer, "w") as out:
        for info in archive.infolist():
            evil = info.filename.endswith("sample_inputs/model.pt")
            out.writestr(info.filename, pickle.dumps(Touch(tmp_path / "touched")) if evil else archive.read(info))
    with Submission(lab.file) as whole:
        member = next(name for name in whole.members if name.endswith(".pt2"))
    fake = rewritten(lab.file, tmp_path / "fake.zip", sources={member: buffer.getvalue()})
    code, out, err = merged(capsys, fake, "--results", tmp_path / "store", "--rescore")
    assert code == 3 and "1 taken" in out and err.count("refused: tiny") == 2, err  # the sweep's weights need the graph alone
    assert [r["model_identifier"] for r in exported(tmp_path / "store")] == ["second"] and not (tmp_path / "touched").exists()


def test_what_cannot_be_scored_is_said(lab, tmp_path, capsys):
    def strange(record):
        if record["benchmark_identifier"] == V4:
            record.update(benchmark_identifier="Nobody2030.V4-pls", key="f" * 64)
    path, store = rewritten(lab.bare, tmp_path / "strange.zip", strange), tmp_path / "store"
    code, out, err = merged(capsys, path, "--results", store, "--rescore")
    assert code == 3 and "0 taken, 0 there already, 2 refused" in out
    assert "no benchmark of that name" in err and "neither in the submission nor in --networks" in err
    code, out, err = merged(capsys, path, "--results", store, "--rescore", "--networks", lab.folder, "--accept-unverified")
    assert code == 0 and "2 taken" in out and "taken as it is: tiny on Nobody2030" in err
    assert {r["benchmark_identifier"]: r["submitted"].get("rescored") for r in exported(store)} == {V1: "bits", "Nobody2030.V4-pls": None}
    # Flags that no record of the engine would have are that record's trouble, and do not keep the machine busy.
    for edit, words in ((lambda r: r["error"].update(n_boot=10**8), "bootstrap draws"), (lambda r: r["error"].update(seed=1), "seed 1"),
                        (lambda r: r["precision"].update(activations="--results"), "--precision"),
                        (lambda r: r.update(layer="none"), "no layer"),
                        (lambda r: r.update(graph_sha256=None), "activations")):
        code, out, err = merged(capsys, rewritten(lab.bare, tmp_path / "odd.zip", lambda r: (r.update(key="e" + r["key"][1:]), edit(r))),
                                "--results", tmp_path / "none", "--rescore", "--networks", lab.folder)
        assert code == 3 and "2 refused" in out and words in err, err


def test_a_network_that_crashes_the_engine_is_its_own_trouble(lab, tmp_path, capsys, monkeypatch):
    def crashing(words, **_):
        if words[1] != "score":
            return Forked.run(words, _.get("env"))
        return subprocess.CompletedProcess(words, -signal.SIGSEGV, "", "")
    monkeypatch.setattr(rescoring, "subprocess", type("Crashing", (), {"run": staticmethod(crashing), "DEVNULL": None}))
    code, out, err = merged(capsys, lab.file, "--results", tmp_path / "store", "--rescore")
    assert code == 3 and "1 taken, 0 there already, 2 refused" in out and err.count(f"ended with {-signal.SIGSEGV}") == 2, err


@pytest.fixture(scope="module")
def of_other_flags(lab):
    """Records that flags besides --layer made."""
    (lab.folder / "map.json").write_text(json.dumps({"region_layer_map": {"V1": "3"}, "chosen_on": {"V1": [
        {"benchmark_identifier": V4, "data_sha256": []}]}}))
    shutil.copy(lab.stranger, lab.folder / "flags.pt2")
    results = ("--results", lab.results)
    scored(lab.home, "score", lab.folder / "flags.pt2", "-b", V4, "--ceiling-convention", "r_over_c_squared", "--candidates", 3,
           "--mode", "exact", "--over", "neuroid,presentation", *results)
    scored(lab.home, "score", lab.folder / "flags.pt2", "-b", V1, "--layer-map", lab.folder / "map.json", *results)
    return lab.pack("flags", "network", "--with-network", lab.folder / "flags.pt2")


def test_flags_are_read_off_the_record(of_other_flags, tmp_path, capsys):
    """Convention, candidates, mode, what intervals are over and a map of layers: the same key, which is a hash of them, and the same bits."""
    code, out, err = merged(capsys, of_other_flags, "--results", tmp_path / "store", "--rescore", "--tolerance", 0)
    assert code == 0 and "2 taken" in out, err
    with Submission(of_other_flags) as whole:
        assert [work(r) for r in whole.records()] == [work(r) for r in exported(tmp_path / "store")]


def test_another_machine_rounds_otherwise(lab, tmp_path, capsys, monkeypatch):
    """Forward passes by other instructions, as a processor of another kind takes: within the tolerance, and what is taken is what was
    scored here."""
    for name, value in (("ONEDNN_MAX_CPU_ISA", "SSE41"), ("ATEN_CPU_CAPABILITY", "default"), ("OPENBLAS_CORETYPE", "Nehalem")):
        monkeypatch.setenv(name, value)
    for module, name in FORKED:  # libraries read these as they are loaded
        monkeypatch.setattr(module, name, subprocess)
    code, out, err = merged(capsys, lab.bare, "--results", tmp_path / "store", "--rescore", "--networks", lab.folder)
    assert code == 0 and "2 taken" in out, err
    with Submission(lab.bare) as whole:
        for there, here in zip(whole.records(), exported(tmp_path / "store"), strict=True):
            assert here["submitted"]["rescored"] == ("bits" if work(there) == work(here) else "rounding")
            for of, tolerance in (("score", 1e-6), ("raw", 1e-6), ("split_scores", 1e-4)):
                numbers = [list(r[of].values()) if isinstance(r[of], dict) else r[of] for r in (there, here)]
                np.testing.assert_allclose(*([v for v in values if isinstance(v, float)] for values in numbers), rtol=0, atol=tolerance)


def test_differences_are_found_where_they_count():
    drawn = lambda *values: {"of": "raw", "float32": base64.b64encode(np.array(values, "<f4").tobytes()).decode()}
    base = {"score": {"raw": 0.5, "ceiling": None, "ceiled": 1e6}, "split_scores": [0.1, None], "layer": "a", "warnings": ["w"],
            "layer_selection": {"method": "committed", "chosen_on": ["x"]}, "key": "k", "draws": drawn(0.25, np.nan)}
    change = lambda **fields: {**copy.deepcopy(base), **fields}
    equal = lambda other, tolerance=1e-6: rescoring.difference(base, other, tolerance) is None
    assert equal(change(), 0) and equal(change(warnings=[], key="other", tags={}), 0)
    assert equal(change(layer_selection={"method": "committed"}), 0) and not equal(change(layer_selection={"method": "last"}))
    assert equal(change(score={**base["score"], "raw": 0.5 + 9e-7})) and not equal(change(score={**base["score"], "raw": 0.5 + 2e-6}))
    assert equal(change(score={**base["score"], "ceiled": 1e6 + 0.9})) and not equal(change(score={**base["score"], "ceiled": 1e6 + 1.1}))
    assert not equal(change(score={**base["score"], "ceiling": 0.0})) and not equal(change(layer="b"))
    assert equal(change(split_scores=[0.1 + 9e-5, None])) and not equal(change(split_scores=[0.1 + 2e-4, None]))
    assert not equal(change(split_scores=[0.1])) and not equal(change(split_scores=[0.1, 0.0]))
    assert equal(change(draws=drawn(0.25005, np.nan))) and not equal(change(draws=drawn(0.26, np.nan)))
    assert not equal(change(draws=drawn(0.25, 0.1))) and not equal(change(draws={"of": "raw", "float32": "!"}))
    assert rescoring.in_words(rescoring.difference(base, change(layer="b"), 0)) == 'layer "a" in the submission, "b" here'


# --- packing -----------------------------------------------------------------------------------------------------------

def test_what_is_not_of_the_records_is_not_packed(lab, tmp_path):
    save_file({name: value.contiguous() for name, value in network(8).state_dict().items()}, tmp_path / "stranger.safetensors")
    save_file({"x": torch.zeros(3)}, tmp_path / "small.safetensors")
    (tmp_path / "torn.safetensors").write_bytes((tmp_path / "small.safetensors").read_bytes()[:20])
    archive = str(lab.folder / "tiny.pt2")
    for error, words, named in [
        (UnknownName, ["tinny"], "Nearest of .*tiny"), (UnknownName, ["tiny", "no*"], "no records of a network \"no\\*\""),
        (UnknownName, ["[t]iny"], "no records"), (BadInput, ["tiny", "--with-network", str(lab.stranger)], "network.pt2: found graph"),
        (BadInput, ["second", "--with-network", archive], "weights"),
        (Usage, ["second", "--weights", str(lab.folder / "second.safetensors")], "--with-network"),
        (BadInput, ["second", "--with-network", archive, "--weights", str(tmp_path / "stranger.safetensors")], "stranger.*: found weights"),
        (BadInput, ["second", "--with-network", archive, "--weights", str(tmp_path / "small.safetensors")], "another architecture"),
        (BadInput, ["second", "--with-network", archive, "--weights", str(tmp_path / "torn.safetensors")], "torn.safetensors"),
        (BadInput, ["tiny", "--with-network", str(tmp_path / "none.pt2")], "none.pt2: found no such file"),
        (BadInput, ["tiny", "--with-network", str(tmp_path / "small.safetensors")], "expected a .pt2"),
        (BadInput, ["tiny", "--results", str(tmp_path / "nowhere")], "nowhere")]:
        results = [] if "--results" in words else ["--results", str(lab.results)]
        with pytest.raises(error, match=named):
            submission.main(["pack", *words, *results, "-o", str(tmp_path / "out.zip")])
        assert not (tmp_path / "out.zip").exists() and not list(tmp_path.glob("*.partial*"))
    assert UnknownName.exit_code == 4 and Usage.exit_code == 2


def test_what_others_would_refuse_is_refused_by_name(lab, tmp_path):
    """Of the store, not of a temporary file, and what to do about it is not to do the same again."""
    [line, *_] = [line for line, _ in stored.stored(lab.results, "--status", "ok")]
    odd = {**json.loads(line), "end": "yesterday"}
    text = json.dumps(odd, separators=(",", ":"), sort_keys=True)
    (tmp_path / "store").mkdir()
    (tmp_path / "store/20260101T000000Z-host-1.jsonl").write_text(f'{{"crc32c":"{google_crc32c.value(text.encode()):08x}","record":{text}}}\n')
    with pytest.raises(BadInput) as refused:
        submission.main(["pack", odd["model_identifier"], "--results", str(tmp_path / "store"), "-o", str(tmp_path / "out.zip")])
    assert str(refused.value).startswith(f"{tmp_path / 'store'}, ") and "partial" not in str(refused.value)
    assert "--again" in str(refused.value) and "Ask for the file again" not in str(refused.value) and not (tmp_path / "out.zip").exists()


def test_where_it_cannot_be_written_is_said(lab, tmp_path):
    words = ["pack", "tiny", "--results", str(lab.results), "-o"]
    with pytest.raises(Usage, match=r"-o \S*/none/x.zip: found no folder \S*/none, expected"):
        submission.main([*words, str(tmp_path / "none/x.zip")])
    with pytest.raises(Usage, match=r"found a folder, expected a file's name that ends with \.zip"):
        submission.main([*words, str(tmp_path)])
    (tmp_path / "file").touch()
    with pytest.raises(OSError) as refused, recordings.written_whole(tmp_path / "file/x.zip"):
        pass
    assert refused.value.filename == str(tmp_path / "file/x.zip")  # not of a temporary file


def test_imported_scores_are_not_submitted(lab, tmp_path):
    (tmp_path / "t.csv").write_text("model,V4\npublished,0.5\n")
    store = ["--results", str(tmp_path / "store")]
    done = run("results", "import", tmp_path / "t.csv", "--tree", "brainscore2018", "--source", "test", *store)
    assert done.returncode == 0, done.stderr
    with pytest.raises(BadInput, match='found imported scores of "published" and no score that was made here'):
        submission.main(["pack", "published", *store, "-o", str(tmp_path / "out.zip")])
    with pytest.raises(UnknownName, match="no score of any network"):
        submission.main(["pack", "nobody", *store, "-o", str(tmp_path / "out.zip")])


def test_of_several_weights_under_a_name_the_last_are_packed(lab, tmp_path, capsys):
    store = tmp_path / "store"
    store.mkdir()
    old = {**lab.records[1], "weights_sha256": "b" * 64, "key": "b" * 64, "end": "2020-01-01T00:00:00Z"}
    (store / "1.jsonl").write_text("".join(map(stored.shard_line, [lab.records[1], old])))
    submission.main(["pack", "tiny", "--results", str(store), "-o", str(tmp_path / "out.zip")])
    assert "1 records of other weights" in capsys.readouterr().err
    with Submission(tmp_path / "out.zip") as whole:
        assert [r["key"] for r in whole.records()] == [lab.records[1]["key"]]


def test_patterns_are_those_of_the_command_line(lab):
    names = ["net", "net_1", "net[1]", "a*b", "NET", "x\ny"]
    for pattern in ("net", "net*", "net?1", "net[1]", "a*b", "*", "?et", "x?y", "n.t"):
        trusted = re.compile("".join({"*": "(?s:.*)", "?": "(?s:.)"}.get(c, re.escape(c)) for c in pattern))
        assert [bool(packing.matches(pattern, name)) for name in names] == [trusted.fullmatch(name) is not None for name in names]


def test_more_than_zip_can_say_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(submission_file, "MOST_BYTES", 1000)
    with pytest.raises(BadInput, match="--networks FOLDER"):
        write_archive(tmp_path / "x.zip", {"records.jsonl": bytes(2000)})


def test_usage_is_one_line(tmp_path):
    for words, code in ((["merge"], 2), (["merge", "x.zip", "--networks", "y"], 2), (["merge", "x.zip", "--tolerance", "7"], 2),
                        (["merge", "x.zip", "--rename", "a"], 2), (["pack"], 2), (["verify", "\x1b[2J.zip"], 5), ([], 2)):
        done = subprocess.run([sys.executable, "-m", "cortiscore.submission", *words], capture_output=True, text=True, cwd=tmp_path,
                              env={**os.environ, "PYTHONPATH": str(ROOT / "python")})
        assert done.returncode == code and done.stderr.count("\n") == 1 and "\x1b" not in done.stderr, done.stderr
