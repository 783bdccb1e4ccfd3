"""Timed phones of a recording, whatever is known of it: with a text, with a recogniser of English,
with a phone loop.

Every answer is in the inventory of `motet.phonetics.phones`. The models are English; see
`motet.phonetics.recognition` for what works in any language.
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

ENGLISH_SHARE = 0.36
"""Least share of the phones, in recognised words of three phones and more, that form words of the
dictionary. Measured: English of seven people 0.41 to 1.0 (one sentence of six short words 0.23),
Spanish, Italian, French and Russian 0 to 0.31."""


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
    """Phones of an English text laid over a recording, and the words whose pronunciation had to be
    guessed.

    Raises:
        MissingDependency: pocketsphinx or hama is not installed.
        AlignmentFailed: text and sound do not go together.
        InputError: a word of which no pronunciation can be guessed.
    """
    try:
        return to_spans(_aligner().align(audio, text)), ()
    except UnknownWords as unknown:
        guessed = {word: pronounce(word) for word in unknown.words}
        return to_spans(_aligner().align(audio, text, guessed)), unknown.words


def phones_of_english(audio: Audio) -> tuple[PhoneSpan, ...]:
    """Phones of English speech without a text: a recogniser says which, forced alignment when.

    The recogniser's own times are late and irregular (72 % of the borders within 40 ms, alignment
    of what it heard: 96 %).

    Raises:
        MissingDependency: pocketsphinx or hama is not installed.
        NotEnglish: what was recognised is not made of English words.
        AlignmentFailed: nothing was recognised, or it does not fit.
    """
    sound = np.ascontiguousarray(audio.samples.reshape(-1).numpy(), np.float32)
    heard = _recogniser().transcribe_waveform(sound, audio.sample_rate).word_phoneme_text
    words = [
        cmu_phones(symbol for part in word.split() for symbol in phones_of_ipa(part))
        for word in heard.split("|")
    ]
    named = {
        f"hypothesis{'abcdefghij'[len(said) % 10]}{'x'.join(said.lower().split())}": said
        for said in dict.fromkeys(words)
        if said
    }
    back = {said: name for name, said in named.items()}
    if not named:
        raise AlignmentFailed("no phones were recognised in the sound")
    share = _english_share(words)
    if share < ENGLISH_SHARE:
        raise NotEnglish(
            f"the sound is probably not English (only {100 * share:.0f} % of what was recognised is"
            " made of English words)"
        )
    return to_spans(_aligner().align(audio, " ".join(back[said] for said in words if said), named))


def _english_share(words: Iterable[str]) -> float:
    sizes = [
        (len(said.split()), said in _pronunciations()) for said in words if len(said.split()) >= 3
    ]
    total = sum(size for size, _ in sizes)
    return sum(size for size, known in sizes if known) / total if total else 0.0


@functools.cache
def _pronunciations() -> frozenset[str]:
    """All pronunciations of the CMU dictionary."""
    path = Path(require("pocketsphinx").get_model_path()) / "en-us" / "cmudict-en-us.dict"
    return frozenset(
        line.partition(" ")[2].strip() for line in path.read_text(encoding="utf-8").splitlines()
    )


def phones_of_loop(audio: Audio) -> tuple[PhoneSpan, ...]:
    """Phones by pocketsphinx's phone loop: every second name is wrong, nine of ten borders lie
    within 40 ms.

    Raises:
        MissingDependency: pocketsphinx or hama is not installed.
    """
    return to_spans(_loop().recognise(audio))


def to_spans(phones: Iterable[Phone]) -> tuple[PhoneSpan, ...]:
    """CMU phones as phones of the inventory."""
    return spans(((phone.start_s, phone.end_s, phone.label) for phone in phones), ARPABET)
