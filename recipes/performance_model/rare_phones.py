"""Mouth shapes of phones that the fitted recordings lack: from neighbours and classical visemes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from motet.face.lip_shapes import SOLVED
from motet.phonetics.phones import INDEX, PHONES, SYMBOLS
from motet.synthesis.performance.coarticulation import DominanceModel

VISEMES: Mapping[str, Mapping[str, float]] = {
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
"""Mouth shapes of the classical visemes on the house figure."""
_BORROWED: Mapping[str, tuple[tuple[str, float], ...]] = {
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
"""Articulatory neighbours of phones that the fitted recordings hardly contain, with weights."""


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


def with_rare_phones(
    model: DominanceModel,
    seen: Float[ndarray, " phones"],
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
