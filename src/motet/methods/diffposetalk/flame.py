"""FLAME surfaces of DiffPoseTalk's motion for training; needs the user's own FLAME file."""

from __future__ import annotations

import torch
from torch import Tensor

from motet.methods.diffposetalk.stages import Mesh
from motet.rigs.flame import Flame


def flame_mesh(flame: Flame) -> Mesh:
    """The surface that the mesh terms of training compare."""

    def mesh(shape: Tensor, expression: Tensor, pose: Tensor) -> Tensor:
        still = torch.zeros_like(pose[..., :3])
        # (*batch, 5, 3), FLAME's order of joints; neck and eyes stay still
        joints = torch.stack([pose[..., :3], still, pose[..., 3:], still, still], -2)
        return flame.vertices(expression, joints, shape)

    return mesh
