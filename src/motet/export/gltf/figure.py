"""Figures with morph targets, skin and animation as glTF documents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from motet.export.gltf.document import INDICES, VERTICES, Document
from motet.export.gltf.parts import FigureParts, Material, Performance, Surface

MORPHS_FOR_ALL = "skin"
"""The surface that has all 52 shapes by name, also those that do not move it, because programs look
for them."""


def figure_document(
    figure: FigureParts, performance: Performance | None, name: str, extras: Mapping[str, Any]
) -> Document:
    """The figure with one animation, or without a performance at rest."""
    document = Document({"asset": {"version": "2.0", "copyright": figure.licence}})
    if extras:
        document.content["asset"]["extras"] = dict(extras)
    joints = _skeleton(document, figure)
    skin = _skin(document, figure, joints)
    materials: dict[Material, int] = {}
    nodes = {}
    for surface in figure.surfaces:
        mesh = _mesh(document, surface, materials)
        nodes[surface.name] = document.add(
            "nodes", {"name": surface.name, "mesh": mesh, "skin": skin}
        )
    document.add("scenes", {"name": figure.name, "nodes": [joints[0], *nodes.values()]})
    document.content["scene"] = 0
    if performance is None:
        return document
    by_name = dict(zip(figure.joint_names, joints, strict=True))
    shapes = {
        nodes[surface.name]: tuple(surface.shapes) for surface in figure.surfaces if surface.shapes
    }
    add_animation(document, performance, name, shapes, by_name)
    return document


def add_animation(
    document: Document,
    performance: Performance,
    name: str,
    shapes: Mapping[int, tuple[str, ...]],
    joints: Mapping[str, int],
    *,
    first: bool = False,
) -> None:
    """Append an animation.

    Args:
        shapes: node with morph targets -> name in the performance of each target in order (an
            unknown name stays at 0).
        joints: joint name in the performance -> node.
        first: put it before the existing animations.
    """
    times = document.accessor(performance.times, bounds=True)
    samplers: list[dict[str, Any]] = []
    channels: list[dict[str, Any]] = []

    def channel(node: int, path: str, values: np.ndarray) -> None:
        samplers.append(
            {
                "input": times,
                "interpolation": "LINEAR",
                "output": document.accessor(values.astype(np.float32)),
            }
        )
        channels.append({"sampler": len(samplers) - 1, "target": {"node": node, "path": path}})

    still = np.zeros(len(performance.times), np.float32)
    for node, names in shapes.items():
        channel(
            node,
            "weights",
            # (frames, shapes), frame by frame as glTF stores it
            np.stack([performance.weights.get(shape, still) for shape in names], axis=1).reshape(
                -1
            ),
        )
    for joint, turns in performance.turns.items():
        if joint in joints:
            channel(joints[joint], "rotation", turns / np.linalg.norm(turns, axis=1, keepdims=True))
    for joint, translations in performance.translations.items():
        if joint in joints:
            channel(joints[joint], "translation", translations)
    animation = {"name": name, "channels": channels, "samplers": samplers}
    document.content.setdefault("animations", []).insert(
        0 if first else len(document.content.get("animations", [])), animation
    )


def _skeleton(document: Document, figure: FigureParts) -> list[int]:
    numbers = []
    for name, parent, translation, turn in zip(
        figure.joint_names,
        figure.joint_parents,
        figure.joint_positions,
        figure.joint_rotations_at_rest,
        strict=True,
    ):
        # Rest frames are aligned with the world, so a local offset is a difference of positions.
        offset = translation - (figure.joint_positions[parent] if parent >= 0 else 0)
        node: dict[str, Any] = {"name": name, "translation": [float(v) for v in np.float32(offset)]}
        if abs(turn[3]) < 1 - 1e-9:
            node["rotation"] = [float(v) for v in turn / np.linalg.norm(turn)]
        numbers.append(document.add("nodes", node))
        if parent >= 0:
            document.content["nodes"][numbers[parent]].setdefault("children", []).append(
                numbers[-1]
            )
    return numbers


def _skin(document: Document, figure: FigureParts, joints: list[int]) -> int:
    # (joints, 4, 4): world to joint, a translation only
    inverse = np.tile(np.eye(4, dtype=np.float32), (len(joints), 1, 1))
    inverse[:, 3, :3] = -figure.joint_positions  # column by column, as glTF stores matrices
    matrices = document.accessor(inverse.reshape(len(joints), 16))
    return document.add(
        "skins",
        {
            "name": figure.name,
            "inverseBindMatrices": matrices,
            "skeleton": joints[0],
            "joints": joints,
        },
    )


def _mesh(document: Document, surface: Surface, materials: dict[Material, int]) -> int:
    attributes = {
        "POSITION": document.accessor(
            surface.vertices.astype(np.float32), target=VERTICES, bounds=True
        ),
        "NORMAL": document.accessor(surface.normals.astype(np.float32), target=VERTICES),
        "JOINTS_0": document.accessor(
            # glTF validators want index 0 where the weight is 0.
            np.where(surface.joint_weight > 0, surface.joint_index, 0).astype(np.uint8),
            target=VERTICES,
        ),
        "WEIGHTS_0": document.accessor(
            surface.joint_weight.astype(np.uint8), target=VERTICES, normalized=True
        ),
    }
    if surface.colours is not None:
        opaque = np.concatenate(
            [np.clip(surface.colours, 0, 1), np.ones((len(surface.colours), 1))], axis=1
        )
        attributes["COLOR_0"] = document.accessor(
            np.round(opaque * 65_535).astype(np.uint16), target=VERTICES, normalized=True
        )
    if surface.texture_coordinates is not None:
        attributes["TEXCOORD_0"] = document.accessor(
            surface.texture_coordinates.astype(np.float32), target=VERTICES
        )
    targets = [
        {"POSITION": entry}
        for entry in document.sparse(len(surface.vertices), list(surface.shapes.values()))
    ]
    primitives = []
    for material, faces in surface.faces.items():
        # 65,535 itself is reserved (primitive restart).
        numbers = faces.reshape(-1).astype(
            np.uint16 if len(surface.vertices) <= 65_535 else np.uint32
        )
        primitive: dict[str, Any] = {
            "attributes": attributes,
            "indices": document.accessor(numbers, target=INDICES),
        }
        primitive["material"] = _material(document, material, materials)
        primitives.append({**primitive, "targets": targets} if targets else primitive)
    mesh: dict[str, Any] = {"name": surface.name, "primitives": primitives}
    if targets:
        mesh |= {"weights": [0.0] * len(targets), "extras": {"targetNames": list(surface.shapes)}}
    return document.add("meshes", mesh)


def _material(document: Document, material: Material, known: dict[Material, int]) -> int:
    if material not in known:
        shine: dict[str, Any] = {"metallicFactor": 0.0, "roughnessFactor": material.roughness}
        if material.texture_png is not None:
            image = document.add(
                "images",
                {
                    "name": material.name,
                    "mimeType": "image/png",
                    "bufferView": document.view(material.texture_png),
                },
            )
            sampler = document.add(
                "samplers", {"magFilter": 9729, "minFilter": 9987, "wrapS": 33071, "wrapT": 33071}
            )
            shine["baseColorTexture"] = {
                "index": document.add("textures", {"source": image, "sampler": sampler})
            }
        entry: dict[str, Any] = {"name": material.name, "pbrMetallicRoughness": shine}
        known[material] = document.add(
            "materials", {**entry, "doubleSided": True} if material.two_sided else entry
        )
    return known[material]
