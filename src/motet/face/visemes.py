"""The fourteen mouth visemes of Oculus in ARKit shapes, and the phones that show them.

The vowels stand where clear speech has them, in widths of the mouth: opening 0.44 for `aa`, 0.26
for `E`, 0.12 for `I`; corners 0.15 in for `O` and `U`. The consonants are fitted over the vertices
of one mesh that has both sets of targets (public domain).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from motet.types import ARKIT_SHAPES

VISEMES: dict[str, dict[str, float]] = {
    "aa": {"jawOpen": 0.54, "jawForward": 0.31, "mouthShrugUpper": 0.09},
    "E": {"jawOpen": 0.30, "mouthStretch": 0.20, "mouthLowerDown": 0.10, "mouthUpperUp": 0.10},
    "I": {"jawOpen": 0.12, "mouthStretch": 0.22, "mouthLowerDown": 0.15, "mouthUpperUp": 0.05},
    "O": {"jawOpen": 0.30, "mouthFunnel": 0.30, "mouthPucker": 0.35},
    "U": {"jawOpen": 0.10, "mouthFunnel": 0.10, "mouthPucker": 0.65},
    "PP": {
        "mouthRollUpper": 0.60,
        "mouthRollLower": 0.23,
        "mouthClose": 0.21,
        "mouthUpperUp": 0.19,
        "mouthLowerDown": 0.14,
        "jawOpen": 0.13,
    },
    "FF": {
        "mouthShrugUpper": 1.0,
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
"""Viseme -> ARKit shapes; a name without a side means both sides. Silence, the fifteenth, is the
face at rest."""

PHONES: Mapping[str, str] = {
    "PP": "P B M", "FF": "F V", "TH": "TH DH", "DD": "T D", "kk": "K G NG HH",
    "CH": "CH JH SH ZH", "SS": "S Z", "nn": "N L", "RR": "R ER",
    "aa": "AA AH AW AY", "E": "EH AE EY", "I": "IH IY Y", "O": "AO OW OY", "U": "UH UW W",
}  # fmt: skip
"""Viseme -> its phones, ARPAbet."""


def face_pose(shapes: Mapping[str, float]) -> Float[np.ndarray, "52"]:
    """ARKit weights of a face; a name without a side sets both sides."""
    pose = np.zeros(len(ARKIT_SHAPES))
    for name, weight in shapes.items():
        for shape in (name,) if name in ARKIT_SHAPES else (f"{name}Left", f"{name}Right"):
            pose[ARKIT_SHAPES.index(shape)] = weight
    return pose
