"""From a name and a sound to a take: loading a method, running a clip, streaming.

Everything the command line does with a method goes through here, so Python users get exactly the same.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from motet import config as settings
from motet.audio import read_audio, resample, to_mono
from motet.checkpoint import read_checkpoint
from motet.errors import ConfigError
from motet.finishing import Finish, finish_motion
from motet.method import Method, MethodSpec, condition_from
from motet.registry import DEFAULT, method_spec
from motet.types import Audio, Clip, Frames, Motion


@dataclasses.dataclass(frozen=True)
class Loaded:
    """A method with its weights, ready for any number of sessions."""

    spec: MethodSpec
    method: Method[Any]
    digest: str
    """Digest of the weights."""

    def condition(self, options: Mapping[str, Any]) -> Any:
        """The method's condition from user options, strictly."""
        return condition_from(self.spec, options)

    def prepare(self, audio: Audio) -> Audio:
        """The sound as this method takes it (rate and channels), with a batch axis."""
        samples = audio.samples if audio.samples.ndim > 2 else audio.samples.unsqueeze(0)
        audio = dataclasses.replace(audio, samples=samples)
        if self.spec.layout == "mono":
            audio = to_mono(audio)
        return resample(audio, self.spec.sample_rate)

    def run(self, audio: Audio, options: Mapping[str, Any] | None = None, *, seeds: Sequence[int] = (0,), finish: Finish | None = None) -> Any:
        """`Motion` of a whole sound, one batch item for each seed; for methods that draw pictures `Frames` (see also `pictures`).

        Raises:
            ConfigError: an option that the method does not have.
            AudioError: the sound cannot be used.
        """
        prepared = self.prepare(audio)
        if prepared.samples.shape[0] == 1 and len(seeds) > 1:
            prepared = dataclasses.replace(prepared, samples=prepared.samples.expand(len(seeds), -1, -1))
        answer = self.method.run(prepared, self.condition(options or {}), seeds)
        return finish_motion(answer, finish or Finish(), seeds, first_frame=0) if isinstance(answer, Motion) else answer

    def pictures(self, audio: Audio, options: Mapping[str, Any] | None = None, *, seed: int = 0) -> Iterator[Any]:
        """uint8 (height, width, 3) arrays one after the other, for methods that draw; an hour takes no more memory than a second.

        Raises:
            ConfigError: the method answers motion, or has not such an option.
        """
        if self.spec.output != "frames":
            raise ConfigError(f"{self.spec.name} answers motion, not pictures; a figure is drawn from it by 'motet render'")
        prepared = self.prepare(audio)
        cuts = range(0, prepared.samples.shape[-1], prepared.sample_rate)
        for piece in self.method.stream((prepared.slice(at, at + prepared.sample_rate) for at in cuts), self.condition(options or {}), (seed,)):
            yield from piece.rgb[0].numpy()


@lru_cache(maxsize=4)
def load(name: str = DEFAULT, weights: str | None = None) -> Loaded:
    """A method with its shipped weights, or with the motet checkpoint given.

    Raises:
        ConfigError: no such method, or it ships no weights and none were given.
        CheckpointError: the weights do not fit or are damaged.
    """
    spec = method_spec(name)
    path = Path(weights) if weights else spec.shipped()
    checkpoint = read_checkpoint(path, verify=weights is not None)
    config = settings.from_json(spec.load("config"), checkpoint.config)
    return Loaded(spec, spec.load("method")(config, checkpoint.tensors, checkpoint.facts), checkpoint.digest)


def run(
    audio: str | os.PathLike[str] | Audio,
    method: str = DEFAULT,
    *,
    seed: int = 0,
    options: Mapping[str, Any] | None = None,
    finish: Finish | None = None,
    fps: float | None = None,
    weights: str | None = None,
) -> Clip:
    """A take from a sound.

    Args:
        audio: a file in any common format, or an `Audio`.
        method: name of the method (`motet.methods()` lists them).
        seed: everything random comes from it; the same seed gives the same take.
        options: settings of the method's condition, e.g. `{"style": "warm"}`.
        finish: clip-level finishing (intensity, head, blinks).
        fps: frames a second of the answer; the method's own when left out.
        weights: a motet checkpoint to use instead of the shipped one.

    Raises:
        MotetError: one of its kinds, with the remedy in the message.
    """
    source = audio if isinstance(audio, Audio) else read_audio(Path(audio))
    loaded = load(method, weights)
    finish = finish or Finish()
    answer = loaded.run(source, options, seeds=(seed,), finish=finish)
    if isinstance(answer, Frames):
        return Clip(source, None, Frames(answer.rgb[0], answer.fps), provenance(loaded, seed, options or {}, finish, audio))
    motion = Motion(answer.values[0], answer.space)
    return Clip(source, motion if fps is None else motion.at(fps), provenance=provenance(loaded, seed, options or {}, finish, audio))


def provenance(loaded: Loaded, seed: int, options: Mapping[str, Any], finish: Finish, audio: object) -> dict[str, Any]:
    """What a take says about its making."""
    name = Path(audio).name if isinstance(audio, str | os.PathLike) else ""
    written = {key: value if isinstance(value, str | int | float | bool | None) else str(value) for key, value in options.items()}
    facts = {"method": loaded.spec.name, "weights": loaded.digest, "seed": seed, "options": written}
    return {**facts, "finish": settings.to_json(finish), "source": name, "synthetic": True}


class Stream:
    """A running session: push sound as it comes, take frames as they become certain.

    Not for use by several threads at once; make one stream for each speaker.
    """

    def __init__(self, loaded: Loaded, options: Mapping[str, Any] | None = None, *, seed: int = 0, finish: Finish | None = None) -> None:
        self._loaded, self._seed, self._finish = loaded, seed, finish or Finish()
        self._state = loaded.method.begin(loaded.condition(options or {}), (seed,))
        self._frames = 0
        self._ended = False

    def push(self, chunk: Audio) -> Iterator[Any]:
        """Sound in (the method's rate and layout), zero or more pieces of motion (or pictures) out.

        Raises:
            AudioError: wrong rate or layout; nothing is converted behind your back in a stream.
        """
        spec = self._loaded.spec
        chunk.expect(spec.sample_rate, spec.layout)
        samples = chunk.samples if chunk.samples.ndim > 2 else chunk.samples.unsqueeze(0)
        motion, self._state = self._loaded.method.step(self._state, dataclasses.replace(chunk, samples=samples))
        return self._out(motion)

    def finish(self) -> Iterator[Any]:
        """The remaining frames; the stream is over then.

        Raises:
            ConfigError: called twice.
        """
        if self._ended:
            raise ConfigError("this stream has ended; begin a new one")
        self._ended = True
        return self._out(self._loaded.method.finish(self._state))

    def _out(self, motion: Any) -> Iterator[Any]:
        if not motion.frames:
            return iter(())
        if isinstance(motion, Frames):
            return iter([Frames(motion.rgb[0], motion.fps)])
        done = finish_motion(motion, self._finish, (self._seed,), first_frame=self._frames)
        self._frames += motion.frames
        return iter([Motion(done.values[0], done.space)])


def stream(
    method: str = DEFAULT, *, seed: int = 0, options: Mapping[str, Any] | None = None, finish: Finish | None = None, weights: str | None = None
) -> Stream:
    """Open a streaming session; see `Stream`."""
    return Stream(load(method, weights), options, seed=seed, finish=finish)
