"""Samplers: from noise to signal, with one evaluation of the denoiser for each move.

All share one signature: the denoiser (noisy, timestep) -> clean estimate, the start, the schedule,
a falling list of timesteps, and fresh noise for each move (ODE solvers take none). The result is
the signal at the last timestep of the list; 0 is a finished signal.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal, Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from motet.diffusion.denoise import Denoiser, clean_from_noise, noise_from_clean
from motet.diffusion.schedule import Schedule
from motet.errors import ConfigError, nearest
from motet.nn.seeded import normal_rows

Noise = Callable[[int], Tensor]
"""Index of the move, from 0 -> standard normal noise of the signal's shape."""
Transition = Callable[[Tensor, Tensor, int, int], tuple[Tensor, float]]
"""(noisy signal, estimate of x_0, timestep, next timestep) -> mean and standard deviation of the
signal at the next timestep."""
SamplerName = Literal["ancestral", "ddim", "dpm++2m", "plms"]


class Sampler(Protocol):
    """The signature of all samplers."""

    def __call__(
        self,
        denoise: Denoiser,
        start: Tensor,
        schedule: Schedule,
        steps: Sequence[int],
        noise: Noise,
        flexibility: float = 0.0,
    ) -> Tensor:
        """The signal at the last of the timesteps."""
        ...


def sample_ancestral(
    denoise: Denoiser,
    start: Float[Tensor, " batch *shape"],
    schedule: Schedule,
    steps: Sequence[int],
    noise: Noise,
    flexibility: float = 0.0,
) -> Float[Tensor, " batch *shape"]:
    """Sample the posterior q(x_s | x_t, estimate of x_0) of each next timestep s.

    Args:
        flexibility: 0 takes the standard deviation of the posterior, 1 that of the whole step
            (sqrt of 1 - alpha); linear between them.

    Source: Ho et al. 2020, eq. 7; skipped timesteps as in Nichol and Dhariwal 2021, section 4.
    """
    alpha_bars = schedule.alpha_bars.double()

    def posterior(x: Tensor, clean: Tensor, step: int, after: int) -> tuple[Tensor, float]:
        bar_t, bar_s = float(alpha_bars[step]), float(alpha_bars[after])
        # Over a gap, alpha is the product of the alphas of the skipped timesteps.
        alpha = float(schedule.alphas[step]) if step - after == 1 else bar_t / bar_s
        # Mean of q(x_s | x_t, x_0): Ho et al. 2020, eq. 7.
        noisy_weight = (1 - bar_s) * math.sqrt(alpha) / (1 - bar_t)
        clean_weight = (1 - alpha) * math.sqrt(bar_s) / (1 - bar_t)
        deviation = math.sqrt((1 - bar_s) / (1 - bar_t) * (1 - alpha))
        sigma = math.sqrt(1 - alpha) * flexibility + deviation * (1 - flexibility)
        return x * noisy_weight + clean * clean_weight, sigma

    return _walk(denoise, start, steps, noise, posterior)


def sample_ddim(
    denoise: Denoiser,
    start: Float[Tensor, " batch *shape"],
    schedule: Schedule,
    steps: Sequence[int],
    noise: Noise,
    flexibility: float = 0.0,
) -> Float[Tensor, " batch *shape"]:
    """DDIM: keep the predicted noise and lower its scale; first order.

    Args:
        flexibility: eta of the paper: 0 takes no fresh noise, 1 as much as the ancestral sampler.

    Source: Song et al. 2021, eq. 12 and 16.
    """
    alpha_bars = schedule.alpha_bars.double()

    def transition(x: Tensor, clean: Tensor, step: int, after: int) -> tuple[Tensor, float]:
        bar_t, bar_s = float(alpha_bars[step]), float(alpha_bars[after])
        # Song et al. 2021, eq. 12 and 16: what sigma takes from the predicted noise, fresh noise
        # gives back.
        sigma = flexibility * math.sqrt((1 - bar_s) / (1 - bar_t) * (1 - bar_t / bar_s))
        predicted_noise = noise_from_clean(schedule, x, clean, step)
        noise_scale = math.sqrt(max(0.0, 1 - bar_s - sigma**2))
        return math.sqrt(bar_s) * clean + noise_scale * predicted_noise, sigma

    return _walk(denoise, start, steps, noise, transition)


