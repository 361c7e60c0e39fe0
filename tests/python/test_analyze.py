"""`cortiscore analyze`: numbers against SciPy, brute force and the published table; what cannot be said is not said."""
import base64
import csv
import io
import json
import re
import subprocess
import sys
import xml.etree.ElementTree

import numpy as np
import pytest
import scipy.optimize
import scipy.stats

from conftest import BINARY, ROOT, run, write
from test_composite import store_of

sys.path.insert(0, str(ROOT / "python"))
from cortiscore import analyze
from cortiscore.analysis import best, definitions, imagenet, inputs, output, resampling, segments, size, trees, unexplained
from cortiscore.recordings import BadInput, Usage

HOSTILE = ["\x1b[2J\x1b]0;x\x07", "=cmd|' /C calc'!A0", "<script>alert(1)</script>", "$\\frac{1}{0$ $x$", "a\u202eb", "%s{0}{}",
           "名前\u0301", "'; --"]


def asked(*words, notes=False):
    """As binary.ask, of the command line that is loaded already."""
    done = run(*words, "--json")
    if done.returncode:
        raise BadInput(done.stderr.strip().removeprefix("cortiscore: "))
    if notes:
        sys.stderr.write(done.stderr)
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(autouse=True)
def this_program(monkeypatch):
    monkeypatch.setenv("CORTISCORE_BINARY", str(BINARY))
    for module in (inputs, trees, unexplained):
        monkeypatch.setattr(module, "ask", asked)


@pytest.fixture
def leaderboard(real_data):
    return real_data / "published_tables/brainscore2018_leaderboard.tsv"


def no_constant(text):
    raise AssertionError(f"JSON holds {text}")


def analysed(capsys, *words):
    """The JSON object of a question; it has neither NaN nor Infinity."""
    capsys.readouterr()
    analyze.main([*map(str, words), "--json"])
    [line] = capsys.readouterr().out.splitlines()
    return json.loads(line, parse_constant=no_constant)


def drawn(draws=400, seed=1, level=0.95):
    return resampling.Resampling(draws, seed, level)


def repeated(counts, values):
    """The bootstrap sample that counts stand for."""
    return np.repeat(values, counts.astype(int))


# The bootstrap

@pytest.mark.parametrize("method, theirs", [("pearson", scipy.stats.pearsonr), ("spearman", scipy.stats.spearmanr)])
def test_every_draw_is_what_scipy_says_of_the_sample(method, theirs):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 6, 14).astype(float)  # ties
    y = x + rng.normal(0, 2, 14)
    [counts] = drawn(200).counts(14)
    assert (counts.sum(axis=1) == 14).all() and len(np.unique(counts, axis=0)) == 200
    found = resampling.correlation_draws(counts, x, y, method)
    expected = [theirs(repeated(row, x), repeated(row, y)).statistic for row in counts]
    assert found == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("method, theirs", [("pearson", scipy.stats.pearsonr), ("spearman", scipy.stats.spearmanr)])
def test_intervals_are_those_of_scipys_bootstrap(method, theirs):
    rng = np.random.default_rng(1)
    x = rng.normal(size=40)
    y = 0.6 * x + rng.normal(size=40)
    ours = resampling.correlation(x, y, drawn(10000), method)
    interval = scipy.stats.bootstrap((x, y), lambda a, b: theirs(a, b).statistic, paired=True, vectorized=False, method="percentile",
                                     n_resamples=1500, rng=2).confidence_interval
    assert ours["value"] == pytest.approx(theirs(x, y).statistic, abs=1e-12)
    assert [ours["lo"], ours["hi"]] == pytest.approx(list(interval), abs=0.03)
    assert ours["n"] == 40 and ours["undefined_draws"] == 0


def test_matrix_and_pairs_are_the_same_numbers():
    rng = np.random.default_rng(2)
    columns = {f"b{i}": rng.normal(size=25) + i * rng.normal(size=25) for i in range(7)}
    columns["b1"][3] = columns["b2"][3] = columns["b2"][7] = np.nan
    columns["flat"] = np.ones(25)
    columns["b6"] = np.round(columns["b6"])
    for method in ("pearson", "spearman"):
        found = resampling.correlations(columns, drawn(300), method)
        assert len(found) == 8 * 7 / 2
        for (a, b), of in found.items():
            expected = resampling.correlation(columns[a], columns[b], drawn(300), method)
            assert {k: of[k] for k in ("n", "reason")} == {k: expected[k] for k in ("n", "reason")}
            if of["value"] is not None:
                assert [of[k] for k in ("value", "lo", "hi")] == pytest.approx([expected[k] for k in ("value", "lo", "hi")], abs=1e-9)
        assert found["b0", "flat"]["value"] is None and "same value" in found["b0", "flat"]["reason"]


def test_an_interval_holds_what_is_true_about_as_often_as_it_says():
    """Independent noise of 40 networks: zero lies within in some 95 of 100 worlds."""
    rng = np.random.default_rng(3)
    held = sum(output.holds_zero(resampling.correlation(rng.normal(size=40), rng.normal(size=40), drawn(500))) for _ in range(200))
    assert 176 <= held <= 198  # 188 of 200 is what the percentile bootstrap has here; binomial deviation 3.4


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_fewer_than_four_networks_have_no_number(n):
    x = np.arange(8.0)
    y = np.where(np.arange(8) < n, x, np.nan)
    of = resampling.correlation(x, y, drawn())
    assert (of["value"], of["lo"], of["hi"], of["n"]) == (None, None, None, n) and f"{n} networks" in of["reason"]


def test_draws_without_a_value_are_counted_and_too_many_leave_no_interval():
    x, y = np.array([0.0, 0, 0, 0, 0, 0, 0, 1]), np.array([0, 0.1, 0.2, 0.1, 0, 0.3, 0.1, 1])
    of = resampling.correlation(x, y, drawn(2000))
    # The one that differs is in no draw of (7 / 8)^8 of them: 0.344.
    assert of["undefined_draws"] / 2000 == pytest.approx((7 / 8) ** 8, abs=0.04)
    assert of["value"] is not None and of["lo"] is None and "draws" in of["reason"]


def test_fewer_than_eight_networks_have_no_interval():
    """All five rank alike, and in every draw of them: that says nothing of other networks."""
    of = resampling.correlation(np.arange(5.0), np.arange(5.0) ** 2, drawn(), "spearman")
    assert of["value"] == pytest.approx(1) and of["lo"] is None and "5 networks" in of["reason"] and output.holds_zero(of)
    assert resampling.correlation(np.arange(8.0), np.arange(8.0) ** 2, drawn())["lo"] > 0


# The breakpoint

def brute_force(x, y, fewest):
    """Least squares of (1, x, max(x - c, 0)) at every c of a fine grid, refined around the best."""
    def cost(c):
        if (x <= c).sum() < fewest or (x >= c).sum() < fewest:
            return np.inf
        design = np.stack([np.ones_like(x), x, np.maximum(x - c, 0)], axis=1)
        return ((y - design @ np.linalg.lstsq(design, y, rcond=None)[0]) ** 2).sum()

    grid = np.union1d(np.linspace(x.min(), x.max(), 2001), x)
    costs = np.array([cost(c) for c in grid])
    at = int(np.argmin(costs))
    low, high = grid[max(at - 1, 0)], grid[min(at + 1, len(grid) - 1)]
    refined = scipy.optimize.minimize_scalar(cost, bounds=(low, high), method="bounded", options={"xatol": 1e-10})
    return min((refined.fun, refined.x), (costs[at], grid[at]))


