"""The store: shards of checksummed JSON lines that survive kill -9, full disks and many writers; `cortiscore results`."""
import csv
import io
import json
import random
import shutil
import signal
import subprocess
import time

import google_crc32c
import pytest

from conftest import BINARY, bytes_read, run


def record(i, status="ok", model=None, key=None, **more):
    out = {"schema_version": 1, "key": key or f"{i:064x}", "status": status, "model_identifier": model or f"net_{i:05d}",
           "benchmark_identifier": "B.V4-pls", "region": "V4", "layer": "conv", **more}
    if status == "ok":
        out |= {"score": {"raw": 0.5, "ceiling": 0.8, "ceiled": 0.3125, "ceiling_convention": "r2_over_c"},
                "error": {"ci_lo": 0.25, "ci_hi": None}, "timing_ms": {"total": 12.5}, "start": "s", "end": "e"}
    else:
        out |= {"message": "broken"}
    return out


def line(of):
    text = json.dumps(of, sort_keys=True, separators=(",", ":"))
    return f'{{"crc32c":"{google_crc32c.value(text.encode()):08x}","record":{text}}}\n'


def shard(folder, name, records):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.jsonl").write_text("".join(map(line, records)))
    return folder


def results(*arguments, cache=None, **env):
    return run("results", *arguments, env={**({"XDG_CACHE_HOME": str(cache)} if cache else {}), **env})


def shown(store, *flags, cache=None):
    done = results("show", "--results", store, "--json", *flags, cache=cache)
    assert done.returncode == 0, done.stderr
    return [json.loads(text) for text in done.stdout.splitlines()]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_lines_carry_the_checksum_that_google_computes(tmp_path):
    """Written by the engine, read here; written here, read by the engine."""
    source = shard(tmp_path / "a", "one", [record(i) for i in range(5)])
    assert results("merge", source, "--results", tmp_path / "b").returncode == 0
    [path] = (tmp_path / "b").glob("*.jsonl")
    lines = path.read_text().splitlines(keepends=True)
    assert lines == [line(record(i)) for i in range(5)]
    assert shown(tmp_path / "b") == [record(i) for i in range(5)]


def test_one_record_a_key_the_last_that_is_ok(tmp_path):
    again = record(1, layer="other")
    store = shard(tmp_path, "2", [again, record(2, "failed", key="f2")])
    shard(store, "1", [record(1), record(2, "failed", key="f1"), record(3, "failed", key="x")])
    shard(store, "3", [record(3), record(1, "failed")])
    assert shown(store) == [again, record(2, "failed", key="f1"), record(2, "failed", key="f2"), record(3)]
    assert [r["key"] for r in shown(store, "--status", "failed")] == ["f1", "f2"]
    assert shown(store, "--network", "net_0000?", "--status", "ok") == [again, record(3)]
    assert shown(store, "--benchmark", "C*") == []


