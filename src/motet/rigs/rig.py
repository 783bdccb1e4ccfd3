"""The contract of a rig: identity and motion in, surfaces out."""

from __future__ import annotations

from abc import ABC, abstractmethod

from jaxtyping import Float
from torch import Tensor

from motet.errors import SpaceError
from motet.types import Meshes, Motion, MotionSpace, Topology


class ShapedRig(ABC):
    """A rig with a fixed identity."""

    rig: Rig

    @abstractmethod
    def posed(self, motion: Motion) -> Meshes:
        """Surfaces of every frame, metres, on any batch axes.

        Raises:
            SpaceError: the motion is not in the rig's space.
        """


class Rig(ABC):
    """An immutable figure. Accepts exactly one motion space (at any frame rate)."""

    name: str
    licence: str
    space: MotionSpace
    topology: Topology
    identity_names: tuple[str, ...]
    joint_names: tuple[str, ...]

    @abstractmethod
    def shaped(self, identity: Float[Tensor, " axes"] | None = None) -> ShapedRig:
        """The figure of one person.

        Args:
            identity: one number for each of `identity_names`, in standard deviations; None is the
                mean person.

        Raises:
            InputError: the wrong number of values, or values that are not finite.
        """

    def accept(self, motion: Motion) -> Motion:
        """The motion, if it is in the rig's space.

        Raises:
            SpaceError: it is not; says which space is needed.
        """
        if motion.space.name != self.space.name or motion.space.tracks != self.space.tracks:
            raise SpaceError(
                f"the {self.name} figure moves in the space {self.space.name!r}, not in"
                f" {motion.space.name!r}; convert with motion.to(...)"
            )
        return motion
