"""Distillation targets of the phonetic encoder: Whisper's features in few dimensions, and the lip
shapes that a regression predicts from them.

For every utterance of a speech corpus: the leading principal components of the teacher's features
(each of unit variance), and the lip shape by a ridge regression fitted on the tracked GRID speaker.
The regression sees +-160 ms of non-causal features, so it predicts lips of any voice better than a
student fitted on one speaker could; it selects what the lips need of the teacher's features.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from safetensors.torch import load_file, save_file
from torch import Tensor

from motet.array_files import read_array, read_arrays
from motet.data.speech.corpus import CorpusEntry, read_audio, read_index
from motet.encoders.whisper import WhisperEncoder, steps_of_samples
from motet.errors import AssetError
from motet.types import ARKIT_SHAPES

LIP_SHAPES: tuple[str, ...] = (
    "jawOpen",
    "mouthFunnel",
    "mouthPucker",
    "mouthLowerDownLeft",
    "mouthUpperUpLeft",
    "mouthRollLower",
    "mouthRollUpper",
    "mouthSmileLeft",
    "mouthStretchLeft",
    "mouthPressLeft",
    "mouthShrugUpper",
    "mouthShrugLower",
)
LIP_CHANNELS: tuple[str, ...] = ("lip_opening", "lip_width", "lip_height", "jaw_drop", *LIP_SHAPES)
"""The lip head's channels: four distances of tracked points over the face's height, then tracker
scores."""
REACH_STEPS = (-8, -4, 0, 4, 8)
"""Teacher steps of 20 ms that the lip regression sees."""
_VIDEO_FPS = 25.0  # tracked GRID


@dataclasses.dataclass(frozen=True)
class TeacherProjection:
    """The linear maps from the teacher's features to the targets."""

    mean: Float[Tensor, " width"]
    basis: Float[Tensor, "width components"]
    """Principal directions divided by their deviation."""
    variance: Float[Tensor, "components"]
    """Variance of each component over all speech."""
    lip_weight: Float[Tensor, "window lips"]
    """From the components at `REACH_STEPS`, one after the other, and a constant 1."""

    def components(
        self, features: Float[Tensor, "steps width"]
    ) -> Float[Tensor, "steps components"]:
        """Principal components of unit variance."""
        return (features - self.mean) @ self.basis

    def lips(self, components: Float[Tensor, "steps components"]) -> Float[Tensor, "steps lips"]:
        """Lip shape, each channel of about unit variance."""
        return with_context(components, REACH_STEPS) @ self.lip_weight

    def save(self, path: Path) -> None:
        """Write as safetensors."""
        save_file({k: v.contiguous() for k, v in dataclasses.asdict(self).items()}, str(path))

    @classmethod
    def load(cls, path: Path) -> TeacherProjection:
        """Read what `save` wrote."""
        return cls(**load_file(str(path)))


def with_context(
    features: Float[Tensor, "steps channels"], reach: Sequence[int]
) -> Float[Tensor, "steps window"]:
    """Each step together with its neighbours at the given offsets (the ends repeat) and a constant
    1.
    """
    # (steps, reach)
    at = torch.arange(len(features))[:, None] + torch.tensor(list(reach))
    # (steps, reach * channels): offsets slowest, as `lip_weight` expects
    window = features[at.clamp(0, len(features) - 1)].flatten(1)
    return torch.cat([window, window.new_ones(len(window), 1)], 1)


def at_times(
    features: Float[Tensor, "steps channels"], seconds: Float[Tensor, " frames"], rate: float = 50.0
) -> Float[Tensor, "frames channels"]:
    """Linear interpolation between steps; the ends repeat."""
    position = (seconds * rate).clamp(0, len(features) - 1)
    # The last step is read as share 1 after the one before it.
    low = position.floor().long().clamp(max=max(0, len(features) - 2))
    share = (position - low).unsqueeze(-1).to(features.dtype)
    return features[low] * (1 - share) + features[(low + 1).clamp(max=len(features) - 1)] * share


def ridge(
    inputs: Float[Tensor, "rows window"], targets: Float[Tensor, "rows outputs"], penalty: float
) -> Float[Tensor, "window outputs"]:
    """Least squares with a penalty relative to the inputs' mean square; the last input (the
    constant) goes free.
    """
    # Double precision: the squared condition number of the Gram matrix is beyond float32.
    x, y = inputs.double(), targets.double()
    gram = x.T @ x
    weight = torch.full(
        (len(gram),), penalty * float(gram.diagonal()[:-1].mean()), dtype=torch.float64
    )
    # Not zero: the matrix stays positive definite for constant inputs.
    weight[-1] = 1e-6
    return torch.linalg.solve(gram + torch.diag(weight), x.T @ y).float()


