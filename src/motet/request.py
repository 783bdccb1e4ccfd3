"""What is wanted of a recording."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from motet.options import OptionValue, Postprocess

if TYPE_CHECKING:
    from motet.export.gltf.mapping import AvatarMap

DEFAULT_SIZE = 512
"""Height and width of drawn videos, pixels."""


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
    size: int = DEFAULT_SIZE
    """Height and width of drawn videos, pixels."""
    marker: bool = True
    """Videos of a body show the source position."""
    avatar_map: AvatarMap | None = None
    """Names of the avatar that are assigned by hand."""
    other_weights: bool = False
    """Weights of the user's are used, which may generate motion in another space."""
