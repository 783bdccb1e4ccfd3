"""Conversion between clips and the curves that file formats hold."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from motet.errors import AssetError, InputError, SpaceError
from motet.rigs.house.face_body import split
from motet.types import ARKIT_SHAPES, Clip, Motion, arkit_space

_LOG = logging.getLogger(__name__)
MAX_WEIGHT = 2.0
"""Weights beyond this are percentages: exaggerated takes stay below, a percentage of speech does
not."""


def single_motion(clip: Clip, kind: str) -> Motion:
    """The motion of a clip, one take.

    Raises:
        InputError: there is none, it is empty, a batch, or not finite.
    """
    motion = clip.motion
    if motion is None:
        raise InputError(f"a {kind} file needs motion, this clip has none")
    if motion.values.ndim != 2:
        raise InputError(
            f"a {kind} file holds one take (frames, numbers), this motion has the shape"
            f" {tuple(motion.values.shape)}; write the takes one by one"
        )
    if motion.frames == 0:
        raise InputError(f"a {kind} file needs at least one frame, this motion has none")
    if not bool(torch.isfinite(motion.values).all()):
        raise InputError(
            "the motion contains values that are not finite and is not written; generate it again"
        )
    return motion


def face_motion(clip: Clip, kind: str) -> Motion:
    """The motion of a clip in the `arkit` space.

    Raises:
        InputError: see `single_motion`.
        SpaceError: it is in a space from which no conversion to ARKit shapes is known.
    """
    motion = single_motion(clip, kind)
    # From a body with a face, or another rig, to the 52 weights and the head.
    return motion.to(arkit_space(motion.space.fps))


def body_motion_of(clip: Clip, kind: str) -> Motion:
    """The motion of a clip in the `smplx25` space.

    Raises:
        InputError: see `single_motion`.
        SpaceError: it has no body.
    """
    motion = single_motion(clip, kind)
    body = split(motion)[1]
    if body is None:
        raise SpaceError(
            f"a {kind} file holds a body, this take is in the space {motion.space.name!r}; make one"
            " with 'motet run -m mospa'"
        )
    return body


def face_clip(
    weights: dict[str, np.ndarray],
    head: np.ndarray | None,
    fps: float,
    provenance: dict[str, Any],
    source: object,
) -> Clip:
    """A clip from ARKit weights by name (absent ones are 0) and the head's axis-angle.

    Weights in percent are scaled to 0..1 with a note.

    Raises:
        AssetError: no frames, an impossible frame rate, or values that are not finite or neither
            weights nor percentages.
    """
    frames = len(next(iter(weights.values())))
    if frames == 0:
        raise AssetError(f"{source} holds no frames")
    if not (np.isfinite(fps) and 0 < fps <= 1000):
        raise AssetError(f"{source} has {fps} frames per second; between 0 and 1000 are possible")
    values = np.zeros((frames, len(ARKIT_SHAPES) + 3), np.float32)
    for column, name in enumerate(ARKIT_SHAPES):
        if name in weights:
            values[:, column] = weights[name]
    values = _from_percent(values, source)
    if head is not None:
        values[:, len(ARKIT_SHAPES) :] = head
    if not np.isfinite(values).all():
        raise AssetError(f"{source} contains values that are not finite; export it again")
    return Clip(None, Motion(torch.from_numpy(values), arkit_space(fps)), provenance=provenance)


def _from_percent(weights: np.ndarray, source: object) -> np.ndarray:
    largest = float(np.abs(weights).max())
    if not np.isfinite(largest) or largest <= MAX_WEIGHT:
        return weights
    if largest > 100 * MAX_WEIGHT:
        raise AssetError(
            f"{source} has a weight of {largest:.4g}; weights lie in 0..1, or in 0..100 as"
            " percentages"
        )
    _LOG.warning("%s holds percentages (up to %.4g); they are divided by 100", source, largest)
    return weights / 100


def note_skipped(source: object, names: Sequence[str]) -> None:
    """Note the curves of a file that no ARKit shape corresponds to."""
    if names:
        listed = ", ".join(repr(name[:40]) for name in names[:5])
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        _LOG.warning("%s: skipped what ARKit has no shape for: %s%s", source, listed, more)


def euler_from_axis_angle(turns: Float[np.ndarray, "frames 3"]) -> Float[np.ndarray, "frames 3"]:
    """Yaw, pitch, roll with R = Ry(yaw) Rx(pitch) Rz(roll), radians.

    Positive angles turn to the character's left, nod down, and tilt towards its right shoulder.
    """
    from scipy.spatial.transform import Rotation

    return Rotation.from_rotvec(turns).as_euler("YXZ")


def axis_angle_from_euler(angles: Float[np.ndarray, "frames 3"]) -> Float[np.ndarray, "frames 3"]:
    """The inverse of `euler_from_axis_angle`."""
    from scipy.spatial.transform import Rotation

    return Rotation.from_euler("YXZ", angles).as_rotvec()


def quaternions_from_axis_angle(
    turns: Float[np.ndarray, "frames 3"],
) -> Float[np.ndarray, "frames 4"]:
    """Unit quaternions x, y, z, w, with continuous signs for interpolation."""
    from scipy.spatial.transform import Rotation

    return continuous(Rotation.from_rotvec(turns).as_quat())


def continuous(quaternions: Float[np.ndarray, "frames 4"]) -> Float[np.ndarray, "frames 4"]:
    """The same rotations with signs such that neighbouring frames interpolate the short way."""
    # (frames - 1): neighbours in opposite hemispheres
    flips = np.sum(quaternions[1:] * quaternions[:-1], axis=-1) < 0
    # each flip turns all later frames round
    signs = np.concatenate([[1.0], np.cumprod(np.where(flips, -1.0, 1.0))])
    return quaternions * signs[:, None]
