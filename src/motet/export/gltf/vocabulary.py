"""Vocabularies of facial shapes, and their weights from the 52 ARKit weights.

Three vocabularies are understood: ARKit names in any spelling (`jawOpen`, `JawOpen`, `jaw_open`,
`mouthSmile_L`, with or without a prefix), the 15 Oculus visemes (`viseme_aa`, `viseme_PP`, ...) and
the expressions of VRM 0 and 1 (`aa`/`A`, `blinkLeft`/`Blink_L`, `lookUp`, ...). The mouth is driven
by ARKit names if the avatar has enough of them, else by visemes, else by the five vowels; never by
two vocabularies at once, which would add up.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

import numpy as np
from jaxtyping import Float

from motet.types import ARKIT_SHAPES

Weights = Mapping[str, Float[np.ndarray, "frames"]]

VISEMES: dict[str, dict[str, float]] = {
    "aa": {"jawOpen": 0.54, "jawForward": 0.31, "mouthShrugUpper": 0.09},
    "E": {
        "mouthShrugUpper": 1.0,
        "mouthRollUpper": 0.54,
        "mouthPress": 0.32,
        "mouthUpperUp": 0.24,
        "mouthSmile": 0.20,
        "jawOpen": 0.10,
    },
    "I": {
        "mouthDimple": 0.53,
        "mouthStretch": 0.47,
        "mouthShrugUpper": 0.17,
        "mouthLowerDown": 0.10,
    },
    "O": {
        "mouthPucker": 0.66,
        "mouthShrugUpper": 0.48,
        "jawForward": 0.34,
        "mouthRollUpper": 0.33,
        "mouthRollLower": 0.19,
        "jawOpen": 0.14,
        "mouthUpperUp": 0.12,
    },
    "U": {"mouthPucker": 0.50, "mouthLowerDown": 0.13},
    "PP": {
        "mouthRollUpper": 0.60,
        "mouthRollLower": 0.23,
        "mouthClose": 0.21,
        "mouthUpperUp": 0.19,
        "mouthLowerDown": 0.14,
        "jawOpen": 0.13,
    },
    "FF": {
        "mouthShrugUpper": 1.24,
        "mouthRollLower": 0.57,
        "mouthDimple": 0.43,
        "mouthRollUpper": 0.18,
        "mouthStretch": 0.15,
    },
    "TH": {"mouthShrugUpper": 0.63, "mouthLowerDown": 0.12, "mouthFrown": 0.07, "jawOpen": 0.06},
    "DD": {"mouthLowerDown": 0.33, "mouthUpperUp": 0.24, "mouthShrugUpper": 0.11},
    "kk": {"mouthShrugUpper": 0.46, "mouthDimple": 0.35, "mouthStretch": 0.13, "jawOpen": 0.10},
    "CH": {
        "mouthFunnel": 0.50,
        "mouthLowerDown": 0.38,
        "mouthShrugUpper": 0.19,
        "mouthUpperUp": 0.09,
    },
    "SS": {"mouthLowerDown": 0.77, "mouthSmile": 0.24, "mouthDimple": 0.06},
    "nn": {
        "mouthLowerDown": 0.33,
        "mouthFunnel": 0.26,
        "mouthUpperUp": 0.24,
        "mouthSmile": 0.23,
        "mouthShrugUpper": 0.11,
    },
    "RR": {
        "mouthShrugUpper": 0.42,
        "mouthUpperUp": 0.40,
        "mouthDimple": 0.30,
        "mouthLowerDown": 0.22,
    },
}
"""Oculus visemes in ARKit shapes (both sides alike, written once); fitted over the vertices of one
mesh that has both sets."""

_VOWELS = {
    "aa": "aa",
    "a": "aa",
    "ih": "I",
    "i": "I",
    "ou": "U",
    "u": "U",
    "ee": "E",
    "e": "E",
    "oh": "O",
    "o": "O",
}
"""VRM 1 and VRM 0 names of the vowels."""
_ENOUGH_MOUTH = 8
"""Number of ARKit mouth shapes from which the mouth is driven by them."""


def _mean(*names: str) -> Callable[[Weights], np.ndarray]:
    return lambda weights: np.mean([weights[name] for name in names], axis=0)


_EXPRESSIONS: dict[str, Callable[[Weights], np.ndarray]] = {
    "blink": _mean("eyeBlinkLeft", "eyeBlinkRight"),
    "blinkleft": _mean("eyeBlinkLeft"),
    "blinkl": _mean("eyeBlinkLeft"),
    "blinkright": _mean("eyeBlinkRight"),
    "blinkr": _mean("eyeBlinkRight"),
    "lookup": _mean("eyeLookUpLeft", "eyeLookUpRight"),
    "lookdown": _mean("eyeLookDownLeft", "eyeLookDownRight"),
    "lookleft": _mean("eyeLookOutLeft", "eyeLookInRight"),
    "lookright": _mean("eyeLookInLeft", "eyeLookOutRight"),
}
"""VRM expressions that are means of ARKit shapes."""


def plain(name: str) -> str:
    """A name without case, separators and the prefixes that exporters put before it."""
    last = re.split(r"[.:|/]", name)[-1]
    return re.sub(r"[^a-z0-9]", "", last.lower())


def _spellings() -> dict[str, str]:
    found = {}
    for name in ARKIT_SHAPES:
        found[plain(name)] = name
        for side, letter in (("Left", "l"), ("Right", "r")):
            if name.endswith(side):
                # `jawL` and `mouthR` would be as good for jawLeft as for a half of jaw; only longer
                # names are shortened.
                found.setdefault(plain(name.removesuffix(side) + letter), name)
    return found


_ARKIT = _spellings()
_VISEME = {plain(f"viseme_{name}"): name for name in VISEMES}


def arkit_name(name: str) -> str | None:
    """The ARKit shape of a name in any spelling; None if there is none."""
    found = plain(name)
    if found in _ARKIT:
        return _ARKIT[found]
    # A prefix without separator, e.g. `headjawOpen`: the longest ARKit name at the end, if it is
    # long enough to be meant.
    ends = [spelling for spelling in _ARKIT if len(spelling) >= 7 and found.endswith(spelling)]
    return _ARKIT[max(ends, key=len)] if ends else None


def understood(
    names: Iterable[str], weights: Weights, expressions: Iterable[str] = ()
) -> dict[str, np.ndarray]:
    """Weights of those of an avatar's names that belong to a known vocabulary.

    Args:
        names: of morph targets.
        weights: ARKit weights by name.
        expressions: names that are declared to be VRM expressions (there `A` is a vowel; as a morph
            name it could be anything).
    """
    names, declared = list(names), set(expressions)
    arkit = {name: found for name in names if (found := arkit_name(name)) is not None}
    result = {name: weights[found] for name, found in arkit.items()}
    mouth = {name for name, found in arkit.items() if found.startswith(("mouth", "jaw"))}
    if len({arkit[name] for name in mouth}) < _ENOUGH_MOUTH and (
        spoken := _spoken(names, declared, weights)
    ):
        result = {name: curve for name, curve in result.items() if name not in mouth} | spoken
    blinks = any(found.startswith("eyeBlink") for found in arkit.values())
    looks = any(found.startswith("eyeLook") for found in arkit.values())
    # `blink` closes both eyes; beside `blinkLeft` and `blinkRight` it would close them twice.
    sides = {"blinkleft", "blinkl", "blinkright", "blinkr"} & {plain(name) for name in declared}
    for name in declared - set(result):
        key = plain(name)
        taken = (key.startswith("blink") and (blinks or (key == "blink" and sides))) or (
            key.startswith("look") and looks
        )
        if key in _EXPRESSIONS and not taken:
            result[name] = _EXPRESSIONS[key](weights)
    return result


def _spoken(names: list[str], declared: set[str], weights: Weights) -> dict[str, np.ndarray]:
    """Weights of visemes, or else of vowels, that approximate the mouth's ARKit weights."""
    targets = {name: _VISEME[plain(name)] for name in names if plain(name) in _VISEME}
    if not targets:
        targets = {name: _VOWELS[plain(name)] for name in declared if plain(name) in _VOWELS}
    if not targets:
        return {}
    curves = fit_visemes(weights, tuple(dict.fromkeys(targets.values())))
    return {name: curves[viseme] for name, viseme in targets.items()}


def fit_visemes(
    weights: Weights, visemes: tuple[str, ...]
) -> dict[str, Float[np.ndarray, "frames"]]:
    """Viseme weights in 0..1 that approximate the mouth's ARKit weights (least squares)."""
    from scipy.optimize import nnls

    mouth = [name for name in ARKIT_SHAPES if name.startswith(("mouth", "jaw"))]
    matrix = np.array([[_share(VISEMES[viseme], name) for viseme in visemes] for name in mouth])
    # The opening of the jaw is what is seen most.
    emphasis = np.array([3.0 if name == "jawOpen" else 1.0 for name in mouth])[:, None]
    wanted = np.stack([weights[name] for name in mouth]) * emphasis
    solved = [nnls(matrix * emphasis, frame)[0] for frame in wanted.T]
    return dict(zip(visemes, np.clip(np.stack(solved, axis=1), 0, 1), strict=True))


def _share(viseme: Mapping[str, float], name: str) -> float:
    return viseme.get(name, viseme.get(name.removesuffix("Left").removesuffix("Right"), 0.0))
