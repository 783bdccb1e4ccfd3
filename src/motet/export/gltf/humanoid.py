"""The body of a take on a user's rig: bones of the limbs by name, rest pose corrected.

Rotations are transferred in the world: a bone is turned as the joint is turned against its own rest
pose, after the bone's rest direction was brought to that of the house skeleton (arms stretched to
the sides). So rigs may rest with hanging arms, may have any bone axes and any scale, and may lack a
chest, a neck, shoulders or toes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from motet.body.skeleton import BALL_HEIGHT_M, STANDING_HEIGHT_M, house_offsets, pose_body
from motet.errors import AssetError
from motet.export.curves import continuous
from motet.export.gltf.bones import (
    ancestors,
    bone_nodes,
    bones_by_spelling,
    declared_bones,
    decompose,
)
from motet.export.gltf.inspection import entries
from motet.types import SMPLX25_JOINTS, Motion

_LIMBS: Mapping[str, tuple[str, frozenset[str]]] = {
    "Shoulder": ("collar", frozenset({"shoulder", "collar", "clavicle", "collarbone"})),
    "UpperArm": ("shoulder", frozenset({"arm", "upperarm", "uparm"})),
    "LowerArm": ("elbow", frozenset({"forearm", "lowerarm", "elbow"})),
    "Hand": ("wrist", frozenset({"hand", "wrist"})),
    "UpperLeg": ("hip", frozenset({"upleg", "thigh", "upperleg"})),
    "LowerLeg": ("knee", frozenset({"leg", "calf", "shin", "lowerleg", "knee"})),
    "Foot": ("ankle", frozenset({"foot", "ankle"})),
    "Toes": ("foot", frozenset({"toe", "toebase", "toes", "ball"})),
}
"""VRM's name of a limb's bone without its side: joint of the house skeleton, spellings."""
NEEDED = tuple(
    f"{side}{limb}"
    for side in ("left", "right")
    for limb in ("UpperArm", "LowerArm", "UpperLeg", "LowerLeg", "Foot")
)
"""Without these a rig has no body."""
_AIMED = {"UpperArm": "LowerArm", "LowerArm": "Hand", "UpperLeg": "LowerLeg", "LowerLeg": "Foot"}
"""Bones whose rest direction, towards the next one, is brought to that of the house skeleton."""
_FOLLOWS = {"Hand": "LowerArm", "Toes": "Foot"}
"""Bones that are corrected like the one above them."""

ARM_OUT = 0.22
"""How far an arm that hangs points to the side, of how far it points down."""
LEAST_LOWERED_RAD = 0.6
"""Arms that are nearer to hanging stay as they are."""


@dataclasses.dataclass(frozen=True)
class RigBone:
    """A bone of the rig."""

    node: int
    joint: str
    """Joint of the house skeleton whose rotation it has."""
    name: str
    """VRM's."""


@dataclasses.dataclass(frozen=True)
class BodyCurves:
    """An animation of a rig's bones."""

    rotations: dict[int, Float[np.ndarray, "frames 4"]]
    """Local, quaternions."""
    hips: int
    translation: Float[np.ndarray, "frames 3"]
    """Of the hips, local."""


def no_body(path: Path) -> AssetError:
    """The error for a rig whose bones are not those of a body."""
    return AssetError(
        f"{path} has no body that can move: arms and legs with the names of Mixamo, VRM, Unreal,"
        " Biped or Rigify are needed; rename its bones"
    )


def humanoid_bones(content: dict[str, Any], path: Path) -> tuple[RigBone, ...]:
    """Bones of the body from the root outwards; nothing where a rig has no whole body."""
    named = _named(content, path)
    if any(name not in named for name in NEEDED):
        return ()
    legs = [named[f"{side}UpperLeg"] for side in ("left", "right")]
    shared = set(_above(content, legs[0], path)) & set(_above(content, legs[1], path))
    hips = next((node for node in _above(content, legs[0], path) if node in shared), None)
    if hips is None:
        return ()
    bones = [RigBone(hips, "pelvis", "hips"), *_spine(content, hips, named, path)]
    for name, node in named.items():
        side, limb = ("left", name[4:]) if name.startswith("left") else ("right", name[5:])
        if limb in _LIMBS and name.startswith(("left", "right")):
            bones.append(RigBone(node, f"{side}_{_LIMBS[limb][0]}", name))
    depth = {bone.node: len(_above(content, bone.node, path)) for bone in bones}
    return tuple(sorted(bones, key=lambda bone: depth[bone.node]))


