"""The data base that ARTalk's published training reads: tracked FLAME motion and speech in one LMDB
folder.

A clip is an `.npz` under its key: `audio` (16 kHz) and `motioncode` (frames, 112): 100 expression
coefficients, head, jaw and both eyes as axis-angle. `metadata.json` lists the splits as
`{"train": [[key, frames], ...], "val": ..., "test": ...}`. Of the 112 columns the model has 108:
those of the jaw's opening and of two turning axes of each eye.

Source: the published training code; no such data base is handed out by its authors.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from motet.array_files import unpack_arrays
from motet.config import parse_json
from motet.data.readers.lmdb_pages import open_lmdb
from motet.data.training_set import TrainingItem
from motet.errors import AssetError, InputError, nearest
from motet.types import MotionSpace

SAMPLE_RATE, STORED = 16_000, 112
COLUMNS = (*range(104), 106, 107, 109, 110)  # without jaw axes 1, 2 and one axis of each eye
"""Columns of the 112 that the model has."""
LEAST_FRAMES = 102
"""The published program leaves shorter clips out."""


class ArtalkDatabase:
    """Clips of one split, read when they are drawn; features are the sound itself.

    Args:
        folder: with `data.mdb` and `metadata.json`.
        space: 108 numbers a frame, of the model that is trained.
        split: train, val or test.

    Raises:
        MissingDependency: the package `lmdb` is not installed.
        AssetError: the folder is not such a data base.
        InputError: no such split, or no clip of it is long enough.
    """

    feature_rate = float(SAMPLE_RATE)

    def __init__(self, folder: Path, space: MotionSpace, split: str = "train") -> None:
        self.space, self._folder = space, Path(folder)
        self.splits = _splits(self._folder / "metadata.json")
        if split not in self.splits:
            raise InputError(f"{folder} has no split {split!r}; {nearest(split, self.splits)}")
        clips = self.splits[split]
        self.frames = {name: count for name, count in clips if count >= LEAST_FRAMES}
        if not self.frames:
            raise InputError(f"no clip of {split} in {folder} has {LEAST_FRAMES} frames")
        self._store = open_lmdb(self._folder.resolve())

    def hold_out(self, share: float) -> tuple[ArtalkDatabase, ArtalkDatabase | None]:
        """The split itself, and the data base's own validation split unless the share is 0."""
        long = any(count >= LEAST_FRAMES for _, count in self.splits.get("val", ()))
        return self, ArtalkDatabase(self._folder, self.space, "val") if share and long else None

    def clip(self, name: str) -> TrainingItem:
        """A whole clip; its features are samples of one channel.

        Raises:
            AssetError: the entry is missing, damaged, or of another shape.
        """
        with self._store.begin() as transaction:
            data = transaction.get(name.encode())
        if data is None:
            raise AssetError(f"{self._folder} lacks the entry {name!r} that metadata.json lists")
        stored = unpack_arrays(data, f"the entry {name!r}")
        motion, sound = (stored.get(key, np.zeros(0)) for key in ("motioncode", "audio"))
        if motion.ndim != 2 or motion.shape[1] != STORED or sound.ndim != 1 or not len(sound):
            raise AssetError(
                f"the entry {name!r} has motioncode {motion.shape} and audio {sound.shape};"
                f" expected (frames, {STORED}) and (samples)"
            )
        chosen = torch.from_numpy(motion[:, COLUMNS].astype(np.float32))
        samples = torch.from_numpy(sound.astype(np.float32))
        if not bool(torch.isfinite(chosen).all() and torch.isfinite(samples).all()):
            raise AssetError(f"the entry {name!r} contains values that are not finite")
        valid = torch.ones(len(COLUMNS), dtype=torch.bool)
        return TrainingItem(chosen, samples.unsqueeze(1), valid, recording=name)

    def draw(
        self, size: int, frames: int, randomness: torch.Generator
    ) -> list[tuple[TrainingItem, int]]:
        """Clips with start frames for windows of that length; long clips are drawn more often."""
        names = list(self.frames)
        weights = [max(1, self.frames[name] - frames + 1) for name in names]
        chosen = torch.multinomial(
            torch.tensor(weights, dtype=torch.float64), size, True, generator=randomness
        )
        starts = torch.rand(size, generator=randomness, dtype=torch.float64)
        rows = []
        for index, start in zip(chosen.tolist(), starts.tolist(), strict=True):
            item = self.clip(names[index])
            # A window that is longer than the clip starts at 0 and is padded by the caller.
            rows.append((item, int(start * max(1, len(item.motion) - frames + 1))))
        return rows

    def statistics(self) -> tuple[Float[Tensor, " dim"], Float[Tensor, " dim"]]:
        """Mean and deviation of every channel over all frames (deviation at least 1e-4)."""
        total = torch.zeros(len(COLUMNS), dtype=torch.float64)
        square, count = total.clone(), 0
        for name in self.frames:
            motion = self.clip(name).motion.double()
            total, square = total + motion.sum(0), square + motion.square().sum(0)
            count += len(motion)
        mean = total / count
        # Rounding can take the variance of a constant channel below zero.
        deviation = (square / count - mean.square()).clamp(min=0).sqrt().clamp(min=1e-4)
        return mean.float(), deviation.float()


def _splits(path: Path) -> dict[str, list[tuple[str, int]]]:
    try:
        stored = parse_json(path.read_text(encoding="utf-8"))
        assert isinstance(stored, dict)
        return {
            str(split): [(str(name), int(frames)) for name, frames in clips]
            for split, clips in stored.items()
        }
    except (OSError, ValueError, TypeError, AssertionError) as error:
        raise AssetError(
            f"{path} is missing or is no list of splits"
            ' ({"train": [[key, frames], ...], ...}); give the folder of ARTalk\'s data base'
        ) from error
