"""The house figure: loading, identity, posing."""

from __future__ import annotations

import dataclasses
import functools
import math
from importlib import resources

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from motet.array_files import read_arrays
from motet.errors import AssetError, InputError
from motet.geometry.kinematics import skinning_transforms
from motet.geometry.rotation import matrix_from_axis_angle
from motet.geometry.skinning import dense_weights, skin, skin_rigid_parts
from motet.rigs.figures import DEFAULT_FIGURE, FIGURES, Look, look_of
from motet.rigs.house.appearance import Appearance
from motet.rigs.house.hair import Hair
from motet.rigs.rig import Rig, ShapedRig
from motet.types import ARKIT_SHAPES, EYE_FULL_RAD, Meshes, Motion, Topology, arkit_space

NECK_SHARE = {"neck1": 0.14, "neck2": 0.18, "neck3": 0.22, "head": 0.46}
"""Fraction of the head's rotation at each joint of the neck; they sum to 1."""

PRESSED_MM = 1.8
"""Allowed penetration of the lips; beyond it `mouthClose` is reduced."""

_EYE_SHAPES = tuple(name for name in ARKIT_SHAPES if name.startswith("eyeLook"))


def _read(name: str) -> dict[str, np.ndarray]:
    path = resources.files("motet.rigs.house") / f"{name}.npz"
    if not path.is_file():
        raise AssetError(
            f"{path} is missing: reinstall motet, or bake it with recipes/bake_figure.py"
        )
    return read_arrays(str(path))


@dataclasses.dataclass(frozen=True)
class Part:
    """A named range of vertices and the triangles over it."""

    name: str
    vertices: slice
    faces: Int[Tensor, "faces 3"]
    """Vertex indices of the whole figure."""


