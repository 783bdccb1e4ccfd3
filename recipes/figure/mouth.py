"""Teeth, gums, tongue and eyes. The source has plain bands for teeth; single teeth are modelled
along their arches."""

import numpy as np
from figure.bound import Part, bind, compact, itself
from figure.paint import GUM, REGION, SCLERA, TONGUE, TOOTH
from figure.source import BaseMesh

UPPER_WIDTHS_MM = (8.6, 6.7, 7.6, 6.9, 6.7, 9.6, 9.0)
UPPER_HEIGHTS_MM = (9.6, 8.4, 9.4, 8.0, 7.4, 6.6, 6.2)
LOWER_WIDTHS_MM = (5.4, 6.0, 6.9, 7.0, 7.1, 10.6, 10.0)
LOWER_HEIGHTS_MM = (8.2, 8.4, 9.0, 8.0, 7.4, 6.8, 6.4)
AROUND, UP = 8, 5


def _arch(vertices: np.ndarray, band: np.ndarray, upper: bool) -> np.ndarray:
    """Outer biting edge of a band from the middle to the back on the left side, verts 3."""
    points = vertices[band]
    points = points[points[:, 0] > -1e-4]
    edge = []
    for depth in np.linspace(points[:, 2].max() - 0.0022, points[:, 2].min() + 0.001, 16):
        slab = points[np.abs(points[:, 2] - depth) < 0.005]
        slab = slab[slab[:, 0] > slab[:, 0].max() - 0.007]
        pick = slab[np.argmin(slab[:, 1]) if upper else np.argmax(slab[:, 1])]
        edge.append((pick[0], pick[1], depth))
    outline = np.array([(0.0, edge[0][1], points[:, 2].max() - 0.001), *edge])
    # A parabola-like even arch: fit x as a smooth function of depth.
    reach = outline[0, 2] - outline[:, 2]
    fit = np.linalg.lstsq(
        np.stack([np.sqrt(reach), reach, reach**2], 1), outline[:, 0], rcond=None
    )[0]
    dense = np.linspace(0, reach.max() + 0.012, 400)
    x = np.stack([np.sqrt(dense), dense, dense**2], 1) @ fit
    y = np.polyval(np.polyfit(reach, outline[:, 1], 1), dense)
    return np.stack([x, y, outline[0, 2] - dense], 1)


def _tooth(
    width: float, height: float, depth: float, sharp: float
) -> tuple[np.ndarray, np.ndarray]:
    """A tooth standing on its biting edge at the origin: x across, y from the edge towards the gum,
    z outwards."""
    angle = np.linspace(0, 2 * np.pi, AROUND, endpoint=False)
    rings = []
    for level, (rise, wide, thick) in enumerate(
        [
            (0.0, 0.80, sharp),
            (0.12, 0.97, 0.5 + sharp / 2),
            (0.45, 1.0, 0.95),
            (0.8, 0.86, 1.0),
            (1.1, 0.72, 0.9),
        ]
    ):
        cos, sin = np.cos(angle), np.sin(angle)
        x = np.sign(cos) * np.abs(cos) ** 0.6 * width / 2 * wide
        z = np.sign(sin) * np.abs(sin) ** 0.8 * depth / 2 * thick
        z = z + 0.12 * depth * np.sin(np.pi * min(rise, 1.0))
        rings.append(np.stack([x, np.full(AROUND, rise * height), z], 1))
        del level
    points = np.concatenate([*rings, [[0, -0.0001, 0]]])
    quads = []
    for ring in range(UP - 1):
        for k in range(AROUND):
            n = (k + 1) % AROUND
            quads.append(
                (
                    ring * AROUND + k,
                    (ring + 1) * AROUND + k,
                    (ring + 1) * AROUND + n,
                    ring * AROUND + n,
                )
            )
    tip = len(points) - 1
    quads += [(k, (k + 1) % AROUND, tip, tip) for k in range(AROUND)]
    return points, np.array(quads, np.int32)


