"""How much a front end knows of lips: a linear regression fitted on one tracked person and tried on
others.
"""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import soundfile
import torch
from jaxtyping import Float
from torch import Tensor

from motet.training.distillation_targets import at_times, read_grid_lips, ridge, with_context

Listen = Callable[[Float[Tensor, " time"]], Float[Tensor, "steps channels"]]
"""Sound at 16 kHz to features at 50 Hz."""
PAST_STEPS = (-8, -4, -2, 0)
"""What a streaming method can see besides the features' own look-ahead."""
CENTRED_STEPS = (-8, -4, 0, 4, 8)


CHANNELS = ("opening", "width")
"""Gap between the inner lips and width of the mouth, of the face's height."""


@dataclasses.dataclass(frozen=True)
class LipProbe:
    """Correlations of predicted with tracked lips."""

    clips: dict[str, dict[str, float]]
    """By channel and clip of other people; best lag within 0.2 s."""
    held_out: float
    """Median opening over the fitted person's test clips, lag 0."""
    seconds: float
    """Sound that was encoded."""

    def median(self, channel: str, kind: str) -> float:
        """Median over the clips whose names begin with `kind`: grid, web or wh."""
        values = self.clips[channel]
        return statistics.median(v for name, v in values.items() if name.startswith(kind))

    @property
    def grid(self) -> float:
        """Median opening over GRID people."""
        return self.median("opening", "grid")

    @property
    def white_house(self) -> float:
        """Median opening over the White House clips."""
        return self.median("opening", "wh")


def probe_lips(
    listen: Listen,
    grid: Path,
    others: Path,
    reach: Sequence[int] = PAST_STEPS,
    stride: int = 3,
    penalty: float = 0.02,
    listen_others: Listen | None = None,
) -> LipProbe:
    """Fit opening and width on the GRID speaker's training clips and correlate on other people.

    Args:
        stride: every so many training clips are used.
        listen_others: another way to features for other people, e.g. at another level.
    """
    lips, start, names = read_grid_lips(grid)
    measures = lips[..., : len(CHANNELS)]
    measures = measures - measures.mean(1, keepdim=True)
    clock, seconds = torch.arange(lips.shape[1]) / 25.0, 0.0

    def inputs(samples: np.ndarray, times: Float[Tensor, " frames"], way: Listen) -> Tensor:
        nonlocal seconds
        seconds += len(samples) / 16_000
        return at_times(with_context(way(torch.from_numpy(samples)), reach), times)

    def of_clip(index: int) -> Tensor:
        return inputs(_flac(grid, names[index]), clock - start[index], listen)

    training = [i for i in range(len(names)) if i % 20 not in (0, 1)][::stride]
    rows = torch.cat([of_clip(i) for i in training])
    weight = ridge(rows, measures[training].flatten(0, 1), penalty)
    own = [
        float(_correlation((of_clip(i) @ weight)[:, 0], measures[i, :, 0]))
        for i in range(0, len(names), 40)
    ]
    clips: dict[str, dict[str, float]] = {channel: {} for channel in CHANNELS}
    for path in sorted(others.glob("*.npz")):
        with np.load(path) as clip:
            sound = clip["audio"].astype(np.float32) / 32767
            times = torch.from_numpy(clip["time"] - clip["audio_start"]).float()
            predicted = inputs(sound, times, listen_others or listen) @ weight
            lags = round(0.2 * float(clip["fps"]))
            for column, channel in enumerate(CHANNELS):
                tracked = torch.from_numpy(clip["lip"][:, column]).float()
                clips[channel][path.stem] = best_correlation(predicted[:, column], tracked, lags)
    return LipProbe(clips, statistics.median(own), seconds)


def best_correlation(
    predicted: Float[Tensor, " frames"], tracked: Float[Tensor, " frames"], lags: int
) -> float:
    """The largest correlation over shifts of at most `lags` frames either way."""
    n = len(tracked)
    shifts = range(-lags, lags + 1)
    return max(
        float(
            _correlation(predicted[max(0, -s) : n - max(0, s)], tracked[max(0, s) : n - max(0, -s)])
        )
        for s in shifts
    )


def _correlation(a: Float[Tensor, " frames"], b: Float[Tensor, " frames"]) -> Float[Tensor, ""]:
    a, b = a - a.mean(), b - b.mean()
    return (a * b).sum() / (a.norm() * b.norm() + 1e-9)


def _flac(grid: Path, name: str) -> np.ndarray:
    return soundfile.read(grid / "audio" / f"{name}.flac", dtype="float32")[0]
