"""Faces as the archives of other programs.

The second ending chooses; a plain `.npz` is a take with everything in it.

- `name.flame.npz`, as DiffPoseTalk's authors write it: `exp` (frames, 50 or 100), `pose`
  (frames, 6: head, jaw), `shape` (frames, 100), and `fps`; with eyes also `eyes` (frames, 6)
- `name.vhap.npz`, as the tracker VHAP writes it: `expr` (frames, 100), `rotation`, `neck_pose`,
  `jaw_pose`, `translation` (frames, 3), `eyes_pose` (frames, 6), `shape` (300,)
- `name.vertices.npz`: `vertices` (frames, verts, 3), `faces` (faces, 3), `fps`; needs the user's
  FLAME or template

Rotations are axis-angle, radians; all numbers float32.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from motet.atomic_write import write_bytes
from motet.errors import SpaceError
from motet.export import FACE_ARCHIVES
from motet.export.curves import single_motion
from motet.export.options import ExportOptions
from motet.export.user_mesh import posed_chunks, shape_of, shaped_figure
from motet.rigs.flame import N_EXPRESSION, N_SHAPE
from motet.rigs.flame_figure import flame_parameters
from motet.types import Clip, Motion

N_STORED_SHAPE = 100
"""Identity coefficients in the published files."""


def kind_of(path: Path) -> str | None:
    """Which of these archives a path names, if any."""
    second = Path(path.stem).suffix.removeprefix(".").lower()
    return second if second in FACE_ARCHIVES else None


def write_kind(clip: Clip, path: Path, kind: str, options: ExportOptions) -> int:
    """Write the face of a clip and return the number of frames.

    Raises:
        InputError: it has no motion, or several takes.
        SpaceError: its motion is not in a FLAME space, or for vertices the user's FLAME or template
            is missing.
    """
    motion = single_motion(clip, kind)
    members = _WRITERS[kind](clip, motion, options)
    arrays = {name: np.asarray(value, order="C") for name, value in members.items()}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    write_bytes(path, buffer.getvalue())
    return motion.frames


def _flame(clip: Clip, motion: Motion, options: ExportOptions) -> dict[str, np.ndarray]:
    parameters = flame_parameters(motion)
    pose = torch.cat([parameters.pose[:, 0], parameters.pose[:, 2]], -1)
    shape = _padded(_identity(clip, options), N_STORED_SHAPE)
    members = {
        "exp": parameters.expression,
        "pose": pose,
        "shape": shape.expand(motion.frames, -1),
    }
    if bool(parameters.pose[:, 3:].any()):
        members["eyes"] = parameters.pose[:, 3:].flatten(1)
    return {**_arrays(members), "fps": np.float32(motion.space.fps)}


def _vhap(clip: Clip, motion: Motion, options: ExportOptions) -> dict[str, np.ndarray]:
    parameters = flame_parameters(motion)
    return _arrays(
        {
            "expr": _padded(parameters.expression, N_EXPRESSION),
            "rotation": parameters.pose[:, 0],
            "neck_pose": parameters.pose[:, 1],
            "jaw_pose": parameters.pose[:, 2],
            "eyes_pose": parameters.pose[:, 3:].flatten(1),
            "translation": torch.zeros(motion.frames, 3),
            "shape": _padded(_identity(clip, options), N_SHAPE),
        }
    )


def _vertices(clip: Clip, motion: Motion, options: ExportOptions) -> dict[str, np.ndarray]:
    shaped = shaped_figure(clip, motion, options.mesh)
    if shaped is None:
        raise SpaceError(f"vertices of motion in {motion.space.name!r} are not written; use .glb")
    return {
        "vertices": np.concatenate(list(posed_chunks(shaped, motion))).astype(np.float32),
        "faces": shaped.rig.topology.faces.numpy().astype(np.int32),
        "fps": np.float32(motion.space.fps),
    }


_WRITERS = {"flame": _flame, "vhap": _vhap, "vertices": _vertices}


def _identity(clip: Clip, options: ExportOptions) -> Float[Tensor, " coefficients"]:
    own_identity = None if options.mesh is None else options.mesh.identity
    identity = own_identity if own_identity is not None else shape_of(clip)
    return torch.zeros(1) if identity is None else identity


def _padded(values: Float[Tensor, "*frames numbers"], width: int) -> Float[Tensor, "*frames width"]:
    values = values[..., :width]
    return torch.nn.functional.pad(values, (0, width - values.shape[-1]))


def _arrays(members: dict[str, Tensor]) -> dict[str, np.ndarray]:
    return {name: value.float().cpu().numpy() for name, value in members.items()}
