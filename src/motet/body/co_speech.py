"""Hands and head of somebody who speaks: gestures over phrases, beats on emphasis, rest in pauses.

The strokes of beat gestures fall on the accents of speech (McNeill 1992; Loehr 2012). Phrases and
accents are found in the loudness; the arms follow these rules alone, as the denoiser of a speaker
hardly moves them.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from jaxtyping import Float
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks
from torch import Tensor

from motet.body.arm_reach import SIDES, Reach, reach
from motet.body.standing_pose import standing_rotations
from motet.geometry.rotation import matrix_from_axis_angle
from motet.types import SMPLX25_JOINTS

VOICED, LOUDEST = 0.08, 0.95
"""Voice is louder than this share of the loudness at that quantile."""
PAUSE_S, SHORTEST_S, LONGEST_S = 0.3, 0.4, 3.6
"""A pause ends a phrase; a shorter phrase has no gesture; a longer one has several."""
RAISE_S, LOWER_S, EARLY_S = 0.55, 0.8, 0.25
"""Time in which a hand comes up and sinks, and how long before its phrase it begins."""
BEAT_S, STROKE_EARLY_S = 0.11, 0.05
OFTEN, BOTH, RIGHT = 0.9, 0.5, 0.7
"""Shares of phrases with a gesture, of those with both hands, and with the right of one."""
OUT_M, HEIGHT_M, FRONT_M = (0.10, 0.20), (-0.16, -0.02), (0.24, 0.34)
"""Where a wrist goes in the axes of the chest; each gesture chooses its own."""
STROKE_M, WANDER_M = 0.12, 0.045
NOD_RAD, SHAKE_RAD = 0.08, 0.11
FINGERS, ELBOW = (-0.25, 0.12, 0.96), (0.60, -0.78, -0.15)
PALMS = ((-0.55, 0.83, 0.0), (-0.85, -0.45, 0.1))
"""Open upwards, or to the other hand."""
ARM = ("collar", "shoulder", "elbow", "wrist")


@dataclasses.dataclass(frozen=True)
class Gesture:
    """One phrase, or a part of a long one; frames of the window."""

    start: int
    stop: int


def gesture_along(
    root: Float[Tensor, "frames 3"],
    rotations: Float[Tensor, "frames joints 3 3"],
    loudness: Float[Tensor, " frames"],
    fps: float,
    first_frame: int,
    seed: int,
) -> Float[Tensor, "frames joints 3 3"]:
    """Rotations whose arms hang, come up with each phrase and beat on its emphasis.

    Args:
        loudness: of the voice (RMS).
        first_frame: number of the first frame in the take; with the seed it chooses the gestures,
            so that windows which overlap choose alike.
    """
    level = loudness.double().numpy()
    beats = emphasis(level, fps)
    result = _hanging(rotations)
    time = (first_frame + np.arange(len(level))) / fps
    for gesture in phrases(level, fps):
        # Half seconds: the next window may find the phrase a few frames earlier or later.
        random = np.random.default_rng([seed, round((first_frame + gesture.start) / fps * 2)])
        result = _moved(root, result, gesture, beats, time, random, fps)
    return _nodding(result, beats, level, time, seed)


def phrases(level: Float[np.ndarray, " frames"], fps: float) -> list[Gesture]:
    """Runs of voice between pauses, long ones cut at their quietest moments."""
    reference = float(np.quantile(level, LOUDEST))
    voiced = (level > VOICED * reference) & (level > 1e-4)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], voiced.astype(np.int8), [0]])))
    runs: list[list[int]] = []
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        if runs and start - runs[-1][1] < PAUSE_S * fps:
            runs[-1][1] = int(stop)
        else:
            runs.append([int(start), int(stop)])
    smooth, result = gaussian_filter1d(level, 0.1 * fps), []
    for start, stop in runs:
        while stop - start > LONGEST_S * fps:
            early, late = start + round(1.4 * fps), start + round(LONGEST_S * fps)
            cut = early + int(np.argmin(smooth[early:late]))
            result.append(Gesture(start, cut))
            start = cut
        if stop - start > SHORTEST_S * fps:
            result.append(Gesture(start, stop))
    return result


def emphasis(level: Float[np.ndarray, " frames"], fps: float) -> Float[np.ndarray, " frames"]:
    """A bump on every accent of the voice, as high as the accent is strong (0 to 1)."""
    decibels = 20 * np.log10(gaussian_filter1d(level, 0.06 * fps) + 1e-5)
    peaks, facts = find_peaks(decibels, prominence=3.0, distance=max(1, round(0.28 * fps)))
    result, time = np.zeros(len(level)), np.arange(len(level)) / fps
    if not len(peaks):
        return result
    strong = max(float(np.quantile(facts["prominences"], 0.8)), 1e-6)
    loud = decibels[peaks] > decibels.max() - 26.0
    for peak, prominence in zip(peaks[loud], facts["prominences"][loud], strict=True):
        moment = peak / fps - STROKE_EARLY_S
        result += min(1.0, prominence / strong) * np.exp(-(((time - moment) / BEAT_S) ** 2))
    return result


def _hanging(rotations: Float[Tensor, "frames joints 3 3"]) -> Tensor:
    """The same with arms as of somebody who stands at ease."""
    result, standing = rotations.clone(), standing_rotations().to(rotations)
    for joint in (SMPLX25_JOINTS.index(f"{side}_{name}") for side in SIDES for name in ARM):
        result[:, joint] = standing[joint]
    return result


def _moved(
    root: Float[Tensor, "frames 3"],
    rotations: Float[Tensor, "frames joints 3 3"],
    gesture: Gesture,
    beats: Float[np.ndarray, " frames"],
    time: Float[np.ndarray, " frames"],
    random: np.random.Generator,
    fps: float,
) -> Float[Tensor, "frames joints 3 3"]:
    """One gesture; the same random numbers are drawn whatever it is."""
    chance, both, right, palm = random.random(4)
    out, height, front = (random.uniform(*r) for r in (OUT_M, HEIGHT_M, FRONT_M))
    phase, late = random.uniform(0, 2 * np.pi, 3), random.uniform(0, 0.1, 2)
    if chance > OFTEN:
        return rotations
    chosen = SIDES if both < BOTH else (SIDES[int(right < RIGHT)],)
    for side in chosen:
        delay = float(late[SIDES.index(side)])
        start = time[0] + gesture.start / fps - EARLY_S + delay
        stop = time[0] + gesture.stop / fps + delay
        weight = _rise(time, start, RAISE_S) * (1 - _rise(time, stop - 0.1, LOWER_S))
        if gesture.start == 0:  # it goes on from the window before
            weight = 1 - _rise(time, stop - 0.1, LOWER_S)
        wander = WANDER_M * np.sin(2 * np.pi * time[:, None] * (0.45, 0.7, 0.31) + phase)
        stroke = STROKE_M * beats[:, None] * (0.5, -1.0, 0.35)
        position = np.array([out, height, front]) + wander + stroke + (0.0, 0.35 * STROKE_M, 0.0)
        goal = Reach("spine3", position, FINGERS, PALMS[int(palm < 0.5)], ELBOW)
        rotations = reach(root, rotations, side, goal, weight)
    return rotations


def _nodding(
    rotations: Float[Tensor, "frames joints 3 3"],
    beats: Float[np.ndarray, " frames"],
    level: Float[np.ndarray, " frames"],
    time: Float[np.ndarray, " frames"],
    seed: int,
) -> Float[Tensor, "frames joints 3 3"]:
    """The head nods on emphasis, and turns and tilts a little while the voice sounds."""
    phase = np.random.default_rng([seed, 6]).uniform(0, 2 * np.pi, 4)
    speaks = gaussian_filter1d((level > VOICED * np.quantile(level, LOUDEST)).astype(float), 9.0)
    shake = np.sin(2 * np.pi * time / 2.9 + phase[0]) + np.sin(2 * np.pi * time / 1.7 + phase[1])
    tilt = np.sin(2 * np.pi * time / 3.7 + phase[2]) + np.sin(2 * np.pi * time / 2.3 + phase[3])
    turns = np.stack([NOD_RAD * beats, 0.5 * SHAKE_RAD * speaks * shake,
                      0.3 * SHAKE_RAD * speaks * tilt], 1)  # fmt: skip
    result = rotations.clone()
    for name, share in (("neck", 0.4), ("head", 0.6)):
        joint = SMPLX25_JOINTS.index(name)
        own = matrix_from_axis_angle(torch.from_numpy(share * turns).to(rotations))
        result[:, joint] = rotations[:, joint] @ own
    return result


def _rise(time: Float[np.ndarray, " frames"], start: float, length: float) -> np.ndarray:
    """0 before `start`, 1 a `length` later, smooth between."""
    share = np.clip((time - start) / length, 0, 1)
    return share**3 * (share * (6 * share - 15) + 10)
