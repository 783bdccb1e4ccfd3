"""Steps that stand out from those around them are spread over their neighbours in time.

The whole body goes through the same poses, a little earlier or later: coordination, path and feet
that stand stay as they are, and a few frames beside the step nothing has changed. Viewers see a
jump where one frame moves several times as far as those around it; people gather speed.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from motet.body.skeleton import house_offsets
from motet.geometry.kinematics import forward_kinematics
from motet.geometry.rotation import axis_angle_from_matrix, matrix_from_axis_angle
from motet.types import SMPLX25_PARENTS

REACH = 8
"""Frames on either side whose median a step is compared with, and that it is spread over."""
LEAST_M = 0.02
"""Smallest median that a step is compared with: standing figures hardly move."""
RATIO = 2.7
"""Largest step of a frame over that median."""
ROUNDS, SWEEPS = 5, 40
WEIGHTS = np.exp(-0.5 * (np.arange(-REACH, REACH + 1) / 4.0) ** 2)
"""Shares of what is spread; most of it stays near. Frames after the step get twice as much as
those before, so that reactions do not come earlier."""
WEIGHTS[REACH] = 0.0
WEIGHTS[:REACH] *= 0.5


def even_steps(
    root: Float[Tensor, "frames 3"], rotations: Float[Tensor, "frames joints 3 3"], known: int
) -> tuple[Float[Tensor, "frames 3"], Float[Tensor, "frames joints 3 3"]]:
    """The same body without single steps that stand out.

    Args:
        known: so many frames at the start stay as they are.
    """
    if len(root) < 3:
        return root, rotations
    for _ in range(ROUNDS):
        lengths = _longest_steps(root, rotations)
        spread = spread_steps(lengths, known)
        if np.array_equal(spread, lengths):
            break
        position = _positions(lengths, spread)
        root, rotations = _at(root, rotations, position)
    return root, rotations


def spread_steps(lengths: Float[np.ndarray, " steps"], known: int) -> Float[np.ndarray, " steps"]:
    """Steps of the same total, none of them more than `RATIO` times the median of those around.

    Args:
        known: frames at the start whose steps stay.
    """
    spread = lengths.copy()
    is_free = np.arange(len(lengths)) >= max(known - 1, 0)
    for _ in range(SWEEPS):
        limit = RATIO * np.maximum(_median_around(spread), LEAST_M)
        excess = np.where(is_free, np.maximum(spread - limit, 0.0), 0.0)
        if excess.max() < 1e-6:
            break
        room = np.where(is_free, np.maximum(limit - spread, 0.0), 0.0)
        moved = 0.5 * excess
        spread = spread - moved + _shared(moved, room)
    return spread


def _shared(
    moved: Float[np.ndarray, " steps"], room: Float[np.ndarray, " steps"]
) -> Float[np.ndarray, " steps"]:
    """What is taken from each step, in the neighbours that have room for it."""
    result = np.zeros_like(moved)
    for step in np.flatnonzero(moved):
        first, stop = max(0, step - REACH), min(len(moved), step + REACH + 1)
        weights = WEIGHTS[first - step + REACH : stop - step + REACH] * room[first:stop]
        total = weights.sum()
        if total < 1e-9:
            result[step] += moved[step]
        else:
            result[first:stop] += moved[step] * weights / total
    return result


def _median_around(lengths: Float[np.ndarray, " steps"]) -> Float[np.ndarray, " steps"]:
    around = np.pad(lengths, REACH, mode="reflect" if len(lengths) > REACH else "edge")
    windows = np.lib.stride_tricks.sliding_window_view(around, 2 * REACH + 1)
    return np.median(np.delete(windows, REACH, axis=1), axis=1)


def _longest_steps(
    root: Float[Tensor, "frames 3"], rotations: Float[Tensor, "frames joints 3 3"]
) -> Float[np.ndarray, " steps"]:
    """Distance that the quickest joint goes from each frame to the next, metres."""
    offsets = house_offsets().double()
    posed = forward_kinematics(rotations.double(), root.double(), offsets, SMPLX25_PARENTS)
    return posed[1].diff(dim=0).norm(dim=-1).amax(-1).numpy()


def _positions(
    lengths: Float[np.ndarray, " steps"], spread: Float[np.ndarray, " steps"]
) -> Float[np.ndarray, " frames"]:
    """Which (fractional) old frame each new frame shows."""
    # Where nothing moves, frames have no place of their own on the way: time keeps them apart.
    way = np.concatenate([[0.0], np.cumsum(lengths + 1e-6)])
    goal = np.concatenate([[0.0], np.cumsum(spread + 1e-6)])
    position = np.interp(goal, way, np.arange(len(way)))
    is_same = np.abs(goal - way) < 1e-7
    return np.where(is_same, np.arange(len(way)), position)


def _at(
    root: Float[Tensor, "frames 3"],
    rotations: Float[Tensor, "frames joints 3 3"],
    position: Float[np.ndarray, " frames"],
) -> tuple[Float[Tensor, "frames 3"], Float[Tensor, "frames joints 3 3"]]:
    """The body at fractional frames, between neighbours on the shortest way."""
    first = np.clip(np.floor(position).astype(int), 0, len(root) - 2)
    share = torch.from_numpy(position - first).to(root)
    changed = share.abs() > 0
    new_root = root[first] + share.unsqueeze(1) * (root[first + 1] - root[first])
    new_rotations = rotations[first].clone()
    before, after = rotations[first][changed], rotations[first + 1][changed]
    turn = axis_angle_from_matrix(after @ before.mT) * share[changed].view(-1, 1, 1)
    new_rotations[changed] = matrix_from_axis_angle(turn) @ before
    return new_root, new_rotations
