"""`Probe`: scores a network while it is trained, from a hook in the training loop, and leaves the training as it was.

    probe = cortiscore.Probe(["Cowley2023.V4-pls"], layers="layer3", every=500, input_size=224)
    for step, batch in enumerate(loader, 1):
        ...
        probe.step(step, model)
    probe.close()
"""
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

import torch

from . import live
from .arguments import listed
from .engine import compiled
from .exporter import DoesNotRun, refused, unwrapped
from .scoring import options_text

log = logging.getLogger("cortiscore")


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
    records: list
    metrics: dict
    seconds: float
    waited: float

    def __repr__(self):
        scores = []
        for record in self.records:
            said = record["status"]
            if said == "ok":
                value, low, high = (math.nan if number is None else number
                                    for number in (record["score"]["ceiled"], record["error"]["ci_lo"], record["error"]["ci_hi"]))
                said = f"{value:.3f} ({low:.3f} .. {high:.3f})"
            scores.append(f"{record['benchmark_identifier']} {said}")
        return f"<Evaluation step {self.step}: {', '.join(scores) or 'nothing'}; {self.seconds:.1f} s>"


def metrics_of(records):
    """Numbers for a logger: finite ones, by their names."""
    found = {}
    for record in records:
        if record["status"] != "ok":
            continue
        numbers = {"ceiled": record["score"]["ceiled"], "raw": record["score"]["raw"], "ci_lo": record["error"]["ci_lo"],
                   "ci_hi": record["error"]["ci_hi"], "seconds": record["timing_ms"]["total"] / 1e3}
        name = record["benchmark_identifier"]
        found.update({f"cortiscore/{name}/{key}": value for key, value in numbers.items() if value is not None and math.isfinite(value)})
    return found


def _cadence(every):
    """Whether a step is one to evaluate at; None: epochs are."""
    if every == "epoch":
        return None
    if every == "log":
        return lambda step: step >= 0 and step & (step - 1) == 0
    if isinstance(every, numbers.Integral) and not isinstance(every, bool) and every > 0:
        return lambda step: step % every == 0
    if isinstance(every, (list, tuple, set, frozenset, range)) and all(isinstance(step, numbers.Integral) for step in every):
        steps = frozenset(map(int, every))
        return lambda step: step in steps
    raise refused("every", repr(every), "a number of steps, \"epoch\", \"log\" (steps 0, 1, 2, 4, 8, ...) or a list of steps")


