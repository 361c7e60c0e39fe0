"""How many of a layer's dimensions carry shape and texture (the platform's Islam2021), beside NumPy and Python's own
generator."""
import random
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from conftest import ROOT, extract, run, run_json, write

sys.path.insert(0, str(ROOT / "python"))
from cortiscore import export

SHAPES, TEXTURES, SIZE = 30, 5, 16
NAME = "Islam2021-{}_it_dimensionality"


class Small(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.conv = torch.nn.Conv2d(3, 24, 3)
        self.act = torch.nn.ReLU()

    def forward(self, x):
        return self.act(self.conv(x))


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    folder = home / "data/brainio"
    folder.mkdir(parents=True)
    generator = np.random.default_rng(2)
    shapes, textures = generator.uniform(0, 1, (SHAPES, SIZE, SIZE, 1)), generator.uniform(0, 1, (TEXTURES, 1, 1, 3))
    rows = [(s, t) for s in range(SHAPES) for t in range(TEXTURES)]
    generator.shuffle(rows)
    for s, t in rows:
        Image.fromarray((255 * shapes[s] * textures[t]).astype(np.uint8)).save(folder / f"s{s}_t{t}.png")
    write(folder / "stimulus_Islam2021.csv", [{"stimulus_id": f"s{s}_t{t}", "filename": f"s{s}_t{t}.png", "shape": f"s{s}", "texture": f"t{t}"} for s,
                                              t in rows])
    export(Small().eval(), home / "small.pt2", input_size=SIZE)
    return home


def expected(x, rows, wanted):
    """BENCHMARKS.md 1.4 and 2.18, a pair at a time."""
    draws, sides, factors = random.Random(1751), [], []
    for i, (shape, texture) in enumerate(rows):
        if draws.random() < 0.5:
            partner = draws.choice([j for j, (s, t) in enumerate(rows) if s == shape and t != texture])
        else:
            partner = draws.choice([j for j, (s, t) in enumerate(rows) if s != shape and t == texture])
        sides.append((i, partner))
        factors.append(0 if rows[partner][0] == shape else 1)
    a, b = x[[i for i, _ in sides]].astype(float), x[[j for _, j in sides]].astype(float)
    factors = np.array(factors)
    mu = (a.mean(0) + b.mean(0)) / 2
    variance = (((a - mu) ** 2 + (b - mu) ** 2).mean(0) / 2).sum()
    scores = []
    for f in (0, 1):
        af, bf = a[factors == f], b[factors == f]
        own = (af.mean(0) + bf.mean(0)) / 2
        scores.append(((af - own) * (bf - own)).mean(0).sum() / variance)
    shares = np.exp([*scores, 1])
    return int(shares[wanted] / shares.sum() * x.shape[1]) / x.shape[1]


@pytest.mark.parametrize("factor", ["shape", "texture"])
def test_dimensions_of_a_layer(home, tmp_path, factor):
    env = {"CORTISCORE_HOME": str(home)}
    done = run("score", home / "small.pt2", "-b", NAME.format(factor), env=env)
    assert done.returncode == 2 and "--layer IT=LAYER" in done.stderr
    record = run_json("score", home / "small.pt2", "-b", NAME.format(factor), "--layer", "IT=act", "--results", tmp_path / "r", env=env)
    table = home / "data/brainio/stimulus_Islam2021.csv"
    lines = [line.split(",") for line in table.read_text().split()]
    rows = [(line[lines[0].index("shape")], line[lines[0].index("texture")]) for line in lines[1:]]
    x = extract(home / "small.pt2", table, ["act"], tmp_path / "out")["act"]
    value = expected(x, rows, ["shape", "texture"].index(factor))
    assert record["score"]["raw"] == value == record["score"]["ceiled"] and 0.1 < value < 0.9
    assert record["n"] == {"stimuli": len(rows), "pairs": len(rows), "units": x.shape[1]} and not record["composite"]
    assert record["raw"]["ci_lo"] < value < record["raw"]["ci_hi"]
    # Activations in place of the network; a layer that takes several passes, the first of them with the other factor.
    np.save(tmp_path / "x.npy", x)
    assert run_json("score", tmp_path / "x.npy", "-b", NAME.format(factor), "--results", tmp_path / "r", env=env)["score"] == record["score"]


def test_a_stimulus_without_a_partner(home, tmp_path):
    (tmp_path / "data/brainio").mkdir(parents=True)
    rows = (home / "data/brainio/stimulus_Islam2021.csv").read_text().splitlines()
    kept = [rows[0], *(line for line in rows[1:] if any(line.endswith(f",s{i},t{i}") for i in range(TEXTURES)))]
    (tmp_path / "data/brainio/stimulus_Islam2021.csv").write_text("\n".join(kept) + "\n")
    for path in (home / "data/brainio").glob("*.png"):
        (tmp_path / "data/brainio" / path.name).symlink_to(path)
    done = run("score", home / "small.pt2", "-b", NAME.format("shape"), "--layer", "IT=act", env={"CORTISCORE_HOME": str(tmp_path)})
    assert done.returncode == 5 and "data row 1" in done.stderr and "no stimulus with the same" in done.stderr, done.stderr
