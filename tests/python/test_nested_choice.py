"""Layers that compete where nobody commits to one: which of them do, and that none is scored on what chose it. Splits are scikit-learn's,
maps as well; structures are those of published networks."""
import collections
import json
import os
import sys

import numpy as np
import pytest
import torch
import torchvision
import xarray as xr
from scipy.stats import spearmanr
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold, KFold, LeaveOneGroupOut, ShuffleSplit, StratifiedKFold, StratifiedShuffleSplit
from torch import nn

from conftest import BINARY, ROOT, run, run_json

os.environ.setdefault("CORTISCORE_MODULE_DIR", str(BINARY.parent / "python"))
sys.path.insert(0, str(ROOT / "python"))
sys.path.insert(0, str(ROOT / "bench"))
import cortiscore
import layer_choice as world

N, LAYERS = 60, 4
SHUFFLE = {"kind": "shuffle", "n_splits": 6, "train_fraction": 0.9, "seed": 1}
STRATIFIED = {"kind": "stratified_shuffle", "by": "object_name", "n_splits": 5, "train_fraction": 0.8, "seed": 3}
GROUPS = {"kind": "leave_one_group_out", "by": "movie"}
DISJOINT = {**STRATIFIED, "disjoint": "scene"}


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """60 stimuli of known features and responses: (folder, stimulus set, its columns, features a layer, trials)."""
    folder = tmp_path_factory.mktemp("recorded")
    generator = np.random.default_rng(6)
    # Classes that do not appear in sorted order, groups of different sizes.
    columns = {"object_name": [["dog", "bear", "car"][i % 3] for i in range(N)],
               "movie": [f"m{int((i + 4) ** 0.5)}" for i in generator.permutation(N)], "scene": [f"s{i % 30}" for i in range(N)]}
    latent = generator.normal(size=(N, 5))
    mixed = latent @ generator.normal(size=(5, 8))  # layers that differ by noise alone: now one is best, now another
    features = [np.float32(mixed + 1.2 * generator.normal(size=(N, 8))) for _ in range(LAYERS)]
    trials = latent @ generator.normal(size=(5, 9)) + generator.normal(size=(3, N, 9))
    return folder, world.numbered_images(folder, N, **columns), columns, features, trials


def outer_splits(splits, columns):
    x = np.zeros((N, 1))
    if splits["kind"] == "leave_one_group_out":
        return list(LeaveOneGroupOut().split(x, groups=columns[splits["by"]]))
    options = {"n_splits": splits["n_splits"], "train_size": splits["train_fraction"], "random_state": splits["seed"]}
    if splits["kind"] == "shuffle":
        return list(ShuffleSplit(**options).split(x))
    return list(StratifiedShuffleSplit(**options).split(x, columns[splits["by"]]))


def inner_splits(splits, columns, train):
    """As scikit-learn divides what is trained on."""
    x = np.zeros((len(train), 1))
    if splits["kind"] == "leave_one_group_out":
        folds = GroupKFold(5).split(x, groups=np.array(columns[splits["by"]])[train])
    elif splits["kind"] == "shuffle":
        folds = KFold(5, shuffle=True, random_state=splits["seed"]).split(x)
    else:
        folds = StratifiedKFold(5, shuffle=True, random_state=splits["seed"]).split(x, np.array(columns[splits["by"]])[train])
    return [(train[a], train[b]) for a, b in folds]


def disjoint(splits, columns, pairs):
    if "disjoint" not in splits:
        return pairs
    values = np.array(columns[splits["disjoint"]])
    return [(train[~np.isin(values[train], values[test])], test) for train, test in pairs]


def median_r(x, y, train, test):
    predicted = Ridge(alpha=1).fit(x[train], y[train]).predict(x[test])
    return np.median([np.corrcoef(predicted[:, i], y[test][:, i])[0, 1] for i in range(y.shape[1])])


