"""The plain way to generate a window: every pass runs all scales known so far, and caches nothing
from the pass before.

This is how the published code works. It is slow and stands here as the oracle of the tests and as
the baseline of the bench.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool
from torch import Tensor
from torch.nn import functional as F

from motet.methods.artalk.published_v1.generate import ReleasedHistory
from motet.methods.artalk.published_v1.model import ReleasedModel
from motet.methods.artalk.streaming.bit_decoding import BitDecoder
from motet.methods.artalk.streaming.model import StreamingModel
from motet.nn.attention import level_mask


def say_plain(
    model: ReleasedModel, memory: ReleasedHistory, audio: Tensor
) -> Bool[Tensor, "batch tokens bits"]:
    """Bits of a window of the released generation: five passes over 1, 6, 31, 81 and 181 tokens and
    all of the past.

    Args:
        audio: pooled features of every token.
    """
    quantizer = model.quantizer
    tokens, bits = memory.style, None
    for scale in range(len(model.config.codec.patches)):
        known = tokens.shape[1]
        history = model.history(memory.tokens.tokens)
        steer, head = model.steer(model.modulations(audio[:, :known]))
        x = tokens + model.positions()[:, :known]
        mask = F.pad(level_mask(model.levels[:known]), (history.tokens.shape[1], 0), value=True)
        for layer, parts, kept in zip(model.layers, steer, history.keys_values, strict=True):
            x = layer(x, kept, parts, mask)
        scores = model.score(x, head)
        bits = scores[..., 1] > scores[..., 0]
        if scale + 1 < len(model.config.codec.patches):
            inputs = quantizer.next_inputs(quantizer.codes_of(bits, x), scale + 1)
            tokens = torch.cat([memory.style, model.feature_entry(inputs)], 1)
    assert bits is not None
    return bits


def stream_plain(
    model: StreamingModel, style: Tensor, past: Tensor, audio: Tensor, decide: BitDecoder
) -> Tensor:
    """Codes of a window of the streaming model by one teacher-forced pass a scale."""
    config = model.config.codec
    codes = audio.new_zeros(len(audio), config.tokens, config.bits)
    for scale in range(len(config.patches)):
        own = model.quantizer.scale_of(scale)
        codes[:, own] = (
            decide(model.logits(codes, style, past, audio)[:, own], own) * config.bits**-0.5
        )
    return codes
