"""Shadow map of the key light with soft edges, sampled at the vertices (numba)."""

from __future__ import annotations

import numpy as np

from motet.kernel import kernel
from motet.render import raster

MAP_SIZE = 192
REACH_M = 0.19
"""Half the side of the square that the map covers around the head."""
BIAS_M = 0.004
SPREAD = 2
"""Texels to each side over which the edge of a shadow is softened."""


@kernel
def to_light(points, frame, focus, scale, screen):
    """Orthographic projection into the map: column, row, nearness (2 at the focus)."""
    middle = np.float32(MAP_SIZE) * np.float32(0.5)
    for v in range(points.shape[0]):
        x, y, z = points[v, 0] - focus[0], points[v, 1] - focus[1], points[v, 2] - focus[2]
        screen[v, 0] = middle + scale * (frame[0, 0] * x + frame[0, 1] * y + frame[0, 2] * z)
        screen[v, 1] = middle - scale * (frame[1, 0] * x + frame[1, 1] * y + frame[1, 2] * z)
        screen[v, 2] = np.float32(2) + frame[2, 0] * x + frame[2, 1] * y + frame[2, 2] * z


@kernel
def look_up(screen, normals, direction, keys, bias, shadow):
    """Fraction of the light that reaches each vertex (percentage-closer filtering).

    The texels around it that are no nearer to the light count, weighted by the vertex's position
    between texels, so that shadows move smoothly.
    """
    size = keys.shape[0]
    steep = np.float32(1) / bias
    for v in range(screen.shape[0]):
        facing = normals[v, 0] * direction[0] + normals[v, 1] * direction[1]
        facing += normals[v, 2] * direction[2]
        if facing < np.float32(-0.45):
            # Turned away from the light: unlit in any case.
            shadow[v] = np.float32(1)
            continue
        column, row = screen[v, 0] - np.float32(0.5), screen[v, 1] - np.float32(0.5)
        c, r = int(np.floor(column)), int(np.floor(row))
        if c < SPREAD or r < SPREAD or c + SPREAD + 1 >= size or r + SPREAD + 1 >= size:
            shadow[v] = np.float32(1)
            continue
        fc, fr = column - np.float32(c), row - np.float32(r)
        limit = screen[v, 2] + bias
        free = np.float32(0)
        for dr in range(-SPREAD, SPREAD + 2):
            wr = (
                np.float32(1) - fr if dr == -SPREAD else (fr if dr == SPREAD + 1 else np.float32(1))
            )
            for dc in range(-SPREAD, SPREAD + 2):
                wc = np.float32(1)
                if dc == -SPREAD:
                    wc = np.float32(1) - fc
                elif dc == SPREAD + 1:
                    wc = fc
                nearness = np.int32(keys[r + dr, c + dc] >> 32).view(np.float32)
                # An empty texel casts nothing, however far from the focus the receiver lies.
                caster = keys[r + dr, c + dc] != raster.EMPTY
                over = (nearness - limit) * steep if caster else np.float32(0)
                free += wr * wc * (np.float32(1) - min(np.float32(1), max(np.float32(0), over)))
        shadow[v] = free / np.float32((2 * SPREAD + 1) ** 2)


class ShadowMap:
    """Buffers for the shadow of one light.

    Args:
        direction: unit vector towards the light.
        focus: centre of the map, metres.
        triangles: int32, faces 3: shadow casters over the unrefined figure's vertices.
        n_casters, n_receivers: vertices of both.
        reach_m: half the side of the square that the map covers around the focus.
        bias_m: depth over which a shadow fades in.
    """

    def __init__(
        self,
        direction: np.ndarray,
        focus: np.ndarray,
        triangles: np.ndarray,
        n_casters: int,
        n_receivers: int,
        reach_m: float = REACH_M,
        bias_m: float = BIAS_M,
    ) -> None:
        right = np.cross([0.0, 1.0, 0.0], direction)
        right /= np.linalg.norm(right)
        self._frame = np.stack([right, np.cross(direction, right), direction]).astype(np.float32)
        self.focus = focus.astype(np.float32)
        self._scale, self._bias = np.float32(MAP_SIZE / 2 / reach_m), np.float32(bias_m)
        self._triangles, self._two_sided = triangles, np.ones(len(triangles), bool)
        self._casters = np.zeros((n_casters, 3), np.float32)
        self._receivers = np.zeros((n_receivers, 3), np.float32)
        self._depth = raster.DepthBuffer(MAP_SIZE, MAP_SIZE, len(triangles))

    def cast(
        self, casters: np.ndarray, receivers: np.ndarray, normals: np.ndarray, shadow: np.ndarray
    ) -> None:
        """Write into `shadow` the fraction of the light that reaches each receiver."""
        to_light(casters, self._frame, self.focus, self._scale, self._casters)
        self._depth.clear()
        self._depth.draw(self._casters, self._triangles, self._two_sided)
        to_light(receivers, self._frame, self.focus, self._scale, self._receivers)
        look_up(self._receivers, normals, self._frame[2], self._depth.keys, self._bias, shadow)

    def falls_on(self, points: np.ndarray, shadow: np.ndarray) -> None:
        """The same for other points that all face the light; `cast` must come first."""
        screen = np.empty_like(points)
        to_light(points, self._frame, self.focus, self._scale, screen)
        direction = self._frame[2]
        normals = np.broadcast_to(direction, points.shape)
        look_up(screen, normals, direction, self._depth.keys, self._bias, shadow)
