"""How far the lips open: the model's lip gap blended with one estimated from the sound."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from motet.face.lip_shapes import RESPONSE, SOLVED, measure, sides
from motet.face.operator import FaceCues, FrameOperator
from motet.types import ARKIT_SHAPES

WEIGHT = 0.4
"""Weight of the estimate. Chosen on development recordings: see `docs/benchmarks/evaluation.md`."""
REST = 0.03
"""Estimated gaps up to here (mouth widths) count as none: a linear regressor is never quite
still."""
_PARTING = [
    ARKIT_SHAPES.index(side) for name in SOLVED if RESPONSE[name][0] > 0.05 for side in sides(name)
]
OPENING_CHANNELS = [*_PARTING, ARKIT_SHAPES.index("mouthClose")]
"""Shapes that part the lips, and the one that closes them over an open jaw, in the house space."""


class BlendAperture(FrameOperator):
    """`blend_aperture` with the aperture of the cues; without one nothing is changed."""

    def __init__(self, weight: float = WEIGHT) -> None:
        self.weight = weight

    def apply(
        self, motion: Float[Tensor, "batch frames dim"], cues: FaceCues
    ) -> Float[Tensor, "batch frames dim"]:
        """The processed frames."""
        if cues.aperture is None:
            return motion
        return blend_aperture(motion, cues.aperture, self.weight)


def blend_aperture(
    motion: Float[Tensor, "batch frames dim"],
    aperture: Float[Tensor, "batch frames"],
    weight: float = WEIGHT,
) -> Float[Tensor, "batch frames dim"]:
    """Motion of the house space (shapes first) whose lip gap lies between its own and the estimate;
    everything else is untouched.

    Lips that are to part less keep their shape on a smaller scale; lips that are to part more do so
    by the jaw.

    Args:
        aperture: estimated gap between the inner lips, mouth widths.
        weight: 0 leaves the motion as it is, 1 gives the estimate's gap.
    """
    shapes = len(ARKIT_SHAPES)
    weights = motion[..., :shapes].reshape(-1, shapes).double().numpy()
    estimate = (aperture.reshape(-1).double() - REST).clamp(min=0).numpy() * (1 + REST)
    blended = torch.from_numpy(_with_gap(weights, estimate, weight))
    blended = blended.to(motion).reshape(*motion.shape[:-1], shapes)
    return torch.cat([blended, motion[..., shapes:]], -1)


def _with_gap(
    weights: Float[ndarray, "frames 52"], estimate: Float[ndarray, " frames"], weight: float
) -> Float[ndarray, "frames 52"]:
    gap = np.maximum(measure(weights)[:, 0], 0.0)
    target = (1 - weight) * gap + weight * estimate
    scale = np.where(target < gap, target / np.maximum(gap, 1e-9), 1.0)[:, None]
    result = weights.copy()
    result[:, OPENING_CHANNELS] *= scale
    jaw = ARKIT_SHAPES.index("jawOpen")
    wider = np.maximum(target - gap, 0.0) / RESPONSE["jawOpen"][0]
    result[:, jaw] = np.clip(result[:, jaw] + wider, 0.0, 1.0)
    return result
