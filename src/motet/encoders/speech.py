"""Speech features: Whisper's features and, beside them, a channel of phones.

| what is known | phone channel | mode |
|---|---|---|
| nothing | posterior of the phone head | offline, stream |
| phone times (a file, speech synthesis) | those phones | offline, stream |
| a text, or words that a recogniser finds | phones aligned to the whole recording | offline |

The channel holds one probability for each phone. Methods trained with posteriors and with known
phones use whatever they get.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from motet.encoders.shared_rows import BatchState
from motet.encoders.whisper.encoder import WhisperAudioEncoder, load_network
from motet.encoders.whisper.heads import CONTEXT
from motet.errors import ConfigError
from motet.nn.packed import Precision
from motet.phonetics.phone_source import (
    PhoneOptions,
    PhonePosterior,
    Phones,
    find_phones,
    same_audio,
)
from motet.phonetics.phones import PHONES, SYMBOLS, PhoneSpan, frame_labels

Mode = Literal["offline", "stream"]
CERTAINTY = 0.95
"""Probability of a known phone; the rest is spread evenly."""


@dataclasses.dataclass(frozen=True)
class SpeechState:
    """A stream between two calls."""

    encoder: BatchState[Any]
    before: Float[Tensor, "batch steps dim"]
    """The last features, which the phone head looks at."""
    emitted: int = 0
    samples: tuple[Float[Tensor, "batch time"], ...] = ()
    """The recording, where its phones are found at the end."""


class SpeechFeatures:
    """16 kHz sound to Whisper's features and phone probabilities at 50 Hz.

    Args:
        encoder: offline or stream.
        phones: known phones, of every item of a batch.
        options: how phones are found once the whole recording is there; None: they are not.
    """

    sample_rate, channels = WhisperAudioEncoder.sample_rate, 1
    frame_rate, expects_level = WhisperAudioEncoder.frame_rate, True

    def __init__(
        self,
        encoder: WhisperAudioEncoder,
        phones: Sequence[PhoneSpan] | None = None,
        options: PhoneOptions | None = None,
    ) -> None:
        self.encoder, self._spans, self._options = encoder, phones, options
        self.dim = encoder.dim + len(SYMBOLS)
        self.digest, self.look_ahead_s = encoder.digest, encoder.look_ahead_s

    def in_mode(
        self,
        mode: Mode,
        look_ahead_s: float = 0.3,
        hop_s: float = 0.16,
        precision: Precision = "float32",
        phones: PhoneOptions | Sequence[PhoneSpan] | None = None,
    ) -> SpeechFeatures:
        """The same encoder for a session.

        Args:
            look_ahead_s, hop_s, precision: of a stream (`WhisperAudioEncoder.streaming`).
            phones: known phones, or how to find them in the recording.

        Raises:
            ConfigError: phones cannot be found in a stream.
        """
        whisper = self.encoder
        if mode == "stream":
            whisper = whisper.streaming(look_ahead_s, hop_s, precision)
        if not isinstance(phones, PhoneOptions):
            return SpeechFeatures(whisper, phones)
        if mode == "stream":
            raise ConfigError(
                "a text and recognised words are aligned to the whole recording; give phone times,"
                " or encode with mode='offline'"
            )
        return SpeechFeatures(whisper, options=phones)

    def begin(self, batch: int) -> SpeechState:
        """State before the first sample."""
        return SpeechState(self.encoder.begin(batch), torch.zeros(batch, 0, self.encoder.dim))

    @torch.inference_mode()
    def step(
        self, state: SpeechState, samples: Float[Tensor, "batch time"]
    ) -> tuple[Float[Tensor, "batch steps dim"], SpeechState]:
        """The features that these samples complete, and the new state; none before the end where
        phones are found in the recording.

        Raises:
            AudioError: not one channel an item, not floating point, or not finite.
        """
        features, encoder = self.encoder.step(state.encoder, samples)
        state = dataclasses.replace(state, encoder=encoder)
        if self._options is None:
            return self._with_phones(features, state)
        pieces = (*state.samples, samples) if samples.shape[1] else state.samples
        before = torch.cat([state.before, features], 1)
        nothing = torch.zeros(len(samples), 0, self.dim)
        return nothing, dataclasses.replace(state, samples=pieces, before=before)

    @torch.inference_mode()
    def finish(self, state: SpeechState) -> Float[Tensor, "batch steps dim"]:
        """The rest: in all round(seconds * 50) features.

        Raises:
            InputError: a file of phone times or a text that cannot be read.
        """
        features = self.encoder.finish(state.encoder)
        if self._options is None or not state.samples:
            return self._with_phones(features, state)[0]
        features = torch.cat([state.before, features], 1)
        posterior = self._posteriors(features, 0)
        aligned = self.find_phones(torch.cat(state.samples, 1), posterior)
        rows = [
            self._known(item.spans, 0, row) for item, row in zip(aligned, posterior, strict=True)
        ]
        return torch.cat([features, torch.stack(rows)], 2)

    def find_phones(
        self, samples: Float[Tensor, "batch time"], posterior: Float[Tensor, "batch steps phones"]
    ) -> list[Phones]:
        """The phones of each recording, by the options."""
        assert self._options is not None
        # Takes of one recording: the search is the slow part, so it runs once.
        once = same_audio(samples)
        rows = list(zip(samples[:1] if once else samples, posterior, strict=False))
        aligned = [
            find_phones(
                sound.clone(),
                self._options,
                PhonePosterior(row.clamp(min=1e-9).log().numpy(), SYMBOLS, self.frame_rate),
            )
            for sound, row in rows
        ]
        return aligned * len(samples) if once else aligned

    def closures(
        self, features: Float[Tensor, "batch known dim"], first: int, steps: int
    ) -> Float[Tensor, "batch steps"]:
        """Probability of p, b or m in `steps` features from number `first` on, 0 where they are
        unknown: of the closure head, or of known phones.
        """
        acoustic, phones = features.split([self.encoder.dim, len(SYMBOLS)], 2)
        if self._spans is None and self._options is None:
            return self.encoder.closures(acoustic, first, steps)
        start, stop = max(first, 0), max(first, 0, min(first + steps, features.shape[1]))
        closed = phones[:, start:stop][..., self._closures].sum(-1)
        return functional.pad(closed, (start - first, first + steps - stop))

    def aperture(
        self, features: Float[Tensor, "batch known dim"], first: int, frames: int
    ) -> Float[Tensor, "batch frames"]:
        """Gap between the inner lips, mouth widths, in frames of two features of which the first
        begins with feature `first`.
        """
        return self.encoder.aperture(features[..., : self.encoder.dim], first, frames)

    @cached_property
    def _closures(self) -> Tensor:
        return torch.tensor([i for i, symbol in enumerate(SYMBOLS) if PHONES[symbol].is_closure])

    def _with_phones(
        self, features: Float[Tensor, "batch steps dim"], state: SpeechState
    ) -> tuple[Float[Tensor, "batch steps channels"], SpeechState]:
        """Features with the phone channel, in the encoder's own blocks: the same shapes, and so
        the same bits, for every chunking.
        """
        outputs, before, emitted = [], state.before, state.emitted
        for block in features.split(self.encoder.block, 1):
            around = torch.cat([before, block], 1)
            # posteriors of the block only; the features before it are context
            phones = self._posteriors(around, before.shape[1])
            if self._spans is not None:
                rows = [self._known(self._spans, emitted, row) for row in phones]
                phones = torch.stack(rows)
            outputs.append(torch.cat([block, phones], 2))
            # min(CONTEXT) is negative: just as many features as the head looks back.
            before, emitted = around[:, min(CONTEXT) :].clone(), emitted + block.shape[1]
        after = dataclasses.replace(state, before=before, emitted=emitted)
        return torch.cat(outputs, 1), after

    def _posteriors(
        self, features: Float[Tensor, "batch known dim"], first: int
    ) -> Float[Tensor, "batch steps phones"]:
        steps = features.shape[1] - first
        if steps == 0:
            # The heads refuse an empty block.
            return features.new_zeros(len(features), 0, len(SYMBOLS))
        return self.encoder.phones(features)[:, first:].exp()

    def _known(
        self,
        spans: Sequence[PhoneSpan],
        first: int,
        posterior: Float[Tensor, "steps phones"],
    ) -> Float[Tensor, "steps phones"]:
        """Probabilities of known phones; the posterior where no phone is known."""
        known = [span for span in spans if span.symbol in PHONES]
        labels = frame_labels(known, first + len(posterior), self.frame_rate)[first:]
        index = torch.tensor(labels, dtype=torch.long)
        # Label -1 (no phone known) needs an index; its row is replaced below.
        certain = functional.one_hot(index.clamp(min=0), len(SYMBOLS)).float()
        certain = CERTAINTY * certain + (1 - CERTAINTY) / len(SYMBOLS)
        return torch.where((index >= 0).unsqueeze(1), certain, posterior)


def load_speech_features(weights: Path | None, dim: int) -> SpeechFeatures:
    """As `motet.encoders.base.load_encoder` asks for it."""
    del dim
    return SpeechFeatures(WhisperAudioEncoder(*load_network(weights)))
