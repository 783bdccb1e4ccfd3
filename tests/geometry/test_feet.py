"""Feet that stay where they stand."""

from __future__ import annotations

import math

import pytest
import torch

from motet.geometry.body import BALL_HEIGHT_M, STANDING_HEIGHT_M, body_motion, pose_body
from motet.geometry.feet import settle_feet, standing
from motet.geometry.rotation import matrix_from_axis_angle
from motet.metrics.body_reaction import foot_skate, penetration
from motet.types import SMPLX25_JOINTS


def sliding_body(frames: int = 90, drop: float = 0.03) -> tuple[torch.Tensor, torch.Tensor]:
    """Stands with bent knees, drifts to the side and sinks into the floor: what an unsettled network gives."""
    time = torch.arange(frames) / 30
    turns = torch.zeros(frames, 25, 3)
    for side in ("left", "right"):
        for joint, angle in (("hip", -0.3), ("knee", 0.6), ("ankle", -0.3)):
            turns[:, SMPLX25_JOINTS.index(f"{side}_{joint}"), 0] = angle
    root = torch.stack([0.06 * (2 * math.pi * 0.5 * time).sin(), STANDING_HEIGHT_M - 0.033 - drop + 0 * time, 0.02 * time], 1)
    return root, matrix_from_axis_angle(turns)


def test_sliding_and_sinking_feet_are_put_right() -> None:
    root, rotations = sliding_body()
    before = pose_body(body_motion(root, rotations))
    after = pose_body(body_motion(*settle_feet(root, rotations, 30.0)))
    assert foot_skate(before, 30.0) > 5
    assert foot_skate(after, 30.0) < 1
    assert penetration(before) > 2
    assert penetration(after) < 0.05
    assert float((after.positions - before.positions).norm(dim=-1).max()) < 0.15, "nothing moves further than it must"
    arms = [SMPLX25_JOINTS.index(f"{side}_wrist") for side in ("left", "right")]
    torch.testing.assert_close(after.positions[:, arms, 0], before.positions[:, arms, 0])


def test_bones_keep_their_lengths_and_feet_their_direction() -> None:
    root, rotations = sliding_body()
    before, after = pose_body(body_motion(root, rotations)), pose_body(body_motion(*settle_feet(root, rotations, 30.0)))
    for first, second in (("left_hip", "left_knee"), ("left_knee", "left_ankle"), ("left_ankle", "left_foot")):
        lengths = [(pose.joint(first) - pose.joint(second)).norm(dim=-1) for pose in (before, after)]
        torch.testing.assert_close(*lengths, atol=1e-5, rtol=0)
    torch.testing.assert_close(after.turn("left_ankle"), before.turn("left_ankle"), atol=1e-4, rtol=0)


def test_frames_of_the_past_stay_and_their_feet_go_on_standing() -> None:
    root, rotations = sliding_body(drop=0.0)
    first_root, first_turns = settle_feet(root[:45], rotations[:45], 30.0)
    root[:45], rotations[:45] = first_root, first_turns
    again_root, again_turns = settle_feet(root, rotations, 30.0, fixed=45)
    torch.testing.assert_close(again_root[:45], root[:45])
    torch.testing.assert_close(again_turns[:45], rotations[:45])
    pose = pose_body(body_motion(again_root, again_turns))
    ball = pose.joint("left_foot")
    assert float((ball[45:60] - ball[44]).norm(dim=-1).max()) < 0.01


def test_a_foot_in_the_air_does_not_stand() -> None:
    time = torch.arange(60) / 30
    ball = torch.stack([0 * time, BALL_HEIGHT_M + 0.15 * (torch.pi * (time - 0.5)).sin().clamp(min=0), 1.2 * (time - 0.5).clamp(0, 1)], 1).double()
    found = standing(ball.numpy(), 30.0)
    assert found[:12].all()
    assert not found[20:40].any()
    assert found[-12:].all()


@pytest.mark.parametrize("frames", [2, 5, 31])
def test_short_motions_pass(frames: int) -> None:
    root, rotations = sliding_body(frames)
    settled, turns = settle_feet(root, rotations, 30.0)
    assert settled.shape == root.shape
    assert bool(torch.isfinite(turns).all())


def test_feet_that_cannot_stand_are_carried_not_dragged() -> None:
    root, rotations = sliding_body(drop=0.0)
    root[:, 2] += torch.arange(90) / 30  # a metre a second without a single step
    before, after = pose_body(body_motion(root, rotations)), pose_body(body_motion(*settle_feet(root, rotations, 30.0)))
    assert foot_skate(before, 30.0) > 50
    assert foot_skate(after, 30.0) < 3
    heights = after.joint("left_foot")[:, 1]
    assert float(heights[20:70].min()) > BALL_HEIGHT_M + 0.02 and float(heights.max()) < BALL_HEIGHT_M + 0.06
