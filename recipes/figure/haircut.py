"""The hair of the head: closed surfaces that carry drawn strands, and strands for files."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from figure.bound import Part, bind, compact, itself, normals, rim_of
from figure.hairline import HAIRLINE, SHORT_HAIRLINE, axis_of_head, hair_distance
from figure.hairs import Surface
from figure.paint import HAIR, REGION, value_noise
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from motet.geometry.subdivide import catmull_clark

N_STRANDS, N_POINTS = 1500, 8
BUN_M = (0.0, 0.012, -0.118)
"""Where tied hair is gathered, from the axis of the head at eye height."""
STEP_M, PARTING_M = 0.005, 0.018
"""Steps in which a strand is laid, and where the hair is parted, to the figure's left."""
OVER_M = 0.0065
"""How far strands reach over the end of the surface."""
COVER_M, COVER_UNIT = 0.007, 32
"""Width of the hairline, and steps to it in the files."""


@dataclass(frozen=True, eq=False)
class HairStyle:
    """How the hair of the head is cut. Metres."""

    name: str
    line: np.ndarray
    """Hairline, see `figure.hairline`."""
    lift: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray] | None
    """Height over the scalp of points, given their distance to the hairline and the eye; None for
    hair that hangs, see `bob`."""
    comb: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
    """Direction at places, given their roots and the eye."""
    length: tuple[float, float]
    """Shortest and longest strand; shorter at the hairline."""
    rise: float
    """Height of the outer strands over the closed surface under them."""
    sway: float = 0.07
    """Standard deviation of the angle between neighbouring strands, radians."""

    @property
    def part(self) -> str:
        """Name of the part of the figure."""
        return f"hair_{self.name}"


def tied_lift(points: np.ndarray, inside: np.ndarray, eye: np.ndarray) -> np.ndarray:
    """Combed back, fuller at the crown."""
    within = np.clip(inside / 0.04, 0, 1)
    within = within * (2 - within)
    top = np.clip((points[:, 1] - eye[1] - 0.02) / 0.08, 0, 1)
    return 0.93 * (0.0012 + within * (0.0055 + 0.0150 * top))


def short_lift(points: np.ndarray, inside: np.ndarray, eye: np.ndarray) -> np.ndarray:
    """Close at the sides, full and uneven on top and higher at the front."""
    within = np.clip(inside / 0.022, 0, 1)
    within = within * (2 - within)
    top = np.clip((points[:, 1] - eye[1] - 0.050) / 0.045, 0, 1)
    top = top * top * (3 - 2 * top)
    front = np.clip((points[:, 2] - eye[2] + 0.085) / 0.07, 0, 1)
    tufts = value_noise(points, 0.017, 31)
    return 0.0012 + within * (0.0030 + top * (0.0115 + 0.0085 * front + 0.0040 * tufts))


def _from_parting(place: np.ndarray, roots: np.ndarray, eye: np.ndarray, down: np.ndarray):
    """From a parting to the sides, further down along `down`."""
    side = np.tanh((roots[:, 0] - PARTING_M) / 0.012)
    swept = np.stack([side, np.zeros(len(side)), np.full(len(side), -0.6)], axis=1)
    high = np.clip((place[:, 1] - eye[1] - 0.045) / 0.04, 0, 1)
    # Behind the crown there is no parting.
    high = high * np.clip((roots[:, 2] - eye[2] + 0.12) / 0.03, 0, 1)
    return high[:, None] * swept + (1 - high)[:, None] * down


def tied_comb(place: np.ndarray, roots: np.ndarray, eye: np.ndarray) -> np.ndarray:
    """From a parting to the sides, and back to where it is gathered."""
    gathered = axis_of_head(eye) + BUN_M - place
    gathered /= np.linalg.norm(gathered, axis=1, keepdims=True)
    return _from_parting(place, roots, eye, gathered)


def bob_comb(place: np.ndarray, roots: np.ndarray, eye: np.ndarray) -> np.ndarray:
    """From a parting to the sides and down."""
    return _from_parting(place, roots, eye, np.broadcast_to([0.0, -1.0, -0.12], place.shape))


