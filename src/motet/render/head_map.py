"""Octahedral map of the directions around the head, and textures over it (numba).

A direction falls on the octahedron |x| + |y| + |z| = 1, whose lower half is unfolded into a square
(Meyer et al., "On floating-point normal vectors", 2010). Textures of hair and skin need no seams,
and no texture coordinates at the vertices.
"""

from __future__ import annotations

import numpy as np

from motet.kernel import kernel

_0, _1, HALF = np.float32(0), np.float32(1), np.float32(0.5)


@kernel
def column_row(x, y, z, size):
    """Column and row (real numbers, 0..size) of a direction of any length."""
    scale = _1 / (abs(x) + abs(y) + abs(z) + np.float32(1e-12))
    u, v = x * scale, z * scale
    if y < _0:
        u, v = (
            (_1 - abs(v)) * (_1 if u >= _0 else -_1),
            (_1 - abs(u)) * (_1 if v >= _0 else -_1),
        )
    side = np.float32(size) * HALF
    return (u + _1) * side, (v + _1) * side


@kernel
def direction(column, row, size):
    """Unit direction of a place on the map."""
    side = np.float32(2.0) / np.float32(size)
    u, v = column * side - _1, row * side - _1
    y = _1 - abs(u) - abs(v)
    if y < _0:
        u, v = (
            (_1 - abs(v)) * (_1 if u >= _0 else -_1),
            (_1 - abs(u)) * (_1 if v >= _0 else -_1),
        )
    scale = _1 / np.sqrt(u * u + y * y + v * v)
    return u * scale, y * scale, v * scale


@kernel
def directions(size, out):
    """Unit direction of the middle of every texel, (size * size, 3)."""
    for row in range(size):
        for column in range(size):
            x, y, z = direction(np.float32(column) + HALF, np.float32(row) + HALF, size)
            k = row * size + column
            out[k, 0], out[k, 1], out[k, 2] = x, y, z


@kernel
def texel(x, y, z, size):
    """Index of the texel in whose square a direction falls."""
    column, row = column_row(x, y, z, size)
    c = min(size - 1, max(0, int(column)))
    r = min(size - 1, max(0, int(row)))
    return r * size + c


@kernel
def convolve_along(field, field_size, noise, size, steps, step, out):
    """Line integral convolution: noise averaged along the lines of a field (Cabral 1993).

    Args:
        field: float32, field_size**2 3: unit vectors; zero where there are no lines.
        noise: float32, size**2 channels.
        steps: samples to each side.
        step: length of a step, radians.
        out: float32, size**2 channels; written.
    """
    for row in range(size):
        for column in range(size):
            k = row * size + column
            x0, y0, z0 = direction(np.float32(column) + HALF, np.float32(row) + HALF, size)
            f = texel(x0, y0, z0, field_size)
            for channel in range(noise.shape[1]):
                out[k, channel] = noise[k, channel]
            if field[f, 0] == _0 and field[f, 1] == _0 and field[f, 2] == _0:
                continue
            count = _1
            for side in range(2):
                length = step if side == 0 else -step
                x, y, z = x0, y0, z0
                for _ in range(steps):
                    f = texel(x, y, z, field_size)
                    x += length * field[f, 0]
                    y += length * field[f, 1]
                    z += length * field[f, 2]
                    scale = _1 / np.sqrt(x * x + y * y + z * z)
                    x, y, z = x * scale, y * scale, z * scale
                    n = texel(x, y, z, size)
                    for channel in range(noise.shape[1]):
                        out[k, channel] += noise[n, channel]
                    count += _1
            for channel in range(noise.shape[1]):
                out[k, channel] /= count
