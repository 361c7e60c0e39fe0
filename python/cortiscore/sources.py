"""What `cortiscore model export` takes: networks of torchvision, timm and Hugging Face by name, or of a file of one's own, with their
weights and how their input is prepared."""
import collections
import difflib
import importlib.util
import inspect
import json
import pathlib
import sys

import torch

from .checkpoints import load_into, read_state
from .export_command import HELP
from .exporter import BadNetwork, unwrapped
from .recordings import BadInput, UnknownName, check_file

IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}


def say(text):
    print(text, file=sys.stderr)


def _nearest(what, name, known, prefix=""):
    near = difflib.get_close_matches(name.lower(), list(known), n=5, cutoff=0.4)
    return UnknownName(f"no {what} \"{name}\"{'. Nearest of ' + str(len(known)) + ': ' + ', '.join(prefix + n for n in near) if near else ''}.")


def _library(name, source, also=()):
    """An optional library, or one line that says how to install it."""
    for package in (name, *also):
        if importlib.util.find_spec(package) is None:
            raise BadInput(f"{source}: found no package {package} in {sys.executable}, expected it for networks of {name}. Install it beside "
                           f"this torch: {sys.executable} -m pip install --no-deps {name}, and then what `pip check` misses.")
    return importlib.import_module(name)


def _exists(path):
    if path and not pathlib.Path(path).exists():
        raise BadInput(f"{path}: found no such file, expected weights. Check the path.")


def _line(error):
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)[:300]


def _built(source, make):
    try:
        return make()
    except BadInput:
        raise
    except Exception as error:  # libraries raise of many kinds
        raise BadNetwork(f"{source}: found \"{type(error).__name__}: {_line(error)}\", expected the library to build it.") from error


def _fetched(source, make):
    """A network with the library's own weights, which may have to be fetched."""
    try:
        return make()
    except Exception as error:
        if "trust_remote_code" in str(error):  # it comes with code of its own, which is neither run nor asked about
            raise BadNetwork(f"{source}: found a network that is code of its own (auto_map in config.json), expected one of the library's. That code is "
                             "not run: build the network in a file of yours, FILE.py:FUNCTION.") from error
        raise BadInput(f"{source}: found \"{type(error).__name__}: {_line(error)}\" instead of the library's weights, expected them in its cache or a "
                       "network connection. Fetch them elsewhere and name the file: --weights FILE.") from error


def _classes_of(weights, prefix, model, n_classes):
    """How many classes a checkpoint has, where its heads alone differ in size from the network's; else the network's own number."""
    state, _ = read_state(weights, prefix=prefix)
    found = set()
    for name, own in model.state_dict().items():
        if own.dim() == 0 or own.shape[0] != n_classes:
            continue
        same = [value for given, value in state.items() if given == name or given.endswith("." + name)]
        found |= {value.shape[0] for value in same if value.dim() == own.dim() and value.shape[1:] == own.shape[1:]}
    return found.pop() if len(found) == 1 else n_classes


def _loaded(source, make, n_classes, weights, prefix):
    """A network with a checkpoint's weights and its number of classes. make: (n) -> the network with n classes."""
    model = _built(source, lambda: make(n_classes))
    n = _classes_of(weights, prefix, model, n_classes) if n_classes else n_classes
    if n != n_classes:
        model = _built(source, lambda: make(n))
        say(f"note: {n} classes, as {weights} has them")
    _load(model, weights, prefix)
    return model


def _load(model, weights, prefix):
    for note in load_into(unwrapped(model), weights, prefix=prefix):
        say(f"{weights}: note: {note}")


def _random(source):
    say(f"weights of {source} are random (no --weights, no --pretrained): good for a baseline, not for a claim")


# ---- torchvision --------------------------------------------------------------------------------------------------------

_AUXILIARY = {"googlenet": "aux1.", "inception_v3": "AuxLogits."}


