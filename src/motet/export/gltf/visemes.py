"""Viseme and vowel weights that give an avatar the mouth shapes of ARKit weights.

What is fitted is the outline of the lips, not the list of weights: many ARKit poses draw one
outline. Per frame, with the outline y of the house figure's lips and the outlines A of the visemes,

    u = argmin |A u - y|^2 / 2 + sparsity * sum(u)    over u >= 0, columns of A at unit length.

The penalty lets the one viseme win that explains the outline alone, where plain least squares would
mix two others (spread + open = half open). It also shrinks the weights, so the mix is kept and its
amount is fitted again. A viseme's own pose gives that viseme at 1 and no other.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from motet.face.lip_geometry import lip_outline
from motet.face.visemes import VISEMES, face_pose
from motet.types import ARKIT_SHAPES

Weights = Mapping[str, Float[np.ndarray, " frames"]]

OUTLINE_SPREAD = np.array([0.082, 0.063, 0.1, 0.1])
"""What counts as one step of opening, width, lift and protrusion (`lip_outline`), mouth widths.

The first two are standard deviations of tracked people who speak freely. A difference of width is
smaller than one of opening and says more: unscaled, every vowel would be an `aa`.
"""
SPARSITY = 0.3
"""Steps of the outline that a viseme must explain before it is used."""
_RIDGE = 1e-3
"""Makes the solution unique where the outlines of two visemes nearly agree."""
MIX_WINDOW_S = 0.1
"""Half width of the triangle over which the mix of visemes is averaged, so that none flickers.

The amount is fitted to each frame by itself: a closure of one frame stays closed.
"""


def fit_visemes(
    weights: Weights, visemes: tuple[str, ...], fps: float
) -> dict[str, Float[np.ndarray, " frames"]]:
    """Weights in 0..1 of the visemes whose mixed outline comes nearest to the lips' own.

    Args:
        weights: all ARKit weights by name.
        visemes: names of `VISEMES` that the avatar has.
        fps: frame rate of the weights.
    """
    outline = lip_outline()  # (shapes, measures)
    targets = np.stack([weights[name] for name in ARKIT_SHAPES], axis=1) @ outline / OUTLINE_SPREAD
    poses = np.stack([face_pose(VISEMES[viseme]) for viseme in visemes])  # (visemes, shapes)
    columns = poses @ outline / OUTLINE_SPREAD  # (visemes, measures)
    mix = _smoothed(_sparse_mix(targets, columns), fps)  # (frames, visemes)
    # The amount s of each frame's mix m that minimises |s A m - y|.
    shapes = mix @ columns  # (frames, measures)
    amount = (shapes * targets).sum(axis=1) / np.maximum((shapes**2).sum(axis=1), 1e-9)
    fitted = np.clip(np.maximum(amount, 0.0)[:, None] * mix, 0.0, 1.0)
    return dict(zip(visemes, fitted.T, strict=True))


def _sparse_mix(
    outlines: Float[np.ndarray, "frames measures"], columns: Float[np.ndarray, "visemes measures"]
) -> Float[np.ndarray, "frames visemes"]:
    """The penalised fit of each frame (see the module), as weights of the unscaled columns.

    With L^T L = A A^T + ridge it is an ordinary non-negative least squares of L u against
    L^-T (A y - sparsity).
    """
    from scipy.linalg import solve_triangular
    from scipy.optimize import nnls

    lengths = np.linalg.norm(columns, axis=1)
    unit = columns / lengths[:, None]
    factor = np.linalg.cholesky(unit @ unit.T + _RIDGE * np.eye(len(unit))).T
    targets = solve_triangular(factor, unit @ outlines.T - SPARSITY, trans="T")  # (visemes, frames)
    return np.stack([nnls(factor, frame)[0] for frame in targets.T]) / lengths


def _smoothed(
    mix: Float[np.ndarray, "frames visemes"], fps: float
) -> Float[np.ndarray, "frames visemes"]:
    """Averages over neighbouring frames with weights that fall linearly to 0."""
    reach = int(MIX_WINDOW_S * fps)
    kernel = np.arange(1.0, reach + 2.0)
    kernel = np.concatenate([kernel, kernel[-2::-1]]) / (reach + 1) ** 2
    padded = np.pad(mix, ((reach, reach), (0, 0)), mode="edge")
    return np.stack([np.convolve(column, kernel, mode="valid") for column in padded.T], axis=1)
