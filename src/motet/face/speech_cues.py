"""Cues of the operators from acoustic features: lip aperture and evidence for closed lips."""

from __future__ import annotations

from typing import Any

from jaxtyping import Float
from torch import Tensor

from motet.encoders.base import SpeechEncoder
from motet.face.lip_closure import STEPS_BEFORE, closure_evidence, evidence_steps
from motet.face.operator import FaceCues


def speech_cues(
    encoder: SpeechEncoder[Any],
    features: Float[Tensor, "batch known dim"],
    first: int,
    frames: int,
    *,
    aperture: bool,
    closures: bool,
) -> FaceCues:
    """What the features say about so many frames of two features each.

    Args:
        features: all that are known around these frames.
        first: index of the first frame's first feature among them.
        aperture, closures: which cues are wanted.
    """
    gap = evidence = None
    if aperture and features.shape[1]:
        gap = encoder.aperture(features, first, frames)
    if closures:
        probability = encoder.closures(features, first - STEPS_BEFORE, evidence_steps(frames))
        evidence = closure_evidence(probability)
    return FaceCues(aperture=gap, closure_evidence=evidence)
