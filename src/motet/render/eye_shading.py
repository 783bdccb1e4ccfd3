"""Shading of the eyeballs: sclera, iris, pupil, and highlights of the cornea (numba)."""

from __future__ import annotations

import numpy as np

from motet.kernel import kernel
from motet.render.sample_layout import EYE, LANES, PACKED, clamp, flat_weights

CORNEA_BULGE = np.float32(0.75)
IRIS_RADIUS, PUPIL_RADIUS = np.float32(0.395), np.float32(0.150)
"""Relative to the eyeball's radius."""
_0, _1, _2, HALF = np.float32(0), np.float32(1), np.float32(2), np.float32(0.5)


@kernel
def half_angle(nx, ny, nz, vx, vy, vz, lx, ly, lz):
    """Cosine between the normal and the direction halfway between light and camera."""
    hx, hy, hz = lx + vx, ly + vy, lz + vz
    scale = _1 / np.sqrt(max(hx * hx + hy * hy + hz * hz, np.float32(1e-12)))
    return max(_0, (nx * hx + ny * hy + nz * hz) * scale)


@kernel
def iris_shade(x, y, radius):
    """Pattern of the iris at a point of the eye.

    Returns:
        Brightness, fraction of the inner colour, darkness of the limbus, coverage by the pupil,
        coverage by the whole iris.
    """
    angle = np.arctan2(y, x)
    inner = clamp((radius - PUPIL_RADIUS) / (IRIS_RADIUS - PUPIL_RADIUS))
    wobble = np.sin(angle * np.float32(7) + radius * np.float32(9))
    wave = np.sin(angle * np.float32(23) + np.float32(5) * wobble)
    fibre = wave * np.sin(angle * np.float32(41) + np.float32(1.7) + radius * np.float32(21))
    ring = HALF + HALF * np.sin(angle * np.float32(11) + _2 * np.sin(angle * np.float32(5)))
    # Light enters from above through the cornea and gathers in the lower part of the iris.
    bright = np.float32(0.9) - np.float32(0.55) * y / IRIS_RADIUS * inner
    bright *= _1 + np.float32(0.28) * fibre
    warm = clamp((np.float32(0.5) + np.float32(0.25) * ring - inner) / np.float32(0.4))
    limbus = clamp((radius - np.float32(0.32)) / np.float32(0.08))
    pupil = clamp((PUPIL_RADIUS + np.float32(0.012) - radius) / np.float32(0.024))
    cover = clamp((IRIS_RADIUS + np.float32(0.02) - radius) / np.float32(0.04))
    return bright, warm, limbus * limbus, pupil, cover


@kernel
def cornea(x, y, z, frame, vx, vy, vz, lights, light):
    """Highlight of one light on the cornea, which is more curved than the eyeball."""
    x, y = x * (_1 + CORNEA_BULGE), y * (_1 + CORNEA_BULGE)
    size = _1 / np.sqrt(x * x + y * y + z * z)
    nx = (frame[0, 0] * x + frame[0, 1] * y + frame[0, 2] * z) * size
    ny = (frame[1, 0] * x + frame[1, 1] * y + frame[1, 2] * z) * size
    nz = (frame[2, 0] * x + frame[2, 1] * y + frame[2, 2] * z) * size
    near = half_angle(nx, ny, nz, vx, vy, vz, lights[light, 0], lights[light, 1], lights[light, 2])
    soft = near * near
    soft *= soft
    soft *= soft
    soft *= soft
    bright = clamp((near - np.float32(0.9925)) / np.float32(0.0035))
    return (np.float32(1.2) if light == 0 else np.float32(0.25)) * bright + np.float32(0.05) * soft


