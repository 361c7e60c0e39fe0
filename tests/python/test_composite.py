"""Trees: published tables in, published conclusions out; the rules for what is missing; `benchmark list|info`."""
import csv
import json

import google_crc32c
import jsonschema
import numpy as np
import pytest

from conftest import ROOT, run, write

TREES = ROOT / "data_manifests/trees"


def rank(*arguments, env=None):
    done = run("results", "rank", *arguments, "--json", env=env)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def leaderboard(real_data):
    return real_data / "published_tables/brainscore2018_leaderboard.tsv"


def test_the_2018_table_comes_out_as_published(leaderboard):
    """Schrimpf, Kubilius et al. 2018: 61 models, the mean of V4, IT and i2n, unceiled."""
    published = list(csv.DictReader(open(leaderboard), delimiter="\t"))
    ranking = rank("--tree", "brainscore2018", "--table", leaderboard)
    assert len(ranking) == len(published) == 61
    assert [r["model_identifier"] for r in ranking[:3]] == ["densenet-169", "cornet_s", "resnet-101_v2"]
    expected = {row["model"]: row for row in published}
    for ours in ranking:
        row = expected[ours["model_identifier"]]
        assert ours["score"] == pytest.approx(float(row["brain_score"]), abs=1e-6)
        assert ours["leaves"]["MajajHong2015.IT-pls"] == float(row["IT"])


@pytest.mark.parametrize("column, all_models, below_70, from_70", [
    ("brain_score", 0.915, 0.904, 0.312), ("V4", 0.565, 0.202, 0.277), ("IT", 0.718, 0.863, -0.033), ("i2n", 0.859, 0.827, 0.208)])
def test_brain_score_and_imagenet_decouple_above_70_percent(leaderboard, column, all_models, below_70, from_70):
    """The preprint's finding, from our composite: correlations with ImageNet top-1."""
    top1 = {row["model"]: float(row["imagenet_top1"]) for row in csv.DictReader(open(leaderboard), delimiter="\t")}
    leaf = {"V4": "MajajHong2015.V4-pls", "IT": "MajajHong2015.IT-pls", "i2n": "Rajalingham2018-i2n"}
    ranking = rank("--tree", "brainscore2018", "--table", leaderboard)
    y = np.array([r["score"] if column == "brain_score" else r["leaves"][leaf[column]] for r in ranking])
    x = np.array([top1[r["model_identifier"]] for r in ranking])
    for rows, expected in ((x > 0, all_models), (x < 70, below_70), (x >= 70, from_70)):
        assert np.corrcoef(x[rows], y[rows])[0, 1] == pytest.approx(expected, abs=6e-4)


def test_object_solution_times_count_as_zero_in_2019(leaderboard):
    for row_2018, row_2019 in zip(rank("--tree", "brainscore2018", "--table", leaderboard),
                                  rank("--tree", "brainscore2019", "--table", leaderboard)):
        assert row_2019["score"] == pytest.approx(row_2018["score"] * 3 / 4, rel=1e-12)


SMALL = {"schema_version": 1, "identifier": "small", "leaf": "ceiled", "clip": True, "missing": "zero",
         "tree": {"name": "all", "children": [{"name": "neural", "children": [{"benchmark": "a"}, {"benchmark": "b"}]},
                                              {"benchmark": "c"}]}}
ROWS = [{"model": "whole", "a": 0.4, "b": 0.6, "c": 0.3}, {"model": "half", "a": 0.4, "b": "", "c": 0.3},
        {"model": "failed", "a": "X", "b": "", "c": 0.3}, {"model": "nothing", "a": "", "b": "", "c": ""},
        {"model": "beyond", "a": 1.4, "b": -0.2, "c": 0.3}]


@pytest.mark.parametrize("missing, expected", [
    ("zero", {"whole": (0.5 + 0.3) / 2, "half": (0.2 + 0.3) / 2, "failed": 0.3 / 2, "nothing": None, "beyond": (0.5 + 0.3) / 2}),
    ("skip", {"whole": 0.4, "half": (0.4 + 0.3) / 2, "failed": 0.3, "nothing": None, "beyond": 0.4}),
    ("none", {"whole": 0.4, "half": None, "failed": None, "nothing": None, "beyond": 0.4})])
