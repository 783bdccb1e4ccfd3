"""The loss terms of one clip: the estimate itself, the surface it makes, and the head's
movement.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from motet.methods.diffposetalk.config import DiffPoseTalkConfig

Surface = Callable[[Tensor, Tensor | None], Tensor]
"""(normalised vectors (batch frames dim), normalised shape or None) -> points (batch frames ...)
that must move alike."""
WITHOUT_HALVES = ("head_trans",)
"""Terms that exist in the second clip only and are not halved."""


@dataclasses.dataclass(frozen=True)
class ClipPair:
    """Truth and estimate of one clip."""

    truth: Float[Tensor, "batch window dim"]
    """Normalised motion."""
    prediction: Float[Tensor, "batch frames dim"]
    """The network's prediction for context and window: clean motion, or noise."""
    noise: Float[Tensor, "batch window dim"]
    context: Float[Tensor, "batch context dim"] | None
    """True motion before the clip; None for the first clip."""
    ends: Int[Tensor, " batch"] | None = None
    """Real frames of the window; None: all."""
    shape: Float[Tensor, "batch coefficients"] | None = None
    valid: Float[Tensor, "batch dim"] | None = None
    """1 for channels that were observed; None: all."""


def clip_losses(
    pair: ClipPair, config: DiffPoseTalkConfig, surface: Surface | None
) -> dict[str, Tensor]:
    """All terms of one clip, unweighted; a term of which no frame remains is zero, one that does
    not apply is absent.

    Source: the training code released with the paper; weights are the paper's.
    """
    loss, error = config.loss, squared if config.loss.criterion == "l2" else absolute
    window = pair.truth.shape[1]
    own = frames_before(pair.ends, len(pair.truth), window, pair.truth.device)  # (batch, window)
    if config.diffusion.target == "noise":
        return {
            "noise": masked_mean(error(pair.noise, pair.prediction[:, -window:]), own, pair.valid)
        }
    window_motion = pair.prediction[:, -window:]  # (batch, window, dim)
    truth, estimate, mask = pair.truth, window_motion, own
    if pair.context is not None:
        # The second clip: context and window count as one stretch, so that speeds are also
        # compared over the border. Frames of the context count themselves only on request.
        past = pair.prediction[:, :-window] if loss.constrain_previous else pair.context
        known = own.new_full(pair.context.shape[:2], loss.constrain_previous)  # (batch, context)
        truth, estimate, mask = (
            torch.cat([pair.context, truth], 1),
            torch.cat([past, window_motion], 1),
            torch.cat([known, own], 1),
        )
    terms = {"noise": masked_mean(error(truth, estimate), mask, pair.valid)}
    if surface is not None and (loss.vert > 0 or loss.vel > 0):
        terms |= _surface_terms(
            surface(truth, pair.shape), surface(estimate, pair.shape), mask, error
        )
    if config.head:
        columns = head_columns(config)
        seen = None if pair.valid is None else pair.valid[:, columns]
        terms |= _head_terms(truth[..., columns], estimate[..., columns], mask, seen, error)
        if pair.context is not None:
            # Three frames on either side of the border between the clips.
            six = torch.cat([pair.context[:, -3:, columns], window_motion[:, :3, columns]], 1)
            terms["head_trans"] = _transition(six, own, seen, error)
    return terms


def weighted(clips: Sequence[dict[str, Tensor]], config: DiffPoseTalkConfig) -> dict[str, Tensor]:
    """Weighted terms of both clips: each clip counts its share, the transition
    between clips fully.
    """
    total: dict[str, Tensor] = {}
    for terms in clips:
        for name, value in terms.items():
            # Each clip counts its share of the mean over both; terms of one clip alone count whole.
            share = 1.0 if name in WITHOUT_HALVES else 1.0 / len(clips)
            weight = 1.0 if name == "noise" else float(getattr(config.loss, name))
            total[name] = total.get(name, value.new_zeros(())) + value * share * weight
    return total


def head_columns(config: DiffPoseTalkConfig) -> slice:
    """Where the head's rotation lies in the model's vector."""
    return slice(52, 55) if config.space == "arkit" else slice(50, 53)


def frames_before(
    ends: Int[Tensor, " batch"] | None, batch: int, window: int, device: torch.device
) -> Bool[Tensor, "batch window"]:
    """True for the frames before each end."""
    if ends is None:
        return torch.ones(batch, window, dtype=torch.bool, device=device)
    return torch.arange(window, device=device) < ends.unsqueeze(1)


def squared(a: Tensor, b: Tensor) -> Tensor:
    """Squared error, number by number."""
    return (a - b).square()


def absolute(a: Tensor, b: Tensor) -> Tensor:
    """Absolute error, number by number."""
    return (a - b).abs()


def masked_mean(
    error: Float[Tensor, "batch frames *numbers"],
    mask: Bool[Tensor, "batch frames"],
    valid: Float[Tensor, "batch dim"] | None = None,
) -> Float[Tensor, ""]:
    """Mean over the numbers of the frames in the mask (and of the valid channels); zero when
    nothing remains.
    """
    # (batch, frames, 1, ...) -> the shape of the error
    share = mask.to(error.dtype).reshape(*mask.shape, *(1,) * (error.ndim - 2)).expand_as(error)
    if valid is not None:
        share = share * valid.unsqueeze(1)
    # Without a single frame the sum is 0 and so is the mean: no NaN reaches the gradient.
    return (error * share).sum() / share.sum().clamp(min=1)


def _surface_terms(
    truth: Tensor, estimate: Tensor, mask: Tensor, error: Callable[[Tensor, Tensor], Tensor]
) -> dict[str, Tensor]:
    """Errors of the surface's points and their speed; `smooth` holds the estimate's own speed
    constant, whatever the truth does.
    """
    true_speed, speed = truth.diff(dim=1), estimate.diff(dim=1)  # (batch, frames - 1, ...)
    return {
        "vert": masked_mean(error(truth, estimate), mask),
        "vel": masked_mean(error(true_speed, speed), mask[:, 1:]),
        "smooth": masked_mean(error(speed[:, 1:], speed[:, :-1]), mask[:, 2:]),
    }


def _head_terms(
    truth: Tensor,
    estimate: Tensor,
    mask: Tensor,
    valid: Tensor | None,
    error: Callable[[Tensor, Tensor], Tensor],
) -> dict[str, Tensor]:
    """The same for the head's rotation (batch, frames, 3)."""
    true_speed, speed = truth.diff(dim=1), estimate.diff(dim=1)
    return {
        "head_angle": masked_mean(error(truth, estimate), mask, valid),
        "head_vel": masked_mean(error(true_speed, speed), mask[:, 1:], valid),
        "head_smooth": masked_mean(error(speed[:, 1:], speed[:, :-1]), mask[:, 2:], valid),
    }


def _transition(
    six: Float[Tensor, "batch 6 3"],
    own: Tensor,
    valid: Tensor | None,
    error: Callable[[Tensor, Tensor], Tensor],
) -> Tensor:
    """Over the border between clips neither speed nor acceleration may jump."""
    speed = six.diff(dim=1)  # (batch, 5, 3)
    acceleration = speed.diff(dim=1)  # (batch, 4, 3)
    # Speeds 1 to 3 and all accelerations touch the border, which lies between frames 2 and 3.
    return masked_mean(error(speed[:, 2:4], speed[:, 1:3]), own[:, :2], valid) + masked_mean(
        error(acceleration[:, 1:], acceleration[:, :-1]), own[:, :3], valid
    )
