"""The head: how far and how fast it turns.

Conventions: rotations as axis-angle vectors in radians relative to the neutral head, character's
frame (+Y up, +Z front), so for the small angles of speech x is nodding, y turning, z tilting.
Ranges run from the 5th to the 95th percentile: one stray frame does not make a lively head.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from scipy.spatial.transform import Rotation
from torch import Tensor

from motet.errors import InputError
from motet.metrics.metric import Metric, check_fps, check_series, quantile

METRICS = (
    Metric(
        "head_range",
        "deg",
        "head rotation",
        "like ground truth",
        "largest of the three ranges below",
    ),
    Metric(
        "head_range_nod", "deg", "head rotation, x", "like ground truth", "5th to 95th percentile"
    ),
    Metric(
        "head_range_turn", "deg", "head rotation, y", "like ground truth", "5th to 95th percentile"
    ),
    Metric(
        "head_range_tilt", "deg", "head rotation, z", "like ground truth", "5th to 95th percentile"
    ),
    Metric("head_speed", "deg/s", "head rotation", "like ground truth", "mean angular speed"),
    Metric(
        "head_speed_fast",
        "deg/s",
        "head rotation",
        "like ground truth",
        "95th percentile of the angular speed",
    ),
)


def validate(head: Tensor, fps: float) -> None:
    """At least two rotations at a positive rate.

    Raises:
        InputError: otherwise.
    """
    check_fps(fps)
    check_series(head, 2, "head rotation")
    if head.shape[-1] != 3 or len(head) < 2:
        raise InputError(
            f"head rotation needs the axes (frames > 1, 3), this has the shape {tuple(head.shape)}"
        )


def angular_speed(head: Float[Tensor, "frames 3"], fps: float) -> Float[Tensor, " frames-1"]:
    """Angle between neighbouring frames over the time between them, degrees a second."""
    validate(head, fps)
    turned = Rotation.from_rotvec(head.double().numpy())
    # The angle of the relative rotation, not the difference of rotation vectors: those wrap.
    return torch.from_numpy((turned[:-1].inv() * turned[1:]).magnitude()) * (180.0 / math.pi * fps)


def angular_distance(
    one: Float[Tensor, "frames 3"], other: Float[Tensor, "frames 3"]
) -> Float[Tensor, " frames"]:
    """Angle between two series of rotations frame by frame, degrees."""
    first, second = (Rotation.from_rotvec(head.double().numpy()) for head in (one, other))
    return torch.from_numpy((first.inv() * second).magnitude()) * (180.0 / math.pi)


def evaluate(head: Float[Tensor, "frames 3"], fps: float) -> dict[str, float]:
    """All head scores of one clip, in the order of `METRICS`.

    Raises:
        InputError: see `validate`.
    """
    validate(head, fps)
    degrees = torch.rad2deg(head.double())  # (frames, 3): nod, turn, tilt
    ranges = [
        quantile(degrees[:, axis], 0.95) - quantile(degrees[:, axis], 0.05) for axis in range(3)
    ]
    speed = angular_speed(head, fps)
    names = ("head_range_nod", "head_range_turn", "head_range_tilt")
    return {
        "head_range": max(ranges),
        **dict(zip(names, ranges, strict=True)),
        "head_speed": float(speed.mean()),
        "head_speed_fast": quantile(speed, 0.95),
    }