@pytest.mark.parametrize("splits", [SHUFFLE, STRATIFIED, GROUPS, DISJOINT], ids=["shuffle", "stratified", "groups", "disjoint"])
def test_the_layer_of_a_split_is_chosen_on_its_train_presentations(recorded, tmp_path, splits):
    _, stimuli, columns, features, trials = recorded
    benchmark = world.write_benchmark(tmp_path, stimuli, trials, splits=splits)
    record = world.scores_of(world.LookupNetwork(features).eval(), benchmark)
    selection, y = record["layer_selection"], trials.mean(0)
    names = [f"layers.{i}" for i in range(LAYERS)]
    assert selection["method"] == "nested" and selection["by"] == "split" and selection["candidates"] == names
    assert selection["inner_splits"] == 5 and selection["from"] == "blocks" and selection["most"] == 12
    x = [one.astype(float) for one in features]
    outer = disjoint(splits, columns, outer_splits(splits, columns))
    scores = []
    for split, (train, test) in enumerate(outer):
        inner = disjoint(splits, columns, inner_splits(splits, columns, train))
        values = [np.mean([median_r(one, y, *pair) for pair in inner]) for one in x]
        np.testing.assert_allclose(selection["raw_where_chosen"][split], values, atol=1e-10)
        best = int(np.argmax(values))
        assert selection["chosen"][split] == names[best]
        scores.append(median_r(x[best], y, train, test))
    np.testing.assert_allclose(record["split_scores"], scores, atol=1e-10)
    assert record["raw"]["score"] == pytest.approx(np.mean(scores), abs=1e-10)
    wins = collections.Counter(selection["chosen"])
    assert len(wins) > 1, "the test is of layers that win here and there"
    assert wins[record["layer"]] == max(wins.values())


def test_a_layer_that_wins_everywhere_scores_as_if_it_were_committed_to(recorded, tmp_path):
    _, stimuli, _, features, trials = recorded
    benchmark = world.write_benchmark(tmp_path, stimuli, trials)
    good = np.float32(trials.mean(0) @ np.random.default_rng(0).normal(size=(9, 8)))
    network = world.LookupNetwork([*features[:2], good]).eval()
    nested, committed = world.scores_of(network, benchmark), world.scores_of(network, benchmark, layers="layers.2")
    assert set(nested["layer_selection"]["chosen"]) == {"layers.2"} and nested["layer"] == "layers.2"
    for key in ("score", "raw", "ceiling", "error", "split_scores", "draws", "per_neuroid", "n", "populations", "warnings"):
        assert nested[key] == committed[key], key
    assert nested["key"] != committed["key"]


def test_rdms_choose_for_every_subject_on_the_others(recorded, tmp_path):
    folder, stimuli, _, features, _ = recorded
    generator = np.random.default_rng(2)
    # Subjects of two minds, as many of each: the others of each one have more of the other mind.
    of = [0, 0, 1, 1]
    rdms = np.array([1 - np.corrcoef(np.c_[features[layer], generator.normal(size=(N, 6))]) for layer in of])
    rdms[:, range(N), range(N)] = 0
    rdm_benchmark(tmp_path, stimuli, rdms)
    network = world.LookupNetwork(features[:2]).eval()
    record = world.scores_of(network, tmp_path / "rdm.json")
    upper = np.triu_indices(N, 1)
    similarity = np.array([[spearmanr((1 - np.corrcoef(x.astype(float)))[upper], rdm[upper])[0] for rdm in rdms] for x in features[:2]])
    values = np.array([np.delete(similarity, s, axis=1).mean(1) for s in range(len(of))])
    chosen = values.argmax(1)
    selection = record["layer_selection"]
    assert selection["method"] == "nested" and selection["by"] == "subject"
    np.testing.assert_allclose(selection["raw_where_chosen"], values, atol=1e-6)  # ranks of float32 correlations
    assert selection["chosen"] == [f"layers.{i}" for i in chosen] and len(set(chosen)) > 1
    np.testing.assert_allclose(record["split_scores"], similarity[chosen, range(len(of))], atol=1e-6)
    assert record["raw"]["score"] == pytest.approx(similarity[chosen, range(len(of))].mean(), abs=1e-6)
    assert record["raw"]["ci_lo"] < record["raw"]["score"] < record["raw"]["ci_hi"]
    one = world.scores_of(network, tmp_path / "rdm.json", choice="halves")
    assert one["layer_selection"]["method"] == "alternating_halves"


