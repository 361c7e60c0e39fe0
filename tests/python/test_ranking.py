"""`rank` and `compare`: shared ranks, rank intervals and paired differences, beside NumPy on the same draws; published scores taken over."""
import base64
import csv
import itertools
import json
import re
import sys

import jsonschema
import numpy as np
import pytest
import torch

from conftest import ROOT, run, write
from test_composite import SMALL, store_of

sys.path.insert(0, str(ROOT / "python"))
from cortiscore import export

V1, V4, IT, EYES = "Henaff2021.V1-pls", "Cowley2023.V4-pls", "Cichy2014.IT-rdm", "Geirhos2021edge-error_consistency"
N_DRAWS = 400


def packed(values):
    return base64.b64encode(np.asarray(values, "<f4").tobytes()).decode()


def unpacked(text):
    return np.frombuffer(base64.b64decode(text), "<f4").astype(float)


def record(model, benchmark, ceiled, draws=None, neuroids=None, *, version=1, convention="r2_over_c", end="2026-01-01T00:00:00Z", tags=None, key=None):
    """What rank and compare read of a record."""
    entry = {"schema_version": 1, "key": key or f"{model} {benchmark} {version} {convention}", "status": "ok", "model_identifier": model,
             "benchmark_identifier": benchmark, "benchmark_version": version, "data_sha256": ["0" * 64], "end": end, "timing_ms": {"total": 1},
             "score": {"raw": ceiled / 2, "ceiled": ceiled, "ceiling": 1, "ceiling_convention": convention},
             "raw": {"error": 0.01, "ci_lo": 0, "ci_hi": 1}, "error": {"ceiled": 0.02, "level": 0.95}}
    if draws is not None:
        finite = np.asarray(draws)[np.isfinite(draws)]
        ends = np.percentile(finite, [2.5, 97.5]).tolist() if len(set(finite)) > 1 else [None, None]
        entry["draws"] = {"of": "ceiled", "float32": packed(draws[:1000])}
        entry["error"] |= {"ci_lo": ends[0], "ci_hi": ends[1], "n_boot": len(draws), "seed": 0}
    if neuroids is not None:
        entry["per_neuroid"] = {"splits": len(neuroids), "float32": packed(neuroids)}
        entry["score"]["raw"] = float(np.median(np.asarray(neuroids, float), axis=1).mean())
    if tags:
        entry["tags"] = tags
    return entry


