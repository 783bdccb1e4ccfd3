"""Brows, lashes and the hair of the head, hair by hair, each a tapering ribbon."""

from dataclasses import dataclass

import numpy as np
from figure.bound import Part, bind, compact, itself, normals
from figure.hairline import axis_of_head, hair_distance
from figure.paint import BROW, HAIR, LASH, REGION
from figure.source import BaseMesh
from scipy.spatial import cKDTree

from motet.geometry.subdivide import catmull_clark

BROW_LINE_M = np.array(
    [
        (0.0120, 0.0180),
        (0.019, 0.0205),
        (0.027, 0.0228),
        (0.035, 0.0238),
        (0.0425, 0.0222),
        (0.0500, 0.0178),
    ]
)
"""Middle of the left brow seen from the front, relative to the eye's height."""
BROW_HALF_M = np.array([0.0026, 0.0030, 0.0027, 0.0021, 0.0013, 0.0005])
N_BROW, N_LASH_UPPER, N_LASH_LOWER = 420, 110, 50
N_STRANDS, N_POINTS = 6000, 10
CAP_SHARE = 0.93
"""Height of the closed surface under the strands, as a share of the hair's."""
BUN_M = (0.0, 0.012, -0.118)
"""Where the hair is gathered, from the axis of the head at eye height."""


