"""A torch module as it stands in memory, as a network that the engine scores: forward hooks hand layers over as they arise, on their
device, without a file, an export or a copy to the host.

What runs is a copy of the modules that shares the weights (or has its own, where training goes on meanwhile), in eval mode, one for
each thread. So the module of the user is left alone: modes, buffers, hooks and gradients are not touched, also where a pass fails,
and modules that keep something of a pass in themselves may run in several threads at once.
"""
import collections
import contextlib
import copy
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

from .exporter import BadNetwork, Call, _check_forward, _culprit, _first_line, _layers, check_model, description, entries, evaluated, layer_names, refused


class DoesNotRun(BadNetwork):
    """A forward pass raised."""


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


@contextlib.contextmanager
def gathered(model):
    """While it lives, the weights that FullyShardedDataParallel spreads over ranks are whole on each; every rank has to enter."""
    fsdp = sys.modules.get("torch.distributed.fsdp")
    if fsdp and any(isinstance(module, fsdp.FullyShardedDataParallel) for module in model.modules()):
        with fsdp.FullyShardedDataParallel.summon_full_params(model, writeback=False):
            yield
    else:
        yield


def sharded(model):
    """Whether ranks have parts of its weights, so that all of them have to take part in a copy."""
    fsdp = sys.modules.get("torch.distributed.fsdp")
    wrapped = fsdp and any(isinstance(module, fsdp.FullyShardedDataParallel) for module in model.modules())
    return bool(wrapped) or any(hasattr(parameter, "full_tensor") for parameter in model.parameters())


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
    tensors = list(itertools.chain(twin.parameters(), twin.buffers()))
    device = tensors[0].device if tensors else torch.device("cpu")
    try:
        with torch.no_grad(), same_draws():
            twin(_noise(2, input_size, device).to(_own_dtype(twin)))
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


def _noise(n, size, device):
    """Images that are the same every time and draw nothing: parts of multiples of the golden ratio."""
    return ((torch.arange(n * 3 * size * size, device=device, dtype=torch.float64) * 0.6180339887498949).frac() * 2 - 1).float().view(n, 3, size, size)


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


def _own_dtype(network):
    tensors = itertools.chain(network.parameters(), network.buffers())
    return next((tensor.dtype for tensor in tensors if tensor.is_floating_point()), torch.float32)


class Table:
    """The layers of a module, found by one pass: what export() writes beside a graph.

    places   {layer: (module, its call, key of what it gave)}
    dtype    of the images that it takes
    """

    def __init__(self, network, *, input_size, mean, std, degrees, identifier, time_bins_ms):
        names = layer_names(network)
        self.own = "output"
        while self.own in names:
            self.own += "_"
        self.types = {name: type(module).__name__ for name, module in names.items()} | {self.own: type(network).__name__}
        device = next(itertools.chain(network.parameters(), network.buffers()), torch.empty(0)).device
        calls, values, shapes = [], [], {}
        with torch.no_grad(), _Values() as numbered:
            counts = collections.Counter()

            def put(name, found):
                if not found:
                    return
                calls.append(Call(name, [key for key, _ in found], [tensor.shape for _, tensor in found]))
                for key, tensor in found:
                    values.append((name, counts[name], key, str(numbered.number(tensor))))
                    shapes[values[-1]] = _kind(tensor), list(tensor.shape)
                counts[name] += 1

            me = threading.get_ident()

            def watch(module, _):
                if module.training and threading.get_ident() == me and isinstance(module, _CHANGES_IN_TRAINING):
                    raise refused("model", f"a {type(module).__name__} in training mode, which eval() does not reach", "all parts in eval mode",
                                  "Hold it in an attribute or an nn.ModuleList, not in a plain list")

            hooks = [torch.nn.modules.module.register_module_forward_pre_hook(watch)]
            hooks += [module.register_forward_hook(lambda _m, _i, output, name=name: put(name, entries(output)))
                     for name, module in names.items()]
            try:
                seen = []
                for images in (_noise(2, input_size, device), torch.zeros(2, 3, input_size, input_size, device=device)):
                    self.dtype = self._runs(network, images, put, calls, values, counts)
                    seen.append([(call.name, call.keys, call.shapes) for call in calls])
                self._seen = seen[0]
                if seen[0] != seen[1]:
                    raise refused("model", "calls that depend on what it is shown", "the same calls of the same modules for every image",
                                  "Layers have no meaning otherwise: take the choice out of its forward")
            finally:
                for hook in hooks:
                    hook.remove()
        layers = _layers(calls, values, self.types, self.own, time_bins_ms)
        self.places = {layer["name"]: layer["value"][:3] for layer in layers}
        for layer in layers:
            layer["dtype"], layer["shape"] = shapes[layer["value"]]
            layer["value"] = layer["value"][3]
        self._said = {"input_size": input_size, "mean": mean, "std": std, "degrees": degrees, "identifier": identifier, "path": None}
        self._layers = layers
        self._parameters = sum(parameter.numel() for parameter in network.parameters())

    def _runs(self, network, images, put, calls, values, counts):
        """Runs the network, in float32 or in the dtype of its weights; returns which."""
        _check_forward(network)
        first = None
        for dtype in dict.fromkeys([torch.float32, _own_dtype(network)]):
            for made in (calls, values, counts):
                made.clear()
            try:
                result = network(images.to(dtype))
            except BadNetwork:
                raise
            except Exception as error:  # whatever a user's module raises
                first = first or error
                continue
            found = entries(result)
            if not isinstance(result, torch.Tensor) and len(found) > 1:
                put(self.own, found)
            return dtype
        raise DoesNotRun(refused(f"input of {images.shape[-1]} x {images.shape[-1]} pixels", f"\"{_first_line(first)}\"{_culprit(first, network)}",
                                 "a forward pass on images [batch, 3, N, N] in 0..1 or normalised",
                                 "Give the size that it was made for (input_size=), or wrap it in a module that takes such images")) from first

    def holds(self, network):
        """Whether the network makes the calls that it made when the table was: one pass over two images of noise."""
        found = []

        def put(name, output):
            if tensors := entries(output):
                found.append((name, [key for key, _ in tensors], [tensor.shape for _, tensor in tensors]))

        hooks = [module.register_forward_hook(lambda _m, _i, output, name=name: put(name, output)) for name, module in layer_names(network).items()]
        device = next(itertools.chain(network.parameters(), network.buffers()), torch.empty(0)).device
        try:
            with torch.no_grad():
                result = network(_noise(2, self._said["input_size"], device).to(self.dtype))
            if not isinstance(result, torch.Tensor) and len(entries(result)) > 1:
                put(self.own, result)
        except Exception:  # a table that is made anew says which
            return False
        finally:
            for hook in hooks:
                hook.remove()
        return found == self._seen

    def json(self, identifier):
        said = {**self._said, "identifier": identifier}
        return json.dumps({**description(**said), "layers": self._layers, "parameters": self._parameters})