def lines(verb, *arguments):
    done = run(verb, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def composite_of(draws):
    """average_vision of one benchmark each of V1, V4 and behaviour: the mean of (V1 + V4) / 2 and behaviour, leaves clipped to 0..1."""
    v1, v4, eyes = (np.clip(draws[name], 0, 1) for name in (V1, V4, EYES))
    return ((v1 + v4) / 2 + eyes) / 2


@pytest.fixture
def shared_noise(tmp_path):
    """Six networks whose draws share most of their noise, as those of the same neuroids do, and have a little of their own."""
    random = np.random.default_rng(0)
    scores = {"a": 0.52, "b": 0.515, "c": 0.50, "d": 0.45, "e": 0.449, "f": 0.2}
    common = {benchmark: 0.05 * random.standard_normal(N_DRAWS) for benchmark in (V1, V4, EYES)}
    draws = {model: {benchmark: (score + common[benchmark] + 0.005 * random.standard_normal(N_DRAWS)).astype("f4").astype(float)
                     for benchmark in (V1, V4, EYES)} for model, score in scores.items()}
    store = store_of(tmp_path / "store", [record(model, benchmark, score, draws[model][benchmark])
                                          for model, score in scores.items() for benchmark in (V1, V4, EYES)])
    return store, scores, draws


def test_ranks_intervals_and_ties_are_numpys_on_the_same_draws(shared_noise):
    store, scores, draws = shared_noise
    ranking = lines("rank", "--results", store)
    assert [one["model_identifier"] for one in ranking] == list("abcdef") and all(one["paired"] for one in ranking)
    composites = {model: composite_of(draws[model]) for model in scores}
    for one in ranking:
        low, high = np.percentile(composites[one["model_identifier"]], [2.5, 97.5])
        assert [one["ci_lo"], one["ci_hi"]] == pytest.approx([low, high], abs=1e-12)
        region = np.percentile(np.clip(draws[one["model_identifier"]][V4], 0, 1), [2.5, 97.5])
        assert one["node_intervals"]["V4"] == pytest.approx(region, abs=1e-12)
    matrix = np.array([composites[one["model_identifier"]] for one in ranking])
    places = 1 + (matrix[None] > matrix[:, None]).sum(1)  # [network, draw]
    for row, one in zip(places, ranking):
        assert [one["rank_lo"], one["rank_hi"]] == [np.floor(np.percentile(row, 2.5)), np.ceil(np.percentile(row, 97.5))]
    expected, head = [], 0
    for i in range(len(ranking)):
        low, high = np.percentile(matrix[head] - matrix[i], [2.5, 97.5])
        head = i if i == 0 or low > 0 or high < 0 else head
        expected.append(head + 1)
    assert [one["rank"] for one in ranking] == expected
    assert expected[0] == expected[1] and expected[-1] == 6 and len(set(expected)) > 2  # the case has ties and what separates


def test_networks_of_one_score_are_listed_by_the_numbers_in_their_names(tmp_path):
    store = store_of(tmp_path / "store", [record(f"checkpoint-{step}", V4, 0.5) for step in (1000, 1500, 500)])
    assert [one["model_identifier"] for one in lines("rank", "--results", store)] == ["checkpoint-500", "checkpoint-1000", "checkpoint-1500"]


def test_shared_noise_separates_what_errors_on_their_own_do_not(shared_noise, tmp_path):
    """What pairing is for: the same networks without draws are all but one rank, and it is said."""
    store, scores, _ = shared_noise
    alone = store_of(tmp_path / "alone", [{**record(model, benchmark, score), "error": {"ceiled": 0.05, "level": 0.95}}
                                          for model, score in scores.items() for benchmark in (V1, V4, EYES)])
    paired, apart = lines("rank", "--results", store), lines("rank", "--results", alone)
    assert len({one["rank"] for one in apart}) < len({one["rank"] for one in paired})
    assert not any(one["paired"] for one in apart)
    assert "has no draws of its own" in run("rank", "--results", alone).stderr
    for one in apart:  # an independent normal draw a network and benchmark: the composite's error as aggregate() has it
        assert (one["ci_hi"] - one["ci_lo"]) / (2 * 1.96) == pytest.approx(one["error"], rel=0.1)
    assert lines("rank", "--results", alone) == apart  # draws that are made up are the same every time


def test_missing_failed_and_other_editions_are_told_apart(tmp_path):
    failed = {"schema_version": 1, "key": "k", "status": "failed", "model_identifier": "b", "benchmark_identifier": V4, "end": "2026-01-01T00:00:00Z",
              "message": "no"}
    store = store_of(tmp_path / "store", [
        record("a", V1, 0.5), record("a", V4, 0.5), record("b", V1, 0.4), failed, record("c", V1, 0.3),
        record("c", V4, 0.9, version=2, end="2026-01-02T00:00:00Z"), record("d", V1, 0.2), record("e", V1, 0.99, convention="r_over_c")])
    ranking = {one["model_identifier"]: one for one in lines("rank", "--results", store)}
    assert {model: one["status"] for model, one in ranking.items()} == {
        "a": {V1: "ok", V4: "other edition"}, "b": {V1: "ok", V4: "failed"}, "c": {V1: "ok", V4: "ok"},
        "d": {V1: "ok", V4: "missing"}, "e": {V1: "other edition", V4: "missing"}}
    done = run("rank", "--results", store, "--columns", "benchmarks")
    assert "2 editions" in done.stderr and V4 in done.stderr
    table = {re.search(" ([a-e]) ", line)[1]: line.split() for line in done.stdout.splitlines()[1:]}
    assert table["d"][-1] == "-" and table["b"][-1] == "X" and table["a"][-1] == "other"
    assert ranking["e"]["score"] is None  # its only score is of another convention
    [other] = lines("rank", "--results", store, "--convention", "r_over_c", "--network", "e")
    assert other["status"][V1] == "ok"


@pytest.mark.parametrize("flags, benchmarks", [
    (["--region", "V4"], {V4}), (["--species", "human"], {EYES}), (["--benchmark", "Hen*"], {V1}), (["--tag", "run=r1"], {V1}),
    (["--since", "2026-02-01"], {V4})])
def test_filters(tmp_path, flags, benchmarks):
    store = store_of(tmp_path / "store", [record("a", V1, 0.5, tags={"run": "r1"}), record("a", V4, 0.5, end="2026-02-03T00:00:00Z"),
                                          record("a", EYES, 0.5)])
    [one] = lines("rank", "--results", store, *flags)
    assert set(one["leaves"]) == benchmarks
    assert set(lines("results", "rank", "--results", store, *flags)[0]["leaves"]) == benchmarks  # the same verb by its other name


@pytest.mark.parametrize("flags, words", [
    (["--since", "yesterday"], "a day as 2026-11-30"), (["--tag", "run"], "KEY=VALUE"), (["--region", "V9"], "none that the filters leave")])
def test_filters_that_are_none(tmp_path, flags, words):
    store = store_of(tmp_path / "store", [record("a", V1, 0.5)])
    done = run("rank", "--results", store, *flags)
    assert done.returncode in (2, 5) and words in done.stderr


def test_compare_is_paired_and_its_p_is_that_of_all_exchanges(tmp_path):
    """Nine neuroids have 512 exchanges: the exact p, which 10,000 random ones come near to; Holm over the benchmarks. Splits differ so much
    that the median of means over splits is another number than the score, which is the mean of medians."""
    random = np.random.default_rng(3)
    a, b = random.random((4, 9)).astype("f4"), (random.random((4, 9)) - 0.15).astype("f4")
    noise = 0.1 * random.standard_normal(N_DRAWS)
    store = store_of(tmp_path / "store", [
        record("first", V4, 0.5, 0.5 + noise, a), record("second", V4, 0.45, 0.45 + noise + 0.01 * random.standard_normal(N_DRAWS), b),
        record("first", EYES, 0.3, 0.3 + noise), record("second", EYES, 0.3, 0.3 + 0.1 * random.standard_normal(N_DRAWS)), record("first", V1, 0.1)])
    compared = {one["name"]: one for one in lines("compare", "first", "second", "--results", store)}
    score = lambda values: np.median(values, axis=1).mean()
    observed = abs(score(a) - score(b))
    exchanged = [abs(score(np.where(swap, b, a)) - score(np.where(swap, a, b))) for swap in itertools.product([False, True], repeat=9)]
    exact = np.mean(np.array(exchanged) >= observed * (1 - 1e-9))
    v4, eyes = compared[V4], compared[EYES]
    assert v4["method"] == "permutation of neuroids" and v4["p"] == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 10000) + 2e-4)
    assert eyes["method"] == "bootstrap" and v4["paired"] and v4["difference"] == pytest.approx(0.05)
    assert v4["ci_lo"] > 0.02 and v4["ci_hi"] < 0.08  # the noise that they share is gone from the difference
    assert eyes["ci_lo"] < 0 < eyes["ci_hi"] and eyes["ci_hi"] - eyes["ci_lo"] > 0.4
    small, large = sorted([v4["p"], eyes["p"]])
    assert sorted([v4["p_corrected"], eyes["p_corrected"]]) == pytest.approx(sorted([min(1, 2 * small), max(min(1, 2 * small), large)]))
    assert compared[V1]["difference"] is None and compared[V1]["p"] is None  # the second network has no score there
    assert v4["neuroids"] == {"n": 9, "first_above": int((a.mean(0) > b.mean(0)).sum())} and eyes["neuroids"] is None
    text = run("compare", "first", "second", "--results", store, "--neuroids", tmp_path / "neuroids.csv").stdout
    rows = list(csv.DictReader(open(tmp_path / "neuroids.csv")))
    assert [row["benchmark"] for row in rows] == [V4] * 9 and [row["neuroid"] for row in rows] == [str(i) for i in range(9)]
    for side, values in (("first", a), ("second", b)):
        assert [float(row[side]) for row in rows] == pytest.approx(values.astype(float).mean(0), rel=1e-12)
    assert re.search(rf"{re.escape(V4)} +0.500 +0.450 +\+0.050", text)


