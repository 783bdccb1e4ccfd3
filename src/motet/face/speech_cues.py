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
        at = (first + 2 * torch.arange(frames)).clamp(0, features.shape[1] - 1)
        mouth = widened(encoder.mouth(features)[:, at], encoder.mouth_mean)
    elif opening and features.shape[1]:
        gap = encoder.aperture(features, first, frames)
    if closures:
        probability = encoder.closures(features, first - STEPS_BEFORE, evidence_steps(frames))
        evidence = closure_evidence(probability)
    return FaceCues(aperture=gap, mouth=mouth, closure_evidence=evidence)
