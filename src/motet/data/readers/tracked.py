"""Readers of recordings tracked elsewhere: GRID s1, FACEGOOD, other speakers.

Each reads the folder as it was handed over (see the README in each) and gives recordings in the
house space at 25 fps.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from numpy import ndarray

from motet.array_files import read_arrays
from motet.data.clip import Interval, Recording, RecordingFacts
from motet.data.tracker_scores import Neutral, clean_weights, head_rotation, neutral_of
from motet.errors import AssetError
from motet.types import ARKIT_SHAPES, Audio, Motion, arkit_space

GRID_CREDIT = (
    "GRID audiovisual sentence corpus, speaker s1: Cooke, Barker, Cunningham, Shao (2006), CC"
    " BY 4.0"
)
OTHER_SPEAKERS = {
    "grid": ("CC-BY-4.0", "GRID audiovisual sentence corpus (Cooke et al. 2006), CC BY 4.0"),
    "wh": ("public domain", "White House weekly address (public domain)"),
    "web": ("not stated; measuring only", "recordings of public speech, rights not stated"),
}
"""Licence and credit by the prefix of a file's name."""
FACEGOOD_CREDIT = "FACEGOOD-Audio2Face training takes, Copyright FACEGOOD, MIT licence"
FPS = 25.0
_BROWS = [
    i
    for i, n in enumerate(ARKIT_SHAPES)
    if n in ("browInnerUp", "browOuterUpLeft", "browOuterUpRight")
]
GRID_LAG_S = 0.0
"""Seconds by which the sound of GRID s1 lies behind the picture (measured: see
docs/guides/own_data.md)."""

# FACEGOOD's channels behind each house shape and their weights; several are joined by their
# maximum, then the extra ones added.
_FACEGOOD: dict[str, tuple[str, ...]] = {
    "jawOpen": ("mouth_stretch_c",),
    "mouthFunnel": ("mouth_funnel_dl", "mouth_funnel_dr", "mouth_funnel_ul", "mouth_funnel_ur"),
    "mouthPucker": ("mouth_pucker_l", "mouth_pucker_r"),
    "mouthLowerDownLeft": ("mouth_lowerLipDepress_l",),
    "mouthLowerDownRight": ("mouth_lowerLipDepress_r",),
    "mouthUpperUpLeft": ("mouth_upperLipRaise_l",),
    "mouthUpperUpRight": ("mouth_upperLipRaise_r",),
    "mouthSmileLeft": ("mouth_lipCornerPull_l",),
    "mouthSmileRight": ("mouth_lipCornerPull_r",),
    "mouthRollLower": ("mouth_suck_dl", "mouth_suck_dr"),
    "mouthRollUpper": ("mouth_suck_ul", "mouth_suck_ur"),
    "mouthPressLeft": ("mouth_press_l",),
    "mouthPressRight": ("mouth_press_r",),
    "mouthStretchLeft": ("mouth_lipStretch_l",),
    "mouthStretchRight": ("mouth_lipStretch_r",),
    "mouthShrugUpper": ("mouth_chinRaise_u",),
}
_FACEGOOD_EXTRA = {"mouthFunnel": ("mouth_oh_c", 0.5), "mouthPucker": ("mouth_oo_c", 0.5)}


def grid_split(index: int) -> str:
    """GRID s1's split: in name order every 20th clip is test, the next one validation."""
    return {0: "test", 1: "val"}.get(index % 20, "train")


