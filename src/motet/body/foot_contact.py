"""Feet that stay where they stand: contacts found, anchors chosen, legs solved again. And legs that
do not stay half bent.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy.ndimage import (
    binary_closing,
    binary_opening,
    gaussian_filter1d,
    grey_opening,
    maximum_filter1d,
    minimum_filter1d,
)
from torch import Tensor

from motet.body.limb_ik import Limb, solve
from motet.body.skeleton import BALL_HEIGHT_M, STANDING_HEIGHT_M, house_offsets
from motet.geometry.kinematics import forward_kinematics
from motet.types import SMPLX25_JOINTS, SMPLX25_PARENTS

SLOW_M_S, LOW_M = 0.45, 0.045
"""A ball of a foot slower than this and not higher than this over the standing foot's height
stands."""
SHORTEST_S = 0.1
EASE_S = 0.2
"""Time in which a correction fades in and out beside a contact."""
LIFT_M, DRAGGED_M_S, SWUNG_M_S = 0.035, 0.15, 0.6
"""A foot that does not stand is lifted off the floor: not at all below the first speed, this high
from the second on."""
EASY_M, HALF_M, SQUAT_M = 0.015, 0.15, 0.30
"""How far below its standing height a pelvis rests. People rest at less than about twice the first
depth or deeper than the last (squats); what is held between is an undecided figure, and up to the
second depth it is taken for one that stands."""
HELD_S, RESTING_M = 1.0, 0.04
"""A depth that is held for so long, to within so much, is no flinch, step or bounce."""
_SIDES = {
    side: tuple(SMPLX25_JOINTS.index(f"{side}_{name}") for name in ("hip", "knee", "ankle", "foot"))
    for side in ("left", "right")
}


def settle_feet(
    root: Float[Tensor, "frames 3"],
    rotations: Float[Tensor, "frames joints 3 3"],
    fps: float,
    fixed: int = 0,
    upright: bool = False,
) -> tuple[Float[Tensor, "frames 3"], Float[Tensor, "frames joints 3 3"]]:
    """The same body with standing feet that neither slide nor sink; hips and knees turn for it, the
    pelvis sinks where a leg is too short.

    Args:
        fixed: the first so many frames stay exactly as they are, and what stands in the last of
            them goes on standing there.
        upright: a figure that rests with half bent knees stands up.

    Source: contact clean-up as usual in motion capture (Kovar, Schreiner and Gleicher 2002), with
    solved two-bone legs.
    """
    offsets, old = house_offsets().double(), rotations.double()
    turned, placed = (
        part.numpy() for part in forward_kinematics(old, root.double(), offsets, SMPLX25_PARENTS)
    )
    moved = root.double().numpy().copy()
    goals, stands = {}, {}
    for side, (*_, ball) in _SIDES.items():
        stands[side] = standing(placed[:, ball], fps)
        goals[side] = _anchored(placed[:, ball], stands[side], fps, fixed)
    if upright:
        moved[:, 1] += stand_up(moved[:, 1], fps, fixed)
    moved[:, 1] -= _sink(
        placed + (moved - root.double().numpy())[:, None], goals, moved, fps, fixed
    )
    shift = moved - root.double().numpy()
    for side, joints in _SIDES.items():
        _solve_leg(turned, placed + shift[:, None], goals[side], joints, offsets.numpy(), fixed)
    local = old.clone()
    world = torch.from_numpy(turned)
    for joints in _SIDES.values():
        for joint in joints[:3]:
            local[:, joint] = world[:, SMPLX25_PARENTS[joint]].mT @ world[:, joint]
    local[:fixed] = old[:fixed]
    return torch.from_numpy(moved).to(root), local.to(rotations)


def standing(ball: Float[ndarray, "frames 3"], fps: float) -> Bool[ndarray, "frames"]:
    """Frames in which a foot stands: slow and low for a tenth of a second and longer."""
    speed = (
        np.linalg.norm(np.gradient(ball[:, [0, 2]], axis=0), axis=1) * fps
        if len(ball) > 1
        else np.zeros(len(ball))
    )
    floor = min(BALL_HEIGHT_M, float(np.quantile(ball[:, 1], 0.1)))
    slow = (gaussian_filter1d(speed, 1.0) < SLOW_M_S) & (ball[:, 1] < max(floor, 0.0) + LOW_M)
    size = max(2, round(SHORTEST_S * fps))
    padded = np.pad(slow, size, mode="edge")
    return binary_opening(binary_closing(padded, np.ones(size)), np.ones(size))[size:-size]


def stand_up(
    height: Float[ndarray, "frames"], fps: float, fixed: int = 0
) -> Float[ndarray, "frames"]:
    """How much higher the pelvis is to be where it rests at a depth at which nobody rests; what
    moves and who squats stay as they are.
    """
    size = max(1, min(round(HELD_S * fps), len(height)))
    depth = STANDING_HEIGHT_M - height
    span = maximum_filter1d(depth, size, mode="nearest") - minimum_filter1d(
        depth, size, mode="nearest"
    )
    rests = maximum_filter1d(
        np.clip((2 * RESTING_M - span) / RESTING_M, 0, 1), size, mode="nearest"
    )
    raised = depth - np.interp(depth, [EASY_M, HALF_M, SQUAT_M], [EASY_M, EASY_M + 0.01, SQUAT_M])
    raised = np.where((depth > EASY_M) & (depth < SQUAT_M), raised, 0.0)
    smooth = gaussian_filter1d(
        grey_opening(raised, size, mode="nearest") * rests, 0.15 * fps, mode="nearest"
    )
    return (
        smooth * np.clip((np.arange(len(height)) - fixed + 1) / (0.5 * fps), 0, 1)
        if fixed
        else smooth
    )


def _anchored(ball: ndarray, stands: ndarray, fps: float, fixed: int) -> ndarray:
    """Path of the ball of a foot that rests during contacts and is never below the floor."""
    frames, ease = len(ball), max(1, round(EASE_S * fps))
    correction, weight = np.zeros_like(ball), np.zeros(frames)
    goal = ball.copy()
    for start, stop in _runs(stands):
        inside = max(start, fixed)
        if inside >= stop:
            continue
        anchor = ball[start:stop].mean(0) if start >= fixed else ball[fixed - 1]
        anchor = np.array(
            [anchor[0], BALL_HEIGHT_M if start >= fixed else ball[fixed - 1, 1], anchor[2]]
        )
        correction[inside:stop], weight[inside:stop] = anchor - ball[inside:stop], 1.0
    known = np.flatnonzero(weight)
    for frame in np.flatnonzero(weight == 0):
        if frame < fixed or not len(known):
            continue
        total = np.zeros(3)
        before, after = known[known < frame], known[known > frame]
        for near in ([before[-1]] if len(before) else []) + ([after[0]] if len(after) else []):
            share = np.clip(1 - (abs(frame - near)) / (ease + 1), 0, 1)
            total = total + correction[near] * (share * share * (3 - 2 * share))
        correction[frame] = total
    goal += correction
    goal[fixed:, 1] = np.maximum(
        goal[fixed:, 1], BALL_HEIGHT_M + _lift(goal, weight > 0, fps)[fixed:]
    )
    return goal


def _lift(
    goal: Float[ndarray, "frames 3"], stands: Bool[ndarray, "frames"], fps: float
) -> Float[ndarray, "frames"]:
    """How high a foot must be carried at least so that it does not drag over the floor."""
    if len(goal) < 2:
        return np.zeros(len(goal))
    speed = np.linalg.norm(np.gradient(goal[:, [0, 2]], axis=0), axis=1) * fps
    wanted = np.clip((speed - DRAGGED_M_S) / (SWUNG_M_S - DRAGGED_M_S), 0, 1) * ~stands
    return LIFT_M * gaussian_filter1d(wanted, 0.03 * fps) * ~stands


def _sink(
    placed: ndarray, goals: dict[str, ndarray], root: ndarray, fps: float, fixed: int
) -> ndarray:
    """How far the pelvis must come down so that both legs reach, smoothly."""
    offsets = house_offsets().double().numpy()
    need = np.zeros(len(root))
    for side, (hip, knee, ankle, ball) in _SIDES.items():
        reach = (np.linalg.norm(offsets[knee]) + np.linalg.norm(offsets[ankle])) * 0.998
        target = goals[side] + placed[:, ankle] - placed[:, ball]
        flat = np.linalg.norm(target[:, [0, 2]] - placed[:, hip][:, [0, 2]], axis=1)
        height = np.sqrt(np.clip(reach**2 - flat**2, 0, None))
        need = np.maximum(need, np.clip(placed[:, hip, 1] - target[:, 1] - height, 0, 0.12))
    smooth = gaussian_filter1d(
        np.maximum(need, gaussian_filter1d(need, 0.1 * fps)), 0.06 * fps, mode="nearest"
    )
    if fixed:
        smooth *= np.clip((np.arange(len(need)) - fixed + 1) / (0.25 * fps), 0, 1)
    return smooth


def _solve_leg(
    turned: ndarray,
    placed: ndarray,
    goal: ndarray,
    joints: tuple[int, ...],
    offsets: ndarray,
    fixed: int,
) -> None:
    """Put one leg's new world rotations into `turned`; the foot keeps its own."""
    hip, knee, ankle, ball = joints
    # The ball's place follows from the ankle's and the foot's rotation, which is kept.
    foot = np.einsum("fij,j->fi", turned[:, ankle], offsets[ball])
    target = goal - foot
    line = placed[:, ankle] - placed[:, hip]
    bent = placed[:, knee] - placed[:, hip]
    pole = (
        bent
        - (bent * line).sum(-1, keepdims=True)
        / (line * line).sum(-1, keepdims=True).clip(1e-9)
        * line
    )
    forward = turned[:, hip] @ np.array([0.0, 0.0, 1.0])
    clear = np.clip(np.linalg.norm(pole, axis=-1, keepdims=True) / 0.03, 0, 1)
    pole = (
        clear * pole / np.linalg.norm(pole, axis=-1, keepdims=True).clip(1e-6)
        + (1 - clear) * forward
    )
    limb = Limb(offsets[knee], offsets[ankle], np.array([1.0, 0.0, 0.0]))
    turned[fixed:, hip], turned[fixed:, knee] = (
        part[fixed:] for part in solve(limb, placed[:, hip], target, pole)
    )


def _runs(flags: ndarray) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
