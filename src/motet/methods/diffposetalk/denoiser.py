"""The denoiser: a transformer decoder, split into what depends on the diffusion step and what does
not.

Parameters have the authors' names, so that a released checkpoint reads like one of ours.
"""

from __future__ import annotations

import dataclasses

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from motet.methods.diffposetalk.config import DiffPoseTalkConfig
from motet.methods.diffposetalk.style import LONGEST
from motet.nn.attention import split_heads
from motet.nn.packed import SMALLEST, PackedLinear, packing_works
from motet.nn.position import sinusoid_table


@dataclasses.dataclass(frozen=True)
class Memory:
    """Cross-attention of one layer, ready for any diffusion step."""

    keys: Float[Tensor, "batch heads frames head"]
    values: Float[Tensor, "batch heads frames head"]
    straight: Float[Tensor, "batch frames width"] | None
    """With mask width 1 a frame attends to one feature only, so the result does not depend on the
    query: the projected value."""


@dataclasses.dataclass(frozen=True)
class StepFree:
    """Everything of a window that does not depend on the diffusion step."""

    person: Float[Tensor, "batch 1 width"]
    past: Float[Tensor, "batch context width"]
    frames: Float[Tensor, "batch window width"]
    """Bias, position and indicator of the generated frames."""
    memories: tuple[Memory, ...]


def alignment_mask(window: int, context: int, width: int) -> Bool[Tensor, "tokens frames"]:
    """True where a token may not attend: token 0 (the person) attends to all features, frame i to
    those nearer than `width`.
    """
    frames = torch.arange(window + context)  # (frames)
    far = (frames.unsqueeze(1) - frames).abs() >= width  # (frames, frames)
    return torch.cat([torch.zeros(1, window + context, dtype=torch.bool), far])


class _PackedLayer(nn.Module):
    """The products of a decoder layer that every diffusion step repeats, prepared for running."""

    def __init__(self, layer: nn.TransformerDecoderLayer) -> None:
        super().__init__()
        attention = layer.self_attn
        self.query_key_value = PackedLinear(
            attention.in_proj_weight, attention.in_proj_bias, "float32"
        )
        self.out = PackedLinear(attention.out_proj.weight, attention.out_proj.bias, "float32")
        self.inner = PackedLinear(layer.linear1.weight, layer.linear1.bias, "float32")
        self.outer = PackedLinear(layer.linear2.weight, layer.linear2.bias, "float32")


