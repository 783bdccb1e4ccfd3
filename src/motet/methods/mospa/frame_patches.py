"""Frames in patches: several frames share a token, and overlapping predictions are cross-faded."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from motet.body.feature_vector import DIM


def frames_to_tokens(
    values: Float[Tensor, "batch frames columns"], patch: int
) -> Float[Tensor, "batch tokens patched"]:
    """Each `patch` frames side by side in one row."""
    return values if patch == 1 else values.unflatten(1, (-1, patch)).flatten(2)


def tokens_to_frames(
    written: Float[Tensor, "batch tokens doubled"], weights: Float[Tensor, "doubled_patch 1"]
) -> Float[Tensor, "batch frames dim"]:
    """Frames from tokens. Each token predicts half a token beyond its own frames on both sides;
    where two tokens overlap, they are cross-faded.

    Args:
        weights: of the `2 * patch` frames of a token, as `crossfade` makes them.
    """
    patch, tokens = len(weights) // 2, written.shape[1]
    weights = weights.to(written)
    # (batch, tokens, 2 * patch, dim)
    pieces = written.unflatten(2, (2 * patch, DIM)) * weights
    # Half a token of margin on both sides of the window.
    room = (tokens + 1) * patch
    total, share = written.new_zeros(len(written), room, DIM), written.new_zeros(room, 1)
    for part in range(2):  # the first and the second half of every token
        within, span = (
            slice(part * patch, (part + 1) * patch),
            slice(part * patch, (part + tokens) * patch),
        )
        total[:, span] += pieces[:, :, within].flatten(1, 2)
        share[span] += weights[within].repeat(tokens, 1)
    margin = patch // 2
    return (total / share)[:, margin : margin + tokens * patch]


def crossfade(patch: int) -> Float[Tensor, "frames 1"]:
    """Weights of the 2 * patch frames of a token: squared sines, which add up to one."""
    phase = (torch.arange(2 * patch) + 0.5) / (2 * patch)
    return (phase * torch.pi).sin().square().unsqueeze(1)
