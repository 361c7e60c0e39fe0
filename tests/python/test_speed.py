"""docs/speed.md: every number of it comes from bench/results, sections of other machines and commits say so, and the run behind it goes on
where it was stopped and outlives a peer that fails."""
import copy
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.stats

from conftest import ROOT

sys.path.insert(0, str(ROOT / "bench"))
import intervals
import jobs
import render
import scaling
import suite
import work

COMMITTED = ROOT / "bench/results/cpu/suite.json"
NUMBER = re.compile(r"(?<![\w.-])-?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?")
SOMEWHERE = {"machine": "A Machine", "cores": 6, "commit": "abc", "dirty": False, "date": "2026-05-05", "programs": "p"}


def of_jobs(seed=0, rounds=4):
    """A part like `kernels`, of every job and everyone, with random seconds."""
    rng = np.random.default_rng(seed)
    units = []
    for turn in range(rounds):
        units.append({"round": turn, "job": "peaks", "gemm_flops": rng.uniform(4e10, 5e10),
                      "copy_bytes_per_second": rng.uniform(2e10, 3e10)})
        for key, job in jobs.JOBS.items():
            who = [jobs.OURS, *job.peers]
            scores = {name: 0.5 + rng.uniform(1e-9, 1e-4) for name in who} if job.by_command_line else {}
            units.append({"round": turn, "job": key, "order": who, "scores": scores, "others": rng.uniform(0.01, 0.9), "steal": 0.0,
                          "seconds": {name: list(rng.uniform(1.1, 9.9, 2)) for name in who}})
    return {"where": {**SOMEWHERE, "versions": {"numpy": "a.b"}}, "failed": {}, "units": units}


def of_axes(slope=1.3, rounds=3):
    units = [{"round": turn, "axis": key, "size": size, "seconds": 0.013 * size**slope * (1 + 0.01 * turn), "steps": 31.7, "others": 0.17,
              "steal": 0.0}
             for turn in range(rounds) for key, axis in scaling.AXES.items() for size in (axis.sizes if len(axis.sizes) > 1 else [1, 2])]
    return {"where": dict(SOMEWHERE), "failed": {}, "units": units}


def of_scripts():
    """The other parts, with what their scripts write."""
    sweep = {"layer": "body.x", "device": "cpu", "checkpoints": 317, "sample": 13, "forward_s": 0.231, "sweep_s": 0.247,
             "beyond_forward_s": 0.0159, "beyond_forward_share": 0.0527, "score_process_s": 0.619, "score_beyond_forward_s": 0.299,
             "pytorch_sklearn_s": 1.229, "largest_score_difference": 3.7e-13}
    ours = {"wall": 155.7, "decode": 1.71, "normalise": 0.147, "network": 146.3, "keep": 0.131, "reduce": 4.97}
    results = {
        "sweep": {"rows": [sweep, {**sweep, "device": "cpu,cpu", "sweep_s": 0.233}]},
        "throughput": {"images": 2567, "layers": 19, "neuroids": 257, "threads": 3, "cortiscore_s": ours,
                       "plain_s": {"decode": 6.84, "network": 280.3, "hooks": 0.033, "fit": 224.9},
                       "beside_the_network": {"cortiscore_s": 8.82, "plain_s": 231.8, "ratio": 26.3, "share_of_network": 0.0603}},
        "memory": {"rows": [{"network": "vgg_x", "layers": 39, "benchmark": "B", "stimuli": 92, "activations_gib": 9.83, "allowed_gib": 17,
                             "on_disk_gib": 4.4, "passes": 19, "seconds": 255, "planned_gib": 12.12, "resident_gib": 12.03,
                             "resident_over_plan": 0.941}]},
        "gemm": {"gemm_float64": 44.57e9, "gemm_float32": 80.35e9, "rows": [{"job": "gram_of", "seconds": 1.168, "share": 0.787}]},
        "swap": {"rows": [{"network": "net", "megabytes": 46.8, "stimuli": 641, "checkpoints": 57, "open_ms": 120.8, "forward_ms": 12104.2,
                           "open_of_forward": 0.0137}]},
        "span": {"memory_gib": 7, "rows": [
            {"photos": photos, "layers": 11, "seconds": 24.3 + photos, "fewest_features": 9401, "most_features": 451581, "network_s": 13.7,
             "reduce_s": 6.9} for photos in (0, 1003)]},
        "precision": {"rows": [{"setting": setting, "features": "primal", "prediction_sd": 3.77e-7 * (i + 1), "score": 1.23e-9 * (i + 1)}
                               for i, setting in enumerate(("fast against fp", "exact instead of", "stored as float16",
                                                            "stored as bfloat16", "stored as float32"))]}}
    return {name: {"where": dict(SOMEWHERE), "failed": {}, "result": result, "others": 0.19, "steal": 0.0}
            for name, result in results.items()}


