"""Sound with its rate and layout, in memory or in a file."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Iterator
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from motet.errors import AudioError

Layout = Literal["mono", "stereo", "binaural", "foa", "other", "3.0", "5.0", "5.1", "6.1", "7.1"]
SURROUND = {"3.0": 3, "5.0": 5, "5.1": 6, "6.1": 7, "7.1": 8}
"""Channels of loudspeaker layouts: front left, right, centre; with .1 the bass; then the rest."""
_CHANNELS = {"mono": 1, "stereo": 2, "binaural": 2, "foa": 4, **SURROUND}

PIECE_S = 16.0
"""Length of the pieces in which long sounds are worked on, seconds: features and activations of one
take a few megabytes, and a network's fixed cost for each call no longer counts."""


class AudioSource(abc.ABC):
    """A sound with its rate and layout: `Audio` in memory, or `Recording`, which reads its file
    anew each time and so takes no more memory for an hour than for a minute.
    """

    sample_rate: int
    """Samples a second."""
    layout: Layout
    mix: tuple[float, ...]
    """Weights of the channels in a downmix; found from the sound when empty."""

    @property
    @abc.abstractmethod
    def channels(self) -> int:
        """Number of channels."""

    @property
    @abc.abstractmethod
    def length(self) -> int:
        """Samples of each channel."""

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return self.length / self.sample_rate

    @abc.abstractmethod
    def pieces(self, seconds: float = PIECE_S) -> Iterator[Audio]:
        """The sound cut into pieces of this length; one without samples for an empty sound."""

    @abc.abstractmethod
    def excerpt(self, seconds: float, parts: int) -> Audio:
        """Of a longer sound that many parts, evenly spread, of this total length."""

    @abc.abstractmethod
    def load(self) -> Audio:
        """The whole sound in memory."""


@dataclasses.dataclass(frozen=True)
class Audio(AudioSource):
    """Sound with its rate and layout; never resampled implicitly.

    Raises:
        AudioError: wrong rank, rate, channel count for the layout, or samples that are not finite.
    """

    samples: Float[Tensor, "*batch channels time"]
    """float32, nominal range [-1, 1]."""
    sample_rate: int
    """Samples a second."""
    layout: Layout = "mono"
    mix: tuple[float, ...] = ()
    """Weights of the channels in a downmix; found from the sound when empty."""

    def __post_init__(self) -> None:
        if self.samples.ndim < 2:
            raise AudioError(
                f"samples need axes (..., channels, time), not {self.samples.ndim}; see Audio.mono"
            )
        if not self.samples.dtype.is_floating_point:
            raise AudioError(
                f"samples must be floating point in [-1, 1], not {self.samples.dtype}; divide"
                " integers by their full scale"
            )
        if self.sample_rate <= 0:
            raise AudioError(f"a sample rate must be positive, not {self.sample_rate}")
        expected = _CHANNELS.get(self.layout, self.samples.shape[-2])
        if self.samples.shape[-2] != expected:
            raise AudioError(
                f"{self.layout} sound has {expected} channel(s), this has {self.samples.shape[-2]};"
                " mix or choose another layout"
            )
        if not bool(torch.isfinite(self.samples).all()):
            raise AudioError(
                "the sound contains values that are not finite (NaN or infinity); repair or"
                " re-export the recording"
            )

    @classmethod
    def mono(cls, samples: Float[Tensor, "*batch time"], sample_rate: int) -> Audio:
        """One channel from a plain vector (or a batch of vectors)."""
        return cls(samples.unsqueeze(-2), sample_rate, "mono")

    @property
    def channels(self) -> int:
        """Number of channels."""
        return self.samples.shape[-2]

    @property
    def length(self) -> int:
        """Samples of each channel."""
        return self.samples.shape[-1]

    def slice(self, start: int, stop: int | None = None) -> Audio:
        """The samples from `start` to `stop`."""
        return dataclasses.replace(self, samples=self.samples[..., start:stop])

    def pieces(self, seconds: float = PIECE_S) -> Iterator[Audio]:
        """See `AudioSource`."""
        size = max(1, round(seconds * self.sample_rate))
        for start in range(0, max(self.length, 1), size):
            yield self.slice(start, start + size)

    def excerpt(self, seconds: float, parts: int) -> Audio:
        """See `AudioSource`."""
        longest = int(seconds * self.sample_rate)
        if self.length <= longest:
            return self
        starts, size = part_starts(self.length, longest, parts)
        samples = [self.samples[..., start : start + size] for start in starts]
        return dataclasses.replace(self, samples=torch.cat(samples, -1))

    def load(self) -> Audio:
        """See `AudioSource`."""
        return self

    def expect(self, sample_rate: int, layout: Layout) -> Audio:
        """The sound itself, if it has that rate and layout.

        Raises:
            AudioError: names the conversion that is needed.
        """
        if self.sample_rate != sample_rate:
            raise AudioError(
                f"{sample_rate} Hz needed, this sound has {self.sample_rate} Hz; convert it with"
                f" motet.audio.resample(audio, {sample_rate})"
            )
        if self.layout != layout:
            raise AudioError(
                f"{layout} sound needed, this is {self.layout}; convert it with"
                " motet.audio.to_mono(audio) or give a recording of that layout"
            )
        return self


def part_starts(length: int, longest: int, parts: int) -> tuple[list[int], int]:
    """First samples of evenly spread parts, and the size of a part."""
    size = longest // parts
    step = (length - size) / max(parts - 1, 1)
    return [int(index * step) for index in range(parts)], size
