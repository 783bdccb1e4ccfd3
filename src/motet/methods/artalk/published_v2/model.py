"""The generator of the published training code (generation T): style and past as prefix tokens,
sound by cross attention.

Every row sees a prefix of the sequence [style, past, scale 0, scale 1, ...]. The condition tokens
never see the current ones, so `generate` runs them through the layers once a window, keeps their
keys and values, and then decodes one scale at a time.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from motet.methods.artalk.codec import MotionCodec
from motet.methods.artalk.config import TrainingConfig
from motet.methods.artalk.published_v2.layer import Angles, TrainingLayer
from motet.methods.artalk.published_v2.positions import (
    audio_positions,
    token_positions,
    visible_prefix,
)
from motet.methods.artalk.quantizer import ResidualQuantizer
from motet.nn.attention import KeyValueCache
from motet.nn.position import rotary_angles

Choose = Callable[[Tensor, slice], Tensor]
"""From class scores (batch, tokens, bits, 2) of a scale and its position among all tokens to bits
(batch, tokens, bits)."""
DROP_PATH = 0.1 / 24
"""Chance of leaving a part of the last layer out in training, for each layer of depth."""


@dataclasses.dataclass(frozen=True)
class Conditions:
    """Conditions of a window: summed codes of style clip and past, and audio features."""

    style: Float[Tensor, "batch frames bits"]
    past: Float[Tensor, "batch frames bits"]
    audio: Float[Tensor, "batch steps audio"]


class TrainingModel(nn.Module):
    """Codec and generator of the training code; the audio encoder stands outside, frozen."""

    def __init__(self, config: TrainingConfig) -> None:
        super().__init__()
        self.config = config
        width, codec = config.width, config.codec
        self.codec = MotionCodec(codec)
        self.feature_entry = nn.Linear(codec.bits, width)
        self.start = nn.Parameter(0.02 * torch.randn(1, 1, width))
        self.style_offset, self.past_offset = (
            nn.Parameter(0.02 * torch.randn(1, 1, width)) for _ in range(2)
        )
        self.audio_offset = nn.Parameter(0.02 * torch.randn(1, 1, config.audio_dim))
        self.level = nn.Embedding(len(codec.patches), width)
        # Stochastic depth grows linearly from 0 at the first layer.
        drops = [
            DROP_PATH * config.depth * layer / max(1, config.depth - 1)
            for layer in range(config.depth)
        ]
        self.layers = nn.ModuleList(TrainingLayer(config, drop) for drop in drops)
        self.head_norm, self.head = nn.LayerNorm(width), nn.Linear(width, 2 * codec.bits)
        self.register_buffer("levels", self.codec.quantizer.levels(), persistent=False)
        self.register_buffer("positions", token_positions(codec.patches, 2), persistent=False)
        self.register_buffer("visible", visible_prefix(codec.patches, 2), persistent=False)

    @property
    def quantizer(self) -> ResidualQuantizer:
        """The codec's quantiser."""
        return self.codec.quantizer

    def clip_code(
        self, motion: Float[Tensor, "batch frames dim"]
    ) -> Float[Tensor, "batch frames bits"]:
        """Summed codes of a window of raw motion, the form of style and past."""
        return self.quantizer.total(self.quantizer.signs(self.codec.encode(motion))[1])

    def logits(
        self, conditions: Conditions, codes: Tensor, randomness: torch.Generator | None = None
    ) -> Float[Tensor, "batch tokens bits 2"]:
        """Teacher forcing: class scores of every bit given the coarser scales' codes; with
        randomness also drop path.
        """
        start = self.start.expand(len(codes), -1, -1)
        current = torch.cat(  # (batch, tokens, width)
            [start, self.feature_entry(self.quantizer.next_inputs(codes))], 1
        ) + self.level(self.levels)
        x = torch.cat([self._prefix(conditions), current], 1)
        angles, sound_angles = self._angles(self.positions), self._sound_angles(conditions)
        # (prefix + tokens, prefix + tokens)
        mask = torch.arange(x.shape[1]) < self.visible.unsqueeze(1)
        audio = conditions.audio + self.audio_offset
        for layer in self.layers:
            x = layer(
                x, layer.audio_keys_values(audio, sound_angles), angles, mask, None, randomness
            )
        return self._scores(x[:, -self.config.codec.tokens :])

    def generate(
        self, conditions: Conditions, choose: Choose
    ) -> tuple[Tensor, Float[Tensor, "batch tokens bits 2"]]:
        """Generate a window, scale after scale, with a key-value cache.

        Args:
            choose: makes bits of class scores; it sees the whole batch, so it can weigh guidance
                branches against each other.

        Returns:
            Bits of all scales, and the class scores.
        """
        sounds, caches = self._conditioned(conditions)
        behind, running, ahead = (
            2 * self.config.codec.frames,
            None,
            self.start.expand(len(conditions.audio), -1, -1),
        )
        bits, scores = [], []
        for scale in range(len(self.config.codec.patches)):
            own = self.quantizer.scale_of(scale)
            angles = self._angles(self.positions[behind + own.start : behind + own.stop])
            x = ahead + self.level.weight[scale]
            for layer, sound, cache in zip(self.layers, sounds, caches, strict=True):
                x = layer(x, sound, angles, None, cache)
            scores.append(self._scores(x))
            bits.append(choose(scores[-1], own))
            running, pooled = self.quantizer.add_scale(
                running, scale, self.quantizer.codes_of(bits[-1], x)
            )
            ahead = self.feature_entry(pooled) if pooled is not None else None
        return torch.cat(bits, 1), torch.cat(scores, 1)

    def _conditioned(
        self, conditions: Conditions
    ) -> tuple[list[tuple[Tensor, Tensor]], list[KeyValueCache]]:
        """Audio keys and values of every layer, and caches that hold the condition tokens."""
        x = self._prefix(conditions)
        angles, audio = (
            self._angles(self.positions[: x.shape[1]]),
            conditions.audio + self.audio_offset,
        )
        sound_angles, room = self._sound_angles(conditions), x.shape[1] + self.config.codec.tokens
        sounds = [layer.audio_keys_values(audio, sound_angles) for layer in self.layers]
        caches = [
            KeyValueCache(
                len(x), self.config.heads, room, self.config.width // self.config.heads, x
            )
            for _ in self.layers
        ]
        for layer, sound, cache in zip(self.layers, sounds, caches, strict=True):
            x = layer(x, sound, angles, None, cache)
        return sounds, caches

    def _prefix(self, conditions: Conditions) -> Float[Tensor, "batch prefix width"]:
        return torch.cat(
            [
                self.feature_entry(conditions.style) + self.style_offset,
                self.feature_entry(conditions.past) + self.past_offset,
            ],
            1,
        )

    def _scores(self, x: Tensor) -> Float[Tensor, "batch tokens bits 2"]:
        return self.head(self.head_norm(x)).unflatten(-1, (-1, 2))

    def _angles(self, positions: Tensor) -> Angles:
        cosine, sine = rotary_angles(positions, self.config.width // self.config.heads)
        return cosine.to(self.start.dtype), sine.to(self.start.dtype)

    def _sound_angles(self, conditions: Conditions) -> Angles:
        return self._angles(audio_positions(conditions.audio.shape[1], self.config.codec.frames, 2))


def guide(
    scores: Float[Tensor, "branches tokens bits 2"], temperature: float, guidance: float
) -> Float[Tensor, "batch tokens bits 2"]:
    """Class scores after temperature and classifier-free guidance; the batch holds the conditioned
    items, then the unconditioned.
    """
    conditioned, *rest = (
        (scores / temperature).chunk(2) if guidance > 1 else ((scores / temperature),)
    )
    # u + g (c - u), in the space of logits.
    return guidance * conditioned + (1 - guidance) * rest[0] if rest else conditioned


def zero_probability(scores: Float[Tensor, "*batch 2"], top_p: float) -> Float[Tensor, "*batch"]:
    """Probability of bit 0 after leaving out a class whose own probability is at most 1 - top_p."""
    zero = scores.softmax(-1)[..., 0]
    return torch.where(zero <= 1 - top_p, 0.0, torch.where(1 - zero <= 1 - top_p, 1.0, zero))
