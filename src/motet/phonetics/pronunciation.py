"""Pronunciation of words that the dictionary lacks: the letter-to-sound model of `hama`."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

from motet.errors import InputError, MissingDependency, require
from motet.phonetics.phones import ARPABET, phones_of_ipa

_DIPHTHONGS = {
    ("e", "ɪ"): "EY",
    ("a", "ɪ"): "AY",
    ("a", "ʊ"): "AW",
    ("ɔ", "ɪ"): "OY",
    ("o", "ʊ"): "OW",
}
_RELATIVES = {
    **{parts[0]: name for name, parts in ARPABET.items() if len(parts) == 1 and name not in ("SIL", "PAU", "+SPN+", "+NSN+", "AX", "AXR", "EM", "EN", "DX")},
    "a": "AA", "e": "EY", "o": "OW", "ɐ": "AH", "ə": "AH", "ɨ": "IH", "y": "UW", "ø": "ER", "œ": "ER", "r": "R", "ʁ": "R", "x": "HH", "ɣ": "G", "ɲ": "N Y",
    "ɥ": "W", "ts": "T S", "dz": "D Z", "sil": "",
}  # fmt: skip
"""The CMU phone (or two) nearest to each phone of the inventory."""


def cmu_phones(symbols: Iterable[str]) -> str:
    """Phones of the inventory as the nearest CMU phones, e.g. `b o ʊ t` as `B OW T`."""
    rest, out = list(symbols), []
    while rest:
        pair = _DIPHTHONGS.get((rest[0], rest[1])) if len(rest) > 1 else None
        out.append(pair or _RELATIVES[rest[0]])
        rest = rest[2 if pair else 1 :]
    return " ".join(part for part in out if part)


@functools.cache
def _model() -> Any:
    return require("hama").G2PModel()


def pronounce(word: str) -> str:
    """CMU phones of an English word by its letters.

    Raises:
        MissingDependency: the package is not installed.
        InputError: nothing can be made of these letters.
    """
    try:
        found = cmu_phones(phones_of_ipa(_model().predict(word).ipa))
    except MissingDependency:
        raise
    except Exception as error:  # the model is compiled code that raises what it likes
        raise InputError(
            f"no pronunciation could be guessed for {word!r}; give one, or write the word as it"
            " sounds"
        ) from error
    if not found:
        raise InputError(
            f"no pronunciation could be guessed for {word!r}; give one, or write the word as it"
            " sounds"
        )
    return found
