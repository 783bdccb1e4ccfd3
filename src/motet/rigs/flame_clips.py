"""FLAME motion in the arrays of other programs, under the names of our tracks."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np


def flame_tracks(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays of a file, with our tracks beside those of a known layout.

    Known are `exp` with `pose` (DiffPoseTalk; head, then jaw), and `expr` with `rotation`,
    `jaw_pose` and `eyes_pose` (the tracker VHAP). Eyes are two angles each, about x and y.
    """
    tracks = dict(arrays)
    if "exp" in arrays and "pose" in arrays:
        pose = arrays["pose"]
        tracks |= {"expression": arrays["exp"], "head": pose[..., :3], "jaw": pose[..., 3:6]}
        eyes = arrays.get("eyes")
    elif "expr" in arrays and "rotation" in arrays and "jaw_pose" in arrays:
        tracks |= {"expression": arrays["expr"], "head": arrays["rotation"]}
        tracks["jaw"], eyes = arrays["jaw_pose"], arrays.get("eyes_pose")
    else:
        return tracks
    if eyes is None:
        eyes = np.zeros((*tracks["head"].shape[:-1], 6), np.float32)
    return tracks | {"eye_left": eyes[..., :2], "eye_right": eyes[..., 3:5]}


def of_width(values: np.ndarray, width: int) -> np.ndarray:
    """Expression or jaw of another model of FLAME: the first numbers, or zeros beyond the last.

    FLAME's coefficients are ordered by how much they explain, and a jaw of one number is its
    rotation about x.
    """
    cut = values[..., :width]
    missing = width - cut.shape[-1]
    return np.pad(cut, [(0, 0)] * (cut.ndim - 1) + [(0, missing)])