@pytest.fixture
def parts():
    return {"kernels": of_jobs(), "scaling": of_axes(), **of_scripts()}


# --- numbers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [2, 3, 5, 9])
def test_means_and_their_intervals_are_scipys(n):
    values = np.random.default_rng(n).lognormal(1, 0.3, n)
    expected = scipy.stats.ttest_1samp(np.log(values), 0).confidence_interval(intervals.LEVEL)
    mean, low, high = intervals.geometric_mean(values)
    np.testing.assert_allclose([mean, low, high], [scipy.stats.gmean(values), *np.exp(expected)], rtol=1e-12)


def test_intervals_of_means_hold_the_truth_as_often_as_they_say():
    rng, held = np.random.default_rng(0), 0
    for _ in range(2000):
        _, low, high = intervals.geometric_mean(rng.lognormal(np.log(7.0), 0.2, 5))
        held += low <= 7.0 <= high
    assert abs(held / 2000 - intervals.LEVEL) < 4 * np.sqrt(intervals.LEVEL * (1 - intervals.LEVEL) / 2000)


@pytest.mark.parametrize("n", [3, 6, 15])
def test_exponents_and_their_intervals_are_scipys(n):
    rng = np.random.default_rng(n)
    sizes = np.repeat([1000, 2000, 4000], n // 3)
    seconds = 0.001 * sizes**1.7 * rng.lognormal(0, 0.1, n)
    line = scipy.stats.linregress(np.log(sizes), np.log(seconds))
    half = scipy.stats.t(n - 2).ppf(0.5 + intervals.LEVEL / 2) * line.stderr
    np.testing.assert_allclose(intervals.exponent(sizes, seconds), [line.slope, line.slope - half, line.slope + half], rtol=1e-9)


def test_one_round_and_two_points_have_no_interval():
    assert intervals.geometric_mean([4.0]) == (pytest.approx(4), None, None)
    assert intervals.exponent([1, 2], [8, 4]) == (pytest.approx(-1), None, None)


def test_ratios_are_taken_within_a_round_and_their_interval_is_of_rounds(parts):
    """A machine that is ten times slower in one round moves no ratio."""
    table = render.peer_rows(parts["kernels"])
    [row] = [row for row in table if row[2] == "himalaya cv=5"]
    units = [unit for unit in parts["kernels"]["units"] if unit["job"] == "ridgecv"]
    logs = [np.log(unit["seconds"]["himalaya cv=5"]).mean() - np.log(unit["seconds"][jobs.OURS]).mean() for unit in units]
    low, high = np.exp(scipy.stats.ttest_1samp(logs, 0).confidence_interval(0.95))
    assert row[4] == f"**{render.significant(np.exp(np.mean(logs)))}x**"
    assert row[5] == f"{render.significant(low)}x .. {render.significant(high)}x"
    for unit in units[:1]:
        unit["seconds"] = {who: [10 * s for s in seconds] for who, seconds in unit["seconds"].items()}
    assert [row[4:6] for row in render.peer_rows(parts["kernels"])] == [row[4:6] for row in table]


@pytest.mark.parametrize("value, text", [(0.012345, "0.0123"), (9.996, "10.0"), (0.0009996, "0.00100"), (1234.5, "1,234"), (26.28, "26.3"),
                                         (0, "0"),
                                         (99.96, "100")])
def test_numbers_have_three_digits_and_no_exponent(value, text):
    assert render.significant(value) == text


@pytest.mark.parametrize("wanted, low, high, word", [(5, 5.1, 6, "reached"), (5, 4, 4.9, "missed"), (5, 4.9, 5.1, "within the interval"),
                                                     (None, 1, 2, "")])
def test_what_was_wanted_is_judged_by_the_whole_interval(wanted, low, high, word):
    assert render.reached(wanted, low, high) == word


def test_the_roofline_is_the_slower_of_products_and_bytes(parts):
    rates = render.peaks(parts["kernels"])
    for row in render.roofline_rows(parts["kernels"], None):
        [job] = [job for job in jobs.JOBS.values() if job.name == row[0]]
        flops, moved = work.WORK[job.bench]
        assert row[3] == render.significant(max(flops / rates[0], moved / rates[1]))
        assert row[4] == ("products" if flops / rates[0] > moved / rates[1] else "bytes")


def test_exponents_are_of_the_upper_sizes_with_theory_beside_them():
    part = of_axes(1.3)
    for unit in part["units"]:  # what is small takes as long as what is twice as small
        if unit["size"] not in scaling.upper({u["size"] for u in part["units"] if u["axis"] == unit["axis"]}):
            unit["seconds"] = 5.0
    found = render.fits(part)
    assert found.keys() == scaling.AXES.keys()
    for key, fit in found.items():
        assert fit["measured"][0] == pytest.approx(1.3, abs=1e-9), key
        sizes = fit["upper"]
        if axis := scaling.AXES[key].operations:
            line = scipy.stats.linregress(np.log(sizes), np.log([axis(size, 31.7) for size in sizes]))
            assert fit["operations"] == pytest.approx(line.slope) and 0.3 < fit["operations"] < 2.1
        else:
            assert fit["operations"] == fit["limit"]


def test_operations_approach_the_exponents_of_theory():
    """What work.py counts has, between sizes far beyond those measured, the exponent that is said of the limit."""
    beyond = {"presentations": (10**8, 10**9), "features": (10**9, 10**10), "raw_features": (10**9, 10**10), "neuroids": (10**7, 10**8),
              "folds": (10**7, 10**8)}
    assert beyond.keys() == {key for key, axis in scaling.AXES.items() if axis.operations}
    n = {"features": 10**11}  # more presentations than features
    for key, (a, b) in beyond.items():
        count = scaling.AXES[key].operations if key not in n else (lambda p,
                                                                   steps: work.pls(n["features"], p, 32, test=n["features"] // 10,
                                                                                   steps=steps)[0])
        assert np.log(count(b, 31) / count(a, 31)) / np.log(b / a) == pytest.approx(scaling.AXES[key].limit, abs=0.02), key


# --- the page -----------------------------------------------------------------------------------------------------


def test_the_committed_page_is_what_its_results_give():
    parts = render.read(COMMITTED)
    assert parts, f"{COMMITTED} is not there"
    gpu = json.loads(render.GPU.read_text()) if render.GPU.exists() else None
    assert (ROOT / "docs/speed.md").read_text() == render.page(parts, gpu), "./dev bench --render writes it"
    readme = (ROOT / "README.md").read_text()
    assert readme == render.with_summary(readme, parts), "./dev bench --render writes its table"


def test_the_committed_picture_is_of_the_committed_results():
    part = render.read(COMMITTED).get("scaling")
    picture = ROOT / "docs/speed_scaling.svg"
    if not render.has_results(part):
        assert not picture.exists()
        return
    text = picture.read_text()
    assert len(text) < 150_000 and f"results {render.digest_of(part)}" in text, "./dev bench --render draws it"


def test_no_number_is_typed_into_the_words():
    """But names that have digits in them (float16, V4, ResNet-50) and what is code, as `--memory-gib` or a file."""
    words = re.sub(r"`[^`]*`|\]\([^)]*\)|<!--.*?-->|\{[\w.]+\}", " ", render.TEMPLATE.read_text())
    assert len(words) > 4000
    assert not re.findall(r"(?<![A-Za-z\d])(?<![A-Za-z]-)\d[\d.,]*", words)


def scaled(value, rng):
    """Every number of results as another, of the same kind."""
    if isinstance(value, dict):
        kept = ("round", "size", "cores", "failed", "job", "axis")
        return {key: value[key] if key in kept else scaled(value[key], rng) for key in value}
    if isinstance(value, list):
        return [scaled(one, rng) for one in value]
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value == 0:
        return value
    return type(value)(value * rng.uniform(1.5, 2.5) + (3 if isinstance(value, int) else 0))


def test_numbers_that_do_not_change_with_the_results_are_definitions(parts):
    """Every result is replaced by another: what stands as before was not one."""
    others = [scaled(parts, np.random.default_rng(seed)) for seed in (1, 2)]
    before, *after = (NUMBER.findall(render.page(one)) for one in (parts, *others))
    assert len(before) > 400 and {len(numbers) for numbers in after} == {len(before)}  # the same words
    same = [numbers[0] for numbers in zip(before, *after) if len(set(numbers)) == 1]
    defined = " ".join([*(job.name for job in jobs.JOBS.values()), *(who for job in jobs.JOBS.values() for who in job.peers),
                        *(f"{peer.times:g} {job.seconds}" for job in jobs.JOBS.values() for peer in job.peers.values() if peer.times),
                        *(f"{axis.label} {axis.job} {axis.theory} {axis.limit} {axis.limit:g} {axis.limit:.2f}"
                          for axis in scaling.AXES.values()),
                        *(f"{fit['operations']:.2f}" for fit in render.fits(parts["scaling"]).values()),
                        *(f"{size:,}" for axis in scaling.AXES.values() for size in [*axis.sizes, 2]),
                        f"{jobs.PRESENTATIONS} {jobs.FEATURES} {jobs.NEUROIDS} {jobs.SPLITS}", *map(str, render.gate_values().values()),
                        *(f"{render.significant(amount / 1e9, 2)}" for job in jobs.JOBS.values() for amount in work.WORK[job.bench]),
                        f"{jobs.SWEEP_TIMES} {100 * jobs.SWEEP_OF_PROCESS:.0f} {100 * jobs.SWEEP_OF_FORWARD:.0f} {jobs.THROUGHPUT_TIMES}",
                        *(f"{100 * share:.0f}" for share in (jobs.THROUGHPUT_OF_NETWORK, jobs.GEMM_SHARE, jobs.SWAP_OF_FORWARD,
                                                             intervals.LEVEL)),
                        "4 3", SOMEWHERE["date"], str(SOMEWHERE["cores"])])
    allowed = set(NUMBER.findall(defined))
    chance = [number for number in same if number not in allowed]
    # A share of a roofline that random seconds are far from is nothing, three times.
    assert set(chance) <= {"0"}, chance
    assert len(same) < 0.5 * len(before)


def test_columns_of_a_gpu_are_unmeasured_until_they_are_measured(parts):
    page = render.page(parts)
    assert page.count("| unmeasured | unmeasured |") == len(jobs.JOBS) and "Columns of a GPU are unmeasured" in page
    runs = [{"name": f"{job.bench}/cuda/real_time", "real_time": 2.5} for job in jobs.JOBS.values()]
    runs += [{"name": "gemm/cuda/real_time", "real_time": 1, "flops": 5e13},
             {"name": "copy_256MiB/cuda/real_time", "real_time": 1, "bytes_per_second": 3e12},
             {"name": "rdm_2560x1000/cpu/real_time", "real_time": 77777}]
    page = render.page(parts, {"where": {"gpu": "A GPU, 1.2", "commit": "def", "date": "2026-06-06"}, "benchmarks": runs})
    assert "unmeasured" not in page and page.count("| 0.00250 |") == len(jobs.JOBS) and "another commit than this page's" in page


def test_without_gpu_results_the_committed_page_says_so():
    assert render.GPU.exists() or "Columns of a GPU are unmeasured" in (ROOT / "docs/speed.md").read_text()


@pytest.mark.parametrize("change", [{"machine": "Another"}, {"commit": "older"}, {"cores": 64}, {"dirty": True}])
def test_a_section_of_another_machine_or_commit_is_marked_in_words(parts, change):
    assert "Stale" not in render.page(parts)
    parts["memory"]["where"] |= {**change, "date": "2026-04-04"}
    found = re.split(r"^## ", render.page(parts), flags=re.M)
    assert [text.split("\n")[0] for text in found if "**Stale**" in text] == ["Layers larger than memory"]
    [stale] = [text for text in found if "**Stale**" in text]
    assert stale.split("\n")[2].startswith("**Stale**: this section is of ") and "2026-04-04" in stale


def test_the_page_is_of_what_was_measured_last(parts):
    parts["span"]["where"] |= {"commit": "newest", "date": "2026-05-06", "started": "2026-05-06T08:00:00+00:00"}
    page = render.page(parts)
    assert "This page is of: A Machine, 6 cores, commit newest, 2026-05-06." in page and page.count("**Stale**") == len(parts) - 1


def test_parts_that_are_missing_or_failed_say_so_in_words(parts):
    for name in list(parts):
        without = {key: part for key, part in parts.items() if key != name}
        assert f"Not measured: `./dev bench --only {name}` does." in render.page(without)
    assert render.page({}).count("Not measured") == len(parts) and "Nothing has been measured yet" in render.page({})
    parts["kernels"]["failed"] = {"pls / ikpls": "ended with 1: | <script>alert(1)</script> \x1b[2J `x`"}
    for unit in parts["kernels"]["units"]:
        unit.get("seconds", {}).pop("ikpls", None)
    page = render.page(parts)
    assert "| ikpls | failed |" in page and "Failed: pls / ikpls: ended with 1" in page
    assert "<script" not in page and "\x1b" not in page and "scikit-learn" in page


def test_a_disturbed_run_is_called_so(parts):
    for unit in parts["kernels"]["units"]:
        unit |= {"others": 0.03, "steal": 0.0}
    assert "meanwhile (median; at most 0.03)" in render.page(parts) and "Disturbed" not in render.page({"kernels": parts["kernels"]})
    for unit in parts["kernels"]["units"]:
        unit["steal"] = 0.5
    assert "at most 0.53). **Disturbed**" in render.page(parts)


def test_the_picture_shows_every_axis_and_its_exponents(tmp_path):
    from plot_scaling import plot

    part = of_axes(1.3)
    plot(render.fits(part), scaling.AXES, tmp_path / "a.svg", "of-these")
    plot(render.fits(part), scaling.AXES, tmp_path / "b.svg", "of-these")
    text = (tmp_path / "a.svg").read_text()
    assert text == (tmp_path / "b.svg").read_text() and len(text) < 150_000 and "results of-these" in text
    of_text = xml.etree.ElementTree.fromstring(text).iter("{http://www.w3.org/2000/svg}text")
    shown = " ".join("".join(element.itertext()) for element in of_text)
    for axis in scaling.AXES.values():
        assert axis.label in shown and f"in theory {axis.limit:g}" in shown
    assert shown.count("1.30, in theory") == len(scaling.AXES)


def test_readme_keeps_its_table_between_marks(parts):
    begin, end = render.README_MARKS
    text = f"# A\n\n{begin}old\n{end}\nmore\n"
    new = render.with_summary(text, parts)
    assert new.startswith(f"# A\n\n{begin}| job |") and new.endswith(f"{end}\nmore\n") and "old" not in new and "commit abc" in new
    assert render.with_summary("# A\n", parts) == "# A\n" and render.with_summary(new, parts) == new


# --- the run ------------------------------------------------------------------------------------------------------


def test_every_job_has_its_bench_its_count_of_work_and_its_peers():
    benches = (ROOT / "bench/math_bench.cpp").read_text()
    import peers

    for job in jobs.JOBS.values():
        assert f'"{job.bench}"' in benches and job.bench in work.WORK
        for peer in job.peers.values():
            assert peer.platform or callable(getattr(peers, peer.function))


@pytest.mark.parametrize("function", sorted({p.function for job in jobs.JOBS.values() for p in job.peers.values() if not p.platform}))
def test_every_peer_runs(function):
    import peers

    run, times = getattr(peers, function)(*peers.standard_job(120, 40, 6), True)
    assert peers.timed(run)[0] > 0 and times >= 1


def test_peers_of_pls_compute_the_same_score():
    """scikit-learn stops where ikpls converges, which moves scores by some thousandths at most."""
    import peers

    data = peers.standard_job(300, 60, 8)
    first, second = (getattr(peers, name)(*data, True)[0]() for name in ("pls_sklearn", "pls_ikpls"))
    assert 0.2 < first < 1 and abs(first - second) < 5e-3


def test_a_program_that_fails_is_a_sentence(tmp_path):
    with pytest.raises(suite.Failed, match="ended with 3: last words"):
        suite.run([sys.executable, "-c", "import sys; print('first', file=sys.stderr); print('last words', file=sys.stderr); sys.exit(3)"])
    with pytest.raises(suite.Failed, match="was ended by signal 9"):
        suite.run([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"])
    late = tmp_path / "late"
    with pytest.raises(suite.Failed, match=r"took more than 1 s"):
        suite.run(["sh", "-c", f"(sleep 3; touch {late}) & wait"], limit_s=1)
    assert suite.in_words(f"{tmp_path}/x: \x1b[2J no\nsuch", tmp_path) == "x: [2J no such"
    time.sleep(2.5)
    assert not late.exists()  # what it had started ended with it


def a_bench(monkeypatch, broken=(), stop_after=None):
    """suite's measurements as random numbers; returns the list of what was measured."""
    rng, calls = np.random.default_rng(0), []

    def measured(what):
        if stop_after is not None and len(calls) == stop_after:
            raise KeyboardInterrupt
        calls.append(what)
        if what in broken:
            raise suite.Failed("ended with 1: ModuleNotFoundError: No module named 'ikpls'")
        return float(rng.uniform(1, 2)), 1e10

    monkeypatch.setattr(suite, "run", lambda *_, **__: "")
    monkeypatch.setattr(suite, "google", measured)
    monkeypatch.setattr(suite, "ours", lambda job, folder: (measured(job.name)[0], None))
    monkeypatch.setattr(suite, "peer_on", lambda peer, folder, platform: (measured(peer.function)[0], None))
    return calls


def kernels(path, here=SOMEWHERE, rounds=2, platform=None, again=False):
    results = suite.Results(path, {key: here[key] for key in ("machine", "cores", "commit", "dirty", "programs")})
    suite.kernels(results, SimpleNamespace(job=None, again=again, rounds=rounds, quick=False, platform=platform), pathlib.Path("unused"))
    return json.loads(path.read_text())["parts"]["kernels"]


def test_a_run_that_was_stopped_goes_on_with_the_same_order(tmp_path, monkeypatch):
    calls = a_bench(monkeypatch)
    whole = kernels(tmp_path / "whole.json")
    n, order = len(calls), list(calls)
    a_bench(monkeypatch, stop_after=n // 2)
    with pytest.raises(KeyboardInterrupt):
        kernels(tmp_path / "part.json")
    there = len(json.loads((tmp_path / "part.json").read_text())["parts"]["kernels"]["units"])
    assert 0 < there < len(whole["units"])
    calls = a_bench(monkeypatch)
    resumed = kernels(tmp_path / "part.json")
    assert order[-len(calls):] == calls and n // 2 <= len(calls) < 0.8 * n
    assert [(u["round"], u["job"], u.get("order")) for u in resumed["units"]] == [(u["round"], u["job"], u.get("order"))
                                                                                  for u in whole["units"]]
    calls = a_bench(monkeypatch)
    assert kernels(tmp_path / "part.json") == resumed and not calls
    more = kernels(tmp_path / "part.json", rounds=3)
    assert more["units"][:len(resumed["units"])] == resumed["units"] and len(calls) == n // 2


def test_orders_differ_from_round_to_round_and_peers_stand_before_and_after_ours(tmp_path, monkeypatch):
    a_bench(monkeypatch)
    units = kernels(tmp_path / "a.json", rounds=6)["units"]
    jobs_of = lambda turn: [unit["job"] for unit in units if unit["round"] == turn]
    assert len({tuple(jobs_of(turn)) for turn in range(6)}) == 6 and {frozenset(jobs_of(turn))
                                                                      for turn in range(6)} == {frozenset(["peaks", *jobs.JOBS])}
    orders = [unit["order"] for unit in units if unit["job"] == "pls"]
    assert len({tuple(order) for order in orders}) > 2 and all(order.count(jobs.OURS) == 2 for order in orders)


@pytest.mark.parametrize("change", [{"commit": "def"}, {"machine": "B"}, {"dirty": True}, {"programs": "q"}, {"cores": 8}])
def test_another_ground_begins_anew(tmp_path, monkeypatch, change):
    calls = a_bench(monkeypatch)
    kernels(tmp_path / "a.json", rounds=1)
    n = len(calls)
    part = kernels(tmp_path / "a.json", here={**SOMEWHERE, **change}, rounds=1)
    assert len(calls) == 2 * n and {key: part["where"][key] for key in change} == change


def test_a_peer_that_fails_is_left_out_in_words_and_tried_again_by_the_next_run(tmp_path, monkeypatch):
    calls = a_bench(monkeypatch, broken=["pls_ikpls"])
    part = kernels(tmp_path / "a.json")
    assert part["failed"] == {"pls / ikpls": "ended with 1: ModuleNotFoundError: No module named 'ikpls'"}
    assert calls.count("pls_ikpls") == 1 and calls.count("pls_sklearn") == 2
    assert len(part["units"]) == 2 * (len(jobs.JOBS) + 1)
    page = render.page({"kernels": part})
    assert "No module named 'ikpls'" in page and "| ikpls | failed |" in page
    calls = a_bench(monkeypatch)
    mended = kernels(tmp_path / "a.json")
    assert mended["failed"] == {} and set(calls) == {"pls_ikpls", "pls_sklearn", jobs.JOBS["pls"].name}  # by turns again, in both rounds
    assert all("ikpls" in unit["seconds"] for unit in mended["units"] if unit["job"] == "pls")


def test_rows_of_a_script_are_of_this_commit_or_refused():
    here = {"machine": "M", "cores": 2, "commit": "abc"}
    rows = [{"network": "n", "where": {"machine": "M", "cores": 2, "commit": "abc", "date": "d"}}]
    assert suite.without_where({"rows": copy.deepcopy(rows)}, here) == {"rows": [{"network": "n"}]}
    assert suite.without_where({"machine": "M", "cores": 2, "commit": "abc", "date": "d", "rows": []}, here) == {"rows": []}
    rows[0]["where"]["commit"] = "old"
    with pytest.raises(ValueError, match="expected M at abc"):
        suite.without_where({"rows": rows}, here)


def test_the_command_renders_and_stops_at_a_signal(tmp_path):
    """As ./dev bench starts it, with programs that take longer than it is given."""
    command = [sys.executable, ROOT / "bench/suite.py", "--out", tmp_path, "--work", tmp_path / "work"]
    assert subprocess.run([*command, "--render"], capture_output=True).returncode == 0
    assert "Nothing has been measured yet" in (tmp_path / "speed.md").read_text()
    assert subprocess.run([*command, "--only", "nothing"], capture_output=True).returncode == 2
    slow = tmp_path / "slow"
    slow.write_text("#!/bin/sh\nsleep 100\n")
    slow.chmod(0o755)
    env = {**os.environ, "CORTISCORE_BENCH": str(slow), "CORTISCORE_BINARY": str(slow)}
    process = subprocess.Popen([*command, "--only", "kernels", "--job", "Spearman"], env=env, stderr=subprocess.PIPE, text=True)
    assert process.stderr.readline() == "== kernels\n"
    process.send_signal(signal.SIGTERM)
    assert "goes on from here" in process.communicate(timeout=60)[1] and process.returncode == 130
