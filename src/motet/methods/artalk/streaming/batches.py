"""Batches of the small streaming model: pairs of windows for the codec; windows with history, audio
and style for the generator.
"""

from __future__ import annotations

import torch
from torch import Tensor

from motet.data.training_set import TrainingItem, TrainingSet
from motet.methods.artalk.batches import cut_window
from motet.methods.artalk.config import StreamingConfig

STYLE_FRAMES = 150
"""Longest style clip in training (6 s)."""


def pair_batch(
    corpus: TrainingSet, size: int, randomness: torch.Generator, config: StreamingConfig
) -> dict[str, Tensor]:
    """Two consecutive windows of each of `size` performances: `motion`, `inside` (frames that
    exist), `valid` (channels).
    """
    frames = 2 * config.codec.frames
    drawn = [
        (item, *cut_window(item.motion, start, frames))
        for item, start in corpus.draw(size, frames, randomness)
    ]
    return {
        "motion": torch.stack([motion for _, motion, _ in drawn]),
        "inside": torch.stack([inside for _, _, inside in drawn]),
        "valid": torch.stack([item.valid for item, _, _ in drawn]),
    }


def window_batch(
    corpus: TrainingSet, size: int, randomness: torch.Generator, config: StreamingConfig
) -> dict[str, Tensor]:
    """A window with its history, its audio and a style clip of the same performance.

    Keys: `motion` (past and window), `inside`, `valid`, `audio` with `audio_first` and `audio_last`
    (steps where there is sound), `style` with `style_mask`.
    """
    frames, past = config.codec.frames, config.history * config.codec.frames
    rows = [
        _window(item, start, past, randomness, config)
        for item, start in corpus.draw(size, frames, randomness)
    ]
    return {key: torch.stack([row[key] for row in rows]) for key in rows[0]}


def _window(
    item: TrainingItem, start: int, past: int, randomness: torch.Generator, config: StreamingConfig
) -> dict[str, Tensor]:
    motion, inside = cut_window(item.motion, start - past, past + config.codec.frames)
    first = start * config.steps_per_frame - config.audio_before
    audio, sound = cut_window(item.features, first, config.audio_steps)
    length = min(
        len(item.motion),
        int(torch.randint(STYLE_FRAMES // 3, STYLE_FRAMES + 1, (), generator=randomness)),
    )
    style_start = int(torch.randint(0, len(item.motion) - length + 1, (), generator=randomness))
    style, style_mask = cut_window(item.motion[style_start : style_start + length], 0, STYLE_FRAMES)
    at = torch.arange(len(sound))[sound]
    bounds = (int(at[0]), int(at[-1]) + 1) if len(at) else (0, 0)
    return {
        "motion": motion,
        "inside": inside,
        "valid": item.valid,
        "audio": audio,
        "audio_first": torch.tensor(bounds[0]),
        "audio_last": torch.tensor(bounds[1]),
        "style": style,
        "style_mask": style_mask,
    }
