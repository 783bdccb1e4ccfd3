"""Background of a whole-body picture: tiled floor, shadow, and a wall with a gradient (numba)."""

from __future__ import annotations

import numpy as np

from motet.kernel import kernel

TILE_M = 0.5
HAZE_M = np.float32(3.2)
"""Distance over which the floor fades into the wall."""
FLOOR = np.array([0.335, 0.330, 0.325], np.float32)
WALL_LOW = np.array([0.36, 0.37, 0.385], np.float32)
WALL_HIGH = np.array([0.150, 0.165, 0.185], np.float32)
"""Linear light near the floor and high up."""
LINE_WIDTH_M = np.float32(0.006)


@kernel
def floor_points(rays, eye, height, width, points):
    """Floor points seen by every second pixel in each direction; y = -1 where there is none.

    Args:
        rays: float32, 3 3: see `motet.geometry.camera.Camera.rays`, for pixels.
        points: float32, rows columns 3; written.
    """
    for row in range(points.shape[0]):
        for column in range(points.shape[1]):
            x = np.float32(column * 2 + 1)
            y = np.float32(row * 2 + 1)
            dx = -(rays[0, 0] + x * rays[1, 0] + y * rays[2, 0])
            dy = -(rays[0, 1] + x * rays[1, 1] + y * rays[2, 1])
            dz = -(rays[0, 2] + x * rays[1, 2] + y * rays[2, 2])
            if dy > np.float32(-1e-4):
                points[row, column, 1] = np.float32(-1)
                continue
            along = -eye[1] / dy
            points[row, column, 0] = eye[0] + along * dx
            points[row, column, 1] = np.float32(0)
            points[row, column, 2] = eye[2] + along * dz


@kernel
def paint(rays, eye, middle, shade, floor, low, high, picture):
    """Linear light of every pixel of the background.

    Args:
        middle: float32, 2: x and z around which the floor is lit.
        shade: float32, rows columns: fraction of light at every second pixel of the floor.
        picture: float32, height width 3; written.
    """
    height, width = picture.shape[0], picture.shape[1]
    for row in range(height):
        for column in range(width):
            x, y = np.float32(column) + np.float32(0.5), np.float32(row) + np.float32(0.5)
            dx = -(rays[0, 0] + x * rays[1, 0] + y * rays[2, 0])
            dy = -(rays[0, 1] + x * rays[1, 1] + y * rays[2, 1])
            dz = -(rays[0, 2] + x * rays[1, 2] + y * rays[2, 2])
            size = np.sqrt(dx * dx + dy * dy + dz * dz)
            up = dy / size * np.float32(2.6) + np.float32(0.25)
            up = min(np.float32(1), max(np.float32(0), up))
            mix = np.float32(0)
            light = np.float32(1)
            if dy < np.float32(-1e-4):
                along = -eye[1] / dy
                px, pz = eye[0] + along * dx, eye[2] + along * dz
                away = np.sqrt((px - middle[0]) ** 2 + (pz - middle[1]) ** 2)
                mix = np.exp(-((away / HAZE_M) ** 2))
                # Lines between tiles, widened with distance to the footprint of a pixel.
                wide = LINE_WIDTH_M + np.float32(0.0011) * along * size
                for coordinate in (px, pz):
                    tiles = coordinate / np.float32(TILE_M)
                    off = abs(tiles - np.floor(tiles + np.float32(0.5))) * np.float32(TILE_M)
                    line = max(np.float32(0), np.float32(1) - off / wide)
                    light -= np.float32(0.16) * min(np.float32(1), LINE_WIDTH_M / wide) * line
                r = min(max(row // 2, 0), shade.shape[0] - 1)
                c = min(max(column // 2, 0), shade.shape[1] - 1)
                light *= np.float32(0.42) + np.float32(0.58) * shade[r, c]
            for k in range(3):
                wall = low[k] + up * (high[k] - low[k])
                picture[row, column, k] = wall + mix * (floor[k] * light - wall)


@kernel
def encode(picture, table, result):
    """8-bit sRGB of linear light."""
    top = np.float32(table.shape[0] - 1)
    for row in range(picture.shape[0]):
        for column in range(picture.shape[1]):
            for k in range(3):
                value = min(np.float32(1), max(np.float32(0), picture[row, column, k]))
                result[row, column, k] = table[int(value * top + np.float32(0.5))]


@kernel
def soften(shade, result):
    """Mean over 5 x 5 neighbours: the soft edge of a shadow under a large light."""
    rows, columns = shade.shape
    for r in range(rows):
        for c in range(columns):
            total, count = np.float32(0), np.float32(0)
            for dr in range(-2, 3):
                for dc in range(-2, 3):
                    if 0 <= r + dr < rows and 0 <= c + dc < columns:
                        total += shade[r + dr, c + dc]
                        count += np.float32(1)
            result[r, c] = total / count


@kernel
def ball(picture, column, row, radius, red, green, blue, glow):
    """A glowing ball with a halo, drawn over the background."""
    height, width = picture.shape[0], picture.shape[1]
    reach = int(radius * np.float32(4)) + 2
    for r in range(max(0, int(row) - reach), min(height, int(row) + reach)):
        for c in range(max(0, int(column) - reach), min(width, int(column) + reach)):
            dx = (np.float32(c) + np.float32(0.5) - column) / radius
            dy = (np.float32(r) + np.float32(0.5) - row) / radius
            d = dx * dx + dy * dy
            inside = (np.float32(1) - np.sqrt(d)) * radius + np.float32(0.5)
            core = min(np.float32(1), max(np.float32(0), inside))
            facing = max(np.float32(0), (-dx - dy) * np.float32(0.7) + np.float32(0.35))
            lit = np.float32(0.55) + np.float32(0.45) * facing
            halo = glow * np.exp(-d * np.float32(0.28)) * np.float32(0.5)
            for k in range(3):
                colour = red if k == 0 else (green if k == 1 else blue)
                behind = picture[r, c, k] * (np.float32(1) - core)
                picture[r, c, k] = behind + core * colour * lit + halo * colour
