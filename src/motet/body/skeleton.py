"""The skeleton of the motion space `smplx25`: rest pose, joints in the world, and back."""

from __future__ import annotations

import dataclasses

import torch
from jaxtyping import Float
from torch import Tensor

from motet.geometry.kinematics import forward_kinematics
from motet.geometry.rotation import matrix_from_6d_rows, rotation_6d_rows
from motet.types import SMPLX25_JOINTS, SMPLX25_PARENTS, Motion, MotionSpace, smplx25_space

STANDING_HEIGHT_M = 0.9095
"""Height of the pelvis above the floor when the house skeleton stands in its rest pose."""
BALL_HEIGHT_M, ANKLE_HEIGHT_M = 0.027, 0.069
"""Heights of the joints `foot` (ball) and `ankle` above the floor under a flat foot."""

# Bone lengths of the house figure (1.63 m) with arms stretched to the sides and straight legs, to
# the millimetre where it matters. Joints that the figure lacks (jaw, pelvis against hips) are
# where an adult has them.
_LEFT_AND_MIDDLE = {
    "pelvis": (0.0, 0.0, 0.0),
    "left_hip": (0.0967, -0.0750, 0.0040),
    "spine1": (0.0, 0.0750, -0.0100),
    "left_knee": (0.0100, -0.3785, 0.0100),
    "spine2": (0.0, 0.1050, 0.0050),
    "left_ankle": (0.0060, -0.3870, 0.0040),
    "spine3": (0.0, 0.0850, 0.0080),
    "left_foot": (0.0100, -0.0420, 0.1270),
    "neck": (0.0, 0.2000, -0.0020),
    "left_collar": (0.0228, 0.1300, 0.0180),
    "head": (0.0, 0.1050, 0.0410),
    "left_shoulder": (0.1361, -0.0150, -0.0010),
    "left_elbow": (0.2360, 0.0, 0.0),
    "left_wrist": (0.2190, 0.0, 0.0),
    "jaw": (0.0, -0.0050, 0.0250),
    "left_eye": (0.0275, 0.0355, 0.0707),
}


def house_offsets() -> Float[Tensor, "joints 3"]:
    """Offset of each of the 25 joints from its parent in the rest pose, metres.

    Left and right are mirror images.
    """
    rows = []
    for name in SMPLX25_JOINTS:
        x, y, z = _LEFT_AND_MIDDLE[name.replace("right", "left")]
        rows.append((-x if name.startswith("right") else x, y, z))
    return torch.tensor(rows)


@dataclasses.dataclass(frozen=True)
class BodyPose:
    """World rotation and position of every joint."""

    rotations: Float[Tensor, "*batch frames joints 3 3"]
    positions: Float[Tensor, "*batch frames joints 3"]
    """Metres."""

    def joint(self, name: str) -> Float[Tensor, "*batch frames 3"]:
        """Positions of one joint by name."""
        return self.positions[..., SMPLX25_JOINTS.index(name), :]

    def turn(self, name: str) -> Float[Tensor, "*batch frames 3 3"]:
        """World rotations of one joint by name."""
        return self.rotations[..., SMPLX25_JOINTS.index(name), :, :]


def local_rotations(motion: Motion) -> Float[Tensor, "*batch frames joints 3 3"]:
    """Rotation matrix of each joint against its parent, for a motion in `smplx25`."""
    return matrix_from_6d_rows(motion["joints"])


def pose_body(motion: Motion, offsets: Float[Tensor, "joints 3"] | None = None) -> BodyPose:
    """World joints of a motion in `smplx25`, on the house skeleton unless offsets are given."""
    offsets = (house_offsets() if offsets is None else offsets).to(motion.values)
    rotations = local_rotations(motion)
    return BodyPose(*forward_kinematics(rotations, motion["root"], offsets, SMPLX25_PARENTS))


def body_motion(
    root: Float[Tensor, "*batch frames 3"],
    rotations: Float[Tensor, "*batch frames joints 3 3"],
    fps: float = 30.0,
) -> Motion:
    """A motion in `smplx25` from root positions (metres) and local rotation matrices."""
    space: MotionSpace = smplx25_space(fps)
    return Motion(torch.cat([root, rotation_6d_rows(rotations).flatten(-2)], -1), space)


def heading(rotation: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch"]:
    """Yaw of a joint, radians counter-clockwise seen from above; 0 is +Z, pi/2 is the left (+X)."""
    return torch.atan2(rotation[..., 0, 2], rotation[..., 2, 2])
