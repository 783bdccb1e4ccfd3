"""Losses of the streaming model: the codec on pairs of windows, the generator on one window with
its history, audio and style.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from motet.methods.artalk.codec import MotionCodec
from motet.methods.artalk.config import StreamingConfig
from motet.methods.artalk.streaming.audio_mixer import known_mask
from motet.methods.artalk.streaming.augment import (
    audio_end,
    code_gains,
    flipped_bits,
    noisy_history,
)
from motet.methods.artalk.streaming.model import StreamingModel
from motet.methods.artalk.streaming.motion_loss import (
    FigurePoints,
    motion_terms,
    observed,
    weighted_mean,
)
from motet.nn.seeded import uniform

Batch = Mapping[str, Tensor]


def codec_loss(
    codec: MotionCodec,
    batch: Batch,
    randomness: torch.Generator,
    config: StreamingConfig,
    figure: FigurePoints | None = None,
) -> dict[str, Tensor]:
    """Reconstruction of two consecutive windows, across their border, and the quantiser's own
    loss.

    Args:
        batch: of `pair_batch`.
    """
    frames = config.codec.frames
    # (batch, 2 * frames, dim); a share of the items has no past, as a session's first window.
    motion = observed(batch["motion"], batch["valid"], codec.motion_mean)
    fresh = uniform(len(motion), randomness, motion.device) < config.drop_past
    motion = torch.cat([motion[:, :frames] * ~fresh.view(-1, 1, 1), motion[:, frames:]], 1)
    features = codec.encode(motion)  # (batch, 2 * frames, bits)
    gains = code_gains(config, 2 * len(motion), motion, randomness)
    # The windows are encoded together but quantised one by one: (2 * batch, frames, bits).
    quantized = codec.quantizer.quantize(torch.cat(features.chunk(2, 1)), gains)
    decoded = codec.decode(torch.cat(quantized.total.chunk(2, 0), 1))
    # A missing past is no target.
    weights = batch["inside"].to(motion.dtype)
    weights = torch.cat([weights[:, :frames] * ~fresh.unsqueeze(1), weights[:, frames:]], 1)
    return {
        "quantiser": quantized.losses.mean(),
        **motion_terms(codec, decoded, motion, batch["valid"], weights, figure),
    }


def generator_loss(
    model: StreamingModel,
    batch: Batch,
    randomness: torch.Generator,
    figure: FigurePoints | None = None,
) -> dict[str, Tensor]:
    """Cross entropy of the bits, and the error of the motion that the expected bits decode to.

    Augmentation matches inference: noisy or missing history, truncated audio, flipped or softened
    coarse bits, style dropout.

    Args:
        batch: of `window_batch`.
    """
    config, codec = model.config, model.codec
    frames, size = config.codec.frames, len(batch["motion"])
    motion = observed(batch["motion"], batch["valid"], codec.motion_mean)
    past, now = motion[:, :-frames], motion[:, -frames:]  # (batch, past, dim), (batch, frames, dim)
    past, fresh = noisy_history(codec, past, batch["inside"][:, :-frames], randomness, config)
    last = audio_end(batch["audio_last"], randomness, config)
    with torch.no_grad():  # the codec is trained: its bits are targets
        features = codec.encode(torch.cat([past[:, -frames:], now], 1))[:, frames:]
        flips = flipped_bits(config, size, randomness, motion.device)
        gains = code_gains(config, size, motion, randomness)
        # Targets, and the damaged codes that the generator sees: (batch, tokens, bits) each.
        bits, seen = codec.quantizer.signs(features, flips, gains)
        before = model.past_total(past[:, -frames:])
    style = _style(model, batch, randomness)
    audio = model.audio(batch["audio"], known_mask(config.audio_steps, batch["audio_first"], last))
    odds = model.logits(seen, style, model.past(past, before, fresh), audio)
    weights = (batch["inside"][:, -frames:] * _frame_weights(last, config)).to(odds.dtype)
    # (batch, tokens, bits) -> (batch, tokens)
    entropy = F.binary_cross_entropy_with_logits(odds, bits.to(odds.dtype), reduction="none")
    expected = torch.tanh(odds / 2) * config.codec.bits**-0.5
    # The bits are those that repair the damage of the coarser scales (`signs`). Expected codes
    # therefore decode to the target only together with the same damage.
    damage = seen - codec.quantizer.codes_of(bits, seen)
    total = codec.quantizer.total(expected + damage)  # (batch, frames, bits)
    decoded = codec.decode(torch.cat([before, total], 1), keep=frames)
    terms = motion_terms(codec, decoded, now, batch["valid"], weights, figure)
    return {
        "bits": weighted_mean(entropy.mean(-1), _token_weights(model, weights)),
        **{name: config.motion_weight * term for name, term in terms.items()},
    }


def _frame_weights(
    last: Int[Tensor, " batch"], config: StreamingConfig
) -> Float[Tensor, "batch frames"]:
    """1 for frames whose audio is known, less for those that are regenerated later anyway."""
    frames = torch.arange(1, config.codec.frames + 1, device=last.device)
    ends = config.audio_before + config.steps_per_frame * frames  # step after each frame
    return torch.where(ends <= last.unsqueeze(1), 1.0, config.unheard_weight)


def _token_weights(
    model: StreamingModel, frames: Float[Tensor, "batch frames"]
) -> Float[Tensor, "batch tokens"]:
    """The mean weight of the frames that a token spans."""
    scales = range(len(model.config.codec.patches))
    return torch.cat(
        [model.quantizer.pool(scale, frames.unsqueeze(-1)).squeeze(-1) for scale in scales], 1
    )


def _style(
    model: StreamingModel, batch: Batch, randomness: torch.Generator
) -> Float[Tensor, "batch style"]:
    """Vectors of the style clips, the null style for a random share: the model also learns to
    generate without a style, which guidance needs.
    """
    motion = observed(batch["style"], batch["valid"], model.codec.motion_mean)
    style = model.style(motion, batch["style_mask"])
    dropped = uniform(len(style), randomness, style.device) < model.config.drop_style
    return torch.where(dropped.unsqueeze(1), model.null_style, style)
