"""What a user asks of a method: options, seeds, and how the takes are written."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from motet.export.picture import PictureOptions
from motet.options import OptionValue, Postprocess

if TYPE_CHECKING:
    from motet.editing import EditFile
    from motet.export.gltf.mapping import AvatarMap
    from motet.export.user_mesh import UserMesh


@dataclasses.dataclass(frozen=True)
class Request:
    """What is wanted of a recording, besides the method."""

    options: Mapping[str, OptionValue] = dataclasses.field(default_factory=dict)
    """Options of the method's condition."""
    postprocess: Postprocess = dataclasses.field(default_factory=Postprocess)
    seeds: tuple[int, ...] = (0,)
    """One for each take."""
    fps: float | None = None
    """Frame rate of the result; the method's own when left out."""
    avatar: Path | None = None
    """A GLB or VRM to animate instead of the house figure."""
    picture: PictureOptions = PictureOptions()
    """How pictures are drawn."""
    marker: bool = True
    """Videos of a body show the source position."""
    avatar_map: AvatarMap | None = None
    """Names of the avatar that are assigned by hand."""
    edits: EditFile | None = None
    """Edits to apply to every take of a face."""
    other_weights: bool = False
    """Weights of the user's are used, which may generate motion in another space."""
    mesh: UserMesh | None = None
    """The user's FLAME or template, for motion in FLAME coefficients or vertices."""
