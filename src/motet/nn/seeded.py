"""Random numbers that are the same on every device: drawn by a generator of the CPU, then moved."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def uniform(
    shape: int | Sequence[int],
    randomness: torch.Generator,
    device: torch.device,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """Uniform in 0..1."""
    return torch.rand(_sizes(shape), generator=randomness, dtype=dtype).to(device)


def normal(
    shape: int | Sequence[int],
    randomness: torch.Generator,
    device: torch.device,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """Standard normal."""
    return torch.randn(_sizes(shape), generator=randomness, dtype=dtype).to(device)


def integers(
    low: int,
    high: int,
    shape: int | Sequence[int],
    randomness: torch.Generator,
    device: torch.device,
) -> Tensor:
    """Whole numbers from `low` to below `high`."""
    return torch.randint(low, high, _sizes(shape), generator=randomness).to(device)


def _sizes(shape: int | Sequence[int]) -> tuple[int, ...]:
    return (shape,) if isinstance(shape, int) else tuple(shape)
