"""Samplers: from noise to signal in as many evaluations of the denoiser as there are steps to
leave.

All share one signature: denoiser (noisy, step) -> clean estimate, start, schedule, falling list of
steps, and a source of fresh noise for each move (solvers of the ordinary differential equation take
none). The answer lies at the last step of the list, 0 for a finished signal.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal, Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from motet.diffusion.denoise import Denoiser, noise_from_clean
from motet.diffusion.schedule import Schedule
from motet.errors import ConfigError, nearest

Noise = Callable[[int], Tensor]
"""Number of the move, from 0 -> standard normal noise of the signal's shape."""
SamplerName = Literal["ancestral", "ddim", "dpm++2m"]


class Sampler(Protocol):
    """The one signature."""

    def __call__(
        self,
        denoise: Denoiser,
        start: Tensor,
        schedule: Schedule,
        steps: Sequence[int],
        noise: Noise,
        flexibility: float = 0.0,
    ) -> Tensor:
        """The signal at the last of the steps."""
        ...


def sample_ancestral(
    denoise: Denoiser,
    start: Float[Tensor, "batch *shape"],
    schedule: Schedule,
    steps: Sequence[int],
    noise: Noise,
    flexibility: float = 0.0,
) -> Float[Tensor, "batch *shape"]:
    """Draw from the posterior of each earlier step given the estimate; over a gap the posterior of
    the gap.

    Args:
        flexibility: 0 the deviation of the posterior, 1 the full deviation of the step, between
            them linear.

    Source: Ho et al. 2020, eq. 7; the gap as in Nichol and Dhariwal 2021, section 4.
    """
    x, bars = start, schedule.alpha_bars.double()
    for move, (step, after) in enumerate(zip(steps, steps[1:], strict=False)):
        clean = denoise(x, step)
        here, there = float(bars[step]), float(bars[after])
        alpha = float(schedule.alphas[step]) if step - after == 1 else here / there
        narrow, wide = math.sqrt((1 - there) / (1 - here) * (1 - alpha)), math.sqrt(1 - alpha)
        x = x * ((1 - there) * math.sqrt(alpha) / (1 - here)) + clean * (
            (1 - alpha) * math.sqrt(there) / (1 - here)
        )
        if after > 0:
            x = x + noise(move) * (wide * flexibility + narrow * (1 - flexibility))
    return x


def sample_ddim(
    denoise: Denoiser,
    start: Float[Tensor, "batch *shape"],
    schedule: Schedule,
    steps: Sequence[int],
    noise: Noise,
    flexibility: float = 0.0,
) -> Float[Tensor, "batch *shape"]:
    """Keep the estimated noise and lower its share; of first order.

    Args:
        flexibility: the paper's eta: 0 takes no fresh noise, 1 as much as the ancestral sampler.

    Source: Song et al. 2021, eq. 12 and 16.
    """
    x, bars = start, schedule.alpha_bars.double()
    for move, (step, after) in enumerate(zip(steps, steps[1:], strict=False)):
        clean = denoise(x, step)
        here, there = float(bars[step]), float(bars[after])
        fresh = flexibility * math.sqrt((1 - there) / (1 - here) * (1 - here / there))
        direction = noise_from_clean(schedule, x, clean, step)
        x = math.sqrt(there) * clean + math.sqrt(max(0.0, 1 - there - fresh**2)) * direction
        if after > 0 and fresh > 0:
            x = x + fresh * noise(move)
    return x


def sample_dpm_2m(
    denoise: Denoiser,
    start: Float[Tensor, "batch *shape"],
    schedule: Schedule,
    steps: Sequence[int],
    noise: Noise,
    flexibility: float = 0.0,
) -> Float[Tensor, "batch *shape"]:
    """DPM-Solver++ (2M): the line through the last two estimates, in the time of the log ratio; of
    second order.

    The move onto step 0, where that time ends at infinity, takes the estimate itself. Takes no
    noise and no flexibility.

    Source: Lu et al. 2022, DPM-Solver++, algorithm 2.
    """
    del noise
    if flexibility:
        raise ConfigError(
            "dpm++2m takes no fresh noise: leave flexibility at 0, or choose the sampler ancestral"
            " or ddim"
        )
    x, bars, times = start, schedule.alpha_bars.double(), schedule.half_log_snr.double()
    before: tuple[Tensor, float] | None = None
    for step, after in zip(steps, steps[1:], strict=False):
        clean = denoise(x, step)
        if after == 0:
            return clean
        h = float(times[after] - times[step])
        slope = clean
        if before is not None:
            estimate, last_h = before
            slope = clean + (clean - estimate) * (0.5 * h / last_h)
        here, there = float(bars[step]), float(bars[after])
        x = x * math.sqrt((1 - there) / (1 - here)) - math.sqrt(there) * math.expm1(-h) * slope
        before = clean, h
    return x


SAMPLERS: dict[str, Sampler] = {
    "ancestral": sample_ancestral,
    "ddim": sample_ddim,
    "dpm++2m": sample_dpm_2m,
}


def sampler(name: str) -> Sampler:
    """The sampler of that name.

    Raises:
        ConfigError: there is none.
    """
    if name not in SAMPLERS:
        raise ConfigError(f"no sampler {name!r}; {nearest(name, SAMPLERS)}")
    return SAMPLERS[name]


def seeded_noise(
    seeds: Sequence[int],
    shape: Sequence[int],
    *,
    stream: int = 0,
    dtype: torch.dtype = torch.float32,
) -> Noise:
    """Noise for a batch whose items have seeds of their own: neither the batch nor the order of
    calls changes an item's noise.

    Args:
        shape: of one item.
        stream: another number gives independent noise of the same seeds, e.g. for another window.
    """

    def draw(move: int) -> Tensor:
        items = [
            torch.randn(*shape, generator=_generator(seed, stream, move), dtype=dtype)
            for seed in seeds
        ]
        return torch.stack(items)

    return draw


def _generator(seed: int, stream: int, move: int) -> torch.Generator:
    # splitmix64 of the three numbers: neighbouring seeds must not give related noise.
    state = 0x9E3779B97F4A7C15
    for number in (seed, stream, move):
        state = (
            state + (number & 0xFFFFFFFFFFFFFFFF) * 0xBF58476D1CE4E5B9 + 0x9E3779B97F4A7C15
        ) & 0xFFFFFFFFFFFFFFFF
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
        state ^= state >> 31
    return torch.Generator().manual_seed(state >> 1)
