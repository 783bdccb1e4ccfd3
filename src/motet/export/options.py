"""Options of written files besides the name."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from motet.export.picture import PictureOptions

if TYPE_CHECKING:
    from motet.export.gltf.mapping import AvatarMap
    from motet.export.user_mesh import UserMesh


@dataclasses.dataclass(frozen=True)
class ExportOptions:
    """Options of all formats; each format uses its own."""

    picture: PictureOptions = PictureOptions()
    """How pictures are drawn."""
    avatar: Path | None = None
    """A GLB or VRM to animate instead of the house figure."""
    avatar_map: AvatarMap | None = None
    """Names of the avatar that are assigned by hand."""
    marker: bool = True
    """Whole-body pictures show the sound source, if the take has its position."""
    fps: float | None = None
    """Frame rate of the file; when left out the format's usual one, else the take's."""
    mesh: UserMesh | None = None
    """The user's FLAME or template, for motion in FLAME coefficients or vertices."""
    progress: Callable[[int], None] | None = None
    """Called with the number of frames written so far."""

    def report(self, done: int) -> None:
        """Report the number of frames written."""
        if self.progress is not None:
            self.progress(done)
