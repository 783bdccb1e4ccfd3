"""Blinks: how many a minute and how long.

Conventions: closure of the lids as a weight 0..1, both eyes averaged. A blink begins when it rises
over 0.5 and ends when it falls under 0.25; eyes still shut at the end of the clip do not count. Its
length is the time over half of its peak, crossings interpolated between frames. People who talk
blink 15 to 30 times a minute, each for 0.1 to 0.4 s.
"""

from __future__ import annotations

import dataclasses

import torch
from jaxtyping import Float
from torch import Tensor

from motet.errors import InputError
from motet.metrics.metric import Metric, check_fps, check_series, quantile

SHUT, OPEN = 0.5, 0.25

METRICS = (
    Metric(
        "blink_rate",
        "1/min",
        "eyelids",
        "like ground truth",
        "blinks a minute; people who talk: 15-30",
    ),
    Metric(
        "blink_duration",
        "s",
        "eyelids",
        "like ground truth",
        "median time over half of the peak; people: 0.1-0.4",
    ),
    Metric("blink_depth", "1", "eyelids", "higher", "median largest closure of a blink"),
)


@dataclasses.dataclass(frozen=True)
class Blink:
    """One blink."""

    start_s: float
    duration_s: float
    depth: float


def validate(lids: Tensor, fps: float) -> None:
    """A series of lid closure.

    Raises:
        InputError: empty, not finite, wrong rank or rate, or far outside 0..1.
    """
    check_fps(fps)
    check_series(lids, 1, "lid closure")
    if float(lids.min()) < -0.5 or float(lids.max()) > 1.5:
        raise InputError(
            f"lid closure must be a weight in 0..1, this runs from {float(lids.min()):g} to"
            f" {float(lids.max()):g}"
        )


def blinks(lids: Float[Tensor, " frames"], fps: float) -> list[Blink]:
    """All complete blinks of a clip."""
    validate(lids, fps)
    values, result, start = lids.double().tolist(), [], None
    for frame, value in enumerate(values):
        # Two thresholds (hysteresis): tremor around one of them would count as many blinks.
        if start is None and value > SHUT:
            start = frame
        elif start is not None and value < OPEN:
            result.append(_measured(values, start, frame, fps))
            start = None
    return result


def evaluate(lids: Float[Tensor, " frames"], fps: float) -> dict[str, float]:
    """Rate, and where there is a blink, length and depth."""
    result = blinks(lids, fps)
    scores = {"blink_rate": 60.0 * fps * len(result) / len(lids)}
    if result:
        scores["blink_duration"] = quantile(
            torch.tensor([blink.duration_s for blink in result]), 0.5
        )
        scores["blink_depth"] = quantile(torch.tensor([blink.depth for blink in result]), 0.5)
    return scores


def _measured(values: list[float], start: int, stop: int, fps: float) -> Blink:
    # The length is taken at half of the blink's own depth: half-closed blinks are not shorter.
    depth = max(values[start:stop])
    peak = start + values[start:stop].index(depth)
    left, right = _half(values, peak, -1, depth / 2), _half(values, peak, +1, depth / 2)
    return Blink(left / fps, (right - left) / fps, depth)


def _half(values: list[float], peak: int, step: int, level: float) -> float:
    """Where the closure crosses a level on one side of the peak, or the clip's end."""
    frame = peak
    while 0 <= frame + step < len(values) and values[frame + step] > level:
        frame += step
    beyond = frame + step
    if not 0 <= beyond < len(values):
        return float(frame)
    # Linear interpolation between the last frame above the level and the first below.
    return frame + step * (values[frame] - level) / (values[frame] - values[beyond])
