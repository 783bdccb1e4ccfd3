"""The same mouths as other cameras, lights and people would show them, for the sync expert: only
the motion should stay.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

Views = Float[Tensor, "runs frames 3 48 96"]


def varied(views: Views, chance: torch.Generator) -> Views:
    """Each run mirrored or not, moved, scaled, turned, blurred, in other colours and light, with
    noise; alike over a run but for a little tremble.
    """
    return _lit(_blurred(_moved(views, chance), chance), chance)


def _uniform(low: float, high: float, chance: torch.Generator, *size: int) -> Tensor:
    return low + (high - low) * torch.rand(size, generator=chance)


def _moved(views: Views, chance: torch.Generator) -> Views:
    runs, frames = views.shape[:2]
    mirror = (torch.rand(runs, generator=chance) < 0.5) * 2.0 - 1.0
    across, down, turn = (
        _uniform(0.75, 1.3, chance, runs),
        _uniform(0.75, 1.3, chance, runs),
        _uniform(-0.12, 0.12, chance, runs),
    )
    shift = torch.stack(
        [_uniform(-0.2, 0.2, chance, runs), _uniform(-0.25, 0.25, chance, runs)], -1
    )
    # coordinates run from -1 to 1 over 96 columns but only 48 rows
    rows = (
        torch.stack([mirror * across * turn.cos(), -0.5 * across * turn.sin()], -1),
        torch.stack([2 * mirror * down * turn.sin(), down * turn.cos()], -1),
    )
    matrix = torch.cat([torch.stack(rows, 1), shift.unsqueeze(-1)], -1).repeat_interleave(frames, 0)
    matrix[:, :, 2] += 0.02 * torch.randn(len(matrix), 2, generator=chance)
    flat = views.flatten(0, 1)
    grid = F.affine_grid(matrix, list(flat.shape), align_corners=False)
    return F.grid_sample(flat, grid, padding_mode="border", align_corners=False).unflatten(
        0, (runs, frames)
    )


def _blurred(views: Views, chance: torch.Generator) -> Views:
    if float(torch.rand((), generator=chance)) < 0.5:
        return views
    soft = F.avg_pool2d(views.flatten(0, 1), 3, 1, 1, count_include_pad=False).unflatten(
        0, views.shape[:2]
    )
    return torch.lerp(views, soft, _uniform(0, 1, chance, len(views), 1, 1, 1, 1))


def _lit(views: Views, chance: torch.Generator) -> Views:
    one = (len(views), 1, 1, 1, 1)
    colours = (
        _uniform(0.6, 1.4, chance, len(views), 1, 3, 1, 1),
        _uniform(-0.15, 0.15, chance, len(views), 1, 3, 1, 1),
    )
    views = (
        views.clamp(0, 1).pow(torch.exp2(_uniform(-0.7, 0.7, chance, *one))) * colours[0]
        + colours[1]
    )
    across, down = (
        torch.linspace(-1, 1, views.shape[-1]),
        torch.linspace(-1, 1, views.shape[-2]).unsqueeze(1),
    )
    views = views * (
        1 + across * _uniform(-0.3, 0.3, chance, *one) + down * _uniform(-0.3, 0.3, chance, *one)
    )
    grey = (torch.rand(one, generator=chance) < 0.3).to(views)
    return torch.lerp(views, views.mean(2, keepdim=True), grey) + 0.03 * torch.randn(
        views.shape, generator=chance
    )
