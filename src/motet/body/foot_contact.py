"""Foot contact: detect contacts, anchor the foot there, solve the legs again.

Also raises a figure that rests with half-bent knees.
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
"""Contact: the ball of the foot is slower than this and less than this above the standing foot."""
MIN_CONTACT_S = 0.1
EASE_S = 0.2
"""Time in which a correction fades in and out beside a contact."""
LIFT_M, DRAG_M_S, SWING_M_S = 0.035, 0.15, 0.6
"""Clearance of a swinging foot: none below the first speed, rising to `LIFT_M` at the second."""
OFF_FEET_M = 0.085
"""Farther from the line between the ankles the pelvis is brought back: whoever leans more falls."""
KNEE_FORWARD = 0.5
"""Smallest component of a knee's direction along the front of its thigh: knees do not bend back."""
EASY_M, HALF_M, SQUAT_M = 0.015, 0.15, 0.30
"""Depth of a resting pelvis below its standing height. People rest at less than about twice
`EASY_M` or deeper than `SQUAT_M`. A depth held in between is undecided; up to `HALF_M` it counts as
standing."""
SOFT_M, CROUCH_M, SOFTEST_M = 0.025, 0.30, 0.06
"""Whoever greets or looks has knees as soft as the first depth; what is as deep as the second is
raised to the third."""
HELD_S, RESTING_M = 1.0, 0.04
"""A depth held for so long, to within so much, is no flinch, step or bounce."""
_LEGS = {
    side: tuple(SMPLX25_JOINTS.index(f"{side}_{name}") for name in ("hip", "knee", "ankle", "foot"))
    for side in ("left", "right")
}


def settle_feet(
    root: Float[Tensor, "frames 3"],
    rotations: Float[Tensor, "frames joints 3 3"],
    fps: float,
    fixed: int = 0,
    upright: bool = False,
    tall: Float[ndarray, " frames"] | None = None,
) -> tuple[Float[Tensor, "frames 3"], Float[Tensor, "frames joints 3 3"]]:
    """The same body with standing feet that neither slide nor sink.

    Hips and knees rotate for it; the pelvis sinks where a leg is too short, and stays over the
    feet.

    Args:
        fixed: so many frames at the start stay exactly as they are, and a foot that stands in the
            last of them goes on standing there.
        upright: a figure that rests with half-bent knees stands up.
        tall: with `upright`, weight of keeping the knees soft, not crouched, whatever it does.

    Source: contact clean-up as usual in motion capture (Kovar, Schreiner and Gleicher 2002), with
    analytic two-bone inverse kinematics.
    """
    offsets, local = house_offsets().double(), rotations.double()
    posed = forward_kinematics(local, root.double(), offsets, SMPLX25_PARENTS)
    world_rotation, position = (part.numpy() for part in posed)
    new_root = root.double().numpy().copy()
    goals = {}
    for side, (*_, ball) in _LEGS.items():
        contact = standing(position[:, ball], fps)
        goals[side] = _anchored(position[:, ball], contact, fps, fixed)
    if upright:
        new_root[:, 1] += stand_up(new_root[:, 1], fps, fixed)
        if tall is not None:
            new_root[:, 1] += keep_tall(new_root[:, 1], tall, fps, fixed)
    position = position + (new_root - root.double().numpy())[:, None]
    aside = over_feet(new_root, _ankle_goals(position, goals), fps, fixed)
    new_root += aside
    position = position + aside[:, None]
    sink = _sink(position, goals, fps, fixed)
    new_root[:, 1] -= sink
    position[..., 1] -= sink[:, None]
    for side, leg in _LEGS.items():
        _solve_leg(world_rotation, position, goals[side], leg, offsets.numpy(), fixed)
    new_local, world = local.clone(), torch.from_numpy(world_rotation)
    for leg in _LEGS.values():
        for joint in leg[:3]:
            new_local[:, joint] = world[:, SMPLX25_PARENTS[joint]].mT @ world[:, joint]
    new_local[:fixed] = local[:fixed]
    return torch.from_numpy(new_root).to(root), new_local.to(rotations)


