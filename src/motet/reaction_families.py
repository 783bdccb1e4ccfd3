"""Kinds of sounds, and the family of reactions that each calls for."""

from __future__ import annotations

from typing import Literal, get_args

ReactionFamily = Literal["attend", "greet", "dance", "avoid", "cover", "flee", "endure"]
"""attend: look, turn, go there. greet: face it, nod or wave. dance: with the beat. avoid: step
aside. cover: hands over the ears, away from it. flee: start, run away or crouch. endure: arms round
oneself against wind or rain."""
FAMILY_NAMES: tuple[ReactionFamily, ...] = get_args(ReactionFamily)
FAMILIES: dict[ReactionFamily, tuple[str, ...]] = {
    "attend": ("phone", "bicycle_bell", "church_bell", "bird", "cat", "insect"),
    "greet": ("speech", "laughter", "sing", "instrument"),
    "dance": ("music", "drum"),
    "avoid": ("bark", "cough", "vehicle", "engine", "aircraft"),
    "cover": ("shout", "crowd_yell", "siren", "fire_alarm"),
    "flee": ("gunshot", "explosion", "firework", "thunder"),
    "endure": ("wind", "rain"),
}
"""Sounds of each family."""
FAMILY_OF: dict[str, ReactionFamily] = {
    name: family for family, names in FAMILIES.items() for name in names
}
OTHER_SOUNDS: dict[str, ReactionFamily] = {
    "applause": "attend",
    "chime": "attend",
    "footsteps": "attend",
    "knocking": "attend",
}
"""Further kinds that are recognised; no soundscape makes them."""
SOUND_FAMILIES: dict[str, ReactionFamily] = {**FAMILY_OF, **OTHER_SOUNDS}
SOUND_NAMES = tuple(SOUND_FAMILIES)
"""Every kind that is recognised."""
UNKNOWN_FAMILY = 0
"""Number of a frame whose reaction is not given."""


def family_number(name: str) -> int:
    """Number of a family in training data and as input of a network; 0 where it has none."""
    return FAMILY_NAMES.index(name) + 1 if name in FAMILY_NAMES else UNKNOWN_FAMILY
