"""`motet render`: a saved take as video."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from motet.cli.mesh_files import MeshFiles
from motet.cli.written import written_line
from motet.errors import ConfigError

if TYPE_CHECKING:
    from motet.types import Motion


@dataclasses.dataclass(frozen=True)
class Render:
    """Draw a take with the house figure, or with your own FLAME head or template."""

    take: tyro.conf.Positional[Path]
    """The take (.npz, or .csv and .json with face curves)."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """The video to write: .mp4, .webm, .mov, or pictures as NAME.png."""
    audio: Path | None = None
    """Recording for the sound of the video; the take's own when left out."""
    size: str = "512"
    """PIXELS, WIDTHxHEIGHT, or 16:9, 9:16, 4:5, 1:1, 720p, 1080p, 4k."""
    background: str = ""
    """#RRGGBB, a picture file, or transparent (.webm, .mov, .png); of a face."""
    camera: str = "head"
    """head, bust, three-quarter, body; of a face."""
    figure: str = ""
    """mira, jonas or amara; mira when left out."""
    captions: str = ""
    """Drawn into the picture: what is said (text or .txt), or .srt, .vtt with its times."""
    marker: bool = True
    """Videos of a body show the source position, if the take has one."""
    mesh: Annotated[MeshFiles, tyro.conf.arg(name="")] = dataclasses.field(
        default_factory=lambda: MeshFiles()
    )
    """Files of yours that takes of imported FLAME and mesh models need."""
    quiet: bool = False
    """No progress bar."""

    def execute(self) -> int:
        """Read, draw, encode."""
        from motet.audio import read_audio
        from motet.cli.progress import progress_bars
        from motet.export import read_take, write_clip
        from motet.export.picture import PICTURES, check_written, drawing, picture_options

        if self.out.suffix.lower() not in PICTURES:
            raise ConfigError(
                f"pictures are written as {', '.join(PICTURES)}, not"
                f" {self.out.suffix or 'without an ending'}; other formats: motet export"
            )
        picture = picture_options(
            self.size, self.background, self.camera, self.captions, self.figure
        )
        check_written([self.out], picture, None)
        clip = read_take(self.take)
        if self.audio is not None:
            clip = dataclasses.replace(clip, audio=read_audio(self.audio))
        if not self.marker and (clip.motion is None or "joints" not in _tracks(clip.motion)):
            raise ConfigError("--no-marker is for takes of a body; leave it out")
        with progress_bars(self.quiet) as bars:
            task = bars.add_task(
                f"drawing {self.out.name}", total=clip.motion.frames if clip.motion else None
            )
            write_clip(
                clip,
                self.out,
                **drawing(picture),
                marker=self.marker,
                mesh=self.mesh.read_for(clip),
                progress=lambda done: bars.update(task, completed=done),
            )
        print(written_line(self.out))
        return 0


def _tracks(motion: Motion) -> list[str]:
    return [track.name for track in motion.space.tracks]


COMMAND = Render
