"""Face and body of one take on one clock.

Their motion is one: the tracks of `arkit` followed by those of `smplx25`. Writers that know only
one of the two take their part by `Motion.to`.
"""

from __future__ import annotations

import torch

from motet.errors import SpaceError
from motet.geometry.rotation import matrix_from_6d_rows, rotation_6d_rows
from motet.types import Motion, MotionSpace, arkit_space, register_conversion, smplx25_space

NAME = "arkit+smplx25"


def figure_space(fps: float = 30.0) -> MotionSpace:
    """The whole figure: 52 shapes, the head's own turn on the neck, the pelvis, 25 joints."""
    return MotionSpace(NAME, (*arkit_space(fps).tracks, *smplx25_space(fps).tracks), fps)


def join(face: Motion, body: Motion) -> Motion:
    """One motion of both at the body's frame rate, as long as the longer of the two; the shorter
    keeps its last frame.

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
    parts = [_held(part.values, frames) for part in (face, body)]
    return Motion(torch.cat([parts[0].to(parts[1]), parts[1]], -1), figure_space(fps))


def split(motion: Motion) -> tuple[Motion | None, Motion | None]:
    """Face and body of a motion; None for what it has not."""
    if motion.space.name == "arkit":
        return motion, None
    if motion.space.name == "smplx25":
        return None, motion
    if motion.space.name != NAME:
        return None, None
    return motion.to(arkit_space(motion.space.fps)), motion.to(smplx25_space(motion.space.fps))


def at_rate(body: Motion, fps: float) -> Motion:
    """A body at another frame rate; rotations between two frames are the nearest to the mean of
    their matrices.

    Raises:
        SpaceError: the motion is not in `smplx25`.
    """
    if body.space.name != "smplx25":
        raise SpaceError(f"a body in 'smplx25' is needed, this is {body.space.name!r}")
    changed = body.at(fps)
    return changed.with_track("joints", rotation_6d_rows(matrix_from_6d_rows(changed["joints"])))


def _held(values: torch.Tensor, frames: int) -> torch.Tensor:
    missing = frames - values.shape[-2]
    return (
        torch.cat(
            [values, values[..., -1:, :].expand(*values.shape[:-2], missing, values.shape[-1])], -2
        )
        if missing
        else values
    )


def _part(motion: Motion, space: MotionSpace) -> Motion:
    chosen = [motion.values[..., motion.space.range(track.name)] for track in space.tracks]
    return Motion(torch.cat(chosen, -1), space.at(motion.space.fps))


register_conversion(NAME, "arkit", _part)
register_conversion(NAME, "smplx25", _part)
