"""Phones of the sentences of a mesh data set, on which KMTalk's keys lie.

For a sentence NAME, in this order: `phones/NAME.TextGrid` (or .ctm, .json, .csv), the transcript
`text/NAME.txt`, which is aligned, and otherwise what is recognised in the sound, as in a session
without text. What was aligned or recognised is kept in `features/phones`, so it is done once.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from motet.atomic_write import make_folder, write_bytes
from motet.encoders.phonetic.encoder import PhoneticEncoder, load_phonetic
from motet.errors import InputError
from motet.phonetics.phone_source import PhoneOptions, PhonePosterior, find_phones
from motet.phonetics.phones import SILENCE, PhoneSpan
from motet.phonetics.timings import FORMATS, read_timings
from motet.types import Audio

Phone = tuple[float, float, str]


@dataclasses.dataclass(frozen=True)
class MeshPhones:
    """Phones by sentence, from the folder of a data set."""

    folder: Path

    def __call__(self, name: str, audio: Audio) -> tuple[Phone, ...]:
        """Phones of one sentence (start and end in seconds, symbol).

        Args:
            audio: one channel at 16 kHz.

        Raises:
            InputError: no way gives any: keys would lie anywhere.
        """
        for path in self._given(name):
            return _rows(read_timings(path))
        # What was found before; a text that changes later needs this file deleted.
        cache_file = self.folder / "features" / "phones" / f"{name}.json"
        if cache_file.exists():
            return _rows(read_timings(cache_file))
        text = self.folder / "text" / f"{name}.txt"
        options = PhoneOptions(text=str(text) if text.exists() else "")
        phones = find_phones(audio.samples.reshape(-1), options, posterior_of(audio))
        # Only silence: the recogniser failed or there is no speech.
        if all(span.symbol == SILENCE for span in phones.spans):
            raise InputError(
                f"no phones were found in {name} ({'; '.join(phones.notes) or 'no speech'}); give"
                f" {self.folder / 'phones' / name}.TextGrid or the transcript {text}"
            )
        rows = _rows(phones.spans)
        make_folder(cache_file.parent)
        content = [{"start": start, "end": end, "phone": phone} for start, end, phone in rows]
        write_bytes(cache_file, json.dumps(content).encode())
        return rows

    def _given(self, name: str) -> list[Path]:
        """A file of times that the user gave, whatever the case of its ending."""
        folder = self.folder / "phones"
        if not folder.is_dir():
            return []
        return sorted(p for p in folder.glob(f"{name}.*") if p.suffix.lower() in FORMATS)


def posterior_of(audio: Audio, encoder: PhoneticEncoder | None = None) -> PhonePosterior:
    """Phone probabilities of the shipped phonetic encoder."""
    encoder = encoder or load_phonetic()
    scores = encoder.phones(encoder.features(audio))
    return PhonePosterior(scores.numpy(), encoder.phone_names)


def _rows(spans: tuple[PhoneSpan, ...]) -> tuple[Phone, ...]:
    return tuple((span.start, span.end, span.symbol) for span in spans)
