"""The phone inventory of motet, with the visible articulation of each phone.

All sources of timed speech (hand-made labels, synthesisers, forced alignment) are mapped to these
symbols, so that a model fitted on one language and voice serves all. Symbols are IPA. Length,
stress, tone and palatalisation are dropped because the lips hardly show them. Diphthongs are split
into their parts (`aɪ` is `a` then `ɪ`).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from motet.errors import InputError, nearest

Place = Literal[
    "silence",
    "bilabial",
    "labiodental",
    "dental",
    "alveolar",
    "postalveolar",
    "palatal",
    "velar",
    "glottal",
    "front",
    "central",
    "back",
]
Manner = Literal[
    "silence", "stop", "nasal", "fricative", "affricate", "approximant", "lateral", "tap", "vowel"
]


@dataclasses.dataclass(frozen=True)
class Phone:
    """A speech sound and its articulation as far as it can be seen."""

    symbol: str
    manner: Manner
    place: Place
    openness: float = 0.0
    """Height of a vowel: 0 close (i, u) to 1 open (a); 0 for consonants."""
    rounding: float = 0.0
    """Lip rounding and protrusion, 0 spread or neutral to 1 (u, w)."""
    voiced: bool = True

    @property
    def is_vowel(self) -> bool:
        """Whether it is a vowel."""
        return self.manner == "vowel"

    @property
    def is_closure(self) -> bool:
        """Whether the lips must touch: p, b, m."""
        return self.place == "bilabial" and self.manner in ("stop", "nasal")

    @property
    def is_labiodental(self) -> bool:
        """Whether the lower lip must meet the upper teeth: f, v."""
        return self.place == "labiodental"


@dataclasses.dataclass(frozen=True)
class PhoneSpan:
    """A phone with its time in a recording."""

    start: float
    """Seconds."""
    end: float
    """Seconds."""
    symbol: str


SILENCE = "sil"


def _consonants() -> Iterable[Phone]:
    table: Sequence[tuple[str, Manner, Place]] = (
        ("p b", "stop", "bilabial"),
        ("t d", "stop", "alveolar"),
        ("k ɡ", "stop", "velar"),
        ("f v", "fricative", "labiodental"),
        ("θ ð", "fricative", "dental"),
        ("s z", "fricative", "alveolar"),
        ("ʃ ʒ", "fricative", "postalveolar"),
        ("x ɣ", "fricative", "velar"),
        ("tʃ dʒ", "affricate", "postalveolar"),
        ("ts dz", "affricate", "alveolar"),
    )
    rounding = {"ʃ": 0.5, "ʒ": 0.5, "tʃ": 0.5, "dʒ": 0.5}
    for pair, manner, place in table:
        for symbol, voiced in zip(pair.split(), (False, True), strict=True):
            yield Phone(symbol, manner, place, 0.0, rounding.get(symbol, 0.0), voiced)
    yield Phone("h", "fricative", "glottal", 0.0, 0.0, False)
    for symbol, place in (("m", "bilabial"), ("n", "alveolar"), ("ɲ", "palatal"), ("ŋ", "velar")):
        yield Phone(symbol, "nasal", place)  # type: ignore[arg-type]
    yield Phone("l", "lateral", "alveolar")
    yield Phone("ɹ", "approximant", "alveolar", 0.0, 0.4)
    yield Phone("r", "tap", "alveolar")
    yield Phone("ʁ", "fricative", "velar")
    yield Phone("j", "approximant", "palatal")
    yield Phone("w", "approximant", "velar", 0.0, 1.0)
    yield Phone("ɥ", "approximant", "palatal", 0.0, 1.0)


def _vowels() -> Iterable[Phone]:
    table: Sequence[tuple[str, Place, float, float]] = (
        ("i", "front", 0.0, 0.0),
        ("y", "front", 0.0, 1.0),
        ("ɪ", "front", 0.2, 0.0),
        ("ɨ", "central", 0.1, 0.0),
        ("e", "front", 0.35, 0.0),
        ("ø", "front", 0.35, 0.8),
        ("ɛ", "front", 0.6, 0.0),
        ("œ", "front", 0.6, 0.6),
        ("æ", "front", 0.8, 0.0),
        ("a", "central", 1.0, 0.0),
        ("ɑ", "back", 1.0, 0.0),
        ("ɐ", "central", 0.7, 0.0),
        ("ʌ", "central", 0.7, 0.0),
        ("ə", "central", 0.45, 0.0),
        ("ɝ", "central", 0.4, 0.4),
        ("ɔ", "back", 0.65, 0.6),
        ("o", "back", 0.35, 0.8),
        ("ʊ", "back", 0.2, 0.7),
        ("u", "back", 0.0, 1.0),
    )
    for symbol, place, openness, rounding in table:
        yield Phone(symbol, "vowel", place, openness, rounding)


PHONES: Mapping[str, Phone] = {
    p.symbol: p
    for p in (Phone(SILENCE, "silence", "silence", voiced=False), *_consonants(), *_vowels())
}
"""All phones by symbol; silence first."""
SYMBOLS: tuple[str, ...] = tuple(PHONES)
"""Output order of the encoder's phone head. Never reorder: shipped weights depend on it."""
INDEX: Mapping[str, int] = {symbol: i for i, symbol in enumerate(SYMBOLS)}

