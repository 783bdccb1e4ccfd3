"""Per-pixel work: colours of the visible samples, averaged over each pixel (numba).

Vertex quantities come packed in rows of `PACKED` numbers: light (3), normal (3), gloss (3),
direction in the eye (3).

A row of pixels is worked on in passes: `collect` lists what has to be shaded, `interpolate` fetches
the vertex quantities, `reflect` adds the highlights, sixteen places at a time, `develop` writes the
pixels.
"""

from __future__ import annotations

import numpy as np

from motet.render.kernel import kernel

SMOOTH, EYE, STRAND = np.uint8(0), np.uint8(1), np.uint8(2)
"""Kinds of triangles: opaque surfaces with highlights, eyeballs, and thin things without highlights
of their own."""

PACKED = 12
LANES = 16
"""Places that are shaded together; their quantities lie in blocks of PACKED by LANES."""
CORNEA_BULGE = np.float32(0.75)
IRIS_RADIUS, PUPIL_RADIUS = np.float32(0.395), np.float32(0.150)
"""Relative to the eyeball's radius."""

_TWO = np.uint32(2)
_0, _1, _2, HALF = np.float32(0), np.float32(1), np.float32(2), np.float32(0.5)
DIMMEST = np.float32(0.55)
"""Cosines below it make no highlight; its 128th power is still a normal number, and others would be
slow."""


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
    """Pattern of the iris at a place in the eye: brightness, share of the inner colour, darkness of
    the limbus, share of the pupil, cover.
    """
    angle = np.arctan2(y, x)
    inner = clamp((radius - PUPIL_RADIUS) / (IRIS_RADIUS - PUPIL_RADIUS))
    wave = np.sin(
        angle * np.float32(23)
        + np.float32(5) * np.sin(angle * np.float32(7) + radius * np.float32(9))
    )
    fibre = wave * np.sin(angle * np.float32(41) + np.float32(1.7) + radius * np.float32(21))
    ring = HALF + HALF * np.sin(angle * np.float32(11) + _2 * np.sin(angle * np.float32(5)))
    # Light falls in from above through the cornea and gathers in the lower part of the iris.
    bright = (np.float32(0.9) - np.float32(0.55) * y / IRIS_RADIUS * inner) * (
        _1 + np.float32(0.28) * fibre
    )
    warm = clamp((np.float32(0.5) + np.float32(0.25) * ring - inner) / np.float32(0.4))
    limbus = clamp((radius - np.float32(0.32)) / np.float32(0.08))
    pupil = clamp((PUPIL_RADIUS + np.float32(0.012) - radius) / np.float32(0.024))
    cover = clamp((IRIS_RADIUS + np.float32(0.02) - radius) / np.float32(0.04))
    return bright, warm, limbus * limbus, pupil, cover


@kernel
def cornea(x, y, z, frame, vx, vy, vz, lights, which):
    """Highlight of one light on the bulging cornea, whose normals turn away faster than the
    eyeball's.
    """
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
    bright = clamp((near - np.float32(0.9925)) / np.float32(0.0035))
    return (np.float32(1.2) if which == 0 else np.float32(0.25)) * bright + np.float32(0.05) * soft


@kernel
def flat_shares(screen, a, b, c, x, y):
    """Shares of a triangle's corners at a sample on the screen, for triangles too small to show
    perspective.
    """
    ax, ay = screen[a, 0], screen[a, 1]
    ux, uy = screen[b, 0] - ax, screen[b, 1] - ay
    wx, wy = screen[c, 0] - ax, screen[c, 1] - ay
    px, py = x - ax, y - ay
    scale = _1 / (ux * wy - wx * uy)
    wb = clamp((px * wy - wx * py) * scale)
    wc = min(_1 - wb, max(_0, (ux * py - px * uy) * scale))
    return _1 - wb - wc, wb, wc


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
        red = red * (_1 - cover) + lit * (
            keep * (irises[0, 0] * (_1 - warm) + irises[1, 0] * warm)
            + dark * irises[3, 0]
            + pupil * irises[2, 0]
        )
        green = green * (_1 - cover) + lit * (
            keep * (irises[0, 1] * (_1 - warm) + irises[1, 1] * warm)
            + dark * irises[3, 1]
            + pupil * irises[2, 1]
        )
        blue = blue * (_1 - cover) + lit * (
            keep * (irises[0, 2] * (_1 - warm) + irises[1, 2] * warm)
            + dark * irises[3, 2]
            + pupil * irises[2, 2]
        )
    for which in range(2):
        amount = cornea(x, y, z, frame, vx, vy, vz, lights, which) * lid
        red, green, blue = (
            red + amount * lights[which, 3],
            green + amount * lights[which, 4],
            blue + amount * lights[which, 5],
        )
    return red, green, blue


