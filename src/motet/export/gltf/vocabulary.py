"""Vocabularies of facial shapes, and their weights from the 52 ARKit weights.

Understood are ARKit names in any spelling, the names of other programs for the same shapes (Ready
Player Me, VRoid, VRChat, SRanipal, Character Creator, MMD, DAZ Studio), visemes (Oculus, VRChat,
Character Creator, DAZ Studio) and the five vowels (VRM, VRoid, MMD). The mouth is driven by ARKit
shapes if the avatar has enough of them, else by visemes, else by vowels; never by two vocabularies
at once, which would add up.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

import numpy as np
from jaxtyping import Float

from motet.errors import ConfigError
from motet.export.gltf.names import arkit_name, spellings, vowel, vowel_targets
from motet.export.gltf.visemes import Weights, fit_visemes
from motet.face.visemes import VISEMES
from motet.types import ARKIT_SHAPES

_ENOUGH_MOUTH = 8
"""Number of ARKit mouth shapes from which the mouth is driven by them."""
_OPENING = ("jawOpen", "mouthFunnel", "mouthPucker", "mouthLowerDown", "mouthUpperUp")
"""Shapes without any of which a mouth does not speak."""


def _both(stem: str) -> tuple[str, ...]:
    return f"{stem}Left", f"{stem}Right"


def _synonyms() -> dict[str, tuple[str, ...]]:
    """Names of other programs -> the ARKit shapes whose mean they are."""
    shapes_of: dict[str, tuple[str, ...]] = {}
    for name in ARKIT_SHAPES:
        stem = name.removesuffix("Left").removesuffix("Right")
        if stem not in (name, "jaw", "mouth"):
            shapes_of[stem.lower()] = _both(stem)
    sided = {
        "eyeBlink": "blink eyeclose eyesclose eyeclosed eyesclosed eyesblink",
        "eyeLookUp": "eyeup eyeslookup",
        "eyeLookDown": "eyedown eyeslookdown",
        "eyeSquint": "eyesqueeze",
        "mouthFrown": "mouthsad",
        "browDown": "browdrop",
        "browOuterUp": "browraiseouter",
    }
    for stem, names in sided.items():
        for name in names.split():
            shapes_of[name] = _both(stem)
            shapes_of |= {f"{name}{side.lower()}": (f"{stem}{side}",) for side in ("Left", "Right")}
    whole = {
        "jawOpen": "mouthopen openmouth jawdrop mouthopened",
        "mouthPucker": "mouthpout",
        "mouthClose": "mouthapeshape mouthape",
        "mouthRollUpper": "mouthupperinside",
        "mouthRollLower": "mouthlowerinside",
        "mouthFunnel": "mouthupperoverturn mouthloweroverturn",
        "mouthShrugLower": "mouthloweroverlay",
        "mouthLeft": "mouthupperleft mouthlowerleft",
        "mouthRight": "mouthupperright mouthlowerright",
        "cheekPuff": "cheekpuffleft cheekpuffright",
        "browInnerUp": "browraiseinner browraiseinnerleft browraiseinnerright",
        "tongueOut": "tonguelongstep",
        "eyeLookOutLeft": "eyeleftleft",
        "eyeLookInLeft": "eyeleftright",
        "eyeLookInRight": "eyerightleft",
        "eyeLookOutRight": "eyerightright",
    }
    shapes_of |= {name: (shape,) for shape, names in whole.items() for name in names.split()}
    mmd = {
        "まばたき": _both("eyeBlink"), "ウィンク": ("eyeBlinkLeft",),
        "ウィンク右": ("eyeBlinkRight",), "ウィンク2右": ("eyeBlinkRight",),
        "びっくり": _both("eyeWide"),
        "上": ("browInnerUp", *_both("browOuterUp")), "下": _both("browDown"),
        "にやり": _both("mouthSmile"), "口角上げ": _both("mouthSmile"),
        "口角下げ": _both("mouthFrown"),
    }  # fmt: skip
    return shapes_of | mmd


_SYNONYMS = _synonyms()
_LOOKS = {
    "lookup": _both("eyeLookUp"),
    "lookdown": _both("eyeLookDown"),
    "lookleft": ("eyeLookOutLeft", "eyeLookInRight"),
    "lookright": ("eyeLookInLeft", "eyeLookOutRight"),
}
"""VRM expressions of the gaze; as names of morph targets they could be anything."""
_VISEME_WORDS = {
    "aa": "aa", "e": "E", "ih": "I", "i": "I", "oh": "O", "o": "O", "ou": "U", "u": "U",
    "pp": "PP", "ff": "FF", "th": "TH", "dd": "DD", "kk": "kk", "ch": "CH", "ss": "SS",
    "nn": "nn", "rr": "RR",
}  # fmt: skip
_CHARACTER_CREATOR = {
    "vopen": "aa", "vexplosive": "PP", "vdentallip": "FF", "vtighto": "O", "vtight": "U",
    "vwide": "I", "vaffricate": "CH", "vlipopen": "DD",
}  # fmt: skip
_CHARACTER_CREATOR_3 = {name.removeprefix("v"): one for name, one in _CHARACTER_CREATOR.items()}
_DAZ = {
    "vaa": "aa", "vee": "I", "veh": "E", "ver": "RR", "vih": "I", "viy": "I", "vow": "O",
    "vuw": "U", "vw": "U", "vm": "PP", "vf": "FF", "vth": "TH", "vt": "DD", "vl": "nn",
    "vn": "nn", "vk": "kk", "vsh": "CH", "vs": "SS",
}  # fmt: skip
_ENOUGH_PLAIN = 3
"""A target called `Open` may be anything; beside `Tight` and `Explosive` it is a viseme."""
_VISEME_SERIES: tuple[dict[str, str], ...] = (
    {f"viseme{word}": viseme for word, viseme in _VISEME_WORDS.items()},
    {f"v{word}": viseme for word, viseme in _VISEME_WORDS.items()},
    _CHARACTER_CREATOR,
    _DAZ,
)
"""Name -> viseme, one table for each naming."""


@dataclasses.dataclass(frozen=True)
class Recognised:
    """What of an avatar's names is driven."""

    curves: Mapping[str, Float[np.ndarray, " frames"]]
    """Weights by the avatar's names."""
    shapes: frozenset[str]
    """ARKit shapes that have a counterpart."""
    mouth: str
    """What the mouth speaks by: `ARKit shapes`, `visemes`, `vowels`, or nothing."""


