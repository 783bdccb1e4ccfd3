"""Draw the shipped figures from the front and from the side, for the documentation.

python -m recipes.draw_figures docs/figures.webp
"""

from __future__ import annotations

import sys

import numpy as np
import torch
from PIL import Image

from motet.render.renderer import Renderer
from motet.rigs.figures import FIGURES
from motet.rigs.house import load_figure
from motet.types import ARKIT_SHAPES, Motion, arkit_space

SIZE, CUT = 512, (20, 470, 70, 442)
"""Pixels, and the part of each picture that is kept: rows, then columns."""
SPEAKING = {
    "jawOpen": 0.16,
    "mouthUpperUpLeft": 0.3,
    "mouthUpperUpRight": 0.3,
    "mouthLowerDownLeft": 0.2,
    "mouthLowerDownRight": 0.2,
    "mouthSmileLeft": 0.35,
    "mouthSmileRight": 0.35,
    "browInnerUp": 0.15,
}


def main(path: str) -> None:
    """Draw every figure speaking, with both cameras."""
    space = arkit_space()
    values = torch.zeros(1, space.dim)
    for name, weight in SPEAKING.items():
        values[0, ARKIT_SHAPES.index(name)] = weight
    top, bottom, left, right = CUT
    rows = []
    for camera in ("head", "three-quarter"):
        pictures = [
            next(Renderer(load_figure(name), SIZE, SIZE, camera, 1).frames(Motion(values, space)))
            for name in FIGURES
        ]
        rows.append(np.concatenate([p[top:bottom, left:right] for p in pictures], axis=1))
    Image.fromarray(np.concatenate(rows)).save(path, quality=82, method=6)


if __name__ == "__main__":
    main(sys.argv[1])
