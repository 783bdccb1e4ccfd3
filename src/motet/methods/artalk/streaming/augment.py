"""Augmentation of training windows: the generator must meet in training what it meets at inference.

At inference the history is the model's own output, with its errors or absent; part of the audio has
not arrived; coarse bits are wrong or are expected values between -1 and 1; often no style is given.
The order of the random draws is part of a run: another order gives other weights from a seed.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from motet.methods.artalk.codec import MotionCodec
from motet.methods.artalk.config import StreamingConfig
from motet.nn.seeded import integers, normal, uniform

LEAST_KNOWN_FRAMES = 2
"""A history whose last two frames are missing gives no velocity: it counts as empty."""
FAST_NOISE = 0.2
"""Strength of the noise of single frames beside the slow drift."""
LEAST_GAIN = 0.4
"""Shortest softened code beside a code of length 1."""


def noisy_history(
    codec: MotionCodec,
    past: Float[Tensor, "batch past dim"],
    inside: Bool[Tensor, "batch past"],
    randomness: torch.Generator,
    config: StreamingConfig,
) -> tuple[Float[Tensor, "batch past dim"], Bool[Tensor, " batch"]]:
    """History with slow and fast noise, truncated or empty for some items; and a mask of the empty
    ones.

    Args:
        past: raw motion.
        inside: frames that exist in the recording.
    """
    size, length = past.shape[:2]
    device = past.device
    strength = config.history_noise * uniform((size, 1, 1), randomness, device)
    # Slow noise: a straight line between two random poses, (batch, 2, dim).
    slow = normal((size, 2, past.shape[2]), randomness, device)
    ramp = torch.linspace(0, 1, length, device=device).view(1, -1, 1)
    noise = (
        slow[:, :1] * (1 - ramp)
        + slow[:, 1:] * ramp
        + FAST_NOISE * normal(past.shape, randomness, device)
    )
    # Known frames, (batch): mostly all; with probability `drop_past` none or, for half of these
    # items, a random number, as in the first windows of a session.
    known = integers(0, length + 1, size, randomness, device)
    known = torch.where(uniform(size, randomness, device) < 0.5, known, 0)
    known = torch.where(uniform(size, randomness, device) < config.drop_past, known, length)
    present = (torch.arange(length, device=device) >= length - known.unsqueeze(1)) & inside
    noisy = past + (strength * noise).to(past) * codec.motion_std  # noise is in deviations
    fresh = ~present[:, -LEAST_KNOWN_FRAMES:].all(1)
    return noisy * present.unsqueeze(-1), fresh


def audio_end(
    last_step: Int[Tensor, " batch"], randomness: torch.Generator, config: StreamingConfig
) -> Int[Tensor, " batch"]:
    """Step after the last one whose audio is known: for half of the items where a session generates
    the window, otherwise anywhere in it.

    Args:
        last_step: step after the last one of the recording.
    """
    # At least two frames of the window have their audio.
    least = config.audio_before + 2 * config.steps_per_frame
    size, device = len(last_step), last_step.device
    cut = integers(least, config.audio_steps + 1, size, randomness, device)
    usual = config.audio_before + config.steps_per_frame * config.commit + config.look_ahead
    cut = torch.where(uniform(size, randomness, device) < 0.5, usual, cut)
    return torch.minimum(cut, last_step)


def flipped_bits(
    config: StreamingConfig, size: int, randomness: torch.Generator, device: torch.device
) -> Sequence[Bool[Tensor, "batch patch bits"]]:
    """True where the input has the opposite bit, for each scale but the last, whose bits no later
    scale reads. The share is drawn for each item, up to `flip`.
    """
    share = config.flip * uniform((size, 1, 1), randomness, device)
    return [
        uniform((size, patch, config.codec.bits), randomness, device) < share
        for patch in config.codec.patches[:-1]
    ]


def code_gains(
    config: StreamingConfig, batch: int, like: Tensor, randomness: torch.Generator
) -> list[Float[Tensor, "batch 1 1"]]:
    """Length of the input codes of each scale but the last: 1, or for some items shorter at random,
    as expected bits are.
    """
    soft = uniform(batch, randomness, like.device) < config.soften
    lengths = [
        LEAST_GAIN + (1 - LEAST_GAIN) * uniform(batch, randomness, like.device)
        for _ in config.codec.patches[:-1]
    ]
    return [torch.where(soft, length, 1.0).to(like).view(-1, 1, 1) for length in lengths]
