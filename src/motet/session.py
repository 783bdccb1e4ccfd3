"""From a name and a recording to a take: loading methods, running a clip, streaming.

Everything the command line does with a method goes through here, so Python users get exactly the
same.
"""

from __future__ import annotations

import dataclasses
import inspect
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, cast, overload

import numpy as np
from torch import Tensor

from motet import config as settings
from motet.audio import read_audio
from motet.audio.arrays import audio_of_array
from motet.audio_types import AudioSource
from motet.checkpoint import read_checkpoint
from motet.config import JsonValue, Settings
from motet.errors import ConfigError, nearest
from motet.loaded_method import Generator, LoadedMethod, Options
from motet.method import Method, MethodSpec, Tensors
from motet.method_options import option_names, renamed, unknown_option
from motet.nn.device import CPU, on_device, pick_device
from motet.nn.threads import thread_count, threads
from motet.options import OptionValue, Postprocess
from motet.registry import DEFAULT, check_one_method, method_spec, specs_of
from motet.request import Request
from motet.running_stream import Stream
from motet.sinks import MOTION_SINK, Sink, sink_of
from motet.streaming.motion_encoder import Driven, MotionEncoder
from motet.streaming.streaming_method import StreamingMethod
from motet.take import Take
from motet.types import Audio, Frames, Motion

if TYPE_CHECKING:
    import torch

__all__ = [
    "FaceAndBody",
    "build_method",
    "LoadedMethod",
    "Stream",
    "load",
    "load_methods",
    "run",
    "stream",
]
Samples = np.ndarray | Tensor
"""Sound of a program's own; its rate is given with it."""
Recording = str | os.PathLike[str] | Audio | Samples
"""A file, or audio in memory."""
AnyLoaded = LoadedMethod[Motion] | LoadedMethod[Frames]
_MotionMethod = Method[Settings, Settings, object, Motion]


@dataclasses.dataclass(frozen=True)
class FaceAndBody(Generator[Motion]):
    """Two methods on one figure and one clock: a face and a body from one recording."""

    members: tuple[LoadedMethod[Motion], ...]
    sink: Sink[Motion] = MOTION_SINK

    @property
    def name(self) -> str:
        """Names of the methods, as `motet run -m` takes them."""
        return ",".join(member.name for member in self.members)

    @property
    def digest(self) -> str:
        """Digests of the weights in the order of the methods."""
        return "+".join(member.digest for member in self.members)

    @property
    def fps(self) -> float:
        """Output frame rate: the body's."""
        return next(m.fps for m in self.members if m.spec.space == "smplx25")

    def run(
        self,
        audio: AudioSource,
        options: Options | None = None,
        *,
        seeds: Sequence[int] = (0,),
        postprocess: Postprocess | None = None,
    ) -> Motion:
        """Motion of both at the body's frame rate, one batch item for each seed.

        Each method takes the options it has; post-processing acts on the face. A body that can,
        speaks along with its face unless a source is given.

        Raises:
            ConfigError: an option that none of the methods has.
        """
        from motet.rigs.house.face_body import join

        specs = [member.spec for member in self.members]
        generated: dict[str, Motion] = {}
        for member, share in zip(self.members, shared(specs, options or {}), strict=True):
            # The settings of a face would be refused by a body.
            settings_of_face = postprocess if member.spec.space == "arkit" else None
            if member.spec.space == "smplx25":
                share = dict(member.method.beside_face(share))
            generated[member.spec.space] = member.run(
                audio, share, seeds=seeds, postprocess=settings_of_face
            )
        face, body = generated["arkit"], generated["smplx25"]
        # Rounded up, a face of 25 fps may last one body frame longer than the audio.
        return join(face, body).slice(0, body.frames)

    def detected(self, audio: AudioSource, options: Options) -> dict[str, JsonValue]:
        """See `Generator`."""
        specs, facts = [member.spec for member in self.members], {}
        for member, share in zip(self.members, shared(specs, options), strict=True):
            if member.spec.space == "smplx25":
                share = dict(member.method.beside_face(share))
            facts |= member.detected(audio, share)
        return facts

    def pieces(
        self,
        audio: AudioSource,
        options: Options | None = None,
        *,
        seed: int = 0,
        postprocess: Postprocess | None = None,
    ) -> Iterator[Motion]:
        """The whole as one piece: the frames of both are put together at the end."""
        yield self.run(audio, options, seeds=(seed,), postprocess=postprocess).item(0)


