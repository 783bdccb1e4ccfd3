"""The encoder `lips` for a recording whose words are known: the mouth is regressed from Whisper's
features and the phones of a text, of a file with times, or of a recogniser.

Phones are found in the whole recording, so all features come in `finish`. They have one channel
more than those of `lips`: the probability that p, b or m closes the lips.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from motet.encoders.lips import LipEncoder
from motet.encoders.shared_rows import BatchState
from motet.encoders.whisper.encoder import WhisperAudioEncoder, padded
from motet.phonetics.phone_source import (
    WORDS,
    PhoneOptions,
    PhonePosterior,
    Phones,
    find_batch_phones,
    known_phones,
)
from motet.phonetics.phones import PHONES, SYMBOLS

_CLOSURES = [index for index, symbol in enumerate(SYMBOLS) if PHONES[symbol].is_closure]


@dataclasses.dataclass(frozen=True)
class RecordingState:
    """A recording as far as it is known."""

    encoder: BatchState[Any]
    features: tuple[Float[Tensor, "batch steps dim"], ...] = ()
    samples: tuple[Float[Tensor, "batch time"], ...] = ()


class LipEncoderWithWords:
    """16 kHz sound to Whisper's features, mouth shapes and closed lips at 50 Hz.

    Args:
        lips: the encoder for whole recordings.
        options: how the phones are found.
    """

    sample_rate, channels = WhisperAudioEncoder.sample_rate, 1
    frame_rate, expects_level = WhisperAudioEncoder.frame_rate, False

    def __init__(self, lips: LipEncoder, options: PhoneOptions) -> None:
        self.lips, self.acoustic, self._options = lips, lips.acoustic, options
        self.dim, self.look_ahead_s = lips.dim + 1, lips.look_ahead_s
        self.mouth_mean, self.mouth, self.aperture = lips.mouth_mean, lips.mouth, lips.aperture

    def begin(self, batch: int) -> RecordingState:
        """State before the first sample."""
        return RecordingState(self.lips.begin(batch))

    @torch.inference_mode()
    def step(
        self, state: RecordingState, samples: Float[Tensor, "batch time"]
    ) -> tuple[Float[Tensor, "batch 0 dim"], RecordingState]:
        """Nothing before the end; the new state.

        Raises:
            AudioError: not one channel an item, not floating point, or not finite.
        """
        features, encoder = self.lips.step(state.encoder, samples)
        nothing = torch.zeros(len(samples), 0, self.dim)
        if not samples.shape[1]:
            return nothing, state
        return nothing, RecordingState(
            encoder, (*state.features, features), (*state.samples, samples)
        )

    @torch.inference_mode()
    def finish(self, state: RecordingState) -> Float[Tensor, "batch steps dim"]:
        """Everything.

        Raises:
            InputError: a file of phone times or a text that cannot be read.
        """
        rest = self.lips.finish(state.encoder)
        if not state.samples:
            return torch.zeros(len(rest), 0, self.dim)
        # Without the mouth shapes, which are regressed again from the phones aligned below.
        features = torch.cat([*state.features, rest], 1)[..., : self.acoustic]
        posterior = self.lips.phones(features).exp()
        aligned = find_batch_phones(
            torch.cat(state.samples, 1), self._options, lambda item: self._scores(posterior[item])
        )
        closed = self.lips.closures(features, 0, features.shape[1])
        return torch.stack(
            [self._row(*item) for item in zip(features, posterior, closed, aligned, strict=True)]
        )

    def _scores(self, posterior: Float[Tensor, "steps phones"]) -> PhonePosterior:
        # The logarithm of a posterior of 0 would forbid a path of the alignment for good.
        return PhonePosterior(posterior.clamp(min=1e-9).log().numpy(), SYMBOLS, self.frame_rate)

    def _row(
        self,
        features: Float[Tensor, "steps acoustic"],
        posterior: Float[Tensor, "steps phones"],
        closed: Float[Tensor, " steps"],
        aligned: Phones,
    ) -> Float[Tensor, "steps dim"]:
        """Recognised words are often wrong: lips close where the sound itself says so. A text that
        the sound contradicts (noted, and logged) is not followed: it may be of another language.
        """
        contradicted = aligned.source == "text" and bool(aligned.notes)
        phones = posterior
        if not contradicted:
            phones = known_phones(aligned.spans, posterior, self.frame_rate)
        if aligned.source in WORDS and not contradicted:
            closed = phones[:, _CLOSURES].sum(1)
        return torch.cat([self.lips.with_mouth(features, phones), closed.unsqueeze(1)], 1)

    def closures(
        self, features: Float[Tensor, "batch known dim"], first: int, steps: int
    ) -> Float[Tensor, "batch steps"]:
        """Probability of p, b or m in `steps` features from number `first` on; 0 where they are
        unknown.
        """
        return padded(features[..., -1], first, steps)
