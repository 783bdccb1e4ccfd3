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
from motet.methods.artalk.quantizer import ResidualQuantizer
from motet.nn.activation import gelu_of_product
from motet.nn.attention import KeyValueCache, attend, level_mask, modulate, split_heads
from motet.nn.position import sinusoid_table

STYLE_TABLE_ROWS = 600
STYLE_PUSH = 1.1
"""The style token is pushed away from the null style: 1.1 style - 0.1 null."""


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


class StyleEncoder(nn.Module):
    """A clip of motion to one vector (after DiffPoseTalk), with the released model's error in the
    positions kept.

    The row of the sinusoid table at the *length* of the clip is added to every frame, so positions
    are not distinguished; the weights were trained that way.
    """

    motion_mean: Tensor
    motion_std: Tensor

    def __init__(self, config: ReleasedConfig) -> None:
        super().__init__()
        width = config.style_width
        self.register_buffer("motion_mean", torch.zeros(config.codec.motion_dim))
        self.register_buffer("motion_std", torch.ones(config.codec.motion_dim))
        self.register_buffer("position", sinusoid_table(STYLE_TABLE_ROWS, width).unsqueeze(0))
        self.entry = nn.Linear(config.codec.motion_dim, width)
        layer = nn.TransformerEncoderLayer(
            width, config.style_heads, config.style_inner, 0.1, activation="gelu", batch_first=True
        )
        self.transformer = nn.TransformerEncoder(
            layer, config.style_depth, enable_nested_tensor=False
        )

    def forward(self, motion: Float[Tensor, "batch frames dim"]) -> Float[Tensor, "batch width"]:
        """Mean over the frames of the encoded clip."""
        x = (
            self.entry((motion - self.motion_mean) / self.motion_std)
            # One row for all frames, that of the clip's length: the released error.
            + self.position[:, motion.shape[1]]
        )
        return self.transformer(x).mean(1)


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
        past = history.tokens.shape[1]
        # All of the past is visible to every token.
        mask = F.pad(level_mask(self.levels), (past, 0), value=True)
        steer, head = self.steer(modulations)
        for layer, parts, kept in zip(self.layers, steer, history.keys_values, strict=True):
            x = layer(x, kept, parts, mask)
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
