"""A torch module as it stands in memory, as a network that the engine scores: forward hooks hand layers over as they arise, on their
device, without a file, an export or a copy to the host.

What runs is a copy of the modules that shares the weights (or has its own, where training goes on meanwhile), in eval mode, one for
each thread. So the module of the user is left alone: modes, buffers, hooks and gradients are not touched, also where a pass fails,
and modules that keep something of a pass in themselves may run in several threads at once.
"""
import collections
import contextlib
import copy
import dataclasses
import itertools
import json
import math
import queue
import random
import sys
import threading

import torch
from torch.overrides import TorchFunctionMode
from torch.utils import dlpack

from .exporter import Tapped, _first_line, _layers, check_model, description, entries, evaluated, layer_names, own_dtype, refused, tapped_on


class _Enough(BaseException):
    """All layers of a pass are there; not an Exception, which a forward may catch."""


# ---- A copy of the modules ----------------------------------------------------------------------------------------------


def _whole(tensor):
    """All of a tensor of which every rank has a part; every rank has to ask."""
    return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor


def _unsharded(module):
    """The class of a module that torch.distributed.fsdp.fully_shard made into one of its own."""
    bases = type(module).__mro__
    fsdp = sys.modules.get("torch.distributed.fsdp")
    return bases[2] if fsdp and isinstance(module, getattr(fsdp, "FSDPModule", ())) else None


def _own_hooks(name, hooks):
    """Of a module's hooks of one kind those around forward that are not FSDP's, which hold process groups."""
    if name not in ("_forward_hooks", "_forward_pre_hooks"):
        return type(hooks)()
    made_by = lambda hook: getattr(getattr(hook, "func", hook), "__module__", None) or ""
    return type(hooks)((key, hook) for key, hook in hooks.items() if not made_by(hook).startswith("torch.distributed"))


def _fsdp_around(model):
    """The class FullyShardedDataParallel, where a part of the model is wrapped by it."""
    fsdp = sys.modules.get("torch.distributed.fsdp")
    wraps = fsdp and any(isinstance(module, fsdp.FullyShardedDataParallel) for module in model.modules())
    return fsdp.FullyShardedDataParallel if wraps else None


def gathered(model):
    """While it lives, the weights that FullyShardedDataParallel spreads over ranks are whole on each; every rank has to enter."""
    wrapper = _fsdp_around(model)
    return wrapper.summon_full_params(model, writeback=False) if wrapper else contextlib.nullcontext()


def sharded(model):
    """Whether ranks have parts of its weights, so that all of them have to take part in a copy."""
    return bool(_fsdp_around(model)) or any(hasattr(parameter, "full_tensor") for parameter in model.parameters())


def copied(model, own_weights=False):
    """Its modules, copied, in eval mode, with the same weights; own_weights: with copies of them. Buffers are copies in any case,
    since a pass may change them. What torch.compile or FSDP wraps is the module inside, run as it is written."""
    memo = {}
    # What a module's own eval() does (a merge of LoRA's weights, for example) it does to weights of its own.
    of_their_own = any(type(module).train is not torch.nn.Module.train or type(module).eval is not torch.nn.Module.eval
                       for module in model.modules())
    own_weights = own_weights or of_their_own
    with torch.no_grad():
        for module in model.modules():
            for parameter in module._parameters.values():
                if parameter is not None and id(parameter) not in memo:
                    value = _whole(parameter.detach())
                    # As in an archive, whether it was frozen or not: matmul takes another path for weights that ask for gradients.
                    memo[id(parameter)] = torch.nn.Parameter(value.clone() if own_weights else value, value.is_floating_point())
            for buffer in module._buffers.values():
                if buffer is not None:
                    memo[id(buffer)] = _whole(buffer.detach()).clone()
            for value in vars(module).values():
                for tensor in _tensors(value):
                    if not tensor.is_leaf:  # what weight_norm's hook leaves, for example
                        memo[id(tensor)] = tensor.detach().clone()
                if type(value) in (dict, set, collections.OrderedDict) and not value:  # ten a module: half of what a copy takes
                    memo[id(value)] = type(value)()
    for module in reversed(list(model.modules())):
        for inner in ("_orig_mod", "_fsdp_wrapped_module"):
            if isinstance(module._modules.get(inner), torch.nn.Module):
                memo[id(module)] = copy.deepcopy(module._modules[inner], memo)
        if plain := _unsharded(module):
            memo[id(module)] = twin = plain.__new__(plain)
            twin.__dict__ = copy.deepcopy({name: _own_hooks(name, value) if name.endswith("_hooks") else value
                                           for name, value in vars(module).items() if not name.startswith("__composable_api")}, memo)
    twin = copy.deepcopy(model, memo)
    if set(model.modules()) & set(twin.modules()):
        raise TypeError("a part of it is its own copy")
    for module in twin.modules():
        module._compiled_call_impl = None  # of module.compile()
        if "_original_forward" in vars(module):  # accelerate's mixed precision, which is put around forward
            vars(module).pop("forward", None)
    if of_their_own:
        twin.eval()
    for module in twin.modules():
        module.training = False
    return twin


