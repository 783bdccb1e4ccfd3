"""Per-pixel work: colours of the visible samples, averaged over each pixel (numba)."""

from __future__ import annotations

import numpy as np

from motet.render.kernel import kernel

SMOOTH, EYE, STRAND = 0, 1, 2
"""Kinds of triangles: opaque surfaces with highlights, eyeballs, and thin things whose colour is fixed at the vertices."""


@kernel
def _corners(screen, triangles, t, x, y, weights):
    """Perspective-correct shares of a triangle's corners at a sample; returns nothing, fills `weights`."""
    a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
    ax, ay = screen[a, 0], screen[a, 1]
    ux, uy = screen[b, 0] - ax, screen[b, 1] - ay
    wx, wy = screen[c, 0] - ax, screen[c, 1] - ay
    px, py = x - ax, y - ay
    scale = np.float32(1) / (ux * wy - wx * uy)
    wb = min(np.float32(1), max(np.float32(0), (px * wy - wx * py) * scale))
    wc = min(np.float32(1) - wb, max(np.float32(0), (ux * py - px * uy) * scale))
    za, zb, zc = (np.float32(1) - wb - wc) * screen[a, 2], wb * screen[b, 2], wc * screen[c, 2]
    total = np.float32(1) / (za + zb + zc)
    weights[0], weights[1], weights[2] = za * total, zb * total, zc * total


@kernel
def _gloss(normal, view, gloss, lights, sky, colour):
    """Add highlights of the lights and a soft reflection of the sky to `colour`. `gloss`: broad, sharp, rim."""
    nv = max(np.float32(0), normal[0] * view[0] + normal[1] * view[1] + normal[2] * view[2])
    edge = np.float32(1) - nv
    edge2 = edge * edge
    fresnel = np.float32(1) + np.float32(5) * edge2 * edge2 * edge
    for light in range(lights.shape[0]):
        hx, hy, hz = lights[light, 0] + view[0], lights[light, 1] + view[1], lights[light, 2] + view[2]
        scale = np.float32(1) / np.sqrt(max(hx * hx + hy * hy + hz * hz, np.float32(1e-12)))
        nh = max(np.float32(0), (normal[0] * hx + normal[1] * hy + normal[2] * hz) * scale)
        n2 = nh * nh
        n4 = n2 * n2
        n8 = n4 * n4
        n16 = n8 * n8
        n32 = n16 * n16
        n64 = n32 * n32
        amount = (gloss[0] * n16 + gloss[1] * n64 * n64) * fresnel
        for k in range(3):
            colour[k] += amount * lights[light, 3 + k]
    up = np.float32(0.4) + np.float32(0.6) * max(np.float32(0), normal[1])
    for k in range(3):
        colour[k] += gloss[2] * edge2 * edge * sky[k] * up


