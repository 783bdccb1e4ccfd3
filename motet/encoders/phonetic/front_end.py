"""The phonetic encoder as the front end of a method: a batch of sounds in, the normalised features out.

Items that hear the same sound, as the takes of one recording do, are encoded once.
"""

from __future__ import annotations

import dataclasses
from functools import cache
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from motet.audio import resample, to_mono
from motet.encoders.phonetic.encoder import RATE_HZ, PhoneticEncoder, PhoneticState
from motet.phonetics.phones import PHONES
from motet.types import Audio


@dataclasses.dataclass(frozen=True)
class FrontState:
    """States of the streams of a batch; one for all while they have heard the same."""

    batch: int
    streams: tuple[PhoneticState, ...]


class PhoneticFrontEnd:
    """Streams for a batch.

    Args:
        encoder: the encoder with its weights.
    """

    def __init__(self, encoder: PhoneticEncoder) -> None:
        self._encoder, self.dim, self.digest = encoder, encoder.width, encoder.digest
        self._closures = [index for index, symbol in enumerate(encoder.config.phones) if PHONES[symbol].is_closure]

    @property
    def encoder(self) -> PhoneticEncoder:
        """The encoder behind it."""
        return self._encoder

    def begin(self, batch: int) -> FrontState:
        """Before the first sample."""
        return FrontState(batch, (self._encoder.begin(),))

    def step(self, state: FrontState, samples: Float[Tensor, "batch time"]) -> tuple[Float[Tensor, "batch steps dim"], FrontState]:
        """The features that are now certain."""
        streams = state.streams
        if len(streams) < state.batch and not bool((samples == samples[:1]).all()):
            streams = streams * state.batch  # from here on the items hear different things
        found = [self._encoder.step(stream, row) for stream, row in zip(streams, samples, strict=False)]
        return self._batched([features.hidden for features, _ in found], state.batch), FrontState(state.batch, tuple(after for _, after in found))

    def finish(self, state: FrontState) -> Float[Tensor, "batch steps dim"]:
        """The rest, as if silence followed."""
        return self._batched([self._encoder.finish(stream).hidden for stream in state.streams], state.batch)

    def closures(self, features: Float[Tensor, "batch steps dim"]) -> Float[Tensor, "batch steps"]:
        """Probability of p, b or m in each step."""
        return self._encoder.net.phone_head(features).softmax(-1)[..., self._closures].sum(-1)

    def features(self, audio: Audio) -> Float[Tensor, "steps dim"]:
        """Features of one whole sound of any rate."""
        return self._encoder.encode(resample(to_mono(audio), RATE_HZ).samples[0]).hidden

    @property
    def phone_names(self) -> tuple[str, ...]:
        """Symbols of the phone head, in order."""
        return self._encoder.config.phones

    @torch.inference_mode()
    def phones(self, features: Float[Tensor, "*batch steps dim"]) -> Float[Tensor, "*batch steps phones"]:
        """Log-probabilities of the phones at each step of features that came from here."""
        return self._encoder.net.heads(features).phones

    def _batched(self, rows: list[Tensor], batch: int) -> Tensor:
        return torch.stack(rows) if len(rows) == batch else rows[0].unsqueeze(0).expand(batch, -1, -1)


@cache
def load_phonetic(path: Path | None = None) -> PhoneticFrontEnd:
    """The shipped front end (or one from a file), read once a process.

    Raises:
        CheckpointError: the file is missing, damaged or of another architecture.
    """
    return PhoneticFrontEnd(PhoneticEncoder.load(path))
