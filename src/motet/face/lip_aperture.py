"""How far the lips open, nudged towards a second opinion."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from motet.face.lip_shapes import RESPONSE, SOLVED, measure, sides
from motet.types import ARKIT_SHAPES

SHARE = 0.4
"""How much the second opinion counts. Chosen on development recordings: see
`docs/benchmarks/evaluation.md`."""
REST = 0.03
"""Openings up to here (mouth widths) in the second opinion count as none: a linear reader is never
quite still."""
_PARTING = [
    ARKIT_SHAPES.index(side) for name in SOLVED if RESPONSE[name][0] > 0.05 for side in sides(name)
]
_CLOSING = [ARKIT_SHAPES.index("mouthClose")]


def nudge_opening(
    motion: Float[Tensor, "batch frames dim"],
    opinion: Float[Tensor, "batch frames"],
    share: float = SHARE,
) -> Float[Tensor, "batch frames dim"]:
    """Motion of the house space (shapes first) whose lip gap lies between its own and the
    opinion's; everything else is untouched.

    Lips that are to part less keep their shape on a smaller scale; lips that are to part more do so
    by the jaw.

    Args:
        opinion: gap between the inner lips, mouth widths.
        share: 0 leaves the motion as it is, 1 gives the opinion's gap.
    """
    shapes = len(ARKIT_SHAPES)
    weights = motion[..., :shapes].reshape(-1, shapes).double().numpy()
    wanted = (opinion.reshape(-1).double() - REST).clamp(min=0).numpy() * (1 + REST)
    moved = (
        torch.from_numpy(_with_gap(weights, wanted, share))
        .to(motion)
        .reshape(*motion.shape[:-1], shapes)
    )
    return torch.cat([moved, motion[..., shapes:]], -1)


def _with_gap(
    weights: Float[ndarray, "frames 52"], wanted: Float[ndarray, "frames"], share: float
) -> Float[ndarray, "frames 52"]:
    gap = np.maximum(measure(weights)[:, 0], 0.0)
    target = (1 - share) * gap + share * wanted
    scale = np.where(target < gap, target / np.maximum(gap, 1e-9), 1.0)[:, None]
    result = weights.copy()
    result[:, _PARTING + _CLOSING] *= scale
    jaw = ARKIT_SHAPES.index("jawOpen")
    result[:, jaw] = np.clip(
        result[:, jaw] + np.maximum(target - gap, 0.0) / RESPONSE["jawOpen"][0], 0.0, 1.0
    )
    return result
