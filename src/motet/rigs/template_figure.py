"""Meshes that move vertex by vertex: motion in a mesh space, with the topology of a template."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from motet.errors import AssetError, InputError, SpaceError
from motet.geometry.mesh_files import TriangleMesh
from motet.rigs.rig import Rig, ShapedRig
from motet.types import Meshes, Motion, MotionSpace, Topology


def in_vertices(space: MotionSpace) -> bool:
    """Whether motion in this space consists of vertices."""
    return space.name.startswith("vertices/")


class TemplateFigure(Rig):
    """The neutral face of a data set as a figure.

    Args:
        template: its triangles are the topology.
        space: the mesh space that it moves in.
        absolute: the motion has the template in it already; otherwise it is offsets from it.

    Raises:
        SpaceError: no mesh space.
        AssetError: a template without triangles, or of another number of vertices.
    """

    def __init__(self, template: TriangleMesh, space: MotionSpace, *, absolute: bool) -> None:
        if not in_vertices(space):
            raise SpaceError(f"{space.name!r} is no mesh space; FLAME motion needs a FLAME file")
        if not len(template.faces):
            raise AssetError(
                "the template has vertices but no triangles; give the data set's own template as"
                " .obj or .ply"
            )
        if len(template.vertices) * 3 != space.dim:
            raise AssetError(
                f"the template has {len(template.vertices)} vertices, motion in {space.name!r} has"
                f" {space.dim // 3}"
            )
        self.name, self.licence = "template", "the data set's terms"
        self.space, self.absolute = space, absolute
        self.topology = Topology(torch.from_numpy(np.ascontiguousarray(template.faces)))
        self.template = torch.from_numpy(template.vertices).float()
        self.identity_names: tuple[str, ...] = ()
        self.joint_names: tuple[str, ...] = ()

    def shaped(self, identity: Float[Tensor, " axes"] | None = None) -> ShapedTemplate:
        """The template itself: it is one person."""
        if identity is not None:
            raise InputError("a template has no identity; give the template of another person")
        return ShapedTemplate(self)


class ShapedTemplate(ShapedRig):
    """A template as it is."""

    rig: TemplateFigure

    def __init__(self, rig: TemplateFigure) -> None:
        self.rig = rig

    @property
    def rest(self) -> Float[Tensor, "verts 3"]:
        """The neutral face."""
        return self.rig.template

    def posed(self, motion: Motion) -> Meshes:
        """Surfaces of every frame, in the unit of the data set."""
        vertices = self.rig.accept(motion)["vertices"]
        vertices = vertices if self.rig.absolute else vertices + self.rig.template
        return Meshes(vertices, self.rig.topology)
