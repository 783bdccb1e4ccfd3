"""Triangles with base-colour textures as pictures: avatars of users (numba).

Two samples to a pixel in each direction. Opaque triangles and those with a cut-out texture are
found first, then see-through ones are laid over the pixels from the farthest to the nearest. Lights
and backdrop are those of the house figure.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from motet.geometry.camera import Camera
from motet.kernel import kernel
from motet.render import raster, shading, surface

SAMPLES = 2
"""To a pixel in each direction."""
WRAP = 0.3
"""How far light reaches around an edge."""
SHINE, SHARPNESS = 0.03, 20.0
"""Weight and exponent of the highlight."""
TOON_SHADE, TOON_EDGE = 0.82, 0.12
"""Brightness of the darker tone, and half the width of the edge between both."""
_0, _1, _HALF = np.float32(0), np.float32(1), np.float32(0.5)


@dataclasses.dataclass(frozen=True)
class TexturedMesh:
    """What of a figure does not change from frame to frame."""

    triangles: Int[np.ndarray, "faces 3"]
    materials: Int[np.ndarray, " faces"]
    texture_places: Float[np.ndarray, "verts 2"]
    colours: Float[np.ndarray, "verts 4"]
    """Linear light and opacity, times that of the material."""
    normal_of: Int[np.ndarray, " verts"]
    """Number of each vertex's normal: vertices with one number share it."""
    factors: Float[np.ndarray, "materials 5"]
    """Linear light, opacity, and least opacity that is drawn."""
    textures: Int[np.ndarray, "materials 3"]
    """First texel, width and height; width 0: no texture."""
    texels: UInt8[np.ndarray, "texels 4"]
    """All textures one after the other: sRGB and opacity."""
    cut_out: Bool[np.ndarray, " materials"]
    see_through: Bool[np.ndarray, " materials"]
    two_sided: Bool[np.ndarray, " materials"]
    toon: Bool[np.ndarray, " materials"]


class TexturedRenderer:
    """Draws one mesh in a fixed camera.

    Args:
        mesh: its triangles and materials.
        camera: where it is seen from.
        width, height: pixels of the pictures.
        backdrop: linear light behind it; the neutral one when left out.
    """

    def __init__(
        self,
        mesh: TexturedMesh,
        camera: Camera,
        width: int,
        height: int,
        backdrop: Float[np.ndarray, "height width 3"] | None = None,
    ) -> None:
        self._mesh, self._width, self._height = mesh, width, height
        self._eye = np.array(camera.eye, np.float32)
        self._world_to_camera = camera.world_to_camera().astype(np.float32)
        self._focal = np.float32(camera.focal(height) * SAMPLES)
        self._backdrop = shading.background(width, height) if backdrop is None else backdrop
        self._lights, self._table = shading.lights(), shading.srgb_table()
        self._linear = shading.linear_from_srgb(np.arange(256))
        two_sided = mesh.two_sided[mesh.materials]
        plain = ~(mesh.cut_out | mesh.see_through)[mesh.materials]
        # Triangles of other kinds keep their index and are left out by having no extent.
        self._solid = np.where(plain[:, None], mesh.triangles, 0).astype(np.int32)
        self._cut = np.flatnonzero(mesh.cut_out[mesh.materials]).astype(np.int32)
        self._clear = np.flatnonzero(mesh.see_through[mesh.materials]).astype(np.int32)
        self._two_sided = two_sided
        size = SAMPLES * height, SAMPLES * width
        self._depth = raster.DepthBuffer(*size, len(mesh.triangles))
        # Normals are made over shared vertices, so that seams of textures do not show.
        self._shared_triangles = mesh.normal_of[mesh.triangles].astype(np.int32)

    def draw(self, vertices: Float[np.ndarray, "verts 3"]) -> UInt8[np.ndarray, "height width 3"]:
        """One picture, 8-bit sRGB, row 0 at the top; vertices in metres."""
        mesh = self._mesh
        placed = np.ascontiguousarray(vertices, np.float32)
        screen, normals = np.zeros_like(placed), self._normals(placed)
        centre = (np.float32(SAMPLES * side / 2) for side in (self._width, self._height))
        raster.project(placed, self._world_to_camera, self._focal, *centre, screen)
        self._depth.clear()
        self._depth.draw(screen, self._solid, self._two_sided)
        look = (
            mesh.triangles, mesh.materials, mesh.texture_places, mesh.colours, mesh.factors,
            mesh.textures, mesh.texels, self._linear,
        )  # fmt: skip
        light = (
            placed, normals, mesh.toon, self._lights, shading.SKY, shading.GROUND, self._eye,
        )  # fmt: skip
        _cut_out(self._depth.keys, screen, self._cut, self._two_sided, look)
        linear = np.empty((self._height, self._width, 3), np.float32)
        _resolve(self._depth.keys, screen, self._backdrop, look, light, linear)
        nearness = screen[mesh.triangles[self._clear]][..., 2].mean(axis=1)
        ordered = self._clear[np.argsort(nearness, kind="stable")]
        _lay_over(self._depth.keys, screen, ordered, self._two_sided, look, light, linear)
        picture = np.empty((self._height, self._width, 3), np.uint8)
        _develop(linear, self._table, picture)
        return picture

    def _normals(self, placed: np.ndarray) -> Float[np.ndarray, "verts 3"]:
        shared = np.zeros((int(self._mesh.normal_of.max()) + 1, 3), np.float32)
        shared[self._mesh.normal_of] = placed
        normals = np.zeros_like(shared)
        surface.smooth_normals(shared, self._shared_triangles, normals)
        return normals[self._mesh.normal_of]


