"""Detail finer than the mesh: strands and locks of hair, the hairline, pores of the skin (numba).

All of it is looked up by the place on the head at rest, so it stays with the head and is the same
in every frame.
"""

from __future__ import annotations

import functools

import numpy as np
from jaxtyping import Int8
from scipy.ndimage import gaussian_filter

from motet.kernel import kernel
from motet.render.head_map import column_row
from motet.render.sample_layout import CLOTH, HAIR, LANES, PACKED, SKIN, clamp

_0, _1, HALF = np.float32(0), np.float32(1), np.float32(0.5)
UNIT = np.float32(1 / 64)
"""Textures hold numbers of about -2..2 in eight bits."""
COVER_M = 0.007
"""Width of the hairline: over as much the hair becomes dense."""
TILE = 256
"""Texels to a side of the pattern of pores, which repeats."""
STRAND_TONE, LOCK_TONE = np.float32(0.21), np.float32(0.22)
"""How much darker and lighter strands and locks are than the hair's colour."""
STRAND_SHIFT, LOCK_SHIFT = np.float32(0.05), np.float32(0.09)
"""How far strands and locks move the highlights along the hair, as cosines."""
GRAIN = np.float32(0.045)
"""Contrast of the weave of cloth."""
WEAVE = np.float32(2.9)
"""Cloth lies flat over the map: texels to a metre, over the size of the textures."""
GLINT, GLOW = np.float32(0.13), np.float32(1.1)
"""Weights of the highlight that the surface of a strand reflects, and of the coloured one that
leaves it again (Marschner et al. 2003), along which the second is shifted."""
GLOW_SHIFT = np.float32(0.14)


@kernel
def strand_at(strands, size, x, y, z):
    """Brightness of strand and lock at a place on the head, interpolated between texels."""
    column, row = column_row(x, y, z, size)
    column, row = column - HALF, row - HALF
    c = min(size - 2, max(0, int(column)))
    r = min(size - 2, max(0, int(row)))
    fc = clamp(column - np.float32(c))
    fr = clamp(row - np.float32(r))
    k = r * size + c
    wa, wb = (_1 - fc) * (_1 - fr), fc * (_1 - fr)
    wc, wd = (_1 - fc) * fr, fc * fr
    fine = wa * strands[k, 0] + wb * strands[k + 1, 0]
    fine += wc * strands[k + size, 0] + wd * strands[k + size + 1, 0]
    lock = wa * strands[k, 1] + wb * strands[k + 1, 1]
    lock += wc * strands[k + size, 1] + wd * strands[k + size + 1, 1]
    return fine * UNIT, lock * UNIT


@kernel
def eighth(value):
    """Eighth power of 1 - value squared: a lobe around cosines of 0."""
    p = max(_0, _1 - value * value)
    p *= p
    p *= p
    return p * p