def _named(content: dict[str, Any], path: Path) -> dict[str, int]:
    """Nodes of the limbs, the head and the neck by VRM's names."""
    names = [f"{side}{limb}" for side in ("left", "right") for limb in _LIMBS]
    declared = declared_bones(content, path, (*names, "head", "neck"))
    if all(name in declared for name in (*NEEDED, "head")):
        return declared
    known = {
        f"{side}{limb}": {f"{spelling}{side}" for spelling in spellings}
        for side in ("left", "right")
        for limb, (_, spellings) in _LIMBS.items()
    }
    top = {
        name: node for name, node in bone_nodes(content, path).items() if name in ("neck", "head")
    }
    return bones_by_spelling(content, path, known) | declared | top


def _spine(
    content: dict[str, Any], hips: int, named: Mapping[str, int], path: Path
) -> list[RigBone]:
    """Bones between hips and head, however many there are, neck and head."""
    top = named.get("neck", named.get("head"))
    if top is None:
        upwards = _above(content, named["leftUpperArm"], path)
        arms = set(_above(content, named["rightUpperArm"], path))
        top = next(node for node in upwards if node in arms)
        chain = [top, *_above(content, top, path)]
    else:
        chain = _above(content, top, path)
    if hips not in chain:
        return []
    chain = chain[: chain.index(hips)][::-1]
    bones = [
        RigBone(node, f"spine{-(-3 * (number + 1) // len(chain))}", f"spine{number}")
        for number, node in enumerate(chain)
    ]
    bones += [RigBone(named[name], name, name) for name in ("neck", "head") if name in named]
    return bones


def body_curves(content: dict[str, Any], body: Motion, path: Path) -> BodyCurves | None:
    """Local rotations of a rig's bones and the way of its hips; None where it has no body.

    Args:
        body: one take in `smplx25`.

    Raises:
        AssetError: a bone with an invalid rotation, or bones that form a circle.
    """
    bones = humanoid_bones(content, path)
    if not bones:
        return None
    rest = _Rest.read(content, path)
    axes = _axes(rest, bones)
    with torch.no_grad():
        motion = Motion(body.values.detach().cpu().double(), body.space)
        turns = pose_body(motion).rotations.numpy()
        root = motion["root"].numpy()
    world: dict[int, np.ndarray] = {}
    rotations = {}
    for bone in bones:
        turn = axes @ turns[:, SMPLX25_JOINTS.index(bone.joint)] @ axes.T
        world[bone.node] = turn @ _correction(rest, bones, bone, axes) @ rest.rotation[bone.node]
        above = _parent_rotation(content, bone.node, world, rest, path)
        local = np.swapaxes(above, -1, -2) @ world[bone.node]
        rotations[bone.node] = continuous(_quaternions(local))
    hips = bones[0].node
    offset = root - np.array([0.0, STANDING_HEIGHT_M, 0.0])
    translation = rest.position[hips] + _scale(rest, bones) * offset @ axes.T
    parent = rest.matrix[parents[0]] if (parents := _above(content, hips, path)) else np.eye(4)
    local = (np.linalg.inv(parent) @ np.pad(translation, ((0, 0), (0, 1)), constant_values=1.0).T).T
    return BodyCurves(rotations, hips, local[:, :3])


def hanging_arms(content: dict[str, Any], path: Path) -> dict[str, tuple[int, np.ndarray]]:
    """Turns that let arms hang which rest stretched out, as figures are modelled but nobody stands.

    Returns:
        VRM's name of an upper arm: its node, and its rotation in the world, axis-angle (3), for a
        figure that faces +Z. Empty for rigs without a body or with arms that hang at rest.

    Raises:
        AssetError: a bone with an invalid rotation, or bones that form a circle.
    """
    bones = humanoid_bones(content, path)
    if not bones:
        return {}
    rest = _Rest.read(content, path)
    axes = _axes(rest, bones)
    nodes = {bone.name: bone.node for bone in bones}
    is_vrm_0 = "VRM" in content.get("extensions", {})
    hanging = {}
    for side, outwards in (("left", 1.0), ("right", -1.0)):
        arm = nodes[f"{side}UpperArm"]
        own = rest.position[nodes[f"{side}LowerArm"]] - rest.position[arm]
        turn = _turn_between(own, axes @ [outwards * ARM_OUT, -1.0, 0.0])
        if np.linalg.norm(turn) >= LEAST_LOWERED_RAD:
            # VRM 0 faces -Z; a half turn about the vertical brings the axis to +Z.
            hanging[f"{side}UpperArm"] = arm, turn * ([-1, 1, -1] if is_vrm_0 else [1, 1, 1])
    return hanging


