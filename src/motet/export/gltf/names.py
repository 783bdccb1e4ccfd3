"""Names of morph targets and bones without what exporters and modelling programs add to them.

`blendShape1.mouthSmile_L`, `Mouth_Smile_Left.001` and `L_mouthSmile_Mesh` are one shape.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from motet.types import ARKIT_SHAPES

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_a-zA-Z]+")
_SIDES = {"l": "left", "left": "left", "r": "right", "right": "right"}
_ENDS = frozenset(
    (
        "mesh", "geo", "geom", "geometry", "bs", "blendshape", "blendshapes", "blend", "shape",
        "shapes", "morph", "morphs", "target", "key", "position", "normal",
    )
)  # fmt: skip
"""Last words that say what a thing is, not what it does."""
_STARTS = frozenset(
    (
        "fcl", "vrc", "face", "facial", "head", "body", "blend", "shape", "blendshape",
        "blendshapes", "bs", "morph", "mesh", "expression", "expressions", "exp", "cc",
    )
)  # fmt: skip
"""First words that say where a shape is, not what it does."""
_MARKS = ("fcl", "ectrl")
"""VRoid's and DAZ Studio's marks of a facial shape, whatever stands before them."""
_LONG = 7
"""Letters of a name from which it is recognised behind any prefix."""


@lru_cache(maxsize=4096)
def words(name: str) -> tuple[str, ...]:
    """The words of a name in lower case, split at separators, digits and capitals."""
    # NFKC folds full-width and compatibility forms, as Japanese programs write them.
    return tuple(word.lower() for word in _WORD.findall(unicodedata.normalize("NFKC", name)))


def _without_end(parts: tuple[str, ...]) -> tuple[str, ...]:
    while len(parts) > 1 and (parts[-1].isdigit() or parts[-1] in _ENDS):
        parts = parts[:-1]
    return parts


def without_start(parts: tuple[str, ...]) -> tuple[str, ...]:
    """The words after those that only say where a shape is."""
    while len(parts) > 1 and (parts[0].isdigit() or parts[0] in _STARTS):
        parts = parts[1:]
    return parts


def side_last(parts: tuple[str, ...]) -> str:
    """The words joined; a side that stands alone is spelled out and moved to the end."""
    sides = [number for number, word in enumerate(parts) if word in _SIDES]
    # `Left_Right` or `L` alone is no side of something.
    if len(sides) != 1 or len(parts) == 1:
        return "".join(parts)
    (at,) = sides
    return "".join(parts[:at] + parts[at + 1 :]) + _SIDES[parts[at]]


def without_namespace(name: str) -> str:
    """What follows the last colon: Maya writes `character1:Neck`."""
    return name.rpartition(":")[2] or name


def spellings(name: str) -> tuple[str, ...]:
    """What a name can be looked up by, most literal first."""
    parts = words(name)
    short = _without_end(parts)
    candidates = ["".join(parts), "".join(short), side_last(short)]
    bare = without_start(_without_end(words(without_namespace(name))))
    candidates += ["".join(bare), side_last(bare)]
    for mark in _MARKS:
        # `Face.M_F00_000_00_Fcl_EYE_Close_L`, `Genesis8Female__eCTRLvAA`
        candidates += [one.rpartition(mark)[2] for one in candidates if mark in one]
    return tuple(dict.fromkeys(filter(None, candidates)))


def _arkit_spellings() -> dict[str, str]:
    by_spelling = {name.lower(): name for name in ARKIT_SHAPES}
    for name in ARKIT_SHAPES:
        for side in ("Left", "Right"):
            if name.endswith(side):
                by_spelling.setdefault(
                    (name.removesuffix(side) + side[0]).lower(), name
                )  # mouthSmileL
    return by_spelling


_ARKIT = _arkit_spellings()
# Longest first: `mouthSmileLeft` before a shorter name that it ends with.
_LONG_NAMES = sorted((name for name in _ARKIT if len(name) >= _LONG), key=len, reverse=True)


def arkit_name(name: str) -> str | None:
    """The ARKit shape of a name in any spelling; None if there is none.

    A combination of two shapes, as in corrective shapes (`jawOpen_mouthSmileLeft`), is none.
    """
    candidates = spellings(name)
    exact = next((_ARKIT[spelling] for spelling in candidates if spelling in _ARKIT), None)
    return exact or next(filter(None, map(_behind_prefix, candidates)), None)


def _behind_prefix(spelling: str) -> str | None:
    for known in _LONG_NAMES:
        if spelling.endswith(known):
            prefix = spelling.removesuffix(known)
            # A second shape in the prefix: a corrective of both, which has no weight of its own
            # here.
            combined = any(other in prefix for other in _LONG_NAMES)
            return None if combined else _ARKIT[known]
    return None


_VOWEL_WORDS = {
    "aa": "aa", "a": "aa", "ih": "I", "i": "I", "ou": "U", "u": "U",
    "ee": "E", "e": "E", "oh": "O", "o": "O",
    "あ": "aa", "い": "I", "う": "U", "え": "E", "お": "O",
    "ア": "aa", "イ": "I", "ウ": "U", "エ": "E", "オ": "O",
}  # fmt: skip
_ENOUGH_VOWELS = 3
"""A target called `A` alone may be anything; beside `I` and `O` it is a vowel. A kana always is."""


def vowel(name: str) -> str | None:
    """The viseme of a name that is declared to be an expression, if it is a vowel."""
    return _VOWEL_WORDS.get("".join(_without_end(words(name))))


def vowel_targets(names: Iterable[str]) -> dict[str, str]:
    """Visemes of morph targets that are named as vowels, alike but for the last word."""
    series: dict[tuple[str, ...], dict[str, str]] = {}
    for name in names:
        parts = _without_end(words(name))
        if parts and parts[-1] in _VOWEL_WORDS:
            # `Fcl_MTH_A` and `Fcl_MTH_I` are one series, `Hat_A` another.
            series.setdefault(parts[:-1], {})[name] = _VOWEL_WORDS[parts[-1]]
    best = max(series.values(), key=lambda found: len(set(found.values())), default={})
    is_kana = any(not _without_end(words(name))[-1].isascii() for name in best)
    return best if is_kana or len(set(best.values())) >= _ENOUGH_VOWELS else {}
