"""The one training stage, and the statistics that it takes from the training set."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from motet.body.feature_vector import JOINTS, POSITIONS, ROTATIONS, VELOCITIES
from motet.body.skeleton import house_offsets
from motet.checkpoint import load_strict
from motet.data.training_set import SpatialSet
from motet.methods.mospa.config import MospaConfig
from motet.methods.mospa.item_progress import REACTION
from motet.methods.mospa.loss import training_loss
from motet.methods.mospa.model import MospaModel
from motet.methods.mospa.sound_classifier import widened
from motet.stage import Stage

FROM_START, AT_EVENTS = 0.2, 0.4
"""Shares of windows that begin with their sequence, as first windows do, and that are cut at an
event, as windows after a first one are."""
LEAST_DEVIATION: Mapping[str, float] = {
    "root": 0.05,
    "places": 0.05,
    "rotations": 0.05,
    "velocities": 0.002,
}
"""Deviations are not taken to be smaller: the channels of joints that hardly move would count too
much."""


def stages(config: MospaConfig, tensors: Mapping[str, Tensor] | None = None) -> list[Stage]:
    """The one stage; its normalisation comes from the training set."""
    model = MospaModel(config)
    if tensors is not None:
        load_strict(model, widened(tensors))
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
