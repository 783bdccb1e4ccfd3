"""The scalp hair: strands as tapering ribbons that follow the head."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class HairSurface:
    """Ribbons as a surface, in the rest pose."""

    vertices: Float[np.ndarray, "verts 3"]
    faces: Int[np.ndarray, "faces 3"]
    tangents: Float[np.ndarray, "verts 3"]
    """Unit direction from root to tip"""
    normals: Float[np.ndarray, "verts 3"]
    """Unit direction away from the scalp"""
    along: Float[np.ndarray, " verts"]
    """0 at the root, 1 at the tip"""
    tone: Float[np.ndarray, " verts"]
    """Brightness of the strand, about 1"""
    fade: Float[np.ndarray, " verts"]
    """0..1: fraction of skin colour, at the roots of the hairline"""


@dataclass(frozen=True)
class Hair:
    """Strands at rest, metres."""

    strands: Float[np.ndarray, "strands points 3"]
    normals: Float[np.ndarray, "strands points 3"]
    width: Float[np.ndarray, " strands"]
    tone: Float[np.ndarray, " strands"]
    fade: Float[np.ndarray, " strands"]

    @classmethod
    def of(cls, data: dict[str, np.ndarray], displacement: Float[Tensor, "verts 3"]) -> Hair:
        """Strands of the mean person, each displaced with the scalp vertex it follows."""
        shift = displacement[data["follow"].astype(np.int64)].numpy()
        normal = data["normal"].astype(np.float32) / 127
        return cls(
            data["strand"].astype(np.float32) + data["origin"] + shift[:, None],
            normal,
            data["width"],
            data["tone"].astype(np.float32) / 128,
            data["fade"].astype(np.float32) / 255,
        )

    def thinned(self, every: int, points: int | None = None) -> Hair:
        """Every n-th strand, wider in proportion, for pictures from afar and small files.

        Args:
            points: of each strand; as many as there are when left out.
        """
        count = self.strands.shape[1]
        point_indices = np.linspace(0, count - 1, points or count).round().astype(int)
        return Hair(
            self.strands[::every, point_indices],
            self.normals[::every, point_indices],
            self.width[::every] * every,
            self.tone[::every],
            self.fade[::every],
        )

    def chosen(self, which: slice | Int[np.ndarray, " chosen"]) -> Hair:
        """Some of the strands as they are."""
        return Hair(
            self.strands[which],
            self.normals[which],
            self.width[which],
            self.tone[which],
            self.fade[which],
        )

    @property
    def tangents(self) -> Float[np.ndarray, "strands points 3"]:
        """Unit directions from root to tip."""
        tangent = np.gradient(self.strands, axis=1)
        return tangent / np.linalg.norm(tangent, axis=2, keepdims=True).clip(1e-9)

    def surface(self) -> HairSurface:
        """All ribbons as one surface, every strand ending in a point."""
        count, points, _ = self.strands.shape
        tangent = self.tangents
        normal = self.normals - (self.normals * tangent).sum(2, keepdims=True) * tangent
        normal /= np.linalg.norm(normal, axis=2, keepdims=True).clip(1e-9)
        along = np.linspace(0, 1, points, dtype=np.float32)
        half = 0.5 * self.width[:, None] * (1 - along**3)[None]
        side = np.cross(tangent, normal) * half[:, :, None]
        pairs = np.stack([self.strands - side, self.strands + side], axis=2).reshape(-1, 3)
        first = np.arange(count)[:, None] * 2 * points + 2 * np.arange(points - 1)[None]
        quad = np.stack([first, first + 1, first + 3, first + 2], -1).reshape(-1, 4)
        faces = np.concatenate([quad[:, [0, 1, 2]], quad[:, [0, 2, 3]]])

        def twice(values: np.ndarray) -> np.ndarray:
            flat = values.reshape(count * points, 3 if values.ndim == 3 else 1)
            return np.repeat(flat, 2, axis=0).astype(np.float32)

        along = np.tile(along, (count, 1))
        fade = self.fade[:, None] * (1 - along * 2.5).clip(0)
        flat = [twice(value)[:, 0] for value in (along, np.repeat(self.tone, points), fade)]
        return HairSurface(
            pairs.astype(np.float32), faces.astype(np.int32), twice(tangent), twice(normal), *flat
        )
