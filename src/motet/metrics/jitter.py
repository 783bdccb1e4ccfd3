"""Jitter: is the motion smooth.

Conventions: points in metres, frames at a steady rate. Jerk is the third difference times fps
cubed, the usual measure of body motion; it grows steeply with the frame rate, so compare only equal
rates, best as a ratio to recorded people.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from motet.errors import InputError
from motet.metrics.metric import Metric, check_fps, check_series

METRICS = (
    Metric(
        "jerk", "m/s^3", "points as given", "like ground truth", "mean size of the third derivative"
    ),
    Metric(
        "jerk_ratio",
        "1",
        "points as given",
        "like ground truth",
        "the same over that of the reference; 1 is as smooth as the reference",
    ),
    Metric(
        "acceleration_error",
        "m/s^2",
        "points as given",
        "lower",
        "mean size of the difference of accelerations",
    ),
)


def validate(points: Tensor, fps: float) -> None:
    """At least four frames of points.

    Raises:
        InputError: otherwise.
    """
    check_fps(fps)
    check_series(points, 3, "points")
    if len(points) < 4:
        raise InputError(f"jerk needs at least four frames, these are {len(points)}")


def jerk(points: Float[Tensor, "frames points 3"], fps: float) -> float:
    """Mean size of the third derivative, m/s^3."""
    validate(points, fps)
    # Float64: three differences of nearly equal numbers lose most digits of float32.
    return float(points.double().diff(n=3, dim=0).norm(dim=-1).mean()) * fps**3


def acceleration_error(
    predicted: Float[Tensor, "frames points 3"],
    reference: Float[Tensor, "frames points 3"],
    fps: float,
) -> float:
    """Mean size of the difference of accelerations, m/s^2.

    Raises:
        InputError: different shapes, or see `validate`.
    """
    validate(predicted, fps)
    validate(reference, fps)
    if predicted.shape != reference.shape:
        raise InputError(
            f"the prediction has the shape {tuple(predicted.shape)}, the reference"
            f" {tuple(reference.shape)}"
        )
    return (
        float((predicted.double() - reference.double()).diff(n=2, dim=0).norm(dim=-1).mean())
        * fps**2
    )


def evaluate(
    predicted: Float[Tensor, "frames points 3"],
    fps: float,
    reference: Float[Tensor, "frames points 3"] | None = None,
) -> dict[str, float]:
    """Jerk, and beside a reference that moves at all, its ratio and the acceleration error."""
    scores = {"jerk": jerk(predicted, fps)}
    if reference is not None:
        theirs = jerk(reference, fps)
        scores |= {} if theirs == 0 else {"jerk_ratio": scores["jerk"] / theirs}
        scores["acceleration_error"] = acceleration_error(predicted, reference, fps)
    return scores