def read_grid(folder: str | Path) -> Iterator[Recording]:
    """GRID speaker s1: 984 sentences of 3 s with lips, blinks, gaze and head.

    Raising brows cannot be seen at this picture size and are marked as not observed.

    Raises:
        AssetError: a file of the folder is missing.
    """
    folder = _folder(folder, "motion.npz", "words.json")
    data = read_arrays(folder / "motion.npz")
    words = json.loads((folder / "words.json").read_text(encoding="utf-8"))
    scores, lip, rotation = (
        _scores(data["blendshapes"]),
        data["lip"].astype(np.float64),
        data["head"][..., :3, :3].astype(np.float64),
    )
    # (clips, frames) where nobody speaks: the neutral face is estimated from them
    quiet = np.stack([_quiet(words[name], scores.shape[1]) for name in data["names"]])
    flat = (scores.reshape(-1, 52), lip.reshape(-1, 4), rotation.reshape(-1, 3, 3))
    neutral = neutral_of(*flat, quiet.reshape(-1))
    channels = torch.ones(55, dtype=torch.bool)
    channels[_BROWS] = False
    for index, name in enumerate(data["names"].tolist()):
        motion = _performance(scores[index], lip[index], rotation[index], neutral, FPS)
        # What was not observed is zero, not the tracker's estimate.
        motion[:, _BROWS] = 0.0
        sound = _read_sound(folder / "audio" / f"{name}.flac")
        facts = RecordingFacts(
            name=f"grid-s1-{name}",
            licence="CC-BY-4.0",
            credit=GRID_CREDIT,
            source=f"GRID s1 {name}",
            split=grid_split(index),  # type: ignore[arg-type]
            speaker="grid-s1",
            language="en",
            settings={"lag_s": GRID_LAG_S, "tracker": "MediaPipe Face Landmarker"},
            words=tuple(Interval(float(a), float(b), str(w)) for a, b, w in words[name]),
        )
        yield recording(
            facts,
            motion,
            sound,
            float(data["audio_start"][index]) - GRID_LAG_S,
            valid_channels=channels,
        )


def read_facegood(folder: str | Path) -> Iterator[Recording]:
    """FACEGOOD: five Mandarin takes; everything but the mouth is marked as not observed.

    Take 5 is the test take.

    Raises:
        AssetError: a file of the folder is missing.
    """
    folder = _folder(folder, "channel_names.json")
    channels = json.loads((folder / "channel_names.json").read_text(encoding="utf-8"))
    observed = torch.zeros(55, dtype=torch.bool)
    observed[[i for i, n in enumerate(ARKIT_SHAPES) if n.startswith(("mouth", "jaw"))]] = True
    for path in sorted(folder.glob("*.npz")):
        data = read_arrays(path)
        weights = facegood_weights(data["weights"].astype(np.float64), channels)
        # no head motion: (frames, 52 + 3)
        values = np.concatenate([weights, np.zeros((len(weights), 3))], axis=1)
        motion = Motion(torch.from_numpy(values).float(), arkit_space(float(data["fps"]))).at(FPS)
        facts = RecordingFacts(
            name=f"facegood-{path.stem}",
            licence="MIT",
            credit=FACEGOOD_CREDIT,
            source=f"FACEGOOD-Audio2Face {path.stem}",
            split="test" if path.stem.endswith("05") else "train",
            speaker="facegood",
            language="zh",
            maker="solved",
        )
        yield recording(
            facts,
            motion.values.numpy(),
            _read_sound(path.with_suffix(".flac")),
            0.0,
            valid_channels=observed,
        )


def facegood_weights(weights: ndarray, channels: list[str]) -> ndarray:
    """FACEGOOD's 116 channels as the 52 house weights.

    The two channels without a partner go by half to funnel and pucker.
    """
    position = {name: k for k, name in enumerate(channels)}
    result = np.zeros((len(weights), 52))
    for shape, sources in _FACEGOOD.items():
        result[:, ARKIT_SHAPES.index(shape)] = weights[:, [position[s] for s in sources]].max(
            axis=1
        )
    for shape, (source, share) in _FACEGOOD_EXTRA.items():
        result[:, ARKIT_SHAPES.index(shape)] += share * weights[:, position[source]]
    return np.clip(result, 0.0, 1.0)


