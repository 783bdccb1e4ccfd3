"""Analytic inverse kinematics of two-bone limbs (arms and legs)."""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Float

REACH = 0.9985
"""Largest extension of a limb, as a fraction of its length: a fully straight knee snaps."""


@dataclasses.dataclass(frozen=True)
class Limb:
    """Rest geometry of an arm or a leg."""

    upper: Float[np.ndarray, "3"]
    """From the first joint to the middle one, in the rest pose."""
    lower: Float[np.ndarray, "3"]
    """From the middle joint to the last."""
    axis: Float[np.ndarray, "3"]
    """Bending axis of the middle joint in the rest pose. A positive angle of the lower bone about
    it bends the limb."""


def solve(
    limb: Limb,
    start: Float[np.ndarray, "frames 3"],
    goal: Float[np.ndarray, "frames 3"],
    pole: Float[np.ndarray, "frames 3"],
) -> tuple[Float[np.ndarray, "frames 3 3"], Float[np.ndarray, "frames 3 3"]]:
    """World rotations of the upper and the lower bone that bring the limb's end to the goal.

    A goal out of reach is approached as far as the limb extends.

    Args:
        limb: the bones at rest.
        start: position of the first joint.
        goal: target position of the limb's end.
        pole: direction in which the middle joint points.
    """
    a, b = np.linalg.norm(limb.upper), np.linalg.norm(limb.lower)
    distance = np.linalg.norm(goal - start, axis=-1, keepdims=True)
    line = (goal - start) / distance.clip(1e-9)
    reach = np.clip(distance, abs(a - b) * 1.05 + 1e-6, (a + b) * REACH)
    side = pole - (pole * line).sum(-1, keepdims=True) * line
    side /= np.linalg.norm(side, axis=-1, keepdims=True).clip(1e-9)
    # Law of cosines: angle at the first joint between the upper bone and the line to the goal.
    cosine = ((a * a + reach**2 - b * b) / (2 * a * reach)).clip(-1, 1)
    upper = a * (cosine * line + np.sqrt(1 - cosine**2) * side)
    lower = reach * line - upper
    # The lower bone bends away from the pole, so its axis is side x line.
    axis = np.cross(side, line)
    upper_rotation = _align(limb.upper, limb.axis, upper, axis)
    return upper_rotation, _align(limb.lower, limb.axis, lower, axis)


def _align(
    bone: np.ndarray, axis: np.ndarray, direction: np.ndarray, world_axis: np.ndarray
) -> np.ndarray:
    """Rotation from a rest bone to a direction, its bending axis as near as possible to another."""
    rest = orthonormal_frame(bone[None], axis[None])
    return orthonormal_frame(direction, world_axis) @ np.swapaxes(rest, -1, -2)


def orthonormal_frame(
    first: Float[np.ndarray, "*batch 3"], second: Float[np.ndarray, "*batch 3"]
) -> Float[np.ndarray, "*batch 3 3"]:
    """Right-handed axes as columns: the first direction, then the second made orthogonal to it."""
    x = first / np.linalg.norm(first, axis=-1, keepdims=True).clip(1e-9)
    y = second - (second * x).sum(-1, keepdims=True) * x
    y /= np.linalg.norm(y, axis=-1, keepdims=True).clip(1e-9)
    return np.stack([x, y, np.cross(x, y)], axis=-1)
