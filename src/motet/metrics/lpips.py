"""LPIPS with a backbone of the user: learned perceptual distance of pictures.

Source: Zhang et al. 2018, "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric",
and version 0.1 of their program. The backbone (AlexNet or VGG-16, in torchvision's layout) and the
authors' linear weights are files of the user: no package here holds them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from motet.checkpoint import read_official
from motet.errors import CheckpointError, InputError
from motet.metrics.picture import check_pair

SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
"""Of pictures from -1 to 1, by colour."""
SMALLEST = 32
"""Pixels a side: below, the last layers of a backbone have no output."""


@dataclasses.dataclass(frozen=True)
class _Backbone:
    """Convolutions by their number in torchvision's `features`."""

    blocks: tuple[tuple[int, ...], ...]
    """Convolutions of each block, whose last output is compared."""
    widths: tuple[int, ...]
    strides: Mapping[int, tuple[int, int]]
    """Stride and padding where they are not 1 and 1."""
    pooled: tuple[int, ...]
    """Blocks that begin with max pooling, and its size."""
    pool: int


_BACKBONES = {
    "AlexNet": _Backbone(
        ((0,), (3,), (6,), (8,), (10,)),
        (64, 192, 384, 256, 256),
        {0: (4, 2), 3: (1, 2)},
        (1, 2),
        3,
    ),
    "VGG-16": _Backbone(
        ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28)),
        (64, 128, 256, 512, 512),
        {},
        (1, 2, 3, 4),
        2,
    ),
}


class Lpips:
    """The distance; `read_lpips` makes one from files.

    Args:
        tensors: `features.N.weight` and `.bias` of the backbone, `linK.model.1.weight` of the
            linear layers; others are left alone.

    Raises:
        CheckpointError: neither backbone, or a tensor is missing or misshapen.
    """

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        first = tensors.get("features.0.weight")
        if first is None:
            raise CheckpointError(
                "LPIPS needs a backbone with features.0.weight: AlexNet or VGG-16 as torchvision"
                " saves them"
            )
        # AlexNet begins with 11 x 11 filters, VGG with 3 x 3.
        self.name = "AlexNet" if first.shape[-1] == 11 else "VGG-16"
        self._backbone = _BACKBONES[self.name]
        self._tensors = {name: tensors[name].float() for name in self._needed() if name in tensors}
        missing = [name for name in self._needed() if name not in self._tensors]
        if missing:
            raise CheckpointError(
                f"LPIPS on {self.name} lacks {missing[0]}; give both files: the backbone, and the"
                " linear weights (alex.pth or vgg.pth of version 0.1)"
            )
        for number, width in enumerate(self._backbone.widths):
            shape = tuple(self._tensors[f"lin{number}.model.1.weight"].shape)
            if shape != (1, width, 1, 1):
                raise CheckpointError(
                    f"lin{number}.model.1.weight is {shape}; {self.name} has {width} channels"
                    " there: the linear weights belong to another backbone"
                )

    def _needed(self) -> list[str]:
        convolutions = [number for block in self._backbone.blocks for number in block]
        names = [f"features.{k}.{part}" for k in convolutions for part in ("weight", "bias")]
        return names + [f"lin{k}.model.1.weight" for k in range(len(self._backbone.blocks))]

    @torch.no_grad()
    def __call__(
        self, predicted: Float[Tensor, "frames 3 h w"], truth: Float[Tensor, "frames 3 h w"]
    ) -> Float[Tensor, " frames"]:
        """Distance of pictures from 0 to 1.

        Raises:
            InputError: two different shapes, or pictures under 32 pixels.
        """
        check_pair(predicted, truth)
        if min(predicted.shape[-2:]) < SMALLEST:
            raise InputError(f"LPIPS needs pictures of at least {SMALLEST} pixels a side")
        total = predicted.new_zeros(len(predicted))
        pairs = zip(self._features(predicted), self._features(truth), strict=True)
        for number, (one, two) in enumerate(pairs):
            weight = self._tensors[f"lin{number}.model.1.weight"].flatten()  # (channels)
            difference = (_unit(one) - _unit(two)).square()
            total = total + torch.einsum("fchw,c->fhw", difference, weight).mean((1, 2))
        return total

    def _features(self, pictures: Tensor) -> list[Float[Tensor, "frames channels h w"]]:
        """Outputs of the five blocks."""
        shift, scale = (pictures.new_tensor(v).view(3, 1, 1) for v in (SHIFT, SCALE))
        x, outputs = (2 * pictures - 1 - shift) / scale, []
        for number, block in enumerate(self._backbone.blocks):
            if number in self._backbone.pooled:
                x = F.max_pool2d(x, self._backbone.pool, 2)
            for k in block:
                weight, bias = (self._tensors[f"features.{k}.{p}"] for p in ("weight", "bias"))
                stride, padding = self._backbone.strides.get(k, (1, 1))
                x = F.conv2d(x, weight, bias, stride, padding).relu()
            outputs.append(x)
        return outputs


def _unit(features: Float[Tensor, "frames channels h w"]) -> Float[Tensor, "frames channels h w"]:
    """Each pixel's channels at length one."""
    return features / (features.square().sum(1, keepdim=True).sqrt() + 1e-10)


def read_lpips(files: Sequence[Path]) -> Lpips:
    """From the backbone's file and the linear weights' file, or one file with both.

    Raises:
        CheckpointError: a file cannot be read, or something is missing in all of them.
    """
    tensors: dict[str, Tensor] = {}
    for path in files:
        stored = read_official(path)
        tensors |= {name: value for name, value in stored.items() if isinstance(value, Tensor)}
    return Lpips(tensors)