def test_two_trainings_are_compared_step_by_step(tmp_path):
    shared = np.random.default_rng(1).standard_normal(N_DRAWS) * 0.03
    entries = [record(f"{run_name}-{step}", V4, score, score + shared, tags={"run": run_name, "step": str(step)})
               for run_name, scores in (("r1", {100: 0.2, 900: 0.3, 1000: 0.4}), ("r2", {100: 0.2, 1000: 0.3, 2000: 0.5})) for step, score in scores.items()]
    store = store_of(tmp_path / "store", entries)
    steps = lines("compare", "r1", "r2", "--runs", "--results", store)
    assert [one["step"] for one in steps] == ["100", "1000"]
    assert steps[1]["difference"] == pytest.approx(0.1)  # V4 is all that the tree has
    done = run("compare", "r1", "r3", "--runs", "--results", store)
    assert done.returncode == 5 and "none that the runs" in done.stderr
    done = run("compare", "r1-100", "r2-10", "--results", store)
    assert done.returncode == 4 and "r2-100" in done.stderr


def test_records_keep_the_draws_that_their_intervals_are_of(home, tmp_path):
    torch.manual_seed(0)
    layers = [torch.nn.Conv2d(3, 16, 5, stride=4), torch.nn.ReLU(), torch.nn.Conv2d(16, 32, 3, stride=2), torch.nn.ReLU(), torch.nn.Flatten(1),
              torch.nn.Linear(32 * 7 * 7, 10)]
    export(torch.nn.Sequential(*layers).eval(), tmp_path / "small.pt2", input_size=64)
    done = run("score", tmp_path / "small.pt2", "-b", "Simulated2026.V4-pls", "-b", "Simulated2026-error_consistency", "--json", "--bootstrap", "200",
               env={"CORTISCORE_HOME": str(home)})
    assert done.returncode == 0, done.stderr
    schema = json.loads((ROOT / "data_manifests/record.schema.json").read_text())
    for one in map(json.loads, done.stdout.splitlines()):
        jsonschema.validate(one, schema)
        draws = unpacked(one["draws"]["float32"])
        assert one["draws"]["of"] == "ceiled" and draws.size == 200
        assert np.percentile(draws, [2.5, 97.5]) == pytest.approx([one["error"]["ci_lo"], one["error"]["ci_hi"]], abs=1e-6)
        assert np.std(draws, ddof=1) == pytest.approx(one["error"]["ceiled"], rel=1e-4)
        assert one["network"] == {"parameters": sum(parameter.numel() for layer in layers for parameter in layer.parameters()), "weight_layers": 3}
        if one["benchmark_identifier"] == "Simulated2026.V4-pls":
            neuroids = unpacked(one["per_neuroid"]["float32"]).reshape(one["per_neuroid"]["splits"], one["n"]["neuroids"])
            assert np.nanmedian(neuroids, axis=1).mean() == pytest.approx(one["score"]["raw"], abs=1e-6)
        else:
            assert "per_neuroid" not in one


def test_published_scores_are_taken_over_once_and_marked(tmp_path, real_data):
    table = real_data / "published_tables/brainscore2018_leaderboard.tsv"
    arguments = ("results", "import", table, "--tree", "brainscore2018", "--source", "Schrimpf, Kubilius et al. 2018", "--results", tmp_path / "store")
    assert run(*arguments).stdout.endswith("183 scores taken, 0 there already\n")
    assert run(*arguments).stdout.endswith("0 scores taken, 183 there already\n")
    schema = json.loads((ROOT / "data_manifests/record.schema.json").read_text())
    stored = [json.loads(line) for line in run("results", "show", "--results", tmp_path / "store", "--json").stdout.splitlines()]
    assert len(stored) == 183
    for one in stored[::20]:
        jsonschema.validate(one, schema)
        assert one["status"] == "imported" and one["imported"]["source"] == "Schrimpf, Kubilius et al. 2018"
    from_store = lines("rank", "--results", tmp_path / "store", "--tree", "brainscore2018")
    from_table = lines("rank", "--table", table, "--tree", "brainscore2018")
    ranks_of = lambda ranking: [(one["rank"], one["model_identifier"], one["score"]) for one in ranking]
    assert ranks_of(from_store) == ranks_of(from_table)
    assert all(one["imported"] and one["ci_lo"] is None and one["rank_lo"] is None for one in from_store)
    assert "(imported)" in run("rank", "--results", tmp_path / "store", "--tree", "brainscore2018").stdout


def test_of_published_scores_those_that_show_the_same_three_decimals_share_a_rank(real_data):
    ranking = lines("rank", "--tree", "brainscore2018", "--table", real_data / "published_tables/brainscore2018_leaderboard.tsv")
    shown = [f"{one['score']:.3f}" for one in ranking]
    assert [one["rank"] for one in ranking] == [1 + shown.index(text) for text in shown]
    assert [one["rank"] for one in ranking[:8]] == [1, 2, 3, 4, 4, 4, 7, 8]  # .549, .544, .542, three of .541, .540, .533


def test_a_table_that_names_a_network_twice_is_refused(tmp_path):
    (tmp_path / "small.json").write_text(json.dumps(SMALL))
    table = write(tmp_path / "t.csv", [{"model": "m", "a": 1}, {"model": "n", "a": 1}, {"model": "m", "a": 0.5}])
    done = run("rank", "--tree", tmp_path / "small.json", "--table", table)
    assert done.returncode == 5 and '"m" in row 1' in done.stderr and "row 3" in done.stderr


def test_names_cannot_speak_to_the_terminal(tmp_path):
    hostile = "\x1b[31mred\x07‮"
    store = store_of(tmp_path / "store", [record(hostile, V1, 0.5), record("b", V1, 0.4), record("b", V4, 0.4, tags={"run": "r"})])
    for arguments in (["rank"], ["rank", "--columns", "benchmarks"], ["compare", hostile, "b"], ["compare", "b", hostile + "x"]):
        done = run(*arguments, "--results", store)
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f‮]", done.stdout + done.stderr), arguments


def test_draws_that_say_nothing_do_not_tie_everyone(tmp_path):
    """All NaN (one neuroid: there was nothing to draw), all the same, or of another seed: the score's error stands in, or it is exact."""
    nothing = np.full(N_DRAWS, np.nan)
    store = store_of(tmp_path / "store", [record("a", V1, 0.9, nothing), record("b", V1, 0.5, nothing), record("c", V1, 0.1, np.full(N_DRAWS, 0.1)),
                                          record("d", V1, 0.95, 0.95 + 0.001 * np.random.default_rng(0).standard_normal(N_DRAWS))])
    ranking = lines("rank", "--results", store)
    assert [(one["model_identifier"], one["rank"]) for one in ranking] == [("d", 1), ("a", 2), ("b", 3), ("c", 4)]
    assert not any(one["paired"] for one in lines("compare", "a", "d", "--results", store))
    assert " *" in run("compare", "a", "d", "--results", store).stdout
    assert ranking[0]["paired"] and not ranking[1]["paired"] and ranking[1]["ci_lo"] == pytest.approx(0.9 - 1.96 * 0.02, abs=0.005)


