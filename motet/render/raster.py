"""Visibility: which triangle is seen by each sample of the picture (numba, one frame, no locks)."""

import numpy as np
from motet.render.kernel import kernel

NOTHING = -1
"""Triangle number of a sample that sees only the background."""


@kernel
def project(vertices, world_to_camera, focal, centre_x, centre_y, screen):
    for v in range(vertices.shape[0]):
        x, y, z = vertices[v, 0], vertices[v, 1], vertices[v, 2]
        cx = world_to_camera[0, 0] * x + world_to_camera[0, 1] * y + world_to_camera[0, 2] * z + world_to_camera[0, 3]
        cy = world_to_camera[1, 0] * x + world_to_camera[1, 1] * y + world_to_camera[1, 2] * z + world_to_camera[1, 3]
        cz = world_to_camera[2, 0] * x + world_to_camera[2, 1] * y + world_to_camera[2, 2] * z + world_to_camera[2, 3]
        inverse = np.float32(1.0) / max(-cz, np.float32(1e-3))
        screen[v, 0] = centre_x + focal * cx * inverse
        screen[v, 1] = centre_y - focal * cy * inverse
        screen[v, 2] = inverse


@kernel
def rasterise(screen, triangles, two_sided, nearness, seen):
    """Draw triangles into a z-buffer.

    Sample (row, column) lies at (column + 0.5, row + 0.5). A triangle whose corners run clockwise on the screen (y down) shows its back.

    Args:
        screen: float32, verts 3: column, row, 1 / depth.
        triangles: int32, faces 3.
        two_sided: bool, faces: draw the back as well.
        nearness: float32, height width, changed in place: 1 / depth of the nearest surface, 0 at first.
        seen: int32, height width, changed in place: number of the nearest triangle.
    """
    height, width = nearness.shape
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ax, ay, bx, by, cx, cy = screen[a, 0], screen[a, 1], screen[b, 0], screen[b, 1], screen[c, 0], screen[c, 1]
        area = (cx - ax) * (by - ay) - (bx - ax) * (cy - ay)
        if area <= 0:
            if not two_sided[t] or area == 0:
                continue
            b, c = c, b
            bx, by, cx, cy = cx, cy, bx, by
            area = -area
        left, right = max(0, int(np.ceil(min(ax, bx, cx) - 0.5))), min(width - 1, int(np.floor(max(ax, bx, cx) - 0.5)))
        top, bottom = max(0, int(np.ceil(min(ay, by, cy) - 0.5))), min(height - 1, int(np.floor(max(ay, by, cy) - 0.5)))
        if left > right or top > bottom:
            continue
        scale = np.float32(1.0) / area
        # Weight of each corner as a linear function of the sample position.
        wb_x, wb_y = -(cy - ay) * scale, (cx - ax) * scale
        wc_x, wc_y = (by - ay) * scale, -(bx - ax) * scale
        x0 = np.float32(left) + np.float32(0.5) - ax
        za, zb, zc = screen[a, 2], screen[b, 2] - screen[a, 2], screen[c, 2] - screen[a, 2]
        z_x = zb * wb_x + zc * wc_x
        for row in range(top, bottom + 1):
            y0 = np.float32(row) + np.float32(0.5) - ay
            wb = wb_x * x0 + wb_y * y0
            wc = wc_x * x0 + wc_y * y0
            z = za + zb * wb + zc * wc
            for column in range(left, right + 1):
                if wb >= 0 and wc >= 0 and wb + wc <= 1 and z > nearness[row, column]:
                    nearness[row, column] = z
                    seen[row, column] = t
                wb += wb_x
                wc += wc_x
                z += z_x