@kernel
def _shares(screen, a, b, c, x, y):
    """Weights of the corners at a sample, over the surface; the third is negative outside."""
    px, py = x - screen[a, 0], y - screen[a, 1]
    ux, uy = screen[b, 0] - screen[a, 0], screen[b, 1] - screen[a, 1]
    wx, wy = screen[c, 0] - screen[a, 0], screen[c, 1] - screen[a, 1]
    scale = _1 / (wx * uy - ux * wy)
    # On the screen first; 1 / depth is linear there.
    wb, wc = (wx * py - wy * px) * scale, (uy * px - ux * py) * scale
    return _1 - wb - wc, wb, wc


@kernel
def _over_surface(screen, a, b, c, wa, wb, wc):
    """From weights on the screen to weights over the surface, within the triangle."""
    wb = min(_1, max(_0, wb))
    wc = min(_1 - wb, max(_0, wc))
    wa = (_1 - wb - wc) * screen[a, 2]
    wb, wc = wb * screen[b, 2], wc * screen[c, 2]
    total = _1 / (wa + wb + wc)
    return wa * total, wb * total, wc * total


@kernel
def _colour(t, a, b, c, wa, wb, wc, look):
    """Linear light and opacity of a point."""
    _, materials, positions, colours, factors, textures, texels, linear = look
    material = materials[t]
    red = factors[material, 0] * (wa * colours[a, 0] + wb * colours[b, 0] + wc * colours[c, 0])
    green = factors[material, 1] * (wa * colours[a, 1] + wb * colours[b, 1] + wc * colours[c, 1])
    blue = factors[material, 2] * (wa * colours[a, 2] + wb * colours[b, 2] + wc * colours[c, 2])
    alpha = factors[material, 3] * (wa * colours[a, 3] + wb * colours[b, 3] + wc * colours[c, 3])
    width, height = textures[material, 1], textures[material, 2]
    if width == 0:
        return red, green, blue, alpha
    u = wa * positions[a, 0] + wb * positions[b, 0] + wc * positions[c, 0]
    v = wa * positions[a, 1] + wb * positions[b, 1] + wc * positions[c, 1]
    x = (u - np.floor(u)) * np.float32(width) - _HALF
    y = (v - np.floor(v)) * np.float32(height) - _HALF
    column, row = np.int64(np.floor(x)), np.int64(np.floor(y))
    right, down = x - np.float32(column), y - np.float32(row)
    texture_red = texture_green = texture_blue = texture_alpha = _0
    for corner in range(4):
        across, below = corner & 1, corner >> 1
        share = (right if across else _1 - right) * (down if below else _1 - down)
        # Textures repeat.
        texel = textures[material, 0] + (row + below) % height * width + (column + across) % width
        texture_red += share * linear[texels[texel, 0]]
        texture_green += share * linear[texels[texel, 1]]
        texture_blue += share * linear[texels[texel, 2]]
        texture_alpha += share * np.float32(texels[texel, 3]) / np.float32(255)
    return red * texture_red, green * texture_green, blue * texture_blue, alpha * texture_alpha


