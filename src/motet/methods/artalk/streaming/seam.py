"""Joining a window to the motion before it without a jump."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def join_seam(
    motion: Float[Tensor, "batch frames dim"],
    decoded: Float[Tensor, "batch 2 dim"],
    emitted: Float[Tensor, "batch 2 dim"],
    decay_frames: float,
) -> Float[Tensor, "batch frames dim"]:
    """New frames that continue the emitted ones in value and velocity.

    The decoder gives back the two frames before the seam only roughly. Its error there, e in value
    and d in slope per frame, is added to frame t = 1, 2, ... after the seam and fades:
    e f + d t f^2 with f = exp(-t / decay).

    Args:
        motion: decoded frames after the seam.
        decoded, emitted: the two frames before the seam, as decoded and as they were emitted.
        decay_frames: time constant of the fade. A longer one pulls the new frames away from what
            the model generated, a shorter one leaves a visible kink.
    """
    error = emitted - decoded
    value, slope = error[:, 1:], error[:, 1:] - error[:, :1]  # (batch, 1, dim) each
    # (1, frames, 1)
    time = torch.arange(1, motion.shape[1] + 1, dtype=motion.dtype).view(1, -1, 1)
    fade = torch.exp(-time / decay_frames)
    # The slope fades with the square: with f alone its part d t f would grow up to t = decay and
    # be twice as large there.
    return motion + fade * (value + slope * time * fade)