@pytest.mark.parametrize("text", ["================", "not base64 !", "AAAA", "", "AAAAAA==" * 50])
def test_draws_that_are_no_draws(tmp_path, text):
    odd = record("a", V1, 0.9) | {"draws": {"of": "ceiled", "float32": text}, "per_neuroid": {"splits": 3, "float32": text}}
    store = store_of(tmp_path / "store", [odd, record("b", V1, 0.5, 0.5 + np.linspace(-0.01, 0.01, N_DRAWS))])
    first, second = lines("rank", "--results", store)
    assert first["model_identifier"] == "a" and not first["paired"] and second["paired"] and first["draws_left_out"] == [V1]
    assert 'the record of "a" on Henaff2021.V1-pls keeps' in run("rank", "--results", store).stderr
    assert lines("compare", "a", "b", "--results", store)[0]["difference"] == pytest.approx(0.4)


@pytest.mark.parametrize("change, said", [
    (lambda one: one["draws"].update(float32=packed(unpacked(one["draws"]["float32"]) + 0.02)), "not those of its interval"),
    (lambda one: one["draws"].update(float32=packed(0.9 + 2 * (unpacked(one["draws"]["float32"]) - 0.9))), "not those of its interval"),
    (lambda one: one["draws"].update(float32=packed(unpacked(one["draws"]["float32"])[1:])), "keeps 399 draws of a bootstrap of 400"),
    (lambda one: one["error"].update(n_boot=1000), "keeps 400 draws of a bootstrap of 1000"),
    (lambda one: one["error"].update(ci_lo=None, ci_hi=None), "states no interval"),
    (lambda one: one["error"].pop("seed"), "does not say of which seed"),
    (lambda one: one["draws"].update(of="both"), "does not say of which score"),
    (lambda one: one.update(draws=[1, 2]), "not as `score` writes them"),
    (lambda one: one["draws"].update(float32=packed(np.full(N_DRAWS, np.inf))), "no numbers")])
def test_draws_that_contradict_their_record_are_named_and_not_used(tmp_path, change, said):
    noise = 0.01 * np.random.default_rng(5).standard_normal(N_DRAWS)
    odd = record("a", V1, 0.9, 0.9 + noise)
    change(odd)
    store = store_of(tmp_path / "store", [odd, record("b", V1, 0.5, 0.5 + noise), record("c", V1, 0.4, 0.4 + noise)])
    done = run("rank", "--results", store)
    assert f'the record of "a" on {V1} keeps' in done.stderr or f'the record of "a" on {V1} states' in done.stderr
    assert said in done.stderr and "left out" in done.stderr
    ranking = lines("rank", "--results", store)
    assert [one["paired"] for one in ranking] == [False, True, True] and said in ranking[0]["unpaired"]
    assert ranking[0]["ci_lo"] == pytest.approx(0.9 - 1.96 * 0.02, abs=0.005)  # its error stands in
    compared = run("compare", "a", "b", "--results", store)
    assert said in compared.stdout and "taken as independent" in compared.stdout and said in compared.stderr


def test_draws_of_more_than_are_kept_are_held_to_the_interval_as_chance_allows(tmp_path):
    random = np.random.default_rng(7)
    draws = 0.5 + 0.01 * random.standard_normal(20000)
    moved = record("moved", V1, 0.5, draws)
    moved["draws"]["float32"] = packed(draws[:1000] + 0.01)
    store = store_of(tmp_path / "store", [record("a", V1, 0.5, draws), moved])
    assert {one["model_identifier"]: one["paired"] for one in lines("rank", "--results", store)} == {"a": True, "moved": False}


def test_draws_of_another_seed_are_said_to_be(tmp_path):
    noise = 0.01 * np.random.default_rng(5).standard_normal(N_DRAWS)
    other = record("a", V1, 0.9, 0.9 + noise)
    other["error"]["seed"] = 3
    store = store_of(tmp_path / "store", [other, record("b", V1, 0.5, 0.5 + noise), record("c", V1, 0.4, 0.4 + noise)])
    assert "draws of seed 3, others have 0" in run("compare", "a", "b", "--results", store).stdout
    assert "draws of seed 3, others have 0" in run("rank", "--results", store).stderr


def scored_neuroids(tmp_path, change):
    random = np.random.default_rng(2)
    entries = []
    for name, shift in (("a", 0.1), ("b", 0)):
        neuroids = (random.random((4, 9)) + shift).astype("f4")
        entries.append(record(name, V4, 0.5 + shift, 0.5 + shift + 0.01 * random.standard_normal(N_DRAWS), neuroids))
    change(entries[0])
    return store_of(tmp_path / "store", entries)


@pytest.mark.parametrize("change, said", [
    (lambda one: one.pop("per_neuroid"), "keeps no score a neuroid"),
    (lambda one: one.update(per_neuroid=packed(np.ones(9))), "earlier version"),
    (lambda one: one["per_neuroid"].update(float32="AAAA"), "no float32 in base64"),
    (lambda one: one["per_neuroid"].update(splits=5), "36 scores of neuroids in 5 splits"),
    (lambda one: one["per_neuroid"].update(float32=packed(np.ones(36))), "not those of its raw score"),
    (lambda one: one.update(per_neuroid={"splits": 4, "float32": packed(np.full((4, 8), one["score"]["raw"]))}), "4 x 8 splits and neuroids")])
def test_where_neuroids_cannot_be_exchanged_compare_says_so(tmp_path, change, said):
    store = scored_neuroids(tmp_path, change)
    one = {line["name"]: line for line in lines("compare", "a", "b", "--results", store)}[V4]
    assert one["method"] == "bootstrap" and said in one["unpermuted"]
    table = run("compare", "a", "b", "--results", store).stdout
    assert re.search(rf"{re.escape(V4)}.* \+ +\d", table) and said in table
    done = run("compare", "a", "b", "--results", store, "--neuroids", tmp_path / "n.csv")
    assert done.returncode == 5 and said in done.stderr and not done.stdout and not (tmp_path / "n.csv").exists()