def standing(ball: Float[ndarray, "frames 3"], fps: float) -> Bool[ndarray, " frames"]:
    """Frames in which a foot stands: slow and low for a tenth of a second and longer."""
    floor = min(BALL_HEIGHT_M, float(np.quantile(ball[:, 1], 0.1)))
    is_slow = gaussian_filter1d(_floor_speed(ball, fps), 1.0) < SLOW_M_S
    is_low = ball[:, 1] < max(floor, 0.0) + LOW_M
    # Close gaps, then drop contacts, that are shorter than MIN_CONTACT_S.
    size = max(2, round(MIN_CONTACT_S * fps))
    padded = np.pad(is_slow & is_low, size, mode="edge")
    return binary_opening(binary_closing(padded, np.ones(size)), np.ones(size))[size:-size]


def _floor_speed(path: Float[ndarray, "frames 3"], fps: float) -> Float[ndarray, " frames"]:
    """Horizontal speed, m/s."""
    if len(path) < 2:
        return np.zeros(len(path))
    return np.linalg.norm(np.gradient(path[:, [0, 2]], axis=0), axis=1) * fps


def stand_up(
    height: Float[ndarray, " frames"], fps: float, fixed: int = 0
) -> Float[ndarray, " frames"]:
    """Metres to raise the pelvis where it rests at a depth at which nobody rests.

    Frames that move and frames of a squat stay as they are.

    Args:
        height: of the pelvis above the floor, metres.
        fixed: frames at the start that are not raised.
    """
    size = max(1, min(round(HELD_S * fps), len(height)))
    depth = STANDING_HEIGHT_M - height
    deepest = maximum_filter1d(depth, size, mode="nearest")
    span = deepest - minimum_filter1d(depth, size, mode="nearest")
    rest_weight = np.clip((2 * RESTING_M - span) / RESTING_M, 0, 1)
    rest_weight = maximum_filter1d(rest_weight, size, mode="nearest")
    target = np.interp(depth, [EASY_M, HALF_M, SQUAT_M], [EASY_M, EASY_M + 0.01, SQUAT_M])
    is_undecided = (depth > EASY_M) & (depth < SQUAT_M)
    raised = grey_opening(np.where(is_undecided, depth - target, 0.0), size, mode="nearest")
    smooth = gaussian_filter1d(raised * rest_weight, 0.15 * fps, mode="nearest")
    return smooth * _fade_in(len(height), fixed, 0.5 * fps)


def keep_tall(
    height: Float[ndarray, " frames"],
    weight: Float[ndarray, " frames"],
    fps: float,
    fixed: int = 0,
) -> Float[ndarray, " frames"]:
    """Metres to raise the pelvis of a figure that has no reason to crouch.

    Args:
        height: of the pelvis above the floor, metres.
        weight: 1 where nobody crouches, 0 where anything goes.
        fixed: frames at the start that are not raised.
    """
    depth = STANDING_HEIGHT_M - height
    raised = np.maximum(0.0, depth - np.interp(depth, [SOFT_M, CROUCH_M], [SOFT_M, SOFTEST_M]))
    smooth = gaussian_filter1d(raised * weight, 0.15 * fps, mode="nearest")
    return smooth * _fade_in(len(height), fixed, 0.5 * fps)


def _fade_in(frames: int, fixed: int, ease: float) -> Float[ndarray, " frames"]:
    """Weight that is 0 in the fixed frames and rises to 1 within `ease` frames; 1 if none is."""
    if not fixed:
        return np.ones(frames)
    return np.clip((np.arange(frames) - fixed + 1) / ease, 0, 1)