def test_table_and_exports(tmp_path):
    evil = record(7, model="=cmd()\x1b[2J", layer='a,"b"', tags={"epoch": 3})
    trained = record(1, tags={"run": "007", "step": "1500", "epoch": "0.75", "lr": "0.1"}, null={"high": 0.03, "p": 0.01},
                     layer_selection={"method": "nested", "candidates": []})
    store = shard(tmp_path / "s", "1", [trained, record(2, "failed", tags={"step": "last"}), evil])
    done = results("show", "--results", store)
    assert "3 results" in done.stderr and "1 failed" in done.stderr
    assert "failed: broken" in done.stdout and "\x1b" not in done.stdout and r"=cmd()\x1b[2J" in done.stdout
    text = results("export", "--results", store).stdout
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [r["model_identifier"] for r in rows] == [r"'=cmd()\x1b[2J", "net_00001", "net_00002"]
    assert rows[0]["layer"] == 'a,"b"' and json.loads(rows[0]["tags"]) == {"epoch": 3}
    assert [[row[f"tags.{name}"] for name in ("run", "step", "epoch")] for row in rows] == [["", "", "3"], ["007", "1500", "0.75"], ["", "last", ""]]
    assert [rows[1][name] for name in ("layer_selection.method", "null.high", "null.p")] == ["nested", "0.03", "0.01"]
    assert rows[1]["score.ceiled"] == "0.3125" and rows[1]["error.ci_hi"] == "" and rows[2]["message"] == "broken"
    lines = results("export", "--results", store, "--format", "jsonl", "--no-timings").stdout.splitlines()
    assert [set(json.loads(t)) & {"timing_ms", "start", "end"} for t in lines] == [set()] * 3
    import pyarrow.parquet

    done = results("export", "--results", store, "--format", "parquet", "-o", tmp_path / "out.parquet")
    assert done.returncode == 0, done.stderr
    table = pyarrow.parquet.read_table(tmp_path / "out.parquet").to_pylist()
    assert table[1]["null.high"] == 0.03 and table[0]["null.high"] is None and table[1]["layer_selection.method"] == "nested"
    assert table[1]["score.ceiled"] == 0.3125 and table[1]["error.ci_hi"] is None and len(table) == 3
    assert [[row[f"tags.{name}"] for name in ("run", "step", "epoch")] for row in table] == [[None, None, 3.0], ["007", 1500.0, 0.75], [None, None, None]]
    assert json.loads(table[1]["tags"])["lr"] == "0.1" and json.loads(table[2]["tags"]) == {"step": "last"}
    assert sorted(p.name for p in tmp_path.iterdir() if p.name != "cache") == ["out.parquet", "s"]
    assert results("export", "--results", store, "--format", "parquet").returncode == 2
    assert results("export", "--results", store, "-o", "/proc/none/x").returncode == 5


def test_names_are_listed_by_their_numbers(tmp_path):
    names = ["checkpoint-1000", "checkpoint-1500", "checkpoint-500", "b10", "b9", "b09", "b", "a/2", "a/10", "résumé-2", "résumé-11"]
    store = shard(tmp_path / "a", "one", [record(i, model=name) for i, name in enumerate(names)])
    by_number = ["a/2", "a/10", "b", "b09", "b9", "b10", "checkpoint-500", "checkpoint-1000", "checkpoint-1500", "résumé-2", "résumé-11"]
    assert [one["model_identifier"] for one in shown(store)] == by_number


def test_torn_and_damaged_lines_are_left_out_and_named(tmp_path):
    store = shard(tmp_path / "s", "1", [record(1), record(2), record(3)])
    whole = (store / "1.jsonl").read_bytes()
    first = len(line(record(1)))
    for cut in (len(whole) - 1, len(whole) - 100, len(whole) - len(line(record(3))) + 1):
        (store / "1.jsonl").write_bytes(whole[:cut])
        done = results("show", "--results", store, "--json")
        assert [json.loads(t)["key"] for t in done.stdout.splitlines()] == [record(i)["key"] for i in (1, 2)]
        assert "1.jsonl" in done.stderr and "torn" in done.stderr
    bad = bytearray(whole)
    bad[first + 60] ^= 1
    (store / "1.jsonl").write_bytes(bad)
    done = results("show", "--results", store, "--json")
    assert [json.loads(t)["key"] for t in done.stdout.splitlines()] == [record(i)["key"] for i in (1, 3)]
    assert f"byte {first}" in done.stderr
    done = results("gc", "--results", store)
    assert done.returncode == 5 and "1.jsonl" in done.stderr and f"byte {first}" in done.stderr
    assert (store / "1.jsonl").read_bytes() == bad


def test_every_bit_of_a_line_counts(tmp_path):
    """R1: no single flipped bit is read as a record."""
    good = line(record(1)).encode()
    rng = random.Random(0)
    store = tmp_path / "s"
    store.mkdir()
    for _ in range(60):
        bad = bytearray(good)
        at = rng.randrange(len(bad) - 1)
        bad[at] ^= 1 << rng.randrange(8)
        (store / "1.jsonl").write_bytes(line(record(0)).encode() + bytes(bad) + line(record(2)).encode())
        assert [r["key"] for r in shown(store)] == [record(0)["key"], record(2)["key"]], at


