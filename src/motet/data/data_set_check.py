"""Data sets that training reads in their own layout: every clip is read once, so that damage shows
before a training of days, and statistics that are missing are written.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from motet.atomic_write import write_bytes
from motet.data.readers.artalk_lmdb import ArtalkDatabase
from motet.data.readers.hdtf_tfhp import TfhpDatabase
from motet.data.readers.sam import MOTION_FPS, Sam
from motet.errors import AssetError
from motet.types import MotionSpace

Report = Callable[[str, int], None]
"""Called with the name of each clip and how many are done."""
SPLITS = ("train", "val", "test")
STATISTICS = "stats_train.npz"
CROP = 100
"""Frames over which the published statistics average."""


def check_tfhp(folder: Path, report: Report) -> dict[str, float]:
    """Read HDTF-TFHP; write `stats_train.npz` if it is missing.

    Returns:
        Seconds by split.

    Raises:
        AssetError: not such a data base, or a damaged clip.
    """
    seconds, done = {}, 0
    for split in _listed(folder):
        data = TfhpDatabase(folder, split)
        for name in data.names:
            # Read and thrown away: damage inside a value shows only when it is read.
            data.clip(name, 0, data.frames[name])
            done += 1
            report(name, done)
        seconds[split] = sum(data.frames.values()) / data.space.fps
    if not (folder / STATISTICS).is_file():
        buffer = io.BytesIO()
        np.savez(buffer, **tfhp_statistics(TfhpDatabase(folder, "train")))
        write_bytes(folder / STATISTICS, buffer.getvalue())
    return seconds


def _listed(folder: Path) -> list[str]:
    splits = [split for split in SPLITS if (folder / f"{split}.txt").is_file()]
    if "train" not in splits:
        raise AssetError(
            f"{folder} needs data.mdb and train.txt, the released LMDB folder of HDTF-TFHP"
        )
    return splits


def tfhp_statistics(data: TfhpDatabase) -> dict[str, np.ndarray]:
    """Mean of crops of 100 frames and mean of the deviations within them, as published; over all
    crops one after the other instead of random ones.
    """
    means: list[torch.Tensor] = []
    deviations: list[torch.Tensor] = []
    for name in data.names:
        frames = data.frames[name]
        # One crop at least, also of a clip that is shorter than 100 frames.
        for start in range(0, max(1, frames - CROP + 1), CROP):
            clip = data.clip(name, start, min(CROP, frames - start))
            shape = clip.shape.expand(len(clip.motion), -1)
            # (frames, 50 expression + 6 pose + 100 shape)
            numbers = torch.cat([clip.motion, shape], 1)
            means.append(numbers.mean(0))
            deviations.append(numbers.std(0, unbiased=False))
    statistics = {}
    for kind, values in (("mean", means), ("std", deviations)):
        mean = torch.stack(values).mean(0).numpy()
        for name, columns in (("exp", (0, 50)), ("pose", (50, 56)), ("shape", (56, 156))):
            statistics[f"{name}_{kind}"] = mean[slice(*columns)]
    return statistics


def check_artalk(folder: Path, space: MotionSpace, report: Report) -> dict[str, float]:
    """Read the data base of ARTalk's training.

    Returns:
        Seconds by split, of clips that are long enough.

    Raises:
        AssetError: not such a data base, a damaged clip, or another length than it lists.
    """
    first = ArtalkDatabase(folder, space)
    seconds, done = {}, 0
    for split in first.splits:
        data = ArtalkDatabase(folder, space, split)
        for name, frames in data.frames.items():
            stored_frames = len(data.clip(name).motion)
            if stored_frames != frames:
                raise AssetError(f"{name} has {stored_frames} frames; metadata.json says {frames}")
            done += 1
            report(name, done)
        seconds[split] = sum(data.frames.values()) / space.fps
    return seconds


def check_sam(folder: Path, report: Report) -> dict[str, float]:
    """Read SAM, or what has its layout.

    Returns:
        Seconds by split.

    Raises:
        AssetError: not in that layout, or a damaged sequence.
    """
    data, seconds, done = Sam(folder), {}, 0
    for split, names in data.splits.items():
        frames = 0
        for name in names:
            frames += len(data.read(name).root)
            data.audio(name)
            done += 1
            report(name, done)
        seconds[split] = frames / MOTION_FPS
    return seconds