def test_where_they_can_it_says_nothing(tmp_path):
    store = scored_neuroids(tmp_path, lambda one: None)
    one = {line["name"]: line for line in lines("compare", "a", "b", "--results", store)}[V4]
    assert one["method"] == "permutation of neuroids" and one["unpermuted"] is None
    assert "+ p is" not in run("compare", "a", "b", "--results", store).stdout


def test_compare_refuses_what_it_cannot_compare(tmp_path):
    failed = {"schema_version": 1, "key": "k", "status": "failed", "model_identifier": "b", "benchmark_identifier": V4, "end": "2026-01-01T00:00:00Z",
              "message": "no"}
    store = store_of(tmp_path / "store", [record("a", V1, 0.5), failed, record("c", V1, 0.4)])
    done = run("compare", "a", "a", "--results", store)
    assert done.returncode == 2 and '"a" twice' in done.stderr
    done = run("compare", "a", "b", "--results", store)
    assert done.returncode == 5 and "none on which both" in done.stderr and not done.stdout
    both = store_of(tmp_path / "both", [record("a", V1, 0.5), record("a", V4, 0.5), record("b", V1, 0.3), failed])
    row = next(line for line in run("compare", "a", "b", "--results", both).stdout.splitlines() if V4 in line)
    assert row.split()[1:3] == ["0.500", "X"]  # as rank has it


@pytest.mark.parametrize("flags, said", [
    (["--network", "nobody"], "1, none that the filters leave"), (["--tag", "run=r9"], "1, none that the filters leave"),
    (["--region", "IT"], "1, none that the filters leave")])
def test_filters_that_leave_nothing_are_named(tmp_path, flags, said):
    store = store_of(tmp_path / "store", [record("a", V1, 0.5)])
    done = run("rank", "--results", store, *flags)
    assert done.returncode == 5 and said in done.stderr and "--tree" not in done.stderr


def test_a_store_of_unknown_benchmarks_or_none_says_so(tmp_path):
    store = store_of(tmp_path / "store", [record("a", "Mine2031.V1-pls", 0.5)])
    done = run("rank", "--results", store)
    assert done.returncode == 5 and "Mine2031.V1-pls" in done.stderr and "not known here" in done.stderr
    done = run("rank", "--results", store_of(tmp_path / "empty", []))
    assert done.returncode == 5 and "Score networks first" in done.stderr


@pytest.mark.parametrize("text, said", [
    ("model,a\n", "header alone"), ("model,a\nm,45.3\n", "per cent"), ("model,a\nm,-7\n", "per cent"), ("model,a\n,0.3\n", "model")])
def test_tables_that_are_refused(tmp_path, text, said):
    (tmp_path / "small.json").write_text(json.dumps(SMALL))
    (tmp_path / "t.csv").write_text(text)
    for words in (["rank", "--table"], ["results", "import"]):
        extra = [] if words[0] == "rank" else ["--source", "x", "--results", tmp_path / "store"]
        done = run(*words, tmp_path / "t.csv", "--tree", tmp_path / "small.json", *extra)
        assert done.returncode == 5 and said in done.stderr and not done.stdout, done.stderr
    (tmp_path / "t.csv").write_text("model,a\nm,X\n")
    done = run("results", "import", tmp_path / "t.csv", "--tree", tmp_path / "small.json", "--source", "x", "--results", tmp_path / "store")
    assert done.returncode == 5 and "no score in any row" in done.stderr and not (tmp_path / "store").exists()


@pytest.mark.parametrize("entry, said", [
    ({}, "has no key"), ([], "no object"), ({"key": "k", "status": "ok", "benchmark_identifier": V1}, "no model_identifier"),
    ({"key": "k", "status": "odd", "benchmark_identifier": V1, "model_identifier": "m"}, "has status odd"),
    ({"key": "k", "status": "ok", "benchmark_identifier": V1, "model_identifier": ""}, "no model_identifier"),
    ({"key": "k", "status": "ok", "benchmark_identifier": V1, "model_identifier": "m"}, "has no score")])
def test_records_that_no_verb_can_read_are_not_merged(tmp_path, entry, said):
    source = store_of(tmp_path / "source", [entry, record("a", V1, 0.5)])
    done = run("results", "merge", source, "--results", tmp_path / "store")
    assert done.returncode == 0 and "1 taken" in done.stdout and said in done.stderr, done.stderr
    shown = run("results", "show", "--json", "--results", tmp_path / "store")
    assert [json.loads(line)["model_identifier"] for line in shown.stdout.splitlines()] == ["a"] and "Left out" not in shown.stderr
    assert said in run("rank", "--results", source).stderr


def test_published_scores_stay_beside_own_ones(tmp_path):
    """gc, a second import and a merge change nothing; a network of both is marked as such."""
    (tmp_path / "small.json").write_text(json.dumps(SMALL | {"tree": {"name": "all", "children": [{"benchmark": V1}, {"benchmark": V4}]}}))
    table = write(tmp_path / "t.csv", [{"model": "m", V1: 0.3, V4: 0.4}, {"model": "n", V1: 0.2, V4: 0.1}])
    store = store_of(tmp_path / "store", [record("m", V1, 0.5)])
    take = ("results", "import", table, "--tree", tmp_path / "small.json", "--source", "a paper", "--results", store)
    assert "4 scores taken" in run(*take).stdout
    store_of(tmp_path / "own", [record("m", V4, 0.6, end="2030-01-01T00:00:00Z")])
    assert run("results", "merge", tmp_path / "own", "--results", store).returncode == 0
    shown = lambda: sorted(run("results", "show", "--json", "--results", store).stdout.splitlines())
    before = shown()
    assert len(before) == 6
    assert run("results", "gc", "--results", store).returncode == 0 and shown() == before
    assert "0 scores taken" in run(*take).stdout and "0 taken" in run("results", "merge", store, "--results", store).stdout and shown() == before
    ranking = run("rank", "--tree", tmp_path / "small.json", "--results", store).stdout
    assert re.search(r"^ +2 .*n \(imported\)", ranking, re.M) and "m (" not in ranking


def test_a_table_takes_no_filters(tmp_path):
    (tmp_path / "small.json").write_text(json.dumps(SMALL))
    table = write(tmp_path / "t.csv", [{"model": "m", "a": 1}])
    done = run("rank", "--tree", tmp_path / "small.json", "--table", table, "--network", "x")
    assert done.returncode == 2 and "filters are of a store" in done.stderr


