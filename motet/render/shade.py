"""Per-pixel work: colours of the visible samples, averaged over each pixel (numba).

Vertex quantities come packed in rows of `PACKED` numbers: light (3), normal (3), gloss (3), direction in the eye (3).
"""

from __future__ import annotations

import numpy as np

from motet.render.kernel import kernel

SMOOTH, EYE, STRAND = np.uint8(0), np.uint8(1), np.uint8(2)
"""Kinds of triangles: opaque surfaces with highlights, eyeballs, and thin things without highlights of their own."""

PACKED = 12
CORNEA_BULGE = np.float32(0.75)
IRIS_RADIUS, PUPIL_RADIUS = np.float32(0.395), np.float32(0.150)
"""Relative to the eyeball's radius."""

_0, _1, _2, HALF = np.float32(0), np.float32(1), np.float32(2), np.float32(0.5)


@kernel
def clamp(value):
    """Value limited to 0..1."""
    return min(_1, max(_0, value))


@kernel
def half_angle(nx, ny, nz, vx, vy, vz, lx, ly, lz):
    """Cosine between the normal and the direction halfway between light and eye."""
    hx, hy, hz = lx + vx, ly + vy, lz + vz
    scale = _1 / np.sqrt(max(hx * hx + hy * hy + hz * hz, np.float32(1e-12)))
    return max(_0, (nx * hx + ny * hy + nz * hz) * scale)


@kernel
def iris_shade(x, y, radius):
    """Pattern of the iris at a place in the eye: brightness, share of the inner colour, darkness of the limbus, share of the pupil, cover."""
    angle = np.arctan2(y, x)
    inner = clamp((radius - PUPIL_RADIUS) / (IRIS_RADIUS - PUPIL_RADIUS))
    wave = np.sin(angle * np.float32(23) + np.float32(5) * np.sin(angle * np.float32(7) + radius * np.float32(9)))
    fibre = wave * np.sin(angle * np.float32(41) + np.float32(1.7) + radius * np.float32(21))
    ring = HALF + HALF * np.sin(angle * np.float32(11) + _2 * np.sin(angle * np.float32(5)))
    # Light falls in from above through the cornea and gathers in the lower part of the iris.
    bright = (np.float32(0.9) - np.float32(0.55) * y / IRIS_RADIUS * inner) * (_1 + np.float32(0.28) * fibre)
    warm = clamp((np.float32(0.5) + np.float32(0.25) * ring - inner) / np.float32(0.4))
    limbus = clamp((radius - np.float32(0.32)) / np.float32(0.08))
    pupil = clamp((PUPIL_RADIUS + np.float32(0.012) - radius) / np.float32(0.024))
    cover = clamp((IRIS_RADIUS + np.float32(0.02) - radius) / np.float32(0.04))
    return bright, warm, limbus * limbus, pupil, cover


@kernel
def cornea(x, y, z, frame, vx, vy, vz, lights, which):
    """Highlight of one light on the bulging cornea, whose normals turn away faster than the eyeball's."""
    x, y = x * (_1 + CORNEA_BULGE), y * (_1 + CORNEA_BULGE)
    size = _1 / np.sqrt(x * x + y * y + z * z)
    nx = (frame[0, 0] * x + frame[0, 1] * y + frame[0, 2] * z) * size
    ny = (frame[1, 0] * x + frame[1, 1] * y + frame[1, 2] * z) * size
    nz = (frame[2, 0] * x + frame[2, 1] * y + frame[2, 2] * z) * size
    near = half_angle(nx, ny, nz, vx, vy, vz, lights[which, 0], lights[which, 1], lights[which, 2])
    soft = near * near
    soft *= soft
    soft *= soft
    soft *= soft
    return np.float32(1.2) * clamp((near - np.float32(0.9905)) / np.float32(0.004)) + np.float32(0.05) * soft


@kernel
def highlight(nx, ny, nz, vx, vy, vz, broad, sharp, lights, which):
    """Strength of one light's reflection on a surface."""
    near = half_angle(nx, ny, nz, vx, vy, vz, lights[which, 0], lights[which, 1], lights[which, 2])
    n2 = near * near
    n4 = n2 * n2
    n8 = n4 * n4
    n16 = n8 * n8
    n32 = n16 * n16
    n64 = n32 * n32
    return broad * n16 + sharp * n64 * n64


