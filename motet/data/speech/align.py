"""Phone times by forced alignment of a known English text (pocketsphinx, optional package)."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from jaxtyping import Float

from motet.data import phones
from motet.data.speech.utterance import SPEECH_RATE_HZ
from motet.errors import require

_MARGIN_S = 0.3
"""Exact zeros at both ends; without them a few per cent of the utterances fail to align."""


@functools.cache
def _decoder() -> Any:
    return require("pocketsphinx", "align").Decoder(lm=None, samprate=SPEECH_RATE_HZ, loglevel="FATAL")


def align_english(samples: Float[np.ndarray, "time"], text: str) -> tuple[phones.PhoneSpan, ...]:
    """Timed phones of an English recording whose words are known; empty when they do not fit or a word is unknown.

    Raises:
        MissingDependency: pocketsphinx is not installed.
    """
    decoder, words = _decoder(), text.lower().split()
    if not words or any(decoder.lookup_word(word) is None for word in words):
        return ()
    margin = np.zeros(int(_MARGIN_S * SPEECH_RATE_HZ), np.int16)
    pcm = np.concatenate([margin, (np.clip(samples, -1, 1) * 32767).astype(np.int16), margin]).tobytes()
    try:
        decoder.set_align_text(" ".join(words))
        if not _decode(decoder, pcm) or decoder.hyp() is None:
            return ()
        decoder.set_alignment()
        found = _decode(decoder, pcm) and decoder.get_alignment()
    except RuntimeError:
        return ()
    if not found:
        return ()
    labels = [(p.start / 100 - _MARGIN_S, (p.start + p.duration) / 100 - _MARGIN_S, p.name) for word in found for p in word]
    seconds = len(samples) / SPEECH_RATE_HZ
    inside = [(max(0.0, a), min(seconds, b), name) for a, b, name in labels if name in phones.ARPABET]
    return phones.spans(inside, phones.ARPABET)


def _decode(decoder: Any, pcm: bytes) -> bool:
    decoder.start_utt()
    decoder.process_raw(pcm, full_utt=True)
    decoder.end_utt()
    return True
