"""What a network predicts, and the clean signal in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from jaxtyping import Float, Int
from torch import Tensor

from motet.diffusion.schedule import Schedule

Target = Literal["sample", "noise"]
Denoiser = Callable[[Tensor, int], Tensor]
"""(noisy signal, its step) -> estimate of the clean signal: what all samplers call."""


def add_noise(
    schedule: Schedule,
    clean: Float[Tensor, "batch *shape"],
    noise: Float[Tensor, "batch *shape"],
    step: Int[Tensor, "batch"],
) -> Tensor:
    """The signal as it is at that step, one step for each item."""
    signal, deviation = schedule.at(step, clean)
    return signal * clean + deviation * noise


def clean_from_noise(
    schedule: Schedule,
    noisy: Float[Tensor, "batch *shape"],
    noise: Float[Tensor, "batch *shape"],
    step: int,
) -> Tensor:
    """The clean signal that a predicted noise stands for."""
    signal, deviation = schedule.at(step, noisy)
    return (noisy - deviation * noise) / signal


def noise_from_clean(
    schedule: Schedule,
    noisy: Float[Tensor, "batch *shape"],
    clean: Float[Tensor, "batch *shape"],
    step: int,
) -> Tensor:
    """The noise that a predicted clean signal stands for."""
    signal, deviation = schedule.at(step, noisy)
    return (noisy - signal * clean) / deviation


def denoiser(schedule: Schedule, target: Target, network: Denoiser) -> Denoiser:
    """A network of either parameterisation as an estimate of the clean signal."""
    if target == "sample":
        return network
    return lambda noisy, step: clean_from_noise(schedule, noisy, network(noisy, step), step)
