"""Arms and legs reach what they are asked to reach."""

from __future__ import annotations

import numpy as np
import pytest

from motet.body.limb_ik import REACH, Limb, solve

LEG = Limb(np.array([0.01, -0.38, 0.01]), np.array([0.0, -0.39, 0.0]), np.array([1.0, 0, 0]))


def end(upper: np.ndarray, lower: np.ndarray, start: np.ndarray) -> np.ndarray:
    return start + upper @ LEG.upper + (lower @ LEG.lower)


def test_the_end_arrives_and_the_knee_points_forward() -> None:
    random = np.random.default_rng(0)
    start = random.normal(size=(50, 3))
    goal = start + random.normal(size=(50, 3)) * 0.04 + [0, -0.6, 0]
    pole = np.tile([0.0, 0.1, 1.0], (50, 1))
    upper, lower = solve(LEG, start, goal, pole)
    np.testing.assert_allclose(end(upper, lower, start), goal, atol=1e-9)
    np.testing.assert_allclose(
        upper @ np.swapaxes(upper, 1, 2), np.broadcast_to(np.eye(3), upper.shape), atol=1e-9
    )
    knee = start + upper @ LEG.upper
    assert (((knee - 0.5 * (start + goal)) * pole).sum(1) > 0).all()


@pytest.mark.parametrize("far", [0.9, 5.0])
def test_what_is_too_far_is_pointed_at(far: float) -> None:
    start, goal = np.zeros((1, 3)), np.array([[0.0, -far, 0.0]])
    upper, lower = solve(LEG, start, goal, np.array([[0.0, 0, 1.0]]))
    length = np.linalg.norm(LEG.upper) + np.linalg.norm(LEG.lower)
    np.testing.assert_allclose(end(upper, lower, start), [[0, -REACH * length, 0]], atol=1e-6)