def _anchored(ball: ndarray, contact: ndarray, fps: float, fixed: int) -> ndarray:
    """Path of the ball of a foot that rests during contacts and is never below the floor."""
    correction, is_anchored = np.zeros_like(ball), np.zeros(len(ball), bool)
    for start, stop in _runs(contact):
        inside = max(start, fixed)
        if inside >= stop:
            continue
        if start >= fixed:
            anchor = ball[start:stop].mean(0)
            anchor[1] = BALL_HEIGHT_M
        else:
            # The contact began in frames that are already emitted: it goes on exactly there.
            anchor = ball[fixed - 1]
        correction[inside:stop], is_anchored[inside:stop] = anchor - ball[inside:stop], True
    correction += _faded(correction, is_anchored, max(1, round(EASE_S * fps)), fixed)
    goal = ball + correction
    lift = _lift(goal, is_anchored, fps)
    goal[fixed:, 1] = np.maximum(goal[fixed:, 1], BALL_HEIGHT_M + lift[fixed:])
    return goal


def _faded(correction: ndarray, is_anchored: ndarray, ease: int, fixed: int) -> ndarray:
    """Corrections of the frames between contacts: those of both neighbours, faded by distance."""
    faded = np.zeros_like(correction)
    anchored = np.flatnonzero(is_anchored)
    for frame in np.flatnonzero(~is_anchored):
        if frame < fixed:
            continue
        for neighbour in (anchored[anchored < frame][-1:], anchored[anchored > frame][:1]):
            for near in neighbour:
                t = np.clip(1 - abs(frame - near) / (ease + 1), 0, 1)
                faded[frame] += correction[near] * (t * t * (3 - 2 * t))  # smoothstep
    return faded


def _lift(
    goal: Float[ndarray, "frames 3"], contact: Bool[ndarray, " frames"], fps: float
) -> Float[ndarray, " frames"]:
    """Least height of a moving foot, so that it does not drag over the floor, metres."""
    speed = _floor_speed(goal, fps)
    swing = np.clip((speed - DRAG_M_S) / (SWING_M_S - DRAG_M_S), 0, 1) * ~contact
    return LIFT_M * gaussian_filter1d(swing, 0.03 * fps) * ~contact


def _ankle_goals(
    position: Float[ndarray, "frames joints 3"], goals: dict[str, ndarray]
) -> tuple[Float[ndarray, "frames 3"], Float[ndarray, "frames 3"]]:
    """Ankles above the goals of the balls of the feet."""
    left, right = (
        goals[side] + position[:, ankle] - position[:, ball]
        for side, (_, _, ankle, ball) in _LEGS.items()
    )
    return left, right


def over_feet(
    root: Float[ndarray, "frames 3"],
    ankles: tuple[Float[ndarray, "frames 3"], Float[ndarray, "frames 3"]],
    fps: float,
    fixed: int = 0,
) -> Float[ndarray, "frames 3"]:
    """Metres to move the pelvis over the floor so that it is above the feet, or nearly so.

    Args:
        root: position of the pelvis.
        ankles: left and right.
        fixed: frames at the start that are not moved.
    """
    floor = [0, 2]
    pelvis, left, right = (part[:, floor] for part in (root, *ankles))
    way = right - left  # (frames, 2)
    along = ((pelvis - left) * way).sum(1) / (way * way).sum(1).clip(1e-9)
    off = left + along.clip(0, 1)[:, None] * way - pelvis
    distance = np.linalg.norm(off, axis=1, keepdims=True)
    excess = np.maximum(distance - OFF_FEET_M, 0.0) / distance.clip(1e-9) * off
    aside = np.zeros_like(root)
    aside[:, floor] = gaussian_filter1d(excess, 0.12 * fps, axis=0, mode="nearest")
    return aside * _fade_in(len(root), fixed, 0.5 * fps)[:, None]