def understood(
    names: Iterable[str],
    weights: Weights,
    expressions: Iterable[str] = (),
    mapping: Mapping[str, str | None] | None = None,
    fps: float = 25.0,
) -> Recognised:
    """Weights of those of an avatar's names that belong to a known vocabulary.

    Args:
        names: of morph targets.
        weights: ARKit weights by name.
        expressions: names that are declared to be VRM expressions (there `A` is a vowel; as a morph
            name it could be anything).
        mapping: names of the avatar -> known names, by hand; None keeps a target still.
        fps: frame rate of the weights.

    Raises:
        ConfigError: a name mapped to is not known.
    """
    mapping = mapping or {}
    declared = [name for name in expressions if name not in mapping]
    free = [name for name in names if name not in mapping]
    by_hand = {n: _meaning(known) for n, known in mapping.items() if known is not None}
    parts = {name: shapes for name, shapes in by_hand.items() if isinstance(shapes, tuple)}
    hand_visemes = {name: one for name, one in by_hand.items() if isinstance(one, str)}
    # Names by hand first, then exact names, then other programs' names.
    parts |= {name: (shape,) for name in free if (shape := arkit_name(name)) is not None}
    parts |= _other_names(declared, free, parts)
    mouth = {name for name, shapes in parts.items() if shapes[0].startswith(("mouth", "jaw"))}
    # A few ARKit names beside a full set of visemes are leftovers: the visemes speak then.
    enough = len({shape for name in mouth for shape in parts[name]}) >= _ENOUGH_MOUTH
    spoken, kind = ({}, "") if enough else _spoken(free, declared)
    spoken |= hand_visemes
    if spoken:
        kind = kind or "visemes"
        parts = {n: shapes for n, shapes in parts.items() if n not in mouth or n in by_hand}
    elif any(shape.startswith(_OPENING) for name in mouth for shape in parts[name]):
        kind = "ARKit shapes"
    # A name for both sides gets their mean.
    curves = {n: np.mean([weights[s] for s in shapes], axis=0) for n, shapes in parts.items()}
    if spoken:
        fitted = fit_visemes(weights, tuple(dict.fromkeys(spoken.values())), fps)
        curves |= {name: fitted[viseme] for name, viseme in spoken.items()}
    shapes = frozenset(shape for shapes in parts.values() for shape in shapes)
    return Recognised(curves, shapes, kind)