def shared(specs: Sequence[MethodSpec], options: Options) -> list[dict[str, OptionValue]]:
    """The options that each of several methods has.

    Raises:
        ConfigError: an option that none of them has.
    """
    if len(specs) == 1:
        return [dict(options)]
    known = [option_names(spec) for spec in specs]
    for name in options:
        # Unknown to all of them; an option of one is enough.
        if not any(renamed(spec, name) in own for spec, own in zip(specs, known, strict=True)):
            if name in vars(Postprocess()):
                raise ConfigError(unknown_option(specs[0], name))
            names = " nor ".join(spec.name for spec in specs)
            raise ConfigError(f"neither {names} has an option {name!r}")
    return [
        {name: value for name, value in options.items() if renamed(spec, name) in own}
        for spec, own in zip(specs, known, strict=True)
    ]


def load_methods(
    names: str,
    weights: str | Path | None = None,
    options: Options | None = None,
    device: str = "cpu",
) -> AnyLoaded | FaceAndBody:
    """One method, or a face and a body method separated by a comma.

    Args:
        options: a fitted person named in them brings their own weights.
        device: see `load`.

    Raises:
        ConfigError: see `specs_of`, or weights given for two methods at once.
    """
    specs = specs_of(names)
    # A fitted person has weights of their own, which explicit ones override.
    if len(specs) == 1:
        return load(specs[0].name, weights or person_weights(specs[0], options), device)
    check_one_method(specs, weights)
    members = (load(spec.name, device=device) for spec in specs)
    return FaceAndBody(tuple(cast(LoadedMethod[Motion], member) for member in members))


def load(name: str = DEFAULT, weights: str | Path | None = None, device: str = "cpu") -> AnyLoaded:
    """A method with its shipped weights, or with the motet checkpoint given.

    The last four are kept in memory; a file that has changed since is read again.

    Args:
        device: where the networks run: `cpu`, `cuda`, `mps`, or `auto` for a GPU where there is
            one. The shipped models are small: a CPU is quick enough for them.

    Raises:
        ConfigError: no such method or device, or it ships no weights and none were given.
        CheckpointError: the weights do not fit or are damaged.
    """
    spec = method_spec(name)
    path = Path(weights) if weights else spec.shipped()
    # A file that was trained anew has another time and so another key of the cache.
    changed_ns = path.stat().st_mtime_ns if path.exists() else 0
    # Resolved before the cache, or `auto` and the device it stands for would be two copies.
    chosen = pick_device(device)
    return _load(spec.name, path.absolute(), changed_ns, chosen, verify=bool(weights))


@lru_cache(maxsize=4)
def _load(
    name: str, path: Path, changed_ns: int, device: torch.device, *, verify: bool
) -> AnyLoaded:
    del changed_ns  # part of the key only
    spec = method_spec(name)
    # Shipped weights are trusted; checking a file of the user's costs a hash of all its bytes.
    checkpoint = read_checkpoint(path, verify=verify)
    config = settings.from_json(spec.config_type(), checkpoint.config)
    return build_method(
        spec, config, checkpoint.tensors, checkpoint.facts, checkpoint.digest, device
    )


def build_method(
    spec: MethodSpec,
    config: Settings,
    tensors: Tensors | None = None,
    facts: Mapping[str, JsonValue] | None = None,
    digest: str = "random",
    device: torch.device = CPU,
) -> AnyLoaded:
    """A method of any configuration, with random weights without tensors.

    Raises:
        CheckpointError: the tensors do not fit.
        ConfigError: the method does not know devices.
    """
    count = thread_count(sum(tensor.numel() for tensor in (tensors or {}).values()))
    # Tensors are made on the device at once, not copied later.
    with threads(count), on_device(device):
        method = spec.build(config, tensors, facts or {})
    if device != CPU and not isinstance(method, StreamingMethod):
        raise ConfigError(f"{spec.name} runs on the CPU only; use --device cpu")
    method.device = device
    # methods that draw take their curves from another method, by name
    if isinstance(method, Driven):
        method.drive_with(_motion_encoder)
    # The spec says what the method generates; only here the two types are brought together.
    sink = cast(Sink[Motion], sink_of((spec,)))
    return LoadedMethod(spec, cast("_MotionMethod", method), digest, config, sink, count)


def _motion_encoder(name: str, options: Options) -> MotionEncoder:
    """A method for curves in front of one that draws.

    Args:
        options: of a take, as far as the method has them.
    """
    loaded = load(name)
    known = option_names(loaded.spec)
    own = {key: value for key, value in options.items() if key in known}
    return MotionEncoder(loaded.method, loaded.condition(own))


