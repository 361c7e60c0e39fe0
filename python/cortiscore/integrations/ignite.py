"""Score while an Ignite engine trains:

    probe = cortiscore.Probe(["Cowley2023.V4-pls"], layers="layer3", every=500, input_size=224)
    IgniteProbe(probe).attach(trainer, model)
    tensorboard.attach_output_handler(trainer, ProbeEvents.SCORED, tag="training", metric_names="all")
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ignite.engine import EventEnum, Events

from ._hooked import Hooked

if TYPE_CHECKING:
    from typing import Self

    import torch
    from ignite.engine import CallableEventWithFilter, Engine, EventsList

    from ..training import Evaluation, Probe
    from ._hooked import Within


class ProbeEvents(EventEnum):
    """Fired by the trainer when a score is in engine.state.metrics: where loggers, EarlyStopping and Checkpoint are attached. Its count is
    engine.state.cortiscore_step, the step of the weights that were scored, which they take for the global step."""

    SCORED = "cortiscore_scored"


class IgniteProbe(Hooked):
    """A handler of an Ignite trainer, added by attach(engine, model).

    probe    a cortiscore.Probe. Its steps are the optimizer's; epochs are how many have been trained
    network  from the model to the network that takes images: a function, or an attribute's name ("backbone"); the model itself, where it
             is left out

    engine.state.metrics gets `cortiscore/BENCHMARK/{ceiled, raw, ci_lo, ci_hi, seconds}`, and then ProbeEvents.SCORED is fired.

    Raises BadNetwork and cortiscore.Error as the engine starts, where the network, a layer or a benchmark is none.
    """

    def __init__(self, probe: Probe, network: Within = None) -> None:
        super().__init__(probe, network)
        self._engine: Any = None

    def attach(self, engine: Engine, model: torch.nn.Module, event: Events | CallableEventWithFilter | EventsList = Events.ITERATION_COMPLETED,
               gradient_accumulation_steps: int = 1) -> Self:
        """Adds this to a trainer of `model`.

        event  when the probe is told of a step: all iterations, of which it takes what its cadence says; or a filter's, such as
               Events.ITERATION_COMPLETED(every=1000), with every=1 of the probe
        gradient_accumulation_steps  iterations a step of the optimizer, as create_supervised_trainer has it
        """
        self._engine = engine
        engine.register_events(*ProbeEvents, event_to_attr={ProbeEvents.SCORED: "cortiscore_step"})

        def step() -> int:
            return int(engine.state.iteration) // gradient_accumulation_steps

        def after_iteration() -> None:
            state = engine.state
            done = state.iteration / state.epoch_length if state.epoch_length else None
            self._step(model, step(), done)

        engine.add_event_handler(Events.STARTED, lambda: self._begin(model, step()))
        engine.add_event_handler(event, after_iteration)
        engine.add_event_handler(Events.EPOCH_COMPLETED, lambda: self._epoch(model, step(), engine.state.epoch))
        engine.add_event_handler(Events.COMPLETED, lambda: self._end())
        self._close_after(engine, "run")  # a handler of EXCEPTION_RAISED would be taken to have dealt with the exception
        return self

    def _log(self, evaluation: Evaluation) -> None:
        self._engine.state.metrics.update(evaluation.metrics)
        self._engine.state.cortiscore_step = evaluation.step
        self._engine.fire_event(ProbeEvents.SCORED)
