"""What a training step draws at random: known frames, given sources, families, diffusion steps."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from motet.body.feature_vector import VELOCITIES
from motet.methods.mospa.config import MospaConfig
from motet.methods.mospa.item_progress import REACTION
from motet.methods.mospa.known_frames import KnownFrames
from motet.methods.mospa.model import MospaModel
from motet.methods.mospa.sound_events import smooth_switches

KNOWN_SHARES = (0.12, 0.40, 0.55)
"""Cumulative shares of windows with no known frame, with one, with any number up to the overlap;
the others know as many as windows overlap."""
JITTER_RAD, DISTANCE_SPREAD = 0.17, 0.35
"""Deviation of estimated directions, and of the logarithm of estimated distances."""
TOLD = 0.5
"""Share of windows whose source is given, before its first event too."""
FAMILY_UNKNOWN = 0.15
"""Share of windows without the family of the reaction."""


def draw_known(
    model: MospaModel,
    clean: Float[Tensor, "batch frames dim"],
    randomness: torch.Generator,
    event: Int[Tensor, " batch"] | None = None,
) -> KnownFrames:
    """Random prefixes as known frames; in windows that are drawn for an event, what the figure did
    until its reaction.

    The velocity in the last of them leads to a frame that is not known, so it is zero, as it is
    when windows are generated.
    """
    size, frames = clean.shape[:2]
    overlap = max(1, model.config.overlap)
    drawn, share = torch.rand(2, size, generator=randomness, dtype=torch.float64)
    count = torch.full((size,), overlap)
    some = 1 + (share * overlap).long()
    count = torch.where(drawn < KNOWN_SHARES[2], some, count)
    count = torch.where(drawn < KNOWN_SHARES[1], torch.ones_like(count), count)
    count = torch.where(drawn < KNOWN_SHARES[0], torch.zeros_like(count), count)
    if event is not None:
        # The way windows are cut when they are generated (item_progress.py).
        event = event.cpu()
        count = torch.where(event >= 0, (event + REACTION).clamp(max=overlap), count)
    mask = (torch.arange(frames) < count.unsqueeze(1)).to(clean.device)
    last = (torch.arange(frames) == (count - 1).unsqueeze(1)).to(clean.device)
    motion = clean.clone()
    motion[..., VELOCITIES] *= ~last.unsqueeze(-1)
    return KnownFrames(mask, model.normalised(motion))


def draw_attended(
    source: Float[Tensor, "batch frames 3"],
    attended: Int[Tensor, "batch frames"],
    randomness: torch.Generator,
) -> Float[Tensor, "batch frames 3"]:
    """Sources as they are known when windows are generated: given, or estimated from their first
    event on; zeros where there is none.
    """
    size = len(source)
    told = (torch.rand(size, generator=randomness) < TOLD).to(source.device)
    turn, spread = torch.randn(2, size, generator=randomness).to(source)
    turn, spread = turn * JITTER_RAD * ~told, (spread * DISTANCE_SPREAD * ~told).exp()
    cosine, sine = turn.cos().unsqueeze(1), turn.sin().unsqueeze(1)
    x, y, z = source.unbind(-1)
    moved = torch.stack([cosine * x + sine * z, y, cosine * z - sine * x], -1)
    moved = moved * torch.stack([spread, torch.ones_like(spread), spread], -1).unsqueeze(1)
    known = (attended == 2) | ((attended == 1) & told.unsqueeze(1))
    return smooth_switches(moved * known.unsqueeze(-1))


def draw_families(
    families: Int[Tensor, "batch frames"], randomness: torch.Generator
) -> Int[Tensor, "batch frames"]:
    """Families of reactions, left out for some windows: there the sound alone decides."""
    is_given = torch.rand(len(families), generator=randomness) >= FAMILY_UNKNOWN
    return families * is_given.to(families).unsqueeze(1)


def draw_steps(
    config: MospaConfig, size: int, randomness: torch.Generator
) -> Int[Tensor, " batch"]:
    """A diffusion step for each item; all alike as released, or noisy ones more often."""
    share = 1 - torch.rand(size, generator=randomness, dtype=torch.float64) ** config.late_steps
    return (share * config.diffusion_steps).ceil().clamp(1, config.diffusion_steps).long()