@kernel
def add_detail(count, seen, kind, blocks, strands, pores, fineness, hair_ratio, lights):
    """Change the interpolated quantities of samples on hair and skin in place.

    Args:
        strands: int8, size**2 2: see `motet.render.strand_texture`.
        pores: int8, TILE**2 3: slope across and down, and tone; see `pore_texture`.
        fineness: how strong pores are; they fade out where they are smaller than pixels.
        hair_ratio: float32, 3: colour of the hair over that of the skin, at the hairline.
        lights: float32, lights 6; key first, rim last.
    """
    size = int(np.sqrt(np.float64(strands.shape[0])) + 0.5)
    for i in range(np.uint32(count)):
        t = seen[i]
        if t < 0 or (kind[t] != HAIR and kind[t] != SKIN and kind[t] != CLOTH):
            continue
        base = (i // np.uint32(LANES)) * np.uint32(PACKED * LANES) + i % np.uint32(LANES)
        x = blocks[base + np.uint32(9 * LANES)]
        y = blocks[base + np.uint32(10 * LANES)]
        z = blocks[base + np.uint32(11 * LANES)]
        cover = blocks[base + np.uint32(12 * LANES)]
        if kind[t] == CLOTH:
            column = (x + np.float32(4)) * (np.float32(size) * WEAVE)
            row = (y - HALF * z + np.float32(4)) * (np.float32(size) * WEAVE)
            k = (int(row) % TILE) * TILE + int(column) % TILE
            weave = _1 + UNIT * (GRAIN * pores[k, 0] + np.float32(0.02) * pores[k, 2])
            for channel in range(np.uint32(3)):
                blocks[base + np.uint32(LANES) * channel] *= weave
            continue
        if kind[t] == SKIN:
            column, row = column_row(x, y, z, size)
            k = (int(row) % TILE) * TILE + int(column) % TILE
            bump = fineness * UNIT
            blocks[base + np.uint32(3 * LANES)] += bump * pores[k, 0]
            blocks[base + np.uint32(4 * LANES)] += bump * pores[k, 1]
            tone = _1 + np.float32(0.03) * UNIT * pores[k, 2] * fineness
            hair = _0
            if cover > np.float32(-2.0):
                fine, lock = strand_at(strands, size, x, y, z)
                hair = clamp(HALF + np.float32(0.7) * cover + np.float32(0.42) * fine)
                blocks[base + np.uint32(6 * LANES)] *= _1 - hair
                blocks[base + np.uint32(7 * LANES)] *= _1 - hair
                blocks[base + np.uint32(8 * LANES)] *= _1 - hair
                tone *= _1 + hair * (STRAND_TONE * fine + LOCK_TONE * lock)
            for channel in range(np.uint32(3)):
                blocks[base + np.uint32(LANES) * channel] *= tone * (
                    _1 - hair + hair * hair_ratio[channel]
                )
            continue
        fine, lock = strand_at(strands, size, x, y, z)
        tone = max(np.float32(0.25), _1 + STRAND_TONE * fine + LOCK_TONE * lock)
        shift = STRAND_SHIFT * fine + LOCK_SHIFT * lock
        key = blocks[base + np.uint32(3 * LANES)] + shift
        rim = blocks[base + np.uint32(4 * LANES)] + shift
        on_key, on_rim = blocks[base + np.uint32(5 * LANES)], cover
        sparkle = max(np.float32(0.2), _1 + np.float32(0.5) * fine)
        key_glint, rim_glint = eighth(key), eighth(rim)
        key_glint *= key_glint
        key_glint *= key_glint
        rim_glint *= rim_glint
        rim_glint *= rim_glint
        glow = GLOW * on_key * eighth(key + GLOW_SHIFT) + GLOW * on_rim * eighth(rim + GLOW_SHIFT)
        for channel in range(np.uint32(3)):
            where = base + np.uint32(LANES) * channel
            glint = on_key * key_glint * lights[0, 3 + channel]
            glint += on_rim * rim_glint * lights[2, 3 + channel]
            blocks[where] = blocks[where] * tone * (_1 + glow * sparkle) + GLINT * sparkle * glint


@functools.cache
def pore_texture() -> Int8[np.ndarray, "texels 3"]:
    """Slopes and tone of a skin with pores, (TILE**2, 3), /64."""
    generator = np.random.default_rng(9)
    fine, wide = (
        gaussian_filter(generator.normal(size=(TILE, TILE)), width, mode="wrap")
        for width in (1.0, 2.6)
    )
    height = fine / fine.std() + 0.9 * wide / wide.std()
    down, across = np.gradient(np.pad(height, 1, mode="wrap"))
    slopes = np.stack([across, down], axis=-1)[1:-1, 1:-1]
    blotch = gaussian_filter(generator.normal(size=(TILE, TILE)), 9.0, mode="wrap")
    tone = blotch / blotch.std() + 0.5 * height / height.std()
    result = np.dstack([slopes / slopes.std(), tone]) * 64 / 1.5
    return np.round(np.clip(result, -127, 127)).astype(np.int8).reshape(-1, 3)
