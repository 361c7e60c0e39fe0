"""What the frameworks' callbacks have in common."""
from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from ..exporter import refused

if TYPE_CHECKING:
    import torch

    from ..training import Evaluation, Probe

    # From what the framework trains to the network that takes images.
    Within: TypeAlias = str | Callable[[Any], torch.nn.Module] | None


class Hooked:
    """Tells a Probe how far training is, and hands every new Evaluation to `_log`, which is the framework's.

    probe    a cortiscore.Probe
    network  from what the framework trains to the network that takes images: a function, or an attribute's name ("model.backbone");
             what is trained itself, where it is left out
    """

    probe: Probe

    def __init__(self, probe: Probe, network: Within = None) -> None:
        super().__init__()
        self.probe, self._network, self._logged = probe, network, len(probe.history)
        self._told: int | None = None
        self._told_epoch: float | None = None

    def _log(self, evaluation: Evaluation) -> None:
        raise NotImplementedError

    def _scored(self, trained: torch.nn.Module) -> torch.nn.Module:
        """The network that takes images."""
        if self._network is None:
            return trained
        if not isinstance(self._network, str):
            return self._network(trained)
        try:
            found: torch.nn.Module = operator.attrgetter(self._network)(trained)
            return found
        except AttributeError as error:
            raise refused("network", repr(self._network), f"the name of a module in {type(trained).__name__}",
                          f"It has {', '.join(name for name, _ in trained.named_children()) or 'none'}") from error

    def _begin(self, trained: torch.nn.Module, step: int) -> None:
        """Before the first step; names that are none stop training here. An untrained network is a score at step 0, where one is due; and
        one that training goes on from, at its step: what monitors scores wants one, and the store may have it."""
        network = self._scored(trained)
        self.probe.prepare(network)
        self._told, self._told_epoch = step, None
        if step == 0:
            self.probe.step(0, network, epoch=0)
            self.probe.epoch_end(0, network, step=0)
        elif not self.probe.history:  # and not a second run of one trainer
            self.probe.step(step, network)
        self._log_new()

    def _step(self, trained: torch.nn.Module, step: int, epoch: float | None = None) -> None:
        """After a batch: a step of the optimizer only where the count of them moved on."""
        if step != self._told:
            self._told = step
            self.probe.step(step, self._scored(trained), epoch)
            self._log_new()

    def _epoch(self, trained: torch.nn.Module, step: int, epoch: float) -> None:
        """After an epoch, told of once."""
        if epoch != self._told_epoch:
            self._told_epoch = epoch
            self.probe.epoch_end(epoch, self._scored(trained), step)
            self._log_new()

    def _end(self, wait: bool = True) -> None:
        self.probe.close(wait)
        self._log_new()

    def _log_new(self) -> None:
        while self._logged < len(self.probe.history):
            evaluation = self.probe.history[self._logged]
            self._logged += 1  # first, since what is logged may be what stops training
            if evaluation.metrics:  # none, where every benchmark failed
                self._log(evaluation)

    def _close_after(self, owner: object, method: str) -> None:
        """An evaluation under way is dropped when owner.method is left by an exception, of which the framework tells nobody. Where it
        ended well, _end has waited for it."""
        inner = getattr(owner, method)

        @functools.wraps(inner)
        def closing(*args: Any, **kwargs: Any) -> Any:
            try:
                return inner(*args, **kwargs)
            finally:
                self.probe.close(wait=False)

        setattr(owner, method, closing)