@kernel
def _lit(t, a, b, c, wa, wb, wc, front, red, green, blue, materials, light):
    """The light that a point of this colour sends to the camera."""
    positions, normals, toon, lights, sky, ground, eye = light
    nx = wa * normals[a, 0] + wb * normals[b, 0] + wc * normals[c, 0]
    ny = wa * normals[a, 1] + wb * normals[b, 1] + wc * normals[c, 1]
    nz = wa * normals[a, 2] + wb * normals[b, 2] + wc * normals[c, 2]
    length = np.sqrt(max(nx * nx + ny * ny + nz * nz, np.float32(1e-12)))
    side = (_1 if front else -_1) / length
    nx, ny, nz = side * nx, side * ny, side * nz
    if toon[materials[t]]:
        facing = nx * lights[0, 0] + ny * lights[0, 1] + nz * lights[0, 2]
        edge = np.float32(TOON_EDGE)
        share = min(_1, max(_0, (facing + edge) / (edge + edge)))
        tone = np.float32(TOON_SHADE) + np.float32(1 - TOON_SHADE) * share
        return red * tone, green * tone, blue * tone
    vx, vy, vz = eye[0] - positions[a, 0], eye[1] - positions[a, 1], eye[2] - positions[a, 2]
    away = _1 / np.sqrt(vx * vx + vy * vy + vz * vz)
    up = _HALF + _HALF * ny
    total_r = red * (sky[0] * up + ground[0] * (_1 - up))
    total_g = green * (sky[1] * up + ground[1] * (_1 - up))
    total_b = blue * (sky[2] * up + ground[2] * (_1 - up))
    wrap = np.float32(WRAP)
    for source in range(lights.shape[0]):
        lx, ly, lz = lights[source, 0], lights[source, 1], lights[source, 2]
        facing = max(_0, (nx * lx + ny * ly + nz * lz + wrap) / (_1 + wrap))
        hx, hy, hz = lx + vx * away, ly + vy * away, lz + vz * away
        half = np.sqrt(max(hx * hx + hy * hy + hz * hz, np.float32(1e-12)))
        glint = max(_0, (nx * hx + ny * hy + nz * hz) / half)
        shine = np.float32(SHINE) * glint ** np.float32(SHARPNESS) * facing
        total_r += lights[source, 3] * (red * facing + shine)
        total_g += lights[source, 4] * (green * facing + shine)
        total_b += lights[source, 5] * (blue * facing + shine)
    return total_r, total_g, total_b


@kernel
def _seen(screen, a, b, c, two_sided):
    """Whether a triangle shows a side that is drawn, and whether that is its front."""
    ux, uy = screen[b, 0] - screen[a, 0], screen[b, 1] - screen[a, 1]
    wx, wy = screen[c, 0] - screen[a, 0], screen[c, 1] - screen[a, 1]
    area = wx * uy - ux * wy
    near = screen[a, 2] > _0 and screen[b, 2] > _0 and screen[c, 2] > _0
    return near and (area > _0 or (two_sided and area < _0)), area > _0


@kernel
def _box(screen, a, b, c, width, height):
    """First and last column and row of the samples in a triangle's rectangle."""
    left = min(screen[a, 0], min(screen[b, 0], screen[c, 0]))
    right = max(screen[a, 0], max(screen[b, 0], screen[c, 0]))
    top = min(screen[a, 1], min(screen[b, 1], screen[c, 1]))
    bottom = max(screen[a, 1], max(screen[b, 1], screen[c, 1]))
    first_column = np.int64(max(_0, np.ceil(left - _HALF)))
    last_column = np.int64(min(np.float32(width - 1), np.floor(right - _HALF)))
    first_row = np.int64(max(_0, np.ceil(top - _HALF)))
    last_row = np.int64(min(np.float32(height - 1), np.floor(bottom - _HALF)))
    return first_column, last_column, first_row, last_row


@kernel
def _cut_out(keys, screen, chosen, two_sided, look):
    """Draw triangles with a cut-out texture into the depth buffer, where they are opaque."""
    triangles, materials, factors = look[0], look[1], look[4]
    height, width = keys.shape[0], keys.shape[1] - raster.STRIP
    for position in range(chosen.shape[0]):
        t = chosen[position]
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        seen, _ = _seen(screen, a, b, c, two_sided[t])
        if not seen:
            continue
        left, right, top, bottom = _box(screen, a, b, c, width, height)
        for row in range(top, bottom + 1):
            for column in range(left, right + 1):
                x, y = np.float32(column) + _HALF, np.float32(row) + _HALF
                wa, wb, wc = _shares(screen, a, b, c, x, y)
                if wa < _0 or wb < _0 or wc < _0:
                    continue
                near = np.float32(wa * screen[a, 2] + wb * screen[b, 2] + wc * screen[c, 2])
                key = (np.int64(near.view(np.int32)) << 32) | np.int64(t)
                if key <= keys[row, column]:
                    continue
                wa, wb, wc = _over_surface(screen, a, b, c, wa, wb, wc)
                alpha = _colour(t, a, b, c, wa, wb, wc, look)[3]
                if alpha >= factors[materials[t], 4]:
                    keys[row, column] = key


