"""From DiffPoseTalk's FLAME motion to surfaces and to the authors' files; needs the user's own
FLAME file.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from motet.atomic_write import appearing
from motet.errors import InputError, SpaceError
from motet.methods.diffposetalk.coefficient_smoothing import N_SHAPE
from motet.methods.diffposetalk.stages import Mesh
from motet.rigs.flame import Flame, flame_space
from motet.rigs.rig import Rig, ShapedRig
from motet.types import Meshes, Motion, Topology


def flame_mesh(flame: Flame) -> Mesh:
    """The surface that the mesh terms of training compare."""

    def mesh(shape: Tensor, expression: Tensor, pose: Tensor) -> Tensor:
        return flame.vertices(expression, _joints(pose), shape)

    return mesh


def motion_vertices(
    flame: Flame,
    motion: Motion,
    shape: Float[Tensor, "coefficients"] | None = None,
    *,
    head: bool = True,
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
    # One identity for all frames.
    identity = None if shape is None else shape.expand(*expression.shape[:-1], -1)
    return flame.vertices(expression, _joints(pose), identity)


def coefficients(
    motion: Motion,
) -> tuple[Float[Tensor, "*batch frames 50"], Float[Tensor, "*batch frames 6"]]:
    """Expression and pose (head, jaw), the arrays `exp` and `pose` of the authors' `.npz` files.

    Raises:
        SpaceError: motion of another space.
    """
    required = flame_space()
    if motion.space.name != required.name:
        raise SpaceError(
            f"motion in {required.name!r} needed, not {motion.space.name!r}; run a FLAME model"
            " of this method"
        )
    return motion["expression"], torch.cat([motion["head"], motion["jaw"]], -1)


def write_official(
    path: Path, motion: Motion, shape: Float[Tensor, "coefficients"] | None = None
) -> Path:
    """The authors' `.npz`: `exp` (frames, 50), `pose` (frames, 6), `shape` (frames, 100). It
    appears only when it is complete.

    Args:
        motion: one take (frames, dim).
        shape: identity coefficients; zeros when left out.

    Raises:
        SpaceError: motion of another space.
    """
    expression, pose = coefficients(motion)
    identity = torch.zeros(N_SHAPE) if shape is None else shape
    arrays = {"exp": expression, "pose": pose, "shape": identity.expand(len(expression), -1)}
    with appearing(path) as beside, beside.open("wb") as file:
        np.savez(
            file,
            **{name: array.float().cpu().contiguous().numpy() for name, array in arrays.items()},
        )
    return path


class FlameFigure(Rig):
    """The user's FLAME as a figure that moves in this method's space.

    Args:
        flame: read by `motet.rigs.flame.load_flame`.
    """

    def __init__(self, flame: Flame) -> None:
        self.flame, self.name, self.licence = flame, "flame", "Max Planck Society, by registration"
        self.space, self.topology = flame_space(), Topology(flame.faces)
        self.identity_names = tuple(f"shape{place}" for place in range(N_SHAPE))
        self.joint_names = ("root", "neck", "jaw", "left_eye", "right_eye")

    def shaped(self, identity: Float[Tensor, "axes"] | None = None) -> ShapedRig:
        """The figure of one person, from FLAME shape coefficients."""
        if identity is not None and (
            identity.ndim != 1
            or len(identity) > N_SHAPE
            or not bool(torch.isfinite(identity).all())
        ):
            raise InputError(
                f"a FLAME identity is at most {N_SHAPE} finite numbers, not {tuple(identity.shape)}"
            )
        return ShapedFlame(self, identity)


class ShapedFlame(ShapedRig):
    """FLAME with a fixed identity."""

    def __init__(self, rig: FlameFigure, identity: Float[Tensor, "axes"] | None) -> None:
        self.rig, self._flame, self._identity = rig, rig.flame, identity

    def posed(self, motion: Motion) -> Meshes:
        """Surfaces of every frame, metres."""
        return Meshes(
            motion_vertices(self._flame, self.rig.accept(motion), self._identity), self.rig.topology
        )


def _joints(pose: Float[Tensor, "*batch 6"]) -> Float[Tensor, "*batch 5 3"]:
    """Root, neck, jaw and eyes; neck and eyes stay still."""
    still = torch.zeros_like(pose[..., :3])
    # (*batch, 5, 3), FLAME's order of joints
    return torch.stack([pose[..., :3], still, pose[..., 3:], still, still], -2)
