"""Post-processing of the streaming model: smoothing, lip aperture, lip closures."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor

from motet.encoders.base import MouthEncoder, SpeechEncoder
from motet.face.intensity import MOUTH_SHAPES
from motet.face.lip_aperture import BlendAperture
from motet.face.lip_closure import EnforceClosures
from motet.face.mouth_blend import BlendMouth
from motet.face.mouth_style import MouthStyle
from motet.face.operator import Operator, OperatorChain
from motet.face.smoothing import ExponentialSmoothing
from motet.methods.artalk.config import ArtalkCondition
from motet.nn.device import CPU
from motet.types import ARKIT_SHAPES

SMOOTHING, SMOOTHING_STAGES = 0.56, 7
"""Exponential smoothing of head and brows when bits are sampled. Many fast stages have a smooth
step response, two slow ones do not (velocity jumps of the head at borders were 2.8 times those
inside, now 1.1); head and brows come 0.22 s late."""

CHANNELS = (*ARKIT_SHAPES, "x", "y", "z")
"""Channels of the house space: expressions, then the rotation of the head."""


def mouth_channels() -> Bool[Tensor, " dim"]:
    """True for the channels that move the mouth."""
    return torch.tensor([name in MOUTH_SHAPES for name in CHANNELS])


def smoothed_channels() -> Bool[Tensor, " dim"]:
    """True for head, brows and the rest of the face. Mouth, lids and eyes do move suddenly."""
    eyes = torch.tensor([name.startswith(("eyeBlink", "eyeLook")) for name in CHANNELS])
    return ~(mouth_channels() | eyes).to(CPU)


def face_chain(
    condition: ArtalkCondition, encoder: SpeechEncoder[Any], style: MouthStyle
) -> OperatorChain:
    """The operators of a session. Closures come last, so that nothing opens them again."""
    operators: list[Operator[Any]] = []
    if condition.decode == "lively":
        operators.append(ExponentialSmoothing(smoothed_channels(), SMOOTHING, SMOOTHING_STAGES))
    if condition.opening:
        # The whole mouth where the encoder regresses it, else its opening alone.
        if isinstance(encoder, MouthEncoder):
            operators.append(BlendMouth(condition.opening, style))
        else:
            operators.append(BlendAperture(condition.opening))
    if condition.closures:
        operators.append(EnforceClosures())
    return OperatorChain(operators)