def ribbon(line: np.ndarray, side: np.ndarray, width: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A tapering strip along points (points 3): verts and quads; it ends in a point."""
    n = len(line)
    pairs = np.stack(
        [line[:-1] - side * width[:-1, None] / 2, line[:-1] + side * width[:-1, None] / 2], 1
    ).reshape(-1, 3)
    quads = [(2 * k, 2 * k + 1, 2 * k + 3, 2 * k + 2) for k in range(n - 2)]
    quads.append((2 * n - 4, 2 * n - 3, 2 * n - 2, 2 * n - 2))
    return np.concatenate([pairs, line[-1:]]), np.array(quads, np.int32)


class Surface:
    """Nearest place on a surface, from dense samples of it."""

    def __init__(self, vertices: np.ndarray, quads: np.ndarray) -> None:
        normal = normals(vertices, quads)
        shares = [(a, b) for a in (0.1, 0.37, 0.63, 0.9) for b in (0.1, 0.37, 0.63, 0.9)]
        corner = vertices[quads], normal[quads]
        mixed = [
            sum(
                w * x[:, k]
                for k, w in enumerate(((1 - a) * (1 - b), a * (1 - b), a * b, (1 - a) * b))
            )
            for x in corner
            for a, b in shares
        ]
        self.points, self.normals = (
            np.concatenate(mixed[: len(shares)]),
            np.concatenate(mixed[len(shares) :]),
        )
        self.normals /= np.linalg.norm(self.normals, axis=1, keepdims=True).clip(1e-9)
        self._tree = cKDTree(self.points)

    def near(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Places and normals (means of the three nearest samples, for smoothness)."""
        _, index = self._tree.query(points, k=3)
        normal = self.normals[index].mean(axis=1)
        return self.points[index].mean(axis=1), normal / np.linalg.norm(
            normal, axis=1, keepdims=True
        )


def _brow_hairs(
    surface: Surface, eye: np.ndarray, side: int, generator: np.random.Generator
) -> tuple[list, list]:
    lines, sides = [], []
    along = np.sort(generator.uniform(0, 1, N_BROW)) * 0.97
    for t in along:
        place = t * (len(BROW_LINE_M) - 1)
        middle = np.array([np.interp(place, range(6), BROW_LINE_M[:, k]) for k in (0, 1)])
        half = np.interp(place, range(6), BROW_HALF_M)
        across = generator.uniform(-1, 1)
        root = np.array([middle[0], eye[1] + middle[1] + across * half, eye[2] + 0.05])
        # Near the nose hairs stand up, further out they lie along the brow and converge.
        lean = np.radians(
            np.interp(t, [0, 0.25, 0.6, 1], [52, 30, 8, -26])
            - 24 * across * min(1, t * 2)
            + generator.normal(0, 7)
        )
        length = np.interp(
            t, [0, 0.3, 0.8, 1], [0.0060, 0.0080, 0.0075, 0.0050]
        ) * generator.uniform(0.8, 1.15)
        steps = root + np.linspace(0, 1, 4)[:, None] * length * np.array(
            [np.cos(lean), np.sin(lean), 0]
        ) * [1, 1, 1]
        steps = steps * [side, 1, 1]
        for _ in range(6):
            ground, normal = surface.near(steps)
            steps[:, 2] = ground[:, 2] + ((ground - steps)[:, :2] * normal[:, :2]).sum(1) / normal[
                :, 2
            ].clip(0.3)
        ground, normal = surface.near(steps)
        line = steps + normal * np.array([0.0001, 0.0006, 0.0008, 0.0006])[:, None]
        lines.append(line)
        sides.append(np.cross(normal.mean(0), line[-1] - line[0]))
    return lines, sides


def _strip_edge(
    vertices: np.ndarray, quads: np.ndarray, body: cKDTree, eye: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Root and tip of a lash strip as functions of the direction around the eye: rows (angle,
    xyz)."""
    used = np.unique(quads)
    points = vertices[used]
    angle = np.arctan2(points[:, 1] - eye[1], points[:, 0] - eye[0])
    distance, _ = body.query(points)
    roots = distance < 0.0013
    order = np.argsort(angle[roots])
    return angle[roots][order], points[roots][order]


def _lash_hairs(
    base: BaseMesh,
    vertices: np.ndarray,
    group: str,
    eye: np.ndarray,
    upper: bool,
    generator: np.random.Generator,
) -> tuple[list, list]:
    quads = base.group_faces(group)
    body = cKDTree(vertices[np.unique(base.group_faces("body"))])
    angle, root = _strip_edge(vertices, quads, body, eye)
    x = root[:, 0]
    out_sign = np.sign(eye[0])
    low, high = np.percentile(x, 6), np.percentile(x, 97)
    lines, sides = [], []
    for t in (np.arange(N_LASH_UPPER if upper else N_LASH_LOWER) + 0.5) / (
        N_LASH_UPPER if upper else N_LASH_LOWER
    ):
        at = low + t * (high - low) + generator.normal(0, 0.0002)
        weight = np.exp(-0.5 * ((x - at) / 0.0016) ** 2)
        start = (weight[:, None] * root).sum(0) / weight.sum()
        start[0] = at
        fan = (at - eye[0]) / 0.014
        long = (
            (0.0066 if upper else 0.0032)
            * generator.uniform(0.8, 1.1)
            * (0.72 + 0.28 * np.clip(fan * out_sign + 0.6, 0, 1.2))
        )
        out = np.array([0.55 * fan, 0.32 if upper else -0.42, 0.9])
        out /= np.linalg.norm(out)
        curl = np.array([0.1 * fan, 0.85 if upper else -0.5, -0.15])
        s = np.linspace(0, 1, 5)[:, None]
        line = start + long * (s * out + 0.42 * s**2 * curl)
        lines.append(line)
        way = (line[-1] - line[0]) / np.linalg.norm(line[-1] - line[0])
        sides.append(np.array([1.0, 0, 0]) - way[0] * way)
    del angle
    return lines, sides


def _to_part(
    name: str,
    lines: list,
    sides: list,
    width: np.ndarray,
    base: np.ndarray,
    candidates: list[np.ndarray],
    paint: np.ndarray,
    seed: int,
) -> Part:
    """Ribbons as one part.

    Args:
        candidates: for each line, the base vertices it may follow: hairs of the upper lid that
            followed the lower one would be torn when the lids close.
    """
    points, quads = [], []
    for line, side in zip(lines, sides, strict=True):
        strip, faces = ribbon(line, side / np.linalg.norm(side), width)
        quads.append(faces + sum(map(len, points)))
        points.append(strip)
    tone = np.repeat(
        np.random.default_rng(seed).uniform(0.7, 1.25, len(lines)), [len(p) for p in points]
    )
    where = np.concatenate(points)
    bound = [bind(strip, base, near) for strip, near in zip(points, candidates, strict=True)]
    index, weight, offset = (np.concatenate(values) for values in zip(*bound, strict=True))
    return Part(
        name,
        index,
        weight,
        offset,
        np.concatenate(quads),
        paint * tone[:, None],
        np.full(len(where), REGION[name], np.uint8),
    )


def brows_and_lashes(base: BaseMesh, vertices: np.ndarray, eye: np.ndarray) -> list[Part]:
    """Both brows and all four rows of lashes, following the skin and the source's lash strips."""
    body = base.group_faces("body")
    brow_skin = body[
        (vertices[body][:, :, 2] > eye[2]).all(1)
        & (np.abs(vertices[body][:, :, 1] - eye[1] - 0.02) < 0.03).all(1)
    ]
    surface = Surface(vertices, brow_skin)
    generator = np.random.default_rng(11)
    lines, sides = [], []
    for side in (1, -1):
        more = _brow_hairs(surface, eye, side, np.random.default_rng(11))
        lines += more[0]
        sides += more[1]
    brows = _to_part(
        "brows",
        lines,
        sides,
        np.array([0.00022, 0.00030, 0.00024, 0.00010]),
        vertices,
        [np.unique(brow_skin)] * len(lines),
        BROW,
        12,
    )
    lines, sides, candidates = [], [], []
    for letter in "lr":
        centre = base.joint(f"joint-{letter}-eye", vertices)
        for row, upper in ((2, True), (1, False)):
            more = _lash_hairs(
                base, vertices, f"helper-{letter}-eyelashes-{row}", centre, upper, generator
            )
            lines += more[0]
            sides += more[1]
            strip = np.unique(base.group_faces(f"helper-{letter}-eyelashes-{row}"))
            candidates += [strip] * len(more[0])
    lashes = _to_part(
        "lashes",
        lines,
        sides,
        np.array([0.00034, 0.00030, 0.00024, 0.00016, 0.00008]),
        vertices,
        candidates,
        LASH,
        13,
    )
    return [brows, lashes]


def volume_m(points: np.ndarray, eye: np.ndarray) -> np.ndarray:
    """Height of the hair's outer surface above the scalp."""
    inside = np.clip(hair_distance(points, eye) / 0.04, 0, 1)
    inside = inside * (2 - inside)
    top = np.clip((points[:, 1] - eye[1] - 0.02) / 0.08, 0, 1)
    return 0.0012 + inside * (0.0055 + 0.0135 * top)


def cap(vertices: np.ndarray, skin: Part, eye: np.ndarray) -> Part:
    """A closed surface under the strands, so that no skin shows between them and small files have
    hair at all."""
    points = vertices[skin.index[:, 0]]
    inner = np.where(skin.region == REGION["scalp"], np.maximum(0, hair_distance(points, eye)), -1)
    # One ring of skin beyond the scalp: there the surface dives under the skin, so that its edge
    # never shows.
    ring = np.unique(skin.quads[(inner[skin.quads] >= 0).any(axis=1)])
    inner[ring] = np.maximum(inner[ring], 0)
    quads = skin.quads[(inner[skin.quads] > -0.001).all(axis=1)]
    used, local = compact(quads)
    normal = normals(points, skin.quads)[used]
    lift = CAP_SHARE * volume_m(points[used], eye) - 0.0035 * np.exp(-inner[used] / 0.005)
    index, weight = itself(skin.index[used, 0])
    return Part(
        "cap",
        index,
        weight,
        normal * lift[:, None],
        local,
        np.repeat(0.75 * HAIR[None], len(used), 0),
        np.full(len(used), REGION["hair"], np.uint8),
    )


def _eye_of(parts: list[Part], vertices: np.ndarray) -> np.ndarray:
    names = [part.name for part in parts]
    start = sum(len(part.index) for part in parts[: names.index("eye_left")])
    return vertices[start : start + len(parts[names.index("eye_left")].index)].mean(axis=0)


def _outer(
    vertices: np.ndarray, quads: np.ndarray, parts: list[Part]
) -> tuple[Surface, np.ndarray, Surface]:
    """The surface that strands lie on, as drawn: the refined cap, and bare scalp outside it. Also
    the scalp's quads, and the bare skull."""
    names = [part.name for part in parts]
    skin = parts[0]
    start = sum(len(part.index) for part in parts[: names.index("cap")])
    cap_quads = parts[names.index("cap")].quads + start
    refinement = catmull_clark(cap_quads, len(vertices))
    sharp = vertices.copy()
    sharp[refinement.used] += (
        vertices[refinement.used] - refinement.apply(vertices)[: len(refinement.used)]
    )
    fine = refinement.apply(sharp)
    scalp = skin.quads[(skin.region[skin.quads] == REGION["scalp"]).any(axis=1)]
    covered = set(parts[names.index("cap")].index[:, 0].tolist())
    inside = np.array([k in covered for k in skin.index[:, 0]])
    rim = scalp[~inside[scalp].all(axis=1)]
    skull = Surface(
        vertices[: len(skin.index)],
        skin.quads[(hair_distance(vertices[skin.quads].mean(1), _eye_of(parts, vertices)) > -0.02)],
    )
    return (
        Surface(
            np.concatenate([fine, vertices]), np.concatenate([refinement.quads, rim + len(fine)])
        ),
        scalp,
        skull,
    )


@dataclass(frozen=True)
class HairStyle:
    """How the hair of the head is cut; it is combed back to where it is gathered. Metres."""

    length: tuple[float, float]
    """Shortest and longest strand; shorter at the hairline."""
    rise: float
    """Height of the outer strands over the closed surface under them."""
    strands: int = N_STRANDS


TIED = HairStyle((0.10, 0.15), 0.0018)
STEP_M, PARTING_M = 0.005, 0.018
"""Steps in which a strand is laid, and where the hair is parted, to the figure's left."""


def _roots(
    points: np.ndarray, scalp: np.ndarray, count: int, generator: np.random.Generator, eye
) -> np.ndarray:
    """Evenly over the scalp, thinning out beyond the hairline."""
    corners = points[scalp]
    area = np.linalg.norm(
        np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1]), axis=1
    )
    chosen = generator.choice(len(scalp), 4 * count, p=area / area.sum())
    share = generator.uniform(0, 1, (len(chosen), 2, 1))
    a, b = share[:, 0], share[:, 1]
    roots = (1 - a) * ((1 - b) * corners[chosen, 0] + b * corners[chosen, 1]) + a * (
        (1 - b) * corners[chosen, 3] + b * corners[chosen, 2]
    )
    inside = hair_distance(roots, eye)
    # More and finer hairs at the hairline, where one sees them.
    likely = np.where(inside < 0, np.exp(inside / 0.0022), np.where(inside < 0.014, 1.0, 0.6))
    return roots[generator.uniform(size=len(roots)) < likely][:count]


