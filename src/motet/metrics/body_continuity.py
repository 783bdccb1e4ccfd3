"""Continuity and balance of a whole take: steps between frames, start, lean, energy, events.

Conventions: joints of `smplx25` in the world, metres, Y up, at a steady rate; angles over the
floor, degrees counter-clockwise seen from above, 0 is +Z. Takes may have any
length.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Float

from motet.body.skeleton import BodyPose, heading
from motet.errors import InputError
from motet.metrics.body_reaction import STILL_M_S, movement
from motet.metrics.metric import Metric
from motet.types import SMPLX25_JOINTS

METRICS = (
    Metric("largest_step", "m", "all joints", "lower", "farthest that a joint goes in one frame"),
    Metric(
        "step_ratio",
        "1",
        "all joints",
        "lower",
        "largest step of a frame over the median of the 16 frames around (at least 0.02 m)",
    ),
    Metric("start_heading", "deg", "pelvis", "lower", "turn of the first frame away from +Z"),
    Metric("start_offset", "m", "pelvis", "lower", "distance of the first frame from the origin"),
    Metric("lean", "deg", "legs", "like ground truth", "of the legs, 95th percentile of a take"),
    Metric(
        "pelvis_off_feet",
        "m",
        "pelvis",
        "like ground truth",
        "pelvis from the line between the ankles over the floor, 95th percentile",
    ),
    Metric(
        "energy_thirds",
        "m/s",
        "all joints",
        "like ground truth",
        "mean speed of the joints in each third of the take",
    ),
    Metric(
        "latency", "s", "all joints", "like ground truth", "from an event to the first movement"
    ),
)
NEIGHBOURS = 8
"""Frames on either side whose median a step is compared with."""
LEAST_STEP_M = 0.02
"""Smallest median that a step is compared with: standing figures hardly move."""
REACTS_S = 2.0
"""A reaction begins within this time of its event."""
FACING_DEG, AWAY_M = 50.0, 0.3
"""A figure has turned to a sound, or gone away from it, by so much."""


@dataclasses.dataclass(frozen=True)
class Step:
    """The most conspicuous step of a take."""

    metres: float
    frame: int
    """The step leads from the frame before to this one."""
    joint: str
    ratio: float
    """Over the median of the neighbouring steps."""


def steps(pose: BodyPose) -> Float[np.ndarray, "steps joints"]:
    """Distance that each joint goes from each frame to the next, metres.

    Raises:
        InputError: fewer than two frames.
    """
    positions = pose.positions.double().numpy()
    if len(positions) < 2:
        raise InputError(f"a step needs two frames, these are {len(positions)}")
    return np.linalg.norm(np.diff(positions, axis=0), axis=-1)


def step_ratios(largest: Float[np.ndarray, "steps"]) -> Float[np.ndarray, "steps"]:
    """Each step over the median of the steps around it, itself left out."""
    around = np.pad(largest, NEIGHBOURS, mode="reflect" if len(largest) > NEIGHBOURS else "edge")
    windows = np.lib.stride_tricks.sliding_window_view(around, 2 * NEIGHBOURS + 1)
    others = np.delete(windows, NEIGHBOURS, axis=1)  # (steps, 16)
    return largest / np.maximum(np.median(others, axis=1), LEAST_STEP_M)


def largest_step(pose: BodyPose) -> Step:
    """The longest step of any joint in a take."""
    every = steps(pose)
    frame = int(every.max(1).argmax())
    ratios = step_ratios(every.max(1))
    joint = SMPLX25_JOINTS[int(every[frame].argmax())]
    return Step(float(every[frame].max()), frame + 1, joint, float(ratios[frame]))


def most_conspicuous_step(pose: BodyPose) -> Step:
    """The step that stands out most from its neighbours."""
    every = steps(pose)
    ratios = step_ratios(every.max(1))
    frame = int(ratios.argmax())
    joint = SMPLX25_JOINTS[int(every[frame].argmax())]
    return Step(float(every[frame].max()), frame + 1, joint, float(ratios[frame]))


def start_heading(pose: BodyPose) -> float:
    """Degrees by which the first frame is turned away from +Z."""
    return float(np.degrees(abs(float(heading(pose.turn("pelvis")[0].double())))))


def start_offset(pose: BodyPose) -> float:
    """Metres over the floor from the origin to the pelvis in the first frame."""
    return float(pose.joint("pelvis")[0, [0, 2]].double().norm())


def lean(pose: BodyPose) -> Float[np.ndarray, " frames"]:
    """Degrees between the vertical and the line from the middle of the ankles to the pelvis."""
    up = pose.joint("pelvis").double().numpy() - _ankles(pose).mean(1)
    return np.degrees(np.arctan2(np.hypot(up[:, 0], up[:, 2]), up[:, 1]))


def pelvis_off_feet(pose: BodyPose) -> Float[np.ndarray, " frames"]:
    """Metres over the floor from the pelvis to the segment between the ankles."""
    pelvis = pose.joint("pelvis").double().numpy()[:, [0, 2]]
    left, right = np.moveaxis(_ankles(pose)[..., [0, 2]], 1, 0)
    way = right - left
    along = ((pelvis - left) * way).sum(1) / (way * way).sum(1).clip(1e-9)
    nearest = left + along.clip(0, 1)[:, None] * way
    return np.linalg.norm(pelvis - nearest, axis=1)


def energy_thirds(pose: BodyPose, fps: float) -> tuple[float, float, float]:
    """Mean speed of the joints in each third of a take, m/s."""
    first, second, third = np.array_split(movement(pose, fps), 3)
    return float(first.mean()), float(second.mean()), float(third.mean())


def latency(pose: BodyPose, fps: float, onset_s: float) -> float | None:
    """Seconds from an event until the body moves clearly more than in the second before it; None
    without a movement within `REACTS_S`.
    """
    speed = movement(pose, fps)
    onset = min(round(onset_s * fps), len(speed) - 1)
    before = float(np.median(speed[max(0, onset - round(fps)) : onset + 1]))
    moving = np.flatnonzero(speed[onset : onset + round(REACTS_S * fps)] > before + STILL_M_S)
    return float(moving[0] / fps) if len(moving) else None


def on_right_side(
    pose: BodyPose, fps: float, onset_s: float, source: Float[np.ndarray, "3"]
) -> bool:
    """Whether within 3.5 s the head turns to a source, or the body goes away from it."""
    start = min(round(onset_s * fps), len(pose.positions) - 2)
    stop = min(start + round(3.5 * fps), len(pose.positions))
    head = pose.joint("head")[start:stop].double().numpy()
    way = (source - head)[:, [0, 2]]
    looks = heading(pose.turn("head")[start:stop].double()).numpy()
    error = np.degrees(np.arctan2(way[:, 0], way[:, 1]) - looks)
    if float(np.abs((error + 180) % 360 - 180).min()) < FACING_DEG:
        return True
    root = pose.joint("pelvis")[start:stop].double().numpy()[:, [0, 2]]
    gone = root[-1] - root[0]
    away = -way[0] / np.linalg.norm(way[0]).clip(1e-9)
    return bool(gone @ away > AWAY_M)


def _ankles(pose: BodyPose) -> Float[np.ndarray, "frames 2 3"]:
    """Left and right ankle."""
    sides = [pose.joint(f"{side}_ankle").double().numpy() for side in ("left", "right")]
    return np.stack(sides, 1)
