"""Bodies as the archives of other programs: SMPL-X parameters, AMASS, BEAT2.

The second ending chooses: `name.smplx.npz`, `name.amass.npz`, `name.beat2.npz`; a plain `.npz` is a
take with everything in it.

==========
======================================================================================================================= `.smplx`    `global_orient` (frames, 3), `body_pose` (frames, 63), `jaw_pose`, `leye_pose`, `reye_pose` (frames, 3), `left_hand_pose`,
            `right_hand_pose` (frames, 45), `transl` (frames, 3), `betas` (10,), `expression`
            (frames, 10), `fps`; +Y up
`.amass`    `poses` (frames, 165), `trans`, `root_orient`, `pose_body`, `pose_jaw`, `pose_eye`,
`pose_hand`, `betas` (16,), `gender`,
            `surface_model_type`, `mocap_frame_rate`, `mocap_time_length`; +Z up, as in AMASS
`.beat2`    `poses` (frames, 165), `trans`, `betas` (300,), `expressions` (frames, 100), `model`,
`gender`, `mocap_frame_rate`; +Y up ==========
=======================================================================================================================

Rotations are axis-angle, radians. In SMPL-X a translation is added to the rest place of the pelvis,
which lies `PELVIS_M` under the model's origin; so `transl` and `trans` here are the pelvis' place
minus that, and a reader adds it again. The body model itself is the user's: its legs are longer or
shorter than those of the house figure, so its feet may stand a few centimetres over or under the
floor.
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
"""Rest place of the pelvis of the neutral SMPL-X body against the model's origin, to the
centimetre; stored as `pelvis_rest`."""
TO_Z_UP = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])


def kind_of(path: Path) -> str | None:
    """Which of these archives a path names, if any."""
    second = Path(path.stem).suffix.removeprefix(".").lower()
    return second if second in BODY_ARCHIVES else None


def write_kind(clip: Clip, path: Path, kind: str) -> int:
    """Write the body of a clip; answers the number of frames.

    Raises:
        InputError: it has no motion, or several takes.
        SpaceError: its motion has no body.
    """
    motion = body_motion_of(clip, kind)
    poses = np.zeros((motion.frames, 55, 3))
    poses[:, :25] = axis_angle_from_matrix(local_rotations(motion).double()).numpy()
    place = motion["root"].double().numpy()
    members = _MAKERS[kind](poses, place - PELVIS_M, motion.space.fps)
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        allow_pickle=False,
        pelvis_rest=PELVIS_M,
        **{name: _stored(value) for name, value in members.items()},
    )
    write_bytes(path, buffer.getvalue())
    return motion.frames


def read_kind(members: dict[str, np.ndarray], path: Path) -> Clip:
    """A take back from such an archive, ours or another program's.

    Raises:
        AssetError: it has not the arrays of a body.
    """
    try:
        rest = np.asarray(members.get("pelvis_rest", PELVIS_M), np.float64).reshape(3)
        if "global_orient" in members:
            parts = [
                members[name].reshape(len(members["transl"]), -1)
                for name in ("global_orient", "body_pose", "jaw_pose", "leye_pose", "reye_pose")
            ]
            poses, trans, fps = (
                np.concatenate(parts, axis=1),
                members["transl"],
                members.get("fps", np.array(30.0)),
            )
        else:
            poses, trans, fps = members["poses"], members["trans"], members["mocap_frame_rate"]
        rotations = matrix_from_axis_angle(
            torch.from_numpy(poses.reshape(len(poses), -1, 3)[:, :25].astype(np.float64))
        )
        place, rate = torch.from_numpy(np.asarray(trans, np.float64)), float(fps)
        if (
            rotations.shape[1:] != (25, 3, 3)
            or place.shape != (len(rotations), 3)
            or not len(place)
            or not 0 < rate <= 1000
        ):
            raise ValueError(
                f"{tuple(poses.shape)} numbers of pose and {tuple(trans.shape)} of place at {rate}"
                " a second"
            )
        if not bool(torch.isfinite(rotations).all() and torch.isfinite(place).all()):
            raise ValueError("numbers that are not finite")
    except (KeyError, ValueError, TypeError) as error:
        raise AssetError(f"{path} does not hold a body of SMPL-X: {error}") from error
    if "surface_model_type" in members:
        back = torch.from_numpy(TO_Z_UP.T)
        # The translation is turned about the model's origin, the rest place of the pelvis with it.
        place = (place + torch.from_numpy(rest)) @ back.T
        rotations[:, 0] = back @ rotations[:, 0]
    else:
        place = place + torch.from_numpy(rest)
    return Clip(
        None, body_motion(place.float(), rotations.float(), rate), provenance={"source": path.name}
    )


def _stored(value: Any) -> np.ndarray:
    array = np.asarray(value)
    return array.astype(np.float32) if array.dtype == np.float64 and array.ndim > 1 else array


def _smplx(
    poses: Float[np.ndarray, "frames 55 3"], trans: Float[np.ndarray, "frames 3"], fps: float
) -> dict[str, Any]:
    frames = len(poses)
    return {
        "global_orient": poses[:, 0], "body_pose": poses[:, 1:22].reshape(frames, 63), "jaw_pose": poses[:, 22], "leye_pose": poses[:, 23],
        "reye_pose": poses[:, 24], "left_hand_pose": poses[:, 25:40].reshape(frames, 45), "right_hand_pose": poses[:, 40:].reshape(frames, 45),
        "transl": trans, "betas": np.zeros(10), "expression": np.zeros((frames, 10)), "fps": fps, "gender": "neutral", "model_type": "smplx",
    }  # fmt: skip


def _amass(
    poses: Float[np.ndarray, "frames 55 3"], trans: Float[np.ndarray, "frames 3"], fps: float
) -> dict[str, Any]:
    frames = len(poses)
    poses = poses.copy()
    first = matrix_from_axis_angle(torch.from_numpy(poses[:, 0]))
    poses[:, 0] = axis_angle_from_matrix(torch.from_numpy(TO_Z_UP) @ first).numpy()
    flat = poses.reshape(frames, 165)
    return {
        "poses": flat, "trans": (trans + PELVIS_M) @ TO_Z_UP.T - PELVIS_M, "root_orient": flat[:, :3], "pose_body": flat[:, 3:66],
        "pose_jaw": flat[:, 66:69], "pose_eye": flat[:, 69:75], "pose_hand": flat[:, 75:], "betas": np.zeros(16), "num_betas": 16,
        "gender": "neutral", "surface_model_type": "smplx", "mocap_frame_rate": fps, "mocap_time_length": frames / fps,
    }  # fmt: skip


def _beat2(
    poses: Float[np.ndarray, "frames 55 3"], trans: Float[np.ndarray, "frames 3"], fps: float
) -> dict[str, Any]:
    frames = len(poses)
    return {
        "poses": poses.reshape(frames, 165), "trans": trans, "betas": np.zeros(300), "expressions": np.zeros((frames, 100)),
        "model": "smplx2020", "gender": "neutral", "mocap_frame_rate": fps,
    }  # fmt: skip


_MAKERS = {"smplx": _smplx, "amass": _amass, "beat2": _beat2}
