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
def rasterise(screen, triangles, two_sided, nearness, seen, first_triangle):
    """Draw triangles into a z-buffer.

    Sample (row, column) lies at (column + 0.5, row + 0.5). A triangle whose corners run clockwise on the screen (y down) shows its back.
    Triangles with a corner of 1 / depth <= 0 are left out.

    Args:
        screen: float32, verts 3: column, row, 1 / depth.
        triangles: int32, faces 3.
        two_sided: bool, faces: draw the back as well.
        nearness: float32, height width, changed in place: 1 / depth of the nearest surface, 0 at first.
        seen: int32, height width, changed in place: number of the nearest triangle.
        first_triangle: triangles before this one are left out.
    """
    height, width = np.float32(nearness.shape[0]), np.float32(nearness.shape[1])
    zero, half, one = np.float32(0), np.float32(0.5), np.float32(1)
    # Samples this close to an edge count as inside: no cracks between neighbours, whatever the rounding.
    slack = np.float32(1e-3)
    for t in range(first_triangle, triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ax, ay = screen[a, 0], screen[a, 1]
        ux, uy = screen[b, 0] - ax, screen[b, 1] - ay
        wx, wy = screen[c, 0] - ax, screen[c, 1] - ay
        area = wx * uy - ux * wy
        if area <= zero:
            if not two_sided[t] or area == zero:
                continue
            b, c = c, b
            ux, uy, wx, wy = wx, wy, ux, uy
            area = -area
        left = max(zero, np.ceil(ax + min(zero, min(ux, wx)) - half))
        right = min(width - one, np.floor(ax + max(zero, max(ux, wx)) - half))
        top = max(zero, np.ceil(ay + min(zero, min(uy, wy)) - half))
        bottom = min(height - one, np.floor(ay + max(zero, max(uy, wy)) - half))
        if left > right or top > bottom:
            continue
        za = screen[a, 2]
        zb, zc = screen[b, 2] - za, screen[c, 2] - za
        if za <= zero or za + zb <= zero or za + zc <= zero:
            continue
        # Weight of each corner as a linear function of the sample position.
        scale = one / area
        wb_x, wb_y, wc_x, wc_y = -wy * scale, wx * scale, uy * scale, -ux * scale
        wa_x = -wb_x - wc_x
        z_x = zb * wb_x + zc * wc_x
        # Where the weights vanish along a row, in samples from the left end; a flat edge never limits.
        inverse_a = one / wa_x if wa_x != zero else zero
        inverse_b = one / wb_x if wb_x != zero else zero
        inverse_c = one / wc_x if wc_x != zero else zero
        x0, y0 = left + half - ax, top + half - ay
        wb, wc = wb_x * x0 + wb_y * y0, wc_x * x0 + wc_y * y0
        first, last = int(left), right - left
        for row in range(int(top), int(bottom) + 1):
            wa = one - wb - wc
            low, high = zero, last
            if wa_x > zero:
                low = max(low, -wa * inverse_a)
            elif wa_x < zero:
                high = min(high, -wa * inverse_a)
            elif wa < zero:
                high = -one
            if wb_x > zero:
                low = max(low, -wb * inverse_b)
            elif wb_x < zero:
                high = min(high, -wb * inverse_b)
            elif wb < zero:
                high = -one
            if wc_x > zero:
                low = max(low, -wc * inverse_c)
            elif wc_x < zero:
                high = min(high, -wc * inverse_c)
            elif wc < zero:
                high = -one
            start = np.ceil(low - slack)
            z = za + zb * wb + zc * wc + z_x * start
            for column in range(first + int(start), first + int(np.floor(high + slack)) + 1):
                if z > nearness[row, column]:
                    nearness[row, column] = z
                    seen[row, column] = t
                z += z_x
            wb += wb_y
            wc += wc_y
