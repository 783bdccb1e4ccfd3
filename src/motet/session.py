"""From a name and a sound to a take: loading a method, running a clip, streaming.

Everything the command line does with a method goes through here, so Python users get exactly the
same.
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
from motet.face.postprocess import Finish, finish_motion
from motet.method import Method, MethodSpec, condition_from
from motet.nn.threads import thread_count, threads
from motet.registry import DEFAULT, method_spec, specs_of
from motet.types import Audio, Clip, Frames, Motion


@dataclasses.dataclass(frozen=True)
class Loaded:
    """A method with its weights, ready for any number of sessions."""

    spec: MethodSpec
    method: Method[Any]
    digest: str
    """Digest of the weights."""
    threads: int = 0
    """Threads that it computes on (`motet.nn.threads`); 0 leaves PyTorch's own number."""

    @property
    def name(self) -> str:
        """Name of the method."""
        return self.spec.name

    def condition(self, options: Mapping[str, Any]) -> Any:
        """The method's condition from user options, strictly."""
        return condition_from(self.spec, options)

    def prepare(self, audio: Audio, options: Mapping[str, Any] | None = None) -> Audio:
        """The sound as this method takes it (rate and channels), with a batch axis.

        A method with two ears hears one channel from the place that the option `source` names, as a
        head would; without a place from straight ahead.
        """
        if self.spec.layout == "binaural":
            audio = _two_ears(audio, str((options or {}).get("source", "")))
        samples = audio.samples if audio.samples.ndim > 2 else audio.samples.unsqueeze(0)
        audio = dataclasses.replace(audio, samples=samples)
        if self.spec.layout == "mono":
            audio = to_mono(audio)
        return resample(audio, self.spec.sample_rate)

    def run(
        self,
        audio: Audio,
        options: Mapping[str, Any] | None = None,
        *,
        seeds: Sequence[int] = (0,),
        finish: Finish | None = None,
    ) -> Any:
        """`Motion` of a whole sound, one batch item for each seed; for methods that draw pictures
        `Frames` (see also `pictures`).

        Raises:
            ConfigError: an option that the method does not have.
            AudioError: the sound cannot be used.
        """
        prepared = self.prepare(audio, options)
        if prepared.samples.shape[0] == 1 and len(seeds) > 1:
            prepared = dataclasses.replace(
                prepared, samples=prepared.samples.expand(len(seeds), -1, -1)
            )
        with threads(self.threads):
            answer = self.method.run(prepared, self.condition(options or {}), seeds)
        return (
            finish_motion(answer, finish or Finish(), seeds, first_frame=0)
            if isinstance(answer, Motion)
            else answer
        )

    def pictures(
        self, audio: Audio, options: Mapping[str, Any] | None = None, *, seed: int = 0
    ) -> Iterator[Any]:
        """uint8 (height, width, 3) arrays one after the other, for methods that draw; an hour takes
        no more memory than a second.

        Raises:
            ConfigError: the method answers motion, or has not such an option.
        """
        if self.spec.output != "frames":
            raise ConfigError(
                f"{self.spec.name} answers motion, not pictures; a figure is drawn from it by"
                " 'motet render'"
            )
        prepared = self.prepare(audio)
        cuts = range(0, prepared.samples.shape[-1], prepared.sample_rate)
        sounds = (prepared.slice(at, at + prepared.sample_rate) for at in cuts)
        pieces = self.method.stream(sounds, self.condition(options or {}), (seed,))
        while True:
            with threads(self.threads):
                piece = next(pieces, None)
            if piece is None:
                return
            yield from piece.rgb[0].numpy()


@dataclasses.dataclass(frozen=True)
class Ensemble:
    """A face and a body from one sound: two methods on one figure and one clock."""

    members: tuple[Loaded, ...]

    @property
    def name(self) -> str:
        """Names of the methods, as they are given to `motet run -m`."""
        return ",".join(member.name for member in self.members)

    @property
    def digest(self) -> str:
        """Digests of the weights in the order of the methods."""
        return "+".join(member.digest for member in self.members)

    def run(
        self,
        audio: Audio,
        options: Mapping[str, Any] | None = None,
        *,
        seeds: Sequence[int] = (0,),
        finish: Finish | None = None,
    ) -> Motion:
        """Motion of both at the body's frame rate, one batch item for each seed; each method takes
        the options it knows.

        Raises:
            ConfigError: an option that none of the methods has.
        """
        from motet.rigs.house.face_body import join

        shares = [
            {
                name: value
                for name, value in (options or {}).items()
                if name in option_names(member.spec)
            }
            for member in self.members
        ]
        for name in options or {}:
            if not any(name in share for share in shares):
                raise ConfigError(
                    f"neither {' nor '.join(member.name for member in self.members)} has an option"
                    f" {name!r}"
                )
        made = {
            member.spec.space: member.run(audio, share, seeds=seeds, finish=finish)
            for member, share in zip(self.members, shares, strict=True)
        }
        # A face of 25 frames a second, rounded up, may last a body's frame longer than the sound.
        return join(made["arkit"], made["smplx25"]).slice(0, made["smplx25"].frames)


