"""Statistics of motion style: a few numbers for a window, whatever is spoken.

Conventions: house space, one stretch without batch axes. Amplitudes are deviations over the
stretch, means are means over it.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from motet.errors import InputError
from motet.metrics.lip_geometry import LipGeometry
from motet.types import ARKIT_SHAPES, Motion

STATISTICS = (
    "mouth amplitude", "mouth width amplitude", "smile", "brow height", "brow amplitude", "lids",
    "nod range", "turn range", "tilt range", "head speed",
)  # fmt: skip
"""Names of the numbers, in order. Millimetres, weights, degrees, degrees a second."""


def motion_statistics(motion: Motion, lip_geometry: LipGeometry) -> Float[Tensor, " statistics"]:
    """The numbers of `STATISTICS` for one stretch, float64.

    Raises:
        InputError: fewer than two frames, or batch axes.
    """
    if motion.values.ndim != 2 or motion.frames < 2:
        raise InputError(
            "motion statistics need two frames and more of one take, not from"
            f" {tuple(motion.values.shape)}"
        )
    degrees = motion["head"].double() * (180.0 / torch.pi)  # (frames, 3)
    speed = degrees.diff(dim=0).norm(dim=-1).mean() * motion.space.fps
    # Raised minus lowered: one number from angry to surprised.
    brow = (
        _mean_shape(motion, "browOuterUp")
        + _shape(motion, "browInnerUp")
        - _mean_shape(motion, "browDown")
    )
    result = [
        1000 * lip_geometry.opening(motion).std(),
        1000 * lip_geometry.width(motion).std(),
        _mean_shape(motion, "mouthSmile").mean(),
        brow.mean(),
        brow.std(),
        _mean_shape(motion, "eyeBlink").mean(),
        *degrees.std(0),
        speed,
    ]
    return torch.stack([value.double() for value in result])


def window_statistics(
    motion: Motion, lip_geometry: LipGeometry, frames: int = 50
) -> Float[Tensor, "windows statistics"]:
    """The same for every whole stretch of `frames` frames.

    Raises:
        InputError: not one whole stretch.
    """
    if motion.frames < frames:
        raise InputError(f"{motion.frames} frames hold no stretch of {frames}")
    return torch.stack(
        [
            motion_statistics(motion.slice(start, start + frames), lip_geometry)
            for start in range(0, motion.frames - frames + 1, frames)
        ]
    )


def energy_distance(one: Float[Tensor, "ones dims"], other: Float[Tensor, "others dims"]) -> float:
    """Energy distance of two distributions from samples; 0 for the same.

    The unbiased form leaves the distance of a sample to itself out, so it may come out slightly
    negative for equals.

    Raises:
        InputError: fewer than two samples on a side.

    Source: Székely and Rizzo 2013, Energy statistics.
    """
    if len(one) < 2 or len(other) < 2:
        raise InputError(
            f"an energy distance needs two samples on each side, not {len(one)} and {len(other)}"
        )
    # 2 E|X - Y| - E|X - X'| - E|Y - Y'| (Szekely and Rizzo 2013).
    return 2 * float(torch.cdist(one, other).mean()) - _inner(one) - _inner(other)


def _inner(samples: Tensor) -> float:
    count = len(samples)
    # without the zero diagonal
    return float(torch.cdist(samples, samples).sum()) / (count * (count - 1))


def _shape(motion: Motion, name: str) -> Float[Tensor, " frames"]:
    return motion["blendshapes"][:, ARKIT_SHAPES.index(name)].double()


def _mean_shape(motion: Motion, name: str) -> Float[Tensor, " frames"]:
    return (_shape(motion, name + "Left") + _shape(motion, name + "Right")) / 2
