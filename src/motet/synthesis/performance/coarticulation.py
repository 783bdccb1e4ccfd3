"""Mouth shapes from timed phones: targets blended by dominance functions.

Every phone pulls each group of mouth shapes towards its target with a strength that falls off
exponentially before and after the phone; what is seen is the mean of all targets weighted by their
dominance at that moment. A strong neighbour therefore colours a weak phone, and short phones fall
short of their targets, as in real speech.

Source: Cohen & Massaro 1993; the asymmetric fall-off and the flat core over the phone are ours.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from motet.face.lip_shapes import SOLVED
from motet.phonetics.phones import INDEX, PHONES, SYMBOLS, PhoneSpan

GROUPS = ("opening", "rounding", "pressing")
"""Shapes that move together and so share their dominance."""
_ROUNDING = ("mouthFunnel", "mouthPucker", "mouthStretch", "mouthDimple", "mouthSmile")
_PRESSING = ("mouthRollLower", "mouthRollUpper", "mouthPress", "mouthShrugLower", "mouthFrown")
GROUP_OF = np.array([1 if n in _ROUNDING else 2 if n in _PRESSING else 0 for n in SOLVED])
_EDGE_S = 0.08
"""A long phone keeps its target until so long before its border."""


@dataclasses.dataclass(frozen=True)
class DominanceModel:
    """Targets and dominance of every phone of the inventory."""

    targets: Float[ndarray, "phones shapes"]
    """Weights of the shapes `motet.face.lip_shapes.SOLVED`."""
    strength: Float[ndarray, "phones groups"]
    before_s: Float[ndarray, "phones groups"]
    """Fall-off towards the past: how early the phone begins to show."""
    after_s: Float[ndarray, "phones groups"]
    """Fall-off towards the future: how long it lingers."""

    def __call__(
        self, phones: Sequence[PhoneSpan], times: Float[ndarray, "frames"]
    ) -> Float[ndarray, "frames shapes"]:
        """Weights at these times; rest where there are no phones at all."""
        values = np.zeros((len(times), len(SOLVED)))
        starts = np.array([p.start for p in phones])
        ends = np.array([p.end for p in phones])
        # Beyond 1.5 s nothing is left of any dominance, so each stretch of frames needs only the
        # phones around it.
        for first in range(0, len(times), 100):
            t = times[first : first + 100]
            near = (
                np.flatnonzero((ends > t[0] - 1.5) & (starts < t[-1] + 1.5)) if len(phones) else []
            )
            if len(near):
                index = np.array([INDEX[phones[k].symbol] for k in near])
                values[first : first + 100] = self._blend(index, starts[near], ends[near], t)
        return values

    def _blend(self, index: ndarray, start: ndarray, end: ndarray, t: ndarray) -> ndarray:
        centre, half = (start + end) / 2, (end - start) / 2
        away = t[:, None] - centre
        outside = np.maximum(np.abs(away) - np.maximum(half / 2, half - _EDGE_S), 0.0)
        values = np.empty((len(t), len(SOLVED)))
        for group in range(len(GROUPS)):
            reach = np.where(away < 0, self.before_s[index, group], self.after_s[index, group])
            # Shifted by the largest exponent: far from every phone the nearest one still decides.
            exponent = np.log(self.strength[index, group]) - outside / reach
            share = np.exp(exponent - exponent.max(axis=1, keepdims=True))
            columns = group == GROUP_OF
            values[:, columns] = (
                share @ self.targets[index][:, columns] / share.sum(axis=1, keepdims=True)
            )
        return values


# Mouth shapes of the classical visemes on the house figure, for phones that the fitted recordings
# do not contain.
VISEMES: dict[str, dict[str, float]] = {
    "rounded": {"mouthPucker": 0.55, "mouthFunnel": 0.18, "jawOpen": 0.06},
    "half rounded": {"mouthPucker": 0.30, "mouthFunnel": 0.25, "jawOpen": 0.16},
    "hushing": {
        "mouthFunnel": 0.35,
        "mouthPucker": 0.18,
        "mouthLowerDown": 0.22,
        "mouthUpperUp": 0.10,
        "jawOpen": 0.06,
    },
    "hissing": {"mouthLowerDown": 0.22, "mouthStretch": 0.12, "jawOpen": 0.05, "mouthClose": 0.01},
    "labiodental": {
        "mouthRollLower": 0.45,
        "mouthUpperUp": 0.18,
        "jawOpen": 0.07,
        "mouthDimple": 0.06,
    },
    "bilabial": {
        "mouthPress": 0.22,
        "mouthRollUpper": 0.10,
        "mouthRollLower": 0.14,
        "jawOpen": 0.06,
        "mouthClose": 0.06,
    },
}
_BORROWED: dict[str, tuple[tuple[str, float], ...]] = {
    "m": (("b", 0.6), ("p", 0.4)),
    "tʃ": (("dʒ", 1.0),),
    "ŋ": (("n", 0.5), ("ɡ", 0.5)),
    "ɲ": (("n", 0.6), ("j", 0.4)),
    "x": (("k", 0.6), ("h", 0.4)),
    "ɣ": (("ɡ", 1.0),),
    "ʁ": (("ɡ", 0.5), ("h", 0.5)),
    "ts": (("s", 0.7), ("t", 0.3)),
    "dz": (("z", 0.7), ("d", 0.3)),
    "r": (("l", 0.6), ("d", 0.4)),
    "ɨ": (("ɪ", 1.0),),
    "ɐ": (("ʌ", 1.0),),
    "ə": (("ʌ", 0.5), ("ɪ", 0.5)),
    "ɝ": (("ɹ", 0.5), ("ʌ", 0.5)),
    "ɥ": (("w", 0.7), ("j", 0.3)),
    "y": (("u", 0.7), ("i", 0.3)),
    "ø": (("o", 0.6), ("ɛ", 0.4)),
    "œ": (("ɔ", 0.5), ("ɛ", 0.5)),
    "ʃ": (("dʒ", 0.7), ("s", 0.3)),
    "ʒ": (("dʒ", 0.8), ("z", 0.2)),
    "ɑ": (("a", 1.0),),
}


def viseme_of(symbol: str) -> str | None:
    """The classical viseme that corrects a phone's fitted shape; None where the fit stands
    alone.
    """
    phone = PHONES[symbol]
    if phone.is_closure:
        return "bilabial"
    if phone.is_labiodental:
        return "labiodental"
    if phone.rounding >= 0.8:
        return "rounded"
    if phone.is_vowel and phone.rounding >= 0.4:
        return "half rounded"
    if phone.place == "postalveolar":
        return "hushing"
    return "hissing" if symbol in ("s", "z", "ts", "dz") else None


def completed(
    model: DominanceModel,
    seen: Float[ndarray, "phones"],
    enough: float = 25.0,
    visemes: float = 0.35,
) -> DominanceModel:
    """Give every phone of the inventory a shape: rare ones borrow from their articulatory
    neighbours, then visemes sharpen.

    Args:
        seen: how often each phone occurred in the fitted recordings.
        enough: occurrences at which a phone counts half on its own.
        visemes: share of the classical viseme where a phone has one (the tracked man hardly
            protrudes his lips).
    """
    parts = {f.name: getattr(model, f.name).copy() for f in dataclasses.fields(model)}
    for symbol, sources in _BORROWED.items():
        row = INDEX[symbol]
        own = seen[row] / (seen[row] + enough)
        for name, table in parts.items():
            borrowed = sum(share * getattr(model, name)[INDEX[source]] for source, share in sources)
            table[row] = own * getattr(model, name)[row] + (1 - own) * borrowed
    for symbol in SYMBOLS:
        viseme = viseme_of(symbol)
        if viseme is not None:
            shape = np.array([VISEMES[viseme].get(n, 0.0) for n in SOLVED])
            parts["targets"][INDEX[symbol]] = (1 - visemes) * parts["targets"][
                INDEX[symbol]
            ] + visemes * shape
    return DominanceModel(**parts)
