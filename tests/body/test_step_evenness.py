"""Steps that stand out are spread in time; everything else stays."""

import numpy as np
import pytest
import torch

from motet.body.skeleton import body_motion, pose_body
from motet.body.standing_pose import standing_root, standing_rotations
from motet.body.step_evenness import RATIO, even_steps, spread_steps
from motet.geometry.rotation import matrix_from_axis_angle
from motet.metrics import body_continuity, body_reaction
from motet.types import SMPLX25_JOINTS


def flinch(frames: int = 120, start: int = 60, length: int = 4):
    """A figure that raises its left arm within a few frames."""
    angle = torch.zeros(frames, 3)
    u = ((torch.arange(frames) - start) / length).clamp(0, 1)
    angle[:, 2] = 1.2 * u**3 * (10 - 15 * u + 6 * u * u)
    rotations = standing_rotations().repeat(frames, 1, 1, 1)
    arm = SMPLX25_JOINTS.index("left_shoulder")
    rotations[:, arm] = matrix_from_axis_angle(angle) @ rotations[:, arm]
    return standing_root().repeat(frames, 1), rotations


def test_a_flinch_within_four_frames_no_longer_stands_out() -> None:
    root, rotations = flinch()
    before = pose_body(body_motion(root, rotations))
    after = pose_body(body_motion(*even_steps(root, rotations, 1)))
    assert body_continuity.most_conspicuous_step(before).ratio > 6
    assert body_continuity.most_conspicuous_step(after).ratio < 3
    # The hand is half way when it was, to within two frames, and ends in the same pose.
    halfway = [
        int((pose.joint("left_wrist")[:, 1] > 1.03).nonzero()[0]) for pose in (before, after)
    ]
    assert abs(halfway[0] - halfway[1]) <= 2, halfway
    torch.testing.assert_close(after.positions[-20:], before.positions[-20:])


def test_the_way_stays_the_same() -> None:
    root, rotations = flinch()
    wrist = pose_body(body_motion(root, rotations)).joint("left_wrist")
    moved = pose_body(body_motion(*even_steps(root, rotations, 1))).joint("left_wrist")
    fine = torch.lerp(wrist[:-1, None], wrist[1:, None], torch.linspace(0, 1, 41)[:, None])
    nearest = torch.cdist(moved, fine.flatten(0, 1)).amin(1)
    assert float(nearest.max()) < 0.015  # of 0.5 m, on the arc between the poses


def test_known_frames_and_smooth_motion_stay() -> None:
    root, rotations = flinch()
    new_root, new_rotations = even_steps(root, rotations, 62)
    assert torch.equal(new_rotations[:62], rotations[:62])
    assert torch.equal(new_root[:62], root[:62])
    slow = flinch(length=40)
    for old, new in zip(slow, even_steps(*slow, 1), strict=True):
        assert torch.equal(old, new)


@pytest.mark.parametrize("seed", range(5))
def test_spread_steps_keep_their_sum_and_the_limit(seed: int) -> None:
    random = np.random.default_rng(seed)
    lengths = random.uniform(0, 0.02, 200)
    lengths[random.integers(20, 180, 4)] += random.uniform(0.1, 0.4, 4)
    spread = spread_steps(lengths, 1)
    assert spread.sum() == pytest.approx(lengths.sum())
    assert (spread >= 0).all()
    assert body_continuity.step_ratios(spread).max() < RATIO + 0.1


def test_who_moves_anyway_keeps_the_greatest_speed() -> None:
    root, rotations = flinch(length=10)
    root[:, 2] += 0.035 * torch.arange(len(root))
    before = pose_body(body_motion(root, rotations))
    after = pose_body(body_motion(*even_steps(root, rotations, 1)))
    speeds = [body_reaction.movement(pose, 30.0).max() for pose in (before, after)]
    assert speeds[1] > 0.9 * speeds[0]
