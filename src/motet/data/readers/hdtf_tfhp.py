"""The data base released with DiffPoseTalk (HDTF-TFHP, handed out on request): FLAME coefficients
and speech in one LMDB folder.

Keys are `<person>/<video>/<segment>`; a segment is a FLAC file and up to `seg_len` frames of
coefficients. Values are pickled and read by `motet.restricted_unpickle`, so that nothing in
the file can run.
"""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from jaxtyping import Float
from torch import Tensor

from motet.array_files import read_arrays
from motet.data.readers.lmdb_pages import open_lmdb
from motet.errors import AssetError, InputError, require
from motet.restricted_unpickle import read_inert
from motet.rigs.flame import flame_space

FRAME_SAMPLES = 640  # 16 kHz at 25 frames a second
FPS = 25.0


@dataclasses.dataclass(frozen=True)
class TfhpClip:
    """A stretch of one video."""

    motion: Float[Tensor, "frames 56"]
    """Expression, head and jaw rotation, as stored."""
    shape: Float[Tensor, " coefficients"]
    """Identity of the first frame."""
    samples: Float[Tensor, " time"]
    """16 kHz."""
    speaker: str

    @property
    def valid(self) -> Tensor:
        """All channels are observed."""
        return torch.ones(self.motion.shape[1], dtype=torch.bool)


