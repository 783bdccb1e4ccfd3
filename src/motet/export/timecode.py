"""SMPTE timecodes of recordings: written in sixtieths, read at any usual counting rate.

A timecode counts frames, and no file says how many make a second: the iPhone application counts
sixtieths whatever it records, other programs count the frames of their project. The counting rate
follows from where the frame number starts again. With `;` before the frames it is drop-frame: the
clock runs at rate / 1.001 and skips numbers in nine of ten minutes (SMPTE ST 12-1).
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from motet.errors import AssetError

COUNTING_RATES = (24, 25, 30, 48, 50, 60, 90, 100, 120, 240)
SIXTIETHS = 60
"""The counting rate of the iPhone application, and of recordings too short to tell."""
DAY_SECONDS = 86_400.0
_PATTERN = re.compile(r"(\d{1,4}):(\d{1,2}):(\d{1,2})([:;.,])(\d{1,3}(?:\.\d{1,9})?)")
_NTSC_FPS = np.array([24, 30, 48, 60, 120]) / 1.001
_COMMON_FPS = np.array(
    [*_NTSC_FPS, 12, 15, 20, 24, 25, 30, 48, 50, 60, 90, 100, 120, 240], np.float64
)


@dataclasses.dataclass(frozen=True)
class Timecode:
    """One timecode as it is written."""

    clock: int
    """Hours, minutes and seconds in seconds."""
    frame: float
    """Frame number within the second."""
    drop_frame: bool


def timecode(seconds: float) -> str:
    """HH:MM:SS:FF.fff with frames of 1/60 s."""
    # Whole numbers, so that no frame shows 59.9999.
    thousandths = round(seconds * 60_000)
    whole, rest = divmod(thousandths, 60_000)
    clock = f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"
    return f"{clock}:{rest // 1000:02d}.{rest % 1000:03d}"


def parse_timecode(cell: str, path: Path) -> Timecode:
    """A timecode from a cell.

    Raises:
        AssetError: the cell holds none.
    """
    match = _PATTERN.fullmatch(cell.strip())
    if match is None:
        raise AssetError(f"{path} has the timecode {cell[:20]!r}; HH:MM:SS:FF.fff is expected")
    hours, minutes, seconds, separator, frame = match.groups()
    clock = int(hours) * 3600 + int(minutes) * 60 + int(seconds)
    return Timecode(clock, float(frame), separator == ";")


def counting_rate(codes: Sequence[Timecode]) -> int:
    """Frames that the timecodes count in a second.

    Where the second changes from frame `a` to frame `b`, the step `d` between frames gives the rate
    d + a - b. Medians over the recording, so missing frames do not matter.
    """
    clock = np.array([code.clock for code in codes])
    frame = np.array([code.frame for code in codes])
    # Within a second the frame number rises by `inside`; at the next one it falls by rate - inside.
    jumps, steps = np.diff(clock), np.diff(frame)
    inside = steps[(jumps == 0) & (steps > 0)]
    # Midnight is a change of the second too.
    across = steps[(jumps == 1) | (jumps == 1 - DAY_SECONDS)]
    if not len(inside) or not len(across):
        return SIXTIETHS if frame.max() < SIXTIETHS else _nearest_rate(0.0, frame.max())
    return _nearest_rate(float(np.median(inside) - np.median(across)), float(frame.max()))


def _nearest_rate(measured: float, largest: float) -> int:
    possible = [rate for rate in COUNTING_RATES if rate > largest] or [COUNTING_RATES[-1]]
    return min(possible, key=lambda rate: abs(rate - measured))


def seconds_of(codes: Sequence[Timecode]) -> Float[np.ndarray, " frames"]:
    """Seconds of all timecodes on one clock that runs on over midnight."""
    rate = counting_rate(codes)
    clock = np.array([code.clock for code in codes], np.float64)
    frame = np.array([code.frame for code in codes])
    times = clock + frame / rate
    day = DAY_SECONDS
    if any(code.drop_frame for code in codes) and rate % 30 == 0:
        minutes = clock // 60
        # Drop-frame skips two numbers (four at 60) each minute but every tenth; frames run at rate
        # / 1.001.
        dropped = rate // 15 * (minutes - minutes // 10)
        times = (clock * rate + frame - dropped) * 1.001 / rate
        day = (DAY_SECONDS * rate - rate // 15 * 1296) * 1.001 / rate
    midnights = np.concatenate([[0.0], np.cumsum(np.diff(times) < -day / 2)])
    return times + day * midnights


def even_frames(
    times: Float[np.ndarray, " rows"], table: Float[np.ndarray, "rows columns"], path: Path
) -> tuple[float, Float[np.ndarray, "frames columns"]]:
    """Frame rate of a recording, and its table on an even grid.

    Raises:
        AssetError: the times run backwards, stand still, or have gaps longer than the recording.
    """
    if not np.isfinite(times).all() or (np.diff(times) < 0).any():
        raise AssetError(f"{path} has timecodes that run backwards; export it again")
    if len(times) == 1:
        return 60.0, table
    step = float(np.median(np.diff(times)))
    if step < 1e-3:
        raise AssetError(f"{path} has timecodes that do not advance; export it again")
    fps = _frame_rate(times, step)
    count = round((times[-1] - times[0]) * fps) + 1
    if count > 2 * len(times) + 600:
        raise AssetError(
            f"{path} has gaps of {times[-1] - times[0]:.0f} s in only {len(times)} frames; cut it"
            " into its takes"
        )
    grid = times[0] + np.arange(count) / fps
    if count == len(times) and np.abs(grid - times).max() < 0.25 / fps:
        return fps, table
    return fps, np.stack([np.interp(grid, times, column) for column in table.T], axis=1)


def _frame_rate(times: np.ndarray, step: float) -> float:
    """Mean frame rate, rounded to a common one that the timecodes cannot distinguish from it."""
    duration = times[-1] - times[0]
    # Dropped rows count as the steps that they are.
    mean = np.round(np.diff(times) / step).sum() / duration
    nearest = _COMMON_FPS[np.abs(_COMMON_FPS - mean).argmin()]
    # Timecodes are rounded to 1/60000 s.
    is_same = abs(nearest / mean - 1) < max(2e-4, 4e-5 / duration)
    return float(nearest if is_same else mean)
