"""Per-frame vertex work: refinement, rigid transforms, normals, vertex light (numba)."""

from __future__ import annotations

import numpy as np

from motet.kernel import kernel


@kernel
def refine(start, column, weight, coarse, fine):
    """Fine vertices as sparse sums of coarse ones (see `motet.geometry.subdivide`)."""
    for v in range(start.shape[0] - 1):
        x = y = z = np.float32(0)
        for entry in range(start[v], start[v + 1]):
            w, c = weight[entry], column[entry]
            x += w * coarse[c, 0]
            y += w * coarse[c, 1]
            z += w * coarse[c, 2]
        fine[v, 0], fine[v, 1], fine[v, 2] = x, y, z


@kernel
def sharpen(start, column, weight, used, coarse, sharp):
    """Move the coarse vertices outwards by as much as refinement would pull them inwards.

    The refined surface then stays with the original: closed lips stay closed. The first rows of
    the refinement are those of the used vertices.
    """
    for v in range(used.shape[0]):
        x = y = z = np.float32(0)
        for entry in range(start[v], start[v + 1]):
            w, c = weight[entry], column[entry]
            x += w * coarse[c, 0]
            y += w * coarse[c, 1]
            z += w * coarse[c, 2]
        u = used[v]
        sharp[u, 0] = 2 * coarse[u, 0] - x
        sharp[u, 1] = 2 * coarse[u, 1] - y
        sharp[u, 2] = 2 * coarse[u, 2] - z


@kernel
def extent(screen, chosen, height, width):
    """Bounding rectangle of the chosen vertices in pixels.

    Args:
        screen: float32, verts 3: column, row, 1 / depth, two samples to a pixel.
        height, width: pixels of the picture; the rectangle stays inside.

    Returns:
        First row, row after the last, first column, column after the last.
    """
    left = top = np.float32(1e9)
    right = bottom = np.float32(-1e9)
    for position in range(chosen.shape[0]):
        v = np.uint32(chosen[position])
        left, right = min(left, screen[v, 0]), max(right, screen[v, 0])
        top, bottom = min(top, screen[v, 1]), max(bottom, screen[v, 1])
    half = np.float32(0.5)
    rows = max(0, int(half * top) - 1), min(height, int(half * bottom) + 2)
    columns = max(0, int(half * left) - 1), min(width, int(half * right) + 2)
    return rows[0], max(rows[0], rows[1]), columns[0], max(columns[0], columns[1])


