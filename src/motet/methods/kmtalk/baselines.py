"""Baselines: full-sequence decoders of FaceFormer's and SelfTalk's kind on the same audio encoder,
as published or with key motions plugged in.

With keys, the decoder input gains an embedding of "this frame is a key" and a linear map of the
interpolated key motions at every frame. Both are zero-initialised, so training starts from the
plain baseline.

Sources: Fan et al. 2022 (FaceFormer), Peng et al. 2023 (SelfTalk): one decoder layer, 4 heads,
inner width twice the outer.
"""

from __future__ import annotations

import math
from typing import Protocol

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from motet.methods.kmtalk.config import KMTalkConfig
from motet.nn.banded import alibi_slopes
from motet.nn.position import sinusoid_table


class Baseline(Protocol):
    """All frames from audio, and from key motions where they are plugged in."""

    def __call__(
        self,
        audio: Float[Tensor, "batch frames width"],
        length: Int[Tensor, " batch"],
        base: Tensor | None,
        at_key: Bool[Tensor, "batch frames"],
    ) -> Float[Tensor, "batch frames inner"]:
        """Motion of every frame, in the output basis."""
        ...


class KeyPlug(nn.Module):
    """The key motions' contribution to a baseline's decoder input."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.at_key, self.base = nn.Embedding(2, width), nn.Linear(inner, width)
        for parameter in self.parameters():
            # Zero: before training a baseline with keys is the published baseline.
            nn.init.zeros_(parameter)

    def forward(
        self, base: Float[Tensor, "batch frames inner"], at_key: Bool[Tensor, "batch frames"]
    ) -> Float[Tensor, "batch frames width"]:
        """Zero before training."""
        return self.at_key(at_key.long()) + self.base(base)


def decoder_layer(width: int, heads: int, expansion: int, dropout: float) -> nn.TransformerDecoder:
    """The one decoder layer of both baselines."""
    layer = nn.TransformerDecoderLayer(width, heads, width * expansion, dropout, batch_first=True)
    return nn.TransformerDecoder(layer, 1)


class SelfTalkBaseline(nn.Module):
    """One layer over the whole sequence without any mask, in one pass."""

    def __init__(self, config: KMTalkConfig, inner: int) -> None:
        super().__init__()
        self.transformer_decoder = decoder_layer(
            config.width, config.heads, config.expansion, config.dropout
        )
        self.vertice_map_r = nn.Linear(config.width, inner)
        self.plug = KeyPlug(config.width, inner) if config.use_keys else None
        zero_head(self.vertice_map_r)

    def forward(
        self, audio: Tensor, length: Tensor, base: Tensor | None, at_key: Tensor
    ) -> Float[Tensor, "batch frames inner"]:
        """Motion of every frame, in the output basis."""
        # (batch, frames), True behind the end
        padding = torch.arange(audio.shape[1], device=audio.device) >= length.unsqueeze(1)
        x = audio if self.plug is None or base is None else audio + self.plug(base, at_key)
        mask = padding if bool(padding.any()) else None
        return self.vertice_map_r(
            self.transformer_decoder(
                x, audio, tgt_key_padding_mask=mask, memory_key_padding_mask=mask
            )
        )


class FaceFormerBaseline(nn.Module):
    """Autoregressive: each frame attends to earlier frames with a bias that falls with distance,
    and to its own step of the audio only.
    """

    def __init__(self, config: KMTalkConfig, inner: int) -> None:
        super().__init__()
        self.period, self.heads, self.reach = config.period, config.heads, config.reach or 600
        self.transformer_decoder = decoder_layer(
            config.width, config.heads, config.expansion, config.dropout
        )
        self.vertice_map, self.vertice_map_r = (
            nn.Linear(inner, config.width),
            nn.Linear(config.width, inner),
        )
        self.style = nn.Parameter(torch.zeros(config.width))
        self.plug = KeyPlug(config.width, inner) if config.use_keys else None
        zero_head(self.vertice_map_r)

    def forward(
        self,
        audio: Tensor,
        length: Tensor,
        base: Tensor | None,
        at_key: Tensor,
        past: Float[Tensor, "batch frames inner"] | None = None,
    ) -> Float[Tensor, "batch frames inner"]:
        """Motion of every frame, in the output basis.

        Args:
            past: the motion to continue from at each frame (teacher forcing); the model's own
                predictions when left out.
        """
        plugged = (
            audio.new_zeros(()) if self.plug is None or base is None else self.plug(base, at_key)
        )
        if past is not None:
            # Teacher forcing: frame t is decoded from the true frame t - 1.
            before = torch.cat([torch.zeros_like(past[:, :1]), past[:, :-1]], 1)
            return self.vertice_map_r(
                self._decode(self.vertice_map(before) + self.style + plugged, audio, 0)
            )
        return self._alone(
            audio, plugged.expand(len(audio), audio.shape[1], -1) if plugged.ndim == 3 else None
        )

    def _alone(self, audio: Tensor, plugged: Tensor | None) -> Float[Tensor, "batch frames inner"]:
        tokens, frames_out = [], [audio.new_zeros(len(audio), self.vertice_map.in_features)]
        for frame in range(audio.shape[1]):
            token = self.vertice_map(frames_out[-1]) + self.style  # (batch, width)
            tokens.append(token if plugged is None else token + plugged[:, frame])
            # Attention over at most `reach` frames keeps the cost linear in the length.
            first = max(0, len(tokens) - self.reach)
            out = self._decode(torch.stack(tokens[first:], 1), audio[:, first : frame + 1], first)
            frames_out.append(self.vertice_map_r(out[:, -1]))
        return (
            torch.stack(frames_out[1:], 1)
            if len(frames_out) > 1
            else audio.new_zeros(len(audio), 0, self.vertice_map.in_features)
        )

    def _decode(self, x: Tensor, audio: Tensor, first: int) -> Tensor:
        frames = x.shape[1]
        position = (torch.arange(frames) + first) % self.period  # position within the period
        x = x + sinusoid_table(self.period, x.shape[-1])[position].to(x)
        # `own` hides all audio but that of the same frame (FaceFormer's alignment bias).
        past, own = (
            causal_bias(self.heads, frames, self.period).to(x),
            ~torch.eye(frames, dtype=torch.bool, device=x.device),
        )
        return self.transformer_decoder(
            x, audio[:, :frames], tgt_mask=past.repeat(len(x), 1, 1), memory_mask=own
        )


def causal_bias(heads: int, frames: int, period: int) -> Float[Tensor, "heads frames frames"]:
    """FaceFormer's additive mask: it falls by whole periods into the past and hides the future.

    Source: Fan et al. 2022, section 3.2.
    """
    time = torch.arange(frames)
    distance = time.unsqueeze(1) - time  # (queries, keys), positive: the past
    # FaceFormer, eq. 5: the bias grows by whole periods, not by frames.
    bias = -alibi_slopes(heads).view(-1, 1, 1) * distance.div(period, rounding_mode="floor")
    return bias.masked_fill(distance < 0, -math.inf)


def zero_head(head: nn.Linear) -> None:
    """Zero-initialise an output layer."""
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)


def build_baseline(config: KMTalkConfig, inner: int) -> Baseline:
    """The baseline that a configuration names."""
    return (
        SelfTalkBaseline(config, inner)
        if config.completion == "selftalk"
        else FaceFormerBaseline(config, inner)
    )