@pytest.mark.parametrize("seed", range(12))
def test_the_breakpoint_is_the_best_there_is(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(12, 40))
    x = rng.uniform(40, 90, n) if seed % 2 else rng.integers(40, 60, n).astype(float)  # with ties
    y = 0.01 * x - (0.02 * np.maximum(x - 62, 0) if seed % 3 else 0) + rng.normal(0, 0.05, n)
    fewest = segments.fewest_a_side(n)
    fitted = segments.fit(x, y, np.ones((1, n)), fewest)
    cost, place = brute_force(x, y, fewest)
    assert fitted["sum_of_squares"][0] == pytest.approx(cost, rel=1e-6)
    assert fitted["sum_of_squares"][0] <= cost * (1 + 1e-9)
    c = fitted["breakpoint"][0]
    design = np.stack([np.ones_like(x), x, np.maximum(x - c, 0)], axis=1)
    coefficients, *_ = np.linalg.lstsq(design, y, rcond=None)
    assert [fitted["intercept"][0], fitted["slope_below"][0]] == pytest.approx(coefficients[:2], rel=1e-6, abs=1e-9)
    assert fitted["slope_above"][0] == pytest.approx(coefficients[1] + coefficients[2], rel=1e-6, abs=1e-9)
    line = scipy.stats.linregress(x, y)
    assert fitted["sum_of_squares_one"][0] == pytest.approx(((y - line.intercept - line.slope * x) ** 2).sum(), rel=1e-9)


def test_draws_of_the_breakpoint_are_fits_of_the_samples():
    rng = np.random.default_rng(5)
    x = rng.uniform(0, 10, 30)
    y = np.minimum(x, 6) + rng.normal(0, 0.3, 30)
    [counts] = drawn(40).counts(30)
    together = segments.fit(x, y, counts, 4)
    for i, row in enumerate(counts):
        alone = segments.fit(repeated(row, x), repeated(row, y), np.ones((1, 30)), 4)
        for name in ("sum_of_squares", "breakpoint", "slope_below", "slope_above"):
            assert together[name][i] == pytest.approx(alone[name][0], rel=1e-6, abs=1e-8), name


def test_a_planted_kink_is_found_and_its_interval_holds_it():
    rng = np.random.default_rng(6)
    held, beats = 0, 0
    for _ in range(40):
        x = rng.uniform(40, 84, 60)
        y = 0.0025 * np.minimum(x, 68) + rng.normal(0, 0.008, 60)
        found = imagenet.two_segments(y, x, drawn(300))
        held += found["breakpoint"]["lo"] <= 68 <= found["breakpoint"]["hi"]
        beats += found["beats_one_line"]
        assert found["slope_change"]["value"] == pytest.approx(found["slope_above"]["value"] - found["slope_below"]["value"])
    assert held >= 33 and beats >= 36


def test_one_line_is_rarely_beaten_by_two():
    """5 % of worlds with one line, also where errors grow: the largest F has not F's distribution, which would say so in many more."""
    rng = np.random.default_rng(7)
    beaten = naive = 0
    for _ in range(150):
        x = rng.uniform(40, 84, 40)
        y = 0.002 * x + rng.normal(0, 0.01, 40) * (0.5 + (x - 40) / 44)
        found = imagenet.two_segments(y, x, drawn(150))
        beaten += found["beats_one_line"]
        naive += scipy.stats.f.sf(found["F"], 1, 36) < 0.05
    assert beaten <= 16 and naive > beaten  # 7.5 expected


def test_bic_is_that_of_the_formula():
    rng = np.random.default_rng(8)
    x, n = rng.uniform(0, 1, 30), 30
    y = np.abs(x - 0.5) + rng.normal(0, 0.05, 30)
    found = segments.against_one_line(x, y, 4, drawn(200))
    fitted = segments.fit(x, y, np.ones((1, n)), 4)
    likelihood = lambda squares: -n / 2 * (np.log(2 * np.pi * squares / n) + 1)
    bic = lambda squares, k: k * np.log(n) - 2 * likelihood(squares)
    assert found["bic_difference"] == pytest.approx(bic(fitted["sum_of_squares"][0], 5) - bic(fitted["sum_of_squares_one"][0], 3), rel=1e-9)
    assert found["bic_difference"] < 0 and found["p"] == pytest.approx(1 / 201)


def test_too_few_on_a_side_have_no_breakpoint():
    assert imagenet.two_segments(np.arange(7.0), np.arange(7.0) ** 2, drawn())["breakpoint"] is None
    reason = imagenet.two_segments(np.arange(30.0), np.repeat([1.0, 2, 3], 10), drawn())["reason"]
    assert "3 different" in reason


# The published table

@pytest.mark.parametrize("row, every, below, above", [
    ("brain_score", 0.915, 0.904, 0.312), ("V4", 0.565, 0.202, 0.277), ("IT", 0.718, 0.863, -0.033), ("behavior_i2n", 0.859, 0.827, 0.208)])
def test_brain_score_and_imagenet_as_published(capsys, leaderboard, row, every, below, above):
    found = analysed(capsys, "imagenet", "--table", leaderboard, "--draws", 300)
    assert (found["n_all"], found["n_below"], found["n_above"]) == (61, 37, 24)
    [of] = [r for r in found["rows"] if r["scores"] == row]
    assert [of[key]["value"] for key in ("r_all", "r_below", "r_above")] == pytest.approx([every, below, above], abs=6e-4)
    rows = list(csv.DictReader(open(leaderboard), delimiter="\t"))
    x, y = (np.array([float(r[name]) for r in rows]) for name in ("imagenet_top1", row))
    assert of["r_above"]["value"] == pytest.approx(scipy.stats.pearsonr(x[x >= 70], y[x >= 70]).statistic, abs=1e-12)


def test_the_sentence_on_the_table(capsys, leaderboard):
    found = analysed(capsys, "imagenet", "--table", leaderboard, "--draws", 2000)
    assert found["rows"][0]["scores"] == "brain_score" and "61 networks" in found["sentence"]
    assert "0.915" in found["sentence"] and "the 24 at or above" in found["sentence"]
    it = next(r for r in found["rows"] if r["scores"] == "IT")
    assert "not told from zero" in imagenet.sentence({**found, "rows": [it]}, 0.95)


def test_same_seed_same_bytes(capsys, leaderboard):
    twice = [analysed(capsys, "imagenet", "--table", leaderboard, "--draws", 200, "--seed", 5) for _ in range(2)]
    other = analysed(capsys, "imagenet", "--table", leaderboard, "--draws", 200, "--seed", 6)
    assert twice[0] == twice[1] != other


def test_who_is_best_on_the_table(capsys, leaderboard):
    found = analysed(capsys, "best", "--table", leaderboard)
    assert {row["scores"]: row["best"] for row in found["rows"]} == {
        "brain_score": "densenet-169", "V4": "vgg-19", "IT": "densenet-169", "behavior_i2n": "resnet-101_v2"}
    assert all(row["method"] == "equal" and row["n_not_separated"] == 0 for row in found["rows"])
    assert "nothing is said of how sure" in found["sentence"] and "no errors" in " ".join(found["notes"])


def test_what_is_unexplained_on_the_table(capsys, leaderboard):
    ceilings = {"V4": 0.89503, "IT": 0.82184}
    flags = [word for name, value in ceilings.items() for word in ("--ceiling", f"{name}={value}")]
    found = analysed(capsys, "unexplained", "--table", leaderboard, *flags, "--draws", 200)
    rows = {row["scores"]: row for row in found["rows"]}
    table = list(csv.DictReader(open(leaderboard), delimiter="\t"))
    for name, ceiling in ceilings.items():
        r = np.array([float(row[name]) for row in table])
        assert rows[name]["best"]["value"] == pytest.approx(1 - r.max() ** 2 / ceiling)
        assert rows[name]["mean"]["value"] == pytest.approx(np.mean(1 - r ** 2 / ceiling))
        assert rows[name]["best"]["lo"] is None and rows[name]["mean"]["lo"] < rows[name]["mean"]["value"] < rows[name]["mean"]["hi"]
    assert rows["behavior_i2n"]["best"] is None and "--ceiling" in rows["behavior_i2n"]["reason"]
    assert found["best_overall"] == "densenet-169" and found["groups"]["neural"]["best"]["benchmarks"] == 2
    assert found["groups"]["behavior"]["best"] is None and "behaviour" not in found["sentence"]


