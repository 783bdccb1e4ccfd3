"""Multi-head attention: heads, the fused product, key/value cache, adaptive layer norm."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F


def split_heads(
    x: Float[Tensor, "batch tokens width"], heads: int
) -> Float[Tensor, "batch heads tokens head"]:
    """Split the channels into heads."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def join_heads(x: Float[Tensor, "batch heads tokens head"]) -> Float[Tensor, "batch tokens width"]:
    """Concatenate the heads; inverse of `split_heads`."""
    return x.transpose(1, 2).flatten(2)


def attend(
    query: Float[Tensor, "batch heads queries head"],
    key: Float[Tensor, "batch heads tokens head"],
    value: Float[Tensor, "batch heads tokens head"],
    mask: Tensor | None = None,
    scale: float | None = None,
) -> Float[Tensor, "batch queries width"]:
    """Scaled dot-product attention, heads joined; the attention map is never stored.

    Args:
        mask: True (or 0) where a query may attend, False (or -inf) where not; broadcast over batch
            and heads.
        scale: factor on the products; 1 / sqrt(head width) when left out.
    """
    attended = F.scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=scale)
    return join_heads(attended)


def attend_with_logsumexp(
    query: Float[Tensor, "batch heads queries head"],
    key: Float[Tensor, "batch heads tokens head"],
    value: Float[Tensor, "batch heads tokens head"],
) -> tuple[Float[Tensor, "batch heads queries head"], Float[Tensor, "batch heads queries"]]:
    """Softmax attention and the log-sum-exp of its scores, for `merged`."""
    # A private operator of torch: the public one does not return the log-sum-exp.
    fused = getattr(torch.ops.aten, "_scaled_dot_product_flash_attention_for_cpu", None)
    if fused is not None and query.device.type == "cpu":
        attended, logsumexp = fused(query, key, value)[:2]
        return attended, logsumexp
    scores = query @ key.mT * query.shape[-1] ** -0.5  # (batch, heads, queries, tokens)
    return scores.softmax(-1) @ value, scores.logsumexp(-1)


def merged(
    first: tuple[Tensor, Tensor], second: tuple[Tensor, Tensor]
) -> Float[Tensor, "batch heads queries head"]:
    """Attention over all keys from two parts of them, each a result of `attend_with_logsumexp`."""
    # exp(l1) / (exp(l1) + exp(l2)) = sigmoid(l1 - l2)
    weight = (first[1] - second[1]).sigmoid().unsqueeze(-1)  # (batch, heads, queries, 1)
    return torch.lerp(second[0], first[0], weight.to(first[0]))


class KeyValueCache:
    """Keys and values of the tokens so far, allocated once; appending copies only the new ones.

    Args:
        room: most tokens it can hold.
        head: channels of a head.
    """

    def __init__(self, batch: int, heads: int, room: int, head: int, like: Tensor) -> None:
        # (batch, heads, room, head), filled up to `_length` along the tokens.
        self._keys = like.new_empty(batch, heads, room, head)
        self._values = like.new_empty(batch, heads, room, head)
        self._length = 0

    def append(
        self,
        key: Float[Tensor, "batch heads tokens head"],
        value: Float[Tensor, "batch heads tokens head"],
    ) -> tuple[Tensor, Tensor]:
        """Add tokens and return views of all keys and values so far."""
        start, stop = self._length, self._length + key.shape[2]
        self._keys[:, :, start:stop] = key
        self._values[:, :, start:stop] = value
        self._length = stop
        return self._keys[:, :, :stop], self._values[:, :, :stop]


def level_mask(levels: Float[Tensor, " tokens"], queries: slice = slice(None)) -> Tensor:
    """Block-causal mask: True where the key's level is not above the query's."""
    return levels[queries].unsqueeze(1) >= levels.unsqueeze(0)  # (queries, tokens)


def modulate(
    x: Float[Tensor, "batch tokens width"], scale: Tensor, shift: Tensor, eps: float = 1e-6
) -> Float[Tensor, "batch tokens width"]:
    """Adaptive layer norm: scale and shift come from a condition, not from learned weights.

    Source: Peebles and Xie 2023, section 3.2.
    """
    # The condition gives scale - 1, so that a zero condition leaves the plain layer norm.
    return torch.addcmul(shift, F.layer_norm(x, x.shape[-1:], eps=eps), scale + 1)