@kernel
def hide_far_side(directions, points, eye, per_strand, screen):
    """Hide strands on the far side of the head: a 1 / depth of 0 is never drawn."""
    for strand in range(points.shape[0] // per_strand):
        first = strand * per_strand
        best = np.float32(-1)
        for end in (first + 2, first + per_strand - 2):
            vx, vy, vz = eye[0] - points[end, 0], eye[1] - points[end, 1], eye[2] - points[end, 2]
            nx, ny, nz = directions[end, 1, 0], directions[end, 1, 1], directions[end, 1, 2]
            facing = nx * vx + ny * vy + nz * vz
            best = max(best, facing / np.sqrt(vx * vx + vy * vy + vz * vz))
        if best < np.float32(-0.25):
            for v in range(first, first + per_strand):
                screen[v, 2] = np.float32(0)


@kernel
def carry(transform, rest, moved, directions_rest, directions):
    """Apply a rigid transform (3 4) to points and to two directions of each."""
    for v in range(rest.shape[0]):
        for k in range(3):
            a, b, c = transform[k, 0], transform[k, 1], transform[k, 2]
            moved[v, k] = a * rest[v, 0] + b * rest[v, 1] + c * rest[v, 2] + transform[k, 3]
            for d in range(2):
                x, y = directions_rest[v, d, 0], directions_rest[v, d, 1]
                directions[v, d, k] = a * x + b * y + c * directions_rest[v, d, 2]


@kernel
def smooth_normals(vertices, triangles, normals):
    """Unit vertex normals, faces weighted by area."""
    normals[:] = 0
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        x, y, z = vertices[a, 0], vertices[a, 1], vertices[a, 2]
        ux, uy, uz = vertices[b, 0] - x, vertices[b, 1] - y, vertices[b, 2] - z
        wx, wy, wz = vertices[c, 0] - x, vertices[c, 1] - y, vertices[c, 2] - z
        nx, ny, nz = uy * wz - uz * wy, uz * wx - ux * wz, ux * wy - uy * wx
        for corner in (a, b, c):
            normals[corner, 0] += nx
            normals[corner, 1] += ny
            normals[corner, 2] += nz
    for v in range(normals.shape[0]):
        x, y, z = normals[v, 0], normals[v, 1], normals[v, 2]
        scale = np.float32(1) / np.sqrt(max(x * x + y * y + z * z, np.float32(1e-24)))
        normals[v, 0], normals[v, 1], normals[v, 2] = x * scale, y * scale, z * scale


@kernel
def light_surface(normals, albedo, occlusion, wrap, shadow, lights, sky, ground, lit):
    """Diffuse light of opaque vertices.

    Args:
        wrap: float32, verts 3: how far light of each colour wraps around the edge (subsurface
            scattering of skin is strongest in red).
        shadow: float32, verts: fraction of the key light that arrives.
        lights: float32, lights 6: direction to the light and its colour; the first is the key
            light.
    """
    for v in range(normals.shape[0]):
        nx, ny, nz = normals[v, 0], normals[v, 1], normals[v, 2]
        up = np.float32(0.5) + np.float32(0.5) * ny
        visible = occlusion[v]  # fraction of the sky
        for k in range(3):
            # Light bounces between folds: occlusion darkens less where the albedo is high.
            a = albedo[v, k]
            bounced = visible / (np.float32(1) - a * (np.float32(1) - visible) * np.float32(0.8))
            total = (sky[k] * up + ground[k] * (np.float32(1) - up)) * bounced
            w = wrap[v, k]
            for light in range(lights.shape[0]):
                ndl = nx * lights[light, 0] + ny * lights[light, 1] + nz * lights[light, 2]
                amount = max(np.float32(0), (ndl + w) / (np.float32(1) + w))
                amount *= amount * w + (np.float32(1) - w)
                amount *= shadow[v] if light == 0 else np.float32(1)
                direct = np.float32(0.35) + np.float32(0.65) * visible
                total += amount * lights[light, 3 + k] * direct
            lit[v, k] = a * total


@kernel
def light_hair(points, directions, albedo, shine, lights, sky, eye, lit):
    """Kajiya-Kay shading of hair vertices; `directions` holds tangent and outward normal.

    Vertices come in pairs, the two edges of a ribbon, which share their light.
    """
    for pair in range(points.shape[0] // 2):
        v = 2 * pair
        tx, ty, tz = directions[v, 0, 0], directions[v, 0, 1], directions[v, 0, 2]
        nx, ny, nz = directions[v, 1, 0], directions[v, 1, 1], directions[v, 1, 2]
        vx, vy, vz = eye[0] - points[v, 0], eye[1] - points[v, 1], eye[2] - points[v, 2]
        size = np.float32(1) / np.sqrt(vx * vx + vy * vy + vz * vz)
        vx, vy, vz = vx * size, vy * size, vz * size
        up = np.float32(0.5) + np.float32(0.5) * ny
        diffuse_r, diffuse_g, diffuse_b = sky[0] * up, sky[1] * up, sky[2] * up
        gloss_r = gloss_g = gloss_b = np.float32(0)
        for light in range(lights.shape[0]):
            lx, ly, lz = lights[light, 0], lights[light, 1], lights[light, 2]
            facing = (nx * lx + ny * ly + nz * lz + np.float32(0.35)) / np.float32(1.1)
            facing = min(np.float32(1), max(np.float32(0), facing))
            tl = tx * lx + ty * ly + tz * lz
            across = np.sqrt(max(np.float32(0), np.float32(1) - tl * tl)) * facing
            hx, hy, hz = lx + vx, ly + vy, lz + vz
            scale = np.float32(1) / np.sqrt(max(hx * hx + hy * hy + hz * hz, np.float32(1e-12)))
            th = (tx * hx + ty * hy + tz * hz) * scale + np.float32(0.08)
            peak = max(np.float32(0), np.float32(1) - th * th)
            peak2 = peak * peak
            peak4 = peak2 * peak2
            peak8 = peak4 * peak4
            peak16 = peak8 * peak8
            lobes = np.float32(0.10) * peak16 * peak16 + np.float32(0.07) * peak8
            sparkle = lobes * facing * shine[v]
            diffuse_r += across * lights[light, 3]
            diffuse_g += across * lights[light, 4]
            diffuse_b += across * lights[light, 5]
            gloss_r += sparkle * lights[light, 3]
            gloss_g += sparkle * lights[light, 4]
            gloss_b += sparkle * lights[light, 5]
        lit[v, 0] = albedo[v, 0] * diffuse_r + gloss_r * (np.float32(0.35) + albedo[v, 0])
        lit[v, 1] = albedo[v, 1] * diffuse_g + gloss_g * (np.float32(0.33) + albedo[v, 1])
        lit[v, 2] = albedo[v, 2] * diffuse_b + gloss_b * (np.float32(0.30) + albedo[v, 2])
        for k in range(3):
            lit[v + 1, k] = lit[v, k]


@kernel
def light_hair_surface(
    index, vertices, tangents, normals, albedo, occlusion, shadow, lights, sky, eye, packed
):
    """Light of the vertices of hair surfaces, into their rows of `packed`.

    Diffuse light by the angle between strand and light (Kajiya and Kay 1989); of the highlights
    only what the shading of pixels needs, see `motet.render.sample_layout`.

    Args:
        index: int64: vertices.
        tangents: float32, index 3: direction from root to tip.
        normals: float32, verts 3: columns of `packed`, which are overwritten.
    """
    for k in range(index.shape[0]):
        v = index[k]
        nx, ny, nz = normals[v, 0], normals[v, 1], normals[v, 2]
        tx, ty, tz = tangents[k, 0], tangents[k, 1], tangents[k, 2]
        along = tx * nx + ty * ny + tz * nz
        tx, ty, tz = tx - along * nx, ty - along * ny, tz - along * nz
        scale = np.float32(1) / np.sqrt(max(tx * tx + ty * ty + tz * tz, np.float32(1e-12)))
        tx, ty, tz = tx * scale, ty * scale, tz * scale
        vx, vy, vz = eye[0] - vertices[v, 0], eye[1] - vertices[v, 1], eye[2] - vertices[v, 2]
        scale = np.float32(1) / np.sqrt(vx * vx + vy * vy + vz * vz)
        vx, vy, vz = vx * scale, vy * scale, vz * scale
        up = np.float32(0.5) + np.float32(0.5) * ny
        open_sky = occlusion[v]
        red, green, blue = sky[0] * up * open_sky, sky[1] * up * open_sky, sky[2] * up * open_sky
        for light in range(lights.shape[0]):
            lx, ly, lz = lights[light, 0], lights[light, 1], lights[light, 2]
            facing = (nx * lx + ny * ly + nz * lz + np.float32(0.30)) / np.float32(1.3)
            facing = min(np.float32(1), max(np.float32(0), facing)) * open_sky
            facing *= shadow[v] if light == 0 else np.float32(1)
            tl = tx * lx + ty * ly + tz * lz
            across = np.sqrt(max(np.float32(0), np.float32(1) - tl * tl)) * facing
            red += across * lights[light, 3]
            green += across * lights[light, 4]
            blue += across * lights[light, 5]
            hx, hy, hz = lx + vx, ly + vy, lz + vz
            scale = np.float32(1) / np.sqrt(max(hx * hx + hy * hy + hz * hz, np.float32(1e-12)))
            cosine = (tx * hx + ty * hy + tz * hz) * scale
            if light == 0:
                packed[v, 3], packed[v, 5] = cosine, facing
            elif light == 2:
                packed[v, 4], packed[v, 12] = cosine, facing
        packed[v, 0] = albedo[v, 0] * red
        packed[v, 1] = albedo[v, 1] * green
        packed[v, 2] = albedo[v, 2] * blue


@kernel
def turn(transform, directions, moved):
    """Rotate directions by the linear part of a transform (3 4)."""
    for v in range(directions.shape[0]):
        for k in range(3):
            moved[v, k] = (
                transform[k, 0] * directions[v, 0]
                + transform[k, 1] * directions[v, 1]
                + transform[k, 2] * directions[v, 2]
            )
