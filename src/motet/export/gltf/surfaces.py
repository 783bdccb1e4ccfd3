"""All triangles of a user's glTF file in one list, and how nodes and morph targets move them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from motet.errors import AssetError
from motet.export.gltf.accessors import Arrays
from motet.export.gltf.animation import NodeAnimation
from motet.export.gltf.inspection import entries, entry
from motet.export.gltf.materials import DrawnMaterial, vertex_colours

MAX_VERTICES = 3_000_000
_DRACO = "KHR_draco_mesh_compression"
_NORMAL_STEPS = 2.0
"""Of a normal's component from 0 to 1: a coarser difference at one place is a hard edge."""


@dataclasses.dataclass
class Surfaces:
    """The drawn triangles; counts of all lists are those of `places` or of `triangles`."""

    places: Float[np.ndarray, "verts 3"]
    """In the axes of each vertex's own mesh."""
    texture_places: Float[np.ndarray, "verts 2"]
    colours: Float[np.ndarray, "verts 4"]
    """Linear light and opacity, by which those of the material are multiplied."""
    joints: Int[np.ndarray, "verts influences"]
    """Rows of `bound_nodes`, strongest first."""
    influences: Float[np.ndarray, "verts influences"]
    shading_group: Int[np.ndarray, " verts"]
    """Vertices of one smooth place, which share a normal, have one number."""
    triangles: Int[np.ndarray, "faces 3"]
    materials: Int[np.ndarray, " faces"]
    bound_nodes: Int[np.ndarray, " bound"]
    inverse_bind: Float[np.ndarray, "bound 4 4"]
    """From the axes of a mesh to those of the node that carries it."""
    shapes: list[tuple[int, int]]
    """Node and morph target of each shape."""
    shape_start: Int[np.ndarray, " starts"]
    shape_vertices: Int[np.ndarray, " entries"]
    shape_deltas: Float[np.ndarray, "entries 3"]


def read_surfaces(
    content: dict[str, Any],
    arrays: Arrays,
    animation: NodeAnimation,
    materials: list[DrawnMaterial],
    path: Path,
) -> Surfaces:
    """Triangles of the file's scene.

    Raises:
        AssetError: damaged, compressed, without triangles, or with too many vertices.
    """
    return _Gathering(content, arrays, animation, materials, path).all()


