"""Vertices of the house figure, frame by frame (numba): a fast path of `ShapedHouse.posed`.

A frame costs a third of a millisecond on the thread that draws it; tensor libraries would wake
other threads for such small products.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float

from motet.kernel import kernel
from motet.rigs.house import ShapedHouse
from motet.types import Motion


@kernel
def add_shapes(start, vertex, delta, weights, moved):
    """Add each shape's displacements, listed for the vertices it moves, times its weight."""
    for shape in range(weights.shape[0]):
        weight = weights[shape]
        # Most shapes rest in most frames.
        if weight == np.float32(0):
            continue
        for entry in range(start[shape], start[shape + 1]):
            v = np.uint32(vertex[entry])
            moved[v, 0] += weight * delta[entry, 0]
            moved[v, 1] += weight * delta[entry, 1]
            moved[v, 2] += weight * delta[entry, 2]


@kernel
def skin_vertices(moved, vertex, joint, weights, transforms, vertices):
    """Linear blend skinning with transforms (3 4); row k is written to vertices[vertex[k]]."""
    for v in range(moved.shape[0]):
        x, y, z = moved[v, 0], moved[v, 1], moved[v, 2]
        target = np.uint32(vertex[v])
        for k in range(3):
            total = np.float32(0)
            for influence in range(joint.shape[1]):
                weight, j = weights[v, influence], np.uint32(joint[v, influence])
                if weight == np.float32(0):
                    break
                linear = transforms[j, k, 0] * x + transforms[j, k, 1] * y + transforms[j, k, 2] * z
                # Influences are sorted, so the first zero ends them.
                total += weight * (linear + transforms[j, k, 3])
            vertices[target, k] = total


class Poser:
    """Vertices of one person, one frame at a time; may be called from several threads.

    Args:
        shaped: the person.
    """

    def __init__(self, shaped: ShapedHouse) -> None:
        self._shaped = shaped
        self._vertex = shaped.turning.numpy()
        self._rest = shaped.vertices[shaped.turning].numpy().astype(np.float32)
        self._start, self._shape_vertex, self._delta = _sparse_shapes(shaped)
        weight = shaped.rig.weights[shaped.turning].numpy()
        count = int((weight > 0).sum(axis=1).max())
        # (verts, influences), strongest first
        self._joint = np.argsort(-weight, axis=1, kind="stable")[:, :count].astype(np.int32)
        self._weight = np.ascontiguousarray(np.take_along_axis(weight, self._joint, axis=1))

    def poses(self, motion: Motion) -> list[tuple[np.ndarray, np.ndarray]]:
        """Shape weights after lip contact, and joint transforms, of each frame."""
        with torch.no_grad():
            motion = Motion(motion.values.float(), motion.space)
            weights = self._shaped.settled(motion["blendshapes"]).contiguous().numpy()
            transforms = self._shaped.joint_transforms(motion).contiguous().numpy()
        return list(zip(weights, transforms, strict=True))

    def pose(
        self,
        weights: Float[np.ndarray, " shapes"],
        transforms: Float[np.ndarray, "joints three four"],
        vertices: Float[np.ndarray, "verts 3"],
    ) -> None:
        """Write the vertices that a frame moves.

        `vertices` hold the relaxed figure or an earlier frame.
        """
        moved = self._rest.copy()
        add_shapes(self._start, self._shape_vertex, self._delta, weights, moved)
        skin_vertices(moved, self._vertex, self._joint, self._weight, transforms, vertices)


def _sparse_shapes(shaped: ShapedHouse) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Displacements as a list: first entry of each shape, turning vertex and displacement."""
    dense = shaped.rig.shape_deltas(eyeballs=False)[:, shaped.turning].numpy()  # (shapes, verts, 3)
    shape, vertex = np.nonzero(dense.any(axis=2))
    start = np.searchsorted(shape, np.arange(len(dense) + 1))
    return start, vertex.astype(np.int32), np.ascontiguousarray(dense[shape, vertex])
