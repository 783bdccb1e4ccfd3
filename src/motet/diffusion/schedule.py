"""Noise schedules: how much of the clean signal is left at each step.

Step 0 is the clean signal, step T nearly pure noise. A sampler walks down a list of steps that need
not be neighbours.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from motet.errors import ConfigError

ScheduleKind = Literal["linear", "quadratic", "sigmoid", "cosine"]
Spacing = Literal["uniform", "log_snr"]


@dataclasses.dataclass(frozen=True)
class Schedule:
    """x_t = sqrt(alpha_bar_t) x_0 + sqrt(1 - alpha_bar_t) noise; tables of T + 1 entries, entry 0
    clean, in float64.

    In single precision 1 - alpha_bar of the first steps keeps three digits only.
    """

    betas: Float[Tensor, "steps"]
    """Variance added at each step; entry 0 is 0."""
    alpha_bars: Float[Tensor, "steps"]
    """Share of the clean signal's power left after each step; entry 0 is 1."""

    @property
    def steps(self) -> int:
        """T, the number of the noisiest step."""
        return len(self.betas) - 1

    @property
    def alphas(self) -> Float[Tensor, "steps"]:
        """1 - beta."""
        return 1 - self.betas

    @property
    def sigmas_flex(self) -> Float[Tensor, "steps"]:
        """Largest deviation of one ancestral step: sqrt(beta)."""
        return self.betas.sqrt()

    @property
    def sigmas_inflex(self) -> Float[Tensor, "steps"]:
        """Deviation of the posterior of one ancestral step given the clean signal; entries 0 and 1
        are 0.
        """
        before = torch.cat([self.alpha_bars[:1], self.alpha_bars[:-1]])
        return (
            (((1 - before) / (1 - self.alpha_bars).clamp(min=1e-30)) * self.betas)
            .clamp(min=0)
            .sqrt()
        )

    @property
    def half_log_snr(self) -> Float[Tensor, "steps"]:
        """lambda_t = log(signal / noise), the time of DPM-Solver; infinite at step 0."""
        return 0.5 * (self.alpha_bars.log() - torch.log1p(-self.alpha_bars))

    def at(self, step: int | Int[Tensor, "batch"], like: Tensor) -> tuple[Tensor, Tensor]:
        """Factors of signal and noise at a step, ready to be multiplied with `like` (one step for
        all items, or one each).
        """
        bar = self.alpha_bars[step]
        bar = bar.reshape(bar.shape + (1,) * (like.ndim - bar.ndim)) if bar.ndim else bar
        return bar.sqrt().to(like), (1 - bar).sqrt().to(like)


def make_schedule(
    kind: ScheduleKind, steps: int, first: float = 1e-4, last: float = 0.02, *, floor: float = 1e-4
) -> Schedule:
    """The four published schedules.

    Args:
        first, last: beta of the first and last step (`cosine` has its own).
        floor: smallest beta of `cosine`; 0 in programs that descend from guided diffusion.

    Raises:
        ConfigError: no such schedule, or no step.

    Source: Ho et al. 2020 (linear); Nichol and Dhariwal 2021, eq. 17 (cosine).
    """
    if steps < 1:
        raise ConfigError(f"a schedule needs at least one step, not {steps}")
    if kind == "linear":
        betas = torch.linspace(first, last, steps, dtype=torch.float64)
    elif kind == "quadratic":
        betas = torch.linspace(first**0.5, last**0.5, steps, dtype=torch.float64).square()
    elif kind == "sigmoid":
        betas = torch.linspace(-5, 5, steps, dtype=torch.float64).sigmoid() * (last - first) + first
    elif kind == "cosine":
        f = (
            (((torch.arange(steps + 1, dtype=torch.float64) / steps + 0.008) / 1.008) * math.pi / 2)
            .cos()
            .square()
        )
        betas = (1 - f[1:] / f[:-1]).clamp(floor, 0.999)
    else:
        raise ConfigError(f"no schedule {kind!r}; known: linear, quadratic, sigmoid, cosine")
    betas = torch.cat([torch.zeros(1, dtype=torch.float64), betas])
    return Schedule(betas, (1 - betas).log().cumsum(0).exp())


def from_alpha_bars(alpha_bars: Float[Tensor, "steps"]) -> Schedule:
    """A schedule from the powers that are left; the first must be 1 and they must fall.

    Raises:
        ConfigError: they do not.
    """
    if (
        float(alpha_bars[0]) != 1.0
        or not bool((alpha_bars[1:] < alpha_bars[:-1]).all())
        or float(alpha_bars[-1]) <= 0
    ):
        raise ConfigError("the alpha bars of a schedule must fall from exactly 1 and stay above 0")
    return Schedule(
        torch.cat([torch.zeros_like(alpha_bars[:1]), 1 - alpha_bars[1:] / alpha_bars[:-1]]),
        alpha_bars,
    )


def descend_sections(schedule: Schedule, sections: Sequence[int]) -> list[int]:
    """Steps T ... 0 when each of equal sections of the schedule, the cleanest first, keeps so many
    steps at equal distances.

    Raises:
        ConfigError: a section keeps more steps than it has, or none.

    Source: the strided schedules of guided diffusion (Nichol and Dhariwal 2021).
    """
    size, extra = divmod(schedule.steps, len(sections))
    kept: list[int] = []
    start = 1
    for rank, count in enumerate(sections):
        length = size + (rank < extra)
        if not 1 <= count <= length:
            raise ConfigError(f"a section of {length} steps cannot keep {count}")
        stride = (length - 1) / (count - 1) if count > 1 else 1.0
        kept += [start + round(stride * place) for place in range(count)]
        start += length
    return [*reversed(kept), 0]


def descend_stride(schedule: Schedule, count: int) -> list[int]:
    """Steps from the noisiest kept one to 0 at a whole-numbered stride, as published for DDIM: 1, 1
    + s, ..., `count` in all.

    Raises:
        ConfigError: no stride gives exactly so many steps.
    """
    for stride in range(1, schedule.steps + 1):
        kept = list(range(1, schedule.steps + 1, stride))
        if len(kept) == count:
            return [*reversed(kept), 0]
    raise ConfigError(
        f"no whole stride through {schedule.steps} steps keeps {count}; choose a divisor"
    )


def descend(schedule: Schedule, count: int, spacing: Spacing = "log_snr") -> list[int]:
    """Steps T ... 0 for `count` evaluations of the model; all of them in turn when count is T.

    Args:
        spacing: `uniform` in the step number, or in the logarithm of the signal-to-noise ratio,
            where solvers err least.

    Raises:
        ConfigError: more evaluations than there are steps, or none.
    """
    total = schedule.steps
    if not 1 <= count <= total:
        raise ConfigError(f"the number of steps must lie between 1 and {total}, not {count}")
    if spacing == "uniform" or count == total:
        wanted = [round(total * (1 - i / count)) for i in range(count)]
    else:
        ratio = schedule.half_log_snr[1:].double()
        targets = torch.linspace(float(ratio[-1]), float(ratio[0]), count, dtype=torch.float64)
        wanted = [int((ratio - target).abs().argmin()) + 1 for target in targets]
    steps = [total]
    for rank, step in enumerate(wanted[1:], 1):  # no step twice, and room for those that still come
        steps.append(max(min(step, steps[-1] - 1), count - rank))
    return [*steps, 0]
