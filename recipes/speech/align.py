"""Phone times by forced alignment of known words (pocketsphinx, optional package)."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from motet.data.speech.utterance import SPEECH_RATE_HZ
from motet.errors import require
from motet.phonetics import phones

_MARGIN_S = 0.3
"""Exact zeros at both ends; without them a few per cent of the utterances fail to align."""

_UNUSED_LABELS = ("AX", "EM", "EN", "DX")
_RELATIVES: Mapping[str, str] = {
    **{
        parts[0]: label
        for label, parts in phones.ARPABET.items()
        if len(parts) == 1 and len(label) <= 2 and label not in _UNUSED_LABELS
    },
    "a": "AA", "e": "EH", "o": "AO", "ɐ": "AH", "ə": "AH", "ɨ": "IH", "y": "UW", "ø": "ER",
    "œ": "ER", "r": "R", "ʁ": "R", "x": "HH", "ɣ": "G", "ɲ": "N Y", "ɥ": "W", "ts": "T S",
    "dz": "D Z",
}  # fmt: skip
"""The English label that is nearest to each phone."""


@functools.cache
def _decoder() -> Any:
    return require("pocketsphinx").Decoder(lm=None, samprate=SPEECH_RATE_HZ, loglevel="FATAL")


def align_english(samples: Float[np.ndarray, " time"], text: str) -> tuple[phones.PhoneSpan, ...]:
    """Timed phones of an English recording whose words are known; empty when they do not fit or a
    word is unknown.

    Raises:
        MissingDependency: pocketsphinx is not installed.
    """
    words = text.lower().split()
    if not words or any(_decoder().lookup_word(word) is None for word in words):
        return ()
    return phones.spans(
        ((a, b, name) for a, b, name in _aligned(samples, words) if name in phones.ARPABET),
        phones.ARPABET,
    )


def align_pronounced(
    samples: Float[np.ndarray, " time"], pronunciation: Sequence[str]
) -> tuple[phones.PhoneSpan, ...]:
    """Timed phones of one word or phrase of any language, from its known phones.

    The acoustic model is English: each phone is aligned as its nearest English relative, which
    finds borders about as well as in English because neighbours differ far more than relatives do.
    Empty when it does not fit.

    Raises:
        MissingDependency: pocketsphinx is not installed.
    """
    relatives = [_RELATIVES[symbol].split() for symbol in pronunciation]
    word = "x" + "".join(f"{ord(c):x}" for c in "".join(pronunciation))
    if _decoder().lookup_word(word) is None:
        _decoder().add_word(word, " ".join(name for group in relatives for name in group), True)
    result = _aligned(samples, [word])
    spoken = [
        item for item in result if phones.ARPABET.get(item[2]) not in (None, (phones.SILENCE,))
    ]
    if len(spoken) != sum(map(len, relatives)):
        return ()
    out = [
        phones.PhoneSpan(a, b, phones.SILENCE)
        for a, b, name in result
        if phones.ARPABET.get(name) == (phones.SILENCE,)
    ]
    for symbol, group in zip(pronunciation, relatives, strict=True):
        out.append(phones.PhoneSpan(spoken[0][0], spoken[len(group) - 1][1], symbol))
        spoken = spoken[len(group) :]
    return tuple(sorted(out, key=lambda span: span.start))


def _aligned(
    samples: Float[np.ndarray, " time"], words: list[str]
) -> list[tuple[float, float, str]]:
    """Start, end and label of every phone inside the sound; empty where the words do not fit."""
    decoder = _decoder()
    margin = np.zeros(int(_MARGIN_S * SPEECH_RATE_HZ), np.int16)
    pcm = np.concatenate(
        [margin, (np.clip(samples, -1, 1) * 32767).astype(np.int16), margin]
    ).tobytes()
    try:
        decoder.set_align_text(" ".join(words))
        _decode(decoder, pcm)
        if decoder.hyp() is None:
            return []
        decoder.set_alignment()
        _decode(decoder, pcm)
        result = decoder.get_alignment()
    except RuntimeError:
        return []
    if not result:
        return []
    labels = [
        (p.start / 100 - _MARGIN_S, (p.start + p.duration) / 100 - _MARGIN_S, p.name)
        for word in result
        for p in word
    ]
    seconds = len(samples) / SPEECH_RATE_HZ
    return [
        (max(0.0, a), min(seconds, b), name)
        for a, b, name in labels
        if min(seconds, b) > max(0.0, a)
    ]


def _decode(decoder: Any, pcm: bytes) -> None:
    decoder.start_utt()
    decoder.process_raw(pcm, full_utt=True)
    decoder.end_utt()
