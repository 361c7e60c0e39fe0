"""What the command line says of words that it does not know, and of values that are missing, empty or given twice."""
import functools
import json
import re
import subprocess

import numpy as np
import pytest

from conftest import BINARY, run, save

XY = ["--source", "x.npy", "--target", "y.npy"]


@pytest.fixture
def arrays(tmp_path):
    random = np.random.default_rng(0)
    return save(tmp_path, source=random.standard_normal((40, 6)), target=random.standard_normal((40, 3)))


@pytest.mark.parametrize("words", [["benchmark", "list", "--threads", "1", "-q"], ["benchmark", "list", "--no-progress"], ["benchmark", "-q", "list"],
                                   ["doctor", "--quiet", "--threads=1"]])
def test_flags_of_every_verb_are_known_after_it(words):
    done = run(*words)
    assert done.returncode == 0, done.stderr


def test_quiet_and_threads_work_after_the_verb(arrays, tmp_path):
    rows = ["metric", "ridge", *arrays]
    assert "matched by place" in run(*rows).stderr
    assert run(*rows, "-q").stderr == ""
    store = tmp_path / "store"
    store.mkdir()
    assert "0 results" in run("results", "show", "--results", store).stderr
    assert run("results", "show", "--results", store, "-q").stderr == ""
    done = run(*rows, "--threads", "many")
    assert done.returncode == 2 and '--threads: found "many", expected a whole number' in done.stderr


@pytest.mark.parametrize("words, said", [
    (["score", "x.npy", "--benchmarks", "V4"], "--benchmarks: no such flag of score; did you mean --benchmark? `cortiscore score --help` lists what it takes."),
    (["score", "x.npy", "-b", "V4", "--benchmrk=V1"], "--benchmrk: no such flag of score; did you mean --benchmark?"),
    (["results", "show", "--stauts", "ok"], "--stauts: no such flag of results show; did you mean --status?"),
    (["results", "show", "--thread", "2"], "--thread: no such flag of results show; did you mean --threads?"),
    (["--thread", "2", "doctor"], "--thread: no such flag of doctor; did you mean --threads?"),
    (["doctor", "--zzz"], "--zzz: no such flag of doctor. `cortiscore doctor --help`"),
    (["scor", "net.pt2", "-b", "V4"], "scor: no such verb of cortiscore; did you mean score? `cortiscore --help` lists what it takes."),
    (["results", "shwo"], "shwo: no such verb of results; did you mean show? `cortiscore results --help`"),
    (["doctor", "x"], 'doctor: found "x", expected no more words. `cortiscore doctor --help`'),
    ([], "cortiscore: found no verb, expected one of score, metric, "),
    (["results"], "results: found no verb, expected one of show, rank, "),
    (["score", "x.npy"], "--benchmark: found none, expected one or more."),
    (["model", "inspect"], "network: found none, expected one."),
    (["metric", "pls", *XY, "--mode", "exact", "--mode", "sklearn"], '--mode: found it 2 times ("exact", "sklearn"), expected it once.'),
    (["metric", "pls", *XY, "--mode"], "--mode: found no value, expected one."),
    (["metric", "pls", *XY, "--mode", "x"], '--mode: found "x", expected sklearn or exact.'),
    (["metric", "pls", *XY, "--stratify="], '--stratify: found "", expected a value.'),
    (["metric", "pls", *XY, "--stratify=", "--json"], '--stratify: found "", expected a value.'),
    (["score", "x.npy", "-b", "V4", "--results", ""], '--results: found "", expected a value.'),
    (["metric", ""], 'name: found "", expected a value.'),
    (["metric", "pls", *XY, "--json=maybe"], '--json: found "maybe", expected no value.'),
    (["metric", "pls", *XY, "--splits", "a.json", "--stratify", "b.npy"], "--splits: found beside --stratify, expected one of the two."),
    (["metric", "pls", *XY, "--ceiling-splits", "3"], "--ceiling-splits: found without --trials, expected both."),
])
def test_what_is_said_of_a_slip(words, said):
    done = run(*words)
    assert done.returncode == 2 and done.stdout == "" and done.stderr.startswith(f"cortiscore: {said}"), done.stderr
    assert done.stderr.count("\n") == 1


def help_of(path):
    """(verbs, flags, {flag or argument: words that it takes}) as --help names them."""
    text = run(*path, "--help").stdout
    verbs = re.findall(r"^  ([\w-]+) ", text.split("\nSubcommands:\n")[1].split("\n\n")[0], re.M) if "\nSubcommands:\n" in text else []
    lines = re.findall(r"^  (?:-\w,)?(--[a-z-]+|[a-z]+) (?:.*?\{([^}]*)\})?", text, re.M)
    return verbs, {name for name, _ in lines if name.startswith("--")}, {name: words.split(",") for name, words in lines if words}


@functools.cache
def script():
    return run("completion").stdout


