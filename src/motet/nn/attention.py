"""Attention: heads apart and together, the fused product, and a cache of keys and values that
grows.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F


def split_heads(
    x: Float[Tensor, "batch tokens width"], heads: int
) -> Float[Tensor, "batch heads tokens head"]:
    """Cut the channels into heads."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def join_heads(x: Float[Tensor, "batch heads tokens head"]) -> Float[Tensor, "batch tokens width"]:
    """Put the heads side by side again."""
    return x.transpose(1, 2).flatten(2)


def attend(
    query: Float[Tensor, "batch heads queries head"],
    key: Float[Tensor, "batch heads tokens head"],
    value: Float[Tensor, "batch heads tokens head"],
    mask: Tensor | None = None,
    scale: float | None = None,
) -> Float[Tensor, "batch queries width"]:
    """Softmax attention without ever keeping the attention map, heads joined.

    Args:
        mask: True (or 0) where a query may look, False (or -inf) where not; broadcast over batch
            and heads.
        scale: factor on the products; 1 / sqrt(head width) when left out.
    """
    return join_heads(
        F.scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=scale)
    )


def attend_weighed(
    query: Float[Tensor, "batch heads queries head"],
    key: Float[Tensor, "batch heads tokens head"],
    value: Float[Tensor, "batch heads tokens head"],
) -> tuple[Float[Tensor, "batch heads queries head"], Float[Tensor, "batch heads queries"]]:
    """Softmax attention and the logarithm of the sum of its weights, from which attention over more
    keys can be put together (`merged`).
    """
    fused = getattr(torch.ops.aten, "_scaled_dot_product_flash_attention_for_cpu", None)
    if fused is not None and query.device.type == "cpu":
        heard, weight = fused(query, key, value)[:2]
        return heard, weight
    scores = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5
    return scores.softmax(-1) @ value, scores.logsumexp(-1)


def merged(
    first: tuple[Tensor, Tensor], second: tuple[Tensor, Tensor]
) -> Float[Tensor, "batch heads queries head"]:
    """Attention over all keys from that over two parts of them, both as `attend_weighed` answers
    them.
    """
    share = (first[1] - second[1]).sigmoid().unsqueeze(-1)
    return torch.lerp(second[0], first[0], share.to(first[0]))


class KeyValueCache:
    """Keys and values of tokens already seen, in room reserved once; appending copies only what is
    new.
    """

    def __init__(self, batch: int, heads: int, room: int, head: int, like: Tensor) -> None:
        self._keys = like.new_empty(batch, heads, room, head)
        self._values = like.new_empty(batch, heads, room, head)
        self._used = 0

    def append(
        self,
        key: Float[Tensor, "batch heads tokens head"],
        value: Float[Tensor, "batch heads tokens head"],
    ) -> tuple[Tensor, Tensor]:
        """Add tokens; answers views of everything kept so far."""
        start, stop = self._used, self._used + key.shape[2]
        self._keys[:, :, start:stop] = key
        self._values[:, :, start:stop] = value
        self._used = stop
        return self._keys[:, :, :stop], self._values[:, :, :stop]


def level_mask(levels: Float[Tensor, "tokens"], queries: slice = slice(None)) -> Tensor:
    """True where a token may look when it sees every token of its own or a lower level."""
    return levels[queries].unsqueeze(1) >= levels.unsqueeze(0)


def modulate(
    x: Float[Tensor, "batch tokens width"], scale: Tensor, shift: Tensor, eps: float = 1e-6
) -> Float[Tensor, "batch tokens width"]:
    """Layer norm without own gain, then gain and shift that a condition gives (adaptive layer
    norm).

    Source: Peebles and Xie 2023, section 3.2.
    """
    return torch.addcmul(shift, F.layer_norm(x, x.shape[-1:], eps=eps), scale + 1)
