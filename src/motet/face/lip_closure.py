"""Lips that come together where p, b or m is heard: a guard behind models that answer with an
average mouth.

A model that is unsure whether it hears an m or an n answers with lips between both, which is the
one answer that is always
wrong: people forgive a closure too many, not lips that stay apart in "mama". The guard weighs how
likely a closure is against how far the model itself has closed the lips, and finishes what was
begun.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from motet.face.lip_shapes import measure, seal
from motet.types import ARKIT_SHAPES

LEAST, MOST = 0.08, 0.40
"""Probability that seals lips which are nearly together, and lips which are `WIDE` open. Chosen on
development recordings: see `docs/benchmarks/evaluation.md`."""
WIDE = 0.15
"""Gap in mouth widths (a half-open vowel)."""
SOFT = 0.6
"""Share of the needed probability from which the lips begin to approach."""
WINDOW = ((-1, 0.4), (0, 1.0), (1, 1.0), (2, 0.4))
"""Steps of 20 ms around the two of a frame, and what a closure heard there counts for it."""
STEPS_BEFORE, STEPS_AFTER = 1, 3
"""Steps of sound that a frame needs before and after its first one (`STEPS_AFTER` counts that
one)."""


def evidence_steps(frames: int) -> int:
    """Steps of sound that so many frames need, beginning `STEPS_BEFORE` before the first one's."""
    return STEPS_BEFORE + 2 * (frames - 1) + STEPS_AFTER


def closure_evidence(probability: Float[Tensor, "batch steps"]) -> Float[Tensor, "batch frames"]:
    """How much speaks for closed lips in each frame of 40 ms.

    Args:
        probability: of p, b or m every 20 ms, from `STEPS_BEFORE` before the first frame to
            `STEPS_AFTER - 2` beyond the last frame's two steps.
    """
    frames = (probability.shape[-1] - STEPS_BEFORE - STEPS_AFTER) // 2 + 1
    parts = [
        weight * probability[..., STEPS_BEFORE + offset :: 2][..., :frames]
        for offset, weight in WINDOW
    ]
    return torch.stack(parts).amax(0)


def closing_amount(
    evidence: Float[Tensor, "*batch frames"], gap: Float[Tensor, "*batch frames"]
) -> Float[Tensor, "*batch frames"]:
    """0 (leave the lips) to 1 (seal them): the wider they stand open, the surer the ear must be."""
    needed = LEAST + (MOST - LEAST) * (gap / WIDE).clamp(0, 1)
    return ((evidence - SOFT * needed) / ((1 - SOFT) * needed)).clamp(0, 1)


def guard_closures(
    motion: Float[Tensor, "batch frames dim"], evidence: Float[Tensor, "batch frames"]
) -> Float[Tensor, "batch frames dim"]:
    """Motion of the house space (shapes first) whose lips close where the evidence asks for it;
    everything else is untouched.
    """
    shapes = len(ARKIT_SHAPES)
    weights = motion[..., :shapes].reshape(-1, shapes).double().numpy()
    gap = torch.from_numpy(measure(weights)[:, 0]).clamp(min=0)
    amount = closing_amount(evidence.reshape(-1).double(), gap)
    if not bool((amount > 0).any()):
        return motion
    sealed = (
        torch.from_numpy(seal(weights, amount.numpy()))
        .to(motion)
        .reshape(*motion.shape[:-1], shapes)
    )
    return torch.cat([sealed, motion[..., shapes:]], -1)
