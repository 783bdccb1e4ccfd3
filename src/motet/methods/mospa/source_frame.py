"""Motion in the axes of the source: what goes towards a sound or away from it is the same motion
wherever the sound is.

A network that only knows the figure's own axes has to learn every reaction anew for each direction.
With the same numbers also in axes whose +Z points at the source, it learns "three steps that way"
once.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from motet.body.feature_vector import DIM, JOINTS, POSITIONS, ROTATIONS, VELOCITIES

ROOT_ROWS = slice(ROTATIONS.start, ROTATIONS.start + 6)
"""Of the body vector: the first two rows of the pelvis' rotation. A turn mixes rows 0 and 2, so in
the source's axes these six numbers are the rows 0 and 2, and row 1 is left to the figure's own
axes."""
MOVED = 6 * JOINTS
"""Channels that rotate independently of the others: positions and velocities."""


def source_direction(
    source: Float[Tensor, "batch frames coordinates"],
) -> Float[Tensor, "batch frames 2"]:
    """Cosine and sine of the source's azimuth (0: ahead, +Z; positive to the left, +X); zeros where
    there is no source.
    """
    return F.normalize(source[..., [2, 0]], dim=-1)


def in_source_axes(
    values: Float[Tensor, "batch frames dim"], direction: Float[Tensor, "batch frames 2"]
) -> Float[Tensor, "batch frames moved"]:
    """Places and velocities of body vectors in the source's axes."""
    vectors = torch.cat([values[..., POSITIONS], values[..., VELOCITIES]], -1).unflatten(
        -1, (2 * JOINTS, 3)
    )
    return _turned(vectors, direction[..., 0], -direction[..., 1]).flatten(-2)


def from_source_axes(
    values: Float[Tensor, "batch frames dim"], direction: Float[Tensor, "batch frames 2"]
) -> Float[Tensor, "batch frames dim"]:
    """Body vectors in the source's axes as the figure's own; of rotations only those of the pelvis
    are looked at.
    """
    cosine, sine = direction[..., 0], direction[..., 1]
    positions = _turned(values[..., POSITIONS].unflatten(-1, (JOINTS, 3)), cosine, sine).flatten(-2)
    velocities = _turned(values[..., VELOCITIES].unflatten(-1, (JOINTS, 3)), cosine, sine).flatten(
        -2
    )
    first, third = values[..., ROOT_ROWS].chunk(2, -1)
    row = cosine.unsqueeze(-1) * first + sine.unsqueeze(-1) * third
    rotations = F.pad(row, (0, DIM - 6 * JOINTS - 3))
    return torch.cat([positions, rotations, velocities], -1)


def _turned(
    vectors: Float[Tensor, "batch frames points 3"], cosine: Tensor, sine: Tensor
) -> Float[Tensor, "batch frames points 3"]:
    """Turned about the vertical; without a direction (both zero) only heights are left."""
    x, y, z = vectors.unbind(-1)
    cosine, sine = cosine.unsqueeze(-1), sine.unsqueeze(-1)
    return torch.stack([cosine * x + sine * z, y, cosine * z - sine * x], -1)