def test_merge_and_gc(tmp_path):
    a = shard(tmp_path / "a", "1", [record(i) for i in range(10)])
    b = shard(tmp_path / "b", "1", [record(i) for i in range(5, 15)] + [record(20, "failed")])
    into = tmp_path / "c"
    done = results("merge", a, b, a, "--results", into)
    assert [t.split(": ")[1] for t in done.stdout.splitlines()] == [
        "10 taken, 0 there already", "6 taken, 5 there already", "0 taken, 10 there already"]
    before = shown(into)
    assert before == [record(i) for i in range(15)] + [record(20, "failed")]
    shard(into, "0", [record(3, layer="old"), record(20, "failed", key="older")] + [record(20)])
    before = shown(into)
    assert record(20) in before
    done = results("gc", "--results", into)
    assert done.returncode == 0 and len(list(into.glob("*.jsonl"))) == 1, done.stderr
    assert shown(into) == before
    assert results("merge", tmp_path / "none", "--results", into).returncode == 5


def test_gc_leaves_shards_that_are_written_to(tmp_path):
    import fcntl

    store = shard(tmp_path, "1", [record(1), record(1, layer="new")])
    shard(store, "2", [record(2)])
    shard(store, "3", [record(3)])
    with open(store / "3.jsonl") as living:
        fcntl.flock(living, fcntl.LOCK_EX)
        done = results("gc", "--results", store)
        assert "1 being written" in done.stdout and (store / "3.jsonl").exists()
    assert len(shown(store)) == 3


def test_the_index_is_made_anew(tmp_path):
    store = shard(tmp_path / "s", "1", [record(1)])
    cache = tmp_path / "cache"
    assert len(shown(store)) == 1
    [index] = cache.rglob("*.sqlite")
    index.write_bytes(b"not a database" * 1000)
    assert shown(store) == [record(1)]
    index.unlink()
    assert shown(store) == [record(1)]
    shard(store, "1", [record(1, layer="replaced")])  # by hand, same length or not: the checksum tells
    assert shown(store) == [record(1, layer="replaced")]
    shard(store, "1", [record(2), record(3)])
    assert shown(store) == [record(2), record(3)]
    assert len(shown(store, cache="/proc/none")) == 2
    (store / "1.jsonl").unlink()
    assert shown(store) == []


def test_merge_says_what_is_damaged_where_it_takes_from(tmp_path):
    source = shard(tmp_path / "source", "1", [record(i) for i in range(3)])
    whole = bytearray((source / "1.jsonl").read_bytes())
    whole[60] ^= 1
    (source / "1.jsonl").write_bytes(whole)
    done = results("merge", source, "--results", tmp_path / "into")
    assert done.returncode == 0 and "2 taken" in done.stdout
    assert str(source) in done.stderr and "byte 0" in done.stderr and "checksum" in done.stderr


def edited(path, lines):
    """A file that somebody edits in place: the same file, other bytes."""
    with open(path, "r+b") as file:
        file.write("".join(lines).encode())
        file.truncate()


@pytest.mark.parametrize("edit", [
    lambda lines: lines[1:], lambda lines: [lines[2], lines[0], lines[1]], lambda lines: [*lines[::-1], line(record(7, layer="appended"))],
    lambda lines: [lines[0], line(record(8, layer="x" * 200)), *lines[1:]]], ids=["shorter", "as long", "longer, in another order", "inserted"])
