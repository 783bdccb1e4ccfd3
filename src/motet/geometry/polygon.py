"""Points inside polygons."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def inside(
    polygons: Float[Tensor, "count corners 2"], points: Float[Tensor, "count some 2"]
) -> Bool[Tensor, "count some"]:
    """Which points lie inside their polygon (even-odd rule).

    Args:
        polygons: corners once around.
        points: of each polygon; a first axis of length 1 stands for all.
    """
    x, y = points.unbind(-1)
    result = torch.zeros(len(polygons), points.shape[1], dtype=torch.bool)
    for one, other in zip(polygons.unbind(1), polygons.roll(-1, 1).unbind(1), strict=True):
        (x0, y0), (x1, y1) = (corner.unsqueeze(-1).unbind(1) for corner in (one, other))
        crosses = (y0 > y) != (y1 > y)
        at = x0 + (y - y0) / torch.where(y1 == y0, 1e-9, y1 - y0) * (x1 - x0)
        result ^= crosses & (x < at)
    return result
