"""Inside and outside of polygons, convex or not."""

from __future__ import annotations

import torch

from motet.geometry.polygon import inside


def test_points_inside_a_concave_polygon() -> None:
    corners = torch.tensor([[[0.0, 0], [4, 0], [4, 4], [2, 1], [0, 4]]])
    points = torch.tensor([[[1.0, 1], [3, 1], [2, 3], [2, 0.5], [5, 1]]])
    assert inside(corners, points)[0].tolist() == [True, True, False, True, False]


def test_each_polygon_has_its_points_or_all_share_them() -> None:
    square = torch.tensor([[0.0, 0], [2, 0], [2, 2], [0, 2]])
    both = torch.stack([square, square + 10])
    assert inside(both, torch.tensor([[[1.0, 1.0]]]))[:, 0].tolist() == [True, False]
    assert inside(both, torch.tensor([[[11.0, 11]], [[11.0, 11]]]))[:, 0].tolist() == [False, True]