def sample_dpm_2m(
    denoise: Denoiser,
    start: Float[Tensor, " batch *shape"],
    schedule: Schedule,
    steps: Sequence[int],
    noise: Noise,
    flexibility: float = 0.0,
) -> Float[Tensor, " batch *shape"]:
    """DPM-Solver++ (2M): multistep solver of second order in the log signal-to-noise ratio.

    The move onto timestep 0, where that ratio is infinite, returns the estimate itself. Takes no
    noise and no flexibility.

    Source: Lu et al. 2022, DPM-Solver++, algorithm 2.
    """
    del noise
    if flexibility:
        raise ConfigError(
            "dpm++2m takes no fresh noise: leave flexibility at 0, or choose the sampler ancestral"
            " or ddim"
        )
    x, alpha_bars = start, schedule.alpha_bars.double()
    # Double precision: near timestep 0 the differences of lambda are small against lambda.
    lambdas = schedule.half_log_snr.double()
    previous: tuple[Tensor, float] | None = None
    for step, after in zip(steps, steps[1:], strict=False):
        clean = denoise(x, step)
        # lambda is infinite at timestep 0; the exact last step returns the estimate itself.
        if after == 0:
            return clean
        h = float(lambdas[after] - lambdas[step])
        # D_i of algorithm 2: the line through the last two estimates, half a step ahead.
        extrapolated = clean
        if previous is not None:
            previous_clean, previous_h = previous
            extrapolated = clean + (clean - previous_clean) * (0.5 * h / previous_h)
        bar_t, bar_s = float(alpha_bars[step]), float(alpha_bars[after])
        # x_s = sigma_s / sigma_t x_t - alpha_s (e^-h - 1) D (eq. 9 of DPM-Solver++).
        x = x * math.sqrt((1 - bar_s) / (1 - bar_t))
        x = x - math.sqrt(bar_s) * math.expm1(-h) * extrapolated
        previous = clean, h
    return x


_ADAMS_BASHFORTH = (
    (1.0,),
    (3 / 2, -1 / 2),
    (23 / 12, -16 / 12, 5 / 12),
    (55 / 24, -59 / 24, 37 / 24, -9 / 24),
)
"""Weights of the newest predictions of the noise, newest first, by how many there are."""


def sample_plms(
    denoise: Denoiser,
    start: Float[Tensor, " batch *shape"],
    schedule: Schedule,
    steps: Sequence[int],
    noise: Noise,
    flexibility: float = 0.0,
) -> Float[Tensor, " batch *shape"]:
    """PLMS: DDIM whose predicted noise is the linear multistep of the last four predictions.

    The first moves use those there are, so every move costs one evaluation (the paper starts with
    Runge-Kutta steps, which cost four). The move onto timestep 0 returns the estimate itself.

    Source: Liu et al. 2022, Pseudo Numerical Methods for Diffusion Models on Manifolds, eq. 9
    and 12.
    """
    del noise
    if flexibility:
        raise ConfigError(
            "plms takes no fresh noise: leave flexibility at 0, or choose the sampler ancestral or"
            " ddim"
        )
    x, alpha_bars, past = start, schedule.alpha_bars.double(), list[Tensor]()
    for step, after in zip(steps, steps[1:], strict=False):
        clean = denoise(x, step)
        if after == 0:
            return clean
        past = [noise_from_clean(schedule, x, clean, step), *past][: len(_ADAMS_BASHFORTH)]
        weights = _ADAMS_BASHFORTH[len(past) - 1]
        # e' of eq. 12, then the transfer of eq. 9 with it
        predicted = sum((w * e for w, e in zip(weights, past, strict=True)), torch.zeros_like(x))
        bar_s = float(alpha_bars[after])
        clean = clean_from_noise(schedule, x, predicted, step)
        x = math.sqrt(bar_s) * clean + math.sqrt(1 - bar_s) * predicted
    return x


def _walk(
    denoise: Denoiser,
    start: Float[Tensor, " batch *shape"],
    steps: Sequence[int],
    noise: Noise,
    transition: Transition,
) -> Float[Tensor, " batch *shape"]:
    """Go from timestep to timestep; fresh noise at every move but the last."""
    x = start
    for move, (step, after) in enumerate(zip(steps, steps[1:], strict=False)):
        x, sigma = transition(x, denoise(x, step), step, after)
        if after > 0 and sigma > 0:
            x = x + sigma * noise(move)
    return x


SAMPLERS: dict[str, Sampler] = {
    "ancestral": sample_ancestral,
    "ddim": sample_ddim,
    "dpm++2m": sample_dpm_2m,
    "plms": sample_plms,
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
    """Noise for a batch whose items have seeds of their own.

    Neither the batch size nor the order of calls changes the noise of an item.

    Args:
        shape: of one item.
        stream: another number gives independent noise for the same seeds, e.g. for each window.
    """

    def draw(move: int) -> Tensor:
        return normal_rows([_mixed(seed, stream, move) for seed in seeds], shape, dtype)

    return draw


_UINT64 = 0xFFFFFFFFFFFFFFFF


def _mixed(seed: int, stream: int, move: int) -> int:
    # splitmix64 over the three numbers: neighbouring seeds must not give related noise.
    state = 0x9E3779B97F4A7C15
    for number in (seed, stream, move):
        state += (number & _UINT64) * 0xBF58476D1CE4E5B9 + 0x9E3779B97F4A7C15
        state &= _UINT64
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _UINT64
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _UINT64
        state ^= state >> 31
    return state >> 1  # torch takes signed seeds of 63 bits
