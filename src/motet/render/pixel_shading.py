"""Per-pixel shading: colours of the visible samples, averaged over each pixel (numba).

A row of pixels is processed in passes: `collect` lists the samples to be shaded, `interpolate`
fetches the vertex quantities, `add_detail` gives skin its pores and hair its strands, `reflect`
adds the highlights of `LANES` samples at a time, `shade_eyes` shades eyeballs, `develop` writes the
pixels.
"""

from __future__ import annotations

import numpy as np

from motet.kernel import kernel
from motet.render.detail import add_detail
from motet.render.eye_shading import shade_eyes
from motet.render.sample_layout import LANES, PACKED, STRAND, clamp, flat_weights

_TWO = np.uint32(2)
_0, _1, HALF = np.float32(0), np.float32(1), np.float32(0.5)
DIMMEST = np.float32(0.55)
"""Smaller cosines make no highlight. Its 128th power is still a normal number; subnormal ones would
be slow."""


@kernel
def collect(
    keys, row, left, right, still, screen, triangles, kind, group,
    pixels, sizes, seen, position, weight,
):  # fmt: skip
    """List the samples of a row of pixels that have to be shaded, pixel after pixel.

    Of the four samples of a pixel, those of one material at nearly the same depth are shaded
    together, and so are all that see the same triangle. Pixels that see only triangles below
    `still` are left out.

    Args:
        keys: int64, 2*height 2*width or more: see `motet.render.raster.DepthBuffer`.
        left, right: columns, the last one excluded.
        pixels, sizes: written: columns of the pixels, and the number of shaded samples of each.
        seen, position, weight: written: triangle, position on the screen and weight in its pixel of
            each shaded sample.

    Returns:
        Number of pixels, number of shaded samples.
    """
    count, n = np.uint32(0), np.uint32(0)
    quarter = np.float32(0.25)
    for column in range(np.uint32(left), np.uint32(right)):
        t0, t1 = np.int32(keys[2 * row, 2 * column]), np.int32(keys[2 * row, 2 * column + 1])
        t2 = np.int32(keys[2 * row + 1, 2 * column])
        t3 = np.int32(keys[2 * row + 1, 2 * column + 1])
        # Nothing that moves covers this pixel: the picture drawn once stays.
        if max(max(t0, t1), max(t2, t3)) < still:
            continue
        x, y = np.float32(np.int32(2 * column)), np.float32(np.int32(2 * row))
        pixels[count] = column
        first = n
        # One triangle covers the pixel: one sample in its middle.
        if t0 == t1 and t0 == t2 and t0 == t3:
            seen[n], position[n, 0], position[n, 1], weight[n] = t0, x + _1, y + _1, _1
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
                    step = abs(screen[np.uint32(triangles[max(o, 0), 0]), 2] - depth)
                    # Triangles of one surface at nearly one depth are shaded once: the cost is the
                    # shading.
                    is_close = step < np.float32(0.008) * depth
                    near = joins and o >= 0 and group[o] == group[t] and is_close
                    if o == t or near:
                        done |= 1 << other
                        size += _1
                        if o == t and not joins:
                            # Strands are flat: their mean colour is that of the mean position.
                            px += HALF + np.float32(other & 1)
                            py += HALF + np.float32(other >> 1)
                if not joins:
                    px, py = px / size, py / size
                elif size == np.float32(4):
                    px, py = _1, _1
                seen[n], position[n, 0], position[n, 1], weight[n] = (
                    t,
                    x + px,
                    y + py,
                    quarter * size,
                )
                n += np.uint32(1)
        sizes[count] = n - first
        count += np.uint32(1)
    return count, n