def _torchvision(source, name, weights, prefix, pretrained, _asked):
    torchvision = _library("torchvision", source)
    known = torchvision.models.list_models()
    if name not in known:
        raise _nearest("network of torchvision", name, known, "torchvision:")
    builder = torchvision.models.get_model_builder(name)
    preset = torchvision.models.get_model_weights(name).DEFAULT.transforms()
    options = {"input_size": 299 if name == "inception_v3" else 224, **IMAGENET}
    # Transformers are built for the size of their first weights; what convolves was trained and tested at its preset's.
    if hasattr(preset, "crop_size") and not name.startswith("vit_"):
        options |= {"input_size": preset.crop_size[0], "mean": list(preset.mean), "std": list(preset.std)}
    if pretrained:
        if hasattr(preset, "crop_size"):
            options["input_size"] = preset.crop_size[0]
        return _fetched(source, lambda: builder(weights="DEFAULT")), options
    more = {"init_weights": True} if name in _AUXILIARY else {}
    if not weights:
        _random(source)
        return _built(source, lambda: builder(weights=None, **more)), options
    if name in _AUXILIARY:
        # As the builder does with weights of its own.
        names = read_state(weights, prefix=prefix)[0]
        more = {"init_weights": False, "transform_input": True, "aux_logits": any(_AUXILIARY[name] in given for given in names)}
        say(f"note: {name} with weights changes its input as torchvision's own does (transform_input=True); weights that were trained without that "
            "take FILE.py:FUNCTION")
    n_classes = len(getattr(torchvision.models.get_model_weights(name).DEFAULT, "meta", {}).get("categories", [])) or None
    quiet = {"weights_backbone": None} if "weights_backbone" in inspect.signature(builder).parameters else {}
    make = lambda n: builder(weights=None, **more, **quiet, **({"num_classes": n} if n != n_classes else {}))
    return _loaded(source, make, n_classes, weights, prefix), options


# ---- timm ---------------------------------------------------------------------------------------------------------------


def _timm(source, name, weights, prefix, pretrained, asked):
    timm = _library("timm", source)
    input_size = asked.get("input_size")
    if not name.startswith(("hf-hub:", "hf_hub:")) and not timm.is_model(name.partition(".")[0]):
        raise _nearest("network of timm", name, timm.list_models(), "timm:")
    sized = {}
    if input_size:
        # Networks with position embeddings are built for a size; others take any and know no such argument.
        try:
            with torch.device("meta"):
                timm.create_model(name, img_size=input_size)
            sized = {"img_size": input_size}
        except TypeError:
            pass
        except Exception:  # said below, where it is built
            sized = {"img_size": input_size}
    if pretrained:
        model = _fetched(source, lambda: timm.create_model(name, pretrained=True, **sized))
    elif weights:
        plain = _built(source, lambda: timm.create_model(name, **sized))
        n_classes = getattr(plain, "num_classes", None)
        model = _loaded(source, lambda n: plain if n == n_classes else timm.create_model(name, num_classes=n, **sized), n_classes, weights, prefix)
    else:
        _random(source)
        model = _built(source, lambda: timm.create_model(name, **sized))
    config = timm.data.resolve_data_config({}, model=model)
    channels, height, width = config["input_size"]
    if channels != 3 or height != width:
        raise BadNetwork(f"{source}: found an input of {channels} x {height} x {width}, expected RGB, as high as wide. Wrap it: FILE.py:FUNCTION.")
    if input_size:
        height = width = input_size
    say(f"note: input {height} x {width}, mean {_short(config['mean'])}, std {_short(config['std'])} by timm's data_config; its crop and "
        f"interpolation ({config['crop_pct']:g}, {config['interpolation']}) are not taken: stimuli are shown by their visual angle")
    return model, {"input_size": height, "mean": list(config["mean"]), "std": list(config["std"])}


def _short(values):
    return ", ".join(f"{value:g}" for value in values)


# ---- Hugging Face -------------------------------------------------------------------------------------------------------


