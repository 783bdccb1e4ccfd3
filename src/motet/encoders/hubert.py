"""HuBERT and wav2vec 2.0 in their base form (group norm after the first convolution, post-norm
layers): waveform to features.

Both have the same network and tensor names. Own code with fused attention: nothing is fetched, no
attention map is kept. The published hosts read the features at a multiple of their motion rate,
which `forward` can interpolate to before the transformer.
"""

from __future__ import annotations

import dataclasses
import math
from typing import cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from motet.encoders.wav2vec2 import KERNELS, STRIDES
from motet.nn.attention import attend, split_heads
from motet.nn.packed import pack_linears

UNIT = 320
"""Samples of 16 kHz between two features."""
EXCESS = 80
"""Samples that the convolutions need beyond a whole number of units."""
RATE_HZ = 50


@dataclasses.dataclass(frozen=True)
class HubertConfig:
    """Sizes; the defaults are HuBERT base and wav2vec 2.0 base."""

    hidden: int = 768
    layers: int = 12
    heads: int = 12
    inner: int = 3072
    conv_widths: tuple[int, ...] = (512,) * 7
    position_taps: int = 128
    position_groups: int = 16
    dropout: float = 0.1
    """In training, of attention and of the sums of every layer."""
    layer_drop: float = 0.1
    """In training, how often a layer is left out."""
    mask_share: float = 0.05
    """In training, share of the features at which a mask of `mask_length` begins, times that
    length."""
    mask_length: int = 10


class _Convolution(nn.Module):
    def __init__(self, source: int, target: int, kernel: int, stride: int, first: bool) -> None:
        super().__init__()
        self.conv = nn.Conv1d(source, target, kernel, stride, bias=False)
        if first:
            # One group a channel; only the first convolution of the base form has a norm.
            self.layer_norm = nn.GroupNorm(target, target)
        self.first = first

    def forward(
        self, x: Float[Tensor, "batch channels time"]
    ) -> Float[Tensor, "batch target steps"]:
        x = self.conv(x)
        return F.gelu(self.layer_norm(x) if self.first else x)


class _Extractor(nn.Module):
    def __init__(self, config: HubertConfig) -> None:
        super().__init__()
        sources = (1, *config.conv_widths[:-1])
        sizes = zip(sources, config.conv_widths, KERNELS, STRIDES, strict=True)
        # names as in the published state dicts: conv_layers.N.conv, conv_layers.N.layer_norm
        self.conv_layers = nn.ModuleList(
            _Convolution(*size, first=index == 0) for index, size in enumerate(sizes)
        )

    def forward(
        self, samples: Float[Tensor, "batch time"]
    ) -> Float[Tensor, "batch channels steps"]:
        x = samples.unsqueeze(1)
        for layer in self.conv_layers:
            x = layer(x)
        return x


class _Projection(nn.Module):
    def __init__(self, config: HubertConfig) -> None:
        super().__init__()
        self.layer_norm = nn.LayerNorm(config.conv_widths[-1])
        self.projection = nn.Linear(config.conv_widths[-1], config.hidden)

    def forward(
        self, x: Float[Tensor, "batch steps channels"]
    ) -> Float[Tensor, "batch steps hidden"]:
        return self.projection(self.layer_norm(x))


class _Position(nn.Module):
    def __init__(self, config: HubertConfig) -> None:
        super().__init__()
        taps = config.position_taps
        conv = nn.Conv1d(
            config.hidden, config.hidden, taps, padding=taps // 2, groups=config.position_groups
        )
        self.conv = nn.utils.parametrizations.weight_norm(conv, dim=2)  # one gain for each tap

    def forward(
        self, x: Float[Tensor, "batch steps hidden"]
    ) -> Float[Tensor, "batch steps hidden"]:
        # An even number of taps padded on both sides gives one step too many; the last one is cut.
        return F.gelu(self.conv(x.transpose(1, 2))[..., : x.shape[1]]).transpose(1, 2)


class _Attention(nn.Module):
    def __init__(self, config: HubertConfig) -> None:
        super().__init__()
        self.heads, self.dropout = config.heads, config.dropout
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (
            nn.Linear(config.hidden, config.hidden) for _ in range(4)
        )

    def forward(
        self, x: Float[Tensor, "batch steps hidden"]
    ) -> Float[Tensor, "batch steps hidden"]:
        query, key, value = (
            split_heads(part(x), self.heads) for part in (self.q_proj, self.k_proj, self.v_proj)
        )
        # `attend` has no dropout, so training takes PyTorch's fused kernel.
        if not self.training or not self.dropout:
            return self.out_proj(attend(query, key, value))
        return self.out_proj(
            F.scaled_dot_product_attention(query, key, value, dropout_p=self.dropout)
            .transpose(1, 2)
            .flatten(2)
        )


class _FeedForward(nn.Module):
    def __init__(self, config: HubertConfig) -> None:
        super().__init__()
        self.intermediate_dense, self.output_dense = (
            nn.Linear(config.hidden, config.inner),
            nn.Linear(config.inner, config.hidden),
        )

    def forward(
        self, x: Float[Tensor, "batch steps hidden"]
    ) -> Float[Tensor, "batch steps hidden"]:
        return self.output_dense(F.gelu(self.intermediate_dense(x)))


