"""Head movement and brow raises drawn from the rhythm of the sound.

What of a speaker's head the sound does not tell is averaged away by a model; here it is drawn, as
people's statistics have it, from a seed:

    head = posture(phrases) + strokes(accents) + sway

A posture is taken at the beginning of a phrase or at an accent and held. A stroke goes with a
stressed syllable: mostly a nod, with some turn and tilt, as large as the syllable is strong; some
raise the brows. The sway never stops. Each is a function of absolute time, of the rhythm before
it and of the seed, so a stream of hours is coherent and may be cut anywhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from motet.face.operator import FaceCues, FrameOperator
from motet.face.rhythm import Rhythm
from motet.types import ARKIT_SHAPES

POSTURE_DEG = np.array([2.2, 3.4, 1.8])
"""Size of a posture: nod, turn, tilt (rotations about x, y and z)."""
POSTURE_SHARE = (0.5, 1.4)
"""Share of it that one posture turns by, to either side."""
POSTURE_S = (0.40, 0.85)
"""Time in which a posture is taken."""
STROKE_DEG, STROKE_SPREAD_DEG = np.array([6.6, 0.0, 0.0]), np.array([2.8, 5.1, 2.8])
"""Mean and spread of a stroke of strength 1."""
STROKE_S, RETURN_S = (0.14, 0.24), (0.26, 0.50)
"""Time to the lowest point of a nod, and back."""
REBOUND = 0.18
"""Share of a stroke by which the head swings over on its way back."""
STILL_SHARE = 0.15
"""Accents that move nothing."""
BROW_SHARE, BROW_WEIGHT, BROW_S = 0.40, 0.45, (0.12, 0.20, 0.35)
"""Accents that raise the brows, how far those of strength 1 do, and rise, hold and fall."""
SWAY_DEG, SWAY_HZ = ((0.45, 0.50, 0.35), (0.22, 0.24, 0.16)), (0.25, 1.1)
"""Two components of the sway: sizes by axis, and frequencies."""
_BROWS = [
    ARKIT_SHAPES.index(name) for name in ("browInnerUp", "browOuterUpLeft", "browOuterUpRight")
]
_POSTURE, _STROKE, _SWAY = 1, 2, 3


def smooth_step(share: Float[ndarray, "*shape"]) -> Float[ndarray, "*shape"]:
    """Minimum-jerk course from 0 to 1 (Flash & Hogan 1985)."""
    share = np.clip(share, 0.0, 1.0)
    return share**3 * (10 + share * (6 * share - 15))


def head_course(
    seed: int, time: Float[ndarray, " frames"], rhythm: Rhythm
) -> Float[ndarray, "frames 3"]:
    """Axis-angle of the head, degrees, at times in seconds."""
    return _postures(seed, time, rhythm) + _strokes(seed, time, rhythm) + _sway(seed, time)


def _postures(
    seed: int, time: Float[ndarray, " frames"], rhythm: Rhythm
) -> Float[ndarray, "frames 3"]:
    if not len(rhythm.postures):
        return np.zeros((len(time), 3))
    first, count = rhythm.first_posture, len(rhythm.postures)
    drawn = [_posture(seed, first + k) for k in range(-2, count)]
    targets = np.array([target for target, _ in drawn])  # (2 + postures, 3)
    seconds = np.array([duration for _, duration in drawn])[2:]
    # Postures are further apart than they take: two at most are being taken at a time.
    current = np.searchsorted(rhythm.postures, time, side="right") - 1
    course = targets[np.maximum(current, 0)]
    for back in (1, 0):
        index = np.clip(current - back, 0, count - 1)
        share = smooth_step((time - rhythm.postures[index]) / seconds[index])
        share = np.where(current >= back, share, 0.0)[:, None]
        course = course + share * (targets[index + 2] - targets[index + 1])
    return course


def _posture(seed: int, index: int) -> tuple[Float[ndarray, "3"], float]:
    """Target, degrees, and the time in which it is taken. A take begins upright and leaves that at
    once.
    """
    if index < 0:
        return np.zeros(3), POSTURE_S[0]
    random = _random(seed, _POSTURE, index)
    side = random.choice((-1.0, 1.0), size=3)
    return POSTURE_DEG * side * random.uniform(*POSTURE_SHARE, size=3), random.uniform(*POSTURE_S)


def _strokes(
    seed: int, time: Float[ndarray, " frames"], rhythm: Rhythm
) -> Float[ndarray, "frames 3"]:
    course = np.zeros((len(time), 3))
    for index, (start, strength) in enumerate(rhythm.accents, rhythm.first_accent):
        random = _random(seed, _STROKE, index)
        size = STROKE_DEG + STROKE_SPREAD_DEG * np.clip(random.normal(size=3), -2, 2)
        down, back = random.uniform(*STROKE_S), random.uniform(*RETURN_S)
        if random.uniform() < STILL_SHARE:
            continue
        low, high = np.searchsorted(time, (start, start + down + 3 * back))
        if low < high:
            shape = _stroke(time[low:high] - start, down, back)
            course[low:high] += shape[:, None] * size * strength
    return course


def _stroke(
    since: Float[ndarray, " frames"], down: float, back: float
) -> Float[ndarray, " frames"]:
    """Down to 1, back over the start by the rebound, and to rest."""
    course = smooth_step(since / down)
    course = course - (1 + REBOUND) * smooth_step((since - down) / back)
    return course + REBOUND * smooth_step((since - down - back) / (2 * back))


def _sway(seed: int, time: Float[ndarray, " frames"]) -> Float[ndarray, "frames 3"]:
    course = np.zeros((len(time), 3))
    for component, (sizes, rate) in enumerate(zip(SWAY_DEG, SWAY_HZ, strict=True)):
        position = time * 2 * rate
        low = np.floor(position).astype(int)
        first = int(low.min()) if len(low) else 0
        last = int(low.max()) if len(low) else 0
        knots = np.array(
            [
                _random(seed, _SWAY, component, k + 1).normal(size=3)
                for k in range(first - 1, last + 3)
            ]
        )
        course += _spline(knots, low - first, position - low) * sizes
    return course


def _spline(
    knots: Float[ndarray, "knots 3"], low: ndarray, share: Float[ndarray, " frames"]
) -> Float[ndarray, "frames 3"]:
    """Uniform cubic B-spline: the second derivative has no steps."""
    s = share[:, None]
    weights = (
        (1 - s) ** 3 / 6,
        (3 * s**3 - 6 * s**2 + 4) / 6,
        (-3 * s**3 + 3 * s**2 + 3 * s + 1) / 6,
        s**3 / 6,
    )
    return sum((w * knots[low + k] for k, w in enumerate(weights)), np.zeros_like(s))


def brow_course(
    seed: int, time: Float[ndarray, " frames"], rhythm: Rhythm
) -> Float[ndarray, " frames"]:
    """How far the brows are raised, 0..1."""
    course = np.zeros(len(time))
    rise, hold, fall = BROW_S
    for index, (start, strength) in enumerate(rhythm.accents, rhythm.first_accent):
        random = _random(seed, _STROKE, index, 1)
        if random.uniform() > BROW_SHARE:
            continue
        size = BROW_WEIGHT * strength * random.uniform(0.5, 1.0)
        low, high = np.searchsorted(time, (start, start + rise + hold + fall))
        since = time[low:high] - start
        up = smooth_step(since / rise) - smooth_step((since - rise - hold) / fall)
        course[low:high] = np.maximum(course[low:high], size * up)
    return course


def _random(seed: int, *key: int) -> np.random.Generator:
    return np.random.default_rng([seed % 2**63, *key])


class Gestures(FrameOperator):
    """Adds drawn head movement and brow raises, one seed for each item; without a rhythm in the
    cues the head sways only.

    Args:
        head: where the rotation (axis-angle, radians) lies in a frame.
        gain: scale of the drawn head movement.
    """

    def __init__(self, head: slice, seeds: Sequence[int], fps: float, gain: float = 1.0) -> None:
        self.head, self.seeds, self.fps, self.gain = head, tuple(seeds), fps, gain

    def apply(
        self, motion: Float[Tensor, "batch frames dim"], cues: FaceCues
    ) -> Float[Tensor, "batch frames dim"]:
        """The processed frames."""
        time = (cues.first_frame + np.arange(motion.shape[1])) / self.fps
        rhythms = cues.rhythm or (_silence(len(time)),)
        motion = motion.clone()
        for item, seed in enumerate(self.seeds):
            rhythm = rhythms[item % len(rhythms)]
            course = torch.from_numpy(head_course(seed, time, rhythm)).to(motion)
            motion[item, :, self.head] += self.gain * math.pi / 180 * course
            brows = torch.from_numpy(brow_course(seed, time, rhythm)).to(motion)
            raised = motion[item][:, _BROWS] + brows.unsqueeze(1) * torch.tensor([1.0, 0.8, 0.8])
            motion[item][:, _BROWS] = raised.clamp(0, 1)
        return motion


def _silence(frames: int) -> Rhythm:
    nothing = np.zeros(0)
    still = np.zeros(frames)
    return Rhythm(nothing.reshape(0, 2), 0, nothing, 0, still, still > 0)