# ---- Forward passes -----------------------------------------------------------------------------------------------------


class _Lane:
    """One copy of the modules, which one thread at a time runs."""

    def __init__(self, network, table, whole=False):
        self.network, self.table, self.whole = network, table, whole
        self._layers, self._wanted, self._hooks = None, {}, []
        self._counts, self._left, self._give = collections.Counter(), 0, None

    def close(self):
        for hook in self._hooks:
            hook.remove()
        self._layers, self._hooks = None, []

    def _want(self, layers):
        if self._layers == layers:
            return
        self.close()
        self._layers, self._wanted = layers, collections.defaultdict(list)
        for place, layer in enumerate(layers):
            module, call, key = self.table.places[layer]
            self._wanted[module].append((place, call, key))
        names = layer_names(self.network)
        self._hooks = [names[module].register_forward_hook(lambda _m, _i, output, name=module: self._keep(name, output))
                       for module in self._wanted if module != self.table.own]

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

    def run(self, images, layers, give):
        self._want(layers)
        self._counts.clear()
        self._left, self._give = len(layers), give
        try:
            output = self.network(images.to(self.table.dtype))
            if self.table.own in self._wanted:
                self._keep(self.table.own, output)
        except _Enough:
            pass
        finally:
            self._give = None


class Snapshot:
    """A module at one time: what the engine calls for forward passes.

    model        the network inside of what distributes or compiles it
    own_weights  for passes that run while training goes on
    alone        whether a copy stands alone; where it does not, the module itself is run, by one thread, and put back
    agree        called with a copy that has its own weights, before it runs
    """

    def __init__(self, model, table, own_weights=False, agree=None, alone=True):
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
        lane = _Lane(first, table, self._base is None)
        self._closing.callback(lane.close)
        self._free.put(lane)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._closing.close()

    def renew(self):
        """Lanes know the table that was given."""
        lane = self._free.get_nowait()
        lane.table = self.table
        self._free.put(lane)

    def forward(self, images, layers, give):
        """Of a capsule of images; `give` takes a capsule a layer."""
        try:
            lane = self._free.get_nowait()
        except queue.Empty:
            lane = self._free.get() if self._base is None else _Lane(copied(self._base), self.table)
        try:
            lane.run(dlpack.from_dlpack(images), tuple(layers), give)
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


def table_of(model, *, input_size, mean=None, std=None, degrees=8.0, identifier=None, time_bins_ms=None):
    """(the network inside of wrappers, its table of layers). Raises BadNetwork where it does not run, or draws random numbers."""
    if input_size is None:
        raise refused("input_size", "nothing", "the width of its input in pixels", "Add input_size=224, or what it takes")
    if not isinstance(input_size, int) or input_size < 1:
        raise refused("input_size", repr(input_size), "a whole number of pixels: images are square")
    model = check_model(model, mean, std, training=True)
    for name, values in (("mean", mean or []), ("std", std or []), ("degrees", [degrees])):
        if not all(map(math.isfinite, values)):
            raise refused(name, repr(values), "finite numbers")
    try:
        alone = stands_alone(model, input_size)
    except Exception:  # it cannot be copied
        alone = False
    with Snapshot(model, None, alone=alone) as snapshot, same_draws():
        before = _draws()
        table = Table(snapshot.network, input_size=input_size, mean=mean, std=std, degrees=degrees,
                      identifier=identifier or type(model).__name__, time_bins_ms=time_bins_ms)
        if _draws() != before:
            raise refused("model", "a forward pass that draws random numbers even in eval mode", "the same output every time",
                          "Take the drawing out of its forward; dropout is written as a module or with training=self.training")
    table.alone = alone
    return model, table
