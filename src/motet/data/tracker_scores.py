"""From a face tracker's scores to clean weights of the house shapes."""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.ndimage import median_filter
from scipy.signal import savgol_filter
from scipy.spatial.transform import Rotation

from motet.face.lip_shapes import LipRest, fit_mouth, lip_changes
from motet.types import ARKIT_SHAPES

_EYE = [i for i, n in enumerate(ARKIT_SHAPES) if n.startswith("eyeLook")]
_BLINK = [i for i, n in enumerate(ARKIT_SHAPES) if n.startswith("eyeBlink")]
_SLOW = [
    i
    for i, n in enumerate(ARKIT_SHAPES)
    if n.startswith(("brow", "eyeSquint", "eyeWide", "cheekSquint", "noseSneer"))
]
# Gain of the slow channels over the neutral; squints carry most of the tracker's person-specific
# noise and are damped.
_GAIN = {"brow": 1.5, "eyeSquint": 0.5, "eyeWide": 1.0, "cheekSquint": 1.0, "noseSneer": 1.0}


@dataclasses.dataclass(frozen=True)
class Neutral:
    """A person at rest, as the tracker sees it."""

    scores: Float[ndarray, "52"]
    """Scores with a closed, silent mouth."""
    top: Float[ndarray, "52"]
    """99th percentile of the scores over the neutral: the end of this person's scale."""
    lips: LipRest
    """Lip measures at rest."""
    pose: Float[ndarray, "3 3"]
    """Rotation of the resting head, from the face's frame (x to the person's left, y up, z to the
    front) to the camera's."""


def neutral_of(
    scores: Float[ndarray, "frames 52"],
    lip: Float[ndarray, "frames 4"],
    rotation: Float[ndarray, "frames 3 3"],
    quiet: Float[ndarray, " frames"] | None = None,
) -> Neutral:
    """A person's neutral from all frames there are of them.

    Rest is where the lips are nearly together: the fifth of all frames with the smallest opening,
    of the quiet frames where it is known which are quiet (at least 20 of them).
    """
    rows = np.arange(len(lip))
    if quiet is not None and int(quiet.sum()) >= 20:
        # Without times of silence the smallest fifth of all gaps is rest; of quiet frames, half.
        rows = np.flatnonzero(quiet)
    gap = lip[rows, 0]
    closed = rows[gap <= np.quantile(gap, 0.2 if quiet is None else 0.5) + 1e-4]
    rest = np.median(scores[closed], axis=0)
    # Shapes of the mouth have their rest at their low end even when the mouth was never still.
    low = np.quantile(scores, 0.1, axis=0)
    mouth = np.array([n.startswith(("mouth", "jaw")) for n in ARKIT_SHAPES])
    rest = np.where(mouth, np.minimum(rest, low + 0.02), rest)
    measures = np.median(lip[closed], axis=0)
    # A gap of more than 0.006 face heights at rest is a mouth that never closed.
    lips = LipRest(float(min(measures[0], 0.006)), *(float(m) for m in measures[1:]))
    top = np.maximum(np.quantile(scores, 0.99, axis=0) - rest, 0.0)
    return Neutral(rest, top, lips, Rotation.from_matrix(rotation).mean().as_matrix())


def clean_weights(
    scores: Float[ndarray, "frames 52"],
    lip: Float[ndarray, "frames 4"],
    neutral: Neutral,
    fps: float,
) -> Float[ndarray, "frames 52"]:
    """House weights of one shot: measured lips, clean blinks, calm gaze and brows."""
    over = np.maximum(scores - neutral.scores, 0.0)
    measured = np.column_stack(
        # The gap moves fastest and is smoothed least: closures last two or three frames.
        [_light(lip[:, 0]), *(_smooth(lip[:, k], fps, 0.2) for k in (1, 2, 3))]
    )
    smooth = np.maximum(np.apply_along_axis(_smooth, 0, over, fps, 0.2), 0.0)
    # (frames, 52)
    weights = fit_mouth(lip_changes(measured, neutral.lips), smooth, neutral.top)
    blink = blinks(scores[:, _BLINK].mean(axis=1), fps)
    weights[:, _BLINK] = blink[:, None]
    weights[:, _EYE] = _gaze(scores[:, _EYE] - neutral.scores[_EYE], blink, fps)
    for column in _SLOW:
        gain = next(g for prefix, g in _GAIN.items() if ARKIT_SHAPES[column].startswith(prefix))
        weights[:, column] = np.clip(gain * _smooth(over[:, column], fps, 0.44), 0.0, 0.6)
    return np.clip(weights, 0.0, 1.0)


def blinks(score: Float[ndarray, " frames"], fps: float) -> Float[ndarray, " frames"]:
    """Blinks alone: fast closures above the lids' slow course, stretched to full closure.

    A lid that is lowered for longer than about half a second (a look down) is part of the slow
    course and taken off.
    """
    # One second: no blink lasts as long, a look down does.
    slow = median_filter(score, size=max(3, int(fps) | 1), mode="nearest")
    # The lid's way from its slow course to closed (score 0.60) is 1.
    height = np.clip((score - slow) / np.maximum(0.60 - slow, 0.15), 0.0, 1.2)
    result = np.zeros_like(score)
    # Blinks begin above 0.15 and count when they pass 0.45, within 0.6 s.
    for start, stop in _runs(height > 0.15):
        peak = height[start:stop].max()
        if peak > 0.45 and stop - start <= 0.6 * fps:
            result[start:stop] = np.clip(height[start:stop] / peak, 0.0, 1.0)
    return result


def _gaze(
    offset: Float[ndarray, "frames looks"], blink: Float[ndarray, " frames"], fps: float
) -> Float[ndarray, "frames looks"]:
    """Gaze bridged over blinks, then median-filtered and lightly smoothed."""
    # two frames on each side of a blink: the iris is partly covered there
    open_eye = np.convolve(blink > 0.05, np.ones(5), mode="same") == 0
    rows = np.arange(len(blink))
    result = np.zeros_like(offset)
    if open_eye.sum() < 2:
        return result
    for k in range(offset.shape[1]):
        course = np.interp(rows, rows[open_eye], offset[open_eye, k])
        result[:, k] = np.clip(_light(median_filter(course, size=5, mode="nearest")), 0.0, 0.6)
    return result


def head_rotation(
    rotation: Float[ndarray, "frames 3 3"], pose: Float[ndarray, "3 3"], fps: float
) -> Float[ndarray, "frames 3"]:
    """Axis-angle of the head relative to its resting pose, lightly smoothed."""
    relative = Rotation.from_matrix(pose).inv() * Rotation.from_matrix(rotation)
    return np.apply_along_axis(_smooth, 0, relative.as_rotvec(), fps, 0.28)


def _light(course: Float[ndarray, " frames"]) -> Float[ndarray, " frames"]:
    return np.convolve(np.pad(course, 1, mode="edge"), [0.15, 0.7, 0.15], mode="valid")


def _smooth(
    course: Float[ndarray, " frames"], fps: float, seconds: float
) -> Float[ndarray, " frames"]:
    # odd, as Savitzky and Golay's filter needs; of second order, which keeps peaks
    window = max(5, int(round(seconds * fps)) | 1)
    return course if len(course) < window else savgol_filter(course, window, 2)


def _runs(flags: ndarray) -> list[tuple[int, int]]:
    # edges of runs of True: rising and falling ones alternate
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
