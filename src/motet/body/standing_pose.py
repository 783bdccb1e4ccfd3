"""The relaxed standing pose in which takes and corpora begin: arms hanging, knees soft.

(The rest pose of the skeleton, with straight arms to the sides, is no pose that people stand in.)
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from motet.geometry.rotation import matrix_from_axis_angle
from motet.types import SMPLX25_JOINTS

PELVIS_HEIGHT_M = 0.9055
_LEFT_AND_MIDDLE: dict[str, tuple[float, float, float]] = {
    "pelvis": (0.03, 0.0, 0.0),
    "spine1": (-0.01, 0.0, 0.0),
    "spine2": (-0.01, 0.0, 0.0),
    "spine3": (-0.01, 0.0, 0.0),
    "left_hip": (-0.1123, 0.1692, -0.0108),
    "left_knee": (0.1977, 0.0047, 0.0108),
    "left_ankle": (-0.1162, -0.0730, 0.0085),
    "left_collar": (0.0, 0.0, -0.06),
    "left_shoulder": (0.0259, -0.0190, -1.2699),
    "left_elbow": (0.0, -0.25, 0.0),
}
"""Axis-angle of each joint that is not straight; right joints are mirrored."""


def standing_rotations() -> Float[Tensor, "joints 3 3"]:
    """Local rotations of the pose."""
    rows = []
    for name in SMPLX25_JOINTS:
        x, y, z = _LEFT_AND_MIDDLE.get(name.replace("right", "left"), (0.0, 0.0, 0.0))
        # A mirror in the plane x = 0 keeps turns about X and reverses those about Y and Z.
        sign = -1.0 if name.startswith("right") else 1.0
        rows.append((x, sign * y, sign * z))
    return matrix_from_axis_angle(torch.tensor(rows))


def standing_root() -> Float[Tensor, "3"]:
    """Position of the pelvis at the origin of the floor, metres."""
    return torch.tensor([0.0, PELVIS_HEIGHT_M, 0.0])
