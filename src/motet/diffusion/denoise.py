"""Parameterisations: conversion between predicted noise and predicted clean sample."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from jaxtyping import Float, Int
from torch import Tensor

from motet.diffusion.schedule import Schedule

Target = Literal["sample", "noise"]
Denoiser = Callable[[Tensor, int], Tensor]
"""(noisy signal, timestep) -> estimate of the clean signal; called by all samplers."""


def add_noise(
    schedule: Schedule,
    clean: Float[Tensor, " batch *shape"],
    noise: Float[Tensor, " batch *shape"],
    step: Int[Tensor, " batch"],
) -> Tensor:
    """Forward process q(x_t | x_0), with one timestep for each item."""
    signal_scale, noise_scale = schedule.at(step, clean)
    return signal_scale * clean + noise_scale * noise


def clean_from_noise(
    schedule: Schedule,
    noisy: Float[Tensor, " batch *shape"],
    noise: Float[Tensor, " batch *shape"],
    step: int,
) -> Tensor:
    """Estimate of x_0 from predicted noise."""
    signal_scale, noise_scale = schedule.at(step, noisy)
    # x_t = signal_scale x_0 + noise_scale e, solved for x_0; at the noisiest timestep signal_scale
    # is small and errors of e grow by 1 / signal_scale.
    return (noisy - noise_scale * noise) / signal_scale


def noise_from_clean(
    schedule: Schedule,
    noisy: Float[Tensor, " batch *shape"],
    clean: Float[Tensor, " batch *shape"],
    step: int,
) -> Tensor:
    """Estimate of the noise from a predicted x_0."""
    signal_scale, noise_scale = schedule.at(step, noisy)
    return (noisy - signal_scale * clean) / noise_scale


def denoiser(schedule: Schedule, target: Target, network: Denoiser) -> Denoiser:
    """A network of either parameterisation (`target`) as an estimator of the clean signal."""
    if target == "sample":
        return network
    return lambda noisy, step: clean_from_noise(schedule, noisy, network(noisy, step), step)
