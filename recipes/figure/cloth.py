"""Skin and clothes: which faces of the body stay bare, and garments lifted off the rest."""

from dataclasses import dataclass

import numpy as np
from figure.bound import Part, compact, itself, normals, rim_of, smooth
from figure.paint import REGION, SHOES, TOP, TROUSERS, value_noise
from figure.skeleton import Skeleton
from figure.source import BaseMesh
from scipy.spatial import ConvexHull

DRAPE_M = 0.030
"""Width over which a jumper hangs free of the body."""


@dataclass(frozen=True)
class Fields:
    """Signed distances (m) over the base vertices; positive inside the garment."""

    top: np.ndarray
    trousers: np.ndarray
    shoes: np.ndarray


def _joint(vertices: np.ndarray, skeleton: Skeleton, name: str) -> np.ndarray:
    return vertices[skeleton.heads[skeleton.names.index(name)]].mean(axis=0)


def _share(skeleton: Skeleton, *names: str) -> np.ndarray:
    columns = [k for k, name in enumerate(skeleton.names) if name.partition(".")[0] in names]
    return skeleton.weights[:, columns].sum(axis=1)


def garment_fields(vertices: np.ndarray, skeleton: Skeleton) -> Fields:
    """Where each garment begins and ends."""
    neck = _joint(vertices, skeleton, "neck1")
    tilt = np.array([0.0, 0.86, 0.51])
    collar = (neck + [0, 0.012, 0.0] - vertices) @ tilt
    arm = _share(skeleton, "upperarm", "lowerarm", "wrist", "fingers", "thumb") > 0.5
    hand = _share(skeleton, "wrist", "fingers", "thumb") > 0.5
    cuff = np.full(len(vertices), np.inf)
    for side, sign in (("L", 1), ("R", -1)):
        elbow, wrist = (
            _joint(vertices, skeleton, f"lowerarm.{side}"),
            _joint(vertices, skeleton, f"wrist.{side}"),
        )
        along = (wrist - elbow) / np.linalg.norm(wrist - elbow)
        mine = (arm | hand) & (np.sign(vertices[:, 0]) == sign)
        cuff[mine] = ((wrist - vertices[mine]) @ along) - 0.006
    hip = _joint(vertices, skeleton, "root")[1]
    hem = np.where(np.isfinite(cuff), np.inf, vertices[:, 1] - (hip - 0.035))
    near_neck = np.abs(vertices[:, 0]) < 0.14
    top = np.minimum(np.minimum(np.where(near_neck | (collar < 0), collar, np.inf), cuff), hem)
    ankle = _joint(vertices, skeleton, "foot.L")[1]
    trousers = np.minimum(hip - 0.005 - vertices[:, 1], vertices[:, 1] - (ankle - 0.028))
    trousers = np.where(np.isfinite(cuff), -1.0, trousers)
    shoes = ankle + 0.012 - vertices[:, 1]
    return Fields(np.clip(top, -1, 1), trousers, shoes)


def bare_quads(base: BaseMesh, fields: Fields) -> np.ndarray:
    """Body faces that can be seen."""
    covered = (fields.top > 0.012) | (fields.trousers > 0.0) | (fields.shoes > 0.012)
    body = base.group_faces("body")
    return body[~covered[body].all(axis=1)]


def _onto_edge(
    position: np.ndarray, normal: np.ndarray, field: np.ndarray, quads: np.ndarray
) -> np.ndarray:
    """Slide vertices just outside a garment along the surface onto its edge."""
    result = position.copy()
    outside = field < 0
    for quad in quads:
        for k in range(4):
            if not outside[quad[k]]:
                continue
            # A corner may touch the garment across the quad only.
            a = quad[k]
            b = next(
                (quad[(k + step) % 4] for step in (1, 3, 2) if not outside[quad[(k + step) % 4]]), a
            )
            if outside[a] == outside[b]:
                continue
            share = field[b] / (field[b] - field[a])
            result[a] = position[b] + share * (position[a] - position[b])
    return result