def _leaves(output):
    """Which tensors a gradient of some output would come to, by their ids."""
    found, seen = set(), set()
    left = [tensor.grad_fn for tensor in _tensors(output)]
    while left:
        step = left.pop()
        if step is None or step in seen:
            continue
        seen.add(step)
        if hasattr(step, "variable"):
            found.add(id(step.variable))
        left += [before for before, _ in step.next_functions]
    return found


class _Elsewhere(BaseException):
    """A copy that runs modules of what it was copied from; not an Exception, which a forward may catch."""


def stands_alone(model, input_size):
    """Whether a copy of the module runs by itself. One does not where a module is reached by more than attributes: through a function
    that was made with it, a weak reference, a list that all share. It would run the original, as it is being trained."""
    twin = copied(model)
    own = set(model.modules())
    for module in twin.modules():
        forward = vars(module).get("forward")
        if forward is not None and getattr(forward, "__self__", None) is not module:
            return False

    def elsewhere(*_):
        raise _Elsewhere

    hooks = [module.register_forward_pre_hook(elsewhere, prepend=True) for module in own]
    buffers = [(buffer, buffer.clone()) for buffer in model.buffers()]
    try:
        with torch.enable_grad(), same_draws():
            output = twin.requires_grad_(False)(_noise(twin, input_size).to(own_dtype(twin)))
        # By a call of a forward itself, which no hook sees; batch norm counts no version up.
        if changed := [(buffer, before) for buffer, before in buffers if not torch.equal(buffer, before)]:
            with torch.no_grad():
                for buffer, before in changed:
                    buffer.copy_(before)
            return False
        # By a weight itself, or a forward that was taken before: what is trained asks for a gradient.
        if _leaves(output) & {id(parameter) for parameter in model.parameters()}:
            return False
    except _Elsewhere:
        return False
    except Exception:  # of its own, which the table's passes say
        pass
    finally:
        for hook in hooks:
            hook.remove()
    return True


# ---- What its modules give ----------------------------------------------------------------------------------------------


def _tensors(value):
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (tuple, list, dict)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _tensors(inner)


def _noise(network, size):
    """Two images on its device that are the same every time and draw nothing: parts of multiples of the golden ratio."""
    places = torch.arange(2 * 3 * size * size, device=device_of(network), dtype=torch.float64)
    return ((places * 0.6180339887498949).frac() * 2 - 1).float().view(2, 3, size, size)


class _Values(TorchFunctionMode):
    """Numbers what each function of torch gives, as torch.export's graph has a node for it: modules that give the same one (a block and
    its last activation) are one value, and a module that writes into another's output has another."""

    def __init__(self):
        super().__init__()
        self.count, self.numbers, self.alive = itertools.count(), {}, []

    def __torch_function__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for tensor in _tensors(result):
            self.numbers[id(tensor)] = next(self.count)
            self.alive.append(tensor)  # or another tensor would come to its place
        return result

    def number(self, tensor):
        if id(tensor) not in self.numbers:
            self.numbers[id(tensor)] = next(self.count)
            self.alive.append(tensor)
        return self.numbers[id(tensor)]


def _kind(tensor):
    if tensor.is_floating_point():
        return "float"
    return "complex" if tensor.is_complex() else "bool" if tensor.dtype == torch.bool else "int"


def _draws():
    """The states of the generators that a forward pass could draw from."""
    numpy = sys.modules.get("numpy")
    states = [torch.get_rng_state().numpy().tobytes(), random.getstate()]
    if torch.cuda.is_initialized():
        states += [state.cpu().numpy().tobytes() for state in torch.cuda.get_rng_state_all()]
    if numpy:
        states.append([part.tobytes() if hasattr(part, "tobytes") else part for part in numpy.random.get_state()])
    return states