# Tables

ROWS = [{"model": f"net{i}", "score": round(0.1 + 0.05 * i, 3), "imagenet_top1": 50 + 4 * i} for i in range(10)]


def changed(rows, i, **values):
    return [{**row, **(values if place == i else {})} for place, row in enumerate(rows)]


def as_text(path, rows, separator=",", bom=""):
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), delimiter=separator)
    writer.writeheader()
    writer.writerows(rows)
    path.write_text(bom + text.getvalue(), encoding="utf-8")
    return path


@pytest.mark.parametrize("name, separator, bom", [("t.csv", ",", ""), ("t.csv", ";", "\ufeff"), ("t.tsv", "\t", "\ufeff")])
def test_tables_as_programs_write_them(capsys, tmp_path, name, separator, bom):
    rows = changed(changed(changed(ROWS, 0, score="X"), 1, score=""), 2, score="NA")
    found = analysed(capsys, "imagenet", "--table", as_text(tmp_path / name, rows, separator, bom), "--draws", 100)
    [row] = found["rows"]
    assert row["r_all"]["n"] == 7 and found["n_all"] == 10 and row["r_all"]["value"] == pytest.approx(1)


@pytest.mark.parametrize("rows, words", [
    (changed(ROWS, 4, model="net1"), ("line 6, column model", "net1 a second time", "line 3")),
    (changed(ROWS, 4, model=" "), ("line 6, column model", "found nothing")),
    ([{"network": "a", "score": 1}], ("columns: found network, score", "called model")),
    (changed(ROWS, 4, score="0,3"), ("line 6, column score", "0,3", "expected a number")),
    (changed(ROWS, 4, score="inf"), ("line 6, column score", "inf")),
    ([{**row, "imagenet_top1": row["imagenet_top1"] / 100} for row in ROWS], ("imagenet_top1", "per cent", "100")),
    (changed(ROWS, 4, imagenet_top1=101), ("imagenet_top1", "101")),
    ([{**row, "parameters": 0} for row in ROWS], ("parameters", "above zero")),
    ([{**row, "imagenet_top1": "good"} for row in ROWS], ("imagenet_top1", "good"))])
def test_tables_that_are_refused(capsys, tmp_path, rows, words):
    with pytest.raises(BadInput) as refused:
        analysed(capsys, "imagenet", "--table", as_text(tmp_path / "t.csv", rows), "--draws", 100)
    assert refused.value.exit_code == 5 and all(word in str(refused.value) for word in words), str(refused.value)


def test_decimal_commas_are_what_points_are(capsys, tmp_path):
    rows = [(f"n{i}", 0.01 * i * i, 50 + i / 2) for i in range(1, 9)]
    for name, separator, decimal in (("points.csv", ",", "."), ("commas.csv", ";", ",")):
        lines = (separator.join([network, *(f"{value:.4f}".replace(".", decimal) for value in values)]) for network, *values in rows)
        (tmp_path / name).write_text("\n".join([separator.join(["model", "score", "imagenet_top1"]), *lines]) + "\n")
    found = [analysed(capsys, "imagenet", "--table", tmp_path / name, "--draws", 100) for name in ("points.csv", "commas.csv")]
    assert found[0]["rows"] == found[1]["rows"] and found[0]["n_all"] == 8


def test_text_columns_are_left_out_and_named(capsys, tmp_path):
    rows = [{**row, "family": "cnn"} for row in ROWS]
    found = analysed(capsys, "imagenet", "--table", write(tmp_path / "t.csv", rows), "--draws", 100)
    assert [row["scores"] for row in found["rows"]] == ["score"] and "column family is text and left out" in found["notes"]


def test_columns_that_may_be_no_scores_are_named(capsys, tmp_path, monkeypatch):
    """What is called as no benchmark is counts as one only between -1 and 1.5, and is named; so is what is left out."""
    odd = {"params": 5.3, "batch_size": 64, "id": 7, "top1": 71.2}
    rows = [{**row, "V4": 0.3, V1: 0.2, "mine": 0.4, "top1_share": 0.7, **odd} for row in ROWS]
    table = write(tmp_path / "t.csv", rows)
    for question in ("best", "benchmarks", "unexplained"):
        analyze.main([question, "--table", str(table), "--draws", "100"])
        said = capsys.readouterr()
        assert "note: columns taken as benchmarks: mine, top1_share\n" in said.err and not [name for name in odd if f"\n{name} " in said.out]
        assert "note: columns left out, with numbers beyond -1 to 1.5, which are no scores: params, batch_size, id, top1\n" in said.err
    found = analysed(capsys, "best", "--table", table)
    assert [row["scores"] for row in found["rows"]] == ["score", "V4", V1, "mine", "top1_share"]
    known = analysed(capsys, "best", "--table", write(tmp_path / "known.csv", [{**row, "V4": 0.3} for row in ROWS]))
    assert known["notes"] == ["the table has no errors of its scores"]
    for name in ("score", "V4", V1):
        with pytest.raises(BadInput, match=f"column {name}: found 30, expected scores whose ceiling is 1. Divide per cent by 100"):
            analysed(capsys, "best", "--table", write(tmp_path / "cents.csv", [{**row, name: 30} for row in ROWS]))
    # Nothing but what is known of networks: the store's scores, as where there are no such columns.
    store, *_ = paired_store()
    store.install(monkeypatch)
    found = analysed(capsys, "best", "--table", write(tmp_path / "sizes.csv", [{"model": f"net{i}", "params": 5, "depth": 3} for i in range(6)]))
    assert found["rows"][0]["scores"] == "average_vision" and "left out" in " ".join(found["notes"])


def test_flags_that_are_wrong(capsys, tmp_path):
    table = write(tmp_path / "t.csv", ROWS)
    for words in (["imagenet", "--breakpoint", "x"], ["imagenet", "--draws", "5"], ["best", "--level", "1"], ["best", "--seed", "-1"],
                  ["nonsense"], [], ["unexplained", "--ceiling", "0.5"], ["unexplained", "--ceiling", "V4=2"],
                  ["best", "--network", "a", "--network", "b"],
                  ["best", "--table", str(table), "--plot", "x.gif"], ["best", "--table", str(table), "--region", "V4"]):
        with pytest.raises(Usage):
            analyze.main(words)
    for words in (["unexplained", "--ceiling", "V4=0.5"], ["unexplained", "--table", str(table), "--ceiling", "V9=0.5"],
                  ["best", "--table", str(tmp_path / "none.csv")], ["best", "--table", str(table), "--network", "zzz*"],
                  ["best", "--table", str(table), "--plot", str(tmp_path / "none/x.svg")]):
        with pytest.raises(BadInput):
            analyze.main(words)