def completed(*words):
    """What bash offers for the last of `words`."""
    code = script() + 'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _cortiscore; printf "%s\\n" "${COMPREPLY[@]}"'
    done = subprocess.run(["bash", "-c", code, "bash", BINARY, *words], capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return done.stdout.split()


# Verbs whose every word Python reads.
PYTHONS = [["model", "export"], ["model", "convert"], ["results", "verify"], ["analyze"], ["report"], ["serve"], ["submit"]]


def test_completion_offers_what_help_names():
    above = {"--threads", "--quiet", "--no-progress"}
    verbs, flags, _ = help_of([])
    assert set(completed("")) == set(verbs) >= {"score", "results", "doctor"}
    assert set(completed("--")) == flags >= above
    n = 0
    for path in [[verb] for verb in verbs] + [[verb, sub] for verb in ("results", "benchmark", "model") for sub in help_of([verb])[0]]:
        if path in PYTHONS:
            continue
        subs, flags, values = help_of(path)
        assert set(completed(*path, "--")) == flags | above, path
        assert set(subs) <= set(completed(*path, "")), path
        for name, words in values.items():
            assert completed(*path, *([name] if name.startswith("--") else []), "") == words, (path, name)
            n += 1
    assert n > 10


def test_completion_offers_the_names_of_registries():
    on_arrays, on_choices = re.search("on arrays: (.*); on choices and properties: (.*)", run("metric", "--help").stdout).groups()
    assert completed("metric", "") == [*on_arrays.split(", "), *on_choices.split(", ")]
    assert {"internal_consistency", "rsa", "threshold", "i1"} <= set(completed("ceiling", ""))
    listed = [json.loads(line)["identifier"] for line in run("benchmark", "list", "--json").stdout.splitlines()]
    for words in (["score", "-b"], ["layers", "--benchmark"], ["score", "--benchmark", "="], ["benchmark", "info"]):
        assert completed(*words, "Geirhos2021edge") == [name for name in listed if name.startswith("Geirhos2021edge")] != []
    assert "average_vision" in completed("results", "rank", "--tree", "")
    assert completed("--threads", "2", "results", "sh") == ["show"]


def test_files_are_offered_where_a_file_is_taken(tmp_path, monkeypatch):
    (tmp_path / "net.pt2").touch()
    monkeypatch.chdir(tmp_path)
    assert "net.pt2" in completed("score", "ne") and "net.pt2" in completed("layers", "net.pt2", "--plot", "n")
    assert completed("metric", "pls", "--mode", "") == ["sklearn", "exact"]


@pytest.mark.parametrize("words", [["score", "x.npy", "-b", "Cowley2023.V4-pls"], ["layers", "x.pt2", "-b", "Cowley2023.V4-pls"],
                                   ["extract", "x.pt2", "--stimuli", "s.csv", "-l", "1", "-o", "o"],
                                   ["metric", "pls", *XY], ["ceiling", "rsa", "--trials", "t.npy"], ["ceiling", "i2n", "--trials", "t.csv"],
                                   ["sweep", "x.npy", "-b", "Cowley2023.V4-pls"]])
def test_a_device_that_is_not_here_is_refused_everywhere(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.npy").write_bytes(b"")
    env = {"CUDA_VISIBLE_DEVICES": ""}
    done = run(*words, "--device", "cuda:7", env=env)
    assert done.returncode == 7 and done.stderr.startswith("cortiscore: --device cuda:7: found no CUDA device"), done.stderr
    done = run(*words, "--device", "tpu", env=env)
    assert done.returncode == 2 and done.stderr.startswith('cortiscore: --device: found "tpu", expected cpu, cuda or cuda:N.'), done.stderr


def test_layers_have_a_short_flag():
    assert all(re.search(r"^  -l,--layer ", run(verb, "--help").stdout, re.M) for verb in ("score", "sweep", "extract"))
    assert "-l" in run("model", "export", "--help").stdout


@pytest.mark.parametrize("words, old, now", [(["metric", "ridge"], "--precision=fp64", "--products"), (["metric", "ridge", "-q"], "--precision=fp64", None)])
def test_a_renamed_flag_works_with_a_note(words, old, now, arrays):
    done, expected = run(*words, *arrays, old), run(*words, *arrays, "--products", "fp64")
    assert done.returncode == 0 and done.stdout.split("timing")[0] == expected.stdout.split("timing")[0]
    assert (f"note: metric: --precision is called {now} now" in done.stderr) if now else done.stderr == ""


@pytest.mark.parametrize("words, old, now", [
    (["ceiling", "internal_consistency", "--trials", "none.npy"], ["--splits", "3"], "ceiling: --splits is called --ceiling-splits now"),
    (["extract", "none.pt2", "--stimuli", "s.csv", "-l", "1", "-o", "o"], ["--trials", "2"], "extract: --trials is called --repetitions now"),
    (["sweep", "-b", "Cowley2023.V4-pls"], ["--manifest", "none.csv"], "sweep: --manifest is called --checkpoint-table now"),
    (["results", "show", "--results", "none"], ["--model", "a"], "results show: --model is called --network now"),
    (["results", "gc"], ["--store", "none"], "results gc: --store is called --results now"),
])
def test_every_renamed_flag_is_read(words, old, now):
    done = run(*words, *old)
    assert f"note: {now}; the old name goes with the next release" in done.stderr and "none" in done.stderr and done.returncode == 5, done.stderr


def test_a_flag_that_kept_its_name_is_not_renamed():
    assert "is called" not in run("metric", "pls", *XY, "--splits", "none.json", "--trials", "t.npy").stderr
    assert "is called" not in run("score", "none.pt2", "-b", "Cowley2023.V4-pls", "--precision", "bf16").stderr
