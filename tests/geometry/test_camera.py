import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.geometry.camera import Camera


def test_the_target_is_in_the_middle_and_up_is_up():
    camera = Camera((0.0, 1.5, 2.0), (0.1, 1.4, 0.0), 0.4)
    column, row, inverse = camera.pixels(np.array([0.1, 1.4, 0.0]), 200, 100)
    assert (column, row) == pytest.approx((100, 50))
    assert inverse == pytest.approx(1 / math.dist(camera.eye, camera.target))
    above = camera.pixels(np.array([0.1, 1.45, 0.0]), 200, 100)
    assert above[1] < row
    right = camera.pixels(np.array([0.2, 1.4, 0.0]), 200, 100)
    assert right[0] > column


def test_the_field_of_view_spans_the_height():
    camera = Camera((0.0, 0.0, 3.0), (0.0, 0.0, 0.0), 0.5)
    top = camera.pixels(np.array([0.0, 3 * math.tan(0.25), 0.0]), 64, 48)
    assert top[1] == pytest.approx(0, abs=1e-9)


@settings(max_examples=50, deadline=None)
@given(st.floats(0, 64), st.floats(0, 48), st.floats(0.5, 5))
def test_rays_point_back_from_what_a_pixel_sees(column, row, depth):
    camera = Camera((0.3, 1.0, 2.0), (0.0, 1.2, 0.1), 0.6)
    start, across, down = camera.rays(64, 48)
    ray = start + column * across + row * down
    place = np.array(camera.eye) - depth * ray
    assert camera.pixels(place, 64, 48)[:2] == pytest.approx((column, row), abs=1e-6)


def test_impossible_cameras_are_refused():
    with pytest.raises(ValueError, match="target"):
        Camera((0, 0, 0), (0, 0, 0), 1.0)
    with pytest.raises(ValueError, match="field of view"):
        Camera((0, 0, 1), (0, 0, 0), 4.0)
