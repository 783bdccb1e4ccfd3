"""Linear blend skinning."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor


def dense_weights(
    index: Int[Tensor, "verts influences"], weight: Float[Tensor, "verts influences"], n_joints: int
) -> Float[Tensor, "verts joints"]:
    """Full weight matrix from the few influences of each vertex."""
    # (verts, joints); a joint that stands twice in a row counts with both weights
    dense = torch.zeros(len(index), n_joints, dtype=weight.dtype, device=weight.device)
    return dense.scatter_add(1, index.long(), weight)


def skin(
    vertices: Float[Tensor, "*batch verts 3"],
    weights: Float[Tensor, "verts joints"],
    transforms: Float[Tensor, "*batch joints 3 4"],
) -> Float[Tensor, "*batch verts 3"]:
    """Each vertex moved by the weighted mean of its joints' transforms.

    Args:
        vertices: rest pose, metres; its batch axes broadcast against those of the transforms.
        weights: rows sum to 1.
        transforms: from `motet.geometry.kinematics.skinning_transforms`.
    """
    # (batch, verts, 3, 4): one affine map a vertex.
    blended = torch.einsum("vj,...jkl->...vkl", weights, transforms)
    return (blended[..., :3] @ vertices[..., None]).squeeze(-1) + blended[..., 3]


def skin_rigid_parts(
    vertices: Float[Tensor, "*batch verts 3"],
    weights: Float[Tensor, "verts joints"],
    transforms: Float[Tensor, "*batch joints 3 4"],
) -> Float[Tensor, "*batch verts 3"]:
    """Linear blend skinning; vertices of a single joint take the fast path of one product."""
    result = torch.empty_like(vertices)
    strongest = weights.max(1)
    single = strongest.values > 0.999
    for joint in strongest.indices[single].unique().tolist():
        index = torch.nonzero(single & (strongest.indices == joint)).squeeze(1)
        matrix = transforms[..., joint, :, :]
        rotated = vertices[..., index, :] @ matrix[..., :3].mT
        result[..., index, :] = rotated + matrix[..., None, :, 3]
    mixed = torch.nonzero(~single).squeeze(1)
    result[..., mixed, :] = skin(vertices[..., mixed, :], weights[mixed], transforms)
    return result
