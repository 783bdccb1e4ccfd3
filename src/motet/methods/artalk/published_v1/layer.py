"""Transformer layer of the published model, modulated by audio."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from motet.nn.activation import gelu_of_product
from motet.nn.attention import KeyValueCache, attend, modulate, split_heads


class ModulatedAttention(nn.Module):
    """Attention with normalised queries and keys and a learned temperature a head; keys have no
    bias.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        # a temperature for each head, as its logarithm
        self.log_scale = nn.Parameter(torch.full((1, heads, 1, 1), 4.0).log())
        self.query, self.key = nn.Linear(width, width), nn.Linear(width, width, bias=False)
        self.value, self.out = nn.Linear(width, width), nn.Linear(width, width)

    def queries(self, x: Tensor) -> Float[Tensor, "batch heads tokens head"]:
        """Unit queries times the temperature (at most 100)."""
        return (
            F.normalize(split_heads(self.query(x), self.heads), dim=-1)
            # log 100: larger temperatures would make the softmax a maximum.
            * self.log_scale.clamp(max=4.605170185988092).exp()
        )

    def keys_values(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Unit keys, and values."""
        return F.normalize(split_heads(self.key(x), self.heads), dim=-1), split_heads(
            self.value(x), self.heads
        )


class GeneratorLayer(nn.Module):
    """Attention and feed-forward, both scaled, shifted and gated by the token's audio."""

    def __init__(self, width: int, heads: int, audio_dim: int) -> None:
        super().__init__()
        self.modulation = nn.Linear(audio_dim, 6 * width)
        self.attention = ModulatedAttention(width, heads)
        self.inner, self.outer = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def after_attention(
        self, x: Tensor, attended: Tensor, steer: tuple[Tensor, ...]
    ) -> Float[Tensor, "batch tokens width"]:
        """The layer from the attention's output on."""
        # Order of the published modulation: gates, scales, shifts, each for attention and feed-
        # forward.
        gate, inner_gate, _, inner_scale, _, inner_shift = steer
        x = torch.addcmul(x, self.attention.out(attended), gate)
        inner = self.outer(
            gelu_of_product(self.inner, modulate(x, inner_scale, inner_shift), "tanh")
        )
        return torch.addcmul(x, inner, inner_gate)

    def forward(
        self, x: Tensor, history: tuple[Tensor, Tensor], steer: tuple[Tensor, ...], mask: Tensor
    ) -> Float[Tensor, "batch tokens width"]:
        """All tokens at once; `mask` covers history and tokens."""
        modulated = modulate(x, steer[2], steer[4])  # (batch, tokens, width)
        key, value = self.attention.keys_values(modulated)
        key, value = torch.cat([history[0], key], 2), torch.cat([history[1], value], 2)
        return self.after_attention(
            x, attend(self.attention.queries(modulated), key, value, mask, 1.0), steer
        )

    def grow(
        self, x: Tensor, cache: KeyValueCache, steer: tuple[Tensor, ...]
    ) -> Float[Tensor, "batch tokens width"]:
        """The tokens of the newest scale, which attend to the cache and to one another."""
        modulated = modulate(x, steer[2], steer[4])
        key, value = cache.append(*self.attention.keys_values(modulated))
        return self.after_attention(
            x, attend(self.attention.queries(modulated), key, value, None, 1.0), steer
        )
