"""Sampling windows of motion one after the other: guidance in one batch, the previous window as
context.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from motet.diffusion.denoise import denoiser
from motet.diffusion.guidance import branches, dynamic_threshold, guide
from motet.diffusion.sample import Noise, sampler, seeded_noise
from motet.methods.diffposetalk.denoiser import WindowCache
from motet.methods.diffposetalk.model import DiffPoseTalkModel
from motet.methods.diffposetalk.sampling_config import Guidance, SamplingConfig

NO_WEIGHT = 1e-12
"""Weight of a branch below which it is not computed; the weights are sums of guidance scales in
float64, so a weight of 0 may come out as 1e-16."""


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


def session_noise(seeds: Sequence[int], shape: tuple[int, int], *, fresh: bool) -> Randomness:
    """Noise of every window, from each item's own seed.

    Args:
        shape: of a window, (frames, dim).
        fresh: each window starts from noise of its own; as published all start from the same.
    """

    def start(window: int) -> Tensor:
        return seeded_noise(seeds, shape, stream=window * 2 if fresh else 0)(0)

    def moves(window: int) -> Noise:
        # Odd streams are fresh noise, even ones start noise: they never share numbers.
        return seeded_noise(seeds, shape, stream=window * 2 + 1)

    return Randomness(start, moves)


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

    All evaluations that guidance needs go through the network as one batch.

    Args:
        audio: features, one a frame, in the denoiser's width.
        start: standard normal noise that the window is drawn from.
        noise: fresh noise of each move; ODE samplers take none.
        indicator: 1 for real frames, 0 for padding; None: all are real.
    """
    guidance, net, batch = sampling.guidance, model.denoising_net, len(audio)
    active, weights = _active_branches(guidance)
    cache = _prepare(model, audio, person, past, active, indicator)
    # Embeddings of all timesteps at once; one product instead of one a step.
    times = dict(
        zip(sampling.steps, net.time_vectors(torch.tensor(sampling.steps)).split(1), strict=True)
    )
    weights = weights.to(audio).view(-1, 1, 1, 1)  # (branches, 1, 1, 1)

    def network(x: Tensor, step: int) -> Tensor:
        # (branches * batch, window, dim)
        predictions = net.step(x, times[step], cache, keep=x.shape[1])
        if guidance.threshold is not None:
            predictions = dynamic_threshold(predictions, *guidance.threshold)
        # (branches, batch, window, dim) -> sum
        return (predictions.unflatten(0, (len(active), batch)) * weights).sum(0)

    estimate = denoiser(model.schedule, model.config.diffusion.target, network)
    return sampler(sampling.sampler)(
        estimate, start, model.schedule, sampling.steps, noise, sampling.flexibility
    )


def _active_branches(
    guidance: Guidance,
) -> tuple[list[dict[str, bool]], Float[Tensor, " branches"]]:
    """The network evaluations that guidance needs, as the conditions that each one sees, and their
    weights in the guided prediction.
    """
    rows = branches(guidance.mode, len(guidance.conditions))
    # Guidance is linear: applied to unit vectors it gives the weight of each branch, and branches
    # of weight 0 need not be computed.
    weights = guide(guidance.mode, torch.eye(len(rows), dtype=torch.float64), guidance.scales)
    needed = [index for index, weight in enumerate(weights.tolist()) if abs(weight) > NO_WEIGHT]
    active = [dict(zip(guidance.conditions, rows[index], strict=True)) for index in needed]
    return active, weights[needed]


def _prepare(
    model: DiffPoseTalkModel,
    audio: Tensor,
    person: Person,
    past: Past,
    active: list[dict[str, bool]],
    indicator: Tensor | None,
) -> WindowCache:
    """The window's cache, of all branches one after the other: (branches * batch, ...)."""
    many = len(active)
    # (branches * batch, window, width); a condition that guidance does not name is always seen.
    audio_branches = torch.cat(
        [audio if row.get("audio", True) else _null_audio(model, audio) for row in active]
    )
    person_branches = torch.cat(
        [
            model.person(person.shape, person.style if row.get("style", True) else None, len(audio))
            for row in active
        ]
    )
    return model.denoising_net.prepare(
        audio_branches,
        person_branches,
        past.motion.repeat(many, 1, 1),
        past.audio.repeat(many, 1, 1),
        None if indicator is None else indicator.repeat(many, 1),
    )


def next_past(
    model: DiffPoseTalkModel,
    motion: Float[Tensor, "batch window dim"],
    audio: Float[Tensor, "batch window width"],
) -> Past:
    """Context of the next window."""
    context = model.config.denoiser.context
    return Past(motion[:, -context:], audio[:, -context:])


def indicator(batch: int, window: int, real: int) -> Float[Tensor, "batch window"]:
    """1 for the first `real` frames, 0 for the padding of the last window."""
    return (torch.arange(window) < real).float().expand(batch, -1)


def _null_audio(
    model: DiffPoseTalkModel, audio: Float[Tensor, "batch window width"]
) -> Float[Tensor, "batch window width"]:
    """The learned features that stand for any audio (zeros in a model trained without them)."""
    return (
        model.null_audio_feat.expand_as(audio)
        if model.null_audio_feat is not None
        else torch.zeros_like(audio)
    )
