"""From DiffPoseTalk's FLAME motion to surfaces and to the authors' files; needs the user's own FLAME file."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from motet.errors import SpaceError
from motet.methods.diffposetalk.coefficients import flame_space
from motet.methods.diffposetalk.stages import Mesh
from motet.rigs.flame import Flame
from motet.types import Motion


def flame_mesh(flame: Flame) -> Mesh:
    """The surface that the mesh terms of training compare."""

    def mesh(shape: Tensor, expression: Tensor, pose: Tensor) -> Tensor:
        return flame.vertices(expression, _joints(pose), shape)

    return mesh


def motion_vertices(
    flame: Flame, motion: Motion, shape: Float[Tensor, "coefficients"] | None = None, *, head: bool = True
) -> Float[Tensor, "*batch frames verts 3"]:
    """Surfaces in metres of motion in this method's FLAME space.

    Args:
        shape: identity coefficients; the mean person when left out.
        head: False leaves the head's rotation out.

    Raises:
        SpaceError: motion of another space.
    """
    expression, pose = coefficients(motion)
    if not head:
        pose = torch.cat([torch.zeros_like(pose[..., :3]), pose[..., 3:]], -1)
    identity = None if shape is None else shape.expand(*expression.shape[:-1], -1)
    return flame.vertices(expression, _joints(pose), identity)


def coefficients(motion: Motion) -> tuple[Float[Tensor, "*batch frames 50"], Float[Tensor, "*batch frames 6"]]:
    """Expression and pose (head, jaw), the arrays `exp` and `pose` of the authors' `.npz` files.

    Raises:
        SpaceError: motion of another space.
    """
    wanted = flame_space()
    if motion.space.name != wanted.name:
        raise SpaceError(f"motion in {wanted.name!r} needed, this is in {motion.space.name!r}; run a FLAME model of this method")
    return motion["expression"], torch.cat([motion["head"], motion["jaw"]], -1)


def _joints(pose: Float[Tensor, "*batch 6"]) -> Float[Tensor, "*batch 5 3"]:
    """Root, neck, jaw and eyes; neck and eyes stay still."""
    still = torch.zeros_like(pose[..., :3])
    return torch.stack([pose[..., :3], still, pose[..., 3:], still, still], -2)
