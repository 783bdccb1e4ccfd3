"""Skin and clothes: which faces of the body stay bare, and garments lifted off the rest."""

from dataclasses import dataclass

import numpy as np

from figure.bound import Part, compact, itself, normals, smooth
from figure.paint import REGION, SHOES, TOP, TROUSERS
from figure.skeleton import Skeleton
from figure.source import BaseMesh


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
        elbow, wrist = _joint(vertices, skeleton, f"lowerarm.{side}"), _joint(vertices, skeleton, f"wrist.{side}")
        along = (wrist - elbow) / np.linalg.norm(wrist - elbow)
        mine = (arm | hand) & (np.sign(vertices[:, 0]) == sign)
        cuff[mine] = ((wrist - vertices[mine]) @ along) - 0.006
    hip = _joint(vertices, skeleton, "root")[1]
    hem = np.where(np.isfinite(cuff), np.inf, vertices[:, 1] - (hip - 0.035))
    near_neck = np.abs(vertices[:, 0]) < 0.14
    top = np.minimum(np.minimum(np.where(near_neck | (collar < 0), collar, np.inf), cuff), hem)
    ankle = _joint(vertices, skeleton, "foot.L")[1]
    trousers = np.minimum(hip + 0.05 - vertices[:, 1], vertices[:, 1] - (ankle - 0.028))
    trousers = np.where(np.isfinite(cuff), -1.0, trousers)
    shoes = ankle + 0.012 - vertices[:, 1]
    return Fields(np.clip(top, -1, 1), trousers, shoes)


def bare_quads(base: BaseMesh, fields: Fields) -> np.ndarray:
    """Body faces that can be seen."""
    covered = (fields.top > 0.012) | (fields.trousers > 0.012) | (fields.shoes > 0.012)
    body = base.group_faces("body")
    return body[~covered[body].all(axis=1)]


def _onto_edge(position: np.ndarray, normal: np.ndarray, field: np.ndarray, quads: np.ndarray) -> np.ndarray:
    """Slide vertices just outside a garment along the surface onto its edge."""
    result = position.copy()
    outside = field < 0
    for quad in quads:
        for k in range(4):
            a, b = quad[k], quad[(k + 1) % 4]
            if outside[a] == outside[b]:
                continue
            a, b = (a, b) if outside[a] else (b, a)
            share = field[b] / (field[b] - field[a])
            result[a] = position[b] + share * (position[a] - position[b])
    return result


def garment(base: BaseMesh, vertices: np.ndarray, field: np.ndarray, name: str, lift_m: float, rounds: int, paint: np.ndarray, tight: bool = True) -> Part:
    """A garment: body faces inside the field, smoothed, lifted off the skin, with an edge turned in; `tight` keeps it outside the body everywhere."""
    body = base.group_faces("body")
    quads = body[(field[body] > 0).any(axis=1) & (field[body] > -0.05).all(axis=1)]
    used, local = compact(quads)
    normal = normals(vertices, body)[used]
    flat = _onto_edge(vertices[used], normal, field[used], local)
    rim = _rim(local)
    hold = np.zeros(len(used), bool)
    hold[rim.ravel()] = True
    soft = smooth(flat, local, rounds, hold)
    if tight:
        inside = ((soft - flat) * normal).sum(axis=1)
        soft = soft + normal * np.maximum(0, -inside)[:, None]
    outer = soft + normals(soft, local) * lift_m
    outer = smooth(outer, local, 2)
    inner = flat - normal * 0.004
    faces = np.concatenate([local, _fold(rim, len(used))])
    position = np.concatenate([outer, inner])
    keep, faces = compact(faces)
    index, weight = itself(np.concatenate([used, used])[keep])
    position = position[keep]
    colour = np.repeat(paint[None], len(keep), axis=0)
    colour[keep >= len(used)] *= 0.5
    return Part(name, index, weight, position - vertices[index[:, 0]], faces, colour, np.full(len(keep), REGION[name], np.uint8))


def _rim(quads: np.ndarray) -> np.ndarray:
    """Directed boundary edges, edges 2."""
    a, b = quads.ravel(), np.roll(quads, -1, axis=1).ravel()
    edges = {(int(x), int(y)) for x, y in zip(a, b, strict=True) if x != y}
    return np.array(sorted(edge for edge in edges if edge[::-1] not in edges), np.int32).reshape(-1, 2)


def _fold(rim: np.ndarray, shift: int) -> np.ndarray:
    return np.stack([rim[:, 1], rim[:, 0], rim[:, 0] + shift, rim[:, 1] + shift], axis=1).astype(np.int32)


def clothes(base: BaseMesh, vertices: np.ndarray, fields: Fields) -> list[Part]:
    """Jumper, trousers and shoes."""
    return [
        garment(base, vertices, fields.trousers, "trousers", 0.005, 14, TROUSERS),
        garment(base, vertices, fields.shoes, "shoes", 0.012, 50, SHOES, tight=False),
        garment(base, vertices, fields.top, "top", 0.010, 14, TOP),
    ]
