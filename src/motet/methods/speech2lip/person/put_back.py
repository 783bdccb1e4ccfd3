"""The surroundings of the mouth cut out of filmed pictures, and drawn ones put back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from motet.methods.speech2lip.person.folder import PersonFacts
from motet.methods.speech2lip.person.mouth_region import Mouth, Pictures


def filmed_regions(
    mouth: Mouth, crops: Sequence[UInt8[np.ndarray, "size size 3"]], frames: Sequence[int]
) -> Float[Tensor, "frames 3 h w"]:
    """The surroundings of the mouth in the crops of some frames, 0..1."""
    cut = [mouth.cut(crop, frame) for crop, frame in zip(crops, frames, strict=True)]
    return torch.from_numpy(np.stack(cut)).movedim(-1, 1).float() / 255


def composed(
    mouth: Mouth,
    scene: Pictures,
    frames: Sequence[int],
    drawn: Float[Tensor, "frames 3 h w"],
    filmed: Float[Tensor, "frames 3 h w"],
    share: Float[Tensor, "frames 1 h w"],
) -> UInt8[np.ndarray, "frames height width 3"]:
    """Whole pictures with drawn regions; frames that are skipped stay as filmed."""
    pictures = []
    for k, frame in enumerate(frames):
        picture = scene.frame(frame)
        if not mouth.facts.is_skipped(frame):
            corner = int(mouth.left[frame]), int(mouth.top[frame])
            picture = put_back(picture, corner, mouth.facts, drawn[k], filmed[k], share[k])
        pictures.append(picture)
    return np.stack(pictures)


def put_back(
    picture: UInt8[np.ndarray, "height width 3"],
    corner: tuple[int, int],
    facts: PersonFacts,
    drawn: Float[Tensor, "3 h w"],
    filmed: Float[Tensor, "3 h w"],
    share: Float[Tensor, "1 h w"],
) -> UInt8[np.ndarray, "height width 3"]:
    """Put a region into the whole picture.

    Where little is drawn the change is added, so that the picture keeps its own grain and
    sharpness. Where all is drawn nothing of the picture stays: it has fine edges of the filmed lips
    that the crop has lost, and these would lie as specks over the drawn lips.

    Args:
        corner: column and row of the region's first pixel in the crop.
    """
    # (7, h, w): change, filmed, share
    parts = torch.cat([(drawn - filmed) * 255, filmed * 255, share])
    left, top = corner
    crop, scale = facts.crop, facts.crop.width / facts.size
    height, width = parts.shape[1:]
    x0, y0 = round(crop.left + left * scale), round(crop.top + top * scale)
    x1, y1 = round(crop.left + (left + width) * scale), round(crop.top + (top + height) * scale)
    if (y1 - y0, x1 - x0) != (height, width):
        # The change is resized, not the picture: the rest of the frame stays as sharp as it was
        # filmed.
        parts = nn.functional.interpolate(
            parts[None], (y1 - y0, x1 - x0), mode="bicubic", align_corners=False
        )[0]
    result = picture.copy()
    inside = result[max(0, y0) : y1, max(0, x0) : x1]
    parts = parts[
        :,
        max(0, -y0) : max(0, -y0) + inside.shape[0],
        max(0, -x0) : max(0, -x0) + inside.shape[1],
    ]
    change, crop_pixels, weight = (part.movedim(0, -1).numpy() for part in parts.split([3, 3, 1]))
    # Film grain that the stored crop has lost; it stays where little is drawn.
    grain = (1 - weight.clip(0, 1)) * (inside - crop_pixels)
    inside[:] = (crop_pixels + grain + change).clip(0, 255).round().astype(np.uint8)
    return result
