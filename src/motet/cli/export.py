"""`motet export`: a saved take in other formats."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from motet.errors import ConfigError
from motet.sinks import DEFAULT_SIZE, check_written

if TYPE_CHECKING:
    from motet.export.gltf.mapping import AvatarMap

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
        clip = read_take(self.take)
        if self.audio is not None:
            clip = dataclasses.replace(clip, audio=read_audio(self.audio))
        by_hand = self._avatar_map()
        for path in self.out:
            is_avatar = self.avatar is not None and path.suffix.lower() == ".glb"
            written = write_clip(
                clip,
                path,
                size=self.size,
                avatar=self.avatar,
                avatar_map=by_hand,
                fps=self.fps,
            )
            print(f"{written}  {written.stat().st_size / 1e6:.2f} MB")
            if is_avatar:
                self._report(by_hand)
        return 0

    def _avatar_map(self) -> AvatarMap | None:
        from motet.export.gltf.mapping import read_map

        if self.map is None:
            return None
        if self.avatar is None:
            raise ConfigError("--map assigns names of an --avatar; give one")
        return read_map(self.map)

    def _report(self, by_hand: AvatarMap | None) -> None:
        from motet.export.gltf.avatar import inspect_avatar

        assert self.avatar is not None
        for line in inspect_avatar(self.avatar, by_hand).lines():
            print(f"  {line}")


COMMAND = Export