@kernel
def collect(
    keys, row, left, right, still, screen, triangles, kind, group, pixels, sizes, seen, where, share
):
    """List the places of a row of pixels, columns `left` to before `right`, that have to be shaded,
    pixel after pixel.

    Samples of the same kind at nearly the same depth share one shading, and so do all samples that
    see the same triangle. Pixels that see only triangles below `still` are left out.

    Args:
        keys: int64, 2*height 2*width or more: see `motet.render.raster.DepthBuffer`.
        pixels, sizes: written: columns of the pixels, and how many places each has.
        seen, where, share: written: triangle, position on the screen and share in its pixel of each
            place.

    Returns:
        Number of pixels, number of places.
    """
    count, n = np.uint32(0), np.uint32(0)
    quarter = np.float32(0.25)
    for column in range(np.uint32(left), np.uint32(right)):
        t0, t1 = np.int32(keys[2 * row, 2 * column]), np.int32(keys[2 * row, 2 * column + 1])
        t2, t3 = (
            np.int32(keys[2 * row + 1, 2 * column]),
            np.int32(keys[2 * row + 1, 2 * column + 1]),
        )
        if max(max(t0, t1), max(t2, t3)) < still:
            continue
        x, y = np.float32(np.int32(2 * column)), np.float32(np.int32(2 * row))
        pixels[count] = column
        first = n
        if t0 == t1 and t0 == t2 and t0 == t3:
            seen[n], where[n, 0], where[n, 1], share[n] = t0, x + _1, y + _1, _1
            n += np.uint32(1)
        else:
            done = 0
            for s in range(4):
                if (done >> s) & 1:
                    continue
                t = t0 if s == 0 else (t1 if s == 1 else (t2 if s == 2 else t3))
                joins = t >= 0 and kind[t] != STRAND
                depth = screen[np.uint32(triangles[t, 0]), 2] if joins else _0
                px, py, size = HALF + np.float32(s & 1), HALF + np.float32(s >> 1), _1
                for other in range(s + 1, 4):
                    o = t1 if other == 1 else (t2 if other == 2 else t3)
                    if (done >> other) & 1:
                        continue
                    near = (
                        joins
                        and o >= 0
                        and group[o] == group[t]
                        and abs(screen[np.uint32(triangles[o, 0]), 2] - depth)
                        < np.float32(0.008) * depth
                    )
                    if o == t or near:
                        done |= 1 << other
                        size += _1
                        if o == t and not joins:
                            # Strands are flat: their mean colour is that of the mean place.
                            px, py = (
                                px + HALF + np.float32(other & 1),
                                py + HALF + np.float32(other >> 1),
                            )
                if not joins:
                    px, py = px / size, py / size
                elif size == np.float32(4):
                    px, py = _1, _1
                seen[n], where[n, 0], where[n, 1], share[n] = t, x + px, y + py, quarter * size
                n += np.uint32(1)
        sizes[count] = n - first
        count += np.uint32(1)
    return count, n


