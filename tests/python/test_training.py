"""Probe: when it scores, what it gives, and that training does not notice."""
import collections
import concurrent.futures
import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
import torch
from torch import nn

from conftest import BINARY, ROOT, run, validator

os.environ.setdefault("CORTISCORE_MODULE_DIR", str(BINARY.parent / "python"))
sys.path.insert(0, str(ROOT / "python"))
import cortiscore

V4, IT = "Simulated2026.V4-pls", "Simulated2026.IT-pls"
GIVEN = {"layers": "pool", "input_size": 64, "bootstrap": 20}


@pytest.fixture
def cortex(home, monkeypatch):
    monkeypatch.setenv("CORTISCORE_HOME", str(home))
    return home


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.drop = nn.Conv2d(3, 12, 5, 2), nn.BatchNorm2d(12), nn.Dropout(0.3)
        self.pool, self.head = nn.AdaptiveAvgPool2d(2), nn.Linear(48, 10)

    def forward(self, x):
        return self.head(self.drop(self.pool(self.norm(self.conv(x)).relu()).flatten(1)))


def train(steps, after=lambda step, model: None, seed=0):
    """Losses of a plain loop with all that a probe could disturb: dropout, batch norm, momentum, an order drawn anew."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)  # handed over, as a DataLoader takes one
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    images, labels, losses = torch.randn(64, 3, 64, 64), torch.randint(0, 10, (64,)), []
    for step in range(1, steps + 1):
        rows = torch.randperm(64, generator=generator)[:8]
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(images[rows]), labels[rows])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        after(step, model)
    return losses


@pytest.mark.parametrize("every,expected", [(4, [4, 8, 12, 16, 20]), ("log", [1, 2, 4, 8, 16]), ([3, 17], [3, 17]),
                                            (cortiscore.log_spaced(20, 4), [1, 3, 7, 20])], ids=str)
def test_when_it_scores(cortex, every, expected):
    probe, found = cortiscore.Probe(V4, every=every, on_error="raise", **GIVEN), []
    train(20, lambda step, model: found.append(step) if probe.step(step, model) else None)
    assert found == expected == [evaluation.step for evaluation in probe.history]


def test_epochs(cortex):
    probe = cortiscore.Probe(V4, every="epoch", **GIVEN)
    model = Net()
    assert probe.step(1, model) is None and probe.step(2, model) is None
    first = probe.epoch_end(1, model, step=2)
    assert (first.step, first.epoch) == (2, 1) and first.records[0]["tags"] == {"run": "run", "step": "2", "epoch": "1"}
    steps = cortiscore.Probe(V4, every=2, **GIVEN)
    assert steps.epoch_end(1, model, step=2) is None and steps.step(2, model, epoch=1).epoch == 1


@pytest.mark.parametrize("asynchronous", [False, True])
def test_training_is_the_same_to_the_bit_and_scores_are_those_of_the_step(cortex, tmp_path, asynchronous):
    """What a probe finds at a step is what score() finds of that step's weights, also where training has gone on meanwhile."""
    kept = {}

    def keep(step, model):
        if step % 30 == 0:
            kept[step] = {name: value.clone() for name, value in model.state_dict().items()}

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    plain = train(90, keep)
    torch.set_num_threads(before)
    probe = cortiscore.Probe([V4, IT], every=30, asynchronous=asynchronous, results=tmp_path / "store", run="r", on_error="raise", **GIVEN)

    def probed(step, model):
        probe.step(step, model, epoch=step / 30)
        if asynchronous and step % 30 == 0:
            assert probe._thread is not None  # it does score beside
            probe._thread.join()  # so that each is taken at its own step

    before = torch.get_num_threads()
    torch.set_num_threads(2)  # of training's own; the engine's passes have one each
    try:
        assert train(90, probed) == plain and torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    probe.close()
    assert [evaluation.step for evaluation in probe.history] == [30, 60, 90] and probe.failures == 0
    for evaluation in probe.history:
        model = Net()
        model.load_state_dict(kept[evaluation.step])
        for record, expected in zip(evaluation.records, cortiscore.score(model, [V4, IT], **GIVEN), strict=True):
            assert record["score"] == expected["score"] and record["error"] == expected["error"]
            validator("record")(record)
            name = record["benchmark_identifier"]
            assert evaluation.metrics[f"cortiscore/{name}/ceiled"] == record["score"]["ceiled"]
            assert evaluation.metrics[f"cortiscore/{name}/ci_lo"] == record["error"]["ci_lo"]
        assert 0 < evaluation.waited <= evaluation.seconds
    shown = run("results", "show", "--results", tmp_path / "store", "--network", "r-step*", "--json")
    stored = [json.loads(line) for line in shown.stdout.splitlines()]
    ranked = run("results", "rank", "--results", tmp_path / "store")
    assert all(f"r-step{step}" in ranked.stdout for step in (30, 60, 90)), ranked
    assert sorted((r["model_identifier"], r["tags"]["step"], r["tags"]["epoch"]) for r in stored) == [
        (f"r-step{step}", str(step), str(step // 30)) for step in (30, 30, 60, 60, 90, 90)]


def test_what_falls_due_beside_an_evaluation_is_taken_after_it(cortex):
    release, begun = threading.Event(), threading.Event()

    class Waits(Net):
        def forward(self, x):
            if x.shape[0] == 16:
                begun.set()
                release.wait(60)
            return super().forward(x)

    model = Waits()
    probe = cortiscore.Probe(V4, every=2, asynchronous=True, **GIVEN)
    assert probe.step(2, model) is None and begun.wait(60)
    assert probe.step(3, model) is None and probe.step(4, model) is None  # due, and put off
    release.set()
    probe._thread.join()
    assert probe.step(5, model).step == 2 and probe._thread is not None
    assert probe.close().step == 5 and [evaluation.step for evaluation in probe.history] == [2, 5]


def test_an_evaluation_that_nobody_waits_for_is_dropped(cortex):
    class Slow(Net):
        def forward(self, x):
            time.sleep(0.5 if x.shape[0] == 16 else 0)
            return super().forward(x)

    with pytest.raises(ZeroDivisionError), cortiscore.Probe(V4, every=1, asynchronous=True, **GIVEN) as probe:
        probe.step(1, Slow())
        began = time.perf_counter()
        raise ZeroDivisionError
    assert time.perf_counter() - began < 5 and not probe.history and probe.failures == 0  # all passes would take ten seconds


class Broken(Net):
    broken = False

    def forward(self, x):
        if self.broken:
            raise FloatingPointError("of the network's own")
        return super().forward(x)


def test_errors_are_counted_or_raised(cortex, caplog):
    model = Broken()
    probe, strict = (cortiscore.Probe(V4, every=1, on_error=on_error, **GIVEN) for on_error in ("log", "raise"))
    assert probe.step(1, model) and strict.step(1, model)
    model.broken = True
    found = probe.step(2, model)
    assert found.metrics == {} and found.records[0]["status"] == "failed" and probe.failures == 1
    assert "of the network's own" in caplog.text and "step 2" in caplog.text
    with pytest.raises(FloatingPointError, match="of the network's own"):
        strict.step(2, model)
    model.broken = False
    assert probe.step(3, model).records[0]["status"] == "ok"


@pytest.mark.parametrize("arguments,message", [
    ({"every": None}, "every: found nothing"), ({"every": 0}, "every: found 0"), ({"every": "sometimes"}, "every: found 'sometimes'"),
    ({"max_overhead": 2}, "max_overhead: found 2"), ({"ranks": "all"}, "ranks: found 'all'"), ({"input_size": None}, "input_size: found nothing"),
    ({"benchmarks": "Simulated2026.V5-pls"}, "Simulated2026.V5-pls"), ({"layers": {"V5": "x"}}, "V5"), ({"bootstrap": -1}, "--bootstrap: found -1"),
    ({"mood": 1}, "mood"), ({"results": "store"}, "run: found nothing"), ({"layers": ["pool"]}, "layers: found")])
def test_what_cannot_be_right_is_said_before_training(cortex, arguments, message):
    given = {"benchmarks": V4, "every": 5, **GIVEN, **arguments}
    with pytest.raises((ValueError, cortiscore.Error), match=message):
        cortiscore.Probe(given.pop("benchmarks"), **given)


def test_a_region_whose_layers_compete_is_said(cortex, caplog):
    """Once: layers were named, so a curve of layers that compete is not what was meant."""
    with cortiscore.Probe([V4, IT], every=1, candidates_from="all", **{**GIVEN, "layers": {"V4": "pool"}}) as probe:
        train(2, probe.step)
    said = [one.getMessage() for one in caplog.records if "compete at every evaluation" in one.getMessage()]
    assert len(said) == 1 and IT in said[0] and "(IT)" in said[0]
    caplog.clear()
    with cortiscore.Probe([IT], every=1, candidates_from="all", **{**GIVEN, "layers": None}) as probe:
        train(1, probe.step)
    assert "compete" not in caplog.text


def test_layers_are_checked_by_prepare(cortex):
    probe = cortiscore.Probe(V4, every=5, **{**GIVEN, "layers": "pol"})
    with pytest.raises(cortiscore.Error, match="pol.*pool"):
        probe.prepare(Net())


@pytest.mark.parametrize("given,model,message", [
    ({"input_size": 64.0}, Net(), "input_size: found 64.0"), ({"layers": "head"}, Net(), "layer head: found 10 features, expected at least 25"),
    ({"mean": [123, 116, 103], "std": [58, 57, 57]}, Net(), "Divide them by 255"),
    ({"mean": [0, 0, 0], "std": [58, 57, 57]}, Net(), "Divide them by 255"), ({}, lambda x: x, "model: found function")])
def test_what_prepare_finds_stops_the_first_step(cortex, given, model, message):
    """Also where training goes on after failures: it is not one of an evaluation."""
    with pytest.raises((ValueError, cortiscore.Error), match=message):
        cortiscore.Probe(V4, every=500, **{**GIVEN, **given}).step(1, model)


def test_a_network_of_nan_is_said_to_be_one(cortex):
    model = Net()
    with torch.no_grad():
        model.conv.weight.fill_(torch.nan)
    with pytest.raises(cortiscore.Error, match="layer pool: found NaN or infinity"):
        cortiscore.Probe(V4, every=1, **GIVEN).step(1, model)


def test_a_step_is_a_number(cortex):
    with pytest.raises(ValueError, match="step: found Net, expected a whole number"):
        cortiscore.Probe(V4, every=1, **GIVEN).step(Net(), 1)


def test_stimuli_and_ceilings_are_made_once(cortex, tmp_path):
    """The second evaluation decodes nothing; and what is stored is found again by a run that was resumed."""
    probe = cortiscore.Probe(V4, every=1, results=tmp_path / "store", run="r", **GIVEN)
    model = Net()
    first = probe.step(1, model)
    with torch.no_grad():
        model.conv.weight.mul_(0.5)
    second = probe.step(2, model)
    decode = [evaluation.records[0]["timing_ms"]["decode"] for evaluation in (first, second)]
    assert decode[0] > 20 * decode[1]
    resumed = cortiscore.Probe(V4, every=1, results=tmp_path / "store", run="r", resume=True, **GIVEN).step(2, model)
    assert resumed.records[0]["end"] == second.records[0]["end"]


def test_a_second_training_of_one_name_is_refused(cortex, tmp_path):
    """Before it trains, whatever it is to be scored on; what only looks like its name is another's."""
    def probe(run, benchmark=V4, store="store", **more):
        return cortiscore.Probe(benchmark, every=1, results=tmp_path / store, run=run, **GIVEN, **more)

    name, model, broken = "run[7]*", Net(), Broken()
    first = probe(name)
    for step in (0, 3, 12):
        assert first.step(step, model)
    for benchmark in (V4, IT):
        with pytest.raises(cortiscore.Error) as caught:
            probe(name, benchmark).step(20, model)
        assert str(caught.value) == (f'run: found scores of steps 0, 3 and 12 of "{name}" in {tmp_path / "store"}, expected a name that no other '
                                     "training there has. Give another, or resume=True to go on with that training.")
        assert caught.value.exit_code == 2
    for other in ("run7", "run", "run[7]", "run[7]*-step3", "*", "?un[7]*"):
        probe(other).prepare(model)
    probe(name, store="another").prepare(model)
    failing = probe("failing", store="another")
    failing.prepare(broken)
    broken.broken = True
    assert failing.step(0, broken).records[0]["status"] == "failed"
    probe("failing", store="another").prepare(model)  # without a score there is no curve
    (tmp_path / "file").write_text("")
    with pytest.raises(cortiscore.Error, match="file: found Not a directory"):
        probe(name, store="file").step(0, model)


def test_a_resumed_training_is_one_curve(cortex, tmp_path):
    """Killed at step 4 after a checkpoint at 2: what the store has of the same weights is taken from there, without a forward pass. Where a
    step comes out otherwise the second time, the later score is the curve's, as in docs/training.md."""
    class Counting(Net):
        passes = 0

        def forward(self, x):
            Counting.passes += x.shape[0] == 16
            return super().forward(x)

    def train(steps, factor, **more):
        probe = cortiscore.Probe(V4, every=1, results=tmp_path / "store", run="r", on_error="raise", **GIVEN, **more)
        for step in steps:
            model.conv.weight.data.copy_(start * factor(step))
            probe.step(step, model, epoch=step / 8)
        return probe.history

    model = Counting()
    start = model.conv.weight.detach().clone()
    first = train(range(5), lambda step: 1 + step)
    before = Counting.passes
    again = train(range(2, 5), lambda step: 1 + step, resume=True)
    assert Counting.passes == before and [one.records for one in again] == [one.records for one in first[2:]]
    time.sleep(1)  # records tell seconds
    later = train(range(3, 7), lambda step: 10 + step, resume=True)
    assert Counting.passes > before and len(cortiscore.results(tmp_path / "store")) == 5 + 4
    frame = cortiscore.results(tmp_path / "store").to_pandas().query("`tags.run` == 'r'").sort_values("end")
    curve = frame.pivot_table(index="tags.step", columns="benchmark_identifier", values="score.ceiled", aggfunc="last")
    assert curve[V4].to_dict() == {one.step: one.metrics[f"cortiscore/{V4}/ceiled"] for one in [*first[:3], *later]}
    with pytest.raises(cortiscore.Error, match="found scores of 7 steps from 0 to 6 of"):
        train([7], lambda step: 1)


def test_the_overhead_that_is_allowed_is_kept(cortex):
    """Within half a point over a run of fifteen seconds, which has room for several evaluations."""
    probe, begun = cortiscore.Probe(V4, max_overhead=0.1, **GIVEN), time.perf_counter()
    spent, steps = 0.0, 0
    model, images = Net(), torch.randn(96, 3, 64, 64)
    while time.perf_counter() - begun < 15:
        model(images).sum().backward()  # 20 ms: of steps of two, the call of a function of Python alone is half a point
        steps += 1
        before = time.perf_counter()
        probe.step(steps, model)
        spent += time.perf_counter() - before
    share = spent / (time.perf_counter() - begun)
    assert len(probe.history) >= 3 and 0.05 <= share <= 0.105 and abs(share - probe.overhead) < 0.005, (share, probe.overhead, len(probe.history))


def test_an_averaged_network_is_scored_with_its_averages(cortex):
    model = Net()
    averaged = torch.optim.swa_utils.AveragedModel(model, avg_fn=lambda average, now, n: 0.5 * average + 0.5 * now)
    averaged.update_parameters(model)
    with torch.no_grad():
        model.conv.weight.mul_(-3)
    averaged.update_parameters(model)
    expected = Net()
    expected.load_state_dict(averaged.module.state_dict())
    found = cortiscore.Probe(V4, every=1, **GIVEN).step(1, averaged)
    assert found.records[0]["score"] == cortiscore.score(expected, V4, **GIVEN)[0]["score"]


def train_on_device(probe=None, steps=1000):
    torch.manual_seed(0)
    model = Net().cuda()
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    images, labels = torch.randn(256, 3, 64, 64, device="cuda"), torch.randint(0, 10, (256,), device="cuda")
    losses, stalls = [], []
    for step in range(1, steps + 1):
        rows = torch.randint(0, 256, (64,), device="cuda")
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(images[rows]), labels[rows])
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
        if probe:
            began = time.perf_counter()
            probe.step(step, model)
            stalls.append(time.perf_counter() - began)
    return torch.stack(losses).tolist(), stalls


@pytest.mark.cuda("scores a module whose weights are on it, beside training and between its steps")
@pytest.mark.parametrize("asynchronous", [False, True])
def test_training_on_a_device_is_the_same(cortex, asynchronous):
    plain, _ = train_on_device()
    probe = cortiscore.Probe(V4, every=20, asynchronous=asynchronous, on_error="raise", **GIVEN)
    probe.prepare(Net().cuda())
    losses, stalls = train_on_device(probe)
    probe.close()
    assert losses == plain and len(probe.history) >= 1
    expected = cortiscore.score(Net(), V4, **GIVEN)[0]["score"]["ceiling"]
    assert all(evaluation.records[0]["score"]["ceiling"] == pytest.approx(expected, abs=1e-9) for evaluation in probe.history)
    if asynchronous:
        assert sorted(stalls)[int(0.99 * len(stalls))] < 0.005  # what a step waits for, of which one in twenty begins an evaluation


RANKS = """
import json, os, sys, torch, torch.distributed as dist
from torch import nn
import cortiscore
def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 5, 2), nn.ReLU(), nn.Sequential(nn.Conv2d(8, 16, 3, 2), nn.BatchNorm2d(16), nn.ReLU()),
                         nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(64, 30))
dist.init_process_group("gloo")
rank, lines = dist.get_rank(), []
for how in ("ddp", "fsdp", "fully_shard"):
    for ranks in ("first", "share"):
        model = net()
        if how == "ddp":
            model = nn.parallel.DistributedDataParallel(model)
        elif how == "fsdp":
            from torch.distributed.fsdp import FullyShardedDataParallel as Sharded
            model[2] = Sharded(model[2], device_id=torch.device("cpu"))
            model = Sharded(model, device_id=torch.device("cpu"))
        else:
            from torch.distributed.fsdp import fully_shard
            mesh = torch.distributed.device_mesh.init_device_mesh("cpu", (2,))
            fully_shard(model[2], mesh=mesh)
            fully_shard(model, mesh=mesh)
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        probe = cortiscore.Probe(sys.argv[1:], layers="5", every=2, input_size=64, ranks=ranks, on_error="raise", bootstrap=5)
        for step in (1, 2, 3):
            torch.manual_seed(10 * step + rank)
            model(torch.randn(4, 3, 64, 64)).square().mean().backward()
            optimizer.step()
            optimizer.zero_grad()
            found = probe.step(step, model)
            assert bool(found) == (step == 2)
            if found:
                scores = {r["benchmark_identifier"]: r["score"]["raw"] for r in found.records}
                lines.append(json.dumps([how, ranks, rank, scores, len(probe._mine)]))
print(*lines, sep=chr(10), file=open(f"{rank}.jsonl", "w"))
dist.destroy_process_group()
"""


def test_ranks_agree_however_the_network_is_spread(cortex, tmp_path):
    """Two processes: the same scores on both, to the bit, of DistributedDataParallel, FullyShardedDataParallel and fully_shard."""
    (tmp_path / "ranks.py").write_text(RANKS)
    done = subprocess.run([sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "0", "--rdzv-backend", "c10d",
                           "--rdzv-endpoint", "localhost:0", tmp_path / "ranks.py", V4, IT],
                          env={**os.environ, "PYTHONPATH": str(ROOT / "python"), "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=300,
                          cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    lines = [json.loads(line) for rank in "01" for line in (tmp_path / f"{rank}.jsonl").read_text().splitlines()]
    assert len(lines) == 12
    scores = [line[3] for line in lines]
    assert all(found == scores[0] for found in scores) and set(scores[0]) == {V4, IT}
    assert sorted((how, ranks, rank, count) for how, ranks, rank, _, count in lines) == sorted(
        (how, ranks, rank, 1 if ranks == "share" else 2 * (rank == 0))
        for how in ("ddp", "fsdp", "fully_shard") for ranks in ("first", "share") for rank in (0, 1))


FAILING = """
import os, sys, time, torch, torch.distributed as dist
from torch import nn
import cortiscore
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.flat = nn.Conv2d(3, 4, 5, 4), nn.Flatten()
    def forward(self, x):
        if failing and x.shape[0] == 16:
            raise FloatingPointError("of one rank")
        return self.flat(self.conv(x))
dist.init_process_group("gloo")
rank, failing, found = dist.get_rank(), False, []
for on_error in ("log", "raise"):
    failing = False
    model = nn.parallel.DistributedDataParallel(Net())
    probe = cortiscore.Probe(sys.argv[1], layers="flat", every=1, input_size=64, on_error=on_error, bootstrap=5)
    probe.prepare(model)
    failing = rank == 0
    for step in (1, 2):
        try:
            evaluation = probe.step(step, model)
            found.append("nothing" if evaluation is None else evaluation.records[0]["status"])
        except Exception as error:
            found.append(f"{type(error).__name__}: {error}")
failing = False
for ranks in ("first", "share"):
    named = dict(layers="flat", every=1, input_size=64, ranks=ranks, bootstrap=5, results=sys.argv[3], run=ranks)
    time.sleep(2 - 2 * rank)  # the other rank, which has a benchmark of its own to score, does not begin before this one has looked
    cortiscore.Probe(sys.argv[1:3], **named).step(1, model)
    for resume in (False, True):
        try:
            cortiscore.Probe(sys.argv[1:3], resume=resume, **named).prepare(model)
            found.append("goes on")
        except Exception as error:
            found.append(f"{type(error).__name__}: {error}")
print(*found, sep=chr(10), file=open(f"{rank}.txt", "w"))
dist.destroy_process_group()
"""


def test_a_failure_of_one_rank_is_known_to_all(cortex, tmp_path):
    """None waits for what does not come: a record of it on both, or an exception on both."""
    (tmp_path / "failing.py").write_text(FAILING)
    done = subprocess.run([sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0",
                           tmp_path / "failing.py", V4, IT, tmp_path / "store"], env={**os.environ, "PYTHONPATH": str(ROOT / "python"), "OMP_NUM_THREADS": "1"},
                          capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    one, other = ((tmp_path / f"{rank}.txt").read_text().splitlines() for rank in "01")
    assert one[:4] == ["failed", "failed", *2 * ["FloatingPointError: of one rank"]]
    assert other[:4] == ["failed", "failed", *2 * ["RuntimeError: rank 0: FloatingPointError: of one rank"]]
    for i, ranks in ((4, "first"), (6, "share")):
        assert one[i].startswith(f'Error: run: found scores of step 1 of "{ranks}" in {tmp_path / "store"}'), one
        assert other[i] == f"RuntimeError: rank 0: {one[i].removeprefix('Error: ')}" and one[i + 1] == other[i + 1] == "goes on"


def test_threads_of_a_probe_are_its_own(cortex):
    """A probe beside training has one thread, and what is scored meanwhile all that there are."""
    seen = collections.defaultdict(set)

    class Asked(Net):
        def forward(self, x):
            if x.shape[0] == 16:
                seen[self.name].add(threading.get_ident())
                time.sleep(0.02)
            return super().forward(x)

    beside, here = Asked(), Asked()
    beside.name, here.name = "beside", "here"
    probe = cortiscore.Probe(V4, every=1, asynchronous=True, **GIVEN)
    probe.step(1, beside)
    cortiscore.score(here, V4, **GIVEN)
    probe.close()
    assert len(seen["beside"]) == 1 and (len(seen["here"]) > 1 or os.cpu_count() == 1)


def test_sigterm_means_what_it_meant(cortex):
    script = """
import os, signal, torch, cortiscore
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.flat = torch.nn.Conv2d(3, 4, 5, 4), torch.nn.Flatten()
    def forward(self, x):
        if x.shape[0] == 16: os.kill(os.getpid(), signal.SIGTERM)
        return self.flat(self.conv(x))
cortiscore.Probe("Simulated2026.V4-pls", layers="flat", every=1, input_size=64).step(1, Net())
print("went on")
"""
    done = subprocess.run([sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": str(ROOT / "python")}, capture_output=True, text=True, timeout=60)
    assert done.returncode == -signal.SIGTERM and done.stdout == ""


def test_a_wait_that_is_interrupted_loses_nothing(cortex, monkeypatch):
    release = threading.Event()

    class Waits(Net):
        def forward(self, x):
            if x.shape[0] == 16:
                release.wait(60)
            return super().forward(x)

    probe = cortiscore.Probe(V4, every=1, asynchronous=True, **GIVEN)
    probe.step(1, Waits())
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            probe.wait()
    finally:
        signal.signal(signal.SIGINT, before)
    assert probe.step(2, Net()) is None  # it is still under way
    release.set()
    assert probe.wait().step == 1


def test_an_exit_asked_for_in_a_pass_beside_training_is_raised(cortex):
    class Exits(Net):
        def forward(self, x):
            if x.shape[0] == 16:
                raise SystemExit("enough")
            return super().forward(x)

    probe = cortiscore.Probe(V4, every=1, asynchronous=True, **GIVEN)
    probe.step(1, Exits())
    with pytest.raises(SystemExit, match="enough"):
        probe.close()


def test_threads_that_share_a_probe_take_turns(cortex):
    probe, model = cortiscore.Probe(V4, every=1, on_error="raise", **GIVEN), Net()
    probe.step(0, model)
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda step: probe.evaluate(model, step).records[0]["score"]["raw"], range(1, 7)))
    assert len(set(found)) == 1
