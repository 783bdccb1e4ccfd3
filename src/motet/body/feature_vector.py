"""The 300 numbers of a body in a frame: places, rotations and velocities side by side, as MOSPA and
its data have them.

Redundant on purpose: a network that must get places, rotations and velocities right at once gets
each better. What counts in the end are the root and the rotations; the rest is dropped when a
motion is read from it.
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
PLACES = slice(0, 3 * JOINTS)
"""The root and after it the joints 1 to 24, metres."""
ROTATIONS = slice(3 * JOINTS, 9 * JOINTS)
"""First two rows of each rotation matrix, of the root against the world."""
VELOCITIES = slice(9 * JOINTS, 12 * JOINTS)
"""Change of each place to the next frame, metres a frame of 1/120 s (also where only every fourth
frame is kept)."""
DIM = 12 * JOINTS
_SWAP = [
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
    """Vectors of a body; the last frame has no velocity.

    Args:
        offsets: rest skeleton; the house's when left out.
        frames_between: velocity frames from one row to the next. The published 120 a second are had
            from rows at 120 (1), or from rows at 30 a second (4), where the mean of the four takes
            the place of the first.
    """
    offsets = house_offsets() if offsets is None else offsets
    _, places = forward_kinematics(rotations, root, offsets.to(root), SMPLX25_PARENTS)
    return body_vector(places, rotations, frames_between=frames_between)


def body_vector(
    places: Float[Tensor, "*batch frames joints 3"],
    rotations: Float[Tensor, "*batch frames joints 3 3"],
    *,
    frames_between: float = 1.0,
) -> Float[Tensor, "*batch frames dim"]:
    """Vectors from the places of the joints (the first is the root) and their local rotations."""
    velocity = torch.zeros_like(places)
    velocity[..., :-1, :, :] = (places[..., 1:, :, :] - places[..., :-1, :, :]) / frames_between
    return torch.cat(
        [places.flatten(-2), rotation_6d_rows(rotations).flatten(-2), velocity.flatten(-2)], -1
    )


def vector_rotations(vector: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch joints 3 3"]:
    """Local rotations: the nearest ones to the numbers."""
    return matrix_from_6d_rows(vector[..., ROTATIONS].unflatten(-1, (JOINTS, 6)))


def vector_places(
    vector: Float[Tensor, "*batch dim"], offsets: Float[Tensor, "joints 3"] | None = None
) -> Float[Tensor, "*batch joints 3"]:
    """Places of the joints by forward kinematics from the vector's root and rotations; the places
    in the vector are not used.
    """
    offsets = house_offsets() if offsets is None else offsets
    return forward_kinematics(
        vector_rotations(vector), vector[..., ROOT], offsets.to(vector), SMPLX25_PARENTS
    )[1]


def vector_motion(vector: Float[Tensor, "*batch frames dim"], fps: float = 30.0) -> Motion:
    """The motion in `smplx25` that a vector stands for."""
    return body_motion(vector[..., ROOT], vector_rotations(vector), fps)


def turned(
    vector: Float[Tensor, "*batch frames dim"],
    angle: Float[Tensor, "*batch"],
    shift: Float[Tensor, "*batch 3"],
) -> Tensor:
    """The same body after `shift` is added and then everything is turned about the vertical through
    the origin.

    Args:
        angle: radians counter-clockwise seen from above, one for each item.
    """
    up = torch.zeros(*angle.shape, 3, dtype=vector.dtype, device=vector.device)
    up[..., 1] = angle
    turn = matrix_from_axis_angle(up).unsqueeze(-3)
    places = vector[..., PLACES].unflatten(-1, (JOINTS, 3)) + shift[..., None, None, :]
    velocity = vector[..., VELOCITIES].unflatten(-1, (JOINTS, 3))
    rows = vector[..., ROTATIONS].unflatten(-1, (JOINTS, 6)).clone()
    first = turn @ matrix_from_6d_rows(rows[..., 0, :])
    rows[..., 0, :] = rotation_6d_rows(first)
    return torch.cat(
        [
            (places @ turn.transpose(-1, -2)).flatten(-2),
            rows.flatten(-2),
            (velocity @ turn.transpose(-1, -2)).flatten(-2),
        ],
        -1,
    )


def mirrored(vector: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
    """The body in a mirror that stands in the plane x = 0: left becomes right."""
    flip_place = torch.tensor([-1.0, 1.0, 1.0], dtype=vector.dtype)
    flip_turn = torch.tensor(
        [1.0, -1.0, -1.0, -1.0, 1.0, 1.0], dtype=vector.dtype
    )  # of the rows of M R M with M = diag(-1, 1, 1)
    places = vector[..., PLACES].unflatten(-1, (JOINTS, 3))[..., _SWAP, :] * flip_place
    turns = vector[..., ROTATIONS].unflatten(-1, (JOINTS, 6))[..., _SWAP, :] * flip_turn
    velocity = vector[..., VELOCITIES].unflatten(-1, (JOINTS, 3))[..., _SWAP, :] * flip_place
    return torch.cat([places.flatten(-2), turns.flatten(-2), velocity.flatten(-2)], -1)
