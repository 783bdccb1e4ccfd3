"""Motion spaces of KMTalk: the house space, and meshes as offsets from a neutral template."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from motet.array_files import read_array
from motet.errors import AssetError
from motet.geometry.mesh_files import read_mesh
from motet.methods.kmtalk.config import KMTalkConfig
from motet.types import MotionSpace, Track, arkit_space


def space_of(config: KMTalkConfig) -> MotionSpace:
    """The space that a configuration names."""
    if config.space == "arkit":
        return arkit_space(config.fps)
    return MotionSpace(
        config.space,
        (Track("vertices", (config.motion_dim // 3, 3), "as in the data set"),),
        config.fps,
    )


def read_template(path: str, space: MotionSpace) -> Float[Tensor, " dim"]:
    """The neutral face that offsets are added to; zeros when there is no file.

    Raises:
        AssetError: not there, unreadable, or of another number of vertices.
    """
    if not path:
        return torch.zeros(space.dim)
    try:
        is_mesh = path.lower().endswith((".obj", ".ply"))
        values = read_mesh(path).vertices if is_mesh else read_array(path)
    except (AssetError, OSError, ValueError) as error:
        raise AssetError(
            f"the template cannot be read as (vertices, 3) from {path}: {error}"
        ) from error
    if values.size != space.dim or not np.isfinite(values).all():
        raise AssetError(
            f"the template {path} has the shape {values.shape}; {space.name!r} needs"
            f" ({space.dim // 3}, 3), finite"
        )
    return torch.from_numpy(np.ascontiguousarray(values, np.float32)).reshape(-1)
