"""Probe in real training runs of PyTorch, Lightning, Hugging Face and Ignite: losses to the bit those of runs without it, scores in
their loggers, early stopping and checkpoints by scores, failures and signals."""
import contextlib
import csv
import functools
import json
import math
import os
import re
import runpy
import signal
import subprocess
import sys
import threading

import ignite.engine
import ignite.handlers
import lightning.pytorch as pl
import pytest
import torch
import transformers
import wandb
import wandb.sdk.internal.datastore
from ignite.engine import Events
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.tensorboard import SummaryWriter
from wandb.proto import wandb_internal_pb2

from conftest import BINARY, ROOT
from conftest import run as command_line

os.environ.setdefault("CORTISCORE_MODULE_DIR", str(BINARY.parent / "python"))
sys.path.insert(0, str(ROOT / "python"))
import cortiscore
from cortiscore.integrations.ignite import IgniteProbe, ProbeEvents
from cortiscore.integrations.lightning import LightningProbe
from cortiscore.integrations.transformers import HuggingFaceProbe

V4, IT = "Simulated2026.V4-pls", "Simulated2026.IT-pls"
CEILED = f"cortiscore/{V4}/ceiled"
ROWS, BATCH = 96, 8


@pytest.fixture(autouse=True)
def cortex(home, monkeypatch, tmp_path):
    monkeypatch.setenv("CORTISCORE_HOME", str(home))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def probe(**named):
    return cortiscore.Probe(**{"benchmarks": V4, "layers": "pool", "input_size": 32, "bootstrap": 20, "on_error": "raise", **named})


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.drop = nn.Conv2d(3, 8, 5, 2), nn.BatchNorm2d(8), nn.Dropout(0.3)
        self.pool, self.head, self.broken = nn.AdaptiveAvgPool2d(2), nn.Linear(32, 10), False

    def forward(self, x):
        if self.broken and not self.training and x.shape[-1] == 32:  # the probe's images, not those of validation
            raise RuntimeError("this network broke")
        return self.head(self.drop(self.pool(self.norm(self.conv(x)).relu()).flatten(1)))


