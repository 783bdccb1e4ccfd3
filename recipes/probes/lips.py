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

Listen = Callable[[Float[Tensor, "time"]], Float[Tensor, "steps channels"]]
"""Sound at 16 kHz to features at 50 Hz."""
PAST_STEPS = (-8, -4, -2, 0)
"""What a streaming method can see besides the features' own look-ahead."""
CENTRED_STEPS = (-8, -4, 0, 4, 8)


@dataclasses.dataclass(frozen=True)
class LipProbe:
    """Correlations of predicted with tracked inner-lip opening."""

    grid: float
    """Median over GRID people, best lag within +-1 frame."""
    white_house: float
    """Median over the White House clips, best lag within +-0.2 s."""
    clips: dict[str, float]
    """Each clip by name."""
    held_out: float
    """Median over the fitted person's test clips, lag 0."""


def probe_lips(
    listen: Listen,
    grid: Path,
    others: Path,
    reach: Sequence[int] = PAST_STEPS,
    stride: int = 3,
    penalty: float = 0.02,
) -> LipProbe:
    """Fit lip opening on the GRID speaker's training clips and correlate on other people.

    Args:
        stride: every so many training clips are used.
    """
    lips, start, names = read_grid_lips(grid)
    opening = lips[..., 0] - lips[..., 0].mean(1, keepdim=True)
    clock = torch.arange(lips.shape[1]) / 25.0
    rows, targets = [], []

    def inputs(samples: np.ndarray, seconds: Float[Tensor, "frames"]) -> Tensor:
        return at_times(with_context(listen(torch.from_numpy(samples)), reach), seconds)

    training = [i for i in range(len(names)) if i % 20 not in (0, 1)][::stride]
    for i in training:
        rows.append(inputs(_flac(grid, names[i]), clock - start[i]))
        targets.append(opening[i, :, None])
    weight = ridge(torch.cat(rows), torch.cat(targets), penalty)
    own = [
        float(
            _correlation(
                (inputs(_flac(grid, names[i]), clock - start[i]) @ weight)[:, 0], opening[i]
            )
        )
        for i in range(0, len(names), 40)
    ]
    clips = {}
    for path in sorted(others.glob("*.npz")):
        with np.load(path) as clip:
            sound = clip["audio"].astype(np.float32) / 32767
            predicted = (
                inputs(sound, torch.from_numpy(clip["time"] - clip["audio_start"]).float()) @ weight
            )[:, 0]
            lags = 1 if path.name.startswith("grid") else round(0.2 * float(clip["fps"]))
            clips[path.stem] = best_correlation(
                predicted, torch.from_numpy(clip["lip"][:, 0]).float(), lags
            )
    median = {
        kind: statistics.median(v for k, v in clips.items() if k.startswith(kind))
        for kind in ("grid", "wh")
    }
    return LipProbe(median["grid"], median["wh"], clips, statistics.median(own))


def best_correlation(
    predicted: Float[Tensor, "frames"], tracked: Float[Tensor, "frames"], lags: int
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


def _correlation(a: Float[Tensor, "frames"], b: Float[Tensor, "frames"]) -> Float[Tensor, ""]:
    a, b = a - a.mean(), b - b.mean()
    return (a * b).sum() / (a.norm() * b.norm() + 1e-9)


def _flac(grid: Path, name: str) -> np.ndarray:
    return soundfile.read(grid / "audio" / f"{name}.flac", dtype="float32")[0]
