"""Width, protrusion and upper lip of every phone, blended over time.

The tracked man of the fit hardly spreads, protrudes or lifts his lips, so these three courses come
from phonetics instead: spread front vowels, rounded back vowels and glides, an upper lip that
clears the teeth at open front vowels and hissing sounds. On people nobody tuned on, with recognised
phones, the width correlates better than the fitted one (GRID / web / White House 0.75 / 0.52 / 0.68
against 0.53 / 0.36 / 0.58).

The blend is that of `coarticulation`, with one fall-off for all phones and more dominance for those
whose lips are the articulation itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from motet.phonetics.phones import PHONES, PhoneSpan
from motet.synthesis.performance.coarticulation import CORE_EDGE_S

COURSES = ("width", "protrusion", "upper_lip")
BEFORE_S, AFTER_S = 0.09, 0.08
"""Fall-off of a phone's dominance towards the past and the future."""

# -1 narrowest (w) to 1 widest (i); closures and neutral phones keep the mouth's own width.
_WIDTH = {
    "i": 1.0, "ɪ": 0.6, "e": 0.8, "ɛ": 0.6, "æ": 0.7, "j": 0.8, "ɨ": 0.4, "ɲ": 0.5, "a": 0.2,
    "ʌ": 0.1, "ɐ": 0.1, "ə": 0.1, "s": 0.6, "z": 0.6, "ts": 0.5, "dz": 0.5, "t": 0.35, "d": 0.35,
    "n": 0.3, "k": 0.25, "ɡ": 0.25, "ŋ": 0.2, "θ": 0.3, "ð": 0.3, "f": 0.3, "v": 0.3, "h": 0.2,
    "x": 0.2, "l": 0.2, "u": -1.0, "w": -1.3, "ʊ": -0.6, "o": -1.0, "ɔ": -0.7, "ɹ": -0.6,
    "ɝ": -0.6, "ʃ": -0.6, "ʒ": -0.6, "tʃ": -0.5, "dʒ": -0.5, "y": -0.9, "ø": -0.7, "œ": -0.5,
    "ɥ": -1.0,
}  # fmt: skip
# 0 lips on the teeth to 1 fully protruded.
_PROTRUSION = {
    "u": 1.0, "w": 1.1, "o": 0.8, "ʊ": 0.6, "ɔ": 0.5, "y": 0.9, "ø": 0.7, "œ": 0.5, "ɥ": 1.0,
    "ʃ": 0.55, "ʒ": 0.55, "tʃ": 0.5, "dʒ": 0.5, "ɹ": 0.4, "ɝ": 0.4,
}  # fmt: skip
# 0 at rest to 1 as far as speech lifts it.
_UPPER_LIP = {
    "æ": 1.0, "ɛ": 0.8, "e": 0.8, "i": 0.7, "ɪ": 0.6, "a": 0.6, "ʌ": 0.5, "ɐ": 0.5, "ɨ": 0.5,
    "ɑ": 0.4, "ə": 0.35, "ɔ": 0.2, "œ": 0.3, "s": 0.9, "z": 0.9, "ts": 0.8, "dz": 0.8, "ʃ": 0.8,
    "ʒ": 0.8, "tʃ": 0.75, "dʒ": 0.75, "f": 0.7, "v": 0.7, "θ": 0.5, "ð": 0.5, "j": 0.55, "t": 0.5,
    "d": 0.5, "n": 0.45, "ɲ": 0.5, "k": 0.4, "ɡ": 0.4, "ŋ": 0.35, "l": 0.45, "x": 0.4, "h": 0.35,
    "ɹ": 0.25, "ɝ": 0.25, "r": 0.35, "ʁ": 0.3,
}  # fmt: skip
_DOMINANCE = {
    "w": 2.5, "ɥ": 2.2, "u": 1.6, "o": 1.6, "y": 1.6, "ʃ": 1.5, "ʒ": 1.5, "i": 1.4,
}  # fmt: skip
_TABLE = {
    symbol: (
        _WIDTH.get(symbol, 0.0),
        _PROTRUSION.get(symbol, 0.0),
        _UPPER_LIP.get(symbol, 0.0),
    )
    for symbol in PHONES
}


def articulation(
    phones: Sequence[PhoneSpan], times: Float[ndarray, " frames"]
) -> Float[ndarray, "frames 3"]:
    """The courses of `COURSES` at these times; 0 where there are no phones at all."""
    values = np.zeros((len(times), len(COURSES)))
    starts, ends = np.array([p.start for p in phones]), np.array([p.end for p in phones])
    # Beyond 1.5 s nothing is left of a dominance: each stretch needs only the phones around it.
    for first in range(0, len(times), 100):
        t = times[first : first + 100]
        near = np.flatnonzero((ends > t[0] - 1.5) & (starts < t[-1] + 1.5)) if len(phones) else []
        if len(near):
            chosen = [phones[k].symbol for k in near]
            values[first : first + 100] = _blend(chosen, starts[near], ends[near], t)
    return values


def _blend(symbols: list[str], start: ndarray, end: ndarray, t: ndarray) -> ndarray:
    half, away = (end - start) / 2, t[:, None] - (start + end) / 2
    # (frames, phones): seconds outside the core of each phone.
    outside = np.maximum(np.abs(away) - np.maximum(half / 2, half - CORE_EDGE_S), 0.0)
    strength = np.array([_DOMINANCE.get(symbol, 1.0) for symbol in symbols])
    # log(strength) - outside / fall-off: the logarithm of the dominance
    exponent = np.log(strength) - outside / np.where(away < 0, BEFORE_S, AFTER_S)
    share = np.exp(exponent - exponent.max(axis=1, keepdims=True))
    return share @ np.array([_TABLE[symbol] for symbol in symbols]) / share.sum(1, keepdims=True)