class HouseRig(Rig):
    """The person that ships with motet; see `motet.rigs.house` for its arrays."""

    name = "house"
    space = arkit_space()

    def __init__(self) -> None:
        self._data = data = _read("figure")
        self.licence = str(data["licence"])
        self.vertices = torch.from_numpy(data["vertices"])
        self.quads = data["quads"].astype(np.int32)
        self.topology = Topology(torch.from_numpy(_triangles(self.quads)))
        self.part_names = tuple(map(str, data["part_names"]))
        self.region_names = tuple(map(str, data["region_names"]))
        self.regions = data["region"]
        self.colours = data["colour"]
        self.beard = data["beard"]
        self.joint_names = tuple(map(str, data["joint_names"]))
        self.joint_parents = data["joint_parent"].tolist()
        self.joint_index = data["joint_index"]
        self.joint_weight = data["joint_weight"]
        self.joints = torch.from_numpy(data["joint_position"])
        self.relaxed = torch.from_numpy(data["joint_relaxed"])
        # (eyes, shapes, axis-angle)
        self.eye_turn = torch.from_numpy(data["eye_turn"]) * self._eye_gain[:, None]
        self.lips = data["lips"].astype(np.int64)
        self.inner_lip = data["inner_lip"].astype(np.int64)
        self.mouth_corner = data["mouth_corner"].astype(np.int64)

    @functools.cached_property
    def _identity(self) -> dict[str, np.ndarray]:
        return _read("identity")

    @functools.cached_property
    def identity_names(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names of the identity axes."""
        return tuple(map(str, self._identity["axis_names"]))

    @functools.cached_property
    def _eye_gain(self) -> Float[Tensor, " shapes"]:
        """Factor on each shape such that the eyes turn by `EYE_FULL_RAD` at full weight.

        The shapes were sculpted for half of that. Lids are scaled with the eyes, so that they
        follow an angle as sculpted.
        """
        sculpted = torch.from_numpy(self._data["eye_turn"]).norm(dim=-1).amax(0)
        gain = torch.ones(len(ARKIT_SHAPES))
        for name in _EYE_SHAPES:
            row = ARKIT_SHAPES.index(name)
            full = EYE_FULL_RAD[
                name.removeprefix("eyeLook").removesuffix("Left").removesuffix("Right")
            ]
            gain[row] = full / sculpted[row]
        return gain

    def part(self, name: str) -> Part:
        """One part of the surface: skin, tongue, eye_left, eye_right, teeth_upper, teeth_lower,
        brows, lashes, trousers, shoes, top, and hair_bob, hair_tied, hair_short, of which a figure
        has one.

        Raises:
            InputError: there is no such part.
        """
        if name not in self.part_names:
            raise InputError(
                f"the house figure has no part {name!r}; known: {', '.join(self.part_names)}"
            )
        index = self.part_names.index(name)
        start, stop = (int(edge) for edge in self._data["part_start"][index : index + 2])
        faces = self.topology.faces
        return Part(name, slice(start, stop), faces[(faces[:, 0] >= start) & (faces[:, 0] < stop)])

    @functools.cached_property
    def moving(self) -> np.ndarray:
        """Indices of the vertices that some shape moves, ascending."""
        return np.unique(self._data["shape_vertex"]).astype(np.int64)

    @functools.cached_property
    def basis(self) -> Float[Tensor, "shapes moving_verts 3"]:
        """Displacements of the moving vertices for each shape at full weight, without eyeballs.

        The joints rotate the eyeballs.
        """
        return self.shape_deltas(eyeballs=False)[:, self.moving].contiguous()

    def shape_deltas(self, eyeballs: bool = True) -> Float[Tensor, "shapes verts 3"]:
        """Displacements of all vertices for each ARKit shape at full weight, metres.

        Args:
            eyeballs: keep the straight-line displacement of the eyeballs in the eyeLook shapes, for
                programs that have no eye joints.
        """
        start, vertex = self._data["shape_start"], self._data["shape_vertex"]
        # (shapes, verts, 3), from the sparse list in the file
        dense = torch.zeros(len(ARKIT_SHAPES), len(self.vertices), 3)
        delta = torch.from_numpy(self._data["shape_delta"].astype(np.float32))
        names = list(map(str, self._data["shape_names"]))
        for row, name in enumerate(ARKIT_SHAPES):
            source = names.index(name)
            rows = slice(int(start[source]), int(start[source + 1]))
            moved = self._eye_gain[row] * delta[rows]
            dense[row, torch.from_numpy(vertex[rows].astype(np.int64))] = moved
        if not eyeballs:
            for side in ("eye_left", "eye_right"):
                ball = self.part(side).vertices
                for name in _EYE_SHAPES:
                    dense[ARKIT_SHAPES.index(name), ball] = 0
        return dense

    @functools.cached_property
    def weights(self) -> Float[Tensor, "verts joints"]:
        """Skin weights, rows sum to 1."""
        weight = torch.from_numpy(self.joint_weight.astype(np.float32) / 255)
        index = torch.from_numpy(self.joint_index.astype(np.int64))
        return dense_weights(index, weight, len(self.joint_names))

    def figure(self, name: str = "") -> ShapedHouse:
        """One of the shipped figures (`motet.rigs.figures`); the default one without a name.

        Raises:
            ConfigError: there is no such figure.
        """
        look = look_of(name)
        identity = torch.zeros(len(self.identity_names))
        for axis, value in look.identity.items():
            identity[self.identity_names.index(axis)] = value
        return self.shaped(identity if look.identity else None, look=look)

    def shaped(
        self,
        identity: Float[Tensor, " axes"] | None = None,
        contact: bool = True,
        look: Look = FIGURES[DEFAULT_FIGURE],
    ) -> ShapedHouse:
        """The figure of one person; see `Rig.shaped`.

        Args:
            identity: see `Rig.shaped`.
            contact: resolve penetration of the lips (`ShapedHouse.settled`). Without it shapes
                simply add up, as they do in exported files.
            look: hair and colours; its own identity is not used.
        """
        if identity is None:
            return ShapedHouse(self, self.vertices, self.joints, contact, look)
        values = torch.as_tensor(identity, dtype=torch.float32)
        count = len(self.identity_names)
        if values.shape != (count,) or not bool(torch.isfinite(values).all()):
            raise InputError(
                f"an identity of the house figure is {count} finite numbers, this is"
                f" {tuple(values.shape)}"
            )
        scale, joint_axes = (
            torch.from_numpy(self._identity[key]) for key in ("axis_scale", "axis_joint")
        )
        axes = torch.from_numpy(self._identity["axis_delta"].astype(np.float32))
        # a axes, v vertices, k coordinates
        vertices = self.vertices + torch.einsum("a,avk->vk", values * scale, axes)
        joints = self.joints + torch.einsum("a,ajk->jk", values, joint_axes)
        return ShapedHouse(self, vertices, joints, contact, look)


class ShapedHouse(ShapedRig):
    """The house figure as one person."""

    def __init__(
        self,
        rig: HouseRig,
        vertices: Float[Tensor, "verts 3"],
        joints: Float[Tensor, "joints 3"],
        contact: bool,
        look: Look,
    ) -> None:
        self.contact = contact
        self.look = look
        self.rig: HouseRig = rig
        self.vertices = vertices
        self.joints = joints
        relaxed = matrix_from_axis_angle(rig.relaxed)
        neutral = skinning_transforms(relaxed, joints, rig.joint_parents)
        self.relaxed_vertices = skin(vertices, rig.weights, neutral)
        self.turning = _turning_vertices(rig)
        self._rest = vertices[self.turning]

    @functools.cached_property
    def _cut(self) -> dict[str, np.ndarray]:
        return _hair_arrays(self.look.hair)

    @functools.cached_property
    def hair(self) -> Hair:
        """Strands of the hair of the head at rest."""
        return Hair.of(self._cut, self.vertices - self.rig.vertices)

    @functools.cached_property
    def appearance(self) -> Appearance:
        """Colours, hairline and baked light of this figure."""
        return Appearance.of(self.rig, self.look, self._cut["occlusion"], self._cut["cover"])

    @property
    def part_names(self) -> tuple[str, ...]:
        """Parts of the surface that this figure has: of the hair, one."""
        own = f"hair_{self.look.hair}"
        return tuple(n for n in self.rig.part_names if n == own or not n.startswith("hair_"))

    def joint_rotations(self, motion: Motion) -> Float[Tensor, "*batch frames joints 3 3"]:
        """Local rotation of every joint: relaxed body, head rotation over the neck, gaze."""
        rig = self.rig
        motion = rig.accept(motion)
        head, shapes = motion["head"], motion["blendshapes"]
        # (batch, frames, joints, 3)
        axis_angle = rig.relaxed.to(head.dtype).expand(*head.shape[:-1], -1, -1).clone()
        for name, fraction in NECK_SHARE.items():
            axis_angle[..., rig.joint_names.index(name), :] = fraction * head
        for side, name in enumerate(("eye.L", "eye.R")):
            gaze = shapes @ rig.eye_turn[side].to(shapes.dtype)
            axis_angle[..., rig.joint_names.index(name), :] = gaze
        return matrix_from_axis_angle(axis_angle)

    def joint_transforms(self, motion: Motion) -> Float[Tensor, "*batch frames joints 3 4"]:
        """Transforms p' = R p + t that carry rest-pose points along with each joint."""
        rotations = self.joint_rotations(motion)
        joints = self.joints.to(rotations.dtype)
        return skinning_transforms(rotations, joints, self.rig.joint_parents)

    def posed(self, motion: Motion) -> Meshes:
        """Surfaces of every frame; see `ShapedRig.posed`."""
        transforms = self.joint_transforms(motion)
        dtype = transforms.dtype
        shapes = self.settled(motion["blendshapes"])
        # All frames in one matrix product: (frames, shapes) @ (shapes, turning vertices * 3).
        displacement = (shapes @ turning_basis(self.rig).to(shapes.dtype)).unflatten(-1, (-1, 3))
        moved = self._rest.to(dtype) + displacement
        vertices = self.relaxed_vertices.to(dtype).expand(*moved.shape[:-2], -1, -1).clone()
        weights = self.rig.weights.to(dtype)[self.turning]
        vertices[..., self.turning, :] = skin_rigid_parts(moved, weights, transforms)
        return Meshes(vertices, self.rig.topology)

    def settled(
        self, weights: Float[Tensor, "*batch frames shapes"]
    ) -> Float[Tensor, "*batch frames shapes"]:
        """Shape weights with `mouthClose` reduced where the lips would penetrate each other.

        Shapes add up linearly, lips do not: closing, puckering and smiling together would drive the
        lower lip through the upper one.
        """
        if not self.contact:
            return weights
        rest, per_shape = self._seam_mm
        gap = rest + weights @ per_shape.to(weights.dtype)
        close = ARKIT_SHAPES.index("mouthClose")
        excess = torch.relu(-PRESSED_MM - gap) / per_shape[close].to(weights.dtype)
        correction = torch.zeros(len(ARKIT_SHAPES)).to(weights)
        correction[close] = 1
        return weights + excess[..., None] * correction

    @functools.cached_property
    def _seam_mm(self) -> tuple[float, Float[Tensor, " shapes"]]:
        """Gap between the inner lips at rest, and its change with each shape."""
        rig = self.rig
        upper, lower = (int(k) for k in rig.inner_lip)
        columns = np.searchsorted(rig.moving, [upper, lower])
        height = rig.basis[:, columns, 1]  # (shapes, upper and lower lip)
        gap = float(self.vertices[upper, 1] - self.vertices[lower, 1])
        return 1000 * gap, 1000 * (height[:, 0] - height[:, 1])

    def face(
        self, motion: Motion, vertices: Int[np.ndarray, " chosen"]
    ) -> Float[Tensor, "*batch frames chosen 3"]:
        """Chosen vertices in every frame in the head's own frame, metres, for lip metrics."""
        motion = self.rig.accept(motion)
        rig = self.rig
        column = np.minimum(np.searchsorted(rig.moving, vertices), len(rig.moving) - 1)
        is_moving = torch.from_numpy((rig.moving[column] == vertices).astype(np.float32))
        basis = rig.basis[:, column] * is_moving[:, None]
        weights = self.settled(motion["blendshapes"])
        moved = torch.einsum("...s,svk->...vk", weights, basis.to(weights.dtype))
        return moved + self.vertices[torch.from_numpy(np.asarray(vertices))].to(weights.dtype)

    def lip_vertices(self, motion: Motion) -> Float[Tensor, "*batch frames lip_verts 3"]:
        """Both lips in every frame in the head's own frame, metres."""
        return self.face(motion, self.rig.lips)

    def lip_opening_mm(self, motion: Motion) -> Float[Tensor, "*batch frames"]:
        """Gap between the inner lips at their middle, mm; negative where they penetrate."""
        upper, lower = self.face(motion, self.rig.inner_lip).unbind(-2)
        return 1000 * (upper - lower)[..., 1]

    def mouth_width_mm(self, motion: Motion) -> Float[Tensor, "*batch frames"]:
        """Distance between the corners of the mouth, millimetres."""
        left, right = self.face(motion, self.rig.mouth_corner).unbind(-2)
        return 1000 * (left - right).norm(dim=-1)


def _turning_vertices(rig: HouseRig) -> Int[Tensor, " turning"]:
    """Vertices that head, neck or eyes can rotate."""
    joints = [rig.joint_names.index(name) for name in (*NECK_SHARE, "eye.L", "eye.R")]
    return torch.nonzero(rig.weights[:, joints].sum(1) > 0).squeeze(1)


@functools.lru_cache(maxsize=4)
def turning_basis(rig: HouseRig) -> Float[Tensor, "shapes flat"]:
    """Shape displacements of the turning vertices, one flat row (vertices * 3) for each shape."""
    turning = _turning_vertices(rig)
    return rig.shape_deltas(eyeballs=False)[:, turning].flatten(1).contiguous()


def _triangles(quads: np.ndarray) -> np.ndarray:
    first, second = quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]
    return np.concatenate([first, second[quads[:, 2] != quads[:, 3]]]).astype(np.int64)


@functools.cache
def _hair_arrays(cut: str) -> dict[str, np.ndarray]:
    prefix = f"{cut}."
    arrays = _read("hair")
    return {name.removeprefix(prefix): arrays[name] for name in arrays if name.startswith(prefix)}


@functools.cache
def load_figure(name: str = "") -> ShapedHouse:
    """One of the shipped figures (made once).

    Raises:
        ConfigError: there is no such figure.
        AssetError: its files are missing from the installation.
    """
    return load_house().figure(name)


@functools.cache
def load_house() -> HouseRig:
    """The house figure (read once).

    Raises:
        AssetError: its files are missing from the installation.
    """
    if not math.isclose(sum(NECK_SHARE.values()), 1.0):
        raise AssertionError("fractions of the head's rotation must sum to 1")
    return HouseRig()