def read_other_speakers(folder: str | Path) -> Iterator[Recording]:
    """Short clips of unseen speakers, all of the split `test`.

    Raises:
        AssetError: the folder holds no such clips.
    """
    folder = _folder(folder)
    paths = sorted(folder.glob("*.npz"))
    if not paths:
        raise AssetError(f"no tracked clips (*.npz) in {folder}")
    for path in paths:
        data = read_arrays(path)
        scores, lip, rotation = (
            _scores(data["blend"]),
            data["lip"].astype(np.float64),
            data["head"][..., :3, :3].astype(np.float64),
        )
        fps = float(data["fps"])
        values = _performance(scores, lip, rotation, neutral_of(scores, lip, rotation), fps)
        motion = Motion(torch.from_numpy(values).float(), arkit_space(fps)).at(FPS)
        origin = path.stem.partition("_")[0]
        licence, credit = OTHER_SPEAKERS.get(origin, OTHER_SPEAKERS["web"])
        facts = RecordingFacts(
            name=f"other-{path.stem}",
            licence=licence,
            credit=credit,
            source=path.stem,
            split="test",
            # All White House clips are of one speaker.
            speaker=f"other-{'wh' if origin == 'wh' else path.stem}",
            language="en",
            settings={"tracker": "MediaPipe Face Landmarker"},
        )
        yield recording(
            facts,
            motion.values.numpy(),
            data["audio"].astype(np.float32) / 32768.0,
            float(data["audio_start"]),
        )


def recording(
    facts: RecordingFacts,
    motion: ndarray,
    sound: ndarray,
    sound_start: float,
    rate: int = 16000,
    valid_channels: torch.Tensor | None = None,
) -> Recording:
    """Motion and sound on one clock: sample 0 at frame 0, both of one length."""
    # The motion sets the length; the sound is cut or filled up with silence.
    length = round(len(motion) / FPS * rate)
    first = round(-sound_start * rate)
    piece = sound[max(first, 0) :]
    # A sound that starts later is preceded by silence, an earlier one loses its beginning.
    piece = np.concatenate([np.zeros(max(-first, 0), np.float32), piece.astype(np.float32)])[
        :length
    ]
    piece = np.pad(piece, (0, length - len(piece)))
    return Recording(
        facts,
        Motion(torch.from_numpy(np.asarray(motion, np.float32)), arkit_space(FPS)),
        Audio.mono(torch.from_numpy(piece), rate),
        None,
        valid_channels,
    )


def _performance(
    scores: ndarray, lip: ndarray, rotation: ndarray, neutral: Neutral, fps: float
) -> ndarray:
    return np.concatenate(
        [clean_weights(scores, lip, neutral, fps), head_rotation(rotation, neutral.pose, fps)],
        # (frames, 52 + 3)
        axis=1,
    )


def _scores(raw: ndarray) -> ndarray:
    """The tracker's order (`_neutral`, then 51 shapes) in the house order, without tongue."""
    return np.concatenate([raw[..., 1:], np.zeros_like(raw[..., :1])], axis=-1).astype(np.float64)


def _quiet(words: list[list[Any]], frames: int) -> ndarray:
    time = np.arange(frames) / FPS
    quiet = np.zeros(frames, bool)
    for start, end, word in words:
        # The first silence only: lips begin to move up to 0.3 s before the first sound.
        if word == "sil" and start == 0.0:
            # 0.35 s before the word: lips prepare it without sound.
            quiet |= (time >= start) & (time < end - 0.35)
    return quiet


def _folder(folder: str | Path, *needed: str) -> Path:
    path = Path(folder)
    for name in needed or (".",):
        if not (path / name).exists():
            raise AssetError(
                f"{path / name} is missing; give the folder of the data set as its README"
                " describes it"
            )
    return path


def _read_sound(path: Path) -> ndarray:
    try:
        sound, rate = soundfile.read(path, dtype="float32")
    except (soundfile.LibsndfileError, OSError) as error:
        raise AssetError(f"the sound {path} is missing or damaged; restore the data set") from error
    if rate != 16000 or sound.ndim != 1:
        raise AssetError(
            f"{path} must be 16 kHz mono, it is {rate} Hz with the shape {sound.shape}"
        )
    return sound
