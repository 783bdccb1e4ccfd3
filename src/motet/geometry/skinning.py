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
