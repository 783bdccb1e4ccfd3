"""One step of Catmull-Clark subdivision as a fixed linear map of the vertices.

Quads stay where they are from frame to frame, so the weights are found once and applied to each
frame.
Source: Catmull & Clark 1978; boundary edges follow the cubic B-spline rule.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int


@dataclass(frozen=True)
class Refinement:
    """A sparse matrix in rows (CSR): fine vertex = sum of weight * coarse vertex, and the fine
    quads.
    """

    start: Int[np.ndarray, "fine_plus_1"]
    column: Int[np.ndarray, "entries"]
    weight: Float[np.ndarray, "entries"]
    quads: Int[np.ndarray, "fine_faces 4"]
    face_source: Int[np.ndarray, "fine_faces"]
    """Coarse face that each fine quad lies in"""
    used: Int[np.ndarray, "points"]
    """Coarse vertices that occur in a quad, ascending; row k of the matrix belongs to used[k]"""
    outline: Int[np.ndarray, "faces 8"]
    """Fine vertices around each coarse face: corner, middle of the edge, corner ...; -1 where a
    triangle has no fourth"""

    @property
    def nearest(self) -> Int[np.ndarray, "fine"]:
        """The coarse vertex that weighs most in each fine vertex: for labels, which cannot be
        mixed.
        """
        best = np.maximum.reduceat(self.weight, self.start[:-1]).repeat(np.diff(self.start))
        row = np.repeat(np.arange(len(self.start) - 1), np.diff(self.start))
        hit = self.weight >= best
        first = np.unique(row[hit], return_index=True)[1]
        return self.column[hit][first]

    def triangles(self, split: Bool[np.ndarray, "faces"]) -> Int[np.ndarray, "triangles 3"]:
        """Triangles over the fine vertices in which only some coarse faces are split.

        A face that stays whole takes in the new points of its split neighbours, so that no cracks
        open.
        """
        fine = self.quads[split[self.face_source]]
        pieces = [fine[:, [0, 1, 2]], fine[:, [0, 2, 3]]]
        edge_points = self.outline[:, 1::2]
        busy = np.zeros(int(self.quads.max()) + 1, bool)
        busy[fine[:, [1, 3]].ravel()] = True
        whole = self.outline[~split]
        with_point = busy[edge_points[~split]] & (edge_points[~split] >= 0)
        for pattern in np.unique(with_point, axis=0):
            mine = whole[(with_point == pattern).all(axis=1)]
            mine, triangular = (
                mine[
                    :,
                    [c for k in range(4) for c in ([2 * k, 2 * k + 1] if pattern[k] else [2 * k])],
                ],
                mine[:, 6] < 0,
            )
            for ring in (
                mine[~triangular],
                (
                    mine[triangular][:, (mine[triangular] >= 0).all(axis=0)]
                    if triangular.any()
                    else mine[:0, :3]
                ),
            ):
                pieces += [ring[:, [0, k, k + 1]] for k in range(1, ring.shape[1] - 1)]
        return np.concatenate(pieces).astype(np.int32)

    def keep(
        self, wanted: Int[np.ndarray, "triangles 3"]
    ) -> tuple[Refinement, Int[np.ndarray, "triangles 3"]]:
        """The refinement without the fine vertices that no triangle uses, and the triangles
        renumbered; the first rows stay.
        """
        used = np.zeros(len(self.start) - 1, bool)
        used[: len(self.used)] = True
        used[wanted.ravel()] = True
        number = np.cumsum(used) - 1
        entry = np.repeat(used, np.diff(self.start))
        start = np.concatenate([[0], np.cumsum(np.diff(self.start)[used])]).astype(np.int32)
        smaller = dataclasses.replace(
            self, start=start, column=self.column[entry], weight=self.weight[entry]
        )
        return smaller, number[wanted].astype(np.int32)

    def apply(self, values: Float[np.ndarray, "verts *rest"]) -> Float[np.ndarray, "fine *rest"]:
        """Carry a quantity from the coarse vertices to the fine ones."""
        weight = self.weight.reshape(-1, *[1] * (values.ndim - 1))
        return np.add.reduceat(values[self.column] * weight, self.start[:-1], axis=0)


def catmull_clark(quads: Int[np.ndarray, "faces 4"], n_vertices: int) -> Refinement:
    """Split every quad into four (a triangle, written as a quad that repeats its last corner, into
    three).

    Only vertices that occur in a quad give fine vertices; they come first, in ascending order.
    """
    corner_ok = np.ones(quads.shape, bool)
    corner_ok[:, 3] = quads[:, 3] != quads[:, 2]
    edges, face_edge = _edges(quads, corner_ok)
    used, point_of = np.unique(quads, return_inverse=True)
    point_of = point_of.reshape(quads.shape)
    n_points, n_edges, n_faces = len(used), len(edges), len(quads)
    rows, columns, weights = _face_rows(quads, corner_ok, n_points + n_edges)
    share = (1.0 / corner_ok.sum(1))[:, None] * corner_ok
    edge_count = np.bincount(face_edge[corner_ok], minlength=n_edges)
    border_edge = edge_count != 2
    entries = [(rows, columns, weights)]
    entries += _edge_rows(quads, share, edges, face_edge, corner_ok, border_edge, n_points)
    entries += _point_rows(quads, share, edges, point_of, corner_ok, border_edge, used, n_vertices)
    row, column, weight = (np.concatenate([entry[k] for entry in entries]) for k in range(3))
    start, column, weight = _compress(row, column, weight, n_points + n_edges + n_faces, n_vertices)
    fine, source = _fine_quads(point_of, face_edge, corner_ok, n_points, n_edges)
    outline = np.stack([point_of, np.where(corner_ok, n_points + face_edge, -1)], axis=2).reshape(
        n_faces, 8
    )
    outline[~corner_ok[:, 3], 6:] = -1
    return Refinement(
        start, column, weight, fine, source, used.astype(np.int32), outline.astype(np.int32)
    )


def _edges(quads, corner_ok):
    following = np.roll(quads, -1, axis=1)
    following[~corner_ok[:, 3], 2] = quads[~corner_ok[:, 3], 0]
    pair = np.sort(np.stack([quads, following], -1), -1)
    edges, number = np.unique(pair[corner_ok], axis=0, return_inverse=True)
    face_edge = np.full(quads.shape, -1)
    face_edge[corner_ok] = number.ravel()
    return edges, face_edge


def _face_rows(quads, corner_ok, first):
    face, corner = np.nonzero(corner_ok)
    return first + face, quads[face, corner], 1.0 / corner_ok.sum(1)[face]


def _edge_rows(quads, share, edges, face_edge, corner_ok, border_edge, n_points):
    number = np.arange(len(edges))
    ends = np.where(border_edge, 0.5, 0.25)
    rows = [(n_points + number, edges[:, k], ends) for k in (0, 1)]
    face, corner = np.nonzero(corner_ok)
    edge = face_edge[face, corner]
    inner = ~border_edge[edge]
    face, edge = face[inner], edge[inner]
    rows += [(n_points + edge, quads[face, k], 0.25 * share[face, k]) for k in range(4)]
    return rows


def _point_rows(quads, share, edges, point_of, corner_ok, border_edge, used, n_vertices):
    place = np.full(n_vertices, -1)
    place[used] = np.arange(len(used))
    border = np.zeros(len(used), bool)
    border[place[edges[border_edge].ravel()]] = True
    valence = np.bincount(place[edges.ravel()], minlength=len(used)).astype(float)
    faces_at = np.bincount(point_of[corner_ok], minlength=len(used)).astype(float)
    rows = [
        (np.arange(len(used)), used, np.where(border, 0.75, (valence - 3) / valence + 1 / valence))
    ]
    for a, b in ((0, 1), (1, 0)):
        point = place[edges[:, a]]
        inner = ~border[point]
        rows.append((point[inner], edges[inner, b], 1.0 / valence[point[inner]] ** 2))
        rim = border_edge & border[point]
        # A rim vertex has exactly two rim neighbours on a clean border; else the share is split
        # evenly.
        rim_count = np.bincount(place[edges[border_edge].ravel()], minlength=len(used)).clip(1)
        rows.append((point[rim], edges[rim, b], 0.25 / rim_count[point[rim]]))
    face, corner = np.nonzero(corner_ok)
    point = point_of[face, corner]
    inner = ~border[point]
    face, point = face[inner], point[inner]
    weight = 1.0 / (valence[point] * faces_at[point])
    rows += [(point, quads[face, k], weight * share[face, k]) for k in range(4)]
    return rows


def _compress(row, column, weight, n_rows, n_columns):
    keep = weight != 0
    key, inverse = np.unique(
        row[keep].astype(np.int64) * n_columns + column[keep], return_inverse=True
    )
    total = np.bincount(inverse.ravel(), weights=weight[keep])
    start = np.searchsorted(key // n_columns, np.arange(n_rows + 1)).astype(np.int32)
    total = total / np.add.reduceat(total, start[:-1]).repeat(np.diff(start))
    return start, (key % n_columns).astype(np.int32), total.astype(np.float32)


def _fine_quads(point_of, face_edge, corner_ok, n_points, n_edges):
    face, corner = np.nonzero(corner_ok)
    last = np.where(corner == 0, corner_ok.sum(1)[face] - 1, corner - 1)
    centre = n_points + n_edges + face
    fine = np.stack(
        [
            point_of[face, corner],
            n_points + face_edge[face, corner],
            centre,
            n_points + face_edge[face, last],
        ],
        1,
    )
    return fine.astype(np.int32), face.astype(np.int32)