def test_two_networks_at_one_step_of_a_run_are_refused(tmp_path):
    tags = {"run": "r1", "step": "100"}
    store = store_of(tmp_path / "store", [record("plain", V4, 0.5, tags=tags), record("ema", V4, 0.6, tags=tags),
                                          record("x", V4, 0.6, tags={"run": "r1", "step": "nan"})])
    done = run("compare", "r1", "r2", "--runs", "--results", store)
    assert done.returncode == 5 and '"ema" and "plain"' in done.stderr and "step 100" in done.stderr


def with_weights(entry, weights):
    return entry | {"graph_sha256": "1" * 64, "weights_sha256": weights * 64, "key": f"{entry['key']} {weights}"}


def test_two_networks_under_one_name_are_no_row_of_both(tmp_path):
    """Two trainings whose checkpoints have the same names: what was scored last is ranked alone, and it is said."""
    store = store_of(tmp_path / "store", [
        with_weights(record("checkpoint-500", V1, 0.2, end="2026-01-01T00:00:00Z"), "a"),
        with_weights(record("checkpoint-500", V4, 0.9, end="2026-01-01T00:00:00Z"), "a"),
        with_weights(record("checkpoint-500", V1, 0.3, end="2026-01-02T00:00:00Z"), "b"),
        with_weights(record("other", V1, 0.1), "c"), with_weights(record("other", V4, 0.1), "c")])
    ranking = {one["model_identifier"]: one for one in lines("rank", "--results", store)}
    assert ranking["checkpoint-500"]["leaves"] == {V1: 0.3, V4: None}
    said = run("rank", "--results", store).stderr
    assert 'stand under the name "checkpoint-500"' in said and "2 results of others are left out" in said
    assert "stand under the name" not in run("rank", "--results", store, "--network", "other").stderr
    # Which network a name means does not depend on which benchmarks are looked at.
    done = run("rank", "--results", store, "--region", "V4", "--json")
    assert [json.loads(line)["model_identifier"] for line in done.stdout.splitlines()] == ["other"] and "stand under the name" in done.stderr
    assert (ranking["other"]["weights_sha256"], ranking["other"]["graph_sha256"]) == ("c" * 64, "1" * 64)


@pytest.mark.parametrize("change", [{"graph_sha256": "2" * 64}, {"preprocessing": {"size": 96, "mean": [], "std": []}}])
def test_the_same_weights_in_another_network_are_no_row_of_both(tmp_path, change):
    old = with_weights(record("net", V4, 0.9, end="2026-01-01T00:00:00Z"), "a") | {"preprocessing": {"size": 64, "mean": [], "std": []}}
    new = {**old, **record("net", V1, 0.3, end="2026-01-02T00:00:00Z"), **change}
    store = store_of(tmp_path / "store", [old, new, record("other", V4, 0.1)])
    [net] = [one for one in lines("rank", "--results", store) if one["model_identifier"] == "net"]
    assert net["leaves"] == {V1: 0.3, V4: None}
    assert "other weights, graph or preprocessing, or activations" in run("rank", "--results", store).stderr


def test_activations_and_a_network_of_one_name_are_no_row_of_both(tmp_path):
    of_files = [record("net", benchmark, 0.9) | {"graph_sha256": None, "weights_sha256": benchmark[:1] * 64} for benchmark in (V1, V4)]
    store = store_of(tmp_path / "store", [*of_files, record("other", V4, 0.1)])
    [net] = [one for one in lines("rank", "--results", store) if one["model_identifier"] == "net"]
    assert net["leaves"] == {V1: 0.9, V4: 0.9} and net["weights_sha256"] is None  # a file a benchmark
    later = with_weights(record("net", V1, 0.3, end="2026-01-02T00:00:00Z"), "a")
    store = store_of(tmp_path / "both", [*of_files, later, record("other", V4, 0.1)])
    [net] = [one for one in lines("rank", "--results", store) if one["model_identifier"] == "net"]
    assert net["leaves"] == {V1: 0.3, V4: None}
    assert "or activations" in run("rank", "--results", store).stderr


def test_weights_that_failed_last_are_what_the_name_means(tmp_path):
    """A training that diverged has not the scores of a healthy one whose checkpoints are called alike."""
    failed = {"schema_version": 1, "status": "failed", "model_identifier": "ck", "benchmark_identifier": V4, "end": "2026-01-02T00:00:00.5Z",
              "message": "NaN", "error_type": 5, "key": "f", "graph_sha256": "1" * 64, "weights_sha256": "b" * 64}
    store = store_of(tmp_path / "store", [with_weights(record("ck", V1, 0.4), "a"), with_weights(record("ck", V4, 0.4), "a"), failed,
                                          record("other", V1, 0.1), record("other", V4, 0.1)])
    [ck] = [one for one in lines("rank", "--results", store) if one["model_identifier"] == "ck"]
    assert ck["status"] == {V1: "missing", V4: "failed"} and ck["weights_sha256"] == "b" * 64


def test_editions_are_voted_by_the_networks_that_are_ranked(tmp_path):
    old = [with_weights(record(f"c-{i}", V4, 0.5, convention="r_over_c", end="2026-01-01T00:00:00Z"), "a") for i in range(3)]
    new = [with_weights(record(f"c-{i}", V4, 0.4, end="2026-01-02T00:00:00Z"), "b") for i in range(3)]
    store = store_of(tmp_path / "store", [*old, *new, with_weights(record("x", V4, 0.5, convention="r_over_c"), "c")])
    assert {one["model_identifier"]: one["status"][V4] for one in lines("rank", "--results", store)} == {
        "c-0": "ok", "c-1": "ok", "c-2": "ok", "x": "other edition"}


def test_an_undefined_score_is_said_to_be_one(tmp_path):
    undefined = record("a", V4, 0.5)
    undefined["score"] |= {"raw": None, "ceiled": None}
    store = store_of(tmp_path / "store", [undefined, record("a", V1, 0.4), record("b", V1, 0.4), record("b", V4, 0.4)])
    [a] = [one for one in lines("rank", "--results", store) if one["model_identifier"] == "a"]
    assert a["status"] == {V1: "ok", V4: "undefined"} and a["leaves"][V4] is None
    done = run("rank", "--results", store, "--columns", "benchmarks")
    assert "undef." in done.stdout and f'the score of "a" on {V4} is undefined (undef.)' in done.stderr
    assert "It counts as zero in average_vision" in done.stderr and "no score on some" not in done.stderr
    assert "undef." in run("compare", "a", "b", "--results", store).stdout


