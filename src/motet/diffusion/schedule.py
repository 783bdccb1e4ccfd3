"""Noise schedules: how much of the clean signal is left at each timestep.

Timestep 0 is the clean signal, timestep T nearly pure noise. A sampler walks down a list of
timesteps that need not be neighbours.
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
    """x_t = sqrt(alpha_bar_t) x_0 + sqrt(1 - alpha_bar_t) noise, as tables of T + 1 entries.

    The tables are float64: in single precision 1 - alpha_bar of the first timesteps keeps three
    digits only.
    """

    betas: Float[Tensor, "steps"]
    """Variance added at each step; entry 0 is 0."""
    alpha_bars: Float[Tensor, "steps"]
    """Fraction of the clean signal's power left after each timestep; entry 0 is 1."""

    @property
    def steps(self) -> int:
        """T, the noisiest timestep."""
        return len(self.betas) - 1

    @property
    def alphas(self) -> Float[Tensor, "steps"]:
        """1 - beta."""
        return 1 - self.betas

    @property
    def sigmas_flex(self) -> Float[Tensor, "steps"]:
        """Largest standard deviation of one ancestral step: sqrt(beta)."""
        return self.betas.sqrt()

    @property
    def sigmas_inflex(self) -> Float[Tensor, "steps"]:
        """Standard deviation of the posterior q(x_(t-1) | x_t, x_0); entries 0 and 1 are 0."""
        before = torch.cat([self.alpha_bars[:1], self.alpha_bars[:-1]])  # alpha_bar_(t-1), (steps)
        ratio = (1 - before) / (1 - self.alpha_bars).clamp(min=1e-30)
        return (ratio * self.betas).clamp(min=0).sqrt()

    @property
    def half_log_snr(self) -> Float[Tensor, "steps"]:
        """lambda_t = log(signal / noise) of DPM-Solver; infinite at timestep 0."""
        return 0.5 * (self.alpha_bars.log() - torch.log1p(-self.alpha_bars))

    def at(self, step: int | Int[Tensor, " batch"], like: Tensor) -> tuple[Tensor, Tensor]:
        """Scales of signal and noise at a timestep, broadcastable to `like`.

        Args:
            step: one for all items, or one each.
        """
        alpha_bar = self.alpha_bars.to(like.device)[step]  # () or (batch)
        if alpha_bar.ndim:
            alpha_bar = alpha_bar.reshape(-1, *(1,) * (like.ndim - 1))
        return alpha_bar.sqrt().to(like), (1 - alpha_bar).sqrt().to(like)


def make_schedule(
    kind: ScheduleKind, steps: int, first: float = 1e-4, last: float = 0.02, *, floor: float = 1e-4
) -> Schedule:
    """The four published schedules.

    Args:
        first, last: beta of the first and last timestep (`cosine` has its own).
        floor: smallest beta of `cosine`; 0 in code derived from guided diffusion.

    Raises:
        ConfigError: no such schedule, or no timestep.

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
        # Nichol and Dhariwal 2021, eq. 17; the offset 0.008 keeps the first betas from vanishing.
        time = torch.arange(steps + 1, dtype=torch.float64) / steps
        f = ((time + 0.008) / 1.008 * math.pi / 2).cos().square()
        betas = (1 - f[1:] / f[:-1]).clamp(floor, 0.999)
    else:
        raise ConfigError(f"no schedule {kind!r}; known: linear, quadratic, sigmoid, cosine")
    betas = torch.cat([torch.zeros(1, dtype=torch.float64), betas])
    # The cumulative product as a sum of logarithms: no underflow over a thousand steps.
    return Schedule(betas, (1 - betas).log().cumsum(0).exp())


def from_alpha_bars(alpha_bars: Float[Tensor, " steps"]) -> Schedule:
    """A schedule from its alpha bars; the first must be 1 and they must fall.

    Raises:
        ConfigError: they do not.
    """
    falls = bool((alpha_bars[1:] < alpha_bars[:-1]).all())
    if float(alpha_bars[0]) != 1.0 or not falls or float(alpha_bars[-1]) <= 0:
        raise ConfigError("the alpha bars of a schedule must fall from exactly 1 and stay above 0")
    betas = torch.cat([torch.zeros_like(alpha_bars[:1]), 1 - alpha_bars[1:] / alpha_bars[:-1]])
    return Schedule(betas, alpha_bars)


def section_timesteps(schedule: Schedule, sections: Sequence[int]) -> list[int]:
    """Timesteps T ... 0, with a number of evenly spaced timesteps for each section.

    Args:
        sections: timesteps kept of each of equally long sections, the cleanest section first.

    Raises:
        ConfigError: a section keeps more timesteps than it has, or none.

    Source: the strided schedules of guided diffusion (Nichol and Dhariwal 2021).
    """
    size, extra = divmod(schedule.steps, len(sections))
    timesteps: list[int] = []
    start = 1
    for index, count in enumerate(sections):
        length = size + (index < extra)
        if not 1 <= count <= length:
            raise ConfigError(f"a section of {length} steps cannot keep {count}")
        # From the first to the last timestep of the section; rounded, as in the published
        # respacing.
        stride = (length - 1) / (count - 1) if count > 1 else 1.0
        timesteps += [start + round(stride * k) for k in range(count)]
        start += length
    return [*reversed(timesteps), 0]


def strided_timesteps(schedule: Schedule, count: int) -> list[int]:
    """Timesteps ..., 1 + 2 s, 1 + s, 1, 0 with a whole-numbered stride s, as published for DDIM.

    Args:
        count: timesteps before the 0.

    Raises:
        ConfigError: no stride gives exactly so many timesteps.
    """
    for stride in range(1, schedule.steps + 1):
        timesteps = list(range(1, schedule.steps + 1, stride))
        if len(timesteps) == count:
            return [*reversed(timesteps), 0]
    raise ConfigError(
        f"no whole stride through {schedule.steps} steps keeps {count}; choose a divisor"
    )


def descend(schedule: Schedule, count: int, spacing: Spacing = "log_snr") -> list[int]:
    """Timesteps T ... 0 for `count` evaluations of the model; every timestep when count is T.

    Args:
        spacing: even in the timestep (`uniform`), or in the log signal-to-noise ratio, where
            solvers have the smallest error.

    Raises:
        ConfigError: more evaluations than there are timesteps, or none.
    """
    total = schedule.steps
    if not 1 <= count <= total:
        raise ConfigError(f"the number of steps must lie between 1 and {total}, not {count}")
    if spacing == "uniform" or count == total:
        targets = [round(total * (1 - k / count)) for k in range(count)]
    else:
        log_snr = schedule.half_log_snr[1:].double()
        levels = torch.linspace(float(log_snr[-1]), float(log_snr[0]), count, dtype=torch.float64)
        # The timestep whose signal-to-noise ratio is nearest to each level; + 1 skips timestep 0.
        targets = [int((log_snr - level).abs().argmin()) + 1 for level in levels]
    steps = [total]
    # Strictly falling, and high enough that the remaining timesteps still fit above 0.
    for index, target in enumerate(targets[1:], 1):
        steps.append(max(min(target, steps[-1] - 1), count - index))
    return [*steps, 0]
