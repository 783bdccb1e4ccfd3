"""A head that looks at what it attends to.

A small denoiser turns towards a source, but often past it or not far enough. What the head still
misses is added about the vertical, shared by neck and spine, as a damped movement. Twists that no
neck reaches are left to `neck_limit`, where the pelvis follows.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from motet.body.skeleton import house_offsets
from motet.geometry.kinematics import forward_kinematics
from motet.geometry.rotation import matrix_from_axis_angle
from motet.types import SMPLX25_JOINTS, SMPLX25_PARENTS

SHARES = {"spine1": 0.1, "spine2": 0.2, "spine3": 0.35, "neck": 0.7, "head": 1.0}
"""How much of the turn each joint has in the world; the pelvis has none."""
MOST_RAD = np.radians(120.0)
DELAY_S = 0.25
"""Time from when a source is attended to until the head begins to turn."""
RATE = 5.0
"""Of the critically damped movement, 1/s: nine tenths of the way in 0.8 s."""
SHARE = 0.9
"""People look a little beside the source."""
HEAD = SMPLX25_JOINTS.index("head")


def look_at(
    root: Float[Tensor, "frames 3"],
    rotations: Float[Tensor, "frames joints 3 3"],
    source: Float[Tensor, "frames 3"],
    known: int,
    fps: float,
) -> Float[Tensor, "frames joints 3 3"]:
    """Rotations whose head turns to a source.

    Args:
        source: position in the axes of `root`, metres; NaN where nothing is looked at.
        known: so many frames at the start stay as they are.
    """
    is_due = torch.isfinite(source).all(-1).numpy()
    if not is_due[known:].any():
        return rotations
    offsets = house_offsets().to(root)
    turns, positions = forward_kinematics(rotations, root, offsets, SMPLX25_PARENTS)
    front = turns[:, HEAD, :, 2]
    offset = torch.nan_to_num(source - positions[:, HEAD])
    yaw, bearing = (torch.atan2(v[:, 0], v[:, 2]).double().numpy() for v in (front, offset))
    missed = (bearing - yaw + np.pi) % (2 * np.pi) - np.pi
    missed = SHARE * np.where(_delayed(is_due, fps), np.clip(missed, -MOST_RAD, MOST_RAD), 0.0)
    return _turned(rotations, turns, _damped(missed, known, fps), known)


def _delayed(is_due: np.ndarray, fps: float) -> np.ndarray:
    """The same without the first moments of each stretch that begins in these frames."""
    delay, result = round(DELAY_S * fps), is_due.copy()
    for begin in np.flatnonzero(is_due[1:] & ~is_due[:-1]) + 1:
        result[begin : begin + delay] = False
    return result


def _damped(
    target: Float[np.ndarray, " frames"], known: int, fps: float
) -> Float[np.ndarray, " frames"]:
    """A critically damped movement after a target, from rest at the last known frame."""
    result, angle, speed = np.zeros(len(target)), 0.0, 0.0
    for frame in range(max(known, 1), len(target)):
        speed += (RATE**2 * (target[frame] - angle) - 2 * RATE * speed) / fps
        angle += speed / fps
        result[frame] = angle
    return result


def _turned(
    rotations: Float[Tensor, "frames joints 3 3"],
    turns: Float[Tensor, "frames joints 3 3"],
    angle: Float[np.ndarray, " frames"],
    known: int,
) -> Float[Tensor, "frames joints 3 3"]:
    """The joints of `SHARES` turned about the vertical in the world, those above with them."""
    world, result = turns.clone(), rotations.clone()
    axis = torch.zeros(len(angle), 3).to(rotations)
    for name, share in SHARES.items():
        joint = SMPLX25_JOINTS.index(name)
        axis[:, 1] = torch.from_numpy(share * angle).to(rotations)
        world[:, joint] = matrix_from_axis_angle(axis) @ turns[:, joint]
        result[:, joint] = world[:, SMPLX25_PARENTS[joint]].mT @ world[:, joint]
    result[:known] = rotations[:known]
    return result