def test_gc_loses_nothing_of_a_shard_that_was_edited(tmp_path, edit):
    """The index has seen it as it was: what is there now is collected, and shown before."""
    lines = [line(record(i, layer="y" * 40 * i)) for i in range(3)]
    store = tmp_path / "store"
    store.mkdir()
    (store / "1.jsonl").write_text("".join(lines))
    assert len(shown(store)) == 3
    edited(store / "1.jsonl", edit(lines))
    expected = sorted((json.loads(text)["record"] for text in edit(lines)), key=lambda one: one["model_identifier"])
    assert shown(store) == expected
    edited(store / "1.jsonl", lines)
    assert len(shown(store)) == 3
    edited(store / "1.jsonl", edit(lines))
    shard(store, "2", [record(20)])
    done = results("gc", "--results", store)
    assert done.returncode == 0 and shown(store) == [*expected, record(20)], done.stderr


def test_gc_of_more_shards_than_a_process_has_descriptors(tmp_path):
    store = tmp_path / "store"
    for i in range(900):
        shard(store, f"{i:04d}", [record(i), record(5000, layer=f"superseded {i}")])
    command = f"ulimit -n 450; exec {BINARY} results gc --results {store}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert done.returncode == 0 and "901 records kept" in done.stdout, done.stdout + done.stderr
    assert len(list(store.glob("*.jsonl"))) == 1
    assert shown(store) == [*(record(i) for i in range(900)), record(5000, layer="superseded 899")]


@pytest.mark.parametrize("odd", [{"status": 7}, {"score": []}, {"model_identifier": None}, {"end": {}, "timing_ms": "soon"}])
def test_a_record_of_odd_types_is_named_and_left_out(tmp_path, odd):
    """Its checksum is right: one such line is no reason to be without the others."""
    store = shard(tmp_path / "store", "1", [record(1), record(2) | odd, record(3)])
    for verb in ("show", "export", "gc"):
        done = results(verb, "--results", store)
        assert done.returncode == 0 and "net_00001" in done.stdout + "net_00001" * (verb == "gc"), (verb, done.stderr)
        assert done.stderr.count("is not as `score` writes one") <= 1
    assert len(shown(store)) >= 2
    done = results("merge", store, "--results", tmp_path / "other")
    assert done.returncode == 0 and len(shown(tmp_path / "other")) >= 2


@pytest.mark.parametrize("words", [
    ["results", "show"], ["results", "show", "--json"], ["results", "export"], ["benchmark", "list"], ["score", "--help"], ["--version"]])
