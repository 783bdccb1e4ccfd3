"""Limits of how fast people move: what is faster takes longer, along the same way.

A diffusion model sometimes turns an arm within one frame, or runs faster than people. Each joint
that exceeds its limit goes through the same rotations at the limit, some frames earlier and later,
so the moment stays; motion within the limits is untouched.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from motet.geometry.rotation import axis_angle_from_matrix, matrix_from_axis_angle
from motet.types import SMPLX25_JOINTS

ROOT_M_S = 3.6
"""Of the pelvis, a quick run."""
RAD_S = {"pelvis": 5.0, "spine": 3.0, "neck": 5.0, "head": 5.0, "collar": 5.0, "shoulder": 12.0,
         "elbow": 13.0, "wrist": 10.0, "hip": 9.0, "knee": 11.0, "ankle": 9.0}  # fmt: skip
"""Of each joint against its parent: about a tenth more than in the quickest scripted flinches."""


GATHERING = np.array([1.0, 2.0, 3.0, 2.0, 1.0]) / 9
"""Weights over which a quick movement gathers speed."""


def limit_speed(
    root: Float[Tensor, "frames 3"],
    rotations: Float[Tensor, "frames joints 3 3"],
    known: int,
    fps: float,
) -> tuple[Float[Tensor, "frames 3"], Float[Tensor, "frames joints 3 3"]]:
    """The same body without speeds that people do not reach.

    Args:
        known: so many frames at the start stay as they are.
    """
    if len(root) < 3:
        return root, rotations
    root, rotations = _limited_root(root, known, fps), rotations.clone()
    increments = axis_angle_from_matrix(rotations[1:] @ rotations[:-1].mT)  # (steps, joints, 3)
    angles = increments.norm(dim=-1).double().numpy()
    for joint, name in enumerate(SMPLX25_JOINTS):
        limit = _limit(name) / fps
        if float(angles[:, joint].max()) > limit:
            position = retimed(angles[:, joint], limit, known)
            rotations[:, joint] = _along(rotations[:, joint], increments[:, joint], position)
    return root, rotations


def retimed(
    lengths: Float[np.ndarray, " steps"], limit: float, known: int
) -> Float[np.ndarray, " frames"]:
    """Where on the way each frame is, in frames of the original, with no step over the limit.

    A slow-down from both sides: half of what is too quick happens earlier, half later; after known
    frames all of it happens later.

    Args:
        lengths: of each step of the way.
    """
    way = np.concatenate([[0.0], np.cumsum(lengths)])
    late, early = way.copy(), way.copy()
    for frame in range(1, len(way)):
        late[frame] = min(way[frame], late[frame - 1] + limit)
    for frame in range(len(way) - 2, -1, -1):
        early[frame] = max(way[frame], early[frame + 1] - limit)
    border = max(known - 1, 0)
    is_free = early[border] - way[border] < 1e-9
    half = len(GATHERING) // 2
    target = 0.5 * (early + late) if is_free else np.pad(late, (half, 0), mode="edge")[: len(way)]
    gathered = np.convolve(np.pad(target, half, mode="edge"), GATHERING, "valid")
    # Speed is gathered and lost over some frames, but only around what was too quick.
    changed = np.convolve(np.abs(target - way) > 1e-7, np.ones(2 * half + 1), "same") > 0
    target = np.where(changed, gathered, way)
    target[: border + 1] = way[: border + 1]
    target = np.maximum.accumulate(target)
    # Frames where nothing moves have no place of their own on the way: keep theirs.
    position = np.interp(target, way + 1e-9 * np.arange(len(way)), np.arange(len(way)))
    return np.where(np.abs(target - way) < 1e-7, np.arange(len(way)), position)


def _limit(joint: str) -> float:
    return next((rate for name, rate in RAD_S.items() if name in joint), 10.0)


def _along(
    rotations: Float[Tensor, "frames 3 3"],
    increments: Float[Tensor, "steps 3"],
    position: Float[np.ndarray, " frames"],
) -> Float[Tensor, "frames 3 3"]:
    """Rotations at fractional frames, between neighbours on the shortest way."""
    first = np.clip(np.floor(position).astype(int), 0, len(increments) - 1)
    share = torch.from_numpy(position - first).to(rotations).unsqueeze(-1)
    return matrix_from_axis_angle(share * increments[first]) @ rotations[first]


def _limited_root(
    root: Float[Tensor, "frames 3"], known: int, fps: float
) -> Float[Tensor, "frames 3"]:
    """The pelvis never faster than `ROOT_M_S` over the floor; where it was, it gets less far."""
    steps = root.diff(dim=0)
    speed = steps[:, [0, 2]].norm(dim=-1)
    factor = (ROOT_M_S / fps / speed.clamp(min=1e-9)).clamp(max=1.0)
    factor[: max(known - 1, 0)] = 1.0
    if bool((factor == 1).all()):
        return root
    flat = torch.tensor([1.0, 0.0, 1.0]).to(root)
    excess = ((1 - factor).unsqueeze(1) * steps * flat).cumsum(0)
    limited = root.clone()
    limited[1:] -= excess
    return limited