def _hugging_face(source, name, weights, prefix, _pretrained, asked):
    transformers = _library("transformers", source, ("huggingface_hub", "tokenizers"))
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    here = pathlib.Path(name).is_dir()
    if not here and (name.startswith((".", "/", "~")) or name.count("/") > 1):
        raise BadInput(f"{name}: found no such folder, expected one with config.json and weights, as save_pretrained writes it. Check the path.")
    if here and not (pathlib.Path(name) / "config.json").is_file():
        raise BadInput(f"{name}: found no config.json, expected a folder as model.save_pretrained writes it.")
    config = _fetched(source, lambda: transformers.AutoConfig.from_pretrained(name, local_files_only=here, trust_remote_code=False))
    kind = _class_of(transformers, config, source)
    if weights:
        model = _built(source, lambda: kind(_vision(config, kind)))
        _load(model, weights, prefix)
    else:
        model, report = _from_folder(source, kind, name, here)
        missing = sorted({*report["missing_keys"], *(entry[0] if isinstance(entry, tuple) else entry for entry in report["mismatched_keys"])})
        if missing:
            raise BadInput(f"{name}: found no weights for {', '.join(missing[:5])}{f' and {len(missing) - 5} more' if len(missing) > 5 else ''} of "
                           f"{kind.__name__}, expected all of them. Without them the network would have random parts: name another folder, or export a "
                           "module without those by FILE.py:FUNCTION.")
        unused = sorted(report["unexpected_keys"])
        if unused:
            say(f"note: {len(unused)} weights of the file are not of {kind.__name__}, the first {unused[0]}")
    return model, _processed(source, name, here, config, asked)


def _class_of(transformers, config, source):
    """The class that the folder was saved from; of a network with texts and images its vision tower."""
    architectures = getattr(config, "architectures", None) or []
    kind = getattr(transformers, architectures[0], None) if architectures else None
    if architectures and kind is None:
        raise BadNetwork(f"{source}: found the network {architectures[0]}, which transformers {transformers.__version__} does not have, expected one of its "
                         "own. Build it in a file of yours: FILE.py:FUNCTION.")
    if kind is None:
        kind = _built(source, lambda: transformers.MODEL_MAPPING[type(config)])
        kind = kind[0] if isinstance(kind, (tuple, list)) else kind
    if hasattr(config, "vision_config"):
        base = kind.__name__.partition("Model")[0].partition("For")[0]
        towers = [getattr(transformers, base + end, None) for end in ("VisionModelWithProjection", "VisionModel")]
        tower = next((t for t in towers if t is not None), None)
        if tower is None:
            raise BadNetwork(f"{source}: found {kind.__name__}, which takes more than images, expected a network of images. Export its vision tower by "
                             "FILE.py:FUNCTION.")
        say(f"note: {kind.__name__} takes texts and images; its vision tower is exported ({tower.__name__})")
        return tower
    return kind


def _vision(config, kind):
    return config.vision_config if hasattr(config, "vision_config") and kind.config_class is type(config.vision_config) else config


def _from_folder(source, kind, name, here):
    return _fetched(source, lambda: kind.from_pretrained(name, local_files_only=here, output_loading_info=True, dtype="auto"))


# What an image processor may do beside the resizing, cropping and padding that the stimuli's visual angle stands for, and beside
# what mean and std say: none of these changes an RGB image of the network's size.
_HARMLESS = {"do_resize", "do_center_crop", "do_pad", "do_convert_rgb", "do_rescale", "do_normalize", "do_reduce_labels", "do_thumbnail"}


def _side(size, path):
    """The side of a square input: a number, [height, width], {height, width} or {shortest_edge}; None where there is none."""
    if isinstance(size, dict):
        size = [size["height"], size["width"]] if {"height", "width"} <= set(size) else size.get("shortest_edge") or size.get("longest_edge")
    sides = list(size) if isinstance(size, (list, tuple)) else [size]
    if len(set(sides)) > 1:
        raise BadNetwork(f"{path}: found an input of {' x '.join(map(str, sides))}, expected it as high as wide. Wrap the network: FILE.py:FUNCTION.")
    return int(sides[0]) if sides and sides[0] else None


