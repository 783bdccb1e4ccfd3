"""Recordings that no training may see, with what is known of them: tracked lips, phone times.

Groups: `grid people` (five GRID speakers), `white house` (one speaker, free speech; the sound lies about 0.1 s late there),
`grid s1` (every 20th clip of the man the default weights know), all tracked with MediaPipe; `librivox` (five
public-domain sentences of free speech with phone times, inside the package, so that evaluation works anywhere).
"""

from __future__ import annotations

import dataclasses
import json
from functools import cache
from pathlib import Path

import numpy as np
import soundfile
import torch
from jaxtyping import Float
from torch import Tensor

from motet.data.alignment import Phone
from motet.errors import AssetError
from motet.types import ARKIT_SHAPES, Audio, Motion, arkit_space

_PACKAGE = Path(__file__).parent
_MAX_LAG_S = {"grid people": 0.04, "grid s1": 0.04, "white house": 0.2}
"""How far the best lag is searched: one frame, but for the clips whose own sound is late."""


@dataclasses.dataclass(frozen=True)
class Tracked:
    """What a camera saw."""

    time_s: Float[Tensor, "frames"]
    """When each frame was taken, on the clock of the sound."""
    fps: float
    opening: Float[Tensor, "frames"]
    """Inner-lip opening over the height of the face: a shape to compare with, not a length."""
    motion: Motion
    """Tracked scores over the person's rest, with the head's rotation, in the house space."""


@dataclasses.dataclass(frozen=True)
class HeldOutClip:
    """One recording."""

    name: str
    group: str
    audio: Audio
    phones: tuple[Phone, ...] = ()
    tracked: Tracked | None = None

    @property
    def max_lag_s(self) -> float:
        """How far the best lag may be searched in this clip."""
        return _MAX_LAG_S.get(self.group, 0.0)


@dataclasses.dataclass(frozen=True)
class HeldOut:
    """All recordings of one evaluation."""

    clips: tuple[HeldOutClip, ...]
    name: str
    """`complete`, or `compact` where only the recordings inside the package were found."""

    def group(self, name: str) -> list[HeldOutClip]:
        """The recordings of one group."""
        return [clip for clip in self.clips if clip.group == name]

    @property
    def groups(self) -> list[str]:
        """Names of the groups in order of appearance."""
        return list(dict.fromkeys(clip.group for clip in self.clips))


def load_held_out(folder: Path | None = None) -> HeldOut:
    """Everything under a data folder that is kept apart, or the compact set of the package when there is no folder.

    Raises:
        AssetError: the folder exists but holds neither `other_speakers` nor `grid_s1`, or a file in it is damaged.
    """
    if folder is None or not folder.exists():
        return HeldOut(_librivox(), "compact")
    parts = [part for part in ("other_speakers", "grid_s1") if (folder / part).is_dir()]
    if not parts:
        raise AssetError(f"{folder} has neither 'other_speakers' nor 'grid_s1' inside; leave --data out to use the recordings of the package")
    try:
        people = _other_speakers(folder / "other_speakers") if "other_speakers" in parts else ()
        known = _grid_s1(folder / "grid_s1") if "grid_s1" in parts else ()
    except (OSError, KeyError, ValueError, soundfile.LibsndfileError) as error:
        raise AssetError(f"the held-out recordings in {folder} cannot be read: {error}") from error
    return HeldOut((*people, *known, *_librivox()), "complete" if len(parts) == 2 else f"only {parts[0]}")


def tracked_motion(scores: Float[np.ndarray, "frames 52"], opening: Float[np.ndarray, "frames"], pose: Float[np.ndarray, "frames 4 4"], fps: float) -> Motion:
    """Raw MediaPipe scores (first one `_neutral`) and poses as motion in the house space.

    Raw scores carry offsets of up to 0.6 that belong to the person, so the mean over the fifth of the frames in which the lips
    are most closed is taken as rest and subtracted; the head is relative to its mean rotation.
    """
    closed = opening <= np.quantile(opening, 0.2)
    rest = scores[closed].mean(axis=0)
    weights = np.zeros((len(scores), len(ARKIT_SHAPES)), np.float32)
    weights[:, :-1] = np.clip(scores - rest, 0.0, 1.0)[:, 1:]
    values = np.concatenate([weights, _head(pose)], axis=1)
    return Motion(torch.from_numpy(values), arkit_space(fps))


def _head(pose: Float[np.ndarray, "frames 4 4"]) -> Float[np.ndarray, "frames 3"]:
    from scipy.spatial.transform import Rotation

    turned = Rotation.from_matrix(pose[:, :3, :3])
    return (turned * turned.mean().inv()).as_rotvec().astype(np.float32)


def _other_speakers(folder: Path) -> tuple[HeldOutClip, ...]:
    return tuple(_other_speaker(path) for path in sorted(folder.glob("*.npz")))


def _other_speaker(path: Path) -> HeldOutClip:
    with np.load(path, allow_pickle=False) as file:
        fps, start = float(file["fps"]), float(file["audio_start"])
        audio = Audio.mono(torch.from_numpy(file["audio"].astype(np.float32) / 32768.0), 16_000)
        tracked = _tracked(file["time"] - start, fps, file["lip"][:, 0], file["blend"], file["head"])
    group = "grid people" if path.stem.startswith("grid_") else "white house"
    return HeldOutClip(path.stem, group, audio, _phones(f"other_speakers/{path.stem}"), tracked)


def _grid_s1(folder: Path) -> tuple[HeldOutClip, ...]:
    with np.load(folder / "motion.npz", allow_pickle=False) as file:
        fps, names, starts = float(file["fps"]), file["names"], file["audio_start"]
        scores, poses, lips = file["blendshapes"], file["head"], file["lip"]
    clips = []
    for index in range(0, len(names), 20):
        name = str(names[index])
        time = np.arange(scores.shape[1]) / fps - starts[index]
        tracked = _tracked(time, fps, lips[index, :, 0], scores[index], poses[index])
        clips.append(HeldOutClip(name, "grid s1", _read(folder / "audio" / f"{name}.flac"), _phones(f"grid_s1/{name}"), tracked))
    return tuple(clips)


def _tracked(time: np.ndarray, fps: float, opening: np.ndarray, scores: np.ndarray, pose: np.ndarray) -> Tracked:
    opening = opening.astype(np.float64)
    motion = tracked_motion(scores.astype(np.float32), opening, pose.astype(np.float64), fps)
    return Tracked(torch.from_numpy(time.astype(np.float64)), fps, torch.from_numpy(opening), motion)


def _librivox() -> tuple[HeldOutClip, ...]:
    folder = _PACKAGE / "librivox"
    names = json.loads((folder / "sentences.json").read_text(encoding="utf-8"))
    return tuple(HeldOutClip(name, "librivox", _read(folder / f"{name}.flac"), _phones(f"librivox/{name}")) for name in names)


def _phones(name: str) -> tuple[Phone, ...]:
    return tuple(Phone(label, start, end) for label, start, end in _phone_table().get(name, ()))


@cache
def _phone_table() -> dict[str, list[tuple[str, float, float]]]:
    return json.loads((_PACKAGE / "held_out_phones.json").read_text(encoding="utf-8"))


def _read(path: Path) -> Audio:
    samples, rate = soundfile.read(path, dtype="float32")
    return Audio.mono(torch.from_numpy(samples), rate)