@kernel
def _resolve(keys, screen, backdrop, look, light, linear):
    """Light of every pixel: the mean of what its samples see."""
    triangles, materials = look[0], look[1]
    share = np.float32(1 / (SAMPLES * SAMPLES))
    for row in range(linear.shape[0]):
        for column in range(linear.shape[1]):
            y, x = SAMPLES * row, SAMPLES * column
            first = np.int32(keys[y, x] & 0xFFFF_FFFF)
            same = (
                first == np.int32(keys[y, x + 1] & 0xFFFF_FFFF)
                and first == np.int32(keys[y + 1, x] & 0xFFFF_FFFF)
                and first == np.int32(keys[y + 1, x + 1] & 0xFFFF_FFFF)
            )
            red = green = blue = _0
            # One triangle covers the pixel: one sample in its middle stands for all.
            for index in range(1 if same else SAMPLES * SAMPLES):
                across, down = index & 1, index >> 1
                t = np.int32(keys[y + down, x + across] & 0xFFFF_FFFF)
                if t == np.int32(raster.NOTHING):
                    red += backdrop[row, column, 0]
                    green += backdrop[row, column, 1]
                    blue += backdrop[row, column, 2]
                    continue
                a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
                px = np.float32(x + across) + (_1 if same else _HALF)
                py = np.float32(y + down) + (_1 if same else _HALF)
                wa, wb, wc = _shares(screen, a, b, c, px, py)
                wa, wb, wc = _over_surface(screen, a, b, c, wa, wb, wc)
                _, front = _seen(screen, a, b, c, True)
                r, g, b_, _ = _colour(t, a, b, c, wa, wb, wc, look)
                r, g, b_ = _lit(t, a, b, c, wa, wb, wc, front, r, g, b_, materials, light)
                red, green, blue = red + r, green + g, blue + b_
            scale = _1 if same else share
            linear[row, column, 0] = red * scale
            linear[row, column, 1] = green * scale
            linear[row, column, 2] = blue * scale


@kernel
def _lay_over(keys, screen, chosen, two_sided, look, light, linear):
    """Lay see-through triangles over the pixels, in the order of the list.

    A sample mixes with its pixel's mean, which differs from its own light at edges only.
    """
    triangles, materials = look[0], look[1]
    share = np.float32(1 / (SAMPLES * SAMPLES))
    height, width = keys.shape[0], keys.shape[1] - raster.STRIP
    for position in range(chosen.shape[0]):
        t = chosen[position]
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        seen, front = _seen(screen, a, b, c, two_sided[t])
        if not seen:
            continue
        left, right, top, bottom = _box(screen, a, b, c, width, height)
        for row in range(top, bottom + 1):
            for column in range(left, right + 1):
                x, y = np.float32(column) + _HALF, np.float32(row) + _HALF
                wa, wb, wc = _shares(screen, a, b, c, x, y)
                if wa < _0 or wb < _0 or wc < _0:
                    continue
                near = np.float32(wa * screen[a, 2] + wb * screen[b, 2] + wc * screen[c, 2])
                if np.int64(near.view(np.int32)) < keys[row, column] >> 32:
                    continue
                wa, wb, wc = _over_surface(screen, a, b, c, wa, wb, wc)
                r, g, b_, alpha = _colour(t, a, b, c, wa, wb, wc, look)
                r, g, b_ = _lit(t, a, b, c, wa, wb, wc, front, r, g, b_, materials, light)
                opacity = share * min(_1, max(_0, alpha))
                pixel = linear[row // SAMPLES, column // SAMPLES]
                pixel[0] += opacity * (r - pixel[0])
                pixel[1] += opacity * (g - pixel[1])
                pixel[2] += opacity * (b_ - pixel[2])


@kernel
def _develop(linear, table, picture):
    """Compress bright values as pictures of the house figure do, and encode."""
    most = np.float32(len(table) - 1)
    knee, room = np.float32(0.7), np.float32(0.3)
    for row in range(linear.shape[0]):
        for column in range(linear.shape[1]):
            for k in range(3):
                value = linear[row, column, k]
                if value > knee:
                    over = value - knee
                    value = knee + room * over / (over + room)
                picture[row, column, k] = table[np.int32(min(_1, max(_0, value)) * most + _HALF)]
