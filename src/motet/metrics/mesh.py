"""Distances between surfaces, in the forms that papers print.

Conventions: vertices in metres going in, millimetres coming out; all of one person, no head
rotation, not smoothed. Lists of vertices may name one twice; it then counts twice, as in the
published lists.

Sources: ARTalk's training code (LVE as the root of the mean over frames of the largest squared lip
distance; FDD with the unbiased deviation of x + y + z, times 100).
"""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

from motet.errors import InputError
from motet.metrics.metric import Metric, check_series

METRICS = (
    Metric(
        "LVE",
        "mm",
        "lips",
        "lower",
        "root of the mean over frames of the largest squared distance of a lip vertex",
    ),
    Metric(
        "MHD",
        "mm",
        "whole head",
        "lower",
        "root of the mean squared distance over frames and vertices",
    ),
    Metric(
        "FDD",
        "0.1 mm",
        "upper face",
        "lower",
        "difference of the deviations over time of x + y + z, averaged, times 100",
    ),
    Metric(
        "MOD",
        "mm",
        "lips",
        "lower",
        "root of the mean over frames and lip vertices of the squared distance",
    ),
)

Vertices = Float[Tensor, "frames verts 3"]


def validate(predicted: Vertices, reference: Vertices) -> None:
    """Two sequences of one topology and length.

    Raises:
        InputError: other shapes, empty, or values that are not finite.
    """
    check_series(predicted, 3, "predicted vertices")
    check_series(reference, 3, "reference vertices")
    if predicted.shape != reference.shape or predicted.shape[-1] != 3:
        raise InputError(
            f"predicted {tuple(predicted.shape)} and reference {tuple(reference.shape)} must have"
            " one shape (frames, verts, 3); cut to the shorter"
        )


def lip_vertex_error(predicted: Vertices, reference: Vertices, lips: Sequence[int]) -> float:
    """LVE as ARTalk prints it: a root of a mean, not a mean of roots."""
    validate(predicted, reference)
    # Worst lip vertex of each frame, mean over frames, then the root.
    return float(_squared(predicted, reference)[:, list(lips)].amax(-1).mean().sqrt())


def mean_head_distance(predicted: Vertices, reference: Vertices) -> float:
    """MHD: over all vertices."""
    validate(predicted, reference)
    return float(_squared(predicted, reference).mean().sqrt())


def mouth_opening_distance(predicted: Vertices, reference: Vertices, lips: Sequence[int]) -> float:
    """MOD: like LVE with the mean over the lips in place of the largest."""
    validate(predicted, reference)
    return float(_squared(predicted, reference)[:, list(lips)].mean().sqrt())


def face_dynamics_deviation(
    predicted: Vertices, reference: Vertices, upper: Sequence[int]
) -> float:
    """FDD: does the upper face move as much as it should, wherever it does.

    Raises:
        InputError: fewer than two frames, which have no deviation over time.
    """
    validate(predicted, reference)
    if len(predicted) < 2:
        raise InputError("FDD needs at least two frames")
    moved = [
        # The sum of the coordinates stands for the position, as in the released program.
        (vertices[:, list(upper)].double() * 1000).sum(-1).std(0)
        for vertices in (predicted, reference)
    ]
    return float(100 * (moved[0] - moved[1]).abs().mean())


def evaluate(
    predicted: Vertices, reference: Vertices, lips: Sequence[int], upper: Sequence[int]
) -> dict[str, float]:
    """All scores of this module by their ids."""
    return {
        "LVE": lip_vertex_error(predicted, reference, lips),
        "MHD": mean_head_distance(predicted, reference),
        "FDD": face_dynamics_deviation(predicted, reference, upper),
        "MOD": mouth_opening_distance(predicted, reference, lips),
    }


def _squared(predicted: Vertices, reference: Vertices) -> Float[Tensor, "frames verts"]:
    return ((predicted.double() - reference.double()) * 1000).square().sum(-1)
