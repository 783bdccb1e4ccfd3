"""Flags for the user's FLAME, its map and texture, and templates: one set for all commands that
write files.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from motet.export.user_mesh import UserMesh
    from motet.types import Clip


@dataclasses.dataclass(frozen=True)
class MeshFiles:
    """Files of yours that motion in FLAME coefficients or vertices needs; none is shipped."""

    flame: Path | None = None
    """Imported FLAME models: your FLAME file (the official .pkl of 2019, 2020 or 2023, read without
    executing code, or .npz, .pt): .mp4, .glb, .obj and .vertices.npz show its head."""
    flame_map: Path | None = None
    """Imported FLAME models: map to ARKit weights, fitted once on your FLAME by `motet weights
    flame-map`: .csv, .json, avatars, and the house figure without --flame."""
    identity: Path | None = None
    """With --flame: whose head (.npz with `shape`, or .npy); the mean head when left out."""
    texture: Path | None = None
    """With --flame: FLAME's texture space (.npz with `mean`, `vt` and `ft`), taken as a colour for
    each vertex."""
    template: Path | None = None
    """Mesh models: the neutral face of the data set (.obj or .ply)."""

    def read(self) -> UserMesh | None:
        """All files, read; None when none was given.

        Raises:
            ConfigError: an identity or texture without FLAME.
            AssetError: a file that cannot be used.
        """
        if self == MeshFiles():
            return None
        from motet.errors import ConfigError
        from motet.export.user_mesh import UserMesh, read_colours, read_identity, read_template
        from motet.rigs.flame import load_flame
        from motet.rigs.flame_arkit import read_flame_arkit

        for name in ("identity", "texture"):
            if getattr(self, name) is not None and self.flame is None:
                raise ConfigError(f"--{name} belongs to a FLAME head: give it with --flame FILE")
        flame = None if self.flame is None else load_flame(self.flame)
        return UserMesh(
            flame,
            None if self.identity is None else read_identity(self.identity),
            read_colours(self.texture, flame) if self.texture and flame else None,
            None if self.template is None else read_template(self.template),
            None if self.flame_map is None else read_flame_arkit(self.flame_map),
        )

    def read_for(self, clip: Clip) -> UserMesh | None:
        """The same for a saved take.

        Raises:
            ConfigError: the take has no motion that such files act on.
        """
        from motet.export.user_mesh import check_mesh_files

        mesh = self.read()
        if clip.motion is not None:
            check_mesh_files((), clip.motion.space, mesh, avatar=False)
        return mesh
