"""Brows and lashes, hair by hair, each a tapering ribbon."""

import numpy as np
from figure.bound import Part, bind, normals
from figure.paint import BROW, BROW_LINE_M, LASH, REGION
from figure.source import BaseMesh
from scipy.spatial import cKDTree

BROW_HALF_M = np.array([0.0026, 0.0030, 0.0027, 0.0021, 0.0013, 0.0005])
N_BROW, N_LASH_UPPER, N_LASH_LOWER = 420, 58, 26
N_LASH_LINE, LASH_LINE_M = 30, 0.0034
"""Hairs that lie along the upper lid and make one line of it, and their length."""


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

    def root_at(across: float) -> np.ndarray:
        weight = np.exp(-0.5 * ((x - across) / 0.0016) ** 2)
        return np.array([across, *(weight[:, None] * root[:, 1:]).sum(0) / weight.sum()])

    for t in (np.arange(N_LASH_UPPER if upper else N_LASH_LOWER) + 0.5) / (
        N_LASH_UPPER if upper else N_LASH_LOWER
    ):
        at = low + t * (high - low) + generator.normal(0, 0.0002)
        start = root_at(at)
        fan = (at - eye[0]) / 0.014
        long = (
            (0.0058 if upper else 0.0030)
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
    for at in np.linspace(low, high - LASH_LINE_M, N_LASH_LINE) if upper else ():
        ahead = np.linspace(at, at + LASH_LINE_M, 5)
        lines.append(np.array([root_at(across) for across in ahead]) + [0, 0, 0.0003])
        sides.append(np.array([0.0, 0.8, 0.6]))
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
        np.array([0.00020, 0.00026, 0.00020, 0.00008]),
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
        np.array([0.00058, 0.00052, 0.00040, 0.00026, 0.00010]),
        vertices,
        candidates,
        LASH,
        13,
    )
    return [brows, lashes]
