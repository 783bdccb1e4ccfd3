"""The loss: nine terms of a window, and one draw of the training objective."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from motet.body.feature_vector import (
    DIM,
    ROOT,
    ROTATIONS,
    vector_positions,
)
from motet.diffusion.denoise import add_noise
from motet.methods.mospa.config import LossConfig
from motet.methods.mospa.model import MospaModel
from motet.methods.mospa.source_encoding import source_input
from motet.methods.mospa.training_draws import draw_attended, draw_families, draw_known, draw_steps
from motet.nn.packed import bfloat16_is_fast
from motet.nn.seeded import normal, uniform
from motet.types import SMPLX25_JOINTS

FEET = [
    SMPLX25_JOINTS.index(name) for name in ("left_ankle", "right_ankle", "left_foot", "right_foot")
]
FINETUNE_FACTOR = 3.0
"""Of root and rotations, with `finetune`."""


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
    true_positions, positions = (
        vector_positions(window.truth, offsets),
        vector_positions(window.estimate, offsets),
    )
    terms["geo_xyz"], terms["geo_xyz_vel"] = _both(true_positions, positions)
    terms["foot_contact"] = foot_contact_loss(true_positions, positions, contact_m)
    return terms


def _both(truth: Tensor, estimate: Tensor) -> tuple[Tensor, Tensor]:
    difference = estimate - truth
    return difference.square().flatten(1).mean(1), difference.diff(dim=1).square().flatten(1).mean(
        1
    )


def foot_contact_loss(
    truth: Float[Tensor, "batch frames joints 3"],
    positions: Float[Tensor, "batch frames joints 3"],
    contact_m: float,
) -> Float[Tensor, " batch"]:
    """Squared movement of ankles and feet from frame to frame where they truly stand."""
    standing = truth[:, :, FEET].diff(dim=1).norm(dim=-1, keepdim=True) <= contact_m
    moved = positions[:, :, FEET].diff(dim=1)
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