def test_it_is_a_program(tmp_path):
    """As the command line starts it: one line on stderr, an exit code, tables on stdout."""
    start = lambda *words: subprocess.run([sys.executable, "-m", "cortiscore.analyze", *map(str, words)], capture_output=True, text=True,
                                          cwd=ROOT / "python")
    done = start("best", "--table", write(tmp_path / "t.csv", ROWS))
    assert done.returncode == 0 and "net9" in done.stdout and done.stderr.startswith("note: "), done.stderr
    done = start("best", "--table", tmp_path / "none\x1b.csv")
    assert done.returncode == 5 and done.stderr.startswith("cortiscore: ") and "\x1b" not in done.stderr and done.stderr.count("\n") == 1
    done = start("imagenet", "--nonsense")
    assert done.returncode == 2 and done.stderr.count("\n") == 1


@pytest.mark.parametrize("question", list(analyze.QUESTIONS))
def test_hostile_names_do_nothing(capsys, tmp_path, monkeypatch, question):
    monkeypatch.setattr(definitions, "counts_of", lambda name: None)
    columns = ["score", HOSTILE[3], HOSTILE[2], "behavior" + HOSTILE[0]]
    rng = np.random.default_rng(0)
    rows = [{"model": HOSTILE[i] if i < len(HOSTILE) else f"net{i}", **{name: round(rng.uniform(0.1, 0.9), 6) for name in columns},
             "imagenet_top1": 50 + 2 * i, "parameters": 10 ** (5 + i / 5)} for i in range(16)]
    rows[9]["score"] = 0.95
    rows[0]["score"] = 0.99  # the terminal's escape is best
    table = write(tmp_path / "t.csv", rows)
    flags = ["--ceiling", f"{HOSTILE[3]}=0.9"] if question == "unexplained" else []
    analyze.main([question, "--table", str(table), "--draws", "150", "--plot", str(tmp_path / "p.svg"), *flags])
    out = capsys.readouterr()
    assert not set("\x1b\x07\u202e") & set(out.out + out.err) and out.out.count("\n") > 3
    root = xml.etree.ElementTree.parse(tmp_path / "p.svg").getroot()
    assert not [e for e in root.iter() if e.tag.endswith("script")] and len(list(root.iter())) > 50
    found = analysed(capsys, question, "--table", table, "--draws", 150, *flags)
    assert found["n"] == 16 if "n" in found else found["n_all"] == 16


