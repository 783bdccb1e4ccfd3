"""Oculus visemes in ARKit shapes, and viseme weights that approximate ARKit weights."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from motet.types import ARKIT_SHAPES

Weights = Mapping[str, Float[np.ndarray, "frames"]]

VISEMES: dict[str, dict[str, float]] = {
    "aa": {"jawOpen": 0.54, "jawForward": 0.31, "mouthShrugUpper": 0.09},
    "E": {
        "mouthShrugUpper": 1.0,
        "mouthRollUpper": 0.54,
        "mouthPress": 0.32,
        "mouthUpperUp": 0.24,
        "mouthSmile": 0.20,
        "jawOpen": 0.10,
    },
    "I": {
        "mouthDimple": 0.53,
        "mouthStretch": 0.47,
        "mouthShrugUpper": 0.17,
        "mouthLowerDown": 0.10,
    },
    "O": {
        "mouthPucker": 0.66,
        "mouthShrugUpper": 0.48,
        "jawForward": 0.34,
        "mouthRollUpper": 0.33,
        "mouthRollLower": 0.19,
        "jawOpen": 0.14,
        "mouthUpperUp": 0.12,
    },
    "U": {"mouthPucker": 0.50, "mouthLowerDown": 0.13},
    "PP": {
        "mouthRollUpper": 0.60,
        "mouthRollLower": 0.23,
        "mouthClose": 0.21,
        "mouthUpperUp": 0.19,
        "mouthLowerDown": 0.14,
        "jawOpen": 0.13,
    },
    "FF": {
        "mouthShrugUpper": 1.24,
        "mouthRollLower": 0.57,
        "mouthDimple": 0.43,
        "mouthRollUpper": 0.18,
        "mouthStretch": 0.15,
    },
    "TH": {"mouthShrugUpper": 0.63, "mouthLowerDown": 0.12, "mouthFrown": 0.07, "jawOpen": 0.06},
    "DD": {"mouthLowerDown": 0.33, "mouthUpperUp": 0.24, "mouthShrugUpper": 0.11},
    "kk": {"mouthShrugUpper": 0.46, "mouthDimple": 0.35, "mouthStretch": 0.13, "jawOpen": 0.10},
    "CH": {
        "mouthFunnel": 0.50,
        "mouthLowerDown": 0.38,
        "mouthShrugUpper": 0.19,
        "mouthUpperUp": 0.09,
    },
    "SS": {"mouthLowerDown": 0.77, "mouthSmile": 0.24, "mouthDimple": 0.06},
    "nn": {
        "mouthLowerDown": 0.33,
        "mouthFunnel": 0.26,
        "mouthUpperUp": 0.24,
        "mouthSmile": 0.23,
        "mouthShrugUpper": 0.11,
    },
    "RR": {
        "mouthShrugUpper": 0.42,
        "mouthUpperUp": 0.40,
        "mouthDimple": 0.30,
        "mouthLowerDown": 0.22,
    },
}
"""Oculus visemes in ARKit shapes (both sides alike, written once); fitted over the vertices of one
mesh that has both sets."""


def fit_visemes(
    weights: Weights, visemes: tuple[str, ...]
) -> dict[str, Float[np.ndarray, "frames"]]:
    """Viseme weights in 0..1 that approximate the mouth's ARKit weights (least squares)."""
    from scipy.optimize import nnls

    mouth = [name for name in ARKIT_SHAPES if name.startswith(("mouth", "jaw"))]
    matrix = np.array([[_share(VISEMES[viseme], name) for viseme in visemes] for name in mouth])
    # The opening of the jaw is what is seen most.
    emphasis = np.array([3.0 if name == "jawOpen" else 1.0 for name in mouth])[:, None]
    wanted = np.stack([weights[name] for name in mouth]) * emphasis
    solved = [nnls(matrix * emphasis, frame)[0] for frame in wanted.T]
    return dict(zip(visemes, np.clip(np.stack(solved, axis=1), 0, 1), strict=True))


def _share(viseme: Mapping[str, float], name: str) -> float:
    return viseme.get(name, viseme.get(name.removesuffix("Left").removesuffix("Right"), 0.0))