def test_a_published_score_has_no_error_to_compare_with(tmp_path):
    write(tmp_path / "t.csv", [{"model": "b", V4: 0.7}])
    store = store_of(tmp_path / "store", [record("o", V4, 0.4, np.random.default_rng(0).normal(0.4, 0.02, N_DRAWS)), record("p", V4, 0.3)])
    assert run("results", "import", tmp_path / "t.csv", "--source", "x", "--results", store).returncode == 0
    for one in lines("compare", "b", "o", "--results", store):
        assert one["difference"] == pytest.approx(0.3) and one["ci_lo"] is None and one["p"] is None
        assert one["without_error"] == "the score of b was published without an error"
    shown = run("compare", "b", "o", "--results", store).stdout
    assert "? no interval and no p: the score of b was published without an error" in shown and "taken as independent" not in shown
    assert "published scores come without errors: 1 of 3 networks" in run("rank", "--results", store).stderr


def test_the_longer_of_two_lists_of_draws_decides(tmp_path):
    generator = np.random.default_rng(0)
    store = store_of(tmp_path / "store", [record("a", V4, 0.5, generator.normal(0.5, 0.02, N_DRAWS)),
                                          record("b", V4, 0.3, generator.normal(0.3, 0.02, 5))])
    assert lines("compare", "a", "b", "--results", store)[-1]["p"] == pytest.approx(1 / (N_DRAWS + 1), rel=1.01)


def test_two_trainings_whose_checkpoints_are_called_alike_are_compared(tmp_path):
    def step(name, run_name, score, weights, end):
        return with_weights(record(name, V4, score, key=f"{run_name} {name}", end=end, tags={"run": run_name, "step": name.split("-")[-1]}), weights)

    store = store_of(tmp_path / "store", [
        *(step(f"checkpoint-{s}", "r1", 0.4, "a", "2026-01-01T00:00:00Z") for s in (100, 300)),
        *(step(f"checkpoint-{s}", "r2", 0.2, "b", "2026-01-02T00:00:00Z") for s in (100, 300)),
        *(step(f"x-{s}", "r3", 0.4, "a", "2026-01-01T00:00:00Z") for s in (100, 300))])
    for first, second, difference in (("r1", "r3", 0), ("r1", "r2", 0.2), ("r2", "r3", -0.2)):
        steps = lines("compare", first, second, "--runs", "--results", store)
        assert [one["step"] for one in steps] == ["100", "300"]
        assert [one["difference"] for one in steps] == pytest.approx([difference] * 2)
    done = run("compare", "r1", "r2", "--runs", "--neuroids", tmp_path / "n.csv", "--results", store)
    assert done.returncode == 2 and not (tmp_path / "n.csv").exists()


def test_leaves_of_a_table_are_those_that_it_has(tmp_path):
    """The composite of a table is that of the store it would be taken over into."""
    write(tmp_path / "t.csv", [{"model": "a", V4: 0.9, V1: 0.4, "it": 0.1}, {"model": "b", V4: 0.5, V1: 0.4, "it": 0.1}])
    done = run("rank", "--table", tmp_path / "t.csv", "--json")
    direct = {one["model_identifier"]: one["score"] for one in map(json.loads, done.stdout.splitlines())}
    assert 'not read: columns "it"' in done.stderr
    taken = run("results", "import", tmp_path / "t.csv", "--source", "x", "--results", tmp_path / "s")
    assert "4 scores taken" in taken.stdout and 'not read: columns "it"' in taken.stderr
    assert direct == {one["model_identifier"]: one["score"] for one in lines("rank", "--results", tmp_path / "s")} == {
        "a": pytest.approx(0.65), "b": pytest.approx(0.45)}
    assert len(lines("compare", "a", "b", "--table", tmp_path / "t.csv")) < 10
    write(tmp_path / "u.csv", [{"model": "a", V4: 0.2}])
    again = run("results", "import", tmp_path / "u.csv", "--source", "y", "--results", tmp_path / "s")
    assert "1 scores taken" in again.stdout and "1 of them are of networks and benchmarks that another table had" in again.stderr


def test_two_columns_of_one_benchmark_are_refused(tmp_path):
    write(tmp_path / "t.csv", [{"model": "a", "V4": 0.5, "MajajHong2015.V4-pls": 0.1, "IT": 0.2}])
    done = run("rank", "--table", tmp_path / "t.csv", "--tree", "brainscore2018")
    assert done.returncode == 5 and "V4 and MajajHong2015.V4-pls, both of MajajHong2015.V4-pls" in done.stderr


@pytest.mark.parametrize(("flags", "code", "said"), [
    (["--tag", "run=r1", "--tag", "run=r3"], 2, "two values of run"), (["--since", "2026-13-45"], 2, "expected a day"),
    (["--convention", "foo"], 5, 'found "foo", expected one that some score here has: "r2_over_c"')])
def test_filters_that_mean_nothing_are_refused(tmp_path, flags, code, said):
    store = store_of(tmp_path / "store", [record("a", V4, 0.5, tags={"run": "r1"})])
    done = run("rank", "--results", store, *flags)
    assert done.returncode == code and said in done.stderr, done.stderr


def test_several_scores_of_one_network_are_said(tmp_path):
    store = store_of(tmp_path / "store", [record("a", V4, 0.5, key="nested"), record("a", V4, 0.2, key="by hand", end="2026-01-02T00:00:00Z"),
                                          record("b", V4, 0.4)])
    done = run("rank", "--results", store, "--json")
    assert {one["model_identifier"]: one["score"] for one in map(json.loads, done.stdout.splitlines())} == {"a": 0.2, "b": 0.4}
    assert f'several scores are here of "a" on {V4} (by other layers' in done.stderr


def test_brackets_of_a_name_are_no_pattern(tmp_path):
    store = store_of(tmp_path / "store", [record("a[1]", V4, 0.5), record("a1", V4, 0.4)])
    assert [one["model_identifier"] for one in lines("rank", "--results", store, "--network", "a[1]")] == ["a[1]"]


