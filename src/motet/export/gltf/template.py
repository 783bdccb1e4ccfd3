"""Moving vertices as an animated glTF: a few shapes that span the take, and their weights.

The shapes are the strongest principal directions of the take's own displacements, as many as leave
no vertex further from its place than `TOLERANCE` of the mesh's size in the mean.
"""

from __future__ import annotations

import numpy as np

from motet.export.gltf.parts import FigureParts, Material, Performance, Surface, vertex_normals
from motet.export.user_mesh import posed_chunks
from motet.rigs.template_figure import ShapedTemplate
from motet.types import Motion

MOST_SHAPES = 64
TOLERANCE = 1e-4
"""Root mean square distance left out, over the largest extent of the template."""


def template_parts(shaped: ShapedTemplate, motion: Motion) -> tuple[FigureParts, Performance]:
    """The neutral face with the shapes of a take, and their animation."""
    rest = shaped.rest.numpy().astype(np.float64)
    moved = np.concatenate(list(posed_chunks(shaped, motion))) - rest
    weights, shapes = _principal(moved.reshape(len(moved), -1), float(np.ptp(rest, 0).max()))
    faces = shaped.rig.topology.faces.numpy()
    every = np.arange(len(rest))
    names = [f"take{number:02d}" for number in range(len(shapes))]
    # One joint holds the whole mesh: glTF figures have a skin.
    index = np.zeros((len(rest), 4), np.int64)
    weight = np.tile(np.array([255, 0, 0, 0], np.uint8), (len(rest), 1))
    surface = Surface(
        "face",
        rest,
        vertex_normals(rest, faces),
        index,
        weight,
        {Material("skin", two_sided=True): faces},
        np.full((len(rest), 3), 0.4),
        shapes={
            name: (every, shape.reshape(-1, 3)) for name, shape in zip(names, shapes, strict=True)
        },
    )
    rig = shaped.rig
    still = np.array([[0.0, 0.0, 0.0, 1.0]])
    parts = FigureParts(
        rig.name, rig.licence, (surface,), ("root",), (-1,), np.zeros((1, 3)), still
    )
    turns = {"root": np.tile(still, (len(moved), 1))}
    curves = dict(zip(names, weights.T, strict=True))
    return parts, Performance(motion.space.fps, curves, turns)


def _principal(flat: np.ndarray, extent: float) -> tuple[np.ndarray, np.ndarray]:
    """Weights (frames, shapes) and shapes (shapes, numbers) whose product is near the table."""
    # The small side first: frames are fewer than vertices.
    value, vector = np.linalg.eigh(flat @ flat.T)
    order = np.argsort(-value)[:MOST_SHAPES]
    left_out = np.maximum(flat.size and np.square(flat).sum() - np.cumsum(value[order]), 0)
    error = np.sqrt(left_out * 3 / flat.size) / extent
    enough = int(np.searchsorted(-error, -TOLERANCE)) + 1
    chosen = vector[:, order[:enough]]
    shapes = chosen.T @ flat
    # Weights of at most 1: viewers show them as sliders.
    size = np.maximum(np.abs(chosen).max(0), 1e-12)
    return chosen / size, shapes * size[:, None]
