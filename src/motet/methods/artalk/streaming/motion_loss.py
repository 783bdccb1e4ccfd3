"""Errors of decoded motion: position, velocity, acceleration, and points of a figure."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from motet.methods.artalk.codec import MotionCodec
from motet.types import ARKIT_SHAPES

FigurePoints = Callable[[Tensor], Tensor]
"""Raw motion (batch, frames, dim) to points of a figure in metres (batch, frames, verts, 3)."""

VELOCITY_WEIGHT, ACCELERATION_WEIGHT, GEOMETRY_WEIGHT = 2.0, 0.5, 0.05
"""Weights beside the position error, which has 1."""
MOUTH_BOOST = 1.5
"""Weight of the mouth's channels beside the others."""
HUBER_BETA = 0.2
"""Deviations up to which a position error counts squared, beyond it linearly: a badly tracked frame
must not outweigh the others."""
SQUARE_MILLIMETRES = 1e6
"""In a square metre."""


def motion_terms(
    codec: MotionCodec,
    prediction: Float[Tensor, "batch frames dim"],
    target: Float[Tensor, "batch frames dim"],
    valid: Bool[Tensor, "batch dim"],
    frames: Float[Tensor, "batch frames"],
    figure: FigurePoints | None,
) -> dict[str, Tensor]:
    """Position, velocity and acceleration errors in deviations, and the figure's squared error in
    square millimetres.

    Args:
        prediction, target: raw motion.
        valid: observed channels.
        frames: weight of each frame.
    """
    error = (prediction - target) / codec.motion_std
    weights = channel_weights(codec.motion_std) * valid.unsqueeze(1).to(error.dtype)
    frames = frames.unsqueeze(-1)  # (batch, frames, 1)
    # A velocity counts where both of its frames do, an acceleration where all three do.
    velocity, pairs = error.diff(dim=1), frames[:, 1:] * frames[:, :-1]
    position = F.smooth_l1_loss(error, torch.zeros_like(error), reduction="none", beta=HUBER_BETA)
    acceleration = weighted_mean(velocity.diff(dim=1).abs(), weights * pairs[:, 1:] * pairs[:, :-1])
    terms = {
        "position": weighted_mean(position, weights * frames),
        "velocity": VELOCITY_WEIGHT * weighted_mean(velocity.abs(), weights * pairs),
        "acceleration": ACCELERATION_WEIGHT * acceleration,
    }
    if figure is not None:
        # Channels that were not observed are zero in the target, as on a figure at rest.
        shown = observed(target, valid, target.new_zeros(()))
        # (batch, frames, verts, 3) -> (batch, frames)
        distance = (figure(prediction) - figure(shown)).square().sum(-1).mean(-1)
        terms["geometry"] = (
            GEOMETRY_WEIGHT * SQUARE_MILLIMETRES * weighted_mean(distance, frames.squeeze(-1))
        )
    return terms


def channel_weights(std: Float[Tensor, " dim"]) -> Float[Tensor, " dim"]:
    """Weights of normalised errors: between uniform weights and weights by deviation, the
    mouth above the rest. Their mean is 1.

    Uniform weights spend as much on a channel that hardly moves as on the jaw; weights by deviation
    are those of raw motion, where the jaw is nearly all there is. The root lies between.
    """
    weights = (std / std.mean()).sqrt()
    mouth = [index for index, name in enumerate(ARKIT_SHAPES) if name.startswith(("mouth", "jaw"))]
    weights[mouth] *= MOUTH_BOOST
    return weights / weights.mean()


def observed(
    motion: Float[Tensor, "batch frames dim"], valid: Bool[Tensor, "batch dim"], mean: Tensor
) -> Float[Tensor, "batch frames dim"]:
    """Motion with unobserved channels set to their mean, which the codec reconstructs easily."""
    return torch.where(valid.unsqueeze(1), motion, mean)


def weighted_mean(values: Tensor, weights: Tensor) -> Float[Tensor, ""]:
    """Mean with weights of the same shape or a shape that broadcasts; 0 where all weights are."""
    return (values * weights).sum() / weights.expand_as(values).sum().clamp(min=1e-6)