def short_comb(place: np.ndarray, roots: np.ndarray, eye: np.ndarray) -> np.ndarray:
    """Up and over from a side parting on top, down and back at the sides."""
    over = np.broadcast_to([-0.75, 0.25, -0.62], place.shape)
    down = np.broadcast_to([0.0, -0.8, -0.75], place.shape)
    high = np.clip((place[:, 1] - eye[1] - 0.050) / 0.035, 0, 1)[:, None]
    return high * over + (1 - high) * down


TIED = HairStyle("tied", HAIRLINE, tied_lift, tied_comb, (0.10, 0.15), 0.0018)
SHORT = HairStyle("short", SHORT_HAIRLINE, short_lift, short_comb, (0.020, 0.040), 0.0030, 0.22)
BOB = HairStyle("bob", HAIRLINE, None, bob_comb, (0.17, 0.24), 0.0022)
STYLES = (BOB, TIED, SHORT)
"""All cuts; the first is the default figure's."""


def hair_parts(vertices: np.ndarray, skin: Part, eye: np.ndarray) -> list[Part]:
    """The closed surface of every style."""
    return [
        bob(vertices, skin, eye, style) if style.lift is None else cap(vertices, skin, eye, style)
        for style in STYLES
    ]


def cap(vertices: np.ndarray, skin: Part, eye: np.ndarray, style: HairStyle) -> Part:
    """The scalp, lifted."""
    points = vertices[skin.index[:, 0]]
    inside = hair_distance(points, eye, style.line)
    inner = np.where(skin.region == REGION["scalp"], np.maximum(0, inside), -1)
    # One ring of skin beyond the scalp: there the surface dives under the skin, so that its edge
    # never shows.
    ring = np.unique(skin.quads[(inner[skin.quads] >= 0).any(axis=1)])
    inner[ring] = np.maximum(inner[ring], 0)
    quads = skin.quads[(inner[skin.quads] > -0.001).all(axis=1)]
    used, local = compact(quads)
    normal = normals(points, skin.quads)[used]
    edge = points[used][rim_of(local).ravel()]
    far = cKDTree(edge).query(points[used])[0]
    # Flat towards the edge, and there under the skin.
    lift = style.lift(points[used], inner[used], eye) * np.clip(far / 0.018, 0, 1) ** 0.7
    lift = lift - 0.0035 * np.exp(-far / 0.005)
    index, weight = itself(skin.index[used, 0])
    return _part(style, index, weight, normal * lift[:, None], local)


def _part(
    style: HairStyle, index: np.ndarray, weight: np.ndarray, offset: np.ndarray, quads: np.ndarray
) -> Part:
    colour = np.repeat(0.75 * HAIR[None], len(index), 0)
    region = np.full(len(index), REGION["hair"], np.uint8)
    return Part(style.part, index, weight, offset, quads, colour, region)


BOB_COLUMNS, BOB_ROWS = 64, 15
BOB_END = np.array([
    (0, 0.0690), (16, 0.0670), (28, 0.0580), (38, 0.0400), (46, 0.0150), (53, -0.0200),
    (59, -0.0580), (65, -0.0930), (72, -0.1120), (90, -0.1080), (180, -0.1020),
])  # fmt: skip
"""Lower edge: degrees from the front, height over the eyes (m)."""


def bob(vertices: np.ndarray, skin: Part, eye: np.ndarray, style: HairStyle) -> Part:
    """Hair that lies on the head and then hangs down to the chin; open in front."""
    points = vertices[skin.index[:, 0]]
    centre = axis_of_head(eye) + [0, 0.02, 0]
    # Columns are denser in front, where the edge runs across them.
    around = np.linspace(-np.pi, np.pi, BOB_COLUMNS, endpoint=False)
    around = around - 0.5 * np.sin(around)
    hull = _Hull(points[points[:, 1] > eye[1] - 0.055], centre)
    lengths = np.linspace(0, 1, BOB_ROWS + 1)[1:]
    outer = np.array([_column(hull, phi, lengths, centre, eye) for phi in around])
    top = np.array([centre + [0, hull.radius(0.0, 0.0) + 0.015, 0]])
    # The lining: the same surface a little further in, so that the edge has a thickness.
    towards = outer - (centre + [0, 0, -0.01])
    towards[..., 1] = 0
    size = np.linalg.norm(towards, axis=-1, keepdims=True)
    lining = outer - towards / size * np.minimum(0.009, 0.3 * size)
    lining[:, :, 1] += 0.002
    points_ = np.concatenate([outer.reshape(-1, 3), lining.reshape(-1, 3), top])
    quads = _bob_quads(len(points_))
    scalp = np.unique(skin.index[skin.region == REGION["scalp"], 0])
    index, weight, offset = bind(points_, vertices, scalp)
    part = _part(style, index, weight, offset, quads)
    part.paint[outer[..., 0].size : -1] *= 0.5
    return part