class Run:
    """One training: all that a probe could disturb is in play (dropout, batch norm, momentum, an order drawn anew each epoch)."""

    def __init__(self, steps, accumulate=1, lr=0.05, at=None, make=None):
        torch.manual_seed(0)
        self.steps, self.accumulate, self.at = steps, accumulate, at or {}
        self.net = (make or Net)()
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr, momentum=0.9)
        self.data = TensorDataset(torch.randn(ROWS, 3, 24, 24), torch.randint(0, 10, (ROWS,)))
        self.losses, self.kept, self.count = [], {0: self.weights()}, 0
        self.optimizer.register_step_post_hook(lambda *_: self.keep())

    def weights(self):
        return {name: value.clone() for name, value in self.net.state_dict().items()}

    def keep(self):
        self.count += 1
        if self.count in self.at:
            self.at[self.count](self.net)
        if self.steps <= 100:
            self.kept[self.count] = self.weights()

    def loss(self, images, labels):
        loss = nn.functional.cross_entropy(self.net(images), labels)
        self.losses.append(loss.item())
        return loss

    def loader(self):
        return DataLoader(self.data, BATCH, shuffle=True)

    def plain(self, probe=None):
        batches, epoch, loader = 0, 0, self.loader()
        if probe:
            probe.prepare(self.net)
            probe.step(0, self.net, epoch=0)
        while self.count < self.steps:
            for images, labels in loader:
                (self.loss(images, labels) / self.accumulate).backward()
                batches += 1
                if batches % self.accumulate == 0:
                    self.optimizer.step()
                    self.optimizer.zero_grad()
                    if probe:
                        probe.step(self.count, self.net, epoch=batches / len(loader))
                if self.count == self.steps:
                    break
            epoch += 1
            if probe:
                probe.epoch_end(epoch, self.net, self.count)
        if probe:
            probe.close()
        return self

    def lightning(self, probe=None, callbacks=(), logger=False, **named):
        own = self

        class Module(pl.LightningModule):
            def __init__(self):
                super().__init__()
                self.net = own.net

            def training_step(self, batch, index):
                return own.loss(*batch)

            def validation_step(self, batch, index):
                self.log("val_loss", nn.functional.cross_entropy(self.net(batch[0]), batch[1]))

            def configure_optimizers(self):
                return own.optimizer

        callbacks = [*callbacks, *([LightningProbe(probe, network="net")] if probe else [])]
        self.trainer = pl.Trainer(max_steps=self.steps, accelerator="cpu", logger=logger, callbacks=callbacks, enable_progress_bar=False,
                                  accumulate_grad_batches=self.accumulate, enable_model_summary=False, num_sanity_val_steps=0,
                                  enable_checkpointing=any(isinstance(one, pl.callbacks.ModelCheckpoint) for one in callbacks),
                                  log_every_n_steps=1, **named)
        self.trainer.fit(Module(), self.loader())
        return self

    def hugging_face(self, probe=None, callbacks=(), evaluated=False, **named):
        own = self

        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.net = own.net

            def forward(self, images, labels):
                loss = own.loss(images, labels) if self.training else nn.functional.cross_entropy(self.net(images), labels)
                return {"loss": loss}

        arguments = {"output_dir": "hugging_face", "max_steps": self.steps, "per_device_train_batch_size": BATCH, "report_to": "none",
                     "gradient_accumulation_steps": self.accumulate, "use_cpu": True, "disable_tqdm": True, "save_strategy": "no",
                     "logging_steps": 4, "seed": 0, "max_grad_norm": 0.0, "remove_unused_columns": False, **named}
        collate = lambda rows: {"images": torch.stack([image for image, _ in rows]), "labels": torch.stack([label for _, label in rows])}
        schedule = torch.optim.lr_scheduler.ConstantLR(self.optimizer, 1.0)
        self.trainer = transformers.Trainer(Model(), transformers.TrainingArguments(**arguments), collate, self.data, callbacks=list(callbacks),
                                            eval_dataset=torch.utils.data.Subset(self.data, range(16)) if evaluated else None,
                                            optimizers=(self.optimizer, schedule))
        if probe:
            HuggingFaceProbe(probe, network="net").attach(self.trainer)
        self.trainer.train()
        return self

    def ignite(self, probe=None, prepare=lambda trainer: None, **named):
        def update(engine, batch):
            self.net.train()
            (self.loss(*batch) / self.accumulate).backward()
            if engine.state.iteration % self.accumulate == 0:
                self.optimizer.step()
                self.optimizer.zero_grad()

        trainer, loader = ignite.engine.Engine(update), self.loader()
        self.trainer = trainer
        if probe:
            IgniteProbe(probe).attach(trainer, self.net, gradient_accumulation_steps=self.accumulate, **named)
        prepare(trainer)
        trainer.run(loader, max_iters=self.steps * self.accumulate)
        return self


FRAMEWORKS = ["plain", "lightning", "hugging_face", "ignite"]
every_framework = pytest.mark.parametrize("framework", FRAMEWORKS)


def scalars(folder):
    """{tag: [(step, value)]} of TensorBoard's files, as TensorBoard reads them."""
    read = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    read.Reload()
    return {tag: [(event.step, event.value) for event in read.Scalars(tag)] for tag in read.Tags()["scalars"]}


def stored(folder):
    """The records of a store, by the command line."""
    done = command_line("results", "show", "--results", folder / "store", "--json")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def wandb_rows(folder):
    """What an offline run of Weights & Biases logged, from the file that `wandb sync` would send: [{name: number}]."""
    wandb.teardown()  # run.finish() returns before the file is whole
    rows, store = [], wandb.sdk.internal.datastore.DataStore()
    store.open_for_scan(str(next(folder.glob("wandb/offline-run-*/*.wandb"))))
    while (data := store.scan_data()) is not None:
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        values = {item.nested_key[0] if item.nested_key else item.key: json.loads(item.value_json) for item in record.history.item}
        rows += [values] if values else []
    return rows


# ---- Training is as it was


