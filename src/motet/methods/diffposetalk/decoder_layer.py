"""One layer of the denoiser: `nn.TransformerDecoderLayer`, computed in parts.

The module holds the weights under the authors' names. Its own `forward` would project the audio
again in every diffusion step and compute all tokens in the last layer; these functions do neither.

Tokens are 1 + context + window: the person, the past frames, the noisy frames. Cross-attention
reads the audio features of the context + window frames.
"""

from __future__ import annotations

import dataclasses

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from motet.methods.diffposetalk.config import DenoiserConfig
from motet.nn.attention import split_heads
from motet.nn.packed import PackedLinear


@dataclasses.dataclass(frozen=True)
class AudioMemory:
    """Projected audio of one layer's cross-attention, ready for any diffusion step."""

    keys: Float[Tensor, "batch heads frames head"]
    values: Float[Tensor, "batch heads frames head"]
    own_frame: Float[Tensor, "batch frames width"] | None
    """Output of the attention of each frame where the mask leaves it one feature, its own; None for
    other masks."""


class PackedLayer(nn.Module):
    """The products of a layer that every diffusion step repeats, prepared for running."""

    def __init__(self, layer: nn.TransformerDecoderLayer) -> None:
        super().__init__()
        attention = layer.self_attn
        self.query_key_value = PackedLinear(
            attention.in_proj_weight, attention.in_proj_bias, "float32"
        )
        self.out = PackedLinear(attention.out_proj.weight, attention.out_proj.bias, "float32")
        self.inner = PackedLinear(layer.linear1.weight, layer.linear1.bias, "float32")
        self.outer = PackedLinear(layer.linear2.weight, layer.linear2.bias, "float32")


@dataclasses.dataclass(frozen=True)
class DecoderAttention:
    """What all layers share: sizes, and which audio features a token may attend to.

    Args:
        visible: True where a token may attend to a frame's features; None: everywhere.
    """

    config: DenoiserConfig
    visible: Bool[Tensor, "tokens frames"] | None

    def memory(
        self, layer: nn.TransformerDecoderLayer, audio: Float[Tensor, "batch frames width"]
    ) -> AudioMemory:
        """Keys and values of the audio, once a window."""
        attention, width, heads = layer.multihead_attn, audio.shape[-1], self.config.heads
        # in_proj_weight stacks query, key and value: (3 * width, width).
        weight, bias = attention.in_proj_weight, attention.in_proj_bias
        # (batch, frames, width) each
        keys, values = F.linear(audio, weight[width:], bias[width:]).chunk(2, -1)
        # Softmax over a single key is 1: the result is the projected value, whatever the query.
        # In training, dropout acts on the attention weights, so attention is computed.
        alone = self.config.mask_width == 1 and not layer.training
        own_frame = attention.out_proj(values) if alone else None
        return AudioMemory(split_heads(keys, heads), split_heads(values, heads), own_frame)

    def run(
        self,
        layer: nn.TransformerDecoderLayer,
        x: Float[Tensor, "batch tokens width"],
        memory: AudioMemory,
        keep: int,
    ) -> Float[Tensor, "batch keep width"]:
        """The last `keep` tokens after a layer; all tokens serve as keys and values.

        Post-norm, as in the released code.
        """
        attended = self._self_attention(layer, x, keep)
        x = layer.norm1(x[:, -keep:] + layer.dropout1(attended))
        x = layer.norm2(x + layer.dropout2(self._cross_attention(layer, x, memory)))
        inner = layer.dropout(layer.activation(layer.linear1(x)))
        return layer.norm3(x + layer.dropout3(layer.linear2(inner)))

    def run_packed(
        self,
        packed: PackedLayer,
        layer: nn.TransformerDecoderLayer,
        x: Float[Tensor, "batch tokens width"],
        memory: AudioMemory,
        keep: int,
    ) -> Float[Tensor, "batch keep width"]:
        """`run` with packed products and without dropout."""
        # (batch, heads, tokens, head) each
        query, key, value = (
            split_heads(part, self.config.heads) for part in packed.query_key_value(x).chunk(3, -1)
        )
        attended = self._attend(layer, query[:, :, -keep:], key, value, None)
        x = layer.norm1(x[:, -keep:] + packed.out(attended))
        x = layer.norm2(x + self._cross_attention(layer, x, memory))
        return layer.norm3(x + packed.outer(F.gelu(packed.inner(x))))

    def _self_attention(
        self, layer: nn.TransformerDecoderLayer, x: Float[Tensor, "batch tokens width"], keep: int
    ) -> Float[Tensor, "batch keep width"]:
        attention, width, heads = layer.self_attn, x.shape[-1], self.config.heads
        weight, bias = attention.in_proj_weight, attention.in_proj_bias
        if keep == x.shape[1]:
            query, key, value = F.linear(x, weight, bias).chunk(3, -1)
        else:
            # Queries of the kept tokens only; all tokens are keys.
            query = F.linear(x[:, -keep:], weight[:width], bias[:width])
            key, value = F.linear(x, weight[width:], bias[width:]).chunk(2, -1)
        query, key, value = (split_heads(part, heads) for part in (query, key, value))
        return attention.out_proj(self._attend(layer, query, key, value, None))

    def _cross_attention(
        self,
        layer: nn.TransformerDecoderLayer,
        x: Float[Tensor, "batch tokens width"],
        memory: AudioMemory,
    ) -> Float[Tensor, "batch tokens width"]:
        attention, width, frames = layer.multihead_attn, x.shape[-1], memory.keys.shape[2]
        token_count = x.shape[1]
        if memory.own_frame is not None and token_count <= frames:
            # Without the person's token all attend to a single feature each: nothing is computed.
            return memory.own_frame[:, -token_count:]
        # Only the person's token (index 0) attends to several features.
        queries = x[:, :1] if memory.own_frame is not None else x
        query = split_heads(
            F.linear(queries, attention.in_proj_weight[:width], attention.in_proj_bias[:width]),
            self.config.heads,
        )
        # The person's token attends to everything, so it needs no mask.
        mask = None
        if memory.own_frame is None and self.visible is not None:
            mask = self.visible[-token_count:]
        attended = self._attend(layer, query, memory.keys, memory.values, mask)
        attended = attention.out_proj(attended)
        return attended if memory.own_frame is None else torch.cat([attended, memory.own_frame], 1)

    def _attend(
        self,
        layer: nn.TransformerDecoderLayer,
        query: Float[Tensor, "batch heads tokens head"],
        key: Float[Tensor, "batch heads known head"],
        value: Float[Tensor, "batch heads known head"],
        mask: Bool[Tensor, "tokens known"] | None,
    ) -> Float[Tensor, "batch tokens width"]:
        dropout = self.config.dropout if layer.training else 0.0
        return (
            F.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=dropout)
            # (batch, heads, tokens, head) -> (batch, tokens, width)
            .transpose(1, 2)
            .flatten(2)
        )
