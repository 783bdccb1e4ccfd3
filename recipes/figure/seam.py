"""Lips that meet at rest: the source leaves a slit towards the corners of the mouth."""

import numpy as np

from motet.geometry.subdivide import catmull_clark

OVERLAP_M = 0.0004
REACH_M = 0.0045
N_ROUNDS = 4


def lower_lip(vertices: np.ndarray, lips: np.ndarray, jaw: np.ndarray) -> np.ndarray:
    """Which vertices lie below the seam: those the jaw takes along; near the corners, where it
    takes all a little, by height."""
    clear_lower, clear_upper = jaw < -0.012, jaw > -0.003
    middle = lips & (np.abs(vertices[:, 0]) < 0.014)
    seam_y = (vertices[middle & clear_upper, 1].min() + vertices[middle & clear_lower, 1].max()) / 2
    corner = vertices[lips][np.argmax(np.abs(vertices[lips, 0]))]
    line = seam_y + (corner[1] - seam_y) * np.clip(
        (np.abs(vertices[:, 0]) - 0.012) / (abs(corner[0]) - 0.012), 0, 1
    )
    return clear_lower | (~clear_upper & (vertices[:, 1] < line))


def close_lips(
    vertices: np.ndarray, quads: np.ndarray, lips: np.ndarray, lower: np.ndarray
) -> np.ndarray:
    """Displacement of the skin's vertices that closes the slit between the refined lips.

    Args:
        vertices: skin, metres.
        quads: of the skin.
        lips: bool, verts: red of the lips.
        lower: bool, verts: belongs to the lower lip.
    """
    near = quads[lips[quads].any(axis=1)]
    refinement = catmull_clark(near, len(vertices))
    label = refinement.nearest
    moved = vertices.copy()
    for _ in range(N_ROUNDS):
        sharp = moved.copy()
        sharp[refinement.used] += (
            moved[refinement.used] - refinement.apply(moved)[: len(refinement.used)]
        )
        fine = refinement.apply(sharp)
        columns, gap, seam = _slit(fine, lips[label], lower[label])
        wide = np.interp(vertices[:, 0], columns, gap, left=0, right=0)
        middle = np.interp(vertices[:, 0], columns, seam)
        fade = np.exp(-0.5 * ((moved[:, 1] - middle) / REACH_M) ** 2) * np.where(
            moved[:, 2] > fine[lips[label], 2].min() - 0.002, 1, 0
        )
        fade[~lips] *= 0.4
        moved[:, 1] += np.where(lower, 0.5, -0.5) * wide * fade
    return moved - vertices


def _slit(
    fine: np.ndarray, red: np.ndarray, lower: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Height of the slit (plus the wanted overlap) and its middle over x, seen from the front."""
    corner = np.abs(fine[red, 0]).max()
    columns = np.linspace(-corner, corner, 41)
    gap, seam = np.zeros(41), np.zeros(41)
    for k, x in enumerate(columns):
        strip = np.abs(fine[:, 0] - x) < 0.0013
        above, below = fine[strip & red & ~lower, 1], fine[strip & red & lower, 1]
        if len(above) and len(below):
            gap[k] = max(0.0, above.min() - below.max() + OVERLAP_M)
            seam[k] = (above.min() + below.max()) / 2
        else:
            seam[k] = fine[red, 1].mean()
    return columns, gap, seam
