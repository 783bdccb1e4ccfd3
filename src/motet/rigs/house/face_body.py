"""One motion of face and body: the tracks of `arkit` followed by those of `smplx25`.

Writers that know only one of the two take their part by `Motion.to`.
"""

from __future__ import annotations

import torch

from motet.errors import SpaceError
from motet.geometry.rotation import matrix_from_6d_rows, rotation_6d_rows
from motet.types import Motion, MotionSpace, arkit_space, register_conversion, smplx25_space

NAME = "arkit+smplx25"


def figure_space(fps: float = 30.0) -> MotionSpace:
    """The whole figure: 52 shapes, the head's rotation on the neck, the pelvis, 25 joints."""
    return MotionSpace(NAME, (*arkit_space(fps).tracks, *smplx25_space(fps).tracks), fps)


def join(face: Motion, body: Motion) -> Motion:
    """One motion of both at the body's frame rate.

    The shorter one is extended by its last frame.

    Raises:
        SpaceError: the motions are not in `arkit` and `smplx25`.
    """
    if face.space.name != "arkit" or body.space.name != "smplx25":
        raise SpaceError(
            f"a face in 'arkit' and a body in 'smplx25' make one figure, not {face.space.name!r}"
            f" and {body.space.name!r}"
        )
    fps = body.space.fps
    face = face if face.space.fps == fps else face.at(fps)
    frames = max(face.frames, body.frames)
    face_values, body_values = (_extended(part.values, frames) for part in (face, body))
    values = torch.cat([face_values.to(body_values), body_values], -1)
    return Motion(values, figure_space(fps))


def split(motion: Motion) -> tuple[Motion | None, Motion | None]:
    """Face and body of a motion; None for a missing part."""
    if motion.space.name == "arkit":
        return motion, None
    if motion.space.name == "smplx25":
        return None, motion
    if motion.space.name != NAME:
        return None, None
    return motion.to(arkit_space(motion.space.fps)), motion.to(smplx25_space(motion.space.fps))


def at_rate(body: Motion, fps: float) -> Motion:
    """A body at another frame rate.

    Rotations between two frames are interpolated as matrices and orthonormalised.

    Raises:
        SpaceError: the motion is not in `smplx25`.
    """
    if body.space.name != "smplx25":
        raise SpaceError(f"a body in 'smplx25' is needed, this is {body.space.name!r}")
    resampled = body.at(fps)
    rows = rotation_6d_rows(matrix_from_6d_rows(resampled["joints"]))
    return resampled.with_track("joints", rows)


def _extended(values: torch.Tensor, frames: int) -> torch.Tensor:
    last = values[..., -1:, :]
    missing = frames - values.shape[-2]
    return torch.cat([values, last.expand(*last.shape[:-2], missing, -1)], -2)


def _part(motion: Motion, space: MotionSpace) -> Motion:
    tracks = [motion.values[..., motion.space.range(track.name)] for track in space.tracks]
    return Motion(torch.cat(tracks, -1), space.at(motion.space.fps))


register_conversion(NAME, "arkit", _part)
register_conversion(NAME, "smplx25", _part)
