"""By how much a video's sound lies behind its picture, from the lips and the sound alone."""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.ndimage import gaussian_filter1d

_TRUSTED = {"lips": (0.5, 1.5), "loudness": (0.45, 8.0)}
"""Peak correlation and seconds of sound from which a lag is believed, by what the sound is
represented by."""


@dataclasses.dataclass(frozen=True)
class Lag:
    """A measured lag."""

    seconds: float
    """Positive: the sound comes late. 0 when it could not be measured."""
    correlation: float
    """Of the lips and the sound at that lag."""
    certain: bool
    """Whether the peak is clear; otherwise nothing should be corrected."""


def measure_lag(
    opening: Float[ndarray, " frames"],
    expected: Float[ndarray, " frames"],
    fps: float,
    kind: str = "lips",
    search_s: float = 0.3,
) -> Lag:
    """The lag at which measured lips fit best to the sound, to a fraction of a frame.

    Args:
        opening: measured opening of the lips.
        expected: opening predicted from the sound (acoustic regressor), or its loudness.
        kind: which of the two `expected` is, `lips` or `loudness`; loudness predicts much less and
            is trusted over long recordings only.
    """
    # a third of the recording at most: the rest must overlap
    reach = min(int(round(search_s * fps)), len(opening) // 3)
    if reach < 1 or np.std(opening) < 1e-9 or np.std(expected) < 1e-9:
        return Lag(0.0, 0.0, False)
    scores = np.array(
        [_correlation(opening, expected, shift) for shift in range(-reach, reach + 1)]
    )
    best = int(scores.argmax())
    offset = 0.0
    if 0 < best < len(scores) - 1:
        left, centre, right = scores[best - 1 : best + 2]
        # vertex of the parabola through the peak and its neighbours
        offset = 0.5 * (left - right) / min(left - 2 * centre + right, -1e-9)
    least, seconds = _TRUSTED[kind]
    # A peak at the edge of the search is no peak.
    certain = bool(
        scores[best] >= least and 0 < best < len(scores) - 1 and len(opening) / fps >= seconds
    )
    return Lag(
        float((best - reach + offset) / fps) if certain else 0.0, float(scores[best]), certain
    )


def loudness_course(
    sound: Float[ndarray, " time"], rate: int, frames: int, fps: float
) -> Float[ndarray, " frames"]:
    """Smoothed level of the sound at the frames, dB above its floor."""
    hop = rate / fps
    total = np.concatenate([[0.0], np.cumsum(np.square(sound.astype(np.float64)))])
    # one frame's length of sound around each frame
    low = np.clip((np.arange(frames) - 0.5) * hop, 0, len(sound)).astype(int)
    high = np.clip((np.arange(frames) + 0.5) * hop, 0, len(sound)).astype(int)
    level = 10 * np.log10((total[high] - total[low]) / np.maximum(high - low, 1) + 1e-9)
    # above the 10th percentile, which stands for the room
    return gaussian_filter1d(np.maximum(level - np.quantile(level, 0.1), 0.0), fps / 25)


def _correlation(seen: ndarray, expected: ndarray, shift: int) -> float:
    """Of seen[i] with expected[i + shift]: the sound of frame i is found `shift` frames later."""
    a, b = (
        (seen[: len(seen) - shift], expected[shift:])
        if shift >= 0
        else (seen[-shift:], expected[:shift])
    )
    if np.std(a) < 1e-9 or np.std(b) < 1e-9:
        return -1.0
    return float(np.corrcoef(a, b)[0, 1])
