"""Where the eyes look: fixations and saccades from a seed, eyes that hold a target while the head
moves, vergence, and lids that follow.

A fixation is a direction in the world; the eyes turn against the head to keep it (the
vestibulo-ocular reflex), and a saccade takes them to the next one. Fixations are drawn in blocks of
time, so any stretch can be had without the ones before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from motet.acting import EYE_DOWN_DEG, EYE_SIDE_DEG, EYE_UP_DEG
from motet.face.gestures import smooth_step
from motet.face.operator import FaceCues, FrameOperator
from motet.geometry.rotation import matrix_from_axis_angle
from motet.types import ARKIT_SHAPES, EYE_FULL_RAD

BLOCK_S = 4.0
SACCADE_S, SACCADE_S_PER_DEG = 0.021, 0.0022
"""Duration of a saccade: 21 ms and 2.2 ms a degree (Carpenter 1988)."""
HOLD_S = (0.85, 0.45)
"""Median of a fixation and spread of its logarithm, while somebody is looked at."""
WANDER_S = (0.48, 0.40)
"""The same for a gaze that wanders."""
FACE_DEG = ((-1.2, 0.3), (1.2, 0.3), (0.1, -1.6))
"""What of a face across is fixated: one eye, the other, the mouth; azimuth and elevation."""
TREMOR_DEG = 0.15
"""Spread of fixations of the same thing."""
CONTACT = 0.45
"""Share of a wandering gaze's fixations that meet the camera, as people look who speak."""
WANDER_DEG, LEAST_DEG = (8.5, 4.0), 5.5
"""Spread of fixations beside it, and the least step to one."""
DISTANCE_M, HALF_EYES_M = 1.5, 0.031
"""Distance of the target, and half that of the eyes: both eyes turn in by 1.2 degrees."""
FULL_DEG = {end: float(np.degrees(full)) for end, full in EYE_FULL_RAD.items()}
LID_DOWN, LID_UP, LID_DEG = 0.30, 0.22, (11.5, 10.0)
"""eyeBlink and eyeWide that go with eyes turned down and up by `LID_DEG`, and the most of them."""
_STREAM = 4


@cache
def _block(seed: int, block: int, wanders: bool) -> tuple[tuple[float, float, float], ...]:
    """Time, azimuth and elevation of the fixations that begin in a block."""
    random = np.random.default_rng([seed % 2**63, _STREAM, block + 2, int(wanders)])
    median, spread = WANDER_S if wanders else HOLD_S
    now, azimuth, elevation = block * BLOCK_S + random.uniform(0, median), 0.0, 0.0
    rows = []
    while now < (block + 1) * BLOCK_S:
        azimuth, elevation = _next(random, wanders, azimuth, elevation)
        rows.append((now, azimuth, elevation))
        now += float(median * np.exp(spread * random.normal()))
    return tuple(rows)


def _next(
    random: np.random.Generator, wanders: bool, azimuth: float, elevation: float
) -> tuple[float, float]:
    """The next fixation after another, degrees from the target."""
    tremor = TREMOR_DEG * random.normal(size=2)
    face = FACE_DEG[random.integers(len(FACE_DEG))]
    if not wanders:
        return face[0] + tremor[0], face[1] + tremor[1]
    away = np.hypot(azimuth, elevation) > LEAST_DEG
    if away and random.uniform() < 2 * CONTACT / (1 + CONTACT):
        return face[0] + tremor[0], face[1] + tremor[1]
    for _ in range(20):
        fixation = np.array(WANDER_DEG) * random.normal(size=2)
        if np.hypot(fixation[0] - azimuth, fixation[1] - elevation) > LEAST_DEG:
            break
    return float(np.clip(fixation[0], -20, 20)), float(np.clip(fixation[1], -9, 9))


