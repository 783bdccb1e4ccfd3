"""Speeds that people do not reach take longer along the same way."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from motet.body.motion_limits import RAD_S, ROOT_M_S, limit_speed, retimed
from motet.geometry.rotation import axis_angle_from_matrix, matrix_from_axis_angle
from motet.types import SMPLX25_JOINTS

ELBOW = SMPLX25_JOINTS.index("left_elbow")


def bend(angles: np.ndarray) -> torch.Tensor:
    turns = torch.zeros(len(angles), 25, 3)
    turns[:, ELBOW, 1] = torch.from_numpy(angles).float()
    return matrix_from_axis_angle(turns)


def angles_of(rotations: torch.Tensor) -> np.ndarray:
    return axis_angle_from_matrix(rotations[:, ELBOW])[:, 1].double().numpy()


def test_a_flip_within_one_frame_takes_longer_around_the_same_moment() -> None:
    angles = np.where(np.arange(60) < 30, 0.0, 1.8)
    root = torch.zeros(60, 3)
    _, rotations = limit_speed(root, bend(angles), 1, 30.0)
    made = angles_of(rotations)
    steps = np.diff(made)
    assert steps.max() <= RAD_S["elbow"] / 30 + 1e-4 and steps.min() > -1e-5
    assert made[0] == pytest.approx(0, abs=1e-5) and made[-1] == pytest.approx(1.8, abs=1e-4)
    halfway = int(np.argmax(made > 0.9))
    assert abs(halfway - 30) <= 1, "the moment stays"
    assert 0 < steps[steps > 1e-4][0] < 0.6 * steps.max(), "speed is gathered"


def test_known_frames_stay_and_what_is_slow_enough_is_untouched() -> None:
    angles = np.where(np.arange(60) < 30, 0.0, 1.8)
    _, rotations = limit_speed(torch.zeros(60, 3), bend(angles), 30, 30.0)
    assert np.abs(angles_of(rotations)[:30]).max() < 1e-5
    slow = bend(0.3 * np.sin(np.arange(60) / 6))
    root = torch.linspace(0, 1, 60).view(-1, 1).expand(-1, 3).clone()
    same_root, same = limit_speed(root, slow, 5, 30.0)
    torch.testing.assert_close(same, slow)
    torch.testing.assert_close(same_root, root)


def test_nobody_runs_faster_than_people() -> None:
    root = torch.zeros(40, 3)
    root[20:, 2] = torch.arange(20) * 0.8
    root[:, 1] = 0.9
    made, _ = limit_speed(root, bend(np.zeros(40)), 1, 30.0)
    assert float(made.diff(dim=0).norm(dim=-1).max()) <= ROOT_M_S / 30 + 1e-5
    torch.testing.assert_close(made[:, 1], root[:, 1])


def test_the_way_is_the_same() -> None:
    lengths = np.array([0.0, 0.1, 0.9, 0.0, 0.05, 0.0, 0.0, 0.0, 0.0, 0.0])
    position = retimed(lengths, 0.3, 1)
    assert position[0] == 0 and position[-1] == pytest.approx(10, abs=1e-6)
    assert (np.diff(position) >= -1e-9).all()
