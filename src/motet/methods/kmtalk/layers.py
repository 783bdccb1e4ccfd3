"""Layers of both stages: post-norm decoder layers with banded attention, and mixing of audio over
time. Parameters keep the names of the shipped weights (`hear_query`, ...).
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from motet.methods.kmtalk.config import KMTalkConfig
from motet.nn.attention import split_heads
from motet.nn.banded import alibi_slopes, attend_band, cross_attend_band


class MixLayer(nn.Module):
    """x + W2 gelu(W1 norm(filter(x))): each channel is filtered over five frames, then the channels
    are mixed.
    """

    def __init__(self, config: KMTalkConfig) -> None:
        super().__init__()
        width = config.width
        self.filter = nn.Parameter(torch.zeros(5, width))
        self.norm, self.up, self.down = (
            nn.LayerNorm(width),
            nn.Linear(width, width * config.expansion),
            nn.Linear(width * config.expansion, width),
        )
        # Five taps of this deviation keep the variance of the input.
        nn.init.normal_(self.filter, std=5**-0.5)

    def forward(
        self, x: Float[Tensor, "batch frames width"]
    ) -> Float[Tensor, "batch frames width"]:
        """As many frames as came in."""
        around = F.pad(x, (0, 0, 2, 2))  # (batch, frames + 4, width)
        filtered = sum(
            # A depthwise convolution as five products: faster on a CPU than conv1d of this width.
            around[:, tap : tap + x.shape[1]] * weight
            for tap, weight in enumerate(self.filter)
        )
        return x + self.down(F.gelu(self.up(self.norm(filtered))))


class CrossLayer(nn.Module):
    """Self-attention with a penalty on distance, banded cross-attention to the audio, feed-forward;
    each followed by its norm.

    Args:
        audio: whether the layer attends to the audio at all.
    """

    def __init__(self, config: KMTalkConfig, audio: bool) -> None:
        super().__init__()
        width = config.width
        self.heads, self.reach = config.heads, config.reach
        self.query_key_value, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.norm1, self.norm3 = nn.LayerNorm(width), nn.LayerNorm(width)
        # Cross-attention to the audio; the names are keys of the shipped weights.
        self.hear_query, self.hear_key_value, self.hear_out = (
            (nn.Linear(width, width), nn.Linear(width, 2 * width), nn.Linear(width, width))
            if audio
            else (None, None, None)
        )
        self.norm2 = nn.LayerNorm(width) if audio else None
        self.up, self.down = (
            nn.Linear(width, width * config.expansion),
            nn.Linear(width * config.expansion, width),
        )
        self.drop = nn.Dropout(config.dropout)
        self.slopes = alibi_slopes(config.heads)

    def forward(
        self,
        x: Float[Tensor, "batch tokens width"],
        audio: Float[Tensor, "batch frames width"],
        frame_index: Int[Tensor, "batch tokens"],
        band: int,
        length: Int[Tensor, " batch"],
        valid: Bool[Tensor, "batch tokens"],
    ) -> Float[Tensor, "batch tokens width"]:
        """Tokens after attention to one another and to the audio around their frames."""
        query, key, value = (
            split_heads(part, self.heads) for part in self.query_key_value(x).chunk(3, -1)
        )
        x = self.norm1(
            x + self.drop(self.out(attend_band(query, key, value, self.slopes, self.reach, valid)))
        )
        if (
            self.hear_query is not None
            and self.hear_key_value is not None
            and self.hear_out is not None
            and self.norm2 is not None
        ):
            key, value = (
                split_heads(part, self.heads) for part in self.hear_key_value(audio).chunk(2, -1)
            )
            context = cross_attend_band(
                split_heads(self.hear_query(x), self.heads), key, value, frame_index, band, length
            )
            x = self.norm2(x + self.drop(self.hear_out(context)))
        return self.norm3(x + self.drop(self.down(F.gelu(self.up(x)))))