def option_names(spec: MethodSpec) -> set[str]:
    """Names of the options that a method has."""
    return {field.name for field in dataclasses.fields(spec.load("condition"))}


def cast(names: str, weights: str | None = None) -> Loaded | Ensemble:
    """What `motet run -m NAMES` means: one method, or a face and a body.

    Raises:
        ConfigError: see `specs_of`, or weights given for two methods at once.
    """
    found = specs_of(names)
    if len(found) == 1:
        return load(found[0].name, weights)
    if weights:
        raise ConfigError(
            "--weights belongs to one method; run two methods with their shipped weights"
        )
    return Ensemble(tuple(load(spec.name) for spec in found))


def _two_ears(audio: Audio, source: str) -> Audio:
    from motet.audio.spatial.interaural import as_two_ears

    place = source.split(",")
    if audio.samples.shape[-2:-1] == (1,) and audio.samples.ndim == 2 and len(place) == 3:
        from motet.audio.spatial.spatialise import spatialise

        try:
            return spatialise(audio, *map(float, place))
        except ValueError:  # the method says what is wrong with it
            pass
    return as_two_ears(audio)


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
    count = thread_count(sum(tensor.numel() for tensor in checkpoint.tensors.values()))
    with threads(count):
        method = spec.load("method")(config, checkpoint.tensors, checkpoint.facts)
    return Loaded(spec, method, checkpoint.digest, count)


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
        method: name of the method (`motet.methods()` lists them), or of a face and a body:
            "artalk,mospa".
        seed: everything random comes from it; the same seed gives the same take.
        options: settings of the method's condition, e.g. `{"style": "warm"}`.
        finish: clip-level finishing (intensity, head, blinks).
        fps: frames a second of the answer; the method's own when left out.
        weights: a motet checkpoint to use instead of the shipped one.

    Raises:
        MotetError: one of its kinds, with the remedy in the message.
    """
    source = audio if isinstance(audio, Audio) else read_audio(Path(audio))
    loaded = cast(method, weights)
    finish = finish or Finish()
    answer = loaded.run(source, options, seeds=(seed,), finish=finish)
    if isinstance(answer, Frames):
        return Clip(
            source,
            None,
            Frames(answer.rgb[0], answer.fps),
            provenance(loaded, seed, options or {}, finish, audio),
        )
    motion = Motion(answer.values[0], answer.space)
    return Clip(
        source,
        motion if fps is None else motion.at(fps),
        provenance=provenance(loaded, seed, options or {}, finish, audio),
    )


def provenance(
    loaded: Loaded | Ensemble, seed: int, options: Mapping[str, Any], finish: Finish, audio: object
) -> dict[str, Any]:
    """What a take says about its making."""
    name = Path(audio).name if isinstance(audio, str | os.PathLike) else ""
    written = {
        key: value if isinstance(value, str | int | float | bool | None) else str(value)
        for key, value in options.items()
    }
    facts = {"method": loaded.name, "weights": loaded.digest, "seed": seed, "options": written}
    return {**facts, "finish": settings.to_json(finish), "source": name, "synthetic": True}


class Stream:
    """A running session: push sound as it comes, take frames as they become certain.

    Not for use by several threads at once; make one stream for each speaker.
    """

    def __init__(
        self,
        loaded: Loaded,
        options: Mapping[str, Any] | None = None,
        *,
        seed: int = 0,
        finish: Finish | None = None,
    ) -> None:
        self._loaded, self._seed, self._finish = loaded, seed, finish or Finish()
        with threads(loaded.threads):
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
        chunk = dataclasses.replace(chunk, samples=samples)
        with threads(self._loaded.threads):
            motion, self._state = self._loaded.method.step(self._state, chunk)
        return self._out(motion)

    def finish(self) -> Iterator[Any]:
        """The remaining frames; the stream is over then.

        Raises:
            ConfigError: called twice.
        """
        if self._ended:
            raise ConfigError("this stream has ended; begin a new one")
        self._ended = True
        with threads(self._loaded.threads):
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
    method: str = DEFAULT,
    *,
    seed: int = 0,
    options: Mapping[str, Any] | None = None,
    finish: Finish | None = None,
    weights: str | None = None,
) -> Stream:
    """Open a streaming session; see `Stream`."""
    return Stream(load(method, weights), options, seed=seed, finish=finish)
