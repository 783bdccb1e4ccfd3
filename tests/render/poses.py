"""Poses that the picture tests share."""

import torch

from motet.types import ARKIT_SHAPES, Motion, arkit_space

GOLDEN = {
    "neutral": {},
    "open": {"jawOpen": 0.7},
    "smile": {
        "mouthSmileLeft": 0.8,
        "mouthSmileRight": 0.8,
        "cheekSquintLeft": 0.5,
        "cheekSquintRight": 0.5,
    },
    "blink": {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0},
    "turned": {"head": (0.05, 0.44, 0.0), "mouthPucker": 0.7},
}
CLOSED = [
    {},
    {"jawOpen": 0.12, "mouthClose": 0.12},
    {"jawOpen": 0.25, "mouthClose": 0.25, "mouthPressLeft": 0.3, "mouthPressRight": 0.3},
    {"mouthPucker": 0.6},
    {"mouthPressLeft": 0.6, "mouthPressRight": 0.6},
    {"mouthSmileLeft": 0.35, "mouthSmileRight": 0.35},
]


def motion(poses: list[dict]) -> Motion:
    values = torch.zeros(len(poses), 55)
    for row, shapes in zip(values, poses, strict=True):
        for name, weight in shapes.items():
            if name == "head":
                row[52:] = torch.tensor(weight)
            else:
                row[ARKIT_SHAPES.index(name)] = weight
    return Motion(values, arkit_space())
