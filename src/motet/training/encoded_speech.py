"""Speech of a corpus as features of Whisper's encoder, with a phone for every step, cached on disk.

Heads on the features must serve offline and stream, good and bad recordings. Every utterance is
encoded once as a whole, as it is; and some are degraded (room, microphone, noise, level) and
encoded in a mode drawn at random: as a whole, or as a stream with one of several look-aheads.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from motet.array_files import read_array
from motet.atomic_write import appearing, make_folder
from motet.data.augment import MILD, degrade
from motet.data.speech.corpus import CorpusEntry, read_audio, read_index
from motet.encoders.base import encode
from motet.encoders.whisper.encoder import WhisperAudioEncoder
from motet.encoders.whisper.network import steps_of_samples
from motet.errors import AssetError
from motet.phonetics.phones import frame_labels

EVERY: Mapping[str, int] = {"kokoro54": 2, "grid": 4, "flite": 6, "festvox_ru": 8}
"""Labelled sources, and every how many of their utterances is degraded: about a quarter of an hour
of sound each."""
LOOK_AHEADS: tuple[float | None, ...] = (None, 0.06, 0.12, 0.2, 0.3)
"""Modes of the degraded utterances: as a whole, or with so many seconds of look-ahead."""


@dataclasses.dataclass(frozen=True)
class LabelledSteps:
    """Features of one utterance with their phones."""

    entry: CorpusEntry
    features: Float[Tensor, "steps dim"]
    labels: Int[Tensor, " steps"]
    """Index of the phone; -1 where there is none."""


def encode_source(
    speech: Path, features: Path, source: str, encoder: WhisperAudioEncoder, seed: int = 0
) -> None:
    """Write the features of a source that `features` lacks: `SOURCE.whisper.npy` (all utterances,
    one after the other) and `SOURCE.degraded.npy` (every so many, for training).
    """
    make_folder(features)
    entries, sound = read_index(speech, source), read_audio(speech, source)
    whole, degraded = (features / f"{source}.{kind}.npy" for kind in ("whisper", "degraded"))
    if not whole.exists():
        clips = (_samples(sound, entry) for entry in entries)
        _write(whole, (encode(encoder, clip.unsqueeze(0))[0] for clip in clips))
    if not degraded.exists():
        modes = [encoder if s is None else encoder.streaming(s) for s in LOOK_AHEADS]
        randomness = torch.Generator().manual_seed(seed)
        _write(degraded, _degraded(sound, entries[:: EVERY[source]], modes, randomness))


def _degraded(
    sound: ndarray,
    entries: list[CorpusEntry],
    modes: list[WhisperAudioEncoder],
    randomness: torch.Generator,
) -> Iterator[Float[Tensor, "steps dim"]]:
    # The next utterance is the babble of this one; the last takes the first.
    for entry, other in zip(entries, [*entries[1:], *entries[:1]], strict=True):
        clip, babble = _samples(sound, entry), _samples(sound, other)
        # ceiling division: repeated until it covers the clip
        repeats = -(-len(clip) // len(babble))
        babble = babble.repeat(repeats)[: len(clip)]
        worse = degrade(clip.unsqueeze(0), babble.unsqueeze(0), randomness, MILD)
        mode = modes[int(torch.randint(len(modes), (), generator=randomness))]
        yield encode(mode, worse)[0]


def labelled_steps(
    speech: Path, features: Path, source: str, split: str, degraded: bool
) -> Iterator[LabelledSteps]:
    """The utterances of one split, as they are or degraded.

    Raises:
        AssetError: the features do not fit the corpus.
    """
    entries = read_index(speech, source)
    path = features / f"{source}.{'degraded' if degraded else 'whisper'}.npy"
    entries = entries[:: EVERY[source]] if degraded else entries
    values, first = read_array(path, mapped=True), 0
    if len(values) != sum(steps_of_samples(entry.samples) for entry in entries):
        raise AssetError(f"{path} does not fit the corpus; delete it and run this again")
    for entry in entries:
        steps = steps_of_samples(entry.samples)
        if entry.split == split and entry.phones:
            rows = torch.from_numpy(values[first : first + steps].astype(np.float32))
            labels = torch.tensor(frame_labels(entry.phones, steps, 50.0))
            yield LabelledSteps(entry, rows, labels)
        first += steps


def _samples(sound: ndarray, entry: CorpusEntry) -> Float[Tensor, " time"]:
    pcm = sound[entry.offset : entry.offset + entry.samples]
    return torch.from_numpy(pcm.astype(np.float32) / 32767)


def _write(path: Path, rows: Iterator[Float[Tensor, "steps dim"]]) -> None:
    values = np.concatenate([features.half().numpy() for features in rows])
    with appearing(path) as partial:
        np.save(partial, values)
