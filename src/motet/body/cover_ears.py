"""Hands that reach the ears: a small denoiser raises them beside the head, or over it."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.ndimage import gaussian_filter1d
from torch import Tensor

from motet.body.arm_reach import SIDES, Reach, reach
from motet.body.skeleton import house_offsets
from motet.geometry.kinematics import forward_kinematics
from motet.types import SMPLX25_JOINTS, SMPLX25_PARENTS

AT_EAR = (0.108, -0.050, 0.050)
"""Wrist of a hand whose palm is on the left ear, in the axes of the head, metres."""
FINGERS, PALM, ELBOW = (-0.10, 0.85, -0.52), (-1.0, 0.05, -0.1), (0.85, -0.35, 0.40)
FAR_M, NEAR_M = 0.42, 0.22
"""Wrists farther from there than this are left alone; nearer than this they are brought there."""
EASE_S = 0.12
"""Standard deviation of the weight's smoothing."""


def hands_to_ears(
    root: Float[Tensor, "frames 3"],
    rotations: Float[Tensor, "frames joints 3 3"],
    is_due: Bool[np.ndarray, " frames"],
    fps: float,
) -> Float[Tensor, "frames joints 3 3"]:
    """Rotations whose hands are on the ears where they nearly were.

    Args:
        is_due: frames whose reaction is to cover the ears.
    """
    if not is_due.any():
        return rotations
    offsets = house_offsets().to(root)
    world, positions = forward_kinematics(rotations, root, offsets, SMPLX25_PARENTS)
    head = SMPLX25_JOINTS.index("head")
    for side in SIDES:
        sign = 1.0 if side == "left" else -1.0
        place = torch.tensor(AT_EAR).to(root) * torch.tensor([sign, 1.0, 1.0]).to(root)
        ear = positions[:, head] + world[:, head] @ place
        wrist = positions[:, SMPLX25_JOINTS.index(f"{side}_wrist")]
        distance = (wrist - ear).norm(dim=-1).double().numpy()
        share = np.clip((FAR_M - distance) / (FAR_M - NEAR_M), 0, 1) * is_due
        weight = gaussian_filter1d(share * share * (3 - 2 * share), EASE_S * fps, mode="nearest")
        goal = Reach("head", np.tile(AT_EAR, (len(root), 1)), FINGERS, PALM, ELBOW)
        rotations = reach(root, rotations, side, goal, weight)
    return rotations
