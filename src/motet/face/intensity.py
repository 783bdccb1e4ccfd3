"""How far the face moves: scale of the mouth's shapes, and of any channels."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from motet.face.operator import FaceCues, FrameOperator
from motet.types import ARKIT_SHAPES

MOUTH_SHAPES: tuple[str, ...] = tuple(
    name for name in ARKIT_SHAPES if name.startswith(("mouth", "jaw", "tongue", "cheekPuff"))
)
"""The shapes that articulate speech."""
MOUTH_CHANNELS: list[int] = [ARKIT_SHAPES.index(name) for name in MOUTH_SHAPES]
"""Where they lie in the house space, whose first track are the shapes."""


class ScaleMouth(FrameOperator):
    """Mouth shapes of the house space times a factor, within 0..1."""

    def __init__(self, intensity: float) -> None:
        self.intensity = intensity

    def apply(
        self, motion: Float[Tensor, "batch frames dim"], cues: FaceCues
    ) -> Float[Tensor, "batch frames dim"]:
        """The processed frames."""
        motion = motion.clone()
        motion[..., MOUTH_CHANNELS] = (motion[..., MOUTH_CHANNELS] * self.intensity).clamp(0, 1)
        return motion


class ScaleChannels(FrameOperator):
    """Every channel times a factor of its own."""

    def __init__(self, scale: Float[Tensor, " dim"]) -> None:
        self.scale = scale

    def apply(
        self, motion: Float[Tensor, "batch frames dim"], cues: FaceCues
    ) -> Float[Tensor, "batch frames dim"]:
        """The processed frames."""
        return motion * self.scale


class ClampWeights(FrameOperator):
    """Blendshape weights of the house space within 0..1."""

    def apply(
        self, motion: Float[Tensor, "batch frames dim"], cues: FaceCues
    ) -> Float[Tensor, "batch frames dim"]:
        """The processed frames."""
        shapes = len(ARKIT_SHAPES)
        return torch.cat([motion[..., :shapes].clamp(0, 1), motion[..., shapes:]], -1)
