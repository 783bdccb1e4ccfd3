import numpy as np
import pytest

from motet.geometry.subdivide import catmull_clark


def cube():
    vertices = np.array([[x, y, z] for z in (-1, 1) for y in (-1, 1) for x in (-1, 1)], float)
    quads = np.array(
        [[0, 2, 3, 1], [4, 5, 7, 6], [0, 1, 5, 4], [2, 6, 7, 3], [0, 4, 6, 2], [1, 3, 7, 5]]
    )
    return vertices, quads


def test_a_cube_gets_the_published_points():
    vertices, quads = cube()
    refinement = catmull_clark(quads, 8)
    fine = refinement.apply(vertices)
    assert len(fine) == 8 + 12 + 6 and len(refinement.quads) == 24
    # Corner: (F + 2R + (n - 3) P) / n with n = 3: faces average 1/3, edge middles average 2/3.
    assert np.abs(fine[:8]) == pytest.approx(5 / 9)
    assert sorted(np.round(np.linalg.norm(fine[8:20], axis=1), 6)) == pytest.approx(
        [math_edge()] * 12
    )
    assert np.abs(fine[20:]).sum(axis=1) == pytest.approx(1.0)


def math_edge() -> float:
    # Mean of the edge's ends (1, 1, 0) and its two face points (1, 0, 0), (0, 1, 0).
    return float(np.linalg.norm([0.75, 0.75, 0.0]))


def test_winding_is_kept():
    vertices, quads = cube()
    refinement = catmull_clark(quads, 8)
    fine = refinement.apply(vertices)
    a, b, c = (fine[refinement.quads[:, k]] for k in (0, 1, 2))
    assert (np.einsum("ij,ij->i", np.cross(b - a, c - a), a + b + c) > 0).all()


def test_flat_patches_stay_flat_and_borders_stay_on_the_border():
    x, y = np.meshgrid(np.arange(4.0), np.arange(3.0))
    vertices = np.stack([x.ravel(), y.ravel(), np.zeros(12)], 1)
    quads = np.array(
        [
            [r * 4 + c, r * 4 + c + 1, r * 4 + c + 5, r * 4 + c + 4]
            for r in range(2)
            for c in range(3)
        ]
    )
    refinement = catmull_clark(quads, 12)
    fine = refinement.apply(vertices)
    assert np.abs(fine[:, 2]).max() == 0
    assert fine[:, 1].min() == 0 and fine[:, 1].max() == 2
    rows = refinement.apply(np.ones((12, 1)))
    assert rows == pytest.approx(1.0)


def test_triangles_written_as_quads_and_unused_vertices():
    vertices = np.array([[9, 9, 9], [0, 0, 0], [1, 0, 0], [0, 1, 0]], float)
    refinement = catmull_clark(np.array([[1, 2, 3, 3]]), 4)
    fine = refinement.apply(vertices)
    assert len(refinement.quads) == 3 and len(fine) == 7
    assert fine[-1] == pytest.approx([1 / 3, 1 / 3, 0])
    assert refinement.used.tolist() == [1, 2, 3]
    assert set(refinement.nearest.tolist()) == {1, 2, 3}


def test_partly_split_meshes_have_no_cracks_and_can_drop_what_they_do_not_use():
    vertices, quads = cube()
    refinement = catmull_clark(quads, 8)
    split = np.array([True, False, False, True, False, False])
    triangles = refinement.triangles(split)
    edges = {(int(a), int(b)) for t in triangles for a, b in zip(t, np.roll(t, -1), strict=True)}
    assert all(edge[::-1] in edges for edge in edges), (
        "every edge has its counterpart: the surface is closed"
    )
    smaller, renumbered = refinement.keep(triangles)
    assert np.allclose(smaller.apply(vertices)[renumbered], refinement.apply(vertices)[triangles])
    assert len(smaller.start) < len(refinement.start)
    assert (
        len(refinement.triangles(np.ones(6, bool))) == 48
        and len(refinement.triangles(np.zeros(6, bool))) == 12
    )


def test_whole_triangles_stay_triangles():
    refinement = catmull_clark(np.array([[1, 2, 3, 3], [0, 2, 1, 1]]), 4)
    assert len(refinement.triangles(np.array([False, False]))) == 2
    assert len(refinement.triangles(np.array([True, False]))) == 6 + 2