ARPABET: Mapping[str, tuple[str, ...]] = {
    "SIL": (SILENCE,), "PAU": (SILENCE,), "+SPN+": (SILENCE,), "+NSN+": (SILENCE,),
    "P": ("p",), "B": ("b",), "T": ("t",), "D": ("d",), "K": ("k",), "G": ("ɡ",), "F": ("f",),
    "V": ("v",), "TH": ("θ",), "DH": ("ð",), "S": ("s",), "Z": ("z",), "SH": ("ʃ",), "ZH": ("ʒ",),
    "CH": ("tʃ",), "JH": ("dʒ",), "HH": ("h",), "M": ("m",), "N": ("n",), "NG": ("ŋ",), "L": ("l",),
    "R": ("ɹ",), "Y": ("j",), "W": ("w",), "EL": ("ə", "l"), "EM": ("m",), "EN": ("n",),
    "DX": ("r",), "IY": ("i",), "IH": ("ɪ",), "EH": ("ɛ",), "AE": ("æ",), "AA": ("ɑ",),
    "AO": ("ɔ",), "UH": ("ʊ",), "UW": ("u",), "AH": ("ʌ",), "AX": ("ə",), "AXR": ("ɝ",),
    "ER": ("ɝ",), "EY": ("e", "ɪ"), "AY": ("a", "ɪ"), "AW": ("a", "ʊ"), "OY": ("ɔ", "ɪ"),
    "OW": ("o", "ʊ"),
}  # fmt: skip
"""American English labels (CMU dictionary, flite) to phones."""

FESTVOX_RUSSIAN: Mapping[str, tuple[str, ...]] = {
    "pau": (SILENCE,), "p": ("p",), "pp": ("p",), "b": ("b",), "bb": ("b",), "t": ("t",),
    "tt": ("t",), "d": ("d",), "dd": ("d",), "k": ("k",), "kk": ("k",), "g": ("ɡ",), "gg": ("ɡ",),
    "f": ("f",), "ff": ("f",), "v": ("v",), "vv": ("v",), "s": ("s",), "ss": ("s",), "z": ("z",),
    "zz": ("z",), "sh": ("ʃ",), "zh": ("ʒ",), "sch": ("ʃ",), "ch": ("tʃ",), "c": ("ts",),
    "h": ("x",), "hh": ("x",), "m": ("m",), "mm": ("m",), "n": ("n",), "nn": ("n",), "l": ("l",),
    "ll": ("l",), "r": ("r",), "rr": ("r",), "j": ("j",), "i": ("ɪ",), "ii": ("i",), "y": ("ɨ",),
    "yy": ("ɨ",), "e": ("ɛ",), "ee": ("ɛ",), "a": ("ɐ",), "aa": ("a",), "ae": ("ɪ",), "ay": ("ə",),
    "o": ("o",), "oo": ("o",), "u": ("ʊ",), "uu": ("u",), "ur": ("ʊ",),
}  # fmt: skip
"""Labels of the Russian voice `msu_ru_nsh` to phones. Doubled consonants are palatalised, doubled
vowels stressed."""

