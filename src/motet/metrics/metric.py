"""What a score means: id, unit, region, and which way is better."""

from __future__ import annotations

import dataclasses
from typing import Literal

import torch
from torch import Tensor

from motet.errors import InputError


@dataclasses.dataclass(frozen=True)
class Metric:
    """Description of one score."""

    id: str
    unit: str
    region: str
    """What part of the face it looks at."""
    better: Literal["higher", "lower", "like ground truth", "descriptive"]
    """`like ground truth`: neither end is good, compare with recorded speakers. `descriptive`:
    describes, does not judge."""
    about: str


def check_series(values: Tensor, rank: int, name: str) -> None:
    """A series over time of the right rank, not empty and finite.

    Raises:
        InputError: says which of these it is not.
    """
    if values.ndim != rank:
        raise InputError(f"{name} needs {rank} axes, this has the shape {tuple(values.shape)}")
    if values.numel() == 0:
        raise InputError(
            f"{name} is empty (shape {tuple(values.shape)}); at least one frame is needed"
        )
    if not bool(torch.isfinite(values).all()):
        raise InputError(
            f"{name} contains values that are not finite; mark gaps by cutting the clip, not by NaN"
        )


def check_fps(fps: float) -> None:
    """A positive frame rate.

    Raises:
        InputError: it is not.
    """
    if not fps > 0:
        raise InputError(f"a frame rate must be positive, not {fps}")


def quantile(values: Tensor, share: float) -> float:
    """Quantile of all numbers, linear between neighbours."""
    # torch.quantile refuses more than 16 million numbers; sorting does not.
    ordered = values.reshape(-1).double().sort().values
    position = share * (len(ordered) - 1)
    low = int(position)
    high = min(low + 1, len(ordered) - 1)
    return float(ordered[low] + (position - low) * (ordered[high] - ordered[low]))