def _bob_quads(count: int) -> np.ndarray:
    n, rows = BOB_COLUMNS, BOB_ROWS
    inner = n * rows
    quads = []
    for c in range(n):
        d = (c + 1) % n
        quads.append((count - 1, c * rows, d * rows, d * rows))
        for r in range(rows - 1):
            a, b = c * rows + r, d * rows + r
            quads.append((a, a + 1, b + 1, b))
            if r >= 6:
                quads.append((inner + a, inner + b, inner + b + 1, inner + a + 1))
        a, b = c * rows + rows - 1, d * rows + rows - 1
        quads.append((a, inner + a, inner + b, b))
    return np.array(quads, np.int32)


class _Hull:
    """Distance from a centre to a smooth surface around points, over all directions."""

    def __init__(self, points: np.ndarray, centre: np.ndarray) -> None:
        local = points - centre
        distance = np.linalg.norm(local, axis=1)
        polar, around = np.linspace(0, np.pi, 37), np.linspace(-np.pi, np.pi, 73)[:-1]
        p, a = np.meshgrid(polar, around, indexing="ij")
        grid = np.stack([np.sin(p) * np.sin(a), np.cos(p), np.sin(p) * np.cos(a)], -1)
        angle = np.arccos(np.clip(grid.reshape(-1, 3) @ (local / distance[:, None]).T, -1, 1))
        reach = distance[None] - 0.30 * angle**2
        radius = reach.max(axis=1).reshape(p.shape)
        self._radius = gaussian_filter(radius, 1.3, mode=("nearest", "wrap"))

    def radius(self, polar: float, around: float) -> float:
        """Metres; bilinear."""
        row = np.clip(polar / np.pi * 36, 0, 35.999)
        column = (around + np.pi) / (2 * np.pi) * 72
        r, c = int(row), int(column)
        fr, fc = row - r, column - c
        cells = self._radius[r : r + 2][:, [c % 72, (c + 1) % 72]]
        return float(np.array([1 - fr, fr]) @ cells @ np.array([1 - fc, fc]))


def _column(
    hull: _Hull, phi: float, lengths: np.ndarray, centre: np.ndarray, eye: np.ndarray
) -> np.ndarray:
    """Points of the outer surface from the crown to the lower edge in one direction."""
    degrees = abs(np.degrees(phi))
    end = eye[1] + np.interp(degrees, BOB_END[:, 0], BOB_END[:, 1])
    end += 0.0012 * (np.sin(9 * phi + 1) + np.sin(17 * phi)) * np.clip((degrees - 60) / 15, 0, 1)
    forehead = np.clip((46 - degrees) / 26, 0, 1)
    path = []
    for polar in np.radians(np.arange(2, 96, 3)):
        volume = 0.015 * np.clip((np.degrees(polar) + 25) / 40, 0.6, 1)
        r = hull.radius(polar, phi) + volume
        path.append(
            centre
            + r
            * np.array([np.sin(polar) * np.sin(phi), np.cos(polar), np.sin(polar) * np.cos(phi)])
        )
    path = np.array(path)
    last = path[-1]
    drop = np.linspace(0.006, 0.17, 28)
    # Hair hangs, a little inwards at the tips.
    flat = last * [1, 0, 1] - centre * [1, 0, 1]
    inward = 1 - 0.09 * np.clip(drop / 0.05, 0, 1)
    inward -= 0.26 * np.clip((drop - 0.05) / 0.115, 0, 1) ** 2
    hang = centre * [1, 0, 1] + inward[:, None] * flat + (last[1] - drop)[:, None] * [0, 1, 0]
    path = np.concatenate([path, hang])
    below = np.flatnonzero(path[:, 1] < end)
    path = path[: max(6, below[0] + 1)]
    run = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    points = np.stack([np.interp(lengths * run[-1], run, path[:, k]) for k in range(3)], 1)
    # On the forehead the edge lies on the skin and dives under it.
    sink = forehead * np.clip((lengths - 0.45) / 0.55, 0, 1) ** 1.5 * 0.022
    away = points - centre
    return points - away / np.linalg.norm(away, axis=1, keepdims=True) * sink[:, None]


