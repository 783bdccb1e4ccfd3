"""Heads turn no further against the pelvis than people turn them, and keep where they look."""

from __future__ import annotations

import math

import pytest
import torch

from motet.body.neck_limit import TWIST_RAD, limit_twist
from motet.body.skeleton import house_offsets
from motet.body.standing_pose import standing_root, standing_rotations
from motet.geometry.kinematics import forward_kinematics
from motet.geometry.rotation import matrix_from_axis_angle
from motet.types import SMPLX25_JOINTS, SMPLX25_PARENTS

HEAD = SMPLX25_JOINTS.index("head")
FRAMES = 90


def turned_head(degrees: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Standing for three seconds, with the head turned by so much against the neck."""
    root = standing_root().expand(FRAMES, 3).double()
    rotations = standing_rotations().expand(FRAMES, 25, 3, 3).double().clone()
    turn = torch.tensor([0.0, math.radians(degrees), 0.0]).double()
    rotations[:, HEAD] = matrix_from_axis_angle(turn) @ rotations[:, HEAD]
    return root, rotations


def headings(root: torch.Tensor, rotations: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    world = forward_kinematics(rotations, root, house_offsets().double(), SMPLX25_PARENTS)[0]
    head, pelvis = world[:, HEAD], world[:, 0]
    return torch.atan2(head[:, 0, 2], head[:, 2, 2]), torch.atan2(pelvis[:, 0, 2], pelvis[:, 2, 2])


@pytest.mark.parametrize("degrees", [110.0, -130.0])
def test_the_pelvis_follows_a_head_that_turns_too_far(degrees: float) -> None:
    root, rotations = turned_head(degrees)
    limited = limit_twist(root, rotations, 10, 30.0)
    before, _ = headings(root, rotations)
    head, pelvis = headings(root, limited)
    torch.testing.assert_close(head, before)
    torch.testing.assert_close(limited[:10], rotations[:10])
    assert abs(float((head - pelvis)[-1])) == pytest.approx(TWIST_RAD, abs=0.02)
    assert math.copysign(1, float(pelvis[-1])) == math.copysign(1, degrees)


def test_a_head_within_the_limit_stays() -> None:
    root, rotations = turned_head(50.0)
    assert limit_twist(root, rotations, 0, 30.0) is rotations
