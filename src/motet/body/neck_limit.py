"""How far a head turns against the pelvis: beyond that, people turn the torso and then the hips.

The head keeps the direction it looks in; the pelvis follows as far as needed, and the joints
between share what is left.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from scipy.ndimage import gaussian_filter1d
from torch import Tensor

from motet.body.skeleton import house_offsets
from motet.geometry.kinematics import forward_kinematics
from motet.geometry.rotation import matrix_from_axis_angle
from motet.types import SMPLX25_JOINTS, SMPLX25_PARENTS

TWIST_RAD = np.radians(70.0)
"""Of the head against the pelvis about the vertical, standing at ease: neck about 60 degrees at
most, thoracic spine the rest."""
BEHIND_RAD = np.radians(30.0)
FOLLOW_S, EASE_S = 0.25, 0.5
CHAIN = [
    SMPLX25_JOINTS.index(name) for name in ("pelvis", "spine1", "spine2", "spine3", "neck", "head")
]


def limit_twist(
    root: Float[Tensor, "frames 3"],
    rotations: Float[Tensor, "frames joints 3 3"],
    known: int,
    fps: float,
) -> Float[Tensor, "frames joints 3 3"]:
    """Rotations in which no head is turned further against its pelvis than people turn it.

    Feet turn with the pelvis; anchor them afterwards (`foot_contact.settle_feet`).

    Args:
        known: so many frames at the start stay as they are.
    """
    posed = forward_kinematics(rotations, root, house_offsets().to(root), SMPLX25_PARENTS)
    world = posed[0]  # (frames, joints, 3, 3)
    pelvis, head = (_heading(world[:, CHAIN[k]]) for k in (0, -1))
    twist = (head - pelvis + np.pi) % (2 * np.pi) - np.pi
    if len(twist) < 2 or np.abs(twist).max() <= TWIST_RAD:
        return rotations
    # Right behind, left and right are one: there the pelvis stays, so that it does not flip.
    decided = np.clip((np.pi - np.abs(twist)) / BEHIND_RAD, 0, 1)
    excess = np.sign(twist) * np.maximum(np.abs(twist) - TWIST_RAD, 0.0) * decided
    excess = gaussian_filter1d(excess, FOLLOW_S * fps, mode="nearest")
    if known:
        since = (np.arange(len(excess)) - known + 1) / (EASE_S * fps)
        excess = excess * np.clip(since, 0, 1)
    turned = world.clone()
    angles = torch.zeros(len(excess), 3).to(root)
    for step, joint in enumerate(CHAIN[:-1]):
        # The pelvis follows all the way, the head not at all.
        angles[:, 1] = torch.from_numpy(excess * (1 - step / (len(CHAIN) - 1))).to(root)
        turned[:, joint] = matrix_from_axis_angle(angles) @ world[:, joint]
    result = rotations.clone()
    for parent, joint in zip([None, *CHAIN[:-1]], CHAIN, strict=True):
        own = turned[:, joint]
        result[:, joint] = own if parent is None else turned[:, parent].mT @ own
    result[:known] = rotations[:known]
    return result


def _heading(world: Float[Tensor, "frames 3 3"]) -> Float[np.ndarray, " frames"]:
    """Angle about the vertical of where a joint's front points, radians."""
    return torch.atan2(world[:, 0, 2], world[:, 2, 2]).double().numpy()
