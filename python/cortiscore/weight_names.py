"""Which tensor of a file is which weight of a network, when the names are not the same to the letter.

What fits to the letter, the engine reads itself; every other file goes through here (`model convert`, `model export
--weights`, and `sweep`, which asks `convert.serve`), so that the rules are in one place.
"""
import dataclasses
import difflib
import re

# What wrappers put anywhere into a name: DataParallel and DDP, torch.compile, FSDP, activation checkpoints, Fabric.
WRAPPERS = {"module", "_orig_mod", "_fsdp_wrapped_module", "_fpw_module", "_checkpoint_wrapped_module", "_forward_module"}
# Names of published files that a library renames as it loads them.
RENAMES = [
    (re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12]\.)"), r"\1\2"),  # torchvision's DenseNets
    (re.compile(r"\.linear_1\."), ".0."), (re.compile(r"\.linear_2\."), ".3."),  # torchvision's ViTs
    (re.compile(r"LayerNorm\.gamma$"), "LayerNorm.weight"), (re.compile(r"LayerNorm\.beta$"), "LayerNorm.bias"),  # BERT of TensorFlow
    (re.compile(r"(^|\.)(\w+)_g$"), r"\1parametrizations.\2.original0"), (re.compile(r"(^|\.)(\w+)_v$"), r"\1parametrizations.\2.original1"),
]
COUNTER = "num_batches_tracked"  # of training: no forward pass in eval mode reads it
# Made by the network itself from its sizes, and in files of some versions of a library only.
DERIVED = {COUNTER, "position_ids", "attn_mask", "relative_position_index", "relative_coords_table", "inv_freq", "masked_bias",
           "total_ops", "total_params"}


class NoFit(Exception):
    """Why a file is not the weights of a network: what was found, what was expected, and what to do."""

    def __init__(self, found, expected, action):
        super().__init__(found)
        self.found, self.expected, self.action = found, expected, action


@dataclasses.dataclass
class Fit:
    """A beginning of names under which every weight is there."""

    prefix: str
    sources: dict  # a network's name: the file's
    shaped: bool  # all in their shapes
    inside: list  # names of the file left out that belong to parts which the network has too: another architecture


def leaf(name):
    return name.rpartition(".")[2]


def parent(name):
    return name.rpartition(".")[0]


def canonical(name):
    """Without what wrappers put into it."""
    return ".".join(part for part in name.split(".") if part not in WRAPPERS)


def renamed(name):
    for pattern, to in RENAMES:
        name = pattern.sub(to, name)
    return name


def short_names(names, prefix=""):
    """{name without wrappers and `prefix`: name}; names that only a wrapper tells apart stay as they are."""
    groups = {}
    for name in names:
        if name.startswith(prefix):
            groups.setdefault(canonical(name.removeprefix(prefix)), []).append(name)
    found = {}
    for short, group in groups.items():
        for name in group:
            found[short if len(group) == 1 else name.removeprefix(prefix)] = name
    return found


def begins(short):
    """Every "a." and "a.b." that all names begin with, "" first."""
    first = short[0].split(".")
    shared = ["".join(part + "." for part in first[:n]) for n in range(len(first))]
    return [start for start in shared if all(name.startswith(start) and name != start for name in short)]


def numbered(part):
    """("layer", 3) of "layer3", ("", 3) of "3"; None without a number."""
    match = re.fullmatch(r"(.*?)(\d{1,9})", part)
    return (match[1], int(match[2])) if match else None


class Places:
    """The modules of a network in their order, to tell a part that it lacks from another architecture."""

    def __init__(self, names):
        self.order = {}
        for name in names:
            self.order.setdefault(parent(name), len(self.order))
        self.modules = {module[:end] for module in self.order for end in [*(m.start() for m in re.finditer(r"\.", module)), len(module)]} | {""}
        self.root = begins(names)[-1].rstrip(".") if names else ""

    def is_inside(self, name):
        """Whether a tensor that the network lacks changes what the modules it has compute: of a block among its blocks (a
        deeper network), or of a part of a block. Not: a head beside them, or what follows where the network was cut."""
        if leaf(name) in DERIVED:
            return False
        module = parent(name)
        place = module
        while place not in self.modules:
            place = parent(place)
        if place == module:  # a tensor of a module that the network has
            return place != self.root or len(self.order) == 1
        child = module[len(place) + 1 if place else 0:].split(".")[0]
        number = numbered(child)
        beside = self._siblings(place, number[0]) if number else {}
        if beside and number[1] > max(beside):
            return not self._ends_there(place, beside[max(beside)], number[1])
        return bool(beside) or self._is_one_of_many(place)

    def _is_one_of_many(self, module):
        while module not in ("", self.root):
            number = numbered(leaf(module))
            if number and (not number[0] or len(self._siblings(parent(module), number[0])) > 1):
                return True
            module = parent(module)
        return False

    def _siblings(self, place, stem):
        found = {}
        for module in self.modules:
            if module and parent(module) == place and (number := numbered(leaf(module))) and number[0] == stem:
                found[number[1]] = module
        return found

    def _ends_there(self, place, sibling, number):
        last = max(at for module, at in self.order.items() if (module + ".").startswith(sibling + "."))
        for module, at in self.order.items():
            if at > last:
                if place and not module.startswith(place + "."):
                    return False
                child = numbered(module[len(place) + 1 if place else 0:].split(".")[0])
                if not child or child[1] >= number:
                    return False
        return True