@contextlib.contextmanager
def same_draws():
    """The generators of the process as they were, afterwards: a pass of the engine draws nothing, and a module that does must not
    change what training draws next."""
    numpy = sys.modules.get("numpy")
    before = torch.get_rng_state(), random.getstate(), numpy and numpy.random.get_state()
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None
    try:
        yield
    finally:
        torch.set_rng_state(before[0])
        random.setstate(before[1])
        if numpy:
            numpy.random.set_state(before[2])
        if cuda is not None:
            torch.cuda.set_rng_state_all(cuda)


# What gives something else in training mode.
_CHANGES_IN_TRAINING = (torch.nn.modules.batchnorm._NormBase, torch.nn.modules.dropout._DropoutNd)


@contextlib.contextmanager
def _all_in_eval_mode():
    """While it lives, a pass of this thread that comes to a part in training mode is refused."""
    me = threading.get_ident()

    def watch(module, _):
        if module.training and threading.get_ident() == me and isinstance(module, _CHANGES_IN_TRAINING):
            raise refused("model", f"a {type(module).__name__} in training mode, which eval() does not reach", "all parts in eval mode",
                          "Hold it in an attribute or an nn.ModuleList, not in a plain list")

    hook = torch.nn.modules.module.register_module_forward_pre_hook(watch)
    try:
        yield
    finally:
        hook.remove()


@dataclasses.dataclass(frozen=True)
class _Given:
    """A tensor that a call of a module gave: its key, and the number of its value."""

    module: str
    call: int
    key: str
    number: int
    kind: str
    shape: tuple


class _Numbered(Tapped):
    """Taps that number the values behind the tensors that calls give."""

    def calls(self, images):
        self.given, self._counts = [], collections.Counter()
        with _Values() as self._values:
            return super().calls(images)

    def _put(self, name, found):
        super()._put(name, found)
        for key, tensor in found:
            self.given.append(_Given(name, self._counts[name], key, self._values.number(tensor), _kind(tensor), tuple(tensor.shape)))
        self._counts[name] += 1


class Table:
    """The layers of a module, found by passes over two images: what export() writes beside a graph.

    alone    whether a copy of the module stands alone
    own      the name of what the network itself gives
    places   {layer: (module, its call, key of what it gave)}
    dtype    of the images that it takes
    """

    def __init__(self, network, *, alone, input_size, mean=None, std=None, degrees=8.0, time_bins_ms=None):
        self.alone = alone
        self._said = {"input_size": input_size, "mean": mean, "std": std, "degrees": degrees, "path": None}
        with _all_in_eval_mode():
            noise = _noise(network, input_size)
            tapped, self._calls = tapped_on(network, noise, taps=_Numbered)
            with tapped:
                calls = tapped.calls(torch.zeros_like(noise))
        if calls != self._calls:
            raise refused("model", "calls that depend on what it is shown", "the same calls of the same modules for every image",
                          "Layers have no meaning otherwise: take the choice out of its forward")
        self.dtype, self.own = tapped.dtype, tapped.own
        self._layers = _layers(calls, tapped.given, tapped.types, tapped.own, time_bins_ms)
        self.places = {}
        for layer in self._layers:
            given = layer["value"]
            self.places[layer["name"]] = given.module, given.call, given.key
            layer.update(value=str(given.number), dtype=given.kind, shape=given.shape)
        self._parameters = sum(parameter.numel() for parameter in network.parameters())

    def holds(self, network):
        """Whether the network makes the calls that it made when the table was: one pass over two images of noise."""
        try:
            with Tapped(network, None, self.dtype) as tapped:
                return tapped.calls(_noise(network, self._said["input_size"])) == self._calls
        except Exception:  # a table that is made anew says which
            return False

    def json(self, identifier):
        """What the engine is told of it."""
        return json.dumps({**description(**self._said, identifier=identifier), "layers": self._layers, "parameters": self._parameters})


# ---- Forward passes -----------------------------------------------------------------------------------------------------


