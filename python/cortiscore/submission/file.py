"""The file of a submission: a ZIP archive of stored members that has one form only, so that every byte of it can be checked.

    networks/NAME.pt2, networks/NAME.safetensors    graphs and weights, where they travel with the records
    records.jsonl                                   one record a line, as `cortiscore results export --format jsonl` writes it
    submission.json                                 what is inside, by size and SHA-256 (data_manifests/submission.schema.json)

Members lie one behind the other in the order of their names, nothing is compressed, dates are 1 January 1980: the same content is
the same file. Opening one writes what its headers must be and compares, so that there is no second reading of it: no paths, no
links, no duplicates, nothing that grows when it is unpacked, no bytes between members. Nothing in it is run or unpickled.
"""
import dataclasses
import hashlib
import json
import math
import os
import re
import struct
import zlib

from ..recordings import BadInput, check_file, printable
from . import conforms

MANIFEST, RECORDS = "submission.json", "records.jsonl"
NAMES = re.compile(r"submission\.json|records\.jsonl|networks/[A-Za-z0-9][A-Za-z0-9._-]{0,120}\.(pt2|safetensors)")
MOST_BYTES = 2**32 - 1  # what headers without ZIP64 can say
MOST_MEMBERS = 1000
MOST_MANIFEST = 4 * 2**20
MOST_LINE = 16 * 2**20  # a record with 100,000 draws and the values of 4096 neuroids has 0.6 MB
CHUNK = 2**20
# What the schema leaves open and is read here: (field, type, in words).
READ = (("precision.activations", str, "text"), ("device.name", str, "text"), ("engine", dict, "an object"), ("layer", str, "text"),
        ("layer_selection.method", str, "text"), ("layer_selection.candidates", list, "a list"), ("error.n_boot", int, "a whole number"),
        ("error.level", float, "a number"), ("error.seed", int, "a whole number"))
AGAIN = "Ask for the file again, or write it again with `cortiscore submit`."

# APPNOTE 6.3.10, 4.3.7, 4.3.12 and 4.3.16: local header, central header, end. 0x21 is 1 January 1980.
LOCAL, CENTRAL, END = struct.Struct("<4s5H3L2H"), struct.Struct("<4s6H3L5H2L"), struct.Struct("<4s4H2LH")
VERSION, UNIX, DATE, FILE_MODE = 20, 3 << 8, 0x21, 0o100644 << 16


@dataclasses.dataclass(frozen=True)
class Member:
    """A member by what its headers say; `offset` is its local header's."""

    name: str
    crc: int
    size: int
    offset: int

    def local(self):
        return LOCAL.pack(b"PK\3\4", VERSION, 0, 0, 0, DATE, self.crc, self.size, self.size, len(self.name), 0) + self.name.encode()

    def central(self):
        return CENTRAL.pack(b"PK\1\2", UNIX | VERSION, VERSION, 0, 0, 0, DATE, self.crc, self.size, self.size, len(self.name), 0, 0, 0, 0,
                            FILE_MODE, self.offset) + self.name.encode()

    @property
    def start(self):
        return self.offset + LOCAL.size + len(self.name)

    @property
    def end(self):
        return self.start + self.size


def directory(members):
    """The bytes behind the last member."""
    table = b"".join(member.central() for member in members)
    return table + END.pack(b"PK\5\6", 0, 0, len(members), len(members), len(table), members[-1].end, 0)


def chunks(source, size=None):
    """The bytes of a file, of an open file from where it stands, or bytes themselves, a mebibyte at a time."""
    if isinstance(source, bytes):
        yield source
    elif isinstance(source, (str, os.PathLike)):
        with open(source, "rb") as file:
            yield from chunks(file)
    else:
        left = math.inf if size is None else size
        while left and (chunk := source.read(min(CHUNK, left))):
            left -= len(chunk)
            yield chunk


def measured(source, size=None):
    """(CRC-32, SHA-256, size) of the bytes."""
    crc, digest, n = 0, hashlib.sha256(), 0
    for chunk in chunks(source, size):
        crc, n = zlib.crc32(chunk, crc), n + len(chunk)
        digest.update(chunk)
    return crc, digest.hexdigest(), n


