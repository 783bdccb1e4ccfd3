"""How a window is sampled: sampler, timesteps, guidance."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from motet.diffusion.guidance import GuidanceMode
from motet.diffusion.schedule import descend
from motet.methods.diffposetalk.config import DiffPoseTalkCondition
from motet.methods.diffposetalk.model import DiffPoseTalkModel

THRESHOLD_LIMITS = (1.0, 4.0)
"""Limits of dynamic thresholding, as released."""


@dataclasses.dataclass(frozen=True)
class Guidance:
    """Classifier-free guidance: conditions, scales, and how they are combined."""

    conditions: tuple[str, ...] = ("audio", "style")
    """In this order; one that is not named conditions every evaluation."""
    scales: tuple[float, ...] = (1.15, 3.0)
    mode: GuidanceMode = "incremental"
    threshold: tuple[float, float, float] | None = None
    """Quantile and limits of dynamic thresholding, applied to each evaluation."""


@dataclasses.dataclass(frozen=True)
class SamplingConfig:
    """Sampler, timesteps, guidance and eta of a window."""

    sampler: str
    steps: tuple[int, ...]
    """Falling diffusion steps, ending with 0."""
    guidance: Guidance = Guidance()
    flexibility: float = 0.0


def sampling_config(
    condition: DiffPoseTalkCondition, model: DiffPoseTalkModel, has_style: bool
) -> SamplingConfig:
    """How the windows of a take are sampled: the options, or the model's own numbers.

    Args:
        has_style: the session has a style; without one only the audio is guided.

    Raises:
        ConfigError: more steps than the model's schedule has.
    """
    schedule, config = model.schedule, model.config
    name = config.sampler if condition.sampler == "default" else condition.sampler
    steps = condition.steps or min(config.steps, schedule.steps)
    scales = {"audio": condition.guidance_audio, "style": condition.guidance_style}
    guided = [which for which in config.diffusion.guided if which == "audio" or has_style]
    limits = (condition.threshold, *THRESHOLD_LIMITS) if condition.threshold else None
    guidance = Guidance(
        tuple(guided), tuple(scales[which] for which in guided), condition.guidance_mode, limits
    )
    return SamplingConfig(name, tuple(descend(schedule, steps)), guidance, condition.flexibility)


def resolve_scales(
    conditions: Sequence[str], scales: float | Sequence[float]
) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Conditions in their fixed order (audio, style) with their scales; one number applies to
    all.
    """
    numbers = (
        [float(scales)] * len(conditions)
        if isinstance(scales, int | float)
        else [float(scale) for scale in scales]
    )
    pairs = sorted(zip(conditions, numbers, strict=True))
    return tuple(name for name, _ in pairs), tuple(scale for _, scale in pairs)
