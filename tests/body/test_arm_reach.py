"""Wrists arrive where they are to go, mirrored on the other side, and hands reach the ears."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from motet.body.arm_reach import SIDES, Reach, Side, reach
from motet.body.cover_ears import AT_EAR, hands_to_ears
from motet.body.skeleton import house_offsets
from motet.body.standing_pose import standing_root, standing_rotations
from motet.geometry.kinematics import forward_kinematics
from motet.types import SMPLX25_JOINTS, SMPLX25_PARENTS

FRAMES, FPS = 60, 30.0
ELBOW, FINGERS, PALM = (0.6, -0.78, -0.15), (-0.25, 0.12, 0.96), (-0.85, -0.45, 0.1)


def standing() -> tuple[torch.Tensor, torch.Tensor]:
    return standing_root().expand(FRAMES, 3), standing_rotations().expand(FRAMES, 25, 3, 3)


def joint(root: torch.Tensor, rotations: torch.Tensor, name: str) -> np.ndarray:
    offsets = house_offsets().to(root)
    positions = forward_kinematics(rotations, root, offsets, SMPLX25_PARENTS)[1]
    return positions[:, SMPLX25_JOINTS.index(name)].double().numpy()


def at_ears(raised_m: float) -> torch.Tensor:
    """Standing with both wrists so far over the place where they cover the ears."""
    root, rotations = standing()
    position = np.tile(np.array(AT_EAR) + (0.0, raised_m, 0.0), (FRAMES, 1))
    for side in SIDES:
        goal = Reach("head", position, FINGERS, PALM, ELBOW)
        rotations = reach(root, rotations, side, goal, np.ones(FRAMES))
    return rotations


@pytest.mark.parametrize("side", SIDES)
def test_a_wrist_arrives_at_its_goal(side: Side) -> None:
    root, rotations = standing()
    position = np.tile([0.15, -0.1, 0.3], (FRAMES, 1))
    weight = np.clip((np.arange(FRAMES) - 20) / 10, 0, 1)
    moved = reach(root, rotations, side, Reach("spine3", position, FINGERS, PALM, ELBOW), weight)
    chest, wrist = joint(root, moved, "spine3"), joint(root, moved, f"{side}_wrist")
    sign = 1.0 if side == "left" else -1.0
    # Standing, the chest leans by 0.03 rad: a few millimetres at this distance.
    np.testing.assert_allclose((wrist - chest)[-1], [sign * 0.15, -0.1, 0.3], atol=0.012)
    assert torch.equal(moved[:20], rotations[:20])
    other = "right" if side == "left" else "left"
    np.testing.assert_array_equal(
        joint(root, moved, f"{other}_wrist"), joint(root, rotations, f"{other}_wrist")
    )


def test_hands_near_the_ears_reach_them_and_others_stay() -> None:
    root, near = standing()[0], at_ears(0.15)
    moved = hands_to_ears(root, near, np.ones(FRAMES, bool), FPS)
    head = joint(root, moved, "head")
    for side, sign in (("left", 1.0), ("right", -1.0)):
        off = joint(root, moved, f"{side}_wrist") - head - np.array(AT_EAR) * (sign, 1, 1)
        assert np.linalg.norm(off, axis=1).max() < 0.03
    hanging = standing()[1]
    assert hands_to_ears(root, hanging, np.ones(FRAMES, bool), FPS) is hanging
    assert hands_to_ears(root, near, np.zeros(FRAMES, bool), FPS) is near