@kernel
def corner_shares(screen, a, b, c, x, y):
    """Perspective-correct shares of a triangle's corners at a sample."""
    ax, ay = screen[a, 0], screen[a, 1]
    ux, uy = screen[b, 0] - ax, screen[b, 1] - ay
    wx, wy = screen[c, 0] - ax, screen[c, 1] - ay
    px, py = x - ax, y - ay
    scale = _1 / (ux * wy - wx * uy)
    wb = clamp((px * wy - wx * py) * scale)
    wc = min(_1 - wb, max(_0, (ux * py - px * uy) * scale))
    za, zb, zc = (_1 - wb - wc) * screen[a, 2], wb * screen[b, 2], wc * screen[c, 2]
    total = _1 / (za + zb + zc)
    return za * total, zb * total, zc * total


@kernel
def surface_sample(packed, a, b, c, wa, wb, wc, vx, vy, vz, lights, sky):
    """Colour of an opaque surface: vertex light and highlights."""
    nx = wa * packed[a, 3] + wb * packed[b, 3] + wc * packed[c, 3]
    ny = wa * packed[a, 4] + wb * packed[b, 4] + wc * packed[c, 4]
    nz = wa * packed[a, 5] + wb * packed[b, 5] + wc * packed[c, 5]
    size = _1 / np.sqrt(nx * nx + ny * ny + nz * nz + np.float32(1e-20))
    nx, ny, nz = nx * size, ny * size, nz * size
    red = wa * packed[a, 0] + wb * packed[b, 0] + wc * packed[c, 0]
    green = wa * packed[a, 1] + wb * packed[b, 1] + wc * packed[c, 1]
    blue = wa * packed[a, 2] + wb * packed[b, 2] + wc * packed[c, 2]
    broad = wa * packed[a, 6] + wb * packed[b, 6] + wc * packed[c, 6]
    sharp = wa * packed[a, 7] + wb * packed[b, 7] + wc * packed[c, 7]
    edge = _1 - max(_0, nx * vx + ny * vy + nz * vz)
    edge3 = edge * edge * edge
    fresnel = _1 + np.float32(5) * edge3 * edge * edge
    reflect = (wa * packed[a, 8] + wb * packed[b, 8] + wc * packed[c, 8]) * edge3 * (np.float32(0.4) + np.float32(0.6) * max(_0, ny))
    red, green, blue = red + reflect * sky[0], green + reflect * sky[1], blue + reflect * sky[2]
    for which in range(lights.shape[0]):
        amount = highlight(nx, ny, nz, vx, vy, vz, broad, sharp, lights, which) * fresnel
        red, green, blue = red + amount * lights[which, 3], green + amount * lights[which, 4], blue + amount * lights[which, 5]
    return red, green, blue


@kernel
def eye_sample(packed, a, b, c, wa, wb, wc, vx, vy, vz, frame, lights, irises):
    """Colour of an eyeball: lit sclera, limbus, iris, pupil, and the highlight of the cornea."""
    x = wa * packed[a, 9] + wb * packed[b, 9] + wc * packed[c, 9]
    y = wa * packed[a, 10] + wb * packed[b, 10] + wc * packed[c, 10]
    z = wa * packed[a, 11] + wb * packed[b, 11] + wc * packed[c, 11]
    size = _1 / np.sqrt(x * x + y * y + z * z + np.float32(1e-20))
    x, y, z = x * size, y * size, z * size
    red = wa * packed[a, 0] + wb * packed[b, 0] + wc * packed[c, 0]
    green = wa * packed[a, 1] + wb * packed[b, 1] + wc * packed[c, 1]
    blue = wa * packed[a, 2] + wb * packed[b, 2] + wc * packed[c, 2]
    lid = wa * packed[a, 6] + wb * packed[b, 6] + wc * packed[c, 6]
    radius = np.sqrt(x * x + y * y)
    if z > _0 and radius < np.float32(0.45):
        bright, warm, limbus, pupil, cover = iris_shade(x, y, radius)
        keep = (_1 - limbus) * (_1 - pupil) * bright
        dark = limbus * (_1 - pupil)
        lit = lid * cover
        red = red * (_1 - cover) + lit * (keep * (irises[0, 0] * (_1 - warm) + irises[1, 0] * warm) + dark * irises[3, 0] + pupil * irises[2, 0])
        green = green * (_1 - cover) + lit * (keep * (irises[0, 1] * (_1 - warm) + irises[1, 1] * warm) + dark * irises[3, 1] + pupil * irises[2, 1])
        blue = blue * (_1 - cover) + lit * (keep * (irises[0, 2] * (_1 - warm) + irises[1, 2] * warm) + dark * irises[3, 2] + pupil * irises[2, 2])
    for which in range(2):
        amount = cornea(x, y, z, frame, vx, vy, vz, lights, which) * lid
        red, green, blue = red + amount * lights[which, 3], green + amount * lights[which, 4], blue + amount * lights[which, 5]
    return red, green, blue


