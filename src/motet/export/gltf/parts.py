"""A figure and its animation as glTF needs them, independent of the rig."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Int, UInt8


@dataclasses.dataclass(frozen=True)
class Material:
    """Material of a surface."""

    name: str
    roughness: float = 0.6
    two_sided: bool = False
    texture_png: bytes | None = None
    """Colours as a PNG picture, for surfaces with texture coordinates."""


@dataclasses.dataclass(frozen=True)
class Surface:
    """Vertices with their attributes; several materials may share them."""

    name: str
    vertices: Float[np.ndarray, "verts 3"]
    """Bind pose, metres."""
    normals: Float[np.ndarray, "verts 3"]
    joint_index: Int[np.ndarray, "verts 4"]
    joint_weight: UInt8[np.ndarray, "verts 4"]
    """Rows sum to 255."""
    faces: Mapping[Material, Int[np.ndarray, "faces 3"]]
    colours: Float[np.ndarray, "verts 3"] | None = None
    """Linear light, 0..1."""
    texture_coordinates: Float[np.ndarray, "verts 2"] | None = None
    shapes: Mapping[str, tuple[Int[np.ndarray, " moving"], Float[np.ndarray, "moving 3"]]] = (
        dataclasses.field(default_factory=dict)
    )
    """Displacements by shape name: indices of the moving vertices, metres at full weight."""


@dataclasses.dataclass(frozen=True)
class FigureParts:
    """Surfaces over one skeleton whose joints are aligned with the world in the bind pose."""

    name: str
    licence: str
    surfaces: tuple[Surface, ...]
    joint_names: tuple[str, ...]
    joint_parents: tuple[int, ...]
    """-1 for the root, which is the first."""
    joint_positions: Float[np.ndarray, "joints 3"]
    """Metres."""
    joint_rotations_at_rest: Float[np.ndarray, "joints 4"]
    """Local rotation at rest, quaternions x y z w."""


@dataclasses.dataclass(frozen=True)
class Performance:
    """Animation: weights by shape name and local rotations by joint name."""

    fps: float
    weights: Mapping[str, Float[np.ndarray, " frames"]]
    turns: Mapping[str, Float[np.ndarray, "frames 4"]]
    """Quaternions x y z w."""
    translations: Mapping[str, Float[np.ndarray, "frames 3"]] = dataclasses.field(
        default_factory=dict
    )
    """Translation against the parent, metres, of joints that translate."""

    @property
    def times(self) -> Float[np.ndarray, " frames"]:
        """Seconds of every frame."""
        frames = len(next(iter((self.weights or self.turns).values())))
        return (np.arange(frames) / self.fps).astype(np.float32)


def vertex_normals(
    vertices: Float[np.ndarray, "verts 3"], faces: Int[np.ndarray, "faces 3"]
) -> Float[np.ndarray, "verts 3"]:
    """Unit normals, triangles weighted by area; vertices of no triangle point up."""
    corners = vertices[faces].astype(np.float64)
    # (faces, 3): length is twice the area, hence the weighting
    flat = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    total = np.zeros((len(vertices), 3))
    for corner in range(3):
        # Not `total[...] += flat`: a vertex occurs in many triangles.
        np.add.at(total, faces[:, corner], flat)
    length = np.linalg.norm(total, axis=1, keepdims=True)
    return np.where(length > 1e-14, total / np.maximum(length, 1e-14), [0.0, 1.0, 0.0]).astype(
        np.float32
    )