def _processed(source, name, here, config, asked):
    """input_size, mean and std by the image processor beside the weights; without one they have to be asked for.
    Raises BadInput for a processor that does more than mean and std can say."""
    if here:
        path = pathlib.Path(name) / "preprocessor_config.json"
        text = path.read_text() if path.is_file() else None
    else:
        from transformers.utils import cached_file

        found = cached_file(name, "preprocessor_config.json", _raise_exceptions_for_missing_entries=False)
        text = pathlib.Path(found).read_text() if found else None
    path = f"{name}/preprocessor_config.json"
    own = _side(getattr(getattr(config, "vision_config", config), "image_size", None), f"{name}/config.json")
    options = {"input_size": own} if own else {}
    if text is None:
        missing = [f"--{key.replace('_', '-')}" for key in ("input_size", "mean", "std") if key not in options and key not in asked]
        if missing:
            raise BadInput(f"{source}: found no preprocessor_config.json, expected it to say how images are prepared. Save the image processor beside the "
                           f"weights (processor.save_pretrained), or say {', '.join(missing)} (--mean 0,0,0 --std 1,1,1 for values in 0..1 as they are).")
        return options
    try:
        processor = json.loads(text)
        processor = processor.get("image_processor", processor)
        more = sorted(key for key, value in processor.items() if key.startswith("do_") and value is True and key not in _HARMLESS)
        if more:
            raise BadNetwork(f"{path}: found {more[0]}, expected an image processor that only sizes, rescales and normalises. Do the rest in the network: "
                             f"FILE.py:FUNCTION{', whose forward begins with x.flip(1)' if more[0] == 'do_flip_channel_order' else ''}.")
        size = processor.get("crop_size") if processor.get("do_center_crop") else None
        size = _side(size, path) or (_side(processor.get("size"), path) if processor.get("do_resize", True) else None)
        if size:
            options["input_size"] = size
        channels = lambda values: [float(v) for v in (values if isinstance(values, list) else [values] * 3)]
        # Values in 0..1 come in here: x * factor, with x in 0..255, is what mean and std are of there.
        scale = 255 * float(processor.get("rescale_factor", 1 / 255)) if processor.get("do_rescale", True) else 255.0
        scale = 1.0 if abs(scale - 1) < 1e-6 else scale
        mean, std = processor.get("image_mean"), processor.get("image_std")
        normalised = processor.get("do_normalize", mean is not None)
        mean, std = (channels(mean), channels(std)) if normalised else ([0.0] * 3, [1.0] * 3)
        if len(mean) != 3 or len(std) != 3:
            raise BadNetwork(f"{path}: found a mean of {len(mean)} channels and a std of {len(std)}, expected 3, RGB. Wrap the network: FILE.py:FUNCTION.")
        offset = 1.0 if processor.get("do_rescale", True) and processor.get("rescale_offset") else 0.0  # EfficientNet's
        if processor.get("include_top"):  # EfficientNet's: images are divided by the std once more
            again = channels(processor.get("image_std"))
            std = [s * t for s, t in zip(std, again, strict=True)]
        if normalised or scale != 1 or offset or processor.get("include_top"):
            options |= {"mean": [(m + offset) / scale for m in mean], "std": [s / scale for s in std]}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        if isinstance(error, BadInput):
            raise
        raise BadInput(f"{path}: found \"{_line(error)}\", expected size, image_mean and image_std.") from error
    if "input_size" not in options and "input_size" not in asked:
        raise BadInput(f"{path}: found no size of images, expected one. Say it: --input-size.")
    values = f"mean {_short(options['mean'])}, std {_short(options['std'])}" if "mean" in options else "values in 0..1 as they are, not normalised,"
    say(f"note: input {options.get('input_size', asked.get('input_size'))} a side, {values} by its preprocessor_config.json; "
        "stimuli are shown by their visual angle, not cropped")
    return options


# ---- A file of one's own ------------------------------------------------------------------------------------------------


