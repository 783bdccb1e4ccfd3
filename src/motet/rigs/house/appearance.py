"""Colours of one figure: the baked ones, shifted to its skin, hair and clothes."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

if TYPE_CHECKING:
    from motet.rigs.figures import Look
    from motet.rigs.house.figure import HouseRig

COVER_UNIT = 32
"""Steps to one width of the hairline in the files."""
BARE = -4.0
"""Cover of what is no scalp."""
STUBBLE = (0.42, 0.44, 0.47)
"""Skin under stubble, as a share of its colour."""
BROW_OF_HAIR = 1.6
"""Brows are lighter than the hair of the head."""


@dataclasses.dataclass(frozen=True)
class Appearance:
    """Linear light 0..1 and baked quantities of every vertex of the rig."""

    skin: Float[np.ndarray, "verts 3"]
    """Colours; of the scalp, those of the skin"""
    covered: Float[np.ndarray, "verts 3"]
    """Colours; of the scalp, those of the hair, for drawing without a hairline of strands"""
    cover: Float[np.ndarray, " verts"]
    """Distance above the hairline in its widths; `BARE` elsewhere"""
    occlusion: Float[np.ndarray, " verts"]
    """Share of the sky that a vertex sees"""
    hair: Float[np.ndarray, "3"]
    skin_mean: Float[np.ndarray, "3"]
    iris: Float[np.ndarray, "2 3"]
    """Outer and inner part"""

    @classmethod
    def of(
        cls, rig: HouseRig, look: Look, occlusion: np.ndarray, skin_cover: np.ndarray
    ) -> Appearance:
        """The look over the baked arrays of the rig and of a cut."""
        colours = linear(rig.colours)
        targets = {
            **dict.fromkeys(("skin", "scalp", "nails"), look.skin),
            "lips": look.lips,
            "hair": look.hair_colour,
            "top": look.top,
            "trousers": look.trousers,
            "shoes": look.shoes,
        }
        base = {name: _median(rig, colours, name) for name in {*targets} - {"scalp", "nails"}}
        base |= {"scalp": base["skin"], "nails": base["skin"]}
        hair = linear(np.array(look.hair_colour))
        for name, colour in targets.items():
            colours[_of(rig, name)] *= linear(np.array(colour)) / base[name]
        tint = hair / base["hair"] * 0.75
        for name in ("brows", "lashes"):
            # Fair hair has darker brows and lashes, black hair the same.
            colours[_of(rig, name)] *= np.minimum(tint, BROW_OF_HAIR)
        skin = slice(0, len(skin_cover))
        share = look.beard * rig.beard[:, None].astype(np.float32) / 255
        colours[skin] *= 1 - share * (1 - np.array(STUBBLE, np.float32))
        cover = np.full(len(colours), BARE, np.float32)
        cover[skin] = skin_cover.astype(np.float32) / COVER_UNIT
        hidden = np.clip(0.5 + 0.6 * cover, 0, 1)[:, None]
        return cls(
            skin=colours,
            covered=colours * (1 - hidden) + 0.6 * hair * hidden,
            cover=cover,
            occlusion=occlusion.astype(np.float32) / 255,
            hair=hair.astype(np.float32),
            skin_mean=linear(np.array(look.skin)).astype(np.float32),
            iris=linear(np.array(look.iris)).astype(np.float32),
        )


def _of(rig: HouseRig, region: str) -> np.ndarray:
    return rig.regions == rig.region_names.index(region)


def _median(rig: HouseRig, colours: np.ndarray, region: str) -> np.ndarray:
    return np.median(colours[_of(rig, region)], axis=0)


def linear(colour: np.ndarray) -> np.ndarray:
    """Linear light of 8-bit sRGB."""
    value = colour.astype(np.float32) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
