"""A speech encoder with the mouth shapes of `motet.encoders.lips` beside its own features, for
models that were trained on those features.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from motet.encoders.base import SpeechEncoder
from motet.encoders.lips import LipEncoder


@dataclasses.dataclass(frozen=True)
class BesideState:
    """Both streams, and what one of them has emitted before the other."""

    own: Any
    lips: Any
    features: Float[Tensor, "batch waiting dim"]
    mouth: Float[Tensor, "batch waiting shapes"]


class WithMouth:
    """Features of an encoder at 50 Hz, then mouth shapes.

    Args:
        encoder: features, lip aperture and closures are its own.
        lips: offline, or a stream.
    """

    channels = 1

    def __init__(self, encoder: SpeechEncoder[Any], lips: LipEncoder) -> None:
        self.encoder, self.lips = encoder, lips
        self.sample_rate, self.frame_rate = encoder.sample_rate, encoder.frame_rate
        self.expects_level, self.mouth_mean = encoder.expects_level, lips.mouth_mean
        self.dim = encoder.dim + len(lips.mouth_mean)
        self.look_ahead_s = max(encoder.look_ahead_s, lips.look_ahead_s)

    def streaming(self, look_ahead_s: float = 0.3, hop_s: float = 0.16) -> WithMouth:
        """The same encoder with the mouth shapes of a stream (`LipEncoder.streaming`)."""
        return WithMouth(self.encoder, self.lips.streaming(look_ahead_s, hop_s))

    def begin(self, batch: int) -> BesideState:
        """State before the first sample."""
        mouth = torch.zeros(batch, 0, len(self.mouth_mean))
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
        mouth = torch.cat([state.mouth, self.lips.mouth(shapes)], 1)
        ready = min(features.shape[1], mouth.shape[1])
        after = BesideState(own, lips, features[:, ready:].clone(), mouth[:, ready:].clone())
        return torch.cat([features[:, :ready], mouth[:, :ready]], 2), after

    def finish(self, state: BesideState) -> Float[Tensor, "batch steps dim"]:
        """The rest."""
        features = torch.cat([state.features, self.encoder.finish(state.own)], 1)
        mouth = torch.cat([state.mouth, self.lips.mouth(self.lips.finish(state.lips))], 1)
        return torch.cat([features, mouth], 2)

    def own(self, features: Float[Tensor, "batch steps dim"]) -> Float[Tensor, "batch steps own"]:
        """The features of the encoder itself."""
        return features[..., : self.encoder.dim]

    def mouth(
        self, features: Float[Tensor, "batch steps dim"]
    ) -> Float[Tensor, "batch steps shapes"]:
        """The mouth shapes."""
        return features[..., self.encoder.dim :]

    def closures(
        self, features: Float[Tensor, "batch known dim"], first: int, steps: int
    ) -> Float[Tensor, "batch steps"]:
        """As of the encoder."""
        return self.encoder.closures(self.own(features), first, steps)

    def aperture(
        self, features: Float[Tensor, "batch known dim"], first: int, frames: int
    ) -> Float[Tensor, "batch frames"]:
        """As of the encoder."""
        return self.encoder.aperture(self.own(features), first, frames)
