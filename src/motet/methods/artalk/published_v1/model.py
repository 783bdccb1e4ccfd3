"""The generator of the published model (generation R): next-scale prediction of bitwise tokens,
modulated by audio.

Two ways to the same bits. `logits` runs all tokens at once (teacher forcing: the plain form).
`generate` decodes one scale at a time with a key-value cache: the modulations of all tokens come
from one product a layer ahead of the loop, the history's keys and values are computed once a
window, and each scale adds its own to the cache. A token sees only its own and coarser scales, so
caching changes no bit.
"""

from __future__ import annotations

import dataclasses

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from motet.encoders.wav2vec2 import Wav2Vec2
from motet.methods.artalk.codec import MotionCodec
from motet.methods.artalk.config import ReleasedConfig
from motet.methods.artalk.published_v1.layer import GeneratorLayer
from motet.methods.artalk.published_v1.style_encoder import StyleEncoder
from motet.methods.artalk.quantizer import ResidualQuantizer
from motet.nn.attention import KeyValueCache, level_mask, modulate

STYLE_PUSH = 1.1
"""The style token is pushed away from the null style: 1.1 style - 0.1 null."""


@dataclasses.dataclass(frozen=True)
class History:
    """Tokens of the past windows, with their keys and values."""

    tokens: Float[Tensor, "batch past width"]
    """One group of tokens for each past window, oldest first; without positions."""
    keys_values: tuple[tuple[Tensor, Tensor], ...]
    """Keys and values of these tokens, a pair for each layer."""


