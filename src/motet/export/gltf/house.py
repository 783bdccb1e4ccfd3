"""The house figure as glTF parts, and a motion as its performance."""

from __future__ import annotations

import functools

import numpy as np
import torch

from motet.export.curves import continuous, quaternions_from_axis_angle
from motet.export.gltf.figure import MORPHS_FOR_ALL
from motet.export.gltf.parts import FigureParts, Material, Performance, Surface, vertex_normals
from motet.export.gltf.texture import eye_picture, png
from motet.render.shading import HAIR_TINT, IRIS
from motet.rigs.house import HouseRig, ShapedHouse, load_figure, load_house
from motet.types import ARKIT_SHAPES, Motion

_ROUGHNESS = {
    "skin": 0.55,
    "lips": 0.35,
    "mouth": 0.45,
    "teeth": 0.25,
    "gums": 0.35,
    "tongue": 0.4,
    "nails": 0.35,
    "shoes": 0.5,
    "hair": 0.5,
}
_TWO_SIDED = ("brows", "lashes", "hair", "top", "trousers")
_DARK_CAVES = ("mouth", "teeth", "gums", "tongue")
"""Regions whose colours include the shadow inside the mouth, which viewers do not compute."""
_MOVED = ("neck1", "neck2", "neck3", "head", "eye.L", "eye.R")
HAIR_EVERY, HAIR_POINTS = 1, 6
"""Strands and points of strands that files keep: a glTF viewer draws triangles all the time."""


@functools.lru_cache(maxsize=4)
def house_parts(figure: str = "") -> FigureParts:
    """One of the shipped figures; the default one without a name.

    Raises:
        ConfigError: there is no such figure.
    """
    shaped = load_figure(figure)
    rig = shaped.rig
    surfaces = [_surface(shaped, name) for name in shaped.part_names]
    return FigureParts(
        name="house",
        licence=rig.licence,
        surfaces=(*surfaces, _hair(shaped)),
        joint_names=rig.joint_names,
        joint_parents=tuple(rig.joint_parents),
        joint_positions=shaped.joints.numpy(),
        joint_rotations_at_rest=quaternions_from_axis_angle(rig.relaxed.double().numpy()),
    )


def house_performance(motion: Motion) -> Performance:
    """Shape weights and rotations of neck, head and eyes for a motion in `arkit`."""
    from scipy.spatial.transform import Rotation

    shaped = load_house().shaped()
    with torch.no_grad():
        turns = shaped.joint_rotations(
            Motion(motion.values.detach().cpu().double(), motion.space)
        ).numpy()
    names = shaped.rig.joint_names
    weights = {
        name: motion.channel("blendshapes", name).detach().cpu().numpy() for name in ARKIT_SHAPES
    }
    local = {
        name: continuous(Rotation.from_matrix(turns[:, names.index(name)]).as_quat())
        for name in _MOVED
    }
    return Performance(motion.space.fps, weights, local)


def _surface(shaped: ShapedHouse, name: str) -> Surface:
    rig = shaped.rig
    part = rig.part(name)
    vertex_range = part.vertices
    vertices = shaped.vertices[vertex_range].numpy()
    faces = part.faces.numpy() - vertex_range.start
    regions = rig.regions[vertex_range]
    # Triangles do not cross regions: one corner names the region.
    face_region = regions[faces[:, 0]]
    is_eye = name.startswith("eye_")
    materials = {
        _material(shaped, rig.region_names[number]): faces[face_region == number]
        for number in np.unique(face_region)
    }
    return Surface(
        name=name,
        vertices=vertices,
        normals=vertex_normals(vertices, faces),
        joint_index=rig.joint_index[vertex_range],
        joint_weight=rig.joint_weight[vertex_range],
        faces=materials,
        colours=None if is_eye else _colours(shaped, vertex_range),
        texture_coordinates=_eye_places(vertices) if is_eye else None,
        shapes={} if is_eye else _shapes(rig, vertex_range, every=name == MORPHS_FOR_ALL),
    )


def _colours(shaped: ShapedHouse, vertex_range: slice) -> np.ndarray:
    rig = shaped.rig
    colours = shaped.appearance.covered[vertex_range]
    seen = shaped.appearance.occlusion[vertex_range, None]
    caves = np.isin(
        rig.regions[vertex_range], [rig.region_names.index(name) for name in _DARK_CAVES]
    )[:, None]
    # Baked occlusion, strong inside the mouth, faint elsewhere, where viewers add their own shadow.
    return colours * np.where(caves, 0.25 + 0.75 * seen, 0.7 + 0.3 * seen)


def _material(shaped: ShapedHouse, region: str) -> Material:
    if region.startswith("eye_"):
        return _eye_material(shaped)
    return Material(region, _ROUGHNESS.get(region, 0.8), region in _TWO_SIDED)


@functools.cache
def _eye_material(shaped: ShapedHouse) -> Material:
    rig, look = shaped.rig, shaped.appearance
    white = look.skin[rig.regions == rig.region_names.index("eye_left")].mean(axis=0)
    irises = np.concatenate([look.iris, IRIS[2:]])
    return Material("eyes", 0.15, texture_png=png(eye_picture(white, irises)))


def _eye_places(vertices: np.ndarray) -> np.ndarray:
    """Texture coordinates by projection along the axis of the eyeball."""
    local = vertices - vertices.mean(axis=0)
    axis = local[np.argsort(-local[:, 2])[:8]].mean(axis=0)  # the front pole of the eyeball
    axis /= np.linalg.norm(axis)
    right = np.cross([0.0, 1.0, 0.0], axis)
    right /= np.linalg.norm(right)
    radius = np.linalg.norm(local, axis=1).max()
    # (verts) each, -1..1
    across, up = local @ right / radius, local @ np.cross(axis, right) / radius
    return np.clip(np.stack([0.5 + 0.5 * across, 0.5 - 0.5 * up], axis=1), 0, 1)


def _shapes(
    rig: HouseRig, vertex_range: slice, *, every: bool
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    deltas = rig.shape_deltas()[:, vertex_range].numpy()
    shapes = {}
    for name, delta in zip(ARKIT_SHAPES, deltas, strict=True):
        # indices of vertices that this shape moves
        moving = np.flatnonzero(np.abs(delta).max(axis=1) > 0)
        if len(moving) or every:
            shapes[name] = (moving, delta[moving])
    return shapes


def _hair(shaped: ShapedHouse) -> Surface:
    rig, hair = shaped.rig, shaped.hair.thinned(HAIR_EVERY, HAIR_POINTS).surface()
    base = shaped.appearance.hair * HAIR_TINT
    shade = (0.5 + 0.5 * hair.along**0.7) * hair.tone
    head = np.zeros((len(hair.vertices), 4), np.uint8)
    # All hair turns with the head.
    head[:, 0] = rig.joint_names.index("head")
    weight = np.zeros_like(head)
    weight[:, 0] = 255
    return Surface(
        "hair",
        hair.vertices,
        hair.normals,
        head,
        weight,
        {_material(shaped, "hair"): hair.faces},
        base * shade[:, None],
    )