def write_archive(path, sources):
    """:param sources: bytes or the path of a file, by the member's name"""
    members, offset = [], 0
    with open(path, "wb") as out:
        for name in sorted(sources):
            crc, _, size = measured(sources[name])
            member = Member(name, crc, size, offset)
            offset = member.end
            if offset > MOST_BYTES:
                raise BadInput(f"{path}: found more than 4 GiB to pack, expected less. Leave networks out and hand them over beside the "
                               "submission: `results merge --rescore --networks FOLDER` finds them there.")
            members.append(member)
            out.write(member.local())
            for chunk in chunks(sources[name]):
                out.write(chunk)
        out.write(directory(members))
        out.flush()
        os.fsync(out.fileno())


def document(value):
    """submission.json's bytes."""
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n").encode()


def with_digest(manifest):
    plain = {name: value for name, value in manifest.items() if name != "digest"}
    return {**plain, "digest": hashlib.sha256(document(plain)).hexdigest()}


def write_submission(path, lines, records, networks, sources, version, author=None, comment=None):
    """:param lines: records as text, one each, in the order to write
    :param records: names of `networks` and `benchmarks` of the records
    :param networks: entries of submission.json's `networks`
    :param sources: paths of files by the member's name"""
    sources = {**sources, RECORDS: "".join(line + "\n" for line in lines).encode()}
    members = []
    for name in sorted(sources):
        _, sha256, size = measured(sources[name])
        members.append({"name": name, "bytes": size, "sha256": sha256})
    manifest = with_digest({"schema_version": 1, "engine": {"version": version}, "author": author, "comment": comment,
                            "records": {"count": len(lines), **records}, "networks": networks, "members": members})
    write_archive(path, {**sources, MANIFEST: document(manifest)})


# --- reading -----------------------------------------------------------------------------------------------------------

def strict_json(text):
    """A JSON document that every reader understands alike: names once, numbers that are finite and fit, Unicode that is whole.

    :raises ValueError: with the reason"""
    def pairs(found):
        value = dict(found)
        if len(value) != len(found):
            raise ValueError("the same name twice in an object")
        return value

    def real(digits):
        if not math.isfinite(value := float(digits)):
            raise ValueError(f"the number {digits[:40]}, which is too large")
        return value

    def whole(digits):
        if len(digits) > 19 or not -2**63 <= (value := int(digits)) < 2**63:
            raise ValueError(f"the number {digits[:40]}, which is too large")
        return value

    def constant(name):
        raise ValueError(f"{name}, which is no JSON")

    try:
        value = json.loads(text, object_pairs_hook=pairs, parse_float=real, parse_int=whole, parse_constant=constant)
        json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("lists or objects nested hundreds of times") from None
    except UnicodeEncodeError:
        raise ValueError("half of a character") from None
    return value


def record_problem(record):
    """(field, found, expected) of what a record that is submitted lacks or contradicts; None where there is nothing."""
    if found := conforms.problem(conforms.schema("record"), record):
        place, expected = found
        return place or "the record", _shown(_at(record, place)), expected
    if record["status"] != "ok":
        return "status", _shown(record["status"]), "\"ok\": a score of a network that ran"
    for field, kind, expected in READ:
        if type(_at(record, field)) is not kind:
            return field, _shown(_at(record, field)), expected
    if not all(isinstance(name, str) for name in record["layer_selection"].get("chosen_on", [])):
        return "layer_selection.chosen_on", _shown(record["layer_selection"]["chosen_on"]), "names of benchmarks"
    for field in ("model_identifier", "benchmark_identifier", "region"):
        value = record[field]
        if not isinstance(value, str) or not value or len(value) > 500 or printable(value) != value:
            return field, _shown(value), "a name of characters that show"
    if not re.fullmatch(r"\w[\w.+-]*", record["benchmark_identifier"]):  # a path would name a manifest of the machine that scores
        return "benchmark_identifier", _shown(record["benchmark_identifier"]), "a benchmark's name"
    for field in ("start", "end"):
        if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z", str(record[field]), re.ASCII):
            return field, _shown(record[field]), "a time like 2026-11-30T12:00:00Z"
    score = record["score"]
    for field, of, value in (("raw", "raw.score", record["raw"]["score"]), ("ceiling", "ceiling.ceiling", record["ceiling"]["ceiling"])):
        if score[field] != value:
            return f"score.{field}", _shown(score[field]), f"{_shown(value)}, as {of} says"
    return None


def _at(record, place):
    """What a record holds at a.b.c; its missing parts are None."""
    for name in filter(None, place.split(".")):
        record = record.get(name) if isinstance(record, dict) else record[int(name)] if isinstance(record, list) else None
    return record


