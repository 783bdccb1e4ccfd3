"""Generated motion joins known frames without a step and keeps what was generated later."""

import torch

from motet.body.motion_continuity import join_to_known, leave_start
from motet.geometry.rotation import axis_angle_from_matrix, matrix_from_axis_angle

FPS = 30.0


def jumping(frames: int = 120, border: int = 40) -> tuple[torch.Tensor, torch.Tensor]:
    """A walk whose body is elsewhere, turned and bent from the border on."""
    time = torch.arange(frames, dtype=torch.float64) / FPS
    root = torch.stack([0 * time, 0.9 + 0.01 * (5 * time).sin(), 1.1 * time], 1)
    angles = torch.zeros(frames, 25, 3, dtype=torch.float64)
    angles[:, :, 0] = 0.3 * (4 * time).sin().unsqueeze(1)
    root[border:] += torch.tensor([0.8, -0.1, -0.5], dtype=torch.float64)
    angles[border:, :, 1] += 0.9
    return root, matrix_from_axis_angle(angles)


def angular_steps(rotations: torch.Tensor) -> torch.Tensor:
    return axis_angle_from_matrix(rotations[1:] @ rotations[:-1].mT).norm(dim=-1).amax(-1)


def test_a_jump_becomes_a_smooth_way() -> None:
    root, rotations = jumping()
    assert float(root.diff(dim=0).norm(dim=-1).max()) > 0.8
    joined_root, joined = join_to_known(root, rotations, 40, FPS)
    torch.testing.assert_close(joined_root[:40], root[:40])
    torch.testing.assert_close(joined[:40], rotations[:40])
    steps = joined_root.diff(dim=0)
    assert float((steps[39] - steps[38]).norm()) < 0.01, "the velocity goes on over the border"
    assert float(steps.norm(dim=-1).max()) < 0.06
    assert float(angular_steps(joined).max()) < 0.12
    assert float(angular_steps(rotations).max()) > 0.8


def test_later_the_generated_motion_is_back_where_the_body_stands() -> None:
    root, rotations = jumping()
    joined_root, joined = join_to_known(root, rotations, 40, FPS)
    torch.testing.assert_close(joined[100:], rotations[100:], atol=0.03, rtol=0)
    # The offset over the floor stays, the height does not.
    torch.testing.assert_close(joined_root[100:, 1], root[100:, 1], atol=2e-3, rtol=0)
    torch.testing.assert_close(
        joined_root.diff(dim=0)[100:], root.diff(dim=0)[100:], atol=2e-3, rtol=0
    )
    assert float(joined_root[-1, 0].abs()) < 0.05


def test_motion_that_continues_already_stays_as_it_is() -> None:
    root, rotations = jumping(border=120)
    joined_root, joined = join_to_known(root, rotations, 40, FPS)
    torch.testing.assert_close(joined_root, root, atol=2e-3, rtol=0)
    torch.testing.assert_close(joined, rotations, atol=0.02, rtol=0)
    for known in (0, 119, 120):
        unchanged = join_to_known(root, rotations, known, FPS)
        torch.testing.assert_close(unchanged[0], root)


def test_a_single_known_frame_counts_as_standing_still() -> None:
    root, rotations = jumping()
    joined_root, _ = join_to_known(root, rotations, 1, FPS)
    steps = joined_root.diff(dim=0).norm(dim=-1)
    assert float(steps[0]) < 1e-6 < float(steps[5])


def test_a_take_leaves_its_start_pose_gently() -> None:
    root, rotations = jumping(border=3)
    left_root, left = leave_start(root, rotations, FPS)
    torch.testing.assert_close(left_root[0], root[0])
    torch.testing.assert_close(left[0], rotations[0])
    torch.testing.assert_close(left_root[22:], root[22:])
    torch.testing.assert_close(left[22:], rotations[22:])
    assert float(left_root.diff(dim=0).norm(dim=-1)[:6].max()) < 0.12
    assert float(angular_steps(left)[:6].max()) < 0.12
