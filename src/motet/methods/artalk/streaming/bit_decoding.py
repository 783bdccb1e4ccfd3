"""From log-odds of bits to bits: expected, greedy, sampled, or expected beside sampled."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from motet.methods.artalk.config import ArtalkCondition, CodecConfig

BitDecoder = Callable[[Tensor, slice], Tensor]
"""From the log-odds (lines, patch, bits) of a scale and its slice of all tokens to bits in
-1 .. 1."""


def bit_decoder(
    condition: ArtalkCondition,
    codec: CodecConfig,
    uniforms: Callable[[], Float[Tensor, "batch tokens bits"]],
) -> BitDecoder:
    """The decoder that `decode` names.

    Args:
        uniforms: random numbers of this window; called only by decoders that sample.
    """
    if condition.decode == "expected":
        return lambda odds, own: expected_bits(odds)
    if condition.decode == "greedy":
        return lambda odds, own: (odds > 0).to(odds.dtype) * 2 - 1
    numbers = uniforms()

    def draw(odds: Tensor, own: slice) -> Tensor:
        return draw_bits(odds / condition.temperature, numbers[:, own], condition.top_p)

    if condition.decode == "sample":
        return draw
    finest = codec.tokens - codec.frames  # first token of the scale with one token a frame

    def expected_and_drawn(odds: Tensor, own: slice) -> Tensor:
        # Two lines of motion for each item, all expected ones first.
        expected, drawn = odds.chunk(2)
        if own.start >= finest:  # drawing the detail of single frames would tremble
            return expected_bits(odds)
        return torch.cat([expected_bits(expected), draw(drawn, own)])

    return expected_and_drawn


def expected_bits(odds: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Expected value of a bit that is -1 or 1: p - (1 - p) = tanh(odds / 2), p = sigmoid(odds)."""
    return torch.tanh(odds / 2)


def draw_bits(
    odds: Float[Tensor, "batch tokens bits"],
    uniforms: Float[Tensor, "batch tokens bits"],
    top_p: float,
) -> Float[Tensor, "batch tokens bits"]:
    """-1 or 1 by uniform random numbers; a class that is not more likely than 1 - top_p is never
    drawn.
    """
    # Probability of the class -1, cut to 0 or 1 where one class is too unlikely.
    zero = torch.sigmoid(-odds)
    zero = torch.where(zero <= 1 - top_p, 0.0, torch.where(zero >= top_p, 1.0, zero))
    return (uniforms >= zero).to(odds.dtype) * 2 - 1