@kernel
def _eye_colour(local, normal, view, lid, irises, lights, sky, colour):
    """Eyeball: sclera, limbus, iris with fibres, pupil, and the highlight of the cornea.

    Args:
        local: unit direction from the eye's centre in the eye's own frame, its axis at +Z.
        lid: 0..1 light that the lids let through, already in `colour` (the lit sclera).
        irises: float32, 4 3: outer iris, inner iris, pupil, limbus.
    """
    radius = np.sqrt(local[0] * local[0] + local[1] * local[1])
    if local[2] > 0 and radius < np.float32(0.46):
        angle = np.arctan2(local[1], local[0])
        edge, pupil = np.float32(0.385), np.float32(0.150)
        inner = min(np.float32(1), max(np.float32(0), (radius - pupil) / (edge - pupil)))
        fibre = np.sin(angle * 23 + np.float32(5) * np.sin(angle * 7 + radius * 9)) * np.sin(angle * 41 + 1.7 + radius * 21)
        ring = np.float32(0.5) + np.float32(0.5) * np.sin(angle * 11 + 2 * np.sin(angle * 5))
        # Light falls in from above and gathers at the lower part of the iris.
        caustic = np.float32(0.85) - np.float32(1.1) * local[1] / edge * inner * np.float32(0.5)
        in_iris = min(np.float32(1), max(np.float32(0), (edge + np.float32(0.018) - radius) / np.float32(0.036)))
        in_pupil = min(np.float32(1), max(np.float32(0), (pupil + np.float32(0.012) - radius) / np.float32(0.024)))
        limbus = min(np.float32(1), max(np.float32(0), (radius - np.float32(0.315)) / np.float32(0.075)))
        warm = min(np.float32(1), max(np.float32(0), (np.float32(0.55) + np.float32(0.22) * ring - inner) / np.float32(0.4)))
        for k in range(3):
            iris = irises[0, k] * (np.float32(1) - warm) + irises[1, k] * warm
            iris *= caustic * (np.float32(1) + np.float32(0.28) * fibre)
            iris = iris * (np.float32(1) - limbus * limbus) + irises[3, k] * limbus * limbus
            iris = iris * (np.float32(1) - in_pupil) + irises[2, k] * in_pupil
            colour[k] = colour[k] * (np.float32(1) - in_iris) + iris * lid * in_iris
    # The cornea bulges: its normals turn away faster than the eyeball's.
    for light in range(lights.shape[0]):
        hx, hy, hz = lights[light, 0] + view[0], lights[light, 1] + view[1], lights[light, 2] + view[2]
        scale = np.float32(1) / np.sqrt(max(hx * hx + hy * hy + hz * hz, np.float32(1e-12)))
        nh = max(np.float32(0), (normal[0] * hx + normal[1] * hy + normal[2] * hz) * scale)
        bright = min(np.float32(1), max(np.float32(0), (nh - np.float32(0.9945)) / np.float32(0.0030)))
        soft = nh
        for _ in range(6):
            soft *= soft
        for k in range(3):
            colour[k] += (np.float32(0.75) * bright + np.float32(0.05) * soft) * lights[light, 3 + k] * lid


@kernel
def shade(seen, screen, triangles, kind, vertices, normals, lit, gloss, eye_local, eye_frames, eye_of, camera, lights, sky, irises, background, picture):
    """Average the four samples of each pixel.

    Samples of the same kind at nearly the same depth share one shading.

    Args:
        seen: int32, 2*height 2*width: triangle of each sample.
        kind: uint8, faces: SMOOTH, EYE or STRAND.
        eye_local: float32, verts 3: unit direction from the eye's centre in the eye's own frame (eyeballs only).
        eye_frames: float32, 2 3 3: rotation from each eye's frame to the world.
        eye_of: uint8, faces: 0 left, 1 right.
        background: float32, height width 3, linear light.
        picture: float32, height width 3, linear light; written.
    """
    height, width = picture.shape[0], picture.shape[1]
    weights, normal, view, colour, total = np.zeros(3, np.float32), np.zeros(3, np.float32), np.zeros(3, np.float32), np.zeros(3, np.float32), np.zeros(3, np.float32)
    shine, local = np.zeros(3, np.float32), np.zeros(3, np.float32)
    owner, taken = np.zeros(4, np.int32), np.zeros(4, np.bool_)
    for row in range(height):
        for column in range(width):
            owner[0], owner[1] = seen[2 * row, 2 * column], seen[2 * row, 2 * column + 1]
            owner[2], owner[3] = seen[2 * row + 1, 2 * column], seen[2 * row + 1, 2 * column + 1]
            if owner[0] < 0 and owner[1] < 0 and owner[2] < 0 and owner[3] < 0:
                for k in range(3):
                    picture[row, column, k] = background[row, column, k]
                continue
            total[:] = 0
            taken[:] = False
            for s in range(4):
                if taken[s]:
                    continue
                t = owner[s]
                if t < 0:
                    for k in range(3):
                        total[k] += background[row, column, k]
                    continue
                x, y = np.float32(2 * column + (s & 1) + 0.5), np.float32(2 * row + (s >> 1) + 0.5)
                share = np.float32(1)
                if kind[t] != STRAND:
                    depth = screen[triangles[t, 0], 2]
                    for other in range(s + 1, 4):
                        o = owner[other]
                        if o >= 0 and not taken[other] and kind[o] == kind[t] and abs(screen[triangles[o, 0], 2] - depth) < np.float32(0.008) * depth:
                            taken[other] = True
                            share += np.float32(1)
                    if share == 4:
                        x, y = np.float32(2 * column + 1), np.float32(2 * row + 1)
                _corners(screen, triangles, t, x, y, weights)
                for k in range(3):
                    colour[k] = (
                        weights[0] * lit[triangles[t, 0], k] + weights[1] * lit[triangles[t, 1], k] + weights[2] * lit[triangles[t, 2], k]
                    )
                if kind[t] != STRAND:
                    _finish(t, kind, triangles, weights, vertices, normals, gloss, eye_local, eye_frames, eye_of, camera, lights, sky, irises, normal, view, shine, local, colour)
                for k in range(3):
                    total[k] += share * colour[k]
            for k in range(3):
                picture[row, column, k] = np.float32(0.25) * total[k]