def _shown(value):
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."


class Submission:
    """A submission that was checked as a whole when it was opened; a `with` closes its file.

    :raises BadInput: the file is not as `cortiscore submit` writes it, byte for byte, or a record is not as it must be"""

    def __init__(self, path, called=None, action=AGAIN):
        """:param called: what refusals name instead of the path
        :param action: what refusals advise"""
        check_file(path, "a submission")
        self.path, self.file = path, open(path, "rb")
        self.called, self.action = called or path, action
        try:
            self.members = {member.name: member for member in self._members()}
            hashes = self._hashes()
            self.manifest = self._manifest(hashes)
            self._check_contents()
        except BaseException:
            self.file.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()

    def refuse(self, where, found, expected, action=None):
        raise BadInput(f"{self.called}{', ' if where else ''}{where}: found {found}, expected {expected}. {action or self.action}")

    def read(self, name):
        member = self.members[name]
        self.file.seek(member.start)
        return self.file.read(member.size)

    def extract(self, name, target):
        """Copies a member to a file; it must still be what was checked."""
        member = self.members[name]
        self.file.seek(member.start)
        with open(target, "wb") as out:
            for chunk in chunks(self.file, member.size):
                out.write(chunk)
        if measured(target) != (member.crc, next(m["sha256"] for m in self.manifest["members"] if m["name"] == name), member.size):
            self.refuse(name, "other bytes than a moment ago", "a file that nobody writes to")
        return target

    def records(self):
        """Records, one after the other."""
        member = self.members[RECORDS]
        self.file.seek(member.start)
        place = member.start
        for number in range(1, self.manifest["records"]["count"] + 1):
            self.file.seek(place)
            line = self.file.readline(min(MOST_LINE, member.end - place) + 1)
            place += len(line)
            yield self._record(line, number)
        if place != member.end:
            self.refuse(RECORDS, f"more than {self.manifest['records']['count']} lines", f"as many as {MANIFEST} says")

    def _members(self):
        size = os.fstat(self.file.fileno()).st_size
        if size > MOST_BYTES:
            self.refuse("", f"{size} bytes", "at most 4 GiB")
        self.file.seek(0)
        if self.file.read(2) != b"PK" or size < END.size:
            self.refuse("", "no ZIP archive", "a submission")
        self.file.seek(size - END.size)
        sign, _, _, _, count, length, start, _ = END.unpack(self.file.read(END.size))
        if sign != b"PK\5\6" or start + length + END.size != size:
            self.refuse("", "an end that is cut off, or that something follows", "a whole archive")
        if count > MOST_MEMBERS or length > MOST_MEMBERS * (CENTRAL.size + 200):
            self.refuse("", f"{count} members in a list of {length} bytes", f"at most {MOST_MEMBERS}")
        self.file.seek(start)
        table, place, members = self.file.read(length), 0, []
        for _ in range(count):
            if place + CENTRAL.size > len(table):
                self.refuse("", "a list of members that is cut off", "a whole archive")
            fields = CENTRAL.unpack_from(table, place)
            method, crc, packed, n_bytes, n_name, n_extra, n_comment, offset = *fields[4:5], *fields[7:13], fields[16]
            raw = table[place + CENTRAL.size:place + CENTRAL.size + n_name]
            name = raw.decode("ascii", errors="backslashreplace")
            if not NAMES.fullmatch(name):
                self.refuse("", f"a member called \"{name[:200]}\"", f"{MANIFEST}, {RECORDS} and networks/NAME")
            if method or packed != n_bytes:
                self.refuse(name, "a compressed member", "members that are stored as they are")
            members.append(Member(name, crc, n_bytes, offset))
            place += CENTRAL.size + n_name + n_extra + n_comment
        names = [member.name for member in members]
        if len(set(names)) < len(names):
            self.refuse(next(name for name in names if names.count(name) > 1), "it twice", "each member once")
        for name in (MANIFEST, RECORDS):
            if name not in names:
                self.refuse("", f"no {name}", "a submission")
        ends = [0, *(member.end for member in members)]
        if names != sorted(names) or ends != [*(member.offset for member in members), start]:
            self.refuse("", "members in another order, or bytes between them", "them one behind the other, by name")
        self.file.seek(size - END.size)
        if table + self.file.read() != directory(members):
            self.refuse("", "headers of another form", "an archive as `cortiscore submit` writes it")
        return members

    def _hashes(self):
        """SHA-256 of every member by name; sets that of the file."""
        whole, hashes = hashlib.sha256(), {}
        for member in self.members.values():
            self.file.seek(member.offset)
            header = self.file.read(member.start - member.offset)
            if header != member.local():
                self.refuse(member.name, "a header of another form", "an archive as `cortiscore submit` writes it")
            whole.update(header)
            crc, digest, n = 0, hashlib.sha256(), 0
            for chunk in chunks(self.file, member.size):
                crc, n = zlib.crc32(chunk, crc), n + len(chunk)
                digest.update(chunk)
                whole.update(chunk)
            if (crc, n) != (member.crc, member.size):
                self.refuse(member.name, f"CRC-32 {crc:08x} of {n} bytes", f"{member.crc:08x} of {member.size}")
            hashes[member.name] = digest.hexdigest()
        whole.update(directory(list(self.members.values())))
        self.sha256 = whole.hexdigest()
        return hashes

    def _manifest(self, hashes):
        if self.members[MANIFEST].size > MOST_MANIFEST:
            self.refuse(MANIFEST, f"{self.members[MANIFEST].size} bytes", f"at most {MOST_MANIFEST}")
        text = self.read(MANIFEST)
        try:
            manifest = strict_json(text)
        except ValueError as error:
            self.refuse(MANIFEST, f"\"{error}\"", "JSON")
        if problem := conforms.problem(conforms.schema("submission"), manifest):
            self.refuse(f"{MANIFEST}, {problem[0] or 'all'}", _shown(_at(manifest, problem[0])), problem[1])
        if document(manifest) != text or with_digest(manifest) != manifest:
            self.refuse(f"{MANIFEST}, digest", manifest["digest"], f"{with_digest(manifest)['digest']}, of the document as it is written")
        listed = {member["name"]: (member["bytes"], member["sha256"]) for member in manifest["members"]}
        found = {name: (member.size, hashes[name]) for name, member in self.members.items() if name != MANIFEST}
        for name in sorted(listed.keys() | found.keys()):
            if listed.get(name) != found.get(name):
                there, wanted = ("nothing" if one is None else f"{one[0]} bytes, SHA-256 {one[1]}"
                                 for one in (found.get(name), listed.get(name)))
                self.refuse(name, there, f"{wanted}, as {MANIFEST} says")
        if len(listed) != len(manifest["members"]):
            self.refuse(f"{MANIFEST}, members", "a name twice", "each once")
        return manifest

    def _check_contents(self):
        seen, networks, benchmarks, scored = set(), set(), set(), set()
        for number, record in enumerate(self.records(), 1):
            name = (record["key"], record["model_identifier"])
            if name in seen:
                self.refuse(f"{RECORDS}, line {number}", f"a second record of {record['model_identifier']} with its key", "each once")
            seen.add(name)
            networks.add(record["model_identifier"])
            benchmarks.add(record["benchmark_identifier"])
            scored.add((record.get("graph_sha256"), record["weights_sha256"]))
        found = {"count": len(seen), "networks": sorted(networks), "benchmarks": sorted(benchmarks)}
        if found != self.manifest["records"]:
            self.refuse(f"{MANIFEST}, records", _shown(self.manifest["records"]), _shown(found))
        named = set()
        for entry in self.manifest["networks"]:
            if (entry["graph_sha256"], entry["weights_sha256"]) not in scored:
                self.refuse(f"{MANIFEST}, networks", f"{entry['archive']}, of which no record is", "networks of the records")
            named |= {entry["archive"], entry["weights"]} - {None}
        inside = self.members.keys() - {MANIFEST, RECORDS}
        if named != inside:
            self.refuse(f"{MANIFEST}, networks", ", ".join(sorted(named)) or "none", ", ".join(sorted(inside)) or "none, as none is inside")

    def _record(self, line, number):
        where = f"{RECORDS}, line {number}"
        if len(line) > MOST_LINE:
            self.refuse(where, f"more than {MOST_LINE} bytes", "a record")
        if not line.endswith(b"\n"):
            self.refuse(where, "no end of the line", f"as many lines as {MANIFEST} says")
        try:
            record = strict_json(line)
        except ValueError as error:
            self.refuse(where, f"\"{error}\"", "a record as JSON")
        try:
            problem = record_problem(record)
        except RecursionError:
            problem = ("the record", "lists or objects nested hundreds of times", "less")
        if problem:
            self.refuse(f"{where}, {problem[0]}", problem[1], problem[2])
        return record
