"""Layout of the shaded samples and what both shading modules compute with (numba).

Vertex quantities come in rows of `PACKED` numbers: light (3), normal (3), gloss (3), place (3: the
direction in the eye, or the place on the head relative to its middle, metres), cover (1: how far
skin lies above the hairline, see `motet.render.detail`). Hair has no normal there but what its
highlights need: the cosines between strand and half direction of key and rim light, the key light
on it; and in the last column the rim light. Samples are shaded `LANES` at a time, with their
quantities in blocks of PACKED by LANES.
"""

from __future__ import annotations

import numpy as np

from motet.kernel import kernel

SMOOTH, EYE, STRAND, HAIR, SKIN, CLOTH = (np.uint8(kind) for kind in range(6))
"""Kinds of triangles: opaque surfaces with highlights, eyeballs, thin strands without highlights of
their own, surfaces of hair, skin, cloth."""
PACKED = 13
LANES = 16
_0, _1 = np.float32(0), np.float32(1)


@kernel
def clamp(value):
    """Value limited to 0..1."""
    return min(_1, max(_0, value))


@kernel
def flat_weights(screen, a, b, c, x, y):
    """Barycentric weights at a point of the screen, for triangles too small to show perspective."""
    ax, ay = screen[a, 0], screen[a, 1]
    ux, uy = screen[b, 0] - ax, screen[b, 1] - ay
    wx, wy = screen[c, 0] - ax, screen[c, 1] - ay
    px, py = x - ax, y - ay
    scale = _1 / (ux * wy - wx * uy)
    wb = clamp((px * wy - wx * py) * scale)
    wc = min(_1 - wb, max(_0, (ux * py - px * uy) * scale))
    return _1 - wb - wc, wb, wc
