"""The user's FLAME as a figure that moves in the spaces of the published models."""

from __future__ import annotations

import dataclasses

import torch
from jaxtyping import Float
from torch import Tensor

from motet.errors import InputError, SpaceError
from motet.rigs.flame import N_SHAPE, Flame
from motet.rigs.rig import Rig, ShapedRig
from motet.types import Meshes, Motion, MotionSpace, Topology

FLAME_SPACES = ("flame-diffposetalk", "flame-artalk", "flame-artalk-eyes")
"""Motion in FLAME coefficients: of DiffPoseTalk, and of the two published generations of ARTalk."""
JOINTS = ("root", "neck", "jaw", "left_eye", "right_eye")
LICENCE = "Max Planck Society, by registration"


@dataclasses.dataclass(frozen=True)
class FlameParameters:
    """What FLAME takes, whatever the space that it came in."""

    expression: Float[Tensor, "*batch frames expression"]
    pose: Float[Tensor, "*batch frames 5 3"]
    """Axis-angle of root, neck, jaw, left and right eye. The head's motion is that of the root, as
    in the published programs; the neck stays still."""


def in_flame(space: MotionSpace) -> bool:
    """Whether motion in this space has FLAME coefficients."""
    return space.name in FLAME_SPACES


def flame_parameters(motion: Motion) -> FlameParameters:
    """FLAME's parameters of a motion.

    Raises:
        SpaceError: motion in another space.
    """
    if not in_flame(motion.space):
        raise SpaceError(
            f"motion in a FLAME space needed, not in {motion.space.name!r}; FLAME motion comes"
            " from imported DiffPoseTalk and ARTalk weights"
        )
    pose = motion.values.new_zeros(*motion.values.shape[:-1], len(JOINTS), 3)
    pose[..., 0, :] = motion["head"]
    # (..., 3), or x alone where the model has the opening only
    pose[..., 2, : motion.space.track("jaw").size] = motion["jaw"]
    if motion.space.name == "flame-artalk-eyes":
        pose[..., 3, :2], pose[..., 4, :2] = motion["eye_left"], motion["eye_right"]
    return FlameParameters(motion["expression"], pose)


class FlameFigure(Rig):
    """The user's FLAME as a figure.

    Args:
        flame: read by `motet.rigs.flame.load_flame`.
        space: one of the FLAME spaces.

    Raises:
        SpaceError: another space.
    """

    def __init__(self, flame: Flame, space: MotionSpace) -> None:
        if not in_flame(space):
            raise SpaceError(f"{space.name!r} is no FLAME space; there are {FLAME_SPACES}")
        self.flame, self.name, self.licence = flame, "flame", LICENCE
        self.space, self.topology = space, Topology(flame.faces)
        self.identity_names = tuple(f"shape{index}" for index in range(N_SHAPE))
        self.joint_names = JOINTS

    def shaped(self, identity: Float[Tensor, " axes"] | None = None) -> ShapedFlame:
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

    rig: FlameFigure

    def __init__(self, rig: FlameFigure, identity: Float[Tensor, " axes"] | None) -> None:
        self.rig, self.flame, self.identity = rig, rig.flame, identity

    @property
    def rest(self) -> Float[Tensor, "verts 3"]:
        """The neutral head, metres."""
        pose = torch.zeros(1, len(JOINTS), 3)
        return self.flame.vertices(torch.zeros(1, 1), pose, self._shape(pose[..., 0]))[0]

    def posed(self, motion: Motion) -> Meshes:
        """Surfaces of every frame, metres."""
        parameters = flame_parameters(self.rig.accept(motion))
        vertices = self.flame.vertices(
            parameters.expression, parameters.pose, self._shape(parameters.expression)
        )
        return Meshes(vertices, self.rig.topology)

    def _shape(self, like: Float[Tensor, "*batch numbers"]) -> Tensor | None:
        """One identity for all frames."""
        if self.identity is None:
            return None
        return self.identity.to(like).expand(*like.shape[:-1], -1)