def _meaning(known_name: str) -> tuple[str, ...] | str:
    """ARKit shapes or the viseme of a known name."""
    exact = arkit_name(known_name)
    if exact is not None:
        return (exact,)
    for spelling in spellings(known_name):
        for table in _VISEME_SERIES:
            if spelling in table:
                return table[spelling]
        if spelling in _SYNONYMS | _LOOKS:
            return (_SYNONYMS | _LOOKS)[spelling]
    viseme = vowel(known_name) or (known_name if known_name in VISEMES else None)
    if viseme is None:
        raise ConfigError(
            f"no shape is called {known_name[:40]!r}; map to ARKit names (jawOpen), visemes"
            " (viseme_aa), or null"
        )
    return viseme


def _other_names(
    declared: list[str], free: list[str], exact: Mapping[str, tuple[str, ...]]
) -> dict[str, tuple[str, ...]]:
    """Expressions and other programs' names of shapes that no exact name drives.

    `blink` closes both eyes; beside `blinkLeft` and `blinkRight` it would close them twice.
    """
    spelled = [
        (_lookup(name, _SYNONYMS | _LOOKS if name in declared else _SYNONYMS), name)
        for name in dict.fromkeys([*declared, *free])
        if name not in exact
    ]
    taken = {shape: "" for shapes in exact.values() for shape in shapes}
    result: dict[str, tuple[str, ...]] = {}
    # Names of one side before names of both; declared expressions before morph targets.
    order = sorted((one for one in spelled if one[0]), key=lambda one: len(_shapes(one[0])))
    for spelling, name in order:
        shapes = _shapes(spelling)
        family = spelling.replace("upper", "lower").replace("right", "left")
        # Upper and lower or left and right parts of one shape may share it; another name may not.
        if all(taken.get(shape, family) == family for shape in shapes):
            result[name] = shapes
            taken |= {shape: family for shape in shapes}
    return result


def _shapes(spelling: str) -> tuple[str, ...]:
    return _SYNONYMS.get(spelling) or _LOOKS[spelling]


def _lookup(name: str, table: Mapping[str, object]) -> str:
    return next((spelling for spelling in spellings(name) if spelling in table), "")


def _spoken(free: list[str], declared: list[str]) -> tuple[dict[str, str], str]:
    """Visemes, or else vowels, by the avatar's names; and which of the two they are."""
    series = [
        {name: table[key] for name in free if (key := _lookup(name, table))}
        for table in (*_VISEME_SERIES, _CHARACTER_CREATOR_3)
    ]
    if len(set(series[-1].values())) < _ENOUGH_PLAIN:
        series.pop()
    best = max(series, key=lambda names: len(set(names.values())))
    vowels = {name: viseme for name in declared if (viseme := vowel(name)) is not None}
    # Declared expressions win over morph targets that are merely named like vowels.
    vowels = vowels or vowel_targets(free)
    # Two names such as `V_E` and `V_O` are a series of vowels that lost some.
    if best and len(set(best.values())) >= len(set(vowels.values())):
        return best, "visemes"
    return (vowels, "vowels") if vowels else (best, "visemes" if best else "")
