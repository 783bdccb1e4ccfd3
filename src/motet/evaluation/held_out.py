"""Recordings that no training may see, with what is known of them: tracked lips, phone times.

Groups: `grid people` (five GRID speakers), `white house` (one speaker, free speech; the sound lies
about 0.1 s late there), `grid s1` (every 20th clip of the man the default weights know), all
tracked with MediaPipe; `librivox` (five public-domain sentences of free speech with phone times,
inside the package, so that evaluation works anywhere).
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

from motet.array_files import read_arrays
from motet.data.readers.grid import grid_sentence
from motet.data.tracker_scores import Neutral, clean_weights, head_rotation, neutral_of
from motet.errors import AssetError
from motet.phonetics.alignment import Phone
from motet.types import Audio, Motion, arkit_space

_PACKAGE = Path(__file__).parent
_MAX_LAG_S = {"grid people": 0.04, "grid s1": 0.04, "web": 0.2, "white house": 0.2}
"""How far the best lag is searched: one frame, but for the clips whose own sound is late."""
_GROUPS = {"grid": "grid people", "web": "web", "wh": "white house"}
"""Group of another speaker by the prefix of the file's name."""


@dataclasses.dataclass(frozen=True)
class Tracked:
    """Tracked face of a recording."""

    time_s: Float[Tensor, " frames"]
    """When each frame was taken, on the clock of the sound."""
    fps: float
    opening: Float[Tensor, " frames"]
    """Inner-lip opening over the height of the face: a shape to compare with, not a length."""
    motion: Motion
    """Motion fitted to the measured lips, scores and head, in the house space."""


@dataclasses.dataclass(frozen=True)
class HeldOutClip:
    """One recording."""

    name: str
    group: str
    audio: Audio
    phones: tuple[Phone, ...] = ()
    tracked: Tracked | None = None
    text: str = ""
    """What is said, where it is known."""

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
    """All held-out recordings of a data folder; without one the package's compact set.

    Raises:
        AssetError: the folder exists but holds neither `other_speakers` nor `grid_s1`, or a file in
            it is damaged.
    """
    if folder is None or not folder.exists():
        return HeldOut(_librivox(), "compact")
    parts = [part for part in ("other_speakers", "grid_s1") if (folder / part).is_dir()]
    if not parts:
        raise AssetError(
            f"{folder} has neither 'other_speakers' nor 'grid_s1' inside; leave --data out to use"
            " the recordings of the package"
        )
    try:
        people = _other_speakers(folder / "other_speakers") if "other_speakers" in parts else ()
        known = _grid_s1(folder / "grid_s1") if "grid_s1" in parts else ()
    except (OSError, KeyError, ValueError, soundfile.LibsndfileError) as error:
        raise AssetError(f"the held-out recordings in {folder} cannot be read: {error}") from error
    return HeldOut(
        (*people, *known, *_librivox()), "complete" if len(parts) == 2 else f"only {parts[0]}"
    )


def _other_speakers(folder: Path) -> tuple[HeldOutClip, ...]:
    return tuple(_other_speaker(path) for path in sorted(folder.glob("*.npz")))


def _other_speaker(path: Path) -> HeldOutClip:
    file = read_arrays(path)
    # The house order has 52 scores; the pose is a 4 x 4 matrix, of which the rotation is taken.
    shot = _Shot(
        _house_order(file["blend"]),
        file["lip"].astype(np.float64),
        file["head"][..., :3, :3].astype(np.float64),
    )
    fps, start = float(file["fps"]), float(file["audio_start"])
    audio, time = (
        Audio.mono(torch.from_numpy(file["audio"].astype(np.float32) / 32768.0), 16_000),
        # the camera's clock to that of the sound
        file["time"] - start,
    )
    group = _GROUPS.get(path.stem.partition("_")[0], "web")
    text = grid_sentence(path.stem.removeprefix("grid_")) if group == "grid people" else ""
    return HeldOutClip(
        path.stem,
        group,
        audio,
        _phones(f"other_speakers/{path.stem}"),
        shot.tracked(shot.neutral(), time, fps),
        text,
    )


def _grid_s1(folder: Path) -> tuple[HeldOutClip, ...]:
    file = read_arrays(folder / "motion.npz")
    # Every twentieth clip is the test split of this corpus.
    fps, names, starts = float(file["fps"]), file["names"][::20], file["audio_start"][::20]
    scores, lips, poses = (
        _house_order(file["blendshapes"][::20]),
        file["lip"][::20].astype(np.float64),
        file["head"][::20, :, :3, :3].astype(np.float64),
    )
    # one rest for all clips: it is the same man
    neutral = _Shot(scores.reshape(-1, 52), lips.reshape(-1, 4), poses.reshape(-1, 3, 3)).neutral()
    clips = []
    for index, name in enumerate(map(str, names)):
        tracked = _Shot(scores[index], lips[index], poses[index]).tracked(
            neutral, np.arange(scores.shape[1]) / fps - starts[index], fps
        )
        clips.append(
            HeldOutClip(
                name,
                "grid s1",
                _read(folder / "audio" / f"{name}.flac"),
                _phones(f"grid_s1/{name}"),
                tracked,
                grid_sentence(name),
            )
        )
    return tuple(clips)


@dataclasses.dataclass(frozen=True)
class _Shot:
    """What the tracker gave for some frames of one person."""

    scores: Float[np.ndarray, "frames 52"]
    lip: Float[np.ndarray, "frames 4"]
    pose: Float[np.ndarray, "frames 3 3"]

    def neutral(self) -> Neutral:
        """The person's rest as these frames show it."""
        return neutral_of(self.scores, self.lip, self.pose)

    def tracked(self, neutral: Neutral, time: np.ndarray, fps: float) -> Tracked:
        """Measured opening, and the motion fitted to the measured lips."""
        weights, head = (
            clean_weights(self.scores, self.lip, neutral, fps),
            head_rotation(self.pose, neutral.pose, fps),
        )
        motion = Motion(
            torch.from_numpy(np.concatenate([weights, head], axis=1)).float(), arkit_space(fps)
        )
        return Tracked(
            torch.from_numpy(time.astype(np.float64)), fps, torch.from_numpy(self.lip[:, 0]), motion
        )


def _house_order(raw: np.ndarray) -> np.ndarray:
    """The tracker's order (`_neutral`, then 51 shapes) in the house order, without tongue."""
    # Both orders are alphabetical; the first score is `_neutral`, the tongue is not tracked.
    return np.concatenate([raw[..., 1:], np.zeros_like(raw[..., :1])], axis=-1).astype(np.float64)


def _librivox() -> tuple[HeldOutClip, ...]:
    folder = _PACKAGE.parent / "data" / "librivox"
    names = json.loads((folder / "sentences.json").read_text(encoding="utf-8"))
    rows = (
        (name, _read(folder / f"{name}.flac"), _phones(f"librivox/{name}"), text)
        for name, text in names.items()
    )
    return tuple(
        HeldOutClip(name, "librivox", audio, phones, None, text)
        for name, audio, phones, text in rows
    )


def _phones(name: str) -> tuple[Phone, ...]:
    return tuple(Phone(label, start, end) for label, start, end in _phone_table().get(name, ()))


@cache
def _phone_table() -> dict[str, list[tuple[str, float, float]]]:
    return json.loads((_PACKAGE / "held_out_phones.json").read_text(encoding="utf-8"))


def _read(path: Path) -> Audio:
    samples, rate = soundfile.read(path, dtype="float32")
    return Audio.mono(torch.from_numpy(samples), rate)