def test_what_is_asked_for_changes_no_score(tmp_path):
    """A composite is over the benchmarks of the store, whichever networks are looked at; a table that was taken over adds none."""
    store = store_of(tmp_path / "store", [record("a", V1, 0.4, tags={"run": "r"}), record("b", V1, 0.4), record("b", V4, 0.4)])
    whole = {one["model_identifier"]: one["score"] for one in lines("rank", "--results", store)}
    assert whole == {"a": pytest.approx(0.2), "b": pytest.approx(0.4)}
    assert {one["model_identifier"]: one["score"] for one in lines("rank", "--results", store, "--network", "a")} == {"a": pytest.approx(0.2)}
    assert "1 of 2 networks have no score on some of the 2 benchmarks" in run("rank", "--results", store).stderr
    (tmp_path / "small.json").write_text(json.dumps(SMALL | {"leaf": "raw", "tree": {"name": "all", "children": [{"benchmark": IT}]}}))
    table = write(tmp_path / "t.csv", [{"model": "m", IT: 0.3}])
    assert run("results", "import", table, "--tree", tmp_path / "small.json", "--source", "a paper", "--results", store).returncode == 0
    assert {one["model_identifier"]: one["score"] for one in lines("rank", "--results", store)} == {**whole, "m": None}
    alone = store_of(tmp_path / "alone", [])
    assert run("results", "import", table, "--tree", tmp_path / "small.json", "--source", "a paper", "--results", alone).returncode == 0
    done = run("rank", "--results", alone)
    assert done.returncode == 5 and "published scores that tree average_vision has no use for" in done.stderr and "--tree" in done.stderr


def test_what_one_of_two_lacks_is_no_difference(tmp_path):
    noise = 0.01 * np.random.default_rng(5).standard_normal(N_DRAWS)
    store = store_of(tmp_path / "store", [record("a", V1, 0.5, 0.5 + noise), record("a", V4, 0.5, 0.5 + noise), record("b", V1, 0.4, 0.4 + noise)])
    compared = {one["name"]: one for one in lines("compare", "a", "b", "--results", store)}
    root = compared["average_vision"]
    assert root["p"] is None and root["ci_lo"] is None and root["lacking"] == f"b has no score on {V4}"
    assert compared[V1]["p"] is not None and compared[V1]["lacking"] is None
    table = run("compare", "a", "b", "--results", store).stdout
    assert re.search(r"average_vision .* - ! ", table) and f"! not compared, since what one of both lacks counts as zero: b has no score on {V4}" in table
    failed = {"schema_version": 1, "key": "k", "status": "failed", "model_identifier": "b", "benchmark_identifier": V4, "end": "2026-01-01T00:00:00Z",
              "message": "no"}
    both = store_of(tmp_path / "both", [record("a", V1, 0.5, 0.5 + noise), record("a", V4, 0.5, 0.5 + noise), record("b", V1, 0.4, 0.4 + noise), failed])
    assert lines("compare", "a", "b", "--results", both)[0]["p"] is not None  # a failure is a zero


def test_a_node_of_nothing_is_no_failure(tmp_path):
    store = store_of(tmp_path / "store", [record("a", V1, 0.5), record("b", V1, 0.4), record("b", V4, 0.3)])
    row = next(line for line in run("rank", "--results", store).stdout.splitlines() if " a " in line)
    assert row.split()[-1] == "-" and "X" not in row


def test_a_source_that_is_not_there(tmp_path):
    done = run("results", "merge", tmp_path / "none.cortiscore.zip", "--rescore", "--results", tmp_path / "store")
    assert done.returncode == 5 and "no such file or folder" in done.stderr


def test_intervals_of_two_kinds_are_said(tmp_path):
    records = [record(name, V4, 0.4) for name in "abc"]
    for one, over in zip(records, ["neuroid", "neuroid and presentation", "neuroid"]):
        one["error"]["method"] = "percentile bootstrap over " + over
    said = run("rank", "--results", store_of(tmp_path / "store", records)).stderr
    assert f"intervals on {V4} are not of one kind: 2 over neuroid, 1 over neuroid and presentation" in said
    drawn = [record(name, V4, 0.4, np.random.default_rng(i).normal(0.4, 0.02, N_DRAWS)) for i, name in enumerate("abc")]
    for one, over in zip(drawn, ["neuroid", "neuroid and presentation", "neuroid"]):
        one["error"]["method"] = "percentile bootstrap over " + over
    why = {line["model_identifier"]: line["unpaired"] for line in lines("rank", "--results", store_of(tmp_path / "drawn", drawn))}
    assert why["a"] is None and why["b"] == "keeps draws over neuroid and presentation, others over neuroid"
    assert "of one kind" not in run("rank", "--results", store_of(tmp_path / "one", [records[0], records[2]])).stderr


HIDDEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]")


def test_json_escapes_what_a_terminal_would_obey_and_reads_back_as_the_same_name(tmp_path):
    name = "a\u202eb\x9b2J\x7f\u200b\u2066\ufeff\U000e0041\x1b[2J\u0645\u4e2d\U0001f600"
    tags = {"lab\u202e": "x\x9b"}
    store = store_of(tmp_path / "store", [record(name, V4, 0.4, tags=tags), record("b", V4, 0.3), record("c", V4, 0.2), record("d", V4, 0.1)])
    table = write(tmp_path / "t.csv", [{"model": one, "brain_score": i / 10, "imagenet_top1": 60 + i} for i, one in enumerate([name, *"bcdefgh"])])
    for words in (["results", "show", "--results", store], ["rank", "--results", store], ["compare", name, "b", "--results", store],
                  ["analyze", "imagenet", "--table", table, "--breakpoint", "63", "--draws", "100"], ["data", "table", table]):
        done = run(*words, "--json")
        assert done.returncode == 0, done.stderr
        assert not HIDDEN.search(done.stdout + done.stderr), words
        named = any(name in values_of(json.loads(line)) for line in done.stdout.splitlines())
        assert named or words[0] == "compare", words  # its lines name benchmarks alone
    exported = run("results", "export", "--format", "jsonl", "--results", store)
    assert not HIDDEN.search(exported.stdout) and {json.loads(line)["model_identifier"] for line in exported.stdout.splitlines()} == {name, *"bcd"}


def values_of(value):
    """All text in a JSON value, keys included."""
    if isinstance(value, dict):
        return [*value, *itertools.chain.from_iterable(map(values_of, value.values()))]
    return list(itertools.chain.from_iterable(map(values_of, value))) if isinstance(value, list) else [value]