def test_a_choice_that_is_not_made_and_words_that_are_none(recorded, tmp_path):
    _, stimuli, _, features, trials = recorded
    network = world.LookupNetwork(features).eval()
    benchmark = world.write_benchmark(tmp_path, stimuli, trials)
    with pytest.raises(cortiscore.Error, match="--choice committed and no layer") as found:
        world.scores_of(network, benchmark, choice="committed")
    assert found.value.exit_code == 2
    assert world.scores_of(network, benchmark, choice="committed", layers="layers.1")["layer"] == "layers.1"
    for option, value in (("choice", "best"), ("candidates_from", "none")):
        with pytest.raises(cortiscore.Error, match=f"found \"{value}\", expected"):
            world.scores_of(network, benchmark, **{option: value})
    one_group = world.write_benchmark(tmp_path, stimuli, trials, splits={"kind": "leave_one_group_out", "by": "half"})
    stimuli_of_two = world.numbered_images(tmp_path, N, half=[i % 2 for i in range(N)])
    one_group.write_text(one_group.read_text().replace(str(stimuli), str(stimuli_of_two)))
    with pytest.raises(cortiscore.Error, match="found one group to train on"):
        world.scores_of(network, one_group)


def test_what_has_too_few_presentations_to_choose_by_says_so(recorded, tmp_path):
    """A committed layer is fitted on 27 and scores; a choice would fit on 21."""
    _, stimuli, _, features, trials = recorded
    wide = [np.c_[x, x ** 2, x ** 3, np.abs(x)] for x in features]
    network = world.LookupNetwork(wide).eval()
    few = world.write_benchmark(tmp_path, stimuli, trials, metric={"name": "pls", "n_components": 25}, splits={**SHUFFLE, "train_fraction": 0.46})
    assert world.scores_of(network, few, layers="layers.0")["score"]["raw"] is not None
    with pytest.raises(cortiscore.Error, match=r"found 2[0-9] to choose a layer by, of the 27 of split 0, expected at least 25.*--layer"):
        world.scores_of(network, few)
    scenes = world.numbered_images(tmp_path, N, scene=[f"s{i % 5}" for i in range(N)])
    apart = world.write_benchmark(tmp_path, scenes, trials, splits={**SHUFFLE, "train_fraction": 0.96, "disjoint": "scene"})
    with pytest.raises(cortiscore.Error, match="where a layer is chosen: commit to one with --layer"):
        world.scores_of(network, apart)


def test_a_lone_candidate_is_not_said_to_be_committed_to(recorded, tmp_path):
    _, stimuli, _, features, trials = recorded
    record = world.scores_of(world.LookupNetwork(features).eval(), world.write_benchmark(tmp_path, stimuli, trials), candidates=1)
    assert record["layer_selection"] == {"method": "only", "candidates": ["layers.2"], "from": "blocks", "most": 1}


def rdm_benchmark(folder, stimuli, rdms):
    xr.DataArray(rdms, dims=["subject", "presentation", "presentation_other"], name="data",
                 coords={"subject": [f"s{i}" for i in range(len(rdms))], "stimulus_id": ("presentation", [f"image{i:03d}" for i in range(N)])}
                 ).to_netcdf(folder / "rdms.nc", engine="h5netcdf")
    manifest = json.loads(world.write_benchmark(folder, stimuli, np.zeros((2, N, 2))).read_text())
    for name in ("assemblies", "splits"):
        del manifest[name]
    manifest.update(identifier="Chosen.IT-rdm", rdms=str(folder / "rdms.nc"), metric={"name": "rdm"}, ceiling={"name": "rsa"})
    (folder / "rdm.json").write_text(json.dumps(manifest))
    return folder / "rdm.json"


