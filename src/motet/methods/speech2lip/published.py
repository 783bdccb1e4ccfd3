"""The published model in use: whole frames as released, and the same frames with Blend-Net around
the mouth only.

For imported checkpoints, whose features (DeepSpeech windows) come ready-made. What the quick form
changes: audio net once a frame, codes of positions once a clip, normalisation folded into the
convolutions, and Blend-Net on the redrawn region with a margin as wide as it can see. Away from
that region the filmed pixels stay, where the released program passes them through the net.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from motet.methods.speech2lip.blend_net import BlendNet, fold_normalisation, join_skip
from motet.methods.speech2lip.composition import Scene, blend_input, paste, redrawn
from motet.methods.speech2lip.model import Speech2LipModel

MARGIN = 24
"""Pixels that a pixel of Blend-Net's output depends on to each side (22), rounded up to what two
halvings need."""


@torch.no_grad()
def whole_frames(
    model: Speech2LipModel,
    windows: Float[Tensor, "count rows channels"],
    frame: Int[Tensor, " count"],
    scene: Scene,
) -> Float[Tensor, "count 3 h w"]:
    """Frames of the released program, not clipped."""
    lips = model.lip.picture(model.lip.prepare(), model.hearing(windows), frame)
    return model.blend(
        blend_input(paste(lips, scene), scene, exact=not model.config.official_quirks)
    )


class QuickFrames:
    """The published model made ready: the same colours where the mouth is drawn.

    Args:
        model: with imported weights.
    """

    def __init__(self, model: Speech2LipModel) -> None:
        self._model = model.eval().requires_grad_(False)
        self._positions = model.lip.prepare()
        blend = fold_normalisation(model.blend)
        assert isinstance(blend, BlendNet)
        self._blend = blend.to(memory_format=torch.channels_last)

    @torch.no_grad()
    def frames(
        self,
        windows: Float[Tensor, "count rows channels"],
        frame: Int[Tensor, " count"],
        scene: Scene,
    ) -> Float[Tensor, "count 3 h w"]:
        """The filmed frames with the redrawn region in them."""
        exact = not self._model.config.official_quirks
        lips = self._model.lip.picture(self._positions, self._model.hearing(windows), frame)
        mixed, mask = blend_input(paste(lips, scene), scene, exact=exact), redrawn(scene, exact)
        # Bounding box of all that is redrawn in this batch.
        rows, columns = (mask.amax(axis).amax(0)[0].nonzero().flatten() for axis in (3, 2))
        if not len(rows):
            return scene.observed.clone()
        height, width = mask.shape[-2:]
        top, bottom = _span(int(rows[0]), int(rows[-1]) + 1, height)
        left, right = _span(int(columns[0]), int(columns[-1]) + 1, width)
        part = mixed[..., top:bottom, left:right].contiguous(memory_format=torch.channels_last)
        blended = cropped_blend(self._blend, part, (top, left), (height, width))
        output = scene.observed.clone()
        share = mask[..., top:bottom, left:right]
        # Outside the mask the filmed pixels stay untouched.
        output[..., top:bottom, left:right] += share * (
            blended - output[..., top:bottom, left:right]
        )
        return output


def _span(first: int, last: int, size: int) -> tuple[int, int]:
    """A stretch with its margin, beginning at a multiple of four so that halving falls on the same
    pixels as in the whole picture.
    """
    return max(0, first - MARGIN) // 4 * 4, min(size, -(-(last + MARGIN) // 4) * 4)


def cropped_blend(
    net: BlendNet,
    part: Float[Tensor, "batch 3 h w"],
    origin: tuple[int, int],
    size: tuple[int, int],
) -> Float[Tensor, "batch 3 h w"]:
    """Blend-Net on a part of a picture as if on the whole: its up-sampling takes positions in the
    whole picture.

    Exact but for the margin of a part that does not reach the picture's edge, where the net sees
    zeros.

    Args:
        origin: row and column of the part's first pixel, multiples of four.
        size: height and width of the whole picture.
    """
    full = net.enter(part)
    half = net.down[0](F.max_pool2d(full, 2))
    deep = net.down[1](F.max_pool2d(half, 2))
    halves = tuple(length // 2 for length in size)
    middle = net.up[0](_joined(half, deep, tuple(at // 2 for at in origin), halves))
    output = net.out(net.up[1](_joined(full, middle, origin, size)))
    return part + output if net.config.residual else output


def _joined(skip: Tensor, deep: Tensor, origin: tuple[int, ...], size: tuple[int, ...]) -> Tensor:
    """The skip connection of this size with the doubled deeper one.

    `align_corners` stretches pixel i of n over 2 n pixels to i (2 n - 1) / (n - 1): that depends on
    the whole size, so the positions are computed there.
    """
    if origin == (0, 0) and tuple(skip.shape[-2:]) == tuple(size):
        return join_skip(skip, deep)
    grids = []
    for axis in (0, 1):
        small, count = size[axis] // 2, skip.shape[-2 + axis]
        # Where `align_corners` up-sampling of the whole picture would read, relative to the part.
        position = (torch.arange(count) + origin[axis]) * ((small - 1) / (2 * small - 1)) - origin[
            axis
        ] // 2
        grids.append(2 * position / max(1, deep.shape[-2 + axis] - 1) - 1)
    grid = torch.stack(
        [grids[1].expand(len(grids[0]), -1), grids[0].unsqueeze(1).expand(-1, len(grids[1]))], -1
    )
    doubled = F.grid_sample(
        deep,
        grid.expand(len(deep), -1, -1, -1).to(deep),
        mode="bilinear",
        padding_mode="border",
        align_corners=True,
    )
    # An odd whole size has one more row or column, which is zero.
    for axis in (0, 1):
        beyond = 2 * (size[axis] // 2) - origin[axis]
        if beyond < doubled.shape[-2 + axis]:
            doubled.narrow(
                axis - 2, max(0, beyond), doubled.shape[-2 + axis] - max(0, beyond)
            ).zero_()
    return torch.cat([skip, doubled], 1)
