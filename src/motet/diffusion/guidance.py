"""Classifier-free guidance over one or more conditions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from motet.errors import ConfigError

GuidanceMode = Literal["incremental", "independent", "independent_published"]
MODES: tuple[GuidanceMode, ...] = ("incremental", "independent", "independent_published")


def branches(mode: GuidanceMode, conditions: int) -> list[tuple[bool, ...]]:
    """Which conditions each evaluation of the network receives.

    The first evaluation is unconditional. Each further one receives one condition more
    (`incremental`) or one condition alone.

    Raises:
        ConfigError: no such mode.
    """
    if mode not in MODES:
        raise ConfigError(f"no guidance mode {mode!r}; known: {', '.join(MODES)}")
    keeps_earlier = mode == "incremental"
    # One row for each branch: row 0 has no condition, row k the k-th (and, incrementally, all
    # before it).
    return [
        tuple(k == last or (keeps_earlier and k < last) for k in range(conditions))
        for last in range(-1, conditions)
    ]


def guide(
    mode: GuidanceMode, predictions: Float[Tensor, " branches *shape"], scales: Sequence[float]
) -> Float[Tensor, "*shape"]:
    """One guided estimate from the predictions r_i of `branches`, with guidance scales w_i.

    `incremental`: r0 + sum w_i (r_i - r_(i-1)). `independent`: r0 + sum w_i (r_i - r0).
    `independent_published`: each term subtracts the running sum instead of r0, as in the code
    released with DiffPoseTalk; the same for a single condition.

    Source: Ho and Salimans 2022; Brooks et al. 2023, eq. 3 (two conditions).
    """
    guided = predictions[0]
    for index, scale in enumerate(scales, 1):
        # Incremental: r_i - r_(i-1), what condition i adds to those before it. Independent: r_i -
        # r_0. The published program subtracts the running sum by mistake; its weights expect that.
        if mode == "incremental":
            base = predictions[index - 1]
        else:
            base = guided if mode == "independent_published" else predictions[0]
        guided = guided + scale * (predictions[index] - base)
    return guided


def dynamic_threshold(
    x: Float[Tensor, " batch *shape"], ratio: float, lowest: float, highest: float
) -> Float[Tensor, " batch *shape"]:
    """Clamp each item to +-s, the quantile `ratio` of its own absolute values.

    s itself is clamped to [lowest, highest].

    Source: Saharia et al. 2022, section 2.3, without the division by s.
    """
    limit = x.abs().flatten(1).quantile(ratio, dim=1).clamp(lowest, highest)  # (batch)
    limit = limit.reshape(-1, *(1,) * (x.ndim - 1))  # (batch, 1, 1, ...)
    return torch.maximum(torch.minimum(x, limit), -limit)
