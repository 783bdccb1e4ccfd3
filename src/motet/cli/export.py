"""`motet export`: a saved take in other formats."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import tyro

from motet.atomic_write import check_writable
from motet.cli.avatar import avatar_map, avatar_report
from motet.cli.mesh_files import MeshFiles
from motet.cli.written import written_line
from motet.errors import ConfigError
from motet.export.picture import DEFAULT_SIZE, PICTURES, check_written, drawing, picture_options

WITH_SOUND = {".mp4", ".webm", ".mov", ".npz", ".html", ".srt", ".vtt"}


@dataclasses.dataclass(frozen=True)
class Export:
    """Write a take that `motet run -o take.npz` saved in other formats."""

    take: tyro.conf.Positional[Path]
    """The take (.npz; .csv and .json hold face curves only)."""
    out: Annotated[tyro.conf.UseAppendAction[tuple[Path, ...]], tyro.conf.arg(aliases=["-o"])] = ()
    """File to write; its ending chooses the format; may be repeated."""
    audio: Path | None = None
    """Recording for the sound of videos, pages and takes (.npz), instead of the take's own."""
    fps: float | None = None
    """Output frame rate; when left out 60 for Live Link CSV, else the take's own."""
    avatar: Path | None = None
    """A GLB or VRM to animate (.glb) or draw (videos, .png) instead of the house figure, or whose
    expressions are used (.vrma)."""
    map: Path | None = None
    """Names of the avatar assigned by hand: JSON such as {"MyShape": "jawOpen", "Other": null,
    "bones": {"head": "MyBone"}}."""
    size: str = str(DEFAULT_SIZE)
    """Size of videos: PIXELS, WIDTHxHEIGHT, or 16:9, 9:16, 4:5, 1:1, 720p, 1080p, 4k."""
    background: str = ""
    """Background of videos of a face: #RRGGBB, a picture file, or transparent (.webm .mov .png)."""
    camera: str = "head"
    """Camera of videos of a face: head, bust, three-quarter, body."""
    figure: str = ""
    """Figure of videos, .glb, .html and USD: mira, jonas or amara; mira when left out."""
    captions: str = ""
    """Captions drawn into videos or written as .srt or .vtt: what is said (text or .txt), or .srt,
    .vtt with its times; the take's own text when left out (.srt, .vtt)."""
    mesh: Annotated[MeshFiles, tyro.conf.arg(name="")] = dataclasses.field(
        default_factory=lambda: MeshFiles()
    )
    """Files of yours that takes of imported FLAME and mesh models need."""

    def execute(self) -> int:
        """Read the take and write every file."""
        from motet.audio import read_audio
        from motet.export import check_ending, read_take, write_clip

        if not self.out:
            raise ConfigError("no file to write; give -o FILE, its ending chooses the format")
        for path in self.out:
            check_ending(path)
        picture = picture_options(
            self.size, self.background, self.camera, self.captions, self.figure
        )
        check_writable(self.out)
        check_written(self.out, picture, self.avatar)
        endings = {path.suffix.lower() for path in self.out}
        if self.audio is not None and not endings & WITH_SOUND:
            raise ConfigError(f"--audio goes into {', '.join(sorted(WITH_SOUND))}; leave it out")
        by_hand = avatar_map(self.avatar, self.map)
        clip = read_take(self.take)
        is_body = clip.motion is not None and clip.motion.space.name == "smplx25"
        drawn = bool(endings & {*PICTURES})
        report = avatar_report(self.avatar, by_hand, has_face=not is_body, drawn=drawn)
        if self.audio is not None:
            clip = dataclasses.replace(clip, audio=read_audio(self.audio))
        mesh = self.mesh.read_for(clip)
        for path in self.out:
            written = write_clip(
                clip,
                path,
                **drawing(picture),
                avatar=self.avatar,
                avatar_map=by_hand,
                fps=self.fps,
                mesh=mesh,
            )
            print(written_line(written))
            if path.suffix.lower() in (".glb", ".vrma", *PICTURES):
                print(*report, sep="\n", end="\n" if report else "")
        return 0


COMMAND = Export
