"""Joining generated motion to frames that are fixed, without a step between them.

What is left of a jump at the border is an offset that decays with critical damping
("inertialisation"): the motion keeps its first frame's velocity and reaches what was generated
within a second. The offset over the floor is kept for good: whoever stands elsewhere than generated
goes on from there.

Source: Bollo 2018, Inertialization (GDC); Holden 2023, spring-based inertialisation.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from motet.geometry.rotation import axis_angle_from_matrix, matrix_from_axis_angle

SHORTEST_S, LONGEST_S = 0.35, 1.3
"""Time in which an offset has decayed to a tenth."""
TURN_S_PER_RAD = 0.55
"""Larger turns take longer, up to the longest time."""
TENTH = 3.89
"""omega * time at which (1 + omega * time) * exp(-omega * time) is a tenth."""


LEAVE_S = 0.7
"""Time in which a take leaves its start pose."""


def leave_start(
    root: Float[Tensor, "frames 3"], rotations: Float[Tensor, "frames joints 3 3"], fps: float
) -> tuple[Float[Tensor, "frames 3"], Float[Tensor, "frames joints 3 3"]]:
    """The same body, which at first stays near its first frame and is all its own after `LEAVE_S`:
    nobody falls into another posture within two tenths of a second before anything has sounded.
    """
    count = min(len(root), round(LEAVE_S * fps) + 1)
    share = torch.arange(count, dtype=root.dtype) / (LEAVE_S * fps)
    share = (share * share * (3 - 2 * share)).clamp(max=1.0)  # smoothstep, (count,)
    new_root, new_rotations = root.clone(), rotations.clone()
    new_root[:count] = root[:1] + share.unsqueeze(1) * (root[:count] - root[:1])
    away = axis_angle_from_matrix(rotations[:count] @ rotations[:1].mT)  # (count, joints, 3)
    new_rotations[:count] = matrix_from_axis_angle(share.view(-1, 1, 1) * away) @ rotations[:1]
    return new_root, new_rotations


def join_to_known(
    root: Float[Tensor, "frames 3"],
    rotations: Float[Tensor, "frames joints 3 3"],
    known: int,
    fps: float,
) -> tuple[Float[Tensor, "frames 3"], Float[Tensor, "frames joints 3 3"]]:
    """The same body, whose frames from `known` on continue those before.

    Args:
        known: so many frames at the start stay as they are.
    """
    if not 0 < known < len(root) - 1:
        return root, rotations
    times = torch.arange(len(root) - known, dtype=root.dtype) / fps
    new_root, new_rotations = root.clone(), rotations.clone()
    new_root[known:] += _root_offsets(root, known, times, fps)
    offsets = _rotation_offsets(rotations, known, times, fps)  # (frames, joints, 3)
    new_rotations[known:] = matrix_from_axis_angle(offsets) @ rotations[known:]
    return new_root, new_rotations


def _root_offsets(
    root: Float[Tensor, "frames 3"], known: int, times: Float[Tensor, " left"], fps: float
) -> Float[Tensor, "left 3"]:
    """Offsets of the pelvis: over the floor for good, of the height and the velocity decaying."""
    before = root[known - 1] - root[known - 2] if known > 1 else torch.zeros_like(root[0])
    jump = root[known - 1] + before - root[known]
    velocity = (before - (root[known + 1] - root[known])) * fps
    omega = TENTH / 0.5
    decay = torch.exp(-omega * times).unsqueeze(1)
    time = times.unsqueeze(1)
    lasting = jump * torch.tensor([1.0, 0.0, 1.0], dtype=root.dtype)
    height = jump - lasting
    # The velocity's own offset is kept too: its integral is v / omega, reached smoothly.
    drift = velocity * (1 - decay) / omega * torch.tensor([1.0, 0.0, 1.0], dtype=root.dtype)
    upwards = velocity * torch.tensor([0.0, 1.0, 0.0], dtype=root.dtype)
    return lasting + drift + (height + (upwards + omega * height) * time) * decay


def _rotation_offsets(
    rotations: Float[Tensor, "frames joints 3 3"],
    known: int,
    times: Float[Tensor, " left"],
    fps: float,
) -> Float[Tensor, "left joints 3"]:
    """Axis-angle of the rotations that the generated ones are multiplied with from the left."""
    last, first = rotations[known - 1], rotations[known]
    before = torch.zeros(len(last), 3, dtype=rotations.dtype)
    if known > 1:
        before = axis_angle_from_matrix(last @ rotations[known - 2].mT)
    expected = matrix_from_axis_angle(before) @ last
    jump = axis_angle_from_matrix(expected @ first.mT)  # (joints, 3)
    velocity = (before - axis_angle_from_matrix(rotations[known + 1] @ first.mT)) * fps
    length = SHORTEST_S + TURN_S_PER_RAD * jump.norm(dim=-1)
    omega = (TENTH / length.clamp(max=LONGEST_S)).view(1, -1, 1)
    time = times.view(-1, 1, 1)
    return (jump + (velocity + omega * jump) * time) * torch.exp(-omega * time)
