"""Drawn lips into a picture, the published way: paste on the canonical face, warp into the frame,
mask, whole frame through Blend-Net.

The fast way, which looks only at the mouth's surroundings, is in `mouth.py`; it gives the same
colours there.
"""

from __future__ import annotations

import dataclasses

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from motet.methods.speech2lip.geometry import sample
from motet.methods.speech2lip.person.folder import Box


@dataclasses.dataclass(frozen=True)
class Scene:
    """What a frame is made of besides the lips. All pictures 0..1."""

    canonical: Float[Tensor, "batch 3 height width"]
    observed: Float[Tensor, "batch 3 height width"]
    grid: Float[Tensor, "batch height width 2"]
    """For each observed pixel its position in the canonical frame, clamped to [-1, 1]."""
    lip: Box
    lip_mask: Float[Tensor, "batch 1 height width"] | None = None
    """How much of a canonical pixel is drawn; None: all of the lip box."""


@dataclasses.dataclass(frozen=True)
class Swap:
    """The draws of the pixel-swap augmentation: 1 keeps a pixel, 0 takes it from the other
    picture.
    """

    warped: Float[Tensor, "batch 1 height width"]
    observed: Float[Tensor, "batch 1 height width"]


def paste(
    lips: Float[Tensor, "batch 3 rows columns"], scene: Scene, shift: int = 0
) -> Float[Tensor, "batch 3 height width"]:
    """The canonical face with the drawn lips on it.

    Args:
        shift: pixels that the lips lie too far up and left. The released code has 1 for every
            person it does not know by name.
    """
    height, width = scene.canonical.shape[-2:]
    box = scene.lip
    mask = (
        scene.lip_mask
        if scene.lip_mask is not None
        else _rectangle(
            scene.canonical, box.top, box.top + box.height, box.left, box.left + box.width
        )
    )
    # `shift` repeats an off-by-one of the released program where that is asked for.
    left, top = box.left - shift, box.top - shift
    padded = F.pad(lips, (left, width - left - box.width, top, height - top - box.height))
    return mask * padded + (1 - mask) * scene.canonical


def redrawn(scene: Scene, exact: bool = False) -> Float[Tensor, "batch 1 height width"]:
    """1 where the observed frame is replaced: the lip box with a margin (a fifth of its width,
    below twice that), warped.
    """
    # The margin gives Blend-Net filmed and drawn skin to blend across.
    box, margin = scene.lip, scene.lip.width // 5
    rectangle = _rectangle(
        scene.canonical,
        box.top - margin,
        box.top + box.height + 2 * margin,
        box.left - margin,
        box.left + box.width + margin,
    )
    return (sample(rectangle, scene.grid, exact) != 0).to(rectangle)


def blend_input(
    merged: Float[Tensor, "batch 3 height width"],
    scene: Scene,
    swap: Swap | None = None,
    exact: bool = False,
) -> Float[Tensor, "batch 3 height width"]:
    """The warped canonical face inside the redrawn region, the real frame around it."""
    warped, observed = sample(merged, scene.grid, exact), scene.observed
    if swap is not None:
        # Exactly 1 after bilinear look-up: wholly inside the face.
        # Outside the face the canonical picture is black.
        inside = sample((scene.canonical > 0).to(merged), scene.grid, exact) == 1
        # Pixels change between both pictures: the border of drawn pixels cannot be recognised by
        # its texture.
        first = torch.where(inside & (swap.warped == 0), observed, warped)
        second = torch.where(inside & (swap.observed == 0), warped, observed)
        warped, observed = first, second
    mask = redrawn(scene, exact)
    return mask * warped + (1 - mask) * observed


def _rectangle(
    like: Tensor, top: int, bottom: int, left: int, right: int
) -> Float[Tensor, "batch 1 height width"]:
    mask = torch.zeros(len(like), 1, *like.shape[-2:], dtype=like.dtype, device=like.device)
    mask[:, :, max(0, top) : max(0, bottom), max(0, left) : max(0, right)] = 1
    return mask
