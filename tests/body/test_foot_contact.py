"""Feet that stay where they stand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from motet.body.foot_contact import (
    OFF_FEET_M,
    keep_tall,
    over_feet,
    settle_feet,
    stand_up,
    standing,
)
from motet.body.skeleton import BALL_HEIGHT_M, STANDING_HEIGHT_M, BodyPose, body_motion, pose_body
from motet.body.standing_pose import standing_root, standing_rotations
from motet.geometry.rotation import matrix_from_axis_angle
from motet.metrics.body_reaction import foot_skate, penetration
from motet.types import SMPLX25_JOINTS


def sliding_body(frames: int = 90, drop: float = 0.03) -> tuple[torch.Tensor, torch.Tensor]:
    """Stands with bent knees, drifts to the side and sinks into the floor: what an unsettled
    network gives."""
    time = torch.arange(frames) / 30
    turns = torch.zeros(frames, 25, 3)
    for side in ("left", "right"):
        for joint, angle in (("hip", -0.3), ("knee", 0.6), ("ankle", -0.3)):
            turns[:, SMPLX25_JOINTS.index(f"{side}_{joint}"), 0] = angle
    root = torch.stack(
        [
            0.06 * (2 * math.pi * 0.5 * time).sin(),
            STANDING_HEIGHT_M - 0.033 - drop + 0 * time,
            0.02 * time,
        ],
        1,
    )
    return root, matrix_from_axis_angle(turns)


def test_sliding_and_sinking_feet_are_put_right() -> None:
    root, rotations = sliding_body()
    before = pose_body(body_motion(root, rotations))
    after = pose_body(body_motion(*settle_feet(root, rotations, 30.0)))
    assert foot_skate(before, 30.0) > 5
    assert foot_skate(after, 30.0) < 1
    assert penetration(before) > 2
    assert penetration(after) < 0.05
    assert float((after.positions - before.positions).norm(dim=-1).max()) < 0.15, (
        "nothing moves further than it must"
    )
    arms = [SMPLX25_JOINTS.index(f"{side}_wrist") for side in ("left", "right")]
    torch.testing.assert_close(after.positions[:, arms, 0], before.positions[:, arms, 0])


def test_bones_keep_their_lengths_and_feet_their_direction() -> None:
    root, rotations = sliding_body()
    before, after = (
        pose_body(body_motion(root, rotations)),
        pose_body(body_motion(*settle_feet(root, rotations, 30.0))),
    )
    for first, second in (
        ("left_hip", "left_knee"),
        ("left_knee", "left_ankle"),
        ("left_ankle", "left_foot"),
    ):
        lengths = [
            (pose.joint(first) - pose.joint(second)).norm(dim=-1) for pose in (before, after)
        ]
        torch.testing.assert_close(*lengths, atol=1e-5, rtol=0)
    torch.testing.assert_close(
        after.turn("left_ankle"), before.turn("left_ankle"), atol=1e-4, rtol=0
    )


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
    ball = torch.stack(
        [
            0 * time,
            BALL_HEIGHT_M + 0.15 * (torch.pi * (time - 0.5)).sin().clamp(min=0),
            1.2 * (time - 0.5).clamp(0, 1),
        ],
        1,
    ).double()
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
    before, after = (
        pose_body(body_motion(root, rotations)),
        pose_body(body_motion(*settle_feet(root, rotations, 30.0))),
    )
    assert foot_skate(before, 30.0) > 50
    assert foot_skate(after, 30.0) < 3
    heights = after.joint("left_foot")[:, 1]
    assert (
        float(heights[20:70].min()) > BALL_HEIGHT_M + 0.02
        and float(heights.max()) < BALL_HEIGHT_M + 0.06
    )


def bent_body(depth: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """A figure that stands at the origin, its pelvis as far below standing as is said, its feet
    flat on the floor."""
    frames = len(depth)
    root = torch.tensor([0.0, STANDING_HEIGHT_M, 0.0]).repeat(frames, 1)
    root[:, 1] -= depth
    return settle_feet(root, torch.eye(3).expand(frames, 25, 3, 3).clone(), 30.0)


def test_half_bent_knees_at_rest_are_straightened_and_the_feet_stay() -> None:
    root, turns = bent_body(torch.full((120,), 0.08))
    raised, straight = settle_feet(root, turns, 30.0, upright=True)
    before, after = pose_body(body_motion(root, turns)), pose_body(body_motion(raised, straight))
    assert float((raised[:, 1] - (STANDING_HEIGHT_M - 0.020)).abs().max()) < 0.01
    torch.testing.assert_close(
        after.joint("left_foot"), before.joint("left_foot"), atol=2e-3, rtol=0
    )

    def bend(pose: BodyPose) -> float:
        thigh, shin = (
            pose.joint(a) - pose.joint(b)
            for a, b in (("left_knee", "left_hip"), ("left_ankle", "left_knee"))
        )
        return float(
            torch.rad2deg(
                (thigh * shin)
                .sum(-1)
                .div(thigh.norm(dim=-1) * shin.norm(dim=-1))
                .clamp(-1, 1)
                .acos()
            ).mean()
        )

    assert bend(before) > 45 and bend(after) < 29


@pytest.mark.parametrize(
    ("low", "from_s", "to_s"), [(0.4, 1.0, 4.0), (0.2, 1.0, 1.6), (0.015, 0.0, 6.0)]
)
def test_squats_flinches_and_easy_standing_stay(low: float, from_s: float, to_s: float) -> None:
    time = torch.arange(180) / 30
    depth = low * (((time - from_s) / 0.2).clamp(0, 1) * ((to_s - time) / 0.2).clamp(0, 1))
    raise_m = stand_up((STANDING_HEIGHT_M - depth).numpy(), 30.0)
    assert abs(raise_m).max() < 0.012


def test_standing_up_leaves_the_past_where_it_is_and_begins_softly() -> None:
    raise_m = stand_up(np.full(120, STANDING_HEIGHT_M - 0.1), 30.0, fixed=60)
    assert (raise_m[:60] <= 0).all() and raise_m[-1] > 0.06
    assert abs(np.diff(raise_m)).max() < 0.007


def test_a_pelvis_that_glides_away_from_planted_feet_is_held_back() -> None:
    frames = 150
    root = np.zeros((frames, 3))
    root[:, 0] = np.clip(np.linspace(-0.2, 0.6, frames), 0, 0.3)
    ankles = (np.tile([0.1, 0.07, 0.0], (frames, 1)), np.tile([-0.1, 0.07, 0.0], (frames, 1)))
    moved = root + over_feet(root, ankles, 30.0)
    assert float(moved[-1, 0]) == pytest.approx(0.1 + OFF_FEET_M, abs=0.01)
    assert np.abs(np.diff(moved[:, 0])).max() < 0.01
    still = over_feet(root * 0, ankles, 30.0)
    assert float(np.abs(still).max()) == 0.0
    assert float(np.abs(over_feet(root, ankles, 30.0, 140)[:140]).max()) == 0.0


def test_a_knee_that_bends_backwards_points_to_the_front_without_a_jump() -> None:
    root, rotations = standing_root().repeat(60, 1), standing_rotations().repeat(60, 1, 1, 1)
    knee = SMPLX25_JOINTS.index("left_knee")
    bend = torch.zeros(60, 3)
    bend[:, 0] = torch.linspace(0.5, -0.5, 60)  # through straight to backwards
    rotations[:, knee] = matrix_from_axis_angle(bend)
    pose = pose_body(body_motion(*settle_feet(root, rotations, 30.0)))
    position = [pose.joint(f"left_{name}") for name in ("hip", "knee", "ankle")]
    hip, knees, ankle = position
    middle = knees - torch.lerp(hip, ankle, 0.5)
    assert float(middle[:, 2].min()) > -0.02, "ahead of the line from hip to ankle"
    assert float(knees.diff(dim=0).norm(dim=-1).max()) < 0.05


def test_whoever_greets_keeps_soft_knees() -> None:
    depth = np.concatenate([np.full(60, 0.015), np.full(60, 0.18)])
    raised = keep_tall(STANDING_HEIGHT_M - depth, np.ones(120), 30.0)
    assert np.abs(raised[:40]).max() < 1e-9, "soft knees stay"
    assert 0.03 < (depth - raised)[90:].max() < 0.06
    assert not keep_tall(STANDING_HEIGHT_M - depth, np.zeros(120), 30.0).any()
    assert not keep_tall(STANDING_HEIGHT_M - depth, np.ones(120), 30.0, fixed=80)[:80].any()
