"""Draw the picture at the top of the README: a row of speaking frames. `python scripts/hero.py docs/hero.png`"""

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

import torch  # noqa: E402

from motet.render.renderer import Renderer  # noqa: E402
from motet.rigs.house import load_house  # noqa: E402
from motet.types import ARKIT_SHAPES, Motion, arkit_space  # noqa: E402

POSES = [
    {"mouthSmileLeft": 0.25, "mouthSmileRight": 0.25, "head": (0.0, 0.0, 0.0)},
    {"jawOpen": 0.45, "mouthLowerDownLeft": 0.3, "mouthLowerDownRight": 0.3, "browInnerUp": 0.4, "head": (0.03, -0.22, 0.03)},
    {"jawOpen": 0.1, "mouthClose": 0.1, "mouthPressLeft": 0.3, "mouthPressRight": 0.3, "eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0, "head": (0.06, -0.05, 0.0)},
    {"mouthFunnel": 0.55, "mouthPucker": 0.35, "jawOpen": 0.12, "browOuterUpLeft": 0.3, "browOuterUpRight": 0.3, "head": (0.0, 0.16, -0.02)},
    {"mouthSmileLeft": 0.6, "mouthSmileRight": 0.55, "jawOpen": 0.16, "mouthUpperUpLeft": 0.35, "mouthUpperUpRight": 0.35, "cheekSquintLeft": 0.4,
     "cheekSquintRight": 0.4, "head": (-0.04, 0.3, -0.05)},
]  # fmt: skip


def speaking() -> Motion:
    values = torch.zeros(len(POSES), 55)
    for row, pose in zip(values, POSES, strict=True):
        for name, weight in pose.items():
            if name == "head":
                row[52:] = torch.tensor(weight)
            else:
                row[ARKIT_SHAPES.index(name)] = weight
    return Motion(values, arkit_space())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--size", type=int, default=400, help="height of the row in pixels")
    arguments = parser.parse_args()
    from PIL import Image

    width = int(0.72 * arguments.size)
    row = np.concatenate(list(Renderer(load_house(), width, arguments.size).frames(speaking())), axis=1)
    Image.fromarray(row).save(arguments.out, optimize=True)


if __name__ == "__main__":
    main()
