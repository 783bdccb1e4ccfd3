"""`motet export`: a saved take in other formats."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import tyro

from motet.cli.avatar import avatar_map, avatar_report
from motet.errors import ConfigError
from motet.request import DEFAULT_SIZE
from motet.sinks import check_written

WITH_SOUND = {".mp4", ".npz"}


@dataclasses.dataclass(frozen=True)
class Export:
    """Write a take that `motet run -o take.npz` saved in other formats."""

    take: tyro.conf.Positional[Path]
    """The take (.npz; .csv and .json hold face curves only)."""
    out: Annotated[tyro.conf.UseAppendAction[tuple[Path, ...]], tyro.conf.arg(aliases=["-o"])] = ()
    """File to write; its ending chooses the format; may be repeated."""
    audio: Path | None = None
    """Recording for the sound of a video (.mp4) or take (.npz), instead of the take's own."""
    fps: float | None = None
    """Output frame rate; when left out 60 for Live Link CSV, else the take's own."""
    avatar: Path | None = None
    """A GLB or VRM to animate instead of the house figure (.glb)."""
    map: Path | None = None
    """Names of the avatar assigned by hand: JSON such as {"MyShape": "jawOpen", "Other": null,
    "bones": {"head": "MyBone"}}."""
    size: int = DEFAULT_SIZE
    """Height and width of videos in pixels."""

    def execute(self) -> int:
        """Read the take and write every file."""
        from motet.audio import read_audio
        from motet.export import check_ending, read_take, write_clip

        if not self.out:
            raise ConfigError("no file to write; give -o FILE, its ending chooses the format")
        for path in self.out:
            check_ending(path)
        check_written(self.out, self.size, self.avatar)
        endings = {path.suffix.lower() for path in self.out}
        if self.audio is not None and not endings & WITH_SOUND:
            raise ConfigError("--audio goes into .mp4 and .npz files; leave it out")
        by_hand = avatar_map(self.avatar, self.map)
        report = avatar_report(self.avatar, by_hand)
        clip = read_take(self.take)
        if self.audio is not None:
            clip = dataclasses.replace(clip, audio=read_audio(self.audio))
        for path in self.out:
            written = write_clip(
                clip,
                path,
                size=self.size,
                avatar=self.avatar,
                avatar_map=by_hand,
                fps=self.fps,
            )
            print(f"{written}  {written.stat().st_size / 1e6:.2f} MB")
            if path.suffix.lower() == ".glb":
                print(*report, sep="\n", end="\n" if report else "")
        return 0


COMMAND = Export