def log_spaced(last, count, first=1):
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
                  one curve
    asynchronous  score a copy of the weights in a thread while training goes on; step() then gives what an earlier step led to. One
                  evaluation at a time: what is due meanwhile is taken as soon as it is over
    ranks         with torch.distributed: "first" scores on rank 0, "share" has every rank score some of the benchmarks. All ranks have
                  to call step(), and all get the result. With max_overhead only rank 0 does
    on_error      "log": an evaluation that fails is logged (logging.getLogger("cortiscore")), counted in `failures`, and training
                  goes on; "raise"
    on_result     called with an Evaluation as soon as the training thread has it: where a plain loop logs
    threads       of the engine on the CPU; all of the machine's, or one where asynchronous
    Further options are those of score(): ceiling_convention, mode, candidates, bootstrap, memory_gib, spill, layer_map, precision.

    Stimuli, recordings, folds and ceilings are read and made once. The module's modes, buffers, hooks, gradients, the process's
    generators of random numbers and its settings are as before, also where scoring fails.

    history has every Evaluation, failures counts evaluations, and benchmarks in them, that failed.

    Raises BadNetwork and cortiscore.Error for arguments that cannot be right: here, and in prepare(), which checks the network and the
    layers before training begins; the first step() calls it where nobody has.
    """

    def __init__(self, benchmarks, *, layers=None, every=None, max_overhead=None, input_size=None, mean=None, std=None, degrees=8.0,
                 time_bins_ms=None, results=None, run=None, asynchronous=False, ranks="first", on_error="log", on_result=None, threads=None,
                 **options):
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
        self.benchmarks = listed(benchmarks)
        self.run, self.failures, self.history = run, 0, []
        self._due_at = _cadence(every) if every is not None else lambda step: True
        self._max_overhead, self._asynchronous, self._on_error, self._on_result = max_overhead, asynchronous, on_error, on_result
        self._ranks, self._threads = ranks, threads or (1 if asynchronous else None)
        self._input = {"input_size": input_size, "mean": mean, "std": std, "degrees": degrees, "time_bins_ms": time_bins_ms}
        live.check_input(**self._input)
        self._options = {"layers": layers, **options}
        self._results = None if results is None else os.fspath(results)
        self._table, self._scorer, self._precision = None, None, options.get("precision", "float32")
        self._rank, self._world, self._share, self._mine = 0, 1, False, self.benchmarks
        compiled.Scorer(self.benchmarks, None, options_text(**self._options, device="cpu"))  # names that are none are said before training
        self._begun, self._spent, self._costs, self._late = None, 0.0, collections.deque(maxlen=3), None
        self._thread, self._done, self._ended, self._closing = None, None, None, False

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.close(wait=kind is None)

    @property
    def _all_ranks(self):
        """Whether ranks agree on when: what time or a thread decides, each would decide for itself."""
        return self._max_overhead is None and not self._asynchronous

    def _find_rank(self):
        """Which benchmarks are this rank's; frameworks start torch.distributed after a script has made its Probe."""
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            self._rank, self._world = torch.distributed.get_rank(), torch.distributed.get_world_size()
        self._share = self._ranks == "share" and self._world > 1
        self._mine = self.benchmarks[self._rank::self._world] if self._share else self.benchmarks if self._rank == 0 else []

    # ---- when

    def step(self, step, model, epoch=None):
        """Call it after each step of the optimizer, with how many there were, and at 0 for a score before training.
        Returns an Evaluation where there is a new one, else None."""
        try:
            step = operator.index(step)
        except TypeError:
            raise refused("step", type(step).__name__, "a whole number: probe.step(step, model)") from None
        return self._timed(model, lambda: self._turn(model, step, epoch, self._due_at is not None and self._due_at(step)))

    def epoch_end(self, epoch, model, step=None):
        """Call it after each epoch, where every="epoch". Returns as step() does."""
        return self._timed(model, lambda: self._turn(model, epoch if step is None else step, epoch, self._due_at is None))

    def evaluate(self, model, step, epoch=None):
        """Evaluates now, and waits for it, whatever the cadence says. Returns an Evaluation, or None where it failed and was logged."""
        self._late = None  # what was due and had to wait is had with it
        return self._timed(model, lambda: self._guarded(lambda: self._evaluation(model, step, epoch)))

    def _timed(self, model, work):
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

    def _turn(self, model, step, epoch, due):
        finished = self._collect()
        if due:
            self._late = step, epoch
        # What fell due while another was under way, or did not fit into the time allowed, is taken with the weights of now.
        if self._late is None or self._thread or not (due or self._max_overhead or self._asynchronous):
            return finished
        if self._max_overhead and not self._fits(model):
            return finished
        self._late = None
        return self._guarded(lambda: self._evaluation(model, step, epoch, self._asynchronous)) or finished

    def _fits(self, model):
        if self._world > 1 and self._rank:
            return False
        if not self._costs:
            self._guarded(lambda: self._costs.append(self._estimate(model)))
        cost = statistics.median(self._costs) if self._costs else 0.0
        now = time.perf_counter()  # a preparation in this very call is a part of it
        return self._spent + now - self._entered + cost <= self._max_overhead * (now - self._begun + cost)

    def _estimate(self, model):
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
        return 1.5 * min(took) * self._scorer.n_stimuli() / 16

    # ---- what

    def prepare(self, model):
        """Looks at the network, reads benchmarks and checks the layers, once; step() does it where this was not called.
        Raises BadNetwork and cortiscore.Error."""
        if self._scorer is not None:
            return
        if not isinstance(model, torch.nn.Module):
            raise refused("model", type(model).__name__, "a torch.nn.Module")
        self._find_rank()
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
                                     options_text(**{**self._options, "precision": self._precision}, device=str(own)))
            with live.Snapshot(network, self._table.alone, self._table) as snapshot, live.same_draws():
                self._open(scorer, snapshot)
        self._scorer = scorer

    def _open(self, scorer, snapshot):
        # It keeps what it is given, through which a network that names this probe would never be freed.
        held = [snapshot]
        scorer.open(lambda *given: held[0].forward(*given), self._table.json(self.run))
        held.clear()

    def _snapshot(self, model, own_weights):
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

    def _look_again(self, snapshot):
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
    def _first_ranks(network):
        for buffer in network.buffers():
            torch.distributed.broadcast(buffer, 0)

    def _evaluation(self, model, step, epoch, asynchronous=False):
        """All of an evaluation; or its beginning, where it goes on in a thread."""
        began = time.perf_counter()
        self.wait()
        self.prepare(model)
        own = asynchronous and bool(self._mine)
        tags = {"run": self.run, "step": str(step)} | ({} if epoch is None else {"epoch": f"{epoch:.15g}"})
        if own:
            snapshot = self._snapshot(model, own)
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

    def _scored(self, snapshot, tags, beside):
        table = self._table.json(f"{self.run}-step{tags['step']}")

        def forward(images, layers, give):
            if self._closing:
                raise _Closed
            snapshot.forward(images, layers, give)

        digest = self._scorer.digest(snapshot.state())
        texts = self._scorer.score(forward, table, digest, json.dumps(tags), False, beside, self._on_error == "log", self._threads or 0)
        return [json.loads(text) for text in texts]

    def _together(self, records, failure):
        """The records of all ranks, on each; where one failed, each raises."""
        own = records, failure and f"rank {self._rank}: {type(failure).__name__}: {failure}"
        parts = [own]
        if self._world > 1 and self._all_ranks:
            parts = [None] * self._world
            torch.distributed.all_gather_object(parts, own)
        if failure is not None:
            raise failure
        if words := [words for _, words in parts if words]:
            raise RuntimeError("; ".join(words))
        return list({record["benchmark_identifier"]: record for found, _ in parts for record in found}.values())

    def _beside(self, snapshot, tags, stream, event, step, epoch, waited):
        began = time.perf_counter()
        try:
            with snapshot, torch.cuda.stream(stream):
                if event is not None:
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

    def _collect(self):
        """An evaluation that has ended beside training, delivered."""
        # Not the thread's own word: Python takes one for ended whose join() was interrupted.
        if not self._thread or not self._ended.is_set():
            return None
        self._thread.join()
        self._thread = None
        if not self._done:
            return None
        done = self._done.pop()

        def result():
            if isinstance(done, BaseException):
                raise done
            self._spent += done.seconds - done.waited  # on processors that it shares with training
            self._cost(done.seconds)
            return self._deliver(done)

        return self._guarded(result)

    def _cost(self, seconds):
        if not self.history:
            self._costs.clear()  # an estimate was there
        self._costs.append(seconds)

    def _deliver(self, evaluation):
        for record in evaluation.records:
            if record["status"] != "ok":
                self.failures += 1
                log.warning("step %s: %s: %s", evaluation.step, record["benchmark_identifier"], record["message"])
        self.history.append(evaluation)
        if self._on_result:
            self._on_result(evaluation)
        return evaluation

    def _guarded(self, work):
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
    def overhead(self):
        """The share of wall-clock time since the first step() that evaluations have taken."""
        return 0.0 if self._begun is None else self._spent / max(time.perf_counter() - self._begun, 1e-9)

    def wait(self):
        """Waits for an evaluation that goes on beside training, and returns it; None where there is none."""
        if self._thread:
            self._ended.wait()
        return self._collect()

    def close(self, wait=True):
        """Ends it: waits for the evaluation under way and returns it; wait=False drops it."""
        if wait:
            return self.wait()
        if self._thread:
            self._closing = True
            self._ended.wait()
            self._thread.join()
            self._thread, self._closing = None, False
        return None