@kernel
def shade(seen, screen, triangles, kind, group, packed, eye_frames, eye_of, rays, lights, sky, irises, still, backdrop, picture):
    """Average the four samples of each pixel.

    Samples of the same kind at nearly the same depth share one shading. Pixels that see only triangles below `still` are left as they are
    in `picture`.

    Args:
        seen: int32, 2*height 2*width: triangle of each sample.
        kind: uint8, faces: SMOOTH, EYE or STRAND.
        group: uint8, faces: material; samples are shaded together only within one.
        packed: float32, verts 12.
        eye_frames: float32, 2 3 3: rotation from each eye's own frame (axis +Z) to the world.
        eye_of: uint8, faces: 0 left, 1 right.
        rays: float32, 3 3: direction from the scene to the camera at sample (column, row) is rays[0] + column rays[1] + row rays[2].
        still: number of triangles, counted from the first, that never change.
        backdrop: float32, height width 3, linear light.
        picture: float32, height width 3, linear light; written.
    """
    for row in range(picture.shape[0]):
        for column in range(picture.shape[1]):
            t0, t1 = seen[2 * row, 2 * column], seen[2 * row, 2 * column + 1]
            t2, t3 = seen[2 * row + 1, 2 * column], seen[2 * row + 1, 2 * column + 1]
            if max(max(t0, t1), max(t2, t3)) < still:
                continue
            red = green = blue = _0
            done = 0
            for s in range(4):
                if done & (1 << s):
                    continue
                t = t0 if s == 0 else (t1 if s == 1 else (t2 if s == 2 else t3))
                if t < 0:
                    red, green, blue = red + backdrop[row, column, 0], green + backdrop[row, column, 1], blue + backdrop[row, column, 2]
                    continue
                a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
                if kind[t] == STRAND:
                    x, y = np.float32(2 * column + (s & 1)) + HALF, np.float32(2 * row + (s >> 1)) + HALF
                    wa, wb, wc = corner_shares(screen, a, b, c, x, y)
                    red += wa * packed[a, 0] + wb * packed[b, 0] + wc * packed[c, 0]
                    green += wa * packed[a, 1] + wb * packed[b, 1] + wc * packed[c, 1]
                    blue += wa * packed[a, 2] + wb * packed[b, 2] + wc * packed[c, 2]
                    continue
                share = _1
                depth = screen[a, 2]
                for other in range(s + 1, 4):
                    o = t1 if other == 1 else (t2 if other == 2 else t3)
                    if o >= 0 and group[o] == group[t] and not done & (1 << other) and abs(screen[triangles[o, 0], 2] - depth) < np.float32(0.008) * depth:
                        done |= 1 << other
                        share += _1
                x, y = np.float32(2 * column + (s & 1)) + HALF, np.float32(2 * row + (s >> 1)) + HALF
                if share == np.float32(4):
                    x, y = np.float32(2 * column + 1), np.float32(2 * row + 1)
                wa, wb, wc = corner_shares(screen, a, b, c, x, y)
                vx, vy = rays[0, 0] + x * rays[1, 0] + y * rays[2, 0], rays[0, 1] + x * rays[1, 1] + y * rays[2, 1]
                vz = rays[0, 2] + x * rays[1, 2] + y * rays[2, 2]
                size = _1 / np.sqrt(vx * vx + vy * vy + vz * vz)
                vx, vy, vz = vx * size, vy * size, vz * size
                if kind[t] == SMOOTH:
                    r, g, u = surface_sample(packed, a, b, c, wa, wb, wc, vx, vy, vz, lights, sky)
                else:
                    r, g, u = eye_sample(packed, a, b, c, wa, wb, wc, vx, vy, vz, eye_frames[eye_of[t]], lights, irises)
                red, green, blue = red + share * r, green + share * g, blue + share * u
            quarter = np.float32(0.25)
            picture[row, column, 0], picture[row, column, 1], picture[row, column, 2] = quarter * red, quarter * green, quarter * blue


@kernel
def encode(picture, seen, still, table, bytes_out):
    """Linear light to 8-bit sRGB through a table over 0..1, after a gentle shoulder for bright values; still pixels are left as they are."""
    top = np.float32(table.shape[0] - 1)
    knee, room = np.float32(0.7), np.float32(0.3)
    for row in range(picture.shape[0]):
        for column in range(picture.shape[1]):
            first = max(seen[2 * row, 2 * column], seen[2 * row, 2 * column + 1])
            if max(first, max(seen[2 * row + 1, 2 * column], seen[2 * row + 1, 2 * column + 1])) < still:
                continue
            for k in range(3):
                value = picture[row, column, k]
                if value > knee:
                    over = value - knee
                    value = knee + room * over / (over + room)
                bytes_out[row, column, k] = table[int(clamp(value) * top + HALF)]
