"""Viseme weights of a face as tables, for engines and avatars that know no ARKit shapes.

The ending before the last one chooses the set, the last one the form:

- `name.oculus.csv`, `name.oculus.json`: the fifteen visemes of Oculus (OVR LipSync), in its order
- `name.vrm.csv`, `name.vrm.json`: the five vowels of VRM 1

The weights are those that an avatar with these shapes gets (`motet.export.gltf.visemes`), 0..1.
A CSV has a row for each frame: its time in seconds, then the weights. JSON has `fps`, `visemes`
(the names) and `weights` (frames, names). Both have the frame rate of the take. They hold a mouth
alone, so no take is read back from them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float

from motet.atomic_write import write_bytes
from motet.export.curves import face_motion
from motet.export.gltf.visemes import fit_visemes
from motet.export.options import ExportOptions
from motet.types import ARKIT_SHAPES, Clip, Motion

SILENCE = "sil"
"""What the other visemes leave over, so that the fifteen of Oculus add up to 1 where they can."""
_OCULUS = ("PP", "FF", "TH", "DD", "kk", "CH", "SS", "nn", "RR", "aa")
# Name in the file -> name in `motet.face.visemes`.
VISEME_SETS: Mapping[str, Mapping[str, str]] = {
    "oculus": {**{name: name for name in _OCULUS}, "E": "E", "ih": "I", "oh": "O", "ou": "U"},
    "vrm": {"aa": "aa", "ih": "I", "ou": "U", "ee": "E", "oh": "O"},
}
"""The sets by their ending."""


def set_of(path: Path) -> str | None:
    """Which of these sets a path names, if any."""
    second = Path(path.stem).suffix.removeprefix(".").lower()
    return second if second in VISEME_SETS else None


def viseme_table(
    motion: Motion, name: str
) -> tuple[tuple[str, ...], Float[np.ndarray, "frames visemes"]]:
    """Names and weights of a set, for motion in the `arkit` space."""
    weights = {
        shape: motion.channel("blendshapes", shape).double().cpu().numpy() for shape in ARKIT_SHAPES
    }
    known = VISEME_SETS[name]
    fitted = fit_visemes(weights, tuple(known.values()), motion.space.fps)
    table = np.stack([fitted[own] for own in known.values()], axis=1)  # (frames, visemes)
    if name != "oculus":
        return tuple(known), table
    rest = np.clip(1.0 - table.sum(axis=1, keepdims=True), 0.0, 1.0)
    return (SILENCE, *known), np.concatenate([rest, table], axis=1)


def write_visemes(clip: Clip, path: Path, name: str, options: ExportOptions) -> None:
    """Write the visemes of a clip, as JSON or CSV by the last ending.

    Raises:
        InputError: it has no motion, or several takes.
        SpaceError: its motion cannot be expressed in ARKit shapes.
    """
    motion = face_motion(clip, f"{name} viseme")
    names, table = viseme_table(motion, name)
    form = _json if path.suffix.lower() == ".json" else _csv
    write_bytes(path, form(names, table, motion.space.fps).encode())
    options.report(motion.frames)


def _csv(names: tuple[str, ...], table: Float[np.ndarray, "frames visemes"], fps: float) -> str:
    rows = [",".join(("time", *names))]
    for frame, row in enumerate(table):
        rows.append(",".join([f"{frame / fps:.6f}", *(f"{weight:.4f}" for weight in row)]))
    return "\n".join(rows) + "\n"


def _json(names: tuple[str, ...], table: Float[np.ndarray, "frames visemes"], fps: float) -> str:
    content = {"fps": fps, "visemes": list(names), "weights": table.round(4).tolist()}
    return json.dumps(content, separators=(",", ":")) + "\n"
