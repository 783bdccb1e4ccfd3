"""Bodies as the archives of other programs: SMPL-X parameters, AMASS, BEAT2.

The second ending chooses: `name.smplx.npz`, `name.amass.npz`, `name.beat2.npz`; a plain `.npz` is a
take with everything in it.

- `.smplx`, +Y up: `global_orient` (frames, 3), `body_pose` (frames, 63), `jaw_pose`, `leye_pose`,
  `reye_pose` (frames, 3), `left_hand_pose`, `right_hand_pose` (frames, 45), `transl` (frames, 3),
  `betas` (10,), `expression` (frames, 10), `fps`
- `.amass`, +Z up as in AMASS: `poses` (frames, 165), `trans`, `root_orient`, `pose_body`,
  `pose_jaw`, `pose_eye`, `pose_hand`, `betas` (16,), `gender`, `surface_model_type`,
  `mocap_frame_rate`, `mocap_time_length`
- `.beat2`, +Y up: `poses` (frames, 165), `trans`, `betas` (300,), `expressions` (frames, 100),
  `model`, `gender`, `mocap_frame_rate`

Rotations are axis-angle, radians. In SMPL-X a translation is added to the rest position of the
pelvis, `PELVIS_M` from the model's origin. So `transl` and `trans` are the position of the pelvis
minus that, and a reader adds it again. The legs of the user's body model are longer or shorter than
those of the house figure, so its feet may be a few centimetres above or below the floor.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from motet.atomic_write import write_bytes
from motet.body.skeleton import body_motion, local_rotations
from motet.errors import AssetError
from motet.export import BODY_ARCHIVES
from motet.export.curves import body_motion_of
from motet.geometry.rotation import axis_angle_from_matrix, matrix_from_axis_angle
from motet.types import Clip

PELVIS_M = np.array([0.0, -0.35, 0.01])
"""Rest position of the pelvis of the neutral SMPL-X body, to the centimetre; stored as
`pelvis_rest`."""
TO_Z_UP = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])


def kind_of(path: Path) -> str | None:
    """Which of these archives a path names, if any."""
    second = Path(path.stem).suffix.removeprefix(".").lower()
    return second if second in BODY_ARCHIVES else None


def write_kind(clip: Clip, path: Path, kind: str) -> int:
    """Write the body of a clip and return the number of frames.

    Raises:
        InputError: it has no motion, or several takes.
        SpaceError: its motion has no body.
    """
    motion = body_motion_of(clip, kind)
    poses = np.zeros((motion.frames, 55, 3))  # axis-angle; fingers and face at rest
    poses[:, :25] = axis_angle_from_matrix(local_rotations(motion).double()).numpy()
    root = motion["root"].double().numpy()
    members = _WRITERS[kind](poses, root - PELVIS_M, motion.space.fps)
    arrays = {name: _stored(value) for name, value in members.items()}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, pelvis_rest=PELVIS_M, **arrays)
    write_bytes(path, buffer.getvalue())
    return motion.frames


def read_kind(members: dict[str, np.ndarray], path: Path) -> Clip:
    """Read a take from such an archive, of motet or another program.

    Raises:
        AssetError: it lacks the arrays of a body.
    """
    try:
        rest = np.asarray(members.get("pelvis_rest", PELVIS_M), np.float64).reshape(3)
        poses, trans, rate = _read_arrays(members)
        joints = torch.from_numpy(poses.reshape(len(poses), -1, 3)[:, :25].astype(np.float64))
        rotations = matrix_from_axis_angle(joints)  # (frames, 25, 3, 3)
        root = torch.from_numpy(np.asarray(trans, np.float64))
        fits = rotations.shape[1:] == (25, 3, 3) and root.shape == (len(rotations), 3)
        if not fits or not len(root) or not 0 < rate <= 1000:
            raise ValueError(
                f"poses of shape {tuple(poses.shape)}, translations of {tuple(trans.shape)}, {rate}"
                " frames per second"
            )
        if not bool(torch.isfinite(rotations).all() and torch.isfinite(root).all()):
            raise ValueError("numbers that are not finite")
    except (KeyError, ValueError, TypeError) as error:
        raise AssetError(f"{path} does not hold a body of SMPL-X: {error}") from error
    # The rotation is about the model's origin and includes the rest position of the pelvis.
    root = root + torch.from_numpy(rest)
    if "surface_model_type" in members:
        to_y_up = torch.from_numpy(TO_Z_UP.T)
        root = root @ to_y_up.T
        rotations[:, 0] = to_y_up @ rotations[:, 0]
    motion = body_motion(root.float(), rotations.float(), rate)
    return Clip(None, motion, provenance={"source": path.name})


def _read_arrays(members: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray, float]:
    """Poses (frames, numbers), translations and frame rate."""
    if "global_orient" not in members:
        return members["poses"], members["trans"], float(members["mocap_frame_rate"])
    names = ("global_orient", "body_pose", "jaw_pose", "leye_pose", "reye_pose")
    trans = members["transl"]
    parts = [members[name].reshape(len(trans), -1) for name in names]
    return np.concatenate(parts, axis=1), trans, float(members.get("fps", 30.0))


def _stored(value: Any) -> np.ndarray:
    array = np.asarray(value)
    return array.astype(np.float32) if array.dtype == np.float64 and array.ndim > 1 else array


def _smplx(
    poses: Float[np.ndarray, "frames 55 3"], trans: Float[np.ndarray, "frames 3"], fps: float
) -> dict[str, Any]:
    frames = len(poses)
    return {
        "global_orient": poses[:, 0],
        "body_pose": poses[:, 1:22].reshape(frames, 63),
        "jaw_pose": poses[:, 22],
        "leye_pose": poses[:, 23],
        "reye_pose": poses[:, 24],
        "left_hand_pose": poses[:, 25:40].reshape(frames, 45),
        "right_hand_pose": poses[:, 40:].reshape(frames, 45),
        "transl": trans,
        "betas": np.zeros(10),
        "expression": np.zeros((frames, 10)),
        "fps": fps,
        "gender": "neutral",
        "model_type": "smplx",
    }


def _amass(
    poses: Float[np.ndarray, "frames 55 3"], trans: Float[np.ndarray, "frames 3"], fps: float
) -> dict[str, Any]:
    frames = len(poses)
    poses = poses.copy()
    root = matrix_from_axis_angle(torch.from_numpy(poses[:, 0]))
    # Only the root is turned to z up: all other joints are relative to it.
    poses[:, 0] = axis_angle_from_matrix(torch.from_numpy(TO_Z_UP) @ root).numpy()
    flat = poses.reshape(frames, 165)
    return {
        "poses": flat,
        # SMPL-X turns about the pelvis at rest, not about the origin.
        "trans": (trans + PELVIS_M) @ TO_Z_UP.T - PELVIS_M,
        "root_orient": flat[:, :3],
        "pose_body": flat[:, 3:66],
        "pose_jaw": flat[:, 66:69],
        "pose_eye": flat[:, 69:75],
        "pose_hand": flat[:, 75:],
        "betas": np.zeros(16),
        "num_betas": 16,
        "gender": "neutral",
        "surface_model_type": "smplx",
        "mocap_frame_rate": fps,
        "mocap_time_length": frames / fps,
    }


def _beat2(
    poses: Float[np.ndarray, "frames 55 3"], trans: Float[np.ndarray, "frames 3"], fps: float
) -> dict[str, Any]:
    frames = len(poses)
    return {
        "poses": poses.reshape(frames, 165),
        "trans": trans,
        "betas": np.zeros(300),
        "expressions": np.zeros((frames, 100)),
        "model": "smplx2020",
        "gender": "neutral",
        "mocap_frame_rate": fps,
    }


_WRITERS = {"smplx": _smplx, "amass": _amass, "beat2": _beat2}