class ReleasedModel(nn.Module):
    """Codec, generator, style encoder and audio encoder of the published checkpoint."""

    def __init__(self, config: ReleasedConfig) -> None:
        super().__init__()
        self.config = config
        width, bits, tokens = config.width, config.codec.bits, config.codec.tokens
        self.codec = MotionCodec(config.codec)
        self.audio_encoder = Wav2Vec2(**dataclasses.asdict(config.audio))
        self.style_encoder = StyleEncoder(config)
        self.style_entry = nn.Linear(config.style_width, width)
        self.feature_entry = nn.Linear(bits, width)
        self.null_style = nn.Parameter(torch.randn(1, 1, width) * width**-0.5)
        self.position = nn.Parameter(torch.randn(1, tokens, width) * width**-0.5)
        self.history_position = nn.Parameter(
            torch.randn(1, tokens * config.history, width) * width**-0.5
        )
        self.level = nn.Embedding(len(config.codec.patches), width)
        self.layers = nn.ModuleList(
            GeneratorLayer(width, config.heads, config.audio.hidden) for _ in range(config.depth)
        )
        self.head_modulation = nn.Linear(config.audio.hidden, 2 * width)
        self.head = nn.Linear(width, 2 * bits)
        self.register_buffer("levels", self.codec.quantizer.levels(), persistent=False)

    @property
    def quantizer(self) -> ResidualQuantizer:
        """The codec's quantiser."""
        return self.codec.quantizer

    def style_token(
        self, motion: Float[Tensor, "batch frames dim"] | None, batch: int = 1
    ) -> Float[Tensor, "batch 1 width"]:
        """The token that starts every window: of a style clip, pushed away from the null style, or
        the null style.
        """
        if motion is None:
            return self.null_style.expand(batch, -1, -1)
        style = self.style_entry(self.style_encoder(motion)).unsqueeze(1)
        return STYLE_PUSH * style - (STYLE_PUSH - 1.0) * self.null_style

    def pool_audio(
        self, features: Float[Tensor, "batch steps audio"]
    ) -> Float[Tensor, "batch tokens audio"]:
        """The audio of every token: features averaged over the stretch that the token stands for,
        scale after scale.
        """
        x = features.transpose(1, 2)  # (batch, audio, steps)
        return torch.cat(
            [F.adaptive_avg_pool1d(x, patch) for patch in self.config.codec.patches], 2
        ).transpose(1, 2)

    def window_tokens(
        self, style: Tensor, codes: Float[Tensor, "batch tokens bits"]
    ) -> Float[Tensor, "batch tokens width"]:
        """Style token and embedded running sums, without positions."""
        return torch.cat([style, self.feature_entry(self.quantizer.next_inputs(codes))], 1)

    def positions(self) -> Float[Tensor, "1 tokens width"]:
        """Position plus level of the tokens of the current window."""
        return self.position + self.level(self.levels)

    def history(self, tokens: Float[Tensor, "batch past width"]) -> History:
        """Keys and values of past tokens, computed once a window for all layers."""
        positioned = (
            tokens + self.history_position + self.level(self.levels.repeat(self.config.history))
        )
        return History(
            tokens, tuple(layer.attention.keys_values(positioned) for layer in self.layers)
        )

    def modulations(
        self, audio: Float[Tensor, "batch tokens audio"]
    ) -> Float[Tensor, "batch tokens parts"]:
        """Modulations of all tokens, six widths a layer and two for the head: everything the
        generator needs of the audio.

        They depend on nothing else, so those of many windows are one product a layer.
        """
        # Of audio alone: computed once a window, for all layers and scales.
        active = F.silu(audio)
        return torch.cat(
            [*(layer.modulation(active) for layer in self.layers), self.head_modulation(active)], -1
        )

    def steer(
        self, modulations: Float[Tensor, "batch tokens parts"]
    ) -> tuple[list[tuple[Tensor, ...]], tuple[Tensor, ...]]:
        """`modulations` by layer, and gain and shift of the head."""
        parts = modulations.split(self.config.width, -1)
        return [parts[6 * index : 6 * index + 6] for index in range(self.config.depth)], parts[-2:]

    def logits(
        self, codes: Tensor, style: Tensor, history: History, modulations: Tensor
    ) -> Float[Tensor, "batch tokens bits 2"]:
        """Teacher forcing: class scores of every bit, given the codes of all coarser scales. The
        plain form.
        """
        x = self.window_tokens(style, codes) + self.positions()
        # All of the past is visible to every token: (tokens, past + tokens).
        mask = F.pad(level_mask(self.levels), (history.tokens.shape[1], 0), value=True)
        steer, head = self.steer(modulations)
        for layer, parts, past in zip(self.layers, steer, history.keys_values, strict=True):
            x = layer(x, past, parts, mask)
        return self.score(x, head)

    def score(self, x: Tensor, head: tuple[Tensor, ...]) -> Float[Tensor, "batch tokens bits 2"]:
        """Class scores (bit 0, bit 1) of tokens."""
        return self.head(modulate(x, *head)).unflatten(-1, (-1, 2))

    def generate(
        self, style: Tensor, history: History, modulations: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Generate a window: the likelier class of every bit, scale after scale.

        Returns:
            The bits (batch, tokens, bits) and the class scores they were read from.
        """
        steer, head = self.steer(modulations)
        # Past keys and values are copied once a window; each scale appends its own.
        caches = [self._cache(keys_values) for keys_values in history.keys_values]
        positions, running, ahead = self.positions(), None, style
        bits, scores = [], []
        for scale in range(len(self.config.codec.patches)):
            own = self.quantizer.scale_of(scale)  # tokens of this scale
            x = ahead + positions[:, own]  # (batch, patch, width)
            for layer, parts, cache in zip(self.layers, steer, caches, strict=True):
                x = layer.grow(x, cache, tuple(part[:, own] for part in parts))
            scores.append(self.score(x, (head[0][:, own], head[1][:, own])))
            bits.append(scores[-1][..., 1] > scores[-1][..., 0])
            running, pooled = self.quantizer.add_scale(
                running, scale, self.quantizer.codes_of(bits[-1], style)
            )
            ahead = self.feature_entry(pooled) if pooled is not None else None
        return torch.cat(bits, 1), torch.cat(scores, 1)

    def _cache(self, keys_values: tuple[Tensor, Tensor]) -> KeyValueCache:
        key, value = keys_values
        batch, heads, past, head = key.shape
        cache = KeyValueCache(batch, heads, past + self.config.codec.tokens, head, key)
        cache.append(key, value)
        return cache