@pytest.mark.parametrize("ending, magic", [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")])
def test_plots_are_the_same_bytes(tmp_path, ending, magic):
    table = write(tmp_path / "t.csv", ROWS)
    for name in ("a", "b"):
        analyze.main(["imagenet", "--table", str(table), "--draws", "100", "--plot", str(tmp_path / f"{name}.{ending}")])
    first = (tmp_path / f"a.{ending}").read_bytes()
    assert first.startswith(magic) and first == (tmp_path / f"b.{ending}").read_bytes()


def test_without_matplotlib_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    table = write(tmp_path / "t.csv", ROWS)
    with pytest.raises(BadInput, match="matplotlib"):
        analyze.main(["best", "--table", str(table), "--plot", str(tmp_path / "a.png")])
    analyze.main(["best", "--table", str(table)])


def test_sentences_say_no_more_than_their_intervals(capsys, tmp_path):
    rng = np.random.default_rng(11)
    kinds = set()
    for i in range(16):
        x = rng.uniform(50, 90, 40)
        y = 0.3 + (0.004 * np.minimum(x, 70) if i % 2 else 0) + rng.normal(0, [0.002, 0.05, 0.3][i % 3], 40)
        row = imagenet.one_row("s", "composite", y, x, 70, drawn(200, i))
        text = imagenet.sentence({"rows": [row], "breakpoint": 70}, 0.95)
        assert ("the two differ" in text) == (not output.holds_zero(row["r_below_minus_above"]))
        assert ("not told from zero" in text) == output.holds_zero(row["r_above"])
        assert ("segments beat" in text) == row["segments"]["beats_one_line"] == (row["segments"]["p"] < 0.05)
        kinds |= {"differ" if "the two differ" in text else "same", "zero" if "from zero" in text else "more",
                  "beat" if "s beat" in text else "not"}
    assert kinds == {"differ", "same", "zero", "more", "beat", "not"}


# A store: rank's lines and records as the engine prints them, made here.

V1, V4, EYES = "Henaff2021.V1-pls", "Cowley2023.V4-pls", "Geirhos2021edge-error_consistency"
PARTS = {V1: ("V1", "pls", "r2_over_c"), V4: ("V4", "pls", "r2_over_c"), EYES: ("behavior_vision", "error_consistency", "r_over_c_clipped")}


class Store:
    """Scores [network][benchmark] with draws, ranked by average_vision as one would by hand: neural is the mean of V1 and V4."""

    def __init__(self, names, values, draws, seeds=None, conventions=None):
        self.lines, self.records = [], []
        for i, name in enumerate(names):
            leaves, keys = {}, {}
            for b, benchmark in enumerate(PARTS):
                value = values[i][b]
                leaves[benchmark] = None if np.isnan(value) else float(np.clip(value, 0, 1))
                if np.isnan(value):
                    continue
                key = f"{i:032x}{b:032x}"
                keys[benchmark] = key
                of = draws[i][b].astype("<f4")
                _, metric, convention = PARTS[benchmark]
                record = {"key": key, "status": "ok", "model_identifier": name, "benchmark_identifier": benchmark,
                          "metric": {"name": metric}, "score": {"raw": value / 2, "ceiling": 1, "ceiled": value,
                                    "ceiling_convention": (conventions or {}).get(benchmark, convention)},
                          "raw": {"error": float(of.std()) / 2}, "n": {"neuroids": 50, "stimuli": 100},
                          "error": {"ceiled": float(of.std()), "seed": seeds[i] if seeds else 0, "n_boot": len(of)}}
                if len(of) > 1:
                    record["draws"] = {"of": "ceiled", "float32": base64.b64encode(of.tobytes()).decode()}
                self.records.append(record)
            zero = lambda benchmark, leaves=leaves: leaves[benchmark] or 0.0
            neural = (zero(V1) + zero(V4)) / 2
            score = (neural + zero(EYES)) / 2
            self.lines.append({
                "rank": 1, "rank_lo": 1, "rank_hi": len(names), "model_identifier": name, "score": score, "error": 0.01,
                "ci_lo": score - 0.02, "ci_hi": score + 0.02, "paired": True, "imported": False,
                "nodes": {"neural_vision": neural, "V1": leaves[V1], "V4": leaves[V4], "behavior_vision": leaves[EYES]},
                "node_intervals": {"neural_vision": [neural - 0.02, neural + 0.02]}, "leaves": leaves, "records": keys,
                "leaf_intervals": {b: None if v is None else [v - 0.05, v + 0.05] for b, v in leaves.items()},
                "status": {b: "missing" if v is None else "ok" for b, v in leaves.items()}})
        self.lines.sort(key=lambda line: -line["score"])
        for i, line in enumerate(self.lines):
            line["rank"] = 1 if i < 2 else i + 1

    def install(self, monkeypatch):
        words_asked = []
        monkeypatch.setattr(inputs, "ranking", lambda words: (words_asked.append(words), self.lines)[1])
        monkeypatch.setattr(inputs, "stored_records", lambda results, fields=(): iter(self.records))
        return words_asked


def paired_store(n=6, n_boot=1000, noise=0.001, **more):
    """Networks whose scores differ by 0.02, with draws that share a resampling far wider than that; with seeds of their own, none."""
    rng = np.random.default_rng(0)
    of_seed = {seed: rng.normal(0, 0.05, (3, n_boot)) for seed in more.get("seeds", [0])}
    shared = [of_seed[seed] for seed in more.get("seeds", [0] * n)]
    values = np.array([[0.3 + 0.02 * i, 0.5 - 0.02 * i, 0.2 + 0.01 * i] for i in range(n)])
    draws = [[values[i, b] + shared[i][b] + rng.normal(0, noise, n_boot) for b in range(3)] for i in range(n)]
    return Store([f"net{i}" for i in range(n)], values, draws, **more), values, draws


def test_paired_draws_tell_apart_what_intervals_do_not(capsys, monkeypatch):
    store, values, draws = paired_store()
    words_asked = store.install(monkeypatch)
    found = analysed(capsys, "best", "--results", "R", "--tag", "a=b", "--tag", "c=d", "--public", "--species", "macaque")
    assert words_asked == [["--results", "R", "--species", "macaque", "--public", "--tag", "a=b", "--tag", "c=d", "--tree",
                            "average_vision"]]
    rows = {row["scores"]: row for row in found["rows"]}
    assert list(rows)[0] == "average_vision" and rows[V1]["best"] == "net5" and rows[V4]["best"] == "net0"
    assert rows[V1]["method"] == "draws" and rows[V1]["not_separated"] == []
    assert rows[V1]["first"] == [{"model_identifier": "net5", "share": 1.0}]
    assert rows["average_vision"]["method"] == "rank" and rows["average_vision"]["not_separated"] == ["net4"]
    assert rows["average_vision"]["best"] == "net5" and set(rows["average_vision"]["best_of"]) == {V1, EYES}
    assert not found["notes"]


def test_unpaired_draws_do_not(capsys, monkeypatch):
    store, values, draws = paired_store(seeds=range(6))
    store.install(monkeypatch)
    found = analysed(capsys, "best")
    row = next(row for row in found["rows"] if row["scores"] == V1)
    # Differences of 0.02 to 0.1 with errors of 0.05 each: 1.4 deviations at most.
    assert set(row["not_separated"]) == {f"net{i}" for i in range(5)}
    assert 0.3 < row["first"][0]["share"] < 0.9 and "share no resampling" in found["notes"][0]


def test_shares_of_first_places_are_counted_by_hand(capsys, monkeypatch):
    store, values, draws = paired_store(noise=0.03)
    store.install(monkeypatch)
    rows = {row["scores"]: row for row in analysed(capsys, "best")["rows"]}
    for b, name in enumerate(PARTS):
        drawn_ = np.array([np.float32(of[b]) for of in draws])
        share = np.bincount(np.argmax(drawn_, axis=0), minlength=6) / 1000
        assert {f["model_identifier"]: f["share"] for f in rows[name]["first"]} == {
            f"net{i}": pytest.approx(share[i]) for i in np.argsort(-share, kind="stable")[:5] if share[i]}
        top = int(np.argmax(values[:, b]))
        close = [i for i in range(6) if i != top and np.quantile(drawn_[top] - drawn_[i], 0.025) <= 0]
        assert set(rows[name]["not_separated"]) == {f"net{i}" for i in close}
    # The composite, draw by draw: neural and behaviour weigh the same, as V1 and V4 do; leaves are clipped.
    drawn_ = np.clip([np.float32(of) for of in draws], 0, 1)
    composite = 0.25 * drawn_[:, 0] + 0.25 * drawn_[:, 1] + 0.5 * drawn_[:, 2]
    share = np.bincount(np.argmax(composite, axis=0), minlength=6) / 1000
    assert {f["model_identifier"]: f["share"] for f in rows["average_vision"]["first"]} == {
        f"net{i}": pytest.approx(share[i], abs=0.003) for i in np.argsort(-share, kind="stable")[:5] if share[i]}


def test_what_makes_draws_paired():
    """Counts and seeds, and no accuracies, which every network has its own of."""
    base = {"draws": {"of": "ceiled", "float32": base64.b64encode(np.ones(10, "<f4").tobytes()).decode()},
            "error": {"seed": 0, "n_boot": 10}, "n": {"stimuli": 160, "subjects": 10, "accuracy_network": 0.3}}
    same = lambda **values: inputs.draws_of({**base, **values})[1] == inputs.draws_of(base)[1]
    assert same(n={"stimuli": 160, "subjects": 10, "accuracy_network": 0.9})
    assert not same(n={"stimuli": 159, "subjects": 10}) and not same(error={"seed": 1, "n_boot": 10})
    assert inputs.draws_of({**base, "draws": {"of": "raw", "float32": ""}}) is None and inputs.draws_of({}) is None
    assert inputs.draws_of(base)[0].tolist() == [1.0] * 10


def test_draws_that_contradict_their_record_are_left_out(capsys, monkeypatch):
    store, values, draws = paired_store()
    store.install(monkeypatch)
    next(line for line in store.lines if line["model_identifier"] == "net2")["draws_left_out"] = [V1]
    for record in store.records:
        if record["model_identifier"] == "net2" and record["benchmark_identifier"] == V1:
            record["draws"]["float32"] = "no base64"
    found = analysed(capsys, "best")
    assert "1 have only an error" in found["notes"][0]


def test_damaged_draws_end_no_question_and_are_named(tmp_path):
    """Of a real store: the command says what rank says, and goes on."""
    from test_ranking import record
    noise = 0.01 * np.random.default_rng(0).standard_normal(400)
    entries = [record(name, benchmark, score, score + noise) for name, score in (("a", 0.5), ("b", 0.4), ("c", 0.3)) for benchmark in PARTS]
    entries[0]["draws"]["float32"] = "no base64 !"
    done = run("analyze", "best", "--results", store_of(tmp_path / "store", entries), "--json")
    assert done.returncode == 0 and f'the record of "a" on {V1} keeps draws that are no float32' in done.stderr, done.stderr


def test_output_that_does_not_arrive_is_a_failure(leaderboard):
    with open("/dev/full", "w") as full:
        done = subprocess.run([BINARY, "analyze", "best", "--table", str(leaderboard)], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 74 and "standard output" in done.stderr and "No space left" in done.stderr, done.stderr


def test_a_table_without_scores_is_named_where_there_is_no_store(tmp_path, monkeypatch):
    monkeypatch.setenv("CORTISCORE_HOME", str(tmp_path))
    table = write(tmp_path / "t.csv", [{"model": "m", "imagenet_top1": 70.0}])
    with pytest.raises(BadInput, match=r"t\.csv, columns: found model, imagenet_top1 and no score"):
        analyze.main(["imagenet", "--table", str(table)])


def test_other_numbers_of_draws_are_independent(capsys, monkeypatch):
    store, values, draws = paired_store()
    draws[4] = [of[:300] for of in draws[4]]
    store = Store([f"net{i}" for i in range(6)], values, draws)
    store.install(monkeypatch)
    found = analysed(capsys, "best")
    row = next(row for row in found["rows"] if row["scores"] == V1)
    assert row["not_separated"] == ["net4"] and "3 scores share no resampling" in found["notes"][0]


def test_nan_draws_and_missing_scores(capsys, monkeypatch):
    store, values, draws = paired_store()
    draws[2][0][::3] = np.nan
    values[3, 1] = np.nan
    store = Store([f"net{i}" for i in range(6)], values, draws)
    store.install(monkeypatch)
    found = analysed(capsys, "best")
    rows = {row["scores"]: row for row in found["rows"]}
    assert rows[V4]["n"] == 5 and "net3" not in rows[V4]["not_separated"] and rows[V1]["n"] == 6
    assert abs(sum(f["share"] for f in rows[V1]["first"]) - 1) < 1e-9


def test_damaged_draws_are_named(capsys, monkeypatch):
    store, *_ = paired_store()
    store.records[4]["draws"]["float32"] = "!!"
    store.install(monkeypatch)
    with pytest.raises(BadInput, match=store.records[4]["key"]):
        analysed(capsys, "best")


def test_older_records_without_draws(capsys, monkeypatch):
    store, *_ = paired_store(n_boot=1)
    store.install(monkeypatch)
    rows = {row["scores"]: row for row in analysed(capsys, "best")["rows"]}
    assert rows[V1]["method"] == "errors" and rows[V1]["first"] is None
    # Intervals of half-width 0.05: differences up to 0.0707 are within.
    assert set(rows[V1]["not_separated"]) == {"net2", "net3", "net4"}


def test_imported_scores_have_no_errors_and_best_says_so(capsys, tmp_path):
    """Of a store as of its table: nothing is known of what separates them. Of an imported score beside those with errors neither."""
    from test_ranking import record
    rows = [{"model": f"net{i}", "brain_score": 0.3 + 0.02 * i, "V4": 0.4 + 0.02 * i, "IT": 0.5 - 0.01 * i, "behavior_i2n": round(0.3 + 0.05 * i, 2)}
            for i in range(5)]
    table, store = write(tmp_path / "t.csv", rows), tmp_path / "store"
    done = run("results", "import", table, "--tree", "brainscore2018", "--source", "test", "--results", store)
    assert done.returncode == 0, done.stderr
    found = analysed(capsys, "best", "--results", store, "--tree", "brainscore2018")
    assert found["rows"][0]["kind"] == "composite" and {row["method"] for row in found["rows"]} == {"equal"}
    assert "without errors of the scores nothing is said of how sure that is" in found["sentence"]
    assert "not separated" not in found["sentence"] and "5 of 5 networks have imported scores, which have no errors" in found["notes"]
    for question in ("unexplained", "benchmarks", "size"):
        assert "which have no errors" in " ".join(analysed(capsys, question, "--results", store, "--tree", "brainscore2018", "--draws", 100)["notes"])

    noise = 0.02 * np.random.default_rng(0).standard_normal(400)
    own = [record(name, benchmark, score, score + noise) for name, score in (("a", 0.5), ("b", 0.4)) for benchmark in PARTS]
    published = [{**record("p", benchmark, 0, key=benchmark), "status": "imported", "raw": {}, "error": {},
                  "score": {"raw": None, "ceiled": 0.9, "ceiling": None, "ceiling_convention": None}} for benchmark in PARTS]
    row, *_ = analysed(capsys, "best", "--results", store_of(tmp_path / "mixed", own + published))["rows"]
    assert (row["best"], row["method"], row["first"], row["n_without_errors"]) == ("p", "equal", None, 1)
    published = [{**one, "score": {**one["score"], "ceiled": 0.3}} for one in published]
    found = analysed(capsys, "best", "--results", store_of(tmp_path / "mixed2", own + published))
    assert (found["rows"][0]["best"], found["rows"][0]["method"]) == ("a", "rank")
    assert "of 1 other without an error of the score it is not known" in found["sentence"]


def test_unexplained_by_convention(capsys, monkeypatch):
    store, values, draws = paired_store(conventions={V4: "r_over_c"})
    store.install(monkeypatch)
    found = analysed(capsys, "unexplained")
    rows = {row["scores"]: row for row in found["rows"]}
    assert (rows[V1]["measure"], rows[V1]["squared"]) == ("variance", False)
    assert (rows[V4]["measure"], rows[V4]["squared"]) == ("variance", True)
    assert rows[EYES]["measure"] == "share of the ceiling" and rows[EYES]["kind"] == "behavior"
    assert rows[V1]["best"]["value"] == pytest.approx(1 - 0.4) and rows[V4]["best"]["value"] == pytest.approx(1 - 0.5 ** 2)
    assert rows[V1]["mean"]["value"] == pytest.approx(1 - values[:, 0].mean())
    lo, hi = np.quantile(draws[5][0], [0.025, 0.975])
    assert [rows[V1]["best"]["lo"], rows[V1]["best"]["hi"]] == pytest.approx([1 - hi, 1 - lo], abs=1e-6)
    lo, hi = np.quantile(draws[0][1], [0.025, 0.975])
    assert [rows[V4]["best"]["lo"], rows[V4]["best"]["hi"]] == pytest.approx([1 - hi ** 2, 1 - lo ** 2], abs=1e-6)
    group = found["groups"]["neural"]["best"]
    assert group["value"] == pytest.approx((0.6 + 0.75) / 2) and group["lo"] < group["value"] < group["hi"]
    lo, hi = np.quantile((np.float32(1 - draws[5][0]) + np.float32(1 - draws[0][1] ** 2)) / 2, [0.025, 0.975])
    assert [group["lo"], group["hi"]] == pytest.approx([lo, hi], abs=1e-5)
    assert found["groups"]["behavior"]["best"] is None and "no variance" in found["notes"][-1]


def test_every_convention_has_a_measure():
    schema = json.loads((ROOT / "data_manifests/record.schema.json").read_text())
    conventions = schema["properties"]["score"]["properties"]["ceiling_convention"]["enum"]
    measured = {c: unexplained.measure_of(c, "pls") for c in conventions}
    assert measured["r_over_c_squared"] == measured["r2_over_c"] == ("variance", False)
    assert measured["r_over_c"] == measured["raw_over_sqrt_ceiling"] == ("variance", True) and measured[None] == (None, False)
    assert all(unexplained.measure_of(c, "error_consistency")[0] == "share of the ceiling" for c in conventions if c)
    assert unexplained.left(np.array([-0.5, 0.5, np.nan]), True) == pytest.approx([1, 0.75, np.nan], nan_ok=True)
    assert unexplained.left(np.array([-0.5, 0.5]), False) == pytest.approx([1.5, 0.5])


def test_imported_scores_without_a_convention(capsys, monkeypatch):
    store, *_ = paired_store(conventions={V1: None})
    for line in store.lines:
        line["imported"] = True
    store.install(monkeypatch)
    found = analysed(capsys, "unexplained")
    row = next(row for row in found["rows"] if row["scores"] == V1)
    assert row["best"] is None and "not known" in row["reason"] and "6 of 6 networks have imported scores" in found["notes"][0]


def test_top1_from_a_table_or_from_records(capsys, monkeypatch, tmp_path):
    store, values, _ = paired_store()
    store.records += [{"key": f"{i:064x}", "status": "ok", "model_identifier": f"net{i}", "benchmark_identifier": "ImageNet-top1",
                       "score": {"raw": 0.5 + 0.05 * i, "ceiling": None, "ceiled": None}} for i in range(5)]
    store.install(monkeypatch)
    found = analysed(capsys, "imagenet", "--draws", 200)
    assert found["n_all"] == 5 and found["imagenet_top1_from"] == "5 from records of ImageNet-top1"
    assert sorted(n["imagenet_top1"] for n in found["networks"] if n["imagenet_top1"]) == pytest.approx([50, 55, 60, 65, 70])
    assert found["n_above"] == 1 and found["rows"][0]["r_above"]["value"] is None
    rows = [{"model": "net5", "imagenet_top1": 90, "year": 2020}, {"model": "else", "imagenet_top1": 1, "year": 2}]
    table = write(tmp_path / "top1.csv", rows)
    found = analysed(capsys, "imagenet", "--table", table, "--draws", 200)
    assert found["n_all"] == 6 and "1 from" in found["imagenet_top1_from"] and "has 1 of the 6 networks" in " ".join(found["notes"])
    store.records = [r for r in store.records if r["benchmark_identifier"] != "ImageNet-top1"]
    with pytest.raises(BadInput, match="imagenet_top1"):
        analysed(capsys, "imagenet")


@pytest.mark.parametrize("engine", ["says which weights it ranks", "is older"])
def test_top1_is_that_of_the_weights_that_are_ranked(capsys, monkeypatch, engine):
    """Two weights under each name, in every order that a store may have them; imported accuracies of those that have none of their own."""
    store, *_ = paired_store(n=12)
    weights = lambda i, which: {"graph_sha256": f"{i:063x}a", "weights_sha256": f"{i:063x}{which}"}
    for i in range(12):
        line = next(line for line in store.lines if line["model_identifier"] == f"net{i}")
        if engine != "is older":
            line.update(weights(i, "b"))
        for record in store.records:
            if record["model_identifier"] == f"net{i}":
                record.update(weights(i, "b"))
        top1 = lambda raw, end, key, status="ok", i=i, **of: {
            "key": key, "status": status, "model_identifier": f"net{i}", "benchmark_identifier": "ImageNet-top1", "end": end,
            "score": {"raw": raw, "ceiling": None, "ceiled": None}, **of}
        own = [top1(0.5 + 0.01 * i, "2026-03-01T00:00:00Z", "own", **weights(i, "b")),
               top1(0.1, "2026-02-01T00:00:00Z", "own before", **weights(i, "b"))]
        others = [top1(0.99, "2026-04-01T00:00:00Z", "other", **weights(i, "c")),
                  top1(0.98, "2026-05-01T00:00:00Z", "other graph", graph_sha256="d", weights_sha256=weights(i, "b")["weights_sha256"])]
        published = top1(0.4 + 0.01 * i, "2026-06-01T00:00:00Z", "published", "imported")
        if i < 10:
            store.records += [[*own, *others, published], [published, *others, *own], [others[0], *own[::-1], others[1]]][i % 3]
        else:
            store.records += [published, *others] if i == 10 else others
    store.install(monkeypatch)
    found = analysed(capsys, "imagenet", "--draws", 100)
    top1 = {network["model_identifier"]: network["imagenet_top1"] for network in found["networks"]}
    assert top1 == {f"net{i}": None if i == 11 else pytest.approx(50 + i if i < 10 else 50) for i in range(12)}


# Trees taken apart, next to the engine

def engine_ranking(tree, table):
    return inputs.from_lines(asked("rank", "--tree", tree, "--table", table), inputs.composite_name(tree), "")


@pytest.fixture
def wide(tmp_path):
    """Published scores of real benchmarks, a fifth missing, some beyond 0 and 1."""
    rng = np.random.default_rng(4)
    names = [V1, V4, EYES, "Cichy2014.IT-rdm", "Kriegeskorte2008.IT.human-rdm", "MajajHong2015.IT-pls", "MajajHong2015.V4-pls",
             "Marques2020_Ringach2002-circular_variance", "Rajalingham2018-i2n"]
    score = lambda: "X" if rng.random() < 0.2 else round(rng.normal(0.5, 0.3), 4)
    rows = [{"model": f"net{i}", **{name: score() for name in names}} for i in range(30)]
    return write(tmp_path / "wide.csv", rows), names, rows


@pytest.mark.parametrize("tree", ["average_vision", "average_vision_2024", "brainscore2018"])
def test_what_benchmarks_put_in_adds_up_to_the_engines_composite(wide, tree):
    table, names, _ = wide
    scores = engine_ranking(tree, table)
    again = trees.rebuilt(tree, scores)
    assert again is not None
    whole, parts = trees.contributions(again[0], again[0]["root"], again[1])
    kept = np.isfinite(scores.columns[tree])
    assert kept.sum() > 8 and whole == pytest.approx(scores.columns[tree], abs=1e-12, nan_ok=True)
    assert sum(parts.values())[kept] == pytest.approx(whole[kept], abs=1e-12)
    walked = {name: values for name, _, values in trees.walk(again[0], again[0]["root"], lambda name: again[1][name][:, None])}
    for name in scores.of_kind("node"):
        if name in walked:
            assert walked[name][:, 0] == pytest.approx(scores.columns[name], abs=1e-12, nan_ok=True), name


def test_a_composite_without_a_benchmark_is_the_engines(capsys, monkeypatch, wide, tmp_path):
    """The engine ranks by trees that lack one leaf; nine leaves in two nodes, with weights."""
    table, names, rows = wide

    def tree_of(left_out=None):
        leaves = [{"benchmark": name, "weight": 1 + i % 3} for i, name in enumerate(names) if name != left_out]
        first = [leaf for leaf in leaves if leaf["benchmark"] in names[:4]]
        nodes = [{"name": "a", "children": first}, {"name": "b", "weight": 2, "children": [leaf for leaf in leaves if leaf not in first]}]
        tree = {"schema_version": 1, "identifier": "mine", "leaf": "ceiled", "clip": True, "missing": "skip",
                "tree": {"name": "all", "children": nodes}}
        path = tmp_path / f"mine{left_out or ''}.json"
        path.write_text(json.dumps(tree))
        return path

    found = analysed(capsys, "benchmarks", "--table", table, "--tree", tree_of(), "--draws", 150)
    assert {row["benchmark"] for row in found["without"]} == set(names) and found["without_reason"] is None
    assert sum(row["share_of_variance"]["value"] for row in found["without"]) == pytest.approx(1)
    whole = {r["model_identifier"]: r["score"] for r in asked("rank", "--tree", tree_of(), "--table", table)}
    for row in found["without"][:4]:
        rest = {r["model_identifier"]: r["score"] for r in asked("rank", "--tree", tree_of(row["benchmark"]), "--table", table)}
        both = [name for name in whole if whole[name] is not None and rest[name] is not None]
        expected = scipy.stats.spearmanr([whole[n] for n in both], [rest[n] for n in both]).statistic
        assert row["rank_correlation_without"]["value"] == pytest.approx(expected, abs=1e-12)
    pair = next(p for p in found["pairs"] if {p["a"], p["b"]} == {V1, V4})
    values = np.array([[r[V1], r[V4]] for r in rows if "X" not in (r[V1], r[V4])], float).clip(0, 1)
    assert pair["pearson"]["n"] == len(values) and pair["pearson"]["value"] == pytest.approx(np.corrcoef(values.T)[0, 1])
    assert pair["spearman"]["value"] == pytest.approx(scipy.stats.spearmanr(*values.T).statistic)


def test_shares_of_variance_are_covariances(capsys, monkeypatch):
    store, values, _ = paired_store(n=20)
    rng = np.random.default_rng(9)
    store = Store([f"net{i}" for i in range(20)], rng.uniform(0.1, 0.9, (20, 3)), np.zeros((20, 3, 1)))
    store.install(monkeypatch)
    found = analysed(capsys, "benchmarks", "--draws", 150)
    leaves = np.array([[line["leaves"][b] for b in PARTS] for line in store.lines]) * [0.25, 0.25, 0.5]
    expected = [np.cov(leaves[:, b], leaves.sum(axis=1))[0, 1] / np.var(leaves.sum(axis=1), ddof=1) for b in range(3)]
    shares = {row["benchmark"]: row["share_of_variance"]["value"] for row in found["without"]}
    assert [shares[b] for b in PARTS] == pytest.approx(expected)


def test_one_column_is_drawn_too(capsys, tmp_path, monkeypatch):
    """Nothing to correlate, nothing to sum up: every question answers, and every plot is made."""
    monkeypatch.setattr(definitions, "counts_of", lambda name: None)
    table = write(tmp_path / "t.csv", ROWS)
    for question in analyze.QUESTIONS:
        found = analysed(capsys, question, "--table", table, "--draws", 100, "--plot", tmp_path / f"{question}.svg")
        assert found["sentence"].endswith(".") and (tmp_path / f"{question}.svg").stat().st_size > 1000
    empty = write(tmp_path / "e.csv", [{"model": f"n{i}", "score": "X", "imagenet_top1": 50 + i} for i in range(5)])
    with pytest.raises(BadInput, match="no score"):
        analysed(capsys, "best", "--table", empty)


def test_a_tree_that_does_not_add_up_is_not_used(capsys, monkeypatch):
    store, *_ = paired_store()
    store.lines[0]["score"] += 0.001
    store.install(monkeypatch)
    found = analysed(capsys, "benchmarks", "--draws", 100)
    assert found["without"] == [] and "taken apart" in found["without_reason"]


# Size

@pytest.mark.parametrize("name, parameters", [
    # As the packages' own documentation has them.
    ("alexnet", 61100840), ("resnet-18", 11689512), ("resnet18", 11689512), ("vgg-16", 138357544), ("densenet-169", 14149480),
    ("squeezenet1_1", 1235496), ("inception_v1", 6624904), ("mobilenet_v2_1.0_192", 3504872)])
def test_definitions_have_as_many_parameters_as_documented(name, parameters):
    pytest.importorskip("torchvision")
    found = definitions.counts_of(name)
    assert found[0] == parameters and found[2].startswith("torchvision ")


@pytest.mark.parametrize("name, layers", [("alexnet", 8), ("vgg-16", 16), ("resnet-34", 34), ("densenet-121", 121), ("inception_v1", 22),
                                          ("mobilenet_v2_1.4_224", 53), ("squeezenet1_0", 18)])
def test_depth_is_what_the_names_and_papers_say(name, layers):
    pytest.importorskip("torchvision")
    assert definitions.counts_of(name)[1] == layers


@pytest.mark.slow  # timm is large
def test_definitions_of_timm_and_names_without_one():
    pytest.importorskip("timm")
    assert definitions.counts_of("mobilenet_v1_0.5_160")[0] == pytest.approx(1.34e6, rel=0.01)  # Howard et al. 2017, table 7: 1.3 M
    assert definitions.counts_of("mobilenet_v1_0.25_128")[0] == pytest.approx(0.47e6, rel=0.01)  # 0.5 M
    assert definitions.counts_of("mobilenet_v1_0.25_128")[:2] == definitions.counts_of("mobilenet_v1_0.25_224")[:2]
    assert definitions.counts_of("resnet-101_v2")[1:] == (101, "timm resnetv2_101")
    for name in ("cornet_s", "nasnet_mobile", "inception_v2", "mobilenet_v2_x_224", "resnet", "../../vgg16", ""):
        assert definitions.counts_of(name) is None, name


def test_the_trend_is_scipys_line(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(definitions, "counts_of", lambda name: None)
    rng = np.random.default_rng(10)
    parameters = 10 ** rng.uniform(5, 8, 40)
    score = 0.1 * np.log10(parameters) + rng.normal(0, 0.03, 40)
    small = int(np.argsort(parameters)[3])
    score[small] += 0.4
    rows = [{"model": f"n{i}", "score": score[i], "parameters": parameters[i], "depth": 5 + i} for i in range(40)]
    found = analysed(capsys, "size", "--table", write(tmp_path / "t.csv", rows), "--draws", 1000)
    line = scipy.stats.linregress(np.log10(parameters), score)
    assert found["slope"]["value"] == pytest.approx(line.slope) and found["intercept"] == pytest.approx(line.intercept)
    assert found["rows"][0]["log10_parameters"]["value"] == pytest.approx(line.rvalue)
    assert found["rows"][0]["depth"]["value"] == pytest.approx(scipy.stats.pearsonr(range(5, 45), score).statistic)
    expected = score - line.intercept - line.slope * np.log10(parameters)
    by_name = {row["model_identifier"]: row for row in found["networks"]}
    assert [by_name[f"n{i}"]["residual"] for i in range(40)] == pytest.approx(expected, abs=1e-12)
    assert found["networks"][0]["model_identifier"] == f"n{small}"
    assert by_name[f"n{small}"]["above_trend"] and by_name[f"n{small}"]["small"]
    assert found["n_small"] == 20 == sum(row["parameters"] < np.median(parameters) for row in found["networks"])
    assert found["n_small_above"] == sum(row["small"] and row["lo"] > 0 for row in found["networks"])
    # A trend's usual error of its mean, as an independent measure of the intervals' width.
    x = np.log10(parameters)
    near = by_name[f"n{int(np.argmin(np.abs(x - x.mean())))}"]
    assert (near["hi"] - near["lo"]) / (2 * 1.96) == pytest.approx(np.std(expected, ddof=2) / np.sqrt(40), rel=0.25)


def test_sizes_come_from_records_then_tables_then_definitions(capsys, monkeypatch, tmp_path):
    store, *_ = paired_store()
    for record in store.records:
        if record["model_identifier"] in ("net0", "net1"):
            record["network"] = {"parameters": 1000, "weight_layers": 9}
    store.install(monkeypatch)
    monkeypatch.setattr(definitions, "counts_of", lambda name: (7, 3, "made up") if name in ("net1", "net2", "net3") else None)
    table = write(tmp_path / "sizes.csv", [{"model": "net1", "parameters": 5}, {"model": "net2", "parameters": 5000}])
    found = analysed(capsys, "size", "--table", table, "--results", "R", "--draws", 200)
    keys = ("parameters", "parameters_from", "depth", "depth_from")
    rows = {row["model_identifier"]: tuple(row[key] for key in keys) for row in found["networks"]}
    assert rows == {"net0": (1000, "record", 9, "record"), "net1": (1000, "record", 9, "record"), "net2": (5000, "table", 3, "made up"),
                    "net3": (7, "made up", 3, "made up")}
    assert "no parameters known of 2 networks" in " ".join(found["notes"])


def test_errors_of_scores_widen_residuals():
    rng = np.random.default_rng(12)
    x, y = rng.normal(size=30), rng.normal(size=30)
    *_, sharp = size.residuals(y, x, np.full(30, np.nan), drawn(2000))
    *_, wide = size.residuals(y, x, np.full(30, 2.0), drawn(2000))
    assert ((wide[:, 1] - wide[:, 0]) > (sharp[:, 1] - sharp[:, 0])).all()
    assert np.median(wide[:, 1] - wide[:, 0]) == pytest.approx(2 * 1.96 * 2, rel=0.1)


# Numbers of a document

@pytest.mark.parametrize("question", ["best", "unexplained", "benchmarks",
                                      *(pytest.param(name, marks=pytest.mark.slow) for name in ("imagenet", "size"))])
def test_the_document_has_the_numbers_that_are_printed(capsys, leaderboard, monkeypatch, question):
    """The commands of docs/analysis.md on the published table, run: they print the lines that the document shows."""
    text = (ROOT / "docs/analysis.md").read_text()
    shown = re.findall(r"```\n(cortiscore analyze [^`]*published[^`]*)\n```\n\nprints\n\n```\n(.*?)```", text, re.S)
    assert [command.split()[2] for command, _ in shown] == ["best", "unexplained", "imagenet", "size", "benchmarks"]
    for command, printed in [entry for entry in shown if entry[0].split()[2] == question]:
        words = command.replace("\\\n", " ").split()[2:]
        words = [str(leaderboard) if word.endswith("leaderboard.tsv") else word for word in words]
        if "--plot" in words:
            at = words.index("--plot")
            del words[at:at + 2]
        if question == "size":
            pytest.importorskip("torchvision")
            pytest.importorskip("timm")
        capsys.readouterr()
        analyze.main(words)
        out = capsys.readouterr().out
        for line in printed.splitlines():
            assert line == "..." or line in out.splitlines(), line


def test_best_judges_by_errors_as_a_normal_would():
    values = np.array([0.5, 0.45, 0.4, 0.2])
    bounds = np.stack([values - 0.05, values + 0.05], axis=1)
    assert best.by_errors(list("abcd"), values, bounds, 0) == ["b"]
