"""Mesh metrics on sequences whose scores are known."""

from __future__ import annotations

import pytest
import torch

from motet.errors import InputError
from motet.metrics.mesh import (
    METRICS,
    evaluate,
    face_dynamics_deviation,
    lip_vertex_error,
    mean_head_distance,
    mouth_opening_distance,
)


def test_the_same_is_perfect() -> None:
    same = torch.randn(5, 8, 3)
    scores = evaluate(same, same, [1, 2], [3, 4])
    assert set(scores) == {metric.id for metric in METRICS}
    assert all(value == 0 for value in scores.values())


def test_known_distances() -> None:
    truth = torch.zeros(4, 6, 3)
    moved = truth.clone()
    moved[:, 0, 0], moved[:, 1, 1] = 0.003, 0.004  # metres
    assert lip_vertex_error(moved, truth, [0, 1, 2]) == pytest.approx(4.0)
    assert mouth_opening_distance(moved, truth, [0, 1]) == pytest.approx((12.5) ** 0.5)
    assert mouth_opening_distance(moved, truth, [0, 0, 1]) == pytest.approx(
        ((9 + 9 + 16) / 3) ** 0.5
    ), "a vertex named twice counts twice"
    assert mean_head_distance(moved, truth) == pytest.approx((25 / 6) ** 0.5)


def test_dynamics_do_not_see_a_constant_shift() -> None:
    truth = 0.01 * torch.randn(9, 6, 3, generator=torch.Generator().manual_seed(0))
    assert face_dynamics_deviation(truth + 0.5, truth, [0, 1]) == pytest.approx(0.0, abs=2e-3)
    assert face_dynamics_deviation(2 * truth, truth, [0, 1]) > 1


@pytest.mark.parametrize(
    "bad", [torch.zeros(3, 6, 3), torch.zeros(4, 6, 2), torch.full((4, 6, 3), torch.nan)]
)
def test_what_cannot_be_compared(bad: torch.Tensor) -> None:
    with pytest.raises(InputError):
        mean_head_distance(bad, torch.zeros(4, 6, 3))
