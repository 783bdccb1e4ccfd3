"""The sink of methods that generate motion."""

from __future__ import annotations

import dataclasses
import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from motet.config import JsonValue
from motet.errors import ConfigError
from motet.event_lines import note_events
from motet.export.picture import PICTURES, check_written, drawing
from motet.options import Postprocess, changed
from motet.request import Request
from motet.sinks.sink import Picture, Progress, Sink

if TYPE_CHECKING:
    from motet.audio_types import AudioSource
    from motet.face.rhythm import BatchRhythm
    from motet.loaded_method import Generator
    from motet.method import MethodSpec
    from motet.take import Take
    from motet.types import Audio, Clip, Motion

BODY_SPACE = "smplx25"
TRIED_FRAMES = 2
"""Frames that are written on trial with an avatar."""


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
            if not index:
                _try_avatar(clip, paths(index), request)
            for path in paths(index):
                count = progress(path, clip.motion.frames if clip.motion else 0)
                written.append(_write(clip, path, request, count))
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


def _write(clip: Clip, path: Path, request: Request, progress: Progress | None) -> Path:
    """One file of a take, as the request wants it."""
    from motet.export import write_clip

    return write_clip(
        clip,
        path,
        **drawing(request.picture),
        avatar=request.avatar,
        avatar_map=request.avatar_map,
        marker=request.marker,
        fps=request.fps,
        mesh=request.mesh,
        progress=progress,
    )


def _try_avatar(clip: Clip, paths: Sequence[Path], request: Request) -> None:
    """Make sure that an avatar serves every file before the first of several is written: one that
    can speak may still be undrawable, or have no expressions.

    Raises:
        MotetError: what the first unusable file raises.
    """
    if request.avatar is None or len(paths) < 2 or clip.audio is None or clip.motion is None:
        return
    motion = clip.motion.slice(0, TRIED_FRAMES)
    audio = next(clip.audio.pieces(TRIED_FRAMES / motion.space.fps))
    short = dataclasses.replace(clip, audio=audio, motion=motion)
    with tempfile.TemporaryDirectory() as folder:
        for path in paths:
            _write(short, Path(folder) / path.name, request, None)


def _no_face(setting: str, what: str) -> str:
    return f"{setting} acts on a face, {what} has none; leave it at its default"
