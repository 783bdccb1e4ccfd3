"""What differs by what a method generates: motion or pictures.

One of two sinks is chosen from the method's spec, once. Writing files, live streaming and checks of
a request go through it, so nothing else asks which of the two came out.
"""

from __future__ import annotations

import abc
import base64
import dataclasses
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

from motet.config import JsonValue
from motet.errors import ConfigError
from motet.event_lines import note_events
from motet.export.picture import PICTURES, PictureOptions, check_written, drawing
from motet.options import OptionValue, Postprocess, changed
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
BODY_SPACE = "smplx25"


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


class MotionSink(Sink["Motion"]):
    """Motion: files of every format, named curves in a live stream."""

    def check(self, request: Request, paths: Sequence[Path], specs: Sequence[MethodSpec]) -> None:
        """See `Sink`."""
        from motet.export import check_ending, check_spaces

        names = ",".join(spec.name for spec in specs)
        if request.mesh is not None and not request.other_weights:
            from motet.export.user_mesh import MESH_FLAGS

            raise ConfigError(f"{MESH_FLAGS}, not for the shipped {names}; leave them out")
        spaces = [spec.space for spec in specs]
        for path in paths:
            check_ending(path)
            if not request.other_weights:
                check_spaces(path, spaces, names)
        unusable = changed(request.postprocess)
        if unusable and not request.other_weights and "arkit" not in spaces:
            raise ConfigError(_no_face(unusable[0], names))
        if request.edits is not None and spaces != ["arkit"] and not request.other_weights:
            raise ConfigError(f"--edits are of a face, {names} generates no face alone")
        self._check_drawing(request, paths, spaces)

    def _check_drawing(
        self, request: Request, paths: Sequence[Path], spaces: Sequence[str]
    ) -> None:
        check_written(paths, request.picture, request.avatar)
        captions = next((path for path in paths if path.suffix.lower() in (".srt", ".vtt")), None)
        has_text = request.picture.captions or request.options.get("text")
        if captions is not None and not has_text:
            raise ConfigError(
                f"{captions.name} needs what is said: give --captions TEXT or a .txt file"
            )
        if request.marker:
            return
        video = any(path.suffix.lower() in PICTURES for path in paths)
        if not video or BODY_SPACE not in spaces or "source" not in request.options:
            raise ConfigError(
                "--no-marker is for videos (.mp4) of a body with --source; leave it out"
            )

    def frames_of_end(self, out: Motion, settings: Postprocess) -> int:
        """See `Sink`."""
        from motet.face.postprocess import frames_of_end

        return frames_of_end(settings, out.space)

    def postprocess(
        self,
        out: Motion,
        settings: Postprocess,
        seeds: Sequence[int],
        first_frame: int,
        *,
        ends: bool,
        rhythm: BatchRhythm | None = None,
    ) -> Motion:
        """See `Sink`. Face motion in the house space only."""
        from motet.face.postprocess import finish_motion

        if out.space.name == "arkit":
            return finish_motion(out, settings, seeds, first_frame, ends=ends, rhythm=rhythm)
        if changed(settings):
            raise ConfigError(_no_face(changed(settings)[0], f"motion in {out.space.name!r}"))
        return out

    def take(
        self, audio: Audio, out: Motion, fps: float | None, facts: Mapping[str, JsonValue]
    ) -> Take:
        """See `Sink`."""
        from motet.take import Take

        return Take(audio, out if fps is None else out.at(fps), provenance=facts)

    def write(
        self,
        generator: Generator[Motion],
        audio: AudioSource,  # The take's sound is whole; only the motion is resampled.
        request: Request,
        recording: str,
        paths: Callable[[int], Sequence[Path]],
        progress: Callable[[Path, int], Progress],
    ) -> list[Path]:
        """See `Sink`. All takes are generated as one batch."""
        from motet.export import write_clip
        from motet.export.user_mesh import check_mesh_files
        from motet.face.shut_mouth import shut_mouth
        from motet.types import Clip

        if generator.space is not None:
            avatar = request.avatar is not None
            check_mesh_files(paths(0), generator.space, request.mesh, avatar=avatar)
        options, post = request.options, request.postprocess
        motion = generator.run(audio, options, seeds=request.seeds, postprocess=post)
        # A mouth that the user holds still needs no remark.
        for remark in shut_mouth(audio, motion.item(0)) if post.intensity > 0 else ():
            logging.getLogger("motet.run").warning("%s: %s", recording, remark)
        detected = generator.detected(audio, options)
        note_events(recording, detected)
        written: list[Path] = []
        for index, seed in enumerate(request.seeds):
            facts = generator.facts(seed, options, post, recording)
            clip = Clip(audio, motion.item(index), provenance=facts | detected)
            # edits before resampling: their formulas count frames of the method
            if request.edits is not None:
                clip = request.edits.applied(
                    clip,
                    lambda s: generator.run(audio, options, seeds=(s,), postprocess=post).item(0),
                )
            if request.fps is not None and clip.motion is not None:
                clip = dataclasses.replace(clip, motion=clip.motion.at(request.fps))
            for path in paths(index):
                written.append(
                    write_clip(
                        clip,
                        path,
                        **drawing(request.picture),
                        avatar=request.avatar,
                        avatar_map=request.avatar_map,
                        marker=request.marker,
                        fps=request.fps,
                        mesh=request.mesh,
                        progress=progress(path, clip.motion.frames if clip.motion else 0),
                    )
                )
        return written

    def pictures(self, pieces: Iterator[Motion]) -> Iterator[Picture]:
        """See `Sink`."""
        del pieces
        raise ConfigError(
            "this method generates motion, not pictures; 'motet render' draws a figure from a take"
        )

    def records(self, out: Motion) -> Iterator[dict[str, JsonValue]]:
        """See `Sink`. Weights by name, everything else as lists of numbers, track by track."""
        for frame in range(out.frames):
            yield {track.name: self._track(out, track.name, frame) for track in out.space.tracks}

    def _track(self, out: Motion, name: str, frame: int) -> JsonValue:
        track, values = out.space.track(name), out[name][frame]
        if track.unit.startswith("weight"):
            numbers = (round(float(v), 4) for v in values)
            return dict(zip(track.channels, numbers, strict=True))
        return (values.double() * 1e5).round().div(1e5).tolist()