def test_what_is_missing(tmp_path, missing, expected):
    """BENCHMARKS.md 4.1: clipped leaves, then sums over all children (zero) or over those there are (skip)."""
    (tmp_path / "small.json").write_text(json.dumps({**SMALL, "missing": missing}))
    ranking = rank("--tree", tmp_path / "small.json", "--table", write(tmp_path / "table.csv", ROWS))
    found = {r["model_identifier"]: r["score"] for r in ranking}
    assert found == {k: pytest.approx(v) if v is not None else None for k, v in expected.items()}
    scored = [r for r in ranking if r["score"] is not None]
    assert [r["rank"] for r in ranking[len(scored):]] == [None] * (len(ranking) - len(scored))


def test_ties_and_the_platforms_rounding(tmp_path):
    rows = [{"model": m, "a": v, "b": v, "c": v} for m, v in (("x", 0.5), ("w", 0.5), ("y", 0.04949), ("z", 1))]
    (tmp_path / "small.json").write_text(json.dumps(SMALL))
    arguments = ("--tree", tmp_path / "small.json", "--table", write(tmp_path / "table.csv", rows))
    assert [(r["rank"], r["model_identifier"]) for r in rank(*arguments)] == [(1, "z"), (2, "w"), (2, "x"), (4, "y")]
    lines = [line.split() for line in run("results", "rank", *arguments).stdout.splitlines()]
    assert lines[0][:3] == ["rank", "network", "composite"]
    assert [line[2] for line in lines[1:]] == ["1.000", ".500", ".500", ".049"]


def record(model, benchmark, ceiled, error=0.1, status="ok", end="2026-01-01T00:00:00Z", key=None):
    base = {"schema_version": 1, "key": key or f"{model} {benchmark}", "status": status, "model_identifier": model,
            "benchmark_identifier": benchmark, "end": end, "timing_ms": {"total": 1}}
    if status == "ok":
        base.update(score={"raw": ceiled / 2, "ceiled": ceiled, "ceiling": 1, "ceiling_convention": "r_over_c"},
                    raw={"error": error / 2}, error={"ceiled": error})
    return base


def store_of(folder, records):
    """Shards of other writers, as docs/formats.md describes them."""
    folder.mkdir()
    lines = []
    for entry in records:
        text = json.dumps(entry, separators=(",", ":"), sort_keys=True)
        lines.append(f'{{"crc32c":"{google_crc32c.value(text.encode()):08x}","record":{text}}}\n')
    (folder / "20260101T000000Z-host-1.jsonl").write_text("".join(lines))
    return folder


def test_a_store_is_ranked_by_todays_tree(tmp_path):
    """neural = mean of regions, average = mean(neural, behaviour), missing counts as zero, the last of two options counts."""
    v1, v4, it, eyes = "Henaff2021.V1-pls", "Cowley2023.V4-pls", "Cichy2014.IT-rdm", "Geirhos2021edge-error_consistency"
    store = store_of(tmp_path / "store", [
        record("one", v1, 0.2), record("one", v4, 0.4), record("one", it, 0.6), record("one", eyes, 0.5),
        record("two", v1, 0.9, end="2026-01-02T00:00:00Z", key="later"), record("two", v1, 0.1, key="earlier"),
        record("two", v4, 0, status="failed"), record("two", "Simulated2026.V4-pls", 1.0),
        record("two", "Kriegeskorte2008.IT.monkey-rdm", 0.99)])
    first, second = rank("--results", store)
    assert (first["model_identifier"], second["model_identifier"]) == ("one", "two")
    assert first["score"] == pytest.approx(((0.2 + 0.4 + 0.6) / 3 + 0.5) / 2)
    assert first["error"] == pytest.approx(np.sqrt(3 * (0.1 / 6) ** 2 + (0.1 / 2) ** 2))
    assert second["score"] == pytest.approx(0.9 / 3 / 2) and second["nodes"]["V4"] is None
    assert set(first["leaves"]) == {v1, v4, it, eyes}
    [skipped] = [r for r in rank("--results", store, "--tree", "average_vision_2024") if r["model_identifier"] == "two"]
    assert skipped["score"] == pytest.approx(0.9)
    done = run("results", "rank", "--results", store, "--tree", "brainscore2018")
    assert done.returncode == 5 and "none of tree brainscore2018" in done.stderr


@pytest.mark.parametrize("change, words", [({"missing": "maybe"}, ["missing", "maybe"]), ({"tree": None}, ["tree of schema version 1"]),
                                           ({"schema_version": 2}, ["schema_version"])])
def test_bad_trees_are_named(tmp_path, change, words):
    (tmp_path / "bad.json").write_text(json.dumps({**SMALL, **change}))
    done = run("results", "rank", "--tree", tmp_path / "bad.json", "--table", write(tmp_path / "t.csv", ROWS))
    assert done.returncode == 5 and all(word in done.stderr for word in words), done.stderr


