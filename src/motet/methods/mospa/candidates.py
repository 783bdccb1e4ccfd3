"""Whether a window does what its reaction is: whoever greets or attends looks at the source.

A denoiser of this size sometimes walks to a speaker without looking. Where the head of a window
misses the source by too much, others are drawn and the best one is kept; the first one stays where
it is good enough, so most takes cost nothing more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from motet.body.feature_vector import ROOT, vector_rotations
from motet.body.skeleton import house_offsets
from motet.geometry.kinematics import forward_kinematics
from motet.methods.mospa.item_progress import WindowPlan
from motet.reaction_families import UNKNOWN_FAMILY, family_number
from motet.types import SMPLX25_JOINTS, SMPLX25_PARENTS

CANDIDATES = 4
"""Windows that are drawn at most."""
MISSED_DEG = 35.0
"""A head that is further off the source in half of the judged frames misses it."""
SETTLED = 36
"""Frames after a source is attended to before which nobody is expected to look at it."""
LEAST = 15
LOOKING = tuple(map(family_number, ("greet", "attend")))
HEAD = SMPLX25_JOINTS.index("head")


def best_look(
    first: Float[Tensor, "batch frames dim"],
    drawn: Callable[[int], Float[Tensor, "batch frames dim"]],
    source: Float[Tensor, "batch frames 3"],
    plans: Sequence[WindowPlan],
    known: int,
) -> Float[Tensor, "batch frames dim"]:
    """Each item's first candidate, or its best one where that does not look at the source; what one
    item gets does not depend on the others.

    Args:
        drawn: another candidate of all items, by its number from 1 on.
    """
    best = missed_deg(first, source, plans, known)
    chosen = first
    for candidate in range(1, CANDIDATES):
        is_open = best > MISSED_DEG
        if not is_open.any():
            break
        other = drawn(candidate)
        missed = missed_deg(other, source, plans, known)
        is_better = is_open & (missed < best)
        chosen = torch.where(torch.from_numpy(is_better).view(-1, 1, 1), other, chosen)
        best = np.where(is_better, missed, best)
    return chosen


def missed_deg(
    vector: Float[Tensor, "batch frames dim"],
    source: Float[Tensor, "batch frames 3"],
    plans: Sequence[WindowPlan],
    known: int,
) -> Float[np.ndarray, " batch"]:
    """Median angle between where each head points and its source, degrees; 0 where no reaction asks
    for a look.

    Args:
        vector: windows in the same axes as `source`.
        known: frames that every candidate shares.
    """
    posed = forward_kinematics(
        vector_rotations(vector), vector[..., ROOT], house_offsets().to(vector), SMPLX25_PARENTS
    )
    front = posed[0][..., HEAD, :, 2]  # (batch, frames, 3)
    way = source - posed[1][..., HEAD, :]
    head, bearing = (torch.atan2(v[..., 0], v[..., 2]).numpy() for v in (front, way))
    off = np.degrees(np.abs((head - bearing + np.pi) % (2 * np.pi) - np.pi))
    result = np.zeros(len(vector))
    for row, plan in enumerate(plans):
        judged = _judged(plan, known) & np.isfinite(off[row])
        if judged.sum() >= LEAST:
            result[row] = float(np.median(off[row][judged]))
    return result


def looked_at(
    source: Float[Tensor, "batch frames 3"], plans: Sequence[WindowPlan]
) -> Float[Tensor, "batch frames 3"]:
    """Positions that heads turn to: of sources that are greeted or attended to, and of unknown
    sounds; NaN elsewhere.
    """
    rows = []
    for row, plan in zip(source.float(), plans, strict=True):
        looks = ~np.isnan(plan.rows).any(1)
        if plan.families is not None:
            looks &= np.isin(plan.families, (UNKNOWN_FAMILY, *LOOKING))
        rows.append(torch.where(torch.from_numpy(looks).unsqueeze(-1), row, torch.nan))
    return torch.stack(rows)


def _judged(plan: WindowPlan, known: int) -> np.ndarray:
    """Frames that are emitted and in which a look at the source is due."""
    frames = np.arange(len(plan.rows))
    if plan.families is None:
        return np.zeros(len(frames), bool)
    looks = np.isin(plan.families, LOOKING)
    begins = np.flatnonzero(np.diff(np.concatenate([[0], looks.astype(int)])) > 0)
    for begin in begins:
        looks[begin : begin + SETTLED] = False
    return looks & (frames >= known) & (frames < plan.stop)
