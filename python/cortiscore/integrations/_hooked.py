"""What the frameworks' callbacks have in common."""
import functools
import operator

from ..exporter import refused


class Hooked:
    """Tells a Probe how far training is, and hands every new Evaluation to `_log`, which is the framework's.

    probe    a cortiscore.Probe
    network  from what the framework trains to the network that takes images: a function, or an attribute's name ("model.backbone");
             what is trained itself, where it is left out
    """

    def __init__(self, probe, network=None):
        super().__init__()
        self.probe, self._network = probe, network
        self._told, self._told_epoch, self._logged = None, None, len(probe.history)

    def _scored(self, trained):
        """The network that takes images."""
        if self._network is None:
            return trained
        if not isinstance(self._network, str):
            return self._network(trained)
        try:
            return operator.attrgetter(self._network)(trained)
        except AttributeError as error:
            raise refused("network", repr(self._network), f"the name of a module in {type(trained).__name__}",
                          f"It has {', '.join(name for name, _ in trained.named_children()) or 'none'}") from error

    def _begin(self, trained, step):
        """Before the first step; names that are none stop training here. An untrained network is a score at step 0, where one is due."""
        network = self._scored(trained)
        self.probe.prepare(network)
        self._told, self._told_epoch = step, None
        if step == 0:
            self.probe.step(0, network, epoch=0)
            self.probe.epoch_end(0, network, step=0)
        self._log_new()

    def _step(self, trained, step, epoch=None):
        """After a batch: a step of the optimizer only where the count of them moved on."""
        if step != self._told:
            self._told = step
            self.probe.step(step, self._scored(trained), epoch)
            self._log_new()

    def _epoch(self, trained, step, epoch):
        """After an epoch, told of once."""
        if epoch != self._told_epoch:
            self._told_epoch = epoch
            self.probe.epoch_end(epoch, self._scored(trained), step)
            self._log_new()

    def _end(self, wait=True):
        self.probe.close(wait)
        self._log_new()

    def _log_new(self):
        while self._logged < len(self.probe.history):
            evaluation = self.probe.history[self._logged]
            self._logged += 1  # first, since what is logged may be what stops training
            if evaluation.metrics:  # none, where every benchmark failed
                self._log(evaluation)

    def _close_after(self, owner, method):
        """An evaluation under way is dropped when owner.method is left by an exception, of which the framework tells nobody. Where it
        ended well, _end has waited for it."""
        inner = getattr(owner, method)

        @functools.wraps(inner)
        def closing(*args, **kwargs):
            try:
                return inner(*args, **kwargs)
            finally:
                self.probe.close(wait=False)

        setattr(owner, method, closing)