def cover(points: np.ndarray, eye: np.ndarray, ears: np.ndarray, style: HairStyle) -> np.ndarray:
    """How far skin lies above the hairline, in `COVER_M`; int8, `COVER_UNIT` to one."""
    above = hair_distance(points, eye, style.line) / COVER_M
    if style is SHORT:
        # Cut ever shorter towards the neck and the ears.
        low = np.clip((0.03 - (points[:, 1] - eye[1])) / 0.05, 0, 1)
        above = above * (1 - 0.55 * low)
    above = np.where(points[:, 1] < eye[1] - 0.075, -3, above)
    above = np.where(ears > 0.08, np.minimum(above, -3), above)
    return np.round(COVER_UNIT * np.clip(above, -3.5, 3.5)).astype(np.int8)


def _roots(
    points: np.ndarray, scalp: np.ndarray, style: HairStyle, generator: np.random.Generator, eye
) -> np.ndarray:
    """Evenly over the scalp, thinning out beyond the hairline."""
    corners = points[scalp]
    area = np.linalg.norm(
        np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1]), axis=1
    )
    chosen = generator.choice(len(scalp), 6 * N_STRANDS, p=area / area.sum())
    share = generator.uniform(0, 1, (len(chosen), 2, 1))
    a, b = share[:, 0], share[:, 1]
    roots = (1 - a) * ((1 - b) * corners[chosen, 0] + b * corners[chosen, 1]) + a * (
        (1 - b) * corners[chosen, 3] + b * corners[chosen, 2]
    )
    inside = hair_distance(roots, eye, style.line)
    likely = np.where(inside < 0, np.exp(inside / 0.0022), np.where(inside < 0.014, 1.0, 0.6))
    return roots[generator.uniform(size=len(roots)) < likely][:N_STRANDS]


