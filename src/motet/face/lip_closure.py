"""Lips that close for p, b and m: from evidence in the sound, or from the known times of phones.

A model that is unsure whether a sound is an m or an n predicts lips between both, which is always
wrong: viewers forgive a closure too many, not lips that stay apart in "mama". Evidence is weighed
against how far the model itself has closed the lips, and the closure is completed.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from motet.face.lip_shapes import close_lips, measure
from motet.face.operator import FaceCues, FrameOperator
from motet.types import ARKIT_SHAPES

LEAST_EVIDENCE, MOST_EVIDENCE = 0.08, 0.40
"""Probability that closes lips which are nearly together, and lips which are `WIDE_GAP` open.
Chosen on development recordings: see `docs/benchmarks/evaluation.md`."""
WIDE_GAP = 0.15
"""Gap in mouth widths (a half-open vowel)."""
APPROACH = 0.6
"""Share of the needed probability from which the lips begin to approach."""
EVIDENCE_WINDOW = ((-1, 0.4), (0, 1.0), (1, 1.0), (2, 0.4))
"""Features of 20 ms around the two of a frame, and how much a closure there counts for it."""
STEPS_BEFORE, STEPS_AFTER = 1, 3
"""Features that a frame needs before and after its first one (`STEPS_AFTER` counts that one)."""
RAMP_S = 0.04
"""Time in which lips come together and part around a closure of known time, as in the corpus."""


def evidence_steps(frames: int) -> int:
    """Features that so many frames need, beginning `STEPS_BEFORE` before the first one's."""
    return STEPS_BEFORE + 2 * (frames - 1) + STEPS_AFTER


def closure_evidence(probability: Float[Tensor, "batch steps"]) -> Float[Tensor, "batch frames"]:
    """Evidence for closed lips in each frame of 40 ms.

    Args:
        probability: of p, b or m every 20 ms, from `STEPS_BEFORE` before the first frame to
            `STEPS_AFTER - 2` beyond the last frame's two features.
    """
    frames = (probability.shape[-1] - STEPS_BEFORE - STEPS_AFTER) // 2 + 1
    parts = [
        weight * probability[..., STEPS_BEFORE + offset :: 2][..., :frames]
        for offset, weight in EVIDENCE_WINDOW
    ]
    return torch.stack(parts).amax(0)


def amount_from_evidence(
    evidence: Float[Tensor, "*batch frames"], gap: Float[Tensor, "*batch frames"]
) -> Float[Tensor, "*batch frames"]:
    """0 (leave the lips) to 1 (close them): the wider they stand open, the more evidence is
    needed.
    """
    needed = LEAST_EVIDENCE + (MOST_EVIDENCE - LEAST_EVIDENCE) * (gap / WIDE_GAP).clamp(0, 1)
    return ((evidence - APPROACH * needed) / ((1 - APPROACH) * needed)).clamp(0, 1)


def amount_from_timing(
    frames: int, fps: float, closures: Sequence[tuple[float, float]], ramp_s: float = RAMP_S
) -> Float[Tensor, " frames"]:
    """How far the lips are to be closed at each frame, 0..1: fully inside closures, and at the
    frame nearest to very short ones.

    Args:
        closures: start and end of each, seconds.
    """
    time = torch.arange(frames, dtype=torch.float64) / fps
    amount = torch.zeros(frames, dtype=torch.float64)
    for start, end in closures:
        outside = torch.maximum(start - time, time - end).clamp(min=0)
        amount = torch.maximum(amount, (1 - outside / ramp_s).clamp(min=0))
        nearest = min(max(round((start + end) / 2 * fps), 0), frames - 1)
        amount[nearest] = 1.0
    return amount


class EnforceClosures(FrameOperator):
    """`enforce_closures` with the evidence of the cues; without evidence nothing is changed."""

    def apply(
        self, motion: Float[Tensor, "batch frames dim"], cues: FaceCues
    ) -> Float[Tensor, "batch frames dim"]:
        """The processed frames."""
        if cues.closure_evidence is None:
            return motion
        return enforce_closures(motion, cues.closure_evidence)


class CloseAtPhones(FrameOperator):
    """Lips closed by the amount of the cues, from known times of p, b and m."""

    def apply(
        self, motion: Float[Tensor, "batch frames dim"], cues: FaceCues
    ) -> Float[Tensor, "batch frames dim"]:
        """The processed frames."""
        if cues.closure_amount is None:
            return motion
        return closed_by(motion, cues.closure_amount)


def enforce_closures(
    motion: Float[Tensor, "batch frames dim"], evidence: Float[Tensor, "batch frames"]
) -> Float[Tensor, "batch frames dim"]:
    """Motion of the house space (shapes first) whose lips close where the evidence asks for it;
    everything else is untouched.
    """
    shapes = len(ARKIT_SHAPES)
    weights = motion[..., :shapes].reshape(-1, shapes).double().numpy()
    gap = torch.from_numpy(measure(weights)[:, 0]).clamp(min=0)
    amount = amount_from_evidence(evidence.reshape(-1).double(), gap)
    return closed_by(motion, amount.reshape(evidence.shape))


def closed_by(
    motion: Float[Tensor, "batch frames dim"], amount: Float[Tensor, "batch frames"]
) -> Float[Tensor, "batch frames dim"]:
    """Motion of the house space with the lips closed by the amount, 0..1, frame by frame."""
    if not bool((amount > 0).any()):
        return motion
    shapes = len(ARKIT_SHAPES)
    weights = motion[..., :shapes].reshape(-1, shapes).double().numpy()
    closed = torch.from_numpy(close_lips(weights, amount.reshape(-1).double().numpy()))
    closed = closed.to(motion).reshape(*motion.shape[:-1], shapes)
    return torch.cat([closed, motion[..., shapes:]], -1)
