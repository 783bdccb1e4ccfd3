"""Lip shapes from tracked points, as the sync expert takes them: upright, as large as the
mouth, left and right alike, in few numbers.
"""

from __future__ import annotations

import dataclasses

import torch
from jaxtyping import Float
from torch import Tensor

LIPS = (
    *(61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291), *(375, 321, 405, 314, 17, 84, 181, 91, 146),
    *(78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308), *(324, 318, 402, 317, 14, 87, 178, 88, 95),
)  # fmt: skip
"""The landmarker's points of the lips: outer upper, outer lower, inner upper and inner lower
rim."""
EYES, CORNERS = (33, 263), (61, 291)
_RIMS = (0, 11, 20, 31, 40)
_MIRRORED = torch.cat([torch.arange(a, b).flip(0) for a, b in zip(_RIMS, _RIMS[1:], strict=False)])


def lip_outline(
    points: Float[Tensor, "frames points 2"], numbers: list[int]
) -> Float[Tensor, "frames 80"]:
    """The 40 points of the lips about their centre, the eyes level, the mouth's mean width 1,
    halves averaged.

    Args:
        numbers: which of the landmarker's points each one is.
    """
    row_of = {number: k for k, number in enumerate(numbers)}
    left, right = (points[:, row_of[number]] for number in EYES)
    roll = torch.atan2((right - left)[:, 1], (right - left)[:, 0])
    width = (points[:, row_of[CORNERS[0]]] - points[:, row_of[CORNERS[1]]]).norm(dim=-1).mean()
    lips = points[:, [row_of[number] for number in LIPS]]
    lips = (lips - lips.mean(1, keepdim=True)) / width
    cosine, sine = roll.cos().unsqueeze(1), roll.sin().unsqueeze(1)
    upright = torch.stack(
        [cosine * lips[..., 0] + sine * lips[..., 1], cosine * lips[..., 1] - sine * lips[..., 0]],
        -1,
    )
    other = upright[:, _MIRRORED] * torch.tensor([-1.0, 1.0])
    return ((upright + other) / 2).flatten(1)


@dataclasses.dataclass(frozen=True)
class ShapeSpace:
    """The directions in which lips move most."""

    basis: Float[Tensor, "80 shape"]

    @classmethod
    def of(cls, outlines: Float[Tensor, "frames 80"], size: int) -> ShapeSpace:
        """Principal directions; the small ones are stretched (by the root of what would make all
        alike), or the first alone would count.
        """
        directions = torch.linalg.svd(outlines - outlines.mean(0), full_matrices=False)[2][:size].T
        spread = (outlines @ directions).std(0)
        return cls(directions / (spread * spread[0]).sqrt())

    def shapes(self, outlines: Float[Tensor, "frames 80"]) -> Float[Tensor, "frames shape"]:
        """Numbers about the mean of these frames."""
        return (outlines - outlines.mean(0)) @ self.basis
