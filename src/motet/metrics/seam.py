"""Seams: does the motion jump where one window of a method ends and the next begins.

Conventions: a border is the number of the first frame of a window. The jump at a frame is the size
of the change of velocity there, |x[t-1] - 2 x[t] + x[t+1]|, so a border b touches the jumps at b-1
and b; all others lie inside windows. The ratios divide by the 99th percentile of the jumps inside
windows: 1 means that the border is as smooth as everything else.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from motet.errors import InputError
from motet.metrics.metric import Metric, check_series, quantile

METRICS = (
    Metric(
        "seam_ratio",
        "1",
        "as given",
        "lower",
        "99th percentile of velocity jumps at window borders over that inside windows",
    ),
    Metric(
        "seam_worst_ratio",
        "1",
        "as given",
        "lower",
        "largest velocity jump at a window border over the 99th percentile inside windows",
    ),
    Metric(
        "seam_borders", "count", "as given", "descriptive", "number of window borders looked at"
    ),
)


def validate(values: Tensor, borders: Sequence[int]) -> None:
    """A series with at least one border and something inside windows.

    Raises:
        InputError: too short, borders outside the clip, none at all, or nothing between them.
    """
    check_series(values, 2, "motion")
    if len(values) < 3:
        raise InputError(f"seams need at least three frames, these are {len(values)}")
    inside = [border for border in borders if 2 <= border <= len(values) - 2]
    if not inside:
        raise InputError(
            "no window border lies inside the clip; a longer clip is needed, or the method has no"
            " windows"
        )
    if any(not 0 <= border <= len(values) for border in borders):
        raise InputError(
            f"window borders must lie in 0..{len(values)}, given were"
            f" {min(borders)}..{max(borders)}"
        )
    if int(_at_border(len(values), borders).sum()) == len(values) - 2:
        raise InputError(
            "every frame touches a window border, so there is no inside to compare with; this"
            " method emits frame by frame"
        )


def velocity_jumps(values: Float[Tensor, "frames dims"]) -> Float[Tensor, " frames-2"]:
    """Size of the change of velocity at frames 1 .. frames-2, units per frame.

    Raises:
        InputError: fewer than three frames, or not finite.
    """
    check_series(values, 2, "motion")
    if len(values) < 3:
        raise InputError(f"velocity jumps need at least three frames, these are {len(values)}")
    # The second difference: constant speed across a border is no seam.
    return values.double().diff(n=2, dim=0).norm(dim=-1)


def evaluate(values: Float[Tensor, "frames dims"], borders: Sequence[int]) -> dict[str, float]:
    """Scores of one clip. Where nothing moves inside windows, a border without a jump scores 0.

    Args:
        values: lip vertices flattened, head rotation, weights: anything in which distance makes
            sense.
        borders: first frames of the windows.

    Raises:
        InputError: see `validate`.
    """
    validate(values, borders)
    jumps, marked = velocity_jumps(values), _at_border(len(values), borders)
    # High quantiles of both: a seam shows against the fastest ordinary movement.
    at, inside = jumps[marked], quantile(jumps[~marked], 0.99)
    tiny = 1e-12
    return {
        "seam_ratio": quantile(at, 0.99) / max(inside, tiny),
        "seam_worst_ratio": float(at.max()) / max(inside, tiny),
        "seam_borders": float(sum(2 <= border <= len(values) - 2 for border in borders)),
    }


def _at_border(frames: int, borders: Sequence[int]) -> Tensor:
    marked = torch.zeros(frames - 2, dtype=torch.bool)
    for border in borders:
        # A jump between frames b - 1 and b shows in the second differences at both.
        for frame in (border - 1, border):
            if 2 <= border <= frames - 2:
                marked[frame - 1] = True
    return marked
