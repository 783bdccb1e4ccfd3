"""Timed phones, in motet's inventory, from the token lengths of Kokoro."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from motet.phonetics.phones import SILENCE, phones_of_ipa, spans

FRAME_S = 0.025
LAG_S = 0.06
"""The sound comes this much earlier than the sum of the lengths says.

Measured over English utterances at all speeds: starts agree with forced alignment and with the
course of the loudness after this shift, alike at the begin and the end of an utterance.
"""
_BEFORE = "ˈˌʔ "
"""Belong to the phone that follows (ʔ: the closure of a doubled consonant in Japanese)."""
_AFTER = "ːʰʲᵝ\u0303→↗↘↓"
"""Belong to the phone before."""
_OWN: Mapping[str, tuple[str, ...]] = {"ꭧ": ("tʃ",), "β": ("b",)}
_BY_LANGUAGE: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "ja": {"β": ("w",), "ɯ": ("u",)},
    "pt": {"y": ("ɪ",), "æ": ("ɐ",)},
    "hi": {"c": ("tʃ",), "ɟ": ("dʒ",)},
}
"""Letters that one language uses for another sound than motet's general table."""


def phones_of(letter: str, language: str) -> tuple[str, ...]:
    """Phones of one letter; what is no letter is silence.

    Raises:
        InputError: a letter without a phone.
    """
    own = _BY_LANGUAGE.get(language, {}).get(letter) or _OWN.get(letter)
    if own is not None:
        return own
    return phones_of_ipa(letter) if letter.isalpha() else (SILENCE,)


def timed_phones(
    letters: Sequence[str], frames: Sequence[int], language: str
) -> list[tuple[float, float, str]]:
    """Phones with start and end in seconds, without gaps.

    `frames` holds one length a letter and those of the silences at both ends.
    """
    labels: list[tuple[float, float, str]] = []
    start, end = 0.0, 0.0
    for letter, length in zip(["", *letters, ""], frames, strict=True):
        end += length * FRAME_S
        if labels and start == labels[-1][1] and _joins(labels[-1][2], letter):
            labels[-1] = (labels[-1][0], end, labels[-1][2])
        elif letter and letter in _BEFORE:
            continue
        else:
            labels.append((start, end, letter))
        start = end
    table = {letter: phones_of(letter, language) for _, _, letter in labels}
    return _shifted([(p.start, p.end, p.symbol) for p in spans(labels, table)], end)


def _joins(before: str, letter: str) -> bool:
    """Whether a letter only makes longer what is before it: a mark of length, a second silence."""
    if letter == "" or not (letter.isalpha() or letter in _BEFORE + _AFTER):
        return not before.isalpha()
    return letter in _AFTER or (letter == " " and not before.isalpha())


def _shifted(
    labels: Sequence[tuple[float, float, str]], total: float
) -> list[tuple[float, float, str]]:
    last = len(labels) - 1
    moved = [
        (round(max(0.0, a - LAG_S), 4), round(total if i == last else max(0.0, b - LAG_S), 4), s)
        for i, (a, b, s) in enumerate(labels)
    ]
    return [label for label in moved if label[1] > label[0]]