@every_framework
def test_losses_over_a_thousand_steps_are_the_same_to_the_bit(framework):
    without = getattr(Run(1000), framework)()
    assert len(without.losses) == 1000 and len(set(without.losses)) > 990 and all(map(math.isfinite, without.losses))
    for named in ({}, {"asynchronous": True}):
        one = probe(benchmarks=[V4, IT], every=125, **named)
        probed = getattr(Run(1000), framework)(one)
        assert probed.losses == without.losses
        assert all(torch.equal(value, probed.weights()[name]) for name, value in without.weights().items())
        steps = [evaluation.step for evaluation in one.history]
        assert steps == list(range(0, 1001, 125)) if not named else len(steps) >= 2 and one.failures == 0


def test_losses_show_it_where_training_is_disturbed():
    """That the comparison above can fail: one random number more, or one batch norm in another mode, and losses differ."""
    plain = Run(60).plain().losses
    assert Run(60, at={30: lambda net: torch.rand(1)}).plain().losses[:30] == plain[:30]
    assert Run(60, at={30: lambda net: torch.rand(1)}).plain().losses != plain
    assert Run(60, at={30: lambda net: net.norm.eval()}).plain().losses != plain


# ---- Steps and epochs


@every_framework
def test_a_score_is_of_the_weights_after_its_step_of_the_optimizer(framework, tmp_path):
    """With two batches a step, so that steps are not batches."""
    one = probe(every=5, results=tmp_path / "store", run="tiny")
    run = getattr(Run(15, accumulate=2), framework)(one)
    assert run.count == 15 and [evaluation.step for evaluation in one.history] == [0, 5, 10, 15]
    net = Net()
    for evaluation in one.history:
        net.load_state_dict(run.kept[evaluation.step])
        alone, = cortiscore.score(net, V4, layers="pool", input_size=32, bootstrap=20)
        assert evaluation.metrics[CEILED] == alone["score"]["ceiled"]
        assert evaluation.epoch == pytest.approx(evaluation.step * 2 / (ROWS / BATCH))
    found = sorted((int(record["tags"]["step"]), float(record["tags"]["epoch"]), record["score"]["ceiled"]) for record in stored(tmp_path))
    assert found == [(evaluation.step, pytest.approx(evaluation.epoch, rel=1e-5), evaluation.metrics[CEILED]) for evaluation in one.history]


