"""Animation added to a user's GLB or VRM, by the names of its morph targets and bones.

Nothing of the avatar is decoded or changed: bytes and an animation are appended, so compressed
meshes and unknown extensions stay as they are. Every number of the file is checked.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from motet.errors import AssetError
from motet.export.curves import quaternions_from_axis_angle
from motet.export.gltf.bones import bone_nodes, turned, without_matrix
from motet.export.gltf.container import pack_glb, read_glb
from motet.export.gltf.document import Document
from motet.export.gltf.figure import add_animation
from motet.export.gltf.inspection import entries, morph_names, vrm_expressions
from motet.export.gltf.parts import Performance
from motet.export.gltf.vocabulary import arkit_name, understood
from motet.types import ARKIT_SHAPES, Motion


@dataclasses.dataclass(frozen=True)
class AvatarReport:
    """What of an avatar can be animated."""

    matched: tuple[str, ...]
    """Its morph targets and expressions that are driven."""
    missed: tuple[str, ...]
    """ARKit shapes without a counterpart; their effect is lost."""
    ignored: tuple[str, ...]
    """Its morph targets that are not driven."""
    bones: tuple[str, ...]
    """Its animated bones: those found for `neck` and `head`."""


def inspect_avatar(path: Path) -> AvatarReport:
    """What of an avatar can be driven, without writing anything.

    Raises:
        AssetError: not a usable GLB or VRM, or nothing in it has a known name.
    """
    content, _ = read_glb(path)
    still = {name: np.zeros(1) for name in ARKIT_SHAPES}
    return _driven(content, still, path)[1]


def animated_avatar(
    path: Path, motion: Motion, facts: Mapping[str, Any]
) -> tuple[bytes, AvatarReport]:
    """The avatar with the motion as its first animation, as the bytes of a GLB.

    Args:
        motion: in the `arkit` space, one take.
        facts: written into `asset.extras`.

    Raises:
        AssetError: not a usable GLB or VRM, or nothing in it has a known name.
    """
    content, data = read_glb(path)
    weights = {
        name: motion.channel("blendshapes", name).detach().cpu().numpy().astype(np.float64)
        for name in ARKIT_SHAPES
    }
    curves, report = _driven(content, weights, path)
    document = Document(content, _own_bytes(content, data, path))
    head = quaternions_from_axis_angle(motion["head"].detach().double().cpu().numpy())
    recognised = bone_nodes(content, path)
    rotations = {
        name: turned(content, node, fraction, head, path)
        for name, (node, fraction) in recognised.items()
    }
    bones = {name: node for name, (node, _) in recognised.items()}
    for node in bones.values():
        without_matrix(content["nodes"][node], path)
    # One name for each target of each node: two nodes may have targets of the same name.
    shapes = {
        node: tuple(f"{node}/{index}" for index in range(len(targets)))
        for node, targets in curves.items()
    }
    unique = {
        name: curve
        for node, targets in curves.items()
        for name, curve in zip(shapes[node], targets, strict=True)
    }
    performance = Performance(motion.space.fps, unique, rotations)
    add_animation(document, performance, "take", shapes, bones, first=True)
    asset = content["asset"]
    extras = asset.get("extras")
    asset["extras"] = {**(extras if isinstance(extras, dict) else {}), "motet": dict(facts)}
    try:
        return pack_glb(*document.finished()), report
    except ValueError as error:
        raise AssetError(
            f"{path} is damaged: its description holds numbers that are not finite"
        ) from error


def _driven(
    content: dict[str, Any], weights: Mapping[str, np.ndarray], path: Path
) -> tuple[dict[int, list[np.ndarray]], AvatarReport]:
    """Curves of all morph targets of every node that can be animated, and the report."""
    names = morph_names(content, path)
    expressions = vrm_expressions(content, names, path)
    every = list(dict.fromkeys(name for targets in names.values() for name in targets))
    found = understood([*every, *expressions], weights, expressions)
    frames = len(next(iter(weights.values())))
    curves = {
        node: [found.get(name, np.zeros(frames)) for name in targets]
        for node, targets in names.items()
    }
    for expression, binds in expressions.items():
        if expression in found and expression not in every:
            for node, target, share in binds:
                curves[node][target] = curves[node][target] + share * found[expression]
    moved = {node for node, targets in names.items() if any(name in found for name in targets)}
    moved |= {
        node
        for expression, binds in expressions.items()
        if expression in found
        for node, _, _ in binds
    }
    if not moved:
        known = ", ".join(every[:5]) or "no morph targets at all"
        raise AssetError(
            f"{path} has no morph targets with ARKit, Oculus viseme or VRM expression names (it has"
            f" {known}); rename or add them"
        )
    bones = tuple(
        str(entries(content, "nodes", path)[node].get("name", node))
        for node, _ in bone_nodes(content, path).values()
    )
    have = {arkit_name(name) for name in found}
    ignored = tuple(name for name in every if name not in found)
    report = AvatarReport(
        tuple(found), tuple(name for name in ARKIT_SHAPES if name not in have), ignored, bones
    )
    return {
        node: [np.clip(curve, 0, 1) for curve in curves[node]] for node in sorted(moved)
    }, report


def _own_bytes(content: dict[str, Any], data: bytes, path: Path) -> bytes:
    """The bytes of the file's own buffer, to which new ones are appended."""
    buffers = entries(content, "buffers", path)
    if not buffers:
        content["buffers"] = [{}]
        return b""
    length = buffers[0].get("byteLength")
    if "uri" in buffers[0] or not isinstance(length, int) or not 0 <= length <= len(data) + 3:
        raise AssetError(
            f"{path} keeps its data outside the file or states a wrong length of it; export it as"
            " one self-contained GLB"
        )
    return data[:length]
