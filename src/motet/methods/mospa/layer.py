"""A transformer layer of MOSPA's denoiser."""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from motet.methods.mospa.config import MospaConfig
from motet.nn.attention import attend, split_heads


class Layer(nn.Module):
    """Attention and a feed-forward part, each followed by its norm."""

    def __init__(self, config: MospaConfig) -> None:
        super().__init__()
        self.heads, self.dropout = config.heads, config.dropout
        self.projection = nn.Linear(config.width, 3 * config.width)
        self.out = nn.Linear(config.width, config.width)
        self.inner = nn.Linear(config.width, config.inner)
        self.outer = nn.Linear(config.inner, config.width)
        self.norm_attention = nn.LayerNorm(config.width)
        self.norm_inner = nn.LayerNorm(config.width)

    def forward(
        self, x: Float[Tensor, "batch tokens width"], keep: int = 0
    ) -> Float[Tensor, "batch kept width"]:
        """The tokens after this layer.

        Args:
            keep: compute the last so many tokens only; 0 for all.
        """
        # Each (batch, tokens, width).
        query, key, value = self.projection(x).chunk(3, -1)
        if keep:
            query, x = query[:, -keep:], x[:, -keep:]
        attended = attend(
            split_heads(query, self.heads),
            split_heads(key, self.heads),
            split_heads(value, self.heads),
        )
        x = self.norm_attention(x + self._drop(self.out(attended)))
        return self.norm_inner(x + self._drop(self.outer(self._drop(F.gelu(self.inner(x))))))

    def _drop(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.dropout, self.training) if self.dropout else x
