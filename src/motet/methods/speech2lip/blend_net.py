"""Blend-Net: the U-net that blends drawn lips into the real face."""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from motet.methods.speech2lip.config import BlendConfig


class BlendNet(nn.Module):
    """The U-net that blends drawn lips into the real face."""

    def __init__(self, config: BlendConfig) -> None:
        super().__init__()
        full, half, quarter = config.widths  # channels at each size
        self.config = config
        self.enter = double_convolution(3, full, full, config.normalised)
        self.down = nn.ModuleList(
            [
                double_convolution(full, half, half, config.normalised),
                double_convolution(half, quarter, quarter, config.normalised),
            ]
        )
        joined = half + quarter
        self.up = nn.ModuleList(
            [
                double_convolution(joined, full, joined // 2, config.normalised),
                double_convolution(2 * full, full, full, config.normalised),
            ]
        )
        self.out = nn.Conv2d(full, 3, 1)
        if config.residual:
            # Before training the picture stays as it is.
            nn.init.zeros_(self.out.weight)
            nn.init.zeros_(self.out.bias)

    def forward(
        self, picture: Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, "batch 3 height width"]:
        """The blended picture, not clipped."""
        full = self.enter(picture)  # (batch, channels, height, width)
        half = self.down[0](F.max_pool2d(full, 2))
        deep = self.down[1](F.max_pool2d(half, 2))  # a quarter of the size
        deep = self.up[1](join_skip(full, self.up[0](join_skip(half, deep))))
        output = self.out(deep)
        return picture + output if self.config.residual else output


def double_convolution(before: int, after: int, between: int, normalised: bool) -> nn.Sequential:
    """Convolution, normalisation and rectification, twice."""

    def single(one: int, other: int) -> list[nn.Module]:
        norm = nn.BatchNorm2d(other) if normalised else nn.Identity()
        return [nn.Conv2d(one, other, 3, padding=1, bias=not normalised), norm, nn.ReLU()]

    return nn.Sequential(*single(before, between), *single(between, after))


def join_skip(skip: Tensor, deep: Tensor) -> Tensor:
    """Double the size, fill up with zeros at the ends, and concatenate with the skip connection of
    that size.
    """
    deep = F.interpolate(deep, scale_factor=2, mode="bilinear", align_corners=True)
    # Odd sizes lose a row or column when halved.
    # `F.pad` counts from the last axis: columns, then rows.
    missing = [skip.shape[-1] - deep.shape[-1], skip.shape[-2] - deep.shape[-2]]
    padding = [part for size in missing for part in (size // 2, size - size // 2)]
    return torch.cat([skip, F.pad(deep, padding)], 1)


def fold_normalisation(net: nn.Module) -> nn.Module:
    """A copy in which every normalisation has become part of the convolution before it; same
    numbers up to rounding.
    """
    made = copy.deepcopy(net).eval()
    for part in made.modules():
        if isinstance(part, nn.Sequential):
            for index in range(len(part) - 1):
                first, second = part[index], part[index + 1]
                if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                    part[index], part[index + 1] = fuse_conv_bn_eval(first, second), nn.Identity()
    return made
