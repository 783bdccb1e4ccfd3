"""Utterances of the speech corpus with their sound and Whisper features."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray

from motet.data.speech.corpus import CorpusEntry, read_audio, read_index
from motet.encoders.whisper import WhisperEncoder
from motet.phonetics.phones import PhoneSpan
from motet.synthesis.performance.acoustics import FEATURE_RATE_HZ
from motet.synthesis.whisper_weights import load_whisper_encoder

_STEP = 16_000 // FEATURE_RATE_HZ


@dataclasses.dataclass(frozen=True)
class SpeechFolders:
    """Where speech, its features and the encoder's weights lie."""

    speech: Path
    """Speech corpus, as `python -m recipes.speech_corpus` builds it."""
    features: Path | None = None
    """Whisper features of that speech as `SOURCE.whisper.npy` (`motet train phonetic` writes
    them); computed where there are none."""
    whisper: Path | None = None
    """Whisper weights; the installed package when left out."""


@dataclasses.dataclass(frozen=True)
class SpeechExample:
    """One utterance of the corpus."""

    entry: CorpusEntry
    sound: Float[ndarray, " time"]
    features: Float[ndarray, "steps features"]

    @property
    def phones(self) -> tuple[PhoneSpan, ...]:
        """Labelled phones; empty where there are none."""
        return self.entry.phones


def speech_examples(folders: SpeechFolders, source: str) -> Iterator[SpeechExample]:
    """All utterances of one source.

    Raises:
        AssetError: the source is not in the corpus, or Whisper's weights are missing.
    """
    sounds = read_audio(folders.speech, source)
    table = folders.features / f"{source}.whisper.npy" if folders.features else None
    stored = np.load(table, mmap_mode="r") if table and table.exists() else None
    encoder = load_whisper_encoder(folders.whisper) if stored is None else None
    row = 0
    for entry in read_index(folders.speech, source):
        pcm = sounds[entry.offset : entry.offset + entry.samples]
        sound = np.asarray(pcm, np.float32) / 32768.0
        steps = max(1, (2 * entry.samples + _STEP) // (2 * _STEP))
        if stored is not None:
            features = np.asarray(stored[row : row + steps], np.float32)
        else:
            features = _computed(encoder, sound)
        row += steps
        yield SpeechExample(entry, sound, features)


def _computed(encoder: WhisperEncoder | None, sound: ndarray) -> ndarray:
    assert encoder is not None
    return encoder.features(torch.from_numpy(sound)).numpy()
