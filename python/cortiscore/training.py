"""`Probe`: scores a network while it is trained, from a hook in the training loop, and leaves the training as it was.

    probe = cortiscore.Probe(["Cowley2023.V4-pls"], layers="layer3", every=500, input_size=224)
    for step, batch in enumerate(loader, 1):
        ...
        probe.step(step, model)
    probe.close()
"""
from __future__ import annotations

import collections
import dataclasses
import json
import logging
import math
import numbers
import operator
import os
import statistics
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any, Literal, SupportsIndex, TypedDict, TypeVar

import torch

from . import live
from .arguments import listed
from .engine import compiled
from .exporter import DoesNotRun, refused, unwrapped
from .scoring import options_text

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self, Unpack

    from .scoring import Path

log = logging.getLogger("cortiscore")
_Result = TypeVar("_Result")


class ScoringOptions(TypedDict, total=False):
    """What a Probe takes beside its own arguments, as score() has it."""

    ceiling_convention: Literal["r2_over_c", "r_over_c_squared", "r_over_c"]
    mode: Literal["sklearn", "exact"]
    choice: Literal["nested", "halves", "committed"]
    candidates: int
    candidates_from: Literal["blocks", "all"]
    bootstrap: int
    over: str | Sequence[str]
    memory_gib: float | None
    spill: Path | None
    layer_map: Path | None
    precision: Literal["float32", "tf32", "bf16", "fp16"]


class _Closed(BaseException):
    """The evaluation under way is not wanted any more."""


@dataclasses.dataclass
class Evaluation:
    """What one evaluation gave.

    step, epoch  of the weights; with asynchronous=True training is further by the time that it is there
    records      one a benchmark (docs/formats.md), those that failed too
    metrics      {"cortiscore/BENCHMARK/ceiled": ..., "raw", "ci_lo", "ci_hi", "seconds"}: what loggers take. What has no value
                 (a benchmark that failed, a ceiling that is not there) is not among them
    seconds      that all of it took, of which training waited for `waited`; those in metrics are a benchmark's own
    """

    step: int
    epoch: float | None
    records: list[dict[str, Any]]
    metrics: dict[str, float]
    seconds: float
    waited: float

    def __repr__(self) -> str:
        scores = []
        for record in self.records:
            said = record["status"]
            if said == "ok":
                value, low, high = (math.nan if number is None else number
                                    for number in (record["score"]["ceiled"], record["error"]["ci_lo"], record["error"]["ci_hi"]))
                said = f"{value:.3f} ({low:.3f} .. {high:.3f})"
            scores.append(f"{record['benchmark_identifier']} {said}")
        return f"<Evaluation step {self.step}: {', '.join(scores) or 'nothing'}; {self.seconds:.1f} s>"


