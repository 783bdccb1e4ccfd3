"""Classifier-free guidance over one or more conditions: how the answers of several evaluations are
put together.
"""

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
    """Which conditions each evaluation is given: first none; then one more each time (incremental)
    or one alone each time.
    """
    if mode not in MODES:
        raise ConfigError(f"no guidance mode {mode!r}; known: {', '.join(MODES)}")
    rows = [tuple(False for _ in range(conditions))]
    for index in range(conditions):
        rows.append(
            tuple(
                place <= index if mode == "incremental" else place == index
                for place in range(conditions)
            )
        )
    return rows


def guide(
    mode: GuidanceMode, answers: Float[Tensor, "branches *shape"], scales: Sequence[float]
) -> Float[Tensor, "*shape"]:
    """One estimate from the answers of `branches`.

    `incremental`: r0 + sum w_i (r_i - r_(i-1)). `independent`: r0 + sum w_i (r_i - r0).
    `independent_published`: the running sum takes the place of r0 in each next term, as released
    with DiffPoseTalk; the same for a single condition.

    Source: Ho and Salimans 2022; Brooks et al. 2023, eq. 3 (two conditions).
    """
    answer = answers[0]
    for index, scale in enumerate(scales, 1):
        if mode == "incremental":
            base = answers[index - 1]
        else:
            base = answer if mode == "independent_published" else answers[0]
        answer = answer + scale * (answers[index] - base)
    return answer


def dynamic_threshold(
    x: Float[Tensor, "batch *shape"], ratio: float, lowest: float, highest: float
) -> Float[Tensor, "batch *shape"]:
    """Clamp each item to the quantile `ratio` of its own absolute values, itself kept between two
    limits.

    Source: Saharia et al. 2022, section 2.3, without the division.
    """
    limit = x.abs().flatten(1).quantile(ratio, dim=1).clamp(lowest, highest)
    limit = limit.reshape(-1, *(1,) * (x.ndim - 1))
    return torch.maximum(torch.minimum(x, limit), -limit)
