"""Parameters and layers of published networks, counted in torchvision's and timm's definitions, where those are the same network.

Counted with 1000 classes and without auxiliary classifiers (TF-slim's own networks have 1001 classes). A name without an exact counterpart
has none: nasnet_mobile, inception_v2 (TF-slim's begins with a separable convolution) and cornet_s are in neither package.
"""
import functools
import re
import warnings

TORCHVISION = {"alexnet": "alexnet", "vgg-16": "vgg16", "vgg-19": "vgg19", "resnet-18": "resnet18", "resnet-34": "resnet34",
               "resnet-50": "resnet50", "resnet-101": "resnet101", "resnet-152": "resnet152", "densenet-121": "densenet121",
               "densenet-161": "densenet161", "densenet-169": "densenet169", "densenet-201": "densenet201",
               "squeezenet1_0": "squeezenet1_0", "squeezenet1_1": "squeezenet1_1", "inception_v1": "googlenet",
               "inception_v3": "inception_v3"}
TIMM = {"resnet-50_v2": "resnetv2_50", "resnet-101_v2": "resnetv2_101", "resnet-152_v2": "resnetv2_152", "inception_v4": "inception_v4",
        "inception_resnet_v2": "inception_resnet_v2", "xception": "legacy_xception", "nasnet_large": "nasnetalarge",
        "pnasnet_large": "pnasnet5large"}
MOBILENET = re.compile(r"mobilenet_v([12])_(\d+\.\d+)_\d+")  # its width; the images' size changes no weight
SPELLINGS = re.compile(r"^(alexnet|vgg|resnet|densenet)(\d+)$")


def torchvision_network(name):
    """(how it was made, the network) of torchvision, or None."""
    import torchvision

    name = SPELLINGS.sub(r"\1-\2", name)
    if mobilenet := MOBILENET.fullmatch(name):
        if mobilenet[1] == "2":
            width = float(mobilenet[2])
            return f"torchvision mobilenet_v2, width {width:g}", torchvision.models.mobilenet_v2(width_mult=width)
    elif name in TORCHVISION:
        options = {"aux_logits": False, "init_weights": False} if TORCHVISION[name] in ("googlenet", "inception_v3") else {}
        return f"torchvision {TORCHVISION[name]}", getattr(torchvision.models, TORCHVISION[name])(**options)
    return None


def timm_network(name):
    """The same of timm."""
    import timm

    if (mobilenet := MOBILENET.fullmatch(name)) and mobilenet[1] == "1":
        width = float(mobilenet[2])
        return f"timm mobilenetv1, width {width:g}", timm.models.efficientnet._gen_mobilenet_v1("mobilenetv1_100", width)
    return (f"timm {TIMM[name]}", timm.create_model(TIMM[name])) if name in TIMM else None


def counts_of(name):
    """As `counts_of_definition`; names of one MobileNet on images of other sizes are one."""
    found = MOBILENET.fullmatch(name)
    return counts_of_definition(f"mobilenet_v{found[1]}_{found[2]}_224" if found else name)


@functools.cache
def counts_of_definition(name):
    """(parameters, convolutions and linear layers, where from) of a published name; None where neither package has this network, or neither
    is here. On torch's meta device: no weight is made."""
    import torch

    for network_of in (torchvision_network, timm_network):
        try:
            with warnings.catch_warnings(), torch.device("meta"):
                warnings.simplefilter("ignore")
                found = network_of(name)
        except (ImportError, AttributeError, TypeError, RuntimeError):  # not here, or another version
            continue
        if found:
            words, network = found
            return sum(parameter.numel() for parameter in network.parameters()), depth_of(network), words
    return None


def depth_of(network):
    """The most convolutions and linear products on a way through the network, as records have it: 18 of a ResNet-18. None where it does
    not run on torch's meta device."""
    import torch

    class Deep(torch.overrides.TorchFunctionMode):
        """Every tensor carries the depth of the deepest that it was made from, and one more after a product with weights."""

        def __torch_function__(self, function, types, args=(), kwargs=None):
            out = function(*args, **(kwargs or {}))
            flat, _ = torch.utils._pytree.tree_flatten((args, kwargs))
            depth = max((getattr(value, "depth", 0) for value in flat if isinstance(value, torch.Tensor)), default=0)
            depth += getattr(function, "__name__", "") in ("conv2d", "linear")
            for value in torch.utils._pytree.tree_flatten(out)[0]:
                if isinstance(value, torch.Tensor):
                    value.depth = max(depth, getattr(value, "depth", 0))
            return out

    size = (getattr(network, "default_cfg", None) or {}).get("input_size") or (3, 299, 299)
    try:
        with torch.no_grad(), Deep():
            return network.eval()(torch.empty(1, *size, device="meta")).depth
    except (AttributeError, NotImplementedError, RuntimeError, TypeError):
        return None