def strands(
    vertices: np.ndarray, quads: np.ndarray, parts: list[Part], eye: np.ndarray, style: HairStyle
) -> dict[str, np.ndarray]:
    """Strands combed over the surface of a style."""
    points = vertices[: len(parts[0].index)]
    surface, scalp, head = _outer(vertices, quads, parts, eye, style)
    generator = np.random.default_rng(5)
    roots = _roots(points, scalp, style, generator, eye)
    above = hair_distance(roots, eye, style.line)
    # Locks: neighbours share most of their height and sway, so the surface has depth.
    lock = cKDTree(roots[:: max(1, len(roots) // 220)]).query(roots)[1]
    lock_rise = generator.uniform(0, 1, 400)[lock]
    lock_sway = generator.normal(0, 1.3 * style.sway, 400)[lock]
    rank = np.clip(0.55 * lock_rise + 0.45 * generator.uniform(0, 1, len(roots)), 0, 1)
    sway = lock_sway + generator.normal(0, 0.65 * style.sway, len(roots))
    longest = generator.uniform(*style.length, len(roots)) * np.clip(0.45 + above / 0.04, 0.45, 1)
    place, normal = _laid(roots, surface, head, np.full(len(roots), 0.0003))
    line, normal_line, runs = [place], [normal], [np.zeros(len(roots))]
    for _ in range(round(style.length[1] / STEP_M)):
        aim = style.comb(place, roots, eye)
        aim = aim - (aim * normal).sum(1, keepdims=True) * normal
        aim /= np.linalg.norm(aim, axis=1, keepdims=True).clip(1e-9)
        aim = aim + np.cross(normal, aim) * (sway * np.exp(-runs[-1] / 0.08))[:, None]
        going = (runs[-1] < longest)[:, None]
        height = 0.0003 + style.rise * rank * np.clip(runs[-1] / 0.02, 0, 1)
        moved, outward = _laid(place + aim * STEP_M, surface, head, height)
        # A strand ends soon after the surface on which it hangs.
        ground, _ = surface.near(moved)
        going &= (np.linalg.norm(moved - ground, axis=1) < OVER_M)[:, None]
        place, normal = np.where(going, moved, place), np.where(going, outward, normal)
        runs.append(runs[-1] + np.linalg.norm(place - line[-1], axis=1))
        line.append(place)
        normal_line.append(normal)
    lines, outward = _resampled(np.stack(line, 1), np.stack(normal_line, 1), np.stack(runs, 1))
    _, near = cKDTree(points).query(lines[:, 2])
    width = generator.uniform(0.00042, 0.00072, len(lines)) * np.clip(0.4 + above / 0.012, 0.4, 1)
    # Light reaches the inner strands less.
    tone = (0.50 + 0.62 * rank) * generator.uniform(0.88, 1.12, len(lines))
    return {
        "strand": (lines - eye).astype(np.float16),
        "origin": eye.astype(np.float32),
        "normal": np.round(127 * outward).astype(np.int8),
        "width": width.astype(np.float32),
        "fade": np.round(255 * np.clip(1 - above / 0.006, 0, 1)).astype(np.uint8),
        "tone": np.round(128 * tone).astype(np.uint8),
        "follow": near.astype(np.uint16),
    }


def _outer(
    vertices: np.ndarray, quads: np.ndarray, parts: list[Part], eye: np.ndarray, style: HairStyle
) -> tuple[Surface, np.ndarray, Surface]:
    """The surface that strands lie on, as drawn: the refined part, and bare scalp outside it. Also
    the scalp's quads, and the bare skull."""
    names = [part.name for part in parts]
    skin, own = parts[0], parts[names.index(style.part)]
    start = sum(len(part.index) for part in parts[: names.index(style.part)])
    own_quads = own.quads + start
    if style.lift is None:
        outside = BOB_COLUMNS * BOB_ROWS
        own_quads = own_quads[((own.quads < outside) | (own.quads == len(own.index) - 1)).all(1)]
    refinement = catmull_clark(own_quads, len(vertices))
    sharp = vertices.copy()
    sharp[refinement.used] += (
        vertices[refinement.used] - refinement.apply(vertices)[: len(refinement.used)]
    )
    fine = refinement.apply(sharp)
    scalp = skin.quads[(hair_distance(vertices[skin.quads], eye, style.line) > 0).any(axis=1)]
    faces, corners = refinement.quads, fine
    if style.lift is not None:
        covered = set(own.index[:, 0].tolist())
        inside = np.array([k in covered for k in skin.index[:, 0]])
        rim = scalp[~inside[scalp].all(axis=1)]
        faces = np.concatenate([refinement.quads, rim + len(fine)])
        corners = np.concatenate([fine, vertices])
    skull = skin.quads[hair_distance(vertices[skin.quads].mean(1), eye, style.line) > -0.02]
    return Surface(corners, faces), scalp, Surface(vertices[: len(skin.index)], skull)


def _laid(
    place: np.ndarray, surface: Surface, head: Surface, height: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Points at their strand's height over the surface and never in the skin, and normals there."""
    ground, normal = surface.near(place)
    place = place + normal * (height - ((place - ground) * normal).sum(1))[:, None]
    skin, outward = head.near(place)
    depth = ((place - skin) * outward).sum(1)
    near_skin = np.linalg.norm(place - skin, axis=1) < 0.02
    lift = np.where(near_skin, np.maximum(0, 0.0004 - depth), 0)
    return place + outward * lift[:, None], normal


def _resampled(
    lines: np.ndarray, normal: np.ndarray, along: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Each strand in `N_POINTS` points of equal distance."""
    points, normals_ = [], []
    for line, outward, run in zip(lines, normal, along, strict=True):
        at = np.linspace(0, max(run[-1], 1e-6), N_POINTS)
        points.append(np.stack([np.interp(at, run, line[:, k]) for k in range(3)], 1))
        mixed = np.stack([np.interp(at, run, outward[:, k]) for k in range(3)], 1)
        normals_.append(mixed / np.linalg.norm(mixed, axis=1, keepdims=True).clip(1e-9))
    return np.array(points), np.array(normals_)
