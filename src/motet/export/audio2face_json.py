"""JSON of NVIDIA's Audio2Face exports: blendshape weights and joint transforms by frame.

Keys as in those files: `exportFps, trackPath, numPoses, numFrames, facsNames, weightMat, joints,
rotations, translations`; the shapes in ARKit's own order. The one joint is `head`, rotations are
quaternions x, y, z, w for each frame and joint.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from motet.atomic_write import write_bytes
from motet.config import parse_json
from motet.errors import AssetError
from motet.export.curves import (
    face_clip,
    face_motion,
    note_skipped,
    quaternions_from_axis_angle,
)
from motet.export.live_link_csv import SHAPE_COLUMNS
from motet.export.options import ExportOptions
from motet.export.viseme_curves import set_of, write_visemes
from motet.types import ARKIT_SHAPES, Clip

MAX_BYTES = 1 << 30
MAX_NUMBERS = 100_000_000


def _order() -> tuple[str, ...]:
    names = [name[0].lower() + name[1:] for name in SHAPE_COLUMNS]
    for right, left in (("jawRight", "jawLeft"), ("mouthRight", "mouthLeft")):
        index = names.index(right)
        # ARKit lists left before right here, the CSV of the iPhone the other way round.
        names[index : index + 2] = [left, right]
    return tuple(names)


FACS_NAMES = _order()
"""The 52 shapes in the order of the file."""


def write(clip: Clip, path: Path, options: ExportOptions) -> None:
    """Write the face curves of a clip; viseme weights where the path names a set of them."""
    if visemes := set_of(path):
        write_visemes(clip, path, visemes, options)
        return
    motion = face_motion(clip, "Audio2Face")
    columns = [motion.channel("blendshapes", name).cpu().numpy() for name in FACS_NAMES]
    weights = np.stack(columns, axis=1)
    rotations = quaternions_from_axis_angle(motion["head"].double().cpu().numpy())
    fps = motion.space.fps
    content: dict[str, Any] = {
        "exportFps": int(fps) if fps == int(fps) else fps,
        "trackPath": str(clip.provenance.get("source", "")),
        "numPoses": len(FACS_NAMES),
        "numFrames": motion.frames,
        "facsNames": list(FACS_NAMES),
        "weightMat": [[round(float(value), 8) for value in row] for row in weights],
        "joints": ["head"],
        "rotations": [[[round(float(value), 9) for value in row]] for row in rotations],
        "translations": [[[0.0, 0.0, 0.0]]] * motion.frames,
    }
    write_bytes(path, (json.dumps(content, separators=(",", ":")) + "\n").encode())
    options.report(motion.frames)


def read(path: Path) -> Clip:
    """Face curves by name; missing shapes are 0, other names (tongue shapes, visemes) are skipped
    with a note.

    Raises:
        AssetError: not such a file, no ARKit shape in it, or its tables do not fit its own counts.
    """
    content = _content(path)
    names = content.get("facsNames")
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise AssetError(f"{path} is not an Audio2Face export: facsNames must be a list of names")
    known = {name.lower(): name for name in ARKIT_SHAPES}
    unknown = [name for name in names if name.lower() not in known]
    if len({name.lower() for name in names}) != len(names):
        raise AssetError(f"{path} has a shape twice in its facsNames; export it again")
    if len(unknown) == len(names):
        raise AssetError(f"{path} has no ARKit shapes; its facsNames are {', '.join(unknown[:3])}")
    note_skipped(path, unknown)
    weights = _table(content, "weightMat", (len(names),), path)
    fps = content.get("exportFps")
    if not isinstance(fps, int | float) or isinstance(fps, bool):
        raise AssetError(f"{path} has the exportFps {fps!r}; a number is needed")
    columns = {
        known[name.lower()]: weights[:, index]
        for index, name in enumerate(names)
        if name.lower() in known
    }
    head = _head(content, len(weights), path)
    provenance = {"source": str(content.get("trackPath", ""))[:4096]}
    return face_clip(columns, head, float(fps), provenance, path)


def _content(path: Path) -> dict[str, Any]:
    if path.stat().st_size > MAX_BYTES:
        raise AssetError(f"{path} is larger than {MAX_BYTES} bytes and is not read")
    try:
        content = parse_json(path.read_bytes())
    except ValueError as error:
        raise AssetError(f"{path} is not JSON: {str(error)[:100]}") from error
    if not isinstance(content, dict) or "weightMat" not in content:
        raise AssetError(f"{path} is not an Audio2Face export: it has no weightMat")
    return content


def _head(content: dict[str, Any], frames: int, path: Path) -> np.ndarray | None:
    joints = content.get("joints")
    if not isinstance(joints, list) or "head" not in joints or not content.get("rotations"):
        return None
    from scipy.spatial.transform import Rotation

    rotations = _table(content, "rotations", (len(joints), 4), path)
    if len(rotations) != frames or not (np.linalg.norm(rotations, axis=-1) > 1e-6).all():
        raise AssetError(
            f"{path} has rotations that are not one quaternion for each of its {frames} frames"
        )
    # x, y, z, w as in SciPy
    return Rotation.from_quat(rotations[:, joints.index("head")]).as_rotvec()


def _table(content: dict[str, Any], key: str, shape: tuple[int, ...], path: Path) -> np.ndarray:
    try:
        table = np.array(content[key], dtype=np.float64)
    except (ValueError, TypeError, OverflowError) as error:
        raise AssetError(f"{path} has a {key} that is not a table of numbers") from error
    # (frames, *shape)
    fits = table.ndim == 1 + len(shape) and table.shape[1:] == shape and table.size <= MAX_NUMBERS
    if not fits or not np.isfinite(table).all():
        raise AssetError(
            f"{path} has a {key} of shape {table.shape}, (frames, {', '.join(map(str, shape))})"
            " finite numbers are needed"
        )
    declared = content.get("numFrames")
    if key == "weightMat" and isinstance(declared, int) and declared != len(table):
        raise AssetError(
            f"{path} declares {declared} frames and holds {len(table)}; it is cut off or damaged"
        )
    return table