@kernel
def _finish(t, kind, triangles, weights, vertices, normals, gloss, eye_local, eye_frames, eye_of, camera, lights, sky, irises, normal, view, shine, local, colour):
    """Highlights of one shaded sample."""
    a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
    for k in range(3):
        normal[k] = weights[0] * normals[a, k] + weights[1] * normals[b, k] + weights[2] * normals[c, k]
        view[k] = camera[k] - (weights[0] * vertices[a, k] + weights[1] * vertices[b, k] + weights[2] * vertices[c, k])
        shine[k] = weights[0] * gloss[a, k] + weights[1] * gloss[b, k] + weights[2] * gloss[c, k]
        local[k] = weights[0] * eye_local[a, k] + weights[1] * eye_local[b, k] + weights[2] * eye_local[c, k]
    size = np.float32(1) / np.sqrt(normal[0] * normal[0] + normal[1] * normal[1] + normal[2] * normal[2] + np.float32(1e-20))
    far = np.float32(1) / np.sqrt(view[0] * view[0] + view[1] * view[1] + view[2] * view[2])
    for k in range(3):
        normal[k] *= size
        view[k] *= far
    if kind[t] == SMOOTH:
        _gloss(normal, view, shine, lights, sky, colour)
        return
    size = np.float32(1) / np.sqrt(local[0] * local[0] + local[1] * local[1] + local[2] * local[2] + np.float32(1e-20))
    for k in range(3):
        local[k] *= size
    bulge = np.float32(0.75)
    frame = eye_frames[eye_of[t]]
    x, y, z = local[0] * (np.float32(1) + bulge), local[1] * (np.float32(1) + bulge), local[2]
    size = np.float32(1) / np.sqrt(x * x + y * y + z * z)
    for k in range(3):
        normal[k] = (frame[k, 0] * x + frame[k, 1] * y + frame[k, 2] * z) * size
    _eye_colour(local, normal, view, shine[0], irises, lights, sky, colour)


@kernel
def encode(picture, table, bytes_out):
    """Linear light to 8-bit sRGB through a table over 0..1 after a gentle shoulder for bright values."""
    top = table.shape[0] - 1
    for row in range(picture.shape[0]):
        for column in range(picture.shape[1]):
            for k in range(3):
                value = picture[row, column, k]
                if value > np.float32(0.7):
                    over = value - np.float32(0.7)
                    value = np.float32(0.7) + np.float32(0.3) * over / (over + np.float32(0.3))
                bytes_out[row, column, k] = table[int(min(np.float32(1), max(np.float32(0), value)) * top + np.float32(0.5))]
