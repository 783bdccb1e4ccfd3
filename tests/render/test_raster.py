import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from motet.render import raster, surface

SIZE = 24
place = st.floats(-6, 30, allow_nan=False, width=32)
corner = st.tuples(place, place, st.floats(0.25, 4.0, width=32))


def draw(screen, triangles, two_sided=True):
    triangles = np.array(triangles, np.int32)
    buffer = raster.DepthBuffer(SIZE, SIZE, len(triangles))
    buffer.draw(np.array(screen, np.float32), triangles, np.full(len(triangles), two_sided))
    return buffer.nearness, buffer.seen


def shares(points, x, y):
    (ax, ay, _), (bx, by, _), (cx, cy, _) = np.array(points, np.float64)
    area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
    b = ((x - ax) * (cy - ay) - (cx - ax) * (y - ay)) / area
    c = ((bx - ax) * (y - ay) - (x - ax) * (by - ay)) / area
    return 1 - b - c, b, c, abs(area)


@settings(max_examples=60, deadline=None)
@given(st.tuples(corner, corner, corner))
def test_exactly_the_samples_inside_are_drawn_at_the_right_depth(points):
    y, x = np.mgrid[0:SIZE, 0:SIZE] + 0.5
    (ax, ay, _), (bx, by, _), (cx, cy, _) = points
    assume(abs((bx - ax) * (cy - ay) - (cx - ax) * (by - ay)) > 4)
    a, b, c, area = shares(points, x, y)
    longest = max(
        np.hypot(ax - bx, ay - by), np.hypot(bx - cx, by - cy), np.hypot(ax - cx, ay - cy)
    )
    # Distance from the nearest edge is at least share * height; samples within a hundredth of a
    # pixel of an edge may fall either way.
    margin = np.minimum(np.minimum(a, b), c) * area / longest
    nearness, seen = draw(points, [[0, 1, 2]])
    assert (seen[margin > 0.01] == 0).all()
    assert (seen[margin < -0.01] == raster.NOTHING).all()
    depth = a * points[0][2] + b * points[1][2] + c * points[2][2]
    inside = margin > 0.01
    assert nearness[inside] == pytest.approx(depth[inside], rel=2e-3, abs=2e-3)


def test_the_nearer_surface_wins_whatever_the_order():
    near = [(2, 2, 2.0), (2, 22, 2.0), (22, 2, 2.0)]
    far = [(2, 2, 1.0), (2, 22, 1.0), (22, 2, 1.0)]
    for order, winner in (([[0, 1, 2], [3, 4, 5]], 0), ([[3, 4, 5], [0, 1, 2]], 1)):
        _, seen = draw([*near, *far], order)
        assert set(np.unique(seen)) == {raster.NOTHING, winner}


def test_backs_are_seen_only_of_two_sided_triangles():
    front = [(2, 2, 1.0), (2, 22, 1.0), (22, 2, 1.0)]
    assert (draw(front, [[0, 1, 2]], two_sided=False)[1] == 0).any()
    assert (draw(front, [[0, 2, 1]], two_sided=False)[1] == raster.NOTHING).all()
    assert (draw(front, [[0, 2, 1]], two_sided=True)[1] == 0).any()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_neighbours_leave_no_cracks(seed):
    generator = np.random.default_rng(seed)
    x, y = np.meshgrid(np.linspace(-2, SIZE + 2, 7), np.linspace(-2, SIZE + 2, 7))
    x[1:-1, 1:-1] += generator.uniform(-1.5, 1.5, (5, 5))
    y[1:-1, 1:-1] += generator.uniform(-1.5, 1.5, (5, 5))
    points = np.stack([x.ravel(), y.ravel(), np.ones(49)], 1)
    quads = [
        (r * 7 + c, r * 7 + c + 7, r * 7 + c + 8, r * 7 + c + 1) for r in range(6) for c in range(6)
    ]
    _, seen = draw(
        points, [t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))], two_sided=False
    )
    assert (seen >= 0).all()


def test_what_lies_behind_the_camera_or_outside_is_left_out():
    assert (draw([(2, 2, 0.0), (2, 22, 1.0), (22, 2, 1.0)], [[0, 1, 2]])[1] == raster.NOTHING).all()
    assert (
        draw([(-50, -50, 1), (-50, -40, 1), (-40, -50, 1)], [[0, 1, 2]])[1] == raster.NOTHING
    ).all()
    assert (draw([(5, 5, 1), (5, 5, 1), (9, 9, 1)], [[0, 1, 2]])[1] == raster.NOTHING).all()


def test_projection_matches_the_camera():
    from motet.geometry.camera import Camera

    camera = Camera((0.1, 1.5, 2.0), (0.0, 1.4, 0.0), 0.4)
    points = np.random.default_rng(0).uniform(-0.3, 0.3, (50, 3)) + [0, 1.4, 0]
    screen = np.zeros((50, 3), np.float32)
    raster.project(
        points.astype(np.float32),
        camera.world_to_camera().astype(np.float32),
        np.float32(camera.focal(120)),
        np.float32(80),
        np.float32(60),
        screen,
    )
    assert screen == pytest.approx(camera.pixels(points, 160, 120), rel=1e-4, abs=1e-2)


def test_normals_of_a_ball_point_outwards():
    from scipy.spatial import ConvexHull

    points = np.random.default_rng(1).normal(size=(400, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    hull = ConvexHull(points)
    faces = hull.simplices.copy()
    flip = (
        np.einsum(
            "ij,ij->i",
            np.cross(
                points[faces[:, 1]] - points[faces[:, 0]], points[faces[:, 2]] - points[faces[:, 0]]
            ),
            points[faces].mean(1),
        )
        < 0
    )
    faces[flip] = faces[flip][:, ::-1]
    normals = np.zeros((400, 3), np.float32)
    surface.smooth_normals(points.astype(np.float32), faces.astype(np.int32), normals)
    assert np.einsum("ij,ij->i", normals, points).min() > 0.95
    assert np.linalg.norm(normals, axis=1) == pytest.approx(1, abs=1e-4)
