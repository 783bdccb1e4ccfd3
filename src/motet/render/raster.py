"""Rasterisation: the nearest triangle of each sample of the picture (numba).

Depth and triangle share one integer a sample: nearness (the bits of a positive float sort like an
integer) above the index of the triangle. The nearest surface is the largest integer, so the inner
loop has no branch and is vectorised.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

from motet.kernel import kernel

NOTHING = -1
"""Triangle index of a sample that sees only the background."""

EMPTY = np.int64(0xFFFF_FFFF)
"""A sample that sees nothing: nearness 0, triangle `NOTHING`."""

STRIP = 8
"""Samples of a row that are processed together; rows of a buffer are padded by as many."""


@kernel
def project(vertices, world_to_camera, focal, centre_x, centre_y, screen):
    """Column, row and 1 / depth of world points, written into `screen` (float32, verts 3).

    The same as `motet.geometry.camera.Camera.pixels`.
    """
    m = world_to_camera
    for v in range(vertices.shape[0]):
        x, y, z = vertices[v, 0], vertices[v, 1], vertices[v, 2]
        cx = m[0, 0] * x + m[0, 1] * y + m[0, 2] * z + m[0, 3]
        cy = m[1, 0] * x + m[1, 1] * y + m[1, 2] * z + m[1, 3]
        cz = m[2, 0] * x + m[2, 1] * y + m[2, 2] * z + m[2, 3]
        inverse = np.float32(1.0) / max(-cz, np.float32(1e-3))
        screen[v, 0] = centre_x + focal * cx * inverse
        screen[v, 1] = centre_y - focal * cy * inverse
        screen[v, 2] = inverse


@kernel
def facing(screen, triangles, two_sided, first_triangle, chosen):
    """Write the front-facing or two-sided triangles from `first_triangle` on into `chosen`.

    Returns:
        Their number.
    """
    count = 0
    for t in range(first_triangle, triangles.shape[0]):
        a, b, c = np.uint32(triangles[t, 0]), np.uint32(triangles[t, 1]), np.uint32(triangles[t, 2])
        ux, uy = screen[b, 0] - screen[a, 0], screen[b, 1] - screen[a, 1]
        wx, wy = screen[c, 0] - screen[a, 0], screen[c, 1] - screen[a, 1]
        area = wx * uy - ux * wy
        chosen[count] = t
        count += (area > np.float32(0)) | (two_sided[t] & (area < np.float32(0)))
    return count


@kernel
def rasterise(screen, triangles, chosen, count, keys):
    """Draw the first `count` of the chosen triangles.

    Sample (row, column) lies at (column + 0.5, row + 0.5). Triangles with a corner of 1 / depth <=
    0 are left out. All samples of the bounding rectangle are tested, in strips: for triangles of a
    few samples that is far cheaper than computing where each row begins and ends.

    Args:
        screen: float32, verts 3: column, row, 1 / depth.
        triangles: int32, faces 3.
        chosen: int32: indices of triangles.
        keys: int64, height (width + STRIP), changed in place: see `DepthBuffer`.
    """
    height, width = np.float32(keys.shape[0]), np.float32(keys.shape[1] - STRIP)
    zero, half, one = np.float32(0), np.float32(0.5), np.float32(1)
    # Tolerance at the edges, in samples along the row: no cracks between neighbours by rounding.
    slack = np.float32(1e-3)
    for position in range(count):
        t = np.uint32(chosen[position])
        a, b, c = np.uint32(triangles[t, 0]), np.uint32(triangles[t, 1]), np.uint32(triangles[t, 2])
        za = screen[a, 2]
        zb, zc = screen[b, 2] - za, screen[c, 2] - za
        if za <= zero or za + zb <= zero or za + zc <= zero:
            continue
        ax, ay = screen[a, 0], screen[a, 1]
        ux, uy = screen[b, 0] - ax, screen[b, 1] - ay
        wx, wy = screen[c, 0] - ax, screen[c, 1] - ay
        left = max(zero, np.ceil(ax + min(zero, min(ux, wx)) - half))
        right = min(width - one, np.floor(ax + max(zero, max(ux, wx)) - half))
        top = max(zero, np.ceil(ay + min(zero, min(uy, wy)) - half))
        bottom = min(height - one, np.floor(ay + max(zero, max(uy, wy)) - half))
        if left > right or top > bottom:
            continue
        # Weight of each corner, and nearness, as linear functions of the sample position.
        scale = one / (wx * uy - ux * wy)
        wb_x, wb_y, wc_x, wc_y = -wy * scale, wx * scale, uy * scale, -ux * scale
        wa_x, wa_y = -wb_x - wc_x, -wb_y - wc_y
        z_x, z_y = zb * wb_x + zc * wc_x, zb * wb_y + zc * wc_y
        x0, y0 = left + half - ax, top + half - ay
        wb, wc = wb_x * x0 + wb_y * y0, wc_x * x0 + wc_y * y0
        wa = one - wb - wc
        z = za + zb * wb + zc * wc
        wa, wb, wc = wa + slack * abs(wa_x), wb + slack * abs(wb_x), wc + slack * abs(wc_x)
        first = np.uint32(left)
        strip = (np.uint32(right) - first + np.uint32(STRIP)) & np.uint32(0xFFFF_FFFF - (STRIP - 1))
        index = np.int64(t)
        for row in range(np.uint32(top), np.uint32(bottom) + 1):
            line = keys[row, first : first + strip]
            for k in range(strip):
                along = np.float32(np.int32(k))
                weight = min(wa + wa_x * along, min(wb + wb_x * along, wc + wc_x * along))
                key = (np.int64(np.float32(z + z_x * along).view(np.int32)) << 32) | index
                old = line[k]
                line[k] = key if (weight >= zero) & (key > old) else old
            wa, wb, wc, z = wa + wa_y, wb + wb_y, wc + wc_y, z + z_y


class DepthBuffer:
    """Nearest triangle and its depth for each sample of a picture.

    Args:
        height, width: samples.
        faces: most triangles that will be drawn at once.
    """

    def __init__(self, height: int, width: int, faces: int) -> None:
        self.keys = np.full((height, width + STRIP), EMPTY, np.int64)
        """Bits of the nearest 1 / depth above the index of its triangle."""
        self._chosen = np.empty(faces + 1, np.int32)

    def clear(self) -> None:
        """Remove all triangles."""
        self.keys.fill(EMPTY)

    def draw(
        self,
        screen: Float[np.ndarray, "verts 3"],
        triangles: Int[np.ndarray, "faces 3"],
        two_sided: Bool[np.ndarray, " faces"],
        first: int = 0,
    ) -> None:
        """Draw all triangles from index `first` on.

        Corners that run clockwise on the screen (y down) show a back face, which is drawn only if
        the triangle is two-sided.
        """
        count = facing(screen, triangles, two_sided, first, self._chosen)
        rasterise(screen, triangles, self._chosen, count, self.keys)

    @property
    def seen(self) -> Int[np.ndarray, "height width"]:
        """Index of the nearest triangle of each sample, `NOTHING` where there is none."""
        return (self.keys[:, :-STRIP] & EMPTY).astype(np.uint32).view(np.int32)

    @property
    def nearness(self) -> Float[np.ndarray, "height width"]:
        """1 / depth of the nearest surface, 0 where there is none."""
        return (self.keys[:, :-STRIP] >> 32).astype(np.int32).view(np.float32)
