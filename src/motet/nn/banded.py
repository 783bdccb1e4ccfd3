"""Attention within a band: every query looks at the tokens near it, at a cost linear in the
length.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from motet.nn.attention import attend, join_heads

_BLOCK = 256


def distance_slopes(heads: int) -> Float[Tensor, "heads"]:
    """How fast attention of each head falls with distance: 2^-2, 2^-4, 2^-6, 2^-8 for four heads.

    Source: Press et al. 2022 (ALiBi); head counts that are no power of two interleave two such
    series, as there.
    """

    def series(count: int) -> list[float]:
        start = 2.0 ** (-(2.0 ** -(math.log2(count) - 3)))
        return [start ** (i + 1) for i in range(count)]

    if math.log2(heads).is_integer():
        return torch.tensor(series(heads))
    whole = 2 ** math.floor(math.log2(heads))
    return torch.tensor(series(whole) + series(2 * whole)[0::2][: heads - whole])


def attend_near(
    query: Float[Tensor, "batch heads tokens head"],
    key: Float[Tensor, "batch heads tokens head"],
    value: Float[Tensor, "batch heads tokens head"],
    slopes: Float[Tensor, "heads"],
    reach: int = 0,
    valid: Bool[Tensor, "batch tokens"] | None = None,
) -> Float[Tensor, "batch tokens width"]:
    """Self-attention with a penalty on distance, in both directions.

    Args:
        slopes: penalty of each head per token of distance.
        reach: tokens to either side that are seen; 0: all.
        valid: False for padding, which nobody sees.
    """
    tokens, pieces = query.shape[2], []
    step = _BLOCK if reach else max(tokens, 1)
    for start in range(0, tokens, step):
        stop = min(start + step, tokens)
        first, last = (max(0, start - reach), min(tokens, stop + reach)) if reach else (0, tokens)
        distance = (
            torch.arange(start, stop, device=query.device).unsqueeze(1)
            - torch.arange(first, last, device=query.device)
        ).abs()
        bias = -slopes.to(query).view(1, -1, 1, 1) * distance
        if reach:
            bias = bias.masked_fill(distance > reach, -math.inf)
        if valid is not None:
            hidden = ~valid[:, None, None, first:last] & (
                distance > 0
            )  # a padded token sees itself: no row without any key
            bias = bias.masked_fill(hidden, -math.inf)
        pieces.append(
            attend(
                query[:, :, start:stop],
                key[:, :, first:last],
                value[:, :, first:last],
                bias.to(query),
            )
        )
    return torch.cat(pieces, 1) if pieces else join_heads(query)


def listen_near(
    query: Float[Tensor, "batch heads queries head"],
    key: Float[Tensor, "batch heads frames head"],
    value: Float[Tensor, "batch heads frames head"],
    places: Int[Tensor, "batch queries"],
    band: int,
    length: Int[Tensor, "batch"] | None = None,
) -> Float[Tensor, "batch queries width"]:
    """Cross-attention from queries at given frames to the frames up to `band` before and after.

    Args:
        places: the frame of each query; the work is least when they rise.
        length: frames of each item that are no padding.
    """
    frames, queries, pieces = key.shape[2], query.shape[2], []
    limit = torch.full((len(query),), frames, device=query.device) if length is None else length
    for start in range(0, queries, _BLOCK):
        here = places[:, start : start + _BLOCK]
        first, last = max(0, int(here.min()) - band), min(frames, int(here.max()) + band + 1)
        time = torch.arange(first, last, device=query.device)
        near = ((time - here.unsqueeze(-1)).abs() <= band) & (time < limit.view(-1, 1, 1))
        near |= time == here.clamp(max=frames - 1).unsqueeze(
            -1
        )  # padding hears itself: no row without any key
        pieces.append(
            attend(
                query[:, :, start : start + _BLOCK],
                key[:, :, first:last],
                value[:, :, first:last],
                near.unsqueeze(1),
            )
        )
    return torch.cat(pieces, 1) if pieces else join_heads(query)
