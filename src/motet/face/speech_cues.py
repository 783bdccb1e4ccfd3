"""Cues of the operators from acoustic features: the mouth or lip aperture, and evidence for closed
lips.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from motet.encoders.base import MouthEncoder, SpeechEncoder
from motet.face.lip_closure import STEPS_BEFORE, closure_evidence, evidence_steps
from motet.face.mouth_blend import widened
from motet.face.operator import FaceCues


def speech_cues(
    encoder: SpeechEncoder[Any],
    features: Float[Tensor, "batch known dim"],
    first: int,
    frames: int,
    *,
    opening: bool,
    closures: bool,
) -> FaceCues:
    """What the features say about so many frames of two features each.

    Args:
        features: all that are known around these frames.
        first: index of the first frame's first feature among them.
        opening: whether the regressed mouth is wanted, or from an encoder that has none the lip
            aperture.
        closures: whether evidence for closed lips is wanted.
    """
    gap = mouth = evidence = None
    if opening and features.shape[1] and isinstance(encoder, MouthEncoder):
        mouth = widened(_mouth(encoder.mouth(features), first, frames), encoder.mouth_mean)
    elif opening and features.shape[1]:
        gap = encoder.aperture(features, first, frames)
    if closures:
        probability = encoder.closures(features, first - STEPS_BEFORE, evidence_steps(frames))
        evidence = closure_evidence(probability)
    return FaceCues(aperture=gap, mouth=mouth, closure_evidence=evidence)


def _mouth(
    shapes: Float[Tensor, "batch known shapes"], first: int, frames: int
) -> Float[Tensor, "batch frames shapes"]:
    """Shapes of frames from those of steps: each frame has two, and the mean over its own step and
    half of both neighbours takes away what trembles from step to step.
    """
    own = first + 2 * torch.arange(frames)
    near = [shapes[:, (own + k).clamp(0, shapes.shape[1] - 1)] for k in (-1, 0, 1)]
    return 0.25 * near[0] + 0.5 * near[1] + 0.25 * near[2]