@dataclasses.dataclass(frozen=True)
class _Rest:
    """Nodes in the world at rest."""

    matrix: list[Float[np.ndarray, "4 4"]]
    rotation: list[Float[np.ndarray, "3 3"]]
    position: list[Float[np.ndarray, "3"]]

    @classmethod
    def read(cls, content: dict[str, Any], path: Path) -> _Rest:
        nodes = entries(content, "nodes", path)
        matrix, rotation = [], []
        for number in range(len(nodes)):
            world, turn = np.eye(4), np.eye(3)
            for node in [number, *_above(content, number, path)]:
                translation, own, lengths = decompose(nodes[node], path)
                local = np.eye(4)
                local[:3, :3] = own.as_matrix() * lengths
                local[:3, 3] = translation
                world, turn = local @ world, own.as_matrix() @ turn
            matrix.append(world)
            rotation.append(turn)
        return cls(matrix, rotation, [world[:3, 3] for world in matrix])


def _axes(rest: _Rest, bones: tuple[RigBone, ...]) -> Float[np.ndarray, "3 3"]:
    """Turn about the vertical from the house skeleton, which faces +Z, to the rig."""
    nodes = {bone.name: bone.node for bone in bones}
    left = rest.position[nodes["leftUpperLeg"]] - rest.position[nodes["rightUpperLeg"]]
    left = left * [1.0, 0.0, 1.0]
    left = left / max(float(np.linalg.norm(left)), 1e-9)
    front = np.cross(left, [0.0, 1.0, 0.0])
    return np.stack([left, [0.0, 1.0, 0.0], front], 1)


def _correction(
    rest: _Rest, bones: tuple[RigBone, ...], bone: RigBone, axes: Float[np.ndarray, "3 3"]
) -> Float[np.ndarray, "3 3"]:
    """Turn in the world from the bone's rest direction to that of the house skeleton."""
    nodes = {other.name: other.node for other in bones}
    side = "left" if bone.name.startswith("left") else "right"
    limb = bone.name.removeprefix(side)
    limb = _FOLLOWS.get(limb, limb)
    following = "Toes" if limb == "Foot" else _AIMED.get(limb)
    if following is None or f"{side}{following}" not in nodes:
        return np.eye(3)
    start, stop = nodes[f"{side}{limb}"], nodes[f"{side}{following}"]
    own = rest.position[stop] - rest.position[start]
    joint = SMPLX25_JOINTS.index(f"{side}_{_LIMBS[following][0]}")
    house_direction = axes @ house_offsets()[joint].double().numpy()
    if limb == "Foot":  # a sole is flat at rest, however high the ankle: only its direction counts
        own, house_direction = own * [1.0, 0.0, 1.0], house_direction * [1.0, 0.0, 1.0]
    return _between(own, house_direction)


def _between(
    first: Float[np.ndarray, "3"], second: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "3 3"]:
    """The smallest rotation from one direction to another."""
    from scipy.spatial.transform import Rotation

    return Rotation.from_rotvec(_turn_between(first, second)).as_matrix()


def _turn_between(
    first: Float[np.ndarray, "3"], second: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "3"]:
    """It as an axis-angle; no turn between opposite directions or without a length."""
    lengths = np.linalg.norm(first) * np.linalg.norm(second)
    if lengths < 1e-12:
        return np.zeros(3)
    axis = np.cross(first, second) / lengths
    sine, cosine = float(np.linalg.norm(axis)), float(first @ second) / lengths
    if sine < 1e-9:
        return np.zeros(3)
    return axis / sine * np.arctan2(sine, cosine)


def _scale(rest: _Rest, bones: tuple[RigBone, ...]) -> float:
    """How much longer the rig's legs are than those of the house skeleton."""
    nodes = {bone.name: bone.node for bone in bones}
    names = ("Toes", "Foot")
    low = next(name for name in names if f"left{name}" in nodes)
    floor = min(rest.position[nodes[f"{side}{low}"]][1] for side in ("left", "right"))
    house = STANDING_HEIGHT_M - (BALL_HEIGHT_M if low == "Toes" else 0.069)
    return max(float(rest.position[bones[0].node][1] - floor), 1e-6) / house


def _parent_rotation(
    content: dict[str, Any],
    node: int,
    world: Mapping[int, Float[np.ndarray, "frames 3 3"]],
    rest: _Rest,
    path: Path,
) -> Float[np.ndarray, "*frames 3 3"]:
    """World rotation of a node's parent: it moves with the nearest animated bone above."""
    above = _above(content, node, path)
    if not above:
        return np.eye(3)
    moved = next((other for other in above if other in world), None)
    if moved is None:
        return rest.rotation[above[0]]
    return world[moved] @ rest.rotation[moved].T @ rest.rotation[above[0]]


def _above(content: dict[str, Any], node: int, path: Path) -> list[int]:
    return ancestors(content, node, path)


def _quaternions(rotations: Float[np.ndarray, "frames 3 3"]) -> Float[np.ndarray, "frames 4"]:
    from scipy.spatial.transform import Rotation

    return Rotation.from_matrix(rotations).as_quat()
