"""Windows of the published model (generation R): greedy bits, decoded behind the window before and
encoded anew as history of the next.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from motet.checkpoint import load_strict
from motet.encoders.wav2vec2 import standardise
from motet.methods.artalk.config import ArtalkCondition, ReleasedConfig
from motet.methods.artalk.published_method import EncoderPrecisions, PublishedMethod
from motet.methods.artalk.published_v1.model import History, ReleasedModel
from motet.methods.artalk.spaces import released_space
from motet.methods.artalk.style import read_style
from motet.nn.allocator import keep_buffers
from motet.nn.packed import Precision, pack_linears


@dataclasses.dataclass(frozen=True)
class ReleasedHistory:
    """What the released generation carries from window to window."""

    style: Float[Tensor, "batch 1 width"]
    codes: Float[Tensor, "batch tokens bits"]
    """Codes of the last window, encoded anew from its motion."""
    tokens: History
    """Tokens of the past windows with their keys and values."""


class ReleasedGenerator:
    """Generation R.

    Args:
        model: with weights.
    """

    def __init__(self, model: ReleasedModel) -> None:
        self.model, self.config = model.eval().requires_grad_(False), model.config
        self.encoders = EncoderPrecisions(model.audio_encoder)
        self.frames = model.config.codec.frames
        self.space = released_space(model.config.codec.motion_dim)
        # Motion zero in raw units, as released; a constant of the weights.
        self._first_codes = self._encode_motion(
            torch.zeros(1, self.frames, model.config.codec.motion_dim)
        )

    def encode_audio(
        self, windows: Float[Tensor, "windows time"], precision: Precision = "float32"
    ) -> Float[Tensor, "windows tokens parts"]:
        """Modulations of every token, from windows standardised one by one."""
        features = self.encoders.at(precision)(standardise(windows))
        return self.model.modulations(self.model.pool_audio(features))

    def begin(self, condition: ArtalkCondition, seeds: Sequence[int]) -> ReleasedHistory:
        """The first window's past is the code of zero motion."""
        style = read_style(condition.style, self.space) if condition.style else None
        return self.begin_with(self.model.style_token(style, 1), len(seeds))

    def begin_with(self, style: Float[Tensor, "1 1 width"], batch: int = 1) -> ReleasedHistory:
        """The history before the first window, for this style token."""
        codes = self._first_codes.expand(batch, -1, -1)
        style = style.expand(batch, -1, -1)
        # As published, all past windows start as the code of zero motion.
        past = self.model.window_tokens(style, codes).repeat(1, self.model.config.history, 1)
        return ReleasedHistory(style, codes, self.model.history(past))

    def generate_window(
        self, history: ReleasedHistory, audio: Float[Tensor, "batch tokens parts"]
    ) -> tuple[Float[Tensor, "batch frames dim"], ReleasedHistory]:
        """Bits of the window, motion behind the window before, and the new history."""
        bits, _ = self.model.generate(history.style, history.tokens, audio)
        motion = self.decode(history, bits)
        return motion, self.update_history(history, motion)

    def decode(self, history: ReleasedHistory, bits: Tensor) -> Float[Tensor, "batch frames dim"]:
        """Raw motion of a window, decoded behind the window before it; only its own half is carried
        to the end.
        """
        quantizer = self.model.quantizer
        # (2 * batch, tokens, bits)
        codes = torch.cat([history.codes, quantizer.codes_of(bits, history.codes)])
        before, now = quantizer.total(codes).chunk(2)  # (batch, frames, bits) each
        return self.model.codec.decode(torch.cat([before, now], 1), keep=self.frames)

    def update_history(
        self, history: ReleasedHistory, motion: Float[Tensor, "batch frames dim"]
    ) -> ReleasedHistory:
        """The history after a window: its motion encoded anew, the oldest window dropped."""
        codes = self._encode_motion(motion)
        tokens = self.model.window_tokens(history.style, codes)
        # oldest window out, newest in
        past = torch.cat([history.tokens.tokens[:, tokens.shape[1] :], tokens], 1)
        return ReleasedHistory(history.style, codes, self.model.history(past))

    def _encode_motion(self, motion: Tensor) -> Float[Tensor, "batch tokens bits"]:
        return self.model.quantizer.codes_of(self.model.codec.bits(motion), motion)


def build_released(config: ReleasedConfig, tensors: Mapping[str, Tensor] | None) -> PublishedMethod:
    """The method from weights, or with random ones when there are none.

    Raises:
        CheckpointError: the tensors do not fit.
    """
    model = ReleasedModel(config)
    if tensors is not None:
        load_strict(model, tensors)
    return PublishedMethod(ReleasedGenerator(packed(model)))


def packed(model: ReleasedModel) -> ReleasedModel:
    """The model with its large products prepared for running: it can no longer be trained or saved.
    The process keeps freed buffers from here on.
    """
    keep_buffers()
    model.audio_encoder.pack()
    pack_linears(model.codec)
    pack_linears(model.layers)
    return model