def metrics_of(records: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Numbers for a logger: finite ones, by their names."""
    found: dict[str, float] = {}
    for record in records:
        if record["status"] != "ok":
            continue
        numbers = {"ceiled": record["score"]["ceiled"], "raw": record["score"]["raw"], "ci_lo": record["error"]["ci_lo"],
                   "ci_hi": record["error"]["ci_hi"], "seconds": record["timing_ms"]["total"] / 1e3}
        name = record["benchmark_identifier"]
        found.update({f"cortiscore/{name}/{key}": value for key, value in numbers.items() if value is not None and math.isfinite(value)})
    return found


def _cadence(every: int | Literal["epoch", "log"] | Sequence[int] | AbstractSet[int]) -> Callable[[int], bool] | None:
    """Whether a step is one to evaluate at; None: epochs are."""
    if every == "epoch":
        return None
    if every == "log":
        return lambda step: step >= 0 and step & (step - 1) == 0
    if isinstance(every, numbers.Integral) and not isinstance(every, bool) and int(every) > 0:
        steps_apart = int(every)
        return lambda step: step % steps_apart == 0
    if isinstance(every, (list, tuple, set, frozenset, range)) and all(isinstance(step, numbers.Integral) for step in every):
        steps = frozenset(map(int, every))
        return lambda step: step in steps
    raise refused("every", repr(every), "a number of steps, \"epoch\", \"log\" (steps 0, 1, 2, 4, 8, ...) or a list of steps")


def log_spaced(last: float, count: int, first: float = 1) -> list[int]:
    """`count` steps from `first` to `last`, evenly spaced in their logarithm, each once, for `Probe(every=)`."""
    ratio = (last / first) ** (1 / max(count - 1, 1))
    return sorted({round(first * ratio**i) for i in range(count)})


class Probe:
    """Scores a network on benchmarks every so many steps of its training.

    benchmarks    identifiers or manifests' paths
    layers        a layer to commit to, or {region: layer}, as score() has it. Without it layers compete at every evaluation, which
                  keeps their activations all
    every         a number of steps, "epoch", "log" (steps 0, 1, 2, 4, 8, ...) or a list of steps (log_spaced(100000, 20))
    max_overhead  the share of wall-clock time since the first step() that evaluations may take, 0.02 for example: one that is due waits
                  until it fits. Without `every`, as often as fits
    input_size, mean, std, degrees, time_bins_ms   of the network's input, as export() has them
    results       a store (docs/formats.md): every record goes there with the tags run, step and epoch, durable before step() returns
    run           what the run is called; its records' networks are RUN-stepN. Needed with results, where two runs of one name would be
                  one curve: that is refused before training
    resume        this training goes on with the one of its name that results holds scores of: a job that was killed and started again.
                  Scores that are there of the same weights are not made again. Where there are none yet, it changes nothing
    asynchronous  score a copy of the weights in a thread while training goes on; step() then gives what an earlier step led to. One
                  evaluation at a time: what is due meanwhile is taken as soon as it is over
    ranks         with torch.distributed: "first" scores on rank 0, "share" has every rank score some of the benchmarks. All ranks have
                  to call step(), and all get the result. With max_overhead only rank 0 does
    on_error      "log": an evaluation that fails is logged (logging.getLogger("cortiscore")), counted in `failures`, and training
                  goes on; "raise"
    on_result     called with an Evaluation as soon as the training thread has it: where a plain loop logs
    threads       of the engine on the CPU; all of the machine's, or one where asynchronous
    Further options are those of score(): ceiling_convention, mode, choice, candidates, candidates_from, bootstrap, over, memory_gib, spill,
    layer_map, precision.

    Stimuli, recordings, folds and ceilings are read and made once. The module's modes, buffers, hooks, gradients, the process's
    generators of random numbers and its settings are as before, also where scoring fails.

    history has every Evaluation, failures counts evaluations, and benchmarks in them, that failed.

    Raises BadNetwork and cortiscore.Error for arguments that cannot be right: here, and in prepare(), which checks the network and the
    layers before training begins; the first step() calls it where nobody has.
    """

    benchmarks: list[str]
    run: str
    failures: int
    history: list[Evaluation]
    # None until there is one: a network that was prepared, a first step, what waits to be taken, an evaluation under way.
    _table: Any
    _scorer: Any
    _begun: Any
    _late: tuple[int, float | None] | None
    _thread: threading.Thread | None
    _done: list[Any]
    _ended: threading.Event

    def __init__(self, benchmarks: Path | Iterable[Path], *, layers: str | Mapping[str, str] | None = None,
                 every: int | Literal["epoch", "log"] | Sequence[int] | AbstractSet[int] | None = None, max_overhead: float | None = None,
                 input_size: int | None = None, mean: Sequence[float] | None = None, std: Sequence[float] | None = None,
                 degrees: float = 8.0, time_bins_ms: Mapping[str, Sequence[Sequence[float]]] | None = None, results: Path | None = None,
                 run: str | None = None, resume: bool = False, asynchronous: bool = False, ranks: Literal["first", "share"] = "first",
                 on_error: Literal["log", "raise"] = "log", on_result: Callable[[Evaluation], object] | None = None,
                 threads: int | None = None, **options: Unpack[ScoringOptions]) -> None:
        if every is None and max_overhead is None:
            raise refused("every", "nothing", "when to evaluate", "Add every=500, or max_overhead=0.02")
        if max_overhead is not None and not 0 < max_overhead < 1:
            raise refused("max_overhead", repr(max_overhead), "a share of time above 0 and below 1")
        if results is not None and run is None:
            raise refused("run", "nothing", "a name for this training among the others in results", "Add run=\"...\"")
        run = run or "run"
        for name, value, allowed in (("ranks", ranks, ("first", "share")), ("on_error", on_error, ("log", "raise"))):
            if value not in allowed:
                raise refused(name, repr(value), " or ".join(f'"{word}"' for word in allowed))
        if ranks == "share" and (max_overhead is not None or asynchronous):
            raise refused("ranks=\"share\"", "max_overhead or asynchronous", "a cadence by steps or epochs, which all ranks agree on",
                          "Score on the first rank (ranks=\"first\"), or name the steps")
        given: Mapping[str, object] = options
        for name in {"null", "make_null"} & given.keys():
            raise refused(name, repr(given[name]), "nothing: a training does not wait for a null",
                          "Score a checkpoint afterwards, or once before: what is kept of maps is said beside the scores")
        self.benchmarks = listed(benchmarks)
        self.run, self.failures, self.history = run, 0, []
        self._due_at = _cadence(every) if every is not None else lambda step: True
        self._max_overhead, self._asynchronous, self._on_error, self._on_result = max_overhead, asynchronous, on_error, on_result
        self._ranks, self._threads = ranks, threads or (1 if asynchronous else None)
        self._input = {"input_size": input_size, "mean": mean, "std": std, "degrees": degrees, "time_bins_ms": time_bins_ms}
        live.check_input(**self._input)
        self._options = {"layers": layers, **options}
        self._results, self._resume = None if results is None else os.fspath(results), resume
        self._table, self._scorer, self._precision = None, None, options.get("precision", "float32")
        self._rank, self._world, self._share, self._mine = 0, 1, False, self.benchmarks
        compiled.Scorer(self.benchmarks, None, options_text(**self._options, device="cpu"))  # names that are none are said before training
        self._begun, self._spent, self._late = None, 0.0, None
        self._costs: collections.deque[float] = collections.deque(maxlen=3)
        self._thread, self._done, self._ended, self._closing = None, [], threading.Event(), False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close(wait=kind is None)

    @property
    def _all_ranks(self) -> bool:
        """Whether ranks agree on when: what time or a thread decides, each would decide for itself."""
        return self._max_overhead is None and not self._asynchronous

    def _find_rank(self) -> None:
        """Which benchmarks are this rank's; frameworks start torch.distributed after a script has made its Probe."""
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            self._rank, self._world = torch.distributed.get_rank(), torch.distributed.get_world_size()
        self._share = self._ranks == "share" and self._world > 1
        self._mine = self.benchmarks[self._rank::self._world] if self._share else self.benchmarks if self._rank == 0 else []

    def _check_new_run(self) -> None:
        """Rank 0 looks into the store before any rank has written to it, which the others wait for where they agree on when."""
        if self._results is None or self._resume:
            return
        failure: Exception | None = None
        if self._rank == 0:
            try:
                compiled.check_new_run(self._results, self.run)
            except Exception as error:  # also a store that cannot be read
                failure = error
        words = [failure and str(failure)]
        if self._world > 1 and self._all_ranks:
            torch.distributed.broadcast_object_list(words)
        if failure is not None:
            raise failure
        if words[0] is not None:
            raise RuntimeError(f"rank 0: {words[0]}")

    # ---- when

    def step(self, step: SupportsIndex, model: torch.nn.Module, epoch: float | None = None) -> Evaluation | None:
        """Call it after each step of the optimizer, with how many there were, and at 0 for a score before training.
        Returns an Evaluation where there is a new one, else None."""
        try:
            count = operator.index(step)
        except TypeError:
            raise refused("step", type(step).__name__, "a whole number: probe.step(step, model)") from None
        return self._timed(model, lambda: self._turn(model, count, epoch, self._due_at is not None and self._due_at(count)))

    def epoch_end(self, epoch: float, model: torch.nn.Module, step: int | None = None) -> Evaluation | None:
        """Call it after each epoch, where every="epoch". Returns as step() does."""
        return self._timed(model, lambda: self._turn(model, int(epoch) if step is None else step, epoch, self._due_at is None))

    def evaluate(self, model: torch.nn.Module, step: int, epoch: float | None = None) -> Evaluation | None:
        """Evaluates now, and waits for it, whatever the cadence says. Returns an Evaluation, or None where it failed and was logged."""
        self._late = None  # what was due and had to wait is had with it
        return self._timed(model, lambda: self._guarded(lambda: self._evaluation(model, step, epoch)))

    def _timed(self, model: torch.nn.Module, work: Callable[[], Evaluation | None]) -> Evaluation | None:
        """What training waits for is overhead, whatever comes of it."""
        self._entered = time.perf_counter()
        try:
            with torch.inference_mode(False):
                if self._begun is None:
                    self._begun = self._entered
                    self.prepare(model)  # what cannot be right stops training here, and not at the first evaluation
                return work()
        finally:
            self._spent += time.perf_counter() - self._entered

    def _turn(self, model: torch.nn.Module, step: int, epoch: float | None, due: bool) -> Evaluation | None:
        finished = self._collect()
        if due:
            self._late = step, epoch
        # What fell due while another was under way, or did not fit into the time allowed, is taken with the weights of now.
        if self._late is None or self._thread or not (due or self._max_overhead or self._asynchronous):
            return finished
        if self._max_overhead and not self._fits(model, self._max_overhead):
            return finished
        self._late = None
        return self._guarded(lambda: self._evaluation(model, step, epoch, self._asynchronous)) or finished

    def _fits(self, model: torch.nn.Module, allowed: float) -> bool:
        if self._world > 1 and self._rank:
            return False
        if not self._costs:
            self._guarded(lambda: self._costs.append(self._estimate(model)))
        cost = statistics.median(self._costs) if self._costs else 0.0
        now = time.perf_counter()  # a preparation in this very call is a part of it
        return bool(self._spent + now - self._entered + cost <= allowed * (now - self._begun + cost))

    def _estimate(self, model: torch.nn.Module) -> float:
        """Seconds of an evaluation, of which none has been yet: of its forward passes, and half as much for what follows them."""
        self.prepare(model)
        with live.Snapshot(unwrapped(model), self._table.alone) as snapshot, live.same_draws(), torch.no_grad():
            device = live.device_of(snapshot.network)
            images = torch.zeros(16, 3, self._input["input_size"], self._input["input_size"], device=device, dtype=self._table.dtype)
            took = []
            for _ in range(3):  # the first of a process is not what later ones take
                began = time.perf_counter()
                snapshot.network(images)
                took.append(time.perf_counter() - began)
        return 1.5 * min(took) * int(self._scorer.n_stimuli()) / 16

    # ---- what

    def prepare(self, model: torch.nn.Module) -> None:
        """Looks at the network, reads benchmarks, checks the layers and that the store has no other training of this name, once; step()
        does it where this was not called. Where there are several ranks, all of them call it, or none.
        Raises BadNetwork and cortiscore.Error."""
        if self._scorer is not None:
            return
        if not isinstance(model, torch.nn.Module):
            raise refused("model", type(model).__name__, "a torch.nn.Module")
        self._find_rank()
        self._check_new_run()
        if self._world > 1 and live.sharded(model) and not self._all_ranks:
            raise refused("model", "weights that are spread over ranks, with max_overhead or asynchronous",
                          "a cadence by steps or epochs, at which all ranks gather them", "Name the steps (every=500)")
        with live.gathered(model):
            network, self._table = live.table_of(model, **self._input)
            # On a GPU flags of the whole process say what float32 means, and a thread beside training may not change them.
            own = live.device_of(network)
            if self._asynchronous and own.type == "cuda" and self._precision == "float32" and torch.backends.cuda.matmul.allow_tf32:
                self._precision = "tf32"
            scorer = compiled.Scorer(self._mine, self._results,
                                     options_text(**{**self._options, "precision": self._precision}, make_null=False, device=str(own)))
            with live.Snapshot(network, self._table.alone, self._table) as snapshot, live.same_draws():
                self._open(scorer, snapshot)
        self._scorer = scorer

    def _open(self, scorer: compiled.Scorer, snapshot: live.Snapshot) -> None:
        # It keeps what it is given, through which a network that names this probe would never be freed.
        held = [snapshot]
        scorer.open(lambda *given: held[0].forward(*given), self._table.json(self.run))
        held.clear()

    def _snapshot(self, model: torch.nn.Module, own_weights: bool) -> live.Snapshot | None:
        with live.gathered(model):
            sharded = live.sharded(model)
            if not self._mine and not sharded and not self._share:
                return None
            # Ranks that share the benchmarks score one network: statistics of batch norms are each rank's own while it trains.
            snapshot = live.Snapshot(unwrapped(model), self._table.alone, self._table, own_weights or sharded or self._share,
                                     self._first_ranks if self._share else None)
            if not self._mine:
                snapshot.__exit__()
                return None
            self._look_again(snapshot)
            return snapshot

    def _look_again(self, snapshot: live.Snapshot) -> None:
        """Where the network has other layers, calls or shapes than at first, all that is known of them is found anew."""
        with live.same_draws():
            if self._table.holds(snapshot.network):
                return
            try:
                table = live.Table(snapshot.network, alone=self._table.alone, **self._input)
            except DoesNotRun:  # which its passes say, for each benchmark
                return
            self._table = snapshot.table = table
            self._open(self._scorer, snapshot)

    @staticmethod
    def _first_ranks(network: torch.nn.Module) -> None:
        for buffer in network.buffers():
            torch.distributed.broadcast(buffer, 0)

    def _evaluation(self, model: torch.nn.Module, step: int, epoch: float | None, asynchronous: bool = False) -> Evaluation | None:
        """All of an evaluation; or its beginning, where it goes on in a thread."""
        began = time.perf_counter()
        self.wait()
        self.prepare(model)
        own = asynchronous and bool(self._mine)
        tags = {"run": self.run, "step": str(step)} | ({} if epoch is None else {"epoch": f"{epoch:.15g}"})
        if own:
            snapshot = self._snapshot(model, own)
            assert snapshot is not None  # this rank has benchmarks
            stream = event = None
            if live.device_of(snapshot.network).type == "cuda":
                # The lowest priority that there is, which is that of training, unless training asked for a higher one.
                stream, event = torch.cuda.Stream(priority=0), torch.cuda.current_stream().record_event()
            waited = time.perf_counter() - began
            self._done, self._ended = [], threading.Event()
            self._thread = threading.Thread(target=self._beside, args=(snapshot, tags, stream, event, step, epoch, waited), name="cortiscore")
            self._thread.start()
            return None
        failure, records = None, []
        try:
            with live.same_draws():
                if snapshot := self._snapshot(model, False):
                    with snapshot:
                        records = self._scored(snapshot, tags, False)
        except Exception as error:  # whatever a user's module raises; other ranks wait for what this one has
            failure = error
        records = self._together(records, failure)
        seconds = time.perf_counter() - began
        self._cost(seconds)
        return self._deliver(Evaluation(step, epoch, records, metrics_of(records), seconds, seconds))

    def _scored(self, snapshot: live.Snapshot, tags: dict[str, str], beside: bool) -> list[dict[str, Any]]:
        table = self._table.json(f"{self.run}-step{tags['step']}")

        def forward(images: object, layers: list[str], give: Callable[[int, object], None]) -> None:
            if self._closing:
                raise _Closed
            snapshot.forward(images, layers, give)

        digest = self._scorer.digest(snapshot.state())
        texts = self._scorer.score(forward, table, digest, json.dumps(tags), False, beside, self._on_error == "log", self._threads or 0)
        return [json.loads(text) for text in texts]

    def _together(self, records: list[dict[str, Any]], failure: Exception | None) -> list[dict[str, Any]]:
        """The records of all ranks, on each; where one failed, each raises."""
        own = records, failure and f"rank {self._rank}: {type(failure).__name__}: {failure}"
        parts: list[Any] = [own]
        if self._world > 1 and self._all_ranks:
            parts = [None] * self._world
            torch.distributed.all_gather_object(parts, own)
        if failure is not None:
            raise failure
        if words := [words for _, words in parts if words]:
            raise RuntimeError("; ".join(words))
        return list({record["benchmark_identifier"]: record for found, _ in parts for record in found}.values())

    def _beside(self, snapshot: live.Snapshot, tags: dict[str, str], stream: torch.cuda.Stream | None, event: torch.cuda.Event | None, step: int,
                epoch: float | None, waited: float) -> None:
        began = time.perf_counter()
        try:
            with snapshot, torch.cuda.stream(stream):
                if stream is not None and event is not None:
                    stream.wait_event(event)
                records = self._scored(snapshot, tags, True)
            seconds = time.perf_counter() - began
            self._done.append(Evaluation(step, epoch, records, metrics_of(records), seconds + waited, waited))
        except _Closed:
            pass
        except BaseException as error:  # it is raised, or logged, where training comes by next
            self._done.append(error)
        finally:
            self._ended.set()

    def _collect(self) -> Evaluation | None:
        """An evaluation that has ended beside training, delivered."""
        # Not the thread's own word: Python takes one for ended whose join() was interrupted.
        if not self._thread or not self._ended.is_set():
            return None
        self._thread.join()
        self._thread = None
        if not self._done:
            return None
        done = self._done.pop()

        def result() -> Evaluation:
            if isinstance(done, BaseException):
                raise done
            self._spent += done.seconds - done.waited  # on processors that it shares with training
            self._cost(done.seconds)
            return self._deliver(done)

        return self._guarded(result)

    def _cost(self, seconds: float) -> None:
        if not self.history:
            self._costs.clear()  # an estimate was there
        self._costs.append(seconds)

    def _deliver(self, evaluation: Evaluation) -> Evaluation:
        for record in evaluation.records:
            if record["status"] != "ok":
                self.failures += 1
                log.warning("step %s: %s: %s", evaluation.step, record["benchmark_identifier"], record["message"])
            elif self._options["layers"] and not self.history and len(record["layer_selection"].get("candidates") or []) > 1:
                # Along a training another layer may win every time: the curve would be of the choice as well.
                log.warning("%s: layers names none for its region (%s), so layers compete at every evaluation; name one there",
                            record["benchmark_identifier"], record["region"])
        self.history.append(evaluation)
        if self._on_result:
            self._on_result(evaluation)
        return evaluation

    def _guarded(self, work: Callable[[], _Result]) -> _Result | None:
        """Training goes on where an evaluation fails, unless it was asked not to."""
        try:
            return work()
        except Exception as error:
            if self._on_error == "raise":
                raise
            self.failures += 1
            # Where time alone says when, one that fails at once would be tried again at every step.
            self._spent += 1.0 if self._max_overhead else 0.0
            log.warning("an evaluation failed, and training goes on: %s", error, exc_info=log.isEnabledFor(logging.DEBUG))
            return None

    # ---- the end

    @property
    def overhead(self) -> float:
        """The share of wall-clock time since the first step() that evaluations have taken."""
        return 0.0 if self._begun is None else self._spent / max(time.perf_counter() - self._begun, 1e-9)

    def wait(self) -> Evaluation | None:
        """Waits for an evaluation that goes on beside training, and returns it; None where there is none."""
        if self._thread:
            self._ended.wait()
        return self._collect()

    def close(self, wait: bool = True) -> Evaluation | None:
        """Ends it: waits for the evaluation under way and returns it; wait=False drops it."""
        if wait:
            return self.wait()
        if self._thread:
            self._closing = True
            self._ended.wait()
            self._thread.join()
            self._thread, self._closing = None, False
        return None
