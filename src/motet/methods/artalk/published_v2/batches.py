"""Batches of generation T, and the bits that are flipped in them."""

from __future__ import annotations

import torch
from torch import Tensor

from motet.data.training_set import TrainingSet
from motet.methods.artalk.batches import cut_window
from motet.methods.artalk.config import TrainingConfig


def window_batch(
    corpus: TrainingSet, size: int, randomness: torch.Generator, config: TrainingConfig
) -> dict[str, Tensor]:
    """Windows with the window before (zeros before the beginning), a window of the same performance
    as style, and features.
    """
    frames, steps = (
        config.codec.frames,
        round(config.codec.frames * corpus.feature_rate / corpus.space.fps),
    )
    rows = []
    for item, start in corpus.draw(size, frames, randomness):
        style = int(
            torch.randint(0, max(1, len(item.motion) - frames + 1), (), generator=randomness)
        )
        first = round(start * corpus.feature_rate / corpus.space.fps)
        rows.append(
            (
                cut_window(item.motion, start, frames)[0],
                cut_window(item.motion, start - frames, frames)[0],  # the window before
                cut_window(item.motion, style, frames)[0],
                cut_window(item.features, first, steps)[0],
            )
        )
    return {
        key: torch.stack([row[i] for row in rows])
        for i, key in enumerate(("motion", "past", "style", "audio"))
    }


def draw_flips(config: TrainingConfig, size: int, randomness: torch.Generator) -> list[Tensor]:
    """A whole percentage for each scale but the last, and bits that flip with that chance."""
    patches = config.codec.patches[:-1]
    percent = torch.randint(0, int(100 * config.flip) + 1, (len(patches),), generator=randomness)
    return [
        torch.rand(size, patch, config.codec.bits, generator=randomness) < percent[i] / 100
        for i, patch in enumerate(patches)
    ]
