"""The loss terms of one window, and the stage of training."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from motet.body.feature_vector import (
    DIM,
    JOINTS,
    POSITIONS,
    ROOT,
    ROTATIONS,
    VELOCITIES,
    vector_positions,
)
from motet.body.skeleton import house_offsets
from motet.checkpoint import load_strict
from motet.data.training_set import SpatialSet
from motet.diffusion.denoise import add_noise
from motet.methods.mospa.config import LossConfig, MospaConfig
from motet.methods.mospa.item_progress import REACTION
from motet.methods.mospa.known_frames import KnownFrames
from motet.methods.mospa.model import MospaModel, source_input
from motet.methods.mospa.sound_events import smooth_switches
from motet.nn.packed import bfloat16_is_fast
from motet.nn.seeded import normal, uniform
from motet.stage import Stage
from motet.types import SMPLX25_JOINTS

FEET = [
    SMPLX25_JOINTS.index(name) for name in ("left_ankle", "right_ankle", "left_foot", "right_foot")
]
FINETUNE_FACTOR = 3.0
FROM_START, AT_EVENTS = 0.2, 0.4
"""Shares of windows that begin with their sequence, as first windows do, and that are cut at an
event, as windows after a first one are."""


@dataclasses.dataclass(frozen=True)
class Window:
    """Truth and estimate in the motion's own units, and as the network's inputs and outputs where
    that differs.
    """

    truth: Float[Tensor, "batch frames dim"]
    estimate: Float[Tensor, "batch frames dim"]
    seen_truth: Float[Tensor, "batch frames dim"] | None = None
    """Normalised; None: the same."""
    seen_estimate: Float[Tensor, "batch frames dim"] | None = None


def window_losses(
    window: Window, offsets: Float[Tensor, "joints 3"], contact_m: float = 0.01
) -> dict[str, Float[Tensor, " batch"]]:
    """All nine terms for each item, unweighted: squared differences of values and of their changes
    from frame to frame.

    Both bodies are posed on the same skeleton, whatever skeleton the truth was recorded with, as
    released.

    Source: section 4.3 of the paper; columns and foot contacts as released.
    """
    truth = window.truth if window.seen_truth is None else window.seen_truth
    estimate = window.estimate if window.seen_estimate is None else window.seen_estimate
    terms: dict[str, Tensor] = {}
    for name, columns in (("data", slice(0, DIM)), ("traj", ROOT), ("rot", ROTATIONS)):
        terms[name], terms[f"{name}_delta"] = _both(truth[..., columns], estimate[..., columns])
    true_places, places = (
        vector_positions(window.truth, offsets),
        vector_positions(window.estimate, offsets),
    )
    terms["geo_xyz"], terms["geo_xyz_vel"] = _both(true_places, places)
    terms["foot_contact"] = foot_contact_loss(true_places, places, contact_m)
    return terms


def _both(truth: Tensor, estimate: Tensor) -> tuple[Tensor, Tensor]:
    difference = estimate - truth
    return difference.square().flatten(1).mean(1), difference.diff(dim=1).square().flatten(1).mean(
        1
    )


def foot_contact_loss(
    truth: Float[Tensor, "batch frames joints 3"],
    places: Float[Tensor, "batch frames joints 3"],
    contact_m: float,
) -> Float[Tensor, " batch"]:
    """Squared movement of ankles and feet from frame to frame where they truly stand."""
    standing = truth[:, :, FEET].diff(dim=1).norm(dim=-1, keepdim=True) <= contact_m
    moved = places[:, :, FEET].diff(dim=1)
    return torch.where(standing, moved, torch.zeros_like(moved)).square().flatten(1).mean(1)


def weights(config: LossConfig) -> dict[str, float]:
    """Weight of each term."""
    factor = FINETUNE_FACTOR if config.finetune else 1.0
    values = {
        "data": config.data,
        "traj": config.traj * factor,
        "rot": config.rotation * factor,
        "geo_xyz": config.geometry,
    }
    changes = {
        ("geo_xyz_vel" if name == "geo_xyz" else f"{name}_delta"): weight * config.delta
        for name, weight in values.items()
    }
    return {**values, **changes, "foot_contact": config.foot}


def total_loss(terms: Mapping[str, Tensor], config: LossConfig) -> Float[Tensor, " batch"]:
    """The weighted sum for each item."""
    chosen = weights(config)
    return torch.stack([terms[name] * weight for name, weight in chosen.items()]).sum(0)


def training_loss(
    model: MospaModel,
    batch: Mapping[str, Tensor],
    randomness: torch.Generator,
    offsets: Float[Tensor, "joints 3"],
) -> dict[str, Tensor]:
    """One draw of the objective: noise a window, drop the condition with some probability, and
    predict the clean window.
    """
    config, clean = model.config, batch["motion"]
    size = len(clean)
    seen = model.normalised(clean)
    step = draw_steps(config, size, randomness).to(seen.device)
    noise = normal(seen.shape, randomness, seen.device, seen.dtype)
    audible = (uniform(size, randomness, seen.device) >= config.mask_share).to(seen.dtype)
    noisy = add_noise(model.schedule, seen, noise, step)
    known = None
    if config.known_frames:
        known = draw_known(model, clean, randomness, batch.get("event"))
    source = batch["source"]
    if config.events:
        source = draw_attended(source, batch["attended"], randomness)
    families = batch.get("families") if config.families else None
    if families is not None:
        families = draw_families(families, randomness)
    # Without its own half precision the precision of the training applies.
    is_half = config.half_training and (seen.device.type != "cpu" or bfloat16_is_fast())
    half = torch.autocast(seen.device.type, torch.bfloat16) if is_half else None
    with half or contextlib.nullcontext():
        estimate = model(
            noisy,
            step,
            batch["audio"],
            source_input(source, config.source),
            batch["genre"],
            audible,
            batch["role"] if config.roles else None,
            known,
            families,
        )
    estimate = estimate.to(seen.dtype)
    if known is not None:
        # The border counts: changes from the last known frame to the first unknown one.
        estimate = torch.where(known.mask.unsqueeze(-1), seen, estimate)
    count = config.loss.geometry_frames or clean.shape[1]
    start = int(torch.randint(clean.shape[1] - count + 1, (1,), generator=randomness))
    posed = slice(start, start + count)
    window = Window(clean[:, posed], model.restored(estimate[:, posed]), seen, estimate)
    terms, chosen = (
        window_losses(window, offsets.to(clean), config.loss.contact_m),
        weights(config.loss),
    )
    return {name: chosen[name] * value.mean() for name, value in terms.items() if chosen[name]}


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


def stages(config: MospaConfig, tensors: Mapping[str, Tensor] | None = None) -> list[Stage]:
    """The one stage; its normalisation comes from the training set."""
    model = MospaModel(config)
    if tensors is not None:
        load_strict(model, tensors)
    offsets = house_offsets()

    def batch(corpus: SpatialSet, size: int, randomness: torch.Generator) -> dict[str, Tensor]:
        return corpus.draw(
            size,
            config.window,
            randomness,
            seen_from=config.source.frame,
            from_start=FROM_START if config.known_frames else 0.0,
            at_events=AT_EVENTS if config.events else 0.0,
            before_event=config.overlap - REACTION,
        )

    def loss(batch: Mapping[str, Tensor], randomness: torch.Generator) -> dict[str, Tensor]:
        return training_loss(model, batch, randomness, offsets)

    def prepare(corpus: SpatialSet) -> None:
        # Weights that are trained further keep their statistics: the training set may have changed.
        if tensors is None and config.normalise and bool((model.motion_std == 1).all()):
            measure(model, corpus)

    return [Stage("denoiser", model, [model], loss, batch, prepare)]


LEAST_DEVIATION: Mapping[str, float] = {
    "root": 0.05,
    "places": 0.05,
    "rotations": 0.05,
    "velocities": 0.002,
}
"""Deviations are not taken to be smaller: the channels of joints that hardly move would count too
much."""


def measure(model: MospaModel, corpus: SpatialSet) -> None:
    """Mean and deviation of motion and sound over a corpus, into the model. A place on the floor
    has one deviation for both axes.
    """
    noise = torch.Generator().manual_seed(0)
    drawn = corpus.draw(
        min(512, 8 * len(corpus.items)),
        model.config.window,
        noise,
        seen_from=model.config.source.frame,
    )
    motion, audio = drawn["motion"].flatten(0, 1), drawn["audio"].flatten(0, 1)
    deviation = motion.std(0)
    for columns, name in (
        (POSITIONS, "places"),
        (ROTATIONS, "rotations"),
        (VELOCITIES, "velocities"),
    ):
        deviation[columns] = deviation[columns].clamp(min=LEAST_DEVIATION[name])
    for columns in (POSITIONS, VELOCITIES):
        spread = deviation[columns].unflatten(0, (JOINTS, 3))
        spread[:, 0::2] = spread[:, 0::2].square().mean(1, keepdim=True).sqrt()
    mean = motion.mean(0)
    for columns in (POSITIONS, VELOCITIES):
        mean[columns].unflatten(0, (JOINTS, 3))[:, 0::2] = 0.0
    model.motion_mean.copy_(mean)
    model.motion_std.copy_(deviation)
    if model.config.guessing:
        model.motion_spread.copy_(((motion - mean) / deviation).square().mean(0).clamp(min=1e-4))
    model.audio_mean.copy_(audio.mean(0))
    model.audio_std.copy_(audio.std(0).clamp(min=1e-3))


def contacts(
    places: Float[Tensor, "*batch frames joints 3"], contact_m: float = 0.01
) -> Bool[Tensor, "*batch frames feet"]:
    """Where ankles and feet stand: they move less than `contact_m` to the next frame."""
    moved = places[..., FEET, :].diff(dim=-3).norm(dim=-1) <= contact_m
    return torch.cat([moved, moved[..., -1:, :]], -2)
