"""Pronunciation of words that the dictionary lacks (grapheme-to-phoneme model).

The model comes with the package `hama`.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

from motet.errors import InputError, require
from motet.phonetics.phones import ARPABET, phones_of_ipa

_DIPHTHONGS = {
    ("e", "ɪ"): "EY",
    ("a", "ɪ"): "AY",
    ("a", "ʊ"): "AW",
    ("ɔ", "ɪ"): "OY",
    ("o", "ʊ"): "OW",
}
_NO_TARGET = {"SIL", "PAU", "+SPN+", "+NSN+", "AX", "AXR", "EM", "EN", "DX"}
"""Labels that another label of the same phone stands for."""
_NEAREST_CMU = {
    **{
        parts[0]: name
        for name, parts in ARPABET.items()
        if len(parts) == 1 and name not in _NO_TARGET
    },
    "a": "AA", "e": "EY", "o": "OW", "ɐ": "AH", "ə": "AH", "ɨ": "IH", "y": "UW", "ø": "ER",
    "œ": "ER", "r": "R", "ʁ": "R", "x": "HH", "ɣ": "G", "ɲ": "N Y", "ɥ": "W", "ts": "T S",
    "dz": "D Z", "sil": "",
}  # fmt: skip
"""The CMU phone (or two) nearest to each phone of the inventory."""


def cmu_phones(symbols: Iterable[str]) -> str:
    """Phones of the inventory as the nearest CMU phones, e.g. `b o ʊ t` as `B OW T`."""
    rest, phones = list(symbols), []
    while rest:
        diphthong = _DIPHTHONGS.get((rest[0], rest[1])) if len(rest) > 1 else None
        phones.append(diphthong or _NEAREST_CMU[rest[0]])
        rest = rest[2 if diphthong else 1 :]
    return " ".join(phone for phone in phones if phone)


@functools.cache
def _model() -> Any:
    return require("hama").G2PModel()


def pronounce(word: str) -> str:
    """CMU phones of an English word, predicted from its letters.

    Raises:
        MissingDependency: the package is not installed.
        InputError: the model predicts no pronunciation for these letters.
    """
    model, cause, phones = _model(), None, ""
    try:
        phones = cmu_phones(phones_of_ipa(model.predict(word).ipa))
    except Exception as error:  # compiled code without typed errors
        cause = error
    if not phones:
        raise InputError(
            f"no pronunciation could be predicted for {word!r}; give one, or write the word as it"
            " sounds"
        ) from cause
    return phones
