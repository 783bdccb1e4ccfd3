"""How much of the teeth is seen: the number of a mouth's shape that landmarks do not hold.

Two mouths open equally far show teeth or none, as lips are drawn up or not. Without this number an
exemplar without teeth is as good as one with them, and teeth come and go.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from motet.geometry.polygon import inside
from motet.methods.speech2lip.exemplar.shape import BESIDE, INNER
from motet.methods.speech2lip.person.folder import Person

_SIDE = 40
"""The mouth is looked at on so many points each way, corner to corner."""
_DARK, _LIGHT = 0.4, 0.6
"""Brightness over the skin's from which on something between the lips begins to count, and counts
in full."""
_TOGETHER = 32


def teeth_of(person: Person) -> Float[Tensor, " frames"]:
    """Teeth seen in every frame of the footage, in squares of the mouth's width."""
    crops, points = person.crops, person.track.landmarks
    parts = []
    for rows in torch.arange(person.facts.frames).split(_TOGETHER):
        pictures = np.stack([crops.frame(frame) for frame in rows.tolist()])
        parts.append(teeth_seen(torch.from_numpy(pictures), points[rows]))
    return torch.cat(parts)


def teeth_seen(
    pictures: UInt8[Tensor, "some size size 3"], points: Float[Tensor, "some 478 2"]
) -> Float[Tensor, " some"]:
    """Bright points between the lips, none redder than the cheeks (lips, gums and tongue are)."""
    corner, across = points[:, 61], points[:, 291] - points[:, 61]
    down = torch.stack([-across[:, 1], across[:, 0]], -1)
    share = (torch.arange(_SIDE) + 0.5) / _SIDE
    # (some, rows, columns, 2): from corner to corner, half as far up and down
    grid = corner[:, None, None] + share[:, None] * across[:, None, None]
    grid = grid + (share - 0.5)[:, None, None] * down[:, None, None]
    grid = grid.flatten(1, 2)
    colour = looked_at(pictures, grid)
    skin = looked_at(pictures, points[:, list(BESIDE)]).mean(1, keepdim=True)
    light = colour.mean(-1) / skin.mean(-1).clamp(min=1)
    bright = ((light - _DARK) / (_LIGHT - _DARK)).clamp(0, 1)
    red, usual = (c[..., 0] / c[..., 1].clamp(min=4) for c in (colour, skin))
    seen = bright * (red < usual) * inside(points[:, list(INNER)], grid)
    return seen.sum(1) / _SIDE**2


def looked_at(
    pictures: UInt8[Tensor, "some size size 3"], points: Float[Tensor, "some many 2"]
) -> Float[Tensor, "some many 3"]:
    """Colours of the pixels nearest to points, 0..255."""
    size = pictures.shape[1]
    at = points.round().long().clamp(0, size - 1)
    rows = torch.arange(len(pictures))[:, None]
    return pictures[rows, at[..., 1], at[..., 0]].float()
