"""Any triangle mesh as pictures: FLAME heads and the templates of face data sets.

One material, or a colour for each vertex; three lights and the backdrop of the house figure. Two
samples to a pixel in each direction, normals interpolated over each triangle.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np
from jaxtyping import Float, Int, UInt8

from motet.errors import InputError
from motet.geometry.camera import Camera
from motet.kernel import kernel
from motet.render import raster, shading, surface

SAMPLES = 2
"""To a pixel in each direction."""
CLAY = (0.44, 0.38, 0.35)
"""Linear light of a surface without colours."""
INSIDE = 0.3
"""Brightness of what is seen from behind: the inside of an open mouth or neck."""
MARGIN = 1.2
"""Height of the picture over that of the mesh at rest."""
FIELD_OF_VIEW_RAD = math.radians(16.0)
"""As in DiffPoseTalk's published videos."""
SHINE, SHARPNESS = 0.05, 24.0
"""Weight and exponent of the highlight."""


class MeshRenderer:
    """Draws one topology in a fixed camera that is fitted to the mesh at rest, whatever its unit.

    Args:
        rest: the mesh whose frame the camera takes; it looks along -Z, with +Y up.
        faces: triangles, counter-clockwise seen from outside.
        size: height and width of the pictures, pixels.
        colours: linear light of each vertex; a plain clay when left out.

    Raises:
        InputError: an impossible size, or a mesh without extent.
    """

    def __init__(
        self,
        rest: Float[np.ndarray, "verts 3"],
        faces: Int[np.ndarray, "faces 3"],
        size: int,
        colours: Float[np.ndarray, "verts 3"] | None = None,
    ) -> None:
        if not 16 <= size <= 8192:
            raise InputError(f"a picture of {size} pixels cannot be drawn; 16 to 8192 can")
        low, high = rest.min(0), rest.max(0)
        self._centre, self._scale = (low + high) / 2, float((high - low)[:2].max())
        if not self._scale > 0:
            raise InputError("a mesh whose vertices all lie in one point cannot be drawn")
        distance = 0.5 * MARGIN / math.tan(FIELD_OF_VIEW_RAD / 2) + 0.5
        camera = Camera((0.0, 0.0, distance), (0.0, 0.0, 0.0), FIELD_OF_VIEW_RAD)
        self._eye = np.array(camera.eye, np.float32)
        self._world_to_camera = camera.world_to_camera().astype(np.float32)
        self._focal = np.float32(camera.focal(size) * SAMPLES)
        self._faces = np.ascontiguousarray(faces, np.int32)
        self._albedo = np.ascontiguousarray(
            np.broadcast_to(CLAY, rest.shape) if colours is None else colours, np.float32
        )
        self._two_sided = np.ones(len(faces), bool)
        self._depth = raster.DepthBuffer(SAMPLES * size, SAMPLES * size, len(faces))
        self._lights, self._table = shading.lights(), shading.srgb_table()
        self._backdrop = shading.background(size, size)
        self._size = size

    def frames(
        self, meshes: Iterable[Float[np.ndarray, "verts 3"]]
    ) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
        """Pictures in order, 8-bit sRGB, row 0 at the top."""
        normals = np.zeros((len(self._albedo), 3), np.float32)
        screen = np.zeros_like(normals)
        for vertices in meshes:
            placed = ((vertices - self._centre) / self._scale).astype(np.float32)
            surface.smooth_normals(placed, self._faces, normals)
            centre = np.float32(self._size * SAMPLES / 2)
            raster.project(placed, self._world_to_camera, self._focal, centre, centre, screen)
            self._depth.clear()
            self._depth.draw(screen, self._faces, self._two_sided)
            picture = np.zeros((self._size, self._size, 3), np.uint8)
            _shade(
                self._depth.keys, screen, placed, normals, self._albedo, self._faces, self._lights,
                shading.SKY, shading.GROUND, self._eye, self._backdrop, self._table, picture,
            )  # fmt: skip
            yield picture


