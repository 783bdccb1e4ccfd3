"""Clean-up of tracked FLAME coefficients, as the published data were made: the jaw only opens,
jitter is smoothed away.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from motet.errors import AssetError
from motet.geometry.rotation import (
    axis_angle_from_matrix,
    euler_from_matrix,
    matrix_from_axis_angle,
)

N_SHAPE = 100


def smooth(
    values: Float[Tensor, "frames numbers"], window: int, order: int = 2
) -> Float[Tensor, "frames numbers"]:
    """Savitzky-Golay: at each frame the value of the polynomial that fits the frames around it
    best.

    Raises:
        AssetError: fewer frames than the window.
    """
    from scipy.signal import savgol_filter

    if len(values) < window:
        raise AssetError(
            f"a tracked clip of {len(values)} frames is too short to be smoothed; it needs {window}"
        )
    # A view into SciPy's result would keep its reversed strides.
    return torch.from_numpy(
        np.ascontiguousarray(savgol_filter(values.numpy(), window, order, axis=0))
    )


def combine_trackers(
    expression: Float[Tensor, "frames 50"],
    pose: Float[Tensor, "frames 6"],
    shape: Float[Tensor, "other coefficients"],
) -> tuple[Float[Tensor, "frames 50"], Float[Tensor, "frames 6"], Float[Tensor, "frames 100"]]:
    """Expression and pose of one tracker with the shape of another.

    The jaw keeps the x of its Euler angles (XYZ); jaw and expression are smoothed over 5 frames.
    The first 100 shape numbers are kept; the last row is repeated when there are too few.
    """
    # (frames, 1): the jaw turns about its hinge only
    opening = euler_from_matrix(matrix_from_axis_angle(pose[:, 3:]), "XYZ")[:, :1]
    jaw = smooth(torch.cat([opening, torch.zeros_like(pose[:, 4:])], 1), 5)
    # the shape of the last frame is repeated
    rows = torch.arange(len(pose)).clamp(max=len(shape) - 1)
    return smooth(expression, 5), torch.cat([pose[:, :3], jaw], 1), shape[rows, :N_SHAPE]


def replace_head(
    expression: Float[Tensor, "frames 50"],
    pose: Float[Tensor, "frames 6"],
    shape: Float[Tensor, "frames 100"],
    head: Float[Tensor, "other 3 3"],
) -> tuple[Float[Tensor, "common 50"], Float[Tensor, "common 6"], Float[Tensor, "common 100"]]:
    """Head rotation from rotation matrices of another tracker, smoothed over 7 frames; everything
    cut to the common length.
    """
    count = min(len(pose), len(head))  # trackers may drop frames at the end
    turned = smooth(axis_angle_from_matrix(head), 7)
    return expression[:count], torch.cat([turned[:count], pose[:count, 3:]], 1), shape[:count]
