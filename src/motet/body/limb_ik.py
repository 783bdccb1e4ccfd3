"""Two-bone limbs solved for where their end shall be."""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Float

REACH = 0.9985
"""A limb is never stretched further than this part of its length: a straight knee snaps."""


@dataclasses.dataclass(frozen=True)
class Limb:
    """Rest geometry of an arm or a leg."""

    upper: Float[np.ndarray, "3"]
    """From the first joint to the middle one, in the rest pose."""
    lower: Float[np.ndarray, "3"]
    """From the middle joint to the last."""
    axis: Float[np.ndarray, "3"]
    """Axis about which the middle joint bends, in the rest pose: turning the lower bone about it by
    a positive angle bends the limb."""


def solve(
    limb: Limb,
    start: Float[np.ndarray, "frames 3"],
    goal: Float[np.ndarray, "frames 3"],
    pole: Float[np.ndarray, "frames 3"],
) -> tuple[Float[np.ndarray, "frames 3 3"], Float[np.ndarray, "frames 3 3"]]:
    """World rotations of the upper and the lower bone that bring the limb's end to the goal, or
    towards it when it is too far.

    Args:
        limb: the bones at rest.
        start: place of the first joint.
        goal: where the end shall be.
        pole: direction in which the middle joint shall point.
    """
    a, b = np.linalg.norm(limb.upper), np.linalg.norm(limb.lower)
    line = goal - start
    length = np.linalg.norm(line, axis=-1, keepdims=True)
    line = line / length.clip(1e-9)
    reach = np.clip(length, abs(a - b) * 1.05 + 1e-6, (a + b) * REACH)
    side = pole - (pole * line).sum(-1, keepdims=True) * line
    side /= np.linalg.norm(side, axis=-1, keepdims=True).clip(1e-9)
    cosine = ((a * a + reach**2 - b * b) / (2 * a * reach)).clip(-1, 1)
    middle = a * (cosine * line + np.sqrt(1 - cosine**2) * side)
    lower = reach * line - middle
    # The lower bone turns from the upper one's direction away from the pole: about side x line.
    axis = np.cross(side, line)
    return _aligned(limb.upper, limb.axis, middle, axis), _aligned(
        limb.lower, limb.axis, lower, axis
    )


def _aligned(
    bone: np.ndarray, axis: np.ndarray, direction: np.ndarray, turned_axis: np.ndarray
) -> np.ndarray:
    """Rotation that takes a rest bone to a direction and its bending axis as near as possible to
    another.
    """
    return _frame(direction, turned_axis) @ np.swapaxes(_frame(bone[None], axis[None]), -1, -2)


def _frame(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    x = first / np.linalg.norm(first, axis=-1, keepdims=True).clip(1e-9)
    y = second - (second * x).sum(-1, keepdims=True) * x
    y /= np.linalg.norm(y, axis=-1, keepdims=True).clip(1e-9)
    return np.stack([x, y, np.cross(x, y)], axis=-1)
