"""Forms of a rotation: axis-angle, matrix, 6D rows and columns, quaternion, Euler angles.

The conversions are those of `roma`, with quaternions in the order (w, x, y, z) instead of its
(x, y, z, w). All functions accept any batch axes in float32 or float64. Gradients are finite, also
at the zero rotation. Matrices act on columns: p' = R p.
"""

from __future__ import annotations

import roma
import torch
from jaxtyping import Float
from torch import Tensor


def skew(vector: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Cross-product matrix of a vector a: the matrix that takes b to a x b."""
    x, y, z = vector.unbind(-1)
    zero = torch.zeros_like(x)
    # Row by row: [[0, -z, y], [z, 0, -x], [-y, x, 0]].
    return torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).unflatten(-1, (3, 3))


def matrix_from_axis_angle(axis_angle: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Rotation by |v| radians about v (Rodrigues' formula)."""
    return roma.rotvec_to_rotmat(axis_angle)


def axis_angle_from_matrix(matrix: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3"]:
    """Axis times angle, angle in [0, pi]; inverts `matrix_from_axis_angle` up to full turns."""
    return roma.rotmat_to_rotvec(matrix)


def quaternion_from_axis_angle(axis_angle: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 4"]:
    """Unit quaternion of a rotation vector."""
    return roma.quat_xyzw_to_wxyz(roma.rotvec_to_unitquat(axis_angle))


def axis_angle_from_quaternion(quaternion: Float[Tensor, "*batch 4"]) -> Float[Tensor, "*batch 3"]:
    """Rotation vector of a quaternion of any length but zero; angle in [0, pi]."""
    return roma.unitquat_to_rotvec(_unit_xyzw(quaternion))


def matrix_from_quaternion(quaternion: Float[Tensor, "*batch 4"]) -> Float[Tensor, "*batch 3 3"]:
    """Rotation matrix of a quaternion of any length but zero."""
    return roma.unitquat_to_rotmat(_unit_xyzw(quaternion))


def quaternion_from_matrix(matrix: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 4"]:
    """Unit quaternion with non-negative real part."""
    quaternion = roma.quat_xyzw_to_wxyz(roma.rotmat_to_unitquat(matrix))
    # q and -q are the same rotation; of the two the one with a non-negative real part.
    return torch.where(quaternion[..., :1] < 0, -quaternion, quaternion)


def _unit_xyzw(quaternion: Float[Tensor, "*batch 4"]) -> Float[Tensor, "*batch 4"]:
    return roma.quat_wxyz_to_xyzw(roma.quat_normalize(quaternion))


def rotation_6d_rows(matrix: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 6"]:
    """First two rows of a rotation matrix, one after the other.

    Continuous everywhere, unlike Euler angles or quaternions. Other software takes columns:
    `rotation_6d_columns`.

    Source: Zhou et al. 2019. The inverse is `matrix_from_6d_rows`.
    """
    return matrix[..., :2, :].flatten(-2)


def matrix_from_6d_rows(values: Float[Tensor, "*batch 6"]) -> Float[Tensor, "*batch 3 3"]:
    """Rotation matrix from two rows that need not be orthonormal (Gram-Schmidt, first row first).

    Not `roma.special_gramschmidt`: it works on columns, and its gradient is not finite where a row
    is zero.
    """
    first, second = values[..., :3], values[..., 3:]
    first = torch.nn.functional.normalize(first, dim=-1)
    # The part of the second row along the first is taken off before it is normalised.
    projection = (first * second).sum(-1, keepdim=True) * first
    second = torch.nn.functional.normalize(second - projection, dim=-1)
    return torch.stack([first, second, torch.linalg.cross(first, second, dim=-1)], -2)


def rotation_6d_columns(matrix: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 6"]:
    """First two columns of a rotation matrix; `matrix_from_6d_columns` is the inverse."""
    return rotation_6d_rows(matrix.mT)


def matrix_from_6d_columns(values: Float[Tensor, "*batch 6"]) -> Float[Tensor, "*batch 3 3"]:
    """Rotation matrix from two columns that need not be orthonormal (Gram-Schmidt)."""
    return matrix_from_6d_rows(values).mT


def matrix_from_euler(angles: Float[Tensor, "*batch 3"], order: str) -> Float[Tensor, "*batch 3 3"]:
    """Product of three axis rotations: order "ZXY" with angles (a, b, c) is Rz(a) Rx(b) Ry(c).

    Raises:
        ValueError: the order is not a permutation of X, Y, Z.
    """
    return roma.euler_to_rotmat(_intrinsic(order), angles)


def euler_from_matrix(matrix: Float[Tensor, "*batch 3 3"], order: str) -> Float[Tensor, "*batch 3"]:
    """Angles (a, b, c) of `matrix_from_euler`, with b in [-pi/2, pi/2].

    At b = +-pi/2 only the sum or the difference of a and c is determined; c is 0 there.

    Raises:
        ValueError: the order is not a permutation of X, Y, Z.
    """
    return roma.rotmat_to_euler(_intrinsic(order), matrix)


def _intrinsic(order: str) -> str:
    """The order as roma writes it: upper case for axes that turn along."""
    if sorted(order.upper()) != ["X", "Y", "Z"]:
        raise ValueError(f"order {order!r}: a permutation of XYZ is needed, for example 'ZXY'")
    return order.upper()
