"""Life in a figure that stands still, and none on top of what it does itself."""

import torch

from motet.body.foot_contact import settle_feet
from motet.body.idle_life import add_life
from motet.body.skeleton import body_motion, pose_body
from motet.body.standing_pose import standing_root, standing_rotations
from motet.metrics import body_continuity
from motet.types import SMPLX25_JOINTS

FPS, FRAMES = 30.0, 240


def standing() -> tuple[torch.Tensor, torch.Tensor]:
    return standing_root().repeat(FRAMES, 1), standing_rotations().repeat(FRAMES, 1, 1, 1)


def test_a_standing_figure_breathes_and_shifts_its_weight_over_planted_feet() -> None:
    root, rotations = add_life(*standing(), FPS, 1, 0, 3)
    torch.testing.assert_close(root[0], standing_root())
    sway = root[:, 0].max() - root[:, 0].min()
    assert 0.02 < float(sway) < 0.06
    pose = pose_body(body_motion(*settle_feet(root, rotations, FPS, 1, True)))
    assert all(energy > 0.002 for energy in body_continuity.energy_thirds(pose, FPS))
    assert body_continuity.most_conspicuous_step(pose).ratio < 1.5
    assert body_continuity.pelvis_off_feet(pose).max() < 0.06
    for side in ("left_foot", "right_foot"):
        ball = pose.joint(side)
        assert float((ball - ball[:1])[:, [0, 2]].norm(dim=-1).max()) < 0.012, "the foot stays"
    height = pose.joint("left_collar")[:, 1] - pose.joint("spine1")[:, 1]
    assert float(height.std()) > 1e-4


def test_known_frames_stay_and_pieces_join() -> None:
    whole = add_life(*standing(), FPS, 1, 0, 3)
    root, rotations = add_life(*standing(), FPS, 60, 120, 3)
    torch.testing.assert_close(root[:60], standing()[0][:60])
    torch.testing.assert_close(rotations[:60], standing()[1][:60])
    # The change since the last known frame is that of a take that was made at once.
    change = whole[0][200] - whole[0][179]
    torch.testing.assert_close(root[80] - root[59], change, atol=1e-4, rtol=0)


def test_a_figure_that_moves_is_left_alone_and_seeds_differ() -> None:
    root, rotations = standing()
    walking = root + torch.arange(FRAMES).unsqueeze(1) / FPS * torch.tensor([0.0, 0.0, 1.0])
    moved, turned = add_life(walking, rotations, FPS, 1, 0, 3)
    torch.testing.assert_close(moved, walking, atol=1e-4, rtol=0)
    torch.testing.assert_close(turned, rotations, atol=1e-4, rtol=0)
    one, other = (add_life(root, rotations, FPS, 1, 0, seed)[1] for seed in (1, 2))
    head = SMPLX25_JOINTS.index("head")
    assert float((one - other)[:, head].abs().max()) > 0.01
