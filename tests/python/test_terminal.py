"""What is drawn on a terminal fits into its width, whatever that is; what goes to a file or a pipe is whole."""
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios

import numpy as np
import pytest

from conftest import BINARY, run

BENCHMARK = "Simulated2026.V4-pls"


def on_terminal(columns, *words, env=None, rc=0, on=("stdout", "stderr")):
    """Every piece of text that stood on a line of a terminal of so many columns before the cursor left it or drew over it."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    streams = {name: slave if name in on else subprocess.DEVNULL for name in ("stdout", "stderr")}
    process = subprocess.Popen([str(BINARY), *map(str, words)], stdin=subprocess.DEVNULL, env={**os.environ, **(env or {})}, **streams)
    out = b""
    while process.poll() is None or select.select([master], [], [], 0.1)[0]:
        if select.select([master], [], [], 0.1)[0]:
            out += os.read(master, 65536)
    os.close(slave)
    os.close(master)
    assert process.returncode == rc, out
    return [line for line in re.split(r"\r\n|\r\x1b\[K|\r", out.decode()) if line]


@pytest.fixture
def networks(home, tmp_path):
    """Activations under long names."""
    bank = np.load(home / "data/Simulated2026/bank_V4.npy")
    paths = [tmp_path / f"a_network_with_a_name_of_some_length_{i}.npy" for i in range(3)]
    for i, path in enumerate(paths):
        np.save(path, bank + i)
    return paths


@pytest.mark.parametrize("columns", [40, 60, 100])
def test_the_lines_of_a_sweep_fit(home, networks, tmp_path, columns):
    env = {"CORTISCORE_HOME": str(home), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    sweep = ["sweep", *networks, "-b", BENCHMARK, "--bootstrap", "20", "--results", tmp_path / "s"]
    drawn = on_terminal(columns, *sweep, env=env, on=("stderr",))
    assert all(line.startswith("note: ") for line in drawn if "note: " in line), drawn  # on lines of their own
    progress = [line for line in drawn if "of 3 pairs" in line]
    assert len(progress) >= 3 and all(len(line) < columns for line in progress), progress
    assert any(line.endswith("\u2026") for line in progress)
    rows = on_terminal(columns, "results", "show", "--results", tmp_path / "s", env=env, on=("stdout",))
    assert len(rows) == 4 and all(len(row) <= columns for row in rows), rows
    assert rows[0].startswith("net") and all(row.startswith("a_ne") for row in rows[1:])
    if columns >= 100:  # numbers stay whole, under their heads
        assert all(re.search(r" \d\.\d{3}  +\d\.\d{3} +\d\.\d{3} ", row) for row in rows[1:]), rows
    whole = run("results", "show", "--results", tmp_path / "s", env=env).stdout
    assert "\u2026" not in whole and networks[0].stem in whole and "layer (region)" in whole


def test_a_progress_line_is_drawn_over_and_never_below(tmp_path):
    random = np.random.default_rng(0)
    np.save(tmp_path / "x.npy", random.standard_normal((60, 20)))
    np.save(tmp_path / "y.npy", random.standard_normal((60, 5)))
    drawn = on_terminal(20, "metric", "ridge", "--source", tmp_path / "x.npy", "--target", tmp_path / "y.npy", "--permutations", "100", "--threads", "1",
                        on=("stderr",))
    bars = [line for line in drawn if line.startswith("permutations")]
    assert bars and all(len(line) < 20 and line.endswith("\u2026") for line in bars), bars


@pytest.mark.parametrize("words", [["benchmark", "list"], ["benchmark", "list", "--region", "V1"]])
def test_tables_fit_and_pipes_are_whole(words):
    whole = run(*words).stdout.splitlines()
    for columns in (60, 90):
        rows = on_terminal(columns, *words, on=("stdout",))
        assert len(rows) == len(whole) and all(len(row) <= columns for row in rows)
        assert any("\u2026" in row for row in rows)
    assert on_terminal(500, *words, on=("stdout",)) == whole
    assert max(map(len, whole)) > 90


def test_a_ranking_fits(tmp_path):
    table = tmp_path / "scores.csv"
    table.write_text(f"model,Cowley2023.V4-pls\n{'a_long_name_' * 4},0.5\n")
    rows = run("results", "rank", "--table", table).stdout.splitlines()
    shown = on_terminal(40, "results", "rank", "--table", table, on=("stdout",))
    assert len(shown) == len(rows) and all(len(row) <= 40 for row in shown), shown
    assert ".500" in shown[1]


def numbers_of(line):
    return re.findall(r"(?<![\w.-])-?\d*\.\d+", line)


@pytest.mark.parametrize("columns", [60, 70, 80])
def test_numbers_stay_whole_where_names_give_way(tmp_path, columns):
    """As they are in a pipe, each of them, in rows whose names are shortened."""
    table = tmp_path / "scores.csv"
    names = ["one", "two", "three", "four", "five"]
    table.write_text("model,V4,IT,behavior_i2n\n" + "".join(f"{'a_long_name_' * 6}{name},0.5{i},0.3{i},0.2{i}\n" for i, name in enumerate(names)))
    flags = ("results", "rank", "--tree", "brainscore2018", "--table", table)
    rows, shown = run(*flags).stdout.splitlines(), on_terminal(columns, *flags, on=("stdout",))
    assert len(shown) == len(rows) == 6 and all(len(row) <= columns for row in shown), shown
    for row, whole in zip(shown[1:], rows[1:], strict=True):
        assert "\u2026" in row and numbers_of(row) == numbers_of(whole) and len(numbers_of(whole)) == 4, (row, whole)
