"""Banded (local) attention: each query attends to nearby tokens, at a cost linear in the length."""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from motet.nn.attention import attend, join_heads

_BLOCK = 256
"""Queries computed at a time."""


def alibi_slopes(heads: int) -> Float[Tensor, " heads"]:
    """Slope of each head's linear distance bias: 2^-2, 2^-4, 2^-6, 2^-8 for four heads.

    Source: Press et al. 2022 (ALiBi); head counts that are no power of two interleave two such
    series, as there.
    """

    def series(count: int) -> list[float]:
        # First slope and ratio of the geometric series are equal: 2^(-8 / count).
        start = 2.0 ** (-(2.0 ** -(math.log2(count) - 3)))
        return [start ** (i + 1) for i in range(count)]

    if math.log2(heads).is_integer():
        return torch.tensor(series(heads))
    whole = 2 ** math.floor(math.log2(heads))
    return torch.tensor(series(whole) + series(2 * whole)[0::2][: heads - whole])


def attend_band(
    query: Float[Tensor, "batch heads tokens head"],
    key: Float[Tensor, "batch heads tokens head"],
    value: Float[Tensor, "batch heads tokens head"],
    slopes: Float[Tensor, " heads"],
    reach: int = 0,
    valid: Bool[Tensor, "batch tokens"] | None = None,
) -> Float[Tensor, "batch tokens width"]:
    """Self-attention with a linear distance bias in both directions (symmetric ALiBi).

    Args:
        slopes: bias of each head per token of distance, subtracted.
        reach: tokens attended to on either side; 0: all.
        valid: False for padding, which is masked out.
    """
    tokens, blocks = query.shape[2], []
    block = _BLOCK if reach else max(tokens, 1)
    position = torch.arange(tokens, device=query.device)
    for start in range(0, tokens, block):
        stop = min(start + block, tokens)
        first, last = (max(0, start - reach), min(tokens, stop + reach)) if reach else (0, tokens)
        # (queries of the block, keys of the band)
        distance = (position[start:stop].unsqueeze(1) - position[first:last]).abs()
        bias = -slopes.to(query).view(1, -1, 1, 1) * distance  # (1, heads, queries, keys)
        if reach:
            bias = bias.masked_fill(distance > reach, -math.inf)
        if valid is not None:
            # A padded token attends to itself: softmax over no key at all would be NaN.
            masked = ~valid[:, None, None, first:last] & (distance > 0)
            bias = bias.masked_fill(masked, -math.inf)
        # (batch, heads, keys, head)
        band_key, band_value = key[:, :, first:last], value[:, :, first:last]
        blocks.append(attend(query[:, :, start:stop], band_key, band_value, bias.to(query)))
    return torch.cat(blocks, 1) if blocks else join_heads(query)


def cross_attend_band(
    query: Float[Tensor, "batch heads queries head"],
    key: Float[Tensor, "batch heads frames head"],
    value: Float[Tensor, "batch heads frames head"],
    frame_index: Int[Tensor, "batch queries"],
    band: int,
    length: Int[Tensor, " batch"] | None = None,
) -> Float[Tensor, "batch queries width"]:
    """Cross-attention from queries at given frames to the frames up to `band` before and after.

    Args:
        frame_index: frame of each query; rising indices cost least.
        length: valid frames of each item; the rest is padding.
    """
    frames, queries, blocks = key.shape[2], query.shape[2], []
    limit = torch.full((len(query),), frames, device=query.device) if length is None else length
    for start in range(0, queries, _BLOCK):
        centre = frame_index[:, start : start + _BLOCK].unsqueeze(-1)  # (batch, queries, 1)
        first, last = max(0, int(centre.min()) - band), min(frames, int(centre.max()) + band + 1)
        frame = torch.arange(first, last, device=query.device)  # (frames of the band)
        # (batch, queries, frames of the band)
        mask = ((frame - centre).abs() <= band) & (frame < limit.view(-1, 1, 1))
        # A query beyond the end attends to its own frame: softmax over no key would be NaN.
        mask |= frame == centre.clamp(max=frames - 1)
        band_key, band_value = key[:, :, first:last], value[:, :, first:last]
        block = query[:, :, start : start + _BLOCK]
        blocks.append(attend(block, band_key, band_value, mask.unsqueeze(1)))
    return torch.cat(blocks, 1) if blocks else join_heads(query)
