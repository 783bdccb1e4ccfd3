"""Random numbers that are the same on every device: drawn by a generator of the CPU, then moved."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def uniform(
    shape: int | Sequence[int],
    randomness: torch.Generator,
    device: torch.device,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """Uniform in 0..1, drawn where the generator lies and then moved: the same on every device."""
    return torch.rand(_sizes(shape), generator=randomness, dtype=dtype).to(device)


def normal(
    shape: int | Sequence[int],
    randomness: torch.Generator,
    device: torch.device,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """Standard normal, likewise."""
    return torch.randn(_sizes(shape), generator=randomness, dtype=dtype).to(device)


def uniform_rows(seeds: Sequence[int], shape: Sequence[int]) -> Tensor:
    """Uniform numbers on the default device: one row for each seed, the same on every device."""
    return _rows(torch.rand, seeds, shape)


def normal_rows(
    seeds: Sequence[int], shape: Sequence[int], dtype: torch.dtype | None = None
) -> Tensor:
    """Standard normal numbers, likewise."""
    return _rows(torch.randn, seeds, shape, dtype)


def _rows(
    draw: Callable[..., Tensor],
    seeds: Sequence[int],
    shape: Sequence[int],
    dtype: torch.dtype | None = None,
) -> Tensor:
    cpu = torch.device("cpu")
    # A generator for each row: an item of a batch gets the numbers it would get alone.
    generators = [torch.Generator(cpu).manual_seed(seed) for seed in seeds]
    rows = [draw(tuple(shape), generator=each, dtype=dtype, device=cpu) for each in generators]
    return torch.stack(rows).to(torch.get_default_device())


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
