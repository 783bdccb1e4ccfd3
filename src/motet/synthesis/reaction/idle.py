"""How people stand about: from recordings of people waiting, or made up where there are none."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation, Slerp

from motet.body.bvh_format import read_bvh
from motet.synthesis.reaction.plan import drift
from motet.synthesis.reaction.steps import RATE
from motet.types import SMPLX25_JOINTS

AT = {name: number for number, name in enumerate(SMPLX25_JOINTS)}
RECORDED = {"spine3": "spine.001", "neck": "neck", "head": "face"} | {
    f"{side}_{ours}": f"{theirs}.{letter}"
    for side, letter in (("left", "L"), ("right", "R"))
    for ours, theirs in (("collar", "shoulder"), ("shoulder", "upper_arm"), ("elbow", "forearm"))
}
"""Our joint -> joint of the recordings, whose rest pose has the arms stretched out too."""
LARGEST_SWAY_M = 0.045


@dataclasses.dataclass(frozen=True)
class Idle:
    """A stretch of standing at 120 fps: upper-body rotations and sway of the hips."""

    rotations: Float[np.ndarray, "frames 25 3 3"]
    pelvis: Float[np.ndarray, "frames 3 3"]
    """Small turns of the pelvis."""
    sway_m: Float[np.ndarray, "frames 2"]
    """To the left and to the front."""
    hanging: Float[np.ndarray, "frames 25 3 3"]
    """The same with arms that hang, for when they are wanted otherwise than folded or on the
    hips."""
    phase: float
    """Of the breath."""


def invented_idle(frames: int, random: np.random.Generator) -> Idle:
    """Hanging arms and slow wandering."""
    rotations = np.tile(np.eye(3), (frames, 25, 1, 1))
    # radians, slow
    wander = 0.02 * drift(random, frames, 1.7, 20)
    for k, name in enumerate(("spine1", "spine2", "spine3", "neck", "head")):
        rotations[:, AT[name]] = Rotation.from_rotvec(
            wander[:, 3 * k : 3 * k + 3] * ([1, 1, 0.6] if k > 2 else [0.5, 0.5, 0.5])
        ).as_matrix()
    hang, out, bend = (
        # hanging arms: radians from stretched out sideways, forward, and of the elbow
        random.uniform(1.22, 1.32),
        random.uniform(-0.1, 0.15),
        random.uniform(0.15, 0.45),
    )
    for k, (side, sign) in enumerate((("left", 1), ("right", -1))):
        down = Rotation.from_rotvec([0, 0, -sign * hang]) * Rotation.from_rotvec([out, 0, 0])
        rotations[:, AT[f"{side}_collar"]] = Rotation.from_rotvec([0, 0, -0.06 * sign]).as_matrix()
        swing = Rotation.from_rotvec(np.outer(wander[:, 15 + k], [1, 0, 0]))
        rotations[:, AT[f"{side}_shoulder"]] = (swing * down).as_matrix()
        rotations[:, AT[f"{side}_elbow"]] = Rotation.from_rotvec(
            np.outer(bend + wander[:, 17 + k], [0, -sign, 0])
        ).as_matrix()
    sway = np.clip(0.014 * drift(random, frames, 2.4, 2), -LARGEST_SWAY_M, LARGEST_SWAY_M)
    pelvis = Rotation.from_rotvec(0.012 * drift(random, frames, 2.4, 3)).as_matrix()
    return Idle(rotations, pelvis, sway, rotations, float(random.uniform(0, 6.28)))


class IdleLibrary:
    """Recordings of standing people (folder `idle` of the motion captures); may be empty.

    Args:
        folder: with `idle/*.bvh.gz`, or None.
    """

    def __init__(self, folder: Path | None) -> None:
        self.paths = sorted((folder / "idle").glob("*.bvh.gz")) if folder is not None else []
        self._clips: dict[Path, tuple[np.ndarray, np.ndarray, np.ndarray, float]] = {}

    def draw(self, frames: int, random: np.random.Generator) -> Idle:
        """A random stretch, half of the time mirrored."""
        base = invented_idle(frames, random)
        if not self.paths:
            return base
        path = self.paths[int(random.integers(len(self.paths)))]
        rotations, pelvis, sway, fps = self._clip(path)
        need = int(frames / RATE * fps) + 3
        start = int(random.integers(max(1, len(sway) - need)))
        pieces = (
            rotations[start : start + need],
            pelvis[start : start + need],
            sway[start : start + need],
        )
        taken = _at_rate(base, pieces, fps, frames)
        return _mirrored(taken) if random.random() < 0.5 else taken

    def _clip(self, path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
        """Rotations in our joints, turns of the pelvis, sway, frame rate."""
        if path not in self._clips:
            bvh = read_bvh(path)
            local, names = bvh.local_rotations(), bvh.names
            rotations = np.tile(np.eye(3), (len(local), 25, 1, 1))
            for ours, theirs in RECORDED.items():
                rotations[:, AT[ours]] = local[:, names.index(theirs)]
            # One joint of theirs is two of ours: half the turn each.
            half = Rotation.from_rotvec(
                0.5 * Rotation.from_matrix(local[:, names.index("spine")]).as_rotvec()
            ).as_matrix()
            rotations[:, AT["spine1"]] = rotations[:, AT["spine2"]] = half
            position = bvh.local_positions()[:, 0]
            # to a pelvis height of 0.9 m, whatever unit the file has
            scale = 0.9 / np.median(position[:, 1])
            # the slow part is removed below
            slow = gaussian_filter1d(
                # 4 s: slower than that is walking about, not swaying
                position[:, [0, 2]] * scale,
                4 / bvh.frame_time_s / 2,
                axis=0,
                mode="nearest",
            )
            sway = np.clip(position[:, [0, 2]] * scale - slow, -LARGEST_SWAY_M, LARGEST_SWAY_M)
            fps = 1 / bvh.frame_time_s
            self._clips[path] = (
                rotations,
                local[:, 0],
                gaussian_filter1d(sway, 0.1 * fps, axis=0, mode="nearest"),
                fps,
            )
        return self._clips[path]


def _at_rate(
    base: Idle, pieces: tuple[np.ndarray, np.ndarray, np.ndarray], fps: float, frames: int
) -> Idle:
    """A stretch of a recording at 120 fps, without tremble and mean turn of the pelvis."""
    rotations, pelvis, sway = pieces
    # a stretch that is too short rests at its end
    clock = np.minimum(np.arange(frames) / RATE, (len(sway) - 1) / fps - 1e-6)
    known = np.arange(len(sway)) / fps
    result = base.rotations.copy()
    for name in ("spine1", "spine2", *RECORDED):
        turns = gaussian_filter1d(
            Slerp(known, Rotation.from_matrix(rotations[:, AT[name]]))(clock).as_matrix(),
            0.08 * RATE,
            axis=0,
            mode="nearest",
        )
        turns = Rotation.from_matrix(turns)
        if name in ("neck", "head"):
            # People who wait look at the floor or at a screen; ours look ahead.
            turns = turns * turns.mean().inv()
        result[:, AT[name]] = turns.as_matrix()
    turn = Rotation.from_matrix(pelvis)
    # The mean turn is where the person faced in the studio.
    small = (turn.mean().inv() * turn).as_rotvec()
    # about 5 degrees at most
    small = np.clip(
        np.stack([np.interp(clock, known, small[:, axis]) for axis in range(3)], 1), -0.08, 0.08
    )
    shift = np.stack([np.interp(clock, known, sway[:, axis]) for axis in range(2)], 1)
    small = Rotation.from_rotvec(
        gaussian_filter1d(small, 0.15 * RATE, axis=0, mode="nearest")
    ).as_matrix()
    return Idle(result, small, shift, base.rotations, base.phase)


def _mirrored(idle: Idle) -> Idle:
    order = [
        AT[name.replace("left", "?").replace("right", "left").replace("?", "right")]
        for name in SMPLX25_JOINTS
    ]
    # Left and right: x is mirrored, so a rotation R becomes F R F.
    flip = np.diag([-1.0, 1.0, 1.0])
    hanging = flip @ idle.hanging[:, order] @ flip
    return Idle(
        flip @ idle.rotations[:, order] @ flip,
        flip @ idle.pelvis @ flip,
        idle.sway_m * [-1, 1],
        hanging,
        idle.phase,
    )
