"""Where the output of a method goes: the interface of the two sinks."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

from motet.config import JsonValue
from motet.options import OptionValue, Postprocess
from motet.request import Request

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import UInt8

    from motet.audio_types import AudioSource
    from motet.face.rhythm import BatchRhythm
    from motet.loaded_method import Generator
    from motet.method import MethodSpec
    from motet.take import Take
    from motet.types import Audio, Frames, Motion

OutT = TypeVar("OutT", bound="Motion | Frames")
Picture: TypeAlias = "UInt8[np.ndarray, 'height width 3']"
Progress = Callable[[int], None]
"""Called with the number of frames written so far."""


class Sink(abc.ABC, Generic[OutT]):
    """Where the output of a method goes."""

    @abc.abstractmethod
    def check(self, request: Request, paths: Sequence[Path], specs: Sequence[MethodSpec]) -> None:
        """Make sure that everything in a request can be honoured, before anything is loaded.

        Raises:
            ConfigError: names what cannot be honoured and why.
        """

    @abc.abstractmethod
    def postprocess(
        self,
        out: OutT,
        settings: Postprocess,
        seeds: Sequence[int],
        first_frame: int,
        *,
        ends: bool,
        rhythm: BatchRhythm | None = None,
    ) -> OutT:
        """The output after post-processing.

        Args:
            first_frame: its absolute frame index.
            ends: whether the clip ends with it.
            rhythm: of the sound so far.

        Raises:
            ConfigError: a setting that cannot act on this output.
        """

    def frames_of_end(self, out: OutT, settings: Postprocess) -> int:
        """Frames at the end that cannot be processed before it is known that they are the last."""
        del out, settings
        return 0

    @abc.abstractmethod
    def take(
        self, audio: Audio, out: OutT, fps: float | None, facts: Mapping[str, JsonValue]
    ) -> Take:
        """One item as a take, at another frame rate if one is wanted.

        Raises:
            ConfigError: the frame rate cannot be changed.
        """

    @abc.abstractmethod
    def write(
        self,
        generator: Generator[OutT],
        audio: AudioSource,
        request: Request,
        recording: str,
        paths: Callable[[int], Sequence[Path]],
        progress: Callable[[Path, int], Progress],
    ) -> list[Path]:
        """Generate all takes of a request and write them.

        Args:
            recording: file name of the audio.
            paths: files of the take of that index.
            progress: called with each file and its number of frames before it is written.
        """

    @abc.abstractmethod
    def pictures(self, pieces: Iterator[OutT]) -> Iterator[Picture]:
        """The pictures of a stream one by one.

        Raises:
            ConfigError: the method draws none.
        """

    @abc.abstractmethod
    def records(self, out: OutT) -> Iterator[dict[str, JsonValue]]:
        """One JSON object for each frame of a live stream."""


def absorbs(spec: MethodSpec) -> Mapping[str, Callable[..., Mapping[str, OptionValue]]]:
    """By name, post-processing settings that a method turns into options of its own."""
    return getattr(spec.condition_type(), "POSTPROCESS", {})
