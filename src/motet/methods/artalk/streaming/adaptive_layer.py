"""Transformer layer of the generator with adaptive layer norms."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from motet.nn.attention import attend


class AdaptiveLayer(nn.Module):
    """Attention and feed-forward, modulated for each token by its audio and style.

    A layer takes six modulations (batch, tokens, width) in this order: the gates of attention and
    feed-forward, the gains of their norms, the shifts of their norms.

    Source: Peebles and Xie 2023, Scalable Diffusion Models with Transformers, adaLN. There one
    vector modulates all tokens; here every token has its own, because its audio differs.
    """

    def __init__(self, width: int, heads: int, inner: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.inner, self.outer = nn.Linear(width, inner), nn.Linear(inner, width)

    def project(
        self, x: Float[Tensor, "batch tokens width"], modulations: Sequence[Tensor]
    ) -> Float[Tensor, "three batch heads tokens head"]:
        """Queries, keys and values of tokens."""
        _, _, gain, _, shift, _ = modulations
        return (
            self.qkv(adaptive_norm(x, gain, shift))
            # (batch, tokens, 3, heads, head) -> (3, batch, heads, tokens, head)
            .unflatten(-1, (3, self.heads, -1))
            .permute(2, 0, 3, 1, 4)
        )

    def forward(
        self,
        x: Float[Tensor, "batch tokens width"],
        modulations: Sequence[Tensor],
        query: Float[Tensor, "batch heads tokens head"],
        key: Float[Tensor, "batch heads known head"],
        value: Float[Tensor, "batch heads known head"],
        mask: Bool[Tensor, "tokens known"] | None,
    ) -> Float[Tensor, "batch tokens width"]:
        """Tokens after this layer.

        Queries come from `project` of the same tokens. Keys and values are an argument because they
        also hold the history and, with the cache, coarser scales that were projected earlier.

        Args:
            mask: True where a token may attend; None: everywhere.
        """
        attention_gate, inner_gate, _, gain, _, shift = modulations
        x = torch.addcmul(x, self.out(attend(query, key, value, mask)), attention_gate)
        hidden = F.gelu(self.inner(adaptive_norm(x, gain, shift)), approximate="tanh")
        return torch.addcmul(x, self.outer(hidden), inner_gate)


def adaptive_norm(x: Tensor, gain: Tensor, shift: Tensor) -> Tensor:
    """Layer norm whose gain and shift are given instead of learned. Shapes as of `x`."""
    return torch.addcmul(shift, F.layer_norm(x, x.shape[-1:], eps=1e-6), gain)
