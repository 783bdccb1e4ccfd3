"""MOSPA's 300 body features a frame: joint positions, rotations and velocities side by side.

The features are redundant on purpose: a network that must predict positions, rotations and
velocities at once predicts each of them better. Decoding reads the root and the rotations only.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from motet.body.skeleton import body_motion, house_offsets
from motet.geometry.kinematics import forward_kinematics
from motet.geometry.rotation import matrix_from_6d_rows, matrix_from_axis_angle, rotation_6d_rows
from motet.types import SMPLX25_JOINTS, SMPLX25_PARENTS, Motion

JOINTS = len(SMPLX25_PARENTS)
ROOT = slice(0, 3)
POSITIONS = slice(0, 3 * JOINTS)
"""World positions of the root and then of the joints 1 to 24, metres."""
ROTATIONS = slice(3 * JOINTS, 9 * JOINTS)
"""First two rows of each joint's rotation matrix; the root's is against the world."""
VELOCITIES = slice(9 * JOINTS, 12 * JOINTS)
"""Change of each position, metres per 1/120 s (also where only every fourth frame is kept)."""
DIM = 12 * JOINTS
_MIRRORED_JOINT = [
    SMPLX25_JOINTS.index(name.replace("left", "*").replace("right", "left").replace("*", "right"))
    for name in SMPLX25_JOINTS
]


def encode_body(
    root: Float[Tensor, "*batch frames 3"],
    rotations: Float[Tensor, "*batch frames joints 3 3"],
    offsets: Float[Tensor, "joints 3"] | None = None,
    *,
    frames_between: float = 1.0,
) -> Float[Tensor, "*batch frames dim"]:
    """Feature vectors of a body; the last frame has zero velocity.

    Args:
        offsets: rest skeleton; the house skeleton when left out.
        frames_between: frames of 1/120 s from one row to the next: 1 for rows at 120 fps, 4 for
            rows at 30 fps. With 4, the velocity is the mean over the four frames.
    """
    offsets = house_offsets() if offsets is None else offsets
    _, positions = forward_kinematics(rotations, root, offsets.to(root), SMPLX25_PARENTS)
    return body_vector(positions, rotations, frames_between=frames_between)


def body_vector(
    positions: Float[Tensor, "*batch frames joints 3"],
    rotations: Float[Tensor, "*batch frames joints 3 3"],
    *,
    frames_between: float = 1.0,
) -> Float[Tensor, "*batch frames dim"]:
    """Feature vectors from world positions (the root first) and local rotations of the joints."""
    velocity = torch.zeros_like(positions)
    velocity[..., :-1, :, :] = positions.diff(dim=-3) / frames_between
    return _joined(positions, rotation_6d_rows(rotations), velocity)


def _split(vector: Float[Tensor, "*batch dim"]) -> tuple[Tensor, Tensor, Tensor]:
    """Positions (batch, joints, 3), 6D rows (batch, joints, 6), velocities (batch, joints, 3)."""
    positions, rows, velocity = vector.split([3 * JOINTS, 6 * JOINTS, 3 * JOINTS], -1)
    split = (part.unflatten(-1, (JOINTS, -1)) for part in (positions, rows, velocity))
    return tuple(split)  # type: ignore[return-value]


def _joined(positions: Tensor, rows: Tensor, velocity: Tensor) -> Float[Tensor, "*batch dim"]:
    return torch.cat([positions.flatten(-2), rows.flatten(-2), velocity.flatten(-2)], -1)


def vector_rotations(vector: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch joints 3 3"]:
    """Local rotation matrices, orthonormalised."""
    return matrix_from_6d_rows(_split(vector)[1])


def vector_positions(
    vector: Float[Tensor, "*batch dim"], offsets: Float[Tensor, "joints 3"] | None = None
) -> Float[Tensor, "*batch joints 3"]:
    """World positions by forward kinematics from the vector's root and rotations.

    The positions stored in the vector are not used.
    """
    offsets = (house_offsets() if offsets is None else offsets).to(vector)
    rotations = vector_rotations(vector)
    return forward_kinematics(rotations, vector[..., ROOT], offsets, SMPLX25_PARENTS)[1]


def vector_motion(vector: Float[Tensor, "*batch frames dim"], fps: float = 30.0) -> Motion:
    """The motion in `smplx25` that a vector encodes."""
    return body_motion(vector[..., ROOT], vector_rotations(vector), fps)


def turned(
    vector: Float[Tensor, "*batch frames dim"],
    angle: Float[Tensor, "*batch"],
    shift: Float[Tensor, "*batch 3"],
) -> Float[Tensor, "*batch frames dim"]:
    """The same body shifted and then rotated about the vertical axis through the origin.

    Args:
        angle: radians counter-clockwise seen from above, one for each item.
        shift: metres, added before the rotation.
    """
    axis_angle = torch.zeros(*angle.shape, 3, dtype=vector.dtype, device=vector.device)
    axis_angle[..., 1] = angle
    # (batch, 1, 3, 3): one rotation for all frames.
    rotation = matrix_from_axis_angle(axis_angle).unsqueeze(-3)
    positions, rows, velocity = _split(vector)
    # Local rotations are against the parent, so only the root's changes.
    rows = rows.clone()
    rows[..., 0, :] = rotation_6d_rows(rotation @ matrix_from_6d_rows(rows[..., 0, :]))
    positions = (positions + shift[..., None, None, :]) @ rotation.mT
    return _joined(positions, rows, velocity @ rotation.mT)


def mirrored(vector: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
    """The body mirrored in the plane x = 0: left becomes right."""
    sign = vector.new_tensor([-1.0, 1.0, 1.0])
    # Signs of the first two rows of M R M with M = diag(-1, 1, 1).
    row_sign = vector.new_tensor([1.0, -1.0, -1.0, -1.0, 1.0, 1.0])
    positions, rows, velocity = (part[..., _MIRRORED_JOINT, :] for part in _split(vector))
    return _joined(positions * sign, rows * row_sign, velocity * sign)