def read_grid_lips(
    folder: Path,
) -> tuple[Float[Tensor, "clips frames lips"], Float[Tensor, " clips"], list[str]]:
    """The tracked lips of the GRID speaker in `LIP_CHANNELS`, where each clip's sound starts (s,
    video clock), and the names.

    Raises:
        AssetError: the folder lacks the tracked motion.
    """
    try:
        motion = read_arrays(folder / "motion.npz", ("lip", "blendshapes", "audio_start"))
        lip, shapes = (motion[key].astype(np.float32) for key in ("lip", "blendshapes"))
        start = motion["audio_start"]
        names = sorted(json.loads((folder / "words.json").read_text()))
    except (OSError, KeyError) as error:
        raise AssetError(f"{folder} is not the tracked GRID folder: {error}") from error
    index = [
        1 + ARKIT_SHAPES.index(name) for name in LIP_SHAPES
    ]  # MediaPipe puts `_neutral` first, then the alphabetical names
    return (
        torch.from_numpy(np.concatenate([lip, shapes[..., index]], -1)),
        torch.from_numpy(np.array(start, np.float32)),
        names,
    )


def write_teacher_features(corpus: Path, source: str, teacher: WhisperEncoder, out: Path) -> None:
    """Write the teacher's features of one source (fp16, utterance after utterance) to `out`."""
    sound, entries = read_audio(corpus, source), read_index(corpus, source)
    features = [teacher.features(_samples(sound, e)).half().numpy() for e in entries]
    _save(out / f"{source}.whisper.npy", np.concatenate(features))


def fit_projection(
    corpus: Path, features: Path, sources: Sequence[str], grid: Path, dims: int = 96
) -> TeacherProjection:
    """Principal components over all sources' training speech, and the lip regression on the GRID
    speaker's training clips.
    """
    pool = torch.cat([_training_rows(corpus, s, features) for s in sources])
    mean = pool.mean(0)
    # eigh gives rising variances: the last `dims` are the leading components.
    values, vectors = torch.linalg.eigh(torch.cov((pool - mean).T))
    values, vectors = values[-dims:].flip(0), vectors[:, -dims:].flip(1)
    partial = TeacherProjection(mean, vectors / values.sqrt(), values, torch.zeros(0))
    return dataclasses.replace(partial, lip_weight=_fit_lips(partial, corpus, features, grid))


def _training_rows(corpus: Path, source: str, features: Path) -> Float[Tensor, "rows channels"]:
    """Every fifth step of a source's training utterances; clips kept for testing shape nothing."""
    whisper = read_array(features / f"{source}.whisper.npy", mapped=True)
    rows = [
        whisper[first : first + count : 5]
        for entry, first, count in steps_of(read_index(corpus, source))
        if entry.split == "train"
    ]
    return torch.from_numpy(
        np.concatenate([np.zeros((0, whisper.shape[1])), *rows]).astype(np.float32)
    )


def _fit_lips(
    teaching: TeacherProjection, corpus: Path, features: Path, grid: Path
) -> Float[Tensor, "window lips"]:
    lips, start, names = read_grid_lips(grid)
    clips = [
        (names.index(entry.name), first, count)
        for entry, first, count in steps_of(read_index(corpus, "grid"))
        if entry.split == "train"
    ]
    # Shapes of a tracker have an offset a person and clip; only the movement is learnt.
    lips = lips - lips.mean(1, keepdim=True)
    # unit deviation over the training clips, as the lip head's channels
    lips = lips / lips[[clip for clip, _, _ in clips]].flatten(0, 1).std(0)
    whisper = read_array(features / "grid.whisper.npy", mapped=True)
    rows, targets = [], []
    for clip, first, count in clips:
        components = teaching.components(
            torch.from_numpy(whisper[first : first + count].astype(np.float32))
        )
        # sound clock of frame k: k / 25 minus where the clip's sound begins
        seconds = torch.arange(lips.shape[1]) / _VIDEO_FPS - start[clip]
        rows.append(at_times(with_context(components, REACH_STEPS), seconds))
        targets.append(lips[clip])
    # 0.02: ridge on inputs of unit variance
    return ridge(torch.cat(rows), torch.cat(targets), 0.02)


def write_targets(
    corpus: Path, source: str, features: Path, teaching: TeacherProjection, out: Path
) -> None:
    """Components and lips of one source (fp16) as `SOURCE.targets.npy`."""
    whisper = read_array(features / f"{source}.whisper.npy", mapped=True)
    parts = []
    for _, first, count in steps_of(read_index(corpus, source)):
        components = teaching.components(
            torch.from_numpy(whisper[first : first + count].astype(np.float32))
        )
        parts.append(torch.cat([components, teaching.lips(components)], 1).half().numpy())
    _save(out / f"{source}.targets.npy", np.concatenate(parts))


def steps_of(entries: Sequence[CorpusEntry]) -> list[tuple[CorpusEntry, int, int]]:
    """Each utterance with its first step and number of steps in the files of targets."""
    out, first = [], 0
    for entry in entries:
        # rounded half up, as the encoder itself counts
        count = steps_of_samples(entry.samples)
        out.append((entry, first, count))
        first += count
    return out


def _samples(sound: np.ndarray, entry: CorpusEntry) -> Float[Tensor, " time"]:
    return torch.from_numpy(
        sound[entry.offset : entry.offset + entry.samples].astype(np.float32) / 32767
    )


def _save(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.stem}.{os.getpid()}.npy")
    np.save(beside, values)
    beside.replace(path)
