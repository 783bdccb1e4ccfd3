"""A speech encoder with the features and mouth shapes of `motet.encoders.lips` beside its own, for
models that were trained on those features.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from motet.encoders.base import SpeechEncoder
from motet.encoders.lips import LipEncoder
from motet.encoders.lips_with_words import LipEncoderWithWords
from motet.phonetics.phone_source import PhoneOptions, known_phones
from motet.phonetics.phones import PhoneSpan


@dataclasses.dataclass(frozen=True)
class BesideState:
    """Both streams, and what one of them has emitted before the other."""

    own: Any
    lips: Any
    features: Float[Tensor, "batch waiting dim"]
    mouth: Float[Tensor, "batch waiting lips"]


class WithMouth:
    """Features of an encoder at 50 Hz, then those of `lips`.

    Args:
        encoder: features and lip aperture are its own.
        lips: mouth shapes and closed lips; offline, a stream, or with the words of the recording.
    """

    channels = 1

    def __init__(self, encoder: SpeechEncoder[Any], lips: LipEncoder | LipEncoderWithWords) -> None:
        self.encoder, self.lips = encoder, lips
        self.sample_rate, self.frame_rate = encoder.sample_rate, encoder.frame_rate
        self.expects_level, self.mouth_mean = encoder.expects_level, lips.mouth_mean
        self.dim = encoder.dim + lips.dim
        self.look_ahead_s = max(encoder.look_ahead_s, lips.look_ahead_s)

    def streaming(self, look_ahead_s: float = 0.3, hop_s: float = 0.16) -> WithMouth:
        """The same encoder with the mouth shapes of a stream (`LipEncoder.streaming`)."""
        return WithMouth(self.encoder, self.offline.streaming(look_ahead_s, hop_s))

    def with_words(self, options: PhoneOptions) -> WithMouth:
        """The same encoder for recordings whose phones are found by the options."""
        return WithMouth(self.encoder, LipEncoderWithWords(self.offline, options))

    @property
    def offline(self) -> LipEncoder:
        """The encoder of the mouth for whole recordings."""
        return self.lips.lips if isinstance(self.lips, LipEncoderWithWords) else self.lips

    def begin(self, batch: int) -> BesideState:
        """State before the first sample."""
        mouth = torch.zeros(batch, 0, self.lips.dim)
        features = torch.zeros(batch, 0, self.encoder.dim)
        return BesideState(self.encoder.begin(batch), self.lips.begin(batch), features, mouth)

    def step(
        self, state: BesideState, samples: Float[Tensor, "batch time"]
    ) -> tuple[Float[Tensor, "batch steps dim"], BesideState]:
        """The features that both have, and the new state.

        Raises:
            AudioError: not one channel an item, not floating point, or not finite.
        """
        features, own = self.encoder.step(state.own, samples)
        shapes, lips = self.lips.step(state.lips, samples)
        features = torch.cat([state.features, features], 1)
        mouth = torch.cat([state.mouth, shapes], 1)
        # The two encoders have different look-aheads; only what both have is emitted.
        ready = min(features.shape[1], mouth.shape[1])
        after = BesideState(own, lips, features[:, ready:].clone(), mouth[:, ready:].clone())
        return torch.cat([features[:, :ready], mouth[:, :ready]], 2), after

    def finish(self, state: BesideState) -> Float[Tensor, "batch steps dim"]:
        """The rest."""
        features = torch.cat([state.features, self.encoder.finish(state.own)], 1)
        mouth = torch.cat([state.mouth, self.lips.finish(state.lips)], 1)
        return torch.cat([features, mouth], 2)

    def own(self, features: Float[Tensor, "batch steps dim"]) -> Float[Tensor, "batch steps own"]:
        """The features of the encoder itself."""
        return features[..., : self.encoder.dim]

    def mouth(
        self, features: Float[Tensor, "batch steps dim"]
    ) -> Float[Tensor, "batch steps shapes"]:
        """The mouth shapes."""
        return self.lips.mouth(self.beside(features))

    def regressed(
        self, phones: Sequence[Sequence[PhoneSpan]], features: Float[Tensor, "batch steps dim"]
    ) -> Float[Tensor, "batch steps dim"]:
        """Features of whole recordings with the mouth regressed anew, from phones with times.

        Args:
            phones: of each recording; posteriors stand where none are known.
        """
        # (batch, steps, lips): Whisper's channels and the old mouth, which is replaced
        own, beside, lips = self.own(features), self.beside(features), self.offline
        posterior = lips.phones(beside).exp()
        acoustic = beside[..., : lips.acoustic]
        rows = [
            lips.with_mouth(row, known_phones(spans, scores, self.frame_rate))
            for row, spans, scores in zip(acoustic, phones, posterior, strict=True)
        ]
        return torch.cat([own, torch.stack(rows)], 2)

    def beside(
        self, features: Float[Tensor, "batch steps dim"]
    ) -> Float[Tensor, "batch steps lips"]:
        """The features of `lips`."""
        return features[..., self.encoder.dim :]

    def closures(
        self, features: Float[Tensor, "batch known dim"], first: int, steps: int
    ) -> Float[Tensor, "batch steps"]:
        """Those of known words, or as of `LipEncoder`: Whisper's features know them better on
        unseen people than the encoder's own (GRID 0.80 to 0.84 in `diffposetalk`).
        """
        return self.lips.closures(self.beside(features), first, steps)

    def aperture(
        self, features: Float[Tensor, "batch known dim"], first: int, frames: int
    ) -> Float[Tensor, "batch frames"]:
        """As of the encoder."""
        return self.encoder.aperture(self.own(features), first, frames)