@every_framework
def test_epochs_with_a_score_before_training(framework):
    one = probe(every="epoch")
    getattr(Run(2 * ROWS // BATCH), framework)(one)
    expected = [(0, 0), (12, 1), (24, 2)]
    assert [(evaluation.step, evaluation.epoch) for evaluation in one.history] == expected[framework == "plain":]


@every_framework
def test_a_share_of_time_is_a_cadence_too(framework):
    one = probe(max_overhead=0.5)
    getattr(Run(400), framework)(one)
    assert one.history and one.history[0].step > 0  # at the first step no time has gone by, of which it could take a share


# ---- Runs of one name


@every_framework
def test_a_second_training_of_one_name_is_refused_and_a_resumed_one_goes_on(framework, tmp_path):
    named = {"every": 5, "results": tmp_path / "store", "run": "tiny"}
    first, run, resumed = probe(**named), Run(10), probe(**named, resume=True)
    getattr(Run(10), framework)(first)
    with pytest.raises(cortiscore.Error, match='run: found scores of steps 0, 5 and 10 of "tiny" in .*store, .*resume=True'):
        getattr(run, framework)(probe(**named))
    assert run.count == 0  # not a step
    getattr(Run(10), framework)(resumed)
    assert [one.records for one in resumed.history] == [one.records for one in first.history] and len(first.history) == 3


@pytest.mark.parametrize("framework", ["lightning", "hugging_face"])
def test_a_training_goes_on_from_its_checkpoint(framework, tmp_path, monkeypatch):
    """Stopped after step 8, started again from what it had saved at step 4, as after a kill. The score of step 4 is there again before
    the first step, from the store: it is what EarlyStopping looks for."""
    named = {"every": 4, "results": tmp_path / "store", "run": "tiny"}
    if framework == "lightning":
        options = {"callbacks": [pl.callbacks.ModelCheckpoint(tmp_path, every_n_train_steps=4, save_top_k=-1, filename="{step}")]}
        owner, method, resume = pl.Trainer, "fit", {"ckpt_path": str(tmp_path / "step=4.ckpt"), "weights_only": False}
    else:
        options = {"save_strategy": "steps", "save_steps": 4}
        owner, method, resume = transformers.Trainer, "train", {"resume_from_checkpoint": str(tmp_path / "hugging_face/checkpoint-4")}
    first = probe(**named)
    getattr(Run(8), framework)(first, **options)
    monkeypatch.setattr(owner, method, functools.partialmethod(getattr(owner, method), **resume))
    with pytest.raises(cortiscore.Error, match='found scores of steps 0, 4 and 8 of "tiny"'):
        getattr(Run(12), framework)(probe(**named))
    one = probe(**named, resume=True)
    run = getattr(Run(12), framework)(one)
    assert run.count == 8 and [evaluation.step for evaluation in one.history] == [4, 8, 12]
    assert one.history[0].records == first.history[1].records
    frame = cortiscore.results(tmp_path / "store").to_pandas()
    assert set(frame["tags.run"]) == {"tiny"} and set(frame["tags.step"]) == {0.0, 4.0, 8.0, 12.0}


# ---- Loggers


def test_a_plain_loop_logs_to_tensorboard_csv_and_wandb(tmp_path):
    writer = SummaryWriter(tmp_path / "runs")
    run = wandb.init(dir=tmp_path, project="tiny")
    run.define_metric("cortiscore/*", step_metric="cortiscore/step")

    def log(evaluation):
        for name, value in evaluation.metrics.items():
            writer.add_scalar(name, value, evaluation.step)
        run.log({**evaluation.metrics, "cortiscore/step": evaluation.step})
        with open(tmp_path / "scores.csv", "a", newline="") as file:
            csv.writer(file).writerows((evaluation.step, name, value) for name, value in evaluation.metrics.items())

    one = probe(every=10, on_result=log)
    Run(20).plain(one)
    writer.close()
    run.finish()
    expected = {(evaluation.step, name): value for evaluation in one.history for name, value in evaluation.metrics.items()}
    assert len(expected) == 3 * 5  # ceiled, raw, ci_lo, ci_hi, seconds at steps 0, 10 and 20
    assert {(step, tag): value for tag, points in scalars(tmp_path / "runs").items() for step, value in points} == pytest.approx(expected)
    with open(tmp_path / "scores.csv", newline="") as file:
        assert {(int(step), name): float(value) for step, name, value in csv.reader(file)} == expected
    found = {(int(row["cortiscore/step"]), name): row[name] for row in wandb_rows(tmp_path) for name in row if (0, name) in expected}
    assert found == pytest.approx(expected)


def test_lightning_logs_to_its_loggers(tmp_path):
    loggers = [pl.loggers.CSVLogger(tmp_path, "csv"), pl.loggers.TensorBoardLogger(tmp_path, "tensorboard"),
               pl.loggers.WandbLogger(save_dir=tmp_path, offline=True)]
    one = probe(every=10, asynchronous=True)
    run = Run(20).lightning(one, logger=loggers)
    expected = [(evaluation.step, evaluation.metrics[CEILED]) for evaluation in one.history]
    assert expected[0][0] == 0 and expected == sorted(expected)
    assert scalars(loggers[1].log_dir)[CEILED] == [(step, pytest.approx(value)) for step, value in expected]
    with open(f"{loggers[0].log_dir}/metrics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(int(row["step"]), float(row[CEILED])) for row in rows if row[CEILED]] == expected
    assert run.trainer.callback_metrics[CEILED] == torch.tensor(expected[-1][1])
    assert [(row["trainer/global_step"], row[CEILED]) for row in wandb_rows(tmp_path) if CEILED in row] == expected


@pytest.mark.parametrize("asynchronous", [False, True])
def test_the_hugging_face_trainer_logs(tmp_path, monkeypatch, asynchronous):
    monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", str(tmp_path / "tensorboard"))
    one = probe(every=4, asynchronous=asynchronous)
    without = Run(16).hugging_face()
    run = Run(16).hugging_face(one, report_to=["tensorboard"])
    expected = [(evaluation.step, evaluation.metrics[CEILED]) for evaluation in one.history]
    assert expected[0][0] == 0 and (asynchronous or [step for step, _ in expected] == [0, 4, 8, 12, 16])
    log = run.trainer.state.log_history
    assert [(row["step"], row[CEILED]) for row in log if CEILED in row] == expected
    assert scalars(tmp_path / "tensorboard")[f"train/{CEILED}"] == [(step, pytest.approx(value)) for step, value in expected]
    # What the Trainer logs itself is there as before, at its own steps.
    losses = [[(row["step"], row["epoch"], row["loss"]) for row in one.trainer.state.log_history if "loss" in row] for one in (without, run)]
    assert losses[0] == losses[1] and len(losses[0]) == 4


def test_a_trainer_in_bfloat16_has_its_network_scored_as_it_is_written():
    """accelerate puts autocast around `forward` of the model that it trains."""

    class Whole(Net):
        def forward(self, images, labels=None):
            self.dtype = self.conv(images).dtype
            logits = super().forward(images)
            return logits if labels is None else {"loss": nn.functional.cross_entropy(logits, labels)}

    class Keep(transformers.TrainerCallback):
        def on_step_end(self, args, state, control, model=None, **kwargs):
            kept[state.global_step], dtypes[state.global_step] = {name: value.clone() for name, value in model.state_dict().items()}, model.dtype

    kept, dtypes, run, one = {}, {}, Run(10, make=Whole), probe(every=5)
    arguments = transformers.TrainingArguments("runs", max_steps=10, per_device_train_batch_size=BATCH, report_to="none", use_cpu=True, bf16=True,
                                               disable_tqdm=True, save_strategy="no")
    collate = lambda rows: dict(zip(("images", "labels"), map(torch.stack, zip(*rows))))
    trainer = transformers.Trainer(run.net, arguments, collate, run.data, callbacks=[Keep()])
    HuggingFaceProbe(one).attach(trainer)
    trainer.train()
    assert [evaluation.step for evaluation in one.history] == [0, 5, 10] and set(dtypes.values()) == {torch.bfloat16}
    for evaluation in one.history[1:]:
        net = Net()
        net.load_state_dict(kept[evaluation.step])
        alone, = cortiscore.score(net, V4, layers="pool", input_size=32, bootstrap=20)
        assert evaluation.metrics[CEILED] == alone["score"]["ceiled"]


def test_ignite_logs(tmp_path):
    def prepare(trainer):
        logger = ignite.handlers.TensorboardLogger(log_dir=tmp_path)
        logger.attach_output_handler(trainer, ProbeEvents.SCORED, tag="training", metric_names="all")
        trainer.add_event_handler(Events.COMPLETED, logger.close)

    one = probe(every=1, asynchronous=True)
    run = Run(24).ignite(one, prepare, event=Events.ITERATION_COMPLETED(every=8))
    assert one.history[0].step == 0 and all(evaluation.step % 8 == 0 for evaluation in one.history)
    points = {f"training/{name}": [(evaluation.step, pytest.approx(evaluation.metrics[name])) for evaluation in one.history]
              for name in one.history[0].metrics}
    assert scalars(tmp_path) == points and len(points) == 5
    assert run.trainer.state.metrics[CEILED] == one.history[-1].metrics[CEILED]


# ---- Early stopping and checkpoints


def best(one):
    return max(one.history, key=lambda evaluation: evaluation.metrics[CEILED])


def scramble(net):
    """A network that a step of training ruined, so that scores do not only rise or fall."""
    with torch.no_grad():
        net.conv.weight.copy_(torch.ones_like(net.conv.weight))


def test_lightning_stops_and_keeps_the_best_by_a_score(tmp_path):
    stop = pl.callbacks.EarlyStopping(CEILED, mode="max", patience=2, check_on_train_epoch_end=True)
    keep = pl.callbacks.ModelCheckpoint(tmp_path, monitor=CEILED, mode="max", every_n_train_steps=12)
    one = probe(every=12)
    run = Run(96, at={30: scramble}, lr=0.01).lightning(one, [stop, keep])
    top = best(one)
    assert 0 < top.step <= 24 and run.count == top.step + 24  # two epochs without a better one
    assert keep.best_model_score == torch.tensor(top.metrics[CEILED])
    saved = torch.load(keep.best_model_path, weights_only=False)
    assert saved["global_step"] == top.step
    assert all(torch.equal(saved["state_dict"][f"net.{name}"], value) for name, value in run.kept[top.step].items())


def test_lightning_has_the_score_of_an_epoch_before_its_validation(tmp_path):
    """ModelCheckpoint saves after validation where there is one, which is before on_train_epoch_end."""
    keep = pl.callbacks.ModelCheckpoint(tmp_path, monitor=CEILED, mode="max", save_top_k=-1, filename="{step}")
    one, run = probe(every="epoch"), Run(36, lr=0.01)
    fit = pl.Trainer.fit
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pl.Trainer, "fit", lambda self, module, loader: fit(self, module, loader, run.loader()))
        run.lightning(one, [keep])
    scores = {evaluation.step: torch.tensor(evaluation.metrics[CEILED]) for evaluation in one.history}
    assert {int(path.rsplit("step=")[1].split(".")[0]): score for path, score in keep.best_k_models.items()} == {
        step: scores[step] for step in (12, 24, 36)}


@pytest.mark.parametrize("asynchronous", [False, True])
def test_hugging_face_stops_and_keeps_the_best_by_a_score(asynchronous):
    named = {"eval_strategy": "steps", "eval_steps": 12, "save_strategy": "steps", "save_steps": 12, "evaluated": True,
             "metric_for_best_model": CEILED, "greater_is_better": True, "load_best_model_at_end": True}
    one = probe(every=12, asynchronous=asynchronous)
    run = Run(96, at={30: scramble}, lr=0.01).hugging_face(one, [transformers.EarlyStoppingCallback(2)], **named)
    scores = {evaluation.step: evaluation.metrics[CEILED] for evaluation in one.history}
    top = max((step for step in scores if step), key=scores.get)
    state = run.trainer.state
    assert top in (12, 24) and run.count == top + 24
    assert (state.best_metric, state.best_global_step) == (scores[top], top)
    assert all(torch.equal(run.net.state_dict()[name], value) for name, value in run.kept[top].items())  # it is loaded
    assert [row["step"] for row in state.log_history if CEILED in row] == sorted(scores) == list(range(0, run.count + 1, 12))


def test_hugging_face_takes_a_network_that_fails_for_no_best_one():
    named = {"eval_strategy": "steps", "eval_steps": 12, "save_strategy": "steps", "save_steps": 12, "evaluated": True,
             "metric_for_best_model": CEILED, "greater_is_better": True}
    one = probe(every=12, on_error="log")
    run = Run(48, at={20: breaks}, lr=0.01).hugging_face(one, **named)
    assert run.count == 48 and one.failures >= 2 and run.trainer.state.best_global_step == 12


def test_ignite_stops_and_keeps_the_best_by_a_score(tmp_path):
    one, kept = probe(every=12), []

    def prepare(trainer):
        score = ignite.handlers.Checkpoint.get_default_score_fn(CEILED)
        trainer.add_event_handler(ProbeEvents.SCORED, ignite.handlers.EarlyStopping(2, score, trainer))
        kept.append(ignite.handlers.Checkpoint({"net": run.net}, ignite.handlers.DiskSaver(tmp_path, require_empty=False), n_saved=1,
                                               score_function=score, score_name="V4",
                                               global_step_transform=lambda engine, _: engine.state.cortiscore_step))
        trainer.add_event_handler(ProbeEvents.SCORED, kept[0])

    run = Run(96, at={30: scramble}, lr=0.01)
    run.ignite(one, prepare)
    top = best(one)
    assert 0 < top.step <= 24 and run.count == top.step + 24
    assert f"_{top.step}_" in str(kept[0].last_checkpoint)
    saved = torch.load(tmp_path / kept[0].last_checkpoint)
    assert all(torch.equal(saved[name], value) for name, value in run.kept[top.step].items())


# ---- What fails, and signals


def breaks(net):
    net.broken = True


@every_framework
@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_network_that_cannot_be_scored_does_not_stop_training(framework, asynchronous, caplog):
    one = probe(every=[10, 30], on_error="log", asynchronous=asynchronous)
    run = getattr(Run(40, at={5: breaks}), framework)(one)
    assert run.losses == Run(40).plain().losses or framework == "hugging_face" and run.losses == Run(40).hugging_face().losses
    assert one.failures >= 1 and not any(evaluation.metrics for evaluation in one.history) and "this network broke" in caplog.text
    assert asynchronous or one.failures == 2


@every_framework
@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_network_that_cannot_be_scored_stops_training_where_it_should(framework, asynchronous):
    one = probe(every=10, on_error="raise", asynchronous=asynchronous)
    run = Run(400, at={15: breaks})
    with pytest.raises(Exception, match="this network broke"):
        getattr(run, framework)(one)
    assert run.count == 20 or asynchronous and 20 <= run.count < 400


@every_framework
@pytest.mark.parametrize("named", [{"layers": "pools"}, {"benchmarks": "Simulated2026.V5-pls"}], ids=["layer", "benchmark"])
def test_names_that_are_none_stop_before_the_first_step(framework, named):
    run = Run(20)
    with pytest.raises(Exception, match="pools|V5"):
        one = probe(every=10, on_error="log", **named)
        getattr(run, framework)(one)
    assert run.count == 0 and not run.losses


def test_an_attribute_that_is_none_is_said_with_those_that_are():
    run = Run(20)
    module = pl.LightningModule()
    module.net, module.head = run.net, nn.Linear(2, 2)
    with pytest.raises(ValueError, match="'nets'.*net, head"):
        LightningProbe(probe(every=1), network="nets")._begin(module, 0)


def test_a_callback_without_its_trainer_says_how_to_add_it():
    with pytest.raises(ValueError, match=r"attach\(trainer\)"):
        Run(20).hugging_face(callbacks=[HuggingFaceProbe(probe(every=1))])


def ends(work):
    """How a run ends that is interrupted, and what SIGINT means afterwards."""
    before = signal.getsignal(signal.SIGINT)
    try:
        with contextlib.suppress(RuntimeError):
            work()
        return "it did not end"
    except BaseException as error:  # KeyboardInterrupt, or SystemExit, which Lightning makes of it
        return type(error), str(error), signal.getsignal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


@every_framework
@pytest.mark.parametrize("asynchronous", [False, True])
def test_an_interrupt_means_what_it_meant(framework, asynchronous):
    def interrupted(*given):
        run = Run(100, at={25: lambda net: os.kill(os.getpid(), signal.SIGINT)})
        return ends(lambda: getattr(run, framework)(*given)), run.losses

    without = interrupted()
    assert issubclass(without[0][0], (KeyboardInterrupt, SystemExit)) and len(without[1]) == 25
    one = probe(every=10, on_error="log", asynchronous=asynchronous)
    assert interrupted(one) == without and one.failures == 0
    if framework == "plain":
        one.close(wait=False)
    assert not any(thread.name == "cortiscore" for thread in threading.enumerate())


@pytest.mark.parametrize("framework", ["lightning", "hugging_face", "ignite"])
def test_an_evaluation_under_way_is_dropped_when_training_fails(framework):
    class Slow(Net):
        def forward(self, x):
            if not self.training and self.slow:
                begun.set()
                over.wait(0.2)
            return super().forward(x)

        slow = False

    def fails(net):
        assert begun.wait(30)
        raise KeyError("training failed")

    begun, over = threading.Event(), threading.Event()
    run = Run(100, at={10: lambda net: setattr(net, "slow", True), 20: fails}, make=Slow)
    one = probe(every=[10], asynchronous=True, on_error="log")
    with pytest.raises(KeyError, match="training failed"):
        getattr(run, framework)(one)
    assert run.count == 20 and not one.history and one.failures == 0
    assert not any(thread.name == "cortiscore" for thread in threading.enumerate())


def test_a_script_ends_in_silence(tmp_path):
    """A network of the script's own names the probe, through the script: what is never freed of it nanobind would tell."""
    (tmp_path / "script.py").write_text("import torch, cortiscore\n"
                                        "class Net(torch.nn.Sequential):\n"
                                        "    def forward(self, x):\n"
                                        "        return super().forward(x)\n"
                                        "net = Net(torch.nn.Conv2d(3, 4, 5, 2), torch.nn.AdaptiveAvgPool2d(3))\n"
                                        f"probe = cortiscore.Probe('{V4}', layers='1', input_size=32, every=1, on_error='raise')\n"
                                        "probe.step(1, net)\n")
    done = subprocess.run([sys.executable, tmp_path / "script.py"], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": ROOT / "python"})
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# ---- Examples


@pytest.mark.parametrize("name", ["torchvision_loop", "timm_huggingface", "lightning_module"])
def test_examples(name, tmp_path, monkeypatch):
    path = ROOT / f"examples/training/{name}.py"
    assert len(path.read_text().splitlines()) < 60
    monkeypatch.setattr(sys, "argv", [str(path), "--steps", "6", "--every", "3", "--size", "48", "-b", V4, "--results", str(tmp_path / "store")])
    runpy.run_path(str(path), run_name="__main__")
    assert sorted((int(record["tags"]["step"]), record["status"]) for record in stored(tmp_path)) == [(0, "ok"), (3, "ok"), (6, "ok")]
    logged = [tag for tag in scalars(next(tmp_path.glob("**/events.*")).parent) if tag.endswith(CEILED)]
    assert len(logged) == 1


def test_the_page_about_training_runs(tmp_path):
    """Its blocks of Python one after the other, with a small network, few steps and the simulated cortex in place of recordings."""
    class Staged(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer1, self.layer3, self.head = nn.Conv2d(3, 4, 5, 4), nn.Conv2d(4, 8, 3, 2), nn.LazyLinear(10)

        def forward(self, images):
            return self.head(self.layer3(self.layer1(images).relu()).relu().flatten(1))

    class Classifier(pl.LightningModule):
        def __init__(self, backbone):
            super().__init__()
            self.backbone = backbone

        def forward(self, images, labels):
            return {"loss": nn.functional.cross_entropy(self.backbone(images), labels)}

        def training_step(self, batch, index):
            return self(*batch)["loss"]

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), 0.01)

    model = Staged()
    model(torch.zeros(1, 3, 32, 32))
    images = TensorDataset(torch.randn(16, 3, 32, 32), torch.randint(0, 10, (16,)))
    rows = [{"images": image, "labels": label} for image, label in images]
    loader = DataLoader(images, 4)
    names = {"model": model, "loader": loader, "batches": list(loader), "batches_per_epoch": 4, "dataset": rows, "held_out": rows[:4],
             "optimizer": torch.optim.SGD(model.parameters(), 0.01), "lightning_module": Classifier(model), "classifier": Classifier(model)}
    text = (ROOT / "docs/training.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    blocks = [block for block in blocks if ".to_pandas()" not in block]  # of a store that is there
    assert len(blocks) == 6
    for block in blocks:
        for written, small in (("Cowley2023", "Simulated2026"), ("Henaff2021", "Simulated2026"), ("224", "32"), ("500", "2"), ("1000", "4"),
                               ("save_steps=2,", "save_steps=2, use_cpu=True, disable_tqdm=True, remove_unused_columns=False,")):
            block = block.replace(written, small)
        exec(block, names)
        assert names["probe"].history and not names["probe"].failures
    [frame] = [block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if ".to_pandas()" in block]
    exec(frame, names)
    assert list(names["curve"].columns) and names["curve"].notna().all().all() and names["curve"].index.is_monotonic_increasing
    tags = {tag for folder in {file.parent for file in tmp_path.glob("**/events.*")} for tag in scalars(folder)}
    assert {CEILED, f"training/{CEILED}", f"train/{CEILED}"} <= tags