def test_bad_tables_and_names(tmp_path):
    (tmp_path / "small.json").write_text(json.dumps(SMALL))
    done = run("results", "rank", "--tree", tmp_path / "small.json", "--table", write(tmp_path / "t.csv", [{"model": "m", "a": "high"}]))
    assert done.returncode == 5 and '"high"' in done.stderr and "row 1 (line 2), column a" in done.stderr
    done = run("results", "rank", "--tree", tmp_path / "small.json", "--table", write(tmp_path / "t.csv", [{"model": "m", "z": "1"}]))
    assert done.returncode == 5 and "a, b, c" in done.stderr
    done = run("results", "rank", "--tree", "average_visoin")
    assert done.returncode == 4 and "average_vision" in done.stderr


def test_trees_follow_their_schema():
    schema = json.loads((ROOT / "data_manifests/tree.schema.json").read_text())
    for path in TREES.glob("*.json"):
        jsonschema.validate(json.loads(path.read_text()), schema)
    jsonschema.validate(SMALL, schema)


def test_a_build_that_moved_finds_its_manifests(tmp_path):
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "trees").mkdir()
    one = json.loads((ROOT / "data_manifests/benchmarks/Cichy2014.IT-rdm.json").read_text())
    (tmp_path / "benchmarks/one.json").write_text(json.dumps(one))
    listed = run("benchmark", "list", "--json", env={"CORTISCORE_MANIFESTS": str(tmp_path), "CORTISCORE_HOME": str(tmp_path / "none")})
    assert [json.loads(line)["identifier"] for line in listed.stdout.splitlines()] == ["Cichy2014.IT-rdm"]


def test_benchmarks_are_listed_and_described(tmp_path):
    empty = {"CORTISCORE_HOME": str(tmp_path)}
    every = [json.loads(line) for line in run("benchmark", "list", "--json", env=empty).stdout.splitlines()]
    manifests = {json.loads(p.read_text())["identifier"] for p in (ROOT / "data_manifests/benchmarks").glob("*.json")}
    assert {b["identifier"] for b in every} == manifests and not any(b["here"] for b in every)
    it = [json.loads(line) for line in run("benchmark", "list", "--region", "IT", "--json", env=empty).stdout.splitlines()]
    assert {b["identifier"] for b in it} == {b["identifier"] for b in every if b["region"] == "IT"}
    behavior = run("benchmark", "list", "--kind", "behavior", env=empty).stdout
    assert "Geirhos2021edge-error_consistency" in behavior and "V4-pls" not in behavior and "./dev import-data" in behavior
    assert run("benchmark", "list", "--here", env=empty).stdout == ""
    shown = run("benchmark", "info", "Cichy2014.IT-rdm", env=empty)
    assert shown.returncode == 0 and "missing; run: ./dev import-data" in shown.stdout and "Cichy" in shown.stdout
    done = run("benchmark", "info", "Cichy2014.IT-rmd", env=empty)
    assert done.returncode == 4 and "Cichy2014.IT-rdm" in done.stderr


def test_the_tracks_of_the_2022_competition(tmp_path):
    """33 leaves; groups weigh as groups, whatever their number of properties."""
    def leaves(node):
        return [node["benchmark"]] if "benchmark" in node else [leaf for child in node["children"] for leaf in leaves(child)]

    tree = json.loads((ROOT / "data_manifests/trees/competition2022.json").read_text())["tree"]
    names = leaves(tree)
    assert len(names) == len(set(names)) == 33
    groups = {g["name"]: len(g["children"]) for g in tree["children"][0]["children"][1]["children"]}  # BENCHMARKS.md 1.3
    assert groups == {"V1-orientation": 7, "V1-spatial_frequency": 3, "V1-response_selectivity": 4, "V1-receptive_field_size": 2,
                      "V1-surround_modulation": 1, "V1-texture_modulation": 2, "V1-response_magnitude": 3}
    random = np.random.default_rng(0)
    score = {name: random.random() for name in names}
    table = write(tmp_path / "table.csv", [{"model": "m", **score}])
    of = lambda node: score[node["benchmark"]] if "benchmark" in node else np.mean([of(child) for child in node["children"]])
    for track, expected in (("competition2022", of(tree)), ("competition2022_v1", of(tree["children"][0])),
                            ("competition2022_behavior", score["Rajalingham2018-i2n"])):
        [ranked] = rank("--tree", track, "--table", table)
        assert ranked["score"] == pytest.approx(expected, rel=1e-12), track
