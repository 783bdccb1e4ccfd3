"""Forms of a rotation: axis-angle, matrix, 6D rows and columns, quaternion, Euler angles.

All functions accept any batch axes and float32 or float64, and have finite gradients everywhere
they are defined, the zero rotation included. Matrices act on columns: p' = R p. Quaternions are (w,
x, y, z).
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def skew(vector: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Cross-product matrix of a vector a: the matrix that takes b to a x b."""
    x, y, z = vector.unbind(-1)
    zero = torch.zeros_like(x)
    return torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).unflatten(-1, (3, 3))


def matrix_from_axis_angle(axis_angle: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Rotation by |v| radians about v (Rodrigues' formula).

    Uses series of sin(t)/t and (1 - cos t)/t^2 in t^2 near zero, where the direct forms and their
    gradients are 0/0.
    """
    square = (axis_angle**2).sum(-1)[..., None, None]
    small = square < 1e-4
    angle = torch.where(small, torch.ones_like(square), square).sqrt()
    sine = torch.where(small, 1 - square / 6 + square**2 / 120, angle.sin() / angle)
    cosine = torch.where(small, 0.5 - square / 24 + square**2 / 720, (1 - angle.cos()) / angle**2)
    cross = skew(axis_angle)
    return (
        torch.eye(3, dtype=axis_angle.dtype, device=axis_angle.device)
        + sine * cross
        + cosine * (cross @ cross)
    )


def axis_angle_from_matrix(matrix: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3"]:
    """Axis times angle, angle in [0, pi]. The inverse of `matrix_from_axis_angle` up to full
    turns.
    """
    return axis_angle_from_quaternion(quaternion_from_matrix(matrix))


def quaternion_from_axis_angle(axis_angle: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 4"]:
    """Unit quaternion of a rotation vector."""
    square = (axis_angle**2).sum(-1, keepdim=True)
    small = square < 1e-4
    angle = torch.where(small, torch.ones_like(square), square).sqrt()
    real = torch.where(small, 1 - square / 8 + square**2 / 384, (angle / 2).cos())
    scale = torch.where(small, 0.5 - square / 48 + square**2 / 3840, (angle / 2).sin() / angle)
    return torch.cat([real, scale * axis_angle], -1)


def axis_angle_from_quaternion(quaternion: Float[Tensor, "*batch 4"]) -> Float[Tensor, "*batch 3"]:
    """Rotation vector of a quaternion of any length but zero; angle in [0, pi]."""
    quaternion = torch.where(quaternion[..., :1] < 0, -quaternion, quaternion)
    real, vector = quaternion[..., :1], quaternion[..., 1:]
    square = (vector**2).sum(-1, keepdim=True)
    small = square < 1e-8 * real**2
    size = torch.where(small, torch.ones_like(square), square).sqrt()
    safe_real = torch.where(small, real, torch.ones_like(real))
    near = 2 / safe_real * (1 - square / (3 * safe_real**2))
    return vector * torch.where(small, near, 2 * torch.atan2(size, real) / size)


def matrix_from_quaternion(quaternion: Float[Tensor, "*batch 4"]) -> Float[Tensor, "*batch 3 3"]:
    """Rotation matrix of a quaternion of any length but zero."""
    w, x, y, z = (quaternion / quaternion.norm(dim=-1, keepdim=True)).unbind(-1)
    rows = [
        1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
        2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
        2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
    ]  # fmt: skip
    return torch.stack(rows, -1).unflatten(-1, (3, 3))


def quaternion_from_matrix(matrix: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 4"]:
    """Unit quaternion with non-negative real part.

    Of the four candidate formulas the one with the largest divisor is taken, so that no rotation is
    badly conditioned.
    """
    m = [[matrix[..., i, j] for j in range(3)] for i in range(3)]
    candidates = torch.stack(
        [
            torch.stack(
                [
                    1 + m[0][0] + m[1][1] + m[2][2],
                    m[2][1] - m[1][2],
                    m[0][2] - m[2][0],
                    m[1][0] - m[0][1],
                ],
                -1,
            ),
            torch.stack(
                [
                    m[2][1] - m[1][2],
                    1 + m[0][0] - m[1][1] - m[2][2],
                    m[1][0] + m[0][1],
                    m[0][2] + m[2][0],
                ],
                -1,
            ),
            torch.stack(
                [
                    m[0][2] - m[2][0],
                    m[1][0] + m[0][1],
                    1 - m[0][0] + m[1][1] - m[2][2],
                    m[2][1] + m[1][2],
                ],
                -1,
            ),
            torch.stack(
                [
                    m[1][0] - m[0][1],
                    m[0][2] + m[2][0],
                    m[2][1] + m[1][2],
                    1 - m[0][0] - m[1][1] + m[2][2],
                ],
                -1,
            ),
        ],
        -2,
    )
    best = candidates.diagonal(dim1=-2, dim2=-1).argmax(-1)
    chosen = candidates.gather(-2, best[..., None, None].expand(*best.shape, 1, 4)).squeeze(-2)
    chosen = chosen / chosen.norm(dim=-1, keepdim=True)
    return torch.where(chosen[..., :1] < 0, -chosen, chosen)


def rotation_6d_rows(matrix: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 6"]:
    """First two rows of a rotation matrix, one after the other.

    Continuous everywhere, unlike Euler angles or quaternions. Other software takes columns:
    `rotation_6d_columns`.

    Source: Zhou et al. 2019. The inverse is `matrix_from_6d_rows`.
    """
    return matrix[..., :2, :].flatten(-2)


def matrix_from_6d_rows(values: Float[Tensor, "*batch 6"]) -> Float[Tensor, "*batch 3 3"]:
    """Rotation matrix whose first two rows are nearest to the given ones (Gram-Schmidt)."""
    first, second = values[..., :3], values[..., 3:]
    first = torch.nn.functional.normalize(first, dim=-1)
    second = torch.nn.functional.normalize(
        second - (first * second).sum(-1, keepdim=True) * first, dim=-1
    )
    return torch.stack([first, second, torch.linalg.cross(first, second, dim=-1)], -2)


def rotation_6d_columns(matrix: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 6"]:
    """First two columns of a rotation matrix, one after the other. The inverse is
    `matrix_from_6d_columns`.
    """
    return rotation_6d_rows(matrix.transpose(-1, -2))


def matrix_from_6d_columns(values: Float[Tensor, "*batch 6"]) -> Float[Tensor, "*batch 3 3"]:
    """Rotation matrix whose first two columns are nearest to the given ones (Gram-Schmidt)."""
    return matrix_from_6d_rows(values).transpose(-1, -2)


def matrix_from_euler(angles: Float[Tensor, "*batch 3"], order: str) -> Float[Tensor, "*batch 3 3"]:
    """Product of three axis rotations, leftmost first named: order "ZXY" with angles (a, b, c) is
    Rz(a) Rx(b) Ry(c).

    Raises:
        ValueError: the order is not a permutation of X, Y, Z.
    """
    axes = _euler_axes(order)
    factors = [
        matrix_from_axis_angle(angles[..., k, None] * _unit(axis, angles))
        for k, axis in enumerate(axes)
    ]
    return factors[0] @ factors[1] @ factors[2]


def euler_from_matrix(matrix: Float[Tensor, "*batch 3 3"], order: str) -> Float[Tensor, "*batch 3"]:
    """Angles (a, b, c) with `matrix_from_euler(angles, order)` equal to the matrix; b in [-pi/2,
    pi/2].

    At b = +-pi/2 only a sum or difference of a and c is determined; then the answer is one of the
    many.

    Raises:
        ValueError: the order is not a permutation of X, Y, Z.
    """
    i, j, k = _euler_axes(order)
    sign = 1.0 if (j - i) % 3 == 1 else -1.0
    first = torch.atan2(-sign * matrix[..., j, k], matrix[..., k, k])
    second = torch.asin((sign * matrix[..., i, k]).clamp(-1, 1))
    third = torch.atan2(-sign * matrix[..., i, j], matrix[..., i, i])
    return torch.stack([first, second, third], -1)


def _euler_axes(order: str) -> list[int]:
    if sorted(order.upper()) != ["X", "Y", "Z"]:
        raise ValueError(f"order {order!r}: a permutation of XYZ is needed, for example 'ZXY'")
    return ["XYZ".index(letter) for letter in order.upper()]


def _unit(axis: int, like: Tensor) -> Tensor:
    unit = torch.zeros(3, dtype=like.dtype, device=like.device)
    unit[axis] = 1
    return unit