def test_output_that_does_not_arrive_is_a_failure(tmp_path, words):
    """`results export > FILE` on a full disk must not look like a success."""
    store = shard(tmp_path / "store", "1", [record(i) for i in range(3)])
    flags = ["--results", str(store)] if words[0] == "results" else []
    with open("/dev/full", "w") as full:
        done = subprocess.run([BINARY, *words, *flags], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 74 and "standard output" in done.stderr and "No space left" in done.stderr


def faulty(faults, folder, call, kind, *arguments, onwards=False, log=None):
    return run(*arguments, env={"LD_PRELOAD": str(faults), "FAULT_FOLDER": str(folder), "FAULT_CALL": str(call), "FAULT_KIND": kind,
                                **({"FAULT_ONWARDS": "1"} if onwards else {}), **({"FAULT_LOG": str(log)} if log else {})}, seconds=60)


def test_killed_at_every_step_of_a_commit(tmp_path, faults):
    """kill -9 before and behind every file operation of a merge, and of a gc: nothing lost, nothing twice."""
    source = shard(tmp_path / "source", "1", [record(i) for i in range(4)])
    log = tmp_path / "calls"
    faulty(faults, tmp_path / "count", 0, "", "results", "merge", source, "--results", tmp_path / "count", log=log)
    n = int(log.read_text())
    assert n >= 4 * 2 + 3  # a write and a sync a record; the folder, the shard, its lock
    for call in range(1, n + 1):
        for kind in ("kill", "kill-after"):
            store = tmp_path / f"{kind}{call}"
            done = faulty(faults, store, call, kind, "results", "merge", source, "--results", store)
            assert done.returncode == -signal.SIGKILL
            assert all(r in [record(i) for i in range(4)] for r in (shown(store) if store.exists() else []))
            assert results("merge", source, "--results", store).returncode == 0
            assert shown(store) == [record(i) for i in range(4)]
    compacting = shard(tmp_path / "gc", "1", [record(1), record(2)])
    shard(compacting, "2", [record(2, layer="new"), record(3)])
    expected = shown(compacting)
    copy = tmp_path / "copy"
    for call in range(1, 40):
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(compacting, copy)
        done = faulty(faults, copy, call, "kill", "results", "gc", "--results", copy)
        assert shown(copy) == expected, call
        if done.returncode == 0:
            break
    assert done.returncode == 0 and call > 5


@pytest.mark.parametrize("kind", ["ENOSPC", "short", pytest.param("EIO", marks=pytest.mark.slow),
                                  pytest.param("EROFS", marks=pytest.mark.slow)])
def test_failing_writes_say_so_and_lose_nothing(tmp_path, faults, kind):
    source = shard(tmp_path / "source", "1", [record(i) for i in range(3)])
    for onwards in (False, True):
        for call in range(1, 12):
            store = tmp_path / f"{onwards}{call}"
            done = faulty(faults, store, call, kind, "results", "merge", source, "--results", store, onwards=onwards)
            assert done.returncode in ((0, 5) if kind == "short" or not onwards else (5,)) or call > 8, (call, done.stderr)
            if done.returncode:
                assert str(store) in done.stderr and "expected room and permission" in done.stderr
            assert results("merge", source, "--results", store).returncode == 0
            assert shown(store) == [record(i) for i in range(3)]
            assert "warning" not in results("show", "--results", store).stderr or onwards


def test_ten_thousand_results_are_read_once(tmp_path):
    """Checksums are looked at in one reading of the store, and the index is made of another; with it, one result of ten thousand is
    found without that."""
    big = {"layer_selection": {"raw_on_selecting_half": [[0.123456789012] * 12] * 2}, "split_scores": [0.5123456789] * 20,
           "populations": [{"identifier": "p", "raw": 0.25}] * 8}
    few, store = shard(tmp_path / "few", "1", [record(7, **big)]), shard(tmp_path / "s", "1", [record(i, **big) for i in range(10000)])

    def asked(store, model):
        count, out = bytes_read("results", "show", "--json", "--results", store, "--network", model)
        assert [json.loads(line)["model_identifier"] for line in out.splitlines()] == [model]
        return count

    size = (store / "1.jsonl").stat().st_size
    asked(few, "net_00007")
    start = asked(few, "net_00007")  # libraries and an index of one
    cold, warm = (asked(store, model) - start for model in ("net_00007", "net_00008"))
    print(f"{size} bytes of results: {cold} read without an index, {warm} with it")
    assert 2 * size < cold < 2.2 * size and size < warm < 1.2 * size


@pytest.mark.slow
def test_sixteen_writers_killed_at_random(tmp_path):
    """20,000 results by 16 processes into one store, each killed until it is done."""
    rng = random.Random(4)
    sources = [shard(tmp_path / f"source{w}", "1", [record(w * 1250 + i) for i in range(1250)]) for w in range(16)]
    store = tmp_path / "store"
    start = lambda w: subprocess.Popen([BINARY, "results", "merge", sources[w], "--results", store],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    living, kills = {w: start(w) for w in range(16)}, 0
    while living:
        time.sleep(rng.random() * 0.05)
        for w, process in list(living.items()):
            if process.poll() is not None:
                assert process.returncode in (0, -signal.SIGKILL), process.stderr.read()
                del living[w]
                if process.returncode:
                    living[w] = start(w)
        if living and kills < 150:
            rng.choice(list(living.values())).kill()
            kills += 1
    assert kills >= 100
    found = shown(store)
    assert [r["key"] for r in found] == [f"{i:064x}" for i in range(20000)]
    lines = sum(1 for path in store.glob("*.jsonl") for text in path.open() if text.endswith("}}\n"))
    assert lines == 20000  # nothing twice either: a restarted writer sees what it wrote before
