"""One step of Catmull-Clark subdivision as a fixed linear map of the vertices.

The quads are the same in every frame, so the weights are computed once and applied to each frame.

Source: Catmull and Clark 1978; boundary edges follow the cubic B-spline rule.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int

Entries = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Entries of the sparse matrix: fine vertex (row), coarse vertex (column), weight."""


@dataclass(frozen=True)
class Refinement:
    """The fine quads, and a sparse matrix (CSR): fine vertex = sum of weight * coarse vertex."""

    start: Int[np.ndarray, " fine_plus_1"]
    column: Int[np.ndarray, " entries"]
    weight: Float[np.ndarray, " entries"]
    quads: Int[np.ndarray, "fine_faces 4"]
    face_source: Int[np.ndarray, " fine_faces"]
    """Coarse face that each fine quad lies in."""
    used: Int[np.ndarray, " points"]
    """Coarse vertices that occur in a quad, ascending; row k of the matrix belongs to used[k]."""
    outline: Int[np.ndarray, "faces 8"]
    """Fine vertices around each coarse face: corner, middle of the edge, corner ...; -1 for the
    missing fourth corner of a triangle."""

    @property
    def nearest(self) -> Int[np.ndarray, " fine"]:
        """Coarse vertex of largest weight of each fine vertex, for labels that cannot be mixed."""
        entries_per_row = np.diff(self.start)
        largest = np.maximum.reduceat(self.weight, self.start[:-1]).repeat(entries_per_row)
        row = np.repeat(np.arange(len(entries_per_row)), entries_per_row)
        is_largest = self.weight >= largest
        first = np.unique(row[is_largest], return_index=True)[1]
        return self.column[is_largest][first]

    def triangles(self, split: Bool[np.ndarray, " faces"]) -> Int[np.ndarray, "triangles 3"]:
        """Triangles over the fine vertices in which only some coarse faces are split.

        A whole face takes in the edge points of its split neighbours, so that no cracks open.
        """
        fine = self.quads[split[self.face_source]]
        pieces = [fine[:, [0, 1, 2]], fine[:, [0, 2, 3]]]
        # Fine vertices on the edges of split faces: a whole neighbour has to meet them.
        in_use = np.zeros(int(self.quads.max()) + 1, bool)
        in_use[fine[:, [1, 3]].ravel()] = True
        whole = self.outline[~split]
        edge_points = whole[:, 1::2]
        takes_in = in_use[edge_points] & (edge_points >= 0)
        for pattern in np.unique(takes_in, axis=0):
            faces = whole[(takes_in == pattern).all(axis=1)]
            columns = np.flatnonzero(np.stack([np.ones(4, bool), pattern], axis=1).ravel())
            triangular = faces[:, 6] < 0
            # Faces with the same pattern of split edges are polygons of the same corners.
            pieces += _fan(faces[~triangular][:, columns])
            pieces += _fan(faces[triangular][:, columns[columns < 6]])
        return np.concatenate(pieces).astype(np.int32)

    def keep(
        self, triangles: Int[np.ndarray, "triangles 3"]
    ) -> tuple[Refinement, Int[np.ndarray, "triangles 3"]]:
        """Drop the fine vertices that no triangle uses; the first rows (`used`) always stay.

        Returns:
            The smaller refinement, and the triangles with the new vertex numbers.
        """
        mask = np.zeros(len(self.start) - 1, bool)
        mask[: len(self.used)] = True
        mask[triangles.ravel()] = True
        new_index = np.cumsum(mask) - 1  # old fine vertex -> new one
        entry = np.repeat(mask, np.diff(self.start))  # per matrix entry: does its row stay?
        start = np.concatenate([[0], np.cumsum(np.diff(self.start)[mask])]).astype(np.int32)
        smaller = dataclasses.replace(
            self, start=start, column=self.column[entry], weight=self.weight[entry]
        )
        return smaller, new_index[triangles].astype(np.int32)

    def apply(self, values: Float[np.ndarray, " verts *rest"]) -> Float[np.ndarray, " fine *rest"]:
        """Carry a quantity from the coarse vertices to the fine ones."""
        weight = self.weight.reshape(-1, *[1] * (values.ndim - 1))
        # Sparse matrix product, row by row: entries of one fine vertex lie next to each other.
        return np.add.reduceat(values[self.column] * weight, self.start[:-1], axis=0)


