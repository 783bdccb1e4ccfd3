"""One live session: samples in at any rate, frames out with their place on the sample clock.

The command line, the WebSocket of the studio, VMC and Live Link Face all drive this object. It
knows nothing of sockets and threads; one thread at a time may use it.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Mapping
from typing import Generic, cast

import torch

from motet.audio.resampling import StreamResampler
from motet.errors import AudioError, ConfigError
from motet.live.input import InputMixer
from motet.loaded_method import LoadedMethod
from motet.options import OptionValue, Postprocess
from motet.running_stream import Stream
from motet.types import Audio, Motion, OutT

RATES_HZ = (8_000, 192_000)
EASE_S = 0.15
"""Time in which a face returns to rest after an interruption or the end of an utterance."""


@dataclasses.dataclass(frozen=True)
class LivePiece(Generic[OutT]):
    """Frames that have become final."""

    first_frame: int
    """Index of the first among all frames of the session."""
    first_sample: int
    """Sample of the input at which it lies."""
    out: OutT
    """Motion or pictures, without a batch axis."""


class LiveSession(Generic[OutT]):
    """A speaker: push samples as they arrive, take the frames that are final.

    Args:
        loaded: the method; many sessions may share it.
        rate: sample rate of the input, Hz.
        channels: interleaved channels of the input.
        options: of the method.
        postprocess: of a face.
        seed: of the first utterance; the next ones count up.
        channel: the channel with the speech, from 1; None: the mean of all.

    Raises:
        ConfigError: an impossible rate or option, or a method that needs the whole recording.
    """

    def __init__(
        self,
        loaded: LoadedMethod[OutT],
        rate: int,
        channels: int = 1,
        options: Mapping[str, OptionValue] | None = None,
        postprocess: Postprocess | None = None,
        seed: int = 0,
        channel: int | None = None,
    ) -> None:
        low, high = RATES_HZ
        if not low <= rate <= high:
            raise ConfigError(f"a live sample rate lies between {low} and {high} Hz, not {rate}")
        if loaded.method.whole_recording:
            raise ConfigError(
                f"{loaded.name} cannot run live: {loaded.method.whole_recording}; choose another"
                " method"
            )
        self.loaded, self.rate, self.fps = loaded, rate, loaded.fps
        self._options, self._postprocess = dict(options or {}), postprocess or Postprocess()
        self._mixer = InputMixer(loaded.spec, rate, channels, self._options, channel)
        self._seed = seed
        self.samples_received = 0
        """Of the input, all utterances together."""
        self.frames_emitted = 0
        self.seconds_computed = 0.0
        """Time spent in the method."""
        self._last: OutT | None = None
        self._begin()

    def push(self, samples: torch.Tensor) -> Iterator[LivePiece[OutT]]:
        """More of the sound (channels, time), -1..1; yields what became final.

        Raises:
            AudioError: samples that are not finite, or another number of channels.
        """
        if not bool(torch.isfinite(samples).all()):
            raise AudioError("the sound holds values that are not finite; send -1..1")
        mixed = self._mixer.push(samples)
        self.samples_received += samples.shape[-1]
        yield from self._feed(self._resampler.push(mixed))

    def skip(self, samples: int) -> None:
        """Leave out samples that were lost: the clock goes on, nothing is heard of them."""
        self.samples_received += samples
        self._start_sample += samples

    def finish(self) -> Iterator[LivePiece[OutT]]:
        """All remaining frames of an utterance; sound that comes later is a new one."""
        yield from self._feed(self._resampler.push(self._mixer.flush()))
        yield from self._feed(self._resampler.finish())
        yield from self._last_frames()
        self._begin()

    def flush(self) -> Iterator[LivePiece[OutT]]:
        """The same, and the way back to rest."""
        yield from self.finish()
        yield from self._ease()
        self._begin()

    def interrupt(self) -> Iterator[LivePiece[OutT]]:
        """Forget the sound that has no frames yet, and return to rest."""
        yield from self._ease()
        self._begin()

    def set(
        self,
        options: Mapping[str, OptionValue] | None = None,
        postprocess: Postprocess | None = None,
    ) -> Iterator[LivePiece[OutT]]:
        """Other options from the next frame on; frames of the sound so far come first.

        Raises:
            ConfigError: an option that the method does not have; the old ones stay.
        """
        changed = {**self._options, **(options or {})}
        self.loaded.condition(self.loaded.split(changed, postprocess or self._postprocess)[0])
        yield from self.finish()
        self._options = changed
        self._postprocess = postprocess or self._postprocess
        self._begin()

    @property
    def real_time_factor(self) -> float:
        """Seconds of computing for a second of sound."""
        return self.seconds_computed * self.rate / max(1, self.samples_received)

    def _begin(self) -> None:
        """A new stream whose first frame lies at the present sample."""
        self._mixer.reset()
        width = self._mixer.width
        self._resampler = StreamResampler(self.rate, self.loaded.spec.sample_rate, width)
        self._stream: Stream[OutT] = self.loaded.stream(
            self._options, seed=self._seed, postprocess=self._postprocess
        )
        self._seed += 1
        self._has_sound = False
        self._start_sample, self._start_frame = self.samples_received, self.frames_emitted

    def _feed(self, samples: torch.Tensor) -> Iterator[LivePiece[OutT]]:
        if not samples.shape[-1]:
            return
        self._has_sound = True
        spec = self.loaded.spec
        began = time.perf_counter()
        pieces = list(self._stream.push(Audio(samples, spec.sample_rate, spec.layout)))
        self.seconds_computed += time.perf_counter() - began
        for out in pieces:
            yield self._piece(out)

    def _last_frames(self) -> Iterator[LivePiece[OutT]]:
        began = time.perf_counter()
        pieces = list(self._stream.finish()) if self._has_sound else []
        self.seconds_computed += time.perf_counter() - began
        for out in pieces:
            yield self._piece(out)

    def _piece(self, out: OutT) -> LivePiece[OutT]:
        first = self.frames_emitted
        sample = self._start_sample + round((first - self._start_frame) / self.fps * self.rate)
        self.frames_emitted += out.frames
        self._last = out.slice(out.frames - 1)  # type: ignore[assignment]  # the same type
        return LivePiece(first, sample, out)

    def _ease(self) -> Iterator[LivePiece[OutT]]:
        """From the last frame to rest; pictures have none and stay."""
        if self._last is None or self.loaded.spec.output != "motion":
            return
        last = cast("Motion", self._last)
        if last.space.name != "arkit":
            return
        frames = max(2, round(EASE_S * self.fps))
        share = 0.5 + 0.5 * torch.cos(torch.linspace(0, torch.pi, frames + 1)[1:])
        values = last.values * share[:, None].to(last.values)
        yield self._piece(Motion(values, last.space))  # type: ignore[arg-type]  # OutT is Motion
        self._last = None
