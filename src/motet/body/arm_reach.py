"""Arms that go somewhere: a goal for a wrist, solved for shoulder and elbow, blended in."""

from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from scipy.spatial.transform import Rotation
from torch import Tensor

from motet.body.limb_ik import Limb, solve
from motet.body.skeleton import house_offsets
from motet.geometry.kinematics import forward_kinematics
from motet.types import SMPLX25_JOINTS, SMPLX25_PARENTS

Side = Literal["left", "right"]
SIDES: tuple[Side, Side] = ("left", "right")
TWIST_SHARE, MOST_TWIST_RAD, MOST_BEND_RAD = 0.66, 1.6, 1.1
"""Share of the hand's twist that the forearm takes, and limits of the twist and of the wrist."""


@dataclasses.dataclass(frozen=True)
class Reach:
    """A goal in the axes of a joint (+X left, +Y up, +Z front), given for the left arm; the right
    one is its mirror image.
    """

    joint: Literal["head", "spine3"]
    position: Float[np.ndarray, "frames 3"]
    """Of the wrist, metres."""
    fingers: tuple[float, float, float]
    """Direction of the fingers."""
    palm: tuple[float, float, float]
    """Direction that the palm faces."""
    elbow: tuple[float, float, float]
    """Direction of the elbow, in the axes of the chest."""


def reach(
    root: Float[Tensor, "frames 3"],
    rotations: Float[Tensor, "frames joints 3 3"],
    side: Side,
    goal: Reach,
    weight: Float[np.ndarray, " frames"],
) -> Float[Tensor, "frames joints 3 3"]:
    """Rotations whose arm goes to the goal.

    Args:
        weight: 0 leaves the arm as it is, 1 brings it there.
    """
    if not weight.any():
        return rotations
    at, sign = SMPLX25_JOINTS.index, 1.0 if side == "left" else -1.0
    offsets = house_offsets().double()
    world, positions = (
        x.numpy()
        for x in forward_kinematics(rotations.double(), root.double(), offsets, SMPLX25_PARENTS)
    )
    mirror = np.array([sign, 1.0, 1.0])
    frame = world[:, at(goal.joint)]  # (frames, 3, 3)
    wrist = positions[:, at(goal.joint)] + np.einsum("fij,fj->fi", frame, goal.position * mirror)
    pole = world[:, at("spine3")] @ (np.array(goal.elbow) * mirror)
    shoulder, elbow, hand = (at(f"{side}_{name}") for name in ("shoulder", "elbow", "wrist"))
    # Forearms bend about the vertical of the rest pose, left and right the other way.
    limb = Limb(offsets[elbow].numpy(), offsets[hand].numpy(), np.array([0.0, -sign, 0.0]))
    upper, lower = solve(limb, positions[:, shoulder], wrist, pole)
    turned = _hand(
        frame @ (np.array(goal.fingers) * mirror), frame @ (np.array(goal.palm) * mirror), sign
    )
    lower, bend = _shared_twist(lower, turned, np.array([sign, 0.0, 0.0]))
    collar = world[:, at(f"{side}_collar")]
    result = rotations.clone()
    for joint, local in (
        (shoulder, collar.swapaxes(1, 2) @ upper),
        (elbow, upper.swapaxes(1, 2) @ lower),
        (hand, bend),
    ):
        own = rotations[:, joint].double().numpy()
        result[:, joint] = torch.from_numpy(between(own, local, weight)).to(rotations)
    return result


def between(
    start: Float[np.ndarray, "frames 3 3"],
    stop: Float[np.ndarray, "frames 3 3"],
    share: Float[np.ndarray, " frames"],
) -> Float[np.ndarray, "frames 3 3"]:
    """Rotations on the shortest way from one to the other."""
    way = Rotation.from_matrix(start.swapaxes(1, 2) @ stop).as_rotvec()
    return start @ Rotation.from_rotvec(way * share[:, None]).as_matrix()


def _hand(fingers: np.ndarray, palm: np.ndarray, sign: float) -> Float[np.ndarray, "frames 3 3"]:
    """World rotation of a hand; at rest its fingers point sideways and its palm down."""
    x = sign * fingers / np.linalg.norm(fingers, axis=1, keepdims=True)
    y = -palm + (palm * x).sum(1, keepdims=True) * x
    y /= np.linalg.norm(y, axis=1, keepdims=True)
    return np.stack([x, y, np.cross(x, y)], axis=-1)


def _shared_twist(
    lower: Float[np.ndarray, "frames 3 3"],
    hand: Float[np.ndarray, "frames 3 3"],
    axis: Float[np.ndarray, "3"],
) -> tuple[Float[np.ndarray, "frames 3 3"], Float[np.ndarray, "frames 3 3"]]:
    """The forearm with its share of the hand's twist about `axis`, and what is left for the wrist
    within its limit.
    """
    quaternion = Rotation.from_matrix(lower.swapaxes(1, 2) @ hand).as_quat()
    twist = 2 * np.arctan2(quaternion[:, :3] @ axis, quaternion[:, 3])
    twist = np.clip((twist + np.pi) % (2 * np.pi) - np.pi, -MOST_TWIST_RAD, MOST_TWIST_RAD)
    turned = lower @ Rotation.from_rotvec(TWIST_SHARE * twist[:, None] * axis).as_matrix()
    rest = Rotation.from_matrix(turned.swapaxes(1, 2) @ hand).as_rotvec()
    size = np.linalg.norm(rest, axis=1, keepdims=True).clip(1e-9)
    return turned, Rotation.from_rotvec(rest * np.minimum(1, MOST_BEND_RAD / size)).as_matrix()