def _sink(
    position: Float[ndarray, "frames joints 3"], goals: dict[str, ndarray], fps: float, fixed: int
) -> Float[ndarray, " frames"]:
    """Metres that the pelvis must come down so that both legs reach, smoothed over time."""
    offsets = house_offsets().double().numpy()
    needed = np.zeros(len(position))
    for side, (hip, knee, ankle, ball) in _LEGS.items():
        leg_length = (np.linalg.norm(offsets[knee]) + np.linalg.norm(offsets[ankle])) * 0.998
        target = goals[side] + position[:, ankle] - position[:, ball]
        horizontal = np.linalg.norm((target - position[:, hip])[:, [0, 2]], axis=1)
        hip_height = np.sqrt(np.clip(leg_length**2 - horizontal**2, 0, None))
        missing = position[:, hip, 1] - target[:, 1] - hip_height
        needed = np.maximum(needed, np.clip(missing, 0, 0.12))
    widened = np.maximum(needed, gaussian_filter1d(needed, 0.1 * fps))
    smooth = gaussian_filter1d(widened, 0.06 * fps, mode="nearest")
    return smooth * _fade_in(len(needed), fixed, 0.25 * fps)


def _solve_leg(
    world_rotation: Float[ndarray, "frames joints 3 3"],
    position: Float[ndarray, "frames joints 3"],
    goal: Float[ndarray, "frames 3"],
    leg: tuple[int, ...],
    offsets: Float[ndarray, "joints 3"],
    fixed: int,
) -> None:
    """Write one leg's new rotations into `world_rotation`; the foot keeps its own."""
    hip, knee, ankle, ball = leg
    # The foot's rotation is kept, so the goal of the ball fixes that of the ankle.
    target = goal - np.einsum("fij,j->fi", world_rotation[:, ankle], offsets[ball])
    line = position[:, ankle] - position[:, hip]
    thigh = position[:, knee] - position[:, hip]
    along = (thigh * line).sum(-1, keepdims=True) / (line * line).sum(-1, keepdims=True).clip(1e-9)
    pole = thigh - along * line
    # A nearly straight leg (knee within 3 cm of the line) has no clear pole: the hip's front then.
    pole_length = np.linalg.norm(pole, axis=-1, keepdims=True)
    clear = np.clip(pole_length / 0.03, 0, 1)
    pole = clear * pole / pole_length.clip(1e-6)
    pole = _knee_direction(pole, 1 - clear, line, world_rotation[:, hip])
    limb = Limb(offsets[knee], offsets[ankle], np.array([1.0, 0.0, 0.0]))
    thigh_rotation, shin_rotation = solve(limb, position[:, hip], target, pole)
    world_rotation[fixed:, hip] = thigh_rotation[fixed:]
    world_rotation[fixed:, knee] = shin_rotation[fixed:]


def _knee_direction(
    pole: Float[ndarray, "frames 3"],
    unclear: Float[ndarray, "frames 1"],
    line: Float[ndarray, "frames 3"],
    hip: Float[ndarray, "frames 3 3"],
) -> Float[ndarray, "frames 3"]:
    """The direction that a knee points in: the given one, the thigh's front where that is unclear,
    never backwards, and smooth over time.
    """
    along = line / np.linalg.norm(line, axis=-1, keepdims=True).clip(1e-9)
    front = hip @ np.array([0.0, 0.0, 1.0])
    front -= (front * along).sum(-1, keepdims=True) * along
    front /= np.linalg.norm(front, axis=-1, keepdims=True).clip(1e-9)
    pole = pole + unclear * front
    ahead = (pole * front).sum(-1, keepdims=True)
    # Whatever points back is turned to the front through the side it is on.
    pole = pole + (np.maximum(ahead, KNEE_FORWARD) - ahead) * front
    pole /= np.linalg.norm(pole, axis=-1, keepdims=True)
    return gaussian_filter1d(pole, 1.5, axis=0, mode="nearest")


def _runs(flags: Bool[ndarray, " frames"]) -> list[tuple[int, int]]:
    """Start and stop of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