@kernel
def _shade(
    keys, screen, vertices, normals, albedo, triangles, lights, sky, ground, eye, backdrop, table,
    picture,
):  # fmt: skip
    """The light of every sample, averaged over each pixel and encoded."""
    one, most = np.float32(1), np.float32(len(table) - 1)
    share = one / np.float32(SAMPLES * SAMPLES)
    for row in range(picture.shape[0]):
        for column in range(picture.shape[1]):
            red = green = blue = np.float32(0)
            for index in range(SAMPLES * SAMPLES):
                y, x = SAMPLES * row + index // SAMPLES, SAMPLES * column + index % SAMPLES
                t = np.int32(keys[y, x] & 0xFFFF_FFFF)
                if t == np.int32(-1):
                    red += backdrop[row, column, 0]
                    green += backdrop[row, column, 1]
                    blue += backdrop[row, column, 2]
                    continue
                a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
                px = np.float32(x) + np.float32(0.5) - screen[a, 0]
                py = np.float32(y) + np.float32(0.5) - screen[a, 1]
                ux, uy = screen[b, 0] - screen[a, 0], screen[b, 1] - screen[a, 1]
                wx, wy = screen[c, 0] - screen[a, 0], screen[c, 1] - screen[a, 1]
                area = wx * uy - ux * wy
                front = area > np.float32(0)
                # Corner weights on the screen, then over the surface: 1 / depth is linear.
                wb = (wx * py - wy * px) / area
                wc = (uy * px - ux * py) / area
                wb = min(one, max(np.float32(0), wb))
                wc = min(one - wb, max(np.float32(0), wc))
                wa = (one - wb - wc) * screen[a, 2]
                wb, wc = wb * screen[b, 2], wc * screen[c, 2]
                total = one / (wa + wb + wc)
                wa, wb, wc = wa * total, wb * total, wc * total
                nx = wa * normals[a, 0] + wb * normals[b, 0] + wc * normals[c, 0]
                ny = wa * normals[a, 1] + wb * normals[b, 1] + wc * normals[c, 1]
                nz = wa * normals[a, 2] + wb * normals[b, 2] + wc * normals[c, 2]
                side = one if front else -one
                length = np.sqrt(max(nx * nx + ny * ny + nz * nz, np.float32(1e-12)))
                nx, ny, nz = side * nx / length, side * ny / length, side * nz / length
                vx = eye[0] - vertices[a, 0]
                vy = eye[1] - vertices[a, 1]
                vz = eye[2] - vertices[a, 2]
                away = np.sqrt(vx * vx + vy * vy + vz * vz)
                up = np.float32(0.5) + np.float32(0.5) * ny
                bright = one if front else np.float32(INSIDE)
                for k in range(3):
                    own = wa * albedo[a, k] + wb * albedo[b, k] + wc * albedo[c, k]
                    light = own * (sky[k] * up + ground[k] * (one - up))
                    for source in range(lights.shape[0]):
                        lx, ly, lz = lights[source, 0], lights[source, 1], lights[source, 2]
                        facing = max(np.float32(0), nx * lx + ny * ly + nz * lz)
                        hx, hy, hz = lx + vx / away, ly + vy / away, lz + vz / away
                        half = np.sqrt(max(hx * hx + hy * hy + hz * hz, np.float32(1e-12)))
                        glint = max(np.float32(0), (nx * hx + ny * hy + nz * hz) / half)
                        shine = np.float32(SHINE) * glint ** np.float32(SHARPNESS)
                        light += lights[source, 3 + k] * (own * facing + shine * (facing > 0))
                    if k == 0:
                        red += bright * light
                    elif k == 1:
                        green += bright * light
                    else:
                        blue += bright * light
            picture[row, column, 0] = table[np.int32(min(one, red * share) * most)]
            picture[row, column, 1] = table[np.int32(min(one, green * share) * most)]
            picture[row, column, 2] = table[np.int32(min(one, blue * share) * most)]
