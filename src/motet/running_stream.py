"""A running session of a method: audio in as it arrives, frames out as soon as they are final."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Generic

from motet.audio.arrays import audio_of_array
from motet.config import Settings
from motet.errors import ConfigError
from motet.method import MethodSpec
from motet.nn.threads import threads
from motet.options import Postprocess
from motet.types import Audio, OutT, concatenate, frame_count, item_of

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from motet.face.rhythm import BatchRhythm
    from motet.loaded_method import LoadedMethod, Options


class Stream(Generic[OutT]):
    """A running session: push audio as it arrives, take frames as soon as they are final.

    Not for use by several threads at once; make one stream for each speaker.

    Args:
        live: the sound is still being made: a method that also works offline streams.
    """

    def __init__(
        self,
        loaded: LoadedMethod[OutT],
        options: Options | None = None,
        *,
        seed: int = 0,
        postprocess: Postprocess | None = None,
        live: bool = False,
    ) -> None:
        own, self._postprocess = loaded.split(options, postprocess)
        self._loaded, self._seed = loaded, seed
        condition = loaded.condition(own)
        with threads(loaded.threads):
            self._state = loaded.method.begin(_live(condition) if live else condition, (seed,))
        self._rhythm = rhythm_of(loaded.spec)
        self._samples_received = self._frames_emitted = 0
        self._held: list[OutT] = []
        self._ended = False

    def push(
        self, chunk: Audio | np.ndarray | Tensor, *, rate: int | None = None
    ) -> Iterator[OutT]:
        """Audio in (the method's sample rate and layout), zero or more pieces of output out.

        Args:
            chunk: audio, or samples (time,) or (channels, time) with their rate.

        Raises:
            AudioError: another rate or layout; a stream converts nothing by itself.
            ConfigError: the stream has ended, or samples without a rate.
            InputError: samples of another shape, or that are not finite.
        """
        self._check_running()
        spec = self._loaded.spec
        if not isinstance(chunk, Audio):
            chunk = audio_of_array(chunk, rate)
        # A stream converts nothing: a resampler of its own would break the law of chunks.
        chunk.expect(spec.sample_rate, spec.layout)
        if self._rhythm is not None:
            self._rhythm.push(chunk.samples)
        with threads(self._loaded.threads):
            out, self._state = self._loaded.method.step(self._state, batched(chunk))
        self._samples_received += chunk.samples.shape[-1]
        return self._emit(self._final(out))

    def finish(self) -> Iterator[OutT]:
        """The remaining frames; the stream is over then.

        Raises:
            ConfigError: called twice.
        """
        self._check_running()
        self._ended = True
        with threads(self._loaded.threads):
            out = self._loaded.method.finish(self._state)
        return self._emit(concatenate([*self._held, out]))

    def _check_running(self) -> None:
        if self._ended:
            raise ConfigError("this stream has ended; begin a new one")

    def _final(self, out: OutT) -> OutT:
        """The frames that would not be among the last ones if the sound ended here; the rest waits.
        Most methods look further ahead than that, so nothing does.
        """
        held = self._loaded.sink.frames_of_end(out, self._postprocess)
        if not held:
            return out
        known = concatenate([*self._held, out])
        seconds = self._samples_received / self._loaded.spec.sample_rate
        last = frame_count(seconds, self._loaded.fps) - held - self._frames_emitted
        ready = min(known.frames, max(0, last))
        self._held = [known.slice(ready, known.frames)]
        return known.slice(0, ready)

    def _emit(self, out: OutT) -> Iterator[OutT]:
        if not out.frames:
            return iter(())
        first, self._frames_emitted = self._frames_emitted, self._frames_emitted + out.frames
        done = self._loaded.sink.postprocess(
            out,
            self._postprocess,
            gesture_seeds(self._loaded.spec, (self._seed,)),
            first,
            ends=self._ended,
            rhythm=self._rhythm,
        )
        return iter([item_of(done, 0)])  # one seed: without the batch axis


def _live(condition: Settings) -> Settings:
    """The condition of a live session, where a method has the option `mode`.

    Raises:
        ConfigError: the mode that needs the whole recording.
    """
    mode = getattr(condition, "mode", "")
    if mode == "offline":
        raise ConfigError("mode=offline needs the whole recording; leave it out of a live session")
    return dataclasses.replace(condition, mode="stream") if mode == "auto" else condition


def batched(audio: Audio) -> Audio:
    """The same with a batch axis."""
    if audio.samples.ndim > 2:  # (batch, channels, time) already
        return audio
    return dataclasses.replace(audio, samples=audio.samples.unsqueeze(0))


def gesture_seeds(spec: MethodSpec, seeds: Sequence[int]) -> tuple[int, ...]:
    """Seeds of what post-processing draws (head, gaze, blinks): another one for each method, or all
    methods would act out one seed with one and the same head.
    """
    return tuple(seed ^ zlib.crc32(spec.name.encode()) for seed in seeds)


def rhythm_of(spec: MethodSpec) -> BatchRhythm | None:
    """What follows the sound for the post-processing of a face."""
    from motet.face.rhythm import BatchRhythm

    return BatchRhythm(spec.sample_rate) if spec.space == "arkit" else None