def _from_file(path, function, asked):
    check_file(path, "Python that builds the network")
    spec = importlib.util.spec_from_file_location("cortiscore_user_network", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    sys.path.insert(0, str(pathlib.Path(path).resolve().parent))
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise BadInput(f"{path}: found \"{type(error).__name__}: {_line(error)}\"{_line_in(error, path)}, expected Python that runs.") from error
    if not hasattr(module, function):
        own = [name for name, value in vars(module).items() if callable(value) and getattr(value, "__module__", None) == module.__name__]
        raise _nearest(f"function of {path}", function, own) if own else UnknownName(f"no function \"{function}\" in {path}.")
    built = getattr(module, function)
    if not isinstance(built, torch.nn.Module):
        try:
            built = built()
        except (Exception, SystemExit) as error:
            raise BadInput(f"{path}:{function}: found \"{type(error).__name__}: {_line(error)}\"{_line_in(error, path)}, expected it to return a "
                           "module.") from error
    model, options = built if isinstance(built, tuple) and len(built) == 2 else (built, {})
    known = {"input_size", "mean", "std", "degrees", "identifier", "time_bins_ms"}
    if not isinstance(model, torch.nn.Module) or not isinstance(options, dict) or set(options) - known:
        wrong = ", ".join(map(str, set(options) - known)) if isinstance(options, dict) and isinstance(model, torch.nn.Module) else type(built).__name__
        raise BadInput(f"{path}:{function}: found {wrong}, expected a module, or a module and a dict of {', '.join(sorted(known))}.")
    assumed = [] if "input_size" in options or "input_size" in asked else ["input_size 224"]
    if not options and not {"mean", "std"} & set(asked):
        assumed.append("values in 0..1 as they are, not normalised")
    if assumed:
        say(f"note: {path}:{function} does not say how images are prepared: {', '.join(assumed)}. Return (module, {{'input_size': N, 'mean': ..., "
            "'std': ...}), or give --input-size, --mean and --std")
    return model, {"input_size": 224, **options}


def _line_in(error, path):
    """The last line of the file that an exception came through."""
    found, trace = "", error.__traceback__
    while trace:
        if pathlib.Path(trace.tb_frame.f_code.co_filename).name == pathlib.Path(path).name:
            found = f" in line {trace.tb_lineno}"
        trace = trace.tb_next
    if isinstance(error, SyntaxError) and error.lineno:
        found = f" in line {error.lineno}"
    return found


def _without_kind(source):
    """The sources that a bare name may have meant."""
    meant = []
    for library, listed in (("torchvision", lambda m: m.models.list_models()), ("timm", lambda m: m.list_models())):
        if importlib.util.find_spec(library) and source in listed(importlib.import_module(library)):
            meant.append(f"{library}:{source}")
    if pathlib.Path(source).is_dir():
        meant.append(f"hf:{source}")
    return UnknownName(f"no kind of network in \"{source}\"{': it is ' + ' or '.join(meant) if meant else ''}. A network is {HELP}.")


_KINDS = {"torchvision": _torchvision, "timm": _timm, "hf": _hugging_face}


def build(source, weights=None, prefix=None, pretrained=False, asked=None):
    """The network that `source` names, and how its input is prepared: (module in eval mode but for parts that were left in training
    mode by the user's own file, keyword arguments of `export`). What the reader should know of it is said on stderr.
    asked: those of input_size, mean and std that the user says, who is right where a source says otherwise.
    Raises BadInput and UnknownName."""
    _exists(weights)
    kind, _, name = source.partition(":")
    if kind in _KINDS and name:
        model, options = _KINDS[kind](source, name, weights, prefix, pretrained, asked or {})
        return model.eval(), options
    if pretrained:
        raise BadInput(f"--pretrained: found {source}, expected torchvision:NAME or timm:NAME. Leave it away.")
    if kind.endswith(".py"):
        model, options = _from_file(kind, name or "build", asked or {})
        if weights:
            _load(model, weights, prefix)
        if model.training:
            say(f"note: {source} was in training mode; what is written is what eval mode gives")
            model.eval()
        return model, options
    if source == "efficientnet_lite0":
        from .efficientnet_lite import efficientnet_lite0

        model, options = efficientnet_lite0(), {"input_size": 224}
        if weights:
            _load(model, weights, prefix)
        return model, options
    if source == "pixels":
        if weights:
            raise BadInput(f"--weights: found {weights} for pixels, expected none: it has no weights. Leave it away.")
        return torch.nn.Sequential(collections.OrderedDict(pixels=torch.nn.Flatten())).eval(), {"input_size": 64}
    raise _without_kind(source)
