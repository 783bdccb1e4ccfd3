"""Vertices of the figure as mixes of base vertices plus an offset, so that every linear quantity
carries over to them."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree


@dataclass(frozen=True)
class Part:
    """A piece of the figure's surface."""

    name: str
    index: np.ndarray
    """int32, verts 4: base vertices each new vertex follows"""
    weight: np.ndarray
    """float64, verts 4"""
    offset: np.ndarray
    """float64, verts 3: metres, added in the rest pose"""
    quads: np.ndarray
    """int32, faces 4 into this part; a triangle repeats its last corner"""
    paint: np.ndarray
    """float64, verts 3: linear-light colour"""
    region: np.ndarray
    """uint8, verts"""

    def carry(self, values: np.ndarray) -> np.ndarray:
        """A quantity given on the base vertices (first axis), on this part's vertices."""
        weight = self.weight.reshape(self.weight.shape + (1,) * (values.ndim - 1))
        return (weight * values[self.index]).sum(axis=1)


def itself(vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Binding of copies of base vertices."""
    index = np.repeat(vertices[:, None], 4, axis=1).astype(np.int32)
    weight = np.zeros(index.shape)
    weight[:, 0] = 1
    return index, weight


def bind(
    points: np.ndarray, base: np.ndarray, candidates: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bind free points to the four nearest of the candidate base vertices by inverse squared
    distance; gives index, weight, offset."""
    distance, near = cKDTree(base[candidates]).query(points, k=4)
    weight = 1.0 / (distance**2 + 1e-8)
    weight /= weight.sum(axis=1, keepdims=True)
    index = candidates[near].astype(np.int32)
    return index, weight, points - (weight[:, :, None] * base[index]).sum(axis=1)


def compact(quads: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vertices used by quads, and the quads renumbered onto them."""
    used, renumbered = np.unique(quads, return_inverse=True)
    return used, renumbered.reshape(quads.shape).astype(np.int32)


def rim_of(quads: np.ndarray) -> np.ndarray:
    """Directed boundary edges, edges 2."""
    a, b = quads.ravel(), np.roll(quads, -1, axis=1).ravel()
    edges = {(int(x), int(y)) for x, y in zip(a, b, strict=True) if x != y}
    return np.array(sorted(edge for edge in edges if edge[::-1] not in edges), np.int32).reshape(
        -1, 2
    )


def normals(vertices: np.ndarray, quads: np.ndarray) -> np.ndarray:
    """Smooth unit normals."""
    face = np.cross(
        vertices[quads[:, 2]] - vertices[quads[:, 0]], vertices[quads[:, 3]] - vertices[quads[:, 1]]
    )
    total = np.zeros_like(vertices)
    for corner in range(4):
        np.add.at(total, quads[:, corner], face)
    return total / np.linalg.norm(total, axis=1, keepdims=True).clip(1e-12)


def smooth(
    values: np.ndarray,
    quads: np.ndarray,
    rounds: int,
    hold: np.ndarray | None = None,
    share: float = 0.5,
) -> np.ndarray:
    """Laplacian smoothing over the edges of quads; `hold` marks vertices that stay."""
    a = quads.ravel()
    b = np.roll(quads, -1, axis=1).ravel()
    keep = a != b
    a, b = np.concatenate([a[keep], b[keep]]), np.concatenate([b[keep], a[keep]])
    count = np.bincount(a, minlength=len(values)).clip(1)
    result = values.astype(np.float64).copy()
    for _ in range(rounds):
        total = np.zeros_like(result)
        np.add.at(total, a, result[b])
        moved = result + share * (total / count.reshape(-1, *[1] * (result.ndim - 1)) - result)
        result = (
            moved
            if hold is None
            else np.where(hold.reshape(-1, *[1] * (result.ndim - 1)), result, moved)
        )
    return result