@overload
def run(
    audio: Recording,
    method: str = ...,
    *,
    rate: int | None = ...,
    seed: int = ...,
    options: Options | None = ...,
    postprocess: Postprocess | None = ...,
    fps: float | None = ...,
    weights: str | Path | None = ...,
    device: str = ...,
) -> Take: ...


@overload
def run(
    audio: Sequence[Recording],
    method: str = ...,
    *,
    rate: int | None = ...,
    seed: int = ...,
    options: Options | None = ...,
    postprocess: Postprocess | None = ...,
    fps: float | None = ...,
    weights: str | Path | None = ...,
    device: str = ...,
) -> list[Take]: ...


def run(
    audio: Recording | Sequence[Recording],
    method: str = DEFAULT,
    *,
    rate: int | None = None,
    seed: int = 0,
    options: Options | None = None,
    postprocess: Postprocess | None = None,
    fps: float | None = None,
    weights: str | Path | None = None,
    device: str = "cpu",
    **unknown: object,
) -> Take | list[Take]:
    """A take from a recording, or a list of takes from a list of recordings.

    Args:
        audio: a file in any common format, an `Audio`, or samples (see `audio_of_array`); or a list
            of them.
        method: name of the method (`motet.methods()` lists them), or of a face and a body:
            "artalk,mospa".
        rate: samples per second of samples that are given as arrays.
        seed: the same seed gives the same take.
        options: options of the method's condition, e.g. `{"style": "warm"}`.
        postprocess: intensity, head and blinks of a face.
        fps: frame rate of the take; the method's own when left out.
        weights: a motet checkpoint to use instead of the shipped one.
        device: where the networks run; see `load`.
        **unknown: refused, with where the name belongs.

    Raises:
        MotetError: one of its kinds, with the remedy in the message.
    """
    for name in unknown:
        raise ConfigError(_misplaced(name, unknown[name], method))
    _check_seed(seed)
    # a string is a sequence, too, and one recording
    many = not isinstance(audio, str | os.PathLike | Audio | np.ndarray | Tensor)
    recordings = [
        audio_of_array(one, rate) if isinstance(one, np.ndarray | Tensor) else one
        for one in (list(audio) if many else [audio])
    ]
    request = Request(options or {}, postprocess or Postprocess(), (seed,), fps)
    generator = load_methods(method, weights, options, device)
    takes = [_take(one, generator, request) for one in recordings]
    return takes if many else takes[0]


def _take(
    audio: str | os.PathLike[str] | Audio, generator: AnyLoaded | FaceAndBody, request: Request
) -> Take:
    if isinstance(audio, Audio):
        return generator.take(audio, request)
    return generator.take(read_audio(Path(audio)), request, Path(audio).name)


def _misplaced(name: str, value: object, method: str) -> str:
    """Message for a keyword that `run` does not have."""
    if name in {field.name for field in dataclasses.fields(Postprocess)}:
        return f"{name} is given as postprocess=motet.Postprocess({name}={value!r})"
    if any(name in option_names(spec) for spec in specs_of(method)):
        return f"{name} is given as options={{{name!r}: {value!r}}}"
    known = inspect.signature(run).parameters.keys() - {"unknown"}
    return f"motet.run has no {name!r}; {nearest(name, known)}"


def _check_seed(seed: object) -> None:
    if not isinstance(seed, int):
        raise ConfigError(f"seed must be a whole number, not {seed!r}")


def person_weights(spec: MethodSpec, options: Options | None) -> Path | None:
    """The weights that belong to the person whom the options name."""
    person = str((options or {}).get("person", ""))
    return spec.weights_of_person(Path(person)) if person else None


def stream(
    method: str = DEFAULT,
    *,
    seed: int = 0,
    options: Options | None = None,
    postprocess: Postprocess | None = None,
    weights: str | Path | None = None,
    device: str = "cpu",
) -> Stream[Motion] | Stream[Frames]:
    """Open a streaming session; see `Stream`.

    Raises:
        ConfigError: a method that needs the whole recording, or an option that cannot be honoured.
    """
    _check_seed(seed)
    loaded = load(method, weights or person_weights(method_spec(method), options), device)
    if loaded.method.whole_recording:
        raise ConfigError(
            f"{loaded.name} cannot stream: {loaded.method.whole_recording}; use motet.run, or"
            " choose another method"
        )
    return loaded.stream(options, seed=seed, postprocess=postprocess)