class TfhpDatabase:
    """Clips of one split, cut out on demand.

    Args:
        folder: the folder with `data.mdb`, the lists of the splits and `stats_train.npz`.
        split: name of a list, without its ending.

    Raises:
        MissingDependency: the package `lmdb` is not installed.
        AssetError: the folder is not such a data base.
    """

    def __init__(self, folder: Path, split: str = "train") -> None:
        require("lmdb", "tfhp")
        self.space, folder = flame_space(FPS), Path(folder)
        self._folder = folder
        listing = folder / f"{split}.txt"
        if not listing.exists() or not (folder / "data.mdb").exists():
            raise AssetError(
                f"{folder} needs data.mdb and {split}.txt, the released LMDB folder of HDTF-TFHP"
            )
        try:
            self.names = listing.read_text(encoding="utf-8").split()
        except (OSError, ValueError) as error:
            raise AssetError(f"{listing} cannot be read as a list of names: {error}") from error
        self._store = open_lmdb(folder.resolve())
        self._statistics = folder / "stats_train.npz"
        self.segment_frames = self._count("metadata", "seg_len")
        self.frames = {name: self._count(f"{name}/metadata", "n_frames") for name in self.names}

    def hold_out(self, share: float) -> tuple[TfhpDatabase, TfhpDatabase | None]:
        """The split itself, and the data base's own validation split unless the share is 0."""
        listed = (self._folder / "val.txt").is_file()
        return self, TfhpDatabase(self._folder, "val") if share and listed else None

    def clip(self, name: str, start: int, frames: int) -> TfhpClip:
        """Frames from `start` of a video.

        Raises:
            AssetError: the video is shorter, or a segment is damaged.
        """
        if start < 0 or start + frames > self.frames.get(name, 0):
            raise AssetError(
                f"{name} has {self.frames.get(name, 0)} frames; {start} to {start + frames} are not"
                " in it"
            )
        size = self.segment_frames
        # segments that the stretch touches, both ends included
        first, last = start // size, (start + frames - 1) // size
        segments = [self._value(f"{name}/{index:03d}") for index in range(first, last + 1)]
        offset = start - first * size
        try:
            coefficients = {
                key: _joined([s["coef"][key] for s in segments], offset, frames)
                for key in ("shape", "exp", "pose")
            }
            sound = np.concatenate([_sound(segment["audio"], name) for segment in segments])
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise AssetError(f"a segment of {name} is damaged: {error}") from error
        # The sound of the last segment may be shorter than its frames.
        cut = torch.from_numpy(sound[offset * FRAME_SAMPLES : (offset + frames) * FRAME_SAMPLES])
        missing = frames * FRAME_SAMPLES - len(cut)
        samples = torch.nn.functional.pad(cut, (0, max(0, missing)))
        # (frames, 50 expression + 3 head + 3 jaw)
        motion = torch.cat([coefficients["exp"], coefficients["pose"][:, :6]], 1)
        return TfhpClip(motion, coefficients["shape"][0], samples, name.split("/")[0])

    def draw_clips(self, size: int, frames: int, randomness: torch.Generator) -> list[TfhpClip]:
        """Stretches of random videos, every video that is long enough with the same chance."""
        long = self._long(frames)
        names = [
            long[index]
            for index in torch.randint(len(long), (size,), generator=randomness).tolist()
        ]
        return [self._random(name, frames, randomness) for name in names]

    def draw_spans(self, size: int, frames: int, randomness: torch.Generator) -> list[TfhpClip]:
        """One stretch each of different persons, at most as many as there are."""
        persons: dict[str, list[str]] = {}
        for name in self._long(frames):
            # Same chance for every video whatever its length, as in the published sampler.
            persons.setdefault(name.split("/")[0], []).append(name)
        chosen = [
            list(persons)[index]
            for index in torch.randperm(len(persons), generator=randomness)[:size].tolist()
        ]
        names = [
            persons[person][int(torch.randint(len(persons[person]), (1,), generator=randomness))]
            for person in chosen
        ]
        return [self._random(name, frames, randomness) for name in names]

    def statistics(self) -> tuple[Float[Tensor, "56"], Float[Tensor, "56"]]:
        """Mean and mean deviation within a clip of the motion, from the statistics file."""
        stored = self._stored_statistics()
        return torch.cat([stored["exp_mean"], stored["pose_mean"]]), torch.cat(
            [stored["exp_std"], stored["pose_std"]]
        )

    def shape_statistics(
        self,
    ) -> tuple[Float[Tensor, " coefficients"], Float[Tensor, " coefficients"]]:
        """The same of the identity coefficients."""
        stored = self._stored_statistics()
        return stored["shape_mean"], stored["shape_std"]

    def _stored_statistics(self) -> dict[str, Tensor]:
        sizes = {"exp": 50, "pose": 6, "shape": 100}
        try:
            stored = read_arrays(self._statistics)
            arrays = {
                f"{n}_{k}": torch.from_numpy(stored[f"{n}_{k}"].astype(np.float32))
                for n in sizes
                for k in ("mean", "std")
            }
        except (ValueError, KeyError) as error:
            raise AssetError(
                f"{self._statistics} cannot be read as the statistics of the data base: {error}"
            ) from error
        for key, value in arrays.items():
            if value.shape != (sizes[key.split("_")[0]],):
                raise AssetError(
                    f"{self._statistics}: {key} has {tuple(value.shape)} numbers instead of"
                    f" {sizes[key.split('_')[0]]}"
                )
        return arrays

    def _long(self, frames: int) -> list[str]:
        long = [name for name in self.names if self.frames[name] >= frames]
        if not long:
            raise InputError(
                f"no video of the split has {frames} frames; the longest has"
                f" {max(self.frames.values(), default=0)}"
            )
        return long

    def _random(self, name: str, frames: int, randomness: torch.Generator) -> TfhpClip:
        start = int(torch.randint(self.frames[name] - frames + 1, (1,), generator=randomness))
        return self.clip(name, start, frames)

    def _count(self, key: str, name: str) -> int:
        entry = self._value(key)
        count = entry.get(name) if isinstance(entry, dict) else None
        # 2^31: a count beyond it is damage, not data.
        if not isinstance(count, int | float) or not 1 <= count < 1 << 31:
            raise AssetError(f"the entry {key!r} of the data base has no number {name!r}")
        return int(count)

    def _value(self, key: str) -> Any:
        lmdb = require("lmdb", "tfhp")
        try:
            with self._store.begin() as transaction:
                content = transaction.get(key.encode())
        except lmdb.Error as error:
            raise AssetError(f"the entry {key[:80]!r} cannot be read: {error}") from error
        if content is None:
            raise AssetError(f"the data base lacks the entry {key!r}")
        return read_inert(content)


def _joined(parts: list[np.ndarray], offset: int, frames: int) -> Float[Tensor, "frames numbers"]:
    return torch.from_numpy(np.concatenate(parts)[offset : offset + frames].astype(np.float32))


def _sound(data: bytes, name: str) -> np.ndarray:
    try:
        samples, rate = soundfile.read(io.BytesIO(data), dtype="float32")
    except (soundfile.LibsndfileError, TypeError) as error:
        raise AssetError(f"a sound of {name} is damaged: {error}") from error
    if rate != 16000 or samples.ndim != 1:
        raise AssetError(
            f"a sound of {name} has {rate} Hz and {samples.ndim} axes instead of 16000 Hz mono"
        )
    return samples