class Denoiser(nn.Module):
    """Transformer decoder: tokens are the person, the past frames and the noisy frames; the audio
    is the memory.
    """

    def __init__(self, config: DiffPoseTalkConfig) -> None:
        super().__init__()
        own = config.denoiser
        # Tokens: the person, the context frames, the frames of the window.
        width, tokens = own.width, 1 + own.context + own.window
        self.settings, self.motion_dim = own, config.motion_dim
        if own.learned_positions:
            self.PE = nn.Parameter(torch.randn(1, tokens, width))
        else:
            self.register_buffer("positions", sinusoid_table(LONGEST, width), persistent=False)
        self.register_buffer(
            "times", sinusoid_table(config.diffusion.steps + 1, width), persistent=False
        )
        self.diff_step_map = nn.Sequential(
            nn.Linear(width, width), nn.GELU(), nn.Linear(width, width)
        )
        self.person_proj = nn.Linear(config.shape_dim + config.style_dim, width)
        self.feature_proj = nn.Linear(config.motion_dim + own.indicator, width)
        layer = nn.TransformerDecoderLayer(
            width,
            own.heads,
            own.expansion * width,
            own.dropout,
            activation="gelu",
            batch_first=True,
        )
        self.transformer = nn.TransformerDecoder(layer, own.layers)
        self.motion_dec = nn.Sequential(
            nn.Linear(width, width // 2), nn.GELU(), nn.Linear(width // 2, config.motion_dim)
        )
        mask = (
            alignment_mask(own.window, own.context, own.mask_width) if own.mask_width > 0 else None
        )
        self.register_buffer("visible", None if mask is None else ~mask, persistent=False)
        self._packed: list[_PackedLayer] | None = None

    def pack(self) -> None:
        """Prepare the products of `step` for running, where this torch can. Weights changed
        afterwards are not noticed.
        """
        if packing_works() and self.settings.width >= SMALLEST:
            self._packed = [_PackedLayer(layer) for layer in self.transformer.layers]  # type: ignore[arg-type]

    def forward(
        self,
        motion: Float[Tensor, "batch window dim"],
        audio: Float[Tensor, "batch window width"],
        person: Float[Tensor, "batch features"],
        past_motion: Float[Tensor, "batch context dim"],
        past_audio: Float[Tensor, "batch context width"],
        step: Int[Tensor, " batch"],
        indicator: Float[Tensor, "batch window"] | None = None,
    ) -> Float[Tensor, "batch frames dim"]:
        """Prediction for the past frames and the window."""
        free = self.prepare(audio, person, past_motion, past_audio, indicator)
        return self.step(
            motion, self.time_vectors(step), free, keep=motion.shape[1] + past_motion.shape[1]
        )

    def prepare(
        self,
        audio: Tensor,
        person: Tensor,
        past_motion: Tensor,
        past_audio: Tensor,
        indicator: Tensor | None = None,
    ) -> StepFree:
        """Compute once a window what every diffusion step needs. Arguments as of `forward`."""
        own, dim = self.settings, self.motion_dim
        token = self.person_proj(person).unsqueeze(1)  # (batch, 1, width)
        # The feature map is linear: motion and indicator columns are applied apart, so that the
        # indicator's part is computed once a window.
        # (batch, context, width)
        past = F.linear(past_motion, self.feature_proj.weight[:, :dim], self.feature_proj.bias)
        # (batch, window, width)
        frames = self.feature_proj.bias.expand(len(audio), audio.shape[1], -1)
        if own.indicator:
            real = torch.ones_like(audio[..., 0]) if indicator is None else indicator
            frames = frames + real.unsqueeze(-1) * self.feature_proj.weight[:, dim]
        tokens = torch.cat([token, past, frames], 1)  # (batch, 1 + context + window, width)
        # As released, the sinusoid table is read at the row of the sequence's length, the same for
        # all tokens.
        tokens = tokens + (
            self.PE if own.learned_positions else self.positions[tokens.shape[1]].to(tokens)
        )
        memory_audio = torch.cat([past_audio, audio], 1)  # (batch, context + window, width)
        memories = tuple(
            self._memory(layer.multihead_attn, memory_audio) for layer in self.transformer.layers
        )
        return StepFree(
            tokens[:, :1], tokens[:, 1 : 1 + own.context], tokens[:, 1 + own.context :], memories
        )

    def time_vectors(self, step: Int[Tensor, " steps"]) -> Float[Tensor, "steps width"]:
        """Timestep embedding, added to the person's token."""
        return self.diff_step_map(self.times.to(step.device)[step].to(self.feature_proj.weight))

    def step(
        self,
        motion: Float[Tensor, "batch window dim"],
        time: Float[Tensor, "steps width"],
        free: StepFree,
        keep: int,
    ) -> Float[Tensor, "branches keep dim"]:
        """Predict the last `keep` frames.

        Args:
            motion: noisy frames; repeated for all branches when `free` holds several times as many
                items.
            time: time vector of each item of `free`, or one for all.
        """
        # Guidance evaluates several conditions on the same noisy motion.
        branches = len(free.frames) // len(motion)
        # (branches * batch, window, width)
        entry = F.linear(motion, self.feature_proj.weight[:, : self.motion_dim]).repeat(
            branches, 1, 1
        )
        # (branches, 1 + context + window, width).
        x = torch.cat([free.person + time.unsqueeze(1), free.past, free.frames + entry], 1)
        layers = self.transformer.layers
        for index, (layer, memory) in enumerate(zip(layers, free.memories, strict=True)):
            # Only the last layer may drop tokens: earlier ones are keys and values for it.
            token_count = keep if index == len(layers) - 1 else x.shape[1]
            x = (
                self._layer(layer, x, memory, token_count)
                if self._packed is None
                else self._run(self._packed[index], layer, x, memory, token_count)
            )
        return self.motion_dec(x)

    def _memory(self, attention: nn.MultiheadAttention, audio: Tensor) -> Memory:
        width = audio.shape[-1]
        weight, bias = attention.in_proj_weight, attention.in_proj_bias
        # in_proj_weight stacks query, key and value: (3 * width, width).
        # (batch, frames, width) each
        keys, values = F.linear(audio, weight[width:], bias[width:]).chunk(2, -1)
        # Softmax over a single key is 1: the result is the projected value, whatever the query.
        straight = (
            attention.out_proj(values)
            if self.settings.mask_width == 1 and not self.training
            else None
        )
        heads = self.settings.heads
        return Memory(split_heads(keys, heads), split_heads(values, heads), straight)

    def _layer(
        self, layer: nn.TransformerDecoderLayer, x: Tensor, memory: Memory, keep: int
    ) -> Tensor:
        x = layer.norm1(
            x[:, -keep:] + layer.dropout1(self._self_attention(layer.self_attn, x, keep))
        )
        x = layer.norm2(x + layer.dropout2(self._cross_attention(layer.multihead_attn, x, memory)))
        return layer.norm3(
            x + layer.dropout3(layer.linear2(layer.dropout(layer.activation(layer.linear1(x)))))
        )

    def _run(
        self,
        packed: _PackedLayer,
        layer: nn.TransformerDecoderLayer,
        x: Tensor,
        memory: Memory,
        keep: int,
    ) -> Tensor:
        """`_layer` with packed products."""
        query, key, value = (
            split_heads(part, self.settings.heads)
            for part in packed.query_key_value(x).chunk(3, -1)
        )
        x = layer.norm1(
            x[:, -keep:] + packed.out(self._attend(query[:, :, -keep:], key, value, None))
        )
        x = layer.norm2(x + self._cross_attention(layer.multihead_attn, x, memory))
        return layer.norm3(x + packed.outer(F.gelu(packed.inner(x))))

    def _self_attention(self, attention: nn.MultiheadAttention, x: Tensor, keep: int) -> Tensor:
        width, heads = x.shape[-1], self.settings.heads
        weight, bias = attention.in_proj_weight, attention.in_proj_bias
        if keep == x.shape[1]:
            query, key, value = F.linear(x, weight, bias).chunk(3, -1)
        else:
            # Queries of the kept tokens only; all tokens are keys.
            query = F.linear(x[:, -keep:], weight[:width], bias[:width])
            key, value = F.linear(x, weight[width:], bias[width:]).chunk(2, -1)
        return attention.out_proj(
            self._attend(
                split_heads(query, heads), split_heads(key, heads), split_heads(value, heads), None
            )
        )

    def _cross_attention(
        self, attention: nn.MultiheadAttention, x: Tensor, memory: Memory
    ) -> Tensor:
        width, heads, frames = x.shape[-1], self.settings.heads, memory.keys.shape[2]
        token_count = x.shape[1]
        if memory.straight is not None and token_count <= frames:
            # All frames attend to a single feature each: no attention has to be computed.
            return memory.straight[:, -token_count:]
        # Only the person's token (index 0) attends to several features.
        queries = x[:, :1] if memory.straight is not None else x
        query = split_heads(
            F.linear(queries, attention.in_proj_weight[:width], attention.in_proj_bias[:width]),
            heads,
        )
        mask = (
            None
            if memory.straight is not None or self.visible is None
            else self.visible[-token_count:]
        )
        attended = attention.out_proj(self._attend(query, memory.keys, memory.values, mask))
        return attended if memory.straight is None else torch.cat([attended, memory.straight], 1)

    def _attend(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
        dropout = self.settings.dropout if self.training else 0.0
        return (
            F.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=dropout)
            # (batch, heads, tokens, head) -> (batch, tokens, width)
            .transpose(1, 2)
            .flatten(2)
        )
