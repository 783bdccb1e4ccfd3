"""An avatar as a list of channels that a player sets frame by frame, and motions in them.

A player of a plain GLB sets morph weights and local rotations of nodes. In a VRM these would be
overwritten: there it sets expressions, rotations of the normalised bones (whose axes are the
world's at rest), and the direction of the gaze.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from motet.export.curves import euler_from_axis_angle, quaternions_from_axis_angle
from motet.export.gltf.avatar import Driven, drive, with_hanging_arms
from motet.export.gltf.bones import bone_nodes, turned
from motet.export.gltf.container import read_glb
from motet.export.gltf.humanoid import hanging_arms
from motet.export.gltf.inspection import entries, vrm_expressions
from motet.export.gltf.mapping import AvatarMap
from motet.export.gltf.targets import morph_names
from motet.types import ARKIT_SHAPES, Motion

SIZES = {"rotation": 4, "position": 3, "look": 2}
"""Numbers of a channel in each frame, where it is not one: a quaternion x y z w, metres, yaw and
pitch in degrees."""
EYES = ("leftEye", "rightEye")
Values = Float[np.ndarray, "frames size"]


@dataclasses.dataclass(frozen=True)
class Channel:
    """One thing that a player sets."""

    kind: str
    """`morph`, `expression`, `rotation`, `position`, `look`; `weight` and `number` for the numbers
    of a take itself."""
    name: str = ""
    """Name of the expression or number."""
    node: str = ""
    """Node that is turned or moved, or has the morph target; empty: every node that has it."""
    target: str = ""
    """Name of the morph target."""
    bone: str = ""
    """Humanoid bone of a VRM."""

    def to_json(self) -> dict[str, str | int]:
        """As players read it: without what is empty, with the count of its numbers."""
        named = {name: value for name, value in vars(self).items() if value}
        return {**named, "size": SIZES.get(self.kind, 1)}


@dataclasses.dataclass(frozen=True)
class Names:
    """All names of an avatar that can be assigned."""

    kind: str
    """`vrm` or `glb`."""
    targets: tuple[str, ...]
    """Morph targets and expressions."""
    bones: tuple[str, ...]
    """Nodes without a mesh."""


def avatar_names(path: Path) -> Names:
    """What an avatar's file names, whether it can speak or not.

    Raises:
        AssetError: not a usable GLB or VRM.
    """
    content, _ = read_glb(path)
    names = morph_names(content, path)
    expressions = vrm_expressions(content, names, path)
    targets = [name for listed in names.values() for name in listed]
    nodes = entries(content, "nodes", path)
    bones = tuple(str(node["name"]) for node in nodes if "name" in node and "mesh" not in node)
    kind = "vrm" if _is_vrm(content) else "glb"
    return Names(kind, tuple(dict.fromkeys([*targets, *expressions])), bones)


class AvatarChannels:
    """An avatar that is read once and moved often.

    Args:
        path: a GLB or VRM.
        by_hand: names that are assigned by hand.

    Raises:
        AssetError: not a usable GLB or VRM.
    """

    def __init__(self, path: Path, by_hand: AvatarMap | None = None) -> None:
        self._path, self._by_hand = path, by_hand or AvatarMap()
        self._content, _ = read_glb(path)
        arms = {name: node for name, (node, _) in hanging_arms(self._content, path).items()}
        self._bones = {**arms, **bone_nodes(self._content, path, self._by_hand.bones)}

    def curves(self, motion: Motion) -> tuple[list[Channel], list[Values]]:
        """The channels of the avatar, and the values of each for a motion in the `arkit` space.

        Raises:
            AssetError: it has no mouth that can speak.
            ConfigError: the assignment names what the avatar or motet does not have.
        """
        content, path = self._content, self._path
        weights = {
            name: motion.channel("blendshapes", name).detach().double().cpu().numpy()
            for name in ARKIT_SHAPES
        }
        head = motion["head"].detach().double().cpu().numpy()
        driven = drive(content, weights, head, motion.space.fps, self._by_hand, path)
        driven = with_hanging_arms(driven, content, motion.frames, path)
        faces = _vrm_shapes if _is_vrm(content) else _morphs
        turns = _vrm_bones if _is_vrm(content) else _node_turns
        channels = [*faces(content, driven, path), *turns(content, driven, self._bones, path)]
        return [channel for channel, _ in channels], [values for _, values in channels]


def _morphs(
    content: dict[str, Any], driven: Driven, path: Path, *, left_out: frozenset[str] = frozenset()
) -> list[tuple[Channel, Values]]:
    """Weights of the morph targets that are driven, resting weights included."""
    names, nodes = morph_names(content, path), entries(content, "nodes", path)
    return [
        (Channel("morph", node=str(nodes[node].get("name", "")), target=name), curve[:, None])
        for node, curves in driven.curves.items()
        for name, curve in zip(names[node], curves, strict=True)
        if name in driven.weights and name not in left_out
    ]


def _vrm_shapes(
    content: dict[str, Any], driven: Driven, path: Path
) -> list[tuple[Channel, Values]]:
    """Expressions, and morph targets that are no expression."""
    expressions = frozenset(vrm_expressions(content, morph_names(content, path), path))
    channels: list[tuple[Channel, Values]] = [
        (Channel("expression", name), np.clip(curve, 0, 1)[:, None])
        for name, curve in driven.weights.items()
        if name in expressions
    ]
    return channels + _morphs(content, driven, path, left_out=expressions)


def _node_turns(
    content: dict[str, Any], driven: Driven, bones: Mapping[str, int], path: Path
) -> list[tuple[Channel, Values]]:
    """Local rotations of nodes."""
    del bones
    nodes = entries(content, "nodes", path)
    return [
        (Channel("rotation", node=str(nodes[node].get("name", ""))), turned(content, node, w, path))
        for node, w in driven.turns.items()
    ]


def _vrm_bones(
    content: dict[str, Any], driven: Driven, bones: Mapping[str, int], path: Path
) -> list[tuple[Channel, Values]]:
    """Rotations of normalised bones, and the gaze."""
    nodes, channels = entries(content, "nodes", path), []
    # An avatar of VRM 0 looks to -Z, so its left and front are the world's right and back.
    flip = np.array([-1, 1, -1] if "VRM" in content["extensions"] else [1, 1, 1])
    gazes = [driven.turns[bones[eye]] for eye in EYES if bones.get(eye) in driven.turns]
    for bone, node in bones.items():
        if node in driven.turns and bone not in EYES:
            name = str(nodes[node].get("name", ""))
            values = quaternions_from_axis_angle(driven.turns[node] * flip)
            channels.append((Channel("rotation", node=name, bone=bone), values))
    if gazes:
        angles = np.mean([np.degrees(euler_from_axis_angle(gaze)) for gaze in gazes], axis=0)
        channels.append((Channel("look"), angles[:, :2]))
    return channels


def _is_vrm(content: dict[str, Any]) -> bool:
    extensions = content.get("extensions")
    return isinstance(extensions, dict) and bool({"VRM", "VRMC_vrm"} & extensions.keys())