@kernel
def eye_sample(packed, a, b, c, wa, wb, wc, vx, vy, vz, frame, lights, irises):
    """Colour of an eyeball: lit sclera, limbus, iris, pupil, and the highlight of the cornea.

    Args:
        a, b, c, wa, wb, wc: vertices of the triangle and their weights.
        vx, vy, vz: unit direction to the camera.
        frame: float32, 3 3: rotation from the eye's own axes to the world.
        irises: float32, 4 3: colours of outer iris, inner iris, pupil, limbus.
    """
    x = wa * packed[a, 9] + wb * packed[b, 9] + wc * packed[c, 9]
    y = wa * packed[a, 10] + wb * packed[b, 10] + wc * packed[c, 10]
    z = wa * packed[a, 11] + wb * packed[b, 11] + wc * packed[c, 11]
    size = _1 / np.sqrt(x * x + y * y + z * z + np.float32(1e-20))
    x, y, z = x * size, y * size, z * size
    red = wa * packed[a, 0] + wb * packed[b, 0] + wc * packed[c, 0]
    green = wa * packed[a, 1] + wb * packed[b, 1] + wc * packed[c, 1]
    blue = wa * packed[a, 2] + wb * packed[b, 2] + wc * packed[c, 2]
    lid = wa * packed[a, 6] + wb * packed[b, 6] + wc * packed[c, 6]  # occlusion by the lids
    # The upper lid and its lashes shade what lies high in the world, wherever the eye looks.
    height = frame[1, 0] * x + frame[1, 1] * y + frame[1, 2] * z
    under_lid = _1 - np.float32(0.50) * clamp((height - np.float32(0.06)) / np.float32(0.38))
    lid *= under_lid
    # Towards its corners the sclera is darker and redder.
    corner = clamp((abs(x) - np.float32(0.42)) / np.float32(0.45))
    red *= under_lid * (_1 - np.float32(0.10) * corner)
    green *= under_lid * (_1 - np.float32(0.24) * corner)
    blue *= under_lid * (_1 - np.float32(0.24) * corner)
    radius = np.sqrt(x * x + y * y)
    if z > _0 and radius < np.float32(0.45):
        pattern = iris_shade(x, y, radius)
        cover, lit = pattern[4], lid * pattern[4]
        red = red * (_1 - cover) + lit * iris_colour(pattern, irises, 0)
        green = green * (_1 - cover) + lit * iris_colour(pattern, irises, 1)
        blue = blue * (_1 - cover) + lit * iris_colour(pattern, irises, 2)
    for light in range(2):
        amount = cornea(x, y, z, frame, vx, vy, vz, lights, light) * lid
        red += amount * lights[light, 3]
        green += amount * lights[light, 4]
        blue += amount * lights[light, 5]
    return red, green, blue


@kernel
def iris_colour(pattern, irises, channel):
    """One colour channel of the iris from its pattern: fibres, limbus, pupil."""
    bright, warm, limbus, pupil, _ = pattern
    fibres = irises[0, channel] * (_1 - warm) + irises[1, channel] * warm
    return (
        (_1 - limbus) * (_1 - pupil) * bright * fibres
        + limbus * (_1 - pupil) * irises[3, channel]
        + pupil * irises[2, channel]
    )


@kernel
def shade_eyes(
    count, seen, position, screen, triangles, kind, packed,
    eye_frames, eye_of, rays, lights, irises, blocks,
):  # fmt: skip
    """Write the colours of the samples on eyeballs into `blocks`; see `pixel_shading.shade`."""
    for i in range(count):
        t = seen[i]
        if t < 0 or kind[t] != EYE:
            continue
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        x, y = position[i, 0], position[i, 1]
        wa, wb, wc = flat_weights(screen, a, b, c, x, y)
        vx = rays[0, 0] + x * rays[1, 0] + y * rays[2, 0]
        vy = rays[0, 1] + x * rays[1, 1] + y * rays[2, 1]
        vz = rays[0, 2] + x * rays[1, 2] + y * rays[2, 2]
        size = _1 / np.sqrt(vx * vx + vy * vy + vz * vz)
        vx, vy, vz = vx * size, vy * size, vz * size
        frame = eye_frames[eye_of[t]]
        colour = eye_sample(packed, a, b, c, wa, wb, wc, vx, vy, vz, frame, lights, irises)
        base = (i // LANES) * (PACKED * LANES) + i % LANES
        for channel in range(3):
            blocks[base + channel * LANES] = colour[channel]
