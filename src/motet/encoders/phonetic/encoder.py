"""The phonetic encoder: streaming acoustic features at 50 Hz from a small causal network that was
distilled from Whisper, with heads for phones, closed lips and lip aperture.

Items of a batch that receive the same samples, as the takes of one recording do, are encoded once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from motet import config as settings
from motet.audio import resample, to_mono
from motet.audio.speech_level import normalise_recording
from motet.checkpoint import load_strict, read_checkpoint
from motet.encoders.phonetic.closure_head import load_closing
from motet.encoders.phonetic.config import PhoneticConfig
from motet.encoders.phonetic.lip_aperture_head import load_opening
from motet.encoders.phonetic.network import PhoneticFeatures, PhoneticNet
from motet.encoders.phonetic.stream import (
    FRAME_RATE,
    SAMPLE_RATE,
    PhoneticStream,
    StreamState,
)
from motet.encoders.shared_rows import check_samples
from motet.phonetics.phones import PHONES
from motet.types import Audio

GROUP = 4
"""Features are computed when at least one group of four (80 ms) is complete: a call costs about as
much as the arithmetic of several. Windows of the methods end on multiples of it, so nobody waits
longer."""
CLOSURE_PRIOR = 2.0
"""Log-odds against a closure where there is no evidence. Two classifiers whose log-odds are added
count it twice, so it is taken off once. Chosen on development recordings."""


@dataclasses.dataclass(frozen=True)
class PhoneticState:
    """States of the streams of a batch; one for all while they receive the same samples."""

    batch: int
    streams: tuple[StreamState, ...]
    samples: Float[Tensor, "streams time"]
    """Samples that do not complete a group yet."""


class PhoneticEncoder:
    """16 kHz sound to features at 50 Hz, `look_ahead_s` later.

    Not a module: the weights are fixed, methods train on the features. One encoder serves any
    number of streams.

    Args:
        net: the network with its weights.
        digest: identifies the weights.
    """

    sample_rate, channels, frame_rate = SAMPLE_RATE, 1, float(FRAME_RATE)
    expects_level = True

    def __init__(
        self, net: PhoneticNet, digest: str = "", facts: Mapping[str, Any] | None = None
    ) -> None:
        self.net, self.digest, self.facts = net.eval().requires_grad_(False), digest, facts or {}
        self.dim, self.look_ahead_s = net.config.width, net.config.look_ahead_s
        self._stream = PhoneticStream(self.net)
        phones = enumerate(net.config.phones)
        self._closures = [i for i, name in phones if name in PHONES and PHONES[name].is_closure]

    @classmethod
    def load(cls, path: Path | None = None) -> PhoneticEncoder:
        """The shipped encoder, or one from a file of `motet train phonetic`.

        Raises:
            CheckpointError: the file is missing, damaged or of another architecture.
        """
        path = path or Path(str(resources.files("motet") / "weights" / "phonetic.safetensors"))
        checkpoint = read_checkpoint(path)
        net = PhoneticNet(settings.from_json(PhoneticConfig, checkpoint.config))
        load_strict(net, checkpoint.tensors, str(path))
        return cls(net, checkpoint.digest, checkpoint.facts)

    @property
    def config(self) -> PhoneticConfig:
        """Architecture, and the names of the phone and lip heads."""
        return self.net.config

    @property
    def phone_names(self) -> tuple[str, ...]:
        """Symbols of the phone head, in order."""
        return self.net.config.phones

    def begin(self, batch: int) -> PhoneticState:
        """State before the first sample."""
        return PhoneticState(batch, (self._stream.begin(),), torch.zeros(1, 0))

    @torch.inference_mode()
    def step(
        self, state: PhoneticState, samples: Float[Tensor, "batch time"]
    ) -> tuple[Float[Tensor, "batch steps dim"], PhoneticState]:
        """The features that these samples complete, in whole groups.

        Raises:
            AudioError: not one channel an item, not floating point, or not finite.
        """
        check_samples(samples)
        state = self._buffered(state, samples)
        received = state.streams[0].samples_received
        complete = self._stream.complete(received + state.samples.shape[1])
        # No group of four is complete: keep the samples, compute nothing.
        if complete // GROUP == self._stream.complete(received) // GROUP:
            return torch.zeros(state.batch, 0, self.dim), state
        steps = [
            self._stream.step(stream, row)
            for stream, row in zip(state.streams, state.samples, strict=True)
        ]
        streams = tuple(stream for _, stream in steps)
        features = self._batched([features for features, _ in steps], state.batch)
        return features, PhoneticState(state.batch, streams, state.samples[:, :0])

    @torch.inference_mode()
    def finish(self, state: PhoneticState) -> Float[Tensor, "batch steps dim"]:
        """The rest, as if silence followed: in all round(seconds * 50) features."""
        rows = []
        for stream, row in zip(state.streams, state.samples, strict=True):
            features, last = self._stream.step(stream, row)
            rows.append(torch.cat([features, self._stream.finish(last)]))
        return self._batched(rows, state.batch)

    @torch.inference_mode()
    def encode(self, samples: Float[Tensor, " time"]) -> PhoneticFeatures:
        """A whole sound with the named predictions of all heads.

        Raises:
            AudioError: not one channel, not floating point, or not finite.
        """
        first, state = self.step(self.begin(1), samples.unsqueeze(0))
        return self.net.heads(torch.cat([first, self.finish(state)], 1)[0])

    def features(self, audio: Audio) -> Float[Tensor, "steps dim"]:
        """Features of one whole sound of any rate and level, as the methods get them."""
        samples = resample(to_mono(audio), SAMPLE_RATE).samples.float()
        return self.encode(normalise_recording(samples)[0]).hidden

    @torch.inference_mode()
    def phones(
        self, features: Float[Tensor, "*batch steps dim"]
    ) -> Float[Tensor, "*batch steps phones"]:
        """Log-probabilities of the phones for features of this encoder."""
        return self.net.heads(features).phones

    def closures(
        self, features: Float[Tensor, "batch known dim"], first: int, steps: int
    ) -> Float[Tensor, "batch steps"]:
        """Probability of p, b or m in `steps` features from `first` on, 0 where they are unknown:
        the log-odds of the phone head and of the closure head, added.
        """
        start, stop = max(first, 0), min(first + steps, features.shape[1])
        if stop <= start:
            return features.new_zeros(len(features), steps)
        phones = self.net.phone_head(features[:, start:stop]).softmax(-1)
        # Clamped: a softmax that saturates would outvote the other head for good.
        phone_odds = torch.logit(phones[..., self._closures].sum(-1), 1e-4)
        closure_odds = load_closing(self.digest).read(features, start, stop - start)
        closed = (phone_odds + closure_odds + CLOSURE_PRIOR).sigmoid()
        return torch.nn.functional.pad(closed, (start - first, first + steps - stop))

    def aperture(
        self, features: Float[Tensor, "batch known dim"], first: int, frames: int
    ) -> Float[Tensor, "batch frames"]:
        """Gap between the inner lips, mouth widths, in frames of two features of which the first
        begins with feature `first`.
        """
        return load_opening(self.digest)(features, first, frames)

    def _buffered(
        self, state: PhoneticState, samples: Float[Tensor, "batch time"]
    ) -> PhoneticState:
        """The state with these samples; split into one stream an item once the items differ."""
        streams, buffer = state.streams, state.samples
        # The items differ for the first time: each gets a copy of the common stream.
        if len(streams) < state.batch and not bool((samples == samples[:1]).all()):
            streams, buffer = streams * state.batch, buffer.expand(state.batch, -1)
        samples = samples[: len(streams)]
        return PhoneticState(state.batch, streams, torch.cat([buffer, samples.float()], 1))

    def _batched(self, rows: list[Tensor], batch: int) -> Float[Tensor, "batch steps dim"]:
        return torch.stack(rows) if len(rows) == batch else rows[0].expand(batch, -1, -1)


@cache
def load_phonetic(path: Path | None = None) -> PhoneticEncoder:
    """The shipped encoder (or one from a file), read once a process.

    Raises:
        CheckpointError: the file is missing, damaged or of another architecture.
    """
    return PhoneticEncoder.load(path)


def load_phonetic_encoder(weights: Path | None, dim: int) -> PhoneticEncoder:
    """As `motet.encoders.base.load_encoder` asks for it."""
    del dim
    # Not `load_phonetic(None)`: the cache would keep a second copy under that key.
    return load_phonetic(weights) if weights else load_phonetic()