@kernel
def interpolate(count, seen, position, screen, triangles, packed, blocks):
    """Vertex quantities at each sample, in blocks of PACKED by LANES."""
    for i in range(np.uint32(count)):
        t = np.uint32(max(0, seen[i]))
        a, b, c = np.uint32(triangles[t, 0]), np.uint32(triangles[t, 1]), np.uint32(triangles[t, 2])
        # Weights in the picture: triangles are small enough for perspective not to matter.
        wa, wb, wc = flat_weights(screen, a, b, c, position[i, 0], position[i, 1])
        base = (i // np.uint32(LANES)) * np.uint32(PACKED * LANES) + i % np.uint32(LANES)
        for k in range(np.uint32(PACKED)):
            value = wa * packed[a, k] + wb * packed[b, k] + wc * packed[c, k]
            blocks[base + np.uint32(LANES) * k] = value


@kernel
def reflect(count, blocks, view, lights, halves, sky):
    """Add specular light in place: sky reflection at grazing angles, highlights of key and rim.

    The fill light is a large soft surface without a visible highlight. Strands have no gloss and
    stay as they are.
    """
    vx, vy, vz = view[0], view[1], view[2]
    sky_r, sky_g, sky_b = sky[0], sky[1], sky[2]
    key_x, key_y, key_z = halves[0, 0], halves[0, 1], halves[0, 2]
    key_r, key_g, key_b = lights[0, 3], lights[0, 4], lights[0, 5]
    rim_x, rim_y, rim_z = halves[2, 0], halves[2, 1], halves[2, 2]
    rim_r, rim_g, rim_b = lights[2, 3], lights[2, 4], lights[2, 5]
    for block in range((count + LANES - 1) // LANES):
        # Flat indices with constant steps: the compiler sees that lanes are independent.
        base = block * (PACKED * LANES)
        for lane in range(base, base + LANES):
            nx, ny = blocks[lane + 3 * LANES], blocks[lane + 4 * LANES]
            nz = blocks[lane + 5 * LANES]
            size = _1 / np.sqrt(nx * nx + ny * ny + nz * nz + np.float32(1e-20))
            nx, ny, nz = nx * size, ny * size, nz * size
            edge = _1 - max(_0, nx * vx + ny * vy + nz * vz)
            edge3 = edge * edge * edge
            fresnel = _1 + np.float32(5) * edge3 * edge * edge
            upward = np.float32(0.4) + np.float32(0.6) * max(_0, ny)
            mirror = blocks[lane + 8 * LANES] * edge3 * upward
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
            key = fresnel * (broad * near + sharp * near4 * near4)
            rim = fresnel * (broad * far + sharp * far4 * far4)
            blocks[lane] += mirror * sky_r + key * key_r + rim * rim_r
            blocks[lane + LANES] += mirror * sky_g + key * key_g + rim * rim_g
            blocks[lane + 2 * LANES] += mirror * sky_b + key * key_b + rim * rim_b


@kernel
def develop(count, pixels, sizes, seen, weight, blocks, backdrop, table, bytes_out):
    """Average the samples of each pixel, compress bright values, and write 8-bit sRGB."""
    top = np.float32(table.shape[0] - 1)
    knee, room, lanes = np.float32(0.7), np.float32(0.3), np.uint32(LANES)
    i = np.uint32(0)
    for k in range(count):
        column = np.uint32(pixels[k])
        red = green = blue = _0
        for _ in range(sizes[k]):
            w = weight[i]
            if seen[i] < 0:
                red += w * backdrop[column, 0]
                green += w * backdrop[column, 1]
                blue += w * backdrop[column, 2]
            else:
                base = (i // lanes) * np.uint32(PACKED * LANES) + i % lanes
                red += w * blocks[base]
                green += w * blocks[base + lanes]
                blue += w * blocks[base + _TWO * lanes]
            i += np.uint32(1)
        for channel in range(3):
            value = red if channel == 0 else (green if channel == 1 else blue)
            if value > knee:
                # Above the knee brightness approaches 1 smoothly instead of clipping.
                over = value - knee
                value = knee + room * over / (over + room)
            bytes_out[column, channel] = table[np.uint32(clamp(value) * top + HALF)]


@kernel
def shade(
    keys, box, still, screen, triangles, kind, group, packed, eye_frames, eye_of,
    rays, lights, halves, sky, irises, strands, pores, fineness, hair_ratio, backdrop, table, work,
    bytes_out,
):  # fmt: skip
    """Draw the pixels of a rectangle that see any triangle from `still` on.

    Args:
        keys: visibility of each sample, see `motet.render.raster.DepthBuffer`.
        box: first row, row after the last, first column, column after the last.
        kind: uint8, faces: SMOOTH, EYE or STRAND.
        group: uint8, faces: material; samples are shaded together only within one.
        packed: float32, verts 12: see `motet.render.sample_layout`.
        eye_frames: float32, 2 3 3: rotation from each eye's own axes (+Z is its axis) to the world.
        eye_of: uint8, faces: 0 left, 1 right.
        rays: float32, 3 3: direction from the scene to the camera at sample (column, row) is
            rays[0] + column rays[1] + row rays[2].
        halves: float32, lights 3: unit direction halfway between each light and the camera. Lenses
            here are long, so one direction serves all pixels; so does one view direction.
        strands, pores, fineness, hair_ratio: see `motet.render.detail.add_detail`.
        backdrop: float32, height width 3, linear light.
        table: uint8: sRGB of linear light 0..1.
        work: buffers for a row, from `row_buffers`.
        bytes_out: uint8, height width 3; written.
    """
    pixels, sizes, seen, position, weight, blocks = work
    height, width = np.float32(bytes_out.shape[0]), np.float32(bytes_out.shape[1])
    view = rays[0] + width * rays[1] + height * rays[2]
    top, bottom, left, right = box
    for row in range(np.uint32(top), np.uint32(bottom)):
        n_pixels, count = collect(
            keys, row, left, right, still, screen, triangles, kind, group,
            pixels, sizes, seen, position, weight,
        )  # fmt: skip
        if n_pixels == 0:
            continue
        interpolate(count, seen, position, screen, triangles, packed, blocks)
        add_detail(count, seen, kind, blocks, strands, pores, fineness, hair_ratio, lights)
        reflect(np.int64(count), blocks, view, lights, halves, sky)
        shade_eyes(
            count, seen, position, screen, triangles, kind, packed,
            eye_frames, eye_of, rays, lights, irises, blocks,
        )  # fmt: skip
        develop(n_pixels, pixels, sizes, seen, weight, blocks, backdrop[row], table, bytes_out[row])


def row_buffers(width: int) -> tuple[np.ndarray, ...]:
    """Buffers for `shade`: pixels, sizes, seen, position, weight, blocks."""
    samples = 4 * width
    return (
        np.zeros(width, np.uint32),
        np.zeros(width, np.uint32),
        np.zeros(samples, np.int32),
        np.zeros((samples, 2), np.float32),
        np.zeros(samples, np.float32),
        np.zeros(-(-samples // LANES) * PACKED * LANES, np.float32),
    )
