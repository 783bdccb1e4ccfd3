"""The tracked GRID speaker for the sync expert: outlines of his lips and phonetic features, without
any picture.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection
from pathlib import Path

import numpy as np
import soundfile
import torch
from jaxtyping import Float
from torch import Tensor

from motet.array_files import read_arrays
from motet.encoders.phonetic.encoder import PhoneticEncoder
from motet.errors import AssetError
from motet.methods.speech2lip.sync.lip_outline import lip_outline
from motet.training.distillation_targets import at_times

TESTED, VALIDATED = 0, 1
"""Every twentieth clip, counted from 0 in the order of names, is for tests, and every one after it
for validation."""


@dataclasses.dataclass(frozen=True)
class TrackedLips:
    """Clips of one length."""

    names: list[str]
    outlines: Float[Tensor, "clips frames 80"]
    features: Float[Tensor, "clips steps channels"]
    """Two for each frame, on the video's clock."""


def clip_names(folder: Path) -> list[str]:
    """Names of all tracked clips, in order.

    Raises:
        AssetError: the folder is not the tracked GRID folder.
    """
    try:
        return sorted(json.loads((folder / "words.json").read_text()))
    except OSError as error:
        raise AssetError(f"{folder} is not the tracked GRID folder: {error}") from error


def held_out_clips(folder: Path) -> list[str]:
    """Names of the test clips."""
    return clip_names(folder)[TESTED::20]


def validation_clips(folder: Path) -> list[str]:
    """Names of the validation clips."""
    return clip_names(folder)[VALIDATED::20]


def training_clips(folder: Path) -> list[str]:
    """Names of the others."""
    return [
        name
        for index, name in enumerate(clip_names(folder))
        if index % 20 not in (TESTED, VALIDATED)
    ]


def read_tracked_lips(
    folder: Path, without: Collection[str], chosen: Collection[str] | None = None
) -> TrackedLips:
    """Some tracked clips, in order.

    Args:
        without: names that are left out.
        chosen: names of the clips; the training clips when left out.
    """
    names = clip_names(folder)
    selected = set(training_clips(folder) if chosen is None else chosen) - set(without)
    rows = [index for index, name in enumerate(names) if name in selected]
    arrays = read_arrays(folder / "landmarks.npz")
    first, delta = (arrays[key].astype(np.float32) for key in ("first", "delta"))
    numbers = arrays["index"].tolist()
    # Points are stored in sixteenths: the first frame, then differences.
    points = torch.from_numpy(
        np.concatenate([first[:, None], first[:, None] + delta.cumsum(1)], 1) / 16
    )
    starts = read_arrays(folder / "motion.npz", ["audio_start"])["audio_start"].tolist()
    encoder = PhoneticEncoder.load()
    # two features a frame of 25 Hz
    clock = torch.arange(2 * points.shape[1]) / 50.0

    features = [
        # from the sound's clock to the video's
        at_times(encoder.encode(_sound(folder, names[row])).hidden, clock - starts[row])
        for row in rows
    ]
    return TrackedLips(
        [names[row] for row in rows],
        torch.stack([lip_outline(points[row], numbers) for row in rows]),
        torch.stack(features).clone(),
    )


def _sound(folder: Path, name: str) -> Tensor:
    return torch.from_numpy(soundfile.read(folder / "audio" / f"{name}.flac", dtype="float32")[0])
