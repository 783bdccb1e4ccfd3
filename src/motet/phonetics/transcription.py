"""Timed phones of an English recording: from its text, by speech recognition, by a phone loop.

All results are in the inventory of `motet.phonetics.phones`. `motet.phonetics.recognition` works in
any language.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from motet.errors import InputError, require
from motet.phonetics.alignment import Aligner, AlignmentFailed, Phone, PhoneLoop, UnknownWords
from motet.phonetics.phones import ARPABET, PhoneSpan, phones_of_ipa, spans
from motet.phonetics.pronunciation import cmu_phones, pronounce
from motet.types import Audio

MIN_ENGLISH_FRACTION = 0.36
"""Fraction of the phones, in recognised words of three phones and more, that must belong to words
of the dictionary. Measured: English of seven people 0.41 to 1.0 (one sentence of six short words
0.23), Spanish, Italian, French and Russian 0 to 0.31."""


class NotEnglish(InputError):
    """Speech of another language."""


@functools.cache
def _aligner() -> Aligner:
    return Aligner()


@functools.cache
def _loop() -> PhoneLoop:
    return PhoneLoop()


@functools.cache
def _recogniser() -> Any:
    return require("hama").ASRModel()


def phones_of_text(audio: Audio, text: str) -> tuple[tuple[PhoneSpan, ...], tuple[str, ...]]:
    """Phones of an English text by forced alignment.

    Returns:
        The phones, and the words whose pronunciation was predicted from their letters.

    Raises:
        MissingDependency: pocketsphinx or hama is not installed.
        AlignmentFailed: text and sound do not go together.
        InputError: no pronunciation could be predicted for a word.
    """
    try:
        return to_spans(_aligner().align(audio, text)), ()
    except UnknownWords as unknown:
        predicted = {word: pronounce(word) for word in unknown.words}
        return to_spans(_aligner().align(audio, text, predicted)), unknown.words


def phones_of_english(audio: Audio) -> tuple[PhoneSpan, ...]:
    """Phones of English speech without a text: speech recognition, then forced alignment.

    The recogniser's own times are late and irregular: 72 % of the boundaries within 40 ms, 96 %
    after alignment.

    Raises:
        MissingDependency: pocketsphinx or hama is not installed.
        NotEnglish: what was recognised is not made of English words.
        AlignmentFailed: nothing was recognised, or it does not fit.
    """
    sound = np.ascontiguousarray(audio.samples.reshape(-1).numpy(), np.float32)
    recognised = _recogniser().transcribe_waveform(sound, audio.sample_rate).word_phoneme_text
    words = [
        cmu_phones(symbol for part in word.split() for symbol in phones_of_ipa(part))
        for word in recognised.split("|")
    ]
    words = [word for word in words if word]
    if not words:
        raise AlignmentFailed("no phones were recognised in the sound")
    english = _english_fraction(words)
    if english < MIN_ENGLISH_FRACTION:
        raise NotEnglish(
            f"the sound is probably not English (only {100 * english:.0f} % of what was recognised"
            " is made of English words)"
        )
    # Each recognised word enters the aligner's dictionary under a made-up spelling.
    spelling = {word: _made_up_spelling(word) for word in words}
    pronunciations = {name: word for word, name in spelling.items()}
    text = " ".join(spelling[word] for word in words)
    return to_spans(_aligner().align(audio, text, pronunciations))


def _made_up_spelling(phones: str) -> str:
    return f"hypothesis{'abcdefghij'[len(phones) % 10]}{'x'.join(phones.lower().split())}"


def _english_fraction(words: Iterable[str]) -> float:
    """Fraction of phones in words of the dictionary, over words of three phones and more."""
    sizes = [(len(word.split()), word in _pronunciations()) for word in words]
    total = sum(size for size, _ in sizes if size >= 3)
    return sum(size for size, known in sizes if known and size >= 3) / total if total else 0.0


@functools.cache
def _pronunciations() -> frozenset[str]:
    """All pronunciations of the CMU dictionary."""
    path = Path(require("pocketsphinx").get_model_path()) / "en-us" / "cmudict-en-us.dict"
    return frozenset(
        line.partition(" ")[2].strip() for line in path.read_text(encoding="utf-8").splitlines()
    )


def phones_of_loop(audio: Audio) -> tuple[PhoneSpan, ...]:
    """Phones by pocketsphinx's phone loop.

    Every second label is wrong, but nine of ten boundaries lie within 40 ms.

    Raises:
        MissingDependency: pocketsphinx or hama is not installed.
    """
    return to_spans(_loop().recognise(audio))


def to_spans(phones: Iterable[Phone]) -> tuple[PhoneSpan, ...]:
    """CMU phones as phones of the inventory."""
    return spans(((phone.start_s, phone.end_s, phone.label) for phone in phones), ARPABET)
