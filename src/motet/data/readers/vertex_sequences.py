"""Sequences of talking meshes: the exchange layout of VOCASET and BIWI, and training sets from it.

    FOLDER/vertices_npy/NAME.npy   (frames, 3 x vertices), row-major xyz
    FOLDER/wav/NAME.wav            its sound, any rate
    FOLDER/templates.pkl           subject -> (vertices, 3), the neutral face (read without running
    it), or templates.npz with an array a subject, as `motet data import` writes it

The data belong to their owners and are never shipped. Source: the converters that FaceFormer and
CodeTalker publish.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from motet.array_files import read_array, read_arrays
from motet.audio import read_audio, resample, to_mono
from motet.data.training_set import TrainingItem, TrainingSet
from motet.errors import AssetError, InputError
from motet.restricted_unpickle import read_inert
from motet.types import Audio, MotionSpace, Track

Split = Literal["train", "val", "test"]
RATE_HZ = 16_000


@dataclasses.dataclass(frozen=True)
class VertexSequence:
    """One sentence of one person."""

    name: str
    subject: str
    split: str
    """`train`, `val`, `test` (BIWI also `test-b`)."""
    vertices: Float[np.ndarray, "frames verts 3"]
    template: Float[np.ndarray, "verts 3"]
    audio: Audio
    """Mono, 16 kHz."""
    fps: float

    @property
    def offsets(self) -> Float[Tensor, "frames dim"]:
        """What models learn: displacements from the person's neutral face."""
        return torch.from_numpy(
            # (frames, vertices, 3) to (frames, 3 * vertices)
            np.ascontiguousarray(self.vertices - self.template, np.float32)
        ).flatten(1)


def read_exchange_layout(
    folder: str | Path,
    fps: float,
    stride: int,
    verts: int,
    place: Callable[[str], tuple[str, str] | None],
    wanted: str = "",
) -> Iterator[VertexSequence]:
    """All sequences of a folder in the exchange layout.

    Args:
        stride: rows of the files a frame (2: every second row, the first kept).
        verts: vertices of the topology; another number is an error.
        place: name of a file to (subject, split), None for files that belong to no split.
        wanted: one split only.

    Raises:
        AssetError: the layout is not there, or a file in it is damaged or of another topology.
    """
    folder = Path(folder)
    paths = sorted((folder / "vertices_npy").glob("*.npy"))
    if not paths:
        raise AssetError(
            f"{folder} has no vertices_npy/*.npy; 'motet data import' converts the data set as it"
            " is downloaded"
        )
    templates = read_templates(folder / "templates.pkl", verts)
    for path in paths:
        placed = place(path.stem)
        if placed is None or (wanted and placed[1] != wanted):
            continue
        if placed[0] not in templates:
            raise AssetError(
                f"{folder / 'templates.pkl'} has no neutral face of {placed[0]!r}, whom {path.name}"
                " shows"
            )
        vertices = _vertices(path, stride, verts)
        sound = folder / "wav" / f"{path.stem}.wav"
        if not sound.exists():
            raise AssetError(f"{sound} is missing; every sequence needs its sound")
        yield VertexSequence(
            path.stem, *placed, vertices, templates[placed[0]], mono(read_audio(sound)), fps
        )


def read_templates(path: Path, verts: int) -> Mapping[str, Float[np.ndarray, "verts 3"]]:
    """Neutral faces by subject.

    Raises:
        AssetError: not there, damaged, or of another topology.
    """
    # A folder that `motet data import` wrote has no pickle.
    if not path.exists() and path.with_suffix(".npz").exists():
        path = path.with_suffix(".npz")
    try:
        packed = path.suffix == ".npz"
        result = read_arrays(path) if packed else read_inert(path.read_bytes())
    except OSError as error:
        raise AssetError(f"{path} cannot be read: {error}") from error
    if not isinstance(result, dict) or not all(
        isinstance(t, np.ndarray) and t.shape == (verts, 3) for t in result.values()
    ):
        raise AssetError(f"{path} must hold one neutral face of ({verts}, 3) for each subject")
    return {str(name): np.asarray(template, np.float64) for name, template in result.items()}


def mono(audio: Audio) -> Audio:
    """One channel at 16 kHz."""
    return resample(to_mono(audio), RATE_HZ)


def vertex_training_set(
    sequences: Iterator[VertexSequence],
    name: str,
    encode: Callable[[Audio], Float[Tensor, "steps channels"]] | None = None,
    phones: Callable[[str, Audio], tuple[tuple[float, float, str], ...]] | None = None,
) -> TrainingSet:
    """Offsets with acoustic features, or with the sound for models that have a trunk.

    The sound is one channel at 16 kHz.

    Args:
        phones: of a sentence by its name and sound, for models whose keys lie on phones.

    Raises:
        InputError: no sequence at all.
    """
    items, fps, verts = [], 0.0, 0
    for sequence in sequences:
        motion, audio = sequence.offsets, sequence.audio
        features = audio.samples.reshape(-1, 1) if encode is None else encode(audio)
        items.append(
            TrainingItem(
                motion,
                features,
                torch.ones(motion.shape[1], dtype=torch.bool),
                sequence.subject,
                phones=() if phones is None else phones(sequence.name, audio),
                recording=sequence.name,
            )
        )
        fps, verts = sequence.fps, motion.shape[1] // 3
    if not items:
        raise InputError(
            "no sequence of that split; check that the files have the names of the data set"
        )
    return TrainingSet(
        MotionSpace(name, (Track("vertices", (verts, 3), "as in the data set"),), fps),
        items,
        # sound as features has its own rate
        50.0 if encode is not None else RATE_HZ,
    )


def _vertices(path: Path, stride: int, verts: int) -> Float[np.ndarray, "frames verts 3"]:
    rows = read_array(path, mapped=True)
    if rows.ndim != 2 or rows.dtype.kind not in "if" or rows.shape[1] != 3 * verts or not len(rows):
        raise AssetError(f"{path} has the shape {rows.shape}, expected (frames, {3 * verts})")
    chosen = np.asarray(rows[::stride], np.float32).reshape(-1, verts, 3)
    if not np.isfinite(chosen).all():
        raise AssetError(f"{path} contains values that are not finite")
    return chosen