class _Gathering:
    """Lists that grow with each primitive."""

    def __init__(
        self,
        content: dict[str, Any],
        arrays: Arrays,
        animation: NodeAnimation,
        materials: list[DrawnMaterial],
        path: Path,
    ) -> None:
        self._content, self._arrays, self._path = content, arrays, path
        self._animation, self._materials = animation, materials
        self._lists: dict[str, list[np.ndarray]] = {
            name: []
            for name in (
                "places", "texture_places", "colours", "joints", "influences", "groups",
                "triangles", "materials",
            )
        }  # fmt: skip
        self._bound: list[tuple[int, np.ndarray]] = []
        self._shapes: dict[tuple[int, int], list[tuple[np.ndarray, np.ndarray]]] = {}
        self._count = self._n_groups = 0

    def all(self) -> Surfaces:
        """Every primitive of every node in the scene."""
        content, path = self._content, self._path
        for node in self._shown():
            holder = entries(content, "nodes", path)[node]
            first, joints = self._bind(holder, node)
            mesh = entry(content, "meshes", holder["mesh"], path)
            for primitive in entries(mesh, "primitives", path):
                self._check_compression(primitive)
                attributes = primitive.get("attributes")
                # Points and lines are not drawn; extensions may fill primitives without places.
                is_drawn = primitive.get("mode", 4) == 4 and isinstance(attributes, dict)
                if is_drawn and "POSITION" in attributes:
                    self._add(primitive, attributes, first, joints)
                    self._add_shapes(primitive, node)
        if not sum(map(len, self._lists["triangles"])):
            raise AssetError(f"{path} has no triangles that could be drawn")
        return self._joined()

    def _shown(self) -> list[int]:
        """Nodes with meshes in the file's scene; all where there is no scene."""
        nodes = entries(self._content, "nodes", self._path)
        roots = set(range(len(nodes)))
        if entries(self._content, "scenes", self._path):
            number = self._content.get("scene", 0)
            listed = entry(self._content, "scenes", number, self._path).get("nodes", [])
            roots = set(map(str, listed)) if isinstance(listed, list) else set()
            roots = {one for one in range(len(nodes)) if str(one) in roots}
        parents = self._animation.parents

        def is_shown(number: int) -> bool:
            while number not in roots and parents[number] >= 0:
                number = parents[number]
            return number in roots

        return [one for one, node in enumerate(nodes) if "mesh" in node and is_shown(one)]

    def _check_compression(self, primitive: dict[str, Any]) -> None:
        extensions = primitive.get("extensions")
        if isinstance(extensions, dict) and _DRACO in extensions:
            raise AssetError(
                f"{self._path} has compressed meshes ({_DRACO}), which cannot be drawn; save it"
                " without compression, or write a .glb, which keeps them"
            )

    def _bind(self, holder: dict[str, Any], node: int) -> tuple[int, int]:
        """Register the nodes that carry a mesh: the joints of its skin, or its own node.

        Returns:
            The first row among the bound nodes, and the number of joints (0: no skin).
        """
        first = len(self._bound)
        if "skin" not in holder:
            self._bound.append((node, np.eye(4)))
            return first, 0
        skin = entry(self._content, "skins", holder["skin"], self._path)
        joints = skin.get("joints")
        if not isinstance(joints, list) or not joints:
            raise self._damaged("a skin without joints")
        inverse = np.tile(np.eye(4), (len(joints), 1, 1))
        if "inverseBindMatrices" in skin:
            listed = self._arrays.read(skin["inverseBindMatrices"], "MAT4").astype(np.float64)
            if len(listed) < len(joints):
                raise self._damaged("a skin with too few matrices")
            # Stored column by column.
            inverse = np.swapaxes(listed[: len(joints)].reshape(-1, 4, 4), 1, 2)
        for joint, matrix in zip(joints, inverse, strict=True):
            entry(self._content, "nodes", joint, self._path)
            self._bound.append((joint, matrix))
        return first, len(joints)

    def _add(
        self, primitive: dict[str, Any], attributes: dict[str, Any], first: int, n_joints: int
    ) -> None:
        positions = self._arrays.read(attributes["POSITION"], "VEC3").astype(np.float64)
        count = len(positions)
        if self._count + count > MAX_VERTICES:
            raise AssetError(f"{self._path} has more than {MAX_VERTICES} vertices; make it simpler")
        corners = np.arange(count)
        if "indices" in primitive:
            corners = self._arrays.read(primitive["indices"], "SCALAR").astype(np.int64)
        corners = corners[: len(corners) - len(corners) % 3]
        if len(corners) and corners.max() >= count:
            raise self._damaged("a triangle with a vertex that does not exist")
        number = primitive.get("material")
        is_known = isinstance(number, int) and 0 <= number < len(self._materials)
        # Primitives without a material have the one after the last.
        kind = number if is_known else len(self._materials)
        material = self._materials[kind] if is_known else DrawnMaterial()
        joints, influences = self._influences(attributes, count, n_joints)
        groups = _groups(self._arrays, attributes, positions) + self._n_groups
        added = {
            "places": positions,
            "texture_places": self._texture_places(attributes, material, count),
            "colours": vertex_colours(self._arrays, attributes, self._content, count, self._path),
            "joints": joints + first,
            "influences": influences,
            "groups": groups,
            "triangles": corners.reshape(-1, 3) + self._count,
            "materials": np.full(len(corners) // 3, kind),
        }
        for name, values in added.items():
            self._lists[name].append(values)
        self._n_groups = int(groups.max(initial=self._n_groups - 1)) + 1
        self._count += count

    def _add_shapes(self, primitive: dict[str, Any], node: int) -> None:
        """Displacements by the morph targets of the primitive that was added last."""
        targets, count = primitive.get("targets", []), len(self._lists["places"][-1])
        for target in self._animation.moved_targets(node) if targets else ():
            listed = targets[target] if target < len(targets) else {}
            if not isinstance(listed, dict) or "POSITION" not in listed:
                continue
            moved = self._arrays.read(listed["POSITION"], "VEC3").astype(np.float32)
            if len(moved) != count:
                raise self._damaged("a morph target of another number of vertices")
            rows = np.flatnonzero(moved.any(axis=1))
            pieces = self._shapes.setdefault((node, int(target)), [])
            pieces.append((rows + self._count - count, moved[rows]))

    def _influences(
        self, attributes: dict[str, Any], count: int, n_joints: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Joints and weights of each vertex, strongest first, weights of a sum of 1."""
        joint, weight = np.zeros((count, 4), np.int64), np.zeros((count, 4))
        if n_joints and "JOINTS_0" in attributes:
            sets = [number for number in range(4) if f"JOINTS_{number}" in attributes]
            read = self._arrays.read
            joint = np.hstack([read(attributes[f"JOINTS_{n}"], "VEC4") for n in sets])
            weight = np.hstack([read(attributes.get(f"WEIGHTS_{n}"), "VEC4") for n in sets])
        joint, weight = joint.astype(np.int64), np.maximum(weight.astype(np.float64), 0)
        is_whole = len(joint) == count and weight.shape == joint.shape
        if not is_whole or joint.max(initial=0) >= max(1, n_joints):
            raise self._damaged("a vertex that follows a joint that does not exist")
        order = np.argsort(-weight, axis=1, kind="stable")
        joint, weight = np.take_along_axis(joint, order, 1), np.take_along_axis(weight, order, 1)
        weight[weight.sum(axis=1) <= 0, 0] = 1.0  # bound to nothing: it follows its first joint
        return joint, weight / weight.sum(axis=1, keepdims=True)

    def _texture_places(
        self, attributes: dict[str, Any], material: DrawnMaterial, count: int
    ) -> np.ndarray:
        coordinates = np.zeros((count, 2))
        if material.coordinates in attributes:
            stored = self._arrays.read(attributes[material.coordinates], "VEC2")
            coordinates = stored.astype(np.float64) if len(stored) == count else coordinates
        scale, offset = material.transform[:2], material.transform[2:]
        return coordinates * scale + offset

    def _joined(self) -> Surfaces:
        lists = self._lists
        width = max(joints.shape[1] for joints in lists["joints"])
        for name in ("joints", "influences"):
            padded = [np.pad(one, ((0, 0), (0, width - one.shape[1]))) for one in lists[name]]
            lists[name] = padded
        joined = {name: np.concatenate(pieces) for name, pieces in lists.items()}
        used = int((joined["influences"] > 0).sum(axis=1).max())
        pieces = list(self._shapes.values())
        vertices = [np.concatenate([rows for rows, _ in group]) for group in pieces]
        deltas = [np.concatenate([moved for _, moved in group]) for group in pieces]
        return Surfaces(
            joined["places"].astype(np.float32),
            joined["texture_places"].astype(np.float32),
            joined["colours"].astype(np.float32),
            np.ascontiguousarray(joined["joints"][:, :used], np.int32),
            np.ascontiguousarray(joined["influences"][:, :used], np.float32),
            joined["groups"].astype(np.int32),
            joined["triangles"].astype(np.int32),
            joined["materials"].astype(np.int32),
            np.array([node for node, _ in self._bound], np.int64),
            np.stack([matrix for _, matrix in self._bound]),
            list(self._shapes),
            np.cumsum([0, *map(len, vertices)]).astype(np.int64),
            np.concatenate([*vertices, np.zeros(0, np.int64)]).astype(np.int32),
            np.concatenate([*deltas, np.zeros((0, 3))]).astype(np.float32),
        )

    def _damaged(self, what: str) -> AssetError:
        return AssetError(f"{self._path} is damaged: {what}")


def _groups(arrays: Arrays, attributes: dict[str, Any], positions: np.ndarray) -> np.ndarray:
    """Numbers of smooth places: vertices of one place with nearly one normal share a number.

    Seams of a texture double vertices; normals of each half alone would show them as an edge.
    """
    extent = max(float(np.ptp(positions, axis=0).max(initial=0.0)), 1e-9)
    keys = [np.round(positions / extent * 1e5)]
    if "NORMAL" in attributes:
        normals = arrays.read(attributes["NORMAL"], "VEC3")
        if len(normals) == len(positions):
            keys.append(np.round(normals * _NORMAL_STEPS))
    return np.unique(np.concatenate(keys, axis=1), axis=0, return_inverse=True)[1].reshape(-1)
