"""When each word of a text is spoken: by forced alignment where it works, else spread over the
voiced time by the words' lengths.

Forced alignment knows English. Words that its dictionary lacks are pronounced by their letters;
texts in other scripts, and texts that do not fit the sound, are spread.
"""

from __future__ import annotations

import dataclasses
import itertools
import logging
import re
import unicodedata
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from motet.audio import resample, to_mono
from motet.errors import InputError, MissingDependency
from motet.phonetics.alignment import SAMPLE_RATE, Aligner, Phone, UnknownWords, normalise_text
from motet.phonetics.pronunciation import pronounce
from motet.types import Audio

_LOG = logging.getLogger(__name__)
HOP_S = 0.01
BELOW_PEAK = 0.06
"""Amplitude of voiced sound, as a fraction of the recording's loud frames (-24 dB)."""
RATES = (4.0, 28.0)
"""Letters a second of voiced time between which a text can be what is spoken; English has 12 to
18."""
_DENSE = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
"""Kana, Chinese characters and Hangul: about two or three letters each, written without spaces."""


@dataclasses.dataclass(frozen=True)
class TimedWord:
    """A word as it is written, and when it is spoken."""

    start_s: float
    end_s: float
    text: str


def word_times(audio: Audio, text: str) -> list[TimedWord]:
    """Times of the written words (of single characters in scripts without spaces).

    A text that was spread, or that is too long or too short for the sound, is noted in the log.

    Raises:
        InputError: there are no words.
    """
    words = written_words(text)
    if not words:
        raise InputError(f"there are no words in {text[:40]!r}; give the text that is spoken")
    sound = resample(to_mono(audio), SAMPLE_RATE)
    voiced = _voiced(sound)
    _check_rate(words, float(voiced.sum()) * HOP_S)
    try:
        return _aligned(sound, words)
    except (InputError, MissingDependency) as error:
        _LOG.warning(
            "the words are spread over the voiced time and may be early or late by a second: %s",
            str(error).partition("; ")[0],
        )
        return _spread(words, voiced)


def written_words(text: str) -> list[str]:
    """The parts between spaces that hold a letter or digit; characters one by one in scripts that
    set no spaces.
    """
    words: list[str] = []
    for part in text.split():
        pieces = re.split(f"(?<={_DENSE.pattern})(?=\\w)", part) if _DENSE.search(part) else [part]
        words += [piece for piece in pieces if re.search(r"\w", piece)]
    return words


def joined(words: Sequence[str]) -> str:
    """Words as one line: no spaces between characters that are written without."""
    line = ""
    for word in words:
        tight = bool(line) and _DENSE.match(word) and _DENSE.search(line[-2:])
        line += word if tight or not line else f" {word}"
    return line


def _aligned(sound: Audio, words: Sequence[str]) -> list[TimedWord]:
    """Forced alignment; one written word may be several spoken ones.

    Raises:
        InputError: letters without a pronunciation, or the text does not fit the sound.
    """
    spoken = [normalise_text(_latin(word)) for word in words]
    silent = next((word for word, parts in zip(words, spoken, strict=True) if not parts), None)
    if silent is not None:
        raise InputError(f"{silent!r} has no letters of English")
    phones = aligned_phones(sound, " ".join(part for parts in spoken for part in parts))
    return _of_written(words, spoken, _groups(phones))


def aligned_phones(sound: Audio, text: str) -> list[Phone]:
    """Phones of a text by forced alignment, words outside the dictionary by their letters.

    Raises:
        InputError: letters without a pronunciation, or the text does not fit the sound.
        MissingDependency: pocketsphinx or hama is not installed.
    """
    aligner = Aligner()
    try:
        return aligner.align(sound, text)
    except UnknownWords as unknown:
        predicted = {word: pronounce(word) for word in unknown.words}
        return aligner.align(sound, text, predicted)


def _groups(phones: Sequence[Phone]) -> list[tuple[float, float, str]]:
    grouped = itertools.groupby(phones, lambda phone: phone.word)
    members = ((word, list(group)) for word, group in grouped if word)
    return [(group[0].start_s, group[-1].end_s, word) for word, group in members]


def _of_written(
    words: Sequence[str], spoken: Sequence[Sequence[str]], times: list[tuple[float, float, str]]
) -> list[TimedWord]:
    """Times of the spoken words, for the written words that they belong to.

    A word that is said twice without a pause is one group of phones; then `times` is shorter and
    both share its time.
    """
    result, k = [], 0
    for word, parts in zip(words, spoken, strict=True):
        first = min(k, len(times) - 1)
        for part in parts:
            if k < len(times) and times[k][2] == part:
                k += 1
        last = max(first, min(k, len(times)) - 1)
        result.append(TimedWord(times[first][0], times[last][1], word))
    return result


def _latin(word: str) -> str:
    """Without accents: naïve as naive."""
    plain = unicodedata.normalize("NFKD", word.replace("ß", "ss"))
    return re.sub(r"[^\x00-\x7f]", "", plain)


def _voiced(sound: Audio) -> Float[np.ndarray, " frames"]:
    """1 in frames that are nearly as loud as the loud ones; all frames of silent sound."""
    hop = round(HOP_S * SAMPLE_RATE)
    samples = sound.samples.reshape(-1).numpy()
    frames = np.resize(samples, (max(1, len(samples) // hop), hop))
    level = np.sqrt(np.mean(frames.astype(np.float64) ** 2, axis=1))
    loud = level > BELOW_PEAK * np.quantile(level, 0.95)
    return (loud if loud.any() else np.ones(len(level))).astype(np.float64)


def _letters(word: str) -> float:
    return len(re.findall(r"\w", word)) + 1.5 * len(_DENSE.findall(word))


def _check_rate(words: Sequence[str], voiced_s: float) -> None:
    rate = sum(map(_letters, words)) / max(voiced_s, HOP_S)
    if not RATES[0] <= rate <= RATES[1]:
        _LOG.warning(
            "the text has %.0f letters for each second of speech, people speak 12 to 18; check that"
            " it is what is said",
            rate,
        )


def _spread(words: Sequence[str], voiced: Float[np.ndarray, " frames"]) -> list[TimedWord]:
    """Each word takes voiced time in proportion to its letters."""
    share = np.cumsum([0.0, *map(_letters, words)])
    share /= share[-1]
    elapsed = np.concatenate([[0.0], np.cumsum(voiced)])
    # A word ends where its share of the voiced time is reached, and begins where that continues.
    position = np.round(share * elapsed[-1])
    ends = np.searchsorted(elapsed, position - 1e-9, side="left") * HOP_S
    starts = (np.searchsorted(elapsed, position + 1e-9, side="right") - 1) * HOP_S
    return [
        TimedWord(float(starts[k]), float(max(ends[k + 1], starts[k] + HOP_S)), word)
        for k, word in enumerate(words)
    ]