def full_prefix(names, prefix):
    """A beginning as the file has it: `student.` of `state_dict.student.conv.weight` is `state_dict.student.`.
    Raises NoFit where none has it, or several do."""
    if not prefix or any(name.startswith(prefix) for name in names):
        return prefix
    found = list(dict.fromkeys(name[:name.index("." + prefix) + 1 + len(prefix)] for name in names if "." + prefix in name))
    if len(found) == 1:
        return found[0]
    if found:
        raise NoFit(f"\"{prefix}\" under {', '.join(found[:8])}", "one", "Give --prefix as the file has it")
    starts = list(dict.fromkeys(name.split(".")[0] + "." for name in names))
    while len(starts) == 1 and all(name.count(".") > starts[0].count(".") for name in names):
        starts += dict.fromkeys(starts[0] + name.removeprefix(starts[0]).split(".")[0] + "." for name in names)
    raise NoFit(f"no name that begins with \"{prefix}\"", f"one of {', '.join(starts[:8])}", "Give --prefix as the file has it")


def find_fits(wanted, given, twins=None, aliases=None, prefix=""):
    """Every beginning under which all of `wanted` is in `given`.

    wanted   {name: shape} of the network, in its order
    given    {name: (shape, whole numbers?)} of the file
    twins    {name: names of the network that are the same tensor, or that its library saves it under}
    aliases  {name: name of the file that stands for it too} (safetensors' metadata)
    prefix   only what begins so is looked at
    Raises NoFit where there is none, naming what is missing.
    """
    short = {name: canonical(name) for name in wanted}
    if len(set(short.values())) < len(short):
        short = {name: name for name in wanted}
    prefix = full_prefix(given, prefix)
    found = short_names(given, prefix)
    for name, source in list(found.items()):
        found.setdefault(renamed(name), source)
    for alias, kept in (aliases or {}).items():
        if alias.startswith(prefix) and kept in given:
            found.setdefault(canonical(alias.removeprefix(prefix)), kept)
    required = [name for name in wanted if leaf(name) != COUNTER] or list(wanted)

    def look_up(start, put_on, name):
        for same in [name, *(twins or {}).get(name, ())]:
            if (source := found.get(start + short.get(same, canonical(same))[len(put_on):])) is not None:
                return source
        return None

    anchors = sorted(required, key=lambda name: (-short[name].count("."), -len(short[name]), name))
    fits = []
    for put_on in begins([short[name] for name in required]):
        ends = [short.get(same, canonical(same))[len(put_on):] for same in [anchors[0], *(twins or {}).get(anchors[0], ())]]
        starts = {name[:-len(end)] for end in ends for name in found if name == end or name.endswith("." + end)}
        for start in sorted(starts):
            sources = {name: look_up(start, put_on, name) for name in required}
            if None in sources.values():
                continue
            shaped = all(list(given[sources[name]][0]) == list(wanted[name]) for name in required)
            for name in wanted:  # counters where they are there
                if name not in sources and (source := look_up(start, put_on, name)) and list(given[source][0]) == list(wanted[name]):
                    sources[name] = source
            places = Places([short[name][len(put_on):] for name in required])
            used = set(sources.values())
            inside = [source for name, source in found.items() if name.startswith(start) and source not in used and
                      not given[source][1] and places.is_inside(name.removeprefix(start))]
            fits.append(Fit(start, sources, shaped, list(dict.fromkeys(inside))))
        if fits:
            break
    if not fits:
        raise _missing(required, short, anchors, found, look_up)
    if not any(fit.shaped for fit in fits):
        fit = fits[0]
        name = next(name for name in required if list(given[fit.sources[name]][0]) != list(wanted[name]))
        raise NoFit(f"{fit.sources[name]} of shape {list(given[fit.sources[name]][0])}", f"{list(wanted[name])}",
                    "Weights and graph must be of one architecture")
    return [fit for fit in fits if fit.shaped]


def _missing(required, short, anchors, found, look_up):
    """What the nearest beginning lacks."""
    starts = {""}
    for anchor in anchors[:: max(1, len(anchors) // 16)]:
        starts |= {name[:-len(short[anchor])] for name in found if name.endswith("." + short[anchor])}
    best = max(sorted(starts)[:64], key=lambda start: sum(look_up(start, "", name) is not None for name in required))
    missing = [name for name in required if look_up(best, "", name) is None]
    used = {look_up(best, "", name) for name in required}
    more = list({source: name for name, source in reversed(found.items()) if name.startswith(best) and source not in used and
                 leaf(name) != COUNTER}.values())
    near = difflib.get_close_matches(best + short[missing[0]], more, 1, 0.4)
    hint = f"; the nearest to \"{missing[0]}\" is \"{near[0]}\"" if near else f", such as \"{missing[0]}\""
    return NoFit(f"{len(missing)} of the {len(required)} weights missing and {len(more)} that it does not have{hint}", "the same names",
                 "Is it the same architecture? --prefix names the beginning of those that are meant")


def choose(fits, equal, rank=lambda prefix: 0):
    """The one fit, and the beginnings of others that were passed over.

    equal  whether two names of the file are one tensor to the bit
    rank   of a beginning: one that is lower is taken before the others
    Raises NoFit where several differ, or what is left out shows another architecture.
    """
    fits = sorted(fits, key=lambda fit: rank(fit.prefix))
    first, *others = fits
    differ = [fit for fit in others if any(not equal(source, fit.sources[name]) for name, source in first.sources.items()
                                           if name in fit.sources and leaf(name) != COUNTER)]
    even = [fit for fit in differ if rank(fit.prefix) == rank(first.prefix)]
    if even:
        names = ", ".join(f"\"{fit.prefix}\"" for fit in [first, *even][:8])
        raise NoFit(f"{len(even) + 1} sets of these weights that differ, under {names}", "one", "Name the one that is meant with --prefix")
    if first.inside:
        raise NoFit(f"{len(first.inside)} tensors more inside modules of the network, such as \"{first.inside[0]}\"", "the same architecture",
                    "Export the graph of the network that they are of")
    return first, [fit.prefix for fit in differ]