class _Layer(nn.Module):
    def __init__(self, config: HubertConfig) -> None:
        super().__init__()
        self.attention, self.layer_norm = _Attention(config), nn.LayerNorm(config.hidden)
        self.feed_forward, self.final_layer_norm = _FeedForward(config), nn.LayerNorm(config.hidden)
        self.drop = nn.Dropout(config.dropout)

    def forward(
        self, x: Float[Tensor, "batch steps hidden"]
    ) -> Float[Tensor, "batch steps hidden"]:
        # post-norm: the sum is normalised, which is why the weights of XLS-R (pre-norm) do not fit
        x = self.layer_norm(x + self.drop(self.attention(x)))
        return self.final_layer_norm(x + self.drop(self.feed_forward(x)))


class _Encoder(nn.Module):
    def __init__(self, config: HubertConfig) -> None:
        super().__init__()
        self.pos_conv_embed, self.layer_norm = _Position(config), nn.LayerNorm(config.hidden)
        self.layers = nn.ModuleList(_Layer(config) for _ in range(config.layers))


class Hubert(nn.Module):
    """Waveform to features.

    Source: Hsu et al. 2021 (HuBERT); Baevski et al. 2020 (wav2vec 2.0).
    """

    def __init__(self, config: HubertConfig) -> None:
        super().__init__()
        self.config = config
        self.masked_spec_embed = nn.Parameter(torch.zeros(config.hidden))
        self.feature_extractor = _Extractor(config)
        self.feature_projection = _Projection(config)
        self.encoder = _Encoder(config)
        self.drop = nn.Dropout(config.dropout)

    def forward(
        self,
        samples: Float[Tensor, "batch time"],
        steps: int = 0,
        most: int | None = None,
        randomness: torch.Generator | None = None,
    ) -> Float[Tensor, "batch steps hidden"]:
        """Features of 16 kHz waveforms, padded by `pad_boundary` before.

        Args:
            steps: interpolate to that many before the transformer (0: leave them at 50 Hz).
            most: cut the features at 50 Hz to that many first.
            randomness: in training, source of masks and left-out layers; neither happens without
                it.
        """
        # (batch, channels, steps at 50 Hz)
        x = self.feature_extractor(samples)
        if steps:
            # To the motion's rate before the transformer, as the published hosts do.
            x = F.interpolate(x[..., :most], size=steps, mode="linear", align_corners=False)
        x = self.feature_projection(x.transpose(1, 2))
        training = self.training and randomness is not None
        if training:
            x = self._masked(x, cast(torch.Generator, randomness))
        # The norm comes before the layers here; XLS-R's comes after them.
        x = self.drop(self.encoder.layer_norm(x + self.encoder.pos_conv_embed(x)))
        for layer in self.encoder.layers:
            # LayerDrop; the draw happens for every layer, so its seed does not depend on the
            # outcome.
            if not (
                training and float(torch.rand(1, generator=randomness)) < self.config.layer_drop
            ):
                x = layer(x)
        return x

    def pack(self) -> None:
        """Prepare large products for running: the network cannot be trained or saved any more."""
        pack_linears(self)

    def frozen_for_hubert(self) -> list[nn.Module]:
        """What DiffPoseTalk keeps fixed of HuBERT: convolutions, projection, the first two
        layers.
        """
        return [self.feature_extractor, self.feature_projection, *self.encoder.layers[:2]]

    def _masked(self, x: Tensor, randomness: torch.Generator) -> Tensor:
        if not self.config.mask_share:
            # (batch, steps)
            return x
        mask = span_mask(
            x.shape[0], x.shape[1], self.config.mask_share, self.config.mask_length, randomness
        )
        return torch.where(mask.unsqueeze(-1), self.masked_spec_embed.to(x), x)


def pad_boundary(samples: Float[Tensor, "batch time"]) -> Float[Tensor, "batch padded"]:
    """Mirror the ends so that the convolutions give one feature for each whole 320 samples.

    The mirroring is done in two halves, the second of the already padded sound, as released; an odd
    rest is a repeated sample.
    """
    count = samples.shape[-1]
    # Samples missing to whole * 320 + 80, split between the two ends.
    side = math.ceil((count // UNIT * UNIT + EXCESS - count) / 2)
    if side < 0:
        return samples
    for _ in range(2):
        samples = F.pad(samples, (side // 2, side // 2), mode="reflect")
    return F.pad(samples, (1, 1), mode="replicate") if side % 2 else samples


def span_mask(
    batch: int, steps: int, share: float, length: int, randomness: torch.Generator, fewest: int = 2
) -> Bool[Tensor, "batch steps"]:
    """True where features are hidden in training: spans at random places, at least `fewest` an item
    where there is room.

    Source: Park et al. 2019, SpecAugment, along time only.
    """
    mask = torch.zeros(batch, steps, dtype=torch.bool)
    if length > steps:
        return mask
    # The random fraction rounds the number of spans up or down in proportion.
    spans = max(fewest, int(share * steps / length + float(torch.rand(1, generator=randomness))))
    spans = min(spans, steps // length)
    for item in range(batch):
        for start in torch.randperm(steps - length + 1, generator=randomness)[:spans].tolist():
            mask[item, start : start + length] = True
    return mask
