"""The sink of methods that draw pictures."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from motet.config import JsonValue
from motet.errors import ConfigError
from motet.export.picture import PictureOptions
from motet.options import Postprocess, changed
from motet.request import Request
from motet.sinks.sink import Picture, Progress, Sink, absorbs

if TYPE_CHECKING:
    from motet.audio_types import AudioSource
    from motet.face.rhythm import BatchRhythm
    from motet.loaded_method import Generator
    from motet.method import MethodSpec
    from motet.take import Take
    from motet.types import Audio, Frames


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


def _own_footage(setting: str) -> str:
    return f"{setting} acts on curves of a face, here a person's own footage is shown; leave it out"