def test_a_subject_that_no_layer_can_be_chosen_for_has_no_score(recorded, tmp_path):
    """Of two subjects one is the same everywhere: nothing chooses for the other, and nothing compares with it."""
    _, stimuli, _, features, _ = recorded
    rdms = np.ones((3, N, N))
    for subject in range(2):
        rdms[subject] = 1 - np.corrcoef(np.c_[features[subject], np.random.default_rng(subject).normal(size=(N, 6))])
    rdms[:, range(N), range(N)] = 0
    network = world.LookupNetwork(features[:2]).eval()
    record = world.scores_of(network, rdm_benchmark(tmp_path, stimuli, rdms[1:]))
    chosen = record["layer_selection"]["chosen"]
    assert chosen[0] is None and chosen[1] in ("layers.0", "layers.1") and record["split_scores"] == [None, None]
    assert record["score"]["raw"] is None
    assert any("1 of 2 subjects have no score: no layer has a value to be chosen by" in warning for warning in record["warnings"])
    # A subject that has no value is left out of every draw, as of the value.
    both = world.scores_of(network, rdm_benchmark(tmp_path, stimuli, rdms), layers="layers.0")
    assert both["split_scores"][2] is None and both["raw"]["ci_lo"] < both["raw"]["score"] < both["raw"]["ci_hi"]


def test_a_board_says_where_halves_stand_beside_all(recorded, tmp_path):
    _, stimuli, _, features, trials = recorded
    benchmark = world.write_benchmark(tmp_path, stimuli, trials, identifier="Chosen.IT-pls", composite=True)
    (tmp_path / "benchmarks").mkdir()
    benchmark = benchmark.rename(tmp_path / "benchmarks/Chosen.IT-pls.json")
    for identifier, choice in (("one", "halves"), ("two", "nested"), ("three", "nested")):
        world.scores_of(world.LookupNetwork(features[::-1] if choice == "halves" else features).eval(), benchmark, choice=choice,
                        results=tmp_path / "r", identifier=identifier)
    done = run("rank", "--results", tmp_path / "r", env={"CORTISCORE_HOME": str(tmp_path)})
    assert done.returncode == 0 and "1 score on Chosen.IT-pls is of layers that competed on alternating halves" in done.stderr, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("name", world.NOISE)
def test_a_nested_choice_gains_nothing_by_luck(name):
    """Over 200 worlds: what the layer that is best in truth scores, within two standard errors; the best on all of the data is above it,
    and halves, whose maps have half of the data, below. A choice in every split spreads less than one on halves."""
    raw, held = world.measured(name, 200)
    rows = {row["layer"]: row for row in world.summary(name, raw, held)}
    print(json.dumps(list(rows.values()), indent=1))
    assert abs(rows["nested"]["difference"]) <= 2 * rows["nested"]["error"]
    assert rows["best of all"]["difference"] >= (2 * rows["best of all"]["error"] if name == "alike" else 0)
    assert rows["halves"]["difference"] < -2 * rows["halves"]["error"]
    assert rows["nested"]["spread"] < rows["halves"]["spread"]


# --- which layers compete ------------------------------------------------------------------------


