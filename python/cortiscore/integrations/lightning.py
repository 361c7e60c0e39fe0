"""Score while Lightning trains:

    probe = cortiscore.Probe(["Cowley2023.V4-pls"], layers="layer3", every=500, input_size=224)
    trainer = Trainer(callbacks=[LightningProbe(probe, network="backbone")])
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

try:
    from lightning.pytorch import Callback
except ModuleNotFoundError:  # its older name
    from pytorch_lightning import Callback

from ._hooked import Hooked

if TYPE_CHECKING:
    from lightning.pytorch import LightningModule, Trainer

    from ..training import Evaluation


class LightningProbe(Hooked, Callback):
    """A Lightning Callback.

    probe    a cortiscore.Probe. Its steps are trainer.global_step, those of the optimizer (of all optimizers together, where a module has
             several); epochs are how many have been trained, so the first ends as 1
    network  from the LightningModule to the network that takes images: a function, or an attribute's name ("backbone"); the
             LightningModule itself, whose forward takes images, where it is left out

    Every logger of the trainer gets `cortiscore/BENCHMARK/{ceiled, raw, ci_lo, ci_hi, seconds}` at the step of the weights that were
    scored, and trainer.callback_metrics has the newest, for EarlyStopping, ModelCheckpoint and schedulers that monitor one. With
    every="epoch" they are there before the validation after that epoch.

    Raises BadNetwork and cortiscore.Error as training starts, where the network, a layer or a benchmark is none. Does not score modules
    inside of FSDPStrategy, whose weights only its own wrapper gathers.
    """

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._trainer: Any = trainer
        self._begin(pl_module, trainer.global_step)

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int) -> None:
        self._step(pl_module, trainer.global_step, trainer.current_epoch + (batch_idx + 1) / trainer.num_training_batches)
        if trainer.is_last_batch:  # not only on_train_epoch_end, which comes after the validation that may monitor a score
            self._epoch(pl_module, trainer.global_step, trainer.current_epoch + 1)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._epoch(pl_module, trainer.global_step, trainer.current_epoch + 1)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._end()
        self._trainer = None

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        self._end(wait=False)
        self._trainer = None

    def _log(self, evaluation: Evaluation) -> None:
        self._trainer.callback_metrics.update({name: torch.tensor(value) for name, value in evaluation.metrics.items()})
        for logger in self._trainer.loggers:
            logger.log_metrics(evaluation.metrics, step=evaluation.step)
