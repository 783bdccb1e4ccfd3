"""The phonetic encoder as the front end of a method: a batch of sounds in, the normalised features
out.

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
from motet.encoders.phonetic.closure_head import load_closing
from motet.encoders.phonetic.encoder import RATE_HZ, PhoneticEncoder, PhoneticState, check_samples
from motet.encoders.phonetic.lip_aperture_head import load_opening
from motet.phonetics.phones import PHONES
from motet.types import Audio

GROUP = 4
"""Features are worked out four at a time (80 ms of sound): a call costs about as much as the
arithmetic of several. Windows of the methods here end on multiples of it, so nobody waits
longer."""
COUNTED_TWICE = 2.0
"""Log-odds against a closure where nothing is heard, which two opinions that are added would count
twice. Chosen on development recordings."""


@dataclasses.dataclass(frozen=True)
class FrontState:
    """States of the streams of a batch; one for all while they have heard the same."""

    batch: int
    streams: tuple[PhoneticState, ...]
    waiting: Float[Tensor, "streams time"]
    """Sound that does not complete a group yet."""


class PhoneticFrontEnd:
    """Streams for a batch.

    Args:
        encoder: the encoder with its weights.
    """

    def __init__(self, encoder: PhoneticEncoder) -> None:
        self._encoder, self.dim, self.digest = encoder, encoder.width, encoder.digest
        self._closures = [
            index for index, symbol in enumerate(encoder.config.phones) if PHONES[symbol].is_closure
        ]

    @property
    def encoder(self) -> PhoneticEncoder:
        """The encoder behind it."""
        return self._encoder

    def begin(self, batch: int) -> FrontState:
        """Before the first sample."""
        return FrontState(batch, (self._encoder.begin(),), torch.zeros(1, 0))

    def step(
        self, state: FrontState, samples: Float[Tensor, "batch time"]
    ) -> tuple[Float[Tensor, "batch steps dim"], FrontState]:
        """The features that are now certain, in whole groups."""
        if len(state.streams) < state.batch and not bool((samples == samples[:1]).all()):
            # From here on the items hear different things.
            state = FrontState(
                state.batch, state.streams * state.batch, state.waiting.expand(state.batch, -1)
            )
        waiting = torch.cat([state.waiting, samples[: len(state.streams)].float()], 1)
        heard = state.streams[0].heard
        if (
            self._encoder.certain(heard + waiting.shape[1]) // GROUP
            == self._encoder.certain(heard) // GROUP
        ):
            check_samples(samples)
            return torch.zeros(state.batch, 0, self.dim), dataclasses.replace(
                state, waiting=waiting
            )
        found = [
            self._encoder.step_hidden(stream, row)
            for stream, row in zip(state.streams, waiting, strict=True)
        ]
        after = FrontState(state.batch, tuple(after for _, after in found), waiting[:, :0])
        return self._batched([hidden for hidden, _ in found], state.batch), after

    def finish(self, state: FrontState) -> Float[Tensor, "batch steps dim"]:
        """The rest, as if silence followed."""
        rows = []
        for stream, row in zip(state.streams, state.waiting, strict=True):
            hidden, after = self._encoder.step_hidden(stream, row)
            rows.append(torch.cat([hidden, self._encoder.finish_hidden(after)]))
        return self._batched(rows, state.batch)

    def closures(
        self, features: Float[Tensor, "batch known dim"], first: int, steps: int
    ) -> Float[Tensor, "batch steps"]:
        """Probability of p, b or m in `steps` steps from `first` on, 0 where nothing is known:
        log-odds of the phone head and of the reading, added.
        """
        start, stop = max(first, 0), min(first + steps, features.shape[1])
        if stop <= start:
            return features.new_zeros(len(features), steps)
        head = (
            self._encoder.net.phone_head(features[:, start:stop])
            .softmax(-1)[..., self._closures]
            .sum(-1)
        )
        both = (
            torch.logit(head, 1e-4)
            + load_closing(self.digest).read(features, start, stop - start)
            + COUNTED_TWICE
        )
        return torch.nn.functional.pad(both.sigmoid(), (start - first, first + steps - stop))

    def opening(
        self, features: Float[Tensor, "batch steps dim"], first: int, frames: int
    ) -> Float[Tensor, "batch frames"]:
        """How far lips open, mouth widths, in frames of two steps of which the first begins with
        step `first`.
        """
        return load_opening(self.digest)(features, first, frames)

    def features(self, audio: Audio) -> Float[Tensor, "steps dim"]:
        """Features of one whole sound of any rate."""
        return self._encoder.encode(resample(to_mono(audio), RATE_HZ).samples[0]).hidden

    @property
    def phone_names(self) -> tuple[str, ...]:
        """Symbols of the phone head, in order."""
        return self._encoder.config.phones

    @torch.inference_mode()
    def phones(
        self, features: Float[Tensor, "*batch steps dim"]
    ) -> Float[Tensor, "*batch steps phones"]:
        """Log-probabilities of the phones at each step of features that came from here."""
        return self._encoder.net.heads(features).phones

    def _batched(self, rows: list[Tensor], batch: int) -> Tensor:
        return (
            torch.stack(rows) if len(rows) == batch else rows[0].unsqueeze(0).expand(batch, -1, -1)
        )


@cache
def load_phonetic(path: Path | None = None) -> PhoneticFrontEnd:
    """The shipped front end (or one from a file), read once a process.

    Raises:
        CheckpointError: the file is missing, damaged or of another architecture.
    """
    return PhoneticFrontEnd(PhoneticEncoder.load(path))