class Tiny(nn.Module):
    """A body of blocks in stages with names of their own, a functional end."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, 2)
        self.stages = nn.ModuleList(nn.Sequential(*(self.block() for _ in range(2))) for _ in range(2))
        self.head = nn.Linear(6, 5)

    @staticmethod
    def block():
        return torchvision.models.resnet.BasicBlock(6, 6)

    def forward(self, x):
        x = self.stem(x)
        for stage in self.stages:
            x = stage(x)
        return self.head(x.mean((2, 3)))


def competing(model, folder, size, **options):
    cortiscore.export(model.eval(), folder / "m.pt2", input_size=size)
    described = run_json("model", "inspect", folder / "m.pt2")
    shown = run("model", "inspect", folder / "m.pt2").stdout
    names = [layer["name"] for layer in described["layers"] if layer["competes"]]
    assert [line.split()[0] for line in shown.splitlines() if line.endswith(" *")] == names
    return names


RESNET18 = ["maxpool", "layer1.0", "layer1", "layer2.0", "layer2", "layer3.0", "layer3", "layer4.0", "layer4", "avgpool", "fc"]
DENSENET121 = ["features.pool0", "features.denseblock1", "features.transition1", "features.denseblock2", "features.transition2",
               "features.denseblock3", "features.transition3", "features.denseblock4", "features", "classifier"]  # features: its norm5
# Activations and pools: what follows a convolution completes it.
ALEXNET = ["features.1", "features.2", "features.4", "features.5", "features.7", "features.9", "features.11", "features", "avgpool",
           "classifier.2", "classifier.5", "classifier"]


@pytest.mark.parametrize(("model", "size", "expected"), [
    (lambda: torchvision.models.resnet18(weights=None), 64, RESNET18),
    (lambda: torchvision.models.densenet121(weights=None), 64, DENSENET121),
    (lambda: torchvision.models.alexnet(weights=None), 64, ALEXNET),
    (Tiny, 32, ["stem", "stages.0.0", "stages.0", "stages.1.0", "stages.1"]),  # the head has too few features for 25 components
], ids=["resnet18", "densenet121", "alexnet", "tiny"])
def test_outputs_of_blocks_compete(model, size, expected, tmp_path):
    assert competing(model(), tmp_path, size) == expected


def test_a_transformers_blocks_compete_and_none_of_their_insides(tmp_path):
    vit = torchvision.models.VisionTransformer(image_size=32, patch_size=8, num_layers=5, num_heads=2, hidden_dim=16, mlp_dim=32, num_classes=9)
    names = competing(vit, tmp_path, 32)
    blocks = [f"encoder.layers.encoder_layer_{i}" for i in range(4)]
    assert [name for name in names if "encoder_layer" in name] == blocks and "encoder.layers" in names  # the last block is the list's own
    assert names[-1] == "encoder"  # its last norm; the head has too few features
    assert not [name for name in names if "mlp" in name or "ln_" in name]


def test_inception_blocks_compete_and_none_of_their_branches(tmp_path):
    net = torchvision.models.googlenet(weights=None, init_weights=False, aux_logits=False)
    names = competing(net, tmp_path, 64)
    assert not [name for name in names if "branch" in name] and len(names) == 12
    assert {"inception4a", "inception5b"} & set(names)


class NormalisedPixels(nn.Module):
    def forward(self, images):
        return (images - 0.5) / 0.25


class Headed(nn.Module):
    """Blocks in a sequence, a pool, and a head that is a module of its own."""

    def __init__(self):
        super().__init__()
        self.norm = NormalisedPixels()
        self.stem = nn.Sequential(nn.Conv2d(3, 6, 3, 2), nn.ReLU())
        self.blocks = nn.Sequential(*(Tiny.block() for _ in range(14)))
        self.pool = nn.AdaptiveAvgPool2d(3)
        self.flatten = nn.Flatten()
        self.head = nn.Sequential(nn.Dropout(), nn.Linear(54, 9))

    def forward(self, x):
        return self.head(self.flatten(self.pool(self.blocks(self.stem(self.norm(x))))))


def test_what_is_between_blocks_and_a_head_competes_and_pixels_do_not(simulated, tmp_path):
    names = competing(Headed(), tmp_path, 32)
    assert "pool" in names and not {"norm", "flatten", "head"} & set(names) and names[0] == "stem"  # the head has 9 features
    # What is marked is what competes.
    record = run_json("score", tmp_path / "m.pt2", "-b", "Simulated2026.V4-pls", "--bootstrap", "20", env=simulated)
    assert record["layer_selection"]["candidates"] == names and len(names) == 12


@pytest.fixture(scope="module")
def simulated(home):
    return {"CORTISCORE_HOME": str(home)}


def test_all_layers_compete_where_that_is_asked_for(simulated, tmp_path):
    torch.manual_seed(0)
    cortiscore.export(Tiny().eval(), tmp_path / "m.pt2", input_size=32)
    flags = ["score", tmp_path / "m.pt2", "-b", "Simulated2026.V4-pls", "--bootstrap", "50"]
    blocks = run_json(*flags, env=simulated)["layer_selection"]
    every = run_json(*flags, "--from", "all", "--candidates", "100", env=simulated)["layer_selection"]
    assert blocks["candidates"] == ["stem", "stages.0.0", "stages.0", "stages.1.0", "stages.1"]  # the head has too few features
    assert blocks["from"] == "blocks" and every["from"] == "all" and every["most"] == 100
    assert set(blocks["candidates"]) < set(every["candidates"]) and "stages.0.0.conv1" in every["candidates"]
    few = run_json(*flags, "--candidates", "2", env=simulated)["layer_selection"]
    assert few["candidates"] == [blocks["candidates"][1], blocks["candidates"][3]]
    for record, *asked in ((blocks,), (every, "--from", "all", "--candidates", "100"), (few, "--candidates", "2")):
        shown = run_json("model", "inspect", tmp_path / "m.pt2", *asked)["layers"]
        assert [layer["name"] for layer in shown if layer["competes"]] == record["candidates"]
    # Where a layer is committed to, it does not matter how many would compete: the same score, once.
    committed = [run_json(*flags, "--layer", "stages.0", *more, env=simulated)["key"] for more in ((), ("--candidates", "3"))]
    assert committed[0] == committed[1]
    chosen = [json.loads(line) for line in run("layers", tmp_path / "m.pt2", "-b", "Simulated2026.V4-pls", "--from", "blocks", "--json",
                                               env=simulated).stdout.splitlines()]
    assert [layer["layer"] for layer in chosen[0]["layers"]] == blocks["candidates"]


def test_match_sees_every_name_of_a_value(simulated, tmp_path):
    """stages.0 and stages.0.1 are one value: each pattern finds it by the name that is like it."""
    torch.manual_seed(0)
    cortiscore.export(Tiny().eval(), tmp_path / "m.pt2", input_size=32)
    found = {}
    for pattern in ("stages.?.?", "stages.?", "stages*.relu"):
        done = run("layers", tmp_path / "m.pt2", "-b", "Simulated2026.V4-pls", "--match", pattern, "--json", env=simulated)
        assert done.returncode == 0, done.stderr
        found[pattern] = [layer["layer"] for layer in json.loads(done.stdout)["layers"]]
    assert found["stages.?.?"] == ["stages.0.0", "stages.0.1", "stages.1.0", "stages.1.1"]
    assert found["stages.?"] == ["stages.0", "stages.1"]
    assert found["stages*.relu"] == ["stages.0.0.relu", "stages.0.1.relu", "stages.1.0.relu", "stages.1.1.relu"]


# --- memory --------------------------------------------------------------------------------------


def test_memory_is_what_is_free_and_said_once(simulated, tmp_path):
    torch.manual_seed(0)
    cortiscore.export(Tiny().eval(), tmp_path / "m.pt2", input_size=32)
    flags = ["score", tmp_path / "m.pt2", "-b", "Simulated2026.V4-pls", "--layer", "stem", "--bootstrap", "50", "--again", "--json"]
    done = run(*flags, env=simulated)
    [line] = [line for line in done.stderr.splitlines() if line.startswith("memory: ")]
    with open("/proc/meminfo") as file:
        free = next(int(line.split()[1]) for line in file if line.startswith("MemAvailable")) / 2**20
    assert 0.2 <= float(line.split()[1]) <= 0.55 * free and "half of what is free (--memory-gib)" in line
    # What a job was given is a limit, whatever the machine has.
    slurm = run(*flags, env={**simulated, "SLURM_MEM_PER_NODE": "3072"})
    [line] = [line for line in slurm.stderr.splitlines() if line.startswith("memory: ")]
    assert 0.75 <= float(line.split()[1]) <= 1.5
    assert "memory: " not in run(*flags, "--memory-gib", "1", env=simulated).stderr
