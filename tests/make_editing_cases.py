"""`tests/editing_cases.json`: edits and what they give, for the Python and the TypeScript side.

python -m tests.make_editing_cases
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from motet.editing import CHANNELS, GROUPS, edited, layers_from_json
from motet.face.lip_shapes import RESPONSE
from motet.types import Motion, arkit_space

PATH = Path(__file__).parent / "editing_cases.json"
FRAMES, FPS = 14, 25.0
LAYERS = {
    "key, set": [
        {"type": "key", "channels": ["jawOpen", "head.y"], "t": 0.2, "value": 0.7,
         "in": 0.12, "out": 0.2, "mode": "set"},
    ],
    "key, added, over the top": [
        {"type": "key", "channels": ["mouthSmileLeft", "mouthSmileRight"], "t": 0.21,
         "value": 0.9, "in": 0.0, "out": 0.1, "mode": "add"},
    ],
    "region": [
        {"type": "region", "t0": 0.12, "t1": 0.3, "groups": ["mouth", "head"], "gain": 0.5,
         "offset": 0.02, "fade": 0.1},
    ],
    "region without fade": [
        {"type": "region", "t0": 0.12, "t1": 0.28, "groups": ["brows"], "gain": 1.6,
         "offset": 0.0, "fade": 0.0},
    ],
    "shift later": [
        {"type": "shift", "t0": 0.08, "t1": 0.4, "groups": ["eyes", "cheeks"], "dt": 0.07},
    ],
    "shift earlier": [{"type": "shift", "t0": 0.0, "t1": 0.6, "groups": ["head"], "dt": -0.1}],
    "take": [
        {"type": "take", "t0": 0.1, "t1": 0.35, "groups": ["brows", "head"], "take_id": "other",
         "fade": 0.08},
    ],
    "close_lips": [{"type": "close_lips", "t": 0.23, "width": 0.16}],
    "close_lips between frames": [{"type": "close_lips", "t": 0.3, "width": 0.02}],
    "all of them": [
        {"type": "take", "t0": 0.0, "t1": 0.2, "groups": ["eyes"], "take_id": "other",
         "fade": 0.1},
        {"type": "shift", "t0": 0.0, "t1": 0.3, "groups": ["mouth"], "dt": 0.04},
        {"type": "region", "t0": 0.2, "t1": 0.5, "groups": ["mouth"], "gain": 1.3,
         "offset": 0.0, "fade": 0.05},
        {"type": "key", "channels": ["jawOpen"], "t": 0.36, "value": 0.8, "in": 0.1,
         "out": 0.1, "mode": "set"},
        {"type": "close_lips", "t": 0.44, "width": 0.12},
    ],
}  # fmt: skip


def motion(seed: int, frames: int = FRAMES, fps: float = FPS) -> Motion:
    """Smooth random motion; half of the weights lie near 0, as in speech."""
    random = np.random.default_rng(seed)
    values = random.uniform(-0.3, 0.8, (2, 55))[[0, 1, 0, 1]]
    times = np.linspace(0, 3, frames)
    curves = np.stack([np.interp(times, range(4), column) for column in values.T], 1)
    curves[:, :52] = curves[:, :52].clip(0, 1)
    curves[:, 52:] *= 0.3
    return Motion(torch.from_numpy(curves.round(4)).float(), arkit_space(fps))


def cases() -> dict[str, object]:
    """The content of the file."""
    base, other = motion(1), motion(2, 12, 20.0)

    def table(one: Motion) -> list[list[float]]:
        return [[round(float(v), 7) for v in row] for row in one.values]

    results = [
        {
            "name": name,
            "layers": layers,
            "result": table(edited(base, layers_from_json(layers), lambda take: other)),
        }
        for name, layers in LAYERS.items()
    ]
    return {
        "channels": CHANNELS,
        "groups": GROUPS,
        "lip_gap": {name: row[0] for name, row in RESPONSE.items()},
        "fps": FPS,
        "base": table(base),
        "takes": {"other": {"fps": 20.0, "values": table(other)}},
        "cases": results,
    }


if __name__ == "__main__":
    PATH.write_text(json.dumps(cases(), separators=(",", ":")) + "\n")