def garment(
    base: BaseMesh,
    vertices: np.ndarray,
    field: np.ndarray,
    name: str,
    lift_m: float,
    rounds: int,
    paint: np.ndarray,
    tight: bool = True,
    origin: np.ndarray | None = None,
) -> Part:
    """A garment: body faces inside the field, smoothed, lifted off the skin, with an edge turned
    in.

    `tight` keeps it outside the body everywhere; `origin` is the body it follows, if that is not
    the one it is made on."""
    body = base.group_faces("body")
    quads = body[(field[body] > 0).any(axis=1) & (field[body] > -0.05).all(axis=1)]
    used, local = compact(quads)
    normal = normals(vertices, body)[used]
    flat = _onto_edge(vertices[used], normal, field[used], local)
    rim = rim_of(local)
    if name == "top":
        flat = _even_rim(flat, rim)
    hold = np.zeros(len(used), bool)
    hold[rim.ravel()] = True
    soft = smooth(flat, local, rounds, hold)
    if name == "top":
        high = vertices[:, 1].max()
        chest = (np.abs(soft[:, 0]) < 0.17) & (np.abs(soft[:, 1] / high - 0.735) < 0.085)
        soft = smooth(_draped(soft, local, chest), local, 10, hold)
    if tight:
        inside = ((soft - flat) * normal).sum(axis=1)
        soft = soft + normal * np.maximum(0, -inside)[:, None]
    # An edge lies closer to the body than the rest.
    lift = lift_m * (0.35 + 0.65 * np.clip(field[used] / 0.05, 0, 1))
    lift = lift + 0.0035 * creases(soft) * np.clip(field[used] / 0.04, 0, 1) * (lift_m > 0.005)
    outer = smooth(soft + normals(soft, local) * lift[:, None], local, 1)
    inner = flat - normal * 0.004
    faces = np.concatenate([local, _fold(rim, len(used))])
    position = np.concatenate([outer, inner])
    keep, faces = compact(faces)
    index, weight = itself(np.concatenate([used, used])[keep])
    position = position[keep]
    colour = np.repeat(paint[None], len(keep), axis=0)
    colour[keep >= len(used)] *= 0.5
    shape = vertices if origin is None else origin
    return Part(
        name,
        index,
        weight,
        position - shape[index[:, 0]],
        faces,
        colour,
        np.full(len(keep), REGION[name], np.uint8),
    )


def _even_rim(position: np.ndarray, rim: np.ndarray) -> np.ndarray:
    """Positions with the edges of a garment evened out along themselves."""
    result = position.copy()
    for _ in range(8):
        total, count = np.zeros_like(result), np.zeros(len(result))
        for a, b in ((0, 1), (1, 0)):
            np.add.at(total, rim[:, a], result[rim[:, b]])
            np.add.at(count, rim[:, a], 1)
        on_rim = count > 0
        result[on_rim] = 0.5 * (result[on_rim] + total[on_rim] / count[on_rim, None])
    return result


def creases(points: np.ndarray) -> np.ndarray:
    """Height of soft folds in cloth, about -1..1: they hang, so they are higher than wide."""
    return value_noise(points * [1.0, 0.42, 1.0], 0.055, 21)


def _draped(position: np.ndarray, quads: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Positions averaged over a fixed width, each vertex counting by its area: unlike smoothing by
    neighbours, it forgets how dense the mesh is."""
    a, b, c, d = (position[quads[:, k]] for k in range(4))
    size = np.linalg.norm(np.cross(c - a, d - b), axis=1)
    area = np.bincount(quads.ravel(), np.repeat(size, 4), len(position))
    square = ((position[where][:, None] - position[None]) ** 2).sum(-1)
    weight = area * np.exp(-0.5 * square / DRAPE_M**2)
    result = position.copy()
    result[where] = weight @ position / weight.sum(axis=1, keepdims=True)
    # The mean of a curved surface lies inside it: give the average height back.
    lost = (position[where] - result[where]).mean(axis=0)
    result[where] += [0, 0, lost[2]]
    return result


def _fold(rim: np.ndarray, shift: int) -> np.ndarray:
    return np.stack([rim[:, 1], rim[:, 0], rim[:, 0] + shift, rim[:, 1] + shift], axis=1).astype(
        np.int32
    )


def _boxed_toes(base: BaseMesh, vertices: np.ndarray, field: np.ndarray) -> np.ndarray:
    """The body with the front of each foot blown up to its convex hull, so that a shoe hides the
    toes."""
    result = vertices.copy()
    body = np.unique(base.group_faces("body"))
    for sign in (1, -1):
        foot = body[(field[body] > 0) & (np.sign(vertices[body, 0]) == sign)]
        points = vertices[foot]
        front = points[:, 2] > np.percentile(points[:, 2], 18)
        toes = points[front]
        hull = ConvexHull(toes)
        middle = toes.mean(axis=0)
        middle[1] = np.percentile(toes[:, 1], 35)
        way = toes - middle
        way /= np.linalg.norm(way, axis=1, keepdims=True)
        ahead = way @ hull.equations[:, :3].T
        room = -(toes @ hull.equations[:, :3].T + hull.equations[:, 3])
        reach = np.where(ahead > 1e-6, room / ahead.clip(1e-6), np.inf).min(axis=1)
        fade = np.clip((toes[:, 2] - toes[:, 2].min()) / 0.025, 0, 1)
        result[foot[front]] = toes + way * ((reach + 0.004) * fade)[:, None]
    return result


def clothes(base: BaseMesh, vertices: np.ndarray, fields: Fields) -> list[Part]:
    """Jumper, trousers and shoes."""
    return [
        garment(base, vertices, fields.trousers, "trousers", 0.007, 20, TROUSERS, tight=False),
        garment(
            base,
            _boxed_toes(base, vertices, fields.shoes),
            fields.shoes,
            "shoes",
            0.001,
            0,
            SHOES,
            tight=False,
            origin=vertices,
        ),
        garment(base, vertices, fields.top, "top", 0.015, 30, TOP, tight=False),
    ]
