"""Joint chains: local rotations and rest offsets to world transforms."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def chain(
    rotations: Float[Tensor, "*batch joints 3 3"], positions: Float[Tensor, "*batch joints 3"], parents: list[int]
) -> tuple[Float[Tensor, "*batch joints 3 3"], Float[Tensor, "*batch joints 3"]]:
    """World rotation and place of every joint.

    Rest frames are aligned with the world, so a joint's local rotation turns it about its own rest place in axes that its parent
    carries along.

    Args:
        rotations: local rotation of each joint.
        positions: place of each joint at rest, metres.
        parents: number of each joint's parent, smaller than its own; -1 for a root.

    Raises:
        ValueError: a parent comes after its child.
    """
    if any(parent >= joint for joint, parent in enumerate(parents)):
        raise ValueError("joints must be ordered so that each parent comes before its children")
    world_rotation, world_place = [], []
    for joint, parent in enumerate(parents):
        if parent < 0:
            world_rotation.append(rotations[..., joint, :, :])
            world_place.append(positions[..., joint, :].expand(rotations.shape[:-3] + (3,)))
            continue
        offset = positions[..., joint, :] - positions[..., parent, :]
        world_place.append(world_place[parent] + (world_rotation[parent] @ offset[..., None]).squeeze(-1))
        world_rotation.append(world_rotation[parent] @ rotations[..., joint, :, :])
    return torch.stack(world_rotation, -3), torch.stack(world_place, -2)


def skinning_transforms(
    rotations: Float[Tensor, "*batch joints 3 3"], positions: Float[Tensor, "*batch joints 3"], parents: list[int]
) -> Float[Tensor, "*batch joints 3 4"]:
    """Transforms that carry rest-pose points along with each joint: p' = R p + t as 3x4 matrices."""
    rotation, place = chain(rotations, positions, parents)
    shift = place - (rotation @ positions[..., None]).squeeze(-1)
    return torch.cat([rotation, shift[..., None]], -1)
