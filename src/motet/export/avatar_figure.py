"""A user's avatar that plays a take, as vertices frame by frame: what its animated GLB shows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from motet.export.gltf.accessors import Arrays
from motet.export.gltf.animation import NodeAnimation
from motet.export.gltf.avatar import animated_document
from motet.export.gltf.bones import ancestors, bone_nodes
from motet.export.gltf.mapping import AvatarMap
from motet.export.gltf.materials import (
    BLEND,
    MASK,
    DrawnMaterial,
    read_image,
    read_materials,
)
from motet.export.gltf.surfaces import read_surfaces
from motet.geometry.camera import Camera
from motet.render.posing import add_shapes, skin_vertices
from motet.render.scene import figure_camera
from motet.render.textured import TexturedMesh
from motet.rigs.house import load_house
from motet.rigs.house.face_body import split
from motet.types import Motion

CHUNK = 32
"""Frames whose transforms are computed at a time."""
EYES_ABOVE_HEAD = 0.3
"""Height of the eyes over the head's joint, of the height of the head with its hair, where no bone
says where they are."""
EYES_BEFORE_HEAD = 0.4
"""The same of their distance in front of it."""
MOST_SAMPLED = 16
"""Frames that are looked at for the camera of a body that moves."""


class AvatarFigure:
    """An avatar with a take.

    Args:
        path: a GLB or VRM.
        motion: one take of a face, of a body, or of both.
        by_hand: names that are assigned by hand.
        most_texels: of the side of a texture; larger ones are reduced.

    Raises:
        AssetError: not a usable GLB or VRM, it cannot play the take, or it has compressed meshes.
        ConfigError: `by_hand` names what the avatar or motet does not have.
    """

    def __init__(
        self, path: Path, motion: Motion, by_hand: AvatarMap | None = None, most_texels: int = 1024
    ) -> None:
        document, _ = animated_document(path, motion, {}, by_hand)
        content, data = document.finished()
        self._content, self._path, self._arrays = content, path, Arrays(content, data, path)
        self._animation = NodeAnimation(content, self._arrays, path)
        materials = read_materials(content, path)
        self._surfaces = read_surfaces(content, self._arrays, self._animation, materials, path)
        self._bones = bone_nodes(content, path, by_hand.bones if by_hand else None)
        self.mesh = self._textured([*materials, DrawnMaterial()], most_texels)
        """Triangles, materials and textures."""
        self._times = np.arange(motion.frames) / motion.space.fps
        self._moves_body = split(motion)[1] is not None
        self._turn = _turn(content)

    def frames(self) -> Iterator[Float[np.ndarray, "verts 3"]]:
        """Vertices of each frame, facing +Z; the array is used again for the next frame."""
        vertices = np.zeros_like(self._surfaces.places)
        for start in range(0, len(self._times), CHUNK):
            for weights, transforms in self._poses(self._times[start : start + CHUNK]):
                yield self._posed(weights, transforms, vertices)

    def camera(self, framing: str, aspect: float) -> Camera:
        """The camera that sees the avatar as that framing sees the house figure."""
        shaped = load_house().shaped()
        top = float(shaped.vertices[:, 1].max())
        if framing == "body" or self._moves_body:
            return self._body_camera(figure_camera(shaped, "body", aspect), top)
        house = figure_camera(shaped, framing, aspect)
        eye = shaped.joints[shaped.rig.joint_names.index("eye.L")].double().numpy()
        middle = eye * [0.0, 1.0, 1.0]
        own, scale = self._eyes()
        scale /= top - float(eye[1])
        moved = (own + scale * (np.array(point) - middle) for point in (house.eye, house.target))
        return Camera(*(tuple(map(float, point)) for point in moved), house.field_of_view_rad)

    def _poses(self, seconds: Float[np.ndarray, " frames"]) -> Iterator[tuple[Any, Any]]:
        """Shape weights and transforms of the bound nodes, frame by frame."""
        surfaces = self._surfaces
        world = self._animation.world(seconds)[:, surfaces.bound_nodes]
        # (frames, bound, 3, 4): from the axes of a mesh to the world
        transforms = (self._turn @ world @ surfaces.inverse_bind)[..., :3, :].astype(np.float32)
        by_node = {node: self._animation.weights(node, seconds) for node, _ in surfaces.shapes}
        weights = np.zeros((len(seconds), len(surfaces.shapes)), np.float32)
        for index, (node, target) in enumerate(surfaces.shapes):
            weights[:, index] = by_node[node][:, target]
        return zip(weights, np.ascontiguousarray(transforms), strict=True)

    def _posed(
        self, weights: np.ndarray, transforms: np.ndarray, vertices: np.ndarray
    ) -> np.ndarray:
        surfaces = self._surfaces
        moved = surfaces.places.copy()
        shapes = surfaces.shape_start, surfaces.shape_vertices, surfaces.shape_deltas
        add_shapes(*shapes, weights, moved)
        order = np.arange(len(moved), dtype=np.int32)
        skin_vertices(moved, order, surfaces.joints, surfaces.influences, transforms, vertices)
        return vertices

    def _at(self, seconds: float) -> Float[np.ndarray, "verts 3"]:
        weights, transforms = next(iter(self._poses(np.array([seconds]))))
        return self._posed(weights, transforms, np.zeros_like(self._surfaces.places))

    def _textured(self, materials: list[DrawnMaterial], most_texels: int) -> TexturedMesh:
        surfaces, pictures = self._surfaces, {}
        for number in sorted({one.texture for one in materials} - {-1}):
            picture = read_image(self._content, number, self._arrays, self._path, most_texels)
            if picture is not None:
                pictures[number] = picture
        first = np.cumsum([0, *(picture[..., 0].size for picture in pictures.values())])
        starts = dict(zip(pictures, first, strict=False))  # the last is the end of all
        textures = np.zeros((len(materials), 3), np.int64)
        for row, one in enumerate(materials):
            if one.texture in pictures:
                height, width = pictures[one.texture].shape[:2]
                textures[row] = starts[one.texture], width, height
        texels = [picture.reshape(-1, 4) for picture in pictures.values()]
        return TexturedMesh(
            surfaces.triangles,
            surfaces.materials,
            surfaces.texture_places,
            surfaces.colours,
            surfaces.shading_group,
            np.array([(*one.colour, one.cutoff) for one in materials], np.float32),
            textures,
            np.concatenate([*texels, np.zeros((1, 4), np.uint8)]),
            _flags(materials, lambda one: one.opacity == MASK),
            _flags(materials, lambda one: one.opacity == BLEND),
            _flags(materials, lambda one: one.two_sided),
            _flags(materials, lambda one: one.toon),
        )

    def _eyes(self) -> tuple[Float[np.ndarray, "3"], float]:
        """The point between the eyes at the first frame, and the height of the head above it."""
        vertices = self._at(0.0)[self._of_head()]
        low, high = vertices.min(axis=0), vertices.max(axis=0)
        nodes = [self._bones[name] for name in ("leftEye", "rightEye") if name in self._bones]
        world = self._turn @ self._animation.world(np.zeros(1))[0]
        if nodes:
            eyes = world[nodes][:, :3, 3].mean(axis=0)
        else:
            base = (low + high) / 2
            base[1] = low[1]
            if "head" in self._bones:
                base = world[self._bones["head"], :3, 3]
            height = high[1] - base[1]
            eyes = base + height * np.array([0.0, EYES_ABOVE_HEAD, EYES_BEFORE_HEAD])
        return eyes, max(float(high[1] - eyes[1]), 1e-6)

    def _of_head(self) -> Bool[np.ndarray, " verts"]:
        """Vertices that follow the head's bone, or all where there is none."""
        surfaces, head = self._surfaces, self._bones.get("head")
        every = np.ones(len(surfaces.places), bool)
        if head is None:
            return every
        above = [
            head in (node, *ancestors(self._content, int(node), self._path))
            for node in surfaces.bound_nodes
        ]
        belongs = np.array(above)[surfaces.joints[:, 0]]
        return belongs if belongs.any() else every

    def _body_camera(self, house: Camera, tall: float) -> Camera:
        """The whole figure in all frames, as the house figure, `tall` metres, is seen."""
        seconds = self._times if self._moves_body else self._times[:1]
        sampled = seconds[:: max(1, len(seconds) // MOST_SAMPLED)]
        boxes = [(p.min(axis=0), p.max(axis=0)) for p in map(self._at, sampled)]
        low = np.min([box[0] for box in boxes], axis=0)
        high = np.max([box[1] for box in boxes], axis=0)
        # A figure that walks needs the width of its way.
        scale = max(float(high[1] - low[1]), 0.8 * float(high[0] - low[0])) / tall
        ground = np.array([(low[0] + high[0]) / 2, low[1], (low[2] + high[2]) / 2])
        moved = (ground + scale * np.array(point) for point in (house.eye, house.target))
        return Camera(*(tuple(map(float, point)) for point in moved), house.field_of_view_rad)


def _flags(materials: list[DrawnMaterial], test: Any) -> Bool[np.ndarray, " materials"]:
    return np.array([bool(test(one)) for one in materials])


def _turn(content: dict[str, Any]) -> Float[np.ndarray, "4 4"]:
    """Half a turn for avatars of VRM 0, which face -Z."""
    extensions = content.get("extensions")
    is_vrm_0 = isinstance(extensions, dict) and "VRM" in extensions
    return np.diag([-1.0, 1.0, -1.0, 1.0]) if is_vrm_0 else np.eye(4)
