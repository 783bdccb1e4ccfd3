"""Voices of a speech corpus as sounds of scenes: many people who read, not the few that ship."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soxr
from jaxtyping import Float

from motet.data.speech.corpus import built_sources, read_audio, read_index
from motet.data.speech.utterance import SPEECH_RATE_HZ
from motet.errors import InputError
from motet.synthesis.soundscape.tones import RATE

PAUSE_S = (0.15, 0.6)
"""Between two utterances."""


class VoiceLibrary:
    """Recordings of the split `train` in a speech corpus, by speaker.

    Raises:
        InputError: the folder holds no speech corpus, or none of its recordings is for training.
    """

    def __init__(self, folder: Path) -> None:
        self._sounds, self._spans = {}, {}
        for source in built_sources(folder):
            self._sounds[source] = read_audio(folder, source)
            for entry in read_index(folder, source):
                if entry.split == "train":
                    span = (source, entry.offset, entry.offset + entry.samples)
                    self._spans.setdefault(f"{source}/{entry.speaker}", []).append(span)
        self.speakers = tuple(sorted(self._spans))
        if not self.speakers:
            raise InputError(
                f"{folder} holds no speech to train on; 'python -m recipes.speech_corpus' builds a"
                " speech corpus in a checkout"
            )

    def reading(self, random: np.random.Generator, seconds: float) -> Float[np.ndarray, " time"]:
        """One speaker for so long at `RATE`, at another pace and pitch each time."""
        speaker = self.speakers[int(random.integers(len(self.speakers)))]
        spans, factor = self._spans[speaker], random.uniform(0.93, 1.08)
        parts: list[np.ndarray] = []
        missing = round(seconds * RATE)
        while missing > 0:
            source, start, stop = spans[int(random.integers(len(spans)))]
            # int16 to -1..1
            piece = self._sounds[source][start:stop].astype(np.float64) / 32768
            piece = soxr.resample(piece, SPEECH_RATE_HZ * factor, RATE)
            # silence at both ends is cut, so that pauses are those drawn here
            audible = np.flatnonzero(np.abs(piece) > 0.03 * np.abs(piece).max())
            piece = piece[audible[0] : audible[-1] + 1] if len(audible) else piece
            parts += [piece, np.zeros(int(RATE * random.uniform(*PAUSE_S)))]
            missing -= len(parts[-2]) + len(parts[-1])
        return np.concatenate(parts)[: round(seconds * RATE)]
