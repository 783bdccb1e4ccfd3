"""Heads turn to what is looked at, gently, and known frames stay."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from motet.body.look_at import look_at
from motet.body.skeleton import house_offsets
from motet.geometry.kinematics import forward_kinematics
from motet.types import SMPLX25_JOINTS, SMPLX25_PARENTS

FRAMES, FPS, KNOWN = 90, 30.0, 10
HEAD = SMPLX25_JOINTS.index("head")


def standing() -> tuple[torch.Tensor, torch.Tensor]:
    root = torch.tensor([0.0, 0.95, 0.0]).expand(FRAMES, 3)
    return root, torch.eye(3).expand(FRAMES, 25, 3, 3)


def head_yaw_deg(root: torch.Tensor, rotations: torch.Tensor) -> np.ndarray:
    world = forward_kinematics(rotations, root, house_offsets().to(root), SMPLX25_PARENTS)[0]
    front = world[:, HEAD, :, 2]
    return np.degrees(torch.atan2(front[:, 0], front[:, 2]).numpy())


@pytest.mark.parametrize("azimuth", [-110.0, -40.0, 15.0, 75.0])
def test_the_head_reaches_the_source_without_a_jump(azimuth: float) -> None:
    root, rotations = standing()
    angle = np.radians(azimuth)
    source = torch.tensor([2 * np.sin(angle), 1.5, 2 * np.cos(angle)]).float().expand(FRAMES, 3)
    turned = look_at(root, rotations, source, KNOWN, FPS)
    yaw = head_yaw_deg(root, turned)
    assert abs(yaw[-1] - 0.9 * azimuth) < 2
    assert np.abs(np.diff(yaw)).max() < 8  # degrees a frame
    assert torch.equal(turned[:KNOWN], rotations[:KNOWN])
    assert torch.equal(turned[:, 0], rotations[:, 0])  # the pelvis stays


def test_nothing_turns_where_nothing_is_looked_at() -> None:
    root, rotations = standing()
    source = torch.full((FRAMES, 3), torch.nan)
    assert look_at(root, rotations, source, KNOWN, FPS) is rotations


def test_a_head_comes_back_when_the_look_ends() -> None:
    root, rotations = standing()
    source = torch.tensor([2.0, 1.5, 0.0]).repeat(FRAMES, 1)
    source[50:] = torch.nan
    yaw = head_yaw_deg(root, look_at(root, rotations, source, 1, FPS))
    assert yaw[:50].max() > 40 and abs(yaw[-1]) < 10
