"""VOCASET: 12 speakers, FLAME topology (5,023 vertices, metres), 60 fps.

Models take every second frame.

Read from the original download or from FaceFormer's exchange layout; the split is that of VOCA,
FaceFormer, CodeTalker and SelfTalk.
Licence: Max Planck, non-commercial research, by registration; bring your own copy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from motet.array_files import read_array
from motet.data.readers.vertex_sequences import (
    VertexSequence,
    mono,
    read_exchange_layout,
    read_templates,
)
from motet.errors import AssetError
from motet.restricted_unpickle import read_inert
from motet.types import Audio

VERTS, FPS, STRIDE = 5023, 30.0, 2
TRAIN = (
    "FaceTalk_170728_03272_TA", "FaceTalk_170904_00128_TA", "FaceTalk_170725_00137_TA",
    "FaceTalk_170915_00223_TA",
    "FaceTalk_170811_03274_TA", "FaceTalk_170913_03279_TA", "FaceTalk_170904_03276_TA",
    "FaceTalk_170912_03278_TA",
)  # fmt: skip
"""Training speakers in the order of the one-hot styles."""
VAL = ("FaceTalk_170811_03275_TA", "FaceTalk_170908_03277_TA")
TEST = ("FaceTalk_170809_00138_TA", "FaceTalk_170731_00024_TA")


def place_of(name: str) -> tuple[str, str] | None:
    """Subject and split of `SUBJECT_sentenceNN`; None where no split takes it."""
    subject, _, sentence = name.rpartition("_")
    # 0 belongs to no split
    number = int(sentence[-2:]) if sentence[-2:].isdigit() else 0
    if subject in TRAIN and 1 <= number <= 40:
        return subject, "train"
    # Published splits: people of validation and test only in their last 20 sentences.
    if subject in VAL + TEST and 21 <= number <= 40:
        return subject, "val" if subject in VAL else "test"
    return None


def read_vocaset(folder: str | Path, split: str = "") -> Iterator[VertexSequence]:
    """Sequences at 30 frames a second, from either layout.

    Raises:
        AssetError: neither layout is there, or a file is missing or damaged.
    """
    folder = Path(folder)
    if (folder / "data_verts.npy").exists():
        return read_original(folder, split, STRIDE)
    return read_exchange_layout(folder, FPS, STRIDE, VERTS, place_of, split)


def read_original(folder: Path, wanted: str = "", stride: int = 1) -> Iterator[VertexSequence]:
    """The original download: one array of all frames, and Python 2 pickles of its index.

    Args:
        stride: frames of the download a frame.

    Raises:
        AssetError: a file is missing or damaged.
    """
    index, sounds = _values(folder / "subj_seq_to_idx.pkl"), _values(folder / "raw_audio_fixed.pkl")
    templates = read_templates(folder / "templates.pkl", VERTS)
    rows = read_array(folder / "data_verts.npy", mapped=True)
    if rows.ndim != 3 or rows.dtype.kind not in "if" or rows.shape[1:] != (VERTS, 3):
        raise AssetError(
            f"{folder / 'data_verts.npy'} has the shape {rows.shape}, expected (frames, {VERTS}, 3)"
        )
    for subject, sentence, chosen, sound in _sentences(index, sounds, len(rows), folder):
        placed = place_of(f"{subject}_{sentence}")
        if placed is None or (wanted and placed[1] != wanted):
            continue
        if subject not in templates:
            raise AssetError(f"{folder / 'templates.pkl'} has no neutral face of {subject!r}")
        yield VertexSequence(
            f"{subject}_{sentence}",
            *placed,
            np.asarray(rows[chosen[::stride]], np.float32),
            templates[subject],
            _sound(sound, folder),
            # 60 fps by the stride asked for: 30 for training, 60 for a copy
            FPS * STRIDE / stride,
        )


def _sentences(
    index: Mapping[str, Any], sounds: Mapping[str, Any], rows: int, folder: Path
) -> Iterator[tuple[str, str, list[int], Mapping[str, Any]]]:
    """Subject, sentence, rows and sound, without the few sentences that have no sound.

    Raises:
        AssetError: the index or the sounds are no tables, or a row is not there.
    """
    try:
        result = [
            # Frame numbers are the keys of a dict, whose order a pickle of Python 2 does not keep.
            (str(subject), str(sentence), [int(frames[number]) for number in sorted(frames)],
             sounds[subject][sentence])
            for subject in sorted(index)
            for sentence, frames in sorted(index[subject].items())
            if sentence in sounds.get(subject, {})
        ]  # fmt: skip
    except (AttributeError, TypeError, ValueError, KeyError, OverflowError) as error:
        raise AssetError(f"the index of {folder} is damaged: {error}; fetch it again") from error
    for subject, sentence, chosen, sound in result:
        if not chosen or not 0 <= min(chosen) <= max(chosen) < rows:
            raise AssetError(
                f"{folder / 'subj_seq_to_idx.pkl'} gives {subject} {sentence} rows that"
                f" data_verts.npy ({rows} rows) does not have; fetch both again"
            )
        yield subject, sentence, chosen, sound


def _sound(value: Mapping[str, Any], folder: Path) -> Audio:
    entry = value if isinstance(value, Mapping) else {}
    samples, rate = np.asarray(entry.get("audio")), np.asarray(entry.get("sample_rate"))
    if samples.ndim != 1 or samples.dtype.kind not in "if" or not np.isfinite(samples).all():
        raise AssetError(
            f"a sound in {folder / 'raw_audio_fixed.pkl'} has the shape {samples.shape}; fetch the"
            " file again"
        )
    if rate.ndim or rate.dtype.kind not in "iuf" or not 1000 <= rate <= 384_000:
        raise AssetError(
            f"a sound in {folder / 'raw_audio_fixed.pkl'} has the rate {rate}; fetch the file again"
        )
    # int16 and int32 to -1..1; floats are taken as they are
    scale = float(np.iinfo(samples.dtype).max) + 1 if samples.dtype.kind == "i" else 1.0
    return mono(Audio.mono(torch.from_numpy(samples.astype(np.float32) / scale), int(rate)))


def _values(path: Path) -> dict[str, Any]:
    try:
        result = read_inert(path.read_bytes())
    except OSError as error:
        raise AssetError(
            f"{path} cannot be read: {error}; the original download has four files"
        ) from error
    if not isinstance(result, dict):
        raise AssetError(f"{path} holds a {type(result).__name__} instead of a table by subject")
    return result
