"""Timed phones of a recording, whatever is known of it: with a text, with a recogniser of English, with a phone loop.

Every answer is in the inventory of `motet.phonetics.phones`. The models are English; see `motet.phonetics.recognition` for
what works in any language.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

import numpy as np

from motet.errors import require
from motet.phonetics.alignment import Aligner, AlignmentFailed, Phone, PhoneLoop, UnknownWords
from motet.phonetics.phones import ARPABET, PhoneSpan, phones_of_ipa, spans
from motet.phonetics.pronunciation import cmu_phones, pronounce
from motet.types import Audio


@functools.cache
def _aligner() -> Aligner:
    return Aligner()


@functools.cache
def _loop() -> PhoneLoop:
    return PhoneLoop()


@functools.cache
def _recogniser() -> Any:
    return require("hama", "align").ASRModel()


def phones_of_text(audio: Audio, text: str) -> tuple[tuple[PhoneSpan, ...], tuple[str, ...]]:
    """Phones of an English text laid over a recording, and the words whose pronunciation had to be guessed.

    Raises:
        MissingDependency: the extra `align` is not installed.
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

    The recogniser's own times are late and irregular (72 % of the borders within 40 ms, alignment of what it heard: 96 %).

    Raises:
        MissingDependency: the extra `align` is not installed.
        AlignmentFailed: nothing was recognised, or it does not fit.
    """
    sound = np.ascontiguousarray(audio.samples.reshape(-1).numpy(), np.float32)
    heard = _recogniser().transcribe_waveform(sound, audio.sample_rate).word_phoneme_text
    words = [cmu_phones(symbol for part in word.split() for symbol in phones_of_ipa(part)) for word in heard.split("|")]
    named = {f"hypothesis{'abcdefghij'[len(said) % 10]}{'x'.join(said.lower().split())}": said for said in dict.fromkeys(words) if said}
    back = {said: name for name, said in named.items()}
    if not named:
        raise AlignmentFailed("no phones were recognised in the sound")
    return to_spans(_aligner().align(audio, " ".join(back[said] for said in words if said), named))


def phones_of_loop(audio: Audio) -> tuple[PhoneSpan, ...]:
    """Phones by pocketsphinx's phone loop: every second name is wrong, nine of ten borders lie within 40 ms.

    Raises:
        MissingDependency: the extra `align` is not installed.
    """
    return to_spans(_loop().recognise(audio))


def to_spans(phones: Iterable[Phone]) -> tuple[PhoneSpan, ...]:
    """CMU phones as phones of the inventory."""
    return spans(((phone.start_s, phone.end_s, phone.label) for phone in phones), ARPABET)
