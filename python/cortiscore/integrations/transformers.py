"""Score while the Hugging Face Trainer trains:

    probe = cortiscore.Probe(["Cowley2023.V4-pls"], layers="layer3", every=500, input_size=224)
    HuggingFaceProbe(probe, network="backbone").attach(trainer)
    trainer.train()
"""
from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback

from ..exporter import refused
from ._hooked import Hooked

if TYPE_CHECKING:
    from typing import Self

    from transformers import Trainer, TrainerControl, TrainerState, TrainingArguments

    from ..training import Evaluation, Probe
    from ._hooked import Within


class HuggingFaceProbe(Hooked, TrainerCallback):
    """A TrainerCallback, added by attach(trainer).

    probe    a cortiscore.Probe. Its steps are state.global_step, those of the optimizer, and epochs state.epoch
    network  from the Trainer's model to the network that takes images: a function, or an attribute's name ("vit"); the model itself,
             called with images alone, where it is left out

    trainer.log gets `cortiscore/BENCHMARK/{ceiled, raw, ci_lo, ci_hi, seconds}` at the step of the weights that were scored: they are in
    state.log_history, and in whatever the Trainer reports to under the names that it gives there (TensorBoard: train/cortiscore/...).
    Its evaluations have the newest as `eval_cortiscore/...`. Where metric_for_best_model is one of them, the weights of that step are
    scored (an asynchronous probe is waited for), so that the checkpoint is the one that the score is of; NaN, which is never the best,
    stands for a benchmark that failed.

    Raises BadNetwork and cortiscore.Error as training starts, where the network, a layer or a benchmark is none.
    """

    def __init__(self, probe: Probe, network: Within = None) -> None:
        super().__init__(probe, network)
        self._trainer: Any = None
        self._evaluated: int | None = None

    def attach(self, trainer: Trainer) -> Self:
        """Adds this to the trainer, before its other callbacks: they are told of scores, and close their files at the end."""
        callbacks = trainer.callback_handler.callbacks
        if self in callbacks:
            callbacks.remove(self)
        callbacks.insert(0, self)
        self._trainer = trainer
        self._close_after(trainer, "train")
        return self

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, model: Any = None, **kwargs: Any) -> None:
        if self._trainer is None:
            raise refused("HuggingFaceProbe", "no trainer", "the Trainer whose logs it writes to",
                          "Call HuggingFaceProbe(probe).attach(trainer) in place of callbacks=[...]")
        self._evaluated = None
        self._begin(model, state.global_step)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, model: Any = None, **kwargs: Any) -> None:
        self._step(model, state.global_step, state.epoch)

    def on_epoch_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, model: Any = None, **kwargs: Any) -> None:
        self._epoch(model, state.global_step, state.epoch)

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, metrics: Any = None, model: Any = None,
                    **kwargs: Any) -> None:
        if not self._trainer.is_in_train:
            return
        best, step = (args.metric_for_best_model or "").removeprefix("eval_"), state.global_step
        chosen = best.startswith("cortiscore/")
        if chosen and self._evaluated != step:
            self._evaluated = step
            self.probe.wait()
            if not self._newest(step):
                self.probe.evaluate(self._scored(model), step, state.epoch)
            self._log_new()
        newest = self._newest(step if chosen else None)
        # The Trainer's own dict, in which it looks for the best model after its callbacks.
        metrics.update({f"eval_{name}": value for name, value in (newest.metrics if newest else {}).items()})
        if chosen and newest and f"eval_{best}" not in metrics and not any(r["status"] != "ok" for r in newest.records):
            raise refused("metric_for_best_model", best, f"one of {', '.join(newest.metrics)}")
        if chosen:
            metrics.setdefault(f"eval_{best}", math.nan)

    def _newest(self, step: int | None = None) -> Evaluation | None:
        """The newest Evaluation, where it is of this step."""
        newest = self.probe.history[-1] if self.probe.history else None
        return newest if newest and step in (None, newest.step) else None

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        self._end()

    def _log(self, evaluation: Evaluation) -> None:
        state, control = self._trainer.state, self._trainer.control
        kept = state.global_step, state.epoch, control.should_log  # which a log of the training loss at this step waits for
        state.global_step, state.epoch = evaluation.step, evaluation.epoch
        try:
            self._trainer.log(dict(evaluation.metrics))
        finally:
            state.global_step, state.epoch, control.should_log = kept