@kernel
def interpolate(count, seen, where, screen, triangles, packed, blocks):
    """Vertex quantities at each place, in blocks of PACKED by LANES; perspective is nothing within
    triangles this small.
    """
    for i in range(np.uint32(count)):
        t = np.uint32(max(0, seen[i]))
        a, b, c = np.uint32(triangles[t, 0]), np.uint32(triangles[t, 1]), np.uint32(triangles[t, 2])
        wa, wb, wc = flat_shares(screen, a, b, c, where[i, 0], where[i, 1])
        base = (i // np.uint32(LANES)) * np.uint32(PACKED * LANES) + i % np.uint32(LANES)
        for k in range(np.uint32(9)):
            blocks[base + np.uint32(LANES) * k] = (
                wa * packed[a, k] + wb * packed[b, k] + wc * packed[c, k]
            )


@kernel
def reflect(count, blocks, view, lights, halves, sky):
    """Turn vertex light into colour, in place: reflection of the sky at grazing angles, highlights
    of key and rim light.

    The fill light is a large soft surface: it makes no highlight worth its cost. Strands have no
    gloss and stay as they are.
    """
    vx, vy, vz = view[0], view[1], view[2]
    sky_r, sky_g, sky_b = sky[0], sky[1], sky[2]
    key_x, key_y, key_z, key_r, key_g, key_b = (
        halves[0, 0],
        halves[0, 1],
        halves[0, 2],
        lights[0, 3],
        lights[0, 4],
        lights[0, 5],
    )
    rim_x, rim_y, rim_z, rim_r, rim_g, rim_b = (
        halves[2, 0],
        halves[2, 1],
        halves[2, 2],
        lights[2, 3],
        lights[2, 4],
        lights[2, 5],
    )
    for block in range((count + LANES - 1) // LANES):
        # Flat numbering with constant steps: the compiler sees that the lanes do not touch each
        # other.
        base = block * (PACKED * LANES)
        for lane in range(base, base + LANES):
            nx, ny, nz = (
                blocks[lane + 3 * LANES],
                blocks[lane + 4 * LANES],
                blocks[lane + 5 * LANES],
            )
            size = _1 / np.sqrt(nx * nx + ny * ny + nz * nz + np.float32(1e-20))
            nx, ny, nz = nx * size, ny * size, nz * size
            edge = _1 - max(_0, nx * vx + ny * vy + nz * vz)
            edge3 = edge * edge * edge
            fresnel = _1 + np.float32(5) * edge3 * edge * edge
            mirror = (
                blocks[lane + 8 * LANES] * edge3 * (np.float32(0.4) + np.float32(0.6) * max(_0, ny))
            )
            near = max(DIMMEST, nx * key_x + ny * key_y + nz * key_z)
            near *= near
            near *= near
            near *= near
            near *= near
            far = max(DIMMEST, nx * rim_x + ny * rim_y + nz * rim_z)
            far *= far
            far *= far
            far *= far
            far *= far
            # Broad highlights are sixteenth powers, sharp ones 128th.
            near2, far2 = near * near, far * far
            near4, far4 = near2 * near2, far2 * far2
            broad, sharp = blocks[lane + 6 * LANES], blocks[lane + 7 * LANES]
            key, rim = (
                fresnel * (broad * near + sharp * near4 * near4),
                fresnel * (broad * far + sharp * far4 * far4),
            )
            blocks[lane] += mirror * sky_r + key * key_r + rim * rim_r
            blocks[lane + LANES] += mirror * sky_g + key * key_g + rim * rim_g
            blocks[lane + 2 * LANES] += mirror * sky_b + key * key_b + rim * rim_b


@kernel
def see_eyes(
    count,
    seen,
    where,
    screen,
    triangles,
    kind,
    packed,
    eye_frames,
    eye_of,
    rays,
    lights,
    irises,
    blocks,
):
    """Colours of the places on eyeballs."""
    for i in range(count):
        t = seen[i]
        if t < 0 or kind[t] != EYE:
            continue
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        x, y = where[i, 0], where[i, 1]
        wa, wb, wc = flat_shares(screen, a, b, c, x, y)
        vx, vy = (
            rays[0, 0] + x * rays[1, 0] + y * rays[2, 0],
            rays[0, 1] + x * rays[1, 1] + y * rays[2, 1],
        )
        vz = rays[0, 2] + x * rays[1, 2] + y * rays[2, 2]
        size = _1 / np.sqrt(vx * vx + vy * vy + vz * vz)
        red, green, blue = eye_sample(
            packed,
            a,
            b,
            c,
            wa,
            wb,
            wc,
            vx * size,
            vy * size,
            vz * size,
            eye_frames[eye_of[t]],
            lights,
            irises,
        )
        base = (i // LANES) * (PACKED * LANES) + i % LANES
        blocks[base], blocks[base + LANES], blocks[base + 2 * LANES] = red, green, blue


@kernel
def develop(count, pixels, sizes, seen, share, blocks, backdrop, table, bytes_out):
    """Mix the places of each pixel and write it in 8-bit sRGB, through a table over 0..1, after a
    gentle shoulder for bright values.
    """
    top = np.float32(table.shape[0] - 1)
    knee, room, quantum = np.float32(0.7), np.float32(0.3), np.uint32(LANES)
    i = np.uint32(0)
    for k in range(count):
        column = np.uint32(pixels[k])
        red = green = blue = _0
        for _ in range(sizes[k]):
            weight = share[i]
            if seen[i] < 0:
                red, green, blue = (
                    red + weight * backdrop[column, 0],
                    green + weight * backdrop[column, 1],
                    blue + weight * backdrop[column, 2],
                )
            else:
                base = (i // quantum) * np.uint32(PACKED * LANES) + i % quantum
                red, green, blue = (
                    red + weight * blocks[base],
                    green + weight * blocks[base + quantum],
                    blue + weight * blocks[base + _TWO * quantum],
                )
            i += np.uint32(1)
        for channel in range(3):
            value = red if channel == 0 else (green if channel == 1 else blue)
            if value > knee:
                over = value - knee
                value = knee + room * over / (over + room)
            bytes_out[column, channel] = table[np.uint32(clamp(value) * top + HALF)]


@kernel
def shade(
    keys, box, still, screen, triangles, kind, group, packed, eye_frames, eye_of, rays, lights, halves, sky, irises, backdrop, table, work, bytes_out
):  # fmt: skip
    """Draw the pixels of a rectangle that see any triangle from `still` on.

    Args:
        keys: what each sample sees, see `motet.render.raster.DepthBuffer`.
        box: first row, row after the last, first column, column after the last.
        kind: uint8, faces: SMOOTH, EYE or STRAND.
        group: uint8, faces: material; samples are shaded together only within one.
        packed: float32, verts 12.
        eye_frames: float32, 2 3 3: rotation from each eye's own frame (axis +Z) to the world.
        eye_of: uint8, faces: 0 left, 1 right.
        rays: float32, 3 3: direction from the scene to the camera at sample (column, row) is
            rays[0] + column rays[1] + row rays[2].
        halves: float32, lights 3: unit direction halfway between each light and the camera (lenses
            here are long: one for all pixels; so too the view that decides reflections at grazing
                angles).
        backdrop: float32, height width 3, linear light.
        table: uint8: sRGB of linear light.
        work: room for a row, from `room_for_row`.
        bytes_out: uint8, height width 3; written.
    """
    pixels, sizes, seen, where, share, blocks = work
    view = (
        rays[0]
        + np.float32(bytes_out.shape[1]) * rays[1]
        + np.float32(bytes_out.shape[0]) * rays[2]
    )
    top, bottom, left, right = box
    for row in range(np.uint32(top), np.uint32(bottom)):
        count, places = collect(
            keys,
            row,
            left,
            right,
            still,
            screen,
            triangles,
            kind,
            group,
            pixels,
            sizes,
            seen,
            where,
            share,
        )
        if count == 0:
            continue
        interpolate(places, seen, where, screen, triangles, packed, blocks)
        reflect(np.int64(places), blocks, view, lights, halves, sky)
        see_eyes(
            places,
            seen,
            where,
            screen,
            triangles,
            kind,
            packed,
            eye_frames,
            eye_of,
            rays,
            lights,
            irises,
            blocks,
        )
        develop(count, pixels, sizes, seen, share, blocks, backdrop[row], table, bytes_out[row])


def room_for_row(width: int) -> tuple[np.ndarray, ...]:
    """Working room for `shade`."""
    places = 4 * width
    blocks = np.zeros(-(-places // LANES) * PACKED * LANES, np.float32)
    return (
        np.zeros(width, np.uint32), np.zeros(width, np.uint32), np.zeros(places, np.int32), np.zeros((places, 2), np.float32),
        np.zeros(places, np.float32), blocks,
    )  # fmt: skip
