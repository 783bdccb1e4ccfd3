"""Transformer layer of generation T: self-attention, cross-attention to the audio, feed-forward."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from motet.methods.artalk.config import TrainingConfig
from motet.nn.attention import KeyValueCache, attend, split_heads
from motet.nn.position import rotate_pairs
from motet.nn.seeded import uniform

Angles = tuple[Tensor, Tensor]
"""Cosine and sine of rotary positions."""


class TrainingLayer(nn.Module):
    """Self-attention, cross-attention to the audio, feed-forward, each behind its own norm."""

    def __init__(self, config: TrainingConfig, drop: float) -> None:
        super().__init__()
        width = config.width
        self.heads, self.drop = config.heads, drop
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.qkv, self.out = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width)
        self.audio_norm, self.context_norm = (
            nn.LayerNorm(width, eps=1e-6),
            nn.LayerNorm(config.audio_dim, eps=1e-6),
        )
        self.audio_query, self.audio_out = nn.Linear(width, width), nn.Linear(width, width)
        self.audio_key, self.audio_value = (
            nn.Linear(config.audio_dim, width),
            nn.Linear(config.audio_dim, width),
        )
        self.inner_norm = nn.LayerNorm(width, eps=1e-6)
        self.inner, self.outer = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def audio_keys_values(
        self, audio: Float[Tensor, "batch steps audio"], angles: Angles
    ) -> tuple[Tensor, Tensor]:
        """Keys and values of the audio."""
        context = self.context_norm(audio)
        key, value = (
            split_heads(self.audio_key(context), self.heads),
            split_heads(self.audio_value(context), self.heads),
        )
        return rotate_pairs(key, angles), value

    def forward(
        self,
        x: Float[Tensor, "batch tokens width"],
        sound: tuple[Tensor, Tensor],
        angles: Angles,
        mask: Tensor | None = None,
        cache: KeyValueCache | None = None,
        randomness: torch.Generator | None = None,
    ) -> Float[Tensor, "batch tokens width"]:
        """Tokens after this layer; with `cache` they also see what it holds, and are added to
        it.
        """
        query, key, value = (
            split_heads(part, self.heads) for part in self.qkv(self.norm(x)).chunk(3, -1)
        )
        # Rotary positions before the cache: cached keys need no rotation again.
        query, key = rotate_pairs(query, angles), rotate_pairs(key, angles)
        if cache is not None:
            key, value = cache.append(key, value)
        x = x + self._dropped(self.out(attend(query, key, value, mask)), randomness)
        query = rotate_pairs(split_heads(self.audio_query(self.audio_norm(x)), self.heads), angles)
        # (batch, tokens, width)
        x = x + self._dropped(self.audio_out(attend(query, *sound)), randomness)
        inner = self.outer(F.gelu(self.inner(self.inner_norm(x)), approximate="tanh"))
        return x + self._dropped(inner, randomness)

    def _dropped(self, part: Tensor, randomness: torch.Generator | None) -> Tensor:
        """The part left out for some items of the batch in training (drop path)."""
        if randomness is None or self.drop == 0.0:
            return part
        # Scaled by 1 / (1 - drop), so that the expectation stays.
        keep = uniform((len(part), 1, 1), randomness, part.device) >= self.drop
        return part * keep.to(part) / (1 - self.drop)