def fixation_course(
    seed: int, time: Float[ndarray, " frames"], wanders: bool
) -> Float[ndarray, "frames 2"]:
    """Azimuth (to the figure's left) and elevation of the gaze from its target, degrees."""
    if not len(time):
        return np.zeros((0, 2))
    # A fixation lasts into the next block, and its saccade sets out from the one before it.
    blocks = range(int(time[0] // BLOCK_S) - 2, int(time[-1] // BLOCK_S) + 1)
    rows = np.array([row for block in blocks for row in _block(seed, block, wanders)])
    start, direction = rows[:, 0], rows[:, 1:]
    index = np.searchsorted(start, time, side="right") - 1
    current, before = direction[index], direction[np.maximum(index - 1, 0)]
    size = np.hypot(*(current - before).T)
    share = smooth_step((time - start[index]) / (SACCADE_S + SACCADE_S_PER_DEG * size))
    return before + share[:, None] * (current - before)


def eye_weights(
    yaw: Float[Tensor, "*batch"], pitch: Float[Tensor, "*batch"]
) -> dict[str, Float[Tensor, "*batch"]]:
    """Weights of eyeLook that turn both eyes by angles in the head, degrees to the figure's left
    and up, as far as eyes turn; vergence is added.
    """
    yaw, pitch = yaw.clamp(-EYE_SIDE_DEG, EYE_SIDE_DEG), pitch.clamp(-EYE_DOWN_DEG, EYE_UP_DEG)
    inward = float(np.degrees(np.arctan(HALF_EYES_M / DISTANCE_M)))
    weights = {}
    for side, sign in (("Left", 1.0), ("Right", -1.0)):
        out = sign * yaw - inward
        weights[f"eyeLookOut{side}"] = (out / FULL_DEG["Out"]).clamp(0, 1)
        weights[f"eyeLookIn{side}"] = (-out / FULL_DEG["In"]).clamp(0, 1)
        weights[f"eyeLookUp{side}"] = (pitch / FULL_DEG["Up"]).clamp(0, 1)
        weights[f"eyeLookDown{side}"] = (-pitch / FULL_DEG["Down"]).clamp(0, 1)
    return weights


class Gaze(FrameOperator):
    """Eyes that look at a target, or wander around it.

    Args:
        target: azimuth and elevation of the target from the body's front, degrees.
        wanders: the eyes leave the target and come back, as people's do who think while they speak.
        head: where the rotation (axis-angle, radians) lies in a frame.
    """

    def __init__(
        self,
        target: tuple[float, float],
        wanders: bool,
        head: slice,
        seeds: Sequence[int],
        fps: float,
    ) -> None:
        self.target, self.wanders, self.head = target, wanders, head
        self.seeds, self.fps = tuple(seeds), fps

    def apply(
        self, motion: Float[Tensor, "batch frames dim"], cues: FaceCues
    ) -> Float[Tensor, "batch frames dim"]:
        """The processed frames; the method's own gaze is replaced."""
        time = (cues.first_frame + np.arange(motion.shape[1])) / self.fps
        course = np.stack([fixation_course(seed, time, self.wanders) for seed in self.seeds])
        angles = np.radians(course + np.array(self.target))  # (batch, frames, 2)
        azimuth, elevation = torch.from_numpy(angles).to(motion).unbind(-1)
        level = elevation.cos()
        direction = torch.stack([level * azimuth.sin(), elevation.sin(), level * azimuth.cos()], -1)
        turn = matrix_from_axis_angle(motion[..., self.head])
        # In the head's own axes: R^T d.
        x, y, z = (turn.mT @ direction.unsqueeze(-1)).squeeze(-1).unbind(-1)
        weights = eye_weights(
            torch.rad2deg(torch.atan2(x, z)), torch.rad2deg(torch.asin(y.clamp(-1, 1)))
        )
        motion = motion.clone()
        for name, weight in weights.items():
            motion[..., ARKIT_SHAPES.index(name)] = weight
        for side in ("Left", "Right"):
            down = FULL_DEG["Down"] * weights[f"eyeLookDown{side}"] / LID_DEG[0]
            up = FULL_DEG["Up"] * weights[f"eyeLookUp{side}"] / LID_DEG[1]
            self._move_lid(motion, f"eyeBlink{side}", LID_DOWN * down.clamp(max=1))
            self._move_lid(motion, f"eyeWide{side}", LID_UP * up.clamp(max=1))
        return motion

    def _move_lid(self, motion: Tensor, name: str, weight: Tensor) -> None:
        lid = ARKIT_SHAPES.index(name)
        motion[..., lid] = (motion[..., lid] + weight).clamp(max=1)
