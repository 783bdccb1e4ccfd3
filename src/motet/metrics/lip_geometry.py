"""From weights to lips in metres: a linear map of the blendshapes, head at rest.

Conventions: the figure's own frame (+Y up, +Z front, metres), head at rest. Opening is the height
of the lower edge of the upper lip over the upper edge of the lower lip at the middle of the mouth:
positive is open, negative would be lips inside one another. Width is the distance of the mouth's
corners.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from motet.errors import SpaceError
from motet.metrics.metric import check_fps, check_series
from motet.types import Motion

if TYPE_CHECKING:
    from motet.rigs.house import HouseRig


@dataclasses.dataclass(frozen=True)
class LipMotion:
    """A mouth over time, measured on a figure or tracked on a person."""

    opening: Float[Tensor, " frames"]
    """Inner-lip opening; metres on a figure, any unit where only correlation is asked of it."""
    fps: float
    lips: Float[Tensor, "frames lips 3"] | None = None
    """Lip vertices, metres, head at rest; absent for tracked speakers."""

    def __post_init__(self) -> None:
        check_fps(self.fps)
        check_series(self.opening, 1, "lip opening")
        if self.lips is not None:
            check_series(self.lips, 3, "lip vertices")


@dataclasses.dataclass(frozen=True)
class LipGeometry:
    """Where the lips of one figure are for any blendshape weights."""

    rest: Float[Tensor, "lips 3"]
    """Lip vertices of the neutral face, metres."""
    shapes: Float[Tensor, "52 lips 3"]
    """Displacement of each lip vertex by each shape at weight 1, metres."""
    upper: tuple[int, ...]
    """Lip vertices along the middle of the upper inner edge."""
    lower: tuple[int, ...]
    """The same along the lower inner edge."""
    corners: tuple[int, int]
    """Left and right corner of the mouth."""

    def lips(self, motion: Motion) -> Float[Tensor, "*batch frames lips 3"]:
        """Lip vertices of a motion in the house space, float64."""
        return self.rest.double() + torch.einsum(  # s shapes, v vertices, c coordinates
            "...s,svc->...vc", _weights(motion), self.shapes.double()
        )

    def opening(self, motion: Motion) -> Float[Tensor, "*batch frames"]:
        """Inner-lip opening, metres."""
        lips = self.lips(motion)[..., 1]  # (*batch, frames, lips): heights
        return lips[..., list(self.upper)].mean(-1) - lips[..., list(self.lower)].mean(-1)

    def width(self, motion: Motion) -> Float[Tensor, "*batch frames"]:
        """Distance of the corners of the mouth, metres."""
        lips = self.lips(motion)
        return (lips[..., self.corners[0], :] - lips[..., self.corners[1], :]).norm(dim=-1)

    def measure(self, motion: Motion) -> LipMotion:
        """The mouth of one motion without batch axes."""
        return LipMotion(self.opening(motion), motion.space.fps, self.lips(motion))


def lip_geometry_of(rig: HouseRig) -> LipGeometry:
    """Both lips of a house figure, the middles of their inner edges, the corners."""
    # Without repeats: the middle of the inner edge is a lip vertex too.
    used = list(
        dict.fromkeys([*rig.lips.tolist(), *rig.inner_lip.tolist(), *rig.mouth_corner.tolist()])
    )
    upper, lower, left, right = (
        used.index(vertex) for vertex in (*rig.inner_lip.tolist(), *rig.mouth_corner.tolist())
    )
    return LipGeometry(
        rig.vertices[used], rig.shape_deltas()[:, used], (upper,), (lower,), (left, right)
    )


def _weights(motion: Motion) -> Float[Tensor, "*batch frames 52"]:
    names = [track.name for track in motion.space.tracks]
    if "blendshapes" not in names:
        raise SpaceError(
            f"lips are measured on blendshapes; the space {motion.space.name!r} has"
            f" {', '.join(names)}: convert it with motion.to(arkit_space())"
        )
    return motion["blendshapes"].double()