def _walk(arch: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points at arc lengths and the direction of the arch there."""
    step = np.linalg.norm(np.diff(arch, axis=0), axis=1)
    run = np.concatenate([[0], np.cumsum(step)])
    place = np.stack([np.interp(lengths, run, arch[:, k]) for k in range(3)], 1)
    ahead = np.stack([np.interp(lengths + 0.001, run, arch[:, k]) for k in range(3)], 1)
    return place, (ahead - place) / np.linalg.norm(ahead - place, axis=1, keepdims=True).clip(1e-9)


def _row(
    vertices: np.ndarray, band: np.ndarray, upper: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All teeth and the gum of one jaw: points, quads, and which vertices are gum."""
    arch = _arch(vertices, band, upper)
    widths = np.array(UPPER_WIDTHS_MM if upper else LOWER_WIDTHS_MM) * 1e-3
    heights = np.array(UPPER_HEIGHTS_MM if upper else LOWER_HEIGHTS_MM) * 1e-3
    up = 1.0 if upper else -1.0
    # Narrower towards the back than the source's bands: there is air between cheeks and teeth at
    # the corners of the mouth.
    arch = arch * [1, 1, 1]
    outward = np.clip(arch[:, 0] / 0.022, 0, 1)
    arch[:, 0] *= 1 - 0.20 * outward
    # And further back there: pressed lips leave a hairline at their corners, seen from the side.
    arch[:, 2] -= 0.0016 * outward**2
    # The source's bands meet above the line of the lips. People's upper teeth reach 2 to 3 mm
    # below it (so they show in s, i and e) and stand in front of the lower ones.
    arch = arch - ([0, 0.0022, 0.0012] if upper else [0, 0.0038, 0.0032])
    if not upper:
        # The side teeth stand lower, or they would show at the corners of a wide open mouth.
        arch[:, 1] -= 0.0045 * np.clip((arch[0, 2] - arch[:, 2] - 0.004) / 0.012, 0, 1)
    if upper:
        # The side teeth stand higher, along the curve of a smile, and stay behind pressed lips.
        arch[:, 1] -= 0.0021 * np.exp(-(((arch[0, 2] - arch[:, 2]) / 0.010) ** 2))
    middles = np.cumsum(widths) - widths / 2
    place, along = _walk(arch, middles)
    points, quads, gum = [], [], []
    for k in range(len(widths)):
        across = np.array([along[k, 0], 0, along[k, 2]])
        across /= np.linalg.norm(across)
        out = np.array([-across[2], 0, across[0]])
        depth = 0.0052 if k < 3 else 0.0085
        tooth, faces = _tooth(widths[k] * 0.985, heights[k], depth, 0.45 if k < 3 else 0.9)
        inset = place[k] - out * (depth * 0.55)
        shift = 0.0007 if k == 1 and upper else 0.0
        for side in (1, -1):
            world = (
                inset
                + tooth[:, :1] * across
                + (tooth[:, 1:2] + shift) * np.array([0, up, 0])
                + tooth[:, 2:] * out
            )
            world = world * [side, 1, 1]
            flip = side * up < 0
            quads.append((faces[:, ::-1] if flip else faces) + sum(map(len, points)))
            points.append(world)
            gum.append(np.zeros(len(world), bool))
    ridge, faces = _gum(arch, widths, heights, up)
    quads.append(faces + sum(map(len, points)))
    points.append(ridge)
    gum.append(np.ones(len(ridge), bool))
    quads = [np.where(q[:, :1] == q[:, 1:2], q[:, [1, 2, 3, 3]], q) for q in quads]
    return np.concatenate(points), np.concatenate(quads), np.concatenate(gum)


def _gum(
    arch: np.ndarray, widths: np.ndarray, heights: np.ndarray, up: float
) -> tuple[np.ndarray, np.ndarray]:
    """A rounded ridge from which the teeth grow."""
    lengths = np.linspace(0, widths.sum(), 24)
    lengths = np.concatenate([-lengths[:0:-1], lengths])
    place, along = _walk(arch, np.abs(lengths))
    side = np.where(lengths < 0, -1.0, 1.0)
    height = np.interp(np.abs(lengths), np.cumsum(widths) - widths / 2, heights)
    section = [
        (0.0008, 0.76),
        (0.0014, 0.98),
        (0.0004, 1.35),
        (-0.006, 1.5),
        (-0.013, 1.2),
        (-0.0125, 0.8),
        (-0.009, 0.68),
    ]
    rings = []
    for k in range(len(lengths)):
        across = np.array([along[k, 0], 0, along[k, 2]])
        across /= np.linalg.norm(across).clip(1e-9)
        out = np.array([-across[2], 0, across[0]])
        out = np.array([0, 0, 1.0]) if abs(lengths[k]) < 1e-9 else out
        base = place[k] - out * 0.0012
        rings.append(
            np.array(
                [
                    (base + out * o + np.array([0, up * h * height[k], 0])) * [side[k], 1, 1]
                    for o, h in section
                ]
            )
        )
    n = len(section)
    quads = []
    for ring in range(len(rings) - 1):
        for k in range(n):
            m = (k + 1) % n
            quad = (ring * n + k, (ring + 1) * n + k, (ring + 1) * n + m, ring * n + m)
            quads.append(quad if up > 0 else quad[::-1])
    return np.concatenate(rings), np.array(quads, np.int32)


def teeth(base: BaseMesh, vertices: np.ndarray, upper: bool) -> Part:
    """One row of teeth with its gum; the lower row follows the jaw because the source's lower band
    does."""
    band = np.unique(base.group_faces("helper-upper-teeth" if upper else "helper-lower-teeth"))
    points, quads, gum = _row(vertices, band, upper)
    index, weight, offset = bind(points, vertices, band)
    edge = np.abs(points[:, 1] - (points[:, 1].min() if upper else points[:, 1].max()))
    shade = (0.93 + 0.07 * np.clip(edge / 0.006, 0, 1)) * (1.0 if upper else 0.76)
    # Little light reaches the back teeth (metres behind the front ones), and what does comes off
    # the palate and the cheeks: it is the redder the less there is.
    light = np.interp(points[:, 2].max() - points[:, 2], [0.004, 0.010, 0.018], [1.0, 0.55, 0.12])
    tooth = TOOTH * shade[:, None] * light[:, None] ** [1.0, 1.6, 1.65]
    paint = np.where(gum[:, None], GUM, tooth)
    region = np.where(gum, REGION["gums"], REGION["teeth"]).astype(np.uint8)
    return Part(
        "teeth_upper" if upper else "teeth_lower", index, weight, offset, quads, paint, region
    )


def copied(base: BaseMesh, name: str, group: str, paint: np.ndarray, region: str) -> Part:
    """A helper of the source taken as it is.

    Args:
        paint: linear light, of all vertices (3,) or of each (verts, 3).
    """
    used, quads = compact(base.group_faces(group))
    index, weight = itself(used)
    return Part(
        name,
        index,
        weight,
        np.zeros((len(used), 3)),
        quads,
        np.broadcast_to(paint, (len(used), 3)).copy(),
        np.full(len(used), REGION[region], np.uint8),
    )


def tongue_and_eyes(base: BaseMesh) -> list[Part]:
    """Tongue and both eyeballs."""
    used, _ = compact(base.group_faces("helper-tongue"))
    depth = base.vertices[used, 2].max() - base.vertices[used, 2]
    # Dark towards the throat.
    shade = np.interp(depth, [0.006, 0.035], [1.0, 0.35])
    return [
        copied(base, "tongue", "helper-tongue", TONGUE * shade[:, None], "tongue"),
        copied(base, "eye_left", "helper-l-eye", SCLERA, "eye_left"),
        copied(base, "eye_right", "helper-r-eye", SCLERA, "eye_right"),
    ]
