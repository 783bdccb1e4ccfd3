"""Sampling windows of motion one after the other: guidance in one batch, the previous window as
context.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from motet.diffusion.denoise import denoiser
from motet.diffusion.guidance import GuidanceMode, branches, dynamic_threshold, guide
from motet.diffusion.sample import Noise, sampler
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


@dataclasses.dataclass(frozen=True)
class Past:
    """The end of the previous window."""

    motion: Float[Tensor, "batch context dim"]
    audio: Float[Tensor, "batch context width"]


@dataclasses.dataclass(frozen=True)
class Person:
    """Conditions of a person: normalised shape and style, each optional."""

    shape: Float[Tensor, "batch coefficients"] | None = None
    style: Float[Tensor, "batch width"] | None = None


@dataclasses.dataclass(frozen=True)
class Randomness:
    """All noise of a session: where a window starts, and the fresh noise of its moves."""

    start: Callable[[int], Tensor]
    moves: Callable[[int], Noise]


def sampling_config(
    condition: DiffPoseTalkCondition, model: DiffPoseTalkModel, person: Person
) -> SamplingConfig:
    """How the windows of a take are sampled.

    Raises:
        ConfigError: more steps than the model's schedule has.
    """
    schedule, config = model.schedule, model.config
    name = config.sampler if condition.sampler == "default" else condition.sampler
    steps = condition.steps or min(config.steps, schedule.steps)
    scales = {"audio": condition.guidance_audio, "style": condition.guidance_style}
    # Style is guided only where there is one.
    guided = [
        which for which in config.diffusion.guided if which == "audio" or person.style is not None
    ]
    limits = (condition.threshold, *THRESHOLD_LIMITS) if condition.threshold else None
    guidance = Guidance(
        tuple(guided), tuple(scales[which] for which in guided), condition.guidance_mode, limits
    )
    return SamplingConfig(name, tuple(descend(schedule, steps)), guidance, condition.flexibility)


def first_past(model: DiffPoseTalkModel, batch: int) -> Past:
    """Context of the first window: learned tokens."""
    return Past(
        model.start_motion_feat.expand(batch, -1, -1), model.start_audio_feat.expand(batch, -1, -1)
    )


def sample_window(
    model: DiffPoseTalkModel,
    audio: Float[Tensor, "batch window width"],
    person: Person,
    past: Past,
    sampling: SamplingConfig,
    start: Float[Tensor, "batch window dim"],
    noise: Noise,
    indicator: Float[Tensor, "batch window"] | None = None,
) -> Float[Tensor, "batch window dim"]:
    """One window of the model's vector, normalised.

    All evaluations that guidance needs go through the network as one batch; one whose weight comes
    out as zero is left out.
    """
    batch, guidance, net = len(audio), sampling.guidance, model.denoising_net
    rows = branches(guidance.mode, len(guidance.conditions))
    # Guidance is linear: applied to unit vectors it gives the weight of each branch, and branches
    # of weight 0 need not be computed.
    weights = guide(guidance.mode, torch.eye(len(rows), dtype=torch.float64), guidance.scales)
    needed = [index for index, weight in enumerate(weights.tolist()) if abs(weight) > 1e-12]
    # conditions of each needed branch
    active = [dict(zip(guidance.conditions, rows[index], strict=True)) for index in needed]
    audio_branches = torch.cat(  # (branches * batch, window, width)
        [audio if row.get("audio", True) else _null_audio(model, audio) for row in active]
    )
    person_branches = torch.cat(
        [
            model.person(person.shape, person.style if row.get("style", True) else None, batch)
            for row in active
        ]
    )
    many = len(needed)
    free = net.prepare(
        audio_branches,
        person_branches,
        past.motion.repeat(many, 1, 1),
        past.audio.repeat(many, 1, 1),
        None if indicator is None else indicator.repeat(many, 1),
    )
    # Embeddings of all timesteps at once; one product instead of one a step.
    times = dict(
        zip(sampling.steps, net.time_vectors(torch.tensor(sampling.steps)).split(1), strict=True)
    )
    shares = weights[needed].to(audio).view(-1, 1, 1, 1)  # (branches, 1, 1, 1)

    def network(x: Tensor, step: int) -> Tensor:
        predictions = net.step(x, times[step], free, keep=x.shape[1])
        if guidance.threshold is not None:
            predictions = dynamic_threshold(predictions, *guidance.threshold)
        # (branches, batch, window, dim) -> sum
        return (predictions.unflatten(0, (many, batch)) * shares).sum(0)

    estimate = denoiser(model.schedule, model.config.diffusion.target, network)
    return sampler(sampling.sampler)(
        estimate, start, model.schedule, sampling.steps, noise, sampling.flexibility
    )


def next_past(
    model: DiffPoseTalkModel,
    motion: Float[Tensor, "batch window dim"],
    audio: Float[Tensor, "batch window width"],
) -> Past:
    """Context of the next window."""
    context = model.config.denoiser.context
    return Past(motion[:, -context:], audio[:, -context:])


def published_frames(samples: int, fps: float = 25.0) -> int:
    """Frames that the published program gives a recording: a part of a frame at the end is
    dropped.
    """
    return int(samples / 16000 * fps)


def encode_recording(
    model: DiffPoseTalkModel,
    samples: Float[Tensor, "batch time"],
    frames: int,
    *,
    each_window: bool = False,
) -> Float[Tensor, "batch frames width"]:
    """Audio features of a standardised recording, filled up to whole windows.

    Args:
        frames: real frames of the recording.
        each_window: encode every window alone instead of all in one pass.
    """
    window, frame = model.config.denoiser.window, model.config.frame_samples
    windows = max(1, math.ceil(frames / window))
    missing = windows * window * frame - samples.shape[-1]
    if missing > 0:
        last = (
            samples[:, -1:] if model.config.loss.padding == "replicate" else samples.new_zeros(1, 1)
        )
        samples = torch.cat([samples, last.expand(len(samples), missing)], 1)
    if not each_window:
        return model.encode_audio(samples, windows * window)
    # (batch * windows, time)
    pieces = samples[:, : windows * window * frame].unflatten(1, (windows, -1)).flatten(0, 1)
    return model.encode_audio(pieces, window).unflatten(0, (-1, windows)).flatten(1, 2)


def sample_recording(
    model: DiffPoseTalkModel,
    features: Float[Tensor, "batch frames width"],
    frames: int,
    person: Person,
    sampling: SamplingConfig,
    randomness: Randomness,
) -> Float[Tensor, "batch frames dim"]:
    """All windows of a recording from features of whole windows; returns the real frames
    only.
    """
    batch, window, past, pieces = (
        len(features),
        model.config.denoiser.window,
        first_past(model, len(features)),
        [],
    )
    for number, audio in enumerate(features.split(window, 1)):
        real = indicator(batch, window, frames - number * window)
        motion = sample_window(
            model,
            audio,
            person,
            past,
            sampling,
            randomness.start(number),
            randomness.moves(number),
            real,
        )
        past = next_past(model, motion, audio)
        pieces.append(motion)
    return torch.cat(pieces, 1)[:, :frames]


def indicator(batch: int, window: int, real: int) -> Float[Tensor, "batch window"]:
    """1 for the first `real` frames, 0 for the padding."""
    return (torch.arange(window) < real).float().expand(batch, -1)


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


def _null_audio(model: DiffPoseTalkModel, audio: Tensor) -> Tensor:
    return (
        model.null_audio_feat.expand_as(audio)
        if model.null_audio_feat is not None
        else torch.zeros_like(audio)
    )