def _fan(rings: Int[np.ndarray, "faces corners"]) -> list[np.ndarray]:
    """Polygons as triangles that share the first corner."""
    return [rings[:, [0, k, k + 1]] for k in range(1, rings.shape[1] - 1)]


def catmull_clark(quads: Int[np.ndarray, "faces 4"], n_vertices: int) -> Refinement:
    """Split every quad into four.

    A triangle is written as a quad that repeats its last corner, and is split into three. Only
    vertices that occur in a quad give fine vertices; they come first, in ascending order, then the
    edge points, then the face points.
    """
    mesh = _Mesh(quads, n_vertices)
    entries = [mesh.face_entries(), *mesh.edge_entries(), *mesh.point_entries()]
    row, column, weight = (np.concatenate([entry[k] for entry in entries]) for k in range(3))
    start, column, weight = _compress(row, column, weight, mesh.n_fine, n_vertices)
    fine, source = mesh.fine_quads()
    used = mesh.used.astype(np.int32)
    return Refinement(start, column, weight, fine, source, used, mesh.outline())


class _Mesh:
    """Topology of the coarse mesh, and the three Catmull-Clark rules as matrix entries."""

    def __init__(self, quads: Int[np.ndarray, "faces 4"], n_vertices: int) -> None:
        self.quads = quads
        self.corner_ok = np.ones(quads.shape, bool)
        # A triangle is written as a quad that repeats its third corner.
        self.corner_ok[:, 3] = quads[:, 3] != quads[:, 2]
        self.edges, self.face_edge = self._number_edges()
        self.used, point_of = np.unique(quads, return_inverse=True)
        self.point_of = point_of.reshape(quads.shape)
        self.point_number = np.full(n_vertices, -1)
        self.point_number[self.used] = np.arange(len(self.used))
        # An edge of two faces lies inside; any other count is a border.
        faces_at_edge = np.bincount(self.face_edge[self.corner_ok], minlength=len(self.edges))
        self.border_edge = faces_at_edge != 2
        # (faces, 4): weight of each corner in the face's centre.
        self.corner_weight = self.corner_ok / self.corner_ok.sum(1, keepdims=True)
        self.first_edge_point = len(self.used)
        self.first_face_point = len(self.used) + len(self.edges)
        self.n_fine = self.first_face_point + len(quads)

    @cached_property
    def corners(self) -> tuple[np.ndarray, np.ndarray]:
        """Face and corner index of every real corner."""
        return np.nonzero(self.corner_ok)

    def _number_edges(self) -> tuple[np.ndarray, np.ndarray]:
        """Vertex pairs of the edges, and the edge that starts at each corner of each face."""
        quads, ok = self.quads, self.corner_ok
        following = np.roll(quads, -1, axis=1)
        # The third corner of a triangle is followed by the first.
        following[~ok[:, 3], 2] = quads[~ok[:, 3], 0]
        # (faces, 4, 2): both faces of an edge name it alike
        pair = np.sort(np.stack([quads, following], -1), -1)
        edges, number = np.unique(pair[ok], axis=0, return_inverse=True)
        face_edge = np.full(quads.shape, -1)
        face_edge[ok] = number.ravel()
        return edges, face_edge

    def face_entries(self) -> Entries:
        """Face point: the mean of the corners."""
        face, corner = self.corners
        weight = self.corner_weight[face, corner]
        return self.first_face_point + face, self.quads[face, corner], weight

    def edge_entries(self) -> list[Entries]:
        """Edge point: half of both ends on a border; inside a quarter of each end and face."""
        rows = self.first_edge_point + np.arange(len(self.edges))
        end_weight = np.where(self.border_edge, 0.5, 0.25)
        entries = [(rows, self.edges[:, k], end_weight) for k in (0, 1)]
        edge = self.face_edge[self.corners]
        inner = ~self.border_edge[edge]
        face, edge = self.corners[0][inner], edge[inner]
        for k in range(4):
            weight = 0.25 * self.corner_weight[face, k]
            entries.append((self.first_edge_point + edge, self.quads[face, k], weight))
        return entries

    def point_entries(self) -> list[Entries]:
        """Vertex point: (F + 2 M + (n - 3) V) / n of face points F and edge middles M at valence n.

        On a border: 3/4 of the vertex and 1/8 of each neighbour along the border. F and M are
        written out in coarse vertices.
        """
        n_points = len(self.used)
        border_ends = self.point_number[self.edges[self.border_edge].ravel()]
        border = np.zeros(n_points, bool)
        border[border_ends] = True
        # Two border neighbours on a clean border; else the quarter is divided evenly.
        border_neighbours = np.bincount(border_ends, minlength=n_points).clip(1)
        valence = np.bincount(self.point_number[self.edges.ravel()], minlength=n_points)
        valence = valence.astype(float)
        # On a border the cubic B-spline: 3/4 of the point, 1/8 of each border neighbour.
        own_weight = np.where(border, 0.75, (valence - 3) / valence + 1 / valence)
        entries = [(np.arange(n_points), self.used, own_weight)]
        for own, other in ((0, 1), (1, 0)):
            point = self.point_number[self.edges[:, own]]
            neighbour = self.edges[:, other]
            inner, rim = ~border[point], self.border_edge & border[point]
            entries.append((point[inner], neighbour[inner], 1.0 / valence[point[inner]] ** 2))
            entries.append((point[rim], neighbour[rim], 0.25 / border_neighbours[point[rim]]))
        return entries + self._face_entries_of_points(border, valence)

    def _face_entries_of_points(self, border: np.ndarray, valence: np.ndarray) -> list[Entries]:
        point = self.point_of[self.corners]
        faces_at_point = np.bincount(point, minlength=len(self.used)).astype(float)
        inner = ~border[point]
        face, point = self.corners[0][inner], point[inner]
        weight = 1.0 / (valence[point] * faces_at_point[point])
        return [
            (point, self.quads[face, k], weight * self.corner_weight[face, k]) for k in range(4)
        ]

    def fine_quads(self) -> tuple[np.ndarray, np.ndarray]:
        """One quad a corner (vertex, edge point, face point, edge point before), and its face."""
        face, corner = self.corners
        # The edge that ends at this corner starts at the corner before it.
        before = np.where(corner == 0, self.corner_ok.sum(1)[face] - 1, corner - 1)
        ring = [
            self.point_of[face, corner],
            self.first_edge_point + self.face_edge[face, corner],
            self.first_face_point + face,
            self.first_edge_point + self.face_edge[face, before],
        ]
        return np.stack(ring, axis=1).astype(np.int32), face.astype(np.int32)

    def outline(self) -> Int[np.ndarray, "faces 8"]:
        """Fine vertices around each coarse face; see `Refinement.outline`."""
        edge_point = np.where(self.corner_ok, self.first_edge_point + self.face_edge, -1)
        outline = np.stack([self.point_of, edge_point], axis=2).reshape(len(self.quads), 8)
        outline[~self.corner_ok[:, 3], 6:] = -1
        return outline.astype(np.int32)


def _compress(
    row: np.ndarray, column: np.ndarray, weight: np.ndarray, n_rows: int, n_columns: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """CSR start, column and weight: double entries are added, rows sum to 1."""
    keep = weight != 0
    # Row and column as one number, so that one `unique` finds entries to be added.
    cell = row[keep].astype(np.int64) * n_columns + column[keep]
    cell, inverse = np.unique(cell, return_inverse=True)
    total = np.bincount(inverse.ravel(), weights=weight[keep])
    start = np.searchsorted(cell // n_columns, np.arange(n_rows + 1)).astype(np.int32)
    # Rows are normalised after single precision has lost their sum.
    total = total / np.add.reduceat(total, start[:-1]).repeat(np.diff(start))
    return start, (cell % n_columns).astype(np.int32), total.astype(np.float32)