_IPA_FOLD: Mapping[str, tuple[str, ...]] = {
    "g": ("ɡ",), "ʤ": ("dʒ",), "ʧ": ("tʃ",), "ʦ": ("ts",), "ʣ": ("dz",), "ʨ": ("tʃ",), "ʥ": ("dʒ",),
    "ɕ": ("ʃ",), "ʑ": ("ʒ",), "ʂ": ("ʃ",), "ʐ": ("ʒ",), "ɾ": ("r",), "ɽ": ("r",), "ɻ": ("ɹ",),
    "χ": ("x",), "ç": ("x",), "β": ("v",), "ɸ": ("f",), "ʋ": ("v",), "ɰ": ("w",), "ʎ": ("l", "j"),
    "ɫ": ("l",), "ɱ": ("m",), "ɳ": ("n",), "ɴ": ("ŋ",), "c": ("k",), "ɟ": ("ɡ",), "q": ("k",),
    "ʔ": (SILENCE,), "ɬ": ("l",), "ʝ": ("j",), "ɖ": ("d",), "ʈ": ("t",), "ɯ": ("ʊ",), "ɤ": ("ʌ",),
    "ɒ": ("ɔ",), "ɜ": ("ɝ",), "ɚ": ("ɝ",), "ᵻ": ("ɪ",), "ʉ": ("u",), "ɵ": ("ø",), "ɘ": ("ə",),
    "ᵊ": ("ə",), "A": ("e", "ɪ"), "I": ("a", "ɪ"), "O": ("o", "ʊ"), "Q": ("ə", "ʊ"),
    "W": ("a", "ʊ"), "Y": ("ɔ", "ɪ"), "T": ("r",), "S": ("ʃ",),
}  # fmt: skip


def phones_of_ipa(text: str) -> tuple[str, ...]:
    """The phones of one IPA label, e.g. `t͡ʃʰ` -> `tʃ`, `aɪ` -> `a ɪ`.

    Marks of stress, length and tone are dropped.

    Raises:
        InputError: a letter that is not IPA.
    """
    letters = "".join(c for c in text if c.isalpha() and c not in "ːˈˌʰʲʷˠˤʱⁿ")
    phones: list[str] = []
    while letters:
        # Affricates are written with two letters.
        label = letters[:2] if letters[:2] in INDEX else letters[:1]
        if label not in INDEX and label not in _IPA_FOLD:
            raise InputError(
                f"{label!r} in {text!r} is no known IPA letter; {nearest(label, SYMBOLS)}"
            )
        phones += (label,) if label in INDEX else _IPA_FOLD[label]
        letters = letters[len(label) :]
    return tuple(phones)


def spans(
    labels: Iterable[tuple[float, float, str]], table: Mapping[str, tuple[str, ...]]
) -> tuple[PhoneSpan, ...]:
    """Timed labels of some source as timed phones.

    A label of several phones is divided: 60 % of its time goes to the first.

    Raises:
        InputError: a label the table does not have.
    """
    result: list[PhoneSpan] = []
    for start, end, label in labels:
        if end <= start:
            continue
        if label not in table:
            raise InputError(f"unknown phone label {label!r}; {nearest(label, table)}")
        parts = table[label]
        further = len(parts) - 1
        inner = [start + (end - start) * (0.6 + 0.4 * k / further) for k in range(further)]
        cuts = [start, *inner, end]
        result += [PhoneSpan(*span) for span in zip(cuts, cuts[1:], parts, strict=False)]
    return tuple(result)


def frame_labels(phones: Sequence[PhoneSpan], frames: int, rate: float) -> list[int]:
    """Phone index at each frame time i / rate; -1 where no span lies."""
    labels = [-1] * frames
    for span in phones:
        first, stop = max(0, math.ceil(span.start * rate)), min(frames, math.ceil(span.end * rate))
        for frame in range(first, stop):
            labels[frame] = INDEX[span.symbol]
    return labels
