"""Benchmarks on choices that compare conditions, accuracies, cues or triplets: a classifier whose choices are known beside
subjects, every number against NumPy and SciPy."""
import json

import numpy as np
import pytest
from PIL import Image
from scipy.stats import pearsonr

from conftest import run, run_json, write

NAMES = ["bear", "cat", "dog", "elephant"]
N, N_SUBJECTS = 120, 7


def accuracy(rows, **where):
    kept = [r["choice"] == r["truth"] for r in rows if all(r[k] == v for k, v in where.items())]
    return np.mean(kept) if kept else np.nan


class World:
    """Stimuli, the choices of subjects, and a classifier's logits; written to a home when a benchmark is scored."""

    def __init__(self, home, conditions, seed=0, trials=2):
        self.home, random = home, np.random.default_rng(seed)
        self.ids = [f"s{i:03}" for i in range(N)]
        self.truth = [NAMES[i] for i in random.integers(4, size=N)]
        self.texture = [NAMES[i] for i in random.integers(4, size=N)]
        self.columns = {name: [str(v) for v in random.choice(values, N)] for name, values in conditions.items()}
        # What is hard differs from condition to condition, for everyone.
        codes = sum((k + 1) * np.unique(v, return_inverse=True)[1] for k, v in enumerate(self.columns.values())) + np.zeros(N)
        right = 0.9 - 0.12 * codes
        choose = lambda i, p: self.truth[i] if random.random() < p[i] else NAMES[random.integers(4)]
        self.chosen = [choose(i, right) for i in range(N)]
        self.rows = [{"subject": str(s + 1), "stimulus_id": self.ids[i], "truth": self.truth[i], "choice": choose(i, right)}
                     | {name: values[i] for name, values in self.columns.items()}
                     for s in range(N_SUBJECTS) for i in range(N) for _ in range(trials)]
        self.network = [{"truth": t, "choice": c} | {name: values[i] for name, values in self.columns.items()}
                        for i, (t, c) in enumerate(zip(self.truth, self.chosen))]
        self.logits = random.normal(size=(N, 8))
        for i, c in enumerate(self.chosen):  # outputs 2k and 2k + 1 speak for category k
            self.logits[i, 2 * NAMES.index(c)] += 9
        self.features = random.normal(size=(N, 12))

    def score(self, metric, columns_with_stimuli=False, **manifest):
        folder = self.home / "data"
        folder.mkdir(exist_ok=True)
        stimuli = [{"stimulus_id": i, "filename": f"{i}.png", "truth": t, "texture": x} for i, t, x in zip(self.ids, self.truth, self.texture)]
        rows = self.rows
        if columns_with_stimuli:  # the choices' file does not repeat what the stimulus set says
            stimuli = [row | {name: values[k] for name, values in self.columns.items()} for k, row in enumerate(stimuli)]
            rows = [{k: v for k, v in row.items() if k not in self.columns} for row in rows]
        write(folder / "stimuli.csv", stimuli)
        for i in self.ids:
            Image.new("RGB", (4, 4)).save(folder / f"{i}.png")
        write(folder / "choices.csv", rows)
        write(folder / "classes.csv", [{"category": name, "index": 2 * k + j} for k, name in enumerate(NAMES) for j in (0, 1)])
        text = {"schema_version": 1, "identifier": "Ours-choices", "kind": "behavior", "region": "behavior", "stimulus_set": "stimuli.csv",
                "choices": "choices.csv", "readout": {"name": "imagenet_classes", "classes": "classes.csv", "n_outputs": 8},
                "metric": metric} | manifest
        (self.home / "ours.json").write_text(json.dumps({k: v for k, v in text.items() if v is not None}))
        np.save(self.home / "features.npy", self.features if text["readout"]["name"] == "odd_one_out" else self.logits)
        return run_json("score", self.home / "features.npy", "-b", self.home / "ours.json", env={"CORTISCORE_HOME": str(self.home)})


def agrees(record, raw, ceiling, ceiled):
    score = record["score"]
    np.testing.assert_allclose([score["raw"], score["ceiling"], score["ceiled"]], [raw, ceiling, ceiled], rtol=1e-10)
    assert record["error"]["ci_lo"] <= score["ceiled"] <= record["error"]["ci_hi"]