class FrameSink(Sink["Frames"]):
    """Pictures: videos written while they are drawn, JPEG pictures in a live stream."""

    def check(self, request: Request, paths: Sequence[Path], specs: Sequence[MethodSpec]) -> None:
        """See `Sink`."""
        name = specs[0].name
        for path in paths:
            if path.suffix.lower() != ".mp4":
                raise ConfigError(
                    f"{name} draws pictures: they are written as .mp4, not as {path.suffix}"
                )
        if request.fps is not None:
            raise ConfigError(f"{name} draws at the rate of its footage; leave --fps out")
        for flag, value in (
            ("--avatar", request.avatar is not None),
            ("--style", "style" in request.options),
            (
                "--size, --background, --camera, --figure and --captions",
                request.picture != PictureOptions(),
            ),
            ("--no-marker", not request.marker),
            ("--edits", request.edits is not None),
            ("--flame", request.mesh is not None),
        ):
            if value:
                raise ConfigError(
                    f"{name} shows a person's own footage: {flag} cannot change it; choose the"
                    " person with --person"
                )
        absorbed = absorbs(specs[0])
        for setting in changed(request.postprocess):
            if setting not in absorbed:
                raise ConfigError(_own_footage(setting))
        if request.other_weights and "person" in request.options:
            raise ConfigError(
                "a person brings their own weights; give either --person or --weights"
            )

    def postprocess(
        self,
        out: Frames,
        settings: Postprocess,
        seeds: Sequence[int],
        first_frame: int,
        *,
        ends: bool,
        rhythm: BatchRhythm | None = None,
    ) -> Frames:
        """See `Sink`. What a drawing method can honour is part of its options (`absorbs`)."""
        del seeds, first_frame, ends, rhythm
        if changed(settings):
            raise ConfigError(_own_footage(changed(settings)[0]))
        return out

    def take(
        self, audio: Audio, out: Frames, fps: float | None, facts: Mapping[str, JsonValue]
    ) -> Take:
        """See `Sink`."""
        from motet.take import Take

        if fps not in (None, out.fps):
            raise ConfigError(
                f"pictures come at the {out.fps:g} fps of their footage; leave fps out"
            )
        return Take(audio, None, out, facts)

    def write(
        self,
        generator: Generator[Frames],
        audio: AudioSource,
        request: Request,
        recording: str,
        paths: Callable[[int], Sequence[Path]],
        progress: Callable[[Path, int], Progress],
    ) -> list[Path]:
        """See `Sink`. Each video is drawn while it is encoded, so memory does not grow with it."""
        from motet.export.video import write_video
        from motet.types import frame_count

        frames = frame_count(audio.seconds, generator.fps)
        written: list[Path] = []
        for index, seed in enumerate(request.seeds):
            facts = generator.facts(seed, request.options, request.postprocess, recording)
            for path in paths(index):
                pieces = generator.pieces(  # Generated anew for each file: pictures are never kept.
                    audio, request.options, seed=seed, postprocess=request.postprocess
                )
                written.append(
                    write_video(
                        path,
                        self.pictures(pieces),
                        generator.fps,
                        audio=audio,
                        provenance=facts,
                        progress=progress(path, frames),
                    )
                )
        return written

    def pictures(self, pieces: Iterator[Frames]) -> Iterator[Picture]:
        """See `Sink`."""
        return (picture for piece in pieces for picture in piece.rgb.numpy())

    def records(self, out: Frames) -> Iterator[dict[str, JsonValue]]:
        """See `Sink`. Each picture as base64 of a JPEG file."""
        from motet.export.jpeg import encode_jpeg

        for picture in out.rgb.numpy():
            height, width = picture.shape[:2]
            jpeg = base64.b64encode(encode_jpeg(picture)).decode("ascii")
            yield {"width": width, "height": height, "jpeg": jpeg}


MOTION_SINK, FRAME_SINK = MotionSink(), FrameSink()


def sink_of(specs: Sequence[MethodSpec]) -> MotionSink | FrameSink:
    """The sink of one method, or of a face and a body method."""
    return FRAME_SINK if specs[0].output == "frames" else MOTION_SINK


def absorbs(spec: MethodSpec) -> Mapping[str, Callable[..., Mapping[str, OptionValue]]]:
    """By name, post-processing settings that a method turns into options of its own."""
    return getattr(spec.condition_type(), "POSTPROCESS", {})


def _no_face(setting: str, what: str) -> str:
    return f"{setting} acts on a face, {what} has none; leave it at its default"


def _own_footage(setting: str) -> str:
    return f"{setting} acts on curves of a face, here a person's own footage is shown; leave it out"
