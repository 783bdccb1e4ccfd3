"""The figures that ship: one mesh as different people. Names and numbers only, quick to import."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType

from motet.errors import ConfigError, nearest

Colour = tuple[int, int, int]
"""8-bit sRGB."""


@dataclasses.dataclass(frozen=True)
class Look:
    """Shape, hair and colours of one figure."""

    about: str
    """For lists and help."""
    hair: str
    """Cut: `bob`, `tied` or `short`."""
    identity: Mapping[str, float]
    """Standard deviations along the figure's identity axes; the others are 0."""
    skin: Colour = (219, 172, 146)
    lips: Colour = (186, 108, 98)
    hair_colour: Colour = (58, 38, 28)
    top: Colour = (44, 84, 96)
    trousers: Colour = (48, 50, 58)
    shoes: Colour = (72, 68, 70)
    iris: tuple[Colour, Colour] = ((91, 82, 63), (124, 95, 56))
    """Outer and inner part."""
    beard: float = 0.0
    """0 shaved, 1 a full stubble."""


FIGURES: Mapping[str, Look] = MappingProxyType(
    {
        "mira": Look("a woman with a brown bob", "bob", {}, hair_colour=(66, 43, 31)),
        "jonas": Look(
            "a man with short fair hair and stubble",
            "short",
            {"gender": 2.4, "face02": -0.5, "muscle": 0.4},
            skin=(216, 166, 140),
            lips=(176, 112, 102),
            hair_colour=(96, 70, 46),
            top=(62, 66, 76),
            trousers=(52, 58, 78),
            iris=((72, 96, 112), (110, 122, 120)),
            beard=0.85,
        ),
        "amara": Look(
            "a woman with dark skin and black hair tied back",
            "tied",
            {"heritage_african": 0.9, "face01": 0.4},
            skin=(141, 92, 68),
            lips=(128, 70, 64),
            hair_colour=(30, 24, 22),
            top=(178, 92, 54),
            trousers=(44, 42, 46),
            iris=((52, 36, 26), (70, 46, 28)),
        ),
    }
)
"""All figures by name; the first is drawn when none is named."""
DEFAULT_FIGURE = next(iter(FIGURES))


def look_of(name: str) -> Look:
    """The look of a figure; the default one for an empty name.

    Raises:
        ConfigError: there is no such figure; names those there are.
    """
    name = name or DEFAULT_FIGURE
    if name not in FIGURES:
        raise ConfigError(f"there is no figure {name!r}; {nearest(name, FIGURES)}")
    return FIGURES[name]