def test_loss_of_accuracy(tmp_path):
    world = World(tmp_path, {"kind": ["w", "f", "o"]})
    by_subject = [[r for r in world.rows if r["subject"] == str(s + 1)] for s in range(N_SUBJECTS)]
    # Whole images must be easier than manipulated ones for a loss to be one.
    whole, manipulated = sorted(["w", "f", "o"], key=lambda k: -np.mean([accuracy(rows, kind=k) for rows in by_subject]))[::2]
    record = world.score({"name": "accuracy_delta", "cells": [{"column": "condition", "values": [whole, manipulated]}], "clip": True},
                         columns={"condition": "kind"})
    m = np.subtract(*(np.nanmean([accuracy(world.network, kind=k, truth=t) for t in NAMES]) for k in (whole, manipulated)))
    losses = {s + 1: accuracy(rows, kind=whole) - accuracy(rows, kind=manipulated) for s, rows in enumerate(by_subject)}
    scores, halves, state = [], [], np.random.RandomState(0)
    for i in range(100):
        h = np.mean([losses[s] for s in np.random.RandomState(i).choice(range(1, N_SUBJECTS), N_SUBJECTS // 2, replace=False)])
        scores.append(max(0, 1 - abs(h - m) / h))
        drawn = state.choice(range(1, N_SUBJECTS), N_SUBJECTS // 2, replace=False)
        a, b = np.mean([losses[s] for s in drawn]), np.mean([losses[s] for s in losses if s not in drawn])
        s = max(0, 1 - abs(a - b) / b)
        halves.append(2 * s / (1 + s))
    np.testing.assert_allclose(record["split_scores"], scores, rtol=1e-10)
    agrees(record, np.mean(scores), np.median(halves), min(1, np.mean(scores) / np.median(halves)))


def test_accuracies_of_conditions(tmp_path):
    world = World(tmp_path, {"occluder": ["bar", "blob", "mesh"], "colour": ["black", "white"], "visibility": ["0.5", "1.0"]})
    world.logits = world.logits[[v == "0.5" for v in world.columns["visibility"]]]  # stimuli whose choices are left out are not shown
    record = world.score({"name": "condition_accuracy", "cells": [{"column": "occluder"}, {"column": "colour"}]},
                         columns_with_stimuli=True, exclude={"visibility": ["1"]})
    cells = [dict(occluder=o, colour=c) for o in ("bar", "blob", "mesh") for c in ("black", "white")]
    curve = lambda rows: np.array([accuracy(rows, visibility="0.5", **cell) for cell in cells])
    subjects = np.array([curve([r for r in world.rows if r["subject"] == str(s + 1)]) for s in range(N_SUBJECTS)])
    raw = [pearsonr(curve(world.network), s)[0] for s in subjects]
    ceiling = [pearsonr(s, np.delete(subjects, k, 0).mean(0))[0] for k, s in enumerate(subjects)]
    np.testing.assert_allclose(record["split_scores"], raw, rtol=1e-10)
    agrees(record, np.mean(raw), np.mean(ceiling), (np.mean(raw) / np.mean(ceiling))**2)
    assert record["score"]["ceiling_convention"] == "r_over_c_squared"


def test_gain_over_distractors(tmp_path):
    world = World(tmp_path, {"block": ["first", "second"], "distractors": [1, 5, 11], "type": ["normal", "catch"]})
    lapse, published = 0.05, 0.883
    record = world.score({"name": "value_delta", "scale": 0.75, "lapse": lapse, "clip": True, "cells": [
        {"column": "block", "values": ["first", "second"]}, {"column": "distractors", "values": ["1", "5", "11"]},
        {"column": "type", "values": ["normal"]}]}, ceiling={"name": "published", "value": published})

    def area(observers, lapse):
        at = lambda block, d: np.mean([(accuracy(rows, block=block, distractors=d, type="normal") - lapse / 2) / (1 - lapse) for rows in observers])
        return round(np.trapezoid([at("second", d) - at("first", d) for d in "1 5 11".split()], [1, 5, 11]), 4)

    theirs = area([[r for r in world.rows if r["subject"] == str(s + 1)] for s in range(N_SUBJECTS)], lapse)
    raw = np.exp(-0.75 * abs(area([world.network], 0) - theirs))
    agrees(record, raw, published, min(1, raw / published))


def test_confusions_and_tasks(tmp_path):
    world = World(tmp_path, {"task": ["t1", "t2", "t3", "t4"]})

    def confusions(rows):
        counts = np.zeros((4, 4))
        for r in rows:
            counts[NAMES.index(r["truth"]), NAMES.index(r["choice"])] += 1
        return counts[~np.eye(4, dtype=bool)]

    raw = pearsonr(confusions(world.network), confusions(world.rows))[0]
    agrees(world.score({"name": "confusion_similarity"}, ceiling={"name": "published", "value": 0.9}), raw, 0.9, raw / 0.9)
    tasks = [[accuracy(rows, task=t) for t in ("t1", "t2", "t3", "t4")] for rows in (world.network, world.rows)]
    raw = pearsonr(*tasks)[0]
    agrees(world.score({"name": "tasks_consistency", "cells": [{"column": "task"}]}, ceiling={"name": "published", "value": 0.95}), raw, 0.95, raw / 0.95)


def test_accuracy_and_cues(tmp_path):
    """Engineering: what is right stands in the stimulus set; there is no ceiling."""
    world = World(tmp_path, {})
    right = np.array([t == c for t, c in zip(world.truth, world.chosen)])
    record = world.score({"name": "accuracy"}, choices=None, parent="engineering", visual_degrees="as the network's")
    assert record["score"]["raw"] == right.mean() and record["score"]["ceiled"] is None and record["composite"]
    assert record["raw"]["error"] == pytest.approx(right.std(), rel=1e-12)
    conflict = np.array([t != x for t, x in zip(world.truth, world.texture)])
    shape, texture = (right & conflict).sum(), (np.array([x == c for x, c in zip(world.texture, world.chosen)]) & conflict).sum()
    for name, expected in [("shape_bias", shape / (shape + texture)), ("shape_match", shape / conflict.sum())]:
        record = world.score({"name": name, "texture": "texture"}, choices=None, parent="engineering")
        assert record["score"]["raw"] == pytest.approx(expected, rel=1e-12)
        assert record["raw"]["ci_lo"] < expected < record["raw"]["ci_hi"]


def test_categories_that_are_offered(tmp_path):
    """A classifier decides among the categories that are right somewhere."""
    world = World(tmp_path, {})
    world.truth = ["cat" if t == "bear" else t for t in world.truth]
    readout = {"name": "imagenet_classes", "classes": "classes.csv", "n_outputs": 8, "offered": "truth"}
    record = world.score({"name": "accuracy"}, choices=None, parent="engineering", readout=readout)
    p = np.exp(world.logits) / np.exp(world.logits).sum(1, keepdims=True)
    among = p.reshape(N, 4, 2).mean(2)[:, 1:].argmax(1)
    assert record["score"]["raw"] == np.mean([NAMES[1 + k] == t for k, t in zip(among, world.truth)])


def test_odd_one_out(tmp_path):
    world = World(tmp_path, {})
    random = np.random.default_rng(3)
    shown = np.array([random.choice(N, 3, replace=False) for _ in range(500)])
    x = world.features
    similar = np.stack([(x[shown[:, a]] * x[shown[:, b]]).sum(1) for a, b in ((0, 1), (0, 2), (1, 2))], 1)
    odd = shown[np.arange(500), 2 - similar.argmax(1)]
    chosen = np.where(random.random(500) < 0.7, odd, shown[:, 1])
    world.rows = [{"stimulus_id": world.ids[a], "second": world.ids[b], "third": world.ids[c], "picked": world.ids[d]}
                  for (a, b, c), d in zip(shown, chosen)]
    columns = {"stimulus_1": "stimulus_id", "stimulus_2": "second", "stimulus_3": "third", "choice": "picked"}
    record = world.score({"name": "match"}, columns=columns, readout={"name": "odd_one_out"}, ceiling={"name": "published", "value": 0.6767})
    raw = np.mean(odd == chosen)
    agrees(record, raw, 0.6767, min(1, max(0, (raw - 1 / 3) / (0.6767 - 1 / 3))))
    assert record["n"]["triplets"] == 500
    world.rows[7]["picked"] = "s000" if "s000" not in list(world.rows[7].values()) else "s001"
    folder = tmp_path / "data"
    write(folder / "choices.csv", world.rows)
    done = run("score", tmp_path / "features.npy", "-b", tmp_path / "ours.json", env={"CORTISCORE_HOME": str(tmp_path)})
    assert done.returncode == 5 and "a stimulus that was not shown" in done.stdout + done.stderr


@pytest.mark.parametrize("manifest,said", [
    ({"metric": {"name": "accuracy_delta"}}, "1, for accuracy_delta"),
    ({"metric": {"name": "value_delta", "cells": [{"column": "truth"}, {"column": "choice"}]}}, "for value_delta"),
    ({"metric": {"name": "error_consistency"}, "choices": None}, "the choices that error_consistency compares"),
    ({"metric": {"name": "condition_accuracy", "cells": [{"column": "nowhere"}]}}, "nowhere"),
    ({"metric": {"name": "accuracy_distance"}, "ceiling": {"name": "published", "value": 0.9}}, "accuracy_distance has its subjects'"),
    ({"metric": {"name": "accuracy_delta", "cells": [{"column": "kind", "values": ["w", "zebra"]}]}}, "zebra"),
    ({"metric": {"name": "threshold", "variable": "x"}, "readout": {"name": "logistic", "fit_stimulus_set": "stimuli.csv"},
      "ceiling": {"name": "published", "value": 0.9}}, "threshold has its subjects'"),
    ({"metric": {"name": "two_way_accuracy", "domain": "texture"}, "readout": {"name": "ridge_classifier"},
      "ceiling": {"name": "published", "value": 0.9}}, "two_way_accuracy has none"),
    ({"metric": {"name": "error_consistency"}, "readout": {"name": "odd_one_out"}}, "logistic or imagenet_classes"),
    ({"metric": {"name": "error_consistence"}}, "error_consistency"),
])
def test_what_a_manifest_lacks(tmp_path, manifest, said):
    world = World(tmp_path, {"kind": ["w", "f"]})
    with pytest.raises(AssertionError) as failure:
        world.score(**manifest)
    assert said in str(failure.value)