class _Lane:
    """One copy of the modules, which one thread at a time runs."""

    def __init__(self, network, whole=False):
        self.network, self.whole = network, whole
        self._layers, self._wanted, self._hooks = None, {}, []
        self._counts, self._left, self._give = collections.Counter(), 0, None

    def close(self):
        for hook in self._hooks:
            hook.remove()
        self._layers, self._hooks = None, []

    def _want(self, layers, table):
        if self._layers == (layers, table):
            return
        self.close()
        self._layers, self._wanted = (layers, table), collections.defaultdict(list)
        for place, layer in enumerate(layers):
            module, call, key = table.places[layer]
            self._wanted[module].append((place, call, key))
        names = layer_names(self.network)
        self._hooks = [names[module].register_forward_hook(lambda _m, _i, output, name=module: self._keep(name, output))
                       for module in self._wanted if module != table.own]

    def _keep(self, name, output):
        call = self._counts[name]
        self._counts[name] += 1
        found = None
        for place, wanted, key in self._wanted[name]:
            if wanted == call:
                found = found or dict(entries(output))
                if key in found:
                    self._give(place, dlpack.to_dlpack(found[key].detach()))
                    self._left -= 1
        if self._left == 0 and not self.whole:  # a user's own module may hold a lock on its way
            raise _Enough

    def run(self, images, layers, table, give):
        self._want(layers, table)
        self._counts.clear()
        self._left, self._give = len(layers), give
        try:
            output = self.network(images.to(table.dtype))
            if table.own in self._wanted:
                self._keep(table.own, output)
        except _Enough:
            pass
        finally:
            self._give = None


class Snapshot:
    """A module at one time: what the engine calls for forward passes.

    model        the network inside of what distributes or compiles it
    alone        whether a copy stands alone; where it does not, the module itself is run, by one thread, and put back
    table        its layers, for passes; it may be set later
    own_weights  for passes that run while training goes on
    agree        called with a copy that has its own weights, before it runs
    """

    def __init__(self, model, alone, table=None, own_weights=False, agree=None):
        self.table, self._base, self._free, self._closing = table, model, queue.SimpleQueue(), contextlib.ExitStack()
        try:
            if not alone:
                raise TypeError("it runs modules of what it was copied from")
            first = copied(model, own_weights)
            if own_weights:  # what further lanes are copied from has no hooks of a lane's
                if agree:
                    agree(first)
                self._base, first = first, copied(first)
        except Exception as error:  # a module that holds a lock, a file, a process group
            if own_weights:
                raise refused("model", f"a module that cannot be copied ({_first_line(error)})", "one that copy.deepcopy takes",
                              "Score it while training waits: asynchronous=False") from error
            first, self._base = model, None
            self._closing.enter_context(evaluated(model))
        self.network = first
        lane = _Lane(first, self._base is None)
        self._closing.callback(lane.close)
        self._free.put(lane)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._closing.close()

    def forward(self, images, layers, give):
        """Of a capsule of images; `give` takes a capsule a layer."""
        try:
            lane = self._free.get_nowait()
        except queue.Empty:
            lane = self._free.get() if self._base is None else _Lane(copied(self._base))
        try:
            lane.run(dlpack.from_dlpack(images), tuple(layers), self.table, give)
        finally:
            self._free.put(lane)

    def state(self):
        """(name, capsule) of weights and buffers, on the host: what a pass depends on."""
        tensors = itertools.chain(self.network.named_parameters(), self.network.named_buffers())
        return [(name, dlpack.to_dlpack(tensor.detach().cpu().contiguous())) for name, tensor in tensors]


def device_of(model):
    """Where its weights are."""
    devices = {tensor.device for tensor in itertools.chain(model.parameters(), model.buffers())}
    if len(devices) > 1:
        raise refused("model", f"weights on {' and '.join(sorted(map(str, devices)))}", "one device", "Move it to one")
    return devices.pop() if devices else torch.device("cpu")


def check_input(*, input_size, mean=None, std=None, degrees=8.0, time_bins_ms=None):
    """Raises BadNetwork where what is said of a network's input cannot be right."""
    if input_size is None:
        raise refused("input_size", "nothing", "the width of its input in pixels", "Add input_size=224, or what it takes")
    if not isinstance(input_size, int) or input_size < 1:
        raise refused("input_size", repr(input_size), "a whole number of pixels: images are square")
    for name, values in (("mean", mean), ("std", std), ("degrees", [degrees])):
        if values is not None and not all(map(math.isfinite, values)):
            raise refused(name, repr(values), "finite numbers")


def table_of(model, **given):
    """(the network inside of wrappers, its table of layers). Raises BadNetwork where it does not run, or draws random numbers.

    given  input_size, mean, std, degrees, time_bins_ms, as export() has them
    """
    check_input(**given)
    model = check_model(model, given.get("mean"), given.get("std"), training=True)
    try:
        alone = stands_alone(model, given["input_size"])
    except Exception:  # it cannot be copied
        alone = False
    with Snapshot(model, alone) as snapshot, same_draws():
        before = _draws()
        table = Table(snapshot.network, alone=alone, **given)
        if _draws() != before:
            raise refused("model", "a forward pass that draws random numbers even in eval mode", "the same output every time",
                          "Take the drawing out of its forward; dropout is written as a module or with training=self.training")
    return model, table