def _comb(place: np.ndarray, roots: np.ndarray, eye: np.ndarray) -> np.ndarray:
    """Direction in which the hair is combed at each point, before it follows the surface: from a
    parting to the sides, and back to where it is gathered.
    """
    gathered = axis_of_head(eye) + BUN_M - place
    gathered /= np.linalg.norm(gathered, axis=1, keepdims=True)
    side = np.tanh((roots[:, 0] - PARTING_M) / 0.012)
    swept = np.stack([side, np.zeros(len(side)), np.full(len(side), -0.6)], axis=1)
    high = np.clip((place[:, 1] - eye[1] - 0.045) / 0.04, 0, 1)
    # Behind the crown there is no parting.
    high = high * np.clip((roots[:, 2] - eye[2] + 0.12) / 0.03, 0, 1)
    return high[:, None] * swept + (1 - high)[:, None] * gathered


def scalp_hair(
    vertices: np.ndarray,
    quads: np.ndarray,
    parts: list[Part],
    eye: np.ndarray,
    style: HairStyle = TIED,
) -> dict[str, np.ndarray]:
    """Strands combed back over the cap to where they are gathered."""
    points = vertices[: len(parts[0].index)]
    surface, scalp, head = _outer(vertices, quads, parts)
    generator = np.random.default_rng(5)
    roots = _roots(points, scalp, style.strands, generator, eye)
    above = hair_distance(roots, eye)
    # Locks: neighbours share most of their height and sway, so the surface has depth.
    lock = cKDTree(roots[:: len(roots) // 220]).query(roots)[1]
    lock_rise, lock_sway = generator.uniform(0, 1, 400)[lock], generator.normal(0, 0.09, 400)[lock]
    rank = np.clip(0.55 * lock_rise + 0.45 * generator.uniform(0, 1, len(roots)), 0, 1)
    sway = lock_sway + generator.normal(0, 0.045, len(roots))
    longest = generator.uniform(*style.length, len(roots)) * np.clip(0.45 + above / 0.04, 0.45, 1)
    place, normal = roots, surface.near(roots)[1]
    line, normal_line, runs = [roots], [normal], [np.zeros(len(roots))]
    for _ in range(round(style.length[1] / STEP_M)):
        aim = _comb(place, roots, eye)
        aim = aim - (aim * normal).sum(1, keepdims=True) * normal
        aim /= np.linalg.norm(aim, axis=1, keepdims=True).clip(1e-9)
        aim = aim + np.cross(normal, aim) * (sway * np.exp(-runs[-1] / 0.08))[:, None]
        going = (runs[-1] < longest)[:, None]
        height = 0.0003 + style.rise * rank * np.clip(runs[-1] / 0.02, 0, 1)
        moved, outward = _laid(place + aim * STEP_M, surface, head, height)
        place, normal = np.where(going, moved, place), np.where(going, outward, normal)
        runs.append(runs[-1] + np.linalg.norm(place - line[-1], axis=1))
        line.append(place)
        normal_line.append(normal)
    lines, along = np.stack(line, axis=1), np.stack(runs, axis=1)
    lines, outward = _resampled(lines, np.stack(normal_line, axis=1), along)
    _, near = cKDTree(points).query(lines[:, 2])
    return {
        "strand": (lines - eye).astype(np.float16),
        "origin": eye.astype(np.float32),
        "normal": np.round(127 * outward).astype(np.int8),
        "width": (
            (
                generator.uniform(0.00042, 0.00072, len(lines))
                * np.clip(0.4 + above / 0.012, 0.4, 1)
            ).astype(np.float32)
        ),
        "fade": np.round(255 * np.clip(1 - above / 0.006, 0, 1)).astype(np.uint8),
        # Light reaches the inner strands less.
        "tone": np.round(
            128 * (0.50 + 0.62 * rank) * generator.uniform(0.88, 1.12, len(lines))
        ).astype(np.uint8),
        "follow": near.astype(np.uint16),
    }


def _laid(
    place: np.ndarray, surface: Surface, head: Surface, height: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Points at their strand's height over the cap and never in the skin, and normals there."""
    ground, normal = surface.near(place)
    place = place + normal * (height - ((place - ground) * normal).sum(1))[:, None]
    skin, outward = head.near(place)
    depth = ((place - skin) * outward).sum(1)
    return place + outward * np.maximum(0, 0.0004 - depth)[:, None], normal


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
