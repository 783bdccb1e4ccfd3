"""Contact sheet of the emotions, each at weight 0.8 on a speaking mouth.

python -m recipes.draw_emotions docs/emotions.webp
"""

from __future__ import annotations

import sys

import numpy as np
import torch
from PIL import Image, ImageDraw

from motet.acting import EMOTIONS, emotion_keys
from motet.face.emotion import Emotion
from motet.face.operator import FaceCues
from motet.render.renderer import Renderer
from motet.rigs.house import load_house
from motet.types import ARKIT_SHAPES, Motion, arkit_space

SIZE, COLUMNS = 320, 4
CUT = (40, 275, 55, 265)
"""Rows and columns of a picture that are shown."""


def main(path: str) -> None:
    """Draw and write."""
    space, names = arkit_space(), ("neutral", *EMOTIONS)
    face = torch.zeros(1, 1, space.dim)
    face[..., ARKIT_SHAPES.index("jawOpen")] = 0.12
    frames = []
    for name in names:
        keys = emotion_keys(f"{name}={1 if name == 'neutral' else 0.8}")
        frames.append(Emotion(keys, space.range("head"), 25.0).apply(face, FaceCues())[0])
    pictures = Renderer(load_house(), SIZE, SIZE, workers=1).frames(
        Motion(torch.cat(frames), space)
    )
    tiles = [_labelled(picture, name) for picture, name in zip(pictures, names, strict=True)]
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % COLUMNS)
    rows = [np.concatenate(tiles[k : k + COLUMNS], 1) for k in range(0, len(tiles), COLUMNS)]
    Image.fromarray(np.concatenate(rows)).save(path, quality=80)


def _labelled(picture: np.ndarray, name: str) -> np.ndarray:
    top, bottom, left, right = CUT
    image = Image.fromarray(np.ascontiguousarray(picture[top:bottom, left:right]))
    ImageDraw.Draw(image).text((6, 4), name, fill=(255, 255, 255))
    return np.array(image)


if __name__ == "__main__":
    main(sys.argv[1])
